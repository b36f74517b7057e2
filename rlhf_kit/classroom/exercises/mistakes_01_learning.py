"""What goes wrong in lesson 01, and what to say: both clipped losses and the controller.

Each is made from the right formula with one thing changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Function, Mistake
from rlhf_kit.classroom.exercises.mistakes_01_rollout import other_last
from rlhf_kit.formulas import advantages, losses
from rlhf_kit.formulas.masked import keep, masked_mean

# 1.5  clipped_policy(logprob, old_logprob, advantage, mask, clip)


def _row_mean(x: Tensor, mask: Tensor) -> Tensor:
    return (keep(x, mask).sum(-1) / mask.sum(-1)).mean()


def _row_mean_clamped(x: Tensor, mask: Tensor) -> Tensor:
    return (keep(x, mask).sum(-1) / mask.sum(-1).clamp(min=1)).mean()


MEANS = {                                                       # how a mean over marked tokens is missed
    "everything": (lambda x, mask: x.mean(), lambda x, mask: keep(x, mask).mean(), lambda x, mask: (x * mask).mean()),
    "rows": (_row_mean, _row_mean_clamped, lambda x, mask: ((x * mask).sum(-1) / mask.sum(-1)).mean()),
    "sum": (lambda x, mask: x[mask].sum(), lambda x, mask: (x * mask).sum()),
    "responses": (lambda x, mask: x[mask].sum() / len(x), lambda x, mask: (x * mask).sum(-1).mean()),
    "times": (lambda x, mask: (x * mask).sum() / mask.sum(),),
}


def _front_mean(x: Tensor, mask: Tensor) -> Tensor:
    """As if the marks of each row stood in front."""
    return x[torch.arange(mask.shape[1]) < mask.sum(-1, keepdim=True)].mean()


def _smaller(ratio: Tensor, a: Tensor, clip: float) -> Tensor:
    return torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)


def _exp(new: Tensor, old: Tensor) -> Tensor:
    return (new - old).exp()


def _policy(gain: Callable = _smaller, ratio: Callable = _exp, mean: Callable = masked_mean, sign: int = -1,
            constant: bool = True) -> Function:
    """The clipped loss with another gain, ratio, mean or sign."""
    def wrong(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
        if mean is masked_mean:                                 # what stands in the padding is not what goes wrong
            logprob, old_logprob, advantage = (keep(x, mask) for x in (logprob, old_logprob, advantage))
        a = advantage.detach() if constant else advantage
        return sign * mean(gain(ratio(logprob, old_logprob), a, clip), mask)
    return wrong


def _whole_means(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
    ratio, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.minimum((ratio * a)[mask].mean(), (ratio.clamp(1 - clip, 1 + clip) * a)[mask].mean())


def _of_responses(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
    ratio = keep(logprob - old_logprob, mask).sum(-1, keepdim=True).exp()
    return -masked_mean(_smaller(ratio, keep(advantage, mask).detach(), clip), mask)


def _same(f: Callable, *others: Callable) -> tuple[Function, ...]:
    """The gains of one mistake."""
    return tuple(_policy(gain) for gain in (f, *others))


CLIPPED_POLICY = (
    Mistake(_policy(lambda ratio, a, clip: ratio * a),
            "The clip never bites. Take the smaller of r·Â and clip(r, 1-ε, 1+ε)·Â.",
            "截断从没起作用。请在 r·Â 和 clip(r, 1-ε, 1+ε)·Â 里取较小的。"),
    Mistake(_policy(lambda ratio, a, clip: torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)),
            "This takes the larger of the two gains. The objective is pessimistic: take the smaller, then put the "
            "minus; with "
            "the minus inside it is the larger of two losses.",
            "这里取了两个收益中较大的。这个目标是悲观的：取较小的，再加负号；若负号放在里面，就是取两个损失中较大的。"),
    Mistake(_policy(lambda ratio, a, clip: torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a), sign=1),
            "This takes the larger, and without the minus. Take the smaller of the two and put the minus before it.",
            "这里取了较大的，还少了负号。应取两者中较小的，再加负号。"),
    Mistake(_policy(lambda ratio, a, clip: ratio.clamp(1 - clip, 1 + clip) * a),
            "Only the clipped term is left. Then a token that got worse (Â < 0 and r > 1+ε) has no gradient to mend "
            "it: "
            "take the smaller of both.",
            "只剩下截断后的一项。这样变坏的词元（Â < 0 且 r > 1+ε）就没有梯度来纠正：要在两项中取较小的。"),
    Mistake(_whole_means,
            "The two means are compared. Take the smaller gain of each token, then the mean.",
            "这里比较的是两个平均数。应对每个词元取较小的收益，再取平均。"),
    *(Mistake(_policy(lambda ratio, a, clip, half=half: half * (ratio * a + ratio.clamp(1 - clip, 1 + clip) * a)),
              "The two gains are added. Take the smaller of them.", "这里把两个收益加了起来。应取较小的。")
      for half in (1.0, 0.5)),
    Mistake(_policy(lambda ratio, a, clip: torch.where((ratio - 1).abs() > clip, torch.zeros_like(a), ratio * a)),
            "Tokens outside of 1 ± ε are dropped. They count with the smaller of both products.",
            "超出 1 ± ε 的词元被丢掉了。它们要以两个乘积中较小的计入。"),
    Mistake(_of_responses,
            "This is the ratio of whole responses. Each token has its own, exp(logprob - old_logprob); no sum over "
            "tokens.",
            "这是整条回答的概率比。每个词元各有自己的：exp(logprob - old_logprob)，不要对词元求和。"),
    Mistake(_policy(mean=MEANS["everything"][0]),
            "The mean runs over padding too. Sum the marked tokens and divide by their number.",
            "平均数把填充也算了进去。只把标出的词元加起来，再除以它们的个数。",
            tuple(_policy(mean=mean) for mean in MEANS["everything"][1:])),
    Mistake(_policy(mean=MEANS["rows"][0]),
            "This is a mean of the rows' means: a token of a short response weighs more. One mean over all marked "
            "tokens.",
            "这是各行平均的平均：短回答里的词元分量更重。应对所有标出的词元只取一次平均。",
            tuple(_policy(mean=mean) for mean in MEANS["rows"][1:])),
    Mistake(_policy(mean=MEANS["sum"][0]),
            "This is a sum. Take the mean over the marked tokens, or large batches make large steps.",
            "这是总和。请对标出的词元取平均，否则批次越大步子越大。",
            tuple(_policy(mean=mean) for mean in MEANS["sum"][1:])),
    Mistake(_policy(mean=MEANS["responses"][0]),
            "This divides by the number of responses. Divide by the number of marked tokens.",
            "这里除以了回答的条数。应除以被标出的词元个数。",
            tuple(_policy(mean=mean) for mean in MEANS["responses"][1:])),
    Mistake(_policy(mean=MEANS["times"][0]),
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Pick the marked tokens before you compute, "
            "logprob[mask].",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请先取出标出的词元再计算：logprob[mask]。"),
    Mistake(_policy(constant=False),
            "The values are right, but a gradient flows into the advantage. It is a constant here: advantage.detach().",
            "数值正确，但梯度流进了优势。它在这里是常数：advantage.detach()。"),
    Mistake(_policy(sign=1),
            "The minus is missing: it is a loss, to be minimised.", "少了负号：这是要变小的损失。"),
    Mistake(_policy(ratio=lambda new, old: (old - new).exp()),
            "The ratio is upside down: new over old, exp(logprob - old_logprob).",
            "概率比颠倒了：是新的除以旧的，exp(logprob - old_logprob)。"),
    Mistake(_policy(ratio=lambda new, old: new - old),
            "The exp is missing: the ratio of probabilities is exp(logprob - old_logprob).",
            "少了 exp：概率比是 exp(logprob - old_logprob)。", (_policy(ratio=lambda new, old: new - old + 1),)),
    Mistake(_policy(ratio=lambda new, old: torch.where(old == 0, torch.ones_like(old), new / old)),
            "Logarithms are divided here. The ratio of probabilities is exp(logprob - old_logprob).",
            "这里把对数相除了。概率比是 exp(logprob - old_logprob)。",
            (lambda logprob, old_logprob, advantage, mask, clip:
             -_smaller(logprob / old_logprob, advantage.detach(), clip)[mask].mean(),)),
    Mistake(_policy(ratio=lambda new, old: new.exp()),
            "The old policy is missing: the ratio is exp(logprob - old_logprob).",
            "少了旧策略：概率比是 exp(logprob - old_logprob)。"),
    Mistake(_policy(ratio=lambda new, old: new.exp() / old.exp()),
            "Two probabilities are divided. Of very unlikely tokens both are 0 to the computer, and 0 / 0 is NaN: "
            "subtract first, exp(logprob - old_logprob).",
            "这里把两个概率相除。极不可能的词元，两个概率在计算机里都是 0，0 / 0 得 NaN：应先相减，"
            "exp(logprob - old_logprob)。"),
    Mistake(_policy(ratio=lambda new, old: (new - new.detach()).exp()),
            "The ratio is always 1: it compares the policy with itself. Compare with `old_logprob`.",
            "概率比永远是 1：策略在和自己比。应当和 `old_logprob` 比。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, (ratio * a).clamp(1 - clip, 1 + clip))),
            "The product r·Â was clipped. Clip the ratio alone, then multiply by Â.",
            "截断的是乘积 r·Â。只截断概率比，再乘 Â。",
            _same(lambda ratio, a, clip: (ratio * a).clamp(1 - clip, 1 + clip))),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip)) * a),
            "The smaller is taken of the two *ratios*. Take it of the two products with Â: for Â < 0 it is the other "
            "one.",
            "这里取的是两个*概率比*中较小的。应在各自乘上 Â 之后再取：Â < 0 时是另一个。",
            _same(lambda ratio, a, clip: ratio.clamp(max=1 + clip) * a)),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(max=1 + clip) * a)),
            "The ratio is clipped above only. Clip it below as well, at 1-ε.",
            "概率比只在上面截断了。下面 1-ε 处也要截断。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(min=1 - clip) * a)),
            "The ratio is clipped below only. Clip it above as well, at 1+ε.",
            "概率比只在下面截断了。上面 1+ε 处也要截断。"),
    Mistake(other_last(lambda clip: 0.2, _policy()),
            "0.2 is the ε of the example. Use the argument `clip`.", "0.2 是例子里的 ε。请用参数 `clip`。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(-clip, clip) * a)),
            "The ratio is clipped to ±ε. It moves about 1: from 1-ε to 1+ε.",
            "概率比被截断在 ±ε。它在 1 附近：应从 1-ε 到 1+ε。",
            _same(lambda ratio, a, clip: ratio.clamp(-clip, clip) * a)),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, a.clamp(1 - clip, 1 + clip) * ratio)),
            "The advantage was clipped. Clip the ratio, and leave the advantage as it is.",
            "截断的是优势。应截断概率比，优势保持原样。",
            _same(lambda ratio, a, clip: torch.minimum(ratio * a, a.clamp(-clip, clip) * ratio))),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(1 / (1 + clip), 1 + clip) * a)),
            "The lower bound is 1 / (1+ε) here. It is 1-ε.", "这里的下界是 1 / (1+ε)。应是 1-ε。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 / (1 - clip)) * a)),
            "The upper bound is 1 / (1-ε) here. It is 1+ε.", "这里的上界是 1 / (1-ε)。应是 1+ε。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.log().clamp(-clip, clip).exp() * a)),
            "The *logarithm* of the ratio was clipped. Clip the ratio: from 1-ε to 1+ε.",
            "截断的是概率比的*对数*。应截断概率比本身：从 1-ε 到 1+ε。",
            _same(lambda ratio, a, clip: ratio.log().clamp(-clip, clip).exp() * a)),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.detach().clamp(1 - clip, 1 + clip) * a)),
            "The values are right; the clipped term has lost its gradient. Within 1 ± ε both terms are equal and "
            "share it: "
            "no detach there.",
            "数值正确，但截断的那一项没有梯度。在 1 ± ε 之内两项相等，梯度由两项分担：那里不要 detach。",
            _same(lambda ratio, a, clip: torch.minimum(ratio.detach() * a, ratio.clamp(1 - clip, 1 + clip) * a))),
    Mistake(_policy(lambda ratio, a, clip: _smaller(ratio.detach(), a, clip)),
            "The values are right, but no gradient reaches the policy: the ratio is detached.",
            "数值正确，但梯度没有传到策略：概率比被 detach 了。"),
    Mistake(_policy(lambda ratio, a, clip: _smaller(ratio, a.sign(), clip)),
            "Only the sign of the advantage is used. Its size counts as well.",
            "只用了优势的符号。它的大小也要算。"),
    Mistake(_policy(lambda ratio, a, clip: _smaller(ratio, a.abs(), clip)),
            "The advantage has lost its sign. A bad token must become rarer.", "优势的符号丢了。坏的词元应当变少。"),
    Mistake(_policy(lambda ratio, a, clip: torch.where(a > 0, _smaller(ratio, a, clip),
                                                       ratio.clamp(1 - clip, 1 + clip) * a)),
            "For Â < 0 only the clipped term is left. Take the smaller of both products, whatever the sign.",
            "Â < 0 时只剩下截断后的一项。不管符号，都取两个乘积中较小的。"),
    Mistake(lambda *a: (lambda lp, old, adv, mask, clip: losses.clipped_policy(
        lp, old, advantages.whiten(adv, mask) if mask.sum() > 1 else adv, mask, clip))(*a),
            "The advantage was whitened here once more. Take it as it comes.",
            "优势在这里又做了一次白化。直接用传进来的。"),
    Mistake(lambda logprob, old_logprob, advantage, mask, clip:
            -masked_mean(logprob * keep(advantage, mask).detach(), mask),
            "This is the plain policy gradient, log π · Â. Here it is the ratio that is multiplied by Â, and clipped.",
            "这是朴素的策略梯度 log π · Â。这里要用概率比乘 Â，并且截断。"),
    Mistake(_policy(lambda ratio, a, clip: torch.where((ratio > 1 + clip) & (a > 0) | (ratio < 1 - clip) & (a < 0),
                                                       0.0, ratio * a)),
            "Tokens beyond the clip count 0. They count (1 ± ε) · Â: clipping holds the value where it is and takes "
            "the gradient away.",
            "超出截断范围的词元算成了 0。它们应当算 (1 ± ε) · Â：截断是把数值停在那里，去掉梯度。"),
    Mistake(_policy(lambda ratio, a, clip: _smaller(torch.where((ratio - 1).abs() <= clip, ratio, ratio.detach()), a,
                                                    clip)),
            "The values are right, but outside 1 ± ε no token has a gradient. Where the unclipped product is the "
            "smaller one, a mistake can still be mended: keep its gradient.",
            "数值正确，但 1 ± ε 之外的词元都没有梯度。未截断的乘积较小时，错误还可以改正：要保留它的梯度。"),
    Mistake(_policy(lambda ratio, a, clip: torch.where(a < 0, torch.maximum(_smaller(ratio, a, clip), 3 * a),
                                                       _smaller(ratio, a, clip))),
            "What a bad token may cost is bounded, as in a variant with a second clip (dual clip). Here nothing bounds "
            "it: take the smaller of both products.",
            "坏词元的代价被设了上限，那是带第二次截断的变体 (dual clip)。这里没有上限：取两个乘积中较小的。",
            tuple(_policy(lambda ratio, a, clip, c=c: torch.where(
                a < 0, torch.maximum(_smaller(ratio, a, clip), c * a), _smaller(ratio, a, clip))) for c in (2, 5))),
    Mistake(_policy(ratio=lambda new, old: (new - old).clamp(-2, 2).exp()),
            "The difference of the log-probabilities was cut off before exp. Take the ratio as it is; clip does the "
            "rest.",
            "对数概率之差在 exp 之前被截断了。概率比照原样用，其余由 clip 来做。",
            tuple(_policy(ratio=lambda new, old, c=c: (new - old).clamp(-c, c).exp()) for c in (1, 3))),
    Mistake(lambda logprob, old_logprob, advantage, mask, clip: _policy(mean=_front_mean)(
        *(keep(x, mask) for x in (logprob, old_logprob, advantage)), mask, clip),
            "The marks are taken to stand in front of each row. They may have gaps: use the mask itself, not how many "
            "it marks.",
            "这里以为每一行的标记都在最前面。标记可以不连续：要用掩码本身，而不是标记的个数。",
            (_policy(mean=_front_mean),)),
    Mistake(_policy(mean=lambda x, mask: x[mask].sum() / (x[mask] != 0).sum().clamp(min=1)),
            "Tokens with an advantage of 0 are left out of the mean. They count as well: divide by the number of "
            "marked tokens.",
            "优势为 0 的词元没有算进平均。它们同样要算：除以被标出的词元个数。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(
                ratio * a, (ratio + (ratio.clamp(1 - clip, 1 + clip) - ratio).detach()) * a)),
            "The value is right, but the gradient goes on beyond the clip. There it has to be 0: clamp the ratio "
            "itself, with nothing detached.",
            "数值对，但超出截断范围后梯度还在。那里的梯度应为 0：直接截断比值，不要 detach。"),
)

# 1.6  adapt(beta, kl, target, n, horizon)


def _cut(low: float = -0.2, high: float = 0.2, error: Callable = lambda kl, target: kl / target - 1,
         weight: Callable = lambda n, horizon: n / horizon) -> Function:
    """The controller with another error, cut off elsewhere, or another weight."""
    return lambda beta, kl, target, n, horizon: beta * (1 + max(low, min(high, error(kl, target))) * weight(n, horizon))


ADAPT = (
    Mistake(_cut(-math.inf, math.inf),
            "The error is not cut off: one strange batch would move β a lot. Clip it to ±0.2.",
            "误差没有截断：一个反常的批次就会让 β 大变。请限制在 ±0.2 之内。"),
    Mistake(_cut(-math.inf),
            "The error is cut off above and not below. Clip it on both sides.",
            "误差只在上面截断了，下面没有。两边都要。",
            (_cut(-1.0),)),
    Mistake(_cut(high=math.inf),
            "The error is cut off below and not above. Clip it on both sides.",
            "误差只在下面截断了，上面没有。两边都要。"),
    Mistake(_cut(-0.1, 0.1),
            "The error is cut off at ±0.1. The rule says ±0.2.", "误差截断在 ±0.1，规则是 ±0.2。"),
    Mistake(_cut(-1.0, 1.0),
            "The error is cut off elsewhere than at ±0.2.", "误差没有截断在 ±0.2。",
            tuple(_cut(-c, c) for c in (0.3, 0.5, 0.02))),
    Mistake(_cut(weight=lambda n, horizon: -n / horizon),
            "β moves the wrong way: too much drift raises it, 1 + e · n / horizon with e = KL / target - 1.",
            "β 调反了：偏离太多要调高，1 + e · n / horizon，其中 e = KL / 目标 - 1。"),
    Mistake(_cut(error=lambda kl, target: target / kl - 1 if kl else math.inf),
            "The fraction is upside down: e = KL / target - 1.", "分数颠倒了：e = KL / 目标 - 1。",
            (_cut(error=lambda kl, target: target / kl - 1),)),
    Mistake(_cut(error=lambda kl, target: 1 - target / kl if kl else -math.inf),
            "The error is relative to the KL, (KL - target) / KL. It is relative to the target: e = KL / target - 1.",
            "误差是相对于 KL 的，即 (KL - 目标) / KL。应相对于目标：e = KL / 目标 - 1。",
            (_cut(error=lambda kl, target: 1 - target / kl),
             _cut(error=lambda kl, target: 1 - target / max(kl, 1e-8)),
             _cut(error=lambda kl, target: (kl - target) / kl if kl else 0.0))),
    Mistake(_cut(error=lambda kl, target: kl / (target - 1)),
            "The 1 is subtracted from the target. Subtract it from the quotient: e = KL / target - 1.",
            "1 是从目标里减的。应从商里减：e = KL / 目标 - 1。"),
    Mistake(_cut(error=lambda kl, target: kl - target),
            "The error is relative: divide by the target, e = KL / target - 1.",
            "误差是相对的：要除以目标，e = KL / 目标 - 1。"),
    Mistake(_cut(error=lambda kl, target: kl / target),
            "The 1 is missing: e = KL / target - 1, which is 0 on target.",
            "少了减 1：e = KL / 目标 - 1，正好在目标上时为 0。",
            (_cut(0.8, 1.2, lambda kl, target: kl / target),)),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 + (max(-0.2, min(0.2, kl / target)) - 1) * n / horizon),
            "KL / target is cut off before the 1 is subtracted. Subtract first, then cut off: "
            "max(-0.2, min(0.2, KL / target - 1)).",
            "还没减 1 就截断了 KL / 目标。应先减 1 再截断：max(-0.2, min(0.2, KL / 目标 - 1))。"),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 + max(-0.2, min(0.2, kl / target - 1))) * n / horizon,
            "Brackets: n / horizon multiplies e alone, β · (1 + e · n / horizon).",
            "括号：n / horizon 只乘 e，即 β · (1 + e · n / horizon)。"),
    Mistake(lambda *a: max(_cut()(*a), 0.1),
            "β was kept within bounds. Only the error is cut off.", "β 被限制了范围。要截断的只有误差。",
            tuple(lambda *a, low=low, high=high: min(max(_cut()(*a), low), high)
                  for low, high in ((0.0, 1.0), (0.1, 1.0), (0.0, 0.5), (0.01, 0.5), (0.2, 9.0)))),
    Mistake(_cut(error=lambda kl, target: kl / 6 - 1),
            "6 is the target of the example. Use the argument `target`.", "6 是例子里的目标。请用参数 `target`。"),
    Mistake(_cut(error=lambda kl, target: abs(kl) / target - 1),
            "The KL lost its sign. An estimate may be negative, and that is far below any target: no abs.",
            "KL 的符号丢了。估计值可以是负的，那就远低于任何目标：不要 abs。",
            (_cut(error=lambda kl, target: abs(kl / target - 1)), _cut(error=lambda kl, target: abs(kl / target) - 1))),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl else beta,
            "A KL of 0 counts as False, and β stayed as it was. 0 is far below the target: e = -0.2.",
            "KL 为 0 被当作 False，β 就没有变。0 远低于目标：e = -0.2。"),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl > 0 else beta,
            "For a KL of 0 or less, β stayed as it was. It is far below the target: e = -0.2.",
            "KL 小于等于 0 时 β 没有变。这远低于目标：e = -0.2。"),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl >= 0 else beta,
            "For a negative KL, β stayed as it was. An estimate may be negative, and is then far below the target: "
            "e = -0.2.",
            "KL 为负时 β 没有变。估计值可以是负的，那就远低于目标：e = -0.2。"),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl > target else beta,
            "β never falls. Below the target it has to: e is negative there.",
            "β 从不下降。低于目标时要调低：那里的 e 是负的。",
            (_cut(low=0.0),)),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 + max(-0.2, min(0.2, (kl / target - 1) * n / horizon))),
            "e · n / horizon was cut off. Cut off e itself, before it is multiplied.",
            "截断的是 e · n / horizon。应先截断 e，再相乘。",
            (lambda beta, kl, target, n, horizon: beta * max(0.8, min(1.2, 1 + (kl / target - 1) * n / horizon)),)),
    Mistake(lambda beta, kl, target, n, horizon: max(-0.2, min(0.2, beta * (1 + (kl / target - 1) * n / horizon))),
            "β itself was cut off. Cut off the error e.", "截断的是 β 本身。应截断误差 e。",
            (lambda beta, kl, target, n, horizon: min(0.2, beta * (1 + (kl / target - 1) * n / horizon)),)),
    Mistake(_cut(weight=lambda n, horizon: n // horizon),
            "// divides to a whole number, here to 0. Use /.", "// 是整除，这里得 0。请用 /。"),
    Mistake(_cut(error=lambda kl, target: kl // target - 1),
            "// divides to a whole number. Use /.", "// 是整除。请用 /。"),
    Mistake(_cut(weight=lambda n, horizon: 1 / horizon),
            "n is missing: the more responses a step has, the more β may move, n / horizon.",
            "少了 n：一步里的回答越多，β 可以动得越多，n / horizon。"),
    Mistake(_cut(weight=lambda n, horizon: n / 10_000),
            "10000 is the horizon of the example. Use the argument `horizon`.",
            "10000 是例子里的 horizon。请用参数 `horizon`。"),
    Mistake(_cut(weight=lambda n, horizon: 256 / horizon),
            "256 is the n of the example. Use the argument `n`.", "256 是例子里的 n。请用参数 `n`。"),
    Mistake(_cut(weight=lambda n, horizon: 1.0),
            "n / horizon is missing: it makes the step small.", "少了 n / horizon：有了它步子才小。"),
    Mistake(_cut(weight=lambda n, horizon: horizon / n),
            "The fraction is upside down: n / horizon.", "分数颠倒了：应是 n / horizon。"),
    Mistake(lambda beta, kl, target, n, horizon: beta + max(-0.2, min(0.2, kl / target - 1)) * n / horizon,
            "The step was added to β. β is multiplied by 1 + e · n / horizon.",
            "这里是把步子加到 β 上。应当是 β 乘以 1 + e · n / horizon。"),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(1.0, kl, target, n, horizon),
            "This is the factor alone. Multiply β by it.", "这只是系数。还要乘上 β。",
            (lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) - beta,)),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 + (0.2 if kl > target else -0.2) * n / horizon),
            "The error is always ±0.2. Between them it is KL / target - 1 itself.",
            "误差总是 ±0.2。在两者之间应当就是 KL / 目标 - 1。",
            (lambda beta, kl, target, n, horizon: beta * (1 + (0.2 if kl >= target else -0.2) * n / horizon),
             lambda beta, kl, target, n, horizon: beta * (1 + (0.2 * ((kl > target) - (kl < target))) * n / horizon))),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 + 0.2 * n / horizon),
            "The error is 0.2 whatever the KL: max and min are exchanged. It is max(-0.2, min(0.2, ...)).",
            "不管 KL 多少，误差都是 0.2：max 和 min 写反了。应是 max(-0.2, min(0.2, ...))。"),
    Mistake(lambda beta, kl, target, n, horizon: beta * (1 - 0.2 * n / horizon),
            "The error is -0.2 in every case. Either max and min are exchanged, it is max(-0.2, min(0.2, ...)); or the "
            "KL was made small before: it is a mean already and is not divided by n.",
            "每一组的误差都是 -0.2。要么是 max 和 min 写反了，应是 max(-0.2, min(0.2, ...))；要么是 KL 先被弄小了："
            "它已经是平均，不要再除以 n。"),
    Mistake(lambda beta, kl, target, n, horizon: beta * math.exp(max(-0.2, min(0.2, kl / target - 1)) * n / horizon),
            "This takes the exponential. The factor is 1 + e · n / horizon.",
            "这里用了指数。系数是 1 + e · n / horizon。"),
    Mistake(lambda beta, kl, target, n, horizon: round(_cut()(beta, kl, target, n, horizon), 4),
            "The result was rounded. β changes by little at a time, so every digit counts.",
            "结果被四舍五入了。β 每次只变一点点，每一位都要保留。",
            tuple(lambda *a, k=k: round(_cut()(*a), k) for k in (2, 3, 5))),
    Mistake(lambda beta, kl, target, n, horizon: 2 * beta if kl > 1.5 * target else beta / 2 if kl < target / 1.5
            else beta,
            "This is another rule, which doubles or halves β (PPO's first). Here β moves a little each time: β · (1 "
            "+ e · n / horizon).",
            "这是另一种规则：把 β 加倍或减半（最早的 PPO）。这里 β 每次只变一点：β · (1 + e · n / horizon)。"),
    Mistake(_cut(error=lambda kl, target: math.log(kl / target) if kl > 0 else -0.2),
            "The error is a logarithm here. It is e = KL / target - 1, without log.",
            "这里的误差取了对数。应为 e = KL / target - 1，不取 log。"),
    Mistake(_cut(-0.1),
            "Below the target the error is cut off too early. It is cut off at -0.2, as it is at +0.2.",
            "低于目标时，误差截断得太早。应在 -0.2 处截断，和 +0.2 对称。", (_cut(-0.05), _cut(-0.15))),
    Mistake(_cut(high=0.1),
            "Above the target the error is cut off too early. It is cut off at +0.2, as it is at -0.2.",
            "高于目标时，误差截断得太早。应在 +0.2 处截断，和 -0.2 对称。", (_cut(high=0.05),)),
    Mistake(_cut(weight=lambda n, horizon: min(n / horizon, 1.0)),
            "n / horizon was cut off at 1. Only e is cut off.", "n / horizon 在 1 处截断了。要截断的只有 e。"),
    Mistake(lambda beta, kl, target, n, horizon: beta * max(_cut()(1.0, kl, target, n, horizon), 0.0),
            "β was kept from becoming negative. The rule, as it stands, cuts off nothing but e.",
            "这里不让 β 变成负数。规则里只截断 e，别的都不截断。",
            (lambda *a: max(_cut()(*a), 0.0),)),
    Mistake(lambda *a: max(0.01, min(1.0, _cut()(*a))),
            "β was kept between two bounds, or above one. The rule cuts off nothing but e.",
            "β 被限制在某个范围之内。规则里只截断 e，别的都不截断。",
            tuple(lambda *a, low=low, high=high: max(low, min(high, _cut()(*a)))
                  for low in (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05) for high in (1.0, 2.0, 10.0, math.inf))),
)

# 1.7  clipped_value(value, old_value, target, mask, clip)


def _near(value: Tensor, old: Tensor, clip: float) -> Tensor:
    return torch.clamp(value, old - clip, old + clip)


def _worse(value: Tensor, old: Tensor, target: Tensor, clip: float) -> Tensor:
    return torch.maximum((value - target).square(), (_near(value, old, clip) - target).square())


def _critic(error: Callable = _worse, mean: Callable = masked_mean, half: float = 0.5) -> Function:
    """The critic's loss with another error, mean or factor."""
    def wrong(value: Tensor, old_value: Tensor, target: Tensor, mask: Tensor, clip: float) -> Tensor:
        if mean is masked_mean:
            value, old_value, target = (keep(x, mask) for x in (value, old_value, target))
        old_value, target = old_value.detach(), target.detach()
        return half * mean(error(value, old_value, target, clip), mask)
    return wrong


def _relative(value: Tensor, old_value: Tensor, target: Tensor, mask: Tensor, clip: float) -> Tensor:
    """V within a share of the old value, whatever its sign."""
    def worse(value: Tensor, old: Tensor, target: Tensor, clip: float) -> Tensor:
        ends = torch.stack([old * (1 - clip), old * (1 + clip)])
        return torch.maximum((value - target).square(), (value.clamp(ends.amin(0), ends.amax(0)) - target).square())
    return _critic(worse)(value, old_value, target, mask, clip)


CLIPPED_VALUE = (
    Mistake(_critic(lambda value, old, target, clip: torch.minimum((value - target).square(),
                                                                   (_near(value, old, clip) - target).square())),
            "The smaller error was taken. Take the larger: leaving the old guess must not look better than it is.",
            "这里取了较小的误差。应取较大的：离开旧的估计，不能显得比实际更好。"),
    Mistake(_critic(lambda value, old, target, clip: 2 * torch.minimum(
        (value - target).square(), (_near(value, old, clip) - target).square())),
            "The smaller error was taken, and without the factor ½. It is ½ of the larger one.",
            "这里取了较小的误差，还少了系数 ½。应是较大误差的 ½。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum((value - target).square(), (old - target).square())),
            "The error of the old value is compared. It is the error of V clipped around the old value, V_old ± c.",
            "这里比较的是旧价值的误差。应是 V 围绕旧价值截断之后 (V_old ± c) 的误差。"),
    Mistake(_critic(lambda value, old, target, clip: (value - target).clamp(-clip, clip).square()),
            "The error was clipped. Clip the value V, around V_old ± c, and take the larger error.",
            "截断的是误差。应截断价值 V，围绕 V_old ± c，再取较大的误差。",
            (lambda value, old_value, target, mask, clip: torch.nn.functional.huber_loss(value[mask], target[mask],
                                                                                         delta=clip),)),
    Mistake(_critic(half=1.0),
            "The factor ½ is missing. It makes the gradient V - R.", "少了系数 ½。有了它，梯度正好是 V - R。"),
    Mistake(_critic(lambda value, old, target, clip: (value - target).square()),
            "The clip never bites: this is the error of V alone. Take the larger of it and of the error of V clipped "
            "around "
            "the *old* value, clip(V, V_old - c, V_old + c); not around the target.",
            "截断从没起作用：这只是 V 自己的误差。还要算围绕*旧的*价值（不是目标）截断之后的误差 clip(V, V_old - c, "
            "V_old + c)，取较大的。",
            (_critic(lambda value, old, target, clip: (value - target).square(), half=1.0),)),
    Mistake(_critic(lambda value, old, target, clip: (_near(value, old, clip) - target).square()),
            "Only the clipped error is left. Then a value far from the old one has no gradient at all: take the "
            "larger of both.",
            "只剩下截断后的误差。这样远离旧估计的价值就完全没有梯度：要取两者中较大的。"),
    Mistake(_critic(lambda value, old, target, clip: _worse(value, target, old, clip)),
            "Old value and target are exchanged. V is clipped around V_old and compared with the target R.",
            "旧的价值和目标弄反了。V 围绕 V_old 截断，再和目标 R 比。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (value.clamp(-clip, clip) - target).square())),
            "The value is clipped to ±c. It moves about the old one: from V_old - c to V_old + c.",
            "价值被截断在 ±c。它在旧的价值附近：应从 V_old - c 到 V_old + c。",
            (_critic(lambda value, old, target, clip: (value.clamp(-clip, clip) - target).square()),)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), ((value - old).clamp(-clip, clip) - target).square())),
            "The step V - V_old was clipped, and V_old is not added back: V_old + clip(V - V_old, -c, c).",
            "截断的是 V - V_old，却没有把 V_old 加回去：V_old + clip(V - V_old, -c, c)。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (torch.clamp(old, value - clip, value + clip) - target).square())),
            "The old value was clipped around V. Clip V around the old value, from V_old - c to V_old + c.",
            "这里把旧的价值围绕 V 截断了。应把 V 围绕旧的价值截断：从 V_old - c 到 V_old + c。"),
    Mistake(_critic(half=0.25),
            "The factor ½ is there twice. Once is enough.", "系数 ½ 乘了两次。一次就够了。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        torch.nn.functional.smooth_l1_loss(value, target, reduction="none"),
        torch.nn.functional.smooth_l1_loss(_near(value, old, clip), target, reduction="none")), half=1.0),
            "This is the smooth L1 (Huber) loss, which grows only linearly for large errors. Take half the square.",
            "这是 smooth L1（Huber）损失，误差大时只按线性增长。应取平方的一半。",
            (_critic(lambda value, old, target, clip: torch.maximum(
                torch.nn.functional.smooth_l1_loss(value, target, reduction="none"),
                torch.nn.functional.smooth_l1_loss(_near(value, old, clip), target, reduction="none"))),)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (torch.minimum(torch.maximum(value, old * (1 - clip)), old * (1 + clip)) - target)
        .square())),
            "The clip is relative, as for the ratio. Here it is in units of reward: V_old - c to V_old + c.",
            "这里按比例截断，那是概率比的做法。价值以奖励为单位：从 V_old - c 到 V_old + c。",
            (_critic(lambda value, old, target, clip: torch.maximum(
                (value - target).square(), (torch.maximum(torch.minimum(value, old * (1 + clip)), old * (1 - clip))
                                            - target).square())),)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (value.clamp(1 - clip, 1 + clip) - target).square())),
            "The value is clipped about 1, as the ratio is. It moves about the old one: from V_old - c to V_old + c.",
            "价值在 1 附近截断，那是概率比的做法。它在旧的价值附近：应从 V_old - c 到 V_old + c。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (torch.minimum(value, old + clip) - target).square())),
            "The value is clipped above only. Clip it below as well, at V_old - c.",
            "价值只在上面截断了。下面 V_old - c 处也要截断。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (torch.maximum(value, old - clip) - target).square())),
            "The value is clipped below only. Clip it above as well, at V_old + c.",
            "价值只在下面截断了。上面 V_old + c 处也要截断。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (value - torch.clamp(target, old - clip, old + clip)).square())),
            "The target was clipped. Clip the value V and leave the target R as it is.",
            "截断的是目标。应截断价值 V，目标 R 保持原样。"),
    *(Mistake(_critic(lambda value, old, target, clip: _worse(value, old, target, clip).sqrt(), half=half),
              "The errors are not squared.", "误差没有平方。") for half in (0.5, 1.0)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(value - target, _near(value, old, clip) - target)
                    .square()),
            "The larger is taken before squaring, so large negative errors are lost. Square both, then take the "
            "larger.",
            "先取较大的再平方，负得多的误差就丢了。应先各自平方，再取较大的。"),
    Mistake(lambda value, old_value, target, mask, clip: 0.5 * torch.maximum(
        (value - target.detach())[mask].square().mean(),
        (_near(value, old_value.detach(), clip) - target.detach())[mask].square().mean()),
            "The two means are compared. Take the larger error of each token, then the mean.",
            "这里比较的是两个平均数。应对每个词元取较大的误差，再取平均。"),
    *(Mistake(_critic(lambda value, old, target, clip:
                      (value - target).square() + (_near(value, old, clip) - target).square(), half=half),
              "The two errors are added. Take the larger of them.", "这里把两个误差加了起来。应取较大的。")
      for half in (0.5, 0.25, 1.0)),
    Mistake(_critic(mean=MEANS["everything"][0]),
            "The mean runs over padding too. Sum the marked tokens and divide by their number.",
            "平均数把填充也算了进去。只把标出的词元加起来，再除以它们的个数。",
            tuple(_critic(mean=mean) for mean in MEANS["everything"][1:])),
    Mistake(_critic(mean=MEANS["rows"][0]),
            "This is a mean of the rows' means: a token of a short response weighs more. One mean over all marked "
            "tokens.",
            "这是各行平均的平均：短回答里的词元分量更重。应对所有标出的词元只取一次平均。",
            tuple(_critic(mean=mean) for mean in MEANS["rows"][1:])),
    Mistake(_critic(mean=MEANS["sum"][0]),
            "This is a sum. Take the mean over the marked tokens.", "这是总和。请对标出的词元取平均。",
            tuple(_critic(mean=mean, half=half) for mean in MEANS["sum"] for half in (0.5, 1.0))),
    Mistake(_critic(mean=MEANS["responses"][0]),
            "This divides by the number of responses. Divide by the number of marked tokens.",
            "这里除以了回答的条数。应除以被标出的词元个数。",
            tuple(_critic(mean=mean) for mean in MEANS["responses"][1:])),
    Mistake(_critic(mean=MEANS["times"][0]),
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Pick the marked tokens before you compute, "
            "value[mask].",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请先取出标出的词元再计算：value[mask]。"),
    Mistake(_critic(half=-0.5),
            "The sign is wrong: a squared error is minimised as it is.", "符号错了：平方误差本身就是要变小的。"),
    Mistake(other_last(lambda clip: 0.2, _critic()),
            "0.2 is the c of the example. Use the argument `clip`.", "0.2 是例子里的 c。请用参数 `clip`。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (_near(value.detach(), old, clip) - target).square())),
            "The values are right; the clipped error has lost its gradient. Within ± c both errors are equal and "
            "share it: no "
            "detach there.",
            "数值正确，但截断的那个误差没有梯度。在 ± c 之内两者相等，梯度由两者分担：那里不要 detach。",
            (_critic(lambda value, old, target, clip: torch.maximum(
                (value.detach() - target).square(), (_near(value, old, clip) - target).square())),)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (old * (value / old).clamp(1 - clip, 1 + clip) - target).square())),
            "V was kept within a share of the old value, as the ratio in the policy's loss. c is a distance: from "
            "V_old - c to V_old + c.",
            "V 被限制在旧价值的一个比例之内，像策略损失里的概率比那样。c 是距离：从 V_old - c 到 V_old + c。",
            (_relative,)),
    Mistake(lambda *a: 0.5 * (2 * _critic()(*a)).sqrt(),
            "A root was taken of the mean. Half of the mean square is wanted, without a root.",
            "对平均又开了方。要的是均方的一半，不开方。", (lambda *a: (2 * _critic()(*a)).sqrt(),
                                                           lambda *a: _critic()(*a).sqrt())),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (value + (_near(value, old, clip) - value).detach() - target).square())),
            "The values are right, but where V is clipped it still has its gradient: clamp takes it away there, so "
            "that moving further gains nothing. No detach around the difference.",
            "数值正确，但 V 被截断时仍有梯度：clamp 在那里会去掉梯度，再往外移就没有好处了。不要对差值用 detach。"),
    Mistake(_critic(mean=_front_mean),
            "The marks are taken to stand in front of each row. They may have gaps: use the mask itself, not how many "
            "it marks.",
            "这里以为每一行的标记都在最前面。标记可以不连续：要用掩码本身，而不是标记的个数。"),
)
