"""A reward is asked about responses, and what it answers is checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from rlhf_kit.formulas.records import Rollout
from rlhf_kit.rewards.marks import Reward, RewardError, name_of, wants_tokens
from rlhf_kit.rewards.memory import Memory, Sums


def check_arguments(reference: object, *rewards: object) -> None:
    """What every loop asks of the two before it begins. Raises: ValueError with what to give instead."""
    if reference is None or isinstance(reference, str | bool):
        raise ValueError(f"the reference is {reference!r}; expected the policy as it was before training, "
                         f"policy.reference(), or another one, kit.load_policy(...).")
    for reward in rewards:
        if not callable(reward):
            shown = " ".join(repr(reward).split())[:60]
            raise ValueError(f"the reward is {shown}; expected a function (prompts, responses) -> one number a "
                             f"response. For a model: kit.rewards.classifier(...) or kit.rewards.learned(...).")


def score(reward: Reward, rollout: Rollout, group: Sums | None = None) -> Tensor:
    """Ask `reward` about a rollout and check its answer: [B] float32 on the rollout's device.

    A function marked by `on_tokens` is handed the prompt ids and response ids, as lists, instead of texts. Where a
    `group` of processes asks, each about its shard, a reward that remembers is told so while it answers
    (`share(group, device)`), for what it remembers is to be of all their scores.

    Raises: RewardError if the answer is not B finite numbers, or if the reward would remember something else in each
        process.
    """
    with _shared(reward, group, rollout.logprob.device):
        return _score(reward, rollout)


def score_apart(reward: Reward, rollout: Rollout, group: Sums | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """`score`, and of a `weighted` reward what each of its parts said, before its weight: [B] each, by name."""
    parts = getattr(reward, "parts", ())
    if not parts:
        return score(reward, rollout, group), {}
    each = [score(part, rollout, group) for _, part in parts]
    names = [name_of(part).partition("@")[0] for _, part in parts]
    told = {name if names.count(name) == 1 else f"{name}_{i + 1}": x for i, (name, x) in enumerate(zip(names, each,
                                                                                                      strict=True))}
    return sum(weight * x for (weight, _), x in zip(parts, each, strict=True)), told


@contextmanager
def _shared(reward: Reward, group: Sums | None, device: torch.device) -> Iterator[None]:
    """Inside, the reward knows the processes; outside not, for one of them may ask alone."""
    memory = Memory({"reward": reward})
    if group is None or group.size == 1:
        yield
        return
    memory.share(group, device)
    try:
        yield
    finally:
        memory.share(None, device)


def _score(reward: Reward, rollout: Rollout) -> Tensor:
    if wants_tokens(reward):
        prompts = [row[keep].tolist() for row, keep in zip(rollout.prompt_ids, rollout.prompt_mask, strict=True)]
        responses = [row[keep].tolist() for row, keep in zip(rollout.response_ids, rollout.mask, strict=True)]
        answer = reward(prompts, responses)
    else:
        answer = reward(rollout.prompts, rollout.responses)
    return checked(answer, len(rollout), reward).to(rollout.logprob.device)


def checked(answer: object, size: int, reward: Reward) -> Tensor:
    """What a reward function returned for `size` responses as [size] float32 on the CPU. Raises: RewardError."""
    name = name_of(reward).partition("@")[0]                # without the fingerprint of its file
    if hasattr(answer, "to_numpy"):                         # a pandas Series, whatever its index
        answer = np.array(answer.to_numpy())                # a copy: pandas' own may not be written to
    try:
        score = torch.as_tensor(answer, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise RewardError(f"the reward function {name} returned {_short(answer)}; expected {size} numbers, "
                          f"one a response.") from error
    if score.shape != (size,):
        raise RewardError(f"the reward function {name} returned shape {tuple(score.shape)} for {size} responses; "
                          f"expected one number a response, shape ({size},).")
    if not torch.isfinite(score).all():
        row = int((~torch.isfinite(score)).nonzero()[0])
        raise RewardError(f"the reward function {name} returned {score[row].item()} for response {row}; "
                          f"expected finite numbers. Guard the division or logarithm that makes it.")
    return score


def _short(answer: object) -> str:
    text = " ".join(repr(answer).split())
    return f"{type(answer).__name__} {text if len(text) <= 40 else text[:37] + '...'}"
