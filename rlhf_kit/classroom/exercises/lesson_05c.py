"""Lesson 05c, Sparrow: levels, area, distractors, the preference model's losses, the total reward, A2C, rerank."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_05c import MISTAKES
from rlhf_kit.classroom.exercises.right_05c import (
    a2c_loss,
    area,
    distractors,
    preference_losses,
    rerank,
    rule_targets,
    total_reward,
)


def _levels(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    case = lambda levels, about: Case((torch.tensor(levels, dtype=torch.long),), about)              # noqa: E731
    made = [Case((torch.randint(1, 6, (n,), generator=g),), "random") for n in (6, 11, 20)]
    return [case([1, 2, 3, 4, 5], "each level once"), case([3, 3, 3], "nobody was sure"), case([1], "one label"),
            case([5, 4, 5, 4], "all are followed"), case([2, 1, 2], "all are broken"), case([], "no label"),
            case([3, 5, 3, 1, 3], "unsure at both ends"), *made]


def _told(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(score: Sequence[float], broken: Sequence[int], about: str) -> Case:
        return Case((torch.tensor(score), torch.tensor(broken)), about)
    made = []
    for n in (6, 12, 25):
        broken = (torch.rand(n, generator=g) < 0.4).long()
        broken[0], broken[1] = 1, 0
        made.append(Case(((2 * torch.randn(n, generator=g) + broken).round(decimals=1), broken), "random"))
    return [case([2.0, 1.0, -1.0, -2.0], [1, 1, 0, 0], "told apart without a mistake"),
            case([-2.0, -1.0, 1.0, 2.0], [1, 1, 0, 0], "the wrong way round"),
            case([0.5, 0.5, 0.5, 0.5, 0.5], [1, 0, 0, 1, 0], "all scores are equal"),
            case([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], [0, 1, 0, 0, 0, 0, 0, 0], "one of eight is broken"),
            case([0.9, 0.8, 0.7, 0.2], [1, 1, 1, 0], "one is followed"),
            case([-3.0, -1.0, -2.0, -4.0], [0, 1, 1, 0], "scores below 0, not in order"),
            case([1000.0, -1000.0, 999.0], [0, 0, 1], "large scores"),
            case([0.3, 0.300001, 0.3, 1e-9, 2e-9], [0, 1, 1, 0, 1], "scores that hardly differ"),
            case([0.3, 0.7], [1, 0], "one of each"), *made]


def _drawn(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    made = []
    for size, n in ((8, 2), (14, 3), (20, 4)):
        other, reply = (torch.randint(1, high, (size,), generator=g).tolist() for high in (4, 9))
        made.append(Case((1, [1, 2, 3], other, reply, n), "random"))
    return [Case((3, [11, 12], [3, 3, 5], [21, 22, 23], 2), "two of the same dialogue"),
            Case((3, [11, 12], [4, 5, 6], [11, 12, 23], 2), "what a candidate says, too"),
            Case((3, [11, 12], [4, 5, 6, 7], [21, 21, 21, 22], 2), "one text three times"),
            Case((3, [11, 12], [4, 5, 6, 7, 8], [21, 22, 21, 22, 23], 3), "a text comes again later"),
            Case((3, [11, 12], [4, 5, 6, 7], [21, 22, 23, 24], 2), "all would do: the first two"),
            Case((3, [11, 12], [4, 5, 6, 7], [21, 22, 23, 24], 9), "more are wanted than there are"),
            Case((3, [11, 12], [3, 3], [21, 22], 2), "none will do"), Case((3, [11, 12], [], [], 2), "none was drawn"),
            Case((3, [11, 12], [4, 5], [21, 22], 0), "none is wanted"),
            Case((0, [7], [0, 1, 2], [8, 7, 9], 1), "one is wanted, dialogue 0"),
            Case((5, [1, 2, 3, 4], [5, 6, 5, 6, 7], [9, 9, 8, 8, 9], 2), "the text of one that was left out"), *made]


def _turns(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(score: Sequence, chosen: Sequence[int], counts: Sequence[int], about: str,
             dtype: torch.dtype = torch.float64, padding: float = 0.0) -> Case:
        score = torch.tensor(score, dtype=dtype)
        mask = torch.arange(score.shape[1]) < torch.tensor(counts)[:, None]
        return Case((score.masked_fill(~mask, padding), torch.tensor(chosen), mask), about, gradient=(0,))
    made = []
    for b, m in ((3, 4), (5, 6), (4, 3)):
        counts = torch.randint(2, m + 1, (b, 1), generator=g)
        mask = torch.arange(m) < counts
        score = (2 * torch.randn(b, m, generator=g)).masked_fill(~mask, 0.0)
        chosen = (torch.rand(b, generator=g) * counts[:, 0]).long()
        made.append(Case((score, chosen, mask), "random", gradient=(0,)))
    four = [[2.0, 1.0, 0.0, -3.0]]
    return [case([[0.0, 0.0, 0.0, 0.0]], [2], [4], "all scores 0"),
            case([[7.0, 6.0, 5.0, 2.0]], [0], [4], "all scores higher by 5"),
            case([[1.5, 0.5], [-0.5, 0.25]], [0, 1], [2, 2], "two candidates each"),
            case(four, [3], [4], "the worst was picked"), case(four, [1], [4], "the second was picked"),
            case([[1.0, -1.0, 9.0], [2.0, 0.5, -2.0]], [0, 1], [2, 3], "two candidates and three"),
            case([[1.0, -1.0, 9.0], [2.0, 0.5, -2.0]], [0, 1], [2, 3], "NaN in the padding", padding=math.nan),
            case([[1.0, -1.0, 9.0, 9.0]], [1], [2], "-inf in the padding", padding=-math.inf),
            case([[1000.0, 0.0, -1000.0]], [0], [3], "very right"),
            case([[-1000.0, 0.0, 1000.0]], [0], [3], "very wrong"),
            case([[3.0, 1.0], [-3.0, -1.0]], [0, 0], [2, 2], "means on both sides of 0"),
            case([[2.0, 2.0, -1.0]], [1], [3], "another one has the same score"),
            case([[-1000.0, -999.0, 0.0], [-998.0, -1000.0, -999.5]], [0, 1], [2, 3], "all far below 0, with padding"),
            case([[100.0, 99.0, 98.5]], [1], [3], "large scores", torch.float32), *made]


def _paid(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(preference: Sequence[float], kept: Sequence, valid: Sequence[bool], normalise: bool, average: bool,
             about: str) -> Case:
        return Case((torch.tensor(preference), torch.tensor(kept), torch.tensor(valid), normalise, average), about)
    made = [Case((3 * torch.randn(b, generator=g) + 2, torch.rand(b, r, generator=g),
                  torch.rand(b, generator=g) < 0.7, normalise, average), "random")
            for b, r, normalise, average in ((4, 3, True, True), (6, 2, True, False), (5, 4, False, True),
                                             (8, 12, True, False))]
    three, rules, fine = [4.0, 1.0, -2.0], [[1.0, 0.5], [0.25, 1.0], [0.0, 1.0]], [True, True, True]
    return [case(three, rules, fine, False, False, "raw, sum"), case(three, rules, fine, False, True, "raw, mean"),
            case(three, rules, fine, True, False, "normalised, sum"),
            case(three, rules, fine, True, True, "normalised, mean"),
            case([40.0, 10.0, -20.0], rules, fine, True, False, "the preferences ten times as large"),
            case([40.0, 10.0, -20.0], rules, fine, False, False, "ten times as large, and raw"),
            case(three, rules, [True, False, False], False, True, "two are no valid turn"),
            case(three, rules, [False, False, False], True, True, "none is a valid turn"),
            case([0.8, 0.8001], [[0.95, 0.9, 0.2], [1.0, 1.0, 1.0]], [True, True], False, True, "nearly equal, mean"),
            case([-1.0, -5.0], [[0.0], [1.0]], [True, True], True, True, "one rule"), *made]


def _sampled(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(b: int, t: int, v: int, alpha: float, about: str, garbage: float = 0.0, learned: bool = True,
             drifted: bool = True, lengths: Sequence[int] | None = None, worth: float | None = None) -> Case:
        fixed = torch.Generator().manual_seed(7) if about != "random" else g
        lengths = torch.tensor(lengths) if lengths else torch.randint(1, t + 1, (b,), generator=fixed)
        mask = torch.arange(t) < lengths[:, None]
        logits, teacher = (torch.randn(b, t, v, generator=fixed, dtype=torch.float64) for _ in range(2))
        token = torch.randint(v, (b, t), generator=fixed)
        value, reward = (torch.randn(shape, generator=fixed, dtype=torch.float64) for shape in ((b, t), (b,)))
        reward = reward if worth is None else torch.full_like(reward, worth)
        value = reward[:, None].expand(b, t).clone() if not learned else value
        teacher = logits.clone() if not drifted else teacher
        logits, teacher = (x.masked_fill(~mask[..., None], garbage) for x in (logits, teacher))
        return Case((logits, teacher, token, value.masked_fill(~mask, garbage), reward, mask, alpha), about,
                    gradient=(0, 3))
    made = [case(b, t, v, alpha, "random") for b, t, v, alpha in ((2, 3, 4, 0.1), (3, 5, 3, 0.3), (4, 2, 6, 0.05))]
    return [case(2, 3, 4, 0.1, "two responses", lengths=[3, 2]), case(2, 3, 4, 0.0, "α = 0: A2C alone"),
            case(2, 3, 4, 1.0, "α = 1: the teacher alone"), case(1, 4, 3, 0.1, "one response", lengths=[4]),
            case(2, 3, 4, 0.1, "the critic foresaw it", learned=False, lengths=[3, 2]),
            case(2, 3, 4, 0.5, "nothing has drifted yet", drifted=False, lengths=[3, 2]),
            case(2, 3, 4, 0.1, "a reward of -3 each", worth=-3.0, lengths=[2, 3]),
            case(3, 4, 3, 0.1, "one long response, two short ones", lengths=[4, 1, 1]),
            case(2, 4, 3, 0.1, "NaN in the padding", garbage=math.nan, lengths=[4, 2]), *made]


def _candidates(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(preference: Sequence[float], kept: Sequence, about: str) -> Case:
        return Case((torch.tensor(preference, dtype=torch.float64), torch.tensor(kept, dtype=torch.float64)), about)
    made = [Case((2 * torch.randn(n, generator=g), 0.2 + 0.8 * torch.rand(n, r, generator=g)), "random")
            for n, r in ((4, 3), (8, 12), (5, 2))]
    return [case([1.0, 0.0, -1.0], [[1.0, 1.0]] * 3, "all rules are kept"),
            case([0.5, 0.5, 0.5], [[0.5, 0.5], [0.9, 0.9], [0.25, 1.0]], "all are liked alike"),
            case([3.0, 0.0, -1.0], [[0.0, 1.0, 1.0], [0.8, 0.8, 0.8], [1.0, 1.0, 1.0]], "one rule is surely broken"),
            case([0.0, 0.0], [[0.1, 1.0], [0.5, 0.5]], "the same mean, another product"),
            case([900.0, -900.0, 0.0], [[0.5, 1.0], [1.0, 1.0], [1.0, 1.0]], "large preferences"),
            case([5.0, 6.0, 7.0], [[0.9], [0.9], [0.6]], "one rule"), case([2.0], [[0.95, 0.9, 0.2]], "one candidate"),
            case([1.0, 1.0, 0.0], [[0.9, 0.5], [0.5, 0.9], [1.0, 0.2]], "two are equally good: the earlier"),
            case([105.0, 104.0, 103.0], [[0.5, 0.9], [0.9, 0.9], [1.0, 1.0]], "all higher by 100"), *made]


EXERCISES = (
    Exercise("5c.1", "rule_targets", ("level",), rule_targets, Case((torch.tensor([1, 4, 3, 2, 5]),)), _levels,
             MISTAKES["5c.1"], points=1, results=("rows", "target")),
    Exercise("5c.2", "area", ("score", "broken"), area,
             Case((torch.tensor([0.9, 0.4, 0.4, 0.1]), torch.tensor([1, 1, 0, 0]))), _told, MISTAKES["5c.2"], points=2),
    Exercise("5c.3", "distractors", ("dialogue", "candidates", "other", "reply", "n"), distractors,
             Case((3, [11, 12], [3, 5, 6, 2, 7, 2], [21, 12, 22, 22, 23, 24], 2)), _drawn, MISTAKES["5c.3"], points=2),
    Exercise("5c.4", "preference_losses", ("score", "chosen", "mask"), preference_losses,
             Case((torch.tensor([[2.0, 1.0, 0.0, -3.0]]), torch.tensor([0]), torch.ones(1, 4, dtype=torch.bool)),
                  gradient=(0,)), _turns, MISTAKES["5c.4"], points=3, results=("choice", "pairs", "centring")),
    Exercise("5c.5", "total_reward", ("preference", "kept", "valid", "normalise", "average"), total_reward,
             Case((torch.tensor([0.8, 0.2]), torch.tensor([[0.95, 0.9, 0.2], [1.0, 1.0, 1.0]]),
                   torch.tensor([True, False]), False, False)), _paid, MISTAKES["5c.5"], points=3,
             results=("reward", "cost")),
    Exercise("5c.6", "a2c_loss", ("logits", "teacher", "token", "value", "reward", "mask", "alpha"), a2c_loss,
             Case((torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), torch.zeros(1, 2, 2), torch.tensor([[0, 1]]),
                   torch.tensor([[0.5, 1.0]]), torch.tensor([2.0]), torch.ones(1, 2, dtype=torch.bool), 0.1),
                  gradient=(0, 3)), _sampled, MISTAKES["5c.6"], points=3),
    Exercise("5c.7", "rerank", ("preference", "kept"), rerank,
             Case((torch.tensor([2.0, 0.0, -2.0]),
                   torch.tensor([[0.95, 0.9, 0.2], [1.0, 0.9, 1.0], [1.0, 1.0, 1.0]]))), _candidates,
             MISTAKES["5c.7"], points=2, results=("best", "score")),
)
