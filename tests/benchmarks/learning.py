"""CPU seconds until the policy says what pays: ten steps with a mean reward of 0.26, where the best policy has 0.352.

About an hour. Each library runs as it comes and with λ = 1, at three learning rates and three seeds of sampling.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.benchmarks.measured import keep
from tests.benchmarks.participant import recent, run

GOAL, LIMIT, SEEDS, RATES = 0.26, 300, (0, 1, 2), (3e-4, 1e-3, 3e-3)
SETTINGS: tuple[tuple[str, Mapping[str, float]], ...] = (
    ("TRL 0.11.4", {}), ("rlhf-kit", {}), ("TRL 0.11.4", {"lam": 1.0}), ("rlhf-kit", {"lam": 1.0}))
HEADER = (f"| | learning rate | CPU s to {GOAL:g} | each seed | steps | CPU s a step | last ten: reward | KL |\n"
          "|---|---|---|---|---|---|---|---|")


@dataclass
class Row:
    """One library with one setting, a run a seed."""

    name: str
    settings: Mapping[str, float]
    learning_rate: float
    runs: list[dict[str, float]] = field(default_factory=list)

    def run(self, seed: int) -> None:
        """Only sampling has the seed; weights and prompts stay the same. A run that never gets there took forever."""
        taken = run(self.name, LIMIT, self.learning_rate, seed, GOAL, **self.settings)["steps"]
        cpu, reward, kl = ([step[what] for step in taken] for what in ("cpu", "reward", "kl"))
        there = recent(reward) >= GOAL
        self.runs.append({"seconds": sum(cpu) if there else math.inf, "steps": len(taken) if there else math.inf,
                          "each": statistics.median(cpu), "reward": recent(reward), "kl": recent(kl)})
        print(f"{self.title}, {self.learning_rate:g}, seed {seed}: {len(taken)} steps, {sum(cpu):.1f} CPU s, "
              f"reward {recent(reward):.3f}, KL {recent(kl):.1f}", flush=True)

    @property
    def title(self) -> str:
        return ", ".join([self.name, *(f"{name} {value:g}" for name, value in self.settings.items())])

    def median(self, what: str) -> float:
        return statistics.median(run[what] for run in self.runs)

    def __str__(self) -> str:
        cells = [self.title, f"{self.learning_rate:g}", number(self.median("seconds")),
                 ", ".join(number(run["seconds"]) for run in self.runs), number(self.median("steps")),
                 f"{self.median('each'):.2f}", f"{self.median('reward'):.3f}", f"{self.median('kl'):.1f}"]
        return f"| {' | '.join(cells)} |"


def number(amount: float) -> str:
    return f"{amount:.0f}" if math.isfinite(amount) else "not reached"


def main() -> None:
    """Take turns: every row one seed, then the next seed in the other order. Each run says its result when it ends."""
    rows = [Row(name, settings, rate) for name, settings in SETTINGS for rate in RATES]
    turns = [row for rate in RATES for row in rows if row.learning_rate == rate]
    for number_of_turn, seed in enumerate(SEEDS):
        for row in turns[:: 1 if number_of_turn % 2 == 0 else -1]:
            row.run(seed)
    print(HEADER, *rows, sep="\n")
    keep("learning", "make bench ARGS=learning", [*HEADER.splitlines(), *map(str, rows)])
