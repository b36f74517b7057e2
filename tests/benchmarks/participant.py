"""One participant in a process of its own, on one thread: every step's CPU seconds, wall seconds and reward as JSON."""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

# What it is called: (its environment, its file in peers/, more for its `updates`).
PARTICIPANTS = {
    "rlhf-kit": ("kit", "kit", {}),
    "no library": ("kit", "floor", {}),
    "TRL 0.11.4": ("trl-0.11.4", "trl_0_11_4", {}),
    "TRL 0.11.4, sampling 4 at once": ("trl-0.11.4", "trl_0_11_4", {"at_once": 4}),
    "TRL 1.12": ("trl-1.12.0", "trl_1_12", {}),
}
AFTER_PPO = {"GRPO": ("rlhf-kit, GRPO", "TRL 1.16, GRPO"), "DPO": ("rlhf-kit, DPO", "TRL 1.16, DPO")}
# Both in the environment that the tests run in, which has TRL 1.16.
_AFTER_PPO = {"rlhf-kit, GRPO": ("kit", "kit_grpo", {}), "TRL 1.16, GRPO": ("kit", "trl_grpo", {}),
              "rlhf-kit, DPO": ("kit", "kit_dpo", {}), "TRL 1.16, DPO": ("kit", "trl_dpo", {})}
QUIET = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "WANDB_DISABLED": "true",
         "TOKENIZERS_PARALLELISM": "false", "TRL_EXPERIMENTAL_SILENCE": "1"}


def run(name: str, steps: int, learning_rate: float, seed: int = 0, goal: float = 1.0, **settings: float) -> dict:
    """Let a participant take `steps`, or fewer if the mean of its last ten rewards reaches the goal.

    The file is started by its path: TRL 0.11.4 installs a package `tests` of its own, which would hide this one.
    """
    from tests.benchmarks.environments import python  # here, for a peer's environment does not have the kit

    environment, module, more = {**PARTICIPANTS, **_AFTER_PPO}[name]
    order = {"module": module, "steps": steps, "goal": goal,
             "arguments": {"seed": seed, "learning_rate": learning_rate, **more, **settings}}
    done = subprocess.run([python(environment), __file__, json.dumps(order)], cwd=Path(__file__).parents[2],
                          env={**os.environ, **QUIET}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def recent(rewards: list[float]) -> float:
    """The mean of the last ten rewards, or nothing yet: one batch is noisy (standard error 0.013)."""
    return statistics.fmean(rewards[-10:]) if len(rewards) >= 10 else 0.0


def main() -> None:
    """In the participant's process: what `run` ordered. Imports are not counted, building the model is."""
    order = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    import torch
    import workload

    sys.path.append(str(Path(__file__).parent / "peers"))       # of what peers share
    torch.set_num_threads(1)
    updates = importlib.import_module(f"peers.{order['module']}").updates(**order["arguments"])
    taken = []
    for step in workload.measured(updates):
        taken.append(step)
        if len(taken) == order["steps"] or recent([step["reward"] for step in taken]) >= order["goal"]:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024             # MiB, on Linux
    print(json.dumps({"steps": taken, "peak_mib": peak, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
