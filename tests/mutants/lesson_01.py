"""Wrong answers to lesson 01 as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape and agrees with the worked example of the text, so only the checks can tell.
"""

import torch


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


MUTANTS = {
    "1.1": [("padding_is_zero", padding_is_zero, "by token 0"), ("up_to_the_last_eos", up_to_the_last_eos, "last EOS"),
            ("argmax_of_nothing", argmax_of_nothing, "argmax")],
    "1.2": [("score_in_the_last_column", score_in_the_last_column, "last column, where shorter"),
            ("padding_is_priced", padding_is_priced, "mask is not used"),
            ("the_first_score", the_first_score, "first one's score"),
            ("reward_times_the_mask", reward_times_the_mask, "Multiplying by the mask")],
    "1.3": [("gae_over_padding", gae_over_padding, "leaked into real tokens"),
            ("gae_without_gamma_in_delta", gae_without_gamma_in_delta, "missing in δ"),
            ("gae_with_lambda_alone", gae_with_lambda_alone, "λ alone")],
    "1.4": [("whiten_each_response", whiten_each_response, "by itself"),
            ("whiten_padding_too", whiten_padding_too, "took part"),
            ("whiten_and_leave_padding", whiten_and_leave_padding, "must become 0")],
    "1.5": [("never_clips", never_clips, "never bites"), ("the_larger", the_larger, "larger of the two"),
            ("only_the_clipped", only_the_clipped, "Only the clipped"),
            ("mean_over_padding", mean_over_padding, "runs over padding"),
            ("gradient_into_the_advantage", gradient_into_the_advantage, "into the advantage")],
    "1.6": [("never_cut_off", never_cut_off, "not cut off"), ("cut_off_above", cut_off_above, "above and not below"),
            ("cut_off_below", cut_off_below, "below and not above"), ("cut_off_too_soon", cut_off_too_soon, "±0.1")],
}
