"""A classifier to be trained: a tiny one from nothing or a network that somebody named, and settings that fit it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerBase

from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.scaling import NEW, Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, unread
from rlhf_kit.jobs.written import NOTE
from rlhf_kit.methods import classifier
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import reading_limit
from rlhf_kit.models.text import train_tokenizer

FEWEST_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class Scales:
    """What a job takes at either size; steps follow from the epochs and what there is to learn from."""

    tiny: classifier.Config
    real: classifier.Config             # BERT and larger
    rates: dict[str, Rates]
    epochs: dict[str, int]
    most_steps: dict[str, int]
    vocabulary: int                     # of a tokenizer that is trained, too

    def fitted(self, size: str, changes: dict[str, Any], n: int) -> classifier.Config:
        """Settings for a model of that size and `n` texts; steps follow from both unless somebody named them."""
        config = changed(self.tiny if size == "tiny" else self.real, changes)
        if "steps" in changes:
            return config
        steps = min(max(math.ceil(self.epochs[size] * n / config.batch_size), FEWEST_STEPS), self.most_steps[size])
        return replace(config, steps=steps, warmup=min(config.warmup, steps // 5))


def rows_of(name: str, job: ScaledJob, scales: Scales, n: int, texts: Sequence[str], items: Sequence[Any],
            learn: Sequence[Any], held_out: Sequence[Any], label: Callable[[Any], str],
            apart: Callable[[list[Any]], list[tuple[str, int]]] = list, notes: Sequence[NOTE] = ()) -> Rows:
    """What the first `n` labelled texts become, and counts of all.

    Args: texts: what `opened` is given. items: in the file's order. apart: an item as (text, class).
    """
    _, tokenizer, _, config = opened(job, scales, texts, job.changes, 0, weights=False)
    kind = Of(items, [None] * len(items), lambda found: classifier.as_read(tokenizer, [text for text, _ in found],
                                                                           config), learn, held_out, apart, label)
    return rows([kind], n, job=name, model=job.model, tokenizer=tokenizer, limit=config.max_length, account=None,
                notes=[*notes, *unread(tokenizer, texts)])


def opened(job: ScaledJob, scales: Scales, texts: Sequence[str], changes: dict[str, Any], more: int, *,
           weights: bool = True) -> tuple[nn.Module, PreTrainedTokenizerBase, Chosen, classifier.Config]:
    """What `job.model` names, with two outputs, its tokenizer, what was chosen by its size, and how it is trained.

    Without `weights` a shape alone.
    """
    seed = changes.get("seed", 0)
    if job.model == NEW:
        config = scales.fitted("tiny", changes, len(texts))
        tokenizer = train_tokenizer(texts, scales.vocabulary)
        model = tiny.classifier(tokenizer, layers=2, width=96, dropout=0.1, seed=seed, context=config.max_length)
        model.to(job.device)
        chosen = Chosen("tiny", tiny.parameters(model), 0, guessed=False)
    else:
        model, tokenizer, chosen = job.open_classifier(seed) if weights else job.outline_classifier()
        config = scales.fitted("tiny" if chosen.size == "tiny" else "real", changes, len(texts))
        config = replace(config, max_length=min(config.max_length, reading_limit(model)))
    return model, tokenizer, chosen, further(job.config_for(chosen, config, scales.rates, changes), more)
