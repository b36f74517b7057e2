"""Lesson 01, sentiment PPO: where a response ends, what a token earns, who deserves the credit, and the clip."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.formulas import advantages, kl_penalty, losses
from rlhf_kit.formulas.masked import count, keep


def response_mask(ids: Tensor, eos: int) -> Tensor:
    """True on the tokens of each response, its first EOS included; the whole row where there is none."""
    ended = (ids == eos).long().cumsum(-1)
    return (ended - (ids == eos).long()) == 0


def token_reward(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """-β · (log π - log π_ref) on every marked token, plus the score on the last one; 0 elsewhere."""
    return kl_penalty.token_reward(score, logprob, ref_logprob, mask, beta)


def gae(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimation; nothing behind the last marked token counts."""
    return advantages.gae(reward, value, mask, gamma, lam)[0]


def whiten(advantage: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 (n - 1 in the denominator) over the marked tokens of the whole batch; 0 elsewhere."""
    return advantages.whiten(advantage, mask)


def clipped_policy(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
    """PPO's clipped objective, as a loss."""
    return losses.clipped_policy(logprob, old_logprob, advantage, mask, clip)


def adapt(beta: float, kl: float, target: float, n: int, horizon: int) -> float:
    """β · (1 + e · n / horizon), where e = KL / target - 1, cut off at ±0.2."""
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon)


def _mask(rows: int, columns: int, g: torch.Generator) -> Tensor:
    lengths = torch.randint(1, columns, (rows, 1), generator=g)
    lengths[0] = columns                                               # one row is full, the others are not
    return torch.arange(columns)[None] < lengths


def _ids(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    drawn = [Case((torch.randint(1, 5, (4, 8), generator=g), 2), "random") for _ in range(4)]
    return [Case((torch.tensor([[5, 7, 9]]), 2), "no EOS"), Case((torch.tensor([[2, 2, 2, 2]]), 2), "EOS first"),
            Case((torch.tensor([[5, 2, 7, 2]]), 2), "an EOS behind the end"),
            Case((torch.tensor([[5, 0, 7, 2, 0]]), 2), "token 0 is a word"),
            Case((torch.tensor([[5, 7, 2, 0], [2, 5, 0, 0]]), 2), "two rows"), *drawn]


def _rewards(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    garbage = torch.tensor([[True, True, False]])
    cases = [Case((torch.tensor([[-1.0, -2.0, 50.0]]), torch.tensor([[-1.2, -1.5, -50.0]]), torch.tensor([2.0]),
                   garbage, 0.1), "garbage in the padding"),
             Case((torch.tensor([[-1.0, -2.0, -torch.inf]]), torch.tensor([[-1.2, -1.5, -torch.inf]]),
                   torch.tensor([2.0]), garbage, 0.1), "-inf in the padding"),
             Case((torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor([2.0, -1.0]), torch.ones(2, 3).bool(), 0.1),
                  "two scores")]
    return cases + [Case((draw(3, 6) - 2, draw(3, 6) - 2, draw(3), _mask(3, 6, g), 0.2), "random") for _ in range(3)]


def _credit(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    cases = [Case((torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.4, 0.6]]), torch.ones(1, 3).bool(), 0.9, 0.8),
                  "γ below 1"),
             Case((torch.tensor([[0.0, 1.0, 9.0]]), torch.tensor([[0.2, 0.4, 9.0]]),
                   torch.tensor([[True, True, False]]), 1.0, 0.95), "garbage in the padding")]
    return cases + [Case((draw(3, 6), draw(3, 6), _mask(3, 6, g), 0.97, 0.9), "random") for _ in range(3)]


def _advantages(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    cases = [Case((torch.tensor([[1.0, 1.2], [0.1, 0.2]]), torch.ones(2, 2).bool()), "a good and a bad response"),
             Case((torch.tensor([[1.0, 2.0, 100.0]]), torch.tensor([[True, True, False]])), "garbage in the padding")]
    return cases + [Case((draw(4, 6) * 3 + 1, _mask(4, 6, g)), "random") for _ in range(3)]


def _ratios(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    old, sure = torch.full((1, 4), -2.0), torch.ones(1, 4).bool()
    ratio = torch.tensor([[0.5, 1.0, 1.2, 1.5]]).log()
    cases = [Case((old + ratio, old, torch.ones(1, 4), sure, 0.2), "Â = +1, ratios .5 1 1.2 1.5", (0,)),
             Case((old + ratio, old, -torch.ones(1, 4), sure, 0.2), "Â = -1, ratios .5 1 1.2 1.5", (0,)),
             Case((old + ratio, old, torch.tensor([[1.0, 1.0, 1.0, 99.0]]),
                   torch.tensor([[True, True, True, False]]), 0.2), "garbage in the padding", (0,)),
             Case((old + ratio, old, torch.ones(1, 4), sure, 0.05), "a narrow clip", (0,))]
    for _ in range(3):
        old = draw(3, 6) - 3
        cases.append(Case((old + 0.3 * draw(3, 6), old, draw(3, 6), _mask(3, 6, g), 0.2), "random", (0, 2)))
    return cases


def _prices(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    pick = lambda low, high: low + (high - low) * torch.rand((), generator=g).item()            # noqa: E731
    return [Case((0.2, 12.0, 6.0, 256, 10_000), "far above"), Case((0.2, 3.0, 6.0, 256, 10_000), "far below"),
            Case((0.2, 6.0, 6.0, 256, 10_000), "on target"), Case((0.05, -1.0, 6.0, 64, 2_000), "a negative estimate"),
            *(Case((pick(0.01, 0.5), pick(0.0, 20.0), pick(2.0, 8.0), 64, 10_000), "random") for _ in range(6))]


def _no_clip(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
    return losses.clipped_policy(logprob, old_logprob, advantage, mask, math.inf)


def _both(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    ratio = (logprob - old_logprob).exp()
    return ratio * advantage.detach(), ratio.clamp(1 - clip, 1 + clip) * advantage.detach()


def _mean(x: Tensor, mask: Tensor) -> Tensor:
    return keep(x, mask).sum() / count(mask)


def _gae(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float, decay: float) -> Tensor:
    """GAE with γ in the TD error and `decay` in the recursion, to make the mistakes from."""
    return sum((decay * lam) ** k * _shifted(_td(reward, value, mask, gamma), k) for k in range(reward.shape[1])) * mask


def _td(reward: Tensor, value: Tensor, mask: Tensor, gamma: float) -> Tensor:
    reward, value = keep(reward, mask), keep(value, mask)
    return reward + gamma * _shifted(value, 1) - value


def _shifted(x: Tensor, k: int) -> Tensor:
    return torch.cat([x[:, k:], torch.zeros_like(x[:, :k])], dim=1)


def _unmasked(f):
    """The same formula, blind to the mask."""
    return lambda *a: f(*(torch.ones_like(x) if isinstance(x, Tensor) and x.dtype == torch.bool else x for x in a))


EXERCISES = (
    Exercise("1.1", "response_mask", ("ids", "eos"), response_mask,
             Case((torch.tensor([[5, 7, 2, 0], [4, 2, 0, 0]]), 2)), _ids, (
        Mistake(lambda ids, eos: ids != 0,
                "This finds the end by token 0. Which token fills the padding is a habit, and GPT-2 fills with EOS: "
                "the end is where the first EOS stands.",
                "这样靠词元 0 判断结尾。用哪个词元填充只是习惯，GPT-2 就用 EOS 填充：结尾要看第一个 EOS。"),
        Mistake(lambda ids, eos: ((ids == eos).flip(-1).cumsum(-1).flip(-1) > 0) | ~(ids == eos).any(-1, keepdim=True),
                "This runs to the last EOS. A response ends with the first; what stands behind is padding.",
                "这样一直到最后一个 EOS。回答到第一个 EOS 为止，后面都是填充。"),
        Mistake(lambda ids, eos: torch.arange(ids.shape[1])[None] <= (ids == eos).long().argmax(-1, keepdim=True),
                "A row without EOS lost its tokens: argmax of nothing but zeros is 0. Such a response was cut off, and "
                "all of it counts.",
                "没有 EOS 的那一行丢了词元：全是 0 时 argmax 等于 0。这样的回答是被截断的，整行都算。"),
        Mistake(lambda ids, eos: (ids == eos).long().cumsum(-1) == 0,
                "The EOS itself is missing. Stopping is an action: leave it out, and the policy never learns to stop.",
                "EOS 本身没有算进去。停下也是一个动作：漏掉它，策略就学不会停。"),
        Mistake(lambda ids, eos: ids != eos,
                "Every EOS is left out, and what stands behind the first one is kept. It should be the other way "
                "round.",
                "这样去掉了所有 EOS，却留下了第一个 EOS 之后的词元。应当反过来。"),
        ), points=1),
    Exercise("1.2", "token_reward", ("logprob", "ref_logprob", "score", "mask", "beta"), token_reward,
             Case((torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.2, -1.5, -0.5]]), torch.tensor([2.0]),
                   torch.ones(1, 3, dtype=torch.bool), 0.1)), _rewards, (
        Mistake(_unmasked(token_reward),
                "The mask is not used: the score landed in the last column and padding is priced. The score belongs to "
                "the last *marked* token, and padding earns 0.",
                "没有用掩码：得分落在最后一列，填充位置也被扣了分。得分属于最后一个*被标出*的词元，填充处应为 0。"),
        Mistake(lambda logprob, ref_logprob, score, mask, beta:
                keep(-beta * (logprob - ref_logprob), mask)
                + torch.nn.functional.one_hot(torch.tensor(mask.shape[1] - 1), mask.shape[1]) * score[:, None],
                "The score stands in the last column, where shorter responses have padding. Put it on the last marked "
                "token, mask.sum(-1) - 1.",
                "得分放在了最后一列，短回答在那里只有填充。应放在最后一个被标出的词元上：mask.sum(-1) - 1。"),
        Mistake(lambda logprob, ref_logprob, score, mask, beta:
                token_reward(logprob, ref_logprob, score[:1].expand(len(score)), mask, beta),
                "Every response got the first one's score.", "每条回答得到的都是第一条的分数。"),
        Mistake(lambda logprob, ref_logprob, score, mask, beta:
                -beta * (logprob - ref_logprob) * mask
                + torch.nn.functional.one_hot(mask.sum(-1) - 1, mask.shape[1]) * score[:, None],
                "Multiplying by the mask is not enough: 0 · NaN is NaN. Use torch.where(mask, ..., 0.0).",
                "乘上掩码还不够：0 · NaN 仍是 NaN。请用 torch.where(mask, ..., 0.0)。"),
        Mistake(lambda logprob, ref_logprob, score, mask, beta:
                token_reward(ref_logprob, logprob, score, mask, beta),
                "The price has the wrong sign: a token that the policy likes more than the reference does must cost.",
                "代价的符号反了：策略比参考模型更偏爱的词元应当扣分。"),
        ), points=2),
    Exercise("1.3", "gae", ("reward", "value", "mask", "gamma", "lam"), gae,
             Case((torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.4, 0.6]]), torch.ones(1, 3).bool(), 1.0,
                   0.95)), _credit, (
        Mistake(_unmasked(gae),
                "What stands in the padding leaked into real tokens. Behind the last marked token there is no value "
                "and no reward.",
                "填充位置的数漏进了真实的词元。最后一个被标出的词元之后，价值和奖励都不存在。"),
        Mistake(lambda reward, value, mask, gamma, lam: _gae(reward, value, mask, 1.0, lam, gamma),
                "γ is missing in δ: the next value is worth γ times as much now.",
                "δ 里少了 γ：下一步的价值折到现在要乘 γ。"),
        Mistake(lambda reward, value, mask, gamma, lam: _gae(reward, value, mask, gamma, lam, 1.0),
                "The recursion decays by λ alone; it is γ · λ.", "递推时只乘了 λ，应当乘 γ · λ。"),
        Mistake(lambda reward, value, mask, gamma, lam: gae(reward, value, mask, gamma, 1.0),
                "λ is not used: this is the return minus the value.", "没有用到 λ：这是回报减去价值。"),
        Mistake(lambda reward, value, mask, gamma, lam: gae(reward, value, mask, gamma, 0.0),
                "Only δ of the token itself is there. Add γλ times the advantage of the next token, from the end.",
                "这里只有词元自己的 δ。要从末尾开始，加上 γλ 乘以下一个词元的优势。"),
        ), points=3),
    Exercise("1.4", "whiten", ("advantage", "mask"), whiten,
             Case((torch.tensor([[0.751, 0.58, 0.4]]), torch.ones(1, 3).bool())), _advantages, (
        Mistake(lambda advantage, mask: torch.cat([whiten(a[None], m[None]) if m.sum() > 1 else 0 * a[None]
                                                   for a, m in zip(advantage, mask, strict=True)]),
                "Each response was whitened by itself. Then a good response and a bad one look the same: whiten over "
                "the whole batch.",
                "每条回答各自做了白化。这样一来好回答和坏回答看上去一样：应当在整个批次上做。"),
        Mistake(_unmasked(whiten),
                "Padding took part in mean and variance. Only marked tokens count.",
                "填充也参与了平均和方差。只有被标出的词元才算。"),
        Mistake(lambda advantage, mask: (advantage - advantage[mask].mean()) / advantage[mask].std(),
                "The marked tokens are right. Padding must become 0: whoever sums over it later would go wrong.",
                "被标出的词元是对的。填充处要变成 0，否则后面求和会出错。"),
        Mistake(lambda advantage, mask: keep((advantage - advantage[mask].mean()) / advantage[mask].std(correction=0),
                                             mask),
                "The variance is divided by n; here, as in TRL, it is n - 1.",
                "方差除以了 n；这里和 TRL 一样，除以 n - 1。"),
        Mistake(lambda advantage, mask: keep(advantage / advantage[mask].std(), mask),
                "The mean is still there. Subtract it first.", "平均数还在。先减去它。"),
        ), points=2),
    Exercise("1.5", "clipped_policy", ("logprob", "old_logprob", "advantage", "mask", "clip"), clipped_policy,
             Case((torch.tensor([[1.0, 1.1, 0.9]]).log() - 2, torch.full((1, 3), -2.0),
                   torch.tensor([[1.0, -1.0, 2.0]]), torch.ones(1, 3).bool(), 0.2), gradient=(0,)), _ratios, (
        Mistake(_no_clip,
                "The clip never bites. Take the smaller of r·Â and clip(r, 1-ε, 1+ε)·Â.",
                "截断从没起作用。请在 r·Â 和 clip(r, 1-ε, 1+ε)·Â 里取较小的。"),
        Mistake(lambda logprob, old_logprob, advantage, mask, clip:
                -_mean(torch.maximum(*_both(logprob, old_logprob, advantage, clip)), mask),
                "This takes the larger of the two. The objective is pessimistic: take the smaller, then put the minus.",
                "这里取了较大的。这个目标是悲观的：取较小的，再加负号。"),
        Mistake(lambda logprob, old_logprob, advantage, mask, clip:
                -_mean(_both(logprob, old_logprob, advantage, clip)[1], mask),
                "Only the clipped term is left. Then a token that got worse (Â < 0 and r > 1+ε) has no gradient to "
                "mend it: take the smaller of both.",
                "只剩下截断后的一项。这样变坏的词元（Â < 0 且 r > 1+ε）就没有梯度来纠正：要在两项中取较小的。"),
        Mistake(lambda logprob, old_logprob, advantage, mask, clip:
                -torch.minimum(*_both(logprob, old_logprob, advantage, clip)).mean(),
                "The mean runs over padding too. Sum the marked tokens and divide by their number.",
                "平均数把填充也算了进去。只把标出的词元加起来，再除以它们的个数。"),
        Mistake(lambda logprob, old_logprob, advantage, mask, clip:
                -_mean(torch.minimum((logprob - old_logprob).exp() * advantage,
                                     (logprob - old_logprob).exp().clamp(1 - clip, 1 + clip) * advantage), mask),
                "A gradient flows into the advantage. It is a constant here: advantage.detach().",
                "梯度流进了优势。它在这里是常数：advantage.detach()。"),
        Mistake(lambda logprob, old_logprob, advantage, mask, clip:
                _mean(torch.minimum(*_both(logprob, old_logprob, advantage, clip)), mask),
                "The minus is missing: it is a loss, to be minimised.", "少了负号：这是要变小的损失。"),
        ), points=3),
    Exercise("1.6", "adapt", ("beta", "kl", "target", "n", "horizon"), adapt, Case((0.2, 6.3, 6.0, 256, 10_000)),
             _prices, (
        Mistake(lambda beta, kl, target, n, horizon: beta * (1 + (kl / target - 1) * n / horizon),
                "The error is not cut off: one strange batch would move the price a lot. Clip it to ±0.2.",
                "误差没有截断：一个反常的批次就会让价格大变。请限制在 ±0.2 之内。"),
        Mistake(lambda beta, kl, target, n, horizon: beta * (1 + min(0.2, kl / target - 1) * n / horizon),
                "The error is cut off above and not below. Clip it on both sides.",
                "误差只在上面截断了，下面没有。两边都要。"),
        Mistake(lambda beta, kl, target, n, horizon: beta * (1 + max(-0.2, kl / target - 1) * n / horizon),
                "The error is cut off below and not above. Clip it on both sides.",
                "误差只在下面截断了，上面没有。两边都要。"),
        Mistake(lambda beta, kl, target, n, horizon: beta * (1 + max(-0.1, min(0.1, kl / target - 1)) * n / horizon),
                "The error is cut off at ±0.1. The rule says ±0.2.", "误差截断在 ±0.1，规则是 ±0.2。"),
        ), points=1, tolerance=1e-6),
)
