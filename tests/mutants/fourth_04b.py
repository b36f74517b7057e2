"""A fourth set of answers to lesson 04b, made up from the notebook alone: see `lesson_04b.py`."""

import math

import numpy as np
import torch


# ---------------------------------------------------------------- 4b.1 wrong
def rows_rewards_kept_not_booleans(reward, original, threshold):
    return reward[original | (reward > threshold)]


def rows_places(reward, original, threshold):
    return (original | (reward > threshold)).nonzero()[:, 0]


def rows_sum(reward, original, threshold):
    return original.float() + (reward > threshold).float()


def rows_original_reward_replaced_1(reward, original, threshold):
    return torch.where(original, 1.0, reward) > threshold


def rows_writes_into_original(reward, original, threshold):
    original |= reward > threshold
    return original


def rows_top_share(reward, original, threshold):
    return original | (reward > reward[~original].mean())


def rows_multiplied(reward, original, threshold):
    return (original + (~original) * reward) > threshold


# ---------------------------------------------------------------- 4b.1 right
def rows_loop(reward, original, threshold):
    return torch.tensor([o or r > threshold for r, o in zip(reward.tolist(), original.tolist(), strict=False)])


def rows_where(reward, original, threshold):
    return torch.where(original, True, torch.gt(reward, threshold))


def rows_infinity_originals(reward, original, threshold):
    return reward.masked_fill(original, torch.inf).gt(threshold)


# ---------------------------------------------------------------- 4b.2 wrong
def thresholds_no_interpolation(reward, percent, gamma):
    place = int(percent / 100 * (len(reward) - 1))
    return reward.sort().values[place], gamma * reward.max() + (1 - gamma) * reward.mean()


def thresholds_n_instead_n_minus_one(reward, percent, gamma):
    s = reward.sort().values
    place = percent / 100 * len(s)
    low = min(int(place), len(s) - 1)
    high = min(low + 1, len(s) - 1)
    return s[low] + (place - int(place)) * (s[high] - s[low]), gamma * reward.max() + (1 - gamma) * reward.mean()


def thresholds_midpoint(reward, percent, gamma):
    return torch.quantile(reward, percent / 100, interpolation="midpoint"), reward.lerp(reward.max(), gamma).mean()


def thresholds_nearest(reward, percent, gamma):
    return torch.quantile(reward, percent / 100, interpolation="nearest"), reward.lerp(reward.max(), gamma).mean()


def thresholds_between_lowest_highest(reward, percent, gamma):
    low, high = reward.min(), reward.max()
    return low + percent / 100 * (high - low), gamma * high + (1 - gamma) * reward.mean()


def thresholds_absolute_largest(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma * reward.abs().max() + (1 - gamma) * reward.mean()


def thresholds_fails_one_reward(reward, percent, gamma):
    s = reward.sort().values
    place = percent / 100 * (len(s) - 1)
    low = int(place)
    return s[low] + (place - low) * (s[low + 1] - s[low]), gamma * reward.max() + (1 - gamma) * reward.mean()


# ---------------------------------------------------------------- 4b.2 right
def thresholds_hand(reward, percent, gamma):
    s = sorted(reward.tolist())
    low, part = divmod(percent / 100 * (len(s) - 1), 1)
    low = int(low)
    top = s[low + 1] if part else s[low]
    return [s[low] + part * (top - s[low]), sum(s) / len(s) + gamma * (s[-1] - sum(s) / len(s))]


def thresholds_numpy(reward, percent, gamma):
    r = reward.double().numpy()
    return np.percentile(r, percent), np.average([r.max(), r.mean()], weights=[gamma, 1 - gamma])


def thresholds_lerp(reward, percent, gamma):
    s = reward.double().sort().values
    place = percent / 100 * (len(s) - 1)
    return torch.lerp(s[math.floor(place)], s[math.ceil(place)], place % 1), torch.lerp(s.mean(), s[-1], gamma)


# ---------------------------------------------------------------- 4b.3 wrong
def clock_from_0(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow, rest // updates, (grow + 1) * drawn


def clock_calls_past_grows_only(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow + 1, rest // updates + 1, grow * drawn


def clock_improve_counted_over_run(update, improves, updates, drawn):
    return update // (improves * updates) + 1, update // updates + 1, (update // (improves * updates) + 1) * drawn


def clock_asked_each_improve(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow + 1, rest // updates + 1, (update // updates + 1) * drawn


def clock_asked_each_update(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow + 1, rest // updates + 1, (update + 1) * drawn


def clock_floats(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow + 1, rest / updates + 1, (grow + 1) * drawn


def clock_modulo(update, improves, updates, drawn):
    grow = update // (improves * updates)
    return grow + 1, update % improves + 1, (grow + 1) * drawn


# ---------------------------------------------------------------- 4b.3 right
def clock_improve_modulo(update, improves, updates, drawn):
    done = update // updates
    return 1 + done // improves, 1 + done % improves, drawn * (1 + done // improves)


def clock_counting_loop(update, improves, updates, drawn):
    grow, improve, left = 1, 1, update
    while left >= updates:
        left -= updates
        improve += 1
        if improve > improves:
            grow, improve = grow + 1, 1
    return [grow, improve, grow * drawn]


def clock_recursion(update, improves, updates, drawn):
    if update < improves * updates:
        return 1, update // updates + 1, drawn
    g, i, c = clock_recursion(update - improves * updates, improves, updates, drawn)
    return g + 1, i, c + drawn


# ---------------------------------------------------------------- 4b.4 wrong
def bc_mean_responses_means(logprob, mask, kept):
    c = mask & kept[:, None]
    rows = torch.where(c, logprob, 0.0).sum(1) / c.sum(1).clamp(min=1)
    return -rows.sum() / kept.sum().clamp(min=1)


def bc_kept_ignored(logprob, mask, kept):
    return -torch.where(mask, logprob, 0.0).sum() / mask.sum().clamp(min=1)


def bc_mask_ignored(logprob, mask, kept):
    return -logprob[kept].mean() if kept.any() else logprob.sum() * 0


def bc_divided_b(logprob, mask, kept):
    c = mask & kept[:, None]
    return -torch.where(c, logprob, 0.0).sum() / len(kept)


def bc_kept_not_along_rows(logprob, mask, kept):
    counted = mask & kept
    return -torch.where(counted, logprob, 0.0).sum() / counted.sum().clamp(min=1)


def bc_either(logprob, mask, kept):
    c = mask | kept[:, None]
    return -torch.where(c, logprob, 0.0).sum() / c.sum().clamp(min=1)


def bc_plain_0_if_none_detached(logprob, mask, kept):
    c = mask & kept[:, None]
    return torch.tensor(-logprob[c].mean().item()) if c.any() else torch.tensor(0.0)


# ---------------------------------------------------------------- 4b.4 right
def bc_nan_num_times_mask(logprob, mask, kept):
    c = mask & kept[:, None]
    return -(logprob.nan_to_num(0.0) * c).sum() / c.sum().clamp(min=1)


def bc_select_sum(logprob, mask, kept):
    some = logprob[kept][mask[kept]]
    return -some.sum() / max(1, some.numel())


def bc_loops(logprob, mask, kept):
    total, n = logprob.new_zeros(()), 0
    for b in range(len(kept)):
        if kept[b]:
            total = total - logprob[b, mask[b]].sum()
            n += int(mask[b].sum())
    return total / n if n else total


def bc_einsum_filled(logprob, mask, kept):
    filled = logprob.masked_fill(~(mask & kept.unsqueeze(1)), 0.0).double()
    w = mask.double()
    k = kept.double()
    n = torch.einsum("b,bt->", k, w)
    return -torch.einsum("b,bt,bt->", k, w, filled) / torch.clamp(n, min=1.0)


# ---------------------------------------------------------------- 4b.5 wrong
def gold_gradient_through_weight(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    return -(now.exp().clamp(min=floor) * worth * now).mean()


def gold_gradient_into_quality(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * quality[mask] * now).mean()


def gold_min_floor(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    return -(now.detach().exp().clamp(max=floor) * worth * now).mean()


def gold_floor_on_log(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    return -(now.detach().clamp(min=floor) * worth * now).mean()


def gold_divided_weights(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    w = now.detach().exp().clamp(min=floor)
    return -(w * worth * now).sum() / w.sum()


def gold_floor_added(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach()
    return -((now.detach().exp() + floor) * worth * now).mean()


def gold_negative_quality_cut(logprob, quality, mask, floor):
    now, worth = logprob[mask], quality[mask].detach().clamp(min=0)
    return -(now.detach().exp().clamp(min=floor) * worth * now).mean()


# ---------------------------------------------------------------- 4b.5 right
def gold_no_grad_weights(logprob, quality, mask, floor):
    with torch.no_grad():
        w = torch.where(mask, torch.clamp(logprob.exp(), min=floor) * quality, 0.0) / mask.sum()
    return -(w * torch.where(mask, logprob, 0.0)).sum()


def gold_loops(logprob, quality, mask, floor):
    parts = []
    for b, t in mask.nonzero().tolist():
        now = logprob[b, t]
        parts.append(max(floor, math.exp(now.item())) * quality[b, t].item() * now)
    return -sum(parts) / len(parts)


def gold_floor_log_space_dot(logprob, quality, mask, floor):
    now, q = torch.masked_select(logprob, mask), torch.masked_select(quality.detach(), mask)
    lowest = math.log(floor) if floor > 0 else -math.inf
    w = torch.clamp(now.detach(), min=lowest).exp()
    return torch.dot(w * q, now).neg() / now.numel()


# ---------------------------------------------------------------- 4b.6 wrong
def plan_least(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward >= t).sum() for t in thresholds])
    original = min(round(size * share), size - 1)
    return kept, updates * (size - original) / kept.float()


def plan_ceil(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    return kept, updates * (size - min(math.ceil(size * share), size - 1)) / kept.float()


def plan_least_one_original(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    original = max(1, min(round(size * share), size - 1))
    return kept, updates * (size - original) / kept.float()


def plan_whole_passes(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    original = min(round(size * share), size - 1)
    return kept, (updates * (size - original) / kept.float()).floor()


def plan_share_n_kept(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    original = min(round(size * share), size - 1)
    return kept, updates * (size - original) / (kept.float() / len(reward))


def plan_passes_add_up_over_improves(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    original = min(round(size * share), size - 1)
    return kept, (updates * (size - original) / kept.float()).cumsum(0)


def plan_updates_split_over_improves(reward, thresholds, size, share, updates):
    kept = torch.stack([(reward > t).sum() for t in thresholds])
    original = min(round(size * share), size - 1)
    return kept, updates / len(thresholds) * (size - original) / kept.float()


# ---------------------------------------------------------------- 4b.6 right
def plan_one_comparison_table(reward, thresholds, size, share, updates):
    kept = (reward[None, :] > torch.tensor(thresholds, dtype=reward.dtype)[:, None]).sum(1)
    rows = max(1, size - round(size * share))
    return kept, (updates * rows) / kept


def plan_lists(reward, thresholds, size, share, updates):
    r = reward.tolist()
    counts = [sum(x > t for x in r) for t in thresholds]
    rows = size - min(size - 1, int(size * share + 0.5))
    return [torch.tensor(counts), torch.tensor([updates * rows / c if c else math.inf for c in counts])]


def plan_searchsorted(reward, thresholds, size, share, updates):
    s = reward.sort().values
    t = torch.tensor(thresholds, dtype=s.dtype)
    kept = len(s) - torch.searchsorted(s, t, right=True)
    rows = size - min(round(size * share), size - 1)
    return kept.int(), torch.full((len(thresholds),), float(updates * rows), dtype=torch.float64) / kept


MUTANTS = {
    "4b.1": [
        ("rows_rewards_kept_not_booleans", rows_rewards_kept_not_booleans,
         "Your result has shape (2,); expected (4,)."),
        ("rows_places", rows_places, "Your result has shape (2,); expected (4,)."),
        ("rows_sum", rows_sum, "True and False were added up, so an original response"),
        ("rows_original_reward_replaced_1", rows_original_reward_replaced_1,
         "Original responses got a reward of 1 or another"),
        ("rows_writes_into_original", rows_writes_into_original,
         "The result is right, but your function writes into its"),
        ("rows_top_share", rows_top_share, "It is compared with the mean reward of what was drawn."),
        ("rows_multiplied", rows_multiplied, "Original responses got a reward of 1 or another"),
    ],
    "4b.2": [
        ("thresholds_no_interpolation", thresholds_no_interpolation,
         "The percentile is the lower of the two neighbours."),
        ("thresholds_n_instead_n_minus_one", thresholds_n_instead_n_minus_one,
         "The place is p/100 · N. Counted from 0 the last one is"),
        ("thresholds_midpoint", thresholds_midpoint, "The percentile is the middle of the two neighbours."),
        ("thresholds_nearest", thresholds_nearest, "The percentile is the nearer of the two neighbours."),
        ("thresholds_between_lowest_highest", thresholds_between_lowest_highest,
         "This goes `percent` of the way from the lowest reward"),
        ("thresholds_absolute_largest", thresholds_absolute_largest,
         "Right on 15 of 16 cases, and wrong only here: rewards"),
        ("thresholds_fails_one_reward", thresholds_fails_one_reward,
         "A place is asked for that does not exist: for one of"),
    ],
    "4b.3": [
        ("clock_from_0", clock_from_0, "Grow and Improve are counted from 0. Count both from 1."),
        ("clock_calls_past_grows_only", clock_calls_past_grows_only,
         "The calls of the Grow that runs are not counted. Its"),
        ("clock_improve_counted_over_run", clock_improve_counted_over_run,
         "Improves go on counting over all Grows. With each Grow"),
        ("clock_asked_each_improve", clock_asked_each_improve, "The reward is asked again with every Improve. It is"),
        ("clock_asked_each_update", clock_asked_each_update, "The reward is asked with every update, as online"),
        ("clock_floats", clock_floats, "`/` leaves a part of an Improve. Only whole ones are"),
        ("clock_modulo", clock_modulo, "The Improve changes with every update. It lasts"),
    ],
    "4b.4": [
        ("bc_mean_responses_means", bc_mean_responses_means, "Each response got its own mean first, so a token of a"),
        ("bc_kept_ignored", bc_kept_ignored, "The filter is not used: responses that were not kept"),
        ("bc_mask_ignored", bc_mask_ignored, "The padding is in it. Use the mask as well as `kept`."),
        ("bc_divided_b", bc_divided_b, "Divided by the number of all responses. Divide by the"),
        ("bc_kept_not_along_rows", bc_kept_not_along_rows, "Two shapes do not fit for one of the inputs. Print"),
        ("bc_either", bc_either, "`|` counts what is real *or* kept. A token has to be"),
        ("bc_plain_0_if_none_detached", bc_plain_0_if_none_detached, "The values are right, but no gradient reaches"),
    ],
    "4b.5": [
        ("gold_gradient_through_weight", gold_gradient_through_weight,
         "A gradient flows through the weight π as well. It only"),
        ("gold_gradient_into_quality", gold_gradient_into_quality,
         "A gradient flows into `quality`, which is a constant"),
        ("gold_min_floor", gold_min_floor, "u is taken as a ceiling, min(u, π). It is a floor:"),
        ("gold_floor_on_log", gold_floor_on_log, "The floor is held against log π, which is always below"),
        ("gold_divided_weights", gold_divided_weights, "The sum is divided by the sum of the weights. Divide"),
        ("gold_floor_added", gold_floor_added, "u is added to π. Take the larger of the two."),
        ("gold_negative_quality_cut", gold_negative_quality_cut, "This is what comes out if what is negative in"),
    ],
    "4b.6": [
        ("plan_least", plan_least, "A reward of exactly the threshold is counted. The"),
        ("plan_ceil", plan_ceil, "size · share is rounded up. Round it to the nearest"),
        ("plan_least_one_original", plan_least_one_original, "Each batch got at least one original row, even where"),
        ("plan_whole_passes", plan_whole_passes, "Whole passes only. Use `/`, fractions count, too."),
        ("plan_share_n_kept", plan_share_n_kept, "Divided by the share that is kept. Divide by its"),
        ("plan_passes_add_up_over_improves", plan_passes_add_up_over_improves,
         "The passes are added up over the Improves. Return"),
        ("plan_updates_split_over_improves", plan_updates_split_over_improves,
         "The updates are shared out over the Improves."),
    ],
}

RIGHT = {
    "4b.1": [rows_loop, rows_where, rows_infinity_originals],
    "4b.2": [thresholds_hand, thresholds_numpy, thresholds_lerp],
    "4b.3": [clock_improve_modulo, clock_counting_loop, clock_recursion],
    "4b.4": [bc_nan_num_times_mask, bc_select_sum, bc_loops, bc_einsum_filled],
    "4b.5": [gold_no_grad_weights, gold_loops, gold_floor_log_space_dot],
    "4b.6": [plan_one_comparison_table, plan_lists, plan_searchsorted],
}
