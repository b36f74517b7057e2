"""A third set of answers to lesson 07, by a third hand, who had read the checks of other lessons."""

import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 7.1 wrong
def margin(chosen, ref_chosen, rejected, ref_rejected, beta):
    return beta * ((chosen - ref_chosen) - (rejected - ref_rejected))


def smoothed(delta, smoothing):
    return -(1 - smoothing) * F.logsigmoid(delta) - smoothing * F.logsigmoid(-delta)


def dpo_cut_at_a_hundred(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return smoothed(margin(chosen, ref_chosen, rejected, ref_rejected, beta).clamp(-100, 100), smoothing).mean()


def dpo_mean_margin(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return smoothed(margin(chosen, ref_chosen, rejected, ref_rejected, beta).mean(), smoothing)


def dpo_hinge(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return (1 - margin(chosen, ref_chosen, rejected, ref_rejected, beta)).clamp(min=0).mean()


def dpo_reference_exchanged(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    return smoothed(margin(chosen, ref_rejected, rejected, ref_chosen, beta), smoothing).mean()


def dpo_small_addend(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    p = torch.sigmoid(margin(chosen, ref_chosen, rejected, ref_rejected, beta))
    return -((1 - smoothing) * torch.log(p + 1e-8) + smoothing * torch.log(1 - p + 1e-8)).mean()


# ---------------------------------------------------------------- 7.1 right
def dpo_two_classes(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    two = torch.stack([beta * (chosen - ref_chosen), beta * (rejected - ref_rejected)], 1)
    logs = two.log_softmax(1)
    return -(logs[:, 0] * (1 - smoothing) + logs[:, 1] * smoothing).sum() / len(chosen)


def dpo_loop(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    total = 0
    for c, rc, r, rr in zip(chosen, ref_chosen, rejected, ref_rejected, strict=True):
        d = beta * (c - rc - r + rr)
        total = total + F.softplus(-d) + smoothing * d
    return total / len(chosen)


# ---------------------------------------------------------------- 7.2 wrong
def per_token(x, mask):
    return torch.where(mask, x, 0.0).sum(1) / mask.sum(1)


def ipo_nan_to_num(chosen, chosen_mask, rejected, rejected_mask, beta):
    """Only NaN is taken out of the padding."""
    delta = chosen.nan_to_num(0.0).sum(1) / chosen_mask.sum(1) - rejected.nan_to_num(0.0).sum(1) / rejected_mask.sum(1)
    return ((delta - 1 / (2 * beta)) ** 2).mean()


def ipo_first_tokens(chosen, chosen_mask, rejected, rejected_mask, beta):
    return ((chosen[:, 0] - rejected[:, 0] - 1 / (2 * beta)) ** 2).mean()


def ipo_mean_of_all_squares(chosen, chosen_mask, rejected, rejected_mask, beta):
    """Every token of the chosen against the mean of the rejected."""
    away = (chosen - per_token(rejected, rejected_mask)[:, None] - 1 / (2 * beta)) ** 2
    return per_token(away, chosen_mask).mean()


def ipo_root(chosen, chosen_mask, rejected, rejected_mask, beta):
    delta = per_token(chosen, chosen_mask) - per_token(rejected, rejected_mask)
    return ((delta - 1 / (2 * beta)) ** 2).mean().sqrt()


# ---------------------------------------------------------------- 7.2 right
def ipo_filled(chosen, chosen_mask, rejected, rejected_mask, beta):
    means = [x.masked_fill(~m, 0).sum(-1).div(m.sum(-1)) for x, m in ((chosen, chosen_mask), (rejected, rejected_mask))]
    away = torch.sub(*means) - 0.5 / beta
    return torch.dot(away, away) / len(away)


def ipo_lists(chosen, chosen_mask, rejected, rejected_mask, beta):
    rows = [c[m].mean() - r[n].mean() for c, m, r, n in zip(chosen, chosen_mask, rejected, rejected_mask, strict=True)]
    return sum((row - 1 / 2 / beta) ** 2 for row in rows) / len(rows)


# ---------------------------------------------------------------- 7.3 wrong
def value_of(ratio, z, good, beta):
    return torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))


def kto_z_outside_beta(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.mean().clamp(min=0).detach()
    x = torch.where(good, beta * ratio - z, z - beta * ratio)
    return (torch.where(good, good_weight, bad_weight) * (1 - torch.sigmoid(x))).mean()


def kto_z_is_the_median(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = mismatched.median().clamp(min=0).detach()
    return (torch.where(good, good_weight, bad_weight) * (1 - value_of(ratio, z, good, beta))).mean()


def kto_weight_minus_value(ratio, mismatched, good, beta, good_weight, bad_weight):
    """λ - v: the weight does not multiply v."""
    z = mismatched.mean().clamp(min=0).detach()
    return (torch.where(good, good_weight, bad_weight) - value_of(ratio, z, good, beta)).mean()


def kto_z_of_the_good(ratio, mismatched, good, beta, good_weight, bad_weight):
    """z of the mismatched ones that belong to good responses."""
    z = (mismatched[good].mean() if good.any() else mismatched.mean()).clamp(min=0).detach()
    return (torch.where(good, good_weight, bad_weight) * (1 - value_of(ratio, z, good, beta))).mean()


# ---------------------------------------------------------------- 7.3 right
def kto_one_minus(ratio, mismatched, good, beta, good_weight, bad_weight):
    with torch.no_grad():
        z = torch.relu(mismatched.mean())
    lost = torch.cat([good_weight * torch.sigmoid(-beta * (ratio[good] - z)),
                      bad_weight * torch.sigmoid(beta * (ratio[~good] - z))])
    return lost.sum() / ratio.numel()


def kto_loop(ratio, mismatched, good, beta, good_weight, bad_weight):
    z = max(float(mismatched.mean()), 0.0)
    total = 0.0
    for d, ok in zip(ratio, good.tolist(), strict=True):
        side, weight = (1, good_weight) if ok else (-1, bad_weight)
        total = total + weight * (1 - 1 / (1 + torch.exp(-side * beta * (d - z))))
    return total / len(ratio)


# ---------------------------------------------------------------- 7.4 wrong
def rloo_drift_not_below_zero(score, kl, beta, group):
    r = (score - beta * kl.clamp(min=0)).reshape(-1, group)
    return (r - (r.sum(1, keepdim=True) - r) / (group - 1)).flatten()


def rloo_sum_of_all_over_the_others(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    return (r - r.sum(1, keepdim=True) / (group - 1)).flatten()


def rloo_median_of_the_others(score, kl, beta, group):
    r = (score - beta * kl).reshape(-1, group)
    out = [[row[i] - torch.cat([row[:i], row[i + 1:]]).median() for i in range(group)] for row in r]
    return torch.tensor(out).flatten()


def rloo_neighbour(score, kl, beta, group):
    """Compared with the next answer only."""
    r = (score - beta * kl).reshape(-1, group)
    return (r - r.roll(1, 1)).flatten()


# ---------------------------------------------------------------- 7.4 right
def rloo_scaled(score, kl, beta, group):
    r = (score - beta * kl).unflatten(0, (-1, group))
    return ((r - r.mean(-1, keepdim=True)) * group / (group - 1)).flatten()


def rloo_matrix(score, kl, beta, group):
    others = (torch.ones(group, group) - torch.eye(group)).to(score.dtype) / (group - 1)
    r = torch.stack(torch.split(score - beta * kl, group))
    return torch.cat([*(r - r @ others)])


# ---------------------------------------------------------------- 7.5 wrong
def grpo_at_least_epsilon(score, group, scale):
    """The small number is a floor, not an addend."""
    g = score.reshape(-1, group)
    a = g - g.mean(1, keepdim=True)
    return (a / g.std(1, keepdim=True).clamp(min=1e-4) if scale else a).flatten()


def grpo_layer_norm(score, group, scale):
    g = score.reshape(-1, group)
    return (F.layer_norm(g, (group,)) if scale else g - g.mean(1, keepdim=True)).flatten()


def grpo_by_the_range(score, group, scale):
    g = score.reshape(-1, group)
    a = g - g.mean(1, keepdim=True)
    return (a / (g.amax(1, keepdim=True) - g.amin(1, keepdim=True) + 1e-4) if scale else a).flatten()


def grpo_in_place(score, group, scale):
    g = score.view(-1, group)
    s = g.std(1, keepdim=True)
    g -= g.mean(1, keepdim=True)
    if scale:
        g /= s + 1e-4
    return score


def grpo_alike_is_one(score, group, scale):
    """A deviation below 0.01 is taken for 1."""
    g = score.reshape(-1, group)
    a, s = g - g.mean(1, keepdim=True), g.std(1, keepdim=True)
    return (a / torch.where(s < 0.01, 1.0, s + 1e-4) if scale else a).flatten()


# ---------------------------------------------------------------- 7.5 right
def grpo_std_mean(score, group, scale):
    s, m = torch.std_mean(score.view(-1, group), dim=1)
    s, m = s.repeat_interleave(group), m.repeat_interleave(group)
    return torch.div(score - m, s + 1e-4) if scale else score - m


def grpo_lists(score, group, scale):
    out, values = [], score.tolist()
    for start in range(0, len(values), group):
        answers = values[start:start + group]
        middle, spread = statistics.fmean(answers), statistics.stdev(answers)
        out += [(x - middle) / (spread + 0.0001) if scale else x - middle for x in answers]
    return torch.tensor(out)


# ---------------------------------------------------------------- 7.6 wrong
def cleaned(logprob, old_logprob, ref_logprob, mask):
    return (x.masked_fill(~mask, 0.0) for x in (logprob, old_logprob, ref_logprob))


def mean_of_means(x, mask):
    return (x.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)).mean()


def grpo_clipped_above_only(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    now, old, ref = cleaned(logprob, old_logprob, ref_logprob, mask)
    ratio, a = (now - old).exp(), advantage[:, None]
    x = -torch.minimum(ratio * a, ratio.clamp(max=1 + clip) * a) + beta * ((ref - now).exp() - 1 - (ref - now))
    return mean_of_means(x, mask)


def grpo_ratio_of_the_response(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """One ratio for a whole response."""
    now, old, ref = cleaned(logprob, old_logprob, ref_logprob, mask)
    ratio, a = ((now - old).sum(1) / mask.sum(1)).exp()[:, None].expand_as(now), advantage[:, None]
    x = -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * ((ref - now).exp() - 1 - (ref - now))
    return mean_of_means(x, mask)


def grpo_advantages_repeated(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """Laid out token by token: rows get each other's."""
    now, old, ref = cleaned(logprob, old_logprob, ref_logprob, mask)
    ratio, a = (now - old).exp(), advantage.repeat(mask.shape[1]).reshape(mask.shape)
    x = -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * ((ref - now).exp() - 1 - (ref - now))
    return mean_of_means(x, mask)


def grpo_log_ratio_clipped(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """The difference of the logarithms is clipped at ±ε."""
    now, old, ref = cleaned(logprob, old_logprob, ref_logprob, mask)
    a = advantage[:, None]
    x = -torch.minimum((now - old).exp() * a, (now - old).clamp(-clip, clip).exp() * a)
    return mean_of_means(x + beta * ((ref - now).exp() - 1 - (ref - now)), mask)


def grpo_penalty_of_the_batch(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """k3 as one mean over all tokens."""
    now, old, ref = cleaned(logprob, old_logprob, ref_logprob, mask)
    ratio, a = (now - old).exp(), advantage[:, None]
    x = -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return mean_of_means(x, mask) + beta * ((ref - now).exp() - 1 - (ref - now))[mask].mean()


# ---------------------------------------------------------------- 7.6 right
def grpo_rows(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    out = []
    for b, a in enumerate(advantage):
        now, old, ref = (x[b][mask[b]] for x in (logprob, old_logprob, ref_logprob))
        ratio = torch.exp(now - old)
        worse = torch.maximum(-a * ratio, -a * torch.clip(ratio, 1 - clip, 1 + clip))
        out.append((worse + beta * (torch.expm1(ref - now) + now - ref)).mean())
    return torch.stack(out).mean()


def grpo_weights(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """All real tokens in a row, each with the weight 1 / (B · its response's length)."""
    now, old, ref = logprob[mask], old_logprob[mask], ref_logprob[mask]
    n = mask.sum(1)
    a, weight = advantage.repeat_interleave(n), (1 / (n * len(n))).repeat_interleave(n)
    ratio, r = (now - old).exp(), (ref - now).exp()
    return (weight * (beta * (r - r.log() - 1) - torch.min(a * ratio, a * ratio.clamp(1 - clip, 1 + clip)))).sum()


# ---------------------------------------------------------------- 7.7 wrong
def teaches_off_the_ends(p, group):
    """p kept off 0 and 1."""
    p = p.clamp(0.01, 0.99)
    return 1 - p ** group - (1 - p) ** group


def teaches_first_and_another(p, group):
    """The first is right and some other wrong."""
    return p * (1 - p ** (group - 1))


def teaches_one_less(p, group):
    return 1 - p ** (group - 1) - (1 - p) ** (group - 1)


def teaches_pairs(p, group):
    """2 p (1 - p) for each pair of answers, cut at 1."""
    return (group * (group - 1) / 2 * 2 * p * (1 - p)).clamp(max=1)


# ---------------------------------------------------------------- 7.7 right
def teaches_logs(p, group):
    return -torch.expm1(group * torch.log(p)) - torch.exp(group * torch.log1p(-p))


def teaches_sum(p, group):
    right = [math.comb(group, k) * p.double() ** k * (1 - p.double()) ** (group - k) for k in range(1, group)]
    return torch.from_numpy(np.sum([x.numpy() for x in right], axis=0))


MUTANTS = {
    "7.1": [("dpo_cut_at_a_hundred", dpo_cut_at_a_hundred, ""),
            ("dpo_mean_margin", dpo_mean_margin, "The mean margin is taken first. The"),
            ("dpo_hinge", dpo_hinge, "This is a hinge: it stops at a margin of"),
            ("dpo_reference_exchanged", dpo_reference_exchanged, "The reference is added. It is subtracted:"),
            ("dpo_small_addend", dpo_small_addend, "")],
    "7.2": [("ipo_nan_to_num", ipo_nan_to_num, ""),
            ("ipo_first_tokens", ipo_first_tokens, "Only the first token of each response"),
            ("ipo_mean_of_all_squares", ipo_mean_of_all_squares, ""),
            ("ipo_root", ipo_root, "A root is taken of the mean. It is the")],
    "7.3": [("kto_z_outside_beta", kto_z_outside_beta, "β multiplies d only. It multiplies d - z."),
            ("kto_z_is_the_median", kto_z_is_the_median, "z is the median. It is the mean."),
            ("kto_weight_minus_value", kto_weight_minus_value, "This is λ - v. The weight multiplies all"),
            ("kto_z_of_the_good", kto_z_of_the_good, "")],
    "7.4": [("rloo_drift_not_below_zero", rloo_drift_not_below_zero, "A KL of one response may be negative, and"),
            ("rloo_sum_of_all_over_the_others", rloo_sum_of_all_over_the_others, "The sum of all G, its own among"),
            ("rloo_median_of_the_others", rloo_median_of_the_others, "The median of the others is subtracted."),
            ("rloo_neighbour", rloo_neighbour, "Each answer is compared with one other.")],
    "7.5": [("grpo_at_least_epsilon", grpo_at_least_epsilon, "1e-4 is the least that the divisor can be"),
            ("grpo_layer_norm", grpo_layer_norm, "This is layer_norm's divisor: by G, with"),
            ("grpo_by_the_range", grpo_by_the_range, "This divides by the range, highest less"),
            ("grpo_in_place", grpo_in_place, "The result is right, but your function"),
            ("grpo_alike_is_one", grpo_alike_is_one, "")],
    "7.6": [("grpo_clipped_above_only", grpo_clipped_above_only, "The ratio is clipped above only. It is"),
            ("grpo_ratio_of_the_response", grpo_ratio_of_the_response, "One ratio stands for a whole response."),
            ("grpo_advantages_repeated", grpo_advantages_repeated, "Advantages are laid out token by token,"),
            ("grpo_log_ratio_clipped", grpo_log_ratio_clipped, "The *logarithm* of the ratio is clipped"),
            ("grpo_penalty_of_the_batch", grpo_penalty_of_the_batch, "The penalty is one mean over all tokens.")],
    "7.7": [("teaches_off_the_ends", teaches_off_the_ends, ""),
            ("teaches_first_and_another", teaches_first_and_another, "The first one right, some other wrong."),
            ("teaches_one_less", teaches_one_less, "The power is G - 1. All G answers have to"),
            ("teaches_pairs", teaches_pairs, "This counts pairs that differ. Asked is")]
}
RIGHT = {"7.1": [dpo_two_classes, dpo_loop],
         "7.2": [ipo_filled, ipo_lists],
         "7.3": [kto_one_minus, kto_loop],
         "7.4": [rloo_scaled, rloo_matrix],
         "7.5": [grpo_std_mean, grpo_lists],
         "7.6": [grpo_rows, grpo_weights],
         "7.7": [teaches_logs, teaches_sum]}
