"""Lesson 02, a reward model from rankings: pairs, the loss alone and K-wise, accuracy, labelers, calibration, zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.formulas import losses, preference
from rlhf_kit.formulas.agreement import annotator_quality


def rank_to_pairs(ranks: list[int]) -> Tensor:
    """(better, worse), the places of every pair with a winner, [P, 2], sorted by the first place, then the second."""
    return preference.preference_mask(torch.tensor([ranks]))[0].nonzero()


def pair_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Mean over pairs of -log σ(chosen - rejected)."""
    return losses.pairwise(chosen, rejected)


def ranking_loss(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """-log σ(r_i - r_j), mean over the pairs i ≻ j of each ranking, then over the rankings that have any."""
    return losses.ranking(score, rank, mask)


def accuracies(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """(share of all pairs whose winner scores higher, equal scores counting half; share of rankings wholly right)."""
    right, pairs = preference.pairs_right(score, rank)
    return right.sum() / pairs.sum(), preference.exact_order(score, rank).float().mean()


def labeler_quality(agreement: float) -> float:
    """How often a labeler is right, if two agree this often: q of q² + (1 - q)² = agreement; 1/2 below 1/2."""
    return annotator_quality(max(agreement, 0.5))


def calibration_error(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    """By how much stated probabilities miss what happened: bins of equal width, each weighing what it holds."""
    return preference.calibration_error(probability, happened, bins)


def centre(score: Tensor, demonstration: Tensor) -> Tensor:
    """Scores shifted by one number, such that demonstrations average 0."""
    return score - demonstration.mean()


def _ranks(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    drawn = [Case((torch.randint(1, 5, (4 + i,), generator=g).tolist(),), "random") for i in range(5)]
    return [Case(([1, 1, 2, 3],), "a tie"), Case(([3, 1, 2, 4],), "not in order"), Case(([2, 2, 2],), "all equal"),
            Case(([1, 3],), "a rank is missing"), Case((list(range(1, 10)),), "nine responses"), *drawn]


def _pairs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: 3 * torch.randn(n, generator=g)                                            # noqa: E731
    return [Case((torch.tensor([3.0, 0.0]), torch.tensor([3.0, 2.0])), "a tie and a wrong pair", (0, 1)),
            Case((torch.tensor([-1000.0]), torch.tensor([0.0])), "very wrong", (0, 1)),
            Case((torch.tensor([1000.0]), torch.tensor([0.0])), "very right", (0, 1)),
            *(Case((draw(n), draw(n)), "random", (0, 1)) for n in (2, 5, 8))]


def _lists(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    two = torch.tensor([[True, True, True, True], [True, True, False, False]])
    whole = torch.ones(1, 4, dtype=torch.bool)
    score, rank = torch.tensor([[2.0, 1.0, 0.0, -1.0]]), torch.tensor([[1, 2, 3, 4]])
    cases = [Case((score, torch.tensor([[3, 1, 4, 2]]), whole), "not in order", (0,)),
             Case((score, torch.tensor([[1, 1, 2, 3]]), whole), "a tie", (0,)),
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 1.0, 99.0, -99.0]]),
                   torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]]), two), "K = 4 and K = 2, garbage in the padding", (0,)),
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 1.0, -torch.inf, -torch.inf]]),
                   torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]]), two), "-inf in the padding"),
             Case((score.repeat(2, 1), torch.tensor([[1, 2, 3, 4], [1, 1, 1, 1]]), whole.repeat(2, 1)),
                  "a ranking of nothing but ties", (0,)),
             Case((torch.zeros(1, 4), rank, whole), "all scores 0", (0,)),
             Case((1000 * score, rank.flip(1), whole), "very wrong", (0,))]
    for _ in range(3):
        mask = torch.arange(5)[None] < torch.tensor([[5], [3], [4]])
        rank = torch.stack([torch.randperm(5, generator=g) for _ in range(3)]) + 1
        cases.append(Case((2 * torch.randn(3, 5, generator=g), rank * mask, mask), "random", (0,)))
    return cases


def _judged(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    cases = [Case((torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1, 2, 3]])), "two scores are equal"),
             Case((torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[1, 1, 2]])), "two ranks are equal"),
             Case((torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([[1, 2, 3]])), "the best is right, the rest is not"),
             Case((torch.tensor([[0.0, 2.0, 1.0]]), torch.tensor([[3, 1, 2]])), "not in order"),
             Case((torch.tensor([[0.0, 1.0, 2.0], [3.0, 2.0, 1.0]]), torch.tensor([[1, 2, 3], [1, 1, 2]])),
                  "three pairs and two")]
    for n in (2, 6, 9):
        score = torch.randint(0, 6, (n, 4), generator=g).float()
        rank = torch.randint(1, 4, (n, 4), generator=g)
        rank[:, 0], rank[:, 1] = 4, 5                                  # so that there is always a pair
        cases.append(Case((score, rank), "random"))
    return cases


def _agreements(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((a,), about) for a, about in ((0.63, "Anthropic"), (0.77, "InstructGPT"), (0.5, "chance"),
                                               (0.48, "less than chance, by bad luck"))] + [
        Case((0.5 + 0.5 * torch.rand((), generator=g).item(),), "random") for _ in range(5)]


def _stated(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    cases = [Case((torch.tensor([0.93, 0.95, 0.96, 0.73]), torch.tensor([1.0, 1.0, 0.0, 0.0]), 10), "three and one"),
             Case((torch.tensor([1.0, 1.0, 0.62]), torch.tensor([1.0, 0.0, 1.0]), 10), "certain, and wrong once"),
             Case((torch.tensor([0.9, 0.6]), torch.tensor([1.0, 0.0]), 2), "two bins")]
    for n, bins in ((30, 10), (40, 5), (50, 4)):
        p = 0.5 + 0.5 * torch.rand(n, generator=g)
        cases.append(Case((p, (torch.rand(n, generator=g) < p).float(), bins), "random"))
    return cases


def _shifts(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: 3 + 2 * torch.randn(n, generator=g)                                        # noqa: E731
    return [Case((torch.tensor([5.0, 1.0]), torch.tensor([1.0, 1.0, 4.0])), "skewed demonstrations"),
            Case((torch.tensor([0.0]), torch.tensor([-7.0, -9.0])), "demonstrations below 0"),
            *(Case((draw(n), draw(m)), "random") for n, m in ((3, 4), (5, 7), (8, 3)))]


def _every(ranks: list[int], wanted) -> Tensor:
    """Pairs of places for which `wanted(i, j)` holds, in order."""
    found = [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if wanted(i, j)]
    return torch.tensor(found).reshape(-1, 2)


def _by_rank(ranks: list[int]) -> Tensor:
    pairs = rank_to_pairs(ranks).tolist()
    return torch.tensor(sorted(pairs, key=lambda p: (ranks[p[0]], p[0], ranks[p[1]], p[1]))).reshape(-1, 2)


def _parts(score: Tensor, rank: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(better [B, K, K], gap, cost) as they should be, to make the mistakes from."""
    better = preference.preference_mask(rank, mask)
    gap = preference.margins(score, better)
    return better, gap, torch.where(better, -logsigmoid(gap), 0.0)


def _of_pairs(score: Tensor, better: Tensor) -> Tensor:
    """The loss over other pairs than the right ones."""
    cost = torch.where(better, -logsigmoid(score[:, :, None] - score[:, None, :]), 0.0).sum((1, 2))
    pairs = better.sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def _real(mask: Tensor) -> Tensor:
    """[B, K, K] pairs of two different responses that exist."""
    return mask[:, :, None] & mask[:, None, :] & ~torch.eye(mask.shape[1], dtype=torch.bool)


def _all_pairs(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    return _parts(score, rank, mask)[2].sum() / preference.preference_mask(rank, mask).sum()


def _choose_two(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    k = mask.sum(1)
    return (cost.sum((1, 2)) / (k * (k - 1) / 2)).sum() / better.any(2).any(1).sum()


def _ties_are_nothing(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    return (cost.sum((1, 2)) / better.sum((1, 2)).clamp(min=1)).mean()


def _ties_are_nan(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, _, cost = _parts(score, rank, mask)
    return (cost.sum((1, 2)) / better.sum((1, 2))).mean()


def _log_of_sigmoid(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    better, gap, _ = _parts(score, rank, mask)
    pairs = better.sum((1, 2))
    cost = torch.where(better, -torch.sigmoid(gap).log(), 0.0).sum((1, 2))
    return (cost / pairs.clamp(min=1)).sum() / (pairs > 0).sum()


def _shares(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """(right [B], pairs [B])"""
    return preference.pairs_right(score, rank)


def _at_least(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    better = preference.preference_mask(rank)
    right = (score[:, :, None] >= score[:, None, :]) | ~better
    return (right & better).sum() / better.sum(), right.all(2).all(1).float().mean()


def _above(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    better = preference.preference_mask(rank)
    return ((score[:, :, None] > score[:, None, :]) & better).sum() / better.sum(), accuracies(score, rank)[1]


def _binned(probability: Tensor, happened: Tensor, bins: int, of) -> Tensor:
    """`of(count, mean stated, share that happened, bin)`, summed over the bins that hold something."""
    counts, stated, seen = preference.reliability(probability, happened, bins)
    return sum(of(counts[b], stated[b], seen[b], b) for b in range(bins) if counts[b])


def _without_certain(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    """Blind to probabilities of exactly 1, though they count in the denominator."""
    sure = probability >= 1
    if sure.all():
        return torch.tensor(0.0)
    return calibration_error(probability[~sure], happened[~sure], bins) * (~sure).sum() / len(probability)


EXERCISES = (
    Exercise("2.1", "rank_to_pairs", ("ranks",), rank_to_pairs, Case(([1, 2, 3],)), _ranks, (
        Mistake(lambda ranks: _every(ranks, lambda i, j: i != j and ranks[i] <= ranks[j]),
                "Ties are in it, from both sides. Equal ranks say that neither won: leave the pair out.",
                "平局也算了进来，而且两边各算一次。名次相同就是没有胜负，这一对不要。"),
        Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] <= ranks[j]),
                "A tie is in it, and pairs whose winner stands later in the list are missing. Compare ranks strictly, "
                "both ways round.",
                "平局算了进来，赢家排在后面的对却漏了。要严格比较名次，两个方向都看。"),
        Mistake(lambda ranks: _every(ranks, lambda i, j: i < j),
                "The ranks are not used: this takes the list to be in order and without ties.",
                "没有用到名次：这样假定了列表已按名次排好，而且没有平局。"),
        Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] < ranks[j]),
                "Pairs whose winner stands later in the list are missing. Look at every i and every j.",
                "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
        Mistake(lambda ranks: _every(ranks, lambda i, j: i < j and ranks[i] != ranks[j]),
                "The one that stands first in the list is taken for the winner. The winner has the smaller rank.",
                "这里把列表里靠前的当成了赢家。名次数字小的才是赢家。"),
        Mistake(lambda ranks: rank_to_pairs(ranks).flip(1),
                "Winner and loser have changed places. Rank 1 is the best; the better one comes first.",
                "赢家和输家写反了。名次 1 最好，好的那个写在前面。"),
        Mistake(lambda ranks: torch.tensor([[ranks[i] - 1, ranks[j] - 1] for i, j in rank_to_pairs(ranks).tolist()]
                                           ).reshape(-1, 2),
                "These are ranks. Wanted are places in the list, from which the scores will be taken.",
                "这里写的是名次。要的是在列表里的位置，之后要按位置去取得分。"),
        Mistake(_by_rank,
                "The pairs are right, their order is not: sort by the place of the winner, then by that of the loser.",
                "对是对的，次序不对：先按赢家的位置排，再按输家的位置排。"),
        ), points=1),
    Exercise("2.2", "pair_loss", ("chosen", "rejected"), pair_loss,
             Case((torch.tensor([2.0]), torch.tensor([1.0]))), _pairs, (
        Mistake(lambda chosen, rejected: -torch.sigmoid(chosen - rejected).log().mean(),
                "σ becomes exactly 0 when a pair is very wrong, and its logarithm infinite. Take logsigmoid, or "
                "softplus of the negative gap.",
                "一对错得很远时，σ 会变成 0，取对数就是无穷大。请用 logsigmoid，或者对负的差取 softplus。"),
        Mistake(lambda chosen, rejected: -(torch.sigmoid(chosen - rejected) + 1e-8).log().mean(),
                "The small number inside the logarithm hides the infinity, and with it the gradient: a very wrong pair "
                "is no longer corrected. Take logsigmoid.",
                "对数里加的小数藏起了无穷大，也藏起了梯度：错得很远的对再也得不到纠正。请用 logsigmoid。"),
        Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected).sum(),
                "This is a sum over pairs. Take the mean, or long batches make large steps.",
                "这是各对之和。请取平均，否则批次越大步子越大。"),
        Mistake(lambda chosen, rejected: -logsigmoid(rejected - chosen).mean(),
                "The gap is the wrong way round: this loss falls when the rejected answer scores higher.",
                "差的方向反了：这样的损失，落选的回答得分越高就越小。"),
        Mistake(lambda chosen, rejected: logsigmoid(chosen - rejected).mean(),
                "The minus is missing: a loss is minimised, a log-probability is to grow.",
                "少了负号：损失要变小，对数概率要变大。"),
        Mistake(lambda chosen, rejected: -torch.sigmoid(chosen - rejected).mean(),
                "This is -σ, without the logarithm: at a gap of -5 its gradient is 150 times too small.",
                "这是 -σ，少了对数：差为 -5 时，它的梯度小了 150 倍。"),
        Mistake(lambda chosen, rejected: torch.log(1 + torch.exp(rejected - torch.exp(chosen))).mean(),
                "exp(chosen) stands inside the exponent. It is log(1 + exp(rejected - chosen)); a printed version of "
                "this formula has that slip.",
                "指数里多了一层 exp(chosen)。应为 log(1 + exp(rejected - chosen))；有的文章里就印错了。"),
        Mistake(lambda chosen, rejected: -logsigmoid(chosen - rejected.detach()).mean(),
                "No gradient reaches the rejected scores: a pair pushes one up *and* the other down.",
                "梯度没有传到落选的得分上：一对回答，一个要推高，*另一个*要压低。"),
        ), points=2),
    Exercise("2.3", "ranking_loss", ("score", "rank", "mask"), ranking_loss,
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0]]), torch.tensor([[1, 2, 3, 4]]),
                   torch.ones(1, 4, dtype=torch.bool))), _lists, (
        Mistake(lambda score, rank, mask: ranking_loss(score, rank, torch.ones_like(mask)),
                "The mask is not used: padding took part as a response, and with rank 0 it beats everybody.",
                "没有用掩码：填充被当成了回答，名次是 0，赢了所有人。"),
        Mistake(lambda score, rank, mask: _of_pairs(score, (rank[:, :, None] <= rank[:, None, :]) & _real(mask)),
                "Ties are counted. Equal ranks say nothing: compare strictly, rank i < rank j.",
                "平局也算了。名次相同什么也没说：要严格比较，名次 i < 名次 j。"),
        Mistake(lambda score, rank, mask: _of_pairs(score, torch.ones_like(_real(mask)).triu(1) & _real(mask)),
                "The ranks are not used: this takes every list to be in order, best first.",
                "没有用到名次：这样假定了每个列表都按从好到坏排好。"),
        Mistake(_all_pairs,
                "This is one mean over all pairs, so that a ranking of nine outweighs 36 of two. Take the mean over "
                "each ranking's pairs first, then over rankings.",
                "这里对所有的对只取了一次平均，一个九项排序就顶 36 个两项排序。先在排序内部取平均，再对排序取平均。"),
        Mistake(_choose_two,
                "Ties are left out of the sum and not out of the count: divide by the number of pairs that have a "
                "winner, not by K(K-1)/2.",
                "求和时去掉了平局，计数时没有：应除以有胜负的对数，而不是 K(K-1)/2。"),
        Mistake(_ties_are_nothing,
                "A ranking of nothing but ties counts as a loss of 0 and thins out the mean. Leave it out.",
                "全是平局的排序被当成损失 0，把平均拉低了。应当不计。"),
        Mistake(_ties_are_nan,
                "A ranking of nothing but ties gives 0 / 0. Leave such rankings out of the mean.",
                "全是平局的排序会出现 0 / 0。取平均时不要算这样的排序。"),
        Mistake(lambda score, rank, mask: ranking_loss(-score, rank, mask),
                "The direction: rank 1 is the best, so i beats j where rank i is *smaller*.",
                "方向反了：名次 1 最好，名次 i *更小*才是 i 赢了 j。"),
        Mistake(lambda score, rank, mask: _parts(score, rank, mask)[2].sum((1, 2))[
                    preference.preference_mask(rank, mask).any(2).any(1)].mean(),
                "Within each ranking this is a sum over pairs. Take their mean, or a long ranking makes a large step.",
                "每个排序内部是求和。请取平均，否则排序越长步子越大。"),
        Mistake(_log_of_sigmoid,
                "σ becomes exactly 0 when a pair is very wrong, and its logarithm infinite. Take logsigmoid.",
                "一对错得很远时，σ 会变成 0，取对数就是无穷大。请用 logsigmoid。"),
        ), points=3),
    Exercise("2.4", "accuracies", ("score", "rank"), accuracies,
             Case((torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.0, 2.0, 1.0, -1.0]]),
                   torch.tensor([[1, 2, 3, 4], [1, 2, 3, 4]]))), _judged, (
        Mistake(_at_least,
                "Equal scores count as right. Then a model that gives every response 0 would be perfect: count such a "
                "pair as half, and its ranking as not right.",
                "得分相同被当成了对。这样一来，全打 0 分的模型就成了满分：这样的对只算一半，整个排序不算对。"),
        Mistake(_above,
                "Equal scores count as wrong. A guess is right half of the time: count such a pair as half.",
                "得分相同被当成了错。瞎猜也有一半对：这样的对算一半。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0], (score.gather(1, rank.argmin(1, keepdim=True))[:, 0]
                                                                  >= score.amax(1)).float().mean()),
                "List accuracy looks at the best response only. Every pair of the list must be right.",
                "整列准确率只看了最好的那个回答。列表里的每一对都必须对。"),
        Mistake(lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1]).mean(),
                                     accuracies(score, rank)[1]),
                "Pair accuracy is a mean of each ranking's share. Here every pair weighs the same: sum, then divide "
                "once.",
                "成对准确率成了各排序比例的平均。这里每一对分量相同：先各自求和，只除一次。"),
        Mistake(lambda score, rank: (accuracies(score, rank)[0],
                                     ((-score).argsort(dim=1, stable=True) == rank.argsort(dim=1, stable=True)
                                      ).all(1).float().mean()),
                "List accuracy compares two sorted lists, and equal ranks stand in any order in theirs. Ask of every "
                "pair with a winner whether it is right.",
                "整列准确率是拿两个排好的列表来比，可名次相同的谁先谁后都行。应当逐对看有胜负的是否都对。"),
        Mistake(lambda score, rank: accuracies(-score, rank),
                "The direction: rank 1 is the best and should have the highest score.",
                "方向反了：名次 1 最好，得分应当最高。"),
        ), points=2),
    Exercise("2.5", "labeler_quality", ("agreement",), labeler_quality, Case((1.0,)), _agreements, (
        Mistake(lambda agreement: max(agreement, 0.5),
                "This is the agreement itself. Two labelers also agree where both are wrong: solve "
                "q² + (1 - q)² = a for q.",
                "这就是一致率本身。两个人都错的时候也会一致：要从 q² + (1 - q)² = a 里解出 q。"),
        Mistake(lambda agreement: agreement,
                "This is the agreement itself. Two labelers also agree where both are wrong: solve "
                "q² + (1 - q)² = a for q.",
                "这就是一致率本身。两个人都错的时候也会一致：要从 q² + (1 - q)² = a 里解出 q。"),
        Mistake(lambda agreement: math.sqrt(agreement),
                "This solves q² = a and forgets that both may be wrong, (1 - q)².",
                "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
        Mistake(lambda agreement: (1 + math.sqrt(abs(2 * agreement - 1))) / 2,
                "An agreement below 1/2 came out as skill. It can only be chance: the answer there is 1/2.",
                "一致率低于 1/2，却算出了本事。那只能是碰巧：答案应为 1/2。"),
        Mistake(lambda agreement: (1 - math.sqrt(max(2 * agreement - 1, 0.0))) / 2,
                "This is the other root: labelers who are wrong more often than right agree just as much.",
                "这是另一个根：错多对少的标注者，一致率是一样的。"),
        Mistake(lambda agreement: 1 + math.sqrt(max(2 * agreement - 1, 0.0)),
                "Divide by 2: this is a probability.", "还要除以 2：这是一个概率。"),
        ), points=1, tolerance=1e-6),
    Exercise("2.6", "calibration_error", ("probability", "happened", "bins"), calibration_error,
             Case((torch.tensor([0.95, 0.95, 0.75, 0.75]), torch.tensor([1.0, 1.0, 1.0, 0.0]), 10)), _stated, (
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            (s - p).abs()) / len((probability * bins).long()
                                                                                 .clamp(max=bins - 1).unique()),
                "Every bin weighs the same. A bin with one pair is mostly luck: weigh each by how many it holds.",
                "每一格的分量都一样了。只有一对的格子多半是运气：按每格里有多少来加权。"),
        Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                            n * (s - (b + 0.5) / bins).abs()) / len(probability),
                "The middle of the bin stands for what was stated. Take the mean of the stated probabilities in it.",
                "这里用格子的中点代替说出的概率。应取这一格里说出的概率的平均。"),
        Mistake(_without_certain,
                "A probability of exactly 1 fell into no bin. It belongs to the last one: clamp the number of the bin.",
                "恰好等于 1 的概率没有落进任何一格。它属于最后一格：把格子的编号限制住。"),
        Mistake(lambda probability, happened, bins: (_binned(probability, happened, bins, lambda n, p, s, b:
                                                             n * (s - p)) / len(probability)).abs(),
                "Bins that promise too much and bins that promise too little cancel. Take the absolute value in each "
                "bin.",
                "说得太满的格子和说得太保守的格子相互抵消了。要在每一格里先取绝对值。"),
        Mistake(lambda probability, happened, bins: (probability - happened).abs().mean(),
                "This compares pair by pair. Nobody can be 0.8 right on one pair; the share in a bin can be 0.8.",
                "这样是逐对比较。单独一对没法“对 0.8”，一格里的比例才可以是 0.8。"),
        ), points=2),
    Exercise("2.7", "centre", ("score", "demonstration"), centre,
             Case((torch.tensor([4.0, 2.0, 0.0]), torch.tensor([1.0, 2.0, 3.0]))), _shifts, (
        Mistake(lambda score, demonstration: score - score.mean(),
                "The scores' own mean became 0. Zero is to mean \"as good as an average demonstration\", whatever is "
                "scored.",
                "归零的是得分自己的平均。零应当表示“和平均的示范一样好”，与正在打分的是什么无关。"),
        Mistake(lambda score, demonstration: score - demonstration.median(),
                "This takes the median of the demonstrations; it is their mean that must become 0.",
                "这里用了示范的中位数；应当归零的是平均数。"),
        Mistake(lambda score, demonstration: (score - demonstration.mean()) / demonstration.std(),
                "The scores were also divided. Differences must stay as they are: they are log-odds.",
                "得分还被除了一下。差必须保持不变：它们就是对数几率。"),
        Mistake(lambda score, demonstration: score + demonstration.mean(),
                "The sign: the demonstrations' mean is taken away.", "符号反了：应当减去示范的平均。"),
        ), points=1),
)
