"""The way out of the kit: data and a launch script for OpenRLHF, for those who outgrow one machine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.chats import Wrong, answered, asked, chat_of, is_messages
from rlhf_kit.datasets.reading import read_rows, refused, shorten
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, response_of
from rlhf_kit.formulas.records import Chat, Turn
from rlhf_kit.language import Lang
from rlhf_kit.storage import json_lines, write_files

RELEASE, DATED = "0.11.2", "2026-09-14"     # whose flags the script uses
COLUMNS = {"answers.jsonl": ("prompt", "response"), "pairs.jsonl": ("prompt", "chosen", "rejected"),
           "prompts.jsonl": ("prompt",)}
SCRIPT = "train.sh"
MODEL = "Qwen/Qwen2.5-7B"

CHATS = ("messages", "conversations")
PLAINLY = 'Texts are used as they stand, without a chat template: every stage reads the same "Question: ... Answer:".'
BY_TEMPLATE = "Texts are conversations: every stage writes them by the chat template of the model's tokenizer."

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
    licences stay with their texts. Conversations stay lists of messages, which OpenRLHF writes by the model's own chat
    template; then all three files have to be of them.

    Raises: FileError, naming file and line, if one is missing or has a row without its texts.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise refused(folder, f"is no folder; expected one with {', '.join(COLUMNS)}.")
    if (folder / "train" / "pairs.jsonl").is_file():
        folder /= "train"
    rows = {name: [_row(folder / name, line, text, columns) for line, text in read_rows(folder / name)]
            for name, columns in COLUMNS.items()}
    chats = [(name, line) for name, some in rows.items() for line, row in enumerate(some, 1) if _is_chat(row)]
    if chats and len(chats) < sum(map(len, rows.values())):
        raise refused(folder, f"has conversations ({chats[0][0]} line {chats[0][1]}) and plain texts; a chat template "
                              f"is used for all or for none. Write all as messages, or all as texts.")
    return rows


def made_up(answers: int, pairs: int, prompts: int, seed: int = 0, lang: Lang = "en") -> Rows:
    """The same three from the forum that the kit makes up: enough to see every stage start."""
    from rlhf_kit.tasks.forum import Forum
    forum = Forum(lang)
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
    chats = any(map(_is_chat, rows["prompts.jsonl"]))
    script = template.replace("__MODEL__", shlex.quote(model)).replace("__TEXTS__", BY_TEMPLATE if chats else PLAINLY)
    if chats:
        room = '    --data.max_len "$LONGEST" \\\n'
        script = script.replace(room, f"{room}    --data.apply_chat_template \\\n")
    write_files(folder, {**{name: json_lines(rows[name]) for name in COLUMNS}, SCRIPT: script})
    return Written({name: len(rows[name]) for name in COLUMNS}, folder / SCRIPT)


def _row(path: Path, line: int, text: str, columns: Sequence[str]) -> dict[str, Any]:
    """A line as it stands, once its texts are there; the paired columns become the others in the one template."""
    try:
        row = json.loads(text)
    except ValueError as error:
        raise refused(path, f"is not JSON ({error}); expected one object a line.", line) from error
    if not isinstance(row, dict):
        raise refused(path, f"{shorten(text)} is no object; expected {{{', '.join(map(json.dumps, columns))}}}.", line)
    if any(is_messages(row.get(column)) for column in (*columns, *CHATS)):
        try:
            return _chat_row(row, columns)
        except Wrong as error:
            raise refused(path, f"{error}.", line) from error
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


def _is_chat(row: dict[str, Any]) -> bool:
    return isinstance(row["prompt"], list)


def _chat_row(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Messages in the columns that a stage reads: what is asked, and what follows it. Raises: Wrong.

    Of a conversation with several answers the last is what follows.
    """
    def part(name: str) -> Chat:
        cell = row.get(name)
        return (Turn("user" if name == "prompt" else "assistant", cell),) if isinstance(cell, str) else chat_of(cell)
    whole = next((chat_of(row[name]) for name in CHATS if is_messages(row.get(name)) and "prompt" not in row), None)
    prompt = None if "prompt" not in row and whole is None else part("prompt") if whole is None else asked(whole)
    if whole is not None and "response" in columns:
        parts = (prompt, whole[len(prompt):])
        if not parts[1]:
            raise Wrong("a conversation that ends with a question; expected an answer at its end")
    elif columns == ("prompt",):
        parts = (asked(prompt),)
    else:
        shared, answers = answered(prompt, [part(name) for name in columns[1:]])
        parts = (shared, *answers)
    others = {name: cell for name, cell in row.items() if name not in (*columns, *CHATS)}
    return {**{name: [{"role": turn.role, "content": turn.text} for turn in chat]
               for name, chat in zip(columns, parts, strict=True)}, **others}
