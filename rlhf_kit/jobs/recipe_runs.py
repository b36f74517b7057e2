"""What the runs of all recipes share: settings, the base first, models opened and named by their round, room."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from rlhf_kit import zoo
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs.settings import changed, use_threads
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.loading import context_of, load_tokenizer
from rlhf_kit.recipes import learners
from rlhf_kit.runs.pipeline import Job, Run, Stage
from rlhf_kit.sampling import Sampling, check_room
from rlhf_kit.storage import is_complete

MOST_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class RecipeJob(Job):
    """The settings that runs of all recipes have, and what is asked of them before anything is read."""

    results: ClassVar[tuple[str, ...]] = ("result.json", "report.html")
    files: ClassVar[tuple[str, ...]] = ("data",)
    presets: ClassVar[Mapping[str, Any]]    # name -> all settings of a run at one scale

    preset: str = "tiny"
    model: str | None = None                # another base: a folder or a hub id
    data: str | None = None                 # a folder of one's own; None = the preset's, or the made-up world
    template: str | None = None             # that conversations of it are written by; None = the model's own
    lang: Lang = "en"
    seed: int = 0
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)   # fields of `ppo.Config` that differ from the preset's

    def __post_init__(self) -> None:
        if self.preset not in self.presets:
            raise ValueError(f"--preset is {self.preset!r}; expected one of {', '.join(self.presets)}.")
        if self.lang not in LANGS:
            raise ValueError(f"--lang is {self.lang!r}; expected one of {', '.join(LANGS)}.")
        self.check()
        self.settings()

    def check(self) -> None:
        """What else must hold of the settings. Raises: ValueError, one line."""

    def settings(self) -> Any:
        """The preset with everything that was changed."""
        raise AssertionError(f"{type(self).__name__} does not say what its settings are")

    @property
    def source(self) -> str | None:
        """Where people's data come from; None for the made-up world."""
        return self.data or getattr(self.presets[self.preset], "data", None)

    def based(self, seeded: Sequence[str], updates: str = "ppo") -> dict[str, Any]:
        """The fields of a preset that every recipe changes: the base, the seed of these parts, PPO's settings."""
        preset = self.presets[self.preset]
        return {"base": self.model or preset.base.format(lang=self.lang),
                **{name: replace(getattr(preset, name), seed=self.seed) for name in seeded},
                updates: changed(getattr(preset, updates), {"seed": self.seed, **self.changes})}


@dataclass(frozen=True, kw_only=True)
class JobInRounds(RecipeJob):
    """Of a recipe that has new responses labelled, again and again."""

    rounds: int = 1                         # of labels, reward model and PPO

    def check(self) -> None:
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise ValueError(f"--rounds is {self.rounds}; expected 1 to {MOST_ROUNDS}.")
        if self.rounds > 1 and self.source is not None:
            raise ValueError(f"--rounds {self.rounds} has new responses labelled, and for --data nobody can be asked. "
                             f"Leave --rounds out, label the policy's responses in rlhf-kit studio, and run again with "
                             f"them.")


def tiny_base(name: str, part: str, stage: str, then: Callable[[], None]) -> list[Stage]:
    """A base that the zoo knows is trained first, if it is not there yet: within that part. Then what is to be done."""
    if not zoo.is_tiny(name):
        return []

    def work() -> Iterator[Step]:
        yield from zoo.build(name)
        then()
    return [Stage(stage, work=work, total=zoo.planned(name), part=part, leaves=(str(zoo.place(name)),), silent=True)]


class RecipeRun:
    """The stages of one run of a recipe, in one folder. Folders of earlier rounds have a number, the last one's not."""

    def __init__(self, run: Run, preset: Any, job: RecipeJob) -> None:
        self.run, self.at, self.preset, self.job = run, run.at, preset, job
        self.base = zoo.place(preset.base) if zoo.is_tiny(preset.base) else preset.base

    def asked(self) -> tuple[Sequence[str], Sampling]:
        """Every prompt that some stage answers, and how."""
        raise AssertionError(f"{type(self).__name__} does not say what it asks")

    def tiny_base(self, part: str) -> list[Stage]:
        return tiny_base(self.preset.base, part, "mixed_base", self.check_room)

    # -- before the first stage ---------------------------------------------------------------------------------------

    def check(self, processes: int) -> None:
        """Raises ValueError if a prompt and its response have no room in a base that is there."""
        if not zoo.is_tiny(self.preset.base) or is_complete(self.base):
            self.check_room()

    def check_room(self) -> None:
        prompts, sampling = self.asked()
        reader = SimpleNamespace(tokenizer=load_tokenizer(self.base), context=context_of(self.base))
        check_room(reader, prompts, sampling)

    # -- places -------------------------------------------------------------------------------------------------------

    def named(self, what: str, number: int) -> str:
        """The folder of a round; that of the last one has no number."""
        return what if number == self.job.rounds else f"{what}-{number}"

    def open(self, place: str | Path) -> Policy:
        return learners.opened(place, self.job.device)

    def learner(self, place: str | Path) -> Policy:
        policy = learners.opened(place, self.job.device, scale=self.preset, seed=self.job.seed)
        use_threads(self.run.threads, policy)
        return policy

    def judge(self, number: int) -> RewardModel:
        return zoo.load_reward_model(self.at(self.named("reward_model", number)), device=self.job.device)

    def rows(self, folder: str, name: str) -> list[dict[str, Any]]:
        """What a stage wrote there, line by line."""
        return [json.loads(line) for line in
                (self.at(folder) / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
