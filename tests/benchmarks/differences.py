"""Differences that signatures ask for: prompt by prompt in a seed, over the seeds, and as the rows of a page."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from typing import Any

HEAD = {"en": "| difference, prompt by prompt | mean, 95 % interval | each seed |",
        "zh": "| 逐条提示之差 | 均值与 95% 区间 | 各个种子 |"}


def about(name: str) -> dict[str, str]:
    """How and where a bench was run."""
    return {"command": f"make bench ARGS={name}", "date": date.today().isoformat(),
            "machine": f"{platform.machine()}, one thread", "python": platform.python_version(),
            **{one: version(one) for one in ("rlhf-kit", "torch", "transformers")}}


def mean(values: Sequence[float]) -> list[float]:
    """[mean, standard error]."""
    return [statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5]


def over_seeds(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every difference over the seeds that have it: the mean, the standard error of prompts, and each seed's.

        mean of m_s,  √(Σ se_s²) / S
    """
    found = {}
    names = dict.fromkeys(name for part in parts.values() for name in part["differences"])
    for name in names:
        each = [part["differences"][name] for part in parts.values() if name in part["differences"]]
        found[name] = {"mean": statistics.fmean(m for m, _ in each),
                       "se": sum(se ** 2 for _, se in each) ** 0.5 / len(each), "each": [m for m, _ in each]}
    return found


def rows_of(differences: Mapping[str, Mapping[str, Any]], lang: str = "en",
            chinese: Sequence[tuple[str, str]] = ()) -> list[str]:
    """Every difference with its interval, and each seed's. In `chinese` longer words stand before their parts."""
    rows = [HEAD[lang], "|---|---|---|"]
    for name, one in differences.items():
        each = ", ".join(f"{x:+.3f}" for x in one["each"])
        shown = f"{one['mean']:+.3f} ± {1.96 * one['se']:.3f}" if one["se"] else f"{one['mean']:+.3f}"
        if lang == "zh":
            for english, words in chinese:
                name = name.replace(english, words)
        rows.append(f"| {name} | {shown} | {each} |")
    return rows
