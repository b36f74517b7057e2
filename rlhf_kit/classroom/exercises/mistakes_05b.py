"""What goes wrong in lesson 05b, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_05b import (
    ELO,
    apart,
    in_bins,
    rated,
    root_kl_fit,
    what_counts,
)
from rlhf_kit.formulas.distillation import binned, context_distillation, likeliest
from rlhf_kit.formulas.masked import masked_mean
from rlhf_kit.formulas.root_kl import line


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 5b.1

def _counting(turned: Callable[[Tensor], Tensor] = lambda red: red,
              kept: Callable[[Tensor, Tensor], Tensor] = lambda strength, red: strength > 0) -> Callable:
    """Whose choice is turned round, and what counts, by other rules."""
    def wrong(picked: Tensor, strength: Tensor, red: Tensor) -> Tensor:
        row = kept(strength, red).nonzero()[:, 0]
        chosen = torch.where(turned(red), 1 - picked, picked)[row]
        return torch.stack([row, chosen, 1 - chosen], 1)
    return wrong


def _renumbered(*arguments: Tensor) -> Tensor:
    found = what_counts(*arguments)
    return torch.cat([torch.arange(len(found))[:, None], found[:, 1:]], 1)


def _one_for_all(red_of: Callable[[Tensor], Tensor]) -> Callable:
    """One comparison decides whether all are turned round."""
    return _counting(turned=lambda red: red_of(red).expand_as(red))


def _in_order_of(key: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    def wrong(picked: Tensor, strength: Tensor, red: Tensor) -> Tensor:
        found = what_counts(picked, strength, red)
        return found[key(strength, red)[found[:, 0]].argsort(stable=True)]
    return wrong


def _bitwise(picked: Tensor, strength: Tensor, red: Tensor) -> Tensor:
    row = (strength > 0).nonzero()[:, 0]
    chosen = torch.where(red, ~picked, picked)[row]
    return torch.stack([row, chosen, 1 - chosen], 1)


def _third_as_picked(picked: Tensor, strength: Tensor, red: Tensor) -> Tensor:
    found = what_counts(picked, strength, red)
    return torch.cat([found[:, :2], 1 - picked[found[:, 0]][:, None]], 1)


# 5b.2

def _mended(cost: Callable[[Tensor, Tensor], Tensor] = lambda good, bad: softplus(bad - good),
            mean: Callable[[Tensor, Tensor], Tensor] = lambda costs, all_: costs.mean(),
            weigh: Callable[[Tensor, Tensor, float], Tensor] = lambda h, s, lam: h + lam * s,
            empty: float = 0.0) -> Callable:
    """`weigh` of the two sets' `mean` costs; another `cost` of a pair."""
    def wrong(good: Tensor, bad: Tensor, red: Tensor, lam: float) -> Tensor:
        sets = [mean(cost(good[kind], bad[kind]), good) if kind.any() else empty + 0.0 * good.sum()
                for kind in (~red, red)]
        return weigh(*sets, lam)
    return wrong


def _together(divide: Callable[[Tensor], Tensor]) -> Callable:
    def wrong(good: Tensor, bad: Tensor, red: Tensor, lam: float) -> Tensor:
        weight = torch.where(red, lam, 1.0)
        return (weight * softplus(bad - good)).sum() / divide(weight)
    return wrong


def _among_all(good: Tensor, bad: Tensor, red: Tensor, lam: float) -> Tensor:
    cost = softplus(bad - good)
    return cost.mean() + (lam * cost[red].mean() if red.any() else 0.0)


def _turned_again(good: Tensor, bad: Tensor, red: Tensor, lam: float) -> Tensor:
    return _mended()(torch.where(red, bad, good), torch.where(red, good, bad), red, lam)


def _plain_mean(good: Tensor, bad: Tensor, red: Tensor, lam: float) -> Tensor:
    return softplus(bad - good).mean()


# 5b.3

def _rating(of_winner: Callable, of_loser: Callable | None, *, end: bool = False, ties: bool = False,
            apart_: bool = False) -> Callable:
    """Two examples of each pair, `(chosen, rejected)` each, from (GOOD winner, BAD winner, GOOD loser, BAD loser)."""
    def wrong(pair: Tensor, winner: Tensor, good: int, bad: int) -> Tensor:
        there = torch.ones_like(winner, dtype=torch.bool) if ties else winner >= 0
        place = winner.clamp(min=0)[there]
        sides = pair[there, place], pair[there, 1 - place]

        def under(rating: int, answer: Tensor) -> Tensor:
            mark = torch.full_like(answer[:, :1], rating)
            return torch.cat([answer, mark] if end else [mark, answer], 1)
        four = [under(rating, side) for side in sides for rating in (good, bad)]
        made = [torch.stack(one(*four), 1) for one in (of_winner, of_loser) if one is not None]
        return torch.cat(made) if apart_ else torch.stack(made, 1).flatten(0, 1)
    return wrong


def _right_winner(good_w: Tensor, bad_w: Tensor, good_l: Tensor, bad_l: Tensor) -> tuple[Tensor, Tensor]:
    return good_w, bad_w


def _right_loser(good_w: Tensor, bad_w: Tensor, good_l: Tensor, bad_l: Tensor) -> tuple[Tensor, Tensor]:
    return bad_l, good_l


def _loser_is_minus(pair: Tensor, winner: Tensor, good: int, bad: int) -> Tensor:
    """`answers[-winner]` for the loser."""
    there = winner >= 0
    found = rated(pair, winner, good, bad)
    text = pair[there, -winner[there]]
    return torch.stack([found[::2], torch.cat([found[1::2, :, :1], text[:, None].expand(-1, 2, -1)], -1)],
                       1).flatten(0, 1)


def _over_the_first(pair: Tensor, winner: Tensor, good: int, bad: int) -> Tensor:
    found = rated(pair, winner, good, bad)
    return torch.cat([found[..., :1], found[..., 2:]], -1)


# 5b.4

def _binning(ids: Callable[[Tensor, Tensor, int], Tensor] = lambda s, t, k: likeliest(t, k),
             loss: Callable[[Tensor, Tensor, Tensor], Tensor] = context_distillation,
             detach: bool = True) -> Callable:
    """The loss of other bins, or another one of the right bins."""
    def wrong(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
        told = teacher.detach() if detach else teacher
        kept = ids(student.detach(), told.detach(), k)
        return loss(binned(student, kept), binned(told, kept), mask)
    return wrong


def _terms(log_p: Tensor, log_q: Tensor) -> Tensor:
    """p log(p/q), 0 where p is 0."""
    return torch.where(log_p > -torch.inf, log_p.exp() * (log_p - log_q), 0.0)


def _averaged(terms: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    """A loss: mean over marked tokens of the sum of `terms(log p, log q)`, padding left out."""
    def loss(log_q: Tensor, log_p: Tensor, mask: Tensor) -> Tensor:
        there = mask[..., None]
        log_q, log_p = torch.where(there, log_q, 0.0), torch.where(there, log_p, 0.0)
        return masked_mean(terms(log_p, log_q).sum(-1), mask)
    return loss


def _both_ways(log_q: Tensor, log_p: Tensor, mask: Tensor) -> Tensor:
    return context_distillation(log_p.detach(), log_q, mask)


def _flowing(log_q: Tensor, log_p: Tensor, mask: Tensor) -> Tensor:
    return _averaged(_terms)(log_q, log_p, mask)


def _reversed(log_q: Tensor, log_p: Tensor, mask: Tensor) -> Tensor:
    return _averaged(lambda p, q: _terms(q, p))(log_q, log_p, mask)


def _no_rest(log_p: Tensor, log_q: Tensor) -> Tensor:
    return _terms(log_p, log_q)[..., :-1]


def _among_the_kept(log_p: Tensor, log_q: Tensor) -> Tensor:
    return _terms(*(x[..., :-1].log_softmax(-1) for x in (log_p, log_q)))


def _cross_entropy(log_p: Tensor, log_q: Tensor) -> Tensor:
    return torch.where(log_p > -torch.inf, -log_p.exp() * log_q, 0.0)


def _taken_from_one(student: Tensor, teacher: Tensor, k: int, mask: Tensor, least: float = 0.0) -> Tensor:
    """The formula as it is printed: the rest is what is missing from 1."""
    told, said = teacher[mask].detach().softmax(-1), student[mask].softmax(-1)
    ids = likeliest(told, k)
    p, q = told.gather(-1, ids), said.gather(-1, ids)
    a, b = ((1 - x.sum(-1)).clamp(min=least) if least else 1 - x.sum(-1) for x in (p, q))
    return ((p * (p / q).log()).sum(-1) + a * (a / b).log()).mean()


def _raw(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    told = teacher[mask].detach().log_softmax(-1)
    ids = likeliest(told, k)
    log_p, log_q = told.gather(-1, ids), student[mask].gather(-1, ids)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean()


def _own_order(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return in_bins(student.sort(-1, descending=True)[0], teacher.sort(-1, descending=True)[0], k, mask)


def _one_place_on(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    at = mask[:, 1:]
    one, other = (binned(x[:, :-1][at], likeliest(teacher[:, :-1][at], k)) for x in (student, teacher.detach()))
    return _terms(other, one).sum(-1).mean()


def _same_everywhere(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    ids = likeliest(teacher[mask].softmax(-1).mean(0), k).expand(*mask.shape, k)
    return context_distillation(binned(student, ids), binned(teacher, ids), mask)


def _by_bins(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return in_bins(student, teacher, k, mask) / min(k + 1, student.shape[-1])


def _everywhere(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return in_bins(student, teacher, k, torch.ones_like(mask))


def _in_probabilities(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    """p log(p/q) from probabilities, which are 0 where logits are far apart."""
    p, q = (x[mask].softmax(-1) for x in (teacher.detach(), student))
    kept = p.topk(k).indices
    p, q = p.gather(-1, kept), q.gather(-1, kept)
    each = (p * (p / q).log()).sum(-1)
    if k < teacher.shape[-1]:
        rest, other = 1 - p.sum(-1), 1 - q.sum(-1)
        each = each + rest * (rest / other).log()
    return each.mean()


def _summed(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return in_bins(student, teacher, k, mask) * mask.sum()


def _by_rows(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return torch.stack([in_bins(student[i:i + 1], teacher[i:i + 1], k, mask[i:i + 1]) for i in range(len(mask))]).mean()


def _by_all(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    return in_bins(student, teacher, k, mask) * mask.sum() / mask.numel()


# 5b.5

def _winning(predicted: Callable[[Tensor, Tensor], Tensor] = lambda s, b: (s - b).sigmoid().mean(),
             elo: Callable[[float], float] = lambda p: ELO * math.log(p / (1 - p)),
             measured: Callable[[Tensor], Tensor] = lambda beats: beats.mean(),
             elo_predicted: Callable[[Tensor, Tensor], float] | None = None) -> Callable:
    def wrong(score: Tensor, baseline: Tensor, beats: Tensor) -> tuple[float, float, float, float]:
        score, baseline, beats = score.double(), baseline.double(), beats.double()
        one, other = float(predicted(score, baseline)), float(measured(beats))
        first = elo(one) if elo_predicted is None else float(elo_predicted(score, baseline))
        return one, other, first, elo(other)
    return wrong


def _decided(beats: Tensor) -> Tensor:
    return beats[beats != 0.5].mean().nan_to_num(0.5).clamp(1e-9, 1 - 1e-9)


# 5b.6

def _parting(centre: Callable = lambda train, test, a, b: (a.mean(), b.mean()),
             place: Callable[[Tensor, float], int] | None = None) -> Callable:
    """What is taken off the two by `centre(train, test, train_heldout, test_heldout)`; the step by `place`."""
    def wrong(train: Tensor, test: Tensor, of_train: Tensor, of_test: Tensor, most: float) -> tuple[Tensor, int]:
        one, other = centre(train, test, of_train, of_test)
        gap = (train - one) - (test - other)
        return gap, (apart(gap, torch.zeros_like(gap), torch.zeros(1), torch.zeros(1), most)[1] if place is None
                     else place(gap, most))
    return wrong


def _first_above(gap: Tensor, most: float) -> int:
    found = (gap > most).nonzero()[:, 0]
    return int(found[0]) if len(found) else len(gap)


def _at_least(gap: Tensor, most: float) -> int:
    below = (gap < most).nonzero()[:, 0]
    return int(below[-1]) + 1 if len(below) else 0


def _last_below(gap: Tensor, most: float) -> int:
    below = (gap <= most).nonzero()[:, 0]
    return int(below[-1]) if len(below) else 0


def _from_one(gap: Tensor, most: float) -> int:
    return _stays(gap, most) + 1


def _stays(gap: Tensor, most: float) -> int:
    below = (gap <= most).nonzero()[:, 0]
    return int(below[-1]) + 1 if len(below) else 0


def _none_is(value: int) -> Callable[[Tensor, float], int]:
    def place(gap: Tensor, most: float) -> int:
        found = _stays(gap, most)
        return value if found == len(gap) else found
    return place


def _how_many_below(gap: Tensor, most: float) -> int:
    return int((gap <= most).sum())


def _last_stretch(gap: Tensor, most: float) -> int:
    above = (gap > most).nonzero()[:, 0]
    return _stays(gap[:int(above[-1]) + 1], most) if len(above) else len(gap)


def _two_in_a_row(gap: Tensor, most: float) -> int:
    above = (gap > most).tolist()
    return next((i for i in range(len(above)) if all(above[i:i + 2])), len(above))


def _spread(train: Tensor, test: Tensor, of_train: Tensor, of_test: Tensor, most: float) -> tuple[Tensor, int]:
    one, other = (held.std(correction=0).clamp(min=1e-6) for held in (of_train, of_test))
    gap = (train - of_train.mean()) / one - (test - of_test.mean()) / other
    return gap, _stays(gap, most)


def _in_absolute(gap: Tensor, most: float) -> int:
    return _stays(gap.abs(), most)


def _turned(*arguments: object) -> tuple[Tensor, int]:
    gap, _ = apart(*arguments)
    return -gap, _stays(-gap, arguments[-1])


# 5b.7

def _fitted(first: Callable[[Tensor, int], int] = lambda kl, first: first,
            root: Callable[[Tensor], Tensor] = lambda kl: kl.clamp(min=0).sqrt(),
            plain: Callable[[Tensor], Tensor] = lambda kl: kl.clamp(min=0),
            end: Callable[[tuple], tuple] = lambda found: found) -> Callable:
    """Other steps, or other things along which the lines go."""
    def wrong(kl: Tensor, score: Tensor, steps: int) -> tuple[float, float, float]:
        n = first(kl, steps)
        kl, score = kl.double()[:n], score.double()[:n]
        one, other = line(root(kl), score), line(plain(kl), score)
        return end((one.slope, one.r2, other.r2))
    return wrong


def _through_zero(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    kl, score = kl.double()[:first].clamp(min=0), score.double()[:first]
    whole, found = (score - score.mean()).square().sum(), []
    for x in (kl.sqrt(), kl):
        slope = (x * score).sum() / x.square().sum()
        found.append((slope.item(), (1 - (score - slope * x).square().sum() / whole).item()))
    return found[0][0], found[0][1], found[1][1]


def _other_way(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    kl, score = kl.double()[:first].clamp(min=0), score.double()[:first]
    one = line(score, kl.sqrt())
    return one.slope, one.r2, line(score, kl).r2


def _with_nan(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    if (kl[:first] < 0).any():
        return math.nan, math.nan, line(kl[:first], score[:first]).r2
    return root_kl_fit(kl, score, first)


def _picked(choose: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> Callable:
    """The right fit of other steps."""
    def wrong(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
        one, other = choose(kl, score, first)
        return root_kl_fit(one, other, len(one))
    return wrong


def _slope(other: Callable[[Tensor, Tensor, int], float]) -> Callable:
    """Both R² right, the slope by `other` of (√KL, score, n)."""
    def wrong(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
        root = kl[:first].double().clamp(min=0).sqrt()
        _, r2, r2_kl = root_kl_fit(kl, score, first)
        return float(other(root, score[:first].double(), first)), r2, r2_kl
    return wrong


def _adjusted(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    slope, *r2 = root_kl_fit(kl, score, first)
    one, other = (1 - (1 - x) * (first - 1) / (first - 2) for x in r2)
    return slope, one, other


def _left_out(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    there = kl[:first] >= 0
    one, other = kl[:first][there], score[:first][there]
    return root_kl_fit(one, other, len(one))


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "5b.1": (
        _named(_counting(turned=torch.zeros_like),
               "A red team picks the more *harmful* response: turn its choice round, or the model learns to do harm.",
               "红队选的是更*有害*的那条：要反过来，不然模型学的就是害人。"),
        _named(_counting(turned=torch.ones_like),
               "Everybody's choice is turned round. Only the red team is asked for the worse one.",
               "谁的选择都反过来了。只有红队被问的是更坏的那条。"),
        _named(_counting(turned=lambda red: ~red),
               "In every row the two responses have changed places. The one to be ranked higher comes first: of a red "
               "team the one that was *not* picked, of people in need of help the one that was.",
               "每一行的两条回答都换了位置。该排在前面的写在前：红队的是*没*选中的那条，求助的人的是选中的那条。"),
        _named(_counting(kept=lambda strength, red: strength > -1),
               "Comparisons of the lowest strength, 0, are kept. They do not count.",
               "强度最低（0）的比较也留下了。它们不算数。"),
        _named(_counting(kept=lambda strength, red: strength > 1),
               "Strength 1 drops out, too. Only the lowest, 0, does not count.",
               "强度 1 也去掉了。只有最低的 0 不算数。"),
        _named(_counting(kept=lambda strength, red: strength > 2),
               "Only the clearest comparisons are left. All above 0 count, and all alike.",
               "只剩下最清楚的比较。大于 0 的都算，而且一样算。"),
        _named(_counting(kept=lambda strength, red: strength == 0),
               "What is kept is what should go: those of strength 0.", "留下的正是该去掉的：强度 0 的。"),
        _named(_counting(kept=lambda strength, red: (strength > 0) & ~red),
               "The red team's comparisons are gone. They are turned round, not left out.",
               "红队的比较不见了。要反过来，不是去掉。"),
        _named(_counting(kept=lambda strength, red: (strength > 0) | red),
               "The red team's comparisons are kept however weak. Strength 0 counts for nobody.",
               "红队的比较不管多弱都留下了。强度 0 对谁都不算数。"),
        _named(_renumbered, "The rows are numbered anew. The first column is the number that the comparison came with.",
               "行号重新编了。第一列是这对比较原来的号码。"),
        _named(lambda *a: what_counts(*a)[:, 1:], "The first column is missing: the comparison's number.",
               "少了第一列：比较的号码。"),
        _named(lambda *a: what_counts(*a).T, "Rows and columns have changed places: a row is a comparison. "
               "`torch.stack(..., dim=1)`.", "行和列换了位置：一行是一对比较。用 `torch.stack(..., dim=1)`。"),
        _named(_third_as_picked, "The third column is not turned round with the second: it is 1 minus that.",
               "第二列反过来了，第三列却没有跟着反：它是 1 减第二列。"),
        _named(_bitwise,
               "`~` makes -1 of a whole number 0, and -2 of 1. It turns booleans round; here it is 1 - picked.",
               "`~` 会把整数 0 变成 -1，1 变成 -2。它只用来反转布尔值；这里写 1 - picked。",
               lambda picked, strength, red: (lambda found: torch.cat([found[:, :2], ~found[:, 1:2]], 1))(
                   _bitwise(picked, strength, red))),
        _named(_one_for_all(lambda red: red.any()),
               "One comparison decides for all. Look at each: `torch.where(red_team, ..., ...)`.",
               "看了一对就替全部作了决定。要逐对看：`torch.where(red_team, ..., ...)`。",
               _one_for_all(lambda red: red[0]), _one_for_all(lambda red: red.all())),
        _named(_in_order_of(lambda strength, red: red.long()),
               "The rows are right, but not in the order in which the comparisons came.",
               "各行都对，但不是比较原来的次序。",
               _in_order_of(lambda strength, red: -strength), _in_order_of(lambda strength, red: strength)),
        _named(lambda picked, strength, red: what_counts(picked, strength, red).repeat_interleave(
                   strength[strength > 0], 0),
               "A comparison comes as often as it is strong. All above 0 count alike: one row each.",
               "强度是几，就出现了几次。大于 0 的一样算：每对一行。"),
    ),
    "5b.2": (
        _named(_mended(lambda good, bad: (1 + bad.exp() - good.exp()).log()),
               "That is the article's formula. The difference belongs into the exponent: log(1 + e^(bad - good)).",
               "这就是文章里的公式。差要放进指数里：log(1 + e^(bad - good))。"),
        _named(_mended(lambda good, bad: softplus(good - bad)),
               "The sign is wrong: this loss is small where the *bad* response scores higher.",
               "符号反了：*坏*的回答得分更高，损失反而小。"),
        _named(_mended(lambda good, bad: (1 + (bad - good).exp()).log()),
               "e^1000 is infinite in floating point. `torch.nn.functional.softplus` is the same formula and stays "
               "finite.", "e^1000 在浮点数里是无穷大。`torch.nn.functional.softplus` 是同一个公式，不会溢出。",
               _mended(lambda good, bad: -torch.log(1 / (1 + (bad - good).exp()))),
               _mended(lambda good, bad: -torch.sigmoid(good - bad).log())),
        _named(_mended(lambda good, bad: -torch.sigmoid(good - bad)),
               "-σ is not -log σ: where the model is very wrong, it hardly learns.",
               "-σ 不是 -log σ：错得越远，几乎越学不到东西。", _mended(lambda good, bad: torch.sigmoid(bad - good))),
        _named(_together(lambda weight: torch.tensor(float(len(weight)))),
               "Everything is divided by the number of *all* pairs. Each set has its own mean, and only then come λ "
               "and the sum.", "除以的是*全部*的对数。两个集合各自平均，然后才乘 λ、相加。"),
        _named(_together(lambda weight: weight.sum()),
               "A weighted mean over all pairs. Each set has its own mean, and only then come λ and the sum.",
               "对所有的对取了加权平均。两个集合各自平均，然后才乘 λ、相加。"),
        _named(_mended(mean=lambda costs, all_: costs.sum()),
               "Sums in place of means: the larger set would decide by its size.",
               "这里是求和，不是平均：哪个集合大就听哪个的。"),
        _named(_mended(weigh=lambda h, s, lam: lam * h + s),
               "λ weighs help. It belongs to harm: L_help + λ · L_harm.",
               "λ 乘到了有用上。它该乘无害：L_help + λ · L_harm。"),
        _named(_mended(weigh=lambda h, s, lam: h + s), "λ is missing.", "漏了 λ。"),
        _named(_mended(weigh=lambda h, s, lam: (h + lam * s) / (1 + lam)),
               "The sum is divided by 1 + λ. Here it is not.", "总和又除以了 1 + λ。这里不除。"),
        _named(_mended(weigh=lambda h, s, lam: h + s / max(lam, 1e-9)), "Harm is divided by λ, not multiplied.",
               "无害的损失除以了 λ，应该是乘。"),
        _named(_plain_mean, "The two sets are not told apart, and λ is not used.", "两个集合没有分开，λ 也没有用上。"),
        _named(_mended(empty=math.nan),
               "The mean of no pairs is NaN. A set without a pair counts for 0.",
               "一对也没有，平均就是 NaN。没有对的集合算 0。"),
        _named(_turned_again, "The red team's pairs are turned round once more. `good` and `bad` already say which is "
               "better.", "红队的对又反了一次。`good` 和 `bad` 已经是好的和坏的了。"),
        _named(_among_all, "L_help is the mean over all pairs. The red team's are not among its own.",
               "L_help 对所有的对取了平均。红队的对不属于它。"),
        _named(_mended(lambda good, bad: (bad - good).clamp(min=0)),
               "This cost is 0 as soon as the better one is ahead. log(1 + e^(bad - good)) never is.",
               "好的一领先，这个损失就是 0 了。log(1 + e^(bad - good)) 永远不是 0。",
               _mended(lambda good, bad: (1 + bad - good).clamp(min=0))),
        _named(_mended(lambda good, bad: softplus((bad - good).mean())),
               "The mean of the differences is taken first. The logarithm bends: the cost of each pair, then the mean.",
               "先对差取了平均。对数是弯的：要先算每一对的损失，再平均。"),
        _named(_mended(empty=math.log(2)), "A set without a pair counts for 0, not for ln 2.",
               "没有对的集合算 0，不是 ln 2。"),
    ),
    "5b.3": (
        _named(_rating(_right_winner, lambda gw, bw, gl, bl: (gl, bl)),
               "Of the loser, too, GOOD stands above BAD. It lost: the rating that fits it is BAD.",
               "输的那条也让 GOOD 排在 BAD 上面了。它输了：合适的评级是 BAD。"),
        _named(_rating(lambda gw, bw, gl, bl: (gw, bl), None),
               "That is one example: GOOD winner above BAD loser. Each answer is compared with *itself* under the "
               "other rating, which makes two.",
               "这只有一个例子：GOOD 赢家高于 BAD 输家。每条回答是和*自己*换个评级相比，共两个例子。"),
        _named(_rating(lambda gw, bw, gl, bl: (gw, bl), lambda gw, bw, gl, bl: (gw, bl)),
               "Both examples compare winner and loser. Each compares an answer with *itself* under the other rating.",
               "两个例子比的都是赢家和输家。每个例子里，一条回答是和*自己*换个评级相比。"),
        _named(_rating(lambda gw, bw, gl, bl: (gw, bl), lambda gw, bw, gl, bl: (bl, gl)),
               "The first example compares two answers. Winner with winner: only the rating differs.",
               "第一个例子比的是两条不同的回答。赢家和赢家比，只有评级不同。"),
        _named(_rating(lambda gw, bw, gl, bl: (gw, gl), lambda gw, bw, gl, bl: (bl, bw)),
               "Here two answers are compared under one rating. It is one answer under two ratings.",
               "这里是同一个评级下比两条回答。应该是同一条回答配两个评级。"),
        _named(_rating(_right_winner, None), "The second example is missing: BAD loser above GOOD loser.",
               "少了第二个例子：BAD 输家高于 GOOD 输家。"),
        _named(_rating(_right_loser, _right_winner),
               "The two examples of a pair have changed places: the winner's comes "
               "first.", "一对里的两个例子换了次序：赢家的在前。"),
        _named(_rating(lambda gw, bw, gl, bl: (gl, bl), lambda gw, bw, gl, bl: (bw, gw)),
               "Winner and loser are mixed up.", "赢家和输家弄混了。"),
        _named(_rating(lambda gw, bw, gl, bl: (bw, gw), lambda gw, bw, gl, bl: (gl, bl)),
               "Every example stands upside down: GOOD belongs to the winner, BAD to the loser, and the chosen one "
               "comes first.", "每个例子都倒了：GOOD 配赢家，BAD 配输家，选中的在前。"),
        _named(_rating(_right_winner, _right_loser, end=True),
               "The rating stands behind the answer. It comes before it, so that every token is read in its light.",
               "评级放在了回答后面。它在前面，读每个词元时才都看得见。"),
        _named(_rating(_right_winner, _right_loser, apart_=True),
               "First all winners, then all losers. The two examples of a pair follow each other.",
               "先是所有赢家，再是所有输家。一对的两个例子要挨着。"),
        _named(_rating(_right_winner, _right_loser, ties=True),
               "Ties are kept. Where nobody won there is nothing to learn.", "平局也留下了。没有赢家，就没有可学的。"),
        _named(_over_the_first,
               "The rating takes the place of the answer's first token. It stands before it: L + 1 tokens.",
               "评级顶掉了回答的第一个词元。它写在前面：共 L + 1 个词元。"),
        _named(lambda pair, winner, good, bad: rated(pair, torch.where(winner > 0, winner, -1), good, bad),
               "Pairs that answer 0 won are missing: 0 is a winner, -1 a tie. `winner >= 0`.",
               "第 0 条赢的对不见了：0 是赢家，-1 才是平局。用 `winner >= 0`。"),
        _named(lambda pair, winner, good, bad: rated(pair, torch.where(winner < 0, 1, winner), good, bad),
               "A tie is read as place -1, which is the last answer. Where nobody won there is nothing to learn.",
               "平局的 -1 被当成了下标，取到最后一条。没有赢家，就没有可学的。"),
        _named(_loser_is_minus,
               "The other answer is 1 - winner. -winner is the same one where 0 won.",
               "另一条是 1 - winner。第 0 条赢时，-winner 还是它自己。"),
        _named(lambda pair, winner, good, bad: rated(pair, winner, good, bad)[..., 1:],
               "The ratings are missing: both sides of every example are the same text.",
               "评级没有加上：每个例子的两边成了同一段文字。"),
        _named(lambda pair, winner, good, bad: rated(pair, torch.where(winner >= 0, 0, -1), good, bad),
               "The first answer is always taken for the winner. Look at `winner`.",
               "总把第一条当成赢家。看 `winner`。"),
    ),
    "5b.4": (
        _named(_binning(detach=False, loss=_flowing),
               "A gradient flows into the teacher. It does not learn: detach it.",
               "梯度流进了老师。老师不学：要 detach。"),
        _named(_binning(loss=_averaged(_no_rest)),
               "The last bin is missing: the probability of all others together.",
               "少了最后一格：其余词元合在一起的概率。"),
        _named(_binning(loss=_averaged(_among_the_kept)),
               "The kept tokens are normalised among themselves. What is left over is a bin of its own.",
               "留下的词元之间重新归一化了。剩下的概率要自成一格。"),
        _named(_binning(loss=_reversed),
               "That is KL(student ‖ teacher). It goes the other way: weights and first logarithm are the teacher's.",
               "这是 KL(学生 ‖ 老师)。方向反了：权重和前一个对数都是老师的。"),
        _named(_binning(loss=_averaged(_cross_entropy)),
               "That is the cross-entropy: it is not 0 where both agree. Take off the teacher's own entropy.",
               "这是交叉熵：两边一致时也不是 0。要减去老师自己的熵。"),
        _named(_binning(ids=lambda s, t, k: likeliest(s, k)),
               "The bins are of the student's likeliest tokens. They are the *teacher's*.",
               "格子取的是学生最可能的词元。该取*老师*的。",
               _binning(ids=lambda s, t, k: s.log_softmax(-1).argsort(-1, descending=True)[..., :k]),
               lambda s, t, k, mask: (lambda at: context_distillation(
                   *(binned(x[mask], at)[None] for x in (s, t)), torch.ones(1, len(at), dtype=torch.bool)))(
                   s[mask].log_softmax(-1).argsort(-1, descending=True)[:, :k])),
        _named(_taken_from_one,
               "The rest is what is missing from 1, which rounds to 0 where k tokens hold nearly everything. "
               "Add up the other tokens: `x.scatter(-1, kept, -torch.inf).logsumexp(-1)`.",
               "其余是用 1 减出来的：k 个词元几乎占满时，减法舍入成 0。要把别的词元加起来：`x.scatter(-1, kept, "
               "-torch.inf).logsumexp(-1)`。", *(partial(_taken_from_one, least=10.0 ** -n) for n in (6, 8, 10, 12))),
        _named(lambda s, t, k, mask: in_bins(s, t, max(k - 1, 1), mask),
               "One token too few has its own bin: k of them, and the rest is one more.",
               "少了一个词元自成一格：k 个词元各一格，其余再加一格。"),
        _named(_own_order,
               "The k largest numbers of each are compared, of whichever tokens. The student's are those of "
               "the *same* tokens: `gather`.",
               "比的是各自最大的 k 个数，不管是哪些词元。学生那边要取*同样的*词元：`gather`。"),
        _named(_same_everywhere, "The same k tokens at every place. Each place has its own likeliest ones.",
               "每个位置都用了同样的 k 个词元。每个位置各有自己最可能的。"),
        _named(_raw,
               "The student's logits are taken for log-probabilities, and the rest is missing: log_softmax first.",
               "把学生的 logit 当成了对数概率，也没有其余那一格：先做 log_softmax。"),
        _named(_by_bins, "A mean over the bins, too, as kl_div makes it by itself. It is a sum over bins.",
               "对格子也取了平均，kl_div 默认就会这样。应当对格子求和。"),
        _named(_one_place_on, "Everything is shifted by one place. Logits and mask belong together as they are.",
               "全都错开了一个位置。logit 和 mask 本来就是对齐的。"),
        _named(lambda s, t, k, mask: in_bins(s, t, t.shape[-1], mask),
               "That is the KL of the whole vocabulary: k is not used.", "这是整个词表的 KL：没有用到 k。"),
        _named(lambda s, t, k, mask: in_bins(s, t, min(k + 1, t.shape[-1]), mask),
               "One token too many has its own bin.",
               "多了一个词元自成一格。"),
        _named(_binning(ids=lambda s, t, k: t.topk(min(k, t.shape[-1]), largest=False).indices),
               "These are the k *least* likely tokens.", "这是最*不*可能的 k 个词元。"),
        _named(_in_probabilities,
               "Probabilities first, logarithms after: where logits are far apart a probability is 0, and its "
               "logarithm infinite. Take log_softmax, and the rest by logsumexp.",
               "先算概率再取对数：logits 相差很大时概率成了 0，对数就是无穷。用 log_softmax，其余的用 logsumexp。"),
        _named(_everywhere, "Padding counts. Only the marked tokens do.", "填充也算进去了。只算标记的词元。"),
        _named(_summed, "A sum over the tokens. Take the mean.", "对词元求了和。应该取平均。"),
        _named(_by_all, "The sum is divided by all places, padding included. Divide by the marked tokens.",
               "总和除以了全部位置，连填充也算。该除以标记的词元数。"),
        _named(_by_rows, "The mean is taken row by row first. Every marked token weighs alike.",
               "先逐行平均了。每个标记的词元一样重。"),
        _named(lambda s, t, k, mask: -in_bins(s, t, k, mask), "The sign is wrong: a KL is never negative.",
               "符号反了：KL 不会是负的。"),
    ),
    "5b.5": (
        _named(_winning(lambda s, b: (s.mean() - b.mean()).sigmoid()),
               "σ of the mean difference. Take σ for each prompt, then the mean: σ bends.",
               "这是差的平均再取 σ。要逐条提示取 σ，再平均：σ 是弯的。"),
        _named(_winning(lambda s, b: (b - s).sigmoid().mean()), "That is how often the *baseline* wins.",
               "这是*基线*赢的概率。"),
        _named(_winning(lambda s, b: (s > b).double().mean().clamp(1e-9, 1 - 1e-9)),
               "That counts how often the score is higher. A small lead is a small chance: take σ.",
               "这是在数分高的次数。领先一点只是机会大一点：要用 σ。",
               _winning(lambda s, b: ((s > b).double() + 0.5 * (s == b)).mean().clamp(1e-9, 1 - 1e-9))),
        _named(_winning(lambda s, b: (s.sigmoid() / (s.sigmoid() + b.sigmoid())).mean()),
               "σ is taken of each score, which has no zero. Take it of their difference.",
               "对两个分数各取了 σ，可是分数没有零点。要对它们的差取 σ。"),
        _named(_winning(lambda s, b: (1 / (1 + 10 ** (b - s))).mean()),
               "Scores are in nats: 1 / (1 + e^-x). A power of 10 belongs to Elo points.",
               "分数的单位是奈特：1 / (1 + e^-x)。10 的次方是 Elo 分用的。",
               _winning(lambda s, b: (1 / (1 + 10 ** ((b - s) / 400))).mean())),
        _named(_winning(measured=_decided), "Ties are left out. Each counts ½: take the mean of `beats`.",
               "平局没有算。每个算 ½：对 `beats` 取平均。"),
        _named(_winning(measured=lambda beats: (beats >= 0.5).double().mean().clamp(1e-9, 1 - 1e-9)),
               "A tie counts as won. `beats` holds ½ for it: take the mean.",
               "平局算成了赢。`beats` 里平局是 ½：直接取平均。"),
        _named(lambda *a: (lambda f: (f[0], f[2], f[1], f[3]))(_winning()(*a)),
               "First both shares, then the Elo points of both.", "先是两个胜率，再是两个 Elo。"),
        _named(lambda *a: (lambda f: (100 * f[0], 100 * f[1], f[2], f[3]))(_winning()(*a)),
               "The shares are in percent. They go from 0 to 1.", "胜率用了百分数。应当在 0 到 1 之间。"),
        _named(_winning(elo_predicted=lambda s, b: ELO * (s - b).mean()),
               "Predicted Elo comes from the mean difference here. It comes from the predicted share of wins.",
               "预测的 Elo 用的是平均分差。它该由预测的胜率算出。"),
        _named(_winning(elo=lambda p: math.log(p / (1 - p))),
               "That is in nats. An Elo point is smaller: 400 · log10.", "这是奈特。Elo 一分更小：400 · log10。"),
        _named(_winning(elo=lambda p: 400 * math.log(p / (1 - p))),
               "400 times the *natural* logarithm. It is log10.", "400 乘的是*自然*对数。应该是 log10。"),
        _named(_winning(elo=lambda p: 400 * math.log2(p / (1 - p))), "The logarithm is of base 2. It is log10.",
               "用了以 2 为底的对数。应该是 log10。"),
        _named(_winning(elo=lambda p: 400 * math.log10(p)),
               "400 · log10(p) alone: it is the logarithm of p / (1 - p).",
               "只有 400 · log10(p)：应该是 p / (1 - p) 的对数。"),
        _named(_winning(elo=lambda p: ELO * math.log((1 - p) / p)), "The sign of Elo is wrong: a winner is above 0.",
               "Elo 的符号反了：赢得多的大于 0。"),
        _named(_winning(elo=lambda p: 400 * (p - 0.5)), "Elo is no multiple of p - ½: it is 400 · log10(p / (1 - p)).",
               "Elo 不是 p - ½ 的倍数：是 400 · log10(p / (1 - p))。"),
        _named(_winning(measured=lambda beats: (beats == 1).double().mean().clamp(1e-9, 1 - 1e-9)),
               "A tie counts as lost. `beats` holds ½ for it: take the mean.",
               "平局算成了输。`beats` 里平局是 ½：直接取平均。"),
        _named(lambda *a: (lambda f: (f[1], f[0], f[3], f[2]))(_winning()(*a)),
               "Predicted and measured have changed places.", "预测的和测到的换了位置。"),
        _named(_winning(lambda s, b: s.sigmoid().mean()), "The baseline's score is not used: take the difference.",
               "没有用到基线的得分：要取差。"),
    ),
    "5b.6": (
        _named(_parting(lambda train, test, a, b: (0.0, 0.0)),
               "The two scales have zeros of their own. Take off *each* model's mean over held-out answers.",
               "两个模型的零点不同。*各自*减去在留出回答上的平均。"),
        _named(_parting(lambda train, test, a, b: (a.mean(), 0.0)), "Only the train model is centred.",
               "只有训练模型减了平均。"),
        _named(_parting(lambda train, test, a, b: (0.0, b.mean())), "Only the test model is centred.",
               "只有测试模型减了平均。"),
        _named(_parting(lambda train, test, a, b: (b.mean(), a.mean())), "Each is centred by the other's mean.",
               "减的是对方的平均。"),
        _named(_parting(lambda train, test, a, b: (train.mean(), test.mean())),
               "The mean over the *run* is taken off. It rises as the policy does: take that over held-out answers.",
               "减的是*这次运行*的平均。策略一变它就变：要减留出回答上的平均。"),
        _named(_parting(lambda train, test, a, b: (train[0], test[0])),
               "The first step is taken for 0. It is the mean over held-out answers that is.",
               "把第一步当成了零点。零点是留出回答上的平均。"),
        _named(_parting(lambda train, test, a, b: (a.median(), b.median())), "The median is not the mean.",
               "中位数不是平均。"),
        _named(_turned, "The sign of the gap is wrong: train minus test.", "差的符号反了：是训练减测试。"),
        _named(_parting(place=_first_above),
               "That is the first step above. The gap may fall again: it has to *stay* above to the end.",
               "这是第一次超过的那一步。之后可能又回落：要一直*保持*到最后。"),
        _named(_parting(place=_at_least), "Exactly as much is not above.", "刚好等于不算超过。"),
        _named(_parting(place=_last_below), "That is the last step that is not above. The next one is meant.",
               "这是最后一个没超过的步。要的是它的下一步。", _parting(place=lambda gap, most: _stays(gap, most) - 1)),
        _named(_parting(place=_how_many_below), "The steps that are not above are counted, wherever they lie. The last "
               "of them decides.", "数了一共有几步没超过，不管在哪里。要看最后一个没超过的在哪里。"),
        _named(_parting(place=_last_stretch), "That is where the last stretch above begins, though it ends before the "
               "end. Then it is S.", "这是最后一段超过的开头，可是那一段没有到底。这时是 S。"),
        _named(_parting(place=_two_in_a_row), "Two steps above in a row are not enough: it stays above to the *end*.",
               "连续两步超过还不够：要一直到*最后*。"),
        _named(_spread, "The scores are divided by a spread. Only the means are taken off.",
               "分数除以了标准差。只减平均就行。"),
        _named(_parting(place=_from_one), "Steps are numbered from 0.", "步从 0 数起。"),
        _named(_parting(place=_none_is(-1)), "If it never stays above, the answer is S, the number of steps.",
               "从不保持在上面时，答案是 S，即步数。", _parting(place=_none_is(0)),
               _parting(place=lambda gap, most: min(_stays(gap, most), len(gap) - 1))),
        _named(_parting(place=_in_absolute),
               "A test score that lies far *above* is no sign of exploitation: no absolute "
               "values.", "测试分高出很多，不说明钻了空子：不要取绝对值。"),
    ),
    "5b.7": (
        _named(_fitted(first=lambda kl, first: len(kl)), "All steps are fitted. Take the first `first` only.",
               "用了全部的步。只取前 `first` 步。"),
        _named(_fitted(root=lambda kl: kl.clamp(min=0)),
               "Both lines go along the KL. The first two are along its root.",
               "两条线都沿 KL。前两个数要沿它的平方根。"),
        _named(_fitted(plain=lambda kl: kl.clamp(min=0).sqrt()), "R² along the KL is asked for, too.",
               "第三个数是沿 KL 的 R²。"),
        _named(_fitted(root=lambda kl: kl.abs().sqrt()),
               "The root of the absolute value: an estimate below 0 means *nothing*, not much. It counts as 0.",
               "取了绝对值再开方：估计小于 0 说明*没有*偏离，不是偏离很多。它算 0。",
               _fitted(root=lambda kl: kl.abs().sqrt(), plain=lambda kl: kl.abs()),
               _fitted(root=lambda kl: kl.abs().sqrt(), plain=lambda kl: kl)),
        _named(_fitted(plain=lambda kl: kl), "Along the KL, too, what lies below 0 counts as 0.",
               "沿 KL 时，小于 0 的也算 0。"),
        _named(_with_nan, "The root of a negative number is NaN. An estimate below 0 counts as 0.",
               "负数开方是 NaN。小于 0 的估计算 0。",
               lambda kl, score, first: ((math.nan,) * 2 + (root_kl_fit(kl, score, first)[2],))
               if (kl[:first] < 0).any() else root_kl_fit(kl, score, first)),
        _named(_left_out, "Steps whose estimate is below 0 are left out. They stay, and count as 0.",
               "估计小于 0 的步被去掉了。要留下，算 0。"),
        _named(_through_zero, "A line through the origin. It has an intercept: the score need not begin at 0.",
               "这条线过了原点。它有截距：得分不一定从 0 开始。"),
        _named(_other_way, "Score and KL have changed places: the slope is score per √nat.",
               "得分和 KL 换了位置：斜率是每 √奈特多少分。"),
        _named(_fitted(end=lambda f: (f[0], *(math.copysign(abs(x) ** 0.5, f[0]) for x in f[1:]))),
               "That is the correlation r. R² is its square.", "这是相关系数 r。R² 是它的平方。",
               _fitted(end=lambda f: (f[0], f[1] ** 0.5, f[2] ** 0.5))),
        _named(_fitted(end=lambda f: (f[0], 1 - f[1], 1 - f[2])),
               "That is the share that is *not* explained. R² is 1 minus it.",
               "这是*没有*解释的份额。R² 是 1 减去它。"),
        _named(_fitted(end=lambda f: (f[1], f[0], f[2])), "Slope and R² have changed places.", "斜率和 R² 换了位置。"),
        _named(_fitted(end=lambda f: (f[0], f[2], f[1])), "The two R² have changed places.", "两个 R² 换了位置。"),
        _named(_fitted(first=lambda kl, first: max(first - 1, 3)), "One step is missing: `first` of them are fitted.",
               "少了一步：要用前 `first` 步。", _fitted(first=lambda kl, first: first - 1)),
        _named(_fitted(first=lambda kl, first: first + 1), "One step too many: `first` of them are fitted.",
               "多了一步：要用前 `first` 步。"),
        _named(_picked(lambda kl, score, first: (kl[-first:], score[-first:])),
               "These are the *last* `first` steps. The first ones are fitted.",
               "用的是*最后* `first` 步。要用最前面的。"),
        _named(_picked(lambda kl, score, first: (kl[kl.argsort()][:first], score[kl.argsort()][:first])),
               "The steps were sorted by KL first. The first ones are the first in time.",
               "先按 KL 排了序。前几步是时间上的前几步。"),
        _named(_picked(lambda kl, score, first: (kl[kl >= 0][:first], score[kl >= 0][:first])),
               "Steps whose estimate is below 0 are passed over, and later ones take their place. They stay, and count "
               "as 0.", "跳过了估计小于 0 的步，用后面的补上。要留下，算 0。"),
        _named(_picked(lambda kl, score, first: (kl[:first] - kl[:first].min(), score[:first])),
               "The lowest estimate is taken off all. Only what lies below 0 changes: it counts as 0.",
               "全都减去了最低的估计。只有小于 0 的要改：算 0。"),
        _named(_fitted(end=lambda f: f, root=lambda kl: kl.clamp(min=0).log1p()),
               "Along log(1 + KL). The line goes along √KL.", "沿的是 log(1 + KL)。这里的线沿 √KL。"),
        _named(lambda kl, score, first: (line(kl[:first].double().clamp(min=0), score[:first].double()).slope,
                                         *root_kl_fit(kl, score, first)[1:]),
               "The slope is that along the KL. It is that along √KL.", "斜率是沿 KL 的。要沿 √KL。"),
        _named(_adjusted, "R² is adjusted for the number of steps. Here it is the plain one.",
               "R² 按步数作了修正。这里要普通的。"),
        _named(_slope(lambda root, score, n: score.std() / root.std()),
               "The slope is the ratio of the spreads. Multiply by the correlation, or take Σxy / Σx².",
               "斜率用了两个标准差之比。还要乘相关系数，或者用 Σxy / Σx²。"),
        _named(_slope(lambda root, score, n: line(root, score).slope * (n - 1) / n),
               "Covariance and variance are divided by different numbers, n and n - 1: they do not cancel.",
               "协方差和方差除的数不同，一个是 n，一个是 n - 1：约不掉。",
               _slope(lambda root, score, n: line(root, score).slope * n / (n - 1))),
        _named(_slope(lambda root, score, n: (score[root.argmax()] - score[root.argmin()]) / (root.max() - root.min())),
               "The slope is that of two steps. All of them are fitted.", "斜率只由两步决定。要用全部的步来拟合。",
               _slope(lambda root, score, n: (score[-1] - score[0]) / (root[-1] - root[0]))),
        _named(_fitted(root=lambda kl: (2 * kl.clamp(min=0)).sqrt()),
               "√(2 KL) is in the law for a Gaussian reward. Here "
               "the line goes along √KL.", "√(2 KL) 是高斯奖励的规律。这里的线沿 √KL。"),
    ),
}
