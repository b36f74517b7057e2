"""Rewards that nobody learned: the truth of a task, the right number, a length, rules that a function checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from rlhf_kit.rewards.contract import Reward, RewardError, bounded

NUMBER = re.compile(r"(?<![\d.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\d.])-?\d+(?:\.\d+)?")


class HasGold(Protocol):
    """A task that knows the truth: see `rlhf_kit.tasks.reviews`."""

    def gold(self, prompt: str, response: str) -> float: ...


def gold(task: HasGold) -> Reward:
    """The task's own truth, for measuring; a policy that is trained on it has seen the exam."""
    def gold(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([task.gold(p, r) for p, r in zip(prompts, responses, strict=True)])
    return bounded(gold, 0, 1)


def right_number(answers: Mapping[str, Any] | Callable[[str], Any]) -> Reward:
    """1 where the last number of a response is the right answer to its prompt, else 0: a reward that nobody learned.

    Args:
        answers: prompt -> the right answer, or a function; a number, or a text whose last number is meant ("#### 72").

    Raises: RewardError for an answer without a number, and when it is called for a prompt without an answer.
    Source: the checks of Cobbe et al. 2021, arXiv:2110.14168; as a reward: Lambert et al. 2024, arXiv:2411.15124.
    """
    known = {} if callable(answers) else {prompt: last_number(str(answer)) for prompt, answer in answers.items()}
    if none := next((prompt for prompt, number in known.items() if number is None), None):
        raise RewardError(f"the answer to {none[:40]!r} is {str(answers[none])[:40]!r}, which holds no number; "
                          f"expected one of each prompt.")

    def right_number(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        if unknown := next((p for p in prompts if known and p not in known), None):
            raise RewardError(f"there is no answer to {unknown[:40]!r}; expected one of each prompt.")
        truth = [known[p] if known else last_number(str(answers(p))) for p in prompts]
        return torch.tensor([float(last_number(r) == t) for r, t in zip(responses, truth, strict=True)])
    return bounded(right_number, 0, 1)


def last_number(text: str) -> float | None:
    """The last number of a text, "1,234.5" as 1234.5 and "-3" as -3; None if it holds none."""
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def length(target: int) -> Reward:
    """1 at `target` characters, falling linearly to 0 at none or at twice as many."""
    if target < 1:
        raise ValueError(f"target is {target} characters; it must be at least 1.")
    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([max(0.0, 1 - abs(len(r) - target) / target) for r in responses])
    reward.__name__ = f"length_{target}"
    return bounded(reward, 0, 1)


def rules(checks: dict[str, Callable[[str, str], bool]]) -> Reward:
    """The share of named rules that a response keeps; each is a function of (prompt, response)."""
    if not checks:
        raise ValueError("there are no rules; give at least one {name: function}.")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return torch.tensor([sum(bool(check(p, r)) for check in checks.values()) / len(checks)
                             for p, r in zip(prompts, responses, strict=True)])
    reward.__name__ = f"rules({', '.join(checks)})"
    return bounded(reward, 0, 1)
