"""InstructGPT's stages one by one: what is kept, mixed, ranked and chosen; and that no prompt serves two purposes."""

from collections import Counter
from dataclasses import replace

import pytest

from rlhf_kit import zoo
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.jobs.instructions import PURPOSES, World, purpose_of
from rlhf_kit.methods import reward_model
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.judging import reward_scores
from rlhf_kit.recipes import instructgpt, learners
from rlhf_kit.recipes.instructgpt import PRESETS, Examined
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.labelers import agreement
from rlhf_kit.tasks.assistant.office import hired, pages

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def world():
    return World(Assistant("en"), seed=3)


def test_sft_models_are_kept_at_the_end_of_epochs_first_and_last_among_them():
    """Of 70 demonstrations in batches of 32 an epoch is 3 updates."""
    preset = replace(TINY, epochs=5, keep_every=2, sft=replace(TINY.sft, batch_size=32))
    assert instructgpt.kept_after(preset, 70) == {3: 1, 6: 2, 12: 4, 15: 5}


def test_one_in_ten_of_what_the_start_learns_from_is_pretraining_text(world):
    demonstrations = world.demonstrations(90)
    mixed = instructgpt.start_mix(TINY, world, demonstrations)
    assert mixed[:90] == demonstrations
    assert [prompt for prompt, _ in mixed[90:]] == [""] * 10


def test_four_to_nine_responses_to_each_prompt_the_writers_taking_turns(monkeypatch):
    asked: Counter[str] = Counter()

    def generate(writer, prompts, sampling, seed):
        asked[writer] += len(prompts)
        return [f"{writer} says {i} of {seed}" for i in range(len(prompts))]
    monkeypatch.setattr(instructgpt, "generate", generate)
    found = instructgpt.candidates(["ann", "ben"], [f"prompt {i}" for i in range(300)], Sampling(), seed=1)
    sizes = Counter(len(responses) for _, responses in found)
    assert set(sizes) == {4, 5, 6, 7, 8, 9}
    assert min(sizes.values()) > 25                         # each as likely: 50 expected, s.d. 6.5
    assert abs(asked["ann"] - asked["ben"]) <= len(found)
    assert all(len({response.split()[0] for response in responses}) == 2 for _, responses in found)


def test_the_reward_model_chooses_and_not_the_loss():
    rows = [Examined(1, 0.4, (0.0, 0.2)), Examined(8, 0.5, (0.6, 0.4)), Examined(16, 0.7, (0.1, 0.1))]
    assert instructgpt.best(rows).epoch == 8


def test_after_its_last_update_demonstrations_score_nothing_on_average():
    demonstrations = [(f"is it {a}?", f" yes, {a}.") for a in ("red", "blue", "green", "small")]
    tokenizer = text.train_tokenizer([x + y for x, y in demonstrations] * 3, 60)
    model = tiny.reward_model(tokenizer, layers=1, width=32, heads=2, context=32)
    ranked = [Ranking(prompt, (response, " no.", " red."), (1, 2, 3)) for prompt, response in demonstrations]
    preset = replace(TINY, reward=reward_model.Config(batch_size=2, max_length=32))
    steps = list(instructgpt.reward_steps(preset, model, ranked, demonstrations))
    assert len(steps) == 2                                  # one epoch of four pages in batches of two
    scores = reward_scores(model, [x + y for x, y in demonstrations], max_length=32)
    assert scores.mean().item() == pytest.approx(0, abs=1e-5)


def test_a_judge_of_the_made_up_world_also_hears_how_likely_a_response_is(tmp_path):
    tokenizer = text.train_tokenizer(["User: is it red? Assistant: yes, it is red."] * 3, 300)
    start = Policy(tiny.llama(tokenizer, layers=1, width=64, context=64), tokenizer, value_head=False)
    zoo.save_policy(start, tmp_path / "start")
    judge = learners.opened_judge(TINY, tmp_path / "start", mark="Assistant")
    assert judge.likelihood == (TINY.likelihood, tokenizer("Assistant", add_special_tokens=False).input_ids[0])
    assert not judge.model.score.weight.any()               # before it learns, the likelihood is all that it says
    plain = learners.opened_judge(TINY, tmp_path / "start")              # of a folder nobody knows the mark
    assert plain.likelihood is None
    assert plain.model.score.weight.any()


def test_the_critic_is_the_judge_or_a_head_on_the_policy():
    tokenizer = text.train_tokenizer(["yes, red. no, blue."] * 3, 40)
    start = Policy(tiny.llama(tokenizer, layers=1, width=64, context=32), tokenizer, value_head=False)
    plain = instructgpt.actor(TINY, start, RewardModel.__new__(RewardModel))
    assert plain.lm is start.lm
    assert plain.value_trunk is None
    assert not plain.value_head.weight.any()


def test_no_prompt_serves_two_purposes_whatever_is_asked_for_first(world):
    wanted = {"ppo": 200, "labels": 60, "labels-2": 60}
    found = {purpose: set(world.prompts(n, "train", purpose)) for purpose, n in wanted.items()}
    found["demonstrations"] = {prompt for prompt, _ in world.demonstrations(100)}
    assert {purpose: len(prompts) for purpose, prompts in found.items()} == {**wanted, "demonstrations": len(
        found["demonstrations"])}
    assert sum(map(len, found.values())) == len(set().union(*found.values()))
    assert World(world.task, seed=3).prompts(60, "train", "labels-2") == list(world.prompts(60, "train", "labels-2"))


def test_purposes_have_their_shares():
    seen = Counter(purpose_of(f"prompt {i}", PURPOSES["train"]) for i in range(5000))
    assert {name: round(10 * n / 5000) for name, n in seen.items()} == PURPOSES["train"]


def test_hired_labelers_agree_with_the_truth_and_a_page_shows_nothing_twice(world):
    labelers = hired(world.task, seed=1)
    trial = world.task.candidates(20, 4, seed=1)
    assert 1 <= len(labelers) < 16
    assert min(agreement(one, trial, world.task.explain, seed=1) for one in labelers) >= 0.75
    [(prompt, responses)] = world.task.candidates(1, 5, seed=9)
    made = pages([(prompt, [*responses, responses[0]]), (prompt, responses[:3])], labelers, world.task.explain)
    assert [len(page.ranking.responses) for page in made] == [5]        # three responses are no page
