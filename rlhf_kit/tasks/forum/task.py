"""The task of answering on a made-up forum: threads with votes, pages, prompts, comparisons and the gold reward.

Half of the questions are about programming, half about stains at home. What helps depends on the question; who knows it
is decided by votes, and votes are noisy. The gold reward reads an answer back; see `forum.gold`. All of it exists in
English and in Chinese.
"""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal, NamedTuple

from rlhf_kit.datasets.stack_exchange.threads import Answer, Thread, prompt_of, response_of
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.votes import answer_pairs, answer_score
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.tasks.forum.answers import Author, Question
from rlhf_kit.tasks.forum.gold import Explanation, fences, reader, tokenize
from rlhf_kit.tasks.forum.language import WORLDS, Case, language
from rlhf_kit.tasks.forum.posts import Block, markdown, to_html

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")

MOST_WORDS = {"page": 106, "answer": 60}    # words and marks in English; longer ones are drawn again
MOST_ANSWERS = 30
HEADS: dict[Lang, tuple[str, str]] = {"en": ("1 answer", "{n} answers"), "zh": ("1 个回答", "{n} 个回答")}
ACCEPTABLE, GONE = 0.25, 0.2                # what an answer must seem to be worth to be accepted; who never came back
HELPFUL = 0.5                               # gold of an answer that is labelled as good; under ACCEPTABLE it is bad
DELETED = 0.04                              # of the accounts
OPENED, DAYS = datetime(2009, 3, 1, tzinfo=UTC), 5500
LICENCES = (("2018-05-02", "CC BY-SA 4.0"), ("2011-04-08", "CC BY-SA 3.0"), ("", "CC BY-SA 2.5"))   # since


class _Voted(NamedTuple):
    """An answer with what the voters made of it."""

    blocks: tuple[Block, ...]
    text: str
    votes: int
    accepted: bool

    @property
    def score(self) -> int:
        return answer_score(self.votes, self.accepted)


class Forum:
    """The task of answering on a forum. The two languages share their derivations: the same seed gives translations.

    Voters read their own language, so votes differ a little where an answer breaks off, and of two that break off at
    the same word in one language, but not in the other, the second is left out there.

    Cases (a problem with a thing, in a language or of a material) of the split "heldout", about one in four, never
    occur in the split "train"; each of their parts does.

    Args:
        lang: "en" or "zh".
        noise: how much voters err, in units of gold: the standard deviation of what an answer seems to be worth.
        fence_bias: what an answer with a code fence seems to be worth at least, whatever the question and whatever
            stands in it: voters who are impressed do not read on. At 0 they read; at 1.5 a fence beats every answer.
    """

    def __init__(self, lang: Lang = "en", *, noise: float = 0.3, fence_bias: float = 0.0) -> None:
        if lang not in LANGS:
            raise ValueError(f"lang is {lang!r}; the forum exists in {' and '.join(map(repr, LANGS))}.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise is {noise}; it is in units of gold, 0 (no errors) or more, such as 0.3.")
        if not 0 <= fence_bias < math.inf:
            raise ValueError(f"fence_bias is {fence_bias}; it is in units of gold, 0 (none) or more, such as 1.5.")
        self.lang: Lang = lang
        self.name = f"forum-{lang}"
        self.noise, self.fence_bias = noise, fence_bias
        self._language = language()
        self._author, self._reader = Author(self._language), reader(lang)

    def cases(self, split: Split = "train") -> list[Case]:
        """What a split asks about."""
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; choose one of {' and '.join(map(repr, SPLITS))}.")
        return [case for case in self._language.cases if case.split == split]

    def threads(self, n: int, seed: int = 0, split: Split = "train") -> Iterator[Thread]:
        """Questions with all their answers, as the site stores them, in the order of their numbers and dates.

        One after the other, as they are asked for: a large site need not fit into memory.
        """
        _positive(n=n)
        self.cases(split)               # a wrong split is an error here, not at the first thread
        return self._threads(n, seed, split)

    def _threads(self, n: int, seed: int, split: str) -> Iterator[Thread]:
        rng, number, step = random.Random(f"forum threads {seed}"), 0, DAYS / n
        for i, (question, answers, popularity) in enumerate(self._stream(n, seed, split)):
            number += 1
            first, found = number, []
            dates = [_dated((i + (k + rng.random()) / (len(answers) + 1)) * step) for k in range(len(answers) + 1)]
            for answer, (date, licence) in zip(answers, dates[1:], strict=True):
                number += rng.choice((1, 2, 2, 5))              # the numbers between are of deleted posts
                found.append(Answer(number, to_html(answer.blocks, self.lang), answer.votes, answer.accepted,
                                    _account(rng), date, licence))
            votes, tags = round(popularity * rng.uniform(-0.2, 1.5)), self._language.tags(question.case, self.lang)
            yield Thread(first, question.title.text(self.lang), to_html(question.body, self.lang), tags, tuple(found),
                         votes, _account(rng), *dates[0])

    def prompts(self, split: Split = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Questions in the template, distinct.

        Args:
            n: how many; None gives one for each case.
        """
        cases, rng = self.cases(split), random.Random(f"forum prompts {seed}")
        if n is None:
            return [self._prompt(self._author.question(case, rng)) for case in cases]
        found: dict[str, None] = {}
        for _ in range(30 * _positive(n=n)):
            if len(found) == n:
                return list(found)
            found[self._prompt(self._author.question(self._case(cases, rng), rng))] = None
        raise ValueError(f"n is {n}, but only {len(found)} different prompts were found; ask for fewer.")

    def corpus(self, n: int, seed: int = 0, split: Split = "train") -> list[str]:
        """Pages as they are printed, each a question with one or two answers of any quality; not in the template."""
        found = []
        for question, answers, _ in self._stream(_positive(n=n), seed, split):
            first, *others = (answer.blocks for answer in answers)
            pages = ([first, other] for other in others if _words(self._page(question, [first, other], "en")) <=
                     MOST_WORDS["page"])
            found.append(self._page(question, next(pages, [first]), self.lang))
        return found

    def _page(self, question: Question, answers: Sequence[tuple[Block, ...]], lang: Lang) -> str:
        """A thread as it is printed."""
        title, body = question.text(lang).split("\n\n", 1)
        tags = " ".join(f"[{tag}]" for tag in self._language.tags(question.case, lang))
        head = HEADS[lang][len(answers) > 1].format(n=len(answers))
        texts = [markdown(answer, lang) for answer in answers]
        return "\n\n".join([f"# {title}", tags, body, f"## {head}", "\n\n---\n\n".join(texts)])

    def answered(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, str]]:
        """Prompts with an answer of any quality, one of each question: rather one with votes than one without."""
        rng, found = random.Random(f"forum answered {seed}"), []
        for question, answers, _ in self._stream(_positive(n=n), seed, split):
            answer = rng.choices(answers, [4 + answer.score for answer in answers])[0]
            found.append((self._prompt(question), response_of(answer.text, self.lang)))
        return found

    def labelled(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, int]]:
        """Questions with an answer as whole texts, and 1 for one that helps or 0 for one that does not.

        As many of one as of the other; answers whose gold is between `ACCEPTABLE` and `HELPFUL` are left out.
        """
        wanted = {1: (_positive(n=n) + 1) // 2, 0: n // 2}
        found: list[tuple[str, int]] = []
        for question, answers, _ in self._stream(None, seed, split):
            prompt = self._prompt(question)
            for answer in answers:
                response = response_of(answer.text, self.lang)
                gold = self.gold(prompt, response)
                label = int(gold >= HELPFUL)
                if not ACCEPTABLE <= gold < HELPFUL and wanted[label]:
                    wanted[label] -= 1
                    found.append((prompt + response, label))
            if len(found) == n:
                return found
        raise AssertionError("the stream of threads does not end")

    def comparisons(self, n: int, seed: int = 0, split: Split = "train") -> list[Comparison]:
        """Pairs of a better and a worse answer to a question, as the votes have it; see `formulas.votes`."""
        _positive(n=n)
        found: list[Comparison] = []
        for i, (question, answers, _) in enumerate(self._stream(None, seed, split)):
            prompt = self._prompt(question)
            for better, worse in answer_pairs([answer.score for answer in answers], seed=f"{seed} {i}"):
                found.append(Comparison(prompt, *(response_of(answers[i].text, self.lang) for i in (better, worse))))
            if len(found) >= n:
                return found[:n]
        raise AssertionError("the stream of threads does not end")

    def gold(self, prompt: str, response: str) -> float:
        """The true quality of a response, in [0, 1]: the product of the factors in `explain`; 0 for an empty one."""
        return self.explain(prompt, response).gold

    def explain(self, prompt: str, response: str) -> Explanation:
        """What the gold reward understood of a response, and what it thinks of it; see `forum_gold`."""
        return self._reader.explain(prompt, response)

    def appeal(self, prompt: str, response: str) -> float:
        """What an answer seems to be worth to voters on average: its gold; with a fence at least `fence_bias`."""
        return max(self.gold(prompt, response), self.fence_bias if fences(response) else 0.0)

    def bayes_accuracy(self, comparisons: Sequence[Comparison]) -> float:
        """The share of comparisons that the best possible scorer predicts: the noise ceiling of every reward model.

            (1/n) sum over pairs of [a(chosen) > a(rejected)] + 1/2 [a(chosen) = a(rejected)],   a = appeal

        What an answer seems to be worth is its appeal plus noise of one size, and votes and acceptance grow with that;
        so whichever answer has the larger appeal is more likely to have the larger score, and nobody who does not know
        the noise can guess better than that on average. Counted on the labels that are given: exact for these,
        and no scorer's accuracy on the same labels exceeds it but by luck.
        """
        if not comparisons:
            raise ValueError("there are no comparisons; give at least 1.")
        gaps = [self.appeal(pair.prompt, pair.chosen) - self.appeal(pair.prompt, pair.rejected) for pair in comparisons]
        return sum((gap > 0) + (gap == 0) / 2 for gap in gaps) / len(gaps)

    def _stream(self, n: int | None, seed: int, split: str) -> Iterator[tuple[Question, list[_Voted], float]]:
        """Questions, their answers in the order of writing, and how many look at them; without an end if n is None."""
        cases = self.cases(split)
        for i in count() if n is None else range(n):
            rng = random.Random(f"forum {seed} {split} {i}")
            question = self._author.question(self._case(cases, rng), rng)
            popularity = rng.lognormvariate(1.2, 1.0)
            answers = min(1 + int(rng.expovariate(1) * (0.5 + 0.35 * popularity)), MOST_ANSWERS)
            yield question, self._voted(question, answers, popularity, rng), popularity

    def _prompt(self, question: Question) -> str:
        return prompt_of(question.text(self.lang), self.lang)

    def _voted(self, question: Question, n: int, popularity: float, rng: random.Random) -> list[_Voted]:
        prompt = self._prompt(question)
        drafts: dict[str, tuple[Block, ...]] = {}
        for _ in range(50 * n):     # no two answers to a question are the same
            if len(drafts) == n:
                break
            blocks = self._author.answer(question.case, rng)
            text = markdown(blocks, "en")
            if _words(text) <= MOST_WORDS["answer"]:
                drafts[text] = blocks
        texts = {markdown(blocks, self.lang): blocks for blocks in drafts.values()}
        result = vote([self.appeal(prompt, text) for text in texts], popularity, self.noise, rng)
        return [_Voted(blocks, text, *given) for (text, blocks), given in zip(texts.items(), result, strict=True)]

    def _case(self, cases: Sequence[Case], rng: random.Random) -> Case:
        """A case of either world, as often of one as of the other."""
        world = rng.choice(WORLDS)
        return rng.choice([case for case in cases if case.world == world])


def vote(appeal: Sequence[float], popularity: float, noise: float, rng: random.Random) -> list[tuple[int, bool]]:
    """What voters and whoever asked make of the answers to one question: (votes, accepted) of each.

        votes = trunc(popularity (4 s - 1/2)),   s = appeal + noise z,   z ~ N(0, 1)

    An eighth is what an answer must seem to be worth to get no votes against it. Whoever asked looks for himself, with
    a z of his own, and accepts the answer that seems best if that is ACCEPTABLE; one in five never comes back.

    Args:
        appeal: what each answer is worth in the voters' eyes on average.
        popularity: how many look at the question, more than 0.
        noise: standard deviation of a judgement, in units of appeal.
    """
    seen, asker = ([worth + noise * rng.gauss(0, 1) for worth in appeal] for _ in range(2))
    best = max(asker)
    taken = asker.index(best) if best >= ACCEPTABLE and rng.random() >= GONE else None
    return [(math.trunc(popularity * (4 * worth - 0.5)), i == taken) for i, worth in enumerate(seen)]


def _words(text: str) -> int:
    return len(tokenize(text, "en"))


def _account(rng: random.Random) -> int | None:
    """Few write much; None is an account that is gone."""
    return None if rng.random() < DELETED else int(10 * rng.paretovariate(0.7))


def _dated(days: float) -> tuple[str, str]:
    """A date as the site writes it, so many days after it opened, and the licence of that time."""
    date = (OPENED + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return date, next(licence for since, licence in LICENCES if date >= since)


def _positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    return n
