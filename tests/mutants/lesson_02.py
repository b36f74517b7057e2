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


def index_by_value_2_1(ranks):
    pairs = [(ranks.index(a), ranks.index(b)) for a in ranks for b in ranks if a < b]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def sorted_by_rank_2_1(ranks):
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    pairs = [(i, j) for i in order for j in order if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def ranks_not_places_2_1(ranks):
    pairs = [(int(a), int(b)) for a in sorted(ranks) for b in sorted(ranks) if a < b]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def one_based_2_1(ranks):
    rank = torch.tensor(ranks)
    return (rank[:, None] < rank[None, :]).nonzero() + 1


def sorted_by_worse_2_1(ranks):
    pairs = [(i, j) for j in range(len(ranks)) for i in range(len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def float_places_2_1(ranks):
    rank = torch.tensor(ranks)
    return (rank[:, None] < rank[None, :]).nonzero().float()


def ties_both_ways_2_1(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if i != j and ranks[i] <= ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def combinations_as_given_2_1(ranks):
    return torch.combinations(torch.arange(len(ranks)), 2)


def empty_none_2_1(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs or [(0, 0)])


def clamped_gap_2_2(chosen, rejected):
    return -torch.log(torch.sigmoid((chosen - rejected).clamp(-20, 20))).mean()


def log1p_exp_overflow_2_2(chosen, rejected):
    return torch.log(1 + torch.exp(rejected - chosen)).mean()


def softplus_sign_2_2(chosen, rejected):
    return F.softplus(chosen - rejected).mean()


def not_reduced_2_2(chosen, rejected):
    return -F.logsigmoid(chosen - rejected)


def in_place_gap_2_2(chosen, rejected):
    with torch.no_grad():
        chosen -= rejected
    return -F.logsigmoid(chosen).mean()


def unit_norm_2_2(chosen, rejected):
    gap = chosen - rejected
    return -F.logsigmoid(gap / (gap.std(unbiased=False) + 1)).mean()


def log2_base_2_2(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean() / math.log(2)


def numpy_detached_2_2(chosen, rejected):
    gap = (chosen - rejected).detach().numpy()
    return torch.tensor(np.logaddexp(0, -gap).mean())


def n_minus_one_2_2(chosen, rejected):
    return F.softplus(rejected - chosen).sum() / max(len(chosen) - 1, 1)


def detached_rejected_2_2(chosen, rejected):
    return -F.logsigmoid(chosen - rejected.detach()).mean()


def ranking_mean_nan_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    return (cost / better.sum((1, 2))).mean()


def mean_of_sums_2_3(score, rank, mask):
    total, used = 0.0, 0
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        better = r[:, None] < r[None, :]
        if better.any():
            total = total - F.logsigmoid((s[:, None] - s[None, :])[better]).sum()
            used += 1
    return total / used


def sum_over_rankings_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, F.softplus(-gap), 0.0).sum((1, 2))
    return (cost / better.sum((1, 2)).clamp(min=1)).sum()


def ties_are_pairs_2_3(score, rank, mask):
    k = score.shape[1]
    better = (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(k, dtype=torch.bool)
    better = better & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def memory_between_rows_2_3(score, rank, mask):
    losses, means = [], []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        better = r[:, None] < r[None, :]
        if better.any():
            losses.append(-F.logsigmoid((s[:, None] - s[None, :])[better]))
            means.append(torch.cat(losses).mean())
    return torch.stack(means).mean()


def gap_wrong_axis_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, None, :] - score[:, :, None]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def nan_to_num_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = (score * mask)[:, :, None] - (score * mask)[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (torch.nan_to_num(cost) / pairs.clamp(min=1)).mean() * len(score) / (pairs > 0).sum() + 0 * score.sum()


def log_sigmoid_unstable_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.sigmoid(gap).log(), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def full_rankings_only_2_3(score, rank, mask):
    whole = mask.all(1)
    if whole.any():
        score, rank, mask = score[whole], rank[whole], mask[whole]
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def divided_by_responses_2_3(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -F.logsigmoid(gap), 0.0).sum((1, 2))
    return (cost / mask.sum(1).clamp(min=1)).sum() / better.any(2).any(1).sum()


def upper_triangle_2_4(score, rank):
    i, j = torch.triu_indices(score.shape[1], score.shape[1], 1)
    gap = score[:, i] - score[:, j]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right.mean(), (gap > 0).all(1).float().mean()


def best_only_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), (score.argmax(1) == rank.argmin(1)).float().mean()


def any_for_all_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) & better).any(2).any(1).float().mean()


def swapped_outputs_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return ((gap > 0) | ~better).all(2).all(1).float().mean(), right[better].mean()


def list_counts_not_share_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().sum()


def tied_ranks_are_pairs_2_4(score, rank):
    k = score.shape[1]
    better = (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(k, dtype=torch.bool)
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def half_left_in_list_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    whole = torch.where(better, right, 1.0).amin((1, 2))
    return right[better].mean(), whole.mean()


def long_cuts_the_half_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = ((gap > 0) + 0.5 * (gap == 0)).long()
    return right[better].float().mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def all_axis_lost_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) | ~better).all(2).float().mean()


def gap_rounded_2_4(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = (score[:, :, None] - score[:, None, :]).long()
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def agreement_itself_2_5(agreement):
    return max(agreement, 0.5)


def raises_below_half_2_5(agreement):
    return (1 + math.sqrt(2 * agreement - 1)) / 2


def flipped_2_5(agreement):
    a = max(agreement, 1 - agreement)
    return (1 + (2 * a - 1) ** 0.5) / 2


def falsy_zero_2_5(agreement):
    return agreement and (1 + max(2 * agreement - 1, 0.0) ** 0.5) / 2


def precedence_2_5(agreement):
    return min(1.0, 1 / 2 + max(2 * agreement - 1, 0.0) ** 0.5)


def grid_search_2_5(agreement):
    grid = [0.5 + k / 100 for k in range(51)]
    return min(grid, key=lambda q: abs(q * q + (1 - q) ** 2 - agreement))


def discriminant_slip_2_5(agreement):
    return (1 + max(agreement, 0.0) ** 0.5) / 2


def clamps_q_only_2_5(agreement):
    return max((1 + np.sqrt(2 * np.float64(agreement) - 1)) / 2, 0.5)


def extra_bin_for_one_2_6(probability, happened, bins):
    place = (probability * bins).long()
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def squared_2_6(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()) ** 2
    return (error / len(probability)) ** 0.5


def worst_bin_2_6(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    return max((happened[place == b].mean() - probability[place == b].mean()).abs() for b in place.unique())


def divided_by_bins_2_6(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += (happened[inside].mean() - probability[inside].mean()).abs()
    return error / bins


def equal_mass_2_6(probability, happened, bins):
    order = probability.argsort()
    error = torch.tensor(0.0)
    for part in order.chunk(bins):
        error += len(part) * (happened[part].mean() - probability[part].mean()).abs()
    return error / len(probability)


def half_to_one_2_6(probability, happened, bins):
    place = ((probability - 0.5) * 2 * bins).long().clamp(min=0, max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def confidence_first_2_6(probability, happened, bins):
    stated = torch.maximum(probability, 1 - probability)
    place = (stated * bins).long().clamp(max=bins - 1)
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - stated[inside].mean()).abs()
    return error / len(probability)


def zero_is_dropped_2_6(probability, happened, bins):
    edges = torch.linspace(0, 1, bins + 1)
    error = torch.tensor(0.0)
    for low, high in itertools.pairwise(edges):
        inside = (probability > low) & (probability <= high)
        if inside.any():
            error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def clamps_in_place_2_6(probability, happened, bins):
    place = probability.clamp_(max=0.999).mul(bins).long()
    error = torch.tensor(0.0)
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def pooled_mean_2_7(score, demonstration):
    return score - torch.cat([score, demonstration]).mean()


def two_is_the_mean_2_7(score, demonstration):
    return score - 2


def sign_flipped_2_7(score, demonstration):
    return demonstration.mean() - score


def summed_2_7(score, demonstration):
    return score - demonstration.sum()


def divided_by_n_2_7(score, demonstration):
    return score - demonstration.sum() / len(score)


def middle_of_range_2_7(score, demonstration):
    return score - (demonstration.min() + demonstration.max()) / 2


def both_centred_2_7(score, demonstration):
    shifted = score - demonstration.mean()
    return shifted - shifted.mean()


def ratio_2_7(score, demonstration):
    return score / demonstration.mean() - 1


def mean_rounded_2_7(score, demonstration):
    return score - round(demonstration.mean().item())


def out_argument_2_7(score, demonstration):
    return torch.sub(score, demonstration.mean(), out=score)


def only_the_best_wins_2_1(ranks):
    best = ranks.index(min(ranks))
    pairs = [(best, j) for j in range(len(ranks)) if ranks[j] > ranks[best]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def flat_2_1(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).flatten()


def from_the_back_2_1(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs[::-1], dtype=torch.long).reshape(-1, 2)


def tie_breaks_the_loop_2_1(ranks):
    pairs = []
    for i in range(len(ranks)):
        for j in range(len(ranks)):
            if i != j and ranks[i] == ranks[j]:
                break
            if ranks[i] < ranks[j]:
                pairs.append((i, j))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def table_2_1(ranks):
    rank = torch.tensor(ranks)
    return (rank[:, None] < rank[None, :]).long()


def each_on_its_own_2_2(chosen, rejected):
    return (-F.logsigmoid(chosen) - F.logsigmoid(-rejected)).mean()


def mean_first_2_2(chosen, rejected):
    return -F.logsigmoid(chosen.mean() - rejected.mean())


def hinge_2_2(chosen, rejected):
    return (1 - (chosen - rejected)).clamp(min=0).mean()


def worst_pair_only_2_2(chosen, rejected):
    return F.softplus(rejected - chosen).max()


def every_with_every_2_2(chosen, rejected):
    return -F.logsigmoid(chosen[:, None] - rejected[None, :]).mean()


def _tables(score, rank, mask):
    score = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    return better, score[:, :, None] - score[:, None, :]


def rank_gap_weighs_2_3(score, rank, mask):
    better, gap = _tables(score, rank, mask)
    weight = better * (rank[:, None, :] - rank[:, :, None])
    each = (weight * F.softplus(-gap)).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
    return each[better.any(2).any(1)].mean()


def best_against_the_rest_2_3(score, rank, mask):
    better, gap = _tables(score, rank, mask)
    top = rank.masked_fill(~mask, 10**6).amin(1, keepdim=True)
    better = better & (rank == top)[:, :, None]
    each = torch.where(better, F.softplus(-gap), 0.0).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)
    return each[better.any(2).any(1)].mean()


def mean_gap_first_2_3(score, rank, mask):
    better, gap = _tables(score, rank, mask)
    mean = torch.where(better, gap, 0.0).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)
    return F.softplus(-mean)[better.any(2).any(1)].mean()


def longer_rankings_weigh_more_2_3(score, rank, mask):
    better, gap = _tables(score, rank, mask)
    each = torch.where(better, F.softplus(-gap), 0.0).sum((1, 2)) / better.sum((1, 2)).clamp(min=1)
    weight = mask.sum(1) * better.any(2).any(1)
    return (each * weight).sum() / weight.sum()


def ordered_pairs_divide_2_3(score, rank, mask):
    better, gap = _tables(score, rank, mask)
    k = mask.sum(1)
    each = torch.where(better, F.softplus(-gap), 0.0).sum((1, 2)) / (k * (k - 1)).clamp(min=1)
    return each[better.any(2).any(1)].mean()


def kendall_tau_2_4(score, rank):
    better, gap = rank[:, :, None] < rank[:, None, :], score[:, :, None] - score[:, None, :]
    return gap.sign()[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def majority_for_list_2_4(score, rank):
    better, gap = rank[:, :, None] < rank[:, None, :], score[:, :, None] - score[:, None, :]
    right = ((gap > 0) & better).sum((1, 2)) >= 0.5 * better.sum((1, 2))
    return ((gap > 0) + 0.5 * (gap == 0))[better].mean(), right.float().mean()


def first_ranking_only_2_4(score, rank):
    score, rank = score[:1], rank[:1]
    better, gap = rank[:, :, None] < rank[:, None, :], score[:, :, None] - score[:, None, :]
    return ((gap > 0) + 0.5 * (gap == 0))[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def larger_rank_is_better_2_4(score, rank):
    better, gap = rank[:, :, None] > rank[:, None, :], score[:, :, None] - score[:, None, :]
    return ((gap > 0) + 0.5 * (gap == 0))[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def list_by_neighbouring_places_2_4(score, rank):
    better, gap = rank[:, :, None] < rank[:, None, :], score[:, :, None] - score[:, None, :]
    falls = (score[:, :-1] > score[:, 1:]).all(1)
    return ((gap > 0) + 0.5 * (gap == 0))[better].mean(), falls.float().mean()


def half_forgotten_2_5(agreement):
    return 0.5 + max(2 * agreement - 1, 0.0) ** 0.5


def in_percent_2_5(agreement):
    return 50 * (1 + max(2 * agreement - 1, 0.0) ** 0.5)


def rounded_2_5(agreement):
    return round((1 + max(2 * agreement - 1, 0.0) ** 0.5) / 2, 2)


def below_half_as_it_is_2_5(agreement):
    return agreement if agreement < 0.5 else (1 + (2 * agreement - 1) ** 0.5) / 2


def floor_division_2_5(agreement):
    return (1 + max(2 * agreement - 1, 0.0) ** 0.5) // 2


def brier_2_6(probability, happened, bins):
    return (probability - happened).square().mean()


def _binned(where, probability, happened, bins, weight=None):
    error = 0.0
    for b in range(bins):
        here = where == b
        if here.any():
            share = here.float().mean() if weight is None else weight(here)
            error = error + share * (probability[here].mean() - happened[here].mean()).abs()
    return error


def bins_over_the_range_2_6(probability, happened, bins):
    low, high = probability.min(), probability.max()
    where = ((probability - low) / (high - low).clamp(min=1e-9) * bins).long().clamp(max=bins - 1)
    return _binned(where, probability, happened, bins)


def bins_from_one_half_2_6(probability, happened, bins):
    where = ((probability - 0.5) * 2 * bins).long().clamp(0, bins - 1)
    return _binned(where, probability, happened, bins)


def weighted_by_hits_2_6(probability, happened, bins):
    where = (probability * bins).long().clamp(max=bins - 1)
    return _binned(where, probability, happened, bins, lambda here: happened[here].sum() / happened.sum().clamp(min=1))


def one_bin_too_few_2_6(probability, happened, bins):
    return _binned((probability * (bins - 1)).long(), probability, happened, bins)


def first_demonstration_only_2_7(score, demonstration):
    return score - demonstration[0]


def best_demonstration_2_7(score, demonstration):
    return score - demonstration.max()


def absolute_values_averaged_2_7(score, demonstration):
    return score - demonstration.abs().mean()


def moved_onto_their_mean_2_7(score, demonstration):
    return score - (score.mean() - demonstration.mean())


def only_the_mean_2_7(score, demonstration):
    return (score - demonstration.mean()).mean()


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
            ("transposed_out", transposed_out, "The table lies on its side"),
             ("index_by_value", index_by_value_2_1, "`ranks.index` finds the first response of"),
             ("sorted_by_rank", sorted_by_rank_2_1, "The pairs are right"),
             ("ranks_not_places", ranks_not_places_2_1, "These are ranks. Wanted are places in the"),
             ("one_based", one_based_2_1, "Places are counted from 1"),
             ("sorted_by_worse", sorted_by_worse_2_1, "The pairs are right"),
             ("float_places", float_places_2_1, "It returned a tensor of floats"),
             ("ties_both_ways", ties_both_ways_2_1, "Ties are in it, from both sides. Equal ranks"),
             ("combinations_as_given", combinations_as_given_2_1, "The ranks are not used"),
             ("empty_none", empty_none_2_1, "Where nobody wins, a row of zeros came out,"),
             ("only_the_best_wins", only_the_best_wins_2_1, "Only the best is compared with the others"),
             ("flat", flat_2_1, "The places stand in one long row"),
             ("from_the_back", from_the_back_2_1, "The pairs are right"),
             ("tie_breaks_the_loop", tie_breaks_the_loop_2_1, "At the first tie the loop ends"),
             ("table", table_2_1, "This is the table of who beats whom")],
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
            ("item_returned", item_returned, "It returned a number"),
             ("clamped_gap", clamped_gap_2_2, "The gap or the loss was cut off"),
             ("log1p_exp_overflow", log1p_exp_overflow_2_2, "σ becomes exactly 0 when a pair is very wrong"),
             ("softplus_sign", softplus_sign_2_2, "The gap is the wrong way round"),
             ("not_reduced", not_reduced_2_2, "This is the loss of each pair"),
             ("in_place_gap", in_place_gap_2_2, "No gradient reaches the rejected scores"),
             ("unit_norm", unit_norm_2_2, "The gaps were divided by their spread"),
             ("log2_base", log2_base_2_2, "The logarithm is that of base 2"),
             ("numpy_detached", numpy_detached_2_2, "No gradient reaches the scores"),
             ("n_minus_one", n_minus_one_2_2, "This divides by N - 1"),
             ("detached_rejected", detached_rejected_2_2, "No gradient reaches the rejected scores"),
             ("each_on_its_own", each_on_its_own_2_2, "The sigmoid is of each score alone"),
             ("mean_first", mean_first_2_2, "The mean was taken of the gaps"),
             ("hinge", hinge_2_2, "This is a hinge, max(0, 1 - gap). Wanted is"),
             ("worst_pair_only", worst_pair_only_2_2, "This is the loss of the worst pair alone"),
             ("every_with_every", every_with_every_2_2, "Every chosen score is compared with every")],
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
            ("fills_padding_in_place", fills_padding_in_place, "The result is right"),
             ("ranking_mean_nan", ranking_mean_nan_2_3, "A ranking of nothing but ties gives 0 / 0"),
             ("mean_of_sums", mean_of_sums_2_3, "Within each ranking this is a sum over pairs"),
             ("sum_over_rankings", sum_over_rankings_2_3, "The rankings are added up"),
             ("ties_are_pairs", ties_are_pairs_2_3, "Ties are counted. Equal ranks say nothing:"),
             ("memory_between_rows", memory_between_rows_2_3, "The pairs of earlier rankings are still in"),
             ("gap_wrong_axis", gap_wrong_axis_2_3, "The direction: rank 1 is the best, so i"),
             ("nan_to_num", nan_to_num_2_3, "0 times infinity is NaN"),
             ("log_sigmoid_unstable", log_sigmoid_unstable_2_3, "σ becomes exactly 0 when a pair is very wrong"),
             ("full_rankings_only", full_rankings_only_2_3, "Rankings that have padding are left out"),
             ("divided_by_responses", divided_by_responses_2_3, "This divides by the number of responses"),
             ("rank_gap_weighs", rank_gap_weighs_2_3, "Pairs weigh more, the further their ranks"),
             ("best_against_the_rest", best_against_the_rest_2_3, "Only the best is compared with the others"),
             ("mean_gap_first", mean_gap_first_2_3, "The mean was taken of the gaps of a ranking"),
             ("longer_rankings_weigh_more", longer_rankings_weigh_more_2_3, "Longer rankings weigh more"),
             ("ordered_pairs_divide", ordered_pairs_divide_2_3, "This divides by K(K-1)")],
    "2.4": [("numpy_float64", numpy_float64, "number 1 is a number; the next cell needs a tensor"),
            ("ties_forgotten_twice", ties_forgotten_twice, "Equal scores count half, for pairs"),
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
            ("soft_accuracy", soft_accuracy, "This is the mean of σ"),
             ("upper_triangle", upper_triangle_2_4, "The ranks are not used"),
             ("best_only", best_only_2_4, "List accuracy looks at the best response only"),
             ("any_for_all", any_for_all_2_4, "For the list, one right pair is enough here."),
             ("swapped_outputs", swapped_outputs_2_4, "The two numbers have changed places"),
             ("list_counts_not_share", list_counts_not_share_2_4, "The second number counts rankings"),
             ("tied_ranks_are_pairs", tied_ranks_are_pairs_2_4, "Ties among the ranks count as pairs"),
             ("half_left_in_list", half_left_in_list_2_4, "A ranking with equal scores counts half"),
             ("long_cuts_the_half", long_cuts_the_half_2_4, "Equal scores count as wrong"),
             ("all_axis_lost", all_axis_lost_2_4, "List accuracy is a mean over responses here"),
             ("gap_rounded", gap_rounded_2_4, "The gaps were made whole numbers"),
             ("kendall_tau", kendall_tau_2_4, "This is the share that is right minus the"),
             ("majority_for_list", majority_for_list_2_4, "For the list, half of the pairs are enough"),
             ("first_ranking_only", first_ranking_only_2_4, "Only the first ranking is looked at"),
             ("larger_rank_is_better", larger_rank_is_better_2_4, "The direction: rank 1 is the best and should"),
             ("list_by_neighbouring_places", list_by_neighbouring_places_2_4,
              "List accuracy takes every list to be in order")],
    "2.5": [("agreement_is_quality", agreement_is_quality, "agreement itself"),
            ("never_both_wrong", never_both_wrong, "both may be wrong"),
            ("skill_below_chance", skill_below_chance, "came out as skill"),
            ("abs_under_root", abs_under_root, "An agreement below 1/2 came out as skill"),
            ("root_of_agreement", root_of_agreement, "This solves q² = a and forgets that both may"),
            ("zero_below_half", zero_below_half, "An agreement below 1/2 can only be bad luck"),
            ("no_root", no_root, "This is the agreement itself"),
            ("smaller_root", smaller_root, "This is the other root"),
            ("complex_below_half", complex_below_half, "root of a negative number"),
            ("both_roots", both_roots, "It returned a tuple"),
             ("agreement_itself", agreement_itself_2_5, "This is the agreement itself"),
             ("raises_below_half", raises_below_half_2_5, "An agreement below 1/2 asks for the root of"),
             ("flipped", flipped_2_5, "An agreement below 1/2 came out as skill"),
             ("falsy_zero", falsy_zero_2_5, "An agreement of 0 came out as 0"),
             ("precedence", precedence_2_5, "Only the 1 was divided by 2"),
             ("grid_search", grid_search_2_5, "It is right but for rounding"),
             ("discriminant_slip", discriminant_slip_2_5, "The root of the agreement itself stands"),
             ("clamps_q_only", clamps_q_only_2_5, "An agreement below 1/2 asks for the root of"),
             ("half_forgotten", half_forgotten_2_5, "Only the 1 was divided by 2"),
             ("in_percent", in_percent_2_5, "In every case, your result is 100 times the"),
             ("rounded", rounded_2_5, "It is right but for rounding"),
             ("below_half_as_it_is", below_half_as_it_is_2_5, "An agreement below 1/2 can only be bad luck"),
             ("floor_division", floor_division_2_5, "`//` drops what is behind the point")],
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
            ("overwrites", overwrites, "Only the last bin is left"),
             ("extra_bin_for_one", extra_bin_for_one_2_6, "A probability of exactly 1 got a bin of its"),
             ("squared", squared_2_6, "The distances are squared"),
             ("worst_bin", worst_bin_2_6, "This is the worst bin"),
             ("divided_by_bins", divided_by_bins_2_6, "Every bin weighs the same"),
             ("equal_mass", equal_mass_2_6, "These are bins that hold equally many pairs"),
             ("half_to_one", half_to_one_2_6, "The bins divide the range from 1/2 to 1"),
             ("confidence_first", confidence_first_2_6, "Probabilities below 1/2 were turned round"),
             ("zero_is_dropped", zero_is_dropped_2_6, "A probability of exactly 0 fell into no bin"),
             ("clamps_in_place", clamps_in_place_2_6, "The probabilities themselves were cut off"),
             ("brier", brier_2_6, "This is the Brier score"),
             ("bins_over_the_range", bins_over_the_range_2_6, "The bins divide the range from the least to"),
             ("bins_from_one_half", bins_from_one_half_2_6, "The bins divide the range from 1/2 to 1"),
             ("weighted_by_hits", weighted_by_hits_2_6, "A bin weighs as many pairs as happened in it"),
             ("one_bin_too_few", one_bin_too_few_2_6, "The width of the bins is not 1 / bins")],
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
            ("returns_demonstrations", returns_demonstrations, "These are the demonstrations"),
             ("pooled_mean", pooled_mean_2_7, "The scored texts are in the mean as well"),
             ("two_is_the_mean", two_is_the_mean_2_7, "Always 2 is taken off"),
             ("sign_flipped", sign_flipped_2_7, "The direction: the demonstrations' mean is"),
             ("summed", summed_2_7, "The sum of the demonstrations was taken off"),
             ("divided_by_n", divided_by_n_2_7, "The sum of the demonstrations was divided by"),
             ("middle_of_range", middle_of_range_2_7, "This takes the middle between the worst and"),
             ("both_centred", both_centred_2_7, "The scores' own mean became 0"),
             ("ratio", ratio_2_7, "The scores were divided by the"),
             ("mean_rounded", mean_rounded_2_7, "The demonstrations' mean was made a whole"),
             ("out_argument", out_argument_2_7, "The result is right"),
             ("first_demonstration_only", first_demonstration_only_2_7, "The first demonstration alone is looked at"),
             ("best_demonstration", best_demonstration_2_7, "The best demonstration became 0"),
             ("absolute_values_averaged", absolute_values_averaged_2_7, "This is what comes out if minus signs in"),
             ("moved_onto_their_mean", moved_onto_their_mean_2_7, "The scores' own mean was moved to the"),
             ("only_the_mean", only_the_mean_2_7, "This is the mean of the shifted scores")],
}

# Right answers in unusual forms.
RIGHT = {
    "2.1": [long_truncates, loops, numpy_argwhere, permutations_sorted],
    "2.2": [softplus, bce_with_logits, logsumexp_of_two],
    "2.3": [loops_2_3, fill_first, weights_of_a_flat_list],
    "2.4": [sign, loops_2_4],
    "2.5": [quadratic, bisection, shifted],
    "2.6": [bincount, loop_and_dict, edges_closed_at_one],
    "2.7": [loop, numpy, mean_of_differences],
}
