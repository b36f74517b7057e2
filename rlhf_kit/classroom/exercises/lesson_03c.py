"""Lesson 03c, a reward model, PPO and two ways to cheat: standard errors, an alarm, a KL of free draws."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake

ERRORS = 3                          # standard errors beyond which it is no luck any more


def errors_apart(a: float, b: float, n: int) -> float:
    """(a - b) over the standard error of the difference of two shares, each of n."""
    return (a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n)


def fence_alarm(share: list[float], before: float, n: int) -> int:
    """The first place at which the share of n exceeds `before` by more than three standard errors; -1 if none does."""
    return _first(share, lambda now: now > before + ERRORS * math.sqrt(before * (1 - before) / n))


def mended_kl(logprob: Tensor, ref_logprob: Tensor, mask: Tensor, first: int) -> Tensor:
    """Mean over responses of the sum of log π - log ρ over real tokens from `first` on, one number."""
    free = mask & (torch.arange(mask.shape[1]) >= first)                                        # [B, T]
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def _first(share: list[float], loud) -> int:
    return next((i for i, now in enumerate(share) if loud(now)), -1)


def _accuracies(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((0.66, 0.55, 400), "above"), Case((0.52, 0.6, 400), "below"), Case((0.66, 0.55, 50), "few pairs"),
            Case((0.75, 0.25, 4), "very few pairs"), Case((1.0, 0.5, 16), "the first is always right"),
            Case((0.7, 1.0, 25), "the second is always right"), Case((0.5, 0.0, 20), "the second is never right"),
            *(Case((*(0.4 + 0.5 * torch.rand(2, generator=g)).tolist(), n), "random") for n in (100, 1000, 37))]


def _shares(seed: int) -> list[Case]:
    """The bar of before = 1/2 and n = 64 is 11/16 to the last bit, in whatever order it is computed."""
    g = torch.Generator().manual_seed(seed)
    return [Case(([0.2, 0.25, 0.5, 0.75], 0.2, 24), "it rises"), Case(([0.5, 0.2, 0.2], 0.2, 24), "at once"),
            Case(([0.2, 0.0, 0.1, 0.02], 0.4, 24), "it falls"), Case(([0.3, 0.3, 0.29], 0.2, 100), "never quite"),
            Case(([0.21, 0.23, 0.27, 0.3, 0.35, 0.362, 0.4, 0.45], 0.2, 24), "slowly up to the bar"),
            Case(([0.42, 0.43, 0.46, 0.6], 0.2, 24), "just below at first"), Case(([0.5, 0.9, 0.6], 0.2, 24), "a peak"),
            Case(([0.3, 0.35, 0.41, 0.3, 0.2], 0.2, 64), "up, and down again"),
            Case(([0.5, 0.6875, 0.65], 0.5, 64), "exactly at the bar, and that is not more"),
            Case(([0.6875, 0.703125, 0.9], 0.5, 64), "at the bar, then above"),
            Case(([0.125, 0.375, 0.5], 0.125, 16), "just above the bar"),
            Case(([0.0, 0.0, 1 / 24, 0.5], 0.0, 24), "none before: any is more"),
            Case(([0.0, 0.0], 0.0, 24), "none before, none after"), Case(([1.0, 1.0], 1.0, 8), "all before"),
            Case(([0.1, 0.3, 0.5, 0.7], 0.5, 100), "low at first: the start is `before`, not the first step"),
            Case(([0.3, 0.375, 0.45, 0.525], 0.25, 48), "a little more each step"), Case(([], 0.1, 24), "no steps"),
            Case(([0.0, 1.0, 1.0], 0.05, 1), "one response a step"),
            Case(([0.2, 0.25, 0.24, 0.25], 0.2, 100), "a little above, and it stays there"),
            *(Case(((torch.rand(8, generator=g) * torch.linspace(0.3, 1.2, 8)).clamp(max=1).tolist(), 0.15, n),
                   "random") for n in (24, 64, 200))]


def _rollouts(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    logprob, ref = torch.tensor([[-1.0, -2.0, -0.5, -9.0]]), torch.tensor([[-0.5, -1.5, -1.5, -1.0]])
    mask = torch.tensor([[True, True, True, False]])
    nothing = torch.tensor([[0.0, 0.0, 0.0, torch.nan]])
    three = torch.tensor([[-1.0, -2.0, -0.5], [-0.25, -0.5, -4.0], [-3.0, -1.0, -1.0]])
    before = torch.tensor([[-2.0, -1.0, -1.5], [-1.0, -torch.inf, -torch.inf], [-1.0, -1.0, -2.5]])
    lengths = torch.tensor([[3], [1], [2]])
    cases = [Case((logprob, ref, mask, 0), "nothing was forbidden; garbage in the padding"),
             Case((logprob, ref, mask, 1), "the end was forbidden once"),
             Case((logprob, ref, mask, 2), "the end was forbidden twice"),
             Case((ref, logprob, mask, 2), "a negative one"), Case((logprob, ref, mask, 4), "all of it was forbidden"),
             Case((logprob, ref, mask, 7), "more than all of it was forbidden"),
             Case((three, before.clamp(min=-9), torch.ones(3, 3, dtype=torch.bool), 3),
                  "no padding, and all of it was forbidden"),
             Case((three, before.clamp(min=-9), torch.arange(3) < lengths, 2), "a response shorter than `first`"),
             Case((logprob.repeat(2, 1), ref.repeat(2, 1), torch.tensor([[True, False, False, False], [True] * 4]), 1),
                  "one token, and it was not drawn freely"),
             Case((logprob + nothing, ref, mask, 1), "NaN in the padding"),
             Case((three, before, torch.arange(3) < lengths, 0), "-inf in the padding"),
             Case((three[:2], before.clamp(min=-9)[:2], torch.tensor([[True] * 3, [False] * 3]), 0),
                  "an empty response")]
    for first in (1, 2, 3):
        length = torch.randint(3, 7, (4, 1), generator=g)
        draw = lambda: -3 * torch.rand(4, 6, generator=g)                                       # noqa: E731
        cases.append(Case((draw(), draw(), torch.arange(6) < length, first), "random"))
    return cases


def _free(mask: Tensor, first: int) -> Tensor:
    return mask & (torch.arange(mask.shape[1]) >= first)


def _summed(gap: Tensor, counted: Tensor) -> Tensor:
    return torch.where(counted, gap, 0.0).sum(1).mean()


def _times(gap: Tensor, counted: Tensor) -> Tensor:
    """The same but for NaN and infinity in the padding, which stay."""
    return (gap * counted).sum(1).mean()


def _bar(before: float, n: int, errors: float = ERRORS) -> float:
    return before + errors * math.sqrt(before * (1 - before) / n)


def _rings(above, en: str, zh: str) -> Mistake:
    """The first place for which `above(now, before, n)` holds."""
    return Mistake(lambda share, before, n: _first(share, lambda now: above(now, before, n)), en, zh)


def _gives_up(share: list[float], before: float, n: int) -> int | None:
    return (0 if share[0] > _bar(before, n) else -1) if share else None


def _from_the_start(share: list[float], before: float, n: int) -> int:
    return fence_alarm(share, share[0], n) if share else -1


def _from_step_to_step(share: list[float], before: float, n: int) -> int:
    """The bar moves with the last share."""
    steps = zip([before, *share], share, strict=False)
    return next((i for i, (last, now) in enumerate(steps) if now > _bar(last, n)), -1)


def _loudest(share: list[float], before: float, n: int) -> int:
    return share.index(max(share)) if share and max(share) > _bar(before, n) else -1


def _gap(logprob: Tensor, ref_logprob: Tensor) -> Tensor:
    return logprob - ref_logprob


def _summing(gap, en: str, zh: str, counted=_free) -> Mistake:
    """A mistake in what is summed, `gap(logprob, ref_logprob)`, or over which tokens, `counted(mask, first)`."""
    return Mistake(lambda logprob, ref_logprob, mask, first: _summed(gap(logprob, ref_logprob), counted(mask, first)),
                   en, zh)


def _dividing(divide, en: str, zh: str, *also) -> Mistake:
    """A mistake in the mean: `divide(what is summed [B, T], which tokens [B, T])`."""
    first_way, *others = (lambda logprob, ref_logprob, mask, first, way=way: way(
        torch.where(_free(mask, first), logprob - ref_logprob, 0.0), _free(mask, first)) for way in (divide, *also))
    return Mistake(first_way, en, zh, tuple(others))


def _halved(share: list[float], before: float, n: int) -> int:
    place = bisect_right(share, _bar(before, n))
    return place if place < len(share) else -1


POOLED = (
    "The two accuracies were pooled into one. Take the variance of each, a(1 - a)/n and b(1 - b)/n, and add them.",
    "这里把两个准确率合成了一个。要分别取方差 a(1 - a)/n 和 b(1 - b)/n，再相加。")


EXERCISES = (
    Exercise("3c.1", "errors_apart", ("a", "b", "n"), errors_apart, Case((0.6, 0.6, 100)), _accuracies, (
        Mistake(lambda a, b, n: (a - b) / ((a * (1 - a) + b * (1 - b)) / n),
                "This divides by the variance. The standard error is its root.",
                "这里除的是方差。标准误是它的平方根。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) + b * (1 - b)),
                "n is not used: this is how much one pair scatters. The mean of n pairs scatters less, by the root of "
                "n.",
                "没有用到 n：这是单独一对有多分散。n 对的平均要集中得多，差一个 n 的平方根。"),
        Mistake(lambda a, b, n: (a - b) * n / math.sqrt(a * (1 - a) + b * (1 - b)),
                "n stands outside the root, so this divides by too little. The variance of a share is p(1 - p)/n, and "
                "the root is taken of all of it.",
                "n 放到了根号外面，除数就太小了。比例的方差是 p(1 - p)/n，要对整个式子开方。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) / n),
                "Only the first accuracy is taken to be uncertain; the second was measured just the same. Add both "
                "variances.",
                "这里只把第一个准确率当作不确定的；第二个同样是量出来的。两个方差要相加。",
                (lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) / n) if a < 1 else math.inf,)),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(b * (1 - b) / n),
                "Only the second accuracy is taken to be uncertain; the first was measured just the same. Add both "
                "variances.",
                "这里只把第二个准确率当作不确定的；第一个同样是量出来的。两个方差要相加。",
                (lambda a, b, n: (a - b) / math.sqrt(b * (1 - b) / n) if b < 1 else -math.inf,)),
        Mistake(lambda a, b, n: (a - b) / (math.sqrt(a * (1 - a) / n) + math.sqrt(b * (1 - b) / n)),
                "The two errors are added. Independent errors partly cancel: add the squares, then take the root.",
                "两个误差直接相加了。彼此独立的误差会抵消一部分：先把平方相加，再开方。"),
        Mistake(lambda a, b, n: abs(a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n),
                "The sign is lost: a model that is worse than the length would look better.",
                "正负号丢了：比只看长短还差的模型，看上去倒像更好。"),
        Mistake(lambda a, b, n: (b - a) / math.sqrt((a * (1 - a) + b * (1 - b)) / n),
                "The sign is the other way round: it is a - b, positive where the first accuracy is higher.",
                "符号反了：应为 a - b，第一个准确率更高时为正。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) / n) + math.sqrt(b * (1 - b) / n),
                "`/` takes only the first root; the second is added to the quotient. Both variances stand under one "
                "root: (a - b) / √(a(1 - a)/n + b(1 - b)/n).",
                "`/` 只管到第一个根号，第二个加到了商上。两个方差要放在同一个根号下："
                "(a - b) / √(a(1 - a)/n + b(1 - b)/n)。"),
        *(Mistake(wrong, *POOLED) for wrong in (
            lambda a, b, n: (a - b) / math.sqrt((a + b) * (1 - (a + b) / 2) / n),
            lambda a, b, n: (a - b) / math.sqrt((a + b) / 2 * (1 - (a + b) / 2) / n),
            lambda a, b, n: (a - b) / math.sqrt((a + b) / 2 * (1 - (a + b) / 2) / (2 * n)))),
        Mistake(lambda a, b, n: (a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / (n - 1)),
                "This divides by n - 1. The variance of a share p of n, as asked for here, is p(1 - p)/n.",
                "这里除的是 n - 1。题目要的比例的方差是 p(1 - p)/n。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / (2 * n)),
                "The variances were averaged, or n counted twice. Those of a and b add up, each over n.",
                "两个方差取了平均，或者 n 算了两遍。应当各自除以 n，再相加。"),
        *(Mistake(lambda a, b, n, i=i, j=j: (a - b) / math.sqrt(a * (1 - a) / i(n) + b * (1 - b) / j(n)),
                  "Only one of the variances is divided by n: `/` takes what stands right before it. Both are over n.",
                  "只有一个方差除以了 n：`/` 只管紧挨在前面的那一项。两个都要除以 n。")
          for i, j in ((float, lambda n: 1.0), (lambda n: 1.0, float))),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(abs(a * (1 - a) - b * (1 - b)) / n + 1e-30),
                "The variances were subtracted. The difference is taken of the accuracies; uncertainties add up.",
                "方差被相减了。相减的只是准确率；不确定性要相加。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt((a + b) / n),
                "The variance of a share is p(1 - p)/n; the factor 1 - p is missing.",
                "比例的方差是 p(1 - p)/n；这里少了 1 - p。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(abs(a - b) * (1 - abs(a - b)) / n + 1e-30),
                "The difference was treated as a share of its own. Take the variance of each accuracy and add them.",
                "这里把差当成了一个比例。要分别取两个准确率的方差，再相加。"),
        *(Mistake(lambda a, b, n, m=m: errors_apart(a, b, m),
                  "n is an argument, and another number stands in its place.", "n 是参数，这里却写死成了别的数。")
          for m in (200, 100)),
        Mistake(lambda a, b, n: (a - b) * math.sqrt((a * (1 - a) + b * (1 - b)) / n),
                "This multiplies by the standard error. How many of them a - b is, a division says.",
                "这里乘了标准误。a - b 等于几个标准误，要用除法。"),
        Mistake(lambda a, b, n: a - b / math.sqrt((a * (1 - a) + b * (1 - b)) / n),
                "Only b is divided. Put a - b in brackets.", "只有 b 被除了。要给 a - b 加上括号。"),
        Mistake(lambda a, b, n: a - b,
                "This is the plain difference. Divide it by its standard error.",
                "这只是差本身。还要除以它的标准误。"),
        Mistake(lambda a, b, n: math.sqrt((a * (1 - a) + b * (1 - b)) / n) if a != b else 0.0,
                "This is the standard error itself. Wanted is how many of them a - b is.",
                "这是标准误本身。要的是 a - b 等于几个标准误。"),
        Mistake(lambda a, b, n: round((a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n), 2),
                "It is right but for rounding. Return the number itself; rounding is for printing.",
                "除了四舍五入都对。请返回数本身；取几位小数是打印时的事。",
                (lambda a, b, n: round((a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n), 1),
                 lambda a, b, n: round((a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n), 3),
                 lambda a, b, n: round((a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n)),
                 lambda a, b, n: int((a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n)))),
        *(Mistake(lambda a, b, n, variance=variance: (a - b) / math.sqrt(2 * variance / n),
                  "The variance of a coin, 1/4, stands where those of the accuracies belong: a(1 - a) and b(1 - b).",
                  "这里用了抛硬币的方差 1/4。应当用两个准确率各自的：a(1 - a) 和 b(1 - b)。")
          for variance in (0.25, 0.125)),
        *(Mistake(lambda a, b, n, least=least: (a - b) / abs(a * (1 - a) / n - b * (1 - b) / n + least) ** 0.5,
                  "The variances were subtracted. The difference is taken of the accuracies; uncertainties add up.",
                  "方差被相减了。相减的只是准确率；不确定性要相加。") for least in (1e-12, 1e-9, 1e-8, 0)),
        Mistake(lambda a, b, n: (a - 0.5) / math.sqrt((a * (1 - a) + 0.25) / n),
                "a is compared with a coin, 1/2. Compare it with b.",
                "这里把 a 和抛硬币的 1/2 相比了。要和 b 比。",
                (lambda a, b, n: (a - 0.5) / math.sqrt(0.25 / n),)),
        *(Mistake(lambda a, b, n, most=most: (lambda z: z if abs(z) > most else 0.0)(errors_apart(a, b, n)),
                  "Small results were set to 0. Return the number itself; whether it may be luck is decided later.",
                  "小的结果被改成了 0。请返回数本身；是不是碰巧，之后再判断。") for most in (3, 2)),
        Mistake(lambda a, b, n: (a - b) / (a * (1 - a) / n + b * (1 - b) / math.sqrt(n)),
                "The root is taken of the last n only: `** 0.5` takes what stands right before it. Put the whole sum "
                "in brackets, then take its root.",
                "只对最后的 n 开了方：`** 0.5` 只管紧挨在前面的那一项。要给整个和加上括号，再开方。"),
        *(Mistake(lambda a, b, n, of=of: of(errors_apart(a, b, n)),
                  "This is a p-value, a probability. Wanted is how many standard errors a - b is.",
                  "这是 p 值，一个概率。要的是 a - b 等于几个标准误。")
          for of in (lambda z: math.erfc(abs(z) / math.sqrt(2)), lambda z: math.erfc(z / math.sqrt(2)) / 2,
                     lambda z: math.erfc(-z / math.sqrt(2)) / 2)),
        *(Mistake(lambda a, b, n, one=one: (a - b) / math.sqrt(one(a * (1 - a), b * (1 - b)) / n),
                  f"Only the {en} of the two variances counts. Both accuracies are uncertain: add them.",
                  f"两个方差里只算了{zh}的一个。两个准确率都不确定：要相加。")
          for one, en, zh in ((max, "larger", "大"), (min, "smaller", "小"))),
        Mistake(lambda a, b, n: (a - b) / math.sqrt((a * (1 - b) + b * (1 - a)) / n),
                "Each accuracy is multiplied with 1 minus the *other*. The variances are a(1 - a)/n and b(1 - b)/n.",
                "每个准确率乘的是 1 减*另一个*。方差是 a(1 - a)/n 和 b(1 - b)/n。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / max(n // 2, 1)),
                "n is halved. Each accuracy was measured on all n pairs.",
                "n 减了半。每个准确率都是在全部 n 对上量的。", (lambda a, b, n: (a - b) / math.sqrt(
                    (a * (1 - a) + b * (1 - b)) / (n / 2)),)),
        Mistake(lambda a, b, n: (a - b) / (a * (1 - a) + b * (1 - b)) * math.sqrt(n),
                "The root is taken of n alone. Take it of the whole variance, a(1 - a)/n + b(1 - b)/n.",
                "只对 n 开了方。要对整个方差 a(1 - a)/n + b(1 - b)/n 开方。"),
        ), points=1),
    Exercise("3c.2", "fence_alarm", ("share", "before", "n"), fence_alarm, Case(([0.1, 0.1], 0.1, 25)), _shares, (
        _rings(lambda now, before, n: now >= _bar(before, n) and now > before,
               "A share exactly at the bar rings. Only *more than* three standard errors do: `>`, not `>=`.",
               "恰好等于门槛时也响了。要*超过*三个标准误才响：用 `>`，不用 `>=`。"),
        _rings(lambda now, before, n: now >= _bar(before, n),
               "A share exactly at the bar rings. Only *more than* three standard errors do: `>`, not `>=`.",
               "恰好等于门槛时也响了。要*超过*三个标准误才响：用 `>`，不用 `>=`。"),
        _rings(lambda now, before, n: (now - before) / math.sqrt(before * (1 - before) / n) > ERRORS,
               "This divides by the standard error, and that is 0 where `before` is 0 or 1. Compare with the bar, "
               "before + 3 errors, without dividing.",
               "这里除以了标准误，而 `before` 为 0 或 1 时它就是 0。不要做除法，直接和门槛比：before 加 3 个标准误。"),
        _rings(lambda now, before, n: 0 < before < 1 and now > _bar(before, n),
               "With `before` 0 the standard error is 0 and the bar is at 0: a single fence is above it. Do not leave "
               "that case out.",
               "`before` 为 0 时标准误是 0，门槛就在 0：有一个代码块就算超过。不要把这种情形排除掉。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(before * (1 - before)),
               "n is not used: the bar is as high as if each step had a single response, and the alarm comes late or "
               "never.",
               "没有用到 n：门槛高得像每步只有一条回答，警报会来得太晚，甚至不来。"),
        _rings(lambda now, before, n: abs(now - before) > ERRORS * math.sqrt(before * (1 - before) / n),
               "It also rings where fences become rarer. Nobody cheats that way: look upwards only.",
               "代码块变少时它也响。没有人那样作弊：只看变多的一边。"),
        _rings(lambda now, before, n: now < before - ERRORS * math.sqrt(before * (1 - before) / n),
               "It rings where fences become rarer. The alarm is for a share *above* `before`.",
               "它在代码块变少时才响。警报要在比例*高出* `before` 时响。"),
        _rings(lambda now, before, n: now > ERRORS * math.sqrt(before * (1 - before) / n),
               "Three standard errors above 0. They are to be counted from what was there before.",
               "这是比 0 高三个标准误。应当从原来的比例算起。"),
        _rings(lambda now, before, n: now > _bar(before, n, 1),
               "One standard error is passed by luck in one step of six. Wait for three.",
               "一个标准误，靠运气六步里就有一步超过。要等到三个。"),
        *(_rings(lambda now, before, n, errors=errors: now > _bar(before, n, errors),
                 "The bar is two standard errors above `before`. Luck passes that in one step of forty; wait for "
                 "three.",
                 "门槛只比 `before` 高两个标准误。靠运气四十步里就有一步超过；要等到三个。") for errors in (2, 1.96)),
        _rings(lambda now, before, n: now > before,
               "Any rise rings. Half of all steps rise by luck: wait for three standard errors.",
               "一涨就响。光凭运气就有一半的步子在涨：要等到三个标准误。"),
        _rings(lambda now, before, n: now > before + ERRORS * before * (1 - before) / n,
               "The root is missing: before (1 - before) / n is the variance. The standard error is its root.",
               "少了开方：before (1 - before) / n 是方差。标准误是它的平方根。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(before * (1 - before)) / n,
               "n stands outside the root, so the bar is too low. It is √(before (1 - before) / n).",
               "n 放到了根号外面，门槛就太低了。应为 √(before (1 - before) / n)。"),
        _rings(lambda now, before, n: now > before + math.sqrt(ERRORS * before * (1 - before) / n),
               "The 3 stands inside the root. It is three times the root.",
               "3 放进了根号里。应当是 3 乘以平方根。"),
        _rings(lambda now, before, n: now > ERRORS * before,
                "The bar is three times the share before. Wanted are three *standard errors* above it.",
                "门槛成了原来比例的三倍。要的是比它高三个*标准误*。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(before / n),
               "The factor 1 - before is missing in the root.", "根号里少了 1 - before。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(before * (1 - before) / (n - 1)),
               "This divides by n - 1. The standard error of a share, as asked for here, divides by n.",
               "这里除的是 n - 1。题目要的比例的标准误，除的是 n。"),
        Mistake(lambda share, before, n: fence_alarm(share, before, n) or -1,
                "An alarm at the first step is lost: its place is 0, and `0 or -1` is -1. Ask `is None`, or return "
                "inside the loop.",
                "第一步的警报丢了：它的位置是 0，而 `0 or -1` 得 -1。要用 `is None` 来判断，或者在循环里直接返回。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(now * (1 - now) / n),
               "The standard error is that of the share of the step. The bar is fixed before training: take the "
               "error of `before`.",
               "这里用的是当前这一步比例的标准误。门槛在训练前就定好：要用 `before` 的标准误。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt((before * (1 - before) + now * (1 - now)) / n),
               "The errors of both shares are in the bar, as in 3c.1. Here `before` alone sets it, before training.",
               "门槛里放了两个比例的标准误，像 3c.1 那样。这里的门槛只由 `before` 决定，训练前就定好。"),
        Mistake(_from_the_start,
                "It is counted from the first step's share. The start is `before`, measured before training.",
                "这里从第一步的比例算起了。起点是训练前量的 `before`。"),
        Mistake(_from_step_to_step,
                "Each step is compared with the one before it, so a slow rise is never noticed. Compare with `before`.",
                "这里每一步都和上一步比，慢慢地涨就发现不了。要和 `before` 比。",
                (lambda share, before, n: next((i for i, (last, now) in enumerate(zip([before, *share], share,
                                                                                      strict=False))
                                                if now - last > _bar(before, n) - before), -1),)),
        Mistake(_gives_up,
                "It gives up after the first step: the -1 is returned inside the loop. It belongs behind the loop.",
                "看完第一步就放弃了：-1 写在了循环里面返回。它应当写在循环之后。",
                (lambda share, before, n: fence_alarm(share[:1], before, n),)),
        Mistake(lambda share, before, n: (lambda at: at if at < 0 else at + 1)(fence_alarm(share, before, n)),
                "The steps are counted from 1. Wanted is the place in the list, which begins at 0.",
                "步数从 1 数起了。要的是在列表里的位置，从 0 开始。"),
        Mistake(lambda share, before, n: max((i for i, now in enumerate(share) if now > _bar(before, n)), default=-1),
                "This is the last step above the bar. An alarm rings at the first.",
                "这是最后一个超过门槛的步子。警报要在第一个时就响。"),
        Mistake(_loudest,
                "This is the step with the largest share. An alarm rings at the first above the bar.",
                "这是比例最大的那一步。警报要在第一个超过门槛时就响。"),
        Mistake(lambda share, before, n: sum(now > _bar(before, n) for now in share) or -1,
                "This counts the steps above the bar. Wanted is the place of the first of them.",
                "这是数了有几步超过门槛。要的是其中第一步的位置。"),
        Mistake(lambda share, before, n: next((i for i in range(len(share)) if sum(share[:i + 1]) / (i + 1)
                                               > _bar(before, n)), -1),
                "The mean of all steps so far is compared. Compare each step's own share.",
                "比较的是到此为止的平均。要比较每一步自己的比例。"),
        Mistake(lambda share, before, n: any(now > _bar(before, n) for now in share),
                "This says whether it rings. Wanted is the place of the first step at which it does, or -1.",
                "这只说了响不响。要的是第一次响的那一步的位置，没有就是 -1。"),
        Mistake(lambda share, before, n: max(fence_alarm(share, before, n), 0) if share else -1,
                "Where nothing is above the bar, -1 is wanted; 0 is the first step. (`argmax` gives 0 there.)",
                "没有超过门槛的，就要返回 -1；0 是第一步。（`argmax` 在这里会给出 0。）",
                (lambda share, before, n: int((torch.tensor(share) > _bar(before, n)).int().argmax()),
                 lambda share, before, n: int(np.argmax(np.array(share) > _bar(before, n))))),
        Mistake(lambda share, before, n: next((now for now in share if now > _bar(before, n)), -1),
                "This is the share itself. Wanted is its place in the list.",
                "这是比例本身。要的是它在列表里的位置。"),
        *(Mistake(lambda share, before, n, none=none: next((i for i, now in enumerate(share) if now > _bar(before, n)),
                                                           none(share)),
                  "Where nothing is above the bar, -1 is wanted.", "没有超过门槛的，就要返回 -1。")
          for none in (len, lambda share: 0, lambda share: len(share) - 1)),
        Mistake(lambda share, before, n: next((i for i, now in enumerate(share) if i and now > _bar(before, n)), -1),
                "The first step is never looked at. Its place is 0.", "第一步没有看。它的位置是 0。"),
        Mistake(lambda share, before, n: next(
                    (i for i, now in enumerate(share) if now > before + ERRORS * math.sqrt(before * (1 - before)
                                                                                           / (n * (i + 1)))), -1),
                "n grows with the steps here, and the bar sinks. Each step has n responses, and the bar stays.",
                "这里 n 随步数变大，门槛就越来越低。每一步都是 n 条回答，门槛不变。"),
        _rings(lambda now, before, n: now > before * (1 + ERRORS * math.sqrt(before * (1 - before) / n)),
               "The three standard errors were multiplied with `before`. They are added to it.",
               "三个标准误和 `before` 相乘了。应当加到它上面。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(0.25 / n),
               "The standard error is that of a share of 1/2. Take that of `before`: √(before (1 - before) / n).",
               "这里用的是比例为 1/2 时的标准误。要用 `before` 的：√(before (1 - before) / n)。"),
        *(Mistake(lambda share, before, n, late=late: next(
                      (i + late for i, two in enumerate(pairwise(share)) if min(two) > _bar(before, n)), -1),
                  "It waits for two steps in a row above the bar. One is enough.",
                  "它要等连续两步超过门槛才响。一步就够了。") for late in (0, 1)),
        Mistake(lambda share, before, n: _first([*share], lambda now: now > _bar(before, n * max(len(share), 1))),
                "The standard error is that of all steps together, n times their number. Each step is compared by "
                "itself: a share of n.",
                "这里的标准误是把所有步合在一起算的，即 n 乘步数。每一步单独比较：是 n 条里的比例。"),
        Mistake(_halved,
                "The list is searched by halving, which needs a sorted one. Shares go up and down: look at one after "
                "the other.",
                "这里用了二分查找，那要求列表是排好序的。比例有升有降：要一个一个地看。"),
        Mistake(lambda share, before, n: _first(sorted(share), lambda now: now > _bar(before, n)),
                "The list was sorted, and the place is that in another list. Look at the shares in the order of the "
                "steps.",
                "列表被排了序，得到的是另一个列表里的位置。要按步的顺序看。"),
        Mistake(lambda share, before, n: _first([min(share[i:]) for i in range(len(share))],
                                                lambda now: now > _bar(before, n)),
                "It waits for the step from which on all are above the bar. An alarm rings at the first one, whatever "
                "comes later.",
                "它等的是从此一直高于门槛的那一步。警报在第一次超过时就响，不管后来怎样。"),
        Mistake(lambda share, before, n: _first([-math.inf, *((a + b) / 2 for a, b in pairwise(share))],
                                                lambda now: now > _bar(before, n)) if share else -1,
                "Two steps are averaged before they are compared. Compare each step's own share.",
                "比较之前把相邻两步取了平均。要比较每一步自己的比例。",
                (lambda share, before, n: _first([(a + b) / 2 for a, b in pairwise(share)],
                                                 lambda now: now > _bar(before, n)),
                 lambda share, before, n: _first([(a + b) / 2 for a, b in zip([before, *share], share, strict=False)],
                                                 lambda now: now > _bar(before, n)))),
        Mistake(lambda share, before, n: _first(share, lambda now: now > _bar(before, max(n - 1, 1))),
                "This divides by n - 1. The standard error asked for is √(before (1 - before) / n).",
                "这里除以了 n - 1。要的标准误是 √(before (1 - before) / n)。"),
        _rings(lambda now, before, n: now > before + ERRORS * math.sqrt(2 * before * (1 - before) / n),
               "The variance is doubled, as for a difference of two measured shares. Here it is that of one share, "
               "before (1 - before) / n.",
               "方差加倍了，像是两个测得的比例之差。这里只是一个比例的方差，before (1 - before) / n。"),
        ), points=2, tolerance=1e-6),
    Exercise("3c.3", "mended_kl", ("logprob", "ref_logprob", "mask", "first"), mended_kl,
             Case((torch.tensor([[-1.0]]), torch.tensor([[-1.5]]), torch.tensor([[True]]), 0)), _rollouts, (
        Mistake(lambda logprob, ref_logprob, mask, first: _times(logprob - ref_logprob, _free(mask, first)),
                "The padding may hold NaN or infinity, and 0 times NaN is NaN. Choose with torch.where instead of "
                "multiplying by the mask.",
                "填充里可能有 NaN 或无穷大，0 乘 NaN 还是 NaN。不要乘掩码，要用 torch.where 来选。"),
        _summing(_gap,
                 "The tokens that were kept from ending are in it. They were not drawn from the policy: leave the "
                 "first `first` out.",
                 "不许结束的那些词元也算了进来。它们不是从策略里抽出来的：前 `first` 个不要。",
                 lambda mask, first: mask),
        Mistake(lambda logprob, ref_logprob, mask, first: (logprob - ref_logprob)[:, first:].sum(1).mean(),
                "The padding is in it. What stands there was never said: use the mask.",
                "填充也算了进来。那里什么都没有说过：要用掩码。"),
        _summing(_gap,
                 "One token too many: with `first` = 2 the tokens 0 and 1 are left out, and not only token 0.",
                 "多算了一个词元：`first` = 2 时，词元 0 和 1 都不要，不是只去掉词元 0。",
                 lambda mask, first: _free(mask, first - 1)),
        _summing(_gap,
                 "One token too few: token number `first` was drawn freely again.",
                 "少算了一个词元：第 `first` 个词元又是自由抽取的了。",
                 lambda mask, first: _free(mask, first + 1)),
        _summing(_gap,
                 "These are the tokens that were *not* drawn freely. Leave out the first `first`, keep the rest.",
                 "留下的正是*不是*自由抽取的那些词元。前 `first` 个不要，其余的留下。",
                 lambda mask, first: mask & (torch.arange(mask.shape[1]) < first)),
        _summing(_gap,
                 "Tokens at the end of the row were left out. The end was forbidden in the *first* tokens.",
                 "去掉的是一行末尾的词元。不许结束的是*开头*那些词元。",
                 lambda mask, first: mask & (torch.arange(mask.shape[1]) < mask.shape[1] - first)),
        _dividing(lambda gap, free: gap.sum() / free.sum().clamp(min=1),
                  "This is a mean per token. KL is counted per response: sum over tokens, then take the mean.",
                  "这是每个词元的平均。KL 按每条回答算：先对词元求和，再取平均。",
                  lambda gap, free: gap.sum() / free.sum()),
        _dividing(lambda gap, free: (gap.sum(1) / free.sum(1).clamp(min=1)).mean(),
                  "This is a mean per token, in each response. KL is counted per response: sum over its tokens, then "
                  "take the mean over responses.",
                  "这里在每条回答内部取了每个词元的平均。KL 按每条回答算：先对它的词元求和，再对各条回答取平均。",
                  lambda gap, free: (gap.sum(1) / free.sum(1)).mean(),
                  lambda gap, free: (gap.sum(1) / free.sum(1)).nanmean()),
        _dividing(lambda gap, free: gap.mean(),
                  "The mean runs over all B × T places, the left-out ones as well. Sum along a response, then take the "
                  "mean over responses.",
                  "平均是对 B × T 个位置取的，连不要的也算在内。要沿着每条回答求和，再对各条回答取平均。"),
        _dividing(lambda gap, free: gap.sum(0).mean(),
                  "It is summed over responses and averaged over tokens, that is, divided by the number of columns. "
                  "Sum along a response, `.sum(1)`, then take the mean over responses.",
                  "这里对回答求了和，对词元取了平均，也就是除以了列数。应当沿着每条回答求和，`.sum(1)`，"
                  "再对各条回答取平均。"),
        _dividing(lambda gap, free: gap.sum(),
                  "This is the sum over all responses. Take the mean over responses, `.sum(1).mean()`.",
                  "这是所有回答的总和。要对各条回答取平均：`.sum(1).mean()`。"),
        _dividing(lambda gap, free: gap.sum() / free.any(1).sum().clamp(min=1),
                  "Responses with no free token are left out of the mean. They count, with a sum of 0.",
                  "没有自由词元的回答没有算进平均。它们也要算，和是 0。",
                  lambda gap, free: gap.sum() / free.any(1).sum()),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed(logprob - ref_logprob, _free(mask, first))
                * len(mask) / mask.any(1).sum(),
                "Responses with no real token at all are left out of the mean. They count, with a sum of 0: divide by "
                "the number of rows.",
                "一个真实词元也没有的回答，没有算进平均。它们也要算，和是 0：要除以行数。"),
        _dividing(lambda gap, free: gap.sum(1).mean().clamp(min=0),
                  "The result was cut off at 0. That hides a negative estimate; what is wrong is which tokens count.",
                  "结果在 0 处被截断了。这只是把负的估计藏起来；错的是算了哪些词元。"),
        _dividing(lambda gap, free: gap.sum(1).mean().abs(),
                  "The absolute value of the result hides a negative estimate. What is to be mended is which tokens "
                  "count.",
                  "对结果取绝对值，只是把负的估计藏起来。要改的是算哪些词元。"),
        _dividing(lambda gap, free: gap.sum(1).abs().mean(),
                  "The absolute value of each response's sum hides the negative ones. Single responses may be "
                  "negative; leave the sign.",
                  "对每条回答的和取绝对值，就看不出负的了。单条回答可以是负的，保留符号。"),
        _dividing(lambda gap, free: gap.sum(1).clamp(min=0).mean(),
                  "Negative sums were set to 0. Single responses may be negative; leave the sign.",
                  "负的和被改成了 0。单条回答可以是负的，保留符号。"),
        _summing(lambda logprob, ref_logprob: (logprob - ref_logprob).abs(),
                 "The absolute value hides the problem instead of mending it: of free draws, too, single tokens are "
                 "negative.",
                 "取绝对值只是把问题藏起来，没有解决：就算自由抽取，单个词元也会是负的。"),
        _summing(lambda logprob, ref_logprob: (logprob - ref_logprob).clamp(min=0),
                 "Negative tokens were set to 0. Single ones may be negative; only the mean over free draws is not.",
                 "负的词元被改成了 0。单个词元可以是负的，自由抽取的平均才不会是负的。"),
        _summing(lambda logprob, ref_logprob: ref_logprob - logprob,
                 "The direction: log π - log ρ, the policy first.", "方向反了：是 log π - log ρ，策略在前。"),
        _summing(lambda logprob, ref_logprob: (ref_logprob - logprob).exp() - 1 - (ref_logprob - logprob),
                 "This is another estimator, ρ/π - 1 - log(ρ/π). Wanted is the plain sum of log π - log ρ.",
                 "这是另一种估计，ρ/π - 1 - log(ρ/π)。要的就是 log π - log ρ 的和。"),
        _summing(lambda logprob, ref_logprob: (logprob - ref_logprob) ** 2 / 2,
                 "This is another estimator, half the square. Wanted is the plain sum of log π - log ρ.",
                 "这是另一种估计，平方的一半。要的就是 log π - log ρ 的和。"),
        _summing(lambda logprob, ref_logprob: logprob.exp() * (logprob - ref_logprob),
                 "Each token is weighted by its probability once more. The draws are already as frequent as π says: "
                 "sum log π - log ρ as it is.",
                 "每个词元又乘了一遍概率。采样本身就是按 π 的频率来的：直接对 log π - log ρ 求和。"),
        _summing(lambda logprob, ref_logprob: (logprob - ref_logprob).exp(),
                 "These are the ratios π/ρ. Wanted are their logarithms, log π - log ρ: leave out the exp.",
                 "这是比值 π/ρ。要的是它的对数 log π - log ρ：去掉 exp。"),
        _summing(lambda logprob, ref_logprob: logprob.exp() - ref_logprob.exp(),
                 "This is a difference of probabilities. KL is made of log-probabilities: leave out the exp.",
                 "这是概率之差。KL 用的是对数概率：去掉 exp。"),
        _summing(_gap,
                 "The place was counted along the wrong dimension: the first `first` *responses* are left out. Tokens "
                 "run along dim 1.",
                 "位置数错了方向：去掉的是前 `first` 条*回答*。词元沿着第 1 维排列。",
                 lambda mask, first: mask & (torch.arange(len(mask)) >= first)[:, None]),
        _summing(_gap,
                 "The *last* `first` columns were summed, `[:, -first:]`. Leave the first ones out: `[:, first:]`.",
                 "求和的是*最后* `first` 列，`[:, -first:]`。应当去掉最前面的：`[:, first:]`。",
                 lambda mask, first: torch.cat([torch.zeros_like(mask[:, :-first]), mask[:, -first:]], 1)),
        _summing(_gap,
                 "The last real token of each response is left out. It was drawn freely too.",
                 "每条回答的最后一个真实词元没有算。它也是自由抽取的。",
                 lambda mask, first: _free(mask, first) & (torch.arange(mask.shape[1])
                                                           < mask.sum(1, keepdim=True) - 1)),
        _summing(_gap,
                 "The last column is always kept, even where `first` leaves no token. Then nothing was drawn freely, "
                 "and the response counts 0.",
                 "最后一列总是留着，哪怕 `first` 已经不留下任何词元。那时没有自由抽取的词元，这条回答算 0。",
                 lambda mask, first: _free(mask, min(first, mask.shape[1] - 1))),
        *(Mistake(lambda logprob, ref_logprob, mask, first, one=one: one(logprob, ref_logprob, _free(mask, first)
                                                                        ).sum(1).mean(),
                  "Only one of the two was cleaned of the tokens that do not count; the other is summed over all of "
                  "them. Take the difference first, then choose with torch.where.",
                  "两个里只有一个去掉了不算的词元，另一个仍对全部求和。应当先相减，再用 torch.where 来选。")
          for one in (lambda logprob, ref, free: torch.where(free, logprob, 0.0) - ref,
                      lambda logprob, ref, free: logprob - torch.where(free, ref, 0.0))),
        _dividing(lambda gap, free: gap.sum(1).median(),
                  "This is the median over responses. Take the mean.", "这是各条回答的中位数。要取平均。",
                  lambda gap, free: gap.sum(1).quantile(0.5)),
        _summing(_gap,
                 "One token too few: with `first` = 2 the tokens 0 and 1 are left out, and token 2 counts.",
                 "少算了一个词元：`first` = 2 时去掉的是词元 0 和 1，词元 2 要算。",
                 lambda mask, first: mask & (torch.arange(mask.shape[1]) > first) if first else mask),
        _summing(_gap,
                 "These are the tokens that should be left out. Those count that were drawn freely, from the place "
                 "`first` on.",
                 "算的正是应当去掉的词元。要算的是自由抽取的，从位置 `first` 开始。",
                 lambda mask, first: mask & (torch.arange(mask.shape[1]) < first) if first else mask),
        _summing(_gap,
                 "Of responses that are long enough all tokens count. Of each one the first `first` tokens are left "
                 "out.",
                 "够长的回答，全部词元都算了。每一条都要去掉前 `first` 个词元。",
                 lambda mask, first: mask & (mask.sum(1, keepdim=True) > first)),
        _summing(_gap,
                 "Every response is cut off where the first one ends. Each has its own length: use the mask.",
                 "每条回答都在第一条结束的地方截断了。各条有自己的长度：要用掩码。",
                 lambda mask, first: _free(mask, first) & (torch.arange(mask.shape[1]) < mask[0].sum())),
        _summing(_gap,
                 "Every response is cut off where the shortest one ends. Each has its own length: use the mask.",
                 "每条回答都在最短的一条结束的地方截断了。各条有自己的长度：要用掩码。",
                 lambda mask, first: _free(mask, first) & (torch.arange(mask.shape[1]) < mask.sum(1).min())),
        _summing(_gap,
                 "The last token of each response is left out, too. It was drawn freely, and it counts.",
                 "每条回答的最后一个词元也去掉了。它是自由抽取的，要算。",
                 lambda mask, first: _free(mask, first) & (
                     (torch.arange(mask.shape[1]) != mask.sum(1, keepdim=True) - 1) | (first == 0))),
        _summing(_gap,
                 "The first `first` tokens of the whole batch are left out. It is those of *each* response.",
                 "去掉的是整个批次的前 `first` 个词元。应当去掉*每一条*回答的。",
                 lambda mask, first: mask & (mask.flatten().cumsum(0).reshape(mask.shape) > first)),
        Mistake(lambda logprob, ref_logprob, mask, first: torch.where(
                    mask, logprob - ref_logprob, 0.0)[first:].sum(1).mean(),
                "The first `first` *responses* are left out. Leave out the first `first` tokens of each response.",
                "去掉的是前 `first` 个*回答*。应去掉每个回答的前 `first` 个词元。"),
        _summing(_gap, "The *last* `first` tokens of each response are left out. While the first ones were drawn, the "
                 "end was forbidden: leave out those.",
                 "去掉的是每个回答*最后* `first` 个词元。抽取开头几个时才不许结束：要去掉的是开头的。",
                 counted=lambda mask, first: mask & (mask.long().flip(1).cumsum(1).flip(1) > first)),
        ), points=2, exact=True),
)
