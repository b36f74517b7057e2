"""The panel Compare: two or three policies answer the same prompt, coloured by what each token earned and cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.storage import StorageError
from rlhf_kit.studio import comparing, talks
from rlhf_kit.studio.comparing import CHIPS, PAUSE, Column
from rlhf_kit.studio.entries import Entry, label
from rlhf_kit.studio.fields import Names, Steps, in_browser, offered, sent, when_open, when_shown
from rlhf_kit.studio.problems import Problem, refusal, saved_example, told
from rlhf_kit.studio.shelf import Shelf, ShelfError, spacing
from rlhf_kit.studio.turns import QUIET, Turns, prepared
from rlhf_kit.studio.widget import widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import REVIEWS

CHARACTERS = 2_000                  # of a prompt that is looked at
MOST_TOKENS = 1_000                 # of a response that is shown
DEFAULT_TOKENS = 40
OFFERED_TOKENS = 200                # where nobody knows the models' context yet
MOST_DRAWS = 16                     # of which the best is kept
COLUMNS = ("first", "second", "third")
ADDRESS = "#compare/"               # what the address of a comparison begins with, after the page's own
OTHERWISE = "() => window.dispatchEvent(new Event('rk-otherwise'))"     # something else is asked for than what is shown
OTHER_PROMPT = "prompt => window.dispatchEvent(new CustomEvent('rk-otherwise', { detail: prompt }))"


# What the server offers is put where nobody has chosen since the page was sent: into the four lists, the sliders over
# the steps of the first three, the fold that all of these are named by, the slider over tokens; and into the line.
SETTLE = """([line, built]) => (late, said, ...now) => {
    const found = JSON.parse(late), changed = built.map((value, i) => value !== now[i]);
    const of = i => i < 4 ? [] : i < 7 ? [i - 4] : [0, 1, 2];
    const settled = found.updates.map((update, i) => {
        if (of(i).some(list => changed[list])) return { __type__: 'update' };
        const { value, ...rest } = update;
        return changed[i] ? rest : update;
    });
    return [found.line && said === line ? found.line : said, ...settled];
}"""


class Compare:
    """What the panel does, without the page. Every line it says is in the page's language."""

    def __init__(self, lang: Lang, workspace: Workspace) -> None:
        self.lang, self.workspace, self.words = lang, workspace, Words(lang, "compare")
        self.kept = comparing.Kept(workspace.folder / "compared")

    @property
    def shelf(self) -> Shelf:
        """The models."""
        return self.workspace.shelf

    # -- what is there ----------------------------------------------------------------------------------------------

    def saved(self) -> dict[str, Any]:
        """The panel's part of the saved example: {"views": one for each chip, "histogram"}; empty if there is none."""
        ours = self.workspace.world == REVIEWS and not self.workspace.prompts
        return saved_example(self.lang).get("compare", {}) if ours else {}

    def chips(self) -> list[str]:
        """Prompts to choose from: those given at start, else the saved example's, of another task held-out ones."""
        if self.workspace.prompts:
            return [*self.workspace.prompts[:CHIPS]]
        if self.workspace.world == REVIEWS:
            return [self.words(f"chip_{i + 1}") for i in range(CHIPS)]
        found = list(dict.fromkeys(self.workspace.world.of(self.lang).prompts("heldout")))
        first = min(found[:40], key=lambda one: one.count("\n"))         # it stands in a box of one line
        return list(dict.fromkeys([first, *found]))[:CHIPS]

    def first_line(self) -> str:
        """The status before anybody has pressed anything."""
        if not self.saved():
            return self.words("nothing_saved")
        return self.words("saved" if self.shelf.defaults(self.lang)[1] else "no_checkpoint")

    def choices(self, trained: object = None) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[str]]:
        """What the page offers, and what it begins with: policies, judges, [first, second, third, judge].

        Args:
            trained: the policy to be put beside its base, with the judge that it was trained to please; None, or one
                that is not there = the one that was trained last.
        """
        base, last, judge = self.shelf.defaults(self.lang)
        policies, judges = (self.shelf.offered(kind, self.lang) for kind in ("policy", "judge"))
        if isinstance(trained, str) and trained in dict(policies).values():
            found, last = self.shelf.find(trained, "policy", self.lang), trained
            base, judge = found.base or base, found.judge if found.judge in dict(judges).values() else judge
        given = self.shelf.given(self.lang)
        third = given[2] if len(given) > 2 and [base, last] == [given[0], given[-1]] else ""
        second, third = (given[1], third) if third else (last or "", "")
        return policies, judges, [base, second, third, judge]

    def listed(self, trained: object = None) -> tuple[list[list[tuple[str, str]]], list[str]]:
        """The same, as the page's four lists: what each offers, and what it begins with."""
        policies, judges, chosen = self.choices(trained)
        or_nobody = [(self.words("nobody"), ""), *policies]
        return [policies, or_nobody, or_nobody, judges], chosen

    def settled(self, *chosen: str) -> str:
        """What the folded models and settings are called: by the policies that take part."""
        return self.words("settings", names=", ".join(label(name, self.lang) for name in chosen[:3] if name))

    def slider(self, name: str) -> dict[str, Any] | None:
        """Ends, spacing and value of the slider over a policy's snapshots; None if there is nothing to slide over."""
        try:
            steps = self.shelf.steps(name, self.lang) if name else []
        except ShelfError:
            return None
        if not steps:
            return None
        return {"minimum": steps[0], "maximum": steps[-1], "step": spacing(steps), "value": steps[-1]}

    def room(self, names: Sequence[str]) -> dict[str, Any]:
        """Upper end of the slider over new tokens, and the line beside it: what the policies' context allows."""
        context = self.shelf.context([name for name in names if name], self.lang)
        if context is None:
            return {"maximum": OFFERED_TOKENS, "info": ""}
        return {"maximum": min(context - 1, MOST_TOKENS), "info": self.words("max_tokens_about", context=context)}

    def chip(self, number: int, still_saved: bool) -> tuple[str, dict[str, Any] | None]:
        """The prompt of a chip, and its saved view as long as nothing else has been generated."""
        views = self.saved().get("views", [])
        return self.chips()[number], views[number] if still_saved and number < len(views) else None

    def stopped(self, view: object) -> str:
        """The line after Stop, over the view that the browser still shows."""
        return self.words("stopped_halfway" if comparing.unjudged(view) else "stopped")

    # -- generating -------------------------------------------------------------------------------------------------

    def refused(self, prompt: str, first: str) -> str | None:
        """The line that is said at once, before anything is loaded; None if it may be tried."""
        return refusal(self.words, self._check, prompt, first)

    def _check(self, prompt: str, first: str) -> None:
        if not prompt or not prompt.strip():
            raise Problem("empty")
        if len(prompt) > CHARACTERS:
            raise Problem("too_many_characters", n=len(prompt), most=CHARACTERS)
        if not first:
            raise Problem("no_policy")

    def generate(self, prompt: str, names: Sequence[str], steps: Sequence[int | None], judge: str, seed: float,
                 temperature: float, most: float, n: float = 1) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """Yields (view, line); a view of None leaves what is shown. Closing it frees the model.

        With an n above 1 the first policy answers n times, and the best by the judge stands beside its single samples.
        """
        began = time.monotonic()
        try:
            self._check(prompt, names[0])
            yield from self._prepared(names, judge)
            seed, sampling = self._sampling(seed, temperature, most)
            columns, asked = self._columns(names, steps), self.shelf.judge(judge, self.lang)
            prompt, guessed = self._conversation(prompt)
            sampling, cut = self._fitting(columns, [prompt], sampling, most)
            about = {"prompt": prompt, "seed": seed, "temperature": sampling.temperature,
                     "reward": label(judge, self.lang), **self._turns(prompt)}
            shown, grown = 0.0, []
            for grown in comparing.responses(columns, prompt, sampling, seed):
                if time.monotonic() - shown > PAUSE:
                    shown, tokens = time.monotonic(), max(rollout.mask.shape[1] for rollout in grown)
                    yield (comparing.picture(columns, grown, **about),
                           self.words("generating", done=tokens, most=sampling.max_new_tokens))
            yield comparing.picture(columns, grown, **about), self.words("scoring")
            heard = asked.on(comparing.chats_of(columns, [prompt]))
            lang, world = self._task_lang(names), self.workspace.world
            view = comparing.judged(columns, grown, heard.probability, lang, world, **about)
            n = int(min(max(n or 1, 1), MOST_DRAWS))
            if n > 1:
                yield view, self.words("choosing", more=(n - 1) * len(grown[0]))
                best = comparing.best_of(columns[0], grown[0], n, heard.probability, sampling, seed, lang, world,
                                         prompt)
                view = {**view, "columns": [view["columns"][0], best, *view["columns"][1:]]}
            view |= self._address(view, {"prompt": prompt, "names": [*names], "steps": [*steps], "judge": judge,
                                         "seed": seed, "temperature": sampling.temperature,
                                         "most": sampling.max_new_tokens, "n": n}, sampling)
            yield view, " ".join([self.words("done", seconds=time.monotonic() - began), *guessed, *cut])
        except Exception as error:                      # whatever it is, the page says it and keeps the prompt
            yield None, told(error, self.words)

    def _conversation(self, prompt: str) -> tuple[str, list[str]]:
        """What the policies are asked, and a line where that is not what was typed."""
        asked = talks.typed(prompt, self.workspace.world, self.lang)
        return asked, [] if asked == prompt else [self.words("made_a_talk")]

    def _turns(self, prompt: str) -> dict[str, Any]:
        return talks.as_chat(prompt) if talks.has_talks(self.workspace.world, self.lang) else {}

    def _address(self, view: dict[str, Any], asked: dict[str, Any], sampling: Any) -> dict[str, str]:
        """{"address"} of a comparison, by which it is found again with all that was asked; {} if the disk is full."""
        of = {"view": asked["prompt"], "n": asked["n"],
              **self._made_of(asked["names"], asked["steps"], asked["judge"], asked["seed"], sampling)}
        try:
            return {"address": self.kept.keep(of, {"asked": asked, "view": view})}
        except StorageError:
            return {}

    def recalled(self, address: object) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What the page's address names: (view, what was asked); None if it names no comparison that is kept.

        Args: address: "#compare/KEY", as the browser has it.
        """
        key = address.removeprefix(ADDRESS) if isinstance(address, str) else None
        found = self.kept.found(key)
        try:
            return None if found is None else ({**found["view"], "address": key}, dict(found["asked"]))
        except (KeyError, TypeError, ValueError):
            return None

    def measure(self, names: Sequence[str], steps: Sequence[int | None], judge: str, seed: float, temperature: float,
                most: float) -> Iterator[tuple[dict[str, Any] | None, str]]:
        """The rewards of 60 held-out prompts: yields (histogram, line); what was measured before is read again."""
        try:
            self._check("x", names[0])
            if not self.shelf.loaded():
                yield None, self.words("loading")
            seed, sampling = self._sampling(seed, temperature, most)
            of = self._made_of(names, steps, judge, seed, sampling)
            if found := self.kept.load(of):
                yield found, self.words("histogram_kept")
                return
            yield from self._prepared(names, judge)
            columns, asked = self._columns(names, steps), self.shelf.judge(judge, self.lang)
            lang, scores = self._task_lang(names), [[] for _ in columns]
            prompts = comparing.held_out(lang, self.workspace.world)
            sampling, cut = self._fitting(columns, prompts, sampling, most)
            heard = asked.on(comparing.chats_of(columns, prompts))
            for done, total in comparing.rewards_of(columns, heard.probability, sampling, seed, lang, into=scores,
                                                        world=self.workspace.world):
                yield None, self.words("histogram_progress", done=done, total=total)
            result = {"reward": label(judge, self.lang), "series": [{"name": _titled(column), "scores": one}
                                                       for column, one in zip(columns, scores, strict=True)]}
            try:
                self.kept.save(of, result)
            except StorageError:
                yield result, self.words("histogram_unsaved")
                return
            yield result, " ".join([self.words("histogram_done"), *cut])
        except Exception as error:
            yield None, told(error, self.words)

    def _prepared(self, names: Sequence[str], judge: str) -> Iterator[tuple[None, str]]:
        wanted = [*((name, "policy") for name in names if name), (judge, "judge")]
        yield from ((None, line) for line in prepared(self.shelf, wanted, self.words))

    def _columns(self, names: Sequence[str], steps: Sequence[int | None]) -> list[Column]:
        columns = []
        for name, step in zip(names, steps, strict=True):
            if not name:
                continue
            kept = self.shelf.steps(name, self.lang)
            step = min(kept, key=lambda one, step=step: abs(one - step)) if kept and step is not None else None
            other = self.shelf.reference(name, self.lang)
            columns.append(Column(label(name, self.lang), self.shelf.policy(name, self.lang, step),
                                  self._reference(other), other and label(other, self.lang), step,
                                  kept[-1] if kept else None))
        return columns

    def _reference(self, name: str | None) -> Any:
        """Where the drift is measured from; a base that is gone costs the KL and not the samples."""
        try:
            return None if name is None else self.shelf.policy(name, self.lang)
        except ShelfError:
            return None

    def _fitting(self, columns: Sequence[Column], prompts: Sequence[str], sampling: Any, asked: float
                 ) -> tuple[Any, list[str]]:
        """No more new tokens than every policy has room for after the longest prompt; a line if fewer than asked."""
        from rlhf_kit.models.text import prompt_rows
        most = sampling.max_new_tokens
        for column in columns:
            n = max(map(len, prompt_rows(column.policy.tokenizer, column.asked(prompts))))
            context = column.policy.context
            if context is not None and n >= context:
                raise Problem("too_long", n=n, name=column.name, context=context)
            most = min(most, most if context is None else context - n)
        why = "cut" if most < sampling.max_new_tokens else "cut_here"
        asked = int(asked or DEFAULT_TOKENS)
        return replace(sampling, max_new_tokens=most), [self.words(why, most=most, asked=asked)] if asked > most else []

    def _sampling(self, seed: float, temperature: float, most: float) -> tuple[int, Any]:
        from rlhf_kit.sampling import Sampling
        return (int(min(max(seed or 0, 0), 2**31)),
                Sampling(max_new_tokens=int(min(max(most or DEFAULT_TOKENS, 1), MOST_TOKENS)),
                         temperature=float(min(max(temperature or 1.0, 0.1), 2.0))))

    def _task_lang(self, names: Sequence[str]) -> Lang:
        """The language that the first policy writes; of a folder that does not say it, the page's."""
        return self.shelf.find(names[0], "policy", self.lang).lang or self.lang

    def _made_of(self, names: Sequence[str], steps: Sequence[int | None], judge: str, seed: int,
                 sampling: Any) -> dict[str, Any]:
        """What the histogram depends on; a policy that is trained anew in the same place has been written later."""
        def about(entry: Entry) -> list:
            return [entry.name, entry.place, entry.adapter, entry.written]
        world = self.workspace.world
        return {"lang": self.lang, **({} if world == REVIEWS else {"task": world.place}),
                "policies": [[*about(self.shelf.find(name, "policy", self.lang)), step]
                             for name, step in zip(names, steps, strict=True) if name],
                "judge": about(self.shelf.find(judge, "judge", self.lang)), "seed": seed,
                "temperature": sampling.temperature, "tokens": sampling.max_new_tokens, "prompts": comparing.PROMPTS}


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    policies: list[Names]
    sliders: list[Steps]                    # over the steps of each
    prompt: gr.Textbox
    chips: list[gr.Button]
    how: list[gr.Number | gr.Slider | gr.Dropdown]      # judge, seed, temperature, most tokens, best of how many
    go: gr.Button
    stop: gr.Button
    line: gr.HTML
    more: gr.Button                         # unfolds the models and settings
    shown: gr.HTML
    measure: gr.Button
    measured: gr.HTML                       # how that goes, beside its button
    bars: gr.HTML


def build(lang: Lang, workspace: Workspace) -> None:
    """The panel, in the page that is being built."""
    panel = Compare(lang, workspace)
    on = _fields(panel)
    _wire(panel, on, _wire_choices(panel, on))


def _fields(panel: Compare) -> Fields:
    """The page as it is sent: filled from a listing of what there is, so that nothing on it is ever empty."""
    words, saved, prompts = panel.words, panel.saved(), panel.chips()
    views, (lists, chosen) = saved.get("views", []), panel.listed()
    with gr.Row(elem_classes="rk-controls"):
        prompt = gr.Textbox(prompts[0], label=words("prompt"), lines=1, max_lines=6, scale=6, min_width=260,
                            elem_id="rk-compare-prompt")
        go = gr.Button(words("generate"), variant="primary", elem_classes="rk-key-ctrl-enter", scale=0, min_width=250)
        stop = gr.Button(words("stop"), elem_classes="rk-key-escape", interactive=False, scale=0, min_width=130)
    line = widget("notice", words, panel.first_line(), elem_id="rk-compare-line")
    with gr.Row(elem_classes="rk-chips"):
        chips = [gr.Button(comparing.short(one), size="sm", min_width=120) for one in prompts]
    more = gr.Button(panel.settled(*chosen), elem_id="rk-compare-more", elem_classes="rk-fold-button", size="sm")
    with gr.Column(elem_classes="rk-fold"):             # hidden by page.css, unlike what an Accordion folds
        with gr.Row():
            policies = [Names(sent(choices), label=words(which), value=name, elem_id=f"rk-compare-{which}",
                              min_width=200)
                        for which, choices, name in zip(COLUMNS, lists, chosen, strict=False)]
            judge = Names(lists[-1], value=chosen[-1], label=words("judge"), info=words("judge_about"), min_width=200,
                          elem_id="rk-compare-judge")
        with gr.Row():
            sliders = [_slider(panel, which, name) for which, name in zip(COLUMNS, chosen, strict=False)]
        with gr.Row():
            seed = gr.Number(0, label=words("seed"), info=words("seed_about"), precision=0, min_width=140)
            temperature = gr.Slider(0.1, 2.0, 1.0, step=0.1, label=words("temperature"), min_width=140)
            room = panel.room(chosen[:3])
            most = Steps(1, room["maximum"], min(DEFAULT_TOKENS, room["maximum"]), step=1, label=words("max_tokens"),
                         info=room["info"], min_width=140, elem_id="rk-compare-most")
            n = gr.Slider(1, MOST_DRAWS, 1, step=1, label=words("best_of_n"), info=words("best_of_about"),
                          min_width=140, elem_id="rk-compare-n")
    shown = widget("compare", words, views[0] if views else None, parts=("explain", "tokens", "charts", "take", "chat"),
                   elem_id="rk-compare-view")
    gr.Markdown(f"### {words('histogram')}")
    with gr.Row(elem_classes="rk-controls"):
        measure = gr.Button(words("histogram_button"), scale=0, min_width=220)
        measured = widget("notice", words, elem_id="rk-compare-measured")
    bars = widget("histogram", words, saved.get("histogram"), parts=("charts",), elem_id="rk-compare-histogram")
    return Fields(policies, sliders, prompt, chips, [judge, seed, temperature, most, n], go, stop, line, more, shown,
                  measure, measured, bars)


def _deferred(found: dict[Any, Any], fields: Sequence[Any], late: gr.Textbox) -> dict[Any, Any]:
    """What is found, with all that is for `fields`, and the line, as JSON in `late`, for `SETTLE`."""
    updates = [found.pop(field) for field in fields]
    updates = [{**one, "value": in_browser(one["value"])} if isinstance(one, dict) and "value" in one
               else one if isinstance(one, dict) else gr.update(value=one) for one in updates]
    return {**found, late: json.dumps({"line": found[late], "updates": updates}, ensure_ascii=False)}


def _slider(panel: Compare, which: str, name: str) -> Steps:
    """Over the steps of that policy's run; not to be seen where there is nothing to slide over."""
    words, over = panel.words, panel.slider(name)
    found = over or {"minimum": 0, "maximum": 1, "step": 1, "value": 1}
    return Steps(**found, label=words("step", which=words(which)), info=words("step_about"),
                 visible=over is not None, elem_id=f"rk-compare-{which}-step", min_width=220)


def _wire_choices(panel: Compare, on: Fields) -> Any:
    """Which models there are: when the page opens, when its tab is turned to, and when another panel sends one.

    Returns: the last of these events, after which the one that was sent is chosen.
    """
    words, named, (most, n) = panel.words, [*on.policies, on.how[0]], on.how[3:]

    def slide(name: str) -> Any:
        found = panel.slider(name)
        return gr.update(visible=False) if found is None else gr.update(visible=True, **found)

    def offer(trained: object = None) -> dict[Any, Any]:
        lists, chosen = panel.listed(trained)
        return {on.more: panel.settled(*chosen), most: gr.update(**panel.room(chosen[:3])),
                **{field: offered(choices, name)
                   for field, choices, name in zip(named, lists, chosen, strict=True)},
                **{slider: slide(name) for slider, name in zip(on.sliders, chosen, strict=False)}}

    def recall(address: object) -> dict[Any, Any]:
        found = panel.recalled(address)
        if found is None:
            return {}
        view, asked = found
        values = zip(named, [*asked["names"], asked["judge"]], strict=True)
        there = {field: name for field, name in values
                 if name in (value for _, value in panel.listed()[0][named.index(field)])}
        sliders = {slider: gr.update(**{**slide(name), **({} if step is None else {"value": step})})
                   for slider, name, step in zip(on.sliders, asked["names"], asked["steps"], strict=True)}
        return {**there, **sliders, on.more: panel.settled(*asked["names"]), on.shown: view, on.prompt: asked["prompt"],
                **dict(zip(on.how[1:3], (asked["seed"], asked["temperature"]), strict=True)),
                most: gr.update(**{**panel.room(asked["names"]), "value": asked["most"]}), n: asked.get("n", 1),
                on.line: words("recalled")}

    def arrive(address: object) -> dict[Any, Any]:
        offered, found = {**offer(), late: panel.first_line()}, recall(address)
        for field in named:
            if field in found:
                found[field] = gr.update(**{**offered[field], "value": found[field]})
        if not found and isinstance(address, str) and address.startswith(ADDRESS):
            offered[on.line] = words("not_recalled")
        return {**offered, **found}

    def turn(event: gr.EventData) -> dict[Any, Any]:
        asked = getattr(event, "_data", None)
        address = asked.get("address") if isinstance(asked, dict) else None
        first = {on.shown: (panel.saved().get("views") or [None])[0], on.line: panel.first_line()}
        return recall(address) or (first if address == "" else {on.line: words("not_recalled")})

    def refresh(*chosen: str) -> dict[Any, Any]:
        fresh = offer()
        for field, name, slider, there in zip(named, chosen, [*on.sliders, None], panel.listed()[0], strict=True):
            if name in (value for _, value in there):                               # what was chosen stays chosen
                del fresh[field]["value"]
                fresh.pop(slider, None)
        now = [fresh[field].get("value", name) for field, name in zip(named, chosen, strict=True)]
        return {**fresh, on.more: panel.settled(*now), most: gr.update(**panel.room(now[:3]))}

    def renamed(*chosen: str) -> tuple[str, Any]:
        return panel.settled(*chosen), gr.update(**panel.room(chosen))

    def choose(event: gr.EventData) -> dict[Any, Any]:
        asked = getattr(event, "_data", None)
        return {**offer(asked.get("run") if isinstance(asked, dict) else None), on.line: words("chosen")}

    fields = [*named, *on.sliders, on.more, most]
    told = [*fields, *on.how[1:3], n, on.prompt, on.shown, on.line]
    # On a busy server that comes late: what somebody has already chosen, or was told after a press, stays.
    late, built = gr.Textbox(visible=False), [panel.first_line(), [in_browser(field.value) for field in fields]]
    arrived = when_open(lambda address: _deferred(arrive(address), fields, late), gr.Textbox(visible=False),
                        [*told[len(fields):], late], js="() => [location.hash]", **QUIET)
    arrived.then(None, [late, on.line, *fields], [on.line, *fields], js=f"({SETTLE})({json.dumps(built)})",
                 show_progress="hidden")
    on.shown.turn(turn, None, told, concurrency_limit=None, **QUIET)
    when_shown(refresh, named, fields)
    chosen = on.shown.choose(choose, None, [*fields, on.line], **QUIET)
    for policy, slider in zip(on.policies, on.sliders, strict=True):
        policy.input(slide, policy, slider, concurrency_limit=None, **QUIET)
        policy.input(renamed, on.policies, [on.more, most], concurrency_limit=None, **QUIET)
    return chosen


def _wire(panel: Compare, on: Fields, chosen: Any) -> None:
    """What happens when something is pressed, or `chosen` in another panel."""
    example = panel.saved().get("histogram")
    still_saved, turns = gr.State(True), Turns(panel.workspace, panel.lang, gr.State(None), on.stop)

    def write(request: gr.Request, bars: object, prompt: str, *asked: Any) -> Iterator[tuple[Any, str]]:
        return panel.generate(prompt, asked[:3], asked[3:6], *asked[6:])

    def written(view: Any, bars: object, prompt: object = None, *asked: Any) -> list[Any]:
        whole = isinstance(view, dict) and "address" in view                    # by now the context is known
        return [view, None if bars == example else gr.skip(), False,            # the example's are not of these models
                gr.update(**panel.room(asked[:3])) if whole else gr.skip()]

    def weigh(request: gr.Request, *asked: Any) -> Iterator[tuple[Any, str]]:
        return panel.measure(asked[:3], asked[3:6], *asked[6:-1])

    for number, chip in enumerate(on.chips):
        chip.click(lambda old, number=number: [*_kept(panel.chip(number, old))], still_saved, [on.prompt, on.shown],
                   **QUIET)
    asked = [*on.policies, *on.sliders, *on.how]
    going = []
    for begun in (on.go.click, chosen.success):
        going += turns.wire(begun, lambda _, *given: panel.refused(*given), [on.prompt, on.policies[0]],
                            write, [on.bars, on.prompt, *asked], on.line, [on.shown, on.bars, still_saved, on.how[3]],
                            shown=written)
    going += turns.wire(on.measure.click, lambda _, first: panel.refused("x", first), [on.policies[0]],
                        weigh, asked, on.measured, [on.bars])
    turns.wire_stop(on.stop, going, on.line, panel.stopped, [on.shown])
    on.prompt.change(None, on.prompt, js=OTHER_PROMPT, show_progress="hidden")
    for field in asked:
        field.input(None, js=OTHERWISE, show_progress="hidden")


def _kept(values: Sequence[Any]) -> list[Any]:
    """None means: leave it as it is."""
    return [gr.skip() if value is None else value for value in values]


def _titled(column: Column) -> str:
    return column.name if column.step is None else f"{column.name} · {column.step}"
