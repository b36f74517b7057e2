"""The loop closes: what one person prefers is what the policy does more often. Whole trainings, seeded; slow.

The reward model starts from the language model, which was never told what is good. A control shows that it is the
person's taste that counts, and not PPO's: of two people with opposite tastes, one gets short answers and one long ones.
"""

import time
from contextlib import closing
from functools import cache

import pytest

from rlhf_kit import zoo
from rlhf_kit.sampling import sample_rollout
from rlhf_kit.studio import scripted
from rlhf_kit.studio.train_runs import FEWEST, start_ppo, start_reward_model
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.tasks.reviews import Reviews

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WORD = {"en": "delivery", "zh": "物流"}


def longest(texts):
    return [-cost for cost in scripted.shortest(texts)]


@cache
def answers(lang: str, folder: str | None = None) -> tuple[str, ...]:
    """What that policy, or the one that it began as, says to 256 prompts about products that it never met."""
    policy = zoo.load_policy(folder or f"tiny-lm-{lang}")
    return tuple(sample_rollout(policy, Reviews(lang).prompts("heldout", 256, seed=3), seed=5).responses)


def trained(folder, lang: str, rule: scripted.Rule, seed: int = 0, k: int = 4) -> tuple[str, ...]:
    """Answers of the policy that somebody gets who ranks by that rule, until the panel lets them train."""
    workspace = Workspace(folder)
    with closing(workspace):
        scripted.rank(workspace.labels, lang, rule, FEWEST, k=k, seed=seed, by="ana")
        judge = start_reward_model(workspace, lang, by="ana", seed=seed)
        assert scripted.wait(workspace.jobs, judge).state == "done"
        run = start_ppo(workspace, lang, by="ana", judge=f"runs/{judge}/model", seed=seed)
        assert scripted.wait(workspace.jobs, run).state == "done"
        return answers(lang, str(workspace.jobs.run_folder(run) / "policy"))


def mean_length(texts) -> float:
    return sum(map(len, texts)) / len(texts)


def share(texts, word: str) -> float:
    return sum(word in text for text in texts) / len(texts)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_who_prefers_short_answers_gets_them_and_who_prefers_long_ones_does_not(lang, tmp_path):
    before = mean_length(answers(lang))
    said = trained(tmp_path / "short", lang, scripted.shortest)
    short, long = mean_length(said), mean_length(trained(tmp_path / "long", lang, longest))
    empty = sum(not text.strip() for text in said) / len(said)
    print(f"{lang}: {before:.0f} characters, then {short:.0f} for one person, {empty:.0%} empty, and {long:.0f} for "
          f"the other")
    assert short <= 0.7 * before
    assert empty < 0.25
    assert long > short / 0.7


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_who_prefers_an_aspect_gets_it_more_often(lang, tmp_path):
    word = WORD[lang]
    before, after = share(answers(lang), word), share(trained(tmp_path, lang, scripted.mentions(word)), word)
    print(f"{lang}: {before:.0%} of the answers mention {word}, then {after:.0%}")
    assert after >= before + 0.15                   # five standard errors of the difference


def test_a_policy_that_was_stopped_and_resumed_is_the_one_that_it_would_have_been(tmp_path):
    """With SIGTERM, as the button does, after the first checkpoint; weights bit for bit."""
    workspace, weights = Workspace(tmp_path), []
    with closing(workspace):
        scripted.rank(workspace.labels, "en", scripted.shortest, FEWEST, by="ana")
        judge = start_reward_model(workspace, "en", by="ana")
        assert scripted.wait(workspace.jobs, judge).state == "done"
        for name in ("whole", "cut"):
            start_ppo(workspace, "en", by="ana", judge=f"runs/{judge}/model", name=name, steps=14)
            if name == "cut":
                while len((look := workspace.jobs.all()[-1]).steps) < 11:
                    assert look.state in ("waiting", "running")
                    time.sleep(0.02)
                workspace.jobs.stop(name)
                assert (workspace.jobs.run_folder(name) / "checkpoints" / "checkpoint.safetensors").is_file()
                assert workspace.jobs.all()[-1].state == "stopped"
                workspace.jobs.resume(name)
            assert scripted.wait(workspace.jobs, name).state == "done"
            weights.append((workspace.jobs.run_folder(name) / "policy" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
