"""Keys and values of the tokens read so far: written into memory that is there already, for rows that still go on.

transformers' own cache copies everything it holds to add one token, a tenth of a small model's time, and keeps the
rows of responses that have ended.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import GPT2Model
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

# What models of this transformers call the keys and values read so far; 5.24 has given them a new name.
NAME = "cache" if "cache" in inspect.signature(GPT2Model.forward).parameters else "past_key_values"
ROOM = 32           # tokens that a layer makes room for at a time


class RoomyLayer(DynamicLayer):
    """A layer of the cache, [B, heads, tokens, width], with room behind the last token.

    Args:
        layer: what has been read so far.
        most: tokens that there will be at most; no room is made for more.
    """

    def __init__(self, layer: DynamicLayer, most: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = layer.keys.dtype, layer.keys.device, True
        self.keys, self.values, self.most = layer.keys, layer.values, most
        self._rooms: tuple[Tensor, Tensor] | None = None        # keys and values begin them

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add the keys and values of the next tokens; returns all of them."""
        before, more = self.keys.shape[-2], key_states.shape[-2]
        if self._rooms is None or before + more > self._rooms[0].shape[-2]:
            tokens = max(before + more, min(before + more + ROOM, self.most))
            self._rooms = _with_room(self.keys, tokens), _with_room(self.values, tokens)
        keys, values = self._rooms
        keys.narrow(-2, before, more).copy_(key_states)  # narrow: this is a token's every layer, and [...] takes longer
        values.narrow(-2, before, more).copy_(value_states)
        self.keys, self.values = keys.narrow(-2, 0, before + more), values.narrow(-2, 0, before + more)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows only."""
        tokens = self.keys.shape[-2]
        keys, values = self._rooms or (self.keys, self.values)
        self._rooms = keys[indices], values[indices]
        self.keys, self.values = (room.narrow(-2, 0, tokens) for room in self._rooms)


def roomy(cache: Any, most: int) -> Any:
    """The cache of a first pass, made ready to grow to `most` tokens; what is of another kind stays as it is."""
    if isinstance(cache, Cache):
        cache.layers = [RoomyLayer(layer, most) if type(layer) is DynamicLayer and layer.is_initialized else layer
                        for layer in cache.layers]
    return cache


def forgets_rows(cache: Any) -> bool:
    """True if `batch_select_indices` leaves nothing of a row behind: attention does, a recurrent layer may not."""
    return isinstance(cache, Cache) and all(type(layer) in (RoomyLayer, DynamicLayer, DynamicSlidingWindowLayer)
                                            for layer in cache.layers)


def _with_room(x: Tensor, tokens: int) -> Tensor:
    wide = torch.empty(*x.shape[:-2], tokens, x.shape[-1], dtype=x.dtype, device=x.device)
    wide[..., :x.shape[-2], :] = x
    return wide
