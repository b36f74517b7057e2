"""The name beside the labels: typed once for all panels and remembered by the browser, or the one given at the door."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import gradio as gr
from gradio.context import Context

from rlhf_kit.language import Lang
from rlhf_kit.studio.words import Words

REMEMBER = "name => { try { localStorage.setItem('rk-name', name); } catch {} return name; }"
RECALL = """(name, ...others) => {
    try { name = localStorage.getItem('rk-name') || name; } catch {}
    return [name, ...others];
}"""                                # for the `js` of a page's load, with the name as its first input
_fields: WeakKeyDictionary[gr.Blocks, dict[str, list[gr.Textbox]]] = WeakKeyDictionary()


def name_field(lang: Lang) -> gr.Textbox:
    """A field for the name; whoever types into one of a page's types into all of them."""
    words = Words(lang, "labels")
    field = gr.Textbox(words("me"), label=Words(lang, "studio")("name"), info=Words(lang, "studio")("name_about"),
                       max_lines=1, max_length=100, scale=2, min_width=180, elem_classes="rk-inline")
    field.input(None, field, field, js=REMEMBER, show_progress="hidden")
    pages = Context.root_block
    others = _fields.setdefault(pages, {}).setdefault(pages.current_page, [])
    for other in others:
        field.input(None, field, other, js="name => name", show_progress="hidden")
        other.input(None, other, field, js="name => name", show_progress="hidden")
    others.append(field)
    return field


def named(name: str, request: gr.Request) -> dict:
    """The field with that name in it; hidden where the name was given at the door."""
    return gr.update(value=name, visible=not getattr(request, "username", None))
