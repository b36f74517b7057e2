"""Which examples have room in a model: prompts with responses that people wrote, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rlhf_kit.loops.as_read import Example, whole
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import prompt_rows, response_rows


@dataclass(frozen=True)
class Fit:
    """The examples that are learned from."""

    places: list[int]               # their numbers
    lengths: list[int]              # of each its longest text, tokens
    left_out: int                   # longer than `limit`
    limit: int                      # tokens of a prompt and a response
    cut: int = 0                    # learned from without their end, where a method can


def fitting(policy: Policy, prompts: Sequence[str], responses: Sequence[tuple[str, ...]], max_length: int,
            what: str) -> Fit:
    """Which of these prompts fit with every one of their responses, and how long they are.

    A response without its end would teach never to end, and a prompt without its beginning is another prompt.

    Raises: ValueError if none does.
    """
    limit = _limit(policy, max_length)
    lengths = [len(prompt) + max(map(len, answers)) for prompt, answers in _rows(policy, prompts, responses)]
    places = [place for place, length in enumerate(lengths) if length <= limit]
    if not places:
        raise ValueError(f"none of the {what} ({len(lengths)}) fits into {limit} tokens; the shortest has "
                         f"{min(lengths)}. Raise max_length as far as the model reads, or give shorter texts.")
    return Fit(places, [lengths[place] for place in places], len(lengths) - len(places), limit)


def as_read(policy: Policy, prompts: Sequence[str], responses: Sequence[tuple[str, ...]],
            parts: Sequence[tuple[str, ...]], max_length: int) -> Iterator[Example]:
    """The same examples as they are read: every token of a response is learned from, or the example is left out.

    Args: parts: what each of the responses is, such as ("chosen", "rejected").
    """
    limit = _limit(policy, max_length)
    for (prompt, answers), names in zip(_rows(policy, prompts, responses), parts, strict=True):
        fits = len(prompt) + max(map(len, answers)) <= limit
        yield Example(tuple(whole(name, [*prompt, *answer], len(prompt), learned=fits)
                            for name, answer in zip(names, answers, strict=True)), left_out=not fits)


def prompts_as_read(policy: Policy, prompts: Sequence[str], max_new_tokens: int) -> Iterator[Example]:
    """Prompts as they are continued; left out are those that leave no room for `max_new_tokens` behind them."""
    for ids in prompt_rows(policy.tokenizer, prompts):
        none = policy.context is not None and len(ids) + max_new_tokens > policy.context
        yield Example((whole("prompt", ids, len(ids)),), left_out=none)


def _rows(policy: Policy, prompts: Sequence[str],
          responses: Sequence[tuple[str, ...]]) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Ids of each prompt and of its responses, as `sampling.unread_rollout` makes them."""
    each = [len(answers) for answers in responses]
    asked = [prompt for prompt, n in zip(prompts, each, strict=True) for _ in range(n)]
    rows = iter(response_rows(policy.tokenizer, [answer for answers in responses for answer in answers], asked))
    for prompt, n in zip(prompt_rows(policy.tokenizer, prompts), each, strict=True):
        yield prompt, [next(rows) for _ in range(n)]


def _limit(policy: Policy, max_length: int) -> int:
    return min(max_length, policy.context or max_length)
