"""A second set of answers to lesson 05a, made up before looking at the checks again: see `lesson_05a.py`."""

import math
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5a.1 wrong
def sort_held_out_apart(user, start, most, shared, held_out):
    """Copies are looked for on each side by itself."""
    seen, many, out = {1: set(), 2: set()}, Counter(), []
    for who, row in zip(user, start.tolist(), strict=True):
        side = 2 if who in held_out else 1
        key = tuple(row[:shared])
        if key in seen[side] or many[who] >= most:
            out.append(0)
        else:
            seen[side].add(key)
            many[who] += 1
            out.append(side)
    return torch.tensor(out)


def sort_held_out_without_limit(user, start, most, shared, held_out):
    seen, many, out = set(), Counter(), []
    for who, row in zip(user, start.tolist(), strict=True):
        key = tuple(row[:shared])
        if key in seen or (who not in held_out and many[who] >= most):
            out.append(0)
        else:
            seen.add(key)
            many[who] += 1
            out.append(2 if who in held_out else 1)
    return torch.tensor(out)


def sort_neighbours_only(user, start, most, shared, held_out):
    """A copy is what begins like the prompt right before it."""
    many, out, last = Counter(), [], None
    for who, row in zip(user, start.tolist(), strict=True):
        key = row[:shared]
        if key == last or many[who] >= most:
            out.append(0)
        else:
            many[who] += 1
            out.append(2 if who in held_out else 1)
        last = key
    return torch.tensor(out)


def sort_limit_first(user, start, most, shared, held_out):
    """The limit counts all; afterwards copies go out."""
    many, seen, out = Counter(), set(), []
    for who, row in zip(user, start.tolist(), strict=True):
        many[who] += 1
        key = tuple(row[:shared])
        fresh = key not in seen
        seen.add(key)
        out.append(0 if many[who] > most or not fresh else 2 if who in held_out else 1)
    return torch.tensor(out)


def sort_overlap(user, start, most, shared, held_out):
    """Alike is who has `shared` equal tokens anywhere."""
    kept, many, out = [], Counter(), []
    for who, row in zip(user, start, strict=True):
        copy = any(int((row == other).sum()) >= shared for other in kept)
        if copy or many[who] >= most:
            out.append(0)
        else:
            kept.append(row)
            many[who] += 1
            out.append(2 if who in held_out else 1)
    return torch.tensor(out)


def sort_any_token(user, start, most, shared, held_out):
    kept, many, out = [], Counter(), []
    for who, row in zip(user, start, strict=True):
        copy = any((row[:shared] == other[:shared]).any() for other in kept)
        if copy or many[who] >= most:
            out.append(0)
        else:
            kept.append(row)
            many[who] += 1
            out.append(2 if who in held_out else 1)
    return torch.tensor(out)


def sort_as_list(user, start, most, shared, held_out):
    return sort_loop(user, start, most, shared, held_out).tolist()


def sort_places(user, start, most, shared, held_out):
    return sort_loop(user, start, most, shared, held_out).nonzero()[:, 0]


def sort_two_masks(user, start, most, shared, held_out):
    found = sort_loop(user, start, most, shared, held_out)
    return found == 1, found == 2


# ---------------------------------------------------------------- 5a.1 right
def sort_loop(user, start, most, shared, held_out):
    out = [0] * len(user)
    for i in range(len(user)):
        before = [j for j in range(i) if out[j]]
        copy = any(torch.equal(start[i, :shared], start[j, :shared]) for j in before)
        full = sum(user[j] == user[i] for j in before) >= most
        if not copy and not full:
            out[i] = 1 + (user[i] in held_out)
    return torch.tensor(out)


# ---------------------------------------------------------------- 5a.2 wrong
def lead(helpful, safe):
    return helpful[:, 0] - helpful[:, 1], safe[:, 0] - safe[:, 1]


def named(points):
    """0 where positive, 1 where negative, -1 where 0."""
    return torch.where(points > 0, 0, torch.where(points < 0, 1, -1))


def right_choice(helpful, safe, high_stakes):
    more, safer = lead(helpful, safe)
    excused = (more.abs() >= 3) & (more.sign() * safer >= -1) & ~high_stakes
    return (named(torch.where(more == 0, safer, more)),
            torch.where(excused, named(more), named(torch.where(safer == 0, more, safer))))


def choice_signs_turned(helpful, safe, high_stakes):
    return tuple(named(-points) for points in (torch.where(lead(helpful, safe)[0] == 0, lead(helpful, safe)[1],
                                                           lead(helpful, safe)[0]), lead(helpful, safe)[1]))


def choice_exception_by_absolute(helpful, safe, high_stakes):
    """At most one point apart in safety, either way: whoever is much more helpful *and* safer wins anyway."""
    more, safer = lead(helpful, safe)
    excused = (more.abs() >= 3) & (safer.abs() <= 1) & ~high_stakes
    return (named(torch.where(more == 0, safer, more)),
            torch.where(excused, named(more), named(torch.where(safer == 0, more, safer))))


def choice_two_points(helpful, safe, high_stakes):
    more, safer = lead(helpful, safe)
    excused = (more.abs() >= 2) & (more.sign() * safer >= -1) & ~high_stakes
    return (named(torch.where(more == 0, safer, more)),
            torch.where(excused, named(more), named(torch.where(safer == 0, more, safer))))


def choice_less_than_one(helpful, safe, high_stakes):
    more, safer = lead(helpful, safe)
    excused = (more.abs() >= 3) & (more.sign() * safer > -1) & ~high_stakes
    return (named(torch.where(more == 0, safer, more)),
            torch.where(excused, named(more), named(torch.where(safer == 0, more, safer))))


def choice_stakes_in_training(helpful, safe, high_stakes):
    """Where much is at stake, safety comes first in training, too."""
    more, safer = lead(helpful, safe)
    training, evaluation = right_choice(helpful, safe, high_stakes)
    return torch.where(high_stakes, named(torch.where(safer == 0, more, safer)), training), evaluation


def choice_exception_is_a_tie(helpful, safe, high_stakes):
    more, safer = lead(helpful, safe)
    training, evaluation = right_choice(helpful, safe, high_stakes)
    usual = named(torch.where(safer == 0, more, safer))
    return training, torch.where(usual != evaluation, -1, evaluation)


def choice_ties_are_two(helpful, safe, high_stakes):
    return tuple(torch.where(one < 0, 2, one) for one in right_choice(helpful, safe, high_stakes))


def choice_one_tensor(helpful, safe, high_stakes):
    return torch.stack(right_choice(helpful, safe, high_stakes))


def choice_booleans(helpful, safe, high_stakes):
    return tuple(one == 1 for one in right_choice(helpful, safe, high_stakes))


def choice_safe_ties_stay(helpful, safe, high_stakes):
    more, safer = lead(helpful, safe)
    excused = (more.abs() >= 3) & (more.sign() * safer >= -1) & ~high_stakes
    return named(torch.where(more == 0, safer, more)), torch.where(excused, named(more), named(safer))


# ---------------------------------------------------------------- 5a.3 wrong
def cost_right(rank):
    apart = rank.view(-1, 1) != rank.view(1, -1)
    uses = apart.long().sum(dim=1)
    return int((uses > 0).long().sum()), int(apart.sum()), uses


def cost_pairs_of_k(rank):
    together, _, uses = cost_right(rank)
    return together, len(rank) * (len(rank) - 1) // 2, uses


def cost_one_row_a_pair(rank):
    together, apart, uses = cost_right(rank)
    return together, apart // 2, uses


def cost_k_minus_one(rank):
    together, apart, _ = cost_right(rank)
    return together, apart, torch.full((len(rank),), len(rank) - 1)


def cost_distinct_ranks(rank):
    _, apart, uses = cost_right(rank)
    return len(set(rank.tolist())), apart, uses


def cost_only_losers(rank):
    together, apart, _ = cost_right(rank)
    return together, apart, (rank[:, None] > rank[None]).sum(1)


def cost_square(rank):
    """Everybody with everybody, both ways, oneself too."""
    together, _, uses = cost_right(rank)
    return together, len(rank) ** 2, uses


def cost_sums_to_pairs(rank):
    """Each pair is counted with one half in both."""
    together, apart, uses = cost_right(rank)
    return together, apart, uses / 2


def cost_two_results(rank):
    return cost_right(rank)[:2]


def cost_floats(rank):
    together, apart, uses = cost_right(rank)
    return together, apart, uses.float()


def cost_ties_once(rank):
    """Of tied responses only the first stands in pairs."""
    together, apart, uses = cost_right(rank)
    first = [rank.tolist().index(r) == i for i, r in enumerate(rank.tolist())]
    return together, apart, uses * torch.tensor(first)


# ---------------------------------------------------------------- 5a.4 wrong
def loss_right(score, rank):
    order = [(a, b) for a in range(len(rank)) for b in range(len(rank)) if int(rank[a]) < int(rank[b])]
    if not order:
        return (score * 0).sum()
    a, b = (torch.tensor(side) for side in zip(*order, strict=True))
    return -F.logsigmoid(score[a] - score[b]).mean()


def loss_larger_ranks_win(score, rank):
    return loss_right(score, -rank)


def loss_exponents_only(score, rank):
    """Mends the difference, but keeps pairs by list order and the division by K."""
    i, j = torch.combinations(torch.arange(len(rank)), 2).T
    return F.softplus(score[j] - score[i]).sum() / len(rank)


def loss_without_the_one(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    return (score[bad] - score[good]).mean() if len(good) else score.sum() * 0


def loss_of_the_mean_gap(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    return F.softplus((score[bad] - score[good]).mean()) if len(good) else score.sum() * 0


def loss_listwise(score, rank):
    """Plackett-Luce instead of pairs."""
    ordered = score[rank.argsort(stable=True)]
    return (torch.logcumsumexp(ordered.flip(0), 0).flip(0) - ordered).mean()


def loss_weighted_by_gap(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    if not len(good):
        return score.sum() * 0
    gap = (rank[bad] - rank[good]).to(score.dtype)
    return (gap * F.softplus(score[bad] - score[good])).sum() / gap.sum()


def loss_margin_of_one(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    return F.softplus(1 + score[bad] - score[good]).mean() if len(good) else score.sum() * 0


def loss_over_k_squared(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    return F.softplus(score[bad] - score[good]).sum() / len(rank) ** 2


def loss_matrix_mean(score, rank):
    """The mean over the whole table, the empty places as zeros."""
    better = rank[:, None] < rank[None]
    return torch.where(better, F.softplus(score[None] - score[:, None]), 0.0).mean()


def loss_nan_hidden(score, rank):
    good, bad = (rank[:, None] < rank[None]).nonzero(as_tuple=True)
    return torch.log(1 + torch.exp(score[bad] - score[good])).mean().nan_to_num(0.0, posinf=1e4)


def loss_ln2_for_ties(score, rank):
    return loss_right(score, rank) if len(rank.unique()) > 1 else math.log(2) + 0 * score.sum()


# ---------------------------------------------------------------- 5a.5 wrong
def checkpoint_right(loss, score):
    mean = score.mean(dim=1)
    one = min(range(len(loss)), key=lambda e: (loss[e].item(), e))
    two = max(range(len(loss)), key=lambda e: (mean[e].item(), -e))
    return one + 1, two + 1, (mean[two] - mean[one]).item()


def checkpoint_early_stopping(loss, score):
    """The first epoch after which the loss rises."""
    two = checkpoint_right(loss, score)[1]
    stop = next((e for e in range(len(loss) - 1) if loss[e + 1] > loss[e]), len(loss) - 1)
    mean = score.mean(1)
    return stop + 1, two, (mean[two - 1] - mean[stop]).item()


def checkpoint_of_gain(loss, score):
    """given_away against the first epoch."""
    one, two, _ = checkpoint_right(loss, score)
    return one, two, (score.mean(1)[two - 1] - score.mean(1)[0]).item()


def checkpoint_loss_and_score(loss, score):
    """by_score of score minus loss."""
    mean = score.mean(1)
    one, two = int(loss.argmin()), int((mean - loss).argmax())
    return one + 1, two + 1, (mean[two] - mean[one]).item()


def checkpoint_votes(loss, score):
    """The epoch that is best for most prompts."""
    mean, best = score.mean(1), score.argmax(0)
    one, two = int(loss.argmin()), int(best.bincount(minlength=len(loss)).argmax())
    return one + 1, two + 1, (mean[two] - mean[one]).item()


def checkpoint_absolute(loss, score):
    one, two, _ = checkpoint_right(loss, score)
    mean = score.mean(1)
    return one, two, mean[two - 1].abs().item() - mean[one - 1].abs().item()


def checkpoint_relative(loss, score):
    one, two, away = checkpoint_right(loss, score)
    return one, two, away / max(abs(score.mean(1)[two - 1].item()), 1e-9)


def checkpoint_rounded(loss, score):
    one, two, away = checkpoint_right(loss, score)
    return one, two, round(away, 1)


def checkpoint_two_numbers(loss, score):
    return checkpoint_right(loss, score)[:2]


def checkpoint_zero_away(loss, score):
    one, two, _ = checkpoint_right(loss, score)
    return one, two, 0.0


def checkpoint_worst_prompt(loss, score):
    mean = score.mean(1)
    one, two = int(loss.argmin()), int(score.min(1).values.argmax())
    return one + 1, two + 1, (mean[two] - mean[one]).item()


# ---------------------------------------------------------------- 5a.6 wrong
def reward_right(score, demonstration, logprob, ref_logprob, mask, beta):
    penalty = torch.where(mask, beta * (ref_logprob - logprob), torch.zeros_like(logprob))
    last = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
    return penalty + last * (score - demonstration.mean()).unsqueeze(1)


def reward_penalty_shifted(score, demonstration, logprob, ref_logprob, mask, beta):
    """The shift stands on every token."""
    return torch.where(mask, reward_right(score, 0 * demonstration, logprob, ref_logprob, mask, beta)
                       - demonstration.mean(), 0.0)


def reward_penalty_mean(score, demonstration, logprob, ref_logprob, mask, beta):
    """The penalty of a token is divided by the length."""
    length = mask.sum(1, keepdim=True)
    return reward_right(score, demonstration, logprob / length, ref_logprob / length, mask, beta)


def reward_k3(score, demonstration, logprob, ref_logprob, mask, beta):
    gap = torch.where(mask, ref_logprob - logprob, 0.0)
    penalty = torch.where(mask, -beta * (gap.exp() - 1 - gap), 0.0)
    return penalty + reward_right(score, demonstration, logprob, logprob, mask, 0.0).nan_to_num()


def reward_squared(score, demonstration, logprob, ref_logprob, mask, beta):
    gap = torch.where(mask, ref_logprob - logprob, 0.0)
    return reward_right(score, demonstration, torch.zeros_like(gap), torch.zeros_like(gap), mask, 0.0) - (
        beta * gap ** 2 / 2)


def reward_score_times_beta(score, demonstration, logprob, ref_logprob, mask, beta):
    return reward_right(beta * score, beta * demonstration, logprob, ref_logprob, mask, beta)


def reward_after_the_end(score, demonstration, logprob, ref_logprob, mask, beta):
    """On the place behind the last real token, where there is one."""
    reward = torch.where(mask, beta * (ref_logprob - logprob), 0.0)
    place = mask.sum(1).clamp(max=mask.shape[1] - 1)
    reward[torch.arange(len(score)), place] += score - demonstration.mean()
    return reward


def reward_clamped(score, demonstration, logprob, ref_logprob, mask, beta):
    return reward_right((score - demonstration.mean()).clamp(min=0), torch.zeros(1), logprob, ref_logprob, mask, beta)


def reward_no_last_penalty(score, demonstration, logprob, ref_logprob, mask, beta):
    found = reward_right(score, demonstration, logprob, ref_logprob, mask, beta)
    found[torch.arange(len(score)), mask.sum(1) - 1] = (score - demonstration.mean()).to(found.dtype)
    return found


def reward_to_go(score, demonstration, logprob, ref_logprob, mask, beta):
    return reward_right(score, demonstration, logprob, ref_logprob, mask, beta).flip(1).cumsum(1).flip(1) * mask


def reward_nan_to_zero(score, demonstration, logprob, ref_logprob, mask, beta):
    reward = (beta * (ref_logprob - logprob)).nan_to_num(0.0, 0.0, 0.0)
    reward[torch.arange(len(score)), mask.sum(1) - 1] += score - demonstration.mean()
    return reward


# ---------------------------------------------------------------- 5a.7 wrong
def ptx_right(ppo, pretraining, tokens, gamma):
    total, n = torch.zeros_like(ppo), 0
    for part, many in zip(pretraining, tokens.tolist(), strict=True):
        if many > 0:
            total, n = total + many * part, n + many
    return ppo + gamma * (total / n)


def ptx_times_parts(ppo, pretraining, tokens, gamma):
    return ppo + len(tokens) * gamma * (ptx_right(0 * ppo, pretraining, tokens, 1.0))


def ptx_norm(ppo, pretraining, tokens, gamma):
    """Both gradients are brought to the same length first."""
    other = ptx_right(0 * ppo, pretraining, tokens, 1.0)
    return ppo + gamma * other * ppo.norm() / other.norm().clamp(min=1e-9)


def ptx_first_part(ppo, pretraining, tokens, gamma):
    return ppo + gamma * pretraining[0]


def ptx_largest_part(ppo, pretraining, tokens, gamma):
    return ppo + gamma * pretraining[tokens.argmax()]


def ptx_gamma_divided(ppo, pretraining, tokens, gamma):
    return ppo + gamma / len(tokens) * ptx_right(0 * ppo, pretraining, tokens, 1.0)


def ptx_running_mean(ppo, pretraining, tokens, gamma):
    """The mean of the mean so far and the next part."""
    real = pretraining[tokens > 0]
    mean = real[0]
    for part in real[1:]:
        mean = (mean + part) / 2
    return ppo + gamma * mean


def ptx_harmonic(ppo, pretraining, tokens, gamma):
    """Weights the wrong way round: short parts count most."""
    weight = torch.where(tokens > 0, 1 / tokens.clamp(min=1), 0.0)
    return ppo + gamma * (weight[:, None] * pretraining.nan_to_num()).sum(0) / weight.sum()


def ptx_ppo_in_the_mean(ppo, pretraining, tokens, gamma):
    """PPO's gradient as one more part, of one token."""
    return (ppo + gamma * (tokens[:, None] * pretraining.nan_to_num()).sum(0)) / (1 + tokens.sum())


def ptx_one_number(ppo, pretraining, tokens, gamma):
    return ptx_right(ppo, pretraining, tokens, gamma).sum()


def ptx_fixed_gamma(ppo, pretraining, tokens, gamma):
    return ptx_right(ppo, pretraining, tokens, 27.8)


def ptx_one_token_at_least(ppo, pretraining, tokens, gamma):
    """A part without a token counts as one token of gradient 0."""
    n = tokens.clamp(min=1)
    return ppo + gamma * (n[:, None] * pretraining.nan_to_num()).sum(0) / n.sum()


# ---------------------------------------------------------------- 5a.8 wrong
def ema_right(start, weight, decay):
    average, left = start.clone(), 1.0
    for row in weight:
        average = average + (1 - decay) * (row - average)
        left = left * decay
    return average, left


def ema_half_life(start, weight, decay):
    average, _ = ema_right(start, weight, decay)
    return average, math.log(0.5) / math.log(decay) if 0 < decay < 1 else 0.0


def ema_last_without_start(start, weight, decay):
    """Starts again at each row."""
    average = start
    for row in weight:
        average = decay * start + (1 - decay) * row
    return average, decay ** len(weight)


def ema_adds_decay_twice(start, weight, decay):
    average = start
    for row in weight:
        average = decay * (average + (1 - decay) * row)
    return average, decay ** len(weight)


def ema_divided_by_n(start, weight, decay):
    average = start
    for n, row in enumerate(weight, 1):
        average = average + (row - average) / (n + 1)
    return average, decay ** len(weight)


def ema_one_row_less(start, weight, decay):
    average, _ = ema_right(start, weight[:-1], decay)
    return average, decay ** len(weight)


def ema_left_of_average(start, weight, decay):
    """The share as start over average."""
    average, left = ema_right(start, weight, decay)
    return average, left * start.sum().item()


def ema_left_percent(start, weight, decay):
    average, left = ema_right(start, weight, decay)
    return average, 100 * left


def ema_all_rows(start, weight, decay):
    rows = [start]
    for row in weight:
        rows.append(decay * rows[-1] + (1 - decay) * row)
    return torch.stack(rows[1:] or rows), decay ** len(weight)


def ema_fixed_decay(start, weight, decay):
    return ema_right(start, weight, 0.992)


def ema_warmed_up(start, weight, decay):
    """Decay that begins low, as some libraries do."""
    average = start
    for n, row in enumerate(weight):
        d = min(decay, (1 + n) / (10 + n))
        average = d * average + (1 - d) * row
    return average, decay ** len(weight)


def ema_numpy(start, weight, decay):
    average, left = ema_right(start, weight, decay)
    return average.numpy(), np.float64(left)


MUTANTS = {
    "5a.1": [("sort_held_out_apart", sort_held_out_apart, "Copies were looked for in training and"),
             ("sort_held_out_without_limit", sort_held_out_without_limit, "Held-out users may send any number."),
             ("sort_neighbours_only", sort_neighbours_only, "Each prompt was compared with the one"),
             ("sort_limit_first", sort_limit_first, "Copies use up a user's share: they count"),
             ("sort_overlap", sort_overlap, "`shared` equal tokens anywhere made a"),
             ("sort_any_token", sort_any_token, "One equal token made a copy. All of the"),
             ("sort_as_list", sort_as_list, "It returned a list; the next cell needs a"),
             ("sort_places", sort_places, "These are the places of what is kept."),
             ("sort_two_masks", sort_two_masks, "It returned a tuple; the next cell needs")],
    "5a.2": [("choice_signs_turned", choice_signs_turned, "The worse response is named each time,"),
             ("choice_two_points", choice_two_points, "Two points more helpful are not *much*:"),
             ("choice_less_than_one", choice_less_than_one, "The exception is missing: where little is"),
             ("choice_stakes_in_training", choice_stakes_in_training, "In training the stakes were looked at."),
             ("choice_exception_is_a_tie", choice_exception_is_a_tie, "The exception became a tie. There the"),
             ("choice_ties_are_two", choice_ties_are_two, "A tie is -1 here, not"),
             ("choice_one_tensor", choice_one_tensor, "return first, second"),
             ("choice_booleans", choice_booleans, "Where both are equal in everything the"),
             ("choice_safe_ties_stay", choice_safe_ties_stay, "In evaluation, of two equally safe ones")],
    "5a.3": [("cost_pairs_of_k", cost_pairs_of_k, "`apart` is K over 2. Ties make no pair,"),
             ("cost_one_row_a_pair", cost_one_row_a_pair, "`apart` is the number of pairs. Each pair"),
             ("cost_k_minus_one", cost_k_minus_one, "`uses` counts ties: each response was"),
             ("cost_distinct_ranks", cost_distinct_ranks, "Responses of equal rank were read once"),
             ("cost_only_losers", cost_only_losers, "`uses` counts only the pairs that a"),
             ("cost_square", cost_square, "`apart` counts everybody with everybody,"),
             ("cost_sums_to_pairs", cost_sums_to_pairs, "`uses` counts each pair with one half. A"),
             ("cost_two_results", cost_two_results, "You returned 2 values; expected"),
             ("cost_floats", cost_floats, "Of what it returned, number 3, `uses`, is"),
             ("cost_ties_once", cost_ties_once, "Of tied responses only the first has")],
    "5a.4": [("loss_larger_ranks_win", loss_larger_ranks_win, "The sign of the difference is wrong: this"),
             ("loss_exponents_only", loss_exponents_only, "The pairs follow the order of the list,"),
             ("loss_without_the_one", loss_without_the_one, "This is the mean of bad - good itself,"),
             ("loss_of_the_mean_gap", loss_of_the_mean_gap, "The mean of the differences was taken"),
             ("loss_listwise", loss_listwise, "This is a loss of whole lists (Plackett"),
             ("loss_weighted_by_gap", loss_weighted_by_gap, "Pairs that are further apart in rank"),
             ("loss_margin_of_one", loss_margin_of_one, "There is a margin of 1 in it. The"),
             ("loss_over_k_squared", loss_over_k_squared, "The mean runs over a table of K², most of"),
             ("loss_matrix_mean", loss_matrix_mean, "The mean runs over a table of K², most of"),
             ("loss_nan_hidden", loss_nan_hidden, "Right, but e^1000 is infinite: the loss"),
             ("loss_ln2_for_ties", loss_ln2_for_ties, "Without any pair ln 2 came out. Nothing")],
    "5a.5": [("checkpoint_early_stopping", checkpoint_early_stopping, "`by_loss` stopped where the loss first"),
             ("checkpoint_of_gain", checkpoint_of_gain, "`given_away` compares with the first"),
             ("checkpoint_loss_and_score", checkpoint_loss_and_score, "The loss had a say in `by_score`. The"),
             ("checkpoint_votes", checkpoint_votes, "The epoch that is best for most prompts"),
             ("checkpoint_absolute", checkpoint_absolute, "Absolute values were subtracted. Scores"),
             ("checkpoint_relative", checkpoint_relative, "`given_away` is a share of the best mean"),
             ("checkpoint_rounded", checkpoint_rounded, "`given_away` was rounded. Return it as it"),
             ("checkpoint_two_numbers", checkpoint_two_numbers, "You returned 2 values; expected"),
             ("checkpoint_zero_away", checkpoint_zero_away, "`given_away` is always 0: the same epoch"),
             ("checkpoint_worst_prompt", checkpoint_worst_prompt, "The epoch whose worst score is highest")],
    "5a.6": [("reward_penalty_shifted", reward_penalty_shifted, "The demonstrations' mean is taken off"),
             ("reward_penalty_mean", reward_penalty_mean, "The penalty is divided by the response's"),
             ("reward_k3", reward_k3, "This penalty is k3. In the reward stands"),
             ("reward_squared", reward_squared, "The difference was squared. In the reward"),
             ("reward_score_times_beta", reward_score_times_beta, "β multiplies the score, too. It is the"),
             ("reward_after_the_end", reward_after_the_end, "The score stands one place behind the"),
             ("reward_clamped", reward_clamped, "Negative scores were cut off. Below 0"),
             ("reward_no_last_penalty", reward_no_last_penalty, "On the last token the score takes the"),
             ("reward_to_go", reward_to_go, "These are sums up to the end of the"),
             ("reward_nan_to_zero", reward_nan_to_zero, "The padding gets a reward, too. It is 0")],
    "5a.7": [("ptx_times_parts", ptx_times_parts, "The mean is multiplied by the number of"),
             ("ptx_norm", ptx_norm, "The gradients were brought to one length."),
             ("ptx_first_part", ptx_first_part, "Only the first part counts. Accumulate"),
             ("ptx_largest_part", ptx_largest_part, "Only the largest part counts. Accumulate"),
             ("ptx_gamma_divided", ptx_gamma_divided, "The mean over all tokens is divided by"),
             ("ptx_running_mean", ptx_running_mean, "The mean so far and the next part were"),
             ("ptx_harmonic", ptx_harmonic, "Short parts count most: the weights are"),
             ("ptx_ppo_in_the_mean", ptx_ppo_in_the_mean, "PPO's gradient was counted as one more"),
             ("ptx_one_number", ptx_one_number, "Your result has shape (); expected"),
             ("ptx_fixed_gamma", ptx_fixed_gamma, "27.8 is written into it. Use"),
             ("ptx_one_token_at_least", ptx_one_token_at_least, "A part without a token was counted as one")],
    "5a.8": [("ema_half_life", ema_half_life, "`left` is the number of updates that"),
             ("ema_last_without_start", ema_last_without_start, "Only the last update counts. Go through"),
             ("ema_adds_decay_twice", ema_adds_decay_twice, "`decay` multiplies the new weights, too."),
             ("ema_divided_by_n", ema_divided_by_n, "All weights count alike. In this average"),
             ("ema_one_row_less", ema_one_row_less, "The last update is"),
             ("ema_left_of_average", ema_left_of_average, "`left` was multiplied by the start."),
             ("ema_left_percent", ema_left_percent, "`left` is in percent. Wanted is a share,"),
             ("ema_all_rows", ema_all_rows, "Your result has shape (2, 2); expected"),
             ("ema_fixed_decay", ema_fixed_decay, "0.992 is written into it. Use"),
             ("ema_warmed_up", ema_warmed_up, "The decay begins low and grows, as in"),
             ("ema_numpy", ema_numpy, "Of what it returned, number 1, `average`,")],
}
RIGHT = {"5a.1": [sort_loop], "5a.2": [right_choice, choice_exception_by_absolute],
         "5a.3": [cost_right], "5a.4": [loss_right], "5a.5": [checkpoint_right], "5a.6": [reward_right],
         "5a.7": [ptx_right], "5a.8": [ema_right]}
