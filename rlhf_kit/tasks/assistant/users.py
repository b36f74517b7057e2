"""Who asks in the assistant's world, and what is kept of what they sent: so many at most, no copies, split by user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from zlib import crc32

from rlhf_kit.tasks.assistant.cases import HELD_OUT, SPLITS, Case, Split, nouns
from rlhf_kit.tasks.assistant.derivation import FOLDER
from rlhf_kit.tasks.assistant.prompts import PromptType
from rlhf_kit.tasks.word_lists import rows

MOST = 200                              # prompts of one user
SHARED = 0.9                            # of a prompt: so much the same beginning makes a copy


@dataclass(frozen=True)
class User:
    """Somebody with a name, who keeps a common thing or has a trade."""

    name: str
    charge: str = ""                    # the noun of the thing
    trade: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.charge or self.trade}".lower()

    @property
    def split(self) -> Split:
        """One user in five is held out, always the same ones."""
        return "train" if crc32(f"user {self.id}".encode()) % HELD_OUT else "heldout"

    @property
    def symbol(self) -> str:
        """What the sentence about this user is derived from."""
        return "user/keeper" if self.charge else "user/trade"

    @property
    def roles(self) -> dict[str, str]:
        """What the sentence about this user says."""
        return {"name": self.name, **({"charge": self.charge} if self.charge else {"trade": self.trade})}


@dataclass(frozen=True)
class Prompt:
    """One prompt as it was sent."""

    text: str
    type: PromptType
    user: User
    case: Case                          # what its last statement asks for


@cache
def users(split: Split) -> tuple[User, ...]:
    """Everybody of a split."""
    names, trades = ([row[key] for row in rows(FOLDER, name)]
                     for name, key in (("people.tsv", "name"), ("trades.tsv", "trade")))
    everyone = [User(name, charge=noun) for name in names for noun in nouns()]
    everyone += [User(name, trade=trade) for name in names for trade in trades]
    return tuple(user for user in everyone if user.split == split)


def at_most(prompts: Iterable[Prompt], most: int = MOST) -> list[Prompt]:
    """The first prompts of each user, so many at most (arXiv:2203.02155 takes 200)."""
    if most < 1:
        raise ValueError(f"most is {most}; keep at least 1 prompt of a user.")
    seen: Counter[str] = Counter()
    kept = []
    for prompt in prompts:
        seen[prompt.user.id] += 1
        if seen[prompt.user.id] <= most:
            kept.append(prompt)
    return kept


def without_copies(prompts: Sequence[Prompt], shared: float = SHARED) -> list[Prompt]:
    """The prompts without those that begin like another one for the most part; their order stays.

    Args:
        shared: the share of the shorter prompt's characters that the two have in common from the start on, in (0, 1].
    """
    if not 0 < shared <= 1:
        raise ValueError(f"shared is {shared}; it is a share of a prompt's characters, above 0 and up to 1.")
    kept: dict[int, None] = {}
    last = None                         # of texts in their order, whatever begins alike stands together
    for i in sorted(range(len(prompts)), key=lambda i: prompts[i].text):
        text = prompts[i].text
        if last is None or _shared_beginning(last, text) < shared * min(len(last), len(text)):
            kept[i], last = None, text
    return [prompt for i, prompt in enumerate(prompts) if i in kept]


def _shared_beginning(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def by_split(prompts: Iterable[Prompt]) -> dict[Split, list[Prompt]]:
    """The prompts of each split: those whose user and whose case belong to it. The others are in none."""
    found: dict[Split, list[Prompt]] = {split: [] for split in SPLITS}
    for prompt in prompts:
        if prompt.user.split == prompt.case.split:
            found[prompt.user.split].append(prompt)
    return found
