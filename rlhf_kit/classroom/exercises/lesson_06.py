"""Lesson 06, when RLHF goes wrong: a fitted peak, ensembles, books that balance, credit, ends, pulls, a guard."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_06 import MISTAKES
from rlhf_kit.classroom.exercises.right_06 import (
    credit,
    ends_learnt,
    ensemble,
    fit_peak,
    guarded_step,
    kl_pulls,
    lost_on_the_way,
)

NAN, INF = math.nan, math.inf
YES, NO = True, False


def _measured(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(alpha: float, beta: float, rl: bool, about: str, noise: float = 0.02, n: int = 8) -> Case:
        d = torch.linspace(0.3, 2.6, n, dtype=torch.float64)
        gold = d * (alpha - beta * (d.log() if rl else d))
        return Case((d, gold + noise * torch.randn(n, generator=g, dtype=torch.float64), rl), about)
    d = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    return [case(0.6, 0.2, NO, "best-of-n, measured with some noise"),
            case(0.6, 0.2, YES, "RL, measured with some noise"),
            Case((d, d * (0.5 + 0.1 * d), NO), "it never turns down"),
            Case((d, d * (0.5 + 0.1 * d.log()), YES), "RL, and it never turns down"),
            Case((d, d * (-0.2 - 0.3 * d), NO), "it falls from the start"),
            Case((d, d * (-0.2 - 0.3 * d.log()), YES), "RL, and it soon falls"),
            case(0.9, 0.12, NO, "the peak lies beyond the points"),
            Case((20 * d, 20 * d * (0.5 - 0.004 * 20 * d), NO), "a small β, and it turns down"),
            Case((d.flip(0), (d * (0.6 - 0.25 * d)).flip(0) + 0.01 * torch.tensor([1.0, -1.0, 1.0, 0.0]), NO),
                 "the points are not in order"),
            case(0.4, 0.3, NO, "three points", 0.03, 3), case(0.7, 0.25, YES, "random", 0.05, 12),
            case(0.5, 0.15, NO, "random", 0.05, 20)]


def _opinions(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    two = torch.tensor([[1.0, 5.0, -2.0, 0.0], [3.0, 5.0, 2.0, -1.0], [2.0, 5.0, 0.5, 4.0]])
    return [Case((two, 0.5), "three members, four responses"), Case((two, 0.0), "caution costs nothing"),
            Case((two[:1], 0.7), "one member"), Case((two[:2], 2.0), "two members"),
            Case((-two - 3, 0.1), "scores below 0"), Case((two.T.contiguous(), 0.25), "more members than responses"),
            Case((torch.full((4, 3), 0.3), 1.0), "all agree"),
            *[Case((2 * torch.randn(k, n, generator=g), w), "random") for k, n, w in ((5, 7, 0.5), (4, 3, 0.1))]]


def _books(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    now = torch.tensor([[-1.0, -2.0, -0.5, -0.2], [-0.3, -1.5, -1.0, -0.7]])
    ref = torch.tensor([[-1.2, -1.5, -0.5, -2.0], [-1.3, -1.0, -1.4, -0.7]])
    mask = torch.tensor([[YES, YES, YES, YES], [YES, YES, NO, NO]])
    score = torch.tensor([2.0, 1.5])

    def paid(score: Tensor, now: Tensor, ref: Tensor, mask: Tensor, beta: float, at_end: bool = False,
             sign: int = 1) -> Tensor:
        """What tokens are given, the score at their own end or in the last column."""
        reward = torch.where(mask, -sign * beta * (now - ref), 0.0)
        place = mask.shape[1] - 1 if at_end else mask.sum(1) - 1
        reward[torch.arange(len(score)), place] += score
        return reward

    def case(beta: float, about: str, fill: float | None = None, **how: object) -> Case:
        reward = paid(score, now, ref, mask, beta, **how)
        spoil = lambda x: x if fill is None else x.masked_fill(~mask, fill)                          # noqa: E731
        return Case((score, spoil(reward), spoil(now), spoil(ref), mask, beta), about)
    made = []
    for b, t, beta in ((4, 6, 0.1), (3, 5, 0.3)):
        marks = torch.arange(t) < torch.randint(1, t + 1, (b, 1), generator=g)
        marks[0] = True
        x, y, z = (torch.randn(b, t, generator=g) for _ in range(3))
        made.append(Case((torch.randn(b, generator=g), z, -x.abs(), -y.abs(), marks, beta), "random"))
    return [case(0.1, "the books balance"), case(0.0, "drifting costs nothing"),
            case(0.1, "the score went to the last column", at_end=True),
            case(0.5, "drifting was paid for", sign=-1), case(0.1, "NaN in the padding", NAN),
            case(0.2, "infinity in the padding", INF),
            Case((score, 2 * paid(score, now, ref, mask, 0.1), now, ref, mask, 0.1), "twice as much arrived as is due"),
            Case((score, torch.zeros_like(now), now, ref, mask, 0.1), "nothing arrived"),
            Case((score, paid(score - 0.004, now, ref, mask, 0.1), now, ref, mask, 0.1), "a little was lost"),
            Case((score[:1], torch.tensor([[1.75]]), now[:1, :1], ref[:1, :1], mask[:1, :1], 0.3), "one token"), *made]


def _batches(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    advantage = torch.tensor([[1.0, -1.0, 0.5, 0.2], [2.0, 2.5, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0],
                              [-2.0, -0.5, -1.0, 0.0]])
    mask = torch.tensor([[YES] * 4, [YES, YES, NO, NO], [YES, NO, NO, NO], [YES, YES, YES, NO]])
    score = torch.tensor([0.6, 0.9, 0.2, 0.1])
    alone = torch.stack([torch.where(m, a - a[m].mean(), 0.0) for a, m in zip(advantage, mask, strict=True)])
    made = []
    for b, t in ((6, 5), (9, 7)):
        marks = torch.arange(t) < torch.randint(1, t + 1, (b, 1), generator=g)
        marks[0], marks[1] = True, torch.arange(t) < 1
        a = torch.randn(b, t, generator=g)
        s = torch.where(marks, a, 0.0).sum(1) / marks.sum(1) + torch.randn(b, generator=g)
        made.append(Case((a + 5 * ~marks, marks, s + 2), "random"))
    return [Case((advantage, mask, score), "learning follows the score"),
            Case((advantage, mask, 1 - score), "it follows the opposite"),
            Case((alone, mask, score), "each response was centred on its own"),
            Case((advantage, mask, torch.full((4,), 0.7)), "all scored alike"),
            Case((torch.ones(3, 2), torch.ones(3, 2, dtype=torch.bool), torch.tensor([1.0, 2.0, 4.0])),
                 "all advantages are equal"),
            Case((advantage.masked_fill(~mask, NAN), mask, score), "NaN in the padding"),
            Case((advantage.masked_fill(~mask, INF), mask, score), "infinity in the padding"),
            Case((advantage[:2], mask[:2], score[:2]), "two responses"),
            Case((advantage + 3, mask, score + 2), "both far from 0"),
            Case((advantage, mask, 0.5 + score / 500), "scores that hardly differ"),
            Case((advantage.double(), mask, score.double()), "in double precision"), *made]


def _sampled(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    ids = torch.tensor([[5, 2, 2, 2], [7, 8, 9, 2], [4, 4, 4, 4], [2, 2, 2, 2]])
    right = torch.tensor([[YES, YES, NO, NO], [YES] * 4, [YES] * 4, [YES, NO, NO, NO]])
    as_padding = ids != 2
    made = []
    for b, t in ((6, 5), (8, 7)):
        drawn = torch.randint(0, 4, (b, t), generator=g)
        drawn[0], drawn[1, 0] = 1, 3
        made.append(Case((drawn, torch.rand(b, t, generator=g) < 0.6, 3), "random"))
    return [Case((ids, right, 2), "every end is learnt"), Case((ids, as_padding, 2), "the end is taken for padding"),
            Case((ids, torch.ones_like(right), 2), "the padding is marked as well"),
            Case((ids, right & ~torch.tensor([[NO, NO, NO, YES]]), 2), "one end is lost"),
            Case((ids[2:3], right[2:3], 2), "nothing ended"),
            Case((ids[2:3], torch.zeros(1, 4, dtype=torch.bool), 2), "nothing ended, nothing is marked"),
            Case((ids, torch.tensor([[NO, NO, YES, NO]] * 4), 2), "only what comes after an end is marked"),
            Case((ids.masked_fill(ids == 2, 0), right, 0), "the end is token 0"),
            Case((torch.tensor([[2], [3]]), torch.tensor([[YES], [YES]]), 2), "one token each"),
            Case((torch.tensor([[6, 2, 5, 5], [6, 6, 2, 5]]), torch.tensor([[YES, YES, NO, NO]] * 2), 2),
                 "padding that is another token"), *made]


def _laws(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    case = lambda p, q, about: Case((torch.tensor(p).double(), torch.tensor(q).double()), about)     # noqa: E731
    return [case([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "the policy is the reference"),
            case([5.0, 6.0, 4.5], [-2.0, -3.0, -1.0], "logits are no log-probabilities"),
            case([3.0, 0.0, 0.0], [0.0, 0.0, 0.0], "a policy that is surer"),
            case([0.0, 0.0, 0.0, 0.0], [4.0, 0.0, -2.0, 1.0], "a reference that is surer"),
            case([1.0, -1.0], [-1.0, 1.0], "two tokens, the opposite"),
            case([2.0, 1.0, 0.5], [3.0, 2.0, 1.5], "logits that differ by a constant: the same law"),
            case([0.7], [0.2], "a single token"),
            *[Case((torch.randn(v, generator=g).double(), 1.5 * torch.randn(v, generator=g).double()), "random")
              for v in (4, 7, 12)]]


def _minibatches(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    weight, gradient = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([2.0, -1.0, 2.0])
    old, mask = torch.full((2, 3), -2.0), torch.tensor([[YES, YES, YES], [YES, YES, NO]])

    def case(away: list[list[float]], about: str, pull: Tensor = gradient, rate: float = 0.5,
             most: float = 1.0) -> Case:
        return Case((weight, pull, old + torch.tensor(away), old, mask, rate, most), about)
    still, spoiled = [[0.0] * 3, [0.0] * 3], torch.tensor([1.0, NAN, 0.5])
    made = [Case((torch.randn(5, generator=g), 2 * torch.randn(5, generator=g), -torch.rand(3, 4, generator=g),
                  -torch.rand(3, 4, generator=g), torch.rand(3, 4, generator=g) < 0.8, 0.1, 0.8), "random")
            for _ in range(2)]
    return [case(still, "a gradient that is cut"), case(still, "a gradient that is short enough", 0.1 * gradient),
            case(still, "a gradient of 0", 0 * gradient),
            case([[4.0, 4.0, 4.0], [4.0, 4.0, 0.0]], "the policy has jumped"),
            case([[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]], "two tokens have jumped, and the mean is above 10"),
            case([[3.5, 0.0, 0.0], [0.0, 0.0, 0.0]], "one token has jumped, and the mean is below 10"),
            case([[0.0, 0.0, 0.0], [3.1, 3.1, 0.0]], "the short response has jumped, and the mean is below 10"),
            case([[2.2, 2.2, 2.2], [2.2, 2.2, 0.0]], "just below the limit"),
            case([[2.45, 2.45, 2.45], [2.45, 2.45, 0.0]], "just above the limit"),
            case([[-5.0, -5.0, -5.0], [-5.0, -5.0, 0.0]], "tokens that became rare"),
            case([[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]], "a jump in the padding"),
            case([[0.0, 0.0, 0.0], [0.0, 0.0, NAN]], "NaN in the padding"),
            case([[0.0, NAN, 0.0], [0.0, 0.0, 0.0]], "a log-probability is NaN"),
            case([[800.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "a ratio beyond all numbers"),
            case(still, "NaN in the gradient", spoiled),
            case(still, "infinity in the gradient", torch.tensor([INF, 0.0, 1.0])),
            Case((weight, gradient, old + torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]]), old,
                  torch.tensor([[YES, NO, YES], [YES, YES, NO]]), 0.5, 1.0), "a jump in a hole of the mask"),
            case([[0.1, -0.2, 0.3], [0.0, 0.2, 5.0]], "another rate and norm", rate=0.1, most=2.5), *made]


EXERCISES = (
    Exercise("6.1", "fit_peak", ("distance", "gold", "rl"), fit_peak,
             Case((torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64), torch.tensor([0.5, 0.8, 0.8],
                                                                                    dtype=torch.float64), NO)),
             _measured, MISTAKES["6.1"], points=3, tolerance=1e-4, results=("alpha", "beta", "peak")),
    Exercise("6.2", "ensemble", ("score", "weight"), ensemble,
             Case((torch.tensor([[1.0], [1.2], [2.6]]), 0.5)), _opinions, MISTAKES["6.2"], points=2,
             results=("mean", "worst", "cautious")),
    Exercise("6.3", "lost_on_the_way", ("score", "token_reward", "logprob", "ref_logprob", "mask", "beta"),
             lost_on_the_way,
             Case((torch.tensor([2.0, 1.0]), torch.tensor([[-0.02, 0.05, 2.0], [0.0, 0.0, 1.0]]),
                   torch.tensor([[-1.0, -2.0, -0.5], [-1.0, -1.0, 0.0]]),
                   torch.tensor([[-1.2, -1.5, -0.5], [-1.0, -1.0, 0.0]]),
                   torch.tensor([[YES, YES, YES], [YES, YES, NO]]), 0.1)), _books, MISTAKES["6.3"], points=2),
    Exercise("6.4", "credit", ("advantage", "mask", "score"), credit,
             Case((torch.tensor([[1.0, -1.0, 9.0], [2.0, 2.0, 2.0], [0.0, -3.0, 9.0]]),
                   torch.tensor([[YES, YES, NO], [YES, YES, YES], [YES, YES, NO]]), torch.tensor([0.5, 1.0, 0.0]))),
             _batches, MISTAKES["6.4"], points=2),
    Exercise("6.5", "ends_learnt", ("ids", "mask", "eos"), ends_learnt,
             Case((torch.tensor([[5, 2, 2], [7, 8, 2], [4, 4, 4]]),
                   torch.tensor([[YES, YES, NO], [YES, YES, NO], [YES, YES, YES]]), 2)), _sampled, MISTAKES["6.5"],
             points=1),
    Exercise("6.6", "kl_pulls", ("logits", "ref_logits"), kl_pulls,
             Case((torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log(),
                   torch.tensor([0.25, 0.25, 0.5], dtype=torch.float64).log())), _laws, MISTAKES["6.6"], points=3,
             results=("k1", "k2", "k3")),
    Exercise("6.7", "guarded_step", ("weight", "gradient", "logprob", "old_logprob", "mask", "rate", "most"),
             guarded_step,
             Case((torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([[-1.0, -2.0]]),
                   torch.tensor([[-1.0, -2.0]]), torch.tensor([[YES, YES]]), 0.5, 1.0)), _minibatches, MISTAKES["6.7"],
             points=2),
)
