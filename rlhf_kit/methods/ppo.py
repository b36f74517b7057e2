"""Proximal policy optimisation: a policy learns to be scored well without drifting far from its reference."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer, RMSprop

from rlhf_kit.engine import TOKENS, passes, precision, read
from rlhf_kit.formulas.advantages import gae, rescale, whiten
from rlhf_kit.formulas.kl_penalty import KL, penalty_loss, sequence_kl, token_reward
from rlhf_kit.formulas.losses import (
    approx_kl,
    clip_fraction,
    clipped_policy,
    clipped_value,
    explained_variance,
    mean_ratio,
)
from rlhf_kit.formulas.masked import masked_mean, masked_sum
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.averages import WeightAverage
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
from rlhf_kit.loops.pretraining import add_gradient
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_gradients, check_learns, check_start, check_varies
from rlhf_kit.loops.schedules import falling, rising, stretched
from rlhf_kit.loops.updates import update
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Memory, Reward, check_arguments, name_of, score
from rlhf_kit.sampling import (
    Sampler,
    Sampling,
    check_room,
    response_logits,
    response_logprob,
    sample_rollout,
)


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Stopping):
    """Settings of one run. The first block is PPO; the second holds options that are off."""

    steps: int = 50                       # rollouts, each followed by `epochs` passes
    batch_size: int = 64                  # responses per step
    minibatch_size: int | None = 16       # responses per gradient; None = the whole batch
    epochs: int = 4                       # passes over each batch (arXiv:1909.08593)
    learning_rate: float = 1e-4           # for a tiny model up to 1e-3; GPT-2 and larger 1e-6 to 2e-5
    sampling: Sampling = field(default_factory=Sampling)
    kl: KL = field(default_factory=KL)    # price of drifting, nats; adaptive with target=
    gamma: float = 1.0                    # discount per token
    lam: float = 0.95                     # GAE's λ
    clip: float = 0.2                     # ε of the ratio; math.inf = off
    value_clip: float = 0.2               # ε of the critic, units of reward; math.inf = off
    value_coef: float = 0.1               # weight of the critic's loss (TRL)
    max_grad_norm: float = 1.0            # global; math.inf = off
    seed: int = 0

    whiten_advantage: bool = True         # over the whole batch, mean 0 and variance 1
    rescale_reward: bool = False          # divide rewards by their standard deviation, mean kept, padding left out
    missing_eos_penalty: float = 0.0      # taken off the score of a response that never ends
    critic_warmup: int = 0                # first steps in which only the critic learns, on a shared trunk just the head
    min_lr_ratio: float = 1.0             # learning rate of the last step over that of the first; 1 = constant
    target_kl: float | None = None        # leave the passes when mean log(π_old/π) exceeds 1.5 times this (TRL)
    ratio_limit: float = 10.0             # a minibatch whose mean ratio exceeds it is skipped and counted (TRL)
    ptx_coef: float = 0.0                 # weight of the pretraining loss, γ of arXiv:2203.02155 Eq. 2 (27.8 there)
    optimizer: Literal["adam", "rmsprop"] = "adam"
    adam_epsilon: float = 1e-8            # PyTorch's placement; OpenAI's TensorFlow one corresponds to about 1e-5
    autocast: Literal["bfloat16"] | None = None    # mixed precision of rollout, reference and learning alike
    tokens_per_pass: int | None = None    # tokens, padding included, of one forward and backward pass; None = all
    activation_checkpointing: bool = False         # keep each block's input only: less memory, a third more time
    checks: bool = True                   # look for the known bugs before the first update
    stop_kl: float | None = field(default=None, repr=False)     # nats per response; measuring more ends it
    warmup: int = field(default=0, repr=False)          # first steps, in which the rate rises from a tenth of itself
    ptx_texts: int = field(default=1, repr=False)       # pretraining texts for each response (8 in arXiv:2203.02155)
    weight_ema: float = field(default=0.0, repr=False)  # decay per update of averaged weights, in which the policy ends
                                                        # (0.992 in arXiv:2203.02155); 0 = its last ones
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those

    def __post_init__(self) -> None:
        for name in ("steps", "epochs", "ptx_texts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate)
        if self.minibatch_size is not None and (self.minibatch_size < 1 or self.batch_size % self.minibatch_size):
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of minibatch_size "
                             f"{self.minibatch_size}; try minibatch_size {math.gcd(self.batch_size, 16)}.")
        for name in ("clip", "value_clip", "max_grad_norm", "ratio_limit", "adam_epsilon"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0.")
        if self.target_kl is not None and not self.target_kl > 0:
            raise ValueError(f"target_kl is {self.target_kl}; it must be above 0, or None to take every pass.")
        self.check_stop()
        check_passes(self.tokens_per_pass, self.more_steps, self.autocast)
        if self.optimizer not in ("adam", "rmsprop"):
            raise ValueError(f"optimizer is {self.optimizer!r}; it is 'adam' or 'rmsprop'.")
        for name in ("gamma", "lam", "min_lr_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies between 0 and 1.")
        if not 0 <= self.weight_ema < 1:
            raise ValueError(f"weight_ema is {self.weight_ema}; it must be at least 0 and below 1, such as 0.992.")
        for name in ("value_coef", "missing_eos_penalty", "critic_warmup", "ptx_coef", "warmup"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be finite and not negative.")


def a2c(config: Config) -> Config:
    """The same run as advantage actor-critic: one gradient a batch, λ = 1, nothing clipped or whitened, RMSProp.

    Source: Huang et al. 2022, arXiv:2205.09123, which shows that PPO with these settings *is* A2C.
    """
    return replace(config, epochs=1, minibatch_size=None, clip=math.inf, value_clip=math.inf, lam=1.0,
                   whiten_advantage=False, optimizer="rmsprop")


def gophercite(config: Config, alpha: float = 0.1) -> Config:
    """The same run as GopherCite writes it, DeepMind's recipe behind Sparrow's: A2C, the teacher in the loss.

        L = (1 - α) · (-mean of sg(R - V) log π  +  c · ½ mean of (R - V)²)  +  α · KL(π ‖ teacher)

    divided by 1 - α, which changes no direction: the KL coefficient is α/(1 - α), and k2's gradient is that of the KL
    of each next token. Nothing is discounted and nothing in the reward but the score, so the critic learns to predict
    at every token what the whole response will earn. What has no valid end pays 2.

    Not theirs: Adafactor (here RMSProp, as in `a2c`), and two layers of 2,048 for the values (here one).

    Args: alpha: α, 0.1 there, 0.05 tried, too; of `steps`, `reference` is the teacher.
    Raises: ValueError unless 0 <= α < 1. Source: Menick et al. 2022, arXiv:2203.11147, appendix.
    """
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha is {alpha}; it is the teacher's share of the loss, at least 0 and below 1.")
    return replace(a2c(config), kl=KL(coefficient=alpha / (1 - alpha), in_loss=True, estimate="k2"), gamma=1.0,
                   missing_eos_penalty=2.0, max_grad_norm=1.0)


def steps(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, pretraining: Sequence[str] | None = None,
          rollouts: Callable[[int], Rollout] | None = None, sampler: Sampler | None = None,
          checkpoint: Path | str | None = None, checkpoint_every: int = 10,
          accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per PPO update; nothing runs until you iterate, and `break` stops.

        maximise  E[ min(r Â, clip(r, 1±ε) Â) ],   r = π(y_t) / π_old(y_t),
        Â from GAE over   reward_t = -β · (log π_old - log π_ref)   + score at the EOS

    Args:
        policy: trained in place; needs a value head.
        reference: frozen; usually `policy.reference()` taken before training.
        prompts: drawn from, each once an epoch.
        reward: `(prompts, responses) -> [B]`; any Python function.
        evaluation_rewards: reported beside the score, never optimised, such as {"gold": ...}.
        pretraining: texts for PPO-ptx; with `ptx_coef` above 0 a batch of them joins every gradient.
        rollouts: step number -> the policy's responses to learn from, as many as you like; None draws `batch_size`.
        sampler: another engine that draws the responses (`loops.samplers`); the caller closes it. None = the kit's own.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together. Batches are then those of all
            of them, each answers and learns from its shard, and all end with the same weights.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: sanity_checks.CheckFailed before an update that would do harm; rewards.RewardError; SamplerError where
        another engine does not answer as the policy would; ValueError for bad settings.
    Source: arXiv:1707.06347 Eq. 7; for language arXiv:1909.08593 section 2.2.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    _check_arguments(policy, reference, prompts, reward, config, pretraining)
    _check_sampler(sampler, rollouts, group)
    minibatch_size = group.divided("minibatch_size", config.minibatch_size)
    group.divided("batch_size", config.batch_size)
    group.broadcast(policy)
    policy.eval()                                  # no dropout, in sampling and learning alike: the first ratio is 1
    if sampler is not None:
        sampler.check(policy, prompts, config.sampling)
    optimizer, kl_coef = _optimizer(policy, config), config.kl.controller()
    average = WeightAverage(policy, config.weight_ema) if config.weight_ema else None
    learner = average or policy
    memory = Memory({"reward": reward, **{f"evaluation.{name}": f for name, f in (evaluation_rewards or {}).items()}})
    saved = Checkpoint(checkpoint, identity("ppo", config, group, prompts=prompts, reward=reward,
                                            pretraining=pretraining or (), reference=reference,
                                            **({} if sampler is None else {"sampler": [sampler.name]})),
                       checkpoint_every, writes=group.is_main)
    past, state = saved.resume(learner, optimizer, memory)
    group.check_resumed(len(past), policy.device)
    kl_coef.value = state.get("kl_coef", kl_coef.value)
    of_its_prompts = known_of_prompts(past)
    end = len(past) if past and config.too_far(past[-1]) else config.total
    if average is not None and len(past) == end:
        average.settle()
    yield from past

    for number in range(len(past), end):
        began = time.perf_counter()

        # 1. Act: answer each prompt, keeping what the policy believed at the time.
        if rollouts is not None:
            rollout = rollouts(number)
        else:
            batch = [prompts[i] for i in group.shard(draw(len(prompts), config.batch_size, config.seed, number))]
            with precision(policy, config.autocast):
                rollout = sample_rollout(policy, batch, config.sampling,
                                         seed_for(*group.seed_parts(config.seed, "rollout", number)), sampler)

        # 2. Judge: one score per response, minus a penalty per token for drifting.
        scores = score(reward, rollout, group)                                     # [B]
        if number == 0 and config.checks:
            check_varies(scores, name_of(reward).partition("@")[0], group)
        penalized_score = scores - config.missing_eos_penalty * (~rollout.ended)
        of_its_prompts = of_its_prompts or of_prompts(policy, rollout, group)
        with torch.no_grad(), precision(reference, config.autocast):
            ref_logprob = response_logprob(reference, rollout)                     # [B, T]
            per_token = _token_reward(penalized_score, policy, reference, rollout, ref_logprob, kl_coef.value, config)
        price = (penalized_score - masked_sum(per_token, rollout.mask)).mean().item()
        if config.rescale_reward:
            per_token = group.gathered(rescale, per_token, rollout.mask)

        # 3. Assign credit to tokens.
        advantage, value_target = gae(per_token, rollout.value, rollout.mask, config.gamma, config.lam)
        if config.whiten_advantage:
            advantage = group.gathered(whiten, advantage, rollout.mask)            # [B, T], mean 0 on the mask
        if number == 0 and config.checks:
            with precision(policy, config.autocast):
                check_start(policy, reference, rollout, ref_logprob)

        # 4. Learn: a few passes over the same responses.
        means, value, learnt = MinibatchMeans(*MEANS, first=FIRST), torch.zeros_like(rollout.value), None
        optimizer.param_groups[0]["lr"] = rising(number, config.warmup) * falling(
            config.learning_rate, number, stretched(number, config.steps, config.total), config.min_lr_ratio)
        for rows in minibatches(len(rollout), minibatch_size, config.epochs,
                                seed_for(config.seed, "minibatches", number)):
            optimizer.zero_grad()
            shard = group.weight(rollout.mask[rows].sum())                         # of the tokens of all processes
            for part, weight in passes(rollout, rows, config.tokens_per_pass):
                old = rollout[part]
                with precision(policy, config.autocast):
                    now = read(policy, old, value=True, tokens_per_pass=config.tokens_per_pass,
                               checkpointing=config.activation_checkpointing)
                policy_loss = clipped_policy(now.logprob, old.logprob, advantage[part], old.mask, config.clip)
                value_loss = clipped_value(now.value, old.value, value_target[part], old.mask, config.value_clip)
                loss = policy_loss + config.value_coef * value_loss
                if config.kl.in_loss:
                    loss = loss + kl_coef.value * penalty_loss(now.logprob, ref_logprob[part], old.mask,
                                                               config.kl.function())
                (shard * weight * loss).backward()
                means.add(shard * weight, policy_loss=policy_loss, value_loss=value_loss,
                          **_diagnostics(now.logprob, old, advantage[part], config),
                          **before_update(now.logprob, old.logprob, old.mask))
                value[part] = now.value.detach()
            if group.sum(means.now["ratio"]) > config.ratio_limit:
                means.skip()                                                       # it would be all noise
                continue
            if config.target_kl is not None and group.sum(means.now["drift"]) > 1.5 * config.target_kl:
                break                                                              # the batch has no more to teach
            if pretraining is not None:                                            # PPO-ptx
                add_gradient(policy, pretraining, config, group, number, means.minibatches)
            group.all_reduce_gradients(policy)
            if number == 0 and config.checks and means.minibatches == 0:
                check_gradients(policy, reference, heads=("value_head",))
            if number < config.critic_warmup:
                policy.lm.zero_grad()                                              # only the critic learns yet
            update(policy, optimizer, config.max_grad_norm, number)
            if average is not None:
                average.update()
            means.count()
            learnt = rows

        # 5. Report, and re-price drifting.
        others = {name: score(f, rollout, group).mean().item() for name, f in (evaluation_rewards or {}).items()}
        seen = group.means({"score": scores.mean().item(), **others,
                            "kl": sequence_kl(rollout.logprob, ref_logprob, rollout.mask).item(),
                            "explained_variance": _foreseen(value, value_target, rollout, learnt),
                            "kl_price": price, **of_credit(scores, advantage, rollout, group),
                            **of_its_prompts,
                            **of_rollout(policy, rollout, group)}, policy.device)
        report = Step(number, {**seen, "kl_coef": kl_coef.value, **means.means(group, policy.device),
                               "seconds": time.perf_counter() - began}, rollout.texts(4))
        kl_coef.update(seen["kl"], episodes=len(rollout) * group.size)             # nats per response
        last = number if config.too_far(report) else config.total - 1
        saved.record(report, last, learner, optimizer, {"kl_coef": kl_coef.value}, memory)
        if average is not None and number == last:
            average.settle()
        yield report
        if number == last:
            return


def train(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, pretraining: Sequence[str] | None = None,
          checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, prompts, reward, config, evaluation_rewards=evaluation_rewards,
                      pretraining=pretraining, checkpoint=checkpoint))


MEANS = ("policy_loss", "value_loss", "clip_fraction", "approx_kl")        # over minibatches
METRICS = {
    "score": "mean of what the reward function said",
    "kl": "nats per response between policy and reference, estimated by k1 on the responses themselves",
    "kl_coef": "β, reward per nat",
    **OF_ROLLOUTS,
    **OF_LEARNING,
    "policy_loss": "PPO's clipped objective, mean over minibatches",
    "value_loss": "the critic's clipped squared error, before value_coef",
    "clip_fraction": "share of tokens where clipping decided the loss",
    "approx_kl": "½ mean (log π - log π_old)², how far one step moved the policy",
    "explained_variance": "how much of the value target the critic foresaw, last minibatch",
    "minibatches": "gradients taken",
    "skipped": "minibatches skipped because the mean ratio exceeded ratio_limit",
    "seconds": "wall time of the step",
}
WITH_A_SAMPLER = {
    "sampler_gap": "mean |log π by the engine that drew - log π by the kit|, nats per token; 0 but for rounding",
}


def _token_reward(score: Tensor, policy: Policy, reference: Policy, rollout: Rollout, ref_logprob: Tensor,
                  coefficient: float, config: Config) -> Tensor:
    """`token_reward` of log-probabilities, or for "full" of whole distributions, a pass at a time: [B, T]."""
    penalty = config.kl.in_reward(coefficient)
    if config.kl.estimate != "full":
        return token_reward(score, rollout.logprob, ref_logprob, rollout.mask, *penalty)
    found = torch.zeros_like(rollout.logprob)
    for part, _ in passes(rollout, None, config.tokens_per_pass or TOKENS):
        old = rollout[part]
        found[part] = token_reward(score[part], response_logits(policy, old), response_logits(reference, old), old.mask,
                                   *penalty)
    return found


def _diagnostics(logprob: Tensor, old: Rollout, advantage: Tensor, config: Config) -> dict[str, Tensor]:
    """What is reported of a part of a minibatch, and what decides whether it is learnt from: means over its tokens."""
    logprob = logprob.detach()
    return {"clip_fraction": clip_fraction(logprob, old.logprob, advantage, old.mask, config.clip),
            "approx_kl": approx_kl(logprob, old.logprob, old.mask),
            "ratio": mean_ratio(logprob, old.logprob, old.mask),
            "drift": masked_mean(old.logprob - logprob, old.mask)}            # from where it sampled, nats per token


def _foreseen(value: Tensor, value_target: Tensor, rollout: Rollout, rows: Tensor | None) -> float:
    """How much of its targets the critic foresaw on the last minibatch that was learnt from; NaN if none was."""
    if rows is None:
        return math.nan
    return explained_variance(value[rows], value_target[rows], rollout.mask[rows]).item()


def _optimizer(policy: Policy, config: Config) -> Optimizer:
    """Of everything that learns. RMSProp with A2C's usual decay, .99."""
    learning = [p for p in policy.parameters() if p.requires_grad]
    if config.optimizer == "rmsprop":
        return RMSprop(learning, lr=config.learning_rate, alpha=0.99, eps=1e-5)
    return Adam(learning, lr=config.learning_rate, eps=config.adam_epsilon, fused=True)


def _check_arguments(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config,
                     pretraining: Sequence[str] | None) -> None:
    check_policy(policy)
    if policy.value_head is None:
        raise ValueError("the policy has no value head, which PPO's critic is; "
                         "build it with Policy(lm, tokenizer).")
    check_learns(policy)
    check_arguments(reference, reward)
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    check_room(policy, prompts, config.sampling)
    if policy.device != reference.device:
        raise ValueError(f"the policy is on {policy.device} and the reference on {reference.device}; "
                         f"move one of them with .to(device).")
    if (pretraining is not None) != (config.ptx_coef > 0):
        raise ValueError(f"ptx_coef is {config.ptx_coef} and pretraining texts are "
                         f"{'given' if pretraining is not None else 'missing'}; PPO-ptx needs both, plain PPO neither.")


def _check_sampler(sampler: Sampler | None, rollouts: Callable | None, group: ProcessGroup) -> None:
    if sampler is not None and rollouts is not None:
        raise ValueError("rollouts and sampler are both given, and responses come from one of them; leave one out.")
    if sampler is not None:
        sampler.check_processes(group.size)
