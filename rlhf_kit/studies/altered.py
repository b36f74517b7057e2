"""A policy that writes from other logits than its own, as an engine with other settings does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from rlhf_kit.models.heads import Policy, Prediction

Change = Callable[[Tensor, Tensor, bool], Tensor]       # (logits, mask of all before them, whether they are the first)


class Altered(Policy):
    """The policy, its logits changed while it samples, and nowhere else; it owns no memory and guesses no value."""

    def __init__(self, policy: Policy, change: Change) -> None:
        nn.Module.__init__(self)
        self._policy, self._change = (policy,), change
        self.tokenizer, self.value_head, self.value_trunk = policy.tokenizer, None, None

    @property
    def lm(self) -> nn.Module:
        """The policy's own."""
        return self._policy[0].lm

    def forward(self, ids: Tensor, mask: Tensor, keep: int, cache: Any = None, use_cache: bool = False,
                need_value: bool = False) -> Prediction:
        """As `Policy.forward`, without a value; only sampling uses a cache, and only its logits are changed."""
        predicted = self._policy[0](ids, mask, keep, cache, use_cache, need_value=False)
        if not use_cache:
            return predicted
        return replace(predicted, logits=self._change(predicted.logits, mask, cache is None))
