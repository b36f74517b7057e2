"""Answers to lesson 00 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import collections
import functools
import itertools
import math
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


def mask_inverted(logprob, response):
    return -logprob.masked_fill(response, 0.0).sum() / (~response).sum()


def four_tokens(logprob, response):
    return -logprob[response].sum() / 4


def divides_by_columns(logprob, response):
    return (-torch.where(response, logprob, torch.zeros(())).sum(-1) / logprob.size(1)).mean()


def column_means(logprob, response):
    total = torch.where(response, -logprob, torch.zeros(())).sum(0)
    return (total / response.sum(0).clamp(min=1)).mean()


def log_of_mean_probability(logprob, response):
    return -logprob[response].exp().mean().log()


def one_loss_per_row(logprob, response):
    return torch.where(response, -logprob, torch.zeros(())).sum(-1) / response.sum(-1)


def shifted_by_one_0_1(logprob, response):
    shifted = logprob[:, 1:][response[:, :-1]]
    return -shifted.mean()


def zeros_dropped(logprob, response):
    counted = torch.where(response, logprob, torch.zeros(()))
    counted = counted[counted != 0]
    return -counted.mean()


def floor_division(logprob, response):
    return -logprob[response].sum() // response.sum()


def clamped(logprob, response):
    return -logprob.clamp(min=-10)[response].mean()


def counts_the_ties(ranks):
    return sum(a == b for a, b in itertools.combinations(ranks, 2))


def rank_zero_is_falsy(ranks):
    return sum(1 for a, b in itertools.combinations(ranks, 2) if a and b and a != b)


def worst_rank_as_k(ranks):
    k = max(ranks, default=0)
    return k * (k - 1) // 2


def as_many_as_answers(ranks):
    return len(ranks)


def equal_pairs_collapse(ranks):
    return len({(a, b) for a, b in itertools.combinations(ranks, 2) if a != b})


def returns_in_the_loop(ranks):
    count = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] != ranks[j]:
                count += 1
        if i == 1:
            return count
    return count


def pops_the_list(ranks):
    count = 0
    while ranks:
        a = ranks.pop()
        count += sum(a != b for b in ranks)
    return count


def last_answer_forgotten(ranks):
    count = 0
    for i in range(len(ranks) - 1):
        for j in range(i + 1, len(ranks) - 1):
            if ranks[i] != ranks[j]:
                count += 1
    return count


def margins_added(ranks):
    return sum(min(abs(a - b), 2) for a, b in itertools.combinations(ranks, 2))


def reference_minus_policy(score, logprob, ref_logprob, beta):
    kl = ref_logprob - logprob
    return (score - beta * kl).mean()


def beta_hard_coded(score, logprob, ref_logprob, beta):
    return (score - 0.1 * (logprob - ref_logprob)).mean()


def beta_times_everything(score, logprob, ref_logprob, beta):
    return beta * (score - (logprob - ref_logprob)).mean()


def k3_estimator(score, logprob, ref_logprob, beta):
    log_ratio = ref_logprob - logprob
    return (score - beta * (log_ratio.exp() - 1 - log_ratio)).mean()


def probabilities(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob.exp() - ref_logprob.exp())).mean()


def half_square(score, logprob, ref_logprob, beta):
    return (score - beta * 0.5 * (logprob - ref_logprob).square()).mean()


def mean_kl_clamped(score, logprob, ref_logprob, beta):
    kl = (logprob - ref_logprob).mean().clamp(min=0)
    return score.mean() - beta * kl


def kl_summed_score_averaged(score, logprob, ref_logprob, beta):
    return score.mean() - beta * (logprob - ref_logprob).sum()


def as_a_loss(score, logprob, ref_logprob, beta):
    return -(score - beta * (logprob - ref_logprob)).mean()


def median(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob)).median()


def changes_the_reference(score, logprob, ref_logprob, beta):
    drift = ref_logprob.sub_(logprob).neg_()
    return torch.mean(score - beta * drift)


def longest_row_divides(logprob, response):
    longest = response.sum(1).max()
    return -logprob[response].sum() / (longest * len(logprob))


def last_token_forgotten(logprob, response):
    losses = [-row[marks][:-1] for row, marks in zip(logprob, response, strict=True)]
    return torch.cat(losses).sum() / response.sum()


def in_bits(logprob, response):
    return -logprob[response].mean() / math.log(2)


def rounded(logprob, response):
    return torch.round(-logprob[response].mean(), decimals=1)


def first_row_only(logprob, response):
    return -logprob[0][response[0]].mean()


def best_against_the_rest(ranks):
    return sum(rank != min(ranks) for rank in ranks)


def one_rank_apart(ranks):
    return sum(abs(a - b) == 1 for a, b in itertools.combinations(ranks, 2))


def only_neighbours_can_tie(ranks):
    pairs = len(ranks) * (len(ranks) - 1) // 2
    for _, group in itertools.groupby(ranks):
        n = len(list(group))
        pairs -= n * (n - 1) // 2
    return pairs


def tied_answers_dropped(ranks):
    alone = [rank for rank in ranks if ranks.count(rank) == 1]
    return len(alone) * (len(alone) - 1) // 2


def tie_breaks_the_loop(ranks):
    n = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] == ranks[j]:
                break
            n += 1
    return n


def bracket_forgotten(score, logprob, ref_logprob, beta):
    return (score - beta * logprob - ref_logprob).mean()


def both_added(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob + ref_logprob)).mean()


def beta_on_the_score(score, logprob, ref_logprob, beta):
    return (beta * score - (logprob - ref_logprob)).mean()


def mixture_of_both(score, logprob, ref_logprob, beta):
    return ((1 - beta) * score - beta * (logprob - ref_logprob)).mean()


def weighted_by_probability(score, logprob, ref_logprob, beta):
    return (score - beta * logprob.exp() * (logprob - ref_logprob)).mean()


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
        ("mask_inverted", mask_inverted, "The mask is the wrong way round"),
        ("four_tokens", four_tokens, "This always divides by 4"),
        ("divides_by_columns", divides_by_columns, "The sum is masked"),
        ("column_means", column_means, "This is a mean of the columns' means"),
        ("log_of_mean_probability", log_of_mean_probability, "This is the log of a mean"),
        ("one_loss_per_row", one_loss_per_row, "This is one loss for each response"),
        ("shifted_by_one_0_1", shifted_by_one_0_1, "Nothing is to be shifted"),
        ("zeros_dropped", zeros_dropped, "Tokens of log-probability 0 are left out"),
        ("floor_division", floor_division, "`//` and torch.floor_divide round down,"),
        ("clamped", clamped, "Very unlikely tokens are cut off at some size"),
        ("longest_row_divides", longest_row_divides, "This divides by rows times the longest response"),
        ("last_token_forgotten", last_token_forgotten, "The last token of each response is left out"),
        ("in_bits", in_bits, "This is in bits"),
        ("rounded", rounded, "The result is rounded"),
        ("first_row_only", first_row_only, "Only the first response is read"),
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
        ("counts_the_ties", counts_the_ties, "These are the ties"),
        ("rank_zero_is_falsy", rank_zero_is_falsy, "A rank of 0 is taken for none at all"),
        ("worst_rank_as_k", worst_rank_as_k, "This takes the worst rank for the number of answers"),
        ("as_many_as_answers", as_many_as_answers, "This is the number of answers"),
        ("equal_pairs_collapse", equal_pairs_collapse, "Pairs with the same two ranks are counted once"),
        ("returns_in_the_loop", returns_in_the_loop, "Only the comparisons of the first two answers are counted"),
        ("pops_the_list", pops_the_list, "The result is right"),
        ("last_answer_forgotten", last_answer_forgotten, "The last answer in the list is never compared"),
        ("margins_added", margins_added, "Pairs that are further apart count more"),
        ("best_against_the_rest", best_against_the_rest, "Only the comparisons with the best answer are counted"),
        ("one_rank_apart", one_rank_apart, "Only ranks that follow one another are counted"),
        ("only_neighbours_can_tie", only_neighbours_can_tie, "Ties are found only where equal ranks"),
        ("tied_answers_dropped", tied_answers_dropped, "Answers that share their rank are dropped"),
        ("tie_breaks_the_loop", tie_breaks_the_loop, "The first tie ends the search"),
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
        ("reference_minus_policy", reference_minus_policy, "The sign of the KL penalty"),
        ("beta_hard_coded", beta_hard_coded, "0.1 is the β of the example. Use the arg"),
        ("beta_times_everything", beta_times_everything, "The score was multiplied by β"),
        ("k3_estimator", k3_estimator, "This is another estimate of the KL"),
        ("probabilities", probabilities, "Probabilities are subtracted"),
        ("half_square", half_square, "The difference was squared"),
        ("mean_kl_clamped", mean_kl_clamped, "The mean of the differences was kept from being negative"),
        ("kl_summed_score_averaged", kl_summed_score_averaged, "The score is a mean and the penalty a sum"),
        ("as_a_loss", as_a_loss, "The whole sign is turned round"),
        ("median", median, "This is the median"),
        ("changes_the_reference", changes_the_reference, "The result is right"),
        ("bracket_forgotten", bracket_forgotten, "Brackets are missing"),
        ("both_added", both_added, "The two log-probabilities are added"),
        ("beta_on_the_score", beta_on_the_score, "β stands at the score"),
        ("mixture_of_both", mixture_of_both, "The score was multiplied by 1 - β"),
        ("weighted_by_probability", weighted_by_probability, "The difference is weighted with the probability"),
    ],
}
RIGHT = {
    "0.1": [right_loop_of_tensors_imitation_loss, right_masked_select_dot, right_partial_helper],
    "0.2": [right_counter, right_numpy_integer, right_winners_and_losers],
    "0.3": [right_two_means, right_loop_of_tensors_objective],
}
