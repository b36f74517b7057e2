"""Wrong answers to lesson 02 as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape (in 2.1, where the number of rows is the question, the right width) and agrees with the worked
example of the text, so only the checks can tell.
"""

from itertools import combinations, permutations

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
    return sum(sum(row) / len(row) for row in rows) / len(rows), _perfect(rows)


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


MUTANTS = {
    "2.1": [("ties_in_list_order", ties_in_list_order, "A tie is in it"),
            ("all_combinations", all_combinations, "ranks are not used"),
            ("looks_forward_only", looks_forward_only, "stands later in the list are missing"),
            ("first_one_wins", first_one_wins, "taken for the winner"),
            ("ranks_for_places", ranks_for_places, "These are ranks"),
            ("sorted_by_rank", sorted_by_rank, "their order is not")],
    "2.2": [("log_of_sigmoid", log_of_sigmoid, "exactly 0"), ("epsilon_in_the_log", epsilon_in_the_log, "small number"),
            ("added_up", added_up, "sum over pairs"), ("pushes_one_side_only", pushes_one_side_only, "No gradient")],
    "2.3": [("ties_both_ways", ties_both_ways, "Ties are counted"),
            ("list_order_only", list_order_only, "to be in order"),
            ("one_mean_over_everything", one_mean_over_everything, "one mean over all pairs"),
            ("padding_takes_part", padding_takes_part, "mask is not used"),
            ("divides_by_k_choose_2", divides_by_k_choose_2, "not out of the count"),
            ("all_ties_cost_nothing", all_ties_cost_nothing, "thins out"),
            ("no_pairs_no_number", no_pairs_no_number, "0 / 0")],
    "2.4": [("equal_is_right", equal_is_right, "count as right"), ("equal_is_wrong", equal_is_wrong, "count as wrong"),
            ("best_only", best_only, "best response only"), ("mean_of_shares", mean_of_shares, "ranking's share"),
            ("sorts_and_compares", sorts_and_compares, "two sorted lists")],
    "2.5": [("agreement_is_quality", agreement_is_quality, "agreement itself"),
            ("never_both_wrong", never_both_wrong, "both may be wrong"),
            ("skill_below_chance", skill_below_chance, "came out as skill")],
    "2.6": [("every_bin_the_same", every_bin_the_same, "weighs the same"),
            ("middle_of_the_bin", middle_of_the_bin, "middle of the bin"),
            ("certainty_falls_out", certainty_falls_out, "fell into no bin")],
    "2.7": [("mean_of_what_is_scored", mean_of_what_is_scored, "own mean"),
            ("middle_demonstration", middle_demonstration, "median"),
            ("standard_scores", standard_scores, "also divided")],
}
