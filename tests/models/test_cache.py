"""A cache with room holds what transformers' own holds, writes into the same memory and forgets rows."""

import pytest
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from rlhf_kit.models.cache import ROOM, forgets_rows, roomy


def states(tokens: int, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, 2, tokens, 4)


@pytest.fixture
def both() -> tuple[DynamicCache, DynamicCache]:
    """transformers' cache of five tokens, and the same with room for up to sixty."""
    torch.manual_seed(0)
    keys, values = states(5), states(5)
    caches = DynamicCache(), DynamicCache()
    for cache in caches:
        cache.update(keys, values, 0)
    return caches[0], roomy(caches[1], 60)


def test_it_holds_what_the_other_holds_token_by_token_and_row_by_row(both):
    rows = 3
    for step in range(50):
        keys, values = states(1, rows), states(1, rows)
        for theirs, ours in zip(*(cache.update(keys, values, 0) for cache in both), strict=True):
            assert torch.equal(theirs, ours)
        assert both[0].get_seq_length() == both[1].get_seq_length() == 6 + step
        if step in (0, 20):
            kept = torch.arange(rows)[1:]
            rows -= 1
            for cache in both:
                cache.batch_select_indices(kept)


def test_rows_may_go_before_anything_is_added(both):
    for cache in both:
        cache.batch_select_indices(torch.tensor([2]))
    keys = states(1, 1)
    assert torch.equal(both[0].update(keys, keys, 0)[0], both[1].update(keys, keys, 0)[0])


def test_a_token_is_written_into_memory_that_is_there(both):
    places = [both[1].update(states(1), states(1), 0)[0].data_ptr() for _ in range(ROOM)]
    assert len(set(places)) == 1
    theirs = [both[0].update(states(1), states(1), 0)[0] for _ in range(2)]
    assert theirs[0].data_ptr() != theirs[1].data_ptr()


def test_no_room_is_made_for_more_tokens_than_there_will_be(both):
    [layer] = both[1].layers
    for _ in range(55):
        layer.update(states(1), states(1))
        assert layer.keys.untyped_storage().nbytes() <= 3 * 2 * 60 * 4 * 4
    assert layer.update(states(1), states(1))[0].shape[-2] == 61        # more than was said is no error


def test_only_what_is_known_to_forget_is_asked_to():
    class Recurrent(DynamicLayer):
        """A layer that may keep a state of every row elsewhere."""

    cache = DynamicCache()
    cache.update(states(5), states(5), 0)
    assert forgets_rows(cache)
    assert forgets_rows(roomy(cache, 9))
    cache.layers.append(Recurrent())
    assert type(roomy(cache, 9).layers[-1]) is Recurrent
    assert not forgets_rows(cache)
    assert not forgets_rows(None)
    assert roomy(None, 9) is None
