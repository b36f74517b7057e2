"""The main job: language model, judge, PPO, and what changed, from nothing to a report one can open."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.evaluate import Evaluation, agreement, evaluate, share, side_by_side, win_rate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang
from rlhf_kit.methods import classifier, ppo, sft
from rlhf_kit.models import loading
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.judging import class_logits
from rlhf_kit.runs import report
from rlhf_kit.runs.folder import Event, RunFolder
from rlhf_kit.runs.snapshots import Kept
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import is_complete, new_folder, write_json_lines
from rlhf_kit.tasks.reviews import Reviews

METRICS = ("step", "score", "gold", "kl", "entropy", "response_length", "eos_rate", "seconds")
EVALUATED = 256                     # held-out prompts, one response each
EXAMINED = 6000                     # held-out reviews, at most, on which a judge is examined (fewer if embedded)
SHOWN = 10                          # of them in the report, the first ones
CHEATS = 4                          # most overrated responses in the report

FROM_FILE = replace(zoo.TINY_PPO, steps=70, sampling=Sampling(max_new_tokens=40))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a tour is made of; two tours with the same settings give the same numbers."""

    lang: Lang = "en"                       # of the embedded reviews and of the report
    reviews: str | None = None              # a file of real reviews instead of the embedded language
    text: str = "text"                      # its columns
    label: str = "label"
    positive: str | None = None             # the label of a good review, where its name does not say so
    seed: int = 0
    ppo: ppo.Config = zoo.TINY_PPO
    language_model: zoo.LanguageModel = field(default_factory=zoo.LanguageModel)
    judge: zoo.Judge | zoo.RewardModel = field(default_factory=zoo.Judge)


def embedded(lang: Lang, seed: int = 0, judge: Literal["classifier", "ranked"] = "classifier") -> Settings:
    """Settings of a tour over the embedded reviews; the seed reaches every model.

    The judge learns from labels, as a classifier, or from rankings, as a reward model.
    """
    recipe = zoo.Judge(seed=seed) if judge == "classifier" else zoo.RewardModel(seed=seed)
    return Settings(lang=lang, seed=seed, ppo=replace(zoo.TINY_PPO, seed=seed),
                    language_model=zoo.LanguageModel(seed=seed), judge=recipe)


def for_file(path: str, *, text: str, label: str, lang: Lang, positive: str | None = None,
             seed: int = 0) -> Settings:
    """Settings of a tour over a user's own reviews: larger models, a second judge for the honest number."""
    context = 96
    return Settings(
        lang=lang, reviews=path, text=text, label=label, positive=positive, seed=seed,
        ppo=replace(FROM_FILE, seed=seed),
        language_model=zoo.LanguageModel(
            texts=10**9, vocabulary=4000, layers=4, width=160, context=context, seed=seed,
            sft=sft.Config(steps=1600, batch_size=48, learning_rate=2e-3, max_length=64, warmup=100)),
        judge=zoo.Judge(texts=10**9, vocabulary=4000, width=96, dropout=0.1, seed=seed,
                        classifier=classifier.Config(steps=900, batch_size=64, learning_rate=3e-3, warmup=100,
                                                     max_length=context)))


class Tour:
    """One tour in one folder. `run()` does what is left to do; a finished one only shows its `result()`."""

    def __init__(self, folder: str | Path, settings: Settings) -> None:
        self.folder, self.settings = Path(folder), settings
        self.place = RunFolder(folder, results=("result.json", "report.html"))

    @property
    def finished(self) -> bool:
        """True once the result and its report are written. Raises: StorageError if they are another tour's."""
        if self.place.finished:
            self.place.claim(self._claimed())
        return self.place.finished

    def result(self) -> dict[str, Any]:
        """What the finished tour measured, as it stands in result.json."""
        return self.place.result()

    def run(self) -> Iterator[Event]:
        """Do what is left, stage by stage; every stage is saved as it goes, so it may be stopped at any moment."""
        self.place.check()
        task = self._task()                     # a bad file is reported before anything is written
        with self.place.working(self._claimed()):
            yield from self._run(task)

    def start_anew(self) -> None:
        """Remove what a tour wrote here, and nothing else; not before the new one's input has been read."""
        self._task()
        self.place.clear()

    # -- stages ---------------------------------------------------------------------------------------------------

    def _run(self, task: Reviews | FileReviews) -> Iterator[Event]:
        yield from self._models(task)
        base = loading.load_policy(self.folder / "language_model", value_head=False)
        scores = self._scores(task)

        history: list[Step] = []
        yield from self._train(base, task, scores, history)
        policy = loading.load_policy(self.folder / "policy")

        prompts = task.prompts("heldout", EVALUATED, seed=self.settings.seed)
        yield Event("evaluate", 0, 2)
        with self.place.timed("evaluate"):
            reference, seed = base.reference(), self.settings.seed + 1
            before = evaluate(reference, reference, prompts, scores, self.settings.ppo.sampling, seed)
            yield Event("evaluate", 1, 2)
            after = evaluate(policy, reference, prompts, scores, self.settings.ppo.sampling, seed)
            accuracy = self._ranked_right(task, scores) if self._ranked else self._labels_right(task)
        yield Event("evaluate", 2, 2)
        self._finish(task, before, after, accuracy, history)

    def _models(self, task: Reviews | FileReviews) -> Iterator[Event]:
        settings = self.settings
        yield from self._model("language_model", settings.language_model, task, settings.language_model.sft.steps)
        if self._ranked:
            yield from self._model("reward_model", settings.judge, task, settings.judge.reward_model.steps)
            return
        halves = [_Half(task, 0), _Half(task, 1)] if settings.reviews else [task]
        for stage, part in zip(("judge", "second_judge"), halves, strict=False):
            recipe = settings.judge if stage == "judge" else replace(settings.judge, seed=settings.judge.seed + 1)
            yield from self._model(stage, recipe, part, recipe.classifier.steps)

    def _model(self, stage: str, recipe: zoo.Recipe, task: Reviews | FileReviews | _Half,
               total: int) -> Iterator[Event]:
        folder, checkpoint = self.folder / stage, self.folder / "checkpoints" / stage
        if is_complete(folder):
            yield Event(stage, total, total, kept=True)
            return
        yield Event(stage, 0, total)
        name = self._tiny_name(recipe)
        with self.place.timed(stage):
            steps = zoo.build(name) if name else recipe.steps(task, folder, checkpoint)
            seen = 0
            for step in steps:
                seen = step.number + 1
                yield Event(stage, seen, total, step.metrics)
            if name:
                with new_folder(folder) as unfinished:
                    shutil.copytree(zoo.place(name), unfinished, dirs_exist_ok=True)
        yield Event(stage, total, total, kept=not seen)

    def _train(self, base: Policy, task: Reviews | FileReviews, scores: dict[str, rewards.Reward],
               history: list[Step]) -> Iterator[Event]:
        total, folder, checkpoint = self.settings.ppo.steps, self.folder / "policy", self.folder / "checkpoints" / "ppo"
        finished = is_complete(folder)
        with self.place.timed("ppo"):
            policy, reference = Policy(copy.deepcopy(base.lm), base.tokenizer), base.reference()
            watch = {name: reward for name, reward in scores.items() if name != "score"}
            yield Event("ppo", 0, total)
            kept = Kept(self.folder, policy, total, checkpoint)
            for step in ppo.steps(policy, reference, task.prompts("train"), scores["score"], self.settings.ppo,
                                  evaluation_rewards=watch, checkpoint=checkpoint):
                history.append(step)
                kept.after(step.number + 1)
                write_json_lines(self.folder / "metrics.jsonl", [metrics_line(s) for s in history])
                yield Event("ppo", step.number + 1, total, step.metrics, kept=finished)
            zoo.save_policy(policy, folder)

    def _scores(self, task: Reviews | FileReviews) -> dict[str, rewards.Reward]:
        """What is measured of a response; the first is what PPO maximises."""
        if self.settings.reviews:
            return {name: rewards.classifier(*self._classifier(stage), label="positive")
                    for name, stage in (("score", "judge"), ("second_judge", "second_judge"))}
        if self._ranked:
            judge = rewards.learned(loading.load_reward_model(self.folder / "reward_model"), output="probability")
        else:
            judge = rewards.classifier(*self._classifier("judge"), label="positive")
        return {"score": judge, "gold": rewards.gold(task)}

    def _labels_right(self, task: Reviews | FileReviews) -> dict[str, dict]:
        """How often each classifier is right on held-out reviews."""
        held_out = task.labelled(EXAMINED if self.settings.reviews else EXAMINED // 4, seed=self.settings.seed,
                                 split="heldout")
        limit, found = self.settings.judge.classifier.max_length, {}
        for stage in ("judge", "second_judge") if self.settings.reviews else ("judge",):
            guess = class_logits(*self._classifier(stage), [text for text, _ in held_out], max_length=limit)
            right = (guess.argmax(-1) == torch.tensor([label for _, label in held_out])).sum().item()
            found[stage] = asdict(share(right, len(held_out)))
        return found

    def _ranked_right(self, task: Reviews, scores: dict[str, rewards.Reward]) -> dict[str, dict]:
        """On how many pairs of held-out rankings the reward model is right, and how many the truth itself gets."""
        recipe = self.settings.judge
        held_out = task.rankings(EXAMINED // 20, recipe.k, recipe.noise, seed=self.settings.seed, split="heldout")
        found = {"judge": agreement(scores["score"], held_out), "ceiling": agreement(scores["gold"], held_out)}
        return {name: asdict(one.pair_accuracy) for name, one in found.items()}

    @property
    def _ranked(self) -> bool:
        return isinstance(self.settings.judge, zoo.RewardModel)

    def _classifier(self, stage: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        return loading.load_classifier(self.folder / stage)

    # -- files ----------------------------------------------------------------------------------------------------

    def _claimed(self) -> dict[str, Any]:
        """What makes this tour this one: its settings and its file's content."""
        return {**described(self.settings), "file": self._fingerprint()}

    def _fingerprint(self) -> str | None:
        """Of the reviews file, so that a result is never shown for a file that has changed since."""
        path = self.settings.reviews
        return hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest()[:16] if path else None

    def _task(self) -> Reviews | FileReviews:
        s = self.settings
        if s.reviews is None:
            return Reviews(s.lang)
        return FileReviews.read(s.reviews, text=s.text, label=s.label, positive=s.positive, seed=s.seed)

    def _tiny_name(self, recipe: zoo.Recipe) -> str | None:
        """The name in the zoo of exactly this recipe, if it has one: then the model is shared between tours."""
        wanted = (recipe, self.settings.lang)
        return None if self.settings.reviews else next((n for n, made in zoo.TINY.items() if made == wanted), None)

    def _finish(self, task: Reviews | FileReviews, before: Evaluation, after: Evaluation, accuracy: dict,
                history: Sequence[Step]) -> None:
        result = {
            "settings": described(self.settings), "before": before.numbers(), "after": after.numbers(),
            "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in after.each},
            "warnings": report.warnings(before.numbers(), after.numbers()),
            "judge_accuracy": accuracy, "samples": side_by_side(before, after)[:SHOWN],
            "cheats": _cheats(task, after), "texts": len(task.texts) if isinstance(task, FileReviews) else None,
        }
        report.write(self.folder / "report.html", {**result, **self.place.spent()}, history, self.settings.lang)
        self.place.finish(result)


@dataclass(frozen=True)
class _Half:
    """One half of a file's training reviews, for one of two judges that share no text."""

    reviews: FileReviews
    half: int

    def labelled(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, int]]:
        return self.reviews.labelled(n, seed, split, half=self.half)


def metrics_line(step: Step) -> dict[str, float | int | None]:
    """A line of metrics.jsonl; null where there is no such number (gold, for real reviews)."""
    known = {"step": step.number + 1, **step.metrics}
    line = {name: known.get(name) for name in METRICS}
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in line.items()}


def described(settings: Settings) -> dict[str, Any]:
    """The settings as plain JSON values."""
    return json.loads(json.dumps(asdict(settings), default=str))


def _cheats(task: Reviews | FileReviews, after: Evaluation) -> dict[str, Any]:
    """The responses that the judge overrates most, against gold or the second judge, with gold's explanation."""
    other = "gold" if "gold" in after.each else "second_judge"
    gaps = sorted(range(len(after.prompts)), key=lambda i: after.each[other][i] - after.each["score"][i])
    worst = [i for i in gaps[:CHEATS] if after.each["score"][i] - after.each[other][i] > 0.3]
    found = [{**after.row(i), "why": _why(task, after, i)} for i in worst]
    return {"of": len(after.prompts), "against": other, "found": found}


def _why(task: Reviews | FileReviews, after: Evaluation, i: int) -> str | None:
    return str(task.explain(after.prompts[i], after.responses[i])) if isinstance(task, Reviews) else None
