"""What a policy learns to answer and what it is examined on: a file's prompts, or those of a made-up world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlhf_kit import rewards
from rlhf_kit.datasets.chats import readable
from rlhf_kit.datasets.door import Account, Brought
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.evaluate import Evaluation, side_by_side
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs import written
from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.settings import world
from rlhf_kit.language import Lang
from rlhf_kit.loops.fitting import prompts_as_read
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
    of: tuple[Sequence[str], Sequence[int | None]] = ((), ())   # both in the file's order, with their lines


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
                         None, found.where(()))
    found = written.prompts(brought.items, policy.tokenizer, template, model)
    learn, held_out = hold_out(found.items)
    return Questions(learn, examined(held_out), {}, found.chats, found.told(brought.account),
                     found.where(brought.lines))


def rows_of(asked: Questions, policy: Policy, max_new_tokens: int, n: int, notes: Sequence[written.NOTE] = (),
            **more: Any) -> Rows:
    """What the first `n` prompts become, and counts of all."""
    kind = Of(*asked.of, lambda items: prompts_as_read(policy, items, max_new_tokens), asked.learn, asked.held_out)
    return rows([kind], n, tokenizer=policy.tokenizer, generation=policy.lm.generation_config, limit=policy.context,
                account=asked.account, max_new_tokens=max_new_tokens,
                notes=[*no_room(policy, [*asked.learn, *asked.held_out], max_new_tokens), *notes], **more)


def no_room(policy: Policy, prompts: Sequence[str], max_new_tokens: int) -> list[written.NOTE]:
    """A note of prompts that a run will refuse."""
    n = sum(one.left_out for one in prompts_as_read(policy, list(dict.fromkeys(prompts)), max_new_tokens))
    return [("rows_no_room", {"n": n, "limit": policy.context, "new": max_new_tokens})] if n else []


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
