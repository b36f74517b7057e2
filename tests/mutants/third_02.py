"""A third set of answers to lesson 02, made up from the notebook alone: see `lesson_02.py`."""

import itertools
import math

import numpy as np
import torch


# ---------------------------------------------------------------- 2.1 wrong
def pairs_ranks_not_places(ranks):
    pairs = sorted((a, b) for a in ranks for b in ranks if a < b)
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def pairs_not_sorted_place_combination_order(ranks):
    pairs = [(i, j) if ranks[i] < ranks[j] else (j, i) for i, j in itertools.combinations(range(len(ranks)), 2)
             if ranks[i] != ranks[j]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def pairs_empty_shape(ranks):
    return torch.tensor([[i, j] for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]])


def pairs_sorted_quality_winner(ranks):
    pairs = sorted(((i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]),
                   key=lambda p: (ranks[p[0]], ranks[p[1]]))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def pairs_argsort_neighbours_only(ranks):
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    pairs = sorted((a, b) for a, b in itertools.pairwise(order) if ranks[a] < ranks[b])
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def pairs_argsort_breaks_ties(ranks):
    order = sorted(range(len(ranks)), key=lambda i: ranks[i])
    pairs = sorted((order[a], order[b]) for a in range(len(order)) for b in range(a + 1, len(order)))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def pairs_floats(ranks):
    r = torch.tensor(ranks)
    return (r[:, None] < r[None, :]).nonzero().float()


# ---------------------------------------------------------------- 2.1 right
def pairs_numpy(ranks):
    r = np.array(ranks)
    return torch.from_numpy(np.argwhere(np.less.outer(r, r)))


def pairs_permutations(ranks):
    won = [p for p in itertools.permutations(range(len(ranks)), 2) if ranks[p[0]] < ranks[p[1]]]
    return torch.tensor(won, dtype=torch.int64).view(-1, 2)


def pairs_stacked_where_int32(ranks):
    r = torch.tensor(ranks)
    return torch.stack(torch.where(r.unsqueeze(1) < r), dim=1).int()


# ---------------------------------------------------------------- 2.2 wrong
def pair_loss_without_logarithm(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean()


def pair_loss_base_2(chosen, rejected):
    return -torch.nn.functional.logsigmoid(chosen - rejected).mean() / math.log(2)


def pair_loss_python_float(chosen, rejected):
    return -torch.nn.functional.logsigmoid(chosen - rejected).mean().item()


def pair_loss_hinge(chosen, rejected):
    return torch.relu(1 - (chosen - rejected)).mean()


def pair_loss_each_score_on_its_own(chosen, rejected):
    f = torch.nn.functional.logsigmoid
    return -(f(chosen) + f(-rejected)).mean()


def pair_loss_relu_abs_corner_gap_0(chosen, rejected):
    gap = (rejected - chosen).double()
    return (torch.relu(gap) + torch.log1p(torch.exp(-gap.abs()))).mean()


def pair_loss_clamp_abs_corner_gap_0(chosen, rejected):
    gap = rejected - chosen
    return (gap.clamp(min=0) + torch.log1p(torch.exp(-gap.abs()))).mean()


# ---------------------------------------------------------------- 2.2 right
def pair_loss_cross_entropy_two(chosen, rejected):
    logits = torch.stack([chosen, rejected], 1)
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(chosen), dtype=torch.long))


def pair_loss_logaddexp(chosen, rejected):
    return (torch.logaddexp(chosen, rejected) - chosen).mean()


def pair_loss_softplus_pieces_float64(chosen, rejected):
    gap = (chosen - rejected).double()
    return torch.logaddexp(torch.zeros_like(gap), -gap).mean()


# ---------------------------------------------------------------- 2.3 wrong
def ranking_sum_over_ranking_s_pairs(score, rank, mask):
    score = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))
    return cost.sum() / (better.sum((1, 2)) > 0).sum()


def ranking_divides_k_k_1_2(score, rank, mask):
    score = score.masked_fill(~mask, 0.0)
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))
    k = mask.sum(1)
    any_pair = better.any(2).any(1)
    return (cost / (k * (k - 1) / 2).clamp(min=1))[any_pair].mean()


def ranking_nan_gradient_mask_behind(score, rank, mask):
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def ranking_listwise_plackett_luce_over_sorted(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s = s[m][r[m].argsort()]
        losses.append(sum(torch.logsumexp(s[i:], 0) - s[i] for i in range(len(s) - 1)) / max(len(s) - 1, 1))
    return torch.stack([torch.as_tensor(x) for x in losses]).mean()


def ranking_assumes_responses_come_order_rank(score, rank, mask):
    score = score.masked_fill(~mask, 0.0)
    better = torch.ones(score.shape[1], score.shape[1]).triu(1).bool() & mask[:, :, None] & mask[:, None, :]
    better = better & (rank[:, :, None] != rank[:, None, :])
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def ranking_fills_caller_s_padding(score, rank, mask):
    with torch.no_grad():
        score[~mask] = 0.0
    better = (rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    cost = torch.where(better, -torch.nn.functional.logsigmoid(gap), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def ranking_only_best_against_rest(score, rank, mask):
    losses = []
    for s, r, m in zip(score, rank, mask, strict=False):
        s, r = s[m], r[m]
        if len(r) and (r > r.min()).any():
            losses.append(-torch.nn.functional.logsigmoid(s[r.argmin()] - s[r > r.min()]).mean())
    return torch.stack(losses).mean()


# ---------------------------------------------------------------- 2.3 right
def ranking_loops(score, rank, mask):
    each = []
    for b in range(len(score)):
        real = [k for k in range(score.shape[1]) if mask[b, k]]
        costs = [torch.nn.functional.softplus(score[b, j] - score[b, i]) for i in real for j in real
                 if rank[b, i] < rank[b, j]]
        if costs:
            each.append(sum(costs) / len(costs))
    return sum(each) / len(each)


def ranking_nonzero_weights(score, rank, mask):
    better = (rank.unsqueeze(2) < rank.unsqueeze(1)) & (mask.unsqueeze(2) & mask.unsqueeze(1))
    b, i, j = better.nonzero(as_tuple=True)
    count = torch.bincount(b, minlength=len(score))
    cost = torch.nn.functional.softplus(score[b, j] - score[b, i])
    return (cost / count[b]).sum() / (count > 0).sum()


def ranking_nanmean_rows_float64(score, rank, mask):
    s = torch.where(mask, score, torch.zeros_like(score)).double()
    better = ((rank[:, :, None] < rank[:, None, :]) & mask[:, :, None] & mask[:, None, :]).double()
    cost = torch.logaddexp(torch.zeros(1, dtype=torch.float64), s[:, None, :] - s[:, :, None])
    n = torch.einsum("bij->b", better)
    rows = torch.einsum("bij,bij->b", better, cost)
    return (rows[n > 0] / n[n > 0]).mean()


# ---------------------------------------------------------------- 2.4 wrong
def accuracies_equal_scores_right_list(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap >= 0) | ~better).all(2).all(1).float().mean()


def accuracies_mean_rankings_means(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    pairs = better.sum((1, 2))
    each = (right * better).sum((1, 2)) / pairs.clamp(min=1)
    return each[pairs > 0].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


def accuracies_swapped_outputs(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return ((gap > 0) | ~better).all(2).all(1).float().mean(), right[better].mean()


def accuracies_divides_all_pairs_ties_included(score, rank):
    K = score.shape[1]
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = ((gap > 0) + 0.5 * (gap == 0)) * better
    return right.sum() / (len(score) * K * (K - 1) / 2), ((gap > 0) | ~better).all(2).all(1).float().mean()


def accuracies_counts_not_shares(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].sum(), ((gap > 0) | ~better).all(2).all(1).float().sum()


def accuracies_ties_rank_must_tie_score(score, rank):
    better = rank[:, :, None] < rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    same = rank[:, :, None] == rank[:, None, :]
    whole = (((gap > 0) | ~better) & ((gap == 0) | ~same)).all(2).all(1)
    return right[better].mean(), whole.float().mean()


def accuracies_larger_rank_better(score, rank):
    better = rank[:, :, None] > rank[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    right = (gap > 0) + 0.5 * (gap == 0)
    return right[better].mean(), ((gap > 0) | ~better).all(2).all(1).float().mean()


# ---------------------------------------------------------------- 2.4 right
def accuracies_loops(score, rank):
    right = total = lists = 0
    for s, r in zip(score.tolist(), rank.tolist(), strict=False):
        every = True
        for i in range(len(s)):
            for j in range(len(s)):
                if r[i] < r[j]:
                    total += 1
                    right += 1 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0
                    every &= s[i] > s[j]
        lists += every
    return torch.tensor(right / total), torch.tensor(lists / len(score))


def accuracies_heaviside_float64(score, rank):
    gap = (score.unsqueeze(2) - score.unsqueeze(1)).double()
    better = rank.unsqueeze(2) < rank.unsqueeze(1)
    won = torch.heaviside(gap, torch.tensor(0.5, dtype=torch.float64))
    wrong = (better & (won < 1)).flatten(1).any(1)
    return won[better].mean(), 1 - wrong.double().mean()


def accuracies_list_two_sign(score, rank):
    b, i, j = torch.where(rank[:, :, None] < rank[:, None, :])
    sign = torch.sign(score[b, i] - score[b, j])
    bad = torch.unique(b[sign <= 0]).numel()
    return (sign.mean() + 1) / 2, torch.tensor(1 - bad / len(score))


# ---------------------------------------------------------------- 2.5 wrong
def quality_smaller_root(agreement):
    return (1 - max(2 * agreement - 1, 0.0) ** 0.5) / 2


def quality_square_root(agreement):
    return max(0.5, agreement ** 0.5)


def quality_agreement_itself(agreement):
    return max(0.5, agreement)


def quality_0_below_one_half(agreement):
    return (1 + (2 * agreement - 1) ** 0.5) / 2 if agreement >= 0.5 else 0.0


def quality_quadratic_divided_1(agreement):
    return max(0.5, (2 + max(4 - 8 * (1 - agreement), 0.0) ** 0.5) / 2)


def quality_no_square_root(agreement):
    return (1 + max(2 * agreement - 1, 0.0)) / 2


def quality_forward_formula(agreement):
    return agreement ** 2 + (1 - agreement) ** 2


# ---------------------------------------------------------------- 2.5 right
def quality_bisection(agreement):
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if middle ** 2 + (1 - middle) ** 2 > agreement:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def quality_numpy_roots(agreement):
    if agreement <= 0.5:
        return 0.5
    return float(max(np.roots([2, -2, 1 - agreement]).real))


def quality_tensor(agreement):
    return 0.5 + 0.5 * torch.as_tensor(2.0 * agreement - 1).clamp(min=0).sqrt()


# ---------------------------------------------------------------- 2.6 wrong
def calibration_no_abs(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    return sum((place == b).sum() * (happened[place == b].mean() - probability[place == b].mean())
               for b in place.unique()) / len(probability)


def calibration_upper_edges(probability, happened, bins):
    place = ((probability * bins).ceil() - 1).long().clamp(min=0)
    error = 0.0
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def calibration_equally_filled_bins(probability, happened, bins):
    order = probability.argsort()
    error = 0.0
    for part in order.tensor_split(bins):
        if len(part):
            error += len(part) * (happened[part].mean() - probability[part].mean()).abs()
    return error / len(probability)


def calibration_rounding_bins(probability, happened, bins):
    place = (probability * bins).round().long().clamp(max=bins - 1)
    error = 0.0
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def calibration_no_bins_all(probability, happened, bins):
    return (probability - happened).abs().mean()


def calibration_bins_fixed_10(probability, happened, bins):
    place = (probability * 10).long().clamp(max=9)
    error = 0.0
    for b in place.unique():
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


def calibration_nan_empty_bins(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    error = 0.0
    for b in range(bins):
        inside = place == b
        error += inside.sum() * (happened[inside].mean() - probability[inside].mean()).abs()
    return error / len(probability)


# ---------------------------------------------------------------- 2.6 right
def calibration_bincount_weights(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    gap = torch.bincount(place, weights=(happened - probability), minlength=bins)
    return gap.abs().sum() / len(probability)


def calibration_numpy_dictionary(probability, happened, bins):
    sums = {}
    for p, h in zip(probability, happened, strict=False):
        b = min(int(p * bins), bins - 1)
        sums[b] = sums.get(b, 0.0) + float(h) - float(p)
    return sum(abs(x) for x in sums.values()) / len(probability)


def calibration_one_hot(probability, happened, bins):
    place = (probability * bins).long().clamp(max=bins - 1)
    hot = torch.nn.functional.one_hot(place, bins).to(probability.dtype)
    return ((happened - probability) @ hot).abs().sum() / probability.numel()


# ---------------------------------------------------------------- 2.7 wrong
def centre_added(score, demonstration):
    return score + demonstration.mean()


def centre_difference_means(score, demonstration):
    return score - (score.mean() - demonstration.mean())


def centre_place(score, demonstration):
    score -= demonstration.mean()
    return score


def centre_both_together(score, demonstration):
    return score - torch.cat([score, demonstration]).mean()


def centre_divided_demonstrations_mean(score, demonstration):
    return score / demonstration.mean() - 1


def centre_sum(score, demonstration):
    return score - demonstration.sum() / len(score)


def centre_demonstrations_shifted(score, demonstration):
    return demonstration - demonstration.mean()


# ---------------------------------------------------------------- 2.7 right
def centre_loop(score, demonstration):
    level = sum(demonstration.tolist()) / len(demonstration)
    return torch.stack([s - level for s in score])


def centre_outer_table_differences(score, demonstration):
    return (score[:, None] - demonstration[None, :]).mean(1)


def centre_numpy_float64(score, demonstration):
    return torch.from_numpy(score.double().numpy() - np.mean(demonstration.double().numpy()))


MUTANTS = {
    "2.1": [
        ("pairs_ranks_not_places", pairs_ranks_not_places, "These are the ranks. Wanted are the places of the two"),
        ("pairs_not_sorted_place_combination_order", pairs_not_sorted_place_combination_order,
         "The pairs are right, their order is not: after winner"),
        ("pairs_empty_shape", pairs_empty_shape, "An empty result keeps its columns: yours has shape"),
        ("pairs_sorted_quality_winner", pairs_sorted_quality_winner, "The rows are right, their order is not."),
        ("pairs_argsort_neighbours_only", pairs_argsort_neighbours_only,
         "Each answer is paired with the next one in the order"),
        ("pairs_argsort_breaks_ties", pairs_argsort_breaks_ties, "A tie is in it, decided by the order of the list."),
        ("pairs_floats", pairs_floats, "It returned a tensor of floats; the next cell needs a"),
    ],
    "2.2": [
        ("pair_loss_without_logarithm", pair_loss_without_logarithm,
         "This is -σ, without the logarithm: at a gap of -5 its"),
        ("pair_loss_base_2", pair_loss_base_2, "The logarithm is that of base 2. Take the natural one."),
        ("pair_loss_python_float", pair_loss_python_float, "It returned a number; the next cell needs a tensor of"),
        ("pair_loss_hinge", pair_loss_hinge, "This is a hinge, max(0, 1 - gap). Wanted is -log"),
        ("pair_loss_each_score_on_its_own", pair_loss_each_score_on_its_own,
         "The sigmoid is of each score alone. It is of the gap,"),
        ("pair_loss_relu_abs_corner_gap_0", pair_loss_relu_abs_corner_gap_0,
         "The value is right, but not the gradient where a gap"),
        ("pair_loss_clamp_abs_corner_gap_0", pair_loss_clamp_abs_corner_gap_0,
         "The value is right, but not the gradient where a gap"),
    ],
    "2.3": [
        ("ranking_sum_over_ranking_s_pairs", ranking_sum_over_ranking_s_pairs,
         "Within each ranking this is a sum over pairs. Take"),
        ("ranking_divides_k_k_1_2", ranking_divides_k_k_1_2, "Ties are left out of the sum and not out of the count:"),
        ("ranking_nan_gradient_mask_behind", ranking_nan_gradient_mask_behind,
         "The values are right, but the gradient in `score` is"),
        ("ranking_listwise_plackett_luce_over_sorted", ranking_listwise_plackett_luce_over_sorted,
         "This is the likelihood of the whole order"),
        ("ranking_assumes_responses_come_order_rank", ranking_assumes_responses_come_order_rank,
         "The responses are taken to stand best first. They may"),
        ("ranking_fills_caller_s_padding", ranking_fills_caller_s_padding,
         "The result is right, but your function writes into its"),
        ("ranking_only_best_against_rest", ranking_only_best_against_rest,
         "Only the best is compared with the others."),
    ],
    "2.4": [
        ("accuracies_equal_scores_right_list", accuracies_equal_scores_right_list,
         "For the list, an equal score is not right: in every"),
        ("accuracies_mean_rankings_means", accuracies_mean_rankings_means,
         "Pair accuracy is a mean of each ranking's share. Here"),
        ("accuracies_swapped_outputs", accuracies_swapped_outputs,
         "The two numbers have changed places: pair accuracy"),
        ("accuracies_divides_all_pairs_ties_included", accuracies_divides_all_pairs_ties_included,
         "Pair accuracy divides by K(K-1)/2 pairs a ranking."),
        ("accuracies_counts_not_shares", accuracies_counts_not_shares,
         "What is right is counted and not divided by how many"),
        ("accuracies_ties_rank_must_tie_score", accuracies_ties_rank_must_tie_score,
         "For the list, responses of one rank are asked to have"),
        ("accuracies_larger_rank_better", accuracies_larger_rank_better,
         "The direction: rank 1 is the best and should have the"),
    ],
    "2.5": [
        ("quality_smaller_root", quality_smaller_root, "This is the other root: labelers who are wrong more"),
        ("quality_square_root", quality_square_root, "This solves q² = a and forgets that both may be wrong,"),
        ("quality_agreement_itself", quality_agreement_itself,
         "This is the agreement itself, and so is (1 + (2a - 1))"),
        ("quality_0_below_one_half", quality_0_below_one_half,
         "An agreement below 1/2 can only be bad luck, and there"),
        ("quality_quadratic_divided_1", quality_quadratic_divided_1, "Divide by 2: this is a probability."),
        ("quality_no_square_root", quality_no_square_root, "This is the agreement itself, and so is (1 + (2a - 1))"),
        ("quality_forward_formula", quality_forward_formula, "The formula is used backwards: this is the agreement"),
    ],
    "2.6": [
        ("calibration_no_abs", calibration_no_abs, "The sign is left, so that bins cancel. Take the"),
        ("calibration_upper_edges", calibration_upper_edges, "The bins hold their *upper* edge. Each holds its lower"),
        ("calibration_equally_filled_bins", calibration_equally_filled_bins,
         "These are bins that hold equally many pairs. They are"),
        ("calibration_rounding_bins", calibration_rounding_bins,
         "The number of the bin was rounded, which moves every"),
        ("calibration_no_bins_all", calibration_no_bins_all, "This compares pair by pair. Nobody can be 0.8 right on"),
        ("calibration_bins_fixed_10", calibration_bins_fixed_10, "There are always ten bins. Their number is an"),
        ("calibration_nan_empty_bins", calibration_nan_empty_bins,
         "A bin that holds nothing has no mean: 0 / 0 is NaN."),
    ],
    "2.7": [
        ("centre_added", centre_added, "The sign: the demonstrations' mean is taken away."),
        ("centre_difference_means", centre_difference_means, "The scores' own mean was moved to the demonstrations'."),
        ("centre_place", centre_place, "The result is right, but your function writes into its"),
        ("centre_both_together", centre_both_together, "The scored texts are in the mean as well. It is that"),
        ("centre_divided_demonstrations_mean", centre_divided_demonstrations_mean,
         "The scores were divided by the demonstrations' mean,"),
        ("centre_sum", centre_sum, "The sum of the demonstrations was divided by the"),
        ("centre_demonstrations_shifted", centre_demonstrations_shifted,
         "These are the demonstrations, shifted. Wanted are the"),
    ],
}

RIGHT = {
    "2.1": [pairs_numpy, pairs_permutations, pairs_stacked_where_int32],
    "2.2": [pair_loss_cross_entropy_two, pair_loss_logaddexp, pair_loss_softplus_pieces_float64],
    "2.3": [ranking_loops, ranking_nonzero_weights, ranking_nanmean_rows_float64],
    "2.4": [accuracies_loops, accuracies_heaviside_float64, accuracies_list_two_sign],
    "2.5": [quality_bisection, quality_numpy_roots, quality_tensor],
    "2.6": [calibration_bincount_weights, calibration_numpy_dictionary, calibration_one_hot],
    "2.7": [centre_loop, centre_outer_table_differences, centre_numpy_float64],
}
