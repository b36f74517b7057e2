"""`rlhf-kit labs`: SFT and the recipes from one base, each in a folder of its own, then one examination of all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

from rlhf_kit import zoo
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs import instructions
from rlhf_kit.jobs.recipe_runs import RecipeJob, tiny_base
from rlhf_kit.language import Lang
from rlhf_kit.methods import sft
from rlhf_kit.recipes import instructgpt, learners
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Job, Plan, Run, Stage
from rlhf_kit.storage import is_complete
from rlhf_kit.studies.labs import page
from rlhf_kit.studies.labs.budget import LABS, Counts, recipe
from rlhf_kit.studies.labs.exam import REFERENCES, Exam, Size, opened
from rlhf_kit.studies.labs.figures import MOST_SEEDS, gathered
from rlhf_kit.studies.pieces import POINTS, keep, kept
from rlhf_kit.tasks.assistant import Assistant

RUNS = "labs"                               # the folder for the labs' own runs
NOT_LEARNING = ("mixed_base", "evaluate")                   # stages of a recipe that are not counted


@dataclass(frozen=True, kw_only=True)
class LabsJob(Job):
    """SFT and three recipes with one base and one budget of labels.

    Which labs and how many seeds is no part of a run's identity: the same folder takes more of them later, and what is
    there is not made again. Nor are the recipes' settings: a lab whose settings have changed is made again, alone.
    """

    name: ClassVar[str] = "labs"

    lang: Lang = "en"                       # of the world, and of the page
    labs: tuple[str, ...] = tuple(LABS)
    seeds: int = 1                          # 0, 1, …: of labelers, what is drawn and what is learned
    size: Size = field(default_factory=Size)

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise ValueError(f"--seeds is {self.seeds}; expected 1 to {MOST_SEEDS}.")

    def claim(self) -> dict[str, Any]:
        """The world, how much of everything, and the base itself."""
        shared = {name: value for name, value in super().claim().items() if name not in ("labs", "seeds")}
        return {**shared, "base": zoo.place(self.base).name if zoo.is_tiny(self.base) else self.base}

    @property
    def base(self) -> str:
        """What all begin with, by name."""
        return instructgpt.PRESETS["tiny"].base.format(lang=self.lang)

    def recipe(self, name: str, seed: int) -> RecipeJob:
        return recipe(name, self.lang, seed, self.size.budget)

    def sft(self, seed: int) -> sft.Config:
        """Of SFT alone, for which the whole budget is demonstrations: InstructGPT's settings, but for the epochs."""
        config = instructgpt.PRESETS["tiny"].sft
        return replace(config, seed=seed, steps=learners.updates(config, self.size.budget, self.size.epochs))

    def place(self, name: str, seed: int) -> str:
        """What a lab's folders are called; otherwise for every setting of what is trained there."""
        if name in REFERENCES:
            return f"{name}-{seed}"
        made_of = self.sft(seed) if LABS[name].job is None else self.recipe(name, seed).settings()
        return f"{name}-{seed}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:8]}"

    def made(self, name: str, seed: int) -> str:
        """The folder in which a lab works."""
        return f"{RUNS}/{self.place(name, seed)}"

    def learned(self, name: str, seed: int) -> str:
        """The folder of what that used."""
        return f"{POINTS}/learned-{self.place(name, seed)}"

    def point(self, name: str, seed: int) -> str:
        """The folder of what was measured of the policy."""
        return f"{POINTS}/{self.place(name, seed)}"

    def plan(self, run: Run) -> Plan:
        """The base, then seed by seed every lab, and one examination of all its policies."""
        work = _Work(run, self)
        stages = tiny_base(self.base, "", "mixed_base", lambda: None)
        for seed in range(self.seeds):
            stages += [work.stage(name, seed) for name in self.labs]
            stages.append(Stage(f"labs_exam@{seed}", work=partial(work.examine, seed), total=len(self.policies),
                                leaves=tuple(self.point(name, seed) for name in self.policies), silent=True))
        return Plan(stages, partial(self.result, run), report=partial(page.write, run.folder, self.lang))

    @property
    def policies(self) -> tuple[str, ...]:
        """What is examined."""
        return (*REFERENCES, *self.labs)

    def result(self, run: Run) -> dict[str, Any]:
        """Every policy that was asked for, over the seeds."""
        points = [kept(run.at(self.point(name, seed))) for seed in range(self.seeds) for name in self.policies]
        return {"job": "labs", "base": self.base, "lang": self.lang, "labs": list(self.labs),
                "seeds": list(range(self.seeds)), "size": asdict(self.size), "policies": gathered(points)}


class _Work:
    """What the stages do."""

    def __init__(self, run: Run, job: LabsJob) -> None:
        self.run, self.job = run, job

    @cached_property
    def exam(self) -> Exam:
        return Exam(self.job.lang, self.job.size, opened(self.job.base))

    def stage(self, name: str, seed: int) -> Stage:
        """A lab with a seed: its run, or SFT, and beside it what that used."""
        leaves = (self.job.learned(name, seed), f"{self.job.made(name, seed)}/policy")
        if LABS[name].job is None:
            return Stage(f"labs_{name}@{seed}", work=partial(self.imitate, name, seed), leaves=leaves, silent=True,
                         total=self.job.sft(seed).steps)
        return Stage(f"labs_{name}@{seed}", work=partial(self.follow, name, seed), leaves=leaves, silent=True)

    def imitate(self, name: str, seed: int) -> Iterator[Step]:
        """SFT alone. InstructGPT's demonstrations are the first of its own."""
        job = self.job
        pairs = instructions.World(Assistant(job.lang), seed).demonstrations(job.size.budget)
        policy = learners.opened(zoo.cached(job.base) if zoo.is_tiny(job.base) else job.base)
        yield from sft.steps(policy, pairs, job.sft(seed), checkpoint=self.run.checkpoint(f"{name}-{seed}"))
        zoo.save_policy(policy, self.run.at(f"{self.job.made(name, seed)}/policy"))
        keep(self.run.at(job.learned(name, seed)), {"stage": f"labs_{name}@{seed}",
                                                    "labels": {"demonstrations": len(pairs)}})

    def follow(self, name: str, seed: int) -> Iterator[Event]:
        """A recipe whole, in a folder of its own."""
        job, place = self.job.recipe(name, seed), self.run.at(self.job.made(name, seed))
        stages = {stage.name: stage.total for stage in job.plan(Run(place)).stages}
        reached = dict.fromkeys(stages, 0)
        for event in job.run(place, self.run.place.cleared):
            if event.note is None:
                reached[event.stage] = event.done
                yield Event(f"labs_{name}@{seed}", sum(reached.values()), sum(stages.values()), event.metrics)
        yield Event(f"labs_{name}@{seed}", sum(stages.values()), sum(stages.values()))
        spent = json.loads((place / "result.json").read_text(encoding="utf-8"))["stages"]
        used = LABS[name].used
        assert used is not None, f"{name} does not say what it used"
        keep(self.run.at(self.job.learned(name, seed)), {"labels": used(place), "cpu_seconds": sum(
            one["cpu"] for stage, one in spent.items() if stage not in NOT_LEARNING)})

    def examine(self, seed: int) -> Iterator[Event]:
        """Every policy, one after the other, that was not examined yet."""
        for done, name in enumerate(self.job.policies, start=1):
            if not is_complete(self.run.at(self.job.point(name, seed))):
                prompted, labels, seconds = name == "prompted", {}, 0.0
                policy = self.exam.base
                if name not in REFERENCES:
                    policy = learners.opened(self.run.at(f"{self.job.made(name, seed)}/policy"))
                    labels, seconds = self.used(name, seed)
                seen = self.exam.of(policy, seed, prompted=prompted)
                keep(self.run.at(self.job.point(name, seed)), {"policy": name, "seed": seed, "labels": labels,
                                                               "cpu_seconds": seconds, **seen})
            yield Event(f"labs_exam@{seed}", done, len(self.job.policies))

    def used(self, name: str, seed: int) -> tuple[Counts, float]:
        """Labels by kind, and CPU seconds to learn."""
        found = kept(self.run.at(self.job.learned(name, seed)))
        if "stage" in found:
            return found["labels"], self.run.place.spent()["stages"][found["stage"]]["cpu"]
        return found["labels"], found["cpu_seconds"]
