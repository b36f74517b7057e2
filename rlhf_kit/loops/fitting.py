"""Which examples have room in a model: prompts with responses that people wrote, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    limit = min(max_length, policy.context or max_length)
    each = [len(answers) for answers in responses]
    asked = [prompt for prompt, n in zip(prompts, each, strict=True) for _ in range(n)]
    rows = iter(response_rows(policy.tokenizer, [answer for answers in responses for answer in answers], asked))
    lengths = [len(prompt) + max(len(next(rows)) for _ in range(n))
               for prompt, n in zip(prompt_rows(policy.tokenizer, prompts), each, strict=True)]
    places = [place for place, length in enumerate(lengths) if length <= limit]
    if not places:
        raise ValueError(f"none of the {what} ({len(lengths)}) fits into {limit} tokens; the shortest has "
                         f"{min(lengths)}. Raise max_length as far as the model reads, or give shorter texts.")
    return Fit(places, [lengths[place] for place in places], len(lengths) - len(places), limit)
