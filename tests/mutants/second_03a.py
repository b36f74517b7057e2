"""A second set of answers to lesson 03a, by people who saw nothing but the notebook: see `lesson_03a.py`."""

import heapq
import itertools
import math
import random
from bisect import bisect_right

import numpy as np
import torch


# ---------------------------------------------------------------- 3a.1 wrong
def score_floor(votes, accepted):
    if votes < 0:
        return -1
    return int(math.log2(1 + votes)) + int(accepted)


def score_ceil(votes, accepted):
    return -1 if votes < 0 else math.ceil(math.log2(1 + votes)) + accepted


def score_natural_log(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log(1 + votes)) + (1 if accepted else 0)


def score_zero_is_negative(votes, accepted):
    if votes > 0:
        return round(math.log2(1 + votes)) + int(accepted)
    return -1


def score_accepted_saves_negative(votes, accepted):
    score = -1 if votes < 0 else round(math.log2(1 + votes))
    if accepted:
        score += 1
    return score


def score_accepted_in_log(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log2(1 + votes + accepted))


def score_accepted_needs_votes(votes, accepted):
    if votes < 0:
        return -1
    if votes == 0:
        return 0
    return round(math.log2(1 + votes)) + int(accepted)


def score_nearest_power(votes, accepted):
    if votes < 0:
        return -1
    step, power = 0, 1
    while 2 * power <= votes + 1:
        power *= 2
        step += 1
    if (votes + 1) - power >= 2 * power - (votes + 1):      # nearer to the next power of two
        step += 1
    return step + int(accepted)


def score_minus_one_crashes(votes, accepted):
    if 1 + votes < 0:
        return -1
    return round(math.log2(1 + votes)) + int(accepted)


def score_table_ends(votes, accepted):
    if votes < 0:
        return -1
    return bisect_right([1, 2, 5, 11, 22, 45, 90], votes) + int(accepted)


def score_table_ends_high(votes, accepted):
    """Thresholds right, but the table ends at 10."""
    if votes < 0:
        return -1
    bars = [math.ceil(2 ** (k - 0.5)) - 1 for k in range(1, 11)]
    return sum(votes >= bar for bar in bars) + int(accepted)


def score_symmetric(votes, accepted):
    sign = (votes > 0) - (votes < 0)
    score = sign * round(math.log2(1 + abs(votes)))
    return score + 1 if accepted and votes >= 0 else score


def score_round_twice(votes, accepted):
    if votes < 0:
        return -1
    return round(round(math.log2(1 + votes), 1)) + int(accepted)


def score_bit_length(votes, accepted):
    return -1 if votes < 0 else int(votes).bit_length() + bool(accepted)


# ---------------------------------------------------------------- 3a.1 right
def score_by_squares(votes, accepted):
    """round(log2 m) is half the bit length of m * m, without any float."""
    return -1 if votes < 0 else ((1 + votes) ** 2).bit_length() // 2 + bool(accepted)


def score_acceptance_doubles(votes, accepted):
    if not votes >= 0:
        return -1
    return int(np.rint(np.log2((2 if accepted else 1) * (1.0 + votes))))


# ---------------------------------------------------------------- 3a.2 helpers
def as_pairs(pairs):
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def ordered(scores, i, j):
    return (i, j) if scores[i] > scores[j] else (j, i)


def all_twos(scores):
    return list(itertools.combinations(range(len(scores)), 2))


# ---------------------------------------------------------------- 3a.2 wrong
def pairs_cut_before_ties(scores, luck):
    twos = sorted(zip(luck, all_twos(scores), strict=False))[:10]
    kept = sorted(two for _, two in twos)
    return as_pairs([ordered(scores, i, j) for i, j in kept if scores[i] != scores[j]])


def pairs_most_luck(scores, luck):
    found = [(u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j]]
    found = sorted(found, reverse=True)[:10]
    return as_pairs([ordered(scores, i, j) for _, i, j in sorted(found, key=lambda x: x[1:])])


def pairs_in_order_of_luck(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j])
    return as_pairs([ordered(scores, i, j) for _, i, j in found[:10]])


def pairs_luck_order_when_many(scores, luck):
    found = [(u, two) for u, two in zip(luck, all_twos(scores), strict=False) if scores[two[0]] != scores[two[1]]]
    if len(found) > 10:
        found = heapq.nsmallest(10, found)
    return as_pairs([ordered(scores, *two) for _, two in found])


def pairs_sorted_by_better(scores, luck):
    found = []
    for u, (i, j) in zip(luck, all_twos(scores), strict=False):
        if scores[i] > scores[j]:
            found.append((u, i, j))
        elif scores[j] > scores[i]:
            found.append((u, j, i))
    return as_pairs(sorted([i, j] for _, i, j in sorted(found)[:10]))


def pairs_luck_by_columns(scores, luck):
    numbers, found = iter(luck), []
    for j in range(len(scores)):
        for i in range(j):
            u = next(numbers)
            if scores[i] != scores[j]:
                found.append((u, i, j))
    found.sort()
    return as_pairs([ordered(scores, i, j) for i, j in sorted((i, j) for _, i, j in found[:10])])


def pairs_luck_not_spent_on_ties(scores, luck):
    found, k = [], 0
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            if scores[i] == scores[j]:
                continue
            found.append((luck[k], i, j))
            k += 1
    kept = sorted(sorted(found)[:10], key=lambda x: (x[1], x[2]))
    return as_pairs([ordered(scores, i, j) for _, i, j in kept])


def pairs_dict_of_luck(scores, luck):
    by_luck = {u: two for u, two in zip(luck, all_twos(scores), strict=False) if scores[two[0]] != scores[two[1]]}
    kept = sorted(by_luck[u] for u in sorted(by_luck)[:10])
    return as_pairs([ordered(scores, *two) for two in kept])


def pairs_flat_when_empty(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j])[:10]
    found.sort(key=lambda x: x[1:])
    return torch.tensor([ordered(scores, i, j) for _, i, j in found], dtype=torch.long)


def pairs_float_when_empty(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j])[:10]
    return torch.tensor([ordered(scores, i, j) for i, j in sorted((i, j) for _, i, j in found)]).reshape(-1, 2)


def pairs_eleven(scores, luck):
    found = [(u, two) for u, two in zip(luck, all_twos(scores), strict=False) if scores[two[0]] != scores[two[1]]]
    bar = sorted(u for u, _ in found)[10] if len(found) > 10 else math.inf
    return as_pairs([ordered(scores, *two) for u, two in found if u <= bar])


def pairs_bar_excluded(scores, luck):
    found = [(u, two) for u, two in zip(luck, all_twos(scores), strict=False) if scores[two[0]] != scores[two[1]]]
    if len(found) > 10:
        bar = sorted(u for u, _ in found)[9]
        found = [(u, two) for u, two in found if u < bar]
    return as_pairs([ordered(scores, *two) for _, two in found])


def pairs_negative_left_out(scores, luck):
    found = [(u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False)
             if scores[i] != scores[j] and min(scores[i], scores[j]) >= 0]
    kept = sorted((i, j) for _, i, j in sorted(found)[:10])
    return as_pairs([ordered(scores, i, j) for i, j in kept])


def pairs_ties_stay(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False))[:10]
    return as_pairs([(i, j) if scores[i] >= scores[j] else (j, i) for i, j in sorted(t[1:] for t in found)])


def pairs_of_scores(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j])[:10]
    return as_pairs([sorted((scores[i], scores[j]), reverse=True) for _, i, j in sorted(found, key=lambda x: x[1:])])


def pairs_first_ten(scores, luck):
    found = [ordered(scores, i, j) for i, j in all_twos(scores) if scores[i] != scores[j]]
    return as_pairs(found[:10])


def pairs_spoils_luck(scores, luck):
    twos = all_twos(scores)
    for k, (i, j) in enumerate(twos):
        if scores[i] == scores[j]:
            luck[k] = math.inf
    kept = sorted(k for k in sorted(range(len(twos)), key=lambda k: luck[k])[:10] if luck[k] < math.inf)
    return as_pairs([ordered(scores, *twos[k]) for k in kept])


def pairs_random_draw(scores, luck):
    found = [ordered(scores, i, j) for i, j in all_twos(scores) if scores[i] != scores[j]]
    if len(found) > 10:
        found = [found[k] for k in sorted(random.sample(range(len(found)), 10))]
    return as_pairs(found)


def pairs_worst_first(scores, luck):
    found = sorted((u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j])[:10]
    return as_pairs([ordered(scores, i, j)[::-1] if scores[i] < scores[j] else (i, j)
                     for i, j in sorted(t[1:] for t in found)])


# ---------------------------------------------------------------- 3a.2 right
def pairs_with_tensors(scores, luck):
    s, u = torch.tensor(scores, dtype=torch.float64), torch.tensor(luck, dtype=torch.float64)
    i, j = torch.triu_indices(len(scores), len(scores), 1)
    keep = (s[i] != s[j]).nonzero().flatten()
    keep = keep[u[keep].argsort()[:10]].sort().values
    i, j = i[keep], j[keep]
    swap = s[i] < s[j]
    return torch.stack([torch.where(swap, j, i), torch.where(swap, i, j)], 1)


def pairs_by_rank(scores, luck):
    """A pair is kept if fewer than ten others without a tie have less luck."""
    found = [(u, i, j) for u, (i, j) in zip(luck, all_twos(scores), strict=False) if scores[i] != scores[j]]
    out = [max((scores[i], i, j), (scores[j], j, i))[1:] for u, i, j in found if sum(v < u for v, _, _ in found) < 10]
    return torch.tensor(out, dtype=torch.int64).view(len(out), 2)


# ---------------------------------------------------------------- 3a.3 helpers
def text_of(lengths):
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def restart(lengths):
    return torch.cat([torch.arange(n) for n in lengths])


def blocks(lengths):
    text = text_of(lengths)
    return (text[:, None] == text[None, :]).tril()


# ---------------------------------------------------------------- 3a.3 wrong
def row_running_positions(lengths):
    return torch.arange(sum(lengths)), blocks(lengths)


def row_only_causal(lengths):
    n = sum(lengths)
    return restart(lengths), torch.ones(n, n, dtype=torch.bool).tril()


def row_sees_future(lengths):
    text = text_of(lengths)
    return restart(lengths), text.unsqueeze(0) == text.unsqueeze(1)


def row_not_itself(lengths):
    n = sum(lengths)
    see, start = torch.zeros(n, n, dtype=torch.bool), 0
    for length in lengths:
        for i in range(start, start + length):
            see[i, start:i] = True
        start += length
    return restart(lengths), see


def row_transposed(lengths):
    text = text_of(lengths)
    return restart(lengths), (text[:, None] == text[None, :]).triu()


def row_from_one(lengths):
    return torch.tensor([k for n in lengths for k in range(1, n + 1)]), blocks(lengths)


def row_same_length_same_text(lengths):
    sizes = torch.tensor(lengths)
    text = sizes.repeat_interleave(sizes)
    return restart(lengths), (text[:, None] == text[None, :]).tril()


def row_index_of_length(lengths):
    text = np.array([lengths.index(n) for n in lengths for _ in range(n)])
    see = np.tril(text[:, None] == text[None, :])
    return restart(lengths), torch.from_numpy(see)


def row_alternating(lengths):
    text = torch.tensor([k % 2 for k, n in enumerate(lengths) for _ in range(n)])
    return restart(lengths), (text[:, None] == text[None, :]).tril()


def row_modulo_longest(lengths):
    n = sum(lengths)
    return torch.arange(n) % max(lengths), blocks(lengths)


def row_equal_blocks(lengths):
    text = torch.arange(sum(lengths)) // max(lengths)
    return restart(lengths), (text[:, None] == text[None, :]).tril()


def row_longest_first(lengths):
    lengths = sorted(lengths, reverse=True)
    return restart(lengths), blocks(lengths)


def row_only_two_texts(lengths):
    first, n = lengths[0], sum(lengths)
    positions = torch.arange(n)
    positions[first:] -= first
    see = torch.ones(n, n).tril().bool()
    see[first:, :first] = False
    return positions, see


def row_mask_of_floats(lengths):
    return restart(lengths), blocks(lengths).float()


def row_float_positions(lengths):
    positions = torch.zeros(sum(lengths))
    start = 0
    for n in lengths:
        positions[start:start + n] = torch.arange(n)
        start += n
    return positions, blocks(lengths)


def row_previous_text_hidden(lengths):
    """Hides the text directly before only."""
    text, n = text_of(lengths), sum(lengths)
    gap = text[:, None] - text[None, :]
    return restart(lengths), ((gap != 1) & torch.ones(n, n, dtype=torch.bool)).tril()


def row_additive_mask(lengths):
    see = torch.full((sum(lengths),) * 2, float("-inf"))
    see[blocks(lengths)] = 0.0
    return restart(lengths), see


def row_lists(lengths):
    positions = [k for n in lengths for k in range(n)]
    see = [[t == s and j <= i for j, s in enumerate(text_of(lengths).tolist())]
           for i, t in enumerate(text_of(lengths).tolist())]
    return positions, see


# ---------------------------------------------------------------- 3a.3 right
def row_block_diag(lengths):
    see = torch.block_diag(*(torch.ones(n, n).tril() for n in lengths)) > 0
    return see.sum(1) - 1, see


def row_by_distance(lengths):
    """j is allowed while the distance back is at most the position."""
    positions = torch.tensor(list(itertools.chain.from_iterable(map(range, lengths))))
    t = torch.arange(len(positions))
    back = t.view(-1, 1) - t.view(1, -1)
    return positions, (back >= 0) & (back <= positions.view(-1, 1))


MUTANTS = {
    "3a.1": [
        ("floor", score_floor, "The logarithm is cut off, not rounded: 2"),
        ("ceil", score_ceil, "The logarithm is rounded up. Round to the"),
        ("natural_log", score_natural_log, "This is the natural logarithm. With base 2,"),
        ("zero_is_negative", score_zero_is_negative, "0 votes are not below 0: their score is"),
        ("accepted_saves_negative", score_accepted_saves_negative, "An accepted answer that people voted down"),
        ("accepted_in_log", score_accepted_in_log, "The acceptance went into the logarithm, as"),
        ("accepted_needs_votes", score_accepted_needs_votes, "An accepted answer with 0 votes came out as"),
        ("nearest_power", score_nearest_power, "The power of two nearest to 1 + votes was"),
        ("minus_one_crashes", score_minus_one_crashes, "A logarithm or a root was asked of a number"),
        ("table_ends", score_table_ends, "The score stops growing, as at the end of a"),
        ("table_ends_high", score_table_ends_high, "The score is capped at 10. Nothing caps it:"),
        ("symmetric", score_symmetric, "Negative votes were put on the same scale."),
        ("round_twice", score_round_twice, "It is rounded twice: first to a decimal,"),
        ("bit_length", score_bit_length, "The logarithm is rounded up. Round to the"),
    ],
    "3a.2": [
        ("cut_before_ties", pairs_cut_before_ties, "The ten were drawn first and the ties"),
        ("most_luck", pairs_most_luck, "These are the ten with the greatest luck;"),
        ("in_order_of_luck", pairs_in_order_of_luck, "The pairs are right, their order is not: as"),
        ("luck_order_when_many", pairs_luck_order_when_many, "Where more than ten pairs were there, they"),
        ("sorted_by_better", pairs_sorted_by_better, "The pairs are right, their order is not:"),
        ("luck_by_columns", pairs_luck_by_columns, "Luck was handed out in another order of the"),
        ("luck_not_spent_on_ties", pairs_luck_not_spent_on_ties, "Luck was handed out after the ties had"),
        ("dict_of_luck", pairs_dict_of_luck, "Pairs were kept in a dict under their luck,"),
        ("flat_when_empty", pairs_flat_when_empty, "An empty result keeps its columns: yours"),
        ("float_when_empty", pairs_float_when_empty, "It returned a tensor of floats; the next"),
        ("eleven", pairs_eleven, "At most ten are kept, no fewer and no more:"),
        ("bar_excluded", pairs_bar_excluded, "Pairs with *less* luck than the tenth were"),
        ("negative_left_out", pairs_negative_left_out, "Answers with a score of -1 are left out."),
        ("ties_stay", pairs_ties_stay, "Pairs with equal scores are in it. The"),
        ("of_scores", pairs_of_scores, "These are the scores. Wanted are the places"),
        ("first_ten", pairs_first_ten, "These are the first ten, so the answers at"),
        ("spoils_luck", pairs_spoils_luck, "The result is right, but your function"),
        ("random_draw", pairs_random_draw, "Asked twice about the same input, it gives"),
        ("worst_first", pairs_worst_first, "The one that stands first in the list is"),
    ],
    "3a.3": [
        ("running_positions", row_running_positions, "The positions run on through the row. Each"),
        ("only_causal", row_only_causal, "A text sees the texts before it in the row."),
        ("sees_future", row_sees_future, "Tokens see what comes after them in their"),
        ("not_itself", row_not_itself, "A token does not see itself. It must: what"),
        ("transposed", row_transposed, "Rows and columns have changed places: this"),
        ("from_one", row_from_one, "The positions begin at 1; a model counts"),
        ("same_length_same_text", row_same_length_same_text, "Texts are told apart by their length, so"),
        ("index_of_length", row_index_of_length, "Texts are told apart by their length, so"),
        ("alternating", row_alternating, "The texts are numbered 0, 1, 0, 1: the"),
        ("modulo_longest", row_modulo_longest, "The positions begin again after as many"),
        ("equal_blocks", row_equal_blocks, "The blocks of the mask are all as wide as"),
        ("longest_first", row_longest_first, "The texts were sorted by length. They stand"),
        ("only_two_texts", row_only_two_texts, "Only the border between the first text and"),
        ("mask_of_floats", row_mask_of_floats, "Of what it returned, number 2, `may_see`,"),
        ("float_positions", row_float_positions, "Of what it returned, number 1, `positions`,"),
        ("previous_text_hidden", row_previous_text_hidden, "Only the text right before is hidden, and"),
        ("additive_mask", row_additive_mask, "This is a mask to be added to scores, 0 and"),
        ("lists", row_lists, "Of what it returned, number 1, `positions`,"),
    ],
}
RIGHT = {
    "3a.1": [score_by_squares, score_acceptance_doubles],
    "3a.2": [pairs_with_tensors, pairs_by_rank],
    "3a.3": [row_block_diag, row_by_distance],
}
