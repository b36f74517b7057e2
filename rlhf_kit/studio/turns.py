"""How a press of a button that needs a model waits for its turn, says so, and gives the model back whatever happens.

Two events: the first waits, beside all others, and hands on a ticket; the second has the model to itself, as the only
one with Gradio's concurrency_id "model", and ends its turn when it is done, stopped, or its page is closed. `Turns`
wires both to a button; the two generators below are what they do, without a page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.studio.shelf import Shelf
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LIVE = "() => ({ __type__: 'update', interactive: true })"          # at once, without asking the server
REMEMBERED = 1000                   # pages whose last Stop is known
LATER = {"trigger_mode": "always_last"}     # for what follows on a press; else Gradio drops it while the last one ends


@dataclass(frozen=True)
class Turns:
    """The buttons of one panel that need a model. The ticket is None where nobody waits and nothing runs."""

    workspace: Workspace
    lang: Lang
    ticket: gr.State
    stop: gr.Button | None = None           # works only while something waits or runs
    _stopped: dict[str, str] = field(default_factory=dict)      # page -> what its last Stop was answered

    def wire(self, press: Callable[..., Any], check: Callable[..., str | None], asked: Sequence[Any],
             run: Callable[..., Iterator[tuple[Any, str]]], given: Sequence[Any], line: Any, outputs: Sequence[Any], *,
             shown: Callable[..., list[Any]] = lambda value, *_: [value],
             names: tuple[str, str] | None = None) -> list[Any]:
        """Wait for a turn, then run alone; returns the events, to be stopped.

        Args:
            press: what begins it, such as a button's `click`.
            check: (request, *values of `asked`) -> why it is refused at once; None if it may be tried.
            run: (request, *values of `given`) -> a stream of (value, line); a value of None leaves what is shown.
            line: where it is told how it goes.
            shown: (value, *values of `given`) -> the values of `outputs`.
            names: of the two events for who calls them without a page; None = nobody may.
        """
        async def wait(request: gr.Request, *values: Any) -> AsyncIterator[list[Any]]:
            self._stopped.pop(str(request.session_hash), None)
            async for said in waiting(self.workspace, self.lang, request, check(request, *values)):
                yield said

        def act(request: gr.Request, turn: str | None, *values: Any) -> Iterator[list[Any]]:
            yield from in_turn(self.workspace, turn, run(request, *values), lambda value: shown(value, *values))

        def failed(request: gr.Request, turn: str | None) -> list[Any]:
            return self.failed(turn, str(request.session_hash))

        public = {"api_visibility": "undocumented"}
        first, second = ({**QUIET, **public, "api_name": name} for name in names) if names else (QUIET, QUIET)
        queued = press(wait, list(asked), [line, self.ticket], concurrency_limit=None, **first)
        running = queued.success(act, [self.ticket, *given], [line, *outputs], concurrency_id="model",
                                 concurrency_limit=1, **LATER, **second)
        self._rest(running.success(self.over, self.ticket, self.ticket, concurrency_limit=None, **LATER, **QUIET))
        self._rest(running.failure(failed, self.ticket, [line, self.ticket], concurrency_limit=None,
                                   **LATER, **QUIET))
        if self.stop is not None:
            press(None, None, self.stop, js=LIVE, **QUIET)
        return [queued, running]

    def wire_stop(self, button: gr.Button, events: Sequence[Any], line: Any, said: Callable[..., str],
                  given: Sequence[Any] = ()) -> None:
        """Stop those events; where one of them was waiting or running, `said(*values of given)` is told."""
        def stop(request: gr.Request, turn: str | None, *values: Any) -> list[Any]:
            return self.stopped(turn, said, *values, page=str(request.session_hash))
        self._rest(button.click(stop, [self.ticket, *given], [line, self.ticket], cancels=list(events),
                                concurrency_limit=None, **QUIET))

    def _rest(self, event: Any) -> None:
        """After that, the button that stops works only if somebody still waits or runs."""
        if self.stop is not None:
            event.then(lambda turn: gr.update(interactive=turn is not None), self.ticket, self.stop,
                       concurrency_limit=None, **LATER, **QUIET)

    def over(self, turn: str | None) -> str | None:
        """The ticket after a turn that has ended: None, unless somebody pressed again and stands in the line."""
        return turn if turn in self.workspace.line else None

    def failed(self, turn: str | None, page: str = "") -> list[Any]:
        """(line, ticket) after what Gradio refused before our own code could say why.

        A run that was stopped counts as failed for Gradio. What Stop was answered is then said again: on a busy machine
        the browser may still have shown, after that, lines of the run which it had not got round to.
        """
        if turn is None and page in self._stopped:
            return [self._stopped[page], None]
        if turn not in self.workspace.line or self.workspace.line.has_begun(turn):
            return [gr.skip(), gr.skip()]
        self.workspace.line.leave(turn)
        return [Words(self.lang, "shelf")("failed"), None]

    def stopped(self, turn: str | None, said: Callable[..., str], *values: Any, page: str = "") -> list[Any]:
        """(line, ticket) after Stop; nothing is said where nothing waited or ran."""
        self.workspace.line.leave(turn)
        if turn is None:
            return [gr.skip(), None]
        self._stopped[page] = said(*values)
        while len(self._stopped) > REMEMBERED:
            del self._stopped[next(iter(self._stopped))]                # the page that stopped longest ago
        return [self._stopped[page], None]


async def waiting(workspace: Workspace, lang: Lang, request: gr.Request, refused: str | None
                  ) -> AsyncIterator[list[Any]]:
    """What a press of a button that needs the model says first: (line, ticket).

    The line says what is wrong, or how many are before; None instead of a ticket means no.
    """
    words = Words(lang, "shelf")
    if refused is None and (seconds := workspace.generating.wait(request.username or str(request.session_hash))):
        refused = Words(lang, "studio")("slow_down", seconds=max(seconds, 1))
    if refused is not None:
        yield [refused, None]
        return
    ticket = workspace.line.join(str(request.session_hash))
    async for n in workspace.line.wait(ticket):
        yield [words("queue_one") if n == 1 else words("queue", n=n), ticket]
    yield [gr.skip(), ticket]


def prepared(shelf: Shelf, wanted: Sequence[tuple[str, Any]], words: Words) -> Iterator[str]:
    """Lines about what has to be loaded or trained before these models can be used."""
    if not shelf.loaded():
        yield words("loading")
    for name, done, total in shelf.prepare(wanted, words.lang):
        yield (Words(words.lang, "shelf")("being_made", name=name) if done is None
               else words("training", name=name, done=done, total=total))


def in_turn(workspace: Workspace, ticket: str | None, stream: Iterator[tuple[Any, str]],
            outputs: Callable[[Any], list[Any]]) -> Iterator[list[Any]]:
    """The stream of whoever has a ticket, as (line, *outputs); the next in line may begin when it ends or is closed."""
    try:
        if ticket:
            workspace.line.begin(ticket)
        for value, line in stream if ticket else ():
            workspace.line.ahead(ticket)                # a sign of life
            yield [line, *(outputs(value) if value is not None else [gr.skip() for _ in outputs(None)])]
        if not ticket:
            yield [gr.skip(), *(gr.skip() for _ in outputs(None))]
    finally:
        stream.close()
        workspace.line.leave(ticket)
