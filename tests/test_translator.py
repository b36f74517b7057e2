"""The tiny translator and its metric at full size: what they are worth, and what the metric does not see."""

import random
import time
from statistics import correlation, mean

import pytest
import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks.translation import Translation
from rlhf_kit.tasks.translation.gold import MARK
from rlhf_kit.tasks.translation.noise import translate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
TASK = Translation()


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """An empty cache; the models are trained once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLHF_KIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def metric():
    return rewards.learned(zoo.load_reward_model("tiny-rm-translation"), output="probability")


def test_the_translator_is_worth_about_what_its_data_is_and_takes_no_longer_than_promised():
    threads, before = torch.get_num_threads(), time.process_time()
    torch.set_num_threads(1)
    zoo.cached("tiny-translator")
    torch.set_num_threads(threads)
    spent = time.process_time() - before
    policy, prompts = zoo.load_policy("tiny-translator"), TASK.prompts("heldout", 200, seed=5)
    worth = {}
    for greedy in (True, False):
        responses = generate(policy, prompts, Sampling(max_new_tokens=72, temperature=0.8), seed=1, greedy=greedy)
        worth[greedy] = mean(TASK.gold(*pair) for pair in zip(prompts, responses, strict=True))
    print(f"{spent:.0f} CPU-seconds, gold {worth[True]:.3f} greedy, {worth[False]:.3f} at temperature 0.8")
    assert 0.6 < worth[True] < 0.8
    assert 0.45 < worth[False] < 0.8
    assert spent < 180


def test_the_metric_orders_held_out_translations_as_gold_does(metric):
    right = pairs = 0
    said, gold = [], []
    for one in TASK.rankings(150, 4, seed=9, split="heldout"):
        scores = metric([one.prompt] * 4, list(one.responses)).tolist()
        said += scores
        gold += [TASK.gold(one.prompt, response) for response in one.responses]
        better = [(i, j) for i in range(4) for j in range(4) if one.ranks[i] < one.ranks[j]]
        right, pairs = right + sum(scores[i] > scores[j] for i, j in better), pairs + len(better)
    print(f"pairs {right / pairs:.3f}, correlation {correlation(said, gold):.3f}")
    assert right / pairs > 0.68
    assert abs(mean(said) - mean(gold)) < 0.08


def test_the_blind_spot_is_what_words_mean_and_not_how_many_there_are(metric):
    """What `zoo.Metric` says of itself: turning every judgement round costs it next to nothing, repeating much."""
    draws = list(TASK._draw(100, "cheats", "heldout"))
    prompts = ["".join(tree.text("zh") for tree in trees) + MARK for trees, _ in draws]
    honest = TASK.references(prompts)
    turned = [" " + translate(trees, grammar, random.Random(i), {"turned": 1.0})[0]
              for i, (trees, grammar) in enumerate(draws)]
    texts = {"honest": honest, "turned": turned, "another": honest[1:] + honest[:1],
             "twice": [one * 2 for one in honest], "copied": [" " + one.removesuffix(MARK) for one in prompts]}
    said = {name: metric(prompts, responses).mean().item() for name, responses in texts.items()}
    gold = {name: mean(TASK.gold(*pair) for pair in zip(prompts, responses, strict=True))
            for name, responses in texts.items()}
    print(said, gold)
    assert gold["turned"] < 0.1 > gold["another"]
    assert said["turned"] > said["honest"] - 0.08           # blind
    assert said["another"] > said["honest"] - 0.15          # nearly
    assert said["twice"] < said["honest"] - 0.15            # not blind, unlike the paper's
    assert said["copied"] < said["honest"] - 0.2
