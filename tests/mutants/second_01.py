"""A second set of answers to lesson 01, by people who saw nothing but the notebook: see `lesson_01.py`."""

import statistics

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 1.1 response_mask
def rm_no_eos(ids, eos):
    return (ids == eos).long().cumsum(-1) == 0


def rm_up_to_second(ids, eos):
    return (ids == eos).long().cumsum(-1) <= 1


def rm_pad_zero(ids, eos):
    return ids != 0


def rm_not_eos(ids, eos):
    return ids != eos


def rm_last_eos(ids, eos):
    B, T = ids.shape
    out = torch.ones(B, T, dtype=torch.bool)
    for b in range(B):
        for t in range(T - 1, -1, -1):
            if ids[b, t] == eos:
                out[b, t + 1:] = False
                break
    return out


def rm_argmax_none(ids, eos):
    first = (ids == eos).int().argmax(-1)
    return torch.arange(ids.shape[1])[None, :] <= first[:, None]


def rm_argmax_zero(ids, eos):
    first = (ids == eos).int().argmax(dim=1)
    first[first == 0] = ids.shape[1]              # none found
    return torch.arange(ids.shape[1]) <= first.unsqueeze(1)


def rm_roll(ids, eos):
    stop = (ids == eos).long()
    return torch.roll(stop, 1, dims=-1).cumsum(-1) == 0


def rm_long(ids, eos):
    stop = (ids == eos).long()
    return ((stop.cumsum(-1) - stop) == 0).long()


def rm_float(ids, eos):
    stop = (ids == eos).float()
    return 1.0 - (stop.cumsum(-1) - stop).clamp(max=1.0)


def rm_flat_cumsum(ids, eos):
    stop = (ids == eos).numpy().astype(int)
    before = np.cumsum(stop).reshape(stop.shape) - stop
    return torch.from_numpy(before == 0)


def rm_axis0(ids, eos):
    stop = (ids == eos).long()
    return (stop.cumsum(0) - stop) == 0


def rm_not_reset(ids, eos):
    ended, rows = False, []
    for row in ids.tolist():
        out = []
        for token in row:
            out.append(not ended)
            if token == eos:
                ended = True
        rows.append(out)
    return torch.tensor(rows)


def rm_shortest(ids, eos):
    columns = (ids == eos).any(0).nonzero().flatten()
    last = int(columns[0]) if len(columns) else ids.shape[1]
    return (torch.arange(ids.shape[1]) <= last).expand_as(ids)


def rm_whole_row_minus_one(ids, eos):
    rows = []
    for row in ids.tolist():
        n = row.index(eos) + 1 if eos in row else len(row) - 1
        rows.append([t < n for t in range(len(row))])
    return torch.tensor(rows)


def rm_unfinished_dropped(ids, eos):
    stop = ids == eos
    before = stop.long().cumsum(-1) - stop.long()
    return (before == 0) & stop.any(-1, keepdim=True)


def rm_writes(ids, eos):
    for b in range(ids.shape[0]):
        where = (ids[b] == eos).nonzero()
        if len(where):
            ids[b, int(where[0]) + 1:] = -1
    return ids != -1


def rm_eos_two(ids, eos=2):
    stop = (ids == 2).long()
    return stop.cumsum(-1) - stop == 0


def rm_count_padding(ids, eos):
    # everything behind the first EOS is EOS too
    T = ids.shape[-1]
    n = T - (ids == eos).sum(-1) + 1
    return torch.arange(T) < n[:, None]


def rm_uint8(ids, eos):
    stop = (ids == eos).to(torch.uint8)
    return (stop.cumsum(-1, dtype=torch.uint8) - stop) == 0


def rm_trailing_run(ids, eos):
    # strip the run of the last token, which is the padding, keep one of it
    out = torch.ones_like(ids, dtype=torch.bool)
    for b, row in enumerate(ids.tolist()):
        t = len(row) - 1
        while t > 0 and row[t] == row[t - 1] and row[-1] in (0, eos):
            t -= 1
        out[b, t + (row[t] == eos):] = False
    return out


def rm_lengths(ids, eos):
    return (((ids == eos).long().cumsum(-1) - (ids == eos).long()) == 0).sum(-1)


def rm_next_token_too(ids, eos):
    stop = (ids == eos).long()
    count = stop.cumsum(-1)
    before = F.pad(count, (2, 0))[:, :-2]
    return before == 0


def rm_first_always(ids, eos):
    # an empty response makes no sense, so an EOS in front is skipped
    stop = (ids == eos).long()
    stop[:, 0] = 0
    return (stop.cumsum(-1) - stop) == 0


def rm_right_cumprod(ids, eos):
    going = torch.cumprod((ids != eos).int(), dim=1)
    return torch.cat([torch.ones_like(going[:, :1]), going[:, :-1]], dim=1).bool()


def rm_right_lists(ids, eos):
    T = ids.size(1)
    ends = [([*row, eos]).index(eos) for row in ids.tolist()]
    return torch.tensor([[t <= end for t in range(T)] for end in ends], dtype=torch.bool).reshape(ids.shape)


def rm_right_positions(ids, eos):
    place = torch.arange(ids.shape[-1]).expand_as(ids)
    first = torch.where(ids == eos, place, ids.shape[-1]).amin(-1, keepdim=True)
    return place <= first


# ---------------------------------------------------------------- 1.2 token_reward
def tr_last_column(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, -1] += score
    return reward


def tr_sign(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_every_token(logprob, ref_logprob, score, mask, beta):
    return torch.where(mask, score[:, None] - beta * (logprob - ref_logprob), 0.0)


def tr_multiply(logprob, ref_logprob, score, mask, beta):
    reward = -beta * (logprob - ref_logprob) * mask
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_one_behind(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    last = mask.sum(-1).clamp(max=mask.shape[1] - 1)
    reward[torch.arange(len(score)), last] += score
    return reward


def tr_abs(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).abs(), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_no_refund(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).clamp(min=0), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_spread(logprob, ref_logprob, score, mask, beta):
    share = score / mask.sum(-1)
    return torch.where(mask, share[:, None] - beta * (logprob - ref_logprob), 0.0)


def tr_replaces(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    for b in range(reward.shape[0]):
        reward[b, int(mask[b].sum()) - 1] = score[b]
    return reward


def tr_first(logprob, ref_logprob, score, mask, beta):
    reward = (-beta * (logprob - ref_logprob)).masked_fill(~mask, 0.0)
    reward[:, 0] += score
    return reward


def tr_all_at_end(logprob, ref_logprob, score, mask, beta):
    kl = torch.where(mask, logprob - ref_logprob, 0.0).sum(-1)
    reward = torch.zeros_like(logprob)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] = score - beta * kl
    return reward


def tr_mixes_rows(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    last = mask.sum(-1) - 1
    reward[:, last] += score
    return reward


def tr_writes(logprob, ref_logprob, score, mask, beta):
    logprob -= ref_logprob
    reward = torch.where(mask, -beta * logprob, 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_finite(logprob, ref_logprob, score, mask, beta):
    penalty = beta * (logprob - ref_logprob)
    reward = torch.where(torch.isfinite(penalty), -penalty, torch.zeros_like(penalty))
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_edge(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    edge = mask[:, :-1] & ~mask[:, 1:]                      # marked, and the next one is not
    reward[:, :-1] += edge * score[:, None]
    return reward


def tr_longest(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, mask.sum(-1).max() - 1] += score
    return reward


def tr_beta_everywhere(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, ref_logprob - logprob, 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return beta * reward


def tr_first_token_free(logprob, ref_logprob, score, mask, beta):
    reward = torch.zeros_like(logprob)
    for b, n in enumerate(mask.sum(-1).tolist()):
        for t in range(1, n):
            reward[b, t] = -beta * (logprob[b, t] - ref_logprob[b, t])
        reward[b, n - 1] += score[b]
    return reward


def tr_k3(logprob, ref_logprob, score, mask, beta):
    d = torch.where(mask, ref_logprob - logprob, 0.0)
    reward = -beta * (d.exp() - 1 - d)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_first_score(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    for row, m in zip(reward, mask, strict=False):
        row[m.nonzero()[-1]] += score[0]
    return reward


def tr_weighted(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * logprob.exp() * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_zero_is_padding(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    for b in range(len(reward)):
        used = reward[b].nonzero().flatten()
        last = int(used[-1]) if len(used) else 0            # last token that pays anything
        reward[b, last] += score[b]
    return reward


def tr_padding_left(logprob, ref_logprob, score, mask, beta):
    reward = -beta * (logprob - ref_logprob)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_clean_first_wrong(logprob, ref_logprob, score, mask, beta):
    # only log pi is cleaned
    logprob = torch.where(mask, logprob, 0.0)
    reward = -beta * (logprob - ref_logprob)
    last = F.one_hot(mask.sum(-1) - 1, mask.shape[1])
    return reward + last * score[:, None]


def tr_cumulative(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).cumsum(-1), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return reward


def tr_right_one_hot(logprob, ref_logprob, score, mask, beta):
    last = F.one_hot(mask.long().sum(1) - 1, mask.shape[1]).to(score.dtype)
    penalty = beta * (logprob.masked_fill(~mask, 0) - ref_logprob.masked_fill(~mask, 0))
    return torch.einsum("bt,b->bt", last, score) - penalty


def tr_right_next(logprob, ref_logprob, score, mask, beta):
    final = mask & ~F.pad(mask, (0, 1))[:, 1:]
    reward = torch.where(final, score.unsqueeze(-1) + beta * (ref_logprob - logprob), beta * (ref_logprob - logprob))
    return reward.masked_fill(~mask, 0.0)


def tr_right_loop(logprob, ref_logprob, score, mask, beta):
    reward = torch.zeros_like(logprob)
    for b in range(mask.size(0)):
        n = int(mask[b].sum())
        reward[b, :n] = beta * (ref_logprob[b, :n] - logprob[b, :n])
        reward[b, n - 1] = reward[b, n - 1] + score[b]
    return reward


# ---------------------------------------------------------------- 1.3 gae
def ga_bootstraps_padding(reward, value, mask, gamma, lam):
    B, T = reward.shape
    reward, value = torch.nan_to_num(reward, 0, 0, 0), torch.nan_to_num(value, 0, 0, 0)
    out, carry = torch.zeros_like(reward), torch.zeros(B, dtype=reward.dtype)
    for t in reversed(range(T)):
        behind = value[:, t + 1] if t + 1 < T else torch.zeros_like(carry)
        carry = (reward[:, t] + gamma * behind - value[:, t] + gamma * lam * carry) * mask[:, t]
        out[:, t] = carry
    return out


def ga_no_lambda(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(r), 0.0, 0.0
    for t in reversed(range(r.shape[1])):
        a = r[:, t] + gamma * nxt - v[:, t] + gamma * a
        nxt = v[:, t]
        out[:, t] = a
    return out


def ga_no_gamma_delta(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + F.pad(v, (0, 1))[:, 1:] - v
    out, a = torch.zeros_like(r), 0.0
    for t in reversed(range(r.shape[1])):
        a = delta[:, t] + gamma * lam * a
        out[:, t] = a
    return out


def ga_no_gamma_trace(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    out, a = torch.zeros_like(r), 0.0
    for t in reversed(range(r.shape[1])):
        a = delta[:, t] + lam * a
        out[:, t] = a
    return out


def ga_gamma_reward(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(r), 0.0, 0.0
    for t in reversed(range(r.shape[1])):
        a = gamma * (r[:, t] + nxt) - v[:, t] + gamma * lam * a
        nxt = v[:, t]
        out[:, t] = a
    return out


def ga_multiply(reward, value, mask, gamma, lam):
    reward, value = reward * mask, value * mask
    out, a, nxt = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        a = reward[:, t] + gamma * nxt - value[:, t] + gamma * lam * a
        nxt = value[:, t]
        out[:, t] = a
    return out


def ga_first_missing(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(r), 0.0, 0.0
    for t in range(r.shape[1] - 1, 0, -1):
        a = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * a
        nxt = v[:, t]
        out[:, t] = a
    return out


def ga_last_own_value(reward, value, mask, gamma, lam):
    rows = torch.zeros_like(reward)
    for b, n in enumerate(mask.sum(-1).tolist()):
        a, nxt = 0.0, value[b, n - 1]
        for t in range(n - 1, -1, -1):
            a = reward[b, t] + gamma * nxt - value[b, t] + gamma * lam * a
            nxt = value[b, t]
            rows[b, t] = a
    return rows


def ga_returns(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(r), 0.0, 0.0
    for t in reversed(range(r.shape[1])):
        a = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * a
        nxt = v[:, t]
        out[:, t] = a + v[:, t]
    return out


def ga_masked_at_end(reward, value, mask, gamma, lam):
    value = torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(value), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        a = reward[:, t] + gamma * nxt - value[:, t] + gamma * lam * a
        nxt = value[:, t]
        out[:, t] = a
    return torch.where(mask, out, 0.0)


def ga_nan_to_num(reward, value, mask, gamma, lam):
    reward = torch.nan_to_num(reward, nan=0.0, posinf=0.0, neginf=0.0)
    value = torch.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0)
    out, a, nxt = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        a = reward[:, t] + gamma * nxt - value[:, t] + gamma * lam * a
        nxt = value[:, t]
        out[:, t] = a
    return out.masked_fill(~mask, 0.0)


def ga_writes(reward, value, mask, gamma, lam):
    reward[~mask] = 0.0
    value[~mask] = 0.0
    out, a, nxt = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        a = reward[:, t] + gamma * nxt - value[:, t] + gamma * lam * a
        nxt = value[:, t]
        out[:, t] = a
    return out


def ga_carry_over(reward, value, mask, gamma, lam):
    out, a = torch.zeros_like(reward), 0.0
    for b in range(reward.shape[0]):
        nxt = 0.0
        for t in range(int(mask[b].sum()) - 1, -1, -1):
            delta = reward[b, t] + gamma * nxt - value[b, t]
            a = delta + gamma * lam * a
            out[b, t], nxt = a, value[b, t]
    return out


def ga_carry_over_value(reward, value, mask, gamma, lam):
    out, nxt = torch.zeros_like(reward), 0.0
    for b in range(reward.shape[0]):
        a = 0.0
        for t in range(int(mask[b].sum()) - 1, -1, -1):
            delta = reward[b, t] + gamma * nxt - value[b, t]
            a = delta + gamma * lam * a
            out[b, t], nxt = a, value[b, t]
    return out


def ga_length_of_first(reward, value, mask, gamma, lam):
    n = int(mask[0].sum())
    out, a, nxt = torch.zeros_like(reward), 0.0, 0.0
    for t in range(n - 1, -1, -1):
        a = reward[:, t] + gamma * nxt - value[:, t] + gamma * lam * a
        nxt = value[:, t]
        out[:, t] = a
    return torch.where(mask, out, torch.zeros_like(out))


def ga_default_lam(reward, value, mask, gamma, lam):
    lam = lam or 0.95
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, a, nxt = torch.zeros_like(r), 0.0, 0.0
    for t in reversed(range(r.shape[1])):
        a = r[:, t] + gamma * nxt - v[:, t] + gamma * lam * a
        nxt = v[:, t]
        out[:, t] = a
    return out


def ga_divided_cumsum(reward, value, mask, gamma, lam):
    # no loop: sum of discounted deltas from t on, divided by the discount of t
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    weight = (gamma * lam) ** torch.arange(r.shape[1], dtype=r.dtype)
    return (delta * weight).flip(-1).cumsum(-1).flip(-1) / weight


def ga_last_is_reward(reward, value, mask, gamma, lam):
    out = torch.zeros_like(reward)
    for b, n in enumerate(mask.sum(-1).tolist()):
        out[b, n - 1] = reward[b, n - 1]
        for t in range(n - 2, -1, -1):
            delta = reward[b, t] + gamma * value[b, t + 1] - value[b, t]
            out[b, t] = delta + gamma * lam * out[b, t + 1]
    return out


def ga_roll(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = torch.where(mask, r + gamma * torch.roll(v, -1, dims=1) - v, 0.0)
    out = delta.clone()
    for t in range(r.shape[1] - 2, -1, -1):
        out[:, t] += gamma * lam * out[:, t + 1]
    return out


def ga_mask_of_this_token(reward, value, mask, gamma, lam):
    _B, T = reward.shape
    out, carry = torch.zeros_like(reward), torch.zeros_like(reward[:, 0])
    for t in range(T - 1, -1, -1):
        behind = value[:, t + 1] if t < T - 1 else torch.zeros_like(carry)
        delta = torch.where(mask[:, t], reward[:, t] + gamma * behind - value[:, t], 0.0)
        carry = torch.where(mask[:, t], delta + gamma * lam * carry, 0.0)
        out[:, t] = carry
    return out


def ga_two_terms(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    return delta + gamma * lam * F.pad(delta, (0, 1))[:, 1:]


def ga_gamma_squared(reward, value, mask, gamma, lam):
    # the weight gamma is in the delta already, then again once too often
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    out, a = torch.zeros_like(r), 0.0
    for t in reversed(range(r.shape[1])):
        a = delta[:, t] + gamma**2 * lam * a
        out[:, t] = a
    return out


def ga_window(reward, value, mask, gamma, lam):
    # weights die out, so 16 tokens are enough
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    out = torch.zeros_like(delta)
    for k in range(16):
        shifted = F.pad(delta, (0, k))[:, k:]
        out = out + (gamma * lam) ** k * shifted
    return out


def ga_forward(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    out, a = torch.zeros_like(r), 0.0
    for t in range(r.shape[1]):
        a = delta[:, t] + gamma * lam * a
        out[:, t] = a
    return torch.where(mask, out, 0.0)


def ga_lambda_complement(reward, value, mask, gamma, lam):
    r, v = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = r + gamma * F.pad(v, (0, 1))[:, 1:] - v
    out, a = torch.zeros_like(r), 0.0
    for t in reversed(range(r.shape[1])):
        a = (1 - lam) * delta[:, t] + gamma * lam * a
        out[:, t] = a
    return out


def ga_right_matrix(reward, value, mask, gamma, lam):
    r, v = reward.masked_fill(~mask, 0), value.masked_fill(~mask, 0)
    T = r.shape[1]
    delta = r - v + gamma * torch.cat([v[:, 1:], torch.zeros_like(v[:, :1])], 1)
    ahead = torch.arange(T)[:, None] - torch.arange(T)[None, :]              # s - t
    weight = torch.where(ahead >= 0, float(gamma * lam) ** ahead.clamp(min=0).to(r.dtype),
                         torch.zeros((), dtype=r.dtype))
    return torch.einsum("bs,st->bt", delta, weight)


def ga_right_rows(reward, value, mask, gamma, lam):
    out = torch.zeros_like(reward)
    for b in range(len(reward)):
        n = int(mask[b].sum())
        behind = [*value[b, 1:n].tolist(), 0.0]
        a = 0.0
        steps = zip(reward[b, :n].tolist(), value[b, :n].tolist(), behind, strict=False)
        for t, (r, v, w) in reversed(list(enumerate(steps))):
            a = r + gamma * w - v + gamma * lam * a
            out[b, t] = a
    return out


# ---------------------------------------------------------------- 1.4 whiten
def wh_rows(advantage, mask):
    out = torch.zeros_like(advantage)
    for b in range(len(out)):
        x = advantage[b][mask[b]]
        if len(x) > 1:
            out[b][mask[b]] = (x - x.mean()) / x.std()
    return out


def wh_population(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / x.std(unbiased=False), 0.0)


def wh_numpy_std(advantage, mask):
    a, m = advantage.numpy(), mask.numpy()
    out = np.zeros_like(a)
    out[m] = (a[m] - a[m].mean()) / np.std(a[m])
    return torch.from_numpy(out)


def wh_no_shift(advantage, mask):
    return torch.where(mask, advantage / advantage[mask].std(), 0.0)


def wh_no_scale(advantage, mask):
    return torch.where(mask, advantage - advantage[mask].mean(), 0.0)


def wh_padding_counts(advantage, mask):
    clean = torch.where(mask, advantage, 0.0)
    return torch.where(mask, (clean - clean.mean()) / clean.std(), 0.0)


def wh_variance(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / x.var(), 0.0)


def wh_multiply(advantage, mask):
    x = advantage[mask]
    return (advantage - x.mean()) / x.std() * mask


def wh_epsilon(advantage, mask):
    x = advantage[mask]
    white = (advantage - x.mean()) * torch.rsqrt(x.var() + 1e-8)
    return torch.where(mask, white, 0.0)


def wh_epsilon_std(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / (x.std() + 1e-5), 0.0)


def wh_padding_not_zero(advantage, mask):
    x = advantage[mask]
    clean = torch.where(mask, advantage, 0.0)
    return (clean - x.mean()) / x.std()


def wh_prefix(advantage, mask):
    n = mask.sum(-1).tolist()
    flat = torch.cat([row[:k] for row, k in zip(advantage, n, strict=False)])
    out = torch.zeros_like(advantage)
    for b, k in enumerate(n):
        out[b, :k] = (advantage[b, :k] - flat.mean()) / flat.std()
    return out


def wh_writes(advantage, mask):
    x = advantage[mask]
    advantage[mask] = (x - x.mean()) / x.std()
    advantage[~mask] = 0.0
    return advantage


def wh_columns(advantage, mask):
    out = torch.zeros_like(advantage)
    for t in range(advantage.shape[1]):
        x = advantage[:, t][mask[:, t]]
        if len(x) > 1 and x.std() > 0:
            out[:, t][mask[:, t]] = (x - x.mean()) / x.std()
    return out


def wh_cancellation(advantage, mask):
    a = torch.where(mask, advantage, 0.0)
    n = mask.sum()
    mean = a.sum() / n
    var = ((a * a).sum() / n - mean**2) * n / (n - 1)
    return torch.where(mask, (a - mean) / var.sqrt(), 0.0)


def wh_nonzero(advantage, mask):
    clean = torch.where(mask, advantage, 0.0)
    x = clean[clean != 0]
    return torch.where(clean != 0, (clean - x.mean()) / x.std(), 0.0)


def wh_row_mean(advantage, mask):
    clean = torch.where(mask, advantage, 0.0)
    mean = clean.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)
    centred = torch.where(mask, clean - mean, 0.0)
    return centred / centred[mask].std()


def wh_mean_of_variances(advantage, mask):
    x = advantage[mask]
    spread = torch.stack([a[m].var() for a, m in zip(advantage, mask, strict=False) if m.sum() > 1]).mean().sqrt()
    return torch.where(mask, (advantage - x.mean()) / spread, 0.0)


def wh_mean_of_means(advantage, mask):
    mean = torch.stack([a[m].mean() for a, m in zip(advantage, mask, strict=False) if m.any()]).mean()
    return torch.where(mask, (advantage - mean) / advantage[mask].std(), 0.0)


def wh_clamped(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, ((advantage - x.mean()) / x.std()).clamp(-3, 3), 0.0)


def wh_small_left_alone(advantage, mask):
    x = advantage[mask]
    std = x.std()
    if std < 1e-4:
        std = torch.ones_like(std)
    return torch.where(mask, (advantage - x.mean()) / std, 0.0)


def wh_finite(advantage, mask):
    seen = torch.isfinite(advantage)
    x = advantage[seen]
    return torch.where(mask, (advantage - x.mean()) / x.std(), 0.0)


def wh_n_of_all(advantage, mask):
    x = advantage[mask]
    var = (x - x.mean()).square().sum() / (mask.numel() - 1)
    return torch.where(mask, (advantage - x.mean()) / var.sqrt(), 0.0)


def wh_flat(advantage, mask):
    x = advantage[mask]
    return (x - x.mean()) / x.std()


def wh_shift_kept(advantage, mask):
    # TRL's shift_mean=False: the mean is added again
    x = advantage[mask]
    return torch.where(mask, (advantage - x.mean()) / x.std() + x.mean(), 0.0)


def wh_median(advantage, mask):
    x = advantage[mask]
    return torch.where(mask, (advantage - x.median()) / x.std(), 0.0)


def wh_rms(advantage, mask):
    x = advantage[mask]
    rms = (x.square().sum() / (len(x) - 1)).sqrt()
    return torch.where(mask, (advantage - x.mean()) / rms, 0.0)


def wh_right_scatter(advantage, mask):
    spread, mean = torch.std_mean(torch.masked_select(advantage, mask))
    return torch.zeros_like(advantage).masked_scatter(mask, (advantage[mask] - mean) / spread)


def wh_right_two_pass(advantage, mask):
    n = mask.sum()
    clean = advantage.masked_fill(~mask, 0.0)
    centred = (clean - clean.sum() / n).masked_fill(~mask, 0.0)
    return centred * torch.rsqrt(torch.einsum("bt,bt->", centred, centred) / (n - 1))


def wh_right_statistics(advantage, mask):
    x = advantage[mask].tolist()
    mean, spread = statistics.fmean(x), statistics.stdev(x)
    rows = [[(a - mean) / spread if m else 0.0 for a, m in zip(row, marks, strict=False)]
            for row, marks in zip(advantage.tolist(), mask.tolist(), strict=False)]
    return torch.tensor(rows, dtype=advantage.dtype)


# ---------------------------------------------------------------- 1.5 clipped_policy
def cp_max(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob)[mask].exp()
    a = advantage.detach()[mask]
    return -torch.maximum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_sign(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob)[mask].exp()
    a = advantage.detach()[mask]
    return torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_not_detached(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask]
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_row_means(logprob, old_logprob, advantage, mask, clip):
    losses = []
    for b in range(len(mask)):
        m = mask[b]
        if not m.any():
            continue
        ratio = (logprob[b][m] - old_logprob[b][m]).exp()
        a = advantage[b][m].detach()
        losses.append(-torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean())
    return torch.stack(losses).mean()


def cp_clipped_only(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -(ratio.clamp(1 - clip, 1 + clip) * advantage[mask].detach()).mean()


def cp_no_clip(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -(ratio * advantage[mask].detach()).mean()


def cp_inverse(logprob, old_logprob, advantage, mask, clip):
    ratio = (old_logprob[mask] - logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_no_exp(logprob, old_logprob, advantage, mask, clip):
    ratio = 1 + logprob[mask] - old_logprob[mask]
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_where_after(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    a = advantage.detach()
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -torch.where(mask, gain, 0.0).sum() / mask.sum()


def cp_index_after(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.exp(logprob - old_logprob)
    gain = torch.min(ratio * advantage.detach(), torch.clamp(ratio, 1 - clip, 1 + clip) * advantage.detach())
    return -gain[mask].mean()


def cp_multiply(logprob, old_logprob, advantage, mask, clip):
    ratio = torch.exp(logprob - old_logprob)
    gain = torch.min(ratio * advantage.detach(), torch.clamp(ratio, 1 - clip, 1 + clip) * advantage.detach())
    return -(gain * mask).sum() / mask.sum()


def cp_upper_only(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(max=1 + clip) * a).mean()


def cp_log_clip(logprob, old_logprob, advantage, mask, clip):
    log_ratio = logprob[mask] - old_logprob[mask]
    a = advantage[mask].detach()
    return -torch.minimum(log_ratio.exp() * a, log_ratio.clamp(-clip, clip).exp() * a).mean()


def cp_reciprocal(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 / (1 + clip), 1 + clip) * a).mean()


def cp_fixed_clip(logprob, old_logprob, advantage, mask, clip=0.2):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()


def cp_all_cells(logprob, old_logprob, advantage, mask, clip):
    zero = torch.zeros_like(logprob)
    ratio = torch.where(mask, logprob - old_logprob, zero).exp()
    a = torch.where(mask, advantage.detach(), zero)
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_min_of_ratios(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -(torch.minimum(ratio, ratio.clamp(1 - clip, 1 + clip)) * advantage[mask].detach()).mean()


def cp_sum(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).sum()


def cp_sequence(logprob, old_logprob, advantage, mask, clip):
    log_ratio = torch.where(mask, logprob - old_logprob, 0.0).sum(-1, keepdim=True)
    ratio = log_ratio.exp().expand_as(mask)[mask]
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_prefix(logprob, old_logprob, advantage, mask, clip):
    gains = []
    for b, n in enumerate(mask.sum(-1).tolist()):
        ratio = (logprob[b, :n] - old_logprob[b, :n]).exp()
        a = advantage[b, :n].detach()
        gains.append(torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a))
    return -torch.cat(gains).mean()


def cp_half_gradient(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    with torch.no_grad():
        limited = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * a, limited * a).mean()


def cp_min_of_means(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum((ratio * a).mean(), (ratio.clamp(1 - clip, 1 + clip) * a).mean())


def cp_safe_exp(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).clamp(-2, 2).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_dual_clip(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -torch.where(a < 0, torch.maximum(gain, 3 * a), gain).mean()


def cp_whitens(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    if len(a) > 1:
        a = (a - a.mean()) / (a.std() + 1e-8)
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_nonzero_mean(logprob, old_logprob, advantage, mask, clip):
    zero = torch.zeros_like(logprob)
    ratio = torch.where(mask, logprob - old_logprob, zero).exp()
    a = torch.where(mask, advantage.detach(), zero)
    gain = torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
    return -gain.sum() / (gain != 0).sum()


def cp_item(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob.detach()[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_one_sided_by_sign(logprob, old_logprob, advantage, mask, clip):
    # the ends got mixed up: a good token is cut below, a bad one above
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    cut = torch.where(a > 0, ratio.clamp(min=1 - clip), ratio.clamp(max=1 + clip))
    return -(cut * a).mean()


def cp_drops_clipped(logprob, old_logprob, advantage, mask, clip):
    # tokens beyond the clip are simply left out
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask].detach()
    inside = ~(((ratio > 1 + clip) & (a > 0)) | ((ratio < 1 - clip) & (a < 0)))
    return -(ratio * a * inside).sum() / mask.sum()


def cp_advantage_gradient_half(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    a = advantage[mask]
    return -torch.minimum(ratio * a.detach(), ratio.clamp(1 - clip, 1 + clip) * a).mean()


def cp_right_bound(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return torch.maximum(-ratio * a, -(a + clip * a.abs())).mean()


def cp_right_by_sign(logprob, old_logprob, advantage, mask, clip):
    zero = torch.zeros_like(logprob)
    a = torch.where(mask, advantage, zero).detach()
    ratio = (torch.where(mask, logprob, zero) - torch.where(mask, old_logprob, zero)).exp()
    gain = torch.where(a > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip)) * a
    return -torch.einsum("bt,bt->", gain, mask.to(gain.dtype)) / mask.sum()


def cp_right_loop(logprob, old_logprob, advantage, mask, clip):
    total, n = 0.0, 0
    for b, t in mask.nonzero().tolist():
        ratio, a = torch.exp(logprob[b, t] - old_logprob[b, t]), float(advantage[b, t])
        total = total + min(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a)
        n += 1
    return -total / n


# ---------------------------------------------------------------- 1.6 adapt
def ad_no_cut(beta, kl, target, n, horizon):
    return beta * (1 + (kl / target - 1) * n / horizon)


def ad_cut_ratio(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target)) - 1
    return beta * (1 + e * n / horizon)


def ad_inverse(beta, kl, target, n, horizon):
    e = 1 - target / kl if kl else -0.2
    return beta * (1 + max(-0.2, min(0.2, e)) * n / horizon)


def ad_abs(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, abs(kl) / target - 1))
    return beta * (1 + e * n / horizon)


def ad_upper_only(beta, kl, target, n, horizon):
    e = min(kl / target - 1, 0.2)
    return beta * (1 + e * n / horizon)


def ad_lower_only(beta, kl, target, n, horizon):
    e = max(kl / target - 1, -0.2)
    return beta * (1 + e * n / horizon)


def ad_sign(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, 1 - kl / target))
    return beta * (1 + e * n / horizon)


def ad_floor(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * (n // horizon))


def ad_floor_kl(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl // target - 1))
    return beta * (1 + e * n / horizon)


def ad_additive(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta + e * n / horizon


def ad_cut_late(beta, kl, target, n, horizon):
    step = (kl / target - 1) * n / horizon
    return beta * (1 + max(-0.2, min(0.2, step)))


def ad_exponential(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return float(beta * np.exp(e * n / horizon))


def ad_floor_beta(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return max(beta * (1 + e * n / horizon), 1e-3)


def ad_two_digits(beta, kl, target, n, horizon):
    e = round(max(-0.2, min(0.2, kl / target - 1)), 2)
    return beta * (1 + e * n / horizon)


def ad_doubling(beta, kl, target, n, horizon):
    if kl > 1.5 * target:
        return beta * 2
    if kl < target / 1.5:
        return beta / 2
    return beta


def ad_skips_negative(beta, kl, target, n, horizon):
    if kl <= 0:
        return beta
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def ad_skips_strictly_negative(beta, kl, target, n, horizon):
    if kl < 0:
        return beta
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def ad_difference(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl - target))
    return beta * (1 + e * n / horizon)


def ad_swapped(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * horizon / n)


def ad_no_n(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e / horizon)


def ad_smoothed(beta, kl, target, n, horizon, seen=[]):                                     # noqa: B006
    seen.append(kl)
    mean = sum(seen[-10:]) / len(seen[-10:])
    e = max(-0.2, min(0.2, mean / target - 1))
    return beta * (1 + e * n / horizon)


def ad_tensor(beta, kl, target, n, horizon):
    e = torch.clamp(torch.tensor(kl / target - 1), -0.2, 0.2)
    return beta * (1 + e * n / horizon)


def ad_not_negative(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * max(1 + e * n / horizon, 0.0)


def ad_fixed_target(beta, kl, target=6, n=256, horizon=10_000):
    e = max(-0.2, min(0.2, kl / 6 - 1))
    return beta * (1 + e * n / horizon)


def ad_fixed_horizon(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / 10_000)


def ad_min_max_swapped(beta, kl, target, n, horizon):
    e = min(-0.2, max(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def ad_share_of_step(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * min(n / horizon, 1.0))


def ad_percent(beta, kl, target, n, horizon):
    e = max(0.8, min(1.2, kl / target))
    return beta * e * n / horizon


def ad_right_median(beta, kl, target, n, horizon):
    return beta + beta * statistics.median((-0.2, kl / target - 1, 0.2)) * n / horizon


def ad_right_branches(beta, kl, target, n, horizon):
    if kl >= 1.2 * target:
        e = 0.2
    elif kl <= 0.8 * target:
        e = -0.2
    else:
        e = (kl - target) / target
    return beta * (horizon + e * n) / horizon


def ad_right_numpy(beta, kl, target, n, horizon):
    return float(beta * (1 + np.clip(np.float64(kl) / target, 0.8, 1.2) * n / horizon - n / horizon))


# ---------------------------------------------------------------- 1.7 clipped_value
def cv_min(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.minimum((v - r) ** 2, (near - r) ** 2).mean()


def cv_no_half(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_no_clip(value, old_value, target, mask, clip):
    return 0.5 * (value[mask] - target[mask].detach()).square().mean()


def cv_clipped_only(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * (near - r).square().mean()


def cv_around_target(value, old_value, target, mask, clip):
    v, r = value[mask], target[mask].detach()
    near = torch.clamp(v, r - clip, r + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_around_zero(value, old_value, target, mask, clip):
    v, r = value[mask], target[mask].detach()
    return 0.5 * torch.maximum((v - r) ** 2, (v.clamp(-clip, clip) - r) ** 2).mean()


def cv_old_gradient(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask], target[mask].detach()
    near = old + (v - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_target_gradient(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask]
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_where_after(value, old_value, target, mask, clip):
    old, r = old_value.detach(), target.detach()
    near = torch.clamp(value, old - clip, old + clip)
    worst = torch.maximum((value - r) ** 2, (near - r) ** 2)
    return 0.5 * torch.where(mask, worst, 0.0).sum() / mask.sum()


def cv_multiply(value, old_value, target, mask, clip):
    old, r = old_value.detach(), target.detach()
    near = torch.max(torch.min(value, old + clip), old - clip)
    worst = torch.maximum((value - r) ** 2, (near - r) ** 2)
    return 0.5 * (worst * mask).sum() / mask.sum()


def cv_all_cells(value, old_value, target, mask, clip):
    v = torch.where(mask, value, 0.0)
    old = torch.where(mask, old_value.detach(), 0.0)
    r = torch.where(mask, target.detach(), 0.0)
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_row_means(value, old_value, target, mask, clip):
    rows = []
    for v, old, r, m in zip(value, old_value.detach(), target.detach(), mask, strict=False):
        if m.any():
            near = torch.clamp(v[m], old[m] - clip, old[m] + clip)
            rows.append(torch.maximum((v[m] - r[m]) ** 2, (near - r[m]) ** 2).mean())
    return 0.5 * sum(rows) / len(rows)


def cv_absolute(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r).abs(), (near - r).abs()).mean()


def cv_max_of_means(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.max(F.mse_loss(v, r), F.mse_loss(near, r))


def cv_ratio_clip(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = old * (v / old).clamp(1 - clip, 1 + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_upper_only(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.minimum(v, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_half_gradient(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v.detach(), old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_no_gradient(value, old_value, target, mask, clip):
    v, old, r = (x[mask].detach() for x in (value, old_value, target))
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_fixed_clip(value, old_value, target, mask, clip=0.2):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - 0.2, old + 0.2)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_prefix(value, old_value, target, mask, clip):
    total = 0.0
    for b, n in enumerate(mask.sum(1).tolist()):
        v, old, r = value[b, :n], old_value[b, :n].detach(), target[b, :n].detach()
        near = torch.clamp(v, old - clip, old + clip)
        total = total + torch.maximum((v - r) ** 2, (near - r) ** 2).sum()
    return 0.5 * total / mask.sum()


def cv_signed_max(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum(v - r, near - r).square().mean()


def cv_sum(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).sum()


def cv_clips_old(value, old_value, target, mask, clip):
    # the old value is kept near the new one, not the other way round
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(old, v - clip, v + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_huber(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return torch.maximum(F.smooth_l1_loss(v, r, reduction="none"), F.smooth_l1_loss(near, r, reduction="none")).mean()


def cv_rms(value, old_value, target, mask, clip):
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, old - clip, old + clip)
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean().sqrt()


def cv_clipped_without_gradient_reset(value, old_value, target, mask, clip):
    # straight through: the clipped guess keeps V's gradient
    v, old, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = v + (torch.clamp(v, old - clip, old + clip) - v).detach()
    return 0.5 * torch.maximum((v - r) ** 2, (near - r) ** 2).mean()


def cv_writes(value, old_value, target, mask, clip):
    for x in (value, old_value, target):
        x.data[~mask] = 0.0
    old, r = old_value.detach(), target.detach()
    near = torch.clamp(value, old - clip, old + clip)
    return 0.5 * torch.maximum((value - r) ** 2, (near - r) ** 2).sum() / mask.sum()


def cv_right_amax(value, old_value, target, mask, clip):
    v, old, r = (x.masked_select(mask) for x in (value, old_value.detach(), target.detach()))
    guesses = torch.stack([v, old + (v - old).clamp(-clip, clip)])
    return (guesses - r).square().amax(0).mean() / 2


def cv_right_loop(value, old_value, target, mask, clip):
    costs = []
    for b, t in zip(*torch.where(mask), strict=False):
        v, old, r = value[b, t], old_value[b, t].item(), target[b, t].item()
        near = v.clamp(old - clip, old + clip)
        costs.append(max((v - r) ** 2, (near - r) ** 2))
    return torch.stack(costs).mean() * 0.5


def cv_right_where(value, old_value, target, mask, clip):
    zero = torch.zeros_like(value)
    v = torch.where(mask, value, zero)
    old, r = (torch.where(mask, x, zero).detach() for x in (old_value, target))
    near = torch.minimum(torch.maximum(v, old - clip), old + clip)
    worse = torch.where((v - r).abs() >= (near - r).abs(), v, near)
    return (worse - r).square().sum() / (2 * mask.sum())


MUTANTS = {
    "1.1": [
        ("no_eos", rm_no_eos, "The EOS itself is missing. Stopping is an"),
        ("up_to_second", rm_up_to_second, "This runs up to the second EOS. Count the"),
        ("pad_zero", rm_pad_zero, "This finds the end by token 0. Which token"),
        ("not_eos", rm_not_eos, "Every EOS is left out, and what stands"),
        ("last_eos", rm_last_eos, "This runs to the last EOS. A response ends"),
        ("argmax_none", rm_argmax_none, "A row without EOS lost its tokens: argmax"),
        ("argmax_zero", rm_argmax_zero, "A row that begins with EOS is taken for one"),
        ("roll", rm_roll, "roll() brings the end of a row round to its"),
        ("long", rm_long, "It returned a tensor of integers; the next"),
        ("float", rm_float, "It returned a tensor of floats; the next"),
        ("flat_cumsum", rm_flat_cumsum, "Once a response has ended, the rows behind"),
        ("axis0", rm_axis0, "This counts down the columns, from one"),
        ("not_reset", rm_not_reset, "Once a response has ended, the rows behind"),
        ("shortest", rm_shortest, "All rows were cut at the same place. Each"),
        ("whole_row_minus_one", rm_whole_row_minus_one, "A row without EOS lost its last token. It"),
        ("unfinished_dropped", rm_unfinished_dropped, "A row without EOS got no mark at all. Such"),
        ("writes", rm_writes, "The result is right, but your function"),
        ("eos_two", rm_eos_two, "2 is the EOS of the example. Another"),
        ("count_padding", rm_count_padding, "The length is the number of all tokens"),
        ("uint8", rm_uint8, "and wrong only here: 300 tokens"),
        ("trailing_run", rm_trailing_run, "compare this one with the example of the text"),
        ("lengths", rm_lengths, "Your result has shape (2,); expected (2, 4)."),
        ("next_token_too", rm_next_token_too, "One token too many: the response ends with"),
        ("first_always", rm_first_always, "An EOS in the first column is passed over."),
    ],
    "1.2": [
        ("last_column", tr_last_column, "The score stands in the last column, where"),
        ("sign", tr_sign, "The KL penalty has the wrong sign: a token"),
        ("every_token", tr_every_token, "Every token got the score. It comes once,"),
        ("multiply", tr_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("one_behind", tr_one_behind, "The score stands one place too far. The"),
        ("abs", tr_abs, "A token that became *less* likely than"),
        ("no_refund", tr_no_refund, "Negative differences were cut off. A token"),
        ("spread", tr_spread, "The score was shared out among the tokens."),
        ("replaces", tr_replaces, "The score replaced the penalty of the last"),
        ("first", tr_first, "The score stands on the first token. It"),
        ("all_at_end", tr_all_at_end, "The whole penalty is paid at the end. Each"),
        ("mixes_rows", tr_mixes_rows, "`reward[:, last]` means these columns in"),
        ("writes", tr_writes, "The result is right, but your function"),
        ("finite", tr_finite, "Padding pays a penalty, too. It earns 0:"),
        ("edge", tr_edge, "A row without padding gets no score: the"),
        ("longest", tr_longest, "The score stands where the longest response"),
        ("beta_everywhere", tr_beta_everywhere, "The score was multiplied by β, too. β"),
        ("first_token_free", tr_first_token_free, "The first token pays no penalty. Every"),
        ("k3", tr_k3, "The difference is taken as it is: no"),
        ("first_score", tr_first_score, "Every response got the first one's score."),
        ("weighted", tr_weighted, "The difference is weighted with the token's"),
        ("zero_is_padding", tr_zero_is_padding, "The score stands on the last token whose"),
        ("padding_left", tr_padding_left, "Padding pays a penalty, too. It earns 0:"),
        ("half_cleaned", tr_clean_first_wrong, "The marked entries are right. It is the"),
        ("cumulative", tr_cumulative, "Each token pays for all before it as well."),
    ],
    "1.3": [
        ("bootstraps_padding", ga_bootstraps_padding, "What stands in the padding leaked into real"),
        ("no_lambda", ga_no_lambda, "λ is not used: this is the return minus the"),
        ("no_gamma_delta", ga_no_gamma_delta, "γ is missing in δ: the next value is worth"),
        ("no_gamma_trace", ga_no_gamma_trace, "The recursion decays by λ alone; it is γ ·"),
        ("gamma_reward", ga_gamma_reward, "γ multiplies the reward of the token"),
        ("multiply", ga_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("first_missing", ga_first_missing, "The first column is left out: a loop down"),
        ("last_own_value", ga_last_own_value, "Behind the last token the last value itself"),
        ("returns", ga_returns, "V was added: these are the returns, which"),
        ("masked_at_end", ga_masked_at_end, "What stands in the padding leaked into real"),
        ("nan_to_num", ga_nan_to_num, "What stands in the padding leaked into real"),
        ("writes", ga_writes, "The result is right, but your function"),
        ("carry_over", ga_carry_over, "One row's advantage is carried into the"),
        ("carry_over_value", ga_carry_over_value, "Behind the end of a row stands the value"),
        ("length_of_first", ga_length_of_first, "The first row is right in every case, rows"),
        ("default_lam", ga_default_lam, "Wrong only where `lam` is 0: `or`, and `if"),
        ("divided_cumsum", ga_divided_cumsum, "This divides by (γλ)^t, which is 0 for λ ="),
        ("last_is_reward", ga_last_is_reward, "The last token gets its reward without the"),
        ("roll", ga_roll, "In a full row the first value stands behind"),
        ("mask_of_this_token", ga_mask_of_this_token, "What stands in the padding leaked into real"),
        ("two_terms", ga_two_terms, "Only δ of the token and of the next one are"),
        ("gamma_squared", ga_gamma_squared, "γ is there once too often in the recursion;"),
        ("window", ga_window, "and wrong only here: 200 tokens"),
        ("forward", ga_forward, "This goes from the first token to the last,"),
        ("lambda_complement", ga_lambda_complement, "Each δ is multiplied by 1 - λ. In GAE δ"),
    ],
    "1.4": [
        ("rows", wh_rows, "Each response was whitened by itself. Then"),
        ("population", wh_population, "The variance is divided by n; here, as in"),
        ("numpy_std", wh_numpy_std, "The variance is divided by n; here, as in"),
        ("no_shift", wh_no_shift, "The mean is still there. Subtract it first."),
        ("no_scale", wh_no_scale, "The mean is gone, but the variance is not 1"),
        ("padding_counts", wh_padding_counts, "Padding took part in the mean or the"),
        ("variance", wh_variance, "This divides by the variance. Divide by its"),
        ("multiply", wh_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("epsilon_std", wh_epsilon_std, ""),
        ("padding_not_zero", wh_padding_not_zero, "Padding was set to 0 *before* the mean was"),
        ("prefix", wh_prefix, "The marks are taken to stand in front of"),
        ("writes", wh_writes, "The result is right, but your function"),
        ("columns", wh_columns, "Each column was whitened by itself. One"),
        ("cancellation", wh_cancellation, "wrong only here: nearly all mean"),
        ("nonzero", wh_nonzero, "Marked advantages of exactly 0 are left"),
        ("row_mean", wh_row_mean, "it is wrong exactly where `mask` has more than one row"),
        ("mean_of_variances", wh_mean_of_variances, "The deviation is taken within each row."),
        ("mean_of_means", wh_mean_of_means, "The mean is one of the rows' means, so"),
        ("clamped", wh_clamped, "Large results were cut off. Whitening"),
        ("finite", wh_finite, "Padding took part in the mean or the"),
        ("n_of_all", wh_n_of_all, "Padding took part in the mean or the"),
        ("flat", wh_flat, "Only the marked tokens came back, in one"),
        ("shift_kept", wh_shift_kept, "The mean is still there. Subtract it first."),
        ("median", wh_median, "The median was subtracted. Subtract the"),
        ("rms", wh_rms, "This divides by the root of the mean"),
    ],
    "1.5": [
        ("max", cp_max, "This takes the larger of the two gains. The"),
        ("sign", cp_sign, "The minus is missing: it is a loss, to be"),
        ("not_detached", cp_not_detached, "The values are right, but a gradient flows"),
        ("row_means", cp_row_means, "This is a mean of the rows' means: a token"),
        ("clipped_only", cp_clipped_only, "Only the clipped term is left. Then a token"),
        ("no_clip", cp_no_clip, "The clip never bites. Take the smaller of"),
        ("inverse", cp_inverse, "The ratio is upside down: new over old,"),
        ("no_exp", cp_no_exp, "The exp is missing: the ratio of"),
        ("where_after", cp_where_after, "The values are right, but the gradient in"),
        ("index_after", cp_index_after, "The values are right, but the gradient in"),
        ("multiply", cp_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("upper_only", cp_upper_only, "The ratio is clipped above only. Clip it"),
        ("log_clip", cp_log_clip, "The *logarithm* of the ratio was clipped."),
        ("reciprocal", cp_reciprocal, "The lower bound is 1 / (1+ε) here. It is"),
        ("fixed_clip", cp_fixed_clip, "0.2 is the ε of the example. Use the"),
        ("all_cells", cp_all_cells, "The mean runs over padding too. Sum the"),
        ("min_of_ratios", cp_min_of_ratios, "The smaller is taken of the two *ratios*."),
        ("sum", cp_sum, "This is a sum. Take the mean over the"),
        ("sequence", cp_sequence, "This is the ratio of whole responses. Each"),
        ("prefix", cp_prefix, "The marks are taken to stand in front of"),
        ("half_gradient", cp_half_gradient, "The values are right; the clipped term has"),
        ("min_of_means", cp_min_of_means, "The two means are compared. Take the"),
        ("safe_exp", cp_safe_exp, "The difference of the log-probabilities was"),
        ("dual_clip", cp_dual_clip, "What a bad token may cost is bounded, as in"),
        ("whitens", cp_whitens, "The advantage was whitened here once more."),
        ("nonzero_mean", cp_nonzero_mean, "Tokens with an advantage of 0 are left out"),
        ("no_gradient", cp_item, "The values are right, but no gradient"),
        ("ends_mixed_up", cp_one_sided_by_sign, "This takes the larger of the two gains. The"),
        ("drops_clipped", cp_drops_clipped, "Tokens beyond the clip count 0. They count"),
        ("half_detached", cp_advantage_gradient_half, "The values are right, but a gradient flows"),
    ],
    "1.6": [
        ("no_cut", ad_no_cut, "The error is not cut off: one strange batch"),
        ("cut_ratio", ad_cut_ratio, "KL / target is cut off before the 1 is"),
        ("inverse", ad_inverse, "The error is relative to the KL, (KL -"),
        ("abs", ad_abs, "The KL lost its sign. An estimate may be"),
        ("upper_only", ad_upper_only, "The error is cut off above and not below."),
        ("lower_only", ad_lower_only, "The error is cut off below and not above."),
        ("sign", ad_sign, "β moves the wrong way: too much drift"),
        ("floor", ad_floor, "// divides to a whole number, here to 0."),
        ("floor_kl", ad_floor_kl, "// divides to a whole number. Use /."),
        ("additive", ad_additive, "The step was added to β. β is multiplied by"),
        ("cut_late", ad_cut_late, "e · n / horizon was cut off. Cut off e"),
        ("exponential", ad_exponential, "This takes the exponential. The factor is 1"),
        ("floor_beta", ad_floor_beta, "β was kept between two bounds, or above"),
        ("two_digits", ad_two_digits, ""),
        ("doubling", ad_doubling, "This is another rule, which doubles or"),
        ("skips_non_positive", ad_skips_negative, "For a KL of 0 or less, β stayed as it was."),
        ("skips_negative", ad_skips_strictly_negative, "For a negative KL, β stayed as it was. An"),
        ("difference", ad_difference, "The error is relative: divide by the"),
        ("swapped", ad_swapped, "The fraction is upside down: n / horizon."),
        ("no_n", ad_no_n, "n is missing: the more responses a step"),
        ("smoothed", ad_smoothed, ""),
        ("tensor", ad_tensor, "It returned a tensor of floats; the next"),
        ("not_negative", ad_not_negative, "β was kept from becoming negative. The"),
        ("fixed_target", ad_fixed_target, "6 is the target of the example. Use the"),
        ("fixed_horizon", ad_fixed_horizon, "10000 is the horizon of the example. Use"),
        ("min_max_swapped", ad_min_max_swapped, "The error is -0.2 in every case. Either max"),
        ("share_of_step", ad_share_of_step, "n / horizon was cut off at 1. Only e is cut"),
        ("percent", ad_percent, "Brackets: n / horizon multiplies e alone, β"),
    ],
    "1.7": [
        ("min", cv_min, "The smaller error was taken. Take the"),
        ("no_half", cv_no_half, "The factor ½ is missing. It makes the"),
        ("no_clip", cv_no_clip, "The clip never bites: this is the error of"),
        ("clipped_only", cv_clipped_only, "Only the clipped error is left. Then a"),
        ("around_target", cv_around_target, "The clip never bites: this is the error of"),
        ("around_zero", cv_around_zero, "The value is clipped to ±c. It moves about"),
        ("old_gradient", cv_old_gradient, "The values are right, but a gradient flows"),
        ("target_gradient", cv_target_gradient, "The values are right, but a gradient flows"),
        ("where_after", cv_where_after, "The values are right, but the gradient in"),
        ("multiply", cv_multiply, "Multiplying by the mask is not enough: 0 ·"),
        ("all_cells", cv_all_cells, "The mean runs over padding too. Sum the"),
        ("row_means", cv_row_means, "This is a mean of the rows' means: a token"),
        ("absolute", cv_absolute, "The errors are not squared."),
        ("max_of_means", cv_max_of_means, "The two means are compared. Take the larger"),
        ("ratio_clip", cv_ratio_clip, "V was kept within a share of the old value,"),
        ("upper_only", cv_upper_only, "The value is clipped above only. Clip it"),
        ("half_gradient", cv_half_gradient, "The values are right; the clipped error has"),
        ("no_gradient", cv_no_gradient, "The values are right, but no gradient"),
        ("fixed_clip", cv_fixed_clip, "0.2 is the c of the example. Use the"),
        ("prefix", cv_prefix, "The marks are taken to stand in front of"),
        ("signed_max", cv_signed_max, "The larger is taken before squaring, so"),
        ("sum", cv_sum, "This is a sum. Take the mean over the"),
        ("clips_old", cv_clips_old, "The old value was clipped around V. Clip V"),
        ("huber", cv_huber, "This is the smooth L1 (Huber) loss, which"),
        ("rms", cv_rms, "A root was taken of the mean. Half of the"),
        ("straight_through", cv_clipped_without_gradient_reset, "The values are right, but where V is"),
        ("writes", cv_writes, "The result is right, but your function"),
    ],
}
RIGHT = {
    "1.1": [rm_right_cumprod, rm_right_lists, rm_right_positions],
    "1.2": [tr_right_one_hot, tr_right_next, tr_right_loop],
    "1.3": [ga_right_matrix, ga_right_rows],
    "1.4": [wh_right_scatter, wh_right_two_pass, wh_right_statistics, wh_epsilon, wh_small_left_alone],
    "1.5": [cp_right_bound, cp_right_by_sign, cp_right_loop],
    "1.6": [ad_right_median, ad_right_branches, ad_right_numpy],
    "1.7": [cv_right_amax, cv_right_loop, cv_right_where],
}
