"""What a step reports of its minibatches and of its rollout: means over them and over all processes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlhf_kit.engine import read, text_logprob
from rlhf_kit.formulas.masked import masked_mean, masked_sum
from rlhf_kit.formulas.records import Rollout, Step
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
        first: what is reported of the first minibatch alone, before any update; NaN if it was not completed.
    """

    def __init__(self, *names: str, first: Sequence[str] = ()) -> None:
        self.minibatches, self.skipped = 0, 0
        self.now: dict[str, Tensor] = {}                # of the minibatch under way, this process's share
        self._sums = dict.fromkeys(names, 0.0)
        self._first = dict.fromkeys(first, math.nan)

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
        if self.minibatches + self.skipped == 1:
            self._first = {name: float(self.now.get(name, 0.0)) for name in self._first}
        for name in sums:
            sums[name] += self.now[name].item() if name in self.now else 0.0       # a process may have no part of it
        self.now = {}

    def means(self, group: ProcessGroup, device: torch.device) -> dict[str, float]:
        """Each name's mean over the minibatches, the same in all processes, and how many there were."""
        counts = {"minibatches": self.minibatches, "skipped": self.skipped}
        if not self.minibatches:                                       # nothing was learnt, so nothing is known
            return {**dict.fromkeys(self._sums, math.nan), **group.totals(self._first, device), **counts}
        means = {name: total / self.minibatches for name, total in self._sums.items()}
        return {**group.totals({**means, **self._first}, device), **counts}


@torch.no_grad()
def before_update(logprob: Tensor, old_logprob: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """How far learning is from sampling, to be read of the first minibatch (`first=FIRST`): both 0 but for rounding.

        ratio_gap = mean |log π - log π_old|,   ratio_shift = mean (log π_old - log π)      nats per token
    """
    away = old_logprob - logprob.detach()
    return {"ratio_gap": masked_mean(away.abs(), mask), "ratio_shift": masked_mean(away, mask)}


@torch.no_grad()
def of_rollout(policy: Policy, rollout: Rollout, group: ProcessGroup) -> dict[str, float]:
    """Entropy, surprise, length, share that ended by itself, and of another engine's tokens the gap; of this process's
    shard, so that the mean over processes is that of all tokens."""
    entropy = read(policy, rollout, entropy=True).entropy if rollout.entropy is None else rollout.entropy
    weight = group.weight(rollout.mask.sum()) * group.size
    gap = {} if rollout.sampler_logprob is None else {"sampler_gap": (sampler_gap(rollout) * weight).item()}
    return {**gap, "entropy": (masked_mean(entropy, rollout.mask) * weight).item(),
            "surprise": (masked_mean(-rollout.logprob, rollout.mask) * weight).item(),
            "response_length": rollout.length.float().mean().item(),
            "eos_rate": rollout.ended.float().mean().item(),
            "ends_learnt": _ends_learnt(policy, rollout, group)}


@torch.no_grad()
def of_credit(scores: Tensor, advantage: Tensor, rollout: Rollout, group: ProcessGroup) -> dict[str, float]:
    """How scores are spread over the batch of all processes, and what goes with them, as correlations in [-1, 1].

    Args:
        scores: what the reward function said, [B].
        advantage: what is learnt from, [B, T], or one number a response, [B].

    Returns: `score_std`; `length_correlation`, of score and length; `credit`, of score and a response's mean advantage.
        A correlation with what never varies is 0.
    """
    if advantage.dim() == 2:
        advantage = masked_sum(advantage, rollout.mask) / rollout.length
    x = torch.stack([scores.float(), rollout.length.float(), advantage.float()])                 # [3, B]
    n = group.sum(x.new_tensor(x.shape[1]))
    x = x - (group.sum(x.sum(-1)) / n)[:, None]
    covariance = group.sum(x @ x.T) / n
    deviation = covariance.diagonal().clamp(min=0).sqrt()
    deviation = torch.where(deviation < 1e-5, math.inf, deviation)                               # none but for rounding
    std = deviation[0].item()
    return {"score_std": std if math.isfinite(std) else 0.0,
            "length_correlation": (covariance[0, 1] / deviation[0] / deviation[1]).item(),
            "credit": (covariance[0, 2] / deviation[0] / deviation[2]).item()}


@torch.no_grad()
def of_prompts(policy: Policy, rollout: Rollout, group: ProcessGroup) -> dict[str, float]:
    """How surprised the policy is by its prompts, nats per token after each one's first; 0 where none has a second.

    Asked of a first batch only, and reported with all: it is a pass over prompts, which nothing else reads.
    """
    inside = rollout.prompt_mask.clone()
    inside[:, 1:] &= rollout.prompt_mask[:, :-1]
    inside[:, 0] = False
    summed = rollout.logprob.new_zeros(())
    if inside.any():
        summed = text_logprob(policy, rollout.prompt_ids, rollout.prompt_mask, inside).sum()
    total, tokens = group.sum(torch.stack([-summed.float(), inside.sum().float()])).tolist()
    return {"prompt_surprise": total / tokens if tokens else 0.0}


def known_of_prompts(past: Sequence[Step]) -> dict[str, float]:
    """What a stopped run has found out of its prompts; nothing of a new one."""
    known = past[0].metrics if past else {}
    return {name: known[name] for name in ("prompt_surprise",) if name in known}


def _ends_learnt(policy: Policy, rollout: Rollout, group: ProcessGroup) -> float:
    """The share of responses that ended whose end token is marked, so that stopping is learnt: 1, or a bug."""
    ends = torch.tensor(policy.ends, device=rollout.mask.device)
    marked = (torch.isin(rollout.response_ids, ends) & rollout.mask).any(-1)
    learnt, ended = group.sum(torch.stack([(marked & rollout.ended).sum(), rollout.ended.sum()]).float()).tolist()
    return learnt / ended if ended else 1.0


FIRST = ("ratio_gap", "ratio_shift")
OF_ROLLOUTS = {
    "entropy": "nats per token of the policy's next-token distribution",
    "surprise": "nats per token, minus the log-probability of what was drawn; the entropy but for luck",
    "response_length": "tokens per response, EOS included",
    "eos_rate": "share of responses that ended by themselves",
    "ends_learnt": "of these, the share whose end token counts like any other; 1, or stopping is not learnt",
}
OF_LEARNING = {
    "prompt_surprise": "nats per token of the prompts, of the first batch; as high as a guess if their form is unknown",
    "score_std": "standard deviation of the scores of a batch",
    "length_correlation": "correlation of score and length in a batch",
    "credit": "correlation of a response's score and its mean advantage: whether what is learnt follows the score",
    "kl_price": "what drifting took off the reward of a response: its score less what its tokens were given",
    "ratio_gap": "mean |log π - log π_old| before the first update, nats per token; 0 but for rounding",
    "ratio_shift": "mean (log π_old - log π) before the first update, nats per token; 0 but for rounding",
}
