"""What one step of GRPO and of DPO costs, in the kit and in TRL 1.16: the same model, batch and lengths, one thread.

    make bench ARGS=after_ppo                   ROUNDS=5 changes it

GRPO: 8 prompts answered 8 times with 20 tokens, scored by a Python function, read by the reference, one gradient.
DPO: 16 pairs of 20 tokens behind prompts of 8, read by policy and reference, one gradient.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

from rlhf_kit.storage import write_text
from tests.benchmarks.measured import keep
from tests.benchmarks.participant import AFTER_PPO, run
from tests.benchmarks.step import middle, over_rounds
from tests.benchmarks.workload import LEARNING_RATE

FILE = Path(__file__).with_name("after_ppo.json")
ROUNDS, WARM_UP, STEPS = int(os.environ.get("ROUNDS", 3)), 2, {"GRPO": 8, "DPO": 24}
ASKED = 0.80                                            # of TRL's CPU seconds, at most


def main() -> None:
    """Take turns, so that a busy machine is busy for all; the table, and the JSON that the pages read."""
    found = {}
    for method, (ours, theirs) in AFTER_PPO.items():
        rounds: dict[str, list[dict]] = {ours: [], theirs: []}
        for number in range(ROUNDS):
            for name in (ours, theirs)[:: 1 if number % 2 == 0 else -1]:
                done = run(name, WARM_UP + STEPS[method], LEARNING_RATE)
                done["steps"] = done["steps"][WARM_UP:]
                rounds[name].append(done)
                print(f"round {number + 1}, {name}: {middle(done, 'cpu'):.4f} CPU s a step, load "
                      f"{os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        cpu = {name: over_rounds(done, "cpu") for name, done in rounds.items()}
        each = [middle(a, "cpu") / middle(b, "cpu") for a, b in zip(rounds[ours], rounds[theirs], strict=True)]
        fastest = {name: min(step["cpu"] for one in done for step in one["steps"]) for name, done in rounds.items()}
        found[method] = {"kit": cpu[ours], "trl": cpu[theirs], "ratio": cpu[ours] / cpu[theirs], "each_round": each,
                         "fastest": fastest[ours] / fastest[theirs],
                         "peak_mib": {name: max(one["peak_mib"] for one in done) for name, done in rounds.items()}}
    lines = ["| | rlhf-kit, CPU s a step | TRL 1.16 | to TRL | each round | fastest steps |",
             "|---|---|---|---|---|---|",
             *(f"| {method} | {one['kit']:.3f} | {one['trl']:.3f} | {one['ratio']:.2f} | "
               f"{', '.join(f'{x:.2f}' for x in one['each_round'])} | {one['fastest']:.2f} |"
               for method, one in found.items())]
    keep("after_ppo", "make bench ARGS=after_ppo", lines)
    print(*lines, sep="\n")
    about = {"command": "make bench ARGS=after_ppo", "date": date.today().isoformat(), "rounds": ROUNDS,
             "steps": STEPS, "asked": ASKED, "load": statistics.fmean(os.getloadavg()),
             "versions": {name: version(name) for name in ("rlhf-kit", "trl", "transformers", "torch")}}
    write_text(FILE, json.dumps({**about, "methods": found}, indent=1) + "\n")
