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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 16, 17, 20, 31, 32, 33, 36, 40, 47, 63, 64, 100, 257])
def test_no_batch_by_length_holds_an_example_twice_and_every_epoch_holds_all(size):
    """Over batch sizes, pools, seeds and lengths of which many, or all, are equal."""
    for batch_size in sorted({1, 2, 3, 7, 16, size // 2, size - 1, size}):
        if not 1 <= batch_size <= size:
            continue
        mixed = [(7 * i) % 23 for i in range(size)]
        for pool, lengths in ((16, [1] * size), (3, [i % 4 for i in range(size)]), (16, mixed)):
            pools = max(min(pool, size // batch_size), 1)
            total = -(-4 * size // (batch_size * pools)) * pools            # four epochs or more, in whole pools
            for seed in (0, 1):
                batches = [draw_by_length(lengths, batch_size, seed, n, pool) for n in range(total)]
                assert all(len(batch) == len(set(batch)) == batch_size for batch in batches), (batch_size, pool, seed)
                times = Counter(i for batch in batches for i in batch)
                assert set(times) == set(range(size))
                assert max(times.values()) - min(times.values()) <= 1       # each once an epoch, the last one cut short


def test_a_batch_larger_than_all_there_is_holds_copies_evenly():
    assert sorted(Counter(draw_by_length([1, 2, 3], 6, 0, 0)).values()) == [2, 2, 2]
    assert len(draw_by_length([1, 2, 3], 8, 0, 1)) == 8


def test_batches_change_only_for_a_copy():
    """As they were cut before: in slices of the sorted pool. Without a copy in one they are the same ..."""
    def slices(size, batch_size, seed, number, pool):
        pool = max(min(pool, size // batch_size), 1)
        group = number // pool
        together = sorted((i for k in range(pool) for i in draw(size, batch_size, seed, group * pool + k)),
                          key=lambda i: i % 7)
        return [together[k:k + batch_size] for k in range(0, pool * batch_size, batch_size)]
    changed = copies = 0
    for size, batch_size in ((400, 8), (60, 7), (40, 16)):
        for number in range(200):
            before = slices(size, batch_size, 0, number, 16)
            now = draw_by_length([i % 7 for i in range(size)], batch_size, 0, number)
            twice = sum(len(batch) - len(set(batch)) for batch in before)
            if twice:
                copies += 1
                changed += now not in before
            else:
                assert now in before
    assert 0 < changed < copies                                    # ... and with one not all of the pool changes


def test_batches_by_length_do_not_depend_on_what_was_asked_before():
    """Those of more than half of all examples hang together from epoch to epoch."""
    forwards = [draw_by_length([1] * 20, 16, 5, number) for number in range(40)]
    draw_by_length([1] * 21, 16, 5, 3)
    assert [draw_by_length([1] * 20, 16, 5, number) for number in reversed(range(40))] == forwards[::-1]
    assert len(draw_by_length([1] * 20, 16, 5, 20_000)) == 16


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
