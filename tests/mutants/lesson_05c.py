"""Answers to lesson 05c as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the notebook's text.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5c.1
def unsure_is_fine(level):
    return torch.arange(len(level)), (level <= 2).int().long()


def half_is_broken(level):
    return torch.arange(len(level)), 1 * (level < 4)


def upside_down(level):
    rows = torch.where(level != 3)[0]
    return rows, (level[rows] >= 4).long()


def surest_only(level):
    rows = torch.where((level - 3).abs() == 2)[0]
    return rows, (level[rows] == 1).long()


def minus_hundred(level):
    target = (level < 3).long()
    target[level == 3] = -100
    return torch.arange(len(level)), target


def targets_of_all(level):
    return torch.where(level != 3)[0], (level < 3).long()


def from_one(level):
    rows = [i + 1 for i, x in enumerate(level.tolist()) if x != 3]
    return torch.tensor(rows, dtype=torch.long), torch.tensor([int(x < 3) for x in level.tolist() if x != 3],
                                                              dtype=torch.long)


def levels_kept(level):
    rows = torch.where(level != 3)[0]
    return rows, level[rows]


def mask_for_rows(level):
    return level != 3, (level[level != 3] < 3).long()


def target_first(level):
    rows = torch.where(level != 3)[0]
    return (level[rows] < 3).long(), rows


def only_one_is_broken(level):
    rows = torch.where(level != 3)[0]
    return rows, torch.where(level[rows] == 1, 1, 0)


def by_list(level):
    pairs = [(i, int(x in (1, 2))) for i, x in enumerate(level.tolist()) if x in (1, 2, 4, 5)]
    return (torch.tensor([i for i, _ in pairs], dtype=torch.int64),
            torch.tensor([t for _, t in pairs], dtype=torch.int64))


def by_sign(level):
    rows = torch.nonzero(level - 3).flatten()
    return rows, (1 - torch.sign(level[rows] - 3)) // 2


# ---------------------------------------------------------------- 5c.2
def pairs_of(score, broken):
    return [(a, b) for a, x in zip(score.tolist(), broken.tolist(), strict=True) if x
            for b, y in zip(score.tolist(), broken.tolist(), strict=True) if not y]


def share(score, broken, win):
    pairs = pairs_of(score, broken)
    return sum(win(a, b) for a, b in pairs) / len(pairs)


def ties_win(score, broken):
    return share(score, broken, lambda a, b: a >= b)


def ties_lose(score, broken):
    return share(score, broken, lambda a, b: a > b)


def followed_first(score, broken):
    return share(score, broken, lambda a, b: (b > a) + (a == b) / 2)


def threshold_half(score, broken):
    return ((score > 0.5).long() == broken).float().mean().item()


def threshold_zero(score, broken):
    return ((score > 0).long() == broken).float().mean().item()


def over_everybody(score, broken):
    n = len(score)
    return sum((a > b) + (a == b) / 2 for a, b in pairs_of(score, broken)) / (n * (n - 1) / 2)


def over_n(score, broken):
    return sum((a > b) + (a == b) / 2 for a, b in pairs_of(score, broken)) / len(score)


def gap_of_means(score, broken):
    return float(score[broken.bool()].mean() - score[~broken.bool()].mean())


def gini(score, broken):
    return share(score, broken, lambda a, b: (a > b) - (a < b))


def percent(score, broken):
    return 100 * share(score, broken, lambda a, b: (a > b) + (a == b) / 2)


def in_step(score, broken):
    yes, no = score[broken == 1], score[broken == 0]
    n = min(len(yes), len(no))
    return ((yes[:n] > no[:n]).float() + 0.5 * (yes[:n] == no[:n])).mean().item()


def by_ranks(score, broken):
    score, broken = score.double(), broken.bool()
    rank = (score[:, None] > score).sum(1) + ((score[:, None] == score).sum(1) + 1) / 2
    n, m = int(broken.sum()), int((~broken).sum())
    return ((rank[broken].sum() - n * (n + 1) / 2) / (n * m)).item()


def by_signs(score, broken):
    gap = score[broken == 1].double()[:, None] - score[broken == 0].double()
    return (gap.sign().mean().item() + 1) / 2


# ---------------------------------------------------------------- 5c.3
def walk(dialogue, candidates, other, reply, n, other_only=True, seen_too=True, once=True):
    out, said = [], []
    for i in range(len(reply)):
        if len(out) == n:
            break
        mine, same = other[i] == dialogue, reply[i] in said
        if (other_only and mine) or (seen_too and reply[i] in candidates) or (once and same):
            continue
        said.append(reply[i])
        out.append(i)
    return torch.tensor(out, dtype=torch.long)


def own_dialogue(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other, reply, n, other_only=False)


def candidates_again(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other, reply, n, seen_too=False)


def twice(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other, reply, n, once=False)


def first_n_alone(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other[:n], reply[:n], n)


def said_anywhere(dialogue, candidates, other, reply, n):
    out = [i for i in range(len(reply)) if other[i] != dialogue and reply[i] not in candidates
           and reply[i] not in reply[:i]]
    return torch.tensor(out[:n], dtype=torch.long)


def one_a_dialogue(dialogue, candidates, other, reply, n):
    out = []
    for i, (who, text) in enumerate(zip(other, reply, strict=True)):
        fits = who != dialogue and text not in candidates and text not in [reply[j] for j in out]
        if fits and who not in [other[j] for j in out] and len(out) < n:
            out.append(i)
    return torch.tensor(out, dtype=torch.long)


def all_of_them(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other, reply, len(reply) + 1)


def the_texts(dialogue, candidates, other, reply, n):
    return torch.tensor([reply[i] for i in walk(dialogue, candidates, other, reply, n).tolist()], dtype=torch.long)


def padded(dialogue, candidates, other, reply, n):
    out = torch.full((n,), -1)
    found = walk(dialogue, candidates, other, reply, n)
    out[:len(found)] = found
    return out


def same_dialogue(dialogue, candidates, other, reply, n):
    out = []
    for i, (who, text) in enumerate(zip(other, reply, strict=True)):
        if who == dialogue and text not in candidates and text not in [reply[j] for j in out] and len(out) < n:
            out.append(i)
    return torch.tensor(out, dtype=torch.long)


def one_more(dialogue, candidates, other, reply, n):
    return walk(dialogue, candidates, other, reply, n + 1)


def from_the_back(dialogue, candidates, other, reply, n):
    found = walk(dialogue, candidates, other[::-1], reply[::-1], n)
    return len(reply) - 1 - found


def by_dictionary(dialogue, candidates, other, reply, n):
    first = {}
    for i, text in enumerate(reply):
        if other[i] != dialogue and text not in set(candidates):
            first.setdefault(text, i)
    return torch.as_tensor(sorted(first.values())[:n], dtype=torch.int64)


# ---------------------------------------------------------------- 5c.4
def three(score, chosen, mask, choice=None, pairs=None, centre=None):
    """Turn by turn, in a loop; each part is told the real scores and the chosen place."""
    choice = choice or (lambda s, c: -s.log_softmax(0)[c])
    pairs = pairs or (lambda s, c: F.softplus(torch.cat([s[:c], s[c + 1:]]) - s[c]).mean())
    centre = centre or (lambda s, c: s.mean() ** 2)
    rows = [(s[m], int(c)) for s, c, m in zip(score, chosen, mask, strict=True)]
    return tuple(torch.stack([f(s, c) for s, c in rows]).mean() for f in (choice, pairs, centre))


def rest(s, c):
    return torch.cat([s[:c], s[c + 1:]])


def articles_pairs(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: (1 + rest(s, c).exp() - s[c].exp()).log().mean())


def minus_sigma(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: -torch.sigmoid(s[c] - rest(s, c)).mean())


def the_wrong_way(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: F.softplus(s[c] - rest(s, c)).mean())


def summed_pairs(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: F.softplus(rest(s, c) - s[c]).sum())


def with_itself(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: F.softplus(s - s[c]).mean())


def nearest_rival(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: F.softplus(rest(s, c).max() - s[c]))


def mean_of_the_others(score, chosen, mask):
    return three(score, chosen, mask, pairs=lambda s, c: F.softplus(rest(s, c).mean() - s[c]))


def mean_square(score, chosen, mask):
    return three(score, chosen, mask, centre=lambda s, c: (s ** 2).mean())


def not_squared(score, chosen, mask):
    return three(score, chosen, mask, centre=lambda s, c: s.mean())


def absolute(score, chosen, mask):
    return three(score, chosen, mask, centre=lambda s, c: s.mean().abs())


def square_of_the_sum(score, chosen, mask):
    return three(score, chosen, mask, centre=lambda s, c: s.sum() ** 2)


def one_mean_for_all(score, chosen, mask):
    return (*three(score, chosen, mask)[:2], score[mask].mean() ** 2)


def weighed(score, chosen, mask):
    return three(score, chosen, mask, centre=lambda s, c: 0.1 * s.mean() ** 2)


def positive_logprob(score, chosen, mask):
    return three(score, chosen, mask, choice=lambda s, c: s.log_softmax(0)[c])


def best_not_chosen(score, chosen, mask):
    return three(score, chosen, mask, choice=lambda s, c: -s.log_softmax(0).max())


def sigmoids(score, chosen, mask):
    return three(score, chosen, mask, choice=lambda s, c: -F.logsigmoid(s[c]) - F.logsigmoid(-rest(s, c)).sum())


def padding_in_softmax(score, chosen, mask):
    clean = torch.where(mask, score, 0.0)
    return (F.cross_entropy(clean, chosen), *three(score, chosen, mask)[1:])


def summed_turns(score, chosen, mask):
    found = three(score, chosen, mask)
    return found[0] * len(score), found[1], found[2]


def one_number(score, chosen, mask):
    choice, pairs, centre = three(score, chosen, mask)
    return choice + pairs + 0.1 * centre


def exp_and_log(score, chosen, mask):
    return three(score, chosen, mask, choice=lambda s, c: -(s.exp()[c] / s.exp().sum()).log())


def by_loop(score, chosen, mask):
    return three(score, chosen, mask)


def by_table(score, chosen, mask):
    clean = score.masked_fill(~mask, 0.0)
    own = clean.gather(1, chosen[:, None])
    others = mask & ~F.one_hot(chosen, score.shape[1]).bool()
    choice = F.cross_entropy(clean.masked_fill(~mask, -math.inf), chosen)
    pairs = ((-F.logsigmoid(own - clean)).masked_fill(~others, 0).sum(1) / others.sum(1)).mean()
    return choice, pairs, (clean.sum(1) / mask.sum(1)).pow(2).mean()


# ---------------------------------------------------------------- 5c.5
def pay(preference, kept, valid, normalise, average, off=2.0, standard=None, rules=None):
    standard = standard or (lambda x: (x - x.mean()) / x.std())
    rules = rules or (lambda q: q.mean(1) if average else q.sum(1))
    liked = standard(preference) if normalise else preference
    spread = preference.std().item() if normalise else 1.0
    return liked + rules(kept) - off * (1 - valid.float()), spread / (kept.shape[1] if average else 1)


def mean_for_sum(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, rules=lambda q: q.sum(1) if average else q.mean(1))


def always_sum(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, rules=lambda q: q.sum(1))


def pays_for_breaking(preference, kept, valid, normalise, average):
    broken = 1 - kept
    return pay(preference, broken, valid, normalise, average)


def geometric(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, rules=lambda q: q.log().mean(1).exp())


def never_normalised(preference, kept, valid, normalise, average):
    reward, _ = pay(preference, kept, valid, False, average)
    return reward, pay(preference, kept, valid, normalise, average)[1]


def only_divided(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, standard=lambda x: x / x.std())


def only_centred(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, standard=lambda x: x - x.mean())


def numpy_spread(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, standard=lambda x: (x - x.mean()) / x.numpy().std())


def everything_normalised(preference, kept, valid, normalise, average):
    total = preference + (kept.mean(1) if average else kept.sum(1))
    total = (total - total.mean()) / total.std() if normalise else total
    return total - 2 * (~valid).float(), pay(preference, kept, valid, normalise, average)[1]


def nothing_off(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, off=0.0)


def one_off(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, off=1.0)


def a_gift(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average, off=-2.0)


def off_the_good(preference, kept, valid, normalise, average):
    return pay(preference, kept, ~valid, normalise, average)


def nothing_for_the_invalid(preference, kept, valid, normalise, average):
    reward, cost = pay(preference, kept, valid, normalise, average, off=0.0)
    return torch.where(valid, reward, 0.0), cost


def flat_minus_two(preference, kept, valid, normalise, average):
    reward, cost = pay(preference, kept, valid, normalise, average, off=0.0)
    return torch.where(valid, reward, -2.0), cost


def cost_of_one(preference, kept, valid, normalise, average):
    return pay(preference, kept, valid, normalise, average)[0], 1.0


def cost_upside_down(preference, kept, valid, normalise, average):
    reward, _ = pay(preference, kept, valid, normalise, average)
    return reward, (1 / preference.std().item() if normalise else 1.0) / (kept.shape[1] if average else 1)


def cost_without_spread(preference, kept, valid, normalise, average):
    reward, _ = pay(preference, kept, valid, normalise, average)
    return reward, 1 / kept.shape[1] if average else 1.0


def cost_without_mean(preference, kept, valid, normalise, average):
    reward, _ = pay(preference, kept, valid, normalise, average)
    return reward, preference.std().item() if normalise else 1.0


def cost_of_all(preference, kept, valid, normalise, average):
    reward, cost = pay(preference, kept, valid, normalise, average)
    return reward, cost * kept.shape[1]


def the_other_order(preference, kept, valid, normalise, average):
    reward, cost = pay(preference, kept, valid, normalise, average)
    return cost, reward


def row_by_row(preference, kept, valid, normalise, average):
    middle, spread = (preference.mean(), preference.std()) if normalise else (0.0, torch.tensor(1.0))
    rows = []
    for r, q, fine in zip(preference, kept.tolist(), valid.tolist(), strict=True):
        rows.append((r - middle) / spread + sum(q) / (len(q) if average else 1) - (0 if fine else 2))
    return torch.stack(rows), float(spread) / (kept.shape[1] if average else 1)


# ---------------------------------------------------------------- 5c.6
def parts(logits, teacher, token, value, reward, mask):
    rows = mask.nonzero()
    now, then = (x[rows[:, 0], rows[:, 1]].log_softmax(-1) for x in (logits, teacher))
    said = now[torch.arange(len(rows)), token[rows[:, 0], rows[:, 1]]]
    above = reward[rows[:, 0]] - value[rows[:, 0], rows[:, 1]]
    return now, then, said, above


def loss_of(arguments, policy=None, critic=None, drift=None):
    *tables, alpha = arguments
    now, then, said, above = parts(*tables)
    one = (policy or (lambda said, above: -(above.detach() * said).mean()))(said, above)
    two = (critic or (lambda above: above.pow(2).mean() / 2))(above)
    three_ = (drift or (lambda now, then: (now.exp() * (now - then)).sum(-1).mean()))(now, then)
    return (1 - alpha) * (one + two) + alpha * three_


def attached(*a):
    return loss_of(a, policy=lambda said, above: -(above * said).mean())


def no_baseline(*a):
    reward = a[4]
    rows = a[5].nonzero()
    return loss_of(a, policy=lambda said, above: -(reward[rows[:, 0]] * said).mean())


def climbs_down(*a):
    return loss_of(a, policy=lambda said, above: (above.detach() * said).mean())


def probabilities(*a):
    return loss_of(a, policy=lambda said, above: -(above.detach() * said.exp()).mean())


def whitened(*a):
    return loss_of(a, policy=lambda said, above: -(((above - above.mean()) / (
        above.std() + 1e-8) if len(above) > 1 else above).detach() * said).mean())


def no_half(*a):
    return loss_of(a, critic=lambda above: above.pow(2).mean())


def deaf_critic(*a):
    return loss_of(a, critic=lambda above: above.detach().pow(2).mean() / 2)


def no_critic(*a):
    return loss_of(a, critic=lambda above: 0 * above.sum())


def the_other_kl(*a):
    return loss_of(a, drift=lambda now, then: (then.exp() * (then - now)).sum(-1).mean())


def torch_kl_div(*a):
    return loss_of(a, drift=lambda now, then: F.kl_div(now, then, log_target=True, reduction="batchmean"))


def sampled_kl(*a):
    rows = a[5].nonzero()
    return loss_of(a, drift=lambda now, then: (now - then)[torch.arange(len(rows)), a[2][
        rows[:, 0], rows[:, 1]]].mean())


def cross_entropy(*a):
    return loss_of(a, drift=lambda now, then: -(now.exp() * then).sum(-1).mean())


def kl_off(*a):
    return loss_of(a, drift=lambda now, then: -(now.exp() * (now - then)).sum(-1).mean())


def weights_detached(*a):
    return loss_of(a, drift=lambda now, then: (now.exp().detach() * (now - then)).sum(-1).mean())


def swapped_alpha(*a):
    return loss_of((*a[:-1], 1 - a[-1]))


def a_tenth(*a):
    return loss_of((*a[:-1], 0.1))


def no_share(*a):
    *tables, alpha = a
    now, then, said, above = parts(*tables)
    return -(above.detach() * said).mean() + above.pow(2).mean() / 2 + alpha * (now.exp() * (now - then)).sum(-1).mean()


def padding_counts(*a):
    mask = a[5]
    return loss_of(a) * mask.sum() / mask.numel()


def sum_over_tokens(*a):
    return loss_of(a) * a[5].sum()


def response_by_response(*a):
    *tables, alpha = a
    return torch.stack([loss_of((*(x[i:i + 1] for x in tables), alpha)) for i in range(len(a[0]))]).mean()


def nan_times_zero(logits, teacher, token, value, reward, mask, alpha):
    now, then = F.log_softmax(logits, -1), F.log_softmax(teacher, -1)
    said = now.gather(2, token.unsqueeze(2)).squeeze(2)
    above = reward.unsqueeze(1) - value
    each = (1 - alpha) * (-above.detach() * said + above ** 2 / 2) + alpha * (now.exp() * (now - then)).sum(2)
    return (each * mask.float()).sum() / mask.sum()


def by_places(*a):
    return loss_of(a)


def by_where(logits, teacher, token, value, reward, mask, alpha):
    clean = lambda x: torch.where(mask[..., None], x, 0.0).log_softmax(-1)                            # noqa: E731
    now, then = clean(logits), clean(teacher)
    above = reward[:, None] - torch.where(mask, value, 0.0)
    said = now.gather(-1, token[..., None])[..., 0]
    each = (1 - alpha) * (above ** 2 / 2 - above.detach() * said) + alpha * (now.exp() * (now - then)).sum(-1)
    return torch.where(mask, each, 0.0).sum() / mask.sum()


# ---------------------------------------------------------------- 5c.7
def rank(preference, kept, liked=None, rules=None):
    liked = liked or (lambda r: torch.sigmoid(r - r.mean()))
    rules = rules or (lambda q: q.prod(1) ** (1 / q.shape[1]))
    score = liked(preference) * rules(kept)
    return score.argmax().item(), score


def forgiving(preference, kept):
    return rank(preference, kept, rules=lambda q: q.mean(1))


def no_root(preference, kept):
    return rank(preference, kept, rules=lambda q: q.prod(1))


def square_root(preference, kept):
    return rank(preference, kept, rules=lambda q: q.prod(1).sqrt())


def worst_rule(preference, kept):
    return rank(preference, kept, rules=lambda q: q.min(1).values)


def as_if_broken(preference, kept):
    return rank(preference, kept, rules=lambda q: (1 - q).prod(1) ** (1 / q.shape[1]))


def a_little_more(preference, kept):
    return rank(preference, kept, rules=lambda q: (q + 1e-6).log().mean(1).exp())


def softmaxed(preference, kept):
    return rank(preference, kept, liked=lambda r: r.softmax(0))


def bare_sigma(preference, kept):
    return rank(preference, kept, liked=torch.sigmoid)


def bare_gap(preference, kept):
    return rank(preference, kept, liked=lambda r: r - r.mean())


def exponents(preference, kept):
    return rank(preference, kept, liked=lambda r: r.exp() / (r.exp() + r.mean().exp()))


def against_the_best(preference, kept):
    return rank(preference, kept, liked=lambda r: torch.sigmoid(r - r.max()))


def others_alone(preference, kept):
    n = len(preference)
    return rank(preference, kept, liked=lambda r: torch.sigmoid(r - ((r.sum() - r) / (n - 1) if n > 1 else r)))


def standardised(preference, kept):
    return rank(preference, kept, liked=lambda r: torch.sigmoid((r - r.mean()) / (r.std() if len(r) > 1 else 1)))


def added(preference, kept):
    score = torch.sigmoid(preference - preference.mean()) + kept.prod(1) ** (1 / kept.shape[1])
    return score.argmax().item(), score


def counted_from_one(preference, kept):
    best, score = rank(preference, kept)
    return best + 1, score


def best_liked(preference, kept):
    return preference.argmax().item(), rank(preference, kept)[1]


def the_later(preference, kept):
    score = rank(preference, kept)[1]
    return max(i for i, x in enumerate(score.tolist()) if x == score.max().item()), score


def scores_first(preference, kept):
    best, score = rank(preference, kept)
    return score, best


def by_math(preference, kept):
    middle, found = preference.double().mean().item(), []
    for r, row in zip(preference.tolist(), kept.tolist(), strict=True):
        gap = r - middle
        sigma = 1 / (1 + math.exp(-gap)) if gap > -500 else 0.0
        found.append(sigma * math.prod(row) ** (1 / len(row)))
    return found.index(max(found)), torch.tensor(found, dtype=torch.float64)


def by_numpy(preference, kept):
    score = torch.sigmoid(preference - preference.mean()) * torch.from_numpy(np.power(np.prod(
        kept.numpy(), axis=1), 1 / kept.shape[1]))
    return next(itertools.compress(range(len(score)), (score == score.max()).tolist())), score


MUTANTS = {
    "5c.1": [
        ("unsure_is_fine", unsure_is_fine, "was taken for a followed rule"),
        ("half_is_broken", half_is_broken, "was taken for a broken rule"),
        ("upside_down", upside_down, "The labels are upside down"),
        ("surest_only", surest_only, "Only the definite levels are left"),
        ("minus_hundred", minus_hundred, "marked, but still there"),
        ("targets_of_all", targets_of_all, "`target` has a number for every label"),
        ("from_one", from_one, "The places are counted from 1"),
        ("levels_kept", levels_kept, "holds the levels themselves"),
        ("mask_for_rows", mask_for_rows, "`rows` is a mask"),
        ("target_first", target_first, "The two results are exchanged"),
        ("only_one_is_broken", only_one_is_broken, "Only \"definitely broken\" counts"),
    ],
    "5c.2": [
        ("ties_win", ties_win, "A tie counts as a whole win"), ("ties_lose", ties_lose, "A tie counts for nothing"),
        ("followed_first", followed_first, "the wrong way round"),
        ("threshold_half", threshold_half, "accuracy at one threshold"),
        ("threshold_zero", threshold_zero, "accuracy at one threshold"),
        ("over_everybody", over_everybody, "Divided by all pairs of answers"),
        ("over_n", over_n, "divided by the number of answers"),
        ("gap_of_means", gap_of_means, "how far the mean scores lie apart"), ("gini", gini, "Wins minus losses"),
        ("percent", percent, "In percent"), ("in_step", in_step, "compared with one other"),
    ],
    "5c.3": [
        ("own_dialogue", own_dialogue, "A reply of the same dialogue"),
        ("candidates_again", candidates_again, "that a candidate says, too"), ("twice", twice, "taken twice"),
        ("first_n_alone", first_n_alone, "Only the first n were looked at"),
        ("said_anywhere", said_anywhere, "a reply that was *left out* said it"),
        ("one_a_dialogue", one_a_dialogue, "Only one reply of each other dialogue"),
        ("all_of_them", all_of_them, "All that would do were taken"),
        ("the_texts", the_texts, "the replies themselves"),
        ("padded", padded, "Filled up with -1"), ("same_dialogue", same_dialogue, "these are of the *same* dialogue"),
        ("one_more", one_more, "One too many"), ("from_the_back", from_the_back, "from the end"),
    ],
    "5c.4": [
        ("articles_pairs", articles_pairs, "the slip of the article"), ("minus_sigma", minus_sigma, "-σ instead of"),
        ("the_wrong_way", the_wrong_way, "has the wrong sign inside"),
        ("summed_pairs", summed_pairs, "is a sum over the others"),
        ("with_itself", with_itself, "compares the chosen one with itself"),
        ("nearest_rival", nearest_rival, "the strongest rival only"),
        ("mean_of_the_others", mean_of_the_others, "compares with the mean of the others"),
        ("mean_square", mean_square, "is the mean of the squares"), ("not_squared", not_squared, "not squared"),
        ("absolute", absolute, "is the absolute mean"), ("square_of_the_sum", square_of_the_sum, "squares the sum"),
        ("one_mean_for_all", one_mean_for_all, "the whole batch's mean"), ("weighed", weighed, "is weighed already"),
        ("positive_logprob", positive_logprob, "is a log-probability"),
        ("best_not_chosen", best_not_chosen, "that of the highest score"),
        ("sigmoids", sigmoids, "judges each candidate by itself"),
        ("padding_in_softmax", padding_in_softmax, "the padding takes part in the softmax"),
        ("summed_turns", summed_turns, "is a sum over the turns"), ("one_number", one_number, "The three are added up"),
        ("exp_and_log", exp_and_log, "NaN or infinity"),
    ],
    "5c.5": [
        ("mean_for_sum", mean_for_sum, "Sum and mean are exchanged"),
        ("always_sum", always_sum, "`average` is not used"),
        ("pays_for_breaking", pays_for_breaking, "This pays for breaking rules"),
        ("geometric", geometric, "The rules are multiplied"),
        ("never_normalised", never_normalised, "`normalise` is not used"),
        ("only_divided", only_divided, "The mean is not taken off"), ("only_centred", only_centred, "the spread stays"),
        ("numpy_spread", numpy_spread, "divides by B - 1"),
        ("everything_normalised", everything_normalised, "The whole sum is normalised"),
        ("nothing_off", nothing_off, "is paid as if it were one"), ("one_off", one_off, "1 is taken off"),
        ("a_gift", a_gift, "2 is added"), ("off_the_good", off_the_good, "The *valid* turns pay"),
        ("nothing_for_the_invalid", nothing_for_the_invalid, "gets 0"), ("flat_minus_two", flat_minus_two, "gets -2"),
        ("cost_of_one", cost_of_one, "`cost` is always 1"),
        ("cost_upside_down", cost_upside_down, "`cost` divides by the spread"),
        ("cost_without_spread", cost_without_spread, "`cost` forgets the normalising"),
        ("cost_without_mean", cost_without_mean, "`cost` forgets the mean"),
        ("cost_of_all", cost_of_all, "breaking all rules"),
        ("the_other_order", the_other_order, "The two results are exchanged"),
    ],
    "5c.6": [
        ("attached", attached, "A gradient flows through the advantage"),
        ("no_baseline", no_baseline, "has the reward itself"), ("climbs_down", climbs_down, "has the wrong sign"),
        ("probabilities", probabilities, "has the probability"), ("whitened", whitened, "whitened"),
        ("no_half", no_half, "The ½"), ("deaf_critic", deaf_critic, "The critic does not learn"),
        ("no_critic", no_critic, "The critic's part is missing"), ("the_other_kl", the_other_kl, "the wrong way round"),
        ("torch_kl_div", torch_kl_div, "the wrong way round"), ("sampled_kl", sampled_kl, "the sampled token only"),
        ("cross_entropy", cross_entropy, "a cross-entropy"), ("kl_off", kl_off, "The KL has the wrong sign"),
        ("weights_detached", weights_detached, "The KL's gradient lacks a part"),
        ("swapped_alpha", swapped_alpha, "exchanged"), ("a_tenth", a_tenth, "0.1 is written into it"),
        ("no_share", no_share, "1 - α is missing"), ("padding_counts", padding_counts, "The padding counts"),
        ("sum_over_tokens", sum_over_tokens, "A sum over the tokens"),
        ("response_by_response", response_by_response, "First a mean in each response"),
        ("nan_times_zero", nan_times_zero, "0 · NaN is NaN"),
    ],
    "5c.7": [
        ("forgiving", forgiving, "the arithmetic mean"), ("no_root", no_root, "lacks its root"),
        ("square_root", square_root, "The square root"), ("worst_rule", worst_rule, "Only the rule that is kept worst"),
        ("as_if_broken", as_if_broken, "do not turn it round"), ("a_little_more", a_little_more, "Something small"),
        ("softmaxed", softmaxed, "a softmax over the candidates"),
        ("bare_sigma", bare_sigma, "The mean of the candidates is missing"), ("bare_gap", bare_gap, "σ is missing"),
        ("exponents", exponents, "overflows"), ("against_the_best", against_the_best, "with the best candidate"),
        ("others_alone", others_alone, "leaves the candidate itself out"),
        ("standardised", standardised, "divided by their spread"), ("added", added, "The factors are added"),
        ("counted_from_one", counted_from_one, "counted from 1"), ("best_liked", best_liked, "is the best liked"),
        ("the_later", the_later, "the later was taken"),
        ("scores_first", scores_first, "The two results are exchanged"),
    ],
}

RIGHT = {
    "5c.1": [by_list, by_sign], "5c.2": [by_ranks, by_signs], "5c.3": [by_dictionary], "5c.4": [by_loop, by_table],
    "5c.5": [row_by_row], "5c.6": [by_places, by_where], "5c.7": [by_math, by_numpy],
}
