"""What the runs of all recipes share: the base first, models opened and named by their round, room in the context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from rlhf_kit import zoo
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs.settings import use_threads
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.loading import context_of, load_tokenizer
from rlhf_kit.recipes import learners
from rlhf_kit.runs.pipeline import Run, Stage
from rlhf_kit.sampling import Sampling, check_room
from rlhf_kit.storage import is_complete


class Settings(Protocol):
    """What a run asks of the recipe's job."""

    rounds: int
    seed: int
    device: str


class RecipeRun:
    """The stages of one run of a recipe, in one folder. Folders of earlier rounds have a number, the last one's not."""

    def __init__(self, run: Run, preset: Any, job: Settings) -> None:
        self.run, self.at, self.preset, self.job = run, run.at, preset, job
        self.base = zoo.place(preset.base) if zoo.is_tiny(preset.base) else preset.base

    def asked(self) -> tuple[Sequence[str], Sampling]:
        """Every prompt that some stage answers, and how."""
        raise AssertionError(f"{type(self).__name__} does not say what it asks")

    def tiny_base(self, part: str) -> list[Stage]:
        """A base that the zoo knows is trained first, if it is not there yet: within that part."""
        name = self.preset.base
        if not zoo.is_tiny(name):
            return []

        def work() -> Iterator[Step]:
            yield from zoo.build(name)
            self.check_room()
        return [Stage("mixed_base", work=work, total=zoo.planned(name), part=part, leaves=(str(self.base),),
                      silent=True)]

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
