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
            case(4, 5, 3, 4, 2.0, "more inputs than outputs"), case(1, 2, 6, 3, 32.0, "more outputs than inputs"),
            case(3, 4, 4, 2, 1.0)]


def _matrices(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((torch.tensor([[1.0, -0.5, 0.3], [0.02, 0.01, -0.005]]),), "a large row and a small one"),
            Case((torch.tensor([[-2.0, 1.0, 0.5]]),), "the largest is negative"),
            Case((torch.tensor([[0.0, 0.0], [3.0, -1.0]]),), "a row of zeros"),
            Case((torch.tensor([[5.0]]),), "one number"),
            *(Case((torch.randn(n, 6, generator=g) * torch.rand(n, 1, generator=g),), "random") for n in (2, 4, 5))]


def _runs(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    return [Case((0, 2, 7e9), "all of LLaMA-7B learns"), Case((7e9, 1, 40e6), "int8, LoRA of rank 16 everywhere"),
            Case((7e9, 2, 8_388_608), "bf16, LoRA on q and v"), Case((65e9, 0.5, 200e6), "65B in nf4"),
            *(Case((float(torch.randint(1, 70, (), generator=g)) * 1e9, 1, float(torch.randint(1, 500, (), generator=g))
                    * 1e6), "random") for _ in range(3))]


def _scaled(scale, about: str, zh: str) -> Mistake:
    return Mistake(lambda x, weight, a, b, alpha: x @ weight.T + scale(alpha, a) * (x @ a.T) @ b.T, about, zh)


def _grid(weight: Tensor, largest: Tensor, rounded=torch.round) -> tuple[Tensor, Tensor]:
    """As it should be, but for what the largest numbers are and how it is rounded."""
    return rounded(weight / largest.clamp(min=1e-30)[:, None] * 127), largest


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
        ), points=2),
    Exercise("3b.2", "quantize_rows", ("weight",), quantize_rows,
             Case((torch.tensor([[2.0, 0.0, -2.0], [0.0, 2.0, 2.0]]),)), _matrices, (
        Mistake(lambda weight: _grid(weight, weight.abs().max().expand(len(weight))),
                "One scale for the whole matrix: a row of small numbers is left with a few steps, or none. Give each "
                "row its own.",
                "整个矩阵只用了一个尺度：数小的那一行只剩下几级，甚至一级不剩。每行要有自己的尺度。"),
        Mistake(lambda weight: _grid(weight, weight.abs().amax(1), torch.trunc),
                "The numbers are cut off towards 0. Round to the nearest: half the error, and none in one direction.",
                "数被朝 0 截掉了。要取最近的整数：误差小一半，也不会总偏向一边。"),
        Mistake(lambda weight: _grid(weight, weight.abs().amax(1), torch.floor),
                "The numbers are rounded down. Round to the nearest: half the error, and none in one direction.",
                "数都向下取整了。要取最近的整数：误差小一半，也不会总偏向一边。"),
        Mistake(lambda weight: _grid(weight, weight.amax(1)),
                "The largest number of a row, and not the largest absolute value: a row whose largest is negative "
                "leaves the range from -127 to 127.",
                "取了每行最大的数，而不是最大的绝对值：最大的是负数时，结果会超出 -127 到 127。"),
        Mistake(lambda weight: ((127 * weight / weight.amax(1)[:, None]).round(), weight.amax(1)),
                "The largest number of a row, and not the largest absolute value: a row whose largest is negative "
                "leaves the range from -127 to 127.",
                "取了每行最大的数，而不是最大的绝对值：最大的是负数时，结果会超出 -127 到 127。"),
        Mistake(lambda weight: ((127 * weight / weight.abs().amax(1)[:, None]).round(), weight.abs().amax(1)),
                "A row of zeros was divided by 0. Keep the divisor above 0; the whole numbers are then 0.",
                "全是 0 的一行被 0 除了。让除数大于 0，得到的整数就是 0。"),
        Mistake(lambda weight: _grid(weight * 128 / 127, weight.abs().amax(1)),
                "128 does not fit into a signed byte, which ends at 127.", "128 放不进一个有符号字节，它最大到 127。"),
        Mistake(lambda weight: (weight, weight.abs().amax(1)),
                "These are the weights themselves. Wanted are whole numbers from -127 to 127, and the scales.",
                "这就是权重本身。要的是 -127 到 127 的整数，以及各行的尺度。"),
        Mistake(lambda weight: (quantize_rows(weight)[0], quantize_rows(weight)[1] / 127),
                "The scales are those of one step, s/127. Hand out the largest absolute value itself.",
                "给出的是一级的大小 s/127。要给的是最大的绝对值本身。"),
        ), points=2),
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
        Mistake(lambda frozen, bytes_each, trained: (frozen * bytes_each + MIXED * trained) / 2**30,
                "These are GiB, 2^30 bytes. A GB is 10^9.", "这是 GiB，即 2^30 字节。1 GB 是 10^9 字节。"),
        ), points=1),
)
