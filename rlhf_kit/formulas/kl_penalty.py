"""The price of drifting from the reference.

With samples y from the policy π and a reference ρ, write d = log π(y) - log ρ(y). All estimates below look at
the same direction, KL(π ‖ ρ): where does the policy go that the reference would not?

A good estimate of the value may be a bad loss. Differentiated with the samples held fixed, k1 teaches
nothing, k2 gives the gradient of KL(π ‖ ρ) and k3 that of the other direction, KL(ρ ‖ π). Put into the *reward*
(`token_reward`), k1 gives the true gradient of KL(π ‖ ρ). `KL` says when to take which.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rlhf_kit.formulas.distributions import exact_kl
from rlhf_kit.formulas.masked import keep, masked_mean, masked_sum
from rlhf_kit.formulas.spelling import spelled

Estimate = Callable[[Tensor, Tensor], Tensor]


def estimate_k1(logprob: Tensor, ref_logprob: Tensor) -> Tensor:
    """k1 = d. Value: unbiased, often negative, high variance. As a loss: expected gradient 0.

    Args: logprob, ref_logprob: of the tokens that the policy sampled, [B, T], nats. Returns: [B, T].
    Source: Schulman 2020, joschu.net/blog/kl-approx.html; also `estimate_k2`, `estimate_k3`.
    """
    return logprob - ref_logprob


def estimate_k2(logprob: Tensor, ref_logprob: Tensor) -> Tensor:
    """k2 = ½d². Value: biased, never negative, low variance. As a loss: the gradient of KL(π ‖ ρ)."""
    return 0.5 * (logprob - ref_logprob).square()


def estimate_k3(logprob: Tensor, ref_logprob: Tensor) -> Tensor:
    """k3 = exp(-d) - 1 + d. Value: unbiased, never negative, low variance while close.

    As a loss: the gradient of KL(ρ ‖ π), the *other* direction. GRPO uses it so.
    """
    d = logprob - ref_logprob
    return torch.expm1(-d) + d


def estimate_abs(logprob: Tensor, ref_logprob: Tensor) -> Tensor:
    """|d|. Value: not a KL, on average at least as large as one. As a loss: the gradient of Σ|π - ρ|, no KL's.

    Source: `kl_penalty="abs"` in TRL 0.11.4.
    """
    return (logprob - ref_logprob).abs()


ESTIMATES: dict[str, Estimate] = {       # "full" takes logits [B, T, V], the others log-probabilities [B, T]
    "k1": estimate_k1, "k2": estimate_k2, "k3": estimate_k3, "abs": estimate_abs, "full": exact_kl,
}


IN_LOSS = ("k2", "k3", "abs")            # those whose gradient pulls back
NO_LOSS = {"k1": "its expected gradient is 0", "full": "it needs the logits of every pass"}


def sequence_kl(logprob: Tensor, ref_logprob: Tensor, mask: Tensor,
                estimate: Estimate = estimate_k1) -> Tensor:
    """How far the policy has drifted, in nats per response.

        KL = mean over responses of Σ_t estimate_t

    Args:
        logprob, ref_logprob: of the sampled tokens, [B, T], nats; for `exact_kl` the logits, [B, T, V].
        mask: True on response tokens, the closing EOS included, [B, T].
        estimate: one of this module, or `distributions.exact_kl`.

    Returns: a scalar. Raises: ValueError if no token is marked.
    Source: Ziegler et al. 2019, arXiv:1909.08593, section 2.2; `objective/kl` in TRL.
    """
    return masked_sum(_per_token(logprob, ref_logprob, mask, estimate), mask).mean()


@torch.no_grad()
def token_reward(score: Tensor, logprob: Tensor, ref_logprob: Tensor, mask: Tensor, coefficient: float,
                 estimate: Estimate = estimate_k1, clip: float | None = None) -> Tensor:
    """What each token earns: a price for drifting, and at the end the judge's score.

        r_t = -β·clip(estimate_t, -c, c)  +  score at the last marked token

    Args:
        score: what the judge says of each response, [B].
        logprob, ref_logprob: of the sampled tokens, [B, T], nats; for `exact_kl` the logits, [B, T, V].
        mask: True on response tokens, the closing EOS included, [B, T].
        coefficient: β, reward per nat.
        estimate: one of this module, or `distributions.exact_kl` (TRL's "full").
        clip: c, nats per token; None = nothing is cut off. See `KL`.

    Returns: [B, T], 0 where masked out, without gradient.
    Raises: ValueError if the score is not [B] or not finite, or a row has no marked token.
    Source: Ziegler et al. 2019, arXiv:1909.08593, Eq. 2; Ouyang et al. 2022, arXiv:2203.02155, Eq. 2.
    """
    drift = _per_token(logprob, ref_logprob, mask, estimate)
    price = coefficient * (drift if clip is None else drift.clamp(-clip, clip))
    if score.shape != mask.shape[:1]:
        raise ValueError(f"the score has shape {tuple(score.shape)}, the mask {tuple(mask.shape)}; a reward "
                         f"function returns one number per response, [B] = [{mask.shape[0]}].")
    if bad := (~torch.isfinite(score)).nonzero().flatten().tolist():
        raise ValueError(f"the score of row {bad[0]} is {score[bad[0]].item()} ({len(bad)} of {len(score)} "
                         f"are not finite); look at what the reward function returns for that response.")
    if empty := (~mask.bool().any(-1)).nonzero().flatten().tolist():
        raise ValueError(f"row {empty[0]} has no marked token ({len(empty)} of {len(mask)} rows), so its "
                         f"score has nowhere to go; even a response that says nothing has its closing EOS.")
    position = torch.arange(mask.shape[-1], device=mask.device)
    last = torch.where(mask.bool(), position, -1).amax(-1, keepdim=True)        # [B, 1]
    return keep((-price).scatter_add(-1, last, score.to(price.dtype).unsqueeze(-1)), mask)


def penalty_loss(logprob: Tensor, ref_logprob: Tensor, mask: Tensor, estimate: Estimate = estimate_k2) -> Tensor:
    """The price of drifting as a loss: gradients flow through the policy's log-probabilities, and no critic is asked.

        L = mean over tokens of estimate_t,   E ∇L = ∇KL(π ‖ ρ) for k2,  ∇KL(ρ ‖ π) for k3

    each KL that of the next token, summed over the vocabulary, with what was written before held fixed: that a token
    leads to places where π and ρ differ more is nobody's fault. The expectation is over samples of π itself, so it
    holds for the first gradient of a batch; in later ones π has moved, and the samples are not drawn again.

    Args:
        logprob: of the sampled tokens, with gradient, [B, T], nats.
        ref_logprob: the same under the reference; no gradient flows into it, [B, T], nats.
        mask: True on response tokens, the closing EOS included, [B, T].
        estimate: `estimate_k2`, `estimate_k3` or `estimate_abs`.

    Returns: a scalar, nats per token. Raises: ValueError if no token is marked.
    Source: k3 as in GRPO, Shao et al. 2024, arXiv:2402.03300, Eq. 4; the gradients: `tests/test_kl_penalty.py`.
    """
    return masked_mean(_per_token(logprob, ref_logprob.detach(), mask, estimate), mask)


class FixedCoefficient:
    """β that stays what it is."""

    def __init__(self, value: float):
        self.value = value

    def update(self, kl: float, episodes: int) -> None:
        """Nothing to do; it is here so that a loop need not ask which kind it holds."""

    def __repr__(self) -> str:
        return f"FixedCoefficient({self.value})"


class AdaptiveCoefficient:
    """β that rises while the drift is above its target and falls while below.

        e = clip(KL/target - 1, -0.2, 0.2),   β ← β·(1 + e·episodes/horizon)

    Args:
        value: β to begin with, reward per nat.
        target: the drift to aim at, nats per response.
        horizon: episodes (responses) in which β may change by about a fifth.

    Source: Ziegler et al. 2019, arXiv:1909.08593, section 2.2; they write K_β for episodes/horizon.
    """

    def __init__(self, value: float, target: float, horizon: float):
        self.value, self.target, self.horizon = value, target, horizon

    def update(self, kl: float | Tensor, episodes: int) -> None:
        """Re-price after `episodes` responses that drifted by `kl` nats each; ValueError if not finite."""
        kl = float(kl)
        if not math.isfinite(kl):
            raise ValueError(f"the KL is {kl}, so the policy has diverged; expected a finite number of nats "
                             f"per response. Try a smaller learning rate or a larger coefficient.")
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        self.value *= max(1 + error * episodes / self.horizon, 0.5)    # a short horizon must not turn the price round

    def __repr__(self) -> str:
        return f"AdaptiveCoefficient({self.value}, target={self.target}, horizon={self.horizon})"


@spelled
@dataclass(frozen=True, kw_only=True)
class KL:
    """How drifting is priced: a fixed coefficient, or one that steers towards a target; in the reward or in the loss.

    In the *reward*, as the papers have it: right for small coefficients, where the penalty is a small part of what
    tokens earn. A high one may run away if advantages are whitened. Measured on the tiny StackLLaMA (β 1.5, seed 1): of
    Σ d² one token in a hundred holds 95 %, single ones drift by 10 to 20 nats, and GAE credits 90 % of what they pay to
    tokens before them that moved by less than half a nat. Whitening divides by the deviation of all this. Once the
    penalty outweighs the score (from step 13), β cancels, the pull of a nat falls as the drift grows, and the score
    counts for a tenth: 0.3 nats at step 10, 36 at step 20, 400 in the end. Divided and not centred it runs away too
    (89 nats); centred and not divided, or with `whiten_advantage=False`, such tokens are taken back within three steps
    (1 nat in the end).

    In the *loss* (`in_loss=True`) nothing divides the penalty and every token answers for itself (1.1 nats at the end
    of that run). Take it for a high coefficient, and where responses must not shrink: in the reward each token costs
    something, so ending early saves, down to saying nothing. k2 pulls with a force of d nats, the farther the
    harder, towards KL(π ‖ ρ): the first choice. k3 follows KL(ρ ‖ π), as GRPO does: a token that became likelier is
    pulled by less than 1 however far it went, one that became rarer by e^-d - 1, which explodes. The coefficient then
    weighs a nat per token against an advantage, of deviation 1 if whitened; what a token leads to is not counted.

    `clip` bounds what a token pays in the reward, so how loud a single one can be: for a reference that all but forbids
    some tokens or is coarse (int8). It is no cure for the above: clipped at 1 nat that run had 11 nats at step 20 and
    300 in the end.
    """

    coefficient: float = 0.2        # reward per nat; where an adaptive one begins (TRL 0.11.4)
    target: float | None = None     # nats per response; None = the coefficient stays fixed
    horizon: float = 10000          # episodes (arXiv:1909.08593)
    estimate: str | None = None     # k1, k2, k3, abs, or full (needs logits); None = k1, in the loss k2
    clip: float | None = None       # nats per token that the reward counts at most; None = all
    in_loss: bool = False           # a term of the loss (k2, k3, abs) in place of a part of the reward

    def __post_init__(self):
        if not 0 <= self.coefficient < math.inf:
            raise ValueError(f"the KL coefficient is {self.coefficient}; expected 0 or more. A negative one "
                             f"would pay the policy for drifting; try 0.2, or 0 for no price at all.")
        if self.target is not None and not 0 < self.target < math.inf:
            raise ValueError(f"the KL target is {self.target}; expected a positive number of nats per "
                             f"response. Try 6.0, or None to keep the coefficient fixed.")
        if not 0 < self.horizon < math.inf:
            raise ValueError(f"the KL horizon is {self.horizon}; expected a positive number of episodes. "
                             f"Try 10000.")
        if self.estimate is None:
            object.__setattr__(self, "estimate", "k2" if self.in_loss else "k1")
        if self.estimate not in ESTIMATES:
            raise ValueError(f"unknown KL estimate {self.estimate!r}; expected one of "
                             f"{', '.join(ESTIMATES)}. Try 'k1'.")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"the KL clip is {self.clip}; expected a positive number of nats per token. Try 1.0, or "
                             f"None to count them all.")
        if self.in_loss and self.estimate not in IN_LOSS:
            raise ValueError(f"the KL estimate {self.estimate!r} is no loss: {NO_LOSS[self.estimate]}; expected one "
                             f"of {', '.join(IN_LOSS)}. Try KL(in_loss=True, estimate='k2').")
        if self.in_loss and self.clip is not None:
            raise ValueError(f"the KL clip is {self.clip} and in_loss is True; a clipped loss has no gradient where "
                             f"the drift is largest. Leave one of them out.")

    def in_reward(self, coefficient: float) -> tuple[float, Estimate, float | None]:
        """The last three arguments of `token_reward`: with the penalty in the loss, a token pays nothing."""
        return (0.0, estimate_k1, None) if self.in_loss else (coefficient, self.function(), self.clip)

    def controller(self) -> FixedCoefficient | AdaptiveCoefficient:
        """A fresh coefficient to be updated while training."""
        if self.target is None:
            return FixedCoefficient(self.coefficient)
        return AdaptiveCoefficient(self.coefficient, self.target, self.horizon)

    def function(self) -> Estimate:
        """The function behind the name."""
        return ESTIMATES[self.estimate]


def _per_token(logprob: Tensor, ref_logprob: Tensor, mask: Tensor, estimate: Estimate) -> Tensor:
    if logprob.shape != ref_logprob.shape:
        raise ValueError(f"the policy's shape is {tuple(logprob.shape)}, the reference's "
                         f"{tuple(ref_logprob.shape)}; expected the same tokens, [B, T] (or logits [B, T, V] "
                         f"for exact_kl).")
    drift = estimate(keep(logprob, mask), keep(ref_logprob, mask))     # blanked first: no NaN in a gradient
    if drift.shape != mask.shape:
        raise ValueError(f"the estimate gave shape {tuple(drift.shape)} for a mask of {tuple(mask.shape)}; "
                         f"k1, k2, k3, abs take log-probabilities [B, T], exact_kl takes logits [B, T, V].")
    return drift
