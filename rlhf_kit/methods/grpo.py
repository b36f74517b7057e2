"""GRPO and its relatives RLOO, Dr. GRPO and REINFORCE: a response is compared with others, and no critic is asked."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.optim import Adam

from rlhf_kit.engine import passes, precision, read
from rlhf_kit.formulas.advantages import Baseline, Scale, group_advantage
from rlhf_kit.formulas.kl_penalty import KL, sequence_kl, token_reward
from rlhf_kit.formulas.losses import approx_kl, clip_fraction
from rlhf_kit.formulas.policy_gradient import Average, Ratio, in_units, policy_gradient
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.batches import check_settings, draw, minibatches, seed_for
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Stopping
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.metrics import (
    FIRST,
    OF_LEARNING,
    OF_ROLLOUTS,
    MinibatchMeans,
    before_update,
    known_of_prompts,
    of_credit,
    of_prompts,
    of_rollout,
)
from rlhf_kit.loops.parts import check_passes
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_gradients, check_learns, check_start, check_varies
from rlhf_kit.loops.schedules import falling, stretched
from rlhf_kit.loops.updates import update
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Memory, Reward, check_arguments, name_of, score, score_apart
from rlhf_kit.sampling import Sampler, Sampling, check_room, response_logprob, sample_rollout


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Stopping):
    """Settings of one run. As they stand they are GRPO's; `rloo`, `dr_grpo` and `reinforce` make the others of them."""

    steps: int = 50                       # rollouts, each followed by `epochs` passes
    batch_size: int = 64                  # responses per step
    group_size: int = 8                   # responses to each prompt; batch_size / group_size prompts a step
    minibatch_size: int | None = None     # responses per gradient; None = the whole batch
    epochs: int = 1                       # passes over each batch; in the first, before an update, nothing is clipped
    learning_rate: float = 1e-4           # for a tiny model up to 1e-3; GPT-2 and larger 1e-6 (arXiv:2402.03300)
    sampling: Sampling = field(default_factory=Sampling)
    kl: KL = field(default_factory=lambda: KL(coefficient=0.04, estimate="k3", in_loss=True))      # arXiv:2402.03300
    clip: float = 0.2                     # ε of the ratio; math.inf = off
    max_grad_norm: float = 1.0            # global; math.inf = off
    seed: int = 0

    baseline: Baseline = "group"          # what a score is compared with: see `formulas.advantages.group_advantage`
    scale: Scale = "group"                # what it is divided by
    ratio: Ratio = "token"                # what is clipped: see `formulas.policy_gradient`
    average: Average = "response"         # over what the loss of the tokens is taken
    missing_eos_penalty: float = 0.0      # taken off the score of a response that never ends
    min_lr_ratio: float = 1.0             # learning rate of the last step over that of the first; 1 = constant
    autocast: Literal["bfloat16"] | None = None    # mixed precision of rollout, reference and learning alike
    tokens_per_pass: int | None = None    # tokens, padding included, of one forward and backward pass; None = all
    activation_checkpointing: bool = False         # keep each block's input only: less memory, a third more time
    checks: bool = True                   # look for the known bugs before the first update
    stop_kl: float | None = None          # nats per response; measuring more ends the run
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those

    def __post_init__(self) -> None:
        for name in ("steps", "group_size", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate)
        if self.batch_size % self.group_size:
            raise ValueError(f"batch_size is {self.batch_size} and group_size {self.group_size}; groups fill the "
                             f"batch. Try group_size {math.gcd(self.batch_size, 8)}.")
        if self.minibatch_size is not None and (self.minibatch_size < 1 or self.batch_size % self.minibatch_size):
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of minibatch_size "
                             f"{self.minibatch_size}; give a divisor of it, or None for the whole batch.")
        for name, kinds in (("baseline", Baseline), ("scale", Scale), ("ratio", Ratio), ("average", Average)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kinds))}.")
        if self.ratio == "response" and self.average != "response":
            raise ValueError(f"average is {self.average!r} and ratio 'response', where a whole response has one ratio "
                             f"and no average of tokens is taken. Leave average out, or take ratio 'token'.")
        if self.group_size == 1 and (self.baseline in ("group", "others") or self.scale == "group"):
            raise ValueError(f"group_size is 1, and a response alone has no others to be compared with (baseline "
                             f"{self.baseline!r}, scale {self.scale!r}). Take group_size 2 or more, or REINFORCE.")
        if self.batch_size == 1 and "batch" in (self.baseline, self.scale):
            raise ValueError("batch_size is 1, and a response alone has no others to be compared with; take 2 or more.")
        if self.kl.estimate == "full":
            raise ValueError("the KL estimate is 'full', which PPO alone takes; expected k1, k2, k3 or abs.")
        check_passes(self.tokens_per_pass, self.more_steps, self.autocast)
        for name in ("clip", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        self.check_stop()
        if not 0 <= self.missing_eos_penalty < math.inf:
            raise ValueError(f"missing_eos_penalty is {self.missing_eos_penalty}; it must be finite and not negative.")
        if not 0 <= self.min_lr_ratio <= 1:
            raise ValueError(f"min_lr_ratio is {self.min_lr_ratio}; it lies between 0 and 1.")


def rloo(config: Config) -> Config:
    """The same run as REINFORCE leave-one-out: the other answers are the baseline, and drifting costs reward.

    The ratio is that of whole responses, as TRL has it. Source: Ahmadian et al. 2024, arXiv:2402.14740.
    """
    return replace(config, baseline="others", scale="none", ratio="response", average="response",
                   kl=_in_reward(config.kl))


def dr_grpo(config: Config) -> Config:
    """The same run as "GRPO done right": divided neither by a group's deviation nor by a response's length.

    So hard and easy prompts do not count more, and a long wrong answer is not cheaper than a short one.
    Source: Liu et al. 2025, arXiv:2503.20783.
    """
    return replace(config, baseline="group", scale="none", ratio="token", average="constant")


def reinforce(config: Config) -> Config:
    """The same run as REINFORCE: one answer to each prompt, the rest of the batch as baseline, drifting costs reward.

    Source: Williams 1992, doi:10.1007/BF00992696; for language models arXiv:2402.14740, section 3.
    """
    return replace(config, group_size=1, baseline="batch", scale="none", ratio="token", average="sum", clip=math.inf,
                   epochs=1, minibatch_size=None, kl=_in_reward(config.kl))


VARIANTS = {"grpo": lambda config: config, "rloo": rloo, "dr-grpo": dr_grpo, "reinforce": reinforce}


def steps(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, sampler: Sampler | None = None,
          checkpoint: Path | str | None = None, checkpoint_every: int = 10,
          accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate, and `break` stops.

        maximise  E[ min(r Â, clip(r, 1±ε) Â) ] - β · KL,   r = π / π_old,   Â_i = (R_i - mean of its group) / deviation

    Args:
        policy: trained in place; a value head is left alone.
        reference: frozen; usually `policy.reference()` taken before training.
        prompts: drawn from, each once an epoch, and answered `group_size` times.
        reward: `(prompts, responses) -> [B]`; any Python function, such as one that checks an answer. Of several,
            `rewards.weighted`, each is reported apart as `score_NAME`.
        evaluation_rewards: reported beside the score, never optimised, such as {"gold": ...}.
        sampler: another engine that draws the responses (`loops.samplers`); the caller closes it. None = the kit's own.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together, each on whole groups.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: sanity_checks.CheckFailed before an update that would do harm; rewards.RewardError; SamplerError where
        another engine does not answer as the policy would; ValueError for bad settings.
    Source: Shao et al. 2024, arXiv:2402.03300, section 4.1.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    _check_arguments(policy, reference, prompts, reward, config)
    minibatch_size = group.divided("minibatch_size", config.minibatch_size)
    asked = config.batch_size // config.group_size
    group.divided("the number of prompts, batch_size / group_size,", asked)
    group.broadcast(policy)
    policy.eval()                                  # no dropout, in sampling and learning alike: the first ratio is 1
    if sampler is not None:
        sampler.check_processes(group.size)
        sampler.check(policy, prompts, config.sampling)
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    kl_coef = config.kl.controller()
    memory = Memory({"reward": reward, **{f"evaluation.{name}": f for name, f in (evaluation_rewards or {}).items()}})
    saved = Checkpoint(checkpoint, identity("grpo", config, group, prompts=prompts, reward=reward, reference=reference,
                                            **({} if sampler is None else {"sampler": [sampler.name]})),
                       checkpoint_every, writes=group.is_main)
    past, state = saved.resume(policy.lm, optimizer, memory)
    group.check_resumed(len(past), policy.device)
    kl_coef.value = state.get("kl_coef", kl_coef.value)
    of_its_prompts = known_of_prompts(past)
    yield from past

    for number in range(len(past), len(past) if past and config.too_far(past[-1]) else config.total):
        began = time.perf_counter()

        # 1. Act: answer each prompt several times.
        chosen = group.shard(draw(len(prompts), asked, config.seed, number))
        batch = [prompts[i] for i in chosen for _ in range(config.group_size)]
        with precision(policy, config.autocast):
            rollout = sample_rollout(policy, batch, config.sampling,
                                     seed_for(*group.seed_parts(config.seed, "rollout", number)), sampler)

        # 2. Judge: one score per response; drifting costs reward here, or a part of the loss below.
        scores, apart = score_apart(reward, rollout, group)                        # [B]
        if number == 0 and config.checks:
            check_varies(scores, name_of(reward).partition("@")[0], group)
        of_its_prompts = of_its_prompts or of_prompts(policy, rollout, group)
        with torch.no_grad(), precision(reference, config.autocast):
            ref_logprob = response_logprob(reference, rollout)                     # [B, T]
        penalized_score = scores - config.missing_eos_penalty * (~rollout.ended)
        earned = token_reward(penalized_score, rollout.logprob, ref_logprob, rollout.mask,
                              *config.kl.in_reward(kl_coef.value)).sum(-1)                        # [B]

        # 3. Assign credit: better or worse than the others?
        advantage = _advantage(earned, config, group)                              # [B], of every token of a response
        if number == 0 and config.checks:
            with precision(policy, config.autocast):
                check_start(policy, reference, rollout, ref_logprob)

        # 4. Learn.
        means = MinibatchMeans("policy_loss", "clip_fraction", "approx_kl", first=FIRST)
        optimizer.param_groups[0]["lr"] = falling(
            config.learning_rate, number, stretched(number, config.steps, config.total), config.min_lr_ratio)
        by = "tokens" if (config.ratio, config.average) == ("token", "token") else "responses"
        for rows in minibatches(len(rollout), minibatch_size, config.epochs,
                                seed_for(config.seed, "minibatches", number)):
            optimizer.zero_grad()
            tokens = group.sum(rollout.mask[rows].sum().float())                   # of all processes
            shard = group.weight(rollout.mask[rows].sum() if by == "tokens" else rollout.mask[rows].any(-1).sum())
            for part, weight in passes(rollout, rows, config.tokens_per_pass, by=by):
                old = rollout[part]
                with precision(policy, config.autocast):
                    now = read(policy, old, tokens_per_pass=config.tokens_per_pass,
                               checkpointing=config.activation_checkpointing).logprob
                penalty = kl_coef.value * config.kl.function()(now, ref_logprob[part]) if config.kl.in_loss else None
                loss = policy_gradient(now, old.logprob, advantage[part], old.mask, config.clip, ratio=config.ratio,
                                       average=config.average, longest=config.sampling.max_new_tokens, penalty=penalty)
                (shard * weight * loss).backward()
                means.add(shard * weight, policy_loss=loss)
                means.add(old.mask.sum() / tokens, approx_kl=approx_kl(now.detach(), old.logprob, old.mask),
                          **before_update(now, old.logprob, old.mask))
                means.add(shard * weight if config.ratio == "response" else old.mask.sum() / tokens,
                          clip_fraction=_clipped(now.detach(), old, advantage[part], config))
            group.all_reduce_gradients(policy.lm)
            if number == 0 and config.checks and means.minibatches == 0:
                check_gradients(policy, reference)
            update(policy.lm, optimizer, config.max_grad_norm, number)
            means.count()

        # 5. Report, and re-price drifting.
        others = {name: score(f, rollout, group).mean().item() for name, f in (evaluation_rewards or {}).items()}
        parts = {f"score_{name}": x.mean().item() for name, x in apart.items()}
        seen = group.means({"score": scores.mean().item(), **parts, **others,
                            "kl": sequence_kl(rollout.logprob, ref_logprob, rollout.mask).item(),
                            "tied_groups": _tied(scores, config.group_size),
                            "kl_price": (penalized_score - earned).mean().item(),
                            **of_credit(scores, advantage, rollout, group),
                            **of_its_prompts,
                            **of_rollout(policy, rollout, group)}, policy.device)
        step = Step(number, {**seen, "kl_coef": kl_coef.value, **means.means(group, policy.device),
                             "seconds": time.perf_counter() - began}, rollout.texts(4))
        kl_coef.update(seen["kl"], episodes=len(rollout) * group.size)             # nats per response
        last = number if config.too_far(step) else config.total - 1
        saved.record(step, last, policy.lm, optimizer, {"kl_coef": kl_coef.value}, memory)
        yield step
        if number == last:
            return


def train(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, prompts, reward, config, evaluation_rewards=evaluation_rewards,
                      checkpoint=checkpoint))


METRICS = {
    "score": "mean of what the reward function said",
    "kl": "nats per response between policy and reference, estimated by k1 on the responses themselves",
    "kl_coef": "β, reward per nat, or in the loss advantage per nat",
    "tied_groups": "share of prompts whose answers all scored alike: their score teaches nothing",
    **OF_ROLLOUTS,
    **OF_LEARNING,
    "policy_loss": "the clipped objective, with the KL penalty if it is in the loss; mean over minibatches",
    "clip_fraction": "share of the ratios whose clipping decided the loss",
    "approx_kl": "½ mean (log π - log π_old)², how far one step moved the policy",
    "minibatches": "gradients taken",
    "skipped": "always 0 here",
    "seconds": "wall time of the step",
}


def _advantage(earned: Tensor, config: Config, group: ProcessGroup) -> Tensor:
    """`group_advantage` of the whole batch, of which this process has whole groups: [B]."""
    def whole(x: Tensor, _: Tensor) -> Tensor:
        return group_advantage(x[:, 0], config.group_size, baseline=config.baseline, scale=config.scale)[:, None]
    return group.gathered(whole, earned[:, None], torch.ones_like(earned[:, None], dtype=torch.bool))[:, 0]


def _clipped(logprob: Tensor, old: Rollout, advantage: Tensor, config: Config) -> Tensor:
    """Share of the ratios, of tokens or of responses, whose clipping decides the loss."""
    now, then, units = in_units(logprob, old.logprob, old.mask, config.ratio)
    return clip_fraction(now, then, advantage[:, None].expand_as(units), units, config.clip)


def _tied(scores: Tensor, group_size: int) -> float:
    groups = scores.reshape(-1, group_size)
    return (groups == groups[:, :1]).all(-1).float().mean().item() if group_size > 1 else 0.0


def _in_reward(kl: KL) -> KL:
    """The same price as a part of the reward, by k1."""
    return replace(kl, in_loss=False, estimate="k1") if kl.in_loss else kl


def _check_arguments(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward,
                     config: Config) -> None:
    check_policy(policy)
    check_learns(policy.lm)
    check_arguments(reference, reward)
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    check_room(policy, prompts, config.sampling)
    if policy.device != reference.device:
        raise ValueError(f"the policy is on {policy.device} and the reference on {reference.device}; "
                         f"move one of them with .to(device).")
