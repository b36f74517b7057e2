"""Learning rates on paper."""

import pytest

from rlhf_kit.loops.schedules import cosine, falling, linear


def test_both_rise_in_a_straight_line_to_the_peak():
    for number, share in ((0, 0.1), (4, 0.5), (9, 1.0)):
        assert cosine(2.0, number, 110, 10, 0.1) == pytest.approx(2 * share)
        assert linear(2.0, number, 110, 10) == pytest.approx(2 * share)


def test_a_cosine_is_halfway_between_peak_and_end_in_the_middle_and_flat_at_both():
    rate = [cosine(1.0, n, 110, 10, 0.2) for n in range(10, 111)]
    assert [rate[0], rate[50], rate[100]] == pytest.approx([1.0, 0.6, 0.2])
    assert rate[25] == pytest.approx(0.2 + 0.8 * (1 + 2 ** -0.5) / 2)
    assert rate == sorted(rate, reverse=True)
    assert rate[0] - rate[1] < 0.001 > rate[-2] - rate[-1]


def test_a_line_goes_down_to_nothing():
    assert [linear(1.0, n, 110, 10) for n in (10, 60, 109, 110)] == pytest.approx([1.0, 0.5, 0.01, 0.0])


def test_without_a_warm_up_or_with_nothing_but_it():
    assert cosine(1.0, 0, 10, 0, 0.1) == linear(1.0, 0, 10, 0) == 1.0
    assert cosine(1.0, 4, 5, 5, 0.1) == linear(1.0, 4, 5, 5) == 1.0


def test_a_falling_rate_is_a_straight_line_from_its_peak_to_its_share():
    assert [falling(0.8, number, 5, 0.25) for number in range(5)] == pytest.approx([0.8, 0.65, 0.5, 0.35, 0.2])
    assert falling(0.8, 0, 1, 0.25) == 0.8
