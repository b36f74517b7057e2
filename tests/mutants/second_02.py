"""A second set of answers to lesson 02, by people who saw nothing but the notebook: see `lesson_02.py`."""

import itertools
import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 2.1 rank_to_pairs
def rp_only_forward(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(i + 1, len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_sorted_input(ranks):
    pairs = list(itertools.combinations(range(len(ranks)), 2))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_ties_too(ranks):
    n = len(ranks)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and ranks[i] <= ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_larger_better(ranks):
    r = torch.tensor(ranks, dtype=torch.long)
    return (r[:, None] > r[None, :]).nonzero()


def rp_columns_swapped(ranks):
    r = torch.tensor(ranks, dtype=torch.long)
    return (r[:, None] < r[None, :]).nonzero().flip(-1)


def rp_ranks_not_places(ranks):
    pairs = sorted((a, b) for a in ranks for b in ranks if a < b)
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_unsorted(ranks):
    pairs = []
    for i, j in itertools.combinations(range(len(ranks)), 2):
        if ranks[i] < ranks[j]:
            pairs.append((i, j))
        elif ranks[j] < ranks[i]:
            pairs.append((j, i))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_empty_flat(ranks):
    pairs = [[i, j] for i, a in enumerate(ranks) for j, b in enumerate(ranks) if a < b]
    return torch.tensor(pairs)


def rp_empty_float(ranks):
    pairs = [[i, j] for i, a in enumerate(ranks) for j, b in enumerate(ranks) if a < b]
    return torch.tensor(pairs) if pairs else torch.empty(0, 2)


def rp_float(ranks):
    pairs = [[i, j] for i, a in enumerate(ranks) for j, b in enumerate(ranks) if a < b]
    return torch.Tensor(pairs).reshape(-1, 2)


def rp_transposed(ranks):
    r = torch.tensor(ranks, dtype=torch.long)
    return torch.stack(torch.where(r[:, None] < r[None, :]))


def rp_best_first(ranks):
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    pairs = [(i, j) for i, j in itertools.combinations(order, 2) if ranks[i] != ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_next_rank_only(ranks):
    r = np.array(ranks, dtype=int)
    return torch.from_numpy(np.argwhere(r[None, :] - r[:, None] == 1))


def rp_list(ranks):
    return [[i, j] for i, a in enumerate(ranks) for j, b in enumerate(ranks) if a < b]


def rp_argsort(ranks):
    r = torch.tensor(ranks, dtype=torch.long).argsort()
    return (r[:, None] < r[None, :]).nonzero()


def rp_dictionary(ranks):
    place = {rank: i for i, rank in enumerate(ranks)}
    pairs = sorted((place[a], place[b]) for a, b in itertools.combinations(sorted(place), 2))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_list_index(ranks):
    pairs = sorted((ranks.index(a), ranks.index(b)) for a in ranks for b in ranks if a < b)
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_from_one(ranks):
    r = torch.tensor(ranks, dtype=torch.long)
    return (r[:, None] < r[None, :]).nonzero() + 1


def rp_sorts_argument(ranks):
    old = list(ranks)
    ranks.sort()
    pairs = [(i, j) for i in range(len(old)) for j in range(len(old)) if old[i] < old[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_by_second(ranks):
    pairs = [(i, j) for j in range(len(ranks)) for i in range(len(ranks)) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_int8(ranks):
    r = np.array(ranks, dtype=np.int64).astype(np.int8)
    return torch.from_numpy(np.argwhere(r[:, None] < r[None, :]))


def rp_last_missing(ranks):
    n = len(ranks)
    pairs = [(i, j) for i in range(n - 1) for j in range(n) if ranks[i] < ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_drops_tied(ranks):
    n = len(ranks)
    pairs = [(i, j) for i in range(n) for j in range(n)
             if ranks[i] < ranks[j] and ranks.count(ranks[i]) == ranks.count(ranks[j]) == 1]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_sorted_as_text(ranks):
    pairs = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]
    pairs.sort(key=str)
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def rp_right_numpy(ranks):
    r = np.asarray(ranks, dtype=np.int64)
    return torch.from_numpy(np.argwhere(np.less.outer(r, r)))


def rp_right_permutations(ranks):
    pairs = [p for p in itertools.permutations(range(len(ranks)), 2) if ranks[p[1]] > ranks[p[0]]]
    return torch.tensor(sorted(pairs), dtype=torch.int64).view(len(pairs), 2)


def rp_right_cartesian(ranks):
    if not ranks:
        return torch.zeros(0, 2, dtype=torch.long)
    places = torch.cartesian_prod(torch.arange(len(ranks)), torch.arange(len(ranks)))
    r = torch.tensor(ranks)
    return places[r[places[:, 0]] < r[places[:, 1]]]


# ---------------------------------------------------------------- 2.2 pair_loss
def pl_naive(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected)).mean()


def pl_epsilon(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected) + 1e-8).mean()


def pl_clamped_sigma(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).clamp(min=1e-30).log().mean()


def pl_no_log(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean()


def pl_one_minus(chosen, rejected):
    return (1 - torch.sigmoid(chosen - rejected)).mean()


def pl_sum(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).sum()


def pl_swapped(chosen, rejected):
    return -F.logsigmoid(rejected - chosen).mean()


def pl_sign(chosen, rejected):
    return F.logsigmoid(chosen - rejected).mean()


def pl_vector(chosen, rejected):
    return F.softplus(rejected - chosen)


def pl_item(chosen, rejected):
    return F.softplus(rejected - chosen).mean().item()


def pl_log1p_exp(chosen, rejected):
    return torch.log1p(torch.exp(rejected - chosen)).mean()


def pl_where(chosen, rejected):
    gap = chosen - rejected
    return torch.where(gap > -30, -torch.log(torch.sigmoid(gap)), -gap).mean()


def pl_where_exp(chosen, rejected):
    gap = chosen - rejected
    return torch.where(gap < -50, -gap, torch.log1p(torch.exp(-gap))).mean()


def pl_hinge(chosen, rejected):
    return torch.relu(1 - (chosen - rejected)).mean()


def pl_squared(chosen, rejected):
    return ((chosen - rejected - 1) ** 2).mean()


def pl_all_pairs(chosen, rejected):
    gap = chosen[:, None] - rejected[None, :]
    return -F.logsigmoid(gap).mean()


def pl_mean_gap(chosen, rejected):
    return F.softplus(-(chosen - rejected).mean())


def pl_clamped_gap(chosen, rejected):
    gap = (chosen - rejected).clamp(-50, 50)
    return -torch.log(torch.sigmoid(gap)).mean()


def pl_log2(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean() / math.log(2)


def pl_bce(chosen, rejected):
    p = torch.sigmoid(chosen - rejected)
    return F.binary_cross_entropy(p, torch.ones_like(p))


def pl_rejected_detached(chosen, rejected):
    return F.softplus(rejected.detach() - chosen).mean()


def pl_smoothing(chosen, rejected):
    gap = chosen - rejected
    return -(0.95 * F.logsigmoid(gap) + 0.05 * F.logsigmoid(-gap)).mean()


def pl_exponentials(chosen, rejected):
    a, b = chosen.exp(), rejected.exp()
    return -torch.log(a / (a + b)).mean()


def pl_absolute(chosen, rejected):
    return -F.logsigmoid((chosen - rejected).abs()).mean()


def pl_pointwise(chosen, rejected):
    return -(F.logsigmoid(chosen) + F.logsigmoid(-rejected)).mean() / 2


def pl_writes(chosen, rejected):
    with torch.no_grad():
        rejected -= chosen
    return F.softplus(rejected).mean()


def pl_log_of_mean(chosen, rejected):
    return -torch.log(torch.sigmoid(chosen - rejected).mean())


def pl_margin(chosen, rejected):
    return -F.logsigmoid(chosen - rejected - 1.0).mean()


def pl_beta(chosen, rejected):
    return -F.logsigmoid(0.1 * (chosen - rejected)).mean()


def pl_numpy(chosen, rejected):
    gap = chosen.detach().numpy() - rejected.detach().numpy()
    return torch.tensor(np.logaddexp(0, -gap).mean())


def pl_right_bce(chosen, rejected):
    gap = chosen - rejected
    return F.binary_cross_entropy_with_logits(gap, torch.ones_like(gap))


def pl_right_cross_entropy(chosen, rejected):
    logits = torch.stack([chosen, rejected], dim=-1)
    return F.cross_entropy(logits, torch.zeros(len(chosen), dtype=torch.long))


def pl_right_logaddexp(chosen, rejected):
    gap = rejected - chosen
    return torch.logaddexp(torch.zeros_like(gap), gap).sum() / gap.numel()


# ---------------------------------------------------------------- 2.3 ranking_loss
def rl_all_pairs_mean(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    return F.softplus(s[:, None, :] - s[:, :, None])[better].mean()


def rl_ties_are_zero(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, F.softplus(s[:, None, :] - s[:, :, None]), 0.0)
    return (cost.sum((1, 2)) / better.sum((1, 2)).clamp(min=1)).mean()


def rl_nan_gradient(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, F.softplus(score[:, None, :] - score[:, :, None]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_no_mask(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = rank[:, :, None] < rank[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_mask_worse_only(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_larger_better(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] > rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_gap_transposed(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, None, :] - s[:, :, None]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_k_choose_two(score, rank, mask):
    K = score.shape[1]
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    used = better.any(2).any(1)
    return (cost.sum((1, 2)) / (K * (K - 1) / 2))[used].mean()


def rl_n_choose_two(score, rank, mask):
    n = mask.sum(-1)
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    used = better.any(2).any(1)
    return (cost.sum((1, 2)) / (n * (n - 1) / 2).clamp(min=1))[used].mean()


def rl_no_log(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -torch.sigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_neighbours(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        order = r.argsort()
        s, r = s[order], r[order]
        keep = r[:-1] < r[1:]
        if keep.any():
            losses.append(-F.logsigmoid(s[:-1] - s[1:])[keep].mean())
    return torch.stack(losses).mean()


def rl_plackett_luce(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        if len(r.unique()) < 2:
            continue
        s = s[torch.argsort(r, stable=True)]
        nll = [torch.logsumexp(s[k:], 0) - s[k] for k in range(len(s) - 1)]
        losses.append(torch.stack(nll).mean())
    return torch.stack(losses).mean()


def rl_assumes_order(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        pairs = [F.softplus(s[j] - s[i]) for i, j in itertools.combinations(range(len(s)), 2) if r[i] != r[j]]
        if pairs:
            losses.append(sum(pairs) / len(pairs))
    return sum(losses) / len(losses)


def rl_first_n(score, rank, mask):
    losses = []
    for b, n in enumerate(mask.sum(1).tolist()):
        s, r = score[b, :n], rank[b, :n]
        pairs = [F.softplus(s[j] - s[i]) for i in range(n) for j in range(n) if r[i] < r[j]]
        if pairs:
            losses.append(torch.stack(pairs).mean())
    return torch.stack(losses).mean()


def rl_epsilon(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -torch.log(torch.sigmoid(s[:, :, None] - s[:, None, :]) + 1e-8), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_ties_counted(score, rank, mask):
    K = score.shape[1]
    s = score.masked_fill(~mask, 0.0)
    pair = (rank[:, :, None] <= rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    pair = pair & ~torch.eye(K, dtype=torch.bool)
    cost = torch.where(pair, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = pair.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_sum_of_pairs(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    return cost.sum((1, 2))[better.any(2).any(1)].mean()


def rl_writes(score, rank, mask):
    score.data[~mask] = 0.0
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(score[:, :, None] - score[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_right_nanmean(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, F.softplus(s[:, None, :] - s[:, :, None]), 0.0)
    each = cost.sum((1, 2)) / better.sum((1, 2))          # nan where there are only ties
    return each.nanmean()


def rl_mean_of_table(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, F.softplus(s[:, None, :] - s[:, :, None]), 0.0)
    return cost.mean((1, 2))[better.any(2).any(1)].mean()


def rl_any_tie_drops(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m].tolist()
        if len(set(r)) < len(r) or len(r) < 2:
            continue
        order = sorted(range(len(r)), key=r.__getitem__)
        losses.append(torch.stack([F.softplus(s[j] - s[i]) for i, j in itertools.combinations(order, 2)]).mean())
    return torch.stack(losses).mean() if losses else score.sum() * 0


def rl_across_rankings(score, rank, mask):
    s, r = score[mask], rank[mask]
    better = r[:, None] < r[None, :]
    return -F.logsigmoid(s[:, None] - s[None, :])[better].mean()


def rl_item(score, rank, mask):
    s = score.masked_fill(~mask, 0.0).detach()
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, -F.logsigmoid(s[:, :, None] - s[:, None, :]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_best_against_rest(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        if len(r) and (r > r.min()).any():
            top, rest = s[r == r.min()], s[r > r.min()]
            losses.append(F.softplus(rest[None, :] - top[:, None]).mean())
    return torch.stack(losses).mean()


def rl_rank_distance(score, rank, mask):
    s = score.masked_fill(~mask, 0.0)
    apart = (rank[:, None, :] - rank[:, :, None]).clamp(min=0) * (mask[:, :, None] & mask[:, None, :])
    cost = apart * F.softplus(s[:, None, :] - s[:, :, None])
    n = apart.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_finite_instead_of_mask(score, rank, mask):
    seen = torch.isfinite(score)
    s = score.masked_fill(~seen, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & seen[:, :, None] & seen[:, None, :]
    cost = torch.where(better, F.softplus(s[:, None, :] - s[:, :, None]), 0.0)
    n = better.sum((1, 2))
    return (cost.sum((1, 2)) / n.clamp(min=1))[n > 0].mean()


def rl_naive_log(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        pairs = [-torch.log(torch.sigmoid(s[i] - s[j]))
                 for i in range(len(s)) for j in range(len(s)) if m[i] and m[j] and r[i] < r[j]]
        if pairs:
            losses.append(torch.stack(pairs).mean())
    return torch.stack(losses).mean()


def rl_mean_over_better(score, rank, mask):
    # mean over the worse ones for each better one, then over the better ones
    s = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    cost = torch.where(better, F.softplus(s[:, None, :] - s[:, :, None]), 0.0)
    n = better.sum(2)
    each = cost.sum(2) / n.clamp(min=1)
    return (each.sum(1) / (n > 0).sum(1).clamp(min=1))[(n > 0).any(1)].mean()


def rl_right_flat(score, rank, mask):
    real = mask[:, :, None] & mask[:, None, :]
    b, i, j = (real & (rank.unsqueeze(2) < rank.unsqueeze(1))).nonzero(as_tuple=True)
    count = torch.bincount(b, minlength=len(score))
    cost = F.softplus(score[b, j] - score[b, i])
    return (cost / count[b]).sum() / (count > 0).sum()


def rl_right_loop(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank.tolist(), mask.tolist(), strict=False):
        real = [k for k in range(len(r)) if m[k]]
        gaps = [s[i] - s[j] for i in real for j in real if r[i] < r[j]]
        if gaps:
            losses.append(-F.logsigmoid(torch.stack(gaps)).mean())
    return sum(losses) / len(losses)


# ---------------------------------------------------------------- 2.4 accuracies
def _tables(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    return better, score[:, :, None] - score[:, None, :]


def _list(better, gap):
    return ((gap > 0) | ~better).all(2).all(1).float().mean()


def _pair(better, gap):
    return ((gap > 0).float() + 0.5 * (gap == 0))[better].mean()


def ac_equal_wrong(score, rank):
    better, gap = _tables(score, rank)
    return (gap > 0)[better].float().mean(), _list(better, gap)


def ac_equal_right(score, rank):
    better, gap = _tables(score, rank)
    return (gap >= 0)[better].float().mean(), _list(better, gap)


def ac_mean_per_ranking(score, rank):
    better, gap = _tables(score, rank)
    each = [((g > 0).float() + 0.5 * (g == 0))[b].mean() for g, b in zip(gap, better, strict=False) if b.any()]
    return torch.stack(each).mean(), _list(better, gap)


def ac_list_equal_right(score, rank):
    better, gap = _tables(score, rank)
    return _pair(better, gap), ((gap >= 0) | ~better).all(2).all(1).float().mean()


def ac_list_ties_wrong(score, rank):
    better, gap = _tables(score, rank)
    whole = ((gap > 0) | ~better).all(2).all(1) & better.any(2).any(1)
    return _pair(better, gap), whole.float().mean()


def ac_list_ties_skipped(score, rank):
    better, gap = _tables(score, rank)
    whole = ((gap > 0) | ~better).all(2).all(1)
    return _pair(better, gap), whole[better.any(2).any(1)].float().mean()


def ac_list_argsort(score, rank):
    better, gap = _tables(score, rank)
    same = score.argsort(dim=1, descending=True) == rank.argsort(dim=1)
    return _pair(better, gap), same.all(1).float().mean()


def ac_all_pairs_counted(score, rank):
    better, gap = _tables(score, rank)
    B, K = score.shape
    right = ((gap > 0).float() + 0.5 * (gap == 0))[better].sum()
    return right / (B * K * (K - 1) / 2), _list(better, gap)


def ac_list_tied_must_tie(score, rank):
    better, gap = _tables(score, rank)
    tied = rank[:, :, None] == rank[:, None, :]
    fine = torch.where(tied, gap == 0, (gap > 0) | ~better)
    return _pair(better, gap), fine.all(2).all(1).float().mean()


def ac_swapped(score, rank):
    better, gap = _tables(score, rank)
    return _list(better, gap), _pair(better, gap)


def ac_floats(score, rank):
    better, gap = _tables(score, rank)
    return _pair(better, gap).item(), _list(better, gap).item()


def ac_larger_better(score, rank):
    better = rank[:, :, None] > rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return _pair(better, gap), _list(better, gap)


def ac_in_order_only(score, rank):
    K = score.shape[1]
    right, n, whole = 0.0, 0, 0
    for s, r in zip(score.tolist(), rank.tolist(), strict=False):
        ok = True
        for i in range(K):
            for j in range(i + 1, K):
                if r[i] < r[j]:
                    n += 1
                    right += 1.0 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0.0
                    ok = ok and s[i] > s[j]
        whole += ok
    return torch.tensor(right / max(n, 1)), torch.tensor(whole / len(score))


def ac_list_sorted_scores(score, rank):
    better, gap = _tables(score, rank)
    order = torch.argsort(rank, dim=1, stable=True)
    s = score.gather(1, order)
    return _pair(better, gap), (s[:, :-1] > s[:, 1:]).all(1).float().mean()


def ac_list_columns(score, rank):
    better, gap = _tables(score, rank)
    return _pair(better, gap), ((gap > 0) | ~better).all(1).float().mean()


def ac_list_top_one(score, rank):
    better, gap = _tables(score, rank)
    return _pair(better, gap), (score.argmax(1) == rank.argmin(1)).float().mean()


def ac_isclose(score, rank):
    better, gap = _tables(score, rank)
    equal = torch.isclose(score[:, :, None].float(), score[:, None, :].float())
    right = (gap > 0) & ~equal
    return right.float().add(0.5 * equal)[better].mean(), (right | ~better).all(2).all(1).float().mean()


def ac_list_neighbouring_ranks(score, rank):
    better, gap = _tables(score, rank)
    near = (rank[:, None, :] - rank[:, :, None]) == 1
    return _pair(better, gap), ((gap > 0) | ~near).all(2).all(1).float().mean()


def ac_list_mean_above_half(score, rank):
    better, gap = _tables(score, rank)
    each = ((gap > 0) & better).sum((1, 2)) / better.sum((1, 2))
    return _pair(better, gap), (each == 1).float().mean()


def ac_list_half_credit(score, rank):
    better, gap = _tables(score, rank)
    lost = ((gap < 0) & better).any(2).any(1)
    level = ((gap == 0) & better).any(2).any(1)
    return _pair(better, gap), ((~lost).float() - 0.5 * (level & ~lost)).mean()


def ac_whole_table(score, rank):
    better, gap = _tables(score, rank)
    right = ((gap > 0).float() + 0.5 * (gap == 0)) * better
    return right.mean(), _list(better, gap)


def ac_half_everywhere(score, rank):
    # the half goes to ties in rank, not in score
    better, gap = _tables(score, rank)
    tied = (rank[:, :, None] == rank[:, None, :]) & ~torch.eye(score.shape[1], dtype=torch.bool)
    right = ((gap > 0) & better).sum() + 0.25 * tied.sum()
    return right / (better.sum() + 0.5 * tied.sum()), _list(better, gap)


def ac_sorts_equal_stable(score, rank):
    # rank of the scores, then compare ranks; equal scores get different ranks
    better, _gap = _tables(score, rank)
    mine = torch.argsort(score, dim=1, descending=True, stable=True).argsort(dim=1)
    right = mine[:, :, None] < mine[:, None, :]
    return right[better].float().mean(), (right | ~better).all(2).all(1).float().mean()


def ac_right_sign(score, rank):
    b, i, j = torch.where(rank.unsqueeze(-1) < rank.unsqueeze(-2))
    verdict = torch.sign(score[b, i] - score[b, j]).float()
    wrong = torch.bincount(b[verdict < 1], minlength=len(score))
    return (verdict + 1).mean() / 2, (wrong == 0).float().mean()


def ac_right_loops(score, rank):
    credit, whole = [], []
    for s, r in zip(score.tolist(), rank.tolist(), strict=False):
        duels = [(s[i], s[j]) for i, j in itertools.permutations(range(len(s)), 2) if r[i] < r[j]]
        credit += [Fraction((a > b) + (a >= b), 2) for a, b in duels]
        whole.append(all(a > b for a, b in duels))
    return torch.tensor(float(sum(credit) / len(credit))), torch.tensor(sum(whole) / len(whole))


# ---------------------------------------------------------------- 2.5 labeler_quality
def lq_smaller_root(agreement):
    return (1 - max(2 * agreement - 1, 0.0) ** 0.5) / 2


def lq_root(agreement):
    return max(agreement, 0.25) ** 0.5


def lq_complex(agreement):
    return (1 + (2 * agreement - 1) ** 0.5) / 2


def lq_value_error(agreement):
    return 0.5 + 0.5 * math.sqrt(2 * agreement - 1)


def lq_absolute(agreement):
    return (1 + math.sqrt(abs(2 * agreement - 1))) / 2


def lq_linear(agreement):
    return max((1 + agreement) / 2, 0.5)


def lq_itself(agreement):
    return max(agreement, 0.5)


def lq_zero_below(agreement):
    if agreement < 0.5:
        return 0.0
    return (1 + (2 * agreement - 1) ** 0.5) / 2


def lq_half_missing(agreement):
    return min(0.5 + max(2 * agreement - 1, 0.0) ** 0.5, 1.0)


def lq_precedence(agreement):
    return max((1 + 2 * agreement - 1) ** 0.5 / 2, 0.5)


def lq_precedence_half(agreement):
    return 1 + max(2 * agreement - 1, 0.0) ** 0.5 / 2


def lq_grid(agreement):
    grid = [0.5 + k / 100 for k in range(51)]
    return min(grid, key=lambda q: abs(q * q + (1 - q) ** 2 - agreement))


def lq_bisection_short(agreement):
    low, high = 0.5, 1.0
    for _ in range(6):
        q = (low + high) / 2
        if q * q + (1 - q) ** 2 < agreement:
            low = q
        else:
            high = q
    return (low + high) / 2


def lq_integer_division(agreement):
    return 1 // 2 + max(2 * agreement - 1, 0.0) ** 0.5 / 2


def lq_rounded(agreement):
    return round((1 + max(2 * agreement - 1, 0.0) ** 0.5) / 2, 2)


def lq_kappa(agreement):
    return max(2 * agreement - 1, 0.5)


def lq_newton(agreement):
    a, q = max(agreement, 0.5), 1.0
    for _ in range(4):
        q -= (2 * q * q - 2 * q + 1 - a) / (4 * q - 2)
    return q


def lq_both_right(agreement):
    # agree = both right
    return max(agreement ** 0.5, 0.5)


def lq_below_reflected(agreement):
    if agreement < 0.5:
        agreement = 1 - agreement
    return (1 + math.sqrt(2 * agreement - 1)) / 2


def lq_power_one_half(agreement):
    return (1 + max(2 * agreement - 1, 0.0) ** (1 // 2)) / 2


def lq_cut_above(agreement):
    # never quite certain
    return min((1 + max(2 * agreement - 1, 0.0) ** 0.5) / 2, 0.99)


def lq_threshold(agreement):
    return 0.5 if agreement < 0.55 else (1 + math.sqrt(2 * agreement - 1)) / 2


def lq_quadratic_slip(agreement):
    # a, b, c = 2, -2, 1 - agreement; forgets the 2 of "divided by 2a"
    d = max(4 - 8 * (1 - agreement), 0.0)
    return (2 + math.sqrt(d)) / 2


def lq_three_labelers(agreement):
    # q^3 + (1-q)^3 = a
    return (1 + math.sqrt(max((4 * agreement - 1) / 3, 0.0))) / 2


def lq_right_bisection(agreement):
    low, high = 0.5, 1.0
    for _ in range(100):
        q = 0.5 * (low + high)
        low, high = (q, high) if q * q + (1 - q) * (1 - q) < agreement else (low, q)
    return high if agreement >= 1 else 0.5 * (low + high)


def lq_right_roots(agreement):
    if agreement <= 0.5:
        return 0.5
    root = np.sqrt(4 - 8 * (1 - agreement))
    return float(max((2 - root) / 4, (2 + root) / 4))


def lq_right_hypot(agreement):
    spread = max(agreement, 0.5) - 0.5             # (q - 1/2)^2 = spread / 2
    return 0.5 + math.sqrt(spread / 2)


# ---------------------------------------------------------------- 2.6 calibration_error
def _bin(probability, bins):
    return (probability * bins).long().clamp(max=bins - 1)


def ce_unweighted(probability, happened, bins):
    place = _bin(probability, bins)
    apart = [(probability[place == k].mean() - happened[place == k].mean()).abs() for k in place.unique()]
    return torch.stack(apart).mean()


def ce_over_all_bins(probability, happened, bins):
    place, total = _bin(probability, bins), torch.zeros(())
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + (probability[m].mean() - happened[m].mean()).abs()
    return total / bins


def ce_signed(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean())
    return total.abs()


def ce_squared(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in place.unique():
        m = place == k
        total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()) ** 2
    return total


def ce_rms(probability, happened, bins):
    return ce_squared(probability, happened, bins).sqrt()


def ce_maximum(probability, happened, bins):
    place = _bin(probability, bins)
    apart = [(probability[place == k].mean() - happened[place == k].mean()).abs() for k in place.unique()]
    return torch.stack(apart).max()


def ce_middle(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in place.unique().tolist():
        m = place == k
        total = total + m.float().mean() * ((k + 0.5) / bins - happened[m].mean()).abs()
    return total


def ce_lower_edge(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in place.unique().tolist():
        m = place == k
        total = total + m.float().mean() * (k / bins - happened[m].mean()).abs()
    return total


def ce_one_dropped(probability, happened, bins):
    total = torch.zeros(())
    for k in range(bins):
        m = (probability >= k / bins) & (probability < (k + 1) / bins)
        if m.any():
            total = total + m.sum() / len(probability) * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_one_apart(probability, happened, bins):
    place, total = (probability * bins).long(), 0.0
    for k in range(bins + 1):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_upper_edge(probability, happened, bins):
    total = torch.zeros(())
    for k in range(bins):
        m = (probability > k / bins) & (probability <= (k + 1) / bins)
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_ceil(probability, happened, bins):
    place, total = ((probability * bins).ceil().long() - 1).clamp(min=0), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_each_pair(probability, happened, bins):
    return (probability - happened).abs().mean()


def ce_brier(probability, happened, bins):
    return ((probability - happened) ** 2).mean()


def ce_equal_mass(probability, happened, bins):
    order = probability.argsort()
    total = 0.0
    for part in torch.tensor_split(order, bins):
        if len(part):
            total = total + len(part) / len(order) * (probability[part].mean() - happened[part].mean()).abs()
    return total


def ce_ten_bins(probability, happened, bins=10):
    place, total = (probability * 10).long().clamp(max=9), 0.0
    for k in range(10):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_round(probability, happened, bins):
    place, total = (probability * bins).round().long().clamp(max=bins - 1), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_from_half(probability, happened, bins):
    place, total = ((probability - 0.5) * 2 * bins).long().clamp(0, bins - 1), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_data_range(probability, happened, bins):
    p, y = probability.double().numpy(), happened.double().numpy()
    _n, edges = np.histogram(p, bins)
    place = np.clip(np.digitize(p, edges) - 1, 0, bins - 1)
    total = 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total += m.mean() * abs(p[m].mean() - y[m].mean())
    return torch.tensor(total)


def ce_bins_minus_one(probability, happened, bins):
    place, total = (probability * (bins - 1)).long(), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_empty_nan(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in range(bins):
        m = place == k
        total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_prediction_right(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    right = ((probability > 0.5) == (happened > 0.5)).float()
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - right[m].mean()).abs()
    return total


def ce_weight_per_bins(probability, happened, bins):
    place, total = _bin(probability, bins), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.sum() / bins * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_weighted_by_successes(probability, happened, bins):
    place, total = _bin(probability, bins), torch.zeros(())
    for k in range(bins):
        m = place == k
        if m.any():
            weight = happened[m].sum() / happened.sum().clamp(min=1)
            total = total + weight * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_floor_weight(probability, happened, bins):
    place, total = _bin(probability, bins), torch.zeros(())
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + (m.sum() // len(m)) * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_last_bin_missing(probability, happened, bins):
    place, total = _bin(probability, bins), torch.zeros(())
    for k in range(bins - 1):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_first_bin_missing(probability, happened, bins):
    place, total = _bin(probability, bins), torch.zeros(())
    for k in range(1, bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (probability[m].mean() - happened[m].mean()).abs()
    return total


def ce_single_skipped(probability, happened, bins):
    # one pair says nothing about a bin
    place, total, n = _bin(probability, bins), torch.zeros(()), 0
    for k in range(bins):
        m = place == k
        if m.sum() > 1:
            total = total + m.sum() * (probability[m].mean() - happened[m].mean()).abs()
            n += int(m.sum())
    return total / max(n, 1)


def ce_overall(probability, happened, bins):
    return (probability.mean() - happened.mean()).abs()


def ce_clamps_below_one(probability, happened, bins):
    p = probability.clamp(0.01, 0.99)
    place, total = (p * bins).long(), 0.0
    for k in range(bins):
        m = place == k
        if m.any():
            total = total + m.float().mean() * (p[m].mean() - happened[m].mean()).abs()
    return total


def ce_right_sums(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    excess = torch.zeros(bins, dtype=probability.dtype).index_add(0, place, probability - happened)
    return excess.abs().sum() / len(probability)


def ce_right_edges(probability, happened, bins):
    total = torch.zeros((), dtype=probability.dtype)
    for k in range(bins):
        inside = probability >= k / bins
        if k < bins - 1:
            inside = inside & (probability < (k + 1) / bins)
        stated, share = probability[inside], happened[inside]
        if len(stated):
            total = total + (stated.mean() - share.mean()).abs() * len(stated) / len(probability)
    return total


# ---------------------------------------------------------------- 2.7 centre
def ct_own_mean(score, demonstration):
    return score - score.mean()


def ct_z_score(score, demonstration):
    return (score - demonstration.mean()) / demonstration.std()


def ct_own_z_score(score, demonstration):
    return (score - demonstration.mean()) / (score.std() + 1e-8)


def ct_median(score, demonstration):
    return score - demonstration.median()


def ct_plus(score, demonstration):
    return score + demonstration.mean()


def ct_elementwise(score, demonstration):
    return score - demonstration


def ct_sum(score, demonstration):
    return score - demonstration.sum()


def ct_writes(score, demonstration):
    score -= demonstration.mean()
    return score


def ct_writes_demonstration(score, demonstration):
    with torch.no_grad():
        demonstration.div_(len(demonstration))
    return score - demonstration.sum()


def ct_maximum(score, demonstration):
    return score - demonstration.max()


def ct_pooled(score, demonstration):
    return score - torch.cat([score, demonstration]).mean()


def ct_two_means(score, demonstration):
    return score - (score.mean() + demonstration.mean()) / 2


def ct_relu(score, demonstration):
    return (score - demonstration.mean()).clamp(min=0)


def ct_tuple(score, demonstration):
    return score - demonstration.mean(), demonstration - demonstration.mean()


def ct_middle(score, demonstration):
    return score - demonstration[len(demonstration) // 2]


def ct_integer_division(score, demonstration):
    return score - demonstration.sum() // len(demonstration)


def ct_wrong_count(score, demonstration):
    return score - demonstration.sum() / len(score)


def ct_rounded(score, demonstration):
    return score - demonstration.mean().round()


def ct_midrange(score, demonstration):
    return score - (demonstration.min() + demonstration.max()) / 2


def ct_trimmed(score, demonstration):
    inner = demonstration.sort().values[1:-1]
    return score - (inner if len(inner) else demonstration).mean()


def ct_unit_interval(score, demonstration):
    low, high = demonstration.min(), demonstration.max()
    return (score - (low + high) / 2) * 2 / (high - low + 1e-8)


def ct_demonstrations(score, demonstration):
    return demonstration - demonstration.mean()


def ct_sigmoid(score, demonstration):
    return torch.sigmoid(score - demonstration.mean())


def ct_reversed(score, demonstration):
    return demonstration.mean() - score


def ct_shift_only_if_positive(score, demonstration):
    return score - demonstration.mean().clamp(min=0)


def ct_one_number(score, demonstration):
    return score.mean() - demonstration.mean()


def ct_right_table(score, demonstration):
    return (score[:, None] - demonstration[None, :]).mean(dim=1)


def ct_right_loop(score, demonstration):
    level = math.fsum(demonstration.tolist()) / len(demonstration)
    return torch.stack([s - level for s in score]) if len(score) else score.clone()


def ct_right_dot(score, demonstration):
    weight = torch.full_like(demonstration, 1 / demonstration.numel())
    return torch.sub(score, weight @ demonstration)


MUTANTS = {
    "2.1": [
        ("only_forward", rp_only_forward, "Pairs whose winner stands later in the list"),
        ("sorted_input", rp_sorted_input, "The ranks are not used: this takes the list"),
        ("ties_too", rp_ties_too, "Ties are in it, from both sides. Equal"),
        ("larger_better", rp_larger_better, "Winner and loser have changed places. Rank"),
        ("columns_swapped", rp_columns_swapped, "Winner and loser have changed places. Rank"),
        ("ranks_not_places", rp_ranks_not_places, "These are the ranks. Wanted are the places"),
        ("unsorted", rp_unsorted, "The pairs are right, their order is not:"),
        ("empty_flat", rp_empty_flat, "An empty result keeps its columns: yours"),
        ("empty_float", rp_empty_float, "It returned a tensor of floats; the next"),
        ("float", rp_float, "It returned a tensor of floats; the next"),
        ("transposed", rp_transposed, "The table lies on its side: it has [2, P]."),
        ("best_first", rp_best_first, "The pairs are right, their order is not:"),
        ("next_rank_only", rp_next_rank_only, "Only neighbours are compared, whose ranks"),
        ("list", rp_list, "It returned a list; the next cell needs a"),
        ("argsort", rp_argsort, "For one of the inputs these rows are too"),
        ("dictionary", rp_dictionary, "For one of the inputs these rows are missing:"),
        ("list_index", rp_list_index, "For one of the inputs these rows are missing:"),
        ("from_one", rp_from_one, "Places are counted from 1. In Python, and"),
        ("sorts_argument", rp_sorts_argument, "The result is right, but your function"),
        ("by_second", rp_by_second, "The pairs are right, their order is not:"),
        ("int8", rp_int8, "Ranks that are too large for a byte wrap"),
        ("last_missing", rp_last_missing, "The last answer in the list is in no pair."),
        ("drops_tied", rp_drops_tied, "Answers that share their rank are dropped."),
        ("sorted_as_text", rp_sorted_as_text, "The pairs are sorted as text, so that 10"),
    ],
    "2.2": [
        ("naive", pl_naive, "σ becomes exactly 0 when a pair is very"),
        ("epsilon", pl_epsilon, "The small number inside the logarithm hides"),
        ("clamped_sigma", pl_clamped_sigma, "The small number inside the logarithm hides"),
        ("no_log", pl_no_log, "This is -σ, without the logarithm: at a gap"),
        ("one_minus", pl_one_minus, "This is 1 - σ, without the logarithm: a"),
        ("sum", pl_sum, "This is a sum over pairs. Take the mean, or"),
        ("swapped", pl_swapped, "The gap is the wrong way round: this loss"),
        ("sign", pl_sign, "The minus is missing: a loss is minimised,"),
        ("vector", pl_vector, "This is the loss of each pair, [N]. Take"),
        ("item", pl_item, "It returned a number; the next cell needs a"),
        ("log1p_exp", pl_log1p_exp, "σ becomes exactly 0 when a pair is very"),
        ("where", pl_where, "The values are right, but the gradient in"),
        ("where_exp", pl_where_exp, "The values are right, but the gradient in"),
        ("hinge", pl_hinge, "This is a hinge, max(0, 1 - gap). Wanted is"),
        ("squared", pl_squared, "This is a squared error of the gap: it"),
        ("all_pairs", pl_all_pairs, "Every chosen score is compared with every"),
        ("mean_gap", pl_mean_gap, "The mean was taken of the gaps. Take -log σ"),
        ("clamped_gap", pl_clamped_gap, "The gap or the loss was cut off: a very"),
        ("log2", pl_log2, "The logarithm is that of base 2. Take the"),
        ("bce", pl_bce, "The gap or the loss was cut off: a very"),
        ("rejected_detached", pl_rejected_detached, "No gradient reaches the rejected scores: a"),
        ("smoothing", pl_smoothing, "The labels are smoothed: part of the loss"),
        ("exponentials", pl_exponentials, "exp of a score of 1000 is infinite, and"),
        ("absolute", pl_absolute, "The sign of the gap is lost: a wrong pair"),
        ("pointwise", pl_pointwise, "Each score is classified by itself, so a"),
        ("writes", pl_writes, "No gradient reaches the chosen scores: a"),
        ("log_of_mean", pl_log_of_mean, "The mean was taken of the probabilities."),
        ("margin", pl_margin, "A margin is taken off the gap. Wanted is"),
        ("beta", pl_beta, "The gap is multiplied by a number, as DPO"),
        ("numpy", pl_numpy, "No gradient reaches the scores, so nothing"),
    ],
    "2.3": [
        ("all_pairs_mean", rl_all_pairs_mean, "This is one mean over all pairs, so that a"),
        ("ties_are_zero", rl_ties_are_zero, "A ranking of nothing but ties counts as a"),
        ("nan_gradient", rl_nan_gradient, "The values are right, but the gradient in"),
        ("no_mask", rl_no_mask, "Padding took part as a response, and with"),
        ("mask_worse_only", rl_mask_worse_only, "Padding took part as a response, and with"),
        ("larger_better", rl_larger_better, "The direction: rank 1 is the best, so i"),
        ("gap_transposed", rl_gap_transposed, "The direction: rank 1 is the best, so i"),
        ("k_choose_two", rl_k_choose_two, "This divides by the pairs that the width of"),
        ("n_choose_two", rl_n_choose_two, "Ties are left out of the sum and not out of"),
        ("no_log", rl_no_log, "This is -σ, without the logarithm: a very"),
        ("neighbours", rl_neighbours, "Only neighbours in the ranking are"),
        ("plackett_luce", rl_plackett_luce, "This is the likelihood of the whole order"),
        ("assumes_order", rl_assumes_order, "The responses are taken to stand best"),
        ("first_n", rl_first_n, "The first responses of each row are taken,"),
        ("epsilon", rl_epsilon, "The small number inside the logarithm hides"),
        ("ties_counted", rl_ties_counted, "Ties are counted. Equal ranks say nothing:"),
        ("sum_of_pairs", rl_sum_of_pairs, "Within each ranking this is a sum over"),
        ("writes", rl_writes, "The result is right, but your function"),
        ("mean_of_table", rl_mean_of_table, "The mean runs over whole K by K tables,"),
        ("any_tie_drops", rl_any_tie_drops, "and wrong only here: a tie; ranks are missing; padding in any place"),
        ("across_rankings", rl_across_rankings, "Responses to different prompts are"),
        ("no_gradient", rl_item, "No gradient reaches the scores, so nothing"),
        ("best_against_rest", rl_best_against_rest, "Only the best is compared with the others."),
        ("rank_distance", rl_rank_distance, "Pairs weigh more, the further their ranks"),
        ("finite_instead_of_mask", rl_finite_instead_of_mask, "Padding took part as a response, and with"),
        ("naive_log", rl_naive_log, "σ becomes exactly 0 when a pair is very"),
        ("mean_over_better", rl_mean_over_better, "This is a mean of means, for each better"),
    ],
    "2.4": [
        ("equal_wrong", ac_equal_wrong, "Equal scores count as wrong. A guess is"),
        ("equal_right", ac_equal_right, "Equal scores count as right among the"),
        ("mean_per_ranking", ac_mean_per_ranking, "Pair accuracy is a mean of each ranking's"),
        ("list_equal_right", ac_list_equal_right, "For the list, an equal score is not right:"),
        ("list_ties_wrong", ac_list_ties_wrong, "A ranking of nothing but ties has no pair"),
        ("list_ties_skipped", ac_list_ties_skipped, "A ranking of nothing but ties has no pair"),
        ("list_argsort", ac_list_argsort, "List accuracy compares two sorted lists,"),
        ("all_pairs_counted", ac_all_pairs_counted, "Pair accuracy divides by K(K-1)/2 pairs a"),
        ("list_tied_must_tie", ac_list_tied_must_tie, "For the list, responses of one rank are"),
        ("swapped", ac_swapped, "The two numbers have changed places: pair"),
        ("floats", ac_floats, "Of what it returned, number 1 is a number;"),
        ("larger_better", ac_larger_better, "The direction: rank 1 is the best and"),
        ("in_order_only", ac_in_order_only, "Pairs whose winner stands later in the row"),
        ("list_sorted_scores", ac_list_sorted_scores, "For the list, tied responses are asked to"),
        ("list_columns", ac_list_columns, "The second number is a share of responses."),
        ("list_top_one", ac_list_top_one, "List accuracy looks at the best response"),
        ("isclose", ac_isclose, "Scores that are nearly equal are taken for"),
        ("list_neighbouring_ranks", ac_list_neighbouring_ranks, "For the list, only ranks that differ by 1"),
        ("list_ratio_nan", ac_list_mean_above_half, "A ranking of nothing but ties has no pair"),
        ("list_half_credit", ac_list_half_credit, "A ranking with equal scores counts half"),
        ("whole_table", ac_whole_table, "The mean runs over whole K by K tables."),
        ("half_for_rank_ties", ac_half_everywhere, "Half a point goes to equal *ranks*. These"),
        ("equal_by_place", ac_sorts_equal_stable, "it is wrong only where two numbers of a row of `score` are equal"),
    ],
    "2.5": [
        ("smaller_root", lq_smaller_root, "This is the other root: labelers who are"),
        ("root", lq_root, "This solves q² = a and forgets that both"),
        ("complex", lq_complex, "An agreement below 1/2 asks for the root of"),
        ("value_error", lq_value_error, "An agreement below 1/2 asks for the root of"),
        ("absolute", lq_absolute, "An agreement below 1/2 came out as skill."),
        ("linear", lq_linear, "This is (1 + a) / 2. What is added to 1 is"),
        ("itself", lq_itself, "This is the agreement itself, and so is (1"),
        ("zero_below", lq_zero_below, "An agreement below 1/2 can only be bad"),
        ("half_missing", lq_half_missing, "Only the 1 was divided by 2, and the root"),
        ("precedence", lq_precedence, "Brackets: the 1 has slipped under the root."),
        ("precedence_half", lq_precedence_half, "Only the root was divided by 2, and the 1"),
        ("grid", lq_grid, "It is right but for rounding, or for the"),
        ("bisection_short", lq_bisection_short, "never further than 2 % from what is expected, and right on 0 of 15"),
        ("integer_division", lq_integer_division, "The 1 is missing, or `1 // 2` made it 0: (1"),
        ("rounded", lq_rounded, "It is right but for rounding, or for the"),
        ("kappa", lq_kappa, "This is agreement beyond chance (kappa), 2a"),
        ("newton", lq_newton, ""),
        ("below_reflected", lq_below_reflected, "An agreement below 1/2 came out as skill."),
        ("power_one_half", lq_power_one_half, "This is 1 whatever the agreement. If there"),
        ("cut_above", lq_cut_above, "it is wrong exactly where `agreement` is 1"),
        ("threshold", lq_threshold, ""),
        ("quadratic_slip", lq_quadratic_slip, "Divide by 2: this is a probability."),
        ("three_labelers", lq_three_labelers, "This is the formula for three labelers who"),
    ],
    "2.6": [
        ("unweighted", ce_unweighted, "Every bin weighs the same. A bin with one"),
        ("over_all_bins", ce_over_all_bins, "Every bin weighs the same, empty ones too."),
        ("signed", ce_signed, "Bins that promise too much and bins that"),
        ("squared", ce_squared, "The distances are squared. Take the"),
        ("rms", ce_rms, "The distances are squared. Take the"),
        ("maximum", ce_maximum, "This is the worst bin. Wanted is the mean"),
        ("middle", ce_middle, "The middle of the bin stands for what was"),
        ("lower_edge", ce_lower_edge, "The edge of the bin stands for what was"),
        ("one_dropped", ce_one_dropped, "A probability of exactly 1 fell into no"),
        ("one_apart", ce_one_apart, "A probability of exactly 1 got a bin of its"),
        ("upper_edge", ce_upper_edge, "A probability of exactly 0 fell into no"),
        ("ceil", ce_ceil, "The bins hold their *upper* edge. Each"),
        ("each_pair", ce_each_pair, "This compares pair by pair. Nobody can be"),
        ("brier", ce_brier, "This is the Brier score, of each pair by"),
        ("equal_mass", ce_equal_mass, "These are bins that hold equally many"),
        ("ten_bins", ce_ten_bins, "There are always ten bins. Their number is"),
        ("round", ce_round, "The number of the bin was rounded, which"),
        ("from_half", ce_from_half, "The bins divide the range from 1/2 to 1."),
        ("data_range", ce_data_range, "The bins divide the range from the least to"),
        ("bins_minus_one", ce_bins_minus_one, "The width of the bins is not 1 / bins. With"),
        ("empty_nan", ce_empty_nan, "A bin that holds nothing has no mean: 0 / 0"),
        ("prediction_right", ce_prediction_right, "It is asked whether the guess p > 1/2 was"),
        ("weight_per_bins", ce_weight_per_bins, "The weight is divided by the number of"),
        ("weighted_by_successes", ce_weighted_by_successes, "A bin weighs as many pairs as happened in"),
        ("floor_weight", ce_floor_weight, "The weight is cut to a whole number by"),
        ("last_bin_missing", ce_last_bin_missing, "The last bin is left out. There are `bins`"),
        ("first_bin_missing", ce_first_bin_missing, "The first bin is left out. There are `bins`"),
        ("single_skipped", ce_single_skipped, "Bins that hold a single pair are left out."),
        ("overall", ce_overall, "Bins that promise too much and bins that"),
        ("clamped_probability", ce_clamps_below_one, "The probabilities themselves were moved"),
    ],
    "2.7": [
        ("own_mean", ct_own_mean, "The scores' own mean became 0. Zero is to"),
        ("z_score", ct_z_score, "The scores were also divided. Differences"),
        ("own_z_score", ct_own_z_score, "The scores were also divided. Differences"),
        ("median", ct_median, "This takes the median of the"),
        ("plus", ct_plus, "The sign: the demonstrations' mean is taken"),
        ("elementwise", ct_elementwise, "Each score has another number taken off. It"),
        ("sum", ct_sum, "The sum of the demonstrations was taken"),
        ("writes", ct_writes, "The result is right, but your function"),
        ("writes_demonstration", ct_writes_demonstration, "The result is right, but your function"),
        ("maximum", ct_maximum, "The best demonstration became 0. It is"),
        ("pooled", ct_pooled, "The scored texts are in the mean as well."),
        ("two_means", ct_two_means, "The middle between two means was taken off,"),
        ("relu", ct_relu, "Negative results were cut off at 0. A text"),
        ("tuple", ct_tuple, "It returned a tuple; the next cell needs a"),
        ("middle", ct_middle, "One demonstration alone is looked at, the"),
        ("integer_division", ct_integer_division, "The demonstrations' mean was made a whole"),
        ("wrong_count", ct_wrong_count, "The sum of the demonstrations was divided"),
        ("rounded", ct_rounded, "The demonstrations' mean was made a whole"),
        ("midrange", ct_midrange, "This takes the middle between the worst and"),
        ("trimmed", ct_trimmed, "The best and the worst demonstration are"),
        ("unit_interval", ct_unit_interval, "The scores were stretched, so that the"),
        ("demonstrations", ct_demonstrations, "These are the demonstrations, shifted."),
        ("sigmoid", ct_sigmoid, "The shifted scores were made probabilities."),
        ("reversed", ct_reversed, "The direction: the demonstrations' mean is"),
        ("only_if_positive", ct_shift_only_if_positive, "Where the demonstrations' mean is negative,"),
        ("one_number", ct_one_number, "This is the mean of the shifted scores, one"),
    ],
}
RIGHT = {
    "2.1": [rp_right_numpy, rp_right_permutations, rp_right_cartesian],
    "2.2": [pl_right_bce, pl_right_cross_entropy, pl_right_logaddexp],
    "2.3": [rl_right_flat, rl_right_loop, rl_right_nanmean],
    "2.4": [ac_right_sign, ac_right_loops],
    "2.5": [lq_right_bisection, lq_right_roots, lq_right_hypot],
    "2.6": [ce_right_sums, ce_right_edges],
    "2.7": [ct_right_table, ct_right_loop, ct_right_dot],
}
