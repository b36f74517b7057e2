"""Lesson 03b, LoRA on a base in 8 bits: the adapter, rounding row by row, what a run takes."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.models import quantization
from rlhf_kit.scale.memory import BLOG, MIXED


def lora_forward(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """x Wᵀ + α/r · (x Aᵀ) Bᵀ."""
    return x @ weight.T + alpha / len(a) * (x @ a.T) @ b.T


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(q [out, in] whole numbers from -127 to 127, s [out]), s the largest |w| of each row; w ≈ q s / 127."""
    return quantization.quantize_rows(weight)


def training_gigabytes(frozen: float, bytes_each: float, trained: float) -> float:
    """GB that stand in memory: the frozen numbers at `bytes_each`, the trained ones at 16."""
    return (frozen * bytes_each + MIXED * trained) / 1e9


def _layers(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)

    def case(rows: int, inside: int, outside: int, rank: int, alpha: float, about: str = "random") -> Case:
        draw = lambda *size: torch.randn(*size, generator=g)                                    # noqa: E731
        return Case((draw(rows, inside), draw(outside, inside), draw(rank, inside), draw(outside, rank), alpha), about,
                    (2, 3))
    fresh = case(2, 3, 3, 2, 4.0)
    fresh.arguments[3].zero_()
    return [case(2, 3, 3, 2, 8.0, "r = 2, α = 8"), Case(fresh.arguments, "B = 0: as it begins", (2, 3)),
            case(2, 3, 3, 2, 3.0, "r = 2 does not divide α = 3"), case(2, 4, 3, 3, 2, "α is less than r"),
            case(2, 3, 2, 2, 0, "α = 0: off"), case(1, 3, 3, 1, 0.5, "r = 1, α = 1/2"),
            case(4, 5, 3, 4, 2.0, "more inputs than outputs"), case(1, 2, 6, 3, 32.0, "more outputs than inputs"),
            case(2, 3, 2, 5, 10.0, "r is larger than both"), case(3, 4, 4, 2, 1.0)]


def _matrices(seed: int) -> list[Case]:
    """Weights stay away from the middle of two steps, where every order of computing rounds another way."""
    g = torch.Generator().manual_seed(seed)

    def drawn(rows: int, columns: int) -> Tensor:
        whole = torch.randint(-126, 127, (rows, columns), generator=g) + 0.9 * (torch.rand(rows, columns, generator=g)
                                                                                - 0.5)
        whole[torch.arange(rows), torch.randint(columns, (rows,), generator=g)] = 127.0
        return whole / 127 * (torch.rand(rows, 1, generator=g) + 0.05)
    return [Case((torch.tensor([[1.0, -0.52, 0.3], [0.02, 0.011, -0.005]]),), "a large row and a small one"),
            Case((torch.tensor([[-2.0, 1.02, 0.5]]),), "the largest is negative"),
            Case((torch.tensor([[0.0, 0.0], [3.0, -1.0]]),), "a row of zeros"),
            Case((torch.tensor([[2.0, 0.0, -0.3], [1.0, 0.0, 0.4]]),), "a column of zeros"),
            Case((torch.tensor([[5.0]]),), "one number"), Case((torch.tensor([[-0.1], [40.0], [0.0]]),), "one column"),
            Case((torch.tensor([[100.0, -3.0, 0.3], [0.001, 0.0002, -0.0004]]),), "very large and very small rows"),
            Case((torch.tensor([[-1.0, -0.3], [-0.2, -0.9]]),), "nothing above 0"),
            Case((torch.tensor([[0.0001, -0.00003, 0.00007], [0.00002, 0.000013, -0.000004]]),), "very small rows"),
            Case((torch.tensor([[0.0, 0.0], [3e-7, -1e-7]]),), "a row of zeros beside the smallest numbers"),
            Case((torch.tensor([[0.1, -0.2, 0.3, 8.0, -0.1, 0.2, -0.3, 0.4, 0.1, -0.2, 0.3, -0.1, 0.2, 0.1, -0.4,
                                 0.3]]),),
                 "one far larger than the others"),
            *(Case((drawn(n, 6),), "random") for n in (2, 4, 6))]


def _runs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((0, 2, 7e9), "all of LLaMA-7B learns"), Case((7e9, 1, 40e6), "int8, LoRA of rank 16 everywhere"),
            Case((7e9, 2, 8_388_608), "bf16, LoRA on q and v"), Case((65e9, 0.5, 200e6), "65B in nf4"),
            Case((7e9, 0.56, 0), "7B in nf4, nothing learns"), Case((1_000_000, 4, 2_000), "a tiny model"),
            Case((1e9, 2, 3e9), "more learns than is frozen"),
            *(Case((float(torch.randint(1, 70, (), generator=g)) * 1e9, 1, float(torch.randint(1, 500, (), generator=g))
                    * 1e6), "random") for _ in range(3))]


def _scaled(scale, en: str, zh: str) -> Mistake:
    return Mistake(lambda x, weight, a, b, alpha: x @ weight.T + scale(alpha, a) * (x @ a.T) @ b.T, en, zh)


def _whole_layer(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return alpha / len(a) * (x @ weight.T + (x @ a.T) @ b.T)


def _nothing_yet(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    return lora_forward(x, weight, a, b, alpha) if b.any() else x @ weight.T


def _update_turned(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    if weight.shape[0] != weight.shape[1]:
        return lora_forward(x, weight, a, b, alpha)
    return x @ weight.T + alpha / len(a) * x @ (b @ a)


def _not_turned(x: Tensor, weight: Tensor, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    square = weight.shape[0] == weight.shape[1]
    return lora_forward(x, weight.T if square else weight, a, b, alpha)


DIVIDED = (lambda w, s: w / s * 127, lambda w, s: 127 * w / s, lambda w, s: w / (s / 127), lambda w, s: w * (127 / s))


def _grid(weight: Tensor, largest: Tensor, rounded=torch.round, divided=DIVIDED[0]) -> tuple[Tensor, Tensor]:
    """As it should be, but for what the largest numbers are and how it is rounded."""
    return rounded(divided(weight, largest.clamp(min=1e-30)[:, None])), largest


def _rounded(how, en: str, zh: str) -> Mistake:
    """Another way of rounding, in whatever order it is multiplied and divided."""
    first, *others = (lambda weight, divided=divided: _grid(weight, weight.abs().amax(1), how, divided)
                      for divided in DIVIDED)
    return Mistake(first, en, zh, tuple(others))


def _cut(weight: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Another scale, and what it makes too large cut off at 127."""
    q, s = _grid(weight, scale)
    return q.clamp(-127, 127), s


def _at_least(weight: Tensor, least: float, handed_out: bool) -> tuple[Tensor, Tensor]:
    largest = weight.abs().amax(1)
    divisor = largest.clamp(min=least)
    return _grid(weight, divisor)[0], divisor if handed_out else largest


def _zeros_get_one(weight: Tensor) -> tuple[Tensor, Tensor]:
    q, s = quantize_rows(weight)
    return q, torch.where(s > 0, s, 1.0)


def _from_least_to_most(weight: Tensor) -> tuple[Tensor, Tensor]:
    """An affine grid between the least and the greatest number of a row."""
    low, high = weight.amin(1), weight.amax(1)
    width = (high - low).clamp(min=1e-30)
    return ((weight - low[:, None]) / width[:, None] * 254 - 127).round(), high - low


def _by(weight: Tensor, scale: Tensor) -> Tensor:
    """Steps of another scale; a row whose scale is 0 as it is."""
    return (weight / torch.where(scale == 0, 1.0, scale)[:, None] * 127).round()


def _with_sign(weight: Tensor) -> Tensor:
    """The number of each row that is largest in absolute value, [out]."""
    return weight.gather(1, weight.abs().argmax(1, keepdim=True))[:, 0]


def _capped(weight: Tensor, most: float) -> Tensor:
    """The largest absolute value, or `most` times the root of the mean square."""
    return torch.minimum(weight.abs().amax(1), most * weight.square().mean(1).sqrt())


def _zero_point(weight: Tensor) -> Tensor:
    low, high = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    return ((weight - low) / (high - low).clamp(min=1e-12) * 254 - 127).round()


EXERCISES = (
    Exercise("3b.1", "lora_forward", ("x", "weight", "a", "b", "alpha"), lora_forward,
             Case((torch.tensor([[1.0, 2.0]]), torch.eye(2), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0], [1.0]]),
                   1.0)), _layers, (
        _scaled(lambda alpha, a: 1.0,
                "The factor α/r is missing. It keeps the update's size when the rank changes.",
                "少了系数 α/r。有了它，换一个秩，更新的大小不变。"),
        _scaled(lambda alpha, a: alpha,
                "Divide by the rank: the factor is α/r, not α.", "还要除以秩：系数是 α/r，不是 α。"),
        _scaled(lambda alpha, a: alpha / len(a) ** 0.5,
                "This divides by the root of the rank (a variant, rsLoRA). LoRA as published divides by r.",
                "这里除的是秩的平方根（一种变体，rsLoRA）。原版 LoRA 除以 r。"),
        _scaled(lambda alpha, a: alpha // len(a),
                "The factor was cut to a whole number, by `//` or `int()`. It is α/r, which may be a fraction: `/`.",
                "系数被 `//` 或 `int()` 截成了整数。应为 α/r，可以是小数：用 `/`。"),
        _scaled(lambda alpha, a: 1 / len(a),
                "α is not used: the factor is α/r, not 1/r.", "没有用到 α：系数是 α/r，不是 1/r。"),
        _scaled(lambda alpha, a: len(a) / alpha if alpha else 0.0,
                "The factor is upside down: it is α/r, not r/α.", "系数上下颠倒了：是 α/r，不是 r/α。"),
        _scaled(lambda alpha, a: alpha * len(a),
                "This multiplies by the rank. The factor is α/r.", "这里乘了秩。系数是 α/r。"),
        _scaled(lambda alpha, a: (alpha / len(a)) ** 2,
                "The factor α/r is there twice. It belongs to the product of A and B once.",
                "系数 α/r 乘了两次。对 A 和 B 的乘积只乘一次。"),
        _scaled(lambda alpha, a: (alpha or len(a)) / len(a),
                "α = 0 counts as if it were not given. It switches the adapter off: do not test `alpha` with `or` or "
                "`if`.",
                "α = 0 被当成了没给。它是把适配器关掉：不要用 `or` 或 `if` 去判断 `alpha`。"),
        _scaled(lambda alpha, a: -alpha / len(a),
                "The adapter is taken away. It is added.", "适配器被减掉了。应当是加上。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(b) * (x @ a.T) @ b.T,
                "This divides by the number of outputs. The rank is the number of rows of A, and of columns of B.",
                "这里除以了输出的个数。秩是 A 的行数，也是 B 的列数。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(x) * (x @ a.T) @ b.T,
                "This divides by the number of rows of x. The rank is the number of rows of A.",
                "这里除以了 x 的行数。秩是 A 的行数。"),
        Mistake(_whole_layer,
                "α/r multiplies the whole layer. It belongs to the adapter only: what the frozen matrix gives stays "
                "as it is.",
                "α/r 乘到了整个层上。它只属于适配器：冻结的矩阵给出的部分不变。"),
        Mistake(lambda x, weight, a, b, alpha: x + alpha / len(a) * (x @ a.T) @ b.T,
                "x itself stands where x Wᵀ belongs. In the example W is the identity; it seldom is.",
                "该写 x Wᵀ 的地方写成了 x。例子里 W 恰好是单位矩阵，平时可不是。"),
        Mistake(_not_turned,
                "This is x W where W is square. It is x Wᵀ: the rows of W belong to the outputs.",
                "W 是方阵时，这里算成了 x W。应为 x Wᵀ：W 的行对应输出。",
                (lambda x, weight, a, b, alpha: x @ weight + alpha / len(a) * (x @ a.T) @ b.T,)),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T,
                "The adapter is missing: add α/r · (x Aᵀ) Bᵀ.", "少了适配器：要加上 α/r · (x Aᵀ) Bᵀ。"),
        Mistake(_nothing_yet,
                "Where B is 0 it is left out, and then it gets no gradient and never learns. Compute it all the same.",
                "B 为 0 时被跳过了，于是它得不到梯度，永远学不会。照样要算。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (x @ a.detach().T) @ b.detach().T,
                "No gradient reaches A and B. Both must learn: no `.data`, `.detach()` or `no_grad` around them.",
                "梯度没有传到 A 和 B。两个都要学：不要对它们用 `.data`、`.detach()` 或 `no_grad`。"),
        _scaled(lambda alpha, a: alpha / a.shape[1],
                "This divides by the number of inputs. The rank is the number of rows of A.",
                "这里除以了输入的个数。秩是 A 的行数。"),
        Mistake(lambda x, weight, a, b, alpha: alpha / len(a) * (x @ a.T) @ b.T,
                "The frozen matrix is missing: an adapter is added to what the layer did before.",
                "少了冻结的矩阵：适配器是加在这一层原来的输出上的。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (x @ a.detach().T) @ b.T,
                "No gradient reaches A. Both matrices learn; only W is frozen.",
                "梯度没有传到 A。两个矩阵都要学，冻结的只有 W。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (x @ a.T) @ b.detach().T,
                "No gradient reaches B. Both matrices learn; only W is frozen.",
                "梯度没有传到 B。两个矩阵都要学，冻结的只有 W。"),
        _scaled(lambda alpha, a: len(a) / alpha,
                "The factor is upside down: it is α/r, not r/α.", "系数上下颠倒了：是 α/r，不是 r/α。"),
        *(_scaled(lambda alpha, a, rank=rank: alpha / rank,
                  "The rank is written in as a number. Take it from A: `a.shape[0]`.",
                  "秩写死成了一个数。要从 A 里取：`a.shape[0]`。") for rank in (2, 4, 8, 16)),
        _scaled(lambda alpha, a: max(alpha / len(a), 1.0),
                "The factor is never less than 1 here. α/r may be less than 1, and 0 too.",
                "系数被限制成至少是 1。α/r 可以小于 1，也可以是 0。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (x @ a.T).relu() @ b.T,
                "Negative numbers between A and B were set to 0. There is nothing but the product of the two.",
                "A 和 B 之间的负数被改成了 0。中间什么都没有，就是两个矩阵相乘。"),
        Mistake(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (x @ a[:1].T) @ b[:, :1].T,
                "Only the first of the r directions is used. Multiply by the whole of A, and by the whole of B.",
                "r 个方向里只用了第一个。要乘整个 A，再乘整个 B。"),
        _scaled(lambda alpha, a: alpha / len(a) ** 2,
                "It is divided by the rank twice: α/r, and once more by a mean over the r directions. They are added "
                "up.",
                "除了两次秩：一次是 α/r，又对 r 个方向取了平均。各个方向应当相加。"),
        Mistake(_update_turned,
                "Where W is square the update is turned round, (B A)ᵀ for B A. The rows of B belong to the outputs: (x "
                "Aᵀ) Bᵀ.",
                "W 是方阵时，更新量转置了：(B A)ᵀ 当成了 B A。B 的行对应输出：(x Aᵀ) Bᵀ。"),
        ), points=2),
    Exercise("3b.2", "quantize_rows", ("weight",), quantize_rows,
             Case((torch.tensor([[2.0, 0.0, -2.0], [0.0, 2.0, 2.0]]),)), _matrices, (
        Mistake(lambda weight: _grid(weight, weight.abs().max().expand(len(weight))),
                "One scale for the whole matrix: a row of small numbers is left with a few steps, or none. Give each "
                "row its own.",
                "整个矩阵只用了一个尺度：数小的那一行只剩下几级，甚至一级不剩。每行要有自己的尺度。"),
        _rounded(torch.trunc,
                 "The numbers are cut off towards 0, as `.to(torch.int8)` does. Round to the nearest first: half the "
                 "error, and none in one direction.",
                 "数被朝 0 截掉了，`.to(torch.int8)` 就是这样。先取最近的整数：误差小一半，也不会总偏向一边。"),
        _rounded(torch.floor,
                 "The numbers are rounded down. Round to the nearest: half the error, and none in one direction.",
                 "数都向下取整了。要取最近的整数：误差小一半，也不会总偏向一边。"),
        _rounded(torch.ceil,
                 "The numbers are rounded up. Round to the nearest: half the error, and none in one direction.",
                 "数都向上取整了。要取最近的整数：误差小一半，也不会总偏向一边。"),
        _rounded(lambda steps: steps,
                 "The numbers are not rounded. Wanted are whole numbers of steps.",
                 "没有取整。要的是整数，即有几级。"),
        Mistake(lambda weight: (torch.where(quantize_rows(weight)[0] < 0, 256.0, 0.0) + quantize_rows(weight)[0],
                                quantize_rows(weight)[1]),
                "Negative numbers came out above 127: an unsigned byte has none. Take torch.int8.",
                "负数变成了大于 127 的数：无符号字节里没有负数。请用 torch.int8。"),
        Mistake(lambda weight: (quantize_rows(weight.T)[0].T, quantize_rows(weight.T)[1]),
                "Each column has its own scale. Each *row* is to have one: `amax(dim=1)`.",
                "这里每列有自己的尺度。应当每*行*一个：`amax(dim=1)`。",
                (lambda weight: ((127 * weight / weight.abs().amax(0)).round(), weight.abs().amax(0)),)),
        Mistake(lambda weight: (quantize_rows(weight)[0], quantize_rows(weight)[1][:, None]),
                "The scales have shape [out, 1], from `keepdim`. Wanted is [out], one number for each row.",
                "尺度的形状成了 [out, 1]，来自 `keepdim`。要的是 [out]，每行一个数。"),
        *(Mistake(lambda weight, least=least, out=out: _at_least(weight, least, out),
                  "The divisor was kept too large by `clamp`, which flattens rows of small numbers. It is to save "
                  "the row of zeros only: take something tiny, as 1e-30.",
                  "除数被 `clamp` 限制得太大，数小的行就被压平了。这样做只是为了全 0 的行：取个极小的数，如 1e-30。")
          for least in (1, 0.1, 0.01) for out in (False, True)),
        *(Mistake(lambda weight, least=least: _grid(weight, weight.abs().amax(1) + least),
                  "A number was added to the scales, and that shifts them where weights are small. Guard the divisor "
                  "with `.clamp(min=1e-30)` instead.",
                  "尺度上加了一个数，权重小的行就偏了。应当用 `.clamp(min=1e-30)` 来保护除数。",
                  (lambda weight, least=least: (_grid(weight, weight.abs().amax(1) + least)[0], weight.abs().amax(1)),))
          for least in (1, 0.1, 0.01, 1e-3, 1e-4, 1e-5)),
        Mistake(_zeros_get_one,
                "The row of zeros got the scale 1. Divide by 1 there, if you like; hand out 0.",
                "全 0 的行尺度成了 1。计算时除以 1 没关系，给出的要是 0。"),
        Mistake(lambda weight: quantize_rows(weight)[::-1],
                "The two results have changed places: the whole numbers first, then the scales.",
                "两个结果写反了：先是整数，再是尺度。"),
        Mistake(lambda weight: ((weight / 2 * 127).round().clamp(-127, 127), weight.abs().amax(1)),
                "Every row is divided by 2, the largest of the example. Divide each by its own largest absolute value.",
                "每行都除以了 2，那是例子里的最大值。每行要除以自己的最大绝对值。",
                (lambda weight: ((weight / 2 * 127).round(), weight.abs().amax(1)),)),
        Mistake(_from_least_to_most,
                "The grid runs from the least to the greatest number of a row, so 0 is no whole number of steps. "
                "Here it runs from -s to s.",
                "网格从每行最小的数排到最大的数，0 就不再是整数级。这里应当从 -s 到 s。"),
        Mistake(lambda weight: (quantize_rows(weight)[0] * quantize_rows(weight)[1][:, None] / 127,
                                quantize_rows(weight)[1]),
                "These are the weights read back. Wanted are the whole numbers themselves.",
                "这是还原之后的权重。要的是整数本身。"),
        Mistake(lambda weight: _grid(weight, weight.amax(1)),
                "The largest number of a row, and not the largest absolute value: a row whose largest is negative "
                "leaves the range from -127 to 127.",
                "取了每行最大的数，而不是最大的绝对值：最大的是负数时，结果会超出 -127 到 127。",
                (lambda weight: ((127 * weight / weight.amax(1)[:, None]).round(), weight.amax(1)),
                 lambda weight: (_grid(weight, weight.amax(1))[0].clamp(-127, 127), weight.amax(1)),
                 lambda weight: (_grid(weight, weight.amax(1))[0].to(torch.int8), weight.amax(1)),
                 lambda weight: (_grid(weight, weight.amax(1).abs())[0], weight.amax(1).abs()))),
        Mistake(lambda weight: ((127 * weight / weight.abs().amax(1)[:, None]).round(), weight.abs().amax(1)),
                "A row of zeros was divided by 0. Keep the divisor above 0; the whole numbers are then 0.",
                "全是 0 的一行被 0 除了。让除数大于 0，得到的整数就是 0。"),
        Mistake(lambda weight: _grid(weight * 128 / 127, weight.abs().amax(1)),
                "This multiplies by 128, which does not fit into a signed byte: that ends at 127.",
                "这里乘了 128，可 128 放不进有符号字节，它最大到 127。",
                (lambda weight: (_grid(weight * 128 / 127, weight.abs().amax(1))[0].clamp(-127, 127),
                                 weight.abs().amax(1)),
                 lambda weight: (_grid(weight * 128 / 127, weight.abs().amax(1))[0].clamp(-128, 127),
                                 weight.abs().amax(1)),
                 lambda weight: (_grid(weight * 128 / 127, weight.abs().amax(1))[0].to(torch.int8),
                                 weight.abs().amax(1)))),
        Mistake(lambda weight: _grid(weight * 255 / 127, weight.abs().amax(1)),
                "This multiplies by 255. Whole numbers from -127 to 127 come of 127.",
                "这里乘了 255。要得到 -127 到 127 的整数，应乘 127。"),
        Mistake(lambda weight: (weight, weight.abs().amax(1)),
                "These are the weights themselves. Wanted are whole numbers from -127 to 127, and the scales.",
                "这就是权重本身。要的是 -127 到 127 的整数，以及各行的尺度。"),
        *(Mistake(wrong,
                  "It is rounded too early: only multiplied by 127 do the weights become steps. Divide, multiply, then "
                  "round.",
                  "取整太早了：乘上 127 之后才是级数。先除，再乘，最后取整。") for wrong in (
            lambda weight: (_grid(weight, weight.abs().amax(1))[0].div(127).round() * 127, weight.abs().amax(1)),
            lambda weight: ((weight / weight.abs().amax(1).clamp(min=1e-30)[:, None]).round(), weight.abs().amax(1)))),
        Mistake(lambda weight: ((127 * weight).round(), weight.abs().amax(1)),
                "The rows were not divided by their largest absolute value. Divide first, then multiply by 127.",
                "各行没有除以自己的最大绝对值。先除，再乘 127。",
                (lambda weight: ((127 * weight).round().clamp(-127, 127), weight.abs().amax(1)),)),
        Mistake(lambda weight: (weight.round(), weight.abs().amax(1)),
                "The weights themselves are rounded. Divide each row by its largest absolute value and multiply by 127 "
                "first.",
                "直接对权重取整了。先把每行除以它的最大绝对值，再乘 127。"),
        Mistake(lambda weight: (quantize_rows(weight)[0].abs(), quantize_rows(weight)[1]),
                "The signs are lost. The absolute value is for the scale only.",
                "符号丢了。绝对值只用在尺度上。"),
        Mistake(lambda weight: _grid(weight, weight.abs().mean(1)),
                "The scale is the mean of the absolute values. Take the largest.",
                "尺度用了绝对值的平均。要取最大的。",
                (lambda weight: _cut(weight, weight.abs().mean(1)),)),
        Mistake(lambda weight: _grid(weight, weight.norm(dim=1)),
                "The scale is the length of the row. Take the largest absolute value.",
                "尺度用了整行的长度。要取最大的绝对值。"),
        Mistake(lambda weight: (_grid(weight, weight.abs().max().expand(len(weight)))[0], weight.abs().max()),
                "One scale for the whole matrix: a row of small numbers is left with a few steps, or none. Give each "
                "row its own.",
                "整个矩阵只用了一个尺度：数小的那一行只剩下几级，甚至一级不剩。每行要有自己的尺度。"),
        Mistake(lambda weight: (quantize_rows(weight)[0], quantize_rows(weight)[1] / 127),
                "The scales are those of one step, s/127. Hand out the largest absolute value itself.",
                "给出的是一级的大小 s/127。要给的是最大的绝对值本身。"),
        Mistake(lambda weight: _cut(weight, (weight.amax(1) - weight.amin(1)) / 2),
                "The scale is half of what lies between the least and the greatest number of a row. Take the largest "
                "absolute value.",
                "尺度用了每行最大数和最小数之差的一半。要取最大的绝对值。",
                (lambda weight: _grid(weight, (weight.amax(1) - weight.amin(1)) / 2),)),
        *(Mistake(lambda weight, steps=steps: _grid(weight * steps / 127, weight.abs().amax(1)),
                  "There are too few steps: the largest number of a row is to become 127 or -127. Multiply by 127.",
                  "级数太少了：每行最大的数应当变成 127 或 -127。要乘 127。") for steps in (63.5, 63, 64, 126)),
        Mistake(lambda weight: (quantize_rows(weight)[0], weight.abs().argmax(1).float()),
                "These scales are the *places* of the largest numbers. `max(dim=1)` gives values and places: take the "
                "values, or use `amax`.",
                "这里的尺度是最大的数所在的*位置*。`max(dim=1)` 给出值和位置：要取值，或者用 `amax`。"),
        *(Mistake(lambda weight, kind=kind: _cut(weight, weight.abs().amax(1).to(kind).float()),
                  "The scale was rounded to 16 bits. Keep it in 32 bits: every number of the row is read back with it.",
                  "尺度被舍入到了 16 位。要保留 32 位：整行的数都要靠它还原。",
                  (lambda weight, kind=kind: _grid(weight, weight.abs().amax(1).to(kind).float()),))
          for kind in (torch.float16, torch.bfloat16)),
        *(Mistake(lambda weight, share=share: _cut(weight, weight.abs().quantile(share, dim=1)),
                  "The scale is a quantile, below the largest absolute value, and the largest numbers were cut off. "
                  "Take the largest.",
                  "尺度用了分位数，比最大的绝对值小，最大的几个数被截断了。要取最大的。",
                  (lambda weight, share=share: _grid(weight, weight.abs().quantile(share, dim=1)),))
          for share in (0.9, 0.95, 0.99, 0.999)),
        *(Mistake(lambda weight, least=least: (
                      _by(weight, weight.abs().amax(1).clamp(min=least)), weight.abs().amax(1).clamp(min=least)),
                  "For a row of zeros the divisor that saves it came out as its scale. There s is 0: clamp only what "
                  "is divided by.",
                  "全零的行，返回的是为了避免除以 0 而用的除数。那里 s 是 0：只限制除数。")
          for least in (1e-8, 1e-5, 1e-4, 1e-3)),
        Mistake(lambda weight: (_zero_point(weight), weight.abs().amax(1)),
                "Each row was stretched from its least to its greatest number, so that 0 is no longer 0. Divide by the "
                "largest absolute value alone.",
                "每一行从最小值拉伸到了最大值，0 就不再是 0。只除以最大的绝对值。"),
        Mistake(lambda weight: ((quantize_rows(weight)[1].clamp(min=1e-30)[:, None].reciprocal() * weight * 127 + 0.5)
                                .trunc(), weight.abs().amax(1)),
                "0.5 was added and the rest cut off, which rounds negative numbers wrongly. round() takes both signs.",
                "这里加 0.5 再截掉小数，负数就取错了。round() 对正负数都对。"),
        Mistake(lambda weight: (_by(weight, weight.amax(1)).clamp(-127, 127), weight.amax(1)),
                "The largest number of a row was taken, and not the largest absolute value: where negative numbers are "
                "larger it is too small.",
                "这里取了一行里最大的数，而不是最大的绝对值：负数更大时就太小了。",
                (lambda weight: (_by(weight, weight.amax(1)), weight.amax(1)),)),
        Mistake(lambda weight: (_by(weight, _with_sign(weight)), _with_sign(weight)),
                "The scale has kept its sign. It is the largest *absolute* value, never below 0.",
                "尺度保留了符号。应是最大的*绝对*值，不会小于 0。"),
        *(Mistake(lambda weight, c=c: (_by(weight, _capped(weight, c)).clamp(-127, 127), _capped(weight, c)),
                  "The scale was capped where one number is far larger than the others, and that number is cut off. It "
                  "is the largest absolute value, whatever the others are.",
                  "有一个数远大于其余时，尺度被设了上限，那个数就被截掉了。不管其余的数是多少，"
                  "都取最大的绝对值。") for c in (3, 2)),
        *(Mistake(lambda weight, least=least: (_by(weight, weight.abs().amax(1).clamp(min=least)),
                                               weight.abs().amax(1)),
                  "The divisor was kept too large by `clamp`, which flattens rows of small numbers. It is to save "
                  "the row of zeros only: take something tiny, as 1e-30.",
                  "除数被 `clamp` 限制得太大，很小的行就被压扁了。它只是为了全零的行：取极小的数，如 1e-30。")
          for least in (0.001, 0.0005, 1e-4, 1e-5, 1e-6)),
        ), points=2, least=1e-9, results=("q", "s")),
    Exercise("3b.3", "training_gigabytes", ("frozen", "bytes_each", "trained"), training_gigabytes,
             Case((1e9, 2, 0)), _runs, (
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + BLOG * trained) / 1e9,
                "10 bytes a trained number, as the blog counts: its gradient and the copy in 32 bits are left out.",
                "按博客的算法，每个要学的数 10 个字节：漏了梯度和 32 位的那一份。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + 12 * trained) / 1e9,
                "12 bytes a trained number: something of weight, gradient, 32-bit copy and Adam's two moments is left "
                "out.",
                "每个要学的数 12 个字节：权重、梯度、32 位的一份、Adam 的两个矩，漏了其中一些。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + 8 * trained) / 1e9,
                "Of the trained numbers only Adam's moments are counted; they have weights and gradients too.",
                "要学的数只算了 Adam 的两个矩；它们还有权重和梯度。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + bytes_each * trained) / 1e9,
                "The trained numbers are counted like frozen ones. Each needs 16 bytes: a gradient and Adam's moments "
                "come with it.",
                "要学的数按冻结的算了。每个要 16 个字节：还有梯度和 Adam 的矩。"),
        Mistake(lambda frozen, bytes_each, trained: frozen * bytes_each / 1e9,
                "The trained numbers are missing.", "漏了要学的那些数。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + (MIXED + bytes_each) * trained) / 1e9,
                "The weights of what is trained are counted twice: the 16 bytes hold them already.",
                "要学的数，权重算了两遍：16 个字节里已经有了。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen + trained) * (MIXED if trained else bytes_each) / 1e9,
                "Frozen numbers are counted at 16 bytes. They take `bytes_each`: no gradient, no moments.",
                "冻结的数也按 16 个字节算了。它们每个只占 `bytes_each`：没有梯度，也没有矩。",
                (lambda frozen, bytes_each, trained: (frozen + trained) * MIXED / 1e9,
                 lambda frozen, bytes_each, trained: (frozen * (bytes_each + MIXED * bool(trained)) + MIXED * trained)
                 / 1e9)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + MIXED * trained) // 1e9,
                "The result is cut to whole gigabytes by `//`. Divide with `/`.",
                "结果被 `//` 截成了整数 GB。请用 `/` 来除。",
                (lambda frozen, bytes_each, trained: round((frozen * bytes_each + MIXED * trained) / 1e9),
                 lambda frozen, bytes_each, trained: int((frozen * bytes_each + MIXED * trained) / 1e9))),
        *(Mistake(lambda frozen, bytes_each, trained, digits=digits: round(
                      (frozen * bytes_each + MIXED * trained) / 1e9, digits),
                  "It is right but for rounding. Return the number itself; rounding is for printing.",
                  "除了四舍五入都对。请返回数本身；取几位小数是打印时的事。") for digits in (1, 2, 3)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * int(bytes_each) + MIXED * trained) / 1e9,
                "`bytes_each` was cut to a whole number. It may be a fraction, as 0.56 of nf4.",
                "`bytes_each` 被截成了整数。它可以是小数，nf4 就是 0.56。",
                (lambda frozen, bytes_each, trained: (frozen * round(bytes_each) + MIXED * trained) / 1e9,)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * max(bytes_each, 1) + MIXED * trained) / 1e9,
                "A frozen number takes at least one byte here. It may be less, as 0.56 of nf4.",
                "这里每个冻结的数至少算一个字节。它可以更少，nf4 就是 0.56。"),
        Mistake(lambda frozen, bytes_each, trained: frozen * bytes_each + MIXED * trained / 1e9,
                "Only the second heap is divided by 10⁹. Put both in brackets, then divide.",
                "只有第二堆除以了 10⁹。先用括号把两堆加起来，再除。"),
        Mistake(lambda frozen, bytes_each, trained: frozen * bytes_each / 1e9 + MIXED * trained,
                "Only the first heap is divided by 10⁹. Put both in brackets, then divide.",
                "只有第一堆除以了 10⁹。先用括号把两堆加起来，再除。"),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + MIXED * trained) / 1e9 if frozen else 0.0,
                "Where nothing is frozen, what learns still takes its 16 bytes.",
                "就算没有冻结的数，要学的数照样每个占 16 个字节。"),
        Mistake(lambda frozen, bytes_each, trained: bytes_each * (frozen + MIXED * trained) / 1e9,
                "`bytes_each` multiplies the trained numbers as well. It is for frozen ones; a trained one takes 16 "
                "bytes.",
                "`bytes_each` 也乘到了要学的数上。它只管冻结的数；要学的数每个占 16 个字节。"),
        Mistake(lambda frozen, bytes_each, trained: ((frozen - trained) * bytes_each + MIXED * trained) / 1e9,
                "The trained numbers were taken out of the frozen ones. `frozen` counts only those that do not learn.",
                "从冻结的数里减去了要学的数。`frozen` 本来就只算不学的那些。"),
        *(Mistake(lambda frozen, bytes_each, trained, each=each: (frozen * bytes_each + each * trained) / 1e9,
                  "Another number than 16 stands for what a trained number takes: weight 2, gradient 2, copy in 32 "
                  "bits 4, moments 8.",
                  "要学的数每个占 16 个字节，这里写成了别的数：权重 2、梯度 2、32 位的一份 4、矩 8。")
          for each in (14, 18, 20, 6, 4, 2, 1)),
        *(Mistake(lambda frozen, bytes_each, trained, unit=unit: (frozen * bytes_each + MIXED * trained) / unit,
                  "The unit is another one. A GB is 10⁹ bytes.", "单位不对。1 GB 是 10⁹ 字节。")
          for unit in (1, 1e3, 1e6, 2 ** 20, 8e9, 1000 * 2 ** 20, 1e6 * 2 ** 10)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + MIXED * trained) / 2**30,
                "These are GiB, 2^30 bytes. A GB is 10^9.", "这是 GiB，即 2^30 字节。1 GB 是 10^9 字节。"),
        Mistake(lambda frozen, bytes_each, trained: ((frozen + trained) * bytes_each + 14 * trained) / 1e9,
                "A trained number is counted at `bytes_each` and 14 more. It takes 16, whatever the frozen ones take.",
                "每个要学的数算成了 `bytes_each` 再加 14。不管冻结的数占多少，它都是 16 个字节。"),
        Mistake(lambda frozen, bytes_each, trained: max(frozen * bytes_each, MIXED * trained) / 1e9,
                "Only the larger of the two heaps is counted. Both stand in memory at the same time: add them.",
                "两堆里只算了大的一堆。两堆同时在内存里：要相加。"),
        Mistake(lambda frozen, bytes_each, trained: (MIXED * trained or frozen * bytes_each) / 1e9,
                "Where something learns, the frozen numbers are left out. Both stand in memory at the same time: add "
                "them.",
                "只要有要学的数，冻结的数就没有算。两堆同时在内存里：要相加。"),
        *(Mistake(lambda frozen, bytes_each, trained, more=more: more * (frozen * bytes_each + MIXED * trained) / 1e9,
                  "Something was added on top, for activations maybe. Here only the numbers themselves are counted.",
                  "结果上又加了一成或几成，也许是给激活值留的。这里只算这些数本身。")
          for more in (1.1, 1.2, 1.25, 1.5)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * (bytes_each + 2 * (trained > 0)) + 16 * trained) / 1e9,
                "Frozen parameters were given a gradient. They have none: only what learns has one.",
                "冻结的参数也算了梯度。它们没有梯度，只有参与训练的才有。",
                tuple(lambda frozen, bytes_each, trained, more=more: (frozen * (bytes_each + more) + 16 * trained) / 1e9
                      for more in (2, 4))),
        Mistake(lambda frozen, bytes_each, trained: frozen * bytes_each / 1e9 + 16 * trained / 2 ** 30,
                "The two heaps are divided by different numbers, one by 10⁹ and one by 2³⁰. A GB is 10⁹ bytes for "
                "both.",
                "两部分除以了不同的数，一个是 10⁹，一个是 2³⁰。都是 1 GB = 10⁹ 字节。",
                (lambda frozen, bytes_each, trained: frozen * bytes_each / 2 ** 30 + 16 * trained / 1e9,)),
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each if frozen else 16 * trained) / 1e9,
                "What learns is counted only where nothing is frozen. Both heaps stand in memory at the same time: add "
                "them.",
                "只有什么都没冻结时才算了参与训练的。两部分同时在显存里：要相加。"),
        ), points=1),
)
