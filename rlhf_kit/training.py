"""What `rlhf-kit train` does: a model's name and a file become a trained model in a folder, resumed when killed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import evaluate, side_by_side, win_rate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang
from rlhf_kit.methods import ppo, sft
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs import Event, RunFolder
from rlhf_kit.sampling import check_room
from rlhf_kit.storage import write_json_lines
from rlhf_kit.tasks.reviews import Reviews
from rlhf_kit.tasks.texts import hold_out, read_pairs, read_texts

SMALL = 20_000_000                  # parameters; below, a model takes a tiny one's settings and a single thread
EVALUATED = 128                     # held-out prompts, one response each
SHOWN = 10                          # of them in the result
WRITTEN_EVERY = 10                  # steps between two writings of metrics.jsonl


@dataclass(frozen=True, kw_only=True)
class Sft:
    """Fine-tune a language model on texts, or on (prompt, response) pairs of which only the response counts."""

    model: str                              # a tiny model's name, a folder, or a hub id
    data: str | None = None                 # a file; None = the made-up reviews
    text: str = "text"                      # its column of whole texts, unless it holds pairs:
    prompt: str | None = None
    response: str | None = None
    lang: Lang = "en"                       # of the made-up reviews
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `sft.Config` that differ from its defaults

    def __post_init__(self) -> None:
        if (self.prompt is None) != (self.response is None):
            there, missing = ("--response", "--prompt") if self.prompt is None else ("--prompt", "--response")
            raise ValueError(f"{there} is given without {missing}; pairs need both columns, whole texts neither.")
        if self.data is None and (self.prompt is not None or self.text != "text"):
            raise ValueError("--text, --prompt and --response are columns of a file, and there is none. "
                             "Name it with --data.")
        changed(TINY_SFT, self.changes)

    def run(self, folder: str | Path, fresh: bool = False, threads: int | None = None) -> Iterator[Event]:
        """Train into `folder`: `model/`, a line a step in `metrics.jsonl`, and `result.json`.

        `fresh` throws away the run that is there, once everything that the new one needs is in hand. `threads` are
        for a model that is not tiny; None leaves torch's own number.
        """
        place = RunFolder(folder)
        place.check()
        learn, held_out = self._examples()
        policy = zoo.load_policy(self.model, value_head=False, device=self.device)
        use_threads(threads, policy)
        config = changed(TINY_SFT if parameters(policy) < SMALL else REAL_SFT, self.changes)
        before = sft.loss_on(policy, held_out, config)
        if fresh:
            place.clear()
        with place.working(claimed(self)):
            history: list[Step] = []
            yield Event("sft", 0, config.steps)
            with place.timed("sft"):
                for step in sft.steps(policy, learn, config, checkpoint=place.path / "checkpoints"):
                    history.append(step)
                    _write_metrics(place, history, config.steps)
                    yield Event("sft", step.number + 1, config.steps, step.metrics)
                after = sft.loss_on(policy, held_out, config)
                zoo.save_policy(policy, place.path / "model")
            result = {"job": "sft", "settings": _described(self, config), "examples": len(learn),
                      "held_out": 0 if held_out == learn else len(held_out),
                      "loss": {"before": before, "after": after}, "steps": len(history)}
            place.finish(result)

    def _examples(self) -> tuple[list, list]:
        if self.data is None:
            task = Reviews(self.lang)
            return task.corpus(6000), task.corpus(300, split="heldout")
        if self.prompt is not None:
            return hold_out(read_pairs(self.data, self.prompt, self.response))
        return hold_out(read_texts(self.data, self.text))


@dataclass(frozen=True, kw_only=True)
class Ppo:
    """Train a policy with PPO towards a classifier's opinion or a reward function of yours."""

    model: str                              # a tiny model's name, a folder, or a hub id
    judge: str | None = None                # the same for a classifier: its probability of `label` is the score
    label: str = "positive"                 # by name; models differ in the order of their outputs
    reward: str | None = None               # or a function: my_reward.py:reward
    prompts: str | None = None              # a file of prompts; None = openings of the made-up reviews
    column: str = "prompt"                  # its column, unless it is a .txt
    lang: Lang = "en"                       # of the made-up reviews
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `ppo.Config` that differ from its defaults

    def __post_init__(self) -> None:
        if (self.judge is None) == (self.reward is None):
            seen = "neither --judge nor --reward is" if self.judge is None else "both --judge and --reward are"
            raise ValueError(f"{seen} given; PPO needs one thing to please. Name a classifier with --judge, or a "
                             f"function of yours with --reward my_reward.py:reward.")
        if self.judge is None and self.label != "positive":
            raise ValueError("--label is an output of a classifier, and there is none. Name it with --judge.")
        if self.prompts is None and self.column != "prompt":
            raise ValueError("--column is one of a file of prompts, and there is none. Name it with --prompts.")
        changed(zoo.TINY_PPO, self.changes)

    def run(self, folder: str | Path, fresh: bool = False, threads: int | None = None) -> Iterator[Event]:
        """Train into `folder`: `policy/`, a line a step in `metrics.jsonl`, and `result.json`.

        The untrained policy answers first, so that a reward function that fails does so before anything is written,
        or with `fresh` thrown away. `threads` are for a model that is not tiny; None leaves torch's own number.
        """
        place = RunFolder(folder)
        place.check()
        learn, held_out, watch = self._prompts()
        score = self._reward()
        policy = zoo.load_policy(self.model, device=self.device)
        use_threads(threads, policy)
        config = changed(zoo.TINY_PPO if parameters(policy) < SMALL else zoo.GPT2_PPO, self.changes)
        check_room(policy, [*learn, *held_out], config.sampling)
        reference, measured = policy.reference(), {"score": score, **watch}
        before = evaluate(reference, reference, held_out, measured, config.sampling, config.seed + 1)
        if fresh:
            place.clear()
        with place.working(claimed(self)):
            history: list[Step] = []
            yield Event("ppo", 0, config.steps)
            with place.timed("ppo"):
                for step in ppo.steps(policy, reference, learn, score, config, watch=watch,
                                      checkpoint=place.path / "checkpoints"):
                    history.append(step)
                    _write_metrics(place, history, config.steps)
                    yield Event("ppo", step.number + 1, config.steps, step.metrics)
                zoo.save_policy(policy, place.path / "policy")
            with place.timed("evaluate"):
                after = evaluate(policy, reference, held_out, measured, config.sampling, config.seed + 1)
            result = {"job": "ppo", "settings": _described(self, config), "prompts": len(learn),
                      "before": before.numbers(), "after": after.numbers(), "judge_accuracy": {},
                      "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in measured},
                      "samples": side_by_side(before, after)[:SHOWN], "steps": len(history)}
            place.finish(result)

    def _prompts(self) -> tuple[list[str], list[str], dict[str, rewards.Reward]]:
        """Prompts to learn on, prompts to be examined on, and what is known of the truth."""
        if self.prompts is None:
            task = Reviews(self.lang)
            return task.prompts("train"), task.prompts("heldout", EVALUATED), {"gold": rewards.gold(task)}
        learn, held_out = hold_out(read_texts(self.prompts, self.column, "--column"))
        return learn, (held_out * 2 if len(held_out) == 1 else held_out)[:EVALUATED], {}

    def _reward(self) -> rewards.Reward:
        if self.reward is not None:
            return rewards.from_file(self.reward)
        return rewards.classifier(*zoo.load_classifier(self.judge, device=self.device), label=self.label)


TINY_SFT = sft.Config(steps=300, batch_size=16, learning_rate=1e-3)
REAL_SFT = sft.Config(steps=300, batch_size=16, learning_rate=5e-5, max_length=256)     # GPT-2 and larger


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(threads: int | None, policy: Policy) -> None:
    """Work on that many threads, unless the model is tiny: there they get in each other's way."""
    if threads is not None and parameters(policy) >= SMALL:
        torch.set_num_threads(threads)


def claimed(job: Any) -> dict[str, Any]:
    """What makes a run this one: its settings, and the content of the files that they name."""
    named = [getattr(job, name) for name in ("data", "prompts") if getattr(job, name, None)]
    if getattr(job, "reward", None):
        named.append(job.reward.rpartition(":")[0])
    return {"job": type(job).__name__.lower(), **asdict(job),
            "files": {path: hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()[:16] for path in named}}


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """`config` with the changes, those of its sampling and its KL price included."""
    nested = {name: value for name, value in vars(config).items() if hasattr(value, "__dataclass_fields__")}
    own, left = {}, dict(changes)
    for name, part in nested.items():
        theirs = {key: left.pop(key) for key in [f.name for f in fields(part)] if key in left}
        own[name] = replace(part, **theirs)
    return replace(config, **own, **left)


def _described(job: Sft | Ppo, config: sft.Config | ppo.Config) -> dict[str, Any]:
    return json.loads(json.dumps({**asdict(job), "config": asdict(config)}, default=str))


def _write_metrics(place: RunFolder, history: Sequence[Step], last: int) -> None:
    if len(history) % WRITTEN_EVERY == 0 or len(history) == last:
        write_json_lines(place.path / "metrics.jsonl", [{"step": s.number + 1, **s.metrics} for s in history])
