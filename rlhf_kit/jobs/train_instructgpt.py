"""`rlhf-kit train instructgpt`: demonstrations, rankings and PPO with a memory, round after round, in one folder."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.ranking_files import write_rankings
from rlhf_kit.datasets.rankings import as_ranking
from rlhf_kit.evaluate import Agreement, Estimate, Evaluation, agreement, side_by_side, win_rate
from rlhf_kit.formulas.records import Ranking, Step
from rlhf_kit.jobs.instructions import Folder, World
from rlhf_kit.jobs.recipe_runs import JobInRounds, RecipeRun
from rlhf_kit.jobs.settings import described, use_threads
from rlhf_kit.language import Lang, say
from rlhf_kit.loops.checkpoints import steps_in
from rlhf_kit.plots import lines
from rlhf_kit.recipes import instructgpt, learners
from rlhf_kit.recipes.instructgpt import PRESETS, Data, Preset
from rlhf_kit.recipes.learners import updates
from rlhf_kit.runs import stages_report
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.runs.stages_report import Chart
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import new_folder, write_text
from rlhf_kit.tasks.assistant import Assistant

SHOWN = 10                          # prompts in the result


@dataclass(frozen=True, kw_only=True)
class InstructGptJob(JobInRounds):
    """SFT, labels, reward model, PPO-ptx; with more rounds labels, reward model and PPO again."""

    name: ClassVar[str] = "instructgpt"
    presets: ClassVar[Mapping[str, Preset]] = PRESETS

    critic: Literal["preset", "judge", "head"] = "preset"   # begins as the reward model, or is a head on the policy

    def check(self) -> None:
        if self.critic not in ("preset", "judge", "head"):
            raise ValueError(f"--critic is {self.critic!r}; expected judge or head.")
        if self.critic == "judge" and PRESETS[self.preset].lora is not None:
            raise ValueError(f"--critic judge is a second model that learns whole, and in the preset {self.preset} an "
                             f"adapter learns. Leave it out.")
        super().check()

    def settings(self) -> Preset:
        preset = PRESETS[self.preset]
        own = preset.own_critic if self.critic == "preset" else self.critic == "judge"
        return replace(preset, own_critic=own, **self.based(("sft", "start", "reward")))

    def plan(self, run: Run) -> Plan:
        """Read and check the data, and say in which stages the work is done."""
        preset = self.settings()
        if self.data is None:
            data: Data = World(Assistant(self.lang), self.seed)
        else:
            data = Folder.read(self.data, preset.base, self.template)
            if not data.pretraining(1) and preset.ppo.ptx_coef:     # nothing to remember by
                data.notes.append(("instructgpt_plain", {}))
                preset = replace(preset, ppo=replace(preset.ppo, ptx_coef=0.0))
        return _Work(run, preset, data, self).plan()


class _Work(RecipeRun):
    """The stages of one run, in one folder."""

    def __init__(self, run: Run, preset: Preset, data: Data, job: InstructGptJob) -> None:
        super().__init__(run, preset, job)
        self.data = data
        self.demonstrations = data.demonstrations(preset.demonstrations)
        self.epochs = instructgpt.kept_after(preset, len(self.demonstrations))         # update -> epoch
        self.seen: dict[str, Evaluation] = {}
        self.taxed: dict[str, Mapping[str, Estimate]] = {}
        self.agreed: dict[str, Agreement] = {}

    def plan(self) -> Plan:
        """In the order of the paper; what a round needs is named by its number, the last one's has no number."""
        preset, epochs = self.preset, tuple(self.epoch(n) for n in self.epochs.values())
        mixed = len(instructgpt.start_mix(preset, self.data, self.demonstrations))
        asks, first = self.data.asks, self.named("reward_model", 1)
        stages = [
            *self.tiny_base("sft"),
            Stage("sft", work=self.sft, total=max(self.epochs), leaves=epochs, check=self.check),
            Stage("start", work=self.start, total=updates(preset.start, mixed, preset.start_epochs),
                  leaves=("start",))]
        for number in range(1, self.job.rounds + 1):
            part, last = "" if number == 1 else f"-{number}", number == self.job.rounds
            labels, judge, policy = (self.named(name, number) for name in ("labels", "reward_model", "policy"))
            before = () if number == 1 else (self.named("policy", number - 1),)
            if asks:
                stages.append(Stage(f"labels{part}", work=partial(self.label, number), total=1, leaves=(labels,),
                                    needs=before or ("start", epochs[-1])))
            stages.append(Stage(f"reward_model{part}", work=partial(self.reward, number), part=f"reward{part}",
                                total=self.reward_steps(number), leaves=(judge,),
                                needs=("start", *([labels] if asks else []))))
            if number == 1:
                stages.append(Stage("select", work=self.select, total=len(epochs), needs=(first, *epochs),
                                    leaves=("sft", "selection")))
            stages.append(Stage(f"ppo{part}", work=partial(self.ppo, number), total=preset.ppo.steps,
                                needs=("start", judge), leaves=(policy,), metrics=Metrics() if last else None))
        everything = ("sft", "start", *(self.named(name, n) for n in range(1, self.job.rounds + 1)
                                        for name in ("reward_model", "policy")))
        stages.append(Stage("evaluate", work=self.evaluate, total=len(everything), needs=everything))
        return Plan(stages, self.result, report=self.report, notes=self.data.notes)

    # -- the stages ---------------------------------------------------------------------------------------------------

    def sft(self) -> Iterator[Step]:
        """Sixteen epochs, of which some are kept. Resumed, the model stands at the checkpoint's last step, which is
        then kept again; those before are there."""
        policy, checkpoint = self.learner(self.base), self.run.checkpoint("sft")
        behind = len(steps_in(checkpoint))
        for step in instructgpt.sft_steps(self.preset, policy, self.demonstrations, checkpoint):
            taken = step.number + 1
            if taken in self.epochs and taken >= behind:
                learners.keep(self.preset, policy, self.base, self.at(self.epoch(self.epochs[taken])))
            yield step

    def start(self) -> Iterator[Step]:
        policy = self.learner(self.base)
        mixed = instructgpt.start_mix(self.preset, self.data, self.demonstrations)
        yield from instructgpt.start_steps(self.preset, policy, mixed, self.run.checkpoint("start"))
        learners.keep(self.preset, policy, self.base, self.at("start"))

    def label(self, number: int) -> Iterator[Step]:
        """Pages of what the newest policies write; a test page for every few."""
        newest = ["start", self.epoch(max(self.epochs.values()))] if number == 1 else [self.named("policy", number - 1)]
        writers, part = [self.open(self.at(name)) for name in newest], "" if number == 1 else f"-{number}"
        made = instructgpt.labels(self.preset, self.data, writers, self.preset.rankings, f"labels{part}",
                                  seed=self.job.seed)
        test = instructgpt.labels(self.preset, self.data, writers, self.preset.held_out_rankings, f"test labels{part}",
                                  "heldout", seed=self.job.seed)
        with new_folder(self.at(self.named("labels", number))) as folder:
            for name, rankings in (("rankings", made), ("held_out", test)):
                write_rankings(folder / f"{name}.jsonl", [as_ranking(one) for one in rankings])
        yield from ()

    def reward(self, number: int) -> Iterator[Step]:
        model = learners.opened_judge(self.preset, self.at("start"), self.data.mark, self.job.device,
                                      seed=self.job.seed)
        learn = [one for n in range(1, number + 1) for one in self.rankings(n, "rankings")]
        yield from instructgpt.reward_steps(self.preset, model, learn, self.demonstrations,
                                            self.run.checkpoint(f"reward-{number}"))
        learners.keep_judge(self.preset, model, self.at("start"), self.at(self.named("reward_model", number)))

    def select(self) -> Iterator[Event]:
        """The SFT model that the reward model likes best; what it says of the others stays, too."""
        judge, rows = self.judge(1), []
        for done, epoch in enumerate(self.epochs.values(), start=1):
            policy = self.open(self.at(self.epoch(epoch)))
            rows.append(instructgpt.examine_epoch(self.preset, self.data, policy, judge, epoch))
            yield Event("select", done, len(self.epochs))
        chosen = instructgpt.best(rows)
        zoo.save_policy(self.open(self.at(self.epoch(chosen.epoch))), self.at("sft"))
        with new_folder(self.at("selection")) as folder:
            write_text(folder / "selection.json", json.dumps({"chosen": chosen.epoch,
                                                              "epochs": list(map(asdict, rows))}))

    def ppo(self, number: int) -> Iterator[Step]:
        """Each round begins at the start, as everything learned from it is in the reward model."""
        judge = self.judge(number)
        policy = instructgpt.actor(self.preset, self.open(self.at("start")), judge)
        reference = policy.reference()
        use_threads(self.run.threads, policy)
        checkpoint = self.run.checkpoint(f"ppo-{number}")
        steps = instructgpt.ppo_steps(self.preset, self.data, policy, reference, judge, checkpoint)
        if number == self.job.rounds:
            steps = self.run.with_snapshots(policy, self.preset.ppo.steps, checkpoint, steps)
        yield from steps
        learners.keep(self.preset, policy, self.at("start"), self.at(self.named("policy", number)))

    def evaluate(self) -> Iterator[Event]:
        """Every policy answers the same held-out prompts; the last reward model says what it thinks of each."""
        judge, reference = self.judge(self.job.rounds), self.open(self.at("start"))
        prompts = self.data.prompts(self.preset.held_out, "heldout", "test")
        places = {"base": self.base, "sft": self.at("sft"), "start": self.at("start"),
                  **{self.named("policy", n): self.at(self.named("policy", n)) for n in range(1, self.job.rounds + 1)}}
        for done, (name, place) in enumerate(places.items(), start=1):
            policy = self.open(place)
            self.seen[name] = instructgpt.examine(self.preset, self.data, policy, reference, judge, prompts)
            self.taxed[name] = self.data.taxed(policy)
            yield Event("evaluate", done, len(places) + 1)
        for number in range(1, self.job.rounds + 1):
            name = self.named("reward_model", number)
            self.agreed[name] = agreement(rewards.learned(self.judge(number)), self.rankings(number, "held_out"))
        yield Event("evaluate", len(places) + 1, len(places) + 1)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """All policies side by side, which epoch was chosen and why, and how well each reward model agrees."""
        sft, after = self.seen["sft"], self.seen["policy"]
        selection = json.loads((self.at("selection") / "selection.json").read_text(encoding="utf-8"))
        return {"job": "instructgpt", "settings": described(self.job, self.preset.ppo), "base": self.preset.base,
                "demonstrations": len(self.demonstrations),
                "rankings": [len(self.rankings(n, "rankings")) for n in range(1, self.job.rounds + 1)],
                "policies": {name: one.numbers() for name, one in self.seen.items()},
                "tax": {name: {key: asdict(x) for key, x in one.items()} for name, one in self.taxed.items()},
                "selection": {"chosen": selection["chosen"], "epochs": [_mean_of(row) for row in selection["epochs"]]},
                "reward_models": {name: one.numbers() for name, one in self.agreed.items()},
                "win_rate": {name: asdict(win_rate(after.each[name], sft.each[name])) for name in after.each},
                "samples": side_by_side(sft, after)[:SHOWN], "steps": self.preset.ppo.steps}

    def report(self, result: Mapping[str, Any]) -> None:
        """The pictures, beside the result: those of every recipe, and the SFT models."""
        lang, selection = self.job.lang, result["selection"]
        epochs = selection["epochs"]

        def along(measure: str, drawn: Lang) -> Any:
            title = say(drawn, f"epochs_{measure}")
            return lines([row["epoch"] for row in epochs], {title: [row[measure] for row in epochs]},
                         across=say(drawn, "epochs_across"), unit=title)
        charts = [Chart(f"epochs_{measure}", "note_epochs", partial(along, measure))
                  for measure in ("loss", "score", "gold") if measure in epochs[0]]
        chosen = say(lang, "instructgpt_chosen", epoch=selection["chosen"], of=epochs[-1]["epoch"],
                     lowest=min(epochs, key=lambda row: row["loss"])["epoch"])
        stages_report.write(self.at("report.html"), result, lang, first="sft", lead=[chosen], charts=charts)

    # -- places -------------------------------------------------------------------------------------------------------

    def asked(self) -> tuple[list[str], Sampling]:
        return [*self.data.prompts(self.preset.prompts),
                *self.data.prompts(self.preset.held_out, "heldout", "test")], self.preset.ppo.sampling

    @staticmethod
    def epoch(number: int) -> str:
        return f"epochs/epoch-{number:02}"

    def rankings(self, number: int, which: str) -> list[Ranking]:
        """Of a round's pages, or of the folder that somebody brought."""
        if not self.data.asks:
            split = "train" if which == "rankings" else "heldout"
            return [as_ranking(one) for one in self.data.ranked([], self.preset.rankings, split, "labels")]
        return [Ranking(**row) for row in self.rows(self.named("labels", number), which)]

    def reward_steps(self, number: int) -> int:
        n = self.preset.rankings * number if self.data.asks else len(self.rankings(1, "rankings"))
        return updates(self.preset.reward, n, 1)


def _mean_of(row: Mapping[str, Any]) -> dict[str, float]:
    """A row of the selection with means for what was measured prompt by prompt."""
    return {"epoch": row["epoch"], "loss": row["loss"], "score": statistics.fmean(row["score"]),
            **{name: statistics.fmean(values) for name, values in row["others"].items()}}
