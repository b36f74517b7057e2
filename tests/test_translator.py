"""The tiny translator and its metric at full size: what they are worth, and what the metric does not see."""

import json
import time
from itertools import pairwise
from statistics import correlation, mean

import pytest
import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import mean as estimate
from rlhf_kit.jobs.train_rest import OF_WORLD
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks.translation import Translation
from rlhf_kit.tasks.translation.candidates import Scored
from tests.benchmarks.rest import Seed, Size

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
    policy, prompts = zoo.load_policy("tiny-translator"), TASK.prompts("heldout", 300, seed=5)
    worth = {}
    for temperature in (None, OF_WORLD.sampling.temperature, 0.8):
        sampling = Sampling(max_new_tokens=72, temperature=temperature or 1.0)
        responses = generate(policy, prompts, sampling, seed=1, greedy=temperature is None)
        worth[temperature] = mean(TASK.gold(*pair) for pair in zip(prompts, responses, strict=True))
    print(f"{spent:.0f} CPU-seconds, gold " + ", ".join(f"{gold:.3f} at {t}" for t, gold in worth.items()))
    assert 0.6 < worth[OF_WORLD.sampling.temperature] < worth[None] < 0.8
    assert spent < 180


def judged(metric, scored):
    """What the metric says of each candidate beside its gold: (right pairs, pairs, said, gold, kinds)."""
    said = metric([one.prompt for one in scored for _ in one.responses], [r for one in scored for r in one.responses])
    rows, right, pairs = iter(said.tolist()), 0, 0
    found, gold, kinds = [], [], []
    for one in scored:
        scores = [next(rows) for _ in one.responses]
        better = [(i, j) for i, a in enumerate(one.gold) for j, b in enumerate(one.gold) if a > b]
        right, pairs = right + sum(scores[i] > scores[j] for i, j in better), pairs + len(better)
        found, gold, kinds = found + scores, [*gold, *one.gold], [*kinds, *one.kinds]
    return right / pairs, found, gold, kinds


def test_the_metric_reads_the_source_and_orders_held_out_translations_as_gold_does(metric):
    """The bounds were set beside the first measurement, a little below it; before, with candidates that differed in
    their accidental errors alone, it ordered 74.5 % of the pairs, correlated by 0.48, and took a translation of another
    source or one with every judgement turned round for as good as a faithful one."""
    right, said, gold, kinds = judged(metric, TASK.scored(300, 4, seed=9, split="heldout"))
    by_kind = {kind: mean(x for x, made in zip(said, kinds, strict=True) if made == kind) for kind in set(kinds)}
    print(f"pairs {right:.3f}, correlation {correlation(said, gold):.3f}, {by_kind}")
    assert right > 0.84                                                 # 0.886 were measured
    assert correlation(said, gold) > 0.75                               # 0.818
    assert abs(mean(said) - mean(gold)) < 0.12                          # 0.07: calibrated on what is drawn, too
    for kind, gap in (("turned", 0.2), ("another", 0.4), ("repeated", 0.15), ("copied", 0.35), ("dropped", 0.08)):
        assert by_kind["faithful"] > by_kind[kind] + gap


def test_the_blind_spot_is_what_the_translator_itself_takes_for_right(metric):
    """Of its own mistakes it knows some; on the whole it takes what the translator writes for better than it is."""
    policy, prompts = zoo.load_policy("tiny-translator"), TASK.prompts("heldout", 200, seed=7)
    drawn = generate(policy, [prompt for prompt in prompts for _ in range(4)], Sampling(max_new_tokens=72), seed=3)
    own = [Scored(prompt, tuple(four), ("own",) * 4, tuple(TASK.gold(prompt, response) for response in four))
           for prompt, four in ((prompt, drawn[4 * i:4 * i + 4]) for i, prompt in enumerate(prompts))]
    right, said, gold, _ = judged(metric, own)
    print(f"pairs {right:.3f}, correlation {correlation(said, gold):.3f}, said {mean(said):.3f}, gold {mean(gold):.3f}")
    assert 0.6 < right < 0.8                                            # 0.687 were measured, of others' mistakes 0.886
    assert mean(said) > mean(gold) + 0.03                               # 0.55 and 0.44


def test_one_seed_of_rest_is_in_the_order_that_the_bench_found_over_several(tmp_path):
    """`make bench ARGS=rest` in small: fewer sources, the line of the paper only."""
    seed = Seed(tmp_path, 0, Size(sources=500, prompts=500, original=500))
    seed.rewards = {"reward": seed.rewards["reward"]}
    worth = [torch.tensor(seed.examined("bc", seed.base)["reward"])]
    seed.rest("rest", seed.size.config)
    rows = json.loads((seed.folder / "rest.json").read_text())["found"]
    worth += [torch.tensor(seed.examined(f"rest-{row['grow']}-{row['improve']}")["reward"]) for row in rows]
    print([round(x.mean().item(), 3) for x in worth], [row["kept"] for row in rows])
    gain = [estimate(b - a) for a, b in pairwise(worth)]
    assert gain[0].high > 0                                             # the first Improve does not fall
    assert estimate(worth[3] - worth[0]).low > 0                        # one Grow gains
    assert estimate(worth[-1] - worth[0]).low > 0
    assert [row["kept"] for row in rows[:3]] == sorted((row["kept"] for row in rows[:3]), reverse=True)
    assert rows[-1]["reward_calls"] == 2 * 500 * seed.size.config.responses
