"""The tour from an empty cache, one thread, three seeds and both languages: tables of the README. JUDGE=ranked."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile

from tests.benchmarks.measured import keep

SEEDS, LANGS = (0, 1, 2), ("en", "zh")
HEADER = ("| language, seed | score before | after | gold before | after | KL | end by themselves | different "
          "| judge right | CPU s |\n|---|---|---|---|---|---|---|---|---|---|")


def one(lang: str, seed: int) -> str:
    """Run one tour in a process of its own and turn its result into a row."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RLHF_KIT_CACHE": f"{folder}/cache", "OMP_NUM_THREADS": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "rlhf_kit.cli", "tour", "--lang", lang, "--seed", str(seed), "--json",
                   "--output", f"{folder}/tour", "--judge", os.environ.get("JUDGE", "classifier")]
        result = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    then, now = result["before"], result["after"]
    cells = [f"{lang}, {seed}", *(pm(side["scores"][name]) for name in ("score", "gold") for side in (then, now)),
             f"{now['kl']:.1f}", f"{now['eos_rate']:.2f}", f"{now['distinct']:.2f}",
             " of ".join(f"{one['mean']:.3f}" for one in result["judge_accuracy"].values()), f"{cpu:.0f}"]
    return f"| {' | '.join(cells)} |"


def pm(estimate: dict[str, float]) -> str:
    """A mean with its standard error."""
    return f"{estimate['mean']:.3f} ± {(estimate['high'] - estimate['low']) / 3.92:.3f}"


def main() -> None:
    """Print the table, row by row, and keep it."""
    lines = HEADER.splitlines()
    print(HEADER)
    for lang in LANGS:
        for seed in SEEDS:
            lines.append(one(lang, seed))
            print(lines[-1], flush=True)
    ranked = os.environ.get("JUDGE") == "ranked"
    keep("ranked" if ranked else "tour", f"make bench ARGS=tour{' JUDGE=ranked' * ranked}", lines)
