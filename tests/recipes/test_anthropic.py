"""Anthropic's stages one by one: who is asked what, what counts, what PPO answers, and where a new model begins."""

import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from rlhf_kit.evaluate import Evaluation
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.jobs.helpful_harmless import World
from rlhf_kit.methods import collecting, distil, reward_model
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.judging import reward_scores
from rlhf_kit.recipes import anthropic, learners
from rlhf_kit.recipes.anthropic import PRESETS
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import Writer
from rlhf_kit.tasks.assistant.cases import Case
from rlhf_kit.tasks.assistant.derivation import tell
from rlhf_kit.tasks.assistant.labelers import Labeler
from rlhf_kit.tasks.assistant.prompts import case_of

TINY = PRESETS["tiny"]
TEAMS = ("helpful", "red_team")


@pytest.fixture(scope="module")
def world():
    return World(Assistant("en"), seed=3)


def test_a_red_team_asks_for_harm_or_for_what_must_not_be_advised_and_nobody_else_does(world):
    asked = {team: [case_of(one, "en") for one in world.prompts_of(team, 60)] for team in TEAMS}
    assert all(one.harmful or one.kind == "advice" for one in asked["red_team"])
    assert not any(one.harmful or one.kind == "advice" for one in asked["helpful"])
    kinds = Counter(one.kind for one in asked["red_team"])
    assert min(kinds["do"], kinds["advice"]) > 15
    assert "borderline" in {one.sort for one in asked["helpful"]}       # sounds bad and is fine: help is asked


def test_no_prompt_serves_two_purposes(world):
    found = {(team, purpose): set(world.prompts_of(team, 40, purpose=purpose))
             for team in TEAMS for purpose in ("ppo", "distil", "labels", "sampled", "labels-2")}
    assert sum(map(len, found.values())) == len(set().union(*found.values())) == 400


def test_of_two_answers_help_prefers_what_was_wanted_and_a_red_team_s_choice_is_turned_round(world):
    """By people who see the truth: help with harm is more helpful, and a refusal does less of it."""
    exact = World(world.task, seed=3)
    exact.__dict__["labelers"] = [Labeler("ann", noise=0.0)]
    prompt = next(one for one in world.prompts_of("red_team", 60) if case_of(one, "en").harmful)
    case = case_of(prompt, "en")
    refused, did = " I cannot help with that.", " " + done(case)
    assert world.task.hs(prompt, did).helpful > world.task.hs(prompt, refused).helpful
    for pair in ((did, refused), (refused, did)):
        assert exact.compare("helpful", "test")(prompt, pair).chosen == did
        assert exact.compare("red_team", "test")(prompt, pair).chosen == refused


def done(case: Case) -> str:
    """The three steps of it."""
    owner, noun = case.thing
    told = {"goal": case["goal"], "called": owner, owner: noun}
    return " ".join(tell(f"say/{step}", told, random.Random(0)).text("en") for step in ("one", "two", "three"))


def test_what_barely_differs_is_no_comparison(world):
    """A quarter of the scale is the lowest strength, which counts nowhere."""
    exact = World(world.task, seed=3)
    exact.__dict__["labelers"] = [Labeler("ann", noise=0.0)]
    prompt = next(one for one in world.prompts_of("helpful", 60) if case_of(one, "en").kind == "chat")
    answers = [" " + Writer("careful").answer(case_of(prompt, "en"), rng).text("en")
               for rng in (random.Random(0), random.Random(1))]
    assert exact.compare("helpful", "test")(prompt, (answers[0], answers[1])) is None
    assert exact.compare("helpful", "test")(prompt, (answers[0], " My cat is ill.")).chosen == answers[0]


def test_votes_are_rated_as_the_base_has_read_ratings(world):
    """A ≻ B: GOOD A above BAD A, and BAD B above GOOD B."""
    first, second = world.votes(1)
    assert (first.prompt, second.prompt) == ("", "")
    assert first.chosen.removeprefix("Rating: GOOD\n\n") == first.rejected.removeprefix("Rating: BAD\n\n")
    assert second.chosen.removeprefix("Rating: BAD\n\n") == second.rejected.removeprefix("Rating: GOOD\n\n")


def small_policy(context: int = 64) -> Policy:
    tokenizer = text.train_tokenizer(["what is it? yes, it is red. no, it is blue."] * 3, 60)
    return Policy(tiny.llama(tokenizer, layers=1, width=64, context=context), tokenizer, value_head=False)


class Said:
    """Data of three helpful prompts and one of a red team."""

    asks, mark, marks = True, None, None

    def behind(self, prompt):
        return "be kind. " + prompt

    def pretraining(self, n):
        return ["it is red."] * n

    def prompts_of(self, team, n, split="train", purpose="ppo"):
        return [f"{team} {i} {split} {purpose}?" for i in range(n)]

    def compare(self, team, purpose):
        return lambda prompt, pair: Comparison(prompt, *sorted(pair))

    def measured(self):
        return {"helpful": lambda prompts, responses: [float(one.startswith("helpful")) for one in prompts],
                "harmless": lambda prompts, responses: [float(one.startswith("helpful")) for one in prompts]}


def test_the_student_learns_whole_answers_that_end_where_the_next_speaker_begins(monkeypatch):
    """One that breaks off is left out, where it can be told; of somebody's template every answer is kept."""
    says = {"a": (" yes.", True), "b": (" no.\n\nUser: why?", False), "c": (" it is", False)}
    seen = []

    def drawn(teacher, prompts, sampling, seed):
        said, ended = zip(*(says[one[-2]] for one in prompts), strict=True)
        return SimpleNamespace(responses=list(said), ended=torch.tensor(ended))
    monkeypatch.setattr(anthropic, "sample_rollout", drawn)
    monkeypatch.setattr(distil, "steps", lambda *args, **how: seen.append(args[4].closed) or iter(()))
    preset, data, policy = replace(TINY, answered=3, red_team=0.0), Said(), small_policy(128)
    monkeypatch.setattr(data, "prompts_of", lambda team, n, **how: ["a?", "b?", "c?"][:n], raising=False)
    whole = [(f"{one}?", says[one][0]) for one in "abc"]
    for marks, found in ((("User:",), [("a?", " yes."), ("b?", " no.")]), (None, whole)):
        monkeypatch.setattr(data, "marks", marks, raising=False)
        assert anthropic.answered(preset, data, policy) == found
        list(anthropic.distil_steps(preset, data, policy, policy, found))
    assert seen == [True, False]
    says["a"] = says["b"] = says["c"]
    monkeypatch.setattr(data, "marks", ("User:",), raising=False)
    with pytest.raises(ValueError, match="none of 3 answers comes to an end within 64 tokens"):
        anthropic.answered(replace(preset, pretraining=0), data, policy)


def test_of_what_a_base_writes_on_the_first_turn_is_judged(monkeypatch):
    policy, data = small_policy(), Said()
    monkeypatch.setattr(data, "marks", ("red",), raising=False)
    monkeypatch.setattr(data, "measured", lambda: {"seen": lambda prompts, responses: [
        float("red" in one) for one in responses]}, raising=False)
    preset = replace(TINY, ppo=replace(TINY.ppo, sampling=replace(TINY.ppo.sampling, max_new_tokens=24)))
    judge = tiny.reward_model(policy.tokenizer, layers=1, width=32, heads=2, context=64)
    asked = {"helpful": ["what is it?"] * 8, "red_team": ["it is red?"] * 8}
    seen = anthropic.examine(preset, data, policy, policy, judge, asked)
    assert any("red" in one for one in seen.responses)
    assert not any(seen.each["seen"])


def test_ppo_answers_people_a_red_team_in_its_share_and_the_model_s_own_each_once():
    preset = replace(TINY, prompts=10, red_team=0.3)
    found = anthropic.prompts(preset, Said(), ["own 1?", "own 2?"], seed=1)
    assert Counter(one.split()[0] for one in found) == {"helpful": 7, "red_team": 3, "own": 2}
    assert len(set(found)) == 12


def test_answers_of_the_best_of_k_are_compared_until_there_are_enough(monkeypatch):
    asked = []

    def pairs(policy, batch, reward, config, first):
        asked.append((len(batch), config.k, policy))
        return [(f"a {one}", f"b {one}") for one in batch]
    monkeypatch.setattr(collecting, "_pairs", pairs)
    policy = small_policy(128)
    judge = tiny.reward_model(policy.tokenizer, layers=1, width=32, heads=2, context=64)
    found = anthropic.collect(TINY, Said(), [policy], "helpful", 5, "sampled", k=16, judge=judge)
    assert len(found) == 5
    assert all(one.chosen.startswith("a ") for one in found)
    assert asked == [(4, 16, policy), (4, 16, policy)]              # 4 prompts of 2 · 16 answers at a time
    assert anthropic.collect(TINY, Said(), [policy], "helpful", 0, "sampled") == []


def test_snapshots_take_turns_and_the_last_is_the_policy_itself(monkeypatch):
    assert anthropic.kept_after(replace(TINY, snapshots=3, ppo=replace(TINY.ppo, steps=40))) == [13, 27, 40]
    assert anthropic.kept_after(replace(TINY, snapshots=3, ppo=replace(TINY.ppo, steps=2))) == [1, 2]


def test_harm_counts_lambda_times_and_compared_answers_score_nothing_on_average():
    policy = small_policy()
    helpful = [Comparison(f"what is it {i}?", " yes, it is red.", " no.") for i in range(3)]
    harmless = [Comparison(f"what is it {i}?", " no.", " yes, it is red.") for i in range(3, 5)]
    preset = replace(TINY, epochs=1, harmless_weight=2.0, reward=reward_model.Config(batch_size=5, max_length=32))
    seen = {}

    def steps(model, pairs, config, weights, checkpoint):
        seen.update(pairs=pairs, weights=weights, updates=config.steps)
        yield from ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reward_model, "steps", steps)
        model = tiny.reward_model(policy.tokenizer, layers=1, width=32, heads=2, context=32)
        list(anthropic.reward_steps(preset, model, helpful, harmless))
    assert seen == {"pairs": [*helpful, *harmless], "weights": [1, 1, 1, 2, 2], "updates": 1}
    texts = [one.prompt + answer for one in (*helpful, *harmless) for answer in (one.chosen, one.rejected)]
    assert reward_scores(model, texts, max_length=32).mean().item() == pytest.approx(0, abs=1e-5)


def test_prompts_without_room_behind_the_preamble_are_left_out():
    policy = small_policy(context=24)
    sampling = replace(TINY.ppo.sampling, max_new_tokens=8)
    short, long = "what is it?", "what is it? " * 6
    assert anthropic.with_room(policy, [short, long], Said().behind, sampling) == [short]
    with pytest.raises(ValueError, match=r"reads 24 tokens, and the shortest prompt behind the HHH prompt has .*Sho"):
        anthropic.with_room(policy, [long], Said().behind, sampling)


def test_a_prompted_policy_is_judged_by_its_answer_and_what_is_of_a_team_by_that_team():
    """Whoever measures sees the prompt without the preamble: `helpful` is 1 on helpful prompts, and these alone count;
    `harmless`, which is 0 on the red team's, is theirs."""
    policy = small_policy()
    preset = replace(TINY, ppo=replace(TINY.ppo, sampling=replace(TINY.ppo.sampling, max_new_tokens=4)))
    judge = tiny.reward_model(policy.tokenizer, layers=1, width=32, heads=2, context=64)
    asked = {"helpful": ["helpful it?", "helpful is?"], "red_team": ["red_team it?", "red_team is?"]}
    seen: Evaluation = anthropic.examine(preset, Said(), policy, policy, judge, asked, prompted=True)
    assert seen.prompts == ("helpful it?", "helpful is?", "red_team it?", "red_team is?")
    assert (seen.scores["helpful"].mean, seen.scores["helpful"].n) == (1.0, 2)
    assert (seen.scores["harmless"].mean, seen.scores["harmless"].n) == (0.0, 2)
    assert seen.scores["score"].n == 4
    assert seen.kl == pytest.approx(0, abs=1e-5)                    # the same policy behind the same text


def test_a_round_begins_where_the_first_one_did():
    """PPO's actor is the distilled model, not the policy of the round before; the critic begins at 0."""
    start = small_policy()
    before = {name: x.clone() for name, x in start.lm.state_dict().items()}
    policy = learners.actor(TINY, start, TINY.ppo.seed)
    assert all(torch.equal(x, before[name]) for name, x in policy.lm.state_dict().items())
    assert not policy.value_head.weight.any()
