"""The way out of the kit: data and a launch script for OpenRLHF, for those who outgrow one machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rlhf_kit.storage import write_json_lines, write_text
from rlhf_kit.tasks.reading import read_rows, refused, shorten

RELEASE, DATED = "0.11.2", "2026-09-14"     # whose flags the script uses
COLUMNS = {"answers.jsonl": ("prompt", "response"), "pairs.jsonl": ("prompt", "chosen", "rejected"),
           "prompts.jsonl": ("prompt",)}
SCRIPT = "train.sh"
MODEL = "Qwen/Qwen2.5-7B"

Rows = dict[str, list[dict[str, str]]]      # file name -> its rows


@dataclass(frozen=True)
class Written:
    """What an export left: rows of each file, and the script."""

    rows: dict[str, int]
    script: Path


def read(folder: Path | str) -> Rows:
    """The three files of a folder: answers to imitate, pairs to prefer from, prompts to answer.

    Raises: FileError, naming file and line, if one is missing or has a row without its texts.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise refused(folder, f"is no folder; expected one with {', '.join(COLUMNS)}.")
    return {name: [_row(folder / name, line, text, columns) for line, text in read_rows(folder / name)]
            for name, columns in COLUMNS.items()}


def made_up(answers: int, pairs: int, prompts: int, seed: int = 0) -> Rows:
    """The same three from the forum that the kit makes up: enough to see every stage start."""
    from rlhf_kit.tasks.forum import Forum
    forum = Forum()
    return {"answers.jsonl": [{"prompt": prompt, "response": response}
                              for prompt, response in forum.answered(answers, seed)],
            "pairs.jsonl": [{"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
                            for pair in forum.comparisons(pairs, seed)],
            "prompts.jsonl": [{"prompt": prompt} for prompt in forum.prompts(n=prompts, seed=seed)]}


def write(rows: Rows, folder: Path | str, model: str = MODEL) -> Written:
    """Write data and script into a folder; what is there under other names stays. Raises: StorageError, ValueError."""
    if not model.strip() or any(ord(character) < 32 for character in model):
        raise ValueError(f"the model is {model!r}; expected a name on the Hugging Face hub, or a folder that the "
                         f"machines will see.")
    folder = Path(folder).expanduser()
    for name, columns in COLUMNS.items():
        write_json_lines(folder / name, [{column: row[column] for column in columns} for row in rows[name]])
    template = (files("rlhf_kit") / "data" / "openrlhf.sh").read_text(encoding="utf-8")
    write_text(folder / SCRIPT, template.replace("__MODEL__", shlex.quote(model)))
    return Written({name: len(rows[name]) for name in COLUMNS}, folder / SCRIPT)


def _row(path: Path, line: int, text: str, columns: Sequence[str]) -> dict[str, str]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise refused(path, f"is not JSON ({error}); expected one object a line.", line) from error
    if not isinstance(row, dict):
        raise refused(path, f"{shorten(text)} is no object; expected {{{', '.join(map(json.dumps, columns))}}}.", line)
    for column in columns:
        if not isinstance(row.get(column), str) or not row[column].strip():
            raise refused(path, f"{column!r} is {shorten(row.get(column))}; expected a text. A row has "
                                f"{' and '.join(columns)}.", line)
    return {column: row[column] for column in columns}
