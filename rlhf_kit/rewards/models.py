"""Models as rewards: a classifier, a reward model, a rule model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.formulas.rule_reward import Reduction, rules_kept
from rlhf_kit.models.chats import closed
from rlhf_kit.models.heads import RewardModel, reading_limit
from rlhf_kit.models.judging import class_logits, reward_scores
from rlhf_kit.models.loading import load_classifier
from rlhf_kit.models.ruling import Ask, ask, kept_probability
from rlhf_kit.models.text import Keep, cut_texts
from rlhf_kit.rewards.contract import Reward, RewardError, bounded
from rlhf_kit.tasks import tiny_names


def classifier(model: PreTrainedModel | str | Path, tokenizer: PreTrainedTokenizerBase | None = None, *,
               label: str = "positive", output: Literal["probability", "log_odds"] = "probability",
               batch_size: int = 64, max_length: int | None = None, keep: Keep = "end",
               device: str | torch.device = "cpu") -> Reward:
    """The opinion of a text classifier about prompt + response.

    Args:
        model, tokenizer: a classifier with its tokenizer, as `kit.load_classifier` returns them; or `model` alone, a
            folder or a name on the hub, which is loaded onto `device`.
        max_length: tokens that it reads (default: the model's context). Of longer texts it reads what `keep` says: the
            "end", where the response is, the "start", or as much of "both". That texts are cut is said, once.

        probability = softmax(logits)[label]          log_odds = log p - log(1 - p)

    The label is found by *name* in the model's `id2label` (models differ in order); longer names that start with
    it count too ("positive (stars 4 and 5)").
    """
    model, tokenizer = _opened(model, tokenizer, device)
    if keep not in get_args(Keep):
        raise ValueError(f"keep is {keep!r}; expected one of {', '.join(get_args(Keep))}.")
    if model.config.num_labels < 2:
        raise RewardError("the classifier has one output, so its probability would always be 1; expected two labels "
                          "or more. For a reward model take kit.rewards.learned.")
    index = label_index(model, label)
    limit = max_length or reading_limit(model)
    say_cut = _Cuts(tokenizer, limit, keep)

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        texts = [p + r for p, r in zip(prompts, responses, strict=True)]
        say_cut(texts)
        logits = class_logits(model, tokenizer, texts, max_length=limit, batch_size=batch_size, keep=keep)  # [B, C]
        if output == "probability":
            return logits.softmax(-1)[:, index]
        others = torch.cat([logits[:, :index], logits[:, index + 1:]], dim=1)
        return logits[:, index] - others.logsumexp(-1)

    reward.__name__ = f"classifier_{label}"
    return bounded(reward, 0, 1) if output == "probability" else reward


def _opened(model: PreTrainedModel | str | Path, tokenizer: PreTrainedTokenizerBase | None,
            device: str | torch.device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A classifier with its tokenizer, as they were given or loaded by name. Raises: ValueError, one line."""
    if isinstance(model, str | Path):
        if tokenizer is not None:
            raise ValueError(f"{str(model)!r} is a name and a tokenizer is given; a name brings its own. Leave it out.")
        if str(model) in tiny_names():
            raise ValueError(f"{str(model)!r} is a tiny model, which may have to be trained first; expected a folder "
                             f"or a name on the hub. Take kit.rewards.classifier(*kit.load_classifier("
                             f"{str(model)!r})).")
        return load_classifier(model, device=device)
    if tokenizer is None:
        raise ValueError("there is no tokenizer; give both, kit.rewards.classifier(*kit.load_classifier(name)), or a "
                         "folder alone.")
    return model, tokenizer


class _Cuts:
    """Says once, on standard error, that a judge reads a part only of some texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limit: int, keep: Keep) -> None:
        self.tokenizer, self.limit, self.keep, self.said = tokenizer, limit, keep, False

    @property
    def run_identity(self) -> tuple:
        """What was said is no part of what a reward is."""
        return "cuts", self.limit, self.keep

    def __call__(self, texts: Sequence[str]) -> None:
        if self.said or not (cut := cut_texts(self.tokenizer, texts, self.limit)):
            return
        self.said = True
        part = {"start": "their start", "end": "their end", "both": "both ends"}[self.keep]
        print(f"{cut} of {len(texts)} texts are longer than the {self.limit} tokens that the judge reads; it reads "
              f"{part}.", file=sys.stderr)


def learned(model: RewardModel, *, output: Literal["score", "probability"] = "score", batch_size: int = 64,
            max_length: int | None = None) -> Reward:
    """What a reward model says of prompt + response.

        score = r          probability = σ(r)

    σ(r) is the probability that the text is preferred to one that scores 0: an average demonstration, if the model
    was centred on those. Of texts over `max_length` tokens (default: the model's context) the end is read.
    """
    say_cut = _Cuts(model.tokenizer, max_length or model.context, "end")

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        texts = closed(model.tokenizer, prompts, responses)
        say_cut(texts)
        score = reward_scores(model, texts, max_length=max_length or model.context, batch_size=batch_size)
        return score if output == "score" else torch.sigmoid(score)

    reward.__name__ = f"learned_{output}"
    return bounded(reward, 0, 1) if output == "probability" else reward


def label_index(model: PreTrainedModel, label: str) -> int:
    """The output of `model` that stands for `label`, by name. Raises: RewardError with the names it has."""
    names = {int(i): str(name).lower() for i, name in model.config.id2label.items()}
    exact = [i for i, name in names.items() if name == label.lower()]
    close = exact or [i for i, name in names.items() if name.startswith(label.lower())]
    if len(close) != 1:
        raise RewardError(f"the classifier has no label {label!r}; it has {', '.join(sorted(names.values()))}. "
                          f"Name one of these with --judge-class (in Python, label=).")
    return close[0]


def rules_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *,
             reduction: Reduction = "mean", ask: Ask = ask, batch_size: int = 64,
             max_length: int | None = None, once: bool = False) -> Reward:
    """How well a response keeps rules that are put in words, by a rule model: see `models.ruling`.

    Args:
        model, tokenizer: a classifier of "followed" and "broken", such as `kit.load_classifier` returns.
        texts: of the rules.
        reduction: how several become one number, see `rule_reward.rules_kept`.
        ask: what the model reads of a dialogue and a rule.
        once: asked again about the same responses, with nothing between, it says what it said; for a model that no
            longer learns, whose word is optimised and reported beside.

    The result has `kept`, a function that gives the [B, R] probabilities one by one, for `total` and for reports.
    """
    limit, last, found = max_length or reading_limit(model), None, torch.empty(0)

    def kept(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        nonlocal last, found
        asked = tuple(prompts), tuple(responses)
        if not once or asked != last:
            last, found = asked, kept_probability(model, tokenizer, prompts, responses, list(texts), max_length=limit,
                                                  ask=ask, batch_size=batch_size)
        return found

    def reward(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        return rules_kept(kept(prompts, responses), reduction)
    reward.__name__, reward.kept = f"rules_of_{len(texts)}", kept
    return bounded(reward, 0, len(texts) if reduction == "sum" else 1)
