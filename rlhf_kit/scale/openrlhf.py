"""The way out of the kit: data and a launch script for OpenRLHF, for those who outgrow one machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.reading import read_rows, refused, shorten
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, response_of
from rlhf_kit.storage import json_lines, write_files

RELEASE, DATED = "0.11.2", "2026-09-14"     # whose flags the script uses
COLUMNS = {"answers.jsonl": ("prompt", "response"), "pairs.jsonl": ("prompt", "chosen", "rejected"),
           "prompts.jsonl": ("prompt",)}
SCRIPT = "train.sh"
MODEL = "Qwen/Qwen2.5-7B"

PAIRED = ("question", "response_j", "response_k")       # as `rlhf-kit posts read` writes a better and a worse answer

Rows = dict[str, list[dict[str, Any]]]      # file name -> its rows


@dataclass(frozen=True)
class Written:
    """What an export left: rows of each file, and the script."""

    rows: dict[str, int]
    script: Path


def read(folder: Path | str) -> Rows:
    """The three files of a folder: answers to imitate, pairs to prefer from, prompts to answer.

    Of a folder that was made from a dump, what is to be trained on. Other columns come along, so that authors and
    licences stay with their texts.

    Raises: FileError, naming file and line, if one is missing or has a row without its texts.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise refused(folder, f"is no folder; expected one with {', '.join(COLUMNS)}.")
    if (folder / "train" / "pairs.jsonl").is_file():
        folder /= "train"
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
    """Write data and script into a folder; what is there under other names stays.

    Raises: StorageError, also for somebody's own files of these names; ValueError.
    """
    if not model.strip() or any(ord(character) < 32 for character in model):
        raise ValueError(f"the model is {model!r}; expected a name on the Hugging Face hub, or a folder that the "
                         f"machines will see.")
    folder = Path(folder).expanduser()
    template = (files("rlhf_kit.scale") / "data" / "openrlhf.sh").read_text(encoding="utf-8")
    write_files(folder, {**{name: json_lines(rows[name]) for name in COLUMNS},
                         SCRIPT: template.replace("__MODEL__", shlex.quote(model))})
    return Written({name: len(rows[name]) for name in COLUMNS}, folder / SCRIPT)


def _row(path: Path, line: int, text: str, columns: Sequence[str]) -> dict[str, Any]:
    """A line as it stands, once its texts are there; the paired columns become the others in the one template."""
    try:
        row = json.loads(text)
    except ValueError as error:
        raise refused(path, f"is not JSON ({error}); expected one object a line.", line) from error
    if not isinstance(row, dict):
        raise refused(path, f"{shorten(text)} is no object; expected {{{', '.join(map(json.dumps, columns))}}}.", line)
    paired = "chosen" in columns and set(PAIRED) <= row.keys()
    for column in PAIRED if paired else columns:
        if not isinstance(row.get(column), str) or not row[column].strip():
            raise refused(path, f"{column!r} is {shorten(row.get(column))}; expected a text. A row has "
                                f"{' and '.join(columns)}.", line)
    if not paired:
        return row
    others = {column: cell for column, cell in row.items() if column not in PAIRED}
    return {"prompt": prompt_of(row["question"]), "chosen": response_of(row["response_j"]),
            "rejected": response_of(row["response_k"]), **others}
