"""The gold reward of the forum: it reads an answer back, sentence by sentence, and says how good it is, and why."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from rlhf_kit.datasets.stack_exchange.threads import question_in
from rlhf_kit.language import Lang
from rlhf_kit.tasks.forum.language import WORLDS, Case, Language, language
from rlhf_kit.tasks.forum.posts import BETWEEN, Part

NO_METHOD, WRONG_METHOD = 0.1, 0.05          # an answer that does not help, and one that misleads
NO_REASON, WRONG_REASON = 0.7, 0.3
NO_ADVICE, WRONG_ADVICE = 0.8, 0.5
NO_THING, WRONG_THING = 0.6, 0.2             # a remedy for anything, and one for something else
MISPLACED_CODE = 0.1                         # a fence at home, or a second one
UNFINISHED = 0.5
MANNERS = {"rude": 0.4, "noise": 0.7, "ramble": 0.75}     # for each such sentence
ONE_MORE = 0.8                               # a second opener or closer, and each after it

_TOKEN: dict[Lang, re.Pattern] = {"en": re.compile(r"```\w*|\w+|[^\w\s]"),
                                 "zh": re.compile(r"```[A-Za-z0-9_]*|[A-Za-z0-9_]+|[^A-Za-z0-9_\s]")}
_STOPS: dict[Lang, frozenset[str]] = {"en": frozenset(".!?:"), "zh": frozenset("。!?:")}
_ENDS = frozenset([*".。!?", "```"])
_FENCE = re.compile(r"^\s*```", re.MULTILINE)
_BULLET = re.compile(r"^\s*[*-] (?=[^\s*]|\*\*\w)", re.MULTILINE)


def fences(text: str) -> int:
    """How many code fences a text opens: lines that begin with three backticks, every second one closing."""
    return math.ceil(len(_FENCE.findall(text)) / 2)


@dataclass(frozen=True)
class Explanation:
    """Why an answer got its gold score; `gold` is the product of the factors, each in [0, 1]."""

    lang: Lang
    case: Case | None               # what was asked; None if that was not understood
    parts: tuple[Part, ...]         # what was said; kind "cut" for what was not understood
    method: float                   # the right one, and no other
    reason: float
    advice: float
    topic: float                    # about the thing that was asked about
    code: float                     # one fence, and only at the computer
    manners: float
    repetition: float
    coverage: float
    complete: float

    @property
    def factors(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("method", "reason", "advice", "topic", "code", "manners",
                                                       "repetition", "coverage", "complete")}

    @property
    def gold(self) -> float:
        return math.prod(self.factors.values())

    def __str__(self) -> str:
        lines = [f"gold {self.gold:.2f} = " + " x ".join(f"{name} {value:.2f}" for name, value in self.factors.items()),
                 f"asked: {' / '.join(self.case) if self.case else 'not understood'}"]
        lines += [f"  {part.kind:10s} {part.says or '-':14s} {part.text(self.lang)!r}" for part in self.parts]
        return "\n".join(lines)


@dataclass
class _Node:
    """A place in sentences; equal beginnings are shared."""

    after: dict[str, "_Node"] = field(default_factory=dict)
    part: Part | None = None        # the sentence that is complete here


@dataclass(frozen=True)
class Reader:
    """Reads questions and answers of the forum, in one language."""

    language: Language
    lang: Lang

    @cached_property
    def _root(self) -> _Node:
        root = _Node()
        for part in self.language.parts():
            node = root
            for token in tokenize(part.text(self.lang), self.lang):
                node = node.after.setdefault(token, _Node())
            node.part = part
        return root

    def case(self, question: str) -> Case | None:
        """What a question is about, known by its words; None unless exactly one case fits."""
        words = f" {' '.join(tokenize(question, self.lang))} "
        frame = _named(self._phrases["language"], words)
        world = WORLDS[bool(frame)]
        problem, thing = _named(self._phrases[world, "problem"], words), _named(self._phrases[world, "thing"], words)
        if len(problem) != 1 or len(thing) != 1 or len(frame) > 1 or not self.language.fits(world, *problem, *thing):
            return None
        return Case(world, *problem, *thing, *(frame or [self.language.things[world, thing[0]]["frame"]]))

    @cached_property
    def _phrases(self) -> dict[object, dict[str, str]]:
        """By which words the parts of a case are known in a question, a space on either side."""
        asked = {"language": self.language.known_by("language", "code", self.lang),
                 **{(world, axis): self.language.known_by(axis, world, self.lang)
                    for world in WORLDS for axis in ("problem", "thing")}}
        return {key: {name: f" {' '.join(tokenize(text, self.lang))} " for name, text in phrases.items()}
                for key, phrases in asked.items()}

    def read(self, response: str) -> tuple[tuple[Part, ...], float]:
        """The parts of an answer, and the share of its tokens that belong to sentences of the forum.

        Words, marks and fences count, spaces and capitals do not. Of several sentences that could begin somewhere the
        longest is read; where none does, all is lost up to the next stop: no sentence is read out of another one.
        """
        tokens, stops = tokenize(_BULLET.sub("", response), self.lang), _STOPS[self.lang]
        parts, understood, start = [], 0, 0
        while start < len(tokens):
            part, end = self._longest(tokens, start)
            if part is None:
                end = next((i + 1 for i in range(start, len(tokens)) if tokens[i] in stops), len(tokens))
                part = Part("cut", *[BETWEEN[self.lang].join(tokens[start:end])] * 2)
            else:
                understood += end - start
            parts.append(part)
            start = end
        return tuple(parts), understood / max(len(tokens), 1)

    def _longest(self, tokens: Sequence[str], start: int) -> tuple[Part | None, int]:
        node, found = self._root, (None, start)
        for i in range(start, len(tokens)):
            node = node.after.get(tokens[i])
            if node is None:
                break
            if node.part:
                found = (node.part, i + 1)
        return found

    def explain(self, prompt: str, response: str) -> Explanation:
        """What the gold reward understood of an answer, and what it thinks of it.

        method: right methods / methods named, each counted once; NO_METHOD or WRONG_METHOD if none of them is right.
        reason, advice: the same of the reasons and of the advice; NO_... without, WRONG_... for one of another case.
        topic: the same of the things that are named.
        code: MISPLACED_CODE for a fence at home, and for more than one anywhere.
        manners: MANNERS for each sentence that should not be there, ONE_MORE for each opener and each closer after the
            first.
        repetition: (distinct parts / parts)²; a second method or reason of the same meaning is a repetition, whatever
            its words.
        coverage: the square of the share of tokens that `read` understands.
        complete: UNFINISHED without a stop or a closed fence at the end, or where code is announced and none comes.

        All is 0 for an empty answer, and for a question that is not understood.
        Raises: ValueError if the prompt was not made by `prompt_of`.
        """
        case = self.case(question_in(prompt))
        parts, share = self.read(response)
        if case is None or not parts:
            return Explanation(self.lang, case, parts, *[0.0] * 9)
        kinds = [part.kind for part in parts]
        said = {kind: {part.says for part in parts if part.kind in names} for kind, names in
                (("method", ("method", "fence")), ("reason", ("reason",)), ("advice", ("advice",)))}
        things = {part.thing for part in parts if part.thing}
        blocks = max(fences(response), kinds.count("fence") + kinds.count("joke"))     # one within a line counts too
        announced = "lead" in kinds and "fence" not in kinds
        whole = tokenize(response, self.lang)[-1] in _ENDS and not announced
        return Explanation(
            self.lang, case, parts,
            method=_right(said["method"], self.language.solution(case), NO_METHOD, WRONG_METHOD),
            reason=_right(said["reason"], case.problem, NO_REASON, WRONG_REASON),
            advice=_right(said["advice"], case.frame, NO_ADVICE, WRONG_ADVICE),
            topic=_right(things, case.thing, NO_THING, WRONG_THING),
            code=MISPLACED_CODE if blocks > (case.world == "code") else 1.0,
            manners=math.prod(MANNERS.get(kind, 1) for kind in kinds) * ONE_MORE ** sum(
                max(kinds.count(kind) - 1, 0) for kind in ("opener", "closer")),
            repetition=(len({_meaning(part) for part in parts}) / len(parts)) ** 2,
            coverage=share ** 2,
            complete=1.0 if whole else UNFINISHED)


@cache
def reader(lang: Lang) -> Reader:
    """The one reader of a language in the process: to learn its sentences takes it a quarter of a second."""
    return Reader(language(), lang)


def tokenize(text: str, lang: Lang) -> list[str]:
    """What the reader reads: fences with their language, marks, and lower-case words, or each Chinese character.

    Full-width marks and letters of Chinese are the same as those of ASCII.
    """
    return _TOKEN[lang].findall((text if lang == "en" else unicodedata.normalize("NFKC", text)).lower())


def _meaning(part: Part) -> tuple[str, str]:
    return part.kind, part.says or part.en.lower()


def _right(said: set[str], wanted: str, none: float, wrong: float) -> float:
    """`none` if nothing was said, `wrong` if nothing right, else up to 1 with the share of what is right."""
    return none if not said else wrong + (1 - wrong) * (wanted in said) / len(said)


def _named(phrases: Mapping[str, str], words: str) -> list[str]:
    """The names whose phrases occur, those inside a longer one aside: "file names" are no names."""
    found = {name: phrase for name, phrase in phrases.items() if phrase in words}
    return [name for name, phrase in found.items()
            if not any(phrase != other and phrase in other for other in found.values())]
