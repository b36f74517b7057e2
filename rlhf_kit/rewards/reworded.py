"""A reward, handed other texts than the policy read and wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlhf_kit.datasets.chats import readable
from rlhf_kit.formulas.records import Chat
from rlhf_kit.rewards.marks import Reward, bounded, name_of, range_of, wants_tokens
from rlhf_kit.rewards.memory import made_of


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
