"""Break a rule: one is drawn, a person tries to make a model break it, and says in five levels whether it did."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rlhf_kit.labels import LabelsError, Response
from rlhf_kit.language import Lang
from rlhf_kit.studio import rank_tasks, talks
from rlhf_kit.studio.answers import why
from rlhf_kit.studio.fields import Names, follow, when_open
from rlhf_kit.studio.problems import Problem, refusal, told
from rlhf_kit.studio.rank_lists import Lists
from rlhf_kit.studio.serving import annotator
from rlhf_kit.studio.shelf import ShelfError
from rlhf_kit.studio.turns import QUIET, Turns, prepared
from rlhf_kit.studio.widget import Update, stamp, widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import REVIEWS

LONGEST = 500                       # characters of what a person says
SURE = 2                            # of the five levels so many mean that it is broken

Attempt = dict[str, Any]            # {"rule": its text, "name", and once a model has answered "prompt", "text", ...}


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    rule: gr.HTML                                           # the rule, the dialogue, and the five levels
    said: gr.Textbox
    writer: Names
    ask: gr.Button
    notice: gr.HTML


def build(lang: Lang, workspace: Workspace, name: gr.Textbox) -> None:
    """Put it into the panel that is being built, folded; nothing in a world that has no rules.

    Args: name: the field with the person's name.
    """
    if not has_rules(workspace, lang):
        return
    panel = RedTeam(lang, workspace)
    on, attempt = _fields(panel), gr.State()
    writers = Lists(lang, workspace).writers
    when_open(writers, follow(on.writer, writers), on.writer, **QUIET)
    when_open(panel.another, [name, attempt], [on.rule, attempt, on.notice], **QUIET)
    on.rule.another(panel.another, [name, attempt], [on.rule, attempt, on.notice], **QUIET)
    on.rule.level(panel.save, [name, on.rule, attempt], [on.rule, attempt, on.notice], concurrency_limit=8, **QUIET)
    turns = Turns(workspace, lang, gr.State())
    for press in (on.ask.click, on.said.submit):
        turns.wire(press, lambda request, *asked: panel.refused(*asked, request), [name, on.said, on.writer],
                   lambda request, *asked: panel.ask(*asked), [on.said, on.writer, attempt],
                   on.notice, [on.rule, attempt], shown=lambda found, *_: list(found) if found else [gr.skip()] * 2)


def has_rules(workspace: Workspace, lang: Lang) -> bool:
    """Whether the world knows which rules a response breaks."""
    return workspace.world != REVIEWS and hasattr(workspace.world.of(lang), "rules")


def _fields(panel: RedTeam) -> Fields:
    words, lang = panel.words, panel.lang
    with gr.Accordion(words("attack"), open=False, elem_id=f"rk-attack-fold-{lang}"):
        gr.HTML(f"<p>{words('attack_about')}</p>", js_on_load=None)
        rule = widget("attack", words, parts=("chat",), elem_id=f"rk-attack-{lang}")
        said = gr.Textbox(label=words("attack_said"), placeholder=panel.example(), max_length=LONGEST, lines=1,
                          max_lines=4, elem_id=f"rk-attack-said-{lang}")
        with gr.Row():
            writer = Names([], label=words("writer"), min_width=220, elem_id=f"rk-attack-writer-{lang}")
            ask = gr.Button(words("attack_ask"), variant="primary", elem_id=f"rk-attack-ask-{lang}")
        notice = widget("notice", words, elem_id=f"rk-attack-notice-{lang}")
    return Fields(rule, said, writer, ask, notice)


@dataclass(frozen=True)
class RedTeam:
    """What happens when something is pressed; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "rank")

    def rules(self) -> dict[str, str]:
        """Rule -> its text, in the language of the world's texts."""
        from rlhf_kit.tasks.assistant.rules import RULES, wordings
        return {rule: wordings(rule, self.workspace.world.of(self.lang).lang)[0] for rule in RULES}

    def example(self) -> str:
        """Something that one might say."""
        found = next(one for one in self.workspace.world.of(self.lang).asked(200, types=("plain",), kind="advice"))
        return talks.named(found.text)

    def another(self, typed: str, attempt: Attempt | None, request: gr.Request) -> tuple[Update, Update, Update]:
        """A rule that this person has tried least, and not the one that is there: (widget, attempt, line)."""
        try:
            name = annotator(request, typed)
        except ValueError:
            name = ""                                       # whoever asks the model is told
        try:
            tried = self._tried(name)
        except LabelsError as error:
            return gr.skip(), gr.skip(), why(self.lang, error)
        rules = [(rule, text) for rule, text in self.rules().items() if text != (attempt or {}).get("rule")]
        random.Random(f"{name} {sum(tried.values())} {(attempt or {}).get('rule')}").shuffle(rules)
        rule, text = min(rules, key=lambda one: tried[one[1]])
        drawn = {"name": rule, "rule": text}
        return self._shown(drawn), drawn, None

    def refused(self, typed: str, said: str, writer: str, request: gr.Request) -> str | None:
        """Why that may not be asked; None if it may."""
        try:
            annotator(request, typed)
        except ValueError as error:
            return why(self.lang, error)
        return refusal(self.words, self._check, said, writer)

    def _check(self, said: str, writer: str) -> None:
        if not isinstance(said, str) or not said.strip():
            raise Problem("attack_empty")
        if writer not in self.workspace.shelf.names("policy", self.lang):
            raise Problem("no_writer")

    def ask(self, said: str, writer: str, attempt: Attempt | None
            ) -> Iterator[tuple[tuple[Update, Attempt] | None, str]]:
        """Let that model answer: yields ((widget, attempt), line)."""
        try:
            self._check(said, writer)
            if not attempt:                                 # the server was restarted since the page was opened
                raise Problem("attack_lost")
            shelf = self.workspace.shelf
            yield from ((None, line) for line in prepared(shelf, [(writer, "policy")], self.words))
            prompt = talks.typed(said.strip()[:LONGEST], self.workspace.world, self.lang)
            seed = 1 + self.workspace.labels.count() + int(attempt.get("asked", 0))
            text = self._answer(shelf.policy(writer, self.lang), prompt, 1000 * seed)
            now = {"name": attempt["name"], "rule": attempt["rule"], "prompt": prompt, "text": text, "model": writer,
                   "seed": 1000 * seed, "asked": int(attempt.get("asked", 0)) + 1, "since": time.time()}
            yield (self._shown(now), now), self.words("attack_level")
        except LabelsError as error:
            yield None, why(self.lang, error)
        except ShelfError as error:
            yield None, error.told(self.lang)
        except Exception as error:                          # whatever it is, the page says it
            yield None, told(error, self.words)

    def _answer(self, policy: Any, prompt: str, seed: int) -> str:
        """What the model says, up to where it begins to speak for somebody else."""
        from rlhf_kit.models.chats import first_turn
        from rlhf_kit.tasks.assistant.prompts import MARKS
        marks = MARKS[self.workspace.world.of(self.lang).lang]
        [text] = rank_tasks.sample(policy, prompt, 1, seed)
        return first_turn(text, (marks.user, marks.assistant)) or text

    def save(self, typed: str, sent: object, attempt: Attempt | None, request: gr.Request
             ) -> tuple[Update, Update, Update]:
        """Keep the level that was pressed, and say what is true: (widget, attempt, line)."""
        from rlhf_kit.formulas.rule_reward import LEVELS
        from rlhf_kit.labels.rule_breaking import save_level
        place = sent.get("level") if isinstance(sent, dict) else None
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(LEVELS):
            return gr.skip(), gr.skip(), Words(self.lang, "labels")("bad_answer")
        if not attempt or "text" not in attempt:
            return gr.skip(), gr.skip(), self.words("attack_first")
        try:
            name = annotator(request, typed)
            save_level(self.workspace.labels, attempt["prompt"],
                       Response(attempt["text"], attempt["model"], attempt["seed"]), attempt["rule"], LEVELS[place],
                       name, seconds=max(time.time() - attempt["since"], 0.0), lang=self.lang)
            said = self._said(name)
        except (OSError, ValueError) as error:
            return gr.skip(), gr.skip(), why(self.lang, error)
        now = {**attempt, "level": place}
        tally = self.words("attack_tally", n=len(said), broken=sum(level <= SURE for _, level in said))
        return self._shown(now), now, f"{self._truth(now)} {tally}"

    # -- what stands behind these

    def _shown(self, attempt: Attempt) -> dict[str, Any]:
        """What `attack.js` draws."""
        shown = {"rule": attempt["rule"], "stamp": stamp()}
        if "text" in attempt:
            shown |= {"prompt": attempt["prompt"], "text": attempt["text"].strip(), "level": attempt.get("level"),
                      **talks.as_chat(attempt["prompt"])}
        return shown

    def _truth(self, attempt: Attempt) -> str:
        """Whether the response breaks that rule, where the world understands what was asked."""
        task = self.workspace.world.of(self.lang)
        if task.explain(attempt["prompt"], attempt["text"], self.lang).case is None:
            return self.words("attack_unknown")
        verdict = task.rules(attempt["prompt"], attempt["text"])[attempt["name"]]
        if not verdict.broken:
            return self.words("attack_kept")
        because = " ".join(f"“{one}”" for one in verdict.because)
        return self.words("attack_broken", because=because) if because else self.words("attack_broken_whole")

    def _said(self, name: str) -> list[tuple[str, float]]:
        """What this person has said: (rule's text, level from 1 on)."""
        from rlhf_kit.labels.rule_breaking import RULE
        return [(one.question.removeprefix(RULE), one.score) for one in self.workspace.labels.scores(name)
                if one.question.startswith(RULE)]

    def _tried(self, name: str) -> Counter[str]:
        return Counter(rule for rule, _ in self._said(name))
