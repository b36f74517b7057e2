"""What one PPO step costs, in the kit and in its peers: sampling, scoring and 16 gradients, one thread."""

from __future__ import annotations

import os
import statistics
import sys

from tests.benchmarks.measured import keep
from tests.benchmarks.participant import PARTICIPANTS, run
from tests.benchmarks.workload import LEARNING_RATE

ROUNDS, WARM_UP, STEPS, YARDSTICK = 3, 2, 6, "TRL 0.11.4"
HEADER = "| | CPU s a step | fastest step | to TRL 0.11.4 | wall s | peak MiB |\n|---|---|---|---|---|---|"


def main() -> None:
    """Take turns, so that a busy machine is busy for all; then print the table: medians over the rounds."""
    rounds: dict[str, list[dict]] = {name: [] for name in PARTICIPANTS}
    for number in range(ROUNDS):
        for name in list(PARTICIPANTS)[:: 1 if number % 2 == 0 else -1]:
            done = run(name, WARM_UP + STEPS, LEARNING_RATE)
            done["steps"] = done["steps"][WARM_UP:]
            rounds[name].append(done)
            print(f"round {number + 1}, {name}: {middle(done, 'cpu'):.3f} CPU s a step, load {os.getloadavg()[0]:.1f}",
                  file=sys.stderr, flush=True)
    lines = HEADER.splitlines()
    yardstick = over_rounds(rounds[YARDSTICK], "cpu")
    for name, runs in rounds.items():
        cpu = over_rounds(runs, "cpu")
        fastest = min(step["cpu"] for done in runs for step in done["steps"])
        lines.append(f"| {name} | {cpu:.2f} | {fastest:.2f} | {cpu / yardstick:.2f} | {over_rounds(runs, 'wall'):.2f} "
                     f"| {max(done['peak_mib'] for done in runs):.0f} |")
    print(*lines, sep="\n")
    keep("step", "make bench ARGS=step", lines)


def middle(done: dict, what: str) -> float:
    return statistics.median(step[what] for step in done["steps"])


def over_rounds(runs: list[dict], what: str) -> float:
    return statistics.median(middle(done, what) for done in runs)
