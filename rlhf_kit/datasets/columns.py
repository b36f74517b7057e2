"""What the columns of a table hold, by their cells; which of them is the prompt, and which only looks like one."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rlhf_kit.datasets.chats import Wrong, chat_of, is_message, is_messages, usable
from rlhf_kit.datasets.reading import Table, shorten
from rlhf_kit.formulas.records import Chat, Turn

SEEN = 200                              # rows that are looked at to know what a column holds
MOSTLY = 0.8                            # of the cells that are not empty
PROMPTS = ("prompt", "instruction", "question", "query", "user_prompt", "user_input", "history", "post", "problem",
           "instruction_text", "context", "document", "article", "提示", "问题", "指令")
BESIDE = {"instruction": ("input", "context")}      # Alpaca's, Dolly's: joined to the prompt
ALONE = ("input", "inputs", "conversation", "dialogue", "messages", "conversations", "title")
EMPTY = ("", "na", "n/a", "nan", "none", "null")    # what stands for no number
SYSTEMS = ("system", "system_prompt", "system_message")
LIKE_A_PROMPT = re.compile(r"prompt|question|instruction|query|input|context|problem|history|post|title|system|"
                           r"提示|问题|指令", re.IGNORECASE)
NOT_LIKE = re.compile(r"(^|[_.-])(id|ids|hash|len|length|tokens?|score|type|lang|language|category|source|date|time|"
                      r"url|index|created|upvotes?|subset|domain|safe|severity|model|name)([_.-]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """Something that a row has: how it is read, and from which columns."""

    columns: tuple[str, ...]
    of: Callable[[Mapping[str, Any]], Any]      # row -> text or conversation; raises Wrong
    chats: bool = False                         # True if `of` gives conversations


@dataclass(frozen=True)
class Columns:
    """A table by its columns; cells that hold a list as text, as CSV must (JSON, or Python's own way of writing
    one, which pandas leaves), are what the text says."""

    table: Table
    called: Mapping[str, str] = field(default_factory=dict)     # the names that the user gave: part -> column

    @cached_property
    def rows(self) -> list[tuple[int, dict[str, Any]]]:
        """(line, row), with the columns under the names that the user gave, too."""
        packed = [name for name in self.table.columns if _packed(self._cells(name))]
        rows = self.table.rows
        if packed:
            rows = [(line, {**row, **{name: _unpacked(row.get(name)) for name in packed}}) for line, row in rows]
        if self.called:
            taken = set(self.called.values()) | set(self.called)
            rows = [(line, {**{name: cell for name, cell in row.items() if name not in taken},
                            **{part: row.get(column) for part, column in self.called.items()}}) for line, row in rows]
        return rows

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        if not self.called:
            return self.table.columns
        taken = set(self.called.values()) | set(self.called)
        return (*self.called, *(name for name in self.table.columns if name not in taken))

    def real(self, name: str) -> str:
        """What the column is called in the file."""
        return self.called.get(name, name)

    def has(self, *names: str) -> bool:
        """True if all of them are there."""
        return all(name in self.names for name in names)

    def first(self, *names: str, holding: Iterable[str] | None = None) -> str | None:
        """The first that is there and holds one of these things."""
        return next((name for name in names if name in self.names
                     and (holding is None or self.holds(name) in tuple(holding))), None)

    def holds(self, name: str) -> str:
        """"text", "number", "bool", "texts", "numbers", "messages", "message", "records", "record", or "nothing"."""
        if name not in self._held:
            kinds = Counter(map(kind_of, (row.get(name) for _, row in self.rows[:SEEN])))
            kinds.pop("nothing", None)
            total, (kind, most) = sum(kinds.values()), (kinds.most_common(1) or [("nothing", 0)])[0]
            self._held[name] = kind if most >= MOSTLY * total else "anything"
        return self._held[name]

    @cached_property
    def _held(self) -> dict[str, str]:
        return {}

    def _cells(self, name: str) -> list[Any]:
        return [row.get(name) for _, row in self.table.rows[:SEEN]]

    def prompt(self, taken: Sequence[str] = ()) -> Part | None:
        """The prompt and what belongs to it: an input, a system turn, turns before it. None if there is none."""
        free = [name for name in (*PROMPTS, *ALONE) if name not in taken]
        text = self.first(*free, holding=("text",))
        history = self.first("history", holding=("nothing", "records", "anything", "lists"))
        main = self.first("prompt", holding=("messages", "text", "texts")) if "prompt" not in taken else None
        main = main or text or self.first(*free, holding=("messages",))
        if main is None:
            return self._record_prompt(taken)
        if self.holds(main) in ("messages", "texts"):
            of = (lambda row: chat_of(row.get(main))) if self.holds(main) == "messages" else (
                lambda row: _turns_of(row.get(main)))
            return self._with_system(Part((main,), of, chats=True))
        wanted = ("input",) if main == "prompt" and "input" in self.called else BESIDE.get(main, ())
        beside = [name for name in wanted if name in self.names and name not in taken
                  and self.holds(name) in ("text", "nothing")]
        if main in ("title",) and (body := self.first("selftext", "body", "text", holding=("text",))):
            beside = [body]
        part = Part((main, *(name for name in beside if self.holds(name) == "text")),
                    lambda row: _joined([row.get(name) for name in (main, *beside)]))
        if history and history != main and self.holds(history) == "lists":
            part = Part((*part.columns, history),
                        lambda row, of=part.of: (*_turns_before(row.get(history)), Turn("user", of(row))), chats=True)
        return self._with_system(part)

    def _with_system(self, part: Part) -> Part:
        system = self.first(*SYSTEMS, holding=("text",))
        if system is None:
            return part

        def of(row: Mapping[str, Any]) -> Chat:
            prompt, told = part.of(row), (row.get(system) or "").strip()
            chat = prompt if part.chats else (Turn("user", prompt),)
            return (Turn("system", told), *chat) if told and chat[0].role != "system" else chat
        return Part((*part.columns, system), of, chats=True)

    def _record_prompt(self, taken: Sequence[str]) -> Part | None:
        """A text inside an object: WebGPT's question.full_text, the post of OpenAI's summaries."""
        for name, inside in (("question", "full_text"), ("info", "post"), ("info", "article"), ("prompt", "text"),
                             ("data", "prompt")):
            there = name not in taken and name in self.names and self.holds(name) == "record"
            if there and any(isinstance(row.get(name), dict) and row[name].get(inside) for _, row in self.rows[:SEEN]):
                return Part((f"{name}.{inside}",), lambda row, n=name, i=inside: text_of((row.get(n) or {}).get(i)))
        return None

    def like_a_prompt(self, used: Sequence[str]) -> list[str]:
        """Columns that were not used, and that a person would want as the prompt, or as part of it."""
        taken = {name.partition(".")[0] for name in used}
        rows = [row for _, row in self.rows[:SEEN]]
        return [name for name in self.names if name not in taken and LIKE_A_PROMPT.search(name)
                and not NOT_LIKE.search(name) and self.holds(name) in ("text", "messages")
                and not any(all(row.get(name) == row.get(other) for row in rows) for other in taken)]


def kind_of(cell: Any) -> str:
    """What one cell holds, see `Columns.holds`."""
    if cell is None or cell == "" or cell == [] or (isinstance(cell, float) and math.isnan(cell)):
        return "nothing"
    if isinstance(cell, bool):
        return "bool"
    if isinstance(cell, int | float):
        return "number"
    if isinstance(cell, str):
        return "text"
    if isinstance(cell, dict):
        return "message" if is_message(cell) else "record"
    if isinstance(cell, list):
        if is_messages(cell):
            return "messages"
        there = [one for one in cell if one is not None]
        for kind, types in (("texts", str), ("records", dict), ("lists", list)):
            if there and all(isinstance(one, types) for one in there):
                return kind
        if all(one is None or isinstance(one, int | float) for one in cell):
            return "numbers"
    return "anything"


def text_of(cell: Any) -> str:
    """A cell that has to be a text with something in it. Raises: Wrong."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise Wrong("an empty text")
    if not isinstance(cell, str):
        raise Wrong(f"{shorten(cell)} is not text")
    return usable(cell)


def number_of(cell: Any) -> float | None:
    """A cell as a number; None for an empty one and for "N/A". Raises: Wrong."""
    if cell is None or (isinstance(cell, str) and cell.strip().casefold() in EMPTY):
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise Wrong(f"{shorten(cell)} is no number") from None
    if math.isinf(number):
        raise Wrong(f"{shorten(cell)} is no number")
    return None if math.isnan(number) else number


def _joined(cells: Sequence[Any]) -> str:
    return "\n".join([text_of(cells[0]), *(text_of(cell) for cell in cells[1:] if str(cell or "").strip())])


def _turns_before(cell: Any) -> Chat:
    """LLaMA-Factory's history: [[question, answer], ...]."""
    turns = []
    for pair in cell or []:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Wrong(f"{shorten(pair)} is no pair of a question and an answer")
        turns += [Turn("user", text_of(pair[0])), Turn("assistant", text_of(pair[1]))]
    return tuple(turns)


def _turns_of(cell: Any) -> Chat:
    """Texts that take turns, the person's first."""
    if not isinstance(cell, list) or not cell or len(cell) % 2 == 0:
        raise Wrong(f"{shorten(cell)} does not end with a question")
    return tuple(Turn("assistant" if i % 2 else "user", text_of(text)) for i, text in enumerate(cell))


def _packed(cells: Sequence[Any]) -> bool:
    """True if these texts are lists, in JSON or as Python writes them."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    begun = [text for text in texts if text.lstrip()[:1] in "[{" and text.rstrip()[-1:] in "]}"]
    return bool(texts) and len(begun) >= MOSTLY * len(texts) and isinstance(_unpacked(begun[0]), list)


def _unpacked(cell: Any) -> Any:
    if not isinstance(cell, str) or cell.strip()[:1] not in ("[", "{"):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(cell.strip())           # values only: nothing is called
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell
