"""`rlhf-kit train stackllama --preset tiny`, one thread, three seeds: a table of the README.

The first row begins with an empty cache and trains the base too; the others find it there. Rows of the Chinese forum
are one line away: `("zh", 0, "int8")` in RUNS.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile

from tests.benchmarks.measured import keep
from tests.benchmarks.tour import pm

RUNS = [*(("en", seed, "int8") for seed in (0, 1, 2)), ("en", 0, "none")]       # forum, seed, how the base is held
HEADER = ("| forum, seed, base in | pairs right, of the truth's | by length alone | gold: base | after SFT | "
          "after PPO | KL | end by themselves | different | CPU s |\n|---|---|---|---|---|---|---|---|---|---|")


def one(lang: str, seed: int, quantize: str, cache: str) -> str:
    """Run the whole pipeline in a process of its own and turn its result into a row."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RLHF_KIT_CACHE": cache, "OMP_NUM_THREADS": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "rlhf_kit.cli", "train", "stackllama", "--lang", lang, "--seed", str(seed),
                   "--json", "--quantize", quantize, "--output", f"{folder}/run"]
        result = json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    voters, seen = result["reward_model"], result["policies"]
    cells = [f"{lang}, {seed}, {'fp32' if quantize == 'none' else quantize}",
             f"{pm(voters['accuracy'])} of {voters['ceiling']:.3f}", f"{voters['length_only']['mean']:.3f}",
             *(pm(seen[name]["scores"]["gold"]) for name in ("base", "sft", "ppo")), f"{seen['ppo']['kl']:.1f}",
             f"{seen['ppo']['eos_rate']:.2f}", f"{seen['ppo']['distinct']:.2f}", f"{cpu:.0f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, row by row, and keep it."""
    lines = HEADER.splitlines()
    print(HEADER)
    with tempfile.TemporaryDirectory() as cache:
        for lang, seed, quantize in RUNS:
            lines.append(one(lang, seed, quantize, cache))
            print(lines[-1], flush=True)
    keep("stack", "make bench ARGS=stackllama", lines)
