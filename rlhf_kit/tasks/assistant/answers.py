"""How the assistant's world answers: from careful to careless, as derivations that are told in either language."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from rlhf_kit.language import Lang
from rlhf_kit.tasks.assistant.cases import Case, draw_case, values
from rlhf_kit.tasks.assistant.derivation import FOLDER, tell, text
from rlhf_kit.tasks.grammar import Tree, join
from rlhf_kit.tasks.word_lists import rows

VICES = ("flattery", "hollow", "human", "feeling", "insult", "threat", "aside")
FIRST = ("flattery", "insult", "hollow")            # what rather opens an answer than closes it
NEAR = 0.75                         # of what is beside the point, the share that is of the same kind
CROWD = {"careful": 3, "decent": 6, "eager": 4, "timid": 3, "rude": 2, "chatty": 3, "careless": 4}     # who answers


@dataclass(frozen=True)
class Answer:
    """A response as a derivation."""

    trees: tuple[Tree, ...]
    broken: float | None = None         # how much of its last sentence is there; None for all of it

    def text(self, lang: Lang) -> str:
        """As it stands behind the space that a response begins with."""
        if self.broken is None:
            return text(self.trees, lang)
        tokens = self.trees[-1].tokens(lang)
        kept = join(tokens[:max(1, int(len(tokens) * self.broken))], lang)
        return f"{text(self.trees[:-1], lang)}{' ' if lang == 'en' else ''}{kept}".strip()


@cache
def behaviours() -> dict[str, dict[str, float]]:
    """Name -> chance of each thing that somebody may do; see the table."""
    return {row.pop("behaviour"): {name: float(value) for name, value in row.items()}
            for row in rows(FOLDER, "behaviours.tsv")}


class Writer:
    """Answers as one kind of person would."""

    def __init__(self, behaviour: str) -> None:
        self.chances = behaviours()[behaviour]

    def answer(self, asked: Case, rng: random.Random) -> Answer:
        """Draw an answer to a case; it has at least one sentence."""
        does = lambda name: rng.random() < self.chances[name]                                       # noqa: E731
        about = asked if does("right") else _beside_the_point(asked, rng)
        trees = self._content(about, rng)
        for vice in (name for name in VICES if does(name)):
            trees.insert(0 if vice in FIRST else len(trees), tell(f"say/{vice}", {}, rng))
        if does("repeats"):
            trees.append(rng.choice(trees))
        return Answer(tuple(trees), rng.uniform(0.3, 0.8) if does("breaks") else None)

    def _content(self, asked: Case, rng: random.Random) -> list[Tree]:
        if asked.harmful:
            refused = rng.random() >= self.chances["abets"]
        else:
            refused = rng.random() < self.chances["rough" if asked.rough else "refuses"]
        if refused:
            return self._refusal(asked, rng)
        return getattr(self, f"_{asked.kind}")(asked, rng)

    def _refusal(self, asked: Case, rng: random.Random) -> list[Tree]:
        trees = [tell("say/refuse", {}, rng)]
        owner, noun = asked.thing if asked.kind == "do" else ("", "")
        if owner == "common" and rng.random() < self.chances["explains"]:
            trees.append(tell("say/why", {"common": noun}, rng))
        if owner and rng.random() < self.chances["offers"]:
            trees.append(tell("say/offer", {}, rng))
        return trees

    def _fact(self, asked: Case, rng: random.Random) -> list[Tree]:
        does = lambda name: rng.random() < self.chances[name]                                       # noqa: E731
        about = {"place": asked["place"], "attribute": asked["attribute"]}
        heard, value = asked["value"], asked.value
        if does("denies") if value else does("admits"):
            trees = [tell("say/unknown" if does("explains") else "say/dunno", about, rng)]
            return [*trees, tell("say/source", {"place": asked["place"]}, rng)] if does("refers") else trees
        agrees = bool(heard) and does("agrees")
        value = heard if agrees else value or rng.choice(values()[asked["attribute"]])
        hedged = does("hedges")
        trees = [tell("say/hedged" if hedged else "say/claim", {**about, "value": value}, rng)]
        if heard:
            trees.insert(0, tell("say/yes" if value == heard else "say/no", {}, rng))
        return [*trees, tell("say/unsure", {}, rng)] if hedged and does("hedges") else trees

    def _do(self, asked: Case, rng: random.Random) -> list[Tree]:
        owner, noun = asked.thing
        called = "noun" if asked.form == "beside" or rng.random() < 0.2 else owner
        roles = {"goal": asked["goal"], "called": called, called: noun}
        trees = [tell(f"say/{step}", roles, rng) for step in ("one", "two", "three")]
        if rng.random() < self.chances["skips"]:
            del trees[rng.randrange(3)]
        return trees

    def _note(self, asked: Case, rng: random.Random) -> list[Tree]:
        trees = [tell("say/note", {"genre": asked.form, **asked.told}, rng),
                 tell("say/nice", {"genre": asked.form}, rng), tell("say/close", {}, rng)]
        if rng.random() < self.chances["skips"]:
            del trees[rng.randrange(1, 3)]
        return trees

    def _rewrite(self, asked: Case, rng: random.Random) -> list[Tree]:
        style = asked.form
        if style != "question" and rng.random() < self.chances["skips"]:
            style = rng.choice(("polite", "short", "rude"))
        return [tell("say/rewrite", {"style": style, **asked.told}, rng)]

    def _chat(self, asked: Case, rng: random.Random) -> list[Tree]:
        trees = [tell("say/hello", {"hello": asked["hello"]}, rng), tell("say/reply", {"topic": asked["topic"]}, rng)]
        return trees[1:] if rng.random() < self.chances["skips"] else trees

    def _advice(self, asked: Case, rng: random.Random) -> list[Tree]:
        field = {"field": asked["field"]}
        if rng.random() < self.chances["advises"]:
            return [tell("say/remedy", asked.told, rng)]
        trees = [tell("say/decline", field, rng)]
        return [*trees, tell("say/refer", field, rng)] if rng.random() < self.chances["refers"] else trees


def _beside_the_point(asked: Case, rng: random.Random) -> Case:
    """What somebody answers who has not listened: something of the same kind as a rule, and else anything."""
    return draw_case(rng, asked.split, kind=asked.kind if rng.random() < NEAR else None)


def draw_writer(rng: random.Random) -> Writer:
    """One of the crowd."""
    return Writer(rng.choices(list(CROWD), list(CROWD.values()))[0])
