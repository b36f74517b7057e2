"""The README's first picture: what the judge says and what is true, before PPO, after it, and after it without a price.

    make bench ARGS=first_picture               three seeds in both languages; LANGUAGES changes it

Three seeds each; the second tour of a seed finds the language model and the judge of the first. Numbers are kept in
`first_picture.json`, from which docs/three-policies.*.png are drawn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rlhf_kit import plots
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.storage import write_text
from tests.benchmarks.differences import about

FILE = Path(__file__).with_name("first_picture.json")
DOCS = Path(__file__).parents[2] / "docs"
SEEDS = (0, 1, 2)
RUNS: dict[str, tuple[str, ...]] = {"priced": (), "free": ("--kl", "0")}
NAMES = {"before": {"en": "before RLHF", "zh": "RLHF 之前"},
         "priced": {"en": "after RLHF", "zh": "RLHF 之后"},
         "free": {"en": "after RLHF with no price\non drifting away", "zh": "RLHF 之后，\n偏离不付代价"}}
METRICS = {"score": {"en": "what the judge says", "zh": "评判模型说的"},
           "gold": {"en": "what is true", "zh": "真实的质量"}}


def one(lang: Lang, seed: int) -> dict[str, dict[str, float]]:
    """Both tours of a seed: before, priced, free -> score and gold."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RLHF_KIT_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1"}
        for name, options in RUNS.items():
            command = [sys.executable, "-m", "rlhf_kit.cli", "tour", "--lang", lang, "--seed", str(seed), "--json",
                       "--output", f"{folder}/{name}", *options]
            result = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
            for where, side in (("before", "before"), (name, "after")):
                found[where] = {metric: result[side]["scores"][metric]["mean"] for metric in METRICS}
    return found


def drawn(stored: dict[str, Any], lang: Lang) -> Any:
    """The picture in one language: means over the seeds, and lines from the lowest to the highest."""
    seeds = list(stored["languages"][lang].values())
    each = {name: {metric: [seed[name][metric] for seed in seeds] for metric in METRICS} for name in NAMES}
    plots.speak({plots.NAMES[metric]: METRICS[metric][lang] for metric in METRICS})
    try:
        return plots.grouped_bars(
            {NAMES[name][lang]: {metric: statistics.fmean(x) for metric, x in of.items()} for name, of in each.items()},
            ranges={NAMES[name][lang]: {metric: (min(x), max(x)) for metric, x in of.items()}
                    for name, of in each.items()})
    finally:
        plots.speak({})


def main() -> None:
    """LANGUAGES (default "en zh"): a seed is stored as soon as it is done."""
    languages = os.environ.get("LANGUAGES", " ".join(LANGS)).split()
    for lang in languages:
        for seed in SEEDS:
            found = json.loads(FILE.read_text(encoding="utf-8"))["languages"] if FILE.exists() else {}
            if str(seed) not in found.get(lang, {}):
                found.setdefault(lang, {})[str(seed)] = one(lang, seed)
                write_text(FILE, json.dumps({"about": about("first_picture"), "languages": found}, indent=1) + "\n")
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    for lang in languages:
        plots.save(drawn(stored, lang), DOCS / f"three-policies.{lang}.png")
        print(lang, json.dumps(stored["languages"][lang]))


if __name__ == "__main__":
    main()
