"""A third set of answers to lesson 04a, made up before looking at the checks: those that had no name."""

import itertools
import math
from fractions import Fraction

import numpy as np
import torch

# ---------------------------------------------------------------- 4a.1 wrong


def needed_p_n_all_good_all(p, q):
    """P^n: all good, instead of all bad."""
    if p == 0:
        return -1
    if p == 1:
        return 1
    n = 1
    while 1 - p**n < q:
        n += 1
    return n


def needed_counts_draws_that_fail_n(p, q):
    """Counts the draws that fail: n - 1."""
    if p in (0, 1):
        return -1 if p == 0 else 1
    n = 0
    while 1 - (1 - p) ** (n + 1) < q:
        n += 1
    return n


# ---------------------------------------------------------------- 4a.2 wrong


def law_sorts_forgets_put_back_order(probability, reward, n):
    """Sorts and forgets to put it back in order."""
    order = reward.argsort()
    F = probability[order].cumsum(0)
    return F**n - (F - probability[order]) ** n


def law_1e_3_added_denominator_does(probability, reward, n):
    """1e-3 added to the denominator: does not sum to 1."""
    F = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    G = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    return (F**n - G**n) * probability / (F - G + 1e-3)


def law_all_outcome_highest_reward(probability, reward, n):
    """All on the outcome with the highest reward."""
    out = torch.zeros_like(probability)
    out[reward.argmax()] = 1.0
    return out


def law_result_rewards_type_whole_number(probability, reward, n):
    """Result in the rewards' type: whole-number rewards cut it to 0."""
    out = torch.zeros_like(reward)
    for i in range(len(reward)):
        if probability[i] > 0:
            F, G = probability[reward <= reward[i]].sum(), probability[reward < reward[i]].sum()
            out[i] = (F**n - G**n) * probability[i] / (F - G)
    return out


def law_scales_rewards_their_maximum_negative(probability, reward, n):
    """Scales rewards by their maximum: a negative maximum turns the order round."""
    reward = reward / reward.max()
    F = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    G = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    return torch.where(probability > 0, (F**n - G**n) * probability / (F - G).clamp(min=1e-30), 0.0)


def law_forgets_f_f_n_shared(probability, reward, n):
    """Forgets F-: F^n, shared."""
    F = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    return F**n * probability


def law_compares_along_wrong_axis(probability, reward, n):
    """Compares along the wrong axis."""
    F = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(0)
    G = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(0)
    return torch.where(probability > 0, (F**n - G**n) * probability / (F - G).clamp(min=1e-30), 0.0)


def law_f_f_n_f_n(probability, reward, n):
    """(F - F-)^n instead of F^n - F-^n."""
    F = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    G = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    return torch.where(probability > 0, (F - G) ** n * probability / (F - G).clamp(min=1e-30), 0.0)


# ---------------------------------------------------------------- 4a.3 wrong


def kl_bound_log_n_n_1(law, probability, n):
    """Bound: (log n - n + 1)/n (brackets)."""
    k = law > 0
    kl = (law[k] * (law[k] / probability[k]).log()).sum()
    return kl, torch.tensor((math.log(n) - (n - 1)) / n)


def kl_mean_sum(law, probability, n):
    """Mean instead of sum."""
    k = law > 0
    return (law[k] * (law[k] / probability[k]).log()).mean(), torch.tensor(math.log(n) - (n - 1) / n)


def kl_max_kl_bound_as_bound(law, probability, n):
    """Max(kl, bound) as the bound."""
    k = law > 0
    kl = (law[k] * (law[k] / probability[k]).log()).sum()
    return kl, max(kl.item(), math.log(n) - (n - 1) / n)


def kl_works_only_two_outcomes(law, probability, n):
    """Works only for two outcomes."""
    kl = sum(law[i] * (law[i] / probability[i]).log() for i in range(2) if law[i] > 0)
    return kl, torch.tensor(math.log(n) - (n - 1) / n)


# ---------------------------------------------------------------- 4a.4 wrong


def every_table_transposed(proxy, value):
    """Table transposed."""
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    weight = [[math.comb(i - 1, n - 1) / math.comb(size, n) for i in range(1, size + 1)] for n in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float64)


def every_ranks_taken_order_argsort_argsort(proxy, value):
    """Ranks taken for the order (argsort of argsort)."""
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1).argsort(dim=1))
    weight = [[math.comb(i - 1, n - 1) / math.comb(size, n) for n in range(1, size + 1)] for i in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float64)


def every_expected_best_value_e_max(proxy, value):
    """The expected best value: E of max over all n, running maximum."""
    return value.double().gather(1, proxy.argsort(dim=1)).cummax(dim=1).values


def every_integer_division_weights(proxy, value):
    """Integer division in the weights."""
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    weight = [[math.comb(i - 1, n - 1) // math.comb(size, n) for n in range(1, size + 1)] for i in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float64)


def every_32_bit_weights_crashes_other(proxy, value):
    """32-bit weights: crashes on other types."""
    size = proxy.shape[1]
    ordered = value.gather(1, proxy.argsort(dim=1))
    weight = [[math.comb(i - 1, n - 1) / math.comb(size, n) for n in range(1, size + 1)] for i in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float32)


def every_factorials_floats_wrong_from_about(proxy, value):
    """Factorials in floats: wrong from about 20 draws on."""
    size = proxy.shape[1]
    ordered = value.double().gather(1, proxy.argsort(dim=1))
    f = [1.0]
    for k in range(1, size + 1):
        f.append(f[-1] * k)
    def c(a, b):
        return int(f[a] / f[b] / f[a - b]) if b <= a else 0
    weight = [[c(i - 1, n - 1) / c(size, n) for n in range(1, size + 1)] for i in range(1, size + 1)]
    return ordered @ torch.tensor(weight, dtype=torch.float64)


# ---------------------------------------------------------------- 4a.5 wrong


def estimate_second_log_without_1_eps(n, logprob):
    """Second log without 1/eps."""
    e = logprob.exp().clamp(max=1 - 1e-12)
    m = torch.log1p(-e)
    s, t = (n * m).exp(), -torch.expm1(n * m)
    return s * (math.log(n) + (n - 1) * m - (n - 1) / n) + t * t.log()


def estimate_eps_cut_from_below_1e(n, logprob):
    """Eps cut from below at 1e-3."""
    e = logprob.exp().clamp(1e-3, 1 - 1e-12)
    m = torch.log1p(-e)
    s, t = (n * m).exp(), -torch.expm1(n * m)
    return s * (math.log(n) + (n - 1) * m - (n - 1) / n) + t * (t / e).log()


def estimate_n_1_n(n, logprob):
    """+ (n - 1)/n."""
    e = logprob.exp().clamp(max=1 - 1e-12)
    m = torch.log1p(-e)
    s, t = (n * m).exp(), -torch.expm1(n * m)
    return s * (math.log(n) + (n - 1) * m + (n - 1) / n) + t * (t.log() - logprob)


def estimate_n_1_n_outside_brackets(n, logprob):
    """(n - 1)/n outside the brackets."""
    e = logprob.exp().clamp(max=1 - 1e-12)
    m = torch.log1p(-e)
    s, t = (n * m).exp(), -torch.expm1(n * m)
    return s * (math.log(n) + (n - 1) * m) - (n - 1) / n + t * (t.log() - logprob)


def estimate_shared_eps_from_mean_logprob(n, logprob):
    """The shared eps: from the mean logprob."""
    logprob = logprob.mean().expand_as(logprob)
    e = logprob.exp().clamp(max=1 - 1e-12)
    m = torch.log1p(-e)
    s, t = (n * m).exp(), -torch.expm1(n * m)
    return s * (math.log(n) + (n - 1) * m - (n - 1) / n) + t * (t.log() - logprob)


# ---------------------------------------------------------------- 4a.6 wrong


def choose_strictly_above_bar_stopiteration_error(gold, error, budget):
    """Strictly above the bar: StopIteration at error 0."""
    g = gold[:budget]
    b = g.index(max(g))
    return 1 + next(i for i, x in enumerate(g) if x > g[b] - error[b])


def choose_0_04_hard_coded(gold, error, budget):
    """0.04 hard-coded."""
    g = gold[:budget]
    return 1 + next(i for i, x in enumerate(g) if x >= max(g) - 0.04)


def choose_stops_first_fall_local_maximum(gold, error, budget):
    """Stops at the first fall (local maximum)."""
    g = gold[:budget]
    b = 0
    while b + 1 < len(g) and g[b + 1] > g[b]:
        b += 1
    return 1 + next(i for i, x in enumerate(g) if x >= g[b] - error[b])


def choose_relative_error(gold, error, budget):
    """Relative error."""
    g = gold[:budget]
    b = g.index(max(g))
    return 1 + next(i for i, x in enumerate(g) if x >= g[b] * (1 - error[b]))


def choose_best_n_found_error_index(gold, error, budget):
    """Best n found by error index of the sorted list."""
    g = gold[:budget]
    e = sorted(error[:budget])
    b = g.index(max(g))
    return 1 + next(i for i, x in enumerate(g) if x >= g[b] - e[b])


def choose_both_errors_combined_sqrt_squares(gold, error, budget):
    """Both errors combined (sqrt of squares)."""
    g = gold[:budget]
    b = g.index(max(g))
    return 1 + next(i for i, x in enumerate(g) if x >= g[b] - math.hypot(error[b], error[i]))


def choose_absolute_difference_left_only_until(gold, error, budget):
    """Absolute difference to the left only until the best."""
    g = gold[:budget]
    b = g.index(max(g))
    i = b
    while i > 0 and g[i - 1] >= g[b] - error[b]:
        i -= 1
    return i + 1


# ---------------------------------------------------------------- 4a.1 right


def needed_formula_other_base(p, q):
    """The formula, other base."""
    if not p:
        return -1
    return 1 if p == 1 else math.ceil(math.log2(1 - q) / math.log2(1 - p))


def needed_running_product_failures(p, q):
    """Running product of failures."""
    if p == 0:
        return -1
    n, fail = 0, 1.0
    while 1 - fail < q:
        fail *= 1 - p
        n += 1
    return n


def needed_itertools_count(p, q):
    """Itertools.count."""
    return -1 if p == 0 else next(n for n in itertools.count(1) if 1 - pow(1 - p, n) >= q)


def needed_log1p_max(p, q):
    """Log1p, max."""
    if p <= 0:
        return -1
    if p >= 1:
        return 1
    return max(1, -int(-math.log1p(-q) // -math.log1p(-p)) if False else math.ceil(math.log1p(-q) / math.log1p(-p)))


def needed_numpy_integers(p, q):
    """Numpy integers."""
    if p == 0:
        return np.int64(-1)
    if p == 1:
        return np.int64(1)
    return np.ceil(np.log(1 - q) / np.log(1 - p)).astype(int)


# ---------------------------------------------------------------- 4a.2 right


def law_unique_values_scatter(probability, reward, n):
    """Unique values and scatter."""
    levels, place = torch.unique(reward, return_inverse=True)
    mass = torch.zeros(len(levels), dtype=probability.dtype).index_add_(0, place, probability)
    F = mass.cumsum(0)
    G = torch.cat([F.new_zeros(1), F[:-1]])
    jump = F**n - G**n
    ratio = torch.where(mass > 0, jump / mass, torch.zeros_like(mass))
    return probability * ratio[place]


def law_plain_python(probability, reward, n):
    """Plain Python."""
    p, v = probability.tolist(), reward.tolist()
    out = []
    for i in range(len(p)):
        if p[i] == 0:
            out.append(0.0)
            continue
        F = sum(a for a, b in zip(p, v, strict=True) if b <= v[i])
        G = sum(a for a, b in zip(p, v, strict=True) if b < v[i])
        out.append((F**n - G**n) * p[i] / (F - G))
    return torch.tensor(out)


def law_matrix_times_vector_nan_num(probability, reward, n):
    """Matrix times vector, nan_to_num."""
    p = probability.double()
    F = (reward.unsqueeze(1) >= reward).double() @ p
    G = (reward.unsqueeze(1) > reward).double() @ p
    return torch.nan_to_num((F.pow(n) - G.pow(n)) / (F - G) * p)


# ---------------------------------------------------------------- 4a.3 right


def kl_xlogy(law, probability, n):
    """Xlogy."""
    return (torch.xlogy(law, law) - torch.xlogy(law, probability)).sum(), torch.tensor(math.log(n) - (n - 1) / n)


def kl_python_floats(law, probability, n):
    """Python floats."""
    kl = math.fsum(a * math.log(a / b) for a, b in zip(law.tolist(), probability.tolist(), strict=True) if a)
    return kl, math.log(n) - 1 + 1 / n


def kl_list_two(law, probability, n):
    """List of two."""
    return [-torch.special.entr(law).sum() - torch.xlogy(law, probability).sum(), math.log(n) - (n - 1) / n]


# ---------------------------------------------------------------- 4a.4 right


def every_ratios_weights_no_comb(proxy, value):
    """Ratios of weights, no comb."""
    N = proxy.shape[1]
    o = torch.take_along_dim(value.to(torch.float64), proxy.sort(dim=1).indices, dim=1)
    out = torch.zeros_like(o)
    for n in range(1, N + 1):
        weight = n / N
        for i in range(N, n - 1, -1):
            out[:, n - 1] += weight * o[:, i - 1]
            if i > 1:
                weight *= (i - n) / (i - 1)
    return out


def every_plain_python_fractions(proxy, value):
    """Plain Python, fractions."""
    rows = []
    for p, v in zip(proxy.tolist(), value.tolist(), strict=True):
        s = [x for _, x in sorted(zip(p, v, strict=True))]
        N = len(s)
        rows.append(
            [
                sum(float(Fraction(math.comb(i, n - 1), math.comb(N, n))) * s[i] for i in range(N))
                for n in range(1, N + 1)
            ]
        )
    return torch.tensor(rows)


def every_sorted_downwards_weights_flipped_einsum(proxy, value):
    """Sorted downwards, weights flipped, einsum."""
    N = proxy.shape[1]
    o = torch.stack([v[p.argsort(descending=True)] for p, v in zip(proxy, value, strict=True)]).double()
    W = torch.tensor(
        [[math.comb(N - 1 - k, n) / math.comb(N, n + 1) for k in range(N)] for n in range(N)], dtype=torch.float64
    )
    return torch.einsum("bk,nk->bn", o, W)


# ---------------------------------------------------------------- 4a.5 right


def estimate_torch_where_eps_1(n, logprob):
    """Torch.where on eps = 1."""
    sure = logprob == 0
    x = torch.where(sure, torch.full_like(logprob, -1.0), logprob)
    m = torch.log1p(-x.exp())
    t = -torch.expm1(n * m)
    out = (n * m).exp() * (math.log(n) + (n - 1) * m - (n - 1) / n) + t * (t.log() - x)
    return torch.where(sure, torch.zeros_like(out), out)


def estimate_python_loop(n, logprob):
    """A Python loop."""
    out = []
    for x in logprob.tolist():
        if x >= 0:
            out.append(0.0)
            continue
        e = math.exp(x)
        m = math.log1p(-e)
        t = -math.expm1(n * m)
        out.append((1 - t) * (math.log(n) + (n - 1) * m - 1 + 1 / n) + t * math.log(t / e))
    return torch.tensor(out, dtype=torch.float64)


def estimate_xlogy_expm1_logprob(n, logprob):
    """Xlogy and -expm1(logprob)."""
    gone = -torch.expm1(logprob)
    miss = gone.log().masked_fill(gone == 0, -1e6)
    miss = torch.where(logprob < -30, -logprob.exp(), miss)
    t = -torch.expm1(n * miss)
    return (1 - t) * (math.log(n) + (n - 1) * miss - (n - 1) / n) + torch.xlogy(t, t / logprob.exp())


# ---------------------------------------------------------------- 4a.6 right


def choose_difference_against_error(gold, error, budget):
    """Difference against error."""
    budget = min(budget, len(gold))
    top = max(gold[:budget])
    allowed = error[gold.index(top)]
    for n in range(1, budget + 1):
        if top - gold[n - 1] <= allowed:
            return n


def choose_tensors(gold, error, budget):
    """Tensors."""
    g, e = torch.tensor(gold[:budget], dtype=torch.float64), torch.tensor(error[:budget], dtype=torch.float64)
    b = int((g == g.max()).nonzero()[0])
    return int((g >= g[b] - e[b]).nonzero()[0]) + 1


def choose_max_key_min_set(gold, error, budget):
    """Max with a key, min of a set."""
    n = len(gold[:budget])
    b = max(range(n), key=lambda i: (gold[i], -i))
    return min({i + 1 for i in range(n) if not gold[i] < gold[b] - error[b]})


def choose_numpy(gold, error, budget):
    """Numpy."""
    g = np.asarray(gold)[:budget]
    return int(np.flatnonzero(g >= g.max() - np.asarray(error)[g.argmax()])[0] + 1)


MUTANTS = {
    "4a.1": [
        ("needed_p_n_all_good_all", needed_p_n_all_good_all, "This is 1 - p^n, the probability that not"),
        (
            "needed_counts_draws_that_fail_n",
            needed_counts_draws_that_fail_n,
            "One draw too few. The draw that reaches q",
        ),
    ],
    "4a.2": [
        (
            "law_sorts_forgets_put_back_order",
            law_sorts_forgets_put_back_order,
            "The result stands in the order of the rewards:",
        ),
        (
            "law_1e_3_added_denominator_does",
            law_1e_3_added_denominator_does,
            "A small number was added to what is divided",
        ),
        (
            "law_all_outcome_highest_reward",
            law_all_outcome_highest_reward,
            "Everything went to the outcome with the highest reward.",
        ),
        (
            "law_result_rewards_type_whole_number",
            law_result_rewards_type_whole_number,
            "The result has the type of the rewards, and",
        ),
        ("law_scales_rewards_their_maximum_negative", law_scales_rewards_their_maximum_negative, ""),
        ("law_forgets_f_f_n_shared", law_forgets_f_f_n_shared, "F^n is there, F⁻^n is not: the best must"),
        (
            "law_compares_along_wrong_axis",
            law_compares_along_wrong_axis,
            "The table is summed along the wrong dimension: for",
        ),
        ("law_f_f_n_f_n", law_f_f_n_f_n, "This is (F - F⁻)^n, all draws exactly this"),
    ],
    "4a.3": [
        ("kl_bound_log_n_n_1", kl_bound_log_n_n_1, "log n is divided by n as well. Only"),
        ("kl_mean_sum", kl_mean_sum, "This is a mean over outcomes. The weights are"),
        ("kl_max_kl_bound_as_bound", kl_max_kl_bound_as_bound, ""),
        ("kl_works_only_two_outcomes", kl_works_only_two_outcomes, ""),
    ],
    "4a.4": [
        ("every_table_transposed", every_table_transposed, "The table stands on its side: a row for"),
        (
            "every_ranks_taken_order_argsort_argsort",
            every_ranks_taken_order_argsort_argsort,
            "The values are picked at the *ranks* of the",
        ),
        (
            "every_expected_best_value_e_max",
            every_expected_best_value_e_max,
            "This is the highest value among the n lowest",
        ),
        (
            "every_integer_division_weights",
            every_integer_division_weights,
            "`//` cuts the weights to 0. They are fractions:",
        ),
        ("every_32_bit_weights_crashes_other", every_32_bit_weights_crashes_other, ""),
        ("every_factorials_floats_wrong_from_about", every_factorials_floats_wrong_from_about, ""),
    ],
    "4a.5": [
        (
            "estimate_second_log_without_1_eps",
            estimate_second_log_without_1_eps,
            "In the second half the logarithm is of (1",
        ),
        ("estimate_eps_cut_from_below_1e", estimate_eps_cut_from_below_1e, ""),
        ("estimate_n_1_n", estimate_n_1_n, "(n - 1)/n is added in the first half."),
        (
            "estimate_n_1_n_outside_brackets",
            estimate_n_1_n_outside_brackets,
            "(n - 1)/n stands outside the brackets. It is",
        ),
        ("estimate_shared_eps_from_mean_logprob", estimate_shared_eps_from_mean_logprob, ""),
    ],
    "4a.6": [
        ("choose_strictly_above_bar_stopiteration_error", choose_strictly_above_bar_stopiteration_error, ""),
        ("choose_0_04_hard_coded", choose_0_04_hard_coded, "The bar lies a fixed number below the best,"),
        ("choose_stops_first_fall_local_maximum", choose_stops_first_fall_local_maximum, ""),
        ("choose_relative_error", choose_relative_error, "The error was taken for a share of the"),
        ("choose_best_n_found_error_index", choose_best_n_found_error_index, ""),
        ("choose_both_errors_combined_sqrt_squares", choose_both_errors_combined_sqrt_squares, ""),
        ("choose_absolute_difference_left_only_until", choose_absolute_difference_left_only_until, ""),
    ],
}

RIGHT = {
    "4a.1": [
        needed_formula_other_base,
        needed_running_product_failures,
        needed_itertools_count,
        needed_log1p_max,
        needed_numpy_integers,
    ],
    "4a.2": [law_unique_values_scatter, law_plain_python, law_matrix_times_vector_nan_num],
    "4a.3": [kl_xlogy, kl_python_floats, kl_list_two],
    "4a.4": [
        every_ratios_weights_no_comb,
        every_plain_python_fractions,
        every_sorted_downwards_weights_flipped_einsum,
    ],
    "4a.5": [estimate_torch_where_eps_1, estimate_python_loop, estimate_xlogy_expm1_logprob],
    "4a.6": [choose_difference_against_error, choose_tensors, choose_max_key_min_set, choose_numpy],
}
