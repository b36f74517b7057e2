"""What went wrong, as one line in the page's language; the page keeps what the person wrote."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from rlhf_kit.language import Lang
from rlhf_kit.studio.shelf import ShelfError
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import example


class Problem(Exception):
    """Something to be said in the page instead of an answer: a key of the panel's words, and its fields."""

    def __init__(self, key: str, **values: object) -> None:
        self.key, self.values = key, values
        super().__init__(key)


def told(error: Exception, words: Words) -> str:
    """The line about an error; what nobody foresaw is told on the server's screen, and here that it failed."""
    if isinstance(error, Problem):
        return words(error.key, **error.values)
    if isinstance(error, ShelfError):
        return error.told(words.lang)
    print(f"{words.panel}: {type(error).__name__}: {error}", file=sys.stderr)
    if "diverged" in str(error):
        return words("diverged")
    from rlhf_kit.rewards import RewardError
    return words("no_reward" if isinstance(error, RewardError) else "failed")


def refusal(words: Words, check: Callable[..., None], *given: Any) -> str | None:
    """The line about what was given, if `check` finds a `Problem` in it; None if it may be tried."""
    try:
        check(*given)
    except Problem as problem:
        return told(problem, words)
    return None


def saved_example(lang: Lang) -> dict[str, Any]:
    """The whole saved example, or nothing where the package has none."""
    try:
        return example(lang)
    except (OSError, ValueError):
        return {}
