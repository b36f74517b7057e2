"""`rlhf-kit train rule-model`: labels of broken rules become one classifier that reads the rule's text."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor, tensor

from rlhf_kit import zoo
from rlhf_kit.datasets.rule_labels import read_rule_labels
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.evaluate import area
from rlhf_kit.formulas.records import RuleLabel, Step
from rlhf_kit.jobs import classifiers
from rlhf_kit.jobs.classifiers import Scales
from rlhf_kit.jobs.rows import Rows
from rlhf_kit.jobs.scaling import NEW, Rates, ScaledJob
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.methods import classifier
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.quantization import one_kernel
from rlhf_kit.models.ruling import KEEP, ask, ask_without_rule, examples, rules_as_labels
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.rule_labels import rule_labels

MADE_UP, EXAMINED = 6000, 1200      # labels of the assistant's world
SCALES = Scales(
    tiny=classifier.Config(batch_size=32, learning_rate=2e-3, warmup=50, max_length=192, keep=KEEP),
    real=classifier.Config(batch_size=16, learning_rate=2e-5, warmup=100, max_length=512, keep=KEEP),
    rates={"tiny": Rates(whole=2e-3, adapter=3e-3), "small": Rates(whole=2e-5, adapter=2e-4),
           "large": Rates(whole=1e-5, adapter=1e-4)},
    epochs={"tiny": 6, "real": 2}, most_steps={"tiny": 1200, "real": 3000}, vocabulary=2000)


@dataclass(frozen=True, kw_only=True)
class RuleModelJob(ScaledJob):
    """Train a classifier that reads a rule and a dialogue and says whether the rule is broken."""

    name: ClassVar[str] = "rulemodel"
    files: ClassVar[tuple[str, ...]] = ("data",)

    data: str | None = None                 # a file with prompt, response, rule, level; None = the assistant's world
    model: str = NEW                        # what it starts from: "new", a tiny model's name, a folder, or a hub id
    without_rule: bool = False              # hide the rule's text: one question, "is it bad?", to be compared with
    lang: Lang = "en"
    task: str | None = None                 # assistant-en, assistant-zh; None = that of the language
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `classifier.Config` that differ

    def __post_init__(self) -> None:
        check_task(self.task, self.data, "--data")
        self.check_scale()
        changed(SCALES.tiny, self.changes)

    def plan(self, run: Run) -> Plan:
        """Two stages: training, which leaves `model/`, and the examination on dialogues that are held out."""
        labels, held_out, otherwise = self._labels()
        reads = ask_without_rule if self.without_rule else ask
        learn = examples(labels, reads)
        texts = [text for text, _ in learn]
        model, tokenizer, chosen, config = classifiers.opened(self, SCALES, texts, self.changes, run.more)
        rules_as_labels(model)
        use_threads(run.threads, model)
        seen: dict[str, Any] = {}

        def told(some: Sequence[RuleLabel]) -> tuple[Tensor, Tensor, list[str]]:
            sure = examples(some, reads)
            logits = class_logits(one_kernel(model), tokenizer, [text for text, _ in sure],
                                  max_length=config.max_length, keep=KEEP)
            rules = [one.rule for one in some if examples([one], reads)]
            return logits[:, 1] - logits[:, 0], tensor([label for _, label in sure]), rules

        def train() -> Iterator[Step]:
            place = run.checkpoint("rule_model")
            steps = classifier.steps(model, tokenizer, learn, config, checkpoint=place, **self.often(50))
            yield from run.with_models(lambda folder: zoo.save_classifier(model, tokenizer, folder), self.save_every,
                                       config.total, place, steps)

        def examine() -> Iterator[Step]:
            score, broken, rules = told(held_out)
            seen["auc"], seen["by_rule"] = area(score, broken), _by_rule(score, broken, rules)
            seen["broken"] = broken.float().mean().item()
            if otherwise:
                seen["paraphrased"] = area(*told(otherwise)[:2])
            zoo.save_classifier(model, tokenizer, run.at("model"))
            yield from ()

        def result() -> dict[str, Any]:
            return {"job": "rule_model", "settings": described(self, config), "labels": len(learn),
                    "unsure": len(labels) - len(learn), "held_out": len(held_out), "broken": seen["broken"],
                    "auc": asdict(seen["auc"]), "by_rule": seen["by_rule"],
                    **({"paraphrased": asdict(seen["paraphrased"])} if "paraphrased" in seen else {}),
                    "steps": len(run.history("rule_model"))}
        return Plan([Stage("rule_model", train, total=config.total, metrics=Metrics()),
                     Stage("examine", examine, total=1)], result,
                    notes=[*self.preset(chosen, config, self.changes), *unread(tokenizer, texts)])

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become, and counts of all; no weights are read. Raises: as `plan` does."""
        learn, held_out, _ = self._labels()
        reads = ask_without_rule if self.without_rule else ask
        items = learn if self.data is None else self._file
        texts = [text for text, _ in examples(learn, reads)]
        return classifiers.rows_of("rule-model", self, SCALES, n, texts, items, learn, held_out, lambda one: one.level,
                                   lambda some: examples(some, reads))

    @cached_property
    def _file(self) -> list[RuleLabel]:
        return read_rule_labels(self.data)

    def _labels(self) -> tuple[list[RuleLabel], list[RuleLabel], list[RuleLabel]]:
        """To learn from, to be examined on, and the same under wordings that no training shows."""
        if self.data is None:
            known = world(self.task or f"assistant-{self.lang}", self.lang)
            if not isinstance(known, Assistant):
                raise ValueError(f"--task {self.task} has no rules. Take assistant-en or assistant-zh, or name a file "
                                 f"with --data.")
            return (rule_labels(known, MADE_UP), rule_labels(known, EXAMINED, 1, "heldout"),
                    rule_labels(known, EXAMINED, 2, "heldout", "heldout"))
        found = self._file
        by_prompt: dict[tuple[str, str], list[RuleLabel]] = {}
        for one in found:
            by_prompt.setdefault((one.prompt, one.response), []).append(one)
        rest, kept = hold_out(list(by_prompt))              # what one prompt asks is on one side
        learn, held_out = ([one for pair in side for one in by_prompt[pair]] for side in (rest, kept))
        random.Random(0).shuffle(learn)
        for what, some in (("learn from", learn), ("examine on", held_out)):
            if len({label for _, label in examples(some)}) < 2:
                raise ValueError(f"of the labels in {self.data} those to {what} hold no broken rule, or no followed "
                                 f"one; both are needed. Add some.")
        return learn, held_out, []


def _by_rule(score: Tensor, broken: Tensor, rules: Sequence[str]) -> dict[str, float]:
    """The area under the curve of each rule that was both broken and followed."""
    found = {}
    for rule in dict.fromkeys(rules):
        at = tensor([one == rule for one in rules])
        if 0 < int(broken[at].sum()) < int(at.sum()):
            found[rule] = area(score[at], broken[at]).mean
    return found

