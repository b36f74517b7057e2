"""Fields of a page whose value is checked by the panel that uses it, which says what is wrong in the page's language.

Gradio's own compare it with what this visit's page was told to offer, before any code of ours runs, and say in English
that it is not among it: after a restart of the server, of every value that the page was told of later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.context import Context

NOBODY = "-"                        # what "" is on the page: Gradio's list stays as it is when an empty value is picked
Offered = Sequence[tuple[str, str]]     # (what is shown, name); the name "" stands for none, or for all
DRAWN = """() => new Promise(drawn => {
    const began = performance.now(), late = () => performance.now() - began > 3000;
    const seen = () => document.querySelector('main .html-container [class^=rk-] > *');
    const look = () => setTimeout(late() || seen() ? () => drawn([]) : look, 20);
    look();
})"""

_drawn: WeakKeyDictionary[gr.Blocks, dict[str, Any]] = WeakKeyDictionary()      # page -> the event that it is drawn


class Names(gr.Dropdown):
    """A list of models, made of `sent(choices)`; who uses it asks the shelf for that name."""

    is_template = True              # drawn as the class above

    def preprocess(self, payload: object) -> str:
        """The name as the browser sent it; "" for anything else."""
        return payload if isinstance(payload, str) and payload != NOBODY else ""

    def postprocess(self, value: str | None) -> str | None:
        """The name as the browser knows it."""
        return super().postprocess(in_browser(value))


def offered(choices: Offered, value: str | None) -> Any:
    """An update of a list of models."""
    return gr.update(choices=sent(choices), value=value)


def sent(choices: Offered) -> list[tuple[str, str]]:
    """What a list offers, as the browser knows it."""
    return [(shown, in_browser(name)) for shown, name in choices]


def in_browser(value: Any) -> Any:
    """A value of `Names` as the browser knows it; others are the same there."""
    return NOBODY if value == "" else value


class Steps(gr.Slider):
    """The steps of a run; who uses it takes the nearest one that is kept."""

    is_template = True

    def preprocess(self, payload: object) -> int | None:
        """A whole number; None for anything else."""
        return int(payload) if isinstance(payload, int | float) and abs(payload) < 2**53 else None


def follow(field: Names, offer: Callable[[str | None], Any]) -> gr.State:
    """Read a list of models again each time its tab is turned to; the state is what the person has picked from it.

    Args: offer: what was picked -> an update of the field, see `choices`.
    """
    picked = gr.State()
    field.input(lambda name: name, field, picked, concurrency_limit=None, show_progress="hidden",
                api_visibility="private")
    when_shown(offer, picked, field)
    return picked


def choices(listed: Offered, first: str, picked: str | None = None) -> Any:
    """An update of a list of models: what was picked stays, where it is still offered; else `first` is chosen."""
    return offered(listed, picked if picked in (name for _, name in listed) else first)


def when_shown(run: Callable[..., Any], inputs: Any, outputs: Any) -> None:
    """Run that each time the tab that is being built is turned to; nothing where the panel is the whole page."""
    if isinstance(Context.block, gr.Tab):
        Context.block.select(run, inputs, outputs, concurrency_limit=None, show_progress="hidden",
                             api_visibility="private")


def when_open(run: Callable[..., Any], inputs: Any, outputs: Any, **how: Any) -> Any:
    """Run that once in each page, when what is seen first has been drawn.

    While a page is being drawn, each such event would cost it and the server some hundredths of a second.

    Returns: the event.
    """
    pages = Context.root_block
    events = _drawn.setdefault(pages, {})
    if pages.current_page not in events:
        events[pages.current_page] = pages.load(None, None, None, js=DRAWN)
    return events[pages.current_page].then(run, inputs, outputs, **how)
