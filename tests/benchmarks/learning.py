"""CPU seconds until the policy is good: the mean reward of ten steps at 0.26, where 0.352 is the best there is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.benchmarks.participant import recent, run

GOAL, LIMIT, SEEDS, RATES = 0.26, 300, (0, 1, 2), (3e-4, 1e-3, 3e-3)
SETTINGS: tuple[tuple[str, Mapping[str, float]], ...] = (("TRL 0.11.4", {}), ("rlhf-kit", {}))
HEADER = (f"| | learning rate | CPU s to {GOAL}, median | each seed | steps | CPU s a step | at the end |\n"
          "|---|---|---|---|---|---|---|")


@dataclass
class Row:
    """One participant at one learning rate; a run that never gets there took forever."""

    name: str
    settings: Mapping[str, float]
    learning_rate: float
    seconds: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    each: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)

    def run(self, seed: int) -> None:
        """The seed is that of sampling; weights and prompts stay the same."""
        taken = run(self.name, LIMIT, self.learning_rate, seed, GOAL, **self.settings)["steps"]
        cpu, end = sum(step["cpu"] for step in taken), recent([step["reward"] for step in taken])
        self.seconds.append(cpu if end >= GOAL else math.inf)
        self.steps.append(len(taken) if end >= GOAL else math.inf)
        self.each.append(cpu / len(taken))
        self.end.append(end)
        print(f"{self.title}, {self.learning_rate:g}, seed {seed}: {len(taken)} steps, {cpu:.0f} CPU s, "
              f"ten-step mean {end:.3f}", flush=True)

    @property
    def title(self) -> str:
        return ", ".join([self.name, *(f"{name}={value:g}" for name, value in self.settings.items())])

    def __str__(self) -> str:
        cells = [self.title, f"{self.learning_rate:g}", number(statistics.median(self.seconds)),
                 ", ".join(map(number, self.seconds)), number(statistics.median(self.steps)),
                 f"{statistics.median(self.each):.2f}", f"{statistics.median(self.end):.3f}"]
        return f"| {' | '.join(cells)} |"


def number(seconds: float) -> str:
    return f"{seconds:.0f}" if math.isfinite(seconds) else "–"


def main() -> None:
    """Take turns: every row one seed, then the next seed in the other order. Over an hour; each run says its result."""
    rows = [Row(name, settings, rate) for rate in RATES for name, settings in SETTINGS]
    for turn, seed in enumerate(SEEDS):
        for row in rows[:: 1 if turn % 2 == 0 else -1]:
            row.run(seed)
    print(HEADER)
    for row in sorted(rows, key=lambda row: row.title):
        print(row)
