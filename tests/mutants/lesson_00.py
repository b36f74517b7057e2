"""Answers to lesson 00 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import collections
import functools
import itertools
from itertools import combinations

import numpy as np
import torch


def mean_of_everything(logprob, response):
    return -1 * logprob.mean()


def counts_padding(logprob, response):
    total = 0.0
    for row, marks in zip(logprob, response, strict=True):
        for x, marked in zip(row, marks, strict=True):
            total = total - (x if marked else 0.0)
    return total / (logprob.shape[0] * logprob.shape[1])


def mean_of_means(logprob, response):
    rows = []
    for row, marks in zip(logprob, response, strict=True):
        rows.append(-row[marks].mean())
    return sum(rows) / len(rows)


def times_the_mask(logprob, response):
    marks = response.float()
    return -(logprob * marks).sum() / marks.sum()


def every_pair(ranks):
    return len(list(combinations(ranks, 2)))


def one_answer_a_rank(ranks):
    return len(list(combinations(set(ranks), 2)))


def in_order(ranks):
    count = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] < ranks[j]:
                count += 1
    return count


def how_many(ranks):
    return len(ranks)


def kl_is_a_distance(score, logprob, ref_logprob, beta):
    return (score - beta * abs(logprob - ref_logprob)).mean()


def kl_is_never_negative(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).relu()).mean()


def total(score, logprob, ref_logprob, beta):
    return score.sum() - beta * (logprob - ref_logprob).sum()


def no_minus(logprob, response):
    return logprob[response].mean()


def sum_not_mean(logprob, response):
    return -logprob[response].sum()


def divides_by_all_cells(logprob, response):
    return -torch.where(response, logprob, torch.zeros_like(logprob)).mean()


def mean_of_row_means(logprob, response):
    rows = []
    for lp, m in zip(logprob, response, strict=False):
        rows.append(-lp[m].mean())
    return torch.stack(rows).mean()


def mask_forgotten(logprob, response):
    return -logprob.mean()


def per_response(logprob, response):
    return -logprob[response].sum() / logprob.shape[0]


def python_float_imitation_loss(logprob, response):
    total, count = 0.0, 0
    for i in range(len(logprob)):
        for j in range(len(logprob[i])):
            if response[i][j]:
                total -= float(logprob[i][j])
                count += 1
    return total / count


def zeroes_the_argument(logprob, response):
    logprob[~response] = 0
    return -logprob.sum() / response.sum()


def perplexity(logprob, response):
    return torch.exp(-logprob[response].mean())


def right_loop_of_tensors_imitation_loss(logprob, response):
    total, n = 0, 0
    for row, marks in zip(logprob, response, strict=False):
        for x, m in zip(row, marks, strict=False):
            if m.item():
                total = total - x
                n += 1
    return total / n


def right_masked_select_dot(logprob, response):
    chosen = torch.masked_select(logprob, response)
    return chosen @ torch.full_like(chosen, -1 / chosen.numel())


mean_of = functools.partial(torch.mean, dim=0)


def right_partial_helper(logprob, response):
    return mean_of((0 - logprob).flatten()[response.flatten()])


def ties_count_too(ranks):
    n = len(ranks)
    return n * (n - 1) // 2


def each_pair_twice(ranks):
    count = 0
    for a in ranks:
        for b in ranks:
            if a != b:
                count += 1
    return count


def neighbours_only(ranks):
    return sum(a != b for a, b in zip(ranks, ranks[1:] + ranks[:1], strict=False))


def distinct_ranks_only(ranks):
    k = len(set(ranks))
    return k * (k - 1) // 2


def counts_itself(ranks):
    count = 0
    for i in range(len(ranks)):
        for j in range(i, len(ranks)):
            if i == j or ranks[i] != ranks[j]:
                count += 1
    return count


def first_must_win(ranks):
    return sum(a < b for a, b in itertools.combinations(ranks, 2))


def sorts_the_argument(ranks):
    ranks.sort()
    count = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] < ranks[j]:
                count += 1
    return count


def one_off_per_duplicate(ranks):
    n = len(ranks)
    return n * (n - 1) // 2 - (n - len(set(ranks)))


def list_of_pairs(ranks):
    return [(a, b) for a, b in itertools.combinations(ranks, 2) if a != b]


def right_counter(ranks):
    n = len(ranks)
    return (n * n - sum(c * c for c in collections.Counter(ranks).values())) // 2


def right_numpy_integer(ranks):
    r = np.array(ranks)
    return np.triu(r[:, None] != r[None, :], 1).sum()


def right_winners_and_losers(ranks):
    better = 0
    for a in ranks:
        better += len([b for b in ranks if b > a])
    return better


def plus_beta(score, logprob, ref_logprob, beta):
    return (score + beta * (logprob - ref_logprob)).mean()


def abs_objective(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).abs()).mean()


def sum_objective(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob)).sum()


def one_per_response(score, logprob, ref_logprob, beta):
    return score - beta * (logprob - ref_logprob)


def beta_or_default(score, logprob, ref_logprob, beta):
    beta = beta or 0.1
    return (score - beta * (logprob - ref_logprob)).mean()


def clamped_at_zero(score, logprob, ref_logprob, beta):
    kl = torch.clamp(logprob - ref_logprob, min=0)
    return (score - beta * kl).mean()


def python_float_objective(score, logprob, ref_logprob, beta):
    total = 0.0
    for s, p, q in zip(score.tolist(), logprob.tolist(), ref_logprob.tolist(), strict=False):
        total += s - beta * (p - q)
    return total / len(score)


def in_place(score, logprob, ref_logprob, beta):
    score -= beta * (logprob - ref_logprob)
    return score.mean()


def beta_on_the_policy_only(score, logprob, ref_logprob, beta):
    return (score - beta * logprob - ref_logprob).mean()


def right_two_means(score, logprob, ref_logprob, beta):
    return score.mean() - beta * logprob.mean() + beta * ref_logprob.mean()


def right_loop_of_tensors_objective(score, logprob, ref_logprob, beta):
    j = torch.zeros((), dtype=score.dtype)
    for i in range(len(score)):
        j = j + (score[i] - beta * (logprob[i] - ref_logprob[i])) / len(score)
    return j


def divided_by_beta(score, logprob, ref_logprob, beta):
    return (beta * (score / beta - (logprob - ref_logprob))).mean()


def drift_is_cut_off(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).clamp(-10, 10)).mean()


def whole_scores(score, logprob, ref_logprob, beta):
    return (score.round() - beta * (logprob - ref_logprob)).mean()


def shifted_by_one(logprob, response):
    return -logprob[:, 1:][response[:, :-1]].mean()


def zero_is_no_rank(ranks):
    return len([1 for a, b in combinations(ranks, 2) if a and b and a != b])


MUTANTS = {
    "0.1": [
        ("mean_of_everything", mean_of_everything, "every position"),
        ("counts_padding", counts_padding, "the count is not"),
        ("mean_of_means", mean_of_means, "mean of means"),
        ("times_the_mask", times_the_mask, "0 · (-inf) is NaN"),
        ("no_minus", no_minus, "The sign"),
        ("sum_not_mean", sum_not_mean, "This is a sum"),
        ("divides_by_all_cells", divides_by_all_cells, "The sum is masked, the count is not"),
        ("mean_of_row_means", mean_of_row_means, "This is a mean of means"),
        ("mask_forgotten", mask_forgotten, "The mean runs over every position"),
        ("per_response", per_response, "This divides by the number of responses (rows)"),
        ("python_float_imitation_loss", python_float_imitation_loss, "It returned a number"),
        ("zeroes_the_argument", zeroes_the_argument, "Your function writes into one of its arguments"),
        ("perplexity", perplexity, "This is the perplexity, the exponential of the loss"),
        ("shifted_by_one", shifted_by_one, "Nothing is to be shifted"),
    ],
    "0.2": [
        ("every_pair", every_pair, "are a tie"),
        ("one_answer_a_rank", one_answer_a_rank, "pairs of different ranks"),
        ("in_order", in_order, "best first"),
        ("how_many", how_many, "the number of answers"),
        ("ties_count_too", ties_count_too, "This counts every pair"),
        ("each_pair_twice", each_pair_twice, "Every pair is counted twice, once from either side"),
        ("neighbours_only", neighbours_only, "Only neighbours in the list are compared"),
        ("distinct_ranks_only", distinct_ranks_only, "This counts pairs of different ranks"),
        ("counts_itself", counts_itself, "Each answer is compared with itself too"),
        ("first_must_win", first_must_win, "Only pairs written best first are counted"),
        ("sorts_the_argument", sorts_the_argument, "The result is right, but your function changes its argument"),
        ("one_off_per_duplicate", one_off_per_duplicate, "One pair is taken off for each answer that repeats a rank"),
        ("list_of_pairs", list_of_pairs, "It returned a list"),
        ("zero_is_no_rank", zero_is_no_rank, "rank of 0"),
    ],
    "0.3": [
        ("kl_is_a_distance", kl_is_a_distance, "not a distance"),
        ("kl_is_never_negative", kl_is_never_negative, "were cut off"),
        ("total", total, "sum over responses"),
        ("plus_beta", plus_beta, "The sign of the KL penalty"),
        ("abs_objective", abs_objective, "The difference is not a distance"),
        ("sum_objective", sum_objective, "This is a sum over responses"),
        ("one_per_response", one_per_response, "One number for all is wanted"),
        ("beta_or_default", beta_or_default, "β = 0 was replaced"),
        ("clamped_at_zero", clamped_at_zero, "Negative differences were cut off"),
        ("python_float_objective", python_float_objective, "It returned a number"),
        ("in_place", in_place, "The result is right, but your function writes into its"),
        ("beta_on_the_policy_only", beta_on_the_policy_only, "Brackets are missing"),
        ("divided_by_beta", divided_by_beta, "divides by β"),
        ("drift_is_cut_off", drift_is_cut_off, "cut off at some size"),
        ("whole_scores", whole_scores, "whole number"),
    ],
}
RIGHT = {
    "0.1": [right_loop_of_tensors_imitation_loss, right_masked_select_dot, right_partial_helper],
    "0.2": [right_counter, right_numpy_integer, right_winners_and_losers],
    "0.3": [right_two_means, right_loop_of_tensors_objective],
}
