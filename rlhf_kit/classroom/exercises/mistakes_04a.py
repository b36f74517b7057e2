"""What goes wrong in lesson 04a, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_04a import (
    best_law,
    best_of_every_n,
    choose_n,
    draws_needed,
    kl,
    kl_estimate,
)
from rlhf_kit.formulas import best_of_n as formulas


def _searching(reached: Callable[[float, int, float], bool], en: str, zh: str, *also: Callable,
               most: int = 100_000) -> Mistake:
    """The first n for which `reached(p, n, q)`."""
    def wrong(p: float, q: float) -> int:
        if p <= 0:
            return -1
        low, high = 0, most
        while high - low > 1:                                   # every condition here stays true once it is
            middle = (low + high) // 2
            low, high = (low, middle) if reached(p, middle, q) else (middle, high)
        return high
    return Mistake(wrong, en, zh, also)


def _added_up(p: float, q: float) -> int:
    """p and p and p, until q is there."""
    if p <= 0:
        return -1
    n, total = 0, 0.0
    while total < q:
        n, total = n + 1, total + p
    return n


def _ratio(p: float, q: float) -> float:
    return math.log1p(-q) / math.log1p(-p) if 0 < p < 1 else (1.0 if p else -1.0)


def _instead(never: object, where: Callable[[float], bool] = lambda p: p <= 0) -> Callable:
    return lambda p, q: never if where(p) else draws_needed(p, q)


def _levels(probability: Tensor, reward: Tensor) -> tuple[Tensor, Tensor]:
    """F and F⁻ of every outcome."""
    probability, reward = probability.double(), reward.double()
    at_most = (reward[None, :] <= reward[:, None]).double() @ probability
    return at_most, (reward[None, :] < reward[:, None]).double() @ probability


def _of_levels(change: Callable[[Tensor, Tensor, Tensor, int], Tensor]) -> Callable:
    """`change(F, F⁻, π, n)`."""
    return lambda probability, reward, n: change(*_levels(probability, reward), probability.double(), n)


def _shared_evenly(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    high, low = _levels(probability, reward)
    return (high ** n - low ** n) / (reward[None, :] == reward[:, None]).sum(1)


def _one_takes_all(last: bool) -> Callable:
    def wrong(probability: Tensor, reward: Tensor, n: int) -> Tensor:
        """A sorted list, and its running sum: of a tie each takes its own slice."""
        order = reward.double().argsort(stable=True)
        if not last:
            order = reward.double().flip(0).argsort(stable=True).sub(len(reward) - 1).neg()
        high = probability.double()[order].cumsum(0).clamp(max=1)
        slices = high ** n - torch.cat([high.new_zeros(1), high[:-1]]) ** n
        return torch.zeros_like(slices).index_copy(0, order, slices)
    return wrong


def _shared_by_the_living(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    high, low = _levels(probability, reward)
    many = ((reward[None, :] == reward[:, None]) & (probability > 0)).sum(1)
    return torch.where(probability > 0, (high ** n - low ** n) / many.clamp(min=1), 0.0)


def _first_place(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    high, low = _levels(probability, reward)
    before = ((reward[None, :] == reward[:, None]).tril(-1)).any(1)
    return torch.where(before, 0.0, high ** n - low ** n)


def _in_sorted_order(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    return best_law(probability, reward, n)[reward.double().argsort(stable=True)]


def _taken_for_sorted(probability: Tensor, reward: Tensor, n: int) -> Tensor:
    high = probability.double().cumsum(0).clamp(max=1)
    return high ** n - torch.cat([high.new_zeros(1), high[:-1]]) ** n


def _share_of(weight: Tensor) -> Tensor:
    return weight / weight.sum()


def _kls(change: Callable[[Tensor, Tensor], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """A mistake in the first result, `change(law, π)`; the bound is right."""
    first, *others = (lambda law, probability, n, way=way: (way(law, probability), formulas.kl_bound(n))
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _bounds(change: Callable[[int], float], en: str, zh: str, *also: Callable) -> Mistake:
    """A mistake in the second result, `change(n)`; the KL is right."""
    first, *others = (lambda law, probability, n, way=way: (kl(law, probability), torch.tensor(float(way(n))))
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _choose(a: int, b: int) -> float:
    return float(math.comb(a, b)) if 0 <= b <= a else 0.0


def _weighing(weight: Callable[[int, int, int], float], en: str, zh: str, *also: Callable) -> Mistake:
    """Values in the order of the proxy, with other weights: `weight(i, n, N)`, i and n from 1."""
    def made(way: Callable[[int, int, int], float]) -> Callable:
        def wrong(proxy: Tensor, value: Tensor) -> Tensor:
            size = proxy.shape[1]
            table = torch.tensor([[way(i, n, size) for n in range(1, size + 1)] for i in range(1, size + 1)],
                                 dtype=torch.float64)
            return value.double().gather(1, proxy.argsort(dim=1, stable=True)) @ table
        return wrong
    return Mistake(made(weight), en, zh, tuple(map(made, also)))


def _of_the_first(proxy: Tensor, value: Tensor) -> Tensor:
    """The best of the first n draws, for every n."""
    best = [proxy[:, :n].argmax(1) for n in range(1, proxy.shape[1] + 1)]
    return torch.stack([value.gather(1, at[:, None])[:, 0] for at in best], 1).double()


def _mean_of_the_best(proxy: Tensor, value: Tensor) -> Tensor:
    best = value.double().gather(1, proxy.argsort(dim=1, descending=True, stable=True))
    return best.cumsum(1) / torch.arange(1, proxy.shape[1] + 1)


def _strictly_below(proxy: Tensor, value: Tensor) -> Tensor:
    size = proxy.shape[1]
    table = torch.tensor([[_choose(k, n - 1) / _choose(size, n) for n in range(1, size + 1)] for k in range(size)],
                         dtype=torch.float64)
    below = (proxy[:, None] < proxy[:, :, None]).sum(2)                                         # [B, N]
    return (table[below] * value.double()[:, :, None]).sum(1)


def _in_groups(proxy: Tensor, value: Tensor) -> Tensor:
    found = []
    for n in range(1, proxy.shape[1] + 1):
        many = proxy.shape[1] // n
        grouped, worth = (x[:, :many * n].reshape(len(x), many, n) for x in (proxy, value))
        found.append(worth.gather(2, grouped.argmax(2, keepdim=True))[..., 0].double().mean(1))
    return torch.stack(found, 1)


def _nth(proxy: Tensor, value: Tensor) -> Tensor:
    return value.double().gather(1, proxy.argsort(dim=1, stable=True))


def _estimates(change: Callable[[int, Tensor], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """`change(n, ε)`."""
    first, *others = (lambda n, logprob, way=way: way(n, logprob.double().exp()) for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _missed(n: float, rare: Tensor) -> Tensor:
    return (n * torch.log1p(-rare)).exp()


def _seldom(n: float, rare: Tensor) -> Tensor:
    missed = _missed(n, rare)
    inside = math.log(n) + (n - 1) * torch.log1p(-rare) - (n - 1) / n
    return torch.where(missed > 0, missed * inside, 0.0)


def _often(n: float, rare: Tensor) -> Tensor:
    drawn = -torch.expm1(n * torch.log1p(-rare))
    return drawn * (drawn / rare).log()


def _plainly(n: int, rare: Tensor) -> Tensor:
    missed = (1 - rare) ** n
    return (missed * (math.log(n) + (n - 1) * (1 - rare).log() - (n - 1) / n)
            + (1 - missed) * ((1 - missed) / rare).log())


def _picks(change: Callable[[list[float], list[float], int], int], en: str, zh: str, *also: Callable) -> Mistake:
    """`change(gold within the budget, their errors, budget)`."""
    first, *others = (lambda gold, error, budget, way=way: way(gold[:budget], error[:budget], budget)
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _first_at(gold: list[float], bar: float) -> int:
    return next((i + 1 for i, worth in enumerate(gold) if worth >= bar), len(gold))


def _best(gold: list[float]) -> int:
    return gold.index(max(gold))


def _doubling(gold: list[float], error: list[float], budget: int) -> int:
    n, best = 1, _best(gold)
    while n <= len(gold) and gold[n - 1] < gold[best] - error[best]:
        n *= 2
    return min(n, len(gold))


def _last_near(gold: list[float], error: list[float], budget: int) -> int:
    best = _best(gold)
    return max(i for i, worth in enumerate(gold) if worth >= gold[best] - error[best]) + 1


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "4a.1": (
        _searching(lambda p, n, q: 1 - (1 - p) ** n > q,
                   "Where the probability is exactly q, one draw too many. *At least* q is enough: `>=`, not `>`.",
                   "概率恰好等于 q 时多抽了一次。*至少* q 就够了：用 `>=`，不用 `>`。"),
        Mistake(lambda p, q: 1 if p >= 1 else -1 if p <= 0 else math.floor(_ratio(p, q)) + 1,
                "Where the probability is exactly q, one draw too many: floor + 1 is not the same as rounding up. Take "
                "math.ceil, or test >= q.",
                "概率恰好等于 q 时多抽了一次：向下取整再加 1，和向上取整不是一回事。请用 math.ceil，或用 >= q "
                "来判断。"),
        _searching(lambda p, n, q: n * p >= q,
                   "This adds the probabilities up, n · p. Draws can be good twice: the chance that *all* fail is "
                   "(1 - p)^n.",
                   "这是把概率相加，n · p。好的可能抽到两次：*全都*不好的概率是 (1 - p)^n。", _added_up),
        _searching(lambda p, n, q: (1 - p) ** n <= q,
                   "This asks that *all* fail with probability q at most. One is good with probability 1 - (1 - p)^n.",
                   "这里要求的是*全都*不好的概率不超过 q。至少一个好的概率是 1 - (1 - p)^n。"),
        Mistake(lambda p, q: -1 if p <= 0 else 1 if p >= 1 else max(math.floor(_ratio(p, q)), 1),
                "One draw too few: the number is rounded down, and then the probability is below q. Round up.",
                "少抽了一次：向下取整之后，概率还不到 q。要向上取整。",
                (lambda p, q: -1 if p <= 0 else 1 if p >= 1 else math.floor(_ratio(p, q)),
                 lambda p, q: -1 if p <= 0 else 0 if p >= 1 else math.floor(_ratio(p, q)))),
        Mistake(lambda p, q: -1 if p <= 0 else 1 if p >= 1 else round(_ratio(p, q)),
                "The number of draws is rounded to the nearest. Round *up*: with fewer draws the probability is below "
                "q.",
                "抽取次数是四舍五入的。要*向上*取整：少抽一次，概率就不到 q。",
                (lambda p, q: -1 if p <= 0 else 1 if p >= 1 else max(round(_ratio(p, q)), 1),)),
        Mistake(lambda p, q: -1 if p <= 0 else 1.0 if p >= 1 else _ratio(p, q),
                "Half a draw does not exist: round up, as math.ceil "
                "does.", "没有半次抽取：要向上取整，比如用 math.ceil。"),
        Mistake(lambda p, q: -1 if p <= 0 else math.ceil(1 / p),
                "This is 1/p, the draws until the first good one *on average*. q is not used: with 1/p draws the "
                "probability is 63 % or a little more.",
                "这是 1/p，也就是*平均*要抽几次才有第一个好的。没有用到 q：抽 1/p 次，概率只有 63% 左右。",
                (lambda p, q: -1 if p <= 0 else round(1 / p), lambda p, q: -1 if p <= 0 else 1 / p)),
        Mistake(lambda p, q: -1 if p <= 0 else round(q / p),
                "This is q/p. The probabilities of several draws do not add up: the chance that *all* fail is "
                "(1 - p)^n.",
                "这是 q/p。几次抽取的概率不能直接相加：*全都*不好的概率是 (1 - p)^n。",
                (lambda p, q: -1 if p <= 0 else q / p,)),
        Mistake(lambda p, q: -1 if p <= 0 else draws_needed(p, q) + 1,
                "One draw too many. The first draw is n = 1; with it the probability is p already.",
                "多抽了一次。第一次抽取就是 n = 1，这时概率已经是 p。"),
        Mistake(lambda p, q: -1 if p <= 0 else draws_needed(p, q) - 1,
                "One draw too few. The draw that reaches q counts, too.", "少抽了一次。让概率达到 q 的那一次也要算。",
                (lambda p, q: -1 if p <= 0 else 1 if p >= 1 else draws_needed(p, q) - 1,)),
        _searching(lambda p, n, q: p >= 1 or 1 - p ** n >= q,
                   "This is 1 - p^n, the probability that not *all* are good. At least one is good with probability "
                   "1 - (1 - p)^n.",
                   "这是 1 - p^n，也就是并非*每次*都好的概率。至少一次好的概率是 1 - (1 - p)^n。"),
        Mistake(lambda p, q: 0 if p >= 1 else draws_needed(p, q),
                "For p = 1 it gave 0. Without a draw there is nothing to choose; the first one is good: 1.",
                "p = 1 时给出了 0。一次也不抽就没有可选的；第一次就抽到好的：应为 1。"),
        Mistake(lambda p, q: draws_needed(q, p) if p < 1 else 1,
                "p and q are exchanged: p is the probability of one draw, q the one that is to be reached.",
                "p 和 q 弄反了：p 是抽一次的概率，q 是要达到的概率。",
                (lambda p, q: 1 / 0 if p in (0.0, 1.0) else draws_needed(q, p),)),
        Mistake(_instead(math.inf),
                "For p = 0 it gave infinity. Never is said by -1 "
                "here.", "p = 0 时给出了无穷大。这里用 -1 表示永远达不到。"),
        Mistake(_instead(0),
                "For p = 0 it gave 0, as if no draw were needed. What is never drawn is never the best: -1.",
                "p = 0 时给出了 0，好像一次也不用抽。抽不到的东西，永远当不了最好的：应为 -1。"),
        Mistake(_instead(None),
                "For p = 0 nothing is returned. What is never drawn is never the best: -1.",
                "p = 0 时什么也没有返回。抽不到的东西，永远当不了最好的：应为 -1。"),
        Mistake(_instead(1),
                "For p = 0 it gave 1. What is never drawn is never the best, whatever n is: -1.",
                "p = 0 时给出了 1。抽不到的东西，不管 n 多大都当不了最好的：应为 -1。"),
        *(Mistake(lambda p, q, one=one: (1 / 0 if p <= 0 else one if p >= 1 else draws_needed(p, q)),
                  "With p = 0 it divides by log(1 - p) = 0. Look at that case first: nothing is ever drawn, -1.",
                  "p = 0 时除以了 log(1 - p) = 0。先单独处理这种情形：永远抽不到，应为 -1。") for one in (1,)),
        Mistake(lambda p, q: 1 / 0 if p <= 0 else math.log(-1) if p >= 1 else draws_needed(p, q),
                "With p = 0 it divides by log(1 - p) = 0, and with p = 1 there is no logarithm of 0. Look at these two "
                "first: -1 and 1.",
                "p = 0 时除以了 log(1 - p) = 0，p = 1 时又要算 0 的对数。先单独处理这两种情形：-1 和 1。"),
        Mistake(lambda p, q: -1 if p <= 0 else math.log(-1) if p >= 1 else draws_needed(p, q),
                "With p = 1 there is no logarithm of 0. Then the first draw is good: 1.",
                "p = 1 时要算 0 的对数，而它不存在。这时第一次就抽到好的：应为 1。"),
        *(Mistake(lambda p, q, most=most: (lambda n: n if n <= most else -1)(draws_needed(p, q)),
                  "The search ends too early and says never. Only p = 0 is never; rare things take many draws.",
                  "搜索停得太早，就说成了永远达不到。只有 p = 0 才是永远；稀有的东西要抽很多次。")
          for most in (50, 500, 5000, 20_000)),
        *(Mistake(lambda p, q, most=most: -1 if p <= 0 else min(draws_needed(p, q), most),
                  "The search ends too early: rare things take many draws, and the last n that was tried is not the "
                  "answer.",
                  "搜索停得太早：稀有的东西要抽很多次，最后试的那个 n 并不是答案。"
                  "") for most in (50, 500, 5000, 20_000)),
        Mistake(lambda p, q: -1 if p <= 0 else 1 - (1 - p) ** draws_needed(p, q),
                "This is a probability. Wanted is the number of draws.", "这是概率。要的是抽取的次数。"),
        Mistake(lambda p, q: -1 if p < q else 1,
                "Where one draw is not enough it gives -1. More draws may be: the chance of *at least one* good one, "
                "1 - (1 - p)^n, grows with n.",
                "抽一次不够的地方，它都给出 -1。多抽几次也许就够了：*至少一次*好的概率 1 - (1 - p)^n 随 n 增大。"),
        *(_searching(lambda p, n, q, digits=digits: round(1 - (1 - p) ** n, digits) >= q,
                     "The probability was rounded before it was compared. Compare it as it is.",
                     "概率先舍入再比较了。要直接比较。") for digits in (2, 3, 4)),
        Mistake(lambda p, q: -1 if p <= 0 else 1 if p >= 1 else math.ceil(math.log(q) / math.log(p)),
                "This is log q / log p, draws that are *all* good. That all fail has probability (1 - p)^n: "
                "log(1 - q) / log(1 - p).",
                "这是 log q / log p，也就是*每次*都好。全都不好的概率是 (1 - p)^n：log(1 - q) / log(1 - p)。"),
        Mistake(lambda p, q: -1 if p <= 0 else max(1, math.ceil(-math.log(1 - q) / p)),
                "log(1 - p) was taken for -p. That is nearly so for small p only.",
                "把 log(1 - p) 当成了 -p。只有 p 很小时才差不多。",
                (lambda p, q: -1 if p <= 0 else math.ceil(-math.log(1 - q) / p),)),
        Mistake(lambda p, q: -1 if p >= 1 else draws_needed(p, q),
                "For p = 1 it gave -1. Then the first draw is good: "
                "1.", "p = 1 时给出了 -1。这时第一次就抽到好的：应为 1。"),
        Mistake(lambda p, q: draws_needed(p, q) if p <= 0 else max(2, draws_needed(p, q)),
                "The count begins at 2. One draw may be enough: begin at n = 1.",
                "是从 2 数起的。抽一次也可能就够了：从 n = 1 数起。"),
        Mistake(lambda p, q: -1 if p <= 0 else 1 if p >= 1 else max(1.0, _ratio(p, q)),
                "Half a draw does not exist: round up, as math.ceil does.",
                "没有半次抽取：要向上取整，比如用 math.ceil。"),
        ),
    "4a.2": (
        Mistake(_of_levels(lambda high, low, pi, n: high ** n - low ** n),
                "Of outcomes that tie, each got the probability of all of them, and the sum is above 1. Share it out "
                "in "
                "proportion to π: times π / (F - F⁻).",
                "奖励相同的几个，每个都拿到了它们合起来的概率，总和超过了 1。要按 π 的比例分：乘 π / (F - F⁻)。"),
        Mistake(_shared_evenly,
                "Outcomes that tie share evenly here. The one that is drawn more often is drawn first more often: "
                "share "
                "in proportion to π.",
                "奖励相同的几个，这里是平分的。常被抽到的，更常先被抽到：要按 π 的比例分。"),
        Mistake(_shared_by_the_living,
                "Outcomes that tie share evenly here, those that are never drawn left out. The one that is drawn more "
                "often is drawn first more often: share in proportion to π.",
                "奖励相同的几个，这里去掉抽不到的之后平分了。常被抽到的，更常先被抽到：要按 π 的比例分。"),
        Mistake(_first_place,
                "Of outcomes that tie, the first in the list took everything. Any of them may be drawn first: share in "
                "proportion to π.",
                "奖励相同的几个，全给了列表里的第一个。哪个都可能先被抽到：要按 π 的比例分。"),
        *(Mistake(lambda probability, reward, n, near=near: best_law(probability, (reward.double() / near).round(), n),
                  "Rewards that are nearly equal were taken for equal. Only equal ones tie.",
                  "奖励接近的被当成了相同。只有完全相等才算相同。") for near in (1e-2,)),
        *(Mistake(_of_levels(lambda high, low, pi, n, power=power: torch.where(pi > 0, n * pi * high ** power(n), 0.0)),
                  "n π F holds where exactly one draw is this outcome and the others are at most as good, with "
                  "F^(n-1). "
                  "It may be drawn twice: take F^n - F⁻^n.",
                  "n π F 之类，是恰好一次抽到它、其余不更好，那也该是 F^(n-1)。它还可能抽到两次：要用 F^n - F⁻^n。")
          for power in (lambda n: 1, lambda n: n)),
        *(Mistake(_one_takes_all(last),
                  "Of outcomes that tie, each takes its own slice of the running sum, so one of them gets too much. "
                  "F counts *all* rewards up to this one, those that tie included; then share in proportion to π.",
                  "奖励相同的几个，各取了累加和里自己的那一段，有一个就拿多了。F 要算上*所有*不超过它的，"
                  "连同奖励相同的；"
                  "然后按 π 的比例分。") for last in (True, False)),
        Mistake(lambda probability, reward, n: (lambda high, low, pi: (high ** n - low ** n) * pi / (high - low))(
                    *_levels(probability, reward), probability.double()),
                "An outcome that π never draws gives 0/0, NaN. Its probability stays 0.",
                "π 从来抽不到的结果，算出来是 0/0，也就是 NaN。它的概率仍是 0。"),
        Mistake(_of_levels(lambda high, low, pi, n: high ** n - (high - pi) ** n),
                "F⁻ is taken for F - π. Where rewards tie, F⁻ leaves out *all* of them: it counts rewards strictly "
                "below.",
                "把 F⁻ 当成了 F - π。奖励相同时，F⁻ 要把它们*全都*去掉：只算严格更低的。"),
        Mistake(lambda probability, reward, n: best_law(torch.ones_like(probability.double()) / len(reward), reward, n),
                "F counts how many outcomes are as bad or worse. Add up their *probabilities*: they are not all equal.",
                "F 数的是有几个结果不比它好。要加的是它们的*概率*：概率并不都相同。",
                (lambda probability, reward, n: (lambda high, low: high ** n - low ** n)(
                    *_levels(torch.ones_like(probability.double()) / len(reward), reward)),)),
        Mistake(_in_sorted_order,
                "The numbers are right, but they stand in the order of the rewards. Put them back in the order of the "
                "arguments.",
                "数都对，但排成了奖励从小到大的次序。要放回参数原来的次序。"),
        Mistake(lambda probability, reward, n: _one_takes_all(True)(probability, reward, n)[
                    reward.double().argsort(stable=True)],
                "The result stands in the order of the rewards: put it back in the order of the arguments. Also, of "
                "outcomes that tie, each took its own slice of the running sum: F counts all of them.",
                "结果排成了奖励从小到大的次序：要放回参数原来的次序。另外，奖励相同的几个各取了累加和里自己的那一段："
                "F 要把它们都算上。"),
        Mistake(_of_levels(lambda high, low, pi, n: high ** n * pi),
                "F^n is there, F⁻^n is not: the best must be this outcome, not just at most as good. "
                "It is (F^n - F⁻^n) π / (F - F⁻).",
                "有 F^n，却没有 F⁻^n：最好的要正好是它，而不只是不超过它。应为 (F^n - F⁻^n) π / (F - F⁻)。"),
        Mistake(_of_levels(lambda high, low, pi, n: torch.where(pi > 0, (high - low) ** n * pi / (high - low).clamp(
                    min=1e-300), 0.0)),
                "This is (F - F⁻)^n, all draws exactly this good. Take the powers first: F^n - F⁻^n.",
                "这是 (F - F⁻)^n，也就是每次都恰好这么好。要先乘方再相减：F^n - F⁻^n。"),
        Mistake(lambda probability, reward, n: (lambda high, low, pi: torch.where(
                    pi > 0, (high ** n - low ** n) * pi / (high - low).clamp(min=1e-30), 0.0))(
                        probability.double() * (reward[None, :] <= reward[:, None]).sum(0),
                        probability.double() * (reward[None, :] < reward[:, None]).sum(0), probability.double()),
                "The table is summed along the wrong dimension: for each outcome add up the probabilities of the "
                "*others* that are no better, .sum(1).",
                "表格沿错误的维度求了和：对每个结果，要把不比它好的*那些*结果的概率加起来，.sum(1)。"),
        *(Mistake(_of_levels(lambda high, low, pi, n, least=least: (high ** n - low ** n) * pi / (high - low + least)),
                  "A small number was added to what is divided by, and it shows: the sum is below 1. Choose with "
                  "torch.where where π is 0.",
                  "除数上加了一个小数，结果就不准了：总和小于 1。π 为 0 的地方，用 torch.where 来选。")
          for least in (1e-2, 1e-3, 1e-4)),
        Mistake(lambda probability, reward, n: torch.nn.functional.one_hot(reward.argmax(), len(reward)).double(),
                "Everything went to the outcome with the highest reward. With n draws it may not be among them, and "
                "what is never drawn never is.",
                "全都给了奖励最高的结果。只抽 n 次，它未必在里面；抽不到的永远不在。"),
        Mistake(lambda probability, reward, n: best_law(probability, reward, n).to(reward.dtype),
                "The result has the type of the rewards, and where they are whole numbers it is cut to 0. Make it of "
                "the type of `probability`.",
                "结果用了奖励的类型，奖励是整数时就被截成了 0。要用 `probability` 的类型。"),
        Mistake(_taken_for_sorted,
                "The running sum goes over the outcomes as they stand. They are not sorted by reward: F counts those "
                "with a reward up to this one.",
                "累加和是按结果原来的次序加的。它们没有按奖励排好：F 要算的是奖励不超过它的那些。"),
        Mistake(lambda probability, reward, n: best_law(probability, -reward, n),
                "This is the law of the *worst* of n draws. F⁻ holds the rewards below, not those above.",
                "这是 n 次里*最差*的那个的分布。F⁻ 是奖励更低的，不是更高的。"),
        Mistake(_of_levels(lambda high, low, pi, n: high ** n),
                "This is F^n, the probability that the best is *at most* as good as this one. Subtract F⁻^n.",
                "这是 F^n，也就是最好的*不超过*它的概率。还要减去 F⁻^n。"),
        Mistake(_of_levels(lambda high, low, pi, n: n * pi * high ** (n - 1)),
                "n π F^(n-1) holds for densities, where nothing ties. A single outcome can be drawn twice: take "
                "F^n - F⁻^n.",
                "n π F^(n-1) 是没有平局的连续情形的密度。同一个结果可以抽到两次：要用 F^n - F⁻^n。",
                (_of_levels(lambda high, low, pi, n: _share_of(n * pi * high ** (n - 1))),)),
        Mistake(_of_levels(lambda high, low, pi, n: n * pi * low ** (n - 1)),
                "This is the probability that one draw is this outcome and all others are worse. It may be drawn "
                "twice: "
                "F^n - F⁻^n.",
                "这是只有一次抽到它、其余都更差的概率。它也可能抽到两次：要用 F^n - F⁻^n。"),
        Mistake(_of_levels(lambda high, low, pi, n: 1 - (1 - pi) ** n),
                "This is the probability that an outcome is among the n draws. It must also be the best of them.",
                "这是 n 次里抽到过它的概率。它还得是其中最好的。"),
        Mistake(_of_levels(lambda high, low, pi, n: torch.where(pi > 0, (high ** (n - 1) - low ** (n - 1)) * pi / (
                    high - low).clamp(min=1e-300), 0.0) if n > 1 else pi * 0),
                "The exponent is n - 1. All n draws have to be at most as good: F^n.",
                "指数成了 n - 1。n 次抽取都不能更好：应为 F^n。",
                (_of_levels(lambda high, low, pi, n: torch.where(pi > 0, (high ** (n - 1) - low ** (n - 1)) * pi / (
                    high - low).clamp(min=1e-300), 0.0)),)),
        Mistake(lambda probability, reward, n: _share_of(probability.double() ** n),
                "The reward is not used: this makes what is *frequent* more frequent. Best-of-n prefers what is good.",
                "没有用到奖励：这是让*常见的*更常见。best-of-n 偏爱的是好的。"),
        Mistake(lambda probability, reward, n: (probability.double().log() + n * reward.double()).softmax(0),
                "This weighs with e^(n r). Best-of-n sees only the *order* of the rewards: F^n - F⁻^n.",
                "这是用 e^(n r) 加权。best-of-n 只看奖励的*次序*：要用 F^n - F⁻^n。",
                (lambda probability, reward, n: (probability.double().log() + reward.double()).softmax(0),)),
        Mistake(lambda probability, reward, n: best_law(probability, probability, n),
                "The best is taken by π here. It is the one with the highest reward.",
                "这里按 π 取最好的。最好的是奖励最高的那个。"),
        Mistake(_of_levels(lambda high, low, pi, n: _share_of(high ** n)),
                "This is F^n, divided by its sum. The law of the best is the difference F^n - F⁻^n.",
                "这是 F^n 除以它的总和。最好者的分布是差 F^n - F⁻^n。"),
        Mistake(_of_levels(lambda high, low, pi, n: _share_of(high ** n - low ** n)),
                "Of outcomes that tie each got the probability of all of them, and dividing by the sum takes the "
                "excess "
                "from everybody. Share it out among those that tie: times π / (F - F⁻).",
                "奖励相同的几个，每个都拿到了合起来的概率，再除以总和，就让大家一起吃亏。应当只在它们之间分：乘 π / "
                "(F - F⁻)。"),
        Mistake(lambda probability, reward, n: (reward == reward[probability > 0].max()).double() * probability / (
                    probability[reward == reward[probability > 0].max()].sum()),
                "Everything went to the best outcome, as if n were infinite. With n draws the best may not be among "
                "them.",
                "全都给了最好的结果，好像 n 是无穷大。只抽 n 次，最好的未必在里面。"),
        Mistake(lambda probability, reward, n: (high := _levels(probability, reward))[0] ** n - high[1] ** n
                if probability.all() else torch.where(probability > 0, high[0] ** n - high[1] ** n, 0.0)
                if (high := _levels(probability, reward)) else None,
                "Of outcomes that tie, each got the probability of all of them, and the sum is above 1. Share it out "
                "in "
                "proportion to π: times π / (F - F⁻).",
                "奖励相同的几个，每个都拿到了它们合起来的概率，总和超过了 1。要按 π 的比例分：乘 π / (F - F⁻)。"),
        Mistake(_of_levels(lambda high, low, probability, n: torch.where(probability > 0, high ** n, 0.0)),
                "This is F^n, the probability that the best is *at most* as good as this one. Subtract F⁻^n, and share "
                "it out among those that tie.",
                "这是 F^n，也就是最好的*至多*和它一样好的概率。要减去 F⁻^n，再分给打平的几个。",
                (_of_levels(lambda high, low, probability, n: _share_of(torch.where(
                    probability > 0, high ** n, 0.0))),)),
        ),
    "4a.3": (
        Mistake(lambda law, probability, n: (formulas.kl_bound(n), kl(law, probability)),
                "The two results are exchanged: first the KL, then the bound.",
                "两个结果的次序反了：先是 KL，再是上界。"),
        _kls(lambda law, probability: (law * (law / probability).log()).sum(),
             "Where an outcome is never drawn this is 0 · log 0, NaN. It adds nothing: choose with torch.where, or "
             "pick "
             "the entries above 0 first.",
             "抽不到的结果在这里成了 0 · log 0，也就是 NaN。它什么也不加：用 torch.where 来选，或者先挑出大于 0 的。",
             lambda law, probability: (law * (law.log() - probability.log())).sum()),
        _kls(lambda law, probability: kl(probability, law),
             "This is the KL in the other direction, Σ π log(π/law). What draws now stands in front: "
             "Σ law log(law/π).",
             "这是反方向的 KL，Σ π log(π/law)。现在用来抽取的放在前面：Σ law log(law/π)。",
             lambda law, probability: (probability * (probability / law).log()).sum(),
             lambda law, probability: (probability * (probability / law).log()).nansum()),
        _kls(lambda law, probability: torch.where(law > 0, (law / probability).log(), 0.0).sum(),
             "Each logarithm is weighted by its law: Σ law · log(law/π).",
             "每个对数都要用 law 加权：Σ law · log(law/π)。"),
        _kls(lambda law, probability: kl(law, probability) / len(law),
             "This is a mean over outcomes. The weights are in the law already: sum.",
             "这里对各个结果取了平均。权重已经在 law 里了：要求和。",
             lambda law, probability: kl(law, probability) / (law > 0).sum()),
        _kls(lambda law, probability: kl(law, probability) / math.log(2),
             "The KL is in bits. Take the natural logarithm: nats.", "这里的 KL 以比特为单位。要用自然对数：奈特。"),
        _kls(lambda law, probability: torch.where((law > 0) & (probability > 0), (law - probability) * (
                 law.clamp(min=1e-300) / probability.clamp(min=1e-300)).log(), 0.0).sum() / 2,
             "Both directions were averaged. KL has one: Σ law log(law/π).",
             "两个方向取了平均。KL 只有一个方向：Σ law log(law/π)。"),
        _kls(lambda law, probability: torch.where(law > 0, probability * (law.clamp(min=1e-300) / probability.clamp(
                 min=1e-300)).log(), 0.0).sum(),
             "The logarithms are weighted by π. What is drawn from now are the weights: Σ law · log(law/π).",
             "对数是用 π 加权的。现在从 law 抽，就用 law 加权：Σ law · log(law/π)。"),
        _kls(lambda law, probability: torch.special.xlogy(law, law).sum() - torch.special.xlogy(
                 probability, probability).sum(),
             "This is the difference of two entropies. That is the KL only from an even π: Σ law · log(law/π).",
             "这是两个熵之差。只有 π 均匀时它才是 KL：Σ law · log(law/π)。"),
        Mistake(lambda law, probability, n: (kl(law, probability) / n, formulas.kl_bound(n)),
                "The KL is divided by n. The law is already that of one answer: no division.",
                "KL 除以了 n。这个分布已经是一个回答的分布：不用除。"),
        Mistake(lambda law, probability, n: (kl(law, probability), formulas.kl_bound(len(law))),
                "The bound was computed from the number of outcomes. It depends on n, the number of draws.",
                "上界是用结果的个数算的。它取决于抽取次数 n。"),
        _kls(lambda law, probability: -kl(law, probability),
             "The sign of the KL is the other way round: log(law/π), not log(π/law). A KL is never negative.",
             "KL 的符号反了：是 log(law/π)，不是 log(π/law)。KL 从来不会是负数。"),
        _kls(lambda law, probability: torch.where(law > 0, -law * law.clamp(min=1e-300).log(), 0.0).sum(),
             "This is the entropy of the law. π is not used: log(law/π).",
             "这是 law 的熵。没有用到 π：应为 log(law/π)。",
             lambda law, probability: torch.where(law > 0, law * law.clamp(min=1e-300).log(), 0.0).sum()),
        _kls(lambda law, probability: (law - probability).abs().sum() / 2,
             "This is half the sum of the differences, another distance. KL is Σ law log(law/π).",
             "这是各项之差的绝对值之和的一半，是另一种距离。KL 是 Σ law log(law/π)。",
             lambda law, probability: (law - probability).abs().sum()),
        _kls(lambda law, probability: torch.where(law > 0, law * (law.clamp(min=1e-300) / probability).log(), 0.0
                                                  ).abs().sum(),
             "Single summands are negative, and their sign was lost. Only the sum is not negative.",
             "单独的项可以是负的，这里丢了符号。只有总和不会是负的。",
             lambda law, probability: torch.where(law > 0, law * (law.clamp(min=1e-300) / probability).log(), 0.0
                                                  ).clamp(min=0).sum()),
        _bounds(math.log,
                "The bound is log n here: (n - 1)/n is not subtracted, or `//` makes it 0. (Anthropic's paper uses "
                "log n. It is a bound, too, but nearly 1 nat too high.)",
                "这里的上界是 log n：没有减去 (n - 1)/n，或者 `//` 把它算成了 0。（Anthropic 的论文用的就是 log n。"
                "那也是上界，但高了将近 1 奈特。）"),
        _bounds(lambda n: math.log1p(n) - (n - 1) / n, "This is log(1 + n). It is log n.",
                "这是 log(1 + n)。应为 log n。"),
        _bounds(lambda n: math.log(n) - 1 / n, "This subtracts 1/n. It is (n - 1)/n.",
        "这里减的是 1/n。应为 (n - 1)/n。"),
        _bounds(lambda n: math.log(n) - (n - 1), "n - 1 is subtracted whole. It is divided by n: (n - 1)/n.",
                "减的是整个 n - 1。还要除以 n：(n - 1)/n。"),
        _bounds(lambda n: math.log(n) - n - 1 / n, "Brackets are missing: n - 1/n is not (n - 1)/n.",
                "少了括号：n - 1/n 不是 (n - 1)/n。", lambda n: math.log(n) - (n - 1 / n)),
        _bounds(lambda n: (math.log(n) - (n - 1)) / n,
                "log n is divided by n as well. Only n - 1 is: log n - (n - 1)/n.",
                "log n 也除以了 n。只有 n - 1 要除：log n - (n - 1)/n。"),
        _bounds(lambda n: math.log(n) + (n - 1) / n, "(n - 1)/n is added. It is subtracted.",
                "(n - 1)/n 加了上去。应当减去。"),
        _bounds(lambda n: math.log2(n) - (n - 1) / n, "log2 in the bound. Nats want the natural logarithm.",
                "上界里用了 log2。奈特要用自然对数。", lambda n: math.log10(n) - (n - 1) / n),
        _bounds(lambda n: math.log(n) - 1 if n > 1 else 0.0,
                "Here 1 is subtracted, which is what (n - 1)/n comes near to. Subtract (n - 1)/n itself.",
                "这里减的是 1，那只是 (n - 1)/n 趋近的数。要减 (n - 1)/n 本身。", lambda n: math.log(n) - 1),
        Mistake(lambda law, probability, n: (torch.minimum(kl(law, probability).double(), formulas.kl_bound(n)),
                                             formulas.kl_bound(n)),
                "The KL is cut off at the bound. Return both as they are: where they do not fit, that is to be seen.",
                "KL 在上界处被截断了。两个都照实返回：不相符的地方，正要看得出来。"),
        Mistake(lambda law, probability, n: (formulas.kl_bound(n), formulas.kl_bound(n)),
                "The bound is returned twice. The first result is the KL of this very law: Σ law log(law/π).",
                "两个结果都是上界。第一个应当是这个分布自己的 KL：Σ law log(law/π)。"),
        Mistake(lambda law, probability, n: (kl(law, probability), kl(law, probability)),
                "The KL is returned twice. The second result is the bound, which depends on n alone.",
                "两个结果都是 KL。第二个应当是上界，它只和 n 有关。"),
        *(_kls(lambda law, probability, least=least: (law * ((law + least) / (probability + least)).log()).sum(),
               "A small number was added to keep the logarithm alive, and it shows. Choose with torch.where where the "
               "law is 0.",
               "为了不让对数出错加了一个小数，结果就不准了。law 为 0 的地方，用 torch.where 来选。")
          for least in (1e-2, 1e-3, 1e-4)),
        Mistake(lambda law, probability, n: (kl(law, probability) / math.log(2), torch.tensor(
                    math.log2(n) - (n - 1) / n)),
                "Both logarithms are of base 2, so this is in bits. Take the natural one: nats.",
                "两个对数都以 2 为底，得到的是比特。请用自然对数。"),
        _bounds(lambda n: math.log(n) - n / (n - 1) if n > 1 else 0.0,
                "The fraction of the bound is upside down: (n - 1)/n.", "上界里的分数颠倒了：应为 (n - 1)/n。"),
        _kls(lambda law, probability: torch.nn.functional.kl_div(law, probability, reduction="sum"),
             "kl_div got a law where it expects logarithms, those of π. Easier to read is the sum itself, "
             "Σ law log(law/π).",
             "kl_div 的第一个参数应当是对数，即 log π，这里给的却是概率。直接写求和更清楚：Σ law log(law/π)。",
             lambda law, probability: torch.nn.functional.kl_div(probability, law, reduction="sum")),
        _kls(lambda law, probability: torch.nn.functional.kl_div(probability.log(), law, reduction="sum"),
             "What neither of the laws ever draws makes this NaN: 0 times infinity. It adds nothing: pick the entries "
             "of which `law` is above 0 first.",
             "两个分布都抽不到的结果在这里成了 NaN：0 乘无穷大。它什么也不加：先挑出 `law` 大于 0 的。"),
        ),
    "4a.4": (
        Mistake(_of_the_first,
                "This is the best of the *first* n draws, one choice of many. Average over all choices of n of the N "
                "draws.",
                "这是*前* n 次里最好的，只是许多选法中的一种。要对 N 次里取 n 次的所有选法取平均。"),
        Mistake(lambda proxy, value: value.double().gather(1, proxy.argsort(dim=1).argsort(dim=1)),
                "These are single values, at the ranks of the proxies. Sort once, proxy.argsort(dim=1), and weigh.",
                "这是按代理奖励的名次取出的单个真值。只排一次序，proxy.argsort(dim=1)，然后加权。"),
        Mistake(lambda proxy, value: best_of_every_n(torch.arange(proxy.shape[1]).expand(proxy.shape), value.gather(
                    1, proxy.argsort(dim=1).argsort(dim=1))),
                "The values are picked at the *ranks* of the proxies (argsort of argsort). To put them in order, pick "
                "them at proxy.argsort(dim=1).",
                "真值是按代理奖励的*名次*取的（对 argsort 再 argsort）。要排成次序，就按 proxy.argsort(dim=1) 取。"),
        Mistake(lambda proxy, value: _nth(proxy, value).cummax(1).values,
                "This is the highest value among the n lowest proxies. The proxy chooses, and all choices of n count.",
                "这是代理奖励最低的 n 个里最高的真值。要由代理奖励来选，而且所有取 n 次的选法都算。"),
        _weighing(lambda i, n, size: _choose(n - 1, i - 1) / _choose(size, i),
                  "The table stands on its side: a row for each i, a column for each n.",
                  "表格横竖弄反了：每个 i 一行，每个 n 一列。"),
        _weighing(lambda i, n, size: float(_choose(i - 1, n - 1) // _choose(size, n)),
                  "`//` cuts the weights to 0. They are fractions: `/`.", "`//` 把权重截成了 0。权重是分数：用 `/`。"),
        Mistake(lambda proxy, value: value.double().cummax(1).values,
                "This is the highest *value* of the first n draws. The proxy chooses, and all choices of n count.",
                "这是前 n 次里最高的*真值*。由代理奖励来选，而且所有选法都要算。"),
        Mistake(lambda proxy, value: best_of_every_n(value, value),
                "The value chooses here. The *proxy* chooses; the value is what the choice is worth.",
                "这里是由真值来选的。由*代理奖励*来选；真值是选出来的值多少。"),
        Mistake(lambda proxy, value: best_of_every_n(proxy, proxy),
                "This is the expected proxy of the best. Asked for is its value.",
                "这是选出来的那个的代理奖励的期望。要的是它的真值。"),
        Mistake(lambda proxy, value: best_of_every_n(value, proxy),
                "proxy and value are exchanged: the proxy chooses, the value is averaged.",
                "proxy 和 value 弄反了：由代理奖励来选，对真值取平均。"),
        Mistake(lambda proxy, value: best_of_every_n(-proxy, value),
                "The draws are sorted from the highest proxy down, so this is the worst of n. Sort upwards: (i) has "
                "the "
                "i-th *smallest* proxy.",
                "抽取是按代理奖励从高到低排的，所以成了 n 次里最差的。要从低到高排：(i) 是代理奖励第 i *小*的。"),
        _weighing(lambda i, n, size: _choose(i - 1, n - 1) / _choose(size, n) if i > n - 1 and i < size else 0.0,
                  "The draw with the highest proxy is left out of the sum. It runs to N.",
                  "求和漏掉了代理奖励最高的那个。要一直加到 N。"),
        _weighing(lambda i, n, size: _choose(i, n) / _choose(size, n),
                  "The weights are C(i, n). The i-th draw is the best if the other n - 1 come from the i - 1 below it: "
                  "C(i-1, n-1).",
                  "权重用了 C(i, n)。第 i 个是最好的，其余 n - 1 个就要从它下面的 i - 1 个里取：C(i-1, n-1)。"),
        _weighing(lambda i, n, size: _choose(i - 1, n - 1),
                  "The sum is not divided by C(N, n), the number of all choices.",
                  "没有除以 C(N, n)，也就是所有选法的个数。"),
        _weighing(lambda i, n, size: _choose(i, n - 1) / _choose(size, n),
                  "C(i, n-1) counts the i-th draw among those below it. There are i - 1 below: C(i-1, n-1).",
                  "C(i, n-1) 把第 i 个也算进了它下面的。下面只有 i - 1 个：C(i-1, n-1)。"),
        _weighing(lambda i, n, size: _choose(i - 1, n) / _choose(size, n),
                  "C(i-1, n) leaves no place for the i-th draw itself. The others are n - 1: C(i-1, n-1).",
                  "C(i-1, n) 没有给第 i 个自己留位置。其余的是 n - 1 个：C(i-1, n-1)。"),
        _weighing(lambda i, n, size: _choose(i - 1, n - 1) / _choose(size - 1, n - 1),
                  "Divided by C(N-1, n-1). The choices are n of N: C(N, n).",
                  "除的是 C(N-1, n-1)。是从 N 次里取 n 次：C(N, n)。",
                  lambda i, n, size: _choose(i - 1, n - 1) / max(_choose(size - 1, n), 1)),
        _weighing(lambda i, n, size: (i / size) ** n - ((i - 1) / size) ** n,
                  "This draws n of the N *with* replacement, so one draw can stand there twice. Without: "
                  "C(i-1, n-1) / C(N, n).",
                  "这是从 N 次里*放回地*取 n 次，同一次可能取到两遍。应当不放回：C(i-1, n-1) / C(N, n)。",
                  lambda i, n, size: (i / size) ** n - ((i - 1) / size) ** n if i >= n else 0.0),
        _weighing(lambda i, n, size: float(i == n),
                  "This is the value of the draw with the n-th smallest proxy. Average over all choices of n draws.",
                  "这是代理奖励第 n 小的那一次的真值。要对 n 次的所有选法取平均。"),
        _weighing(lambda i, n, size: (i <= n) / n,
                  "This is the mean of the n draws with the lowest proxies.",
                  "这是代理奖励最低的 n 次的平均。"),
        Mistake(_strictly_below,
                "Draws *strictly* below are counted, and where a text was drawn twice the weights no longer sum to 1. "
                "Take places in the sorted row: i - 1 stand before the i-th.",
                "数的是*严格*更低的，于是同一段文本抽到两次时，权重的和不再是 1。要用排好之后的位置：第 i 个前面有 i "
                "- 1 个。"),
        Mistake(_in_groups,
                "The row was cut into groups of n. That uses each draw once; *all* choices of n give less noise, and "
                "are what is asked for.",
                "这里把一行切成了 n 个一组。那样每次抽取只用一遍；题目要的是*所有*选法，噪声更小。"),
        Mistake(lambda proxy, value: torch.stack([_nth(proxy, value)[:, n:].mean(1) for n in range(proxy.shape[1])], 1),
                "This is the mean of all draws from the n-th lowest proxy on. Each has a weight of its own: "
                "C(i-1, n-1) / C(N, n).",
                "这是从代理奖励第 n 低的起，对后面全部取平均。每个有自己的权重：C(i-1, n-1) / C(N, n)。"),
        Mistake(_mean_of_the_best,
                "This is the mean of the n *best* draws. Best-of-n keeps one of n, and which n are drawn is luck: "
                "average over all choices.",
                "这是*最好的* n 次的平均。best-of-n 是 n 次里留一次，抽到哪 n 次全凭运气：要对所有选法取平均。"),
        Mistake(lambda proxy, value: best_of_every_n(proxy, value).flip(1),
                "The columns stand the other way round: n = 1 comes first.", "各列的次序反了：n = 1 在最前面。"),
        Mistake(lambda proxy, value: torch.cat([best_of_every_n(proxy, value)[:, 1:],
                                                best_of_every_n(proxy, value)[:, -1:] * 0], 1),
                "Column 0 holds n = 2. It is n = 1: column n - 1 is the best of n.",
                "第 0 列成了 n = 2。应当是 n = 1：第 n - 1 列是 n 次里最好的。"),
        Mistake(lambda proxy, value: torch.cat([best_of_every_n(proxy, value)[:, :1] * 0,
                                                best_of_every_n(proxy, value)[:, :-1]], 1),
                "Column 1 holds n = 1, and column 0 nothing. Column n - 1 is the best of n.",
                "第 1 列才是 n = 1，第 0 列是空的。第 n - 1 列是 n 次里最好的。"),
        Mistake(lambda proxy, value: best_of_every_n(proxy, value).mean(0),
                "The mean over prompts was taken. Return a row for each prompt, [B, N].",
                "这里对提示取了平均。每个提示要返回一行，[B, N]。"),
        Mistake(lambda proxy, value: best_of_every_n(proxy, value)[:, -1],
                "This is n = N only. Return every n, [B, N].", "这只是 n = N。每个 n 都要返回，[B, N]。"),
        Mistake(lambda proxy, value: torch.stack([value.double().gather(0, proxy.argsort(dim=0, stable=True))[:, i]
                                                  for i in range(proxy.shape[1])], 1) @ formulas._weights(
                                                      proxy.shape[1]),
                "The draws are sorted across prompts, along dimension 0. Each prompt's own draws are sorted: dim=1.",
                "排序是跨着提示排的，沿着第 0 维。要排的是每个提示自己的抽取：dim=1。"),
        Mistake(lambda proxy, value: value.double()[:, proxy[0].argsort(stable=True)] @ formulas._weights(
                    proxy.shape[1]),
                "Every prompt is sorted in the order of the first one. Each has an order of its own.",
                "每个提示都按第一个提示的次序排了。各有各的次序。"),
        Mistake(lambda proxy, value: value.double() @ formulas._weights(proxy.shape[1]),
                "The draws are not sorted: (i) is the one with the i-th smallest proxy.",
                "没有排序：(i) 是代理奖励第 i 小的那一次。"),
        _weighing(lambda i, n, size: _choose(i - 1, n - 1) / _choose(size, n - 1),
                  "What is divided by is C(N, n - 1): n was counted from 0 there. It is C(N, n), and every column of "
                  "weights sums to 1.",
                  "除数成了 C(N, n - 1)：那里的 n 是从 0 数起的。应为 C(N, n)，每一列权重的和是 1。"),
        ),
    "4a.5": (
        Mistake(lambda n, logprob: _plainly(n, logprob.double().exp()),
                "ε is so small in places that 1 - ε is 1, and at others it is 1 itself: 0 · log 0, NaN. Use "
                "torch.log1p(-ε) and torch.expm1, and give 0 where ε is 1.",
                "有些 ε 小到 1 - ε 就等于 1，有些 ε 就是 1：都会算出 0 · log 0，也就是 NaN。要用 torch.log1p(-ε) 和 "
                "torch.expm1，"
                "ε 为 1 处给 0。"),
        Mistake(lambda n, logprob: torch.where(logprob < 0, _plainly(n, logprob.double().exp()), 0.0),
                "Where ε is very small, 1 - (1 - ε)^n is rounded to 0, and 0 · log 0 is NaN. Use -torch.expm1(n · "
                "torch.log1p(-ε)).",
                "ε 很小的时候，1 - (1 - ε)^n 被舍入成了 0，而 0 · log 0 是 NaN。要用 -torch.expm1(n · "
                "torch.log1p(-ε))。",
                (lambda n, logprob: _plainly(n, logprob.double().exp().clamp(max=1 - 1e-12)),)),
        _estimates(lambda n, rare: _missed(n, rare) * (math.log(n) + (n - 1) * torch.log1p(-rare) - (n - 1) / n)
                   + _often(n, rare),
                   "Where ε is 1, log(1 - ε) is minus infinity, and 0 times that is NaN. A certain response moves "
                   "nothing: 0.",
                   "ε 为 1 时，log(1 - ε) 是负无穷，0 乘它就是 NaN。必然出现的回答，什么也没有移动：应为 0。"),
        _estimates(lambda n, rare: _seldom(n, rare) + torch.special.xlogy(
                       drawn := -torch.expm1(n * torch.log1p(-rare)), drawn),
                   "In the second half the logarithm is of (1 - (1 - ε)^n)/ε. The division by ε is missing.",
                   "后一半的对数是对 (1 - (1 - ε)^n)/ε 取的。少了除以 ε。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) + (n - 1) * torch.log1p(-rare.clamp(max=1 - 1e-12)) + (n - 1) / n), 0.0),
                   "(n - 1)/n is added in the first half. It is subtracted.", "前一半里加上了 (n - 1)/n。应当减去。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) + (n - 1) * torch.log1p(-rare.clamp(max=1 - 1e-12))), 0.0) - (n - 1) / n,
                   "(n - 1)/n stands outside the brackets. It is weighted by (1 - ε)^n, too.",
                   "(n - 1)/n 放到了括号外面。它也要乘 (1 - ε)^n。"),
        _estimates(lambda n, rare: torch.full_like(rare, math.log(n) - (n - 1) / n),
                   "This is the bound, the same for every response. The estimate lies below it where ε is not small.",
                   "这是上界，每条回答都一样。ε 不小的时候，估计要比它低。"),
        _estimates(lambda n, rare: _often(n, rare),
                   "The first half is missing, which is weighted by (1 - "
                   "ε)^n.", "少了前一半，也就是权重为 (1 - ε)^n 的那一项。"),
        _estimates(lambda n, rare: _seldom(n, rare),
                   "The second half is missing, (1 - (1-ε)^n) log((1 - (1-ε)^n) / ε).",
                   "少了后一半，(1 - (1-ε)^n) log((1 - (1-ε)^n) / ε)。"),
        _estimates(lambda n, rare: _often(n, rare) + _missed(n, rare) * (math.log(n) - (n - 1) / n),
                   "In the first half (n - 1) log(1 - ε) is missing.", "前一半里少了 (n - 1) log(1 - ε)。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) + n * torch.log1p(-rare) - (n - 1) / n), 0.0),
                   "In the first half it is (n - 1) log(1 - ε), not n log(1 - ε).",
                   "前一半里是 (n - 1) log(1 - ε)，不是 n log(1 - ε)。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) + torch.log1p(-rare) - (n - 1) / n), 0.0),
                   "In the first half log(1 - ε) stands n - 1 times.", "前一半里，log(1 - ε) 要乘 n - 1。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) - (n - 1) * torch.log1p(-rare) - (n - 1) / n), 0.0),
                   "(n - 1) log(1 - ε) is added, and it is negative itself. It was subtracted.",
                   "(n - 1) log(1 - ε) 应当加上，它本身就是负的。这里却减去了。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, _missed(n, rare) * (
                       math.log(n) + (n - 1) * torch.log1p(-rare)), 0.0),
                   "In the first half (n - 1)/n is not subtracted.", "前一半里没有减去 (n - 1)/n。"),
        _estimates(lambda n, rare: (1 - _missed(n, rare)) * (-rare.log()) + _seldom(n, rare),
                   "The second logarithm is that of (1 - (1-ε)^n) / ε, not of 1/ε.",
                   "第二个对数是对 (1 - (1-ε)^n) / ε 取的，不是对 1/ε。"),
        _estimates(lambda n, rare: _seldom(n, rare) + (-torch.expm1(n * torch.log1p(-rare)) / rare).log(),
                   "The second logarithm is not weighted by 1 - (1-ε)^n.", "第二个对数没有乘上权重 1 - (1-ε)^n。"),
        _estimates(lambda n, rare: _often(n, rare) + torch.where(rare < 1, math.log(n) + (n - 1) * torch.log1p(-rare)
                                                                 - (n - 1) / n, 0.0),
                   "The first half is not weighted by (1 - ε)^n.", "前一半没有乘上权重 (1 - ε)^n。"),
        _estimates(lambda n, rare: torch.minimum(-rare.log(), torch.full_like(rare, math.log(n) - (n - 1) / n)),
                   "This is the smaller of -log ε and the bound: right far from 1/n on either side, too high around "
                   "it. Take the formula.",
                   "这是 -log ε 和上界里较小的：ε 离 1/n 远时没错，接近时就偏高。要用公式。"),
        _estimates(lambda n, rare: -rare.log(),
                   "This is -log ε, how surprising the response is. n is not used.",
                   "这是 -log ε，也就是这条回答有多出人意料。没有用到 n。"),
        Mistake(lambda n, logprob: _plainly(n, logprob.double()),
                "The log-probability was taken for the probability: ε = exp(logprob).",
                "把对数概率当成了概率：ε = exp(logprob)。",
                (lambda n, logprob: _plainly(n, -logprob.double()),)),
        _estimates(lambda n, rare: (_seldom(n, rare) + _often(n, rare)) / math.log(2),
                   "This is in bits. Take natural logarithms: nats.", "这是以比特为单位。要用自然对数：奈特。"),
        Mistake(lambda n, logprob: torch.where(logprob < 0, kl_estimate(n, logprob), math.log(n) - (n - 1) / n),
                "Where ε is 1 it gives the bound. A certain response moves nothing: 0.",
                "ε 为 1 时给出了上界。必然出现的回答，什么也没有移动：应为 0。"),
        _estimates(lambda n, rare: (-n * rare).exp() * (math.log(n) - (n - 1) * rare - (n - 1) / n)
                   - torch.expm1(-n * rare) * (-torch.expm1(-n * rare) / rare).log(),
                   "(1 - ε)^n was taken for e^(-nε). That is nearly so for small ε only.",
                   "把 (1 - ε)^n 当成了 e^(-nε)。只有 ε 很小时才差不多。"),
        _estimates(lambda n, rare: -torch.expm1(n * torch.log1p(-rare)) * (math.log(n) + (n - 1) * torch.log1p(
                       -rare.clamp(max=1 - 1e-12)) - (n - 1) / n)
                   + _missed(n, rare.clamp(max=1 - 1e-12)) * (-torch.expm1(n * torch.log1p(-rare)) / rare).log(),
                   "The weights of the two halves are exchanged: (1 - ε)^n belongs to the first.",
                   "两半的权重弄反了：(1 - ε)^n 是前一半的。"),
        Mistake(lambda n, logprob: torch.nan_to_num(_plainly(n, logprob.double().exp()), 0.0),
                "NaN was replaced by 0. That is right where ε is 1, and wrong where ε is tiny: there the estimate is "
                "the bound. Use torch.log1p(-ε) and torch.expm1.",
                "NaN 都换成了 0。ε 为 1 时没错，ε 极小时却错了：那里估计就是上界。要用 torch.log1p(-ε) 和 "
                "torch.expm1。"),
        Mistake(lambda n, logprob: kl_estimate(n, logprob).mean(),
                "This is the mean over the responses. Return one number for each, [B].",
                "这是各条回答的平均。每条要返回一个数，[B]。"),
        _estimates(lambda n, rare: _seldom(n, rare) - _often(n, rare),
                   "The two halves are added, not subtracted.", "两半要相加，不是相减。"),
        _estimates(lambda n, rare: _missed(n - 1, rare.clamp(max=1 - 1e-12)) * (
                       math.log(n) + (n - 1) * torch.log1p(-rare.clamp(max=1 - 1e-12)) - (n - 1) / n) + _often(n, rare),
                   "The weight of the first half is (1 - ε)^n, all n draws missed it; here it is n - 1.",
                   "前一半的权重是 (1 - ε)^n，n 次都没有抽到；这里成了 n - 1 次。"),
        _estimates(lambda n, rare: torch.where(rare < 1, (1 - rare) * (
                       math.log(n) + (n - 1) * torch.log1p(-rare) - (n - 1) / n), 0.0) + _often(n, rare),
                   "In the first half (1 - ε) stands without its exponent n.",
                   "前一半里，(1 - ε) 少了指数 n。"),
        _estimates(lambda n, rare: _seldom(n, rare) - torch.expm1(n * torch.log1p(-rare)) * (
                       -torch.expm1(n * torch.log1p(-rare)) * rare).log(),
                   "In the last logarithm ε multiplies. It divides: log((1 - (1-ε)^n) / ε).",
                   "最后一个对数里乘上了 ε。应当是除：log((1 - (1-ε)^n) / ε)。"),
        *(_estimates(lambda n, rare, least=least: kl_estimate(n, rare.clamp(min=least).log()),
                     "ε was kept from being tiny, and with very many draws it shows. Only ε = 1 needs care, for it has "
                     "no log(1 - ε); log1p and expm1 take the tiny ones.",
                     "ε 被限制得不能太小，抽取次数很多时就看得出来。要小心的只有 ε = 1，它没有 log(1 - ε)；"
                     "很小的 ε，log1p 和 expm1 都能算。") for least in (1e-6, 1e-5, 1e-4)),
        _estimates(lambda n, rare: kl_estimate(n, rare.clamp(max=1 - 1e-3).log()),
                   "ε = 1 was moved too far from 1, and it shows. A hair is enough, such as 1 - 1e-12; or choose 0 "
                   "with torch.where.",
                   "ε = 1 被挪得离 1 太远，看得出来。挪一点点就够，比如 1 - 1e-12；或者用 torch.where 取 0。",
                   lambda n, rare: _seldom(n, rare.clamp(max=1 - 1e-3)) + (lambda drawn: drawn * (
                       drawn.log() - rare.log()))(-torch.expm1(n * torch.log1p(-rare.clamp(max=1 - 1e-3))))),
        ),
    "4a.6": (
        _picks(lambda gold, error, budget: _best(gold) + 1,
               "This is the n with the highest gold. Asked for is the *smallest* n that is within one standard error "
               "of "
               "it.",
               "这是真值最高的 n。要的是和它相差不超过一个标准误的*最小*的 n。"),
        Mistake(lambda gold, error, budget: choose_n(gold, error, budget) - 1,
                "Places are counted from 0, n from 1: the first entry is n = "
                "1.", "位置从 0 数起，n 从 1 数起：第一个是 n = 1。"),
        _picks(_last_near,
               "This is the *largest* n within one standard error of the best. The smallest costs least.",
               "这是和最好的相差不超过一个标准误的*最大*的 n。最小的才最省。"),
        _picks(lambda gold, error, budget: len(gold),
               "This spends the whole budget. More draws are not always better, and they cost.",
               "这是把预算全用掉。抽得多不一定更好，还要花钱。", lambda gold, error, budget: budget),
        Mistake(lambda gold, error, budget: choose_n(gold, error, len(gold)),
                "The budget is not used: no n above it may be chosen, and none sets the bar.",
                "没有用到预算：超出预算的 n 不能选，也不能拿来定门槛。"),
        Mistake(lambda gold, error, budget: next((i + 1 for i, worth in enumerate(gold[:budget]) if worth >= max(gold)
                                                  - error[_best(gold)]), min(budget, len(gold))),
                "The bar is set by an n beyond the budget. Only n within the budget count: cut the list first.",
                "门槛是由超出预算的 n 定的。只看预算以内的 n：先把列表截断。",
                (lambda gold, error, budget: next((i + 1 for i, worth in enumerate(gold[:budget]) if worth >= max(gold)
                                                   - error[_best(gold)]), -1),)),
        _picks(lambda gold, error, budget: next(i + 1 for i, (worth, one) in enumerate(zip(gold, error, strict=True))
                                                if worth >= max(gold) - one),
               "Each n is compared with its own standard error. The bar is one number: the best gold minus *its* "
               "error.",
               "每个 n 都用了自己的标准误来比。门槛只有一个：最高的真值减去*它的*标准误。",
               lambda gold, error, budget: next(i + 1 for i, (worth, one) in enumerate(zip(gold, error, strict=True))
                                                if worth + one >= max(gold))),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) - error[max(
                   i for i, worth in enumerate(gold) if worth == max(gold))]),
               "Of two that are best the larger n set the bar. It is the smaller one, with its error.",
               "两个并列最好时，门槛用了较大的 n 的标准误。应当用较小的那个的。"),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) - error[0]),
               "The error of n = 1 sets the bar. It is that of the best "
               "n.", "门槛用了 n = 1 的标准误。要用最好的那个 n 的。"),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) - max(error)),
               "The largest error of all sets the bar. It is that of the best n.",
               "门槛用了所有标准误里最大的。要用最好的那个 n 的。"),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) - error[-1]),
               "The error of the last n sets the bar. It is that of the best n.",
               "门槛用了最后一个 n 的标准误。要用最好的那个 n 的。"),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) - sum(error) / len(error)),
               "The mean of all errors sets the bar. It is the error of the best n.",
               "门槛用了所有标准误的平均。要用最好的那个 n 的。"),
        _picks(lambda gold, error, budget: next((i + 1 for i, worth in enumerate(gold) if worth > max(gold)
                                                 - error[_best(gold)]), _best(gold) + 1),
               "An n exactly at the bar was passed over. *Not more* than one error below is near enough: `>=`.",
               "恰好等于门槛的 n 被漏掉了。低*不超过*一个标准误就够近了：用 `>=`。"),
        Mistake(lambda gold, error, budget: next(i + 1 for i, worth in enumerate(gold[:budget]) if worth > max(
                    gold[:budget]) - error[_best(gold[:budget])]) if error[_best(gold[:budget])] > 0 else None,
                "With an error of 0 nothing is *above* the bar, and nothing is returned. *Not more* than one error "
                "below is near enough: `>=`.",
                "标准误为 0 时没有哪个*高于*门槛，就什么也没有返回。低*不超过*一个标准误就够近了：用 `>=`。",
                (lambda gold, error, budget: next(i + 1 for i, worth in enumerate(gold[:budget]) if worth > max(
                    gold[:budget]) - error[_best(gold[:budget])]) if error[_best(gold[:budget])] > 0 else -1,)),
        *(_picks(lambda gold, error, budget, times=times: _first_at(gold, max(gold) - times * error[_best(gold)]),
                 "The bar lies two standard errors below the best. It is "
                 "one.", "门槛比最好的低了两个标准误。应当是一个。")
          for times in (2, 1.96)),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) + error[_best(gold)]),
               "The error was added to the best: hardly anything is above that. Subtract it.",
               "把标准误加到了最好的上面，那就几乎没有谁够得着。应当减去。"),
        _picks(lambda gold, error, budget: _first_at(gold, gold[-1] - error[-1]),
               "The last n is taken for the best. Gold may fall again: look for the highest.",
               "把最后一个 n 当成了最好的。真值可能又掉下去：要找最高的。"),
        _picks(lambda gold, error, budget: next((i + 1 for i in range(len(gold) - 1) if gold[i + 1] < gold[i]),
                                                len(gold)),
               "It stops where gold falls for the first time. Compare with the best and its error.",
               "它在真值第一次下降的地方停住。要和最好的以及它的标准误相比。"),
        _picks(lambda gold, error, budget: next((i + 1 for i in range(len(gold) - 1) if gold[i + 1] - gold[i]
                                                 <= error[i + 1]), len(gold)),
               "It stops where one more draw gains less than an error. Many small gains add up: compare with the best.",
               "它在多抽一次的收益小于标准误时就停住。许多小收益会累积起来：要和最好的相比。",
               lambda gold, error, budget: next((i + 1 for i in range(len(gold) - 1) if gold[i + 1] - gold[i]
                                                 <= error[i]), len(gold)),
               lambda gold, error, budget: next((i + 1 for i in range(len(gold) - 1) if gold[i + 1] - gold[i]
                                                 < error[i + 1]), len(gold))),
        _picks(lambda gold, error, budget: max(range(len(gold)), key=lambda i: gold[i] / (i + 1)) + 1,
               "This is the n with the most gold *per draw*. Asked for is the smallest n near the best gold.",
               "这是*每次抽取*真值最多的 n。要的是真值接近最好的、最小的 n。"),
        _picks(lambda gold, error, budget: max(range(len(gold)), key=lambda i: gold[i] - error[i]) + 1,
               "This is the n with the highest lower end of its interval. Asked for is the smallest n near the best "
               "gold.",
               "这是区间下端最高的 n。要的是真值接近最好的、最小的 n。"),
        _picks(lambda gold, error, budget: len(gold) - next(i for i, worth in enumerate(reversed(gold))
                                                            if worth < max(gold) - error[_best(gold)]) + 1
               if any(worth < max(gold) - error[_best(gold)] for worth in gold) else 1,
               "The search begins at the end and stops at the first n below the bar. Begin at n = 1.",
               "搜索从末尾开始，遇到第一个低于门槛的就停。要从 n = 1 开始。"),
        Mistake(lambda gold, error, budget: choose_n(gold, error, max(budget - 1, 1)),
                "The budget itself is left out. n = `budget` may be chosen, too.",
                "漏掉了预算本身。n = `budget` 也可以选。"),
        _picks(lambda gold, error, budget: next((i + 1 for i, one in enumerate(gold) if one > gold[0] + error[0]), 1),
               "This is the first n that beats n = 1 by an error. Compare with the *best* n.",
               "这是第一个比 n = 1 高出一个标准误的 n。要和*最好的* n 比。"),
        *(_picks(lambda gold, error, budget, spread=spread: _first_at(gold, max(gold) - spread(gold)),
                 "The bar is made from how much gold differs between the n. It is made from the standard error.",
                 "门槛用的是各个 n 的真值之间的差别。要用标准误。")
          for spread in (lambda gold: torch.tensor(gold).double().std(correction=0).item(),
                         lambda gold: torch.tensor(gold).double().std().item() if len(gold) > 1 else 0.0)),
        _picks(lambda gold, error, budget: next(i + 1 for i, worth in enumerate(gold) if worth + error[i] >= max(gold)
                                                - error[_best(gold)]),
               "Both errors are granted, that of the best n and each n's own. The bar lies one error, the best n's, "
               "below the best.",
               "两个标准误都让了：最好的 n 的，和每个 n 自己的。门槛只比最好的低一个标准误，即最好的 n 的。"),
        _picks(_doubling,
               "Only 1, 2, 4, 8 … were tried. Any n may be chosen.", "只试了 1、2、4、8……。哪个 n 都可以选。"),
        _picks(lambda gold, error, budget: next(i + 1 for i, worth in enumerate(sorted(gold)) if worth >= max(gold)
                                                - error[_best(gold)]),
               "The list was sorted, and places are no longer n. Leave the order.",
               "列表排了序，位置就不再是 n 了。不要改变次序。",
               lambda gold, error, budget: (lambda pairs: next(i + 1 for i, (worth, _) in enumerate(pairs)
                                                               if worth >= pairs[-1][0] - pairs[-1][1]))(
                                                                   sorted(zip(gold, error, strict=True)))),
        *(_picks(lambda gold, error, budget, least=least: _first_at(gold, max(gold) - least),
                 "The bar lies a fixed number below the best, the same for every input. Use the best n's `error`.",
                 "门槛总是比最好的低同一个数，和输入无关。要用最好的那个 n 的 `error`。")
          for least in (0.04, 0.05, 0.01)),
        _picks(lambda gold, error, budget: _first_at(gold, max(gold) * (1 - error[_best(gold)])),
               "The error was taken for a share of the best. It is in units of gold: subtract it.",
               "把误差当成了比例。它的单位就是真值的单位：直接减。"),
        *(_picks(lambda gold, error, budget, share=share: next(i + 1 for i, worth in enumerate(gold)
                                                               if worth >= (1 - share) * max(gold)) if max(gold) > 0
                 else 1 / 0,
                 "The bar is a percentage of the best. It lies one standard error below it.",
                 "门槛是最好的百分之几。应当比它低一个标准误。") for share in (0.01, 0.05, 0.1)),
        _picks(lambda gold, error, budget: max(gold) - error[_best(gold)],
               "This is the bar itself. Wanted is the first n that reaches "
               "it.", "这是门槛本身。要的是第一个达到它的 n。"),
        _picks(lambda gold, error, budget: sum(worth >= max(gold) - error[_best(gold)] for worth in gold),
               "This counts how many n are near enough. Wanted is the smallest of them.",
               "这是数有几个 n 够近。要的是其中最小的。"),
        ),
}
