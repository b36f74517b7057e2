"""Supervised fine-tuning: a language model learns to continue texts, or to answer prompts, by imitation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW

from rlhf_kit.formulas.losses import language_model
from rlhf_kit.formulas.records import Step
from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.loops.batches import check_settings, draw_by_length, seeded
from rlhf_kit.loops.checkpoints import Checkpoint
from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of
from rlhf_kit.loops.schedules import cosine
from rlhf_kit.loops.updates import diverged, update
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import check_texts, encode_documents, pad_id, pad_right, prompt_rows, response_rows


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one run."""

    steps: int = 300                 # optimizer updates
    batch_size: int = 32             # texts per update
    learning_rate: float = 3e-3      # peak; for GPT-2 and larger use 1e-5 to 1e-4
    warmup: int = 20                 # updates until the peak, linear
    min_lr_ratio: float = 0.1          # share of the peak at the end, cosine (arXiv:2203.02155 appendix C)
    weight_decay: float = 0.01
    max_length: int = 96             # tokens; longer texts are cut
    max_grad_norm: float = 1.0
    response_only: bool = True       # for (prompt, response) pairs: the loss counts the response alone
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        check_settings(self.batch_size, self.seed, self.learning_rate)


def steps(policy: Policy, examples: Sequence[str] | Sequence[tuple[str, str]], config: Config | None = None, *,
          checkpoint: Path | str | None = None, checkpoint_every: int = 50) -> Iterator[Step]:
    """Yield one `Step` per update; nothing runs until you iterate.

        L = - mean over tokens of log π(token | tokens before)

    Args:
        policy: its language model is trained in place; a value head is left alone.
        examples: whole texts, or (prompt, response) pairs.
        checkpoint: a folder to save in and resume from; the steps already taken are yielded again first.

    Raises: sanity_checks.CheckFailed before an update by a loss or a gradient that is not finite.
    Source: arXiv:2203.02155 section 3.5 (step 1).
    """
    config = config or Config()
    rows = _encode(policy, examples, config)
    lengths = [len(ids) for ids, _ in rows]
    optimizer = AdamW(policy.lm.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
    run = {"method": "sft", "examples": fingerprint(examples), "start": fingerprint_of(policy.lm), **asdict(config)}
    saved = Checkpoint(checkpoint, run, checkpoint_every)
    past, _ = saved.resume(policy.lm, optimizer)
    yield from past
    for number in range(len(past), config.steps):
        began = time.perf_counter()
        batch = [rows[i] for i in draw_by_length(lengths, config.batch_size, config.seed, number)]
        ids, mask, counted = _batch(batch, pad_id(policy.tokenizer), policy.device)
        policy.lm.train()
        with seeded(policy.device, config.seed, "dropout", number):
            logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1, need_value=False).logits
        loss = language_model(logits, ids[:, 1:], counted[:, 1:])      # logits at t predict token t + 1
        optimizer.zero_grad()
        loss.backward()
        policy.lm.eval()
        optimizer.param_groups[0]["lr"] = rate(config, number)
        update(policy.lm, optimizer, config.max_grad_norm, number, loss=loss, cause=diverged(config.learning_rate))
        step = Step(number, {"loss": loss.item(), "learning_rate": rate(config, number),
                             "seconds": time.perf_counter() - began})
        saved.record(step, config.steps - 1, policy.lm, optimizer)
        yield step


def train(policy: Policy, examples: Sequence[str] | Sequence[tuple[str, str]],
          config: Config | None = None, *, checkpoint: Path | str | None = None) -> list[Step]:
    """Run `steps` to the end."""
    return list(steps(policy, examples, config, checkpoint=checkpoint))


@torch.no_grad()
def loss_on(policy: Policy, examples: Sequence[str] | Sequence[tuple[str, str]], config: Config | None = None) -> float:
    """The same loss on texts that were not learned from: nats per token, each token weighing the same."""
    config = config or Config()
    rows = sorted(_encode(policy, examples, config), key=lambda row: len(row[0]))
    policy.eval()                                                      # no dropout
    total, tokens = 0.0, 0
    for start in range(0, len(rows), config.batch_size):
        ids, mask, counted = _batch(rows[start:start + config.batch_size], pad_id(policy.tokenizer), policy.device)
        logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1, need_value=False).logits
        marked = int(counted[:, 1:].sum())
        total += language_model(logits, ids[:, 1:], counted[:, 1:]).item() * marked
        tokens += marked
    return total / tokens


def rate(config: Config, number: int) -> float:
    """Learning rate of update `number`: linear warm-up, then cosine down to `min_lr_ratio` of the peak."""
    return cosine(config.learning_rate, number, config.steps, config.warmup, config.min_lr_ratio)


def _encode(policy: Policy, examples: Sequence, config: Config) -> list[tuple[list[int], int]]:
    """Token ids of each example with the position of the first token that counts."""
    if len(examples) == 0:
        raise ValueError("there are no examples to learn from; give at least one text.")
    if isinstance(examples, str):
        check_texts(examples, "examples")
    limit = min(config.max_length, policy.context or config.max_length)
    if isinstance(first := next(iter(examples)), str):
        rows = [(ids, 1) for ids in encode_documents(policy.tokenizer, examples, limit)]
    elif not isinstance(first, Sequence) or len(first) != 2:
        raise ValueError(f"the first example is {' '.join(repr(first).split())[:60]}; expected texts, or (prompt, "
                         f"response) pairs of texts.")
    else:
        prompts = prompt_rows(policy.tokenizer, [p for p, _ in examples])           # as PPO will sample from them
        responses = response_rows(policy.tokenizer, [r for _, r in examples])
        rows = [((prompt + response)[:limit], len(prompt) if config.response_only else 1)
                for prompt, response in zip(prompts, responses, strict=True)]
    kept = [(ids, first) for ids, first in rows if len(ids) > first]
    if not kept:
        raise ValueError(f"no example has a token to predict within {limit} tokens; "
                         f"give longer texts or raise max_length.")
    return kept


def _batch(rows: list[tuple[list[int], int]], padding: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    ids, mask = pad_right([ids for ids, _ in rows], padding)
    first = torch.tensor([first for _, first in rows])[:, None]
    counted = mask & (torch.arange(ids.shape[1])[None] >= first)
    return ids.to(device), mask.to(device), counted.to(device)
