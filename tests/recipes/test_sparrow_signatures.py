"""What `make bench ARGS=sparrow` stored, and a part of one seed again: which of the paper's claims show at this size.

What does not show is not asserted: the page gives its interval. The slow test takes about three minutes of one core
besides the base.
"""

import json

import pytest

from tests.benchmarks import sparrow as bench

STORED = json.loads(bench.FILE.read_text(encoding="utf-8"))
SEEDS = list(STORED["parts"])


def test_the_numbers_say_where_they_come_from():
    assert {"command", "date", "machine", "torch", "transformers", "base"} <= STORED["about"].keys()
    assert STORED["over_seeds"].keys() == {name for part in STORED["parts"].values() for name in part["differences"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_four_models_hold_as_many_layers_as_the_paper_says(seed):
    """(e) 8 of 20 layers; embeddings, which are shared too, weigh more than layers do at this size."""
    held = STORED["parts"][seed]["held"]
    assert (held["layers"], held["layers_apart"], held["share"]) == (8, 20, 0.4)
    assert held["bytes"] < 0.4 * held["bytes_apart"]


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_lie_around_0_where_something_pulls_them_there(seed):
    """(d) as stored; the slow test repeats it."""
    found = {name: one["mean score"] for name, one in STORED["parts"][seed]["preference_models"].items()}
    assert abs(found["preference"]) < abs(found["no centring"])


def test_a_part_that_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("PARTS", "a,h")
    with pytest.raises(SystemExit, match="no part h; there are a, b, c, d, e, f, g"):
        bench.main()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_seed_of_it_again(tmp_path):
    """(d) and (e) once more, from the base on."""
    seed = bench.Seed(tmp_path, 0, bench.Size())
    seed.part_d()
    seed.part_e()
    found = seed.numbers()
    means = {name: one["mean score"] for name, one in found["preference_models"].items()}
    print(means, found["held"])
    assert abs(means["preference"]) < abs(means["no centring"])
    assert found["held"]["share"] == 0.4
