"""Who writes on the made-up forum: questions, and answers from excellent to useless, as derivations."""

import random
import re
from typing import NamedTuple

from rlhf_kit.language import Lang
from rlhf_kit.tasks.forum.language import Case, Language
from rlhf_kit.tasks.forum.posts import Block, Part, markdown

SENTENCES = (2, 3, 4, 4, 5)          # of an answer, whatever it is worth: length must not give quality away
FENCED = {"code": 0.6, "home": 0.25}         # who cares least writes code most often, even where none is asked for
POLITE = 0.75                        # chance that one who cares opens or closes with a kind word
CARELESS = {"ramble": 5, "noise": 3, "rude": 2}       # what fills an answer whose author does not care


class Question(NamedTuple):
    """A question as a derivation: what it is about, and how it is put."""

    case: Case
    title: Part
    body: tuple[Block, ...]

    def text(self, lang: Lang) -> str:
        """Title, an empty line, and the body in Markdown."""
        return f"{self.title.text(lang)}\n\n{markdown(self.body, lang)}"


class Author:
    """Draws questions and answers. How much an author cares, between 0 and 1, decides what goes wrong."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def question(self, case: Case, rng: random.Random) -> Question:
        title, *body = (self._say(kind, case, rng) for kind in ("title", "situation", "wish"))
        return Question(case, title, (Block("paragraph", tuple(body)),))

    def answer(self, case: Case, rng: random.Random) -> tuple[Block, ...]:
        """An answer to the question of a case, or something that stands where an answer should."""
        care = rng.random()
        before, after = [], []
        fence = None
        if rng.random() < 0.5 + 0.5 * care:                         # an answer at all
            before, fence, after = self._advice(case, care, rng)
        room = rng.choice(SENTENCES) + (rng.random() > care) - len(before) - len(after) - bool(fence)
        for _ in range(max(room, 0)):
            part = self._filler(case, care, rng, {*before, *after})
            if part.kind == "opener" or (part.kind != "closer" and rng.random() < 0.3):
                before.insert(0, part)
            else:
                after.append(part)
        after.sort(key=lambda part: part.kind == "closer")
        if rng.random() < 0.2 * (1 - care) and (before or after):             # says something again
            again = rng.choice([part for part in before + after if part.kind != "lead"] or after or before)
            after.append(again)
        if rng.random() < 0.4 * (1 - care):                                     # half-finished
            after = self._cut(after, rng)
        return tuple(self._blocks(before, fence, after, rng))

    def _advice(self, case: Case, care: float, rng: random.Random) -> tuple[list[Part], Part | None, list[Part]]:
        """What helps, or is thought to: what comes before the fence, the fence if any, and the rest."""
        said = case
        if rng.random() > 0.75 + 0.25 * care:                        # the method of another problem
            said = self._other(said, "frame" if case.world == "code" and rng.random() < 0.3 else "problem", rng)
        if rng.random() > 0.9 + 0.1 * care:                         # for another thing
            said = self._other(said, "thing", rng)
        before, fence = [], None
        if rng.random() < FENCED[case.world] * (1 - care / 2):
            kind, first = ("fence", "lead") if case.world == "code" else ("joke", "method")
            before, fence = [self._say(first, said, rng)], self._say(kind, said, rng)
        else:
            before = [self._say("method", said, rng)]
        after = []
        if rng.random() < 0.25 + 0.7 * care:
            about = said if rng.random() < 0.9 + 0.1 * care else self._other(said, "problem", rng)
            after.append(self._say("reason", about, rng))
        if rng.random() < 0.15 + 0.75 * care:
            about = said if rng.random() < 0.9 + 0.1 * care else self._other(said, "frame", rng)
            after.append(self._say("advice", about, rng))
        return before, fence, after

    def _filler(self, case: Case, care: float, rng: random.Random, said: set[Part]) -> Part:
        """A sentence that an answer could do without, and does not have yet."""
        kinds = {part.kind for part in said}
        polite = [kind for kind in ("opener", "closer") if kind not in kinds and rng.random() < POLITE * care]
        while True:
            kind = rng.choice(polite) if polite else rng.choices(list(CARELESS), list(CARELESS.values()))[0]
            part = self._say(kind, case, rng)
            if part not in said:
                return part

    def _cut(self, parts: list[Part], rng: random.Random) -> list[Part]:
        """The last of the parts loses its end."""
        if not parts or len(words := parts[-1].en.split()) < 4:
            return parts
        kept = rng.randint(2, len(words) - 1)
        return [*parts[:-1], Part("cut", " ".join(words[:kept]).rstrip(",.!?"),
                                  _beginning(parts[-1].zh, kept / len(words)))]

    def _blocks(self, before: list[Part], fence: Part | None, after: list[Part], rng: random.Random) -> list[Block]:
        if fence:
            found = [Block("paragraph", tuple(before)), Block("fence", (fence,)), Block("paragraph", tuple(after))]
        elif rng.random() < 0.15:
            return [Block("list", (*before, *after))]
        elif rng.random() < 0.3:
            found = [Block("paragraph", tuple(before)), Block("paragraph", tuple(after))]
        else:
            found = [Block("paragraph", (*before, *after))]
        return [block for block in found if block.parts]

    def _other(self, case: Case, axis: str, rng: random.Random) -> Case:
        return rng.choice(self._language.others(case, axis))

    def _say(self, kind: str, case: Case, rng: random.Random) -> Part:
        templates = self._language.templates[kind, case.world]
        template = rng.choices(templates, [template.weight for template in templates])[0]
        other = self._other(case, "problem", rng) if "other" in template.fields else None
        return self._language.say(template, case, other)


def _beginning(text: str, share: float) -> str:
    """About that share of a Chinese sentence; no character more than all but one, and no code that is cut in two."""
    ends = [mark.end() for mark in re.finditer(r"`[^`]*`|[A-Za-z0-9]+|[^\sA-Za-z0-9`]", text)]
    return text[:ends[min(max(round(share * len(ends)), 1), len(ends) - 1) - 1]].rstrip("，。！？")
