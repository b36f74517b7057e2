"""What goes wrong in lesson 04b, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_04b import (
    improve_plan,
    old,
    rest_clock,
)
from rlhf_kit.formulas.masked import keep


def _sifting(change: Callable[[Tensor, Tensor, float], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    return Mistake(change, en, zh, tuple(also))


def _one_at_least(reward: Tensor, original: Tensor, threshold: float) -> Tensor:
    kept = original | (reward > threshold)
    if not (kept & ~original).any() and (~original).any():
        kept[torch.where(original, -torch.inf, reward.double()).argmax()] = True
    return kept


def _place(reward: Tensor, place: float, way: Callable[[float], int]) -> Tensor:
    """The reward at a place of the sorted list that is made whole by `way`, from 0."""
    ordered = reward.double().sort().values
    return ordered[min(max(way(place), 0), len(ordered) - 1)]


def _quantile(reward: Tensor, share: float, how: str = "linear") -> Tensor:
    return torch.quantile(reward.double(), min(max(share, 0.0), 1.0), interpolation=how)


def _between(reward: Tensor, gamma: float) -> Tensor:
    return gamma * reward.double().max() + (1 - gamma) * reward.double().mean()


def _percentile(change: Callable[[Tensor, float], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """The second result is right, the first is `change(reward, percent)`."""
    first, *others = (lambda reward, percent, gamma, way=way: (way(reward, percent), _between(reward, gamma))
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _interpolated(change: Callable[[Tensor, float], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """The first result is right, the second is `change(reward, gamma)`."""
    first, *others = (lambda reward, percent, gamma, way=way: (_quantile(reward, percent / 100), way(reward, gamma))
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _exclusive(reward: Tensor, percent: float) -> Tensor:
    """At place p (N + 1), from 1."""
    ordered = reward.double().sort().values
    place = min(max(percent / 100 * (len(ordered) + 1) - 1, 0.0), len(ordered) - 1.0)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def _other_way_round(reward: Tensor, percent: float) -> Tensor:
    ordered = reward.double().sort().values
    place = percent / 100 * (len(ordered) - 1)
    low = int(place)
    return ordered[low] * (place - low) + ordered[min(low + 1, len(ordered) - 1)] * (1 - place + low)


def _by_n(reward: Tensor, percent: float) -> Tensor:
    """At place p N, from 0."""
    ordered = reward.double().sort().values
    place = min(percent / 100 * len(ordered), len(ordered) - 1.0)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def _not_sorted(reward: Tensor, percent: float) -> Tensor:
    place = percent / 100 * (len(reward) - 1)
    low = math.floor(place)
    return (reward[low] + (place - low) * (reward[min(low + 1, len(reward) - 1)] - reward[low])).double()


def _ticking(change: Callable[[int, int, int, int], tuple], en: str, zh: str, *also: Callable) -> Mistake:
    return Mistake(change, en, zh, tuple(also))


def _cloning(change: Callable[[Tensor, Tensor], Tensor], en: str, zh: str, *also: Callable,
             counted: Callable = lambda mask, kept: mask & kept[:, None]) -> Mistake:
    """`change(log-probabilities [B, T], 0 where they do not count; what counts [B, T])`."""
    first, *others = (lambda logprob, mask, kept, way=way: way(torch.where(counted(mask, kept), logprob, 0.0),
                                                               counted(mask, kept)) for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _mean(x: Tensor, counted: Tensor) -> Tensor:
    return -x.sum() / counted.sum().clamp(min=1)


def _weighed(change: Callable[[Tensor, Tensor, float], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """The mean over real tokens of `change(log π, Q, u)`; what stands in the padding is out before."""
    first, *others = (lambda logprob, quality, mask, floor, way=way: torch.where(mask, way(
        keep(logprob, mask), keep(quality, mask), floor), 0.0).sum() / mask.sum() for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _averaged(change: Callable[[Tensor, Tensor], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """`change(each token's loss [B, T], 0 in the padding; mask)`."""
    first, *others = (lambda logprob, quality, mask, floor, way=way: way(
        _gold(keep(logprob, mask), keep(quality, mask), floor), mask) for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _gold(logprob: Tensor, quality: Tensor, floor: float) -> Tensor:
    return -logprob.detach().exp().clamp(min=floor) * quality.detach() * logprob


def _planned(kept: Callable[[Tensor, list[float]], list[float]] | None = None,
             passes: Callable[[float, int, float, int], float] | None = None) -> Callable:
    """A plan of which the kept numbers, or the passes `passes(kept, size, share, updates)`, are others."""
    def wrong(reward: Tensor, thresholds: list[float], size: int, share: float, updates: int) -> tuple[Tensor, Tensor]:
        right = [int((reward > one).sum()) for one in thresholds]
        left = right if kept is None else kept(reward, thresholds)
        gone = passes or (lambda many, size, share, updates: updates * (size - old(size, share)) / many
                          if many else math.inf)
        return (torch.tensor(left), torch.tensor([float(gone(many, size, share, updates)) for many in left],
                                                 dtype=torch.float64))
    return wrong


def _or_else(logprob: Tensor, floor: float, other: float) -> Tensor:
    """π where it is above the floor, another number elsewhere."""
    likely = logprob.detach().exp()
    return torch.where(likely > floor, likely, other)


def _between_levels(reward: Tensor, thresholds: list[float]) -> list[int]:
    counts = [int((reward > one).sum()) for one in thresholds]
    return [here - next_one for here, next_one in zip(counts, [*counts[1:], 0], strict=True)]


def _over(number: Callable[[int, float, int], float]) -> Callable:
    """Passes as `number(size, share, updates)` draws over the kept ones."""
    return _planned(passes=lambda many, size, share, updates: number(size, share, updates) / many if many else math.inf)


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "4b.1": (
        _sifting(lambda reward, original, threshold: original | (reward >= threshold),
                 "A reward of exactly the threshold is kept. ReST's filter is strict: `>`, not `>=`.",
                 "奖励恰好等于阈值的也留下了。ReST 的过滤是严格的：用 `>`，不用 `>=`。"),
        _sifting(lambda reward, original, threshold: reward > threshold,
                 "Original responses are filtered, too. They stay, whatever stands in `reward` there.",
                 "原始数据也被过滤了。不管 `reward` 那里是什么，它们都留着。"),
        _sifting(lambda reward, original, threshold: (reward > threshold) & ~original,
                 "The original responses are left out. They stay in the data, whatever their reward.",
                 "原始数据被去掉了。不管奖励多少，它们都留在数据里。"),
        _sifting(lambda reward, original, threshold: (reward > threshold) & original,
                 "`&` keeps what is both. Kept is what is original *or* above the threshold: `|`.",
                 "`&` 留下的是两样都满足的。是原始数据*或者*高于阈值，就留下：用 `|`。"),
        _sifting(lambda reward, original, threshold: original | (reward < threshold),
                 "What lies *below* the threshold is kept. ReST learns from what is above it.",
                 "留下的是*低于*阈值的。ReST 学的是高于阈值的。",
                 lambda reward, original, threshold: original | (reward <= threshold),
                 lambda reward, original, threshold: original | ~(reward > threshold)),
        _sifting(lambda reward, original, threshold: original | (reward.round(decimals=1) > threshold),
                 "The rewards were rounded before they were compared. Compare them as they are.",
                 "奖励先舍入再比较了。要直接比较。"),
        _sifting(lambda reward, original, threshold: original | (reward > threshold + 1e-2),
                 "What is hardly above the threshold drops out: a margin was added, or rewards were rounded. Above is "
                 "above, by however little.",
                 "只比阈值高一点点的被去掉了：加了余量，或者把奖励舍入了。高于就是高于，不管高多少。",
                 lambda reward, original, threshold: original | (reward.round(decimals=2) > threshold)),
        _sifting(_one_at_least,
                 "Where no drawn response is above the threshold, the best one is kept all the same. Then none is.",
                 "没有抽取的回答高于阈值时，这里仍留下了最好的一条。那时应当一条都不留。"),
        _sifting(lambda reward, original, threshold: (reward > threshold) | (original & ~reward.isnan()),
                 "Original responses drop out where nobody scored them. Their reward does not matter: they stay.",
                 "没有打过分的原始回答被去掉了。它们的奖励无关紧要：都留着。",
                 lambda reward, original, threshold: (reward > threshold) | (original & reward.isfinite())),
        _sifting(lambda reward, original, threshold: original.clone(),
                 "Only original responses are kept. Of the drawn ones, those above the threshold are, too.",
                 "只留下了原始数据。抽取的里面，高于阈值的也要留。"),
        _sifting(lambda reward, original, threshold: original ^ (reward > threshold),
                 "An original response above the threshold drops out: that is either-or. Use `|`.",
                 "原始数据高于阈值时反而去掉了：那是“二者只居其一”。要用 `|`。"),
        _sifting(lambda reward, original, threshold: original | (reward != threshold) & (reward > reward[
                     reward.isfinite()].double().mean()),
                 "It is compared with the mean reward. Compare with `threshold`.",
                 "这里是和平均奖励相比。要和 `threshold` 比。",
                 lambda reward, original, threshold: original | (reward > reward.double().mean()),
                 lambda reward, original, threshold: original | (reward > reward.double().nanmean())),
        _sifting(lambda reward, original, threshold: original | (reward > reward[reward.isfinite()].double().max()
                                                                 * threshold),
                 "It is compared with a share of the highest reward. Compare with `threshold` itself.",
                 "这里是和最高奖励的一个比例相比。要直接和 `threshold` 比。",
                 lambda reward, original, threshold: original | (reward > reward.double().max() * threshold)),
        _sifting(lambda reward, original, threshold: original | (reward > reward[~original].double().quantile(
                     min(max(threshold, 0.0), 1.0))) if (~original).any() else original.clone(),
                 "The threshold is taken for a percentile. It is a reward: compare directly.",
                 "把阈值当成了百分位。它就是一个奖励值：直接比较。"),
        _sifting(lambda reward, original, threshold: torch.ones_like(original),
                 "Everything is kept. The filter of the drawn responses is "
                 "missing.", "全都留下了。没有过滤抽取的回答。"),
        _sifting(lambda reward, original, threshold: torch.where(original, 1.0, reward) > threshold,
                 "Original responses got a reward of 1 or another number, and drop out where the threshold is as high. "
                 "They stay at any threshold: `original | ...`.",
                 "给原始回答定了奖励 1 或别的数，阈值同样高时它们就被去掉了。"
                 "不管阈值多少，它们都留着：`original | ...`。",
                 lambda reward, original, threshold: torch.where(
                     original, reward[~original].amax(), reward) > threshold if (~original).any() else original),
        _sifting(lambda reward, original, threshold: original.double() + (reward > threshold),
                 "True and False were added up, so an original response above the threshold counts 2. Use `|`.",
                 "把 True 和 False 加了起来，高于阈值的原始回答就成了 2。请用 `|`。"),
        _sifting(lambda reward, original, threshold: original | (reward > reward[~original].double().mean()),
                 "It is compared with the mean reward of what was drawn. Compare with `threshold`.",
                 "这里是和抽取回答的平均奖励相比。要和 `threshold` 比。"),
        ),
    "4b.2": (
        Mistake(lambda reward, percent, gamma: (_between(reward, gamma), _quantile(reward, percent / 100)),
                "The two results are exchanged: first the percentile, then the one between mean and highest.",
                "两个结果的次序反了：先是百分位，再是平均和最高之间的那个。"),
        *(_percentile(lambda reward, percent, how=how: _quantile(reward, percent / 100, how),
                      f"The percentile is the {en} of the two neighbours. Interpolate: at place p/100 · (N - 1), "
                      f"from 0.",
                      f"百分位取成了相邻两个里{zh}的。要插值：位置是 p/100 · (N - 1)，从 0 数起。")
          for how, en, zh in (("lower", "lower", "较低"), ("higher", "higher", "较高"), ("nearest", "nearer", "较近"),
                              ("midpoint", "middle", "正中间"))),
        _percentile(_by_n,
                    "The place is p/100 · N. Counted from 0 the last one is N - 1: p/100 · (N - 1).",
                    "位置用了 p/100 · N。从 0 数起，最后一个是 N - 1：应为 p/100 · (N - 1)。"),
        _percentile(lambda reward, percent: _place(reward, percent / 100 * len(reward), int),
                    "The place is cut off to a whole number of p/100 · N. Interpolate at place p/100 · (N - 1).",
                    "位置用了 p/100 · N 再截成整数。要在位置 p/100 · (N - 1) 处插值。",
                    lambda reward, percent: _place(reward, percent / 100 * len(reward) - 1, math.ceil),
                    lambda reward, percent: _place(reward, percent / 100 * len(reward), math.ceil),
                    lambda reward, percent: _place(reward, percent / 100 * len(reward), round)),
        _percentile(_exclusive,
                    "This is another definition of percentiles, at place p/100 · (N + 1), counted from 1. Here it is "
                    "p/100 · (N - 1), counted from 0.",
                    "这是百分位的另一种定义，位置是 p/100 · (N + 1)，从 1 数起。这里是 p/100 · (N - 1)，从 0 数起。"),
        Mistake(lambda reward, percent, gamma: (_quantile(reward.unique(), percent / 100), _between(reward.unique(),
                                                                                                     gamma)),
                "Equal rewards were counted once. Each response counts, in the percentile and in the mean.",
                "相同的奖励只算了一次。每条回答都要算，百分位和平均都是。",
                (lambda reward, percent, gamma: (_quantile(reward.unique(), percent / 100), _between(reward, gamma)),)),
        _percentile(lambda reward, percent: reward.double()[reward.double() >= _quantile(reward, percent / 100) - 1e-12
                                                            ].mean(),
                    "This is the mean of what lies above the percentile. Wanted is the percentile itself.",
                    "这是百分位以上的平均。要的是百分位本身。"),
        _percentile(_other_way_round,
                    "The two neighbours are weighted the wrong way round: at place 2.7 the upper one counts 0.7.",
                    "相邻两个的权重弄反了：在位置 2.7，上面的那个占 0.7。"),
        _interpolated(lambda reward, gamma: _between(reward, gamma / 100),
                      "γ was divided by 100. It is a share already, from 0 to "
                      "1.", "γ 除以了 100。它本来就是 0 到 1 的比例。"),
        _interpolated(lambda reward, gamma: reward.double().mean() + gamma,
                      "γ was added to the mean. It is a share of the way from the mean to the highest.",
                      "把 γ 加到了平均上。它是从平均走到最高的一个比例。"),
        _percentile(lambda reward, percent: _quantile(reward, percent),
                    "`percent` runs from 0 to 100: divide it by 100.", "`percent` 是 0 到 100：要除以 100。",
                    lambda reward, percent: torch.quantile(reward.double(), percent)),
        _percentile(lambda reward, percent: _quantile(reward, 1 - percent / 100),
                    "This is counted from the top: `percent` of the rewards lie above it. They should lie below.",
                    "这是从上往下数的：`percent` 的奖励高于它。应当是低于它。"),
        _percentile(_not_sorted,
                    "The rewards are not sorted. A percentile is a place in rising order.",
                    "奖励没有排序。百分位是从小到大排好之后的位置。"),
        _percentile(lambda reward, percent: percent / 100 * reward.double().max(),
                    "This is `percent` of the highest reward. Wanted is the reward below which `percent` of the "
                    "responses lie.",
                    "这是最高奖励的百分之 `percent`。要的是这样一个奖励：百分之 `percent` 的回答低于它。"),
        _percentile(lambda reward, percent: reward.double().min() + percent / 100 * (reward.double().max()
                                                                                  - reward.double().min()),
                    "This goes `percent` of the way from the lowest reward to the highest. A percentile counts "
                    "responses.",
                    "这是从最低奖励到最高奖励走了百分之 `percent`。百分位数的是回答的个数。"),
        _interpolated(lambda reward, gamma: _between(reward, 1 - gamma),
                      "γ weighs the mean here. It weighs the highest reward: γ · max + (1 - γ) · mean.",
                      "γ 乘到了平均上。应当乘最高的：γ · max + (1 - γ) · mean。"),
        _interpolated(lambda reward, gamma: gamma * reward.double().max() + (1 - gamma) * reward.double().median(),
                      "The median stands in place of the mean.", "用了中位数。应当用平均。",
                      lambda reward, gamma: gamma * reward.double().max() + (1 - gamma) * _quantile(reward, 0.5)),
        _interpolated(lambda reward, gamma: gamma * reward.double().max() + (1 - gamma) * reward.double().min(),
                      "The lowest reward stands in place of the mean.", "用了最低的奖励。应当用平均。"),
        _interpolated(lambda reward, gamma: gamma * reward.double().max(),
                      "This is γ · max; (1 - γ) · mean is missing.", "这只是 γ · max；少了 (1 - γ) · mean。"),
        _interpolated(lambda reward, gamma: reward.double().mean() + gamma * reward.double().max(),
                      "The mean is not weighted by 1 - γ.", "平均没有乘 1 - γ。"),
        _interpolated(lambda reward, gamma: gamma * (reward.double().max() + (1 - gamma) * reward.double().mean()),
                      "Brackets: γ weighs only the highest reward.", "括号错了：γ 只乘最高的。"),
        _interpolated(lambda reward, gamma: (reward.double().max() + reward.double().mean()) / 2,
                      "γ is not used: this is half way between mean and "
                      "highest.", "没有用到 γ：这是平均和最高的正中间。"),
        _interpolated(lambda reward, gamma: reward.double().std(correction=0) * gamma + reward.double().mean(),
                      "This is the mean and γ standard deviations. It goes γ of the way from the mean to the highest.",
                      "这是平均加 γ 个标准差。应当是从平均往最高走 γ。",
                      lambda reward, gamma: reward.double().mean() + gamma * (reward.double().std()
                                                                              if len(reward) > 1 else 0.0)),
        _interpolated(lambda reward, gamma: _quantile(reward, gamma),
                      "The second result is a percentile, too. It lies between mean and highest: "
                      "γ · max + (1 - γ) · mean.",
                      "第二个结果也成了百分位。它在平均和最高之间：γ · max + (1 - γ) · mean。"),
        _interpolated(lambda reward, gamma: _between(reward.double().abs(), gamma),
                      "Signs of rewards were lost.", "奖励的正负号丢了。"),
        ),
    "4b.3": (
        _ticking(lambda u, i, n, d: (u // (i * n), u // n % i, (u // (i * n) + 1) * d),
                 "Grow and Improve are counted from 0. Count both from "
                 "1.", "Grow 和 Improve 从 0 数起了。两个都要从 1 数起。"),
        _ticking(lambda u, i, n, d: (u // (i * n), u // n % i + 1, (u // (i * n) + 1) * d),
                 "Grow is counted from 0. Count from 1.", "Grow 从 0 数起了。要从 1 数起。"),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i, (u // (i * n) + 1) * d),
                 "Improve is counted from 0. Count from 1.", "Improve 从 0 数起了。要从 1 数起。"),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n + 1, (u // (i * n) + 1) * d),
                 "Improves go on counting over all Grows. With each Grow they begin at 1 again: % improves.",
                 "Improve 跨着 Grow 一直往下数了。每次 Grow 之后要重新从 1 数起：% improves。"),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, (u // n + 1) * d),
                 "The reward is asked again with every Improve. It is asked once a Grow; filtering asks nobody.",
                 "每次 Improve 都又问了一遍奖励。每次 Grow 只问一遍；过滤时谁也不问。",
                 lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, (u // (i * n) + 1) * d * i),
                 lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, (u // (i * n) + 1) * d * (u // n % i + 1))),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, (u + 1) * d),
                 "The reward is asked with every update, as online methods do. ReST asks once a Grow.",
                 "每次更新都问了奖励，那是在线方法的做法。ReST 每次 Grow 只问一遍。",
                 lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, u * d)),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, u // (i * n) * d),
                 "The calls of the Grow that runs are not counted. Its responses were all scored before its first "
                 "update.",
                 "没有算上当前这次 Grow 的调用。它的回答在第一次更新之前就都打过分了。"),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, d),
                 "These are the calls of one Grow. Add up all Grows so "
                 "far.", "这是一次 Grow 的调用。要把到目前为止的各次 Grow 加起来。"),
        _ticking(lambda u, i, n, d: (u // n + 1, u // (i * n) % i + 1, (u // n + 1) * d),
                 "A Grow ends after `updates` updates here. It has `improves` times as many.",
                 "这里每 `updates` 次更新就换一次 Grow。一次 Grow 有它的 `improves` 倍。",
                 lambda u, i, n, d: (u // n + 1, u % n // i + 1, (u // n + 1) * d),
                 lambda u, i, n, d: (u // n + 1, u // n % i + 1, (u // n + 1) * d)),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u % i + 1, (u // (i * n) + 1) * d),
                 "The Improve changes with every update. It lasts `updates` of them: divide first, then % improves.",
                 "每次更新就换一个 Improve。一个 Improve 有 `updates` 次更新：先整除，再 % improves。",
                 lambda u, i, n, d: (u // (i * n) + 1, u % n % i + 1, (u // (i * n) + 1) * d)),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u % (i * n) // i + 1, (u // (i * n) + 1) * d),
                 "What is left of the Grow is divided by `improves`. An Improve lasts `updates` updates: // updates.",
                 "Grow 里剩下的更新数除以了 `improves`。一个 Improve 有 `updates` 次更新：// updates。"),
        _ticking(lambda u, i, n, d: (round(u / (i * n)) + 1, u % (i * n) // n + 1, (round(u / (i * n)) + 1) * d),
                 "The number of Grows is rounded to the nearest. A Grow that has not ended is not passed: `//`.",
                 "Grow 的个数四舍五入了。还没结束的 Grow 不算过去了：用 `//`。"),
        _ticking(lambda u, i, n, d: (u / (i * n) + 1, u / n % i + 1, (u / (i * n) + 1) * d),
                 "`/` gives fractions of Grows. Take the whole ones: "
                 "`//`.", "`/` 得到的是零碎的 Grow。要整的：用 `//`。",
                 lambda u, i, n, d: (u / (i * n) + 1, u / n % i + 1, (u // (i * n) + 1) * d)),
        _ticking(lambda u, i, n, d: rest_clock(u + 1, i, n, d),
                 "The next update's place: the numbers change one update too early. `update` is counted from 0.",
                 "这是下一次更新的位置：数变得早了一步。`update` 从 0 数起。",
                 lambda u, i, n, d: (-(-(u + 1) // (i * n)) + 1, (u + 1) // n % i + 1, ((u + 1) // (i * n) + 1) * d)),
        _ticking(lambda u, i, n, d: (-(-u // (i * n)), -(-u // n) - (-(-u // (i * n)) - 1) * i, -(-u // (i * n)) * d),
                 "The numbers change one update too late. `update` is counted from 0, so update number `updates` is "
                 "the "
                 "first of the second Improve.",
                 "数变得晚了一步。`update` 从 0 数起，所以第 `updates` 号更新就是第二个 Improve 的第一次。",
                 lambda u, i, n, d: rest_clock(max(u - 1, 0), i, n, d), lambda u, i, n, d: rest_clock(u - 1, i, n, d),
                 lambda u, i, n, d: (math.ceil(u / (i * n)), math.ceil(u / n) - (math.ceil(u / (i * n)) - 1) * i,
                                     math.ceil(u / (i * n)) * d)),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, u // n % i + 1, 2 * (u // (i * n) + 1) * d),
                 "The calls are counted twice. Each response is asked about once.", "调用算了两遍。每条回答只问一次。"),
        _ticking(lambda u, i, n, d: (u // (i * n) + 1, (u // n + 1) % i, (u // (i * n) + 1) * d),
                 "The last Improve of a Grow comes out as 0. Take % improves first, and add 1 afterwards.",
                 "一次 Grow 的最后一个 Improve 成了 0。先取 % improves，再加 1。"),
        _ticking(lambda u, i, n, d: (u // (i + n) + 1, u // n % i + 1, (u // (i + n) + 1) * d),
                 "improves + updates updates to a Grow here. It is their product.",
                 "这里一次 Grow 有 improves + updates 次更新。应当是两者的乘积。"),
        _ticking(lambda u, i, n, d: (u // n % i + 1, u // (i * n) + 1, (u // (i * n) + 1) * d),
                 "Grow and Improve are exchanged.", "Grow 和 Improve 的次序反了。"),
        _ticking(lambda update, improves, updates, drawn: (
                     update // (improves * updates) + 1, update % (improves * updates) / updates + 1,
                     (update // (improves * updates) + 1) * drawn),
                 "`/` leaves a part of an Improve. Only whole ones are counted: `//`.",
                 "`/` 会留下不到一个 Improve 的零头。只数整个的：用 `//`。"),
        ),
    "4b.4": (
        Mistake(lambda logprob, mask, kept: -(logprob * (mask & kept[:, None])).sum() / (mask & kept[:, None]).sum(
                ).clamp(min=1),
                "The padding may hold NaN or infinity, and 0 times NaN is NaN. Choose with torch.where instead of "
                "multiplying by the mask.",
                "填充里可能有 NaN 或无穷大，0 乘 NaN 还是 NaN。不要乘掩码，要用 torch.where 来选。",
                (lambda logprob, mask, kept: -(logprob * (mask & kept[:, None])).sum()
                 / (mask & kept[:, None]).sum(),)),
        _cloning(lambda x, counted: -x.sum() / counted.sum(),
                 "Where no response is kept this is 0 divided by 0, or the mean of nothing: NaN. Then the loss is 0.",
                 "一条都不留时，这是 0 除以 0，或者空的平均，也就是 NaN。那时损失是 0。"),
        _cloning(_mean, "The filter is not used: responses that were not kept are learnt from.",
                 "没有用到过滤：没留下的回答也学了。", counted=lambda mask, kept: mask),
        _cloning(_mean, "The padding is in it. Use the mask as well as `kept`.",
                 "填充也算了进来。`kept` 之外还要用掩码。", counted=lambda mask, kept: kept[:, None].expand_as(mask)),
        _cloning(_mean, "These are the responses that were *not* kept.", "算的正是*没有*留下的回答。",
                 counted=lambda mask, kept: mask & ~kept[:, None]),
        _cloning(lambda x, counted: -_mean(x, counted),
                 "The sign: a loss is to be made small, so it is *minus* the log-probability.",
                 "符号反了：损失要变小，所以是*负的*对数概率。"),
        _cloning(lambda x, counted: -x.sum(),
                 "This is the sum over tokens. Take their mean.", "这是对词元求和。要取平均。"),
        _cloning(lambda x, counted: -x.sum() / x.numel(),
                 "The mean runs over all B × T places. Divide by the number of real tokens of the kept responses.",
                 "平均是对 B × T 个位置取的。要除以留下的回答的真实词元数。"),
        Mistake(lambda logprob, mask, kept: -torch.where(mask & kept[:, None], logprob, 0.0).sum() / mask.sum(),
                "Divided by the tokens of *all* responses. Those that were not kept count neither above nor below.",
                "除的是*所有*回答的词元数。没留下的，分子分母都不算。"),
        _cloning(lambda x, counted: -x.sum() / counted.any(1).sum().clamp(min=1),
                 "This is the mean over responses of their sums. Here it is a mean over tokens: divide by their "
                 "number.",
                 "这是对各条回答的和取平均。这里要对词元取平均：除以词元数。"),
        _cloning(lambda x, counted: -x.sum() / (counted.sum() + 1),
                 "1 was added to the number of tokens. Divide by the number itself, and by 1 only where it is 0.",
                 "词元数加了 1。要除以词元数本身，只有它是 0 时才除以 1。"),
        _cloning(lambda x, counted: -x.sum() / (counted.any(1).sum() * x.shape[1]).clamp(min=1),
                 "The mean of the kept responses runs over their padding, too. Divide by the number of real tokens.",
                 "留下的回答里，填充也算进了平均。要除以真实词元数。"),
        _cloning(lambda x, counted: -x[:, 1:].sum() / counted[:, 1:].sum().clamp(min=1),
                 "The first token of each response is left out. Nothing is shifted here: every token has its own log "
                 "π.",
                 "每条回答的第一个词元没有算。这里不用移位：每个词元都有自己的 log π。"),
        _cloning(lambda x, counted: -x[:, :-1].sum() / counted[:, :-1].sum().clamp(min=1),
                 "The last column is left out. Nothing is shifted here: every token has its own log π.",
                 "最后一列没有算。这里不用移位：每个词元都有自己的 log π。"),
        _cloning(lambda x, counted: -x.sum() / len(x),
                 "Divided by the number of all responses. Divide by the number of kept real tokens.",
                 "除的是全部回答的条数。要除以留下的真实词元数。"),
        _cloning(lambda x, counted: -(x.sum(1) / counted.sum(1).clamp(min=1)).sum() / counted.any(1).sum().clamp(min=1),
                 "Each response got its own mean first, so a token of a short one weighs more. Take one mean over all "
                 "kept tokens.",
                 "先在每条回答里取了平均，短回答的词元就重了。要对所有留下的词元一起取平均。",
                 lambda x, counted: -(x.sum(1) / counted.sum(1).clamp(min=1)).mean()),
        _cloning(lambda x, counted: -torch.where(counted, x.exp(), 0.0).sum() / counted.sum().clamp(min=1),
                 "These are probabilities. The loss is made of log-probabilities: leave out the exp.",
                 "这是概率。损失用的是对数概率：去掉 exp。"),
        Mistake(lambda logprob, mask, kept: _mean(torch.where(mask & kept[:, None], logprob, 0.0),
                                                  mask & kept[:, None]).detach(),
                "The values are right, but no gradient reaches `logprob`. Is there a detach or .item() too many?",
                "值是对的，但梯度到不了 `logprob`。是不是多了 detach 或 .item()？"),
        _cloning(lambda x, counted: -x.sum() / counted.sum().clamp(min=1) * counted.any(1).float().mean(),
                 "The loss is scaled by the share that was kept. It is a mean over the kept tokens alone.",
                 "损失又乘了留下的比例。它只是对留下的词元取平均。"),
        _cloning(_mean, "`|` counts what is real *or* kept. A token has to be both: `mask & kept[:, None]`.",
                 "`|` 算的是真实*或者*留下的。一个词元要两样都满足：`mask & kept[:, None]`。",
                 counted=lambda mask, kept: mask | kept[:, None]),
        ),
    "4b.5": (
        _weighed(lambda logprob, quality, floor: -logprob.exp().clamp(min=floor) * quality.detach() * logprob,
                 "A gradient flows through the weight π as well. It only says how much a token counts: detach it.",
                 "梯度也从权重 π 流了过去。它只说一个词元算多重：要 detach。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().exp().clamp(min=floor) * quality * logprob,
                 "A gradient flows into `quality`, which is a constant here: detach it.",
                 "梯度流进了 `quality`，而它在这里是常数：要 detach。"),
        _weighed(lambda logprob, quality, floor: -logprob.exp().clamp(min=floor) * quality * logprob,
                 "Gradients flow through the weight and into `quality`. Both are constants here: detach them.",
                 "梯度流过了权重，也流进了 `quality`。两个在这里都是常数：要 detach。"),
        _weighed(lambda logprob, quality, floor: -quality.detach() * logprob,
                 "The weight max(u, π) is missing.", "少了权重 max(u, π)。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().exp() * quality.detach() * logprob,
                 "The floor u is not used: a token that the policy finds impossible would never come back.",
                 "没有用到下限 u：策略认为不可能的词元就再也回不来了。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().exp().clamp(max=floor) * quality.detach() * logprob,
                 "u is taken as a ceiling, min(u, π). It is a floor: max(u, π), clamp(min=u).",
                 "把 u 当成了上限，min(u, π)。它是下限：max(u, π)，clamp(min=u)。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().exp().clamp(min=floor) * logprob,
                 "The quality Q̂ is not used.", "没有用到质量 Q̂。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().clamp(min=floor) * quality.detach() * logprob,
                 "The floor is held against log π, which is always below it. The weight is a probability: exp first.",
                 "下限和 log π 比了，而 log π 总比它小。权重是概率：先取 exp。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().clamp(min=floor).exp() * quality.detach() * logprob,
                 "The floor is held against log π, and exp came after. It is the floor of a probability: exp first.",
                 "先拿下限和 log π 比，之后才取 exp。它是概率的下限：先取 exp。"),
        _weighed(lambda logprob, quality, floor: -logprob * (logprob.exp() * quality).detach().clamp(min=floor),
                 "The floor is held against π · Q̂. It is that of π alone.", "下限是和 π · Q̂ 比的。它只管 π。"),
        _weighed(lambda logprob, quality, floor: -_or_else(logprob, floor, 0.0) * quality.detach() * logprob,
                 "Tokens below the floor got the weight 0. They get u: max(u, "
                 "π).", "低于下限的词元权重成了 0。应当是 u：max(u, π)。"),
        _weighed(lambda logprob, quality, floor: -_or_else(logprob, floor, 1.0) * quality.detach() * logprob,
                 "Tokens below the floor got the weight 1. They get u: max(u, "
                 "π).", "低于下限的词元权重成了 1。应当是 u：max(u, π)。"),
        _weighed(lambda logprob, quality, floor: -logprob.exp().clamp(min=floor) * quality.detach(),
                 "log π is missing: this is minus weight · Q̂.", "少了 log π：这只是负的权重 · Q̂。",
                 lambda logprob, quality, floor: -logprob.detach().exp().clamp(min=floor) * quality.detach()
                 + 0 * logprob),
        _weighed(lambda logprob, quality, floor: -logprob.exp().clamp(min=floor) * quality.detach() * logprob.detach(),
                 "The gradient flows through the weight and not through log π. It is the other way round.",
                 "梯度从权重流过，却不从 log π 流过。应当反过来。"),
        Mistake(lambda logprob, quality, mask, floor: -(keep(logprob, mask).detach().exp().clamp(min=floor) * keep(
                    quality, mask).detach().flip(1).cumsum(1).flip(1) * keep(logprob, mask)).sum() / mask.sum(),
                "The quality was summed up to the end of the response. `quality` is Q̂ already.",
                "质量又从这里累加到了回答末尾。`quality` 已经是 Q̂ 了。"),
        Mistake(lambda logprob, quality, mask, floor: _gold(logprob[mask], quality[mask] - quality[mask].mean(),
                                                            floor).mean(),
                "The mean quality was subtracted. Here Q̂ is taken as it is.", "减去了平均质量。这里直接用 Q̂。"),
        _weighed(lambda logprob, quality, floor: -(logprob.detach().exp() + floor) * quality.detach() * logprob,
                 "u is added to π. Take the larger of the two.", "这里把 u 加到了 π 上。要取两者中较大的。"),
        _weighed(lambda logprob, quality, floor: -(now := logprob.exp().clamp(min=floor)).detach() * quality.detach()
                 * now.log(),
                 "The floor is in the logarithm as well. It belongs to the weight alone: the last factor is log π.",
                 "对数里也用了下限。下限只属于权重：最后一个因子是 log π。"),
        _weighed(lambda logprob, quality, floor: logprob.detach().exp().clamp(min=floor) * quality.detach() * logprob,
                 "The sign: a loss is to be made small, so it is *minus* weight · Q̂ · log π.",
                 "符号反了：损失要变小，所以是*负的*权重 · Q̂ · log π。"),
        _weighed(lambda logprob, quality, floor: -logprob.detach().exp().clamp(min=floor) * quality.detach().exp()
                 * logprob,
                 "The quality was exponentiated. It is taken as it is.", "质量被取了 exp。要直接用。"),
        _weighed(lambda logprob, quality, floor: -logprob.exp().clamp(min=floor).detach() * quality.detach()
                 * logprob.exp(),
                 "The last factor is π. It is log π.", "最后一个因子成了 π。应为 log π。"),
        _weighed(lambda logprob, quality, floor: -(logprob.exp().clamp(min=floor) * quality * logprob).detach(),
                 "No gradient is left: only weight and Q̂ are constants, log π is what learns.",
                 "一点梯度也没有了：只有权重和 Q̂ 是常数，要学的是 log π。"),
        _averaged(lambda each, mask: each.sum(),
                  "This is the sum over tokens. Take the mean over the real "
                  "ones.", "这是对词元求和。要对真实的词元取平均。"),
        _averaged(lambda each, mask: each.mean(),
                  "The mean runs over all B × T places. Divide by the number of real tokens.",
                  "平均是对 B × T 个位置取的。要除以真实词元的个数。"),
        _averaged(lambda each, mask: (each.sum(1) / mask.sum(1)).mean(),
                  "Each response got its own mean first, so a token of a short one weighs more. Take one mean over all "
                  "real tokens.",
                  "先在每条回答里取了平均，短回答的词元就重了。要对所有真实词元一起取平均。"),
        _averaged(lambda each, mask: each.sum(1).mean(),
                  "This is the mean over responses of their sums. Take the mean over tokens.",
                  "这是对各条回答的和取平均。要对词元取平均。"),
        Mistake(lambda logprob, quality, mask, floor: (_gold(logprob, quality, floor) * mask).sum() / mask.sum(),
                "The padding may hold NaN or infinity, and 0 times NaN is NaN. Choose with torch.where before you "
                "compute.",
                "填充里可能有 NaN 或无穷大，0 乘 NaN 还是 NaN。计算之前先用 torch.where 来选。"),
        Mistake(lambda logprob, quality, mask, floor: torch.where(mask, _gold(logprob, quality, floor), 0.0).sum()
                / mask.sum(),
                "The value is right, but NaN in the padding spoils the gradient. Replace it *before* you compute, or "
                "pick the real tokens first: logprob[mask].",
                "值是对的，但填充里的 NaN 毁了梯度。要在计算*之前*换掉，或者先挑出真实的词元：logprob[mask]。"),
        Mistake(lambda logprob, quality, mask, floor: _gold(logprob, quality, floor).mean(),
                "The padding is in it: use the mask.", "填充也算了进来：要用掩码。"),
        _averaged(lambda each, mask: torch.where(mask, each / (-each.detach().sum()).abs().clamp(min=1e-9), 0.0).sum(),
                  "The loss was divided by its own size. Take the plain mean over real tokens.",
                  "损失除以了它自己的大小。直接对真实词元取平均。"),
        Mistake(lambda logprob, quality, mask, floor: (lambda w: -(w * keep(logprob, mask)).sum() / w.sum())(
                    torch.where(mask, keep(logprob, mask).detach().exp().clamp(min=floor)
                                * keep(quality, mask).detach(), 0.0)),
                "It was divided by the sum of the weights. Divide by the number of real tokens.",
                "这里除以了权重之和。要除以真实词元的个数。"),
        Mistake(lambda logprob, quality, mask, floor: (lambda now, weight: -(
                    weight * quality[mask].detach() * now).sum() / weight.sum())(
                        logprob[mask], logprob[mask].detach().exp().clamp(min=floor)),
                "The sum is divided by the sum of the weights. Divide by the number of real tokens: a plain mean.",
                "和除以的是权重之和。应除以真实词元的个数：普通的平均。"),
        ),
    "4b.6": (
        Mistake(_planned(kept=lambda reward, thresholds: [int((reward >= one).sum()) for one in thresholds]),
                "A reward of exactly the threshold is counted. The filter is strict: `>`.",
                "奖励恰好等于阈值的也算了。过滤是严格的：用 `>`。"),
        Mistake(_planned(kept=lambda reward, thresholds: [int((reward <= one).sum()) for one in thresholds]),
                "This counts what is filtered *out*.", "这里数的是被过滤*掉*的。",
                (_planned(kept=lambda reward, thresholds: [int((reward < one).sum()) for one in thresholds]),)),
        Mistake(_planned(kept=lambda reward, thresholds: [(reward > one).double().mean().item() for one in thresholds]),
                "This is the share that is kept. Count them: .sum().", "这是留下的比例。要数个数：.sum()。",
                (lambda reward, thresholds, size, share, updates: (lambda kept, passes: (kept / len(reward), passes))(
                    *improve_plan(reward, thresholds, size, share, updates)),)),
        Mistake(_over(lambda size, share, updates: updates * size),
                "Whole batches are counted. A share of each is original data: only the rest is drawn from what was "
                "kept.",
                "整个批次都算上了。每批有一部分是原始数据：只有剩下的才取自留下的回答。"),
        Mistake(_over(lambda size, share, updates: updates * old(size, share)),
                "These are the passes of the original rows. The drawn ones are the rest of the batch, size - old.",
                "这是按原始数据的行数算的。抽取的是批次里剩下的，size - old。"),
        Mistake(_over(lambda size, share, updates: updates * size * (1 - share)),
                "Rows are whole: round size · share first, and subtract "
                "that.", "行数是整数：先把 size · share 四舍五入，再减。"),
        Mistake(_over(lambda size, share, updates: updates * (size - min(size * round(share), size - 1))),
                "The share itself is rounded, to 0 or 1. Multiply first: round(size · share).",
                "比例本身被四舍五入成了 0 或 1。要先乘：round(size · share)。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / (
                    many + old(size, share)) if many + old(size, share) else math.inf),
                "The original rows of a batch are added to what is kept. Divide by the kept responses alone.",
                "一批里的原始数据行数加到了留下的条数上。只除以留下的条数。"),
        Mistake(_over(lambda size, share, updates: updates * (size - int(size * share))),
                "size · share is cut off. Round it to the nearest whole "
                "number.", "size · share 被截掉了小数。要四舍五入。"),
        Mistake(_over(lambda size, share, updates: updates * max(size - math.ceil(size * share), 1)),
                "size · share is rounded up. Round it to the nearest whole "
                "number.", "size · share 被向上取整了。要四舍五入。",
                (_over(lambda size, share, updates: updates * (size - math.ceil(size * share))),)),
        Mistake(_over(lambda size, share, updates: updates * (size - round(size * share))),
                "With a large share no drawn response is left in a batch. At least one is: old is at most size - 1.",
                "比例大时，一批里一条抽取的都没有了。至少要有一条：old 最多是 size - 1。"),
        Mistake(_over(lambda size, share, updates: size - old(size, share)),
                "These are the passes of one update. An Improve has `updates` of them.",
                "这只是一次更新。一个 Improve 有 `updates` 次。"),
        Mistake(_planned(passes=lambda many, size, share, updates: many / (updates * (size - old(size, share)))),
                "The fraction is upside down: rows that are drawn over responses that there are.",
                "分数颠倒了：应当是取出的行数除以回答的条数。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / many
                         if many else 0.0),
                "Where nothing is kept the passes came out as 0. Divided by 0 kept ones they are infinite.",
                "一条都不留时，遍数成了 0。除以 0 条，应当是无穷大。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / many),
                "Python refuses to divide by 0. Where nothing is kept, the passes are infinite: math.inf, or divide "
                "tensors.",
                "Python 不让除以 0。一条都不留时，遍数是无穷大：用 math.inf，或者用张量来除。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / max(many, 1)),
                "Where nothing is kept this divides by 1. The passes are infinite then.",
                "一条都不留时，这里除以了 1。那时遍数是无穷大。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) // many
                         if many else math.inf),
                "Whole passes only. Use `/`, fractions count, too.", "只算了整遍。要用 `/`，零头也算。",
                (_planned(passes=lambda many, size, share, updates: round(updates * (size - old(size, share)) / many)
                          if many else math.inf),
                 _planned(passes=lambda many, size, share, updates: -(-updates * (size - old(size, share)) // many)
                          if many else math.inf))),
        Mistake(_planned(kept=_between_levels),
                "This counts what lies between a threshold and the next. Above a threshold is also above all lower "
                "ones.",
                "这里数的是一个阈值到下一个阈值之间的。高于一个阈值的，也高于所有更低的，都要算。"),
        Mistake(_over(lambda size, share, updates: updates * (size - min(max(round(size * share), 1), size - 1))),
                "Without a share of original data a row of it is still counted. 0 is a share like any other.",
                "不要原始数据时，仍算了一行。0 也是一个比例。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / many
                         if many else math.nan),
                "Where nothing is kept the passes came out as NaN. They are "
                "infinite.", "一条都不留时，遍数成了 NaN。应当是无穷大。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share)) / (many + 1)),
                "1 was added to what is kept, so that nothing is divided by 0. Divide by the number itself.",
                "为了不除以 0，给留下的条数加了 1。要除以条数本身。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * (size - old(size, share))),
                "These are the rows that an Improve draws. Divide them by how many are kept.",
                "这是一个 Improve 取的行数。还要除以留下的条数。"),
        Mistake(_planned(passes=lambda many, size, share, updates: updates * size * share / many if many else math.inf),
                "size · share rows are original. The drawn ones are the rest.",
                "size · share 行是原始数据。抽取的是剩下的。"),
        Mistake(lambda reward, thresholds, size, share, updates: improve_plan(
                    reward, thresholds, size, share, updates)[::-1],
                "The two results are exchanged: first how many are kept, then the passes.",
                "两个结果的次序反了：先是留下的条数，再是遍数。"),
        Mistake(lambda reward, thresholds, size, share, updates: (lambda kept, passes: (kept, passes.cumsum(0)))(
                    *improve_plan(reward, thresholds, size, share, updates)),
                "The passes are added up over the Improves. Return those of each Improve by itself.",
                "遍数按 Improve 累加了。每个 Improve 单独算。"),
        Mistake(lambda reward, thresholds, size, share, updates: (lambda kept: (kept, torch.full(
                    (len(kept),), updates * (size - old(size, share)) / len(reward), dtype=torch.float64)))(
                        improve_plan(reward, thresholds, size, share, updates)[0]),
                "Divided by all responses. An Improve goes through the kept ones only.",
                "除的是所有回答。一个 Improve 只在留下的里面过。"),
        Mistake(lambda reward, thresholds, size, share, updates: (lambda kept: (kept, updates / len(thresholds) * (
                    size - old(size, share)) / kept.double()))(improve_plan(reward, thresholds, size, share,
                                                                             updates)[0]),
                "The updates are shared out over the Improves. `updates` are those of *each* Improve.",
                "更新次数被各个 Improve 平分了。`updates` 是*每个* Improve 的次数。"),
        Mistake(_over(lambda size, share, updates: updates * (size - max(min(round(size * share), size - 1), 1))),
                "Each batch got at least one original row, even where nothing is left for a drawn one. At least one "
                "*drawn* row is asked for: original ones are at most size - 1, and may be none.",
                "每批至少放了一行原始数据，有时连一行抽取的都没有了。要保证的是至少一行*抽取*的："
                "原始数据最多 size - 1 行，也可以没有。"),
        Mistake(lambda reward, thresholds, size, share, updates: (lambda kept: (kept, updates * (
                    size - old(size, share)) / (kept.double() / len(reward))))(
                        improve_plan(reward, thresholds, size, share, updates)[0]),
                "Divided by the share that is kept. Divide by its number.",
                "除的是留下的比例。应除以留下的条数。"),
        ),
}
