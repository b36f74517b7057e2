"""A piece of page that Gradio does not have: a fixed skeleton, filled by a script of ours; its value is plain JSON.

Text of models and people never becomes part of a template. Gradio 6.31 runs `${...}` inside an `html_template` as
JavaScript; so the skeleton is a constant, and the script writes every text with `textContent`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import gradio as gr

from rlhf_kit.studio.words import Words

Update = Any                        # what a handler gives a component: a value, `gr.update(...)` or `gr.skip()`


def widget(name: str, words: Words, value: Any = None, *, parts: Sequence[str] = (),
           elem_id: str | None = None, elem_classes: str | None = None) -> gr.HTML:
    """A component whose value is JSON, drawn by `scripts/NAME.js` and dressed by `scripts/NAME.css`.

    The script runs once for each instance, with `element`, `props`, `trigger` and `watch` as Gradio gives them and two
    things more: `words`, the panel's sentences, and `make(tag, text, attributes)`, which makes an element whose text
    is text and nothing else. What comes back from the browser may be anything: whoever takes it checks it.

    Args:
        name: of the files.
        words: the sentences that the script may need.
        value: what is shown first.
        parts: other scripts, with their dress, that the script builds with, such as "tokens".
    """
    css, js = ("".join(read_script(f"{one}.{kind}") for one in (*first, *parts, name))
               for kind, first in (("css", ()), ("js", ("make",))))
    needed = {key: text for key, text in words.all().items() if _is_named(key, js)}
    return gr.HTML(value, html_template=f'<div class="rk-{name}"></div>', css_template=css, js_on_load=_short(js),
                   apply_default_css=False, elem_id=elem_id, elem_classes=elem_classes, words=needed, lang=words.lang)


@cache
def _is_named(key: str, js: str) -> bool:
    """Whether a script may ask for that sentence: by its name, or by a beginning that ends with "_"."""
    names = _names(js)
    return key in names or any(key.startswith(name) for name in names if name.endswith("_"))


@cache
def _names(js: str) -> set[str]:
    return set(re.findall(r"""(?<=["'`])\w+(?=["'`$])""", js)) | set(re.findall(r"\bwords\.(\w+)", js))


@cache
def _short(js: str) -> str:
    """Without its comments and indents: each widget of each page brings its own."""
    lines = (line.strip() for line in js.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def stamp() -> int:
    """Another number each time: in a value, it makes the script draw even what it has drawn before."""
    return time.time_ns() // 1000


@cache
def read_script(name: str) -> str:
    """A file of `scripts/`."""
    return (files("rlhf_kit.studio") / "scripts" / name).read_text(encoding="utf-8")
