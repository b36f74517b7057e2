"""The right answers of lesson 04a, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.formulas import best_of_n as formulas


def draws_needed(p: float, q: float) -> int:
    """The least n with 1 - (1 - p)^n >= q; -1 if there is none."""
    if p <= 0:
        return -1
    if p >= q:
        return 1
    n = max(math.floor(math.log1p(-q) / math.log1p(-p)), 1)
    while 1 - (1 - p) ** n < q:
        n += 1
    return n


def best_law(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    """(F^n - F⁻^n) π / (F - F⁻), [V]: the law of the best of n draws; equal rewards share in proportion to π."""
    return formulas.best_of_n(probability, reward, n)


def kl_and_bound(law: Tensor, probability: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(KL(law, π) in nats, log n - (n - 1)/n); an outcome that is never drawn adds 0."""
    return kl(law, probability), formulas.kl_bound(n)


def best_of_every_n(proxy: Tensor, value: Tensor) -> Tensor:
    """[B, N]: column n - 1 is the expected value of the best of n, over all choices of n of a row's N draws."""
    return formulas.expected_best(proxy, value)


def kl_estimate(n: int, logprob: Tensor) -> Tensor:
    """Beirami's estimate of KL(π_n, π) from the log-probability of each chosen response, [B] nats."""
    return formulas.kl_estimate(n, logprob.double().exp())


def choose_n(gold: list[float], error: list[float], budget: int) -> int:
    """The least n within the budget whose gold is no more than one standard error of the best n below the best n's."""
    within = gold[:budget]
    best = within.index(max(within))
    return 1 + next(i for i, worth in enumerate(within) if worth >= within[best] - error[best])


def kl(law: Tensor, probability: Tensor) -> Tensor:
    return torch.where(law > 0, law * (law.clamp(min=1e-300) / probability.clamp(min=1e-300)).log(), 0.0).sum()
