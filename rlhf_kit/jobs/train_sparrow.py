"""`rlhf-kit train sparrow`: preferences and rules judged apart, and a policy that learns from both, in one folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

from torch import tensor

from rlhf_kit import zoo
from rlhf_kit.datasets.ranking_files import write_rankings
from rlhf_kit.datasets.rule_labels import read_rule_labels
from rlhf_kit.evaluate import Agreement, Estimate, Evaluation, agreement, area, mean, side_by_side, win_rate
from rlhf_kit.formulas.records import Ranking, RuleLabel, Step
from rlhf_kit.jobs.rated_turns import Folder, World
from rlhf_kit.jobs.recipe_runs import RecipeJob, RecipeRun
from rlhf_kit.jobs.settings import described, use_threads
from rlhf_kit.language import say
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.ruling import KEEP, examples
from rlhf_kit.models.tops import Held, Trunk, adopt, held_by
from rlhf_kit.recipes import learners, sparrow
from rlhf_kit.recipes.learners import updates
from rlhf_kit.recipes.sparrow import PRESETS, Data, Judges, Preset
from rlhf_kit.runs import stages_report
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import new_folder, write_json_lines
from rlhf_kit.tasks.assistant import Assistant

SHOWN = 10                          # prompts in the result
HELD = {"train": "", "heldout": "held_out_"}


@dataclass(frozen=True, kw_only=True)
class SparrowJob(RecipeJob):
    """Labels, SFT, preference model, rule model, A2C with self-play, and the best of 8 by both judges."""

    name: ClassVar[str] = "sparrow"
    presets: ClassVar[Mapping[str, Preset]] = PRESETS

    rule_weight: float | None = None        # of the rules in the reward; 0 = what is preferred alone; None = preset's
    reduction: Literal["preset", "mean", "sum"] = "preset"      # of the rules
    raw_preference: bool = False            # the preference model's score as it is, not in units of its spread
    self_play: float | None = None          # share of a batch; None = the preset's
    rerank: int | None = None               # candidates at the end; None = the preset's

    def check(self) -> None:
        if self.reduction not in ("preset", "mean", "sum"):
            raise ValueError(f"--reduction is {self.reduction!r}; expected mean or sum.")
        if self.rule_weight is not None and not 0 <= self.rule_weight < float("inf"):
            raise ValueError(f"--rule-weight is {self.rule_weight}; it is 0 or more, and 0 leaves the rules out.")
        if self.self_play is not None and not 0 <= self.self_play < 1:
            raise ValueError(f"--self-play is {self.self_play}; it is a share of each batch, 0 or more and below 1.")
        if self.rerank is not None and self.rerank < 2:
            raise ValueError(f"--rerank is {self.rerank}; the best is taken of at least 2.")

    def settings(self) -> Preset:
        named = {"rule_weight": self.rule_weight, "self_play": self.self_play, "rerank": self.rerank,
                 "reduction": None if self.reduction == "preset" else self.reduction,
                 "normalise": False if self.raw_preference else None}
        return replace(PRESETS[self.preset], **{name: x for name, x in named.items() if x is not None},
                       **self.based(("sft", "preference", "rules"), "rl"))

    def plan(self, run: Run) -> Plan:
        """Read and check the data, and say in which stages the work is done."""
        preset = self.settings()
        data: Data = World(Assistant(self.lang), self.seed) if self.source is None else Folder.read(
            self.source, preset.base, self.template)
        return _Work(run, preset, data, self).plan()


class _Work(RecipeRun):
    """The stages of one run, in one folder."""

    def __init__(self, run: Run, preset: Preset, data: Data, job: SparrowJob) -> None:
        super().__init__(run, preset, job)
        self.data = data
        self.seen: dict[str, Evaluation] = {}
        self.tempted: dict[str, Estimate] = {}
        self.agreed: Agreement | None = None
        self.told: dict[str, Estimate] = {}
        self.held: Held | None = None

    def plan(self) -> Plan:
        preset, rl = self.preset, self.preset.rl
        labels = ("labels",) if self.data.asks else ()
        turns = preset.turns + preset.by_people if self.data.asks else len(self.turns("train"))
        rules = preset.labels if self.data.asks else len(examples(self.labels("train")))
        stages = [*self.tiny_base("labels" if labels else "sft")]
        if labels:
            stages.append(Stage("rated_turns", work=self.label, part="labels", total=1, leaves=labels,
                                check=self.check))
        stages += [
            Stage("sft", work=self.sft, total=updates(preset.sft, 2 * turns, preset.sft_epochs), needs=labels,
                  leaves=("sft",), check=self.check),
            Stage("preference_model", work=self.preference, part="preference", needs=("sft", *labels),
                  total=updates(preset.preference, turns, preset.preference_epochs), leaves=("preference_model",)),
            Stage("rule_model", work=self.rules, part="rules", needs=("sft", *labels), leaves=("rule_model",),
                  total=updates(preset.rules, rules, preset.rule_epochs)),
            Stage("a2c", work=self.rl, part="rl", total=rl.steps, needs=("sft", "preference_model", "rule_model"),
                  leaves=("policy",), metrics=Metrics()),
            Stage("evaluate", work=self.evaluate, total=5, needs=("sft", "preference_model", "rule_model", "policy"))]
        return Plan(stages, self.result, report=self.report, notes=self.data.notes)

    # -- the stages ---------------------------------------------------------------------------------------------------

    def label(self) -> Iterator[Step]:
        """Raters pick among what the base writes, and say of answers whether they break a rule."""
        base, preset = self.open(self.base), self.preset
        with new_folder(self.at("labels")) as folder:
            for split, rules in (("train", preset.labels), ("heldout", preset.held_out_labels)):
                write_rankings(folder / f"{HELD[split]}turns.jsonl", sparrow.rated(preset, self.data, base, split))
                write_json_lines(folder / f"{HELD[split]}rules.jsonl",
                                 [asdict(one) for one in self.data.labels(rules, split)])
        yield from ()

    def sft(self) -> Iterator[Step]:
        policy = sparrow.imitator(self.preset, self.open(self.base))
        use_threads(self.run.threads, policy)
        pairs = sparrow.demonstrated(self.turns("train"), self.labels("train"))
        yield from sparrow.sft_steps(self.preset, policy, pairs, self.run.checkpoint("sft"))
        zoo.save_policy(policy, self.at("sft"))

    def preference(self) -> Iterator[Step]:
        model = sparrow.preference_model(self.preset, self.data, self.trunk(), self.job.seed)
        yield from sparrow.preference_steps(self.preset, model, self.turns("train"), self.run.checkpoint("preference"))
        zoo.save_reward_model(model, self.at("preference_model"))

    def rules(self) -> Iterator[Step]:
        trunk = self.trunk()
        model = sparrow.rule_model(trunk, self.job.seed)
        yield from sparrow.rule_steps(self.preset, model, trunk, self.labels("train"), self.data.ask,
                                      self.run.checkpoint("rules"))
        zoo.save_classifier(model, trunk.tokenizer, self.at("rule_model"))

    def rl(self) -> Iterator[Step]:
        """Policy, reference and both judges are tops of one trunk."""
        trunk = self.trunk()
        policy, checkpoint = trunk.policy(), self.run.checkpoint("rl")
        steps = sparrow.rl_steps(self.preset, self.data, policy, policy.reference(), self.judges(trunk), checkpoint)
        yield from self.run.with_snapshots(policy, self.preset.rl.steps, checkpoint, steps)
        zoo.save_policy(policy, self.at("policy"))

    def evaluate(self) -> Iterator[Event]:
        """Every policy answers the same held-out prompts; and the judges are examined on what they did not see."""
        trunk = self.trunk()
        judges, reference, policy = self.judges(trunk), trunk.policy(value_head=False), trunk.policy()
        adopt(policy, zoo.load_policy(self.at("policy")))
        self.held = held_by([policy, reference, *self.tops])
        rows = sparrow.sourced(self.preset, self.data, self.preset.held_out, "heldout", "test")
        prompts = [prompt for prompt, _ in rows]
        for done, (name, model) in enumerate((("base", self.open(self.base)), ("sft", reference), ("policy", policy)),
                                             start=1):
            self.seen[name] = sparrow.examine(self.preset, self.data, model, reference, judges, prompts)
            yield Event("evaluate", done, 5)
        self.seen["reranked"] = sparrow.examine_best(self.preset, self.data, policy, reference, judges,
                                                     prompts[:self.preset.reranked])
        yield Event("evaluate", 4, 5)
        for name, one in self.seen.items():
            if "broken" in one.each:
                self.tempted[name] = mean([x for x, (_, source) in zip(one.each["broken"], rows, strict=False)
                                           if source == "adversarial"], (0, 1))
        self.agreed = agreement(judges.liked, self.turns("heldout"))
        self.told = {"held out": self.area(trunk, self.labels("heldout"))}
        yield Event("evaluate", 5, 5)

    def area(self, trunk: Trunk, labels: list[RuleLabel]) -> Estimate:
        """How well the rule model tells broken from followed rules."""
        sure, rules = examples(labels, self.data.ask), self.tops[1]
        logits = class_logits(rules, trunk.tokenizer, [text for text, _ in sure],
                              max_length=self.preset.rules.max_length, keep=KEEP)
        return area(logits[:, 1] - logits[:, 0], tensor([label for _, label in sure]))

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """All policies side by side, how well the judges judge, and what one trunk saved."""
        sft, after, held = self.seen["sft"], self.seen["policy"], self.held
        return {"job": "sparrow", "settings": described(self.job, self.preset.rl), "base": self.preset.base,
                "turns": len(self.turns("train")), "labels": len(self.labels("train")), "rules": list(self.data.rules),
                "policies": {name: one.numbers() for name, one in self.seen.items()},
                "broken_when_tempted": {name: asdict(x) for name, x in self.tempted.items()},
                "preference_model": self.agreed.numbers(),
                "rule_model": {name: asdict(x) for name, x in self.told.items()},
                "held": {**asdict(held), "share": held.share},
                "win_rate": {name: asdict(win_rate(after.each[name], sft.each[name])) for name in after.each},
                "samples": side_by_side(sft, after)[:SHOWN], "steps": self.preset.rl.steps}

    def report(self, result: Mapping[str, Any]) -> None:
        """The pictures, beside the result."""
        lang, policies = self.job.lang, result["policies"]
        charts = [stages_report.beside(policies, measure, measure) for measure in ("kept", "broken")
                  if measure in policies["policy"]["scores"]]
        lead = [say(lang, "sparrow_judges", pairs=result["preference_model"]["pair_accuracy"]["mean"],
                    area=result["rule_model"]["held out"]["mean"]),
                say(lang, "sparrow_held", layers=result["held"]["layers"], apart=result["held"]["layers_apart"],
                    share=result["held"]["share"])]
        stages_report.write(self.at("report.html"), result, lang, first="sft", lead=lead, charts=charts)

    # -- places -------------------------------------------------------------------------------------------------------

    def asked(self) -> tuple[list[str], Sampling]:
        preset, data = self.preset, self.data
        own = [sparrow.questions(preset, data, preset.prompts),
               sparrow.questions(preset, data, preset.held_out, "heldout", "test")]
        if data.asks:
            own.append([data.dressed(prompt, k) for k in range(6) for prompt in sparrow.questions(
                preset, data, preset.turns, purpose="labels")])
        return [prompt for prompts in own for prompt in prompts], preset.rl.sampling

    def trunk(self) -> Trunk:
        """That of the SFT model, whose top the policy begins as."""
        policy = learners.opened(self.at("sft"), self.job.device)
        use_threads(self.run.threads, policy)
        return sparrow.trunk_of(self.preset, policy)

    def judges(self, trunk: Trunk) -> Judges:
        """Both as tops of that trunk."""
        preference, rules = trunk.reward_model(), sparrow.rule_model(trunk)
        adopt(preference, zoo.load_reward_model(self.at("preference_model")))
        adopt(rules, zoo.load_classifier(self.at("rule_model"))[0])
        self.tops = preference.requires_grad_(False), rules.requires_grad_(False)
        return Judges.of(self.preset, self.data, preference, rules)

    def turns(self, split: str) -> list[Ranking]:
        """Of what raters picked, or of the folder that somebody brought."""
        if not self.data.asks:
            return self.data.picked([], self.preset.turns if split == "train" else self.preset.held_out_turns, split)
        return [Ranking(**row) for row in self.rows("labels", f"{HELD[split]}turns")]

    def labels(self, split: str) -> list[RuleLabel]:
        if not self.data.asks:
            return self.data.labels(self.preset.labels if split == "train" else self.preset.held_out_labels, split)
        return read_rule_labels(self.at("labels") / f"{HELD[split]}rules.jsonl")
