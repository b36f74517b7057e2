"""Lesson 03c, a reward model, PPO and two ways to cheat: standard errors, an alarm, a KL of free draws."""

from __future__ import annotations

import math

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
            *(Case((*(0.4 + 0.5 * torch.rand(2, generator=g)).tolist(), n), "random") for n in (100, 1000, 37))]


def _shares(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case(([0.2, 0.25, 0.5, 0.75], 0.2, 24), "it rises"), Case(([0.5, 0.2, 0.2], 0.2, 24), "at once"),
            Case(([0.2, 0.0, 0.1, 0.02], 0.4, 24), "it falls"), Case(([0.3, 0.3, 0.29], 0.2, 100), "never quite"),
            Case(([0.42, 0.43, 0.46, 0.6], 0.2, 24), "just below at first"),
            Case(([0.3, 0.35, 0.41, 0.3, 0.2], 0.2, 64), "up, and down again"),
            *(Case(((torch.rand(8, generator=g) * torch.linspace(0.3, 1.2, 8)).clamp(max=1).tolist(), 0.15, n),
                   "random") for n in (24, 64, 200))]


def _rollouts(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    logprob, ref = torch.tensor([[-1.0, -2.0, -0.5, -9.0]]), torch.tensor([[-0.5, -1.5, -1.5, -1.0]])
    mask = torch.tensor([[True, True, True, False]])
    cases = [Case((logprob, ref, mask, 0), "nothing was forbidden; garbage in the padding"),
             Case((logprob, ref, mask, 1), "the end was forbidden once"),
             Case((logprob, ref, mask, 2), "the end was forbidden twice"),
             Case((ref, logprob, mask, 2), "a negative one"), Case((logprob, ref, mask, 4), "all of it was forbidden")]
    for first in (1, 2, 3):
        length = torch.randint(3, 7, (4, 1), generator=g)
        draw = lambda: -3 * torch.rand(4, 6, generator=g)                                       # noqa: E731
        cases.append(Case((draw(), draw(), torch.arange(6) < length, first), "random"))
    return cases


def _free(mask: Tensor, first: int) -> Tensor:
    return mask & (torch.arange(mask.shape[1]) >= first)


def _summed(gap: Tensor, counted: Tensor) -> Tensor:
    return torch.where(counted, gap, 0.0).sum(1).mean()


EXERCISES = (
    Exercise("3c.1", "errors_apart", ("a", "b", "n"), errors_apart, Case((0.6, 0.6, 100)), _accuracies, (
        Mistake(lambda a, b, n: (a - b) / ((a * (1 - a) + b * (1 - b)) / n),
                "This divides by the variance. The standard error is its root.",
                "这里除的是方差。标准误是它的平方根。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) + b * (1 - b)),
                "n is not used: this is how much one pair scatters. The mean of n pairs scatters less, by the root of "
                "n.",
                "没有用到 n：这是单独一对有多分散。n 对的平均要集中得多，差一个 n 的平方根。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(a * (1 - a) / n),
                "Only the first accuracy is taken to be uncertain; the second was measured just the same. Add both "
                "variances.",
                "这里只把第一个准确率当作不确定的；第二个同样是量出来的。两个方差要相加。"),
        Mistake(lambda a, b, n: (a - b) / math.sqrt(b * (1 - b) / n),
                "Only the second accuracy is taken to be uncertain; the first was measured just the same. Add both "
                "variances.",
                "这里只把第二个准确率当作不确定的；第一个同样是量出来的。两个方差要相加。"),
        Mistake(lambda a, b, n: (a - b) / (math.sqrt(a * (1 - a) / n) + math.sqrt(b * (1 - b) / n)),
                "The two errors are added. Independent errors partly cancel: add the squares, then take the root.",
                "两个误差直接相加了。彼此独立的误差会抵消一部分：先把平方相加，再开方。"),
        Mistake(lambda a, b, n: abs(a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n),
                "The sign is lost: a model that is worse than the length would look better.",
                "正负号丢了：比只看长短还差的模型，看上去倒像更好。"),
        ), points=1),
    Exercise("3c.2", "fence_alarm", ("share", "before", "n"), fence_alarm, Case(([0.1, 0.1], 0.1, 25)), _shares, (
        Mistake(lambda share, before, n: _first(share, lambda now: now > before + ERRORS * math.sqrt(
                    before * (1 - before))),
                "n is not used: the bar is as high as if each step had a single response, and the alarm comes late or "
                "never.",
                "没有用到 n：门槛高得像每步只有一条回答，警报会来得太晚，甚至不来。"),
        Mistake(lambda share, before, n: _first(share, lambda now: abs(now - before) > ERRORS * math.sqrt(
                    before * (1 - before) / n)),
                "It also rings where fences become rarer. Nobody cheats that way: look upwards only.",
                "代码块变少时它也响。没有人那样作弊：只看变多的一边。"),
        Mistake(lambda share, before, n: _first(share, lambda now: now > ERRORS * math.sqrt(before * (1 - before) / n)),
                "Three standard errors above 0. They are to be counted from what was there before.",
                "这是比 0 高三个标准误。应当从原来的比例算起。"),
        Mistake(lambda share, before, n: _first(share, lambda now: now > before + math.sqrt(before * (1 - before) / n)),
                "One standard error is passed by luck in one step of six. Wait for three.",
                "一个标准误，靠运气六步里就有一步超过。要等到三个。"),
        Mistake(lambda share, before, n: _first(share, lambda now: now > before),
                "Any rise rings. Half of all steps rise by luck: wait for three standard errors.",
                "一涨就响。光凭运气就有一半的步子在涨：要等到三个标准误。"),
        Mistake(lambda share, before, n: (lambda at: at if at < 0 else at + 1)(fence_alarm(share, before, n)),
                "The steps are counted from 1. Wanted is the place in the list, which begins at 0.",
                "步数从 1 数起了。要的是在列表里的位置，从 0 开始。"),
        Mistake(lambda share, before, n: max((i for i, now in enumerate(share) if now > before + ERRORS * math.sqrt(
                    before * (1 - before) / n)), default=-1),
                "This is the last step above the bar. An alarm rings at the first.",
                "这是最后一个超过门槛的步子。警报要在第一个时就响。"),
        Mistake(lambda share, before, n: sum(now > before + ERRORS * math.sqrt(before * (1 - before) / n)
                                             for now in share) or -1,
                "This counts the steps above the bar. Wanted is the place of the first of them.",
                "这是数了有几步超过门槛。要的是其中第一步的位置。"),
        ), points=2, tolerance=1e-6),
    Exercise("3c.3", "mended_kl", ("logprob", "ref_logprob", "mask", "first"), mended_kl,
             Case((torch.tensor([[-1.0]]), torch.tensor([[-1.5]]), torch.tensor([[True]]), 0)), _rollouts, (
        Mistake(lambda logprob, ref_logprob, mask, first: _summed(logprob - ref_logprob, mask),
                "The tokens that were kept from ending are in it. They were not drawn from the policy: leave the first "
                "`first` out.",
                "不许结束的那些词元也算了进来。它们不是从策略里抽出来的：前 `first` 个不要。"),
        Mistake(lambda logprob, ref_logprob, mask, first: (logprob - ref_logprob)[:, first:].sum(1).mean(),
                "The padding is in it. What stands there was never said: use the mask.",
                "填充也算了进来。那里什么都没有说过：要用掩码。"),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed(logprob - ref_logprob, _free(mask, first - 1)),
                "One token too many: with `first` = 2 the tokens 0 and 1 are left out, and not only token 0.",
                "多算了一个词元：`first` = 2 时，词元 0 和 1 都不要，不是只去掉词元 0。"),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed(logprob - ref_logprob, _free(mask, first + 1)),
                "One token too few: token number `first` was drawn freely again.",
                "少算了一个词元：第 `first` 个词元又是自由抽取的了。"),
        Mistake(lambda logprob, ref_logprob, mask, first: (
                    torch.where(_free(mask, first), logprob - ref_logprob, 0.0).sum()
                    / _free(mask, first).sum().clamp(min=1)),
                "This is a mean per token. KL is counted per response: sum over tokens, then take the mean.",
                "这是每个词元的平均。KL 按每条回答算：先对词元求和，再取平均。"),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed((logprob - ref_logprob).abs(), _free(mask, first)),
                "The absolute value hides the problem instead of mending it: of free draws, too, single tokens are "
                "negative.",
                "取绝对值只是把问题藏起来，没有解决：就算自由抽取，单个词元也会是负的。"),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed((logprob - ref_logprob).clamp(min=0),
                                                                  _free(mask, first)),
                "Negative tokens were set to 0. Single ones may be negative; only the mean over free draws is not.",
                "负的词元被改成了 0。单个词元可以是负的，自由抽取的平均才不会是负的。"),
        Mistake(lambda logprob, ref_logprob, mask, first: _summed(ref_logprob - logprob, _free(mask, first)),
                "The direction: log π - log ρ, the policy first.", "方向反了：是 log π - log ρ，策略在前。"),
        ), points=2),
)
