"""What goes wrong in lesson 02, second part: how often a model is right, and a labeler."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_02 import accuracies, labeler_quality
from rlhf_kit.formulas import preference


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


def _won(rank: Tensor) -> Tensor:
    return preference.preference_mask(rank)


def _won_or_tied(rank: Tensor) -> Tensor:
    return (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(rank.shape[1], dtype=torch.bool)


def _credit(score: Tensor) -> Tensor:
    """[B, K, K] 1 where i scores higher than j, 1/2 where the same."""
    return (score[:, :, None] - score[:, None, :]).sign() / 2 + 0.5


def _share(score: Tensor, pairs: Tensor) -> Tensor:
    return _credit(score)[pairs].mean()


def _near(score: Tensor, least: float) -> Tensor:
    """As `_credit`, with 1/2 for all gaps up to `least`."""
    gap = score[:, :, None] - score[:, None, :]
    return torch.where(gap.abs() <= least, 0.5, (gap > 0).float())


def _whole(score: Tensor, rank: Tensor, right) -> Tensor:
    """The share of rankings for which `right(gap, better)` holds everywhere."""
    return right(score[:, :, None] - score[:, None, :], _won(rank)).all(2).all(1).float().mean()


def _majority(score: Tensor, rank: Tensor, least) -> Tensor:
    """The share of rankings of whose pairs at least a half, `least(right, half)`, are right."""
    right = ((score[:, :, None] > score[:, None, :]) & _won(rank)).sum((1, 2))
    return least(right, _won(rank).sum((1, 2)) / 2).float().mean()


def _of_whole_gaps(score: Tensor, rank: Tensor, cut) -> tuple[Tensor, Tensor]:
    gap = cut(score[:, :, None] - score[:, None, :])
    return (gap.sign() / 2 + 0.5)[_won(rank)].mean(), ((gap > 0) | ~_won(rank)).all(2).all(1).float().mean()


def _falling(score: Tensor, rank: Tensor) -> Tensor:
    """The share of rankings whose scores fall from place to place, once they are sorted by rank."""
    score = score.gather(1, rank.argsort(dim=1, stable=True))
    return (score[:, :-1] > score[:, 1:]).all(1).float().mean()


def _columns_right(score: Tensor, rank: Tensor) -> Tensor:
    """The share of responses that no better one is behind."""
    return ((score[:, :, None] > score[:, None, :]) | ~_won(rank)).all(1).float().mean()


def _half_for_ties(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    ties = ((rank[:, :, None] == rank[:, None, :]).sum() - rank.numel()) / 2
    right = ((score[:, :, None] > score[:, None, :]) & _won(rank)).sum() + ties / 2
    return right / (_won(rank).sum() + ties), accuracies(score, rank)[1]


def _nearly_close(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    same = torch.isclose(score[:, :, None], score[:, None, :])
    higher = (score[:, :, None] > score[:, None, :]) & ~same
    return (higher + 0.5 * same)[_won(rank)].mean(), (higher | ~_won(rank)).all(2).all(1).float().mean()


ACCURACIES: tuple[Mistake, ...] = (
    Mistake(_at_least,
            "Equal scores count as right. Then a model that gives every response 0 would be perfect: count such a "
            "pair as half, and its ranking as not right.",
            "得分相同被当成了对。这样一来，全打 0 分的模型就成了满分：这样的对只算一半，整个排序不算对。"),
    Mistake(lambda score, rank: (_at_least(score, rank)[0], accuracies(score, rank)[1]),
            "Equal scores count as right among the pairs. Then a model that gives every response 0 would be "
            "perfect: count such a pair as half.",
            "成对准确率里，得分相同被当成了对。这样一来，全打 0 分的模型就成了满分：这样的对只算一半。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _at_least(score, rank)[1]),
            "For the list, an equal score is not right: in every pair the winner must score higher.",
            "对整列来说，得分相同不算对：每一对里赢家的得分都必须更高。",
            (lambda score, rank: (_above(score, rank)[0], _at_least(score, rank)[1]),)),
    Mistake(_above,
            "Equal scores count as wrong. A guess is right half of the time: count such a pair as half.",
            "得分相同被当成了错。瞎猜也有一半对：这样的对算一半。"),
    Mistake(lambda score, rank: (_above(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                (gap > 0) == better)),
            "Equal scores count half, for pairs. For the list, only pairs with a winner are asked: two of one rank "
            "may have any scores.",
            "成对准确率里，得分相同的对算一半。整列准确率只看有胜负的对：名次相同的两个，得分怎样都行。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], (score.gather(1, rank.argmin(1, keepdim=True))[:, 0]
                                                              >= score.amax(1)).float().mean()),
            "List accuracy looks at the best response only. Every pair of the list must be right.",
            "整列准确率只看了最好的那个回答。列表里的每一对都必须对。",
            (lambda score, rank: (accuracies(score, rank)[0],
                                  (score.argmax(1) == rank.argmin(1)).float().mean()),)),
    Mistake(lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1]).mean(),
                                 accuracies(score, rank)[1]),
            "Pair accuracy is a mean of each ranking's share. Here every pair weighs the same: sum, then divide "
            "once.",
            "成对准确率成了各排序比例的平均。这里每一对分量相同：先各自求和，只除一次。",
            (lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1].clamp(min=1)).mean(),
                                  accuracies(score, rank)[1]),
             lambda score, rank: ((_shares(score, rank)[0] / _shares(score, rank)[1]).nanmean(),
                                  accuracies(score, rank)[1]))),
    Mistake(lambda score, rank: (accuracies(score, rank)[0],
                                 ((-score).argsort(dim=1, stable=True) == rank.argsort(dim=1, stable=True)
                                  ).all(1).float().mean()),
            "List accuracy compares two sorted lists, and equal ranks stand in any order in theirs. Ask of every "
            "pair with a winner whether it is right.",
            "整列准确率是拿两个排好的列表来比，可名次相同的谁先谁后都行。应当逐对看有胜负的是否都对。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                    (gap > 0) == better)),
            "For the list, responses of one rank are asked to have one score. Ties say nothing: ask only pairs "
            "with a winner.",
            "整列准确率要求名次相同的回答得分也相同。平局什么也没说：只看有胜负的对。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better: ~(
                torch.ones_like(better).triu(1) & (gap <= 0)))),
            "List accuracy takes every list to be in order, best first. Look at the ranks.",
            "整列准确率假定每个列表都已按从好到坏排好。要看名次。"),
    Mistake(lambda score, rank: (_share(score, torch.ones_like(_won(rank)).triu(1)),
                                 _whole(score, rank, lambda gap, better: ~(torch.ones_like(better).triu(1)
                                                                           & (gap <= 0)))),
            "The ranks are not used: this takes every list to be in order, best first.",
            "没有用到名次：这样假定了每个列表都按从好到坏排好。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], ((_credit(score) == 1) & _won(rank)).sum((1, 2)).eq(
                rank.shape[1] * (rank.shape[1] - 1) // 2).float().mean()),
            "For the list, K(K-1)/2 right pairs are asked for. With equal ranks there are fewer with a winner: "
            "none of those there are may be wrong.",
            "整列准确率要求有 K(K-1)/2 对是对的。名次有相同时，有胜负的对没有那么多：只要其中没有一对是错的。"),
    Mistake(lambda score, rank: (_shares(score, rank)[0].sum() / (len(rank) * rank.shape[1]
                                                                  * (rank.shape[1] - 1) / 2),
                                 accuracies(score, rank)[1]),
            "Pair accuracy divides by K(K-1)/2 pairs a ranking. Equal ranks make fewer: divide by the pairs that "
            "have a winner.",
            "成对准确率除以了每个排序 K(K-1)/2 对。名次有相同时没有那么多：应除以有胜负的对数。"),
    Mistake(lambda score, rank: (torch.sigmoid(score[:, :, None] - score[:, None, :])[_won(rank)].mean(),
                                 accuracies(score, rank)[1]),
            "This is the mean of σ(gap), how sure the scores are. Accuracy counts: 1 if the winner scores higher, "
            "1/2 if equal, 0 if lower.",
            "这是 σ(差) 的平均，即得分有多大把握。准确率是数数：赢家得分更高算 1，相同算 1/2，更低算 0。"),
    Mistake(lambda score, rank: accuracies(score.long(), rank),
            "The scores were cut to whole numbers, so that 0.75 and 0.5 tie. Compare them as they are.",
            "得分被截成了整数，0.75 和 0.5 就成了平局。请直接比较。",
            (lambda score, rank: accuracies(score.round(), rank),)),
    Mistake(lambda score, rank: (_share(score, (rank[:, :, None] <= rank[:, None, :]) & ~torch.eye(
                rank.shape[1], dtype=torch.bool)), accuracies(score, rank)[1]),
            "Ties among the ranks count as pairs. Equal ranks have no winner: compare strictly, rank i < rank j.",
            "名次相同的也算成了一对。名次相同就没有赢家：要严格比较，名次 i < 名次 j。",
            (lambda score, rank: (_share(score, _won_or_tied(rank)), _whole(
                score, rank, lambda gap, better: (gap > 0) | ~_won_or_tied(rank))),)),
    Mistake(lambda score, rank: (_share(score, _won(rank) & (rank[:, None, :] - rank[:, :, None] == 1)),
                                 accuracies(score, rank)[1]),
            "Only neighbours are compared, whose ranks differ by 1. Every pair with a winner counts.",
            "只比较了名次相差 1 的邻居。只要有胜负，每一对都算。"),
    Mistake(lambda score, rank: (_share(score, _won(rank) & torch.ones_like(_won(rank)).triu(1)),
                                 accuracies(score, rank)[1]),
            "Pairs whose winner stands later in the row are missing. Compare every i with every j.",
            "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
    Mistake(lambda score, rank: (_share(score, _won(rank) & torch.ones_like(_won(rank)).triu(1)),
                                 _whole(score, rank, lambda gap, better: ~(better.triu() & (gap <= 0)))),
            "Pairs whose winner stands later in the row are missing. Compare every i with every j.",
            "赢家排在后面的那些对漏掉了。每个 i 都要配每个 j。"),
    Mistake(lambda score, rank: (_share(score, _won(rank) & (_credit(score) != 0.5)), accuracies(score, rank)[1]),
            "Pairs with equal scores are left out. They count as half right.",
            "得分相同的对没有算。它们算一半。"),
    Mistake(lambda score, rank: (_near(score, 0.01)[_won(rank)].mean(), accuracies(score, rank)[1]),
            "Scores that differ by little are taken as equal. Any difference counts: compare with `>`.",
            "得分只差一点的被当成了相同。差多少都算：用 `>` 比较。",
            (lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better:
                                                                     (gap > 0.01) | ~better)),
             lambda score, rank: (_near(score, 0.01)[_won(rank)].mean(), _whole(score, rank, lambda gap, better:
                                                                               (gap > 0.01) | ~better)))),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], torch.where(_won(rank), _credit(score), 1.0).amin(
                (1, 2)).mean()),
            "A ranking with equal scores counts half among the lists. There it is not right: every winner must "
            "score higher.",
            "有得分相同的排序，在整列准确率里算了一半。那里它不算对：每个赢家的得分都必须更高。",
            (lambda score, rank: (accuracies(score, rank)[0], torch.where(_won(rank), _credit(score), 1.0).flatten(
                1).prod(1).mean()),)),
    Mistake(lambda score, rank: ((_credit(score) * _won(rank)).mean(), accuracies(score, rank)[1]),
            "The mean runs over whole K by K tables. Take it over the pairs that have a winner.",
            "平均是对整张 K×K 的表取的。应当只对有胜负的对取。"),
    *(Mistake(lambda score, rank, of=of: (accuracies(score, rank)[0], of(_shares(score, rank)[1] > 0,
                                                                         preference.exact_order(score, rank))),
              "A ranking of nothing but ties has no pair that is wrong: it counts as right among the lists.",
              "全是平局的排序没有哪一对是错的：整列准确率里它算对。")
      for of in (lambda some, right: (some & right).float().mean(),
                 lambda some, right: right[some].float().mean())),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], accuracies(score, rank)[0].eq(1).float()),
            "List accuracy asks whether the whole batch is right. It is the share of rankings that are.",
            "整列准确率问的成了整批是不是全对。它是全对的排序所占的比例。"),
    Mistake(lambda score, rank: (_shares(score, rank)[0].sum(), accuracies(score, rank)[1]),
            "The first number counts pairs. Wanted is their share: divide by the number of pairs that have a "
            "winner.",
            "第一个数是对的个数。要的是比例：除以有胜负的对数。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], accuracies(score, rank)[1] * len(rank)),
            "The second number counts rankings. Wanted is their share: divide by B.",
            "第二个数是排序的个数。要的是比例：除以 B。"),
    Mistake(lambda score, rank: accuracies(score, rank)[::-1],
            "The two numbers have changed places: pair accuracy first, list accuracy second.",
            "两个数写反了：先是成对准确率，再是整列准确率。"),
    Mistake(lambda score, rank: accuracies(-score, rank),
            "The direction: rank 1 is the best and should have the highest score.",
            "方向反了：名次 1 最好，得分应当最高。",
            (lambda score, rank: (accuracies(-score, rank)[0], accuracies(score, rank)[1]),)),
    *(Mistake(lambda score, rank, cut=cut: _of_whole_gaps(score, rank, cut),
              "The gaps were made whole numbers, so that scores a little apart count as equal. Any difference "
              "counts: compare with `>`.",
              "差被变成了整数，得分只差一点的就成了相同。差多少都算：用 `>` 比较。")
      for cut in (torch.Tensor.long, torch.Tensor.round)),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], ((score[:, :, None] > score[:, None, :]) & _won(rank)
                                                              ).any(2).any(1).float().mean()),
            "For the list, one right pair is enough here. Every pair of the list must be right: `all`, not "
            "`any`.",
            "整列准确率里，有一对是对的就算对了。列表里的每一对都必须对：用 `all`，不用 `any`。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], ((score[:, :, None] > score[:, None, :]) | ~_won(rank)
                                                              ).all(2).float().mean()),
            "List accuracy is a mean over responses here, how many of them beat all they should. One answer a "
            "list: `.all(2).all(1)`.",
            "整列准确率成了对回答取的平均，即有几个回答赢了该赢的。每个列表只有一个结果：`.all(2).all(1)`。"),
    Mistake(lambda score, rank: ((score[:, :, None] - score[:, None, :]).sign()[_won(rank)].mean(),
                                 accuracies(score, rank)[1]),
            "This is the share that is right minus the share that is wrong, from -1 to 1 (Kendall's τ). Wanted is "
            "the share that is right, from 0 to 1.",
            "这是对的比例减去错的比例，从 -1 到 1（肯德尔 τ）。要的是对的比例，从 0 到 1。"),
    *(Mistake(lambda score, rank, least=least: (accuracies(score, rank)[0], _majority(score, rank, least)),
              "For the list, half of the pairs are enough here. Every pair of the list must be right.",
              "整列准确率里，一半的对是对的就算对了。列表里的每一对都必须对。") for least in (torch.ge, torch.gt)),
    Mistake(lambda score, rank: accuracies(score[:1], rank[:1]),
            "Only the first ranking is looked at. Both numbers are of the whole batch.",
            "只看了第一个排序。两个数都是对整批算的。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _falling(score, rank)),
            "For the list, tied responses are asked to stand in some order, too. Ties say nothing: ask only the "
            "pairs with a winner.",
            "对列表准确率，这里要求平局的回答也排出先后。平局什么也没说：只看有胜负的对。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _columns_right(score, rank)),
            "The second number is a share of responses. all() over one dimension is not enough: a ranking is right "
            "if all its pairs are.",
            "第二个数是回答的比例。只对一维用 all() 不够：一个排序要所有的对都对才算对。"),
    Mistake(_half_for_ties,
            "Half a point goes to equal *ranks*. These pairs take no part; the half is for equal scores of a pair "
            "with a winner.",
            "半分给了*名次*相同的对。这些对不参加；半分是给有胜负、而得分相同的对的。"),
    Mistake(lambda score, rank: (accuracies(score, rank)[0], _whole(score, rank, lambda gap, better: (gap > 0) | (
                (rank[:, None, :] - rank[:, :, None]) != 1))),
            "For the list, only ranks that differ by 1 are compared. After a tie a rank may be missing: ask every "
            "pair with a winner.",
            "对列表准确率，这里只比较相差 1 的名次。平局之后名次可能有空缺：每一对有胜负的都要看。"),
    *(Mistake(lambda score, rank, least=least: (_near(score, least)[_won(rank)].mean(),
                                                _whole(score, rank, lambda gap, better: (gap > least) | ~better)),
              "Scores that are nearly equal are taken for equal. The half is for exactly equal ones.",
              "几乎相等的得分被当成了相等。只有完全相等才算一半。",
              (lambda score, rank, least=least: (_near(score, least)[_won(rank)].mean(),
                                                 accuracies(score, rank)[1]),))
      for least in (1e-5, 1e-3)),
    Mistake(_nearly_close,
            "Scores that are nearly equal are taken for equal, as isclose() does. The half is for exactly equal "
            "ones.",
            "几乎相等的得分被当成了相等，isclose() 就会这样。只有完全相等才算一半。",
            (lambda score, rank: (_nearly_close(score, rank)[0], accuracies(score, rank)[1]),)),
    Mistake(lambda score, rank: (accuracies(score, rank)[0] * (rank[:, :, None] < rank[:, None, :]).sum(),
                                 accuracies(score, rank)[1] * len(rank)),
            "What is right is counted and not divided by how many there are. Both numbers are shares, from 0 to 1.",
            "对的只数了个数，没有除以总数。两个数都是比例，在 0 到 1 之间。"),
)

LABELER_QUALITY: tuple[Mistake, ...] = (
    Mistake(lambda agreement: max(math.sqrt(agreement), 0.5),
            "This solves q² = a and forgets that both may be wrong, (1 - q)².",
            "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
    Mistake(lambda agreement: labeler_quality(agreement) if agreement > 0.5 else 0.0,
            "An agreement of 1/2 or below is that of chance, and there q is 1/2.",
            "一致率等于或低于 1/2，就是瞎猜的水平，这时 q 是 1/2。"),
    Mistake(lambda agreement: math.sqrt(max(agreement, 0.5)),
            "This solves q² = a and forgets that both may be wrong, (1 - q)².",
            "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
    *(Mistake(itself,
              "This is the agreement itself, and so is (1 + (2a - 1)) / 2 without the root. Two labelers also "
              "agree where both are wrong: solve q² + (1 - q)² = a, which is q = (1 + √(2a - 1)) / 2.",
              "这就是一致率本身；不开方的 (1 + (2a - 1)) / 2 也是它。两个人都错的时候也会一致：要从 q² + (1 - q)²"
              " = a 里解出 q，即 q = (1 + √(2a - 1)) / 2。")
      for itself in (lambda agreement: max(agreement, 0.5), lambda agreement: agreement)),
    Mistake(lambda agreement: math.sqrt(agreement),
            "This solves q² = a and forgets that both may be wrong, (1 - q)².",
            "这是从 q² = a 解出来的，忘了两个人可能都错，即 (1 - q)²。"),
    Mistake(lambda agreement: (1 + math.sqrt(2 * agreement - 1)) / 2,
            "An agreement below 1/2 asks for the root of a negative number. It can only be bad luck: the answer "
            "there is 1/2. `max(2 * agreement - 1, 0.0)` does it.",
            "一致率低于 1/2 时，这里要对负数开方。那只能是运气不好：答案应为 1/2。用 `max(2 * agreement - 1, "
            "0.0)` 就行。",
            (lambda agreement: (1 + torch.tensor(2 * agreement - 1).sqrt()) / 2,
             lambda agreement: (1 + (2 * agreement - 1) ** 0.5) / 2)),
    *(Mistake(lambda agreement, below=below: labeler_quality(agreement) if agreement >= 0.5 else below(agreement),
              "An agreement below 1/2 can only be bad luck, and there q is 1/2.",
              "一致率低于 1/2 只能是运气不好，这时 q 是 1/2。")
      for below in (lambda agreement: 0.0, lambda agreement: agreement, lambda agreement: 1.0,
                    lambda agreement: 1 - labeler_quality(1 - agreement))),
    Mistake(lambda agreement: agreement ** 2 + (1 - agreement) ** 2,
            "The formula is used backwards: this is the agreement of two labelers of quality `agreement`. Solve it "
            "for q.",
            "公式用反了：这样算出的是水平为 `agreement` 的两个人的一致率。要从中解出 q。"),
    Mistake(lambda agreement: math.sqrt(max(2 * agreement - 1, 0.0)),
            "This is the root alone. Of the quadratic equation the larger solution is (1 + root) / 2.",
            "这只是平方根。一元二次方程较大的解是 (1 + 根) / 2。"),
    Mistake(lambda agreement: round(labeler_quality(agreement), 2),
            "It is right but for rounding, or for the steps of a search. Return the number itself, with all its "
            "digits.",
            "除了四舍五入都对；如果是逐格搜索，那就是步长太粗。请返回数本身，保留所有小数。",
            (lambda agreement: round(labeler_quality(agreement), 3),
             lambda agreement: round(labeler_quality(agreement), 4))),
    Mistake(lambda agreement: (1 + math.sqrt(abs(2 * agreement - 1))) / 2,
            "An agreement below 1/2 came out as skill. It can only be chance: the answer there is 1/2.",
            "一致率低于 1/2，却算出了本事。那只能是碰巧：答案应为 1/2。"),
    Mistake(lambda agreement: (1 - math.sqrt(max(2 * agreement - 1, 0.0))) / 2,
            "This is the other root: labelers who are wrong more often than right agree just as much.",
            "这是另一个根：错多对少的标注者，一致率是一样的。"),
    Mistake(lambda agreement: 1 + math.sqrt(max(2 * agreement - 1, 0.0)),
            "Divide by 2: this is a probability.", "还要除以 2：这是一个概率。"),
    Mistake(lambda agreement: 0.5 + math.sqrt(max(2 * agreement - 1, 0.0)),
            "Only the 1 was divided by 2, and the root was not. Put both in brackets: (1 + root) / 2.",
            "只有 1 除以了 2，根没有除。两个要放进括号里：(1 + 根) / 2。",
            (lambda agreement: min(0.5 + math.sqrt(max(2 * agreement - 1, 0.0)), 1.0),)),
    Mistake(lambda agreement: agreement and labeler_quality(agreement),
            "An agreement of 0 came out as 0: `and`, `or` and `if agreement` take 0 for nothing. It is below 1/2, "
            "and there q is 1/2.",
            "一致率为 0 时结果成了 0：`and`、`or` 和 `if agreement` 把 0 当成了没有。它低于 1/2，这时 q 是 1/2。"),
    Mistake(lambda agreement: (1 + math.sqrt(max(agreement, 0.0))) / 2,
            "The root of the agreement itself stands where that of 2a - 1 belongs. Of q² + (1 - q)² = a, that is "
            "2q² - 2q + 1 - a = 0, the larger solution is (1 + √(2a - 1)) / 2.",
            "该开方的是 2a - 1，这里开的是一致率 a 本身。q² + (1 - q)² = a 即 2q² - 2q + 1 - a = 0，较大的解是 "
            "(1 + √(2a - 1)) / 2。"),
    Mistake(lambda agreement: (1 + math.sqrt(max(2 * agreement - 1, 0.0))) // 2,
            "`//` drops what is behind the point, so that 0 or 1 comes out. Divide with `/`.",
            "`//` 去掉了小数部分，结果只剩 0 或 1。请用 `/` 来除。"),
    Mistake(lambda agreement: max(math.sqrt(2 * agreement) / 2, 0.5),
            "Brackets: the 1 has slipped under the root. Of 2a - 1 take the root first, then add 1: (1 + √(2a - "
            "1)) / 2.",
            "括号错了：1 跑到了根号下面。先对 2a - 1 开方，再加 1：(1 + √(2a - 1)) / 2。",
            (lambda agreement: math.sqrt(2 * agreement) / 2,)),
    Mistake(lambda agreement: 1 + math.sqrt(max(2 * agreement - 1, 0.0)) / 2,
            "Only the root was divided by 2, and the 1 was not. Put both in brackets: (1 + root) / 2.",
            "只有根除以了 2，1 没有除。两个要放进括号里：(1 + 根) / 2。"),
    Mistake(lambda agreement: math.sqrt(max(2 * agreement - 1, 0.0)) / 2,
            "The 1 is missing, or `1 // 2` made it 0: (1 + root) / 2, divided with `/`.",
            "少了 1，或者 `1 // 2` 把它变成了 0：(1 + 根) / 2，用 `/` 来除。"),
    Mistake(lambda agreement: 1.0,
            "This is 1 whatever the agreement. If there is ** (1 // 2) in it: that is ** 0, and `/` is meant.",
            "不管一致率是多少，结果都是 1。如果写了 ** (1 // 2)，那就是 ** 0，应当用 `/`。"),
    Mistake(lambda agreement: max(2 * agreement - 1, 0.5),
            "This is agreement beyond chance (kappa), 2a - 1. Wanted is q of q² + (1 - q)² = a: there is a root in "
            "it.",
            "这是去掉碰巧之后的一致率 (kappa)，2a - 1。要的是 q² + (1 - q)² = a 里的 q：要开方。",
            (lambda agreement: max(2 * agreement - 1, 0.0), lambda agreement: 2 * agreement - 1)),
    Mistake(lambda agreement: (1 + math.sqrt(max((4 * agreement - 1) / 3, 0.0))) / 2,
            "This is the formula for three labelers who all agree. Here there are two: q² + (1 - q)² = a.",
            "这是三个人全都一致的公式。这里只有两个人：q² + (1 - q)² = a。"),
    Mistake(lambda agreement: max((1 + agreement) / 2, 0.5) if agreement > 0.5 else 0.5,
            "This is (1 + a) / 2. What is added to 1 is the root of 2a - 1: (1 + √(2a - 1)) / 2.",
            "这是 (1 + a) / 2。加到 1 上的应是 2a - 1 的平方根：(1 + √(2a - 1)) / 2。",
            (lambda agreement: (1 + agreement) / 2,
             lambda agreement: (1 + agreement) / 2 if agreement >= 0.5 else 0.5)),
)
