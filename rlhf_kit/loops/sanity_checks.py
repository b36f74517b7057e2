"""Before the first PPO update some numbers are known; if they are off, this names the cause."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.quantization import is_quantized
from rlhf_kit.models.shared import BaseAlone
from rlhf_kit.sampling import response_logprob

FEW, ENOUGH = 8, 32     # responses that score the same: fewer may by luck, so few are worth a word, so many stop a run
TOLERANCE = 1e-3        # nats; float32 sampling and recomputation differ by about 1e-6, bfloat16 by more


PADDING = ("padding shifts this model's positions; use a model that takes position_ids, or prompts of one length.")


class Sums(Protocol):
    """Several processes; see `process_group.ProcessGroup`."""

    size: int

    def sum(self, x: Tensor) -> Tensor: ...


class CheckFailed(RuntimeError):
    """A number that must hold before the first update does not; the message says which and the likely cause."""


def check_learns(model: nn.Module) -> None:
    """What learns is held in 32 bits: in 16, an update a thousandth as large as the weight is rounded away.

    Raises: ValueError for weights in 16 bits, and for a model in 8 or 4 bits without an adapter.
    """
    if is_quantized(model) and not any(".lora_" in name for name, _ in model.named_parameters()):
        raise ValueError("the model's weights are in 8 or 4 bits, which cannot learn; train an adapter on it (--lora "
                         "16), or name the same model in 16 or 32 bits.")
    learning = [p for p in model.parameters() if p.requires_grad]
    if coarse := {p.dtype for p in learning} & {torch.bfloat16, torch.float16}:
        raise ValueError(f"the model's weights are {coarse.pop()}, too coarse for small updates; load it in float32 "
                         f"and set autocast='bfloat16', or train an adapter on it.")
    if not learning:
        raise ValueError("all weights of the model are frozen; call model.requires_grad_(True), or train an adapter "
                         "on it.")


@torch.no_grad()
def check_start(policy: Policy, reference: Policy, rollout: Rollout, ref_logprob: Tensor) -> None:
    """The ratio π/π_old is 1 on every token, and the KL to the reference is 0 if it is a copy of the policy.

    Raises: CheckFailed naming the cause: a reference that shares weights or is trained, dropout, a temperature
        that was not applied, padding that shifts positions, or a reference that is no copy.
    """
    learning = {id(p) for p in policy.parameters() if p.requires_grad}      # a frozen trunk may be shared
    shared = learning & {id(p) for p in reference.parameters()}
    if shared:
        raise CheckFailed("policy and reference share weights, so the reference would move with the policy and the "
                          "KL stay 0 for ever. Make it with policy.reference().")
    coarse = torch.is_autocast_enabled(policy.device.type) or not policy.repeats_itself
    tolerance = 0.1 if coarse else TOLERANCE
    gap = (response_logprob(policy, rollout) - rollout.logprob).abs().max().item()
    if not gap <= tolerance:
        raise CheckFailed(f"the ratio before the first update must be 1, but a log-probability differs by {gap:.3g} "
                          f"nats from when it was sampled. Cause: {_why_ratio(policy, rollout, tolerance)}")
    if _padding_matters(policy, rollout, tolerance):
        raise CheckFailed(f"the same prompt alone gives other log-probabilities than in a padded batch. "
                          f"Cause: {PADDING}")
    drift = (rollout.logprob - ref_logprob).abs().max().item()
    if _same_weights(policy, reference) and not drift <= tolerance:
        cause = _dropout(reference) or "the reference reads the text differently (another tokenizer or dtype)."
        raise CheckFailed(f"the KL before the first update must be 0, for the reference has the policy's weights, "
                          f"but a log-probability differs by {drift:.3g} nats. Cause: {cause}")


def check_varies(score: Tensor, name: str, group: Sums | None = None, of: str = "of the first batch ") -> None:
    """Of a first batch of 32 responses or more not all score the same: else PPO has nothing to prefer.

    Of 8 to 31 it is only said, on standard error: what is rewarded may be rare.

    Args:
        score: [B], of this process.
        name: of the reward.
        group: the processes that share the batch, if several do.
        of: which responses these are, for the message.

    Raises: CheckFailed.
    """
    x, total = score.float(), (lambda y: y) if group is None or group.size == 1 else group.sum
    n, summed = total(torch.stack([x.new_tensor(len(x)), x.sum()])).tolist()
    mean = summed / n
    away = total((x - mean).abs().sum()[None]).item()                   # 0 but for the rounding of the mean
    if n >= FEW and away <= 4e-7 * n * max(abs(mean), 1e-30):
        said = (f"all {n:.0f} responses {of}score {mean:.3f} by {name}, so there is nothing to learn "
                f"from. Call the reward with a few responses and look at what it returns.")
        if n >= ENOUGH:
            raise CheckFailed(f"{said} If only rare responses are to score otherwise, train all the same with "
                              f"checks=False (--no-checks).")
        print(said, file=sys.stderr)


def check_gradients(policy: Policy, reference: Policy, heads: Sequence[str] = ()) -> None:
    """After the first backward pass: gradients reached the policy and its heads, and nothing else.

    Args: heads: the policy's modules beside the language model that the loss trains, such as "value_head".
    Raises: CheckFailed.
    """
    if any(p.grad is not None for p in reference.parameters()):
        raise CheckFailed("the reference received gradients; it must stay frozen. Make it with policy.reference(), "
                          "or call reference.requires_grad_(False).")
    trained = [(name, p) for name, p in policy.named_parameters() if p.requires_grad]
    if not any(p.grad is not None for name, p in trained if name.startswith("lm.")):
        raise CheckFailed("no gradient reached the language model. Cause: all its weights are frozen; "
                          "call policy.lm.requires_grad_(True), or train an adapter on it.")
    for head in heads:
        if not any(p.grad is not None for name, p in trained if name.startswith(f"{head}.")):
            raise CheckFailed(f"no gradient reached the {head.replace('_', ' ')}. Cause: it is frozen; "
                              f"call policy.{head}.requires_grad_(True).")
    for name, p in trained:
        if p.grad is not None and not torch.isfinite(p.grad).all():
            raise CheckFailed(f"the first gradient of {name} is not finite. Cause: a reward or a KL coefficient "
                              f"that overflows, or half precision without loss scaling; try bfloat16.")


def _why_ratio(policy: Policy, rollout: Rollout, tolerance: float) -> str:
    """Undo one suspect at a time until the numbers agree."""
    if cause := _dropout(policy):
        return cause
    for temperature in (1.0, rollout.temperature**-1):
        other = Rollout(**{**vars(rollout), "temperature": temperature})
        if (response_logprob(policy, other) - rollout.logprob).abs().max() <= tolerance:
            return (f"the sampling temperature {rollout.temperature} was applied on one side only; divide the "
                    f"logits by it both when sampling and when learning.")
    if _padding_matters(policy, rollout, tolerance):
        return PADDING
    return ("sampling and learning compute in different precision or with different weights; "
            "try float32 and no autocast, and change nothing between sampling and learning.")


def _dropout(model: nn.Module) -> str:
    active = [name for name, module in model.named_modules() if module.training and _drops(module)]
    return (f"dropout is on ({active[0]} and {len(active) - 1} more); call .eval() and leave it so."
            if active else "")


def _drops(module: nn.Module) -> bool:
    """A dropout layer, or an attention that keeps its dropout as a number (Llama)."""
    rate = module.p if isinstance(module, nn.Dropout) else getattr(module, "attention_dropout", 0)
    return isinstance(rate, float) and rate > 0


def _padding_matters(policy: Policy, rollout: Rollout, tolerance: float) -> bool:
    """Whether the response to the shortest prompt is read otherwise alone than beside that to the longest."""
    lengths = rollout.prompt_mask.sum(-1)
    both = rollout[[int(lengths.argmin()), int(lengths.argmax())]]
    width = int(both.prompt_mask[0].sum())
    alone = Rollout(**{**vars(both[0]), "prompt_ids": both.prompt_ids[:1, -width:],
                       "prompt_mask": both.prompt_mask[:1, -width:]})
    return bool((response_logprob(policy, alone)[0] - response_logprob(policy, both)[0]).abs().max() > tolerance)


def _same_weights(policy: Policy, reference: Policy) -> bool:
    if isinstance(reference, BaseAlone):
        return policy.at_reference
    ours, theirs = dict(policy.lm.named_parameters()), dict(reference.lm.named_parameters())
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
