"""Simulated labelers of stated quality: rankings with scores and flags, two questions, rule levels; screening.

Each sees the truth through noise of her own, and says what she sees. What they are asked differs between the labs:
OpenAI has 4 to 9 responses ranked, scored and flagged, Anthropic asks two separate questions, DeepMind which of a
turn's candidates is best and, apart from that, whether a rule is broken, in five levels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.tasks.assistant.gold import Explanation
from rlhf_kit.tasks.assistant.rules import verdicts
from rlhf_kit.tasks.rankings import ordered

Question = Literal["helpful", "harmful"]
Level = Literal["definitely broken", "probably broken", "unsure", "probably followed", "definitely followed"]
LEVELS: tuple[Level, ...] = get_args(Level)
QUESTIONS: tuple[Question, ...] = get_args(Question)
MOST, FEWEST = 9, 4                         # responses on a page
SCORES = 7                                  # of the overall score: 1 to 7
SURE, LEANING = 1.0, 0.35                   # how clearly a rule must seem broken, or followed, to say so

# What a labeler notes of a response besides its rank, as InstructGPT's did; arXiv:2203.02155, table 3.
FLAGS: dict[str, Callable[[Explanation], bool]] = {
    "fails the instruction": lambda seen: seen.useful < 0.3,
    "inappropriate for an assistant": lambda seen: _has(seen, "insult", "threat", "human", "feeling", "flattery"),
    "invents facts": lambda seen: _has(seen, "false", "invented", "misled"),
    "helps to do harm": lambda seen: _has(seen, "harms"),
    "gives harmful advice": lambda seen: _has(seen, "advised"),
    "refuses what is fine": lambda seen: _has(seen, "balked"),
    "hedges too much": lambda seen: _has(seen, "hedged", "unsure", "denied"),
    "leaves the question": lambda seen: _has(seen, "aside", "stray"),
    "repeats itself": lambda seen: seen.repetition < 1,
    "breaks off": lambda seen: seen.complete < 1,
}

Explain = Callable[[str, str], Explanation]     # (prompt, response) -> what is true of it; `Assistant.explain`


@dataclass(frozen=True)
class Page:
    """What one labeler says of the responses to one prompt."""

    labeler: str
    ranking: Ranking                            # best first; what she holds for equal has equal ranks
    scores: tuple[int, ...]                     # 1 to 7, one a response, in the ranking's order
    flags: tuple[frozenset[str], ...]           # names of `FLAGS`, one set a response


@dataclass(frozen=True)
class Choice:
    """Of two responses the one that a labeler picked."""

    labeler: str
    question: Question
    prompt: str
    picked: str
    other: str
    strength: int                               # 0 barely, 1, 2, 3 by far

    def comparison(self) -> Comparison:
        """As something to learn from: who was picked for doing more harm is the worse one (arXiv:2204.05862)."""
        better, worse = (self.picked, self.other) if self.question == "helpful" else (self.other, self.picked)
        return Comparison(self.prompt, better, worse)


@dataclass(frozen=True)
class Judgement:
    """Whether a response breaks a rule, as a labeler sees it."""

    labeler: str
    rule: str
    prompt: str
    response: str
    level: Level

    @property
    def broken(self) -> int | None:
        """1 or 0 to learn from; None if she is not sure."""
        return {0: 1, 1: 1, 2: None, 3: 0, 4: 0}[LEVELS.index(self.level)]


@dataclass(frozen=True)
class Labeler:
    """One person who labels. All her noise is in units of what she judges, which is between 0 and 1."""

    name: str
    noise: float = 0.1                          # temperature of her order; see `tasks.rankings.ordered`
    slips: float = 0.03                         # chance that a flag is wrong
    blur: float = 0.4                           # standard deviation with which she sees a broken (1) or kept (-1) rule
    tie: float = 0.05                           # what differs by less is equal to her
    shift: float = 0.0                          # of her scores, in points: how generous she is
    stretch: float = 1.0                        # of her scores: how far apart she puts good and bad

    def page(self, prompt: str, responses: Sequence[str], explain: Explain, rng: random.Random) -> Page:
        """Rank 4 to 9 responses, score each from 1 to 7, and flag what is wrong with it."""
        if not FEWEST <= len(responses) <= MOST:
            raise ValueError(f"there are {len(responses)} responses on a page; a labeler ranks {FEWEST} to {MOST}.")
        true = [explain(prompt, response) for response in responses]
        order, _ = ordered([one.gold for one in true], self.noise, rng)
        ranks = self._tied([true[i].gold for i in order])
        scores = tuple(self._score(true[i].gold, rng) for i in order)
        flags = tuple(frozenset(name for name, holds in FLAGS.items()
                                if holds(true[i]) != (rng.random() < self.slips)) for i in order)
        return Page(self.name, Ranking(prompt, tuple(responses[i] for i in order), ranks), scores, flags)

    def choose(self, question: Question, prompt: str, pair: tuple[str, str], explain: Explain,
               rng: random.Random) -> Choice:
        """The more helpful of two responses, or the more harmful one."""
        if question not in QUESTIONS:
            raise ValueError(f"question is {question!r}; choose one of {' and '.join(map(repr, QUESTIONS))}.")
        true = [explain(prompt, response) for response in pair]
        worth = [one.helpful if question == "helpful" else 1 - one.harmless for one in true]
        (first, second), _ = ordered(worth, self.noise, rng)
        strength = min(int(4 * abs(worth[0] - worth[1])), 3)
        return Choice(self.name, question, prompt, pair[first], pair[second], strength)

    def pick(self, prompt: str, responses: Sequence[str], explain: Explain, rng: random.Random) -> Ranking:
        """The response that helps her most, whatever rule it breaks; the others she does not order (arXiv:2209.14375).

        They are those that rank second, all alike.
        """
        if len(responses) < 2:
            raise ValueError(f"there are {len(responses)} responses; a labeler picks one of at least 2.")
        (best, *_), _ = ordered([explain(prompt, response).helpful for response in responses], self.noise, rng)
        return Ranking(prompt, tuple(responses), tuple(1 if i == best else 2 for i in range(len(responses))))

    def level(self, rule: str, prompt: str, response: str, explain: Explain, rng: random.Random) -> Judgement:
        """Whether a response breaks a rule, in five levels."""
        broken = verdicts(explain(prompt, response))[rule].broken
        seen = (1 if broken else -1) + rng.gauss(0, self.blur)
        at = sum(seen < edge for edge in (SURE, LEANING, -LEANING, -SURE))
        return Judgement(self.name, rule, prompt, response, LEVELS[at])

    def _tied(self, worth: Sequence[float]) -> tuple[int, ...]:
        """Ranks of responses in her order: neighbours that hardly differ share one."""
        ranks = [1]
        for place, (before, this) in enumerate(pairwise(worth), start=2):
            ranks.append(ranks[-1] if abs(before - this) < self.tie else place)
        return tuple(ranks)

    def _score(self, worth: float, rng: random.Random) -> int:
        middle = (1 + SCORES) / 2
        seen = middle + self.shift + self.stretch * (SCORES - 1) * (worth - 0.5) + 3 * self.noise * rng.gauss(0, 1)
        return min(max(round(seen), 1), SCORES)


def applicants(n: int, seed: int = 0) -> list[Labeler]:
    """People who would like to label: most are good, one in four is not."""
    if n < 1:
        raise ValueError(f"n is {n}; ask for at least 1.")
    rng, found = random.Random(f"assistant applicants {seed}"), []
    for number in range(1, n + 1):
        poor = rng.random() < 0.25
        found.append(Labeler(f"labeler-{number:02}", noise=rng.uniform(0.7, 1.2) if poor else rng.uniform(0.1, 0.3),
                             slips=rng.uniform(0.1, 0.3) if poor else rng.uniform(0.01, 0.05),
                             blur=rng.uniform(1.0, 2.0) if poor else rng.uniform(0.3, 0.6),
                             shift=rng.gauss(0, 0.7), stretch=rng.uniform(0.7, 1.2)))
    return found


def agreement(labeler: Labeler, pages: Iterable[tuple[str, Sequence[str]]], explain: Explain, seed: int = 0) -> float:
    """The share of pairs that differ in truth and that she puts in their true order; what she ties counts half.

    Args:
        pages: prompts with 4 to 9 responses each.
    """
    rng, right, pairs = random.Random(f"screening {labeler.name} {seed}"), 0.0, 0
    for prompt, responses in pages:
        ranking = labeler.page(prompt, responses, explain, rng).ranking
        gold = [explain(prompt, response).gold for response in ranking.responses]
        for i, rank in enumerate(ranking.ranks):
            for other in range(i + 1, len(gold)):
                if gold[i] != gold[other]:
                    pairs += 1
                    right += 0.5 if rank == ranking.ranks[other] else gold[i] > gold[other]
    if not pairs:
        raise ValueError("no two responses on these pages differ in truth; screen with others.")
    return right / pairs


def screened(labelers: Sequence[Labeler], pages: Sequence[tuple[str, Sequence[str]]], explain: Explain,
             least: float = 0.75, seed: int = 0) -> list[Labeler]:
    """Those who agree with the truth at least so often; who does not is left out, as InstructGPT did."""
    return [one for one in labelers if agreement(one, pages, explain, seed) >= least]


def _has(seen: Explanation, *kinds: str) -> bool:
    return any(note.kind in kinds for note in seen.notes)
