"""A training without a model, for `rlhf_kit.studio.trainings`: a line a step into metrics.jsonl, then result.json.

    python -m fake_training [--steps N] [--pause SECONDS] [--die STEP] [--deaf] --output DIR

It goes on at the line where it stopped, as the real ones do.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import alone, write_json_lines, write_text

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path)
parser.add_argument("--steps", type=int, default=3)
parser.add_argument("--pause", type=float, default=0.0)
parser.add_argument("--die", type=int)
parser.add_argument("--deaf", action="store_true")
options, _ = parser.parse_known_args()

if options.deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if options.steps == 0:
    print("working\nrlhf-kit: the disk is full of <b>feathers</b>. Free some space.", file=sys.stderr)
    sys.exit(2)
options.output.mkdir(parents=True, exist_ok=True)
with alone(options.output / ".lock", "busy"):
    write_text(options.output / "settings.json", "{}")
    place, path = RunFolder(options.output), options.output / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for step in range(len(rows) + 1, options.steps + 1):
        rows.append({"step": step, "score": step / options.steps, "kl": 0.5 * step, "by": os.getpid(),
                     "at": time.monotonic()})
        write_json_lines(path, rows)
        if step == options.die:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(options.pause)
    place.finish({"job": "fake", "nice": os.nice(0), "threads": os.environ["OMP_NUM_THREADS"], "stages": {}})
