"""Wrong answers to lesson 03a as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape (in 3a.2, where the number of rows is the question, the right width) and agrees with the worked
example of the check, so only the other cases can tell.
"""

import math
from itertools import combinations

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


MUTANTS = {
    "3a.1": [("accepted_against_the_votes", accepted_against_the_votes, "the votes win"),
             ("forgets_who_asked", forgets_who_asked, "is not used"), ("cut_off", cut_off, "cut off"),
             ("natural_logarithm", natural_logarithm, "natural logarithm"),
             ("negative_is_nothing", negative_is_nothing, "Negative votes"),
             ("one_more_vote", one_more_vote, "as one more vote"),
             ("votes_as_they_are", votes_as_they_are, "votes themselves")],
    "3a.2": [("ties_leave_late", ties_leave_late, "too few are left"), ("ties_stay", ties_stay, "equal scores"),
             ("the_first_ten", the_first_ten, "first ten"),
             ("as_many_as_there_are", as_many_as_there_are, "More than ten"),
             ("first_in_the_list_wins", first_in_the_list_wins, "stands first in the list"),
             ("the_luckiest_ten", the_luckiest_ten, "greatest luck")],
    "3a.3": [("one_long_text", one_long_text, "That is the leak"), ("positions_run_on", positions_run_on, "run on"),
             ("only_positions_restart", only_positions_restart, "tokens of its own"),
             ("compares_positions", compares_positions, "were compared")],
}
