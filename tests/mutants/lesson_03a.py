"""Answers to lesson 03a as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import itertools
import math
from itertools import combinations

import numpy as np
import torch


def accepted_against_the_votes(votes, accepted):
    score = round(math.log2(1 + votes)) if votes >= 0 else -1
    return score + 1 if accepted else score


def forgets_who_asked(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log(1 + votes, 2))


def cut_off(votes, accepted):
    if votes < 0:
        return -1
    return (votes + 1).bit_length() - 1 + accepted


def natural_logarithm(votes, accepted):
    return -1 if votes < 0 else round(math.log1p(votes)) + accepted


def negative_is_nothing(votes, accepted):
    if votes < 0:
        votes = 0
    return round(math.log2(votes + 1)) + accepted


def one_more_vote(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log2(1 + votes + int(accepted)))


def votes_as_they_are(votes, accepted):
    return -1 if votes < 0 else votes + accepted


def _drawn(scores, luck):
    return list(zip(combinations(range(len(scores)), 2), luck, strict=True))


def _table(pairs):
    return torch.tensor(list(pairs), dtype=torch.long).reshape(-1, 2)


def _winner_first(scores, i, j):
    return (i, j) if scores[i] > scores[j] else (j, i)


def ties_leave_late(scores, luck):
    kept = sorted(sorted(_drawn(scores, luck), key=lambda pair: pair[1])[:10])
    return _table(_winner_first(scores, i, j) for (i, j), _ in kept if scores[i] != scores[j])


def ties_stay(scores, luck):
    kept = sorted(sorted(_drawn(scores, luck), key=lambda pair: pair[1])[:10])
    return _table((j, i) if scores[j] > scores[i] else (i, j) for (i, j), _ in kept)


def the_first_ten(scores, luck):
    pairs = [_winner_first(scores, i, j) for (i, j), _ in _drawn(scores, luck) if scores[i] != scores[j]]
    return _table(pairs[:10])


def as_many_as_there_are(scores, luck):
    return _table(_winner_first(scores, i, j) for i, j in combinations(range(len(scores)), 2) if scores[i] != scores[j])


def first_in_the_list_wins(scores, luck):
    pairs = [(drawn, pair) for pair, drawn in _drawn(scores, luck) if scores[pair[0]] != scores[pair[1]]]
    return _table(sorted(pair for _, pair in sorted(pairs)[:10]))


def the_luckiest_ten(scores, luck):
    pairs = [(drawn, pair) for pair, drawn in _drawn(scores, luck) if scores[pair[0]] != scores[pair[1]]]
    return _table(_winner_first(scores, *pair) for pair in sorted(pair for _, pair in sorted(pairs, reverse=True)[:10]))


def _tokens(lengths):
    return [(text, place) for text, n in enumerate(lengths) for place in range(n)]


def _seen(tokens, may):
    return torch.tensor([[may(i, j, a, b) for j, b in enumerate(tokens)] for i, a in enumerate(tokens)])


def one_long_text(lengths):
    n = sum(lengths)
    return torch.arange(n), torch.arange(n)[:, None] >= torch.arange(n)


def positions_run_on(lengths):
    return torch.arange(sum(lengths)), _seen(_tokens(lengths), lambda i, j, a, b: j <= i and a[0] == b[0])


def only_positions_restart(lengths):
    tokens = _tokens(lengths)
    return torch.tensor([place for _, place in tokens]), _seen(tokens, lambda i, j, a, b: j <= i)


def compares_positions(lengths):
    tokens = _tokens(lengths)
    return torch.tensor([place for _, place in tokens]), _seen(tokens, lambda i, j, a, b: j <= i and b[1] <= a[1])


def truncated(votes, accepted):
    if votes < 0:
        return -1
    return int(math.log2(1 + votes)) + int(accepted)


def natural_log(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log(1 + votes)) + int(accepted)


def accepted_after_negative(votes, accepted):
    score = -1 if votes < 0 else round(math.log2(1 + votes))
    return score + int(accepted)


def zero_is_negative(votes, accepted):
    if votes <= 0:
        return -1
    return round(math.log2(1 + votes)) + int(accepted)


def falsy_votes(votes, accepted):
    if not votes:
        return 0
    if votes < 0:
        return -1
    return round(math.log2(1 + votes)) + int(accepted)


def accepted_inside_log(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log2(1 + votes + int(accepted)))


def tensor_out(votes, accepted):
    if votes < 0:
        return torch.tensor(-1)
    return torch.tensor(1.0 + votes).log2().round() + int(accepted)


def accepted_ignored(votes, accepted):
    return -1 if votes < 0 else round(math.log2(1 + votes))


def most_luck(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=True) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs, reverse=True)[:10])
    return torch.tensor([(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept], dtype=torch.long).reshape(-1, 2)


def cut_before_ties(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    kept = sorted(place for _, place in sorted(zip(luck, places, strict=True))[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept if scores[i] != scores[j]]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def in_order_of_luck(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=True) if scores[i] != scores[j]]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for _, i, j in sorted(pairs)[:10]]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def no_columns_when_empty(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=True) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    return torch.tensor([(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept])


def never_turned(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=True) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    return torch.tensor(kept, dtype=torch.long).reshape(-1, 2)


def luck_counts_winners_only(scores, luck):
    n = len(scores)
    places = [(i, j) for i in range(n) for j in range(i + 1, n) if scores[i] != scores[j]]
    kept = sorted(place for _, place in sorted(zip(luck, places, strict=False))[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def nine_kept(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=True) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:9])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def keyed_by_luck(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = {drawn: place for place, drawn in zip(places, luck, strict=True) if scores[place[0]] != scores[place[1]]}
    kept = sorted(pairs[drawn] for drawn in sorted(pairs)[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def positions_run_on_3a_3(lengths):
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return torch.arange(sum(lengths)), same & torch.ones_like(same).tril()


def sees_the_future(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return positions, text[:, None] == text[None, :]


def leak(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    total = sum(lengths)
    return positions, torch.ones(total, total, dtype=torch.bool).tril()


def not_itself(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).tril(-1)


def keyed_by_length(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.tensor([n for n in lengths for _ in range(n)])
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).tril()


def upper_triangle(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).triu()


def ints_for_bools(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return positions, (text[:, None] == text[None, :]).long().tril()


def one_based(lengths):
    positions = torch.cat([torch.arange(1, n + 1) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).tril()


def numpy_integer(votes, accepted):
    return np.int64(-1) if votes < 0 else np.rint(np.log2(1 + votes)).astype(np.int64) + np.int64(accepted)


def round_after_adding(votes, accepted):
    if votes >= 0:
        return math.floor(0.5 + math.log(1 + votes) / math.log(2) + (1 if accepted else 0))
    return -1


def squared_powers_of_two(votes, accepted):
    if votes < 0:
        return -1
    score = 0
    while (1 + votes) ** 2 > 2 ** (2 * score + 1):
        score += 1
    return score + bool(accepted)


def torch_topk(scores, luck):
    s, drawn = torch.tensor(scores), torch.tensor(luck, dtype=torch.float64)
    i, j = torch.triu_indices(len(scores), len(scores), 1)
    open_ = (s[i] != s[j]).nonzero().squeeze(1)
    keep = open_[drawn[open_].argsort(stable=True)[:10]].sort().values
    i, j = i[keep], j[keep]
    first = s[i] > s[j]
    return torch.stack([torch.where(first, i, j), torch.where(first, j, i)], dim=1)


def drop_the_unlucky(scores, luck):
    number, pairs = 0, []
    for i in range(len(scores)):
        for j in range(i + 1, len(scores)):
            drawn = luck[number]
            number += 1
            if scores[i] > scores[j]:
                pairs.append((drawn, i, j))
            elif scores[j] > scores[i]:
                pairs.append((drawn, j, i))
    while len(pairs) > 10:
        pairs.remove(max(pairs, key=lambda pair: pair[0]))
    return torch.tensor([pair[1:] for pair in pairs]) if pairs else torch.zeros(0, 2, dtype=torch.long)


def numpy_argsort(scores, luck):
    s = np.array(scores)
    two = np.array(list(itertools.combinations(range(len(scores)), 2)), dtype=np.int64).reshape(-1, 2)
    keep = np.flatnonzero(s[two[:, 0]] != s[two[:, 1]])
    keep = np.sort(keep[np.argsort(np.array(luck, dtype=float)[keep], kind="stable")[:10]])
    two = two[keep]
    turned = s[two[:, 0]] < s[two[:, 1]]
    two[turned] = two[turned][:, ::-1]
    return torch.from_numpy(two)


def block_diag(lengths):
    positions = torch.tensor([place for n in lengths for place in range(n)])
    return positions, torch.block_diag(*(torch.ones(n, n).tril() for n in lengths)) == 1


def fill_blocks(lengths):
    total = int(sum(lengths))
    positions, may_see, start = torch.empty(total, dtype=torch.int64), torch.zeros(total, total).bool(), 0
    for n in lengths:
        for k in range(n):
            positions[start + k] = k
            may_see[start + k, start:start + k + 1] = True
        start += n
    return positions, may_see


def distance(lengths):
    place = torch.arange(sum(lengths))
    ends = torch.tensor(lengths).cumsum(0)
    start = torch.cat([torch.zeros(1, dtype=torch.long), ends])[torch.searchsorted(ends, place, right=True)]
    return place - start, (place[None, :] >= start[:, None]) & (place[None, :] <= place[:, None])


def rounded_up_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return math.ceil(math.log2(1 + votes)) + int(accepted)


def without_the_one_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return (round(math.log2(votes)) if votes else 0) + int(accepted)


def bit_length_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return (votes + 1).bit_length() - 1 + int(accepted)


def abs_votes_3a_1(votes, accepted):
    score = round(math.log2(1 + abs(votes))) + int(accepted)
    return -score if votes < 0 else score


def unrounded_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return math.log2(1 + votes) + accepted


def only_the_table_3a_1(votes, accepted):
    if votes < 0:
        return -1
    steps = [(0, 0), (1, 1), (3, 2), (10, 3), (100, 7)]
    return max(s for v, s in steps if votes >= v) + int(accepted)


def log10_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log10(1 + votes) * 3.5) + int(accepted)


def accepted_doubles_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log2(1 + votes)) * (1 + int(accepted))


def minus_one_if_not_accepted_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return round(math.log2(1 + votes)) + (1 if accepted else -1)


def first_wins_only_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] > scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    return torch.tensor(kept, dtype=torch.long).reshape(-1, 2)


def worse_first_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    won = [(i, j) if scores[i] < scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def sorted_after_turning_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] != scores[j]]
    won = sorted((i, j) if scores[i] > scores[j] else (j, i) for _, i, j in sorted(pairs)[:10])
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def first_ten_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    kept = [(i, j) for i, j in places if scores[i] != scores[j]][:10]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def no_limit_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in places if scores[i] != scores[j]]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def falsy_scores_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False)
             if scores[i] and scores[j] and scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def luck_sorted_in_place_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    luck.sort()
    pairs = [(i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] != scores[j]][:10]
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in pairs]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def scores_out_3a_2(scores, luck):
    places = [(i, j) for i in range(len(scores)) for j in range(i + 1, len(scores))]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    won = [(max(scores[i], scores[j]), min(scores[i], scores[j])) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def luck_by_column_3a_2(scores, luck):
    places = [(i, j) for j in range(len(scores)) for i in range(j)]
    pairs = [(drawn, i, j) for (i, j), drawn in zip(places, luck, strict=False) if scores[i] != scores[j]]
    kept = sorted((i, j) for _, i, j in sorted(pairs)[:10])
    won = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(won, dtype=torch.long).reshape(-1, 2)


def first_length_for_all_3a_3(lengths):
    place = torch.arange(sum(lengths))
    text = place // lengths[0]
    same = text[:, None] == text[None, :]
    return place % lengths[0], same & torch.ones_like(same).tril()


def pops_lengths_3a_3(lengths):
    positions, blocks = [], []
    while lengths:
        n = lengths.pop(0)
        positions.append(torch.arange(n))
        blocks.append(torch.ones(n, n, dtype=torch.bool).tril())
    return torch.cat(positions), torch.block_diag(*blocks).bool()


def position_compared_3a_3(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    return positions, positions[:, None] >= positions[None, :]


def float_positions_3a_3(lengths):
    positions = torch.cat([torch.arange(float(n)) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).tril()


def list_positions_3a_3(lengths):
    positions = [p for n in lengths for p in range(n)]
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, same & torch.ones_like(same).tril()


def start_off_by_one_3a_3(lengths):
    total = sum(lengths)
    positions, may_see, start = torch.zeros(total, dtype=torch.long), torch.zeros(total, total, dtype=torch.bool), 0
    for n in lengths:
        positions[start:start + n] = torch.arange(n)
        for t in range(start, start + n):
            may_see[t, max(start - 1, 0):t + 1] = True
        start += n
    return positions, may_see


def sees_earlier_texts_3a_3(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return positions, (text[:, None] >= text[None, :]) & torch.ones(len(text), len(text), dtype=torch.bool).tril()


def start_not_moved_3a_3(lengths):
    total, start = sum(lengths), 0
    may_see = torch.zeros(total, total, dtype=torch.bool)
    for n in lengths:
        may_see[start:start + n, start:start + n] = torch.ones(
            n, n, dtype=torch.bool).tril()[:total - start, :total - start]
        start = n
    return torch.cat([torch.arange(n) for n in lengths]), may_see


def blocked_instead_3a_3(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = text[:, None] == text[None, :]
    return positions, ~(same & torch.ones_like(same).tril())


def additive_mask_3a_3(lengths):
    positions = torch.cat([torch.arange(n) for n in lengths])
    blocks = torch.block_diag(*[torch.ones(n, n).tril() for n in lengths])
    return positions, torch.where(blocks > 0, 0.0, -torch.inf)


def one_outside_the_log_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return (round(math.log2(votes)) + 1 if votes else 0) + int(accepted)


def negative_mirrored_3a_1(votes, accepted):
    if votes < 0:
        return -round(math.log2(1 - votes))
    return round(math.log2(1 + votes)) + int(accepted)


def shortcut_forgets_acceptance_3a_1(votes, accepted):
    if votes < 0:
        return -1
    if votes < 2:
        return votes
    return round(math.log2(1 + votes)) + int(accepted)


def capped_at_ten_3a_1(votes, accepted):
    if votes < 0:
        return -1
    return min(10, round(math.log2(1 + votes)) + int(accepted))


def minus_one_spared_3a_1(votes, accepted):
    if votes < -1:
        return -1
    return round(math.log2(max(1 + votes, 1))) + int(accepted)


def _pick(kept, scores):
    pairs = [(i, j) if scores[i] > scores[j] else (j, i) for i, j in kept]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _without_ties(scores, luck):
    twos = itertools.combinations(range(len(scores)), 2)
    return [(x, i, j) for x, (i, j) in zip(luck, twos, strict=False) if scores[i] != scores[j]]


def negative_scores_skipped_3a_2(scores, luck):
    kept = [each for each in _without_ties(scores, luck) if scores[each[1]] >= 0 and scores[each[2]] >= 0]
    return _pick(sorted(each[1:] for each in sorted(kept)[:10]), scores)


def ten_for_each_winner_3a_2(scores, luck):
    kept = []
    for winner in range(len(scores)):
        won = [each for each in _without_ties(scores, luck) if max(each[1:], key=scores.__getitem__) == winner]
        kept += [each[1:] for each in sorted(won)[:10]]
    return _pick(sorted(kept), scores)


def eleven_kept_3a_2(scores, luck):
    kept = sorted(_without_ties(scores, luck))[:11]
    return _pick(sorted(each[1:] for each in kept), scores)


def largest_gaps_first_3a_2(scores, luck):
    kept = sorted(_without_ties(scores, luck), key=lambda each: (-abs(scores[each[1]] - scores[each[2]]), each[0]))[:10]
    return _pick(sorted(each[1:] for each in kept), scores)


def neighbours_only_3a_2(scores, luck):
    kept = sorted(each for each in _without_ties(scores, luck) if each[2] == each[1] + 1)[:10]
    return _pick(sorted(each[1:] for each in kept), scores)


def _texts(lengths):
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def positions_count_down_3a_3(lengths):
    text = _texts(lengths)
    return torch.cat([torch.arange(n - 1, -1, -1) for n in lengths]), (text[:, None] == text).tril()


def text_number_for_position_3a_3(lengths):
    text = _texts(lengths)
    return text, (text[:, None] == text).tril()


def _positions(lengths):
    return torch.cat([torch.arange(n) for n in lengths])


def only_one_back_3a_3(lengths):
    text = _texts(lengths)
    return _positions(lengths), (text[:, None] == text).tril().triu(-1)


def previous_text_too_3a_3(lengths):
    text = _texts(lengths)
    return _positions(lengths), (text[:, None] - text <= 1).tril()


def lengths_sorted_3a_3(lengths):
    lengths = sorted(lengths, reverse=True)
    text = _texts(lengths)
    return _positions(lengths), (text[:, None] == text).tril()


MUTANTS = {
    "3a.1": [("accepted_against_the_votes", accepted_against_the_votes, "the votes win"),
             ("forgets_who_asked", forgets_who_asked, "is not used"),
             ("cut_off", cut_off, "cut off"),
             ("natural_logarithm", natural_logarithm, "natural logarithm"),
             ("negative_is_nothing", negative_is_nothing, "Negative votes"),
             ("one_more_vote", one_more_vote, "as one more vote"),
             ("votes_as_they_are", votes_as_they_are, "votes themselves"),
             ("truncated", truncated, "The logarithm is cut off"),
             ("natural_log", natural_log, "This is the natural logarithm"),
             ("accepted_after_negative", accepted_after_negative, "An accepted answer that people voted down"),
             ("zero_is_negative", zero_is_negative, "0 votes are not below 0"),
             ("falsy_votes", falsy_votes, "An accepted answer with 0 votes came out as"),
             ("accepted_inside_log", accepted_inside_log, "The acceptance went into the logarithm"),
             ("accepted_ignored", accepted_ignored, "`accepted` is not used"),
             ("rounded_up", rounded_up_3a_1, "The logarithm is rounded up"),
             ("without_the_one", without_the_one_3a_1, "This is log2(votes)"),
             ("bit_length", bit_length_3a_1, "The logarithm is cut off"),
             ("abs_votes", abs_votes_3a_1, "Negative votes were put on the same scale"),
             ("unrounded", unrounded_3a_1, "The score is a whole number"),
             ("only_the_table", only_the_table_3a_1, "This reads a table of a few numbers of votes"),
             ("log10", log10_3a_1, "This is a logarithm of base 10 times 3.5"),
             ("accepted_doubles", accepted_doubles_3a_1, "The acceptance doubles the score"),
             ("minus_one_if_not_accepted", minus_one_if_not_accepted_3a_1, "1 is taken off where the answer was not"),
             ("one_outside_the_log", one_outside_the_log_3a_1, "This is 1 + log2(votes)"),
             ("negative_mirrored", negative_mirrored_3a_1, "Negative votes were put on the same scale"),
             ("shortcut_forgets_acceptance", shortcut_forgets_acceptance_3a_1,
              "An accepted answer with 0 votes came out as 0"),
             ("capped_at_ten", capped_at_ten_3a_1, "The score is capped at 10"),
             ("minus_one_spared", minus_one_spared_3a_1, "-1 vote was treated like none")],
    "3a.2": [("ties_leave_late", ties_leave_late, "too few are left"),
             ("ties_stay", ties_stay, "equal scores"),
             ("the_first_ten", the_first_ten, "first ten"),
             ("as_many_as_there_are", as_many_as_there_are, "More than ten"),
             ("first_in_the_list_wins", first_in_the_list_wins, "stands first in the list"),
             ("the_luckiest_ten", the_luckiest_ten, "greatest luck"),
             ("most_luck", most_luck, "These are the ten with the greatest luck"),
             ("cut_before_ties", cut_before_ties, "The ten were drawn first and the ties thrown"),
             ("never_turned", never_turned, "The one that stands first in the list is"),
             ("luck_counts_winners_only", luck_counts_winners_only, "Luck was handed out after the ties had left"),
             ("nine_kept", nine_kept, "At most ten are kept"),
             ("keyed_by_luck", keyed_by_luck, "Pairs were kept in a dict under their luck"),
             ("in_order_of_luck", in_order_of_luck, "The pairs are right"),
             ("no_columns_when_empty", no_columns_when_empty, "An empty result keeps its columns"),
             ("first_wins_only", first_wins_only_3a_2, "Pairs whose better answer stands later in"),
             ("worse_first", worse_first_3a_2, "Better and worse have changed places"),
             ("sorted_after_turning", sorted_after_turning_3a_2, "The pairs are right"),
             ("first_ten", first_ten_3a_2, "These are the first ten"),
             ("no_limit", no_limit_3a_2, "More than ten pairs of one question"),
             ("falsy_scores", falsy_scores_3a_2, "Answers with a score of 0 are left out"),
             ("luck_sorted_in_place", luck_sorted_in_place_3a_2, "These are the first ten"),
             ("scores_out", scores_out_3a_2, "These are the scores"),
             ("luck_by_column", luck_by_column_3a_2, "Luck was handed out in another order of the"),
             ("negative_scores_skipped", negative_scores_skipped_3a_2, "Answers with a score of -1 are left out"),
             ("ten_for_each_winner", ten_for_each_winner_3a_2, "More than ten pairs of one question"),
             ("eleven_kept", eleven_kept_3a_2, "At most ten are kept"),
             ("largest_gaps_first", largest_gaps_first_3a_2, "These are the ten with the largest"),
             ("neighbours_only", neighbours_only_3a_2, "Only answers side by side in the list are")],
    "3a.3": [("one_long_text", one_long_text, "That is the leak"),
             ("positions_run_on", positions_run_on, "run on"),
             ("only_positions_restart", only_positions_restart, "tokens of its own"),
             ("compares_positions", compares_positions, "were compared"),
             ("positions_run_on", positions_run_on_3a_3, "The positions run on through the row"),
             ("leak", leak, "A text sees the texts before it in the row"),
             ("keyed_by_length", keyed_by_length, "Texts are told apart by their length"),
             ("sees_the_future", sees_the_future, "Tokens see what comes after them in their"),
             ("not_itself", not_itself, "A token does not see itself"),
             ("upper_triangle", upper_triangle, "Rows and columns have changed places"),
             ("ints_for_bools", ints_for_bools, "number 2, `may_see`, is a tensor of integers"),
             ("one_based", one_based, "The positions begin at 1"),
             ("first_length_for_all", first_length_for_all_3a_3, "All texts are taken to be as long as the"),
             ("pops_lengths", pops_lengths_3a_3, "The result is right"),
             ("position_compared", position_compared_3a_3, "The positions were compared"),
             ("float_positions", float_positions_3a_3, "Of what it returned"),
             ("list_positions", list_positions_3a_3, "Of what it returned"),
             ("start_off_by_one", start_off_by_one_3a_3, "A text sees the last token of the text"),
             ("sees_earlier_texts", sees_earlier_texts_3a_3, "A text sees the texts before it in the row"),
             ("start_not_moved", start_not_moved_3a_3, "The start of a text was set to the length of"),
             ("blocked_instead", blocked_instead_3a_3, "True and False have changed places"),
             ("additive_mask", additive_mask_3a_3, "This is a mask to be added to scores"),
             ("positions_count_down", positions_count_down_3a_3, "The positions count down in each text"),
             ("text_number_for_position", text_number_for_position_3a_3, "These are the numbers of the texts"),
             ("only_one_back", only_one_back_3a_3, "A token sees itself and only the one before"),
             ("previous_text_too", previous_text_too_3a_3, "A text sees the text right before it"),
             ("lengths_sorted", lengths_sorted_3a_3, "The texts were sorted by length")],
}

# Right answers in unusual forms.
RIGHT = {
    "3a.1": [tensor_out, numpy_integer, round_after_adding, squared_powers_of_two],
    "3a.2": [torch_topk, drop_the_unlucky, numpy_argsort],
    "3a.3": [block_diag, fill_blocks, distance],
}
