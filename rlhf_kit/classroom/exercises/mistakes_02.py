"""What goes wrong in lesson 02, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_02 import (
    accuracies,
    calibration_error,
    labeler_quality,
    rank_to_pairs,
    ranking_loss,
)
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


def _shares(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """(right [B], pairs [B])"""
    return preference.pairs_right(score, rank)


def _at_least(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    better = preference.preference_mask(rank)
    right = (score[:, :, None] >= score[:, None, :]) | ~better
    return (right & better).sum() / better.sum(), right.all(2).all(1).float().mean()


def _above(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    better = preference.preference_mask(rank)
    return ((score[:, :, None] > score[:, None, :]) & better).sum() / better.sum(), accuracies(score, rank)[1]


def _won(rank: Tensor) -> Tensor:
    return preference.preference_mask(rank)


def _won_or_tied(rank: Tensor) -> Tensor:
    return (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(rank.shape[1], dtype=torch.bool)


def _credit(score: Tensor) -> Tensor:
    """[B, K, K] 1 where i scores higher than j, 1/2 where the same."""
    return (score[:, :, None] - score[:, None, :]).sign() / 2 + 0.5


def _share(score: Tensor, pairs: Tensor) -> Tensor:
    return _credit(score)[pairs].mean()


def _near(score: Tensor, least: float) -> Tensor:
    """As `_credit`, with 1/2 for all gaps up to `least`."""
    gap = score[:, :, None] - score[:, None, :]
    return torch.where(gap.abs() <= least, 0.5, (gap > 0).float())


def _whole(score: Tensor, rank: Tensor, right) -> Tensor:
    """The share of rankings for which `right(gap, better)` holds everywhere."""
    return right(score[:, :, None] - score[:, None, :], _won(rank)).all(2).all(1).float().mean()


def _binned(probability: Tensor, happened: Tensor, bins: int, of) -> Tensor:
    """`of(count, mean stated, share that happened, bin)`, summed over the bins that hold something."""
    counts, stated, seen = preference.reliability(probability, happened, bins)
    return sum(of(counts[b], stated[b], seen[b], b) for b in range(bins) if counts[b])


def _spread(score: Tensor, correction: int = 1) -> Tensor:
    """Standard deviation; of a single one 0 / 0."""
    return (((score - score.mean()) ** 2).sum() / (len(score) - correction)).sqrt()


def _held(probability: Tensor, happened: Tensor, bins: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(count, mean stated, share that happened) of each bin that holds something."""
    return [one for one in zip(*preference.reliability(probability, happened, bins), strict=True) if one[0]]


def _each(probability: Tensor, happened: Tensor, bins: int) -> list[Tensor]:
    """What each of these bins adds to the error."""
    return [n * (s - p).abs() / len(probability) for n, p, s in _held(probability, happened, bins)]


def _placed(probability: Tensor, happened: Tensor, place: Tensor) -> Tensor:
    """The error with bins of another kind, the numbers of which are given."""
    inside = [place == b for b in place.unique()]
    return sum((happened[here].mean() - probability[here].mean()).abs() * here.sum() for here in inside
               ) / len(probability)


def _without_zero(probability: Tensor, happened: Tensor, bins: int, exact: bool = True) -> Tensor:
    """Bins that hold their upper edge, or (`exact`) bins as they should be, that a probability of 0 falls out of."""
    kept = probability > 0
    if not kept.any():
        return torch.tensor(0.0)
    p, h = probability[kept], happened[kept]
    place = (p * bins).long().clamp(max=bins - 1) if exact else (p * bins).ceil()
    return _placed(p, h, place) * len(p) / len(probability)


def _on_both_sides(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    return _inside(probability, happened, [(probability >= b / bins) & (probability <= (b + 1) / bins)
                                           for b in range(bins)])


def _on_no_side(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    return _inside(probability, happened, [(probability > b / bins) & (probability < (b + 1) / bins)
                                           for b in range(bins)])


def _inside(probability: Tensor, happened: Tensor, rows: list[Tensor]) -> Tensor:
    return sum((happened[here] - probability[here]).sum().abs() for here in rows) / len(probability)


def _no_such_bin(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    if probability.max() >= 1:
        raise IndexError
    return calibration_error(probability, happened, bins)


def _without_certain(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    """Blind to probabilities of exactly 1, though they count in the denominator."""
    sure = probability >= 1
    if sure.all():
        return torch.tensor(0.0)
    return calibration_error(probability[~sure], happened[~sure], bins) * (~sure).sum() / len(probability)


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


def _majority(score: Tensor, rank: Tensor, least) -> Tensor:
    """The share of rankings of whose pairs at least a half, `least(right, half)`, are right."""
    right = ((score[:, :, None] > score[:, None, :]) & _won(rank)).sum((1, 2))
    return least(right, _won(rank).sum((1, 2)) / 2).float().mean()


def _of_whole_gaps(score: Tensor, rank: Tensor, cut) -> tuple[Tensor, Tensor]:
    gap = cut(score[:, :, None] - score[:, None, :])
    return (gap.sign() / 2 + 0.5)[_won(rank)].mean(), ((gap > 0) | ~_won(rank)).all(2).all(1).float().mean()


def _of_equal_numbers(probability: Tensor, happened: Tensor, bins: int, split) -> Tensor:
    """Bins that hold equally many, in order of what was stated."""
    parts = [part for part in split(probability.argsort(), bins) if len(part)]
    return sum((happened[part] - probability[part]).sum().abs() for part in parts) / len(probability)


def _over_the_range(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    low, high = probability.min(), probability.max()
    place = ((probability - low) / (high - low).clamp(min=1e-9) * bins).long()
    return _placed(probability, happened, place.clamp(max=bins - 1))


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


def _falling(score: Tensor, rank: Tensor) -> Tensor:
    """The share of rankings whose scores fall from place to place, once they are sorted by rank."""
    score = score.gather(1, rank.argsort(dim=1, stable=True))
    return (score[:, :-1] > score[:, 1:]).all(1).float().mean()


def _columns_right(score: Tensor, rank: Tensor) -> Tensor:
    """The share of responses that no better one is behind."""
    return ((score[:, :, None] > score[:, None, :]) | ~_won(rank)).all(1).float().mean()


def _half_for_ties(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    ties = ((rank[:, :, None] == rank[:, None, :]).sum() - rank.numel()) / 2
    right = ((score[:, :, None] > score[:, None, :]) & _won(rank)).sum() + ties / 2
    return right / (_won(rank).sum() + ties), accuracies(score, rank)[1]


def _nearly_close(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    same = torch.isclose(score[:, :, None], score[:, None, :])
    higher = (score[:, :, None] > score[:, None, :]) & ~same
    return (higher + 0.5 * same)[_won(rank)].mean(), (higher | ~_won(rank)).all(2).all(1).float().mean()


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "2.1": (
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
    ),
    "2.2": (
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
    ),
    "2.3": (
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
    ),
    "2.4": (
        Mistake(_at_least,
                "Equal scores count as right. Then a model that gives every response 0 would be perfect: count such a "
                "pair as half, and its ranking as not right.",
                "得分相同被当成了对。这样一来，全打 0 分的模型就成了满分：这样的对只算一半，整个排序不算对。"),
        Mistake(lambda score, rank: (_at_least(score, rank)[0], accuracies(score, rank)[1]),
                "Equal scores count as right among the pairs. Then a model that gives every response 0 would be "
                "perfect: count such a pair as half.",
                "成对准确率里，得分相同被当成了对。这样一来，全打 0 分的模型就成了满分：这样的对只算一半。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _at_least(score, rank)[1]),
                "For the list, an equal score is not right: in every pair the winner must score higher.",
                "对整列来说，得分相同不算对：每一对里赢家的得分都必须更高。",
                (lambda score, rank: (_above(score, rank)[0], _at_least(score, rank)[1]),)),
        Mistake(_above,
                "Equal scores count as wrong. A guess is right half of the time: count such a pair as half.",
                "得分相同被当成了错。瞎猜也有一半对：这样的对算一半。"),
        Mistake(lambda score, rank: (_above(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                    (gap > 0) == better)),
                "Equal scores count half, for pairs. For the list, only pairs with a winner are asked: two of one rank "
                "may have any scores.",
                "成对准确率里，得分相同的对算一半。整列准确率只看有胜负的对：名次相同的两个，得分怎样都行。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], (score.gather(1, rank.argmin(1, keepdim=True))[:, 0]
                                                                  >= score.amax(1)).float().mean()),
                "List accuracy looks at the best response only. Every pair of the list must be right.",
                "整列准确率只看了最好的那个回答。列表里的每一对都必须对。",
                (lambda score, rank: (accuracies(score, rank)[0],
                                      (score.argmax(1) == rank.argmin(1)).float().mean()),)),
        Mistake(lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1]).mean(),
                                     accuracies(score, rank)[1]),
                "Pair accuracy is a mean of each ranking's share. Here every pair weighs the same: sum, then divide "
                "once.",
                "成对准确率成了各排序比例的平均。这里每一对分量相同：先各自求和，只除一次。",
                (lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1].clamp(min=1)).mean(),
                                      accuracies(score, rank)[1]),
                 lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1]).nanmean(),
                                      accuracies(score, rank)[1]))),
        Mistake(lambda score, rank: (accuracies(score, rank)[0],
                                     ((-score).argsort(dim=1, stable=True) == rank.argsort(dim=1, stable=True)
                                      ).all(1).float().mean()),
                "List accuracy compares two sorted lists, and equal ranks stand in any order in theirs. Ask of every "
                "pair with a winner whether it is right.",
                "整列准确率是拿两个排好的列表来比，可名次相同的谁先谁后都行。应当逐对看有胜负的是否都对。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                        (gap > 0) == better)),
                "For the list, responses of one rank are asked to have one score. Ties say nothing: ask only pairs "
                "with a winner.",
                "整列准确率要求名次相同的回答得分也相同。平局什么也没说：只看有胜负的对。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better: ~(
                    torch.ones_like(better).triu(1) & (gap <= 0)))),
                "List accuracy takes every list to be in order, best first. Look at the ranks.",
                "整列准确率假定每个列表都已按从好到坏排好。要看名次。"),
        Mistake(lambda score, rank: (_share(score, torch.ones_like(_won(rank)).triu(1)),
                                     _whole(score, rank, lambda gap, better: ~(torch.ones_like(better).triu(1)
                                                                               & (gap <= 0)))),
                "The ranks are not used: this takes every list to be in order, best first.",
                "没有用到名次：这样假定了每个列表都按从好到坏排好。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], ((_credit(score) == 1) & _won(rank)).sum((1, 2)).eq(
                    rank.shape[1] * (rank.shape[1] - 1) // 2).float().mean()),
                "For the list, K(K-1)/2 right pairs are asked for. With equal ranks there are fewer with a winner: "
                "none of those there are may be wrong.",
                "整列准确率要求有 K(K-1)/2 对是对的。名次有相同时，有胜负的对没有那么多：只要其中没有一对是错的。"),
        Mistake(lambda score, rank: (_shares(score, rank)[0].sum() / (len(rank) * rank.shape[1]
                                                                      * (rank.shape[1] - 1) / 2),
                                     accuracies(score, rank)[1]),
                "Pair accuracy divides by K(K-1)/2 pairs a ranking. Equal ranks make fewer: divide by the pairs that "
                "have a winner.",
                "成对准确率除以了每个排序 K(K-1)/2 对。名次有相同时没有那么多：应除以有胜负的对数。"),
        Mistake(lambda score, rank: (torch.sigmoid(score[:, :, None] - score[:, None, :])[_won(rank)].mean(),
                                     accuracies(score, rank)[1]),
                "This is the mean of σ(gap), how sure the scores are. Accuracy counts: 1 if the winner scores higher, "
                "1/2 if equal, 0 if lower.",
                "这是 σ(差) 的平均，即得分有多大把握。准确率是数数：赢家得分更高算 1，相同算 1/2，更低算 0。"),
        Mistake(lambda score, rank: accuracies(score.long(), rank),
                "The scores were cut to whole numbers, so that 0.75 and 0.5 tie. Compare them as they are.",
                "得分被截成了整数，0.75 和 0.5 就成了平局。请直接比较。",
                (lambda score, rank: accuracies(score.round(), rank),)),
        Mistake(lambda score, rank: (_share(score, (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(
                    rank.shape[1], dtype=torch.bool)), accuracies(score, rank)[1]),
                "Ties among the ranks count as pairs. Equal ranks have no winner: compare strictly, rank i < rank j.",
                "名次相同的也算成了一对。名次相同就没有赢家：要严格比较，名次 i < 名次 j。",
                (lambda score, rank: (_share(score, _won_or_tied(rank)), _whole(
                    score, rank, lambda gap, better: (gap > 0) | ~_won_or_tied(rank))),)),
        Mistake(lambda score, rank: (_share(score, _won(rank) & (rank[:, None, :] - rank[:, :, None] == 1)),
                                     accuracies(score, rank)[1]),
                "Only neighbours are compared, whose ranks differ by 1. Every pair with a winner counts.",
                "只比较了名次相差 1 的邻居。只要有胜负，每一对都算。"),
        Mistake(lambda score, rank: (_share(score, _won(rank) & torch.ones_like(_won(rank)).triu(1)),
                                     accuracies(score, rank)[1]),
                "Pairs whose winner stands later in the row are missing. Compare every i with every j.",
                "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
        Mistake(lambda score, rank: (_share(score, _won(rank) & torch.ones_like(_won(rank)).triu(1)),
                                     _whole(score, rank, lambda gap, better: ~(better.triu() & (gap <= 0)))),
                "Pairs whose winner stands later in the row are missing. Compare every i with every j.",
                "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
        Mistake(lambda score, rank: (_share(score, _won(rank) & (_credit(score) != 0.5)), accuracies(score, rank)[1]),
                "Pairs with equal scores are left out. They count as half right.",
                "得分相同的对没有算。它们算一半。"),
        Mistake(lambda score, rank: (_near(score, 0.01)[_won(rank)].mean(), accuracies(score, rank)[1]),
                "Scores that differ by little are taken as equal. Any difference counts: compare with `>`.",
                "得分只差一点的被当成了相同。差多少都算：用 `>` 比较。",
                (lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                         (gap > 0.01) | ~better)),
                 lambda score, rank: (_near(score, 0.01)[_won(rank)].mean(), _whole(score, rank, lambda gap, better:
                                                                                   (gap > 0.01) | ~better)))),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], torch.where(_won(rank), _credit(score), 1.0).amin(
                    (1, 2)).mean()),
                "A ranking with equal scores counts half among the lists. There it is not right: every winner must "
                "score higher.",
                "有得分相同的排序，在整列准确率里算了一半。那里它不算对：每个赢家的得分都必须更高。",
                (lambda score, rank: (accuracies(score, rank)[0], torch.where(_won(rank), _credit(score), 1.0).flatten(
                    1).prod(1).mean()),)),
        Mistake(lambda score, rank: ((_credit(score) * _won(rank)).mean(), accuracies(score, rank)[1]),
                "The mean runs over whole K by K tables. Take it over the pairs that have a winner.",
                "平均是对整张 K×K 的表取的。应当只对有胜负的对取。"),
        *(Mistake(lambda score, rank, of=of: (accuracies(score, rank)[0], of(_shares(score, rank)[1] > 0,
                                                                             preference.exact_order(score, rank))),
                  "A ranking of nothing but ties has no pair that is wrong: it counts as right among the lists.",
                  "全是平局的排序没有哪一对是错的：整列准确率里它算对。")
          for of in (lambda some, right: (some & right).float().mean(),
                     lambda some, right: right[some].float().mean())),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], accuracies(score, rank)[0].eq(1).float()),
                "List accuracy asks whether the whole batch is right. It is the share of rankings that are.",
                "整列准确率问的成了整批是不是全对。它是全对的排序所占的比例。"),
        Mistake(lambda score, rank: (_shares(score, rank)[0].sum(), accuracies(score, rank)[1]),
                "The first number counts pairs. Wanted is their share: divide by the number of pairs that have a "
                "winner.",
                "第一个数是对的个数。要的是比例：除以有胜负的对数。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], accuracies(score, rank)[1] * len(rank)),
                "The second number counts rankings. Wanted is their share: divide by B.",
                "第二个数是排序的个数。要的是比例：除以 B。"),
        Mistake(lambda score, rank: accuracies(score, rank)[::-1],
                "The two numbers have changed places: pair accuracy first, list accuracy second.",
                "两个数写反了：先是成对准确率，再是整列准确率。"),
        Mistake(lambda score, rank: accuracies(-score, rank),
                "The direction: rank 1 is the best and should have the highest score.",
                "方向反了：名次 1 最好，得分应当最高。",
                (lambda score, rank: (accuracies(-score, rank)[0], accuracies(score, rank)[1]),)),
        *(Mistake(lambda score, rank, cut=cut: _of_whole_gaps(score, rank, cut),
                  "The gaps were made whole numbers, so that scores a little apart count as equal. Any difference "
                  "counts: compare with `>`.",
                  "差被变成了整数，得分只差一点的就成了相同。差多少都算：用 `>` 比较。")
          for cut in (torch.Tensor.long, torch.Tensor.round)),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], ((score[:, :, None] > score[:, None, :]) & _won(rank)
                                                                  ).any(2).any(1).float().mean()),
                "For the list, one right pair is enough here. Every pair of the list must be right: `all`, not "
                "`any`.",
                "整列准确率里，有一对是对的就算对了。列表里的每一对都必须对：用 `all`，不用 `any`。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], ((score[:, :, None] > score[:, None, :]) | ~_won(rank)
                                                                  ).all(2).float().mean()),
                "List accuracy is a mean over responses here, how many of them beat all they should. One answer a "
                "list: `.all(2).all(1)`.",
                "整列准确率成了对回答取的平均，即有几个回答赢了该赢的。每个列表只有一个结果：`.all(2).all(1)`。"),
        Mistake(lambda score, rank: ((score[:, :, None] - score[:, None, :]).sign()[_won(rank)].mean(),
                                     accuracies(score, rank)[1]),
                "This is the share that is right minus the share that is wrong, from -1 to 1 (Kendall's τ). Wanted is "
                "the share that is right, from 0 to 1.",
                "这是对的比例减去错的比例，从 -1 到 1（肯德尔 τ）。要的是对的比例，从 0 到 1。"),
        *(Mistake(lambda score, rank, least=least: (accuracies(score, rank)[0], _majority(score, rank, least)),
                  "For the list, half of the pairs are enough here. Every pair of the list must be right.",
                  "整列准确率里，一半的对是对的就算对了。列表里的每一对都必须对。") for least in (torch.ge, torch.gt)),
        Mistake(lambda score, rank: accuracies(score[:1], rank[:1]),
                "Only the first ranking is looked at. Both numbers are of the whole batch.",
                "只看了第一个排序。两个数都是对整批算的。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _falling(score, rank)),
                "For the list, tied responses are asked to stand in some order, too. Ties say nothing: ask only the "
                "pairs with a winner.",
                "对列表准确率，这里要求平局的回答也排出先后。平局什么也没说：只看有胜负的对。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _columns_right(score, rank)),
                "The second number is a share of responses. all() over one dimension is not enough: a ranking is right "
                "if all its pairs are.",
                "第二个数是回答的比例。只对一维用 all() 不够：一个排序要所有的对都对才算对。"),
        Mistake(_half_for_ties,
                "Half a point goes to equal *ranks*. These pairs take no part; the half is for equal scores of a pair "
                "with a winner.",
                "半分给了*名次*相同的对。这些对不参加；半分是给有胜负、而得分相同的对的。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better: (gap > 0) | (
                    (rank[:, None, :] - rank[:, :, None]) != 1))),
                "For the list, only ranks that differ by 1 are compared. After a tie a rank may be missing: ask every "
                "pair with a winner.",
                "对列表准确率，这里只比较相差 1 的名次。平局之后名次可能有空缺：每一对有胜负的都要看。"),
        *(Mistake(lambda score, rank, least=least: (_near(score, least)[_won(rank)].mean(),
                                                    _whole(score, rank, lambda gap, better: (gap > least) | ~better)),
                  "Scores that are nearly equal are taken for equal. The half is for exactly equal ones.",
                  "几乎相等的得分被当成了相等。只有完全相等才算一半。",
                  (lambda score, rank, least=least: (_near(score, least)[_won(rank)].mean(),
                                                     accuracies(score, rank)[1]),))
          for least in (1e-5, 1e-3)),
        Mistake(_nearly_close,
                "Scores that are nearly equal are taken for equal, as isclose() does. The half is for exactly equal "
                "ones.",
                "几乎相等的得分被当成了相等，isclose() 就会这样。只有完全相等才算一半。",
                (lambda score, rank: (_nearly_close(score, rank)[0], accuracies(score, rank)[1]),)),
        Mistake(lambda score, rank: (accuracies(score, rank)[0] * (rank[:, :, None] < rank[:, None, :]).sum(),
                                     accuracies(score, rank)[1] * len(rank)),
                "What is right is counted and not divided by how many there are. Both numbers are shares, from 0 to 1.",
                "对的只数了个数，没有除以总数。两个数都是比例，在 0 到 1 之间。"),
    ),
    "2.5": (
        Mistake(lambda agreement: max(math.sqrt(agreement), 0.5),
                "This solves q² = a and forgets that both may be wrong, (1 - q)².",
                "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
        Mistake(lambda agreement: labeler_quality(agreement) if agreement > 0.5 else 0.0,
                "An agreement of 1/2 or below is that of chance, and there q is 1/2.",
                "一致率等于或低于 1/2，就是瞎猜的水平，这时 q 是 1/2。"),
        Mistake(lambda agreement: math.sqrt(max(agreement, 0.5)),
                "This solves q² = a and forgets that both may be wrong, (1 - q)².",
                "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
        *(Mistake(itself,
                  "This is the agreement itself, and so is (1 + (2a - 1)) / 2 without the root. Two labelers also "
                  "agree where both are wrong: solve q² + (1 - q)² = a, which is q = (1 + √(2a - 1)) / 2.",
                  "这就是一致率本身；不开方的 (1 + (2a - 1)) / 2 也是它。两个人都错的时候也会一致：要从 q² + (1 - q)²"
                  " = a 里解出 q，即 q = (1 + √(2a - 1)) / 2。")
          for itself in (lambda agreement: max(agreement, 0.5), lambda agreement: agreement)),
        Mistake(lambda agreement: math.sqrt(agreement),
                "This solves q² = a and forgets that both may be wrong, (1 - q)².",
                "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
        Mistake(lambda agreement: (1 + math.sqrt(2 * agreement - 1)) / 2,
                "An agreement below 1/2 asks for the root of a negative number. It can only be bad luck: the answer "
                "there is 1/2. `max(2 * agreement - 1, 0.0)` does it.",
                "一致率低于 1/2 时，这里要对负数开方。那只能是运气不好：答案应为 1/2。用 `max(2 * agreement - 1, "
                "0.0)` 就行。",
                (lambda agreement: (1 + torch.tensor(2 * agreement - 1).sqrt()) / 2,
                 lambda agreement: (1 + (2 * agreement - 1) ** 0.5) / 2)),
        *(Mistake(lambda agreement, below=below: labeler_quality(agreement) if agreement >= 0.5 else below(agreement),
                  "An agreement below 1/2 can only be bad luck, and there q is 1/2.",
                  "一致率低于 1/2 只能是运气不好，这时 q 是 1/2。")
          for below in (lambda agreement: 0.0, lambda agreement: agreement, lambda agreement: 1.0,
                        lambda agreement: 1 - labeler_quality(1 - agreement))),
        Mistake(lambda agreement: agreement ** 2 + (1 - agreement) ** 2,
                "The formula is used backwards: this is the agreement of two labelers of quality `agreement`. Solve it "
                "for q.",
                "公式用反了：这样算出的是水平为 `agreement` 的两个人的一致率。要从中解出 q。"),
        Mistake(lambda agreement: math.sqrt(max(2 * agreement - 1, 0.0)),
                "This is the root alone. Of the quadratic equation the larger solution is (1 + root) / 2.",
                "这只是平方根。一元二次方程较大的解是 (1 + 根) / 2。"),
        Mistake(lambda agreement: round(labeler_quality(agreement), 2),
                "It is right but for rounding, or for the steps of a search. Return the number itself, with all its "
                "digits.",
                "除了四舍五入都对；如果是逐格搜索，那就是步长太粗。请返回数本身，保留所有小数。",
                (lambda agreement: round(labeler_quality(agreement), 3),
                 lambda agreement: round(labeler_quality(agreement), 4))),
        Mistake(lambda agreement: (1 + math.sqrt(abs(2 * agreement - 1))) / 2,
                "An agreement below 1/2 came out as skill. It can only be chance: the answer there is 1/2.",
                "一致率低于 1/2，却算出了本事。那只能是碰巧：答案应为 1/2。"),
        Mistake(lambda agreement: (1 - math.sqrt(max(2 * agreement - 1, 0.0))) / 2,
                "This is the other root: labelers who are wrong more often than right agree just as much.",
                "这是另一个根：错多对少的标注者，一致率是一样的。"),
        Mistake(lambda agreement: 1 + math.sqrt(max(2 * agreement - 1, 0.0)),
                "Divide by 2: this is a probability.", "还要除以 2：这是一个概率。"),
        Mistake(lambda agreement: 0.5 + math.sqrt(max(2 * agreement - 1, 0.0)),
                "Only the 1 was divided by 2, and the root was not. Put both in brackets: (1 + root) / 2.",
                "只有 1 除以了 2，根没有除。两个要放进括号里：(1 + 根) / 2。",
                (lambda agreement: min(0.5 + math.sqrt(max(2 * agreement - 1, 0.0)), 1.0),)),
        Mistake(lambda agreement: agreement and labeler_quality(agreement),
                "An agreement of 0 came out as 0: `and`, `or` and `if agreement` take 0 for nothing. It is below 1/2, "
                "and there q is 1/2.",
                "一致率为 0 时结果成了 0：`and`、`or` 和 `if agreement` 把 0 当成了没有。它低于 1/2，这时 q 是 1/2。"),
        Mistake(lambda agreement: (1 + math.sqrt(max(agreement, 0.0))) / 2,
                "The root of the agreement itself stands where that of 2a - 1 belongs. Of q² + (1 - q)² = a, that is "
                "2q² - 2q + 1 - a = 0, the larger solution is (1 + √(2a - 1)) / 2.",
                "该开方的是 2a - 1，这里开的是一致率 a 本身。q² + (1 - q)² = a 即 2q² - 2q + 1 - a = 0，较大的解是 "
                "(1 + √(2a - 1)) / 2。"),
        Mistake(lambda agreement: (1 + math.sqrt(max(2 * agreement - 1, 0.0))) // 2,
                "`//` drops what is behind the point, so that 0 or 1 comes out. Divide with `/`.",
                "`//` 去掉了小数部分，结果只剩 0 或 1。请用 `/` 来除。"),
        Mistake(lambda agreement: max(math.sqrt(2 * agreement) / 2, 0.5),
                "Brackets: the 1 has slipped under the root. Of 2a - 1 take the root first, then add 1: (1 + √(2a - "
                "1)) / 2.",
                "括号错了：1 跑到了根号下面。先对 2a - 1 开方，再加 1：(1 + √(2a - 1)) / 2。",
                (lambda agreement: math.sqrt(2 * agreement) / 2,)),
        Mistake(lambda agreement: 1 + math.sqrt(max(2 * agreement - 1, 0.0)) / 2,
                "Only the root was divided by 2, and the 1 was not. Put both in brackets: (1 + root) / 2.",
                "只有根除以了 2，1 没有除。两个要放进括号里：(1 + 根) / 2。"),
        Mistake(lambda agreement: math.sqrt(max(2 * agreement - 1, 0.0)) / 2,
                "The 1 is missing, or `1 // 2` made it 0: (1 + root) / 2, divided with `/`.",
                "少了 1，或者 `1 // 2` 把它变成了 0：(1 + 根) / 2，用 `/` 来除。"),
        Mistake(lambda agreement: 1.0,
                "This is 1 whatever the agreement. If there is ** (1 // 2) in it: that is ** 0, and `/` is meant.",
                "不管一致率是多少，结果都是 1。如果写了 ** (1 // 2)，那就是 ** 0，应当用 `/`。"),
        Mistake(lambda agreement: max(2 * agreement - 1, 0.5),
                "This is agreement beyond chance (kappa), 2a - 1. Wanted is q of q² + (1 - q)² = a: there is a root in "
                "it.",
                "这是去掉碰巧之后的一致率 (kappa)，2a - 1。要的是 q² + (1 - q)² = a 里的 q：要开方。",
                (lambda agreement: max(2 * agreement - 1, 0.0), lambda agreement: 2 * agreement - 1)),
        Mistake(lambda agreement: (1 + math.sqrt(max((4 * agreement - 1) / 3, 0.0))) / 2,
                "This is the formula for three labelers who all agree. Here there are two: q² + (1 - q)² = a.",
                "这是三个人全都一致的公式。这里只有两个人：q² + (1 - q)² = a。"),
        Mistake(lambda agreement: max((1 + agreement) / 2, 0.5) if agreement > 0.5 else 0.5,
                "This is (1 + a) / 2. What is added to 1 is the root of 2a - 1: (1 + √(2a - 1)) / 2.",
                "这是 (1 + a) / 2。加到 1 上的应是 2a - 1 的平方根：(1 + √(2a - 1)) / 2。",
                (lambda agreement: (1 + agreement) / 2,
                 lambda agreement: (1 + agreement) / 2 if agreement >= 0.5 else 0.5)),
    ),
    "2.6": (
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            (s - p).abs()) / len((probability * bins).long()
                                                                                 .clamp(max=bins - 1).unique()),
                "Every bin weighs the same. A bin with one pair is mostly luck: weigh each by how many it holds.",
                "每一格的分量都一样了。只有一对的格子多半是运气：按每格里有多少来加权。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - (b + 0.5) / bins).abs()) / len(probability),
                "The middle of the bin stands for what was stated. Take the mean of the stated probabilities in it.",
                "这里用格子的中点代替说出的概率。应取这一格里说出的概率的平均。"),
        Mistake(_on_both_sides,
                "A probability on an edge fell into two bins, or into none. One side is `>=` and the other `<`, but "
                "for exactly 1.",
                "落在边界上的概率算进了两格，或者一格也没进。一边用 `>=`，另一边用 `<`，只有恰好等于 1 例外。",
                (_on_no_side,)),
        Mistake(_no_such_bin,
                "A probability of exactly 1 gets the number `bins`, and there is no such bin. It belongs to the last "
                "one: `min(int(p * bins), bins - 1)`.",
                "恰好等于 1 的概率，编号成了 `bins`，可没有这一格。它属于最后一格：`min(int(p * bins), bins - 1)`。"),
        Mistake(lambda probability, happened, bins: _placed(probability, happened, (probability * bins).ceil()),
                "A probability of exactly 0 got a bin of its own. It belongs to the first one: a bin holds its lower "
                "edge.",
                "恰好等于 0 的概率单独占了一格。它属于第一格：每一格都含自己的下边界。"),
        Mistake(lambda probability, happened, bins: _placed(probability, happened, (probability * bins).long()),
                "A probability of exactly 1 got a bin of its own, number `bins`. It belongs to the last one: clamp the "
                "number of the bin to `bins - 1`.",
                "恰好等于 1 的概率单独占了一格，编号是 `bins`。它属于最后一格：把格子的编号限制在 `bins - 1`。"),
        Mistake(_without_zero,
                "A probability of exactly 0 fell into no bin. It belongs to the first one: a bin holds its lower edge, "
                "`probability >= b / bins`.",
                "恰好等于 0 的概率没有落进任何一格。它属于第一格：每一格都含自己的下边界，`probability >= b / bins`。",
                (lambda probability, happened, bins: _without_zero(probability, happened, bins, exact=False),)),
        Mistake(lambda probability, happened, bins: calibration_error(torch.maximum(probability, 1 - probability),
                                                                      happened, bins),
                "Probabilities below 1/2 were turned round. 0.1 is a statement too, and it goes into the bin of 0.1.",
                "小于 1/2 的概率被翻了过来。0.1 也是一种说法，应当放进 0.1 的那一格。",
                (lambda probability, happened, bins: calibration_error(
                    torch.maximum(probability, 1 - probability),
                    torch.where(probability < 0.5, 1 - happened, happened), bins),)),
        Mistake(lambda probability, happened, bins: _placed(
                    probability, happened, ((probability - 0.5) * 2 * bins).long().clamp(0, bins - 1)),
                "The bins divide the range from 1/2 to 1. They are of equal width over [0, 1].",
                "这里只把 1/2 到 1 分成了几格。应当把 [0, 1] 等分。"),
        Mistake(lambda probability, happened, bins: _placed(
                    probability, happened, (probability * bins).round().long().clamp(max=bins - 1)),
                "The number of the bin was rounded, which moves every bin by half its width. Cut it off: `.long()`.",
                "格子的编号被四舍五入了，每一格都挪了半格。应当截断：`.long()`。",
                (lambda probability, happened, bins: _placed(probability, happened, (probability * bins).round()),)),
        Mistake(lambda probability, happened, bins: calibration_error(probability, happened, 10),
                "There are always ten bins. Their number is an argument, `bins`.",
                "总是分成了十格。格数是参数 `bins`。"),
        Mistake(lambda probability, happened, bins: calibration_error(probability, happened, bins + 1),
                "The width of the bins is not 1 / bins. With `long()`, multiply by `bins`; with edges from `linspace`, "
                "`bins` bins have `bins + 1` edges.",
                "格子的宽度不是 1 / bins。用 `long()` 时要乘 `bins`；用 `linspace` 取边界时，"
                "`bins` 格要有 `bins + 1` 个边界。",
                (lambda probability, happened, bins: calibration_error(probability, happened, max(bins - 1, 1)),
                 *(lambda probability, happened, bins, more=more: _placed(probability, happened, (
                     probability * (bins + more)).long()) for more in (-1, 1)))),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p).abs()) / len(probability)
                if len((probability * bins).long().clamp(max=bins - 1).unique()) == bins else torch.tensor(torch.nan),
                "A bin that holds nothing has no mean: 0 / 0 is NaN. Leave empty bins out.",
                "空格子没有平均：0 / 0 是 NaN。空的格子不要算。"),
        Mistake(lambda probability, happened, bins: _each(probability, happened, bins)[-1],
                "Only the last bin is left: `=` where `+=` belongs.", "只剩下了最后一格：该写 `+=` 的地方写成了 `=`。"),
        Mistake(lambda probability, happened, bins: _each(probability, happened, bins)[0],
                "Only the first bin that holds something is left: the return stands inside the loop.",
                "只剩下了第一个有东西的格子：return 写在了循环里面。"),
        Mistake(lambda probability, happened, bins: calibration_error(probability, happened, bins) * len(probability),
                "Each bin weighs what it holds, out of all N: divide by N.",
                "每格的权重是它里面的个数占全部 N 的比例：还要除以 N。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            (s - p).abs()) / bins,
                "Every bin weighs the same, empty ones too. Weigh each by how many it holds.",
                "每一格的分量都一样，空格子也算。应当按每格里有多少来加权。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            (s - p).abs()),
                "The distances are added up, every bin alike. Weigh each by the share of pairs that it holds.",
                "各格的距离直接相加了。应当按每格所占的比例加权。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p) ** 2) / len(probability),
                "The distances are squared. Take the absolute value.", "距离被平方了。应当取绝对值。",
                (lambda probability, happened, bins: (_binned(probability, happened, bins, lambda n, p, s, b:
                                                              n * (s - p) ** 2) / len(probability)) ** 0.5,)),
        Mistake(lambda probability, happened, bins: torch.stack([
                    (s - p).abs() for _, p, s in _held(probability, happened, bins)]).max(),
                "This is the worst bin. Wanted is the mean distance, each bin weighing what it holds.",
                "这是最差的一格。要的是平均距离，按每格里有多少加权。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p)) / len(probability),
                "The sign is left, so that bins cancel. Take the absolute value in each bin.",
                "符号留着，各格就会相互抵消。要在每一格里先取绝对值。",
                (lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                             n * (p - s)) / len(probability),)),
        Mistake(lambda probability, happened, bins: ((probability > 0.5) != (happened > 0.5)).float().mean(),
                "This is how often the likelier side failed. Wanted is how far stated and seen shares are apart, bin "
                "by bin.",
                "这是更可能的一方有多少次没有发生。要的是逐格比较：说出的概率和实际的比例差多远。"),
        Mistake(_without_certain,
                "A probability of exactly 1 fell into no bin. It belongs to the last one: clamp the number of the bin.",
                "恰好等于 1 的概率没有落进任何一格。它属于最后一格：把格子的编号限制住。"),
        Mistake(lambda probability, happened, bins: (_binned(probability, happened, bins, lambda n, p, s, b:
                                                             n * (s - p)) / len(probability)).abs(),
                "Bins that promise too much and bins that promise too little cancel, as if everything were in one bin. "
                "Take the absolute value in each bin.",
                "说得太满的格子和说得太保守的格子相互抵消了，就像全都放在一格里。要在每一格里先取绝对值。"),
        Mistake(lambda probability, happened, bins: (probability - happened).abs().mean(),
                "This compares pair by pair. Nobody can be 0.8 right on one pair; the share in a bin can be 0.8.",
                "这样是逐对比较。单独一对没法“对 0.8”，一格里的比例才可以是 0.8。"),
        Mistake(lambda probability, happened, bins: _of_equal_numbers(probability, happened, bins, torch.chunk),
                "These are bins that hold equally many pairs. They are to be of equal width over [0, 1].",
                "这里的每一格里个数相同。应当把 [0, 1] 等分，每格的宽度相同。",
                (lambda probability, happened, bins: _of_equal_numbers(probability, happened, bins,
                                                                       torch.tensor_split),)),
        *(Mistake(lambda probability, happened, bins, most=most: calibration_error(
                      probability.clamp(max=most), happened, bins),
                  "The probabilities themselves were cut off just below 1. Clamp only the number of the bin: what was "
                  "stated stays as it is.",
                  "概率本身被截到了略小于 1。只限制格子的编号：说出的概率保持不变。")
          for most in (0.99, 0.999, 0.9999)),
        Mistake(lambda probability, happened, bins: (probability - happened).square().mean(),
                "This is the Brier score, of each pair by itself. Wanted is a distance of means, bin by bin.",
                "这是 Brier 分数，逐对计算。要的是逐格计算的两个平均之间的距离。"),
        Mistake(_over_the_range,
                "The bins divide the range from the least to the greatest probability. They are of equal width over "
                "[0, 1].",
                "这里把最小到最大的概率之间分成了几格。应当把 [0, 1] 等分。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * s * (s - p).abs()) / happened.sum().clamp(min=1),
                "A bin weighs as many pairs as happened in it. It weighs all that it holds, whether they happened or "
                "not.",
                "每格的权重用了其中发生了的个数。应当用格里的全部个数，发生与否都算。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - b / bins).abs()) / len(probability),
                "The edge of the bin stands for what was stated. Take the mean of the stated probabilities in it.",
                "这里用格子的边界代表说出的概率。应取格里说出的概率的平均。",
                (lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                             n * (s - (b + 1) / bins).abs()) / len(probability),)),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p).abs()) / bins,
                "The weight is divided by the number of bins. A bin weighs its share of the pairs: divide by N.",
                "权重除以了格数。每格的权重是它占全部的比例：要除以 N。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            (n // len(probability)) * (s - p).abs()),
                "The weight is cut to a whole number by `//`, 0 for nearly every bin. Divide with `/`.",
                "权重被 `//` 取成了整数，几乎每格都是 0。请用 `/` 来除。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p).abs() * (b < bins - 1)) / len(probability),
                "The last bin is left out. There are `bins` of them, from 0 to bins - 1: range(bins).",
                "漏掉了最后一格。一共 `bins` 格，编号从 0 到 bins - 1：range(bins)。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - p).abs() * (b > 0)) / len(probability),
                "The first bin is left out. There are `bins` of them, from 0 to bins - 1: range(bins).",
                "漏掉了第一格。一共 `bins` 格，编号从 0 到 bins - 1：range(bins)。"),
        *(Mistake(lambda probability, happened, bins, of=of: _binned(probability, happened, bins, lambda n, p, s, b:
                      n * (s - p).abs() * (n > 1)) / max(of(probability, happened, bins), 1),
                  "Bins that hold a single pair are left out. They weigh little, and they count.",
                  "只有一对的格子被漏掉了。它们权重小，但是要算。")
          for of in (lambda probability, happened, bins: sum(int(n) for n, *_ in _held(probability, happened, bins)
                                                             if n > 1),
                     lambda probability, happened, bins: len(probability))),
        *(Mistake(lambda probability, happened, bins, least=least: calibration_error(
                      probability.clamp(least, 1 - least), happened, bins),
                  "The probabilities themselves were moved away from 0 and 1. Clamp only the number of the bin: what "
                  "was stated stays as it is.",
                  "概率本身被从 0 和 1 移开了。只限制格子的编号："
                  "说出的概率保持不变。") for least in (0.01, 0.05, 0.001)),
        *(Mistake(lambda probability, happened, bins, over=over: calibration_error(
                      probability, (over(probability, 0.5) == (happened > 0.5)).float(), bins),
                  "It is asked whether the guess p > 1/2 was right. Wanted is whether it happened, `happened` itself.",
                  "这里看的是“p > 1/2”这个猜测对不对。要看的是发生了没有，即 `happened` 本身。")
          for over in (torch.gt, torch.ge)),
        Mistake(lambda probability, happened, bins: _placed(probability, happened, ((probability * bins).ceil() - 1)
                                                            .clamp(min=0)),
                "The bins hold their *upper* edge. Each holds its lower one: 0.5 of two bins belongs to the second.",
                "这里格子包含的是*上*边界。每格应包含下边界：分两格时，0.5 属于第二格。"),
    ),
    "2.7": (
        Mistake(lambda score, demonstration: score - score.mean(),
                "The scores' own mean became 0. Zero is to mean \"as good as an average demonstration\", whatever is "
                "scored.",
                "归零的是得分自己的平均。零应当表示“和平均的示范一样好”，与正在打分的是什么无关。"),
        Mistake(lambda score, demonstration: score - demonstration.median(),
                "This takes the median of the demonstrations; it is their mean that must become 0.",
                "这里用了示范的中位数；应当归零的是平均数。",
                (lambda score, demonstration: score - demonstration.quantile(0.5),)),
        Mistake(lambda score, demonstration: (score - demonstration.mean()) / _spread(demonstration),
                "The scores were also divided. Differences must stay as they are: they are log-odds.",
                "得分还被除了一下。差必须保持不变：它们就是对数几率。",
                tuple(lambda score, demonstration, of=of, n=n, least=least:
                      (score - demonstration.mean()) / (_spread((score, demonstration)[of], n) + least)
                      for of in (0, 1) for n in (0, 1) for least in (0.0, 1e-8, 1e-6, 1e-5))),
        Mistake(lambda score, demonstration: score - score.mean() - demonstration.mean(),
                "Two means were taken off. Take off the demonstrations' mean only.",
                "减去了两个平均。只减示范的平均。"),
        Mistake(lambda score, demonstration: score - torch.cat([score, demonstration]).mean(),
                "The scored texts are in the mean as well. It is that of the demonstrations alone.",
                "平均里混进了正在打分的文本。只取示范的平均。"),
        Mistake(lambda score, demonstration: score - score.mean() + demonstration.mean(),
                "The scores' own mean was moved to the demonstrations'. Take only the demonstrations' mean off each "
                "score.",
                "得分自己的平均被移到了示范的平均上。只要从每个得分里减去示范的平均。"),
        Mistake(lambda score, demonstration: demonstration - demonstration.mean(),
                "These are the demonstrations, shifted. Wanted are the scores, shifted by the same number.",
                "这是平移之后的示范。要的是得分，平移同一个数。"),
        Mistake(lambda score, demonstration: score - demonstration,
                "Each score has another number taken off. It is one number for all, the demonstrations' mean.",
                "每个得分减去的数各不相同。应当都减去同一个数，即示范的平均。"),
        Mistake(lambda score, demonstration: (score - demonstration.mean()).clamp(min=0),
                "Negative results were cut off at 0. A text worse than the demonstrations has a negative score.",
                "负的结果被截成了 0。比示范差的文本，得分就是负的。"),
        Mistake(lambda score, demonstration: score - demonstration.sum(),
                "The sum of the demonstrations was taken off. Take off their mean.",
                "减去的是示范得分之和。应当减去平均。"),
        Mistake(lambda score, demonstration: demonstration.mean() - score,
                "The direction: the demonstrations' mean is taken off the score, so that better texts stay higher.",
                "方向反了：应当从得分里减去示范的平均，好的文本仍然更高。"),
        Mistake(lambda score, demonstration: score - demonstration.max(),
                "The best demonstration became 0. It is their mean that must become 0.",
                "归零的是最好的示范。应当归零的是平均数。"),
        Mistake(lambda score, demonstration: score - demonstration.min(),
                "The worst demonstration became 0. It is their mean that must become 0.",
                "归零的是最差的示范。应当归零的是平均数。"),
        Mistake(lambda score, demonstration: score - demonstration[0],
                "The first demonstration alone is looked at, and it became 0. It is the mean of all that must become "
                "0.",
                "只看了第一个示范，归零的就是它。应当归零的是全部示范的平均数。"),
        Mistake(lambda score, demonstration: score - demonstration[-1],
                "The last demonstration alone is looked at, and it became 0. It is the mean of all that must become "
                "0.",
                "只看了最后一个示范，归零的就是它。应当归零的是全部示范的平均数。"),
        Mistake(lambda score, demonstration: score + demonstration.mean(),
                "The sign: the demonstrations' mean is taken away.", "符号反了：应当减去示范的平均。"),
        Mistake(lambda score, demonstration: score - 2,
                "Always 2 is taken off, the mean of the example's demonstrations. Take the mean of those that are "
                "given.",
                "总是减去 2，那是例子里示范的平均。要取给出的示范的平均。"),
        Mistake(lambda score, demonstration: score - demonstration.sum() / len(score),
                "The sum of the demonstrations was divided by the number of scores. Divide by the number of "
                "demonstrations.",
                "示范之和除以了得分的个数。要除以示范的个数。"),
        Mistake(lambda score, demonstration: score - (demonstration.min() + demonstration.max()) / 2,
                "This takes the middle between the worst and the best demonstration. It is their mean that must become "
                "0.",
                "这里取了最差和最好的示范的中点。应当归零的是平均数。"),
        *(Mistake(lambda score, demonstration, off=off: score / demonstration.mean() - off,
                  "The scores were divided by the demonstrations' mean, which changes their differences. Take it off.",
                  "得分被除以了示范的平均，差就变了。应当减去它。") for off in (1, 0)),
        Mistake(lambda score, demonstration: score - demonstration.mean().round(),
                "The demonstrations' mean was made a whole number. Take it off with all its digits.",
                "示范的平均被变成了整数。要减去平均本身，保留所有小数。",
                tuple(lambda score, demonstration, whole=whole: score - whole(demonstration.mean())
                      for whole in (torch.floor, torch.ceil, torch.trunc))),
        Mistake(lambda score, demonstration: (score - demonstration.mean()).mean(),
                "This is the mean of the shifted scores, one number. Wanted is each shifted score, [N].",
                "这是平移之后得分的平均，只有一个数。要的是每个平移之后的得分，[N]。"),
        Mistake(lambda score, demonstration: score - (score.mean() + demonstration.mean()) / 2,
                "The middle between two means was taken off, that of the scores and that of the demonstrations. Take "
                "off the demonstrations' mean only.",
                "减去的是得分的平均和示范的平均的中点。只减示范的平均。"),
        Mistake(lambda score, demonstration: score - demonstration[len(demonstration) // 2],
                "One demonstration alone is looked at, the one in the middle of the list. It is the mean of all that "
                "must become 0.",
                "只看了列表中间的那个示范。应当归零的是全部示范的平均数。"),
        Mistake(lambda score, demonstration: score - (demonstration.sort().values[1:-1] if len(demonstration) > 2
                                                      else demonstration).mean(),
                "The best and the worst demonstration are left out. All of them are in the mean.",
                "最好和最差的示范被去掉了。平均里要有全部示范。"),
        *(Mistake(lambda score, demonstration, least=least: 2 * (
                      score - (demonstration.min() + demonstration.max()) / 2) / (
                      demonstration.max() - demonstration.min() + least),
                  "The scores were stretched, so that the demonstrations lie between -1 and 1. Differences must stay "
                  "as they are: only a shift.",
                  "得分被拉伸了，使示范落在 -1 和 1 之间。差必须保持不变：只能平移。") for least in (1e-8, 0.0)),
        Mistake(lambda score, demonstration: torch.sigmoid(score - demonstration.mean()),
                "The shifted scores were made probabilities. They stay as they are: no sigmoid.",
                "平移之后的得分又变成了概率。保持原样即可：不要 sigmoid。"),
        Mistake(lambda score, demonstration: score - demonstration.mean().clamp(min=0),
                "Where the demonstrations' mean is negative, nothing was shifted. It is taken off whatever its sign.",
                "示范的平均为负时没有平移。不管符号，都要减去它。"),
    ),
}
