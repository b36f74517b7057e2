"""StackLLaMA: a language model learns to answer questions, stage by stage, each an adapter on a base in 8 bits.

    1. sft     an adapter learns to answer in the template, texts packed      base → sft adapter
    2. merge   into 16 or 32 bits, never into the 8                           base + sft adapter → sft
    3. reward  another adapter with a head learns what voters prefer          sft → reward adapter
    4. ppo     policy, reference, value head and reward share one sft base    sft → policy adapter
    5. merge   again, and before and after are compared                       sft + policy adapter → policy

Source: Beeching et al., "StackLLaMA", Hugging Face 2023; votes as in Askell et al. 2021, arXiv:2112.00861.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.rankings import as_ranking
from rlhf_kit.evaluate import Agreement, Evaluation, agreement, evaluate
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Step
from rlhf_kit.language import Lang
from rlhf_kit.loops.process_group import Accelerator
from rlhf_kit.methods import ppo, reward_model, trl_bridge
from rlhf_kit.methods.trl_bridge import RewardConfig, SftConfig
from rlhf_kit.models.adapters import LoRA, check_base
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import Quantization
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks import FORUM, room
from rlhf_kit.tasks.forum import fences

Precision = Literal["float32", "bfloat16"]
DEMONSTRATIONS = 200                    # answers that score 0 on average, before PPO


class Questions(Protocol):
    """What the recipe asks of its data; the made-up `Forum` has it, and `stack_exchange.paired.Stack`."""

    def answered(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, str]]: ...

    def comparisons(self, n: int, seed: int = 0, split: str = "train") -> list[Comparison]: ...

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]: ...


@dataclass(frozen=True, kw_only=True)
class Preset:
    """All settings of a run at one scale."""

    base: str                           # a tiny model's name, a folder, or a hub id
    data: str | None = None             # a data set on the hub where none is named; None = the made-up forum
    quantize: Quantization | None = "int8"                  # of every frozen base
    merge_in: Precision = "bfloat16"    # the type of merged weights
    answers: int                        # (question, answer) pairs for the first stage
    pairs: int                          # comparisons for the reward model
    prompts: int                        # questions that PPO draws from
    held_out: int                       # questions to be examined on
    held_out_pairs: int                 # comparisons to be examined on
    sft: SftConfig
    reward: RewardConfig
    lora: LoRA = field(default_factory=LoRA)                # of the policy; no dropout
    ppo: ppo.Config


PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        base="tiny-forum", merge_in="float32", answers=3000, pairs=6000, prompts=2000, held_out=256,
        held_out_pairs=2000,
        sft=SftConfig(steps=60, batch_size=2, gradient_accumulation=2, learning_rate=3e-3, warmup=6, weight_decay=0.0,
                      max_length=256, lora=LoRA(rank=16, alpha=32)),
        reward=RewardConfig(steps=120, epochs=None, batch_size=16, learning_rate=3e-3, warmup=10, max_length=192,
                            quantize="int8", lora=LoRA(rank=8, alpha=32)),
        lora=LoRA(rank=16, alpha=32),
        ppo=ppo.Config(steps=25, batch_size=48, minibatch_size=24, epochs=2, learning_rate=5e-4, min_lr_ratio=0.2,
                       value_coef=0.5, kl=KL(coefficient=0.1), sampling=Sampling(max_new_tokens=80, temperature=0.7),
                       missing_eos_penalty=1.0)),
    # A base of half a billion parameters on a free GPU of 16 GB, which knows no bfloat16. PPO's batches are those of
    # all processes together, so 1, 2, 4 or 8 may share them; a pass holds as many tokens as memory has room for.
    "colab": Preset(
        base="Qwen/Qwen2.5-0.5B", data="lvwerra/stack-exchange-paired", merge_in="float32", answers=4000, pairs=8000,
        prompts=2000, held_out=64, held_out_pairs=500,
        sft=SftConfig(steps=250, batch_size=2, gradient_accumulation=8, learning_rate=1e-4, warmup=20, max_length=512,
                      checkpointing=True),
        reward=RewardConfig(steps=250, epochs=None, batch_size=4, gradient_accumulation=4, learning_rate=5e-5,
                            max_length=512, quantize="int8", checkpointing=True),
        ppo=ppo.Config(steps=60, batch_size=32, minibatch_size=8, tokens_per_pass=2560, activation_checkpointing=True,
                       epochs=2, learning_rate=1.4e-5, value_coef=0.1,
                       kl=KL(coefficient=0.2, target=6.0), sampling=Sampling(max_new_tokens=96),
                       missing_eos_penalty=1.0)),
    # One GPU of 80 GB; on several, batches per process stay and SFT sees as many times the tokens.
    "7b": Preset(
        base="Qwen/Qwen2.5-7B", data="lvwerra/stack-exchange-paired", answers=200_000, pairs=100_000, prompts=50_000,
        held_out=256, held_out_pairs=2000,
        sft=SftConfig(steps=5000, batch_size=4, learning_rate=1e-4, warmup=100, max_length=1024, bf16=True,
                      checkpointing=True),
        reward=RewardConfig(batch_size=4, gradient_accumulation=2, learning_rate=2e-5, max_length=512, bf16=True,
                            checkpointing=True),
        ppo=ppo.Config(steps=1000, batch_size=64, minibatch_size=16, tokens_per_pass=4096,
                       activation_checkpointing=True, epochs=4, learning_rate=1.4e-5, value_coef=0.1,
                       kl=KL(coefficient=0.2, target=6.0), sampling=Sampling(max_new_tokens=128), autocast="bfloat16",
                       missing_eos_penalty=1.0)),
}


def forum_lang(task: str | None) -> Lang:
    """The language of the made-up forum that a run asks about: English, unless its task is the Chinese one."""
    return "zh" if task == "forum-zh" else "en"


def in_language(preset: Preset, lang: Lang) -> Preset:
    """The same on the made-up forum of that language, whose answers take more tokens in Chinese.

    A preset with another base than the tiny ones that have read a forum stays as it is.
    """
    if preset.base not in FORUM.values():
        return preset
    sampling = preset.ppo.sampling
    longer = replace(sampling, max_new_tokens=room(f"forum-{lang}", sampling.max_new_tokens))
    return replace(preset, base=FORUM[lang], ppo=replace(preset.ppo, sampling=longer))


def sft(preset: Preset, data: Questions, base: str | Path, folder: Path,
        device: str | torch.device = "cpu") -> Iterator[Step]:
    """Stage 1: an adapter in `folder` that answers in the template."""
    yield from trl_bridge.sft_steps(base, data.answered(preset.answers, preset.sft.seed), folder, preset.sft,
                                    device=device)


def merged(preset: Preset, base: str | Path, adapter: Path, folder: Path) -> None:
    """Stages 2 and 5: base and adapter as one plain model in `folder`, in 16 or 32 bits."""
    zoo.merge_adapter(adapter, folder, base=base, dtype=preset.merge_in)


def reward(preset: Preset, data: Questions, base: str | Path, folder: Path,
           device: str | torch.device = "cpu") -> Iterator[Step]:
    """Stage 3: an adapter with a head in `folder` that says what voters prefer."""
    yield from trl_bridge.reward_steps(base, data.comparisons(preset.pairs, preset.reward.seed), folder, preset.reward,
                                       device=device)


def shared_base(preset: Preset, data: Questions, base: str | Path, reward_adapter: Path,
                device: str | torch.device = "cpu") -> SharedBase:
    """One base in memory with a fresh policy adapter and the reward adapter, whose scores of answers average 0."""
    check_base(reward_adapter, base)
    shared = SharedBase(*_loaded(preset, base, device), lora=preset.lora, seed=preset.ppo.seed)
    model = shared.add_reward(reward_adapter)
    reward_model.centre(model, data.answered(DEMONSTRATIONS, preset.ppo.seed + 1))
    return shared


def ppo_steps(preset: Preset, data: Questions, shared: SharedBase, *, checkpoint: Path | None = None,
              accelerator: Accelerator | None = None) -> Iterator[Step]:
    """Stage 4: the policy's adapter and value head learn to please the reward model; gold and fences are watched."""
    yield from ppo.steps(shared.policy, shared.reference, data.prompts("train", preset.prompts),
                         rewards.learned(shared.reward_model), preset.ppo, evaluation_rewards=watched(data),
                         checkpoint=checkpoint, accelerator=accelerator)


def watched(data: Questions) -> dict[str, rewards.Reward]:
    """What is reported and never optimised: the truth where it is known, and the share of responses with a fence."""
    return {**({"gold": rewards.gold(data)} if hasattr(data, "gold") else {}), "fenced": fenced}


def fenced(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """1 for a response with a code fence, else 0: what StackLLaMA's reward model took for quality."""
    return [float(fences(response) > 0) for response in responses]


@dataclass(frozen=True)
class Voters:
    """How well the reward model agrees with votes that it did not learn from."""

    model: Agreement
    length: Agreement               # a scorer that sees nothing but the length, for or against as learnt
    above_length: float             # standard errors between the two, asked about the same pairs
    ceiling: float | None           # what nobody can exceed but by luck; None where the truth is unknown

    def numbers(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {"accuracy": asdict(self.model.pair_accuracy), "loss": self.model.loss,
                "calibration_error": self.model.calibration_error,
                "length_only": asdict(self.length.pair_accuracy), "above_length": self.above_length,
                "ceiling": self.ceiling}


def examine_reward(preset: Preset, data: Questions, shared: SharedBase) -> Voters:
    """Ask the reward model about held-out pairs, and beside it the length alone."""
    pairs = data.comparisons(preset.held_out_pairs, split="heldout")
    model = _asked_once(rewards.learned(shared.reward_model), pairs)
    longer = _right(_length, data.comparisons(preset.held_out_pairs)).mean() >= 0.5
    length = _length if longer else _shortness
    gain = _right(model, pairs) - _right(length, pairs)                             # [pairs], -1 to 1
    ceiling = data.bayes_accuracy(pairs) if hasattr(data, "bayes_accuracy") else None
    held_out = [as_ranking(pair) for pair in pairs]
    return Voters(agreement(model, held_out), agreement(length, held_out),
                  (gain.mean() / (gain.std(correction=0) / len(gain) ** 0.5).clamp(min=1e-9)).item(), ceiling)


def examine(preset: Preset, data: Questions, policy: Policy, reference: Policy, shared: SharedBase) -> Evaluation:
    """One answer to each held-out question, with the reward model's score, the truth where it is known, and the KL."""
    measured = {"score": rewards.learned(shared.reward_model), **watched(data)}
    return evaluate(policy, reference, data.prompts("heldout", preset.held_out), measured, preset.ppo.sampling,
                    preset.ppo.seed + 1)


def base_alone(preset: Preset, base: str | Path, device: str | torch.device = "cpu") -> Policy:
    """The untrained base as a policy, to see what the first stage gave."""
    return Policy(*_loaded(preset, base, device), value_head=False).requires_grad_(False).eval()


def _loaded(preset: Preset, base: str | Path, device: str | torch.device) -> tuple:
    """A frozen base as the preset holds it, and its tokenizer."""
    dtype = getattr(torch, preset.ppo.autocast or "float32")
    return load_language_model(base, quantize=preset.quantize, dtype=dtype, device=device)


def _asked_once(reward: rewards.Reward, pairs: Sequence[Comparison]) -> rewards.Reward:
    """The same about the answers of these pairs, from memory."""
    texts = [(pair.prompt, answer) for pair in pairs for answer in (pair.chosen, pair.rejected)]
    scores = torch.as_tensor(reward(*map(list, zip(*texts, strict=True)))).tolist()
    said = dict(zip(texts, scores, strict=True))
    return lambda prompts, answers: [said[text] for text in zip(prompts, answers, strict=True)]


def _right(reward: rewards.Reward, pairs: Sequence[Comparison]) -> Tensor:
    """1 for a pair whose better answer scores higher, ½ for equal scores, else 0: [pairs]."""
    prompts = [pair.prompt for pair in pairs]
    better, worse = (torch.as_tensor(reward(prompts, answers)) for answers in
                     ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs]))
    return (better > worse).double() + (better == worse).double() / 2


def _length(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    return [float(len(response)) for response in responses]


def _shortness(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    return [-float(len(response)) for response in responses]
