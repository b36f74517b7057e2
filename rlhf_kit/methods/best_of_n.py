"""Best-of-n: draw n responses to a prompt and keep the one that the reward likes best; or learn to write like those."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Adam

from rlhf_kit.engine import TOKENS, passes, precision, read
from rlhf_kit.formulas.best_of_n import kl_bound, kl_estimate
from rlhf_kit.formulas.kl_penalty import sequence_kl
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.batches import check_settings, draw, minibatches, seed_for
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.metrics import MinibatchMeans
from rlhf_kit.loops.parts import check_passes
from rlhf_kit.loops.process_group import Accelerator, ProcessGroup
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.schedules import falling
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Memory, Reward, check_arguments, score
from rlhf_kit.sampling import Sampling, check_room, response_logprob, sample_rollout


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings. `draws` needs the first block only, rejection-sampling fine-tuning (`steps`) the second, too."""

    n: int = 16                           # responses drawn for each prompt
    batch_size: int = 16                  # prompts at a time; n times as many responses are drawn together
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0

    steps: int = 50                       # rounds of drawing, each followed by `epochs` passes over the best
    minibatch_size: int | None = None     # chosen responses per gradient; None = the whole batch
    epochs: int = 1                       # passes over the chosen responses
    learning_rate: float = 1e-3           # for a tiny model; GPT-2 and larger 1e-6 to 2e-5
    min_lr_ratio: float = 1.0             # learning rate of the last step over that of the first; 1 = constant
    max_grad_norm: float = 1.0            # global; math.inf = off
    autocast: Literal["bfloat16"] | None = None    # mixed precision of drawing and learning alike
    tokens_per_pass: int | None = None    # tokens, padding included, of one forward and backward pass; None = all
    activation_checkpointing: bool = False         # keep each block's input only: less memory, a third more time

    def __post_init__(self) -> None:
        for name in ("n", "steps", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, max_grad_norm=self.max_grad_norm)
        if self.minibatch_size is not None and (self.minibatch_size < 1 or self.batch_size % self.minibatch_size):
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of minibatch_size "
                             f"{self.minibatch_size}; give a divisor of it, or None for the whole batch.")
        if not 0 <= self.min_lr_ratio <= 1:
            raise ValueError(f"min_lr_ratio is {self.min_lr_ratio}; it lies between 0 and 1.")
        check_passes(self.tokens_per_pass, 0, self.autocast)


@dataclass(frozen=True)
class Draws:
    """All n responses to one prompt, and which of them is the best."""

    prompt: str
    responses: tuple[str, ...]            # n, in the order in which they were drawn
    scores: tuple[float, ...]             # n, what the reward said
    best: int                             # place of the highest score, the first of several
    logprob: float                        # log π(the best response), nats, at the temperature of sampling
    others: Mapping[str, tuple[float, ...]] = field(default_factory=dict)    # evaluation rewards: name -> n numbers
    ended: tuple[bool, ...] = ()          # n, False for a response that was cut off at `max_new_tokens`
    logprobs: tuple[float, ...] = ()      # n, log π(each response), nats, when sampled

    @property
    def response(self) -> str:
        """The best one."""
        return self.responses[self.best]

    @property
    def kl_estimate(self) -> float:
        """How far this choice lies from one plain draw, nats: `formulas.best_of_n.kl_estimate`."""
        rare = torch.tensor(self.logprob, dtype=torch.float64).exp().clamp(1e-300, 1.0)
        return kl_estimate(len(self.responses), rare).item()


def draws(policy: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, begin: int = 0) -> Iterator[Draws]:
    """Answer each prompt n times and choose; `batch_size` prompts at a time, yielded as soon as they are scored.

        y* = argmax over y_1 … y_n ~ π(· | x) of  r(x, y)

    For every smaller n at once, see `evaluate.best_of_n_curve`. A seed gives the same responses for the same
    `batch_size`.

    Args:
        reward: `(prompts, responses) -> [B]`, what chooses.
        evaluation_rewards: asked about all n as well, and never chosen by, such as {"gold": ...}.
        begin: number of the prompt to go on from, a multiple of `batch_size`; what follows is as if all were answered.

    Raises: ValueError for bad prompts or if one and its response exceed the context, rewards.RewardError.
    Source: Stiennon et al. 2020, arXiv:2009.01325, appendix G.3; Nakano et al. 2021, arXiv:2112.09332, section 3.2.
    """
    config = given(config, Config)
    _check_prompts(policy, prompts, config)
    if begin % config.batch_size:
        raise ValueError(f"begin is {begin}; it must be a multiple of batch_size, {config.batch_size}.")
    for first in range(begin, len(prompts), config.batch_size):
        batch = list(prompts[first:first + config.batch_size])
        rollout, scores, best = _best(policy, batch, reward, config, seed_for(config.seed, "draws", first))
        others = {name: _by_prompt(score(f, rollout), config.n) for name, f in (evaluation_rewards or {}).items()}
        texts = [tuple(rollout.responses[i * config.n:(i + 1) * config.n]) for i in range(len(batch))]
        ended, each = _by_prompt(rollout.ended, config.n), _by_prompt(rollout.logprob.double().sum(-1), config.n)
        for i, prompt in enumerate(batch):
            place = int(best[i]) - i * config.n
            yield Draws(prompt, texts[i], tuple(scores[i].tolist()), place, each[i][place].item(),
                        {name: tuple(x[i].tolist()) for name, x in others.items()}, tuple(ended[i].tolist()),
                        tuple(each[i].tolist()))


def steps(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, checkpoint: Path | str | None = None,
          checkpoint_every: int = 10, accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Rejection-sampling fine-tuning: yield one `Step` per round; nothing runs until you iterate, and `break` stops.

        L = - mean over the tokens of y* of log π(token | tokens before),     y* the best of n draws from π

    What best-of-n does anew for every prompt, the policy learns to do by itself. There is no penalty for drifting: how
    far it goes is a matter of n and of the number of rounds.

    Args:
        policy: trained in place; a value head is left alone.
        reference: frozen; only the drift that is reported is measured from it.
        prompts: drawn from, each once an epoch.
        reward: `(prompts, responses) -> [B]`; any Python function.
        evaluation_rewards: reported beside the score, never chosen by.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.
        accelerator: an `accelerate.Accelerator` where several processes train together, each on its shard of a batch.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: sanity_checks.CheckFailed before an update that is not finite; rewards.RewardError; ValueError.
    Source: Touvron et al. 2023, arXiv:2307.09288, section 3.2.3; with one gradient a round, RAFT of arXiv:2304.06767.
    """
    config, group = given(config, Config), ProcessGroup(accelerator)
    check_learns(policy)
    check_arguments(reference, reward)
    _check_prompts(policy, prompts, config)
    minibatch_size = group.divided("minibatch_size", config.minibatch_size)
    group.divided("batch_size", config.batch_size)
    group.broadcast(policy)
    policy.eval()                                  # no dropout: what is learnt from is read as it was drawn
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate)
    memory = Memory({"reward": reward, **{f"evaluation.{name}": f for name, f in (evaluation_rewards or {}).items()}})
    saved = Checkpoint(checkpoint, identity("best_of_n", config, group, prompts=prompts, reward=reward,
                                            reference=reference), checkpoint_every, writes=group.is_main)
    past, _ = saved.resume(policy.lm, optimizer, memory)
    group.check_resumed(len(past), policy.device)
    yield from past

    for number in range(len(past), config.steps):
        began = time.perf_counter()

        # 1. Draw: n responses to each prompt. 2. Choose the best.
        batch = [prompts[i] for i in group.shard(draw(len(prompts), config.batch_size, config.seed, number))]
        rollout, scores, best = _best(policy, batch, reward, config,
                                      seed_for(*group.seed_parts(config.seed, "rollout", number)), group)
        chosen = replace(rollout[best], temperature=1.0)                           # one row a prompt

        # 3. Imitate it.
        means = MinibatchMeans("loss")
        optimizer.param_groups[0]["lr"] = falling(config.learning_rate, number, config.steps, config.min_lr_ratio)
        for rows in minibatches(len(chosen), minibatch_size, config.epochs,
                                seed_for(config.seed, "minibatches", number)):
            optimizer.zero_grad()
            shard = group.weight(chosen.mask[rows].sum())                          # of the tokens of all processes
            for part, weight in passes(chosen, rows, config.tokens_per_pass):
                with precision(policy, config.autocast):
                    now = read(policy, chosen[part], tokens_per_pass=config.tokens_per_pass,
                               checkpointing=config.activation_checkpointing)
                loss = -masked_mean(now.logprob, chosen.mask[part])
                (shard * weight * loss).backward()
                means.add(shard * weight, loss=loss)
            group.all_reduce_gradients(policy)
            update(policy.lm, optimizer, config.max_grad_norm, number, cause=diverged(config.learning_rate))
            means.count()

        # 4. Report, of what was drawn before this update.
        others = {name: score(f, rollout, group).mean().item() for name, f in (evaluation_rewards or {}).items()}
        seen = group.means({"score": scores.mean().item(), "best_score": scores.max(-1).values.mean().item(), **others,
                            "kl": _drift(reference, rollout, config), "eos_rate": rollout.ended.float().mean().item(),
                            "response_length": rollout.length.float().mean().item()}, policy.device)
        step = Step(number, {**seen, "kl_bound": kl_bound(config.n).item(), **means.means(group, policy.device),
                             "seconds": time.perf_counter() - began}, chosen.texts(4))
        saved.record(step, config.steps - 1, policy.lm, optimizer, {}, memory)
        yield step


def train(policy: Policy, reference: Policy, prompts: Sequence[str], reward: Reward, config: Config | None = None, *,
          evaluation_rewards: Mapping[str, Reward] | None = None, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, reference, prompts, reward, config, evaluation_rewards=evaluation_rewards,
                      checkpoint=checkpoint))


METRICS = {
    "score": "mean of what the reward function said, over all n responses to each prompt",
    "best_score": "mean over the prompts of the best response's score",
    "kl": "nats per response between policy and reference, estimated by k1 on all responses",
    "kl_bound": "how far the best of n can lie from one draw of the policy itself, log n - (n-1)/n",
    "response_length": "tokens per response, EOS included",
    "eos_rate": "share of responses that ended by themselves",
    "loss": "nats per token of the chosen responses, before the update",
    "minibatches": "gradients taken",
    "skipped": "always 0 here",
    "seconds": "wall time of the step",
}


def _best(policy: Policy, prompts: Sequence[str], reward: Reward, config: Config, seed: int,
          group: ProcessGroup | None = None) -> tuple[Rollout, Tensor, Tensor]:
    """n rows a prompt, side by side; their scores [B, n]; and the number of each prompt's best row [B]."""
    with precision(policy, config.autocast):
        rollout = sample_rollout(policy, [prompt for prompt in prompts for _ in range(config.n)], config.sampling, seed)
    scores = _by_prompt(score(reward, rollout, group), config.n)
    return rollout, scores, scores.argmax(-1).cpu() + torch.arange(len(prompts)) * config.n


def _by_prompt(x: Tensor, n: int) -> Tensor:
    return x.reshape(-1, n)


@torch.no_grad()
def _drift(reference: Policy, rollout: Rollout, config: Config) -> float:
    with precision(reference, config.autocast):
        there = response_logprob(reference, rollout, tokens_per_pass=TOKENS)
    return sequence_kl(rollout.logprob, there, rollout.mask).item()


def _check_prompts(policy: Policy, prompts: Sequence[str], config: Config) -> None:
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    check_room(policy, prompts, config.sampling)
