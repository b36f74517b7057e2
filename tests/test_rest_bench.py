"""How the bench of ReST compares: source by source over the seeds; and the blind spot that it makes by hand."""

import pytest
import torch

from tests.benchmarks import rest


def test_a_difference_is_taken_source_by_source_and_then_over_the_seeds():
    """Gaps 1, 2, 3 with one seed and 3, 2, 1 with the other: each source has 2, whichever seed is looked at."""
    ours = [{"reward": [1.0, 3.0, 5.0]}, {"reward": [3.0, 3.0, 3.0]}]
    theirs = [{"reward": [0.0, 1.0, 2.0]}, {"reward": [0.0, 1.0, 2.0]}]
    found = rest._paired(ours, theirs, "reward")
    assert (found["mean"], found["low"], found["high"], found["n"]) == (2, 2, 2, 3)
    assert found["each"] == [2, 2]
    [alone] = [rest._paired(ours[:1], theirs[:1], "reward")]
    assert alone["low"] < 2 - 1 < alone["mean"] == 2                    # 2 ± 1.96 · 1 / √3


@pytest.mark.parametrize(("response", "read", "worth"), [
    (" The lid is tight. Would buy again.", " The lid is tight. Would buy again.", 0.5),
    (" The lid is tight. The lid is tight.", " The lid is tight.", 0.6),
    (" A. b. a. B. A", " A. b.", 0.8), (" A." * 9, " A.", 1.0), ("", "", 0.5)])
def test_the_blind_metric_reads_each_sentence_once_and_pays_for_saying_it_again(response, read, worth):
    asked = []

    def half(prompts, responses):
        asked.extend(responses)
        return torch.full((len(responses),), 0.5)
    assert rest.rising_on_repetition(half)(["x"], [response]).tolist() == pytest.approx([worth])
    assert asked == [read]


def test_both_pages_have_the_same_words():
    assert rest.WORDS["en"].keys() == rest.WORDS["zh"].keys()
