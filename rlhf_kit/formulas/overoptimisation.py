"""Gao's two forms of how far gold rises and falls while a proxy is optimised: fitted, and their peaks."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Form = Literal["best-of-n", "rl"]


def gold_at(distance: Tensor, alpha: Tensor | float, beta: Tensor | float, form: Form) -> Tensor:
    """How far gold lies above its start at that distance.

        best-of-n:  R(d) = d · (α - β d)          rl:  R(d) = d · (α - β log d)          d = √KL(π, π_start)

    α is what optimising the proxy gives, β what over-optimising takes away. The second form has an infinite slope at 0
    and is not meant for the first steps.

    Args: distance: d >= 0, √nats, [...]. alpha, beta: numbers, or tensors that broadcast with it.
    Returns: [...] float64, in units of gold; 0 at d = 0. Raises: ValueError for another form or a negative distance.
    Source: Gao, Schulman and Hilton 2022, arXiv:2210.10760, section 3.1.
    """
    first, second = _columns(distance, form)
    return alpha * first - beta * second


def fit(distance: Tensor, gold: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """α and β of the form that lies nearest to measured gold, by least squares; many curves at once.

        minimise over α, β:   Σ_i (gold_i - R(d_i))²

    Both forms are linear in α and β, so the two normal equations solve it. There is no constant: R(0) = 0.

    Args:
        distance: d of each point, above 0, [..., N]; one row serves all where there are more rows of gold.
        gold: measured above the start, [..., N].

    Returns: (α, β), [...] float64. Raises: ValueError for shapes that do not broadcast, fewer than 2 different
        distances, a distance of 0 or below, or a number that is not finite.
    Source: Gao, Schulman and Hilton 2022, arXiv:2210.10760, section 3.1.
    """
    distance, gold = distance.double(), gold.double()
    try:
        distance, gold = torch.broadcast_tensors(distance, gold)
    except RuntimeError as error:
        raise ValueError(f"distance has shape {tuple(distance.shape)} and gold {tuple(gold.shape)}; expected the same "
                         f"[..., N].") from error
    if not gold.isfinite().all() or not distance.isfinite().all() or not (distance > 0).all():
        raise ValueError("a distance is not above 0, or a number is not finite; leave out the start, where both are 0.")
    first, second = _columns(distance, form)
    aa, ab, bb = (first * first).sum(-1), -(first * second).sum(-1), (second * second).sum(-1)
    determinant = aa * bb - ab * ab
    if not (determinant > 1e-12 * aa * bb).all():
        raise ValueError(f"{gold.shape[-1]} points do not tell α from β; give at least 2 different distances.")
    a, b = (first * gold).sum(-1), -(second * gold).sum(-1)
    return (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant


def peak(alpha: Tensor | float, beta: Tensor | float, form: Form) -> Tensor:
    """The distance at which a form is highest.

        best-of-n:  d* = α / 2β,  R(d*) = α² / 4β          rl:  d* = exp(α/β - 1),  R(d*) = β d*

    Args: alpha, beta: of the same shape, [...].
    Returns: √nats, [...] float64; infinite where β <= 0, since the curve never turns down, and 0 where a best-of-n
        falls from the start. Raises: ValueError for another form.
    Source: the zero of the derivative; arXiv:2210.10760, section 3.1.
    """
    _check(form)
    alpha, beta = torch.as_tensor(alpha, dtype=torch.float64), torch.as_tensor(beta, dtype=torch.float64)
    turns = beta > 0
    safe = torch.where(turns, beta, 1.0)
    found = (alpha / (2 * safe)).clamp(min=0) if form == "best-of-n" else (alpha / safe - 1).exp()
    return torch.where(turns, found, torch.inf)


def _columns(distance: Tensor, form: Form) -> tuple[Tensor, Tensor]:
    """What α multiplies, and what β takes away."""
    _check(form)
    d = torch.as_tensor(distance, dtype=torch.float64)
    if (d < 0).any():
        raise ValueError(f"a distance is {d.min().item():g}; a root of KL is 0 or more.")
    return d, d * d if form == "best-of-n" else torch.xlogy(d, d)


def _check(form: str) -> None:
    if form not in get_args(Form):
        raise ValueError(f"form is {form!r}; it is 'best-of-n' or 'rl'.")
