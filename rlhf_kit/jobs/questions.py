"""What a policy learns to answer and what it is examined on: a file's prompts, or those of a made-up world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlhf_kit import rewards
from rlhf_kit.datasets.chats import readable
from rlhf_kit.datasets.door import Account, Brought
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.evaluate import Evaluation, side_by_side
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs import written
from rlhf_kit.jobs.settings import world
from rlhf_kit.language import Lang
from rlhf_kit.models.heads import Policy

EVALUATED = 128                     # held-out prompts, one response each
SHOWN = 10                          # of them in the result


@dataclass(frozen=True)
class Questions:
    """Prompts as the policy reads them."""

    learn: list[str]
    held_out: list[str]
    watch: dict[str, rewards.Reward]            # what is known of the truth; never optimised
    chats: Mapping[str, Chat]                   # of conversations: what the template wrote -> what it was
    account: Account | None                     # what was understood of the file


def questions(brought: Brought | None, task: str | None, lang: Lang, policy: Policy, template: str | None,
              model: str) -> Questions:
    """Of a file a part is kept out; a made-up world keeps its own, and knows the truth. Raises: CannotWrite."""
    if brought is None:
        known = world(task, lang)
        found = written.prompts(known.prompts("train"), policy.tokenizer, template, model)
        held_out = written.prompts(known.prompts("heldout", EVALUATED), policy.tokenizer, template, model)
        chats = {**found.chats, **held_out.chats}
        gold = rewards.gold(known)
        return Questions(found.items, held_out.items, {"gold": rewards.of_chats(gold, chats) if chats else gold}, chats,
                         None)
    found = written.prompts(brought.items, policy.tokenizer, template, model)
    learn, held_out = hold_out(found.items)
    return Questions(learn, examined(held_out), {}, found.chats, found.told(brought.account))


def examined(held_out: list[str]) -> list[str]:
    """As many as are asked: an interval takes two."""
    return (held_out * 2 if len(held_out) == 1 else held_out)[:EVALUATED]


def as_read(prompt: str, chats: Mapping[str, Chat]) -> str:
    """A prompt for a person, who reads no marks of a template."""
    return f"{readable(chats[prompt])}\n" if prompt in chats else prompt


def samples(before: Evaluation, after: Evaluation, chats: Mapping[str, Chat]) -> list[dict[str, Any]]:
    """The first prompts as a person reads them, each with what was answered before and after."""
    return [{side: {**row, "prompt": as_read(row["prompt"], chats)} for side, row in pair.items()}
            for pair in side_by_side(before, after)[:SHOWN]]
