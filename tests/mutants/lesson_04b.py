"""Answers to lesson 04b as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the notebook's text.
"""

import math

import numpy as np
import torch


# ---------------------------------------------------------------- 4b.1
def at_least(reward, original, threshold):
    return original | reward.ge(threshold)


def everybody_filtered(reward, original, threshold):
    return torch.gt(reward, threshold)


def originals_out(reward, original, threshold):
    return ~original & (reward > threshold)


def both_conditions(reward, original, threshold):
    return torch.logical_and(original, reward > threshold)


def what_is_below(reward, original, threshold):
    return torch.where(original, True, reward < threshold)


def not_not_above(reward, original, threshold):
    return ~(~original & ~(reward <= threshold))


def above_the_mean(reward, original, threshold):
    return original | (reward > reward.mean())


def places(reward, original, threshold):
    return (original | (reward > threshold)).nonzero()[:, 0]


def ones_and_zeros(reward, original, threshold):
    return (original | (reward > threshold)).float()


def a_list_of_them(reward, original, threshold):
    return [bool(o or r > threshold) for r, o in zip(reward, original, strict=True)]


def clears_the_rewards(reward, original, threshold):
    reward[original] = float("inf")
    return reward > threshold


def either_or(reward, original, threshold):
    return original != (reward > threshold)


def with_where(reward, original, threshold):
    return torch.where(original, torch.tensor(True), reward > threshold)


def with_a_copy(reward, original, threshold):
    return reward.masked_fill(original, math.inf).gt(threshold)


def one_by_one(reward, original, threshold):
    return torch.tensor([o or r > threshold for r, o in zip(reward.tolist(), original.tolist(), strict=True)])


# ---------------------------------------------------------------- 4b.2
def lower_neighbour(reward, percent, gamma):
    ordered = reward.sort().values
    return ordered[int(percent / 100 * (len(reward) - 1))], gamma * reward.max() + (1 - gamma) * reward.mean()


def place_of_n(reward, percent, gamma):
    ordered = reward.sort().values
    place = min(int(percent / 100 * len(reward)), len(reward) - 1)
    return ordered[place], gamma * reward.max() + (1 - gamma) * reward.mean()


def from_the_top(reward, percent, gamma):
    return torch.quantile(reward, 1 - percent / 100), gamma * reward.max() + (1 - gamma) * reward.mean()


def share_of_the_highest(reward, percent, gamma):
    return percent / 100 * reward.max(), gamma * reward.max() + (1 - gamma) * reward.mean()


def unsorted(reward, percent, gamma):
    place = percent / 100 * (len(reward) - 1)
    low, high = math.floor(place), math.ceil(place)
    return (reward[low] + (place - low) * (reward[high] - reward[low]),
            gamma * reward.max() + (1 - gamma) * reward.mean())


def gamma_on_the_mean(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma * reward.mean() + (1 - gamma) * reward.max()


def median_for_mean(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma * reward.max() + (1 - gamma) * reward.median()


def from_the_lowest(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), reward.min() + gamma * (reward.max() - reward.min())


def no_mean(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma * reward.max()


def turned_round(reward, percent, gamma):
    return gamma * reward.max() + (1 - gamma) * reward.mean(), torch.quantile(reward, percent / 100)


def not_a_share(reward, percent, gamma):
    return torch.quantile(reward, percent), gamma * reward.max() + (1 - gamma) * reward.mean()


def sorts_the_argument(reward, percent, gamma):
    reward[:] = reward.sort().values
    return torch.quantile(reward, percent / 100), gamma * reward.max() + (1 - gamma) * reward.mean()


def three_of_them(reward, percent, gamma):
    return torch.quantile(reward, percent / 100), gamma * reward.max() + (1 - gamma) * reward.mean(), reward.max()


def by_numpy(reward, percent, gamma):
    values = reward.numpy()
    return float(np.percentile(values, percent)), float(gamma * values.max() + (1 - gamma) * values.mean())


def by_hand(reward, percent, gamma):
    values = sorted(reward.tolist())
    place = percent / 100 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    mean = sum(values) / len(values)
    return values[low] * (1 - place + low) + values[high] * (place - low), mean + gamma * (values[-1] - mean)


def as_double(reward, percent, gamma):
    r = reward.double()
    return r.quantile(percent / 100), torch.lerp(r.mean(), r.max(), gamma)


# ---------------------------------------------------------------- 4b.3
def both_from_zero(update, improves, updates, drawn):
    grow, rest = divmod(update, improves * updates)
    return grow, rest // updates, (grow + 1) * drawn


def grow_from_zero(update, improves, updates, drawn):
    grow = update // (improves * updates)
    return grow, update % (improves * updates) // updates + 1, (grow + 1) * drawn


def never_begins_again(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return grow, update // updates + 1, grow * drawn


def each_improve_asks(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    improve = update // updates % improves + 1
    return grow, improve, (update // updates + 1) * drawn


def each_update_asks(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return grow, update // updates % improves + 1, (update + 1) * drawn


def only_finished_grows(update, improves, updates, drawn):
    grow = update // (improves * updates)
    return grow + 1, update // updates % improves + 1, grow * drawn


def this_grow_only(update, improves, updates, drawn):
    return update // (improves * updates) + 1, update // updates % improves + 1, drawn


def rounded_up(update, improves, updates, drawn):
    grow = math.ceil(update / (improves * updates))
    return grow, math.ceil(update / updates) - (grow - 1) * improves, grow * drawn


def short_grows(update, improves, updates, drawn):
    grow = update // updates + 1
    return grow, update % updates // improves + 1, grow * drawn


def fractions(update, improves, updates, drawn):
    grow = update / (improves * updates) + 1
    return grow, update / updates % improves + 1, grow * drawn


def improve_first(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return update // updates % improves + 1, grow, grow * drawn


def in_a_list(update, improves, updates, drawn):
    grow = update // (improves * updates) + 1
    return [grow, update // updates % improves + 1, grow * drawn]


def simulated(update, improves, updates, drawn):
    grow, improve, done = 1, 1, 0
    for _ in range(update):
        done += 1
        if done == updates:
            improve, done = improve + 1, 0
            if improve > improves:
                grow, improve = grow + 1, 1
    return grow, improve, grow * drawn


def twice_divmod(update, improves, updates, drawn):
    number, _ = divmod(update, updates)
    grow, improve = divmod(number, improves)
    return grow + 1, improve + 1, drawn + grow * drawn


def tensors_of_integers(update, improves, updates, drawn):
    grow = torch.tensor(update // (improves * updates) + 1)
    return grow, torch.tensor(update // updates % improves + 1), grow * drawn


# ---------------------------------------------------------------- 4b.4
def times_the_masks(logprob, mask, kept):
    counted = mask * kept[:, None]
    return -(logprob * counted).sum() / counted.sum().clamp(min=1)


def nan_of_nothing(logprob, mask, kept):
    return -logprob[kept][mask[kept]].mean()


def not_filtered(logprob, mask, kept):
    return -logprob[mask].mean()


def padding_too(logprob, mask, kept):
    return -logprob[kept].mean() if kept.any() else logprob.sum() * 0


def those_left_out(logprob, mask, kept):
    chosen = logprob[~kept][mask[~kept]]
    return -chosen.sum() / max(len(chosen), 1)


def no_minus(logprob, mask, kept):
    chosen = logprob[kept][mask[kept]]
    return chosen.sum() / max(len(chosen), 1)


def summed_up(logprob, mask, kept):
    return -logprob[kept][mask[kept]].sum()


def over_all_tokens(logprob, mask, kept):
    return -torch.where(mask & kept[:, None], logprob, 0.0).sum() / mask.sum()


def response_by_response(logprob, mask, kept):
    counted = mask & kept[:, None]
    each = torch.where(counted, logprob, 0.0).sum(1) / counted.sum(1).clamp(min=1)
    return -each.sum() / kept.sum().clamp(min=1)


def sum_over_responses(logprob, mask, kept):
    return -torch.where(mask & kept[:, None], logprob, 0.0).sum(1)[kept].sum() / max(int(kept.sum()), 1)


def a_plain_number(logprob, mask, kept):
    chosen = logprob[kept][mask[kept]]
    return -chosen.sum().item() / max(len(chosen), 1)


def zeroes_it_in_place(logprob, mask, kept):
    with torch.no_grad():
        logprob[~(mask & kept[:, None])] = 0
    return -logprob.sum() / (mask & kept[:, None]).sum().clamp(min=1)


def chosen_ones(logprob, mask, kept):
    chosen = logprob[mask & kept[:, None]]
    return -chosen.sum() / max(chosen.numel(), 1)


def row_by_row(logprob, mask, kept):
    tokens = [logprob[b][mask[b]] for b in range(len(kept)) if kept[b]]
    tokens = torch.cat(tokens) if tokens else logprob[:0, 0]
    return -tokens.mean() if len(tokens) else torch.zeros(())


def masked(logprob, mask, kept):
    counted = mask.logical_and(kept.unsqueeze(1))
    return logprob.masked_fill(~counted, 0).sum().neg().div(counted.sum().clamp(min=1))


# ---------------------------------------------------------------- 4b.5
def weight_learns(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.exp().clamp(min=floor) * quality[mask].detach() * now).mean()


def quality_learns(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * quality[mask] * now).mean()


def everything_learns(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(torch.clamp(torch.exp(now), min=floor) * quality[mask] * now).mean()


def no_floor(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp() * quality[mask].detach() * now).mean()


def a_ceiling(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(max=floor) * quality[mask].detach() * now).mean()


def floor_of_the_log(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().clamp(min=floor).exp() * quality[mask].detach() * now).mean()


def no_weight(logprob, quality, mask, floor):
    return -(quality[mask].detach() * logprob[mask]).mean()


def no_quality(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * now).mean()


def wrong_sign(logprob, quality, mask, floor):
    now = logprob[mask]
    return (now.detach().exp().clamp(min=floor) * quality[mask].detach() * now).mean()


def a_sum(logprob, quality, mask, floor):
    now = logprob[mask]
    return -(now.detach().exp().clamp(min=floor) * quality[mask].detach() * now).sum()


def nan_by_the_mask(logprob, quality, mask, floor):
    weight = logprob.detach().exp().clamp(min=floor) * quality.detach()
    return -(weight * logprob * mask).sum() / mask.sum()


def where_at_the_end(logprob, quality, mask, floor):
    each = -logprob.detach().exp().clamp(min=floor) * quality.detach() * logprob
    return torch.where(mask, each, 0.0).sum() / mask.sum()


def per_response(logprob, quality, mask, floor):
    now = torch.where(mask, logprob, 0.0)
    each = now.detach().exp().clamp(min=floor) * torch.where(mask, quality, 0.0).detach() * now
    return -(each.sum(1) / mask.sum(1)).mean()


def by_the_weights(logprob, quality, mask, floor):
    now = logprob[mask]
    weight = (now.exp().clamp(min=floor) * quality[mask]).detach()
    return -(weight * now).sum() / weight.sum()


def floor_of_the_product(logprob, quality, mask, floor):
    now = logprob[mask]
    return -((now.exp() * quality[mask]).detach().clamp(min=floor) * now).mean()


def all_detached(logprob, quality, mask, floor):
    with torch.no_grad():
        now = logprob[mask]
        return -(now.exp().clamp(min=floor) * quality[mask] * now).mean()


def without_grad(logprob, quality, mask, floor):
    with torch.no_grad():
        weight = torch.maximum(logprob[mask].exp(), torch.tensor(floor)) * quality[mask]
    return -(weight * logprob[mask]).mean()


def replaced_first(logprob, quality, mask, floor):
    now, worth = logprob.masked_fill(~mask, 0), quality.masked_fill(~mask, 0).detach()
    return -(now.detach().exp().clamp_min(floor) * worth * now).sum() / mask.sum()


# ---------------------------------------------------------------- 4b.6
def reaches_it(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward >= tau).sum().item() for tau in thresholds])
    return kept, updates * (size - min(round(size * share), size - 1)) / kept.double()


def whole_batches(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * size / kept.double()


def not_rounded(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * size * (1 - share) / kept.double()


def cut_off(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * (size - int(size * share)) / kept.double()


def all_original(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * (size - round(size * share)) / kept.double()


def one_update(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, (size - min(round(size * share), size - 1)) / kept.double()


def upside_down(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, kept / (updates * (size - min(round(size * share), size - 1)))


def zero_division(reward, thresholds, size, share, updates):
    kept = [int((reward > tau).sum()) for tau in thresholds]
    rows = updates * (size - min(round(size * share), size - 1))
    return torch.tensor(kept), torch.tensor([rows / k for k in kept])


def at_least_one(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * (size - min(round(size * share), size - 1)) / kept.clamp(min=1)


def shares(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).double().mean().item() for tau in thresholds])
    return kept, updates * (size - min(round(size * share), size - 1)) / (kept * len(reward))


def as_lists(reward, thresholds, size, share, updates):
    kept = [int((reward > tau).sum()) for tau in thresholds]
    rows = updates * (size - min(round(size * share), size - 1))
    return kept, [rows / k if k else math.inf for k in kept]


def floats_for_counts(reward, thresholds, size, share, updates):
    kept = torch.tensor([float((reward > tau).sum()) for tau in thresholds])
    return kept, updates * (size - min(round(size * share), size - 1)) / kept


def of_the_originals(reward, thresholds, size, share, updates):
    kept = torch.tensor([(reward > tau).sum().item() for tau in thresholds])
    return kept, updates * min(round(size * share), size - 1) / kept.double()


def all_at_once(reward, thresholds, size, share, updates):
    kept = (reward[None, :] > torch.tensor(thresholds, dtype=torch.float64)[:, None]).sum(1)
    new = max(size - round(size * share), 1)
    return kept, torch.tensor(float(updates * new)) / kept


def by_python(reward, thresholds, size, share, updates):
    kept = [sum(r > tau for r in reward.double().tolist()) for tau in thresholds]
    rows = updates * max(size - int(size * share + 0.5), 1)
    return torch.tensor(kept, dtype=torch.int32), torch.tensor([rows / k if k else float("inf") for k in kept])


MUTANTS = {
    "4b.1": [("at_least", at_least, "is strict"),
             ("everybody_filtered", everybody_filtered, "Original responses are filtered"),
             ("originals_out", originals_out, "original responses are left out"),
             ("both_conditions", both_conditions, "`&`"),
             ("what_is_below", what_is_below, "*below*"), ("not_not_above", not_not_above, "*below*"),
             ("above_the_mean", above_the_mean, "mean reward"), ("places", places, "shape (2,)"),
             ("ones_and_zeros", ones_and_zeros, "needs a tensor of booleans"),
             ("a_list_of_them", a_list_of_them, "torch.tensor"),
             ("clears_the_rewards", clears_the_rewards, "writes into its argument `reward`"),
             ("either_or", either_or, "either-or")],
    "4b.2": [("lower_neighbour", lower_neighbour, "lower of the two neighbours"), ("place_of_n", place_of_n, "cut off"),
             ("from_the_top", from_the_top, "counted from the top"),
             ("share_of_the_highest", share_of_the_highest, "of the highest reward"),
             ("unsorted", unsorted, "not sorted"),
             ("gamma_on_the_mean", gamma_on_the_mean, "weighs the mean"),
             ("median_for_mean", median_for_mean, "median"),
             ("from_the_lowest", from_the_lowest, "lowest reward"), ("no_mean", no_mean, "is missing"),
             ("turned_round", turned_round, "exchanged"), ("not_a_share", not_a_share, "divide it by 100"),
             ("sorts_the_argument", sorts_the_argument, "writes into its argument"),
             ("three_of_them", three_of_them, "3 values")],
    "4b.3": [("both_from_zero", both_from_zero, "counted from 0"),
             ("grow_from_zero", grow_from_zero, "Grow is counted from 0"),
             ("never_begins_again", never_begins_again, "begin at 1 again"),
             ("each_improve_asks", each_improve_asks, "with every Improve"),
             ("each_update_asks", each_update_asks, "every update"),
             ("only_finished_grows", only_finished_grows, "are not counted"),
             ("this_grow_only", this_grow_only, "one Grow"),
             ("rounded_up", rounded_up, "too late"), ("short_grows", short_grows, "A Grow ends after"),
             ("fractions", fractions, "`//`"), ("improve_first", improve_first, "exchanged")],
    "4b.4": [("times_the_masks", times_the_masks, "0 times NaN"), ("nan_of_nothing", nan_of_nothing, "mean of nothing"),
             ("not_filtered", not_filtered, "filter is not used"), ("padding_too", padding_too, "padding is in it"),
             ("those_left_out", those_left_out, "*not* kept"), ("no_minus", no_minus, "sign"),
             ("summed_up", summed_up, "sum over tokens"), ("over_all_tokens", over_all_tokens, "*all* responses"),
             ("response_by_response", response_by_response, "own mean first"),
             ("sum_over_responses", sum_over_responses, "of their sums"),
             ("a_plain_number", a_plain_number, ".item()"),
             ("zeroes_it_in_place", zeroes_it_in_place, "the gradient in `logprob` is not")],
    "4b.5": [("weight_learns", weight_learns, "through the weight"),
             ("quality_learns", quality_learns, "into `quality`"),
             ("everything_learns", everything_learns, "through the weight and into"),
             ("no_floor", no_floor, "floor u is not used"),
             ("a_ceiling", a_ceiling, "ceiling"), ("floor_of_the_log", floor_of_the_log, "exp came after"),
             ("no_weight", no_weight, "weight max(u, π) is missing"), ("no_quality", no_quality, "Q̂ is not used"),
             ("wrong_sign", wrong_sign, "sign"), ("a_sum", a_sum, "sum over tokens"),
             ("nan_by_the_mask", nan_by_the_mask, "0 times NaN"),
             ("where_at_the_end", where_at_the_end, "spoils the gradient"),
             ("per_response", per_response, "own mean first"), ("by_the_weights", by_the_weights, "sum of the weights"),
             ("floor_of_the_product", floor_of_the_product, "π · Q̂"),
             ("all_detached", all_detached, "No gradient is left")],
    "4b.6": [("reaches_it", reaches_it, "is strict"), ("whole_batches", whole_batches, "Whole batches"),
             ("not_rounded", not_rounded, "Rows are whole"), ("cut_off", cut_off, "cut off"),
             ("all_original", all_original, "at most size - 1"), ("one_update", one_update, "one update"),
             ("upside_down", upside_down, "upside down"), ("zero_division", zero_division, "divide by 0"),
             ("at_least_one", at_least_one, "divides by 1"), ("shares", shares, "share that is kept"),
             ("as_lists", as_lists, "list"), ("floats_for_counts", floats_for_counts, "`kept`"),
             ("of_the_originals", of_the_originals, "original rows")],
}

RIGHT = {
    "4b.1": [with_where, with_a_copy, one_by_one],
    "4b.2": [by_numpy, by_hand, as_double],
    "4b.3": [simulated, twice_divmod, tensors_of_integers, in_a_list],
    "4b.4": [chosen_ones, row_by_row, masked],
    "4b.5": [without_grad, replaced_first],
    "4b.6": [all_at_once, by_python],
}
