"""Over-optimisation on the English reviews: what `rlhf-kit overoptimisation` measures, in `overoptimisation.json`.

    make bench ARGS=overoptimisation        SEEDS=1 METHODS=best-of-n SIZES=200,4000 change it

Pieces are kept in the cache's folder `bench-overoptimisation`, so that a stopped run goes on where it was. The JSON has
every curve without its texts; `docs/overoptimisation.en.png` and `docs/overoptimisation.zh.png` are drawn from it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from rlhf_kit.language import LANGS
from rlhf_kit.storage import write_text
from rlhf_kit.studies import overoptimisation
from rlhf_kit.studies.overoptimisation import page
from tests.benchmarks.kept import result_of, save_pictures

FILE = Path(__file__).with_name("overoptimisation.json")


def main() -> None:
    """SEEDS (default 3), METHODS and SIZES (all); the JSON, both pictures and the rows of the pages."""
    torch.set_num_threads(1)
    job = overoptimisation.OveroptimisationJob(
        task="reviews-en", lang="en", seeds=int(os.environ.get("SEEDS", 3)),
        methods=overoptimisation.chosen(os.environ.get("METHODS")),
        sizes=overoptimisation.sizes(os.environ.get("SIZES")))
    stored = joined(kept(result_of(job, "overoptimisation")))
    write_text(FILE, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    draw(stored)
    for lang in LANGS:
        print("", *table(stored, lang), sep="\n")


def kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a run: when, with what, and every curve, its numbers rounded."""
    curves = [_rounded({name: value for name, value in curve.items() if name != "texts"}) for curve in result["curves"]]
    return {"command": "make bench ARGS=overoptimisation", "date": date.today().isoformat(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in (
                "rlhf-kit", "torch", "transformers")}},
            **{name: result[name] for name in ("world", "start", "amounts", "accuracy")},
            "cpu_seconds": round(result["cpu_seconds"]), "curves": curves}


def joined(new: dict[str, Any]) -> dict[str, Any]:
    """The same with the curves of earlier runs of this bench that it has not, or of which those had more seeds."""
    if not FILE.exists():
        return new
    old = json.loads(FILE.read_text(encoding="utf-8"))
    if any(old[name] != new[name] for name in ("world", "start", "amounts")):
        return new
    return {**new, "accuracy": _with_more_seeds(old["accuracy"], new["accuracy"]),
            "curves": _with_more_seeds(old["curves"], new["curves"])}


def _with_more_seeds(old: list[dict], new: list[dict]) -> list[dict]:
    """Of two rows about the same proxy and method the one of more seeds, the new one if they have as many."""
    best: dict[tuple, dict] = {}
    for one in (*old, *new):
        of = tuple(one.get(name) for name in ("method", "kind", "penalty", "flipped", "comparisons"))
        if of not in best or len(one["seeds"]) >= len(best[of]["seeds"]):
            best[of] = one
    order = ("best-of-n", "ppo", None), ("single", "mean", "worst", "uwo", None)
    return sorted(best.values(), key=lambda one: (order[0].index(one.get("method")), one["flipped"], one["comparisons"],
                                                  order[1].index(one.get("kind")), one.get("penalty", 0)))


def _rounded(x: Any) -> Any:
    if isinstance(x, float):
        return round(x, 5)
    if isinstance(x, Mapping):
        return {name: _rounded(value) for name, value in x.items()}
    return [_rounded(one) for one in x] if isinstance(x, list) else x


def draw(stored: Mapping[str, Any]) -> None:
    """The picture in both languages."""
    save_pictures("overoptimisation", lambda lang: page.picture(stored, lang))


def table(stored: Mapping[str, Any], lang: str) -> Iterator[str]:
    """A row for each curve, as on the run's page."""
    heads = page.heads(lang)
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for curve in stored["curves"]:
        yield f"| {' | '.join(page.row(curve, lang))} |"


if __name__ == "__main__":
    main()
