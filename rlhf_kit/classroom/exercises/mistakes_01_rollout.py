"""What goes wrong in lesson 01, and what to say: where a response ends and what a token earns.

Each is made from the right formula with one thing changed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Function, Mistake
from rlhf_kit.formulas import kl_penalty
from rlhf_kit.formulas.masked import keep

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


def _must_end(ids: Tensor, eos: int) -> Tensor:
    """Raises: ValueError where a row has no EOS."""
    return _arange(ids) <= torch.tensor([[row.index(eos)] for row in ids.tolist()])


def _flag_never_down(ids: Tensor, eos: int) -> Tensor:
    """Row after row, "ended" staying True once it is."""
    return _before((ids == eos).flatten()[None]).reshape(ids.shape) == 0


def _first_other(ids: Tensor, eos: int) -> Tensor:
    """The place of the first token that is no EOS, taken for the end."""
    hit = (ids == eos).long()
    return _arange(ids) <= torch.where(hit.any(-1), hit.argmin(-1), ids.shape[1] - 1)[:, None]


def _fixed_eos(number: int) -> Function:
    return lambda ids, eos: _before(ids == number) == 0


def _first_passed_over(ids: Tensor, eos: int) -> Tensor:
    hit = (ids == eos).long()
    hit[:, 0] = 0
    return hit.cumsum(-1) - hit == 0


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
    Mistake(lambda ids, eos: (_before(ids == eos) == 0) & ((ids == eos).any(-1, keepdim=True)
                                                           | (_arange(ids) < ids.shape[1] - 1)),
            "A row without EOS lost its last token. It was cut off there, and all of it counts.",
            "没有 EOS 的那一行丢了最后一个词元。它是在那里被截断的，整行都算。"),
    Mistake(_must_end,
            "A row without EOS is not provided for: .index() and the like find nothing there. Such a row counts whole.",
            "没有考虑到没有 EOS 的行：.index() 之类在那里什么也找不到。这样的行整行都算。"),
    Mistake(_no_end_at_0,
            "A row that begins with EOS is taken for one without any: 0 is a place like the others. It has one token, "
            "the EOS.",
            "以 EOS 开头的那一行被当成了没有 EOS：位置 0 也是位置。这一行只有一个词元，就是这个 EOS。"),
    Mistake(lambda ids, eos: (ids == eos).long().cumsum(-1) == 0,
            "The EOS itself is missing. Stopping is an action: leave it out, and the policy never learns to stop.",
            "EOS 本身没有算进去。停下也是一个动作：漏掉它，策略就学不会停。",
            (lambda ids, eos: _arange(ids) < (ids == eos).long().argmax(-1, keepdim=True),)),
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
    Mistake(_flag_never_down,
            "Once a response has ended, the rows behind it count as ended too. Set the flag back at the start of each "
            "row.",
            "一条回答结束之后，后面的行也都算结束了。每一行开始时要把标志复位。"),
    Mistake(lambda ids, eos: ids >= eos,
            "This compares the sizes of the ids. They are names and have no order: look for the first id equal to "
            "`eos`.",
            "这里比较的是编号的大小。编号只是名字，没有大小之分：应当找第一个等于 `eos` 的。",
            (lambda ids, eos: ids > eos, lambda ids, eos: ids <= eos, lambda ids, eos: ids < eos)),
    Mistake(_first_other,
            "The row ends at the first token that is *not* EOS. The first EOS is where (ids == eos) is largest: "
            "argmax, not argmin.",
            "这样在第一个*不是* EOS 的词元处就结束了。第一个 EOS 是 (ids == eos) 最大的地方：用 argmax，不是 argmin。",
            (lambda ids, eos: _arange(ids) <= (ids == eos).long().argmin(-1, keepdim=True),)),
    Mistake(lambda ids, eos: _arange(ids) < (ids != eos).sum(-1, keepdim=True) + 1,
            "The length is the number of all tokens other than EOS, so tokens of the padding are counted too. It ends "
            "with the first EOS.",
            "长度数的是所有不是 EOS 的词元，连填充里的也算了。应当到第一个 EOS 为止。",
            (lambda ids, eos: _arange(ids) <= (ids != eos).sum(-1, keepdim=True),
             lambda ids, eos: _arange(ids) < (ids != eos).sum(-1, keepdim=True))),
    Mistake(lambda ids, eos: (_before(ids == eos) == 0).squeeze(),
            "The mask of one response, or of one token, has lost a dimension: squeeze() takes away every one of size "
            "1. Leave it out.",
            "只有一条回答或一个词元时，掩码少了一维：squeeze() 会去掉所有大小为 1 的维。去掉它。",
            (lambda ids, eos: (_before(ids == eos) == 0).squeeze(0),
             lambda ids, eos: (_before(ids == eos) == 0).squeeze(-1))),
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
            "roll() brings the end of a row round to its beginning, so where the last token is EOS the row goes wrong "
            "from the first token on. Before the first token stands nothing.",
            "roll() 把行尾转到了行首，于是最后一个词元是 EOS 的那一行从第一个词元起就错了。第一个词元之前什么也没有。",
            (lambda ids, eos: (ids.roll(1, -1) != eos).long().cumprod(-1).bool(),
             lambda ids, eos: (ids == eos).roll(1, -1).long().cumsum(-1) == 0)),
    Mistake(lambda ids, eos: _before(_before(ids == eos) > 0) == 0,
            "One token too many: the response ends with its EOS, and the token behind it is padding.",
            "多了一个词元：回答到 EOS 为止，EOS 后面那个就是填充。"),
    Mistake(lambda ids, eos: torch.ones_like(ids, dtype=torch.bool),
            "Everything is marked. Behind the first EOS there is padding.", "全都标成了 True。第一个 EOS 之后是填充。"),
    Mistake(_first_passed_over,
            "An EOS in the first column is passed over. A response may consist of its EOS alone: then one token "
            "counts.",
            "第一列的 EOS 被跳过了。回答可以只有一个 EOS：这时只算这一个词元。"),
    Mistake(lambda ids, eos: (ids == eos).long().flip(-1).cumsum(-1).flip(-1) > 0,
            "This runs to the last EOS of a row, and a row without one gets no mark. A response ends with its first "
            "EOS; one that never stops counts whole.",
            "这里一直标到一行的最后一个 EOS，没有 EOS 的行一个也没标。回答到第一个 EOS 为止；从不停下的回答整行都算。"),
    Mistake(lambda ids, eos: torch.cat([torch.ones_like(ids[:, :1]) > 0, ids[:, :-1] != eos], 1),
            "Only the token right behind an EOS is left out. All that stands behind the first EOS is padding: count "
            "how many EOS stand before a token, with cumsum.",
            "只去掉了紧跟在 EOS 后面的词元。第一个 EOS 之后的全是填充：要用 cumsum 数出每个词元之前有几个 EOS。"),
)

# 1.2  token_reward(logprob, ref_logprob, score, mask, beta)


def unmasked(f: Function) -> Function:
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


def _in_the_last_column(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    reward = keep(-beta * (logprob - ref_logprob), mask)
    reward[:, -1] = score
    return reward


def _all_rows(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    reward = keep(-beta * (logprob - ref_logprob), mask)
    reward[:, _last(mask)] += score
    return reward


def _where_the_price_ends(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The score on the last token that costs something, else in the last column."""
    reward = keep(-beta * (logprob - ref_logprob), mask)
    ends = [int(row.nonzero()[-1]) if row.any() else reward.shape[1] - 1 for row in reward]
    return _put(reward, torch.tensor(ends), score)


def _without_brackets(sign: int) -> Function:
    return lambda logprob, ref_logprob, score, mask, beta: _put(
        keep(-beta * logprob + sign * ref_logprob, mask), _last(mask), score)


def _free(column: int) -> Function:
    def wrong(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
        reward = keep(-beta * (logprob - ref_logprob), mask)
        reward[:, column] = 0.0
        return _put(reward, _last(mask), score)
    return wrong


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


def other_last(f: Callable[[float], float], formula: Function) -> Function:
    """The same formula with another last argument."""
    return lambda *a: formula(*a[:-1], f(a[-1]))


def _where_the_last_costs(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The score on the last token that costs something, else on the first."""
    reward = keep(-beta * (logprob - ref_logprob), mask)
    ends = [int(row.nonzero()[-1]) if row.any() else 0 for row in reward]
    return _put(reward, torch.tensor(ends), score)


def _before_padding(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The score only where padding follows."""
    padded = score * ~mask[:, -1]
    return _put(keep(-beta * (logprob - ref_logprob), mask), _last(mask), padded)


TOKEN_REWARD = (
    Mistake(unmasked(_right_reward),
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
            (lambda *a: keep(_last_column(*a), a[3]), lambda *a: _last_column(*a) * a[3], _in_the_last_column)),
    Mistake(_all_rows,
            "`reward[:, last]` means these columns in *every* row. Pair them with the rows: "
            "reward[torch.arange(len(score)), last].",
            "`reward[:, last]` 指的是*每一行*的这些列。要和行一一配对：reward[torch.arange(len(score)), last]。",
            (lambda *a: keep(_all_rows(*a), a[3]),)),
    Mistake(_where_the_price_ends,
            "The score stands on the last token whose penalty is not 0. The last token may cost nothing: find it by "
            "the mask, mask.sum(-1) - 1.",
            "得分放在了最后一个惩罚不为 0 的词元上。最后一个词元的惩罚可以是 0：要用掩码来找，mask.sum(-1) - 1。",
            (_where_the_last_costs,)),
    Mistake(_without_brackets(-1),
            "Brackets are missing: β multiplies both log-probabilities, -β · (log π - log π_ref).",
            "少了括号：两个对数概率都要乘 β，即 -β · (log π - log π_ref)。", (_without_brackets(1),)),
    Mistake(_free(0),
            "The first token pays no penalty. Every marked token does: does a slice or a loop begin at 1?",
            "第一个词元没有付惩罚。每个被标出的词元都要付：切片或循环是不是从 1 开始了？"),
    Mistake(lambda logprob, ref_logprob, score, mask, beta: _right_reward(
        logprob / mask.sum(-1, keepdim=True), ref_logprob / mask.sum(-1, keepdim=True), score, mask, beta),
            "The penalty was divided by the length of the response. Each token pays in full.",
            "惩罚除以了回答的长度。每个词元都要全额付。"),
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
    Mistake(lambda logprob, ref_logprob, score, mask, beta: _instead(logprob, ref_logprob, -score, mask, beta),
            "The score came out with a minus, and in place of the last token's penalty. Give the penalty its minus "
            "first, then add the score: +=.",
            "得分带上了负号，还把最后一个词元的 KL 惩罚盖掉了。先给惩罚加负号，再用 += 加上得分。"),
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
    Mistake(other_last(lambda beta: beta or 0.1, _right_reward),
            "β = 0 was replaced: 0 counts as False, so `beta or ...` takes the other. At 0, drifting costs nothing.",
            "β = 0 被换掉了：0 被当作 False，`beta or ...` 就取了后面的值。β 为 0 时，偏离不受罚。",
            tuple(other_last(f, _right_reward) for f in (lambda b: b or 1.0, lambda b: b or 0.2, lambda b: b or 0.05,
                                                          lambda b: b or 0.01, lambda b: max(b, 1e-3)))),
    Mistake(other_last(lambda beta: 0.1, _right_reward),
            "0.1 is the β of the example. Use the argument `beta`.", "0.1 是例子里的 β。请用参数 `beta`。"),
    Mistake(other_last(lambda beta: 1.0, _right_reward),
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
             _earned(score=lambda s, beta: s.abs()))),
    Mistake(_earned(score=lambda s, beta: s - s.mean()),
            "The mean was taken off the scores. Each counts as it is; only the advantages are whitened, later.",
            "得分减去了平均。每个得分都要原样计入；要做白化的是后面的优势。",
            (_earned(score=lambda s, beta: (s - s.mean()) / (s.std() + 1e-8)),)),
    Mistake(_before_padding,
            "A row without padding gets no score: the end is looked for where a mark is followed by none. The last "
            "of n tokens is n - 1, with padding behind it or not.",
            "没有填充的行得不到得分：这里找的是“后面没有标记”的标记。n 个词元的最后一个是 n - 1，"
            "后面有没有填充都一样。"),
    Mistake(lambda logprob, ref_logprob, score, mask, beta: _put(
        keep(-beta * logprob.exp() * (logprob - ref_logprob), mask), _last(mask), score),
            "The difference is weighted with the token's probability. The token was drawn already: it pays the "
            "difference as it is.",
            "差值乘上了词元的概率。词元已经是按概率抽取的：直接用差值。"),
)
