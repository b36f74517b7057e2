"""Prompts that people bring: one a line, typed or read from a file by the browser. No file is sent to the server."""

from __future__ import annotations

import json
from typing import NamedTuple

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.studio import talks
from rlhf_kit.studio.turns import QUIET
from rlhf_kit.studio.widget import widget
from rlhf_kit.studio.words import Words

MOST = 50                           # prompts of one press
LONGEST = 2_000                     # characters of one
LARGEST = 200_000                   # characters of all, as the field holds them


class Prompts(NamedTuple):
    """What was found in a field."""

    prompts: list[str]
    left_out: int                   # lines that are too long, come twice, or are beyond MOST


def typed(text: object) -> Prompts:
    """One prompt a line; of a line that is a JSON object its "prompt". Blank lines are none, and are not counted."""
    found: dict[str, None] = {}
    left_out = 0
    for line in (text if isinstance(text, str) else "")[:LARGEST].splitlines():
        if not (prompt := _prompt(line)):
            continue
        if prompt in found or len(prompt) > LONGEST or len(found) == MOST:
            left_out += 1
        else:
            found[prompt] = None
    return Prompts(list(found), left_out)


def _prompt(line: str) -> str:
    line = line.strip().lstrip("\ufeff")
    if line.startswith("{"):
        try:
            said = json.loads(line)
        except ValueError:
            return line
        if isinstance(said.get("prompt"), str):
            prompt = said["prompt"].strip()
            return prompt if talks.shown(prompt) else prompt.replace("\n", " ")
    return line


def prompts_field(lang: Lang, elem_id: str) -> gr.Textbox:
    """A field for them, and a button that reads a file into it."""
    words = Words(lang, "labels")
    field = gr.Textbox(label=words("prompts"), info=words("prompts_about", most=MOST), lines=2, max_lines=8,
                       max_length=LARGEST, elem_id=elem_id)
    file = widget("file", words)
    file.read(_read, None, field, **QUIET)
    return field


def _read(event: gr.EventData) -> str:
    text = getattr(event, "_data", None)
    return (text.get("text") if isinstance(text, dict) and isinstance(text.get("text"), str) else "")[:LARGEST]
