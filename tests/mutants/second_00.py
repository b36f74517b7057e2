"""A second set of answers to lesson 00, by people who saw nothing but the notebook: see `lesson_00.py`."""

import bisect
import itertools
from collections import Counter

import numpy as np
import torch


# ---------------------------------------------------------------- 0.1 imitation_loss
def il_row_means(logprob, response):
    losses = []
    for row, keep in zip(logprob, response, strict=False):
        if keep.any():
            losses.append(-row[keep].mean())
    return torch.stack(losses).mean()


def il_multiply(logprob, response):
    return -(logprob * response).sum() / response.sum()


def il_all_cells(logprob, response):
    return -torch.where(response, logprob, 0.0).mean()


def il_sign(logprob, response):
    return logprob[response].mean()


def il_per_response(logprob, response):
    return -logprob.masked_fill(~response, 0.0).sum(dim=1).mean()


def il_finite_only(logprob, response):
    # whatever is not finite must be padding
    return -logprob[torch.isfinite(logprob)].mean()


def il_shifted(logprob, response):
    keep = response[:, 1:]
    return -logprob[:, :-1][keep].mean()


def il_no_last(logprob, response):
    keep = response.clone()
    for b in range(len(keep)):
        places = keep[b].nonzero().flatten()
        if len(places) > 1:
            keep[b, places[-1]] = False
    return -logprob[keep].mean()


def il_first_n(logprob, response):
    total, n = 0.0, 0
    for row, length in zip(logprob, response.sum(-1).tolist(), strict=False):
        total = total - row[:length].sum()
        n += length
    return total / n


def il_count_nonzero(logprob, response):
    clean = torch.where(response, logprob, torch.zeros_like(logprob))
    return -clean.sum() / (clean != 0).sum()


def il_writes(logprob, response):
    logprob[~response] = 0.0
    return -logprob.sum() / response.sum()


def il_clamped(logprob, response):
    return -logprob[response].clamp(min=-20.0).mean()


def il_columns(logprob, response):
    clean = torch.where(response, logprob, 0.0)
    n = response.sum(0)
    used = n > 0
    return -(clean.sum(0)[used] / n[used]).mean()


def il_longest(logprob, response):
    clean = logprob.masked_fill(response.logical_not(), 0)
    return -clean.sum() / (response.sum(-1).max() * response.shape[0])


def il_perplexity(logprob, response):
    return torch.exp(-logprob[response].mean())


def il_nan_to_num(logprob, response):
    return -torch.nan_to_num(logprob, nan=0.0, neginf=0.0).sum() / response.sum()


def il_probabilities(logprob, response):
    return -torch.log(logprob[response].exp().mean())


def il_floor(logprob, response):
    return -logprob[response].sum() // response.sum()


def il_mask_mean_where(logprob, response):
    # where(...) with nan, then a mean of row-wise nanmeans; an empty row is nan too
    rows = torch.where(response, logprob, float("nan")).nanmean(-1)
    return -rows.nanmean()


def il_prompt(logprob, response):
    return -logprob[~response].mean() if (~response).any() else -logprob.mean()


def il_right_nanmean(logprob, response):
    return torch.where(response, -logprob, torch.full_like(logprob, float("nan"))).nanmean()


def il_right_loop(logprob, response):
    kept = [x for row, marks in zip(logprob, response, strict=False)
            for x, mark in zip(row, marks, strict=False) if mark]
    return sum(-x for x in kept) / len(kept)


def il_right_weights(logprob, response):
    weight = response.to(logprob.dtype) / response.sum()
    return -torch.einsum("bt,bt->", logprob.masked_fill(~response, 0.0), weight)


# ---------------------------------------------------------------- 0.2 count_comparisons
def cc_formula(ranks):
    k = len(ranks)
    return k * (k - 1) // 2


def cc_distinct(ranks):
    k = len(set(ranks))
    return k * (k - 1) // 2


def cc_twice(ranks):
    return sum(a != b for a, b in itertools.permutations(ranks, 2))


def cc_neighbours(ranks):
    s = sorted(ranks)
    return sum(1 for i in range(len(s) - 1) if s[i] != s[i + 1])


def cc_in_order(ranks):
    count = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] < ranks[j]:
                count += 1
    return count


def cc_one_per_tie(ranks):
    n = len(ranks)
    ties = n - len(set(ranks))
    return n * (n - 1) // 2 - ties


def cc_set_of_pairs(ranks):
    return sum(a != b for a, b in set(itertools.combinations(ranks, 2)))


def cc_sorts(ranks):
    ranks.sort()
    return sum(bisect.bisect_left(ranks, r) for r in ranks)


def cc_groupby(ranks):
    sizes = [len(list(group)) for _, group in itertools.groupby(ranks)]
    n = len(ranks)
    return n * (n - 1) // 2 - sum(s * (s - 1) // 2 for s in sizes)


def cc_is_not(ranks):
    return sum(1 for a, b in itertools.combinations(ranks, 2) if a is not b)


def cc_difference_one(ranks):
    return sum(abs(a - b) == 1 for a, b in itertools.combinations(ranks, 2))


def cc_best_only(ranks):
    best = min(ranks)
    return sum(r > best for r in ranks)


def cc_last_missing(ranks):
    n, total = len(ranks), 0
    for i in range(n):
        for j in range(i + 1, n - 1):
            total += ranks[i] != ranks[j]
    return total


def cc_none_if_tied(ranks):
    if len(set(ranks)) < len(ranks):
        return 0
    return len(ranks) * (len(ranks) - 1) // 2


def cc_table_by_rank(ranks):
    table = [0] * len(ranks)
    for r in ranks:
        table[r - 1] += 1
    n = len(ranks)
    return n * (n - 1) // 2 - sum(c * (c - 1) // 2 for c in table)


def cc_tied_answers_out(ranks):
    counts = Counter(ranks)
    free = [r for r in ranks if counts[r] == 1]
    return len(free) * (len(free) - 1) // 2


def cc_groups_of_two(ranks):
    # each tied rank takes one pair away
    n = len(ranks)
    return n * (n - 1) // 2 - sum(1 for c in Counter(ranks).values() if c > 1)


def cc_sum_of_ranks(ranks):
    return sum(r - 1 for r in ranks)


def cc_uint8(ranks):
    r = np.array(ranks, dtype=np.int64).astype(np.uint8)
    return int((r[:, None] < r[None, :]).sum())


def cc_right_counter(ranks):
    return (len(ranks) ** 2 - sum(c * c for c in Counter(ranks).values())) // 2


def cc_right_numpy(ranks):
    r = np.asarray(ranks, dtype=int)
    return int(np.count_nonzero(np.less.outer(r, r)))


def cc_right_running(ranks):
    seen, total = Counter(), 0
    for n, r in enumerate(ranks):
        total += n - seen[r]
        seen[r] += 1
    return total


# ---------------------------------------------------------------- 0.3 objective
def ob_abs(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).abs()).mean()


def ob_clamp(score, logprob, ref_logprob, beta):
    kl = torch.clamp(logprob - ref_logprob, min=0)
    return (score - beta * kl).mean()


def ob_plus(score, logprob, ref_logprob, beta):
    return (score + beta * (logprob - ref_logprob)).mean()


def ob_swapped(score, logprob, ref_logprob, beta):
    kl = ref_logprob - logprob
    return torch.mean(score - beta * kl)


def ob_sum(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob)).sum()


def ob_vector(score, logprob, ref_logprob, beta):
    return score - beta * (logprob - ref_logprob)


def ob_mean_minus_sum(score, logprob, ref_logprob, beta):
    return score.mean() - beta * (logprob - ref_logprob).sum()


def ob_k3(score, logprob, ref_logprob, beta):
    log_ratio = ref_logprob - logprob
    return (score - beta * (log_ratio.exp() - 1 - log_ratio)).mean()


def ob_k2(score, logprob, ref_logprob, beta):
    return (score - beta * 0.5 * (logprob - ref_logprob) ** 2).mean()


def ob_weighted_kl(score, logprob, ref_logprob, beta):
    return (score - beta * logprob.exp() * (logprob - ref_logprob)).mean()


def ob_precedence(score, logprob, ref_logprob, beta):
    return (score - beta * logprob - ref_logprob).mean()


def ob_mean_abs(score, logprob, ref_logprob, beta):
    kl = (logprob - ref_logprob).mean()
    return score.mean() - beta * kl.abs()


def ob_mean_clamp(score, logprob, ref_logprob, beta):
    kl = (logprob - ref_logprob).mean().clamp_min(0.0)
    return score.mean() - beta * kl


def ob_writes(score, logprob, ref_logprob, beta):
    score -= beta * (logprob - ref_logprob)
    return score.mean()


def ob_writes_logprob(score, logprob, ref_logprob, beta):
    with torch.no_grad():
        logprob.sub_(ref_logprob)
    return (score - beta * logprob).mean()


def ob_default_beta(score, logprob, ref_logprob, beta):
    beta = beta or 0.1
    return (score - beta * (logprob - ref_logprob)).mean()


def ob_hard_beta(score, logprob, ref_logprob, beta=0.1):
    return (score - 0.1 * (logprob - ref_logprob)).mean()


def ob_two_digits(score, logprob, ref_logprob, beta):
    return torch.round((score - beta * (logprob - ref_logprob)).mean(), decimals=2)


def ob_baseline(score, logprob, ref_logprob, beta):
    advantage = score - score.mean()
    return (advantage - beta * (logprob - ref_logprob)).mean()


def ob_ratio(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob / ref_logprob).log()).mean()


def ob_probabilities(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob.exp() - ref_logprob.exp())).mean()


def ob_scaled_all(score, logprob, ref_logprob, beta):
    return ((1 - beta) * score - beta * (logprob - ref_logprob)).mean()


def ob_minus_one(score, logprob, ref_logprob, beta):
    j = score - beta * (logprob - ref_logprob)
    return j.sum() / max(len(j) - 1, 1)


def ob_loss(score, logprob, ref_logprob, beta):
    return -(score - beta * (logprob - ref_logprob)).mean()


def ob_per_response_max(score, logprob, ref_logprob, beta):
    # the penalty may not cost more than the score is worth
    penalty = beta * (logprob - ref_logprob)
    return (score - torch.minimum(penalty, score.abs())).mean()


def ob_right_apart(score, logprob, ref_logprob, beta):
    return score.mean() + beta * ref_logprob.mean() - beta * logprob.mean()


def ob_right_loop(score, logprob, ref_logprob, beta):
    total = 0
    for s, ours, theirs in zip(score, logprob, ref_logprob, strict=False):
        total = total + s - beta * (ours - theirs)
    return total / len(score)


def ob_right_einsum(score, logprob, ref_logprob, beta):
    stacked = torch.stack([score, logprob, ref_logprob])
    weight = torch.tensor([1.0, -beta, beta], dtype=stacked.dtype)
    return torch.einsum("k,kb->", weight, stacked) / stacked.shape[1]


MUTANTS = {
    "0.1": [
        ("row_means", il_row_means, "This is a mean of means: a token of a short"),
        ("row_nanmeans", il_mask_mean_where, "This is a mean of means: a token of a short"),
        ("multiplies_mask", il_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("divides_by_all", il_all_cells, "The sum is masked, the count is not: divide"),
        ("sign", il_sign, "The sign: a loss is minimised, so it is the"),
        ("sum_per_response", il_per_response, "This divides by the number of responses"),
        ("finite_only", il_finite_only, "The mean runs over every position. Only"),
        ("shifted", il_shifted, "Nothing is to be shifted: `logprob[:, t]`"),
        ("no_last", il_no_last, "The last marked token of each response is"),
        ("first_n", il_first_n, "The first columns of each row are taken, as"),
        ("count_nonzero", il_count_nonzero, "Tokens of log-probability 0 are left out. A"),
        ("writes", il_writes, "Your function writes into one of its"),
        ("clamped", il_clamped, "Very unlikely tokens are cut off at some"),
        ("columns", il_columns, "This is a mean of the columns' means: the"),
        ("longest", il_longest, "This divides by rows times the longest"),
        ("perplexity", il_perplexity, "This is the perplexity, the exponential of"),
        ("nan_to_num", il_nan_to_num, "NaN and -inf were replaced, and what else"),
        ("log_of_mean", il_probabilities, "This is the log of a mean. Take the mean of"),
        ("floor", il_floor, "`//` and torch.floor_divide round down, and"),
        ("prompt", il_prompt, "The mask is the wrong way round: `response`"),
    ],
    "0.2": [
        ("formula", cc_formula, "This counts every pair. Equal ranks are a"),
        ("distinct", cc_distinct, "This counts pairs of different ranks. Two"),
        ("twice", cc_twice, "Every pair is counted twice, once from"),
        ("neighbours", cc_neighbours, "Only ranks that follow one another are"),
        ("in_order", cc_in_order, "Only pairs written best first are counted."),
        ("one_per_tie", cc_one_per_tie, "One pair is taken off for each answer that"),
        ("set_of_pairs", cc_set_of_pairs, "Pairs with the same two ranks are counted"),
        ("sorts", cc_sorts, "The result is right, but your function"),
        ("groupby", cc_groupby, "Ties are found only where equal ranks stand"),
        ("is_not", cc_is_not, "wrong only here: large ranks, and ties"),
        ("difference_one", cc_difference_one, "Only ranks that follow one another are"),
        ("best_only", cc_best_only, "Only the comparisons with the best answer"),
        ("last_missing", cc_last_missing, "The last answer in the list is never"),
        ("none_if_tied", cc_none_if_tied, "One tie makes the whole ranking count for"),
        ("table_by_rank", cc_table_by_rank, "A place is asked for that does not exist:"),
        ("tied_answers_out", cc_tied_answers_out, "Answers that share their rank are dropped."),
        ("groups_of_two", cc_groups_of_two, "One pair is taken off for each rank that is"),
        ("sum_of_ranks", cc_sum_of_ranks, "This adds up rank - 1, how many are better."),
        ("uint8", cc_uint8, "Ranks that are 256 apart count as equal, as"),
    ],
    "0.3": [
        ("abs", ob_abs, "The difference is not a distance: on a"),
        ("clamp", ob_clamp, "Negative differences were cut off. They"),
        ("plus", ob_plus, "The sign of the KL penalty: drifting must"),
        ("swapped", ob_swapped, "The sign of the KL penalty: drifting must"),
        ("sum", ob_sum, "This is a sum over responses; the objective"),
        ("vector", ob_vector, "One number for all is wanted; yours has"),
        ("mean_minus_sum", ob_mean_minus_sum, "The score is a mean and the penalty a sum."),
        ("k3", ob_k3, "This is another estimate of the KL, with"),
        ("k2", ob_k2, "The difference was squared. In J it stands"),
        ("weighted_kl", ob_weighted_kl, "The difference is weighted with the"),
        ("precedence", ob_precedence, "Brackets are missing: β multiplies both"),
        ("mean_abs", ob_mean_abs, "The mean of the differences was kept from"),
        ("mean_clamp", ob_mean_clamp, "The mean of the differences was kept from"),
        ("writes", ob_writes, "The result is right, but your function"),
        ("writes_logprob", ob_writes_logprob, "The result is right, but your function"),
        ("default_beta", ob_default_beta, "β = 0 was replaced: 0 counts as False, so"),
        ("hard_beta", ob_hard_beta, "0.1 is the β of the example. Use the"),
        ("two_digits", ob_two_digits, ""),
        ("baseline", ob_baseline, "The mean was taken off the score. It counts"),
        ("ratio", ob_ratio, "Logarithms are divided here. The log of a"),
        ("probabilities", ob_probabilities, "Probabilities are subtracted. The KL"),
        ("scaled_all", ob_scaled_all, "The score was multiplied by 1 - β. It"),
        ("minus_one", ob_minus_one, "This divides by B - 1. A mean divides by B,"),
        ("loss", ob_loss, "The whole sign is turned round. J is"),
        ("capped_penalty", ob_per_response_max, "The penalty is capped at the size of the"),
    ],
}
RIGHT = {
    "0.1": [il_right_nanmean, il_right_loop, il_right_weights],
    "0.2": [cc_right_counter, cc_right_numpy, cc_right_running],
    "0.3": [ob_right_apart, ob_right_loop, ob_right_einsum],
}
