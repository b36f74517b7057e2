"""What goes wrong in lesson 01, and what to say: made from the right formulas with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Function, Mistake
from rlhf_kit.formulas import advantages, kl_penalty, losses
from rlhf_kit.formulas.masked import keep, masked_mean

# 1.1  response_mask(ids, eos)


def _before(hit: Tensor) -> Tensor:
    """How many hits stand before each place."""
    return hit.long().cumsum(-1) - hit.long()


def _arange(ids: Tensor) -> Tensor:
    return torch.arange(ids.shape[1])[None]


def _first_of_the_batch(ids: Tensor, eos: int, last: bool = False) -> Tensor:
    ends = (ids == eos).nonzero()[:, 1]
    end = (int(ends.max()) if last else int(ends.min())) if len(ends) else ids.shape[1]
    return (_arange(ids) <= end).expand(ids.shape).clone()


def _no_end_at_0(ids: Tensor, eos: int) -> Tensor:
    """The place of the first EOS, 0 being taken for "there is none"."""
    end = (ids == eos).int().argmax(-1, keepdim=True)
    return (_arange(ids) <= end) | (end == 0)


def _fixed_eos(number: int) -> Function:
    return lambda ids, eos: _before(ids == number) == 0


RESPONSE_MASK = (
    Mistake(lambda ids, eos: ids != 0,
            "This finds the end by token 0. Which token fills the padding is a habit, and GPT-2 fills with EOS: "
            "the end is where the first EOS stands.",
            "这样靠词元 0 判断结尾。用哪个词元填充只是习惯，GPT-2 就用 EOS 填充：结尾要看第一个 EOS。",
            (lambda ids, eos: (_before(ids == eos) == 0) & (ids != 0), lambda ids, eos: ids > 0)),
    Mistake(_fixed_eos(2),
            "2 is the EOS of the example. Another tokenizer has another one: use the argument `eos`.",
            "2 是例子里的 EOS。换一个分词器就不是它了：请用参数 `eos`。"),
    Mistake(lambda ids, eos: ((ids == eos).flip(-1).cumsum(-1).flip(-1) > 0) | ~(ids == eos).any(-1, keepdim=True),
            "This runs to the last EOS. A response ends with the first; what stands behind is padding.",
            "这样一直到最后一个 EOS。回答到第一个 EOS 为止，后面都是填充。"),
    Mistake(lambda ids, eos: _arange(ids) <= (ids == eos).long().argmax(-1, keepdim=True),
            "A row without EOS lost its tokens: argmax of nothing but zeros is 0. Such a response was cut off, and all "
            "of it counts.",
            "没有 EOS 的那一行丢了词元：全是 0 时 argmax 等于 0。这样的回答是被截断的，整行都算。"),
    Mistake(lambda ids, eos: (_before(ids == eos) == 0) & (ids == eos).any(-1, keepdim=True),
            "A row without EOS got no mark at all. Such a response was cut off, and all of it counts.",
            "没有 EOS 的那一行一个也没标出。这样的回答是被截断的，整行都算。"),
    Mistake(_no_end_at_0,
            "A row that begins with EOS is taken for one without any: 0 is a place like the others. It has one token, "
            "the EOS.",
            "以 EOS 开头的那一行被当成了没有 EOS：位置 0 也是位置。这一行只有一个词元，就是这个 EOS。"),
    Mistake(lambda ids, eos: (ids == eos).long().cumsum(-1) == 0,
            "The EOS itself is missing. Stopping is an action: leave it out, and the policy never learns to stop.",
            "EOS 本身没有算进去。停下也是一个动作：漏掉它，策略就学不会停。"),
    Mistake(lambda ids, eos: ids != eos,
            "Every EOS is left out, and what stands behind the first one is kept. It should be the other way round.",
            "这样去掉了所有 EOS，却留下了第一个 EOS 之后的词元。应当反过来。"),
    Mistake(lambda ids, eos: ~(_before(ids == eos) == 0),
            "The mask is the wrong way round: True belongs on the response.", "掩码反了：回答处应为 True。",
            (lambda ids, eos: (ids == eos).long().cumsum(-1) > 0,)),
    Mistake(lambda ids, eos: (ids == eos).long().cumsum(-1) <= 1,
            "This runs up to the second EOS. Count the EOS *before* each token: a token that has one is padding.",
            "这样一直到第二个 EOS 之前。要数的是每个词元*之前*的 EOS：前面有 EOS 的就是填充。",
            (lambda ids, eos: _before(ids == eos) <= 1,)),
    Mistake(lambda ids, eos: ((ids == eos).long().cumsum(-1) == 0) | (ids == eos),
            "Every EOS is kept. Only the first belongs to the response; GPT-2 fills the padding with EOS.",
            "所有的 EOS 都留下了。只有第一个属于回答；GPT-2 就用 EOS 来填充。"),
    Mistake(lambda ids, eos: (ids == eos).long().cumsum(0) - (ids == eos).long() == 0,
            "This counts down the columns, from one response to the next. Count along each row, cumsum(-1).",
            "这是沿着列数的，从一条回答数到下一条。应当沿着每一行数：cumsum(-1)。"),
    Mistake(_first_of_the_batch,
            "All rows were cut at the same place. Each response ends where its own first EOS stands.",
            "所有的行都在同一处截断。每条回答各在自己的第一个 EOS 处结束。",
            (lambda ids, eos: _first_of_the_batch(ids, eos, last=True),
             lambda ids, eos: (_before(ids[:1] == eos) == 0).expand(ids.shape).clone(),
             lambda ids, eos: (_before((ids == eos).any(0, keepdim=True)) == 0).expand(ids.shape).clone())),
    Mistake(lambda ids, eos: (ids == eos).long().cumsum(-1).roll(1, -1) == 0,
            "roll() brings the end of a row round to its beginning, so the first token is lost. Before it stands "
            "nothing.",
            "roll() 把行尾转到了行首，于是第一个词元丢了。第一个词元之前什么也没有。"),
    Mistake(lambda ids, eos: _before(_before(ids == eos) > 0) == 0,
            "One token too many: the response ends with its EOS, and the token behind it is padding.",
            "多了一个词元：回答到 EOS 为止，EOS 后面那个就是填充。"),
    Mistake(lambda ids, eos: torch.ones_like(ids, dtype=torch.bool),
            "Everything is marked. Behind the first EOS there is padding.", "全都标成了 True。第一个 EOS 之后是填充。"),
)

# 1.2  token_reward(logprob, ref_logprob, score, mask, beta)


def _unmasked(f: Function) -> Function:
    """The same formula, blind to the mask."""
    return lambda *a: f(*(torch.ones_like(x) if isinstance(x, Tensor) and x.dtype == torch.bool else x for x in a))


def _right_reward(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    return kl_penalty.token_reward(score, logprob, ref_logprob, mask, beta)


def _put(reward: Tensor, place: Tensor, score: Tensor) -> Tensor:
    """The reward with the score added at one place a row."""
    reward = reward.clone()
    reward[torch.arange(len(reward)), place] += score
    return reward


def _last(mask: Tensor) -> Tensor:
    return mask.sum(-1) - 1


def _earned(price: Callable = lambda d, beta: -beta * d, place: Callable[[Tensor], Tensor] = _last,
            score: Callable = lambda s, beta: s) -> Function:
    """The reward with another price, place or score."""
    def wrong(logprob: Tensor, ref_logprob: Tensor, scores: Tensor, mask: Tensor, beta: float) -> Tensor:
        drift = keep(logprob, mask) - keep(ref_logprob, mask)
        return _put(keep(price(drift, beta), mask), place(mask), score(scores, beta))
    return wrong


def _last_column(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    return _put(keep(-beta * (logprob - ref_logprob), mask), torch.full((len(mask),), mask.shape[1] - 1), score)


def _times_mask(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    return _put(-beta * (logprob - ref_logprob) * mask, _last(mask), score)


def _instead(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    reward = keep(-beta * (logprob - ref_logprob), mask)
    reward[torch.arange(len(mask)), _last(mask)] = score
    return reward


def _spread(weight: Callable[[Tensor], Tensor | float]) -> Function:
    return lambda logprob, ref_logprob, score, mask, beta: keep(
        -beta * (logprob - ref_logprob) + score[:, None] * weight(mask), mask)


def _only_in_the_end(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    drift = keep(logprob - ref_logprob, mask).sum(-1)
    return _put(torch.zeros_like(logprob), _last(mask), score - beta * drift)


def _lost_behind(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """One place too far, and nowhere if there is no such place."""
    wide = torch.nn.functional.pad(keep(-beta * (logprob - ref_logprob), mask), (0, 1))
    return _put(wide, _last(mask) + 1, score)[:, :-1]


def _other_beta(f: Callable[[float], float], formula: Function) -> Function:
    """The same formula with another last argument."""
    return lambda *a: formula(*a[:-1], f(a[-1]))


TOKEN_REWARD = (
    Mistake(_unmasked(_right_reward),
            "The mask is not used: the score landed in the last column and padding pays a penalty. The score belongs "
            "to "
            "the last *marked* token, and padding earns 0.",
            "没有用掩码：得分落在最后一列，填充位置也付了 KL 惩罚。得分属于最后一个*被标出*的词元，填充处应为 0。"),
    Mistake(lambda logprob, ref_logprob, score, mask, beta:
            _put(-beta * (logprob - ref_logprob), _last(mask), score),
            "Padding pays a penalty, too. It earns 0: torch.where(mask, ..., 0.0).",
            "填充位置也付了 KL 惩罚。那里应为 0：torch.where(mask, ..., 0.0)。"),
    Mistake(_last_column,
            "The score stands in the last column, where shorter responses have padding. Put it on the last marked "
            "token, "
            "mask.sum(-1) - 1.",
            "得分放在了最后一列，短回答在那里只有填充。应放在最后一个被标出的词元上：mask.sum(-1) - 1。",
            (lambda *a: keep(_last_column(*a), a[3]), lambda *a: _last_column(*a) * a[3])),
    Mistake(_earned(place=lambda mask: (_last(mask).max()).expand(len(mask))),
            "The score stands where the longest response ends. Each row has its own last marked token, "
            "mask.sum(-1) - 1.",
            "得分放在了最长那条回答的结尾处。每一行各有自己的最后一个被标出的词元：mask.sum(-1) - 1。"),
    Mistake(_instead,
            "The score replaced the penalty of the last token. Both count there: += in place of =.",
            "得分把最后一个词元的 KL 惩罚盖掉了。两者在那里都要算：用 += 而不是 =。",
            (lambda logprob, ref_logprob, score, mask, beta:
             _instead(logprob * mask, ref_logprob * mask, score, mask, beta),)),
    Mistake(_earned(place=lambda mask: mask.sum(-1).clamp(max=mask.shape[1] - 1)),
            "The score stands one place too far. The last of n tokens has the index n - 1.",
            "得分往后错了一位。n 个词元里最后一个的下标是 n - 1。",
            (_lost_behind, _earned(place=lambda mask: mask.sum(-1)))),
    Mistake(_earned(place=lambda mask: (mask.sum(-1) - 2) % mask.shape[1]),
            "The score stands one token too early. The last of n tokens has the index n - 1.",
            "得分往前错了一位。n 个词元里最后一个的下标是 n - 1。",
            (_earned(place=lambda mask: mask.sum(-1) - 2),
             _earned(place=lambda mask: (mask.sum(-1) - 2).clamp(min=0)))),
    Mistake(_earned(place=lambda mask: torch.zeros(len(mask), dtype=torch.long)),
            "The score stands on the first token. It comes when the text is complete: on the last marked one.",
            "得分放在了第一个词元上。读完全文才有得分：应放在最后一个被标出的词元上。"),
    Mistake(_spread(lambda mask: 1.0),
            "Every token got the score. It comes once, on the last marked token.",
            "每个词元都得了这个分。得分只来一次，在最后一个被标出的词元上。"),
    Mistake(_spread(lambda mask: 1 / mask.sum(-1, keepdim=True)),
            "The score was shared out among the tokens. It comes once, on the last marked one; sharing out the "
            "credit is "
            "what GAE does later.",
            "得分被平摊到了各个词元上。它只来一次，在最后一个被标出的词元上；分配功劳是后面 GAE 的事。"),
    Mistake(_only_in_the_end,
            "The whole penalty is paid at the end. Each token pays for itself: -β · (log π - log π_ref) in its own "
            "place.",
            "全部 KL 惩罚都在末尾一次付清了。每个词元各付各的：-β · (log π - log π_ref) 记在它自己的位置上。"),
    Mistake(lambda logprob, ref_logprob, score, mask, beta:
            _right_reward(logprob, ref_logprob, score[:1].expand(len(score)), mask, beta),
            "Every response got the first one's score.", "每条回答得到的都是第一条的分数。"),
    Mistake(_earned(score=lambda s, beta: s.mean()),
            "Every response got the mean score. Each has its own.", "每条回答得到的都是平均分。每条各有自己的得分。",
            (_earned(score=lambda s, beta: s.sum()),)),
    Mistake(_times_mask,
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Use torch.where(mask, ..., 0.0).",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请用 torch.where(mask, ..., 0.0)。",
            (lambda logprob, ref_logprob, score, mask, beta:
             _put(-beta * (logprob * mask - ref_logprob * mask), _last(mask), score),
             lambda logprob, ref_logprob, score, mask, beta:
             _put(-beta * (logprob - ref_logprob), _last(mask), score) * mask)),
    Mistake(_earned(price=lambda d, beta: beta * d),
            "The KL penalty has the wrong sign: a token that the policy likes more than the reference does must cost.",
            "KL 惩罚的符号反了：策略比参考模型更偏爱的词元应当扣分。"),
    Mistake(_earned(score=lambda s, beta: -s),
            "The score was subtracted. It is what the response earns: add it.", "得分被减掉了。它是挣来的：应当加上。",
            (_earned(lambda d, beta: beta * d, score=lambda s, beta: -s),)),
    Mistake(_earned(price=lambda d, beta: -beta * d.abs()),
            "A token that became *less* likely than under the reference gets something back. The difference keeps "
            "its sign; "
            "no abs.",
            "比在参考模型那里*更不可能*的词元，应当得到补偿。差要保留符号，不要 abs。"),
    Mistake(_earned(price=lambda d, beta: -beta * d.clamp(min=0)),
            "Negative differences were cut off. A token that became less likely gets something back.",
            "负的差被截掉了。变得更不可能的词元，应当得到补偿。"),
    Mistake(_earned(price=lambda d, beta: -beta * d.clamp(-1, 1)),
            "The difference is cut off at some size. However far a token drifts, all of it is paid for; no clamp.",
            "差的大小被截断了。不管偏离多远，都要全部付费；不要 clamp。",
            tuple(_earned(price=lambda d, beta, c=c: -beta * d.clamp(-c, c)) for c in (2, 5, 10, 20))),
    Mistake(_earned(price=lambda d, beta: -beta * torch.expm1(d)),
            "This takes the ratio of the probabilities. The KL penalty is per nat: a difference of logarithms, "
            "without exp.",
            "这里用的是概率之比。KL 惩罚按奈特计：是对数之差，不要 exp。",
            (_earned(price=lambda d, beta: -beta * d.exp()),)),
    Mistake(_earned(price=lambda d, beta: -beta * d.square()),
            "The difference is taken as it is: no square, no other estimate of the KL.",
            "差保持原样：不要平方，也不要换成 KL 的别的估计。",
            (_earned(price=lambda d, beta: -beta * 0.5 * d.square()),
             _earned(price=lambda d, beta: -beta * (torch.expm1(-d) + d)))),
    Mistake(_other_beta(lambda beta: beta or 0.1, _right_reward),
            "β = 0 was replaced: 0 counts as False, so `beta or ...` takes the other. At 0, drifting costs nothing.",
            "β = 0 被换掉了：0 被当作 False，`beta or ...` 就取了后面的值。β 为 0 时，偏离不受罚。",
            tuple(_other_beta(f, _right_reward) for f in (lambda b: b or 1.0, lambda b: b or 0.2, lambda b: b or 0.05,
                                                          lambda b: b or 0.01, lambda b: max(b, 1e-3)))),
    Mistake(_other_beta(lambda beta: 0.1, _right_reward),
            "0.1 is the β of the example. Use the argument `beta`.", "0.1 是例子里的 β。请用参数 `beta`。"),
    Mistake(_other_beta(lambda beta: 1.0, _right_reward),
            "β is missing: the difference of log-probabilities is multiplied by it.", "少了 β：对数概率之差要乘上它。"),
    Mistake(_earned(score=lambda s, beta: beta * s),
            "The score was multiplied by β, too. β weighs the drift alone.", "得分也乘上了 β。要乘 β 的只有偏离。",
            (_earned(score=lambda s, beta: 10 * beta * s),)),
    Mistake(_earned(score=lambda s, beta: 0 * s),
            "The score is missing. Add it at the last marked token.", "少了得分。要加在最后一个被标出的词元上。"),
    Mistake(_earned(price=lambda d, beta: 0 * d),
            "The KL penalty is missing: -β · (log π - log π_ref) on every marked token.",
            "少了 KL 惩罚：每个被标出的词元都有 -β · (log π - log π_ref)。"),
    Mistake(lambda logprob, ref_logprob, score, mask, beta:
            _right_reward(logprob, torch.zeros_like(ref_logprob), score, mask, beta),
            "The reference is missing. What costs is not being likely, but being likelier than under the reference.",
            "少了参考模型。要付代价的不是概率高，而是比参考模型给的概率更高。"),
    Mistake(_earned(price=lambda d, beta: -beta * d.cumsum(-1)),
            "Each token pays for all before it as well. It pays for itself only; no cumsum.",
            "每个词元把前面的也一起付了。它只为自己付费，不要 cumsum。"),
    Mistake(_earned(score=lambda s, beta: s.long()),
            "The score was made a whole number. It has decimals, and they count.", "得分被取成了整数。小数部分也要算。",
            (_earned(score=lambda s, beta: s.round()),)),
    Mistake(_earned(score=lambda s, beta: s.clamp(0, 1)),
            "The score was changed before it counts. Take it as it is: it may be negative, and larger than 1.",
            "得分在计入之前被改动了。请原样使用：它可以是负数，也可以大于 1。",
            (_earned(score=lambda s, beta: s.clamp(min=0)), _earned(score=lambda s, beta: s.clamp(-1, 1)),
             _earned(score=lambda s, beta: s.abs()), _earned(score=lambda s, beta: s - s.mean()))),
)

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


def _carried(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float, *, from_last: bool = False,
             values_too: bool = False) -> Tensor:
    """Row by row, without forgetting the row before."""
    advantage, seen, after = torch.zeros_like(reward), 0.0, 0.0
    rows = range(len(reward))
    for i in reversed(rows) if from_last else rows:
        if not values_too:
            after = 0.0
        for t in reversed(range(int(mask[i].sum()))):
            seen = reward[i, t] + gamma * after - value[i, t] + gamma * lam * seen
            advantage[i, t], after = seen, value[i, t]
    return advantage


def _with_value(f: Function) -> Function:
    return lambda reward, value, mask, gamma, lam: f(reward, value, mask, gamma, lam) + keep(value, mask)


GAE = (
    Mistake(_unmasked(_right_gae),
            "What stands in the padding leaked into real tokens. Behind the last marked token there is no value and no "
            "reward.",
            "填充位置的数漏进了真实的词元。最后一个被标出的词元之后，价值和奖励都不存在。",
            tuple(_leaking(r, v, out) for r, v in ((True, True), (True, False), (False, True))
                  for out in (keep, _times, _asis))),
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
            "roll() 把第一个价值转到了最后一个词元之后。那里什么也没有：V = 0。"),
    Mistake(_walk(backwards=False),
            "This walks from the first token to the last. Â_t needs Â_{t+1}: begin at the end.",
            "这是从第一个词元走到最后一个。Â_t 要用 Â_{t+1}：应从末尾开始。",
            (_walk(backwards=False, out=_asis), _walk(backwards=False, clean=_times, out=_times))),
    Mistake(_walk(columns=lambda n: range(n - 1)),
            "The last column is left out. Its token has an advantage as well, δ = r - V.",
            "漏掉了最后一列。那里的词元也有优势：δ = r - V。",
            (_walk(columns=lambda n: range(1, n)),)),
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
    return keep(advantage - keep(advantage, mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True), mask)


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
             lambda a, m: keep(_by_row(a, torch.ones_like(m)), m), lambda a, m: _by_row(a, torch.ones_like(m)))),
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
    Mistake(_unmasked(lambda a, m: _standard()(a, m)),
            "Padding took part in mean and variance. Only marked tokens count.",
            "填充也参与了平均和方差。只有被标出的词元才算。",
            (_standard(picked=lambda a, m: a), _standard(picked=lambda a, m: a, out=_times),
             _standard(picked=keep), _standard(picked=_times), _standard(picked=keep, out=_times),
             _standard(picked=keep, out=_asis), lambda a, m: keep((a - a[m].mean()) / a.std(), m),
             lambda a, m: keep((a - a.mean()) / a[m].std(), m),
             lambda a, m: keep((a - a[m].mean()) / keep(a, m).std(), m),
             lambda a, m: keep((a - a[m].mean()) / keep(a - a[m].mean(), m).std(), m),
             lambda a, m: keep((a - keep(a, m).mean()) / a[m].std(), m))),
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
            (lambda a, m: keep((a - a[m].mean()) / a[m].std() + a[m].mean(), m),
             lambda a, m: keep(a - a[m].mean() / a[m].std(), m))),
    Mistake(_standard(scale=lambda x: torch.ones(())),
            "The mean is gone, but the variance is not 1 yet: divide by the standard deviation.",
            "均值减掉了，但方差还不是 1：要除以标准差。", (lambda a, m: keep((a - a[m].mean()) * a[m].std(), m),)),
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
            "The median was subtracted. Subtract the mean.", "减去的是中位数。应当减去均值。"),
    Mistake(_standard(scale=lambda x: x.max() - x.min()),
            "This scales by the largest numbers. Whitening divides by the standard deviation.",
            "这里用最大的数来缩放。白化除以的是标准差。",
            (_standard(torch.min, lambda x: x.max() - x.min()), _standard(scale=lambda x: x.abs().max()),
             _standard(lambda x: 0.0, lambda x: x.abs().max()), _standard(scale=lambda x: (x - x.mean()).abs().mean()),
             _standard(scale=torch.norm), _standard(scale=lambda x: (x - x.mean()).norm()))),
)

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
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Pick the marked tokens, gain[mask].mean().",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请取出标出的词元：gain[mask].mean()。"),
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
    Mistake(_other_beta(lambda clip: 0.2, _policy()),
            "0.2 is the ε of the example. Use the argument `clip`.", "0.2 是例子里的 ε。请用参数 `clip`。"),
    Mistake(_policy(lambda ratio, a, clip: torch.minimum(ratio * a, ratio.clamp(-clip, clip) * a)),
            "The ratio is clipped to ±ε. It moves about 1: from 1-ε to 1+ε.",
            "概率比被截断在 ±ε。它在 1 附近：应从 1-ε 到 1+ε。",
            _same(lambda ratio, a, clip: torch.minimum(ratio * a, a.clamp(1 - clip, 1 + clip) * ratio))),
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
            (_cut(error=lambda kl, target: 1 - target / kl if kl else -math.inf),
             _cut(error=lambda kl, target: 1 - target / kl), _cut(error=lambda kl, target: target / kl - 1),
             _cut(error=lambda kl, target: 1 - target / max(kl, 1e-8)),
             _cut(error=lambda kl, target: (kl - target) / kl if kl else 0.0))),
    Mistake(_cut(error=lambda kl, target: kl - target),
            "The error is relative: divide by the target, e = KL / target - 1.",
            "误差是相对的：要除以目标，e = KL / 目标 - 1。"),
    Mistake(_cut(error=lambda kl, target: kl / target),
            "The 1 is missing: e = KL / target - 1, which is 0 on target.",
            "少了减 1：e = KL / 目标 - 1，正好在目标上时为 0。"),
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
            "KL 小于等于 0 时 β 没有变。这远低于目标：e = -0.2。",
            (lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl >= 0 else beta,)),
    Mistake(lambda beta, kl, target, n, horizon: _cut()(beta, kl, target, n, horizon) if kl > target else beta,
            "β never falls. Below the target it falls: e is negative there.",
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
            "不管 KL 多少，误差都是 0.2：max 和 min 写反了。应是 max(-0.2, min(0.2, ...))。",
            (lambda beta, kl, target, n, horizon: beta * (1 - 0.2 * n / horizon),)),
    Mistake(lambda beta, kl, target, n, horizon: beta * math.exp(max(-0.2, min(0.2, kl / target - 1)) * n / horizon),
            "This takes the exponential. The factor is 1 + e · n / horizon.",
            "这里用了指数。系数是 1 + e · n / horizon。"),
    Mistake(lambda beta, kl, target, n, horizon: round(_cut()(beta, kl, target, n, horizon), 4),
            "The result was rounded. β changes by little at a time, so every digit counts.",
            "结果被四舍五入了。β 每次只变一点点，每一位都要保留。",
            tuple(lambda *a, k=k: round(_cut()(*a), k) for k in (2, 3, 5))),
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
        return half * mean(error(value, old_value, target, clip), mask)
    return wrong


CLIPPED_VALUE = (
    Mistake(_critic(lambda value, old, target, clip: torch.minimum((value - target).square(),
                                                                   (_near(value, old, clip) - target).square())),
            "The smaller error was taken. Take the larger: leaving the old guess must not look better than it is.",
            "这里取了较小的误差。应取较大的：离开旧的估计，不能显得比实际更好。"),
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
            (_critic(lambda value, old, target, clip: torch.maximum(
                (value - target).square(), ((value - old).clamp(-clip, clip) - target).square())),)),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (torch.minimum(torch.maximum(value, old * (1 - clip)), old * (1 + clip)) - target)
        .square())),
            "The clip is relative, as for the ratio. Here it is in units of reward: V_old - c to V_old + c.",
            "这里按比例截断，那是概率比的做法。价值以奖励为单位：从 V_old - c 到 V_old + c。",
            (_critic(lambda value, old, target, clip: torch.maximum(
                (value - target).square(), (value.clamp(1 - clip, 1 + clip) - target).square())),)),
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
        (value - target)[mask].square().mean(), (_near(value, old_value, clip) - target)[mask].square().mean()),
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
            "Multiplying by the mask is not enough: 0 · NaN is NaN. Pick the marked tokens, error[mask].mean().",
            "乘上掩码还不够：0 · NaN 仍是 NaN。请取出标出的词元：error[mask].mean()。"),
    Mistake(_critic(half=-0.5),
            "The sign is wrong: a squared error is minimised as it is.", "符号错了：平方误差本身就是要变小的。"),
    Mistake(_other_beta(lambda clip: 0.2, _critic()),
            "0.2 is the c of the example. Use the argument `clip`.", "0.2 是例子里的 c。请用参数 `clip`。"),
    Mistake(_critic(lambda value, old, target, clip: torch.maximum(
        (value - target).square(), (_near(value.detach(), old, clip) - target).square())),
            "The values are right; the clipped error has lost its gradient. Within ± c both errors are equal and "
            "share it: no "
            "detach there.",
            "数值正确，但截断的那个误差没有梯度。在 ± c 之内两者相等，梯度由两者分担：那里不要 detach。",
            (_critic(lambda value, old, target, clip: torch.maximum(
                (value.detach() - target).square(), (_near(value, old, clip) - target).square())),)),
)
