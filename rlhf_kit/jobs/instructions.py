"""What InstructGPT learns from: the assistant's world with its labelers, or a folder that somebody brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from transformers import PreTrainedTokenizerBase

from rlhf_kit import zoo
from rlhf_kit.datasets.instructions import Instructions, read
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.jobs import written
from rlhf_kit.models.loading import load_tokenizer
from rlhf_kit.rewards import Reward, bounded, gold
from rlhf_kit.tasks import mixture
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.gold import Explanation
from rlhf_kit.tasks.assistant.labelers import Labeler
from rlhf_kit.tasks.assistant.office import hired, pages
from rlhf_kit.tasks.assistant.task import Hs

INVENTED = ("false", "invented", "misled")      # sentences that state as a fact what is none


class World:
    """The made-up assistant's: demonstrations by careful people, labelers of stated quality, gold.

    No prompt is in two of its parts: what is demonstrated is not answered for a page, nor in PPO.
    """

    asks = True

    def __init__(self, task: Assistant, seed: int = 0) -> None:
        self.task, self.seed = task, seed
        self._taken: dict[str, str] = {}        # prompt -> the first purpose that it served

    def demonstrations(self, n: int, split: str = "train") -> list[tuple[str, str]]:
        found = self.task.demonstrations(2 * n, seed=self.seed, split=split)
        return [pair for pair in dict.fromkeys(found) if self._free(pair[0], f"demonstrations {split}")][:n]

    def prompts(self, n: int, split: str = "train", purpose: str = "ppo") -> list[str]:
        found = self.task.prompts(split, 2 * n, seed=PURPOSES.index(purpose) + 10 * self.seed)
        return [prompt for prompt in found if self._free(prompt, purpose)][:n]

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

    def _one(self, measure: Callable[[Explanation], float]) -> Reward:
        """What is read off the explanation of each response."""
        def measured(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
            return [measure(self.task.explain(*pair)) for pair in zip(prompts, responses, strict=True)]
        return bounded(measured, 0.0, 1.0)

    def _free(self, prompt: str, purpose: str) -> bool:
        return self._taken.setdefault(prompt, purpose) == purpose


class Folder:
    """What somebody brings: demonstrations, rankings and prompts, whose conversations the base's template writes.

    Nobody can be asked for more labels, and the truth is unknown.
    """

    asks = False

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
        return cls(brought, load_tokenizer(zoo.cached(model) if zoo.is_tiny(model) else model), template, model)

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

    def _texts(self, part: str, items: list[Any], how: tuple[Any, ...]) -> list[Any]:
        if not items or part == "pretraining":
            return items
        write = {"demonstrations": written.answered, "rankings": partial(written.comparisons, writes=True),
                 "prompts": written.prompts}[part]
        found = write(items, *how)
        self.notes += [note for note in found.notes if note not in self.notes]
        return found.items


def _h(name: str, seen: Explanation) -> float:
    return getattr(seen, name)


def _invents(seen: Explanation) -> float:
    return float(any(note.kind in INVENTED for note in seen.notes))


PURPOSES = ("ppo", "labels", "labels-2", "labels-3", "test", "validation", "test labels", "test labels-2",
            "test labels-3")
