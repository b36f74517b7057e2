"""Policies of several seeds become one: every measure with an interval over requests or seeds, and what it cost."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rlhf_kit.evaluate import Estimate, mean, share
from rlhf_kit.studies.labs.exam import MEASURES

# Student's t, two-sided 95 %, for 1, 2, … degrees of freedom.
T95 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
MOST_SEEDS = len(T95) + 1


def gathered(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One for each policy, in the order of the first seed.

    Of one seed an interval is that of the requests: how far others would have moved the mean. Of several it is that of
    the seeds: how far another seed would, with Student's t, since they are few.
    """
    policies: dict[str, list[Mapping[str, Any]]] = {}
    for one in kept:
        policies.setdefault(one["policy"], []).append(one)
    return [_one(seeds) for seeds in policies.values()]


def _one(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = seeds[0]
    measures = {name: asdict(estimate(name, [one["each"][name] for one in seeds])) for name in MEASURES
                if name in first["each"]}
    drift = None if first["kl"] is None else asdict(over_seeds([one["kl"] for one in seeds]))
    return {"policy": first["policy"], "measures": measures, "kl": drift, "labels": first["labels"],
            "cpu_seconds": statistics.fmean(one["cpu_seconds"] for one in seeds), "texts": first["texts"],
            "seeds": [{"seed": one["seed"], "kl": one["kl"], "cpu_seconds": one["cpu_seconds"],
                       "labels": one["labels"],
                       **{name: statistics.fmean(one["each"][name]) for name in measures}} for one in seeds]}


def estimate(name: str, seeds: Sequence[Sequence[float]]) -> Estimate:
    """A measure with its 95 % interval: over the requests of the only seed, or over the seeds' means."""
    measure = MEASURES[name]
    if len(seeds) > 1:
        return over_seeds([statistics.fmean(each) for each in seeds], measure.bounds)
    return share(sum(seeds[0]), len(seeds[0])) if measure.share else mean(seeds[0], measure.bounds)


def over_seeds(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Estimate:
    """mean ± t·s/√S with S - 1 degrees of freedom, cut off at the bounds; of a single number that number alone."""
    centre = statistics.fmean(values)
    if len(values) == 1:
        return Estimate(centre, centre, centre, 1)
    half = T95[len(values) - 2] * statistics.stdev(values) / len(values) ** 0.5
    low, high = (centre - half, centre + half) if bounds is None else (max(centre - half, bounds[0]),
                                                                       min(centre + half, bounds[1]))
    return Estimate(centre, low, high, len(values))
