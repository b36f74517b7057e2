"""The task of an assistant, in English and Chinese: prompts of three types, dialogues, labels, rankings and three H's.

An assistant of a made-up island is asked for facts (of some of which nobody knows), for how something is done (which
may harm others), for notes and other words, for advice that it must not give; or somebody just wants to talk. The two
languages share their derivations: one seed asks and answers the same in both.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rlhf_kit.formulas.records import Ranking
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.tasks.assistant import rules
from rlhf_kit.tasks.assistant.answers import Writer, draw_writer
from rlhf_kit.tasks.assistant.cases import SPLITS, Case, Split, draw_case, follow_up
from rlhf_kit.tasks.assistant.derivation import remarks, tell
from rlhf_kit.tasks.assistant.gold import Explanation, explain
from rlhf_kit.tasks.assistant.prompts import MARKS, PROMPT_TYPES, PromptType, Statement, case_of, statement, write
from rlhf_kit.tasks.assistant.users import Prompt, User, users
from rlhf_kit.tasks.rankings import ordered

TYPES: dict[PromptType, float] = {"plain": 0.6, "few-shot": 0.15, "user-based": 0.25}        # how often each
SHOWN = ("fact", "rewrite")                 # what few-shot prompts ask for: their examples are short
EXAMPLES = 2                                # in a few-shot prompt
EARLIER = 0.25                              # chance of an earlier turn: four statements with the response
CAREFUL: Mapping[str, float] = {"careful": 1}         # writes the demonstrations, if nobody says who does
GOOD, BAD = 0.7, 0.3                        # gold of what is labelled 1, at least, and 0, at most
MUCH, LITTLE = 0.7, 0.5                     # the same of one quality alone
PROMPTS = 1000                              # if nobody says how many


class Hs(NamedTuple):
    """Three qualities, each in [0, 1]."""

    helpful: float
    honest: float
    harmless: float


class Assistant:
    """The task of answering as an assistant. Users and cases of the split "heldout", a fifth of each, never occur in
    the split "train"; every word of them does."""

    def __init__(self, lang: Lang) -> None:
        if lang not in LANGS:
            raise ValueError(f"lang is {lang!r}; the assistant speaks {' and '.join(map(repr, LANGS))}.")
        self.lang: Lang = lang
        self.name = f"assistant-{lang}"
        self._space = MARKS[lang].space

    def prompts(self, split: Split = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Different prompts of all three types; with n None 1,000 of them. An English response begins with a space."""
        found: dict[str, None] = {}
        for prompt in self._stream(f"prompts {seed}", split):
            if len(found) == (PROMPTS if n is None else _positive(n)):
                break
            found[prompt.text] = None
        return list(found)

    def asked(self, n: int, seed: int = 0, split: Split = "train", types: Sequence[PromptType] = PROMPT_TYPES,
              kind: str | None = None) -> list[Prompt]:
        """Prompts with what is known about them: their type, who asks, and what for.

        Args:
            types: of prompts; they are drawn in the proportions of `TYPES`.
            kind: only what is of that kind: "fact", "do", "note", "rewrite", "chat" or "advice".
        """
        stream = self._stream(f"asked {seed}", split, types, kind)
        return [next(stream) for _ in range(_positive(n))]

    def sent(self, n: int, seed: int = 0) -> list[Prompt]:
        """Prompts as they arrive, of either split: few users send much, and some send the same again.

        What is to be learnt from goes through `users.at_most`, `users.without_copies` and `users.by_split` first.
        """
        rng = random.Random(f"assistant sent {seed}")
        everyone = [user for split in SPLITS for user in users(split)]
        rng.shuffle(everyone)
        weights = [1 / (1 + place) for place in range(len(everyone))]
        found: list[Prompt] = []
        for _ in range(_positive(n)):
            user = rng.choices(everyone, weights)[0]
            own = [prompt for prompt in found[-50:] if prompt.user == user]
            found.append(rng.choice(own) if own and rng.random() < 0.05 else
                         self._prompt(user, rng.choice(SPLITS), rng))
        return found

    def dialogue(self, prompt: Prompt, writer: Writer, rng: random.Random) -> tuple[str, str]:
        """A prompt, and what that writer answers to it."""
        return prompt.text, self._space + writer.answer(prompt.case, rng).text(self.lang)

    def corpus(self, n: int, seed: int = 0, split: Split = "train") -> list[str]:
        """Whole dialogues, answered by people of every kind; see `corpus.pretraining` for what a base model reads."""
        return [prompt + response for prompt, response in self._answered(f"corpus {seed}", split, _positive(n))]

    def demonstrations(self, n: int, seed: int = 0, split: Split = "train",
                       writers: Mapping[str, float] = CAREFUL) -> list[tuple[str, str]]:
        """Pairs (prompt, response) by people who were told how to answer; gold of each is 1 where all are careful.

        Args:
            writers: who writes them, behaviours of `data/behaviours.tsv` with how much each of them writes.
        """
        rng, stream = random.Random(f"assistant demonstrations {seed}"), self._stream(f"demonstrations {seed}", split)
        chosen = random.Random(f"assistant demonstrators {seed}").choices(list(writers), list(writers.values()),
                                                                          k=_positive(n))
        return [self.dialogue(next(stream), Writer(name), rng) for name in chosen]

    def references(self, prompts: Sequence[str], seed: int = 0) -> list[str]:
        """A careful response to each prompt; its gold is 1.

        Raises: ValueError, one line, for a prompt that is not of this world.
        """
        rng, writer, found = random.Random(f"assistant references {seed}"), Writer("careful"), []
        for prompt in prompts:
            case = case_of(prompt, self.lang)
            if case is None:
                raise ValueError(f"the prompt {prompt[-60:]!r} is not of this world; references are there for the "
                                 f"prompts of {self.name}.")
            found.append(self._space + writer.answer(case, rng).text(self.lang))
        return found

    def labelled(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, int]]:
        """Whole dialogues with 1 for a good response and 0 for a bad one, as many of each; none between."""
        wanted = {1: (_positive(n) + 1) // 2, 0: n // 2}
        found: list[tuple[str, int]] = []
        for prompt, response in self._answered(f"labelled {seed}", split):
            gold = self.gold(prompt, response)
            label = 1 if gold >= GOOD else 0 if gold <= BAD else None
            if label is not None and wanted[label]:
                wanted[label] -= 1
                found.append((prompt + response, label))
            if len(found) == n:
                return found
        raise AssertionError("the stream of dialogues does not end")

    def judged(self, quality: str, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, int]]:
        """Whole dialogues under plain prompts, with 1 for much and 0 for little of one quality; none between.

        As many of each among those that are alike: in what kind of thing is asked for; in whether somebody is unkind
        or speaks of themselves, be it the user or the assistant; and, but for harm, in the sentences of the response
        (three steps, a claim with a hedge). So no word gives the label away. Helpful and honest is what answers that
        very question and is true; harm is a matter of whose thing it is, and of who says it.

        Args:
            quality: "helpful", "honest" or "harmless".
        """
        if quality not in Hs._fields:
            raise ValueError(f"quality is {quality!r}; choose one of {', '.join(Hs._fields)}.")
        waiting: dict[tuple, dict[int, list[str]]] = {}
        found: list[tuple[str, int]] = []
        _positive(n)
        for prompt, response in self._answered(f"{quality} {seed}", split, types=("plain",)):
            seen = self.explain(prompt, response)
            worth = getattr(seen, quality)
            label = 1 if worth >= MUCH else 0 if worth <= LITTLE else None
            if label is None:
                continue
            alike = seen.case.kind, remarks(prompt + response, self.lang), seen.shape if quality != "harmless" else ()
            pile = waiting.setdefault(alike, {0: [], 1: []})
            pile[label].append(prompt + response)
            if pile[0] and pile[1]:
                found += [(pile[one].pop(), one) for one in (1, 0)]
            if len(found) >= n:
                return found[:n]
        raise AssertionError("the stream of dialogues does not end")

    def rankings(self, n: int, k: int = 4, noise: float = 0.0, seed: int = 0, split: Split = "train") -> list[Ranking]:
        """K different responses to each of n prompts, ordered best first.

        Args:
            noise: temperature T >= 0 of the labeler, in units of gold; see `tasks.rankings.ordered`.
        """
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise is {noise}; it is a temperature, 0 (no errors) or more, such as 0.3.")
        rng = random.Random(f"assistant order {seed}")
        return [self._ranking(prompt, responses, noise, rng)
                for prompt, responses in self.candidates(n, k, seed=seed, split=split)]

    def candidates(self, n: int, k: int = 4, seed: int = 0, split: Split = "train") -> list[tuple[str, list[str]]]:
        """K different responses to each of n prompts, by people of every kind, in no order."""
        if k < 2:
            raise ValueError(f"k is {k}; a ranking compares at least 2 responses.")
        rng, stream, found = random.Random(f"assistant rankings {seed}"), self._stream(f"rankings {seed}", split), []
        for _ in range(_positive(n)):
            prompt, responses = next(stream), {}
            while len(responses) < k:
                responses[self.dialogue(prompt, draw_writer(rng), rng)[1]] = None
            found.append((prompt.text, list(responses)))
        return found

    def gold(self, prompt: str, response: str) -> float:
        """The true quality of a response, in [0, 1]: useful, honest and harmless multiplied; see `explain`."""
        return self.explain(prompt, response).gold

    def hs(self, prompt: str, response: str) -> Hs:
        """How helpful, honest and harmless a response is. Helpful is what the asker wanted, harm or not."""
        found = self.explain(prompt, response)
        return Hs(found.helpful, found.honest, found.harmless)

    def rules(self, prompt: str, response: str) -> dict[str, rules.Verdict]:
        """Of each of the twelve rules whether the response breaks it, and with which words."""
        return rules.verdicts(self.explain(prompt, response))

    def explain(self, prompt: str, response: str, lang: Lang | None = None) -> Explanation:
        """What the gold rewards understood of a response, and what they think of it; said in `lang`, or in its own."""
        return explain(prompt, response, self.lang, lang)

    def _answered(self, seed: str, split: Split, n: int | None = None,
                  types: Sequence[PromptType] = PROMPT_TYPES) -> Iterator[tuple[str, str]]:
        """Prompts with a response of the crowd; without an end if n is None."""
        rng, stream = random.Random(f"assistant answered {seed}"), self._stream(seed, split, types)
        while n is None or n > 0:
            yield self.dialogue(next(stream), draw_writer(rng), rng)
            n = None if n is None else n - 1

    def _stream(self, seed: str, split: Split, types: Sequence[PromptType] = PROMPT_TYPES,
                kind: str | None = None) -> Iterator[Prompt]:
        """Prompts without an end."""
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; choose one of {' and '.join(map(repr, SPLITS))}.")
        rng, everyone = random.Random(f"assistant {seed}"), users(split)
        while True:
            yield self._prompt(rng.choice(everyone), split, rng, types, kind)

    def _prompt(self, user: User, split: Split, rng: random.Random, types: Sequence[PromptType] = PROMPT_TYPES,
                kind: str | None = None) -> Prompt:
        shape = rng.choices(types, [TYPES[one] for one in types])[0]
        if shape == "few-shot":
            case, statements = self._few_shot(split, rng, kind)
            return Prompt(write(statements, self.lang, shape), shape, user, case)
        based = shape == "user-based"
        case, statements = self._talk(split, user.charge if based else "", rng, kind)
        about = tell(user.symbol, user.roles, rng).text(self.lang) if based else ""
        return Prompt(write(statements, self.lang, shape, about), shape, user, case)

    def _few_shot(self, split: Split, rng: random.Random, kind: str | None) -> tuple[Case, list[Statement]]:
        """Examples of one kind and form, answered, and another case of the same. The examples are of "train"."""
        case = draw_case(rng, split, kind=kind or rng.choice(SHOWN))
        alike: list[Case] = []
        while len(alike) < EXAMPLES:
            other = draw_case(rng, "train", kind=case.kind)
            if other.form == case.form and other not in (*alike, case):
                alike.append(other)
        return case, [*(self._done(one, rng) for one in alike), statement(case, self.lang, rng)]

    def _talk(self, split: Split, charge: str, rng: random.Random, kind: str | None) -> tuple[Case, list[Statement]]:
        """One statement or, after an answered one, another: about the same thing where that can be."""
        case = draw_case(rng, split, charge=charge, kind=kind)
        if rng.random() >= EARLIER:
            return case, [statement(case, self.lang, rng)]
        first = draw_case(rng, "train", charge=charge, kind=kind)
        case = follow_up(first, rng, split) or case
        return case, [self._done(first, rng), statement(case, self.lang, rng)]

    def _done(self, case: Case, rng: random.Random) -> Statement:
        """A statement with a careful answer."""
        answer = Writer("careful").answer(case, rng).text(self.lang)
        return statement(case, self.lang, rng, answer)

    def _ranking(self, prompt: str, responses: Sequence[str], noise: float, rng: random.Random) -> Ranking:
        order, ranks = ordered([self.gold(prompt, response) for response in responses], noise, rng)
        return Ranking(prompt, tuple(responses[i] for i in order), ranks)


def _positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    return n
