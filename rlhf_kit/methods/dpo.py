"""Direct preference optimisation: pairs of a better and a worse response teach the policy without a reward model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam

from rlhf_kit.engine import TOKENS, precision, read
from rlhf_kit.formulas.direct_alignment import dpo, ipo, robust_dpo
from rlhf_kit.formulas.kl_penalty import sequence_kl
from rlhf_kit.formulas.masked import masked_sum
from rlhf_kit.formulas.records import Comparison, Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops import fitting
from rlhf_kit.loops.as_read import Example
from rlhf_kit.loops.batches import check_settings, draw, draw_by_length, seed_for
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fitting import Fit
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.metrics import OF_ROLLOUTS, MinibatchMeans, of_rollout
from rlhf_kit.loops.parts import check_parts, in_parts
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_gradients, check_learns, check_start
from rlhf_kit.loops.schedules import cosine, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Memory, Reward, check_arguments, score
from rlhf_kit.sampling import Sampling, check_room, response_logprob, sample_rollout, unread_rollout


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 16             # pairs per update; online: prompts
    learning_rate: float = 5e-4      # peak; for a tiny model; GPT-2 and larger 5e-7 to 1e-5
    warmup: int = 20                 # updates until the peak, linear
    min_lr_ratio: float = 0.1        # share of the peak at the end, cosine
    loss: Literal["dpo", "ipo", "robust"] = "dpo"       # see `formulas.direct_alignment`
    beta: float = 0.1                # reward per nat; of ipo the margin is 1/(2β)
    label_smoothing: float = 0.0     # of dpo and robust: share of labels that are taken to be wrong
    per_token: bool = False          # log-ratios are means over a response's tokens, and no sums (TRL's ipo)
    max_length: int = 1024           # tokens of prompt and response; pairs with a longer one are left out
    max_grad_norm: float = 1.0       # global; math.inf = off
    seed: int = 0

    responses: int = 2               # online: drawn for each prompt; the best is chosen, the worst rejected
    soft_labels: bool = False        # online: a pair counts both ways, as often as its scores say by Bradley-Terry
    sampling: Sampling = field(default_factory=Sampling)    # online
    checks: bool = True              # look for the known bugs before the first update
    micro_batch: int | None = None   # pairs in memory at once; None = the whole batch
    activation_checkpointing: bool = False              # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = None         # matrices multiplied in 16 bits
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those

    def __post_init__(self) -> None:
        for name in ("steps", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       min_lr_ratio=self.min_lr_ratio, max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)
        if self.loss not in ("dpo", "ipo", "robust"):
            raise ValueError(f"loss is {self.loss!r}; it is 'dpo', 'ipo' or 'robust'.")
        if not 0 < self.beta < math.inf:
            raise ValueError(f"beta is {self.beta}; it must be above 0 and finite.")
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; it is the share of wrong labels, at least 0 "
                             f"and below 1/2.")
        if self.loss == "ipo" and self.label_smoothing:
            raise ValueError(f"label_smoothing is {self.label_smoothing} and the loss 'ipo', which has none; leave it "
                             f"out, or take 'dpo' or 'robust'.")
        if self.responses < 2:
            raise ValueError(f"responses is {self.responses}; a pair is made of at least 2.")
        if self.soft_labels and (self.loss != "dpo" or self.label_smoothing or self.responses != 2):
            raise ValueError(f"soft_labels with loss {self.loss!r}, label_smoothing {self.label_smoothing} and "
                             f"{self.responses} responses; they are those of 'dpo', of pairs as they are drawn, and in "
                             f"place of label_smoothing.")


def steps(policy: Policy, reference: Policy, examples: Sequence[Comparison] | Sequence[str],
          config: Config | None = None, *, reward: Reward | None = None,
          evaluation_rewards: Mapping[str, Reward] | None = None, checkpoint: Path | str | None = None,
          checkpoint_every: int = 50, accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate, and `break` stops.

        L = mean over pairs of  -log σ(β·Δ),   Δ = log π(chosen)/ρ(chosen) - log π(rejected)/ρ(rejected)

    Args:
        policy: trained in place; a value head is left alone.
        reference: ρ, frozen; usually `policy.reference()` taken before training.
        examples: pairs. With a `reward` prompts: every step draws `responses` answers to each of a batch of them from
            the policy as it is, and the reward says which is the best and which the worst (online DPO); where all
            score alike, there is no pair, unless its labels are soft. Those alone end where PPO with the same β does:
            a pair that always goes one way drives the policy on for ever.
        evaluation_rewards: online, reported beside the score, never chosen by.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together, each on its shard of a batch.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: ValueError if there is nothing to learn from; sanity_checks.CheckFailed before an update that would do harm.
    Source: Rafailov et al. 2023, arXiv:2305.18290; online: Guo et al. 2024, arXiv:2402.04792.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    _check_arguments(policy, reference, examples, reward, config)
    kept = examples if reward is not None else _fitting(policy, examples, config)
    group.divided("batch_size", config.batch_size)
    group.broadcast(policy)
    policy.eval()                                  # no dropout: the log-ratios before the first update are 0
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    memory = Memory({} if reward is None else
                    {"reward": reward, **{f"evaluation.{name}": f for name, f in (evaluation_rewards or {}).items()}})
    saved = Checkpoint(checkpoint, identity("dpo", config, group, examples=examples, reference=reference,
                                            **({} if reward is None else {"reward": reward})),
                       checkpoint_every, writes=group.is_main)
    past, _ = saved.resume(policy.lm, optimizer, memory)
    group.check_resumed(len(past), policy.device)
    yield from past

    for number in range(len(past), config.total):
        began = time.perf_counter()

        # 1. Take pairs from the data, or draw answers and let the reward say which is better.
        if reward is None:
            rows = group.shard(draw_by_length(kept.lengths, config.batch_size, config.seed, number))
            pairs = [examples[kept.places[i]] for i in rows]
            rollout = unread_rollout(policy, [one.prompt for one in pairs] * 2,
                                     [one.chosen for one in pairs] + [one.rejected for one in pairs])
            chosen, rejected = torch.arange(2 * len(pairs)).chunk(2)               # [n] rows each
            wrong = torch.full((len(pairs),), config.label_smoothing, device=policy.device)
        else:
            batch = [kept[i] for i in group.shard(draw(len(kept), config.batch_size, config.seed, number))
                     for _ in range(config.responses)]
            with precision(policy, config.autocast):
                rollout = sample_rollout(policy, batch, config.sampling,
                                         seed_for(*group.seed_parts(config.seed, "rollout", number)))
            scores = score(reward, rollout, group)
            chosen, rejected = _best_and_worst(scores, config.responses, ties=config.soft_labels)
            wrong = torch.sigmoid(scores[rejected] - scores[chosen]) if config.soft_labels else (
                torch.full_like(scores[chosen], config.label_smoothing))

        # 2. What the reference thinks of them.
        with torch.no_grad(), precision(reference, config.autocast):
            ref_logprob = response_logprob(reference, rollout, tokens_per_pass=TOKENS)             # [B, T]
        if number == 0 and config.checks:
            with precision(policy, config.autocast):
                check_start(policy, reference, rollout if reward is not None else _read(policy, rollout), ref_logprob)

        # 3. Learn.
        means, rate = MinibatchMeans(*MEANS), cosine(config.learning_rate, number, stretched(
            number, config.steps, config.total), config.warmup, config.min_lr_ratio)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        shard = group.weight(chosen.new_tensor(len(chosen)).to(policy.device))     # of the pairs of all processes
        for part, weight in in_parts(range(len(chosen)), config.micro_batch) if len(chosen) else ():
            part = torch.tensor(list(part))
            both = torch.cat([chosen[part], rejected[part]])
            with precision(policy, config.autocast):
                now = read(policy, rollout[both], checkpointing=config.activation_checkpointing)
            loss, seen = _loss(now.logprob, ref_logprob[both], rollout[both].mask, config, wrong[part])
            (shard * weight * loss).backward()
            means.add(shard * weight, loss=loss, **seen)
        if group.sum(chosen.new_tensor(len(chosen)).to(policy.device)) > 0:
            group.all_reduce_gradients(policy.lm)
            if number == 0 and config.checks:
                check_gradients(policy, reference)
            update(policy.lm, optimizer, config.max_grad_norm, number, cause=diverged(config.learning_rate))
            means.count()
        else:
            means.skip()                                                           # all answers tie

        # 4. Report.
        drawn = {} if reward is None else group.means(
            {"score": scores.mean().item(), "kl": sequence_kl(rollout.logprob, ref_logprob, rollout.mask).item(),
             **{name: score(f, rollout, group).mean().item() for name, f in (evaluation_rewards or {}).items()},
             **of_rollout(policy, rollout, group)}, policy.device)
        step = Step(number, {**drawn, **means.means(group, policy.device), "learning_rate": rate,
                             "seconds": time.perf_counter() - began}, () if reward is None else rollout.texts(4))
        saved.record(step, config.total - 1, policy.lm, optimizer, {}, memory)
        yield step


def train(policy: Policy, reference: Policy, examples: Sequence[Comparison] | Sequence[str],
          config: Config | None = None, *, reward: Reward | None = None,
          evaluation_rewards: Mapping[str, Reward] | None = None, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, examples, config, reward=reward, evaluation_rewards=evaluation_rewards,
                      checkpoint=checkpoint))


MEANS = ("loss", "accuracy", "margin", "chosen_logprob", "rejected_logprob", "chosen_reward", "rejected_reward")
METRICS = {
    "loss": "of the batch, before the update",
    "accuracy": "share of pairs whose chosen response has the higher implicit reward; equal ones count half",
    "margin": "chosen_reward - rejected_reward",
    "chosen_logprob": "log π of the chosen responses, nats per response; it may fall while the margin grows",
    "rejected_logprob": "the same of the rejected ones",
    "chosen_reward": "β · log π/ρ of the chosen responses, mean",
    "rejected_reward": "the same of the rejected ones",
    "learning_rate": "of this update",
    "minibatches": "gradients taken: 1, or 0 where there was no pair",
    "skipped": "1 where all drawn answers tied",
    "seconds": "wall time of the step",
}
ONLINE = {
    "score": "mean of what the reward function said, over all drawn responses",
    "kl": "nats per response between policy and reference, estimated by k1 on the responses themselves",
    **OF_ROLLOUTS,
}


@torch.no_grad()
def loss_on(policy: Policy, reference: Policy, pairs: Sequence[Comparison],
            config: Config | None = None) -> dict[str, float]:
    """`MEANS` of pairs that were not learned from, each pair weighing the same."""
    config = given(config, Config)
    policy.eval()
    kept, totals = _fitting(policy, pairs, config), dict.fromkeys(MEANS, 0.0)
    order = sorted(range(len(kept.places)), key=lambda i: kept.lengths[i])
    for part, share in in_parts(order, min(config.micro_batch or config.batch_size, config.batch_size)):
        some = [pairs[kept.places[i]] for i in part]
        rollout = unread_rollout(policy, [one.prompt for one in some] * 2,
                                 [one.chosen for one in some] + [one.rejected for one in some])
        with precision(policy, config.autocast):
            loss, seen = _loss(response_logprob(policy, rollout), response_logprob(reference, rollout), rollout.mask,
                               config, config.label_smoothing)
        for name, number in {"loss": loss, **seen}.items():
            totals[name] += share * number.item()
    return totals


def fit(policy: Policy, pairs: Sequence[Comparison], config: Config | None = None) -> Fit:
    """What `steps` will leave out, to be said before it does."""
    return _fitting(policy, pairs, given(config, Config))


def as_read(policy: Policy, pairs: Sequence[Comparison], config: Config | None = None) -> Iterator[Example]:
    """Every pair as `steps` reads it: both responses whole, or the pair is left out."""
    return fitting.as_read(policy, [one.prompt for one in pairs], [(one.chosen, one.rejected) for one in pairs],
                           [("chosen", "rejected")] * len(pairs), given(config, Config).max_length)


def _loss(logprob: Tensor, ref_logprob: Tensor, mask: Tensor, config: Config,
          wrong: Tensor | float = 0.0) -> tuple[Tensor, dict[str, Tensor]]:
    """Of pairs whose chosen responses are the first half of the rows, `wrong` the smoothing of each; and `MEANS`."""
    summed, ratio = masked_sum(logprob, mask), masked_sum(logprob - ref_logprob, mask)             # [2n] nats
    chosen, rejected = (ratio / mask.sum(-1) if config.per_token else ratio).chunk(2)
    if config.loss == "dpo":
        loss = dpo(chosen, rejected, config.beta, wrong)
    elif config.loss == "robust":
        loss = robust_dpo(chosen, rejected, config.beta, config.label_smoothing)
    else:
        loss = ipo(chosen, rejected, config.beta)
    up, down = (config.beta * d.detach() for d in (chosen, rejected))
    right = (up > down).to(up) + 0.5 * (up == down).to(up)
    return loss, {"accuracy": right.mean(), "margin": (up - down).mean(), "chosen_reward": up.mean(),
                  "rejected_reward": down.mean(), **{f"{side}_logprob": half.mean() for side, half in zip(
                      ("chosen", "rejected"), summed.detach().chunk(2), strict=True)}}


def _best_and_worst(scores: Tensor, responses: int, ties: bool = False) -> tuple[Tensor, Tensor]:
    """Numbers of the rows that make a pair, [n] each, of those prompts whose answers do not all score alike; with ties
    of all of them."""
    groups = scores.cpu().reshape(-1, responses)
    first, best, worst = torch.arange(len(groups)) * responses, groups.argmax(-1), groups.argmin(-1)
    worst = torch.where(worst == best, (best + 1) % responses, worst)
    kept = torch.ones_like(first, dtype=torch.bool) if ties else groups.amax(-1) > groups.amin(-1)
    return (first + best)[kept], (first + worst)[kept]


@torch.no_grad()
def _read(policy: Policy, rollout: Rollout) -> Rollout:
    return replace(rollout, logprob=response_logprob(policy, rollout))


def _fitting(policy: Policy, pairs: Sequence[Comparison], config: Config) -> Fit:
    return fitting.fitting(policy, [one.prompt for one in pairs], [(one.chosen, one.rejected) for one in pairs],
                           config.max_length, "pairs")


def _check_arguments(policy: Policy, reference: Policy, examples: Sequence[object], reward: Reward | None,
                     config: Config) -> None:
    check_policy(policy)
    check_learns(policy.lm)
    check_arguments(reference, *(() if reward is None else (reward,)))
    if reward is not None:
        if len(check_texts(examples, "prompts")) == 0:
            raise ValueError("there are no prompts; give a list with at least one text.")
        check_room(policy, examples, config.sampling)
        return
    if (odd := next((one for one in examples if not isinstance(one, Comparison)), None)) is not None:
        raise ValueError(f"the examples hold {' '.join(repr(odd).split())[:60]}; expected kit.Comparison(prompt, "
                         f"chosen, rejected), or prompts and a reward.")
    if config.soft_labels or config.responses != 2:
        raise ValueError(f"soft_labels is {config.soft_labels} and responses {config.responses}, which are about "
                         f"answers that are drawn online. Give prompts and a reward, or leave them out.")
    if len(examples) == 0:
        raise ValueError("there are no pairs to learn from; give at least one kit.Comparison(prompt, chosen, "
                         "rejected).")
