"""Points of several seeds become one: where a setting of a method stands on average, how sure that is, what it cost."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from rlhf_kit.evaluate import mean

AVERAGED = ("kl", "cpu_seconds", "distinct", "eos_rate")


def gathered(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One for each method and setting, in the order of the first seed.

    An interval is that of the prompts, each with its mean over the seeds: how far another set of prompts would have
    moved the point. How far another seed does is seen from the seeds themselves, which stand beside it.
    """
    groups: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for point in kept:
        groups.setdefault((point["method"], point["value"]), []).append(point)
    return [_one(seeds) for seeds in groups.values()]


def _one(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = seeds[0]
    scores = {name: asdict(mean(torch.tensor([one["each"][name] for one in seeds], dtype=torch.float64).mean(0),
                                (0.0, 1.0))) for name in ("proxy", "gold")}
    averaged = {name: statistics.fmean(one[name] for one in seeds) for name in AVERAGED}
    return {**{name: value for name, value in first.items() if name not in ("seed", "each")}, **averaged, **scores,
            "root_kl": root(averaged["kl"]),
            "seeds": [{"seed": one["seed"], "root_kl": root(one["kl"]), "cpu_seconds": one["cpu_seconds"],
                       **{name: statistics.fmean(one["each"][name]) for name in ("proxy", "gold")}} for one in seeds]}


def root(kl: float) -> float:
    """√KL; what an estimate puts below 0 counts as 0."""
    return max(kl, 0.0) ** 0.5
