"""What `make bench ARGS=sparrow` stored, and a part of one seed again: which of the paper's claims show at this size.

What does not show is not asserted: the page gives its interval. The slow test takes about five minutes of one core
besides the base.
"""

import json

import pytest

from tests.benchmarks import differences
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


def test_a_part_that_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("PARTS", "a,h")
    with pytest.raises(SystemExit, match="no part h; there are a, b, c, d, e, f, g"):
        bench.main()


def certain(name):
    """The difference over the stored seeds in units of the half of its interval; beyond 1 it is no chance."""
    found = STORED["over_seeds"][name]
    return found["mean"] / (1.96 * found["se"])


def test_what_learns_from_both_judges_pleases_both_and_breaks_fewer_rules_than_sft():
    assert certain("a: kept, both - SFT") > 1
    assert certain("a: score, both - SFT") > 1
    assert certain("a: broken, both - SFT") < -1


def test_the_preference_alone_breaks_most_rules_and_the_rules_alone_please_least():
    """(a): the mix lies between the two by either measure, so none of the three is beaten in both."""
    for measure in ("broken", "score"):
        assert certain(f"a: {measure}, preference only - both") > 1
        assert certain(f"a: {measure}, both - rules only") > 1


def test_the_other_parts_show_what_the_page_says_they_show():
    """Over three whole seeds: the rule's text, the likelihood heard, A2C beside PPO, the best of eight."""
    assert SEEDS == ["0", "1", "2"]
    assert all(part["differences"].keys() == STORED["over_seeds"].keys() for part in STORED["parts"].values())
    for name in ("b: area, rule's text (its wording) - is it bad",
                 "b: area, rule's text (its wording, answers that break some rule) - is it bad",
                 "c: pairs as raters picked, likelihood heard - not heard", "f: score, A2C - PPO", "f: kept, A2C - PPO",
                 "g: score, both reranked - both", "g: gold, both reranked - both"):
        assert certain(name) > 1, name
    for name in ("f: gold, A2C - PPO", "g: broken, both reranked - both"):         # and what it says it does not show
        assert abs(certain(name)) < 1, name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_seed_of_it_again(tmp_path):
    """From the base on: the rule model's verdict on what A2C on both judges makes of SFT."""
    seed = bench.Seed(tmp_path, 0, bench.Size())
    before, after = seed.examined("sft"), seed.examined("both")
    mean, error = differences.mean([y - x for x, y in zip(before["kept"], after["kept"], strict=True)])
    print(mean, error, before["broken"], after["broken"])
    assert mean > 1.96 * error
