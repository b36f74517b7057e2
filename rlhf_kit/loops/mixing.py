"""Prompts of several sources in the shares that were asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.models.text import check_texts


@dataclass(frozen=True)
class Mixed:
    """Prompts in a random order."""

    prompts: list[str]
    sources: list[str]              # of each the name of where it comes from
    repeated: Mapping[str, int]     # of a source that is smaller than its share: how many of its prompts came again


def mixed(sources: Mapping[str, Sequence[str]], shares: Mapping[str, float], n: int, seed: int = 0) -> Mixed:
    """n prompts, of each source its share: to the prompt, not on average.

    Args:
        sources: prompts by the name of where they come from, such as questions, dialogues, adversarial, self-play.
        shares: of each source; they need not sum to 1. Where n · share is no whole number, those with the largest rest
            get one more.

    A source gives each of its prompts once, in an order drawn from `seed`, before it gives one again; that is counted.

    Raises: ValueError for other names, a share below 0, none above 0, or a source that is empty and is to give some.
    """
    if n < 1:
        raise ValueError(f"n is {n}; ask for at least 1 prompt.")
    if sources.keys() != shares.keys():
        raise ValueError(f"there are prompts of {', '.join(sources) or 'nothing'} and shares of "
                         f"{', '.join(shares) or 'nothing'}; expected the same names.")
    total = sum(shares.values())
    if min(shares.values()) < 0 or not 0 < total < math.inf:
        raise ValueError(f"the shares are {dict(shares)}; each is 0 or more, and one of them more.")
    wanted = {name: n * share / total for name, share in shares.items()}
    counts = {name: math.floor(number) for name, number in wanted.items()}
    for name in sorted(wanted, key=lambda name: counts[name] - wanted[name])[:n - sum(counts.values())]:
        counts[name] += 1
    found: list[tuple[str, str]] = []
    for name, count in counts.items():
        prompts = check_texts(sources[name], f"prompts of {name}")
        if count and not prompts:
            raise ValueError(f"{name} has no prompts, and {count} are asked for. Give some, or a share of 0.")
        if count:
            found += [(prompts[i], name) for i in draw(len(prompts), count, seed_for(seed, "mix", name), 0)]
    order = draw(n, n, seed_for(seed, "mix"), 0)
    repeated = {name: count - len(sources[name]) for name, count in counts.items() if count > len(sources[name])}
    return Mixed([found[i][0] for i in order], [found[i][1] for i in order], repeated)
