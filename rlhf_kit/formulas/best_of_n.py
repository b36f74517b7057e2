"""Best-of-n, exactly: what the best of n draws is distributed like, how far that is from one draw, what it is worth.

Best-of-n draws n responses and keeps the one that a reward likes best. Nothing is trained, so its law can be written
down. Here n draws are made with replacement, which is what a language model does.
"""

from __future__ import annotations

import torch
from torch import Tensor


def best_of_n(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    """The law of the best of n draws from a finite law; among equally good draws the first one drawn is kept.

        π_n(y) = (F(y)^n - F⁻(y)^n) · π(y) / (F(y) - F⁻(y)),
        F(y) = P(reward <= reward of y),  F⁻(y) = P(reward < reward of y)

    The first factor is the probability that the best reward is the one of y; the second shares it out among the
    outcomes that tie there, in proportion to π. What π never draws, π_n never draws: best-of-n stays on its support.

    Args:
        probability: π, one number an outcome, which sum to 1, [V].
        reward: what each outcome is worth, [V]; equal numbers tie.
        n: draws, at least 1; 1 gives π.

    Returns: π_n, [V] float64. Raises: ValueError if shapes differ, π is no law, a reward is no number, or n < 1.
    Source: Beirami et al. 2024, arXiv:2401.01879, Lemma 1 (which breaks ties by a fixed order instead).
    """
    _check_n(n)
    probability, reward = probability.double(), reward.double()
    if probability.shape != reward.shape or probability.dim() != 1 or not probability.numel():
        raise ValueError(f"probability has shape {tuple(probability.shape)} and reward {tuple(reward.shape)}; expected "
                         f"the same [V], one number an outcome.")
    if (probability < 0).any() or not torch.isclose(probability.sum(), probability.new_ones(()), rtol=0, atol=1e-6):
        raise ValueError(f"the probabilities sum to {probability.sum().item():.6g} and the least is "
                         f"{probability.min().item():.3g}; expected none below 0, and the sum 1.")
    if reward.isnan().any():
        raise ValueError("a reward is NaN, so there is no best. Give every outcome a number.")
    _, level = reward.unique(return_inverse=True)                                   # sorted: 0 = the worst
    at = torch.zeros(int(level.max()) + 1, dtype=torch.float64).index_add(0, level, probability)
    up_to = at.cumsum(0).clamp(max=1.0)
    won = up_to**n - torch.cat([up_to.new_zeros(1), up_to[:-1]])**n                 # P(the best reward is this one)
    return torch.where(probability > 0, won[level] * probability / at[level].clamp(min=1e-300), 0.0)


def kl_bound(n: Tensor | int) -> Tensor:
    """How far best-of-n is from one draw at most: KL(π_n, π) <= log n - (n - 1)/n, nats.

    Widely quoted as the KL itself, which it is only where no two draws can tie, as for a continuous reward. On a finite
    support the KL stops growing: at -log of the probability of what is best.

    Args: n: draws, one number or a tensor of them. Returns: the same shape, float64. Raises: ValueError if n < 1.
    Source: Stiennon et al. 2020, arXiv:2009.01325, appendix G.3, as the KL; that it is a bound: Beirami et al. 2024,
        arXiv:2401.01879, Theorem 1.
    """
    n = torch.as_tensor(n, dtype=torch.float64)
    if (n < 1).any():
        raise ValueError(f"n is {n.min().item():g}; the best of n draws needs at least 1.")
    return n.log() - (n - 1) / n


def kl_estimate(n: Tensor | int, probability: Tensor) -> Tensor:
    """KL(π_n, π) from the probability ε of the response that was chosen, nats: sharper than `kl_bound`.

        (1-ε)^n · (log n + (n-1) log(1-ε) - (n-1)/n)  +  (1 - (1-ε)^n) · log((1 - (1-ε)^n) / ε)

    Where ε is far below 1/n this is `kl_bound`; where it is far above, -log ε. Averaged over prompts it is an estimate
    of their mean KL.

    Args:
        n: draws, one number or a tensor.
        probability: ε = π(the chosen response), above 0 and at most 1; shapes broadcast.

    Returns: float64, never above `kl_bound`, never below 0. Raises: ValueError if n < 1 or ε lies outside (0, 1].
    Source: Beirami et al. 2024, arXiv:2401.01879, section 5.
    """
    bound = kl_bound(n)
    n, rare = torch.as_tensor(n, dtype=torch.float64), torch.as_tensor(probability, dtype=torch.float64)
    if not ((rare > 0) & (rare <= 1)).all():
        raise ValueError("the probability of a chosen response must be above 0 and at most 1; exponentiate the "
                         "log-probability of the whole response.")
    missed = (n * torch.log1p(-rare)).exp()                                         # (1-ε)^n: it was never drawn
    drawn = -torch.expm1(n * torch.log1p(-rare))
    often = drawn * (drawn.log() - rare.log())
    seldom = torch.where(missed > 0, missed * (n.log() + (n - 1) * torch.log1p(-rare) - (n - 1) / n), 0.0)
    return torch.minimum((seldom + often).clamp(min=0.0), bound)


def expected_best(proxy: Tensor, value: Tensor | None = None) -> Tensor:
    """What the best of n is worth on average, for every n from 1 to N at once, from one set of N draws. Unbiased.

        E[value of the best of n] = Σ_{i=n}^{N} C(i-1, n-1) / C(N, n) · value_(i),
        value_(i) = the value of the draw with the i-th smallest proxy

    All C(N, n) choices of n of the draws are averaged, without listing them. Draws that tie in the proxy share their
    values, as if the tie were broken by chance.

    Args:
        proxy: the reward that chooses, one number a draw, [..., N]; leading dimensions are prompts.
        value: what is asked about, such as gold, of the same shape; None = the proxy itself.

    Returns: [..., N] float64; entry n - 1 is the best of n. Raises: ValueError if shapes differ or there is no draw.
    Source: Nakano et al. 2021, arXiv:2112.09332, appendix I.
    """
    value = proxy if value is None else value
    if proxy.shape != value.shape or proxy.dim() == 0 or proxy.shape[-1] == 0:
        raise ValueError(f"proxy has shape {tuple(proxy.shape)} and value {tuple(value.shape)}; expected the same "
                         f"[..., N], with at least one draw.")
    size = proxy.shape[-1]
    order = proxy.double().argsort(dim=-1, stable=True)
    sorted_proxy, sorted_value = proxy.double().gather(-1, order), value.double().gather(-1, order)
    return _ties_shared(sorted_proxy, sorted_value) @ _weights(size).to(sorted_value)


def _ties_shared(proxy: Tensor, value: Tensor) -> Tensor:
    """Each value's mean over the draws whose proxy is the same, [..., N], of sorted draws."""
    new = torch.ones_like(proxy, dtype=torch.bool)
    new[..., 1:] = proxy[..., 1:] != proxy[..., :-1]
    group = new.cumsum(-1) - 1                                                      # [..., N], 0 for the lowest tie
    total = torch.zeros_like(value).scatter_add(-1, group, value)
    many = torch.zeros_like(value).scatter_add(-1, group, torch.ones_like(value))
    return (total / many.clamp(min=1)).gather(-1, group)


def _weights(size: int) -> Tensor:
    """C(i-1, n-1) / C(N, n), [N, N] float64: row i - 1, column n - 1; every column sums to 1."""
    i = torch.arange(1, size + 1, dtype=torch.float64)[:, None]
    n = torch.arange(1, size + 1, dtype=torch.float64)[None]

    def log_choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.lgamma(a + 1) - torch.lgamma(b + 1) - torch.lgamma((a - b).clamp(min=0) + 1)

    log_weight = log_choose(i - 1, n - 1) - log_choose(torch.tensor(float(size), dtype=torch.float64), n)
    return torch.where(i >= n, log_weight.exp(), 0.0)


def _check_n(n: int) -> None:
    if n < 1:
        raise ValueError(f"n is {n}; the best of n draws needs at least 1.")
