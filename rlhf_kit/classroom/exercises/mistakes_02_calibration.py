"""What goes wrong in lesson 02, third part: how sure a model may be, and where its scores have their zero."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_02 import calibration_error
from rlhf_kit.formulas import preference


def _binned(probability: Tensor, happened: Tensor, bins: int, of) -> Tensor:
    """`of(count, mean stated, share that happened, bin)`, summed over the bins that hold something."""
    counts, stated, seen = preference.reliability(probability, happened, bins)
    return sum(of(counts[b], stated[b], seen[b], b) for b in range(bins) if counts[b])


def _spread(score: Tensor, correction: int = 1) -> Tensor:
    """Standard deviation; of a single one 0 / 0."""
    return (((score - score.mean()) ** 2).sum() / (len(score) - correction)).sqrt()


def _held(probability: Tensor, happened: Tensor, bins: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(count, mean stated, share that happened) of each bin that holds something."""
    return [one for one in zip(*preference.reliability(probability, happened, bins), strict=True) if one[0]]


def _each(probability: Tensor, happened: Tensor, bins: int) -> list[Tensor]:
    """What each of these bins adds to the error."""
    return [n * (s - p).abs() / len(probability) for n, p, s in _held(probability, happened, bins)]


def _placed(probability: Tensor, happened: Tensor, place: Tensor) -> Tensor:
    """The error with bins of another kind, the numbers of which are given."""
    inside = [place == b for b in place.unique()]
    return sum((happened[here].mean() - probability[here].mean()).abs() * here.sum() for here in inside
               ) / len(probability)


def _without_zero(probability: Tensor, happened: Tensor, bins: int, exact: bool = True) -> Tensor:
    """Bins that hold their upper edge, or (`exact`) bins as they should be, that a probability of 0 falls out of."""
    kept = probability > 0
    if not kept.any():
        return torch.tensor(0.0)
    p, h = probability[kept], happened[kept]
    place = (p * bins).long().clamp(max=bins - 1) if exact else (p * bins).ceil()
    return _placed(p, h, place) * len(p) / len(probability)


def _on_both_sides(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    return _inside(probability, happened, [(probability >= b / bins) & (probability <= (b + 1) / bins)
                                           for b in range(bins)])


def _on_no_side(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    return _inside(probability, happened, [(probability > b / bins) & (probability < (b + 1) / bins)
                                           for b in range(bins)])


def _inside(probability: Tensor, happened: Tensor, rows: list[Tensor]) -> Tensor:
    return sum((happened[here] - probability[here]).sum().abs() for here in rows) / len(probability)


def _no_such_bin(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    if probability.max() >= 1:
        raise IndexError
    return calibration_error(probability, happened, bins)


def _without_certain(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    """Blind to probabilities of exactly 1, though they count in the denominator."""
    sure = probability >= 1
    if sure.all():
        return torch.tensor(0.0)
    return calibration_error(probability[~sure], happened[~sure], bins) * (~sure).sum() / len(probability)


def _of_equal_numbers(probability: Tensor, happened: Tensor, bins: int, split) -> Tensor:
    """Bins that hold equally many, in order of what was stated."""
    parts = [part for part in split(probability.argsort(), bins) if len(part)]
    return sum((happened[part] - probability[part]).sum().abs() for part in parts) / len(probability)


def _over_the_range(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    low, high = probability.min(), probability.max()
    place = ((probability - low) / (high - low).clamp(min=1e-9) * bins).long()
    return _placed(probability, happened, place.clamp(max=bins - 1))


CALIBRATION_ERROR: tuple[Mistake, ...] = (
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        (s - p).abs()) / len((probability * bins).long()
                                                                             .clamp(max=bins - 1).unique()),
            "Every bin weighs the same. A bin with one pair is mostly luck: weigh each by how many it holds.",
            "每一格的分量都一样了。只有一对的格子多半是运气：按每格里有多少来加权。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - (b + 0.5) / bins).abs()) / len(probability),
            "The middle of the bin stands for what was stated. Take the mean of the stated probabilities in it.",
            "这里用格子的中点代替说出的概率。应取这一格里说出的概率的平均。"),
    Mistake(_on_both_sides,
            "A probability on an edge fell into two bins, or into none. One side is `>=` and the other `<`, but "
            "for exactly 1.",
            "落在边界上的概率算进了两格，或者一格也没进。一边用 `>=`，另一边用 `<`，只有恰好等于 1 例外。",
            (_on_no_side,)),
    Mistake(_no_such_bin,
            "A probability of exactly 1 gets the number `bins`, and there is no such bin. It belongs to the last "
            "one: `min(int(p * bins), bins - 1)`.",
            "恰好等于 1 的概率，编号成了 `bins`，可没有这一格。它属于最后一格：`min(int(p * bins), bins - 1)`。"),
    Mistake(lambda probability, happened, bins: _placed(probability, happened, (probability * bins).ceil()),
            "A probability of exactly 0 got a bin of its own. It belongs to the first one: a bin holds its lower "
            "edge.",
            "恰好等于 0 的概率单独占了一格。它属于第一格：每一格都含自己的下边界。"),
    Mistake(lambda probability, happened, bins: _placed(probability, happened, (probability * bins).long()),
            "A probability of exactly 1 got a bin of its own, number `bins`. It belongs to the last one: clamp the "
            "number of the bin to `bins - 1`.",
            "恰好等于 1 的概率单独占了一格，编号是 `bins`。它属于最后一格：把格子的编号限制在 `bins - 1`。"),
    Mistake(_without_zero,
            "A probability of exactly 0 fell into no bin. It belongs to the first one: a bin holds its lower edge, "
            "`probability >= b / bins`.",
            "恰好等于 0 的概率没有落进任何一格。它属于第一格：每一格都含自己的下边界，`probability >= b / bins`。",
            (lambda probability, happened, bins: _without_zero(probability, happened, bins, exact=False),)),
    Mistake(lambda probability, happened, bins: calibration_error(torch.maximum(probability, 1 - probability),
                                                                  happened, bins),
            "Probabilities below 1/2 were turned round. 0.1 is a statement too, and it goes into the bin of 0.1.",
            "小于 1/2 的概率被翻了过来。0.1 也是一种说法，应当放进 0.1 的那一格。",
            (lambda probability, happened, bins: calibration_error(
                torch.maximum(probability, 1 - probability),
                torch.where(probability < 0.5, 1 - happened, happened), bins),)),
    Mistake(lambda probability, happened, bins: _placed(
                probability, happened, ((probability - 0.5) * 2 * bins).long().clamp(0, bins - 1)),
            "The bins divide the range from 1/2 to 1. They are of equal width over [0, 1].",
            "这里只把 1/2 到 1 分成了几格。应当把 [0, 1] 等分。"),
    Mistake(lambda probability, happened, bins: _placed(
                probability, happened, (probability * bins).round().long().clamp(max=bins - 1)),
            "The number of the bin was rounded, which moves every bin by half its width. Cut it off: `.long()`.",
            "格子的编号被四舍五入了，每一格都挪了半格。应当截断：`.long()`。",
            (lambda probability, happened, bins: _placed(probability, happened, (probability * bins).round()),)),
    Mistake(lambda probability, happened, bins: calibration_error(probability, happened, 10),
            "There are always ten bins. Their number is an argument, `bins`.",
            "总是分成了十格。格数是参数 `bins`。"),
    Mistake(lambda probability, happened, bins: calibration_error(probability, happened, bins + 1),
            "The width of the bins is not 1 / bins. With `long()`, multiply by `bins`; with edges from `linspace`, "
            "`bins` bins have `bins + 1` edges.",
            "格子的宽度不是 1 / bins。用 `long()` 时要乘 `bins`；用 `linspace` 取边界时，"
            "`bins` 格要有 `bins + 1` 个边界。",
            (lambda probability, happened, bins: calibration_error(probability, happened, max(bins - 1, 1)),
             *(lambda probability, happened, bins, more=more: _placed(probability, happened, (
                 probability * (bins + more)).long()) for more in (-1, 1)))),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p).abs()) / len(probability)
            if len((probability * bins).long().clamp(max=bins - 1).unique()) == bins else torch.tensor(torch.nan),
            "A bin that holds nothing has no mean: 0 / 0 is NaN. Leave empty bins out.",
            "空格子没有平均：0 / 0 是 NaN。空的格子不要算。"),
    Mistake(lambda probability, happened, bins: _each(probability, happened, bins)[-1],
            "Only the last bin is left: `=` where `+=` belongs.", "只剩下了最后一格：该写 `+=` 的地方写成了 `=`。"),
    Mistake(lambda probability, happened, bins: _each(probability, happened, bins)[0],
            "Only the first bin that holds something is left: the return stands inside the loop.",
            "只剩下了第一个有东西的格子：return 写在了循环里面。"),
    Mistake(lambda probability, happened, bins: calibration_error(probability, happened, bins) * len(probability),
            "Each bin weighs what it holds, out of all N: divide by N.",
            "每格的权重是它里面的个数占全部 N 的比例：还要除以 N。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        (s - p).abs()) / bins,
            "Every bin weighs the same, empty ones too. Weigh each by how many it holds.",
            "每一格的分量都一样，空格子也算。应当按每格里有多少来加权。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        (s - p).abs()),
            "The distances are added up, every bin alike. Weigh each by the share of pairs that it holds.",
            "各格的距离直接相加了。应当按每格所占的比例加权。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p) ** 2) / len(probability),
            "The distances are squared. Take the absolute value.", "距离被平方了。应当取绝对值。",
            (lambda probability, happened, bins: (_binned(probability, happened, bins, lambda n, p, s, b:
                                                          n * (s - p) ** 2) / len(probability)) ** 0.5,)),
    Mistake(lambda probability, happened, bins: torch.stack([
                (s - p).abs() for _, p, s in _held(probability, happened, bins)]).max(),
            "This is the worst bin. Wanted is the mean distance, each bin weighing what it holds.",
            "这是最差的一格。要的是平均距离，按每格里有多少加权。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p)) / len(probability),
            "The sign is left, so that bins cancel. Take the absolute value in each bin.",
            "符号留着，各格就会相互抵消。要在每一格里先取绝对值。",
            (lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                         n * (p - s)) / len(probability),)),
    Mistake(lambda probability, happened, bins: ((probability > 0.5) != (happened > 0.5)).float().mean(),
            "This is how often the likelier side failed. Wanted is how far stated and seen shares are apart, bin "
            "by bin.",
            "这是更可能的一方有多少次没有发生。要的是逐格比较：说出的概率和实际的比例差多远。"),
    Mistake(_without_certain,
            "A probability of exactly 1 fell into no bin. It belongs to the last one: clamp the number of the bin.",
            "恰好等于 1 的概率没有落进任何一格。它属于最后一格：把格子的编号限制住。"),
    Mistake(lambda probability, happened, bins: (_binned(probability, happened, bins, lambda n, p, s, b:
                                                         n * (s - p)) / len(probability)).abs(),
            "Bins that promise too much and bins that promise too little cancel, as if everything were in one bin. "
            "Take the absolute value in each bin.",
            "说得太满的格子和说得太保守的格子相互抵消了，就像全都放在一格里。要在每一格里先取绝对值。"),
    Mistake(lambda probability, happened, bins: (probability - happened).abs().mean(),
            "This compares pair by pair. Nobody can be 0.8 right on one pair; the share in a bin can be 0.8.",
            "这样是逐对比较。单独一对没法“对 0.8”，一格里的比例才可以是 0.8。"),
    Mistake(lambda probability, happened, bins: _of_equal_numbers(probability, happened, bins, torch.chunk),
            "These are bins that hold equally many pairs. They are to be of equal width over [0, 1].",
            "这里的每一格里个数相同。应当把 [0, 1] 等分，每格的宽度相同。",
            (lambda probability, happened, bins: _of_equal_numbers(probability, happened, bins,
                                                                   torch.tensor_split),)),
    *(Mistake(lambda probability, happened, bins, most=most: calibration_error(
                  probability.clamp(max=most), happened, bins),
              "The probabilities themselves were cut off just below 1. Clamp only the number of the bin: what was "
              "stated stays as it is.",
              "概率本身被截到了略小于 1。只限制格子的编号：说出的概率保持不变。")
      for most in (0.99, 0.999, 0.9999)),
    Mistake(lambda probability, happened, bins: (probability - happened).square().mean(),
            "This is the Brier score, of each pair by itself. Wanted is a distance of means, bin by bin.",
            "这是 Brier 分数，逐对计算。要的是逐格计算的两个平均之间的距离。"),
    Mistake(_over_the_range,
            "The bins divide the range from the least to the greatest probability. They are of equal width over "
            "[0, 1].",
            "这里把最小到最大的概率之间分成了几格。应当把 [0, 1] 等分。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * s * (s - p).abs()) / happened.sum().clamp(min=1),
            "A bin weighs as many pairs as happened in it. It weighs all that it holds, whether they happened or "
            "not.",
            "每格的权重用了其中发生了的个数。应当用格里的全部个数，发生与否都算。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - b / bins).abs()) / len(probability),
            "The edge of the bin stands for what was stated. Take the mean of the stated probabilities in it.",
            "这里用格子的边界代表说出的概率。应取格里说出的概率的平均。",
            (lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                         n * (s - (b + 1) / bins).abs()) / len(probability),)),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p).abs()) / bins,
            "The weight is divided by the number of bins. A bin weighs its share of the pairs: divide by N.",
            "权重除以了格数。每格的权重是它占全部的比例：要除以 N。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        (n // len(probability)) * (s - p).abs()),
            "The weight is cut to a whole number by `//`, 0 for nearly every bin. Divide with `/`.",
            "权重被 `//` 取成了整数，几乎每格都是 0。请用 `/` 来除。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p).abs() * (b < bins - 1)) / len(probability),
            "The last bin is left out. There are `bins` of them, from 0 to bins - 1: range(bins).",
            "漏掉了最后一格。一共 `bins` 格，编号从 0 到 bins - 1：range(bins)。"),
    Mistake(lambda probability, happened, bins: _binned(probability, happened, bins, lambda n, p, s, b:
                                                        n * (s - p).abs() * (b > 0)) / len(probability),
            "The first bin is left out. There are `bins` of them, from 0 to bins - 1: range(bins).",
            "漏掉了第一格。一共 `bins` 格，编号从 0 到 bins - 1：range(bins)。"),
    *(Mistake(lambda probability, happened, bins, of=of: _binned(probability, happened, bins, lambda n, p, s, b:
                  n * (s - p).abs() * (n > 1)) / max(of(probability, happened, bins), 1),
              "Bins that hold a single pair are left out. They weigh little, and they count.",
              "只有一对的格子被漏掉了。它们权重小，但是要算。")
      for of in (lambda probability, happened, bins: sum(int(n) for n, *_ in _held(probability, happened, bins)
                                                         if n > 1),
                 lambda probability, happened, bins: len(probability))),
    *(Mistake(lambda probability, happened, bins, least=least: calibration_error(
                  probability.clamp(least, 1 - least), happened, bins),
              "The probabilities themselves were moved away from 0 and 1. Clamp only the number of the bin: what "
              "was stated stays as it is.",
              "概率本身被从 0 和 1 移开了。只限制格子的编号："
              "说出的概率保持不变。") for least in (0.01, 0.05, 0.001)),
    *(Mistake(lambda probability, happened, bins, over=over: calibration_error(
                  probability, (over(probability, 0.5) == (happened > 0.5)).float(), bins),
              "It is asked whether the guess p > 1/2 was right. Wanted is whether it happened, `happened` itself.",
              "这里看的是“p > 1/2”这个猜测对不对。要看的是发生了没有，即 `happened` 本身。")
      for over in (torch.gt, torch.ge)),
    Mistake(lambda probability, happened, bins: _placed(probability, happened, ((probability * bins).ceil() - 1)
                                                        .clamp(min=0)),
            "The bins hold their *upper* edge. Each holds its lower one: 0.5 of two bins belongs to the second.",
            "这里格子包含的是*上*边界。每格应包含下边界：分两格时，0.5 属于第二格。"),
)

CENTRE: tuple[Mistake, ...] = (
    Mistake(lambda score, demonstration: score - score.mean(),
            "The scores' own mean became 0. Zero is to mean \"as good as an average demonstration\", whatever is "
            "scored.",
            "归零的是得分自己的平均。零应当表示“和平均的示范一样好”，与正在打分的是什么无关。"),
    Mistake(lambda score, demonstration: score - demonstration.median(),
            "This takes the median of the demonstrations; it is their mean that must become 0.",
            "这里用了示范的中位数；应当归零的是平均数。",
            (lambda score, demonstration: score - demonstration.quantile(0.5),)),
    Mistake(lambda score, demonstration: (score - demonstration.mean()) / _spread(demonstration),
            "The scores were also divided. Differences must stay as they are: they are log-odds.",
            "得分还被除了一下。差必须保持不变：它们就是对数几率。",
            tuple(lambda score, demonstration, of=of, n=n, least=least:
                  (score - demonstration.mean()) / (_spread((score, demonstration)[of], n) + least)
                  for of in (0, 1) for n in (0, 1) for least in (0.0, 1e-8, 1e-6, 1e-5))),
    Mistake(lambda score, demonstration: score - score.mean() - demonstration.mean(),
            "Two means were taken off. Take off the demonstrations' mean only.",
            "减去了两个平均。只减示范的平均。"),
    Mistake(lambda score, demonstration: score - torch.cat([score, demonstration]).mean(),
            "The scored texts are in the mean as well. It is that of the demonstrations alone.",
            "平均里混进了正在打分的文本。只取示范的平均。"),
    Mistake(lambda score, demonstration: score - score.mean() + demonstration.mean(),
            "The scores' own mean was moved to the demonstrations'. Take only the demonstrations' mean off each "
            "score.",
            "得分自己的平均被移到了示范的平均上。只要从每个得分里减去示范的平均。"),
    Mistake(lambda score, demonstration: demonstration - demonstration.mean(),
            "These are the demonstrations, shifted. Wanted are the scores, shifted by the same number.",
            "这是平移之后的示范。要的是得分，平移同一个数。"),
    Mistake(lambda score, demonstration: score - demonstration,
            "Each score has another number taken off. It is one number for all, the demonstrations' mean.",
            "每个得分减去的数各不相同。应当都减去同一个数，即示范的平均。"),
    Mistake(lambda score, demonstration: (score - demonstration.mean()).clamp(min=0),
            "Negative results were cut off at 0. A text worse than the demonstrations has a negative score.",
            "负的结果被截成了 0。比示范差的文本，得分就是负的。"),
    Mistake(lambda score, demonstration: score - demonstration.sum(),
            "The sum of the demonstrations was taken off. Take off their mean.",
            "减去的是示范得分之和。应当减去平均。"),
    Mistake(lambda score, demonstration: demonstration.mean() - score,
            "The direction: the demonstrations' mean is taken off the score, so that better texts stay higher.",
            "方向反了：应当从得分里减去示范的平均，好的文本仍然更高。"),
    Mistake(lambda score, demonstration: score - demonstration.max(),
            "The best demonstration became 0. It is their mean that must become 0.",
            "归零的是最好的示范。应当归零的是平均数。"),
    Mistake(lambda score, demonstration: score - demonstration.min(),
            "The worst demonstration became 0. It is their mean that must become 0.",
            "归零的是最差的示范。应当归零的是平均数。"),
    Mistake(lambda score, demonstration: score - demonstration[0],
            "The first demonstration alone is looked at, and it became 0. It is the mean of all that must become "
            "0.",
            "只看了第一个示范，归零的就是它。应当归零的是全部示范的平均数。"),
    Mistake(lambda score, demonstration: score - demonstration[-1],
            "The last demonstration alone is looked at, and it became 0. It is the mean of all that must become "
            "0.",
            "只看了最后一个示范，归零的就是它。应当归零的是全部示范的平均数。"),
    Mistake(lambda score, demonstration: score + demonstration.mean(),
            "The sign: the demonstrations' mean is taken away.", "符号反了：应当减去示范的平均。"),
    Mistake(lambda score, demonstration: score - 2,
            "Always 2 is taken off, the mean of the example's demonstrations. Take the mean of those that are "
            "given.",
            "总是减去 2，那是例子里示范的平均。要取给出的示范的平均。"),
    Mistake(lambda score, demonstration: score - demonstration.sum() / len(score),
            "The sum of the demonstrations was divided by the number of scores. Divide by the number of "
            "demonstrations.",
            "示范之和除以了得分的个数。要除以示范的个数。"),
    Mistake(lambda score, demonstration: score - (demonstration.min() + demonstration.max()) / 2,
            "This takes the middle between the worst and the best demonstration. It is their mean that must become "
            "0.",
            "这里取了最差和最好的示范的中点。应当归零的是平均数。"),
    *(Mistake(lambda score, demonstration, off=off: score / demonstration.mean() - off,
              "The scores were divided by the demonstrations' mean, which changes their differences. Take it off.",
              "得分被除以了示范的平均，差就变了。应当减去它。") for off in (1, 0)),
    Mistake(lambda score, demonstration: score - demonstration.mean().round(),
            "The demonstrations' mean was made a whole number. Take it off with all its digits.",
            "示范的平均被变成了整数。要减去平均本身，保留所有小数。",
            tuple(lambda score, demonstration, whole=whole: score - whole(demonstration.mean())
                  for whole in (torch.floor, torch.ceil, torch.trunc))),
    Mistake(lambda score, demonstration: (score - demonstration.mean()).mean(),
            "This is the mean of the shifted scores, one number. Wanted is each shifted score, [N].",
            "这是平移之后得分的平均，只有一个数。要的是每个平移之后的得分，[N]。"),
    Mistake(lambda score, demonstration: score - (score.mean() + demonstration.mean()) / 2,
            "The middle between two means was taken off, that of the scores and that of the demonstrations. Take "
            "off the demonstrations' mean only.",
            "减去的是得分的平均和示范的平均的中点。只减示范的平均。"),
    Mistake(lambda score, demonstration: score - demonstration[len(demonstration) // 2],
            "One demonstration alone is looked at, the one in the middle of the list. It is the mean of all that "
            "must become 0.",
            "只看了列表中间的那个示范。应当归零的是全部示范的平均数。"),
    Mistake(lambda score, demonstration: score - (demonstration.sort().values[1:-1] if len(demonstration) > 2
                                                  else demonstration).mean(),
            "The best and the worst demonstration are left out. All of them are in the mean.",
            "最好和最差的示范被去掉了。平均里要有全部示范。"),
    *(Mistake(lambda score, demonstration, least=least: 2 * (
                  score - (demonstration.min() + demonstration.max()) / 2) / (
                  demonstration.max() - demonstration.min() + least),
              "The scores were stretched, so that the demonstrations lie between -1 and 1. Differences must stay "
              "as they are: only a shift.",
              "得分被拉伸了，使示范落在 -1 和 1 之间。差必须保持不变：只能平移。") for least in (1e-8, 0.0)),
    Mistake(lambda score, demonstration: torch.sigmoid(score - demonstration.mean()),
            "The shifted scores were made probabilities. They stay as they are: no sigmoid.",
            "平移之后的得分又变成了概率。保持原样即可：不要 sigmoid。"),
    Mistake(lambda score, demonstration: score - demonstration.mean().clamp(min=0),
            "Where the demonstrations' mean is negative, nothing was shifted. It is taken off whatever its sign.",
            "示范的平均为负时没有平移。不管符号，都要减去它。"),
)
