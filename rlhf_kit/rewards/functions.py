"""Reward functions of other people: in a Python file, and in TRL's signature, both ways."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from rlhf_kit.datasets.chats import chat_of, readable, said, turn_of
from rlhf_kit.datasets.python_file import object_in, told, where
from rlhf_kit.formulas.records import Chat
from rlhf_kit.rewards.asking import checked
from rlhf_kit.rewards.marks import Reward, RewardError, name_of
from rlhf_kit.rewards.memory import made_of


def from_file(place: str, rows: Sequence[Mapping[str, Any]] | None = None) -> Reward:
    """The reward function that stands in a Python file of yours: "my_reward.py:reward".

    It may import the files beside it. One with a parameter `completions` is called as TRL would, see `from_trl`, with
    the other columns of `rows`.

    The file is run, as an import would run it. Its content is part of the reward's name, so a run whose
    reward was changed meanwhile is not taken for the same run. Whatever goes wrong in it is one line with its place.
    """
    function, source = object_in(place, "reward", "function", "my_reward.py:reward",
                                 "def {name}(prompts, responses)", RewardError)
    path, _, name = place.rpartition(":")
    asked = from_trl(function, rows) if takes_completions(function) else function

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        try:
            return asked(prompts, responses)
        except RewardError:
            raise
        except (Exception, SystemExit) as error:
            raise RewardError(f"the reward function {name} failed, {where(error, path)}: {told(error)}. "
                              f"Mend it and try again.") from error
    reward.run_identity = (name, source, function)              # wherever the file lies
    return made_of(reward, f"{name}@{hashlib.sha256(source).hexdigest()[:8]}", [function])


def from_trl(function: Callable, rows: Sequence[Mapping[str, Any]] | None = None) -> Reward:
    """A reward function with TRL's signature, `(prompts, completions, **columns)`, all by keyword.

    Args:
        function: as TRL's GRPOTrainer takes it, such as `def reward(completions, answer, **kwargs)`.
        rows: the prompts' other columns, [{"prompt": ..., "answer": ...}, ...]; each column comes as a list beside the
            completions. Of what TRL hands over beside these (token ids, the trainer's state) there is nothing here.

    Raises: RewardError, when it is called, for a column that no row of the prompt has.
    """
    wanted = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in wanted.values())
    by_prompt = {str(row["prompt"]): row for row in rows or ()}
    columns = {name for row in rows or () for name in row} - {"prompt"}

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Any:
        known = {"prompts": list(prompts), "completions": list(responses),
                 **{name: [by_prompt.get(p, {}).get(name) for p in prompts] for name in columns}}
        missing = [name for name, p in wanted.items() if name not in known and p.default is inspect.Parameter.empty
                   and p.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)]
        if missing:
            raise RewardError(f"the reward function {name_of(function)} asks for {', '.join(missing)}; there are "
                              f"prompts, completions{''.join(f', {name}' for name in sorted(columns))}. Give the "
                              f"prompts in a table with such a column.")
        return function(**(known if takes_all else {name: x for name, x in known.items() if name in wanted}))
    return made_of(reward, name_of(function), [function])


def for_trl(reward: Reward, write: Callable[[Chat], str] = readable) -> Callable[..., list[float]]:
    """A reward in TRL's signature, for its trainers: the way back from `from_trl`.

    Conversations, which TRL hands over as messages, are written by `write`, their answers as a person reads them; the
    other columns that TRL hands over are not looked at. Raises (when called): RewardError.
    """
    def score(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        asked = [one if isinstance(one, str) else write(chat_of(one)) for one in prompts]
        answers = [one if isinstance(one, str) else said(tuple(map(turn_of, one))) for one in completions]
        return checked(reward(asked, answers), len(answers), reward).tolist()
    score.__name__ = name_of(reward)
    return score


def takes_completions(function: Callable) -> bool:
    """True of a function with TRL's signature: it has a parameter `completions`."""
    try:
        return "completions" in inspect.signature(function).parameters
    except (TypeError, ValueError):                         # of a built-in one nobody knows
        return False
