"""`rlhf-kit train reward-model`: rankings become a reward model, examined on rankings that it never saw."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

from transformers import PreTrainedTokenizerBase

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.door import Account, Brought, as_rankings, bring, columns_in, lines_of
from rlhf_kit.datasets.labelled import FileReviews
from rlhf_kit.datasets.rankings import FEWEST, as_ranking, hold_out, texts_of
from rlhf_kit.datasets.reading import refused, same_text, shorten
from rlhf_kit.datasets.recast import choices, with_distractors
from rlhf_kit.evaluate import Agreement, agreement
from rlhf_kit.formulas.records import Comparison, Ranking, Step
from rlhf_kit.jobs import warm_start, written
from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.scaling import NEW, Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, described, unread, use_threads, world
from rlhf_kit.jobs.warm_start import Form, Half
from rlhf_kit.language import Lang
from rlhf_kit.methods import reward_model
from rlhf_kit.models import heads, text, tiny
from rlhf_kit.models.chats import has_template
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.tasks import Task
from rlhf_kit.tasks.rankings import origin, rankings_of

Size = Literal["tiny", "real"]
HELD_OUT = 400                      # rankings, or a fifth if that is fewer
MADE_UP = 3000                      # rankings, where there is no file


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """The tiny encoder that is made where no model is named."""

    vocabulary: int = 4000
    layers: int = 2
    width: int = 96
    dropout: float = 0.2

    def make(self, texts: Sequence[str], config: reward_model.Config) -> heads.RewardModel:
        """One with weights drawn from the seed and a tokenizer learned from these texts."""
        tokenizer = text.train_tokenizer(texts, self.vocabulary, reading=True)
        return tiny.reward_model(tokenizer, layers=self.layers, width=self.width, dropout=self.dropout,
                                 context=config.max_length, seed=config.seed)


# Steps stand for what `_fitted` makes of them: a few times over all rankings for a tiny model, once for a large one,
# which would have them by heart after that (arXiv:2203.02155 appendix C).
TINY_RM = reward_model.Config(batch_size=16, learning_rate=1.5e-3, warmup=40, min_lr_ratio=0.0, weight_decay=0.1,
                              max_length=128, token_dropout=0.3)
REAL_RM = reward_model.Config(batch_size=16, learning_rate=1e-5, max_length=512)     # BERT, GPT-2 and larger
PRETRAINING = {"tiny": replace(TINY_RM, learning_rate=2e-3, token_dropout=0.2), "real": REAL_RM}
FIRST = {"tiny": TINY_RM, "real": REAL_RM}                                           # what a fresh model takes,
AFTERWARDS = {"tiny": replace(TINY_RM, learning_rate=7e-4), "real": REAL_RM}         # and one that was pretrained
RATES = {"tiny": Rates(whole=TINY_RM.learning_rate, adapter=3e-3), "small": Rates(whole=1e-5, adapter=1e-4),
         "large": Rates(whole=9e-6, adapter=5e-5)}
EPOCHS, FEWEST_STEPS = {"tiny": 6, "real": 1}, 60
SIDE = 8                            # good reviews in a ranking to be pretrained on, and bad ones: 64 pairs, 16 passes


@dataclass(frozen=True, kw_only=True)
class RewardModelJob(ScaledJob):
    """Train a reward model on rankings or on pairs, your own or made-up ones."""

    name: ClassVar[str] = "rewardmodel"
    files: ClassVar[tuple[str, ...]] = ("rankings", "pairs", "pretrain", "red_team", "votes")

    rankings: str | None = None             # a file of rankings, a folder of them, or a set on the hub
    pairs: str | None = None                # or of (prompt, chosen, rejected); None and None = made-up reviews
    columns: str | None = None              # of the file: "prompt=question,chosen=better"
    template: str | None = None             # that conversations are written by; None = the model's own
    model: str = NEW                        # what it starts from: "new", a tiny model's name, a folder, or a hub id
    pretrain: str | None = None             # a file of labelled reviews to learn from first: good above bad
    text: str = "text"                      # its columns
    label: str = "label"
    positive: str | None = None             # the label of a good review, where its name does not say so
    positive_from: float | None = None      # or the number from which on a label is good
    held_out: int | None = None             # rankings to be examined on; None = 400, or a fifth if that is fewer
    examples: tuple[str, ...] = ()          # texts to be scored at the end
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather; beside a file of
                                            # rankings it only lends its tiny models
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `reward_model.Config` that differ
    votes: str | None = None                # what to learn from first (PMP): a world with votes, or a file of pairs
    votes_form: Form | None = None          # how; None = binarised
    red_team: str | None = None             # pairs in which the more harmful answer was picked; they are turned round
    harmless_weight: float | None = None    # what each of those counts; None = 1
    distractors: int | None = None          # replies of other dialogues beside each choice; None = 0
    half: Half | None = None                # learn from this half of the rankings only; None = from all

    def __post_init__(self) -> None:
        if self.rankings is not None and self.pairs is not None:
            raise ValueError("both --rankings and --pairs are given; a run learns from one file. Name one of them.")
        if self.columns is not None and self.rankings is None and self.pairs is None:
            raise ValueError("--columns are those of a file, and there is none. Name it with --pairs or --rankings.")
        columns_in(self.columns)
        if self.pretrain is None and (self.text, self.label, self.positive, self.positive_from) != (
                "text", "label", None, None):
            raise ValueError("--text-column, --label-column and --positive are about a file of reviews, and there is "
                             "none. Name it with --pretrain.")
        self._check_labs()
        if self.held_out is not None and self.held_out < 1:
            raise ValueError(f"--held-out is {self.held_out}; at least 1 ranking has to be examined on.")
        for example in self.examples:
            if not example.strip() or example.encode(errors="ignore").decode() != example:
                raise ValueError(f"--example is {example!r}; expected a text that can be read and shown.")
        self.check_scale()
        changed(TINY_RM, self.changes)

    def _check_labs(self) -> None:
        """Settings of Anthropic's and Sparrow's preference models that cannot be. Raises: ValueError, one line."""
        if self.votes is not None and self.pretrain is not None:
            raise ValueError("both --votes and --pretrain are given; a model is warmed up with one of them. Name one.")
        if self.votes is None and self.votes_form is not None:
            raise ValueError("--votes-form is how votes are learned from, and there are none. Name them with --votes.")
        if self.red_team is None and self.harmless_weight is not None:
            raise ValueError("--harmless-weight is that of --red-team, and there is none. Name it.")
        if self.harmless_weight is not None and not 0 <= self.harmless_weight < math.inf:
            raise ValueError(f"--harmless-weight is {self.harmless_weight}; it is a weight, 0 or more, such as 2.")
        if self.distractors is not None and (self.distractors < 0 or self.changes.get("loss") != "choice"):
            raise ValueError(f"--distractors is {self.distractors}; they are replies that nobody picked, 0 or more, "
                             f"beside the choices of --loss choice.")
        if self.red_team is not None and self.changes.get("loss") == "choice":
            raise ValueError("--red-team is of pairs, and --loss choice of choices; leave one of them out.")

    def plan(self, run: Run) -> Plan:
        """Up to three stages: pretraining, training, and the examination, which leaves `model/`.

        The scores are centred: the responses of the held-out rankings score 0 on average.
        """
        left_out: Counter[str] = Counter(malformed=0, undecided=0, shared=0)
        brought = self.brought
        loaded, chosen = (None, None) if self.model == NEW else self.open_reward_model(self.changes.get("seed", 0))
        learn, kept_out, highest, account, _ = self._rankings(brought, loaded and loaded.tokenizer, left_out)
        attacks, repelled = warm_start.attacks(self.red_team, loaded, self.template, self.model)
        weights = [1.0] * len(learn) + [1.0 if self.harmless_weight is None else self.harmless_weight] * len(attacks)
        learn, weights = warm_start.half_of([*learn, *attacks], weights, self.half)
        first = self._pretraining(kept_out) if self.votes is None else warm_start.votes(
            self.votes, self.votes_form or "binarised", kept_out, loaded, self.template, self.model)
        model = self._model([*learn, *first]) if loaded is None else loaded
        chosen = chosen or Chosen("tiny", tiny.parameters(model), 0, guessed=False)
        size: Size = "tiny" if chosen.size == "tiny" else "real"
        changes, config = self._settings(model, chosen, len(learn), bool(first))
        config = further(config, run.more)
        use_threads(run.threads, model)
        judged = [as_ranking(one) for one in kept_out]
        account = account and _with_room(account, model, learn, config.max_length)
        score, seen = rewards.learned(model, max_length=config.max_length), {}
        taught = learn if config.loss != "choice" else self._choices(learn, config.seed)

        def stage(name: str, rankings: Sequence, config: reward_model.Config, metrics: Metrics | None = None,
                  weights: Sequence[float] | None = None) -> Stage:
            place, every = run.checkpoint(name), self.save_every if metrics else None

            def work() -> Iterator[Step]:
                steps = reward_model.steps(model, rankings, config, weights=weights, checkpoint=place,
                                           **self.often(50))
                yield from run.with_models(lambda folder: zoo.save_reward_model(model, folder), every, config.total,
                                           place, steps)
            return Stage(name, work, total=config.total, metrics=metrics)

        def examine() -> Iterator[Step]:
            responses = [(one.prompt, response) for one in judged for response in one.responses]
            reward_model.centre(model, responses, config.max_length)
            seen["agreement"] = agreement(score, judged)
            seen["apart"] = {name: agreement(score, some) for name, some in (
                ("harmless", [as_ranking(one) for one in repelled]),
                ("off_topic", warm_start.off_topic(judged) if self.distractors else ())) if some}
            if has_template(model.tokenizer):
                model.reads_chats = account is not None and any(key in written.WRITTEN for key, _ in account.notes)
            zoo.save_reward_model(model, run.at("model"))
            yield from ()

        def result() -> dict[str, Any]:
            return {"job": "reward_model", "settings": described(self, config),
                    **_numbers(seen["agreement"]), "ceiling": highest,
                    "length_only": _by_length(learn, judged).pair_accuracy.mean,
                    "rankings": len(learn), "held_out": len(kept_out), "left_out": dict(left_out),
                    "read_as": _read_as(learn),
                    "comparisons": sum(_pairs(one) for one in learn),
                    **{name: _numbers(found) for name, found in seen["apart"].items()},
                    "pretrained_on": len({text for one in first for text in texts_of(one)}),
                    "examples": _scored(score, self.examples), "steps": len(run.history("reward_model")),
                    **self._origin(), **({} if account is None else {"read": account.numbers()})}
        before = "pretrain" if self.votes is None else "pmp"
        pretrain = [stage(before, first, _pretraining_config(size, changes, first))] if first else []
        learning = stage("reward_model", taught, config, Metrics(), None if self.red_team is None else weights)
        return Plan([*pretrain, learning, Stage("examine", examine, total=1)],
                    result, notes=[*self.preset(chosen, config, self.changes), *written.news(brought, account), *unread(
                        model.tokenizer, [whole for one in learn for whole in texts_of(one)])])

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become, and counts of all; no weights are read. Raises: as `plan` does.

        Of the rankings themselves: `pretrain`, `votes`, `red_team` and `distractors` come beside them.
        """
        loaded, chosen = (None, None) if self.model == NEW else self.outline_reward_model()
        learn, kept_out, _, account, of = self._rankings(self.brought, loaded and loaded.tokenizer, Counter())
        learn, _ = warm_start.half_of(learn, [1.0] * len(learn), self.half)
        model = self._model(learn) if loaded is None else loaded
        chosen = chosen or Chosen("tiny", tiny.parameters(model), 0, guessed=False)
        _, config = self._settings(model, chosen, len(learn), self.pretrain is not None or self.votes is not None)
        kind = Of(*of, lambda items: reward_model.as_read(model, items, config), learn, kept_out)
        return rows([kind], n, job="reward-model", model=self.model, tokenizer=model.tokenizer, limit=config.max_length,
                    account=account and _with_room(account, model, learn, config.max_length),
                    notes=unread(model.tokenizer, [whole for one in learn for whole in texts_of(one)]))

    def _settings(self, model: heads.RewardModel, chosen: Chosen, n: int,
                  pretrained: bool) -> tuple[dict[str, Any], reward_model.Config]:
        """What differs from a size's settings, and all of them, for so many rankings."""
        size: Size = "tiny" if chosen.size == "tiny" else "real"
        changes = _within(model, size, {**self._taken(chosen, pretrained), **self.changes})
        return changes, _fitted(size, changes, n, pretrained=pretrained)

    @cached_property
    def brought(self) -> Brought | None:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        path = self.pairs if self.rankings is None else self.rankings
        return None if path is None else bring(path, "preferences", columns_in(self.columns),
                                               joined=self.template is None)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _rankings(self, brought: Brought | None, tokenizer: PreTrainedTokenizerBase | None, left_out: Counter[str]
                  ) -> tuple[list, list, float | None, Account | None, tuple[list, list[int | None]]]:
        """To learn from, to be examined on, the pair accuracy that the truth has on the latter, if it is known, what
        was understood of a file, and both in its order with their lines."""
        if brought is None:
            task, recipe = world(self.task, self.lang), zoo.TinyRewardModel()
            kept_out = rankings_of(task, self.held_out or HELD_OUT, recipe.k, recipe.noise, split="heldout")
            learn = rankings_of(task, MADE_UP, recipe.k, recipe.noise)
            return learn, kept_out, ceiling(task, kept_out), None, (learn, [None] * len(learn))
        path, judged = brought.account.source, as_rankings(brought)
        texts = written.comparisons(judged, tokenizer, self.template, self.model)
        found, kind = texts.items, "pairs" if brought.account.kind == "pairs" else "rankings"
        if len(found) < FEWEST:
            what = {"pairs": "pairs whose texts differ", "rankings": "rankings that are not all ties"}[kind]
            raise refused(path, f"holds {len(found)} {what}; at least {FEWEST} are needed, so that some can be held "
                                f"out. Add more.")
        wanted = self.held_out or max(min(HELD_OUT, len(found) // 5), 1)
        learn, kept_out = hold_out(found, wanted)
        if not learn:
            raise ValueError(f"{path} holds {len(found)} {kind}, and with {wanted} held out none is left to learn "
                             f"from ({kind} of one prompt stay together). Lower --held-out, or add some with other "
                             f"prompts.")
        out = dict(brought.account.left_out)
        left_out.update(malformed=out.get("malformed", 0) + texts.refused, undecided=out.get("undecided", 0),
                        shared=len(found) - len(learn) - len(kept_out))
        return learn, kept_out, None, texts.told(brought.account), texts.where(lines_of(brought, judged))

    def _origin(self) -> dict[str, str]:
        """Where the rankings of a made-up world come from, if they are not its own."""
        how = "own" if self.task is None or self.rankings or self.pairs else origin(world(self.task, self.lang))
        return {} if how == "own" else {"rankings_from": how}

    def _pretraining(self, kept_out: Sequence[Ranking | Comparison]) -> list[Ranking]:
        """Rankings with ties, good reviews above bad ones, none of them a text that the model will be examined on."""
        if self.pretrain is None:
            return []
        reviews = FileReviews.read(self.pretrain, text=self.text, label=self.label, positive=self.positive,
                                   positive_from=self.positive_from)
        seen = {same_text(whole) for one in kept_out for whole in texts_of(one)}
        sides: dict[int, list[str]] = {1: [], 0: []}
        for review, label in zip(reviews.texts, reviews.labels, strict=True):
            if same_text(review) not in seen:
                sides[label].append(review)
        if not sides[0] or not sides[1]:
            raise ValueError(f"{self.pretrain} has no {'good' if sides[0] else 'bad'} review besides those held out; "
                             f"pretraining needs both. Leave out --pretrain, or add some.")
        rng = random.Random(self.changes.get("seed", 0))
        good, bad = (rng.sample(side, len(side)) for side in (sides[1], sides[0]))
        return [_two_groups(_around(good, i), _around(bad, i)) for i in range(0, max(len(good), len(bad)), SIDE)]

    def _choices(self, learn: Sequence[Ranking | Comparison], seed: int) -> list[Ranking]:
        """The best of each was picked; beside them replies from other dialogues. Raises: ValueError if none are."""
        found = with_distractors(choices(learn), self.distractors or 0, seed)
        if self.distractors and not any(len(one.responses) > len(texts_of(before))
                                        for one, before in zip(found, learn, strict=True)):
            raise ValueError(f"--distractors is {self.distractors}, replies from other dialogues, and all responses "
                             f"answer one prompt or none. Give prompts, or leave it out.")
        return found

    def _model(self, learn: Sequence[Ranking | Comparison]) -> heads.RewardModel:
        """A new one for these texts."""
        encoder = Encoder() if self.pretrain is None else Encoder(vocabulary=6000, dropout=0.1)
        texts = [whole for one in learn for whole in texts_of(one)]
        return encoder.make(texts, changed(TINY_RM, self.changes)).to(self.device)

    def _taken(self, chosen: Chosen, pretrained: bool) -> dict[str, Any]:
        """What follows from how the model is trained; the rate of all weights stands in `FIRST` and `AFTERWARDS`."""
        rate = RATES[chosen.size]
        own = {"learning_rate": rate.adapter} if chosen.lora else {}
        large = {"learning_rate": rate.whole} if chosen.size == "large" and not chosen.lora else {}
        return {**self.in_memory(chosen), **own, **large}


def _with_room(account: Account, model: heads.RewardModel, learn: Sequence[Ranking | Comparison],
               limit: int) -> Account:
    """The account with how many texts are longer than what is read."""
    texts = [whole for one in learn for whole in texts_of(one)]
    cut = sum(len(row) > limit for row in text.encode_texts(model.tokenizer, texts, 10**9))
    note = ("read_cut_start", {"cut": cut, "n": len(texts), "limit": limit})
    return replace(account, notes=(*account.notes, note)) if cut else account


def ceiling(task: Task, rankings: Sequence[Ranking]) -> float | None:
    """The pair accuracy of the truth on these rankings; None where they name no prompt, so that it cannot be asked."""
    if not all(one.prompt for one in rankings):
        return None
    return agreement(rewards.gold(task), rankings).pair_accuracy.mean


def _within(model: heads.RewardModel, size: Size, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, and texts no longer than the model reads."""
    longest = changed(FIRST[size], changes).max_length
    return {**changes, "max_length": min(longest, model.context)}


def _fitted(size: Size, changes: dict[str, Any], n: int, pretrained: bool = False) -> reward_model.Config:
    """Settings for a model of that size and `n` rankings; steps follow from both unless somebody named them.

    A pretrained model needs half as many.
    """
    config = changed((AFTERWARDS if pretrained else FIRST)[size], changes)
    if "steps" in changes:
        return config
    return replace(config, steps=max(round(EPOCHS[size] * n / config.batch_size / (1 + pretrained)), FEWEST_STEPS))


def _pretraining_config(size: Size, changes: dict[str, Any],
                        first: Sequence[Ranking | Comparison]) -> reward_model.Config:
    """Settings for what comes first: as many texts a step, twice over all (once for a large model)."""
    n, k, own = len(first), len(texts_of(first[0])), ("steps", "loss", "bradley_terry")
    config = changed(PRETRAINING[size], {name: value for name, value in changes.items() if name not in own})
    batch = max(config.batch_size * 4 // k, 1)
    return replace(config, batch_size=batch, steps=max(round((2 if size == "tiny" else 1) * n / batch), FEWEST_STEPS))


def _around(side: Sequence[str], first: int) -> list[str]:
    """`SIDE` texts from the first on, beginning again at the end, none of them twice."""
    return list(dict.fromkeys(side[i % len(side)] for i in range(first, first + SIDE)))


def _two_groups(good: Sequence[str], bad: Sequence[str]) -> Ranking:
    """Every good text above every bad one; among themselves they tie."""
    return Ranking("", (*good, *bad), (1,) * len(good) + (2,) * len(bad))


def _numbers(seen: Agreement) -> dict[str, Any]:
    """The three that everybody asks for first, then all with their intervals."""
    return {"pair_accuracy": seen.pair_accuracy.mean, "list_accuracy": seen.list_accuracy.mean, "loss": seen.loss,
            "above_chance": seen.pair_accuracy.low > 0.5, "agreement": seen.numbers()}


def _read_as(learn: Sequence[Ranking | Comparison]) -> dict[str, str]:
    """The best and the worst response of the first ranking, for a person to see that none stands on its head."""
    ordered = sorted(zip((first := as_ranking(learn[0])).ranks, first.responses, strict=True))
    return {"best": shorten(ordered[0][1].strip(), 60), "worst": shorten(ordered[-1][1].strip(), 60)}


def _by_length(learn: Sequence[Ranking | Comparison], judged: Sequence[Ranking]) -> Agreement:
    """What a scorer gets that sees nothing but the length, for or against as it is in the rankings learnt from."""
    def longer(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        return [float(len(response)) for response in responses]

    def shorter(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
        return [-number for number in longer(prompts, responses)]
    wins = agreement(longer, [as_ranking(one) for one in learn]).pair_accuracy.mean
    return agreement(longer if wins >= 0.5 else shorter, judged)


def _pairs(one: Ranking | Comparison) -> int:
    return 1 if isinstance(one, Comparison) else len(one.pairs())


def _scored(score: rewards.Reward, examples: Sequence[str]) -> list[dict[str, Any]]:
    if not examples:
        return []
    said = score([""] * len(examples), list(examples)).tolist()
    return [{"text": example, "score": number} for example, number in zip(examples, said, strict=True)]
