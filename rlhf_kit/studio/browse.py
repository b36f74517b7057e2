"""Labels one by one, in the panel of data: found by a word, changed, and taken back. What was there before is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rlhf_kit.labels import BOTH_BAD, Judgement, LabelsError, Shown, Task
from rlhf_kit.language import Lang
from rlhf_kit.studio.answers import BEST, QUESTIONS, why
from rlhf_kit.studio.serving import NameProblem, annotator
from rlhf_kit.studio.widget import Update, stamp
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

ROWS = 10                           # labels on one page
LONGEST = 300                       # characters of a text that are shown
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class OrderProblem(ValueError):
    """What was typed is no order of these responses."""


def parsed(order: str, k: int) -> list[list[int]]:
    """`"D > A = B > C"` -> `[[3], [0, 1], [2]]`. Raises: OrderProblem unless every letter stands there once."""
    groups = [[LETTERS.find(name.strip().upper()) if len(name.strip()) == 1 else -1
               for name in group.replace("＝", "=").split("=")] for group in order.replace("＞", ">").split(">")]
    if sorted(i for group in groups for i in group) != list(range(k)):
        raise OrderProblem(order[:80])
    return groups


def written(groups: Sequence[Sequence[int]]) -> str:
    """The other way round."""
    return " > ".join(" = ".join(LETTERS[i] for i in sorted(group)) for group in groups)


@dataclass(frozen=True)
class Browse:
    """What happens on the page; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "data")

    def show(self, typed: str, who: object, question: object, sent: object, request: gr.Request,
             line: str = "") -> Update:
        """The labels that fit, newest first; `sent` is what the page shows, with its word and its page."""
        try:
            asked = sent if isinstance(sent, dict) else {}
            word = asked["word"][:200] if isinstance(asked.get("word"), str) else ""
            found = self._found(annotator(request, typed), who, question, word, request)
        except (LabelsError, ValueError) as error:
            return gr.skip() if isinstance(error, NameProblem) else {"rows": [], "said": why(self.lang, error),
                                                                     "stamp": stamp()}
        pages = max(-(-len(found) // ROWS), 1)
        page = asked.get("page") if isinstance(asked.get("page"), int) else 0
        page = min(max(page, 0), pages - 1)
        rows = [self._row(task, said) for task, said in found[page * ROWS:(page + 1) * ROWS]]
        return {"rows": rows, "word": word, "page": page, "pages": pages, "said": line, "stamp": stamp(),
                "count": self.words("browse_count", n=len(found), page=page + 1, pages=pages)}

    def act(self, typed: str, who: object, question: object, sent: object, event: gr.EventData,
            request: gr.Request) -> Update:
        """A word looked for, another page, a label changed or taken back; in a class one's own, or the teacher any."""
        asked = getattr(event, "_data", None)
        asked = asked if isinstance(asked, dict) else {}
        shown = {**(sent if isinstance(sent, dict) else {}), **{key: asked[key] for key in ("word", "page")
                                                               if key in asked}}
        line = ""
        if asked.get("act") in ("change", "drop"):
            try:
                line = self._act(asked, annotator(request, typed), request)
            except OrderProblem:
                line = self.words("bad_order")
            except (OSError, ValueError) as error:
                line = why(self.lang, error)
        return self.show(typed, who, question, shown, request, line)

    # -- what stands behind these

    def _act(self, asked: dict[str, Any], name: str, request: gr.Request) -> str:
        said = next((said for said in self.workspace.labels.judgements() if _key(said) == asked.get("key")), None)
        if said is None:
            return self.words("changed_meanwhile")
        if said.annotator != name and not self._sees_all(request):
            return self.words("not_yours")
        task = self.workspace.labels.task(said.task_id)
        if asked["act"] == "drop":
            return self.words("dropped" if self.workspace.labels.remove(said) else "changed_meanwhile")
        order = asked.get("order")
        self._change(task, said, order if isinstance(order, str) else "")
        return self.words("changed")

    def _change(self, task: Task, said: Judgement, order: str) -> None:
        labels, k = self.workspace.labels, len(task.responses)
        shown = Shown(task, said.annotator, said.question, said.repeat, said.shown_order)
        if said.kind == "score":
            if order.strip() not in [str(score) for score in range(1, BEST + 1)]:
                raise OrderProblem(order[:80])
            labels.save_score(shown, int(order), seconds=said.seconds, flags=said.flags, lang=said.lang)
            return
        groups = parsed(order, k)
        flags = [flag for flag in said.flags if flag != BOTH_BAD or len(groups) == 1]
        labels.save_ranking(shown, groups, seconds=said.seconds, flags=flags, lang=said.lang)

    def _found(self, name: str, who: object, question: object, word: str,
               request: gr.Request) -> list[tuple[Task, Judgement]]:
        labels = self.workspace.labels
        tasks = {task.id: task for task in labels.tasks()}
        people = None if self._sees_all(request) else {name}
        found = [(tasks[said.task_id], said)
                 for said in labels.judgements(question=question if question in QUESTIONS else None)
                 if (people is None or said.annotator in people) and who in ("*", said.annotator)]
        wanted = word.strip().casefold()
        return sorted((one for one in found if not wanted or any(
            wanted in text.casefold() for text in (one[0].prompt, *one[0].texts, one[1].annotator))),
            key=lambda one: one[1].created, reverse=True)

    def _row(self, task: Task, said: Judgement) -> dict[str, Any]:
        order = f"{said.score:g}" if said.kind == "score" else (
            written(said.groups) if len(task.responses) <= len(LETTERS) else "")
        asked = self.words(f"question_{said.question or 'overall'}") if said.question in QUESTIONS else said.question
        again = [self.words("kind_repeat")] if said.repeat else []
        return {"key": _key(said), "who": said.annotator, "when": said.created[:16].replace("T", " "), "order": order,
                "about": " · ".join([self.words(f"kind_{said.kind}"), asked, *again, *said.flags]),
                "prompt": task.prompt[:LONGEST], "texts": [text[:LONGEST] for text in task.texts],
                "letters": said.kind != "score"}

    def _sees_all(self, request: gr.Request) -> bool:
        name = getattr(request, "username", None)
        return name is None or name == self.workspace.teacher


def _key(said: Judgement) -> list:
    """Which label that is, as it is now: another once it was changed."""
    return [said.task_id, said.annotator, said.kind, said.question, said.repeat, said.created]
