"""A third set of answers to lesson 04b, made up before looking at the checks: those that had no name."""

import math

import numpy as np
import torch

# ---------------------------------------------------------------- 4b.1 wrong


def kept_missing_brackets_binds_first(reward, original, threshold):
    """Missing brackets: | binds first."""
    return original | reward > threshold


def kept_threshold_relative_mean_drawn(reward, original, threshold):
    """Threshold relative to the mean of the drawn."""
    return original | (reward > threshold * reward[~original].mean())


def kept_last_one_always_original_works(reward, original, threshold):
    """Last one is always the original (works for the example)."""
    out = reward > threshold
    out[-1] = True
    return out


def kept_compares_whole_numbers(reward, original, threshold):
    """Compares whole numbers."""
    return original | ((reward.nan_to_num(0, 0, 0) * 10).int() > int(threshold * 10))


# ---------------------------------------------------------------- 4b.2 wrong


def two_integer_division_percent(reward, percent, gamma):
    """Integer division of the percent."""
    return torch.quantile(reward, float(percent // 100)), gamma * reward.max() + (1 - gamma) * reward.mean()


def two_percentile_positive_rewards_only(reward, percent, gamma):
    """Percentile of the positive rewards only."""
    p = reward[reward > 0]
    p = p if len(p) else reward
    return torch.quantile(p, percent / 100), gamma * reward.max() + (1 - gamma) * reward.mean()


def two_mean_lowest_highest(reward, percent, gamma):
    """Mean of the lowest and highest."""
    return torch.quantile(reward, percent / 100), gamma * reward.max() + (1 - gamma) * (
        reward.max() + reward.min()
    ) / 2


# ---------------------------------------------------------------- 4b.3 wrong


def clock_rounded_nearest(update, improves, updates, drawn):
    """Rounded to the nearest."""
    g = round(update / (improves * updates))
    return g + 1, update % (improves * updates) // updates + 1, (g + 1) * drawn


def clock_remainder_quotient_improve(update, improves, updates, drawn):
    """Remainder instead of quotient for the Improve."""
    g, x = divmod(update, improves * updates)
    return g + 1, x % updates + 1, (g + 1) * drawn


def clock_divides_improves_updates(update, improves, updates, drawn):
    """Divides by improves instead of updates."""
    g, x = divmod(update, improves * updates)
    return g + 1, x // improves + 1, (g + 1) * drawn


def clock_rounded_up_wrong_first_update(update, improves, updates, drawn):
    """Rounded up: wrong on the first update of a Grow."""
    L = improves * updates
    g = max(1, -(-update // L))
    x = update - (g - 1) * L
    return g, min(improves, x // updates + 1), g * drawn


def clock_calls_fractions_grow_passed(update, improves, updates, drawn):
    """Calls in fractions of the Grow passed."""
    g, x = divmod(update, improves * updates)
    return g + 1, x // updates + 1, drawn * (update + 1) // (improves * updates)


def clock_grow_counts_as_update_itself(update, improves, updates, drawn):
    """Grow counts as an update itself."""
    L = improves * updates + 1
    g, x = divmod(update, L)
    return g + 1, min(improves, x // updates + 1), (g + 1) * drawn


# ---------------------------------------------------------------- 4b.4 wrong


def bc_writes_0_into_logprob(logprob, mask, kept):
    """Writes 0 into logprob."""
    c = mask & kept[:, None]
    with torch.no_grad():
        logprob[~c] = 0.0
    return -logprob.sum() / c.sum().clamp(min=1)


def bc_log_probabilities_cut_10(logprob, mask, kept):
    """Log-probabilities cut at -10."""
    c = mask & kept[:, None]
    return -torch.where(c, logprob.clamp(min=-10.0), 0.0).sum() / c.sum().clamp(min=1)


def bc_mean_over_kept_responses_that(logprob, mask, kept):
    """Mean over the kept responses that are not empty, token-level lost: weights by length."""
    c = mask & kept[:, None]
    n = c.sum(1)
    x = torch.where(c, logprob, 0.0).sum(1)
    return -(x * n).sum() / (n * n).sum().clamp(min=1)


# ---------------------------------------------------------------- 4b.5 wrong


def gold_log_floored_pi(logprob, quality, mask, floor):
    """Log of the floored pi."""
    x, q = logprob[mask], quality[mask].detach()
    u = x.exp().clamp(min=floor)
    return -(u.detach() * q * u.log()).mean()


def gold_weights_normalised(logprob, quality, mask, floor):
    """Weights normalised."""
    x, q = logprob[mask], quality[mask].detach()
    u = x.detach().exp().clamp(min=floor)
    return -(u * q * x).sum() / u.sum()


def gold_q_whitened(logprob, quality, mask, floor):
    """Q whitened."""
    x, q = logprob[mask], quality[mask].detach()
    q = (q - q.mean()) / (q.std() + 1e-6) if q.numel() > 1 else q
    return -(x.detach().exp().clamp(min=floor) * q * x).mean()


# ---------------------------------------------------------------- 4b.6 wrong


def plan_not_rounded(reward, thresholds, size, share, updates):
    """Not rounded."""
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    o = min(size * share, size - 1)
    return kept, updates * (size - o) / kept.float()


def plan_nothing_kept_divided_tiny_number(reward, thresholds, size, share, updates):
    """Nothing kept: divided by a tiny number."""
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    o = min(round(size * share), size - 1)
    return kept, updates * (size - o) / (kept + 1e-8)


def plan_least_one_original_row(reward, thresholds, size, share, updates):
    """At least one original row."""
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    o = max(1, min(round(size * share), size - 1))
    return kept, updates * (size - o) / kept.float()


def plan_share_rounded_before_multiplying(reward, thresholds, size, share, updates):
    """Share rounded before multiplying."""
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    o = min(round(share) * size, size - 1)
    return kept, updates * (size - o) / kept.float()


def plan_thresholds_as_percentiles(reward, thresholds, size, share, updates):
    """Thresholds as percentiles."""
    kept = torch.stack([(reward > reward.quantile(min(1.0, max(0.0, t)))).sum() for t in thresholds])
    o = min(round(size * share), size - 1)
    return kept, updates * (size - o) / kept.float()


def plan_originals_counted_among_what_gone(reward, thresholds, size, share, updates):
    """Originals counted among what is gone through."""
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    o = min(round(size * share), size - 1)
    return kept, updates * (size - o) / (kept + o).float()


def plan_thresholds_as_32_bit_numbers(reward, thresholds, size, share, updates):
    """Thresholds as 32-bit numbers against 64-bit rewards."""
    kept = (reward[:, None] > torch.tensor(thresholds, dtype=torch.float32)).sum(0)
    o = min(round(size * share), size - 1)
    return kept, updates * (size - o) / kept.float()


# ---------------------------------------------------------------- 4b.1 right


def kept_where(reward, original, threshold):
    """Where."""
    return torch.where(original, True, reward > threshold)


def kept_not_most(reward, original, threshold):
    """Not at most."""
    return ~(reward <= threshold) | original


def kept_sum_booleans(reward, original, threshold):
    """Sum of booleans."""
    return (reward > threshold) + original


def kept_loop(reward, original, threshold):
    """A loop."""
    pairs = zip(reward.tolist(), original.tolist(), strict=True)
    return torch.tensor([own or worth > threshold for worth, own in pairs], dtype=torch.bool)


# ---------------------------------------------------------------- 4b.2 right


def two_numpy(reward, percent, gamma):
    """Numpy."""
    x = reward.numpy()
    return np.percentile(x, percent), x.mean() + gamma * (x.max() - x.mean())


def two_plain_python(reward, percent, gamma):
    """Plain Python."""
    s = sorted(reward.tolist())
    whole, part = divmod(percent * (len(s) - 1), 100)
    low = s[int(whole)]
    high = s[int(whole) + 1] if int(whole) + 1 < len(s) else low
    return low + part / 100 * (high - low), gamma * s[-1] + (1 - gamma) * sum(s) / len(s)


# ---------------------------------------------------------------- 4b.3 right


def clock_counts_up(update, improves, updates, drawn):
    """Counts up."""
    grow = improve = 1
    left = update
    while left >= updates:
        left -= updates
        improve += 1
        if improve > improves:
            grow, improve = grow + 1, 1
    return grow, improve, grow * drawn


def clock_rounded_up_from_update_1(update, improves, updates, drawn):
    """Rounded up from update + 1."""
    k = math.ceil((update + 1) / updates)
    g = math.ceil(k / improves)
    return g, k - (g - 1) * improves, g * drawn


# ---------------------------------------------------------------- 4b.4 right


def bc_rows_first_then_tokens(logprob, mask, kept):
    """Rows first, then tokens."""
    x = logprob[kept][mask[kept]]
    return -x.sum() / max(len(x), 1)


def bc_masked_fill_negative_weights(logprob, mask, kept):
    """Masked_fill, negative weights."""
    c = mask * kept.unsqueeze(1)
    return logprob.masked_fill(~c, 0).sum() * (-1 / max(1, c.sum().item()))


def bc_nan_num_then_weights(logprob, mask, kept):
    """Nan_to_num, then the weights."""
    c = (mask & kept.view(-1, 1)).to(logprob.dtype)
    return -(logprob.nan_to_num(0.0, 0.0, 0.0) * c).sum() / c.sum().clamp(min=1.0)


def bc_mean_or_early_0_that(logprob, mask, kept):
    """Mean or an early 0 that still hangs on logprob."""
    x = torch.masked_select(logprob, mask & kept[:, None])
    return -x.mean() if x.numel() else x.sum()


# ---------------------------------------------------------------- 4b.5 right


def gold_masked_fill_first_no_grad(logprob, quality, mask, floor):
    """Masked_fill first, no_grad weights."""
    with torch.no_grad():
        weight = torch.maximum(logprob.exp(), torch.tensor(floor, dtype=logprob.dtype)) * quality
        weight = weight.masked_fill(~mask, 0.0) / mask.sum()
    return -(weight * logprob.masked_fill(~mask, 0.0)).sum()


def gold_loop_over_tokens(logprob, quality, mask, floor):
    """A loop over tokens."""
    total, count = 0.0, 0
    for b in range(mask.shape[0]):
        for t in range(mask.shape[1]):
            if mask[b, t]:
                total = total - max(floor, math.exp(logprob[b, t].item())) * quality[b, t].item() * logprob[b, t]
                count += 1
    return total / count


def gold_dot_product_data(logprob, quality, mask, floor):
    """Dot product with .data."""
    x = torch.masked_select(logprob, mask)
    k = torch.masked_select(quality, mask).data * x.data.exp().clip(floor)
    return -torch.dot(k, x) / x.numel()


# ---------------------------------------------------------------- 4b.6 right


def plan_one_table_kept_rows_rounded(reward, thresholds, size, share, updates):
    """One table, kept rows rounded."""
    kept = (reward.unsqueeze(1) > torch.tensor(thresholds, dtype=reward.dtype)).sum(0)
    rows = max(1, round(size * (1 - share)))
    return kept, torch.tensor(float(rows * updates)) / kept


def plan_plain_python(reward, thresholds, size, share, updates):
    """Plain Python."""
    kept = [sum(1 for x in reward.tolist() if x > t) for t in thresholds]
    o = min(int(size * share + 0.5), size - 1)
    return torch.tensor(kept), torch.tensor([(size - o) * updates / k if k else math.inf for k in kept])


def plan_sorted_search_32_bit_integers(reward, thresholds, size, share, updates):
    """Sorted search, 32-bit integers."""
    s = reward.sort().values
    at = torch.searchsorted(s, torch.tensor(thresholds, dtype=s.dtype), right=True)
    kept = (len(s) - at).to(torch.int32)
    original = sorted([0, math.floor(share * size + 0.5), size - 1])[1]
    return kept, (size - original) * updates / kept.double()


MUTANTS = {
    "4b.1": [
        ("kept_missing_brackets_binds_first", kept_missing_brackets_binds_first, ""),
        ("kept_threshold_relative_mean_drawn", kept_threshold_relative_mean_drawn, ""),
        ("kept_last_one_always_original_works", kept_last_one_always_original_works, ""),
        ("kept_compares_whole_numbers", kept_compares_whole_numbers, ""),
    ],
    "4b.2": [
        ("two_integer_division_percent", two_integer_division_percent, ""),
        ("two_percentile_positive_rewards_only", two_percentile_positive_rewards_only, ""),
        ("two_mean_lowest_highest", two_mean_lowest_highest, ""),
    ],
    "4b.3": [
        ("clock_rounded_nearest", clock_rounded_nearest, "The number of Grows is rounded to the nearest."),
        ("clock_remainder_quotient_improve", clock_remainder_quotient_improve, ""),
        ("clock_divides_improves_updates", clock_divides_improves_updates, "What is left of the Grow is divided by"),
        ("clock_rounded_up_wrong_first_update", clock_rounded_up_wrong_first_update, ""),
        ("clock_calls_fractions_grow_passed", clock_calls_fractions_grow_passed, ""),
        ("clock_grow_counts_as_update_itself", clock_grow_counts_as_update_itself, ""),
    ],
    "4b.4": [
        ("bc_writes_0_into_logprob", bc_writes_0_into_logprob, ""),
        (
            "bc_log_probabilities_cut_10",
            bc_log_probabilities_cut_10,
            "wrong only here: a token that was hardly possible",
        ),
        ("bc_mean_over_kept_responses_that", bc_mean_over_kept_responses_that, ""),
    ],
    "4b.5": [
        ("gold_log_floored_pi", gold_log_floored_pi, "The floor is in the logarithm as well. It"),
        ("gold_weights_normalised", gold_weights_normalised, ""),
        ("gold_q_whitened", gold_q_whitened, ""),
    ],
    "4b.6": [
        ("plan_not_rounded", plan_not_rounded, ""),
        ("plan_nothing_kept_divided_tiny_number", plan_nothing_kept_divided_tiny_number, ""),
        ("plan_least_one_original_row", plan_least_one_original_row, ""),
        (
            "plan_share_rounded_before_multiplying",
            plan_share_rounded_before_multiplying,
            "The share itself is rounded, to 0 or 1.",
        ),
        ("plan_thresholds_as_percentiles", plan_thresholds_as_percentiles, ""),
        (
            "plan_originals_counted_among_what_gone",
            plan_originals_counted_among_what_gone,
            "The original rows of a batch are added to",
        ),
        ("plan_thresholds_as_32_bit_numbers", plan_thresholds_as_32_bit_numbers, ""),
    ],
}

RIGHT = {
    "4b.1": [kept_where, kept_not_most, kept_sum_booleans, kept_loop],
    "4b.2": [two_numpy, two_plain_python],
    "4b.3": [clock_counts_up, clock_rounded_up_from_update_1],
    "4b.4": [
        bc_rows_first_then_tokens,
        bc_masked_fill_negative_weights,
        bc_nan_num_then_weights,
        bc_mean_or_early_0_that,
    ],
    "4b.5": [gold_masked_fill_first_no_grad, gold_loop_over_tokens, gold_dot_product_data],
    "4b.6": [plan_one_table_kept_rows_rounded, plan_plain_python, plan_sorted_search_32_bit_integers],
}
