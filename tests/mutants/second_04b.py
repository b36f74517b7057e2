"""A second set of answers to lesson 04b, made up before looking at the checks: see `lesson_04b.py`."""

import math
import statistics

import numpy as np
import torch


# ---------------------------------------------------------------- 4b.1 wrong
def kept_at_least_one(reward, original, threshold):
    kept = original | (reward > threshold)
    if not (kept & ~original).any() and (~original).any():
        kept[torch.where(original, -torch.inf, reward).argmax()] = True
    return kept


def kept_good_originals(reward, original, threshold):
    return (reward > threshold) | (original & ~reward.isnan())


def kept_by_value(reward, original, threshold):
    return torch.where(original | (reward > threshold), reward, 0.0)


def kept_shorter(reward, original, threshold):
    return (reward > threshold)[~original]


def kept_rounded(reward, original, threshold):
    return original | (reward.round(decimals=1) > threshold)


def kept_with_margin(reward, original, threshold):
    return original | (reward > threshold + 1e-2)


def kept_sum(reward, original, threshold):
    return original + (reward > threshold).int()


def kept_positive(reward, original, threshold):
    return original | (reward.abs() > threshold)


# ---------------------------------------------------------------- 4b.1 right
def kept_inverted(reward, original, threshold):
    """Left out is what was drawn and is not above it."""
    return ~((~original) & ~(reward > threshold))


# ---------------------------------------------------------------- 4b.2 wrong
def two_statistics(reward, percent, gamma):
    values = sorted(reward.tolist())
    cuts = statistics.quantiles(values, n=100) if len(values) > 1 else values * 99
    return torch.tensor(cuts[max(int(percent) - 1, 0)]), gamma * reward.max() + (1 - gamma) * reward.mean()


def two_kth(reward, percent, gamma):
    k = max(1, math.ceil(percent / 100 * len(reward)))
    return reward.kthvalue(k).values, gamma * reward.max() + (1 - gamma) * reward.mean()


def two_of_unique(reward, percent, gamma):
    seen = reward.unique()
    return torch.quantile(seen, percent / 100), gamma * seen.max() + (1 - gamma) * seen.mean()


def two_mean_of_the_top(reward, percent, gamma):
    top = reward[reward >= torch.quantile(reward, percent / 100)]
    return top.mean(), gamma * reward.max() + (1 - gamma) * reward.mean()


def two_gamma_in_percent(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma / 100 * reward.max() + (1 - gamma / 100) * reward.mean()


def two_plus_gamma(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), reward.mean() + gamma


def two_whole_percent(reward, percent, gamma):
    return torch.quantile(reward, int(percent) / 100), gamma * reward.max() + (1 - gamma) * reward.mean()


def two_from_one(reward, percent, gamma):
    ordered = reward.sort().values
    place = percent / 100 * (len(reward) - 1)
    low = int(place)
    high = min(low + 1, len(reward) - 1)
    return (ordered[low] * (place - low) + ordered[high] * (1 - place + low),
            gamma * reward.max() + (1 - gamma) * reward.mean())


# ---------------------------------------------------------------- 4b.2 right
def two_lerp(reward, percent, gamma):
    ordered = reward.sort().values
    place = percent / 100 * (len(reward) - 1)
    low, high = math.floor(place), math.ceil(place)
    return torch.lerp(ordered[low], ordered[high], place - low), reward.mean() + gamma * (reward.max() - reward.mean())


# ---------------------------------------------------------------- 4b.3 wrong
def clock_counts_updates_from_one(update, improves, updates, drawn):
    grow = (update - 1) // (improves * updates) + 1
    return grow, (update - 1) // updates % improves + 1, grow * drawn


def clock_both_calls(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return grow, update // updates % improves + 1, grow * drawn * 2


def clock_grow_of_updates(update, improves, updates, drawn):
    grow = update // (improves + updates) + 1
    return grow, update // updates % improves + 1, grow * drawn


def clock_improve_zero_at_the_end(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return grow, (update // updates + 1) % improves, grow * drawn


def clock_two_results(update, improves, updates, drawn):
    return update // (improves * updates) + 1, update // updates % improves + 1


def clock_kept_calls(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    improve = update // updates % improves + 1
    return grow, improve, grow * drawn // improve


# ---------------------------------------------------------------- 4b.3 right
def clock_numpy(update, improves, updates, drawn):
    grow, improve, _ = np.unravel_index(update, (update + 1, improves, updates))
    return int(grow) + 1, int(improve) + 1, (int(grow) + 1) * drawn


# ---------------------------------------------------------------- 4b.4 wrong
def bc_where_after(logprob, mask, kept):
    rows = torch.where(mask, logprob, 0.0) * kept[:, None]
    return -rows.sum() / (mask & kept[:, None]).sum().clamp(min=1)


def bc_filtered_rows_mean(logprob, mask, kept):
    rows = torch.where(mask, logprob, 0.0)[kept]
    return -rows.mean() if len(rows) else logprob.sum() * 0


def bc_max_of_one_and_zero(logprob, mask, kept):
    counted = mask & kept[:, None]
    return -torch.where(counted, logprob, 0.0).sum() / (counted.sum() + 1)


def bc_by_longest(logprob, mask, kept):
    counted = mask & kept[:, None]
    return -torch.where(counted, logprob, 0.0).sum() / (kept.sum() * mask.sum(1).max()).clamp(min=1)


def bc_first_token_left_out(logprob, mask, kept):
    counted = (mask & kept[:, None])[:, 1:]
    return -torch.where(counted, logprob[:, 1:], 0.0).sum() / counted.sum().clamp(min=1)


def bc_nan_when_none(logprob, mask, kept):
    chosen = logprob[mask & kept[:, None]]
    return -chosen.mean() if len(chosen) else torch.tensor(math.nan)


def bc_none_when_none(logprob, mask, kept):
    if not kept.any():
        return None
    return -logprob[mask & kept[:, None]].mean()


def bc_integer_zero(logprob, mask, kept):
    """Right but for a number in place of a tensor."""
    chosen = logprob[mask & kept[:, None]]
    return -chosen.mean() if len(chosen) else 0


def bc_weighted_by_length(logprob, mask, kept):
    counted = mask & kept[:, None]
    each = torch.where(counted, logprob, 0.0).sum(1) * counted.sum(1)
    return -each.sum() / (counted.sum(1) ** 2).sum().clamp(min=1)


# ---------------------------------------------------------------- 4b.4 right
def bc_split(logprob, mask, kept):
    counted = mask & kept[:, None]
    return -(logprob[counted].sum() / counted.sum()) if counted.any() else logprob[:0].sum()


# ---------------------------------------------------------------- 4b.5 wrong
def gold_floor_as_jump(logprob, quality, mask, floor):
    now = logprob[mask]
    p = now.detach().exp()
    return -(torch.where(p > floor, p, 0.0) * quality[mask].detach() * now).mean()


def gold_one_when_below(logprob, quality, mask, floor):
    now = logprob[mask]
    p = now.detach().exp()
    return -(torch.where(p > floor, p, torch.ones_like(p)) * quality[mask].detach() * now).mean()


def gold_positive_quality(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * quality[mask].detach().clamp(min=0) * now).mean()


def gold_ratio(logprob, quality, mask, floor):
    now = logprob[mask]
    return -((now - now.detach()).exp().clamp(min=floor) * quality[mask].detach() * now).mean()


def gold_policy_gradient_of_p(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.exp().clamp(min=floor) * quality[mask].detach()).mean()


def gold_sum_of_quality(logprob, quality, mask, floor):
    now = logprob[mask]
    worth = quality.detach().masked_fill(~mask, 0)
    to_go = worth.flip(1).cumsum(1).flip(1)[mask]
    return -(now.detach().exp().clamp(min=floor) * to_go * now).mean()


def gold_normalised_quality(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    return -(now.detach().exp().clamp(min=floor) * (worth - worth.mean()) * now).mean()


def gold_min_length(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * quality[mask].detach() * now).sum() / max(len(now), 2)


def gold_detaches_the_rest(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.exp().clamp(min=floor) * quality[mask].detach() * now.detach()).mean()


# ---------------------------------------------------------------- 4b.5 right
def gold_loop(logprob, quality, mask, floor):
    total, count = 0.0, 0
    for b, t in mask.nonzero().tolist():
        weight = max(math.exp(logprob[b, t].item()), floor)
        total, count = total - weight * quality[b, t].item() * logprob[b, t], count + 1
    return total / count


# ---------------------------------------------------------------- 4b.6 wrong
def plan_one_original_at_least(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    old = min(max(round(size * share), 1), size - 1)
    return kept, updates * (size - old) / kept.double()


def plan_between_thresholds(reward, thresholds, size, share, updates):
    counts = [int((reward > tau).sum()) for tau in thresholds]
    kept = torch.tensor([a - b for a, b in zip(counts, [*counts[1:], 0], strict=True)])
    return kept, updates * (size - min(round(size * share), size - 1)) / kept.double()


def plan_of_all_rows(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    return kept, torch.full((len(kept),), updates * (size - min(round(size * share), size - 1)) / len(reward))


def plan_rows(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    return kept, torch.full((len(kept),), float(updates * (size - min(round(size * share), size - 1))))


def plan_nan_for_nothing(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    passes = updates * (size - min(round(size * share), size - 1)) / kept.double()
    return kept, torch.where(kept > 0, passes, torch.nan)


def plan_stops_at_nothing(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    kept = kept[kept > 0]
    return kept, updates * (size - min(round(size * share), size - 1)) / kept.double()


def plan_drops_a_batch(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    return kept, updates * (size - min(round(size * share), size - 1)) / (kept + 1).double()


def plan_share_of_the_kept(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > tau).sum() for tau in thresholds])
    return kept, updates * size / (kept / (1 - share)).double()


# ---------------------------------------------------------------- 4b.6 right
def plan_numpy(reward, thresholds, size, share, updates):
    values = reward.double().numpy()
    kept = np.array([np.count_nonzero(values > tau) for tau in thresholds])
    rows = updates * max(1, size - int(np.rint(size * share)))
    with np.errstate(divide="ignore"):
        return torch.from_numpy(kept), torch.from_numpy(np.divide(rows, kept))


MUTANTS = {
    "4b.1": [("kept_at_least_one", kept_at_least_one, "Where no drawn response is above the"),
             ("kept_good_originals", kept_good_originals, "Original responses drop out where nobody"),
             ("kept_by_value", kept_by_value, ""),
             ("kept_shorter", kept_shorter, "Your result has shape (3,); expected (4,)."),
             ("kept_rounded", kept_rounded, "The rewards were rounded before they were"),
             ("kept_with_margin", kept_with_margin, "What is hardly above the threshold drops"),
             ("kept_sum", kept_sum, ""),
             ("kept_positive", kept_positive, "This is what comes out if minus signs in")],
    "4b.2": [("two_statistics", two_statistics, ""),
             ("two_kth", two_kth, "The place is cut off to a whole number of"),
             ("two_of_unique", two_of_unique, "Equal rewards were counted once. Each"),
             ("two_mean_of_the_top", two_mean_of_the_top, "This is the mean of what lies above the"),
             ("two_gamma_in_percent", two_gamma_in_percent, "γ was divided by 100. It is a share"),
             ("two_plus_gamma", two_plus_gamma, "γ was added to the mean. It is a share of"),
             ("two_whole_percent", two_whole_percent, "This is what comes out if `percent` is"),
             ("two_from_one", two_from_one, "The two neighbours are weighted the wrong")],
    "4b.3": [("clock_counts_updates_from_one", clock_counts_updates_from_one,
              "The numbers change one update too late."),
             ("clock_both_calls", clock_both_calls, "The calls are counted twice. Each"),
             ("clock_grow_of_updates", clock_grow_of_updates, "improves + updates updates to a Grow"),
             ("clock_improve_zero_at_the_end", clock_improve_zero_at_the_end,
              "The last Improve of a Grow comes out as"),
             ("clock_two_results", clock_two_results, "You returned 2 values; expected 3."),
             ("clock_kept_calls", clock_kept_calls, "")],
    "4b.4": [("bc_where_after", bc_where_after, "Where the padding holds NaN or -inf, it"),
             ("bc_filtered_rows_mean", bc_filtered_rows_mean, "The mean of the kept responses runs over"),
             ("bc_max_of_one_and_zero", bc_max_of_one_and_zero, "1 was added to the number of tokens."),
             ("bc_by_longest", bc_by_longest, ""),
             ("bc_first_token_left_out", bc_first_token_left_out, "The first token of each response is left"),
             ("bc_nan_when_none", bc_nan_when_none, "Where no response is kept this is 0"),
             ("bc_none_when_none", bc_none_when_none, "It returned nothing (None); the next cell"),
             ("bc_integer_zero", bc_integer_zero, "It returned an integer; the next cell"),
             ("bc_weighted_by_length", bc_weighted_by_length, "")],
    "4b.5": [("gold_floor_as_jump", gold_floor_as_jump, "Tokens below the floor got the weight 0."),
             ("gold_one_when_below", gold_one_when_below, "Tokens below the floor got the weight 1."),
             ("gold_positive_quality", gold_positive_quality, "This is what comes out if what is"),
             ("gold_ratio", gold_ratio, "The weight max(u, π) is missing."),
             ("gold_policy_gradient_of_p", gold_policy_gradient_of_p, "log π is missing: this is minus weight ·"),
             ("gold_sum_of_quality", gold_sum_of_quality, "The quality was summed up to the end of"),
             ("gold_normalised_quality", gold_normalised_quality, "The mean quality was subtracted. Here Q̂"),
             ("gold_min_length", gold_min_length, "wrong only here: one token"),
             ("gold_detaches_the_rest", gold_detaches_the_rest, "The gradient flows through the weight and")],
    "4b.6": [("plan_one_original_at_least", plan_one_original_at_least, "Without a share of original data a row of"),
             ("plan_between_thresholds", plan_between_thresholds, "This counts what lies between a threshold"),
             ("plan_of_all_rows", plan_of_all_rows, "Divided by all responses. An Improve goes"),
             ("plan_rows", plan_rows, "These are the rows that an Improve draws."),
             ("plan_nan_for_nothing", plan_nan_for_nothing, "Where nothing is kept the passes came out"),
             ("plan_stops_at_nothing", plan_stops_at_nothing, "Your result has shape (1,); expected (2,)."),
             ("plan_drops_a_batch", plan_drops_a_batch, "1 was added to what is kept, so that"),
             ("plan_share_of_the_kept", plan_share_of_the_kept, "Rows are whole: round size · share first,")],
}

RIGHT = {
    "4b.1": [kept_inverted], "4b.2": [two_lerp], "4b.3": [clock_numpy], "4b.4": [bc_split], "4b.5": [gold_loop],
    "4b.6": [plan_numpy],
}
