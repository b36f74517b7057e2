"""Gold against drift of one proxy: its points, Gao's form and its peak, and what a rival has at equal drift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.evaluate import mean
from rlhf_kit.formulas.best_of_n import expected_best, kl_bound
from rlhf_kit.formulas.ensembles import combined
from rlhf_kit.formulas.overoptimisation import Form, fit, gold_at, peak
from rlhf_kit.studies.overoptimisation.proxies import CAUTION, Curve

DRAWS = 1000                            # of prompts with replacement, for intervals of what is fitted
FORMS: Mapping[str, Form] = {"best-of-n": "best-of-n", "ppo": "rl"}


@dataclass(frozen=True)
class Points:
    """Of one curve with one seed, the start left out."""

    at: list[int]                       # n of best-of-n, or PPO step, [N]
    distance: Tensor                    # √KL from the start, [N]
    proxy: Tensor                       # above the start, prompt by prompt, [P, N]
    gold: Tensor                        # the same
    texts: list[dict[str, Any]]         # of the last point


def together(said: Tensor, curve: Curve) -> Tensor:
    """What the members of a curve's proxy say together of each answer, [...], from what each says, [K, ...]."""
    kind = curve.proxy.kind
    return said[0] if kind == "single" else combined(said, kind, CAUTION[curve.method])


def best_of(proxy: Tensor, gold: Tensor, ns: Sequence[int]) -> Points:
    """Best-of-n for every n from one set of draws.

    Args: proxy, gold: of every draw, [P, draws]. ns: the first is 1, the start itself.
    """
    columns = [n - 1 for n in ns]
    found = [expected_best(proxy, value)[:, columns] for value in (proxy, gold)]
    liked, worth = (one[:, 1:] - one[:, :1] for one in found)
    return Points(list(ns[1:]), kl_bound(torch.tensor(ns[1:])).sqrt(), liked, worth, [])


def along(measured: Sequence[Mapping[str, Any]], proxy: Tensor, gold: Tensor) -> Points:
    """A run of PPO, as it was measured behind some of its steps; what an estimate of the KL puts below 0 counts as 0.

    Args: proxy, gold: of the start's draws, [P, draws]: each prompt's mean is where its curve begins.
    """
    distance = torch.tensor([max(one["kl"], 0.0) for one in measured], dtype=torch.float64).sqrt()
    liked, worth = (torch.tensor([one["each"][name] for one in measured], dtype=torch.float64).T
                    - start.double().mean(1, keepdim=True) for name, start in (("proxy", proxy), ("gold", gold)))
    return Points([one["step"] for one in measured], distance, liked, worth, list(measured[-1]["texts"]))


def spread(gold: Tensor) -> dict[str, Any]:
    """Gold of the start: mean with its interval over the prompts, and deviation over its answers; [seeds, P, draws]."""
    return {"start": asdict(mean(gold.double().mean((0, 2)), (0.0, 1.0))), "deviation": gold.double().std().item()}


def gathered(wanted: Sequence[Curve], kept: Sequence[Sequence[Points]], gold: Tensor) -> list[dict[str, Any]]:
    """Every curve over its seeds, with its fit, and beside what it is to be compared with.

    Gold is in standard deviations of gold over the start's answers, as the proxies are in theirs. An interval is that
    of the prompts, each with its mean over the seeds; how far another seed goes is seen from the seeds themselves.
    """
    start = spread(gold)
    unit = start["deviation"]
    over = [_over(seeds, unit) for seeds in kept]
    known = dict(zip(wanted, over, strict=True))
    found = []
    for curve, seeds, points in zip(wanted, kept, over, strict=True):
        form = None if curve.penalty else FORMS[curve.method]      # held back, it goes no further
        each = [{"distance": one.distance.tolist(), "gold": (one.gold.mean(0) / unit).tolist(),
                 "proxy": one.proxy.mean(0).tolist(), "best": int(one.gold.mean(0).argmax()),
                 **_fitted(one.distance, one.gold.mean(0) / unit, form)} for one in seeds]
        place = int(points.gold.mean(0).argmax())
        rival = known.get(Curve(type(curve.proxy)(curve.proxy.comparisons, curve.proxy.flipped), curve.method))
        found.append({
            "method": curve.method, "comparisons": curve.proxy.comparisons, "flipped": curve.proxy.flipped,
            "kind": curve.proxy.kind, "penalty": curve.penalty, **start,
            "at": points.at, "distance": points.distance.tolist(),
            "proxy": [asdict(mean(column)) for column in points.proxy.T],
            "gold": [asdict(mean(column)) for column in points.gold.T],
            "best": place, "lost": asdict(mean(points.gold[:, place] - points.gold[:, -1])),
            "fit": _with_intervals(points, form),
            "above_single": None if rival is None or rival is points else compared(points, rival),
            "seeds": each, "texts": seeds[0].texts})
    return found


def compared(points: Points, rival: Points) -> dict[str, Any]:
    """Gold less that of a rival: at the last point of both, and on average where this one stands, at equal drift.

    Between its points the rival's curve is straight, from the start on; where this one went further than the rival
    ever did, nothing is compared.
    """
    distance, order = rival.distance.sort()
    known = torch.cat([torch.zeros(1, dtype=torch.float64), distance.double()])
    worth = torch.cat([torch.zeros(len(rival.gold), 1, dtype=torch.float64), rival.gold[:, order].double()], 1)
    inside = points.distance <= known[-1]
    at = points.distance[inside].double()
    right = torch.searchsorted(known, at).clamp(1, len(known) - 1)
    share = ((at - known[right - 1]) / (known[right] - known[right - 1]).clamp(min=1e-12)).clamp(0, 1)
    there = worth[:, right - 1] * (1 - share) + worth[:, right] * share
    gap = (points.gold[:, inside].double() - there).mean(1)
    return {"at_the_end": asdict(mean(points.gold[:, -1] - rival.gold[:, -1])),
            "at_equal_drift": asdict(mean(gap)) if inside.any() else None, "points": int(inside.sum())}


def _over(seeds: Sequence[Points], unit: float) -> Points:
    """Their mean, prompt by prompt, with gold in units of the start's deviation."""
    stacked = [torch.stack([getattr(one, name).double() for one in seeds]).mean(0)
               for name in ("distance", "proxy", "gold")]
    return Points(seeds[0].at, stacked[0], stacked[1], stacked[2] / unit, seeds[0].texts)


def _fitted(distance: Tensor, gold: Tensor, form: Form | None) -> dict[str, float | None]:
    """α, β and the peak of one curve; None for a peak that the curve never has, without a form, of too few points."""
    away = distance > 0
    if form is None or away.sum() < 2:
        return {"alpha": None, "beta": None, "peak": None}
    alpha, beta = fit(distance[away], gold[away], form)
    return {"alpha": alpha.item(), "beta": beta.item(), "peak": _finite(peak(alpha, beta, form).item())}


def _with_intervals(points: Points, form: Form | None) -> dict[str, Any]:
    """The same with percentile intervals of a bootstrap over the prompts, and R², the share of variance explained."""
    away = points.distance > 0
    if form is None or away.sum() < 2:
        return {"alpha": None, "beta": None, "peak": None, "r2": None}
    distance, gold = points.distance[away], points.gold[:, away]
    rows = torch.randint(len(gold), (DRAWS, len(gold)), generator=torch.Generator().manual_seed(0))
    alpha, beta = fit(distance, gold[rows].mean(1), form)
    one = _fitted(distance, gold.mean(0), form)
    found: dict[str, Any] = {}
    for name, drawn in (("alpha", alpha), ("beta", beta), ("peak", peak(alpha, beta, form))):
        low, high = (drawn.sort().values[round(q * (DRAWS - 1))].item() for q in (0.025, 0.975))
        found[name] = {"value": one[name], "low": _finite(low), "high": _finite(high)}
    curve = gold.mean(0)
    left = (curve - gold_at(distance, one["alpha"], one["beta"], form)).square().sum()
    whole = (curve - curve.mean()).square().sum()
    return {**found, "r2": (1 - left / whole).item() if whole > 0 else None}


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
