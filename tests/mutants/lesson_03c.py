"""Answers to lesson 03c as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import itertools
import math

import numpy as np
import torch


def variance(a, b, n):
    return n * (a - b) / (a - a * a + b - b * b)


def a_single_pair(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b)) ** 0.5


def the_second_is_certain(a, b, n):
    return (a - b) * n ** 0.5 / (a * (1 - a)) ** 0.5


def errors_added(a, b, n):
    one, other = ((p * (1 - p) / n) ** 0.5 for p in (a, b))
    return (a - b) / (one + other)


def without_a_sign(a, b, n):
    return ((a - b) ** 2 * n / (a * (1 - a) + b * (1 - b))) ** 0.5


def _rings(share, bar):
    for i, now in enumerate(share):
        if now > bar:
            return i
    return -1


def a_single_response(share, before, n):
    return _rings(share, before + 3 * (before * (1 - before)) ** 0.5)


def both_ways(share, before, n):
    error = (before * (1 - before) / n) ** 0.5
    return _rings([abs(now - before) for now in share], 3 * error)


def one_error(share, before, n):
    return _rings(share, before + (before * (1 - before) / n) ** 0.5)


def any_rise(share, before, n):
    return _rings(share, before)


def from_nothing(share, before, n):
    return _rings(share, 3 * (before * (1 - before) / n) ** 0.5)


def counts_from_one(share, before, n):
    at = _rings(share, before + 3 * (before * (1 - before) / n) ** 0.5)
    return at + 1 if at >= 0 else -1


def the_last_one(share, before, n):
    bar, found = before + 3 * (before * (1 - before) / n) ** 0.5, -1
    for i in range(len(share)):
        if share[i] > bar:
            found = i
    return found


def all_tokens(logprob, ref_logprob, mask, first):
    return ((logprob - ref_logprob) * mask).sum() / len(mask)


def padding_counts(logprob, ref_logprob, mask, first):
    return (logprob[:, first:] - ref_logprob[:, first:]).sum() / len(mask)


def one_too_many(logprob, ref_logprob, mask, first):
    gap = ((logprob - ref_logprob) * mask)[:, max(first - 1, 0):]
    return gap.sum(-1).mean()


def per_token(logprob, ref_logprob, mask, first):
    mask = mask[:, first:]
    return ((logprob - ref_logprob)[:, first:] * mask).sum() / max(mask.sum().item(), 1)


def absolute(logprob, ref_logprob, mask, first):
    return ((logprob - ref_logprob).abs() * mask)[:, first:].sum(1).mean()


def never_negative(logprob, ref_logprob, mask, first):
    return (torch.relu(logprob - ref_logprob) * mask)[:, first:].sum(1).mean()


def absolute_3c_1(a, b, n):
    return abs(a - b) / (a * (1 - a) / n + b * (1 - b) / n) ** 0.5


def one_variance(a, b, n):
    return (a - b) / (b * (1 - b) / n) ** 0.5


def pooled(a, b, n):
    p = (a + b) / 2
    return (a - b) / (2 * p * (1 - p) / n) ** 0.5


def errors_added_3c_1(a, b, n):
    return (a - b) / ((a * (1 - a) / n) ** 0.5 + (b * (1 - b) / n) ** 0.5)


def n_minus_one(a, b, n):
    return (a - b) / (a * (1 - a) / (n - 1) + b * (1 - b) / (n - 1)) ** 0.5


def no_root(a, b, n):
    return (a - b) / (a * (1 - a) / n + b * (1 - b) / n)


def two_n(a, b, n):
    return (a - b) / ((a * (1 - a) + b * (1 - b)) / (2 * n)) ** 0.5


def rounded(a, b, n):
    return round((a - b) / (a * (1 - a) / n + b * (1 - b) / n) ** 0.5, 2)


def n_200(a, b, n):
    return (a - b) / (a * (1 - a) / 200 + b * (1 - b) / 200) ** 0.5


def at_least(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now >= bar), -1)


def last_place(share, before, n):
    bar, found = before + 3 * (before * (1 - before) / n) ** 0.5, -1
    for place, now in enumerate(share):
        if now > bar:
            found = place
    return found


def falsy_place(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), None) or -1


def moving_bar(share, before, n):
    for place, now in enumerate(share):
        if now > before + 3 * (before * (1 - before) / n) ** 0.5:
            return place
        before = now
    return -1


def error_of_now(share, before, n):
    for place, now in enumerate(share):
        if now - before > 3 * (now * (1 - now) / n) ** 0.5:
            return place
    return -1


def both_sides(share, before, n):
    bar = 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if abs(now - before) > bar), -1)


def one_based(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share, 1) if now > bar), -1)


def variance_for_error(share, before, n):
    bar = before + 3 * before * (1 - before) / n
    return next((place for place, now in enumerate(share) if now > bar), -1)


def none_when_silent(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for place, now in enumerate(share):
        if now > bar:
            return place


def sentinel_appended(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    share.append(2.0)
    place = 0
    while not share[place] > bar:
        place += 1
    return place if place < len(share) - 1 else -1


def times_the_mask(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return ((logprob - ref_logprob) * free).sum(1).mean()


def mean_of_tokens(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return (logprob - ref_logprob)[free].mean()


def off_by_one(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) > first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def sign(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, ref_logprob - logprob, 0.0).sum(1).mean()


def forbidden_ones(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) < first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def mask_in_place(logprob, ref_logprob, mask, first):
    mask[:, :first] = False
    return torch.where(mask, logprob - ref_logprob, 0.0).sum(1).mean()


def clamped_at_zero(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean().clamp(min=0)


def responses_with_tokens(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    total = torch.where(free, logprob - ref_logprob, 0.0).sum()
    return total / free.any(1).sum().clamp(min=1)


def row_means(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return (torch.where(free, logprob - ref_logprob, 0.0).sum(1) / free.sum(1).clamp(min=1)).mean()


def python_float(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return float(torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean())


def root_n_outside(a, b, n):
    return math.sqrt(n) * (a - b) / math.sqrt(a - a * a + b - b * b)


def hypot(a, b, n):
    errors = [math.sqrt(p * (1 - p) / n) for p in (a, b)]
    return (a - b) / math.hypot(*errors)


def numpy_scalar(a, b, n):
    p = np.array([a, b], dtype=np.float64)
    return -np.diff(p)[0] / np.sqrt((p * (1 - p)).sum() / n)


def numpy_integer(share, before, n):
    bar = before + 3 * np.sqrt(before * (1 - before) / n)
    above = np.flatnonzero(np.array(share, dtype=float) > bar)
    return above[0] if above.size else np.int64(-1)


def index_loop(share, before, n):
    bar = before + 3 * math.sqrt(before * (1 - before) / n)
    place = 0
    while place < len(share):
        if share[place] > bar:
            return place
        place += 1
    return -1


def takewhile(share, before, n):
    bar = 3 * (before * (1 - before) / n) ** 0.5 + before
    quiet = len(list(itertools.takewhile(lambda now: now <= bar, share)))
    return quiet if quiet < len(share) else -1


def slices(logprob, ref_logprob, mask, first):
    gap = (logprob - ref_logprob).masked_fill(~mask, 0.0)
    return gap[:, first:].sum() / len(mask)


def loops(logprob, ref_logprob, mask, first):
    total = logprob.new_zeros(())
    for row in range(mask.shape[0]):
        for place in range(first, mask.shape[1]):
            if mask[row, place]:
                total = total + logprob[row, place] - ref_logprob[row, place]
    return total / mask.shape[0]


def flat_selection(logprob, ref_logprob, mask, first):
    free = mask.clone()
    free[:, :first] = False
    return (logprob[free] - ref_logprob[free]).sum().div(logprob.shape[0])


def second_root_behind_the_quotient(a, b, n):
    return (a - b) / math.sqrt(a * (1 - a) / n) + math.sqrt(b * (1 - b) / n)


def argmax_of_nothing(share, before, n):
    return int((torch.tensor(share) > before + 3 * (before * (1 - before) / n) ** .5).float().argmax())


def numpy_argmax_of_nothing(share, before, n):
    return int(np.argmax(np.array(share) > before + 3 * (before * (1 - before) / n) ** .5))


def over_responses_with_a_token(logprob, ref_logprob, mask, first):
    return (logprob - ref_logprob)[:, first:][mask[:, first:]].sum() / mask.any(1).sum()


def swapped_3c_1(a, b, n):
    return (b - a) / (a * (1 - a) / n + b * (1 - b) / n) ** 0.5


def n_forgotten_3c_1(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b)) ** 0.5


def half_for_both_3c_1(a, b, n):
    return (a - b) / (0.5 / n) ** 0.5


def n_inside_wrong_3c_1(a, b, n):
    return (a - b) / (a * (1 - a) + b * (1 - b) / n) ** 0.5


def variance_difference_3c_1(a, b, n):
    return (a - b) / abs(a * (1 - a) / n - b * (1 - b) / n + 1e-12) ** 0.5


def standard_deviation_3c_1(a, b, n):
    return (a - b) / (a / n + b / n) ** 0.5


def above_chance_3c_1(a, b, n):
    return (a - 0.5) / (a * (1 - a) / n + 0.25 / n) ** 0.5


def luck_is_zero_3c_1(a, b, n):
    z = (a - b) / (a * (1 - a) / n + b * (1 - b) / n) ** 0.5
    return z if z > 3 or z < -3 else 0.0


def two_errors_3c_2(share, before, n):
    bar = before + 2 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)


def highest_place_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return share.index(max(share)) if share and max(share) > bar else -1


def returns_in_first_round_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for place, now in enumerate(share):
        if now > bar:
            return place
        return -1
    return -1


def jump_from_step_before_3c_2(share, before, n):
    error = 3 * (before * (1 - before) / n) ** 0.5
    last = before
    for place, now in enumerate(share):
        if now - last > error:
            return place
        last = now
    return -1


def argmax_of_bools_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return int((torch.tensor(share) > bar).int().argmax()) if share else -1


def start_of_list_3c_2(share, before, n):
    before = share[0] if share else before
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)


def running_mean_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for place in range(len(share)):
        if sum(share[:place + 1]) / (place + 1) > bar:
            return place
    return -1


def n_minus_one_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / (n - 1)) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)


def starts_at_one_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for place in range(1, len(share)):
        if share[place] > bar:
            return place
    return -1


def zero_before_is_falsy_3c_2(share, before, n):
    before = before or 0.1
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)


def pooled_steps_3c_2(share, before, n):
    for place, now in enumerate(share):
        if now > before + 3 * (before * (1 - before) / (n * (place + 1))) ** 0.5:
            return place
    return -1


def sum_over_batch_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum()


def first_ignored_3c_3(logprob, ref_logprob, mask, first):
    return torch.where(mask, logprob - ref_logprob, 0.0).sum(1).mean()


def mask_ignored_3c_3(logprob, ref_logprob, mask, first):
    return (logprob - ref_logprob)[:, first:].sum(1).mean()


def absolute_gaps_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, (logprob - ref_logprob).abs(), 0.0).sum(1).mean()


def k3_estimator_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    gap = logprob - ref_logprob
    return torch.where(free, (-gap).exp() - 1 + gap, 0.0).sum(1).mean()


def first_rows_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[0]) >= first)[:, None]
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def drops_short_responses_3c_3(logprob, ref_logprob, mask, first):
    keep = mask.sum(1) > first
    free = mask & (torch.arange(mask.shape[1]) >= first)
    sums = torch.where(free, logprob - ref_logprob, 0.0).sum(1)
    return sums[keep].mean() if keep.any() else torch.tensor(0.0)


def padding_zeroed_in_place_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    logprob[~free] = 0.0
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def last_instead_of_first_3c_3(logprob, ref_logprob, mask, first):
    gap = torch.where(mask, logprob - ref_logprob, 0.0)
    return gap[:, -first:].sum(1).mean()


def mean_over_t_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).sum() / mask.shape[1]


def bracket_of_the_sum_forgotten_3c_1(a, b, n):
    return (a - b) / (a * (1 - a) / n + b * (1 - b) / n ** 0.5)


def p_value_3c_1(a, b, n):
    z = (a - b) / ((a * (1 - a) + b * (1 - b)) / n) ** 0.5
    return math.erfc(abs(z) / 2**0.5)


def variance_is_p_3c_1(a, b, n):
    return (a - b) / ((a + b) / n) ** 0.5


def larger_variance_only_3c_1(a, b, n):
    return (a - b) / (max(a * (1 - a), b * (1 - b)) / n) ** 0.5


def crossed_over_3c_1(a, b, n):
    return (a - b) / ((a * (1 - b) + b * (1 - a)) / n) ** 0.5


def relative_bar_3c_2(share, before, n):
    bar = before * (1 + 3 * (before * (1 - before) / n) ** 0.5)
    return next((i for i, x in enumerate(share) if x > bar), -1)


def share_for_place_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for x in share:
        if x > bar:
            return x
    return -1


def two_in_a_row_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    for i in range(1, len(share)):
        if share[i - 1] > bar and share[i] > bar:
            return i - 1
    return -1


def error_of_a_half_3c_2(share, before, n):
    bar = before + 3 * (0.25 / n) ** 0.5
    return next((i for i, x in enumerate(share) if x > bar), -1)


def how_many_above_3c_2(share, before, n):
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return sum(x > bar for x in share) or -1


def weighted_by_probability_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob.exp() * (logprob - ref_logprob), 0.0).sum(1).mean()


def one_token_always_left_3c_3(logprob, ref_logprob, mask, first):
    first = min(first, mask.shape[1] - 1)
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def only_the_policy_cleaned_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return (torch.where(free, logprob, 0.0) - ref_logprob).sum(1).mean()


def end_left_out_3c_3(logprob, ref_logprob, mask, first):
    place = torch.arange(mask.shape[1])
    free = mask & (place >= first) & (place < mask.sum(1, keepdim=True) - 1)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()


def median_response_3c_3(logprob, ref_logprob, mask, first):
    free = mask & (torch.arange(mask.shape[1]) >= first)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).median()


MUTANTS = {
    "3c.1": [("second_root_behind_the_quotient", second_root_behind_the_quotient, "takes only the first root"),
             ("variance", variance, "divides by the variance"),
             ("a_single_pair", a_single_pair, "n is not used"),
             ("errors_added", errors_added, "errors are added"),
             ("without_a_sign", without_a_sign, "sign is lost"),
             ("absolute", absolute_3c_1, "The sign is lost"),
             ("pooled", pooled, "The two accuracies were pooled into one"),
             ("two_errors_added", errors_added_3c_1, "The two errors are added"),
             ("n_minus_one", n_minus_one, "This divides by n - 1"),
             ("no_root", no_root, "This divides by the variance"),
             ("two_n", two_n, "The variances were averaged"),
             ("rounded", rounded, "It is right but for rounding"),
             ("n_200", n_200, "n is an argument"),
             ("one_variance", one_variance, "Only the second accuracy is taken to be"),
             ("the_second_is_certain", the_second_is_certain, "Only the first accuracy"),
             ("swapped", swapped_3c_1, "The sign is the other way round"),
             ("n_forgotten", n_forgotten_3c_1, "n is not used: this is how much one pair"),
             ("half_for_both", half_for_both_3c_1, "The variance of a coin"),
             ("n_inside_wrong", n_inside_wrong_3c_1, "Only one of the variances is divided by n"),
             ("variance_difference", variance_difference_3c_1, "The variances were subtracted"),
             ("standard_deviation", standard_deviation_3c_1, "The variance of a share is p(1 - p)/n"),
             ("above_chance", above_chance_3c_1, "a is compared with a coin"),
             ("luck_is_zero", luck_is_zero_3c_1, "Small results were set to 0"),
             ("bracket_of_the_sum_forgotten", bracket_of_the_sum_forgotten_3c_1,
              "The root is taken of the last n only"),
             ("p_value", p_value_3c_1, "This is a p-value, a probability. Wanted is"),
             ("variance_is_p", variance_is_p_3c_1, "The variance of a share is p(1 - p)/n"),
             ("larger_variance_only", larger_variance_only_3c_1, "Only the larger of the two variances counts"),
             ("crossed_over", crossed_over_3c_1, "Each accuracy is multiplied with 1 minus the")],
    "3c.2": [("argmax_of_nothing", argmax_of_nothing, "`argmax` gives 0 there"),
             ("numpy_argmax_of_nothing", numpy_argmax_of_nothing, "`argmax` gives 0 there"),
             ("a_single_response", a_single_response, "n is not used"),
             ("both_ways", both_ways, "become rarer"),
             ("one_error", one_error, "One standard error"),
             ("any_rise", any_rise, "Any rise"),
             ("from_nothing", from_nothing, "above 0"),
             ("counts_from_one", counts_from_one, "counted from 1"),
             ("the_last_one", the_last_one, "the last step"),
             ("at_least", at_least, "A share exactly at the bar rings"),
             ("last_place", last_place, "This is the last step above the bar"),
             ("falsy_place", falsy_place, "An alarm at the first step is lost"),
             ("moving_bar", moving_bar, "Each step is compared with the one before it"),
             ("error_of_now", error_of_now, "The standard error is that of the share of"),
             ("both_sides", both_sides, "It also rings where fences become rarer"),
             ("one_based", one_based, "The steps are counted from 1"),
             ("variance_for_error", variance_for_error, "The root is missing"),
             ("none_when_silent", none_when_silent, "It returned nothing"),
             ("sentinel_appended", sentinel_appended, "The result is right"),
             ("two_errors", two_errors_3c_2, "The bar is two standard errors above `before`"),
             ("highest_place", highest_place_3c_2, "This is the step with the largest share"),
             ("returns_in_first_round", returns_in_first_round_3c_2, "It gives up after the first step"),
             ("jump_from_step_before", jump_from_step_before_3c_2, "Each step is compared with the one before it"),
             ("argmax_of_bools", argmax_of_bools_3c_2, "Where nothing is above the bar"),
             ("start_of_list", start_of_list_3c_2, "It is counted from the first step's share"),
             ("running_mean", running_mean_3c_2, "The mean of all steps so far is compared"),
             ("n_minus_one", n_minus_one_3c_2, "This divides by n - 1"),
             ("starts_at_one", starts_at_one_3c_2, "The first step is never looked at"),
             ("zero_before_is_falsy", zero_before_is_falsy_3c_2, "Wrong only where `before` is 0"),
             ("pooled_steps", pooled_steps_3c_2, "n grows with the steps here"),
             ("relative_bar", relative_bar_3c_2, "The three standard errors were multiplied"),
             ("share_for_place", share_for_place_3c_2, "This is the share itself"),
             ("two_in_a_row", two_in_a_row_3c_2, "It waits for two steps in a row above the bar"),
             ("error_of_a_half", error_of_a_half_3c_2, "The standard error is that of a share of 1/2"),
             ("how_many_above", how_many_above_3c_2, "This counts the steps above the bar")],
    "3c.3": [("python_float", python_float, "returned a number; the next cell needs a tensor"),
             ("over_responses_with_a_token", over_responses_with_a_token, "no real token at all"),
             ("all_tokens", all_tokens, "kept from ending"),
             ("padding_counts", padding_counts, "padding is in it"),
             ("one_too_many", one_too_many, "One token too many"),
             ("per_token", per_token, "mean per token"),
             ("absolute", absolute, "absolute value"),
             ("never_negative", never_negative, "set to 0"),
             ("times_the_mask", times_the_mask, "The padding may hold NaN or infinity"),
             ("mean_of_tokens", mean_of_tokens, "This is a mean per token"),
             ("clamped_at_zero", clamped_at_zero, "The result was cut off at 0"),
             ("responses_with_tokens", responses_with_tokens, "Responses with no free token are left out of"),
             ("row_means", row_means, "This is a mean per token"),
             ("off_by_one", off_by_one, "One token too few"),
             ("sign", sign, "The direction"),
             ("forbidden_ones", forbidden_ones, "These are the tokens that were *not* drawn"),
             ("mask_in_place", mask_in_place, "The result is right"),
             ("sum_over_batch", sum_over_batch_3c_3, "This is the sum over all responses"),
             ("first_ignored", first_ignored_3c_3, "The tokens that were kept from ending are in"),
             ("mask_ignored", mask_ignored_3c_3, "The padding is in it"),
             ("absolute_gaps", absolute_gaps_3c_3, "The absolute value hides the problem instead"),
             ("k3_estimator", k3_estimator_3c_3, "This is another estimator"),
             ("first_rows", first_rows_3c_3, "The place was counted along the wrong"),
             ("drops_short_responses", drops_short_responses_3c_3, "Responses with no free token are left out of"),
             ("padding_zeroed_in_place", padding_zeroed_in_place_3c_3, "The result is right"),
             ("last_instead_of_first", last_instead_of_first_3c_3, "The *last* `first` columns were summed"),
             ("mean_over_t", mean_over_t_3c_3, "It is summed over responses and averaged"),
             ("weighted_by_probability", weighted_by_probability_3c_3, "Each token is weighted by its probability"),
             ("one_token_always_left", one_token_always_left_3c_3, "The last column is always kept"),
             ("only_the_policy_cleaned", only_the_policy_cleaned_3c_3, "Only one of the two was cleaned of the"),
             ("end_left_out", end_left_out_3c_3, "The last real token of each response is left"),
             ("median_response", median_response_3c_3, "This is the median over responses")],
}

# Right answers in unusual forms.
RIGHT = {
    "3c.1": [root_n_outside, hypot, numpy_scalar],
    "3c.2": [numpy_integer, index_loop, takewhile],
    "3c.3": [slices, loops, flat_selection],
}
