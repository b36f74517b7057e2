"""Lesson 05a, InstructGPT: prompts, labelers, a page of K, its loss, checkpoints, rewards, pretraining, averages."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_05a import MISTAKES
from rlhf_kit.classroom.exercises.right_05a import (
    averaged_weights,
    choose_checkpoint,
    labelers_choice,
    mended_loss,
    page_cost,
    ppo_reward,
    ptx_gradient,
    sort_prompts,
)


def _starts(*rows: Sequence[int]) -> Tensor:
    return torch.tensor(rows)


def _sent(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    made = []
    for n, length, most, shared in ((12, 3, 3, 2), (20, 4, 2, 3), (30, 2, 5, 2)):
        user = torch.randint(1, 6, (n,), generator=g).tolist()
        made.append(Case((user, torch.randint(1, 4, (n, length), generator=g), most, shared, [2, 5]), "random"))
    return [Case(([1, 2], _starts([4, 5], [4, 5]), 9, 2, []), "two users sent the same"),
            Case(([1, 2], _starts([4, 5], [4, 5]), 9, 2, [2]), "a held-out user sent what is in training"),
            Case(([7, 7, 7], _starts([1, 2], [3, 4], [5, 6]), 2, 1, []), "one too many of a user"),
            Case(([7, 7, 7], _starts([1, 2], [1, 2], [3, 4]), 2, 2, []), "a copy does not count towards the most"),
            Case(([7, 7, 8], _starts([1, 2], [3, 4], [3, 4]), 1, 2, []), "a copy of one that was not kept"),
            Case(([3, 3, 3, 3], _starts([1], [2], [3], [4]), 2, 1, [3]), "the most holds for held-out users too"),
            Case(([1, 2, 3], _starts([4, 5, 6], [4, 5, 7], [4, 8, 6]), 9, 2, []), "only the beginning counts"),
            Case(([1, 2, 3], _starts([4, 5, 6], [4, 5, 7], [4, 8, 6]), 9, 3, []), "nothing begins alike for so long"),
            Case(([1, 2, 3, 4], _starts([4, 5, 6, 7], [4, 5, 6, 8], [4, 5, 9, 7], [4, 6, 6, 7]), 9, 2, []),
                 "only the beginning counts"),
            Case(([5, 6, 5, 6], _starts([1, 9], [2, 9], [3, 9], [4, 9]), 9, 2, [6, 5]), "everybody is held out"),
            Case(([40, 11, 40, 25], _starts([1, 1], [2, 2], [3, 3], [4, 4]), 1, 1, [25, 99]),
                 "one of a user; a held-out user who sent nothing"),
            Case(([1, 1, 2, 1, 2], _starts([6, 6], [7, 7], [7, 7], [8, 8], [9, 9]), 2, 2, [2]),
                 "copies and too many, mixed"),
            Case(([1], _starts([4, 5]), 1, 1, [1]), "one prompt"), *made]


def _pages(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(helpful: Sequence, safe: Sequence, stakes: Sequence[bool], about: str) -> Case:
        return Case((torch.tensor(helpful), torch.tensor(safe), torch.tensor(stakes)), about)
    made = [Case((torch.randint(1, 8, (n, 2), generator=g), torch.randint(1, 8, (n, 2), generator=g),
                  torch.rand(n, generator=g) < 0.4), "random") for n in (12, 20, 30)]
    return [case([[6, 5]], [[3, 7]], [False], "a little more helpful, much less safe"),
            case([[5, 6]], [[7, 3]], [False], "the same, the other way round"),
            case([[7, 2]], [[6, 7]], [False], "much more helpful, a little less safe"),
            case([[2, 7]], [[7, 6]], [False], "much more helpful, a little less safe, and second"),
            case([[7, 2]], [[6, 7]], [True], "the same, and much is at stake"),
            case([[5, 2], [4, 2]], [[5, 6], [5, 6]], [False, False], "exactly three points, and two"),
            case([[7, 2], [2, 7]], [[5, 7], [7, 5]], [False, False], "two points less safe"),
            case([[4, 4], [4, 4]], [[2, 6], [6, 2]], [False, True], "equally helpful"),
            case([[3, 6], [6, 5]], [[4, 4], [4, 4]], [False, True], "equally safe"),
            case([[4, 4], [1, 1]], [[4, 4], [7, 7]], [False, True], "equal in both"),
            case([[7, 1], [1, 7]], [[7, 1], [1, 7]], [False, True], "one is better in both"),
            case([[7, 1], [3, 4]], [[7, 7], [2, 1]], [True, False], "much at stake, equally safe"),
            *made]


def _ranks(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    case = lambda ranks, about: Case((torch.tensor(ranks),), about)                                  # noqa: E731
    made = [Case((torch.randint(1, 6, (k,), generator=g),), "random") for k in (5, 7, 9)]
    return [case([1, 2, 3, 4], "four responses"), case([1, 2, 3, 4, 5, 6, 7, 8, 9], "nine responses"),
            case([3, 1, 4, 2], "not in order"), case([1, 1, 1, 1], "nothing but ties"),
            case([2, 1], "a ranking of two"), case([1, 1], "a tie of two"), case([1, 1, 2, 2], "two ties"),
            case([1, 5, 5, 9, 9, 9], "ranks are missing"), case([4, 2, 2, 1, 4], "ties, not in order"),
            case([1, 2, 2, 2, 2], "one best, the others tie"), *made]


def _scored(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(score: Sequence[float], rank: Sequence[int], about: str, dtype: torch.dtype = torch.float64) -> Case:
        return Case((torch.tensor(score, dtype=dtype), torch.tensor(rank)), about, gradient=(0,))
    made = [Case((2 * torch.randn(k, generator=g), torch.randint(1, k, (k,), generator=g)), "random", gradient=(0,))
            for k in (4, 6, 9)]
    return [case([0.5, 0.5, 0.5], [1, 2, 3], "equal scores: ln 2"), case([1.5, -0.5], [2, 1], "a ranking of two"),
            case([0.3, -1.0, 2.0, 0.7], [3, 4, 1, 2], "not in order"),
            case([0.3, -1.0, 2.0, 0.7], [1, 1, 2, 3], "a tie"), case([1.0, 2.0, 3.0], [1, 1, 1], "nothing but ties"),
            case([1000.0, 0.0, -1000.0], [1, 2, 3], "very right"),
            case([-1000.0, 0.0, 1000.0], [1, 2, 3], "very wrong"),
            case([120.0, 125.0, 119.0], [2, 1, 1], "large scores", torch.float32),
            case([5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0], [1, 2, 3, 4, 5, 6, 7, 8, 9], "nine responses"),
            case([-3.0, -2.0, -5.0, -2.0], [1, 2, 2, 9], "scores below 0; ranks are missing"), *made]


def _epochs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(loss: Sequence[float], score: Sequence, about: str) -> Case:
        return Case((torch.tensor(loss, dtype=torch.float64), torch.tensor(score, dtype=torch.float64)), about)
    made = []
    for e, p in ((4, 3), (8, 5), (16, 4)):
        rise = torch.linspace(-1, 1, e, dtype=torch.float64)[:, None]
        made.append(Case((2 + torch.rand(e, generator=g, dtype=torch.float64),
                          rise + torch.randn(e, p, generator=g, dtype=torch.float64)), "random"))
    return [case([2.0, 1.5, 1.75, 2.5], [[0, 0], [1, 0], [1, 1], [2, 1]], "loss turns up, the score goes on rising"),
            case([1.0, 2.0], [[1, 1], [0, 0]], "both say the first"), case([1.5], [[0.25, 0.75]], "one epoch"),
            case([2.0, 1.0, 1.0, 3.0], [[0], [1], [2], [1]], "two epochs of equal loss: the earlier"),
            case([1.0, 2.0, 3.0], [[0, 2], [3, -1], [1, 1]], "all mean scores are equal: the earliest"),
            case([1.0, 2.0, 3.0], [[0, 0], [1, 3], [2, 2]], "two epochs of equal mean score: the earlier"),
            case([1.0, 1.5, 2.0], [[9, -5, -5], [1, 1, 1], [0, 2, 0]], "one very high score"),
            case([1.0, 1.5, 2.0], [[-4, -4], [-2, -3], [-1, -2]], "scores below 0"),
            case([3.0, 2.0, 1.0], [[2, 2], [1, 1], [0, 0]], "the score falls while the loss falls"),
            case([0.5, 0.75, 1.0], [[0, 0, 3], [2, 2, -1], [1, 1, 1.5]], "the middle of the scores is not their mean"),
            *made]


def _responses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    logprob = torch.tensor([[-1.0, -2.0, -0.5], [-0.5, -1.5, -3.0]])
    reference = torch.tensor([[-1.2, -1.5, -0.5], [-1.0, -1.0, -3.5]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    score, shown = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 1.5, 2.5])
    endless = reference.masked_fill(~mask, -math.inf)
    made = []
    for b, t, m in ((3, 4, 2), (4, 6, 5), (2, 7, 3)):
        lengths = torch.randint(1, t + 1, (b, 1), generator=g)
        made.append(Case((torch.randn(b, generator=g), torch.randn(m, generator=g), -3 * torch.rand(b, t, generator=g),
                          -3 * torch.rand(b, t, generator=g), torch.arange(t) < lengths, 0.05), "random"))
    return [Case((score, shown, logprob, reference, mask, 0.1), "two responses"),
            Case((score, shown, logprob, reference, mask, 0.0), "no KL penalty"),
            Case((score, shown, logprob, logprob, mask, 0.02), "nothing has drifted yet"),
            Case((score, torch.zeros(2), logprob, reference, mask, 0.02), "demonstrations at 0 already"),
            Case((score, -shown, logprob, reference, mask, 0.02), "demonstrations below 0"),
            Case((score, shown[:1], logprob, reference, mask, 2.0), "one demonstration, a high penalty"),
            Case((score, shown, logprob.masked_fill(~mask, math.nan), endless, mask, 0.1),
                 "NaN and -inf in the padding"),
            Case((score, shown, logprob.masked_fill(~mask, -math.inf), endless, mask, 0.0),
                 "-inf in the padding"),
            Case((score, shown, logprob[:, :1], reference[:, :1], mask[:, :1], 0.1), "one token each"),
            Case((score[:1], shown, logprob[:1].double(), reference[:1].double(), mask[:1], 0.1), "one response"),
            *made]


def _parts(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(ppo: Sequence[float], parts: Sequence, tokens: Sequence[int], gamma: float, about: str) -> Case:
        return Case((torch.tensor(ppo, dtype=torch.float64), torch.tensor(parts, dtype=torch.float64),
                     torch.tensor(tokens), gamma), about)
    made = [Case((torch.randn(p, generator=g), torch.randn(m, p, generator=g), torch.randint(1, 60, (m,), generator=g),
                  27.8), "random") for p, m in ((3, 2), (5, 4), (4, 8))]
    nan = math.nan
    return [case([1.0, -2.0], [[0.5, 0.25]], [12], 27.8, "one part"),
            case([1.0, -2.0], [[0.5, 0.25], [-0.5, 1.0]], [12, 12], 10.0, "parts of one size"),
            case([1.0, -2.0], [[0.5, 0.25], [-0.5, 1.0]], [90, 10], 10.0, "a large part and a small one"),
            case([1.0, -2.0], [[0.5, 0.25], [-0.5, 1.0]], [90, 10], 0.0, "γ = 0: plain PPO"),
            case([0.0, 0.0], [[0.5, 0.25], [-0.5, 1.0]], [30, 10], 1.0, "PPO has nothing to say"),
            case([1.0, 2.0], [[0.0, 0.0], [0.5, -0.5]], [30, 10], 2.0, "a part that is learnt already"),
            case([1.0, 2.0, 3.0], [[0.5, 0.5, -1.0], [nan, nan, nan]], [20, 0], 5.0, "a part without a token"),
            case([1.0], [[0.5], [nan], [0.25], [nan]], [3, 0, 1, 0], 27.8, "two parts without a token"),
            case([1e-3, -1e-3], [[4e-5, 2e-5], [1e-5, -3e-5]], [200, 40], 27.8, "small gradients"), *made]


def _weights(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(start: Sequence[float], weight: Sequence, decay: float, about: str) -> Case:
        start = torch.tensor(start, dtype=torch.float64)
        return Case((start, torch.tensor(weight, dtype=torch.float64).reshape(-1, len(start)), decay), about)
    made = [Case((torch.randn(p, generator=g), torch.randn(s, p, generator=g), decay), "random")
            for p, s, decay in ((3, 4, 0.9), (2, 10, 0.992), (4, 7, 0.3))]
    return [case([1.0, -1.0], [[2.0, 0.0]], 0.75, "one update"), case([1.0, -1.0], [], 0.9, "no update yet"),
            case([1.0, -1.0], [[2.0, 0.0], [4.0, 1.0]], 0.0, "decay 0: the newest weights"),
            case([1.0, -1.0], [[2.0, 0.0], [4.0, 1.0]], 1.0, "decay 1: the weights before"),
            case([1.0, 0.0], [[0.0, 0.0]] * 20, 0.992, "the weights stay where they went"),
            case([2.0, 3.0], [[2.0, 3.0]] * 5, 0.9, "nothing moves"),
            case([0.0, 0.0], [[1.0, -2.0], [3.0, 5.0], [-2.0, 1.0]], 0.5, "a start of 0"),
            case([5.0], [[1.0], [2.0], [3.0], [4.0]], 0.8, "one weight"), *made]


EXERCISES = (
    Exercise("5a.1", "sort_prompts", ("user", "start", "most", "shared", "held_out"), sort_prompts,
             Case(([1, 1, 2, 1, 3], _starts([5, 6, 7], [5, 6, 8], [5, 6, 7], [9, 9, 9], [4, 4, 4]), 2, 2, [3])), _sent,
             MISTAKES["5a.1"], points=2),
    Exercise("5a.2", "labelers_choice", ("helpful", "safe", "high_stakes"), labelers_choice,
             Case((torch.tensor([[6, 4], [6, 3]]), torch.tensor([[4, 5], [4, 5]]), torch.tensor([False, False]))),
             _pages, MISTAKES["5a.2"], points=2, results=("training", "evaluation")),
    Exercise("5a.3", "page_cost", ("rank",), page_cost, Case((torch.tensor([1, 2, 2, 4]),)), _ranks,
             MISTAKES["5a.3"], points=1, results=("together", "apart", "uses")),
    Exercise("5a.4", "mended_loss", ("score", "rank"), mended_loss,
             Case((torch.tensor([2.0, 1.0, 0.0, -1.0]), torch.tensor([1, 2, 2, 4])), gradient=(0,)), _scored,
             MISTAKES["5a.4"], points=3),
    Exercise("5a.5", "choose_checkpoint", ("loss", "score"), choose_checkpoint,
             Case((torch.tensor([2.0, 1.5, 1.75]), torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))), _epochs,
             MISTAKES["5a.5"], points=2, results=("by_loss", "by_score", "given_away")),
    Exercise("5a.6", "ppo_reward", ("score", "demonstration", "logprob", "ref_logprob", "mask", "beta"), ppo_reward,
             Case((torch.tensor([2.0]), torch.tensor([0.5, 1.5]), torch.tensor([[-1.0, -2.0, -0.5]]),
                   torch.tensor([[-1.2, -1.5, -0.5]]), torch.tensor([[True, True, True]]), 0.1)), _responses,
             MISTAKES["5a.6"], points=2),
    Exercise("5a.7", "ptx_gradient", ("ppo", "pretraining", "tokens", "gamma"), ptx_gradient,
             Case((torch.tensor([1.0, -2.0]), torch.tensor([[0.1, 0.2], [0.4, -0.1]]), torch.tensor([30, 10]), 20.0)),
             _parts, MISTAKES["5a.7"], points=2),
    Exercise("5a.8", "averaged_weights", ("start", "weight", "decay"), averaged_weights,
             Case((torch.tensor([0.0, 1.0]), torch.tensor([[1.0, 1.0], [2.0, 1.0]]), 0.5)), _weights,
             MISTAKES["5a.8"], points=1, results=("average", "left")),
)
