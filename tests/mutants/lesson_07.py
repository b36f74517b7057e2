"""Answers to lesson 07 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the exercises' text, before there was a check.
"""

import math

import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 7.1
def without_the_reference(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - rejected)
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def the_wrong_way_round(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((rejected - ref_rejected) - (chosen - ref_chosen))
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def log_of_sigmoid(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen - rejected + ref_rejected)
    return (-(1 - smoothing) * torch.log(torch.sigmoid(delta)) - smoothing * torch.log(torch.sigmoid(-delta))).mean()


def summed_over_pairs(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen - rejected + ref_rejected)
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).sum()


def one_for_each_pair(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen - rejected + ref_rejected)
    return -(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)


def smoothing_forgotten(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return -F.logsigmoid(beta * (chosen - ref_chosen - rejected + ref_rejected)).mean()


def beta_outside(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = chosen - ref_chosen - rejected + ref_rejected
    return beta * (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def plus_the_reference(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - rejected + ref_chosen - ref_rejected)
    return (-(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)).mean()


def to_be_maximised(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen - rejected + ref_rejected)
    return ((1 - smoothing) * F.logsigmoid(delta) + smoothing * F.logsigmoid(-delta)).mean()


def unbiased_smoothing(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * (chosen - ref_chosen - rejected + ref_rejected)
    return ((-(1 - smoothing) * F.logsigmoid(delta) + smoothing * F.logsigmoid(-delta)) / (1 - 2 * smoothing)).mean()


def smoothing_on_the_margin(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return -F.logsigmoid((1 - 2 * smoothing) * beta * (chosen - ref_chosen - rejected + ref_rejected)).mean()


def by_softplus(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - rejected) - (ref_chosen - ref_rejected))
    return torch.mean(F.softplus(-delta) + smoothing * delta)


def by_cross_entropy(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    delta = beta * ((chosen - rejected) - (ref_chosen - ref_rejected))
    return F.binary_cross_entropy_with_logits(delta, torch.full_like(delta, 1 - smoothing))


# ---------------------------------------------------------------- 7.2
def _mean(x, mask):
    return x.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)


def sums_of_tokens(chosen, chosen_mask, rejected, rejected_mask, beta):
    away = chosen.masked_fill(~chosen_mask, 0.0).sum(1) - rejected.masked_fill(~rejected_mask, 0.0).sum(1)
    return (away - 1 / (2 * beta)).square().mean()


def padding_in_the_mean(chosen, chosen_mask, rejected, rejected_mask, beta):
    away = chosen.masked_fill(~chosen_mask, 0.0).mean(1) - rejected.masked_fill(~rejected_mask, 0.0).mean(1)
    return (away - 1 / (2 * beta)).square().mean()


def ipo_mask_by_product(chosen, chosen_mask, rejected, rejected_mask, beta):
    away = (chosen * chosen_mask).sum(1) / chosen_mask.sum(1) - (rejected * rejected_mask).sum(1) / rejected_mask.sum(1)
    return (away - 1 / (2 * beta)).square().mean()


def one_over_beta(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask) - 1 / beta).square().mean()


def beta_over_two(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask) - 1 / 2 * beta).square().mean()


def beta_on_the_margin(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (beta * (_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask)) - 1 / (2 * beta)).square().mean()


def only_what_is_missing(chosen, chosen_mask, rejected, rejected_mask, beta):
    away = _mean(chosen, chosen_mask) - _mean(rejected, rejected_mask)
    return (1 / (2 * beta) - away).clamp(min=0).square().mean()


def mean_then_square(chosen, chosen_mask, rejected, rejected_mask, beta):
    return ((_mean(chosen, chosen_mask) - _mean(rejected, rejected_mask)).mean() - 1 / (2 * beta)).square()


def ipo_the_wrong_way_round(chosen, chosen_mask, rejected, rejected_mask, beta):
    return (_mean(rejected, rejected_mask) - _mean(chosen, chosen_mask) - 1 / (2 * beta)).square().mean()


def row_by_row_ipo(chosen, chosen_mask, rejected, rejected_mask, beta):
    rows = [(c[m].mean() - r[n].mean() - 0.5 / beta) ** 2
            for c, m, r, n in zip(chosen, chosen_mask, rejected, rejected_mask, strict=True)]
    return sum(rows) / len(rows)


def by_mse(chosen, chosen_mask, rejected, rejected_mask, beta):
    away = _mean(chosen, chosen_mask) - _mean(rejected, rejected_mask)
    return F.mse_loss(away, torch.full_like(away, 1 / (2 * beta)))


# ---------------------------------------------------------------- 7.3
def _kto(value, good, good_weight, bad_weight):
    return (torch.where(good, good_weight, bad_weight) * (1 - value)).mean()


def reference_point_of_zero(ratio, mismatched, good, beta, good_weight, bad_weight):
    return _kto(torch.sigmoid(beta * torch.where(good, ratio, -ratio)), good, good_weight, bad_weight)


def reference_point_below_zero(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().detach()
    return _kto(torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)), good, good_weight, bad_weight)


def each_clamped(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.clamp(min=0).mean().detach()
    return _kto(torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)), good, good_weight, bad_weight)


def gradient_into_the_reference_point(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0)
    return _kto(torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)), good, good_weight, bad_weight)


def from_its_own_answers(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = ratio.mean().clamp(min=0).detach()
    return _kto(torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)), good, good_weight, bad_weight)


def good_and_bad_exchanged(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    return _kto(torch.sigmoid(beta * torch.where(good, z - ratio, ratio - z)), good, good_weight, bad_weight)


def bad_ones_not_turned(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    return _kto(torch.sigmoid(beta * (ratio - z)), good, good_weight, bad_weight)


def weights_exchanged(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    return _kto(torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)), good, bad_weight, good_weight)


def minus_the_value(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    value = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    return -(torch.where(good, good_weight, bad_weight) * value).mean()


def kto_by_log(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    return -(torch.where(good, good_weight, bad_weight)
             * F.logsigmoid(beta * torch.where(good, ratio - z, z - ratio))).mean()


def weighted_mean(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    weight = torch.where(good, good_weight, bad_weight)
    return (weight * (1 - torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio)))).sum() / weight.sum()


def kto_in_two_halves(ratio, mismatched, good, beta, good_weight, bad_weight):
    with torch.no_grad():
        z = max(mismatched.mean().item(), 0.0)
    goods = good_weight * torch.sigmoid(beta * (z - ratio[good]))
    bads = bad_weight * torch.sigmoid(beta * (ratio[~good] - z))
    return torch.cat([goods, bads]).mean()


def kto_by_sign(ratio, mismatched, good, beta, good_weight, bad_weight):
    sign, weight = 2.0 * good - 1, good * good_weight + ~good * bad_weight
    z = torch.relu(mismatched.mean()).detach()
    return (weight * (1 - torch.sigmoid(sign * beta * (ratio - z)))).mean()


# ---------------------------------------------------------------- 7.4
def compared_with_itself(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return (r - r.mean(1, keepdim=True)).flatten()


def price_forgotten(score, kl, beta, group):
    r = score.reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * group / (group - 1)).flatten()


def drifting_is_paid(score, kl, beta, group):
    r = (score + beta * kl).reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * group / (group - 1)).flatten()


def over_the_whole_batch(score, kl, beta, group):
    r = score - beta * kl
    return r - (r.sum() - r) / (len(r) - 1)


def groups_across(score, kl, beta, group):
    r = (score - beta * kl).reshape(group, -1)
    return (r - (r.sum(0) - r) / (group - 1)).flatten()


def rloo_divided_by_deviation(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    others = (r.sum(1, keepdim=True) - r) / (group - 1)
    return ((r - others) / (r.std(1, keepdim=True) + 1e-4)).flatten()


def others_over_all(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return (r - (r.sum(1, keepdim=True) - r) / group).flatten()


def the_baseline_itself(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return ((r.sum(1, keepdim=True) - r) / (group - 1)).flatten()


def price_after_the_comparison(score, kl, beta, group):
    r = score.reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) * group / (group - 1)).flatten() - beta * kl


def a_table(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return (r - r.mean(1, keepdim=True)) * group / (group - 1)


def one_by_one(score, kl, beta, group):
    r, found = score - beta * kl, []
    for i in range(len(r)):
        start = i // group * group
        others = [r[j] for j in range(start, start + group) if j != i]
        found.append(r[i] - sum(others) / len(others))
    return torch.stack(found)


def by_the_identity(score, kl, beta, group):
    r = (score - beta * kl).view(-1, group)
    return (group / (group - 1) * (r - r.mean(-1, keepdim=True))).view(-1)


# ---------------------------------------------------------------- 7.5
def divided_by_all(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / (r.std(1, keepdim=True, correction=0) + 1e-4) if scale else a).flatten()


def always_scaled(score, group, scale):
    r = score.reshape(-1, group)
    return ((r - r.mean(1, keepdim=True)) / (r.std(1, keepdim=True) + 1e-4)).flatten()


def never_scaled(score, group, scale):
    r = score.reshape(-1, group)
    return (r - r.mean(1, keepdim=True)).flatten()


def no_epsilon(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / r.std(1, keepdim=True) if scale else a).flatten()


def deviation_of_the_batch(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / (score.std() + 1e-4) if scale else a).flatten()


def mean_of_the_batch(score, group, scale):
    r = score.reshape(-1, group)
    a = r - score.mean()
    return (a / (r.std(1, keepdim=True) + 1e-4) if scale else a).flatten()


def grpo_leaves_one_out(score, group, scale):
    r = score.reshape(-1, group)
    a = (r - r.mean(1, keepdim=True)) * group / (group - 1)
    return (a / (r.std(1, keepdim=True) + 1e-4) if scale else a).flatten()


def by_the_variance(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / (r.var(1, keepdim=True) + 1e-4) if scale else a).flatten()


def flag_upside_down(score, group, scale):
    return never_scaled(score, group, scale) if scale else always_scaled(score, group, scale)


def epsilon_under_the_root(score, group, scale):
    r = score.reshape(-1, group)
    a = r - r.mean(1, keepdim=True)
    return (a / (r.var(1, keepdim=True) + 1e-4).sqrt() if scale else a).flatten()


def group_by_group(score, group, scale):
    parts = []
    for r in score.split(group):
        a = r - r.mean()
        parts.append(a / (r.std() + 1e-4) if scale else a)
    return torch.cat(parts)


def by_repeats(score, group, scale):
    mean = score.view(-1, group).mean(1).repeat_interleave(group)
    spread = score.view(-1, group).std(1).repeat_interleave(group)
    return (score - mean) / (spread + 1e-4 if scale else 1.0)


# ---------------------------------------------------------------- 7.6
def _filled(mask, *tensors):
    return [x.masked_fill(~mask, 0.0) for x in tensors]


def _tokens(now, old, ref, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, now, old, ref)
    ratio, a, away = (now - old).exp(), advantage[:, None], ref - now
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (away.exp() - 1 - away)


def _each(x, mask):
    return (x.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)).mean()


def over_all_tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    x = _tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta)
    return x[mask].mean()


def sums_over_tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    x = _tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta)
    return x.masked_fill(~mask, 0.0).sum(1).mean()


def padding_counts(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    x = _tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta)
    return x.masked_fill(~mask, 0.0).mean()


def k1_in_the_loss(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, logprob, old_logprob, ref_logprob)
    ratio, a = (now - old).exp(), advantage[:, None]
    return _each(-torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (now - ref), mask)


def k3_upside_down(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, logprob, old_logprob, ref_logprob)
    ratio, a, away = (now - old).exp(), advantage[:, None], now - ref
    return _each(-torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (away.exp() - 1 - away), mask)


def penalty_is_paid(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    return _each(_tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, -beta), mask)


def ratio_with_the_reference(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    return _each(_tokens(logprob, ref_logprob, ref_logprob, advantage, mask, clip, beta), mask)


def no_clip(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    return _each(_tokens(logprob, old_logprob, ref_logprob, advantage, mask, math.inf, beta), mask)


def maximum_for_minimum(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, logprob, old_logprob, ref_logprob)
    ratio, a, away = (now - old).exp(), advantage[:, None], ref - now
    return _each(-torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (away.exp() - 1 - away), mask)


def penalty_without_gradient(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, logprob, old_logprob, ref_logprob)
    ratio, a, away = (now - old).exp(), advantage[:, None], (ref - now).detach()
    return _each(-torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (away.exp() - 1 - away), mask)


def filled_too_late(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    ratio, a, away = (logprob - old_logprob).exp(), advantage[:, None], ref_logprob - logprob
    x = -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * (away.exp() - 1 - away)
    return (torch.where(mask, x, 0.0).sum(1) / mask.sum(1)).mean()


def only_clipped(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = _filled(mask, logprob, old_logprob, ref_logprob)
    ratio, a, away = (now - old).exp(), advantage[:, None], ref - now
    return _each(-ratio.clamp(1 - clip, 1 + clip) * a + beta * (away.exp() - 1 - away), mask)


def rows_of_tokens(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    rows = []
    for now, old, ref, a, m in zip(logprob, old_logprob, ref_logprob, advantage, mask, strict=True):
        now, ratio, away = now[m], torch.exp(now[m] - old[m]), ref[m] - now[m]
        loss = torch.max(-ratio * a, -ratio.clamp(1 - clip, 1 + clip) * a)
        rows.append((loss + beta * (torch.expm1(away) - away)).mean())
    return torch.stack(rows).mean()


def two_terms(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = (torch.where(mask, x, torch.zeros_like(x)) for x in (logprob, old_logprob, ref_logprob))
    r, a = torch.exp(now - old), advantage.unsqueeze(1)
    pg = torch.min(r * a, torch.clamp(r, 1 - clip, 1 + clip) * a)
    k3 = torch.exp(ref - now) - (ref - now) - 1
    n = mask.sum(1)
    return -((pg * mask).sum(1) / n).mean() + beta * ((k3 * mask).sum(1) / n).mean()


# ---------------------------------------------------------------- 7.7
def any_right(p, group):
    return 1 - (1 - p) ** group


def all_alike(p, group):
    return p ** group + (1 - p) ** group


def twice_the_variance(p, group):
    return 2 * p * (1 - p) * torch.ones_like(p)


def variance_of_one(p, group):
    return p * (1 - p)


def wrong_answers_only(p, group):
    return 1 - p ** group


def exactly_one(p, group):
    return group * p * (1 - p) ** (group - 1)


def product_of_both(p, group):
    return (1 - p ** group) * (1 - (1 - p) ** group)


def with_float(p, group):
    return torch.tensor([1 - x ** group - (1 - x) ** group for x in p.tolist()])


def by_the_binomial(p, group):
    return sum(math.comb(group, k) * p ** k * (1 - p) ** (group - k) for k in range(1, group)) + 0 * p


MUTANTS = {
    "7.1": [
        ("without the reference", without_the_reference, "The reference is missing"),
        ("the wrong way round", the_wrong_way_round, "The rejected response is pulled up"),
        ("log of sigmoid", log_of_sigmoid, "log(sigmoid(x)) and"),
        ("summed over pairs", summed_over_pairs, "This is the sum over the pairs"),
        ("one for each pair", one_for_each_pair, "One number for each pair"),
        ("smoothing forgotten", smoothing_forgotten, "`smoothing` changes nothing"),
        ("beta outside", beta_outside, "β stands outside"),
        ("plus the reference", plus_the_reference, "The reference is added"),
        ("to be maximised", to_be_maximised, "The sign is wrong: this is the log-likelihood"),
        ("unbiased smoothing", unbiased_smoothing, "This is robust DPO"),
        ("smoothing on the margin", smoothing_on_the_margin, "ε shrinks the margin here"),
    ],
    "7.2": [
        ("sums of tokens", sums_of_tokens, "These are sums over the tokens"),
        ("padding in the mean", padding_in_the_mean, "The padding is counted in the mean"),
        ("mask by product", ipo_mask_by_product, "NaN times 0 is NaN"),
        ("one over beta", one_over_beta, "The margin is 1/(2β), not 1/β"),
        ("beta over two", beta_over_two, "1 / 2 * beta is β/2"),
        ("beta on the margin", beta_on_the_margin, "β stands in the target only"),
        ("only what is missing", only_what_is_missing, "A margin that is exceeded costs nothing here"),
        ("mean then square", mean_then_square, "The mean over the pairs is taken before the square"),
        ("the wrong way round", ipo_the_wrong_way_round, "Chosen and rejected are exchanged"),
    ],
    "7.3": [
        ("reference point of zero", reference_point_of_zero, "The reference point is missing"),
        ("reference point below zero", reference_point_below_zero, "z may not fall below 0"),
        ("each clamped", each_clamped, "Each log-ratio is cut at 0 before the mean"),
        ("gradient into the reference point", gradient_into_the_reference_point, "A gradient flows into z"),
        ("from its own answers", from_its_own_answers, "z is taken from the responses themselves"),
        ("good and bad exchanged", good_and_bad_exchanged, "Good and bad are exchanged"),
        ("bad ones not turned", bad_ones_not_turned, "Bad responses are pulled up as well"),
        ("weights exchanged", weights_exchanged, "The two weights are exchanged"),
        ("minus the value", minus_the_value, "The 1 of 1 - v is missing"),
        ("by log", kto_by_log, "This is -log v"),
        ("weighted mean", weighted_mean, "It is divided by the sum of the weights"),
    ],
    "7.4": [
        ("compared with itself", compared_with_itself, "Each response is compared with a mean that holds itself"),
        ("price forgotten", price_forgotten, "The KL is missing"),
        ("drifting is paid", drifting_is_paid, "Drifting is paid for"),
        ("over the whole batch", over_the_whole_batch, "Each response is compared with the whole batch"),
        ("groups across", groups_across, "The groups are cut the wrong way"),
        ("divided by deviation", rloo_divided_by_deviation, "The result is divided by a standard deviation"),
        ("others over all", others_over_all, "The sum of the others is divided by G"),
        ("the baseline itself", the_baseline_itself, "This is the baseline"),
        ("price after the comparison", price_after_the_comparison, "The KL is taken off after the comparison"),
        ("a table", a_table, "shape"),
    ],
    "7.5": [
        ("divided by all", divided_by_all, "The standard deviation divides by G"),
        ("always scaled", always_scaled, "`scale` changes nothing: the deviation is always"),
        ("never scaled", never_scaled, "`scale` changes nothing: it is never"),
        ("no epsilon", no_epsilon, "1e-4 is missing"),
        ("deviation of the batch", deviation_of_the_batch, "The deviation is that of the whole batch"),
        ("mean of the batch", mean_of_the_batch, "The mean is that of the whole batch"),
        ("leaves one out", grpo_leaves_one_out, "This leaves the response itself out"),
        ("by the variance", by_the_variance, "This divides by the variance"),
        ("flag upside down", flag_upside_down, "`scale` is taken the other way round"),
        ("epsilon under the root", epsilon_under_the_root, "1e-4 stands under the root"),
    ],
    "7.6": [
        ("over all tokens", over_all_tokens, "This is the mean over all tokens"),
        ("sums over tokens", sums_over_tokens, "The tokens of a response are summed"),
        ("padding counts", padding_counts, "The padding counts as tokens"),
        ("k1 in the loss", k1_in_the_loss, "This is k1"),
        ("k3 upside down", k3_upside_down, "In k3 the ratio is upside down"),
        ("penalty is paid", penalty_is_paid, "The penalty has the wrong sign"),
        ("ratio with the reference", ratio_with_the_reference, "The ratio is taken against the reference"),
        ("no clip", no_clip, "Nothing is clipped"),
        ("maximum for minimum", maximum_for_minimum, "The larger of the two is taken"),
        ("penalty without gradient", penalty_without_gradient, "No gradient flows through the penalty"),
        ("filled too late", filled_too_late, "The values are right, and NaN from the padding"),
        ("only clipped", only_clipped, "Only the clipped ratio is used"),
    ],
    "7.7": [
        ("any right", any_right, "A group that is all right is counted"),
        ("all alike", all_alike, "This is the share that teaches nothing"),
        ("twice the variance", twice_the_variance, "This is right for two answers only"),
        ("variance of one", variance_of_one, "This is the variance of one answer"),
        ("wrong answers only", wrong_answers_only, "A group that is all wrong is counted"),
        ("exactly one", exactly_one, "Exactly one right answer"),
        ("product of both", product_of_both, "The two are not independent"),
    ],
}

RIGHT = {
    "7.1": [by_softplus, by_cross_entropy],
    "7.2": [row_by_row_ipo, by_mse],
    "7.3": [kto_in_two_halves, kto_by_sign],
    "7.4": [one_by_one, by_the_identity],
    "7.5": [group_by_group, by_repeats],
    "7.6": [rows_of_tokens, two_terms],
    "7.7": [with_float, by_the_binomial],
}
