"""What InstructGPT learns from: the assistant's world with its labelers, or a folder that somebody brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate
from typing import Any, ClassVar
from zlib import crc32

from transformers import PreTrainedTokenizerBase

from rlhf_kit import zoo
from rlhf_kit.datasets.instructions import Instructions, read
from rlhf_kit.evaluate import Estimate
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.jobs import written
from rlhf_kit.models.heads import Policy
from rlhf_kit.rewards import Reward, bounded, gold
from rlhf_kit.tasks import mixture
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.gold import Explanation
from rlhf_kit.tasks.assistant.labelers import Labeler
from rlhf_kit.tasks.assistant.office import hired, pages
from rlhf_kit.tasks.assistant.prompts import MARKS
from rlhf_kit.tasks.assistant.task import Hs

MOST_DRAWS = 8
TAXED = 100                             # sources and texts of each untouched world
# How many prompts of each split are for what, of those of the made-up world; "labels-2" are those of a second round.
PURPOSES = {"train": {"ppo": 5, "demonstrations": 2, "labels": 1, "labels-2": 1, "labels-3": 1},
            "heldout": {"test": 4, "demonstrations": 2, "validation": 2, "test labels": 1, "test labels-2": 1,
                        "test labels-3": 1}}
# Who wrote the demonstrations. Of perfect ones a policy learns no fault that labels could mend, but what it cannot do.
WROTE = {"careful": 2, "decent": 3, "eager": 2, "chatty": 2, "timid": 1}
INVENTED = ("false", "invented", "misled")      # sentences that state as a fact what is none


class World:
    """The made-up assistant's: demonstrations by people with faults, labelers of stated quality, gold.

    No prompt serves two purposes: its hash says whether it is demonstrated, answered on a page, or by PPO. So nothing
    depends on what was asked for first.
    """

    asks = True
    notes: ClassVar[Sequence[written.NOTE]] = ()
    purposes: ClassVar[Mapping[str, Mapping[str, int]]] = PURPOSES

    def __init__(self, task: Assistant, seed: int = 0) -> None:
        self.task, self.seed, self.mark = task, seed, MARKS[task.lang].assistant
        self.marks = MARKS[task.lang].user, MARKS[task.lang].assistant
        self._kept: dict[tuple[str, str, int], list[Any]] = {}

    def demonstrations(self, n: int, split: str = "train") -> list[tuple[str, str]]:
        return self._drawn(n, split, "demonstrations", lambda k: self.task.demonstrations(k, self.seed, split, WROTE),
                           lambda pair: pair[0])

    def prompts(self, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        return self._drawn(n, split, purpose, lambda k: self.task.prompts(split, k, self.seed), lambda prompt: prompt)

    def pretraining(self, n: int) -> list[str]:
        return mixture.texts(self.task.lang, n, seed=self.seed + 1)

    def ranked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: str, purpose: str) -> list[Ranking]:
        made = pages(asked, self.labelers, self.task.explain, self.seed)
        return [page.ranking for page in made][:n]

    @cached_property
    def labelers(self) -> list[Labeler]:
        return hired(self.task, seed=self.seed)

    def measured(self) -> Mapping[str, Reward]:
        """Gold, each of the three H's, and whether a response states what is not so."""
        return {"gold": gold(self.task), **{name: self._one(partial(_h, name)) for name in Hs._fields},
                "invented": self._one(_invents)}

    def taxed(self, policy: Policy) -> Mapping[str, Estimate]:
        found = tax(policy, self.task.lang, sources=TAXED, texts=TAXED)
        return {name: getattr(found, name) for name in found.each}

    def _one(self, measure: Callable[[Explanation], float]) -> Reward:
        """What is read off the explanation of each response."""
        def measured(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
            return [measure(self.task.explain(*pair)) for pair in zip(prompts, responses, strict=True)]
        return bounded(measured, 0.0, 1.0)

    def _drawn(self, n: int, split: str, purpose: str, draw: Callable[[int], list[Any]],
               prompt: Callable[[Any], str], *, of: str = "",
               fits: Callable[[Any], bool] = lambda item: True, one_in: int = 1) -> list[Any]:
        """n different items whose prompts are for that purpose, and that fit; as many more are drawn as it takes.

        Args:
            of: what those that fit are called.
            one_in: of how many drawn about one fits.
        """
        if (kept := self._kept.get((split, purpose + of, n))) is not None:
            return list(kept)
        shares = self.purposes[split]
        size = one_in * n * sum(shares.values()) // shares[purpose]
        for _ in range(MOST_DRAWS):
            size += size // 4 + 10
            found = [one for one in dict.fromkeys(draw(size)) if purpose_of(prompt(one), shares) == purpose
                     and fits(one)]
            if len(found) >= n:
                self._kept[split, purpose + of, n] = found[:n]
                return found[:n]
        raise ValueError(f"there are {len(found):,} different prompts for {purpose}{f', {of}' if of else ''} in the "
                         f"split {split}, and {n:,} are wanted. Ask for fewer.")


def purpose_of(prompt: str, shares: Mapping[str, int]) -> str:
    """What a prompt is for, in these shares of all prompts."""
    place, ends = crc32(f"purpose {prompt}".encode()) / 2**32, accumulate(shares.values())
    return next(name for name, end in zip(shares, ends, strict=True) if place * sum(shares.values()) < end)


class Folder:
    """What somebody brings: demonstrations, rankings and prompts, whose conversations the base's template writes.

    Nobody can be asked for more labels, and the truth is unknown.
    """

    asks, mark = False, None
    writes: ClassVar[Mapping[str, Callable[..., written.Written]]] = {
        "demonstrations": written.answered, "rankings": partial(written.comparisons, writes=True),
        "prompts": written.prompts}

    def __init__(self, brought: Instructions, tokenizer: PreTrainedTokenizerBase, template: str | None,
                 model: str) -> None:
        self.notes: list[written.NOTE] = list(brought.notes)
        self.accounts = brought.accounts
        self._parts: dict[tuple[str, str], list[Any]] = {}
        for split, parts in (("train", brought.train), ("heldout", brought.heldout)):
            for part, items in parts.items():
                self._parts[part, split] = self._texts(part, items, (tokenizer, template, model))

    @classmethod
    def read(cls, folder: str, model: str, template: str | None) -> Folder:
        """Raises: FileError, CannotWrite; one line."""
        brought = read(folder)                          # first: a base that is not there is made by reading nothing
        return cls(brought, zoo.load_tokenizer(model), template, model)

    def demonstrations(self, n: int, split: str = "train") -> list[tuple[str, str]]:
        return self._parts["demonstrations", split][:n]

    def prompts(self, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        return self._parts["prompts", split][:n]

    def pretraining(self, n: int) -> list[str]:
        return self._parts["pretraining", "train"][:n]

    def ranked(self, asked: Sequence[tuple[str, Sequence[str]]], n: int, split: str,
               purpose: str) -> list[Ranking | Comparison]:
        return self._parts["rankings", split][:n]

    def measured(self) -> Mapping[str, Reward]:
        return {}

    def taxed(self, policy: Policy) -> Mapping[str, Estimate]:
        return {}

    def _texts(self, part: str, items: list[Any], how: tuple[Any, ...]) -> list[Any]:
        if not items or part not in self.writes:
            return items
        found = self.writes[part](items, *how)
        self.notes += [note for note in found.notes if note not in self.notes]
        return found.items


def _h(name: str, seen: Explanation) -> float:
    return getattr(seen, name)


def _invents(seen: Explanation) -> float:
    return float(any(note.kind in INVENTED for note in seen.notes))
