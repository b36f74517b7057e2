"""Lesson 02, a reward model from rankings: pairs, the loss alone and K-wise, accuracy, labelers, calibration, zero."""

from __future__ import annotations

import torch

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_02_agreement import ACCURACIES, LABELER_QUALITY
from rlhf_kit.classroom.exercises.mistakes_02_calibration import CALIBRATION_ERROR, CENTRE
from rlhf_kit.classroom.exercises.mistakes_02_losses import PAIR_LOSS, RANK_TO_PAIRS, RANKING_LOSS
from rlhf_kit.classroom.exercises.right_02 import (
    accuracies,
    calibration_error,
    centre,
    labeler_quality,
    pair_loss,
    rank_to_pairs,
    ranking_loss,
)


def _ranks(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    drawn = [Case((torch.randint(1, 5, (4 + i,), generator=g).tolist(),), "random") for i in range(5)]
    return [Case(([1, 1, 2, 3],), "a tie"), Case(([3, 1, 2, 4],), "not in order"), Case(([2, 2, 2],), "all equal"),
            Case(([1, 3],), "a rank is missing"), Case(([2, 1, 2, 1],), "two ties"),
            Case(([10, 2, 9],), "large ranks"), Case(([200, 3, 300, 3],), "very large ranks"),
            Case(([1],), "one response"),
            Case((list(range(1, 10)),), "nine responses"), Case((list(range(12, 0, -1)),), "twelve responses"), *drawn]


def _pairs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: 3 * torch.randn(n, generator=g)                                            # noqa: E731
    return [Case((torch.tensor([3.0, 0.0]), torch.tensor([3.0, 2.0])), "a tie and a wrong pair", (0, 1)),
            Case((torch.tensor([5.0, -4.0, 0.5]), torch.tensor([1.0, -4.5, 3.5])), "on any level", (0, 1)),
            Case((torch.tensor([-1000.0]), torch.tensor([0.0])), "very wrong", (0, 1)),
            Case((torch.tensor([1000.0]), torch.tensor([0.0])), "very right", (0, 1)),
            Case((torch.tensor([-300.0, 300.0]), torch.tensor([300.0, -300.0])), "very wrong and very right", (0, 1)),
            *(Case((draw(n), draw(n)), "random", (0, 1)) for n in (2, 5, 8))]


def _lists(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    two = torch.tensor([[True, True, True, True], [True, True, False, False]])
    whole = torch.ones(1, 4, dtype=torch.bool)
    score, rank = torch.tensor([[2.0, 1.0, 0.0, -1.0]]), torch.tensor([[1, 2, 3, 4]])
    ranks = torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]])
    cases = [Case((score, torch.tensor([[3, 1, 4, 2]]), whole), "not in order", (0,)),
             Case((score, torch.tensor([[1, 1, 2, 3]]), whole), "a tie", (0,)),
             Case((score, torch.tensor([[5, 5, 1, 9]]), whole), "ranks are missing", (0,)),
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 1.0, 99.0, -99.0]]), ranks, two),
                  "K = 4 and K = 2, garbage in the padding", (0,)),
             Case((torch.tensor([[2.0, 7.0, 1.0, -1.0], [-9.0, 1.0, 4.0, 0.0]]),
                   torch.tensor([[2, 0, 1, 3], [0, 2, 2, 1]]),
                   torch.tensor([[True, False, True, True], [False, True, True, True]])),
                   "padding in any place", (0,)),
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 1.0, -torch.inf, -torch.inf]]), ranks, two),
                  "-inf in the padding", (0,)),
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 1.0, torch.nan, torch.inf]]), ranks, two),
                  "NaN and infinity in the padding", (0,)),
             Case((score.repeat(2, 1), torch.tensor([[1, 2, 3, 4], [1, 1, 1, 1]]), whole.repeat(2, 1)),
                  "a ranking of nothing but ties", (0,)),
             Case((torch.zeros(1, 4), rank, whole), "all scores 0", (0,)),
             Case((score + 5, rank, whole), "all scores higher by 5", (0,)),
             Case((1000 * score, rank.flip(1), whole), "very wrong", (0,))]
    for _ in range(3):
        mask = torch.arange(5)[None] < torch.tensor([[5], [3], [4]])
        rank = torch.stack([torch.randperm(5, generator=g) for _ in range(3)]) + 1
        cases.append(Case((2 * torch.randn(3, 5, generator=g), rank * mask, mask), "random", (0,)))
    return cases


def _judged(seed: int) -> list[Case]:
    """There is always some pair with a winner, if not in each ranking: one of nothing but ties has nothing wrong."""
    g = torch.Generator().manual_seed(seed)
    cases = [Case((torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1, 2, 3]])), "two scores are equal"),
             Case((torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[1, 1, 2]])), "two ranks are equal"),
             Case((torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[1, 1, 2]])), "two ranks are equal"),
             Case((torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1, 1, 2]])), "equal ranks, equal scores"),
             Case((torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[1, 2, 3]])), "the best is right, the rest is not"),
             Case((torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([[3, 1, 2]])), "not in order"),
             Case((torch.tensor([[0.75, 0.5, 0.25], [-0.25, 0.0, 0.25]]), torch.tensor([[1, 2, 3], [1, 2, 3]])),
                  "all scores between -1 and 1"),
             Case((torch.tensor([[0.5, 0.4999, -0.5], [-1.4999, -1.5, 2.0]]), torch.tensor([[1, 2, 3], [2, 3, 1]])),
                  "small gaps"),
             Case((torch.tensor([[30.0, -30.0], [-1.5, -1.25]]), torch.tensor([[1, 2], [1, 2]])),
                  "large and small gaps"),
             Case((torch.tensor([[200.0, 200.001], [0.25, 0.250001]]), torch.tensor([[1, 2], [1, 2]])),
                  "nearly equal scores"),
             Case((torch.tensor([[0.0, 1.0, 2.0], [3.0, 2.0, 1.0]]), torch.tensor([[1, 2, 3], [1, 1, 2]])),
                  "three pairs and two"),
             Case((torch.tensor([[5.0, 1.0, 3.0, 2.0]]), torch.tensor([[1, 7, 2, 7]])), "ranks are missing"),
             Case((torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([[1, 1, 3]])), "a rank is missing behind a tie"),
             Case((torch.tensor([[2.0, 0.0, 1.0], [1.0, 2.0, 3.0], [2.0, 1.0, 0.0]]),
                   torch.tensor([[1, 2, 3], [1, 1, 1], [1, 2, 3]])),
                  "a ranking of nothing but ties")]
    for n in (2, 6, 9):
        score = torch.randint(0, 6, (n, 4), generator=g) / 2 - 1
        rank = torch.randint(1, 4, (n, 4), generator=g)
        rank[:, 0], rank[:, 1] = 4, 5                                  # so that there is always a pair
        cases.append(Case((score, rank), "random"))
    return cases


def _agreements(seed: int) -> list[Case]:
    """Drawn from 0.52 on: next to 1/2 the root makes much of the rounding of 32 bits."""
    g = torch.Generator().manual_seed(seed)
    return [Case((a,), about) for a, about in ((0.63, "Anthropic"), (0.77, "InstructGPT"), (0.5, "chance"),
                                               (0.53, "hardly more than chance"),
                                               (0.48, "less than chance, by bad luck"),
                                               (0.1, "very bad luck"),
                                               (0.0, "they never agree"))] + [
        Case((0.52 + 0.48 * torch.rand((), generator=g).item(),), "random") for _ in range(5)]


def _stated(seed: int) -> list[Case]:
    """An inner edge only where `probability * bins` is exact; drawn ones keep away."""
    g = torch.Generator().manual_seed(seed)
    cases = [Case((torch.tensor([0.93, 0.95, 0.96, 0.73]), torch.tensor([1.0, 1.0, 0.0, 0.0]), 10), "three and one"),
             Case((torch.tensor([1.0, 1.0, 0.62]), torch.tensor([1.0, 0.0, 1.0]), 10), "certain, and wrong once"),
             Case((torch.tensor([1.0, 0.95, 0.97]), torch.tensor([0.0, 1.0, 1.0]), 10), "certain, and not alone"),
             Case((torch.tensor([0.9, 0.6]), torch.tensor([1.0, 0.0]), 2), "two bins"),
             Case((torch.tensor([0.15, 0.12, 0.33, 0.81]), torch.tensor([0.0, 1.0, 0.0, 1.0]), 10), "below one half"),
             Case((torch.tensor([0.0, 0.0, 0.05, 0.63]), torch.tensor([1.0, 0.0, 0.0, 1.0]), 10), "exactly 0"),
             Case((torch.tensor([0.5, 0.5, 0.05, 0.9]), torch.tensor([1.0, 1.0, 0.0, 1.0]), 4),
                  "on an edge, alone on both sides of it"),
             Case((torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), 4), "certain, and wrong both times"),
             Case((torch.tensor([0.5, 0.875, 0.125]), torch.tensor([0.0, 1.0, 0.0]), 2), "on an edge, not alone"),
             Case((torch.tensor([0.25, 0.375, 0.125]), torch.tensor([1.0, 0.0, 0.0]), 4), "on an edge, not alone"),
             Case((torch.tensor([0.2, 0.7, 0.9]), torch.tensor([0.0, 1.0, 0.0]), 1), "a single bin")]
    for n, bins in ((30, 10), (40, 5), (50, 4), (25, 7)):
        inside = torch.randint(0, bins, (n,), generator=g) + 0.02 + 0.96 * torch.rand(n, generator=g)
        cases.append(Case((inside / bins, (torch.rand(n, generator=g) < inside / bins).float(), bins), "random"))
    return cases


def _shifts(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: 3 + 2 * torch.randn(n, generator=g)                                        # noqa: E731
    return [Case((torch.tensor([5.0, 1.0]), torch.tensor([1.0, 1.0, 4.0])), "skewed demonstrations"),
            Case((torch.tensor([0.0]), torch.tensor([-7.0, -9.0])), "demonstrations below 0"),
            Case((torch.tensor([1.0, 9.0, 2.0]), torch.tensor([2.5])), "one demonstration"),
            Case((torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0, 8.0, 2.0])), "four of them"),
            Case((torch.tensor([1.0, 2.0, 7.0]), torch.tensor([-6.0, 1.0, 2.0])), "demonstrations of both signs"),
            *(Case((draw(n), draw(m)), "random") for n, m in ((3, 4), (5, 7), (8, 3)))]


EXERCISES = (
    Exercise("2.1", "rank_to_pairs", ("ranks",), rank_to_pairs, Case(([1, 2, 3],)), _ranks, RANK_TO_PAIRS, points=1),
    Exercise("2.2", "pair_loss", ("chosen", "rejected"), pair_loss,
             Case((torch.tensor([2.0]), torch.tensor([1.0]))), _pairs, PAIR_LOSS, points=2),
    Exercise("2.3", "ranking_loss", ("score", "rank", "mask"), ranking_loss,
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0]]), torch.tensor([[1, 2, 3, 4]]),
                   torch.ones(1, 4, dtype=torch.bool))), _lists, RANKING_LOSS, points=3),
    Exercise("2.4", "accuracies", ("score", "rank"), accuracies,
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 2.0, 1.0, -1.0]]),
                   torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]]))), _judged, ACCURACIES, points=2, exact=True),
    Exercise("2.5", "labeler_quality", ("agreement",), labeler_quality, Case((1.0,)), _agreements, LABELER_QUALITY,
             points=1),
    Exercise("2.6", "calibration_error", ("probability", "happened", "bins"), calibration_error,
             Case((torch.tensor([0.95, 0.95, 0.75, 0.75]), torch.tensor([1.0, 1.0, 1.0, 0.0]), 10)), _stated,
             CALIBRATION_ERROR, points=2),
    Exercise("2.7", "centre", ("score", "demonstration"), centre,
             Case((torch.tensor([4.0, 2.0, 0.0]), torch.tensor([1.0, 2.0, 3.0]))), _shifts, CENTRE, points=1),
)
