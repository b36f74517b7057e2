"""`rlhf-kit train stackllama`: questions and answers with votes become an assistant, stage by stage in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rlhf_kit import zoo
from rlhf_kit.datasets.stack_exchange.paired import HELD_OUT, Stack
from rlhf_kit.evaluate import Evaluation, side_by_side, win_rate
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs.settings import changed, claimed, described, write_metrics
from rlhf_kit.loops.process_group import here, joined, wait
from rlhf_kit.models.quantization import Quantization, check_machine
from rlhf_kit.recipes import stackllama
from rlhf_kit.recipes.stackllama import PRESETS, Preset, Questions
from rlhf_kit.runs.folder import Event, RunFolder
from rlhf_kit.runs.snapshots import Kept
from rlhf_kit.scale.launching import check_processes
from rlhf_kit.storage import is_complete
from rlhf_kit.tasks.forum import Forum

STAGES = ("sft", "merge", "reward", "ppo", "evaluate")
NEEDS = {"merge": ("sft_adapter", "sft"), "reward": ("sft", "merge"), "ppo": ("reward_adapter", "reward"),
         "evaluate": ("policy_adapter", "ppo")}             # stage -> (folder, the stage that leaves it)
IMPRESSED = 1.5                     # fence_bias of voters who take code for quality
FEWEST = 2                          # questions on either side of the split; fewer have no interval
SHOWN = 10                          # questions in the result


@dataclass(frozen=True, kw_only=True)
class StackLlama:
    """SFT, merge, reward model, PPO, merge: each an adapter on one base."""

    preset: str = "tiny"
    model: str | None = None                # another base: a folder or a hub id
    data: str | None = None                 # a dump, a folder or file of pairs, a data set on the hub; None = preset's
    quantize: Quantization | Literal["none", "preset"] = "preset"
    voters: Literal["fair", "fences"] = "fair"              # of the made-up forum: who votes there
    seed: int = 0
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)   # fields of `ppo.Config` that differ from the preset's

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"--preset is {self.preset!r}; expected one of {', '.join(PRESETS)}.")
        if self.voters == "fences" and self.source is not None:
            raise ValueError("--voters belongs to the made-up forum, and --data names other questions. Leave one out.")
        if self.kind is not None:
            check_machine()
        self.settings()

    @property
    def kind(self) -> Quantization | None:
        """How the frozen bases are held."""
        return {"preset": PRESETS[self.preset].quantize, "none": None}.get(self.quantize, self.quantize)

    @property
    def source(self) -> str | None:
        """Where people's questions come from; None for the made-up forum."""
        return self.data or PRESETS[self.preset].data

    def settings(self) -> Preset:
        """The preset with everything that was changed."""
        preset, kind = PRESETS[self.preset], self.kind
        sft = replace(preset.sft, quantize=kind, seed=self.seed)
        reward = replace(preset.reward, quantize=kind if preset.reward.quantize else None, seed=self.seed)
        return replace(preset, base=self.model or preset.base, quantize=kind, sft=sft, reward=reward,
                       ppo=changed(preset.ppo, {"seed": self.seed, **self.changes}))

    def run(self, folder: str | Path, fresh: bool = False, threads: int | None = None, *,
            stage: str | None = None) -> Iterator[Event]:
        """Train into `folder`, all stages or one of them; what is there already is kept.

        A stage of TRL's that was killed begins again, PPO goes on from its checkpoint. Of several processes the first
        writes, the others take part.

        Raises: ValueError for a stage whose predecessor is missing.
        """
        place, (rank, _) = RunFolder(folder), here()
        preset, data = self.settings(), self.questions()
        place.check()
        if fresh and rank == 0:
            place.clear()
        wait(self.device)
        if stage is not None and stage != "sft" and not is_complete(place.path / NEEDS[stage][0]):
            raise ValueError(f"--stage {stage} needs what --stage {NEEDS[stage][1]} leaves in {place.path}, and it is "
                             f"not there. Run that stage first, or all by leaving --stage out.")
        with place.working(claimed(self)) if rank == 0 else nullcontext():
            wait(self.device)
            work = _Work(place, preset, data, self)
            for name in STAGES if stage is None else (stage,):
                yield from getattr(work, name)()
                wait(self.device)

    def questions(self) -> Questions:
        """The made-up forum, or people's questions."""
        if self.source is None:
            return Forum(fence_bias=IMPRESSED if self.voters == "fences" else 0.0)
        preset = PRESETS[self.preset]
        most = max(preset.answers, preset.pairs, preset.prompts) + round(preset.held_out / HELD_OUT)
        stack = Stack.read(self.source, seed=self.seed, limit=most)
        for split in ("train", "heldout"):              # before hours are spent on what could not be examined
            if len(stack.prompts(split)) < FEWEST:
                raise ValueError(f"{self.source} leaves one question in the split {split!r}; at least {FEWEST} are "
                                 f"needed. Give more questions.")
        return stack


@dataclass(frozen=True)
class _Work:
    """One run's stages, each a generator of events that leaves a folder."""

    place: RunFolder
    preset: Preset
    data: Questions
    job: StackLlama

    def sft(self) -> Iterator[Event]:
        """The base learns to answer in the template: sft_adapter/."""
        base = yield from self._base()
        yield from self._adapter("sft", "sft_adapter", self.preset.sft.steps or 1,
                                 lambda folder: stackllama.sft(self.preset, self.data, base, folder, self.job.device))

    def merge(self) -> Iterator[Event]:
        """Base and adapter become one model: sft/."""
        base = yield from self._base()
        yield from self._merged("merge", base, self._at("sft_adapter"), self._at("sft"))

    def reward(self) -> Iterator[Event]:
        """What voters prefer: reward_adapter/."""
        sft = self._at("sft")
        yield from self._adapter("reward_model", "reward_adapter", self.preset.reward.steps or 1,
                                 lambda folder: stackllama.reward(self.preset, self.data, sft, folder, self.job.device))

    def ppo(self) -> Iterator[Event]:
        """The policy learns to please it: policy_adapter/; resumed within."""
        last, done = self.preset.ppo.steps, self._at("policy_adapter")
        if is_complete(done):
            yield Event("ppo", last, last, kept=True)
            return
        yield Event("ppo", 0, last)
        history: list[Step] = []
        with self._timed("ppo"):
            shared = self._shared()
            kept = Kept(self.place.path, shared.policy, last, self._at("checkpoints")) if here()[0] == 0 else None
            for step in stackllama.ppo_steps(self.preset, self.data, shared, checkpoint=self._at("checkpoints"),
                                             accelerator=self._together()):
                history.append(step)
                if kept is not None:
                    kept.after(step.number + 1)
                    write_metrics(self.place, history, last)
                yield Event("ppo", step.number + 1, last, step.metrics)
            if here()[0] == 0:
                zoo.save_policy(shared.policy, done)

    def evaluate(self) -> Iterator[Event]:
        """The policy merged, policy/, and all three compared: result.json."""
        if here()[0] > 0:
            return
        yield from self._merged("merge", self._at("sft"), self._at("policy_adapter"), self._at("policy"))
        base = yield from self._base()
        yield Event("evaluate", 0, 4)
        with self._timed("evaluate"):
            shared, seen = self._shared(), {}
            voters = stackllama.examine_reward(self.preset, self.data, shared)
            yield Event("evaluate", 1, 4)
            untrained = stackllama.base_alone(self.preset, base, self.job.device)
            seen["base"] = stackllama.examine(self.preset, self.data, untrained, shared.reference, shared)
            del untrained
            yield Event("evaluate", 2, 4)
            seen["sft"] = stackllama.examine(self.preset, self.data, shared.reference, shared.reference, shared)
            yield Event("evaluate", 3, 4)
            shared.load_policy(self._at("policy_adapter"))
            seen["ppo"] = stackllama.examine(self.preset, self.data, shared.policy, shared.reference, shared)
            yield Event("evaluate", 4, 4)
        self.place.finish(self._result(voters.numbers(), seen))

    def _result(self, voters: dict[str, Any], seen: dict[str, Evaluation]) -> dict[str, Any]:
        before, after = seen["sft"], seen["ppo"]
        return {"job": "stackllama", "settings": described(self.job, self.preset.ppo), "base": self.preset.base,
                "quantize": self.preset.quantize, "reward_model": voters,
                "policies": {name: x.numbers() for name, x in seen.items()},
                "win_rate": {name: asdict(win_rate(after.each[name], before.each[name]))
                             for name in before.each if name != "fenced"},
                "samples": side_by_side(before, after)[:SHOWN]}

    def _base(self) -> Iterator[Event]:
        """The folder or name of the base; a tiny one is trained now if it is not there yet."""
        name = self.preset.base
        if name not in zoo.TINY:
            return name
        with self._timed("base"):
            for step in zoo.build(name):
                yield Event("base", step.number + 1, zoo.planned(name), step.metrics)
        return zoo.place(name)

    def _adapter(self, stage: str, folder: str, total: int, train: Callable[[Path], Iterator[Step]]) -> Iterator[Event]:
        done = self._at(folder)
        if is_complete(done):
            yield Event(stage, total, total, kept=True)
            return
        yield Event(stage, 0, total)
        with self._timed(stage):
            for step in train(done):
                yield Event(stage, step.number + 1, max(total, step.number + 1), step.metrics)

    def _merged(self, stage: str, base: str | Path, adapter: Path, folder: Path) -> Iterator[Event]:
        if is_complete(folder) or here()[0] > 0:
            return
        yield Event(stage, 0, 1)
        with self._timed(stage):
            stackllama.merged(self.preset, base, adapter, folder)
        yield Event(stage, 1, 1)

    def _together(self) -> Any:
        """The accelerator of this run's processes, which know each other; None if there is one."""
        accelerator = joined(self.job.device)
        check_processes(connected=None if accelerator is None else accelerator.num_processes)
        return accelerator

    def _shared(self) -> Any:
        return stackllama.shared_base(self.preset, self.data, self._at("sft"), self._at("reward_adapter"),
                                      self.job.device)

    def _at(self, name: str) -> Path:
        return self.place.path / name

    def _timed(self, stage: str) -> AbstractContextManager:
        return self.place.timed(stage) if here()[0] == 0 else nullcontext()
