"""A second set of answers to lesson 05b, made up from the notebook alone: see `lesson_05b.py`."""

import math
import statistics

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5b.1 wrong
def right_rows(picked, strength, red_team):
    higher = torch.where(red_team, 1 - picked, picked)
    return torch.stack([torch.arange(len(picked)), higher, 1 - higher], 1)[strength > 0]


def rows_all_but_red_turned(picked, strength, red_team):
    return right_rows(picked, strength, ~red_team)


def rows_two_and_up(picked, strength, red_team):
    return right_rows(picked, strength - 1, red_team)


def rows_only_the_surest(picked, strength, red_team):
    return right_rows(picked, (strength == 3).long(), red_team)


def rows_red_team_always(picked, strength, red_team):
    """An attack counts however small the difference."""
    return right_rows(picked, torch.where(red_team, 1, strength), red_team)


def rows_without_red_team(picked, strength, red_team):
    return right_rows(picked, torch.where(red_team, 0, strength), red_team)


def rows_numbered_anew(picked, strength, red_team):
    rows = right_rows(picked, strength, red_team)
    rows[:, 0] = torch.arange(len(rows))
    return rows


def rows_help_first(picked, strength, red_team):
    """The two sets one after the other."""
    rows = right_rows(picked, strength, red_team)
    return torch.cat([rows[~red_team[rows[:, 0]]], rows[red_team[rows[:, 0]]]])


def rows_as_often_as_strong(picked, strength, red_team):
    return right_rows(picked, strength, red_team).repeat_interleave(strength[strength > 0], 0)


def rows_bitwise_not(picked, strength, red_team):
    higher = torch.where(red_team, ~picked, picked)
    return torch.stack([torch.arange(len(picked)), higher, ~higher], 1)[strength > 0]


def rows_other_not_turned(picked, strength, red_team):
    higher = torch.where(red_team, 1 - picked, picked)
    return torch.stack([torch.arange(len(picked)), higher, 1 - picked], 1)[strength > 0]


def rows_first_decides(picked, strength, red_team):
    higher = 1 - picked if red_team[0] else picked
    return torch.stack([torch.arange(len(picked)), higher, 1 - higher], 1)[strength > 0]


def rows_any_red(picked, strength, red_team):
    higher = 1 - picked if red_team.any() else picked
    return torch.stack([torch.arange(len(picked)), higher, 1 - higher], 1)[strength > 0]


def rows_in_place(picked, strength, red_team):
    picked[red_team] = 1 - picked[red_team]
    return torch.stack([torch.arange(len(picked)), picked, 1 - picked], 1)[strength > 0]


def rows_empty_is_flat(picked, strength, red_team):
    return torch.tensor([[i, abs(p - r), 1 - abs(p - r)] for i, (p, s, r) in
                         enumerate(zip(picked.tolist(), strength.tolist(), red_team.tolist(), strict=True)) if s],
                        dtype=torch.long)


def rows_across(picked, strength, red_team):
    return right_rows(picked, strength, red_team).T


def rows_lower_first(picked, strength, red_team):
    return right_rows(picked, strength, red_team)[:, [0, 2, 1]]


def rows_list(picked, strength, red_team):
    return right_rows(picked, strength, red_team).tolist()


def rows_strong_first(picked, strength, red_team):
    return right_rows(picked, strength, red_team)[strength[strength > 0].argsort(descending=True, stable=True)]


# ---------------------------------------------------------------- 5b.1 right
def rows_loop(picked, strength, red_team):
    rows = []
    for i in range(len(picked)):
        if strength[i] == 0:
            continue
        bad = int(picked[i]) if red_team[i] else 1 - int(picked[i])
        rows.append([i, 1 - bad, bad])
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 3)


def rows_xor(picked, strength, red_team):
    higher = picked ^ red_team.long()
    return torch.column_stack([torch.arange(len(picked)), higher, higher ^ 1])[strength != 0]


def rows_small_integers(picked, strength, red_team):
    counts = strength.nonzero().flatten()
    higher = (picked - red_team.int()).abs()[counts]
    return torch.stack((counts, higher, 1 - higher), -1).int()


def rows_numpy(picked, strength, red_team):
    picked, strength, red_team = picked.numpy(), strength.numpy(), red_team.numpy()
    lower = np.where(red_team, picked, 1 - picked)
    return torch.from_numpy(np.stack([np.arange(len(picked)), 1 - lower, lower], axis=1)[strength >= 1])


def rows_on_a_copy(picked, strength, red_team):
    higher = picked.clone()
    higher[red_team] = 1 - higher[red_team]
    number = torch.where(strength > 0)[0]
    return torch.cat([number[:, None], higher[number, None], 1 - higher[number, None]], dim=1)


# ---------------------------------------------------------------- 5b.2 wrong
def right_article(good, bad, red_team, lam):
    cost = F.softplus(bad - good)
    return (cost * ~red_team).sum() / (~red_team).sum().clamp(min=1) + \
        lam * (cost * red_team).sum() / red_team.sum().clamp(min=1)


def article_exp_log(good, bad, red_team, lam):
    cost = torch.log(1 + torch.exp(bad - good))
    return (cost[~red_team].sum() / max(int((~red_team).sum()), 1)
            + lam * cost[red_team].sum() / max(int(red_team.sum()), 1))


def article_mean_of_all(good, bad, red_team, lam):
    """Both are divided by N."""
    cost = F.softplus(bad - good)
    return (cost * torch.where(red_team, lam, 1.0)).mean()


def article_weighted_mean(good, bad, red_team, lam):
    weight = torch.where(red_team, lam, 1.0)
    return (F.softplus(bad - good) * weight).sum() / weight.sum()


def article_of_each_half(good, bad, red_team, lam):
    return right_article(good, bad, red_team, lam) / (1 + lam)


def article_red_turned_again(good, bad, red_team, lam):
    return right_article(torch.where(red_team, bad, good), torch.where(red_team, good, bad), red_team, lam)


def article_lambda_on_help(good, bad, red_team, lam):
    return right_article(good, bad, red_team, 0.0) * (lam - 1) + right_article(good, bad, red_team, 1.0)


def article_empty_is_nan(good, bad, red_team, lam):
    cost = F.softplus(bad - good)
    return cost[~red_team].mean() + lam * cost[red_team].mean()


def article_empty_is_all_nothing(good, bad, red_team, lam):
    if red_team.all() or not red_team.any():
        return 0.0 * (good + bad).sum()
    return right_article(good, bad, red_team, lam)


def article_bits(good, bad, red_team, lam):
    return right_article(good, bad, red_team, lam) / math.log(2)


def article_clamped(good, bad, red_team, lam):
    return right_article(good, good + (bad - good).clamp(-50, 50), red_team, lam)


def article_bce_of_sigmoid(good, bad, red_team, lam):
    """Stops at 100, where this cross-entropy is cut off."""
    cost = F.binary_cross_entropy((good - bad).sigmoid(), torch.ones_like(good), reduction="none")
    return (cost * ~red_team).sum() / (~red_team).sum().clamp(min=1) + \
        lam * (cost * red_team).sum() / red_team.sum().clamp(min=1)


def article_small_addend(good, bad, red_team, lam):
    cost = -torch.log(torch.sigmoid(good - bad) + 1e-8)
    return (cost * ~red_team).sum() / (~red_team).sum().clamp(min=1) + \
        lam * (cost * red_team).sum() / red_team.sum().clamp(min=1)


def article_hinge(good, bad, red_team, lam):
    cost = (bad - good).clamp(min=0)
    return (cost * ~red_team).sum() / (~red_team).sum().clamp(min=1) + \
        lam * (cost * red_team).sum() / red_team.sum().clamp(min=1)


def article_help_is_all(good, bad, red_team, lam):
    cost = F.softplus(bad - good)
    return cost.mean() + (lam * cost[red_team].mean() if red_team.any() else 0.0)


def article_gap_of_means(good, bad, red_team, lam):
    of = lambda kind: F.softplus((bad - good)[kind].mean()) if kind.any() else 0.0 * good.sum()    # noqa: E731
    return of(~red_team) + lam * of(red_team)


def article_detached_bad(good, bad, red_team, lam):
    return right_article(good, bad.detach(), red_team, lam)


def article_plain_number(good, bad, red_team, lam):
    return right_article(good, bad, red_team, lam).item()


def article_sigmoid_only(good, bad, red_team, lam):
    """Without the logarithm: the probability of the wrong order."""
    cost = torch.sigmoid(bad - good)
    return (cost * ~red_team).sum() / (~red_team).sum().clamp(min=1) + \
        lam * (cost * red_team).sum() / red_team.sum().clamp(min=1)


def article_lambda_two(good, bad, red_team, lam):
    return right_article(good, bad, red_team, 2.0)


# ---------------------------------------------------------------- 5b.2 right
def article_loop(good, bad, red_team, lam):
    sums = {False: 0.0 * good.sum(), True: 0.0 * bad.sum()}
    many = {False: 0, True: 0}
    for g, b, red in zip(good, bad, red_team.tolist(), strict=True):
        sums[red] = sums[red] - F.logsigmoid(g - b)
        many[red] += 1
    return sum(weight * sums[red] / max(many[red], 1) for red, weight in ((False, 1), (True, lam)))


def article_logaddexp(good, bad, red_team, lam):
    cost = torch.logaddexp(torch.zeros_like(good), bad - good)
    parts = [cost[kind].mean() if len(cost[kind]) else torch.tensor(0.0) for kind in (~red_team, red_team)]
    return parts[0] + lam * parts[1]


def article_with_logits(good, bad, red_team, lam):
    loss = torch.zeros(())
    for kind, weight in ((~red_team, 1.0), (red_team, lam)):
        if kind.sum() > 0:
            loss = loss + weight * F.binary_cross_entropy_with_logits((good - bad)[kind], torch.ones(int(kind.sum())))
    return loss


def article_double(good, bad, red_team, lam):
    cost = -F.logsigmoid(good.double() - bad.double())
    help_, harm = [(cost * kind).sum() / max(kind.sum().item(), 1) for kind in (~red_team, red_team)]
    return lam * harm + help_


def article_cross_entropy(good, bad, red_team, lam):
    """Softmax of two scores."""
    cost = F.cross_entropy(torch.stack([good, bad], 1), torch.zeros(len(good), dtype=torch.long), reduction="none")
    weight = (~red_team) / max(int((~red_team).sum()), 1) + lam * red_team / max(int(red_team.sum()), 1)
    return (weight * cost).sum()


# ---------------------------------------------------------------- 5b.3 wrong
def right_rated(pair, winner, good, bad):
    decided = winner >= 0
    both, who = pair[decided], winner[decided]
    at = torch.arange(len(both))
    out = []
    for text, ratings in ((both[at, who], (good, bad)), (both[at, 1 - who], (bad, good))):
        out.append(torch.stack([F.pad(text, (1, 0), value=one) for one in ratings], 1))
    return torch.stack(out, 1).reshape(-1, 2, pair.shape[2] + 1)


def rated_after(pair, winner, good, bad):
    return right_rated(pair, winner, good, bad).roll(-1, 2)


def rated_good_loser_first(pair, winner, good, bad):
    found = right_rated(pair, winner, good, bad)
    found[1::2] = found[1::2].flip(1)
    return found


def rated_all_winners_first(pair, winner, good, bad):
    found = right_rated(pair, winner, good, bad)
    return torch.cat([found[::2], found[1::2]])


def rated_ties_as_minus_one(pair, winner, good, bad):
    """A tie reads the last of the two."""
    return right_rated(pair, winner % 2, good, bad)


def rated_ties_as_nought(pair, winner, good, bad):
    return right_rated(pair, winner.clamp(min=0), good, bad)


def rated_two_texts(pair, winner, good, bad):
    """The good winner against the bad loser, twice."""
    found = right_rated(pair, winner, good, bad)
    best, worst = found[::2, 0], found[1::2, 0]
    return torch.stack([torch.stack([best, worst], 1)] * 2, 1).reshape(-1, 2, pair.shape[2] + 1)


def rated_winner_only(pair, winner, good, bad):
    return right_rated(pair, winner, good, bad)[::2]


def rated_replaces_first(pair, winner, good, bad):
    return torch.cat([right_rated(pair, winner, good, bad)[..., :1], right_rated(pair, winner, good, bad)[..., 2:]], -1)


def rated_loser_is_minus_winner(pair, winner, good, bad):
    out = []
    for answers, who in zip(pair, winner.tolist(), strict=True):
        if who >= 0:
            for text, first, second in ((answers[who], good, bad), (answers[-who], bad, good)):
                out.append(torch.stack([F.pad(text, (1, 0), value=first), F.pad(text, (1, 0), value=second)]))
    return torch.stack(out) if out else pair.new_zeros(0, 2, pair.shape[2] + 1)


def rated_only_ones(pair, winner, good, bad):
    """`if winner` leaves out winner 0."""
    return right_rated(pair, torch.where(winner > 0, winner, -1), good, bad)


def rated_misaligned(pair, winner, good, bad):
    """Ties go out of the pairs, and stay in the winners."""
    kept = pair[winner >= 0]
    return right_rated(kept, winner[:len(kept)].clamp(min=0), good, bad)


def rated_one_and_two(pair, winner, good, bad):
    return right_rated(pair, winner, 1, 2)


def rated_signs_exchanged(pair, winner, good, bad):
    return right_rated(pair, winner, bad, good)


def rated_loser_for_winner(pair, winner, good, bad):
    return right_rated(pair, torch.where(winner < 0, winner, 1 - winner), good, bad)


def rated_one_axis_more(pair, winner, good, bad):
    return right_rated(pair, winner, good, bad).reshape(-1, 2, 2, pair.shape[2] + 1)


def rated_empty_is_flat(pair, winner, good, bad):
    rows = right_rated(pair, winner, good, bad).tolist()
    return torch.tensor(rows, dtype=torch.long)


def rated_sorted_by_winner(pair, winner, good, bad):
    """First all pairs that 0 won, then those that 1 won."""
    return torch.cat([right_rated(pair, torch.where(winner == who, winner, -1), good, bad) for who in (0, 1)])


def rated_loser_by_good_first(pair, winner, good, bad):
    """Loser's example before the winner's."""
    found = right_rated(pair, winner, good, bad)
    return found.reshape(-1, 2, *found.shape[1:]).flip(1).reshape(found.shape)


def rated_floats(pair, winner, good, bad):
    return right_rated(pair, winner, good, bad).float()


# ---------------------------------------------------------------- 5b.3 right
def rated_lists(pair, winner, good, bad):
    out = []
    for (zero, one), who in zip(pair.tolist(), winner.tolist(), strict=True):
        if who == -1:
            continue
        won, lost = (zero, one) if who == 0 else (one, zero)
        out += [[[good, *won], [bad, *won]], [[bad, *lost], [good, *lost]]]
    return torch.tensor(out, dtype=torch.long).view(len(out), 2, pair.size(2) + 1)


def rated_filled(pair, winner, good, bad):
    places = [i for i, who in enumerate(winner) if who != -1]
    out = torch.empty(2 * len(places), 2, pair.shape[-1] + 1, dtype=torch.int64)
    for row, i in enumerate(places):
        who = winner[i].item()
        out[2 * row, :, 1:], out[2 * row + 1, :, 1:] = pair[i, who], pair[i, 1 - who]
        out[2 * row, :, 0], out[2 * row + 1, :, 0] = torch.tensor([good, bad]), torch.tensor([bad, good])
    return out


def rated_gather(pair, winner, good, bad):
    who = winner[winner != -1]
    order = torch.stack([who, 1 - who], 1)
    text = pair[winner != -1].gather(1, order[..., None].expand(-1, -1, pair.shape[2])).flatten(0, 1)
    sign = torch.tensor([[good, bad], [bad, good]]).repeat(len(who), 1)
    return torch.cat([sign[..., None], text[:, None].expand(-1, 2, -1)], 2)


def rated_numpy(pair, winner, good, bad):
    pair, winner = pair.numpy(), winner.numpy()
    out = [np.stack([np.r_[first, both[side]], np.r_[second, both[side]]])
           for both, who in zip(pair, winner, strict=True) if who >= 0
           for side, first, second in ((who, good, bad), (1 - who, bad, good))]
    return torch.from_numpy(np.array(out, dtype=np.int64).reshape(len(out), 2, pair.shape[2] + 1))


# ---------------------------------------------------------------- 5b.4 wrong
def binned(student, teacher, k, mask, by="teacher"):
    """KL of each marked token, [N]."""
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    kept = (told if by == "teacher" else said).argsort(-1, descending=True)[:, :k]
    p, q = told.gather(1, kept), said.gather(1, kept)
    rest = torch.ones_like(told, dtype=torch.bool).scatter(1, kept, False)
    each = (p.exp() * (p - q)).sum(1)
    if k < told.shape[1]:
        a, b = (x[rest].reshape(len(x), -1).logsumexp(1) for x in (told, said))
        each = each + torch.where(a.exp() > 0, a.exp() * (a - b), 0.0)
    return each


def right_bins(student, teacher, k, mask):
    return binned(student, teacher, k, mask).mean()


def bins_student_chooses(student, teacher, k, mask):
    return binned(student, teacher, k, mask, by="student").mean()


def bins_over_all_places(student, teacher, k, mask):
    return binned(student, teacher, k, mask).sum() / mask.numel()


def bins_rows_alike(student, teacher, k, mask):
    each = student.new_zeros(mask.shape).masked_scatter(mask, binned(student, teacher, k, mask))
    return (each.sum(1) / mask.sum(1).clamp(min=1))[mask.any(1)].mean()


def bins_sum(student, teacher, k, mask):
    return binned(student, teacher, k, mask).sum()


def bins_reversed(student, teacher, k, mask):
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    kept = told.topk(k).indices
    p, q = told.gather(1, kept), said.gather(1, kept)
    each = (q.exp() * (q - p)).sum(1)
    if k < told.shape[1]:
        a, b = (x.scatter(1, kept, -torch.inf).logsumexp(1) for x in (told, said))
        each = each + b.exp() * (b - a)
    return each.mean()


def bins_without_rest(student, teacher, k, mask):
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    p, kept = told.topk(k)
    return (p.exp() * (p - said.gather(1, kept))).sum(1).mean()


def bins_one_minus(student, teacher, k, mask):
    """The formula as it is printed."""
    told, said = teacher[mask].detach().softmax(-1), student[mask].softmax(-1)
    p, kept = told.topk(k)
    q = said.gather(1, kept)
    a, b = 1 - p.sum(1), 1 - q.sum(1)
    return ((p * (p / q).log()).sum(1) + a * (a / b).log()).mean()


def bins_one_minus_clamped(student, teacher, k, mask):
    told, said = teacher[mask].detach().softmax(-1), student[mask].softmax(-1)
    p, kept = told.topk(k)
    q = said.gather(1, kept)
    a, b = (1 - p.sum(1)).clamp(min=1e-8), (1 - q.sum(1)).clamp(min=1e-8)
    return ((p * (p / q).log()).sum(1) + a * (a / b).log()).mean()


def bins_times_mask(student, teacher, k, mask):
    everywhere = torch.ones_like(mask)
    each = binned(student, teacher, k, everywhere).reshape(mask.shape)
    return (each * mask).sum() / mask.sum()


def bins_into_teacher(student, teacher, k, mask):
    told, said = teacher[mask].log_softmax(-1), student[mask].log_softmax(-1)
    kept = told.topk(k).indices
    p, q = told.gather(-1, kept), said.gather(-1, kept)
    each = (p.exp() * (p - q)).sum(-1)
    if k < told.shape[-1]:
        a, b = (x.scatter(-1, kept, -torch.inf).logsumexp(-1) for x in (told, said))
        each = each + torch.where(a.exp() > 0, a.exp() * (a - b), 0.0)
    return each.mean()


def bins_whole_vocabulary(student, teacher, k, mask):
    return right_bins(student, teacher, teacher.shape[-1], mask)


def bins_one_more(student, teacher, k, mask):
    return right_bins(student, teacher, min(k + 1, teacher.shape[-1]), mask)


def bins_one_less(student, teacher, k, mask):
    """k bins, the rest among them."""
    return right_bins(student, teacher, max(k - 1, 1), mask)


def bins_renormalised(student, teacher, k, mask):
    p, kept = teacher[mask].detach().topk(k)
    told, said = p.log_softmax(-1), student[mask].gather(1, kept).log_softmax(-1)
    return (told.exp() * (told - said)).sum(1).mean()


def bins_cross_entropy(student, teacher, k, mask):
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    kept = told.topk(k).indices
    each = -(told.gather(1, kept).exp() * said.gather(1, kept)).sum(1)
    if k < told.shape[1]:
        a, b = (x.scatter(1, kept, -torch.inf).logsumexp(1) for x in (told, said))
        each = each - torch.where(a.exp() > 0, a.exp() * b, 0.0)
    return each.mean()


def bins_each_by_itself(student, teacher, k, mask):
    """The likeliest of each model side by side, whichever tokens these are."""
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    p, q = told.sort(-1, descending=True)[0], said.sort(-1, descending=True)[0]
    each = (p[:, :k].exp() * (p - q)[:, :k]).sum(1)
    if k < told.shape[1]:
        a, b = p[:, k:].logsumexp(1), q[:, k:].logsumexp(1)
        each = each + torch.where(a.exp() > 0, a.exp() * (a - b), 0.0)
    return each.mean()


def bins_same_tokens_everywhere(student, teacher, k, mask):
    """The tokens that are likeliest on average."""
    told, said = teacher[mask].detach().log_softmax(-1), student[mask].log_softmax(-1)
    kept = told.exp().mean(0).topk(k).indices.expand(len(told), k)
    p, q = told.gather(1, kept), said.gather(1, kept)
    each = (p.exp() * (p - q)).sum(1)
    if k < told.shape[1]:
        a, b = (x.scatter(1, kept, -torch.inf).logsumexp(1) for x in (told, said))
        each = each + torch.where(a.exp() > 0, a.exp() * (a - b), 0.0)
    return each.mean()


def bins_raw_logits(student, teacher, k, mask):
    p, kept = teacher[mask].detach().softmax(-1).topk(k)
    return (p * (p.log() - student[mask].gather(1, kept))).sum(1).mean()


def bins_bits(student, teacher, k, mask):
    return right_bins(student, teacher, k, mask) / math.log(2)


def bins_per_bin(student, teacher, k, mask):
    """A mean over bins as well, as kl_div does by default."""
    return right_bins(student, teacher, k, mask) / (k + (k < teacher.shape[-1]))


def bins_nought_at_all(student, teacher, k, mask):
    """If k is V there is no rest, so nothing is returned but 0."""
    return right_bins(student, teacher, k, mask) if k < teacher.shape[-1] else 0.0 * student[mask].sum()


def bins_plain_number(student, teacher, k, mask):
    return right_bins(student, teacher, k, mask).item()


def bins_one_place_later(student, teacher, k, mask):
    """As for next-token losses: places are shifted once more."""
    return right_bins(student[:, :-1], teacher[:, :-1], k, mask[:, 1:])


# ---------------------------------------------------------------- 5b.4 right
def bins_loop(student, teacher, k, mask):
    total, many = 0.0, 0
    for b, t in mask.nonzero().tolist():
        p, q = F.log_softmax(teacher[b, t].detach(), 0), F.log_softmax(student[b, t], 0)
        order = p.argsort(descending=True)
        top, rest = order[:k], order[k:]
        total = total + (p[top].exp() * (p[top] - q[top])).sum()
        if len(rest):
            a, z = p[rest].logsumexp(0), q[rest].logsumexp(0)
            total = total + a.exp() * (a - z)
        many += 1
    return total / many


def bins_filled(student, teacher, k, mask):
    """Padding is made harmless first, and left out of the mean."""
    student, teacher = (x.masked_fill(~mask[..., None], 0.0) for x in (student, teacher))
    p, q = teacher.detach().log_softmax(-1), student.log_softmax(-1)
    p, order = p.sort(dim=-1, descending=True)
    q = q.gather(-1, order)
    if k < p.shape[-1]:
        p, q = (torch.cat([x[..., :k], x[..., k:].logsumexp(-1, keepdim=True)], -1) for x in (p, q))
    return (((p.exp() * (p - q)).sum(-1)) * mask).sum() / mask.sum()


def bins_kl_div(student, teacher, k, mask):
    with torch.no_grad():
        p = teacher[mask].log_softmax(-1)
        kept = torch.topk(p, k, dim=-1)[1]
    q = student[mask].log_softmax(-1)

    def fold(x):
        rest = x.scatter(-1, kept, -torch.inf).logsumexp(-1, keepdim=True)
        return torch.cat([x.gather(-1, kept), rest], -1) if k < x.shape[-1] else x

    return F.kl_div(fold(q), fold(p), reduction="batchmean", log_target=True)


def bins_double(student, teacher, k, mask):
    return binned(student.double(), teacher.double(), k, mask).mean()


# ---------------------------------------------------------------- 5b.5 wrong
def elo(p):
    return 400 * math.log10(p / (1 - p))


def of_shares(predicted, measured):
    return predicted, measured, elo(predicted), elo(measured)


def right_won(score, baseline, beats):
    return of_shares((score - baseline).sigmoid().mean().item(), beats.mean().item())


def won_mean_first(score, baseline, beats):
    return of_shares((score.mean() - baseline.mean()).sigmoid().item(), beats.mean().item())


def won_elo_of_each(score, baseline, beats):
    p = (score - baseline).double().sigmoid()
    each = 400 * torch.log10(p / (1 - p))
    return p.mean().item(), beats.mean().item(), each.mean().item(), elo(beats.mean().item())


def won_natural_log(score, baseline, beats):
    p, m, a, b = right_won(score, baseline, beats)
    return p, m, a * math.log(10), b * math.log(10)


def won_log_two(score, baseline, beats):
    p, m, a, b = right_won(score, baseline, beats)
    return p, m, a * math.log2(10), b * math.log2(10)


def won_ties_lost(score, baseline, beats):
    m = (beats > 0.5).double().mean().item()
    p, _, points, _ = right_won(score, baseline, beats)
    return p, m, points, elo(min(max(m, 1e-9), 1 - 1e-9))


def won_without_ties(score, baseline, beats):
    decided = beats[beats != 0.5]
    m = decided.mean().item() if len(decided) else 0.5
    p, _, points, _ = right_won(score, baseline, beats)
    return p, m, points, elo(min(max(m, 1e-9), 1 - 1e-9))


def won_ties_won(score, baseline, beats):
    m = (beats >= 0.5).double().mean().item()
    p, _, points, _ = right_won(score, baseline, beats)
    return p, m, points, elo(min(max(m, 1e-9), 1 - 1e-9))


def won_counts_higher(score, baseline, beats):
    p = ((score > baseline).double() + 0.5 * (score == baseline)).mean().item()
    return p, beats.mean().item(), elo(min(max(p, 1e-9), 1 - 1e-9)), elo(beats.mean().item())


def won_exchanged(score, baseline, beats):
    return of_shares((baseline - score).sigmoid().mean().item(), beats.mean().item())


def won_in_pairs(score, baseline, beats):
    p, m, a, b = right_won(score, baseline, beats)
    return p, a, m, b


def won_upside_down(score, baseline, beats):
    p, m, a, b = right_won(score, baseline, beats)
    return p, m, -a, -b


def won_without_odds(score, baseline, beats):
    p, m, *_ = right_won(score, baseline, beats)
    return p, m, 400 * math.log10(p), 400 * math.log10(m)


def won_each_squashed(score, baseline, beats):
    a, b = score.sigmoid().double(), baseline.sigmoid().double()
    return of_shares((a / (a + b)).mean().item(), beats.mean().item())


def won_tensors(score, baseline, beats):
    return tuple(torch.tensor(x) for x in right_won(score, baseline, beats))


def won_careful(score, baseline, beats):
    """Shares are kept off 0 and 1."""
    p, m, *_ = right_won(score, baseline, beats)
    p, m = (min(max(x, 0.05), 0.95) for x in (p, m))
    return of_shares(p, m)


def won_rounded(score, baseline, beats):
    return tuple(round(x, 2) for x in right_won(score, baseline, beats))


def won_percent(score, baseline, beats):
    p, m, a, b = right_won(score, baseline, beats)
    return 100 * p, 100 * m, a, b


def won_173_times_mean(score, baseline, beats):
    p, m, _, b = right_won(score, baseline, beats)
    return p, m, 400 / math.log(10) * (score - baseline).mean().item(), b


def won_two_numbers(score, baseline, beats):
    return right_won(score, baseline, beats)[:2]


def won_base_ten(score, baseline, beats):
    """The scores as if they were Elo already."""
    return of_shares((1 / (1 + 10 ** (-(score - baseline)))).mean().item(), beats.mean().item())


# ---------------------------------------------------------------- 5b.5 right
def won_loop(score, baseline, beats):
    predicted, measured = 0, 0
    for s, b, w in zip(score.tolist(), baseline.tolist(), beats.tolist(), strict=True):
        predicted += 1 / (1 + math.exp(b - s)) / len(score)
        measured += w / len(score)
    return predicted, measured, elo(predicted), elo(measured)


def won_numpy(score, baseline, beats):
    p = np.mean(1 / (1 + np.exp(baseline.numpy().astype(float) - score.numpy().astype(float))))
    m = np.mean(beats.numpy())
    return p, m, 400 * np.log10(p / (1 - p)), 400 * np.log10(m / (1 - m))


def won_by_logits(score, baseline, beats):
    shares = torch.stack([torch.sigmoid(score.double() - baseline.double()).mean(), beats.double().mean()])
    points = torch.logit(shares) * 400 / math.log(10)
    return [*shares.tolist(), *points.tolist()]


def won_difference_of_logs(score, baseline, beats):
    p = statistics.fmean(torch.exp(F.logsigmoid(score - baseline)).tolist())
    m = statistics.fmean(beats.tolist())
    return p, m, 400 * (math.log10(p) - math.log10(1 - p)), -400 * math.log10(1 / m - 1)


# ---------------------------------------------------------------- 5b.6 wrong
def gap_of(train, test, train_heldout, test_heldout):
    return (train - train_heldout.mean()) - (test - test_heldout.mean())


def stays(gap, most):
    above = [x > most for x in gap.tolist()]
    return next((i for i in range(len(above)) if all(above[i:])), len(above))


def right_apart(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap, stays(gap, most)


def apart_first_above(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap, next((i for i, x in enumerate(gap.tolist()) if x > most), len(gap))


def apart_argmax(train, test, train_heldout, test_heldout, most):
    """0 also where it never happens."""
    gap = gap_of(train, test, train_heldout, test_heldout)
    found = stays(gap, most)
    return gap, 0 if found == len(gap) else found


def apart_or_equal(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap, stays(gap, most - 1e-6)


def apart_last_below(train, test, train_heldout, test_heldout, most):
    gap, parted = right_apart(train, test, train_heldout, test_heldout, most)
    return gap, parted - 1


def apart_from_one(train, test, train_heldout, test_heldout, most):
    gap, parted = right_apart(train, test, train_heldout, test_heldout, most)
    return gap, parted + 1


def apart_minus_one(train, test, train_heldout, test_heldout, most):
    gap, parted = right_apart(train, test, train_heldout, test_heldout, most)
    return gap, -1 if parted == len(gap) else parted


def apart_uncentred(train, test, train_heldout, test_heldout, most):
    return train - test, stays(train - test, most)


def apart_own_means(train, test, train_heldout, test_heldout, most):
    gap = (train - train.mean()) - (test - test.mean())
    return gap, stays(gap, most)


def apart_turned(train, test, train_heldout, test_heldout, most):
    gap = -gap_of(train, test, train_heldout, test_heldout)
    return gap, stays(gap, most)


def apart_absolute(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap, stays(gap.abs(), most)


def apart_crossed(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, test_heldout, train_heldout)
    return gap, stays(gap, most)


def apart_standardised(train, test, train_heldout, test_heldout, most):
    gap = ((train - train_heldout.mean()) / train_heldout.std(correction=0).clamp(min=1e-6)
           - (test - test_heldout.mean()) / test_heldout.std(correction=0).clamp(min=1e-6))
    return gap, stays(gap, most)


def apart_counted(train, test, train_heldout, test_heldout, most):
    """Steps below, wherever they lie."""
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap, len(gap) - int((gap > most).sum())


def apart_since_the_first(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    return gap - gap[0], stays(gap - gap[0], most)


def apart_paired(train, test, train_heldout, test_heldout, most):
    """One difference for each held-out answer."""
    gap = train - test - (train_heldout - test_heldout).mean()
    return gap, stays(gap, most)


def apart_medians(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.median()) - (test - test_heldout.median())
    return gap, stays(gap, most)


def apart_last_stretch(train, test, train_heldout, test_heldout, most):
    """The last stretch above, even if it ends before the end."""
    gap = gap_of(train, test, train_heldout, test_heldout)
    above = (gap > most).tolist()
    while above and not above[-1]:
        above.pop()
    parted = len(above)
    while parted > 0 and above[parted - 1]:
        parted -= 1
    return gap, parted if above else len(gap)


def apart_keeps_growing(train, test, train_heldout, test_heldout, most):
    gap = gap_of(train, test, train_heldout, test_heldout)
    parted = stays(gap, most)
    while 0 < parted < len(gap) - 1 and gap[parted + 1] < gap[parted]:
        parted += 1
    return gap, parted


def apart_at_the_last_step(train, test, train_heldout, test_heldout, most):
    gap, parted = right_apart(train, test, train_heldout, test_heldout, most)
    return gap, min(parted, len(gap) - 1)


def apart_only_train_centred(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - test
    return gap, stays(gap, most)


def apart_list(train, test, train_heldout, test_heldout, most):
    gap, parted = right_apart(train, test, train_heldout, test_heldout, most)
    return gap.tolist(), parted


def apart_in_place(train, test, train_heldout, test_heldout, most):
    train -= train_heldout.mean()
    test -= test_heldout.mean()
    return train - test, stays(train - test, most)


def apart_next_two(train, test, train_heldout, test_heldout, most):
    """Two steps above in a row are enough."""
    gap = gap_of(train, test, train_heldout, test_heldout)
    above = (gap > most).tolist()
    return gap, next((i for i in range(len(above)) if all(above[i:i + 2])), len(above))


# ---------------------------------------------------------------- 5b.6 right
def apart_cumprod(train, test, train_heldout, test_heldout, most):
    gap = train - test - (train_heldout.mean() - test_heldout.mean())
    return gap, len(gap) - int((gap > most).flip(0).long().cumprod(0).sum())


def apart_numpy(train, test, train_heldout, test_heldout, most):
    gap = (train.numpy() - train_heldout.numpy().mean()) - (test.numpy() - test_heldout.numpy().mean())
    low = np.flatnonzero(~(gap > most))
    return torch.from_numpy(gap), int(low[-1]) + 1 if low.size else 0


def apart_nonzero(train, test, train_heldout, test_heldout, most):
    zero = [held.sum() / len(held) for held in (train_heldout, test_heldout)]
    gap = torch.subtract(train - zero[0], test - zero[1])
    below = (gap <= most).nonzero()
    return gap, below.max().item() + 1 if below.numel() else 0


def apart_running_minimum(train, test, train_heldout, test_heldout, most):
    gap = train.double() - train_heldout.double().mean() - test.double() + test_heldout.double().mean()
    lowest_to_come = gap.flip(0).cummin(0).values.flip(0)
    return gap, (lowest_to_come <= most).sum().item()


# ---------------------------------------------------------------- 5b.7 wrong
def line(x, y):
    """Slope and R²."""
    dx, dy = x.double() - x.double().mean(), y.double() - y.double().mean()
    slope = (dx * dy).sum() / (dx * dx).sum()
    return slope.item(), 1 - ((dy - slope * dx) ** 2).sum().item() / (dy ** 2).sum().item()


def right_fit(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first]
    return (*line(kl.sqrt(), score), line(kl, score)[1])


def fit_no_clamp(kl, score, first):
    kl, score = kl[:first].double(), score[:first]
    return (*line(kl.sqrt(), score), line(kl, score)[1])


def fit_absolute(kl, score, first):
    return right_fit(kl.abs(), score, first)


def fit_dropped(kl, score, first):
    kl, score = kl[:first], score[:first]
    return right_fit(kl[kl >= 0], score[kl >= 0], first)


def fit_drop_then_first(kl, score, first):
    """The first `first` of those that are not negative."""
    return right_fit(kl[kl >= 0], score[kl >= 0], first)


def fit_everything(kl, score, first):
    return right_fit(kl, score, len(kl))


def fit_last_steps(kl, score, first):
    return right_fit(kl[-first:], score[-first:], first)


def fit_one_less(kl, score, first):
    return right_fit(kl, score, first - 1)


def fit_one_more(kl, score, first):
    return right_fit(kl, score, first + 1)


def fit_from_step_first(kl, score, first):
    """The steps that come after."""
    return right_fit(kl[first:], score[first:], len(kl))


def fit_no_intercept(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    out = []
    for x in (kl.sqrt(), kl):
        b = (x * score).sum() / (x * x).sum()
        out.append((b.item(), 1 - ((score - b * x) ** 2).sum().item() / ((score - score.mean()) ** 2).sum().item()))
    return *out[0], out[1][1]


def fit_kl_on_score(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    return line(score, kl.sqrt())[0], line(kl.sqrt(), score)[1], line(kl, score)[1]


def fit_correlation(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    r = [torch.corrcoef(torch.stack([x, score]))[0, 1].item() for x in (kl.sqrt(), kl)]
    return line(kl.sqrt(), score)[0], *r


def fit_results_exchanged(kl, score, first):
    b, root, plain = right_fit(kl, score, first)
    return b, plain, root


def fit_slope_of_kl(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first]
    return line(kl, score)[0], line(kl.sqrt(), score)[1], line(kl, score)[1]


def fit_kl_not_clamped(kl, score, first):
    """Only the root needs the clamp, so only there."""
    b, root, _ = right_fit(kl, score, first)
    return b, root, line(kl[:first], score[:first])[1]


def fit_adjusted(kl, score, first):
    b, *r = right_fit(kl, score, first)
    return (b, *(1 - (1 - one) * (first - 1) / (first - 2) for one in r))


def fit_ends(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    far, near = kl.argmax(), kl.argmin()
    b = (score[far] - score[near]) / (kl[far].sqrt() - kl[near].sqrt())
    return b.item(), line(kl.sqrt(), score)[1], line(kl, score)[1]


def fit_sorted(kl, score, first):
    """Along √KL the steps come in order; then the first."""
    order = kl.argsort()
    return right_fit(kl[order], score[order], first)


def fit_two_denominators(kl, score, first):
    """Covariance by n, variance by n - 1."""
    b, *r = right_fit(kl, score, first)
    return b * (first - 1) / first, *r


def fit_spreads(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    return (score.std() / kl.sqrt().std()).item(), line(kl.sqrt(), score)[1], line(kl, score)[1]


def fit_tiny_clamp(kl, score, first):
    """Off 0, for the root's sake."""
    return right_fit(kl.clamp(min=0.01), score, first)


def fit_same_slope(kl, score, first):
    """Along the KL with the slope of √KL."""
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    b, root = line(kl.sqrt(), score)
    dx, dy = kl - kl.mean(), score - score.mean()
    return b, root, 1 - ((dy - b * dx) ** 2).sum().item() / (dy ** 2).sum().item()


def fit_tensors(kl, score, first):
    return tuple(torch.tensor(x) for x in right_fit(kl, score, first))


def fit_shifted_to_zero(kl, score, first):
    """The lowest estimate becomes 0."""
    return right_fit(kl - kl[:first].min(), score, first)


def fit_root_of_the_score(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first].double()
    return line(kl, score.clamp(min=0).sqrt())[0], line(kl, score.clamp(min=0).sqrt())[1], line(kl, score)[1]


def fit_logarithm(kl, score, first):
    kl, score = kl[:first].double().clamp(min=0), score[:first]
    return (*line((1 + kl).log(), score), line(kl, score)[1])


# ---------------------------------------------------------------- 5b.7 right
def fit_polyfit(kl, score, first):
    x, y = np.maximum(kl.numpy().astype(float)[:first], 0), score.numpy().astype(float)[:first]
    out = []
    for along in (np.sqrt(x), x):
        b, a = np.polyfit(along, y, 1)
        out.append((float(b), float(1 - ((y - a - b * along) ** 2).sum() / ((y - y.mean()) ** 2).sum())))
    return out[0][0], out[0][1], out[1][1]


def fit_by_correlation(kl, score, first):
    kl, score = torch.relu(kl[:first]).double(), score[:first].double()
    root = kl ** 0.5
    r, r_kl = (torch.corrcoef(torch.stack([x, score]))[0, 1].item() for x in (root, kl))
    return r * (score.std() / root.std()).item(), r ** 2, r_kl ** 2


def fit_lists(kl, score, first):
    x, y = [max(v, 0.0) for v in kl.tolist()[:first]], score.tolist()[:first]
    root = [math.sqrt(v) for v in x]
    slope = statistics.linear_regression(root, y).slope
    return [slope, statistics.correlation(root, y) ** 2, statistics.correlation(x, y) ** 2]


def fit_lstsq(kl, score, first):
    kl, score = kl.double()[:first].clamp_min(0), score.double()[:first]
    found = []
    for x in (kl.sqrt(), kl):
        design = torch.stack([torch.ones_like(x), x], 1)
        a_b = torch.linalg.lstsq(design, score[:, None]).solution
        left = ((score[:, None] - design @ a_b) ** 2).sum() / ((score - score.mean()) ** 2).sum()
        found.append((a_b[1, 0].item(), 1 - left.item()))
    (slope, r2), (_, r2_kl) = found
    return slope, r2, r2_kl


def fit_single_precision(kl, score, first):
    """As anyone writes it, in the numbers that came in."""
    kl, score = kl[:first].clamp(min=0), score[:first]
    found = []
    for x in (kl.sqrt(), kl):
        b = ((x - x.mean()) * (score - score.mean())).mean() / ((x - x.mean()) ** 2).mean()
        fit = score.mean() + b * (x - x.mean())
        found.append((b.item(), (1 - ((score - fit) ** 2).sum() / ((score - score.mean()) ** 2).sum()).item()))
    return found[0][0], found[0][1], found[1][1]


MUTANTS = {
    "5b.1": [("rows_all_but_red_turned", rows_all_but_red_turned, "In every row the two responses have"),
             ("rows_two_and_up", rows_two_and_up, "Strength 1 drops out, too. Only the"),
             ("rows_only_the_surest", rows_only_the_surest, "Only the clearest comparisons are left."),
             ("rows_red_team_always", rows_red_team_always, "The red team's comparisons are kept"),
             ("rows_without_red_team", rows_without_red_team, "The red team's comparisons are gone. They"),
             ("rows_numbered_anew", rows_numbered_anew, "The rows are numbered anew. The first"),
             ("rows_help_first", rows_help_first, "The rows are right, but not in the order"),
             ("rows_as_often_as_strong", rows_as_often_as_strong, "A comparison comes as often as it is"),
             ("rows_bitwise_not", rows_bitwise_not, "`~` makes -1 of a whole number 0, and -2"),
             ("rows_other_not_turned", rows_other_not_turned, "The third column is not turned round with"),
             ("rows_first_decides", rows_first_decides, "One comparison decides for all. Look at"),
             ("rows_any_red", rows_any_red, "One comparison decides for all. Look at"),
             ("rows_in_place", rows_in_place, "The result is right, but your function"),
             ("rows_empty_is_flat", rows_empty_is_flat, "An empty result keeps its columns: yours"),
             ("rows_across", rows_across, "Rows and columns have changed places: a"),
             ("rows_lower_first", rows_lower_first, "In every row the two responses have"),
             ("rows_list", rows_list, "It returned a list; the next cell needs a"),
             ("rows_strong_first", rows_strong_first, "The rows are right, but not in the order")],
    "5b.2": [("article_exp_log", article_exp_log, "e^1000 is infinite in floating point."),
             ("article_mean_of_all", article_mean_of_all, "Everything is divided by the number of"),
             ("article_weighted_mean", article_weighted_mean, "A weighted mean over all pairs. Each set"),
             ("article_of_each_half", article_of_each_half, "The sum is divided by 1 + λ. Here it is"),
             ("article_red_turned_again", article_red_turned_again, "The red team's pairs are turned round"),
             ("article_lambda_on_help", article_lambda_on_help, "λ weighs help. It belongs to harm: L_help"),
             ("article_empty_is_nan", article_empty_is_nan, "The mean of no pairs is NaN. A set"),
             ("article_empty_is_all_nothing", article_empty_is_all_nothing, ""),
             ("article_bits", article_bits, "In every case, your result is 1 / ln 2"),
             ("article_clamped", article_clamped, ""),
             ("article_bce_of_sigmoid", article_bce_of_sigmoid, ""),
             ("article_small_addend", article_small_addend, ""),
             ("article_hinge", article_hinge, "This cost is 0 as soon as the better one"),
             ("article_help_is_all", article_help_is_all, "L_help is the mean over all pairs. The"),
             ("article_gap_of_means", article_gap_of_means, "The mean of the differences is taken"),
             ("article_detached_bad", article_detached_bad, "The values are right, but no gradient"),
             ("article_plain_number", article_plain_number, "It returned a number; the next cell needs"),
             ("article_sigmoid_only", article_sigmoid_only, "-σ is not -log σ: where the model is very"),
             ("article_lambda_two", article_lambda_two, "This is what comes out if `lam` is always")],
    "5b.3": [("rated_after", rated_after, "The rating stands behind the answer. It"),
             ("rated_good_loser_first", rated_good_loser_first, "Of the loser, too, GOOD stands above BAD."),
             ("rated_all_winners_first", rated_all_winners_first, "First all winners, then all losers. The"),
             ("rated_ties_as_minus_one", rated_ties_as_minus_one, "A tie is read as place -1, which is the"),
             ("rated_ties_as_nought", rated_ties_as_nought, "Ties are kept. Where nobody won there is"),
             ("rated_two_texts", rated_two_texts, "Both examples compare winner and loser."),
             ("rated_winner_only", rated_winner_only, "The second example is missing: BAD loser"),
             ("rated_replaces_first", rated_replaces_first, "The rating takes the place of the"),
             ("rated_loser_is_minus_winner", rated_loser_is_minus_winner, "The other answer is 1 - winner. -winner"),
             ("rated_only_ones", rated_only_ones, "Pairs that answer 0 won are missing: 0 is"),
             ("rated_misaligned", rated_misaligned, ""),
             ("rated_one_and_two", rated_one_and_two, "This is what comes out if `good`, `bad`"),
             ("rated_signs_exchanged", rated_signs_exchanged, "Every example stands upside down: GOOD"),
             ("rated_loser_for_winner", rated_loser_for_winner, "Winner and loser are mixed up."),
             ("rated_one_axis_more", rated_one_axis_more, "Your result has shape (1, 2, 2, 3);"),
             ("rated_empty_is_flat", rated_empty_is_flat, "An empty result keeps its columns: yours"),
             ("rated_sorted_by_winner", rated_sorted_by_winner, "The rows are right, their order is not."),
             ("rated_loser_by_good_first", rated_loser_by_good_first, "The two examples of a pair have changed"),
             ("rated_floats", rated_floats, "It returned a tensor of floats; the next")],
    "5b.4": [("bins_student_chooses", bins_student_chooses, "The bins are of the student's likeliest"),
             ("bins_over_all_places", bins_over_all_places, "The sum is divided by all places, padding"),
             ("bins_rows_alike", bins_rows_alike, "The mean is taken row by row first. Every"),
             ("bins_sum", bins_sum, "A sum over the tokens. Take the mean."),
             ("bins_reversed", bins_reversed, "That is KL(student ‖ teacher). It goes"),
             ("bins_without_rest", bins_without_rest, "The last bin is missing: the probability"),
             ("bins_one_minus", bins_one_minus, "The rest is what is missing from 1"),
             ("bins_one_minus_clamped", bins_one_minus_clamped, "The rest is what is missing from 1, which"),
             ("bins_times_mask", bins_times_mask, "Where the padding holds NaN or -inf, it"),
             ("bins_into_teacher", bins_into_teacher, "A gradient flows into the teacher. It"),
             ("bins_whole_vocabulary", bins_whole_vocabulary, "That is the KL of the whole vocabulary: k"),
             ("bins_one_more", bins_one_more, "One token too many has its own bin."),
             ("bins_one_less", bins_one_less, "One token too few has its own bin: k of"),
             ("bins_renormalised", bins_renormalised, "The kept tokens are normalised among"),
             ("bins_cross_entropy", bins_cross_entropy, "That is the cross-entropy: it is not 0"),
             ("bins_each_by_itself", bins_each_by_itself, "The k largest numbers of each are"),
             ("bins_same_tokens_everywhere", bins_same_tokens_everywhere, "The same k tokens at every place. Each"),
             ("bins_raw_logits", bins_raw_logits, "The student's logits are taken for"),
             ("bins_bits", bins_bits, "In every case, your result is 1 / ln 2"),
             ("bins_per_bin", bins_per_bin, "A mean over the bins, too, as kl_div"),
             ("bins_nought_at_all", bins_nought_at_all, ""),
             ("bins_plain_number", bins_plain_number, "It returned a number; the next cell needs"),
             ("bins_one_place_later", bins_one_place_later, "It stops with an error")],
    "5b.5": [("won_mean_first", won_mean_first, "σ of the mean difference. Take σ for each"),
             ("won_elo_of_each", won_elo_of_each, "Predicted Elo comes from the mean"),
             ("won_natural_log", won_natural_log, "400 times the *natural* logarithm. It is"),
             ("won_log_two", won_log_two, "The logarithm is of base 2. It is log10."),
             ("won_ties_lost", won_ties_lost, "A tie counts as lost. `beats` holds ½ for"),
             ("won_without_ties", won_without_ties, "Ties are left out. Each counts ½: take"),
             ("won_ties_won", won_ties_won, "A tie counts as won. `beats` holds ½ for"),
             ("won_counts_higher", won_counts_higher, "That counts how often the score is"),
             ("won_exchanged", won_exchanged, "That is how often the *baseline* wins."),
             ("won_in_pairs", won_in_pairs, "First both shares, then the Elo points of"),
             ("won_upside_down", won_upside_down, "The sign of Elo is wrong: a winner is"),
             ("won_without_odds", won_without_odds, "400 · log10(p) alone: it is the logarithm"),
             ("won_each_squashed", won_each_squashed, "σ is taken of each score, which has no"),
             ("won_tensors", won_tensors, "Of what it returned, number 1,"),
             ("won_careful", won_careful, ""),
             ("won_rounded", won_rounded, ""),
             ("won_percent", won_percent, "The shares are in percent. They go from 0"),
             ("won_173_times_mean", won_173_times_mean, "Predicted Elo comes from the mean"),
             ("won_two_numbers", won_two_numbers, "You returned 2 values; expected 4."),
             ("won_base_ten", won_base_ten, "Scores are in nats: 1 / (1 + e^-x). A")],
    "5b.6": [("apart_first_above", apart_first_above, "That is the first step above. The gap may"),
             ("apart_argmax", apart_argmax, "If it never stays above, the answer is S,"),
             ("apart_or_equal", apart_or_equal, "Exactly as much is not above."),
             ("apart_last_below", apart_last_below, "That is the last step that is not above."),
             ("apart_from_one", apart_from_one, "Steps are numbered from 0."),
             ("apart_minus_one", apart_minus_one, "If it never stays above, the answer is S,"),
             ("apart_uncentred", apart_uncentred, "The two scales have zeros of their own."),
             ("apart_own_means", apart_own_means, "The mean over the *run* is taken off. It"),
             ("apart_turned", apart_turned, "The sign of the gap is wrong: train minus"),
             ("apart_absolute", apart_absolute, "A test score that lies far *above* is no"),
             ("apart_crossed", apart_crossed, "Each is centred by the other's mean."),
             ("apart_standardised", apart_standardised, "The scores are divided by a spread. Only"),
             ("apart_counted", apart_counted, "The steps that are not above are counted,"),
             ("apart_since_the_first", apart_since_the_first, "The first step is taken for 0. It is the"),
             ("apart_paired", apart_paired, "Two shapes do not fit"),
             ("apart_medians", apart_medians, "The median is not the mean."),
             ("apart_last_stretch", apart_last_stretch, "That is where the last stretch above"),
             ("apart_keeps_growing", apart_keeps_growing, ""),
             ("apart_at_the_last_step", apart_at_the_last_step, "If it never stays above, the answer is S,"),
             ("apart_only_train_centred", apart_only_train_centred, "Only the train model is centred."),
             ("apart_list", apart_list, "Of what it returned, number 1, `gap`, is"),
             ("apart_in_place", apart_in_place, "The result is right, but your function"),
             ("apart_next_two", apart_next_two, "Two steps above in a row are not enough:")],
    "5b.7": [("fit_no_clamp", fit_no_clamp, "The root of a negative number is NaN. An"),
             ("fit_absolute", fit_absolute, "The root of the absolute value: an"),
             ("fit_dropped", fit_dropped, "Steps whose estimate is below 0 are left"),
             ("fit_drop_then_first", fit_drop_then_first, "Steps whose estimate is below 0 are"),
             ("fit_everything", fit_everything, "All steps are fitted. Take the first"),
             ("fit_last_steps", fit_last_steps, "These are the *last* `first` steps. The"),
             ("fit_one_less", fit_one_less, "One step is missing: `first` of them are"),
             ("fit_one_more", fit_one_more, "One step too many: `first` of them are"),
             ("fit_from_step_first", fit_from_step_first, "Something is divided by 0"),
             ("fit_no_intercept", fit_no_intercept, "A line through the origin. It has an"),
             ("fit_kl_on_score", fit_kl_on_score, "Score and KL have changed places: the"),
             ("fit_correlation", fit_correlation, "That is the correlation r. R² is its"),
             ("fit_results_exchanged", fit_results_exchanged, "The two R² have changed places."),
             ("fit_slope_of_kl", fit_slope_of_kl, "The slope is that along the KL. It is"),
             ("fit_kl_not_clamped", fit_kl_not_clamped, "Along the KL, too, what lies below 0"),
             ("fit_adjusted", fit_adjusted, "R² is adjusted for the number of steps."),
             ("fit_ends", fit_ends, "The slope is that of two steps. All of"),
             ("fit_sorted", fit_sorted, "The steps were sorted by KL first. The"),
             ("fit_two_denominators", fit_two_denominators, "Covariance and variance are divided by"),
             ("fit_spreads", fit_spreads, "The slope is the ratio of the spreads."),
             ("fit_tiny_clamp", fit_tiny_clamp, ""),
             ("fit_same_slope", fit_same_slope, ""),
             ("fit_tensors", fit_tensors, "Of what it returned, number 1, `slope`,"),
             ("fit_shifted_to_zero", fit_shifted_to_zero, "The lowest estimate is taken off all."),
             ("fit_root_of_the_score", fit_root_of_the_score, ""),
             ("fit_logarithm", fit_logarithm, "Along log(1 + KL). The line goes along")]
}
RIGHT = {"5b.1": [rows_loop, rows_xor, rows_small_integers, rows_numpy, rows_on_a_copy],
         "5b.2": [article_loop, article_logaddexp, article_with_logits, article_double, article_cross_entropy],
         "5b.3": [rated_lists, rated_filled, rated_gather, rated_numpy],
         "5b.4": [bins_loop, bins_filled, bins_kl_div, bins_double],
         "5b.5": [won_loop, won_numpy, won_by_logits, won_difference_of_logs],
         "5b.6": [apart_cumprod, apart_numpy, apart_nonzero, apart_running_minimum],
         "5b.7": [fit_polyfit, fit_by_correlation, fit_lists, fit_lstsq, fit_single_precision]}
