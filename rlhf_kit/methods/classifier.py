"""Supervised classification: the judge learns from labelled texts to say how likely a text is positive."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import torch
from torch.optim import AdamW
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.engine import precision
from rlhf_kit.formulas.records import Step
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.as_read import Example, shortened
from rlhf_kit.loops.batches import check_settings, draw_by_length, seeded
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of
from rlhf_kit.loops.identity import settings_of
from rlhf_kit.loops.parts import add_gradients, check_parts, in_parts
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.schedules import linear, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.checkpointing import checkpointed
from rlhf_kit.models.quantization import set_training
from rlhf_kit.models.text import Keep, encode_texts, pad_id, pad_right


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 250
    batch_size: int = 32             # texts per update
    learning_rate: float = 1e-3      # peak, after a linear warm-up; falls linearly to 0
    warmup: int = 20                 # updates
    weight_decay: float = 0.01
    max_length: int = 96             # tokens; of longer texts what `keep` says is read
    max_grad_norm: float = 1.0
    seed: int = 0
    micro_batch: int | None = field(default=None, repr=False)   # texts in memory at once; None = the whole batch
    activation_checkpointing: bool = field(default=False, repr=False)   # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = field(default=None, repr=False)      # matrices multiplied in 16 bits
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those
    keep: Keep = field(default="start", repr=False)     # what of a longer text is read

    def __post_init__(self) -> None:
        for name in ("steps", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       weight_decay=self.weight_decay, max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)
        if self.keep not in get_args(Keep):
            raise ValueError(f"keep is {self.keep!r}; expected one of {', '.join(get_args(Keep))}.")


def steps(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[tuple[str, int]],
          config: Config | None = None, *, checkpoint: Path | str | None = None,
          checkpoint_every: int = 50) -> Iterator[Step]:
    """Yield one `Step` (loss, accuracy on its own batch) per update; nothing runs until you iterate.

        L = - mean over texts of log softmax(logits)[label]

    Args:
        model: a transformers sequence classifier, trained in place.
        examples: (text, label) with labels 0 .. number of classes - 1, every class present.

    Raises: sanity_checks.CheckFailed before an update by a loss or a gradient that is not finite.
    """
    config = given(config, Config)
    check_learns(model)
    _check(model, examples)
    rows = encode_texts(tokenizer, [text for text, _ in examples], config.max_length, config.keep)
    labels = torch.tensor([label for _, label in examples])
    lengths = [len(row) for row in rows]
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate,
                      weight_decay=config.weight_decay, fused=True)
    run = {"method": "classifier", "examples": fingerprint(examples), "start": fingerprint_of(model),
           **settings_of(config)}
    saved = Checkpoint(checkpoint, run, checkpoint_every)
    past, _ = saved.resume(model, optimizer)
    yield from past
    for number in range(len(past), config.total):
        began = time.perf_counter()
        picked = draw_by_length(lengths, config.batch_size, config.seed, number)
        optimizer.zero_grad()
        set_training(model, True)
        loss, right = torch.zeros((), device=model.device), 0.0
        with seeded(model.device, config.seed, "dropout", number):
            for part, share in in_parts(picked, config.micro_batch):
                ids, mask = pad_right([rows[i] for i in part], pad_id(tokenizer))
                label = labels[part].to(model.device)
                with precision(model, config.autocast), checkpointed([model], config.activation_checkpointing):
                    logits = model(input_ids=ids.to(model.device),
                                   attention_mask=mask.to(model.device)).logits                      # [B, 2]
                loss += add_gradients(torch.nn.functional.cross_entropy(logits, label), share)
                right += (logits.argmax(-1) == label).float().mean().item() * share
        set_training(model, False)
        optimizer.param_groups[0]["lr"] = linear(config.learning_rate, number, stretched(
            number, config.steps, config.total), config.warmup)
        update(model, optimizer, config.max_grad_norm, number, loss=loss, cause=diverged(config.learning_rate))
        step = Step(number, {"loss": loss.item(), "accuracy": right, "seconds": time.perf_counter() - began})
        saved.record(step, config.total - 1, model, optimizer)
        yield step


def train(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: Sequence[tuple[str, int]],
          config: Config | None = None, *, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(model, tokenizer, examples, config, checkpoint=checkpoint))


def as_read(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], config: Config | None = None
            ) -> Iterator[Example]:
    """Every text as `steps` reads it, what is too long cut as `keep` says. A text has one label, and no token its own.
    """
    config = given(config, Config)
    wholes, kept = (encode_texts(tokenizer, texts, limit, config.keep) for limit in (sys.maxsize, config.max_length))
    for ids, read in zip(wholes, kept, strict=True):
        yield Example((shortened("text", ids, read),))


def _check(model: PreTrainedModel, examples: Sequence[tuple[str, int]]) -> None:
    listed = [examples] if isinstance(examples, str) else examples
    odd = [one for one in listed if isinstance(one, str) or not isinstance(one, Sequence) or len(one) != 2
           or not isinstance(one[0], str)]
    if odd:
        raise ValueError(f"the examples hold {' '.join(repr(odd[0]).split())[:60]}; expected pairs of a text and its "
                         f"label, [('well made', 1), ('it broke', 0)].")
    classes, seen = model.config.num_labels, {label for _, label in examples}
    if len(seen) < 2:
        raise ValueError(f"all {len(examples)} examples have the same label ({', '.join(map(str, seen)) or 'none'}); "
                         f"a judge needs both. Check the label column.")
    if not seen <= set(range(classes)):
        raise ValueError(f"labels are {sorted(seen)}; the classifier has {classes} classes, 0 to {classes - 1}.")
