"""The one examination: the same held-out requests of three kinds, the same draws, and what gold says of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import evaluate
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.jobs import helpful_harmless, rated_turns
from rlhf_kit.jobs.helpful_harmless import team_of
from rlhf_kit.jobs.instructions import PURPOSES, purpose_of
from rlhf_kit.language import Lang
from rlhf_kit.models.chats import first_turn
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes.anthropic import with_room
from rlhf_kit.rewards import Reward
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.prompts import MARKS
from rlhf_kit.tasks.assistant.users import Prompt

REFERENCES = ("base", "prompted")           # what nothing was done to: the base, and the base behind the HHH prompt
SEED = 11                                   # of the requests: the same for all policies and all seeds
SHOWN = {"asked": 2, "mild": 1, "red_team": 1}      # answers to so many of each kind are shown
DRAWN = 6000                                # requests of which the three kinds are taken

Kind = Literal["asked", "mild", "red_team"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """Something that is read off every answer to requests of a kind."""

    kind: Kind | Literal["helped", "texts"]     # "helped": those "asked" that mean no harm; "texts": see `evaluate.tax`
    better: Literal["more", "less", ""] = "more"
    share: bool = False                         # a yes or no of each answer, not a degree
    bounds: tuple[float, float] | None = (0.0, 1.0)


MEASURES: Mapping[str, Measure] = {
    "gold": Measure(kind="asked"),
    "helpful": Measure(kind="helped"),
    "honest": Measure(kind="asked"),
    "harmless": Measure(kind="red_team"),
    "rules": Measure(kind="red_team", share=True),                      # no rule is broken
    "balked": Measure(kind="mild", better="less", share=True),          # refuses what only sounds bad
    "invented": Measure(kind="asked", better="less", share=True),       # states as a fact what is none
    "runs_on": Measure(kind="asked", better="less", share=True),        # goes on into somebody else's turn, or is empty
    "length": Measure(kind="asked", better="", bounds=None),            # tokens
    "translation": Measure(kind="texts"),
    "reviews": Measure(kind="texts", better="less", bounds=None),       # nats per token
    "forum": Measure(kind="texts", better="less", bounds=None),
}
TAX = tuple(name for name, measure in MEASURES.items() if measure.kind == "texts")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is labelled, learned by SFT and examined."""

    budget: int = 3000              # labels of every lab, see `studies.labs.budget`
    epochs: int = 3                 # of SFT alone
    asked: int = 240                # held-out requests as people make them,
    mild: int = 100                 # of what sounds bad and is fine,
    red_team: int = 100             # for harm, or for advice that an assistant must not give
    taxed: int = 100                # sources to translate, and reviews and forum pages to read
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=64))


class Exam:
    """Requests and measures, the same for every policy."""

    def __init__(self, lang: Lang, size: Size, base: Policy) -> None:
        self.lang, self.size, self.base = lang, size, base
        self.task = Assistant(lang)
        self.crowd = helpful_harmless.World(self.task)

    @cached_property
    def requests(self) -> dict[Kind, list[Prompt]]:
        """Held out, set apart for tests, different within a kind, and with room for an answer behind the HHH prompt."""
        drawn = {one.text: one for one in self.task.asked(DRAWN, SEED, "heldout")}
        tests = [text for text in drawn if purpose_of(text, PURPOSES["heldout"]) == "test"]
        found = [drawn[text] for text in with_room(self.base, tests, self.crowd.behind, self.size.sampling)]
        fits: dict[Kind, Callable[[Prompt], bool]] = {
            "asked": lambda one: True, "mild": lambda one: one.case.sort == "borderline",
            "red_team": lambda one: team_of(one.case) == "red_team"}
        kinds = {kind: [one for one in found if fit(one)][:getattr(self.size, kind)] for kind, fit in fits.items()}
        for kind, some in kinds.items():
            if len(some) < getattr(self.size, kind):
                raise ValueError(f"there are {len(some)} held-out requests of the kind {kind!r}, and "
                                 f"{getattr(self.size, kind)} are wanted. Ask for fewer.")
        return kinds

    @cached_property
    def rewards(self) -> dict[str, Reward]:
        """What is read off an answer, by the name of its measure: off its first turn, but for whether that is all."""
        marks = MARKS[self.lang].user, MARKS[self.lang].assistant
        one_turn, shown = rewards.one_turn(marks), partial(first_turn, marks=marks)
        measured = {**self.crowd.measured(), **rated_turns.World(self.task).measured()}

        def runs_on(prompts: list[str], responses: list[str]) -> list[float]:
            return [float(not one_turn(*pair)) for pair in zip(prompts, responses, strict=True)]

        def kept(prompts: list[str], responses: list[str]) -> list[float]:
            return [1.0 - float(x) for x in measured["broken"](prompts, responses)]

        def length(prompts: list[str], responses: list[str]) -> list[float]:
            return [float(len(ids)) for ids in self.base.tokenizer(list(responses), add_special_tokens=False).input_ids]
        read = {**measured, "rules": kept, "length": length}
        return {name: runs_on if name == "runs_on" else rewards.on_responses(read[name], shown)
                for name in MEASURES if name not in TAX}

    def of(self, policy: Policy, seed: int, *, prompted: bool = False) -> dict[str, Any]:
        """One answer to each request, and the tax: every measure answer by answer, drift from the base, a few texts.

        With `prompted` the policy reads the HHH prompt above each request; then it is the base, and neither drift nor
        tax is a question.
        """
        each: dict[str, list[float]] = {}
        texts, kl = [], None
        for kind, asked in self.requests.items():
            plain = [one.text for one in asked]
            read = [self.crowd.behind(text) for text in plain] if prompted else plain
            bare = dict(zip(read, plain, strict=True))
            wanted = {name: self.rewards[name] for name, measure in MEASURES.items()
                      if measure.kind == kind or (kind == "asked" and measure.kind == "helped")}
            seen = evaluate(policy, self.base, read, {name: rewards.on_prompts(one, bare) for name, one in
                                                      {**wanted, "gold": self.rewards["gold"]}.items()},
                            self.size.sampling, 1000 + seed)
            each |= {name: list(seen.each[name]) for name in wanted}
            rows = [{"kind": kind, "prompt": text, "response": response, "gold": gold} for text, response, gold, one in
                    zip(plain, seen.responses, seen.each["gold"], asked, strict=True)
                    if kind == "red_team" or team_of(one.case) == "helpful"]
            texts += rows[:SHOWN[kind]]
            if kind == "asked" and not prompted:
                kl = seen.kl
        each["helpful"] = [x for x, one in zip(each["helpful"], self.requests["asked"], strict=True)
                           if team_of(one.case) == "helpful"]
        if not prompted:
            each |= {name: list(x) for name, x in
                     tax(policy, self.lang, sources=self.size.taxed, texts=self.size.taxed).each.items()}
        return {"each": each, "kl": kl, "texts": texts}


def opened(base: str) -> Policy:
    """The base, which never learns."""
    return zoo.load_policy(base, value_head=False).reference()
