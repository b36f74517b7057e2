"""The study whole, on the world that it is made for: apart from the tests that lend it a policy of their own."""

import json

import pytest

from rlhf_kit.evaluate import Estimate
from rlhf_kit.studies import overoptimisation as study


@pytest.mark.slow
def test_more_comparisons_take_best_of_n_further(tmp_path):
    """One seed whole: with 4,000 comparisons the best of 64 has more gold than with 200, and α is larger."""
    job = study.OveroptimisationJob(task="reviews-en", methods=("best-of-n",), sizes=(200, 4000))
    for _ in job.run(tmp_path):
        pass
    curves = json.loads((tmp_path / "result.json").read_text())["curves"]
    few, many = ({one["comparisons"]: one for one in curves if not one["flipped"]}[size] for size in (200, 4000))
    least, most = (Estimate(**one["gold"][-1]) for one in (few, many))
    assert most.mean - least.mean > 2 * (least.standard_error**2 + most.standard_error**2) ** 0.5
    assert many["fit"]["alpha"]["low"] > few["fit"]["alpha"]["high"]
