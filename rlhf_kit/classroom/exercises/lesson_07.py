"""Lesson 07, after PPO: the losses of DPO, IPO and KTO, the advantages of RLOO and GRPO, GRPO's loss, what teaches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_07 import MISTAKES
from rlhf_kit.classroom.exercises.right_07 import (
    dpo_loss,
    grpo_advantage,
    grpo_loss,
    ipo_loss,
    kto_loss,
    rloo_advantage,
    teaches,
)

NAN, INF = math.nan, math.inf
YES, NO = True, False


def _doubles(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _pairs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(chosen: Tensor, rejected: Tensor, about: str, beta: float = 0.1, smoothing: float = 0.0) -> Case:
        ref = -10 - torch.arange(len(chosen), dtype=torch.float64)
        return Case((ref + chosen, ref, ref - 3 + rejected, ref - 3, beta, smoothing), about, (0, 2))
    draw = lambda n: torch.randn(n, generator=g, dtype=torch.float64)                                # noqa: E731
    three, other = _doubles(2.0, -1.0, 0.5), _doubles(-1.0, 0.5, 0.5)
    return [case(0 * three, 0 * three, "the policy is the reference"), case(three, other, "three pairs"),
            case(three, other, "a tenth of the labels is wrong", 0.5, 0.1),
            case(_doubles(-3.0, -2.0), _doubles(-8.0, -4.0), "both have become rarer", 0.3),
            case(_doubles(900.0, 0.0), _doubles(-900.0, 0.0), "a pair that is very sure", 1.0),
            case(_doubles(-900.0, 1.0), _doubles(900.0, 0.0), "a pair that is very wrong", 1.0, 0.2),
            case(three[:1], other[:1], "one pair", 2.0, 0.3),
            *[case(2 * draw(n), 2 * draw(n), "random", beta, smoothing)
              for n, beta, smoothing in ((4, 0.2, 0.0), (6, 0.7, 0.15), (5, 0.05, 0.4))]]


def _of_tokens(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    chosen, rejected = torch.tensor([[1.0, 3.0, 0.5], [-0.5, 0.2, 0.1]]), torch.tensor([[0.5, -1.0], [0.4, 2.0]])
    marks, others = torch.tensor([[YES, YES, NO], [YES] * 3]), torch.tensor([[YES, YES], [YES, NO]])

    def case(beta: float, about: str, fill: float | None = None) -> Case:
        spoil = lambda x, m: x if fill is None else x.masked_fill(~m, fill)                          # noqa: E731
        return Case((spoil(chosen, marks), marks, spoil(rejected, others), others, beta), about, (0, 2))
    made = []
    for b, t, u, beta in ((3, 5, 4, 0.3), (5, 6, 8, 0.1)):
        lengths = torch.randint(1, t + 1, (b, 1), generator=g), torch.randint(1, u + 1, (b, 1), generator=g)
        made.append(Case((torch.randn(b, t, generator=g), torch.arange(t) < lengths[0],
                          torch.randn(b, u, generator=g), torch.arange(u) < lengths[1], beta), "random", (0, 2)))
    return [case(0.25, "responses of unequal length"), case(2.0, "a margin that is met early"),
            case(0.5, "NaN in the padding", NAN), case(0.1, "infinity in the padding", INF),
            Case((0 * chosen, marks, 0 * rejected, others, 0.25), "the policy is the reference", (0, 2)),
            Case((chosen + 9, marks, rejected - 9, others, 0.4), "a margin that is exceeded by far", (0, 2)),
            Case((chosen[:1, :1], marks[:1, :1], rejected[:1, :1], others[:1, :1], 0.3), "one token each", (0, 2)),
            *made]


def _called(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    ratio, good = torch.tensor([1.0, -1.0, 2.0, 0.5]), torch.tensor([YES, NO, NO, YES])

    def case(mismatched: list[float], about: str, beta: float = 0.5, weights: tuple[float, float] = (1.0, 1.0),
             good: Tensor = good, ratio: Tensor = ratio) -> Case:
        return Case((ratio, torch.tensor(mismatched), good, beta, *weights), about, (0, 1))
    away = [0.5, -0.2, 1.5, 0.2]
    return [case(away, "a policy that has drifted"), case([-1.0, -2.0, 0.5, 0.1], "the estimate is below 0"),
            case([0.0] * 4, "the policy is the reference", ratio=0 * ratio),
            case(away, "good responses weigh more", 0.2, (1.5, 1.0)),
            case(away, "bad responses weigh more", 1.0, (0.5, 2.0)),
            case(away, "all are good", good=torch.ones(4, dtype=torch.bool)),
            case(away, "all are bad", good=torch.zeros(4, dtype=torch.bool), weights=(1.0, 1.2)),
            case(away, "a hopeless response", 1.0, ratio=torch.tensor([-60.0, 60.0, 0.0, 1.0])),
            case([6.0, 4.0, 5.0, 9.0], "a policy that has drifted far", 0.1),
            *[Case((torch.randn(n, generator=g), torch.randn(n, generator=g) + 0.3, torch.rand(n, generator=g) < 0.6,
                    0.4, 1.1, 0.8), "random", (0, 1)) for n in (5, 8)]]


def _rewarded(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    score, kl = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.2, 0.4]), torch.tensor([2.0, 1.0, -0.5, 3.0, 0.0, 1.0])
    return [Case((score, 0 * kl, 0.1, 3), "nothing has drifted yet"), Case((score, kl, 0.1, 3), "two groups of three"),
            Case((score, kl, 0.5, 2), "three groups of two"), Case((score, kl, 0.0, 6), "drifting costs nothing"),
            Case((torch.full((4,), 0.3), torch.zeros(4), 0.1, 4), "all scored alike"),
            Case((torch.full((4,), 1.0), torch.tensor([0.0, 1.0, 2.0, 3.0]), 0.2, 2), "they differ in drift only"),
            Case((torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.zeros(4), 0.1, 2), "an easy question and a hard one"),
            Case((-5 * score - 3, kl, 0.3, 3), "scores below 0"),
            *[Case((torch.randn(n, generator=g), torch.randn(n, generator=g).abs(), 0.15, size), "random")
              for n, size in ((8, 4), (12, 3))]]


def _scored(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    score = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.2, 0.9])
    hard = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    tied = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    return [Case((score, 3, YES), "two groups of three"), Case((score, 3, NO), "two groups of three, not scaled"),
            Case((score, 2, YES), "three groups of two"), Case((hard, 8, YES), "a hard question and an easier one"),
            Case((hard, 8, NO), "a hard question and an easier one, not scaled"),
            Case((tied, 3, YES), "groups that scored alike"),
            Case((tied, 3, NO), "groups that scored alike, not scaled"),
            Case((0.001 * score, 3, YES), "scores that hardly differ"),
            Case((100 * score - 40, 6, YES), "large scores"),
            *[Case((torch.randn(n, generator=g), size, scale), "random")
              for n, size, scale in ((8, 4, YES), (12, 3, NO), (10, 5, YES))]]


def _responses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    old = torch.tensor([[-1.0, -2.0, -0.5, -1.2], [-0.3, -1.5, -1.0, -0.7]])
    away, drift = torch.tensor([[0.4, -0.5, 0.1, 0.0], [0.5, -0.6, 0.3, 0.1]]), torch.tensor([[0.5, -0.3, 0.0, 1.0]])
    mask, advantage = torch.tensor([[YES] * 4, [YES, YES, NO, NO]]), torch.tensor([1.2, -0.8])

    def case(about: str, clip: float = 0.2, beta: float = 0.1, fill: float | None = None, away: Tensor = away,
             advantage: Tensor = advantage) -> Case:
        spoil = lambda x: x if fill is None else x.masked_fill(~mask, fill)                          # noqa: E731
        now = old + away
        return Case((spoil(now), spoil(old), spoil(now + drift), advantage, mask, clip, beta), about, (0,))
    made = []
    for b, t, clip, beta in ((4, 5, 0.2, 0.04), (3, 7, 0.1, 0.5)):
        marks = torch.arange(t) < torch.randint(1, t + 1, (b, 1), generator=g)
        x, y, z = (torch.randn(b, t, generator=g) for _ in range(3))
        made.append(Case((-1.5 + 0.3 * x, -1.5 + 0.3 * y, -1.5 + 0.5 * z, torch.randn(b, generator=g), marks, clip,
                          beta), "random", (0,)))
    return [case("nothing has moved yet", away=0 * away), case("a policy that has moved"),
            case("no KL penalty", beta=0.0), case("a high KL penalty", beta=2.0), case("a narrow clip", 0.05),
            case("a wide clip", 0.9), case("better than expected", advantage=torch.tensor([1.0, 0.5])),
            case("worse than expected", advantage=torch.tensor([-1.0, -0.5])),
            case("advantages of 0", advantage=torch.zeros(2)), case("NaN in the padding", fill=NAN),
            case("-inf in the padding", fill=-INF), *made]


def _solved(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((_doubles(0.0, 0.5, 1.0), 4), "never, half the time, always"),
            Case((_doubles(0.1, 0.9), 2), "two answers"), Case((_doubles(0.01, 0.05, 0.2), 8), "hard questions"),
            Case((_doubles(0.99, 0.95, 0.8), 8), "easy questions"), Case((_doubles(0.3), 64), "64 draws"),
            *[Case((torch.rand(5, generator=g, dtype=torch.float64), size), "random") for size in (3, 5)]]


_NOW = torch.tensor([[-1.0, -2.0]])

EXERCISES = (
    Exercise("7.1", "dpo_loss", ("chosen", "ref_chosen", "rejected", "ref_rejected", "beta", "smoothing"), dpo_loss,
             Case((_doubles(-10.0), _doubles(-11.0), _doubles(-14.0), _doubles(-13.0), 0.1, 0.1), gradient=(0, 2)),
             _pairs, MISTAKES["7.1"], points=3),
    Exercise("7.2", "ipo_loss", ("chosen", "chosen_mask", "rejected", "rejected_mask", "beta"), ipo_loss,
             Case((torch.tensor([[1.0, 3.0, 9.0]]), torch.tensor([[YES, YES, NO]]), torch.tensor([[0.5, 0.5, 0.5]]),
                   torch.tensor([[YES] * 3]), 0.25), gradient=(0, 2)), _of_tokens, MISTAKES["7.2"], points=2),
    Exercise("7.3", "kto_loss", ("ratio", "mismatched", "good", "beta", "good_weight", "bad_weight"), kto_loss,
             Case((torch.tensor([1.0, -1.0]), torch.tensor([0.5, -0.1]), torch.tensor([YES, NO]), 0.5, 1.0, 1.0),
                  gradient=(0, 1)), _called, MISTAKES["7.3"], points=3),
    Exercise("7.4", "rloo_advantage", ("score", "kl", "beta", "group"), rloo_advantage,
             Case((torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([2.0, 0.0, 0.0, 0.0]), 0.1, 4)), _rewarded,
             MISTAKES["7.4"], points=2),
    Exercise("7.5", "grpo_advantage", ("score", "group", "scale"), grpo_advantage,
             Case((torch.tensor([1.0, 0.0, 0.0, 1.0]), 4, YES)), _scored, MISTAKES["7.5"], points=2),
    Exercise("7.6", "grpo_loss", ("logprob", "old_logprob", "ref_logprob", "advantage", "mask", "clip", "beta"),
             grpo_loss,
             Case((_NOW, _NOW - torch.tensor([[math.log(1.5), 0.0]]), _NOW + torch.tensor([[0.0, math.log(2)]]),
                   torch.tensor([1.0]), torch.tensor([[YES, YES]]), 0.2, 0.1), gradient=(0,)),
             _responses, MISTAKES["7.6"], points=4),
    Exercise("7.7", "teaches", ("p", "group"), teaches, Case((_doubles(0.5, 0.1), 2)), _solved, MISTAKES["7.7"]),
)
