"""How a press of a button that needs a model waits for its turn, says so, and gives the model back whatever happens.

Two events: the first waits, beside all others, and hands on a ticket; the second has the model to itself, as the only
one with Gradio's concurrency_id "model", and ends its turn when it is done, stopped, or its page is closed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.ui.shelf import Shelf
from rlhf_kit.ui.words import Words
from rlhf_kit.ui.workspace import Workspace


async def waiting(workspace: Workspace, lang: Lang, request: gr.Request, refused: str | None
                  ) -> AsyncIterator[list[Any]]:
    """What a press of a button that needs the model says first: (line, ticket).

    The line says what is wrong, or how many are before; the ticket comes last, and None with it means no.
    """
    words = Words(lang, "shelf")
    if refused is None and (seconds := workspace.generating.wait(request.username or str(request.session_hash))):
        refused = Words(lang, "studio")("slow_down", seconds=max(seconds, 1))
    if refused is not None:
        yield [refused, None]
        return
    ticket = workspace.line.join()
    async for n in workspace.line.wait(ticket):
        yield [words("queue_one") if n == 1 else words("queue", n=n), None]
    yield [gr.skip(), ticket]


def prepared(shelf: Shelf, wanted: Sequence[tuple[str, Any]], words: Words) -> Iterator[str]:
    """Lines about what has to be loaded or trained before these models can be used."""
    if not shelf.loaded():
        yield words("loading")
    for name, done, total in shelf.prepare(wanted, words.lang):
        yield words("training", name=name, done=done, total=total)


def in_turn(workspace: Workspace, ticket: str | None, stream: Iterator[tuple[Any, str]],
            outputs: Callable[[Any], list[Any]]) -> Iterator[list[Any]]:
    """The stream of whoever has a ticket, as (line, *outputs); the next in line may begin when it ends or is closed."""
    try:
        for value, line in stream if ticket else ():
            workspace.line.ahead(ticket)                # a sign of life
            yield [line, *(outputs(value) if value is not None else [gr.skip() for _ in outputs(None)])]
        if not ticket:
            yield [gr.skip(), *(gr.skip() for _ in outputs(None))]
    finally:
        stream.close()
        workspace.line.leave(ticket)
