"""A third set of answers to lesson 03c, made up from the notebook alone: see `lesson_03c.py`."""

import math

import numpy as np
import torch


# ---------------------------------------------------------------- 3c.1 wrong
def apart_one_variance(a, b, n):
    return (a - b) / (a * (1 - a) / n) ** 0.5


def apart_pooled(a, b, n):
    p = (a + b) / 2
    return (a - b) / (2 * p * (1 - p) / n) ** 0.5


def apart_n_minus_one(a, b, n):
    return (a - b) / (a * (1 - a) / (n - 1) + b * (1 - b) / (n - 1)) ** 0.5


def apart_2n_together(a, b, n):
    return (a - b) / ((a * (1 - a) + b * (1 - b)) / (2 * n)) ** 0.5


def apart_without_n(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b)) ** 0.5


def apart_standard_deviations_from_n_roots(a, b, n):
    return (a - b) * n / (a * (1 - a) + b * (1 - b)) ** 0.5


def apart_0_where_either_certain(a, b, n):
    if a in (0, 1) or b in (0, 1):
        return 0.0
    return (a - b) / (a * (1 - a) / n + b * (1 - b) / n) ** 0.5


# ---------------------------------------------------------------- 3c.1 right
def apart_hypot(a, b, n):
    return (a - b) / math.hypot((a * (1 - a) / n) ** 0.5, (b * (1 - b) / n) ** 0.5)


def apart_root_n_front(a, b, n):
    return (a - b) * n ** 0.5 / (a + b - a * a - b * b) ** 0.5


def apart_tensors(a, b, n):
    p = torch.tensor([a, b], dtype=torch.float64)
    return (p[0] - p[1]) / (p * (1 - p) / n).sum().sqrt()


# ---------------------------------------------------------------- 3c.2 wrong
def alarm_least(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x >= bar), -1)


def alarm_two_errors(share, before, n):
    bar = before + 2 * (before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), -1)


def alarm_error_difference(share, before, n):
    bar = before + 3 * (2 * before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), -1)


def alarm_factor_inside_root(share, before, n):
    bar = before + (3 * before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), -1)


def alarm_0_if_none(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), 0)


def alarm_none_if_none(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for i, x in enumerate(share):
        if x > bar:
            return i


def alarm_zero_start_never_rings(share, before, n):
    if not before:
        return -1
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), -1)


# ---------------------------------------------------------------- 3c.2 right
def alarm_numpy(share, before, n):
    above = np.flatnonzero(np.asarray(share, float) > before + 3 * (before * (1 - before) / n) ** 0.5)
    return int(above[0]) if len(above) else -1


def alarm_recursion_from_behind(share, before, n):
    bar, found = before + 3 * math.sqrt(before * (1 - before) / n), -1
    for i in reversed(range(len(share))):
        if share[i] > bar:
            found = i
    return found


def alarm_list_booleans(share, before, n):
    rings = [x > before + 3 * (before * (1 - before) / n) ** 0.5 for x in share]
    return rings.index(True) if True in rings else -1


# ---------------------------------------------------------------- 3c.3 wrong
def mended_first_1(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) > first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def mended_only_forbidden_ones(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) < first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def mended_clamped_0(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).clamp(min=0).mean()


def mended_first_rows_instead_tokens(logprob, ref_logprob, mask, first):
    return torch.where(mask, logprob - ref_logprob, 0.0)[first:].sum(1).mean()


def mended_last_tokens_left_out(logprob, ref_logprob, mask, first):
    left = mask.flip(1).long().cumsum(1).flip(1)
    free = mask & (left > first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def mended_0_slice_first(logprob, ref_logprob, mask, first):
    gap = torch.where(mask, logprob - ref_logprob, 0.0)
    n = mask.shape[1]
    return gap[:, -(n - first):].sum(1).mean()


def mended_first_rows_over_all(logprob, ref_logprob, mask, first):
    return torch.where(mask, logprob - ref_logprob, 0.0)[first:].sum() / len(mask)


# ---------------------------------------------------------------- 3c.3 right
def mended_slice(logprob, ref_logprob, mask, first):
    gap = (logprob - ref_logprob).masked_fill(~mask, 0.0)
    return gap[:, first:].sum() / len(gap)


def mended_loops(logprob, ref_logprob, mask, first):
    total = torch.zeros((), dtype=torch.float64)
    for b in range(len(mask)):
        for t in range(first, mask.shape[1]):
            if mask[b, t]:
                total += logprob[b, t] - ref_logprob[b, t]
    return total / len(mask)


def mended_index_add_row(logprob, ref_logprob, mask, first):
    b, t = mask.nonzero(as_tuple=True)
    b, t = b[t >= first], t[t >= first]
    rows = torch.zeros(len(mask), dtype=logprob.dtype).index_add(0, b, logprob[b, t] - ref_logprob[b, t])
    return rows.mean()


MUTANTS = {
    "3c.1": [
        ("apart_one_variance", apart_one_variance, "Only the first accuracy is taken to be uncertain; the"),
        ("apart_pooled", apart_pooled, "The two accuracies were pooled into one. Take the"),
        ("apart_n_minus_one", apart_n_minus_one, "This divides by n - 1. The variance of a share p of n,"),
        ("apart_2n_together", apart_2n_together, "The variances were averaged, or n counted twice. Those"),
        ("apart_without_n", apart_without_n, "n is not used: this is how much one pair scatters. The"),
        ("apart_standard_deviations_from_n_roots", apart_standard_deviations_from_n_roots,
         "n stands outside the root, so this divides by too"),
        ("apart_0_where_either_certain", apart_0_where_either_certain,
         "Right on 10 of 13 cases, and wrong only here: the"),
    ],
    "3c.2": [
        ("alarm_least", alarm_least, "A share exactly at the bar rings. Only *more than*"),
        ("alarm_two_errors", alarm_two_errors, "The bar is two standard errors above `before`. Luck"),
        ("alarm_error_difference", alarm_error_difference, "The variance is doubled, as for a difference of two"),
        ("alarm_factor_inside_root", alarm_factor_inside_root, "The 3 stands inside the root. It is three times the"),
        ("alarm_0_if_none", alarm_0_if_none, "Where nothing is above the bar, -1 is wanted."),
        ("alarm_none_if_none", alarm_none_if_none, "It returned nothing (None); the next cell needs an"),
        ("alarm_zero_start_never_rings", alarm_zero_start_never_rings,
         "With `before` 0 the standard error is 0 and the bar is"),
    ],
    "3c.3": [
        ("mended_first_1", mended_first_1, "One token too few: token number `first` was drawn"),
        ("mended_only_forbidden_ones", mended_only_forbidden_ones,
         "These are the tokens that were *not* drawn freely."),
        ("mended_clamped_0", mended_clamped_0, "Negative sums were set to 0. Single responses may be"),
        ("mended_first_rows_instead_tokens", mended_first_rows_instead_tokens,
         "The first `first` *responses* are left out. Leave out"),
        ("mended_last_tokens_left_out", mended_last_tokens_left_out,
         "The *last* `first` tokens of each response are left"),
        ("mended_0_slice_first", mended_0_slice_first, "Right on 17 of 18 cases, and wrong only here: no"),
        ("mended_first_rows_over_all", mended_first_rows_over_all,
         "The place was counted along the wrong dimension: the"),
    ],
}

RIGHT = {
    "3c.1": [apart_hypot, apart_root_n_front, apart_tensors],
    "3c.2": [alarm_numpy, alarm_recursion_from_behind, alarm_list_booleans],
    "3c.3": [mended_slice, mended_loops, mended_index_add_row],
}
