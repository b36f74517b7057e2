"""Answers to lesson 05b as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Written from the notebook's text.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 5b.1
def rows(picked, strength, red_team, better, counts=lambda s: s > 0):
    found = []
    for i in range(len(picked)):
        if counts(strength[i].item()):
            first = better(picked[i].item(), bool(red_team[i]))
            found.append((i, first, 1 - first))
    return torch.tensor(found, dtype=torch.long).reshape(-1, 3)


def turned(pick, red):
    return 1 - pick if red else pick


def as_picked(picked, strength, red_team):
    return rows(picked, strength, red_team, lambda pick, red: pick)


def all_turned(picked, strength, red_team):
    return rows(picked, strength, red_team, lambda pick, red: 1 - pick)


def help_turned(picked, strength, red_team):
    return rows(picked, strength, red_team, lambda pick, red: pick if red else 1 - pick)


def weak_ones_too(picked, strength, red_team):
    return rows(picked, strength, red_team, turned, lambda s: True)


def at_least_two(picked, strength, red_team):
    return rows(picked, strength, red_team, turned, lambda s: s >= 2)


def the_strongest(picked, strength, red_team):
    return rows(picked, strength, red_team, turned, lambda s: s == 3)


def the_weakest(picked, strength, red_team):
    return rows(picked, strength, red_team, turned, lambda s: s == 0)


def filtered_then_numbered(picked, strength, red_team):
    keep = strength > 0
    picked, red_team = picked[keep], red_team[keep]
    return rows(picked, torch.ones(len(picked)), red_team, turned)


def no_red_team(picked, strength, red_team):
    there = (strength > 0) & ~red_team
    return torch.stack([torch.arange(len(picked))[there], picked[there], 1 - picked[there]], dim=1)


def without_number(picked, strength, red_team):
    return rows(picked, strength, red_team, turned)[:, 1:]


def a_list_of_rows(picked, strength, red_team):
    return rows(picked, strength, red_team, turned).tolist()


def nothing_without_columns(picked, strength, red_team):
    found = [(i, turned(p, r), 1 - turned(p, r)) for i, (p, s, r) in enumerate(zip(
        picked.tolist(), strength.tolist(), red_team.tolist(), strict=True)) if s]
    return torch.tensor(found, dtype=torch.long)


def by_xor(picked, strength, red_team):
    higher = picked ^ red_team.long()
    table = torch.stack([torch.arange(len(picked)), higher, higher ^ 1]).T
    return table[strength.bool()]


def by_numpy(picked, strength, red_team):
    number = np.flatnonzero(strength.numpy() > 0)
    first = np.abs(picked.numpy() - red_team.numpy().astype(int))[number]
    return torch.from_numpy(np.column_stack([number, first, 1 - first]))


# ---------------------------------------------------------------- 5b.2
def two_means(good, bad, red_team, lam, loss, join=lambda h, s, lam: h + lam * s, nothing=0.0):
    parts = []
    for red in (False, True):
        there = red_team == red
        parts.append(loss(good[there], bad[there]).mean() if there.any() else good.sum() * 0 + nothing)
    return join(*parts, lam)


def as_printed(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: torch.log(1 + torch.exp(b) - torch.exp(g)))


def good_minus_bad(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: F.softplus(g - b))


def overflows(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: torch.log1p(torch.exp(b - g)))


def log_of_sigmoid(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: -torch.log(torch.sigmoid(g - b)))


def no_logarithm(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: -torch.sigmoid(g - b))


def one_mean(good, bad, red_team, lam):
    each = -F.logsigmoid(good - bad)
    return torch.where(red_team, lam * each, each).mean()


def weighted_mean(good, bad, red_team, lam):
    each, weight = -F.logsigmoid(good - bad), 1 + (lam - 1) * red_team.to(good.dtype)
    return (each * weight).sum() / weight.sum()


def both_summed(good, bad, red_team, lam):
    each = -F.logsigmoid(good - bad)
    return each[~red_team].sum() + lam * each[red_team].sum()


def lambda_on_help(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: F.softplus(b - g), lambda h, s, lam: lam * h + s)


def lambda_forgotten(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: F.softplus(b - g), lambda h, s, lam: h + s)


def divided_again(good, bad, red_team, lam):
    return two_means(good, bad, red_team, lam, lambda g, b: F.softplus(b - g), lambda h, s,
             lam: (h + lam * s) / (1 + lam))


def empty_is_nan(good, bad, red_team, lam):
    each = F.softplus(bad - good)
    return each[~red_team].mean() + lam * each[red_team].mean()


def one_loss(good, bad, red_team, lam):
    return -F.logsigmoid(good - bad).mean()


def a_plain_number(good, bad, red_team, lam):
    return right_by_logaddexp(good, bad, red_team, lam).item()


def right_by_logaddexp(good, bad, red_team, lam):
    each = torch.logaddexp(torch.zeros_like(good), bad - good)
    return sum(w * each[kind].sum() / max(int(kind.sum()), 1) for w, kind in ((1.0, ~red_team), (lam, red_team)))


def right_by_cross_entropy(good, bad, red_team, lam):
    def of(kind):
        logits = torch.stack([good[kind], bad[kind]], 1)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)) if len(logits) else 0 * good.sum()
    return of(~red_team) + lam * of(red_team)


# ---------------------------------------------------------------- 5b.3
def examples(pair, winner, good, bad, make, skip=True):
    out = []
    for (a, b), who in zip(pair.tolist(), winner.tolist(), strict=True):
        if who >= 0 or not skip:
            won, lost = (b, a) if who == 1 else (a, b)
            out += make(won, lost, [good], [bad])
    return torch.tensor(out, dtype=torch.long).reshape(-1, 2, pair.shape[2] + 1)


def good_loser(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + w], [g + lo, b + lo]])


def two_answers_at_once(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + lo]])


def two_answers_and_back(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + lo], [b + lo, g + w]])


def crossed(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + lo], [b + lo, g + lo]])


def winner_only(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + w]])


def loser_first(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[b + lo, g + lo], [g + w, b + w]])


def sides_swapped(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[b + w, g + w], [g + lo, b + lo]])


def wrong_winner(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + lo, b + lo], [b + w, g + w]])


def rating_behind(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[w + g, w + b], [lo + b, lo + g]])


def ties_kept(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + w], [b + lo, g + lo]], skip=False)


def first_wins(pair, winner, good, bad):
    return examples(pair, torch.where(winner < 0, -1, 0), good, bad,
                    lambda w, lo, g, b: [[g + w, b + w], [b + lo, g + lo]])


def in_two_blocks(pair, winner, good, bad):
    one = examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + w]])
    other = examples(pair, winner, good, bad, lambda w, lo, g, b: [[b + lo, g + lo]])
    return torch.cat([one, other])


def unrated(pair, winner, good, bad):
    return right_by_lists(pair, winner, good, bad)[:, :, 1:]


def right_by_lists(pair, winner, good, bad):
    return examples(pair, winner, good, bad, lambda w, lo, g, b: [[g + w, b + w], [b + lo, g + lo]])


def right_by_index(pair, winner, good, bad):
    there = (winner != -1).nonzero().flatten()
    out = torch.zeros(len(there), 2, 2, pair.shape[-1] + 1, dtype=torch.long)
    out[:, 0, 0, 0], out[:, 0, 1, 0], out[:, 1, 0, 0], out[:, 1, 1, 0] = good, bad, bad, good
    out[:, 0, :, 1:] = pair[there, winner[there]][:, None]
    out[:, 1, :, 1:] = pair[there, 1 - winner[there]][:, None]
    return out.reshape(-1, 2, pair.shape[-1] + 1)


# ---------------------------------------------------------------- 5b.4
def log_bins(logits, kept):
    """Log-probabilities of the kept tokens, [B, T, k], and of the others together, [B, T]."""
    logp = logits.log_softmax(-1)
    others = logp.scatter(-1, kept, -math.inf).logsumexp(-1)
    return logp.gather(-1, kept), others


def top(logits, k):
    return logits.detach().topk(k, -1)[1]


def masked(each, mask):
    return each[mask].mean()


def piece(p, q):
    """p log(p/q) of logarithms; nothing where p is 0."""
    return torch.where(p.isinf(), 0.0, p.exp() * (p - torch.where(p.isinf(), 0.0, q)))


def distilled(student, teacher, k, mask, kept=None, rest=True, back=False, entropy=True):
    teacher = teacher.detach()
    kept = top(teacher, k) if kept is None else kept
    (p, p_rest), (q, q_rest) = log_bins(teacher, kept), log_bins(student, kept)
    if back:
        (p, p_rest), (q, q_rest) = (q, q_rest), (p, p_rest)
    if not entropy:
        each = -(p.exp() * q).sum(-1) - torch.where(p_rest.isinf(), 0.0, p_rest.exp() * q_rest)
        return masked(each, mask)
    each = piece(p, q).sum(-1)
    return masked(each + piece(p_rest, q_rest) if rest else each, mask)


def without_the_rest(student, teacher, k, mask):
    return distilled(student, teacher, k, mask, rest=False)


def normalised_again(student, teacher, k, mask):
    kept = top(teacher, k)
    p, q = (x.gather(-1, kept).log_softmax(-1) for x in (teacher.detach(), student))
    return masked((p.exp() * (p - q)).sum(-1), mask)


def backwards(student, teacher, k, mask):
    return distilled(student, teacher, k, mask, back=True)


def only_cross_entropy(student, teacher, k, mask):
    return distilled(student, teacher, k, mask, entropy=False)


def by_the_student(student, teacher, k, mask):
    return distilled(student, teacher, k, mask, kept=top(student, k))


def whole_vocabulary(student, teacher, k, mask):
    each = F.kl_div(student.log_softmax(-1), teacher.detach().log_softmax(-1), reduction="none", log_target=True)
    return masked(each.sum(-1), mask)


def rarest(student, teacher, k, mask):
    return distilled(student, teacher, k, mask, kept=(-teacher.detach()).topk(k, -1)[1])


def padding_too(student, teacher, k, mask):
    return distilled(student, teacher, k, mask | ~mask)


def a_sum(student, teacher, k, mask):
    return distilled(student, teacher, k, mask) * mask.sum()


def by_responses(student, teacher, k, mask):
    each = [distilled(student[i:i + 1], teacher[i:i + 1], k, mask[i:i + 1]) for i in range(len(mask))]
    return torch.stack(each).mean()


def teacher_learns(student, teacher, k, mask):
    kept = top(teacher, k)
    (p, p_rest), (q, q_rest) = log_bins(teacher, kept), log_bins(student, kept)
    return masked(piece(p, q).sum(-1) + piece(p_rest, q_rest), mask)


def one_more(student, teacher, k, mask):
    return distilled(student, teacher, min(k + 1, teacher.shape[-1]), mask)


def no_student(student, teacher, k, mask):
    return distilled(student.detach(), teacher, k, mask)


def probabilities_first(student, teacher, k, mask):
    """Written by somebody who did the lesson: right on everything but logits that are far apart."""
    t, s = torch.softmax(teacher[mask].detach(), -1), torch.softmax(student[mask], -1)
    p, where = t.topk(k, -1)
    q = s.gather(-1, where)
    kl = (p * (p / q).log()).sum(-1)
    if k < t.shape[-1]:
        kl = kl + (1 - p.sum(-1)) * ((1 - p.sum(-1)) / (1 - q.sum(-1))).log()
    return kl.mean()


def right_in_pieces(student, teacher, k, mask):
    return distilled(student, teacher, k, mask)


def right_row_by_row(student, teacher, k, mask):
    found = []
    for b, t in mask.nonzero().tolist():
        said, told = teacher[b, t].detach(), student[b, t]
        place = torch.full((len(said),), k)
        place[said.topk(k)[1]] = torch.arange(k)
        def bins(x, place=place):
            return torch.stack([x.log_softmax(0)[place == i].logsumexp(0) for i in range(k + (k < len(x)))])
        p, q = bins(said), bins(told)
        found.append((p.exp() * (p - q)).sum())
    return torch.stack(found).mean()


# ---------------------------------------------------------------- 5b.5
def points(p):
    return 400 * math.log10(p / (1 - p))


def chances(score, baseline):
    return torch.sigmoid(score.double() - baseline.double())


def mean_first(score, baseline, beats):
    p, m = torch.sigmoid((score - baseline).double().mean()).item(), beats.double().mean().item()
    return p, m, points(p), points(m)


def baseline_wins(score, baseline, beats):
    p, m = chances(baseline, score).mean().item(), beats.double().mean().item()
    return p, m, points(p), points(m)


def elo_of_the_gap(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return p, m, 400 / math.log(10) * (score - baseline).double().mean().item(), points(m)


def in_nats(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return p, m, math.log(p) - math.log(1 - p), math.log(m) - math.log(1 - m)


def natural_log(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return p, m, 400 * math.log(p / (1 - p)), 400 * math.log(m / (1 - m))


def loser_positive(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return p, m, points(1 - p), points(1 - m)


def other_order(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return m, p, points(m), points(p)


def straight_points(score, baseline, beats):
    p, m = chances(score, baseline).mean().item(), beats.double().mean().item()
    return p, m, 400 * p - 200, 400 * m - 200


def right_by_logit(score, baseline, beats):
    both = torch.stack([chances(score, baseline).mean(), beats.double().mean()])
    return (*both.tolist(), *(torch.logit(both) / math.log(10) * 400).tolist())


# ---------------------------------------------------------------- 5b.6
def lasting(gap, most):
    for s in range(len(gap)):
        if bool((gap[s:] > most).all()):
            return s
    return len(gap)


def raw_scores(train, test, train_heldout, test_heldout, most):
    gap = train - test
    return gap, lasting(gap, most)


def train_centred(train, test, train_heldout, test_heldout, most):
    gap = train - train_heldout.mean() - test
    return gap, lasting(gap, most)


def test_centred(train, test, train_heldout, test_heldout, most):
    gap = train - (test - test_heldout.mean())
    return gap, lasting(gap, most)


def by_the_run(train, test, train_heldout, test_heldout, most):
    gap = (train - train.mean()) - (test - test.mean())
    return gap, lasting(gap, most)


def from_the_first_step(train, test, train_heldout, test_heldout, most):
    gap = (train - train[0]) - (test - test[0])
    return gap, lasting(gap, most)


def test_minus_train(train, test, train_heldout, test_heldout, most):
    gap = (test - test_heldout.mean()) - (train - train_heldout.mean())
    return gap, lasting(gap, most)


def first_time(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    above = gap > most
    return gap, int(above.long().argmax()) if above.any() else len(gap)


def or_equal(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    return gap, next((s for s in range(len(gap)) if (gap[s:] >= most).all()), len(gap))


def counted_from_one(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    return gap, lasting(gap, most) + 1


def never_is_minus_one(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    found = lasting(gap, most)
    return gap, found if found < len(gap) else -1


def size_alone(train, test, train_heldout, test_heldout, most):
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    return gap, lasting(gap.abs(), most)


def right_backwards(train, test, train_heldout, test_heldout, most):
    gap = train - test - (train_heldout.mean() - test_heldout.mean())
    s = len(gap)
    while s > 0 and gap[s - 1] > most:
        s -= 1
    return gap, s


# ---------------------------------------------------------------- 5b.7
def polyfit(x, y):
    x, y = x.double().numpy(), y.double().numpy()
    slope, start = np.polyfit(x, y, 1)
    return slope, 1 - ((y - start - slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def whole_run(kl, score, first):
    kl = kl.clamp(min=0)
    slope, r2 = polyfit(kl.sqrt(), score)
    return slope, r2, polyfit(kl, score)[1]


def along_kl(kl, score, first):
    slope, r2 = polyfit(kl[:first].clamp(min=0), score[:first])
    return slope, r2, r2


def of_the_size(kl, score, first):
    kl = kl[:first].abs()
    slope, r2 = polyfit(kl.sqrt(), score[:first])
    return slope, r2, polyfit(kl, score[:first])[1]


def unclamped(kl, score, first):
    slope, r2 = polyfit(kl[:first].clamp(min=0).sqrt(), score[:first])
    return slope, r2, polyfit(kl[:first], score[:first])[1]


def drops_negatives(kl, score, first):
    kl, score = kl[:first], score[:first]
    kl, score = kl[kl >= 0], score[kl >= 0]
    slope, r2 = polyfit(kl.sqrt(), score)
    return slope, r2, polyfit(kl, score)[1]


def axes_swapped(kl, score, first):
    kl, score = kl[:first].clamp(min=0), score[:first]
    slope, r2 = polyfit(score, kl.sqrt())
    return slope, r2, polyfit(score, kl)[1]


def correlation(kl, score, first):
    kl, score = kl[:first].clamp(min=0).double(), score[:first].double()
    r = [torch.corrcoef(torch.stack([x, score]))[0, 1].item() for x in (kl.sqrt(), kl)]
    return polyfit(kl.sqrt(), score)[0], *r


def through_the_origin(kl, score, first):
    kl, score = kl[:first].clamp(min=0).double(), score[:first].double()
    whole, found = ((score - score.mean()) ** 2).sum(), []
    for x in (kl.sqrt(), kl):
        slope = (x @ score) / (x @ x)
        found.append((slope.item(), (1 - ((score - slope * x) ** 2).sum() / whole).item()))
    return found[0][0], found[0][1], found[1][1]


def unexplained(kl, score, first):
    slope, r2, other = right_by_polyfit(kl, score, first)
    return slope, 1 - r2, 1 - other


def right_by_polyfit(kl, score, first):
    kl, score = kl[:first].clamp(min=0), score[:first]
    slope, r2 = polyfit(kl.double().sqrt(), score)
    return slope, r2, polyfit(kl, score)[1]


MUTANTS = {
    "5b.1": [("as_picked", as_picked, "turn its choice round"), ("all_turned", all_turned, "Everybody's choice"),
             ("help_turned", help_turned, "changed places"), ("weak_ones_too", weak_ones_too,
             "lowest strength, 0, are"),
             ("at_least_two", at_least_two, "Strength 1 drops out"), ("the_strongest", the_strongest, "the clearest"),
             ("the_weakest", the_weakest, "is what should go"), ("no_red_team", no_red_team, "not left out"),
             ("filtered_then_numbered", filtered_then_numbered, "numbered anew"),
             ("without_number", without_number, "first column is missing"),
             ("a_list_of_rows", a_list_of_rows, "list"), ("nothing_without_columns", nothing_without_columns, "shape")],
    "5b.2": [("as_printed", as_printed, "article's formula"), ("good_minus_bad", good_minus_bad, "The sign is wrong"),
             ("overflows", overflows, "softplus"), ("log_of_sigmoid", log_of_sigmoid, "softplus"),
             ("no_logarithm", no_logarithm, "-σ is not -log σ"), ("one_mean", one_mean, "number of *all* pairs"),
             ("weighted_mean", weighted_mean, "A weighted mean"), ("both_summed", both_summed, "Sums in place"),
             ("lambda_on_help", lambda_on_help, "λ weighs help"), ("lambda_forgotten", lambda_forgotten,
             "λ is missing"),
             ("divided_again", divided_again, "divided by 1 + λ"), ("empty_is_nan", empty_is_nan, "no pairs is NaN"),
             ("one_loss", one_loss, "not told apart"), ("a_plain_number", a_plain_number, "without .item()")],
    "5b.3": [("good_loser", good_loser, "Of the loser, too"), ("two_answers_at_once", two_answers_at_once,
             "one example"),
             ("winner_only", winner_only, "second example is missing"), ("loser_first", loser_first, "changed places"),
             ("sides_swapped", sides_swapped, "upside down"), ("wrong_winner", wrong_winner, "Winner and loser"),
             ("rating_behind", rating_behind, "behind the answer"), ("ties_kept", ties_kept, "Ties are kept"),
             ("first_wins", first_wins, "always taken"), ("in_two_blocks", in_two_blocks, "First all winners"),
             ("crossed", crossed, "compares two answers"), ("unrated", unrated, "ratings are missing")],
    "5b.4": [("without_the_rest", without_the_rest, "last bin is missing"),
             ("normalised_again", normalised_again, "among themselves"), ("backwards", backwards, "KL(student"),
             ("only_cross_entropy", only_cross_entropy, "cross-entropy"),
             ("by_the_student", by_the_student, "student's likeliest"), ("whole_vocabulary", whole_vocabulary,
             "whole vo"),
             ("rarest", rarest, "*least* likely"), ("padding_too", padding_too, "Padding counts"),
             ("a_sum", a_sum, "A sum over"), ("by_responses", by_responses, "row by row"),
             ("teacher_learns", teacher_learns, "into the teacher"), ("one_more", one_more, "One token too many"),
             ("no_student", no_student, "no gradient"),
             ("probabilities_first", probabilities_first, "Probabilities first")],
    "5b.5": [("mean_first", mean_first, "σ of the mean"), ("baseline_wins", baseline_wins, "*baseline* wins"),
             ("elo_of_the_gap", elo_of_the_gap, "mean difference here"), ("in_nats", in_nats, "in nats"),
             ("natural_log", natural_log, "*natural*"), ("loser_positive", loser_positive, "sign of Elo"),
             ("other_order", other_order, "changed places"), ("straight_points", straight_points, "no multiple")],
    "5b.6": [("raw_scores", raw_scores, "zeros of their own"), ("train_centred", train_centred, "Only the train"),
             ("test_centred", test_centred, "Only the test"), ("by_the_run", by_the_run, "mean over the *run*"),
             ("from_the_first_step", from_the_first_step, "taken for 0"), ("test_minus_train", test_minus_train,
             "sign"),
             ("first_time", first_time, "first step above"), ("or_equal", or_equal, "Exactly as much"),
             ("counted_from_one", counted_from_one, "from 0"), ("never_is_minus_one", never_is_minus_one,
             "number of steps"),
             ("size_alone", size_alone, "no absolute")],
    "5b.7": [("whole_run", whole_run, "All steps"), ("along_kl", along_kl, "go along the KL"),
             ("of_the_size", of_the_size, "absolute value"), ("unclamped", unclamped, "Along the KL, too"),
             ("drops_negatives", drops_negatives, "are left out"), ("axes_swapped", axes_swapped, "changed places"),
             ("correlation", correlation, "correlation r"), ("unexplained", unexplained, "*not* explained"),
             ("through_the_origin", through_the_origin, "through the origin")],
}
RIGHT = {"5b.1": [by_xor, by_numpy], "5b.2": [right_by_logaddexp, right_by_cross_entropy],
         "5b.3": [right_by_lists, right_by_index], "5b.4": [right_in_pieces, right_row_by_row],
         "5b.5": [right_by_logit], "5b.6": [right_backwards], "5b.7": [right_by_polyfit]}
