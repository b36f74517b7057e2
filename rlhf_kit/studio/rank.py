"""Panel 2: a prompt and 4 to 9 responses to be put in order; then what a reward model would have said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

import gradio as gr

from rlhf_kit.labels import Judgement, Labels, LabelsError, Shown
from rlhf_kit.language import Lang
from rlhf_kit.studio import answers, guidelines, rank_lists, rank_tasks, red_team, talks
from rlhf_kit.studio.answers import ASKED, asked, why
from rlhf_kit.studio.entries import label
from rlhf_kit.studio.fields import Names, choices, follow, sent, when_open, when_shown
from rlhf_kit.studio.person import RECALL, name_field, named
from rlhf_kit.studio.rank_tasks import FEWEST, MOST
from rlhf_kit.studio.serving import annotator
from rlhf_kit.studio.shelf import ShelfError
from rlhf_kit.studio.turns import QUIET, Turns
from rlhf_kit.studio.verdicts import opinion
from rlhf_kit.studio.widget import Update, stamp, widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

LETTERS = "ABCDEFGHI"


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    name: gr.Textbox
    chosen: list[gr.Dropdown | gr.Radio | gr.Checkbox]      # how many cards, which questions, scores
    notice: gr.HTML
    cards: gr.HTML
    more: gr.Button
    whose: Names                                            # whose lists are shown
    own: rank_lists.Fields
    judge: Names
    ask: gr.Button
    thinking: gr.HTML
    verdict: gr.HTML


def build(lang: Lang, workspace: Workspace) -> None:
    """Put the panel into the page that is being built."""
    panel = Rank(lang, workspace)
    on, last = _fields(panel), gr.State()
    _wire_cards(panel, on, last)
    _wire_models(panel, on, last)
    red_team.build(lang, workspace, on.name)


def _fields(panel: Rank) -> Fields:
    words, lang = panel.words, panel.lang
    gr.HTML(f"<p>{words('about')}</p>", js_on_load=None)
    name = name_field(lang)
    gr.Button(words("settings"), elem_classes="rk-fold-button", size="sm")
    with gr.Row(elem_classes="rk-fold"):
        k = gr.Dropdown([(str(n), n) for n in range(FEWEST, MOST + 1)], value=4, label=words("k"), min_width=90)
        questions = gr.Radio([(words(f"asking_{one}"), one) for one in ASKED], value="one", label=words("asking"),
                             scale=2)
        instruct = gr.Checkbox(False, label=words("instruct"), info=words("instruct_about"), scale=2)
        whose = Names(sent([(words("any_list"), rank_lists.ALL)]), value=rank_lists.ALL, label=words("whose_lists"),
                      min_width=180, elem_id=f"rk-rank-whose-{lang}")
    guidelines.shown(lang, panel.workspace)
    notice = widget("notice", words, elem_id=f"rk-rank-notice-{lang}")
    cards = widget("cards", words, parts=("chat",), elem_id=f"rk-cards-{lang}")
    more = gr.Button(words("more"), size="sm")
    own = rank_lists.fields(words)
    with gr.Row():
        ready = panel.workspace.world.model("rm", lang)
        judge = Names([ready], value=ready, label=words("judge"), scale=2,
                      elem_id=f"rk-rank-judge-{lang}")
        ask = gr.Button(words("ask"), scale=1)
    thinking = widget("notice", words)
    verdict = widget("verdict", words, parts=("explain",), elem_id=f"rk-verdict-{lang}")
    return Fields(name, [k, questions, instruct], notice, cards, more, whose, own, judge, ask, thinking, verdict)


def _wire_cards(panel: Rank, on: Fields, last: gr.State) -> None:
    """Lists that come, and orders that are kept; `last` is what the reward model is asked about."""
    lang, quiet = panel.lang, {"show_progress": "hidden", "api_visibility": "undocumented"}
    k, questions, instruct = on.chosen
    when_open(panel.open, [on.name, *on.chosen], [on.name, on.judge, on.cards, on.notice], js=RECALL,
              api_name=f"rank_open_{lang}", **quiet)
    gr.on([k.input, questions.input, instruct.input, on.name.submit, on.whose.input], panel.show,
          [on.name, *on.chosen, on.whose], [on.cards, on.notice], api_name=f"rank_show_{lang}", **quiet)
    sent = [on.name, on.cards, *on.chosen, on.whose]
    saved = on.cards.save(panel.save, sent, [on.cards, on.notice, last], api_name=f"rank_save_{lang}",
                          concurrency_limit=8, **quiet)
    saved.then(panel.opinion_if_here, [last, on.judge], [on.verdict, on.thinking], concurrency_id="model",
               concurrency_limit=1, **QUIET)
    on.cards.skip(panel.skip, sent, [on.cards, on.notice], api_name=f"rank_skip_{lang}", **quiet)
    on.cards.undo(panel.undo, [on.name, *on.chosen], [on.cards, on.notice], api_name=f"rank_undo_{lang}", **quiet)


def _wire_models(panel: Rank, on: Fields, last: gr.State) -> None:
    """A list that a model writes, and what a reward model says; which one, is read again when the tab is turned to."""
    lang, turns = panel.lang, Turns(panel.workspace, panel.lang, gr.State())
    follow(on.judge, panel.judges)
    _wire_lists(rank_lists.Lists(lang, panel.workspace), panel, on)
    turns.wire(on.more.click, lambda request, typed: panel.refused(typed, request), [on.name],
               lambda request, *sent: panel.more(*sent, request), [on.name, on.cards, *on.chosen],
               on.notice, [on.cards], names=(f"rank_wait_{lang}", f"rank_more_{lang}"))
    turns.wire(on.ask.click, lambda _, saved: None if saved else panel.words("nothing_saved"), [last],
               lambda _, *asked: panel.opinion(*asked), [last, on.judge],
               on.thinking, [on.verdict], names=(f"rank_wait_to_ask_{lang}", f"rank_ask_{lang}"))


def _wire_lists(lists: rank_lists.Lists, panel: Rank, on: Fields) -> None:
    """A model of the shelf writes lists, and the first of these is shown."""
    own, turns = on.own, Turns(panel.workspace, panel.lang, gr.State(None), on.own.stop)
    for arrive in (lambda *to: when_open(*to, **QUIET), when_shown):
        arrive(lists.offered, on.whose, on.whose)
    when_open(lists.writers, follow(own.writer, lists.writers), own.writer, **QUIET)
    going = turns.wire(own.write.click, lambda _, *asked: lists.refused(*asked), [own.writer, own.prompts],
                       lambda _, *asked: lists.write(*asked[:3], _size(asked[3])),
                       [own.writer, own.n, own.prompts, on.chosen[0]], on.notice, [on.whose],
                       shown=lambda found, *_: [gr.skip() if found is None else lists.offered(found)])
    going[-1].success(panel.show, [on.name, *on.chosen, on.whose], [on.cards, gr.State()], **QUIET)
    turns.wire_stop(own.stop, going, on.notice, lambda: lists.words("stopped_lists"))


@dataclass(frozen=True)
class Rank:
    """What the panel does; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "rank")

    @property
    def spoken(self) -> Lang | None:
        """The language of the texts to rank: the page's, in a world that speaks both; else whichever it has."""
        return self.lang if self.workspace.world.follows_the_page else None

    def open(self, typed: str, k: object, questions: object, instruct: object,
             request: gr.Request) -> tuple[Update, ...]:
        """The page has opened: (name, reward models, cards, notice)."""
        name = getattr(request, "username", None) or typed
        return named(name, request), self.judges(), *self.show(name, k, questions, instruct, request)

    def judges(self, picked: str | None = None) -> Update:
        """Those that can be asked: what this person picked stays chosen, else the reward model trained last is."""
        shelf = self.workspace.shelf
        return choices(shelf.offered("judge", self.lang), shelf.reward_model(self.lang), picked)

    def show(self, typed: str, k: object, questions: object, instruct: object, request: gr.Request,
             whose: object = rank_lists.ALL) -> tuple[Update, Update]:
        """The next list for this person, of all or of one model's: (cards, notice)."""
        try:
            return self._next(annotator(request, typed), _size(k), asked(questions), bool(instruct), whose=whose), None
        except (LabelsError, ValueError) as error:
            return gr.skip(), self._unread(error)

    def save(self, typed: str, sent: object, k: object, questions: object, instruct: object,
             request: gr.Request, whose: object = rank_lists.ALL) -> tuple[Update, Update, Update]:
        """Keep an order, and go on to the next list: (cards, notice, what the reward model is to be asked about).

        If it could not be kept, the cards stay as they are on the page.
        """
        try:
            name, about = annotator(request, typed), answers.about(sent)
            shown = about.shown(self.workspace.labels, name)
            order = answers.order(sent, len(shown.order), bool(instruct))
            if not order.touched:
                return gr.skip(), self.words("untouched"), gr.skip()
            before = self.workspace.labels.said(shown)
            said = self._keep(shown, order, about.seconds)
            notice = self.words("replaced" if before and before.groups != said.groups else "saved",
                                order=echo(order.groups), pairs=pairs(order.groups))
        except (OSError, ValueError) as error:
            return gr.skip(), why(self.lang, error), gr.skip()
        try:
            cards = self._next(name, _size(k), asked(questions), bool(instruct), after=shown, whose=whose)
        except LabelsError as error:
            cards, notice = gr.skip(), f"{notice} {self._unread(error)}"
        return cards, notice, {"task": shown.task.id, "order": list(shown.order), "groups": said.groups}

    def skip(self, typed: str, sent: object, k: object, questions: object, instruct: object,
             request: gr.Request, whose: object = rank_lists.ALL) -> tuple[Update, Update]:
        """Go past a list: (cards, notice)."""
        try:
            name = annotator(request, typed)
            shown = answers.about(sent).shown(self.workspace.labels, name)
            self.workspace.labels.skip(shown)
            return self._next(name, _size(k), asked(questions), bool(instruct), whose=whose), self.words("skipped")
        except (OSError, ValueError) as error:
            return gr.skip(), why(self.lang, error)

    def undo(self, typed: str, k: object, questions: object, instruct: object,
             request: gr.Request) -> tuple[Update, Update]:
        """Take back what this person saved or skipped last, and show that list again as they had it."""
        try:
            name, labels = annotator(request, typed), self.workspace.labels
            undone = labels.undo(name, kinds=("rank",))
            if undone is None:
                return gr.skip(), self.words("nothing_to_undo")
            shown = labels.show(undone.task_id, name, undone.question, undone.repeat)
            scores = _take_back_scores(labels, shown)
            return (self._card_value(shown, bool(instruct), undone.took_back, scores, questions=asked(questions)),
                    self.words("undone" if undone.action == "save" else "unskipped"))
        except (OSError, ValueError) as error:
            return gr.skip(), why(self.lang, error)

    def refused(self, typed: str, request: gr.Request) -> str | None:
        """Why this person may not have a list written; None if they may."""
        try:
            annotator(request, typed)
        except ValueError as error:
            return why(self.lang, error)
        return None

    def more(self, typed: str, sent: object, k: object, questions: object, instruct: object,
             request: gr.Request) -> Iterator[tuple[dict | None, str]]:
        """Let the tiny model write a new list: (cards, notice); it is shown at once if nothing else is."""
        try:
            name = annotator(request, typed)
            yield None, self.words("writing", k=_size(k))
            writer = self.workspace.shelf.writer(self.lang)
            yield from self._trained([(writer, "policy")])
            rank_tasks.more(self.workspace.labels, self.workspace.shelf.policy(writer, self.lang), self.lang, _size(k),
                            self.workspace.world, model=writer, prompts=self.workspace.prompts)
            empty = not isinstance(sent, dict) or "empty" in sent
            found = self._next(name, _size(k), asked(questions), bool(instruct)) if empty else None
            yield found, self.words("written")
        except LabelsError as error:
            yield None, why(self.lang, error)
        except (ShelfError, OSError, ValueError):
            yield None, self.words("not_written")

    def opinion_if_here(self, last: dict | None, judge: object) -> Iterator[tuple[Update, Update]]:
        """After a save: the reward model's opinion if it is there, else how to get it."""
        if last is None:
            yield gr.skip(), None
            return
        yield gr.skip(), self.words("loading_judge", judge=label(str(judge), self.lang))
        try:
            missing = self.workspace.shelf.untrained([(str(judge), "judge")], self.lang)
        except ShelfError:
            yield gr.skip(), None
            return
        if missing:
            yield None, self.words("not_here")
        else:
            yield from ((gr.skip() if found is None else found, line) for found, line in self.opinion(last, judge))

    def opinion(self, last: dict | None, judge: object) -> Iterator[tuple[dict | None, str | None]]:
        """The reward model's order beside the person's: (verdict, what is going on). It is trained first if need be."""
        if last is None:
            yield None, self.words("nothing_saved")
            return
        try:
            yield None, self.words("loading_judge", judge=label(str(judge), self.lang))
            yield from self._trained([(str(judge), "judge")])
            yield self._verdict(last, str(judge)), None
        except (ShelfError, OSError, ValueError):
            yield None, self.words("judge_gone")

    # -- what stands behind these

    def _next(self, name: str, k: int, questions: Sequence[str], instruct: bool, after: Shown | None = None,
              whose: object = rank_lists.ALL) -> dict[str, Any]:
        labels, among = self.workspace.labels, rank_lists.chosen(self.workspace.labels, whose)
        if after is not None and after.question in questions[:-1]:
            following = questions[questions.index(after.question) + 1]
            return self._card_value(labels.show(after.task.id, name, following, after.repeat), instruct, among=among,
                                    questions=questions)
        with suppress(FileNotFoundError, KeyError, JSONDecodeError):    # no saved example; others may have made lists
            rank_tasks.fill(labels, self.lang, k, self.workspace.world)
        for question in questions:
            shown = labels.next_task(name, question, kind="rank", k=k, lang=self.spoken if among is None else None,
                                     overlap=self.workspace.overlap, among=among,
                                     repeats=answers.REPEATS if question == questions[0] else 0.0)
            if shown is not None:
                return self._card_value(shown, instruct, among=among, questions=questions)
        return {"empty": self._all_done(name, k, among), "stamp": stamp()}

    def _card_value(self, shown: Shown, instruct: bool, said: Judgement | None = None,
                    scores: Sequence[Judgement | None] = (), among: list[int] | None = None,
                    questions: Sequence[str] = ()) -> dict[str, Any]:
        """What `cards.js` draws. It names no model: the texts in the order shown, and nothing that tells the order."""
        mine = {task: i for i, task in enumerate(shown.order)}
        done, every = self._progress(shown, among)
        value = {"annotator": shown.annotator, "task": shown.task.id, "repeat": shown.repeat,
                 "question": shown.question, "prompt": shown.task.prompt, "texts": list(shown.texts),
                 "instruct": instruct, "stamp": stamp(), **talks.as_chat(shown.task.prompt),
                 "asked": " ".join([self.words(f"ask_{shown.question or 'overall'}"), *self._which(shown, questions),
                                    self.words("again" if shown.repeat else "progress", done=done + 1, every=every)])}
        if said is not None:
            value |= {"groups": [sorted(mine[i] for i in group) for group in said.groups], "touched": True}
        if instruct and scores and all(scores):
            value |= {"scores": [int(s.score) for s in scores], "flags": [list(s.flags) for s in scores]}
        return value

    def _which(self, shown: Shown, questions: Sequence[str]) -> list[str]:
        """Which of several questions this one is; nothing where there is one."""
        if len(questions) < 2 or shown.question not in questions:
            return []
        return [self.words("which_question", n=questions.index(shown.question) + 1, of=len(questions))]

    def _keep(self, shown: Shown, order: answers.Order, seconds: float) -> Judgement:
        labels = self.workspace.labels
        for place, score in enumerate(order.scores or ()):          # tasks of their own, before the order that ends it
            response = shown.task.responses[shown.order[place]]
            alone = labels.add_task(shown.task.prompt, [response], kind="score", split=shown.task.split)
            labels.save_score(labels.show(alone.id, shown.annotator, shown.question, shown.repeat), score,
                              flags=order.flags[place], lang=self.lang)
        groups = [[shown.order[card] for card in group] for group in order.groups]
        return labels.save_ranking(shown, groups, seconds=seconds, lang=self.lang)

    def _progress(self, shown: Shown, among: list[int] | None) -> tuple[int, int]:
        k = len(shown.order)
        said = self.workspace.labels.judgements(shown.annotator, shown.question, kinds=("rank",))
        every = self._every(k, among)
        done = sum(j.repeat == 0 and len(j.shown_order) == k
                   and (j.lang == self.lang if among is None else j.task_id in among) for j in said)
        return min(done, every - 1), every

    def _every(self, k: int, among: list[int] | None) -> int:
        """How many lists of K there are, or of these those of K."""
        labels = self.workspace.labels
        if among is None:
            return labels.count(kind="rank", k=k, lang=self.spoken)
        return sum(len(labels.task(number).responses) == k for number in among)

    def _all_done(self, name: str, k: int, among: list[int] | None) -> str:
        every = self._every(k, among)
        if not every:
            return Words(self.lang, "labels")("unreadable")
        from rlhf_kit.labels.annotators import self_agreement
        again = self_agreement(self.workspace.labels.judgements(name, kinds=("rank",)))
        return self.words("all_done", every=every) + (
            "" if again is None else self.words("self_agreement", share=again.mean))

    def _trained(self, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[None, str]]:
        """Lines while tiny models are trained that are not there yet."""
        for name, done, total in self.workspace.shelf.prepare(wanted, self.lang):
            yield None, (Words(self.lang, "shelf")("being_made", name=name) if done is None
                         else self.words("training_judge", judge=name, step=done, steps=total))

    def _verdict(self, last: dict, judge: str) -> dict[str, Any]:
        task = self.workspace.labels.task(last["task"])
        asked = self.workspace.shelf.judge(judge, self.lang)
        if asked.reads_chats and task.prompt.strip():
            from rlhf_kit.jobs.written import question
            _, chat = question(asked.tokenizer, task.prompt)
            asked = asked.on({} if chat is None else {task.prompt: chat})
        found = opinion(asked.score, task.prompt, task.texts, last["groups"])
        letter = {card: LETTERS[i] for i, card in enumerate(last["order"])}
        better = [sum(map(len, last["groups"][:g])) for g in range(len(last["groups"]))]
        place = {card: 1 + better[g] for g, group in enumerate(last["groups"]) for card in group}
        rows = [{"card": letter[i], "yours": place[i], "theirs": found["rank"][i],
                 "score": f"{found['score'][i]:+.2f}", "text": task.texts[i][:300]}
                for i in sorted(place, key=lambda i: (place[i], letter[i]))]
        numbers = self.words("no_pairs") if found["loss"] is None else self.words(
            "numbers", judge=label(judge, self.lang), right=f"{found['right']:g}", pairs=found["pairs"],
            loss=found["loss"])
        return {"rows": rows, "numbers": numbers, "prompt": task.prompt[:300], "stamp": stamp()}

    def _unread(self, error: Exception) -> str:
        return why(self.lang, error) if isinstance(error, ValueError) else Words(self.lang, "labels")("unread")


def echo(groups: Sequence[Sequence[int]]) -> str:
    """`((3,), (0, 1), (2,))` → "D > A = B > C"."""
    return " > ".join(" = ".join(LETTERS[card] for card in sorted(group)) for group in groups)


def pairs(groups: Sequence[Sequence[int]]) -> int:
    """Pairs with a winner."""
    k = sum(map(len, groups))
    return k * (k - 1) // 2 - sum(len(group) * (len(group) - 1) // 2 for group in groups)


def _take_back_scores(labels: Labels, shown: Shown) -> list[Judgement | None]:
    """Take back the scores that were saved with that order too: each card's, in the order shown, or None."""
    found: dict[str, Judgement] = {}
    while True:
        done = next((e for e in reversed(labels.events(shown.annotator))
                     if e["action"] in ("save", "skip") and not e["undone"]), None)
        task = labels.task(done["task_id"]) if done else None
        if (task is None or task.kind != "score" or task.prompt != shown.task.prompt or done["repeat"] != shown.repeat
                or done["question"] != shown.question or task.responses[0] not in shown.task.responses):
            return [found.get(text) for text in shown.texts]
        found[task.texts[0]] = labels.undo(shown.annotator, kinds=("score",)).took_back


def _size(k: object) -> int:
    return k if isinstance(k, int) and FEWEST <= k <= MOST else FEWEST
