"""The panel Reward model: what one says of any text, which words it pays for, and how it is fooled."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.ui import probing
from rlhf_kit.ui.probing import TRICKS, Trick
from rlhf_kit.ui.problems import Problem, refusal, saved_example, told
from rlhf_kit.ui.shelf import Shelf
from rlhf_kit.ui.turns import in_turn, prepared, waiting
from rlhf_kit.ui.widget import widget
from rlhf_kit.ui.words import Words
from rlhf_kit.ui.workspace import Workspace

CHARACTERS = 5_000                  # of a text that is looked at


class Probe:
    """What the panel does, without the page. Every line it says is in the page's language."""

    def __init__(self, lang: Lang, workspace: Workspace) -> None:
        self.lang, self.workspace, self.words = lang, workspace, Words(lang, "probe")
        self._measured: dict[tuple, dict[str, Any]] = {}        # what is known of a judge, as long as it stays the same

    @property
    def shelf(self) -> Shelf:
        """The models."""
        return self.workspace.shelf

    def saved(self) -> dict[str, Any] | None:
        """The panel's part of the saved example."""
        return saved_example(self.lang).get("probe")

    def choices(self) -> tuple[list[tuple[str, str]], str]:
        """The judges, and the one to begin with: a reward model before a classifier."""
        names = self.shelf.offered("judge", self.lang)
        pleased = self.shelf.defaults(self.lang)[2]
        return names, pleased if not pleased.startswith("tiny-judge") else f"tiny-rm-{self.lang}"

    def refused(self, text: str, judge: str) -> str | None:
        """The line that is said at once, before anything is loaded; None if it may be tried."""
        return refusal(self.words, self._check, text, judge)

    def score(self, text: str, judge: str, last: float | None = None) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """Yields (view, line); a view of None leaves what is shown. `last` is the score before, to tell the change."""
        began = time.monotonic()
        try:
            self._check(text, judge)
            yield from self._prepared(judge)
            asked, known = self.shelf.judge(judge, self.lang), self._known(judge)
            if "held_out" not in known:
                yield None, self.words("reading")
                known["held_out"] = probing.held_out(asked, self._task_lang(judge))
            yield None, self.words("scoring")
            view = probing.scored(asked, text, self._task_lang(judge))
            yield ({**view, "accuracy": None, **known, "was": last},
                   self.words("done", seconds=time.monotonic() - began))
        except Exception as error:                      # whatever it is, the page says it and keeps the text
            yield None, told(error, self.words)

    def measure(self, text: str, judge: str, last: float | None = None
                ) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """The same, after the judge was asked about held-out pairs."""
        try:
            self._check(text, judge)
            yield from self._prepared(judge)
            yield None, self.words("measuring")
            found = probing.accuracy(self.shelf.judge(judge, self.lang), self._task_lang(judge))
            self._known(judge)["accuracy"] = found
            for view, line in self.score(text, judge, last):
                yield view, line if view is None else self.words("measured", n=found["n"])
        except Exception as error:
            yield None, told(error, self.words)

    def _check(self, text: str, judge: str) -> None:
        if not text or not text.strip():
            raise Problem("empty")
        if len(text) > CHARACTERS:
            raise Problem("too_many_characters", n=len(text), most=CHARACTERS)
        if not judge:
            raise Problem("no_judge")

    def _prepared(self, judge: str) -> Iterator[tuple[None, str]]:
        yield from ((None, line) for line in prepared(self.shelf, [(judge, "judge")], self.words))

    def _known(self, judge: str) -> dict[str, Any]:
        entry = self.shelf.find(judge, "judge", self.lang)
        return self._measured.setdefault((entry.place, entry.adapter, entry.written), {})

    def _task_lang(self, judge: str) -> Lang:
        return self.shelf.find(judge, "judge", self.lang).lang or self.lang


def build(lang: Lang, workspace: Workspace) -> None:
    """The panel, in the page that is being built."""
    panel, words = Probe(lang, workspace), Words(lang, "probe")
    saved = panel.saved()
    gr.Markdown(words("about"))
    judge = gr.Dropdown([], label=words("judge"), elem_id="rk-probe-judge")
    text = gr.Textbox(saved["text"] if saved else words("start"), label=words("text"), info=words("text_about"),
                      lines=3, max_lines=10, elem_id="rk-probe-text")
    with gr.Row(elem_classes="rk-chips"):
        tricks = [gr.Button(f"{words('fool')}: {words(f'fool_{trick}')}", size="sm", min_width=140) for trick in TRICKS]
    with gr.Row():
        go = gr.Button(words("score"), variant="primary", elem_classes="rk-key-ctrl-enter")
        stop = gr.Button(words("stop"), elem_classes="rk-key-escape")
    line = widget("notice", words, words("saved") if saved else words("nothing_saved"), elem_id="rk-probe-line")
    shown = widget("probe", words, saved, parts=("tokens", "charts"), elem_id="rk-probe-view")
    measure = gr.Button(words("measure"))
    last, ticket = gr.State(saved["score"] if saved else None), gr.State(None)

    def arrive() -> Any:
        names, first = panel.choices()
        return gr.update(choices=names, value=first)

    def score(turn: str | None, *asked: Any) -> Iterator[list[Any]]:
        yield from in_turn(workspace, turn, panel.score(*asked), _shown)

    def weigh(turn: str | None, *asked: Any) -> Iterator[list[Any]]:
        yield from in_turn(workspace, turn, panel.measure(*asked), _shown)

    async def wait(text: str, judge: str, request: gr.Request) -> AsyncIterator[list[Any]]:
        async for said in waiting(workspace, lang, request, panel.refused(text, judge)):
            yield said

    def fool(trick: Trick) -> Any:
        return lambda text: probing.fooled(trick, text, lang) if len(text) <= CHARACTERS else text

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    alone = {"concurrency_id": "model", "concurrency_limit": 1, **quiet}
    asked, answered = [ticket, text, judge, last], [line, shown, last]
    gr.on(None, arrive, None, judge, **quiet)

    def begin(event: Callable, run: Callable) -> list[Any]:
        """Wait for a turn, then run alone."""
        queued = event(wait, [text, judge], [line, ticket], concurrency_limit=None, **quiet)
        return [queued, queued.success(run, asked, answered, **alone)]

    going = [*begin(go.click, score), *begin(measure.click, weigh)]
    for trick, button in zip(TRICKS, tricks, strict=True):
        changed = button.click(fool(trick), text, text, concurrency_limit=None, **quiet)
        going += begin(changed.success, score)
    stop.click(lambda turn: (workspace.line.leave(turn), words("stopped"))[1], ticket, line, cancels=going,
               concurrency_limit=None, **quiet)


def _shown(view: dict[str, Any] | None) -> list[Any]:
    """What becomes of a view: the picture, and the score that the next one is compared with."""
    return [view, view and view["score"]]
