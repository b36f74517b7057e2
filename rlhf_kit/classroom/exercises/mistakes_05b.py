"""What goes wrong in lesson 05b, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections.abc import Callable

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
               "格子取的是学生最可能的词元。该取*老师*的。"),
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
               "这是在数分高的次数。领先一点只是机会大一点：要用 σ。"),
        _named(_winning(elo_predicted=lambda s, b: ELO * (s - b).mean()),
               "Predicted Elo comes from the mean difference here. It comes from the predicted share of wins.",
               "预测的 Elo 用的是平均分差。它该由预测的胜率算出。"),
        _named(_winning(elo=lambda p: math.log(p / (1 - p))),
               "That is in nats. An Elo point is smaller: 400 · log10.", "这是奈特。Elo 一分更小：400 · log10。"),
        _named(_winning(elo=lambda p: 400 * math.log(p / (1 - p))),
               "400 times the *natural* logarithm. It is log10.", "400 乘的是*自然*对数。应该是 log10。"),
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
               "这是最后一个没超过的步。要的是它的下一步。"),
        _named(_parting(place=_from_one), "Steps are numbered from 0.", "步从 0 数起。"),
        _named(_parting(place=_none_is(-1)), "If it never stays above, the answer is S, the number of steps.",
               "从不保持在上面时，答案是 S，即步数。", _parting(place=_none_is(0))),
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
               "少了一步：要用前 `first` 步。"),
        _named(_fitted(root=lambda kl: (2 * kl.clamp(min=0)).sqrt()),
               "√(2 KL) is in the law for a Gaussian reward. Here "
               "the line goes along √KL.", "√(2 KL) 是高斯奖励的规律。这里的线沿 √KL。"),
    ),
}
