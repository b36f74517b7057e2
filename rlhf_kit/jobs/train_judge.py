"""`rlhf-kit train judge`: labelled texts become a classifier, examined on texts that it never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch

from rlhf_kit import zoo
from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.evaluate import share
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs import classifiers
from rlhf_kit.jobs.classifiers import Scales
from rlhf_kit.jobs.rows import Rows
from rlhf_kit.jobs.scaling import NEW, Rates, ScaledJob
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.methods import classifier
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.quantization import one_kernel
from rlhf_kit.models.tiny import LABELS
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage

MADE_UP = 9000                      # texts, where there is no file
EXAMINED = 6000                     # held-out texts, at most

# What a tour's judge of real reviews takes. Steps stand for what the epochs make of them.
SCALES = Scales(
    tiny=classifier.Config(batch_size=64, learning_rate=3e-3, warmup=100, max_length=96),
    real=classifier.Config(batch_size=16, learning_rate=2e-5, warmup=100, max_length=256),
    rates={"tiny": Rates(whole=3e-3, adapter=3e-3), "small": Rates(whole=2e-5, adapter=2e-4),
           "large": Rates(whole=1e-5, adapter=1e-4)},
    epochs={"tiny": 20, "real": 3}, most_steps={"tiny": 900, "real": 2000}, vocabulary=4000)


@dataclass(frozen=True, kw_only=True)
class JudgeJob(ScaledJob):
    """Train a classifier that says how likely a text is good: a judge for PPO."""

    name: ClassVar[str] = "judge"
    files: ClassVar[tuple[str, ...]] = ("data",)

    data: str | None = None                 # a file of labelled texts; None = the made-up reviews
    model: str = NEW                        # what it starts from: "new", a tiny model's name, a folder, or a hub id
    text: str = "text"                      # its columns
    label: str = "label"
    positive: str | None = None             # the label of a good one, where its name does not say so
    positive_from: float | None = None      # or the number from which on a label is good
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `classifier.Config` that differ

    def __post_init__(self) -> None:
        if self.data is None and (self.text, self.label, self.positive, self.positive_from) != (
                "text", "label", None, None):
            raise ValueError("--text-column, --label-column, --positive and --positive-from are about a file of "
                             "labelled texts, and there is none. Name it with --data.")
        check_task(self.task, self.data, "--data")
        self.check_scale()
        changed(SCALES.tiny, self.changes)

    def plan(self, run: Run) -> Plan:
        """Two stages: training, which leaves `model/`, and the examination on what is held out."""
        learn, held_out, notes = self._texts()
        texts = [text for text, _ in learn]
        model, tokenizer, chosen, config = classifiers.opened(self, SCALES, texts, self.changes, run.more)
        use_threads(run.threads, model)
        seen: dict[str, Any] = {}

        def train() -> Iterator[Step]:
            place = run.checkpoint("judge")
            steps = classifier.steps(model, tokenizer, learn, config, checkpoint=place, **self.often(50))
            yield from run.with_models(lambda folder: zoo.save_classifier(model, tokenizer, folder), self.save_every,
                                       config.total, place, steps)

        def examine() -> Iterator[Step]:
            logits = class_logits(one_kernel(model), tokenizer, [text for text, _ in held_out],
                                  max_length=config.max_length)
            right = (logits.argmax(-1) == torch.tensor([label for _, label in held_out])).sum().item()
            seen["accuracy"] = share(right, len(held_out))
            zoo.save_classifier(model, tokenizer, run.at("model"))
            yield from ()

        def result() -> dict[str, Any]:
            commonest = Counter(label for _, label in held_out).most_common(1)[0][1] / len(held_out)
            return {"job": "judge", "settings": described(self, config), "texts": len(learn),
                    "held_out": len(held_out), "accuracy": asdict(seen["accuracy"]), "commonest": commonest,
                    "above_commonest": seen["accuracy"].low > commonest, "steps": len(run.history("judge"))}
        return Plan([Stage("judge", train, total=config.total, metrics=Metrics()),
                     Stage("examine", examine, total=1)], result,
                    notes=[*self.preset(chosen, config, self.changes), *notes, *unread(tokenizer, texts)])

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become, and counts of all; no weights are read. Raises: as `plan` does."""
        learn, held_out, notes = self._texts()
        file = None if self.data is None else self._file
        items = learn if file is None else list(zip(file.texts, file.labels, strict=True))
        taught, kept = ({text for text, _ in some} for some in (learn, held_out))
        return classifiers.rows_of("judge", self, SCALES, n, [text for text, _ in learn], items,
                                   [one for one in items if one[0] in taught], [one for one in items if one[0] in kept],
                                   lambda one: LABELS[one[1]], notes=notes)

    @cached_property
    def _file(self) -> FileReviews:
        return FileReviews.read(self.data, text=self.text, label=self.label, positive=self.positive,
                                positive_from=self.positive_from)

    def _texts(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]], list[tuple[str, dict[str, Any]]]]:
        """To learn from and to be examined on: (text, 1 for a good one); and what the labels were taken for."""
        if self.data is None:
            task = world(self.task, self.lang)
            return task.labelled(MADE_UP), task.labelled(EXAMINED // 4, split="heldout"), []
        file = self._file
        return file.labelled(), file.labelled(EXAMINED, split="heldout"), [("labels_read_as", {"how": file.read_as})]

