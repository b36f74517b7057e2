"""Kahneman-Tversky optimisation: single responses that were called good or bad teach the policy, no pairs needed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam

from rlhf_kit.engine import TOKENS, precision, read
from rlhf_kit.formulas.direct_alignment import kto, kto_reference_point
from rlhf_kit.formulas.masked import masked_sum
from rlhf_kit.formulas.records import Labelled, Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops import fitting
from rlhf_kit.loops.as_read import Example
from rlhf_kit.loops.batches import check_settings, draw_by_length
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fitting import Fit
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.metrics import MinibatchMeans
from rlhf_kit.loops.parts import check_parts, in_parts
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_gradients, check_learns, check_start
from rlhf_kit.loops.schedules import cosine, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.rewards import check_arguments
from rlhf_kit.sampling import response_logprob, unread_rollout


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 32             # responses per update, two at least
    learning_rate: float = 5e-4      # peak; for a tiny model; GPT-2 and larger 5e-7 to 1e-5
    warmup: int = 20                 # updates until the peak, linear
    min_lr_ratio: float = 0.1        # share of the peak at the end, cosine
    beta: float = 0.1                # how fast value saturates with the log-ratio
    good_weight: float = 1.0         # λ of good responses, and of bad ones; `balanced` makes both kinds weigh alike
    bad_weight: float = 1.0
    max_length: int = 1024           # tokens of prompt and response; longer ones are left out
    max_grad_norm: float = 1.0       # global; math.inf = off
    seed: int = 0

    checks: bool = True              # look for the known bugs before the first update
    micro_batch: int | None = None   # responses in memory at once; None = the whole batch
    activation_checkpointing: bool = False              # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = None         # matrices multiplied in 16 bits
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("max_length", 1), ("batch_size", 2)):
            if getattr(self, name) < least:
                why = "; the reference point is taken from mismatched responses" if least == 2 else ""
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}{why}.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       min_lr_ratio=self.min_lr_ratio, max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta is {self.beta}; it must be above 0 and finite.")
        weights = self.good_weight, self.bad_weight
        if not all(0 <= one < math.inf for one in weights) or not any(weights):
            raise ValueError(f"good_weight is {self.good_weight} and bad_weight {self.bad_weight}; both are finite, "
                             f"neither may be negative, nor both 0.")


def balanced(config: Config, examples: Sequence[Labelled]) -> Config:
    """The same run with the rarer kind weighed up, so that good and bad responses weigh alike in all.

    Source: arXiv:2402.01306, section 4.2: (good_weight · goods) / (bad_weight · bads) between 1 and 4/3; here 1.
    """
    goods = sum(one.good for one in examples)
    bads = len(examples) - goods
    if not goods or not bads:
        return config
    return replace(config, good_weight=max(bads / goods, 1.0), bad_weight=max(goods / bads, 1.0))


def steps(policy: Policy, reference: Policy, examples: Sequence[Labelled], config: Config | None = None, *,
          checkpoint: Path | str | None = None, checkpoint_every: int = 50,
          accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate, and `break` stops.

        L = mean of  λ_y · (1 - v),    v = σ(β·(d - z)) if good,  σ(β·(z - d)) if bad,    d = log π(y|x)/ρ(y|x)

    z, the reference point, is how far the policy has drifted by the responses of other prompts: in every batch each
    prompt is read once more, with the response of one half a batch away.

    Args:
        policy: trained in place; a value head is left alone.
        reference: ρ, frozen; usually `policy.reference()` taken before training.
        examples: responses with their labels; both kinds, in whatever proportion (see `balanced`).
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together, each on its shard of a batch.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: ValueError if there is nothing to learn from, or of one kind only; sanity_checks.CheckFailed before an
        update that would do harm.
    Source: Ethayarajh et al. 2024, arXiv:2402.01306.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    _check_arguments(policy, reference, examples)
    kept = _fitting(policy, examples, config)
    if len({bool(examples[place].good) for place in kept.places}) < 2:
        raise ValueError(f"the {len(kept.places)} responses that fit into {kept.limit} tokens are all good, or all "
                         f"bad, and {kept.left_out} are longer; KTO learns from both kinds. Raise max_length as far as "
                         f"the model reads, or give shorter ones of the other.")
    if group.divided("batch_size", config.batch_size) < 2:
        raise ValueError(f"batch_size is {config.batch_size} and there are {group.size} processes; each needs 2 "
                         f"responses at least.")
    group.broadcast(policy)
    policy.eval()                                  # no dropout: the log-ratios before the first update are 0
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    saved = Checkpoint(checkpoint, identity("kto", config, group, examples=examples, reference=reference),
                       checkpoint_every, writes=group.is_main)
    past, _ = saved.resume(policy.lm, optimizer)
    group.check_resumed(len(past), policy.device)
    yield from past

    for number in range(len(past), config.total):
        began = time.perf_counter()
        rows = group.shard(draw_by_length(kept.lengths, config.batch_size, config.seed, number))
        batch = [examples[kept.places[i]] for i in rows]
        good = torch.tensor([one.good for one in batch], device=policy.device)                     # [B]
        rollout = unread_rollout(policy, [one.prompt for one in batch], [one.response for one in batch])

        # 1. What the reference thinks of them, and how far the policy has drifted from it.
        with torch.no_grad():
            with precision(reference, config.autocast):
                ref_logprob = response_logprob(reference, rollout, tokens_per_pass=TOKENS)         # [B, T]
            drifted = _log_ratio(policy, reference, _mismatched(policy, batch, kept.limit), config)
            reference_point = kto_reference_point(group.sum(drifted.mean()) / group.size)
        if number == 0 and config.checks:
            with torch.no_grad(), precision(policy, config.autocast):
                read_now = replace(rollout, logprob=response_logprob(policy, rollout))
                check_start(policy, reference, read_now, ref_logprob)

        # 2. Learn.
        means, rate = MinibatchMeans("loss"), cosine(config.learning_rate, number, stretched(
            number, config.steps, config.total), config.warmup, config.min_lr_ratio)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        seen = torch.zeros(2, len(batch), device=policy.device)                    # log π and d of each response, nats
        for part, weight in in_parts(range(len(batch)), config.micro_batch):
            part = torch.tensor(list(part))
            with precision(policy, config.autocast):
                now = read(policy, rollout[part], checkpointing=config.activation_checkpointing).logprob
            mask = rollout.mask[part]
            ratio = masked_sum(now - ref_logprob[part], mask)                      # [n]
            loss = kto(ratio, good[part], reference_point, config.beta, good_weight=config.good_weight,
                       bad_weight=config.bad_weight)
            (weight * loss / group.size).backward()
            means.add(weight / group.size, loss=loss)
            seen[:, part] = torch.stack([masked_sum(now.detach(), mask), ratio.detach()]).float()
        group.all_reduce_gradients(policy.lm)
        if number == 0 and config.checks:
            check_gradients(policy, reference)
        update(policy.lm, optimizer, config.max_grad_norm, number, cause=diverged(config.learning_rate))
        means.count()

        # 3. Report.
        step = Step(number, {**means.means(group, policy.device), **_apart(seen, good, config.beta, group),
                             "reference_point": reference_point.item(), "learning_rate": rate,
                             "seconds": time.perf_counter() - began})
        saved.record(step, config.total - 1, policy.lm, optimizer)
        yield step


def train(policy: Policy, reference: Policy, examples: Sequence[Labelled], config: Config | None = None, *,
          checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, examples, config, checkpoint=checkpoint))


METRICS = {
    "loss": "of the batch, before the update",
    "good_logprob": "log π of the responses that were called good, nats per response; NaN where a batch has none",
    "bad_logprob": "the same of the bad ones",
    "good_reward": "β · log π/ρ of the good responses, mean",
    "bad_reward": "the same of the bad ones",
    "margin": "good_reward - bad_reward",
    "reference_point": "z: drift by mismatched responses, nats, never below 0",
    "learning_rate": "of this update",
    "minibatches": "gradients taken",
    "skipped": "always 0 here",
    "seconds": "wall time of the step",
}


@torch.no_grad()
def rewards_on(policy: Policy, reference: Policy, examples: Sequence[Labelled],
               config: Config | None = None) -> tuple[Tensor, Tensor]:
    """β · log π/ρ of examples that were not learned from, and which of them are good: [N] each, those that fit."""
    config = given(config, Config)
    policy.eval()
    kept = _fitting(policy, examples, config)
    order = sorted(range(len(kept.places)), key=lambda i: kept.lengths[i])
    chosen = [examples[kept.places[i]] for i in order]
    size = min(config.micro_batch or config.batch_size, config.batch_size)
    found = [_log_ratio(policy, reference, unread_rollout(policy, [one.prompt for one in part],
                                                          [one.response for one in part]), config)
             for part, _ in in_parts(chosen, size)]
    return config.beta * torch.cat(found).cpu(), torch.tensor([one.good for one in chosen])


def fit(policy: Policy, examples: Sequence[Labelled], config: Config | None = None) -> Fit:
    """What `steps` will leave out, to be said before it does."""
    return _fitting(policy, examples, given(config, Config))


def as_read(policy: Policy, examples: Sequence[Labelled], config: Config | None = None) -> Iterator[Example]:
    """Every response as `steps` reads it, called "good" or "bad": whole, or left out."""
    return fitting.as_read(policy, [one.prompt for one in examples], [(one.response,) for one in examples],
                           [("good" if one.good else "bad",) for one in examples], given(config, Config).max_length)


def _mismatched(policy: Policy, batch: Sequence[Labelled], limit: int) -> Rollout:
    """Each prompt with the response to another, cut to what the model reads.

    Half a batch away, since a batch is in the order of lengths, and the responses to one prompt may be neighbours.
    """
    half = len(batch) // 2
    rollout = unread_rollout(policy, [one.prompt for one in batch],
                             [one.response for one in (*batch[half:], *batch[:half])])
    room = limit - rollout.prompt_mask.sum(-1, keepdim=True)                               # [B, 1], 1 at least
    return replace(rollout, mask=rollout.mask & (rollout.mask.cumsum(-1) <= room))


@torch.no_grad()
def _log_ratio(policy: Policy, reference: Policy, rollout: Rollout, config: Config) -> Tensor:
    """d of each response, [B] nats, without gradient."""
    with precision(policy, config.autocast):
        now = response_logprob(policy, rollout, tokens_per_pass=TOKENS)
        return masked_sum(now - response_logprob(reference, rollout, tokens_per_pass=TOKENS), rollout.mask)


def _apart(seen: Tensor, good: Tensor, beta: float, group: ProcessGroup) -> dict[str, float]:
    """Means of log-probability and implicit reward of either kind, of all processes; NaN of a kind that is missing."""
    sides = torch.stack([good, ~good]).to(seen)                                            # [2, B]
    totals, counts = group.sum(seen @ sides.T), group.sum(sides.sum(-1))                   # [2, 2], [2]
    (good_logprob, bad_logprob), (good_ratio, bad_ratio) = (totals / counts).tolist()
    return {"good_logprob": good_logprob, "bad_logprob": bad_logprob, "good_reward": beta * good_ratio,
            "bad_reward": beta * bad_ratio, "margin": beta * (good_ratio - bad_ratio)}


def _fitting(policy: Policy, examples: Sequence[Labelled], config: Config) -> Fit:
    return fitting.fitting(policy, [one.prompt for one in examples], [(one.response,) for one in examples],
                           config.max_length, "responses")


def _check_arguments(policy: Policy, reference: Policy, examples: Sequence[object]) -> None:
    check_policy(policy)
    check_learns(policy.lm)
    check_arguments(reference)
    if (odd := next((one for one in examples if not isinstance(one, Labelled)), None)) is not None:
        raise ValueError(f"the examples hold {' '.join(repr(odd).split())[:60]}; expected kit.Labelled(prompt, "
                         f"response, good). Pairs are what dpo learns from.")
    if len({bool(one.good) for one in examples}) < 2:
        raise ValueError(f"the {len(examples)} responses are all good, or all bad, or there are none; KTO learns from "
                         f"both kinds. Give some of the other.")
