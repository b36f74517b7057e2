"""Rules in a reward: from five levels to a label, from the rules that a reply keeps to one number, and rerank.

    q_k = 1 - p_k,   p_k the rule model's probability that the reply breaks rule k,   [B, R]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "geometric", "worst"]
LEVELS = ("definitely broken", "probably broken", "unsure", "probably followed", "definitely followed")


def broken_labels(levels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Raters' levels as labels to learn from: 1 for a broken rule, 0 for one that is followed, unsure left out.

    Args: levels: names of `LEVELS`.
    Returns: (label, known), [N] long and [N] bool; where nobody is sure `known` is False and the label says nothing.
    Raises: ValueError for another name. Source: Glaese et al. 2022, arXiv:2209.14375, section 2.3.
    """
    if odd := next((level for level in levels if level not in LEVELS), None):
        raise ValueError(f"a level is {odd!r}; expected one of {', '.join(LEVELS)}.")
    place = torch.tensor([LEVELS.index(level) for level in levels], dtype=torch.long)
    middle = LEVELS.index("unsure")
    return (place < middle).long(), place != middle


def rules_kept(kept: Tensor, reduction: Reduction = "mean") -> Tensor:
    """One number for how well a reply keeps all rules.

        mean: 1/R Σ q_k      sum: Σ q_k      geometric: (Π q_k)^(1/R)      worst: min q_k

    A broken rule costs 1/R in the mean and 1 in the sum; in the geometric mean one that is surely broken leaves
    nothing, however many are kept.

    Args: kept: q, [B, R], in [0, 1].
    Returns: [B]. Raises: ValueError for an unknown reduction, no rule, or a number outside [0, 1].
    """
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction is {reduction!r}; expected one of {', '.join(get_args(Reduction))}.")
    if kept.dim() != 2 or not kept.shape[1]:
        raise ValueError(f"the rules have shape {tuple(kept.shape)}; expected [B, R], at least one rule.")
    if not ((kept >= 0) & (kept <= 1)).all():
        raise ValueError(f"q goes from {kept.min():g} to {kept.max():g}; it is the probability that a rule is kept.")
    if reduction == "mean":
        return kept.mean(-1)
    if reduction == "sum":
        return kept.sum(-1)
    return kept.log().mean(-1).exp() if reduction == "geometric" else kept.amin(-1)


def total_reward(preference: Tensor, kept: Tensor, *, reduction: Reduction = "mean", weight: float = 1.0,
                 length: Tensor | float = 0.0, valid: Tensor | None = None, invalid_penalty: float = 2.0) -> Tensor:
    """What a reply is worth in Sparrow's reinforcement learning.

        R = r_PM + w · rules_kept(q) + r_length - penalty where it is no valid turn

    The preference is best in units of its own spread (`rewards.Normalised`): scores of a reward model have no scale,
    so an unnormalised sum sets the trade-off by accident. Nobody outside has read the paper's weights: an article has
    the raw score and the sum, a digest the normalised score and the mean. All are here to be chosen.

    Args:
        preference: r_PM, [B], normalised or not.
        kept: q, [B, R].
        reduction, weight: how rules become one number, and what that weighs.
        length: r_length, [B], such as minus a price per token.
        valid: True for one well-formed turn, [B]; None = all are.
        invalid_penalty: taken off the others (2 in arXiv:2203.11147).

    Returns: [B]. Raises: ValueError if shapes differ or a weight is below 0; as `rules_kept`.
    Source: arXiv:2209.14375 as described; see above.
    """
    if preference.shape != kept.shape[:1]:
        raise ValueError(f"the preferences have shape {tuple(preference.shape)}, the rules {tuple(kept.shape)}; "
                         f"expected [B] and [B, R].")
    if weight < 0 or invalid_penalty < 0:
        raise ValueError(f"weight is {weight} and invalid_penalty {invalid_penalty}; both are 0 or more.")
    total = preference + weight * rules_kept(kept, reduction) + length
    return total if valid is None else total - invalid_penalty * (~valid.bool())


def rerank_score(preference: Tensor, kept: Tensor) -> Tensor:
    """By which of several replies to one prompt the best is taken when nothing is learnt any more.

        s_i = exp(r_i) / (exp(r_i) + exp(r̄)) · (Π_k q_ik)^(1/R),   r̄ the mean preference of the candidates

    The first factor is the probability of beating an average candidate, the second the geometric mean of the rules:
    to be liked does not make up for a broken rule.

    Args: preference: r, of the N candidates of each prompt, [..., N]. kept: q, [..., N, R].
    Returns: [..., N]. Raises: ValueError if shapes differ; as `rules_kept`.
    Source: arXiv:2209.14375; the exact form from memory and a garbled copy.
    """
    if preference.shape != kept.shape[:-1]:
        raise ValueError(f"the preferences have shape {tuple(preference.shape)}, the rules {tuple(kept.shape)}; "
                         f"expected [..., N] and [..., N, R].")
    liked = torch.sigmoid(preference - preference.mean(-1, keepdim=True))
    return liked * rules_kept(kept.reshape(-1, kept.shape[-1]), "geometric").reshape(liked.shape)
