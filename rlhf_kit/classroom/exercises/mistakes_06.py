"""What goes wrong in lesson 06, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_06 import (
    HIGHEST_RATIO,
    LEAST_SPREAD,
    ensemble,
    fit_peak,
    kl_pulls,
    lost_on_the_way,
    peak,
)
from rlhf_kit.formulas.masked import keep

INF = math.inf


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 6.1

def _second(d: Tensor, rl: bool) -> Tensor:
    return d * d.log() if rl else d ** 2


def _solved(first: Tensor, second: Tensor, gold: Tensor) -> tuple[float, float]:
    alpha, beta = torch.linalg.lstsq(torch.stack([first, -second], -1), gold[:, None]).solution[:, 0].tolist()
    return alpha, beta


def _fitted(columns: Callable[[Tensor, bool], tuple[Tensor, Tensor]]) -> Callable:
    """A fit of other columns, whose peak is that of its own numbers."""
    def wrong(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
        alpha, beta = _solved(*columns(distance.double(), rl), gold.double())
        return alpha, beta, peak(alpha, beta, rl)
    return wrong


def _peaked(change: Callable[[float, float, bool, Tensor, Tensor], float]) -> Callable:
    """The right fit, and another peak."""
    def wrong(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
        alpha, beta, _ = fit_peak(distance, gold, rl)
        return alpha, beta, change(alpha, beta, rl, distance, gold)
    return wrong


def _as_if(rl_of: Callable[[bool], bool], peak_of: Callable[[bool], bool]) -> Callable:
    def wrong(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
        alpha, beta, _ = fit_peak(distance, gold, rl_of(rl))
        return alpha, beta, peak(alpha, beta, peak_of(rl))
    return wrong


def _with_intercept(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
    d = distance.double()
    columns = torch.stack([torch.ones_like(d), d, -_second(d, rl)], -1)
    _, alpha, beta = torch.linalg.lstsq(columns, gold.double()[:, None]).solution[:, 0].tolist()
    return alpha, beta, peak(alpha, beta, rl)


def _parabola(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
    """What polyfit makes of it: a parabola in d, or in log d, with a constant."""
    x = distance.double().log() if rl else distance.double()
    columns = torch.stack([torch.ones_like(x), x, -x ** 2], -1)
    _, alpha, beta = torch.linalg.lstsq(columns, gold.double()[:, None]).solution[:, 0].tolist()
    return alpha, beta, peak(alpha, beta, rl)


def _two_points(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
    d, g = distance.double(), gold.double()
    place, slope = d.log() if rl else d, g / d
    beta = ((slope[0] - slope[-1]) / (place[-1] - place[0])).item()
    alpha = (slope[0] + beta * place[0]).item()
    return alpha, beta, peak(alpha, beta, rl)


def _height(alpha: float, beta: float, rl: bool, *_: Tensor) -> float:
    d = peak(alpha, beta, rl)
    return d if math.isinf(d) else d * (alpha - beta * (math.log(d) if rl else d)) if d else 0.0


def _never_turns_below(least: float) -> Callable:
    def wrong(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
        alpha, beta, d = fit_peak(distance, gold, rl)
        return alpha, beta, d if beta > least else INF
    return wrong


# 6.2

def _asked(part: int, change: Callable[[Tensor, float], Tensor]) -> Callable:
    """Two right results, and at place `part` another."""
    def wrong(score: Tensor, weight: float) -> tuple[Tensor, ...]:
        results = [*ensemble(score, weight)]
        results[part] = change(score, weight)
        return tuple(results)
    return wrong


def _cautious(penalty: Callable[[Tensor], Tensor]) -> Callable:
    return _asked(2, lambda score, weight: score.mean(0) - weight * penalty(score))


# 6.3

def _booked(change: Callable[[Tensor, Tensor, Tensor, float, Tensor], Tensor]) -> Callable:
    """`change(score [B], token rewards [B, T], log-ratios [B, T], β, mask)`; both are 0 in the padding."""
    def wrong(score: Tensor, token_reward: Tensor, logprob: Tensor, ref_logprob: Tensor, mask: Tensor,
              beta: float) -> Tensor:
        return change(score, keep(token_reward, mask), keep(logprob, mask) - keep(ref_logprob, mask), beta, mask)
    return wrong


def _last(x: Tensor, mask: Tensor) -> Tensor:
    return x.gather(1, mask.shape[1] - 1 - mask.flip(1).int().argmax(1, keepdim=True))[:, 0]


# 6.4

def _means(advantage: Tensor, mask: Tensor) -> Tensor:
    return keep(advantage, mask).sum(-1) / mask.sum(-1)


def _pearson(x: Tensor, y: Tensor, constant: float = 0.0) -> Tensor:
    x, y = x - x.mean(), y - y.mean()
    spread = x.std(correction=0), y.std(correction=0)
    if not min(spread) > LEAST_SPREAD and not x.isnan().any():
        return torch.tensor(constant)
    return (x * y).mean() / (spread[0] * spread[1])


def _credited(of: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """The correlation with another number for each response: `of(advantage, mask)`."""
    return lambda advantage, mask, score: _pearson(of(advantage, mask), score)


def _related(change: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """`change(mean advantages, scores)` in place of their correlation."""
    return lambda advantage, mask, score: change(_means(advantage, mask), score)


# 6.5

def _ends(ids: Tensor, eos: int) -> tuple[Tensor, Tensor]:
    """(where EOS stands, where it stands first)."""
    end = ids == eos
    return end, end & (end.cumsum(-1) == 1)


def _share(count: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]], none: float = 1.0) -> Callable:
    """`count(end, first end, mask)`: (a number, of so many)."""
    def wrong(ids: Tensor, mask: Tensor, eos: int) -> Tensor:
        part, whole = count(*_ends(ids, eos), mask)
        return part.sum() / whole.sum() if whole.any() else torch.tensor(none)
    return wrong


# 6.6

def _pulled(weight: Callable[[Tensor, Tensor], Tensor], k3: Callable[[Tensor], Tensor] = lambda d: (-d).exp() - 1 + d,
            k2: Callable[[Tensor], Tensor] = lambda d: d ** 2 / 2,
            normal: Callable[[Tensor], Tensor] = lambda x: x.log_softmax(-1)) -> Callable:
    """By differentiation: the mean of each estimate under `weight(log π, log π_ref)`."""
    def wrong(logits: Tensor, ref_logits: Tensor) -> tuple[Tensor, ...]:
        logits = logits.clone().requires_grad_()
        now, ref = normal(logits), normal(ref_logits)
        d = now - ref
        return tuple(torch.autograd.grad((weight(now, ref) * k).sum(), logits, retain_graph=True)[0]
                     for k in (d, k2(d), k3(d)))
    return wrong


def _drawn(now: Tensor, ref: Tensor) -> Tensor:
    return now.softmax(-1).detach()


def _inner(change: Callable[[Tensor, Tensor], tuple[Tensor, ...]]) -> Callable:
    """`change(π, log π - log π_ref)`."""
    return lambda logits, ref_logits: change(logits.softmax(-1), logits.log_softmax(-1) - ref_logits.log_softmax(-1))


def _reordered(order: tuple[int, int, int], signs: tuple[int, int, int] = (1, 1, 1)) -> Callable:
    def wrong(logits: Tensor, ref_logits: Tensor) -> tuple[Tensor, ...]:
        pulls = kl_pulls(logits, ref_logits)
        return tuple(sign * pulls[place] for place, sign in zip(order, signs, strict=True))
    return wrong


def _unnormalised(logits: Tensor, ref_logits: Tensor) -> tuple[Tensor, ...]:
    """Probabilities are right, and logits stand for their logarithms."""
    p, d = logits.softmax(-1), logits - ref_logits
    return tuple(p * (x - (p * x).sum()) for x in (torch.ones_like(d), d, 1 - (-d).exp()))


# 6.7

def _mean_ratio(away: Tensor) -> Tensor:
    return away.exp().mean()


def _cut(gradient: Tensor, most: float) -> Tensor:
    return gradient * (most / gradient.norm().clamp(min=most))


def _cut_if_longer(gradient: Tensor, most: float) -> Tensor:
    """Leaves alone what has no length, NaN for one."""
    return gradient * most / gradient.norm() if gradient.norm() > most else gradient


def _only_nan_skipped(weight: Tensor, gradient: Tensor, logprob: Tensor, old_logprob: Tensor, mask: Tensor, rate: float,
                      most: float) -> Tensor:
    ratio = (logprob - old_logprob)[mask].exp().mean()
    if not ratio <= HIGHEST_RATIO or gradient.isnan().any():
        return weight.clone()
    return weight - rate * gradient * torch.clamp(most / gradient.norm(), max=1)


def _by_rows(weight: Tensor, gradient: Tensor, logprob: Tensor, old_logprob: Tensor, mask: Tensor, rate: float,
             most: float) -> Tensor:
    there = mask.any(1)
    each = (keep(logprob, mask) - keep(old_logprob, mask)).exp().masked_fill(~mask, 0.0).sum(1)[there]
    trusted = (each / mask.sum(1)[there]).mean() <= HIGHEST_RATIO and gradient.isfinite().all()
    return weight - rate * _cut(gradient, most) if trusted else weight.clone()


def _stepped(*, ratio: Callable[[Tensor], Tensor] = _mean_ratio, limit: float = HIGHEST_RATIO,
             cut: Callable[[Tensor, float], Tensor] = _cut, finite: bool = True, nan_passes: bool = False,
             skipped: Callable[[Tensor], Tensor] = torch.clone, sign: int = -1, marked: bool = True) -> Callable:
    """A guarded step with other rules; `ratio` of log π - log π_old on the tokens that are read."""
    def wrong(weight: Tensor, gradient: Tensor, logprob: Tensor, old_logprob: Tensor, mask: Tensor, rate: float,
              most: float) -> Tensor:
        away = logprob - old_logprob
        seen = ratio(away[mask] if marked else away)
        trusted = not seen > limit if nan_passes else bool(seen <= limit)
        if not trusted or (finite and not gradient.isfinite().all()):
            return skipped(weight)
        return weight + sign * rate * cut(gradient, most)
    return wrong


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "6.1": (
        _named(_never_turns_below(0.02), "A small β is taken for none. Only where β ≤ 0 the curve never turns down.",
               "把很小的 β 当成了没有。只有 β ≤ 0 时曲线才从不掉头。", _never_turns_below(0.01)),
        _named(lambda distance, gold, rl: (lambda a, b, d: (a, -b, d))(*fit_peak(distance, gold, rl)),
               "β has the wrong sign. The form has *minus* β: fit the columns d and -d², or turn the second number's "
               "sign round.",
               "β 的符号反了。公式里是*减* β：用 d 和 -d² 两列来拟合，或者把第二个数变号。",
               lambda distance, gold, rl: (lambda a, b, d: (a, -b, peak(a, -b, rl)))(*fit_peak(distance, gold, rl))),
        _named(_as_if(lambda rl: False, lambda rl: False),
               "`rl` changes nothing here: with it the form is d (α - β log d), and the peak another one.",
               "这里 `rl` 不起作用：它为 True 时公式是 d (α - β log d)，峰值也不同。"),
        _named(_as_if(lambda rl: True, lambda rl: True),
               "The form with the logarithm is fitted always. Without `rl` it is d (α - β d).",
               "总是在拟合带对数的形式。`rl` 为 False 时是 d (α - β d)。"),
        _named(_as_if(lambda rl: not rl, lambda rl: not rl),
               "The two forms are exchanged: `rl` is the one with the logarithm.",
               "两种形式弄反了：`rl` 为 True 时才是带对数的那种。"),
        _named(_as_if(lambda rl: rl, lambda rl: not rl),
               "The fit is right, and the peak is that of the other form: α / (2β) belongs to d (α - β d), "
               "exp(α/β - 1) to d (α - β log d).",
               "拟合对了，峰值却用了另一种形式的：α / (2β) 属于 d (α - β d)，exp(α/β - 1) 属于 d (α - β log d)。",
               _as_if(lambda rl: rl, lambda rl: False), _as_if(lambda rl: rl, lambda rl: True)),
        _named(_fitted(lambda d, rl: (torch.ones_like(d), d.log() if rl else d)),
               "The factor d in front is missing: fitted is α - β d (or log d). The columns are d and d² (or d log d).",
               "前面的因子 d 丢了：拟合的是 α - β d（或 log d）。两列应当是 d 和 d²（或 d log d）。"),
        _named(_fitted(lambda d, rl: (d, d * d.log10() if rl else d ** 2)),
               "The logarithm to base 10. Use the natural one: torch.log.",
               "用了以 10 为底的对数。要用自然对数 torch.log。",
               _fitted(lambda d, rl: (d, d * d.log2() if rl else d ** 2))),
        _named(_with_intercept,
               "A constant is fitted as well. Gold is measured above the start: at d = 0 the curve is 0, there is no "
               "third column.",
               "多拟合了一个常数项。真值是相对起点量的：d = 0 时曲线是 0，没有第三列。", _parabola),
        _named(_peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b) if rl else max(a / b, 0.0)),
               "This is where the curve is back at 0. It is highest earlier: where its slope is 0, at α / (2β) or "
               "exp(α/β - 1).",
               "这是曲线回到 0 的地方。最高点更早，在斜率为 0 处：α / (2β) 或 exp(α/β - 1)。"),
        _named(_peaked(lambda a, b, rl, d, gold: d[gold.argmax()].item()),
               "This is the best measured point. Asked is where the fitted curve is highest, which may lie between or "
               "beyond the points.",
               "这是量到的最好的一点。要的是拟合曲线最高的地方，可能在两点之间，也可能在所有点之外。"),
        _named(_peaked(_height),
               "The third result is how *high* the curve gets. Asked is *where*: the d.",
               "第三个结果成了曲线有多*高*。要的是在*哪里*：那个 d。"),
        _named(_peaked(lambda a, b, rl, *_: math.exp(a / b - 1) if rl else max(a / (2 * b), 0.0)),
               "Where β is 0 or below, the curve never turns down: the peak is math.inf.",
               "β 小于等于 0 时，曲线不会往下拐：峰值是 math.inf。",
               _peaked(lambda a, b, rl, *_: math.inf if b == 0 else math.exp(a / b - 1) if rl else a / (2 * b)),
               _peaked(lambda a, b, rl, *_: 0.0 if b <= 0 else math.exp(a / b - 1) if rl else max(a / (2 * b), 0.0))),
        _named(_peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b - 1) if rl else a / (2 * b)),
               "A distance is not negative: where α / (2β) is below 0, the curve is highest at 0.",
               "距离不会是负数：α / (2β) 小于 0 时，曲线在 0 处最高。"),
        _named(_peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b + 1) if rl else max(
                   2 * a / b, 0.0)),
               "Set the slope to 0: α - 2β d = 0, or α - β log d - β = 0, and solve for d.",
               "令斜率为 0：α - 2β d = 0，或 α - β log d - β = 0，再解出 d。",
               _peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b - 1) if rl else max(a / b, 0.0)),
               _peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b) if rl else max(a / (2 * b), 0.0))),
        _named(_two_points,
               "Only the first and the last point are used. Least squares takes all of them: torch.linalg.lstsq.",
               "只用了第一个点和最后一个点。最小二乘要用所有的点：torch.linalg.lstsq。"),
        _named(lambda distance, gold, rl: (lambda ab: (*ab, peak(*ab, rl)))(_solved(
                   torch.ones_like(distance.double()), distance.double().log() if rl else distance.double(),
                   gold.double() / distance.double())),
               "Dividing by d first makes near points weigh more: the errors that are squared must be those of gold "
               "itself.",
               "先除以 d，近处的点就重了：取平方的误差应当是真值本身的误差。"),
        _named(lambda distance, gold, rl: (lambda ab: (*ab, peak(*ab, rl)))(_solved(
                   distance.double().sqrt(), _second(distance.double().sqrt(), rl), gold.double())),
               "`distance` is the root of the KL already. Take no second root.",
               "`distance` 已经是 KL 的平方根。不要再开一次方。"),
        _named(lambda distance, gold, rl: (lambda ab: (*ab, peak(*ab, rl)))(_solved(
                   distance.double() ** 2, _second(distance.double() ** 2, rl), gold.double())),
               "`distance` was squared into a KL. The forms are in d, its root.",
               "把 `distance` 平方成了 KL。公式里的 d 是它的平方根。"),
        _named(_peaked(lambda a, b, rl, *_: math.inf if b <= 0 else math.exp(a / b) - 1 if rl else max(
                   a / (2 * b), 0.0)),
               "With `rl` the 1 is subtracted outside. It belongs into the exponent: exp(α/β - 1).",
               "`rl` 时，1 是在外面减的。它在指数里：exp(α/β - 1)。"),
        _named(lambda distance, gold, rl: fit_peak(distance, gold, rl)[::-1],
               "The three results are in another order: alpha, beta, peak.", "三个结果的次序不对：alpha、beta、peak。",
               lambda distance, gold, rl: (lambda a, b, d: (d, a, b))(*fit_peak(distance, gold, rl)),
               lambda distance, gold, rl: (lambda a, b, d: (b, a, d))(*fit_peak(distance, gold, rl))),
        _named(lambda distance, gold, rl: (lambda a, b, d: (a, abs(b), peak(a, abs(b), rl)))(*fit_peak(
                   distance, gold, rl)),
               "β was made positive. Where the curve never turns down, β is below 0, and the peak is math.inf.",
               "把 β 取成了正的。曲线从不往下拐时，β 小于 0，峰值是 math.inf。",
               lambda distance, gold, rl: (lambda a, b, d: (a, max(b, 0.0), d))(*fit_peak(distance, gold, rl))),
        _named(_peaked(lambda a, b, rl, d, gold: min(peak(a, b, rl), d.max().item())),
               "The peak is held within the measured points. It may lie beyond them.",
               "把峰值限制在了量过的点以内。它可以在所有点之外。"),
        ),
    "6.2": (
        _named(_cautious(lambda score: score.var(0) if len(score) > 1 else score.sum(0) * math.nan),
               "The variance divides by K - 1. Here the members are all there are: divide by K, correction=0.",
               "方差除的是 K - 1。成员就这么几个：要除以 K，correction=0。",
               _cautious(lambda score: score.var(0) if len(score) > 1 else torch.zeros_like(score[0]))),
        _named(_cautious(lambda score: score.var(0, correction=0) / len(score)),
               "The variance is divided by K once more. That is of the mean; wanted is that of the members.",
               "方差又除了一次 K。那是平均的方差；要的是成员的方差。"),
        _named(_cautious(lambda score: score.std(0, correction=0)),
               "This subtracts the standard deviation. Subtract the variance, its square.",
               "减的是标准差。要减方差，也就是它的平方。",
               _cautious(lambda score: score.std(0) if len(score) > 1 else score.sum(0) * math.nan)),
        _named(_asked(2, lambda score, weight: score.mean(0) + weight * score.var(0, correction=0)),
               "Disagreement is added to the score. Caution takes it off: mean - λ · variance.",
               "把分歧加到了得分上。谨慎是要扣掉它：平均 - λ · 方差。",
               _asked(2, lambda score, weight: weight * score.var(0, correction=0) - score.mean(0))),
        _named(lambda score, weight: (score.mean(1), score.amin(1), score.mean(1) - weight * score.var(1,
                                                                                                      correction=0)),
               "The mean runs over the responses. `score` is [K, N]: go over the members, dimension 0.",
               "平均是对回答取的。`score` 是 [K, N]：要对成员、也就是第 0 维来算。"),
        _named(_asked(1, lambda score, weight: score.amax(0)),
               "`worst` is the highest opinion. It is the lowest: min.",
               "`worst` 取成了最高的意见。应当取最低的：min。"),
        _named(_asked(1, lambda score, weight: score.min().expand(score.shape[1])),
               "The lowest number of all responses stands everywhere. Take the lowest of the members for *each* "
               "response: .min(0).",
               "到处都是所有回答里最低的那个数。要对*每一条*回答取成员里最低的：.min(0)。"),
        _named(_asked(1, lambda score, weight: score.argmin(0)),
               "`worst` holds who was lowest. `.min(0)` gives values and places: take .values, or use amin.",
               "`worst` 里成了谁最低的编号。`.min(0)` 同时给出数值和位置：取 .values，或者用 amin。"),
        *(_named((lambda score, weight, order=order: tuple(ensemble(score, weight)[i] for i in order)),
                 "The results are in another order: mean, worst, cautious.",
               "结果的次序不对：先平均，再最低，再谨慎的。")
          for order in ((1, 0, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0), (2, 1, 0))),
        _named(_asked(0, lambda score, weight: score.median(0).values),
               "`mean` is the median. Take the mean.", "`mean` 用成了中位数。要取平均。",
               _asked(0, lambda score, weight: score.quantile(0.5, 0))),
        _named(_asked(2, lambda score, weight: score.amin(0) - weight * score.var(0, correction=0)),
               "The penalty comes off the worst opinion. Take it off the mean.",
               "罚分是从最低的意见里扣的。要从平均里扣。"),
        _named(_asked(2, lambda score, weight: score.mean(0) - score.var(0, correction=0)),
               "λ is missing: the variance counts `weight` times.", "λ 丢了：方差要乘上 `weight`。"),
        _named(_cautious(lambda score: score.var(correction=0)),
               "One variance for all responses is taken off. Each response has its own, over its members.",
               "所有回答扣的是同一个方差。每条回答有自己的，是它的各个成员之间的方差。",
               _cautious(lambda score: score.mean(0).var(correction=0))),
        _named(_asked(2, lambda score, weight: (1 - weight) * score.mean(0) - weight * score.var(0, correction=0)),
               "The mean was scaled by 1 - λ. It stays whole.", "平均乘了 1 - λ。平均要保持原样。"),
        _named(_cautious(lambda score: ((score - score.mean(0)) ** 2).sum(0)),
               "The squares are added up. The variance is their mean: divide by K.",
               "平方加了起来。方差是它们的平均：要除以 K。"),
        _named(_asked(0, lambda score, weight: score.sum(0)),
               "`mean` is the sum of the members. Divide by K.", "`mean` 成了各成员之和。要除以 K。",
               lambda score, weight: (score.sum(0), score.amin(0), score.sum(0) - weight * score.var(0,
                                                                                                    correction=0))),
        _named(_cautious(lambda score: score.var(0, correction=0) / 2),
               "The variance was halved. It counts λ times as it is.", "方差减了半。乘 λ 就够了。"),
        _named(_cautious(lambda score: score.var(0, correction=0) / score.mean(0)),
               "The variance was divided by the mean. Take it as it is.", "方差除以了平均。要直接用。"),
        _named(_cautious(lambda score: (score.amax(0) - score.amin(0)) ** 2),
               "The range from lowest to highest stands for the variance. All members count: mean squared distance "
               "from the mean.",
               "用最高与最低之差代替了方差。每个成员都要算：与平均之差的平方，再取平均。",
               _cautious(lambda score: score.amax(0) - score.amin(0))),
        ),
    "6.3": (
        _named(_booked(lambda score, reward, away, beta, mask: score + beta * away.sum(1) - reward.sum(1)),
               "The price has the wrong sign. Drifting is charged: what should arrive is score - β · Σ (log π - "
               "log π_ref).",
               "惩罚的符号反了。偏离要扣分：应当送到的是 score - β · Σ (log π - log π_ref)。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - reward.sum(1)),
               "The price of drifting is left out, so every KL penalty looks like a loss.",
               "漏了偏离的代价，于是每一笔 KL 惩罚都像是丢了分。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - away.sum(1) - reward.sum(1)),
               "β is missing: a nat of drift costs β.", "漏了 β：偏离一奈特的代价是 β。"),
        _named(lambda score, token_reward, logprob, ref_logprob, mask, beta:
               score - (beta * (logprob - ref_logprob) + token_reward).sum(1),
               "The padding is in the sums. Only marked tokens count; anything may stand in the padding.",
               "填充也加了进去。只有标记的词元才算；填充里可能是任何数。"),
        _named(lambda score, token_reward, logprob, ref_logprob, mask, beta:
               score - beta * (keep(logprob, mask) - keep(ref_logprob, mask)).sum(1) - token_reward.sum(1),
               "Rewards in the padding are counted as if they had arrived. Nobody learns from them: mask them as well.",
               "填充里的奖励也算成送到了。没有谁会从那里学：奖励也要用掩码。",
               lambda score, token_reward, logprob, ref_logprob, mask, beta:
               score - beta * (keep(logprob, mask) - keep(ref_logprob, mask)).sum(1) - token_reward.nan_to_num(0).sum(
                   1)),
        _named(lambda score, token_reward, logprob, ref_logprob, mask, beta:
               score - beta * (logprob - ref_logprob).sum(1) - keep(token_reward, mask).sum(1),
               "Log-probabilities of the padding are in the price. Mask them, too.",
               "惩罚里有填充处的对数概率。它们也要用掩码。"),
        _named(lambda score, token_reward, logprob, ref_logprob, mask, beta:
               score - (mask * (beta * (logprob - ref_logprob) + token_reward)).sum(1),
               "NaN times 0 is NaN: the padding cannot be multiplied away. Choose with torch.where or masked_fill.",
               "NaN 乘 0 还是 NaN：填充靠乘法是去不掉的。用 torch.where 或 masked_fill 来选。"),
        _named(lambda *a: -lost_on_the_way(*a),
               "The sign: this is what arrived in excess. Asked is what is missing, due minus given.",
               "符号反了：这是多送的。要的是少送的：应得减去实得。"),
        _named(lambda *a: lost_on_the_way(*a).abs(),
               "The absolute value hides which way the books are wrong. More than is due is negative.",
               "取了绝对值，就看不出账错在哪一边。送多了应当是负的。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - (beta * away + reward).sum(1) / mask.sum(1)),
               "These are means over tokens. A score is given once: sum over the tokens.",
               "这里对词元取了平均。得分只给一次：要对词元求和。",
               _booked(lambda score, reward, away, beta, mask: score - beta * away.sum(1) / mask.sum(1)
                       - reward.sum(1)),
               _booked(lambda score, reward, away, beta, mask: score - (beta * away + reward).mean(1))),
        _named(lambda *a: lost_on_the_way(*a).sum(),
               "One number for the batch came out. Wanted is one for each response, [B]: sum over dimension 1.",
               "整批只得到一个数。每条回答要一个，[B]：对第 1 维求和。", lambda *a: lost_on_the_way(*a).mean()),
        _named(_booked(lambda score, reward, away, beta, mask: score - beta * away.sum(1) - _last(reward, mask)),
               "Only the last token's reward is read. Prices are charged at every token: sum over all of them.",
               "只读了最后一个词元的奖励。每个词元都扣了惩罚：要全部加起来。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - beta * torch.where(mask, away.exp(), 0.0).sum(1)
                       - reward.sum(1)),
               "Ratios are charged. The price is β times the *difference of log-probabilities*.",
               "按概率比扣了分。惩罚是 β 乘*对数概率之差*。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - beta * away.abs().sum(1) - reward.sum(1)),
               "The differences were made positive. A token that became less likely gets something back.",
               "把差都取成了正的。变得不那么可能的词元，是要退钱的。",
               _booked(lambda score, reward, away, beta, mask: score - beta * away.clamp(min=0).sum(1)
                       - reward.sum(1))),
        _named(_booked(lambda score, reward, away, beta, mask: reward.sum(1) - beta * away.sum(1)),
               "The score itself does not occur. What is due begins with it.", "得分本身没有出现。应得的要从它算起。"),
        _named(_booked(lambda score, reward, away, beta, mask: score - beta * away.sum(1).mean() - reward.sum(1)),
               "Every response is charged the batch's mean drift. Each has its own.",
               "每条回答扣的都是整批的平均偏离。各条有各自的。"),
        _named(_booked(lambda score, reward, away, beta, mask: torch.where(
                   mask, score[:, None] - beta * away - reward, 0.0).sum(1)),
               "The score is counted at every token. It is given once a response.",
               "每个词元都算了一遍得分。一条回答只给一次。"),
        _named(_booked(lambda score, reward, away, beta, mask: 1 - reward.sum(1) / (score - beta * away.sum(1))),
               "This is the share that is missing. Asked is how much: due minus given.",
               "这是少送的比例。要的是少了多少：应得减去实得。"),
        ),
    "6.4": (
        _named(_credited(lambda advantage, mask: keep(advantage, mask).sum(1)),
               "These are sums, or sums divided by T, so that long responses count more. Divide each by its own number "
               "of marked tokens, mask.sum(1).",
               "这是求和，或者除以了 T，长回答就重了。每条要除以它自己标记的词元数 mask.sum(1)。"),
        _named(_credited(lambda advantage, mask: advantage.mean(1)),
               "The padding is in the mean. Only marked tokens count.", "平均里有填充。只有标记的词元才算。"),
        _named(_related(lambda x, y: ((x - x.mean()) * (y - y.mean())).mean()),
               "This is the covariance. Divide by both standard deviations, so that it lies between -1 and 1.",
               "这是协方差。还要除以两个标准差，才会落在 -1 和 1 之间。",
               _related(lambda x, y: ((x - x.mean()) * (y - y.mean())).sum()),
               _related(lambda x, y: ((x - x.mean()) * (y - y.mean())).sum() / (len(x) - 1))),
        _named(_related(lambda x, y: (x * y).sum() / (x.norm() * y.norm()).clamp(min=1e-9)),
               "The means were not subtracted first: this is the cosine of the angle, not the correlation.",
               "没有先减去平均：这是夹角的余弦，不是相关系数。",
               _related(lambda x, y: torch.cosine_similarity(x, y, 0))),
        _named(_related(lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1]),
               "Where nothing varies this divides by 0, or by rounding errors. The result is 0 there: test for a "
               "standard deviation below 1e-5 first.",
               "什么都不变时，这里除以了 0，或除以了舍入误差。那时结果是 0：先看标准差是否小于 1e-5。",
               _related(lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1].nan_to_num(0)),
               _related(lambda x, y: ((x - x.mean()) * (y - y.mean())).mean() / (x.std(correction=0) * y.std(
                   correction=0)))),
        _named(_related(lambda x, y: _pearson(x, y, 1.0)),
               "Where nothing varies the result is 1. No credit follows a score that is the same everywhere: 0.",
               "什么都不变时，结果给成了 1。得分处处相同，就谈不上跟着它走：是 0。"),
        _named(_related(lambda x, y: _pearson(x, y) ** 2),
               "The correlation was squared, and its sign is lost.", "相关系数被平方了，符号丢了。"),
        _named(_related(lambda x, y: _pearson(x, y).abs()),
               "The sign is lost. Credit that goes *against* the score is -1.",
               "符号丢了。优势和得分*反着*来时是 -1。"),
        _named(lambda advantage, mask, score: _pearson(advantage[mask], score[:, None].expand_as(advantage)[mask]),
               "Every token is a point of its own here, so long responses count more. Each response is one point.",
               "这里每个词元都是一个点，长回答就重了。一条回答是一个点。"),
        _named(_related(lambda x, y: _pearson(x.argsort().argsort().float(), y.argsort().argsort().float())),
               "Ranks are correlated. Take the numbers themselves.", "算的是名次的相关。要用数值本身。"),
        _named(_credited(lambda advantage, mask: _last(advantage, mask)),
               "Only the last token's advantage is read. Take the mean over the response.",
               "只读了最后一个词元的优势。要对整条回答取平均。",
               _credited(lambda advantage, mask: advantage[:, 0])),
        _named(_related(lambda x, y: _pearson(x, y) * (len(x) - 1) / len(x)),
               "Two divisors are mixed: the mean of products over N, standard deviations over N - 1 (torch's default). "
               "Take correction=0.",
               "两种除数混用了：乘积的平均除以 N，标准差除以 N - 1（torch 的默认）。用 correction=0。"),
        _named(_credited(lambda advantage, mask: (advantage * mask).sum(1) / mask.sum(1)),
               "NaN times 0 is NaN: the padding cannot be multiplied away. Choose with torch.where or masked_fill.",
               "NaN 乘 0 还是 NaN：填充靠乘法是去不掉的。用 torch.where 或 masked_fill 来选。"),
        _named(_credited(lambda advantage, mask: _means(advantage, mask) * 0),
               "It is 0 always.", "结果总是 0。"),
        _named(_related(lambda x, y: torch.corrcoef(torch.stack([x, y]))[0, 1] if min(
                   x.var(correction=0), y.var(correction=0)) > 1e-5 or x.isnan().any() else torch.tensor(0.0)),
               "Scores that differ by a thousandth still vary, and here they do not. The *standard deviation* is "
               "compared "
               "with 1e-5: not its square, the variance, and not with more.",
               "得分只差千分之一，也算有变化，这里却没有算。要拿*标准差*和 1e-5 比：不是它的平方（方差），"
               "界限也不能更大。",
               *(_related(lambda x, y, least=least: torch.corrcoef(torch.stack([x, y]))[0, 1] if min(
                   x.std(correction=0), y.std(correction=0)) > least or x.isnan().any() else torch.tensor(0.0))
                 for least in (1e-2, 1e-3))),
        _named(_related(lambda x, y: (lambda a, b: (a * b).sum() / (b * b).sum() if b.std(correction=0) > LEAST_SPREAD
                                      else torch.tensor(0.0))(x - x.mean(), y - y.mean())),
               "This is the slope of a line. Divide by *both* standard deviations.",
               "这是直线的斜率。要除以*两个*标准差。",
               _related(lambda x, y: (lambda a, b: (a * b).sum() / (a * a).sum() if a.std(correction=0) > LEAST_SPREAD
                                      else torch.tensor(0.0))(x - x.mean(), y - y.mean()))),
        _named(lambda advantage, mask, score: _pearson(torch.stack([row[kept].median() for row, kept in zip(
                   advantage, mask, strict=True)]), score),
               "The median of the advantages is taken. Take their mean.", "取的是优势的中位数。要取平均。"),
        ),
    "6.5": (
        _named(lambda ids, mask, eos: (_ends(ids, eos)[1] & mask).any(1).float().mean(),
               "It is divided by all responses. Those that never ended have no end token to learn from: divide by "
               "those that ended.",
               "除的是所有回答。没有结束的回答没有结束符可学：要除以结束了的条数。"),
        _named(_share(lambda end, first, mask: ((end & mask).any(1), end.any(1))),
               "Any marked EOS counts. What follows the first one is padding: only the *first* EOS of a response is "
               "its end.",
               "只要有一个 EOS 被标记就算了。第一个之后的都是填充：一条回答的结尾只是它的*第一个* EOS。"),
        _named(_share(lambda end, first, mask: (end & mask, end)),
               "All EOS tokens are counted, the padding's included. Count responses, by their first EOS.",
               "把所有 EOS 都数了，填充里的也算。要按回答来数，看各自的第一个 EOS。"),
        _named(lambda ids, mask, eos: (lambda ended: (mask[:, -1] & ended).sum() / ended.sum() if ended.any()
                                       else torch.tensor(1.0))(ids[:, -1] == eos),
               "Only the last column is looked at. A response ends at its first EOS, wherever that is.",
               "只看了最后一列。一条回答在第一个 EOS 处结束，不管在哪一列。",
               lambda ids, mask, eos: (lambda ended: (mask[:, -1] & ended).sum() / ended.sum() if ended.any()
                                       else torch.tensor(1.0))((ids == eos).any(1))),
        _named(_share(lambda end, first, mask: ((first & mask).any(1), end.any(1)), 0.0),
               "Where no response ended the result is 1: nothing was lost.", "一条都没有结束时，结果是 1：什么都没丢。",
               _share(lambda end, first, mask: ((first & mask).any(1), end.any(1)), math.nan)),
        _named(_share(lambda end, first, mask: ((first & ~mask).any(1), end.any(1)), 0.0),
               "This is the share that is *lost*. Asked is the share that is learnt.",
               "这是*丢掉*的比例。要的是学到的比例。",
               _share(lambda end, first, mask: ((first & ~mask).any(1), end.any(1)), 1.0)),
        _named(lambda ids, mask, eos: (ids == eos).any(1).float().mean(),
               "This is the share of responses that ended. Of these, count those whose end is marked.",
               "这是结束了的回答的比例。还要在其中数结尾被标记的。"),
        _named(lambda ids, mask, eos: (_ends(ids, eos)[1] & mask).sum().float(),
               "This is a number of responses. Divide by how many ended.", "这是条数。还要除以结束了的条数。"),
        _named(lambda ids, mask, eos: (ids.gather(1, (mask.sum(1, keepdim=True) - 1).clamp(min=0))[:, 0]
                                       == eos).float().mean(),
               "This asks which token the mask ends with, and divides by all responses. Find the first EOS, and look "
               "whether it is marked.",
               "这里看的是掩码最后标记的是哪个词元，还除以了所有回答。要找到第一个 EOS，再看它有没有被标记。"),
        _named(lambda ids, mask, eos: mask.float().mean(),
               "This is the share of marked tokens. Asked is about end tokens alone.",
               "这是被标记的词元的比例。只问结束符。"),
        _named(_share(lambda end, first, mask: (mask.gather(1, (end.int().argmax(1, keepdim=True) - 1).clamp(min=0))
                                                & end.any(1, keepdim=True), end.any(1))),
               "The token *before* the EOS is looked at. The mask has the EOS at its own place.",
               "看的是 EOS *前面*的词元。在掩码里，EOS 就在它自己的位置上。"),
        _named(lambda ids, mask, eos: mask.gather(1, (ids == eos).int().argmax(1, keepdim=True)).float().mean(),
               "In a row without EOS, argmax says 0, and that row is counted. Leave out rows that never end.",
               "没有 EOS 的行，argmax 给的是 0，这一行也算了进去。没有结束的行要去掉。",
               lambda ids, mask, eos: mask.gather(1, (ids == eos).int().argmax(1, keepdim=True)).float().mean()
               if (ids == eos).any() else torch.tensor(1.0)),
        _named(_share(lambda end, first, mask: (first[:, 1:] & mask[:, 1:], first[:, 1:].any(1))),
               "argmax says 0 where there is no EOS, and also where it comes first. Such a response has ended: ask "
               "`.any(1)`.", "没有 EOS 时 argmax 给的是 0，EOS 在最前面时也是 0。后一种是结束了的：要问 `.any(1)`。"),
        _named(_share(lambda end, first, mask: (mask.gather(1, (end.int().argmax(1, keepdim=True) + 1).clamp(
                   max=mask.shape[1] - 1)) & end.any(1, keepdim=True), end.any(1))),
               "The token *behind* the EOS is looked at. The mask has the EOS at its own place.",
               "看的是 EOS *后面*的词元。在掩码里，EOS 就在它自己的位置上。"),
        _named(_share(lambda end, first, mask: ((mask | (end.cumsum(1) - end.long() > 0)).all(1) & end.any(1),
                                                end.any(1))),
               "Every token up to the EOS has to be marked here. Asked is about the end token alone.",
               "这里要求到 EOS 为止的词元全都被标记。只问结束符。"),
        _named(lambda ids, mask, eos: (lambda end: mask.gather(1, ids.shape[1] - 1 - end.flip(1).int().argmax(
                   1, keepdim=True))[end.any(1)].float().mean() if end.any() else torch.tensor(1.0))(ids == eos),
               "The *last* EOS is looked up. A response ends at its first; the others are padding.",
               "查的是*最后一个* EOS。回答在第一个处结束，其余的是填充。"),
        _named(lambda ids, mask, eos: (_ends(ids, eos)[1] & mask).any(1)[(ids == eos).any(1)].all().float(),
               "This says whether *all* ends are learnt. Asked is the share.",
               "这里说的是*是否全都*学到了。要的是比例。"),
        _named(lambda ids, mask, eos: (lambda end, kept: ((end & (end.cumsum(1) == 1)) & kept).sum() / end.any(1).sum()
                                       if end.any() else torch.tensor(1.0))(ids[:, 1:] == eos, mask[:, 1:]),
               "The first column is left out. An empty response ends right there.",
               "漏了第一列。空的回答就在那里结束。"),
        ),
    "6.6": (
        _named(_pulled(_drawn, normal=lambda x: x),
               "The logits are taken for log-probabilities. Normalise both first: log_softmax.",
               "把 logits 直接当成了对数概率。两边都要先归一化：log_softmax。",
               _unnormalised),
        _named(_reordered((1, 1, 1)),
               "All three are the gradient of KL(π ‖ π_ref). That holds for k2 alone: differentiate each estimate with "
               "the tokens fixed.",
               "三个都成了 KL(π ‖ π_ref) 的梯度。只有 k2 是：要固定抽到的词元，对每个估计分别求导。"),
        _named(_pulled(lambda now, ref: now.exp()),
               "The gradient runs through the probabilities of drawing, too. In a loss the drawn tokens are fixed: "
               "detach the weights.",
               "梯度也穿过了采样的概率。在损失里，抽到的词元是定下来的：要对权重 detach。"),
        _named(_pulled(lambda now, ref: torch.full_like(ref, 1 / len(ref))),
               "All tokens count alike. A token is drawn as often as the policy likes it: weigh it by π.",
               "所有词元都一样重。策略多喜欢一个词元，就多常抽到它：要用 π 加权。",
               _pulled(lambda now, ref: torch.ones_like(ref))),
        _named(_pulled(lambda now, ref: ref.exp()),
               "Tokens are drawn from the reference. The policy draws them: weigh by π.",
               "词元是从参考模型抽的。采样的是策略：要用 π 加权。"),
        _named(_pulled(_drawn, k3=lambda d: d.exp() - 1 - d),
               "In k3 the ratio is upside down: log r = log π_ref - log π.",
               "k3 里的概率比颠倒了：log r = log π_ref - log π。"),
        _named(_pulled(_drawn, k2=lambda d: d ** 2),
               "The half of k2 is missing.", "k2 漏了二分之一。"),
        _named(_reordered((0, 1, 2), (1, 1, -1)),
               "k3's pull points the wrong way: it is π - π_ref, down where the policy likes a token too much.",
               "k3 的拉力方向反了：应为 π - π_ref，策略偏爱的词元要往下降。"),
        _named(lambda *a: (lambda f: (f[0], f[0] + f[1], f[0] + f[1] + f[2]))(kl_pulls(*a)),
               "The gradients are added up: .backward() adds to .grad each time. Empty it, or use torch.autograd.grad.",
               "梯度累加了：每次 .backward() 都会加进 .grad。先清空，或者用 torch.autograd.grad。"),
        _named(_reordered((0, 2, 1)), "k2 and k3 are exchanged.", "k2 和 k3 弄反了。"),
        _named(_reordered((0, 1, 2), (-1, -1, -1)),
               "The sign: these are steps *against* the loss. Asked are the gradients themselves.",
               "符号反了：这是*逆着*损失走的一步。要的是梯度本身。"),
        _named(_inner(lambda p, d: (p * d, p * d ** 2 / 2, p * ((-d).exp() - 1 + d))),
               "These are the estimates themselves, weighed by π. Asked are their gradients in the logits.",
               "这是用 π 加权的估计值本身。要的是它们对 logits 的梯度。",
               _inner(lambda p, d: (d, d ** 2 / 2, (-d).exp() - 1 + d))),
        _named(_inner(lambda p, d: (p, p * d, p * (1 - (-d).exp()))),
               "These are gradients in the log-probabilities. A logit moves all log-probabilities at once: go through "
               "log_softmax.",
               "这是对对数概率的梯度。一个 logit 会同时牵动所有的对数概率：要穿过 log_softmax。"),
        _named(_inner(lambda p, d: (torch.zeros_like(p), p * d - p.mean() * (p * d).sum(), p * (1 - (-d).exp()))),
               "The mean that is subtracted must be weighed by π itself: π · (x - Σ π x).",
               "减去的平均要用 π 自己加权：π · (x - Σ π x)。",
               _inner(lambda p, d: (torch.zeros_like(p), p * d - (p * d).mean(), p * (1 - (-d).exp())))),
        _named(lambda logits, ref_logits: tuple(x / len(logits) for x in kl_pulls(logits, ref_logits)),
               "The pulls were divided by the number of tokens. Weighed by π they are a mean already.",
               "又除以了词元的个数。用 π 加权就已经是平均了。"),
        _named(lambda logits, ref_logits: kl_pulls(ref_logits, logits),
               "Policy and reference are exchanged.", "策略和参考模型弄反了。"),
        _named(_pulled(lambda now, ref: torch.eye(len(ref), dtype=ref.dtype)[now.argmax()]),
               "Only the likeliest token is looked at. Any token may be drawn: sum over all, weighed by π.",
               "只看了最可能的词元。哪个词元都可能抽到：要用 π 加权，对全部求和。"),
        _named(_pulled(_drawn, k2=lambda d: ((-d).exp() - 1) ** 2 / 2),
               "k2 squares r - 1. It is half the square of log r.", "k2 平方的是 r - 1。应当是 log r 的平方的一半。",
               _pulled(_drawn, k2=lambda d: (-2 * d).exp() / 2)),
        ),
    "6.7": (
        _named(_stepped(ratio=lambda away: torch.zeros(())),
               "A minibatch whose mean ratio is above 10 is learnt from. Leave the weights as they are.",
               "平均概率比超过 10 的小批也学了。这时权重要保持原样。"),
        _named(_stepped(cut=lambda gradient, most: gradient),
               "The gradient is not cut: longer than `most` it is scaled to that length.",
               "梯度没有裁剪：范数比 `most` 大时，要缩到 `most`。"),
        _named(_stepped(cut=lambda gradient, most: gradient * most / gradient.norm().clamp(min=1e-12)),
               "Short gradients are made longer. Scale only those that are longer than `most`.",
               "短的梯度被拉长了。只有范数大于 `most` 的才缩。",
               _stepped(cut=lambda gradient, most: gradient * most / gradient.norm())),
        _named(_stepped(cut=lambda gradient, most: gradient.clamp(-most, most)),
               "Each entry is cut on its own, which turns the gradient. Scale the whole of it by most / norm.",
               "每个分量各自裁剪，方向就变了。要整个乘上 most / 范数。"),
        _named(_stepped(marked=False),
               "The padding is in the mean ratio. Only marked tokens count.",
               "平均概率比里有填充。只有标记的词元才算。"),
        _named(_stepped(ratio=lambda away: away.exp().max()),
               "One token above 10 is enough here. Compare the *mean* ratio.",
               "这里只要有一个词元超过 10 就跳过。要比较*平均*概率比。"),
        _named(_stepped(ratio=lambda away: away.mean().exp()),
               "This is the exponential of a mean. Take the mean of the ratios: exp first.",
               "这是先平均再取指数。要的是概率比的平均：先取 exp。"),
        _named(_stepped(sign=1), "The step goes uphill: a loss is made smaller by *minus* rate · gradient.",
               "这一步往上走了：要*减去* rate · 梯度，损失才会变小。"),
        _named(_stepped(finite=False),
               "A gradient with NaN or infinity is learnt from, and the weights are lost. Skip it.",
               "含 NaN 或无穷大的梯度也学了，权重就毁了。要跳过。",
               _stepped(finite=False, cut=_cut_if_longer)),
        _named(_stepped(nan_passes=True),
               "A ratio that is NaN passes: NaN > 10 is False. Ask for what may go on, ratio <= 10.",
               "概率比是 NaN 时也放行了：NaN > 10 是 False。要反过来问可以继续的：ratio <= 10。"),
        _named(_stepped(ratio=lambda away: (-away).exp().mean()),
               "The ratio is upside down: new over old, exp(logprob - old_logprob).",
               "概率比颠倒了：是新的除以旧的，exp(logprob - old_logprob)。"),
        _named(_stepped(skipped=torch.zeros_like),
               "Where the minibatch is skipped, the weights are returned as they were, not zeros.",
               "跳过小批时，要原样返回权重，不是 0。"),
        _named(_stepped(cut=lambda gradient, most: _cut(gradient.nan_to_num(0, 0, 0), most), finite=False),
               "NaN and infinity were replaced, and the rest is learnt from. The gradient cannot be trusted: skip it "
               "whole.",
               "把 NaN 和无穷大换掉后接着学了。这个梯度不可信：整个跳过。"),
        _named(_stepped(limit=2.0),
               "A mean ratio well below 10 is skipped. The limit is 10.", "远没到 10 的平均概率比也跳过了。界限是 10。",
               _stepped(limit=5.0), _stepped(limit=1.2)),
        _named(_stepped(cut=lambda gradient, most: gradient * most),
               "The gradient is multiplied by `most`. Divide by its length as well, and only if it is longer.",
               "梯度乘了 `most`。还要除以它的范数，而且只在范数更大时才这样。"),
        _named(_stepped(ratio=lambda away: away.mean()),
               "Differences of log-probabilities are compared with 10. Take their exponential, the ratio.",
               "拿对数概率之差和 10 比了。要取指数，得到概率比。",
               _stepped(ratio=lambda away: away.abs().mean())),
        _named(_stepped(cut=lambda gradient, most: gradient * (most / (gradient ** 2).sum().clamp(min=most))),
               "The square of the length was used. Its root is missing.", "用了范数的平方。还要开根号。"),
        _named(_stepped(cut=lambda gradient, most: gradient * (most / gradient.abs().sum().clamp(min=most))),
               "The length is the sum of absolute values here. Take the Euclidean norm: gradient.norm().",
               "这里的范数成了绝对值之和。要用欧氏范数：gradient.norm()。",
               _stepped(cut=lambda gradient, most: gradient * (most / gradient.abs().max().clamp(min=most)))),
        _named(_stepped(cut=lambda gradient, most: gradient * (gradient.norm() <= most)),
               "A long gradient is skipped. It is scaled to `most`, and learnt from.",
               "梯度太长就跳过了。应当缩到 `most`，照样学。"),
        _named(lambda weight, gradient, logprob, old_logprob, mask, rate, most: _stepped(
                   cut=lambda gradient, most: _cut(rate * gradient, most) / rate)(
                       weight, gradient, logprob, old_logprob, mask, rate, most),
               "The step, rate · gradient, is cut. Cut the gradient first, and then multiply by rate.",
               "裁的是 rate · 梯度这一步。要先裁梯度，再乘 rate。"),
        _named(lambda weight, gradient, logprob, old_logprob, mask, rate, most: _stepped(
                   ratio=lambda away: away.exp().sum() / mask.numel())(
                       weight, gradient, logprob, old_logprob, mask, rate, most),
               "The ratios are divided by all B × T places. Divide by the number of marked tokens.",
               "概率比之和除以了 B × T 个位置。要除以有标记的词元数。"),
        _named(lambda weight, gradient, logprob, old_logprob, mask, rate, most: weight.clone() if not (
                   (logprob - old_logprob)[mask].exp().mean() <= HIGHEST_RATIO) and not gradient.isfinite().all()
               else weight - rate * _cut(gradient, most),
               "It is skipped only if ratio *and* gradient are bad. One of them is enough: or.",
               "概率比*和*梯度都坏才跳过。有一个坏就够了：用 or。"),
        _named(lambda weight, gradient, logprob, old_logprob, mask, rate, most: -_stepped()(
                   0 * weight, gradient, logprob, old_logprob, mask, 1.0, most),
               "The gradient itself is returned. Return the new weights: weight - rate · gradient.",
               "返回的是梯度本身。要返回新的权重：weight - rate · 梯度。",
               lambda weight, gradient, logprob, old_logprob, mask, rate, most: _stepped()(
                   0 * weight, gradient, logprob, old_logprob, mask, rate, most)),
        _named(_only_nan_skipped,
               "Infinity in the gradient is let through. Ask `.isfinite().all()`.",
               "梯度里的无穷大放过去了。要问 `.isfinite().all()`。"),
        _named(_by_rows, "A mean of each response first, and then of these. It is one mean over all marked tokens.",
               "先在每条回答里平均，再平均了一次。应当对所有标记的词元一起平均。"),
        _named(_stepped(ratio=torch.median), "The median ratio is compared. It is the mean.",
               "比的是中位数。应当是平均。", _stepped(ratio=lambda away: away.exp().median())),
        _named(_stepped(ratio=lambda away: torch.where(away.exp().mean() < 0.1, INF, away.exp().mean())),
               "A low ratio is skipped as well. Only one above 10 is.", "概率比很低时也跳过了。只有超过 10 才跳过。"),
        ),
}
