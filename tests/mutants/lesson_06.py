"""Answers to lesson 06 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the exercises' text, before there was a check.
"""

import math

import numpy as np
import torch


# ---------------------------------------------------------------- 6.1
def _lstsq(first, second, gold):
    alpha, minus_beta = torch.linalg.lstsq(torch.stack([first, second], 1), gold[:, None]).solution[:, 0].tolist()
    return alpha, -minus_beta


def _peak(alpha, beta, rl):
    if beta <= 0:
        return math.inf
    return math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)


def sign_of_beta(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    return alpha, -beta, _peak(alpha, beta, rl)


def one_form_for_both(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance ** 2, gold)
    return alpha, beta, _peak(alpha, beta, False)


def forms_exchanged(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance ** 2 if rl else distance * distance.log(), gold)
    return alpha, beta, _peak(alpha, beta, not rl)


def forgot_the_factor_d(distance, gold, rl):
    alpha, beta = _lstsq(torch.ones_like(distance), distance.log() if rl else distance, gold)
    return alpha, beta, _peak(alpha, beta, rl)


def log_10(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log10() if rl else distance ** 2, gold)
    return alpha, beta, _peak(alpha, beta, rl)


def with_intercept(distance, gold, rl):
    second = distance * distance.log() if rl else distance ** 2
    columns = torch.stack([torch.ones_like(distance), distance, second], 1)
    _, alpha, minus_beta = np.linalg.lstsq(columns.numpy(), gold.numpy(), rcond=None)[0].tolist()
    return alpha, -minus_beta, _peak(alpha, -minus_beta, rl)


def where_it_is_zero_again(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    return alpha, beta, math.inf if beta <= 0 else math.exp(alpha / beta) if rl else max(alpha / beta, 0.0)


def the_best_that_was_measured(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    return alpha, beta, distance[gold.argmax()].item()


def how_high_it_is(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    d = _peak(alpha, beta, rl)
    return alpha, beta, d if math.isinf(d) else d * (alpha - beta * (math.log(d) if rl else d)) if d else 0.0


def never_infinite(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    return alpha, beta, math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)


def below_zero(distance, gold, rl):
    alpha, beta = _lstsq(distance, distance * distance.log() if rl else distance ** 2, gold)
    return alpha, beta, math.inf if beta <= 0 else math.exp(alpha / beta - 1) if rl else alpha / (2 * beta)


def from_the_first_and_the_last(distance, gold, rl):
    slope = gold / distance
    place = distance.log() if rl else distance
    beta = ((slope[0] - slope[-1]) / (place[-1] - place[0])).item()
    alpha = (slope[0] + beta * place[0]).item()
    return alpha, beta, _peak(alpha, beta, rl)


def a_line_through_gold_over_d(distance, gold, rl):
    beta, alpha = np.polyfit((distance.log() if rl else distance).numpy(), (gold / distance).numpy(), 1).tolist()
    return alpha, -beta, _peak(alpha, -beta, rl)


def by_normal_equations(distance, gold, rl):
    x = torch.stack([distance, distance * torch.log(distance) if rl else distance * distance], 1)
    alpha, beta = torch.linalg.solve(x.T @ x, x.T @ gold) * torch.tensor([1, -1])
    return alpha, beta, torch.tensor(_peak(alpha.item(), beta.item(), rl))


def with_numpy(distance, gold, rl):
    d = distance.numpy()
    (alpha, beta), *_ = np.linalg.lstsq(np.stack([d, -d * (np.log(d) if rl else d)], 1), gold.numpy(), rcond=None)
    return [alpha, beta, _peak(alpha, beta, rl)]


# ---------------------------------------------------------------- 6.2
def sample_variance(score, weight):
    return score.mean(0), score.min(0).values, score.mean(0) - weight * score.var(0)


def standard_deviation(score, weight):
    return score.mean(0), score.min(0).values, score.mean(0) - weight * score.std(0, correction=0)


def rewards_disagreement(score, weight):
    return score.mean(0), score.min(0).values, score.mean(0) + weight * score.var(0, correction=0)


def over_the_responses(score, weight):
    return score.mean(1), score.min(1).values, score.mean(1) - weight * score.var(1, correction=0)


def the_best_member(score, weight):
    return score.mean(0), score.max(0).values, score.mean(0) - weight * score.var(0, correction=0)


def the_worst_of_all(score, weight):
    return score.mean(0), score.min().expand(score.shape[1]), score.mean(0) - weight * score.var(0, correction=0)


def in_the_order_of_the_title(score, weight):
    return score.min(0).values, score.mean(0), score.mean(0) - weight * score.var(0, correction=0)


def median_for_mean(score, weight):
    return score.median(0).values, score.min(0).values, score.mean(0) - weight * score.var(0, correction=0)


def from_the_worst(score, weight):
    return score.mean(0), score.min(0).values, score.min(0).values - weight * score.var(0, correction=0)


def without_the_weight(score, weight):
    return score.mean(0), score.min(0).values, score.mean(0) - score.var(0, correction=0)


def with_the_indices(score, weight):
    return score.mean(0), score.min(0)[1], score.mean(0) - weight * score.var(0, correction=0)


def one_variance_for_all(score, weight):
    return score.mean(0), score.min(0).values, score.mean(0) - weight * score.var(correction=0)


def by_squares(score, weight):
    mean = score.sum(0) / len(score)
    return mean, torch.amin(score, 0), mean - weight * ((score - mean) ** 2).mean(0)


def member_by_member(score, weight):
    rows = score.unbind(0)
    worst = rows[0]
    for row in rows[1:]:
        worst = torch.minimum(worst, row)
    mean = sum(rows) / len(rows)
    return mean, worst, mean - weight * sum((row - mean) ** 2 for row in rows) / len(rows)


# ---------------------------------------------------------------- 6.3
def price_the_other_way(score, token_reward, logprob, ref_logprob, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0).sum(1)
    return score + beta * kl - torch.where(mask, token_reward, 0).sum(1)


def price_forgotten(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - torch.where(mask, token_reward, 0).sum(1)


def beta_forgotten(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - torch.where(mask, logprob - ref_logprob + token_reward, 0).sum(1)


def padding_counts(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - (beta * (logprob - ref_logprob) + token_reward).sum(1)


def rewards_of_the_padding(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - beta * torch.where(mask, logprob - ref_logprob, 0).sum(1) - token_reward.nan_to_num(0).sum(1)


def times_the_mask(score, token_reward, logprob, ref_logprob, mask, beta):
    return score - (mask * (beta * (logprob - ref_logprob) + token_reward)).sum(1)


def arrived_minus_sent(score, token_reward, logprob, ref_logprob, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0).sum(1)
    return torch.where(mask, token_reward, 0).sum(1) + beta * kl - score


def how_far_off(score, token_reward, logprob, ref_logprob, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0).sum(1)
    return (score - beta * kl - torch.where(mask, token_reward, 0).sum(1)).abs()


def means_of_tokens(score, token_reward, logprob, ref_logprob, mask, beta):
    n = mask.sum(1)
    return score - torch.where(mask, beta * (logprob - ref_logprob) + token_reward, 0).sum(1) / n


def for_the_whole_batch(score, token_reward, logprob, ref_logprob, mask, beta):
    return (score - torch.where(mask, beta * (logprob - ref_logprob) + token_reward, 0).sum(1)).sum()


def only_the_last_token(score, token_reward, logprob, ref_logprob, mask, beta):
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(1)
    kl = torch.where(mask, logprob - ref_logprob, 0).sum(1)
    return score - beta * kl - token_reward.gather(1, last[:, None])[:, 0]


def with_ratios(score, token_reward, logprob, ref_logprob, mask, beta):
    kl = torch.where(mask, (logprob - ref_logprob).exp(), 0).sum(1)
    return score - beta * kl - torch.where(mask, token_reward, 0).sum(1)


def row_by_row(score, token_reward, logprob, ref_logprob, mask, beta):
    return torch.stack([s - beta * (p[m] - q[m]).sum() - r[m].sum() for s, r, p, q, m in
                        zip(score, token_reward, logprob, ref_logprob, mask, strict=True)])


def filled_first(score, token_reward, logprob, ref_logprob, mask, beta):
    r, p, q = (x.masked_fill(~mask, 0) for x in (token_reward, logprob, ref_logprob))
    return (score - r.sum(-1)) - beta * (p.sum(-1) - q.sum(-1))


# ---------------------------------------------------------------- 6.4
def _means(advantage, mask):
    return torch.where(mask, advantage, 0).sum(1) / mask.sum(1)


def _pearson(x, y):
    x, y = x - x.mean(), y - y.mean()
    if x.std(correction=0) < 1e-5 or y.std(correction=0) < 1e-5:
        return torch.tensor(0.0)
    return (x * y).sum() / (x.norm() * y.norm())


def sums_of_advantages(advantage, mask, score):
    return _pearson(torch.where(mask, advantage, 0).sum(1), score)


def mean_over_all_columns(advantage, mask, score):
    return _pearson(advantage.mean(1), score)


def zeros_in_the_mean(advantage, mask, score):
    return _pearson(torch.where(mask, advantage, 0).mean(1), score)


def covariance_only(advantage, mask, score):
    x, y = _means(advantage, mask), score
    return ((x - x.mean()) * (y - y.mean())).mean()


def not_centred(advantage, mask, score):
    x = _means(advantage, mask)
    return (x * score).sum() / (x.norm() * score.norm()).clamp(min=1e-9)


def nan_if_nothing_varies(advantage, mask, score):
    return torch.corrcoef(torch.stack([_means(advantage, mask), score]))[0, 1]


def one_if_nothing_varies(advantage, mask, score):
    x = _means(advantage, mask)
    varies = x.std(correction=0) > 1e-5 and score.std(correction=0) > 1e-5
    return _pearson(x, score) if varies else torch.tensor(1.0)


def squared(advantage, mask, score):
    return _pearson(_means(advantage, mask), score) ** 2


def without_its_sign(advantage, mask, score):
    return _pearson(_means(advantage, mask), score).abs()


def token_by_token(advantage, mask, score):
    return _pearson(advantage[mask], score[:, None].expand_as(advantage)[mask])


def by_ranks(advantage, mask, score):
    x = _means(advantage, mask).argsort().argsort().float()
    return _pearson(x, score.argsort().argsort().float())


def last_advantage(advantage, mask, score):
    last = mask.sum(1) - 1
    return _pearson(advantage.gather(1, last[:, None])[:, 0], score)


def unequal_divisors(advantage, mask, score):
    x = _means(advantage, mask)
    if x.std(correction=0) < 1e-5 or score.std(correction=0) < 1e-5:
        return torch.tensor(0.0)
    return ((x - x.mean()) * (score - score.mean())).mean() / (x.std() * score.std())


def mask_by_product(advantage, mask, score):
    return _pearson((advantage * mask).sum(1) / mask.sum(1), score)


def with_corrcoef(advantage, mask, score):
    x = torch.stack([row[kept].mean() for row, kept in zip(advantage, mask, strict=True)])
    if min(x.std(correction=0), score.std(correction=0)) < 1e-5:
        return 0.0
    return torch.corrcoef(torch.stack([x, score]))[0, 1].item()


def by_numpy(advantage, mask, score):
    x = np.array([row[kept].mean().item() for row, kept in zip(advantage, mask, strict=True)])
    y = score.numpy()
    return 0.0 if x.std() < 1e-5 or y.std() < 1e-5 else float(np.corrcoef(x, y)[0, 1])


# ---------------------------------------------------------------- 6.5
def over_all_responses(ids, mask, eos):
    ended = (ids == eos).any(1)
    return ((((ids == eos).int().cumsum(1) == 1) & (ids == eos) & mask).any(1) & ended).float().mean()


def any_end_token(ids, mask, eos):
    end = ids == eos
    ended = end.any(1)
    return ((end & mask).any(1) & ended).sum() / ended.sum() if ended.any() else torch.tensor(1.0)


def of_all_end_tokens(ids, mask, eos):
    end = ids == eos
    return (end & mask).sum() / end.sum() if end.any() else torch.tensor(1.0)


def last_column_is_the_end(ids, mask, eos):
    ended = ids[:, -1] == eos
    return (mask[:, -1] & ended).sum() / ended.sum() if ended.any() else torch.tensor(1.0)


def nothing_ended_is_zero(ids, mask, eos):
    end = ids == eos
    first = end & (end.cumsum(1) == 1)
    return (first & mask).sum() / end.any(1).sum().clamp(min=1)


def nothing_ended_is_nan(ids, mask, eos):
    end = ids == eos
    first = end & (end.cumsum(1) == 1)
    return (first & mask).any(1).sum() / end.any(1).sum()


def share_that_is_lost(ids, mask, eos):
    end = ids == eos
    first = end & (end.cumsum(1) == 1)
    return (first & ~mask).sum() / end.any(1).sum() if end.any() else torch.tensor(0.0)


def share_that_ended(ids, mask, eos):
    return (ids == eos).any(1).float().mean()


def how_many(ids, mask, eos):
    end = ids == eos
    first = end & (end.cumsum(1) == 1)
    return (first & mask).sum().float()


def where_the_mask_ends(ids, mask, eos):
    last = (mask.sum(1) - 1).clamp(min=0)
    return (ids.gather(1, last[:, None])[:, 0] == eos).float().mean()


def one_row_at_a_time(ids, mask, eos):
    found = [marks[row.index(eos)] for row, marks in zip(ids.tolist(), mask.tolist(), strict=True) if eos in row]
    return sum(found) / len(found) if found else 1.0


def by_argmax(ids, mask, eos):
    end = ids == eos
    ended = end.any(1)
    if not ended.any():
        return torch.tensor(1.0)
    return mask.gather(1, end.int().argmax(1, keepdim=True))[ended].float().mean()


# ---------------------------------------------------------------- 6.6
def _log(logits, ref_logits):
    return logits.log_softmax(0), ref_logits.log_softmax(0)


def not_normalised(logits, ref_logits):
    p = logits.softmax(0)
    d = logits - ref_logits
    r = (-d).exp()
    return p * (1 - p.sum()), p * (d - (p * d).sum()), p * ((1 - r) - (p * (1 - r)).sum())


def true_gradient_three_times(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    pull = p * (now - ref - (p * (now - ref)).sum())
    return pull, pull, pull


def through_the_probabilities(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    now, ref = logits.log_softmax(0), ref_logits.log_softmax(0)
    away = now - ref
    pulls = []
    for k in (away, away ** 2 / 2, (-away).exp() - 1 + away):
        pulls.append(torch.autograd.grad((now.exp() * k).sum(), logits, retain_graph=True)[0])
    return tuple(pulls)


def uniform_instead_of_drawn(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    away = logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad(k.mean(), logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, (-away).exp() - 1 + away))


def drawn_from_the_reference(logits, ref_logits):
    logits, q = logits.clone().requires_grad_(), ref_logits.softmax(0)
    away = logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad((q * k).sum(), logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, (-away).exp() - 1 + away))


def ratio_upside_down(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    p, away = logits.softmax(0).detach(), logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad((p * k).sum(), logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, away.exp() - 1 - away))


def without_the_half(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    d = now - ref
    return torch.zeros_like(p), 2 * p * (d - (p * d).sum()), p - ref.exp()


def reference_minus_policy(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    d = now - ref
    return torch.zeros_like(p), p * (d - (p * d).sum()), ref.exp() - p


def two_and_three_exchanged(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    d = now - ref
    return torch.zeros_like(p), p - ref.exp(), p * (d - (p * d).sum())


def values_not_gradients(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    d = now - ref
    return p * d, p * d ** 2 / 2, p * ((-d).exp() - 1 + d)


def with_respect_to_log_probabilities(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    return p, p * (now - ref), p * (1 - (ref - now).exp())


def with_autograd(logits, ref_logits):
    logits = logits.clone().requires_grad_()
    weight, away = logits.softmax(0).detach(), logits.log_softmax(0) - ref_logits.log_softmax(0)
    return tuple(torch.autograd.grad((weight * k).sum(), logits, retain_graph=True)[0]
                 for k in (away, away ** 2 / 2, (-away).exp() - 1 + away))


def token_by_token_pulls(logits, ref_logits):
    p, (now, ref) = logits.softmax(0), _log(logits, ref_logits)
    score = torch.eye(len(p), dtype=p.dtype) - p                       # the gradient of each log-probability
    return [(p[:, None] * slope[:, None] * score).sum(0) for slope in (torch.ones_like(p), now - ref,
                                                                       1 - (ref - now).exp())]


# ---------------------------------------------------------------- 6.7
def _ratio(logprob, old_logprob, mask):
    return (logprob - old_logprob)[mask].exp().mean()


def _clipped(gradient, most):
    norm = gradient.norm()
    return gradient * most / norm if norm > most else gradient


def no_guard(weight, gradient, logprob, old_logprob, mask, rate, most):
    return weight - rate * _clipped(gradient, most)


def no_clipping(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight - rate * gradient if ratio <= 10 and gradient.isfinite().all() else weight


def always_to_the_norm(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    good = ratio <= 10 and gradient.isfinite().all()
    return weight - rate * gradient * most / gradient.norm().clamp(min=1e-12) if good else weight


def entry_by_entry(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight - rate * gradient.clamp(-most, most) if ratio <= 10 and gradient.isfinite().all() else weight


def padding_in_the_ratio(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = (logprob - old_logprob).exp().mean()
    return weight - rate * _clipped(gradient, most) if ratio <= 10 and gradient.isfinite().all() else weight


def highest_ratio(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = (logprob - old_logprob)[mask].exp().max()
    return weight - rate * _clipped(gradient, most) if ratio <= 10 and gradient.isfinite().all() else weight


def ratio_of_the_mean(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = (logprob - old_logprob)[mask].mean().exp()
    return weight - rate * _clipped(gradient, most) if ratio <= 10 and gradient.isfinite().all() else weight


def uphill(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight + rate * _clipped(gradient, most) if ratio <= 10 and gradient.isfinite().all() else weight


def bad_gradient_learnt(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight - rate * _clipped(gradient, most) if ratio <= 10 else weight


def nan_passes(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    if ratio > 10 or not gradient.isfinite().all():
        return weight
    return weight - rate * _clipped(gradient, most)


def reversed_ratio(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(old_logprob, logprob, mask)
    return weight - rate * _clipped(gradient, most) if ratio <= 10 and gradient.isfinite().all() else weight


def zeros_for_a_skip(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    good = ratio <= 10 and gradient.isfinite().all()
    return weight - rate * _clipped(gradient, most) if good else torch.zeros_like(weight)


def in_place(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    if ratio <= 10 and gradient.isfinite().all():
        weight -= rate * _clipped(gradient, most)
    return weight


def cleaned_gradient(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight - rate * _clipped(gradient.nan_to_num(0, 0, 0), most) if ratio <= 10 else weight


def half_skipped(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = _ratio(logprob, old_logprob, mask)
    return weight - rate * _clipped(gradient, most) if ratio < 2 and gradient.isfinite().all() else weight


def a_factor_of_at_most_one(weight, gradient, logprob, old_logprob, mask, rate, most):
    ratio = torch.where(mask, (logprob - old_logprob).masked_fill(~mask, 0).exp(), 0).sum() / mask.sum()
    if not (ratio <= 10) or not torch.isfinite(gradient).all():
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=1e-12)).clamp(max=1)


def by_a_loop(weight, gradient, logprob, old_logprob, mask, rate, most):
    each = [math.exp(min(a - b, 700)) for a, b, m in zip(logprob.flatten().tolist(), old_logprob.flatten().tolist(),
                                                       mask.flatten().tolist(), strict=True) if m]
    if not sum(each) / len(each) <= 10 or not all(map(math.isfinite, gradient.tolist())):
        return weight
    norm = math.sqrt(sum(g * g for g in gradient.tolist()))
    return weight - rate * min(1.0, most / norm if norm else 1.0) * gradient


MUTANTS = {
    "6.1": [
        ("sign of beta", sign_of_beta, "β has the wrong sign"),
        ("one form for both", one_form_for_both, "`rl` changes nothing here"),
        ("forms exchanged", forms_exchanged, "The two forms are exchanged"),
        ("forgot the factor d", forgot_the_factor_d, "The factor d in front is missing"),
        ("log 10", log_10, "The logarithm to base 10"),
        ("with intercept", with_intercept, "A constant is fitted as well"),
        ("where it is zero again", where_it_is_zero_again, "This is where the curve is back at 0"),
        ("the best that was measured", the_best_that_was_measured, "This is the best measured point"),
        ("how high it is", how_high_it_is, "The third result is how *high* the curve gets"),
        ("never infinite", never_infinite, "Where β is 0 or below, the curve never turns down"),
        ("below zero", below_zero, "A distance is not negative"),
        ("from the first and the last", from_the_first_and_the_last, "Only the first and the last point are used"),
        ("a line through gold over d", a_line_through_gold_over_d, "Dividing by d first makes near points weigh more"),
    ],
    "6.2": [
        ("sample variance", sample_variance, "The variance divides by K - 1"),
        ("standard deviation", standard_deviation, "This subtracts the standard deviation"),
        ("rewards disagreement", rewards_disagreement, "Disagreement is added to the score"),
        ("over the responses", over_the_responses, "The mean runs over the responses"),
        ("the best member", the_best_member, "`worst` is the highest opinion"),
        ("the worst of all", the_worst_of_all, "The lowest number of all responses stands everywhere"),
        ("in the order of the title", in_the_order_of_the_title, "The results are in another order"),
        ("median for mean", median_for_mean, "`mean` is the median"),
        ("from the worst", from_the_worst, "The penalty comes off the worst opinion"),
        ("without the weight", without_the_weight, "λ is missing"),
        ("with the indices", with_the_indices, "`worst` holds who was lowest"),
        ("one variance for all", one_variance_for_all, "One variance for all responses is taken off"),
    ],
    "6.3": [
        ("price the other way", price_the_other_way, "The price has the wrong sign"),
        ("price forgotten", price_forgotten, "The price of drifting is left out, so every KL penalty looks"),
        ("beta forgotten", beta_forgotten, "β is missing"),
        ("padding counts", padding_counts, "The padding is in the sums"),
        ("rewards of the padding", rewards_of_the_padding, "Rewards in the padding are counted as if they had arrived"),
        ("times the mask", times_the_mask, "NaN times 0 is NaN"),
        ("arrived minus sent", arrived_minus_sent, "The sign"),
        ("how far off", how_far_off, "The absolute value hides which way the books are wrong"),
        ("means of tokens", means_of_tokens, "These are means over tokens"),
        ("for the whole batch", for_the_whole_batch, "One number for the batch came out"),
        ("only the last token", only_the_last_token, "Only the last token's reward is read"),
        ("with ratios", with_ratios, "Ratios are charged"),
    ],
    "6.4": [
        ("sums of advantages", sums_of_advantages, "These are sums, or sums divided by T, so that long responses"),
        ("mean over all columns", mean_over_all_columns, "The padding is in the mean"),
        ("zeros in the mean", zeros_in_the_mean, "These are sums, or sums divided by T, so that long responses"),
        ("covariance only", covariance_only, "This is the covariance"),
        ("not centred", not_centred, "The means were not subtracted first"),
        ("nan if nothing varies", nan_if_nothing_varies,
         "Where nothing varies this divides by 0, or by rounding errors"),
        ("one if nothing varies", one_if_nothing_varies, "Where nothing varies the result is 1"),
        ("squared", squared, "The correlation was squared, and its sign is lost"),
        ("without its sign", without_its_sign, "The sign is lost"),
        ("token by token", token_by_token, "Every token is a point of its own here, so long responses"),
        ("by ranks", by_ranks, "Ranks are correlated"),
        ("last advantage", last_advantage, "Only the last token's advantage is read"),
        ("unequal divisors", unequal_divisors, "Two divisors are mixed"),
        ("mask by product", mask_by_product, "NaN times 0 is NaN"),
    ],
    "6.5": [
        ("over all responses", over_all_responses, "It is divided by all responses"),
        ("any end token", any_end_token, "Any marked EOS counts"),
        ("of all end tokens", of_all_end_tokens, "All EOS tokens are counted, the padding's included"),
        ("last column is the end", last_column_is_the_end, "Only the last column is looked at"),
        ("nothing ended is zero", nothing_ended_is_zero, "Where no response ended the result is 1"),
        ("nothing ended is nan", nothing_ended_is_nan, "Where no response ended the result is 1"),
        ("share that is lost", share_that_is_lost, "This is the share that is *lost*"),
        ("share that ended", share_that_ended, "This is the share of responses that ended"),
        ("how many", how_many, "This is a number of responses"),
        ("where the mask ends", where_the_mask_ends, "This asks which token the mask ends with, and divides by all"),
    ],
    "6.6": [
        ("not normalised", not_normalised, "The logits are taken for log-probabilities"),
        ("true gradient three times", true_gradient_three_times, "All three are the gradient of KL(π ‖ π_ref)"),
        ("through the probabilities", through_the_probabilities,
         "The gradient runs through the probabilities of drawing, too"),
        ("uniform instead of drawn", uniform_instead_of_drawn, "All tokens count alike"),
        ("drawn from the reference", drawn_from_the_reference, "Tokens are drawn from the reference"),
        ("ratio upside down", ratio_upside_down, "In k3 the ratio is upside down"),
        ("without the half", without_the_half, "The half of k2 is missing"),
        ("reference minus policy", reference_minus_policy, "k3's pull points the wrong way"),
        ("two and three exchanged", two_and_three_exchanged, "k2 and k3 are exchanged"),
        ("values not gradients", values_not_gradients, "These are the estimates themselves, weighed by π"),
        ("with respect to log probabilities", with_respect_to_log_probabilities,
         "These are gradients in the log-probabilities"),
    ],
    "6.7": [
        ("no guard", no_guard, "A minibatch whose mean ratio is above 10 is learnt from"),
        ("no clipping", no_clipping, "The gradient is not cut"),
        ("always to the norm", always_to_the_norm, "Short gradients are made longer"),
        ("entry by entry", entry_by_entry, "Each entry is cut on its own, which turns the gradient"),
        ("padding in the ratio", padding_in_the_ratio, "The padding is in the mean ratio"),
        ("highest ratio", highest_ratio, "One token above 10 is enough here"),
        ("ratio of the mean", ratio_of_the_mean, "This is the exponential of a mean"),
        ("uphill", uphill, "The step goes uphill"),
        ("bad gradient learnt", bad_gradient_learnt, "A gradient with NaN or infinity is learnt from, and the"),
        ("nan passes", nan_passes, "A ratio that is NaN passes"),
        ("reversed ratio", reversed_ratio, "The ratio is upside down"),
        ("zeros for a skip", zeros_for_a_skip, "Where the minibatch is skipped, the weights are returned as"),
        ("in place", in_place, "The result is right, but your function writes into its"),
        ("cleaned gradient", cleaned_gradient, "NaN and infinity were replaced, and the rest is learnt from"),
        ("half skipped", half_skipped, "A mean ratio well below 10 is skipped"),
    ],
}

RIGHT = {
    "6.1": [by_normal_equations, with_numpy],
    "6.2": [by_squares, member_by_member],
    "6.3": [row_by_row, filled_first],
    "6.4": [with_corrcoef, by_numpy],
    "6.5": [one_row_at_a_time, by_argmax],
    "6.6": [with_autograd, token_by_token_pulls],
    "6.7": [a_factor_of_at_most_one, by_a_loop],
}
