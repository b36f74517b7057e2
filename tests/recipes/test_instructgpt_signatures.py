"""What `make bench ARGS=instructgpt` stored, and one seed of it again: which of the paper's claims show at this size.

What does not show is not asserted: the page gives its interval. The slow test takes about four minutes of one core
besides the base.
"""

import json
import statistics

import pytest

from tests.benchmarks import instructgpt as bench

STORED = json.loads(bench.FILE.read_text(encoding="utf-8"))
SEEDS = list(STORED["parts"])


def mean(part: dict, policy: str, measure: str) -> float:
    return part["stages"][policy][measure][0]


def test_the_numbers_say_where_they_come_from():
    assert {"command", "date", "machine", "torch", "transformers", "base"} <= STORED["about"].keys()
    assert STORED["over_seeds"].keys() == {name for part in STORED["parts"].values() for name in part["differences"]}


def test_over_the_seeds_means_average_and_errors_add_in_squares():
    """Two seeds, 1 ± 0.3 and 3 ± 0.4: 2, with √(0.09 + 0.16) / 2."""
    parts = {"0": {"differences": {"x": [1.0, 0.3]}}, "1": {"differences": {"x": [3.0, 0.4], "y": [1.0, 0.1]}}}
    found = bench.over_seeds(parts)
    assert found["x"] == {"mean": 2.0, "se": pytest.approx(0.25), "each": [1.0, 3.0]}
    assert found["y"]["each"] == [1.0]


@pytest.mark.parametrize("seed", SEEDS)
def test_sft_goes_on_to_please_the_reward_model_when_its_validation_loss_has_turned(seed):
    """(d), as stored; the score of the last epoch against that of the first is what the slow test repeats."""
    rows = STORED["parts"][seed]["sft_epochs"]
    assert rows["validation_loss"][-1] > min(rows["validation_loss"])
    assert statistics.fmean(rows["score"][-1]) > statistics.fmean(rows["score"][0])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_seed_of_it_again(tmp_path):
    """(d) once more, from the base on: the loss turns, the score rises from the first epoch to the last."""
    seed = bench.Seed(tmp_path, 0, bench.Size())
    seed.sft()
    seed.labels()
    seed.judges()
    seed.epochs()
    rows = seed.numbers()["sft_epochs"]
    print(rows["validation_loss"], [statistics.fmean(row) for row in rows["score"]], rows["gold"])
    assert rows["validation_loss"][-1] > min(rows["validation_loss"])
    assert statistics.fmean(rows["score"][-1]) > statistics.fmean(rows["score"][0])
