"""The gallery's faults on three seeds, and twelve healthy runs: does `explain` name the faults, and nothing else?

    make bench ARGS=gallery                     SEEDS=3 changes it

Each run is kept in `gallery.json` as soon as it is there, so that a stopped bench goes on where it was, and a test
reads the rules' verdicts from it in no time. Delete the file to have everything anew.

What was seen when rules were chosen: seed 0. One of them, of a judge that is exploited, was changed twice, as a small
model (seed 8) and a slow GRPO (seed 3) had been given false alarms. The first time half of seed 1 was known; seed 2 and
the small models of seeds 9 and 10 came after. The second time all these were, and four faults of seed 3 that other
rules name; the other twelve and the slow runs of seeds 6 and 7 came after.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Step
from rlhf_kit.methods import grpo, ppo, sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.runs import explain
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import write_text
from rlhf_kit.studies import gallery
from rlhf_kit.tasks.arithmetic import Arithmetic
from rlhf_kit.tasks.assistant import Assistant

FILE = Path(__file__).with_name("gallery.json")
COMMAND = "make bench ARGS=gallery"
METRICS = (*explain.NEEDED, "gold", "value_loss")
DIGITS = 4

SHORT = Sampling(max_new_tokens=40)
GRPO = grpo.Config(steps=20, batch_size=32, group_size=4, learning_rate=1e-3, sampling=SHORT, missing_eos_penalty=0.5)


def _ppo(seed: int, change: Callable[[gallery.Parts], gallery.Parts] = lambda parts: parts) -> list[Step]:
    return gallery.train(change(gallery.healthy("en", seed)))[0]


def _grpo(seed: int, config: grpo.Config) -> list[Step]:
    parts = gallery.healthy("en", seed)
    return grpo.train(parts.policy, parts.reference, parts.prompts, parts.reward, replace(config, seed=seed),
                      evaluation_rewards={"gold": rewards.gold(parts.task)})


def _arithmetic(seed: int) -> list[Step]:
    task, policy = Arithmetic(), zoo.load_policy("tiny-lm-arithmetic", value_head=False)
    config = replace(GRPO, batch_size=64, group_size=8, kl=KL(coefficient=0.0), sampling=Sampling(max_new_tokens=8),
                     seed=seed)
    return grpo.train(policy, policy.reference(), task.prompts(), rewards.gold(task), config)


def _assistant(seed: int) -> list[Step]:
    task, policy = Assistant("en"), zoo.load_policy("tiny-base-en")
    config = replace(gallery.CONFIG, learning_rate=5e-4, sampling=Sampling(max_new_tokens=64), seed=seed, steps=12)
    return ppo.train(policy, policy.reference(), task.prompts(n=200), rewards.gold(task), config)


def _small(parts: gallery.Parts) -> gallery.Parts:
    """One layer of width 64, taught for a moment."""
    corpus = parts.task.corpus(3000)
    tokenizer = text.train_tokenizer(corpus, 500)
    policy = Policy(tiny.language_model(tokenizer, layers=1, width=64, context=96, seed=parts.config.seed), tokenizer)
    sft.train(policy, corpus, sft.Config(steps=250, batch_size=16, learning_rate=1e-2))
    return replace(parts, policy=policy, reference=policy.reference())


def _own_critic(parts: gallery.Parts) -> gallery.Parts:
    lm = parts.policy.lm
    return parts.learning(Policy(lm, parts.policy.tokenizer, value_trunk=copy.deepcopy(lm.base_model)))


WELL: dict[str, Callable[[], list[Step]]] = {
    "ppo, seed 3": lambda: _ppo(3),
    "ppo, seed 4, batches of 64": lambda: _ppo(4, lambda run: run.configured(batch_size=64, steps=12)),
    "ppo, seed 5, adaptive KL": lambda: _ppo(5, lambda run: run.configured(kl=KL(coefficient=0.1, target=6.0,
                                                                                horizon=500))),
    "ppo, seed 6, temperature 0.7": lambda: _ppo(6, lambda run: run.configured(
        sampling=Sampling(max_new_tokens=40, temperature=0.7))),
    "ppo, seed 7, a critic of its own": lambda: _ppo(7, _own_critic),
    "ppo, seed 8, a small model": lambda: _ppo(8, _small),
    "ppo, seed 9, a small model": lambda: _ppo(9, _small),
    "ppo, seed 10, a small model": lambda: _ppo(10, _small),
    "a2c, seed 3": lambda: _ppo(3, lambda run: replace(run, config=replace(ppo.a2c(run.config), learning_rate=3e-4))),
    "ppo, assistant, seed 0": lambda: _assistant(0),
    "grpo, seed 3": lambda: _grpo(3, GRPO),
    "grpo, seed 3, a third of the rate": lambda: _grpo(3, replace(GRPO, learning_rate=3e-4)),
    "grpo, seed 7, a third of the rate": lambda: _grpo(7, replace(GRPO, learning_rate=3e-4)),
    "rloo, seed 6, a third of the rate": lambda: _grpo(6, replace(grpo.rloo(GRPO), learning_rate=3e-4)),
    "rloo, seed 4": lambda: _grpo(4, grpo.rloo(GRPO)),
    "dr-grpo, seed 5": lambda: _grpo(5, grpo.dr_grpo(GRPO)),
    "grpo, arithmetic, seed 0": lambda: _arithmetic(0),
}

ILL_AFTER_ALL = {"grpo, seed 3": "rm-epochs"}       # its gold fell while its score doubled: the alarm is right


def stored() -> dict[str, Any]:
    """What the file holds: "about", "faults" (name -> seed -> run) and "healthy" (name -> run)."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"about": {}, "faults": {}, "healthy": {}}


def record(run: Mapping[str, Any]) -> explain.Record:
    """A stored run as the rules read one."""
    steps = len(run["metrics"]["score"])
    return explain.Record([{"step": i + 1, **{name: values[i] for name, values in run["metrics"].items()
                                              if i < len(values)}} for i in range(steps)])


def verdict(run: Mapping[str, Any]) -> str:
    """The first finding of a stored run, "" if there is none."""
    found = explain.findings(record(run))
    return found[0].fault if found else ""


def columns(steps: list[Step], seconds: float) -> dict[str, Any]:
    """A run as it is stored."""
    return {"cpu_seconds": round(seconds, 1), "metrics": {
        name: [float(f"{step.metrics[name]:.{DIGITS}g}") for step in steps if name in step.metrics]
        for name in METRICS if name in steps[0].metrics}}


def made(fault: str, seed: int) -> dict[str, Any]:
    """The run of a fault, or with "healthy" of none."""
    parts, began = gallery.healthy("en", seed), time.process_time()
    steps, check = gallery.train(parts if fault == gallery.HEALTHY else gallery.named(fault).spoil(parts))
    return {**columns(steps, time.process_time() - began), "check": check}


def main() -> None:
    """Make what is missing, and say what the rules say."""
    torch.set_num_threads(1)
    kept = stored()
    kept["about"] = {"command": COMMAND, "date": date.today().isoformat(), "python": platform.python_version(),
                     **{name: version(name) for name in ("torch", "transformers")}}
    for name, run in WELL.items():
        if name not in kept["healthy"]:
            began = time.process_time()
            steps = run()
            _keep(kept, "healthy", name, columns(steps, time.process_time() - began))
        print(f"{name:35s}{verdict(kept['healthy'][name]) or '-'}", flush=True)
    for seed in map(str, range(int(os.environ.get("SEEDS", "3")))):
        for fault in (gallery.HEALTHY, *gallery.FAULTS):
            of = kept["faults"].setdefault(fault, {})
            if seed not in of:
                of[seed] = made(fault, int(seed))
                _keep(kept, "faults", fault, of)
            print(f"{fault:20s}seed {seed}  {verdict(of[seed]) or '-'}", flush=True)
    for seed, (right, of) in hits(kept).items():
        print(f"seed {seed}: {right} of {of} faults named")


def hits(kept: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Seed -> (faults that the first finding names, faults that are stored)."""
    faults = {fault: of for fault, of in kept["faults"].items() if fault != gallery.HEALTHY}
    seeds = sorted({seed for of in faults.values() for seed in of})
    return {seed: (sum(verdict(of[seed]) == fault for fault, of in faults.items() if seed in of),
                   sum(seed in of for of in faults.values())) for seed in seeds}


def _keep(kept: dict[str, Any], part: str, name: str, run: dict[str, Any]) -> None:
    kept[part][name] = run
    write_text(FILE, json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")
