"""A second set of answers to lesson 01, by people who saw nothing but the notebook: see `lesson_01.py`."""

import math
from statistics import median

import numpy as np
import torch


def clean(x, mask):
    return torch.where(mask, x, torch.zeros_like(x))


# ---------------------------------------------------------------- 1.4 wrong
def whiten_each_row(advantage, mask):
    out = torch.zeros_like(advantage)
    for row, (a, m) in enumerate(zip(advantage, mask, strict=False)):
        if m.sum() > 1:
            out[row, m] = (a[m] - a[m].mean()) / a[m].std()
    return out


def whiten_by_n(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / real.std(unbiased=False), mask)


def whiten_with_padding(advantage, mask):
    filled = clean(advantage, mask)
    return clean((filled - filled.mean()) / filled.std(), mask)


def whiten_mean_with_padding(advantage, mask):
    return clean((advantage - clean(advantage, mask).mean()) / advantage[mask].std(), mask)


def whiten_no_shift(advantage, mask):
    return clean(advantage / advantage[mask].std(), mask)


def whiten_keeps_mean(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / real.std() + real.mean(), mask)


def whiten_by_variance(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / real.var(), mask)


def whiten_multiplied(advantage, mask):
    real = advantage[mask]
    return (advantage - real.mean()) / real.std() * mask


def whiten_epsilon(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) * torch.rsqrt(real.var() + 1e-8), mask)


def whiten_epsilon_large(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / (real.std() + 1e-4), mask)


def whiten_flat(advantage, mask):
    real = advantage[mask]
    return (real - real.mean()) / real.std()


def whiten_padding_shifted(advantage, mask):
    real, filled = advantage[mask], clean(advantage, mask)
    return (filled - real.mean()) / real.std()


def whiten_in_place(advantage, mask):
    real = advantage[mask]
    advantage[mask] = (real - real.mean()) / real.std()
    advantage[~mask] = 0.0
    return advantage


def whiten_no_gaps(advantage, mask):
    lengths = mask.sum(-1)
    real = torch.cat([a[:n] for a, n in zip(advantage, lengths, strict=False)])
    known = torch.arange(mask.shape[1]) < lengths[:, None]
    return clean((advantage - real.mean()) / real.std(), known)


def whiten_finite(advantage, mask):
    """Padding is what is not finite."""
    real = advantage[torch.isfinite(advantage)]
    return clean((advantage - real.mean()) / real.std(), mask)


def whiten_mean_of_means(advantage, mask):
    filled = clean(advantage, mask)
    mean = (filled.sum(1) / mask.sum(1).clamp(min=1)).mean()
    n = mask.sum()
    std = (clean((advantage - mean) ** 2, mask).sum() / (n - 1)).sqrt()
    return clean((advantage - mean) / std, mask)


def whiten_one_pass(advantage, mask):
    x = advantage[mask]
    n = x.numel()
    variance = (x.square().sum() - x.sum() ** 2 / n) / (n - 1)
    return clean((advantage - x.mean()) / variance.sqrt(), mask)


def whiten_n_minus_rows(advantage, mask):
    x = advantage[mask]
    mean = x.mean()
    variance = ((x - mean) ** 2).sum() / max(len(x) - len(mask), 1)
    return clean((advantage - mean) / variance ** 0.5, mask)


def whiten_per_place(advantage, mask):
    n = mask.sum(0).clamp(min=1)
    mean = clean(advantage, mask).sum(0) / n
    real = advantage[mask]
    return clean((advantage - mean) / real.std(), mask)


def whiten_median(advantage, mask):
    real = advantage[mask]
    return clean((advantage - median(real.tolist())) / real.std(), mask)


def whiten_cut_off(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / real.std(), mask).clamp(-3, 3)


def whiten_divisor_at_least_one(advantage, mask):
    real = advantage[mask]
    return clean((advantage - real.mean()) / max(real.std().item(), 1.0), mask)


# ---------------------------------------------------------------- 1.4 right
def whiten_scattered(advantage, mask):
    real = advantage[mask]
    centred = real - real.sum() / real.numel()
    out = torch.zeros_like(advantage)
    out[mask] = centred * math.sqrt(real.numel() - 1) / centred.norm()
    return out


def whiten_var_mean(advantage, mask):
    var, mean = torch.var_mean(advantage.masked_select(mask), correction=1)
    return ((advantage - mean) * var.rsqrt()).masked_fill(~mask, 0)


# ---------------------------------------------------------------- 1.5 wrong
def marked(logprob, old_logprob, advantage, mask):
    return (logprob[mask] - old_logprob[mask]).exp(), advantage[mask].detach()


def policy_sign(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_larger(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_min_of_losses(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    losses = torch.stack([-ratio * a, -ratio.clamp(1 - clip, 1 + clip) * a])
    return losses.amin(0).mean()


def policy_only_clipped(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -(ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_no_clip(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -(ratio * a).mean()


def policy_clip_of_log(logprob, old_logprob, advantage, mask, clip):
    gap, a = (logprob - old_logprob)[mask], advantage[mask].detach()
    return -torch.minimum(gap.exp() * a, gap.clamp(-clip, clip).exp() * a).mean()


def policy_upper_only(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -torch.minimum(ratio * a, ratio.clamp(max=1 + clip) * a).mean()


def policy_by_quotient(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -torch.min(ratio * a, ratio.clamp(1 / (1 + clip), 1 + clip) * a).mean()


def policy_gradient_in_advantage(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob)[mask].exp()
    a = advantage[mask]
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_mean_of_rows(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.where(mask, logprob - old_logprob, 0.0).exp()
    a = torch.where(mask, advantage, 0.0).detach()
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -(gain.sum(1) / mask.sum(1).clamp(min=1)).mean()


def policy_mean_of_all(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.where(mask, logprob - old_logprob, 0.0).exp()
    a = torch.where(mask, advantage, 0.0).detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_sum_over_batch(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.where(mask, logprob - old_logprob, 0.0).exp()
    a = torch.where(mask, advantage, 0.0).detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).sum(1).mean()


def policy_multiplied(logprob, old_logprob, advantage, mask, clip):
    ratio, a = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -(gain * mask).sum() / mask.sum()


def policy_cleaned_too_late(logprob, old_logprob, advantage, mask, clip):
    ratio, a = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -torch.where(mask, gain, 0.0).sum() / mask.sum()


def policy_ratio_upside_down(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(old_logprob, logprob, advantage, mask)
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_linear_ratio(logprob, old_logprob, advantage, mask, clip):
    ratio, a = 1 + (logprob - old_logprob)[mask], advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_quotient_of_logs(logprob, old_logprob, advantage, mask, clip):
    ratio, a = logprob[mask] / old_logprob[mask], advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_no_gradient(logprob, old_logprob, advantage, mask, clip):
    ratio = np.exp((logprob - old_logprob)[mask].detach().numpy())
    a = advantage[mask].detach().numpy()
    return torch.tensor(-np.minimum(ratio * a, np.clip(ratio, 1 - clip, 1 + clip) * a).mean())


def policy_dual_clip(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -torch.where(a < 0, torch.maximum(gain, 3 * a), gain).mean()


def policy_min_after_mean(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -torch.minimum((ratio * a).mean(), (ratio.clamp(1 - clip, 1 + clip) * a).mean())


def policy_min_of_ratio(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -(torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip)) * a).mean()


def policy_ratio_of_responses(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.where(mask, logprob - old_logprob, 0.0).sum(1, keepdim=True).exp().expand_as(mask)[mask]
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_whitens(logprob, old_logprob, advantage, mask, clip):
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    a = (a - a.mean()) / (a.std() + 1e-8)
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_no_gaps(logprob, old_logprob, advantage, mask, clip):
    mask = torch.arange(mask.shape[1]) < mask.sum(1)[:, None]
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_writes_advantage(logprob, old_logprob, advantage, mask, clip):
    advantage = advantage.detach()
    advantage[~mask] = 0.0
    ratio = torch.where(mask, logprob - old_logprob, 0.0).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).sum() / mask.sum()


def policy_zeros_left_out(logprob, old_logprob, advantage, mask, clip):
    """Counts only tokens that have an advantage."""
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -gain.sum() / (a != 0).sum().clamp(min=1)


def policy_inner_gradient_cut(logprob, old_logprob, advantage, mask, clip):
    """Zero gradient wherever the ratio is outside, on both sides."""
    ratio, a = marked(logprob, old_logprob, advantage, mask)
    inside = (ratio - 1).abs() <= clip
    ratio = torch.where(inside, ratio, ratio.detach())
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


# ---------------------------------------------------------------- 1.5 right
def policy_by_sign(logprob, old_logprob, advantage, mask, clip):
    """min(rho a, clip(rho) a) caps rho from above where a > 0 and from below where a < 0."""
    total = 0.0
    a = advantage.detach()
    for p, old, x in zip(logprob[mask], old_logprob[mask], a[mask], strict=False):
        ratio = (p - old).exp()
        total = total - x * (ratio.clamp(max=1 + clip) if x > 0 else ratio.clamp(min=1 - clip))
    return total / mask.sum()


def policy_larger_loss(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.exp(logprob.masked_fill(~mask, 0) - old_logprob.masked_fill(~mask, 0))
    a = advantage.masked_fill(~mask, 0).data
    losses = torch.stack([-a * ratio, -a * torch.clip(ratio, 1 - clip, 1 + clip)])
    return losses.amax(0).sum() / mask.count_nonzero()


# ---------------------------------------------------------------- 1.6 wrong
def adapt_not_cut(beta, kl, target, n, horizon):
    return beta * (1 + (kl / target - 1) * n / horizon)


def adapt_cut_above(beta, kl, target, n, horizon):
    return beta * (1 + min(kl / target - 1, 0.2) * n / horizon)


def adapt_cut_below_zero(beta, kl, target, n, horizon):
    e = max(0, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def adapt_swapped(beta, kl, target, n, horizon):
    return beta * (1 + min(-0.2, max(0.2, kl / target - 1)) * n / horizon)


def adapt_upside_down(beta, kl, target, n, horizon):
    e = 1.0 if kl == 0 else target / kl - 1
    return beta * (1 + max(-0.2, min(0.2, e)) * n / horizon)


def adapt_difference(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, kl - target)) * n / horizon)


def adapt_no_n(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) / horizon)


def adapt_added(beta, kl, target, n, horizon):
    return beta + max(-0.2, min(0.2, kl / target - 1)) * n / horizon


def adapt_cut_later(beta, kl, target, n, horizon):
    change = (kl / target - 1) * n / horizon
    return beta * (1 + max(-0.2, min(0.2, change)))


def adapt_other_direction(beta, kl, target, n, horizon):
    return beta * (1 - float(np.clip(kl / target - 1, -0.2, 0.2)) * n / horizon)


def adapt_negative_ignored(beta, kl, target, n, horizon):
    if kl <= 0:
        return beta
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon)


def adapt_absolute(beta, kl, target, n, horizon):
    e = abs(kl) / target - 1
    return beta * (1 + max(-0.2, min(0.2, e)) * n / horizon)


def adapt_zero_is_missing(beta, kl, target, n, horizon):
    e = (kl or target) / target - 1
    return beta * (1 + max(-0.2, min(0.2, e)) * n / horizon)


def adapt_tensor(beta, kl, target, n, horizon):
    e = torch.tensor(kl / target - 1).clamp(-0.2, 0.2)
    return beta * (1 + e * n / horizon)


def adapt_bounded(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return max(0.01, min(1.0, beta * (1 + e * n / horizon)))


def adapt_whole_steps(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * (n // horizon))


def adapt_at_most_horizon(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * min(1.0, n / horizon))


def adapt_doubling(beta, kl, target, n, horizon):
    if kl > 1.5 * target:
        return 2 * beta
    return beta / 2 if kl < target / 1.5 else beta


def adapt_exponential(beta, kl, target, n, horizon):
    return beta * math.exp(max(-0.2, min(0.2, kl / target - 1)) * n / horizon)


def adapt_logarithm(beta, kl, target, n, horizon):
    e = math.log(kl / target) if kl > 0 else -0.2
    return beta * (1 + max(-0.2, min(0.2, e)) * n / horizon)


def adapt_whole_quotient(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, kl // target - 1)) * n / horizon)


def adapt_only_outside(beta, kl, target, n, horizon):
    """Steps of 0.2, as if the cut were the step."""
    e = kl / target - 1
    return beta * (1 + (0.2 if e > 0.2 else -0.2 if e < -0.2 else 0.0 if e == 0 else e) * n / horizon) \
        if abs(e) >= 0.05 - 1e-9 else beta


def adapt_one_sided_target(beta, kl, target, n, horizon):
    e = max(-0.1, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def adapt_rounded(beta, kl, target, n, horizon):
    return round(beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon), 6)


# ---------------------------------------------------------------- 1.6 right
def adapt_median(beta, kl, target, n, horizon):
    return beta + beta * median((-0.2, kl / target - 1, 0.2)) * n / horizon


def adapt_cut_kl(beta, kl, target, n, horizon):
    """Cuts the KL off at 0.8 and 1.2 of its target instead."""
    near = sorted([0.8 * target, kl, 1.2 * target])[1]
    return beta * (horizon + (near - target) / target * n) / horizon


# ---------------------------------------------------------------- 1.7 wrong
def chosen(mask, *tensors):
    return [t[mask] for t in tensors]


def value_smaller(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.minimum((v - r) ** 2, (near - r) ** 2).mean()


def value_not_halved(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_summed(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).sum()


def value_max_after_mean(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum(((v - r) ** 2).mean(), ((near - r) ** 2).mean())


def value_relative_clip(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    low, high = torch.minimum(old * (1 - clip), old * (1 + clip)), torch.maximum(old * (1 - clip), old * (1 + clip))
    return 0.5 * torch.maximum((v - r) ** 2, (v.clamp(low, high) - r) ** 2).mean()


def value_near_target(value, old_value, target, mask, clip):
    v, r = chosen(mask, value, target.detach())
    near = torch.clamp(v, r - clip, r + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_near_zero(value, old_value, target, mask, clip):
    v, r = chosen(mask, value, target.detach())
    return 0.5 * torch.maximum((v - r) ** 2, (v.clamp(-clip, clip) - r) ** 2).mean()


def value_clip_lost_old(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = (v - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_no_clip(value, old_value, target, mask, clip):
    return 0.5 * torch.nn.functional.mse_loss(value[mask], target[mask].detach())


def value_only_clipped(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    return 0.5 * (torch.clamp(v, old - clip, old + clip) - r).square().mean()


def value_target_learns(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target)
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_old_learns(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value, target.detach())
    near = old + (v - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_clipped_detached(value, old_value, target, mask, clip):
    """The clipped guess is a constant."""
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v.detach(), old - clip, old + clip)
    return 0.5 * torch.maximum((near - r) ** 2, (v - r) ** 2).mean()


def value_no_gradient(value, old_value, target, mask, clip):
    total = 0.0
    for v, old, r in zip(*(t[mask].tolist() for t in (value, old_value, target)), strict=False):
        near = min(max(v, old - clip), old + clip)
        total += max((v - r) ** 2, (near - r) ** 2)
    return torch.tensor(0.5 * total / int(mask.sum()))


def value_mean_of_rows(value, old_value, target, mask, clip):
    v, old, r = (clean(t, mask) for t in (value, old_value.detach(), target.detach()))
    near = torch.clamp(v, old - clip, old + clip)
    square = torch.maximum((v - r) ** 2, (near - r) ** 2)
    return 0.5 * (square.sum(1) / mask.sum(1).clamp(min=1)).mean()


def value_mean_of_all(value, old_value, target, mask, clip):
    v, old, r = (clean(t, mask) for t in (value, old_value.detach(), target.detach()))
    return 0.5 * torch.maximum((v - r) ** 2, (torch.clamp(v, old - clip, old + clip) - r) ** 2).mean()


def value_multiplied(value, old_value, target, mask, clip):
    old, r = old_value.detach(), target.detach()
    near = torch.clamp(value, old - clip, old + clip)
    square = torch.maximum((value - r) ** 2, (near - r) ** 2)
    return 0.5 * (square * mask).sum() / mask.sum()


def value_cleaned_too_late(value, old_value, target, mask, clip):
    old, r = old_value.detach(), target.detach()
    near = torch.clamp(value, old - clip, old + clip)
    square = torch.maximum((value - r) ** 2, (near - r) ** 2)
    return 0.5 * torch.where(mask, square, 0.0).sum() / mask.sum()


def value_no_gaps(value, old_value, target, mask, clip):
    mask = torch.arange(mask.shape[1]) < mask.sum(1)[:, None]
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_upward_only(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.minimum(v, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def value_absolute(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r).abs(), (near - r).abs()).mean()


def value_clipped_error(value, old_value, target, mask, clip):
    """Clips the error, not the guess."""
    v, r = chosen(mask, value, target.detach())
    error = v - r
    return 0.5 * torch.maximum(error ** 2, error.clamp(-clip, clip) ** 2).mean()


def value_outside_only_clipped(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.where((v - old).abs() > clip, (near - r) ** 2, (v - r) ** 2).mean()


def value_larger_signed(value, old_value, target, mask, clip):
    """Squares the larger error, with its sign."""
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum(v - r, near - r).square().mean()


def value_writes_old(value, old_value, target, mask, clip):
    old, r = old_value.detach(), target.detach()
    old[~mask], r[~mask] = 0.0, 0.0
    v = torch.where(mask, value, 0.0)
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).sum() / mask.sum()


def value_clip_the_target(value, old_value, target, mask, clip):
    v, old, r = chosen(mask, value, old_value.detach(), target.detach())
    near = torch.clamp(r, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (v - near) ** 2).mean()


# ---------------------------------------------------------------- 1.7 right
def value_larger_error(value, old_value, target, mask, clip):
    """The square of the larger distance is the larger square."""
    v, old, r = (t.masked_select(mask) for t in (value, old_value.detach(), target.detach()))
    near = torch.minimum(torch.maximum(v, old - clip), old + clip)
    return torch.stack([(v - r).abs(), (near - r).abs()]).amax(0).pow(2).mean() / 2


def value_one_by_one(value, old_value, target, mask, clip):
    squares = []
    with torch.no_grad():
        bounds = (old_value - clip, old_value + clip, target)
    for i, t in mask.nonzero().tolist():
        low, high, r = (x[i, t].item() for x in bounds)
        v = value[i, t]
        squares.append(max((v - r) ** 2, (v.clamp(low, high) - r) ** 2, key=lambda x: x.item()))
    return sum(squares) / (2 * len(squares))


MUTANTS = {
    "1.4": [
        ("each_row", whiten_each_row, "Each response was whitened by itself. Then"),
        ("by_n", whiten_by_n, "The variance is divided by n; here, as in"),
        ("with_padding", whiten_with_padding, "Padding took part in the mean or the"),
        ("mean_with_padding", whiten_mean_with_padding, "Padding took part in the mean or the"),
        ("no_shift", whiten_no_shift, "The mean is still there. Subtract it first."),
        ("keeps_mean", whiten_keeps_mean, "The mean is still there. Subtract it first."),
        ("by_variance", whiten_by_variance, "This divides by the variance. Divide by its"),
        ("multiplied", whiten_multiplied, "Multiplying by the mask is not enough: 0 ·"),
        ("epsilon_large", whiten_epsilon_large, "and wrong only here: small advantages; very small advantages"),
        ("flat", whiten_flat, "Only the marked tokens came back, in one"),
        ("padding_shifted", whiten_padding_shifted, "Padding was set to 0 *before* the mean was"),
        ("in_place", whiten_in_place, "The result is right, but your function"),
        ("no_gaps", whiten_no_gaps, "The marks are taken to stand in front of"),
        ("finite", whiten_finite, "Padding took part in the mean or the"),
        ("mean_of_means", whiten_mean_of_means, "The mean is one of the rows' means, so"),
        ("one_pass", whiten_one_pass, "wrong only here: nearly all mean"),
        ("n_minus_rows", whiten_n_minus_rows, "The variance is divided by n less the"),
        ("per_place", whiten_per_place, "Each column's own mean was subtracted."),
        ("median", whiten_median, "The median was subtracted. Subtract the"),
        ("cut_off", whiten_cut_off, "Large results were cut off. Whitening"),
        ("divisor_at_least_one", whiten_divisor_at_least_one, "The deviation has a floor, or something"),
    ],
    "1.5": [
        ("sign", policy_sign, "The minus is missing: it is a loss, to be"),
        ("larger", policy_larger, "This takes the larger of the two gains. The"),
        ("min_of_losses", policy_min_of_losses, "This takes the larger of the two gains. The"),
        ("only_clipped", policy_only_clipped, "Only the clipped term is left. Then a token"),
        ("no_clip", policy_no_clip, "The clip never bites. Take the smaller of"),
        ("clip_of_log", policy_clip_of_log, "The *logarithm* of the ratio was clipped."),
        ("upper_only", policy_upper_only, "The ratio is clipped above only. Clip it"),
        ("by_quotient", policy_by_quotient, "The lower bound is 1 / (1+ε) here. It is"),
        ("gradient_in_advantage", policy_gradient_in_advantage, "The values are right, but a gradient flows"),
        ("mean_of_rows", policy_mean_of_rows, "This is a mean of the rows' means: a token"),
        ("mean_of_all", policy_mean_of_all, "The mean runs over padding too. Sum the"),
        ("sum_over_batch", policy_sum_over_batch, "This divides by the number of responses."),
        ("multiplied", policy_multiplied, "Multiplying by the mask is not enough: 0 ·"),
        ("cleaned_too_late", policy_cleaned_too_late, "The values are right, but the gradient in"),
        ("ratio_upside_down", policy_ratio_upside_down, "The ratio is upside down: new over old,"),
        ("linear_ratio", policy_linear_ratio, "The exp is missing: the ratio of"),
        ("quotient_of_logs", policy_quotient_of_logs, "Logarithms are divided here. The ratio of"),
        ("no_gradient", policy_no_gradient, "The values are right, but no gradient"),
        ("dual_clip", policy_dual_clip, "What a bad token may cost is bounded, as in"),
        ("min_after_mean", policy_min_after_mean, "The two means are compared. Take the"),
        ("min_of_ratio", policy_min_of_ratio, "The smaller is taken of the two *ratios*."),
        ("ratio_of_responses", policy_ratio_of_responses, "This is the ratio of whole responses. Each"),
        ("whitens", policy_whitens, "The advantage was whitened here once more."),
        ("no_gaps", policy_no_gaps, "The marks are taken to stand in front of"),
        ("writes_advantage", policy_writes_advantage, "The result is right, but your function"),
        ("zeros_left_out", policy_zeros_left_out, "Tokens with an advantage of 0 are left out"),
        ("inner_gradient_cut", policy_inner_gradient_cut, "The values are right, but outside 1 ± ε no"),
    ],
    "1.6": [
        ("not_cut", adapt_not_cut, "The error is not cut off: one strange batch"),
        ("cut_above", adapt_cut_above, "The error is cut off above and not below."),
        ("cut_below_zero", adapt_cut_below_zero, "β never falls. Below the target it has to:"),
        ("swapped", adapt_swapped, "The error is -0.2 in every case. Either max"),
        ("upside_down", adapt_upside_down, "The fraction is upside down: e = KL /"),
        ("difference", adapt_difference, "The error is relative: divide by the"),
        ("no_n", adapt_no_n, "n is missing: the more responses a step"),
        ("added", adapt_added, "The step was added to β. β is multiplied by"),
        ("cut_later", adapt_cut_later, "e · n / horizon was cut off. Cut off e"),
        ("other_direction", adapt_other_direction, "β moves the wrong way: too much drift"),
        ("negative_ignored", adapt_negative_ignored, "For a KL of 0 or less, β stayed as it was."),
        ("absolute", adapt_absolute, "The KL lost its sign. An estimate may be"),
        ("zero_is_missing", adapt_zero_is_missing, "A KL of 0 counts as False, and β stayed as"),
        ("tensor", adapt_tensor, "It returned a tensor of floats; the next"),
        ("bounded", adapt_bounded, "β was kept between two bounds, or above"),
        ("whole_steps", adapt_whole_steps, "// divides to a whole number, here to 0."),
        ("at_most_horizon", adapt_at_most_horizon, "n / horizon was cut off at 1. Only e is cut"),
        ("doubling", adapt_doubling, "This is another rule, which doubles or"),
        ("exponential", adapt_exponential, "This takes the exponential. The factor is 1"),
        ("logarithm", adapt_logarithm, "The error is a logarithm here. It is e = KL"),
        ("whole_quotient", adapt_whole_quotient, "// divides to a whole number. Use /."),
        ("only_outside", adapt_only_outside, ""),
        ("one_sided_target", adapt_one_sided_target, "Below the target the error is cut off too"),
        ("rounded", adapt_rounded, "The result is rounded. Return it with all"),
    ],
    "1.7": [
        ("smaller", value_smaller, "The smaller error was taken. Take the"),
        ("not_halved", value_not_halved, "The factor ½ is missing. It makes the"),
        ("summed", value_summed, "This is a sum. Take the mean over the"),
        ("max_after_mean", value_max_after_mean, "The two means are compared. Take the larger"),
        ("relative_clip", value_relative_clip, "V was kept within a share of the old value,"),
        ("near_target", value_near_target, "The clip never bites: this is the error of"),
        ("near_zero", value_near_zero, "The value is clipped to ±c. It moves about"),
        ("clip_lost_old", value_clip_lost_old, "The step V - V_old was clipped, and V_old"),
        ("no_clip", value_no_clip, "The clip never bites: this is the error of"),
        ("only_clipped", value_only_clipped, "Only the clipped error is left. Then a"),
        ("target_learns", value_target_learns, "The values are right, but a gradient flows"),
        ("old_learns", value_old_learns, "The values are right, but a gradient flows"),
        ("clipped_detached", value_clipped_detached, "The values are right; the clipped error has"),
        ("no_gradient", value_no_gradient, "The values are right, but no gradient"),
        ("mean_of_rows", value_mean_of_rows, "This is a mean of the rows' means: a token"),
        ("mean_of_all", value_mean_of_all, "The mean runs over padding too. Sum the"),
        ("multiplied", value_multiplied, "Multiplying by the mask is not enough: 0 ·"),
        ("cleaned_too_late", value_cleaned_too_late, "The values are right, but the gradient in"),
        ("no_gaps", value_no_gaps, "The marks are taken to stand in front of"),
        ("upward_only", value_upward_only, "The value is clipped above only. Clip it"),
        ("absolute", value_absolute, "The errors are not squared."),
        ("clipped_error", value_clipped_error, "The clip never bites: this is the error of"),
        ("outside_only_clipped", value_outside_only_clipped, "Only the clipped error is left. Then a"),
        ("larger_signed", value_larger_signed, "The larger is taken before squaring, so"),
        ("writes_old", value_writes_old, "The result is right, but your function"),
        ("clip_the_target", value_clip_the_target, "The target was clipped. Clip the value V"),
    ],
}
RIGHT = {
    "1.4": [whiten_scattered, whiten_var_mean, whiten_epsilon],
    "1.5": [policy_by_sign, policy_larger_loss],
    "1.6": [adapt_median, adapt_cut_kl],
    "1.7": [value_larger_error, value_one_by_one],
}
