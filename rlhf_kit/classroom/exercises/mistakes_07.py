"""What goes wrong in lesson 07, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_07 import (
    dpo_loss,
    grpo_loss,
    ipo_loss,
    per_token,
    rloo_advantage,
    teaches,
)
from rlhf_kit.formulas.masked import keep


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 7.1

def _smoothed(delta: Tensor, smoothing: float) -> Tensor:
    return -(1 - smoothing) * logsigmoid(delta) - smoothing * logsigmoid(-delta)


def _margin(change: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
            loss: Callable[[Tensor, float], Tensor] = _smoothed, *, outside: bool = False) -> Callable:
    """DPO with another margin of (chosen, its reference, rejected, its reference), or another loss of β times it."""
    def wrong(chosen: Tensor, ref_chosen: Tensor, rejected: Tensor, ref_rejected: Tensor, beta: float,
              smoothing: float) -> Tensor:
        delta = change(chosen, ref_chosen, rejected, ref_rejected)
        return beta * loss(delta, smoothing).mean() if outside else loss(beta * delta, smoothing).mean()
    return wrong


def _right(chosen: Tensor, ref_chosen: Tensor, rejected: Tensor, ref_rejected: Tensor) -> Tensor:
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def _lost(loss: Callable[[Tensor, float], Tensor]) -> Callable:
    """The right margin, and another loss of it."""
    return _margin(_right, loss)


def _each_pair(*arguments: Tensor | float) -> Tensor:
    chosen, ref_chosen, rejected, ref_rejected, beta, smoothing = arguments
    return _smoothed(beta * _right(chosen, ref_chosen, rejected, ref_rejected), smoothing)


# 7.2

def _met(change: Callable[[Tensor, float], Tensor], of: Callable[[Tensor, Tensor], Tensor] = per_token) -> Callable:
    """`change(difference of log-ratios [B], β)`, where `of` makes one log-ratio of each response."""
    return lambda chosen, chosen_mask, rejected, rejected_mask, beta: change(
        of(chosen, chosen_mask) - of(rejected, rejected_mask), beta)


def _squared(away: Tensor, beta: float) -> Tensor:
    return (away - 1 / (2 * beta)).square().mean()


# 7.3

def _felt(*, z: Callable[[Tensor, Tensor], Tensor | float] = lambda ratio, mismatched: mismatched.mean().clamp(
              min=0).detach(),
          value: Callable[[Tensor, Tensor, float], Tensor] = lambda away, good, beta: torch.sigmoid(
              beta * torch.where(good, away, -away)),
          loss: Callable[[Tensor, Tensor], Tensor] = lambda weight, value: (weight * (1 - value)).mean(),
          exchanged: bool = False) -> Callable:
    """KTO with another reference point of (ratio, mismatched), value of (ratio - z, good, β) or loss."""
    def wrong(ratio: Tensor, mismatched: Tensor, good: Tensor, beta: float, good_weight: float,
              bad_weight: float) -> Tensor:
        weights = (bad_weight, good_weight) if exchanged else (good_weight, bad_weight)
        weight = torch.where(good, ratio.new_tensor(weights[0]), ratio.new_tensor(weights[1]))
        return loss(weight, value(ratio - z(ratio, mismatched), good, beta))
    return wrong


# 7.4, 7.5

def _grouped(change: Callable[[Tensor], Tensor], priced: int = -1) -> Callable:
    """`change(rewards [groups, G])`; drifting is taken off, added (1) or left out (0)."""
    return lambda score, kl, beta, group: change((score + priced * beta * kl).reshape(-1, group)).reshape(-1)


def _others(r: Tensor) -> Tensor:
    return (r.sum(1, keepdim=True) - r) / (r.shape[1] - 1)


def _advantage(above: Callable[[Tensor], Tensor] = lambda r: r - r.mean(1, keepdim=True),
               spread: Callable[[Tensor], Tensor] = lambda r: r.std(1, keepdim=True) + 1e-4,
               when: Callable[[bool], bool] = bool) -> Callable:
    """GRPO's advantage with another difference or divisor of rewards, [groups, G]."""
    def wrong(score: Tensor, group: int, scale: bool) -> Tensor:
        r = score.double().reshape(-1, group)
        return (above(r) / spread(r) if when(scale) else above(r)).reshape(-1).to(score)
    return wrong


# 7.6

def _k3(away: Tensor) -> Tensor:
    return torch.expm1(-away) + away


def _least(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def _each_response(x: Tensor, mask: Tensor) -> Tensor:
    return per_token(x, mask).mean()


def _grpo(*, surrogate: Callable[[Tensor, Tensor, float], Tensor] = _least, penalty: Callable[[Tensor], Tensor] = _k3,
          average: Callable[[Tensor, Tensor], Tensor] = _each_response, against_reference: bool = False,
          late: bool = False) -> Callable:
    """GRPO's loss with another surrogate of (ratio, Â, ε), penalty of log π - log π_ref, or average of tokens."""
    def wrong(logprob: Tensor, old_logprob: Tensor, ref_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float,
              beta: float) -> Tensor:
        now, old, ref = (x if late else keep(x, mask) for x in (logprob, old_logprob, ref_logprob))
        ratio = (now - (ref if against_reference else old)).exp()
        return average(-surrogate(ratio, advantage[:, None], clip) + beta * penalty(now - ref), mask)
    return wrong


def _of_the_response(logprob: Tensor, old_logprob: Tensor, ref_logprob: Tensor, advantage: Tensor, mask: Tensor,
                     clip: float, beta: float) -> Tensor:
    now, old, ref = (keep(x, mask) for x in (logprob, old_logprob, ref_logprob))
    ratio = per_token(now - old, mask).exp()[:, None].expand_as(now)
    return _each_response(-_least(ratio, advantage[:, None], clip) + beta * _k3(now - ref), mask)


def _penalty_of_all(logprob: Tensor, old_logprob: Tensor, ref_logprob: Tensor, advantage: Tensor, mask: Tensor,
                    clip: float, beta: float) -> Tensor:
    now, old, ref = (keep(x, mask) for x in (logprob, old_logprob, ref_logprob))
    return (_each_response(-_least((now - old).exp(), advantage[:, None], clip), mask)
            + beta * _k3(now - ref)[mask].mean())


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "7.1": (
        _named(_margin(lambda c, rc, r, rr: c - r),
               "The reference is missing: DPO compares how much *likelier* each response became, log π - log π_ref.",
               "参考模型丢了：DPO 比的是每条回答变得*多容易*了多少，即 log π - log π_ref。"),
        _named(_margin(lambda c, rc, r, rr: (r - rr) - (c - rc)),
               "The rejected response is pulled up: Δ is chosen minus rejected, and 1 - ε stands before log σ(βΔ).",
               "被拉高的是落选的回答：Δ 是入选的减落选的，log σ(βΔ) 前面是 1 - ε。"),
        _named(_lost(lambda x, e: -(1 - e) * torch.log(torch.sigmoid(x)) - e * torch.log(torch.sigmoid(-x))),
               "log(sigmoid(x)) and log(1 + exp(-x)) break for large numbers: sigmoid becomes 0, exp infinite. Use "
               "logsigmoid.",
               "数很大时 log(sigmoid(x)) 和 log(1 + exp(-x)) 都会坏掉：sigmoid 成了 0，exp 成了无穷大。用 logsigmoid。",
               _lost(lambda x, e: (1 - e) * torch.log(1 + (-x).exp()) + e * torch.log(1 + x.exp()))),
        _named(lambda *a: _each_pair(*a).sum(),
               "This is the sum over the pairs. Take the mean, so that the batch size does not act as a learning rate.",
               "这是对各对求和。要取平均，否则批量大小就成了学习率。"),
        _named(_each_pair, "One number for each pair. Asked is their mean, one number.",
               "每对给了一个数。要的是它们的平均，一个数。"),
        _named(_lost(lambda x, e: -logsigmoid(x)),
               "`smoothing` changes nothing here: a share ε of the labels is taken to be wrong and counts the other "
               "way round.",
               "这里 `smoothing` 不起作用：有 ε 这么多的标签要当成标反了，按相反的方向计。"),
        _named(_margin(_right, outside=True),
               "β stands outside. It multiplies the log-ratios, inside the sigmoid.",
               "β 放在了外面。它在 sigmoid 里面，乘的是对数概率比。"),
        _named(_margin(lambda c, rc, r, rr: (c + rc) - (r + rr)),
               "The reference is added. It is subtracted: log π - log π_ref, for both responses.",
               "参考模型加上去了。应当减：两条回答都是 log π - log π_ref。",
               _margin(lambda c, rc, r, rr: (c - r) + (rc - rr)), _margin(lambda c, rc, r, rr: c - rc - r - rr)),
        _named(_lost(lambda x, e: -_smoothed(x, e)),
               "The sign is wrong: this is the log-likelihood, to be maximised. A loss is minus that.",
               "符号反了：这是要最大化的对数似然。损失是它的相反数。"),
        _named(_lost(lambda x, e: (-(1 - e) * logsigmoid(x) + e * logsigmoid(-x)) / (1 - 2 * e)),
               "This is robust DPO, which corrects for wrong labels. Asked is the smoothed one, (1-ε) and ε, both with "
               "minus.",
               "这是修正错误标签的 robust DPO。这里要的是平滑：(1-ε) 和 ε 两项都带负号。",
               _lost(lambda x, e: -(1 - e) * logsigmoid(x) + e * logsigmoid(-x))),
        _named(_lost(lambda x, e: -logsigmoid((1 - 2 * e) * x)),
               "ε shrinks the margin here. It mixes two losses: (1-ε) of the label as it is, ε of the opposite one.",
               "这里 ε 把差距缩小了。它混的是两个损失：(1-ε) 份按原标签，ε 份按相反的标签。",
               _lost(lambda x, e: -logsigmoid((1 - e) * x))),
        _named(_lost(lambda x, e: -(1 - e) * logsigmoid(x)),
               "The second term is missing: -ε log σ(-βΔ).", "第二项丢了：-ε log σ(-βΔ)。"),
        _named(lambda c, rc, r, rr, beta, smoothing: _smoothed(beta * (c - rc) - (r - rr), smoothing).mean(),
               "β multiplies only one of the two log-ratios. Put brackets around the difference.",
               "β 只乘了两个对数概率比中的一个。要给差加上括号。"),
        _named(lambda c, rc, r, rr, beta, smoothing: _smoothed(_right(c, rc, r, rr), smoothing).mean(),
               "β is missing.", "少了 β。"),
        _named(_lost(lambda x, e: _smoothed(x.mean(), e)),
               "The mean margin is taken first. The logarithm bends: the loss of each pair, then the mean.",
               "先对 Δ 取了平均。对数是弯的：要先算每一对的损失，再平均。"),
        _named(_lost(lambda x, e: (1 - x).clamp(min=0)),
               "This is a hinge: it stops at a margin of 1. log σ never stops, and ε is not used.",
               "这是铰链损失：超过 1 就停了。log σ 不会停，而且没有用到 ε。", _lost(lambda x, e: (-x).clamp(min=0))),
        _named(_lost(lambda x, e: -(1 - e) * torch.sigmoid(x) - e * torch.sigmoid(-x)),
               "The logarithm is missing: it is log σ, not σ.", "少了对数：是 log σ，不是 σ。"),
        _named(lambda c, rc, r, rr, beta, smoothing: dpo_loss(c, rc, r.detach(), rr, beta, smoothing),
               "No gradient reaches one of the two responses. Only the reference is frozen.",
               "有一条回答收不到梯度。冻住的只有参考模型。",
               lambda c, rc, r, rr, beta, smoothing: dpo_loss(c.detach(), rc, r, rr, beta, smoothing)),
    ),
    "7.2": (
        _named(_met(_squared, lambda x, mask: keep(x, mask).sum(1)),
               "These are sums over the tokens. Here, as in TRL, a response counts by its mean over its tokens.",
               "这是对词元求和。这里和 TRL 一样，一条回答取它各词元的平均。"),
        _named(_met(_squared, lambda x, mask: keep(x, mask).mean(1)),
               "The padding is counted in the mean: divide by the number of marked tokens, not by T.",
               "平均时把填充也算进去了：要除以有标记的词元数，不是除以 T。"),
        _named(_met(_squared, lambda x, mask: (x * mask).sum(1) / mask.sum(1)),
               "NaN times 0 is NaN. Take the padding out first: masked_fill or where.",
               "NaN 乘 0 还是 NaN。先把填充去掉：masked_fill 或 where。"),
        _named(_met(_squared, lambda x, mask: x.mean(1)),
               "The masks are not used: the padding is in the mean.", "没有用掩码：填充也进了平均。"),
        _named(_met(lambda x, beta: (x - 1 / beta).square().mean()),
               "The margin is 1/(2β), not 1/β.", "目标差距是 1/(2β)，不是 1/β。"),
        _named(_met(lambda x, beta: (x - beta / 2).square().mean()),
               "1 / 2 * beta is β/2. Write 1 / (2 * beta).", "1 / 2 * beta 是 β/2。要写成 1 / (2 * beta)。",
               _met(lambda x, beta: (x - 2 * beta).square().mean())),
        _named(_met(lambda x, beta: (beta * x - 1 / (2 * beta)).square().mean()),
               "β stands in the target only: the log-ratios themselves are not multiplied by it.",
               "β 只在目标里：对数概率比本身不乘它。", _met(lambda x, beta: (beta * x - 0.5).square().mean())),
        _named(_met(lambda x, beta: (1 / (2 * beta) - x).clamp(min=0).square().mean()),
               "A margin that is exceeded costs nothing here. IPO wants it *met*: too much is squared as well.",
               "超过目标差距，这里不收钱。IPO 要的是*正好*：超出的也要平方。",
               _met(lambda x, beta: (1 / (2 * beta) - x).clamp(min=0).mean())),
        _named(_met(lambda x, beta: (x.mean() - 1 / (2 * beta)).square()),
               "The mean over the pairs is taken before the square. Each pair has its own square.",
               "先对各对取了平均再平方。每一对要各自平方。"),
        _named(lambda c, m, r, n, beta: ipo_loss(r, n, c, m, beta),
               "Chosen and rejected are exchanged.", "入选和落选弄反了。",
               _met(lambda x, beta: (x + 1 / (2 * beta)).square().mean())),
        _named(_met(lambda x, beta: (x - 1 / (2 * beta)).square().sum()),
               "This is the sum over the pairs. Take the mean.", "这是对各对求和。要取平均。"),
        _named(_met(lambda x, beta: (x - 1 / (2 * beta)).abs().mean()),
               "The distance is not squared.", "差距没有平方。"),
        _named(_met(lambda x, beta: x.square().mean()),
               "The target 1/(2β) is missing: this pulls both responses together.",
               "目标 1/(2β) 丢了：这样会把两条回答拉到一起。"),
        _named(lambda c, m, r, n, beta: (c[m].mean() - r[n].mean() - 1 / (2 * beta)).square(),
               "All tokens of the batch are averaged at once. Each response has a mean of its own.",
               "把整批的词元一起平均了。每条回答要有自己的平均。"),
        _named(_met(lambda x, beta: (x - 1 / (2 * beta)).square().mean().sqrt()),
               "A root is taken of the mean. It is the mean of the squares itself.",
               "对平均又开了方。要的就是平方的平均。"),
        _named(_met(lambda x, beta: (x - 1 / (2 * beta)).square().mean(), lambda x, mask: x[:, 0]),
               "Only the first token of each response counts. It is the mean over all marked ones.",
               "只算了每条回答的第一个词元。要对所有标记的取平均。"),
        _named(_met(lambda x, beta: (x - 1 / (2 * beta)).square()),
               "One number for each pair. Asked is their mean.", "每对给了一个数。要的是它们的平均。"),
        _named(lambda c, m, r, n, beta: _squared((keep(c, m).sum(1) - keep(r, n).sum(1)) / m.sum(1), beta),
               "Both are divided by the length of the chosen response. Each has a length of its own.",
               "两条都除以了入选回答的长度。各有各的长度。"),
    ),
    "7.3": (
        _named(_felt(z=lambda ratio, mismatched: 0.0),
               "The reference point is missing: gains and losses are felt against z, from `mismatched`.",
               "参照点丢了：得失要和 z 比，z 来自 `mismatched`。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.mean().detach()),
               "z may not fall below 0: it estimates a KL. max(0, mean).",
               "z 不能小于 0：它估计的是 KL。要 max(0, 平均)。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.clamp(min=0).mean().detach()),
               "Each log-ratio is cut at 0 before the mean. Cut the mean itself.",
               "先把每个对数概率比截在 0 再平均了。该截的是平均本身。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.mean().clamp(min=0)),
               "A gradient flows into z. It is a point to compare with, not something to learn: detach it.",
               "梯度流进了 z。它是用来比较的点，不是要学的东西：要 detach。"),
        _named(_felt(z=lambda ratio, mismatched: ratio.mean().clamp(min=0).detach()),
               "z is taken from the responses themselves. It is the mean over `mismatched`.",
               "z 取自这些回答自己。它是 `mismatched` 的平均。",
               _felt(z=lambda ratio, mismatched: ratio.mean().clamp(min=0)),
               _felt(z=lambda ratio, mismatched: ratio.mean().detach())),
        _named(_felt(value=lambda away, good, beta: torch.sigmoid(beta * torch.where(good, -away, away))),
               "Good and bad are exchanged, or v stands where 1 - v should: this makes good responses rarer.",
               "好坏弄反了，或者该写 1 - v 的地方写了 v：这样好回答会变少。"),
        _named(_felt(value=lambda away, good, beta: torch.sigmoid(beta * away)),
               "Bad responses are pulled up as well: for them v = σ(β(z - d)).",
               "坏回答也被拉高了：坏的 v = σ(β(z - d))。"),
        _named(_felt(exchanged=True), "The two weights are exchanged: `good_weight` is that of good responses.",
               "两个权重弄反了：`good_weight` 是好回答的。"),
        _named(_felt(loss=lambda weight, value: -(weight * value).mean()),
               "The 1 of 1 - v is missing: the gradient is the same, the loss is not.",
               "1 - v 的 1 丢了：梯度一样，损失不一样。"),
        _named(_felt(value=lambda away, good, beta: logsigmoid(beta * torch.where(good, away, -away)),
                     loss=lambda weight, value: -(weight * value).mean()),
               "This is -log v. KTO takes 1 - v, which hardly pulls at a response that is hopeless.",
               "这是 -log v。KTO 用 1 - v，对没有指望的回答几乎不再拉。"),
        _named(_felt(loss=lambda weight, value: (weight * (1 - value)).sum() / weight.sum()),
               "It is divided by the sum of the weights. Divide by the number of responses.",
               "除的是权重之和。应当除以回答的条数。"),
        _named(_felt(loss=lambda weight, value: (weight * (1 - value)).sum()),
               "This is the sum over the responses. Take the mean.", "这是对各条回答求和。要取平均。"),
        _named(_felt(loss=lambda weight, value: (1 - value).mean()),
               "The weights are not used.", "没有用到权重。"),
        _named(_felt(value=lambda away, good, beta: torch.sigmoid(torch.where(good, away, -away))),
               "β is missing inside the sigmoid.", "sigmoid 里少了 β。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.mean().abs().detach()),
               "A negative mean becomes 0, not positive: clamp, no abs.",
               "平均为负时变成 0，不是变成正的：用 clamp，不是 abs。"),
        _named(lambda ratio, mismatched, good, beta, good_weight, bad_weight: _felt(
                   z=lambda ratio, mismatched: 0.0)(ratio - torch.where(good, 1, -1) * mismatched.mean().clamp(
                       min=0).detach(), mismatched, good, beta, good_weight, bad_weight),
               "For bad responses z has the wrong sign: it is z - d, not -d - z.",
               "坏回答的 z 符号反了：是 z - d，不是 -d - z。"),
        _named(_felt(z=lambda ratio, mismatched: -mismatched.mean().clamp(min=0).detach()),
               "z is added. Good responses have d - z, bad ones z - d.", "z 加上去了。好的是 d - z，坏的是 z - d。"),
        _named(_felt(loss=lambda weight, value: (1 - weight * value).mean()),
               "The weight stands before v only. It is weight · (1 - v).", "权重只乘了 v。应当是 权重 · (1 - v)。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.clamp(min=0).detach()),
               "Each response is held against its own mismatched log-ratio. z is one number, their mean.",
               "每条回答各和自己那个错配的对数概率比去比了。z 是一个数，是它们的平均。",
               _felt(z=lambda ratio, mismatched: mismatched.detach())),
        _named(lambda ratio, mismatched, good, beta, good_weight, bad_weight: sum(
                   (_felt()(ratio[kind], mismatched.mean()[None], good[kind], beta, good_weight, bad_weight)
                    for kind in (good, ~good) if kind.any()), torch.zeros(())) / 2,
               "Good and bad are averaged apart. Divide by the number of all responses.",
               "好坏分开平均了。应当除以全部回答的条数。"),
        _named(lambda ratio, mismatched, good, beta, good_weight, bad_weight: _felt(z=lambda r, m: m.mean().clamp(
                   min=0).detach() / beta)(ratio, mismatched, good, beta, good_weight, bad_weight),
               "β multiplies d only. It multiplies d - z.", "β 只乘了 d。它乘的是 d - z。"),
        _named(_felt(z=lambda ratio, mismatched: mismatched.median().clamp(min=0).detach()),
               "z is the median. It is the mean.", "z 用了中位数。应当是平均。"),
        _named(_felt(loss=lambda weight, value: (weight - value).mean()),
               "This is λ - v. The weight multiplies all of it: λ (1 - v).", "这是 λ - v。权重要乘整个：λ (1 - v)。"),
    ),
    "7.4": (
        _named(_grouped(lambda r: r - r.mean(1, keepdim=True)),
               "Each response is compared with a mean that holds itself. Leave it out: the mean of the G - 1 others.",
               "每条回答比的平均里含有它自己。要把它留在外面：取其余 G - 1 条的平均。"),
        _named(_grouped(lambda r: r - _others(r), 0),
               "The KL is missing: what is compared is score - β · KL.", "KL 丢了：拿来比的是 得分 - β · KL。"),
        _named(_grouped(lambda r: r - _others(r), 1),
               "Drifting is paid for: β · KL is taken off the score.", "偏离反而得奖：β · KL 要从得分里减掉。"),
        _named(lambda score, kl, beta, group: rloo_advantage(score, kl, beta, len(score)),
               "Each response is compared with the whole batch. Only answers to the same prompt count.",
               "每条回答和整批比了。只能和同一个提示的回答比。"),
        _named(lambda score, kl, beta, group: _grouped(lambda r: r - _others(r))(
                   *(x.reshape(group, -1).T.reshape(-1) for x in (score, kl)), beta, group).reshape(
                       -1, group).T.reshape(-1),
               "The groups are cut the wrong way: the answers to one prompt stand side by side, so reshape(-1, group).",
               "分组切错了方向：同一个提示的回答是挨着的，要 reshape(-1, group)。",
               lambda score, kl, beta, group: (lambda r: r - (r.sum(0) - r) / max(len(r) - 1, 1))(
                   (score - beta * kl).reshape(-1, group)).reshape(-1)),
        _named(_grouped(lambda r: (r - _others(r)) / (r.std(1, keepdim=True) + 1e-4)),
               "The result is divided by a standard deviation. That is GRPO; RLOO leaves the scale as it is.",
               "结果除了标准差。那是 GRPO；RLOO 不动尺度。",
               _grouped(lambda r: (r - _others(r)) / (r.std(1, keepdim=True) + 1e-8)),
               _grouped(lambda r: (r - r.mean(1, keepdim=True)) / (r.std(1, keepdim=True) + 1e-4))),
        _named(_grouped(lambda r: r - (r.sum(1, keepdim=True) - r) / r.shape[1]),
               "The sum of the others is divided by G. There are G - 1 of them.",
               "其余各条之和除的是 G。它们只有 G - 1 条。"),
        _named(_grouped(lambda r: r - r.sum(1, keepdim=True) / (r.shape[1] - 1)),
               "The sum of all G, its own among them, is divided by G - 1. Take its own out of the sum first.",
               "把包括自己在内的 G 条之和除以了 G - 1。先从和里减去自己。"),
        _named(_grouped(lambda r: r - torch.stack([torch.cat([r[:, :i], r[:, i + 1:]], 1).median(1).values
                                                   for i in range(r.shape[1])], 1)),
               "The median of the others is subtracted. Take their mean.", "减的是其余几条的中位数。要减它们的平均。"),
        _named(_grouped(lambda r: r - r.roll(1, 1)),
               "Each answer is compared with one other. Take the mean of all others.",
               "每条只和另一条比了。要减其余各条的平均。", _grouped(lambda r: r - r.roll(-1, 1))),
        _named(_grouped(_others), "This is the baseline. The advantage is the reward *less* it.",
               "这是基线。优势是奖励*减去*它。", _grouped(lambda r: _others(r) - r)),
        _named(lambda score, kl, beta, group: _grouped(lambda r: r - _others(r), 0)(
                   score, kl, beta, group) - beta * kl,
               "The KL is taken off after the comparison. It belongs to the reward: the others' drift counts as well.",
               "KL 是比完之后才减的。它属于奖励：别的回答的偏离也要算。"),
        _named(lambda score, kl, beta, group: _grouped(lambda r: r - _others(r), 0)(score, kl, beta, group)
               - beta * kl.clamp(min=0),
               "A KL of one response may be negative, and then it is a bonus: do not clamp it.",
               "单条回答的 KL 可以是负的，那就是加分：不要截断。",
               lambda score, kl, beta, group: rloo_advantage(score, kl.clamp(min=0), beta, group),
               lambda score, kl, beta, group: rloo_advantage(score, kl.abs(), beta, group)),
        _named(_grouped(lambda r: (r - r.mean(1, keepdim=True)) * (r.shape[1] - 1) / r.shape[1]),
               "The factor is upside down: it is G / (G - 1).", "系数反了：是 G / (G - 1)。"),
        _named(_grouped(lambda r: r - torch.stack([torch.cat([r[:, :i], r[:, i + 1:]], 1).amax(1)
                                                   for i in range(r.shape[1])], 1)),
               "The best of the others is subtracted. Take their mean.", "减的是其余几条里最好的。要减它们的平均。"),
    ),
    "7.5": (
        _named(_advantage(spread=lambda r: r.std(1, keepdim=True, correction=0) + 1e-4),
               "The standard deviation divides by G. TRL's divides by G - 1, which is torch's default.",
               "标准差除的是 G。TRL 的除以 G - 1，也就是 torch 的默认。"),
        _named(_advantage(when=lambda scale: True),
               "`scale` changes nothing: the deviation is always divided by. Dr. GRPO leaves it out.",
               "`scale` 不起作用：总是除以标准差。Dr. GRPO 不除。"),
        _named(_advantage(when=lambda scale: False),
               "`scale` changes nothing: it is never divided by the deviation.",
               "`scale` 不起作用：从来没有除以标准差。"),
        _named(_advantage(spread=lambda r: r.std(1, keepdim=True)),
               "1e-4 is missing: where all of a group score alike this is 0 / 0.",
               "少了 1e-4：一组得分全都相同时是 0 / 0。", _advantage(spread=lambda r: r.std(1, keepdim=True) + 1e-8)),
        _named(_advantage(spread=lambda r: r.std(1, keepdim=True).clamp(min=1e-4)),
               "1e-4 is the least that the divisor can be here. It is *added* to the deviation.",
               "这里 1e-4 是除数的下限。应当把它*加*到标准差上。"),
        _named(_advantage(spread=lambda r: r.amax(1, keepdim=True) - r.amin(1, keepdim=True) + 1e-4),
               "This divides by the range, highest less lowest. It is the standard deviation.",
               "除的是极差，最高减最低。应当是标准差。"),
        _named(_advantage(spread=lambda r: (r.var(1, correction=0, keepdim=True) + 1e-5).sqrt()),
               "This is layer_norm's divisor: by G, with a small number under the root. Divide by s + 1e-4, s by G - "
               "1.",
               "这是 layer_norm 的除数：除以 G，根号里加小数。应当除以 s + 1e-4，s 除的是 G - 1。"),
        _named(_advantage(spread=lambda r: r.std() + 1e-4),
               "The deviation is that of the whole batch. GRPO takes that of each group.",
               "用了整批的标准差。GRPO 用的是每一组自己的。"),
        _named(_advantage(above=lambda r: r - r.mean()),
               "The mean is that of the whole batch: then answers to an easy prompt all look good.",
               "用了整批的平均：这样，容易的提示，回答全都显得好。",
               _advantage(lambda r: r - r.mean(), lambda r: r.std() + 1e-4)),
        _named(_advantage(above=lambda r: r - _others(r)),
               "This leaves the response itself out, as RLOO does. GRPO's mean is that of the whole group.",
               "这里把回答自己留在了外面，那是 RLOO。GRPO 的平均是整组的。"),
        _named(_advantage(spread=lambda r: r.var(1, keepdim=True) + 1e-4),
               "This divides by the variance. Divide by its root, the standard deviation.",
               "除的是方差。要除它的平方根，标准差。"),
        _named(_advantage(when=lambda scale: not scale),
               "`scale` is taken the other way round: True divides.", "`scale` 用反了：True 才除。"),
        _named(_advantage(spread=lambda r: (r.var(1, keepdim=True) + 1e-4).sqrt()),
               "1e-4 stands under the root. It is added to the deviation.", "1e-4 放到了根号里。它是加在标准差上的。"),
        _named(_advantage(above=lambda r: r), "Nothing is subtracted: the mean of the group is missing.",
               "什么都没有减：少了一组的平均。"),
        _named(_advantage(above=lambda r: r.mean(1, keepdim=True) - r),
               "The sign is wrong: a good response must have a positive advantage.",
               "符号反了：好回答的优势应当是正的。"),
        _named(_advantage(lambda r: (lambda k: k - k.mean(1, keepdim=True))(r.argsort(1).argsort(1).double()),
                          lambda r: r.argsort(1).argsort(1).double().std(1, keepdim=True) + 1e-4),
               "Ranks stand in for the scores. Take the scores themselves.", "用名次代替了得分。要用得分本身。"),
        _named(lambda score, group, scale: (lambda r: ((r - r.mean(0)) / (r.std(0) + 1e-4) if scale else
                                                       r - r.mean(0)).reshape(-1))(score.reshape(group, -1)),
               "The groups are cut the wrong way: the answers to one prompt stand side by side, so reshape(-1, group).",
               "分组切错了方向：同一个提示的回答是挨着的，要 reshape(-1, group)。"),
        _named(_advantage(lambda r: r - r.median(1, keepdim=True).values),
               "The median is subtracted. Take the mean.", "减的是中位数。要减平均。"),
        _named(lambda score, group, scale: _advantage(lambda r: r if scale else r - r.mean(1, keepdim=True))(
                   score, group, scale),
               "With `scale` the mean is not subtracted.", "`scale` 为 True 时没有减平均。"),
    ),
    "7.6": (
        _named(_grpo(average=lambda x, mask: x[mask].mean()),
               "This is the mean over all tokens of the batch (DAPO). GRPO first takes the mean of each response, so "
               "that all responses count alike.",
               "这是整批全部词元的平均（DAPO）。GRPO 先对每条回答取平均，各条回答一样重。"),
        _named(_grpo(average=lambda x, mask: keep(x, mask).sum(1).mean()),
               "The tokens of a response are summed. Divide by how many of them are marked.",
               "一条回答的词元是求和的。要除以其中有标记的个数。"),
        _named(_grpo(average=lambda x, mask: keep(x, mask).mean()),
               "The padding counts as tokens: divide by the marked ones of each response.",
               "填充也当成词元计了：要除以每条回答里有标记的个数。"),
        _named(_grpo(penalty=lambda away: away),
               "This is k1. In a loss it pulls at nothing on average; GRPO takes k3.",
               "这是 k1。放进损失，平均下来什么都不拉；GRPO 用 k3。"),
        _named(_grpo(penalty=lambda away: away.square() / 2), "This is k2. GRPO takes k3 = r - 1 - log r.",
               "这是 k2。GRPO 用 k3 = r - 1 - log r。"),
        _named(_grpo(penalty=lambda away: _k3(-away)),
               "In k3 the ratio is upside down: r = π_ref / π.", "k3 里的比反了：r = π_ref / π。"),
        _named(_grpo(penalty=lambda away: -_k3(away)),
               "The penalty has the wrong sign: drifting must cost.", "惩罚的符号反了：偏离是要扣的。"),
        _named(_grpo(against_reference=True),
               "The ratio is taken against the reference. It is against the policy that drew, `old_logprob`.",
               "概率比是和参考模型比的。应当和采样时的策略 `old_logprob` 比。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: ratio * a),
               "Nothing is clipped.", "没有截断。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)),
               "The larger of the two is taken. The objective is the smaller one, with the minus before it.",
               "取了两者中大的。目标取小的，再在前面加负号。"),
        _named(_grpo(penalty=lambda away: _k3(away.detach())),
               "No gradient flows through the penalty: then it is a number in the log and holds nothing.",
               "梯度没有流过惩罚：那它只是日志里的一个数，什么也拉不住。"),
        _named(_grpo(late=True, average=lambda x, mask: (torch.where(mask, x, 0.0).sum(1) / mask.sum(1)).mean()),
               "The values are right, and NaN from the padding comes back in the gradient: fill the log-probabilities "
               "first, not the result.",
               "值是对的，但填充里的 NaN 从梯度里回来了：先填对数概率，不要等到最后填结果。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: ratio.clamp(1 - clip, 1 + clip) * a),
               "Only the clipped ratio is used. The smaller of the two counts: a ratio that went the wrong way keeps "
               "its gradient.",
               "只用了截断过的比。应当取两者中小的：比走错了方向时，梯度还要留着。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: -_least(ratio, a, clip)),
               "The sign is wrong: a loss falls where the advantage is positive and the response becomes likelier.",
               "符号反了：优势为正而回答变得更容易时，损失应当下降。"),
        _named(lambda logprob, old, ref, advantage, mask, clip, beta: grpo_loss(logprob, old, ref, advantage, mask,
                                                                                clip, 0.0),
               "The penalty β · k3 is missing.", "少了惩罚 β · k3。"),
        _named(lambda *a: -grpo_loss(*a), "This is the objective, to be maximised. A loss is minus that.",
               "这是要最大化的目标。损失是它的相反数。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: _least(1 / ratio, a, clip)),
               "The ratio of the surrogate is upside down: it is π / π_old.", "概率比反了：是 π / π_old。"),
        _named(lambda logprob, old, ref, advantage, mask, clip, beta: grpo_loss(logprob, old, old, advantage, mask,
                                                                                clip, beta),
               "k3 is taken against the old policy. It measures the drift from the reference.",
               "k3 是和采样时的策略比的。它量的是离参考模型多远。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(max=1 + clip) * a)),
               "The ratio is clipped above only. It is clipped at 1 - ε, too.", "概率比只截了上面。1 - ε 那边也要截。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: torch.minimum(
                   ratio * a, ratio.log().clamp(-clip, clip).exp() * a)),
               "The *logarithm* of the ratio is clipped at ±ε. The ratio itself is, at 1 - ε and 1 + ε.",
               "截的是概率比的*对数*，在 ±ε。要截概率比本身，在 1 - ε 和 1 + ε。"),
        _named(_grpo(surrogate=lambda ratio, a, clip: _least(ratio, a.flatten().repeat(ratio.shape[1]).reshape(
                   ratio.shape), clip)),
               "Advantages are laid out token by token, so responses get each other's: `advantage[:, None]`.",
               "优势按词元铺开了，各条回答拿到了别人的：用 `advantage[:, None]`。"),
        _named(_of_the_response, "One ratio stands for a whole response. Each token has its own.",
               "整条回答只用了一个概率比。每个词元有自己的。"),
        _named(_penalty_of_all,
               "The penalty is one mean over all tokens. It belongs into x: a mean of each response first.",
               "惩罚对所有词元一起平均了。它在 x 里面：先在每条回答里平均。"),
        _named(_grpo(average=lambda x, mask: (keep(x, mask).sum(1) / mask.sum(1).max()).mean()),
               "Every response is divided by the longest one's length. Each has its own.",
               "每条回答都除以了最长那条的长度。应当除以各自的长度。"),
    ),
    "7.7": (
        _named(lambda p, group: 1 - (1 - p) ** group,
               "A group that is all right is counted. It teaches nothing either: all advantages are 0.",
               "全对的组也算进去了。它同样什么都教不了：优势全是 0。"),
        _named(lambda p, group: 1 - teaches(p, group),
               "This is the share that teaches nothing: 1 less it.", "这是什么都教不了的比例：要用 1 减。"),
        _named(lambda p, group: 2 * p * (1 - p), "This is right for two answers only: `group` is not used.",
               "只有两条回答时才对：没有用到 `group`。"),
        _named(lambda p, group: p * (1 - p), "This is the variance of one answer. Asked is a probability of the group.",
               "这是一条回答的方差。要的是整组的概率。", lambda p, group: group * p * (1 - p)),
        _named(lambda p, group: 1 - p ** group,
               "A group that is all wrong is counted. It teaches nothing either.",
               "全错的组也算进去了。它同样什么都教不了。"),
        _named(lambda p, group: group * p * (1 - p) ** (group - 1),
               "Exactly one right answer. Any mixture teaches: 1 to G - 1 right ones.",
               "这是恰好对一条。只要有对有错就能教：对 1 到 G - 1 条。"),
        _named(lambda p, group: (1 - p ** group) * (1 - (1 - p) ** group),
               "The two are not independent: a group cannot be all right and all wrong. Subtract both from 1.",
               "两件事不独立：一组不可能既全对又全错。要从 1 里把两者都减掉。"),
        _named(lambda p, group: 1 - p ** group * (1 - p) ** group,
               "The two are not to be multiplied: subtract both from 1.", "两者不该相乘：要从 1 里把两者都减掉。"),
        _named(lambda p, group: p * (1 - p ** (group - 1)),
               "The first one right, some other wrong. The first may be wrong, and another right.",
               "第一条对、别的有错。也可能第一条错、别的有对。"
               "", lambda p, group: (1 - p) * (1 - (1 - p) ** (group - 1))),
        _named(lambda p, group: 1 - p ** (group - 1) - (1 - p) ** (group - 1),
               "The power is G - 1. All G answers have to be alike: G.", "指数用了 G - 1。全部 G 条都一样才算：是 G。"),
        _named(lambda p, group: (group * (group - 1) * p * (1 - p)).clamp(max=1),
               "This counts pairs that differ. Asked is how likely there is at least one.",
               "这是在数不同的对。问的是至少有一对的概率。", lambda p, group: group * (group - 1) * p * (1 - p)),
        _named(lambda p, group: 1 - 0.5 ** (group - 1) + 0 * p,
               "`p` is not used: a question is not solved half the time.", "没有用到 `p`：题目不一定是对错各半。"),
    ),
}
