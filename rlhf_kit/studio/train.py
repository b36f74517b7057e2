"""The panel where the loop closes: what people ranked becomes a reward model, and a policy that pleases it.

The buttons put trainings in the line of `trainings.py`; nothing is trained here. What is shown is read from the
runs' files, so whoever opens the page sees the same. A page asks for news only while somebody looks at it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from rlhf_kit.labels.database import LabelsError
from rlhf_kit.language import Lang
from rlhf_kit.studio import scripted
from rlhf_kit.studio import workspace as shared
from rlhf_kit.studio.answers import reason
from rlhf_kit.studio.fields import Names, choices, follow, sent, when_open
from rlhf_kit.studio.person import RECALL, name_field, named
from rlhf_kit.studio.serving import annotator
from rlhf_kit.studio.train_runs import (
    ALL,
    BETA,
    FEWEST,
    MINE,
    MOST_STEPS,
    PPO_STEPS,
    RM_STEPS,
    judges,
    lists,
    questions,
    start_ppo,
    start_reward_model,
    starts,
)
from rlhf_kit.studio.train_view import ACTIVE, CURVES, SHOWN, detail, view
from rlhf_kit.studio.trainings import Job, JobError, Look
from rlhf_kit.studio.widget import Update, widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import REVIEWS

ANY = "*"                           # of all questions; "" is one
MOST_NAMES = 20                     # of trainings to be laid over one, as the browser sends them
COUNTS_KEPT = 200                   # of lists, one for each person and question
AT_ONCE = 3                         # trainings of one person in a class that run or wait
SOMEBODY = "example"                # who ranked in the saved example


def build(lang: Lang, workspace: Workspace) -> None:
    """The panel, and the line of trainings set moving: what a server that is gone had begun goes on."""
    words, panel = Words(lang, "train"), Panel(lang, workspace)
    workspace.jobs.watch()
    gr.Markdown(words("about"))
    name = name_field(lang)
    with gr.Row():
        with gr.Column(min_width=300, elem_classes="rk-step"):
            gr.Markdown(words("first"))
            train = gr.Button(words("train_it"), variant="primary", elem_id=f"rk-train-rm-{lang}")
            gr.Button(words("first_how"), elem_classes="rk-fold-button rk-narrow", size="sm")
            with gr.Column(elem_classes="rk-fold rk-wide"):
                with gr.Row():
                    whose = gr.Radio([(words("everybody"), ALL), (words("mine"), MINE)], value=ALL,
                                     label=words("whose"), min_width=180)
                    question = gr.Dropdown([(words("any_question"), ANY)], value=ANY, label=words("question"),
                                           min_width=180)
                with gr.Accordion(words("options"), open=False):
                    rm_name = gr.Textbox(label=words("run_name"), placeholder=words("automatic"), max_length=40)
                    rm_steps = gr.Slider(10, MOST_STEPS, RM_STEPS, step=10, label=words("steps"))
                    rm_anew = gr.Checkbox(label=words("anew"))
        with gr.Column(min_width=300, elem_classes="rk-step"):
            gr.Markdown(words("second"))
            run = gr.Button(words("run_it"), variant="primary", elem_id=f"rk-train-ppo-{lang}")
            gr.Button(words("second_how"), elem_classes="rk-fold-button rk-narrow", size="sm")
            with gr.Column(elem_classes="rk-fold rk-wide"):
                ready = judges(workspace.jobs.all(), lang, workspace.world)
                with gr.Row():
                    judge = Names(ready, value=ready[0][1], label=words("judge"), min_width=230, scale=2,
                                  elem_id=f"rk-train-judge-{lang}")
                    beta = gr.Slider(0, 0.5, BETA[lang], step=0.01, label=words("beta"), min_width=180)
                start = Names(sent(starts([], lang, workspace.world)), value="", label=words("start"),
                              info=words("start_about"), elem_id=f"rk-train-start-{lang}")
                with gr.Accordion(words("options"), open=False):
                    ppo_name = gr.Textbox(label=words("run_name"), placeholder=words("automatic"), max_length=40)
                    ppo_steps = gr.Slider(1, MOST_STEPS, PPO_STEPS, step=1, label=words("steps"))
                    ppo_anew = gr.Checkbox(label=words("anew"))
    board = widget("train", words, first_view(lang, workspace), parts=("explain", "charts"),
                   elem_id=f"rk-train-{lang}")
    seen = {"api_visibility": "private", "show_progress": "hidden", "queue": True}
    when_open(panel.open, [name], [name, judge], js=RECALL, **seen)
    train.click(panel.train, [name, whose, question, rm_name, rm_steps, rm_anew, board], [board, rm_anew], **seen)
    run.click(panel.run, [name, judge, ppo_name, beta, ppo_steps, ppo_anew, board, start], [board, ppo_anew], **seen)
    when_open(panel.starts, follow(start, panel.starts), start, **seen)
    board.act(panel.act, None, [board], **seen)
    board.tick(panel.tick, [name, whose, judge, question], [board, judge, question], **seen,
               concurrency_limit=4)


def first_view(lang: Lang, workspace: Workspace) -> dict[str, Any]:
    """The trainings that there are, or the saved example."""
    looks, drawn = workspace.jobs.all(), view(lang, [])
    if looks:
        return view(lang, looks)
    if workspace.world != REVIEWS:                      # the example is of reviews
        return drawn
    try:
        saved = shared.example(lang)["train"]
        look = Look(Job(**{**saved["job"], "arguments": ()}), "done", 0, saved["steps"], saved["result"], "")
        full = detail(Words(lang, "train"), look)
    except (OSError, KeyError, ValueError, TypeError):
        return drawn
    return {**drawn, "full": full, "example": True}


def example(lang: Lang, folder: Path) -> dict[str, Any]:
    """What is shown where nothing was trained yet: the loop of somebody who likes the shortest answer best.

    Really trained, in `folder`, as the buttons do it; about a minute.
    """
    workspace = Workspace(folder)
    with closing(workspace.jobs), closing(workspace.labels):
        scripted.rank(workspace.labels, lang, scripted.shortest, FEWEST, by=SOMEBODY)
        judge = start_reward_model(workspace, lang, by=SOMEBODY)
        scripted.wait(workspace.jobs, judge)
        look = scripted.wait(workspace.jobs, start_ppo(workspace, lang, by=SOMEBODY, judge=f"runs/{judge}/model"))
    kept = {name: look.result[name] for name in ("job", "before", "after")}
    rows = [{name: round(row[name], 4) for name in ("step", *CURVES["ppo"])} for row in look.steps]
    return {"job": {**asdict(look.job), "queued": "", "arguments": []}, "steps": rows,
            "result": {**kept, "samples": look.result["samples"][:SHOWN]}}


class Panel:
    """What happens when something is pressed; each returns what the script is to draw."""

    def __init__(self, lang: Lang, workspace: Workspace) -> None:
        self.lang, self.workspace, self.words = lang, workspace, Words(lang, "train")
        self._counts: dict[Hashable, tuple[tuple[int, int], Any]] = {}

    def open(self, name: str, request: gr.Request) -> tuple[Update, Update]:
        """The page has opened: the name, and what may be pleased, with the reward model that is newest now chosen."""
        offered = judges(self.workspace.jobs.all(), self.lang, self.workspace.world)
        return (named(getattr(request, "username", None) or name, request),
                gr.update(choices=offered, value=offered[0][1]))

    def train(self, name: str, whose: str, question: str | None, run: str, steps: float, anew: bool, board: Any,
              request: gr.Request) -> tuple:
        """*Train reward model*."""
        return self._pressed(name, request, board, run if anew else None, lambda by: start_reward_model(
            self.workspace, self.lang, by=by, whose=whose, question=None if question == ANY else question,
            name=run or "", steps=steps, anew=anew))

    def starts(self, picked: str | None = None) -> Update:
        """What PPO can go on from: what was picked stays, else the language model is chosen."""
        return choices(starts(self.workspace.jobs.all(), self.lang, self.workspace.world), "", picked)

    def run(self, name: str, judge: str, run: str, beta: float, steps: float, anew: bool, board: Any,
            request: gr.Request, start: str = "") -> tuple:
        """*Run PPO*."""
        return self._pressed(name, request, board, run if anew else None, lambda by: start_ppo(
            self.workspace, self.lang, by=by, judge=judge, name=run or "", beta=beta, steps=steps, anew=anew,
            start=start))

    def act(self, event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        """A button beside a training: stop, resume, or show it. In a class its starter and the teacher may stop it."""
        asked = _plain(getattr(event, "_data", None))
        act, job = asked.get("act"), asked.get("name")
        said = ""
        try:
            if act in ("stop", "resume"):
                if not self._check_may(job, request):
                    raise JobError("unknown", name=job)
                (self.workspace.jobs.stop if act == "stop" else self.workspace.jobs.resume)(job)
                said = self.words("said_stop" if act == "stop" else "said_resume", name=job)
        except (JobError, OSError) as error:
            said = self._told(error)
        return self._view(job if isinstance(job, str) else None, said, over=asked.get("over"))

    def tick(self, name: str, whose: str, judge: str | None, question: str | None, event: gr.EventData,
             request: gr.Request) -> tuple:
        """News for a page that somebody looks at; nothing is sent where there is none."""
        asked, looks = _plain(getattr(event, "_data", None)), self.workspace.jobs.lately()
        shown, said = (asked[key] if isinstance(asked.get(key), str) else "" for key in ("shown", "said"))
        now = self._view(shown or None, "" if self._is_past(said, looks) else said, looks=looks, over=asked.get("over"),
                         by=self._who(name, request), whose=whose, question=None if question == ANY else question)
        return (gr.skip() if now["version"] == asked.get("version") else now, self._judges(judge, asked, looks),
                self._questions(question, asked))

    def _is_past(self, said: str, looks: list[Look]) -> bool:
        """True of a sentence about a training that something else can be said of by now."""
        return any(said == self.words(key, name=look.job.name) for look in looks
                   for key, during in (("said_start", "waiting"), ("said_resume", "waiting"), ("said_stop", "stopping"))
                   if look.state != during)

    def _judges(self, judge: str | None, asked: dict[str, Any], looks: list[Look]) -> Any:
        """The list anew where a reward model has been trained since, and that one chosen."""
        offered = judges(looks, self.lang, self.workspace.world)
        values, known = [value for _, value in offered], asked.get("judges")
        if known == values:
            return gr.skip()
        fresh = isinstance(known, list) and values[0] not in known
        return gr.Dropdown(choices=offered, value=values[0] if fresh or judge not in values else judge)

    def _questions(self, question: str | None, asked: dict[str, Any]) -> Any:
        found = self._asked()
        if not found or asked.get("questions") == found:
            return gr.skip()
        return gr.Dropdown(choices=[(self.words("any_question"), ANY),
                                    *((one or self.words("no_name"), one) for one in found)],
                           value=question if question in found else ANY)

    def _check_may(self, job: object, request: gr.Request) -> bool:
        """True if there is such a job. Raises: JobError if, in a class, it is somebody else's."""
        look = next((look for look in self.workspace.jobs.all() if look.job.name == job), None)
        who = getattr(request, "username", None)
        if look is not None and who and who not in (look.job.by, self.workspace.teacher):
            raise JobError("not_yours", name=look.job.by)
        return look is not None

    def _check_share(self, request: gr.Request) -> None:
        """Raises: JobError if, in a class, this person has enough trainings in the line; the teacher never has."""
        who = getattr(request, "username", None)
        mine = [look for look in self.workspace.jobs.all() if look.job.by == who and look.state in ACTIVE]
        if who and who != self.workspace.teacher and len(mine) >= AT_ONCE:
            raise JobError("enough_of_yours", n=len(mine))

    def _pressed(self, name: str, request: gr.Request, board: Any, replaced: str | None,
                 start: Callable[[str], str]) -> tuple:
        """`replaced` is the name of the run that is to be thrown away, if one is."""
        try:
            by = annotator(request, name)
        except ValueError:
            return self._view(None, Words(self.lang, "studio")("name_bad")), gr.skip()
        try:
            self._check_may((replaced or "").strip(), request)
            self._check_share(request)
            started = start(by)
        except (JobError, OSError) as error:
            return self._view(_plain(board).get("shown"), self._told(error), over=_plain(board).get("over")), gr.skip()
        return self._view(started, self.words("said_start", name=started), over=_plain(board).get("over")), False

    def _view(self, shown: str | None, said: str, *, looks: list[Look] | None = None, by: str | None = None,
              whose: str = ALL, question: str | None = None, over: Any = None) -> dict[str, Any]:
        looks = self.workspace.jobs.all() if looks is None else looks
        over = [name for name in over[-MOST_NAMES:] if isinstance(name, str)] if isinstance(over, list) else []
        drawn = view(self.lang, looks, shown, said, over) if looks else first_view(self.lang, self.workspace)
        counted = self._lists(by, whose, question)
        drawn |= {"said": said, "lists": "" if counted == said else counted, "questions": self._asked(),
                  "judges": [value for _, value in judges(looks, self.lang, self.workspace.world)]}
        return {**drawn, "version": hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]}

    def _asked(self) -> list[str]:
        try:
            return self._counted("questions", lambda: questions(self.workspace))
        except OSError:
            return []

    def _counted(self, what: Hashable, count: Callable[[], Any]) -> Any:
        """What was counted the last time, as long as nobody has said anything since."""
        revision = self.workspace.labels.revision()
        if self._counts.get(what, (None,))[0] != revision:
            self._counts[what] = revision, count()
            while len(self._counts) > COUNTS_KEPT:
                self._counts.pop(next(iter(self._counts)), None)
        return self._counts[what][1]

    def _lists(self, by: str | None, whose: str, question: str | None) -> str:
        """How many lists there are, and how many are missing."""
        try:
            mine = by if whose == MINE else None
            n = self._counted((mine, question), lambda: len(lists(self.workspace, self.lang, mine, question)))
        except OSError as error:
            return self._told(error)
        return self.words("enough", n=n) if n >= FEWEST else self.words("too_few", n=n, missing=FEWEST - n)

    def _who(self, name: str, request: gr.Request) -> str | None:
        try:
            return annotator(request, name)
        except ValueError:
            return None

    def _told(self, error: Exception) -> str:
        if isinstance(error, JobError):
            return self.words(error.key, **error.values)
        print(f"rlhf-kit: {error}", file=sys.stderr)                # the whole line is for whoever runs the server
        return self.words("no_labels" if isinstance(error, LabelsError) else "not_started") + reason(self.lang, error)


def _plain(value: Any) -> dict[str, Any]:
    """What the browser sent, which may be anything."""
    return value if isinstance(value, dict) else {}
