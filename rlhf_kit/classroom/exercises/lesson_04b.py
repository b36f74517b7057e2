"""Lesson 04b, ReST: what is kept, thresholds, Grows and Improves counted, losses on old responses, passes."""

from __future__ import annotations

import math

import torch

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_04b import MISTAKES
from rlhf_kit.classroom.exercises.right_04b import (
    bc_loss,
    gold_loss,
    improve_plan,
    kept_rows,
    rest_clock,
    two_thresholds,
)


def _sets(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    yes, no = True, False

    def case(reward: list[float], original: list[bool], threshold: float, about: str) -> Case:
        return Case((torch.tensor(reward, dtype=torch.float64), torch.tensor(original), threshold), about)
    made = [Case((torch.rand(n, generator=g), torch.rand(n, generator=g) < 0.3, threshold), "random")
            for n, threshold in ((6, 0.4), (9, 0.75), (12, 0.9))]
    nan, inf = math.nan, math.inf
    return [case([0.2, 0.75, 0.8], [no, no, no], 0.75, "exactly the threshold is not above it"),
            case([0.2, 0.5, 0.9], [yes, no, no], 0.6, "a poor original one"),
            case([nan, 0.5, 0.9, nan], [yes, no, no, yes], 0.6, "nobody scored the original ones"),
            case([-inf, 0.5, inf], [yes, no, yes], 0.9, "infinity where nobody asked"),
            case([0.1, 0.2, 0.3], [no, no, no], 0.5, "nothing is above it"),
            case([0.1, 0.2, 0.3], [yes, yes, yes], 0.5, "nothing was drawn"),
            case([0.95, 0.9, 0.99], [no, yes, no], 0.5, "everything is above it"),
            case([0.0, 0.5, -0.5], [no, no, no], 0.0, "a threshold of 0"),
            case([-3.0, -1.0, -2.0, 0.5], [no, no, yes, no], -1.5, "rewards below 0"),
            case([0.9, 0.1], [yes, yes], 0.9, "an original one exactly at the threshold"),
            case([0.75000001, 0.75, 0.74999999], [no, no, no], 0.75, "hardly above the threshold"),
            case([0.6], [no], 0.6, "one response"),
            Case((torch.tensor([0.5, 3.0, 1.5, 2.0]), torch.tensor([yes, no, no, no]), 2.0), "a threshold above 1",
                 zh="阈值大于 1"), *made]


def _rewards(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(reward: list[float], percent: float, gamma: float, about: str) -> Case:
        return Case((torch.tensor(reward, dtype=torch.float64), percent, gamma), about)
    made = [Case((torch.rand(n, generator=g), percent, gamma), "random")
            for n, percent, gamma in ((7, 90.0, 0.25), (12, 37.5, 0.8), (20, 66.0, 0.5))]
    return [case([0.7, 0.1, 0.4], 50.0, 0.5, "not in order"),
            case([0.1, 0.4, 0.7, 1.0], 90.0, 0.9, "between neighbours"),
            case([0.1, 0.4, 0.7, 1.0], 0.0, 0.0, "the least, and the mean"), case([0.3], 80.0, 0.6, "one reward"),
            case([-4.0, -1.0, -3.0], 75.0, 0.25, "rewards below 0"), case([0.5, 0.5, 0.5], 60.0, 0.7, "all equal"),
            case([0.2, 0.2, 0.2, 0.9, 0.9], 60.0, 0.4, "rewards that tie"),
            case([5.0, 40.0, 25.0, 10.0, 0.0], 99.0, 0.99, "nearly the highest"),
            case([0.1, 0.2, 0.3, 0.9], 1.0, 0.1, "one percent"), case([0.9, 0.2, 0.4, 0.6, 0.1], 0.5, 0.05,
                                                                      "half a percent"), *made]


def _updates(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=g))                        # noqa: E731
    made = []
    for _ in range(4):
        improves, updates = draw(2, 6), draw(5, 80)
        made.append(Case((draw(0, 3 * improves * updates), improves, updates, draw(10, 900)), "random"))
    return [Case((0, 3, 60, 2000), "the very first"), Case((59, 3, 60, 2000), "the last of an Improve"),
            Case((60, 3, 60, 2000), "the first of the second Improve"), Case((179, 3, 60, 2000), "the last of a Grow"),
            Case((180, 3, 60, 2000), "the first of the second Grow"), Case((400, 3, 60, 2000), "in the third Grow"),
            Case((7, 1, 4, 100), "one Improve a Grow, as in RAFT"), Case((5, 2, 1, 64), "one update an Improve"),
            Case((3, 1, 1, 8), "one of each"), *made]


def _responses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    logprob = torch.tensor([[-1.0, -3.0, -0.5], [-2.0, -8.0, -4.0], [-0.25, -1.5, -6.0]])
    mask = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
    spoiled = logprob.masked_fill(~mask, math.nan)
    rows = lambda *marks: torch.tensor(marks)                                                        # noqa: E731
    case = lambda *arguments, about: Case(arguments, about, gradient=(0,))                           # noqa: E731
    made = []
    for b, t in ((4, 5), (6, 3), (5, 8)):
        lengths = torch.randint(1, t + 1, (b, 1), generator=g)
        drawn = torch.rand(b, generator=g) < 0.6
        drawn[0], drawn[1] = True, False
        made.append(case(-3 * torch.rand(b, t, generator=g), torch.arange(t) < lengths, drawn, about="random"))
    return [case(logprob, mask, rows(True, True, True), about="all are kept"),
            case(logprob, mask, rows(True, False, True), about="one is left out"),
            case(logprob, mask, rows(False, True, False), about="one is kept, and it is short"),
            case(logprob, mask, rows(False, False, False), about="none is kept"),
            case(spoiled, mask, rows(True, True, False), about="NaN in the padding"),
            case(logprob.masked_fill(~mask, -math.inf), mask, rows(False, True, True), about="-inf in the padding"),
            case(spoiled.index_fill(0, torch.tensor([1]), math.nan), mask, rows(True, False, True),
                 about="NaN in a response that is left out"),
            case(spoiled, mask, rows(False, False, False), about="NaN, and none is kept"),
            case(logprob.double(), mask, rows(True, False, True), about="in double precision"),
            case(torch.tensor([[-0.5, -100.0]]), mask[:1, :2], rows(True), about="a token that was hardly possible"),
            case(logprob[:1], mask[:1], rows(True), about="one response"), *made]


def _qualities(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    logprob = torch.tensor([[-0.2, -3.0, -1.0], [-0.7, -2.0, -5.0]])
    quality = torch.tensor([[2.0, 1.0, 0.5], [1.5, 4.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    case = lambda *arguments, about: Case(arguments, about, gradient=(0, 1))                         # noqa: E731
    made = []
    for b, t, floor in ((3, 4, 0.1), (4, 6, 0.3), (2, 7, 0.02)):
        lengths = torch.randint(1, t + 1, (b, 1), generator=g)
        made.append(case(-4 * torch.rand(b, t, generator=g), 3 * torch.rand(b, t, generator=g),
                         torch.arange(t) < lengths, floor, about="random"))
    return [case(logprob, quality, mask, 0.25, about="two responses"),
            case(logprob, quality, mask, 0.0, about="no floor"),
            case(logprob, quality, mask, 1.0, about="the floor is 1: every token counts alike"),
            case(logprob, torch.ones_like(quality), mask, 1.0, about="floor 1, quality 1: imitation"),
            case(logprob, -quality, mask, 0.1, about="quality below 0, as sums of log p are"),
            case(logprob, quality * torch.tensor([1.0, 0.0, 2.0]), mask, 0.1, about="a quality of 0"),
            case(torch.tensor([[0.0, -30.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([[True, True]]), 0.05,
                 about="a certain token and one that was hardly possible"),
            case(logprob.masked_fill(~mask, math.nan), quality, mask, 0.1, about="NaN in the padding"),
            case(logprob.masked_fill(~mask, -math.inf), quality.masked_fill(~mask, math.nan), mask, 0.1,
                 about="-inf and NaN in the padding"),
            case(logprob.double(), quality.double(), mask, 0.1, about="in double precision"),
            case(logprob[:1, :1], quality[:1, :1], mask[:1, :1], 0.1, about="one token"), *made]


def _plans(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    reward = torch.tensor([0.95, 0.2, 0.7, 0.85, 0.5, 0.75, 0.0, 0.9], dtype=torch.float64)
    made = [Case((torch.rand(n, generator=g), [0.3, 0.6, 0.8], size, share, updates), "random")
            for n, size, share, updates in ((20, 16, 0.25, 10), (30, 8, 0.5, 40), (24, 12, 0.0, 7))]
    return [Case((reward, [0.7, 0.8, 0.9], 16, 0.25, 60), "three Improves"),
            Case((reward, [0.75], 8, 0.5, 10), "one Improve; a reward exactly at the threshold"),
            Case((reward, [0.5, 0.8], 4, 0.0, 6), "no original ones"),
            Case((reward, [0.5, 0.8], 10, 0.33, 6), "the share is rounded"),
            Case((reward, [0.5, 0.8], 10, 0.28, 6), "the share is rounded up"),
            Case((reward, [0.5], 4, 0.95, 12), "at least one of a batch was drawn"),
            Case((reward, [0.5, 0.8], 1, 0.9, 5), "batches of one"),
            Case((reward, [0.8, 0.99], 8, 0.25, 5), "nothing is left"),
            Case((reward, [-1.0, 0.0], 8, 0.25, 5), "everything, and all but a 0"),
            Case((torch.tensor([-2.0, -1.0, -0.5, -3.0]), [-2.5, -0.75], 6, 0.5, 9), "rewards below 0"),
            Case((torch.tensor([0.9]), [0.5], 3, 1 / 3, 1), "one response"), *made]


EXERCISES = (
    Exercise("4b.1", "kept_rows", ("reward", "original", "threshold"), kept_rows,
             Case((torch.tensor([0.2, 0.7, 0.8, 0.1]), torch.tensor([False, False, False, True]), 0.75)), _sets,
             MISTAKES["4b.1"], points=1),
    Exercise("4b.2", "two_thresholds", ("reward", "percent", "gamma"), two_thresholds,
             Case((torch.tensor([0.2, 0.4, 0.6, 1.0]), 50.0, 0.5)), _rewards,
             MISTAKES["4b.2"], points=2, results=("percentile", "interpolated")),
    Exercise("4b.3", "rest_clock", ("update", "improves", "updates", "drawn"), rest_clock,
             Case((130, 2, 50, 400)), _updates, MISTAKES["4b.3"], points=1, results=("grow", "improve", "calls")),
    Exercise("4b.4", "bc_loss", ("logprob", "mask", "kept"), bc_loss,
             Case((torch.tensor([[-1.0, -3.0], [-2.0, -8.0], [-5.0, -5.0]]),
                   torch.tensor([[True, True], [True, False], [True, True]]), torch.tensor([True, True, False])),
                  gradient=(0,)), _responses, MISTAKES["4b.4"], points=2),
    Exercise("4b.5", "gold_loss", ("logprob", "quality", "mask", "floor"), gold_loss,
             Case((torch.tensor([[-0.5, -4.0]]), torch.tensor([[2.0, 1.0]]), torch.tensor([[True, True]]), 0.1),
                  gradient=(0, 1)), _qualities, MISTAKES["4b.5"], points=3),
    Exercise("4b.6", "improve_plan", ("reward", "thresholds", "size", "share", "updates"), improve_plan,
             Case((torch.tensor([0.2, 0.6, 0.7, 0.9]), [0.5, 0.8], 4, 0.25, 6)), _plans,
             MISTAKES["4b.6"], points=2, results=("kept", "passes")),
)
