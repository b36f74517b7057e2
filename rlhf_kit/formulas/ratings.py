"""From who beat whom to how strong everybody is: Bradley-Terry with a prior, its interval, and Elo.

Strengths are in nats: a lead of s wins with probability σ(s). `as_elo` turns them into the points of chess.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROUNDS = 1000                       # of the iteration, at most; ten are usual
STILL = 1e-10                       # nats: the iteration has arrived when nobody would move further
ELO_POINTS = 400 / math.log(10)     # per nat


def win_matrix(first: Tensor, second: Tensor, outcome: Tensor, n: int) -> Tensor:
    """Games as a table.

    Args: first, second: who played, [N] numbers below n. outcome: what the first got, [N]: 1, 0, or 0.5 for a tie.
    Returns: [n, n] float64; row i, column j: how often i beat j.
    """
    wins, outcome = torch.zeros(n, n, dtype=torch.float64), outcome.to(torch.float64)
    wins.index_put_((first, second), outcome, accumulate=True)
    wins.index_put_((second, first), 1 - outcome, accumulate=True)
    return wins


def bradley_terry(wins: Tensor, prior: float = 0.5) -> Tensor:
    """The strengths that make these games most likely.

        P(i beats j) = σ(θ_i - θ_j),   Σ θ = 0;   by   e^θ_i ← W_i / Σ_j n_ij / (e^θ_i + e^θ_j)

    W_i are i's wins, n_ij the games of i and j. The iteration climbs surely but slowly where two groups hardly met;
    Newton's step is taken in its place wherever it climbs higher. The prior adds that many wins in both
    directions to every pair: who won 10 of 10 stays finite, at ±½ ln(10.5/0.5) = ±1.52, and those who never met can
    be compared.

    Args:
        wins: [..., M, M]; row i, column j: how often i beat j, a tie half a win for each. The diagonal is ignored.
        prior: imagined wins, in games; 0 is maximum likelihood.

    Returns: θ, [..., M] nats, float64.
    Raises: ValueError if wins are no square table of numbers from 0 on, the prior is negative, or nothing finite
        fits: without a prior everybody must have beaten everybody else, if only over a chain of others.
    Source: Hunter 2004, doi:10.1214/aos/1079120141, Eq. 3 (the iteration) and Assumption 1 (the chain).
    """
    m = wins.shape[-1]
    if wins.dim() < 2 or wins.shape[-2] != m or m < 2 or not (wins.isfinite() & (wins >= 0)).all():
        raise ValueError(f"wins have shape {tuple(wins.shape)}; expected [M, M], at least 2 players, finite numbers "
                         f"from 0 on.")
    if not 0 <= prior < math.inf:
        raise ValueError(f"prior is {prior}; expected a number of imagined wins from 0 on. Try 0.5.")
    others = 1 - torch.eye(m, dtype=torch.float64)
    wins = (wins.to(torch.float64) + prior) * others
    if not _everybody_reaches_everybody(wins):
        raise ValueError("somebody never lost, or never met the others even over a chain, so no finite strengths fit. "
                         "Give a prior, such as 0.5.")
    won, games = wins.sum(-1), wins + wins.mT
    strength = torch.zeros(wins.shape[:-1], dtype=torch.float64)
    for _ in range(ROUNDS):
        gap = strength.unsqueeze(-1) - strength.unsqueeze(-2)
        hunter = strength + (won / (games * torch.sigmoid(gap)).sum(-1)).log()          # never a step back
        flow = games * torch.sigmoid(gap) * torch.sigmoid(-gap)
        curvature = torch.diag_embed(flow.sum(-1)) - flow + 1 / m                       # 1/m: Σ θ stays 0
        step = torch.linalg.solve(curvature, won - (games * torch.sigmoid(gap)).sum(-1))
        if step.abs().max() < STILL:
            break
        newton, hunter = strength + step, hunter - hunter.mean(-1, keepdim=True)
        better = _likelihood(newton, wins) >= _likelihood(hunter, wins) * (1 + 1e-12)   # both are negative
        strength = torch.where(better.unsqueeze(-1), newton, hunter)
    return strength


def bradley_terry_interval(wins: Tensor, prior: float = 0.5, draws: int = 500, level: float = 0.95,
                           seed: int = 0) -> tuple[Tensor, Tensor]:
    """Where the strengths would lie with other annotators of the same kind: a bootstrap over annotators.

    Votes of one person go together, so whole persons are drawn, with replacement; the interval runs between
    percentiles of the strengths. With few annotators it is too narrow.

    Args: wins: [A, M, M], a table for each annotator. prior: as in `bradley_terry`. draws: imagined classes.
    Returns: low and high, [M] nats each.
    Raises: ValueError for fewer than 2 annotators: one person says nothing about another.
    Source: Efron 1979, doi:10.1214/aos/1176344552, with the annotator as the unit.
    """
    if wins.dim() != 3 or len(wins) < 2:
        raise ValueError(f"wins have shape {tuple(wins.shape)}; expected [annotators, M, M], at least 2 annotators.")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(wins), (draws, len(wins)), generator=generator)
    times = torch.nn.functional.one_hot(drawn, len(wins)).sum(1).to(torch.float64)     # [draws, A]
    strength = bradley_terry(torch.einsum("da,aij->dij", times, wins.to(torch.float64)), prior)
    low, high = strength.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64), dim=0)
    return low, high


def elo(first: Tensor, second: Tensor, outcome: Tensor, n: int, k: float = 32.0, start: float = 1500.0) -> Tensor:
    """Points after each game in turn, as in chess.

        R_first += k·(outcome - p),   R_second -= k·(outcome - p),   p = 1 / (1 + 10^((R_second - R_first)/400))

    It forgets slowly and depends on the order: the same games played the other way round end elsewhere. For votes,
    which have no order, `bradley_terry` is right; this shows the difference.

    Args:
        first, second: who played, [N] numbers below n, in the order of the games.
        outcome: what the first got, [N]: 1, 0, or 0.5 for a tie.
        k: points that move in a game at most.

    Returns: [n] points, float64. Source: Elo 1978, "The Rating of Chessplayers", section 1.6.
    """
    points = [start] * n
    for i, j, won in zip(first.tolist(), second.tolist(), outcome.tolist(), strict=True):
        surprise = k * (won - 1 / (1 + 10 ** ((points[j] - points[i]) / 400)))
        points[i] += surprise
        points[j] -= surprise
    return torch.tensor(points, dtype=torch.float64)


def as_elo(strength: Tensor, start: float = 1500.0) -> Tensor:
    """Nats as points of chess: start + 400·θ / ln 10, so that σ(θ) and Elo's p are the same."""
    return start + ELO_POINTS * strength


def _likelihood(strength: Tensor, wins: Tensor) -> Tensor:
    """ln P of these games, [...]."""
    return (wins * torch.nn.functional.logsigmoid(strength.unsqueeze(-1) - strength.unsqueeze(-2))).sum((-1, -2))


def _everybody_reaches_everybody(wins: Tensor) -> bool:
    """Whether a chain of wins leads from each to each, in every table."""
    reach = ((wins > 0) | torch.eye(wins.shape[-1], dtype=torch.bool)).to(torch.float64)
    for _ in range(wins.shape[-1].bit_length()):
        reach = (reach @ reach > 0).to(torch.float64)
    return bool((reach > 0).all())
