"""A reward is asked about a rollout; or handed other texts than the policy read and wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.datasets.chats import readable
from rlhf_kit.formulas.records import Chat, Rollout
from rlhf_kit.rewards.contract import Reward, bounded, checked, name_of, range_of, wants_tokens
from rlhf_kit.rewards.memory import Memory, Sums, made_of


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


def on_prompts(reward: Reward, bare: Mapping[str, str]) -> Reward:
    """The reward, handed other prompts than were read: of one behind a preamble, the prompt alone.

    A reward on token ids stays as it is: it is asked about what was read. So it does in `on_responses` and `of_chats`.
    """
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward([bare.get(prompt, prompt) for prompt in prompts], responses)
    return _in_place_of(reward, asked)


def on_responses(reward: Reward, shown: Callable[[str], str]) -> Reward:
    """The reward, handed each response as it is shown, such as its first turn alone: `models.chats.first_turn`."""
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward(prompts, [shown(response) for response in responses])
    return _in_place_of(reward, asked)


def of_chats(reward: Reward, chats: Mapping[str, Chat], write: Callable[[Chat], str] = readable) -> Reward:
    """A reward that is handed conversations as `write` writes them, and not as the policy's template does.

    `chats` has the conversation of every prompt that the template wrote; other prompts stay as they are. By default
    a person could read them: a single question is itself.
    """
    def asked(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        return reward([write(chats[p]) if p in chats else p for p in prompts], responses)
    return _in_place_of(reward, asked)


def _in_place_of(reward: Reward, asked: Reward) -> Reward:
    """`asked`, which hands the reward other texts, with its name, bounds and memory; one on token ids gets no texts."""
    if wants_tokens(reward):
        return reward
    made, bounds = made_of(asked, name_of(reward), (reward,)), range_of(reward)
    return made if bounds is None else bounded(made, *bounds)
