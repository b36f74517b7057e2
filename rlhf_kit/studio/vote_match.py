"""A match of the blind vote: which two models, who writes their pairs, and which pairs are voted on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from rlhf_kit.labels import Labels, LabelsError
from rlhf_kit.language import Lang
from rlhf_kit.studio import own_prompts, talks, vote_pairs
from rlhf_kit.studio.answers import why
from rlhf_kit.studio.entries import label
from rlhf_kit.studio.fields import Names, choices, offered
from rlhf_kit.studio.own_prompts import prompts_field
from rlhf_kit.studio.problems import Problem, refusal, told
from rlhf_kit.studio.shelf import ShelfError
from rlhf_kit.studio.turns import prepared
from rlhf_kit.studio.widget import Update
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

ALL = ""                            # the pairs of no match in particular
PAIRS, MOST_PAIRS = 12, 50


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    first: Names
    second: Names
    n: gr.Slider
    prompts: gr.Textbox
    make: gr.Button
    stop: gr.Button


def fields(words: Words) -> Fields:
    """The fields of a new match, folded away."""
    with gr.Accordion(words("new_match"), open=False, elem_id=f"rk-vote-new-{words.lang}"):
        with gr.Row():
            first = Names([], label=words("first_model"), min_width=200, elem_id=f"rk-vote-first-{words.lang}")
            second = Names([], label=words("second_model"), min_width=200, elem_id=f"rk-vote-second-{words.lang}")
            n = gr.Slider(1, MOST_PAIRS, PAIRS, step=1, label=words("n_pairs"), min_width=160)
        prompts = prompts_field(words.lang, f"rk-vote-prompts-{words.lang}")
        with gr.Row():
            make, stop = gr.Button(words("write_pairs"), variant="primary"), gr.Button(words("stop"), interactive=False)
    return Fields(first, second, n, prompts, make, stop)


def chosen(labels: Labels, lang: Lang, match: object) -> list[int] | None:
    """The numbers of its pairs; None where all are meant, or there is no such match."""
    try:
        first, second = json.loads(match) if isinstance(match, str) and match else (None, None)
    except (ValueError, TypeError):
        return None
    found = vote_pairs.matches(labels, lang)
    return next((tasks for names, tasks in found.items() if names == (first, second)), None)


def value(first: str, second: str) -> str:
    """A match as the page sends it."""
    return json.dumps(sorted((first, second)), ensure_ascii=False)


@dataclass(frozen=True)
class Match:
    """What happens when something is pressed; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "vote")

    def offered(self, picked: object = ALL) -> Update:
        """The matches to choose from, the newest first; what was picked stays."""
        try:
            found = vote_pairs.matches(self.workspace.labels, self.lang)
        except LabelsError:
            return gr.skip()
        listed = [(f"{label(first, self.lang)} / {label(second, self.lang)} ({len(tasks)})", value(first, second))
                  for (first, second), tasks in reversed(found.items())]
        return choices([(self.words("any_match"), ALL), *listed], ALL, picked)

    def models(self) -> tuple[Update, Update]:
        """The policies to choose from: a base and the policy that was trained last from it."""
        listed, (base, trained, _) = self.workspace.shelf.offered("policy", self.lang), self.workspace.shelf.defaults(
            self.lang)
        return offered(listed, base), offered(listed, trained)

    def refused(self, first: str, second: str, prompts: str) -> str | None:
        """Why these may not be asked; None if they may."""
        return refusal(self.words, self._check, first, second, prompts)

    def _check(self, first: str, second: str, prompts: str) -> None:
        names = self.workspace.shelf.names("policy", self.lang)
        if first not in names or second not in names:
            raise Problem("choose_two")
        if first == second:
            raise Problem("same_model")
        if prompts.strip() and not own_prompts.typed(prompts).prompts:
            raise Problem("no_prompts")

    def write(self, first: str, second: str, n: float, prompts: str) -> Iterator[tuple[str | None, str]]:
        """Let both answer, and add their pairs: yields (match, line), the match once it is there."""
        try:
            self._check(first, second, prompts)
            shelf, own = self.workspace.shelf, own_prompts.typed(prompts)
            yield from ((None, line) for line in prepared(shelf, [(first, "policy"), (second, "policy")], self.words))
            seed = 1 + self.workspace.labels.count()
            asked = [talks.typed(prompt, self.workspace.world, self.lang) for prompt in own.prompts]
            asked = asked or self._held_out(n, seed)
            policies = {name: shelf.policy(name, self.lang) for name in (first, second)}
            new = 0
            for done, total, added in vote_pairs.write(self.workspace.labels, policies, asked, seed):
                new = added
                yield None, self.words("writing_pairs", done=done, total=total)
            both = value(first, second)
            there = both if chosen(self.workspace.labels, self.lang, both) else None
            said = self.words("pairs_written" if new else "no_new_pairs", new=new, total=len(asked))
            left = Words(self.lang, "labels")("left_out", n=own.left_out, most=own_prompts.MOST) if own.left_out else ""
            yield there, f"{said} {left}".strip()
        except LabelsError as error:
            yield None, why(self.lang, error)
        except ShelfError as error:
            yield None, error.told(self.lang)
        except Exception as error:                      # whatever it is, the page says it
            yield None, told(error, self.words)

    def _held_out(self, n: float, seed: int) -> list[str]:
        n = int(min(max(n or PAIRS, 1), MOST_PAIRS))
        return self.workspace.world.of(self.lang).prompts("heldout", n, seed=seed)
