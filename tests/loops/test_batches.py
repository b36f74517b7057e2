"""Which examples a step sees: every one once an epoch, whatever was drawn before."""

from collections import Counter

import pytest
import torch

from rlhf_kit.loops.batches import draw, draw_by_length, minibatches, seed_for


def stream(size: int, batch_size: int, batches: int, seed: int = 0) -> list[int]:
    return [i for number in range(batches) for i in draw(size, batch_size, seed, number)]


@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (10, 4), (3, 8), (1, 5), (7, 7)])
def test_every_example_comes_once_an_epoch(size, batch_size):
    indices = stream(size, batch_size, batches=size)               # batch_size epochs
    for start in range(0, len(indices), size):
        assert sorted(indices[start:start + size]) == list(range(size))


def test_batches_have_their_size_even_where_epochs_meet():
    assert {len(draw(10, 4, 0, number)) for number in range(20)} == {4}


def test_a_batch_depends_on_seed_and_number_alone():
    forwards = [draw(50, 8, 3, number) for number in range(20)]
    torch.manual_seed(9)
    assert [draw(50, 8, 3, number) for number in reversed(range(20))] == forwards[::-1]


def test_drawing_leaves_the_callers_random_numbers_alone():
    before = torch.get_rng_state()
    draw(10, 4, 0, 0)
    draw_by_length([1] * 10, 4, 0, 0)
    list(minibatches(10, 4, 2, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_each_epoch_and_each_seed_has_its_own_order():
    first, second, other = stream(40, 40, 1), draw(40, 40, 0, 1), stream(40, 40, 1, seed=1)
    assert len({tuple(order) for order in (first, second, other, range(40))}) == 4


def test_every_example_is_as_often_first_as_last():
    """Over 2,000 seeds each of 5 examples comes first about 400 times (standard deviation 18)."""
    counts = Counter(draw(5, 1, seed, 0)[0] for seed in range(2000))
    assert all(abs(counts[i] - 400) < 4 * 18 for i in range(5))


def test_batches_by_length_cover_the_same_examples():
    lengths = [(7 * i) % 23 for i in range(40)]
    drawn = Counter(i for number in range(6) for i in draw_by_length(lengths, 5, 3, number, pool=3))
    assert drawn == Counter(stream(40, 5, 6, seed=3))


def test_few_examples_do_not_crowd_a_batch_with_their_copies():
    """40 examples in batches of 16: one comes twice where epochs meet, and no more often."""
    copies = [max(Counter(draw_by_length(range(40), 16, 0, number)).values()) for number in range(20)]
    assert max(copies) == 2
    assert sorted(draw_by_length(range(36), 36, 0, 5)) == list(range(36))


def test_batches_by_length_cut_a_sorted_pool_into_neighbours():
    lengths = [(7 * i) % 101 for i in range(101)]                  # all different
    batches = ([lengths[i] for i in draw_by_length(lengths, 6, 0, number, pool=4)] for number in range(4))
    pool = [length for batch in sorted(batches, key=min) for length in batch]
    assert pool == sorted(pool)


def test_batches_by_length_come_in_no_order_of_length():
    """Short ones first in every pool would teach the end of texts last; the batches of a pool are shuffled."""
    lengths = list(range(64))
    first = [min(draw_by_length(lengths, 4, seed, 0)) for seed in range(20)]
    assert len(set(first)) > 8


def test_minibatches_cover_each_row_once_an_epoch():
    parts = list(minibatches(10, 4, epochs=3, seed=5))
    assert [len(part) for part in parts] == [4, 4, 2] * 3
    for epoch in range(3):
        assert sorted(torch.cat(parts[3 * epoch:3 * epoch + 3]).tolist()) == list(range(10))
    assert len({tuple(torch.cat(parts[3 * e:3 * e + 3]).tolist()) for e in range(3)}) == 3


def test_no_minibatch_size_means_the_whole_batch():
    parts = list(minibatches(6, None, epochs=2, seed=0))
    assert [sorted(part.tolist()) for part in parts] == [list(range(6))] * 2


def test_seeds_are_63_bits_and_far_apart():
    seeds = {seed_for(run, name, step) for run in range(10) for name in ("rollout", "epoch") for step in range(100)}
    assert len(seeds) == 2000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_for(1, 23) != seed_for(12, 3)


def test_seeds_stay_what_they_are():
    """Saved runs go on with them; the number is from `printf 0/rollout/4 | sha256sum`."""
    assert seed_for(0, "rollout", 4) == 0x47a83809c8173bdd >> 1
