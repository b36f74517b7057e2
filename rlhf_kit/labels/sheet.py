"""Everything that people said as one table, for spreadsheets: a line for each response of each judgement."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhf_kit.labels.records import Judgement, Task
from rlhf_kit.storage import write_text

HEAD = ("task", "split", "annotator", "kind", "question", "repeat", "prompt", "response", "model", "shown_at", "rank",
        "score", "flags", "seconds", "lang", "created")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")      # some programs take full-width ones too


def write_csv(path: Path | str, tasks: Mapping[int, Task], judgements: Sequence[Judgement]) -> int:
    """Write the table as UTF-8 with a byte order mark, which spreadsheets want; how many lines there are.

    A text that a spreadsheet would take for a formula gets a ' in front of it.

    Args: tasks: by number, those that were judged.
    Raises: StorageError if the file cannot be written; nothing is there then.
    """
    file = io.StringIO(newline="")
    table = csv.writer(file)
    table.writerow(HEAD)
    lines = [line for said in judgements for line in _lines(tasks[said.task_id], said)]
    table.writerows([cell(value) for value in line] for line in lines)
    write_text(path, "\ufeff" + file.getvalue())
    return len(lines)


def cell(value: object) -> object:
    """The value, harmless: a text that would run as a formula begins with a '; None is empty."""
    if isinstance(value, str) and begins_a_formula(value):
        return f"'{value}"
    return "" if value is None else value


def begins_a_formula(text: str) -> bool:
    """True for what makes a spreadsheet calculate, in any table that the kit writes."""
    return text.lstrip(" ").startswith(FORMULA)


def _lines(task: Task, said: Judgement) -> list[tuple]:
    ranks = said.ranks or (None,) * len(task.responses)             # a score has none
    return [(task.id, task.split, said.annotator, said.kind, said.question, said.repeat, task.prompt, response.text,
             response.model, said.shown_order.index(i) + 1 if said.shown_order else None, rank, said.score,
             " ".join(said.flags), said.seconds, said.lang, said.created)
            for i, (response, rank) in enumerate(zip(task.responses, ranks, strict=True))]
