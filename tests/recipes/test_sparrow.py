"""Sparrow's stages one by one: who is asked what, what is imitated, what is paid, what is played on, what is taken."""

import copy
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from rlhf_kit import rewards
from rlhf_kit.datasets.rated_turns import marks_of, texts_of
from rlhf_kit.formulas.best_of_n import kl_bound
from rlhf_kit.formulas.records import Ranking, RuleLabel
from rlhf_kit.jobs.rated_turns import World
from rlhf_kit.methods import self_play
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.tops import held_by
from rlhf_kit.recipes import sparrow
from rlhf_kit.recipes.sparrow import PRESETS, Judges
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.prompts import case_of, read

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def world():
    return World(Assistant("en"), seed=3)


def kept_as(*q: float):
    """A reward of rules that are all kept so well, whatever the response."""
    def reward(prompts, responses):
        return torch.tensor([sum(q) / len(q)] * len(responses))
    reward.kept = lambda prompts, responses: torch.tensor([q] * len(responses))
    return reward


def liked_by_length(prompts, responses):
    return torch.tensor([len(response) / 10 for response in responses])


# -- who is asked what -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_source_is_what_it_is_called_and_no_prompt_is_of_two(lang):
    world = World(Assistant(lang), seed=1)
    found = {source: world.asked(source, 40) for source in sparrow.SOURCES}
    assert all(case_of(prompt, lang).tempting for prompt in found["adversarial"])
    assert all(len(read(prompt, lang).turns) == 3 for prompt in found["dialogues"])
    assert all(len(read(prompt, lang).turns) == 1 for prompt in found["questions"])
    assert len({prompt for prompts in found.values() for prompt in prompts}) == 120


def test_who_tempts_asks_for_harm_or_forbidden_advice_or_what_is_unknown_or_untrue(world):
    kinds = Counter((case.kind, case.sort) for prompt in world.asked("adversarial", 300)
                    for case in [case_of(prompt, "en")])
    assert {kind for kind, _ in kinds} == {"do", "advice", "fact"}
    assert kinds["do", "harmful"] > 50
    assert not any(sort in ("harmless", "borderline") for kind, sort in kinds if kind == "do")


def test_of_a_mix_each_source_has_its_share_and_labels_are_of_other_prompts(world):
    rows = sparrow.sourced(TINY, world, 200, "train", "ppo")
    assert Counter(source for _, source in rows) == {"questions": 80, "dialogues": 40, "adversarial": 80}
    labelled = {prompt for prompt, _ in sparrow.sourced(TINY, world, 50, "train", "labels")}
    assert not labelled & {prompt for prompt, _ in rows}


def test_a_source_of_which_there_is_nothing_leaves_its_share_to_the_others():
    class Few:
        def asked(self, source, n, split, purpose):
            return [f"{source} {i}" for i in range(n)] if source != "dialogues" else []
    rows = sparrow.sourced(TINY, Few(), 60, "train", "ppo")
    assert Counter(source for _, source in rows) == {"questions": 30, "adversarial": 30}


def test_every_candidate_of_a_turn_is_written_under_another_description(world, monkeypatch):
    asked = []

    def generate(writer, prompts, sampling, seed):
        asked.extend(prompts)
        return [f" {i}" for i in range(len(prompts))]
    monkeypatch.setattr(sparrow, "generate", generate)
    found = sparrow.candidates(TINY, world, None, 6)
    assert [len(responses) for _, responses in found] == [4] * 6
    assert all(prompt.count("\n\n---\n\n") == 1 for prompt in asked)
    above = Counter(prompt.split("\n\n---\n\n")[0] for prompt in asked)
    assert len(above) > 4                                   # careful ones and others
    first = [prompt.split("\n\n---\n\n")[0] for prompt in asked[:4]]
    assert len(set(first)) > 2


def test_people_s_candidates_are_learned_from_and_the_base_s_alone_examined_on(world, monkeypatch):
    monkeypatch.setattr(sparrow, "generate", lambda writer, prompts, sampling, seed: [
        f" {seed % 99} {i}" for i in range(len(prompts))])
    preset = replace(TINY, turns=6, by_people=9, held_out_turns=5)
    learn, held_out = (sparrow.rated(preset, world, None, split) for split in ("train", "heldout"))
    assert (len(learn), len(held_out)) == (15, 5)
    assert all(sorted(one.ranks)[:2] == [1, 2] for one in (*learn, *held_out))
    gold = world.measured()["gold"]
    assert not any(gold([one.prompt], [one.responses[0]])[0] for one in (*learn[:6], *held_out))
    assert sum(max(gold([one.prompt] * len(one.responses), one.responses)) > 0.5 for one in learn[6:]) > 5
    assert not {one.prompt for one in learn[:6]} & {one.prompt for one in learn[6:]}


# -- what is imitated --------------------------------------------------------------------------------------------------

def test_what_was_picked_and_as_many_answers_that_follow_their_rule():
    turns = [Ranking("a", (" x", " y"), (2, 1)), Ranking("b", (" z", " w"), (1, 2))]
    labels = [RuleLabel("c", f" {i}", "rule", level) for i, level in enumerate(
        ("definitely broken", "probably followed", "unsure", "definitely followed", "definitely followed"))]
    assert sparrow.demonstrated(turns, labels) == [("a", " y"), ("b", " z"), ("c", " 1"), ("c", " 3")]


# -- who judges --------------------------------------------------------------------------------------------------------

def test_a_preference_model_of_the_made_up_world_also_hears_how_likely_a_response_is(policy, world):
    """And stands on the trunk all the same. In a folder nobody knows where responses begin."""
    trunk = sparrow.trunk_of(replace(TINY, share=0.5), Policy(copy.deepcopy(policy.lm), policy.tokenizer))
    model = sparrow.preference_model(TINY, world, trunk)
    [mark, *_] = policy.tokenizer(world.mark, add_special_tokens=False).input_ids
    assert model.likelihood == (TINY.likelihood, mark)
    assert not model.model.score.weight.any()               # before it learns, the likelihood is all that it says
    assert held_by([model, trunk.policy()]).layers == 3
    plain = sparrow.preference_model(TINY, SimpleNamespace(mark=None), trunk)
    assert plain.likelihood is None
    assert plain.model.score.weight.any()


# -- what is paid ------------------------------------------------------------------------------------------------------

def test_the_reward_by_hand(world):
    """PM .8, rules kept with (.95, .9, .2): 2.85 with the sum, 1.4833 with the mean; what is no turn pays 2."""
    judges = Judges(lambda p, r: torch.tensor([0.8] * len(r)), kept_as(0.95, 0.9, 0.2))
    raw = replace(TINY, normalise=False)
    answers = [" fine", " fine\n\nUser: and I?"]
    assert sparrow.total(raw, world, judges)(["p"] * 2, answers).tolist() == pytest.approx([2.85, 0.85])
    mean = replace(raw, reduction="mean")
    assert sparrow.total(mean, world, judges)(["p"], answers[:1]).item() == pytest.approx(1.4833, abs=1e-4)
    alone = [replace(raw, rule_weight=0.0), replace(raw, preference_weight=0.0)]
    paid = [sparrow.total(one, world, judges)(["p"], answers[:1]).item() for one in alone]
    assert paid == pytest.approx([0.8, 2.05])


def test_what_is_optimised_is_the_total_around_its_mean(world):
    """Three responses of preference 0.2, 0.4 and 0.9 whose rules are kept alike: (x - 0.5) / 0.3606, exactly."""
    judges = Judges(lambda p, r: torch.tensor([len(x) / 10 for x in r]), kept_as(0.9, 0.3))
    paid = sparrow.optimised(replace(TINY, normalise=False), world, judges)(["p"] * 3, ["xx", "x" * 4, "x" * 9])
    assert paid.tolist() == pytest.approx([-0.8321, -0.2774, 1.1094], abs=1e-4)


def test_a_rule_model_that_learns_no_more_reads_the_same_responses_once(monkeypatch):
    asked = []

    def kept_probability(model, tokenizer, prompts, responses, rules, **how):
        asked.append(tuple(responses))
        return torch.full((len(responses), len(rules)), 0.5)
    monkeypatch.setattr(rewards.models, "kept_probability", kept_probability)
    once, always = (rewards.rules_of(None, None, ["r", "s"], max_length=8, once=value) for value in (True, False))
    for reward in (once, always):
        reward(["p"], [" a"])
        reward.kept(["p"], [" a"])
    assert asked == [(" a",)] * 3
    assert once.kept(["p"], [" b"]).tolist() == [[0.5, 0.5]]
    assert asked[-1] == (" b",)


# -- what is played on -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def policy():
    tokenizer = text.train_tokenizer(Assistant("en").corpus(200), 400)
    return Policy(tiny.llama(tokenizer, layers=2, width=64, context=384), tokenizer).eval()


def test_a_share_of_the_batch_is_played_on_once_there_is_something_to_play_on(policy, monkeypatch):
    preset = replace(TINY, self_play=0.5, rl=replace(TINY.rl, batch_size=8, sampling=Sampling(max_new_tokens=4)))
    buffer = self_play.Buffer(self_play.Config(sampling=preset.rl.sampling))
    prompts = [f"User: {i}\n\nAssistant:" for i in range(20)]
    drawn = sparrow.played(preset, policy, prompts, buffer)
    assert set(drawn(0).prompts) <= set(prompts)
    monkeypatch.setattr(buffer, "prompts", lambda policy, n, number: [f"own {i}" for i in range(n)])
    asked = drawn(1).prompts
    assert asked[4:] == [f"own {i}" for i in range(4)]
    assert len(asked) == 8
    assert drawn(1).responses == drawn(1).responses


def test_what_is_scored_well_is_shown_to_the_buffer_and_a_checkpoint_brings_both_back():
    reward = rewards.Normalised(liked_by_length)
    one, other = (sparrow.Played(rewards.Normalised(liked_by_length), self_play.Buffer()) for _ in range(2))
    reward(["User: a\n\nAssistant:"] * 3, [" x", " xx", " xxxx\n\nUser: b"])
    one(["User: a\n\nAssistant:"] * 3, [" x", " xx", " xxxx\n\nUser: b"])
    assert one.buffer.state_dict() == {"dialogues": ["User: a\n\nAssistant: xx"]}      # the better valid one
    other.load_state_dict(one.state_dict())
    assert other.state_dict() == one.state_dict()
    assert other.reward.moments.mean == reward.moments.mean


# -- what is taken -----------------------------------------------------------------------------------------------------

def test_the_best_of_n_by_both_and_how_far_it_lies(policy, world):
    """The reference is the policy: all of the distance is that of choosing, at most log n - (n-1)/n."""
    preset = replace(TINY, rl=replace(TINY.rl, sampling=Sampling(max_new_tokens=12)))
    judges, prompts = Judges(liked_by_length, kept_as(0.5, 0.9)), world.asked("questions", 6)
    one = sparrow.examine(preset, world, policy, policy.reference(), judges, prompts)
    best = sparrow.examine_best(preset, world, policy, policy.reference(), judges, prompts, n=4)
    assert best.mean["score"] > one.mean["score"]
    assert best.scores.keys() == one.scores.keys()
    assert -1e-6 <= best.kl <= kl_bound(4).item() + 1e-6
    assert best.length >= 2


# -- a folder ----------------------------------------------------------------------------------------------------------

def test_marks_are_found_where_all_prompts_are_written_alike():
    assert marks_of(["User: a?\n\nAssistant:", "User: b\n\nAssistant: c\n\nUser: d\n\nAssistant:"]) == (
        "User:", "Assistant:")
    assert marks_of(["用户：甲？\n\n助手："]) is None              # no blank behind the mark, nothing to cut at
    assert marks_of(["User: a?\n\nAssistant:", "Human: b?\n\nAssistant:"]) is None
    assert marks_of(["What is it?", "Why?"]) is None
    assert marks_of([]) is None


def test_the_most_frequent_rules_are_kept_in_the_order_in_which_they_stand():
    labels = [RuleLabel("p", " r", rule, "unsure") for rule in ("b", "a", "c", "a", "b", "d")]
    assert texts_of(labels, 2) == ["b", "a"]
