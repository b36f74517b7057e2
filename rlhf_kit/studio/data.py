"""Panel 5: what people said, how far they agree, and all of it as a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rlhf_kit.datasets.ranking_files import write_rankings, write_trl
from rlhf_kit.datasets.rule_labels import write_rule_labels
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.labels import Judgement, LabelsError, Task
from rlhf_kit.labels.rule_breaking import rule_labels
from rlhf_kit.labels.sheet import write_csv
from rlhf_kit.language import Lang
from rlhf_kit.storage import write_json_lines
from rlhf_kit.studio import guidelines
from rlhf_kit.studio.answers import QUESTIONS
from rlhf_kit.studio.browse import Browse
from rlhf_kit.studio.data_tables import disputed, persons
from rlhf_kit.studio.fields import when_open, when_shown
from rlhf_kit.studio.person import RECALL, name_field, named
from rlhf_kit.studio.serving import annotator
from rlhf_kit.studio.widget import Update, widget
from rlhf_kit.studio.words import Words, percent
from rlhf_kit.studio.workspace import Workspace

if TYPE_CHECKING:
    from rlhf_kit.evaluate import Estimate

ALL = "*"                           # no person's and no question's choice
FORMATS = ("trl", "rankings", "csv", "scores", "rules")
SHORT = 120                         # characters of a prompt in a table


def build(lang: Lang, workspace: Workspace) -> None:
    """Put the panel into the page that is being built."""
    words, panel = Words(lang, "data"), Data(lang, workspace)
    gr.HTML(f"<p>{words('about')}</p>", js_on_load=None)
    with gr.Row():
        name = name_field(lang)
        who = gr.Dropdown([(words("everybody"), ALL)], value=ALL, label=words("who"))
        asked = [(words("all_questions"), ALL)] + [(words(f"question_{q or 'overall'}"), q) for q in QUESTIONS]
        question = gr.Dropdown(asked, value=ALL, label=words("question"))
        refresh = gr.Button(words("refresh"), scale=1, min_width=120)
    live, seen = widget("live", words), gr.State()
    notice = widget("notice", words, elem_id=f"rk-data-notice-{lang}")
    tables = widget("tables", words, {"tables": []}, parts=("explain",), elem_id=f"rk-data-tables-{lang}")
    with gr.Accordion(words("browse"), open=False):
        board = widget("browse", words, elem_id=f"rk-data-browse-{lang}")
    guidelines.editor(lang, workspace)
    with gr.Row(elem_classes="rk-controls"):
        form = gr.Dropdown([(words(f"format_{f}"), f) for f in FORMATS], value="trl", label=words("format"), scale=2)
        make = gr.Button(words("make"), scale=1)
        file = gr.DownloadButton(words("download"), interactive=False, scale=1, elem_id=f"rk-download-{lang}")

    shown, quiet = [name, who, question], {"show_progress": "hidden", "api_visibility": "undocumented"}
    when_open(panel.open, shown, [name, who, tables, notice], js=RECALL, api_name=f"data_open_{lang}",
              **quiet)
    refresh.click(panel.show, shown, [who, tables, notice], api_name=f"data_show_{lang}", **quiet)
    when_shown(panel.show, shown, [who, tables, notice])
    for changed in (who.input, question.input, name.submit):
        changed(panel.show, shown, [who, tables, notice], api_visibility="private", show_progress="hidden")
    live.tick(panel.news, [*shown, seen], [seen, who, tables, notice], api_visibility="private",
              show_progress="hidden", concurrency_limit=4)
    browse = Browse(lang, workspace)
    for turned in (refresh.click, who.input, question.input, name.submit, lambda *to, **how: when_shown(*to),
                   when_open):
        turned(browse.show, [*shown, board], board, api_visibility="private", show_progress="hidden")
    changed = board.act(browse.act, [*shown, board], board, api_visibility="private", show_progress="hidden")
    changed.then(panel.show, shown, [who, tables, notice], api_visibility="private", show_progress="hidden")
    make.click(panel.export, [*shown, form], [file, notice], api_name=f"data_export_{lang}", **quiet)


@dataclass(frozen=True)
class Data:
    """What the panel does; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "data")

    def open(self, typed: str, who: object, question: object, request: gr.Request) -> Iterator[tuple[Update, ...]]:
        """The page has opened: (name, people, tables, notice)."""
        name = named(getattr(request, "username", None) or typed, request)
        for shown in self.show(typed, who, question, request):
            yield name, *shown

    def show(self, typed: str, who: object, question: object, request: gr.Request) -> Iterator[tuple[Update, ...]]:
        """What there is: (people to choose from, tables, notice); what is counted at once, then agreement as well."""
        try:
            teacher = self._is_teacher(request)
            people = sorted(self.workspace.labels.progress()["annotators"])
            people = people if teacher else [p for p in people if p == annotator(request, typed)]
            choices = gr.update(choices=[(self.words("everybody"), ALL), *((p, p) for p in people)],
                                value=who if who in people else ALL)
            said = self.workspace.labels.judgements(question=_chosen(question))
            if not said:
                yield choices, {"tables": []}, self.words("nothing")
                return
            tasks = {task.id: task for task in self.workspace.labels.tasks()}
            own = [s for s in said if s.annotator in ([who] if who in people else people)]
            tables = [self._people(own), self._disputed(tasks, said), *([self._teacher(said)] if teacher else [])]
            yield choices, {"tables": tables}, self.words("counting")
            tables.insert(1, self._agreement(_chosen(question)))
            yield gr.skip(), {"tables": tables}, None
        except LabelsError:
            yield gr.skip(), gr.skip(), Words(self.lang, "labels")("unread")
        except ValueError:
            yield gr.skip(), gr.skip(), Words(self.lang, "studio")("name_bad")

    def news(self, typed: str, who: object, question: object, seen: object, request: gr.Request
             ) -> Iterator[tuple[Update, ...]]:
        """The same, where anybody has said anything since: (what has been seen, people, tables, notice).

        The tables are sent once they are whole, so that nothing that is read goes away meanwhile.
        """
        try:
            now = self.workspace.labels.revision()
        except LabelsError:
            now = seen
        if now == seen:
            yield (gr.skip(),) * 4
            return
        people, whole = gr.skip(), gr.skip()
        for people_now, tables, notice in self.show(typed, who, question, request):
            people = people if people_now == gr.skip() else people_now
            whole = tables, notice
        yield (now, people, *whole)

    def export(self, typed: str, who: object, question: object, form: object,
               request: gr.Request) -> tuple[Update, Update]:
        """A file to be downloaded: (button, notice). Who is no teacher gets what is theirs."""
        try:
            chosen = who if isinstance(who, str) and who != ALL else None
            chosen = chosen if self._is_teacher(request) else annotator(request, typed)
            said = self.workspace.labels.judgements(chosen, _chosen(question))
            tasks = {task.id: task for task in self.workspace.labels.tasks()}
            folder = self.workspace.downloads(str(getattr(request, "session_hash", None)))
            path = folder / {"trl": "pairs.jsonl", "rankings": "rankings.jsonl", "csv": "labels.csv",
                             "scores": "scores.jsonl", "rules": "rule_labels.jsonl"}.get(str(form), "pairs.jsonl")
            rows = (write_rule_labels(path, rule_labels(self.workspace.labels, chosen)) if form == "rules"
                    else _write(str(form), path, tasks, said))
        except LabelsError:
            return gr.skip(), Words(self.lang, "labels")("unread")
        except OSError:
            return gr.skip(), self.words("disk_full")
        except ValueError:
            return gr.skip(), Words(self.lang, "studio")("name_bad")
        if not rows:
            return gr.update(interactive=False), self.words("no_rows")
        return gr.update(value=str(path), interactive=True), self.words("made", rows=rows, file=path.name)

    # -- the tables

    def _people(self, said: list[Judgement]) -> dict[str, Any]:
        rows = [[p.name, str(p.ranked), str(p.voted), str(p.scored), str(p.repeats)] for p in persons(said)]
        return self._table("people", ("person", "ranked", "voted", "scored", "repeats"), rows)

    def _agreement(self, question: str | None) -> dict[str, Any]:
        from rlhf_kit.labels.annotators import agreement
        found = agreement(self.workspace.labels, question)
        w = "–" if found.w is None else self.words("w_value", w=found.w, chance=found.w_by_chance)
        rows = [[self.words("shared"), f"{found.shared} / {found.tasks}"],
                [self.words("alpha"), "–" if found.alpha is None else f"{found.alpha:.2f}"], [self.words("w"), w],
                [self.words("pairwise"), _share(found.pairwise)], [self.words("self"), _share(found.self_agreement)]]
        notes = [self.words("alone")] if found.pairwise is None else [] if found.enough else [
            self.words("few", n=found.pairwise.n)]
        return {**self._table("agreement", ("measure", "value"), rows, notes), "of": "rows",
                "about": [self.words.explained(key) for key in ("shared", "alpha", "w", "pairwise", "self")]}

    def _disputed(self, tasks: dict[int, Task], said: list[Judgement]) -> dict[str, Any]:
        rows = [[one.task.prompt[:SHORT], self.words(f"question_{one.question or 'overall'}")
                 if one.question in QUESTIONS else one.question, str(len(one.task.texts)), str(one.people),
                 percent(one.agreement)] for one in disputed(tasks, said)]
        return self._table("disputed", ("prompt", "asked", "k", "people", "agreed"), rows,
                           [] if rows else [self.words("no_dispute")])

    def _teacher(self, said: list[Judgement]) -> dict[str, Any]:
        rows = [[p.name, str(p.ranked + p.voted), "–" if p.seconds is None else f"{p.seconds:.1f}",
                 "–" if p.others is None else f"{percent(p.others)} (n = {p.compared})", self._ago(p.last)]
                for p in persons(said)]
        return self._table("teacher", ("person", "labels", "seconds", "others", "last"), rows)

    def _ago(self, created: str) -> str:
        """How long ago that was."""
        try:
            minutes = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds() // 60)
        except (ValueError, TypeError):
            return "–"
        return self.words("ago_now") if minutes < 1 else self.words("ago", n=minutes) if minutes < 120 else created[:10]

    def _table(self, caption: str, head: tuple[str, ...], rows: list, notes: list | None = None) -> dict[str, Any]:
        return {"caption": self.words(f"table_{caption}"), "head": [self.words(f"col_{key}") for key in head],
                "about": [self.words.explained(key) for key in head], "rows": rows, "notes": notes or []}

    def _is_teacher(self, request: gr.Request) -> bool:
        """Everybody on this machine; in class mode whoever the workspace names."""
        name = getattr(request, "username", None)
        return name is None or name == getattr(self.workspace, "teacher", None)


def _write(form: str, path: Path, tasks: dict[int, Task], said: list[Judgement]) -> int:
    """How many lines the file has."""
    first = [s for s in said if s.repeat == 0 and s.kind != "score"]
    rankings = [Ranking(tasks[s.task_id].prompt, tasks[s.task_id].texts, s.ranks) for s in first]
    if form == "csv":
        return write_csv(path, tasks, said)
    if form == "scores":
        rows = [{"prompt": tasks[s.task_id].prompt, "response": tasks[s.task_id].texts[0], "score": s.score,
                 "flags": list(s.flags), "question": s.question, "annotator": s.annotator}
                for s in said if s.kind == "score" and s.repeat == 0]
        write_json_lines(path, rows)
        return len(rows)
    return (write_rankings if form == "rankings" else write_trl)(path, rankings).rows


def _chosen(question: object) -> str | None:
    return question if question in QUESTIONS else None


def _share(share: Estimate | None) -> str:
    return "–" if share is None else (
        f"{percent(share.mean)} ({percent(share.low)} – {percent(share.high)}), n = {share.n}")
