"""Answers to lesson 04a as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the notebook's text.
"""

import itertools
import math

import numpy as np
import torch


# ---------------------------------------------------------------- 4a.1
def strictly_more(p, q):
    if p == 0:
        return -1
    n = 1
    while 1 - (1 - p) ** n <= q:
        n += 1
    return n


def floor_plus_one(p, q):
    if p in (0, 1):
        return -1 if p == 0 else 1
    return int(math.log(1 - q) / math.log(1 - p)) + 1


def added_up(p, q):
    n, total = 0, 0.0
    while p and total < q:
        n, total = n + 1, total + p
    return n if p else -1


def failures(p, q):
    if p == 0:
        return -1
    n = 1
    while (1 - p) ** n > q:
        n += 1
    return n


def rounded_down(p, q):
    if p in (0, 1):
        return -1 if p == 0 else 1
    return math.floor(math.log(1 - q) / math.log(1 - p))


def to_the_nearest(p, q):
    if p in (0, 1):
        return -1 if p == 0 else 1
    return max(1, round(math.log(1 - q) / math.log(1 - p)))


def a_fraction(p, q):
    if p in (0, 1):
        return -1 if p == 0 else 1
    return math.log(1 - q) / math.log(1 - p)


def on_average(p, q):
    return math.ceil(1 / p) if p else -1


def no_case_for_zero(p, q):
    return 1 if p == 1 else math.ceil(math.log(1 - q) / math.log(1 - p))


def no_case_for_one(p, q):
    return -1 if p == 0 else math.ceil(math.log(1 - q) / math.log(1 - p))


def infinity_for_never(p, q):
    if p in (0, 1):
        return math.inf if p == 0 else 1
    return math.ceil(math.log(1 - q) / math.log(1 - p))


def gives_up_at_1000(p, q):
    return next((n for n in range(1, 1001) if 1 - (1 - p) ** n >= q), -1)


def begins_at_zero(p, q):
    if p == 0:
        return -1
    n, failing = 0, 1.0
    while 1 - failing < q:
        failing *= 1 - p
        n += 1
    return n - 1


def exchanged(p, q):
    return -1 if p == 0 else 1 if p == 1 else math.ceil(math.log(1 - p) / math.log(1 - q))


def by_a_loop(p, q):
    if p == 0:
        return -1
    failing, n = 1 - p, 1
    while 1 - failing < q:
        failing *= 1 - p
        n += 1
    return n


def by_numpy(p, q):
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    return np.ceil(np.log1p(-q) / np.log1p(-p)).astype(int)


def by_count(p, q):
    return -1 if not p else next(n for n in itertools.count(1) if (1 - p) ** n <= 1 - q)


# ---------------------------------------------------------------- 4a.2
def each_the_whole(probability, reward, n):
    result = torch.zeros(len(reward), dtype=torch.float64)
    for i, r in enumerate(reward):
        result[i] = probability[reward <= r].sum() ** n - probability[reward < r].sum() ** n
    return result


def evenly(probability, reward, n):
    result = torch.zeros(len(reward), dtype=torch.float64)
    for i, r in enumerate(reward):
        whole = probability[reward <= r].sum() ** n - probability[reward < r].sum() ** n
        result[i] = whole / (reward == r).sum()
    return result


def sorted_slices(probability, reward, n):
    order = torch.argsort(reward, stable=True)
    up_to = probability[order].cumsum(0)
    slices = torch.diff(up_to ** n, prepend=torch.zeros(1, dtype=up_to.dtype))
    result = torch.empty_like(slices)
    result[order] = slices
    return result


def nan_where_never(probability, reward, n):
    high = torch.stack([probability[reward <= r].sum() for r in reward])
    low = torch.stack([probability[reward < r].sum() for r in reward])
    return (high ** n - low ** n) * probability / (high - low)


def stays_sorted(probability, reward, n):
    order = reward.argsort(stable=True)
    return by_pieces(probability, reward, n)[order]


def never_sorted(probability, reward, n):
    up_to = probability.cumsum(0)
    return torch.cat([up_to[:1] ** n, up_to[1:] ** n - up_to[:-1] ** n])


def the_worst(probability, reward, n):
    return by_pieces(probability, -reward, n)


def only_f(probability, reward, n):
    return torch.stack([probability[reward <= r].sum() for r in reward]) ** n


def a_density(probability, reward, n):
    return n * probability * torch.stack([probability[reward <= r].sum() for r in reward]) ** (n - 1)


def is_drawn(probability, reward, n):
    return 1 - (1 - probability) ** n


def tilted(probability, reward, n):
    weight = probability * (n * (reward - reward.max())).exp()
    return weight / weight.sum()


def powers(probability, reward, n):
    return probability ** n / (probability ** n).sum()


def all_on_the_best(probability, reward, n):
    alive = reward.masked_fill(probability == 0, -torch.inf)
    weight = torch.where(alive == alive.max(), probability, 0.0)
    return weight / weight.sum()


def writes_into_it(probability, reward, n):
    law = by_pieces(probability, reward, n)
    probability.copy_(law)
    return law


def as_a_list(probability, reward, n):
    return by_pieces(probability, reward, n).tolist()


def by_pieces(probability, reward, n):
    result = []
    for p, r in zip(probability, reward, strict=True):
        high, low = probability[reward <= r].sum(), probability[reward < r].sum()
        result.append((high ** n - low ** n) * p / (high - low) if p > 0 else p * 0)
    return torch.stack(result)


def by_levels(probability, reward, n):
    values, level = reward.double().unique(return_inverse=True)
    mass = torch.zeros(len(values), dtype=torch.float64).index_add_(0, level, probability.double())
    up_to = mass.cumsum(0)
    won = up_to ** n - (up_to - mass).clamp(min=0) ** n
    return torch.nan_to_num(won[level] * probability / mass[level])


def by_the_geometric_sum(probability, reward, n):
    """F^n - F-^n over F - F- is a sum of products, without dividing."""
    high = torch.stack([probability[reward <= r].sum() for r in reward]).double()
    low = torch.stack([probability[reward < r].sum() for r in reward]).double()
    return probability.double() * sum(high ** k * low ** (n - 1 - k) for k in range(n))


# ---------------------------------------------------------------- 4a.3
def nan_from_zero(law, probability, n):
    return (law * torch.log(law / probability)).sum(), math.log(n) - (n - 1) / n


def backwards(law, probability, n):
    there = probability > 0
    return (probability[there] * torch.log(probability[there] / law[there])).sum(), math.log(n) - (n - 1) / n


def no_weights(law, probability, n):
    there = law > 0
    return torch.log(law[there] / probability[there]).sum(), math.log(n) - (n - 1) / n


def mean_of_outcomes(law, probability, n):
    return torch.where(law > 0, law * (law / probability).log(), 0.0).mean(), math.log(n) - (n - 1) / n


def in_bits(law, probability, n):
    there = law > 0
    return (law[there] * torch.log2(law[there] / probability[there])).sum(), math.log(n) - (n - 1) / n


def log_n(law, probability, n):
    return by_picking(law, probability, n)[0], math.log(n)


def one_over_n(law, probability, n):
    return by_picking(law, probability, n)[0], math.log(n) - 1 / n


def without_brackets(law, probability, n):
    return by_picking(law, probability, n)[0], math.log(n) - n - 1 / n


def at_most_the_bound(law, probability, n):
    kl, bound = by_picking(law, probability, n)
    return min(float(kl), bound), bound


def other_order(law, probability, n):
    kl, bound = by_picking(law, probability, n)
    return bound, kl


def stacked(law, probability, n):
    kl, bound = by_picking(law, probability, n)
    return torch.tensor([float(kl), bound])


def entropy_of_it(law, probability, n):
    return -torch.special.xlogy(law, law).sum(), math.log(n) - (n - 1) / n


def rough_epsilon(law, probability, n):
    return (law * ((law + 1e-3) / (probability + 1e-3)).log()).sum(), math.log(n) - (n - 1) / n


def by_picking(law, probability, n):
    there = law > 0
    return (law[there] * torch.log(law[there] / probability[there])).sum(), math.log(n) - (n - 1) / n


def by_xlogy(law, probability, n):
    kl = torch.special.xlogy(law, law).sum() - torch.special.xlogy(law, probability).sum()
    return kl, torch.tensor(n).log() - 1 + 1 / n


def by_kl_div(law, probability, n):
    there = probability > 0
    kl = torch.nn.functional.kl_div(probability[there].log(), law[there], reduction="sum")
    return kl.item(), np.log(n) - (n - 1) / n


# ---------------------------------------------------------------- 4a.4
def the_first_n(proxy, value):
    return torch.stack([value[torch.arange(len(value)), proxy[:, :n].argmax(1)]
                        for n in range(1, proxy.shape[1] + 1)], 1)


def highest_value(proxy, value):
    return torch.cummax(value, 1).values


def value_chooses(proxy, value):
    return by_loops(value, value)


def worth_in_proxy(proxy, value):
    return by_loops(proxy, proxy)


def downwards(proxy, value):
    return by_loops(-proxy, value)


def one_too_many(proxy, value):
    return _weighed(proxy, value, lambda i, n, size: math.comb(i, n) / math.comb(size, n))


def not_divided(proxy, value):
    return _weighed(proxy, value, lambda i, n, size: float(math.comb(i - 1, n - 1)))


def with_replacement(proxy, value):
    return _weighed(proxy, value, lambda i, n, size: (i / size) ** n - ((i - 1) / size) ** n)


def not_sorted(proxy, value):
    table = torch.tensor([[math.comb(i - 1, n - 1) / math.comb(proxy.shape[1], n) for n in range(1, proxy.shape[1] + 1)]
                          for i in range(1, proxy.shape[1] + 1)], dtype=torch.float64)
    return value.double() @ table


def one_row_for_all(proxy, value):
    return by_loops(proxy, value).mean(0)


def sorted_down_the_column(proxy, value):
    return by_loops(proxy, value.gather(0, proxy.argsort(0)).gather(1, proxy.argsort(1).argsort(1)))


def mean_of_the_top(proxy, value):
    best = value.gather(1, proxy.argsort(dim=1, descending=True))
    return best.cumsum(1) / torch.arange(1, best.shape[1] + 1)


def columns_from_two(proxy, value):
    whole = by_loops(proxy, value)
    return torch.cat([whole[:, 1:], torch.zeros(len(whole), 1, dtype=whole.dtype)], 1)


def rounded_values(proxy, value):
    return by_loops(proxy, value).round(decimals=3)


def sorts_in_place(proxy, value):
    result = by_loops(proxy, value)
    proxy.copy_(proxy.sort(1).values)
    return result


def _weighed(proxy, value, weight):
    size = proxy.shape[1]
    result = torch.zeros(value.shape, dtype=torch.float64)
    for b in range(len(value)):
        ordered = value[b][proxy[b].argsort()].double()
        for n in range(1, size + 1):
            result[b, n - 1] = sum(weight(i, n, size) * ordered[i - 1] for i in range(n, size + 1))
    return result


def by_loops(proxy, value):
    return _weighed(proxy, value, lambda i, n, size: math.comb(i - 1, n - 1) / math.comb(size, n))


def by_numpy_and_back(proxy, value):
    size = proxy.shape[1]
    ordered = np.take_along_axis(value.numpy(), np.argsort(proxy.numpy(), 1), 1)
    weight = np.array([[math.comb(i, n) / math.comb(size, n + 1) for n in range(size)] for i in range(size)])
    return torch.from_numpy(ordered @ weight)


def by_recursion(proxy, value):
    """Leave one draw out: the best of n of i draws, from the lowest up."""
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    size = ordered.shape[1]
    best = torch.zeros(len(ordered), size, dtype=torch.float64)
    for i in range(size):
        new = best.clone()
        for n in range(1, i + 2):
            share = n / (i + 1)                     # the newest is among the n with this probability, and then it wins
            new[:, n - 1] = share * ordered[:, i] + (1 - share) * best[:, n - 1]
        best = new
    return best


# ---------------------------------------------------------------- 4a.5
def nan_at_one(n, logprob):
    e = logprob.exp()
    miss, drawn = torch.exp(n * torch.log1p(-e)), -torch.expm1(n * torch.log1p(-e))
    return miss * (math.log(n) + (n - 1) * torch.log1p(-e) - (n - 1) / n) + drawn * torch.log(drawn / e)


def naive(n, logprob):
    e = logprob.exp()
    miss = (1 - e) ** n
    return (miss * (math.log(n) + (n - 1) * torch.log(1 - e) - (n - 1) / n)
            + (1 - miss) * torch.log((1 - miss) / e))


def the_bound(n, logprob):
    return torch.full_like(logprob, math.log(n) - (n - 1) / n)


def the_smaller(n, logprob):
    return torch.clamp(-logprob, max=math.log(n) - (n - 1) / n)


def not_exponentiated(n, logprob):
    e = logprob
    miss = (1 - e) ** n
    return (miss * (math.log(n) + (n - 1) * torch.log(1 - e) - (n - 1) / n)
            + (1 - miss) * torch.log((1 - miss) / e))


def only_often(n, logprob):
    drawn = -torch.expm1(n * torch.log1p(-logprob.exp()))
    return drawn * (drawn.log() - logprob)


def first_half_short(n, logprob):
    miss = torch.log1p(-logprob.exp().clamp(max=1 - 1e-12))
    drawn = -torch.expm1(n * miss)
    return torch.exp(n * miss) * (math.log(n) - (n - 1) / n) + drawn * (drawn.log() - logprob)


def second_log_of_epsilon(n, logprob):
    miss = torch.log1p(-logprob.exp().clamp(max=1 - 1e-12))
    return (torch.exp(n * miss) * (math.log(n) + (n - 1) * miss - (n - 1) / n)
            + torch.expm1(n * miss) * logprob)


def mean_of_all(n, logprob):
    return by_where(n, logprob).mean()


def bits(n, logprob):
    return by_where(n, logprob) / math.log(2)


def by_where(n, logprob):
    e = torch.where(logprob < 0, logprob.exp(), 0.5)
    miss = torch.log1p(-e)
    drawn = -torch.expm1(n * miss)
    found = torch.exp(n * miss) * (math.log(n) + (n - 1) * miss - (n - 1) / n) + drawn * (drawn.log() - e.log())
    return torch.where(logprob < 0, found, 0.0)


def by_numbers(n, logprob):
    found = []
    for x in logprob.tolist():
        if x == 0:
            found.append(0.0)
            continue
        miss = math.log1p(-math.exp(x))
        drawn = -math.expm1(n * miss)
        found.append(math.exp(n * miss) * (math.log(n) + (n - 1) * miss - (n - 1) / n) + drawn * (math.log(drawn) - x))
    return torch.tensor(found)


# ---------------------------------------------------------------- 4a.6
def the_best(gold, error, budget):
    within = gold[:budget]
    return within.index(max(within)) + 1


def from_zero(gold, error, budget):
    return by_steps(gold, error, budget) - 1


def the_largest(gold, error, budget):
    within = gold[:budget]
    best = within.index(max(within))
    return max(i + 1 for i, g in enumerate(within) if g >= within[best] - error[best])


def no_budget(gold, error, budget):
    return by_steps(gold, error, 10 ** 6)


def bar_beyond(gold, error, budget):
    best = gold.index(max(gold))
    for i, g in enumerate(gold[:budget]):
        if g >= gold[best] - error[best]:
            return i + 1
    return min(budget, len(gold))


def own_error(gold, error, budget):
    top = max(gold[:budget])
    return next(i + 1 for i, (g, e) in enumerate(zip(gold[:budget], error, strict=False)) if g + e >= top)


def strictly_within(gold, error, budget):
    within = gold[:budget]
    best = within.index(max(within))
    return next((i + 1 for i, g in enumerate(within) if g > within[best] - error[best]), best + 1)


def two_errors(gold, error, budget):
    within = gold[:budget]
    best = within.index(max(within))
    return next(i + 1 for i, g in enumerate(within) if g >= within[best] - 2 * error[best])


def all_of_it(gold, error, budget):
    return min(budget, len(gold))


def first_fall(gold, error, budget):
    within = gold[:budget]
    for i in range(1, len(within)):
        if within[i] < within[i - 1]:
            return i
    return len(within)


def small_gains(gold, error, budget):
    within, n = gold[:budget], 1
    while n < len(within) and within[n] - within[n - 1] > error[n]:
        n += 1
    return n


def beyond_the_list(gold, error, budget):
    best = max(range(budget), key=lambda i: gold[i])
    return next(i + 1 for i in range(budget) if gold[i] >= gold[best] - error[best])


def by_steps(gold, error, budget):
    best = 0
    for i in range(min(budget, len(gold))):
        if gold[i] > gold[best]:
            best = i
    n = 1
    while gold[n - 1] < gold[best] - error[best]:
        n += 1
    return n


def by_tensors(gold, error, budget):
    gold, error = torch.tensor(gold[:budget], dtype=torch.float64), torch.tensor(error[:budget], dtype=torch.float64)
    best = int((gold == gold.max()).nonzero()[0])
    return (gold >= gold[best] - error[best]).int().argmax() + 1


MUTANTS = {
    "4a.1": [("strictly_more", strictly_more, "*At least* q is enough"),
             ("floor_plus_one", floor_plus_one, "floor + 1 is not the same"),
             ("added_up", added_up, "adds the probabilities up"), ("failures", failures, "*all* fail"),
             ("rounded_down", rounded_down, "rounded down"),
             ("to_the_nearest", to_the_nearest, "rounded to the nearest"),
             ("a_fraction", a_fraction, "Half a draw"), ("on_average", on_average, "*on average*"),
             ("no_case_for_zero", no_case_for_zero, "divides by log(1 - p) = 0"),
             ("no_case_for_one", no_case_for_one, "With p = 1"),
             ("infinity_for_never", infinity_for_never, "gave infinity"),
             ("gives_up_at_1000", gives_up_at_1000, "search ends too early"),
             ("begins_at_zero", begins_at_zero, "One draw too few"), ("exchanged", exchanged, "exchanged")],
    "4a.2": [("each_the_whole", each_the_whole, "each got the probability of all of them"),
             ("evenly", evenly, "share evenly"), ("sorted_slices", sorted_slices, "its own slice"),
             ("nan_where_never", nan_where_never, "0/0"), ("stays_sorted", stays_sorted, "order of the rewards"),
             ("never_sorted", never_sorted, "as they stand"), ("the_worst", the_worst, "*worst*"),
             ("only_f", only_f, "*at most*"), ("a_density", a_density, "holds for densities"),
             ("is_drawn", is_drawn, "is among the n draws"), ("tilted", tilted, "e^(n r)"),
             ("powers", powers, "*frequent*"), ("all_on_the_best", all_on_the_best, "as if n were infinite"),
             ("writes_into_it", writes_into_it, "writes into its argument `probability`"),
             ("as_a_list", as_a_list, "torch.tensor")],
    "4a.3": [("nan_from_zero", nan_from_zero, "0 · log 0"), ("backwards", backwards, "other direction"),
             ("no_weights", no_weights, "weighted by its law"),
             ("mean_of_outcomes", mean_of_outcomes, "mean over outcomes"),
             ("in_bits", in_bits, "in bits"), ("log_n", log_n, "The bound is log n"),
             ("one_over_n", one_over_n, "subtracts 1/n"), ("without_brackets", without_brackets, "Brackets"),
             ("at_most_the_bound", at_most_the_bound, "cut off at the bound"),
             ("other_order", other_order, "exchanged"),
             ("entropy_of_it", entropy_of_it, "entropy"), ("rough_epsilon", rough_epsilon, "small number was added")],
    "4a.4": [("the_first_n", the_first_n, "*first* n"), ("highest_value", highest_value, "highest *value*"),
             ("value_chooses", value_chooses, "The value chooses"),
             ("worth_in_proxy", worth_in_proxy, "expected proxy"),
             ("downwards", downwards, "from the highest proxy down"),
             ("one_too_many", one_too_many, "weights are C(i, n)"),
             ("not_divided", not_divided, "not divided by C(N, n)"),
             ("with_replacement", with_replacement, "*with* replacement"), ("not_sorted", not_sorted, "not sorted"),
             ("one_row_for_all", one_row_for_all, "mean over prompts"),
             ("mean_of_the_top", mean_of_the_top, "*best* draws"),
             ("columns_from_two", columns_from_two, "Column 0 holds n = 2"),
             ("sorted_down_the_column", sorted_down_the_column, "along dimension 0"),
             ("rounded_values", rounded_values, "rounded"), ("sorts_in_place", sorts_in_place, "`proxy`")],
    "4a.5": [("nan_at_one", nan_at_one, "Where ε is 1"), ("naive", naive, "log1p"),
             ("the_bound", the_bound, "This is the bound"),
             ("the_smaller", the_smaller, "smaller of -log ε"),
             ("not_exponentiated", not_exponentiated, "taken for the probability"),
             ("only_often", only_often, "first half is missing"),
             ("first_half_short", first_half_short, "(n - 1) log(1 - ε) is missing"),
             ("second_log_of_epsilon", second_log_of_epsilon, "not of 1/ε"),
             ("mean_of_all", mean_of_all, "mean over the responses"),
             ("bits", bits, "in bits")],
    "4a.6": [("the_best", the_best, "*smallest* n"), ("from_zero", from_zero, "counted from 0"),
             ("the_largest", the_largest, "*largest* n"), ("no_budget", no_budget, "budget is not used"),
             ("bar_beyond", bar_beyond, "beyond the budget"), ("own_error", own_error, "its own standard error"),
             ("strictly_within", strictly_within, "exactly at the bar"),
             ("two_errors", two_errors, "two standard errors"),
             ("all_of_it", all_of_it, "whole budget"), ("first_fall", first_fall, "falls for the first time"),
             ("small_gains", small_gains, "gains less than an error"),
             ("beyond_the_list", beyond_the_list, "does not exist")],
}

RIGHT = {
    "4a.1": [by_a_loop, by_numpy, by_count],
    "4a.2": [by_pieces, by_levels, by_the_geometric_sum],
    "4a.3": [by_picking, by_xlogy, by_kl_div, stacked],
    "4a.4": [by_loops, by_numpy_and_back, by_recursion],
    "4a.5": [by_where, by_numbers],
    "4a.6": [by_steps, by_tensors],
}
