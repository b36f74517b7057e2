"""InstructGPT: demonstrations, rankings and PPO with a memory, again and again; every stage from one base.

    1. sft      16 epochs of demonstrations, a few of them kept                    base → the SFT models
    2. start    2 epochs of the same with pretraining texts among them             base → where PPO begins
    3. labels   4 to 9 responses of both to a prompt, ranked on one page           → rankings
    4. reward   one epoch of whole pages; demonstrations then score 0              start → reward model
    5. select   of the SFT models the one that the reward model likes best         → sft
    6. ppo      PPO-ptx from the start; the critic begins as the reward model      start → policy
    … 3, 4 and 6 again with the policy's own responses among the labels            → another policy

Source: Ouyang et al. 2022, arXiv:2203.02155.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from rlhf_kit import rewards
from rlhf_kit.evaluate import Estimate, Evaluation, evaluate
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Ranking, Step
from rlhf_kit.loops.batches import seed_for
from rlhf_kit.methods import ppo, reward_model, sft
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.models.critics import with_critic
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.recipes.learners import actor as with_head
from rlhf_kit.recipes.learners import updates
from rlhf_kit.sampling import Sampling, generate

Pairs = list[tuple[str, str]]
FEWEST, MOST = 4, 9                     # responses on a page
SPARE = 1.25                            # prompts asked for one page: some have too few different responses
MIXED = 0.1                             # share of pretraining texts among what the start of PPO learns from
AT_ONCE = 256                           # prompts answered together


class Data(Protocol):
    """What the recipe asks of its data: of the assistant's world, or of somebody's folder."""

    def demonstrations(self, n: int, split: str = "train") -> Pairs: ...

    def prompts(self, n: int, split: str = "train", purpose: str = "ppo") -> list[str]: ...

    def pretraining(self, n: int) -> list[str]: ...

    @property
    def mark(self) -> str | None:
        """The word behind which a response begins in every prompt; None if there is none."""

    def ranked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: str,
               purpose: str) -> list[Ranking | Comparison]:
        """At most n rankings of these responses, where somebody can be asked; else those that there are."""

    @property
    def asks(self) -> bool:
        """True if there is somebody to rank new responses."""

    def measured(self) -> Mapping[str, rewards.Reward]:
        """What is reported and never optimised."""

    def taxed(self, policy: Policy) -> Mapping[str, Estimate]:
        """What a policy can do on tasks that nothing here is about."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """All settings of a run at one scale; numbers of updates follow from the epochs and what there is to learn from."""

    base: str                           # a tiny model's name, a folder, or a hub id
    demonstrations: int
    epochs: int = 16
    keep_every: int = 2                 # epochs from one SFT model to the next
    sft: sft.Config
    start_epochs: int = 2
    start: sft.Config
    rankings: int                       # pages of each round
    reward: reward_model.Config
    likelihood: float = 0.0             # of a made-up world: reward per nat of a response token's mean log-probability
    prompts: int                        # that PPO draws from
    pretraining: int                    # texts that PPO-ptx draws from
    lora: LoRA | None = None            # what learns is an adapter, which every stage merges; None = all weights
    merge_in: Literal["bfloat16", "float32"] = "float32"
    own_critic: bool = True             # the reward model on a trunk of its own; False = a head on the policy
    ppo: ppo.Config
    held_out: int                       # prompts to be examined on
    validation: int                     # prompts and demonstrations to choose the SFT model by
    held_out_rankings: int


PRESETS: dict[str, Preset] = {
    # A page teaches so small a model little: the judge also hears how likely its start finds a response, and the
    # critic is a head on the policy. One that begins as the judge foresees less than nothing at first (explained
    # variance -1.9 over the first 6 steps, 0.0 with the head) and costs twice as much. The KL coefficient is five times
    # the paper's: at 0.02, and with a judge that has no likelihood, the policy ends in one sentence for all prompts.
    "tiny": Preset(
        base="tiny-base-{lang}", demonstrations=256, keep_every=4, rankings=600, likelihood=4.0, prompts=4000,
        pretraining=4000, held_out=300, validation=150, held_out_rankings=100, own_critic=False,
        sft=sft.Config(batch_size=32, learning_rate=3e-3, warmup=0, max_length=256, dropout=0.2),
        start=sft.Config(batch_size=16, learning_rate=3e-3, warmup=0, max_length=256),
        reward=reward_model.Config(batch_size=4, learning_rate=1e-3, warmup=5, max_length=256),
        ppo=ppo.Config(steps=60, batch_size=64, minibatch_size=16, epochs=1, learning_rate=7e-4, warmup=4, lam=1.0,
                       value_coef=0.5, kl=KL(coefficient=0.1), sampling=Sampling(max_new_tokens=64),
                       missing_eos_penalty=1.0, ptx_coef=0.3, weight_ema=0.9)),
    # Half a billion parameters on a free GPU of 16 GB: all weights learn, the critic is a head on the policy.
    "colab": Preset(
        base="Qwen/Qwen2.5-0.5B", demonstrations=1000, keep_every=8, rankings=1000, prompts=5000, pretraining=10_000,
        held_out=200, validation=100, held_out_rankings=200, own_critic=False,
        sft=sft.Config(batch_size=32, learning_rate=1e-5, warmup=0, max_length=512, dropout=0.2, micro_batch=4,
                       activation_checkpointing=True),
        start=sft.Config(batch_size=32, learning_rate=1e-5, warmup=0, max_length=512, micro_batch=4,
                         activation_checkpointing=True),
        reward=reward_model.Config(batch_size=32, learning_rate=9e-6, warmup=0, max_length=512, micro_batch=2,
                                   activation_checkpointing=True),
        ppo=ppo.Config(steps=100, batch_size=64, minibatch_size=16, epochs=1, learning_rate=5e-6, warmup=10,
                       kl=KL(coefficient=0.02), sampling=Sampling(max_new_tokens=128), missing_eos_penalty=1.0,
                       ptx_coef=27.8, ptx_texts=8, weight_ema=0.992, tokens_per_pass=2560,
                       activation_checkpointing=True)),
    # One GPU of 80 GB; an adapter learns. Batches, rates and γ are the paper's, as far as an adapter takes them.
    "7b": Preset(
        base="Qwen/Qwen2.5-7B", demonstrations=13_000, keep_every=8, rankings=33_000, prompts=31_000,
        pretraining=100_000, held_out=500, validation=200, held_out_rankings=1000, own_critic=False,
        lora=LoRA(rank=16, alpha=32), merge_in="bfloat16",
        sft=sft.Config(batch_size=32, learning_rate=5e-5, warmup=0, max_length=1024, dropout=0.2, micro_batch=4,
                       activation_checkpointing=True, autocast="bfloat16"),
        start=sft.Config(batch_size=32, learning_rate=5e-5, warmup=0, max_length=1024, micro_batch=4,
                         activation_checkpointing=True, autocast="bfloat16"),
        reward=reward_model.Config(batch_size=64, learning_rate=5e-5, warmup=0, max_length=1024, micro_batch=2,
                                   activation_checkpointing=True, autocast="bfloat16"),
        ppo=ppo.Config(steps=500, batch_size=512, minibatch_size=64, epochs=1, learning_rate=5e-5, warmup=10,
                       kl=KL(coefficient=0.02), sampling=Sampling(max_new_tokens=256), missing_eos_penalty=1.0,
                       ptx_coef=27.8, ptx_texts=8, weight_ema=0.992, tokens_per_pass=8192,
                       activation_checkpointing=True, autocast="bfloat16")),
}


# -- 1 and 2: demonstrations ------------------------------------------------------------------------------------------

def kept_after(preset: Preset, items: int) -> dict[int, int]:
    """update -> epoch of the SFT models that are kept, the last one always among them."""
    each = updates(preset.sft, items, 1)
    return {each * epoch: epoch for epoch in range(1, preset.epochs + 1)
            if epoch == 1 or epoch == preset.epochs or epoch % preset.keep_every == 0}


def sft_steps(preset: Preset, policy: Policy, demonstrations: Pairs, checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 1: far more epochs than its own validation loss likes."""
    config = replace(preset.sft, steps=updates(preset.sft, len(demonstrations), preset.epochs))
    yield from sft.steps(policy, demonstrations, config, checkpoint=checkpoint)


def start_mix(preset: Preset, data: Data, demonstrations: Pairs) -> Pairs:
    """Demonstrations, and so many pretraining texts that they are a tenth of all."""
    texts = data.pretraining(round(len(demonstrations) * MIXED / (1 - MIXED)))
    return [*demonstrations, *(("", text) for text in texts)]


def start_steps(preset: Preset, policy: Policy, mixed: Pairs, checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 2: where PPO begins has seen each demonstration twice."""
    config = replace(preset.start, steps=updates(preset.start, len(mixed), preset.start_epochs))
    yield from sft.steps(policy, mixed, config, checkpoint=checkpoint)


# -- 3: labels ---------------------------------------------------------------------------------------------------------

def candidates(writers: Sequence[Policy], prompts: Sequence[str], sampling: Sampling,
               seed: int) -> list[tuple[str, list[str]]]:
    """4 to 9 responses to each prompt, the writers taking turns, in no order."""
    rng = random.Random(f"pages {seed}")
    sizes = [rng.randint(FEWEST, MOST) for _ in prompts]
    found: list[tuple[str, list[str]]] = [(prompt, []) for prompt in prompts]
    for place, writer in enumerate(writers):
        rows = [i for i, size in enumerate(sizes) for k in range(size) if (i + k) % len(writers) == place]
        for first in range(0, len(rows), AT_ONCE):
            part = rows[first:first + AT_ONCE]
            said = generate(writer, [prompts[i] for i in part], sampling, seed=seed_for(seed, "page", place, first))
            for i, response in zip(part, said, strict=True):
                found[i][1].append(response)
    return found


def labels(preset: Preset, data: Data, writers: Sequence[Policy], n: int, purpose: str, split: str = "train",
           seed: int = 0) -> list[Ranking | Comparison]:
    """Stage 3: n rankings of what these policies wrote, or those that somebody brought."""
    prompts = data.prompts(round(n * SPARE), split, purpose) if data.asks else []
    return data.ranked(candidates(writers, prompts, preset.ppo.sampling, seed) if data.asks else [], n, split, purpose)


# -- 4 and 5: a judge --------------------------------------------------------------------------------------------------

def reward_steps(preset: Preset, model: RewardModel, rankings: Sequence[Ranking | Comparison], demonstrations: Pairs,
                 checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 4: each page once; at the end demonstrations score 0 on average."""
    config = replace(preset.reward, steps=updates(preset.reward, len(rankings), 1))
    yield from reward_model.steps(model, rankings, config, checkpoint=checkpoint)
    reward_model.centre(model, demonstrations)


@dataclass(frozen=True)
class Examined:
    """An SFT model on what it did not learn from."""

    epoch: int
    loss: float                         # nats per token of validation demonstrations
    score: tuple[float, ...]            # of the reward model, one a validation prompt
    others: Mapping[str, tuple[float, ...]] = field(default_factory=dict)      # what is measured besides, such as gold


def examine_epoch(preset: Preset, data: Data, policy: Policy, judge: RewardModel, epoch: int) -> Examined:
    """Stage 5, one of the SFT models: its loss, and what the reward model says of its responses."""
    seen = examine(preset, data, policy, policy, judge, data.prompts(preset.validation, "heldout", "validation"))
    loss = sft.loss_on(policy, data.demonstrations(preset.validation, "heldout"), preset.sft)
    return Examined(epoch, loss, seen.each["score"], {name: x for name, x in seen.each.items() if name != "score"})


def best(rows: Sequence[Examined]) -> Examined:
    """The one that the reward model likes best; its loss does not count."""
    return max(rows, key=lambda row: sum(row.score) / len(row.score))


# -- 6: PPO ------------------------------------------------------------------------------------------------------------

def actor(preset: Preset, start: Policy, judge: RewardModel) -> Policy:
    """The policy that PPO trains, with its critic."""
    own = preset.own_critic and preset.lora is None
    return with_critic(start, judge) if own else with_head(preset, start, preset.ppo.seed)


def ppo_steps(preset: Preset, data: Data, policy: Policy, reference: Policy, judge: RewardModel,
              checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 6: PPO, or with pretraining texts and their coefficient PPO-ptx."""
    texts = data.pretraining(preset.pretraining) if preset.ppo.ptx_coef else None
    yield from ppo.steps(policy, reference, data.prompts(preset.prompts), rewards.learned(judge), preset.ppo,
                         evaluation_rewards=data.measured(), pretraining=texts, checkpoint=checkpoint)


def examine(preset: Preset, data: Data, policy: Policy, reference: Policy, judge: RewardModel,
            prompts: Sequence[str]) -> Evaluation:
    """One response to each prompt, the reward model's score of it, and what is measured besides."""
    return evaluate(policy, reference, prompts, {"score": rewards.learned(judge), **data.measured()},
                    preset.ppo.sampling, preset.ppo.seed + 1)

