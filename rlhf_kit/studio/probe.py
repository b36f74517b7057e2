"""The panel Reward model: what one says of any text, which words it pays for, and how it is fooled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.studio import probing
from rlhf_kit.studio.fields import Names, choices, follow, when_open
from rlhf_kit.studio.probing import TRICKS, Trick
from rlhf_kit.studio.problems import Problem, refusal, saved_example, told
from rlhf_kit.studio.shelf import Shelf, ShelfError
from rlhf_kit.studio.turns import QUIET, Turns, prepared
from rlhf_kit.studio.widget import widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

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
        """The panel's part of the saved example; None where a lesson's own texts and models are offered."""
        return None if self.workspace.prompts else saved_example(self.lang).get("probe")

    def start(self) -> str:
        """The text to begin with."""
        saved = self.saved()
        return saved["text"] if saved else next(iter(self.workspace.prompts), self.words("start"))

    def choices(self) -> tuple[list[tuple[str, str]], str]:
        """The judges, and the one to begin with: the reward model trained last, then what a policy was trained for.

        A tiny reward model comes before a tiny classifier.
        """
        names = self.shelf.offered("judge", self.lang)
        current, pleased = self.shelf.reward_model(self.lang), self.shelf.defaults(self.lang)[2]
        return names, pleased if current.startswith("tiny-rm") and not pleased.startswith("tiny-judge") else current

    def refused(self, text: str, judge: str) -> str | None:
        """The line that is said at once, before anything is loaded; None if it may be tried."""
        return refusal(self.words, self._check, text, judge)

    def score(self, text: str, judge: str, last: dict[str, Any] | None = None
              ) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """Yields (view, line); a view of None leaves what is shown.

        `last` is what `remembered` made of the view before: where the same judge gave it, the change is told.
        """
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
            was = last["score"] if last and last["by"] == self._made(judge) else None
            yield ({**view, "accuracy": None, **known, "was": was},
                   self.words("done", seconds=time.monotonic() - began))
        except Exception as error:                      # whatever it is, the page says it and keeps the text
            yield None, told(error, self.words)

    def remembered(self, view: dict[str, Any], judge: str) -> dict[str, Any] | None:
        """The score of a view, and which judge gave it as it is now."""
        try:
            return {"score": view["score"], "by": self._made(judge)}
        except ShelfError:
            return None

    def measure(self, text: str, judge: str, last: dict[str, Any] | None = None
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
        return self._measured.setdefault(self._made(judge), {})

    def _made(self, judge: str) -> tuple:
        """What a judge is: another once it was trained anew in the same place."""
        entry = self.shelf.find(judge, "judge", self.lang)
        return entry.place, entry.adapter, entry.written

    def _task_lang(self, judge: str) -> Lang:
        return self.shelf.find(judge, "judge", self.lang).lang or self.lang


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    judge: Names
    text: gr.Textbox
    tricks: list[gr.Button]
    go: gr.Button
    stop: gr.Button
    line: gr.HTML
    shown: gr.HTML
    measure: gr.Button
    measured: gr.HTML                       # how that goes, beside its button


def build(lang: Lang, workspace: Workspace) -> None:
    """The panel, in the page that is being built."""
    panel = Probe(lang, workspace)
    _wire(panel, _fields(panel))


def _fields(panel: Probe) -> Fields:
    words, saved = panel.words, panel.saved()
    offered, first = panel.choices()
    gr.HTML(f"<p>{words('about')}</p>", js_on_load=None)
    with gr.Row(elem_classes="rk-controls"):
        text = gr.Textbox(panel.start(), label=words("text"), lines=2, max_lines=10, scale=6, min_width=260,
                          elem_id="rk-probe-text")
        go = gr.Button(words("score"), variant="primary", elem_classes="rk-key-ctrl-enter", scale=0, min_width=230)
        stop = gr.Button(words("stop"), elem_classes="rk-key-escape", interactive=False, scale=0, min_width=130)
    line = widget("notice", words, words("saved") if saved else words("nothing_saved"), elem_id="rk-probe-line")
    with gr.Row(elem_classes="rk-chips"):
        tricks = [gr.Button(words("fool", trick=words(f"fool_{trick}")), size="sm", min_width=140) for trick in TRICKS]
    judge = Names(offered, value=first, label=words("judge"), elem_id="rk-probe-judge", elem_classes="rk-inline")
    shown = widget("probe", words, saved, parts=("explain", "tokens", "charts"), elem_id="rk-probe-view")
    with gr.Row(elem_classes="rk-controls"):
        measure = gr.Button(words("measure"), scale=0, min_width=260)
        measured = widget("notice", words, elem_id="rk-probe-measured")
    return Fields(judge, text, tricks, go, stop, line, shown, measure, measured)


def _wire(panel: Probe, on: Fields) -> None:
    """What happens when something is pressed."""
    last = gr.State(None)                           # the saved example's score is of another day's model
    turns = Turns(panel.workspace, panel.lang, gr.State(None), on.stop)

    def offer(picked: str | None) -> Any:
        return choices(*panel.choices(), picked)

    def fool(trick: Trick) -> Any:
        return lambda text: probing.fooled(trick, text, panel.lang) if len(text) <= CHARACTERS else text

    def shown(view: dict[str, Any] | None, text: str = "", judge: str = "", *_: Any) -> list[Any]:
        """What becomes of a view: the picture, and the score that the next one is compared with."""
        return [view, view and panel.remembered(view, judge)]

    def begin(press: Any, run: Any, line: Any = on.line) -> list[Any]:
        return turns.wire(press, lambda _, *asked: panel.refused(*asked), [on.text, on.judge],
                          lambda _, *asked: run(*asked), [on.text, on.judge, last], line, [on.shown, last],
                          shown=shown)

    when_open(offer, follow(on.judge, offer), on.judge, **QUIET)
    going = [*begin(on.go.click, panel.score), *begin(on.measure.click, panel.measure, on.measured)]
    for trick, button in zip(TRICKS, on.tricks, strict=True):
        changed = button.click(fool(trick), on.text, on.text, concurrency_limit=None, **QUIET)
        going += begin(changed.success, panel.score)
    turns.wire_stop(on.stop, going, on.line, lambda: panel.words("stopped"))
