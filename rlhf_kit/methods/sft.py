"""Supervised fine-tuning: a language model learns to continue texts, or to answer prompts, by imitation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.optim import AdamW

from rlhf_kit.engine import precision
from rlhf_kit.formulas.losses import language_model
from rlhf_kit.formulas.records import Chat, Step, Turn
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.as_read import AsRead, Example
from rlhf_kit.loops.batches import check_settings, draw_by_length, seeded
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.duration import Longer
from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of
from rlhf_kit.loops.identity import settings_of
from rlhf_kit.loops.parts import add_gradients, check_parts, in_parts
from rlhf_kit.loops.sanity_checks import check_learns
from rlhf_kit.loops.schedules import cosine, stretched
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.chats import chat_rows
from rlhf_kit.models.checkpointing import checkpointed
from rlhf_kit.models.dropout import residual_dropout
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.quantization import set_training
from rlhf_kit.models.text import check_texts, encode_documents, pad_id, pad_right, prompt_rows, response_rows

Examples = Sequence[str] | Sequence[tuple[str, str]] | Sequence[Chat]       # all of one kind
Row = tuple[list[int], int | list[bool]]        # ids, and the first that counts, or True on those that count


@spelled
@dataclass(frozen=True, kw_only=True)
class Config(Longer):
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 32             # texts per update
    learning_rate: float = 3e-3      # peak; for GPT-2 and larger use 1e-5 to 1e-4
    warmup: int = 20                 # updates until the peak, linear
    min_lr_ratio: float = 0.1          # share of the peak at the end, cosine (arXiv:2203.02155 appendix C)
    weight_decay: float = 0.01
    max_length: int = 96             # tokens; longer texts are cut
    max_grad_norm: float = 1.0
    response_only: bool = True       # of pairs and conversations: the loss counts the response, the assistant, alone
    seed: int = 0
    micro_batch: int | None = field(default=None, repr=False)   # texts in memory at once; None = the whole batch
    activation_checkpointing: bool = field(default=False, repr=False)   # keep each block's input: less memory, slower
    autocast: Literal["bfloat16"] | None = field(default=None, repr=False)      # matrices multiplied in 16 bits
    beta2: float = field(default=0.999, repr=False)     # of Adam: decay of the mean squared gradient
    more_steps: int = field(default=0, repr=False)      # after the last of `steps`, by a run that has taken those
    dropout: float = field(default=0.0, repr=False)     # of the residual branches, beside what the model drops itself

    def __post_init__(self) -> None:
        for name in ("steps", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate, warmup=self.warmup,
                       min_lr_ratio=self.min_lr_ratio, weight_decay=self.weight_decay, max_grad_norm=self.max_grad_norm)
        check_parts(self.micro_batch, self.more_steps, self.autocast)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it is a share, at least 0 and below 1.")
        if not 0 <= self.beta2 < 1:
            raise ValueError(f"beta2 is {self.beta2}; it must be at least 0 and below 1, such as 0.999.")


def steps(policy: Policy, examples: Examples, config: Config | None = None, *,
          checkpoint: Path | str | None = None, checkpoint_every: int = 50) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate.

        L = - mean over tokens of log π(token | tokens before)

    Args:
        policy: its language model is trained in place; a value head is left alone.
        examples: whole texts; (prompt, response) pairs; or conversations, tuples of `Turn`s, which the tokenizer's
            chat template writes, and of which what the assistant said counts.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.

    Raises: sanity_checks.CheckFailed before an update by a loss or a gradient that is not finite.
    Source: arXiv:2203.02155 section 3.5 (step 1).
    """
    config = given(config, Config)
    check_policy(policy)
    check_learns(policy)
    rows = _encode(policy, examples, config)
    lengths = [len(ids) for ids, _ in rows]
    optimizer = AdamW([p for p in policy.lm.parameters() if p.requires_grad], lr=config.learning_rate,
                      weight_decay=config.weight_decay, betas=(0.9, config.beta2), fused=True)
    run = {"method": "sft", "examples": fingerprint(examples), "start": fingerprint_of(policy.lm),
           **settings_of(config)}
    saved = Checkpoint(checkpoint, run, checkpoint_every)
    past, _ = saved.resume(policy.lm, optimizer)
    yield from past
    for number in range(len(past), config.total):
        began = time.perf_counter()
        batch = [rows[i] for i in draw_by_length(lengths, config.batch_size, config.seed, number)]
        optimizer.zero_grad()
        set_training(policy.lm, True)
        loss = torch.zeros((), device=policy.device)
        with seeded(policy.device, config.seed, "dropout", number), residual_dropout(policy.lm, config.dropout):
            for part, share in in_parts(batch, config.micro_batch, [_marks(row) for row in batch]):
                ids, mask, counted = _batch(part, pad_id(policy.tokenizer), policy.device)
                with precision(policy, config.autocast), checkpointed([policy.lm], config.activation_checkpointing):
                    logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1, need_value=False).logits
                loss += add_gradients(language_model(logits, ids[:, 1:], counted[:, 1:]), share)     # t predicts t + 1
        set_training(policy.lm, False)
        optimizer.param_groups[0]["lr"] = rate(config, number)
        update(policy.lm, optimizer, config.max_grad_norm, number, loss=loss, cause=diverged(config.learning_rate))
        step = Step(number, {"loss": loss.item(), "learning_rate": rate(config, number),
                             "seconds": time.perf_counter() - began})
        saved.record(step, config.total - 1, policy.lm, optimizer)
        yield step


def train(policy: Policy, examples: Examples,
          config: Config | None = None, *, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, examples, config, checkpoint=checkpoint))


@torch.no_grad()
def loss_on(policy: Policy, examples: Examples, config: Config | None = None) -> float:
    """The same loss on texts that were not learned from: nats per token, each token weighing the same."""
    config = given(config, Config)
    rows = sorted(_encode(policy, examples, config), key=lambda row: len(row[0]))
    policy.eval()                                                      # no dropout
    total, tokens = 0.0, 0
    size = min(config.batch_size, config.micro_batch or config.batch_size)
    for start in range(0, len(rows), size):
        ids, mask, counted = _batch(rows[start:start + size], pad_id(policy.tokenizer), policy.device)
        with precision(policy, config.autocast):
            logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1, need_value=False).logits
        marked = int(counted[:, 1:].sum())
        total += language_model(logits, ids[:, 1:], counted[:, 1:]).item() * marked
        tokens += marked
    return total / tokens


def rate(config: Config, number: int) -> float:
    """Learning rate of update `number`: linear warm-up, then cosine down to `min_lr_ratio` of the peak.

    Updates after the last of `steps` follow the curve that a run of all of them would have had.
    """
    return cosine(config.learning_rate, number, stretched(number, config.steps, config.total), config.warmup,
                  config.min_lr_ratio)


@dataclass(frozen=True)
class Fit:
    """How many of the examples there is room for."""

    examples: int
    left_out: int                   # nothing of the response lies within `limit` tokens
    cut: int                        # learned from without their end: such a text teaches never to end
    limit: int                      # tokens


def fit(policy: Policy, examples: Examples, config: Config | None = None) -> Fit:
    """What `steps` will leave out and cut, to be said before it does."""
    rows, limit = _whole(policy, examples, given(config, Config))
    kept = [len(ids) for ids, counts in rows if _counted(ids[:limit], counts)]
    return Fit(len(rows), len(rows) - len(kept), sum(length > limit for length in kept), limit)


def as_read(policy: Policy, examples: Examples, config: Config | None = None) -> Iterator[Example]:
    """Every example as `steps` reads it: cut at its limit, and left out where nothing is to be predicted within it."""
    rows, limit = _whole(policy, examples, given(config, Config))
    texts = isinstance(next(iter(examples)), str)
    for ids, counts in rows:
        counted = _batch([(ids[:limit], counts)], pad_id(policy.tokenizer), torch.device("cpu"))[2][0, 1:].tolist()
        learned = [False, *counted, *[False] * len(ids[limit:])]            # t predicts t + 1: never the first
        prompt = counts if isinstance(counts, int) else next((i for i, one in enumerate(counts) if one), len(ids))
        yield Example((AsRead("text" if texts else "response", ids, [place < limit for place in range(len(ids))],
                              learned[:len(ids)], 0 if texts else prompt),), left_out=not any(counted))


def _whole(policy: Policy, examples: Examples, config: Config) -> tuple[list[Row], int]:
    """Every example as it is, and the tokens that there is room for."""
    check_policy(policy)
    if len(examples) == 0:
        raise ValueError("there are no examples to learn from; give at least one text.")
    if isinstance(examples, str):
        check_texts(examples, "examples")
    limit = min(config.max_length, policy.context or config.max_length)
    if isinstance(first := next(iter(examples)), str):
        return [(ids, 1) for ids in encode_documents(policy.tokenizer, examples, None)], limit
    if isinstance(first, tuple) and first and isinstance(first[0], Turn):
        rows = chat_rows(policy.tokenizer, examples)
        return [(ids, mask if config.response_only else 1) for ids, mask in rows], limit
    if not isinstance(first, Sequence) or len(first) != 2:
        raise ValueError(f"the first example is {' '.join(repr(first).split())[:60]}; expected texts, or (prompt, "
                         f"response) pairs of texts, or conversations.")
    asked = [prompt for prompt, _ in examples]
    prompts = prompt_rows(policy.tokenizer, asked)                                  # as PPO will sample from them
    responses = response_rows(policy.tokenizer, [response for _, response in examples], asked)
    return [(prompt + response, len(prompt) if config.response_only else 1)
            for prompt, response in zip(prompts, responses, strict=True)], limit


def _counted(ids: list[int], counts: int | list[bool]) -> bool:
    """True if something is to be predicted; the first token is not."""
    return len(ids) > counts if isinstance(counts, int) else any(counts[1:len(ids)])


def _marks(row: Row) -> int:
    """How many tokens of it are predicted."""
    ids, counts = row
    return max(len(ids) - max(counts, 1), 0) if isinstance(counts, int) else sum(counts[1:len(ids)])


def _encode(policy: Policy, examples: Examples, config: Config) -> list[Row]:
    """The rows to learn from, cut."""
    rows, limit = _whole(policy, examples, config)
    kept = [(ids[:limit], counts) for ids, counts in rows if _counted(ids[:limit], counts)]
    if not kept:
        raise ValueError(f"no example has a token to predict within {limit} tokens; "
                         f"give longer texts or raise max_length.")
    return kept


def _batch(rows: list[Row], padding: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    ids, mask = pad_right([ids for ids, _ in rows], padding)
    counted = torch.zeros_like(mask)
    for number, (row, counts) in enumerate(rows):
        counted[number, :len(row)] = (torch.arange(len(row)) >= counts if isinstance(counts, int)
                                      else torch.tensor(counts[:len(row)]))
    return ids.to(device), mask.to(device), counted.to(device)
