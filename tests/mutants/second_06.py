"""A second set of answers to lesson 06, by the same hand, when the checks were there: see `lesson_06.py`."""

import math

import numpy as np
import torch


# ---------------------------------------------------------------- 6.1
def _fit(distance, gold, rl):
    x = torch.stack([distance, -distance * (distance.log() if rl else distance)], 1)
    return torch.linalg.lstsq(x, gold[:, None]).solution[:, 0].tolist()


def parabola_with_polyfit(distance, gold, rl):
    x = distance.log() if rl else distance
    minus_beta, alpha, _ = np.polyfit(x.numpy(), gold.numpy(), 2).tolist()
    beta = -minus_beta
    return alpha, beta, math.inf if beta <= 0 else math.exp(alpha / beta - 1) if rl else max(alpha / 2 / beta, 0.0)


def one_outside_the_exponential(distance, gold, rl):
    alpha, beta = _fit(distance, gold, rl)
    return alpha, beta, math.inf if beta <= 0 else math.exp(alpha / beta) - 1 if rl else max(alpha / (2 * beta), 0.0)


def peak_first(distance, gold, rl):
    alpha, beta = _fit(distance, gold, rl)
    peak = math.inf if beta <= 0 else math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)
    return peak, alpha, beta


def beta_always_positive(distance, gold, rl):
    alpha, beta = _fit(distance, gold, rl)
    beta = abs(beta)
    return alpha, beta, math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)


def never_beyond_the_points(distance, gold, rl):
    alpha, beta = _fit(distance, gold, rl)
    peak = math.inf if beta <= 0 else math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)
    return alpha, beta, min(peak, distance.max().item())


# ---------------------------------------------------------------- 6.2
def stacked(score, weight):
    return torch.stack([score.mean(0), score.amin(0), score.mean(0) - weight * score.var(0, correction=0)])


def kept_dimension(score, weight):
    mean = score.mean(0, keepdim=True)
    return mean, score.amin(0, keepdim=True), mean - weight * score.var(0, correction=0, keepdim=True)


def half_the_variance(score, weight):
    return score.mean(0), score.amin(0), score.mean(0) - weight / 2 * score.var(0, correction=0)


def variance_over_mean(score, weight):
    mean, var = score.mean(0), score.var(0, correction=0)
    return mean, score.amin(0), mean - weight * var / mean


def squared_range(score, weight):
    return score.mean(0), score.amin(0), score.mean(0) - weight * (score.amax(0) - score.amin(0)) ** 2


# ---------------------------------------------------------------- 6.3
def kl_of_the_batch(score, token_reward, logprob, ref_logprob, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0).sum(1).mean()
    return score - beta * kl - torch.where(mask, token_reward, 0).sum(1)


def score_for_every_token(score, token_reward, logprob, ref_logprob, mask, beta):
    due = score[:, None] - beta * (logprob - ref_logprob)
    return torch.where(mask, due - token_reward, 0).sum(1)


def only_what_is_missing(score, token_reward, logprob, ref_logprob, mask, beta):
    lost = score - torch.where(mask, beta * (logprob - ref_logprob) + token_reward, 0).sum(1)
    return lost.clamp(min=0)


def share_that_is_lost(score, token_reward, logprob, ref_logprob, mask, beta):
    due = score - beta * torch.where(mask, logprob - ref_logprob, 0).sum(1)
    return 1 - torch.where(mask, token_reward, 0).sum(1) / due


def columns(score, token_reward, logprob, ref_logprob, mask, beta):
    return torch.where(mask, beta * (logprob - ref_logprob) + token_reward, 0)


# ---------------------------------------------------------------- 6.4
def variance_for_deviation(advantage, mask, score):
    x = torch.where(mask, advantage, 0).sum(1) / mask.sum(1)
    if min(x.var(correction=0), score.var(correction=0)) < 1e-5:
        return torch.tensor(0.0)
    return torch.corrcoef(torch.stack([x, score]))[0, 1]


def in_a_list(advantage, mask, score):
    x = torch.where(mask, advantage, 0).sum(1) / mask.sum(1)
    return torch.corrcoef(torch.stack([x, score]))


def slope(advantage, mask, score):
    x = torch.where(mask, advantage, 0).sum(1) / mask.sum(1)
    x, y = x - x.mean(), score - score.mean()
    return (x * y).sum() / (y * y).sum() if y.std(correction=0) > 1e-5 else torch.tensor(0.0)


def median_advantage(advantage, mask, score):
    x = torch.stack([row[kept].median() for row, kept in zip(advantage, mask, strict=True)])
    if min(x.std(correction=0), score.std(correction=0)) < 1e-5:
        return torch.tensor(0.0)
    return torch.corrcoef(torch.stack([x, score]))[0, 1]


# ---------------------------------------------------------------- 6.5
def argmax_of_all_rows(ids, mask, eos):
    return mask.gather(1, (ids == eos).int().argmax(1, keepdim=True)).float().mean()


def last_end_token(ids, mask, eos):
    end = ids == eos
    last = ids.shape[1] - 1 - end.flip(1).int().argmax(1, keepdim=True)
    ended = end.any(1)
    return mask.gather(1, last)[ended].float().mean() if ended.any() else torch.tensor(1.0)


def all_or_nothing(ids, mask, eos):
    end = ids == eos
    first = end & (end.cumsum(1) == 1)
    return float(bool((first & mask).any(1)[end.any(1)].all()))


def without_the_first_column(ids, mask, eos):
    end = ids[:, 1:] == eos
    first = end & (end.cumsum(1) == 1)
    return (first & mask[:, 1:]).sum() / end.any(1).sum() if end.any() else torch.tensor(1.0)


# ---------------------------------------------------------------- 6.6
def likeliest_token_only(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    away = (logits.log_softmax(0) - ref_logits.log_softmax(0))[logits.argmax()]
    return tuple(torch.autograd.grad(k, logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, (-away).exp() - 1 + away))


def numbers_not_tensors(logits, ref_logits):
    p, q = logits.softmax(0), ref_logits.softmax(0)
    d = p.log() - q.log()
    return (p * d).sum(), (p * d ** 2 / 2).sum(), (p * (1 / d.exp() - 1 + d)).sum()


def k2_of_the_ratio(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    p, away = logits.softmax(0).detach(), logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad((p * k).sum(), logits, retain_graph=True)[0]
                 for k in (away, ((-away).exp() - 1) ** 2 / 2, (-away).exp() - 1 + away))


def k3_without_the_logarithm(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    p, away = logits.softmax(0).detach(), logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad((p * k).sum(), logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, (-away).exp() - 1))


# ---------------------------------------------------------------- 6.7
def _good(gradient, logprob, old_logprob, mask):
    return (logprob - old_logprob)[mask].exp().mean() <= 10 and gradient.isfinite().all()


def long_ones_skipped(weight, gradient, logprob, old_logprob, mask, rate, most):
    if not _good(gradient, logprob, old_logprob, mask) or gradient.norm() > most:
        return weight.clone()
    return weight - rate * gradient


def the_step_is_cut(weight, gradient, logprob, old_logprob, mask, rate, most):
    if not _good(gradient, logprob, old_logprob, mask):
        return weight.clone()
    step = rate * gradient
    return weight - (step * most / step.norm() if step.norm() > most else step)


def mean_over_all_places(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = torch.where(mask, (logprob - old_logprob).exp(), 0).mean()
    if not ratio <= 10 or not gradient.isfinite().all():
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=most))


def both_must_fail(weight, gradient, logprob, old_logprob, mask, rate, most):
    if not (logprob - old_logprob)[mask].exp().mean() <= 10 and not gradient.isfinite().all():
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=most))


def gradient_returned(weight, gradient, logprob, old_logprob, mask, rate, most):
    good = _good(gradient, logprob, old_logprob, mask)
    return gradient * (most / gradient.norm().clamp(min=most)) if good else torch.zeros_like(gradient)


def low_ratios_skipped_too(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = (logprob - old_logprob)[mask].exp().mean()
    if not 0.1 <= ratio <= 10 or not gradient.isfinite().all():
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=most))


MUTANTS = {
    "6.1": [
        ("parabola with polyfit", parabola_with_polyfit, "A constant is fitted as well"),
        ("one outside the exponential", one_outside_the_exponential, "With `rl` the 1 is subtracted outside"),
        ("peak first", peak_first, "The three results are in another order"),
        ("beta always positive", beta_always_positive, "β was made positive"),
        ("never beyond the points", never_beyond_the_points, "The peak is held within the measured points"),
    ],
    "6.2": [
        ("stacked", stacked, "It returned a tensor of floats; the next cell needs a tuple"),
        ("kept dimension", kept_dimension, "Your result has shape (1, 1); expected (1,)"),
        ("half the variance", half_the_variance, "The variance was halved"),
        ("variance over mean", variance_over_mean, "The variance was divided by the mean"),
        ("squared range", squared_range, "The range from lowest to highest stands for the variance"),
    ],
    "6.3": [
        ("kl of the batch", kl_of_the_batch, "Every response is charged the batch's mean drift"),
        ("score for every token", score_for_every_token, "The score is counted at every token"),
        ("only what is missing", only_what_is_missing, "Negative results were cut off at 0"),
        ("share that is lost", share_that_is_lost, "This is the share that is missing"),
        ("columns", columns, "Your result has shape (2, 3); expected (2,)"),
    ],
    "6.4": [
        ("variance for deviation", variance_for_deviation, "The *standard deviation* is compared"),
        ("in a list", in_a_list, "One number for all is wanted; yours has shape (2, 2)"),
        ("slope", slope, "This is the slope of a line"),
        ("median advantage", median_advantage, "The median of the advantages is taken"),
    ],
    "6.5": [
        ("argmax of all rows", argmax_of_all_rows, "In a row without EOS, argmax says 0, and that row is counted"),
        ("last end token", last_end_token, "The *last* EOS is looked up"),
        ("all or nothing", all_or_nothing, "This says whether *all* ends are learnt"),
        ("without the first column", without_the_first_column, "The first column is left out"),
    ],
    "6.6": [
        ("likeliest token only", likeliest_token_only, "Only the likeliest token is looked at"),
        ("numbers not tensors", numbers_not_tensors, "Your result has shape (); expected (3,)"),
        ("k2 of the ratio", k2_of_the_ratio, "k2 squares r - 1"),
    ],
    "6.7": [
        ("long ones skipped", long_ones_skipped, "A long gradient is skipped"),
        ("the step is cut", the_step_is_cut, "The step, rate · gradient, is cut"),
        ("mean over all places", mean_over_all_places, "The ratios are divided by all B × T places"),
        ("both must fail", both_must_fail, "It is skipped only if ratio *and* gradient are bad"),
        ("gradient returned", gradient_returned, "The gradient itself is returned"),
        ("low ratios skipped too", low_ratios_skipped_too, "A low ratio is skipped as well"),
    ],
}

RIGHT = {
    "6.6": [k3_without_the_logarithm],
}
