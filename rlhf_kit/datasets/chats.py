"""Conversations as people store them, as tuples of turns: lists of messages, ShareGPT's, and dialogues in one text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rlhf_kit.datasets.reading import LONGEST_CELL, TOO_LONG, shorten
from rlhf_kit.formulas.records import Chat, Turn

ROLES = {**dict.fromkeys(("user", "human", "prompter", "question", "instruction", "customer", "用户"), "user"),
         **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "ai", "answer", "助手"), "assistant"),
         **dict.fromkeys(("system", "developer"), "system"),
         **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"), "function_call": "assistant"}
NAMES = {"system": "\n\nSystem:", "user": "\n\nHuman:", "assistant": "\n\nAssistant:", "tool": "\n\nTool:"}
WHO, WHAT = ("role", "from", "speaker"), ("content", "value", "text")
EXCHANGES = (("input", "output"), ("human", "assistant"))       # a question with its answer: Capybara's, MOSS's
_NAMED = re.compile(r"(?:^|\n\n)(Human|User|Assistant|System|Tool):[ \n]?")
_HALF = re.compile(r"[\ud800-\udfff]")


UNLEARNED = ("weight", "train", "train_on_turn")      # marks in a file: 0 or false, a turn not to be learned


class Wrong(ValueError):
    """What is wrong with a row; it is left out and counted."""


def is_message(cell: Any) -> bool:
    """True of one turn, {"role": ..., "content": ...} or {"from": ..., "value": ...}."""
    return isinstance(cell, dict) and any(name in cell for name in WHO) and any(name in cell for name in WHAT)


def is_messages(cell: Any) -> bool:
    """True of a list of turns, or of questions with their answers."""
    return isinstance(cell, list) and bool(cell) and (all(map(is_message, cell)) or all(map(_exchange, cell)))


def turn_of(cell: dict[str, Any]) -> Turn:
    """One message as a turn. Raises: Wrong."""
    who = next((cell[name] for name in WHO if cell.get(name) is not None), None)
    said = next((cell[name] for name in WHAT if cell.get(name) is not None), "")
    role = ROLES.get(str(who).strip().casefold())
    if role is None:
        raise Wrong(f"the role {shorten(who)} is none of system, user (human), assistant (gpt), tool")
    if calls := cell.get("tool_calls"):
        raise Wrong(f"a turn with tool_calls ({shorten(calls)}), which are not learned; write them as text")
    if role == "assistant" and (mark := next((name for name in UNLEARNED if _off(cell.get(name))), None)):
        raise Wrong(f"an assistant's turn with {mark} {shorten(cell[mark])}: single turns cannot be left unlearned; "
                    f"take the turn out, or the mark")
    return Turn(role, usable(_text(said)))


def chat_of(cell: Any) -> Chat:
    """A message, or a list of them, as a conversation; empty system turns are left out. Raises: Wrong."""
    if is_message(cell):
        cell = [cell]
    if not is_messages(cell):
        raise Wrong(f"{shorten(cell)} is no list of messages (role and content)")
    if not is_message(cell[0]):
        cell = [message for one in cell for message in _messages(one)]
    turns = tuple(turn for turn in map(turn_of, cell) if turn.text.strip() or turn.role != "system")
    if not turns or not any(turn.text.strip() for turn in turns):
        raise Wrong("a conversation without a word")
    if any(not turn.text.strip() for turn in turns):
        raise Wrong("a turn without a word")
    return turns


def dialogue_of(text: str) -> Chat | None:
    """The turns of "\\n\\nHuman: ...\\n\\nAssistant: ..." (hh-rlhf, arXiv:2204.05862); None if it is no such text.

    A last "Assistant:" with nothing behind it is where an answer is asked for, and no turn.
    """
    before, *parts = _NAMED.split(text)
    if before.strip() or len(parts) < 2:
        return None
    turns = [Turn({"Human": "user", "User": "user"}.get(name, name.lower()), said.strip())
             for name, said in zip(parts[::2], parts[1::2], strict=True)]
    if turns[-1].role == "assistant" and not turns[-1].text:
        turns = turns[:-1]
    return tuple(turns) if turns and all(turn.text for turn in turns) and turns[0].role != "assistant" else None


def asked(chat: Chat) -> Chat:
    """Up to the last question: what an assistant would have to answer. Raises: Wrong if nobody asks anything."""
    last = max((i for i, turn in enumerate(chat) if turn.role in ("user", "tool")), default=-1)
    if last < 0:
        raise Wrong("a conversation in which nobody asks anything")
    return chat[:last + 1]


def answered(prompt: Any, answers: Sequence[Chat]) -> tuple[Chat, tuple[Chat, ...]]:
    """A prompt and the different conversations that go on from it, each of which may begin with the prompt again.

    `prompt` is a conversation, a question as text, or None. Raises: Wrong if they do not part at an answer.
    """
    first = (Turn("user", prompt),) if isinstance(prompt, str) and prompt.strip() else prompt or ()
    if all(answer and answer[0].role == "assistant" for answer in answers):
        shared, rest = first, tuple(answers)
    else:
        n = 0
        while all(len(answer) > n + 1 and answer[n] == answers[0][n] for answer in answers):
            n += 1
        while n and answers[0][n - 1].role == "assistant":
            n -= 1
        shared, rest = answers[0][:n], tuple(answer[n:] for answer in answers)
        system = tuple(turn for turn in first if turn.role == "system")
        if system and shared and shared[0].role != "system":
            shared = system + shared
    if not all(answer and answer[0].role == "assistant" for answer in rest):
        raise Wrong("the conversations differ before there is an answer")
    if not shared or shared[-1].role == "assistant":
        raise Wrong("answers without a question")
    return shared, rest


def readable(chat: Chat, *, asked: bool = True) -> str:
    """As a person reads it: a single question is itself; more turns, or with `asked=False`, have names before them."""
    if asked and len(chat) == 1 and chat[0].role == "user":
        return chat[0].text
    return dialogue(chat) + (NAMES["assistant"] if asked else "")


def dialogue(chat: Chat) -> str:
    """As the dialogues of hh-rlhf (arXiv:2204.05862) are written, for models without a template."""
    return "".join(f"{NAMES.get(turn.role, NAMES['user'])} {turn.text}" for turn in chat)


def said(answer: Chat) -> str:
    """An answer as a person reads it: without a name before it, unless it goes on for several turns."""
    return answer[0].text if len(answer) == 1 else dialogue(answer).removeprefix(NAMES[answer[0].role]).strip()


def usable(text: str) -> str:
    """The text. Raises: Wrong if no file could hold it."""
    if len(text) > LONGEST_CELL:
        raise Wrong(TOO_LONG)
    if _HALF.search(text):
        raise Wrong("half of a character (a \\ud800 without its other half)")
    return text


def _exchange(cell: Any) -> tuple[str, str] | None:
    """The names of the question and of the answer in an object that holds both."""
    return next((pair for pair in EXCHANGES if isinstance(cell, dict) and set(pair) <= set(cell)), None)


def _messages(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    asked, said = _exchange(exchange)
    answer = [{"role": "assistant", "content": exchange[said]}] if exchange[said] else []      # the last may be open
    return [{"role": "user", "content": exchange[asked]}, *answer]


def _off(mark: Any) -> bool:
    """True of 0, false, "0" and "false"; an absent mark is none."""
    return str(mark).strip().casefold() in ("0", "0.0", "false")


def _text(said: Any) -> str:
    if isinstance(said, list) and all(isinstance(part, dict) and part.get("type", "text") == "text" for part in said):
        said = "".join(str(part.get("text", "")) for part in said)
    if not isinstance(said, str):
        raise Wrong(f"{shorten(said)} is not text")
    return said
