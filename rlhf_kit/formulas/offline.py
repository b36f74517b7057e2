"""Losses on responses that were drawn before, and the thresholds that choose among them: the formulas of ReST.

The responses come from an older policy (the *behaviour*) or from people, and their rewards were given once. Nothing
here asks a reward model.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rlhf_kit.formulas.masked import keep, masked_mean, masked_sum


def above(reward: Tensor, threshold: float) -> Tensor:
    """ReST's filter: which responses are learnt from.

        F(x, y; τ) = 1 where R(x, y) > τ

    Args: reward: R, one number a response, any shape. threshold: τ; a reward of exactly τ is left out.
    Returns: bool, of the same shape. Source: Gulcehre et al. 2023, arXiv:2308.08998, section 3.
    """
    return reward > threshold


def percentile_threshold(reward: Tensor, percent: float) -> float:
    """The reward below which `percent` of the responses lie, interpolated between neighbours.

    Raises: ValueError if there is no reward or `percent` lies outside [0, 100).
    Source: arXiv:2308.08998, appendix A.1; its gain levels off at about the 90th.
    """
    if not 0 <= percent < 100:
        raise ValueError(f"the percentile is {percent}; expected 0 <= percent < 100: above the highest reward nothing "
                         f"is left.")
    return torch.quantile(_some(reward).double().flatten(), percent / 100).item()


def interpolated_threshold(reward: Tensor, gamma: float) -> float:
    """Between the mean reward and the highest.

        τ = γ · max R + (1 - γ) · mean R

    Raises: ValueError if there is no reward or γ lies outside [0, 1). Source: arXiv:2308.08998, appendix A.1.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma is {gamma}; expected 0 <= gamma < 1: at 1 nothing is left.")
    reward = _some(reward).double()
    return (gamma * reward.max() + (1 - gamma) * reward.mean()).item()


def behaviour_cloning(logprob: Tensor, mask: Tensor) -> Tensor:
    """Imitate: the loss of supervised fine-tuning, from log-probabilities.

        L = - mean over tokens of log π(y_t)

    Args: logprob: of each response token now, [B, T] nats. mask: True on response tokens, EOS included, [B, T].
    Returns: a scalar. Raises: ValueError if no token is marked.
    Source: arXiv:2308.08998, Eq. 1 (BC), there summed over a response.
    """
    return -masked_mean(logprob, mask)


def gold_quality(behaviour_logprob: Tensor, mask: Tensor, kind: Literal["p", "s", "delta"] = "s",
                 unroll: int = 5) -> Tensor:
    """How good the next few tokens are in the eyes of a model that imitated: Q̂ of GOLD.

        Q̂_t = Σ_{s=t}^{t+k-1} r_s,    r_s = log p(y_s) for "p", p(y_s) for "s";    Q̂_t = 1 for "delta"

    Args:
        behaviour_logprob: log p(y_t) under the imitating (maximum likelihood) model, [B, T] nats.
        mask: True on response tokens, [B, T].
        unroll: k, tokens looked ahead; ReST takes 5.

    Returns: [B, T], 0 where masked out; no gradient. Raises: ValueError for an unknown kind or k < 1.
    Source: Pang and He 2021, arXiv:2009.07839, section 3.2; with k = 5 in arXiv:2308.08998, section 4. Written from the
        papers' words: neither prints its code.
    """
    if kind not in ("p", "s", "delta"):
        raise ValueError(f"kind is {kind!r}; it is 'p', 's' or 'delta'.")
    if unroll < 1:
        raise ValueError(f"unroll is {unroll}; it must be at least 1.")
    logprob = behaviour_logprob.detach()
    each = {"p": logprob, "s": logprob.exp(), "delta": torch.ones_like(logprob)}[kind]
    each = keep(each, mask)
    if kind == "delta":
        return each
    summed = torch.nn.functional.pad(each.cumsum(-1), (1, 0))                       # [B, T+1]
    last = (torch.arange(each.shape[1], device=each.device) + unroll).clamp(max=each.shape[1])
    return keep(summed[:, last] - summed[:, :-1], mask)


def gold(logprob: Tensor, quality: Tensor, mask: Tensor, floor: float = 0.1) -> Tensor:
    """GOLD: imitate what the policy itself finds likely and what is worth it.

        L = - mean over tokens of max(u, sg[π(y_t)]) · Q̂_t · log π(y_t)

    The weight is the token's own importance weight against demonstrations, whose law is unknown and taken as even; its
    floor u keeps a token that the policy has never liked in the running. No gradient flows through weight or Q̂.

    Args:
        logprob: of each response token now, [B, T] nats.
        quality: Q̂, from `gold_quality`, or a response's reward on each of its tokens, [B, T].
        mask: True on response tokens, [B, T].
        floor: u, at least 0 and at most 1; 1 weighs all tokens alike.

    Returns: a scalar. Raises: ValueError if no token is marked or u is out of range.
    Source: Pang and He 2021, arXiv:2009.07839, Eq. 5.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor is {floor}; a probability's floor lies between 0 and 1.")
    weight = keep(logprob, mask).detach().exp().clamp(min=floor) * keep(quality, mask).detach()
    return -masked_mean(weight * keep(logprob, mask), mask)


def vmpo_weights(advantage: Tensor, temperature: Tensor | float) -> Tensor:
    """V-MPO's weights: a softmax over the better half of the batch, nothing for the other.

        ψ_i = exp(A_i/η) / Σ_{j in the better half} exp(A_j/η)

    Args:
        advantage: A = R - V(x), one number a response, [B]. Of an odd number the better half is the smaller.
        temperature: η > 0; small ones listen to the very best alone.

    Returns: [B], no gradient; they sum to 1. Raises: ValueError if there are fewer than 2 responses.
    Source: Song et al. 2020, arXiv:1909.12238, Eq. 4; used by arXiv:2308.08998 as BVMPO.
    """
    scaled, top = _better_half(advantage, temperature)
    weight = torch.zeros_like(advantage)
    weight[top] = scaled.softmax(0).to(weight)
    return weight.detach()


def vmpo_temperature(advantage: Tensor, temperature: Tensor, epsilon: float = 0.01) -> Tensor:
    """What the temperature is learned by: the weights may differ from even ones by ε nats.

        L = η ε + η · log( 1/|top| Σ_{i in top} exp(A_i/η) )

    Args: advantage: [B], no gradient flows into it. temperature: η > 0, a scalar that learns. epsilon: ε, nats.
    Returns: a scalar. Source: arXiv:1909.12238, Eq. 5; the form of rlax.vmpo_compute_weights_and_temperature_loss.
    """
    scaled, top = _better_half(advantage.detach(), temperature)
    return temperature * epsilon + temperature * (scaled.logsumexp(0) - torch.tensor(float(len(top))).log())


def behaviour_vmpo(logprob: Tensor, weight: Tensor, mask: Tensor, anchor: float = 0.0) -> Tensor:
    """BVMPO's policy loss: weighted imitation of whole responses, held near the policy that wrote them.

        L = - Σ_i ψ_i log π(y_i|x_i)  -  λ · mean over responses of log π(y_i|x_i)

    The second term is λ · KL(π_behaviour || π) but for a constant: the responses are the behaviour policy's own, so
    that KL's estimate is the mean of log π_behaviour - log π, and its gradient is that of imitation. ReST lets λ fall
    from 1 to 1e-5.

    Args:
        logprob: of each response token now, [B, T] nats.
        weight: ψ, from `vmpo_weights`, [B].
        mask: True on response tokens, [B, T].
        anchor: λ.

    Returns: a scalar, nats. Raises: ValueError if no token is marked or λ is negative.
    Source: arXiv:2308.08998, section 4, which names the parts; how they are joined is our reading.
    """
    if anchor < 0:
        raise ValueError(f"anchor is {anchor}; it must not be negative.")
    whole = masked_sum(logprob, mask)                                               # [B]
    return -(weight.detach() * whole).sum() - anchor * whole.mean()


def offline_actor_critic(logprob: Tensor, reward: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """OAC: a policy gradient on old responses, with a critic of the policy that wrote them and no correction.

        L = - mean over tokens of sg[R - V(s_t)] · log π(y_t)

    Args:
        logprob: of each response token now, [B, T] nats.
        reward: R, one number a response, [B].
        value: V before each token, learnt on the behaviour's responses, [B, T].
        mask: True on response tokens, [B, T].

    Returns: a scalar; where advantages are negative it is unbounded below, so a small learning rate and few updates are
        part of the method. Raises: ValueError if no token is marked.
    Source: arXiv:2308.08998, section 4, which names it; written out from that and from Mathieu et al. 2021.
    """
    advantage = (reward[:, None] - keep(value, mask)).detach()
    return -masked_mean(keep(advantage, mask) * keep(logprob, mask), mask)


def _better_half(advantage: Tensor, temperature: Tensor | float) -> tuple[Tensor, Tensor]:
    """A/η of the better half of the batch, and which rows these are."""
    if advantage.dim() != 1 or len(advantage) < 2:
        raise ValueError(f"advantage has shape {tuple(advantage.shape)}; expected [B] with at least 2 responses, of "
                         f"which the better half is taken.")
    eta = torch.as_tensor(temperature).detach().item()
    if not eta > 0:
        raise ValueError(f"the temperature is {eta}; it must be above 0.")
    best = advantage.topk(len(advantage) // 2)
    return best.values / temperature, best.indices


def _some(reward: Tensor) -> Tensor:
    if not reward.numel():
        raise ValueError("there are no rewards; a threshold needs at least one.")
    return reward
