"""Answers to lesson 05a as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the notebook's text.
"""

import itertools
import math
from collections import defaultdict

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5a.1
def walk(user, start, most, shared, held_out, look, remember_dropped=False, first=None):
    seen, many, out = [], defaultdict(int), []
    for who, row in zip(user, start, strict=True):
        key = look(row, who)
        good = key not in seen and many[who] < most
        if good or remember_dropped:
            seen.append(key)
        if good:
            many[who] += 1
        out.append(0 if not good else 2 if who in held_out else 1)
    return torch.tensor(out)


def no_copies_looked_for(user, start, most, shared, held_out):
    many, out = defaultdict(int), []
    for who in user:
        many[who] += 1
        out.append(0 if many[who] > most else 2 if who in held_out else 1)
    return torch.tensor(out)


def copies_of_oneself(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: (who, row[:shared].tolist()))


def remembers_the_dropped(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: row[:shared].tolist(), remember_dropped=True)


def whole_rows(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: row.tolist())


def counts_what_arrives(user, start, most, shared, held_out):
    seen, many, out = set(), defaultdict(int), []
    for who, row in zip(user, start.tolist(), strict=True):
        many[who] += 1
        key = tuple(row[:shared])
        if many[who] > most or key in seen:
            out.append(0)
        else:
            seen.add(key)
            out.append(2 if who in held_out else 1)
    return torch.tensor(out)


def one_too_many(user, start, most, shared, held_out):
    return walk(user, start, most + 1, shared, held_out, lambda row, who: row[:shared].tolist())


def one_token_less(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: row[:shared - 1].tolist())


def tensors_in_a_set(user, start, most, shared, held_out):
    seen, many, out = set(), defaultdict(int), []
    for who, row in zip(user, start, strict=True):
        good = row[:shared] not in seen and many[who] < most
        if good:
            seen.add(row[:shared])
            many[who] += 1
        out.append(0 if not good else 2 if who in held_out else 1)
    return torch.tensor(out)


def nobody_held_out(user, start, most, shared, held_out):
    return walk(user, start, most, shared, [], lambda row, who: row[:shared].tolist())


def kept_only(user, start, most, shared, held_out):
    found = walk(user, start, most, shared, held_out, lambda row, who: row[:shared].tolist())
    return found[found != 0]


def only_true_and_false(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: row[:shared].tolist()) > 0


def turned_names(user, start, most, shared, held_out):
    found = walk(user, start, most, shared, held_out, lambda row, who: row[:shared].tolist())
    return torch.where(found == 0, 0, 3 - found)


def by_strings(user, start, most, shared, held_out):
    return walk(user, start, most, shared, held_out, lambda row, who: str(row[:shared].tolist()))


def by_dictionary(user, start, most, shared, held_out):
    owner, rows = {}, start[:, :shared].tolist()
    result = np.zeros(len(user), dtype=np.int64)
    for i, (who, row) in enumerate(zip(user, rows, strict=True)):
        if tuple(row) not in owner and list(owner.values()).count(who) < most:
            owner[tuple(row)] = who
            result[i] = 1 + (who in held_out)
    return torch.from_numpy(result)


def in_32_bits(user, start, most, shared, held_out):
    return by_strings(user, start, most, shared, held_out).int()


# ---------------------------------------------------------------- 5a.2
def one_by_one(helpful, safe, high_stakes, training, evaluation):
    pick = lambda rule, i: rule(helpful[i].tolist(), safe[i].tolist(), bool(high_stakes[i]))        # noqa: E731
    return tuple(torch.tensor([pick(rule, i) for i in range(len(helpful))]) for rule in (training, evaluation))


def first_then(one, other):
    if one[0] != one[1]:
        return int(one[1] > one[0])
    return int(other[1] > other[0]) if other[0] != other[1] else -1


def by_helpful(h, s, stakes):
    return first_then(h, s)


def by_safe(h, s, stakes, points=3, less=1, ignore=False):
    for i in (0, 1):
        if h[i] - h[1 - i] >= points and s[1 - i] - s[i] <= less and (ignore or not stakes):
            return i
    return first_then(s, h)


def no_exception(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, lambda h, s, stakes: first_then(s, h))


def whatever_the_stakes(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, lambda h, s, stakes: by_safe(h, s, stakes, ignore=True))


def more_than_three(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, lambda h, s, stakes: by_safe(h, s, stakes, points=4))


def any_loss_of_safety(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, lambda h, s, stakes: by_safe(h, s, stakes, less=6))


def exception_in_training_too(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_safe, by_safe)


def ties_go_to_the_first(helpful, safe, high_stakes):
    training, evaluation = one_by_one(helpful, safe, high_stakes, by_helpful, by_safe)
    return training.abs() * (training > 0), evaluation.abs() * (evaluation > 0)


def sum_of_points(helpful, safe, high_stakes):
    total = (helpful + safe)
    best = torch.where(total[:, 0] == total[:, 1], -1, total.argmax(1))
    return best, best


def argmax_of_helpful(helpful, safe, high_stakes):
    return helpful.argmax(1), one_by_one(helpful, safe, high_stakes, by_helpful, by_safe)[1]


def ties_without_second_thought(helpful, safe, high_stakes):
    training, evaluation = one_by_one(helpful, safe, high_stakes, by_helpful, by_safe)
    return torch.where(helpful[:, 0] == helpful[:, 1], -1, training), evaluation


def exchanged(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_safe, by_helpful)


def stakes_the_wrong_way(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, lambda h, s, stakes: by_safe(h, s, not stakes))


def first_only_is_excused(helpful, safe, high_stakes):
    def evaluation(h, s, stakes):
        if h[0] - h[1] >= 3 and s[1] - s[0] <= 1 and not stakes:
            return 0
        return first_then(s, h)
    return one_by_one(helpful, safe, high_stakes, by_helpful, evaluation)


def points_of_floats(helpful, safe, high_stakes):
    return tuple(one.float() for one in one_by_one(helpful, safe, high_stakes, by_helpful, by_safe))


def by_rules(helpful, safe, high_stakes):
    return one_by_one(helpful, safe, high_stakes, by_helpful, by_safe)


def by_lexicographic_numbers(helpful, safe, high_stakes):
    def winner(points):
        return torch.where(points[:, 0] == points[:, 1], -1, points.argmax(1))
    lead = helpful - helpful.flip(1)
    behind = safe.flip(1) - safe
    excused = (lead >= 3) & (behind <= 1) & ~high_stakes[:, None]
    usual = winner(10 * safe + helpful)
    return winner(10 * helpful + safe), torch.where(excused.any(1), excused.int().argmax(1), usual)


# ---------------------------------------------------------------- 5a.3
def one_pass(rank):
    uses = (rank[:, None] != rank).sum(0)
    return 1, uses.sum().item(), uses


def pairs_for_passes(rank):
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), int(uses.sum()) // 2, uses


def all_k_choose_2(rank):
    k = len(rank)
    return k, k * (k - 1), torch.full((k,), k - 1)


def k_even_if_all_tie(rank):
    uses = (rank[:, None] != rank).sum(0)
    return len(rank), int(uses.sum()), uses


def wins_only(rank):
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), int(uses.sum()), (rank[:, None] < rank).sum(1)


def in_order_of_rank(rank):
    rank = rank.sort().values
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), int(uses.sum()), uses


def uses_as_a_list(rank):
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), int(uses.sum()), uses.tolist()


def counted_from_both_sides(rank):
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), 2 * int(uses.sum()), uses


def neighbours_only(rank):
    uses = (rank[:, None] != rank).sum(0)
    return int((uses > 0).sum()), 2 * (len(rank.unique()) - 1), uses


def by_combinations(rank):
    uses, passes = [0] * len(rank), 0
    for i, j in itertools.combinations(range(len(rank)), 2):
        if rank[i] != rank[j]:
            uses[i] += 1
            uses[j] += 1
            passes += 2
    return sum(use > 0 for use in uses), passes, torch.tensor(uses)


def tensors_for_numbers(rank):
    counts = torch.bincount(rank)
    uses = len(rank) - counts[rank]
    return (uses > 0).sum(), uses.sum(), uses


# ---------------------------------------------------------------- 5a.4
def pairs_by_rank(rank):
    return [(i, j) for i in range(len(rank)) for j in range(len(rank)) if rank[i] < rank[j]]


def average(score, rank, cost, pairs=None, over=None):
    pairs = pairs_by_rank(rank.tolist()) if pairs is None else pairs
    if not pairs:
        return score.sum() * 0.0
    return torch.stack([cost(score[i], score[j]) for i, j in pairs]).sum() / (over or len(pairs))


def articles_formula(score, rank):
    return average(score, rank, lambda good, bad: torch.log(1 + torch.exp(bad) - torch.exp(good)))


def as_it_stands(score, rank):
    i, j = torch.combinations(torch.arange(len(rank)), 2).T
    good, bad = score[i], score[j]
    return torch.log(1 + bad.exp() - good.exp()).sum() / len(rank)


def list_order(score, rank):
    return average(score, rank, lambda good, bad: F.softplus(bad - good),
                   pairs=[*itertools.combinations(range(len(rank)), 2)])


def ties_make_pairs(score, rank):
    pairs = [(i, j) if rank[i] <= rank[j] else (j, i) for i, j in itertools.combinations(range(len(rank)), 2)]
    return average(score, rank, lambda good, bad: F.softplus(bad - good), pairs=pairs)


def over_k(score, rank):
    return average(score, rank, lambda good, bad: F.softplus(bad - good), over=len(rank))


def over_all_pairs(score, rank):
    return average(score, rank, lambda good, bad: F.softplus(bad - good), over=math.comb(len(rank), 2))


def overflows(score, rank):
    return average(score, rank, lambda good, bad: torch.log(1 + torch.exp(bad - good)))


def log_of_sigmoid(score, rank):
    return average(score, rank, lambda good, bad: -torch.log(torch.sigmoid(good - bad)))


def turned(score, rank):
    return average(score, rank, lambda good, bad: F.softplus(good - bad))


def sigma_itself(score, rank):
    return average(score, rank, lambda good, bad: -torch.sigmoid(good - bad))


def a_sum(score, rank):
    return average(score, rank, lambda good, bad: F.softplus(bad - good), over=1)


def mean_of_nothing(score, rank):
    i, j = (rank[:, None] < rank).nonzero(as_tuple=True)
    return F.softplus(score[j] - score[i]).mean()


def clipped(score, rank):
    return average(score, rank, lambda good, bad: torch.log1p(torch.exp((bad - good).clamp(max=60))))


def out_of_numbers(score, rank):
    values = score.tolist()
    pairs = pairs_by_rank(rank.tolist())
    cost = lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x)))                                    # noqa: E731
    return torch.tensor(sum(cost(values[j] - values[i]) for i, j in pairs) / max(len(pairs), 1))


def hinge(score, rank):
    return average(score, rank, lambda good, bad: F.relu(bad - good))


def zero_without_a_gradient(score, rank):
    if len(rank.unique()) == 1:
        return torch.tensor(0.0)
    return average(score, rank, lambda good, bad: -F.logsigmoid(good - bad))


def by_matrix(score, rank):
    better = rank[:, None] < rank[None]
    cost = -F.logsigmoid(score[:, None] - score[None])
    return torch.where(better, cost, 0).sum() / better.sum().clamp(min=1)


def by_logaddexp(score, rank):
    return average(score, rank, lambda good, bad: torch.logaddexp(torch.zeros_like(good), bad - good))


# ---------------------------------------------------------------- 5a.5
def from_zero(loss, score):
    mean = score.mean(1)
    return loss.argmin().item(), mean.argmax().item(), (mean.max() - mean[loss.argmin()]).item()


def lowest_score(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(mean.argmin())
    return a + 1, b + 1, float(mean[b] - mean[a])


def highest_single(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(score.max(1).values.argmax())
    return a + 1, b + 1, float(mean[b] - mean[a])


def median_decides(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(score.median(1).values.argmax())
    return a + 1, b + 1, float(mean[b] - mean[a])


def sign_of_what_is_lost(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(mean.argmax())
    return a + 1, b + 1, float(mean[a] - mean[b])


def loss_given_away(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(mean.argmax())
    return a + 1, b + 1, float(loss[b] - loss[a])


def summed(loss, score):
    total = score.sum(1)
    a, b = int(loss.argmin()), int(total.argmax())
    return a + 1, b + 1, float(total[b] - total[a])


def the_later_one(loss, score):
    mean = score.mean(1)
    a = max(i for i in range(len(loss)) if loss[i] == loss.min())
    b = max(i for i in range(len(mean)) if mean[i] == mean.max())
    return a + 1, b + 1, float(mean[b] - mean[a])


def over_epochs(loss, score):
    mean = score.mean(0)
    return int(loss.argmin()) + 1, int(mean.argmax()) + 1, float(mean.max() - mean[0])


def last_epoch(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), len(loss) - 1
    return a + 1, b + 1, float(mean[b] - mean[a])


def the_other_way(loss, score):
    mean = score.mean(1)
    a, b = int(loss.argmin()), int(mean.argmax())
    return b + 1, a + 1, float(mean[b] - mean[a])


def one_tensor(loss, score):
    mean = score.double().mean(1)
    a, b = loss.double().argmin(), mean.argmax()
    return torch.stack([a + 1.0, b + 1.0, mean[b] - mean[a]])


def by_loops(loss, score):
    means = [sum(row) / len(row) for row in score.tolist()]
    losses = loss.tolist()
    a, b = losses.index(min(losses)), means.index(max(means))
    return [a + 1, b + 1, means[b] - means[a]]


def by_arrays(loss, score):
    mean = score.numpy().mean(axis=1)
    a, b = loss.numpy().argmin(), mean.argmax()
    return np.array([a + 1, b + 1, mean[b] - mean[a]])


# ---------------------------------------------------------------- 5a.6
def paid(score, logprob, ref_logprob, mask, beta):
    reward = (-beta * (logprob - ref_logprob)).masked_fill(~mask, 0.0)
    for b in range(len(reward)):
        reward[b, int(mask[b].sum()) - 1] += score[b]
    return reward


def no_shift(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score, logprob, ref_logprob, mask, beta)


def shifted_up(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score + demonstration.mean(), logprob, ref_logprob, mask, beta)


def scores_mean(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score - score.mean(), logprob, ref_logprob, mask, beta)


def wrong_sign(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score - demonstration.mean(), ref_logprob, logprob, mask, beta)


def in_the_last_column(score, demonstration, logprob, ref_logprob, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[:, -1] += score - demonstration.mean()
    return reward


def on_every_token(score, demonstration, logprob, ref_logprob, mask, beta):
    return torch.where(mask, (score - demonstration.mean())[:, None] - beta * (logprob - ref_logprob), 0.0)


def no_beta(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score - demonstration.mean(), logprob, ref_logprob, mask, 1.0)


def nan_by_times(score, demonstration, logprob, ref_logprob, mask, beta):
    reward = -beta * (logprob - ref_logprob) * mask
    reward[torch.arange(len(score)), mask.sum(1) - 1] += score - demonstration.mean()
    return reward


def replaced_not_added(score, demonstration, logprob, ref_logprob, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)
    reward[torch.arange(len(score)), mask.sum(1) - 1] = score - demonstration.mean()
    return reward


def standardised(score, demonstration, logprob, ref_logprob, mask, beta):
    spread = demonstration.std(unbiased=False).clamp(min=1e-8)
    return paid((score - demonstration.mean()) / spread, logprob, ref_logprob, mask, beta)


def one_number_each(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score - demonstration.mean(), logprob, ref_logprob, mask, beta).sum(1)


def writes_into_the_logprobs(score, demonstration, logprob, ref_logprob, mask, beta):
    logprob[~mask] = 0
    ref_logprob[~mask] = 0
    return paid(score - demonstration.mean(), logprob, ref_logprob, mask, beta)


def ratios(score, demonstration, logprob, ref_logprob, mask, beta):
    reward = torch.where(mask, -beta * (logprob - ref_logprob).exp(), 0.0)
    reward[torch.arange(len(score)), mask.sum(1) - 1] += score - demonstration.mean()
    return reward


def by_a_loop(score, demonstration, logprob, ref_logprob, mask, beta):
    return paid(score - demonstration.mean(), logprob, ref_logprob, mask, beta)


def by_scatter(score, demonstration, logprob, ref_logprob, mask, beta):
    drift = torch.where(mask, logprob, 0.0) - torch.where(mask, ref_logprob, 0.0)
    bonus = torch.zeros_like(drift).scatter(1, mask.sum(1, keepdim=True) - 1,
                                            (score - demonstration.mean())[:, None].to(drift.dtype))
    return bonus - beta * drift


# ---------------------------------------------------------------- 5a.7
def mean_of_parts(ppo, pretraining, tokens, gamma):
    return ppo + gamma * pretraining.nanmean(0)


def sum_of_parts(ppo, pretraining, tokens, gamma):
    return ppo + gamma * pretraining.nan_to_num().sum(0)


def no_gamma(ppo, pretraining, tokens, gamma):
    return ppo + (tokens[:, None] * pretraining.nan_to_num()).sum(0) / tokens.sum()


def gamma_on_both(ppo, pretraining, tokens, gamma):
    return gamma * no_gamma(ppo, pretraining, tokens, gamma)


def minus(ppo, pretraining, tokens, gamma):
    return ppo - gamma * (tokens[:, None] * pretraining.nan_to_num()).sum(0) / tokens.sum()


def zero_grad_in_the_loop(ppo, pretraining, tokens, gamma):
    gradient = ppo
    for part, n in zip(pretraining, tokens, strict=True):
        if n:
            gradient = ppo + gamma * part
    return gradient


def not_divided(ppo, pretraining, tokens, gamma):
    return ppo + gamma * (tokens[:, None] * pretraining.nan_to_num()).sum(0)


def nan_comes_in(ppo, pretraining, tokens, gamma):
    return ppo + gamma * (tokens[:, None] * pretraining).sum(0) / tokens.sum()


def a_step_for_each(ppo, pretraining, tokens, gamma):
    total = torch.zeros_like(ppo)
    for part in pretraining.nan_to_num():
        total = total + ppo + gamma * part
    return total


def weights_as_rows(ppo, pretraining, tokens, gamma):
    return ppo + gamma * (tokens * pretraining.nan_to_num()).sum(0) / tokens.sum()


def adds_in_place(ppo, pretraining, tokens, gamma):
    ppo += gamma * (tokens[:, None] * pretraining.nan_to_num()).sum(0) / tokens.sum()
    return ppo


def part_by_part(ppo, pretraining, tokens, gamma):
    gradient = ppo.clone()
    for part, n in zip(pretraining, tokens.tolist(), strict=True):
        if n:
            gradient += gamma * part * n / tokens.sum()
    return gradient


def by_product(ppo, pretraining, tokens, gamma):
    share = (tokens / tokens.sum()).to(pretraining.dtype)
    return ppo + gamma * share @ pretraining.nan_to_num()


# ---------------------------------------------------------------- 5a.8
def swapped(start, weight, decay):
    average = start
    for row in weight:
        average = (1 - decay) * average + decay * row
    return average, decay ** len(weight)


def swapped_in_both(start, weight, decay):
    return swapped(start, weight, decay)[0], (1 - decay) ** len(weight)


def from_nothing(start, weight, decay):
    average = torch.zeros_like(start)
    for row in weight:
        average = decay * average + (1 - decay) * row
    return average, decay ** len(weight)


def plain_mean(start, weight, decay):
    return torch.cat([start[None], weight]).mean(0), decay ** len(weight)


def the_newest(start, weight, decay):
    return (weight[-1] if len(weight) else start), decay ** len(weight)


def one_step_only(start, weight, decay):
    return (decay * start + (1 - decay) * weight[-1] if len(weight) else start), decay ** len(weight)


def backwards(start, weight, decay):
    average = start
    for row in weight.flip(0):
        average = decay * average + (1 - decay) * row
    return average, decay ** len(weight)


def in_place(start, weight, decay):
    for row in weight:
        start.mul_(decay).add_((1 - decay) * row)
    return start, decay ** len(weight)


def what_came_in(start, weight, decay):
    return by_the_sum(start, weight, decay)[0], 1 - decay ** len(weight)


def left_of_one(start, weight, decay):
    return by_the_sum(start, weight, decay)[0], decay


def left_in_a_line(start, weight, decay):
    return by_the_sum(start, weight, decay)[0], 1 - (1 - decay) * len(weight)


def average_only(start, weight, decay):
    return by_the_sum(start, weight, decay)[0]


def every_average(start, weight, decay):
    found = [start]
    for row in weight:
        found.append(decay * found[-1] + (1 - decay) * row)
    return torch.stack(found), decay ** len(weight)


def by_the_sum(start, weight, decay):
    n = len(weight)
    power = torch.tensor([decay ** (n - 1 - s) for s in range(n)], dtype=start.dtype)
    return decay ** n * start + (1 - decay) * (power[:, None] * weight).sum(0), decay ** n


def by_lerp(start, weight, decay):
    average, left = start.clone(), 1.0
    for row in weight:
        average.lerp_(row, 1 - decay)
        left *= decay
    return average, torch.tensor(left)


MUTANTS = {
    "5a.1": [("no_copies_looked_for", no_copies_looked_for, "Copies are kept"),
             ("copies_of_oneself", copies_of_oneself, "whoever sent it"),
             ("remembers_the_dropped", remembers_the_dropped, "itself *dropped*"),
             ("whole_rows", whole_rows, "Whole rows"), ("counts_what_arrives", counts_what_arrives, "use up"),
             ("one_too_many", one_too_many, "One too many"), ("one_token_less", one_token_less, "too few"),
             ("tensors_in_a_set", tensors_in_a_set, "Copies are kept"),
             ("nobody_held_out", nobody_held_out, "Nothing is held out"),
             ("kept_only", kept_only, "one number for each"),
             ("only_true_and_false", only_true_and_false, "Nothing is held out"),
             ("turned_names", turned_names, "exchanged")],
    "5a.2": [("no_exception", no_exception, "exception is missing"),
             ("whatever_the_stakes", whatever_the_stakes, "much is at stake, too"),
             ("more_than_three", more_than_three, "`>=`"), ("any_loss_of_safety", any_loss_of_safety, "One point less"),
             ("exception_in_training_too", exception_in_training_too, "Training is judged as evaluation"),
             ("ties_go_to_the_first", ties_go_to_the_first, "tie, -1"), ("sum_of_points", sum_of_points, "added up"),
             ("argmax_of_helpful", argmax_of_helpful, "the first is taken"),
             ("ties_without_second_thought", ties_without_second_thought, "equally helpful"),
             ("exchanged", exchanged, "exchanged"), ("stakes_the_wrong_way", stakes_the_wrong_way, "other way round"),
             ("first_only_is_excused", first_only_is_excused, "first response only"),
             ("points_of_floats", points_of_floats, "integers")],
    "5a.3": [("one_pass", one_pass, "articles' mistake"), ("pairs_for_passes", pairs_for_passes, "two responses"),
             ("all_k_choose_2", all_k_choose_2, "Ties were counted"),
             ("k_even_if_all_tie", k_even_if_all_tie, "all tie"),
             ("wins_only", wins_only, "wins"), ("in_order_of_rank", in_order_of_rank, "order of the ranks"),
             ("uses_as_a_list", uses_as_a_list, "torch.tensor"),
             ("counted_from_both_sides", counted_from_both_sides, "counted twice"),
             ("neighbours_only", neighbours_only, "neighbours")],
    "5a.4": [("articles_formula", articles_formula, "exponent"), ("as_it_stands", as_it_stands, "all its mistakes"),
             ("list_order", list_order, "ranks"), ("ties_make_pairs", ties_make_pairs, "Ties are counted"),
             ("over_k", over_k, "divided by K"), ("over_all_pairs", over_all_pairs, "Ties are counted"),
             ("overflows", overflows, "infinite"), ("log_of_sigmoid", log_of_sigmoid, "infinite"),
             ("turned", turned, "sign of the difference"), ("sigma_itself", sigma_itself, "-σ"),
             ("a_sum", a_sum, "their mean"), ("mean_of_nothing", mean_of_nothing, "Without any pair"),
             ("clipped", clipped, "clipped"), ("out_of_numbers", out_of_numbers, "gradient"),
             ("hinge", hinge, "max(0")],
    "5a.5": [("from_zero", from_zero, "from 0"), ("lowest_score", lowest_score, "*lowest*"),
             ("highest_single", highest_single, "single score"), ("median_decides", median_decides, "median"),
             ("sign_of_what_is_lost", sign_of_what_is_lost, "wrong sign"),
             ("loss_given_away", loss_given_away, "losses"),
             ("summed", summed, "sum over the prompts"), ("the_later_one", the_later_one, "earlier"),
             ("over_epochs", over_epochs, ""), ("last_epoch", last_epoch, "last epoch"),
             ("the_other_way", the_other_way, "exchanged")],
    "5a.6": [("no_shift", no_shift, "demonstrations are missing"), ("shifted_up", shifted_up, "is added"),
             ("scores_mean", scores_mean, "own mean"), ("wrong_sign", wrong_sign, "wrong sign"),
             ("in_the_last_column", in_the_last_column, "last column"),
             ("on_every_token", on_every_token, "every token"),
             ("no_beta", no_beta, "β"), ("nan_by_times", nan_by_times, "0 · NaN"),
             ("replaced_not_added", replaced_not_added, "takes the place"), ("standardised", standardised, "spread"),
             ("one_number_each", one_number_each, "summed up"),
             ("writes_into_the_logprobs", writes_into_the_logprobs, "writes into"), ("ratios", ratios, "ratio")],
    "5a.7": [("mean_of_parts", mean_of_parts, "weighs the same"), ("sum_of_parts", sum_of_parts, "added up"),
             ("no_gamma", no_gamma, "γ is missing"), ("gamma_on_both", gamma_on_both, "PPO's gradient, too"),
             ("minus", minus, "taken off"), ("zero_grad_in_the_loop", zero_grad_in_the_loop, "last part"),
             ("not_divided", not_divided, "Divide"), ("nan_comes_in", nan_comes_in, "0 · NaN"),
             ("a_step_for_each", a_step_for_each, "once for each part"),
             ("weights_as_rows", weights_as_rows, "multiplies the columns"),
             ("adds_in_place", adds_in_place, "writes into")],
    "5a.8": [("swapped", swapped, "exchanged"), ("swapped_in_both", swapped_in_both, "exchanged"),
             ("from_nothing", from_nothing, "begins at 0"), ("plain_mean", plain_mean, "count alike"),
             ("the_newest", the_newest, "newest weights"), ("one_step_only", one_step_only, "last update"),
             ("backwards", backwards, "backwards"), ("in_place", in_place, "writes into"),
             ("what_came_in", what_came_in, "came in"), ("left_of_one", left_of_one, "single update"),
             ("left_in_a_line", left_in_a_line, "straight line"), ("average_only", average_only, "tuple"),
             ("every_average", every_average, "shape")],
}
RIGHT = {
    "5a.1": [by_strings, by_dictionary, in_32_bits],
    "5a.2": [by_rules, by_lexicographic_numbers],
    "5a.3": [by_combinations, tensors_for_numbers],
    "5a.4": [by_matrix, by_logaddexp, zero_without_a_gradient],
    "5a.5": [one_tensor, by_loops, by_arrays],
    "5a.6": [by_a_loop, by_scatter],
    "5a.7": [part_by_part, by_product],
    "5a.8": [by_the_sum, by_lerp],
}
