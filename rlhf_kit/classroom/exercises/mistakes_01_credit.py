"""What goes wrong in lesson 01, and what to say: who deserves the credit.

Each is made from the right formula with one thing changed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Function, Mistake
from rlhf_kit.classroom.exercises.mistakes_01_rollout import unmasked
from rlhf_kit.formulas import advantages
from rlhf_kit.formulas.masked import keep, masked_mean

# 1.3  gae(reward, value, mask, gamma, lam)


def _right_gae(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    return advantages.gae(reward, value, mask, gamma, lam)[0]


def _walk(delta: Callable = lambda r, v, after, g: r + g * after - v, decay: Callable = lambda g, lam: g * lam,
          clean: Callable = keep, out: Callable = keep, after_last: Callable = lambda v: torch.zeros_like(v[:, 0]),
          backwards: bool = True, columns: Callable = range) -> Function:
    """GAE with another δ, decay, treatment of padding, or way through the columns."""
    def wrong(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
        r, v = clean(reward, mask), clean(value, mask)
        advantage, after, seen = torch.zeros_like(r), after_last(v), torch.zeros_like(r[:, 0])
        for t in sorted(columns(r.shape[1]), reverse=backwards):
            seen = delta(r[:, t], v[:, t], after, gamma) + decay(gamma, lam) * seen
            advantage[:, t], after = seen, v[:, t]
        return out(advantage, mask)
    return wrong


def _times(x: Tensor, mask: Tensor) -> Tensor:
    return x * mask


def _asis(x: Tensor, mask: Tensor) -> Tensor:
    return x


def _leaking(reward: bool, value: bool, out: Callable) -> Function:
    """GAE that takes rewards or values of the padding along."""
    def wrong(r: Tensor, v: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
        return out(_walk(clean=_asis, out=_asis)(r if reward else keep(r, mask), v if value else keep(v, mask), mask,
                                                 gamma, lam), mask)
    return wrong


def _cleaned_delta(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """GAE that cleans δ alone: the last token still sees the value of the padding behind it."""
    delta = keep(reward + gamma * torch.nn.functional.pad(value, (0, 1))[:, 1:] - value, mask)
    return _walk(lambda r, v, after, g: r)(delta, value, mask, gamma, lam)


def _carried(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float, *, from_last: bool = False,
             values_too: bool = False, seen_too: bool = True) -> Tensor:
    """Row by row, without forgetting the row before."""
    advantage, seen, after = torch.zeros_like(reward), 0.0, 0.0
    rows = range(len(reward))
    for i in reversed(rows) if from_last else rows:
        if not values_too:
            after = 0.0
        if not seen_too:
            seen = 0.0
        for t in reversed(range(int(mask[i].sum()))):
            seen = reward[i, t] + gamma * after - value[i, t] + gamma * lam * seen
            advantage[i, t], after = seen, value[i, t]
    return advantage


def _one_step(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """δ of the token and of the next one alone."""
    delta = _walk(decay=lambda g, lam: 0.0)(reward, value, mask, gamma, lam)
    return delta + gamma * lam * torch.nn.functional.pad(delta, (0, 1))[:, 1:]


def _value_behind(value_of: Callable) -> Function:
    """GAE with `value_of(row of values, length)` behind the last token of each row."""
    def wrong(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
        advantage = torch.zeros_like(reward)
        for i, n in enumerate(mask.sum(-1).tolist()):
            seen, after = 0.0, value_of(value[i], n)
            for t in reversed(range(n)):
                seen = reward[i, t] + gamma * after - value[i, t] + gamma * lam * seen
                advantage[i, t], after = seen, value[i, t]
        return advantage
    return wrong


def _last_is_reward(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    ends = torch.nn.functional.one_hot(mask.sum(-1) - 1, mask.shape[1]) * keep(value, mask)
    return _right_gae(reward + ends, value, mask, gamma, lam)


def _forward(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    delta = _walk(decay=lambda g, lam: 0.0)(reward, value, mask, gamma, lam)
    return _walk(lambda r, v, after, g: r, backwards=False)(delta, value, mask, gamma, lam)


def _divided(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    delta = _walk(decay=lambda g, lam: 0.0)(reward, value, mask, gamma, lam)
    weight = (gamma * lam) ** torch.arange(reward.shape[1], dtype=reward.dtype)
    return (delta * weight).flip(-1).cumsum(-1).flip(-1) / weight


def _with_value(f: Function) -> Function:
    return lambda reward, value, mask, gamma, lam: f(reward, value, mask, gamma, lam) + keep(value, mask)


GAE = (
    Mistake(unmasked(_right_gae),
            "What stands in the padding leaked into real tokens. Behind the last marked token there is no value and no "
            "reward.",
            "填充位置的数漏进了真实的词元。最后一个被标出的词元之后，价值和奖励都不存在。",
            (_cleaned_delta, *(_leaking(r, v, out) for r, v in ((True, True), (True, False), (False, True))
                               for out in (keep, _times, _asis)))),
    Mistake(_walk(clean=_times),
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Clean both with torch.where(mask, ..., 0.0) first.",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请先用 torch.where(mask, ..., 0.0) 把两者都清干净。",
            (_walk(clean=_times, out=_asis), _walk(clean=_times, out=_times))),
    Mistake(_walk(lambda r, v, after, g: r + after - v),
            "γ is missing in δ: the next value is worth γ times as much now.",
            "δ 里少了 γ：下一步的价值折到现在要乘 γ。",
            (_walk(lambda r, v, after, g: r + after - v, clean=_times),)),
    Mistake(_walk(decay=lambda g, lam: lam),
            "The recursion decays by λ alone; it is γ · λ.", "递推时只乘了 λ，应当乘 γ · λ。",
            (_walk(decay=lambda g, lam: lam, clean=_times),)),
    Mistake(_walk(lambda r, v, after, g: r + after - v, lambda g, lam: lam),
            "γ is missing, in δ and in the recursion.", "δ 和递推里都少了 γ。"),
    Mistake(_walk(decay=lambda g, lam: g),
            "λ is not used: this is the return minus the value.", "没有用到 λ：这是回报减去价值。",
            (_walk(decay=lambda g, lam: g, clean=_times),)),
    Mistake(_walk(decay=lambda g, lam: 1.0),
            "Nothing decays: the next advantage is multiplied by γ · λ.", "没有衰减：下一个词元的优势要乘 γ · λ。"),
    Mistake(_walk(decay=lambda g, lam: g * (1 - lam)),
            "The recursion decays by γ · (1 - λ); it is γ · λ.", "递推时乘了 γ · (1 - λ)，应当乘 γ · λ。"),
    Mistake(_walk(decay=lambda g, lam: g * g * lam),
            "γ is there once too often in the recursion; it is γ · λ.", "递推里多乘了一次 γ，应当是 γ · λ。",
            (_walk(decay=lambda g, lam: g * lam * lam),)),
    Mistake(lambda reward, value, mask, gamma, lam: _right_gae(reward, value, mask, lam, gamma),
            "γ and λ are exchanged: δ has γ alone.", "γ 和 λ 弄反了：δ 里只有 γ。"),
    Mistake(lambda reward, value, mask, gamma, lam: _walk(lambda r, v, after, g: r + g * lam * after - v)(
        reward, value, mask, gamma, lam),
            "λ does not belong into δ, only into the recursion: δ = r + γ · V_next - V.",
            "λ 不属于 δ，只用在递推里：δ = r + γ · V_next - V。"),
    Mistake(_walk(decay=lambda g, lam: g + lam),
            "γ and λ are added in the recursion. Multiply them: γ · λ.", "递推里把 γ 和 λ 加了起来。应当相乘：γ · λ。"),
    Mistake(_walk(decay=lambda g, lam: 0.0),
            "Only δ of the token itself is there. Add γλ times the advantage of the next token, from the end.",
            "这里只有词元自己的 δ。要从末尾开始，加上 γλ 乘以下一个词元的优势。",
            (_walk(decay=lambda g, lam: 0.0, clean=_times),)),
    Mistake(_walk(lambda r, v, after, g: r - v),
            "δ does not see the next value. After each token keep its value for the one before: next_value = "
            "value[:, t].",
            "δ 没有用到下一个价值。每处理完一个词元，要把它的价值留给前一个：next_value = value[:, t]。",
            (_walk(lambda r, v, after, g: r - v, clean=_times),)),
    Mistake(_walk(lambda r, v, after, g: r + g * after),
            "V of the token itself is missing: δ = r + γ · V_next - V.", "少了词元自己的 V：δ = r + γ · V_next - V。"),
    Mistake(_walk(lambda r, v, after, g: r),
            "The critic's values are not used. δ = r + γ · V_next - V.", "没有用到价值。δ = r + γ · V_next - V。"),
    Mistake(_walk(lambda r, v, after, g: g * after - v),
            "The reward is missing: δ = r + γ · V_next - V.", "少了奖励：δ = r + γ · V_next - V。"),
    Mistake(_walk(lambda r, v, after, g: r + v - g * after),
            "The values have the wrong signs: δ = r + γ · V_next - V, what comes next minus what was expected.",
            "价值的符号反了：δ = r + γ · V_next - V，后面的减去原先预计的。",
            (_walk(lambda r, v, after, g: r - g * after - v), _walk(lambda r, v, after, g: r + g * after + v))),
    Mistake(_walk(lambda r, v, after, g: r + g * v - v),
            "δ takes the token's own value twice. The next value is that of the token behind, V_{t+1}.",
            "δ 里两次用了词元自己的价值。后面那个应是下一个词元的价值 V_{t+1}。",
            (_walk(lambda r, v, after, g: r + g * (after - v)),)),
    Mistake(_walk(after_last=lambda v: v[:, -1]),
            "Behind the last column the last value was used again. There is nothing: V = 0.",
            "最后一列之后又用了一次最后的价值。那里什么也没有：V = 0。"),
    Mistake(_walk(after_last=lambda v: v[:, 0]),
            "roll() brings the first value round behind the last token. There is nothing: V = 0.",
            "roll() 把第一个价值转到了最后一个词元之后。那里什么也没有：V = 0。",
            tuple(_walk(after_last=lambda v: v[:, 0], clean=clean, out=out)
                  for clean, out in ((keep, _asis), (keep, _times), (_times, _asis), (_times, keep)))),
    Mistake(_walk(backwards=False),
            "This walks from the first token to the last. Â_t needs Â_{t+1}: begin at the end.",
            "这是从第一个词元走到最后一个。Â_t 要用 Â_{t+1}：应从末尾开始。",
            (_walk(backwards=False, out=_asis), _walk(backwards=False, clean=_times, out=_times))),
    Mistake(_walk(columns=lambda n: range(n - 1)),
            "The last column is left out. Its token has an advantage as well, δ = r - V.",
            "漏掉了最后一列。那里的词元也有优势：δ = r - V。",
            (_walk(columns=lambda n: range(n - 1), after_last=lambda v: v[:, -1]),)),
    Mistake(_walk(columns=lambda n: range(1, n)),
            "The first column is left out: a loop down to 0 is reversed(range(T)), or range(T - 1, -1, -1).",
            "漏掉了第一列：要一直循环到 0，应写 reversed(range(T)) 或 range(T - 1, -1, -1)。"),
    Mistake(_one_step,
            "Only δ of the token and of the next one are there. Carry the whole *advantage* of the next token, from "
            "the end.",
            "这里只有词元自己和下一个词元的 δ。要从末尾开始，带上下一个词元的整个*优势*。"),
    Mistake(lambda *a: _carried(*a, seen_too=False, values_too=True),
            "Behind the end of a row stands the value that was left from the row before. Each row starts from V = 0 "
            "behind its end.",
            "一行的末尾之后用了上一行留下的价值。每一行都要从末尾之后 V = 0 开始。"),
    Mistake(lambda *a: keep(_right_gae(*a) - masked_mean(_right_gae(*a), a[2]), a[2]),
            "The mean was taken off. Whitening is the next exercise; here the advantages are left as they are.",
            "这里减去了平均。白化是下一题的事，这里的优势保持原样。",
            (lambda *a: _right_gae(*a) - masked_mean(_right_gae(*a), a[2]),
             lambda *a: _right_gae(*a) - _right_gae(*a).mean(),
             lambda *a: keep(_right_gae(*a) - _right_gae(*a).mean(), a[2]))),
    Mistake(_carried,
            "One row's advantage is carried into the next. Each response starts from 0.",
            "上一行的优势带进了下一行。每条回答都要从 0 开始。",
            tuple(lambda *a, last=last, too=too: _carried(*a, from_last=last, values_too=too)
                  for last, too in ((False, True), (True, False), (True, True)))),
    Mistake(_with_value(_right_gae),
            "V was added: these are the returns, which the critic learns from. The advantage is without it.",
            "这里加上了 V：那是回报，用来训练价值头。优势里没有它。",
            (_with_value(_walk(decay=lambda g, lam: g)), lambda reward, value, mask, gamma, lam:
             _walk(clean=_times, out=_asis)(reward, value, mask, gamma, lam) + value)),
    Mistake(lambda *a: advantages.whiten(_right_gae(*a), a[2]),
            "This is whitened already. That is the next exercise; here the advantages are left as they are.",
            "这里已经做了白化。那是下一题的事，这里的优势保持原样。"),
    Mistake(lambda *a: -_right_gae(*a),
            "The sign is the other way round: better than expected is positive.", "符号反了：比预计的好应当为正。"),
    Mistake(_value_behind(lambda row, n: row[n - 1]),
            "Behind the last token the last value itself is looked up. Nothing follows there: V is 0.",
            "最后一个词元之后又用了最后那个价值。那里后面什么也没有：V 为 0。"),
    Mistake(_value_behind(lambda row, n: row[0] if n == len(row) else 0.0),
            "In a full row the first value stands behind the last token, as roll() puts it there. Nothing follows "
            "there: V is 0.",
            "没有填充的行里，最后一个词元之后成了第一个价值：roll() 会把它移到那里。后面什么也没有：V 为 0。"),
    Mistake(_last_is_reward,
            "The last token gets its reward without the value being taken off. There, too, it is δ = r - V, with no "
            "value behind.",
            "最后一个词元直接得到了奖励，没有减去价值。那里同样是 δ = r - V，只是后面没有价值。"),
    Mistake(_forward,
            "This goes from the first token to the last, so that credit flows to the tokens *behind*. Begin at the "
            "end: a token is worth what comes after it.",
            "这是从第一个词元走到最后一个，功劳流向了*后面*的词元。应当从末尾开始：一个词元的价值取决于它之后的事。"),
    Mistake(lambda reward, value, mask, gamma, lam: (1 - lam) * _right_gae(reward, value, mask, gamma, lam),
            "Each δ is multiplied by 1 - λ. In GAE δ counts in full; only what follows is multiplied, by γλ.",
            "每个 δ 都乘了 1 - λ。在 GAE 里 δ 全部计入；只有后面的才乘 γλ。"),
    Mistake(_walk(lambda r, v, after, g: g * (r + after) - v),
            "γ multiplies the reward of the token itself. Only what comes after it is discounted: r + γ V' - V.",
            "γ 乘到了词元自己的奖励上。只有它之后的才打折扣：r + γ V' - V。",
            (_walk(lambda r, v, after, g: g * r + g * after - v), _walk(lambda r, v, after, g: g * r + after - v))),
    Mistake(_divided,
            "This divides by (γλ)^t, which is 0 for λ = 0 and nearly 0 at the end of a long row. Walk from the end "
            "instead: nothing is divided there.",
            "这里除以 (γλ)^t：λ = 0 时它是 0，在长的一行末尾也几乎是 0。应当从末尾往前走：那样不用除。"),
)

# 1.4  whiten(advantage, mask)


def _standard(shift: Callable[[Tensor], Tensor | float] = torch.mean, scale: Callable[[Tensor], Tensor] = torch.std,
              picked: Callable[[Tensor, Tensor], Tensor] = lambda a, m: a[m], out: Callable = keep) -> Function:
    """Whitening with another shift or scale, from other entries, or with another treatment of padding."""
    def wrong(advantage: Tensor, mask: Tensor) -> Tensor:
        marked = picked(advantage, mask)
        return out((advantage - shift(marked)) / scale(marked), mask)
    return wrong


def _by_row(advantage: Tensor, mask: Tensor, lonely: float = 0.0, correction: int = 1) -> Tensor:
    rows = torch.zeros_like(advantage)
    for i, marks in enumerate(mask):
        own = advantage[i, marks]
        rows[i, marks] = (own - own.mean()) / own.std(correction=correction) if len(own) > 1 else lonely * own
    return rows


def _by_column(advantage: Tensor, mask: Tensor) -> Tensor:
    return _by_row(advantage.T, mask.T).T.contiguous()


def _row_shift(advantage: Tensor, mask: Tensor) -> Tensor:
    return keep(advantage - keep(advantage, mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1),
                mask)


def _column_shift(advantage: Tensor, mask: Tensor) -> Tensor:
    return _row_shift(advantage.T, mask.T).T


def _in_front(advantage: Tensor, mask: Tensor, out: Callable = keep) -> Tensor:
    """As if the marks of each row stood in front."""
    front = torch.arange(mask.shape[1]) < mask.sum(-1, keepdim=True)
    return out((advantage - advantage[front].mean()) / advantage[front].std(), front)


def _mean_of_means(advantage: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([row[marks].mean() for row, marks in zip(advantage, mask, strict=True)]).mean()


def _about(advantage: Tensor, mask: Tensor, shift: Tensor) -> Tensor:
    """Whitened about another mean, deviation included."""
    gap = keep(advantage, mask) - shift
    return keep(gap / (keep(gap, mask).square().sum() / (mask.sum() - 1)).sqrt(), mask)


def _pooled(advantage: Tensor, mask: Tensor, shift_rows: bool = False) -> Tensor:
    """The deviation of every row from its own mean, pooled."""
    own = _row_shift(advantage, mask)
    scale = (own.square().sum() / (mask.sum() - len(mask)).clamp(min=1)).sqrt()
    return keep((own if shift_rows else advantage - masked_mean(advantage, mask)) / scale, mask)


WHITEN = (
    Mistake(_by_row,
            "Each response was whitened by itself. Then a good response and a bad one look the same: whiten over the "
            "whole "
            "batch.",
            "每条回答各自做了白化。这样一来好回答和坏回答看上去一样：应当在整个批次上做。",
            (lambda a, m: _by_row(a, m, torch.nan), lambda a, m: _by_row(a, m, 0.0, 0),
             lambda a, m: keep(_by_row(a, torch.ones_like(m)), m), lambda a, m: _by_row(a, torch.ones_like(m)),
             lambda a, m: keep(torch.nn.functional.layer_norm(a, a.shape[-1:]), m))),
    Mistake(_by_column,
            "Each column was whitened by itself. One mean and one deviation for all marked tokens of the batch.",
            "每一列各自做了白化。整个批次里被标出的词元共用一个均值、一个标准差。"),
    Mistake(_pooled,
            "The deviation is taken within each row. Take it over all marked tokens at once, about their one mean.",
            "标准差是在各行内部算的。应当对全部被标出的词元一起算，围绕同一个均值。",
            (lambda a, m: _pooled(a, m, shift_rows=True), lambda a, m: keep(_row_shift(a, m) / a[m].std(), m),
             lambda a, m: keep((a - a[m].mean()) / torch.stack([r[k].var() for r, k in zip(a, m, strict=True)]).mean()
                               .sqrt(), m),
             lambda a, m: keep((a - a[m].mean()) / torch.stack([r[k].std() for r, k in zip(a, m, strict=True)]).mean(),
                               m))),
    Mistake(unmasked(lambda a, m: _standard()(a, m)),
            "Padding took part in the mean or the variance. Only marked tokens count.",
            "填充参与了平均或方差的计算。只有被标出的词元才算。",
            (_standard(picked=lambda a, m: a), _standard(picked=lambda a, m: a, out=_times),
             _standard(picked=keep), _standard(picked=_times), _standard(picked=keep, out=_times),
             _standard(picked=keep, out=_asis), lambda a, m: keep((a - a[m].mean()) / a.std(), m),
             lambda a, m: keep((a - a.mean()) / a[m].std(), m),
             lambda a, m: keep((a - a[m].mean()) / keep(a, m).std(), m),
             lambda a, m: keep((a - a[m].mean()) / keep(a - a[m].mean(), m).std(), m),
             lambda a, m: keep((a - keep(a, m).mean()) / a[m].std(), m),
             lambda a, m: keep((a - a[m].mean()) / ((keep(a, m) - a[m].mean()).square().sum() / (m.sum() - 1)).sqrt(),
                               m))),
    Mistake(_standard(out=_asis),
            "The marked tokens are right. Padding must become 0: whoever sums over it later would go wrong.",
            "被标出的词元是对的。填充处要变成 0，否则后面求和会出错。",
            (lambda a, m: torch.where(m, _standard()(a, m), a),)),
    Mistake(lambda a, m: _standard(out=_asis)(keep(a, m), m),
            "Padding was set to 0 *before* the mean was subtracted, so it is not 0 any more. Clean it in the end.",
            "填充在减去均值*之前*设成了 0，减完就不是 0 了。应当最后再清。",
            (lambda a, m: (keep(a, m) - a[m].mean()) / a[m].std(), lambda a, m: (a * m - a[m].mean()) / a[m].std())),
    Mistake(_standard(out=_times),
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Use torch.where(mask, ..., 0.0).",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请用 torch.where(mask, ..., 0.0)。",
            (lambda a, m: (a * m - (a * m).sum() / m.sum()) * m / ((((a * m - (a * m).sum() / m.sum()) * m) ** 2).sum()
                                                                  / (m.sum() - 1)).sqrt(),)),
    Mistake(_standard(scale=lambda x: x.std(correction=0)),
            "The variance is divided by n; here, as in TRL, it is n - 1.",
            "方差除以了 n；这里和 TRL 一样，除以 n - 1。",
            (_standard(scale=lambda x: x.std(correction=0), out=_times),)),
    Mistake(_standard(scale=torch.var),
            "This divides by the variance. Divide by its root, the standard deviation.",
            "这里除以了方差。应当除以它的平方根，也就是标准差。", (_standard(scale=torch.var, out=_times),)),
    Mistake(_standard(shift=lambda x: 0.0),
            "The mean is still there. Subtract it first.", "平均数还在。先减去它。",
            (lambda a, m: keep((a - a[m].mean()) / a[m].std() + a[m].mean(), m),)),
    Mistake(lambda a, m: keep(a - a[m].mean() / a[m].std(), m),
            "Brackets are missing: the whole difference is divided, (advantage - mean) / std.",
            "少了括号：要除的是整个差，(advantage - mean) / std。",
            (lambda a, m: keep(a / a[m].std() - a[m].mean(), m),)),
    Mistake(_standard(scale=lambda x: torch.ones(())),
            "The mean is gone, but the variance is not 1 yet: divide by the standard deviation.",
            "均值减掉了，但方差还不是 1：要除以标准差。"),
    Mistake(_standard(scale=lambda x: 1 / x.std()),
            "This multiplies by the standard deviation. Divide by it.", "这里乘上了标准差。应当除以它。"),
    Mistake(lambda a, m: (a[m] - a[m].mean()) / a[m].std(),
            "Only the marked tokens came back, in one row. Keep the shape of `advantage`, with 0 in the padding: "
            "torch.where(mask, ..., 0.0).",
            "只返回了被标出的词元，排成一行。要保持 `advantage` 的形状，填充处为 0：torch.where(mask, ..., 0.0)。"),
    *(Mistake(lambda a, m, c=c: _standard()(a, m).clamp(-c, c),
              "Large results were cut off. Whitening shifts and scales, and cuts nothing off; no clamp.",
              "较大的结果被截断了。白化只平移和缩放，什么也不截断；不要 clamp。") for c in (3, 2.5, 2, 1)),
    Mistake(_standard(scale=lambda x: x.square().mean().sqrt()),
            "This divides by the root of the mean square, about 0. The deviation is taken about the mean, "
            "with n - 1.",
            "这里除以了均方根，是围绕 0 算的。标准差围绕均值来算，并除以 n - 1。",
            (_standard(scale=lambda x: (x.square().sum() / (len(x) - 1)).sqrt()),)),
    Mistake(_standard(scale=lambda x: ((x.square().mean() - x.mean().square()) * len(x) / (len(x) - 1)).sqrt()),
            "The variance is the difference of two large numbers, E[x²] - E[x]²: where the mean is large, no digit is "
            "left. Subtract the mean first, then square.",
            "方差成了两个大数之差 E[x²] - E[x]²：均值很大时，一位准确数字也不剩。先减去均值，再平方。",
            (_standard(scale=lambda x: ((x.square().sum() - len(x) * x.mean().square()) / (len(x) - 1)).sqrt()),)),
    *(Mistake(lambda a, m, low=low: keep((a - a[m].mean()) / ((a[m] - a[m].mean()).square().sum()
                                                            / max(len(a) - 1, low)).sqrt(), m),
              "The sum of squares is divided by the number of responses less 1. n counts the marked tokens.",
              "平方和除以了回答条数减 1。n 数的是被标出的词元。") for low in (1, 0)),
    Mistake(_standard(scale=lambda x: x.std().clamp(min=0.1)),
            "The deviation has a floor, or something large was added to it. Small advantages are scaled up to "
            "variance 1, "
            "too; at most add something like 1e-8.",
            "标准差被设了下限，或者加了一个不小的数。很小的优势也要放大到方差为 1；最多加 1e-8 这样的数。",
            tuple(_standard(scale=f) for f in (
                lambda x: x.std().clamp(min=1.0), lambda x: x.std().clamp(min=0.5), lambda x: x.std() + 0.1,
                lambda x: x.std() + 1e-2, lambda x: x.std() + 1e-3, lambda x: x.std() + 1.0,
                lambda x: x.std() if x.std() > 0.1 else torch.ones(()), lambda x: (x.var() + 1e-3).sqrt(),
                lambda x: (x.var() + 1e-2).sqrt(), lambda x: (x.var() + 1e-4).sqrt(),
                lambda x: (x.var() + 1e-5).sqrt()))),
    Mistake(_standard(shift=torch.median),
            "The median was subtracted. Subtract the mean.", "减去的是中位数。应当减去均值。",
            (_standard(shift=lambda x: x.quantile(0.5)),)),
    Mistake(_standard(scale=lambda x: x.max() - x.min()),
            "This scales by the largest numbers. Whitening divides by the standard deviation.",
            "这里用最大的数来缩放。白化除以的是标准差。",
            (_standard(torch.min, lambda x: x.max() - x.min()), _standard(scale=lambda x: x.abs().max()),
             _standard(lambda x: 0.0, lambda x: x.abs().max()))),
    Mistake(_standard(scale=lambda x: (x - x.mean()).abs().mean()),
            "This divides by the mean absolute deviation. The standard deviation is the root of the variance: "
            "squares, not absolute values.",
            "这里除以了平均绝对偏差。标准差是方差的平方根：用平方，不是绝对值。"),
    Mistake(_standard(scale=lambda x: x.abs().mean()),
            "This divides by the mean absolute value. The standard deviation is the root of the mean square about the "
            "mean.",
            "这里除以了绝对值的平均。标准差是与均值之差的均方的平方根。"),
    Mistake(_standard(scale=torch.norm),
            "This divides by a norm, a root of a sum. The standard deviation is the root of a mean: the sum is divided "
            "by n - 1 first.",
            "这里除以了范数，也就是总和的平方根。标准差是平均的平方根：总和要先除以 n - 1。",
            (_standard(scale=lambda x: (x - x.mean()).norm()),)),
    Mistake(_in_front,
            "The marks are taken to stand in front of each row. They may have gaps: use the mask itself, not how many "
            "it marks.",
            "这里以为每一行的标记都在最前面。标记可以不连续：要用掩码本身，而不是标记的个数。",
            (lambda a, m: _in_front(a, m, lambda x, front: keep(x, m)),)),
    Mistake(lambda a, m: _about(a, m, _mean_of_means(a, m)),
            "The mean is one of the rows' means, so tokens of short responses weigh more. Take one mean of all marked "
            "tokens.",
            "这里的均值是各行均值的平均，短回答里的词元分量更重。应对全部被标出的词元取一个均值。",
            (lambda a, m: keep((a - _mean_of_means(a, m)) / a[m].std(), m),)),
    Mistake(lambda a, m: keep(_column_shift(a, m) / a[m].std(), m),
            "Each column's own mean was subtracted. Subtract one mean, that of all marked tokens.",
            "每一列各自减去了自己的均值。应当减去同一个均值，即全部被标出的词元的均值。"),
    Mistake(lambda a, m: keep((a - a[m].mean()) / ((a[m] - a[m].mean()).square().sum() / max(int(m.sum()) - len(m), 1))
                              .sqrt(), m),
            "The variance is divided by n less the number of rows. There is one mean for all: divide by n - 1.",
            "方差除以了 n 减去行数。均值只有一个：应除以 n - 1。"),
    Mistake(lambda a, m: _standard()(a, m & (a != 0)),
            "Marked advantages of exactly 0 are left out. They count as well: the mask says which, not the value.",
            "恰好为 0 的优势被漏掉了。它们同样要算：由掩码决定算哪些，而不是由数值决定。",
            (lambda a, m: keep((a - a[m & (a != 0)].mean()) / a[m & (a != 0)].std(), m),)),
)
