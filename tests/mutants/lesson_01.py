"""Answers to lesson 01 as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F


def padding_is_zero(ids, eos):
    return ids.ne(0)


def up_to_the_last_eos(ids, eos):
    mask = torch.ones_like(ids, dtype=torch.bool)
    for row, marks in zip(ids.tolist(), mask, strict=True):
        if eos in row:
            last = max(i for i, token in enumerate(row) if token == eos)
            marks[last + 1:] = False
    return mask


def argmax_of_nothing(ids, eos):
    end = (ids == eos).int().argmax(dim=1)
    return torch.arange(ids.shape[1]).expand_as(ids) <= end[:, None]


def score_in_the_last_column(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), torch.zeros_like(logprob))
    reward[:, -1] += score
    return reward


def padding_is_priced(logprob, ref_logprob, score, mask, beta):
    reward = -beta * (logprob - ref_logprob)
    reward[:, -1] += score
    return reward


def the_first_score(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), torch.zeros_like(logprob))
    reward[torch.arange(len(mask)), mask.sum(1) - 1] += score[0]
    return reward


def reward_times_the_mask(logprob, ref_logprob, score, mask, beta):
    reward = -beta * (logprob - ref_logprob) * mask.float()
    reward[torch.arange(len(mask)), mask.sum(1) - 1] += score
    return reward


def _backwards(reward, value, gamma_in_delta, decay):
    advantage, after, seen = torch.zeros_like(reward), torch.zeros(len(reward)), torch.zeros(len(reward))
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma_in_delta * after - value[:, t]
        seen = delta + decay * seen
        advantage[:, t] = seen
        after = value[:, t]
    return advantage


def gae_over_padding(reward, value, mask, gamma, lam):
    return _backwards(reward, value, gamma, gamma * lam)


def gae_without_gamma_in_delta(reward, value, mask, gamma, lam):
    return _backwards(reward * mask, value * mask, 1.0, gamma * lam) * mask


def gae_with_lambda_alone(reward, value, mask, gamma, lam):
    return _backwards(reward * mask, value * mask, gamma, lam) * mask


def whiten_each_response(advantage, mask):
    rows = []
    for row, marks in zip(advantage, mask, strict=True):
        own = row[marks]
        spread = own.std() if len(own) > 1 else torch.tensor(1.0)
        rows.append(torch.where(marks, (row - own.mean()) / spread, torch.zeros_like(row)))
    return torch.stack(rows)


def whiten_padding_too(advantage, mask):
    return (advantage - advantage.mean()) / advantage.std()


def whiten_and_leave_padding(advantage, mask):
    marked = torch.masked_select(advantage, mask)
    return (advantage - marked.mean()) / marked.std()


def never_clips(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.exp(logprob - old_logprob)
    return -(ratio * advantage.detach())[mask].mean()


def the_larger(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = torch.exp(logprob - old_logprob), advantage.detach()
    return -torch.max(ratio * advantage, ratio.clip(1 - clip, 1 + clip) * advantage)[mask].mean()


def only_the_clipped(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.clamp(torch.exp(logprob - old_logprob), 1 - clip, 1 + clip)
    return -(ratio * advantage.detach())[mask].mean()


def mean_over_padding(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = torch.exp(logprob - old_logprob), advantage.detach()
    return -torch.min(ratio * advantage, ratio.clip(1 - clip, 1 + clip) * advantage).mean()


def gradient_into_the_advantage(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.exp(logprob - old_logprob)
    return -torch.min(ratio * advantage, ratio.clip(1 - clip, 1 + clip) * advantage)[mask].mean()


def never_cut_off(beta, kl, target, n, horizon):
    error = kl / target - 1
    return beta * (1 + error * n / horizon)


def cut_off_above(beta, kl, target, n, horizon):
    error = kl / target - 1
    if error > 0.2:
        error = 0.2
    return beta * (1 + error * n / horizon)


def cut_off_below(beta, kl, target, n, horizon):
    error = kl / target - 1
    if error < -0.2:
        error = -0.2
    return beta * (1 + error * n / horizon)


def cut_off_too_soon(beta, kl, target, n, horizon):
    error = min(max(kl / target - 1, -0.1), 0.1)
    return beta * (1 + error * n / horizon)


def eos_left_out(ids, eos):
    return (ids == eos).cumsum(-1) == 0


def everything_but_eos(ids, eos):
    return ids != eos


def looks_for_zeros(ids, eos):
    return ids != 0


def long_mask(ids, eos):
    is_eos = (ids == eos).long()
    return (is_eos.cumsum(-1) - is_eos == 0).long()


def eos_is_two(ids, eos):
    is_eos = (ids == 2).long()
    return is_eos.cumsum(-1) - is_eos == 0


def wrong_axis(ids, eos):
    is_eos = (ids == eos).long()
    return is_eos.cumsum(0) - is_eos == 0


def no_eos_nothing(ids, eos):
    first = (ids == eos).int().argmax(-1)
    return torch.arange(ids.shape[1])[None] <= first[:, None]


def until_second_eos(ids, eos):
    return (ids == eos).cumsum(-1) <= 1


def first_eos_of_the_batch(ids, eos):
    where = (ids == eos).nonzero()
    end = where[:, 1].min().item() if len(where) else ids.shape[1]
    mask = torch.zeros_like(ids, dtype=torch.bool)
    mask[:, :end + 1] = True
    return mask


def right_python_loop(ids, eos):
    rows = []
    for row in ids.tolist():
        end = row.index(eos) + 1 if eos in row else len(row)
        rows.append([t < end for t in range(len(row))])
    return torch.tensor(rows)


def right_cumprod(ids, eos):
    going = (ids != eos).long().cumprod(-1)
    return F.pad(going, (1, 0), value=1)[:, :-1].bool()


def right_argmax_with_any(ids, eos):
    hit = ids == eos
    first = torch.where(hit.any(-1), hit.int().argmax(-1), torch.tensor(ids.shape[1] - 1))
    return torch.arange(ids.shape[1]).unsqueeze(0) <= first.unsqueeze(1)


def drift_is_paid_for(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def last_column(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, -1] += score
    return reward


def score_everywhere(logprob, ref_logprob, score, mask, beta):
    return torch.where(mask, score[:, None] - beta * (logprob - ref_logprob), 0.0)


def times_mask_token_reward(logprob, ref_logprob, score, mask, beta):
    reward = -beta * (logprob - ref_logprob) * mask
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def score_replaces_price(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] = score
    return reward


def one_too_far(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    for i in range(len(score)):
        reward[i, min(int(mask[i].sum()), mask.shape[1] - 1)] += score[i]
    return reward


def beta_or_default(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -(beta or 0.1) * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def abs_token_reward(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).abs(), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def in_place_token_reward(logprob, ref_logprob, score, mask, beta):
    logprob -= ref_logprob
    reward = torch.where(mask, -beta * logprob, 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def score_times_beta(logprob, ref_logprob, score, mask, beta):
    kl = torch.where(mask, ref_logprob - logprob, 0.0)
    kl[torch.arange(len(score)), mask.sum(-1) - 1] += 10 * score
    return beta * kl


def right_loop(logprob, ref_logprob, score, mask, beta):
    out = []
    for i in range(mask.shape[0]):
        n = int(mask[i].sum())
        row = []
        for t in range(mask.shape[1]):
            r = 0.0
            if t < n:
                r = -beta * (logprob[i, t].item() - ref_logprob[i, t].item())
                if t == n - 1:
                    r = r + score[i].item()
            row.append(r)
        out.append(row)
    return torch.tensor(out)


def right_last_mark(logprob, ref_logprob, score, mask, beta):
    is_last = mask & ~F.pad(mask[:, 1:], (0, 1), value=False)
    price = beta * (ref_logprob - logprob)
    price = price.masked_fill(~mask, 0)
    return price + is_last * score.unsqueeze(-1)


def from_the_front(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in range(reward.shape[1]):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage * mask


def lambda_forgotten(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * next_advantage
        next_value = value[:, t]
    return advantage


def next_value_never_set(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
    return advantage


def padding_leaks(reward, value, mask, gamma, lam):
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return torch.where(mask, advantage, 0.0)


def times_mask_gae(reward, value, mask, gamma, lam):
    reward, value = reward * mask, value * mask
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage


def carried_to_next_row(reward, value, mask, gamma, lam):
    advantage = torch.zeros_like(reward)
    nxt = 0.0
    for i in range(reward.shape[0]):
        n = int(mask[i].sum())
        for t in reversed(range(n)):
            v_next = value[i, t + 1] if t + 1 < n else 0.0
            nxt = reward[i, t] + gamma * v_next - value[i, t] + gamma * lam * nxt
            advantage[i, t] = nxt
    return advantage


def cleans_the_arguments(reward, value, mask, gamma, lam):
    reward[~mask] = 0
    value[~mask] = 0
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage


def returns_not_advantages(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage + value


def gamma_missing_in_delta(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage


def right_row_by_row(reward, value, mask, gamma, lam):
    out = torch.zeros(reward.shape)
    for i, n in enumerate(mask.sum(-1).tolist()):
        r, v, a = reward[i, :n].tolist(), [*value[i, :n].tolist(), 0.0], 0.0
        for t in range(n - 1, -1, -1):
            a = r[t] + gamma * v[t + 1] - v[t] + gamma * lam * a
            out[i, t] = a
    return out


def right_matrix(reward, value, mask, gamma, lam):
    zero = torch.zeros_like(reward)
    r, v = torch.where(mask, reward, zero), torch.where(mask, value, zero)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    T = r.shape[1]
    power = torch.arange(T)[:, None] - torch.arange(T)[None, :]
    weight = torch.where(power >= 0, (gamma * lam) ** power.clamp(min=0).to(r.dtype), torch.zeros(()))
    return torch.where(mask, delta @ weight.to(r.dtype), zero)


def divides_by_n(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / marked.std(unbiased=False), 0.0)


def each_row_alone(advantage, mask):
    out = torch.zeros_like(advantage)
    for i in range(len(advantage)):
        x = advantage[i][mask[i]]
        out[i][mask[i]] = (x - x.mean()) / x.std()
    return out


def padding_left_dirty(advantage, mask):
    marked = advantage[mask]
    return (advantage - marked.mean()) / marked.std()


def times_mask_whiten(advantage, mask):
    marked = advantage[mask]
    return (advantage - marked.mean()) / marked.std() * mask


def padding_counts(advantage, mask):
    x = torch.where(mask, advantage, 0.0)
    return torch.where(mask, (x - x.mean()) / x.std(), 0.0)


def variance_for_deviation(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / marked.var(), 0.0)


def no_shift(advantage, mask):
    return torch.where(mask, advantage / advantage[mask].std(), 0.0)


def in_place_whiten(advantage, mask):
    marked = advantage[mask]
    advantage -= marked.mean()
    advantage /= marked.std()
    advantage[~mask] = 0
    return advantage


def deviation_floor(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / marked.std().clamp(min=0.1), 0.0)


def right_sums_by_hand(advantage, mask):
    x = torch.where(mask, advantage, torch.zeros_like(advantage))
    n = mask.sum().item()
    centred = torch.where(mask, x - x.sum() / n, torch.zeros_like(x))
    return centred * torch.rsqrt((centred * centred).sum() / (n - 1))


def right_written_back(advantage, mask):
    out = torch.zeros_like(advantage)
    var, mean = torch.var_mean(torch.masked_select(advantage, mask), correction=1)
    out[mask] = (advantage[mask] - mean) / var.sqrt()
    return out


def larger_of_the_two(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.maximum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -gain[mask].mean()


def no_minus(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return gain[mask].mean()


def no_clip_clipped_policy(logprob, old_logprob, advantage, mask, clip):
    return -((logprob - old_logprob).exp() * advantage.detach())[mask].mean()


def mean_over_all_cells_clipped_policy(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -torch.where(mask, gain, torch.zeros_like(gain)).mean()


def advantage_not_detached(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -gain[mask].mean()


def old_over_new(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = (old_logprob - logprob).exp(), advantage.detach()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -gain[mask].mean()


def product_clipped(logprob, old_logprob, advantage, mask, clip):
    surrogate = (logprob - old_logprob).exp() * advantage.detach()
    gain = torch.minimum(surrogate, surrogate.clamp(1 - clip, 1 + clip))
    return -gain[mask].mean()


def only_the_clipped_one(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp().clamp(1 - clip, 1 + clip)
    return -(ratio * advantage.detach())[mask].mean()


def quotient_of_logs(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = logprob / old_logprob, advantage.detach()
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return -gain[mask].mean()


def no_grad_on_the_clipped_one(logprob, old_logprob, advantage, mask, clip):
    ratio, advantage = (logprob - old_logprob).exp(), advantage.detach()
    clipped = ratio.detach().clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantage, clipped * advantage)[mask].mean()


def right_by_sign(logprob, old_logprob, advantage, mask, clip):
    lp, old, a = logprob[mask], old_logprob[mask], advantage[mask].detach()
    ratio = torch.exp(lp - old)
    kept = torch.where(a > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return (-a * kept).mean()


def max_of_losses_picked_late(logprob, old_logprob, advantage, mask, clip):
    with torch.no_grad():
        a = advantage.clone()
    ratio = torch.exp(logprob - old_logprob)
    both = torch.stack([-a * ratio, -a * torch.clip(ratio, 1.0 - clip, 1.0 + clip)])
    return both.amax(0)[mask].sum() / mask.sum()


def not_cut_off(beta, kl, target, n, horizon):
    return beta * (1 + (kl / target - 1) * n / horizon)


def cut_off_above_only(beta, kl, target, n, horizon):
    e = min(0.2, kl / target - 1)
    return beta * (1 + e * n / horizon)


def minus(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 - e * n / horizon)


def target_over_kl(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, 1 - target / kl)) if kl else -0.2
    return beta * (1 + e * n / horizon)


def integer_division(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * (n // horizon))


def target_is_six(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / 6 - 1))
    return beta * (1 + e * n / horizon)


def no_kl_no_change(beta, kl, target, n, horizon):
    if not kl:
        return beta
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def product_cut_off(beta, kl, target, n, horizon):
    e = (kl / target - 1) * n / horizon
    return beta * (1 + max(-0.2, min(0.2, e)))


def abs_kl(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, abs(kl) / target - 1))
    return beta * (1 + e * n / horizon)


def right_numpy_clip(beta, kl, target, n, horizon):
    return beta + beta * np.clip((kl - target) / target, -0.2, 0.2) * n / horizon


def right_branches(beta, kl, target, n, horizon):
    if kl > 1.2 * target:
        e = 0.2
    elif kl < 0.8 * target:
        e = -0.2
    else:
        e = kl / target - 1
    return beta * (horizon + e * n) / horizon


def smaller_of_the_two(value, old_value, target, mask, clip):
    clipped = torch.clamp(value, old_value - clip, old_value + clip)
    return 0.5 * torch.minimum((value - target) ** 2, (clipped - target) ** 2)[mask].mean()


def half_forgotten(value, old_value, target, mask, clip):
    clipped = torch.clamp(value, old_value - clip, old_value + clip)
    return torch.maximum((value - target) ** 2, (clipped - target) ** 2)[mask].mean()


def clipped_around_target(value, old_value, target, mask, clip):
    clipped = torch.clamp(value, target - clip, target + clip)
    return 0.5 * torch.maximum((value - target) ** 2, (clipped - target) ** 2)[mask].mean()


def mean_over_all_cells_clipped_value(value, old_value, target, mask, clip):
    clipped = torch.clamp(value, old_value - clip, old_value + clip)
    loss = torch.maximum((value - target) ** 2, (clipped - target) ** 2)
    return 0.5 * torch.where(mask, loss, 0.0).mean()


def row_means(value, old_value, target, mask, clip):
    clipped = torch.clamp(value, old_value - clip, old_value + clip)
    loss = torch.where(mask, torch.maximum((value - target) ** 2, (clipped - target) ** 2), 0.0)
    return 0.5 * (loss.sum(-1) / mask.sum(-1).clamp(min=1)).mean()


def no_clip_clipped_value(value, old_value, target, mask, clip):
    return 0.5 * (value - target)[mask].square().mean()


def clipped_without_gradient(value, old_value, target, mask, clip):
    clipped = torch.clamp(value.detach(), old_value - clip, old_value + clip)
    return 0.5 * torch.maximum((value - target) ** 2, (clipped - target) ** 2)[mask].mean()


def one_sided(value, old_value, target, mask, clip):
    clipped = torch.minimum(value, old_value + clip)
    return 0.5 * torch.maximum((value - target) ** 2, (clipped - target) ** 2)[mask].mean()


clamp_one = functools.partial(torch.clamp, min=-1.0, max=1.0)


def old_value_learns_too(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask], target[mask]
    clipped = o + clip * clamp_one((v - o) / clip) if clip else o
    worst = torch.stack([(v - r) ** 2, (clipped - r) ** 2]).amax(0)
    return worst.sum() / (2 * mask.sum())


def right_larger_error(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    clipped = torch.maximum(torch.minimum(v, o + clip), o - clip)
    return torch.maximum((v - r).abs(), (clipped - r).abs()).pow(2).mean() / 2


def larger_error_picked_late(value, old_value, target, mask, clip):
    clipped = torch.maximum(torch.minimum(value, old_value + clip), old_value - clip)
    error = torch.maximum((value - target).abs(), (clipped - target).abs())[mask]
    return error.pow(2).mean() / 2


def an_end_at_0_is_none(ids, eos):
    end = (ids == eos).int().argmax(1)
    end[end == 0] = ids.shape[1]
    return torch.arange(ids.shape[1]) <= end[:, None]


def a_mask_of_floats(ids, eos):
    hit = (ids == eos).float()
    return (hit.cumsum(-1) - hit == 0).float()


def score_where_the_longest_ends(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, int(mask.sum(1).max()) - 1] += score
    return reward


def gae_of_the_last_guess(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    after, seen, advantage = value[:, -1], torch.zeros(len(value)), torch.zeros_like(value)
    for t in range(value.shape[1] - 1, -1, -1):
        seen = reward[:, t] + gamma * after - value[:, t] + gamma * lam * seen
        advantage[:, t], after = seen, value[:, t]
    return advantage


def whiten_by_pooled_variance(advantage, mask):
    spread = torch.stack([row[marks].var() for row, marks in zip(advantage, mask, strict=True)]).mean().sqrt()
    return torch.where(mask, (advantage - advantage[mask].mean()) / spread, 0.0)


def loss_of_row_means(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    gain = torch.min(ratio * advantage.detach(), ratio.clamp(1 - clip, 1 + clip) * advantage.detach())
    return -torch.stack([row[marks].mean() for row, marks in zip(gain, mask, strict=True)]).mean()


def smaller_ratio(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    return -(torch.min(ratio, ratio.clamp(1 - clip, 1 + clip)) * advantage.detach())[mask].mean()


def loss_times_the_mask(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    gain = torch.min(ratio * advantage.detach(), ratio.clamp(1 - clip, 1 + clip) * advantage.detach())
    return -(gain * mask).sum() / mask.sum()


def value_of_the_mask(value, old_value, target, mask, clip):
    near = old_value + (value - old_value).clamp(-clip, clip)
    worse = torch.maximum((value - target) ** 2, (near - target) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum()


def score_with_the_penalty_turned_round(logprob, ref_logprob, score, mask, beta):
    penalty = beta * (logprob - ref_logprob)
    penalty[~mask] = 0
    penalty[range(len(penalty)), mask.sum(-1) - 1] = score
    return -penalty


def rolled_values(reward, value, mask, gamma, lam):
    reward, value = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    delta = reward + gamma * torch.roll(value, -1, 1) - value
    advantage, last = torch.zeros_like(delta), 0
    for t in reversed(range(delta.shape[1])):
        last = delta[:, t] + gamma * lam * last
        advantage[:, t] = last
    return advantage


def up_to_the_last_eos_1_1(ids, eos):
    hit = (ids == eos).long()
    behind = hit.flip(-1).cumsum(-1).flip(-1)
    return (behind > 0) | (hit.sum(-1, keepdim=True) == 0)


def one_token_more(ids, eos):
    mask = torch.ones_like(ids, dtype=torch.bool)
    for i, row in enumerate(ids.tolist()):
        if eos in row:
            mask[i, row.index(eos) + 2:] = False
    return mask


def flag_not_reset(ids, eos):
    mask = torch.zeros_like(ids, dtype=torch.bool)
    done = False
    for i in range(ids.shape[0]):
        for t in range(ids.shape[1]):
            mask[i, t] = not done
            if ids[i, t] == eos:
                done = True
    return mask


def list_of_lists(ids, eos):
    out = []
    for row in ids.tolist():
        end = row.index(eos) if eos in row else len(row)
        out.append([t <= end for t in range(len(row))])
    return out


def float_mask(ids, eos):
    hit = (ids == eos).float()
    return (hit.cumsum(-1) - hit == 0).float()


def eos_zero_is_falsy(ids, eos):
    eos = eos or 2
    hit = (ids == eos).long()
    return hit.cumsum(-1) - hit == 0


def unfinished_row_loses_its_end(ids, eos):
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for i in range(len(ids)):
        end = (ids[i] == eos).nonzero()
        n = end[0].item() + 1 if len(end) else ids.shape[1] - 1
        mask[i, :n] = True
    return mask


def roll_wraps_around(ids, eos):
    return (ids.roll(1, -1) != eos).long().cumprod(-1).bool()


def first_token_never_eos(ids, eos):
    mask = torch.ones_like(ids, dtype=torch.bool)
    for i in range(len(ids)):
        first = int((ids[i] == eos).int().argmax())
        if first:
            mask[i, first + 1:] = False
    return mask


def overwrites_ids(ids, eos):
    after = (ids == eos).long().cumsum(-1) - (ids == eos).long() > 0
    ids[after] = -1
    return ids != -1


def reference_minus_policy(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (ref_logprob - logprob), 0.0)
    for i in range(len(reward)):
        reward[i, mask[i].sum() - 1] += score[i]
    return reward


def score_shared_out(logprob, ref_logprob, score, mask, beta):
    length = mask.sum(-1, keepdim=True)
    return torch.where(mask, -beta * (logprob - ref_logprob) + score[:, None] / length, 0.0)


def longest_row_decides(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, mask.sum(-1).max() - 1] += score
    return reward


def every_row_every_end(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    last = mask.sum(-1) - 1
    reward[:, last] += score
    return torch.where(mask, reward, 0.0)


def price_never_a_gift(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).clamp(min=0), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def all_paid_at_the_end(logprob, ref_logprob, score, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0.0).sum(-1)
    reward = torch.zeros_like(logprob)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] = score - beta * kl
    return reward


def beta_is_a_tenth(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -0.1 * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def last_is_where_the_price_ends(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    for i in range(len(score)):
        paid = reward[i].nonzero()
        reward[i, paid[-1] if len(paid) else -1] += score[i]
    return reward


def padding_priced(logprob, ref_logprob, score, mask, beta):
    reward = beta * (ref_logprob - logprob)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def k3_estimator(logprob, ref_logprob, score, mask, beta):
    d = ref_logprob - logprob
    reward = torch.where(mask, -beta * (d.exp() - 1 - d), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def list_of_rows(logprob, ref_logprob, score, mask, beta):
    out = []
    for i in range(len(score)):
        row = [-beta * float(p - q) if m else 0.0 for p, q, m in zip(logprob[i], ref_logprob[i], mask[i], strict=True)]
        row[int(mask[i].sum()) - 1] += float(score[i])
        out.append(row)
    return out


def lam_hard_coded(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = [], 0, 0
    for t in range(r.shape[1] - 1, -1, -1):
        last = r[:, t] + gamma * nxt - v[:, t] + gamma * 0.95 * last
        nxt = v[:, t]
        adv.insert(0, last)
    return torch.stack(adv, 1)


def lam_on_the_value_too(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = [], 0, 0
    for t in range(r.shape[1] - 1, -1, -1):
        last = r[:, t] + gamma * lam * nxt - v[:, t] + gamma * lam * last
        nxt = v[:, t]
        adv.insert(0, last)
    return torch.stack(adv, 1)


def value_behind_the_end(reward, value, mask, gamma, lam):
    nxt = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)
    delta = torch.where(mask, reward + gamma * nxt - value, 0.0)
    adv, last = torch.zeros_like(delta), 0
    for t in reversed(range(delta.shape[1])):
        last = delta[:, t] + gamma * lam * last
        adv[:, t] = last
    return adv


def list(reward, value, mask, gamma, lam):
    out = []
    for i in range(len(reward)):
        n, a, row = int(mask[i].sum()), 0.0, [0.0] * len(reward[i])
        for t in reversed(range(n)):
            nv = float(value[i, t + 1]) if t < n - 1 else 0.0
            a = float(reward[i, t]) + gamma * nv - float(value[i, t]) + gamma * lam * a
            row[t] = a
        out.append(row)
    return out


def last_column_skipped(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv = torch.zeros_like(r)
    for t in reversed(range(r.shape[1] - 1)):
        adv[:, t] = r[:, t] + gamma * v[:, t + 1] - v[:, t] + gamma * lam * adv[:, t + 1]
    return adv


def bootstraps_from_itself(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = torch.zeros_like(r), torch.zeros(len(r)), v[:, -1]
    for t in reversed(range(r.shape[1])):
        last = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * last
        adv[:, t], nxt = last, v[:, t]
    return torch.where(mask, adv, 0.0)


def lam_or_default(reward, value, mask, gamma, lam):
    lam = lam or 0.95
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = [], 0, 0
    for t in range(r.shape[1] - 1, -1, -1):
        last = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * last
        nxt = v[:, t]
        adv.insert(0, last)
    return torch.stack(adv, 1)


def gamma_missing_in_the_chain(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = [], 0, 0
    for t in range(r.shape[1] - 1, -1, -1):
        last = r[:, t] + gamma * nxt - v[:, t] + lam * last
        nxt = v[:, t]
        adv.insert(0, last)
    return torch.stack(adv, 1)


def value_of_the_row_before(reward, value, mask, gamma, lam):
    adv = torch.zeros_like(reward)
    nv = 0.0
    for i in range(len(reward)):
        a = 0.0
        for t in reversed(range(int(mask[i].sum()))):
            a = reward[i, t] + gamma * nv - value[i, t] + gamma * lam * a
            nv = value[i, t]
            adv[i, t] = a
    return adv


def reversed_order(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    adv, last, nxt = [], 0, 0
    for t in range(r.shape[1] - 1, -1, -1):
        last = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * last
        nxt = v[:, t]
        adv.append(last)
    return torch.stack(adv, 1)


def only_shifted(advantage, mask):
    return torch.where(mask, advantage - advantage[mask].mean(), 0.0)


def mean_of_everything(advantage, mask):
    clean = advantage.masked_fill(~mask, 0)
    return ((clean - clean.mean()) / advantage[mask].std()).masked_fill(~mask, 0)


def column_by_column(advantage, mask):
    out = torch.zeros_like(advantage)
    for t in range(advantage.shape[1]):
        x = advantage[:, t][mask[:, t]]
        if len(x) > 1:
            out[mask[:, t], t] = (x - x.mean()) / x.std()
    return out


def flat_list(advantage, mask):
    x = advantage[mask]
    return (x - x.mean()) / x.std()


def by_the_range(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / (x.max() - x.min()), 0.0)


def outliers_cut(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, ((advantage - x.mean()) / x.std()).clamp(-2, 2), 0.0)


def root_mean_square(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / x.square().mean().sqrt(), 0.0)


def difference_of_squares(advantage, mask):
    x = advantage[mask]
    n = len(x)
    var = (x.square().mean() - x.mean().square()) * n / (n - 1)
    return torch.where(mask, (advantage - x.mean()) / var.sqrt(), 0.0)


def rows_minus_one(advantage, mask):
    x = advantage[mask]
    n = max(len(advantage), 2)
    std = ((x - x.mean()).square().sum() / (n - 1)).sqrt()
    return torch.where(mask, (advantage - x.mean()) / std, 0.0)


def sign_turned(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (x.mean() - advantage) / x.std(), 0.0)


def padding_zeroed_first(advantage, mask):
    x = advantage[mask]
    clean = advantage.masked_fill(~mask, 0)
    return (clean - x.mean()) / x.std()


def row_means_1_5(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    gain = torch.minimum(r * a, r.clamp(1 - clip, 1 + clip) * a).masked_fill(~mask, 0)
    return -(gain.sum(1) / mask.sum(1).clamp(min=1)).mean()


def ratio_without_gradient(logprob, old_logprob, advantage, mask, clip):
    with torch.no_grad():
        r = (logprob - old_logprob).exp()
    gain = torch.minimum(r * advantage, r.clamp(1 - clip, 1 + clip) * advantage)
    return -gain[mask].mean()


def clip_is_a_fifth(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.min(r * a, torch.clamp(r, 0.8, 1.2) * a)[mask].mean()


def logs_clipped(logprob, old_logprob, advantage, mask, clip):
    d, a = logprob - old_logprob, advantage.detach()
    return -torch.min(d.exp() * a, d.clamp(-clip, clip).exp() * a)[mask].mean()


def clipped_above_only(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.min(r * a, r.clamp(max=1 + clip) * a)[mask].mean()


def first_order_ratio(logprob, old_logprob, advantage, mask, clip):
    r, a = 1 + logprob - old_logprob, advantage.detach()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a)[mask].mean()


def plain_number(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a)[mask].mean().item()


def ratio_of_the_response(logprob, old_logprob, advantage, mask, clip):
    d = (logprob - old_logprob).masked_fill(~mask, 0).sum(-1, keepdim=True)
    r, a = d.exp(), advantage.detach()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a)[mask].mean()


def mask_ignored(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a).mean()


def quotient_of_probabilities(logprob, old_logprob, advantage, mask, clip):
    r, a = logprob.exp() / old_logprob.exp(), advantage.detach()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a)[mask].mean()


def detach_in_place(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach_()
    return -torch.min(r * a, r.clamp(1 - clip, 1 + clip) * a)[mask].mean()


def min_of_the_means(logprob, old_logprob, advantage, mask, clip):
    r, a = (logprob - old_logprob).exp(), advantage.detach()
    return -torch.min((r * a)[mask].mean(), (r.clamp(1 - clip, 1 + clip) * a)[mask].mean())


def not_relative(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl - target))
    return beta * (1 + e * n / horizon)


def only_ever_dearer(beta, kl, target, n, horizon):
    e = max(0, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def exponential(beta, kl, target, n, horizon):
    e = float(np.clip(kl / target - 1, -0.2, 0.2))
    return beta * float(np.exp(e * n / horizon))


def horizon_over_n(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * horizon / n)


def cut_before_minus_one(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target)) - 1
    return beta * (1 + e * n / horizon)


def min_and_max_swapped(beta, kl, target, n, horizon):
    e = min(-0.2, max(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def whole_nats(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl // target - 1))
    return beta * (1 + e * n / horizon)


def beta_or_default_1_6(beta, kl, target, n, horizon):
    beta = beta or 0.2
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def negative_kl_ignored(beta, kl, target, n, horizon):
    if kl < 0:
        return beta
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def printed(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    print(beta * (1 + e * n / horizon))


def added_not_multiplied(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta + e * n / horizon


def absolute_error(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target).abs(), (c - target).abs())[mask].mean()


def only_the_clipped_one_1_7(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * (c - target)[mask].square().mean()


def relative_clip(value, old_value, target, mask, clip):
    c = torch.maximum(torch.minimum(value, old_value * (1 + clip)), old_value * (1 - clip))
    return 0.5 * torch.max((value - target).square(), (c - target).square())[mask].mean()


def sum(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target).square(), (c - target).square())[mask].sum()


def max_of_the_means(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target)[mask].square().mean(), (c - target)[mask].square().mean())


def mask_ignored_1_7(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target).square(), (c - target).square()).mean()


def clip_is_a_fifth_1_7(value, old_value, target, mask, clip):
    c = value.clamp(old_value - 0.2, old_value + 0.2)
    return 0.5 * torch.max((value - target).square(), (c - target).square())[mask].mean()


def plain_number_1_7(value, old_value, target, mask, clip):
    c = value.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target).square(), (c - target).square())[mask].mean().item()


def shift_without_old(value, old_value, target, mask, clip):
    c = (value - old_value).clamp(-clip, clip)
    return 0.5 * torch.max((value - target).square(), (c - target).square())[mask].mean()


def target_clipped(value, old_value, target, mask, clip):
    t = target.clamp(old_value - clip, old_value + clip)
    return 0.5 * torch.max((value - target).square(), (value - t).square())[mask].mean()


def smaller_ids_are_padding(ids, eos):
    return ids >= eos


def argmin_for_argmax(ids, eos):
    is_end = (ids == eos).long()
    end = torch.where(is_end.any(-1), is_end.argmin(-1), ids.shape[1] - 1)
    return torch.arange(ids.shape[1]) <= end[:, None]


def counts_every_other_token(ids, eos):
    length = (ids != eos).sum(-1) + 1
    return torch.arange(ids.shape[1]) < length[:, None]


def first_row_for_all(ids, eos):
    end = (ids[0] == eos).long()
    return ((end.cumsum(-1) - end) == 0).expand(ids.shape)


def squeezed(ids, eos):
    end = (ids == eos).long()
    return ((end.cumsum(-1) - end) == 0).squeeze()


def score_on_the_first(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(mask)), mask.long().argmax(-1)] += score
    return reward


def bracket_forgotten(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * logprob - ref_logprob, 0.0)
    reward[torch.arange(len(mask)), mask.sum(-1) - 1] += score
    return reward


def score_centred(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(mask)), mask.sum(-1) - 1] += score - score.mean()
    return reward


def first_token_free(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, 0] = 0.0
    reward[torch.arange(len(mask)), mask.sum(-1) - 1] += score
    return reward


def price_adds_up(logprob, ref_logprob, score, mask, beta):
    price = torch.where(mask, beta * (logprob - ref_logprob), 0.0).cumsum(-1)
    reward = torch.where(mask, -price, 0.0)
    reward[torch.arange(len(mask)), mask.sum(-1) - 1] += score
    return reward


def lam_for_gamma(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, later, ahead = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        later = reward[:, t] + lam * ahead - value[:, t] + gamma * lam * later
        ahead = value[:, t]
        out[:, t] = later
    return out


def only_one_step_carried(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = reward + gamma * F.pad(value, (0, 1))[:, 1:] - value
    return delta + gamma * lam * F.pad(delta, (0, 1))[:, 1:]


def first_column_skipped(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, later, ahead = torch.zeros_like(reward), 0.0, 0.0
    for t in range(reward.shape[1] - 1, 0, -1):
        later = reward[:, t] + gamma * ahead - value[:, t] + gamma * lam * later
        ahead = value[:, t]
        out[:, t] = later
    return out


def values_swapped(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, later, ahead = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        later = reward[:, t] + value[:, t] - gamma * ahead + gamma * lam * later
        ahead = value[:, t]
        out[:, t] = later
    return out


def mean_taken_off(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, later, ahead = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        later = reward[:, t] + gamma * ahead - value[:, t] + gamma * lam * later
        ahead = value[:, t]
        out[:, t] = later
    return torch.where(mask, out - out[mask].mean(), 0.0)


def deviation_of_the_padded(advantage, mask):
    clean = torch.where(mask, advantage, 0.0)
    return torch.where(mask, (clean - clean[mask].mean()) / clean.std(), 0.0)


def times_the_deviation(advantage, mask):
    real = advantage[mask]
    return torch.where(mask, (advantage - real.mean()) * real.std(), 0.0)


def mean_absolute_deviation(advantage, mask):
    real = advantage[mask]
    return torch.where(mask, (advantage - real.mean()) / (real - real.mean()).abs().mean(), 0.0)


def median_for_mean(advantage, mask):
    real = advantage[mask]
    return torch.where(mask, (advantage - real.median()) / real.std(), 0.0)


def bracket_forgotten_1_4(advantage, mask):
    real = advantage[mask]
    return torch.where(mask, advantage - real.mean() / real.std(), 0.0)


def sum_1_5(logprob, old_logprob, advantage, mask, clip):
    ratio, good = (logprob - old_logprob).exp()[mask], advantage.detach()[mask]
    return -torch.minimum(ratio * good, ratio.clamp(1 - clip, 1 + clip) * good).sum()


def around_zero(logprob, old_logprob, advantage, mask, clip):
    ratio, good = (logprob - old_logprob).exp()[mask], advantage.detach()[mask]
    return -torch.minimum(ratio * good, ratio.clamp(-clip, clip) * good).mean()


def reciprocal_bound(logprob, old_logprob, advantage, mask, clip):
    ratio, good = (logprob - old_logprob).exp()[mask], advantage.detach()[mask]
    return -torch.minimum(ratio * good, ratio.clamp(1 / (1 + clip), 1 + clip) * good).mean()


def sign_of_the_advantage(logprob, old_logprob, advantage, mask, clip):
    ratio, good = (logprob - old_logprob).exp()[mask], advantage.detach()[mask].sign()
    return -torch.minimum(ratio * good, ratio.clamp(1 - clip, 1 + clip) * good).mean()


def wrong_side_cut(logprob, old_logprob, advantage, mask, clip):
    ratio, good = (logprob - old_logprob).exp()[mask], advantage.detach()[mask]
    return -(torch.where(good > 0, ratio.clamp(min=1 - clip), ratio.clamp(max=1 + clip)) * good).mean()


def minus_one_below(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / (target - 1)))
    return beta * (1 + e * n / horizon)


def n_forgotten(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e / horizon)


def relative_to_kl(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, (kl - target) / kl if kl else -0.2))
    return beta * (1 + e * n / horizon)


def cut_at_a_fiftieth(beta, kl, target, n, horizon):
    e = max(-0.02, min(0.02, kl / target - 1))
    return beta * (1 + e * n / horizon)


def kl_divided_by_n(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / n / target - 1))
    return beta * (1 + e * n / horizon)


def around_zero_1_7(value, old_value, target, mask, clip):
    value, target = value[mask], target.detach()[mask]
    near = value.clamp(-clip, clip)
    return 0.5 * torch.maximum((value - target) ** 2, (near - target) ** 2).mean()


def signed_maximum(value, old_value, target, mask, clip):
    value, old, target = value[mask], old_value.detach()[mask], target.detach()[mask]
    near = torch.clamp(value, old - clip, old + clip)
    return 0.5 * torch.maximum(value - target, near - target).square().mean()


def half_twice(value, old_value, target, mask, clip):
    value, old, target = value[mask], old_value.detach()[mask], target.detach()[mask]
    near = torch.clamp(value, old - clip, old + clip)
    return 0.5 * torch.maximum(0.5 * (value - target) ** 2, 0.5 * (near - target) ** 2).mean()


def roles_swapped(value, old_value, target, mask, clip):
    value, old, target = value[mask], old_value.detach()[mask], target.detach()[mask]
    near = torch.clamp(old, value - clip, value + clip)
    return 0.5 * torch.maximum((value - target) ** 2, (near - target) ** 2).mean()


def smooth_l1(value, old_value, target, mask, clip):
    value, old, target = value[mask], old_value.detach()[mask], target.detach()[mask]
    near = torch.clamp(value, old - clip, old + clip)
    return torch.maximum(F.smooth_l1_loss(value, target, reduction="none"),
                         F.smooth_l1_loss(near, target, reduction="none")).mean()


MUTANTS = {
    "1.1": [
        ("padding_is_zero", padding_is_zero, "by token 0"),
        ("up_to_the_last_eos", up_to_the_last_eos, "last EOS"),
        ("argmax_of_nothing", argmax_of_nothing, "argmax"),
        ("eos_left_out", eos_left_out, "The EOS itself is missing"),
        ("everything_but_eos", everything_but_eos, "Every EOS is left out, and what stands behind the first one"),
        ("looks_for_zeros", looks_for_zeros, "This finds the end by token 0"),
        ("long_mask", long_mask, "It returned a tensor of integers"),
        ("eos_is_two", eos_is_two, "2 is the EOS of the example"),
        ("wrong_axis", wrong_axis, "This counts down the columns, from one response to the next"),
        ("no_eos_nothing", no_eos_nothing, "A row without EOS lost its tokens"),
        ("until_second_eos", until_second_eos, "This runs up to the second EOS"),
        ("first_eos_of_the_batch", first_eos_of_the_batch, "All rows were cut at the same place"),
        ("an_end_at_0_is_none", an_end_at_0_is_none, "begins with EOS"),
        ("a_mask_of_floats", a_mask_of_floats, "It returned a tensor of floats"),
        ("up_to_the_last_eos_1_1", up_to_the_last_eos_1_1, "This runs to the last EOS"),
        ("one_token_more", one_token_more, "One token too many"),
        ("flag_not_reset", flag_not_reset, "Once a response has ended"),
        ("list_of_lists", list_of_lists, "It returned a list; the next cell needs a tensor of booleans"),
        ("float_mask", float_mask, "It returned a tensor of floats; the next cell needs a tensor"),
        ("eos_zero_is_falsy", eos_zero_is_falsy, "Wrong only where"),
        ("unfinished_row_loses_its_end", unfinished_row_loses_its_end, "A row without EOS lost its last token"),
        ("roll_wraps_around", roll_wraps_around, "roll() brings the end of a row round to its beginning"),
        ("first_token_never_eos", first_token_never_eos, "A row that begins with EOS is taken for one without any"),
        ("overwrites_ids", overwrites_ids, "The result is right"),
        ("smaller_ids_are_padding", smaller_ids_are_padding, "This compares the sizes of the ids"),
        ("argmin_for_argmax", argmin_for_argmax, "The row ends at the first token that is *not* EOS"),
        ("counts_every_other_token", counts_every_other_token, "The length is the number of all tokens other than EOS"),
        ("first_row_for_all", first_row_for_all, "All rows were cut at the same place"),
        ("squeezed", squeezed, "The mask of one response"),
    ],
    "1.2": [
        ("score_with_the_penalty_turned_round", score_with_the_penalty_turned_round, "came out with a minus"),
        ("score_in_the_last_column", score_in_the_last_column, "last column, where shorter"),
        ("padding_is_priced", padding_is_priced, "mask is not used"),
        ("the_first_score", the_first_score, "first one's score"),
        ("reward_times_the_mask", reward_times_the_mask, "Multiplying by the mask"),
        ("drift_is_paid_for", drift_is_paid_for, "The KL penalty has the wrong sign"),
        ("last_column", last_column, "The score stands in the last column, where shorter"),
        ("score_everywhere", score_everywhere, "Every token got the score"),
        ("times_mask_token_reward", times_mask_token_reward, "Multiplying by the mask is not enough"),
        ("score_replaces_price", score_replaces_price, "The score replaced the penalty of the last token"),
        ("one_too_far", one_too_far, "The score stands one place too far"),
        ("beta_or_default", beta_or_default, "β = 0 was replaced"),
        ("abs_token_reward", abs_token_reward, "A token that became *less* likely than under the reference"),
        ("in_place_token_reward", in_place_token_reward, "The result is right, but your function writes into its"),
        ("score_times_beta", score_times_beta, "The score was multiplied by β, too"),
        ("score_where_the_longest_ends", score_where_the_longest_ends, "longest response ends"),
        ("reference_minus_policy", reference_minus_policy, "The KL penalty has the wrong sign"),
        ("score_shared_out", score_shared_out, "The score was shared out among the tokens"),
        ("longest_row_decides", longest_row_decides, "The score stands where the longest response ends"),
        ("every_row_every_end", every_row_every_end, "`reward[:, last]` means these columns in"),
        ("price_never_a_gift", price_never_a_gift, "Negative differences were cut off"),
        ("all_paid_at_the_end", all_paid_at_the_end, "The whole penalty is paid at the end"),
        ("beta_is_a_tenth", beta_is_a_tenth, "0.1 is the β of the example. Use the arg"),
        ("last_is_where_the_price_ends", last_is_where_the_price_ends, "last token whose penalty is not 0"),
        ("padding_priced", padding_priced, "Padding pays a penalty"),
        ("k3_estimator", k3_estimator, "The difference is taken as it is"),
        ("list_of_rows", list_of_rows, "It returned a list; the next cell needs a tensor of floats"),
        ("score_on_the_first", score_on_the_first, "The score stands on the first token"),
        ("bracket_forgotten", bracket_forgotten, "Brackets are missing"),
        ("score_centred", score_centred, "The mean was taken off the scores"),
        ("first_token_free", first_token_free, "The first token pays no penalty"),
        ("price_adds_up", price_adds_up, "Each token pays for all before it as well"),
    ],
    "1.3": [
        ("rolled_values", rolled_values, "roll() brings the first value round"),
        ("gae_over_padding", gae_over_padding, "leaked into real tokens"),
        ("gae_without_gamma_in_delta", gae_without_gamma_in_delta, "missing in δ"),
        ("gae_with_lambda_alone", gae_with_lambda_alone, "λ alone"),
        ("from_the_front", from_the_front, "This walks from the first token to the last"),
        ("lambda_forgotten", lambda_forgotten, "λ is not used"),
        ("next_value_never_set", next_value_never_set, "δ does not see the next value"),
        ("padding_leaks", padding_leaks, "What stands in the padding leaked into real tokens"),
        ("times_mask_gae", times_mask_gae, "Multiplying by the mask is not enough"),
        ("carried_to_next_row", carried_to_next_row, "One row's advantage is carried into the next"),
        ("cleans_the_arguments", cleans_the_arguments, "The result is right, but your function writes into its"),
        ("returns_not_advantages", returns_not_advantages, "V was added"),
        ("gamma_missing_in_delta", gamma_missing_in_delta, "γ is missing in δ"),
        ("gae_of_the_last_guess", gae_of_the_last_guess, "last value was used again"),
        ("lam_hard_coded", lam_hard_coded, "This is what comes out if"),
        ("lam_on_the_value_too", lam_on_the_value_too, "λ does not belong into δ"),
        ("value_behind_the_end", value_behind_the_end, "What stands in the padding leaked into real tokens"),
        ("list", list, "It returned a list; the next cell needs a tensor of floats"),
        ("last_column_skipped", last_column_skipped, "The last column is left out"),
        ("bootstraps_from_itself", bootstraps_from_itself, "Behind the last column the last value was used again"),
        ("lam_or_default", lam_or_default, "Wrong only where"),
        ("gamma_missing_in_the_chain", gamma_missing_in_the_chain, "The recursion decays by λ alone; it is γ · λ"),
        ("value_of_the_row_before", value_of_the_row_before, "the value that was left from"),
        ("reversed_order", reversed_order, "The numbers are right"),
        ("lam_for_gamma", lam_for_gamma, "γ and λ are exchanged"),
        ("only_one_step_carried", only_one_step_carried, "Only δ of the token and of the next one are there"),
        ("first_column_skipped", first_column_skipped, "The first column is left out"),
        ("values_swapped", values_swapped, "The values have the wrong signs"),
        ("mean_taken_off", mean_taken_off, "The mean was taken off"),
    ],
    "1.4": [
        ("whiten_each_response", whiten_each_response, "by itself"),
        ("whiten_padding_too", whiten_padding_too, "took part"),
        ("whiten_and_leave_padding", whiten_and_leave_padding, "must become 0"),
        ("divides_by_n", divides_by_n, "The variance is divided by n"),
        ("each_row_alone", each_row_alone, "Each response was whitened by itself"),
        ("padding_left_dirty", padding_left_dirty, "The marked tokens are right"),
        ("times_mask_whiten", times_mask_whiten, "Multiplying by the mask is not enough"),
        ("padding_counts", padding_counts, "Padding took part in the mean or the variance"),
        ("variance_for_deviation", variance_for_deviation, "This divides by the variance"),
        ("no_shift", no_shift, "The mean is still there"),
        ("in_place_whiten", in_place_whiten, "The result is right, but your function writes into its"),
        ("deviation_floor", deviation_floor, "The deviation has a floor, or something large was added to"),
        ("whiten_by_pooled_variance", whiten_by_pooled_variance, "within each row"),
        ("only_shifted", only_shifted, "The mean is gone"),
        ("mean_of_everything", mean_of_everything, "Padding took part in the mean or the variance"),
        ("column_by_column", column_by_column, "Each column was whitened by itself"),
        ("flat_list", flat_list, "Only the marked tokens came back"),
        ("by_the_range", by_the_range, "This scales by the largest numbers"),
        ("outliers_cut", outliers_cut, "Large results were cut off"),
        ("root_mean_square", root_mean_square, "This divides by the root of the mean square"),
        ("difference_of_squares", difference_of_squares, "The variance is the difference of two large numbers"),
        ("rows_minus_one", rows_minus_one, "The sum of squares is divided by the number of responses les"),
        ("sign_turned", sign_turned, "The sign is the other way round"),
        ("padding_zeroed_first", padding_zeroed_first, "Padding was set to 0 *before* the mean was subtracted"),
        ("deviation_of_the_padded", deviation_of_the_padded, "Padding took part in the mean or the variance"),
        ("times_the_deviation", times_the_deviation, "This multiplies by the standard deviation"),
        ("mean_absolute_deviation", mean_absolute_deviation, "This divides by the mean absolute deviation"),
        ("median_for_mean", median_for_mean, "The median was subtracted"),
        ("bracket_forgotten_1_4", bracket_forgotten_1_4, "Brackets are missing"),
    ],
    "1.5": [
        ("never_clips", never_clips, "never bites"),
        ("the_larger", the_larger, "larger of the two"),
        ("only_the_clipped", only_the_clipped, "Only the clipped"),
        ("mean_over_padding", mean_over_padding, "runs over padding"),
        ("max_of_losses_picked_late", max_of_losses_picked_late, "the gradient in `logprob` is NaN"),
        ("gradient_into_the_advantage", gradient_into_the_advantage, "a gradient flows into `advantage`"),
        ("larger_of_the_two", larger_of_the_two, "This takes the larger of the two gains"),
        ("no_minus", no_minus, "The minus is missing"),
        ("no_clip_clipped_policy", no_clip_clipped_policy, "The clip never bites"),
        ("mean_over_all_cells_clipped_policy", mean_over_all_cells_clipped_policy, "The mean runs over padding too"),
        ("advantage_not_detached", advantage_not_detached, "a gradient flows into `advantage`"),
        ("old_over_new", old_over_new, "The ratio is upside down"),
        ("product_clipped", product_clipped, "The product r·Â was clipped"),
        ("only_the_clipped_one", only_the_clipped_one, "Only the clipped term is left"),
        ("quotient_of_logs", quotient_of_logs, "Logarithms are divided here"),
        ("no_grad_on_the_clipped_one", no_grad_on_the_clipped_one, "The values are right"),
        ("loss_of_row_means", loss_of_row_means, "mean of the rows' means"),
        ("smaller_ratio", smaller_ratio, "two *ratios*"),
        ("loss_times_the_mask", loss_times_the_mask, "0 · NaN is NaN"),
        ("row_means_1_5", row_means_1_5, "This is a mean of the rows' means"),
        ("ratio_without_gradient", ratio_without_gradient, "The values are right"),
        ("clip_is_a_fifth", clip_is_a_fifth, "0.2 is the ε of the example. Use the arg"),
        ("logs_clipped", logs_clipped, "The *logarithm* of the ratio was clipped"),
        ("clipped_above_only", clipped_above_only, "The ratio is clipped above only"),
        ("first_order_ratio", first_order_ratio, "The exp is missing"),
        ("plain_number", plain_number, "It returned a number; the next cell needs a tensor of floats"),
        ("ratio_of_the_response", ratio_of_the_response, "This is the ratio of whole responses"),
        ("mask_ignored", mask_ignored, "The mean runs over padding too"),
        ("quotient_of_probabilities", quotient_of_probabilities, "Two probabilities are divided"),
        ("detach_in_place", detach_in_place, "the gradient in `logprob` is NaN"),
        ("min_of_the_means", min_of_the_means, "The two means are compared"),
        ("sum_1_5", sum_1_5, "This is a sum"),
        ("around_zero", around_zero, "The ratio is clipped to ±ε"),
        ("reciprocal_bound", reciprocal_bound, "The lower bound is 1 / (1+ε) here"),
        ("sign_of_the_advantage", sign_of_the_advantage, "Only the sign of the advantage is used"),
        ("wrong_side_cut", wrong_side_cut, "This takes the larger of the two gains"),
    ],
    "1.6": [
        ("never_cut_off", never_cut_off, "not cut off"),
        ("cut_off_above", cut_off_above, "above and not below"),
        ("cut_off_below", cut_off_below, "below and not above"),
        ("cut_off_too_soon", cut_off_too_soon, "±0.1"),
        ("not_cut_off", not_cut_off, "The error is not cut off"),
        ("cut_off_above_only", cut_off_above_only, "The error is cut off above and not below"),
        ("minus", minus, "β moves the wrong way"),
        ("target_over_kl", target_over_kl, "relative to the KL"),
        ("integer_division", integer_division, "// divides to a whole number, here to 0"),
        ("target_is_six", target_is_six, "6 is the target of the example"),
        ("no_kl_no_change", no_kl_no_change, "A KL of 0 counts as False, and β stayed as it was"),
        ("product_cut_off", product_cut_off, "e · n / horizon was cut off"),
        ("abs_kl", abs_kl, "The KL lost its sign"),
        ("not_relative", not_relative, "The error is relative"),
        ("only_ever_dearer", only_ever_dearer, "β never falls"),
        ("exponential", exponential, "This takes the exponential"),
        ("horizon_over_n", horizon_over_n, "The fraction is upside down"),
        ("cut_before_minus_one", cut_before_minus_one, "KL / target is cut off before the 1 is subtracted"),
        ("min_and_max_swapped", min_and_max_swapped, "The error is -0"),
        ("whole_nats", whole_nats, "// divides to a whole number"),
        ("beta_or_default_1_6", beta_or_default_1_6, "Wrong only where"),
        ("negative_kl_ignored", negative_kl_ignored, "For a negative KL"),
        ("printed", printed, "It returned nothing (None); the next cell needs a number"),
        ("added_not_multiplied", added_not_multiplied, "The step was added to β"),
        ("minus_one_below", minus_one_below, "The 1 is subtracted from the target"),
        ("n_forgotten", n_forgotten, "n is missing: the more responses a step"),
        ("relative_to_kl", relative_to_kl, "The error is relative to the KL"),
        ("cut_at_a_fiftieth", cut_at_a_fiftieth, "The error is cut off elsewhere than at ±0"),
        ("kl_divided_by_n", kl_divided_by_n, "The error is -0"),
    ],
    "1.7": [
        ("old_value_learns_too", old_value_learns_too, "a gradient flows into `old_value`"),
        ("larger_error_picked_late", larger_error_picked_late, "a gradient flows into `old_value`"),
        ("smaller_of_the_two", smaller_of_the_two, "The smaller error was taken"),
        ("half_forgotten", half_forgotten, "The factor ½ is missing"),
        ("clipped_around_target", clipped_around_target, "The clip never bites"),
        ("mean_over_all_cells_clipped_value", mean_over_all_cells_clipped_value, "The mean runs over padding too"),
        ("row_means", row_means, "This is a mean of the rows' means"),
        ("no_clip_clipped_value", no_clip_clipped_value, "The clip never bites"),
        ("clipped_without_gradient", clipped_without_gradient, "The values are right"),
        ("one_sided", one_sided, "The value is clipped above only"),
        ("value_of_the_mask", value_of_the_mask, "0 · NaN is NaN"),
        ("absolute_error", absolute_error, "The errors are not squared"),
        ("only_the_clipped_one_1_7", only_the_clipped_one_1_7, "Only the clipped error is left"),
        ("relative_clip", relative_clip, "The clip is relative"),
        ("sum", sum, "This is a sum"),
        ("max_of_the_means", max_of_the_means, "The two means are compared"),
        ("mask_ignored_1_7", mask_ignored_1_7, "The mean runs over padding too"),
        ("clip_is_a_fifth_1_7", clip_is_a_fifth_1_7, "0.2 is the c of the example. Use the arg"),
        ("plain_number_1_7", plain_number_1_7, "It returned a number; the next cell needs a tensor of floats"),
        ("shift_without_old", shift_without_old, "The step V - V_old was clipped"),
        ("target_clipped", target_clipped, "The target was clipped"),
        ("around_zero_1_7", around_zero_1_7, "The value is clipped to ±c"),
        ("signed_maximum", signed_maximum, "The larger is taken before squaring"),
        ("half_twice", half_twice, "The factor ½ is there twice"),
        ("roles_swapped", roles_swapped, "The old value was clipped around V"),
        ("smooth_l1", smooth_l1, "This is the smooth L1 (Huber) loss"),
    ],
}
RIGHT = {
    "1.1": [right_python_loop, right_cumprod, right_argmax_with_any],
    "1.2": [right_loop, right_last_mark],
    "1.3": [right_row_by_row, right_matrix],
    "1.4": [right_sums_by_hand, right_written_back],
    "1.5": [right_by_sign],
    "1.6": [right_numpy_clip, right_branches],
    "1.7": [right_larger_error],
}
