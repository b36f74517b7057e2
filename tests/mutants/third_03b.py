"""A third set of answers to lesson 03b, made up from the notebook alone: see `lesson_03b.py`."""

from fractions import Fraction

import numpy as np
import torch


# ---------------------------------------------------------------- 3b.1 wrong
def lora_rank_from_b_s_rows(x, weight, a, b, alpha):
    return x @ weight.T + alpha / b.shape[0] * (x @ a.T) @ b.T


def lora_rank_from_s_columns(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[1] * (x @ a.T) @ b.T


def lora_weight_scaled_too(x, weight, a, b, alpha):
    return alpha / a.shape[0] * (x @ weight.T + (x @ a.T) @ b.T)


def lora_only_update(x, weight, a, b, alpha):
    return alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_weight_not_transposed_square_matrices(x, weight, a, b, alpha):
    w = weight if weight.shape[0] == weight.shape[1] else weight.T
    return x @ w + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_base_dropped_alpha_0(x, weight, a, b, alpha):
    return (x @ weight.T if alpha else 0 * (x @ weight.T)) + alpha / a.shape[0] * (x @ a.T) @ b.T


def lora_update_subtracted(x, weight, a, b, alpha):
    return x @ weight.T - alpha / a.shape[0] * (x @ a.T) @ b.T


# ---------------------------------------------------------------- 3b.1 right
def lora_merged(x, weight, a, b, alpha):
    return torch.nn.functional.linear(x, weight + (alpha / len(a)) * (b @ a))


def lora_einsum(x, weight, a, b, alpha):
    return torch.einsum("ni,oi->no", x, weight) + torch.einsum("ni,ri,or->no", x, a, b) * alpha / b.size(1)


def lora_sum_over_directions(x, weight, a, b, alpha):
    out = x @ weight.T
    for k in range(a.shape[0]):
        out = out + alpha / a.shape[0] * torch.outer(x @ a[k], b[:, k])
    return out


# ---------------------------------------------------------------- 3b.2 wrong
def quantize_128_levels(weight):
    s = weight.abs().amax(1)
    return (weight / s.clamp(min=1e-30)[:, None] * 128).round().clamp(-128, 127).to(torch.int8), s


def quantize_largest_without_abs(weight):
    s = weight.amax(1)
    return (weight / s.clamp(min=1e-30)[:, None] * 127).round().clamp(-127, 127).to(torch.int8), s


def quantize_s_step(weight):
    s = weight.abs().amax(1)
    return (weight / s.clamp(min=1e-30)[:, None] * 127).round().to(torch.int8), s / 127


def quantize_scale_zero_row_1(weight):
    s = weight.abs().amax(1)
    s = torch.where(s == 0, 1.0, s)
    return (weight / s[:, None] * 127).round().to(torch.int8), s


def quantize_unsigned_zero_point(weight):
    low, high = weight.amin(1), weight.amax(1)
    s = (high - low).clamp(min=1e-30)
    return ((weight - low[:, None]) / s[:, None] * 254 - 127).round(), weight.abs().amax(1)


def quantize_uint8_wraps(weight):
    s = weight.abs().amax(1)
    return (weight / s.clamp(min=1e-30)[:, None] * 127).round().to(torch.int16).to(torch.uint8), s


def quantize_per_column(weight):
    s = weight.abs().amax(0)
    return (weight / s.clamp(min=1e-30) * 127).round().to(torch.int8), s


# ---------------------------------------------------------------- 3b.2 right
def quantize_loops(weight):
    q, s = [], []
    for row in weight.tolist():
        largest = max(abs(w) for w in row)
        s.append(largest)
        q.append([round(127 * w / largest) if largest else 0 for w in row])
    return torch.tensor(q), torch.tensor(s)


def quantize_floor_half_more_int32_float64(weight):
    w = weight.double()
    s = torch.linalg.vector_norm(w, ord=float("inf"), dim=1)
    steps = torch.where(s > 0, 127 / s, 0.0)
    return (w * steps[:, None] + 0.5).floor().clamp(-127, 127).int(), s


def quantize_nan_num_floats_whole_numbers(weight):
    s = torch.max(-weight.amin(1), weight.amax(1))
    return [(127 * weight / s[:, None]).nan_to_num(0.0).round().long(), s]


# ---------------------------------------------------------------- 3b.3 wrong
def gigabytes_2_30(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) / 2 ** 30


def gigabytes_bytes_each_all(frozen, bytes_each, trained):
    return (frozen + trained) * bytes_each / 1e9


def gigabytes_trained_16_bytes_on_top(frozen, bytes_each, trained):
    return ((frozen + trained) * bytes_each + 16 * trained) / 1e9


def gigabytes_whole_division(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) // 1e9


def gigabytes_16_bits(frozen, bytes_each, trained):
    return (frozen * bytes_each + 2 * trained) / 1e9


def gigabytes_rounded(frozen, bytes_each, trained):
    return round((frozen * bytes_each + 16 * trained) / 1e9, 1)


def gigabytes_frozen_count_includes_trained(frozen, bytes_each, trained):
    return ((frozen - trained) * bytes_each + 16 * trained) / 1e9


# ---------------------------------------------------------------- 3b.3 right
def gigabytes_two_heaps(frozen, bytes_each, trained):
    return sum(n * size for n, size in ((frozen, bytes_each), (trained, 2 + 2 + 4 + 8))) * 1e-9


def gigabytes_fractions(frozen, bytes_each, trained):
    return float((Fraction(frozen) * Fraction(bytes_each) + 16 * Fraction(trained)) / 10 ** 9)


def gigabytes_numpy_dot(frozen, bytes_each, trained):
    return np.dot([frozen, trained], [bytes_each, 16.0]) / 1e9


MUTANTS = {
    "3b.1": [
        ("lora_rank_from_b_s_rows", lora_rank_from_b_s_rows, "This divides by the number of outputs. The rank is the"),
        ("lora_rank_from_s_columns", lora_rank_from_s_columns, "This divides by the number of inputs. The rank is the"),
        ("lora_weight_scaled_too", lora_weight_scaled_too, "α/r multiplies the whole layer. It belongs to the"),
        ("lora_only_update", lora_only_update, "The frozen matrix is missing: an adapter is added to"),
        ("lora_weight_not_transposed_square_matrices", lora_weight_not_transposed_square_matrices,
         "This is x W where W is square. It is x Wᵀ: the rows of"),
        ("lora_base_dropped_alpha_0", lora_base_dropped_alpha_0,
         "Right on 12 of 13 cases, and wrong only here: α = 0:"),
        ("lora_update_subtracted", lora_update_subtracted, "The adapter is taken away. It is added."),
    ],
    "3b.2": [
        ("quantize_128_levels", quantize_128_levels, "This multiplies by 128, which does not fit into a"),
        ("quantize_largest_without_abs", quantize_largest_without_abs,
         "The largest number of a row, and not the largest"),
        ("quantize_s_step", quantize_s_step, "The scales are those of one step, s/127. Hand out the"),
        ("quantize_scale_zero_row_1", quantize_scale_zero_row_1,
         "The row of zeros got the scale 1. Divide by 1 there,"),
        ("quantize_unsigned_zero_point", quantize_unsigned_zero_point,
         "Each row was stretched from its least to its greatest"),
        ("quantize_uint8_wraps", quantize_uint8_wraps, "Negative numbers came out above 127: an unsigned byte"),
        ("quantize_per_column", quantize_per_column, "Each column has its own scale. Each *row* is to have"),
    ],
    "3b.3": [
        ("gigabytes_2_30", gigabytes_2_30, "These are GiB, 2^30 bytes. A GB is 10^9."),
        ("gigabytes_bytes_each_all", gigabytes_bytes_each_all,
         "The trained numbers are counted like frozen ones. Each"),
        ("gigabytes_trained_16_bytes_on_top", gigabytes_trained_16_bytes_on_top,
         "The weights of what is trained are counted twice: the"),
        ("gigabytes_whole_division", gigabytes_whole_division, "The result is cut to whole gigabytes by `//`. Divide"),
        ("gigabytes_16_bits", gigabytes_16_bits, "Another number than 16 stands for what a trained"),
        ("gigabytes_rounded", gigabytes_rounded, "It is right but for rounding. Return the number"),
        ("gigabytes_frozen_count_includes_trained", gigabytes_frozen_count_includes_trained,
         "The trained numbers were taken out of the frozen ones."),
    ],
}

RIGHT = {
    "3b.1": [lora_merged, lora_einsum, lora_sum_over_directions],
    "3b.2": [quantize_loops, quantize_floor_half_more_int32_float64, quantize_nan_num_floats_whole_numbers],
    "3b.3": [gigabytes_two_heaps, gigabytes_fractions, gigabytes_numpy_dot],
}
