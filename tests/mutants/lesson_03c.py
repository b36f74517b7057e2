"""Wrong answers to lesson 03c as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape and agrees with the worked example of the check, so only the other cases can tell.
"""

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


MUTANTS = {
    "3c.1": [("variance", variance, "divides by the variance"), ("a_single_pair", a_single_pair, "n is not used"),
             ("the_second_is_certain", the_second_is_certain, "first accuracy"),
             ("errors_added", errors_added, "errors are added"), ("without_a_sign", without_a_sign, "sign is lost")],
    "3c.2": [("a_single_response", a_single_response, "n is not used"), ("both_ways", both_ways, "become rarer"),
             ("one_error", one_error, "One standard error"), ("any_rise", any_rise, "Any rise"),
             ("from_nothing", from_nothing, "above 0"), ("counts_from_one", counts_from_one, "counted from 1"),
             ("the_last_one", the_last_one, "the last step")],
    "3c.3": [("all_tokens", all_tokens, "kept from ending"), ("padding_counts", padding_counts, "padding is in it"),
             ("one_too_many", one_too_many, "One token too many"), ("per_token", per_token, "mean per token"),
             ("absolute", absolute, "absolute value"), ("never_negative", never_negative, "set to 0")],
}
