"""Answers to lesson 02 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import itertools
import math
from itertools import combinations, permutations

import numpy as np
import torch
import torch.nn.functional as F


def _rows(pairs):
    return torch.tensor(list(pairs), dtype=torch.long).reshape(-1, 2)


def ties_in_list_order(ranks):
    pairs = []
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if not ranks[i] > ranks[j]:
                pairs.append((i, j))
    return _rows(pairs)


def all_combinations(ranks):
    return _rows(combinations(range(len(ranks)), 2))


def looks_forward_only(ranks):
    return _rows((i, j) for i, j in combinations(range(len(ranks)), 2) if ranks[j] > ranks[i])


def first_one_wins(ranks):
    return _rows((i, j) for i, j in combinations(range(len(ranks)), 2) if ranks[j] != ranks[i])


def ranks_for_places(ranks):
    pairs = [(a - 1, b - 1) for a, b in permutations(ranks, 2) if a < b]
    places = [(i, j) for i, j in permutations(range(len(ranks)), 2) if ranks[i] < ranks[j]]
    return _rows(pair for _, pair in sorted(zip(places, pairs, strict=True)))


def sorted_by_rank(ranks):
    places = sorted(range(len(ranks)), key=lambda i: ranks[i])
    return _rows((i, j) for i, j in permutations(places, 2) if ranks[i] < ranks[j])


def log_of_sigmoid(chosen, rejected):
    return -torch.log(1 / (1 + torch.exp(rejected - chosen))).mean()


def epsilon_in_the_log(chosen, rejected):
    return torch.mean(-torch.log(torch.sigmoid(chosen - rejected) + 1e-8))


def added_up(chosen, rejected):
    total = 0.0
    for good, bad in zip(chosen, rejected, strict=True):
        total = total + F.softplus(bad - good)
    return total


def pushes_one_side_only(chosen, rejected):
    return F.softplus(rejected.detach() - chosen).mean()


def _each(score, rank, mask, counted):
    """Mean loss of each ranking over the pairs that `counted(rank_i, rank_j, i, j)` says; None without any."""
    means = []
    for s, r, m in zip(score, rank, mask, strict=True):
        there = [i for i in range(len(m)) if m[i]]
        pairs = [(i, j) for i in there for j in there if i != j and counted(r[i], r[j], i, j)]
        means.append(sum(F.softplus(s[j] - s[i]) for i, j in pairs) / len(pairs) if pairs else None)
    return means


def _over_rankings(means):
    means = [mean for mean in means if mean is not None]
    return sum(means) / len(means)


def ties_both_ways(score, rank, mask):
    return _over_rankings(_each(score, rank, mask, lambda a, b, i, j: not a > b))


def list_order_only(score, rank, mask):
    return _over_rankings(_each(score, rank, mask, lambda a, b, i, j: i < j))


def one_mean_over_everything(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return -F.logsigmoid(gap[better]).mean()


def padding_takes_part(score, rank, mask):
    return _over_rankings(_each(score, rank, torch.ones_like(mask), lambda a, b, i, j: a < b))


def divides_by_k_choose_2(score, rank, mask):
    total = []
    for s, r, m in zip(score, rank, mask, strict=True):
        s, r = s[m], r[m]
        if len(r.unique()) > 1:
            cost = [F.softplus(s[j] - s[i]) for i, j in permutations(range(len(s)), 2) if r[i] < r[j]]
            total.append(sum(cost) / len(list(combinations(s, 2))))
    return sum(total) / len(total)


def all_ties_cost_nothing(score, rank, mask):
    means = _each(score, rank, mask, lambda a, b, i, j: a < b)
    return sum(0.0 if mean is None else mean for mean in means) / len(means)


def no_pairs_no_number(score, rank, mask):
    means = _each(score, rank, mask, lambda a, b, i, j: a < b)
    return sum(torch.tensor(float("nan")) if mean is None else mean for mean in means) / len(means)


def _by_pairs(score, rank, credit):
    won = [[credit(s[i] - s[j]) for i, j in permutations(range(len(s)), 2) if r[i] < r[j]]
           for s, r in zip(score.tolist(), rank.tolist(), strict=True)]
    return won


def _half(gap):
    return 1.0 if gap > 0 else 0.5 if gap == 0 else 0.0


def _flat(rows):
    return sum(map(sum, rows)) / sum(map(len, rows))


def _perfect(rows):
    return sum(all(x == 1.0 for x in row) for row in rows) / len(rows)


def equal_is_right(score, rank):
    rows = _by_pairs(score, rank, lambda gap: float(gap >= 0))
    return _flat(rows), _perfect(rows)


def equal_is_wrong(score, rank):
    rows = _by_pairs(score, rank, lambda gap: float(gap > 0))
    return _flat(rows), _perfect(rows)


def best_only(score, rank):
    rows = _by_pairs(score, rank, _half)
    top = [max(s) == s[r.index(min(r))] for s, r in zip(score.tolist(), rank.tolist(), strict=True)]
    return _flat(rows), sum(top) / len(top)


def mean_of_shares(score, rank):
    rows = _by_pairs(score, rank, _half)
    shares = [sum(row) / len(row) for row in rows if row]
    return sum(shares) / len(shares), _perfect(rows)


def sorts_and_compares(score, rank):
    rows = _by_pairs(score, rank, _half)
    same = (torch.sort(-score, stable=True).indices == torch.sort(rank, stable=True).indices).all(1)
    return _flat(rows), same.double().mean()


def agreement_is_quality(agreement):
    return agreement


def never_both_wrong(agreement):
    return agreement ** 0.5


def skill_below_chance(agreement):
    return 0.5 + 0.5 * abs(2 * agreement - 1) ** 0.5


def _bins(probability, happened, bins):
    held = {}
    for p, h in zip(probability.tolist(), happened.tolist(), strict=True):
        held.setdefault(min(int(p * bins), bins - 1), []).append((p, h))
    return held


def every_bin_the_same(probability, happened, bins):
    held = _bins(probability, happened, bins).values()
    return sum(abs(sum(h - p for p, h in one)) / len(one) for one in held) / len(held)


def middle_of_the_bin(probability, happened, bins):
    held = _bins(probability, happened, bins)
    return sum(abs(sum(h for _, h in one) - len(one) * (2 * b + 1) / (2 * bins)) for b, one in held.items()) / len(
        probability)


def certainty_falls_out(probability, happened, bins):
    error = 0.0
    for b in range(bins):
        inside = (probability >= b / bins) & (probability < (b + 1) / bins)
        if inside.any():
            gap = abs(happened[inside].mean() - probability[inside].mean())
            error = error + inside.float().mean() * gap
    return error


def mean_of_what_is_scored(score, demonstration):
    return score - sum(score) / len(score)


def middle_demonstration(score, demonstration):
    return score - sorted(demonstration)[(len(demonstration) - 1) // 2]


def standard_scores(score, demonstration):
    mean = demonstration.mean()
    variance = ((demonstration - mean) ** 2).sum() / (len(demonstration) - 1)
    return (score - mean) / variance.sqrt()


def greater_than(ranks):
    rank = torch.tensor(ranks)
    return (rank[:, None] > rank[None, :]).nonzero()


def only_i_before_j(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(i + 1, len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def ties_counted(ranks):
    rank = torch.tensor(ranks)
    return (rank[:, None] <= rank[None, :]).nonzero()


def no_columns_when_empty(ranks):
    pairs = []
    for i in range(len(ranks)):
        for j in range(len(ranks)):
            if ranks[i] < ranks[j]:
                pairs.append([i, j])
    return torch.tensor(pairs)


def python_list(ranks):
    return [[i, j] for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]


def only_neighbours(ranks):
    rank = torch.tensor(ranks)
    return (rank[None, :] - rank[:, None] == 1).nonzero()


def long_truncates(ranks):
    rank = torch.tensor(ranks).long()
    return (rank[:, None] < rank[None, :]).nonzero()


def sorts_callers_list(ranks):
    ranks.sort()
    rank = torch.tensor(ranks)
    return (rank[:, None] < rank[None, :]).nonzero()


def transposed_out(ranks):
    rank = torch.tensor(ranks)
    return torch.stack(torch.where(rank[:, None] < rank[None, :]))


def log_of_sigmoid_2_2(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected)).mean()


def sign_missing(chosen, rejected):
    return F.logsigmoid(chosen - rejected).mean()


def swapped(chosen, rejected):
    return -F.logsigmoid(rejected - chosen).mean()


def summed(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).sum()


def mean_of_the_gap(chosen, rejected):
    return -F.logsigmoid((chosen - rejected).mean())


def epsilon_in_log(chosen, rejected):
    return -(torch.sigmoid(chosen - rejected) + 1e-8).log().mean()


def no_log(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean()


def item_returned(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean().item()


def times_the_table(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = -F.logsigmoid(score[:, :, None] - score[:, None, :])
    pairs = better.sum((1, 2))
    return ((cost * better).sum((1, 2)) / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def pooled_pairs(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return -F.logsigmoid(gap[better]).mean()


def ties_in_the_mean(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    return (cost / better.sum((1, 2)).clamp(min=1)).mean()


def padding_wins(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def k_choose_two(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    k = score.shape[1]
    return (cost / (k * (k - 1) / 2)).sum() / (better.sum((1, 2)) > 0).sum()


def neighbours_only(score, rank, mask):
    better = (rank[:, None, :] - rank[:, :, None] == 1) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def places_as_ranks(score, rank, mask):
    k = score.shape[1]
    better = torch.ones(k, k, dtype=torch.bool).triu(1) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def fills_padding_in_place(score, rank, mask):
    with torch.no_grad():
        score[~mask] = 0.0
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def ties_count_zero(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    right = score[:, :, None] > score[:, None, :]
    return right[better].float().mean(), (right | ~better).all(2).all(1).float().mean()


def ties_count_one(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    right = score[:, :, None] >= score[:, None, :]
    return right[better].float().mean(), (right | ~better).all(2).all(1).float().mean()


def list_ties_pass(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap >= 0) | ~better).all(2).all(1).float().mean()


def soft_accuracy(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return torch.sigmoid(gap)[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def mean_of_rankings(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = ((gap > 0) + 0.5 * (gap == 0)) * better
    each = right.sum((1, 2)) / better.sum((1, 2)).clamp(min=1)
    return each.mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def argsort_lists(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    same = (torch.argsort(score, dim=1, descending=True, stable=True) == torch.argsort(rank, dim=1, stable=True)).all(1)
    return right[better].mean(), same.float().mean()


def k_choose_two_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = ((gap > 0) + 0.5 * (gap == 0)) * better
    b, k = score.shape
    return right.sum() / (b * k * (k - 1) / 2), ((gap > 0) | ~better).all(2).all(1).float().mean()


def list_needs_a_pair(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    k = score.shape[1]
    whole = ((gap > 0) & better).sum((1, 2)) == k * (k - 1) // 2
    return right[better].mean(), whole.float().mean()


def smaller_root(agreement):
    return (1 - max(2 * agreement - 1, 0.0) ** 0.5) / 2


def complex_below_half(agreement):
    return (1 + (2 * agreement - 1) ** 0.5) / 2


def abs_under_root(agreement):
    return (1 + abs(2 * agreement - 1) ** 0.5) / 2


def root_of_agreement(agreement):
    return max(agreement, 0.0) ** 0.5


def zero_below_half(agreement):
    if agreement < 0.5:
        return 0.0
    return (1 + (2 * agreement - 1) ** 0.5) / 2


def no_root(agreement):
    return (1 + max(2 * agreement - 1, 0.0)) / 2


def both_roots(agreement):
    root = max(2 * agreement - 1, 0.0) ** 0.5
    return (1 - root) / 2, (1 + root) / 2


def unweighted(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    errors = [(happened[place == b].mean() - probability[place == b].mean()).abs() for b in place.unique()]
    return torch.stack(errors).mean()


def one_is_dropped(probability, happened, bins):
    error = torch.tensor(0.0)
    for b in range(bins):
        inside = (probability >= b / bins) & (probability < (b + 1) / bins)
        if inside.any():
            error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def empty_bins_nan(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in range(bins):
        inside = place == b
        error += inside.float().mean() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error


def signed(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean())
    return (error / len(probability)).abs()


def each_pair_alone(probability, happened, bins):
    return (probability - happened).abs().mean()


def ten_bins_fixed(probability, happened, bins):
    place = (probability * 10).long().clamp(max=9)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def middle_of_the_bin_2_6(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - (b + 0.5) / bins).abs()
    return error / len(probability)


def rounded_place(probability, happened, bins):
    place = (probability * bins).round().long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def overwrites(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error = inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def own_mean(score, demonstration):
    return score - score.mean()


def standardised(score, demonstration):
    return (score - demonstration.mean()) / demonstration.std()


def plus(score, demonstration):
    return score + demonstration.mean()


def in_place(score, demonstration):
    score -= demonstration.mean()
    return score


def median(score, demonstration):
    return score - demonstration.median()


def elementwise(score, demonstration):
    return score - demonstration


def keeps_positive(score, demonstration):
    return (score - demonstration.mean()).clamp(min=0)


def returns_demonstrations(score, demonstration):
    return demonstration - demonstration.mean()


def loops(ranks):
    pairs = []
    for i, a in enumerate(ranks):
        for j, b in enumerate(ranks):
            if b > a:
                pairs.append((i, j))
    return torch.tensor(pairs, dtype=torch.int64).view(-1, 2)


def numpy_argwhere(ranks):
    rank = np.asarray(ranks, dtype=np.float64)
    return torch.from_numpy(np.argwhere(np.less.outer(rank, rank)))


def permutations_sorted(ranks):
    won = sorted((i, j) for i, j in itertools.permutations(range(len(ranks)), 2) if ranks[j] - ranks[i] > 0)
    return torch.LongTensor(won) if won else torch.empty(0, 2, dtype=torch.long)


def softplus(chosen, rejected):
    return F.softplus(rejected - chosen).mean()


def bce_with_logits(chosen, rejected):
    gap = chosen - rejected
    return F.binary_cross_entropy_with_logits(gap, torch.ones_like(gap))


def logsumexp_of_two(chosen, rejected):
    return (torch.stack([chosen, rejected]).logsumexp(0) - chosen).sum() / len(chosen)


def loops_2_3(score, rank, mask):
    means = []
    for b in range(score.shape[0]):
        losses = []
        for i in range(score.shape[1]):
            for j in range(score.shape[1]):
                if mask[b, i] and mask[b, j] and rank[b, i] < rank[b, j]:
                    losses.append(F.softplus(score[b, j] - score[b, i]))
        if losses:
            means.append(sum(losses) / len(losses))
    return sum(means) / len(means)


def fill_first(score, rank, mask):
    score = score.masked_fill(~mask, 0.0)
    beaten = (rank.unsqueeze(2) < rank.unsqueeze(1)) & (mask.unsqueeze(2) & mask.unsqueeze(1))
    weight = beaten.float()
    loss = F.softplus(score.unsqueeze(1) - score.unsqueeze(2)) * weight
    count = weight.flatten(1).sum(1)
    used = count > 0
    return (loss.flatten(1).sum(1)[used] / count[used]).mean()


def weights_of_a_flat_list(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    row, i, j = better.nonzero(as_tuple=True)
    share = 1 / torch.bincount(row, minlength=len(score))[row]
    return (share * F.softplus(score[row, j] - score[row, i])).sum() / row.unique().numel()


def sign(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    sign = torch.sign(score[:, :, None] - score[:, None, :])
    pair = ((1 + sign) / 2)[better].mean()
    wrong = (better & (sign <= 0)).flatten(1).any(1)
    return pair, 1 - wrong.float().mean()


def loops_2_4(score, rank):
    points, count, whole = 0.0, 0, 0
    for s, r in zip(score.tolist(), rank.tolist(), strict=True):
        ok = True
        for i in range(len(s)):
            for j in range(len(s)):
                if r[i] < r[j]:
                    count += 1
                    points += 1.0 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0.0
                    ok = ok and s[i] > s[j]
        whole += ok
    return torch.tensor(points / count), torch.tensor(whole / len(score))


def numpy_float64(score, rank):
    s, r = score.detach().numpy(), rank.numpy()
    better = r[:, :, None] < r[:, None, :]
    higher, same = s[:, :, None] > s[:, None, :], s[:, :, None] == s[:, None, :]
    return (higher[better] + 0.5 * same[better]).mean(), (better <= higher).all(axis=(1, 2)).mean()


def quadratic(agreement):
    a, b, c = 2, -2, 1 - agreement
    discriminant = b * b - 4 * a * c
    return 0.5 if discriminant <= 0 else (-b + discriminant ** 0.5) / (2 * a)


def bisection(agreement):
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if middle ** 2 + (1 - middle) ** 2 < agreement:
            low = middle
        else:
            high = middle
    return low if agreement <= 0.5 else high


def shifted(agreement):
    return 0.5 + math.sqrt(max(agreement, 0.5) / 2 - 0.25)


def bincount(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    stated = torch.bincount(place, probability, minlength=bins)
    came = torch.bincount(place, happened, minlength=bins)
    return (came - stated).abs().sum() / len(place)


def loop_and_dict(probability, happened, bins):
    held = {}
    for p, h in zip(probability.tolist(), happened.tolist(), strict=True):
        held.setdefault(min(int(p * bins), bins - 1), []).append((p, h))
    total = 0.0
    for rows in held.values():
        total += abs(sum(h for _, h in rows) - sum(p for p, _ in rows))
    return total / len(probability)


def edges_closed_at_one(probability, happened, bins):
    error = 0.0
    for b in range(bins):
        last = b == bins - 1
        inside = (probability >= b / bins) & ((probability < (b + 1) / bins) | (last & (probability <= 1)))
        if inside.sum() > 0:
            weight = inside.float().mean()
            error = error + weight * abs(happened[inside].float().mean() - probability[inside].mean())
    return error


def loop(score, demonstration):
    level = sum(demonstration.tolist()) / len(demonstration)
    return torch.stack([s - level for s in score])


def numpy(score, demonstration):
    return torch.from_numpy(score.detach().numpy() - demonstration.detach().numpy().mean())


def mean_of_differences(score, demonstration):
    return (score[:, None] - demonstration[None, :]).mean(dim=1)


def ties_forgotten_twice(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    higher = score[:, :, None] > score[:, None, :]
    return higher[better].float().mean(), (higher == better).all(2).all(1).float().mean()


def mean_of_booleans(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return ((gap > 0) + 0.5 * (gap == 0))[better].mean(), ((gap > 0) | ~better).all(2).all(1).mean()


MUTANTS = {
    "2.1": [("ties_in_list_order", ties_in_list_order, "A tie is in it"),
            ("all_combinations", all_combinations, "ranks are not used"),
            ("looks_forward_only", looks_forward_only, "stands later in the list are missing"),
            ("first_one_wins", first_one_wins, "taken for the winner"),
            ("ranks_for_places", ranks_for_places, "These are ranks"),
            ("sorted_by_rank", sorted_by_rank, "their order is not"),
            ("only_i_before_j", only_i_before_j, "Pairs whose winner stands later in the list"),
            ("sorts_callers_list", sorts_callers_list, "The list was sorted first"),
            ("greater_than", greater_than, "Winner and loser have changed places"),
            ("ties_counted", ties_counted, "Ties are in it"),
            ("no_columns_when_empty", no_columns_when_empty, "An empty result keeps its columns"),
            ("python_list", python_list, "It returned a list"),
            ("only_neighbours", only_neighbours, "Only neighbours are compared"),
            ("transposed_out", transposed_out, "The table lies on its side")],
    "2.2": [("log_of_sigmoid", log_of_sigmoid, "exactly 0"),
            ("epsilon_in_the_log", epsilon_in_the_log, "small number"),
            ("added_up", added_up, "sum over pairs"),
            ("pushes_one_side_only", pushes_one_side_only, "No gradient"),
            ("log_of_sigmoid", log_of_sigmoid_2_2, "σ becomes exactly 0 when a pair is very"),
            ("summed", summed, "This is a sum over pairs"),
            ("mean_of_the_gap", mean_of_the_gap, "The mean was taken of the gaps"),
            ("epsilon_in_log", epsilon_in_log, "The small number inside the logarithm hides"),
            ("sign_missing", sign_missing, "The minus is missing"),
            ("swapped", swapped, "The gap is the wrong way round"),
            ("no_log", no_log, "This is -σ"),
            ("item_returned", item_returned, "It returned a number")],
    "2.3": [("ties_both_ways", ties_both_ways, "Ties are counted"),
            ("list_order_only", list_order_only, "to be in order"),
            ("one_mean_over_everything", one_mean_over_everything, "one mean over all pairs"),
            ("padding_takes_part", padding_takes_part, "took part as a response"),
            ("divides_by_k_choose_2", divides_by_k_choose_2, "not out of the count"),
            ("all_ties_cost_nothing", all_ties_cost_nothing, "thins out"),
            ("no_pairs_no_number", no_pairs_no_number, "0 / 0"),
            ("times_the_table", times_the_table, "0 times infinity is NaN"),
            ("pooled_pairs", pooled_pairs, "This is one mean over all pairs"),
            ("ties_in_the_mean", ties_in_the_mean, "A ranking of nothing but ties counts as a"),
            ("padding_wins", padding_wins, "Padding took part as a response"),
            ("k_choose_two", k_choose_two, "This divides by the pairs that the width of"),
            ("places_as_ranks", places_as_ranks, "The ranks are not used"),
            ("neighbours_only", neighbours_only, "Only neighbours are compared"),
            ("fills_padding_in_place", fills_padding_in_place, "The result is right")],
    "2.4": [("ties_forgotten_twice", ties_forgotten_twice, "Equal scores count half, for pairs"),
            ("mean_of_booleans", mean_of_booleans, ".float().mean()"),
            ("equal_is_right", equal_is_right, "count as right"),
            ("equal_is_wrong", equal_is_wrong, "count as wrong"),
            ("best_only", best_only, "best response only"),
            ("mean_of_shares", mean_of_shares, "ranking's share"),
            ("sorts_and_compares", sorts_and_compares, "two sorted lists"),
            ("ties_count_zero", ties_count_zero, "Equal scores count as wrong"),
            ("ties_count_one", ties_count_one, "Equal scores count as right"),
            ("list_ties_pass", list_ties_pass, "For the list"),
            ("mean_of_rankings", mean_of_rankings, "Pair accuracy is a mean of each ranking's"),
            ("argsort_lists", argsort_lists, "List accuracy compares two sorted lists"),
            ("k_choose_two", k_choose_two_2_4, "Pair accuracy divides by K"),
            ("list_needs_a_pair", list_needs_a_pair, "For the list"),
            ("soft_accuracy", soft_accuracy, "This is the mean of σ")],
    "2.5": [("agreement_is_quality", agreement_is_quality, "agreement itself"),
            ("never_both_wrong", never_both_wrong, "both may be wrong"),
            ("skill_below_chance", skill_below_chance, "came out as skill"),
            ("abs_under_root", abs_under_root, "An agreement below 1/2 came out as skill"),
            ("root_of_agreement", root_of_agreement, "This solves q² = a and forgets that both may"),
            ("zero_below_half", zero_below_half, "An agreement below 1/2 can only be bad luck"),
            ("no_root", no_root, "This is the agreement itself"),
            ("smaller_root", smaller_root, "This is the other root"),
            ("complex_below_half", complex_below_half, "root of a negative number"),
            ("both_roots", both_roots, "It returned a tuple")],
    "2.6": [("every_bin_the_same", every_bin_the_same, "weighs the same"),
            ("middle_of_the_bin", middle_of_the_bin, "middle of the bin"),
            ("certainty_falls_out", certainty_falls_out, "fell into no bin"),
            ("unweighted", unweighted, "Every bin weighs the same"),
            ("one_is_dropped", one_is_dropped, "A probability of exactly 1 fell into no bin"),
            ("ten_bins_fixed", ten_bins_fixed, "There are always ten bins"),
            ("middle_of_the_bin", middle_of_the_bin_2_6, "The middle of the bin stands for what was"),
            ("rounded_place", rounded_place, "The number of the bin was rounded"),
            ("empty_bins_nan", empty_bins_nan, "A bin that holds nothing has no mean"),
            ("signed", signed, "Bins that promise too much and bins that"),
            ("each_pair_alone", each_pair_alone, "This compares pair by pair"),
            ("overwrites", overwrites, "Only the last bin is left")],
    "2.7": [("mean_of_what_is_scored", mean_of_what_is_scored, "own mean"),
            ("middle_demonstration", middle_demonstration, "median"),
            ("standard_scores", standard_scores, "also divided"),
            ("own_mean", own_mean, "The scores' own mean became 0"),
            ("standardised", standardised, "The scores were also divided"),
            ("median", median, "This takes the median of the demonstrations"),
            ("plus", plus, "The sign"),
            ("in_place", in_place, "The result is right"),
            ("elementwise", elementwise, "Each score has another number taken off"),
            ("keeps_positive", keeps_positive, "Negative results were cut off at 0"),
            ("returns_demonstrations", returns_demonstrations, "These are the demonstrations")],
}

# Right answers in unusual forms.
RIGHT = {
    "2.1": [long_truncates, loops, numpy_argwhere, permutations_sorted],
    "2.2": [softplus, bce_with_logits, logsumexp_of_two],
    "2.3": [loops_2_3, fill_first, weights_of_a_flat_list],
    "2.4": [sign, loops_2_4, numpy_float64],
    "2.5": [quadratic, bisection, shifted],
    "2.6": [bincount, loop_and_dict, edges_closed_at_one],
    "2.7": [loop, numpy, mean_of_differences],
}
