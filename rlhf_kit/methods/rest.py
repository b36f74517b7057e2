"""ReST: a policy writes a data set once, learns from its ever better part, and writes the next one."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import SGD, Adam

from rlhf_kit.engine import passes, precision, read
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.offline import (
    above,
    behaviour_cloning,
    behaviour_vmpo,
    gold,
    gold_quality,
    interpolated_threshold,
    offline_actor_critic,
    percentile_threshold,
    vmpo_temperature,
    vmpo_weights,
)
from rlhf_kit.formulas.records import Rollout, Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops import fitting
from rlhf_kit.loops.as_read import Example
from rlhf_kit.loops.batches import check_settings, draw, seed_for
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.identity import identity
from rlhf_kit.loops.parts import check_passes
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import check_texts, pad_id, prompt_rows, response_rows
from rlhf_kit.rewards import Memory, Reward, check_arguments, score
from rlhf_kit.sampling import Sampling, check_room, given_rollout, joined, response_logprob, sample_rollout
from rlhf_kit.storage import StorageError, load_tensors, save_tensors

TOGETHER = 64                       # responses that are drawn and scored at once
SWAPPED = 1.0                       # nats per token by which original data may not be likelier the other way round
THRESHOLDS = {"percentile": percentile_threshold, "interpolated": interpolated_threshold}
VALUED = ("bvmpo", "oac")           # losses that need a value network, trained on the original data


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run: G Grows of as many Improves as there are thresholds, `updates` gradients each."""

    grows: int = 2                        # G: data sets, each drawn from the policy as it then is
    responses: int = 4                    # drawn for each prompt in a Grow
    prompts_per_grow: int | None = None   # None = all of them
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.8))     # the paper's

    thresholds: tuple[float, ...] = (0.7, 0.8, 0.9)       # τ_1 < τ_2 < …, one Improve each
    kind: Literal["fixed", "percentile", "interpolated"] = "fixed"        # rewards from 0 to 1; percent; or γ
    loss: Literal["bc", "gold", "bvmpo", "oac"] = "bc"                    # see `formulas.offline`
    original_share: float = 0.25          # of every batch: original responses, whatever their reward
    updates: int = 60                     # gradients of one Improve
    batch_size: int = 16                  # responses per gradient
    learning_rate: float = 1e-3           # of a Grow's first Improve; for a tiny model
    rate_ratio: float = 0.5               # rate of each further Improve over that of the one before
    max_grad_norm: float = 1.0            # global; math.inf = off
    seed: int = 0

    autocast: Literal["bfloat16"] | None = None    # mixed precision of drawing and learning alike
    tokens_per_pass: int | None = None    # tokens, padding included, of one forward and backward pass; None = all
    activation_checkpointing: bool = False         # keep each block's input only: less memory, a third more time

    gold_kind: Literal["p", "s", "delta"] = "s"           # Q̂ of GOLD
    gold_floor: float = 0.1               # u, least importance weight of a token
    unroll: int = 5                       # k, tokens that Q̂ looks ahead
    temperature: float = 1.0              # η of V-MPO at the start; it learns
    epsilon: float = 0.01                 # nats that V-MPO's weights may lie from even ones
    anchor: tuple[float, float] = (1.0, 1e-5)             # λ of BVMPO, at the first and at the last update of a Grow
    value_updates: int = 100              # gradients of the critic on each data set (bvmpo, oac)

    def __post_init__(self) -> None:
        for name in ("grows", "responses", "updates", "unroll"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, max_grad_norm=self.max_grad_norm)
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        for name, known in (("kind", ("fixed", *THRESHOLDS)), ("loss", ("bc", "gold", "bvmpo", "oac")),
                            ("gold_kind", ("p", "s", "delta"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(known)}.")
        if not self.thresholds or any(b <= a for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError(f"the thresholds are {self.thresholds}; each Improve filters more strictly than the one "
                             f"before, so they must rise, such as (0.7, 0.8, 0.9).")
        least, most = {"fixed": (-math.inf, 1), "percentile": (0, 100), "interpolated": (0, 1)}[self.kind]
        if not least <= self.thresholds[0] or not self.thresholds[-1] < most:
            raise ValueError(f"the thresholds are {self.thresholds}; as {self.kind} ones they lie from {least} to "
                             f"below {most}.")
        if self.prompts_per_grow is not None and self.prompts_per_grow < 1:
            raise ValueError(f"prompts_per_grow is {self.prompts_per_grow}; it must be at least 1, or None for all.")
        if not 0 <= self.original_share < 1:
            raise ValueError(f"original_share is {self.original_share}; expected 0 <= share < 1: with 1 nothing that "
                             f"was drawn would be learnt from.")
        if self.loss == "bvmpo" and self.batch_size < 2:
            raise ValueError("batch_size is 1; bvmpo takes the better half of a batch, so it must be at least 2.")
        if not 0 < self.rate_ratio <= 1:
            raise ValueError(f"rate_ratio is {self.rate_ratio}; it must be above 0 and at most 1.")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0 and finite.")
        if not 0 <= self.gold_floor <= 1:
            raise ValueError(f"gold_floor is {self.gold_floor}; a probability's floor lies between 0 and 1.")
        if len(self.anchor) != 2 or min(self.anchor) < 0:
            raise ValueError(f"anchor is {self.anchor}; expected two numbers, none below 0: at first and at last.")
        if self.value_updates < 0 or not 0 <= self.epsilon < math.inf:
            raise ValueError(f"value_updates is {self.value_updates} and epsilon {self.epsilon}; both are finite, and "
                             f"neither may be negative.")
        check_passes(self.tokens_per_pass, 0, self.autocast)

    @property
    def steps(self) -> int:
        """Gradients in all: G · I · updates."""
        return self.grows * len(self.thresholds) * self.updates


def raft(config: Config) -> Config:
    """The same run as RAFT: one Improve a Grow, on the best of each prompt's responses, and nothing original.

    Of n responses to each prompt the share 1/n is kept, by one threshold for all prompts as in ReST's account of it.
    Source: Dong et al. 2023, arXiv:2304.06767; as a case of ReST: arXiv:2308.08998, section 5.
    """
    return replace(config, thresholds=(100 * (1 - 1 / config.responses),), kind="percentile", original_share=0.0,
                   loss="bc")


def steps(policy: Policy, prompts: Sequence[str], original: Sequence[tuple[str, str]], reward: Reward,
          config: Config | None = None, *, evaluation_rewards: Mapping[str, Reward] | None = None,
          checkpoint: Path | str | None = None, checkpoint_every: int = 50) -> Iterator[Step]:
    """Yield one `Step` per gradient; nothing runs until you iterate, and `break` stops.

        Grow:     D_g = {(x, y): x from the prompts, y ~ π}  and the original data;   R(x, y) asked once
        Improve:  minimise  mean of L(x, y) over those drawn with R(x, y) > τ_i and over original data, which are
                  never filtered and make up `original_share` of every batch;   τ_1 < τ_2 < …, with falling rates

    Args:
        policy: trained in place; begin with one that has imitated the original data (`sft.steps`). A value head is left
            alone.
        prompts: what responses are drawn to.
        original: (prompt, response) pairs that people wrote; a share of every batch, unfiltered.
        reward: `(prompts, responses) -> [B]`, asked about every drawn response once, G · N times in all, however many
            Improves follow; of the losses "bvmpo" and "oac" also about the original data, once.
        evaluation_rewards: asked about each data set as it is drawn, reported as `drawn_NAME`, never filtered by.
        checkpoint: a folder to save in and resume from, the data sets included; past steps are yielded again first.

    Returns: an iterator of `Step`; `metrics` explained in `METRICS`.
    Raises: ValueError for bad settings, rewards outside [0, 1] under fixed thresholds, a threshold that leaves nothing,
        and original data that seem to be the wrong way round; sanity_checks.CheckFailed; rewards.RewardError.
    Source: Gulcehre et al. 2023, arXiv:2308.08998, section 3 and algorithm 1.
    """
    config = given(config, Config)
    check(policy, prompts, original, reward, config)
    policy.eval()                                  # no dropout: what is learnt from is read as it was drawn
    optimizer = Adam([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate)
    eta = torch.tensor(config.temperature).log().requires_grad_(True)
    eta_optimizer = SGD([eta], lr=0.1)
    memory = Memory({"reward": reward, **{f"evaluation.{name}": f for name, f in (evaluation_rewards or {}).items()}})
    run = identity("rest", config, prompts=prompts, original=original, reward=reward, start=policy.lm)
    saved = Checkpoint(checkpoint, run, checkpoint_every)
    past, state = saved.resume(policy.lm, optimizer, memory)
    with torch.no_grad():
        eta.copy_(torch.tensor(state.get("eta", eta.item())))
    yield from past
    improves, data = len(config.thresholds), None

    for number in range(len(past), config.steps):
        began = time.perf_counter()
        g, rest = divmod(number, improves * config.updates)
        i, u = divmod(rest, config.updates)

        # Grow: a new data set, scored once; a resumed run finds the one it had.
        if data is None or rest == 0:
            data = _Grown.load(checkpoint, run, g, policy.device, memory) if rest else None
            if data is None:
                if rest:
                    raise StorageError(f"{checkpoint} has steps of Grow {g + 1} but not its data set, "
                                       f"{_Grown.path(checkpoint, g).name}. Put the file back, or start again in "
                                       f"another folder.")
                data = _Grown.load(checkpoint, run, g, policy.device, memory) or _grow(
                    policy, prompts, original, reward, evaluation_rewards, config, g)
                data.save(checkpoint, run, g, memory)
            thresholds = _thresholds(data, config)

        # Improve: the part above a threshold, and a share of the original data.
        kept = data.places(above(data.reward, thresholds[i]) & data.drawn)
        rows = _rows(kept, data.places(~data.drawn), config, number)
        rate = config.learning_rate * config.rate_ratio**i
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        batch, total = data.rollout[rows], 0.0
        anchor = _between(*config.anchor, rest / max(improves * config.updates - 1, 1))
        psi = _learnt_weights(data, rows, eta, eta_optimizer, config) if config.loss == "bvmpo" else None
        for part, share in passes(batch, None, config.tokens_per_pass):
            with precision(policy, config.autocast):
                now = read(policy, batch[part], tokens_per_pass=config.tokens_per_pass,
                           checkpointing=config.activation_checkpointing).logprob
            if psi is not None:                                # a sum over responses: its parts simply add up
                loss = behaviour_vmpo(now, psi[part].to(now), batch.mask[part], anchor * len(part) / len(batch))
            else:
                loss = share * _loss(now, batch[part], data, rows[part], config)
            loss.backward()
            total += loss.item()
        update(policy.lm, optimizer, config.max_grad_norm, number, cause=diverged(rate))

        # Report.
        step = Step(number, {"loss": total, "grow": g + 1, "improve": i + 1, "threshold": thresholds[i],
                             "kept": len(kept), "drawn": int(data.drawn.sum()), "score": data.mean_score,
                             "kept_score": data.reward[kept].mean().item(), **data.measured,
                             "reward_calls": data.calls, "learning_rate": rate,
                             "seconds": time.perf_counter() - began}, data.rollout[kept].texts(4) if u == 0 else ())
        saved.record(step, config.steps - 1, policy.lm, optimizer, {"eta": eta.item()}, memory)
        yield step


def train(policy: Policy, prompts: Sequence[str], original: Sequence[tuple[str, str]], reward: Reward,
          config: Config | None = None, *, evaluation_rewards: Mapping[str, Reward] | None = None,
          checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, prompts, original, reward, config, evaluation_rewards=evaluation_rewards,
                      checkpoint=checkpoint))


METRICS = {
    "loss": "of this gradient, before it; what it is of depends on `Config.loss`",
    "grow": "number of the data set, from 1",
    "improve": "number of the threshold, from 1",
    "threshold": "τ, in units of reward, whatever kind it was given as",
    "kept": "drawn responses whose reward lies above τ",
    "drawn": "responses drawn in this Grow",
    "score": "mean reward of all of them: what the policy was worth when it drew them",
    "kept_score": "mean reward of those above τ",
    "reward_calls": "responses that the reward function was asked about, since the beginning",
    "learning_rate": "of this Improve",
    "seconds": "wall time of the gradient; with a Grow's first, of drawing and scoring, too",
}


@dataclass
class _Grown:
    """D_g: responses drawn from the policy and original ones, with everything that was asked about them once."""

    rollout: Rollout                # N rows at temperature 1; `logprob` is the behaviour's, the policy of this Grow
    reward: Tensor                  # [N], of original ones 0 where nobody asked
    drawn: Tensor                   # [N] True on the policy's own
    calls: int                      # of the reward function, since the beginning of the run
    measured: dict[str, float]      # means of the evaluation rewards
    value: Tensor | None = None     # [N, T] the critic's guess, for losses that want one

    @property
    def mean_score(self) -> float:
        return self.reward[self.drawn].mean().item()

    def places(self, chosen: Tensor) -> Tensor:
        return chosen.nonzero()[:, 0]

    @staticmethod
    def path(folder: Path | str, g: int) -> Path:
        return Path(folder) / f"grown-{g + 1}.safetensors"

    def save(self, folder: Path | str | None, run: dict, g: int, memory: Memory) -> None:
        """Once, atomically, before anything is learnt from it; with what the rewards remember that were asked."""
        if folder is None or self.path(folder, g).exists():
            return
        tensors = {f.name: value for f in fields(Rollout)
                   if isinstance(value := getattr(self.rollout, f.name), Tensor)}
        more = {} if self.value is None else {"critic": self.value}
        save_tensors(self.path(folder, g), {**tensors, **more, "reward": self.reward, "drawn": self.drawn},
                     {"run": repr(run), "calls": self.calls, "measured": self.measured, "memory": memory.state_dict(),
                      "prompts": self.rollout.prompts, "responses": self.rollout.responses})

    @classmethod
    def load(cls, folder: Path | str | None, run: dict, g: int, device: torch.device, memory: Memory) -> _Grown | None:
        """What was saved, to be read by a policy on that device; None if there is nothing. The rewards remember again.

        Raises: StorageError if it belongs to another run.
        """
        if folder is None or not cls.path(folder, g).exists():
            return None
        tensors, about = load_tensors(cls.path(folder, g))
        if about.get("run") != repr(run):
            raise StorageError(f"{cls.path(folder, g)} was drawn by a run with other settings. Use another folder, or "
                               f"delete the file to draw again.")
        memory.load_state_dict(about.get("memory", {}))
        reward, drawn, value = tensors.pop("reward"), tensors.pop("drawn"), tensors.pop("critic", None)
        rollout = Rollout(prompts=about["prompts"], responses=about["responses"], value=None, temperature=1.0,
                          **{name: tensor.to(device) for name, tensor in tensors.items()})
        return cls(rollout, reward, drawn, about["calls"], about["measured"], value)


def _grow(policy: Policy, prompts: Sequence[str], original: Sequence[tuple[str, str]], reward: Reward,
          evaluation_rewards: Mapping[str, Reward] | None, config: Config, g: int) -> _Grown:
    """Draw, score, and read everything once with the policy as it is now."""
    size = config.prompts_per_grow or len(prompts)
    asked = [prompts[k] for k in draw(len(prompts), size, seed_for(config.seed, "grow"), g)
             for _ in range(config.responses)]
    parts, rewards, others = [], [], {name: [] for name in evaluation_rewards or {}}
    for first in range(0, len(asked), TOGETHER):
        with precision(policy, config.autocast):
            part = sample_rollout(policy, asked[first:first + TOGETHER], config.sampling,
                                  seed_for(config.seed, "rollout", g, first))
        rewards.append(score(reward, part).cpu())
        for name, found in others.items():
            found.append(score(evaluation_rewards[name], part).cpu())
        parts.append(_read(policy, part, config))
    calls = (g + 1) * len(asked)
    judged = config.loss in VALUED
    for first in range(0, len(original), TOGETHER):
        pairs = original[first:first + TOGETHER]
        part = given_rollout(policy, [x for x, _ in pairs], [y for _, y in pairs])
        rewards.append(score(reward, part).cpu() if judged else torch.zeros(len(pairs)))
        parts.append(_read(policy, part, config))
    found = torch.cat(rewards)
    grown = _Grown(joined(parts, pad_id(policy.tokenizer)), found, torch.arange(len(found)) < len(asked),
                   calls + judged * (g + 1) * len(original),
                   {f"drawn_{name}": torch.cat(each).mean().item() for name, each in others.items()})
    if judged:
        grown.value = _values(policy, grown, config, g)
    return grown


@torch.no_grad()
def _read(policy: Policy, part: Rollout, config: Config) -> Rollout:
    """The same rows at temperature 1 with this policy's log-probabilities, and nothing else that is not needed."""
    part = replace(part, temperature=1.0, value=None, entropy=None)
    with precision(policy, config.autocast):
        return replace(part, logprob=response_logprob(policy, part))


def _values(policy: Policy, data: _Grown, config: Config, g: int) -> Tensor:
    """A critic of the policy that drew these responses: V before each token, [N, T], fitted to their rewards.

        minimise  mean over tokens of ½ (V(s_t) - R)²

    A copy of the policy's network with a value head, which is thrown away once it has spoken.
    """
    critic = Policy(copy.deepcopy(policy.lm), policy.tokenizer).requires_grad_(True).eval()
    optimizer = Adam([p for p in critic.parameters() if p.dtype.is_floating_point], lr=config.learning_rate)
    with torch.no_grad():
        critic.value_head.bias.fill_(data.mean_score)
    for number in range(config.value_updates):
        rows = torch.tensor(draw(len(data.reward), min(config.batch_size, len(data.reward)),
                                 seed_for(config.seed, "critic", g), number))
        batch = data.rollout[rows]
        guess = read(critic, batch, value=True, tokens_per_pass=config.tokens_per_pass).value
        error = 0.5 * masked_mean((guess - data.reward[rows].to(guess.device)[:, None]).square(), batch.mask)
        optimizer.zero_grad()
        error.backward()
        update(critic, optimizer, config.max_grad_norm, number, cause=diverged(config.learning_rate))
    with torch.no_grad():
        return torch.cat([read(critic, data.rollout[part], value=True).value
                          for part in torch.arange(len(data.reward)).split(TOGETHER)])


def _thresholds(data: _Grown, config: Config) -> list[float]:
    """τ of each Improve in units of reward, all of them checked before the first. Raises: ValueError."""
    reward = data.reward[data.drawn]
    high = reward.max().item()
    check_rewards(reward, config)
    found = [tau if config.kind == "fixed" else THRESHOLDS[config.kind](reward, tau) for tau in config.thresholds]
    if not (reward > found[-1]).any():
        left = max((tau for tau in found if (reward > tau).any()), default=None)
        kept = "none of them does" if left is None else f"{left:.3g} still leaves {int((reward > left).sum())}"
        raise ValueError(f"the threshold {found[-1]:.3g} leaves none of the {len(reward)} drawn responses, whose "
                         f"highest reward is {high:.3g}; {kept}. Give lower thresholds, or kind='percentile'.")
    return found


def _rows(kept: Tensor, original: Tensor, config: Config, number: int) -> Tensor:
    """Numbers of the rows of one batch: original ones first."""
    old = round(config.batch_size * config.original_share) if len(original) else 0
    old = min(old, config.batch_size - 1)
    chosen = [pool[draw(len(pool), size, seed_for(config.seed, name), number)]
              for name, pool, size in (("original", original, old), ("kept", kept, config.batch_size - old)) if size]
    return torch.cat(chosen)


def _loss(logprob: Tensor, batch: Rollout, data: _Grown, rows: Tensor, config: Config) -> Tensor:
    """L of these rows of the data set, a mean over their tokens, under the policy's log-probabilities now."""
    if config.loss == "gold":
        quality = gold_quality(batch.logprob, batch.mask, config.gold_kind, config.unroll)
        return gold(logprob, quality, batch.mask, config.gold_floor)
    if config.loss == "oac":
        return offline_actor_critic(logprob, data.reward[rows].to(logprob), data.value[rows].to(logprob), batch.mask)
    return behaviour_cloning(logprob, batch.mask)


def _learnt_weights(data: _Grown, rows: Tensor, eta: Tensor, optimizer: SGD, config: Config) -> Tensor:
    """V-MPO's ψ of one batch, [B], after its temperature has learnt from it; `eta` is the temperature's logarithm."""
    advantage = data.reward[rows] - data.value[rows, 0].cpu()                       # V at the prompt
    optimizer.zero_grad()
    vmpo_temperature(advantage, eta.exp(), config.epsilon).backward()
    optimizer.step()
    return vmpo_weights(advantage, eta.detach().exp())


def _between(first: float, last: float, share: float) -> float:
    """From `first` to `last` in equal ratios, or in a straight line where one of them is 0."""
    if min(first, last) <= 0:
        return first + (last - first) * share
    return first * (last / first) ** share


def check_rewards(rewards: Sequence[float] | Tensor, config: Config) -> None:
    """Raises ValueError if these, of some responses, are none that the thresholds are for."""
    reward = torch.as_tensor(rewards)
    low, high = reward.min().item(), reward.max().item()
    if config.kind == "fixed" and not (low >= 0 and high <= 1):
        raise ValueError(f"the rewards of the drawn responses run from {low:.3g} to {high:.3g}, and fixed thresholds "
                         f"are for rewards from 0 to 1. Take kind='percentile', or bound the reward: a probability, "
                         f"a scale of yours, or both ends cut off (in Python, kit.rewards.clipped).")


@torch.no_grad()
def check(policy: Policy, prompts: Sequence[str], original: Sequence[tuple[str, str]], reward: Reward,
          config: Config) -> None:
    """Whether `steps` can begin with these; it asks this itself. Raises: ValueError, as `steps` does."""
    check_learns(policy)
    check_arguments(policy, reward)
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    check_room(policy, prompts, config.sampling)
    if not len(original) and config.original_share > 0:
        raise ValueError(f"there are no original responses, and original_share is {config.original_share}. Give "
                         f"(prompt, response) pairs that people wrote, or set original_share=0.")
    for place, pair in enumerate(original):
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise ValueError(f"original response {place + 1} is {' '.join(repr(pair).split())[:60]}; expected a "
                             f"(prompt, response) pair of texts.")
    _check_lengths(policy, original)
    if len(original) >= 8:
        _check_direction(policy, original[:32])


def readable(policy: Policy, original: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that the policy can read to their end."""
    if policy.context is None or not len(original):
        return list(original)
    return [pair for pair, n in zip(original, _lengths(policy, original), strict=True) if n <= policy.context]


def as_read(policy: Policy, original: Sequence[tuple[str, str]]) -> Iterator[Example]:
    """Original responses as they are imitated: whole, or left out by `readable`."""
    return fitting.as_read(policy, [x for x, _ in original], [(y,) for _, y in original],
                           [("response",)] * len(original), policy.context or sys.maxsize)


def _lengths(policy: Policy, original: Sequence[tuple[str, str]]) -> list[int]:
    """Tokens of each pair, the closing EOS included."""
    there, back = [x for x, _ in original], [y for _, y in original]
    return [len(x) + len(y) for x, y in zip(prompt_rows(policy.tokenizer, there),
                                            response_rows(policy.tokenizer, back, there), strict=True)]


def _check_lengths(policy: Policy, original: Sequence[tuple[str, str]]) -> None:
    """Whether the policy can read every pair to its end. Raises: ValueError, naming the longest."""
    if policy.context is None or not len(original):
        return
    lengths = _lengths(policy, original)
    if max(lengths) > policy.context:
        place = lengths.index(max(lengths))
        raise ValueError(f"{sum(n > policy.context for n in lengths)} of {len(lengths)} original responses are longer "
                         f"than the model reads: number {place + 1} has {lengths[place]} tokens with its prompt, and "
                         f"the model reads {policy.context} at most. Shorten them or leave them out.")


def _check_direction(policy: Policy, pairs: Sequence[tuple[str, str]]) -> None:
    """Whether the policy finds the pairs far likelier the other way round. Raises: ValueError."""
    def surprise(prompts: list[str], responses: list[str]) -> float:
        seen = given_rollout(policy, prompts, responses)
        return -masked_mean(seen.logprob, seen.mask).item()
    there, back = [x for x, _ in pairs], [y for _, y in pairs]
    if not all(there) or not all(back) or there == back:
        return
    forward, backward = surprise(there, back), surprise(back, there)
    if forward - backward > SWAPPED:
        raise ValueError(f"the original data seem to be the wrong way round: the policy is surprised by "
                         f"{forward:.1f} nats per token of the responses, and by {backward:.1f} with prompts and "
                         f"responses exchanged. Exchange them, or begin with a policy that has imitated them.")
