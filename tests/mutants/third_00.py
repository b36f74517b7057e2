"""A third set of answers to lesson 00, made up from the notebook alone: see `lesson_00.py`."""

import itertools
import math
from collections import Counter

import numpy as np
import torch


# ---------------------------------------------------------------- 0.1 wrong
def imitation_response_s_log_probability_summed(logprob, response):
    return -torch.where(response, logprob, 0.0).sum(-1).mean()


def imitation_probability_instead_its_log(logprob, response):
    return -logprob[response].exp().mean()


def imitation_median(logprob, response):
    return -logprob[response].median()


def imitation_bits(logprob, response):
    return -(logprob[response] / math.log(2)).mean()


def imitation_drops_first_marked_token_each(logprob, response):
    return -logprob[:, 1:][response[:, 1:]].mean()


def imitation_shifts_mask_one(logprob, response):
    return -logprob[:, :-1][response[:, 1:]].mean()


def imitation_perplexity(logprob, response):
    return (-logprob[response].mean()).exp()


# ---------------------------------------------------------------- 0.1 right
def imitation_loops(logprob, response):
    total, n = 0.0, 0
    for row, marks in zip(logprob, response, strict=False):
        for x, m in zip(row, marks, strict=False):
            if m:
                total, n = total - x, n + 1
    return total / n


def imitation_masked_select_dot_product_ones(logprob, response):
    chosen = torch.masked_select(logprob, response).double()
    return torch.dot(chosen, torch.ones_like(chosen)) / -chosen.numel()


def imitation_masked_fill_nansum(logprob, response):
    return torch.nanmean(-logprob.masked_fill(~response, float("nan")))


# ---------------------------------------------------------------- 0.2 wrong
def comparisons_formula_no_ties(ranks):
    n = len(ranks)
    return n * (n - 1) // 2


def comparisons_each_pair_twice(ranks):
    return sum(a != b for a in ranks for b in ranks)


def comparisons_only_neighbours(ranks):
    return sum(a != b for a, b in itertools.pairwise(ranks))


def comparisons_true_division(ranks):
    n = len(ranks)
    ties = sum(ranks.count(r) - 1 for r in set(ranks))
    return n * (n - 1) // 2 - ties


def comparisons_counts_ties(ranks):
    return sum(a == b for i, a in enumerate(ranks) for b in ranks[i + 1:])


def comparisons_sorts_caller_s_list_removes(ranks):
    n = 0
    while ranks:
        first = ranks.pop()
        n += sum(first != other for other in ranks)
    return n


def comparisons_only_wins_against_best(ranks):
    return sum(r > min(ranks) for r in ranks)


# ---------------------------------------------------------------- 0.2 right
def comparisons_counting_classes(ranks):
    n = len(ranks)
    return (n * n - sum(c * c for c in Counter(ranks).values())) // 2


def comparisons_recursion(ranks):
    if not ranks:
        return 0
    head, *tail = ranks
    return len(tail) - tail.count(head) + comparisons_recursion(tail)


def comparisons_numpy(ranks):
    r = np.asarray(ranks)
    return int((r[:, None] < r[None, :]).sum())


# ---------------------------------------------------------------- 0.3 wrong
def objective_ratio_instead_difference(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob / ref_logprob)).mean()


def objective_log_ratio_exponentiated(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).exp()).mean()


def objective_k3_estimate(score, logprob, ref_logprob, beta):
    log_ratio = ref_logprob - logprob
    return (score - beta * (log_ratio.exp() - 1 - log_ratio)).mean()


def objective_per_response(score, logprob, ref_logprob, beta):
    return score - beta * (logprob - ref_logprob)


def objective_mixture_score_penalty(score, logprob, ref_logprob, beta):
    return ((1 - beta) * score - beta * (logprob - ref_logprob)).mean()


def objective_probability_weighted_kl(score, logprob, ref_logprob, beta):
    return (score - beta * logprob.exp() * (logprob - ref_logprob)).mean()


def objective_loss_instead_objective(score, logprob, ref_logprob, beta):
    return -(score - beta * (logprob - ref_logprob)).mean()


# ---------------------------------------------------------------- 0.3 right
def objective_loop_zip(score, logprob, ref_logprob, beta):
    parts = [s - beta * now + beta * r for s, now, r in zip(score, logprob, ref_logprob, strict=False)]
    return sum(parts) / len(parts)


def objective_dot_product(score, logprob, ref_logprob, beta):
    m = torch.stack([score, logprob, ref_logprob])
    return torch.tensor([1.0, -beta, beta], dtype=m.dtype) @ m.mean(1)


def objective_vmap(score, logprob, ref_logprob, beta):
    return torch.vmap(lambda s, now, r: torch.lerp(s, s - (now - r), beta))(score, logprob, ref_logprob).mean()


MUTANTS = {
    "0.1": [
        ("imitation_response_s_log_probability_summed", imitation_response_s_log_probability_summed,
         "This divides by the number of responses (rows). N"),
        ("imitation_probability_instead_its_log", imitation_probability_instead_its_log,
         "These are probabilities: the exp is too many. The loss"),
        ("imitation_median", imitation_median, "This is the median. Take the mean."),
        ("imitation_bits", imitation_bits, "This is in bits. The loss is in nats: leave the"),
        ("imitation_drops_first_marked_token_each", imitation_drops_first_marked_token_each,
         "Nothing is to be shifted: `logprob[:, t]` belongs to"),
        ("imitation_shifts_mask_one", imitation_shifts_mask_one,
         "Nothing is to be shifted: `logprob[:, t]` belongs to"),
        ("imitation_perplexity", imitation_perplexity, "This is the perplexity, the exponential of the loss."),
    ],
    "0.2": [
        ("comparisons_formula_no_ties", comparisons_formula_no_ties,
         "This counts every pair. Equal ranks are a tie: such a"),
        ("comparisons_each_pair_twice", comparisons_each_pair_twice,
         "Every pair is counted twice, once from either side."),
        ("comparisons_only_neighbours", comparisons_only_neighbours,
         "Only neighbours in the list are compared. Every pair"),
        ("comparisons_true_division", comparisons_true_division,
         "One pair is taken off for each answer that repeats a"),
        ("comparisons_counts_ties", comparisons_counts_ties, "These are the ties. Count the other pairs."),
        ("comparisons_sorts_caller_s_list_removes", comparisons_sorts_caller_s_list_removes,
         "The result is right, but your function changes its"),
        ("comparisons_only_wins_against_best", comparisons_only_wins_against_best,
         "Only the comparisons with the best answer are counted."),
    ],
    "0.3": [
        ("objective_ratio_instead_difference", objective_ratio_instead_difference,
         "Logarithms are divided here. The log of a ratio is a"),
        ("objective_log_ratio_exponentiated", objective_log_ratio_exponentiated,
         "This takes the ratio of the probabilities. The KL"),
        ("objective_k3_estimate", objective_k3_estimate, "This is another estimate of the KL, with exp. In J the"),
        ("objective_per_response", objective_per_response, "One number for all is wanted; yours has shape (1,). Is"),
        ("objective_mixture_score_penalty", objective_mixture_score_penalty,
         "The score was multiplied by 1 - β. It counts in full;"),
        ("objective_probability_weighted_kl", objective_probability_weighted_kl,
         "The difference is weighted with the probability. The"),
        ("objective_loss_instead_objective", objective_loss_instead_objective,
         "The whole sign is turned round. J is maximised, so it"),
    ],
}

RIGHT = {
    "0.1": [imitation_loops, imitation_masked_select_dot_product_ones, imitation_masked_fill_nansum],
    "0.2": [comparisons_counting_classes, comparisons_recursion, comparisons_numpy],
    "0.3": [objective_loop_zip, objective_dot_product, objective_vmap],
}
