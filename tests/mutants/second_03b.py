"""A second set of answers to lesson 03b, by people who saw nothing but the notebook: see `lesson_03b.py`."""

import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F


# ---------------------------------------------------------------- 3b.1 wrong
def lora_no_rank(x, weight, a, b, alpha):
    return x @ weight.T + alpha * (x @ a.T) @ b.T


def lora_root_of_rank(x, weight, a, b, alpha):
    return x @ weight.T + alpha / math.sqrt(a.shape[0]) * (x @ a.T) @ b.T


def lora_rank_is_out(x, weight, a, b, alpha):
    r = b.shape[0]
    return F.linear(x, weight) + alpha / r * F.linear(F.linear(x, a), b)


def lora_rank_is_in(x, weight, a, b, alpha):
    r = a.shape[-1]
    return x @ weight.T + (alpha / r) * (x @ a.T @ b.T)


def lora_weight_not_turned(x, weight, a, b, alpha):
    return x @ weight + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_integer_scale(x, weight, a, b, alpha):
    scale = int(alpha) // a.shape[0]
    return x @ weight.T + scale * (x @ a.T) @ b.T


def lora_all_scaled(x, weight, a, b, alpha):
    return alpha / a.shape[0] * (x @ weight.T + (x @ a.T) @ b.T)


def lora_zero_is_default(x, weight, a, b, alpha):
    alpha = alpha or a.shape[0]
    return x @ weight.T + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_writes_weight(x, weight, a, b, alpha):
    with torch.no_grad():
        weight += alpha / a.shape[0] * b @ a
    return x @ weight.T


def lora_b_fixed(x, weight, a, b, alpha):
    low = x @ a.T
    return x @ weight.T + alpha / a.shape[0] * low @ b.detach().T


def lora_a_fixed(x, weight, a, b, alpha):
    with torch.no_grad():
        low = x @ a.T
    return x @ weight.T + alpha / a.shape[0] * low @ b.T


def lora_numpy(x, weight, a, b, alpha):
    x, weight, a, b = (np.asarray(t.detach()) for t in (x, weight, a, b))
    return torch.from_numpy(x @ weight.T + alpha / len(a) * (x @ a.T) @ b.T)


def lora_scaled_twice(x, weight, a, b, alpha):
    scale = alpha / a.shape[0]
    down = scale * (x @ a.T)
    return x @ weight.T + scale * (down @ b.T)


def lora_mean_over_rank(x, weight, a, b, alpha):
    r = a.shape[0]
    ways = torch.stack([(x @ a[k])[:, None] * b[:, k] for k in range(r)])
    return x @ weight.T + alpha / r * ways.mean(0)


def lora_update_turned(x, weight, a, b, alpha):
    """W + scale * (B A)^T, which has the right shape for square layers only."""
    return x @ (weight + alpha / a.shape[0] * (b @ a).T).T if weight.shape[0] == weight.shape[1] else \
        x @ weight.T + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_dropout(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (F.dropout(x, 0.05) @ a.T) @ b.T


def lora_skips_fresh(x, weight, a, b, alpha):
    base = x @ weight.T
    if not b.any():
        return base                                    # nothing learned yet
    return base + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_relu(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * F.relu(x @ a.T) @ b.T


# ---------------------------------------------------------------- 3b.1 right
def lora_merged(x, weight, a, b, alpha):
    """Through the merged matrix; more memory, the same number."""
    return torch.addmm(weight, b, a, alpha=alpha / len(a)).matmul(x.mT).mT


def lora_one_direction_at_a_time(x, weight, a, b, alpha):
    y = torch.einsum("ni,oi->no", x, weight.detach())
    for down, up in zip(a.unbind(0), b.unbind(1), strict=False):
        y = y + torch.outer(x.mv(down), up) * (alpha / a.size(0))
    return y


# ---------------------------------------------------------------- 3b.2 helpers
def divided(weight, s):
    return weight / s.clamp(min=torch.finfo(weight.dtype).tiny)[:, None]


# ---------------------------------------------------------------- 3b.2 wrong
def quant_columns(weight):
    s = weight.abs().amax(dim=0)
    safe = torch.where(s == 0, torch.ones_like(s), s)
    return (127 * weight / safe).round(), s


def quant_one_scale(weight):
    s = weight.abs().max().expand(weight.shape[0])
    return (127 * divided(weight, s)).round(), s


def quant_cuts_off(weight):
    s = weight.abs().amax(1)
    return (127 * divided(weight, s)).to(torch.int8), s


def quant_floor(weight):
    s = weight.abs().amax(1)
    return torch.floor(127 * divided(weight, s)).clamp(-127, 127), s


def quant_largest_not_absolute(weight):
    s = weight.amax(dim=1)
    safe = torch.where(s == 0, torch.ones_like(s), s)
    return (127 * weight / safe[:, None]).round().clamp(-127, 127), s


def quant_signed_scale(weight):
    s = weight.gather(1, weight.abs().argmax(1, keepdim=True))[:, 0]
    safe = torch.where(s == 0, torch.ones_like(s), s)
    return torch.round(127 * weight / safe[:, None]), s


def quant_128(weight):
    s = weight.abs().amax(1)
    return (128 * divided(weight, s)).round().clamp(-128, 127), s


def quant_returns_step(weight):
    step = weight.abs().amax(1) / 127
    return divided(weight, step).round().clamp(-127, 127), step


def quant_zero_row_nan(weight):
    s = weight.abs().amax(dim=1)
    return (127 * weight / s[:, None]).round(), s


def quant_zero_matrix_only(weight):
    s = weight.abs().max(1).values
    if (s == 0).all():
        return torch.zeros_like(weight), s
    return (127 * weight / s[:, None]).round(), s


def quant_clamped_scale(weight):
    s = weight.abs().amax(1).clamp(min=1e-4)
    return (127 * weight / s[:, None]).round(), s


def quant_clamp_at_one(weight):
    s = weight.abs().amax(1)
    return (127 * weight / s.clamp(min=1.0)[:, None]).round(), s


def quant_epsilon(weight):
    s = weight.abs().amax(1)
    return (127 * weight / (s + 1e-4)[:, None]).round(), s


def quant_clamp_small(weight):
    s = weight.abs().amax(1)
    return (127 * weight / s.clamp(min=1e-3)[:, None]).round().to(torch.int8), s


def quant_rounds_first(weight):
    s = weight.abs().amax(1)
    return 127 * divided(weight, s).round(), s


def quant_keeps_dimension(weight):
    s = weight.abs().amax(1, keepdim=True)
    return (127 * weight / torch.where(s > 0, s, torch.ones_like(s))).round(), s


def quant_into_argument(weight):
    s = weight.abs().amax(1)
    weight.div_(s.clamp(min=1e-12)[:, None]).mul_(127).round_()
    return weight.clone(), s


def quant_half_added(weight):
    s = weight.abs().amax(1)
    return (127 * divided(weight, s) + 0.5).long(), s


def quant_zero_point(weight):
    low, high = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    span = (high - low).clamp(min=1e-12)
    return ((weight - low) / span * 254 - 127).round(), weight.abs().amax(1)


def quant_bytes_without_sign(weight):
    s = weight.abs().amax(1)
    return (127 * divided(weight, s)).round().abs().to(torch.uint8), s


def quant_not_rounded(weight):
    s = weight.abs().amax(1)
    return 127 * divided(weight, s), s


def quant_spread_instead(weight):
    """Absmax against outliers: three standard deviations at most."""
    s = weight.abs().amax(1)
    s = torch.minimum(s, 3 * weight.square().mean(1).sqrt())
    return (127 * divided(weight, s)).round().clamp(-127, 127), s


# ---------------------------------------------------------------- 3b.2 right
def quant_row_by_row(weight):
    rows, scales = [], []
    for row in weight:
        largest = max(row.max(), -row.min())
        rows.append(torch.floor(row * 127 / largest + 0.5) if largest > 0 else torch.zeros_like(row))
        scales.append(largest)
    return torch.stack(rows).to(torch.int8), torch.stack(scales)


def quant_nan_to_num(weight):
    s = torch.linalg.vector_norm(weight, ord=float("inf"), dim=-1)
    return torch.nan_to_num(weight / s.unsqueeze(-1)).mul(127).round().to(torch.int64), s


# ---------------------------------------------------------------- 3b.3 wrong
def gb_binary(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) / 2 ** 30


def gb_megabytes(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) / 1e6


def gb_twelve(frozen, bytes_each, trained):
    weight, gradient, moments = 2, 2, 8
    return (frozen * bytes_each + (weight + gradient + moments) * trained) / 1e9


def gb_weights_at_own_size(frozen, bytes_each, trained):
    weights = (frozen + trained) * bytes_each
    learning = trained * (2 + 4 + 8)
    return (weights + learning) / 1e9


def gb_trained_twice(frozen, bytes_each, trained):
    return ((frozen + trained) * bytes_each + 16 * trained) / 1e9


def gb_whole(frozen, bytes_each, trained):
    return float((frozen * bytes_each + 16 * trained) // 10 ** 9)


def gb_rounded(frozen, bytes_each, trained):
    return round((frozen * bytes_each + 16 * trained) / 1e9, 1)


def gb_trained_part_of_frozen(frozen, bytes_each, trained):
    return ((frozen - trained) * bytes_each + trained * 16) / 1e9


def gb_whole_bytes(frozen, bytes_each, trained):
    return (int(frozen) * int(bytes_each) + 16 * int(trained)) / 1e9


def gb_at_least_a_byte(frozen, bytes_each, trained):
    return sum(n * max(1, each) for n, each in ((frozen, bytes_each), (trained, 16))) / 1e9


def gb_larger_heap(frozen, bytes_each, trained):
    return max(frozen * bytes_each, 16 * trained) / 1e9


def gb_gradients_for_all(frozen, bytes_each, trained):
    gradients = 2 * frozen if trained else 0
    return (frozen * bytes_each + gradients + 16 * trained) / 1e9


def gb_bytes_for_both(frozen, bytes_each, trained):
    return (frozen + 16 * trained) * bytes_each / 1e9


def gb_no_frozen_no_memory(frozen, bytes_each, trained):
    if not frozen:
        return 0.0
    return bytes_each * frozen / 1e9 + 16 * trained / 1e9


def gb_brackets(frozen, bytes_each, trained):
    return frozen * bytes_each / 1e9 + 16 * trained / 2 ** 30


def gb_adapter_forgotten(frozen, bytes_each, trained):
    return (bytes_each * frozen if frozen else 16 * trained) / 1e9


# ---------------------------------------------------------------- 3b.3 right
def gb_dot(frozen, bytes_each, trained):
    return float(np.dot([frozen, trained], [bytes_each, 2 + 2 + 4 + 8])) * 1e-9


def gb_fractions(frozen, bytes_each, trained):
    return float((Fraction(frozen) * Fraction(bytes_each) + 16 * Fraction(trained)) / 10 ** 9)


MUTANTS = {
    "3b.1": [
        ("no_rank", lora_no_rank, "Divide by the rank: the factor is α/r, not"),
        ("root_of_rank", lora_root_of_rank, "This divides by the root of the rank (a"),
        ("rank_is_out", lora_rank_is_out, "This divides by the number of outputs. The"),
        ("rank_is_in", lora_rank_is_in, "This divides by the number of inputs. The"),
        ("weight_not_turned", lora_weight_not_turned, "This is x W where W is square. It is x Wᵀ:"),
        ("integer_scale", lora_integer_scale, "The factor was cut to a whole number, by"),
        ("all_scaled", lora_all_scaled, "α/r multiplies the whole layer. It belongs"),
        ("zero_is_default", lora_zero_is_default, "α = 0 counts as if it were not given. It"),
        ("writes_weight", lora_writes_weight, "No gradient reaches A and B. Both must"),
        ("b_fixed", lora_b_fixed, "No gradient reaches B. Both matrices learn;"),
        ("a_fixed", lora_a_fixed, "No gradient reaches A. Both matrices learn;"),
        ("numpy", lora_numpy, "No gradient reaches A and B. Both must"),
        ("scaled_twice", lora_scaled_twice, "The factor α/r is there twice. It belongs"),
        ("mean_over_rank", lora_mean_over_rank, "It is divided by the rank twice: α/r, and"),
        ("update_turned", lora_update_turned, "Where W is square the update is turned"),
        ("dropout", lora_dropout, ""),
        ("skips_fresh", lora_skips_fresh, "Where B is 0 it is left out, and then it"),
        ("relu", lora_relu, "Negative numbers between A and B were set"),
    ],
    "3b.2": [
        ("columns", quant_columns, "Each column has its own scale. Each *row*"),
        ("one_scale", quant_one_scale, "One scale for the whole matrix: a row of"),
        ("cuts_off", quant_cuts_off, "The numbers are cut off towards 0, as"),
        ("floor", quant_floor, "The numbers are rounded down. Round to the"),
        ("largest_not_absolute", quant_largest_not_absolute, "The largest number of a row was taken, and"),
        ("signed_scale", quant_signed_scale, "The scale has kept its sign. It is the"),
        ("128", quant_128, "This multiplies by 128, which does not fit"),
        ("returns_step", quant_returns_step, "The scales are those of one step, s/127."),
        ("zero_row_nan", quant_zero_row_nan, "A row of zeros was divided by 0. Keep the"),
        ("zero_matrix_only", quant_zero_matrix_only, "A row of zeros was divided by 0. Keep the"),
        ("clamped_scale", quant_clamped_scale, "For a row of zeros the divisor that saves"),
        ("clamp_at_one", quant_clamp_at_one, "The divisor was kept too large by `clamp`,"),
        ("epsilon", quant_epsilon, "A number was added to the scales, and that"),
        ("clamp_small", quant_clamp_small, "The divisor was kept too large by `clamp`,"),
        ("rounds_first", quant_rounds_first, "It is rounded too early: only multiplied by"),
        ("keeps_dimension", quant_keeps_dimension, "The scales have shape [out, 1], from"),
        ("into_argument", quant_into_argument, "The result is right, but your function"),
        ("half_added", quant_half_added, "0.5 was added and the rest cut off, which"),
        ("zero_point", quant_zero_point, "Each row was stretched from its least to"),
        ("bytes_without_sign", quant_bytes_without_sign, "The signs are lost. The absolute value is"),
        ("not_rounded", quant_not_rounded, "The numbers are not rounded. Wanted are"),
        ("spread_instead", quant_spread_instead, "The scale was capped where one number is"),
    ],
    "3b.3": [
        ("binary", gb_binary, "These are GiB, 2^30 bytes. A GB is 10^9."),
        ("megabytes", gb_megabytes, "The unit is another one. A GB is 10⁹ bytes."),
        ("twelve", gb_twelve, "12 bytes a trained number: something of"),
        ("weights_at_own_size", gb_weights_at_own_size, "A trained number is counted at `bytes_each`"),
        ("trained_twice", gb_trained_twice, "The weights of what is trained are counted"),
        ("whole", gb_whole, "The result is cut to whole gigabytes by"),
        ("rounded", gb_rounded, "It is right but for rounding. Return the"),
        ("trained_part_of_frozen", gb_trained_part_of_frozen, "The trained numbers were taken out of the"),
        ("whole_bytes", gb_whole_bytes, "`bytes_each` was cut to a whole number. It"),
        ("at_least_a_byte", gb_at_least_a_byte, "A frozen number takes at least one byte"),
        ("larger_heap", gb_larger_heap, "Only the larger of the two heaps is"),
        ("gradients_for_all", gb_gradients_for_all, "Frozen parameters were given a gradient"),
        ("bytes_for_both", gb_bytes_for_both, "`bytes_each` multiplies the trained numbers"),
        ("no_frozen_no_memory", gb_no_frozen_no_memory, "Where nothing is frozen, what learns still"),
        ("brackets", gb_brackets, "The two heaps are divided by different"),
        ("adapter_forgotten", gb_adapter_forgotten, "What learns is counted only where nothing"),
    ],
}
RIGHT = {
    "3b.1": [lora_merged, lora_one_direction_at_a_time],
    "3b.2": [quant_row_by_row, quant_nan_to_num],
    "3b.3": [gb_dot, gb_fractions],
}
