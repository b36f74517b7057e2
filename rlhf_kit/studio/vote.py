"""Panel 4: two responses side by side, nobody knows whose; after the vote, who wrote which and how the votes stand."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from rlhf_kit.labels import BOTH_BAD, Judgement, LabelsError, Shown
from rlhf_kit.language import Lang
from rlhf_kit.studio import answers, guidelines, talks, vote_match, vote_pairs
from rlhf_kit.studio.answers import BadAnswer, asked, why
from rlhf_kit.studio.fields import Names, sent, when_open, when_shown
from rlhf_kit.studio.person import RECALL, name_field, named
from rlhf_kit.studio.serving import annotator
from rlhf_kit.studio.turns import QUIET, Turns
from rlhf_kit.studio.vote_results import ENOUGH, Results, on_this_pair, results, verdict
from rlhf_kit.studio.widget import Update, stamp, widget
from rlhf_kit.studio.words import Words, percent
from rlhf_kit.studio.workspace import Workspace

if TYPE_CHECKING:
    from rlhf_kit.evaluate import Estimate

VOTES = ("a", "tie", "b", "bad")
_one_at_a_time = threading.Lock()   # between looking whether there is a vote and saving one


def build(lang: Lang, workspace: Workspace) -> None:
    """Put the panel into the page that is being built."""
    words, panel = Words(lang, "vote"), Vote(lang, workspace)
    gr.HTML(f"<p>{words('about')}</p>", js_on_load=None)
    with gr.Row():
        name = name_field(lang)
        match = Names(sent([(words("any_match"), vote_match.ALL)]), value=vote_match.ALL, label=words("match"), scale=2,
                      min_width=220, elem_id=f"rk-vote-match-{lang}")
        questions = gr.Dropdown([(words(f"asking_{one}"), one) for one in ("one", "three")], value="one", scale=2,
                                label=words("asking"), min_width=220, elem_id=f"rk-vote-asked-{lang}")
    guidelines.shown(lang, workspace)
    notice = widget("notice", words, elem_id=f"rk-vote-notice-{lang}")
    pair = widget("pair", words, parts=("explain", "chat"), elem_id=f"rk-pair-{lang}")
    tables = widget("tables", words, parts=("explain",), elem_id=f"rk-vote-results-{lang}")
    new = vote_match.fields(words)

    quiet = {"show_progress": "hidden", "api_visibility": "undocumented"}
    opened = when_open(panel.open, [name], [name, pair, notice], js=RECALL,
                       api_name=f"vote_open_{lang}", **quiet)
    sources = [name, match, questions]
    for turned in (name.submit, match.input, questions.input):
        turned(panel.show, sources, [pair, notice], **QUIET)
    pair.next(panel.show, sources, [pair, notice], api_name=f"vote_show_{lang}", **quiet)
    voted = pair.vote(panel.vote, [name, pair, questions], [pair, notice], api_name=f"vote_save_{lang}",
                      concurrency_limit=8, **quiet)
    undone = pair.undo(panel.undo, sources, [pair, notice], api_name=f"vote_undo_{lang}", **quiet)
    for done in (opened.then, voted.then, undone.then, questions.input):
        done(panel.results, [name, questions], [tables], api_visibility="private", show_progress="hidden")
    _wire_match(vote_match.Match(lang, workspace), panel, new, sources, pair, notice)


def _wire_match(match: vote_match.Match, panel: Vote, new: vote_match.Fields, sources: list[Any], pair: gr.HTML,
                notice: gr.HTML) -> None:
    """Two models are chosen, write their pairs, and the first of these is shown."""
    picked = sources[1]
    turns = Turns(match.workspace, match.lang, gr.State(None), new.stop)
    for arrive in (lambda *to: when_open(*to, **QUIET), when_shown):
        arrive(match.models, None, [new.first, new.second])
        arrive(match.offered, picked, picked)
    going = turns.wire(new.make.click, lambda _, *asked: match.refused(*asked), [new.first, new.second, new.prompts],
                       lambda _, *asked: match.write(*asked), [new.first, new.second, new.n, new.prompts], notice,
                       [picked], shown=lambda found, *_: [gr.skip() if found is None else match.offered(found)])
    going[-1].success(panel.show, sources, [pair, gr.State()], **QUIET)
    turns.wire_stop(new.stop, going, notice, lambda: match.words("stopped_pairs"))


@dataclass(frozen=True)
class Vote:
    """What the panel does; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "vote")

    def open(self, typed: str, request: gr.Request) -> tuple[Update, ...]:
        """The page has opened: (name, pair, notice)."""
        return named(getattr(request, "username", None) or typed, request), *self.show(typed, request)

    def show(self, typed: str, request: gr.Request, match: object = vote_match.ALL,
             questions: object = "one") -> tuple[Update, Update]:
        """The next pair for this person, of all or of one match: (pair, notice)."""
        try:
            return self._next(annotator(request, typed), match, asked(questions)), None
        except LabelsError:
            return gr.skip(), Words(self.lang, "labels")("unread")
        except ValueError as error:
            return gr.skip(), why(self.lang, error)

    def vote(self, typed: str, sent: object, request: gr.Request, questions: object = "one") -> tuple[Update, Update]:
        """Keep a vote, and only then tell who wrote which: (pair, notice). A second vote on a pair changes nothing.

        Of several questions about a pair the next is asked before anything is told.
        """
        try:
            name, about = annotator(request, typed), answers.about(sent)
            shown, said = about.shown(self.workspace.labels, name), sent.get("vote")
            if len(shown.order) != 2 or said not in VOTES:
                raise BadAnswer("no vote on two responses")
            with _one_at_a_time:
                before = self.workspace.labels.said(shown)
                if before is None and self._seen(shown):
                    return gr.skip(), self.words("seen_already")
                kept = before or self._keep(shown, said, about.seconds)
            if (following := self._following(shown, asked(questions))) is not None:
                return self._pair(following, questions=asked(questions)), self.words("saved_next")
            return self._revealed(shown, kept, asked(questions)), self.words("voted_already" if before else "saved")
        except (OSError, ValueError) as error:
            return gr.skip(), why(self.lang, error)

    def undo(self, typed: str, request: gr.Request, match: object = vote_match.ALL,
             questions: object = "one") -> tuple[Update, Update]:
        """Take the last vote back. Its pair is not asked again if whose responses these are has been seen."""
        try:
            name, labels = annotator(request, typed), self.workspace.labels
            undone = labels.undo(name, kinds=("vote",), skips=False)
            if undone is None:
                return gr.skip(), self.words("nothing_to_undo")
            shown = labels.show(undone.task_id, name, undone.question, undone.repeat)
            if self._following(shown, asked(questions)) is not None:            # nothing has been told yet
                return self._pair(shown, questions=asked(questions)), self.words("undone_here")
            labels.skip(labels.show(undone.task_id, name, undone.question))
            return self._next(name, match, asked(questions)), self.words("undone")
        except (OSError, ValueError) as error:
            return gr.skip(), why(self.lang, error)

    def results(self, typed: str, request: gr.Request, questions: object = "one") -> Update:
        """How the votes stand, for somebody who has voted: of each question that is asked who won."""
        try:
            name = annotator(request, typed)
            if not self.workspace.labels.judgements(name, kinds=("vote",)):
                return None
            known = vote_pairs.rewards(self.lang)
            several = [(one, results(self.workspace.labels, self.lang, known, one)) for one in asked(questions)]
        except (LabelsError, ValueError):
            return gr.skip()
        words, (_, found) = self.words, several[0]
        ratings = [[r.model, str(r.games), percent(r.won), _interval(r.strength, r.low, r.high), f"{r.points:.0f}",
                    f"{r.elo:.0f}"] for r in found.ratings]
        effects = [[words(key), *_columns(share)] for key, share in (
            ("longer", found.longer), ("first", found.first), ("judge", found.judge))]
        few = [words("few_one") if found.votes == 1 else words("few", n=found.votes)] if found.votes < ENOUGH else []
        alone = [words("alone")] if found.people == 1 else []
        return {"tables": [
            *(_win_rates(words, question, one) for question, one in several),
            {"caption": words("class_so_far", votes=found.votes, people=found.people, ties=found.ties,
                              bad=found.both_bad),
             **_head(words, "model", "votes", "won", "strength", "points", "elo"),
             "rows": ratings, "notes": [*few, *alone, words("ratings_note")]},
            {"caption": words("habits"), **_head(words, "what", "share", "interval", "n"),
             "rows": effects, "notes": [words("habits_note")]}]}

    # -- what stands behind these

    def _next(self, name: str, match: object = vote_match.ALL, questions: Sequence[str] = ("",)) -> dict[str, Any]:
        labels, among = self.workspace.labels, vote_match.chosen(self.workspace.labels, self.lang, match)
        with suppress(FileNotFoundError, KeyError):         # no saved example: there may be pairs of other people's
            vote_pairs.fill(labels, self.lang, self.workspace.world)
        for question in questions:
            shown = labels.next_task(name, question, kind="vote", k=2, lang=self.lang if among is None else None,
                                     repeats=answers.REPEATS if question == questions[0] else 0.0,
                                     overlap=self.workspace.overlap, among=among)
            if shown is not None:
                return self._pair(shown, among, questions)
        every = labels.count(kind="vote", k=2, lang=self.lang) if among is None else len(among)
        return {"empty": self.words("all_done" if every else "no_pairs", every=every), "annotator": name,
                "stamp": stamp()}

    def _following(self, shown: Shown, questions: Sequence[str]) -> Shown | None:
        """The same pair with the first question behind this one that its annotator has not answered; None = all are."""
        at = questions.index(shown.question) + 1 if shown.question in questions else len(questions)
        labels, repeat = self.workspace.labels, shown.repeat
        later = (labels.show(shown.task.id, shown.annotator, one, repeat) for one in questions[at:])
        return next((one for one in later if labels.said(one) is None), None)

    def _pair(self, shown: Shown, among: list[int] | None = None, questions: Sequence[str] = ("",)) -> dict[str, Any]:
        """What `pair.js` draws before the vote: two texts, and nothing that tells whose they are."""
        labels = self.workspace.labels
        done = [said.task_id for said in labels.judgements(shown.annotator, kinds=("vote",))
                if (said.lang == self.lang if among is None else said.task_id in among)]
        every = labels.count(kind="vote", k=2, lang=self.lang) if among is None else len(among)
        return {"annotator": shown.annotator, "task": shown.task.id, "repeat": shown.repeat,
                "question": shown.question, "prompt": shown.task.prompt, "texts": list(shown.texts),
                "progress": self.words("progress", done=min(len({*done, shown.task.id}), every), every=every),
                **talks.as_chat(shown.task.prompt), **self._question(shown, questions), "stamp": stamp()}

    def _question(self, shown: Shown, questions: Sequence[str]) -> dict[str, str]:
        """{"asked": what is asked about the pair}; {} where it is the one question that the buttons answer."""
        if not shown.question:
            return {}
        which = self.words("which_question", n=questions.index(shown.question) + 1, of=len(questions)) if (
            shown.question in questions) else ""
        return {"asked": f"{self.words(f'ask_{shown.question}')} {which}".strip()}

    def _revealed(self, shown: Shown, kept: Judgement, questions: Sequence[str] = ("",)) -> dict[str, Any]:
        """The same after the vote, with names and rewards."""
        labels, known = self.workspace.labels, vote_pairs.rewards(self.lang)
        scores = [known.get((shown.task.prompt, text)) for text in shown.texts]
        others = on_this_pair([said for said in labels.judgements(question=shown.question, kinds=("vote",))
                               if said.task_id == shown.task.id], shown.order)
        return {**self._pair(shown, questions=questions), "reveal": {
            "vote": verdict(kept, shown.order),
            "models": [shown.task.responses[i].model or self.words("unnamed") for i in shown.order],
            "rewards": ["–" if score is None else f"{score:+.2f}" for score in scores],
            "lengths": [len(text) for text in shown.texts],
            "people": others}}

    def _keep(self, shown: Shown, said: str, seconds: float) -> Judgement:
        winner = {"a": shown.order[0], "b": shown.order[1]}.get(said)
        return self.workspace.labels.save_vote(shown, winner, seconds=seconds, lang=self.lang,
                                               flags=[BOTH_BAD] if said == "bad" else [])

    def _seen(self, shown: Shown) -> bool:
        """Whether a vote on this pair was taken back, after its names had been shown."""
        return any(event["task_id"] == shown.task.id and event["action"] == "skip" and not event["undone"]
                   for event in self.workspace.labels.events(shown.annotator))


def _win_rates(words: Words, question: str, found: Results) -> dict[str, Any]:
    """The table of who won against whom, of the votes on one question."""
    rows = [[f"{m.first} / {m.second}", str(m.rate.n), str(m.won), str(m.tied), _percents(m.rate)]
            for m in found.matches]
    return {"caption": words("win_rates") + (f" · {words(f'ask_{question}')}" if question else ""),
            **_head(words, "two", "votes", "first_won", "tied", "rate"), "rows": rows,
            "notes": [words("win_rates_note")]}


def _head(words: Words, *keys: str) -> dict[str, list[str]]:
    """The heads of a table's columns, and what each column's numbers are."""
    return {"head": [words(f"col_{key}") for key in keys], "about": [words.explained(key) for key in keys]}


def _interval(value: float, low: float | None, high: float | None) -> str:
    return f"{value:+.2f}" + ("" if low is None else f" ({low:+.2f} – {high:+.2f})")


def _percents(share: Estimate) -> str:
    return f"{percent(share.mean)} ({percent(share.low)} – {percent(share.high)})"


def _columns(share: Estimate | None) -> list[str]:
    return ["–", "–", "0"] if share is None else [
        percent(share.mean), f"{percent(share.low)} – {percent(share.high)}", str(share.n)]
