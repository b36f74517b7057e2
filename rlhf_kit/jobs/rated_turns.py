"""What Sparrow learns from: turns of which raters pick the best, and rules that they say are broken, or a folder's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from transformers import PreTrainedTokenizerBase

from rlhf_kit import zoo
from rlhf_kit.datasets.instructions import Instructions
from rlhf_kit.datasets.rated_turns import marks_of, texts_of
from rlhf_kit.datasets.rated_turns import read as read_folder
from rlhf_kit.datasets.recast import choices
from rlhf_kit.formulas.records import Ranking, RuleLabel
from rlhf_kit.jobs import instructions, written
from rlhf_kit.language import Lang
from rlhf_kit.models.ruling import ask
from rlhf_kit.rewards import Reward
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.answers import draw_writer
from rlhf_kit.tasks.assistant.cases import Split
from rlhf_kit.tasks.assistant.corpus import preamble, ruled
from rlhf_kit.tasks.assistant.gold import Explanation
from rlhf_kit.tasks.assistant.prompts import MARKS, case_of, read, under
from rlhf_kit.tasks.assistant.rule_labels import rule_labels
from rlhf_kit.tasks.assistant.rules import RULES, verdicts, wordings
from rlhf_kit.tasks.assistant.users import Prompt

MANNERS = ("careful", "eager", "careful", "rude", "timid", "chatty")    # under whose description candidates are written
WIDE = 4                            # prompts drawn for each that is of the source wanted


class World(instructions.World):
    """The assistant's: its raters pick by what helps them, and look at rules apart from that."""

    def __init__(self, task: Assistant, seed: int = 0) -> None:
        super().__init__(task, seed)
        self.rules = [wordings(rule, task.lang)[0] for rule in RULES]
        self._pools: dict[tuple[str, int], list[Prompt]] = {}

    def asked(self, source: str, n: int, split: Split = "train", purpose: str = "ppo") -> list[str]:
        """n different prompts of a source: "questions", "dialogues" or "adversarial"."""
        def draw(k: int) -> list[str]:
            size = 1 << (WIDE * k).bit_length()             # one pool for all sources
            if (split, size) not in self._pools:
                self._pools[split, size] = self.task.asked(size, self.seed, split, ("plain", "user-based"))
            return [one.text for one in self._pools[split, size] if _source(one, self.task.lang) == source]
        return self._drawn(n, split, purpose, draw, lambda prompt: prompt, of=source)

    def dressed(self, prompt: str, k: int) -> str:
        """The prompt as the writer of the k-th candidate is asked: under a description of how to answer."""
        return under(preamble(self.task, MANNERS[k % len(MANNERS)], seed=k), prompt)

    def people(self, prompts: Sequence[str], k: int) -> list[tuple[str, list[str]]]:
        """k candidates to each prompt, by people of every kind."""
        rng, task = random.Random(f"people {self.seed}"), self.task
        space = MARKS[task.lang].space
        return [(prompt, [space + draw_writer(rng).answer(case_of(prompt, task.lang), rng).text(task.lang)
                          for _ in range(k)]) for prompt in prompts]

    def picked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: Split = "train") -> list[Ranking]:
        """Of the candidates of each turn the one that a rater would rather have; at most n turns.

        The same response is shown once; of fewer than two nothing can be picked.
        """
        rng, found = random.Random(f"picked {self.seed} {split}"), []
        for prompt, responses in asked:
            if len(shown := list(dict.fromkeys(responses))) > 1:
                found.append(rng.choice(self.labelers).pick(prompt, shown, self.task.explain, rng))
        return found[:n]

    def labels(self, n: int, split: Split = "train", wording: Split = "train") -> list[RuleLabel]:
        """What raters say of answers that somebody tried to make break a rule."""
        return rule_labels(self.task, n, self.seed + (wording != "train"), split, wording)

    @property
    def ask(self) -> Callable[[str, str], str]:
        """(dialogue, rule) -> what the rule model reads, in the words that its base has read."""
        lang = self.task.lang
        return lambda dialogue, rule: ruled(dialogue, rule, lang)

    def measured(self) -> dict[str, Reward]:
        """What `instructions.World` measures, and whether a response breaks a rule, by what is true of it."""
        return {**super().measured(), "broken": self._one(_breaks)}


class Folder(instructions.Folder):
    """What somebody brings: preferences, labels of rules and prompts. Nobody can be asked, and the truth is unknown."""

    writes: ClassVar = {"preferences": partial(written.comparisons, writes=True),
                        **dict.fromkeys(("questions", "dialogues", "adversarial"), written.prompts)}
    ask = staticmethod(ask)

    def __init__(self, brought: Instructions, tokenizer: PreTrainedTokenizerBase, template: str | None,
                 model: str) -> None:
        chats = any(not isinstance(one.prompt, str) for one in brought.train["preferences"])
        super().__init__(brought, tokenizer, template, model)
        if chats or template is not None:                   # rules are looked at in the same words
            for key in (("rules", "train"), ("rules", "heldout")):
                self._parts[key] = [replace(one, prompt=written.question(tokenizer, one.prompt)[0])
                                    for one in self._parts[key]]
        labels = self._parts["rules", "train"]
        self.rules, all_rules = texts_of(labels), len({one.rule for one in labels})
        if all_rules > len(self.rules):
            self.notes.append(("sparrow_rules", {"n": all_rules, "most": len(self.rules)}))
        self.marks = None if chats or template is not None else marks_of(
            [prompt for part in ("questions", "dialogues", "adversarial") for prompt in self._parts[part, "train"]])
        if self.marks is None:
            self.notes.append(("sparrow_no_self_play", {}))

    @classmethod
    def read(cls, folder: str, model: str, template: str | None) -> Folder:
        """Raises: FileError, CannotWrite; one line."""
        brought = read_folder(folder)                   # first: a base that is not there is made by reading nothing
        return cls(brought, zoo.load_tokenizer(model), template, model)

    def asked(self, source: str, n: int, split: Split = "train", purpose: str = "ppo") -> list[str]:
        return self._parts[source, split][:n]

    def dressed(self, prompt: str, k: int) -> str:
        return prompt

    def people(self, prompts: Sequence[str], k: int) -> list[tuple[str, list[str]]]:
        return []

    def picked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: Split = "train") -> list[Ranking]:
        return choices(self._parts["preferences", split][:n])

    def labels(self, n: int, split: Split = "train") -> list[RuleLabel]:
        return self._parts["rules", split][:n]


def _source(prompt: Prompt, lang: Lang) -> str:
    if prompt.case.tempting:
        return "adversarial"
    return "dialogues" if len(read(prompt.text, lang).turns) > 1 else "questions"


def _breaks(seen: Explanation) -> float:
    return float(any(one.broken for one in verdicts(seen).values()))
