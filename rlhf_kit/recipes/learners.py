"""What learns in a recipe: a model or an adapter on it, opened to be trained, for how long, and kept whole."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import torch

from rlhf_kit import zoo
from rlhf_kit.models.adapters import LoRA, put_on_judge
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.shared import AdaptedPolicy, with_adapter


class Scale(Protocol):
    """What of a recipe's preset says how it learns at that scale."""

    @property
    def lora(self) -> LoRA | None:
        """What learns is such an adapter, which every stage merges; None = all weights."""

    @property
    def merge_in(self) -> Literal["bfloat16", "float32"]: ...

    @property
    def likelihood(self) -> float:
        """Of a judge: reward per nat of a response token's mean log-probability; see `RewardModel.likelihood`."""


class Batches(Protocol):
    """What of a method's config says how many items an update takes."""

    @property
    def batch_size(self) -> int: ...


def updates(config: Batches, items: int, epochs: int) -> int:
    """How many updates so many passes over the items are."""
    return max(ceil(items / config.batch_size), 1) * epochs


def opened(source: str | Path, device: str | torch.device = "cpu", *, scale: Scale | None = None,
           seed: int = 0) -> Policy:
    """A model as a policy without a critic; with a scale, to be trained: an adapter on it, where that learns."""
    if scale is None or scale.lora is None:
        return zoo.load_policy(source, value_head=False, device=device)
    policy = zoo.load_policy(source, value_head=False, device=device, dtype=getattr(torch, scale.merge_in))
    return with_adapter(policy, scale.lora, seed)


def actor(scale: Scale, start: Policy, seed: int) -> Policy:
    """The policy that PPO trains from that start, its critic a head on it; or an adapter on both."""
    policy = Policy(start.lm, start.tokenizer)
    return policy if scale.lora is None else with_adapter(policy, scale.lora, seed)


def keep(scale: Scale, policy: Policy, source: str | Path, folder: Path) -> None:
    """The policy in `folder` as a plain model; of an adapter on `source` the sum."""
    if not isinstance(policy, AdaptedPolicy):
        zoo.save_policy(policy, folder)
        return
    with TemporaryDirectory() as place:
        zoo.save_policy(policy, Path(place, "adapter"))
        zoo.merge_adapter(Path(place, "adapter"), folder, base=source, dtype=scale.merge_in)


def opened_judge(scale: Scale, source: str | Path, mark: str | None = None, device: str | torch.device = "cpu", *,
                 seed: int = 0, new_head: bool = True) -> RewardModel:
    """A language model with a new head of one output, to be trained; or a reward model with its own, to learn more.

    With `likelihood` and a mark a new one's score is the head's and how likely the model that it starts from finds the
    response, see `RewardModel.likelihood`.
    """
    dtype = torch.float32 if scale.lora is None else getattr(torch, scale.merge_in)
    model = zoo.load_reward_model(source, new_head=new_head, seed=seed, device=device, dtype=dtype)
    if new_head:
        begin_with_likelihood(model, scale.likelihood, mark)
    if scale.lora is not None:
        put_on_judge(model.model, scale.lora, seed)
    return model


def begin_with_likelihood(model: RewardModel, weight: float, mark: str | None) -> None:
    """Let a new judge's score be how likely it finds a response, at first that alone; without weight or mark nothing.

    Its head begins at 0, so that it brings no noise. See `RewardModel.likelihood`.
    """
    if weight and mark is not None:
        model.likelihood = weight, model.tokenizer(mark, add_special_tokens=False).input_ids[0]
        torch.nn.init.zeros_(model.model.score.weight)


def keep_judge(scale: Scale, model: RewardModel, source: str | Path, folder: Path) -> None:
    """The reward model in `folder`, whole."""
    if scale.lora is None:
        zoo.save_reward_model(model, folder)
        return
    with TemporaryDirectory() as place:
        zoo.save_reward_model(model, Path(place, "adapter"))
        zoo.merge_adapter(Path(place, "adapter"), folder, base=source, dtype=scale.merge_in)
