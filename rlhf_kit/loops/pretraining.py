"""PPO-ptx: a handful of pretraining texts joins every gradient, so that what they taught is not forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from rlhf_kit.engine import Precision, precision, text_logprob
from rlhf_kit.loops.batches import draw
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import encode_documents, pad_id, pad_right

LONGEST = 512                       # tokens of a text; of longer ones the beginning


def add_gradient(policy: Policy, texts: Sequence[str], coefficient: float, group: ProcessGroup, *, size: int, seed: int,
                 number: int, tokens_per_pass: int | None = None, checkpointing: bool = False,
                 autocast: Precision | None = None) -> None:
    """Add the gradient of γ times the mean negative log-likelihood per token of `size` texts to what is there.

        γ · ∇ (-1/N Σ log π(token)),   N the tokens of all processes' shards

    Args:
        texts: drawn from, each once an epoch.
        coefficient: γ.
        size: texts of all processes together; each reads its shard.
        seed, number: which texts.
        tokens_per_pass, checkpointing, autocast: as for the responses.

    Source: Ouyang et al. 2022, arXiv:2203.02155, Eq. 2.
    """
    mine = group.shard([texts[i] for i in draw(len(texts), min(size, len(texts)), seed, number)])
    padding = pad_id(policy.tokenizer)
    rows = encode_documents(policy.tokenizer, mine, min(policy.context or LONGEST, LONGEST)) or [[padding]]
    ids, mask = (x.to(policy.device) for x in pad_right(rows, padding))
    tokens = group.sum(mask[:, 1:].sum()).clamp(min=1)
    at_once = len(rows) if tokens_per_pass is None else max(tokens_per_pass // ids.shape[1], 1)
    for part, kept in zip(ids.split(at_once), mask.split(at_once), strict=True):
        if kept[:, 1:].any():                               # a text of one token predicts nothing
            with precision(policy, autocast):
                logprob = text_logprob(policy, part, kept, checkpointing=checkpointing)
            (-coefficient * logprob.sum() / tokens).backward()
