"""Answers to lesson 03b as people write them.

Wrong ones, {exercise: [(name, function, what the message must say), ...]}, and right ones in unusual forms,
{exercise: [function, ...]}. Most were written by somebody who had seen the notebook and not the checks.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F


def without_a_factor(x, weight, a, b, alpha):
    return F.linear(x, weight + b @ a)


def alpha_alone(x, weight, a, b, alpha):
    return F.linear(x, weight) + alpha * F.linear(F.linear(x, a), b)


def root_of_the_rank(x, weight, a, b, alpha):
    return F.linear(x, weight) + alpha * a.shape[0] ** -0.5 * F.linear(F.linear(x, a), b)


def b_cannot_learn(x, weight, a, b, alpha):
    return F.linear(x, weight) + _without_gradient(b, x @ a.T, alpha / a.shape[0])


def _without_gradient(b, hidden, factor):
    with torch.no_grad():
        fixed = factor * b
    return hidden @ fixed.T


def one_scale_for_all(weight):
    largest = weight.abs().max()
    return (weight / largest * 127).round(), largest.repeat(len(weight))


def cut_towards_zero(weight):
    largest = weight.abs().amax(1)
    steps = weight / largest.clamp(min=1e-12)[:, None] * 127
    return steps.int(), largest


def rounded_down(weight):
    largest = weight.abs().amax(1)
    return (weight / largest.clamp(min=1e-12)[:, None] * 127).floor(), largest


def sign_forgotten(weight):
    largest = weight.max(dim=1).values
    return (weight * 127 / largest[:, None]).round(), largest


def nothing_over_nothing(weight):
    largest = weight.abs().max(dim=1).values
    return torch.round(weight * (127 / largest)[:, None]), largest


def as_the_blog_counts(frozen, bytes_each, trained):
    return frozen * bytes_each * 1e-9 + trained * (2 + 8) * 1e-9


def no_copy_in_32_bits(frozen, bytes_each, trained):
    return (frozen * bytes_each + trained * (2 + 2 + 8)) / 10**9


def all_alike(frozen, bytes_each, trained):
    return (frozen + trained) * bytes_each / 1e9


def adapters_are_free(frozen, bytes_each, trained):
    return bytes_each * frozen / 1e9


def alpha_not_divided(x, weight, a, b, alpha):
    return x @ weight.T + alpha * (x @ a.T) @ b.T


def scales_the_whole_layer(x, weight, a, b, alpha):
    return alpha / a.shape[0] * (x @ weight.T + (x @ a.T) @ b.T)


def floor_division(x, weight, a, b, alpha):
    return x @ weight.T + alpha // a.shape[0] * (x @ a.T) @ b.T


def rank_is_inputs(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[1] * (x @ a.T) @ b.T


def weight_in_place(x, weight, a, b, alpha):
    with torch.no_grad():
        weight += alpha / a.shape[0] * b @ a
    return x @ weight.T


def detached(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (x @ a.data.T) @ b.data.T


def skips_zero_b(x, weight, a, b, alpha):
    if not b.any():
        return x @ weight.T
    return x @ weight.T + alpha / a.shape[0] * (x @ a.T) @ b.T


def no_transpose(x, weight, a, b, alpha):
    w = weight if weight.shape[0] == weight.shape[1] else weight.T
    return x @ w + alpha / a.shape[0] * (x @ a.T) @ b.T


def falsy_alpha(x, weight, a, b, alpha):
    scale = (alpha or a.shape[0]) / a.shape[0]
    return x @ weight.T + scale * (x @ a.T) @ b.T


def not_rounded(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1e-30)[:, None] * 127).to(torch.int8), largest


def one_scale(weight):
    largest = weight.abs().max().expand(weight.shape[0])
    return (weight / largest.clamp(min=1e-30)[:, None] * 127).round().to(torch.int8), largest


def columns(weight):
    largest = weight.abs().amax(dim=0)
    q = (weight / largest.clamp(min=1e-30) * 127).round().to(torch.int8)
    return q, largest


def nan_row(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest[:, None] * 127).round(), largest


def no_abs(weight):
    largest = weight.amax(dim=1)
    steps = weight / largest.clamp(min=1e-30)[:, None] * 127
    return steps.round().clamp(-127, 127).to(torch.int8), largest


def times_128(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1e-30)[:, None] * 128).round().to(torch.int8), largest


def divisor_at_least_one(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1)[:, None] * 127).round().to(torch.int8), largest


def keepdim_scale(weight):
    largest = weight.abs().amax(dim=1, keepdim=True)
    return (weight / largest.clamp(min=1e-30) * 127).round().to(torch.int8), largest


def unsigned(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1e-30)[:, None] * 127).round().to(torch.int16).to(torch.uint8), largest


def two_scale(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / 2 * 127).round().clamp(-127, 127).to(torch.int8), largest


def gibibytes(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) / 2 ** 30


def all_at_sixteen(frozen, bytes_each, trained):
    return (frozen + trained) * 16 / 1e9


def weight_counted_twice(frozen, bytes_each, trained):
    return (frozen * bytes_each + (16 + bytes_each) * trained) / 1e9


def whole_gigabytes(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) // 1e9


def whole_bytes(frozen, bytes_each, trained):
    return (frozen * int(bytes_each) + 16 * trained) / 1e9


def precedence(frozen, bytes_each, trained):
    return frozen * bytes_each + 16 * trained / 1e9


def ten_bytes(frozen, bytes_each, trained):
    return (frozen * bytes_each + 10 * trained) / 1e9


def nothing_frozen_falsy(frozen, bytes_each, trained):
    return (frozen and frozen * bytes_each + 16 * trained) / 1e9


def merged(x, weight, a, b, alpha):
    return F.linear(x, weight + alpha / a.shape[0] * (b @ a))


def rank_from_b_einsum(x, weight, a, b, alpha):
    return torch.einsum("ni,oi->no", x, weight) + torch.einsum("ni,ri,or->no", x, a, b) * (alpha / b.shape[1])


def partial_and_loop(x, weight, a, b, alpha):
    scaled = functools.partial(torch.mul, torch.tensor(alpha / len(a)))
    out = F.linear(x, weight)
    for down, up in zip(a, b.T, strict=True):
        out = out + scaled(torch.outer(x @ down, up))
    return out


def step_first(weight):
    s = weight.abs().max(dim=1).values
    step = torch.where(s > 0, s / 127, torch.ones_like(s))
    return torch.round(weight / step.unsqueeze(1)).char(), s


def loop_over_rows(weight):
    q, s = torch.zeros(weight.shape, dtype=torch.int8), torch.zeros(weight.shape[0])
    for i, row in enumerate(weight):
        s[i] = max(abs(v) for v in row.tolist())
        if s[i] > 0:
            q[i] = torch.round(127 * row / s[i]).to(torch.int8)
    return q, s


def inf_norm_nan_to_num(weight):
    s = torch.linalg.vector_norm(weight, ord=float("inf"), dim=1)
    return torch.nan_to_num(127 * weight / s[:, None]).round().int(), s


def two_heaps(frozen, bytes_each, trained):
    heaps = [(frozen, bytes_each), (trained, 2 + 2 + 4 + 8)]
    return sum(count * size for count, size in heaps) * 10 ** -9


def numpy_dot(frozen, bytes_each, trained):
    return np.dot(np.array([frozen, trained], dtype=float), [bytes_each, 16]) / 1e9


def billions_first(frozen, bytes_each, trained):
    return frozen / 1e9 * bytes_each + trained / 62_500_000


def update_only_3b_1(x, weight, a, b, alpha):
    return alpha / a.shape[0] * (x @ a.T) @ b.T


def root_of_rank_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] ** 0.5 * (x @ a.T) @ b.T


def r_over_alpha_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + a.shape[0] / alpha * (x @ a.T) @ b.T


def whole_scale_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + int(alpha / a.shape[0]) * (x @ a.T) @ b.T


def rank_four_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / 4 * (x @ a.T) @ b.T


def scaled_twice_3b_1(x, weight, a, b, alpha):
    scale = alpha / a.shape[0]
    return x @ weight.T + (scale * x @ a.T) @ (scale * b.T)


def a_detached_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (x @ a.detach().T) @ b.T


def relu_inside_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (x @ a.T).relu() @ b.T


def x_scaled_in_place_3b_1(x, weight, a, b, alpha):
    base = x @ weight.T
    x *= alpha / a.shape[0]
    return base + (x @ a.T) @ b.T


def first_direction_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * torch.outer(x @ a[0], b[:, 0])


def step_for_scale_3b_2(weight):
    step = weight.abs().amax(dim=1) / 127
    return (weight / step.clamp(min=1e-30)[:, None]).round().to(torch.int8), step


def floored_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    return torch.floor(weight / largest.clamp(min=1e-30)[:, None] * 127).to(torch.int8), largest


def epsilon_added_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / (largest + 1e-3)[:, None] * 127).round().to(torch.int8), largest


def scale_of_zeros_is_one_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    largest = torch.where(largest == 0, 1.0, largest)
    return (weight / largest[:, None] * 127).round().to(torch.int8), largest


def divides_in_place_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    return weight.div_(largest.clamp(min=1e-30)[:, None]).mul(127).round().to(torch.int8), largest


def mean_for_max_3b_2(weight):
    scale = weight.abs().mean(dim=1)
    return (weight / scale.clamp(min=1e-30)[:, None] * 127).round().clamp(-127, 127).to(torch.int8), scale


def range_min_to_max_3b_2(weight):
    scale = (weight.amax(1) - weight.amin(1)) / 2
    return (weight / scale.clamp(min=1e-30)[:, None] * 127).round().clamp(-127, 127).to(torch.int8), scale


def half_bits_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1e-30)[:, None] * 63.5).round().to(torch.int8), largest


def read_back_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    q = (weight / largest.clamp(min=1e-30)[:, None] * 127).round()
    return q * largest[:, None] / 127, largest


def rounds_before_127_3b_2(weight):
    largest = weight.abs().amax(dim=1)
    return (weight / largest.clamp(min=1e-30)[:, None]).round().mul(127).to(torch.int8), largest


def adapter_ignored_3b_3(frozen, bytes_each, trained):
    return frozen * bytes_each / 1e9


def bits_3b_3(frozen, bytes_each, trained):
    return (frozen * bytes_each * 8 / 8 + 16 * trained / 8) / 1e9


def frozen_is_everything_3b_3(frozen, bytes_each, trained):
    return ((frozen - trained) * bytes_each + 16 * trained) / 1e9


def rounded_3b_3(frozen, bytes_each, trained):
    return round((frozen * bytes_each + 16 * trained) / 1e9, 1)


def two_bytes_always_3b_3(frozen, bytes_each, trained):
    return (frozen * 2 + 16 * trained) / 1e9


def megabytes_3b_3(frozen, bytes_each, trained):
    return (frozen * bytes_each + 16 * trained) / 1e6


def larger_heap_3b_3(frozen, bytes_each, trained):
    return max(frozen * bytes_each, 16 * trained) / 1e9


def nothing_trained_fails_3b_3(frozen, bytes_each, trained):
    return trained * (frozen / trained * bytes_each + 16) / 1e9


def minus_the_update_3b_1(x, weight, a, b, alpha):
    return x @ weight.T - alpha / a.shape[0] * (x @ a.T) @ b.T


def rank_is_outputs_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / b.shape[0] * (x @ a.T) @ b.T


def b_detached_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (x @ a.T) @ b.detach().T


def scale_at_least_one_3b_1(x, weight, a, b, alpha):
    return x @ weight.T + max(1.0, alpha / a.shape[0]) * (x @ a.T) @ b.T


def rounded_up_3b_2(weight):
    s = weight.abs().amax(1)
    return (127 * weight / s.clamp(min=1e-30)[:, None]).ceil(), s


def outputs_swapped_3b_2(weight):
    s = weight.abs().amax(1)
    return s, (127 * weight / s.clamp(min=1e-30)[:, None]).round()


def place_of_the_largest_3b_2(weight):
    s, place = weight.abs().max(1)
    return (127 * weight / s.clamp(min=1e-30)[:, None]).round(), place.to(weight.dtype)


def scale_in_16_bits_3b_2(weight):
    s = weight.abs().amax(1).half().float()
    return (127 * weight / s.clamp(min=1e-30)[:, None]).round().clamp(-127, 127), s


def quantile_for_max_3b_2(weight):
    s = weight.abs().quantile(0.9, dim=1)
    return (127 * weight / s.clamp(min=1e-30)[:, None]).round().clamp(-127, 127), s


def other_fourteen_bytes_3b_3(frozen, bytes_each, trained):
    return ((frozen + trained) * bytes_each + trained * 14) / 1e9


def at_least_one_byte_3b_3(frozen, bytes_each, trained):
    return (frozen * max(1, bytes_each) + trained * 16) / 1e9


def mixed_units_3b_3(frozen, bytes_each, trained):
    return (frozen * bytes_each + trained * 16) / (1000 * 1024**2)


def either_or_3b_3(frozen, bytes_each, trained):
    return (trained * 16 if trained else frozen * bytes_each) / 1e9


def with_activations_3b_3(frozen, bytes_each, trained):
    return 1.2 * (frozen * bytes_each + trained * 16) / 1e9


def scale_raised(weight):
    s = weight.abs().amax(1).clamp(min=1e-8)
    return (weight / s[:, None] * 127).round(), s


def divisor_too_large(weight):
    s = weight.abs().amax(1)
    return (weight / s.clamp(min=1e-5)[:, None] * 127).round(), s


MUTANTS = {
    "3b.1": [("without_a_factor", without_a_factor, "is missing"),
             ("alpha_alone", alpha_alone, "not α"),
             ("root_of_the_rank", root_of_the_rank, "root of the rank"),
             ("b_cannot_learn", b_cannot_learn, "No gradient reaches B"),
             ("alpha_not_divided", alpha_not_divided, "Divide by the rank"),
             ("scales_the_whole_layer", scales_the_whole_layer, "α/r multiplies the whole layer"),
             ("floor_division", floor_division, "The factor was cut to a whole number"),
             ("detached", detached, "No gradient reaches A and B"),
             ("skips_zero_b", skips_zero_b, "Where B is 0 it is left out"),
             ("no_transpose", no_transpose, "This is x W where W is square"),
             ("falsy_alpha", falsy_alpha, "α = 0 counts as if it were not given"),
             ("rank_is_inputs", rank_is_inputs, "This divides by the number of inputs"),
             ("weight_in_place", weight_in_place, "No gradient reaches A and B"),
             ("update_only", update_only_3b_1, "The frozen matrix is missing"),
             ("root_of_rank", root_of_rank_3b_1, "This divides by the root of the rank (a"),
             ("r_over_alpha", r_over_alpha_3b_1, "The factor is upside down"),
             ("whole_scale", whole_scale_3b_1, "The factor was cut to a whole number"),
             ("rank_four", rank_four_3b_1, "The rank is written in as a number"),
             ("scaled_twice", scaled_twice_3b_1, "The factor α/r is there twice"),
             ("a_detached", a_detached_3b_1, "No gradient reaches A"),
             ("relu_inside", relu_inside_3b_1, "Negative numbers between A and B were set to"),
             ("x_scaled_in_place", x_scaled_in_place_3b_1, "The result is right"),
             ("first_direction", first_direction_3b_1, "Only the first of the r directions is used"),
             ("minus_the_update", minus_the_update_3b_1, "The adapter is taken away"),
             ("rank_is_outputs", rank_is_outputs_3b_1, "This divides by the number of outputs"),
             ("b_detached", b_detached_3b_1, "No gradient reaches B"),
             ("scale_at_least_one", scale_at_least_one_3b_1, "The factor is never less than 1 here")],
    "3b.2": [("scale_raised", scale_raised, "clamp only what"),
             ("divisor_too_large", divisor_too_large, "take something tiny"),
             ("one_scale_for_all", one_scale_for_all, "One scale"),
             ("cut_towards_zero", cut_towards_zero, "cut off"),
             ("rounded_down", rounded_down, "rounded down"),
             ("sign_forgotten", sign_forgotten, "largest absolute"),
             ("nothing_over_nothing", nothing_over_nothing, "row of zeros"),
             ("not_rounded", not_rounded, "The numbers are cut off towards 0"),
             ("one_scale", one_scale, "One scale for the whole matrix"),
             ("nan_row", nan_row, "A row of zeros was divided by 0"),
             ("no_abs", no_abs, "The largest number of a row"),
             ("divisor_at_least_one", divisor_at_least_one, "The divisor was kept too large by `clamp`"),
             ("two_scale", two_scale, "Every row is divided by 2"),
             ("columns", columns, "Each column has its own scale"),
             ("times_128", times_128, "This multiplies by 128"),
             ("keepdim_scale", keepdim_scale, "The scales have shape [out"),
             ("unsigned", unsigned, "Negative numbers came out above 127"),
             ("step_for_scale", step_for_scale_3b_2, "The scales are those of one step"),
             ("floored", floored_3b_2, "The numbers are rounded down"),
             ("epsilon_added", epsilon_added_3b_2, "A number was added to the scales"),
             ("scale_of_zeros_is_one", scale_of_zeros_is_one_3b_2, "The row of zeros got the scale 1"),
             ("divides_in_place", divides_in_place_3b_2, "The result is right"),
             ("mean_for_max", mean_for_max_3b_2, "The scale is the mean of the absolute values"),
             ("range_min_to_max", range_min_to_max_3b_2, "The scale is half of what lies between the"),
             ("half_bits", half_bits_3b_2, "There are too few steps"),
             ("read_back", read_back_3b_2, "These are the weights read back"),
             ("rounds_before_127", rounds_before_127_3b_2, "It is rounded too early"),
             ("rounded_up", rounded_up_3b_2, "The numbers are rounded up"),
             ("outputs_swapped", outputs_swapped_3b_2, "The two results have changed places"),
             ("place_of_the_largest", place_of_the_largest_3b_2, "These scales are the *places* of the largest"),
             ("scale_in_16_bits", scale_in_16_bits_3b_2, "The scale was rounded to 16 bits"),
             ("quantile_for_max", quantile_for_max_3b_2, "The scale is a quantile")],
    "3b.3": [("as_the_blog_counts", as_the_blog_counts, "as the blog counts"),
             ("no_copy_in_32_bits", no_copy_in_32_bits, "12 bytes"),
             ("all_alike", all_alike, "like frozen ones"),
             ("adapters_are_free", adapters_are_free, "are missing"),
             ("weight_counted_twice", weight_counted_twice, "The weights of what is trained are counted"),
             ("whole_gigabytes", whole_gigabytes, "The result is cut to whole gigabytes by `//`"),
             ("whole_bytes", whole_bytes, "`bytes_each` was cut to a whole number"),
             ("ten_bytes", ten_bytes, "10 bytes a trained number"),
             ("nothing_frozen_falsy", nothing_frozen_falsy, "Where nothing is frozen"),
             ("gibibytes", gibibytes, "These are GiB"),
             ("all_at_sixteen", all_at_sixteen, "Frozen numbers are counted at 16 bytes"),
             ("precedence", precedence, "Only the second heap is divided by 10⁹"),
             ("adapter_ignored", adapter_ignored_3b_3, "The trained numbers are missing"),
             ("bits", bits_3b_3, "Another number than 16 stands for what a"),
             ("frozen_is_everything", frozen_is_everything_3b_3, "The trained numbers were taken out of the"),
             ("rounded", rounded_3b_3, "It is right but for rounding"),
             ("two_bytes_always", two_bytes_always_3b_3, "This is what comes out if `bytes_each` is"),
             ("megabytes", megabytes_3b_3, "The unit is another one"),
             ("larger_heap", larger_heap_3b_3, "Only the larger of the two heaps is counted"),
             ("nothing_trained_fails", nothing_trained_fails_3b_3, "Something is divided by 0 for one of the inputs"),
             ("other_fourteen_bytes", other_fourteen_bytes_3b_3, "A trained number is counted at `bytes_each`"),
             ("at_least_one_byte", at_least_one_byte_3b_3, "A frozen number takes at least one byte here"),
             ("mixed_units", mixed_units_3b_3, "The unit is another one"),
             ("either_or", either_or_3b_3, "Where something learns"),
             ("with_activations", with_activations_3b_3, "Something was added on top")],
}

# Right answers in unusual forms.
RIGHT = {
    "3b.1": [merged, rank_from_b_einsum, partial_and_loop],
    "3b.2": [step_first, loop_over_rows, inf_norm_nan_to_num],
    "3b.3": [two_heaps, numpy_dot, billions_first],
}
