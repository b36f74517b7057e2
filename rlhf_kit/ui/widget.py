"""A piece of page that Gradio does not have: a fixed skeleton, filled by a script of ours, with JSON as its value.

Text of models and people never becomes part of a template. Gradio 6.31 runs `${...}` inside an `html_template` as
JavaScript; so the skeleton is a constant, and the script writes every text with `textContent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import gradio as gr

from rlhf_kit.ui.words import Words


class Widget(gr.HTML):
    """A component whose value is JSON, drawn by `scripts/NAME.js` and dressed by `scripts/NAME.css`.

    The script runs once for each instance, with `element`, `props`, `trigger` and `watch` as Gradio gives them and two
    things more: `words`, the panel's sentences, and `make(tag, text, attributes)`, which makes an element whose text
    is text and nothing else.

    Args:
        name: of the files.
        words: the sentences that the script may need.
        value: what is shown first.
        parts: other scripts, with their dress, that the script builds with, such as "tokens".
        render: Gradio's own: `gr.skip()` and `gr.update()` make the component anew with render=False.
    """

    def __init__(self, name: str, words: Words, value: Any = None, *, parts: Sequence[str] = (),
                 elem_id: str | None = None, visible: bool = True, render: bool = True) -> None:
        css, js = ("".join(_file(f"{one}.{kind}") for one in (*first, *parts, name))
                   for kind, first in (("css", ()), ("js", ("make",))))
        super().__init__(value, html_template=f'<div class="rk-{name}"></div>', css_template=css, js_on_load=js,
                         apply_default_css=False, elem_id=elem_id, visible=visible, render=render, words=words.all(),
                         lang=words.lang)

    def postprocess(self, value: Any) -> Any:
        """JSON as it is: the script reads it."""
        return value

    def preprocess(self, payload: Any) -> Any:
        """What the browser sent, which may be anything: whoever takes it checks it."""
        return payload

    def api_info(self) -> dict[str, Any]:
        """Any JSON value."""
        return {"type": {}, "description": "any JSON value"}


@cache
def _file(name: str) -> str:
    return (files("rlhf_kit.ui") / "scripts" / name).read_text(encoding="utf-8")
