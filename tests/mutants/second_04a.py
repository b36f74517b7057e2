"""A second set of answers to lesson 04a, made up before looking at the checks: see `lesson_04a.py`."""

import itertools
import math
import random
import statistics

import numpy as np
import torch


# ---------------------------------------------------------------- 4a.1 wrong
def needed_rounded_probability(p, q):
    if not p:
        return -1
    return next(n for n in itertools.count(1) if round(1 - (1 - p) ** n, 2) >= q)


def needed_up_to_ten_thousand(p, q):
    for n in range(1, 10_001):
        if 1 - (1 - p) ** n >= q:
            return n
    return -1


def needed_none(p, q):
    if p > 0:
        n = 1
        while 1 - (1 - p) ** n < q:
            n += 1
        return n


def needed_other_base(p, q):
    if p in (0.0, 1.0):
        return -1 if p == 0 else 1
    return math.ceil(math.log(q) / math.log(p))


def needed_exactly_one(p, q):
    """n p (1 - p)^(n - 1): one good draw and no more."""
    if p == 0:
        return -1
    return next((n for n in range(1, 60_000) if n * p * (1 - p) ** (n - 1) >= q), -1)


def needed_q_over_failure(p, q):
    return -1 if p == 0 else math.ceil(q / p)


def needed_poisson(p, q):
    return -1 if p == 0 else max(1, math.ceil(-math.log(1 - q) / p))


def needed_certain_is_never(p, q):
    if p <= 0 or p >= 1:
        return -1
    return math.ceil(math.log(1 - q) / math.log(1 - p) - 1e-12)


# ---------------------------------------------------------------- 4a.1 right
def needed_bisect(p, q):
    if p == 0:
        return -1
    low, high = 0, 1
    while 1 - (1 - p) ** high < q:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if 1 - (1 - p) ** middle >= q else (middle, high)
    return high


# ---------------------------------------------------------------- 4a.2 wrong
def law_low_is_high_minus_pi(probability, reward, n):
    high = torch.stack([probability[reward <= r].sum() for r in reward])
    return high ** n - (high - probability) ** n


def law_counts(probability, reward, n):
    high = (reward[None] <= reward[:, None]).double().mean(1)
    low = (reward[None] < reward[:, None]).double().mean(1)
    return high ** n - low ** n


def law_nearly_tied(probability, reward, n):
    gap = reward[None] - reward[:, None]
    high = torch.where(gap < 1e-3, probability, 0.0).sum(1)
    low = torch.where(gap < -1e-3, probability, 0.0).sum(1)
    return torch.where(probability > 0, (high ** n - low ** n) * probability / (high - low).clamp(min=1e-300), 0.0)


def law_evenly_among_the_living(probability, reward, n):
    alive = probability > 0
    same = (reward[None] == reward[:, None]) & alive[None]
    high = torch.where(reward[None] <= reward[:, None], probability, 0.0).sum(1)
    low = torch.where(reward[None] < reward[:, None], probability, 0.0).sum(1)
    return torch.where(alive, (high ** n - low ** n) / same.sum(1).clamp(min=1), 0.0)


def law_simulated(probability, reward, n):
    rng = random.Random(0)
    found = torch.zeros(len(reward), dtype=torch.float64)
    for _ in range(2000):
        drawn = rng.choices(range(len(reward)), probability.tolist(), k=n)
        found[max(drawn, key=lambda i: reward[i].item())] += 1 / 2000
    return found


def law_of_two(probability, reward, n):
    high = torch.stack([probability[reward <= r].sum() for r in reward])
    low = torch.stack([probability[reward < r].sum() for r in reward])
    return torch.where(probability > 0, (high ** 2 - low ** 2) * probability / (high - low).clamp(min=1e-300), 0.0)


def law_times_n(probability, reward, n):
    high = torch.stack([probability[reward <= r].sum() for r in reward])
    return torch.where(probability > 0, n * probability * high, 0.0)


def law_first_place_takes_all(probability, reward, n):
    result, seen = torch.zeros_like(probability), set()
    for i, r in enumerate(reward.tolist()):
        if r not in seen:
            seen.add(r)
            result[i] = probability[reward <= r].sum() ** n - probability[reward < r].sum() ** n
    return result


# ---------------------------------------------------------------- 4a.2 right
def law_ratio_first(probability, reward, n):
    reward = reward.tolist()
    chances = probability.double().tolist()
    found = []
    for p, r in zip(chances, reward, strict=True):
        level = sum(c for c, x in zip(chances, reward, strict=True) if x == r)
        below = sum(c for c, x in zip(chances, reward, strict=True) if x < r)
        found.append(p / level * ((below + level) ** n - below ** n) if level else 0.0)
    return torch.tensor(found)


# ---------------------------------------------------------------- 4a.3 wrong
def kl_bound_of_v(law, probability, n):
    there = law > 0
    v = len(law)
    return (law[there] * (law[there] / probability[there]).log()).sum(), math.log(v) - (v - 1) / v


def kl_log1p(law, probability, n):
    there = law > 0
    return (law[there] * (law[there] / probability[there]).log()).sum(), math.log1p(n) - (n - 1) / n


def kl_both_ways(law, probability, n):
    there = (law > 0) & (probability > 0)
    forth = (law[there] * (law[there] / probability[there]).log()).sum()
    back = (probability[there] * (probability[there] / law[there]).log()).sum()
    return (forth + back) / 2, math.log(n) - (n - 1) / n


def kl_weighted_by_pi(law, probability, n):
    there = law > 0
    return (probability[there] * (law[there] / probability[there]).log()).sum(), math.log(n) - (n - 1) / n


def kl_difference_of_entropies(law, probability, n):
    entropy = lambda x: -torch.special.xlogy(x, x).sum()                                            # noqa: E731
    return entropy(probability) - entropy(law), math.log(n) - (n - 1) / n


def kl_one_result(law, probability, n):
    return (law[law > 0] * (law[law > 0] / probability[law > 0]).log()).sum()


def kl_divided_by_n(law, probability, n):
    there = law > 0
    return (law[there] * (law[there] / probability[there]).log()).sum() / n, math.log(n) - (n - 1) / n


# ---------------------------------------------------------------- 4a.3 right
def kl_nansum(law, probability, n):
    return (law * (law / probability).log()).nansum(), np.log(n) - (n - 1) / n


# ---------------------------------------------------------------- 4a.4 wrong
def every_strictly_below(proxy, value):
    size = proxy.shape[1]
    below = (proxy[:, None] < proxy[:, :, None]).sum(2).tolist()
    result = torch.zeros(proxy.shape, dtype=torch.float64)
    for b, row in enumerate(below):
        for i, k in enumerate(row):
            for n in range(1, size + 1):
                result[b, n - 1] += math.comb(k, n - 1) / math.comb(size, n) * value[b, i]
    return result


def every_factorials(proxy, value):
    size = proxy.shape[1]
    factorial = torch.arange(1.0, size + 1).cumprod(0)
    factorial = torch.cat([torch.ones(1), factorial])
    ordered = value.gather(1, proxy.argsort(dim=1))
    result = torch.zeros(proxy.shape)
    for n in range(1, size + 1):
        for i in range(n, size + 1):
            weight = factorial[i - 1] / factorial[n - 1] / factorial[i - n] * factorial[n] * factorial[size - n]
            result[:, n - 1] += weight / factorial[size] * ordered[:, i - 1]
    return result


def every_disjoint_groups(proxy, value):
    """Cut the draws into groups of n and average their best."""
    size = proxy.shape[1]
    result = []
    for n in range(1, size + 1):
        groups = [slice(k, k + n) for k in range(0, size - n + 1, n)]
        best = [value[:, g].gather(1, proxy[:, g].argmax(1, keepdim=True))[:, 0] for g in groups]
        result.append(torch.stack(best).double().mean(0))
    return torch.stack(result, 1)


def every_quantile(proxy, value):
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    size = proxy.shape[1]
    at = [min(int(size * n / (n + 1)), size - 1) for n in range(1, size + 1)]
    return ordered[:, at]


def every_mean_of_the_rest(proxy, value):
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    return torch.stack([ordered[:, n:].mean(1) for n in range(ordered.shape[1])], 1)


def every_transposed(proxy, value):
    return every_right(proxy, value).T


def every_right_for_one(proxy, value):
    return every_right(proxy[:1], value[:1]).expand(len(proxy), -1)


# ---------------------------------------------------------------- 4a.4 right
def every_right(proxy, value):
    """From n = N downwards: the weight of the i-th falls by known ratios."""
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1, stable=True))
    weight = torch.zeros(size, size, dtype=torch.float64)
    for n in range(1, size + 1):
        weight[size - 1, n - 1] = n / size
        for i in range(size - 1, n - 1, -1):
            weight[i - 1, n - 1] = weight[i, n - 1] * (i - n + 1) / i
    return ordered @ weight


# ---------------------------------------------------------------- 4a.5 wrong
def estimate_single_precision(n, logprob):
    e = logprob.float().exp().clamp(max=1 - 1e-6)
    miss = torch.log1p(-e)
    drawn = -torch.expm1(n * miss)
    return torch.exp(n * miss) * (math.log(n) + (n - 1) * miss - (n - 1) / n) + drawn * (drawn.log() - e.log())


def estimate_certain_is_the_bound(n, logprob):
    e = torch.where(logprob < 0, logprob.exp(), 0.5)
    miss = torch.log1p(-e)
    drawn = -torch.expm1(n * miss)
    found = torch.exp(n * miss) * (math.log(n) + (n - 1) * miss - (n - 1) / n) + drawn * (drawn.log() - e.log())
    return torch.where(logprob < 0, found, math.log(n) - (n - 1) / n)


def estimate_n_epsilon(n, logprob):
    """(1 - e)^n taken for exp(-n e)."""
    e = logprob.exp()
    miss = torch.exp(-n * e)
    drawn = -torch.expm1(-n * e)
    return miss * (math.log(n) - (n - 1) * e - (n - 1) / n) + drawn * (drawn.log() - logprob)


def estimate_halves_exchanged(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    miss = torch.log1p(-e)
    drawn = -torch.expm1(n * miss)
    return drawn * (math.log(n) + (n - 1) * miss - (n - 1) / n) + (n * miss).exp() * (drawn.log() - logprob)


def estimate_half(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    miss = torch.log1p(-e)
    drawn = -torch.expm1(n * miss)
    return ((n * miss).exp() * (math.log(n) + (n - 1) * miss - (n - 1) / n) + drawn * (drawn.log() - logprob)) / 2


def estimate_zero_when_rare(n, logprob):
    e = logprob.exp()
    miss = (1 - e) ** n
    return torch.nan_to_num(miss * (math.log(n) + (n - 1) * (1 - e).log() - (n - 1) / n)
                            + (1 - miss) * ((1 - miss) / e).log())


# ---------------------------------------------------------------- 4a.5 right
def estimate_with_xlogy(n, logprob):
    e = logprob.exp()
    drawn = -torch.expm1(n * torch.log1p(-e))
    miss = 1 - drawn
    first = miss * (math.log(n) - (n - 1) / n) + (n - 1) * torch.special.xlog1py(miss, -e)
    return first + drawn * (drawn.log() - logprob)


# ---------------------------------------------------------------- 4a.6 wrong
def choose_last_best(gold, error, budget):
    within = gold[:budget]
    best = max(range(len(within)), key=lambda i: (within[i], i))
    return next(i + 1 for i, g in enumerate(within) if g >= within[best] - error[best])


def choose_budget_not_included(gold, error, budget):
    within = gold[:max(budget - 1, 1)]
    best = within.index(max(within))
    return next(i + 1 for i, g in enumerate(within) if g >= within[best] - error[best])


def choose_one_percent(gold, error, budget):
    within = gold[:budget]
    return next(i + 1 for i, g in enumerate(within) if g >= 0.99 * max(within))


def choose_over_the_first(gold, error, budget):
    """The first that beats n = 1 by an error."""
    return next((i + 1 for i, g in enumerate(gold[:budget]) if g > gold[0] + error[0]), 1)


def choose_spread(gold, error, budget):
    within = gold[:budget]
    spread = statistics.stdev(within) if len(within) > 1 else 0.0
    return next(i + 1 for i, g in enumerate(within) if g >= max(within) - spread)


def choose_both_errors(gold, error, budget):
    within = gold[:budget]
    best = within.index(max(within))
    return next(i + 1 for i, g in enumerate(within) if g + error[i] >= within[best] - error[best])


def choose_powers_of_two(gold, error, budget):
    within = gold[:budget]
    best = within.index(max(within))
    n = 1
    while n <= len(within) and within[n - 1] < within[best] - error[best]:
        n *= 2
    return min(n, len(within))


def choose_sorted(gold, error, budget):
    pairs = sorted(zip(gold[:budget], error, strict=False))
    bar = pairs[-1][0] - pairs[-1][1]
    return next(i + 1 for i, (g, _) in enumerate(pairs) if g >= bar)


def choose_cuts_the_list(gold, error, budget):
    del gold[budget:]
    best = gold.index(max(gold))
    return next(i + 1 for i, g in enumerate(gold) if g >= gold[best] - error[best])


# ---------------------------------------------------------------- 4a.6 right
def choose_numpy(gold, error, budget):
    gold, error = np.array(gold[:budget]), np.array(error[:budget])
    best = np.argmax(gold)
    return int(np.flatnonzero(gold >= gold[best] - error[best])[0]) + 1


MUTANTS = {
    "4a.1": [("needed_rounded_probability", needed_rounded_probability, "The probability was rounded before it was"),
             ("needed_up_to_ten_thousand", needed_up_to_ten_thousand, "The search ends too early and says never."),
             ("needed_none", needed_none, "For p = 0 nothing is returned. What is"),
             ("needed_other_base", needed_other_base, "This is log q / log p, draws that are"),
             ("needed_exactly_one", needed_exactly_one, "Where one draw is not enough it gives -1."),
             ("needed_q_over_failure", needed_q_over_failure, "This adds the probabilities up, n · p."),
             ("needed_poisson", needed_poisson, "log(1 - p) was taken for -p. That is"),
             ("needed_certain_is_never", needed_certain_is_never, "For p = 1 it gave -1. Then the first draw")],
    "4a.2": [("law_low_is_high_minus_pi", law_low_is_high_minus_pi, "F⁻ is taken for F - π. Where rewards tie,"),
             ("law_counts", law_counts, "F counts how many outcomes are as bad or"),
             ("law_nearly_tied", law_nearly_tied, ""),
             ("law_evenly_among_the_living", law_evenly_among_the_living, "Outcomes that tie share evenly here,"),
             ("law_simulated", law_simulated, ""),
             ("law_of_two", law_of_two, "This is what comes out if `n` is always"),
             ("law_times_n", law_times_n, "n π F holds where exactly one draw is"),
             ("law_first_place_takes_all", law_first_place_takes_all, "Of outcomes that tie, the first in the")],
    "4a.3": [("kl_bound_of_v", kl_bound_of_v, "The bound was computed from the number of"),
             ("kl_log1p", kl_log1p, "This is log(1 + n). It is log n."),
             ("kl_both_ways", kl_both_ways, "Both directions were averaged. KL has"),
             ("kl_weighted_by_pi", kl_weighted_by_pi, "The logarithms are weighted by π. What is"),
             ("kl_difference_of_entropies", kl_difference_of_entropies, "This is the difference of two entropies."),
             ("kl_one_result", kl_one_result, "It returned a tensor of floats; the next"),
             ("kl_divided_by_n", kl_divided_by_n, "The KL is divided by n. The law is")],
    "4a.4": [("every_strictly_below", every_strictly_below, "Draws *strictly* below are counted, and"),
             ("every_factorials", every_factorials, "There is NaN or infinity in your result."),
             ("every_disjoint_groups", every_disjoint_groups, "The row was cut into groups of n. That"),
             ("every_quantile", every_quantile, ""),
             ("every_mean_of_the_rest", every_mean_of_the_rest, "This is the mean of all draws from the"),
             ("every_transposed", every_transposed, "Your result has shape (4, 1); expected"),
             ("every_right_for_one", every_right_for_one, "The first row is right in every case,")],
    "4a.5": [("estimate_single_precision", estimate_single_precision, "There is NaN or infinity in your result."),
             ("estimate_certain_is_the_bound", estimate_certain_is_the_bound, "Where ε is 1 it gives the bound. A"),
             ("estimate_n_epsilon", estimate_n_epsilon, "(1 - ε)^n was taken for e^(-nε). That is"),
             ("estimate_halves_exchanged", estimate_halves_exchanged, "The weights of the two halves are"),
             ("estimate_half", estimate_half, "In every case, your result is 1/2 times"),
             ("estimate_zero_when_rare", estimate_zero_when_rare, "NaN was replaced by 0. That is right")],
    "4a.6": [("choose_last_best", choose_last_best, "Of two that are best the larger n set the"),
             ("choose_budget_not_included", choose_budget_not_included, "The budget itself is left out. n ="),
             ("choose_one_percent", choose_one_percent, "The bar is a percentage of the best. It"),
             ("choose_over_the_first", choose_over_the_first, "This is the first n that beats n = 1 by"),
             ("choose_spread", choose_spread, "The bar is made from how much gold"),
             ("choose_both_errors", choose_both_errors, "Both errors are granted, that of the best"),
             ("choose_powers_of_two", choose_powers_of_two, "Only 1, 2, 4, 8 … were tried. Any n may"),
             ("choose_sorted", choose_sorted, "The list was sorted, and places are no"),
             ("choose_cuts_the_list", choose_cuts_the_list, "The result is right, but your function")],
}

RIGHT = {
    "4a.1": [needed_bisect], "4a.2": [law_ratio_first], "4a.3": [kl_nansum], "4a.4": [every_right],
    "4a.5": [estimate_with_xlogy], "4a.6": [choose_numpy],
}
