"""A second set of answers to lesson 05c, made up from the notebook alone: see `lesson_05c.py`."""

import bisect
import itertools
import math
import random
import statistics

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5c.1 wrong
def right_targets(level):
    rows = torch.where(level != 3)[0]
    return rows, (level[rows] < 3).long()


def targets_turned(level):
    rows, target = right_targets(level)
    return rows, 1 - target


def targets_unsure_is_broken(level):
    return torch.arange(len(level)), (level <= 3).long()


def targets_unsure_is_followed(level):
    return torch.arange(len(level)), (level < 3).long()


def targets_definite_only(level):
    rows = ((level == 1) | (level == 5)).nonzero().flatten()
    return rows, (level[rows] == 1).long()


def targets_of_all(level):
    return right_targets(level)[0], (level < 3).long()


def targets_mask(level):
    return level != 3, right_targets(level)[1]


def targets_from_one(level):
    rows, target = right_targets(level)
    return rows + 1, target


def targets_broken_first(level):
    rows, target = right_targets(level)
    return torch.cat([rows[target == 1], rows[target == 0]]), target.sort(descending=True).values


def targets_definitely_broken(level):
    """`probably` is not yet broken."""
    rows = right_targets(level)[0]
    return rows, (level[rows] == 1).long()


def targets_column(level):
    rows = (level != 3).nonzero()
    return rows, (level[rows] < 3).long()


def targets_plus_minus(level):
    rows, target = right_targets(level)
    return rows, 2 * target - 1


def targets_booleans(level):
    rows, target = right_targets(level)
    return rows, target.bool()


def targets_floats(level):
    rows, target = right_targets(level)
    return rows, target.float()


def targets_lists(level):
    rows = [i for i, one in enumerate(level.tolist()) if one != 3]
    return rows, [int(level[i] < 3) for i in rows]


def targets_exchanged(level):
    return right_targets(level)[::-1]


def targets_levels(level):
    return level[level != 3], right_targets(level)[1]


def targets_untyped(level):
    """Without a type an empty list becomes floats."""
    rows = [i for i, one in enumerate(level.tolist()) if one != 3]
    return torch.tensor(rows), torch.tensor([int(level[i] < 3) for i in rows])


def targets_squeezed(level):
    rows = (level != 3).nonzero().squeeze()
    return rows, (level[rows] < 3).long()


def targets_in_place(level):
    rows = (level != 3).nonzero()[:, 0]
    level[level < 3], level[level > 3] = 1, 0
    return rows, level[rows]


def targets_in_place_upside_down(level):
    """The second line changes what the first has written."""
    rows, level = right_targets(level)[0], level.clone()
    level[level > 3] = 0
    level[level < 3] = 1
    return rows, level[rows]


def targets_halves(level):
    rows = right_targets(level)[0]
    return rows, (5 - level[rows]) // 2


def targets_shares(level):
    rows = right_targets(level)[0]
    return rows, (5 - level[rows]) / 4


# ---------------------------------------------------------------- 5c.1 right
def targets_loop(level):
    rows, target = [], []
    for place in range(len(level)):
        if level[place] in (1, 2):
            rows.append(place)
            target.append(1)
        elif level[place] in (4, 5):
            rows.append(place)
            target.append(0)
    return torch.tensor(rows, dtype=torch.int64), torch.tensor(target, dtype=torch.int64)


def targets_isin(level):
    sure = ~torch.isin(level, torch.tensor([3]))
    return torch.arange(level.numel())[sure], torch.isin(level[sure], torch.tensor([1, 2])).int()


def targets_numpy(level):
    level = level.numpy()
    rows = np.flatnonzero(level != 3)
    return torch.from_numpy(rows), torch.from_numpy(np.where(level[rows] > 3, 0, 1))


def targets_looked_up(level):
    table = torch.tensor([-1, 1, 1, -1, 0, 0])
    target = table[level]
    return [torch.argwhere(target >= 0).flatten(), target[target >= 0]]


# ---------------------------------------------------------------- 5c.2 wrong
def sides(score, broken):
    return score[broken == 1].double(), score[broken == 0].double()


def right_area(score, broken):
    yes, no = sides(score, broken)
    return ((yes[:, None] > no).double() + 0.5 * (yes[:, None] == no)).mean().item()


def area_ties_lost(score, broken):
    yes, no = sides(score, broken)
    return (yes[:, None] > no).double().mean().item()


def area_ties_won(score, broken):
    yes, no = sides(score, broken)
    return (yes[:, None] >= no).double().mean().item()


def area_ties_left_out(score, broken):
    yes, no = sides(score, broken)
    more, less = (yes[:, None] > no).sum().item(), (yes[:, None] < no).sum().item()
    return more / max(more + less, 1)


def area_of_followed(score, broken):
    return 1 - right_area(score, broken)


def area_half(score, broken):
    return ((score > 0.5).long() == broken).double().mean().item()


def area_sign(score, broken):
    return ((score > 0).long() == broken).double().mean().item()


def area_above_median(score, broken):
    return ((score > score.median()).long() == broken).double().mean().item()


def area_best_threshold(score, broken):
    return max(((score >= t).long() == broken).double().mean().item() for t in score)


def area_steps_in_order(score, broken):
    """The curve goes up and right one by one, ties as they come."""
    order = score.argsort(descending=True, stable=True)
    hit = broken[order].double()
    return ((hit.cumsum(0) * (1 - hit)).sum() / (hit.sum() * (1 - hit).sum())).item()


def area_ranks_without_ties(score, broken):
    rank = score.argsort(stable=True).argsort().double() + 1
    n = int(broken.sum())
    return ((rank[broken == 1].sum() - n * (n + 1) / 2) / (n * (len(score) - n))).item()


def area_of_all_pairs(score, broken):
    """Divided by N (N - 1) / 2."""
    yes, no = sides(score, broken)
    n = len(score)
    return (((yes[:, None] > no).double() + 0.5 * (yes[:, None] == no)).sum() / (n * (n - 1) / 2)).item()


def area_side_by_side(score, broken):
    yes, no = sides(score, broken)
    n = min(len(yes), len(no))
    return ((yes[:n] > no[:n]).double() + 0.5 * (yes[:n] == no[:n])).mean().item()


def area_soft(score, broken):
    yes, no = sides(score, broken)
    return (yes[:, None] - no).sigmoid().mean().item()


def area_squashed(score, broken):
    """Probabilities first: large scores become ties."""
    return right_area(score.sigmoid(), broken)


def area_count(score, broken):
    yes, no = sides(score, broken)
    return ((yes[:, None] > no).double() + 0.5 * (yes[:, None] == no)).sum().item()


def area_rounded(score, broken):
    return round(right_area(score, broken), 1)


def area_at_least_half(score, broken):
    found = right_area(score, broken)
    return max(found, 1 - found)


def area_hundred_thresholds(score, broken):
    """Thresholds from 0 to 1 in steps of 0.01."""
    yes, no = sides(score, broken)
    points = [tuple((side >= t / 100).double().mean().item() for side in (no, yes)) for t in range(100, -1, -1)]
    points = [(0.0, 0.0), *points, (1.0, 1.0)]
    return sum((b - a) * (u + v) / 2 for (a, u), (b, v) in itertools.pairwise(points))


def area_without_corners(score, broken):
    """The trapezoids between the scores that occur, without the one that begins at (0, 0)."""
    yes, no = sides(score, broken)
    points = [((no >= t).double().mean().item(), (yes >= t).double().mean().item())
              for t in sorted({*score.tolist()}, reverse=True)]
    return sum((b - a) * (u + v) / 2 for (a, u), (b, v) in itertools.pairwise(points))


def area_index_by_label(score, broken):
    """0 and 1 taken for places."""
    yes, no = score[broken], score[1 - broken]
    return ((yes[:, None] > no).double() + 0.5 * (yes[:, None] == no)).mean().item()


def area_average_precision(score, broken):
    hit = broken[score.argsort(descending=True, stable=True)].double()
    return ((hit.cumsum(0) / torch.arange(1, len(hit) + 1)) * hit).sum().item() / hit.sum().item()


def area_gap_of_means(score, broken):
    yes, no = sides(score, broken)
    return (yes.mean() - no.mean()).item()


def area_everybody(score, broken):
    """Also pairs of two broken ones."""
    table = (score[:, None] > score).double() + 0.5 * (score[:, None] == score)
    return table[broken == 1].mean().item()


def area_nearly_equal_is_tie(score, broken):
    yes, no = sides(score, broken)
    gap = yes[:, None] - no
    return torch.where(gap.abs() < 0.01, 0.5, (gap > 0).double()).mean().item()


def area_mean_of_means(score, broken):
    """Each broken one against the mean of the followed."""
    yes, no = sides(score, broken)
    return ((yes > no.mean()).double() + 0.5 * (yes == no.mean())).mean().item()


# ---------------------------------------------------------------- 5c.2 right
def area_loops(score, broken):
    won = pairs = 0
    for s, b in zip(score.tolist(), broken.tolist(), strict=True):
        for t, c in zip(score.tolist(), broken.tolist(), strict=True):
            if b and not c:
                won += 1 if s > t else 0.5 if s == t else 0
                pairs += 1
    return won / pairs


def area_bisect(score, broken):
    yes, no = sides(score, broken)
    no = sorted(no.tolist())
    below = [(bisect.bisect_left(no, s) + bisect.bisect_right(no, s)) / 2 for s in yes.tolist()]
    return statistics.fmean(below) / len(no)


def area_average_ranks(score, broken):
    score, broken = score.double().numpy(), broken.numpy()
    _, place, many = np.unique(score, return_inverse=True, return_counts=True)
    rank = (many.cumsum() - (many - 1) / 2)[place]
    n, m = broken.sum(), (1 - broken).sum()
    return (rank[broken == 1].sum() - n * (n + 1) / 2) / (n * m)


def area_trapezoids(score, broken):
    yes, no = sides(score, broken)
    points = [(0.0, 0.0), *(((no >= t).double().mean().item(), (yes >= t).double().mean().item())
                            for t in sorted({*score.tolist()}, reverse=True))]
    return sum((b - a) * (u + v) / 2 for (a, u), (b, v) in itertools.pairwise(points))


def area_signs(score, broken):
    yes, no = score[broken.bool()], score[~broken.bool()]
    return float((torch.sign(yes.unsqueeze(1) - no.unsqueeze(0)).mean() + 1) / 2)


# ---------------------------------------------------------------- 5c.3 wrong
def places_of(places):
    return torch.tensor(places, dtype=torch.long)


def right_distractors(dialogue, candidates, other, reply, n):
    seen, out = set(candidates), []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and text not in seen:
            seen.add(text)
            out.append(i)
    return places_of(out)


def picked_twice(dialogue, candidates, other, reply, n):
    return places_of([i for i in range(len(reply)) if other[i] != dialogue and reply[i] not in candidates][:n])


def picked_candidates_too(dialogue, candidates, other, reply, n):
    return right_distractors(dialogue, [], other, reply, n)


def picked_own_dialogue(dialogue, candidates, other, reply, n):
    return right_distractors(None, candidates, other, reply, n)


def picked_only_own(dialogue, candidates, other, reply, n):
    return right_distractors(-1, candidates, [-1 if where != dialogue else where for where in other], reply, n)


def picked_last(dialogue, candidates, other, reply, n):
    found = right_distractors(dialogue, candidates, other, reply, len(reply))
    return found[len(found) - min(n, len(found)):]


def picked_from_behind(dialogue, candidates, other, reply, n):
    found = right_distractors(dialogue, candidates, other[::-1], reply[::-1], n)
    return len(reply) - 1 - found


def picked_remembers_all(dialogue, candidates, other, reply, n):
    """A text counts as seen though its reply was passed over."""
    seen, out = set(candidates), []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and text not in seen:
            out.append(i)
        seen.add(text)
    return places_of(out)


def picked_one_more(dialogue, candidates, other, reply, n):
    return right_distractors(dialogue, candidates, other, reply, n + 1)


def picked_one_at_least(dialogue, candidates, other, reply, n):
    """The number is looked at after taking."""
    return right_distractors(dialogue, candidates, other, reply, max(n, 1))


def picked_texts(dialogue, candidates, other, reply, n):
    return places_of([reply[i] for i in right_distractors(dialogue, candidates, other, reply, n)])


def picked_stops_early(dialogue, candidates, other, reply, n):
    """`break` where `continue` was meant."""
    seen, out = set(candidates), []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if where == dialogue or text in seen or len(out) == n:
            break
        seen.add(text)
        out.append(i)
    return places_of(out)


def picked_one_a_dialogue(dialogue, candidates, other, reply, n):
    seen, out = {dialogue}, []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where not in seen and text not in candidates:
            seen.add(where)
            out.append(i)
    return places_of(out)


def picked_among_first_n(dialogue, candidates, other, reply, n):
    return right_distractors(dialogue, candidates, other[:n], reply[:n], n)


def picked_enlarges_candidates(dialogue, candidates, other, reply, n):
    """The list that came in is used as memory."""
    out = []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and text not in candidates:
            candidates.append(text)
            out.append(i)
    return places_of(out)


def picked_untyped(dialogue, candidates, other, reply, n):
    return torch.tensor(right_distractors(dialogue, candidates, other, reply, n).tolist())


def picked_list(dialogue, candidates, other, reply, n):
    return right_distractors(dialogue, candidates, other, reply, n).tolist()


def picked_not_the_last(dialogue, candidates, other, reply, n):
    """Only the text taken just before is remembered."""
    last, out = None, []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and text not in candidates and text != last:
            last = text
            out.append(i)
    return places_of(out)


def picked_by_first_place(dialogue, candidates, other, reply, n):
    """`index` finds the text's first place, wherever that was."""
    return places_of([reply.index(reply[i]) for i in right_distractors(dialogue, candidates, other, reply, n)])


def picked_sorted_texts(dialogue, candidates, other, reply, n):
    texts = sorted({t for w, t in zip(other, reply, strict=True) if w != dialogue} - set(candidates))[:n]
    return places_of([next(i for i, t in enumerate(reply) if t == text and other[i] != dialogue) for text in texts])


def picked_padded(dialogue, candidates, other, reply, n):
    found = right_distractors(dialogue, candidates, other, reply, n).tolist()
    return places_of(found + [-1] * (n - len(found)))


def picked_places_among_candidates(dialogue, candidates, other, reply, n):
    """Places were compared with the candidates' numbers."""
    seen, out = set(), []
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and i not in candidates and text not in seen:
            seen.add(text)
            out.append(i)
    return places_of(out)


def picked_remembers_last_call(dialogue, candidates, other, reply, n, seen=set()):    # noqa: B006
    out = []
    seen.update(candidates)
    for i, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(out) < n and where != dialogue and text not in seen:
            seen.add(text)
            out.append(i)
    return places_of(out)


def picked_by_lot(dialogue, candidates, other, reply, n):
    found = right_distractors(dialogue, candidates, other, reply, len(reply)).tolist()
    return places_of(sorted(random.Random(1).sample(found, min(n, len(found)))))


def picked_from_one(dialogue, candidates, other, reply, n):
    return right_distractors(dialogue, candidates, other, reply, n) + 1


# ---------------------------------------------------------------- 5c.3 right
def picked_first_places(dialogue, candidates, other, reply, n):
    first = {}
    for i, text in enumerate(reply):
        if other[i] != dialogue:
            first.setdefault(text, i)
    return torch.LongTensor([i for text, i in first.items() if text not in candidates][:n])


def picked_while(dialogue, candidates, other, reply, n):
    taken, i = [], 0
    while i < len(reply) and len(taken) < n:
        fresh = all(reply[j] != reply[i] for j in taken)
        if not (other[i] == dialogue or reply[i] in candidates) and fresh:
            taken.append(i)
        i += 1
    return torch.tensor(taken).long()


def picked_islice(dialogue, candidates, other, reply, n):
    def stream():
        used = [*candidates]
        for i, text in enumerate(reply):
            if other[i] != dialogue and used.count(text) == 0:
                used.append(text)
                yield i

    return torch.from_numpy(np.fromiter(itertools.islice(stream(), n), dtype=np.int64))


def picked_from_what_is_left(dialogue, candidates, other, reply, n):
    left = [i for i in range(len(reply)) if other[i] != dialogue and reply[i] not in set(candidates)]
    return torch.tensor([i for k, i in enumerate(left) if reply[i] not in [reply[j] for j in left[:k]]][:n],
                        dtype=torch.int32)


# ---------------------------------------------------------------- 5c.4 wrong
def turns(score, chosen, mask):
    """(scores, place of the chosen one, the others' scores) of each turn."""
    for row, c, real in zip(score, chosen.tolist(), mask, strict=True):
        r = row[real]
        yield r, c, torch.cat([r[:c], r[c + 1:]])


def mean_of(values):
    return torch.stack([*values]).mean()


def choices(score, chosen, mask):
    return mean_of(r.logsumexp(0) - r[c] for r, c, _ in turns(score, chosen, mask))


def pairs_of(score, chosen, mask):
    return mean_of(F.softplus(others - r[c]).mean() for r, c, others in turns(score, chosen, mask))


def centres(score, chosen, mask):
    return mean_of(r.mean() ** 2 for r, *_ in turns(score, chosen, mask))


def right_losses(score, chosen, mask):
    return tuple(part(score, chosen, mask) for part in (choices, pairs_of, centres))


def losses_padding_chosen(score, chosen, mask):
    """The padding has score 0, and with that a probability."""
    _, pairs, centring = right_losses(score, chosen, mask)
    return F.cross_entropy(score.masked_fill(~mask, 0.0), chosen), pairs, centring


def losses_pairs_over_m(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(o - r[c]).sum() / len(r) for r, c, o in turns(score, chosen, mask)), centring


def losses_pair_with_itself(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(r - r[c]).mean() for r, c, _ in turns(score, chosen, mask)), centring


def losses_pair_over_columns(score, chosen, mask):
    """Divided by the width of the table less 1."""
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(o - r[c]).sum() / (mask.shape[1] - 1)
                           for r, c, o in turns(score, chosen, mask)), centring


def losses_pair_sign(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(r[c] - o).mean() for r, c, o in turns(score, chosen, mask)), centring


def losses_pair_sums(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(o - r[c]).sum() for r, c, o in turns(score, chosen, mask)), centring


def losses_pairs_pooled(score, chosen, mask):
    """All pairs of the batch weigh alike."""
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, torch.cat([F.softplus(o - r[c]) for r, c, o in turns(score, chosen, mask)]).mean(), centring


def losses_mean_gap(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus((o - r[c]).mean()) for r, c, o in turns(score, chosen, mask)), centring


def losses_mean_of_squares(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, mean_of((r ** 2).mean() for r, *_ in turns(score, chosen, mask))


def losses_batch_centre(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, mean_of(r.mean() for r, *_ in turns(score, chosen, mask)) ** 2


def losses_centre_over_columns(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, score.masked_fill(~mask, 0.0).mean(1).square().mean()


def losses_centre_of_others(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, mean_of(o.mean() ** 2 for _, _, o in turns(score, chosen, mask))


def losses_variance(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, mean_of(r.var(correction=0) for r, *_ in turns(score, chosen, mask))


def losses_not_squared(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, mean_of(r.mean().abs() for r, *_ in turns(score, chosen, mask))


def losses_sums_over_turns(score, chosen, mask):
    return tuple(len(score) * part for part in right_losses(score, chosen, mask))


def losses_with_lambda(score, chosen, mask):
    choice, pairs, centring = right_losses(score, chosen, mask)
    return choice, pairs, 0.1 * centring


def losses_other_order(score, chosen, mask):
    choice, pairs, centring = right_losses(score, chosen, mask)
    return pairs, choice, centring


def losses_exp_log(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    pairs = mean_of(torch.log(1 + torch.exp(o - r[c])).mean() for r, c, o in turns(score, chosen, mask))
    return choice, pairs, centring


def losses_log_of_softmax(score, chosen, mask):
    _, pairs, centring = right_losses(score, chosen, mask)
    return mean_of(-torch.log(r.softmax(0)[c]) for r, c, _ in turns(score, chosen, mask)), pairs, centring


def losses_misprint(score, chosen, mask):
    choice, _, centring = right_losses(score, chosen, mask)
    pairs = mean_of(torch.log(1 + o.exp() - r[c].exp()).mean() for r, c, o in turns(score, chosen, mask))
    return choice, pairs, centring


def losses_without_log(score, chosen, mask):
    _, pairs, centring = right_losses(score, chosen, mask)
    return mean_of(1 - r.softmax(0)[c] for r, c, _ in turns(score, chosen, mask)), pairs, centring


def losses_minus_hundred(score, chosen, mask):
    """Padding at -100: likelier than a score of -1000."""
    _, pairs, centring = right_losses(score, chosen, mask)
    return F.cross_entropy(score.masked_fill(~mask, -100.0), chosen), pairs, centring


def losses_first_is_chosen(score, chosen, mask):
    return right_losses(score, torch.zeros_like(chosen), mask)


def losses_where_afterwards(score, chosen, mask):
    """The value is right; the gradient is not a number."""
    own = score.gather(1, chosen[:, None])
    others = mask & (torch.arange(mask.shape[1]) != chosen[:, None])
    lost = torch.where(others, F.softplus(score - own), 0.0)
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, (lost.sum(1) / others.sum(1)).mean(), centring


def losses_mask_times(score, chosen, mask):
    choice, pairs, _ = right_losses(score, chosen, mask)
    return choice, pairs, ((score * mask).sum(1) / mask.sum(1)).square().mean()


def losses_others_by_value(score, chosen, mask):
    """Whoever has the chosen one's score is taken for it."""
    choice, _, centring = right_losses(score, chosen, mask)

    def one(r, c):
        other = r[r != r[c]]
        return F.softplus(other - r[c]).mean() if len(other) else 0.0 * r.sum()

    return choice, mean_of(one(r, c) for r, c, _ in turns(score, chosen, mask)), centring


def losses_one_tensor(score, chosen, mask):
    return sum(right_losses(score, chosen, mask))


def losses_each_turn(score, chosen, mask):
    rows = [*turns(score, chosen, mask)]
    return (torch.stack([r.logsumexp(0) - r[c] for r, c, _ in rows]),
            torch.stack([F.softplus(o - r[c]).mean() for r, c, o in rows]),
            torch.stack([r.mean() ** 2 for r, *_ in rows]))


def losses_numbers(score, chosen, mask):
    return tuple(part.item() for part in right_losses(score, chosen, mask))


def losses_best_instead(score, chosen, mask):
    """Compared with the highest of the others only."""
    choice, _, centring = right_losses(score, chosen, mask)
    return choice, mean_of(F.softplus(o.max() - r[c]) for r, c, o in turns(score, chosen, mask)), centring


def losses_choice_over_m(score, chosen, mask):
    _, pairs, centring = right_losses(score, chosen, mask)
    return mean_of((r.logsumexp(0) - r[c]) / len(r) for r, c, _ in turns(score, chosen, mask)), pairs, centring


def losses_capped(score, chosen, mask):
    """Scores are kept within ±50 so that exp holds."""
    return right_losses(score.masked_fill(~mask, 0.0).clamp(-50, 50), chosen, mask)


# ---------------------------------------------------------------- 5c.4 right
def losses_log_softmax(score, chosen, mask):
    safe = torch.where(mask, score, torch.tensor(-1e9))
    at = torch.arange(len(score))
    choice = -safe.log_softmax(1)[at, chosen].mean()
    zero = torch.where(mask, score, torch.zeros(()))
    other = mask.clone()
    other[at, chosen] = False
    pairs = -F.logsigmoid(zero[at, chosen].unsqueeze(1) - zero) * other
    return [choice, (pairs.sum(1) / (mask.sum(1) - 1)).mean(), (zero.sum(1) / mask.sum(1)).pow(2).mean()]


def losses_double(score, chosen, mask):
    return right_losses(score.double(), chosen, mask)


def losses_loop(score, chosen, mask):
    choice = pairs = centring = 0.0
    B = len(score)
    for b in range(B):
        M, c = int(mask[b].sum()), int(chosen[b])
        choice = choice + (torch.logsumexp(score[b, :M], 0) - score[b, c]) / B
        for j in range(M):
            if j != c:
                pairs = pairs + torch.logaddexp(torch.zeros(()), score[b, j] - score[b, c]) / (M - 1) / B
        centring = centring + (sum(score[b, j] for j in range(M)) / M) ** 2 / B
    return choice, pairs, centring


def losses_itself_taken_off(score, chosen, mask):
    """The pair with itself costs ln 2."""
    zero = score.masked_fill(~mask, 0.0)
    own, m = zero.gather(1, chosen.unsqueeze(1)), mask.sum(1)
    cost = (F.softplus(zero - own) * mask).sum(1) - math.log(2)
    choice = torch.logsumexp(zero.masked_fill(~mask, float("-inf")), 1) - own.squeeze(1)
    return choice.mean(), (cost / (m - 1)).mean(), ((zero.sum(1) / m) ** 2).mean()


# ---------------------------------------------------------------- 5c.5 wrong
def right_total(preference, kept, valid, normalise, average):
    spread = preference.std().item() if normalise else 1.0
    liked = (preference - preference.mean()) / spread if normalise else preference
    return liked + (kept.mean(1) if average else kept.sum(1)) - 2.0 * ~valid, spread / (kept.shape[1] if average else 1)


def total_biased(preference, kept, valid, normalise, average):
    n = len(preference)
    narrow = math.sqrt((n - 1) / n) if normalise else 1.0
    rules = kept.mean(1) if average else kept.sum(1)
    spread = preference.std(correction=0)
    liked = (preference - preference.mean()) / spread if normalise else preference
    return liked + rules - 2.0 * ~valid, right_total(preference, kept, valid, normalise, average)[1] * narrow


def total_valid_punished(preference, kept, valid, normalise, average):
    return right_total(preference, kept, ~valid, normalise, average)


def total_less_one(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward + 1.0 * ~valid, cost


def total_plus_two(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward + 4.0 * ~valid, cost


def total_punished_first(preference, kept, valid, normalise, average):
    """The 2 points go off before normalising."""
    return right_total(preference - 2.0 * ~valid, kept, torch.ones_like(valid), normalise, average)


def total_replaced(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return torch.where(valid, reward, -2.0), cost


def total_cost_always_one(preference, kept, valid, normalise, average):
    return right_total(preference, kept, valid, normalise, average)[0], 1.0


def total_cost_without_spread(preference, kept, valid, normalise, average):
    return right_total(preference, kept, valid, normalise, average)[0], 1 / kept.shape[1] if average else 1.0


def total_cost_upside_down(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward, 1 / cost


def total_cost_divided_by_spread(preference, kept, valid, normalise, average):
    reward, _ = right_total(preference, kept, valid, normalise, average)
    return reward, 1 / ((preference.std().item() if normalise else 1.0) * (kept.shape[1] if average else 1))


def total_cost_times_rules(preference, kept, valid, normalise, average):
    reward, _ = right_total(preference, kept, valid, normalise, average)
    return reward, (preference.std().item() if normalise else 1.0) * (kept.shape[1] if average else 1)


def total_cost_without_rules(preference, kept, valid, normalise, average):
    reward, _ = right_total(preference, kept, valid, normalise, average)
    return reward, preference.std().item() if normalise else 1.0


def total_cost_always_spread(preference, kept, valid, normalise, average):
    reward, _ = right_total(preference, kept, valid, normalise, average)
    return reward, preference.std().item() / (kept.shape[1] if average else 1)


def total_cost_over_answers(preference, kept, valid, normalise, average):
    """len(kept) is the number of answers."""
    reward, _ = right_total(preference, kept, valid, normalise, average)
    return reward, (preference.std().item() if normalise else 1.0) / (len(kept) if average else 1)


def total_cost_as_in_the_data(preference, kept, valid, normalise, average):
    """What the rules of these answers cost on average."""
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward, cost * (1 - kept).mean().item()


def total_rules_across(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward - (kept.mean(1) if average else kept.sum(1)) + (kept.mean(0) if average else kept.sum(0)), cost


def total_broken_added(preference, kept, valid, normalise, average):
    return right_total(preference, 1 - kept, valid, normalise, average)


def total_spread_only(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward + (preference.mean() / preference.std() if normalise else 0.0), cost


def total_centred_only(preference, kept, valid, normalise, average):
    liked = preference - preference.mean() if normalise else preference
    return right_total(liked, kept, valid, False, average)


def total_valid_ones_normalised(preference, kept, valid, normalise, average):
    """Mean and deviation of the valid answers."""
    some = preference[valid]
    if not normalise or len(some) < 2 or some.std() == 0:
        return right_total(preference, kept, valid, normalise, average)
    rules = kept.mean(1) if average else kept.sum(1)
    return ((preference - some.mean()) / some.std() + rules - 2.0 * ~valid,
            some.std().item() / (kept.shape[1] if average else 1))


def total_product(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward - kept.sum(1) + kept.prod(1) if not average else reward, cost


def total_all_averaged(preference, kept, valid, normalise, average):
    """The preference as one more of the things averaged."""
    reward, cost = right_total(preference, kept, valid, normalise, False)
    return (reward / (kept.shape[1] + 1), cost) if average else (reward, cost)


def total_in_place(preference, kept, valid, normalise, average):
    spread = preference.std().item() if normalise else 1.0
    if normalise:
        preference -= preference.mean()
        preference /= spread
    preference += kept.mean(1) if average else kept.sum(1)
    preference[~valid] -= 2
    return preference, spread / (kept.shape[1] if average else 1)


def total_epsilon(preference, kept, valid, normalise, average):
    if not normalise:
        return right_total(preference, kept, valid, False, average)
    spread = preference.std().item() + 0.01
    rules = kept.mean(1) if average else kept.sum(1)
    return (preference - preference.mean()) / spread + rules - 2.0 * ~valid, spread / (kept.shape[1] if average else 1)


def total_three_rules(preference, kept, valid, normalise, average):
    reward, cost = right_total(preference, kept, valid, normalise, average)
    return reward, cost * kept.shape[1] / 3 if average else cost


def total_invalid_keeps_no_rules(preference, kept, valid, normalise, average):
    return right_total(preference, kept * valid[:, None], valid, normalise, average)


def total_switches_exchanged(preference, kept, valid, normalise, average):
    return right_total(preference, kept, valid, average, normalise)


def total_variance(preference, kept, valid, normalise, average):
    if not normalise:
        return right_total(preference, kept, valid, False, average)
    spread = preference.var().item()
    rules = kept.mean(1) if average else kept.sum(1)
    return (preference - preference.mean()) / spread + rules - 2.0 * ~valid, spread / (kept.shape[1] if average else 1)


def total_reward_only(preference, kept, valid, normalise, average):
    return right_total(preference, kept, valid, normalise, average)[0]


# ---------------------------------------------------------------- 5c.5 right
def total_loop(preference, kept, valid, normalise, average):
    liked, rules = preference.tolist(), kept.tolist()
    middle, spread = (statistics.fmean(liked), statistics.stdev(liked)) if normalise else (0.0, 1.0)
    reward = []
    for p, q, ok in zip(liked, rules, valid.tolist(), strict=True):
        reward.append((p - middle) / spread + sum(q) / (len(q) if average else 1) - (0 if ok else 2))
    return torch.tensor(reward), spread / len(rules[0]) ** average


def total_numpy(preference, kept, valid, normalise, average):
    p, q = preference.numpy().astype(np.float64), kept.numpy().astype(np.float64)
    cost = 1.0
    if normalise:
        cost, p = p.std(ddof=1), (p - p.mean()) / p.std(ddof=1)
    if average:
        cost = cost / q.shape[1]
    total = p + (q.mean(axis=1) if average else q.sum(axis=1))
    return torch.from_numpy(np.where(valid.numpy(), total, total - 2)), cost


def total_by_weights(preference, kept, valid, normalise, average):
    weight = torch.full((kept.shape[1],), 1 / kept.shape[1] if average else 1.0)
    slope = 1 / preference.std() if normalise else torch.ones(())
    middle = preference.mean() if normalise else torch.zeros(())
    reward = torch.add(slope * (preference - middle), kept @ weight) + 2 * (valid.float() - 1)
    return reward, (weight[0] / slope).item()


def total_tried_out(preference, kept, valid, normalise, average):
    """The cost, by what a rule takes off and what a point adds."""
    R = kept.shape[1]
    spread = torch.sqrt(((preference - preference.mean()) ** 2).sum() / (len(preference) - 1)) if normalise else 1
    reward = preference.clone()
    if normalise:
        reward = (reward - reward.mean()) / spread
    reward = reward + torch.einsum("br->b", kept) * (1 / R if average else 1)
    reward[~valid] -= 2
    return reward, float((1 / R if average else 1) * spread)


# ---------------------------------------------------------------- 5c.6 wrong
def pieces(logits, teacher, token, value, reward, mask):
    """(log π, log teacher, log-probability of each token, advantage), real tokens only."""
    now, then = logits[mask].log_softmax(-1), teacher[mask].log_softmax(-1)
    return now, then, now.gather(1, token[mask][:, None])[:, 0], (reward[:, None] - value)[mask]


def drift_of(now, then):
    return (now.exp() * (now - then)).sum(1)


def right_a2c(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_not_detached(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return (1 - alpha) * (-(gain * taken).mean() + 0.5 * (gain ** 2).mean()) + alpha * drift_of(now, then).mean()


def a2c_both_detached(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value.detach(), reward, mask, alpha)


def a2c_whole_square(logits, teacher, token, value, reward, mask, alpha):
    gain = (reward[:, None] - value)[mask]
    return right_a2c(logits, teacher, token, value, reward, mask, alpha) + (1 - alpha) * 0.5 * (gain ** 2).mean()


def a2c_reversed_kl(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(then, now).mean())


def a2c_kl_of_tokens(logits, teacher, token, value, reward, mask, alpha):
    """log π - log teacher of the token that was drawn."""
    _now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    kl = taken - then.gather(1, token[mask][:, None])[:, 0]
    return (1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean()) + alpha * kl.mean()


def a2c_kl_sign(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            - alpha * drift_of(now, then).mean())


def a2c_kl_mean_of_vocabulary(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * (now.exp() * (now - then)).mean())


def a2c_alpha_exchanged(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, 1 - alpha)


def a2c_critic_outside(logits, teacher, token, value, reward, mask, alpha):
    """1 - α on the policy's part only."""
    gain = (reward[:, None] - value)[mask]
    return right_a2c(logits, teacher, token, value, reward, mask, alpha) + alpha * 0.5 * (gain ** 2).mean()


def a2c_penalty_added(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return -(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean() + alpha * drift_of(now, then).mean()


def a2c_answers_alike(logits, teacher, token, value, reward, mask, alpha):
    rows = [right_a2c(*(x[b:b + 1] for x in (logits, teacher, token, value, reward, mask)), alpha)
            for b in range(len(mask))]
    return torch.stack(rows).mean()


def a2c_sum_of_answer(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, alpha) * mask.sum() / len(mask)


def a2c_all_places(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, alpha) * mask.sum() / mask.numel()


def a2c_sums(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, alpha) * mask.sum()


def a2c_times_mask(logits, teacher, token, value, reward, mask, alpha):
    now, then = logits.log_softmax(-1), teacher.log_softmax(-1)
    taken, gain = now.gather(2, token[..., None])[..., 0], reward[:, None] - value
    each = (1 - alpha) * (0.5 * gain ** 2 - gain.detach() * taken) + alpha * (now.exp() * (now - then)).sum(-1)
    return (each * mask).sum() / mask.sum()


def a2c_where_afterwards(logits, teacher, token, value, reward, mask, alpha):
    """The value is right; NaN in the padding comes back in the gradient."""
    now, then = logits.log_softmax(-1), teacher.log_softmax(-1)
    taken, gain = now.gather(2, token[..., None])[..., 0], reward[:, None] - value
    each = (1 - alpha) * (0.5 * gain ** 2 - gain.detach() * taken) + alpha * (now.exp() * (now - then)).sum(-1)
    return torch.where(mask, each, 0.0).sum() / mask.sum()


def a2c_reward_at_the_end(logits, teacher, token, value, reward, mask, alpha):
    """R at the last token; before it 0."""
    last = mask.sum(1, keepdim=True) - 1 == torch.arange(mask.shape[1])
    now, then, taken, _ = pieces(logits, teacher, token, value, reward, mask)
    gain = (reward[:, None] * last - value)[mask]
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_discounted(logits, teacher, token, value, reward, mask, alpha):
    ahead = (mask.sum(1, keepdim=True) - 1 - torch.arange(mask.shape[1])).clamp(min=0)
    now, then, taken, _ = pieces(logits, teacher, token, value, reward, mask)
    gain = (reward[:, None] * 0.99 ** ahead - value)[mask]
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_whitened(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    white = (gain - gain.mean()) / (gain.std(correction=0) + 1e-8)
    return ((1 - alpha) * (-(white.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_shifted(logits, teacher, token, value, reward, mask, alpha):
    """The logits are shifted once more: place t - 1 for token t."""
    return right_a2c(logits.roll(1, 1), teacher.roll(1, 1), token, value, reward, mask, alpha)


def a2c_reward_repeated(logits, teacher, token, value, reward, mask, alpha):
    """Rewards laid out token by token instead of row by row."""
    spread = reward.repeat(mask.shape[1]).reshape(mask.shape)
    now, then, taken, _ = pieces(logits, teacher, token, value, reward, mask)
    gain = (spread - value)[mask]
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_probabilities(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken.exp()).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_plus(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * ((gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_mean_first(logits, teacher, token, value, reward, mask, alpha):
    """Mean advantage times mean log-probability."""
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-gain.detach().mean() * taken.mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_kl_detached(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * (now.exp().detach() * (now - then)).sum(1).mean())


def a2c_a_tenth(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, 0.1)


def a2c_first_token(logits, teacher, token, value, reward, mask, alpha):
    first = torch.zeros_like(mask)
    first[:, 0] = True
    return right_a2c(logits, teacher, token, value, reward, first, alpha)


def a2c_number(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits, teacher, token, value, reward, mask, alpha).item()


def a2c_raw_logits(logits, teacher, token, value, reward, mask, alpha):
    """Logits taken for log-probabilities."""
    _, _, _, gain = pieces(logits, teacher, token, value, reward, mask)
    taken = logits[mask].gather(1, token[mask][:, None])[:, 0]
    now, then = logits[mask].log_softmax(-1), teacher[mask].log_softmax(-1)
    return ((1 - alpha) * (-(gain.detach() * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


def a2c_without_critic(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return (1 - alpha) * -(gain.detach() * taken).mean() + alpha * drift_of(now, then).mean()


def a2c_clipped_gain(logits, teacher, token, value, reward, mask, alpha):
    now, then, taken, gain = pieces(logits, teacher, token, value, reward, mask)
    return ((1 - alpha) * (-(gain.detach().clamp(-1, 1) * taken).mean() + 0.5 * (gain ** 2).mean())
            + alpha * drift_of(now, then).mean())


# ---------------------------------------------------------------- 5c.6 right
def a2c_loop(logits, teacher, token, value, reward, mask, alpha):
    policy = critic = kl = 0.0
    for b, t in mask.nonzero().tolist():
        now, then = F.log_softmax(logits[b, t], 0), F.log_softmax(teacher[b, t], 0)
        away = reward[b] - value[b, t]
        policy = policy - away.detach() * now[token[b, t]]
        critic = critic + away ** 2 / 2
        kl = kl + (torch.exp(now) * (now - then)).sum()
    n = int(mask.sum())
    return (1 - alpha) * (policy / n + critic / n) + alpha * kl / n


def a2c_distributions(logits, teacher, token, value, reward, mask, alpha):
    now = torch.distributions.Categorical(logits=logits[mask])
    then = torch.distributions.Categorical(logits=teacher[mask])
    returns = reward.unsqueeze(1).expand_as(value)[mask]
    with torch.no_grad():
        advantage = returns - value[mask]
    policy = -(advantage * now.log_prob(token[mask])).mean()
    critic = F.mse_loss(value[mask], returns) / 2
    return (1 - alpha) * (policy + critic) + alpha * torch.distributions.kl_divergence(now, then).mean()


def a2c_filled(logits, teacher, token, value, reward, mask, alpha):
    now, then = (x.masked_fill(~mask[:, :, None], 0.0).log_softmax(-1) for x in (logits, teacher))
    value, n = value.masked_fill(~mask, 0.0), mask.sum()
    gain = (reward[:, None] - value) * mask
    policy = -(gain.detach() * now.gather(-1, token[..., None]).squeeze(-1)).sum() / n
    drift = (F.kl_div(then, now, reduction="none", log_target=True).sum(-1) * mask).sum() / n
    return alpha * drift + (1 - alpha) * policy + (1 - alpha) * 0.5 * (gain * gain).sum() / n


def a2c_cross_entropy(logits, teacher, token, value, reward, mask, alpha):
    rows = reward.repeat_interleave(mask.sum(1)) - value[mask]
    minus_taken = F.cross_entropy(logits[mask], token[mask], reduction="none")
    p = logits[mask].softmax(-1)
    drift = F.kl_div(teacher[mask].log_softmax(-1), p, reduction="batchmean")
    return torch.lerp((rows.data * minus_taken).mean() + 0.5 * rows.pow(2).mean(), drift, alpha)


def a2c_double(logits, teacher, token, value, reward, mask, alpha):
    return right_a2c(logits.double(), teacher.double(), token, value.double(), reward.double(), mask, alpha)


# ---------------------------------------------------------------- 5c.7 wrong
def right_rerank(preference, kept):
    score = (preference - preference.mean()).sigmoid() * kept.double().log().mean(1).exp().to(kept.dtype)
    return score.tolist().index(score.max().item()), score


def with_rules(preference, rules):
    score = (preference - preference.mean()).sigmoid() * rules
    return score.tolist().index(score.max().item()), score


def with_first(first, kept):
    score = first * kept.double().log().mean(1).exp().float()
    return score.tolist().index(score.max().item()), score


def rerank_arithmetic(preference, kept):
    return with_rules(preference, kept.mean(1))


def rerank_no_root(preference, kept):
    return with_rules(preference, kept.prod(1))


def rerank_sum_of_logs(preference, kept):
    return with_rules(preference, kept.log().sum(1))


def rerank_root_of_answers(preference, kept):
    return with_rules(preference, kept.prod(1) ** (1 / len(kept)))


def rerank_square_root(preference, kept):
    return with_rules(preference, kept.prod(1).sqrt())


def rerank_worst_rule(preference, kept):
    return with_rules(preference, kept.min(1).values)


def rerank_harmonic(preference, kept):
    return with_rules(preference, kept.shape[1] / (1 / kept).sum(1))


def rerank_logs_clamped(preference, kept):
    """A probability of 0 is lifted a little, for the logarithm."""
    return with_rules(preference, kept.clamp(min=1e-6).log().mean(1).exp())


def rerank_broken(preference, kept):
    return with_rules(preference, (1 - kept).prod(1) ** (1 / kept.shape[1]))


def rerank_other_axis(preference, kept):
    return with_rules(preference, kept.prod(0) ** (1 / kept.shape[0]))


def rerank_exps(preference, kept):
    e, middle = preference.exp(), preference.mean().exp()
    return with_first(e / (e + middle), kept)


def rerank_softmax(preference, kept):
    return with_first(preference.softmax(0), kept)


def rerank_mean_of_exps(preference, kept):
    """The mean of the eʳ, not e to the mean."""
    low = preference - preference.max()
    return with_first(low.exp() / (low.exp() + low.exp().mean()), kept)


def rerank_mean_of_others(preference, kept):
    n = len(preference)
    others = (preference.sum() - preference) / max(n - 1, 1) if n > 1 else preference
    return with_first((preference - others).sigmoid(), kept)


def rerank_uncentred(preference, kept):
    return with_first(preference.sigmoid(), kept)


def rerank_median(preference, kept):
    return with_first((preference - preference.median()).sigmoid(), kept)


def rerank_standardised(preference, kept):
    spread = preference.std(correction=0)
    return with_first(((preference - preference.mean()) / (spread if spread > 0 else 1)).sigmoid(), kept)


def rerank_sum_of_both(preference, kept):
    score = (preference - preference.mean()).sigmoid() + kept.double().log().mean(1).exp().float()
    return score.tolist().index(score.max().item()), score


def rerank_liked_best(preference, kept):
    return preference.tolist().index(preference.max().item()), right_rerank(preference, kept)[1]


def rerank_last_of_equals(preference, kept):
    score = right_rerank(preference, kept)[1]
    return len(score) - 1 - score.tolist()[::-1].index(score.max().item()), score


def rerank_sorted(preference, kept):
    score = right_rerank(preference, kept)[1]
    return right_rerank(preference, kept)[0], score.sort(descending=True).values


def rerank_from_one(preference, kept):
    best, score = right_rerank(preference, kept)
    return best + 1, score


def rerank_lowest(preference, kept):
    score = right_rerank(preference, kept)[1]
    return score.tolist().index(score.min().item()), score


def rerank_turned(preference, kept):
    return right_rerank(-preference, kept)


def rerank_other_order(preference, kept):
    return right_rerank(preference, kept)[::-1]


def rerank_list(preference, kept):
    best, score = right_rerank(preference, kept)
    return best, score.tolist()


def rerank_normalised(preference, kept):
    """Scores sum to 1."""
    best, score = right_rerank(preference, kept)
    return best, score / score.sum() if score.sum() > 0 else score


def rerank_clamped(preference, kept):
    return right_rerank(preference.clamp(-20, 20), kept)


def rerank_best_score(preference, kept):
    _best, score = right_rerank(preference, kept)
    return score.max().item(), score


def rerank_twelfth_root(preference, kept):
    return with_rules(preference, kept.prod(1) ** (1 / 12))


# ---------------------------------------------------------------- 5c.7 right
def rerank_loop(preference, kept):
    middle = sum(preference.tolist()) / len(preference)
    score, best = [], 0
    for i, (r, row) in enumerate(zip(preference.tolist(), kept.tolist(), strict=True)):
        gap = min(max(r - middle, -700), 700)
        score.append(1 / (1 + math.exp(-gap)) * math.prod(row) ** (1 / len(row)))
        if score[i] > score[best]:
            best = i
    return best, torch.tensor(score)


def rerank_logs(preference, kept):
    score = torch.exp(F.logsigmoid(preference - preference.mean()) + torch.log(kept).mean(dim=1))
    return max(range(len(score)), key=lambda i: score[i].item()), score


def rerank_divided_through(preference, kept):
    score = kept.prod(-1).pow(1 / kept.size(-1)) / (1 + torch.exp(preference.mean() - preference))
    return (score == score.max()).nonzero()[0].item(), score


def rerank_numpy(preference, kept):
    r, q = preference.numpy().astype(np.float64), kept.numpy().astype(np.float64)
    score = np.prod(q, axis=1) ** (1 / q.shape[1]) * (1 + np.tanh((r - r.mean()) / 2)) / 2
    return int(score.argmax()), torch.from_numpy(score)


def rerank_softmax_of_two(preference, kept):
    two = torch.stack([preference, preference.mean().expand_as(preference)], 1)
    geometric = (kept ** (1 / kept.shape[1])).prod(1)
    score = two.softmax(1)[:, 0] * geometric
    return torch.argmax(score).item(), score


MUTANTS = {
    "5c.1": [("targets_turned", targets_turned, "The labels are upside down: 1 is for a"),
             ("targets_unsure_is_broken", targets_unsure_is_broken, "Level 3, unsure, was taken for a broken"),
             ("targets_unsure_is_followed", targets_unsure_is_followed, "Level 3, unsure, was taken for a followed"),
             ("targets_definite_only", targets_definite_only, "Only the definite levels are left."),
             ("targets_of_all", targets_of_all, "`target` has a number for every label. It"),
             ("targets_mask", targets_mask, "`rows` is a mask, True or False for every"),
             ("targets_from_one", targets_from_one, "The places are counted from 1. They are"),
             ("targets_broken_first", targets_broken_first, "The broken ones come first. Keep the"),
             ("targets_definitely_broken", targets_definitely_broken, 'Only "definitely broken" counts as'),
             ("targets_column", targets_column, "`.nonzero()` gives a column, [M, 1]. Take"),
             ("targets_plus_minus", targets_plus_minus, "A followed rule is -1 here. It is 0."),
             ("targets_booleans", targets_booleans, "Of what it returned, number 2, `target`,"),
             ("targets_floats", targets_floats, "Of what it returned, number 2, `target`,"),
             ("targets_lists", targets_lists, "Of what it returned, number 1, `rows`, is"),
             ("targets_exchanged", targets_exchanged, "The two results are exchanged: first the"),
             ("targets_levels", targets_levels, "`rows` holds the levels. Wanted are their"),
             ("targets_untyped", targets_untyped, "Of what it returned, number 1, `rows`, is"),
             ("targets_squeezed", targets_squeezed, "Where a single label is left, .squeeze()"),
             ("targets_in_place", targets_in_place, "The result is right, but your function"),
             ("targets_in_place_upside_down", targets_in_place_upside_down, "`target` is 1 everywhere: a second line"),
             ("targets_halves", targets_halves, ""),
             ("targets_shares", targets_shares, "`target` is graded. A rule counts as")],
    "5c.2": [("area_ties_lost", area_ties_lost, "A tie counts for nothing. It counts half."),
             ("area_ties_won", area_ties_won, "A tie counts as a whole win. It counts"),
             ("area_ties_left_out", area_ties_left_out, "Ties are left out of the pairs. They are"),
             ("area_of_followed", area_of_followed, "The pairs are the wrong way round: the"),
             ("area_half", area_half, "This is accuracy at one threshold. The"),
             ("area_sign", area_sign, "This is accuracy at one threshold. The"),
             ("area_above_median", area_above_median, "This is accuracy at one threshold. The"),
             ("area_best_threshold", area_best_threshold, "This is accuracy at one threshold. The"),
             ("area_steps_in_order", area_steps_in_order, "Ties are taken in the order in which they"),
             ("area_ranks_without_ties", area_ranks_without_ties, "Ties are taken in the order in which they"),
             ("area_of_all_pairs", area_of_all_pairs, "Divided by all pairs of answers. Only a"),
             ("area_side_by_side", area_side_by_side, "Each answer is compared with one other."),
             ("area_soft", area_soft, "How far the scores lie apart does not"),
             ("area_squashed", area_squashed, "σ rounds large scores to 1, which makes"),
             ("area_count", area_count, "That is how many pairs. Wanted is their"),
             ("area_rounded", area_rounded, "The result is rounded. Return it with all"),
             ("area_at_least_half", area_at_least_half, "It never falls below one half. Whoever"),
             ("area_hundred_thresholds", area_hundred_thresholds, "The thresholds go from 0 to 1 in steps."),
             ("area_without_corners", area_without_corners, ""),
             ("area_index_by_label", area_index_by_label, "0 and 1 are taken for places:"),
             ("area_average_precision", area_average_precision, "This is average precision, the area under"),
             ("area_gap_of_means", area_gap_of_means, "This is how far the mean scores lie"),
             ("area_everybody", area_everybody, "Broken ones are compared with broken"),
             ("area_nearly_equal_is_tie", area_nearly_equal_is_tie, "Scores that hardly differ are taken for"),
             ("area_mean_of_means", area_mean_of_means, "")],
    "5c.3": [("picked_twice", picked_twice, "The same text was taken twice. Each text"),
             ("picked_candidates_too", picked_candidates_too, "A reply that a candidate says, too, was"),
             ("picked_own_dialogue", picked_own_dialogue, "A reply of the same dialogue was taken."),
             ("picked_only_own", picked_only_own, "The condition is the wrong way round:"),
             ("picked_last", picked_last, "They were looked at from the end. Go in"),
             ("picked_from_behind", picked_from_behind, "They were looked at from the end. Go in"),
             ("picked_remembers_all", picked_remembers_all, "A text is refused because a reply that"),
             ("picked_one_more", picked_one_more, "One too many was taken: stop at n."),
             ("picked_one_at_least", picked_one_at_least, "n is looked at only after one was taken:"),
             ("picked_texts", picked_texts, "These are the replies themselves. Wanted"),
             ("picked_stops_early", picked_stops_early, "It stops at the first that will not do."),
             ("picked_one_a_dialogue", picked_one_a_dialogue, "Only one reply of each other dialogue was"),
             ("picked_among_first_n", picked_among_first_n, "Only the first n were looked at. Go on"),
             ("picked_enlarges_candidates", picked_enlarges_candidates, "The result is right, but your function"),
             ("picked_untyped", picked_untyped, "It returned a tensor of floats; the next"),
             ("picked_list", picked_list, "It returned a list; the next cell needs a"),
             ("picked_not_the_last", picked_not_the_last, "A text is compared with the one taken"),
             ("picked_by_first_place", picked_by_first_place, "`index` finds where a text stands first,"),
             ("picked_sorted_texts", picked_sorted_texts, "They are sorted by their texts. Take them"),
             ("picked_padded", picked_padded, "Filled up with -1. Where there are fewer"),
             ("picked_places_among_candidates", picked_places_among_candidates, ""),
             ("picked_remembers_last_call", picked_remembers_last_call, ""),
             ("picked_by_lot", picked_by_lot, ""),
             ("picked_from_one", picked_from_one, "The places are counted from 1. Count from")],
    "5c.4": [("losses_padding_chosen", losses_padding_chosen, "`choice`: the padding takes part in the"),
             ("losses_pairs_over_m", losses_pairs_over_m, "`pairs` is divided by M. There are M - 1"),
             ("losses_pair_with_itself", losses_pair_with_itself, "`pairs` compares the chosen one with"),
             ("losses_pair_over_columns", losses_pair_over_columns, "`pairs` is divided by the width of the"),
             ("losses_pair_sign", losses_pair_sign, "`pairs` has the wrong sign inside: the"),
             ("losses_pair_sums", losses_pair_sums, "`pairs` is a sum over the others. It is"),
             ("losses_pairs_pooled", losses_pairs_pooled, "`pairs` is a mean over all pairs of the"),
             ("losses_mean_gap", losses_mean_gap, "`pairs` compares with the mean of the"),
             ("losses_mean_of_squares", losses_mean_of_squares, "`centring` is the mean of the squares:"),
             ("losses_batch_centre", losses_batch_centre, "`centring` is the square of the whole"),
             ("losses_centre_over_columns", losses_centre_over_columns, "`centring`: the mean is taken over the"),
             ("losses_centre_of_others", losses_centre_of_others, "`centring` leaves out the chosen one. It"),
             ("losses_variance", losses_variance, "`centring` is the variance of a turn. It"),
             ("losses_not_squared", losses_not_squared, "`centring` is the absolute mean. It is"),
             ("losses_sums_over_turns", losses_sums_over_turns, "In every case, your result is too large"),
             ("losses_with_lambda", losses_with_lambda, "`centring` is weighed already. Return it"),
             ("losses_other_order", losses_other_order, "`choice` and `pairs` have changed places."),
             ("losses_exp_log", losses_exp_log, "`pairs`: e^1000 is infinite in floating"),
             ("losses_log_of_softmax", losses_log_of_softmax, "`choice`: a probability of e^-1000 is 0"),
             ("losses_misprint", losses_misprint, "`pairs` is log(1 + e^bad - e^good), the"),
             ("losses_without_log", losses_without_log, "`choice` is one minus the probability. It"),
             ("losses_minus_hundred", losses_minus_hundred, "`choice`: the number in the padding is"),
             ("losses_first_is_chosen", losses_first_is_chosen, "The first candidate is always taken for"),
             ("losses_where_afterwards", losses_where_afterwards, "The values are right, but the gradient in"),
             ("losses_mask_times", losses_mask_times, "Where the padding holds NaN or -inf, it"),
             ("losses_others_by_value", losses_others_by_value, "`pairs`: whoever has the chosen one's"),
             ("losses_one_tensor", losses_one_tensor, "The three are added up. Return them"),
             ("losses_each_turn", losses_each_turn, "One number for all is wanted; yours has"),
             ("losses_numbers", losses_numbers, "Of what it returned, number 1, `choice`,"),
             ("losses_best_instead", losses_best_instead, "`pairs` looks at the strongest rival"),
             ("losses_choice_over_m", losses_choice_over_m, "`choice` is divided by M. It is one"),
             ("losses_capped", losses_capped, "")],
    "5c.5": [("total_biased", total_biased, "The standard deviation divides by B. Here"),
             ("total_valid_punished", total_valid_punished, "The *valid* turns pay 2. Those that are"),
             ("total_less_one", total_less_one, "1 is taken off. It is 2."),
             ("total_plus_two", total_plus_two, "2 is added where the turn is not valid."),
             ("total_punished_first", total_punished_first, "The 2 go off before normalising, which"),
             ("total_replaced", total_replaced, "What is no valid turn gets -2 and nothing"),
             ("total_cost_always_one", total_cost_always_one, "`cost` is always 1. That holds of the raw"),
             ("total_cost_without_spread", total_cost_without_spread, "`cost` forgets the normalising: one point"),
             ("total_cost_upside_down", total_cost_upside_down, "`cost` is upside down: that is how much"),
             ("total_cost_divided_by_spread", total_cost_divided_by_spread, "`cost` divides by the spread. Raw points"),
             ("total_cost_times_rules", total_cost_times_rules, "`cost` is multiplied by R. In a mean of R"),
             ("total_cost_without_rules", total_cost_without_rules, "`cost` forgets the mean: there a rule is"),
             ("total_cost_always_spread", total_cost_always_spread, "`cost` has the spread in it even where"),
             ("total_cost_over_answers", total_cost_over_answers, "`cost` is divided by B, the number of"),
             ("total_cost_as_in_the_data", total_cost_as_in_the_data, ""),
             ("total_rules_across", total_rules_across, "Two shapes do not fit"),
             ("total_broken_added", total_broken_added, "This pays for breaking rules: `kept`"),
             ("total_spread_only", total_spread_only, "The mean is not taken off before dividing"),
             ("total_centred_only", total_centred_only, "The mean is taken off, but the spread"),
             ("total_valid_ones_normalised", total_valid_ones_normalised, "Mean and spread are those of the valid"),
             ("total_product", total_product, "The rules are multiplied"),
             ("total_all_averaged", total_all_averaged, "With `average` the preference is"),
             ("total_in_place", total_in_place, "The result is right, but your function"),
             ("total_epsilon", total_epsilon, ""),
             ("total_three_rules", total_three_rules, ""),
             ("total_invalid_keeps_no_rules", total_invalid_keeps_no_rules, ""),
             ("total_switches_exchanged", total_switches_exchanged, "`normalise` and `average` have changed"),
             ("total_variance", total_variance, "Divided by the variance. Divide by its"),
             ("total_reward_only", total_reward_only, "It returned a tensor of floats; the next")],
    "5c.6": [("a2c_not_detached", a2c_not_detached, "A gradient flows through the advantage:"),
             ("a2c_both_detached", a2c_both_detached, "The critic does not learn: its own loss"),
             ("a2c_whole_square", a2c_whole_square, "The ½ of the critic's part is missing."),
             ("a2c_reversed_kl", a2c_reversed_kl, "The KL is the wrong way round: this is"),
             ("a2c_kl_of_tokens", a2c_kl_of_tokens, "The KL looks at the sampled token only."),
             ("a2c_kl_sign", a2c_kl_sign, "The KL has the wrong sign: this drives"),
             ("a2c_kl_mean_of_vocabulary", a2c_kl_mean_of_vocabulary, "The KL is a mean over the vocabulary. It"),
             ("a2c_alpha_exchanged", a2c_alpha_exchanged, "α and 1 - α are exchanged: α is the"),
             ("a2c_critic_outside", a2c_critic_outside, "The critic's part stands outside of 1 -"),
             ("a2c_penalty_added", a2c_penalty_added, "The factor 1 - α is missing."),
             ("a2c_answers_alike", a2c_answers_alike, "First a mean in each response, then over"),
             ("a2c_sum_of_answer", a2c_sum_of_answer, "Summed over tokens, divided by the batch."),
             ("a2c_all_places", a2c_all_places, "The padding counts in the mean. Divide by"),
             ("a2c_sums", a2c_sums, "A sum over the tokens. Wanted is the mean"),
             ("a2c_times_mask", a2c_times_mask, "Multiplying by the mask leaves NaN: 0 ·"),
             ("a2c_where_afterwards", a2c_where_afterwards, "The values are right, but the gradient in"),
             ("a2c_reward_at_the_end", a2c_reward_at_the_end, "R stands at the last token only, and 0"),
             ("a2c_discounted", a2c_discounted, "R is discounted towards the beginning."),
             ("a2c_whitened", a2c_whitened, "The advantages are whitened, as in PPO."),
             ("a2c_shifted", a2c_shifted, "Logits are shifted by one place. They"),
             ("a2c_reward_repeated", a2c_reward_repeated, "Rewards are laid out token by token, so"),
             ("a2c_probabilities", a2c_probabilities, "The policy's part has the probability. It"),
             ("a2c_plus", a2c_plus, "The policy's part has the wrong sign:"),
             ("a2c_mean_first", a2c_mean_first, "The mean advantage times the mean"),
             ("a2c_kl_detached", a2c_kl_detached, "The KL's gradient lacks a part: π is in"),
             ("a2c_a_tenth", a2c_a_tenth, "0.1 is written into it. Use `alpha`."),
             ("a2c_first_token", a2c_first_token, "Only the first token of each response"),
             ("a2c_number", a2c_number, "It returned a number; the next cell needs"),
             ("a2c_raw_logits", a2c_raw_logits, "The policy's part has the logit. It is"),
             ("a2c_without_critic", a2c_without_critic, "The critic's part is missing."),
             ("a2c_clipped_gain", a2c_clipped_gain, "")],
    "5c.7": [("rerank_arithmetic", rerank_arithmetic, "This is the arithmetic mean: a broken"),
             ("rerank_no_root", rerank_no_root, "The product lacks its root: more rules"),
             ("rerank_sum_of_logs", rerank_sum_of_logs, "The logarithms are added up, and e to"),
             ("rerank_root_of_answers", rerank_root_of_answers, "The N-th root is taken, N the number of"),
             ("rerank_square_root", rerank_square_root, "The square root is taken. It is the R-th"),
             ("rerank_worst_rule", rerank_worst_rule, "Only the rule that is kept worst counts."),
             ("rerank_harmonic", rerank_harmonic, "This is the harmonic mean. Take the"),
             ("rerank_logs_clamped", rerank_logs_clamped, "Something small was added to `kept`."),
             ("rerank_broken", rerank_broken, "`kept` already is the probability that a"),
             ("rerank_other_axis", rerank_other_axis, ""),
             ("rerank_exps", rerank_exps, "One of the numbers is NaN, so it can"),
             ("rerank_softmax", rerank_softmax, "This is a softmax over the candidates."),
             ("rerank_mean_of_exps", rerank_mean_of_exps, "The mean of the e^r is taken. It is e to"),
             ("rerank_mean_of_others", rerank_mean_of_others, "The mean leaves the candidate itself out."),
             ("rerank_uncentred", rerank_uncentred, "The mean of the candidates is missing: a"),
             ("rerank_median", rerank_median, "Each is compared with the median"),
             ("rerank_standardised", rerank_standardised, "The preferences are divided by their"),
             ("rerank_sum_of_both", rerank_sum_of_both, "The factors are added: to be liked makes"),
             ("rerank_liked_best", rerank_liked_best, "`best` is the best liked. It is the one"),
             ("rerank_last_of_equals", rerank_last_of_equals, "Of two that are equally good the later"),
             ("rerank_sorted", rerank_sorted, "`score` is sorted. It goes with the"),
             ("rerank_from_one", rerank_from_one, "`best` is counted from 1. Count from 0."),
             ("rerank_lowest", rerank_lowest, "`best` is the one of the lowest score."),
             ("rerank_turned", rerank_turned, "The preference is turned round: what is"),
             ("rerank_other_order", rerank_other_order, "The two results are exchanged: first the"),
             ("rerank_list", rerank_list, "Of what it returned, number 2, `score`,"),
             ("rerank_normalised", rerank_normalised, "`score` is divided by its sum. Return"),
             ("rerank_clamped", rerank_clamped, ""),
             ("rerank_best_score", rerank_best_score, "`best` is the highest score. Wanted is"),
             ("rerank_twelfth_root", rerank_twelfth_root, "")]
}
RIGHT = {"5c.1": [targets_loop, targets_isin, targets_numpy, targets_looked_up],
         "5c.2": [area_loops, area_bisect, area_average_ranks, area_trapezoids, area_signs],
         "5c.3": [picked_first_places, picked_while, picked_islice, picked_from_what_is_left],
         "5c.4": [losses_log_softmax, losses_double, losses_loop, losses_itself_taken_off],
         "5c.5": [total_loop, total_numpy, total_by_weights, total_tried_out],
         "5c.6": [a2c_loop, a2c_distributions, a2c_filled, a2c_cross_entropy, a2c_double],
         "5c.7": [rerank_loop, rerank_logs, rerank_divided_through, rerank_numpy, rerank_softmax_of_two]}
