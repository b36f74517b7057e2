"""What goes wrong in lesson 02, first part: which pairs a ranking holds, and the loss of one pair and of a ranking."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_02 import rank_to_pairs, ranking_loss
from rlhf_kit.formulas import preference


def _every(ranks: list[int], wanted) -> Tensor:
    """Pairs of places for which `wanted(i, j)` holds, in order."""
    found = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if wanted(i, j)]
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2)


def _winner_first(ranks: list[int]) -> Tensor:
    """The right pairs in the order in which two loops meet them."""
    found = [(i, j) if ranks[i] < ranks[j] else (j, i) for i in range(len(ranks)) for j in range(i + 1, len(ranks))
             if ranks[i] != ranks[j]]
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2)


def _rows_sorted(pairs: Tensor, key) -> Tensor:
    return torch.tensor(sorted(pairs.tolist(), key=key), dtype=torch.long).reshape(-1, 2)


def _ties_by_place(ranks: list[int]) -> Tensor:
    """All twos, of equal ranks the first in the list as the winner."""
    twos = [(i, j) for i in range(len(ranks)) for j in range(i + 1, len(ranks))]
    return torch.tensor([(i, j) if ranks[i] <= ranks[j] else (j, i) for i, j in twos], dtype=torch.long).reshape(-1, 2)


def _looked_up(ranks: list[int], sort: bool) -> Tensor:
    place = {rank: i for i, rank in enumerate(ranks)}
    pairs = [[place[a], place[b]] for a in ranks for b in ranks if a < b]
    return torch.tensor(sorted(pairs) if sort else pairs, dtype=torch.long).reshape(-1, 2)


def _first_of_that_rank(ranks: list[int]) -> Tensor:
    pairs = [(ranks.index(ranks[i]), ranks.index(ranks[j])) for i, j in rank_to_pairs(ranks).tolist()]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _by_rank(ranks: list[int]) -> Tensor:
    pairs = rank_to_pairs(ranks).tolist()
    return torch.tensor(sorted(pairs, key=lambda p: (ranks[p[0]], p[0], ranks[p[1]], p[1])),
                        dtype=torch.long).reshape(-1, 2)


def _next_in_order(ranks: list[int]) -> Tensor:
    """Neighbours of the sorted list: of a tie one response alone."""
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    found = sorted((i, j) for i, j in pairwise(order) if ranks[i] < ranks[j])
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2)


def _parts(score: Tensor, rank: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(better [B, K, K], gap, cost) as they should be, to make the mistakes from."""
    better = preference.preference_mask(rank, mask)
    gap = preference.margins(score, better)
    return better, gap, torch.where(better, -logsigmoid(gap), 0.0)


def _of_pairs(score: Tensor, better: Tensor) -> Tensor:
    """The loss over other pairs than the right ones."""
    cost = torch.where(better, -logsigmoid(score[:, :, None] - score[:, None, :]), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def _real(mask: Tensor) -> Tensor:
    """[B, K, K] pairs of two different responses that exist."""
    return mask[:, :, None] & mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool)


def _all_pairs(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    return _parts(score, rank, mask)[2].sum() / preference.preference_mask(rank, mask).sum()


def _choose_two(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    k = mask.sum(1)
    return (cost.sum((1, 2)) / (k * (k - 1) / 2)).sum() / better.any(2).any(1).sum()


def _ties_are_nothing(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    return (cost.sum((1, 2)) / better.sum((1, 2)).clamp(min=1)).mean()


def _ties_are_nan(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    return (cost.sum((1, 2)) / better.sum((1, 2))).mean()


def _log_of_sigmoid(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, gap, _ = _parts(score, rank, mask)
    pairs = better.sum((1, 2))
    cost = torch.where(better, -torch.sigmoid(gap).log(), 0.0).sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def _times_the_table(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """As it should be, but for a product where `where` belongs."""
    better = preference.preference_mask(rank, mask)
    cost = (-logsigmoid(score[:, :, None] - score[:, None, :]) * better).sum((1, 2))
    return (cost / better.sum((1, 2)).clamp(min=1)).sum() / (better.sum((1, 2)) > 0).sum()


def _choose_two_of_the_row(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    k = mask.shape[1]
    return cost.sum() / (k * (k - 1) / 2) / better.any(2).any(1).sum()


def _bounded(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, gap, _ = _parts(score, rank, mask)
    pairs = better.sum((1, 2))
    return (torch.where(better, -torch.sigmoid(gap), 0.0).sum((1, 2)) / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def _until_a_tie(ranks: list[int]) -> Tensor:
    """`break` where a tie should only be passed over."""
    found = []
    for i in range(len(ranks)):
        for j in range(len(ranks)):
            if i != j and ranks[i] == ranks[j]:
                break
            if ranks[i] < ranks[j]:
                found.append((i, j))
    return torch.tensor(found, dtype=torch.long).reshape(-1, 2)


def _costs(score: Tensor, rank: Tensor, mask: Tensor) -> list[Tensor]:
    """Of each ranking that has a pair, -log σ of its pairs."""
    better, _, cost = _parts(score, rank, mask)
    return [cost[b][better[b]] for b in range(len(score)) if better[b].any()]


def _remembering(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """A list of pairs that is not emptied for the next ranking."""
    costs = _costs(score, rank, mask)
    return torch.stack([torch.cat(costs[:k + 1]).mean() for k in range(len(costs))]).mean()


def _full_only(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    full = mask.all(1)
    return ranking_loss(score[full], rank[full], mask[full]) if full.any() else ranking_loss(score, rank, mask)


def _top_only(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    top = rank.masked_fill(~mask, 10 ** 6).amin(1, keepdim=True)
    return _of_pairs(score, preference.preference_mask(rank, mask) & (rank == top)[:, :, None])


def _first_of_the_top(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """Of responses that are equally good, one alone stands against the rest."""
    real = rank.masked_fill(~mask, 10 ** 6)
    best = (torch.arange(rank.shape[1]) == real.argmin(1, keepdim=True))[:, :, None]
    return _of_pairs(score.masked_fill(~mask, 0.0), _real(mask) & best & (real[:, None, :] > real[:, :, None]))


def _weighted(score: Tensor, rank: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """A weighted mean over the rankings that have a pair; weight [B]."""
    weight = weight[preference.preference_mask(rank, mask).any(2).any(1)]
    return (torch.stack([cost.mean() for cost in _costs(score, rank, mask)]) * weight).sum() / weight.sum()


def _by_distance(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """Pairs weigh as much as their ranks are apart."""
    better, _, cost = _parts(score, rank, mask)
    weight = better * (rank[:, None, :] - rank[:, :, None])
    each = (weight * cost).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
    return each[better.any(2).any(1)].mean()


def _mean_of_gaps(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, gap, _ = _parts(score, rank, mask)
    means = torch.where(better, gap, 0.0).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)
    return -logsigmoid(means)[better.any(2).any(1)].mean()


def _list_by_list(score: Tensor, rank: Tensor, mask: Tensor, loss) -> Tensor:
    """The mean of `loss(scores, ranks)` over the rankings in which somebody wins; of those that it gives for."""
    lists = [(s[m], r[m]) for s, r, m in zip(score, rank, mask, strict=True) if len(r[m].unique()) > 1]
    losses = [loss(s, r) for s, r in lists]
    return torch.stack([x.mean() for x in losses if x is not None]).mean()


def _neighbours(score: Tensor, rank: Tensor) -> Tensor:
    order = rank.argsort()
    score, rank = score[order], rank[order]
    return -logsigmoid(score[:-1] - score[1:])[rank[:-1] < rank[1:]]


def _plackett_luce(score: Tensor, rank: Tensor) -> Tensor:
    score = score[rank.argsort(stable=True)]
    return torch.stack([score[k:].logsumexp(0) - score[k] for k in range(len(score) - 1)])


def _all_of(score: Tensor, rank: Tensor, cost=lambda gap: -logsigmoid(gap)) -> Tensor:
    return cost(score[:, None] - score[None, :])[rank[:, None] < rank[None, :]]


def _by_better(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    losers = better.sum(2)
    each = cost.sum(2) / losers.clamp(min=1)
    return (each.sum(1) / (losers > 0).sum(1).clamp(min=1))[(losers > 0).any(1)].mean()


def _across(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """All responses of the batch as one ranking."""
    return _all_of(score[mask], rank[mask]).mean()


RANK_TO_PAIRS: tuple[Mistake, ...] = (
    Mistake(lambda ranks: _every(ranks, lambda i, j: i != j and ranks[i] <= ranks[j]),
            "Ties are in it, from both sides. Equal ranks say that neither won: leave the pair out.",
            "平局也算了进来，而且两边各算一次。名次相同就是没有胜负，这一对不要。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] <= ranks[j]),
            "Ties are in it, and every place beats itself: equal ranks say that neither won. Take `<`, not `<=`.",
            "平局也算了进来，连每个位置和它自己也算一对。名次相同就是没有胜负：用 `<`，不用 `<=`。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] != ranks[j]),
            "Every pair is in it twice, once with the loser first. Keep only (i, j) where rank i is smaller.",
            "每一对都出现了两次，其中一次把输家写在前面。只留名次 i 更小的 (i, j)。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[j] - ranks[i] == 1),
            "Only neighbours are compared, whose ranks differ by 1. Every pair with a winner counts.",
            "只比较了名次相差 1 的邻居。只要有胜负，每一对都算。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: abs(i - j) == 1 and ranks[i] < ranks[j]),
            "Only neighbours in the list are compared. Every pair with a winner counts.",
            "只比较了列表里相邻的两个。只要有胜负，每一对都算。"),
    Mistake(_winner_first,
            "The pairs are right, their order is not: after winner and loser have been put in place, sort again, "
            "by the place of the winner, then by that of the loser.",
            "对是对的，次序不对：赢家换到前面之后，还要再排一次，先按赢家的位置，再按输家的位置。",
           ),
    *(Mistake(wrong,
              "A tie is in it, decided by the order of the list. Equal ranks say that neither won: leave the "
              "pair out.",
              "平局也算了进来，按列表里的先后定了胜负。名次相同就是没有胜负，这一对不要。") for wrong in (
        _ties_by_place, lambda ranks: _rows_sorted(_ties_by_place(ranks), None), lambda ranks: _rows_sorted(
            _ties_by_place(ranks), lambda pair: [sorted(range(len(ranks)), key=lambda i: ranks[i]).index(i)
                                                 for i in pair]))),
    *(Mistake(lambda ranks, first=first: _looked_up(ranks, first),
              "Places were kept in a dict under their rank, and of equal ranks one is left. Go over places, not "
              "over ranks.",
              "位置存进了以名次为键的字典，名次相同的只剩一个。请按位置循环，而不是按名次。")
      for first in (False, True)),
    Mistake(lambda ranks: torch.stack([*rank_to_pairs(ranks)]),
            "Where nobody wins, `torch.stack` has nothing to put together and fails. The result is then `[0, "
            "2]`, as `torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` makes it.",
            "没有胜负时，`torch.stack` 没有东西可叠，就会出错。这时结果应是 `[0, 2]`，写成 "
            "`torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` 就行。"),
    Mistake(_first_of_that_rank,
            "`ranks.index` finds the first response of that rank only; with equal ranks it is the wrong one. Go "
            "over places, not over ranks.",
            "`ranks.index` 只找得到那个名次的第一个回答；名次相同时就找错了。请按位置循环，而不是按名次。"),
    Mistake(lambda ranks: rank_to_pairs(ranks) + 1,
            "Places are counted from 1. In Python, and for indexing, the first place is 0.",
            "位置从 1 数起了。在 Python 里，取下标时第一个位置是 0。"),
    Mistake(lambda ranks: rank_to_pairs(ranks).T,
            "The table lies on its side: it has [2, P]. Wanted is [P, 2], a row for each pair.",
            "表格横过来了，成了 [2, P]。要的是 [P, 2]，一对占一行。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] <= ranks[j]),
            "A tie is in it, and pairs whose winner stands later in the list are missing. Compare ranks strictly, "
            "both ways round.",
            "平局算了进来，赢家排在后面的对却漏了。要严格比较名次，两个方向都看。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: i < j),
            "The ranks are not used: this takes the list to be in order and without ties.",
            "没有用到名次：这样假定了列表已按名次排好，而且没有平局。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] < ranks[j]),
            "Pairs whose winner stands later in the list are missing. Look at every i and every j.",
            "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] != ranks[j]),
            "The one that stands first in the list is taken for the winner. The winner has the smaller rank.",
            "这里把列表里靠前的当成了赢家。名次数字小的才是赢家。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] == min(ranks) < ranks[j]),
            "Only the best is compared with the others. Every pair with a winner counts.",
            "只拿最好的和别的比了。只要有胜负，每一对都算。",
            (lambda ranks: _every(ranks, lambda i, j: i == ranks.index(min(ranks)) and ranks[i] < ranks[j]),)),
    Mistake(lambda ranks: rank_to_pairs(sorted(ranks)),
            "The list was sorted first, so these are places in the sorted list. Wanted are places in the list as "
            "it was given.",
            "先把列表排了序，写出的就成了排序后的位置。要的是原来列表里的位置。"),
    Mistake(lambda ranks: _rows_sorted(rank_to_pairs(ranks), lambda pair: (pair[1], pair[0])),
            "The pairs are right, their order is not: they are sorted by the loser. Sort by the place of the "
            "winner first.",
            "对是对的，次序不对：这里按输家排了。先按赢家的位置排。"),
    Mistake(lambda ranks: rank_to_pairs(ranks).flip(0),
            "The pairs are right, their order is not: they run backwards. The winner with the smallest place comes "
            "first.",
            "对是对的，次序不对：从后往前排了。位置最小的赢家要排在最前面。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] > ranks[j]),
            "Winner and loser have changed places. Rank 1 is the best: the winner has the *smaller* rank.",
            "赢家和输家写反了。名次 1 最好：名次数字*小*的才是赢家。"),
    Mistake(lambda ranks: rank_to_pairs(ranks).flip(1),
            "Winner and loser have changed places. Rank 1 is the best; the better one comes first.",
            "赢家和输家写反了。名次 1 最好，好的那个写在前面。"),
    Mistake(lambda ranks: torch.tensor([[int(ranks[i]) - 1, int(ranks[j]) - 1]
                                        for i, j in rank_to_pairs(ranks).tolist()]).long().reshape(-1, 2),
            "These are ranks. Wanted are places in the list, from which the scores will be taken.",
            "这里写的是名次。要的是在列表里的位置，之后要按位置去取得分。",
            (lambda ranks: torch.tensor([[ranks[i], ranks[j]] for i, j in rank_to_pairs(ranks).tolist()]
                                        ).reshape(-1, 2),
             lambda ranks: torch.tensor([(a, b) for a in sorted(ranks) for b in sorted(ranks) if a < b],
                                        dtype=torch.long).reshape(-1, 2))),
    Mistake(_by_rank,
            "The pairs are right, their order is not: sort by the place of the winner, then by that of the loser.",
            "对是对的，次序不对：先按赢家的位置排，再按输家的位置排。"),
    Mistake(lambda ranks: rank_to_pairs(ranks).flatten(),
            "The places stand in one long row. Wanted is a row for each pair, [P, 2]: `.reshape(-1, 2)`.",
            "所有位置排成了一长行。要的是一对占一行，[P, 2]：用 `.reshape(-1, 2)`。"),
    Mistake(lambda ranks: (torch.tensor(ranks)[:, None] < torch.tensor(ranks)).long(),
            "This is the table of who beats whom, [K, K]. Wanted are the places where it is true, [P, 2]: "
            "`.nonzero()`.",
            "这是谁赢了谁的表，[K, K]。要的是表里成立的那些位置，[P, 2]：用 `.nonzero()`。"),
    Mistake(_until_a_tie,
            "At the first tie the loop ends, and the pairs after it are lost. Pass over that pair only: "
            "`continue`, not `break`.",
            "遇到平局循环就结束了，后面的对都丢了。只跳过这一对：用 `continue`，不用 `break`。"),
    Mistake(lambda ranks: rank_to_pairs(ranks) if len(set(ranks)) > 1 else torch.zeros(1, 2, dtype=torch.long),
            "Where nobody wins, a row of zeros came out, as if the first response beat itself. The result is then "
            "empty, [0, 2].",
            "没有胜负时给出了一行 0，好像第一个回答赢了自己。这时结果是空的，[0, 2]。"),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] < ranks[j] and j < len(ranks) - 1
                                 and i < len(ranks) - 1),
            "The last answer in the list is in no pair. Does a range end one too early?",
            "列表里的最后一个回答不在任何一对里。range 是不是早停了一步？",
            (lambda ranks: _every(ranks, lambda i, j: ranks[i] < ranks[j] and i < len(ranks) - 1),
             lambda ranks: _every(ranks, lambda i, j: ranks[i] < ranks[j] and j < len(ranks) - 1))),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[i] < ranks[j] and ranks.count(ranks[i]) == 1
                                 and ranks.count(ranks[j]) == 1),
            "Answers that share their rank are dropped. Each of them still beats or loses to the answers of other "
            "ranks.",
            "名次相同的回答被整个去掉了。它们和别的名次的回答之间仍有胜负。"),
    Mistake(lambda ranks: _rows_sorted(torch.tensor([(a, b) for a in ranks for b in ranks if a < b],
                                                    dtype=torch.long).reshape(-1, 2), None),
            "These are the ranks. Wanted are the places of the two answers in the list.",
            "这些是名次。要的是两个回答在列表里的位置。",
            (lambda ranks: torch.tensor([tuple(sorted((ranks[i], ranks[j]))) for i in range(len(ranks))
                                         for j in range(i + 1, len(ranks)) if ranks[i] != ranks[j]],
                                        dtype=torch.long).reshape(-1, 2),)),
    Mistake(lambda ranks: rank_to_pairs([rank % 256 for rank in ranks]),
            "Ranks that are too large for a byte wrap round. Take a type that holds any rank, as "
            "torch.tensor(ranks) does by itself.",
            "名次超出单字节的范围，就绕回去了。请用能装下任何名次的类型，torch.tensor(ranks) 本来就是这样。",
            (lambda ranks: rank_to_pairs([(rank + 128) % 256 - 128 for rank in ranks]),)),
    Mistake(lambda ranks: _rows_sorted(rank_to_pairs(ranks), str),
            "The pairs are sorted as text, so that 10 comes before 2. Sort them as numbers.",
            "这里把各对当作文字来排序，10 就排到了 2 前面。要按数来排。",
            (lambda ranks: _rows_sorted(rank_to_pairs(ranks), lambda p: (str(p[0]), str(p[1]))),)),
    Mistake(lambda ranks: _every(ranks, lambda i, j: ranks[j] == min(
                (rank for rank in ranks if rank > ranks[i]), default=None)),
            "Each answer is paired with the next one in the order alone. The best beats all that are worse, not "
            "only the second.",
            "每个回答只和次序里的下一个配了对。最好的胜过所有更差的，不只是第二名。",
            (_next_in_order,)),
)

PAIR_LOSS: tuple[Mistake, ...] = (
    Mistake(lambda chosen, rejected: -torch.sigmoid(chosen - rejected).log().mean(),
            "σ becomes exactly 0 when a pair is very wrong, and exp(-gap) infinite; either way the loss is "
            "infinite. Take logsigmoid, or softplus of the negative gap.",
            "一对错得很远时，σ 会变成 0，exp(-差) 会变成无穷大，损失都成了无穷大。请用 logsigmoid，"
            "或者对负的差取 softplus。"),
    Mistake(lambda chosen, rejected: -(torch.sigmoid(chosen - rejected) + 1e-8).log().mean(),
            "The small number inside the logarithm hides the infinity, and with it the gradient: a very wrong pair "
            "is no longer corrected. Take logsigmoid.",
            "对数里加的小数藏起了无穷大，也藏起了梯度：错得很远的对再也得不到纠正。请用 logsigmoid。",
            tuple(lambda chosen, rejected, small=small, hide=hide: -hide(torch.sigmoid(chosen - rejected), small
                                                                         ).log().mean()
                  for small in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-20, 1e-30)
                  for hide in (torch.add, torch.clamp_min))),
    *(Mistake(lambda chosen, rejected, most=most: -logsigmoid((chosen - rejected).clamp(-most, most)).mean(),
              "The gap or the loss was cut off: a very wrong pair costs too little and gets no gradient. "
              "logsigmoid takes any gap.",
              "差或损失被截断了：错得很远的对代价太小，也得不到梯度。logsigmoid 什么样的差都能算。",
              tuple(lambda chosen, rejected, most=most, cut=cut, log=log: -log(cut(chosen - rejected, -most)).mean()
                    for cut in (lambda gap, least: gap.clamp(least, -least), torch.clamp_min)
                    for log in (logsigmoid, lambda gap: torch.sigmoid(gap).log())))
      for most in (10, 20, 30, 50, 80, 100)),
    Mistake(lambda chosen, rejected: -(chosen.exp() / (chosen.exp() + rejected.exp())).log().mean(),
            "exp of a score of 1000 is infinite, and infinity over infinity is NaN. Only the gap matters: "
            "logsigmoid(chosen - rejected).",
            "得分为 1000 时 exp 是无穷大，无穷大除以无穷大是 NaN。要紧的只是差：logsigmoid(chosen - rejected)。",
            (lambda chosen, rejected: -(chosen - (chosen.exp() + rejected.exp()).log()).mean(),)),
    Mistake(lambda chosen, rejected: (rejected - chosen).exp().mean(),
            "This is exp(-gap). Wanted is -log σ(gap) = log(1 + exp(-gap)).",
            "这是 exp(-差)。要的是 -log σ(差) = log(1 + exp(-差))。"),
    Mistake(lambda chosen, rejected: -logsigmoid((chosen - rejected).mean()),
            "The mean was taken of the gaps. Take -log σ of each pair first, then the mean: a very wrong pair must "
            "not be made up for by a very right one.",
            "这里先对差取了平均。应当先对每一对取 -log σ，再取平均：错得很远的对不能被很对的对抵消。"),
    Mistake(lambda chosen, rejected: -torch.sigmoid(chosen - rejected).mean().log(),
            "The mean was taken of the probabilities. Take -log σ of each pair first, then the mean.",
            "这里先对概率取了平均。应当先对每一对取 -log σ，再取平均。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected),
            "This is the loss of each pair, [N]. Take the mean: one number.",
            "这是每一对各自的损失，[N]。请取平均：只要一个数。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen).mean() + logsigmoid(rejected).mean(),
            "The sigmoid is of each score alone. It is of the gap, chosen - rejected: a level means nothing.",
            "σ 是对每个得分单独取的。应当对差 chosen - rejected 取：得分的高低本身没有意义。",
            (lambda chosen, rejected: -logsigmoid(chosen).mean() - logsigmoid(-rejected).mean(),
             lambda chosen, rejected: -(torch.sigmoid(chosen) - torch.sigmoid(rejected)).log().mean())),
    Mistake(lambda chosen, rejected: -logsigmoid((chosen - rejected).abs()).mean(),
            "The sign of the gap is lost: a wrong pair costs as little as a right one. Leave out the absolute "
            "value.",
            "差的符号丢了：错的对代价和对的一样小。不要取绝对值。"),
    Mistake(lambda chosen, rejected: (1 - torch.sigmoid(chosen - rejected)).mean(),
            "This is 1 - σ, without the logarithm: a very wrong pair has hardly any gradient. Take -log σ.",
            "这是 1 - σ，少了对数：错得很远的对几乎没有梯度。应为 -log σ。"),
    *(Mistake(lambda chosen, rejected, margin=margin: -logsigmoid(chosen - rejected - margin).mean(),
              "A margin is taken off the gap. Wanted is -log σ(chosen - rejected).",
              "差里减去了一个间隔。要的是 -log σ(chosen - rejected)。") for margin in (1, 0.5)),
    Mistake(lambda chosen, rejected: (1 - chosen + rejected).clamp(min=0).mean(),
            "This is a hinge, max(0, 1 - gap). Wanted is -log σ(gap), which never stops pulling.",
            "这是 hinge 损失 max(0, 1 - 差)。要的是 -log σ(差)，它从不停止拉开。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).mean() / math.log(2),
            "The logarithm is that of base 2. Take the natural one.", "这是以 2 为底的对数。请用自然对数。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).median(),
            "This is the median over pairs. Take the mean.", "这是各对的中位数。请取平均。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).sum(),
            "This is a sum over pairs. Take the mean, or long batches make large steps.",
            "这是各对之和。请取平均，否则批次越大步子越大。"),
    Mistake(lambda chosen, rejected: -logsigmoid(rejected - chosen).mean(),
            "The gap is the wrong way round: this loss falls when the rejected answer scores higher.",
            "差的方向反了：这样的损失，落选的回答得分越高就越小。"),
    Mistake(lambda chosen, rejected: logsigmoid(chosen - rejected).mean(),
            "The minus is missing: a loss is minimised, a log-probability is to grow.",
            "少了负号：损失要变小，对数概率要变大。"),
    Mistake(lambda chosen, rejected: -torch.sigmoid(chosen - rejected).mean(),
            "This is -σ, without the logarithm: at a gap of -5 its gradient is 150 times too small.",
            "这是 -σ，少了对数：差为 -5 时，它的梯度小了 150 倍。"),
    Mistake(lambda chosen, rejected: torch.log(1 + torch.exp(rejected - torch.exp(chosen))).mean(),
            "exp(chosen) stands inside the exponent. It is log(1 + exp(rejected - chosen)); a printed version of "
            "this formula has that slip.",
            "指数里多了一层 exp(chosen)。应为 log(1 + exp(rejected - chosen))；有的文章里就印错了。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).mean().detach(),
            "No gradient reaches the scores, so nothing can learn from this loss. Stay with tensors: no `.item()`, "
            "`.detach()`, `torch.tensor(...)` or `no_grad` in it.",
            "梯度传不到得分上，这样的损失教不会任何东西。请一直用张量：里面不要 `.item()`、`.detach()`、"
            "`torch.tensor(...)` 或 `no_grad`。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen.detach() - rejected).mean(),
            "No gradient reaches the chosen scores: a pair pushes one up *and* the other down.",
            "梯度没有传到入选的得分上：一对回答，一个要推高，*另一个*要压低。"),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected.detach()).mean(),
            "No gradient reaches the rejected scores: a pair pushes one up *and* the other down.",
            "梯度没有传到落选的得分上：一对回答，一个要推高，*另一个*要压低。"),
    *(Mistake(lambda chosen, rejected, more=more: -logsigmoid(
                  (chosen - rejected) / ((chosen - rejected).std(unbiased=False) + more)).mean(),
              "The gaps were divided by their spread. Take each gap as it is: its size says how sure the model is.",
              "差被除以了它们的标准差。每个差原样使用：它的大小说明模型有多大把握。") for more in (1, 1e-8)),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).sum() / max(len(chosen) - 1, 1),
            "This divides by N - 1. A mean over N pairs divides by N.",
            "这里除的是 N - 1。N 对的平均要除以 N。",
            (lambda chosen, rejected: -logsigmoid(chosen - rejected).sum() / (len(chosen) - 1),)),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).max(),
            "This is the loss of the worst pair alone. Take the mean over all pairs.",
            "这只是最差一对的损失。要对所有的对取平均。",
            (lambda chosen, rejected: -logsigmoid((chosen - rejected).min()),)),
    Mistake(lambda chosen, rejected: -logsigmoid(chosen[:, None] - rejected[None, :]).mean(),
            "Every chosen score is compared with every rejected one, [N, N]. A chosen answer belongs to one "
            "rejected answer, that in the same place.",
            "每个入选的得分和每个落选的都比了，[N, N]。一个入选的回答只对应同一位置上的那个落选的回答。"),
    *(Mistake(lambda chosen, rejected, beta=beta: -logsigmoid(beta * (chosen - rejected)).mean(),
              "The gap is multiplied by a number, as DPO does with its β. Here it stands as it is: -log σ(chosen - "
              "rejected).",
              "差值乘上了一个数，像 DPO 的 β 那样。这里原样使用：-log σ(chosen - rejected)。")
      for beta in (0.1, 0.5, 2.0, 0.2, 0.01)),
    *(Mistake(lambda chosen, rejected, part=part: -((1 - part) * logsigmoid(chosen - rejected)
                                                     + part * logsigmoid(rejected - chosen)).mean(),
              "The labels are smoothed: part of the loss pulls the wrong way. Here every pair is certain, -log "
              "σ(gap) alone.",
              "这里做了标签平滑：损失有一部分往反方向拉。这里每一对都是确定的，只有 -log σ(差值)。")
      for part in (0.05, 0.1, 0.2, 0.01)),
    *(Mistake(lambda chosen, rejected, half=half: -(logsigmoid(chosen) + logsigmoid(-rejected)).mean() * half,
              "Each score is classified by itself, so a number added to both changes the loss. Only the gap "
              "matters: -log σ(chosen - rejected).",
              "这里对每个得分单独分类，两个都加上一个数，损失就变了。只有差值要紧：-log σ(chosen - rejected)。")
      for half in (0.5,)),
    *(Mistake(lambda chosen, rejected, most=most: (chosen - rejected - most).square().mean(),
              "This is a squared error of the gap: it pulls back a pair that is very right. Wanted is -log σ(gap).",
              "这是差值的平方误差：对得很远的一对反而会被拉回来。要的是 -log σ(差值)。") for most in (1.0, 0.0)),
    Mistake(lambda chosen, rejected: ((rejected - chosen).relu() + torch.log1p(
                (-(rejected - chosen).abs()).exp())).mean(),
            "The value is right, but not the gradient where a gap is exactly 0: relu, abs and clamp have a corner "
            "there. With a fresh head every gap is 0, so training would begin with a wrong step, or none. Take "
            "logsigmoid or softplus.",
            "数值对，但差恰好为 0 时梯度不对：relu、abs 和 clamp 在那里有个拐角。新的头给出的差全是 0，"
            "训练一开始就会走错，或者根本不动。请用 logsigmoid 或 softplus。",
            (lambda chosen, rejected: ((rejected - chosen).clamp(min=0) + torch.log1p(
                (-(rejected - chosen).abs()).exp())).mean(),)),
)

RANKING_LOSS: tuple[Mistake, ...] = (
    Mistake(lambda score, rank, mask: ranking_loss(score, rank, torch.ones_like(mask)),
            "Padding took part as a response, and with rank 0 it beats everybody. Both responses of a pair must "
            "exist: use the mask on both sides.",
            "填充被当成了回答，名次是 0，赢了所有人。一对里的两个回答都必须存在：两边都要用掩码。"),
    Mistake(_times_the_table,
            "0 times infinity is NaN, and the padding may hold anything. Choose with torch.where(better, cost, "
            "0.0), and multiply neither costs nor scores by a mask or by 0.",
            "0 乘无穷大是 NaN，而填充里什么都可能有。请用 torch.where(better, cost, 0.0) 来选，"
            "代价和得分都不要去乘掩码或 0。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, (rank[:, :, None] <= rank[:, None, :])
                                                & mask[:, :, None] & mask[:, None, :]),
            "Ties are counted, and each response against itself. Equal ranks say nothing: compare strictly, rank "
            "i < rank j.",
            "平局也算了，连每个回答和它自己也算一对。名次相同什么也没说：要严格比较，名次 i < 名次 j。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, (rank[:, None, :] - rank[:, :, None] == 1) & _real(mask)),
            "Only neighbours are compared, whose ranks differ by 1. Every pair with a winner counts.",
            "只比较了名次相差 1 的邻居。只要有胜负，每一对都算。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, (rank[:, :, None] < rank[:, None, :]) & _real(mask)
                                                & torch.ones_like(_real(mask)).triu(1)),
            "Pairs whose winner stands later in the row are missing. Compare every i with every j.",
            "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, (rank[:, :, None] <= rank[:, None, :]) & _real(mask)),
            "Ties are counted. Equal ranks say nothing: compare strictly, rank i < rank j.",
            "平局也算了。名次相同什么也没说：要严格比较，名次 i < 名次 j。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, torch.ones_like(_real(mask)).triu(1) & _real(mask)),
            "The ranks are not used: this takes every list to be in order, best first.",
            "没有用到名次：这样假定了每个列表都按从好到坏排好。"),
    Mistake(_all_pairs,
            "This is one mean over all pairs, so that a ranking of nine outweighs 36 of two. Take the mean over "
            "each ranking's pairs first, then over rankings.",
            "这里对所有的对只取了一次平均，一个九项排序就顶 36 个两项排序。先在排序内部取平均，再对排序取平均。"),
    Mistake(_choose_two,
            "Ties are left out of the sum and not out of the count: divide by the number of pairs that have a "
            "winner, not by K(K-1)/2.",
            "求和时去掉了平局，计数时没有：应除以有胜负的对数，而不是 K(K-1)/2。",
            (lambda score, rank, mask: (_parts(score, rank, mask)[2].sum((1, 2))
                                        / (mask.sum(1) * (mask.sum(1) - 1) / 2)).mean(),)),
    Mistake(_choose_two_of_the_row,
            "This divides by the pairs that the width of the row would give. Divide by the number of pairs that "
            "have a winner: ties and padding make it smaller.",
            "这里除以的是按整行宽度算出来的对数。应除以有胜负的对数：平局和填充都会使它变小。",
            (lambda score, rank, mask: _parts(score, rank, mask)[2].sum((1, 2)).mean() * 2
                                       / (mask.shape[1] * (mask.shape[1] - 1)),)),
    Mistake(lambda score, rank, mask: _parts(score, rank, mask)[2].mean(),
            "The mean runs over whole K by K tables, with the zeros where nobody wins. Divide each ranking's sum "
            "by its number of pairs.",
            "平均是对整张 K×K 的表取的，把没有胜负的 0 也算了进去。应当把每个排序的和除以它的对数。",
            (lambda score, rank, mask: _parts(score, rank, mask)[2].mean((1, 2)).sum()
                                       / preference.preference_mask(rank, mask).any(2).any(1).sum(),)),
    Mistake(lambda score, rank, mask: _parts(score, rank, mask)[2].sum(),
            "This is a sum over all pairs. Take the mean over each ranking's pairs, then the mean over rankings.",
            "这是所有对的总和。先在每个排序内部对各对取平均，再对排序取平均。"),
    Mistake(lambda score, rank, mask: ranking_loss(score, rank, mask)
            * preference.preference_mask(rank, mask).any(2).any(1).sum(),
            "The rankings are added up. Take the mean over rankings.", "对各个排序求了和。应当对排序取平均。"),
    Mistake(lambda score, rank, mask: ranking_loss(score, rank, mask).detach(),
            "No gradient reaches the scores, so nothing can learn from this loss. Stay with tensors: no `.item()`, "
            "`.detach()`, `torch.tensor(...)` or `no_grad` in it.",
            "梯度传不到得分上，这样的损失教不会任何东西。请一直用张量：里面不要 `.item()`、`.detach()`、"
            "`torch.tensor(...)` 或 `no_grad`。"),
    Mistake(_bounded,
            "This is -σ, without the logarithm: a very wrong pair has hardly any gradient. Take -log σ.",
            "这是 -σ，少了对数：错得很远的对几乎没有梯度。应为 -log σ。"),
    Mistake(lambda score, rank, mask: -ranking_loss(score, rank, mask),
            "The minus is missing: a loss is minimised, a log-probability is to grow.",
            "少了负号：损失要变小，对数概率要变大。"),
    Mistake(lambda score, rank, mask: ranking_loss(score, rank, torch.arange(mask.shape[1]) < mask.sum(1)[:, None]),
            "The first responses of each row are taken, as many as the mask counts. Padding may stand in any "
            "place: use the mask itself.",
            "这里取了每行最前面的几个回答，个数等于掩码里 True 的个数。填充可以在任何位置：要用掩码本身。"),
    Mistake(lambda score, rank, mask: _of_pairs(score, _real(mask) & (rank[:, :, None] < rank[:, None, :])
                                                & (rank == 1)[:, :, None]),
            "Only the best is compared with the others. Every pair with a winner counts.",
            "只拿最好的和别的比了。只要有胜负，每一对都算。",
            (_top_only, _first_of_the_top)),
    *(Mistake(lambda score, rank, mask, of=of: (_parts(score, rank, mask)[2].sum((1, 2)) / of(mask)).sum()
              / preference.preference_mask(rank, mask).any(2).any(1).sum(),
              "This divides by the number of responses. Divide by the number of pairs that have a winner.",
              "这里除以的是回答的个数。应除以有胜负的对数。")
      for of in (lambda mask: mask.sum(1), lambda mask: mask.shape[1], lambda mask: mask.sum(1) ** 2)),
    Mistake(_ties_are_nothing,
            "A ranking of nothing but ties counts as a loss of 0 and thins out the mean. Leave it out.",
            "全是平局的排序被当成损失 0，把平均拉低了。应当不计。"),
    Mistake(_ties_are_nan,
            "A ranking of nothing but ties gives 0 / 0. Leave such rankings out of the mean.",
            "全是平局的排序会出现 0 / 0。取平均时不要算这样的排序。"),
    Mistake(lambda score, rank, mask: ranking_loss(-score, rank, mask),
            "The direction: rank 1 is the best, so i beats j where rank i is *smaller*, and the gap is then the "
            "score of i minus that of j.",
            "方向反了：名次 1 最好，名次 i *更小*才是 i 赢了 j，这时的差是 i 的得分减 j 的得分。"),
    Mistake(lambda score, rank, mask: _parts(score, rank, mask)[2].sum((1, 2))[
                preference.preference_mask(rank, mask).any(2).any(1)].mean(),
            "Within each ranking this is a sum over pairs. Take their mean, or a long ranking makes a large step.",
            "每个排序内部是求和。请取平均，否则排序越长步子越大。"),
    Mistake(_log_of_sigmoid,
            "σ becomes exactly 0 when a pair is very wrong, and exp(-gap) infinite; either way the loss is "
            "infinite. Take logsigmoid.",
            "一对错得很远时，σ 会变成 0，exp(-差) 会变成无穷大，损失都成了无穷大。请用 logsigmoid。"),
    Mistake(_remembering,
            "The pairs of earlier rankings are still in the list when the next one is averaged, so they count "
            "again and again. Begin each ranking with an empty list.",
            "算下一个排序时，前面排序的对还留在列表里，于是反复计入。每个排序都要从空列表开始。"),
    Mistake(_full_only,
            "Rankings that have padding are left out. They count too, with the responses they have.",
            "有填充的排序没有算。它们也要算，有几个回答就算几个。"),
    Mistake(_by_distance,
            "Pairs weigh more, the further their ranks are apart. Every pair with a winner weighs the same.",
            "名次差得越远的对，分量越大。只要有胜负，每一对的分量都一样。"),
    Mistake(_mean_of_gaps,
            "The mean was taken of the gaps of a ranking. Take -log σ of each pair first, then the mean.",
            "这里先对一个排序里的差取了平均。应当先对每一对取 -log σ，再取平均。"),
    Mistake(lambda score, rank, mask: _weighted(score, rank, mask, mask.sum(1)),
            "Longer rankings weigh more. The last mean is over rankings, and each weighs the same.",
            "越长的排序分量越大。最后是对排序取平均，每个排序的分量都一样。"),
    Mistake(lambda score, rank, mask: (_parts(score, rank, mask)[2].sum((1, 2)) / (mask.sum(1) * (
                mask.sum(1) - 1)).clamp(min=1))[preference.preference_mask(rank, mask).any(2).any(1)].mean(),
            "This divides by K(K-1), which counts every pair from both sides, and ties as well. Divide by the "
            "number of pairs that have a winner.",
            "这里除以了 K(K-1)：每一对从两边各数了一次，平局也数了。应除以有胜负的对数。"),
    Mistake(lambda score, rank, mask: _list_by_list(score, rank, mask, _neighbours),
            "Only neighbours in the ranking are compared. Every pair with a winner counts: rank 1 beats rank 3 as "
            "well.",
            "只比较了排序里相邻的回答。每一对有胜负的都要算：名次 1 也胜过名次 3。"),
    Mistake(lambda score, rank, mask: _list_by_list(score, rank, mask, _plackett_luce),
            "This is the likelihood of the whole order (Plackett-Luce, ListMLE). Wanted is -log σ(gap) of every "
            "pair with a winner.",
            "这是整个次序的似然 (Plackett-Luce, ListMLE)。要的是每一对有胜负的回答的 -log σ(差值)。",
            (lambda score, rank, mask: _list_by_list(score, rank, mask, lambda s, r: _plackett_luce(s, r).sum()),)),
    Mistake(lambda score, rank, mask: _of_pairs(score.masked_fill(~mask, 0.0), _real(mask).triu(1)
                                                & (rank[:, :, None] != rank[:, None, :])),
            "The responses are taken to stand best first. They may stand in any order: the one of smaller rank is "
            "the better one.",
            "这里以为回答是从好到坏排的。它们可以按任何次序：名次小的才是更好的。"),
    Mistake(lambda score, rank, mask: _by_better(score, rank, mask),
            "This is a mean of means, for each better response over the worse ones. Every pair of a ranking weighs "
            "the same: sum, then divide once.",
            "这是平均的平均：先对每个较好的回答取平均。同一个排序里每一对的分量相同：先求和，再除一次。"),
    Mistake(lambda score, rank, mask: _list_by_list(score, rank, mask, lambda s, r: _all_of(s, r)
                                                    if len(r.unique()) == len(r) else None),
            "One tie drops the whole ranking. Only the tied pair has no winner; the others count.",
            "只要有一处平局，整个排序就被丢掉了。没有胜负的只是平局的那一对，别的都要算。"),
    Mistake(_across,
            "Responses to different prompts are compared, too. Ranks belong to one ranking: compare within a row.",
            "不同提示的回答也被拿来比较了。名次只在一个排序之内有意义：在同一行里比较。"),
    Mistake(lambda score, rank, mask: _of_pairs(score.masked_fill(~mask, 0.0), rank[:, :, None] < rank[:, None, :]),
            "Padding took part as a response, and with rank 0 it beats everybody. Both responses of a pair must "
            "exist: use the mask on both sides.",
            "填充当作回答参加了，而且名次是 0，谁都赢。一对里的两个都必须存在：两边都要用掩码。",
            (lambda score, rank, mask: _of_pairs(score.masked_fill(~mask, 0.0), mask[:, None, :]
                                                 & (rank[:, :, None] < rank[:, None, :])),)),
    *(Mistake(lambda score, rank, mask, least=least: _list_by_list(score, rank, mask, lambda s, r: _all_of(
                  s, r, lambda gap: -(torch.sigmoid(gap) + least).log())),
              "The small number inside the logarithm hides the infinity, and with it the gradient: a very wrong "
              "pair is no longer corrected. Take logsigmoid.",
              "对数里加的小数掩盖了无穷大，也掩盖了梯度：错得很远的一对不再得到改正。请用 logsigmoid。")
      for least in (1e-8, 1e-6, 1e-10, 1e-12)),
)
