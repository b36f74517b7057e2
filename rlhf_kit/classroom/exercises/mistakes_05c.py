"""What people write instead in lesson 05c, and what to tell them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_05c import (
    UNSURE,
    a2c_loss,
    area,
    distractors,
    preference_losses,
    rerank,
    rule_targets,
    total_reward,
)


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 5c.1

def _labelled(known: Callable[[Tensor], Tensor], target: Callable[[Tensor], Tensor]) -> Callable:
    def wrong(level: Tensor) -> tuple[Tensor, Tensor]:
        rows = known(level).nonzero()[:, 0]
        return rows, target(level[rows])
    return wrong


def _sure(level: Tensor) -> Tensor:
    return level != UNSURE


def _all(level: Tensor) -> Tensor:
    return level > 0


# 5c.2

def _counted(win: Callable[[Tensor, Tensor], Tensor], pairs: Callable[[Tensor, Tensor], float] | None = None
             ) -> Callable:
    """The sum of `win(broken, followed)` over pairs, divided by their number or by another one."""
    def wrong(score: Tensor, broken: Tensor) -> float:
        yes, no = score[broken == 1].double(), score[broken == 0].double()
        n = len(yes) * len(no) if pairs is None else pairs(yes, no)
        return (win(yes[:, None], no[None]).double().sum() / n).item()
    return wrong


def _half_ties(yes: Tensor, no: Tensor) -> Tensor:
    return (yes > no).double() + 0.5 * (yes == no).double()


def _accuracy(threshold: Callable[[Tensor], float]) -> Callable:
    return lambda score, broken: ((score > threshold(score)) == (broken == 1)).double().mean().item()


def _gap(score: Tensor, broken: Tensor) -> float:
    return (score[broken == 1].mean() - score[broken == 0].mean()).item()


# 5c.3

def _picked(own: bool = False, candidates: bool = False, twice: bool = False, dropped: bool = False,
            each: bool = False, only_own: bool = False, more: int = 0, window: bool = False,
            backward: bool = False) -> Callable:
    """Distractors by other rules: what is allowed that is not, and what is remembered that is not to be."""
    def wrong(dialogue: int, seen: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
        taken, met, found = set() if candidates else set(seen), set(), []
        places = range(len(reply))[:n] if window else range(len(reply))
        for place in reversed(places) if backward else places:
            where, text = other[place], reply[place]
            fits = (own or (where == dialogue) == only_own) and text not in taken and not (each and where in met)
            if fits and len(found) < n + more:
                found.append(place)
                met.add(where)
                if not twice:
                    taken.add(text)
            elif dropped:
                taken.add(text)
        return torch.tensor(found, dtype=torch.long)
    return wrong


def _texts(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    return torch.tensor([reply[i] for i in distractors(dialogue, candidates, other, reply, n)], dtype=torch.long)


def _filled(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    found = distractors(dialogue, candidates, other, reply, n).tolist()
    return torch.tensor(found + [-1] * (n - len(found)), dtype=torch.long)


# 5c.4

def _losses(choice: Callable | None = None, pairs: Callable | None = None, centring: Callable | None = None
            ) -> Callable:
    """One of the three otherwise: each is handed (score with 0 in the padding, chosen, mask)."""
    def wrong(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        right, clean = preference_losses(score, chosen, mask), score.masked_fill(~mask, 0.0)
        return tuple(right[i] if each is None else each(clean, chosen, mask)
                     for i, each in enumerate((choice, pairs, centring)))
    return wrong


def _own(score: Tensor, chosen: Tensor) -> Tensor:
    return score.gather(1, chosen[:, None])                                              # [B, 1]


def _others(chosen: Tensor, mask: Tensor) -> Tensor:
    return mask & (torch.arange(mask.shape[1]) != chosen[:, None])                       # [B, M]


def _logprob(score: Tensor, mask: Tensor) -> Tensor:
    return score.masked_fill(~mask, -torch.inf).log_softmax(-1)


def _surprise(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    return -_own(_logprob(score, mask), chosen)[:, 0]                                    # [B]


def _against(cost: Callable[[Tensor, Tensor], Tensor], over: Callable[[Tensor], Tensor | int],
             among: Callable[[Tensor, Tensor], Tensor] = _others) -> Callable:
    """The sum of `cost(own, other)` over others, divided by `over(mask)`, mean over turns."""
    def pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
        each = cost(_own(score, chosen), score)
        return (each.masked_fill(~among(chosen, mask), 0.0).sum(-1) / over(mask)).mean()
    return pairs


def _lost(own: Tensor, other: Tensor) -> Tensor:
    return softplus(other - own)


def _count(mask: Tensor) -> Tensor:
    return mask.sum(-1)


def _less_one(mask: Tensor) -> Tensor:
    return mask.sum(-1) - 1


def _pooled_pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    return _lost(_own(score, chosen), score)[_others(chosen, mask)].mean()


def _all_pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    """The order in which they stand taken for a ranking."""
    order = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool).triu(1)
    there = mask[:, :, None] & mask[:, None] & order
    each = softplus(score[:, None] - score[:, :, None]).masked_fill(~there, 0.0)
    return (each.sum((1, 2)) / there.sum((1, 2))).mean()


def _hardest(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    rival = score.masked_fill(~_others(chosen, mask), -torch.inf).amax(-1)
    return _lost(_own(score, chosen)[:, 0], rival).mean()


def _to_mean(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    others = _others(chosen, mask)
    return _lost(_own(score, chosen)[:, 0], score.masked_fill(~others, 0.0).sum(-1) / others.sum(-1)).mean()


def _raw(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Right, but the padding is taken out by multiplying."""
    at = torch.arange(len(score))
    clean = score * mask
    return (-(clean - 1e9 * (~mask)).log_softmax(-1)[at, chosen].mean(),
            ((softplus(clean - clean[at, chosen][:, None]) * _others(chosen, mask)).sum(-1) / _less_one(mask)).mean(),
            (clean.sum(-1) / _count(mask)).square().mean())


def _total(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    choice, pairs, centring = preference_losses(score, chosen, mask)
    return choice + pairs + 0.1 * centring


# 5c.5

def _paid(liked: Callable[[Tensor, bool], Tensor] | None = None, rules: Callable[[Tensor, bool], Tensor] | None = None,
          penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
          cost: Callable[[float, int, bool, bool], float] | None = None) -> Callable:
    """Paid otherwise, in one of the parts; `cost(spread, R, normalise, average)`."""
    def wrong(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool) -> tuple[Tensor, float]:
        right = total_reward(preference, kept, valid, normalise, average)
        usual = (preference - preference.mean()) / preference.std() if normalise else preference
        one = usual if liked is None else liked(preference, normalise)
        two = (kept.mean(-1) if average else kept.sum(-1)) if rules is None else rules(kept, average)
        total = one + two
        total = total - 2 * (~valid) if penalty is None else penalty(total, valid)
        return total, right[1] if cost is None else cost(preference.std().item(), kept.shape[1], normalise, average)
    return wrong


def _cost(cost: Callable[[float, int, bool, bool], float], en: str, zh: str, *also: Callable) -> Mistake:
    return _named(_paid(cost=cost), en, zh, *(_paid(cost=one) for one in also))


def _whole_normalised(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
                      ) -> tuple[Tensor, float]:
    total = preference + (kept.mean(-1) if average else kept.sum(-1))
    total = (total - total.mean()) / total.std() if normalise else total
    return total - 2 * (~valid), total_reward(preference, kept, valid, normalise, average)[1]


def _of_valid(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool) -> tuple[Tensor, float]:
    some = preference[valid] if int(valid.sum()) > 1 else preference
    liked = (preference - some.mean()) / some.std() if normalise else preference
    total = liked + (kept.mean(-1) if average else kept.sum(-1)) - 2 * (~valid)
    spread = some.std().item() if normalise else 1.0
    return total, spread / (kept.shape[1] if average else 1)


def _population(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
                ) -> tuple[Tensor, float]:
    spread = preference.std(unbiased=False)
    total = _paid(liked=lambda x, on: (x - x.mean()) / spread if on else x)(preference, kept, valid, normalise, average)
    return total[0], (spread.item() if normalise else 1.0) / (kept.shape[1] if average else 1)


# 5c.6

def _learned(policy: Callable | None = None, critic: Callable | None = None, drift: Callable | None = None,
             mix: Callable | None = None, over: Callable[[Tensor, Tensor], Tensor] | None = None) -> Callable:
    """The loss with one part written otherwise. Parts are handed tables with 0 in the padding, and give one [B, T]."""
    def wrong(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
              alpha: float) -> Tensor:
        clean = [x.masked_fill(~mask[..., None], 0.0).log_softmax(-1) for x in (logits, teacher)]
        value = value.masked_fill(~mask, 0.0)
        above = reward[:, None] - value
        taken = clean[0].gather(-1, token[..., None])[..., 0]
        here = {"now": clean[0], "then": clean[1], "token": token, "value": value, "reward": reward, "above": above,
                "taken": taken, "mask": mask}
        parts = [(_policy if policy is None else policy)(here), (_critic if critic is None else critic)(here),
                 (_drift if drift is None else drift)(here)]
        each = [_tokens_mean(part, mask) if over is None else over(part, mask) for part in parts]
        return (_mixed if mix is None else mix)(*each, alpha)
    return wrong


def _tokens_mean(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].mean()


def _policy(here: dict[str, Tensor]) -> Tensor:
    return -here["above"].detach() * here["taken"]


def _critic(here: dict[str, Tensor]) -> Tensor:
    return 0.5 * here["above"].square()


def _drift(here: dict[str, Tensor]) -> Tensor:
    return (here["now"].exp() * (here["now"] - here["then"])).sum(-1)


def _mixed(policy: Tensor, critic: Tensor, drift: Tensor, alpha: float) -> Tensor:
    return (1 - alpha) * (policy + critic) + alpha * drift


def _sampled_drift(here: dict[str, Tensor]) -> Tensor:
    return here["taken"] - here["then"].gather(-1, here["token"][..., None])[..., 0]


def _at_the_end(here: dict[str, Tensor]) -> Tensor:
    """Only the last real token has an advantage."""
    mask = here["mask"]
    last = mask & (mask.long().cumsum(-1) == mask.sum(-1, keepdim=True))
    return -(here["above"].detach() * last) * here["taken"]


def _whitened(here: dict[str, Tensor]) -> Tensor:
    some = here["above"][here["mask"]].detach()
    spread = some.std() if len(some) > 1 else torch.ones(())
    return -(here["above"].detach() - some.mean()) / (spread + 1e-8) * here["taken"]


def _centred(here: dict[str, Tensor]) -> Tensor:
    return -(here["reward"] - here["reward"].mean())[:, None] * here["taken"]


def _by_rows(x: Tensor, mask: Tensor) -> Tensor:
    return (x.masked_fill(~mask, 0.0).sum(-1) / mask.sum(-1)).mean()


def _summed(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].sum()


def _everywhere(x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask, 0.0).mean()


def _over_batch(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].sum() / len(x)


def _times_mask(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
                alpha: float) -> Tensor:
    now, then = logits.log_softmax(-1), teacher.log_softmax(-1)
    taken, above = now.gather(-1, token[..., None])[..., 0], reward[:, None] - value
    each = (1 - alpha) * (-above.detach() * taken + 0.5 * above ** 2) + alpha * (now.exp() * (now - then)).sum(-1)
    return (each * mask).sum() / mask.sum()


# 5c.7

def _ranked(liked: Callable[[Tensor], Tensor] | None = None, rules: Callable[[Tensor], Tensor] | None = None,
            both: Callable[[Tensor, Tensor], Tensor] | None = None) -> Callable:
    def wrong(preference: Tensor, kept: Tensor) -> tuple[int, Tensor]:
        one = torch.sigmoid(preference - preference.mean()) if liked is None else liked(preference)
        two = kept.prod(-1) ** (1 / kept.shape[1]) if rules is None else rules(kept)
        score = one * two if both is None else both(one, two)
        return int(score.argmax()), score
    return wrong


def _best(place: Callable[[Tensor, Tensor, Tensor], int]) -> Callable:
    def wrong(preference: Tensor, kept: Tensor) -> tuple[int, Tensor]:
        score = rerank(preference, kept)[1]
        return place(preference, kept, score), score
    return wrong


def _latest(preference: Tensor, kept: Tensor, score: Tensor) -> int:
    return len(score) - 1 - score.flip(0).tolist().index(score.max().item())


def _others_mean(preference: Tensor) -> Tensor:
    n = len(preference)
    rest = (preference.sum() - preference) / (n - 1) if n > 1 else preference
    return torch.sigmoid(preference - rest)


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "5c.1": (
        _named(_labelled(_all, lambda level: (level < 3).long()),
               "Level 3, unsure, was taken for a followed rule. Nobody was sure: leave it out.",
               "3 级“说不准”当成了守规则。谁也说不准：要去掉。"),
        _named(_labelled(_all, lambda level: (level <= 3).long()),
               "Level 3, unsure, was taken for a broken rule. Nobody was sure: leave it out.",
               "3 级“说不准”当成了违规。谁也说不准：要去掉。"),
        _named(_labelled(_all, lambda level: torch.where(level == 3, -1, (level < 3).long())),
               "The unsure ones are marked, but still there. Leave them out of both results.",
               "说不准的做了记号，可是还在。两个结果里都要去掉。",
               _labelled(_all, lambda level: torch.where(level == 3, -100, (level < 3).long())),
               _labelled(_all, lambda level: torch.where(level == 3, 2, (level < 3).long()))),
        _named(_labelled(_sure, lambda level: (level > 3).long()),
               "The labels are upside down: 1 is for a *broken* rule, levels 1 and 2.",
               "标签反了：1 是*违规*，即 1 级和 2 级。"),
        _named(_labelled(lambda level: (level == 1) | (level == 5), lambda level: (level < 3).long()),
               "Only the definite levels are left. \"Probably\" counts as well: leave out 3 alone.",
               "只留下了“肯定”的两级。“大概”也算数：去掉的只有 3 级。"),
        _named(_labelled(_sure, lambda level: (level == 1).long()),
               "Only \"definitely broken\" counts as broken. \"Probably broken\", 2, does too.",
               "只有“肯定违规”算违规。2 级“大概违规”也算。"),
        _named(lambda level: (rule_targets(level)[0], (level < 3).long()),
               "`target` has a number for every label. It goes with `rows`: one for each place there.",
               "`target` 给每个标签都留了一个数。它和 `rows` 对应：那里有几个位置，就有几个数。"),
        _named(lambda level: (rule_targets(level)[0] + 1, rule_targets(level)[1]),
               "The places are counted from 1. They are used as indices: count from 0.",
               "位置从 1 数起了。它们要当下标用：从 0 数起。"),
        _named(lambda level: rule_targets(level)[::-1],
               "The two results are exchanged: first the places, then the targets.",
               "两个结果的次序反了：先是位置，再是目标。"),
        _named(_labelled(_sure, lambda level: level),
               "`target` holds the levels themselves. It is 1 for 1 and 2, 0 for 4 and 5.",
               "`target` 里还是级别。1、2 级是 1，4、5 级是 0。"),
        ),
    "5c.2": (
        _named(_counted(lambda yes, no: yes >= no),
               "A tie counts as a whole win. It counts half.", "打平算成了全赢。应当算一半。"),
        _named(_counted(lambda yes, no: yes > no), "A tie counts for nothing. It counts half.",
               "打平什么都没算。应当算一半。"),
        _named(_counted(lambda yes, no: (yes > no).double() + 0.5 * (yes == no), lambda yes, no: len(yes) + len(no)),
               "The wins are divided by the number of answers. Divide by the number of pairs.",
               "赢的次数除以了回答数。要除以对数。"),
        _named(_counted(_half_ties, lambda yes, no: (len(yes) + len(no)) * (len(yes) + len(no) - 1) / 2),
               "Divided by all pairs of answers. Only a broken one with a followed one makes a pair.",
               "除以了所有回答两两的对数。一个违规、一个守规则，才成一对。",
               _counted(_half_ties, lambda yes, no: (len(yes) + len(no)) ** 2)),
        _named(_counted(lambda yes, no: _half_ties(no, yes)),
               "The pairs are the wrong way round: the *broken* one is to have the higher score.",
               "各对比反了：应当是*违规*的那条得分更高。"),
        _named(lambda score, broken: 2 * area(score, broken) - 1,
               "Wins minus losses, from -1 to 1. Wanted is the share of wins, from 0 to 1.",
               "赢减输，在 -1 到 1 之间。要的是赢的比例，在 0 到 1 之间。"),
        _named(_accuracy(lambda score: 0.5),
               "This is accuracy at one threshold. The area has none: it compares pairs.",
               "这是一个阈值上的准确率。曲线下面积没有阈值：比的是各对。", _accuracy(lambda score: 0.0),
               _accuracy(lambda score: score.mean().item())),
        _named(_gap, "This is how far the mean scores lie apart. Count the pairs in which the broken one is higher.",
               "这是平均得分之差。要数的是有多少对里违规的那条更高。"),
        _named(lambda score, broken: 100 * area(score, broken), "In percent. Wanted is a share, from 0 to 1.",
               "用了百分数。要的是 0 到 1 的比例。"),
        _named(lambda score, broken: _half_ties(*(score[broken == x].sort().values[:int(min(
                   broken.sum(), (1 - broken).sum()))] for x in (1, 0))).mean().item(),
               "Each answer is compared with one other. Every broken one meets every followed one.",
               "每条只和另一条比了。每条违规的要和每条守规则的都比一次。",
               lambda score, broken: _half_ties(*(score[broken == x][:int(min(
                   broken.sum(), (1 - broken).sum()))] for x in (1, 0))).mean().item()),
        ),
    "5c.3": (
        _named(_picked(own=True), "A reply of the same dialogue was taken. It may fit: take others' only.",
               "取了同一段对话里的回答。它可能并不跑题：只取别的对话的。"),
        _named(_picked(candidates=True), "A reply that a candidate says, too, was taken. The rater saw that one.",
               "取了和某个候选相同的回答。那一条评审是看过的。"),
        _named(_picked(twice=True), "The same text was taken twice. Each text is taken once.",
               "同一句话取了两次。每句话只取一次。"),
        _named(_picked(candidates=True, twice=True),
               "Neither what candidates say nor what was taken before is left out.",
               "候选说过的和已经取过的，都没有去掉。"),
        _named(_picked(dropped=True),
               "A text is refused because a reply that was *left out* said it. Only what was taken counts.",
               "一句话被拒绝，是因为*没有取*的一条也这么说。只有取了的才算。"),
        _named(_picked(each=True), "Only one reply of each other dialogue was taken. There may be several.",
               "每段别的对话只取了一条。可以取几条。"),
        _named(_picked(only_own=True), "The condition is the wrong way round: these are of the *same* dialogue.",
               "条件反了：取的都是*同一段*对话的。"),
        _named(_picked(window=True), "Only the first n were looked at. Go on until n are taken.",
               "只看了最前面的 n 条。要一直看到取够 n 条为止。"),
        _named(_picked(more=1), "One too many was taken: stop at n.", "多取了一条：取够 n 条就停。"),
        _named(_picked(more=99), "All that would do were taken. Stop at n.", "凡是能取的都取了。取够 n 条就停。"),
        _named(_picked(backward=True), "They were looked at from the end. Go in the order in which they were drawn.",
               "从后往前看了。要按抽出的次序。",
               lambda *a: _picked(more=99)(*a)[max(len(_picked(more=99)(*a)) - a[-1], 0):]),
        _named(_texts, "These are the replies themselves. Wanted are their places in `reply`.",
               "返回的是回答本身。要的是它们在 `reply` 里的位置。"),
        _named(_filled, "Filled up with -1. Where there are fewer than n, the result is shorter.",
               "用 -1 补齐了。不够 n 条时，结果就短一些。"),
        _named(lambda *a: distractors(*a) + 1, "The places are counted from 1. Count from 0.",
               "位置从 1 数起了。要从 0 数起。"),
        ),
    "5c.4": (
        _named(_losses(pairs=_against(lambda own, other: (1 + other.exp() - own.exp()).log(), _less_one)),
               "`pairs` is log(1 + e^bad - e^good), the slip of the article. It is log(1 + e^(bad - good)).",
               "`pairs` 是 log(1 + e^bad - e^good)，正是文章里的笔误。应当是 log(1 + e^(bad - good))。"),
        _named(_losses(pairs=_against(lambda own, other: softplus(own - other), _less_one)),
               "`pairs` has the wrong sign inside: the loss grows with other minus chosen.",
               "`pairs` 里面的符号反了：损失应随“其余减被选”变大。"),
        _named(_losses(pairs=_against(lambda own, other: -torch.sigmoid(own - other), _less_one)),
               "`pairs` lacks the logarithm: -σ instead of -log σ.", "`pairs` 少了对数：成了 -σ，应当是 -log σ。"),
        _named(_losses(pairs=_against(_lost, lambda mask: 1)),
               "`pairs` is a sum over the others. It is their mean, so that many candidates count no more than few.",
               "`pairs` 是对其余候选求和。要取平均，候选多的回合才不会更重。"),
        _named(_losses(pairs=_against(_lost, lambda mask: mask.shape[1] - 1)),
               "`pairs` is divided by the width of the table. A turn has as many others as it has real candidates, "
               "less one.", "`pairs` 除的是表的宽度。一个回合有几条真实的候选，其余的就比它少一条。"),
        _named(_losses(pairs=_against(_lost, _count, lambda chosen, mask: mask)),
               "`pairs` compares the chosen one with itself, too.", "`pairs` 把被选的和它自己也比了。"),
        _named(_losses(pairs=_against(_lost, _count)), "`pairs` is divided by M. There are M - 1 others.",
               "`pairs` 除以了 M。其余的只有 M - 1 条。"),
        _named(_losses(pairs=_pooled_pairs),
               "`pairs` is a mean over all pairs of the batch. First the mean of each turn, then that over turns.",
               "`pairs` 是整批所有对的平均。先在每个回合里平均，再对各回合平均。"),
        _named(_losses(pairs=_all_pairs),
               "`pairs` takes the order in which candidates stand for a ranking. Only the chosen one beats the others.",
               "`pairs` 把候选的排列次序当成了名次。只知道被选的胜过其余的。"),
        _named(_losses(pairs=_hardest), "`pairs` looks at the strongest rival only. It is a mean over all others.",
               "`pairs` 只看了最强的对手。要对其余所有候选取平均。"),
        _named(_losses(pairs=_to_mean),
               "`pairs` compares with the mean of the others. Take the loss of each pair, then the mean.",
               "`pairs` 是和其余候选的平均分比。要先算每一对的损失，再平均。"),
        _named(_losses(choice=lambda score, chosen, mask: -score.log_softmax(-1).gather(
                   1, chosen[:, None])[:, 0].mean()),
               "`choice`: the padding takes part in the softmax. Put -inf there first.",
               "`choice`：填充也进了 softmax。先填上 -inf。"),
        _named(_losses(choice=lambda score, chosen, mask: -_surprise(score, chosen, mask).mean()),
               "`choice` is a log-probability. The loss is minus that.", "`choice` 是对数概率。损失是它的相反数。"),
        _named(_losses(choice=lambda score, chosen, mask: _surprise(score, chosen, mask).sum()),
               "`choice` is a sum over the turns. Wanted is the mean.", "`choice` 是对各回合求和。要取平均。"),
        _named(_losses(choice=lambda score, chosen, mask: -_logprob(score, mask).amax(-1).mean()),
               "`choice` is that of the highest score, whoever was picked. Use `chosen`.",
               "`choice` 算的是得分最高的那条，不管选了谁。要用 `chosen`。"),
        _named(_losses(choice=lambda score, chosen, mask: 1 - _surprise(score, chosen, mask).neg().exp().mean()),
               "`choice` is one minus the probability. It is minus its logarithm.",
               "`choice` 是 1 减概率。应当是负的对数概率。"),
        _named(_losses(choice=lambda score, chosen, mask: -(logsigmoid(_own(score, chosen)[:, 0]) + logsigmoid(
                   -score).masked_fill(~_others(chosen, mask), 0.0).sum(-1)).mean()),
               "`choice` judges each candidate by itself, with σ. It is one choice among all: softmax.",
               "`choice` 用 σ 把每条候选分开判断。这是在全部候选里选一条：用 softmax。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.square().sum(-1) / _count(mask)).mean()),
               "`centring` is the mean of the squares: that also pulls scores together. Square the mean of a turn.",
               "`centring` 是平方的平均：这样还会把得分挤到一起。应当把一个回合的平均分取平方。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum() / mask.sum()).square()),
               "`centring` is the square of the whole batch's mean: turns above and below 0 make up for each other.",
               "`centring` 是整批平均分的平方：在 0 上面和下面的回合互相抵消了。",
               _losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).mean().square())),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).abs().mean()),
               "`centring` is the absolute mean. It is squared.", "`centring` 取的是绝对值。应当取平方。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).mean()),
               "`centring` is the mean score itself, not squared: it would be lowered without end.",
               "`centring` 是平均分本身，没有平方：这样会没完没了地往下压。"),
        _named(_losses(centring=lambda score, chosen, mask: score.sum(-1).square().mean()),
               "`centring` squares the sum of a turn. Square its mean.",
               "`centring` 把一个回合的总分取了平方。应当是平均分。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / mask.shape[1]).square().mean()),
               "`centring`: the mean is taken over the padding, too.", "`centring`：平均时把填充也算进去了。",
               _losses(centring=lambda score, chosen, mask: score.mean().square())),
        _named(_losses(centring=lambda score, chosen, mask: _own(score, chosen).square().mean()),
               "`centring` looks at the chosen score only. It is the mean over all real candidates.",
               "`centring` 只看了被选的得分。要对所有真实的候选取平均。"),
        _named(lambda *a: (*preference_losses(*a)[:2], 0.1 * preference_losses(*a)[2]),
               "`centring` is weighed already. Return it as it is; the weight comes later.",
               "`centring` 已经乘了权重。原样返回，权重以后再乘。"),
        _named(_raw, "Multiplying by the mask leaves NaN: 0 · NaN is NaN. Use `masked_fill` first.",
               "乘掩码去不掉 NaN：0 · NaN 还是 NaN。先用 `masked_fill`。"),
        _named(_total, "The three are added up. Return them apart, without weights.",
               "三项加在一起了。要分开返回，不乘权重。", lambda *a: sum(preference_losses(*a))),
        ),
    "5c.5": (
        _named(_paid(rules=lambda kept, average: kept.sum(-1) if average else kept.mean(-1)),
               "Sum and mean are exchanged: `average` True is the mean over the rules.",
               "求和与平均弄反了：`average` 为 True 是对规则取平均。"),
        _named(_paid(rules=lambda kept, average: kept.sum(-1)), "`average` is not used: with it the rules' mean is "
               "added.", "没有用 `average`：为 True 时加的是平均。"),
        _named(_paid(rules=lambda kept, average: kept.mean(-1)), "`average` is not used: without it the rules' sum is "
               "added.", "没有用 `average`：为 False 时加的是和。"),
        _named(_paid(rules=lambda kept, average: kept.mean() if average else kept.sum()),
               "The rules are added up over all responses. Each response has a row of its own.",
               "把所有回答的规则加在一起了。每条回答有自己的一行。"),
        _named(_paid(rules=lambda kept, average: (1 - kept).mean(-1) if average else (1 - kept).sum(-1)),
               "This pays for breaking rules: `kept` already is the probability that a rule is kept.",
               "这是在奖励违规：`kept` 已经是守住规则的概率。"),
        _named(_paid(rules=lambda kept, average: -kept.mean(-1) if average else -kept.sum(-1)),
               "The rules are taken off. Keeping them is paid.", "规则被减掉了。守规则应当有奖励。"),
        _named(_paid(rules=lambda kept, average: kept.prod(-1) ** (1 / kept.shape[1])),
               "This is the geometric mean, which belongs to the rerank. Here it is the sum or the plain mean.",
               "这是几何平均，重排才用它。这里是和，或者普通的平均。",
               _paid(rules=lambda kept, average: kept.prod(-1)),
               _paid(rules=lambda kept, average: kept.prod(-1) ** (1 / kept.shape[1]) if average else kept.sum(-1))),
        _named(_paid(rules=lambda kept, average: kept.amin(-1)),
               "Only the rule that is kept worst counts. All are added up.",
               "只算了守得最差的那条规则。要全部加起来。"),
        _named(_paid(liked=lambda x, on: x), "`normalise` is not used: with it the preference is brought to mean 0 and "
               "spread 1.", "没有用 `normalise`：为 True 时，偏好要变成均值 0、标准差 1。"),
        _named(_paid(liked=lambda x, on: (x - x.mean()) / x.std()),
               "The preference is normalised always. Only with `normalise`.",
               "偏好总是标准化了。只在 `normalise` 为 True 时才做。"),
        _named(_paid(liked=lambda x, on: x / x.std() if on else x),
               "The mean is not taken off before dividing by the spread.", "除以标准差之前没有减去平均。"),
        _named(_paid(liked=lambda x, on: x - x.mean() if on else x),
               "The mean is taken off, but the spread stays. Divide by the standard deviation.",
               "减去了平均，标准差还是原来的。要除以标准差。"),
        _named(_paid(liked=lambda x, on: (x - x.mean()) / x.var() if on else x),
               "Divided by the variance. Divide by its root, the standard deviation.",
               "除以了方差。要除以它的平方根，标准差。"),
        _named(_paid(liked=lambda x, on: (x - x.amin()) / (x.amax() - x.amin()) if on else x),
               "The preference is squeezed between 0 and 1. Wanted are mean 0 and standard deviation 1.",
               "偏好压到了 0 和 1 之间。要的是均值 0、标准差 1。"),
        _named(_population, "The standard deviation divides by B. Here it divides by B - 1, as `.std()` does.",
               "标准差除的是 B。这里除以 B - 1，和 `.std()` 一样。",
               _paid(liked=lambda x, on: (x - x.mean()) / x.std(unbiased=False) if on else x)),
        _named(_whole_normalised, "The whole sum is normalised. Only the preference is: rules have a scale of their "
               "own.", "把总和标准化了。只有偏好要标准化：规则自有刻度。"),
        _named(_of_valid, "Mean and spread are those of the valid turns. They are those of all B.",
               "均值和标准差只用了有效的回合。要用全部 B 条。",
               lambda *a: (_of_valid(*a)[0], total_reward(*a)[1])),
        _named(_paid(penalty=lambda total, valid: total), "What is no valid turn is paid as if it were one: minus 2.",
               "不是有效回合的没有扣分：要扣 2。"),
        _named(_paid(penalty=lambda total, valid: total - 2 * valid),
               "The *valid* turns pay 2. Those that are not are to.", "扣的是*有效*的回合。应当扣无效的。"),
        _named(_paid(penalty=lambda total, valid: total + 2 * (~valid)), "2 is added where the turn is not valid. Take "
               "it off.", "无效的回合反而加了 2。应当减。"),
        _named(_paid(penalty=lambda total, valid: torch.where(valid, total, -2.0)),
               "What is no valid turn gets -2 and nothing else. 2 is taken off what it would have got.",
               "无效的回合只得了 -2。应当从它本来该得的里面减去 2。"),
        _named(_paid(penalty=lambda total, valid: total * valid),
               "What is no valid turn gets 0. That may be better than a bad valid one: take off 2.",
               "无效的回合得了 0。这可能比一个差的有效回合还好：应当减 2。"),
        _named(_paid(penalty=lambda total, valid: total - (~valid).float()), "1 is taken off. It is 2.",
               "只减了 1。应当减 2。"),
        _cost(lambda spread, r, normalise, average: 1.0, "`cost` is always 1. That holds of the raw sum only.",
              "`cost` 总是 1。只有不标准化又求和时才是这样。"),
        _cost(lambda spread, r, normalise, average: 1.0 / (r if average else 1),
              "`cost` forgets the normalising: one point in the sum is one standard deviation of raw preference.",
              "`cost` 没有考虑标准化：总和里的 1 分，是原始偏好的一个标准差。"),
        _cost(lambda spread, r, normalise, average: spread if normalise else 1.0,
              "`cost` forgets the mean: there a rule is worth 1/R.", "`cost` 没有考虑平均：这时一条规则只值 1/R。"),
        _cost(lambda spread, r, normalise, average: (1 / spread if normalise else 1.0) / (r if average else 1),
              "`cost` divides by the spread. Raw points = normalised points *times* the spread.",
              "`cost` 除以了标准差。原始的分 = 标准化的分*乘*标准差。"),
        _cost(lambda spread, r, normalise, average: (spread if normalise else 1.0) * (r if average else 1),
              "`cost` is multiplied by R. In a mean of R each rule counts 1/R.",
              "`cost` 乘了 R。R 条取平均，每条只占 1/R。"),
        _cost(lambda spread, r, normalise, average: spread / (r if average else 1),
              "`cost` has the spread in it even where nothing is normalised.",
              "没有标准化的时候，`cost` 里也有标准差。"),
        _cost(lambda spread, r, normalise, average: (spread if normalise else 1.0) * (r if not average else 1),
              "`cost` is that of breaking all rules. Asked is one.", "`cost` 算的是违反所有规则。问的是一条。"),
        _named(lambda *a: total_reward(*a)[::-1], "The two results are exchanged: first the reward, then the cost.",
               "两个结果的次序反了：先是奖励，再是代价。"),
        ),
    "5c.6": (
        _named(_learned(policy=lambda here: -here["above"] * here["taken"]),
               "A gradient flows through the advantage: the critic learns to please the policy. Detach it.",
               "优势里有梯度流过：价值函数会去迎合策略。要 `detach`。"),
        _named(_learned(critic=lambda here: 0.5 * here["above"].detach().square()),
               "The critic does not learn: its own loss is detached. Detach the advantage of the policy's part only.",
               "价值函数学不到东西：它自己的损失也被 `detach` 了。只有策略那部分的优势要 `detach`。"),
        _named(_learned(policy=lambda here: here["above"].detach() * here["taken"]),
               "The policy's part has the wrong sign: this makes good responses less likely. The advantage is R - V, "
               "and a loss is minus what is to grow.",
               "策略那部分的符号反了：这样好的回答反而更难出现。优势是 R - V，而损失是要变大的东西的相反数。"),
        _named(_learned(policy=lambda here: -here["reward"][:, None] * here["taken"]),
               "The policy's part has the reward itself. The advantage is the reward above what the critic expected.",
               "策略那部分用的是奖励本身。优势是奖励减去价值函数的预期。"),
        _named(_learned(policy=lambda here: -here["above"].detach() * here["taken"].exp()),
               "The policy's part has the probability. It is its logarithm.",
               "策略那部分用的是概率。应当用对数概率。"),
        _named(_learned(policy=_at_the_end), "Only the last token has an advantage. Each token has R minus its own "
               "value.", "只有最后一个词元有优势。每个词元的优势都是 R 减去它自己的价值。"),
        _named(_learned(policy=_whitened), "The advantages are whitened, as in PPO. A2C takes them as they are.",
               "优势做了白化，像 PPO 那样。A2C 原样使用。"),
        _named(_learned(policy=_centred), "The batch's mean reward stands in for the critic. Use `value`.",
               "用整批的平均奖励代替了价值函数。要用 `value`。"),
        _named(_learned(critic=lambda here: here["above"].square()), "The ½ of the critic's part is missing.",
               "价值那部分少了 ½。"),
        _named(_learned(critic=lambda here: 0.5 * here["above"].abs()),
               "The critic's error is not squared.", "价值的误差没有平方。"),
        _named(_learned(critic=lambda here: -0.5 * here["above"].square()),
               "The critic's part is taken off: it would learn to be wrong.", "价值那部分被减掉了：它会学着出错。"),
        _named(_learned(critic=lambda here: 0.0 * here["above"]), "The critic's part is missing.", "缺了价值那部分。"),
        _named(_learned(drift=lambda here: (here["then"].exp() * (here["then"] - here["now"])).sum(-1)),
               "The KL is the wrong way round: this is KL(teacher ‖ π). The weights are π's.",
               "KL 的方向反了：这是 KL(老师 ‖ π)。权重应当是 π 的。"),
        _named(_learned(drift=_sampled_drift),
               "The KL looks at the sampled token only. Here it is the sum over the whole vocabulary.",
               "KL 只看了抽到的词元。这里要对整个词表求和。"),
        _named(_learned(drift=lambda here: -(here["now"].exp() * here["then"]).sum(-1)),
               "This is a cross-entropy with the teacher: π's own entropy is missing.",
               "这是和老师的交叉熵：少了 π 自己的熵。"),
        _named(_learned(drift=lambda here: (here["now"].exp() * (here["now"] - here["then"])).mean(-1)),
               "The KL is a mean over the vocabulary. It is a sum, weighed by π.",
               "KL 对词表取了平均。应当按 π 加权求和。"),
        _named(_learned(drift=lambda here: (here["then"].exp() * (here["now"] - here["then"])).sum(-1)),
               "The KL is weighed by the teacher's probabilities. The weights are π's.",
               "KL 用老师的概率加了权。权重应当是 π 的。"),
        _named(_learned(drift=lambda here: (here["now"].exp() * (here["then"] - here["now"])).sum(-1)),
               "The KL has the wrong sign: this drives the policy away from the teacher. It is added to the loss.",
               "KL 的符号反了：这样会把策略从老师身边推开。它要加进损失。"),
        _named(_learned(drift=lambda here: (here["now"].exp().detach() * (here["now"] - here["then"])).sum(-1)),
               "The KL's gradient lacks a part: π is in the weights, too. Do not detach them.",
               "KL 的梯度少了一部分：权重里也有 π。不要 `detach`。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: alpha * (policy + critic) + (1 - alpha) * drift),
               "α and 1 - α are exchanged: α is the teacher's share.", "α 和 1 - α 弄反了：α 是老师那份。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: policy + critic + alpha * drift),
               "The factor 1 - α is missing.", "少了因子 1 - α。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: (1 - alpha) * policy + critic + alpha * drift),
               "The critic's part stands outside of 1 - α. It belongs to A2C.",
               "价值那部分放在了 1 - α 外面。它属于 A2C。"),
        _named(_learned(over=_by_rows), "First a mean in each response, then over responses: tokens of short ones "
               "count more. It is one mean over all real tokens.",
               "先在每条回答里平均，再对回答平均：短回答的词元更重了。应当对所有真实的词元一起平均。"),
        _named(_learned(over=_summed), "A sum over the tokens. Wanted is the mean over the real ones.",
               "对词元求了和。要对真实的词元取平均。"),
        _named(_learned(over=_over_batch), "Summed over tokens, divided by the batch. Divide by the number of real "
               "tokens.", "对词元求和之后除以了批大小。要除以真实的词元数。"),
        _named(_learned(over=_everywhere), "The padding counts in the mean. Divide by the number of real tokens.",
               "平均时填充也算了数。要除以真实的词元数。"),
        _named(_times_mask, "Multiplying by the mask leaves NaN: 0 · NaN is NaN. Take the real tokens out first, "
               "`x[mask]`.", "乘掩码去不掉 NaN：0 · NaN 还是 NaN。先取出真实的词元，`x[mask]`。"),
        _named(lambda *a: a2c_loss(*a[:6], 0.1), "0.1 is written into it. Use `alpha`.",
               "里面写死了 0.1。要用 `alpha`。"),
        ),
    "5c.7": (
        _named(_ranked(rules=lambda kept: kept.mean(-1)),
               "This is the arithmetic mean: a broken rule is forgiven. Take the geometric one.",
               "这是算术平均：一条违规就被原谅了。要用几何平均。"),
        _named(_ranked(rules=lambda kept: kept.prod(-1)), "The product lacks its root: more rules would mean a lower "
               "score.", "乘积没有开方：规则越多，得分就越低。"),
        _named(_ranked(rules=lambda kept: kept.prod(-1) ** 0.5),
               "The square root is taken. It is the R-th root, R the number of rules.",
               "开的是平方根。应当开 R 次方，R 是规则数。"),
        _named(_ranked(rules=lambda kept: kept.amin(-1)), "Only the rule that is kept worst counts. It is the "
               "geometric mean of all.", "只算了守得最差的规则。要用全部规则的几何平均。"),
        _named(_ranked(rules=lambda kept: (1 - kept).prod(-1) ** (1 / kept.shape[1])),
               "`kept` already is the probability that a rule is kept: do not turn it round.",
               "`kept` 已经是守住规则的概率：不要再反过来。"),
        _named(_ranked(rules=lambda kept: (kept + 1e-6).log().mean(-1).exp()),
               "Something small was added to `kept`. Where a rule is surely broken, the score is 0 exactly.",
               "给 `kept` 加了一个小数。肯定违规时，得分恰好是 0。",
               _ranked(rules=lambda kept: kept.clamp(min=1e-6).log().mean(-1).exp()),
               _ranked(rules=lambda kept: kept.clamp(min=1e-4).log().mean(-1).exp())),
        _named(_ranked(liked=lambda r: r.exp()), "e^r alone has no upper end. It is divided by e^r + e^(mean r).",
               "只有 e^r，没有上限。要除以 e^r + e^(r 的平均)。"),
        _named(_ranked(liked=lambda r: r.softmax(-1)), "This is a softmax over the candidates. Each is compared with "
               "the average one: σ(r - mean r).", "这是对各候选的 softmax。每一条要和平均的候选比：σ(r - r 的平均)。"),
        _named(_ranked(liked=torch.sigmoid), "The mean of the candidates is missing: a preference model has no zero.",
               "没有减去候选的平均：偏好模型没有零点。"),
        _named(_ranked(liked=lambda r: r - r.mean()), "σ is missing around the preference.", "偏好外面少了 σ。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r.mean() - r)),
               "The preference is turned round: what is liked least scores highest.",
               "偏好反了：最不受欢迎的得分最高。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r - r.amax())),
               "Each is compared with the best candidate. It is compared with the mean.",
               "和最好的候选比了。应当和平均比。", _ranked(liked=lambda r: torch.sigmoid(r - r.median()))),
        _named(_ranked(liked=_others_mean), "The mean leaves the candidate itself out. It is over all N.",
               "平均时漏了它自己。应当是全部 N 条的平均。"),
        _named(_ranked(liked=lambda r: torch.sigmoid((r - r.mean()) / (r.std() if len(r) > 1 else 1.0))),
               "The preferences are divided by their spread. They are not here.",
               "偏好除以了标准差。这里不用。"),
        _named(_ranked(liked=lambda r: r.exp() / (r.exp() + r.mean().exp())),
               "e^r overflows where preferences are large, and inf/inf is NaN. Use `torch.sigmoid`.",
               "偏好很大时 e^r 会溢出，inf/inf 是 NaN。用 `torch.sigmoid`。",
               _ranked(liked=lambda r: r.exp() / (r.exp() + r.exp().mean()))),
        _named(_ranked(both=lambda one, two: one + two),
               "The factors are added: to be liked makes up for a broken rule. Multiply.",
               "两个因子相加了：受欢迎就能抵消违规。要相乘。", _ranked(both=lambda one, two: (one + two) / 2)),
        _named(_ranked(both=lambda one, two: one), "The rules are missing.", "没有用规则。"),
        _named(_ranked(both=lambda one, two: two), "The preference is missing.", "没有用偏好。"),
        _named(_best(lambda preference, kept, score: int(score.argmax()) + 1),
               "`best` is counted from 1. Count from 0.",
               "`best` 从 1 数起了。要从 0 数起。"),
        _named(_best(lambda preference, kept, score: int(preference.argmax())),
               "`best` is the best liked. It is the one of the highest score.",
               "`best` 取的是最受欢迎的。应当是得分最高的。"),
        _named(_best(lambda preference, kept, score: int(score.argmin())), "`best` is the one of the lowest score.",
               "`best` 取了得分最低的。"),
        _named(_best(_latest), "Of two that are equally good the later was taken. Take the earlier.",
               "两条一样好时取了后面的。要取前面的。"),
        _named(lambda preference, kept: rerank(preference, kept)[::-1],
               "The two results are exchanged: first the place, then the scores.",
               "两个结果的次序反了：先是位置，再是各条的得分。"),
        ),
}
