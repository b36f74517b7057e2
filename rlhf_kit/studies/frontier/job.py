"""`rlhf-kit frontier`: every method at every setting of its dial, each point kept as soon as it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from rlhf_kit import zoo
from rlhf_kit.formulas.best_of_n import expected_best, kl_estimate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang
from rlhf_kit.loops.checkpoints import steps_in
from rlhf_kit.methods import best_of_n
from rlhf_kit.methods.best_of_n import Draws
from rlhf_kit.runs.folder import STATES, Event
from rlhf_kit.runs.pipeline import Job, Plan, Run, Stage
from rlhf_kit.storage import is_complete, remove
from rlhf_kit.studies.frontier import page
from rlhf_kit.studies.frontier.dials import METHODS, Method
from rlhf_kit.studies.frontier.points import gathered
from rlhf_kit.studies.frontier.world import SHOWN, Size, World, plain
from rlhf_kit.studies.pieces import POINTS, keep, kept


@dataclass(frozen=True, kw_only=True)
class FrontierJob(Job):
    """One picture of all methods on one world, from one start, with one reward model.

    Methods, seeds and the page's language are no part of a run's identity: the same folder takes more of them later,
    and what is there is not made again.
    """

    name: ClassVar[str] = "frontier"

    task: str                               # a made-up world by name
    lang: Lang = "en"                       # of picture and page
    methods: tuple[str, ...] = tuple(METHODS)
    seeds: int = 1                          # 0, 1, …: of what is drawn and learned; start and reward model are the same
    size: Size = field(default_factory=Size)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"--seeds is {self.seeds}; it must be at least 1.")

    def claim(self) -> dict[str, Any]:
        """World and size, the models that all share, and every setting of every method, asked for or not."""
        shared = {name: value for name, value in super().claim().items() if name not in ("methods", "seeds", "lang")}
        world = self.world
        dials = {name: {f"{value:g}": plain(method.config(value, world.size)) for value in method.values}
                 for name, method in METHODS.items() if method.config is not None}
        return json.loads(json.dumps({**shared, "dials": dials, "models": [
            zoo.place(world.start).name, zoo.place(world.judge).name]}))

    @cached_property
    def world(self) -> World:
        """Raises: ValueError for a world that there is not."""
        return World(self.task, self.size)

    def plan(self, run: Run) -> Plan:
        """The start and the reward model, then seed by seed the methods, cheap ones first."""
        work, world = _Work(run, self.world), self.world
        shared = {"language_model": world.start, "reward_model": world.judge}
        stages = [Stage(stage, work=partial(zoo.build, name), total=zoo.planned(name), leaves=(str(zoo.place(name)),),
                        silent=True) for stage, name in shared.items()]
        for seed in range(self.seeds):
            learns = any(METHODS[name].judged for name in self.methods)
            for name in ("judged", *self.methods) if learns else self.methods:
                stages.append(work.stage(name, seed))
        return Plan(stages, partial(self.result, run), report=partial(page.write, run.folder, self.lang))

    @property
    def points(self) -> int:
        """How many marks the picture will have."""
        return sum(max(len(METHODS[name].values), 1) for name in self.methods)

    def result(self, run: Run) -> dict[str, Any]:
        """Every point of what was asked for, over the seeds."""
        points = [point for seed in range(self.seeds) for name in self.methods for folder in _folders(name, seed)
                for point in kept(run.at(folder))]
        return {"job": "frontier", "world": self.world.task.name, "start": self.world.start, "judge": self.world.judge,
                "lang": self.lang, "methods": list(self.methods), "seeds": list(range(self.seeds)),
                "size": asdict(self.world.size), "points": gathered(points)}


class _Work:
    """What the stages do."""

    def __init__(self, run: Run, world: World) -> None:
        self.run, self.world = run, world

    def stage(self, name: str, seed: int) -> Stage:
        """All settings of a method with a seed: a folder for each."""
        leaves = tuple(_folders(name, seed))
        if name == "judged":
            return Stage(f"frontier_judged@{seed}", work=partial(self.judge, seed), total=self.world.size.judged,
                         leaves=leaves, silent=True)
        method, size = METHODS[name], self.world.size
        if method.learn is None:
            work = self.start if name == "sft" else self.best_of_n
            return Stage(f"frontier_{name}@{seed}", work=partial(work, seed), leaves=leaves, silent=True,
                         total=1 if name == "sft" else size.chosen)
        configs = [method.config(value, size) for value in method.values]
        return Stage(f"frontier_{name}@{seed}", work=partial(self.learn, name, method, seed), leaves=leaves,
                     total=sum(config.steps for config in configs), silent=True)

    def start(self, seed: int) -> Iterator[Event]:
        """The start itself, to which nothing was done: its drift is 0, whatever rounding says."""
        seen = {**self.world.examined(self.world.reference, seed), "kl": 0.0}
        keep(self.run.at(_folder("sft", "", seed)), [{**_named("sft", "", None, seed), **seen, **_cost()}])
        yield Event(f"frontier_sft@{seed}", 1, 1)

    def best_of_n(self, seed: int) -> Iterator[Event]:
        """The best of n of the start, for every n from one set of draws."""
        world, size, method = self.world, self.world.size, METHODS["best-of-n"]
        config = best_of_n.Config(n=size.most, batch_size=8, sampling=size.sampling, seed=seed)
        began, found = time.process_time(), []
        for one in best_of_n.draws(world.reference, world.held_out[:size.chosen], world.proxy, config,
                                   evaluation_rewards={"gold": world.measured["gold"]}):
            found.append(one)
            yield Event(f"frontier_best-of-n@{seed}", len(found), size.chosen)
        spent = (time.process_time() - began) / (size.most * len(found))        # of one draw
        for n in method.values:
            keep(self.run.at(_folder("best-of-n", n, seed)), [{
                **_named("best-of-n", "n", n, seed), **_best(found, int(n), world),
                **_cost(draws=int(n), answer_seconds=spent * n)}])

    def judge(self, seed: int) -> Iterator[Event]:
        """Draws of the start with their scores, which DPO and KTO learn from."""
        world, size, found, began = self.world, self.world.size, [], time.process_time()
        prompts = world.task.prompts("train", size.judged, seed=seed)
        config = best_of_n.Config(n=size.answers, sampling=size.sampling, seed=seed)
        for one in best_of_n.draws(world.reference, prompts, world.proxy, config):
            found.append(asdict(one))
            yield Event(f"frontier_judged@{seed}", len(found), size.judged)
        keep(self.run.at(_folder("judged", "", seed)), [{"draws": found, "cpu_seconds": time.process_time() - began}])

    def learn(self, name: str, method: Method, seed: int) -> Iterator[Event]:
        """One policy for each setting, trained, examined and let go."""
        stage, world, done = f"frontier_{name}@{seed}", self.world, 0
        configs = [_seeded(method.config(value, world.size), seed) for value in method.values]
        total = sum(config.steps for config in configs)
        for value, config in zip(method.values, configs, strict=True):
            folder, checkpoint = _folder(name, value, seed), self.run.checkpoint(f"{name}-{value}-{seed}")
            if not is_complete(self.run.at(folder)):
                policy, paid = world.fresh(method.value_head), _Paid(checkpoint)
                judged, before = self.judged(seed) if method.judged else ([], 0.0)
                for step in paid.counting(method.learn(world, policy, config, checkpoint, judged)):
                    yield Event(stage, done + step.number + 1, total, step.metrics)
                drawn = method.drawn(config, world.size)
                keep(self.run.at(folder), [{**_named(name, method.dial, value, seed), **world.examined(policy, seed),
                                            **_cost(drawn=drawn, cpu_seconds=before + paid.seconds),
                                            "config": plain(config)}])
            remove(checkpoint, STATES)
            done += config.steps
            yield Event(stage, done, total)

    def judged(self, seed: int) -> tuple[list[Draws], float]:
        """What `judge` left, and what it cost."""
        [found] = kept(self.run.at(_folder("judged", "", seed)))
        return [Draws(**one) for one in found["draws"]], found["cpu_seconds"]


class _Paid:
    """CPU seconds of a training. Of one that goes on after a kill those of the steps taken before are estimated: they
    took as long a time on the clock as they say, and as large a part of the processor as those taken here."""

    def __init__(self, checkpoint: Path) -> None:
        self.behind, self.seconds = len(steps_in(checkpoint)), 0.0

    def counting(self, steps: Iterator[Step]) -> Iterator[Step]:
        began, here, all_of_them = time.process_time(), 0.0, 0.0
        for number, step in enumerate(steps):
            all_of_them += step.metrics["seconds"]
            here += step.metrics["seconds"] * (number >= self.behind)
            spent = time.process_time() - began
            self.seconds = spent * all_of_them / here if here else all_of_them
            yield step


def _best(found: Sequence[Draws], n: int, world: World) -> dict[str, Any]:
    """Where the best of n stands: both rewards and the drift without bias, and the best of the first n to be read."""
    each, proxy = {}, torch.tensor([one.scores for one in found])
    for name in ("proxy", "gold"):
        value = [one.scores if name == "proxy" else one.others["gold"] for one in found]
        each[name] = expected_best(proxy, torch.tensor(value))[:, n - 1].tolist()
    first = [max(range(n), key=one.scores.__getitem__) for one in found]
    rare = torch.tensor([one.logprobs for one in found], dtype=torch.float64).exp().clamp(1e-300, 1.0)
    drift = expected_best(proxy, kl_estimate(n, rare))[:, n - 1]            # of the response that the best of n chooses
    texts = [one.responses[i] for one, i in zip(found, first, strict=True)]
    return {"kl": drift.mean().item(), "each": each, "distinct": len(set(texts)) / len(texts),
            "eos_rate": sum(one.ended[i] for one, i in zip(found, first, strict=True)) / len(found),
            "texts": [{"prompt": one.prompt, "response": one.responses[i], "proxy": one.scores[i],
                       "gold": one.others["gold"][i]} for one, i in zip(found[:SHOWN], first, strict=False)]}


def _named(method: str, dial: str, value: float | None, seed: int) -> dict[str, Any]:
    return {"method": method, "dial": dial, "value": value, "seed": seed}


def _cost(drawn: int = 0, cpu_seconds: float = 0.0, draws: int = 1, answer_seconds: float = 0.0) -> dict[str, Any]:
    """What a point cost: to learn, and at every answer."""
    return {"drawn": drawn, "reward_calls": drawn, "cpu_seconds": cpu_seconds, "draws_per_answer": draws,
            "reward_calls_per_answer": draws if draws > 1 else 0}


def _seeded(config: Any, seed: int) -> Any:
    return replace(config, seed=seed)


def _folder(name: str, value: float | str, seed: int) -> str:
    return f"{POINTS}/{name}-{value:g}-{seed}" if value != "" else f"{POINTS}/{name}-{seed}"


def _folders(name: str, seed: int) -> list[str]:
    values = METHODS[name].values if name in METHODS else ()
    return [_folder(name, value, seed) for value in values] or [_folder(name, "", seed)]
