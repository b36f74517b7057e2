"""A third set of answers to lesson 01, made up from the notebook alone: see `lesson_01.py`."""

import numpy as np
import torch


# ---------------------------------------------------------------- 1.1 wrong
def mask_eos_itself_left_out(ids, eos):
    return (ids == eos).long().cumsum(-1) == 0


def mask_everything_that_not_eos(ids, eos):
    return ids != eos


def mask_up_last_eos(ids, eos):
    is_eos = (ids == eos).long()
    return is_eos.flip(-1).cumsum(-1).flip(-1) > 0


def mask_rows_without_eos_dropped(ids, eos):
    is_eos = (ids == eos).long()
    return ((is_eos.cumsum(-1) - is_eos) == 0) & is_eos.any(-1, keepdim=True)


def mask_not_eos_one_more_second(ids, eos):
    before = torch.roll(ids == eos, 1, dims=-1)
    before[:, 0] = False
    return ~before


def mask_integers(ids, eos):
    is_eos = (ids == eos).long()
    return ((is_eos.cumsum(-1) - is_eos) == 0).long()


def mask_overwrites_ids(ids, eos):
    ids.copy_((ids == eos).long())
    return (ids.cumsum(-1) - ids) == 0


# ---------------------------------------------------------------- 1.1 right
def mask_loops_over_python_lists(ids, eos):
    out = []
    for row in ids.tolist():
        end = row.index(eos) + 1 if eos in row else len(row)
        out.append([t < end for t in range(len(row))])
    return torch.tensor(out)


def mask_cumprod_shifted(ids, eos):
    going = torch.ones_like(ids)
    going[:, 1:] = (ids[:, :-1] != eos).long().cumprod(-1)
    return going.bool()


def mask_cummax(ids, eos):
    seen = torch.nn.functional.pad((ids == eos).long(), (1, 0))[:, :-1]
    return ~seen.cummax(-1).values.bool()


# ---------------------------------------------------------------- 1.2 wrong
def reward_score_on_every_token(logprob, ref_logprob, score, mask, beta):
    return torch.where(mask, score[:, None] - beta * (logprob - ref_logprob), 0.0)


def reward_score_replaces_penalty_on_last(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] = score
    return reward


def reward_one_token_behind_off_one(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1).clamp(max=mask.shape[1] - 1)] += score
    return reward


def reward_every_row_s_score_on(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, mask.sum(-1) - 1] += score
    return reward


def reward_score_charged_beta_too(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -(logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score
    return beta * reward


def reward_penalty_averaged_over_response_s(logprob, ref_logprob, score, mask, beta):
    n = mask.sum(-1)
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0) / n[:, None]
    reward[torch.arange(len(score)), n - 1] += score
    return reward


def reward_negative_scores_dropped(logprob, ref_logprob, score, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(-1) - 1] += score.clamp(min=0)
    return reward


# ---------------------------------------------------------------- 1.2 right
def reward_one_hot_last_place_flipped(logprob, ref_logprob, score, mask, beta):
    last = mask & (mask.long().flip(-1).cumsum(-1).flip(-1) == 1)
    return torch.where(mask, beta * (ref_logprob - logprob), 0.0) + torch.where(last, score[:, None], 0.0)


def reward_loops(logprob, ref_logprob, score, mask, beta):
    out = torch.zeros_like(logprob)
    for b in range(len(score)):
        n = int(mask[b].sum())
        for t in range(n):
            out[b, t] = beta * (ref_logprob[b, t] - logprob[b, t]) + (score[b] if t == n - 1 else 0)
    return out


def reward_scatter_add_float64(logprob, ref_logprob, score, mask, beta):
    gap = (logprob.double() - ref_logprob.double()).masked_fill(~mask, 0.0)
    return (-beta * gap).scatter_add(1, (mask.sum(-1) - 1)[:, None], score.double()[:, None])


# ---------------------------------------------------------------- 1.3 wrong
def gae_no_lambda_recursion(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, nv, na = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        na = reward[:, t] + gamma * nv - value[:, t] + gamma * na
        out[:, t], nv = na, value[:, t]
    return out


def gae_forwards(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    nv = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)
    delta = reward + gamma * nv - value
    out, na = torch.zeros_like(reward), 0.0
    for t in range(reward.shape[1]):
        na = delta[:, t] + gamma * lam * na
        out[:, t] = na
    return torch.where(mask, out, 0.0)


def gae_only_delta(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    nv = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)
    return reward + gamma * nv - value


def gae_returns_target_advantage_plus_value(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, nv, na = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        na = reward[:, t] + gamma * nv - value[:, t] + gamma * lam * na
        out[:, t], nv = na, value[:, t]
    return out + value


def gae_value_wraps_round_roll(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    delta = reward + gamma * value.roll(-1, 1) - value
    out, na = torch.zeros_like(reward), 0.0
    for t in reversed(range(reward.shape[1])):
        na = delta[:, t] + gamma * lam * na
        out[:, t] = na
    return out


def gae_lambda_gamma_swapped(reward, value, mask, gamma, lam):
    gamma, lam = lam, gamma
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    out, nv, na = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        na = reward[:, t] + gamma * nv - value[:, t] + gamma * lam * na
        out[:, t], nv = na, value[:, t]
    return out


def gae_cleans_padding_place(reward, value, mask, gamma, lam):
    reward[~mask] = 0.0
    value[~mask] = 0.0
    out, nv, na = torch.zeros_like(reward), 0.0, 0.0
    for t in reversed(range(reward.shape[1])):
        na = reward[:, t] + gamma * nv - value[:, t] + gamma * lam * na
        out[:, t], nv = na, value[:, t]
    return out


# ---------------------------------------------------------------- 1.3 right
def gae_matrix_discounts(reward, value, mask, gamma, lam):
    reward, value = reward.masked_fill(~mask, 0.0), value.masked_fill(~mask, 0.0)
    T = reward.shape[1]
    delta = reward - value
    delta[:, :-1] += gamma * value[:, 1:]
    table = torch.tensor([[(gamma * lam) ** (s - t) if s >= t else 0.0 for s in range(T)] for t in range(T)],
                         dtype=reward.dtype)
    return torch.einsum("ts,bs->bt", table, delta)


def gae_row_row_python_floats(reward, value, mask, gamma, lam):
    out = torch.zeros_like(reward)
    for b in range(len(reward)):
        ahead, behind = 0.0, 0.0
        for t in range(int(mask[b].sum()) - 1, -1, -1):
            r, v = reward[b, t].item(), value[b, t].item()
            ahead = r + gamma * behind - v + gamma * lam * ahead
            out[b, t], behind = ahead, v
    return out


def gae_lambda_return_minus_value_recursively(reward, value, mask, gamma, lam):
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    def returns(t):
        if t == reward.shape[1]:
            return []
        rest = returns(t + 1)
        after, v = (rest[0], value[:, t + 1]) if rest else (0.0, 0.0)
        return [reward[:, t] + gamma * ((1 - lam) * v + lam * after), *rest]
    return torch.stack(returns(0), 1) - value


# ---------------------------------------------------------------- 1.4 wrong
def whiten_divides_variance(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / marked.var(), 0.0)


def whiten_flat_result(advantage, mask):
    marked = advantage[mask]
    return (marked - marked.mean()) / marked.std()


def whiten_epsilon_1e_2(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / (marked.std() + 1e-2), 0.0)


def whiten_eps_inside_variance_1e_4(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / (marked.var() + 1e-4).sqrt(), 0.0)


def whiten_min_max(advantage, mask):
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.min()) / (marked.max() - marked.min()), 0.0)


def whiten_padding_minus_mean(advantage, mask):
    marked = advantage[mask]
    return (torch.where(mask, advantage, 0.0) - marked.mean()) / marked.std()


def whiten_takes_first_n_columns_as(advantage, mask):
    n = mask.sum(-1)
    first = torch.arange(mask.shape[1]) < n[:, None]
    marked = advantage[first]
    return torch.where(mask, (advantage - marked.mean()) / marked.std(), 0.0)


# ---------------------------------------------------------------- 1.4 right
def whiten_sums_squares_around_mean_float64(advantage, mask):
    a = advantage.double().masked_fill(~mask, 0.0)
    n = mask.sum()
    centred = (a - a.sum() / n) * mask
    return centred / (centred.square().sum() / (n - 1) + 1e-8).sqrt()


def whiten_numpy(advantage, mask):
    a, m = advantage.detach().numpy().astype(float), mask.numpy()
    out = np.zeros_like(a)
    out[m] = (a[m] - a[m].mean()) / a[m].std(ddof=1)
    return torch.from_numpy(out)


def whiten_index_put_on_zeros(advantage, mask):
    var, mean = torch.var_mean(advantage[mask])
    return torch.zeros_like(advantage).masked_scatter(mask, (advantage[mask] - mean) * var.rsqrt())


# ---------------------------------------------------------------- 1.5 wrong
def policy_sign(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_no_exp(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = 1 + logprob[mask] - old_logprob[mask]
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_new_log_probability_detached_instead(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = (logprob[mask].detach() - old_logprob[mask]).exp()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_where_behind_exp_nan_gradient(logprob, old_logprob, advantage, mask, clip):
    ratio = (logprob - old_logprob).exp()
    gain = torch.minimum(ratio * advantage.detach(), ratio.clamp(1 - clip, 1 + clip) * advantage.detach())
    return -torch.where(mask, gain, 0.0).sum() / mask.sum()


def policy_clip_fixed_0_2(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()


def policy_gradient_into_advantage(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask]
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a).mean()


def policy_clipped_value_unclipped_gradient_straight(logprob, old_logprob, advantage, mask, clip):
    a = advantage[mask].detach()
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    cut = ratio + (ratio.clamp(1 - clip, 1 + clip) - ratio).detach()
    return -torch.minimum(ratio * a, cut * a).mean()


# ---------------------------------------------------------------- 1.5 right
def policy_sign_advantage(logprob, old_logprob, advantage, mask, clip):
    a = advantage.detach()[mask]
    ratio = torch.exp(logprob[mask] - old_logprob[mask])
    cut = torch.where(a >= 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -(cut * a).sum() / len(a)


def policy_as_maximum_losses(logprob, old_logprob, advantage, mask, clip):
    now, o, a = (torch.masked_select(x, mask) for x in (logprob, old_logprob, advantage.detach()))
    ratio = (now - o).exp()
    return torch.stack([-ratio * a, -a * torch.clip(ratio, 1 - clip, 1 + clip)]).amax(0).mean()


def policy_loop_over_tokens(logprob, old_logprob, advantage, mask, clip):
    losses = []
    for b, t in mask.nonzero().tolist():
        ratio = (logprob[b, t] - old_logprob[b, t]).exp()
        a = advantage[b, t].item()
        losses.append(-min(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a))
    return sum(losses) / len(losses)


# ---------------------------------------------------------------- 1.6 wrong
def adapt_cuts_beta_off(beta, kl, target, n, horizon):
    return max(-0.2, min(0.2, beta * (1 + (kl / target - 1) * n / horizon)))


def adapt_cut_after_product(beta, kl, target, n, horizon):
    return beta * (1 + max(-0.2, min(0.2, (kl / target - 1) * n / horizon)))


def adapt_error_upside_down(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, 1 - kl / target))
    return beta * (1 + e * n / horizon)


def adapt_target_over_kl(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, target / kl - 1)) if kl else 0.2
    return beta * (1 - e * n / horizon)


def adapt_absolute_difference_not_relative(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl - target))
    return beta * (1 + e * n / horizon)


def adapt_negative_kl_taken_as_0(beta, kl, target, n, horizon):
    if kl <= 0:
        return beta
    e = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + e * n / horizon)


def adapt_rounded(beta, kl, target, n, horizon):
    e = max(-0.2, min(0.2, kl / target - 1))
    return round(beta * (1 + e * n / horizon), 4)


# ---------------------------------------------------------------- 1.6 right
def adapt_sorted_middle(beta, kl, target, n, horizon):
    e = sorted([-0.2, (kl - target) / target, 0.2])[1]
    return beta + beta * e * n / horizon


def adapt_numpy_clip(beta, kl, target, n, horizon):
    return float(beta * (1 + np.clip(kl / target - 1, -0.2, 0.2) * n / horizon))


def adapt_branches(beta, kl, target, n, horizon):
    ratio = kl / target
    if ratio > 1.2:
        e = 0.2
    elif ratio < 0.8:
        e = -0.2
    else:
        e = ratio - 1
    return beta * (horizon + e * n) / horizon


# ---------------------------------------------------------------- 1.7 wrong
def value_minimum(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, o - clip, o + clip)
    return 0.5 * torch.minimum((v - r).square(), (near - r).square()).mean()


def value_no_half(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, o - clip, o + clip)
    return torch.maximum((v - r).square(), (near - r).square()).mean()


def value_clip_as_ppo_value_1(value, old_value, target, mask, clip):
    v, r = value[mask], target[mask].detach()
    near = v.clamp(1 - clip, 1 + clip)
    return 0.5 * torch.maximum((v - r).square(), (near - r).square()).mean()


def value_clip_relative_old_value(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, torch.minimum(o * (1 - clip), o * (1 + clip)), torch.maximum(o * (1 - clip), o * (1 + clip)))
    return 0.5 * torch.maximum((v - r).square(), (near - r).square()).mean()


def value_absolute_error(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.clamp(v, o - clip, o + clip)
    return 0.5 * torch.maximum((v - r).abs(), (near - r).abs()).mean()


def value_gradient_into_old_value_target(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask], target[mask]
    near = torch.clamp(v, o - clip, o + clip)
    return 0.5 * torch.maximum((v - r).square(), (near - r).square()).mean()


def value_masked_after_squares(value, old_value, target, mask, clip):
    near = torch.clamp(value, old_value.detach() - clip, old_value.detach() + clip)
    worse = torch.maximum((value - target.detach()).square(), (near - target.detach()).square())
    return 0.5 * torch.where(mask, worse, 0.0).sum() / mask.sum()


# ---------------------------------------------------------------- 1.7 right
def value_old_plus_clipped_change(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = o + (v - o).clamp(-clip, clip)
    return torch.maximum((v - r) ** 2, (near - r) ** 2).sum() / (2 * mask.sum())


def value_larger_absolute_error_squared(value, old_value, target, mask, clip):
    v, o, r = value[mask], old_value[mask].detach(), target[mask].detach()
    near = torch.max(torch.min(v, o + clip), o - clip)
    return torch.where((v - r).abs() >= (near - r).abs(), v - r, near - r).square().mean().div(2)


def value_cleaned_before_then_weighted(value, old_value, target, mask, clip):
    v = value.masked_fill(~mask, 0.0)
    with torch.no_grad():
        o, r = old_value.masked_fill(~mask, 0.0), target.masked_fill(~mask, 0.0)
    near = torch.clamp(v, o - clip, o + clip)
    worse = torch.maximum((v - r).square(), (near - r).square())
    return 0.5 * (worse * mask).sum() / mask.sum()


MUTANTS = {
    "1.1": [
        ("mask_eos_itself_left_out", mask_eos_itself_left_out, "The EOS itself is missing. Stopping is an action:"),
        ("mask_everything_that_not_eos", mask_everything_that_not_eos,
         "Every EOS is left out, and what stands behind the"),
        ("mask_up_last_eos", mask_up_last_eos, "This runs to the last EOS of a row, and a row without"),
        ("mask_rows_without_eos_dropped", mask_rows_without_eos_dropped,
         "A row without EOS got no mark at all. Such a response"),
        ("mask_not_eos_one_more_second", mask_not_eos_one_more_second,
         "Only the token right behind an EOS is left out. All"),
        ("mask_integers", mask_integers, "It returned a tensor of integers; the next cell needs"),
        ("mask_overwrites_ids", mask_overwrites_ids, "The result is right, but your function writes into its"),
    ],
    "1.2": [
        ("reward_score_on_every_token", reward_score_on_every_token,
         "Every token got the score. It comes once, on the last"),
        ("reward_score_replaces_penalty_on_last", reward_score_replaces_penalty_on_last,
         "The score replaced the penalty of the last token. Both"),
        ("reward_one_token_behind_off_one", reward_one_token_behind_off_one,
         "The score stands one place too far. The last of n"),
        ("reward_every_row_s_score_on", reward_every_row_s_score_on,
         "`reward[:, last]` means these columns in *every* row."),
        ("reward_score_charged_beta_too", reward_score_charged_beta_too,
         "The score was multiplied by β, too. β weighs the drift"),
        ("reward_penalty_averaged_over_response_s", reward_penalty_averaged_over_response_s,
         "The penalty was divided by the length of the response."),
        ("reward_negative_scores_dropped", reward_negative_scores_dropped,
         "The score was changed before it counts. Take it as it"),
    ],
    "1.3": [
        ("gae_no_lambda_recursion", gae_no_lambda_recursion, "λ is not used: this is the return minus the value."),
        ("gae_forwards", gae_forwards, "This goes from the first token to the last, so that"),
        ("gae_only_delta", gae_only_delta, "Only δ of the token itself is there. Add γλ times the"),
        ("gae_returns_target_advantage_plus_value", gae_returns_target_advantage_plus_value,
         "V was added: these are the returns, which the critic"),
        ("gae_value_wraps_round_roll", gae_value_wraps_round_roll,
         "roll() brings the first value round behind the last"),
        ("gae_lambda_gamma_swapped", gae_lambda_gamma_swapped, "γ and λ are exchanged: δ has γ alone."),
        ("gae_cleans_padding_place", gae_cleans_padding_place,
         "The result is right, but your function writes into its"),
    ],
    "1.4": [
        ("whiten_divides_variance", whiten_divides_variance, "This divides by the variance. Divide by its root, the"),
        ("whiten_flat_result", whiten_flat_result, "Only the marked tokens came back, in one row. Keep the"),
        ("whiten_epsilon_1e_2", whiten_epsilon_1e_2, "The deviation has a floor, or something large was"),
        ("whiten_eps_inside_variance_1e_4", whiten_eps_inside_variance_1e_4,
         "The deviation has a floor, or something large was"),
        ("whiten_min_max", whiten_min_max, "This scales by the largest numbers. Whitening divides"),
        ("whiten_padding_minus_mean", whiten_padding_minus_mean,
         "Padding was set to 0 *before* the mean was subtracted,"),
        ("whiten_takes_first_n_columns_as", whiten_takes_first_n_columns_as,
         "The marks are taken to stand in front of each row."),
    ],
    "1.5": [
        ("policy_sign", policy_sign, "The minus is missing: it is a loss, to be minimised."),
        ("policy_no_exp", policy_no_exp, "The exp is missing: the ratio of probabilities is"),
        ("policy_new_log_probability_detached_instead", policy_new_log_probability_detached_instead,
         "The values are right, but no gradient reaches the"),
        ("policy_where_behind_exp_nan_gradient", policy_where_behind_exp_nan_gradient,
         "The values are right, but the gradient in `logprob` is"),
        ("policy_clip_fixed_0_2", policy_clip_fixed_0_2, "0.2 is the ε of the example. Use the argument `clip`."),
        ("policy_gradient_into_advantage", policy_gradient_into_advantage,
         "The values are right, but a gradient flows into the"),
        ("policy_clipped_value_unclipped_gradient_straight", policy_clipped_value_unclipped_gradient_straight,
         "The value is right, but the gradient goes on beyond"),
    ],
    "1.6": [
        ("adapt_cuts_beta_off", adapt_cuts_beta_off, "β itself was cut off. Cut off the error e."),
        ("adapt_cut_after_product", adapt_cut_after_product, "e · n / horizon was cut off. Cut off e itself, before"),
        ("adapt_error_upside_down", adapt_error_upside_down, "β moves the wrong way: too much drift raises it, 1 + e"),
        ("adapt_target_over_kl", adapt_target_over_kl, "The error is relative to the KL, (KL - target) / KL."),
        ("adapt_absolute_difference_not_relative", adapt_absolute_difference_not_relative,
         "The error is relative: divide by the target, e = KL /"),
        ("adapt_negative_kl_taken_as_0", adapt_negative_kl_taken_as_0,
         "For a KL of 0 or less, β stayed as it was. It is far"),
        ("adapt_rounded", adapt_rounded, "The result was rounded. β changes by little at a time,"),
    ],
    "1.7": [
        ("value_minimum", value_minimum, "The smaller error was taken. Take the larger: leaving"),
        ("value_no_half", value_no_half, "The factor ½ is missing. It makes the gradient V - R."),
        ("value_clip_as_ppo_value_1", value_clip_as_ppo_value_1, "The value is clipped about 1, as the ratio is. It"),
        ("value_clip_relative_old_value", value_clip_relative_old_value,
         "V was kept within a share of the old value, as the"),
        ("value_absolute_error", value_absolute_error, "The errors are not squared."),
        ("value_gradient_into_old_value_target", value_gradient_into_old_value_target,
         "The values are right, but a gradient flows into"),
        ("value_masked_after_squares", value_masked_after_squares,
         "The values are right, but the gradient in `value` is"),
    ],
}

RIGHT = {
    "1.1": [mask_loops_over_python_lists, mask_cumprod_shifted, mask_cummax],
    "1.2": [reward_one_hot_last_place_flipped, reward_loops, reward_scatter_add_float64],
    "1.3": [gae_matrix_discounts, gae_row_row_python_floats, gae_lambda_return_minus_value_recursively],
    "1.4": [whiten_sums_squares_around_mean_float64, whiten_numpy, whiten_index_put_on_zeros],
    "1.5": [policy_sign_advantage, policy_as_maximum_losses, policy_loop_over_tokens],
    "1.6": [adapt_sorted_middle, adapt_numpy_clip, adapt_branches],
    "1.7": [value_old_plus_clipped_change, value_larger_absolute_error_squared, value_cleaned_before_then_weighted],
}
