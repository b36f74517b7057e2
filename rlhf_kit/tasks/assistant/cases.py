"""What may be asked in the assistant's world, and what is true there: which facts are known, what would do harm."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal
from zlib import crc32

from rlhf_kit.tasks.assistant.derivation import FOLDER
from rlhf_kit.tasks.word_lists import rows

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")
HELD_OUT = 5                            # one case in five, and one user in five

Sort = Literal["known", "unknown", "harmless", "borderline", "harmful"]
KINDS = {"fact": 0.3, "do": 0.36, "note": 0.08, "rewrite": 0.08, "chat": 0.09, "advice": 0.09}      # how often each
FORMS = {"fact": ("what", "doubt"), "do": ("own", "common", "beside", "keeper"), "note": ("thanks", "invite", "sorry"),
         "rewrite": ("polite", "short", "question"),
         "chat": ("hello", "quoted"), "advice": ("medical", "money", "cure", "tip")}
FOLLOWING = {"there": "what", "it": "own"}              # forms that lean on the turn before, and what they ask in full


@dataclass(frozen=True)
class Case:
    """One thing that is asked for. A name of the table `kind/form` of `data/sentences.tsv`, and its roles."""

    kind: str                       # fact, do, note, rewrite, chat, advice
    form: str
    roles: tuple[tuple[str, str], ...]      # in order; what leans on the turn before is filled in

    @cached_property
    def told(self) -> dict[str, str]:
        """The roles by name."""
        return dict(self.roles)

    def __getitem__(self, role: str) -> str:
        return self.told.get(role, "")

    @property
    def thing(self) -> tuple[str, str]:
        """What something is to be done with: ("own" or "common", its noun)."""
        if self.form == "beside":
            return ("own" if self["own"] == self["noun"] else "common"), self["noun"]
        owner = "common" if self["common"] else "own"
        return owner, self[owner]

    @property
    def rough(self) -> bool:
        """True of what does a thing no good."""
        return self.kind == "do" and goals()[self["goal"]]["manner"] == "rough"

    @property
    def harmful(self) -> bool:
        """True of what does no good to a thing that others use, unless it is the keeper who asks."""
        return self.rough and forbidden(*self.thing, charge=self["charge"])

    @property
    def value(self) -> str:
        """Of a fact what is true; "" where nothing is known."""
        return facts().get((self["place"], self["attribute"]), "")

    @property
    def sort(self) -> Sort:
        """What a labeler would call it. Borderline is what sounds bad and is fine."""
        if self.kind == "fact":
            return "known" if self.value else "unknown"
        return "harmful" if self.harmful else "borderline" if self.rough else "harmless"

    @property
    def tempting(self) -> bool:
        """True of what is asked to make an answer break a rule: for harm or forbidden advice, for what nobody knows,
        or whether something untrue is so."""
        misled = self.kind == "fact" and self["value"] not in ("", self.value)
        return self.kind == "advice" or self.sort in ("harmful", "unknown") or misled

    @property
    def split(self) -> Split:
        """One case in five is held out, always the same ones; each of their parts is met in training."""
        about = "/".join(f"{key}={value}" for key, value in self.roles)
        form = FOLLOWING.get(self.form, self.form)
        form = self.thing[0] if self.kind == "do" and form == "own" else form       # "it" may be a common thing
        return "train" if crc32(f"{self.kind}/{form}/{about}".encode()) % HELD_OUT else "heldout"


def case(kind: str, form: str, roles: Mapping[str, str]) -> Case:
    """A case, its roles in their order."""
    return Case(kind, form, tuple(sorted((key, value) for key, value in roles.items() if value)))


def forbidden(owner: str, noun: str, charge: str) -> bool:
    """True if rough treatment of that thing harms others: it is common, and not in the asker's charge."""
    return owner == "common" and charge != noun


@cache
def facts() -> dict[tuple[str, str], str]:
    """(place, attribute) -> value, of what is known."""
    return {(row["place"], attribute): row[attribute] for row in rows(FOLDER, "places.tsv") for attribute in values()
            if row[attribute] != "?"}


@cache
def values() -> dict[str, tuple[str, ...]]:
    """attribute -> what a village may have of it."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows(FOLDER, "values.tsv"):
        found[row["attribute"]] = (*found.get(row["attribute"], ()), row["value"])
    return found


@cache
def places() -> tuple[str, ...]:
    return tuple(row["place"] for row in rows(FOLDER, "places.tsv"))


@cache
def goals() -> dict[str, Mapping[str, str]]:
    return {row["goal"]: row for row in rows(FOLDER, "goals.tsv")}


@cache
def nouns() -> tuple[str, ...]:
    return tuple(row["noun"] for row in rows(FOLDER, "things.tsv"))


@cache
def words(symbol: str) -> tuple[str, ...]:
    """The keys of the words that fill a gap."""
    return tuple(row["key"] for row in rows(FOLDER, "words.tsv") if row["symbol"] == symbol)


@cache
def topics() -> tuple[str, ...]:
    """What small talk is about."""
    return tuple(row["topic"] for row in rows(FOLDER, "chats.tsv") if row["ask_en"])


def draw_case(rng: random.Random, split: Split, *, charge: str = "", kind: str | None = None) -> Case:
    """A case of a split.

    Args:
        charge: the common thing that the asker is known to look after, if any; of common things half are that one.
        kind: only of this kind.
    """
    while True:
        chosen = kind or rng.choices(list(KINDS), list(KINDS.values()))[0]
        forms = [form for form in FORMS[chosen] if not (charge and form in ("beside", "keeper"))]
        form = rng.choice(forms)
        roles = _roles(chosen, form, charge, rng)
        found = case(chosen, form, {"charge": charge, **roles} if chosen == "do" else roles)
        if found.split == split:
            return found


def follow_up(first: Case, rng: random.Random, split: Split) -> Case | None:
    """What somebody asks next about the same village or thing; None after anything else, or if that is all."""
    if first.kind == "fact":
        options = [case("fact", "there", {"place": first["place"], "attribute": attribute})
                   for attribute in values() if attribute != first["attribute"]]
    elif first.kind == "do" and first.form in ("own", "common", "it"):
        owner, noun = first.thing
        options = [case("do", "it", {"goal": goal, owner: noun, "charge": first["charge"]})
                   for goal in goals() if goal != first["goal"]]
    else:
        return None
    return rng.choice([one for one in options if one.split == split] or [None])


def _roles(kind: str, form: str, charge: str, rng: random.Random) -> dict[str, str]:
    pick = rng.choice
    if kind == "fact":
        place, attribute = pick(places()), pick(list(values()))
        return {"place": place, "attribute": attribute} | (
            {"value": _doubted(place, attribute, rng)} if form == "doubt" else {})
    if kind == "do":
        mine, common = rng.sample(nouns(), 2)
        common = pick((charge, common)) if charge else common
        return {"goal": pick(list(goals()))} | {
            "own": {"own": mine}, "common": {"common": common},
            "beside": {"own": mine, "common": common, "noun": pick((mine, common))},
            "keeper": {"common": common, "charge": pick((common, mine))}}[form]
    if kind == "note":
        detail = {"thanks": ("goods", values()["goods"]), "invite": ("day", values()["market"]),
                  "sorry": ("noun", nouns())}[form]
        return {"who": pick(words("who")), detail[0]: pick(detail[1])}
    if kind == "rewrite":
        if form == "question":
            place, attribute = pick(places()), pick(list(values()))
            return {"place": place, "attribute": attribute, "value": _doubted(place, attribute, rng)}
        return {"who": pick(words("who")), "favour": pick(words("favour"))}
    if kind == "chat":
        tone = pick(("insult", "threat"))
        quoted = {"topic": "quoted", "who": pick(words("who")), "tone": tone, "barb": pick(words(f"barb/{tone}"))}
        return {"hello": pick(words("hello"))} | (quoted if form == "quoted" else {"topic": pick(topics())})
    field = "medical" if form in ("medical", "cure") else "money"
    first = {"ache": pick(words("ache"))} if field == "medical" else {"goods": pick(values()["goods"])}
    heard = {"cure": {"cure": pick(("syrup", "leaf")), "herb": pick(words("herb"))},
             "tip": {"cure": pick(("buy", "lend")), "lot": pick(values()["goods"])}}.get(form, {})
    return {"field": field, "day": pick(values()["market"])} | first | heard


def _doubted(place: str, attribute: str, rng: random.Random) -> str:
    """What somebody has heard of a village: what is known in half of the cases, else something else."""
    true = facts().get((place, attribute))
    return true if true and rng.random() < 0.5 else rng.choice([one for one in values()[attribute] if one != true])
