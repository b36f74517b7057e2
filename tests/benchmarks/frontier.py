"""All methods in one picture on the English reviews: what `rlhf-kit frontier` measures, kept in `frontier.json`.

    make bench ARGS=frontier                    SEEDS=1 METHODS=ppo,dpo change it

Points are kept in the cache's folder `bench-frontier`, so that a stopped run goes on where it was. The JSON has every
point without its texts; `docs/frontier.en.png` and `docs/frontier.zh.png` are drawn from it.
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

from rlhf_kit import plots
from rlhf_kit.language import LANGS, say
from rlhf_kit.storage import write_text
from rlhf_kit.studies import frontier
from rlhf_kit.studies.frontier import page
from tests.benchmarks.kept import result_of, save_pictures

FILE = Path(__file__).with_name("frontier.json")
LEFT_OUT = ("texts", "config")          # of a point


def main() -> None:
    """SEEDS (default 3) and METHODS (all); the JSON, both pictures and the rows of the pages."""
    torch.set_num_threads(1)
    job = frontier.FrontierJob(task="reviews-en", lang="en", seeds=int(os.environ.get("SEEDS", 3)),
                               methods=frontier.chosen(os.environ.get("METHODS")))
    stored = kept(result_of(job, "frontier"))
    write_text(FILE, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    draw(stored)
    for lang in LANGS:
        print("", *table(stored, lang), sep="\n")


def kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a run: when, with what, and every point."""
    points = [{name: value for name, value in point.items() if name not in LEFT_OUT} for point in result["points"]]
    return {"command": "make bench ARGS=frontier", "date": date.today().isoformat(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in (
                "rlhf-kit", "torch", "transformers")}},
            **{name: result[name] for name in ("world", "start", "judge", "methods", "seeds", "size")},
            "cpu_seconds": round(result["cpu_seconds"]), "points": points}


def draw(stored: Mapping[str, Any]) -> None:
    """The picture in both languages."""
    save_pictures("frontier", lambda lang: plots.frontier(
        page.panels(stored, lang), across=say(lang, "frontier_across"), names=page.names(lang)))


HEAD = {"en": "| method | dial, from near to far | most gold | where | √KL | reward model | drawn to learn | CPU s | "
              "gold at the end of the dial |",
        "zh": "| 方法 | 旋钮，由近到远 | 最高真值 | 在哪里 | √KL | 奖励模型 | 学习时采样 | CPU 秒 | 拧到头时的真值 |"}


def table(stored: Mapping[str, Any], lang: str) -> Iterator[str]:
    """A row for each method: its setting with the most gold, and where its dial ends."""
    yield HEAD[lang]
    yield "|---" * 9 + "|"
    for method in stored["methods"]:
        points = [point for point in stored["points"] if point["method"] == method]
        best = max(points, key=lambda point: point["gold"]["mean"])
        dial = ", ".join(f"{point['value']:g}" for point in points if point["value"] is not None) or "–"
        cells = (say(lang, f"frontier_name_{method}"), dial, _pm(best["gold"]), page.setting(best, lang) or "–",
                 f"{best['root_kl']:.2f}", _pm(best["proxy"]), f"{best['drawn']:,}", f"{best['cpu_seconds']:.0f}",
                 _pm(points[-1]["gold"]) if len(points) > 1 else "–")
        yield f"| {' | '.join(cells)} |"


def _pm(estimate: Mapping[str, float]) -> str:
    return f"{estimate['mean']:.2f} ± {(estimate['high'] - estimate['low']) / 2:.2f}"


if __name__ == "__main__":
    main()
