"""The tiny translator and its metric at full size: what they are worth, and what the metric does not see."""

import random
import time
from statistics import correlation, mean

import pytest
import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks.translation import Translation
from rlhf_kit.tasks.translation.noise import translate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
TASK = Translation()


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """The models of an empty cache, trained once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLHF_KIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def metric(own_cache):
    return rewards.learned(zoo.load_reward_model("tiny-rm-translation"), output="probability")


def test_the_translator_is_worth_what_its_data_is_within_its_budget(own_cache):
    before, threads = time.process_time(), torch.get_num_threads()
    torch.set_num_threads(1)
    zoo.cached("tiny-translator")
    torch.set_num_threads(threads)
    spent = time.process_time() - before
    policy, prompts = zoo.load_policy("tiny-translator"), TASK.prompts("heldout", 300)
    responses = generate(policy, prompts, Sampling(max_new_tokens=72, temperature=0.8), seed=1)
    worth = mean(TASK.gold(*pair) for pair in zip(prompts, responses, strict=True))
    print(f"{spent:.0f} CPU-seconds, gold {worth:.3f}")
    assert 0.6 < worth < 0.8
    assert spent < 240                                      # 150 on a quiet machine


def test_the_metric_orders_held_out_translations_as_gold_does(metric):
    ranked = TASK.rankings(200, 4, seed=9, split="heldout")
    right = pairs = 0
    said, gold = [], []
    for one in ranked:
        scores = metric([one.prompt] * 4, list(one.responses)).tolist()
        said += scores
        gold += [TASK.gold(one.prompt, response) for response in one.responses]
        better = [(i, j) for i in range(4) for j in range(4) if one.ranks[i] < one.ranks[j]]
        right, pairs = right + sum(scores[i] > scores[j] for i, j in better), pairs + len(better)
    print(f"pairs {right / pairs:.3f}, correlation {correlation(said, gold):.3f}, mean {mean(said):.3f}, {mean(gold):.3f}")
    assert right / pairs > PAIRS


def test_the_blind_spot_is_where_its_docstring_says(metric):
    draws = list(TASK._draw(150, "cheats", "heldout"))
    prompts = ["".join(tree.text("zh") for tree in trees) + " =" for trees, _ in draws]
    assert random and translate
