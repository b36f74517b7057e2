"""The language of the assistant's world: every sentence in English and Chinese from one grammar, told and read back.

A sentence means a handful of roles, such as {"attribute": "goods", "place": "Tolm", "value": "honey"}: whoever knows
them can derive the sentence, and whoever has the sentence can read them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.tasks.grammar import Grammar, Rule, Tree, join, make_rules, tokenize
from rlhf_kit.tasks.word_lists import rows

FOLDER = "assistant"
OWNERS = ({"owner": "own"}, {"owner": "common"})
CALLED = ({"called": "own"}, {"called": "common"}, {"called": "noun"})         # how an answer names a thing
_CLAUSES = ("claim", "what", "indirect", "there", "doubt")
_STOPS = frozenset(".!?。！？")

Roles = Mapping[str, str]


@dataclass(frozen=True)
class Sentence:
    """One thing that a response says, as it was understood."""

    text: str
    roles: Roles = field(default_factory=dict)

    @property
    def move(self) -> str:
        """What it does: claim, step, refuse, insult, ...; "lost" for what was not understood."""
        return self.roles.get("move", "lost")

    def __getitem__(self, role: str) -> str:
        return self.roles.get(role, "")


@cache
def grammar() -> Grammar:
    """Read the tables and build the grammar, once per process (it never changes)."""
    said = list(_sentences())
    moves = dict.fromkeys(rule.symbol for rule in said if rule.symbol.startswith("say/"))
    asks = dict.fromkeys(rule.symbol for rule in said if rule.symbol.startswith("ask/"))
    whole = [make_rules("say", f"{{x:{symbol}}}", "{x}") for symbol in moves]
    for symbol in asks:
        _, kind, form = symbol.split("/")
        for en, zh in ((f"{{x:{symbol}}}", "{x}"), (f"{{r:remark}}. {{x:{symbol}}}", "{r}。{x}")):
            whole.append(make_rules("ask", en, zh, meaning=f"kind={kind} form={form}"))
    return Grammar([*said, *(rule for made in whole for rule in made), *_clauses(), *_deeds(), *_leaves()])


def _sentences() -> Iterator[Rule]:
    for row in rows(FOLDER, "sentences.tsv"):
        yield from make_rules(row["symbol"], row["en"], row["zh"], float(row["weight"]), row["meaning"],
                              domains=(OWNERS, CALLED))
    for row in rows(FOLDER, "chats.tsv"):
        for which in ("", "2"):
            ask, reply = ([row[f"{kind}{which}_{lang}"] for lang in LANGS] for kind in ("ask", "reply"))
            if ask[0]:
                yield from make_rules("ask/chat/hello", f"{{h:hello}}, {ask[0]}", f"{{h}}，{ask[1]}", 1.0,
                                      f"topic={row['topic']}")
            yield from make_rules("say/reply", *reply, 1.0, f"move=reply topic={row['topic']}")


def _clauses() -> Iterator[Rule]:
    """What is known, asked and doubted of villages."""
    for row in rows(FOLDER, "attributes.tsv"):
        slots = {"{p}": "{p:place}", "{v}": f"{{v:value/{row['attribute']}}}"}
        for kind in _CLAUSES:
            sides = []
            for lang in LANGS:
                side = row[f"{kind}_{lang}"]
                for short, full in slots.items():
                    side = side.replace(short, full)
                sides.append(side)
            yield from make_rules(kind, *sides, 1.0, f"attribute={row['attribute']}")


def _deeds() -> Iterator[Rule]:
    """What can be done with a thing, and its three steps."""
    for row in rows(FOLDER, "goals.tsv"):
        meaning = f"goal={row['goal']}"
        for symbol in ("own", "common", "noun", "it"):
            sides = f"{row['verb']} {{t:{symbol}}} {row['particle']}", row["zh"]
            yield from make_rules(f"do/{symbol}", *sides, 1.0, meaning)
            if symbol == "it" and row["manner"] == "tame":
                yield from make_rules("do/it/tame", *sides, 1.0, meaning)
        for called in (one["called"] for one in CALLED):
            named = f"{{t:{'your' if called == 'own' else called}}}"
            sides = [row[f"one_{lang}"].replace("{t}", named) for lang in LANGS]
            yield from make_rules(f"one/{called}", *sides, 1.0, meaning)
        for step in ("two", "three"):
            yield from make_rules(step, *(row[f"{step}_{lang}"] for lang in LANGS), 1.0, meaning)


def _leaves() -> Iterator[Rule]:
    """Names and words that fill the gaps."""
    for row in rows(FOLDER, "things.tsv"):
        noun = row["noun"]
        yield from make_rules("thing", noun, row["zh"], 1.0, f"noun={noun}")
        yield from make_rules("noun", f"the {noun}", row["zh"], 1.0, f"noun={noun}")
        yield from make_rules("own", f"my {row['own']}", f"我{row['own_zh']}", 1.0, f"own={noun}")
        yield from make_rules("your", f"your {row['own']}", f"你{row['own_zh']}", 1.0, f"own={noun}")
        for symbol in ("common", "charge"):
            yield from make_rules(symbol, f"the {row['common']}", row["common_zh"], 1.0, f"{symbol}={noun}")
    yield from make_rules("it", "it", "它")
    for row in rows(FOLDER, "places.tsv"):
        yield from make_rules("place", row["place"], row["zh"], 1.0, f"place={row['place']}")
    for row in rows(FOLDER, "values.tsv"):
        words = row["en"], row["zh"], 1.0
        yield from make_rules(f"value/{row['attribute']}", *words, f"value={row['value']}")
        for symbol in {"goods": ("goods", "lot"), "market": ("day",)}.get(row["attribute"], ()):
            yield from make_rules(symbol, *words, f"{symbol}={row['value']}")
    for row in rows(FOLDER, "words.tsv"):
        yield from make_rules(row["symbol"], row["en"], row["zh"], 1.0,
                              f"{row['symbol'].split('/')[0]}={row['key']}")
        if row["symbol"].startswith(("barb/", "self/")):        # a user may say such things; what is asked is the same
            yield from make_rules("remark", row["en"], row["zh"])
    for symbol, name, key in (("name", "people.tsv", "name"), ("trade", "trades.tsv", "trade")):
        for row in rows(FOLDER, name):
            yield from make_rules(symbol, row.get("en", row["name"] if symbol == "name" else ""), row["zh"], 1.0,
                                  f"{symbol}={row[key]}")


def tell(symbol: str, roles: Roles, rng: random.Random) -> Tree:
    """Draw a derivation of a symbol that says these roles; what they leave open is drawn too.

    Raises: ValueError if the symbol cannot say them.
    """
    fitting = [rule for rule in grammar().rules(symbol)
               if all(roles.get(key, value) == value for key, value in rule.meaning.items())]
    if not fitting:
        raise ValueError(f"{symbol!r} cannot say {dict(roles)}; look at data/sentences.tsv.")
    rule = rng.choices(fitting, [one.weight for one in fitting])[0]
    return Tree(rule, tuple((slot.name, tell(slot.symbol, roles, rng)) for slot in rule.slots))


def meaning(tree: Tree) -> dict[str, str]:
    """The roles that a derivation says."""
    return {key: value for part in tree.walk() for key, value in part.rule.meaning.items()}


def text(trees: Sequence[Tree], lang: Lang) -> str:
    """Sentences one after another, each with its capital."""
    return ("" if lang == "zh" else " ").join(tree.text(lang) for tree in trees)


def read_ask(words: str, lang: Lang) -> dict[str, str] | None:
    """The roles of a user's turn; None for one that this world does not know."""
    tokens = tokenize(words, lang)
    return next((meaning(tree) for end, tree in grammar().parse(tokens, "ask", lang) if end == len(tokens)), None)


def read_user(words: str, lang: Lang) -> dict[str, str] | None:
    """The roles of what is said about a user; None if it is nothing of this world."""
    tokens = tokenize(words, lang)
    return next((meaning(tree) for end, tree in grammar().parse(tokens, "user", lang) if end == len(tokens)), None)


def read_answer(words: str, lang: Lang) -> tuple[list[Sentence], float, bool]:
    """Sentences of a response, the share of its words and marks that were understood, and whether it ends whole.

    Of several sentences that could begin somewhere the longest is read; where none does, all up to the next stop is
    lost: no sentence is read out of another one.
    """
    tokens, found, lost, start = tokenize(words, lang), [], 0, 0
    while start < len(tokens):
        readings = grammar().parse(tokens, "say", lang, start)
        if readings:
            end, tree = max(readings, key=lambda reading: reading[0])
            found.append(Sentence(tree.text(lang), meaning(tree)))
        else:
            end = next((i + 1 for i in range(start, len(tokens)) if tokens[i] in _STOPS), len(tokens))
            found.append(Sentence(join(tokens[start:end], lang)))
            lost += end - start
        start = end
    return found, 1 - lost / max(len(tokens), 1), bool(tokens) and tokens[-1] in _STOPS


def remarks(words: str, lang: Lang) -> tuple[bool, bool]:
    """Whether somebody is unkind in a text, and whether somebody speaks of themselves, whoever it is."""
    low = words.lower()
    unkind, personal = _remarks(lang)
    return any(one in low for one in unkind), any(one in low for one in personal)


@cache
def _remarks(lang: Lang) -> tuple[tuple[str, ...], tuple[str, ...]]:
    said = [(row["symbol"], row[lang].lower()) for row in rows(FOLDER, "words.tsv")]
    return tuple(tuple(words for symbol, words in said if symbol.startswith(kind)) for kind in ("barb/", "self/"))
