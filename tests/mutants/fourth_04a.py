"""A fourth set of answers to lesson 04a, made up from the notebook alone: see `lesson_04a.py`."""

import itertools
import math

import numpy as np
import torch


# ---------------------------------------------------------------- 4a.1 wrong
def draws_floor(p, q):
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    return max(1, math.floor(math.log(1 - q) / math.log(1 - p)))


def draws_round(p, q):
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    return max(1, round(math.log(1 - q) / math.log(1 - p)))


def draws_log_q(p, q):
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    return max(1, math.ceil(math.log(q) / math.log(1 - p)))


def draws_strictly_more(p, q):
    if p <= 0:
        return -1
    n = 1
    while 1 - (1 - p) ** n <= q and n < 10 ** 6:
        n += 1
    return n


def draws_0_draws_p_0(p, q):
    if p <= 0 or p >= 1:
        return 0 if p <= 0 else 1
    return max(1, math.ceil(math.log(1 - q) / math.log(1 - p) - 1e-12))


def draws_starts_2(p, q):
    if p <= 0:
        return -1
    n = 2
    while 1 - (1 - p) ** n < q:
        n += 1
    return n


def draws_float(p, q):
    if p <= 0 or p >= 1:
        return -1 if p <= 0 else 1
    return max(1.0, math.log(1 - q) / math.log(1 - p))


# ---------------------------------------------------------------- 4a.1 right
def draws_while_loop_running_product(p, q):
    if p == 0:
        return -1
    n, miss = 1, 1 - p
    while 1 - miss < q:
        n, miss = n + 1, miss * (1 - p)
    return n


def draws_itertools_count(p, q):
    return -1 if not p else next(n for n in itertools.count(1) if 1 - (1 - p) ** n >= q)


def draws_bisection(p, q):
    if p == 0:
        return -1
    high = 1
    while 1 - (1 - p) ** high < q:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if 1 - (1 - p) ** middle >= q else (middle, high)
    return high


# ---------------------------------------------------------------- 4a.2 wrong
def law_ties_each_get_all(probability, reward, n):
    up = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    below = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    return torch.where(probability > 0, up ** n - below ** n, 0.0)


def law_ties_shared_evenly(probability, reward, n):
    up = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    below = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    same = ((reward[None, :] == reward[:, None]) & (probability > 0)[None, :]).sum(1)
    return torch.where(probability > 0, (up ** n - below ** n) / same.clamp(min=1), 0.0)


def law_sorted_order(probability, reward, n):
    order = reward.argsort()
    p, r = probability[order], reward[order]
    up = torch.where(r[None, :] <= r[:, None], p, 0.0).sum(1)
    below = torch.where(r[None, :] < r[:, None], p, 0.0).sum(1)
    return torch.where(p > 0, (up ** n - below ** n) * p / (up - below).clamp(min=1e-30), 0.0)


def law_cumsum_breaks_ties_place(probability, reward, n):
    order = reward.argsort(stable=True)
    F = probability[order].cumsum(0)
    below = F - probability[order]
    out = torch.zeros_like(probability)
    out[order] = F ** n - below ** n
    return out


def law_f_n_only(probability, reward, n):
    up = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    w = torch.where(probability > 0, up ** n, 0.0)
    return w / w.sum()


def law_n_minus_one(probability, reward, n):
    up = torch.where(reward[None, :] <= reward[:, None], probability, 0.0).sum(1)
    below = torch.where(reward[None, :] < reward[:, None], probability, 0.0).sum(1)
    m = n - 1
    return torch.where(probability > 0, (up ** m - below ** m) * probability / (up - below).clamp(min=1e-30), 0.0)


def law_negative_rewards_ignored(probability, reward, n):
    up = torch.where((reward[None, :] <= reward[:, None]) & (reward[None, :] >= 0), probability, 0.0).sum(1)
    below = torch.where((reward[None, :] < reward[:, None]) & (reward[None, :] >= 0), probability, 0.0).sum(1)
    return torch.where(probability > 0, (up ** n - below ** n) * probability / (up - below).clamp(min=1e-30), 0.0)


# ---------------------------------------------------------------- 4a.2 right
def law_dictionary_levels(probability, reward, n):
    p, r = probability.tolist(), reward.tolist()
    level = {}
    for x, y in zip(p, r, strict=False):
        level[y] = level.get(y, 0.0) + x
    F, share = 0.0, {}
    for y in sorted(level):
        share[y] = ((F + level[y]) ** n - F ** n) / level[y] if level[y] > 0 else 0.0
        F += level[y]
    return torch.tensor([x * share[y] for x, y in zip(p, r, strict=False)], dtype=torch.float64)


def law_unique_cumsum(probability, reward, n):
    levels, place = reward.unique(return_inverse=True)
    mass = torch.zeros(len(levels), dtype=probability.dtype).index_add(0, place, probability)
    F = mass.cumsum(0)
    gain = F ** n - (F - mass) ** n
    return torch.where(mass > 0, gain / mass, 0.0)[place] * probability


def law_telescoped_power_sum_small_n(probability, reward, n):
    up = ((reward[None, :] <= reward[:, None]).double() @ probability.double())
    below = ((reward[None, :] < reward[:, None]).double() @ probability.double())
    sum_ = torch.where(up > below, (up ** n - below ** n) / torch.where(up > below, up - below, 1.0), 0.0)
    return sum_ * probability


# ---------------------------------------------------------------- 4a.3 wrong
def kl_reversed_kl(law, probability, n):
    d = (law > 0) & (probability > 0)
    return (probability[d] * (probability[d] / law[d]).log()).sum(), math.log(n) - (n - 1) / n


def kl_nan_0(law, probability, n):
    return (law * (law / probability).log()).sum(), math.log(n) - (n - 1) / n


def kl_bound_log_n(law, probability, n):
    d = law > 0
    return (law[d] * (law[d] / probability[d]).log()).sum(), math.log(n)


def kl_base_2(law, probability, n):
    d = law > 0
    return (law[d] * (law[d] / probability[d]).log2()).sum(), math.log2(n) - (n - 1) / n


def kl_epsilon(law, probability, n):
    return (law * ((law + 1e-3) / (probability + 1e-3)).log()).sum(), math.log(n) - (n - 1) / n


def kl_bound_n_over_n_minus(law, probability, n):
    d = law > 0
    return (law[d] * (law[d] / probability[d]).log()).sum(), math.log(n) - n / (n - 1) if n > 1 else 0.0


def kl_kl_div_gets_probabilities(law, probability, n):
    return torch.nn.functional.kl_div(law, probability, reduction="sum"), math.log(n) - (n - 1) / n


# ---------------------------------------------------------------- 4a.3 right
def kl_xlogy(law, probability, n):
    kl = (torch.xlogy(law, law) - torch.xlogy(law, probability)).sum()
    return kl, math.log(n) + 1 / n - 1


def kl_python(law, probability, n):
    kl = sum(a * math.log(a / b) for a, b in zip(law.tolist(), probability.tolist(), strict=False) if a > 0)
    return [kl, torch.tensor(float(n)).log() - 1 + 1 / n]


def kl_kl_div_target_law(law, probability, n):
    safe = torch.where(law > 0, probability, 1.0)
    return torch.nn.functional.kl_div(safe.log(), law, reduction="sum"), np.log(n) - (n - 1) / n


# ---------------------------------------------------------------- 4a.4 wrong
def best_n_first_n_draws(proxy, value):
    best = [value.gather(1, proxy[:, :n].argmax(1, keepdim=True)) for n in range(1, proxy.shape[1] + 1)]
    return torch.cat(best, 1)


def best_n_replacement(proxy, value):
    N = proxy.shape[1]
    v = value.double().gather(1, proxy.argsort(1))
    w = [[(i / N) ** n - ((i - 1) / N) ** n for n in range(1, N + 1)] for i in range(1, N + 1)]
    return v @ torch.tensor(w, dtype=torch.float64)


def best_n_sorted_value(proxy, value):
    N = proxy.shape[1]
    v = value.double().sort(1).values
    w = [[math.comb(i - 1, n - 1) / math.comb(N, n) for n in range(1, N + 1)] for i in range(1, N + 1)]
    return v @ torch.tensor(w, dtype=torch.float64)


def best_n_comb_i_n(proxy, value):
    N = proxy.shape[1]
    v = value.double().gather(1, proxy.argsort(1))
    w = [[math.comb(i - 1, n) / math.comb(N, n) for n in range(1, N + 1)] for i in range(1, N + 1)]
    return v @ torch.tensor(w, dtype=torch.float64)


def best_n_order_first_row_all(proxy, value):
    N = proxy.shape[1]
    v = value.double()[:, proxy[0].argsort()]
    w = [[math.comb(i - 1, n - 1) / math.comb(N, n) for n in range(1, N + 1)] for i in range(1, N + 1)]
    return v @ torch.tensor(w, dtype=torch.float64)


def best_n_whole_rewards_stay_whole(proxy, value):
    N = proxy.shape[1]
    v = value.gather(1, proxy.argsort(1))
    w = [[math.comb(i - 1, n - 1) / math.comb(N, n) for n in range(1, N + 1)] for i in range(1, N + 1)]
    return (v.double() @ torch.tensor(w, dtype=torch.float64)).to(value.dtype).round(decimals=2)


def best_n_index_i_from_0(proxy, value):
    N = proxy.shape[1]
    v = value.double().gather(1, proxy.argsort(1))
    w = [[math.comb(i, n) / math.comb(N, n) for n in range(N)] for i in range(N)]
    return v @ torch.tensor(w, dtype=torch.float64)


# ---------------------------------------------------------------- 4a.4 right
def best_n_weights_recursion_ratios(proxy, value):
    N = proxy.shape[1]
    v = value.double().gather(1, proxy.argsort(1))
    out = torch.zeros(v.shape, dtype=torch.float64)
    for n in range(1, N + 1):
        w = n / N
        for i in range(N, n - 1, -1):
            out[:, n - 1] += w * v[:, i - 1]
            w *= (i - n) / (i - 1) if i > 1 else 0
    return out


def best_n_log_gamma(proxy, value):
    N = proxy.shape[1]
    i = torch.arange(1, N + 1.0, dtype=torch.float64)[:, None]
    n = i.T
    lg = torch.lgamma
    chosen = lg(i) - lg(n) - lg((i - n).clamp(min=0) + 1)
    log_w = chosen - lg(torch.tensor(N + 1.0).double()) + lg(n + 1) + lg(N - n + 1)
    w = torch.where(i >= n, log_w.exp(), 0.0)
    return torch.einsum("bi,in->bn", value.double().gather(1, proxy.sort(1).indices), w)


def best_n_fractions_row_row(proxy, value):
    rows = []
    for p, v in zip(proxy.tolist(), value.tolist(), strict=False):
        N = len(p)
        order = sorted(range(N), key=lambda k: p[k])
        rows.append([math.fsum(math.comb(k, n - 1) / math.comb(N, n) * v[order[k]] for k in range(n - 1, N))
                     for n in range(1, N + 1)])
    return torch.tensor(rows)


# ---------------------------------------------------------------- 4a.5 wrong
def estimate_naive_log_1_e(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    miss = (1 - e) ** n
    return miss * (math.log(n) + (n - 1) * (1 - e).log() - (n - 1) / n) + (1 - miss) * ((1 - miss) / e).log()


def estimate_second_term_forgotten(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    now = torch.log1p(-e)
    return (n * now).exp() * (math.log(n) + (n - 1) * now - (n - 1) / n)


def estimate_exponent_left_out(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    now = torch.log1p(-e)
    d = -torch.expm1(n * now)
    return now.exp() * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * (d.log() - logprob)


def estimate_clamped_from_below(n, logprob):
    e = logprob.exp().clamp(1e-6, 1 - 1e-12)
    now = torch.log1p(-e)
    d = -torch.expm1(n * now)
    return (n * now).exp() * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * (d / e).log()


def estimate_float32(n, logprob):
    lp = logprob.float()
    e = lp.exp().clamp(max=1 - 1e-6)
    now = torch.log1p(-e)
    d = -torch.expm1(n * now)
    return (n * now).exp() * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * (d.log() - lp)


def estimate_log_e_added(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-12)
    now = torch.log1p(-e)
    d = -torch.expm1(n * now)
    return (n * now).exp() * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * (d.log() + logprob)


def estimate_tie_term_negative_cut(n, logprob):
    e = logprob.exp().clamp(max=1 - 1e-3)
    now = torch.log1p(-e)
    d = -torch.expm1(n * now)
    return (n * now).exp() * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * (d.log() - logprob)


# ---------------------------------------------------------------- 4a.5 right
def estimate_where_e_1(n, logprob):
    sure = logprob == 0
    lp = torch.where(sure, -1.0, logprob.double())
    now = torch.log(-torch.expm1(lp))
    now = torch.where(lp < -30, -lp.exp(), now)
    d = -torch.expm1(n * now)
    value = (1 - d) * (math.log(n) + (n - 1) * now - 1 + 1 / n) + d * (d.log() - lp)
    return torch.where(sure, 0.0, value)


def estimate_python_loop_math(n, logprob):
    out = []
    for lp in logprob.tolist():
        e = math.exp(lp)
        if e >= 1:
            out.append(0.0)
            continue
        now = math.log1p(-e)
        d = -math.expm1(n * now)
        out.append(math.exp(n * now) * (math.log(n) + (n - 1) * now - (n - 1) / n) + d * math.log(d / e))
    return torch.tensor(out, dtype=torch.float64)


def estimate_numpy(n, logprob):
    lp = logprob.numpy()
    e = np.minimum(np.exp(lp), 1 - 1e-15)
    now = np.log1p(-e)
    d = -np.expm1(n * now)
    return torch.from_numpy(np.exp(n * now) * (np.log(n) + (n - 1) * now - (n - 1) / n) + d * (np.log(d) - lp))


# ---------------------------------------------------------------- 4a.6 wrong
def choose_budget_ignored(gold, error, budget):
    best = gold.index(max(gold))
    return 1 + next(i for i, g in enumerate(gold) if g >= gold[best] - error[best])


def choose_each_one_s_own_error(gold, error, budget):
    g = gold[:budget]
    return 1 + next(i for i, x in enumerate(g) if x + error[i] >= max(g))


def choose_from_0(gold, error, budget):
    g = gold[:budget]
    best = g.index(max(g))
    return next(i for i, x in enumerate(g) if x >= g[best] - error[best])


def choose_error_last(gold, error, budget):
    g = gold[:budget]
    return 1 + next(i for i, x in enumerate(g) if x >= max(g) - error[len(g) - 1])


def choose_walks_down_from_best_until(gold, error, budget):
    g = gold[:budget]
    best = g.index(max(g))
    n = best
    while n > 0 and g[n - 1] >= g[best] - error[best]:
        n -= 1
    return n + 1


def choose_largest_error(gold, error, budget):
    g = gold[:budget]
    return 1 + next(i for i, x in enumerate(g) if x >= max(g) - max(error[:budget]))


def choose_breaks_beyond_what_was_measured(gold, error, budget):
    best = max(range(budget), key=lambda i: gold[i])
    return 1 + next(i for i in range(budget) if gold[i] >= gold[best] - error[best])


# ---------------------------------------------------------------- 4a.6 right
def choose_numpy(gold, error, budget):
    g = np.array(gold[:budget])
    best = g.argmax()
    return int(np.argmax(g >= g[best] - error[best])) + 1


def choose_min_over_set_difference_form(gold, error, budget):
    g = dict(enumerate(gold[:budget], start=1))
    top = max(g.values())
    best = min(n for n, x in g.items() if x == top)
    return min(n for n, x in g.items() if x >= top - error[best - 1])


def choose_torch(gold, error, budget):
    n = min(budget, len(gold))
    g, e = torch.tensor(gold[:n], dtype=torch.float64), torch.tensor(error[:n], dtype=torch.float64)
    best = min((g == g.max()).nonzero()[:, 0].tolist())
    return (g >= g[best] - e[best]).nonzero()[0, 0].item() + 1


MUTANTS = {
    "4a.1": [
        ("draws_floor", draws_floor, "One draw too few: the number is rounded down, and then"),
        ("draws_round", draws_round, "The number of draws is rounded to the nearest. Round"),
        ("draws_log_q", draws_log_q, "This asks that *all* fail with probability q at most."),
        ("draws_strictly_more", draws_strictly_more, "Where the probability is exactly q, one draw too many."),
        ("draws_0_draws_p_0", draws_0_draws_p_0, "For p = 0 it gave 0, as if no draw were needed. What"),
        ("draws_starts_2", draws_starts_2, "The count begins at 2. One draw may be enough: begin"),
        ("draws_float", draws_float, "Half a draw does not exist: round up, as math.ceil"),
    ],
    "4a.2": [
        ("law_ties_each_get_all", law_ties_each_get_all, "Of outcomes that tie, each got the probability of all"),
        ("law_ties_shared_evenly", law_ties_shared_evenly, "Outcomes that tie share evenly here, those that are"),
        ("law_sorted_order", law_sorted_order, "The numbers are right, but they stand in the order of"),
        ("law_cumsum_breaks_ties_place", law_cumsum_breaks_ties_place,
         "Of outcomes that tie, each takes its own slice of the"),
        ("law_f_n_only", law_f_n_only, "This is F^n, the probability that the best is *at"),
        ("law_n_minus_one", law_n_minus_one, "The exponent is n - 1. All n draws have to be at most"),
        ("law_negative_rewards_ignored", law_negative_rewards_ignored,
         "Right on 14 of 23 cases; it is wrong only where"),
    ],
    "4a.3": [
        ("kl_reversed_kl", kl_reversed_kl, "This is the KL in the other direction, Σ π log(π/law)."),
        ("kl_nan_0", kl_nan_0, "Where an outcome is never drawn this is 0 · log 0,"),
        ("kl_bound_log_n", kl_bound_log_n, "The bound is log n here: (n - 1)/n is not subtracted,"),
        ("kl_base_2", kl_base_2, "Both logarithms are of base 2, so this is in bits."),
        ("kl_epsilon", kl_epsilon, "A small number was added to keep the logarithm alive,"),
        ("kl_bound_n_over_n_minus", kl_bound_n_over_n_minus, "The fraction of the bound is upside down: (n - 1)/n."),
        ("kl_kl_div_gets_probabilities", kl_kl_div_gets_probabilities,
         "kl_div got a law where it expects logarithms, those of"),
    ],
    "4a.4": [
        ("best_n_first_n_draws", best_n_first_n_draws, "This is the best of the *first* n draws, one choice of"),
        ("best_n_replacement", best_n_replacement, "This draws n of the N *with* replacement, so one draw"),
        ("best_n_sorted_value", best_n_sorted_value, "The value chooses here. The *proxy* chooses; the value"),
        ("best_n_comb_i_n", best_n_comb_i_n, "C(i-1, n) leaves no place for the i-th draw itself."),
        ("best_n_order_first_row_all", best_n_order_first_row_all,
         "Every prompt is sorted in the order of the first one."),
        ("best_n_whole_rewards_stay_whole", best_n_whole_rewards_stay_whole, ""),
        ("best_n_index_i_from_0", best_n_index_i_from_0, "What is divided by is C(N, n - 1): n was counted from"),
    ],
    "4a.5": [
        ("estimate_naive_log_1_e", estimate_naive_log_1_e, "Where ε is very small, 1 - (1 - ε)^n is rounded to 0,"),
        ("estimate_second_term_forgotten", estimate_second_term_forgotten,
         "The second half is missing, (1 - (1-ε)^n) log((1 -"),
        ("estimate_exponent_left_out", estimate_exponent_left_out,
         "In the first half (1 - ε) stands without its exponent"),
        ("estimate_clamped_from_below", estimate_clamped_from_below,
         "ε was kept from being tiny, and with very many draws"),
        ("estimate_float32", estimate_float32, "There is NaN or infinity in your result. Which line"),
        ("estimate_log_e_added", estimate_log_e_added, "In the last logarithm ε multiplies. It divides: log((1"),
        ("estimate_tie_term_negative_cut", estimate_tie_term_negative_cut,
         "ε = 1 was moved too far from 1, and it shows. A hair"),
    ],
    "4a.6": [
        ("choose_budget_ignored", choose_budget_ignored, "The budget is not used: no n above it may be chosen,"),
        ("choose_each_one_s_own_error", choose_each_one_s_own_error,
         "Each n is compared with its own standard error. The"),
        ("choose_from_0", choose_from_0, "Places are counted from 0, n from 1: the first entry"),
        ("choose_error_last", choose_error_last, "The error of the last n sets the bar. It is that of"),
        ("choose_walks_down_from_best_until", choose_walks_down_from_best_until,
         "Right on 21 of 22 cases, and wrong only here: near the"),
        ("choose_largest_error", choose_largest_error, "The largest error of all sets the bar. It is that of"),
        ("choose_breaks_beyond_what_was_measured", choose_breaks_beyond_what_was_measured,
         "A place is asked for that does not exist: for one of"),
    ],
}

RIGHT = {
    "4a.1": [draws_while_loop_running_product, draws_itertools_count, draws_bisection],
    "4a.2": [law_dictionary_levels, law_unique_cumsum, law_telescoped_power_sum_small_n],
    "4a.3": [kl_xlogy, kl_python, kl_kl_div_target_law],
    "4a.4": [best_n_weights_recursion_ratios, best_n_log_gamma, best_n_fractions_row_row],
    "4a.5": [estimate_where_e_1, estimate_python_loop_math, estimate_numpy],
    "4a.6": [choose_numpy, choose_min_over_set_difference_form, choose_torch],
}
