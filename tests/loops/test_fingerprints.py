"""What stands for texts, models and rewards: alike if and only if they are, in every process."""

import copy
import functools
import os
import random
import re
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from rlhf_kit import rewards
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of, identity_of
from rlhf_kit.loops.identity import identity_of_reward
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.tasks.reviews import Reviews


def digest(value) -> str:
    return identity_of(value)[0]


# Texts

def test_no_two_lists_of_texts_have_one_fingerprint():
    """By length before each: neither line breaks nor anything else can imitate a border."""
    lists = [["a\nb"], ["a", "b"], ["b", "a"], ["a", "b", ""], ["ab"], [], [""], ["", ""], ["a b"], [("a", "b")],
             ["('a', 'b')"], [("a", 1)], [("a", "1")], [("a", True)], [["a", "b"]], ["str 1 astr 1 b"],
             [Comparison("a", "b", "c")], [Comparison("a", "c", "b")], [Ranking("a", ("b", "c"), (1, 2))],
             [Ranking("a", ("b", "c"), (1, 1))], ["好"], ["\ud800"], [1.0], [0.0], [-0.0], [b"a"]]
    assert len({fingerprint(one) for one in lists}) == len(lists)
    assert fingerprint(["a", "b"]) == fingerprint(("a", "b"))
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(["a"]))


# Models

def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(40, 30), nn.BatchNorm1d(30), nn.Linear(30, 2).to(torch.bfloat16))


def test_every_number_of_a_model_counts():
    """The last bit of each in turn; the old fingerprint looked at every twentieth."""
    model, seen = network(), set()
    for name, tensor in model.state_dict().items():
        flat = tensor.view(-1)
        for place in range(0, flat.numel(), 7):
            bits = flat.view(torch.uint8)
            step = place * flat.element_size()
            bits[step] ^= 1
            seen.add(fingerprint_of(model))
            bits[step] ^= 1
        assert name
    assert len(seen) == sum(-(-t.numel() // 7) for t in model.state_dict().values())
    assert fingerprint_of(model) not in seen
    assert fingerprint_of(copy.deepcopy(model)) == fingerprint_of(network())


def test_names_types_shapes_and_ties_count_and_memory_layout_does_not():
    wide, tall = nn.Module(), nn.Module()
    wide.w, tall.w = (nn.Parameter(torch.arange(6.0).reshape(*shape)) for shape in ((2, 3), (3, 2)))
    turned = nn.Module()
    turned.w = nn.Parameter(torch.arange(6.0).reshape(2, 3).T.contiguous().T)
    other = nn.Module()
    other.v = nn.Parameter(torch.arange(6.0).reshape(2, 3))
    half = copy.deepcopy(wide).to(torch.float16)
    assert len({fingerprint_of(m) for m in (wide, tall, other, half)}) == 4
    assert fingerprint_of(turned) == fingerprint_of(wide)


def test_a_models_settings_count_and_its_file_does_not(tokenizer):
    def made(**changes):
        model = tiny.classifier(tokenizer, layers=1, width=16, seed=0)
        for name, value in changes.items():
            setattr(model.config, name, value)
        return fingerprint_of(model)
    assert made(_name_or_path="/elsewhere", use_cache=False) == made()
    assert made(id2label={0: "positive", 1: "negative"}) != made()
    assert made(reward_shift=1.0) != made()


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_quantised_layers_count_with_their_scales_and_reading_changes_nothing(saved_llama, kind):
    from rlhf_kit.models.loading import load_language_model
    lm, _ = load_language_model(saved_llama, quantize=kind)
    before = fingerprint_of(lm)
    lm(input_ids=torch.tensor([[3, 4, 5]]))
    assert fingerprint_of(lm) == before == fingerprint_of(load_language_model(saved_llama, quantize=kind)[0])
    name = next(n for n in lm.state_dict() if n.endswith(("SCB", "absmax")))
    with torch.no_grad():
        lm.state_dict()[name].view(-1)[5] += 1
    assert fingerprint_of(lm) != before


# Rewards

LAMBDA = 0.5


def helper(text: str) -> float:
    return LAMBDA * len(text)


def reward_of(source: str, **names):
    space = {"__name__": "somebodys", **names}
    exec(compile(textwrap.dedent(source), "somewhere.py", "exec"), space)               # as a notebook's cell
    return space["reward"]


BASE = """
def reward(prompts, responses):
    return [0.5 * len(r) for r in responses]
"""


@pytest.mark.parametrize(("changed", "same"), [
    (BASE.replace("0.5", "0.25"), False), (BASE.replace("len(r)", "r.count('a')"), False),
    (BASE.replace("responses]", "prompts]"), False), (BASE.replace("*", "+"), False),
    (BASE.replace("def reward", "# a remark\n\n\ndef reward"), True), (BASE.replace("len(r)", "len( r )"), True)])
def test_a_functions_code_and_constants_count_and_its_remarks_do_not(changed, same):
    assert (identity_of_reward(reward_of(BASE)) == identity_of_reward(reward_of(changed))) == same


def test_another_lambda_in_an_inner_function_counts():
    def made(number):
        return reward_of(f"reward = lambda prompts, responses: list(map(lambda r: {number} * len(r), responses))")
    assert digest(made(1)) == digest(made(1)) != digest(made(2))


def test_defaults_closures_and_globals_count_each(monkeypatch):
    def closing(weight, words):
        return lambda prompts, responses: [weight * sum(w in r for w in words) for r in responses]
    assert digest(closing(1.0, ["a"])) == digest(closing(1.0, ["a"]))
    assert len({digest(closing(*x)) for x in ((1.0, ["a"]), (2.0, ["a"]), (1.0, ["a", "b"]), (1, ["a"]))}) == 4
    source = "def reward(prompts, responses, *, weight={}):\n    return [weight for r in responses]"
    assert digest(reward_of(source.format(1))) != digest(reward_of(source.format(2)))
    before = digest(helper)
    monkeypatch.setattr(sys.modules[__name__], "LAMBDA", 0.25)
    assert digest(helper) != before
    calls = "def reward(prompts, responses):\n    return [inner(r) for r in responses]"
    assert digest(reward_of(calls, inner=helper)) != digest(reward_of(calls, inner=len))


def test_what_code_assigns_itself_is_memory():
    def counting():
        seen = 0

        def reward(prompts, responses):
            nonlocal seen
            seen += len(responses)
            return [1.0] * len(responses)
        return reward
    one = counting()
    before = digest(one)
    one([], ["a", "b"])
    assert digest(one) == before
    source = "seen = 0\ndef reward(p, r):\n    global seen\n    seen += 1\n    return [0.0 for _ in r]"
    two = reward_of(source)
    before = digest(two)
    two([""], [""])
    assert two.__globals__["seen"] == 1
    assert digest(two) == before


@dataclass
class Settings:
    weight: float
    words: tuple


class Judge:
    """A reward that is an object, with settings, a cache, and a memory that checkpoints keep."""

    def __init__(self, weight: float) -> None:
        self.settings, self.n, self.helper = Settings(weight, ("a",)), 0, functools.partial(round, ndigits=2)

    @functools.cached_property
    def table(self) -> dict:
        return {"a": 1}

    def __call__(self, prompts, responses):
        self.n += len(self.table)
        return [self.settings.weight] * len(responses)

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def test_an_objects_settings_and_methods_count_and_its_memory_does_not(monkeypatch):
    one = Judge(1.0)
    before = digest(one)
    one([], ["x"])
    assert digest(one) == before == digest(Judge(1.0)) != digest(Judge(2.0))
    monkeypatch.setattr(Judge, "__call__", lambda self, prompts, responses: [0.0] * len(responses))
    assert digest(one) != before


def test_circles_and_shared_parts_end():
    ring = [1]
    ring.append(ring)
    assert digest(ring) == digest(ring) != digest([1, [1]])
    shared = ("a", "b")
    assert digest([shared, shared]) == digest([("a", "b"), tuple("ab")])


def test_what_cannot_be_known_is_named_and_said_once(capsys):
    def reward(prompts, responses):
        with lock:
            return [0.0] * len(responses)
    lock = threading.Lock()
    assert identity_of(reward)[1] == ["lock"]
    first = identity_of_reward(reward)
    said = capsys.readouterr().err
    assert "reward holds something of which no run can tell whether it is the same (lock)" in said
    assert said.count("\n") == 1
    assert identity_of_reward(reward) == first
    assert capsys.readouterr().err == ""
    reward.run_identity = "version 2"
    assert identity_of(reward)[1] == []
    assert identity_of_reward(reward) != first


def judge_of(tokenizer, seed=0):
    return tiny.classifier(tokenizer, layers=1, width=16, seed=seed)


def test_the_kits_rewards_are_known_by_their_settings_and_models(tokenizer):
    """Every pair of these differs, and each is the same when it is made again; a judge's flipped weights count."""
    def flipped():
        model = judge_of(tokenizer)
        with torch.no_grad():
            for p in model.parameters():
                p.neg_()
        return model

    def shifted(shift):
        model = RewardModel(tiny.reward_model(tokenizer, layers=1, width=16, seed=0).model, tokenizer)
        model.shift = shift
        return model
    makers = [
        lambda: rewards.length(30), lambda: rewards.length(40),
        lambda: rewards.classifier(judge_of(tokenizer), tokenizer), lambda: rewards.classifier(flipped(), tokenizer),
        lambda: rewards.classifier(judge_of(tokenizer), tokenizer, output="log_odds"),
        lambda: rewards.classifier(judge_of(tokenizer), tokenizer, label="negative"),
        lambda: rewards.learned(shifted(0.0)), lambda: rewards.learned(shifted(0.5)),
        lambda: rewards.gold(Reviews("en")), lambda: rewards.gold(Reviews("zh")),
        lambda: rewards.weighted([(1.0, rewards.length(30)), (0.5, rewards.length(40))]),
        lambda: rewards.weighted([(1.0, rewards.length(30)), (0.25, rewards.length(40))]),
        lambda: rewards.clipped(rewards.length(30), 0.0, 0.5), lambda: rewards.clipped(rewards.length(30), 0.0, 1.0),
        lambda: rewards.Normalised(rewards.length(30)), lambda: rewards.Normalised(rewards.length(31)),
        lambda: rewards.Normalised(rewards.length(30), clip=1.0),
        lambda: rewards.rules({"short": lambda p, r: len(r) < 9}),
        lambda: rewards.rules({"short": lambda p, r: len(r) < 8})]
    first = [identity_of_reward(make()) for make in makers]
    assert first == [identity_of_reward(make()) for make in makers]
    assert len({digest(make()) for make in makers}) == len(makers)


def test_asking_a_reward_changes_nothing_of_its_identity(tokenizer):
    """Statistics, a tokenizer's padding, tables made on first use."""
    for reward in (rewards.Normalised(rewards.length(5)), rewards.classifier(judge_of(tokenizer), tokenizer),
                   rewards.gold(Reviews("en"))):
        before = identity_of_reward(reward)
        reward(Reviews("en").prompts("train", 2), ["is good.", "is bad, and it broke."])
        tokenizer(["a", "the lamp is"], padding=True, truncation=True, max_length=4)
        assert identity_of_reward(reward) == before


def test_a_file_is_known_by_its_content_wherever_it_lies(tmp_path):
    for folder, number in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"W = {number}\ndef reward(p, r):\n    return [W for _ in r]")
    one, two, other = (identity_of_reward(rewards.from_file(f"{tmp_path / name / 'mine.py'}:reward")) for name in "abc")
    assert one == two != other


def test_a_reward_is_known_as_when_all_rewards_stood_in_one_file():
    """Run folders and checkpoints have these characters; they were written down before rewards.py became a folder."""
    length = rewards.length(5)
    known = {length: "length_5#7a1dd63d97903d71",
             rewards.weighted([(1.0, length), (0.5, rewards.clipped(length, 0.1, 0.9))]):
                 "weighted(1.0·length_5, 0.5·clipped(length_5, 0.1, 0.9))#78d36de4b16eadf4",
             rewards.right_number({"1+1": 2}): "right_number#6b8a7964b41904a1",
             rewards.Normalised(length, clip=2.0): "normalised(length_5, 2.0, True)#0b54a2e27120a369",
             rewards.on_prompts(length, {"a": "b"}): "length_5#d6282417d8245267"}
    assert [identity_of_reward(reward) for reward in known] == list(known.values())
    assert digest([rewards.last_number, rewards.RunningMoments(), rewards.RewardError]) == "b505589d36f33f86"


CHILD = """
import sys
sys.path[:0] = {paths!r}
import test_fingerprints as t
from rlhf_kit import rewards
from rlhf_kit.tasks.reviews import Reviews
print(t.identity_of_reward(t.reward_of(t.BASE)), t.digest(t.Judge(1.0)), t.digest(t.helper),
      t.fingerprint_of(t.network()), t.digest(rewards.gold(Reviews("en"))), t.digest({{"b", "a", "c", 1, ("x", 2)}}),
      t.digest(rewards.rules({{"short": lambda p, r: r in {{"a", "b"}}}})))
"""


@pytest.mark.slow
def test_another_python_comes_to_the_same():
    """Other addresses and another order of sets."""
    tests = os.path.dirname(__file__)
    said = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        program = CHILD.format(paths=[tests, os.path.dirname(tests)])
        said.add(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                                env=environment).stdout)
    assert len(said) == 1
    words = said.pop().split()
    assert len(words) == 7
    assert words[0] == identity_of_reward(reward_of(BASE))
    assert words[3] == fingerprint_of(network())


def test_random_generators_are_no_part_of_it():
    assert digest([random.Random(1)]) == digest([random.Random(2)])
