"""Lesson 05b, Anthropic's assistant: what counts, the mended loss, PMP, 51 bins, Elo, two halves, the root of KL."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_05b import MISTAKES
from rlhf_kit.classroom.exercises.right_05b import (
    apart,
    article_mended,
    in_bins,
    rated,
    root_kl_fit,
    what_counts,
    won,
)


def _real(x: Sequence) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)


def _picks(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(picked: Sequence[int], strength: Sequence[int], red: Sequence[bool], about: str, zh: str) -> Case:
        return Case((torch.tensor(picked), torch.tensor(strength), torch.tensor(red)), about, zh=zh)
    made = [Case((torch.randint(0, 2, (n,), generator=g), torch.randint(0, 4, (n,), generator=g),
                  torch.rand(n, generator=g) < 0.5), "random") for n in (8, 15, 30)]
    return [case([0, 1, 1], [1, 2, 3], [False] * 3, "all of people in need of help", "都是求助的人的"),
            case([0, 1, 1], [1, 2, 3], [True] * 3, "all of a red team", "都是红队的"),
            case([0, 1, 0, 1], [0, 0, 0, 0], [True, False, True, False], "nothing is clear", "没有一对是分得清的"),
            case([1], [1], [True], "one comparison, hardly clear", "一对，勉强分得清"),
            case([1, 0, 1], [0, 3, 0], [True, True, False], "one is left", "只剩一对"),
            case([0, 0], [1, 0], [True, True], "the weakest strength that counts", "刚好算数的强度"), *made]


def _losses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(good: Sequence[float], bad: Sequence[float], red: Sequence[bool], lam: float, about: str, zh: str) -> Case:
        return Case((_real(good), _real(bad), torch.tensor(red), lam), about, (0, 1), zh)
    made = []
    for n, lam in ((6, 2.0), (9, 3.0), (20, 0.5)):
        red = torch.rand(n, generator=g) < 0.4
        red[0], red[1] = True, False
        made.append(Case((2 * torch.randn(n, generator=g), 2 * torch.randn(n, generator=g), red, lam), "random",
                         gradient=(0, 1)))
    return [case([1.0, 0.0], [0.0, 0.0], [False, True], 1.0, "one pair of each, λ = 1", "各一对，λ = 1"),
            case([1.0, 0.5, 2.0], [0.0, 0.0, 3.0], [False] * 3, 5.0, "nothing of a red team", "没有红队的"),
            case([1.0, 0.5, 2.0], [0.0, 0.0, 3.0], [True] * 3, 5.0, "nothing but a red team's", "全是红队的"),
            case([0.3, 0.3, -1.0, -1.0], [0.3, 0.3, -1.0, -1.0], [False, True, True, True], 2.0,
                 "equal scores: (1 + λ) ln 2", "得分相同：(1 + λ) ln 2"),
            case([1000.0, 0.5], [0.0, 0.0], [False, True], 2.0, "very right", "对得很远"),
            case([0.0, 0.5], [1000.0, 0.0], [False, True], 2.0, "very wrong", "错得很远"),
            case([-1000.0, 700.0], [0.0, 1700.0], [True, False], 1.0, "large scores", "得分很大"),
            case([1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [False, False, True], 0.0, "λ = 0: help alone", "λ = 0：只看有用"),
            case([1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 1.0, 2.0], [False, True, True, True], 10.0,
                 "more of a red team, λ = 10", "红队的更多，λ = 10"), *made]


def _votes(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(pair: Sequence, winner: Sequence[int], about: str, zh: str, good: int = 1, bad: int = 2) -> Case:
        return Case((torch.tensor(pair), torch.tensor(winner), good, bad), about, zh=zh)
    made = [Case((torch.randint(10, 99, (n, 2, length), generator=g), torch.randint(-1, 2, (n,), generator=g), 4, 7),
                  "random") for n, length in ((3, 4), (6, 2), (10, 5))]
    return [case([[[5, 6], [7, 8]]], [0], "the first one won", "第一条赢"),
            case([[[5, 6], [7, 8]]], [1], "the second one won", "第二条赢"),
            case([[[5, 6], [7, 8]], [[3, 4], [9, 9]]], [1, 0], "two pairs", "两对"),
            case([[[5, 6], [7, 8]], [[3, 4], [9, 9]]], [-1, 0], "a tie", "有平局"),
            case([[[5, 6], [7, 8]], [[3, 4], [9, 9]]], [-1, -1], "nothing but ties", "全是平局"),
            case([[[5, 6, 3], [7, 8, 4]]], [-1], "nothing but ties", "全是平局"),
            case([[[5, 6], [7, 8]], [[3, 4], [9, 9]], [[6, 6], [8, 3]], [[4, 5], [5, 9]]], [-1, 1, -1, 0],
                 "ties in front and in between", "开头和中间有平局"),
            case([[[5], [7]]], [1], "answers of one token; other ratings", "回答只有一个词元；评级换了", 40, 3), *made]


def _logits(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(student: Sequence, teacher: Sequence, k: int, about: str, zh: str) -> Case:
        one, other = (_real(x) for x in (student, teacher))
        return Case((one, other, k, torch.ones(one.shape[:2], dtype=torch.bool)), about, (0, 1), zh)
    made = []
    for b, t, v, k in ((2, 3, 8, 3), (3, 4, 12, 5), (2, 5, 30, 10)):
        length = torch.randint(1, t + 1, (b, 1), generator=g)
        made.append(Case((2 * torch.randn(b, t, v, generator=g), 2 * torch.randn(b, t, v, generator=g), k,
                          torch.arange(t) < length), "random", (0, 1)))
    student, teacher = torch.randn(1, 3, 6, generator=g), torch.randn(1, 3, 6, generator=g)
    holes = torch.tensor([[True, False, True]])
    nan = torch.where(holes[..., None], teacher, math.nan)
    return [case([[[0.0] * 4]], [[[2.0, 1.0, 0.0, -1.0]]], 1, "the likeliest alone", "只留最可能的一个"),
            case([[[0.0] * 4]], [[[2.0, 1.0, 0.0, -1.0]]], 4, "every token has its bin", "每个词元都有自己的格子"),
            case([[[3.0, 2.0, 1.0, 0.0]]], [[[2.0, 1.0, 0.0, -1.0]]], 2, "a shift of the logits: 0", "logit 平移：0"),
            case([[[0.0, 5.0, 1.0, 0.0]]], [[[0.0, 1.0, 5.0, 0.0]]], 2, "the student's likeliest are others",
                 "学生最可能的是别的词元"),
            case([[[0.0, 300.0, 0.0]]], [[[300.0, 0.0, 0.0]]], 1, "large logits", "很大的 logit"),
            case([[[60.0, 0.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.0]]], [[[1.0, 0.5, 0.0, 0.0], [0.0, 1.5, 0.0, 1.0]]], 1,
                 "the student is all but certain, the teacher is not", "学生几乎十拿九稳，老师不是"),
            case([[[0.0] * 5, [1.0, 0.0, 0.0, 0.0, 0.0]]], [[[1.0, 2.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 1.0, 0.5]]], 3,
                 "two tokens", "两个词元"),
            Case((student, teacher, 2, holes), "a hole in the mask", (0, 1), "掩码中间有空"),
            Case((student, nan, 2, holes), "NaN in the padding", (), "填充处有 NaN"), *made]


def _wins(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(score: Sequence[float], base: Sequence[float], beats: Sequence[float], about: str, zh: str) -> Case:
        return Case(tuple(map(_real, (score, base, beats))), about, zh=zh)
    made = [Case((torch.randn(n, generator=g) + 0.5, torch.randn(n, generator=g),
                  torch.cat([torch.tensor([0.0, 1.0]), torch.randint(0, 3, (n - 2,), generator=g) / 2])), "random")
            for n in (6, 12, 40)]
    return [case([1.0, 1.0], [1.0, 1.0], [1.0, 0.0], "equal scores: one half, 0 points", "得分相同：一半，0 分"),
            case([3.0, 0.0], [0.0, 3.0], [1.0, 0.0], "one far above, one far below", "一个高很多，一个低很多"),
            case([1.0], [0.0], [0.5], "a tie", "有平局"),
            case([80.0, 0.0, 0.0], [0.0, 80.0, 0.0], [1.0, 0.0, 0.5], "very sure", "非常肯定"),
            case([4 + i / 50 for i in range(200)], [i / 90 for i in range(200)], [1.0] * 199 + [0.5],
            "it nearly always wins",
            "几乎总是赢"),
            case([-4 - i / 50 for i in range(200)], [-i / 90 for i in range(200)], [0.0] * 199 + [0.5],
            "it hardly ever wins",
            "几乎从来不赢"),
            case([0.0, -1.0, 0.5], [2.0, 1.0, 1.5], [0.0, 0.0, 0.5], "the baseline is better", "基线更好"),
            case([5.0, 5.0, 5.0, -5.0], [0.0] * 4, [1.0, 0.5, 0.5, 1.0], "surer than right", "比实际更有把握"), *made]


def _halves(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(train: Sequence[float], test: Sequence[float], of_train: Sequence[float], of_test: Sequence[float],
             most: float, about: str, zh: str) -> Case:
        return Case((*map(_real, (train, test, of_train, of_test)), most), about, zh=zh)
    made = []
    for s, m in ((6, 3), (10, 5), (24, 8)):
        made.append(Case((torch.linspace(0, 3, s) + 0.3 * torch.randn(s, generator=g),
                          torch.linspace(0, 1.5, s) + 0.3 * torch.randn(s, generator=g) - 2.0,
                          torch.randn(m, generator=g) + 1, torch.randn(m + 1, generator=g) - 1, 0.5), "random"))
    zero = [0.0, 0.0]
    return [case([0.0, 1.0, 2.0], [0.0, 0.5, 0.5], zero, zero, 0.25, "means of 0", "均值都是 0"),
            case([5.0, 6.0, 8.0], [0.0, 1.0, 2.0], [5.0, 5.0], zero, 0.5, "one scale lies higher", "一个标尺整体偏高"),
            case([0.0, 1.0, 2.0], [-3.0, -2.5, -2.0], [1.0, -1.0], [-4.0, -2.0], 0.75, "one scale lies lower",
                 "一个标尺整体偏低"),
            case([0.0, 2.0, 1.0, 3.0], [0.0, 0.5, 1.0, 1.0], zero, zero, 0.5, "above, below, and above again",
                 "高了，又低了，再高"),
            case([0.0, 1.0, 1.5, 2.0, 0.0, 1.5, 2.0], [0.0] * 7, zero, zero, 0.75,
                 "above for three steps, below, and above again", "连高三步，又低了，再高"),
            case([0.0, 1.0, 2.0, 0.5], [0.0] * 4, zero, zero, 0.75, "above, and below at the end", "高了，最后又低了"),
            case([0.0, 1.0, 2.0], [0.0, 0.5, 1.5], zero, zero, 0.5, "exactly as much does not count", "刚好等于不算"),
            case([1.0, 2.0], [0.0, 0.0], zero, zero, 0.5, "apart from the beginning", "一开始就分开"),
            case([1.0, 2.0, 3.0], [1.0, 2.0, 3.5], zero, zero, 0.5, "never apart", "从来没有分开"),
            case([0.0, 1.0, 0.5], [0.0, 2.0, 1.5], zero, [1.0, 2.0, 6.0], 2.5, "the test model's score is higher",
                 "测试模型的分更高"),
            case([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], [10.0, 0.0, 2.0], [0.0, 3.0], 0.1, "the middle is not the mean",
                 "中位数不是平均"),
            case([2.0], [1.0], [1.0], [1.0], 0.0, "one step", "一步"), *made]


def _drift(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(kl: Sequence[float], score: Sequence[float], first: int, about: str, zh: str) -> Case:
        return Case((_real(kl), _real(score), first), about, zh=zh)
    made = []
    for s, first in ((8, 5), (12, 12), (30, 15)):
        kl = 6 * torch.rand(s, generator=g, dtype=torch.float64) + torch.arange(s) / 4 - 0.5
        made.append(Case((kl, kl.clamp(min=0).sqrt() + 0.3 * torch.randn(s, generator=g), first), "random"))
    return [case([0.0, 1.0, 4.0, 9.0, 16.0], [1.0, 3.0, 5.0, 7.0, 9.0], 5, "a line along √KL", "沿 √KL 是直线"),
            case([0.0, 1.0, 2.0, 3.0], [0.5, 1.0, 1.5, 2.0], 4, "a line along the KL", "沿 KL 是直线"),
            case([-0.25, 0.25, 1.0, 2.25], [0.0, 0.5, 1.5, 2.0], 4, "an estimate below 0", "有一个估计小于 0"),
            case([-1.0, -0.5, 1.0, 4.0, 4.5, 5.0], [0.25, 0.0, 1.0, 2.0, 1.5, 9.0], 5,
                 "two estimates below 0, one step too many", "两个估计小于 0，多出一步"),
            case([0.0, 1.0, 4.0, 9.0, 9.0, 9.0], [0.0, 1.0, 2.0, 3.0, 2.0, 1.0], 4, "the rest turns down",
                 "后面掉头向下"),
            case([9.0, 1.0, 4.0], [1.0, 3.0, 2.5], 3, "three steps, falling", "三步，向下"),
            case([2.0, 2.5, 3.0, 3.5], [10.0, 10.5, 10.5, 11.0], 4, "far from 0", "离 0 很远"), *made]


EXERCISES = (
    Exercise("5b.1", "what_counts", ("picked", "strength", "red_team"), what_counts,
             Case((torch.tensor([0, 1, 1, 0]), torch.tensor([2, 3, 0, 1]), torch.tensor([False, True, False, True]))),
             _picks, MISTAKES["5b.1"], points=1),
    Exercise("5b.2", "article_mended", ("good", "bad", "red_team", "lam"), article_mended,
             Case((torch.tensor([2.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0]), torch.tensor([False, False, True]),
                   2.0), gradient=(0, 1)), _losses, MISTAKES["5b.2"], points=2),
    Exercise("5b.3", "rated", ("pair", "winner", "good", "bad"), rated,
             Case((torch.tensor([[[5, 6], [7, 8]]]), torch.tensor([1]), 1, 2)), _votes, MISTAKES["5b.3"], points=2),
    Exercise("5b.4", "in_bins", ("student", "teacher", "k", "mask"), in_bins,
             Case((torch.zeros(1, 1, 4), torch.tensor([[[0.5, 0.25, 0.15, 0.1]]]).log(), 2,
                   torch.tensor([[True]])), gradient=(0, 1)), _logits, MISTAKES["5b.4"], points=3),
    Exercise("5b.5", "won", ("score", "baseline", "beats"), won,
             Case((torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.5]))), _wins,
             MISTAKES["5b.5"], points=2, results=("predicted", "measured", "elo_predicted", "elo_measured"),
             exact=True),
    Exercise("5b.6", "apart", ("train", "test", "train_heldout", "test_heldout", "most"), apart,
             Case((torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 2.0]),
                   torch.tensor([-1.0, 1.0]), 0.4)), _halves, MISTAKES["5b.6"], points=2, results=("gap", "parted")),
    Exercise("5b.7", "root_kl_fit", ("kl", "score", "first"), root_kl_fit,
             Case((torch.tensor([0.0, 1.0, 4.0, 9.0]), torch.tensor([1.0, 3.0, 5.0, 7.0]), 4)), _drift,
             MISTAKES["5b.7"], points=3, results=("slope", "r2", "r2_kl"), exact=True),
)
