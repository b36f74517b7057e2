"""PPO-ptx: a handful of pretraining texts joins every gradient, so that what they taught is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rlhf_kit.engine import Precision, precision, text_logprob
from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import encode_documents, pad_id, pad_right

LONGEST = 512                       # tokens of a text; of longer ones the beginning


class Settings(Protocol):
    """What is asked of a method's `Config`."""

    ptx_coef: float                 # γ
    batch_size: int
    minibatch_size: int | None
    ptx_texts: int                  # that join a gradient for each response in it
    autocast: Precision | None
    tokens_per_pass: int | None
    activation_checkpointing: bool
    seed: int


def add_gradient(policy: Policy, texts: Sequence[str], config: Settings, group: ProcessGroup, step: int,
                 minibatch: int) -> None:
    """Add to what is there the gradient of γ times the mean negative log-likelihood per token of some texts.

        γ · ∇ (-1/N Σ log π(token)),   N the tokens of all processes' shards

    Args:
        texts: drawn from anew in each step, none of them twice in it before all were drawn; with several processes
            each reads its shard of what is drawn.
        step, minibatch: which are drawn.

    Source: Ouyang et al. 2022, arXiv:2203.02155, Eq. 2.
    """
    size = min((config.minibatch_size or config.batch_size) * config.ptx_texts, len(texts))
    chosen = draw(len(texts), size, seed_for(config.seed, "ptx", step), minibatch)
    padding = pad_id(policy.tokenizer)
    rows = encode_documents(policy.tokenizer, [texts[i] for i in group.shard(chosen)],
                            min(policy.context or LONGEST, LONGEST)) or [[padding]]
    ids, mask = (x.to(policy.device) for x in pad_right(rows, padding))
    tokens = group.sum(mask[:, 1:].sum()).clamp(min=1)
    at_once = max((config.tokens_per_pass or ids.numel()) // ids.shape[1], 1)
    for part, kept in zip(ids.split(at_once), mask.split(at_once), strict=True):
        if kept[:, 1:].any():                               # a text of one token predicts nothing
            with precision(policy, config.autocast):
                logprob = text_logprob(policy, part, kept, checkpointing=config.activation_checkpointing)
            (-config.ptx_coef * logprob.sum() / tokens).backward()
