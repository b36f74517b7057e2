"""The one engine that reads tokens: what a policy thinks of text that is already there, in as much memory as allowed.

    h = trunk(ids)       z = output(h) where asked       log π(a) = z_a/τ - log Σ_v exp(z_v/τ)

Learning, reference, recomputed rollouts, evaluation and attribution all read here. The trunk runs over passes of rows,
the output layer over pieces of a pass: `PIECE` logits at a time, computed anew for the backward pass, so that
[tokens, V] never lies in memory as a whole. Where it is small, there is one piece and nothing is computed twice.

Passes and pieces change a result by rounding only. What must be the same to the bit, such as the first ratio of PPO in
bfloat16, is read in the same passes under the same `precision`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rlhf_kit.formulas.distillation import binned, likeliest
from rlhf_kit.formulas.distributions import entropy, token_logprob
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models import trunk
from rlhf_kit.models.checkpointing import checkpointed
from rlhf_kit.models.heads import Policy

TOKENS = 8192                       # of one pass, padding included, where nothing is learnt and nobody says otherwise
PIECE = 2**24                       # logits that lie in memory at once: 524 tokens of a vocabulary of 32,000

Precision = Literal["bfloat16"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What a policy thinks of given tokens; 0 on those that were not asked about."""

    logprob: Tensor                 # [B, T] nats
    value: Tensor | None = None     # [B, T] the critic's guess before each token; None if not asked for
    entropy: Tensor | None = None   # [B, T] nats of the whole next-token distribution; None if not asked for


def read(policy: Policy, rollout: Rollout, *, value: bool = False, entropy: bool = False,
         tokens_per_pass: int | None = None, checkpointing: bool = False) -> Reading:
    """Log-probability of each response token under `policy`, and if asked the critic's guess and the entropy.

    Args:
        rollout: whose prompts and responses are read, at its temperature; its other numbers are not looked at.
        tokens_per_pass: tokens that the trunk reads at once, padding included; a row alone may exceed it. None is
            `TOKENS` without gradients and everything with them; learning in less memory is what `passes` is for, whose
            parts are read under the same budget.
        checkpointing: keep the input of each block only, and compute the rest anew for the backward pass.

    Returns: [B, T] each; gradients flow if they are on. Raises: ValueError if there is no value head to be asked.
    """
    if value and policy.value_head is None:
        raise ValueError("this policy has no value head; build it with Policy(lm, tokenizer, value_head=True).")
    ids, mask = _whole(rollout)
    wanted = _Wanted(rollout.temperature, value, entropy, checkpointing)
    return Reading(**_read(policy, ids, mask, rollout.response_ids, rollout.mask, wanted, tokens_per_pass))


def text_logprob(policy: Policy, ids: Tensor, mask: Tensor, counted: Tensor | None = None, *,
                 tokens_per_pass: int | None = None, checkpointing: bool = False) -> Tensor:
    """Log-probability of each token of whole texts but the first; minus its mean is the loss of a language model.

    Args:
        ids, mask: texts padded on the right, [B, L].
        counted: True on the tokens that are asked about, [B, L]; None = all. A first token has nothing before it.
        tokens_per_pass, checkpointing: as for `read`.

    Returns: [B, L-1] nats, of `ids[:, 1:]`; 0 where not counted.
    """
    counted = mask if counted is None else counted
    wanted = _Wanted(1.0, False, False, checkpointing)
    return _read(policy, ids[:, :-1], mask[:, :-1], ids[:, 1:], counted[:, 1:], wanted, tokens_per_pass)["logprob"]


@torch.no_grad()
def read_likeliest(policy: Policy, rollout: Rollout, k: int, *,
                   tokens_per_pass: int | None = None) -> tuple[Tensor, Tensor]:
    """What a teacher says before each response token: its k likeliest tokens, and the bins of `distillation.binned`.

    Returns: ids [B, T, k], and log-probabilities [B, T, k + 1] nats; 0 on padding.
    """
    ids, mask = _whole(rollout)
    wanted = _Wanted(rollout.temperature, False, False, False, likeliest=k)
    found = _read(policy, ids, mask, rollout.response_ids, rollout.mask, wanted, tokens_per_pass)
    return found["ids"], found["bins"]


def read_bins(policy: Policy, rollout: Rollout, ids: Tensor, *, tokens_per_pass: int | None = None,
              checkpointing: bool = False) -> Tensor:
    """What a policy says of the tokens `ids` [B, T, k] before each response token, and of all others together.

    Returns: log-probabilities [B, T, k + 1] nats, 0 on padding; gradients flow if they are on.
    """
    read_ids, mask = _whole(rollout)
    wanted = _Wanted(rollout.temperature, False, False, checkpointing, bins=True)
    return _read(policy, read_ids, mask, ids, rollout.mask, wanted, tokens_per_pass)["bins"]


def passes(rollout: Rollout, rows: Tensor | None = None, tokens_per_pass: int | None = None, *,
           by: Literal["tokens", "responses"] = "tokens") -> Iterator[tuple[Tensor, float]]:
    """A minibatch in parts that fit into memory; their gradients add up to its gradient.

        ∇ (mean over all tokens) = Σ over parts of w · ∇ (mean over the part's tokens),   w = its share of the tokens

    Args:
        rows: numbers of the rollout's rows that make the minibatch; None = all of them.
        tokens_per_pass: tokens of a part, padding included; a row alone may exceed it. None = one part.
        by: what the loss is a mean over; of "responses" w is a part's share of these.

    Yields: the part's numbers of rows, and w.
    """
    rows = torch.arange(len(rollout)) if rows is None else torch.as_tensor(rows).cpu()
    if tokens_per_pass is None:
        yield rows, 1.0
        return
    ends = _ends(torch.cat([rollout.prompt_mask, rollout.mask[:, :-1]], dim=1).cpu()[rows], rollout.mask.cpu()[rows])
    tokens = rollout.length.cpu()[rows].double() if by == "tokens" else torch.ones(len(rows), dtype=torch.float64)
    for part in _grouped(*ends, tokens_per_pass):
        yield rows[part], (tokens[part].sum() / tokens.sum()).item()


def precision(policy: nn.Module, autocast: Precision | None) -> AbstractContextManager:
    """The precision of a read: matrices multiplied in bfloat16, or with None as the weights are.

    Old and new log-probabilities and the reference's are read under the same. It is entered anew for each read and left
    before the optimiser's step: until then torch keeps the weights as it has cast them.
    """
    return torch.autocast(policy.device.type, torch.bfloat16, enabled=autocast is not None)


@dataclass(frozen=True)
class _Wanted:
    temperature: float
    value: bool
    entropy: bool
    checkpointing: bool
    likeliest: int = 0                  # of each token that many bins, and which they are, in place of its own
    bins: bool = False                  # of each token the bins that `target` names, in place of its own


def _whole(rollout: Rollout) -> tuple[Tensor, Tensor]:
    """Ids and mask of what is read, [B, P+T-1] each: the last token predicts nothing."""
    return (torch.cat([rollout.prompt_ids, rollout.response_ids[:, :-1]], dim=1),
            torch.cat([rollout.prompt_mask, rollout.mask[:, :-1]], dim=1))


def _read(policy: Policy, ids: Tensor, mask: Tensor, target: Tensor, counted: Tensor, wanted: _Wanted,
          tokens: int | None) -> dict[str, Tensor]:
    """Of `target` [B, T, ...], which the last T positions of `ids` [B, L] predict, where `counted` [B, T] is True."""
    if tokens is None and not torch.is_grad_enabled():
        tokens = TOKENS
    whole, first, last = ids.shape[1], None, None
    groups = [torch.arange(len(ids))]
    if tokens is not None:                                              # columns of padding alone are left out, too
        first, last = (end.cpu() for end in _ends(mask, counted))
        groups = _grouped(first, last, tokens)
    models = [policy.lm, *([policy.value_trunk] if wanted.value and policy.value_trunk is not None else [])]
    places, found = [], []
    with policy.in_use(), checkpointed(models, wanted.checkpointing):
        for rows in groups:
            start, stop = (0, whole) if first is None else (int(first[rows].min()), int(last[rows].max()) + 1)
            before = whole - counted.shape[1]                           # columns of ids that predict nothing asked for
            here = slice(max(start - before, 0), stop - before)
            rows = rows.to(ids.device)
            row, column = counted[rows].nonzero(as_tuple=True)
            places.append(rows[row] * counted.shape[1] + column)
            found.append(_read_pass(policy, ids[rows, start:stop], mask[rows, start:stop], target[rows, here],
                                    counted[rows, here], wanted))
    place = torch.cat(places)
    return {name: _put(torch.cat([each[name] for each in found]), place, counted) for name in found[0]}


def _put(numbers: Tensor, place: Tensor, counted: Tensor) -> Tensor:
    """Numbers [N, ...] at their places, 0 elsewhere: [B, T, ...]."""
    more = numbers.shape[1:]
    return numbers.new_zeros(counted.numel(), *more).index_copy(0, place, numbers).reshape(*counted.shape, *more)


def _read_pass(policy: Policy, ids: Tensor, mask: Tensor, target: Tensor, counted: Tensor,
               wanted: _Wanted) -> dict[str, Tensor]:
    """One pass of the trunk, then the output layer where it is asked for: [N] each, row by row."""
    chosen, size = target[counted], counted.shape[1]                    # [N], or [N, k]

    def asked(x: Tensor) -> Tensor:
        return x[:, -size:][counted]                                    # [N, ...]

    if not policy.comes_apart:                                          # it says all at once
        said = policy(ids, mask, keep=size, need_value=wanted.value)
        numbers = _scores(asked(said.logits), chosen, wanted)
        return {**numbers, "value": asked(said.value)} if wanted.value else numbers
    hidden = asked(policy.hidden(ids, mask)[0])                         # [N, d]
    numbers = _in_pieces(policy, hidden, chosen, wanted)
    if not wanted.value:
        return numbers
    own = policy.value_trunk is not None
    return {**numbers, "value": policy.value_of(asked(policy.value_hidden(ids, mask)) if own else hidden)}


def _in_pieces(policy: Policy, hidden: Tensor, chosen: Tensor, wanted: _Wanted) -> dict[str, Tensor]:
    """Scores of the tokens that hidden states [N, d] predict; of several pieces none keeps its logits."""

    def piece(hidden: Tensor, chosen: Tensor) -> dict[str, Tensor]:
        return _scores(trunk.logits(policy.lm, hidden), chosen, wanted)

    size = max(PIECE // policy.lm.config.get_text_config().vocab_size, 1)
    if len(hidden) <= size:
        return piece(hidden, chosen)
    parts = [checkpoint(piece, h, a, use_reentrant=False) if torch.is_grad_enabled() else piece(h, a)
             for h, a in zip(hidden.split(size), chosen.split(size), strict=True)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _scores(logits: Tensor, chosen: Tensor, wanted: _Wanted) -> dict[str, Tensor]:
    if wanted.likeliest:
        chosen = likeliest(logits, wanted.likeliest)
        return {"ids": chosen, "bins": binned(logits / wanted.temperature, chosen)}
    if wanted.bins:
        return {"bins": binned(logits / wanted.temperature, chosen)}
    numbers = {"logprob": token_logprob(logits, chosen, wanted.temperature)}
    return {**numbers, "entropy": entropy(logits, wanted.temperature)} if wanted.entropy else numbers


def _ends(mask: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last column that each row needs, [B] each: its text, and where something is asked for."""
    needed = mask.bool().clone()                                        # [B, L]
    needed[:, needed.shape[1] - counted.shape[1]:] |= counted
    return needed.int().argmax(-1), needed.shape[1] - 1 - needed.flip(-1).int().argmax(-1)


def _grouped(first: Tensor, last: Tensor, tokens: int) -> list[Tensor]:
    """Numbers of rows that are read together: like lengths, at most so many tokens a pass, padding included."""
    if tokens < 1:
        raise ValueError(f"tokens_per_pass is {tokens}; it must be at least 1, or None.")
    groups: list[list[int]] = []
    start = stop = 0
    ends = list(zip(first.tolist(), last.tolist(), strict=True))
    for row in sorted(range(len(ends)), key=lambda row: ends[row][1] - ends[row][0]):
        wider = (min(start, ends[row][0]), max(stop, ends[row][1]))
        if groups and (len(groups[-1]) + 1) * (wider[1] - wider[0] + 1) <= tokens:
            groups[-1].append(row)
            start, stop = wider
        else:
            groups.append([row])
            start, stop = ends[row]
    return [torch.tensor(sorted(group)) for group in groups]
