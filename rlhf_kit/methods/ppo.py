"""Proximal policy optimisation: a policy learns to be scored well without drifting far from its reference."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam

from rlhf_kit.formulas.advantages import gae, rescale, whiten
from rlhf_kit.formulas.kl_penalty import KL, penalty_loss, sequence_kl, token_reward
from rlhf_kit.formulas.losses import (
    approx_kl,
    clip_fraction,
    clipped_policy,
    clipped_value,
    explained_variance,
    language_model,
    mean_ratio,
)
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.loops.batches import check_settings, draw, minibatches, seed_for
from rlhf_kit.loops.checkpoints import Checkpoint, fingerprint, fingerprint_of
from rlhf_kit.loops.process_group import Accelerator, Together, described
from rlhf_kit.loops.sanity_checks import check_gradients, check_start
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import encode_documents, pad_id, pad_right
from rlhf_kit.rewards import Memory, Reward, name_of, score
from rlhf_kit.sampling import (
    Sampling,
    check_room,
    response_logits,
    response_logprob,
    response_logprob_and_value,
    sample_rollout,
)


@dataclass(frozen=True, kw_only=True)
class Config:
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
    final_rate: float = 1.0               # share of the learning rate at the last step, linear; 1 = constant
    target_kl: float | None = None        # leave the passes when mean log(π_old/π) exceeds 1.5 times this (TRL)
    ratio_limit: float = 10.0             # a minibatch whose mean ratio exceeds it is skipped and counted (TRL)
    ptx_coef: float = 0.0                 # weight of the pretraining loss, γ of arXiv:2203.02155 Eq. 2 (27.8 there)
    adam_epsilon: float = 1e-8            # PyTorch's placement; OpenAI's TensorFlow one corresponds to about 1e-5
    autocast: Literal["bfloat16"] | None = None    # mixed precision of the learning passes; ratios start near 1 only
    checks: bool = True                   # look for the known bugs before the first update

    def __post_init__(self) -> None:
        for name in ("steps", "epochs"):
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
        if self.autocast not in (None, "bfloat16"):
            raise ValueError(f"autocast is {self.autocast!r}; it is 'bfloat16' or None.")
        for name in ("gamma", "lam", "final_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies between 0 and 1.")
        for name in ("value_coef", "missing_eos_penalty", "critic_warmup", "ptx_coef"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative.")


def a2c(config: Config) -> Config:
    """The same run as advantage actor-critic: one gradient a batch, nothing clipped (arXiv:2205.09123)."""
    return replace(config, epochs=1, minibatch_size=None, clip=math.inf, value_clip=math.inf)


def steps(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          watch: Mapping[str, Reward] | None = None, pretraining: Sequence[str] | None = None,
          rollouts: Callable[[int], Rollout] | None = None, checkpoint: Path | str | None = None,
          checkpoint_every: int = 10, accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Yield one `Step` per PPO update; nothing runs until you iterate, and `break` stops.

        maximise  E[ min(r Â, clip(r, 1±ε) Â) ],   r = π(y_t) / π_old(y_t),
        Â from GAE over   reward_t = -β · (log π_old - log π_ref)   + score at the EOS

    Args:
        policy: trained in place; needs a value head.
        reference: frozen; usually `policy.reference()` taken before training.
        prompts: drawn from, each once an epoch.
        reward: `(prompts, responses) -> [B]`; any Python function.
        watch: other scores to be reported beside, never optimised, such as {"gold": ...}.
        pretraining: texts for PPO-ptx; with `ptx_coef` above 0 a batch of them joins every gradient.
        rollouts: step number -> the policy's responses to learn from, as many as you like; None draws `batch_size`.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together. Batches are then those of all
            of them, each answers and learns from its part, and all end with the same weights.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: sanity_checks.CheckFailed before the first update; rewards.RewardError; ValueError for bad settings.
    Source: arXiv:1707.06347 Eq. 7; for language arXiv:1909.08593 section 2.2.
    """
    config, together = config or Config(), Together(accelerator)
    _check_arguments(policy, reference, prompts, config, pretraining)
    minibatch_size = together.divided("minibatch_size", config.minibatch_size)
    together.divided("batch_size", config.batch_size)
    together.agree(policy)
    policy.eval()                                  # no dropout, in sampling and learning alike: the first ratio is 1
    optimizer = Adam([p for p in policy.parameters() if p.requires_grad], lr=config.learning_rate,
                     eps=config.adam_epsilon, fused=True)
    kl_coef = config.kl.controller()
    memory = Memory({"reward": reward, **{f"watch.{name}": other for name, other in (watch or {}).items()}})
    run = {"method": "ppo", "prompts": fingerprint(prompts), "reward": name_of(reward),
           "pretraining": fingerprint(pretraining or ()), "reference": fingerprint_of(reference.lm), **asdict(config),
           **described(together)}
    saved = Checkpoint(checkpoint, run, checkpoint_every, writes=together.first)
    past, state = saved.resume(policy, optimizer, memory)
    kl_coef.value = state.get("kl_coef", kl_coef.value)
    yield from past

    for number in range(len(past), config.steps):
        began = time.perf_counter()

        # 1. Act: answer each prompt, keeping what the policy believed at the time.
        if rollouts is not None:
            rollout = rollouts(number)
        else:
            batch = [prompts[i] for i in together.part(draw(len(prompts), config.batch_size, config.seed, number))]
            rollout = sample_rollout(policy, batch, config.sampling, _seed(config, number, together))

        # 2. Judge: one score per response, minus a price per token for drifting.
        said = score(reward, rollout)                                              # [B]
        judged = said - config.missing_eos_penalty * (~rollout.ended)
        with torch.no_grad():
            ref_logprob = response_logprob(reference, rollout)                     # [B, T]
            earned = token_reward(judged, *_beliefs(policy, reference, rollout, ref_logprob, config),
                                  rollout.mask, *config.kl.in_reward(kl_coef.value))
        if config.rescale_reward:
            earned = together.whole(rescale, earned, rollout.mask)

        # 3. Assign credit to tokens.
        advantage, value_target = gae(earned, rollout.value, rollout.mask, config.gamma, config.lam)
        if config.whiten_advantage:
            advantage = together.whole(whiten, advantage, rollout.mask)            # [B, T], mean 0 on the mask
        if number == 0 and config.checks:
            check_start(policy, reference, rollout, ref_logprob)

        # 4. Learn: a few passes over the same responses.
        log = _Log()
        _set_rate(optimizer, config, number)
        for rows in minibatches(len(rollout), minibatch_size, config.epochs,
                                seed_for(config.seed, "minibatches", number)):
            old = rollout[rows]
            share = together.share(old.mask.sum())                                 # of the tokens of all processes
            with _precision(policy, config):
                logprob, value = response_logprob_and_value(policy, old)
            if together.sum(share * mean_ratio(logprob, old.logprob, old.mask)) > config.ratio_limit:
                log.skipped += 1                                                   # it would be all noise
                continue
            if config.target_kl is not None and together.sum(share * _drift(logprob, old)) > 1.5 * config.target_kl:
                break                                                              # the batch has no more to teach
            act = clipped_policy(logprob, old.logprob, advantage[rows], old.mask, config.clip)
            predict = clipped_value(value, old.value, value_target[rows], old.mask, config.value_clip)
            loss = share * (act + config.value_coef * predict)
            if config.kl.in_loss:
                drifted = penalty_loss(logprob, ref_logprob[rows], old.mask, config.kl.function())
                loss = loss + share * kl_coef.value * drifted
            if pretraining is not None and config.ptx_coef:                        # PPO-ptx
                texts = _pretraining_loss(policy, pretraining, config, number, log.minibatches)
                loss = loss + config.ptx_coef * texts / together.size
            optimizer.zero_grad()
            loss.backward()
            together.add_gradients(policy)
            if number == 0 and config.checks and log.minibatches == 0:
                check_gradients(policy, reference)
            if number < config.critic_warmup:
                policy.lm.zero_grad()                                              # only the critic learns yet
            clip_grad_norm_(policy.parameters(), config.max_grad_norm)
            optimizer.step()
            log.add(act, predict, logprob, value, old, advantage[rows], value_target[rows], config, share.item())

        # 5. Report, and re-price drifting.
        others = {name: score(f, rollout).mean().item() for name, f in (watch or {}).items()}
        seen = {"score": said.mean().item(), **others,
                "kl": sequence_kl(rollout.logprob, ref_logprob, rollout.mask).item(), **_summary(rollout, together)}
        seen = together.total({name: number / together.size for name, number in seen.items()}, policy.device)
        drift = seen["kl"]                                                         # nats per response
        report = Step(number, {**seen, "kl_coef": kl_coef.value, **log.means(together, policy.device),
                               "seconds": time.perf_counter() - began}, rollout.texts(4))
        kl_coef.update(drift, episodes=len(rollout) * together.size)
        saved.record(report, config.steps - 1, policy, optimizer, {"kl_coef": kl_coef.value}, memory)
        yield report


def train(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          watch: Mapping[str, Reward] | None = None, pretraining: Sequence[str] | None = None,
          checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, prompts, reward, config, watch=watch, pretraining=pretraining,
                      checkpoint=checkpoint))


METRICS = {
    "score": "mean of what the reward function said",
    "kl": "nats per response between policy and reference, estimated by k1 on the responses themselves",
    "kl_coef": "β, reward per nat",
    "entropy": "nats per token of the policy's next-token distribution",
    "response_length": "tokens per response, EOS included",
    "eos_rate": "share of responses that ended by themselves",
    "policy_loss": "PPO's clipped objective, mean over minibatches",
    "value_loss": "the critic's clipped squared error, before value_coef",
    "clip_fraction": "share of tokens where clipping decided the loss",
    "approx_kl": "½ mean (log π - log π_old)², how far one step moved the policy",
    "explained_variance": "how much of the value target the critic foresaw, last minibatch",
    "minibatches": "gradients taken",
    "skipped": "minibatches skipped because the mean ratio exceeded ratio_limit",
    "seconds": "wall time of the step",
}


class _Log:
    """Running means over the minibatches of one step."""

    def __init__(self) -> None:
        self.minibatches, self.skipped, self.sums = 0, 0, {}

    def add(self, act: Tensor, predict: Tensor, logprob: Tensor, value: Tensor, old: Rollout,
            advantage: Tensor, value_target: Tensor, config: Config, share: float = 1.0) -> None:
        self.minibatches += 1
        logprob, value = logprob.detach(), value.detach()
        now = {"policy_loss": act.detach(), "value_loss": predict.detach(),
               "clip_fraction": clip_fraction(logprob, old.logprob, advantage, old.mask, config.clip),
               "approx_kl": approx_kl(logprob, old.logprob, old.mask)}
        for name, number in now.items():
            self.sums[name] = self.sums.get(name, 0.0) + share * number.item()
        self.foreseen = (value, value_target, old.mask)

    def means(self, together: Together, device: torch.device) -> dict[str, float]:
        counts = {"minibatches": self.minibatches, "skipped": self.skipped}
        if not self.minibatches:                                       # nothing was learnt, so nothing is known
            return {**dict.fromkeys(("policy_loss", "value_loss", "clip_fraction", "approx_kl",
                                     "explained_variance"), math.nan), **counts}
        foreseen = explained_variance(*self.foreseen).item() / together.size
        means = {name: total / self.minibatches for name, total in self.sums.items()}
        return {**together.total({**means, "explained_variance": foreseen}, device), **counts}


def _drift(logprob: Tensor, old: Rollout) -> Tensor:
    """How far the policy has moved from where it sampled, nats per token."""
    return masked_mean(old.logprob - logprob.detach(), old.mask)


def _seed(config: Config, number: int, together: Together) -> int:
    """Of a step's draws; processes draw differently."""
    return seed_for(config.seed, "rollout", number, *([together.rank] if together.size > 1 else []))


def _beliefs(policy: Policy, reference: Policy, rollout: Rollout, ref_logprob: Tensor,
             config: Config) -> tuple[Tensor, Tensor]:
    """What the KL estimate compares: log-probabilities, or for "full" whole distributions."""
    if config.kl.estimate != "full":
        return rollout.logprob, ref_logprob
    return response_logits(policy, rollout), response_logits(reference, rollout)


def _summary(rollout: Rollout, together: Together) -> dict[str, float]:
    spread = masked_mean(rollout.entropy, rollout.mask) * together.share(rollout.mask.sum()) * together.size
    return {"entropy": spread.item(), "response_length": rollout.length.float().mean().item(),
            "eos_rate": rollout.ended.float().mean().item()}


def _pretraining_loss(policy: Policy, texts: Sequence[str], config: Config, number: int, minibatch: int) -> Tensor:
    """Mean negative log-likelihood per token of a fresh handful of pretraining texts."""
    size = min(config.minibatch_size or config.batch_size, len(texts))
    picked = draw(len(texts), size, seed_for(config.seed, "ptx", number), minibatch)
    rows = encode_documents(policy.tokenizer, [texts[i] for i in picked], min(policy.context or 512, 512))
    ids, mask = (x.to(policy.device) for x in pad_right(rows, pad_id(policy.tokenizer)))
    logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1, need_value=False).logits
    return language_model(logits, ids[:, 1:], mask[:, 1:])


def _precision(policy: Policy, config: Config) -> AbstractContextManager:
    kind = getattr(torch, config.autocast or "float32")
    return torch.autocast(policy.device.type, dtype=kind, enabled=config.autocast is not None)


def _set_rate(optimizer: torch.optim.Optimizer, config: Config, number: int) -> None:
    left = 1 - number / max(config.steps - 1, 1)
    optimizer.param_groups[0]["lr"] = config.learning_rate * (config.final_rate + (1 - config.final_rate) * left)


def _check_arguments(policy: Policy, reference: Policy, prompts: Sequence[str], config: Config,
                     pretraining: Sequence[str] | None) -> None:
    if policy.value_head is None:
        raise ValueError("the policy has no value head, which PPO's critic is; "
                         "build it with Policy(lm, tokenizer).")
    if len(prompts) == 0 or isinstance(prompts, str):
        raise ValueError("there are no prompts; give a list with at least one text.")
    check_room(policy, prompts, config.sampling)
    if policy.device != reference.device:
        raise ValueError(f"the policy is on {policy.device} and the reference on {reference.device}; "
                         f"move one of them with .to(device).")
    coarse = {p.dtype for p in policy.parameters() if p.requires_grad} & {torch.bfloat16, torch.float16}
    if coarse:
        raise ValueError(f"the policy's weights are {coarse.pop()}, too coarse for small updates; load it in float32 "
                         f"and set autocast='bfloat16', or train an adapter on it.")
    if (pretraining is not None) != (config.ptx_coef > 0):
        raise ValueError(f"ptx_coef is {config.ptx_coef} and pretraining texts are "
                         f"{'given' if pretraining is not None else 'missing'}; PPO-ptx needs both, plain PPO neither.")
