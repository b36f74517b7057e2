"""What a step reports of its minibatches and of its rollout: means over them and over all processes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.engine import read
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import sampler_gap


class MinibatchMeans:
    """Means over the minibatches of one step. A part of a minibatch brings its weight, and the weights sum to 1.

        for rows in minibatches(...):
            for part, weight in passes(rollout, rows, tokens_per_pass):
                means.add(weight, policy_loss=..., ratio=...)
            if means.now["ratio"] > 10:
                means.skip()
            else:
                means.count()

    Args:
        names: what is reported, NaN if no minibatch counts.
    """

    def __init__(self, *names: str) -> None:
        self.minibatches, self.skipped = 0, 0
        self.now: dict[str, Tensor] = {}                # of the minibatch under way, this process's share
        self._sums = dict.fromkeys(names, 0.0)

    def add(self, weight: float | Tensor, **numbers: Tensor) -> None:
        """One part of the minibatch under way; each number is a mean over the part's tokens."""
        for name, number in numbers.items():
            self.now[name] = self.now.get(name, 0.0) + weight * number.detach()

    def count(self) -> None:
        """The minibatch is complete and was learnt from."""
        self.minibatches += 1
        self._close(self._sums)

    def skip(self) -> None:
        """The minibatch is complete and was left out; it counts as skipped and in no mean."""
        self.skipped += 1
        self._close({})

    def _close(self, sums: dict[str, float]) -> None:
        for name in sums:
            sums[name] += self.now[name].item() if name in self.now else 0.0       # a process may have no part of it
        self.now = {}

    def means(self, group: ProcessGroup, device: torch.device) -> dict[str, float]:
        """Each name's mean over the minibatches, the same in all processes, and how many there were."""
        counts = {"minibatches": self.minibatches, "skipped": self.skipped}
        if not self.minibatches:                                       # nothing was learnt, so nothing is known
            return {**dict.fromkeys(self._sums, math.nan), **counts}
        means = {name: total / self.minibatches for name, total in self._sums.items()}
        return {**group.totals(means, device), **counts}


@torch.no_grad()
def of_rollout(policy: Policy, rollout: Rollout, group: ProcessGroup) -> dict[str, float]:
    """Entropy, length, share that ended by itself, and of another engine's tokens the gap; of this process's shard, so
    that the mean over processes is that of all tokens."""
    entropy = read(policy, rollout, entropy=True).entropy if rollout.entropy is None else rollout.entropy
    weight = group.weight(rollout.mask.sum()) * group.size
    entropy = masked_mean(entropy, rollout.mask) * weight
    gap = {} if rollout.sampler_logprob is None else {"sampler_gap": (sampler_gap(rollout) * weight).item()}
    return {**gap, "entropy": entropy.item(), "response_length": rollout.length.float().mean().item(),
            "eos_rate": rollout.ended.float().mean().item()}
