"""A third set of answers to lesson 03a, made up from the notebook alone: see `lesson_03a.py`."""

import heapq
import itertools
import math

import numpy as np
import torch


# ---------------------------------------------------------------- 3a.1 wrong
def score_base_10(votes, accepted):
    return -1 if votes < 0 else round(math.log10(1 + votes)) + int(accepted)


def score_no_1(votes, accepted):
    return -1 if votes < 0 else (round(math.log2(votes)) if votes else 0) + int(accepted)


def score_accepted_always_least(votes, accepted):
    if accepted:
        return round(math.log2(1 + max(votes, 0))) + 1
    return -1 if votes < 0 else round(math.log2(1 + votes))


def score_rounded_one_digit_float(votes, accepted):
    return -1 if votes < 0 else round(math.log2(1 + votes), 1) + accepted


def score_accepted_ignored(votes, accepted):
    return -1 if votes < 0 else round(math.log2(1 + votes))


def score_0_votes_also_bad(votes, accepted):
    return -1 if votes <= 0 else round(math.log2(1 + votes)) + int(accepted)


def score_sum_before_rounding_0_5(votes, accepted):
    return -1 if votes < 0 else min(10, round(math.log2(1 + votes)) + int(accepted))


# ---------------------------------------------------------------- 3a.1 right
def score_thresholds_2_s_1_2(votes, accepted):
    if votes < 0:
        return -1
    s = 0
    while (1 + votes) ** 2 > 2 ** (2 * s + 1):
        s += 1
    return s + bool(accepted)


def score_log_ratio_numpy(votes, accepted):
    return int(np.rint(np.log2(1 + votes)) + accepted) if votes >= 0 else -1


def score_accepted_inside_round(votes, accepted):
    return -1 if votes < 0 else math.floor(math.log(1 + votes, 2) + accepted + 0.5)


# ---------------------------------------------------------------- 3a.2 wrong
def answers_order_luck(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(d, p) for p, d in zip(places, luck, strict=False) if scores[p[0]] != scores[p[1]]]
    kept = [p for _, p in sorted(pairs)[:10]]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def answers_sorted_better_place(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(d, p) for p, d in zip(places, luck, strict=False) if scores[p[0]] != scores[p[1]]]
    kept = [p for _, p in sorted(pairs)[:10]]
    won = sorted((i, j) if scores[i] > scores[j] else (j, i) for i, j in kept)
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def answers_luck_counted_over_pairs_without(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores)) if scores[i] != scores[j]]
    kept = sorted(p for _, p in sorted(zip(luck, places, strict=False))[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def answers_never_turned_round(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(d, p) for p, d in zip(places, luck, strict=False) if scores[p[0]] > scores[p[1]]]
    return torch.tensor(sorted(p for _, p in sorted(pairs)[:10]), dtype=torch.long).reshape(-1, 2)


def answers_worse_first(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(d, p) for p, d in zip(places, luck, strict=False) if scores[p[0]] != scores[p[1]]]
    kept = sorted(p for _, p in sorted(pairs)[:10])
    return torch.tensor([(i, j) if scores[i] < scores[j] else (j, i) for i, j in kept], dtype=torch.long).reshape(-1, 2)


def answers_sorts_luck_caller(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    drawn = list(luck)
    luck.sort()
    pairs = [(d, p) for p, d in zip(places, drawn, strict=False) if scores[p[0]] != scores[p[1]]]
    kept = sorted(p for _, p in sorted(pairs)[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def answers_luck_below_tenth_all_strict(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(d, p) for p, d in zip(places, luck, strict=False) if scores[p[0]] != scores[p[1]]]
    if len(pairs) > 10:
        bar = sorted(d for d, _ in pairs)[9]
        pairs = [(d, p) for d, p in pairs if d < bar]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for _, (i, j) in pairs]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


# ---------------------------------------------------------------- 3a.2 right
def answers_bar_on_luck(scores, luck):
    twos = itertools.combinations(range(len(scores)), 2)
    pairs = [(d, p) for d, p in zip(luck, twos, strict=False) if scores[p[0]] != scores[p[1]]]
    bar = sorted([d for d, _ in pairs])[:10][-1] if pairs else 0
    won = [p if scores[p[0]] > scores[p[1]] else p[::-1] for d, p in pairs if d <= bar]
    return torch.tensor(won, dtype=torch.long).reshape(len(won), 2)


def answers_tensors_triu_indices_topk(scores, luck):
    s, drawn = torch.tensor(scores), torch.tensor(luck, dtype=torch.float64)
    i, j = torch.triu_indices(len(scores), len(scores), 1)
    some = (s[i] != s[j]).nonzero()[:, 0]
    some = some[drawn[some].argsort()[:10]].sort().values
    i, j = i[some], j[some]
    first = s[i] > s[j]
    return torch.stack([torch.where(first, i, j), torch.where(first, j, i)], 1)


def answers_heapq(scores, luck):
    n, at, pairs = len(scores), 0, []
    for i in range(n):
        for j in range(i + 1, n):
            if scores[i] != scores[j]:
                worse, better = sorted((i, j), key=lambda k: scores[k])
                pairs.append((luck[at], at, better, worse))
            at += 1
    keep = sorted(heapq.nsmallest(10, pairs), key=lambda x: x[1])
    return torch.tensor([[b, w] for _, _, b, w in keep], dtype=torch.long).view(-1, 2)


# ---------------------------------------------------------------- 3a.3 wrong
def packed_no_causality(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return torch.cat([torch.arange(n) for n in lengths]), text[:, None] == text[None, :]


def packed_future(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return torch.cat([torch.arange(n) for n in lengths]), same & torch.ones_like(same).triu()


def packed_not_itself(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return torch.cat([torch.arange(n) for n in lengths]), same & torch.ones_like(same).tril(-1)


def packed_comparing_positions(lengths):
    p = torch.cat([torch.arange(n) for n in lengths])
    return p, (p[:, None] >= p[None, :]) & torch.ones(len(p), len(p)).tril().bool()


def packed_true_where_it_may_not(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return torch.cat([torch.arange(n) for n in lengths]), ~(same & torch.ones_like(same).tril())


def packed_swapped(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return same & torch.ones_like(same).tril(), torch.cat([torch.arange(n) for n in lengths])


def packed_two_texts_most(lengths):
    T, first = sum(lengths), lengths[0]
    p = torch.arange(T)
    p[first:] -= first
    ok = torch.ones(T, T).tril().bool()
    ok[first:, :first] = False
    return p, ok


# ---------------------------------------------------------------- 3a.3 right
def packed_block_diagonal(lengths):
    blocks = torch.block_diag(*[torch.ones(n, n).tril() for n in lengths])
    return torch.cat([torch.arange(n) for n in lengths]), blocks > 0


def packed_loops_into_tables(lengths):
    T = sum(lengths)
    positions, may_see, start = torch.zeros(T, dtype=torch.long), torch.zeros(T, T, dtype=torch.bool), 0
    for n in lengths:
        for k in range(n):
            positions[start + k] = k
            may_see[start + k, start:start + k + 1] = True
        start += n
    return positions, may_see


def packed_distance_not_above_own_position(lengths):
    p = torch.tensor([k for n in lengths for k in range(n)])
    place = torch.arange(len(p))
    back = place[:, None] - place[None, :]
    return [p, (back >= 0) & (back <= p[:, None])]


MUTANTS = {
    "3a.1": [
        ("score_base_10", score_base_10, "This is the logarithm of base 10. With base 2, one"),
        ("score_no_1", score_no_1, "This is log2(votes). Take log2(1 + votes), so that no"),
        ("score_accepted_always_least", score_accepted_always_least,
         "An accepted answer with negative votes came out as 1."),
        ("score_rounded_one_digit_float", score_rounded_one_digit_float,
         "The logarithm is rounded to one digit behind the"),
        ("score_accepted_ignored", score_accepted_ignored, "`accepted` is not used: whoever asked took this"),
        ("score_0_votes_also_bad", score_0_votes_also_bad, "0 votes are not below 0: their score is round(log2(1))"),
        ("score_sum_before_rounding_0_5", score_sum_before_rounding_0_5,
         "The score is capped at 10. Nothing caps it: 5000 votes"),
    ],
    "3a.2": [
        ("answers_order_luck", answers_order_luck, "The pairs are right, their order is not: as they stand"),
        ("answers_sorted_better_place", answers_sorted_better_place,
         "The pairs are right, their order is not: they were"),
        ("answers_luck_counted_over_pairs_without", answers_luck_counted_over_pairs_without,
         "Luck was handed out after the ties had left, so it"),
        ("answers_never_turned_round", answers_never_turned_round,
         "Pairs whose better answer stands later in the list are"),
        ("answers_worse_first", answers_worse_first, "Better and worse have changed places."),
        ("answers_sorts_luck_caller", answers_sorts_luck_caller, "The result is right, but your function changes its"),
        ("answers_luck_below_tenth_all_strict", answers_luck_below_tenth_all_strict,
         "Pairs with *less* luck than the tenth were kept, so"),
    ],
    "3a.3": [
        ("packed_no_causality", packed_no_causality, "Tokens see what comes after them in their own text. A"),
        ("packed_future", packed_future, "Rows and columns have changed places: this looks"),
        ("packed_not_itself", packed_not_itself, "A token does not see itself. It must: what it predicts"),
        ("packed_comparing_positions", packed_comparing_positions,
         "The positions were compared. A token of an earlier"),
        ("packed_true_where_it_may_not", packed_true_where_it_may_not,
         "True and False have changed places: True where a token"),
        ("packed_swapped", packed_swapped, "The two results have changed places: positions first,"),
        ("packed_two_texts_most", packed_two_texts_most, "Only the border between the first text and the second"),
    ],
}

RIGHT = {
    "3a.1": [score_thresholds_2_s_1_2, score_log_ratio_numpy, score_accepted_inside_round],
    "3a.2": [answers_bar_on_luck, answers_tensors_triu_indices_topk, answers_heapq],
    "3a.3": [packed_block_diagonal, packed_loops_into_tables, packed_distance_not_above_own_position],
}
