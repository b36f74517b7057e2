"""How long grading a class of forty takes, from the command to the table: `make bench ARGS=grading`."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rlhf_kit
from tests.attacks import hostile, notebook, pupils

RUNS = 3
TROUBLE = ("endless loop", "sleeper", "20 GB", "exit", "printer", "syntax error", "fork bomb", "caller")
USUAL = ("honest", "sign error", "sum for mean", "unstable", "untouched", "stub behind", "exception", "nan")


def hand_in(folder: Path, n: int = 40) -> None:
    """Forty notebooks: five that use up all they may, one of every kind of trouble, the others as a class has them."""
    known, worst = pupils(folder, Path(rlhf_kit.__file__).parent, 1), hostile()
    names = [*worst, *TROUBLE, *(USUAL[i % len(USUAL)] for i in range(n - len(worst) - len(TROUBLE)))]
    for number, name in enumerate(names):
        (folder / f"{number:02d} {name}.ipynb").write_text(notebook(worst.get(name) or known[name].cells))


def main() -> None:
    """Print seconds of wall and processor."""
    took, used, isolation = [], [], ""
    with tempfile.TemporaryDirectory() as folder:
        hand_in(Path(folder))
        for _ in range(RUNS):
            before, began = os.times(), time.perf_counter()
            command = [sys.executable, "-m", "rlhf_kit.cli", "grade", folder, "--lesson", "01", "--json"]
            said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            after = os.times()
            took.append(time.perf_counter() - began)
            used.append(after.children_user + after.children_system - before.children_user - before.children_system)
            assert len(said["students"]) == 40
            isolation = said["isolation"]
    print(f"40 submissions, isolation {isolation}, {os.cpu_count()} cores: {statistics.median(took):.1f} s "
          f"({', '.join(f'{seconds:.1f}' for seconds in took)}), {statistics.median(used):.1f} s of processor "
          f"in the grader itself; load {os.getloadavg()[0]:.1f}")
