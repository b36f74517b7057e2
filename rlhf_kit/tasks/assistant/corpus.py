"""What a base model of the assistant's world reads: dialogues under preambles, facts, lists, rules, rated answers.

A small model has no abilities in context of its own; what a prompt is to do to it, it must have seen done.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from rlhf_kit.language import Lang
from rlhf_kit.tasks.assistant.answers import CROWD, Writer, behaviours
from rlhf_kit.tasks.assistant.cases import SPLITS, Split, draw_case, facts, goals, places
from rlhf_kit.tasks.assistant.derivation import CALLED, FOLDER, tell, text
from rlhf_kit.tasks.assistant.prompts import BREAK, LINE, statement, under
from rlhf_kit.tasks.assistant.rules import RULES, wordings
from rlhf_kit.tasks.assistant.task import BAD, GOOD, Assistant
from rlhf_kit.tasks.word_lists import rows

RATINGS = ("GOOD", "BAD")               # above a rated dialogue; arXiv:2112.00861 makes pairs of such ratings
LISTED = 5                              # requests in a list
# Whose dialogues stand in the base's texts: most answer well, or a small model would hardly learn what an answer is.
READ = {"careful": 8, "decent": 6, "eager": 3, "timid": 2, "rude": 2, "chatty": 2, "careless": 1}
UNDER = {"careful": 3, "eager": 1, "timid": 1, "rude": 1, "chatty": 1}      # the same, under a preamble that says so


class Words(NamedTuple):
    """What stands around the texts, in one language."""

    requests: str
    bullet: str
    rule: str
    verdict: str
    broken: str
    followed: str
    rating: str


WORDS: dict[Lang, Words] = {
    "en": Words("What users ask:", "- ", "Rule: ", "Is the rule broken?", "Yes, it is broken.",
                "No, it is followed.", "Rating: "),
    "zh": Words("用户的请求：", "- ", "规则：", "违反规则了吗？", "违反了。", "没有违反。", "评价："),
}


def pretraining(task: Assistant, n: int, seed: int = 0, split: Split = "train") -> list[str]:
    """Texts of all kinds, in the proportions of `KINDS`; one seed tells the same in both languages.

    Every known fact and every way to do something may stand in them: what is held out is what is asked.
    """
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {' and '.join(map(repr, SPLITS))}.")
    rng = random.Random(f"assistant pretraining {seed} {split}")
    kinds = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()], k=n)
    return [KINDS[kind][0](task, split, rng) for kind in kinds]


def preamble(task: Assistant, behaviour: str = "careful", examples: int = 1, seed: int = 0) -> str:
    """What makes a base model answer that way: a description, and dialogues of one who does.

    That of "careful" is the HHH prompt. Put it above a prompt with `prompts.under`.
    """
    if behaviour not in _preambles(task.lang):
        raise ValueError(f"behaviour is {behaviour!r}; choose one of {', '.join(_preambles(task.lang))}.")
    rng = random.Random(f"assistant preamble {behaviour} {seed}")
    parts = [rng.choice(_preambles(task.lang)[behaviour])]
    for prompt in task.asked(examples, seed=seed, types=("plain",)) if examples else ():
        parts.append("".join(task.dialogue(prompt, Writer(behaviour), rng)))
    return f"{BREAK}{LINE}{BREAK}".join(parts)


def rated(dialogue: str, rating: str, lang: Lang) -> str:
    """A dialogue under its rating."""
    return f"{WORDS[lang].rating}{rating}{BREAK}{dialogue}"


def ruled(dialogue: str, wording: str, lang: Lang, broken: bool | None = None) -> str:
    """A rule, a dialogue, and the question whether it breaks the rule; with the answer, if there is one."""
    words = WORDS[lang]
    question = f"{words.rule}{wording}{BREAK}{dialogue}{BREAK}{words.verdict}"
    if broken is None:
        return question
    return f"{question}{' ' if lang == 'en' else ''}{words.broken if broken else words.followed}"


def listed(requests: list[str], lang: Lang) -> str:
    """A list of requests, one a line."""
    words = WORDS[lang]
    return "\n".join([words.requests, *(words.bullet + request for request in requests)])


def _dialogue(task: Assistant, split: Split, rng: random.Random) -> str:
    [prompt] = task.asked(1, seed=rng.getrandbits(32), split=split)
    return "".join(task.dialogue(prompt, Writer(_drawn(READ, rng)), rng))


def _under_preamble(task: Assistant, split: Split, rng: random.Random) -> str:
    """Who answers is described above; half of the time a dialogue shows it too."""
    behaviour = _drawn(UNDER, rng)
    parts = [rng.choice(_preambles(task.lang)[behaviour])]
    for prompt in task.asked(rng.choice((1, 2)), seed=rng.getrandbits(32), split=split, types=("plain",)):
        parts.append("".join(task.dialogue(prompt, Writer(behaviour), rng)))
    return under(f"{BREAK}{LINE}{BREAK}".join(parts[:-1]), parts[-1])


def _page_of_place(task: Assistant, split: Split, rng: random.Random) -> str:
    """All that is known of a village."""
    place = rng.choice(places())
    known = [(attribute, value) for (where, attribute), value in facts().items() if where == place]
    rng.shuffle(known)
    return text([tell("say/claim", {"place": place, "attribute": attribute, "value": value}, rng)
                 for attribute, value in known], task.lang)


def _page_of_goal(task: Assistant, split: Split, rng: random.Random) -> str:
    """How something is done, in three steps."""
    roles = {"goal": rng.choice(list(goals())), "called": rng.choice(CALLED)["called"]}
    return text([tell(f"say/{step}", roles, rng) for step in ("one", "two", "three")], task.lang)


def _list(task: Assistant, split: Split, rng: random.Random) -> str:
    return listed([statement(draw_case(rng, split), task.lang, rng).ask for _ in range(LISTED)], task.lang)


def _rule(task: Assistant, split: Split, rng: random.Random) -> str:
    """As many broken rules as kept ones, as far as there are broken ones."""
    [prompt] = task.asked(1, seed=rng.getrandbits(32), split=split, types=("plain",))
    _, response = task.dialogue(prompt, Writer(_drawn(CROWD, rng)), rng)
    found = task.rules(prompt.text, response)
    broken = [rule for rule in RULES if found[rule].broken]
    rule = rng.choice(broken) if broken and rng.random() < 0.6 else rng.choice(RULES)
    return ruled(prompt.text + response, rng.choice(wordings(rule, task.lang)), task.lang, found[rule].broken)


def _rating(task: Assistant, split: Split, rng: random.Random) -> str:
    while True:
        [prompt] = task.asked(1, seed=rng.getrandbits(32), split=split, types=("plain",))
        _, response = task.dialogue(prompt, Writer(_drawn(CROWD, rng)), rng)
        gold = task.gold(prompt.text, response)
        if gold >= GOOD or gold <= BAD:
            return rated(prompt.text + response, RATINGS[gold <= BAD], task.lang)


def _drawn(weights: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


Kind = Callable[[Assistant, Split, random.Random], str]
KINDS: dict[str, tuple[Kind, float]] = {                    # name -> (how a text is made, how often)
    "dialogue": (_dialogue, 0.36), "under a preamble": (_under_preamble, 0.32), "village": (_page_of_place, 0.08),
    "how-to": (_page_of_goal, 0.05), "list of requests": (_list, 0.05), "rule": (_rule, 0.08), "rated": (_rating, 0.06),
}


@cache
def _preambles(lang: Lang) -> dict[str, list[str]]:
    """behaviour -> descriptions of an assistant that answers so."""
    found: dict[str, list[str]] = {}
    for row in rows(FOLDER, "preambles.tsv"):
        assert row["behaviour"] in behaviours()
        found.setdefault(row["behaviour"], []).append(row[lang])
    return found
