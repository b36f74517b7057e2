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
             ("the_second_is_certain", the_second_is_certain, "Only the first accuracy")],
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
             ("sentinel_appended", sentinel_appended, "The result is right")],
    "3c.3": [("over_responses_with_a_token", over_responses_with_a_token, "no real token at all"),
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
             ("mask_in_place", mask_in_place, "The result is right")],
}

# Right answers in unusual forms.
RIGHT = {
    "3c.1": [root_n_outside, hypot, numpy_scalar],
    "3c.2": [numpy_integer, index_loop, takewhile],
    "3c.3": [python_float, slices, loops, flat_selection],
}
