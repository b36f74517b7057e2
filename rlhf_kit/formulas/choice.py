"""A rater picks one of several candidates: Sparrow's preference model, a choice, its pairs, and scores around 0.

The candidates of one turn are those that the rater saw and, as *distractors*, replies from other dialogues, which teach
the model that a reply off the topic is worse than any on it. The appendix of the paper, with the exact coefficients,
was not available: these three terms are its description, their weights are ours.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rlhf_kit.formulas.masked import keep

Centring = Literal["squared_mean", "mean_square"]


def chosen_among(score: Tensor, chosen: Tensor, mask: Tensor | None = None) -> Tensor:
    """How surprising the rater's choice is: the cross-entropy over the candidates of a turn.

        L = - mean over turns of  Σ_c t_c · log softmax(r)_c

    Args:
        score: r, one number a candidate, [B, M].
        chosen: t, how often each candidate is picked, [B, M]: 1 for the one that was, or equal parts of those that
            tied, which is the target of maximum entropy (arXiv:2203.11147). Rows sum to 1.
        mask: True where there is a candidate, [B, M]; None = everywhere.

    Returns: a scalar; where all scores of M candidates are equal it is log M.
    Raises: ValueError if shapes differ, a turn has fewer than two candidates, or a row of `chosen` does not sum to 1.
    Source: Glaese et al. 2022, arXiv:2209.14375; see the head of this file.
    """
    score, chosen, mask = _checked(score, chosen, mask)
    logprob = score.masked_fill(~mask, -torch.inf).log_softmax(-1)
    return -torch.where(chosen > 0, chosen * logprob, 0.0).sum(-1).mean()


def chosen_over_each(score: Tensor, chosen: Tensor, mask: Tensor | None = None) -> Tensor:
    """How surprising it is pair by pair: Bradley-Terry between the chosen candidate and each other one.

        L = mean over turns of  Σ_c t_c · 1/(M-1) · Σ_{j≠c} log(1 + exp(r_j - r_c))

    Of two candidates it is `chosen_among`. Arguments, errors and source: as there. Returns: a scalar, ln 2 where all
    scores are equal.
    """
    score, chosen, mask = _checked(score, chosen, mask)
    pairs = softplus(score[:, None, :] - score[:, :, None])                                  # [B, c, j]
    others = mask[:, None, :] & ~torch.eye(score.shape[1], dtype=torch.bool, device=score.device)
    each = torch.where(others, pairs, 0.0).sum(-1) / (mask.sum(-1, keepdim=True) - 1)        # [B, c]
    return (chosen * each).sum(-1).mean()


def off_centre(score: Tensor, mask: Tensor | None = None, kind: Centring = "squared_mean") -> Tensor:
    """How far the scores of a turn are from 0, which neither of the other two can tell.

        "squared_mean":  mean over turns of (1/M Σ r_i)²      "mean_square":  mean over turns of 1/M Σ r_i²

    The first takes away the freedom to shift all scores and nothing else: the choices that a model of least loss
    predicts stay those that were made. The second pulls the scores together, too, and predicts flatter choices.

    Args: score, mask: as in `chosen_among`. Returns: a scalar, 0 where every turn's mean (or every score) is 0.
    """
    if kind not in get_args(Centring):
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(get_args(Centring))}.")
    mask = torch.ones_like(score, dtype=torch.bool) if mask is None else mask.bool()
    there, n = keep(score, mask), mask.sum(-1).clamp(min=1)
    if kind == "squared_mean":
        return (there.sum(-1) / n).square().mean()
    return (there.square().sum(-1) / n).mean()


def of_ranks(rank: Tensor, mask: Tensor) -> Tensor:
    """Which candidates of each turn were picked, as `chosen_among` takes it: the best rank, in equal parts; [B, M]."""
    best = rank.masked_fill(~mask, torch.iinfo(rank.dtype).max).amin(-1, keepdim=True)
    picked = ((rank == best) & mask).float()
    return picked / picked.sum(-1, keepdim=True)


def preference_model(score: Tensor, chosen: Tensor, mask: Tensor | None = None, *, bradley_terry: float = 1.0,
                     centring: float = 0.1, kind: Centring = "squared_mean") -> Tensor:
    """The loss of Sparrow's preference model.

        L = chosen_among + w · chosen_over_each + λ · off_centre

    Args:
        score, chosen, mask: as in `chosen_among`.
        bradley_terry: w.
        centring: λ.
        kind: of `off_centre`.

    Returns: a scalar. Raises: ValueError as `chosen_among`, or for a weight below 0.
    Source: arXiv:2209.14375 as its digests describe it; the weights 1 and 0.1 are a reconstruction.
    """
    if bradley_terry < 0 or centring < 0:
        raise ValueError(f"bradley_terry is {bradley_terry} and centring {centring}; weights are 0 or more.")
    loss = chosen_among(score, chosen, mask)
    if bradley_terry:
        loss = loss + bradley_terry * chosen_over_each(score, chosen, mask)
    return loss + centring * off_centre(score, mask, kind) if centring else loss


def _checked(score: Tensor, chosen: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    mask = torch.ones_like(score, dtype=torch.bool) if mask is None else mask.bool()
    if score.dim() != 2 or score.shape != chosen.shape or score.shape != mask.shape:
        raise ValueError(f"scores have shape {tuple(score.shape)}, choices {tuple(chosen.shape)} and the mask "
                         f"{tuple(mask.shape)}; expected the same [B, M], a row for each turn.")
    if few := (mask.sum(-1) < 2).nonzero().flatten().tolist():
        raise ValueError(f"turn {few[0]} has {int(mask[few[0]].sum())} candidates; a choice is among at least 2.")
    chosen = keep(chosen.to(score.dtype), mask)
    if odd := ((chosen.sum(-1) - 1).abs() > 1e-4).nonzero().flatten().tolist():
        raise ValueError(f"the choices of turn {odd[0]} sum to {chosen[odd[0]].sum():g}; a row is 1 for the candidate "
                         f"that was picked, or equal parts of those that tied.")
    return keep(score, mask), chosen, mask
