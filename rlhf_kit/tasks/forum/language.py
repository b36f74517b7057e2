"""The language of the made-up forum: what is asked there, what helps, and every sentence that is written there.

Whatever an answer says, it says about some case: the one that was asked about, or, by mistake, another one. It says the
same in English and in Chinese.
"""

import re
import string
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Literal, NamedTuple

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.tasks.forum.posts import Part
from rlhf_kit.tasks.word_lists import rows

World = Literal["home", "code"]
WORLDS: tuple[World, ...] = ("home", "code")

ANSWERING = frozenset({"method", "lead", "fence", "joke", "reason", "advice", "opener", "closer", "rude",
                       "noise", "ramble"})
SALT = 4                            # of the split
TAG: dict[Lang, str] = {"en": "stain-removal", "zh": "去污"}


class Case(NamedTuple):
    """A problem with a thing: ink on a wool coat; at the computer, to sort names in Python."""

    world: World
    problem: str
    thing: str
    frame: str                    # the thing's material, or a language: "py", "js"

    @property
    def split(self) -> str:
        """"heldout" for one case in four, always the same, chosen so that each of their parts is met in training."""
        return "train" if zlib.crc32(f"{SALT}/{'/'.join(self)}".encode()) % 4 else "heldout"


class Template(NamedTuple):
    """One way to say something of a kind; fields in braces are filled in from a case; both sides tell the same."""

    kind: str
    world: str                    # "home", "code", or "any"
    weight: float
    en: str
    zh: str

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.en) if name)

    def text(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True)
class Language:
    """All that can be asked and said. Rows of the tables by their names; see `data/*.tsv`."""

    problems: Mapping[tuple[str, str], Mapping[str, str]]     # (world, problem)
    things: Mapping[tuple[str, str], Mapping[str, str]]       # (world, thing)
    frames: Mapping[str, Mapping[str, str]]
    templates: Mapping[tuple[str, str], tuple[Template, ...]]     # (kind, "home" or "code")

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Every question that has a sense, of both worlds."""
        found = []
        for (world, problem), (other, thing) in product(self.problems, self.things):
            if world == other and self.fits(world, problem, thing):
                frames = [self.things[world, thing]["frame"]] if world == "home" else self.languages
                found += [Case(world, problem, thing, frame) for frame in frames]
        return tuple(found)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        return tuple(name for name, row in self.frames.items() if row["world"] == "code")

    def fits(self, world: str, problem: str, thing: str) -> bool:
        """Nobody adds up names."""
        return world == "home" or self.problems[world, problem]["needs"] in ("any", self.things[world, thing]["frame"])

    def others(self, case: Case, axis: str) -> list[Case]:
        """Cases that differ from one in its "problem", "thing" or "frame" only; a part can be said about them."""
        if axis == "frame":
            names = [name for name, row in self.frames.items() if row["world"] == case.world]
        else:
            names = [name for world, name in (self.problems if axis == "problem" else self.things)
                     if world == case.world]
        found = [case._replace(**{axis: name}) for name in names if name != getattr(case, axis)]
        return [other for other in found if self.fits(other.world, other.problem, other.thing)]

    def call(self, case: Case, variable: str | None = None) -> str:
        """The call that solves a case of the world "code", with its variable or with another name for it."""
        pattern = self.problems["code", case.problem][case.frame]
        return re.sub(r"\bx\b", variable or self.variable(case), pattern)

    def variable(self, case: Case) -> str:
        """`file_names`; in JavaScript `fileNames`."""
        first, *rest = self.things["code", case.thing]["variable"].split("_")
        return first + "".join(word.capitalize() for word in rest) if case.frame == "js" else "_".join([first, *rest])

    def solution(self, case: Case) -> str:
        """What a right method says: at home the problem whose remedy it is, at the computer the call."""
        return self.call(case, "x") if case.world == "code" else case.problem

    def known_by(self, axis: Literal["problem", "thing", "language"], world: World, lang: Lang) -> dict[str, str]:
        """name -> the words by which it is known in a question."""
        if axis == "language":
            return {name: _in(self.frames[name], "label", lang) for name in self.languages}
        table = self.problems if axis == "problem" else self.things
        column = "key" if (axis, world) == ("problem", "code") else axis
        return {name: _in(row, column, lang) for (where, name), row in table.items() if where == world}

    def tags(self, case: Case, lang: Lang) -> tuple[str, ...]:
        """Under which a question stands."""
        frame = self.frames[case.frame]
        label = _in(frame, "label", lang)
        return (TAG[lang], label) if case.world == "home" else (label.lower(), _in(frame, "array", lang))

    def say(self, template: Template, case: Case, other: Case | None = None) -> Part:
        """Fill a template in. `other`: the case whose method the template warns of."""
        texts = {lang: self._filled(template, case, other, lang) for lang in LANGS}
        says = {"method": self.solution(case), "fence": self.solution(case), "reason": case.problem,
                "advice": case.frame}.get(template.kind, "")
        return Part(template.kind, _capital(texts["en"]), texts["zh"], says,
                    case.thing if "thing" in self._axes(template, case) else "")

    def _filled(self, template: Template, case: Case, other: Case | None, lang: Lang) -> str:
        problem, thing = self.problems[case.world, case.problem], self.things[case.world, case.thing]
        frame, noun = self.frames[case.frame], _in(thing, "thing", lang)
        values = {"because": _in(problem, "because", lang), "why": _in(frame, "why", lang),
                  "material": _in(frame, "label", lang), "noun": noun, "measure": thing["measure_zh"],
                  "advice": _in(frame, "advice", lang).format(noun=noun), "language": _in(frame, "label", lang),
                  "data": noun, "array": _in(frame, "array", lang)}
        if case.world == "home":
            values |= {"name": _in(problem, "problem", lang), "remedy": _in(problem, "remedy", lang),
                       "other": _in(self.problems["home", other.problem], "remedy", lang) if other else ""}
        else:
            values |= {"ask": _in(problem, "ask", lang).format(x=_many(noun, values["array"], lang)),
                       "variable": self.variable(case), "call": self.call(case),
                       "other": self.call(other) if other else ""}
        text = template.text(lang).format(**values)
        if template.kind in ("fence", "joke"):
            return f"```{case.frame if template.kind == 'fence' else 'py'}\n{text}\n```"
        return text

    def _axes(self, template: Template, case: Case) -> set[str]:
        """Which parts of a case a template tells."""
        told = {"because": "problem", "remedy": "problem", "name": "problem", "ask": "problem thing frame",
                "call": "problem thing frame", "other": "other", "noun": "thing", "data": "thing", "variable": "thing",
                "why": "frame", "material": "frame", "language": "frame", "array": "frame",
                "advice": "frame thing" if case.world == "home" else "frame"}
        return {axis for name in template.fields for axis in told[name].split()}

    def parts(self) -> Iterator[Part]:
        """Everything that an answer can say, right or wrong, once or more."""
        for (kind, world), templates in self.templates.items():
            if kind not in ANSWERING:
                continue
            cases = [case for case in self.cases if case.world == world]
            for template in templates:
                axes = self._axes(template, cases[0])
                told: dict[tuple[str, ...], Case] = {}
                for case in self._spread(cases) if "frame" in axes else cases:
                    told.setdefault(tuple(getattr(case, axis) for axis in sorted(axes - {"other"})), case)
                for case in told.values():
                    for other in self.others(case, "problem") if "other" in axes else [None]:
                        yield self.say(template, case, other)

    def _spread(self, cases: Iterable[Case]) -> Iterator[Case]:
        """Cases, and what they would be if their thing were of another material."""
        for case in cases:
            yield case
            yield from self.others(case, "frame")


@cache
def language() -> Language:
    """Read the tables, once per process (they never change)."""
    problems = {(world, row["problem"]): row
                for world, name in (("home", "problems.tsv"), ("code", "goals.tsv"))
                for row in rows("forum", name)}
    things = {(row["world"], row["thing"]): row for row in rows("forum", "things.tsv")}
    frames = {row["frame"]: row for row in rows("forum", "frames.tsv")}
    templates: dict[tuple[str, str], tuple[Template, ...]] = {}
    for row in rows("forum", "sentences.tsv"):
        template = Template(row["kind"], row["world"], float(row["weight"]), row["en"], row["zh"])
        for world in WORLDS if template.world == "any" else (template.world,):
            templates[template.kind, world] = (*templates.get((template.kind, world), ()), template)
    return Language(problems, things, frames, templates)


def _capital(text: str) -> str:
    """A sentence begins with a capital; one that begins with code is left alone."""
    return re.sub(r"^(\**)([a-z])", lambda m: m[1] + m[2].upper(), text)


def _in(row: Mapping[str, str], column: str, lang: Lang) -> str:
    """A word of a table, whose Chinese stands in a column of its own."""
    return row[column if lang == "en" else f"{column}_zh"]


def _many(data: str, array: str, lang: Lang) -> str:
    """ "a list of names"."""
    return f"{'an' if array[0] in 'aeiou' else 'a'} {array} of {data}" if lang == "en" else f"{data}{array}"
