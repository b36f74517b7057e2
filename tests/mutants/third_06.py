"""A third set of answers to lesson 06, by a third hand, who had read the checks of other lessons."""

import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 6.1 wrong
def both_numbers(distance, gold, rl, small=0.0):
    second = distance * distance.log() if rl else distance ** 2
    columns = torch.stack([distance, -second], 1).double()
    a, b = torch.linalg.lstsq(columns, gold[:, None].double()).solution[:, 0].tolist()
    if b <= small:
        return a, b, math.inf
    return a, b, math.exp(a / b - 1) if rl else max(a / (2 * b), 0.0)


def peak_of_three_points(distance, gold, rl):
    return both_numbers(distance[:3], gold[:3], rl)


def peak_never_if_nearly_flat(distance, gold, rl):
    return both_numbers(distance, gold, rl, small=0.02)


def peak_with_ridge(distance, gold, rl):
    second = distance * distance.log() if rl else distance ** 2
    x = torch.stack([distance, -second], 1).double()
    a, b = torch.linalg.solve(x.T @ x + 1e-3 * torch.eye(2, dtype=torch.float64), x.T @ gold.double()).tolist()
    return a, b, math.inf if b <= 0 else math.exp(a / b - 1) if rl else max(a / (2 * b), 0.0)


def peak_alpha_not_negative(distance, gold, rl):
    a, b, _ = both_numbers(distance, gold, rl)
    a = max(a, 0.0)
    return a, b, math.inf if b <= 0 else math.exp(a / b - 1) if rl else a / (2 * b)


def peak_cut_for_both(distance, gold, rl):
    """The peak of the second form cut off where the first one's is: at α ≤ 0."""
    a, b, peak = both_numbers(distance, gold, rl)
    return a, b, 0.0 if a <= 0 and b > 0 else peak


# ---------------------------------------------------------------- 6.1 right
def peak_weighted_polyfit(distance, gold, rl):
    d, y = distance.numpy().astype(float), gold.numpy().astype(float)
    minus_beta, alpha = np.polyfit(np.log(d) if rl else d, y / d, 1, w=d)
    alpha, beta = float(alpha), float(-minus_beta)
    if beta > 0:
        return alpha, beta, math.exp(alpha / beta - 1) if rl else max(0.0, alpha / beta / 2)
    return alpha, beta, float("inf")


def peak_by_cramer(distance, gold, rl):
    d, y = distance.double(), gold.double()
    u, v = d, -(d * d.log() if rl else d * d)
    uu, uv, vv, uy, vy = (u * u).sum(), (u * v).sum(), (v * v).sum(), (u * y).sum(), (v * y).sum()
    det = uu * vv - uv ** 2
    a, b = ((vv * uy - uv * vy) / det).item(), ((uu * vy - uv * uy) / det).item()
    peak = math.inf
    if b > 0:
        peak = math.exp(a / b - 1) if rl else a / (2 * b)
    return [a, b, peak if peak > 0 else 0.0]


# ---------------------------------------------------------------- 6.2 wrong
def ensemble_not_below_the_worst(score, weight):
    cautious = score.mean(0) - weight * score.var(0, correction=0)
    return score.mean(0), score.amin(0), torch.maximum(cautious, score.amin(0))


def ensemble_in_place(score, weight):
    mean, worst = score.mean(0), score.amin(0)
    score -= mean
    return mean, worst, mean - weight * (score ** 2).mean(0)


def ensemble_error_of_the_mean(score, weight):
    return score.mean(0), score.amin(0), score.mean(0) - weight * score.var(0, correction=0) / len(score)


def ensemble_share_of_the_mean(score, weight):
    return score.mean(0), score.amin(0), (1 - weight) * score.mean(0) + weight * score.amin(0)


def ensemble_one_is_unsure(score, weight):
    """A single member's variance taken for 1."""
    variance = score.var(0, correction=0) if len(score) > 1 else torch.ones_like(score[0])
    return score.mean(0), score.amin(0), score.mean(0) - weight * variance


# ---------------------------------------------------------------- 6.2 right
def ensemble_var_mean(score, weight):
    variance, mean = torch.var_mean(score, dim=0, unbiased=False)
    return [mean, torch.sort(score, dim=0).values[0], torch.sub(mean, variance, alpha=weight)]


def ensemble_loop(score, weight):
    k = len(score)
    mean = sum(score) / k
    worst = score[0]
    for member in score:
        worst = torch.where(member < worst, member, worst)
    return mean, worst, mean - weight / k * sum((member - mean).pow(2) for member in score)


# ---------------------------------------------------------------- 6.3 wrong
def kept(x, mask):
    return torch.where(mask, x, torch.zeros_like(x))


def lost_nan_to_num(score, token_reward, logprob, ref_logprob, mask, beta):
    """NaN goes, other garbage stays."""
    kl = (logprob - ref_logprob).nan_to_num(0.0, 0.0, 0.0).sum(1)
    return score - beta * kl - token_reward.nan_to_num(0.0, 0.0, 0.0).sum(1)


def lost_price_of_the_last(score, token_reward, logprob, ref_logprob, mask, beta):
    last = mask & (mask.long().flip(1).cumsum(1).flip(1) == 1)
    return score - beta * kept(logprob - ref_logprob, last).sum(1) - kept(token_reward, mask).sum(1)


def lost_absolute_drift(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - beta * kept((logprob - ref_logprob).abs(), mask).sum(1) - kept(token_reward, mask).sum(1)


def lost_rounded_to_nothing(score, token_reward, logprob, ref_logprob, mask, beta):
    """The books balance if it is less than a hundredth."""
    left = score - beta * kept(logprob - ref_logprob, mask).sum(1) - kept(token_reward, mask).sum(1)
    return torch.where(left.abs() < 0.01, 0.0, left)


# ---------------------------------------------------------------- 6.3 right
def lost_per_token(score, token_reward, logprob, ref_logprob, mask, beta):
    each = torch.zeros_like(token_reward)
    each[mask] = token_reward[mask] + beta * (logprob[mask] - ref_logprob[mask])
    return score - each.sum(-1)


def lost_numpy_rows(score, token_reward, logprob, ref_logprob, mask, beta):
    out = []
    for b in range(len(score)):
        real = mask[b].numpy()
        now, ref, got = (float(x[b].numpy()[real].astype(float).sum()) for x in (logprob, ref_logprob, token_reward))
        out.append(score[b].item() - beta * (now - ref) - got)
    return torch.tensor(out)


# ---------------------------------------------------------------- 6.4 wrong
def per_response(advantage, mask):
    return kept(advantage, mask).sum(1) / mask.sum(1)


def pearson(x, y):
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    return (x * y).sum() / (x.norm() * y.norm())


def credit_flat_below_a_hundredth(advantage, mask, score):
    mean = per_response(advantage, mask)
    if min(mean.std(correction=0), score.std(correction=0)) < 1e-2:
        return torch.tensor(0.0)
    return pearson(mean, score)


def credit_both_flat(advantage, mask, score):
    mean = per_response(advantage, mask)
    if max(mean.std(correction=0), score.std(correction=0)) < 1e-5:
        return torch.tensor(0.0)
    return pearson(mean, score)


def credit_flat_if_equal(advantage, mask, score):
    """Asks whether all are equal, to the last bit."""
    mean = per_response(advantage, mask)
    if len(set(mean.tolist())) == 1 or len(set(score.tolist())) == 1:
        return torch.tensor(0.0)
    return pearson(mean, score)


def credit_signs(advantage, mask, score):
    mean = per_response(advantage, mask)
    return ((mean - mean.mean()).sign() * (score - score.mean()).sign()).mean()


def credit_with_epsilon(advantage, mask, score):
    """A small number below in place of the question."""
    mean = per_response(advantage, mask)
    x, y = mean - mean.mean(), score - score.mean()
    return (x * y).mean() / (x.std(correction=0) * y.std(correction=0) + 1e-8)


# ---------------------------------------------------------------- 6.4 right
def credit_cosine(advantage, mask, score):
    mean = torch.stack([row[real].mean() for row, real in zip(advantage, mask, strict=True)])
    x, y = (v.double() - v.double().mean() for v in (mean, score))
    flat = any(v.square().mean().sqrt() < 1e-5 for v in (x, y))
    return torch.zeros(()) if flat else F.cosine_similarity(x, y, dim=0, eps=1e-30)


def credit_statistics(advantage, mask, score):
    mean = [statistics.fmean(row[real].tolist()) for row, real in zip(advantage, mask, strict=True)]
    score = score.tolist()
    if statistics.pstdev(mean) < 1e-5 or statistics.pstdev(score) < 1e-5:
        return 0.0
    return statistics.correlation(mean, score)


# ---------------------------------------------------------------- 6.5 wrong
def ends_first_place_is_none(ids, mask, eos):
    """argmax gives 0 where there is none, so 0 was taken for none."""
    first = (ids == eos).int().argmax(1)
    rows = first > 0
    return mask[rows, first[rows]].float().mean() if rows.any() else torch.tensor(1.0)


def ends_argmax_of_all(ids, mask, eos):
    """Rows without an end answer for their first token."""
    first = (ids == eos).int().argmax(1)
    return mask[torch.arange(len(ids)), first].float().mean() if (ids == eos).any() else torch.tensor(1.0)


def ends_behind_it(ids, mask, eos):
    """The place behind the end token."""
    hit = [mask[r, min(row.index(eos) + 1, len(row) - 1)] for r, row in enumerate(ids.tolist()) if eos in row]
    return torch.stack(hit).float().mean() if hit else torch.tensor(1.0)


def ends_before_it(ids, mask, eos):
    hit = [mask[r, max(row.index(eos) - 1, 0)] for r, row in enumerate(ids.tolist()) if eos in row]
    return torch.stack(hit).float().mean() if hit else torch.tensor(1.0)


def ends_all_up_to_it(ids, mask, eos):
    hit = [mask[r, :row.index(eos) + 1].all() for r, row in enumerate(ids.tolist()) if eos in row]
    return torch.stack(hit).float().mean() if hit else torch.tensor(1.0)


# ---------------------------------------------------------------- 6.5 right
def ends_index(ids, mask, eos):
    found = [mask[r, row.index(eos)].item() for r, row in enumerate(ids.tolist()) if eos in row]
    return sum(found) / len(found) if found else 1.0


def ends_cumprod(ids, mask, eos):
    before = (ids != eos).long().cumprod(1).sum(1)
    ended = before < ids.shape[1]
    if not ended.any():
        return torch.ones(())
    return mask[ended].gather(1, before[ended].unsqueeze(1)).double().mean()


# ---------------------------------------------------------------- 6.6 wrong
def right_pulls(logits, ref_logits):
    pi = logits.softmax(0)
    away = logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(pi * f - pi * (pi * f).sum() for f in (torch.ones_like(away), away, 1 - torch.exp(-away)))


def pulls_accumulated(logits, ref_logits):
    """.backward() three times on one leaf, whose gradient is never emptied."""
    x = logits.clone().requires_grad_()
    away = x.log_softmax(0) - ref_logits.log_softmax(0)
    drawn, out = x.softmax(0).detach(), []
    for k in (away, away ** 2 / 2, torch.exp(-away) - 1 + away):
        (drawn * k).sum().backward(retain_graph=True)
        out.append(x.grad.clone())
    return tuple(out)


def pulls_mean_over_v(logits, ref_logits):
    return tuple(k / len(logits) for k in right_pulls(logits, ref_logits))


def pulls_downhill(logits, ref_logits):
    """What is added to the logits by a step that minimises."""
    return tuple(-k for k in right_pulls(logits, ref_logits))


def pulls_only_own_logit(logits, ref_logits):
    """The normaliser's gradient is forgotten."""
    pi = logits.softmax(0)
    away = logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(pi * f for f in (torch.ones_like(away), away, 1 - torch.exp(-away)))


# ---------------------------------------------------------------- 6.6 right
def pulls_by_formula(logits, ref_logits):
    return right_pulls(logits, ref_logits)


def pulls_jacobian(logits, ref_logits):
    drawn = logits.softmax(0)
    away = lambda x: x.log_softmax(0) - ref_logits.log_softmax(0)                            # noqa: E731
    forms = (away, lambda x: 0.5 * away(x).square(), lambda x: torch.expm1(-away(x)) + away(x))
    return [drawn @ torch.autograd.functional.jacobian(form, logits) for form in forms]


# ---------------------------------------------------------------- 6.7 wrong
def good_step(weight, gradient, rate, most):
    return weight - rate * gradient * min(1.0, most / max(gradient.norm().item(), 1e-30))


def ratio_in(logprob, old_logprob, mask):
    return (logprob - old_logprob)[mask].exp()


def step_mean_of_rows(weight, gradient, logprob, old_logprob, mask, rate, most):
    """A mean of each response first."""
    each = torch.where(mask, logprob - old_logprob, -torch.inf).exp().sum(1) / mask.sum(1).clamp(min=1)
    ok = each[mask.any(1)].mean() <= 10 and gradient.isfinite().all()
    return good_step(weight, gradient, rate, most) if ok else weight


def step_median_ratio(weight, gradient, logprob, old_logprob, mask, rate, most):
    ok = ratio_in(logprob, old_logprob, mask).median() <= 10 and gradient.isfinite().all()
    return good_step(weight, gradient, rate, most) if ok else weight


def step_sum_of_sizes(weight, gradient, logprob, old_logprob, mask, rate, most):
    """The norm is Σ|g|."""
    ok = ratio_in(logprob, old_logprob, mask).mean() <= 10 and gradient.isfinite().all()
    return weight - rate * gradient * min(1.0, most / max(gradient.abs().sum().item(), 1e-30)) if ok else weight


def step_only_nan(weight, gradient, logprob, old_logprob, mask, rate, most):
    """Infinity in the gradient is let through."""
    ok = ratio_in(logprob, old_logprob, mask).mean() <= 10 and not gradient.isnan().any()
    return weight - rate * gradient * torch.clamp(most / gradient.norm(), max=1) if ok else weight


def step_on_the_padding(weight, gradient, logprob, old_logprob, mask, rate, most):
    """The padding counts with ratio 1, which makes the mean smaller."""
    ratio = torch.where(mask, logprob - old_logprob, 0.0).exp().mean()
    return good_step(weight, gradient, rate, most) if ratio <= 10 and gradient.isfinite().all() else weight


# ---------------------------------------------------------------- 6.7 right
def step_torch_clipping(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = torch.mean(torch.exp(logprob[mask] - old_logprob[mask]))
    if torch.isnan(ratio) or ratio > 10 or not torch.isfinite(gradient).all():
        return weight
    leaf = torch.nn.Parameter(weight.clone())
    leaf.grad = gradient.clone()
    torch.nn.utils.clip_grad_norm_([leaf], most)
    torch.optim.SGD([leaf], lr=rate).step()
    return leaf.detach()


def step_renorm(weight, gradient, logprob, old_logprob, mask, rate, most):
    total = sum(math.exp(min(x, 300.0)) if x == x else math.nan for x in (logprob - old_logprob)[mask].tolist())
    trusted = total / int(mask.sum()) <= 10 and all(map(math.isfinite, gradient.tolist()))
    if not trusted:
        return weight.clone()
    length = math.sqrt(sum(g * g for g in gradient.tolist()))
    return weight.add(gradient, alpha=-rate * (most / length if length > most else 1))


MUTANTS = {
    "6.1": [("peak_of_three_points", peak_of_three_points, ""),
            ("peak_never_if_nearly_flat", peak_never_if_nearly_flat, "A small β is taken for none. Only where β"),
            ("peak_with_ridge", peak_with_ridge, ""),
            ("peak_alpha_not_negative", peak_alpha_not_negative, ""),
            ("peak_cut_for_both", peak_cut_for_both, "")],
    "6.2": [("ensemble_not_below_the_worst", ensemble_not_below_the_worst, ""),
            ("ensemble_in_place", ensemble_in_place, "The result is right, but your function"),
            ("ensemble_error_of_the_mean", ensemble_error_of_the_mean, "The variance is divided by K once more."),
            ("ensemble_share_of_the_mean", ensemble_share_of_the_mean, ""),
            ("ensemble_one_is_unsure", ensemble_one_is_unsure, "")],
    "6.3": [("lost_nan_to_num", lost_nan_to_num, "The padding is in the sums. Only marked"),
            ("lost_price_of_the_last", lost_price_of_the_last, ""),
            ("lost_absolute_drift", lost_absolute_drift, "The differences were made positive. A"),
            ("lost_rounded_to_nothing", lost_rounded_to_nothing, "")],
    "6.4": [("credit_flat_below_a_hundredth", credit_flat_below_a_hundredth, "Scores that differ by a thousandth"),
            ("credit_both_flat", credit_both_flat, "Where nothing varies this divides by 0,"),
            ("credit_flat_if_equal", credit_flat_if_equal, "Where nothing varies this divides by 0,"),
            ("credit_signs", credit_signs, ""),
            ("credit_with_epsilon", credit_with_epsilon, "")],
    "6.5": [("ends_first_place_is_none", ends_first_place_is_none, "argmax says 0 where there is no EOS, and"),
            ("ends_argmax_of_all", ends_argmax_of_all, "In a row without EOS, argmax says 0, and"),
            ("ends_behind_it", ends_behind_it, "The token *behind* the EOS is looked at."),
            ("ends_before_it", ends_before_it, "The token *before* the EOS is looked at."),
            ("ends_all_up_to_it", ends_all_up_to_it, "Every token up to the EOS has to be")],
    "6.6": [("pulls_accumulated", pulls_accumulated, "The gradients are added up: .backward()"),
            ("pulls_mean_over_v", pulls_mean_over_v, "The pulls were divided by the number of"),
            ("pulls_downhill", pulls_downhill, "The sign: these are steps *against* the"),
            ("pulls_only_own_logit", pulls_only_own_logit, "These are gradients in the")],
    "6.7": [("step_mean_of_rows", step_mean_of_rows, "A mean of each response first, and then"),
            ("step_median_ratio", step_median_ratio, "The median ratio is compared. It is the"),
            ("step_sum_of_sizes", step_sum_of_sizes, "The length is the sum of absolute values"),
            ("step_only_nan", step_only_nan, "Infinity in the gradient is let through."),
            ("step_on_the_padding", step_on_the_padding, "The ratios are divided by all B × T")]
}
RIGHT = {"6.1": [peak_weighted_polyfit, peak_by_cramer],
         "6.2": [ensemble_var_mean, ensemble_loop],
         "6.3": [lost_per_token, lost_numpy_rows],
         "6.4": [credit_cosine, credit_statistics],
         "6.5": [ends_index, ends_cumprod],
         "6.6": [pulls_by_formula, pulls_jacobian],
         "6.7": [step_torch_clipping, step_renorm]}
