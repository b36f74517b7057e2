"""What is minimised, and the diagnostics that are logged beside it.

Every loss is a mean over marked tokens (or pairs), so its size does not depend on the padding.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rlhf_kit.formulas.distributions import token_logprob
from rlhf_kit.formulas.masked import count, keep, masked_mean, masked_var
from rlhf_kit.formulas.preference import margins, preference_mask


def clipped_policy(logprob: Tensor, old_logprob: Tensor, advantage: Tensor,
                   mask: Tensor, clip: float) -> Tensor:
    """PPO's clipped objective, as a loss to minimise.

        L = -mean over tokens of min(r·Â, clip(r, 1-ε, 1+ε)·Â),   r = exp(logprob - old_logprob)

    Clipping takes away the incentive to move further; it does not forbid moving.

    Args:
        logprob, old_logprob: log-probability of each response token, now and when sampled, [B, T], nats.
        advantage: how much better than expected the token was, [B, T]; no gradient flows into it.
        mask: True on response tokens, the closing EOS included, [B, T].
        clip: ε; `math.inf` switches clipping off (A2C).

    Returns: a scalar. Raises: ValueError if no token is marked.
    Source: Schulman et al. 2017, arXiv:1707.06347, Eq. 7.
    """
    plain, clipped = surrogates(logprob, old_logprob, advantage, mask, clip)
    return -masked_mean(torch.minimum(plain, clipped), mask)


def clipped_value(value: Tensor, old_value: Tensor, value_target: Tensor,
                  mask: Tensor, clip: float) -> Tensor:
    """The critic's squared error, which does not reward leaving the old guess by more than ε.

        L = ½ mean over tokens of max((V - R)², (clip(V, V_old-ε, V_old+ε) - R)²)

    Args:
        value, old_value: the critic's guess before each token, now and when sampled, [B, T].
        value_target: R, what the critic should have said, from `gae`, [B, T].
        mask: True on response tokens, the closing EOS included, [B, T].
        clip: ε, in units of reward; `math.inf` switches clipping off.

    No gradient flows into `old_value` or `value_target`.

    Returns: a scalar. Raises: ValueError if no token is marked.
    Source: the code of arXiv:1707.06347 (OpenAI baselines, ppo2); kept by arXiv:1909.08593 and TRL.
    """
    value, old_value = keep(value, mask), keep(old_value, mask).detach()
    value_target = keep(value_target, mask).detach()
    near = torch.clamp(value, old_value - clip, old_value + clip)
    error = torch.maximum((value - value_target).square(), (near - value_target).square())
    return 0.5 * masked_mean(error, mask)


def language_model(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Teach the policy to write these tokens: negative log-likelihood per marked token.

        L = -mean over tokens of log π(id_t)

    Args:
        logits: [B, T, V]; `logits[:, t]` predict `ids[:, t]`. The caller aligned them, nobody shifts here.
        ids: the tokens to be written, [B, T]; anything where masked out, -100 included.
        mask: True on the tokens to learn, [B, T].

    Returns: a scalar, nats per token. Raises: ValueError if no token is marked or shapes do not fit.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5 (SFT) and the γ term of Eq. 2 (PPO-ptx).
    """
    if logits.shape[:-1] != mask.shape or ids.shape != mask.shape:
        raise ValueError(f"logits {tuple(logits.shape)}, ids {tuple(ids.shape)} and mask {tuple(mask.shape)} "
                         f"do not fit; expected [B, T, V], [B, T], [B, T].")
    count(mask)
    marked = mask.bool()
    return -token_logprob(logits[marked], ids[marked]).mean()    # padding never meets the vocabulary


def ranking(score: Tensor, rank: Tensor, mask: Tensor | None = None, *,
            kind: Literal["log_sigmoid", "sigmoid"] = "log_sigmoid", margin: Tensor | float | None = None,
            centring: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """A reward model's loss over rankings of K responses each, every response scored once.

        L = mean over rankings of  w · mean over the ranking's pairs i ≻ j of  -log σ(r_i - r_j - m) + c · (r_i + r_j)²

    All C(K, 2) pairs of a prompt together weigh as much as one pair alone, whatever K is. Only differences count in
    the first term: scores may all be shifted. A ranking of two is `pairwise`.

    Args:
        score: r, one number a response, [B, K].
        rank: 1 = best; equal ranks tie and say nothing, [B, K].
        mask: True where there is a response, [B, K]; None = everywhere. Nothing leaks from elsewhere.
        kind: "sigmoid" takes -σ in place of -log σ: bounded, blind to pairs that are far on the wrong side, and no
            likelihood, so that the scores' differences are no log-odds.
        margin: m, by how much i should beat j, [B, K, K] or one number; None = 0.
        centring: c, weight of the pull towards 0; TRL suggests 0.01.
        weight: w, what each ranking counts, [B], such as λ for comparisons of another kind (arXiv:2204.05862,
            L = L_helpful + λ L_harmless); None = 1.

    Returns: a scalar; where all scores are 0 it is ln 2, or -1/2 for "sigmoid".
    Raises: ValueError if shapes differ, the kind is unknown or no ranking has a pair with a winner.
    Source: Ouyang et al. 2022, arXiv:2203.02155, Eq. 1; margin: Touvron et al. 2023, arXiv:2307.09288, Eq. 2;
        centring: Eisenstein et al. 2023, arXiv:2312.09244. "sigmoid" is transformers_tasks' first version.
    """
    if kind not in ("log_sigmoid", "sigmoid"):
        raise ValueError(f"kind is {kind!r}; it is 'log_sigmoid' or 'sigmoid'.")
    better = preference_mask(rank, mask)                                                     # [B, K, K]
    if score.shape != rank.shape or not better.any():
        raise ValueError(f"scores have shape {tuple(score.shape)} and ranks {tuple(rank.shape)}, with "
                         f"{int(better.sum())} pairs that have a winner; expected the same [B, K] and at least one.")
    gap = margins(score, better)
    if margin is not None:
        if isinstance(margin, Tensor) and margin.dim() and margin.shape != better.shape:
            raise ValueError(f"margin has shape {tuple(margin.shape)}; expected {tuple(better.shape)}, one for each "
                             f"pair i, j, or one number.")
        gap = gap - margin
    cost = -logsigmoid(gap) if kind == "log_sigmoid" else -torch.sigmoid(gap)
    if centring:
        there = torch.where(better.any(2) | better.any(1), score, 0.0)
        cost = cost + centring * (there[:, :, None] + there[:, None, :]).square()
    pairs = better.sum((1, 2))                                                     # [B]
    each = torch.where(better, cost, 0.0).sum((1, 2)) / pairs.clamp(min=1)
    return (each if weight is None else weight * each).sum() / (pairs > 0).sum()


def pairwise(chosen: Tensor, rejected: Tensor, margin: Tensor | float | None = None,
             centring: float = 0.0) -> Tensor:
    """Bradley-Terry: the preferred answer should get the higher score.

        L = mean over pairs of -log σ(r_c - r_r - m)  +  centring · mean of (r_c + r_r)²

    `ranking` with two responses each; the sum of both terms is TRL 1.16's.

    Args:
        chosen, rejected: scores of the preferred and the other answer, pair by pair, [N] or of any one shape.
        margin: m, by how much the preferred one should win, of the same shape or one number; None = 0.
        centring: weight of the second term; TRL suggests 0.01.

    Returns: a scalar, ln 2 when all scores are 0 without a margin.
    Raises: ValueError if shapes differ (a [N, 1] margin would silently compare all N×N pairs) or N is 0.
    Source: as in `ranking`.
    """
    if chosen.shape != rejected.shape or not chosen.numel():
        raise ValueError(f"chosen has shape {tuple(chosen.shape)}, rejected {tuple(rejected.shape)}; "
                         f"expected the same, one score per pair, and at least one pair.")
    if isinstance(margin, Tensor) and margin.dim():
        if margin.shape != chosen.shape:
            raise ValueError(f"margin has shape {tuple(margin.shape)}, the scores {tuple(chosen.shape)}; "
                             f"expected one margin per pair. Try margin.reshape(chosen.shape).")
        margin = margin.reshape(-1, 1, 1).expand(-1, 2, 2)
    score = torch.stack([chosen.reshape(-1), rejected.reshape(-1)], dim=1)         # [N, 2]
    rank = torch.tensor([1, 2], device=score.device).expand(len(score), 2)
    return ranking(score, rank, margin=margin, centring=centring)


# Diagnostics: what to watch while the losses fall. None of them carries a gradient.

@torch.no_grad()
def clip_fraction(logprob: Tensor, old_logprob: Tensor, advantage: Tensor,
                  mask: Tensor, clip: float) -> Tensor:
    """The share of marked tokens where clipping decides the loss; arguments as in `clipped_policy`."""
    plain, clipped = surrogates(logprob, old_logprob, advantage, mask, clip)
    return masked_mean((clipped < plain).to(plain.dtype), mask)


@torch.no_grad()
def approx_kl(logprob: Tensor, old_logprob: Tensor, mask: Tensor) -> Tensor:
    """How far the policy moved since it sampled: ½ mean (logprob - old_logprob)², nats, as TRL logs."""
    return 0.5 * masked_mean((logprob - old_logprob).square(), mask)


@torch.no_grad()
def mean_ratio(logprob: Tensor, old_logprob: Tensor, mask: Tensor) -> Tensor:
    """The mean of r = exp(logprob - old_logprob) over marked tokens; 1 before the first update, or a bug."""
    return masked_mean((logprob - old_logprob).exp(), mask)


@torch.no_grad()
def explained_variance(value: Tensor, value_target: Tensor, mask: Tensor) -> Tensor:
    """How much of the target the critic foresaw: 1 - Var(R - V) / Var(R).

    1 is perfect, 0 no better than a constant, negative worse than that; NaN if the target never varies, or has
    fewer than two marked tokens.
    """
    if mask.sum() < 2:
        return value.new_full((), torch.nan)
    spread = masked_var(value_target, mask)
    missed = masked_var(value_target - value, mask)
    return torch.where(spread > 0, 1 - missed / spread, torch.full_like(spread, torch.nan))


def surrogates(logprob: Tensor, old_logprob: Tensor, advantage: Tensor,
               mask: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """r·Â and clip(r, 1-ε, 1+ε)·Â of each token, [B, T] each; arguments as for `clipped_policy`, which takes the
    smaller one. No gradient flows into Â."""
    ratio = torch.exp(keep(logprob, mask) - keep(old_logprob, mask).detach())
    advantage = keep(advantage, mask).detach()
    return ratio * advantage, torch.clamp(ratio, 1 - clip, 1 + clip) * advantage
