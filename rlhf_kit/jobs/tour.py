"""The main job: language model, judge, PPO, and what changed, from nothing to a report one can open."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit import rewards, tasks, zoo
from rlhf_kit.datasets.labelled import HELDOUT, FileReviews
from rlhf_kit.evaluate import FEW, Evaluation, agreement, evaluate, share, side_by_side, win_rate
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs.settings import world
from rlhf_kit.language import Lang
from rlhf_kit.methods import classifier, ppo, sft
from rlhf_kit.models import loading
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.judging import class_logits
from rlhf_kit.models.text import too_rare
from rlhf_kit.runs import pipeline, report
from rlhf_kit.runs.folder import Event, RunFolder
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run, Stage, settings_of, task_content
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import new_folder
from rlhf_kit.tasks import Task
from rlhf_kit.tasks.rankings import rankings_of

METRICS = ("step", "score", "gold", "kl", "entropy", "response_length", "eos_rate", "seconds")
EVALUATED = 256                     # held-out prompts, one response each
EXAMINED = 6000                     # held-out reviews, at most, on which a judge is examined (fewer if embedded)
SHOWN = 10                          # of them in the report, the first ones
WORTH_SAYING = 0.0005               # share of the characters that no model reads
FEWEST = 2                          # held-out prompts; one has no interval
REPORT = 48                         # tokens of a response in a made-up world
CHEATS = 4                          # most overrated responses in the report

# Real reviews are shorter or longer than the embedded ones. As a part of the reward the KL penalty makes every token
# cost something, so responses shrink, to nothing where reviews are short; in the loss it has no such side.
FROM_FILE = replace(zoo.TINY_PPO, steps=70, lam=0.95, kl=KL(coefficient=0.15, in_loss=True))
OFTEN = 20                          # times that a model reads each of a file's reviews, at most
# Seconds of one core a token (measured: 8, 20 and 60 words a review, AVX-512), of the models that `for_file` makes.
COSTS = {"language_model": 2.2e-4, "judge": 3.7e-5, "ppo": 7.1e-4, "evaluate": 2.2e-4}
LONGEST = 40                        # tokens of a response over real reviews, at most


@dataclass(frozen=True, kw_only=True)
class TourJob(Job):
    """What a tour is made of; two tours with the same settings give the same numbers."""

    name: ClassVar[str] = "tour"
    results: ClassVar[tuple[str, ...]] = ("result.json", "report.html")

    lang: Lang = "en"                       # of the embedded reviews and of the report
    task: str | None = None                 # another made-up world instead of reviews: its name, or my_task.py:Weather
    reviews: str | None = None              # a file of real reviews instead of the embedded language
    text: str = "text"                      # its columns
    label: str = "label"
    positive: str | None = None             # the label of a good review, where its name does not say so
    positive_from: float | None = None      # or the number from which on a label is good
    seed: int = 0
    ppo: ppo.Config = zoo.TINY_PPO
    language_model: zoo.LanguageModel | zoo.Translator = field(default_factory=zoo.LanguageModel)
    judge: zoo.Judge | zoo.TinyRewardModel | zoo.Metric = field(default_factory=zoo.Judge)

    def plan(self, run: Run) -> Plan:
        """A language model, a judge or two, PPO, and what changed."""
        return _Work(run, self).plan()

    def claim(self) -> dict[str, Any]:
        """What makes this tour this one: its settings and its file's content."""
        made_up = task_content(self.task)
        return {**plain_values(self), "file": self._fingerprint(), **({"files": made_up} if made_up else {})}

    def world(self) -> Task | FileReviews:
        """What it is about: the embedded reviews, another made-up world, or a file's reviews. Raises: FileError."""
        if self.reviews is None:
            return world(self.task, self.lang)
        return FileReviews.read(self.reviews, text=self.text, label=self.label, positive=self.positive,
                                positive_from=self.positive_from, seed=self.seed)

    def _fingerprint(self) -> str | None:
        """Of the reviews file, so that a result is never shown for a file that has changed since."""
        return hashlib.sha256(Path(self.reviews).expanduser().read_bytes()).hexdigest()[:16] if self.reviews else None


Settings = TourJob                  # its name from before there were jobs


def embedded(lang: Lang, seed: int = 0, judge: Literal["classifier", "ranked"] = "classifier",
             task: str | None = None) -> TourJob:
    """Settings of a tour over the embedded reviews, or over another made-up world; the seed reaches every model.

    The judge learns from labels, as a classifier, or from rankings, as a reward model.
    """
    if task is not None:
        name, part = tasks.find(task).name, "judge" if judge == "classifier" else "rm"
        writer, recipe = (zoo.recipe_of(zoo.tiny_name(one, name)) for one in ("lm", part))
        sampling = replace(zoo.TINY_PPO.sampling, max_new_tokens=tasks.room(name, REPORT))
        return TourJob(lang=lang, task=task, seed=seed, ppo=replace(zoo.TINY_PPO, seed=seed, sampling=sampling),
                       language_model=replace(writer, seed=seed), judge=replace(recipe, seed=seed))
    recipe = zoo.Judge(seed=seed) if judge == "classifier" else zoo.TinyRewardModel(seed=seed)
    return TourJob(lang=lang, seed=seed, ppo=replace(zoo.TINY_PPO, seed=seed),
                   language_model=zoo.LanguageModel(seed=seed), judge=recipe)


def for_file(path: str, *, text: str, label: str, lang: Lang, positive: str | None = None,
             positive_from: float | None = None, seed: int = 0) -> TourJob:
    """Settings of a tour over a user's own reviews: larger models, a second judge for the honest number.

    The models read every review `OFTEN` times at most: a small file is not read by heart. Raises: FileError, for steps
    and PPO's settings depend on the reviews.
    """
    context = 96
    reviews = FileReviews.read(path, text=text, label=label, positive=positive, positive_from=positive_from, seed=seed)
    learnt = len(reviews.corpus())
    lm_steps, judge_steps = fitted(1600, 48, learnt), fitted(900, 64, learnt // 2)
    job = TourJob(
        lang=lang, reviews=path, text=text, label=label, positive=positive, positive_from=positive_from, seed=seed,
        language_model=zoo.LanguageModel(
            texts=10**9, vocabulary=4000, layers=4, width=160, context=context, seed=seed,
            sft=sft.Config(steps=lm_steps, batch_size=48, learning_rate=2e-3, max_length=64,
                           warmup=min(100, lm_steps // 5))),
        judge=zoo.Judge(texts=10**9, vocabulary=4000, width=96, dropout=0.1, seed=seed,
                        classifier=classifier.Config(steps=judge_steps, batch_size=64, learning_rate=3e-3,
                                                     warmup=min(100, judge_steps // 5), max_length=context)))
    return replace(job, ppo=replace(ppo_for(reviews), seed=seed))


def fitted(most: int, batch_size: int, texts: int) -> int:
    """Steps in which every text is read `OFTEN` times; not more than `most`, and not fewer than a tenth of that."""
    return min(most, max(math.ceil(OFTEN * texts / batch_size), most // 10))


def ppo_for(reviews: FileReviews) -> ppo.Config:
    """PPO over these reviews: a response may have as many tokens as nine in ten of them have characters (zh), or one
    and a half times their words (en); not fewer than 8, nor more than `LONGEST`.

    The KL coefficient need not be chosen by the file: in the loss it weighs against the advantage of one token, however
    many there are. Measured, the same one ends 9 nats away where responses have 12 tokens and 11 where they have 23,
    with nearly all responses different in both. In the reward it would have to be: 0.04 loses variety on some seeds
    and 0.15 teaches to say nothing.
    """
    length, tokens = {"zh": (len, 1.0), "en": (lambda text: len(text.split()), 1.5)}[reviews.lang]
    nine_in_ten = sorted(map(length, reviews.texts))[int(0.9 * len(reviews.texts))]
    room = min(max(math.ceil(tokens * nine_in_ten), 8), LONGEST)
    return replace(FROM_FILE, sampling=Sampling(max_new_tokens=room))


def cost(job: TourJob, reviews: FileReviews) -> float:
    """About how many seconds one core will take for a tour over a file, of everything but importing torch.

        Σ over models of  steps · texts a step · tokens a text · `COSTS`      tokens from the length of the reviews
    """
    characters, words = {"zh": 1.0, "en": 0.0}[reviews.lang], {"zh": 0.0, "en": 1.1}[reviews.lang]
    lengths = [characters * len(text) + words * len(text.split()) for text in reviews.texts]

    def tokens(most: int) -> float:
        return sum(min(length + 1, most) for length in lengths) / len(lengths)
    writer, judge, policy = job.language_model.sft, job.judge.classifier, job.ppo
    answer = policy.sampling.max_new_tokens
    examined = 2 * min(EXAMINED, reviews.parts.count(HELDOUT)) * tokens(judge.max_length)
    return (writer.steps * writer.batch_size * tokens(writer.max_length) * COSTS["language_model"]
            + 2 * judge.steps * judge.batch_size * tokens(judge.max_length) * COSTS["judge"]
            + policy.steps * policy.batch_size * answer * COSTS["ppo"] + 2 * EVALUATED * answer * COSTS["evaluate"]
            + examined * COSTS["judge"] / 3)


class Tour:
    """One tour in one folder. `run()` does what is left to do; a finished one only shows its `result()`."""

    def __init__(self, folder: str | Path, settings: TourJob) -> None:
        self.folder, self.settings = Path(folder), settings
        self.place = RunFolder(folder, results=TourJob.results)

    @property
    def finished(self) -> bool:
        """True once the result and its report are written. Raises: StorageError if they are another tour's."""
        return pipeline.finished(self.settings, self.folder)

    def result(self) -> dict[str, Any]:
        """What the finished tour measured, as it stands in result.json."""
        return self.place.result()

    def run(self) -> Iterator[Event]:
        """Do what is left, stage by stage; every stage is saved as it goes, so it may be stopped at any moment."""
        return self.settings.run(self.folder)

    def start_anew(self) -> None:
        """Remove what a tour wrote here, and nothing else; not before the new one's input has been read."""
        self.settings.world()
        self.place.clear()


class _Work:
    """The stages of one tour, in one folder."""

    def __init__(self, run: Run, settings: TourJob) -> None:
        self.at, self.checkpoint, self.run, self.settings = run.at, run.checkpoint, run, settings
        self.task = settings.world()            # a bad file is reported before anything is written
        self.seen: dict[str, Evaluation] = {}
        self.accuracy: dict[str, dict] = {}

    def plan(self) -> Plan:
        """Models, PPO, and what changed."""
        settings = self.settings
        train = Stage("ppo", self.train, total=settings.ppo.steps, leaves=("policy",), again=True, check=self.check,
                      metrics=Metrics(every=1, row=metrics_line))
        return Plan([*self.models(), train, Stage("evaluate", self.evaluate, total=2)], self.result, self.report,
                    notes=self.notes())

    def notes(self) -> list[tuple[str, dict[str, Any]]]:
        """What a file's labels were taken for, and how long it will take."""
        settings, reviews = self.settings, self.task
        if not isinstance(reviews, FileReviews):
            return []
        minutes = max(round(cost(settings, reviews) / 60), 1)
        found = [("labels_read_as", {"how": reviews.read_as}),
                 ("tour_takes", {"reviews": len(reviews.texts), "lm": settings.language_model.sft.steps,
                                 "judge": settings.judge.classifier.steps, "ppo": settings.ppo.steps,
                                 "minutes": minutes})]
        few = min(len(self.prompts()), reviews.parts.count(HELDOUT))
        share, examples = too_rare(reviews.corpus(), reviews.texts, settings.language_model.vocabulary)
        if share >= WORTH_SAYING:
            found.append(("tour_unread", {"share": share, "examples": " ".join(examples)}))
        return [*found, *([("few_examined", {"n": few, "few": FEW})] if few < FEW else [])]

    def check(self, processes: int) -> None:
        """Raises ValueError for what would fail after the models have been trained."""
        room, most = self.settings.language_model.context, self.settings.ppo.sampling.max_new_tokens
        if most >= room:
            raise ValueError(f"max_new_tokens is {most}, but the language model will read {room} tokens at most, the "
                             f"prompt included. Lower max_new_tokens, or raise the language model's context.")
        self.task.prompts("train", 1)
        if len(self.prompts()) < FEWEST:
            raise ValueError(f"{self.settings.reviews or self.task.name} has {len(self.prompts())} held-out prompts; "
                             f"at least {FEWEST} are needed to measure what changed. Give more texts.")

    def prompts(self) -> list[str]:
        return self.task.prompts("heldout", EVALUATED, seed=self.settings.seed)

    # -- stages ---------------------------------------------------------------------------------------------------

    def models(self) -> Iterator[Stage]:
        settings = self.settings
        yield self.model("language_model", settings.language_model, self.task, settings.language_model.sft.steps)
        if self.ranked:
            yield self.model("reward_model", settings.judge, self.task, settings.judge.reward_model.steps)
            return
        halves = [_Half(self.task, 0), _Half(self.task, 1)] if settings.reviews else [self.task]
        for name, part in zip(("judge", "second_judge"), halves, strict=False):
            recipe = settings.judge if name == "judge" else replace(settings.judge, seed=settings.judge.seed + 1)
            yield self.model(name, recipe, part, recipe.classifier.steps)

    def model(self, name: str, recipe: zoo.Recipe, task: Any, total: int) -> Stage:
        """Trained here; or, if it is exactly one of the zoo's, taken from there, and trained there if need be."""
        folder, tiny = self.at(name), self.tiny_name(recipe)

        def taken() -> Iterator[Step | Event]:
            seen = False
            for step in zoo.build(tiny):
                seen = True
                yield step
            with new_folder(folder) as unfinished:
                shutil.copytree(zoo.place(tiny), unfinished, dirs_exist_ok=True)
            if not seen:
                yield Event(name, total, total, kept=True)
        work = taken if tiny else partial(recipe.steps, task, folder, self.checkpoint(name))
        return Stage(name, work, total=total, leaves=(name,))

    def train(self) -> Iterator[Step]:
        base, scores, settings = self.base, self.scores, self.settings
        policy, reference = Policy(copy.deepcopy(base.lm), base.tokenizer), base.reference()
        watch = {name: reward for name, reward in scores.items() if name != "score"}
        checkpoint = self.checkpoint("ppo")
        steps = ppo.steps(policy, reference, self.task.prompts("train"), scores["score"], settings.ppo,
                          evaluation_rewards=watch, checkpoint=checkpoint)
        yield from self.run.with_snapshots(policy, settings.ppo.steps, checkpoint, steps)
        zoo.save_policy(policy, self.at("policy"))

    def evaluate(self) -> Iterator[Event]:
        reference, scores, seed = self.base.reference(), self.scores, self.settings.seed + 1
        policy, sampling = loading.load_policy(self.at("policy")), self.settings.ppo.sampling
        self.seen["before"] = evaluate(reference, reference, self.prompts(), scores, sampling, seed)
        yield Event("evaluate", 1, 2)
        self.seen["after"] = evaluate(policy, reference, self.prompts(), scores, sampling, seed)
        self.accuracy = self.ranked_right(scores) if self.ranked else self.labels_right()

    @cached_property
    def base(self) -> Policy:
        """The language model that the first stage left."""
        return loading.load_policy(self.at("language_model"), value_head=False)

    @cached_property
    def scores(self) -> dict[str, rewards.Reward]:
        """What is measured of a response; the first is what PPO maximises."""
        if self.settings.reviews:
            return {name: rewards.classifier(*self.classifier(stage), label="positive")
                    for name, stage in (("score", "judge"), ("second_judge", "second_judge"))}
        if self.ranked:
            judge = rewards.learned(loading.load_reward_model(self.at("reward_model")), output="probability")
        else:
            judge = rewards.classifier(*self.classifier("judge"), label="positive")
        return {"score": judge, "gold": rewards.gold(self.task)}

    def labels_right(self) -> dict[str, dict]:
        """How often each classifier is right on held-out reviews."""
        held_out = self.task.labelled(EXAMINED if self.settings.reviews else EXAMINED // 4, seed=self.settings.seed,
                                      split="heldout")
        limit, found = self.settings.judge.classifier.max_length, {}
        for stage in ("judge", "second_judge") if self.settings.reviews else ("judge",):
            guess = class_logits(*self.classifier(stage), [text for text, _ in held_out], max_length=limit)
            right = (guess.argmax(-1) == torch.tensor([label for _, label in held_out])).sum().item()
            found[stage] = asdict(share(right, len(held_out)))
        return found

    def ranked_right(self, scores: dict[str, rewards.Reward]) -> dict[str, dict]:
        """On how many pairs of held-out rankings the reward model is right, and how many the truth itself gets."""
        recipe = self.settings.judge
        held_out = rankings_of(self.task, EXAMINED // 20, recipe.k, recipe.noise, seed=self.settings.seed,
                               split="heldout")
        found = {"judge": agreement(scores["score"], held_out), "ceiling": agreement(scores["gold"], held_out)}
        return {name: asdict(one.pair_accuracy) for name, one in found.items()}

    @property
    def ranked(self) -> bool:
        return zoo.KINDS[type(self.settings.judge)] == "reward_model"

    def classifier(self, stage: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        return loading.load_classifier(self.at(stage))

    def tiny_name(self, recipe: zoo.Recipe) -> str | None:
        """The name in the zoo of exactly this recipe, if it has one: then the model is shared between tours."""
        if self.settings.reviews:
            return None
        if self.settings.task is not None:
            part = next(part for part, kind in zoo.PARTS.items() if zoo.KINDS[type(recipe)] == zoo.KINDS[kind])
            name = zoo.tiny_name(part, self.task.name)
            return name if zoo.recipe_of(name) == recipe else None
        wanted = (recipe, self.settings.lang)
        return next((name for name, made in zoo.TINY.items() if made == wanted), None)

    # -- files ----------------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        before, after, task = self.seen["before"], self.seen["after"], self.task
        return {
            "settings": plain_values(self.settings), "before": before.numbers(), "after": after.numbers(),
            "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in after.each},
            "warnings": report.warnings(before.numbers(), after.numbers()),
            "judge_accuracy": self.accuracy, "samples": side_by_side(before, after)[:SHOWN],
            "cheats": _cheats(task, after), "texts": len(task.texts) if isinstance(task, FileReviews) else None,
        }

    def report(self, result: dict[str, Any]) -> None:
        report.write(self.at("report.html"), result, self.run.history("ppo"), self.settings.lang)


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


def plain_values(settings: TourJob) -> dict[str, Any]:
    """The settings as plain JSON values."""
    return json.loads(json.dumps(settings_of(settings), default=str))


def _cheats(task: Task | FileReviews, after: Evaluation) -> dict[str, Any]:
    """The responses that the judge overrates most, against gold or the second judge, with gold's explanation."""
    other = "gold" if "gold" in after.each else "second_judge"
    gaps = sorted(range(len(after.prompts)), key=lambda i: after.each[other][i] - after.each["score"][i])
    worst = [i for i in gaps[:CHEATS] if after.each["score"][i] - after.each[other][i] > 0.3]
    found = [{**after.row(i), "why": _why(task, after, i)} for i in worst]
    return {"of": len(after.prompts), "against": other, "found": found}


def _why(task: Task | FileReviews, after: Evaluation, i: int) -> str | None:
    return str(task.explain(after.prompts[i], after.responses[i])) if hasattr(task, "explain") else None
