"""A second set of answers to lesson 03c, by people who saw nothing but the notebook: see `lesson_03c.py`."""

import bisect
import itertools
import math
import statistics

import numpy as np
import torch


# ---------------------------------------------------------------- 3c.1 wrong
def apart_absolute(a, b, n):
    return abs(a - b) / math.sqrt((a * (1 - a) + b * (1 - b)) / n)


def apart_other_way(a, b, n):
    return (b - a) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5


def apart_no_root(a, b, n):
    return (a - b) / (a * (1 - a) / n + b * (1 - b) / n)


def apart_pooled(a, b, n):
    p = (a + b) / 2
    return (a - b) / math.sqrt(2 * p * (1 - p) / n)


def apart_n_minus_one(a, b, n):
    variance = (a * (1 - a) + b * (1 - b)) / (n - 1)
    return (a - b) / variance ** 0.5


def apart_errors_added(a, b, n):
    return (a - b) / sum((p * (1 - p) / n) ** 0.5 for p in (a, b))


def apart_only_a(a, b, n):
    return (a - b) / (a * (1 - a) / n) ** 0.5


def apart_only_b(a, b, n):
    """b as the known mark."""
    return (a - b) / np.sqrt(b * (1 - b) / n)


def apart_mean_variance(a, b, n):
    variance = statistics.mean([a * (1 - a) / n, b * (1 - b) / n])
    return (a - b) / math.sqrt(variance)


def apart_rounded(a, b, n):
    return round((a - b) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5, 2)


def apart_sure_is_zero(a, b, n):
    for p in (a, b):
        if not 0 < p < 1:
            return 0.0                                # no variance, nothing to divide by
    return (a - b) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5


def apart_clamped_shares(a, b, n):
    variance = sum(min(max(p, 0.01), 0.99) * (1 - min(max(p, 0.01), 0.99)) for p in (a, b)) / n
    return (a - b) / variance ** 0.5


def apart_brackets(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b) / n) ** 0.5


def apart_epsilon(a, b, n):
    return (a - b) / ((a * (1 - a) + b * (1 - b)) / n + 1e-6) ** 0.5


def apart_never_below(a, b, n):
    return max(0.0, (a - b) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5)


def apart_half_each(a, b, n):
    """n pairs in all, half of them for each scorer."""
    each = max(n // 2, 1)
    return (a - b) / (a * (1 - a) / each + b * (1 - b) / each) ** 0.5


def apart_root_of_n_only(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b)) * n ** 0.5


def apart_paired(a, b, n):
    d = abs(a - b)
    return (a - b) / ((d - d * d) / n) ** 0.5 if d else 0.0


# ---------------------------------------------------------------- 3c.1 right
def apart_hypot(a, b, n):
    return (a - b) * n ** 0.5 / math.hypot(math.sqrt(a - a * a), math.sqrt(b - b * b))


def apart_distance_from_half(a, b, n):
    """p (1 - p) is a quarter minus the squared distance from a half."""
    spread = [0.25 - (p - 0.5) ** 2 for p in (a, b)]
    return float(np.subtract(a, b) / np.sqrt(np.sum(spread) / n))


# ---------------------------------------------------------------- 3c.2 wrong
def alarm_reaches(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for place, s in enumerate(share):
        if s >= bar:
            return place
    return -1


def alarm_two_errors(share, before, n):
    bar = before + 2 * math.sqrt(before * (1 - before) / n)
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_from_one(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for step, s in enumerate(share, 1):
        if s > bar:
            return step
    return -1


def alarm_last(share, before, n):
    bar, found = before + 3 * math.sqrt(before * (1 - before) / n), -1
    for i, s in enumerate(share):
        if s > bar:
            found = i
    return found


def alarm_highest(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    place = max(range(len(share)), key=share.__getitem__, default=-1)
    return place if place >= 0 and share[place] > bar else -1


def alarm_error_of_now(share, before, n):
    for i, s in enumerate(share):
        if s - before > 3 * math.sqrt(s * (1 - s) / n):
            return i
    return -1


def alarm_no_root(share, before, n):
    bar = before + 3 * before * (1 - before) / n
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_no_n(share, before, n):
    bar = before + 3 * (before * (1 - before)) ** 0.5
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_either_side(share, before, n):
    error = math.sqrt(before * (1 - before) / n)
    for i, s in enumerate(share):
        if abs(s - before) > 3 * error:
            return i
    return -1


def alarm_from_step_to_step(share, before, n):
    for i, s in enumerate(share):
        if s > before + 3 * math.sqrt(before * (1 - before) / n):
            return i
        before = s
    return -1


def alarm_running_mean(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for i in range(len(share)):
        if sum(share[:i + 1]) / (i + 1) > bar:
            return i
    return -1


def alarm_none(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for i, s in enumerate(share):
        if s > bar:
            return i


def alarm_zero_is_false(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    return next((i for i, s in enumerate(share) if s > bar), None) or -1


def alarm_skips_first(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for i in range(1, len(share)):
        if share[i] > bar:
            return i
    return -1


def alarm_nothing_before(share, before, n):
    error = math.sqrt(before * (1 - before) / n)
    if error == 0:
        return -1
    return next((i for i, s in enumerate(share) if (s - before) / error > 3), -1)


def alarm_bar_below_one(share, before, n):
    bar = min(before + 3 * math.sqrt(before * (1 - before) / n), 0.99)
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_n_minus_one(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / max(n - 1, 1))
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_bisect(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    place = bisect.bisect_right(share, bar)
    return place if place < len(share) else -1


def alarm_sorts(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    share.sort()
    return next((i for i, s in enumerate(share) if s > bar), -1)


def alarm_for_good(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for i in range(len(share)):
        if all(s > bar for s in share[i:]):
            return i
    return -1


def alarm_gives_up(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    for i, s in enumerate(share):
        if s > bar:
            return i
        return -1
    return -1


def alarm_smoothed(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    pairs = [(x + y) / 2 for x, y in itertools.pairwise(share)]
    return next((i + 1 for i, s in enumerate(pairs) if s > bar), -1)


def alarm_argmax(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    return int(np.argmax(np.asarray(share) > bar)) if len(share) else -1


def alarm_three_in_all(share, before, n):
    """The error of all steps together."""
    bar = before + 3 * math.sqrt(before * (1 - before) / (n * max(len(share), 1)))
    return next((i for i, s in enumerate(share) if s > bar), -1)


# ---------------------------------------------------------------- 3c.2 right
def alarm_takewhile(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    quiet = len(list(itertools.takewhile(lambda s: not s > bar, share)))
    return quiet if quiet < len(share) else -1


def alarm_flatnonzero(share, before, n):
    rings = np.flatnonzero(np.array(share, dtype=float) > before + 3 * np.sqrt(before * (1 - before) / n))
    return int(rings[0]) if rings.size else -1


# ---------------------------------------------------------------- 3c.3 helpers
def freely(mask, first):
    return mask & (torch.arange(mask.shape[1]) >= first)


# ---------------------------------------------------------------- 3c.3 wrong
def kl_multiplied(logprob, ref_logprob, mask, first):
    return ((logprob - ref_logprob) * freely(mask, first)).sum(1).mean()


def kl_mean_of_tokens(logprob, ref_logprob, mask, first):
    return (logprob - ref_logprob)[freely(mask, first)].mean()


def kl_mean_per_response(logprob, ref_logprob, mask, first):
    free = freely(mask, first)
    gap = torch.where(free, logprob - ref_logprob, 0.0)
    return (gap.sum(1) / free.sum(1).clamp(min=1)).mean()


def kl_only_those_with_tokens(logprob, ref_logprob, mask, first):
    free = freely(mask, first)
    sums = torch.where(free, logprob - ref_logprob, 0.0).sum(1)[free.any(1)]
    return sums.mean() if len(sums) else torch.tensor(0.0)


def kl_empty_rows_left_out(logprob, ref_logprob, mask, first):
    """Rows without a real token are left out, rows shorter than first stay."""
    some = mask.any(1)
    gap = torch.where(freely(mask, first), logprob - ref_logprob, 0.0)
    return gap.sum(1).sum() / some.sum().clamp(min=1)


def kl_one_late(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) > first)
    return torch.where(free if first else mask, logprob - ref_logprob, 0.0).sum(1).mean()


def kl_one_early(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first - 1)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def kl_the_forbidden(logprob, ref_logprob, mask, first):
    if first == 0:
        return torch.where(mask, logprob - ref_logprob, 0.0).sum(1).mean()
    free = mask & (torch.arange(mask.shape[1]) < first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def kl_k3(logprob, ref_logprob, mask, first):
    gap = torch.where(freely(mask, first), ref_logprob - logprob, 0.0)
    return (gap.exp() - 1 - gap).sum(1).mean()


def kl_weighted(logprob, ref_logprob, mask, first):
    gap = logprob.exp() * (logprob - ref_logprob)
    return gap.where(freely(mask, first), torch.tensor(0.0)).sum(1).mean()


def kl_never_negative(logprob, ref_logprob, mask, first):
    return torch.where(freely(mask, first), logprob - ref_logprob, 0.0).sum(1).mean().clamp(min=0)


def kl_no_negative_response(logprob, ref_logprob, mask, first):
    sums = torch.where(freely(mask, first), logprob - ref_logprob, 0.0).sum(1)
    return torch.relu(sums).mean()


def kl_only_long_responses(logprob, ref_logprob, mask, first):
    long = mask.sum(1) > first
    gap = torch.where(mask & long[:, None], logprob - ref_logprob, 0.0)
    return gap.sum(1).mean()


def kl_garbage_counts(logprob, ref_logprob, mask, first):
    gap = torch.nan_to_num(logprob - ref_logprob, nan=0.0, posinf=0.0, neginf=0.0)
    return gap[:, first:].sum(1).mean()


def kl_into_mask(logprob, ref_logprob, mask, first):
    mask[:, :first] = False
    return torch.where(mask, logprob - ref_logprob, 0.0).sum(dim=1).mean()


def kl_from_behind(logprob, ref_logprob, mask, first):
    n = mask.shape[1] - first
    gap = torch.where(mask, logprob - ref_logprob, 0.0)
    return gap[:, -n:].sum(1).mean()


def kl_number(logprob, ref_logprob, mask, first):
    total = 0.0
    for p, q, m in zip(logprob.tolist(), ref_logprob.tolist(), mask.tolist(), strict=False):
        for t in range(first, len(m)):
            if m[t]:
                total += p[t] - q[t]
    return total / len(mask)


def kl_reversed(logprob, ref_logprob, mask, first):
    return torch.where(freely(mask, first), ref_logprob - logprob, 0.0).sum(1).mean()


def kl_length_of_first_row(logprob, ref_logprob, mask, first):
    n = int(mask[0].sum())
    gap = torch.where(mask, logprob - ref_logprob, 0.0)
    return gap[:, first:n].sum(1).mean()


def kl_divided_by_tokens(logprob, ref_logprob, mask, first):
    return torch.where(freely(mask, first), logprob - ref_logprob, 0.0).sum() / mask.shape[1]


def kl_per_column(logprob, ref_logprob, mask, first):
    return torch.where(freely(mask, first), logprob - ref_logprob, 0.0).sum(0).mean()


def kl_without_the_end(logprob, ref_logprob, mask, first):
    free = freely(mask, first)
    if first > 0:                                     # the end was forbidden: leave it out as well
        last = mask.sum(1, keepdim=True) - 1
        free = free & (torch.arange(mask.shape[1]) != last)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def kl_first_of_batch(logprob, ref_logprob, mask, first):
    """Leaves out the first `first` real tokens of the batch, not of each response."""
    gap = (logprob - ref_logprob)[mask]
    return gap[first:].sum() / len(mask)


def kl_first_clamped(logprob, ref_logprob, mask, first):
    """At least one token stays."""
    first = min(first, mask.shape[1] - 1)
    return torch.where(freely(mask, first), logprob - ref_logprob, 0.0).sum(1).mean()


def kl_shortest_row(logprob, ref_logprob, mask, first):
    n = int(mask.sum(1).min())
    return (logprob - ref_logprob)[:, first:n].sum(1).mean()


def kl_vector(logprob, ref_logprob, mask, first):
    return torch.where(freely(mask, first), logprob - ref_logprob, 0.0).mean(0, keepdim=True).sum(1)


# ---------------------------------------------------------------- 3c.3 right
def kl_counted(logprob, ref_logprob, mask, first):
    """The real tokens come first, so counting them also finds the free ones."""
    free = (mask.cumsum(1) > first) & mask
    return (logprob[free] - ref_logprob[free]).sum() / logprob.shape[0]


def kl_by_row(logprob, ref_logprob, mask, first):
    sums = []
    for p, q, m in zip(logprob, ref_logprob, mask, strict=False):
        n = max(int(m.sum()), first)
        sums.append(p[first:n].sum() - q[first:n].sum())
    return torch.stack(sums).mean()


MUTANTS = {
    "3c.1": [
        ("absolute", apart_absolute, "The sign is lost: a model that is worse"),
        ("other_way", apart_other_way, "The sign is the other way round: it is a -"),
        ("no_root", apart_no_root, "This divides by the variance. The standard"),
        ("pooled", apart_pooled, "The two accuracies were pooled into one."),
        ("n_minus_one", apart_n_minus_one, "This divides by n - 1. The variance of a"),
        ("errors_added", apart_errors_added, "The two errors are added. Independent"),
        ("only_a", apart_only_a, "Only the first accuracy is taken to be"),
        ("only_b", apart_only_b, "Only the second accuracy is taken to be"),
        ("mean_variance", apart_mean_variance, "The variances were averaged, or n counted"),
        ("rounded", apart_rounded, "It is right but for rounding. Return the"),
        ("sure_is_zero", apart_sure_is_zero, "and wrong only here: the first is always right; the second is always"),
        ("clamped_shares", apart_clamped_shares,
         "and wrong only here: the first is always right; the second is always"),
        ("brackets", apart_brackets, "Only one of the variances is divided by n:"),
        ("epsilon", apart_epsilon, "never further than 2 % from what is expected, and right on 3 of 13"),
        ("never_below", apart_never_below, "Negative results were cut off at 0. They"),
        ("half_each", apart_half_each, "n is halved. Each accuracy was measured on"),
        ("root_of_n_only", apart_root_of_n_only, "The root is taken of n alone. Take it of"),
        ("paired", apart_paired, "The difference was treated as a share of"),
    ],
    "3c.2": [
        ("reaches", alarm_reaches, "A share exactly at the bar rings. Only"),
        ("two_errors", alarm_two_errors, "The bar is two standard errors above"),
        ("from_one", alarm_from_one, "The steps are counted from 1. Wanted is the"),
        ("last", alarm_last, "This is the last step above the bar. An"),
        ("highest", alarm_highest, "This is the step with the largest share. An"),
        ("error_of_now", alarm_error_of_now, "The standard error is that of the share of"),
        ("no_root", alarm_no_root, "The root is missing: before (1 - before) /"),
        ("no_n", alarm_no_n, "n is not used: the bar is as high as if"),
        ("either_side", alarm_either_side, "It also rings where fences become rarer."),
        ("from_step_to_step", alarm_from_step_to_step, "Each step is compared with the one before"),
        ("running_mean", alarm_running_mean, "The mean of all steps so far is compared."),
        ("none", alarm_none, "It returned nothing (None); the next cell"),
        ("zero_is_false", alarm_zero_is_false, "An alarm at the first step is lost: its"),
        ("skips_first", alarm_skips_first, "The first step is never looked at. Its"),
        ("nothing_before", alarm_nothing_before, "With `before` 0 the standard error is 0 and"),
        ("bar_below_one", alarm_bar_below_one, "wrong only here: all before"),
        ("n_minus_one", alarm_n_minus_one, "This divides by n - 1. The standard error"),
        ("bisect", alarm_bisect, "The list is searched by halving, which"),
        ("sorts", alarm_sorts, "The list was sorted, and the place is that"),
        ("for_good", alarm_for_good, "It waits for the step from which on all are"),
        ("gives_up", alarm_gives_up, "It gives up after the first step: the -1 is"),
        ("smoothed", alarm_smoothed, "Two steps are averaged before they are"),
        ("argmax", alarm_argmax, "Where nothing is above the bar, -1 is"),
        ("three_in_all", alarm_three_in_all, "The standard error is that of all steps"),
    ],
    "3c.3": [
        ("multiplied", kl_multiplied, "The padding may hold NaN or infinity, and 0"),
        ("mean_of_tokens", kl_mean_of_tokens, "This is a mean per token. KL is counted per"),
        ("mean_per_response", kl_mean_per_response, "This is a mean per token, in each response."),
        ("only_those_with_tokens", kl_only_those_with_tokens, "Responses with no free token are left out"),
        ("empty_rows_left_out", kl_empty_rows_left_out, "Responses with no real token at all are"),
        ("one_late", kl_one_late, "One token too few: with `first` = 2 the"),
        ("one_early", kl_one_early, "One token too many: with `first` = 2 the"),
        ("the_forbidden", kl_the_forbidden, "These are the tokens that should be left"),
        ("k3", kl_k3, "This is another estimator, ρ/π - 1 -"),
        ("weighted", kl_weighted, "Each token is weighted by its probability"),
        ("never_negative", kl_never_negative, "The result was cut off at 0. That hides a"),
        ("no_negative_response", kl_no_negative_response, "Negative sums were set to 0. Single"),
        ("only_long_responses", kl_only_long_responses, "Of responses that are long enough all"),
        ("garbage_counts", kl_garbage_counts, "The padding is in it. What stands there was"),
        ("into_mask", kl_into_mask, "The result is right, but your function"),
        ("from_behind", kl_from_behind, "wrong only here: no padding"),
        ("number", kl_number, "It returned a number; the next cell needs a"),
        ("reversed", kl_reversed, "The direction: log π - log ρ, the policy"),
        ("length_of_first_row", kl_length_of_first_row, "Every response is cut off where the first"),
        ("divided_by_tokens", kl_divided_by_tokens, "It is summed over responses and averaged"),
        ("per_column", kl_per_column, "It is summed over responses and averaged"),
        ("without_the_end", kl_without_the_end, "The last token of each response is left"),
        ("first_of_batch", kl_first_of_batch, "The first `first` tokens of the whole batch"),
        ("first_clamped", kl_first_clamped, "The last column is always kept, even where"),
        ("shortest_row", kl_shortest_row, "Every response is cut off where the"),
        ("vector", kl_vector, "One number for all is wanted; yours has"),
    ],
}
RIGHT = {
    "3c.1": [apart_hypot, apart_distance_from_half],
    "3c.2": [alarm_takewhile, alarm_flatnonzero],
    "3c.3": [kl_counted, kl_by_row],
}
