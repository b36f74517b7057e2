"""A second set of answers to lesson 07, by the same hand, when the checks were there: see `lesson_07.py`."""

import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 7.1
def naive_softplus(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    return ((1 - smoothing) * torch.log(1 + torch.exp(-delta)) + smoothing * torch.log(1 + torch.exp(delta))).mean()


def beta_on_the_chosen_only(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen) - (rejected - ref_rejected)
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def beta_forgotten(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = (chosen - ref_chosen) - (rejected - ref_rejected)
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def smoothing_exchanged(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    return (-smoothing * F.logsigmoid(delta) - (1 - smoothing) * F.logsigmoid(-delta)).mean()


def log_left_out(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    return (-(1 - smoothing) * torch.sigmoid(delta) - smoothing * torch.sigmoid(-delta)).mean()


def half_of_the_smoothing(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    return (-(1 - smoothing) * F.logsigmoid(delta)).mean()


def a_detached_difference(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected).detach())
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


# ---------------------------------------------------------------- 7.2
def _mean(x, mask):
    return torch.where(mask, x, 0.0).sum(1) / mask.sum(1)


def half_of_beta(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (beta * (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask)) - 0.5).square().mean()


def absolute(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask) - 1 / (2 * beta)).abs().mean()


def over_all_tokens_of_the_batch(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (chosen[chosen_mask].mean() - rejected[rejected_mask].mean() - 1 / (2 * beta)).square()


def one_of_each_pair(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask) - 1 / (2 * beta)).square()


def one_length_for_both(chosen, chosen_mask, rejected, rejected_mask, beta):
    n = chosen_mask.sum(1)
    away = (torch.where(chosen_mask, chosen, 0.0).sum(1) - torch.where(rejected_mask, rejected, 0.0).sum(1)) / n
    return (away - 1 / (2 * beta)).square().mean()


# ---------------------------------------------------------------- 7.3
def absolute_reference_point(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().abs().detach()
    v = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    return (torch.where(good, good_weight, bad_weight) * (1 - v)).mean()


def z_not_turned_for_bad(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    v = torch.sigmoid(beta * (torch.where(good, ratio, -ratio) - z))
    return (torch.where(good, good_weight, bad_weight) * (1 - v)).mean()


def z_added(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    v = torch.sigmoid(beta * torch.where(good, ratio + z, -z - ratio))
    return (torch.where(good, good_weight, bad_weight) * (1 - v)).mean()


def weight_on_the_value_only(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    v = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    return (1 - torch.where(good, good_weight, bad_weight) * v).mean()


def each_against_its_own(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.clamp(min=0).detach()
    v = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    return (torch.where(good, good_weight, bad_weight) * (1 - v)).mean()


def two_means(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    v = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    total = 0.0 * ratio.sum()
    for kind, weight in ((good, good_weight), (~good, bad_weight)):
        if kind.any():
            total = total + weight * (1 - v[kind]).mean()
    return total / 2


# ---------------------------------------------------------------- 7.4
def absolute_drift(score, kl, beta, group):
    r = (score - beta * kl.abs()).reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * group / (group - 1)).flatten()


def mean_drift_of_all(score, kl, beta, group):
    r = (score - beta * kl.mean()).reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * group / (group - 1)).flatten()


def wrong_factor(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * (group - 1) / group).flatten()


def best_of_the_others(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    others = torch.stack([torch.cat([r[:, :i], r[:, i + 1:]], 1).max(1).values for i in range(group)], 1)
    return (r - others).flatten()


# ---------------------------------------------------------------- 7.5
def in_ranks(score, group, scale):
    r = score.reshape(-1, group).argsort(1).argsort(1).float()
    a = r - r.mean(1, keepdim=True)
    return (a / (r.std(1, keepdim=True) + 1e-4) if scale else a).flatten()


def groups_across(score, group, scale):
    r = score.reshape(group, -1)
    a = r - r.mean(0, keepdim=True)
    return (a / (r.std(0, keepdim=True) + 1e-4) if scale else a).flatten() if r.shape[0] > 1 else a.flatten()


def epsilon_of_ten_to_minus_eight(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / (r.std(1, keepdim=True) + 1e-8) if scale else a).flatten()


def against_the_median(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.median(1, keepdim=True).values
    return (a / (r.std(1, keepdim=True) + 1e-4) if scale else a).flatten()


def only_the_group_deviates(score, group, scale):
    r = score.reshape(-1, group)
    return (r / (r.std(1, keepdim=True) + 1e-4) if scale else r - r.mean(1, keepdim=True)).flatten()


# ---------------------------------------------------------------- 7.6
def _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip):
    now, old, ref = (x.masked_fill(~mask, 0.0) for x in (logprob, old_logprob, ref_logprob))
    ratio, a, away = (now - old).exp(), advantage[:, None], ref - now
    return ratio, a, away, torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)


def _each(x, mask):
    return (x.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)).mean()


def k2_for_k3(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    return _each(-least + beta * away ** 2 / 2, mask)


def without_the_penalty(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    return _each(-_parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)[3], mask)


def to_be_maximised(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    return _each(least - beta * (away.exp() - 1 - away), mask)


def the_paper_s_sign(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    return _each(least + beta * (away.exp() - 1 - away), mask)


def penalty_inside_the_minus(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    return -_each(least + beta * (away.exp() - 1 - away), mask)


def ratio_upside_down(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    return_parts = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    ratio, a, away = 1 / return_parts[0], return_parts[1], return_parts[2]
    least = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return _each(-least + beta * (away.exp() - 1 - away), mask)


def k3_against_the_old(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, old_logprob, advantage, mask, clip)
    return _each(-least + beta * (away.exp() - 1 - away), mask)


def divided_by_the_longest(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    _, _, away, least = _parts(logprob, old_logprob, ref_logprob, advantage, mask, clip)
    x = -least + beta * (away.exp() - 1 - away)
    return (x.masked_fill(~mask, 0.0).sum(1) / mask.sum(1).max()).mean()


# ---------------------------------------------------------------- 7.7
def both_subtracted_once(p, group):
    return 1 - p ** group * (1 - p) ** group


def at_least_one_of_each_by_halves(p, group):
    return 1 - 0.5 ** (group - 1) + 0 * p


def number_of_pairs(p, group):
    return group * p * (1 - p)


MUTANTS = {
    "7.1": [
        ("naive softplus", naive_softplus, "log(1 + exp(-x)) break"),
        ("beta on the chosen only", beta_on_the_chosen_only, "β multiplies only one"),
        ("beta forgotten", beta_forgotten, "β is missing"),
        ("smoothing exchanged", smoothing_exchanged, "The rejected response is pulled up"),
        ("log left out", log_left_out, "The logarithm is missing"),
        ("half of the smoothing", half_of_the_smoothing, "The second term is missing"),
        ("a detached difference", a_detached_difference, "No gradient"),
    ],
    "7.2": [
        ("half of beta", half_of_beta, "β stands in the target only"),
        ("absolute", absolute, "The distance is not squared"),
        ("over all tokens of the batch", over_all_tokens_of_the_batch, "All tokens of the batch are averaged at once"),
        ("one of each pair", one_of_each_pair, "One number for each pair"),
        ("one length for both", one_length_for_both, "Both are divided by the length of the chosen"),
    ],
    "7.3": [
        ("absolute reference point", absolute_reference_point, "A negative mean becomes 0, not positive"),
        ("z not turned for bad", z_not_turned_for_bad, "For bad responses z has the wrong sign"),
        ("z added", z_added, "z is added"),
        ("weight on the value only", weight_on_the_value_only, "The weight stands before v only"),
        ("each against its own", each_against_its_own, "Each response is held against its own"),
        ("two means", two_means, "Good and bad are averaged apart"),
    ],
    "7.4": [
        ("absolute drift", absolute_drift, "do not clamp it"),
        ("mean drift of all", mean_drift_of_all, "The KL is missing"),
        ("wrong factor", wrong_factor, "The factor is upside down"),
        ("best of the others", best_of_the_others, "The best of the others"),
    ],
    "7.5": [
        ("in ranks", in_ranks, "Ranks"),
        ("groups across", groups_across, "The groups are cut the wrong way"),
        ("epsilon of ten to minus eight", epsilon_of_ten_to_minus_eight, "1e-4 is missing"),
        ("against the median", against_the_median, "The median is subtracted"),
        ("only the group deviates", only_the_group_deviates, "With `scale` the mean is not subtracted"),
    ],
    "7.6": [
        ("k2 for k3", k2_for_k3, "This is k2"),
        ("without the penalty", without_the_penalty, "The penalty β · k3 is missing"),
        ("to be maximised", to_be_maximised, "This is the objective, to be maximised"),
        ("the paper's sign", the_paper_s_sign, "The sign is wrong"),
        ("penalty inside the minus", penalty_inside_the_minus, "The penalty has the wrong sign"),
        ("ratio upside down", ratio_upside_down, "The ratio of the surrogate is upside down"),
        ("k3 against the old", k3_against_the_old, "k3 is taken against the old policy"),
        ("divided by the longest", divided_by_the_longest, "Every response is divided by the longest"),
    ],
    "7.7": [
        ("both subtracted once", both_subtracted_once, "The two are not to be multiplied"),
        ("at least one of each by halves", at_least_one_of_each_by_halves, "`p` is not used"),
        ("number of pairs", number_of_pairs, "This is the variance"),
    ],
}
