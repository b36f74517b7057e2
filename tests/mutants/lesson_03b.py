"""Wrong answers to lesson 03b as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape and agrees with the worked example of the check, so only the other cases can tell.
"""

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


MUTANTS = {
    "3b.1": [("without_a_factor", without_a_factor, "is missing"), ("alpha_alone", alpha_alone, "not α"),
             ("root_of_the_rank", root_of_the_rank, "root of the rank"),
             ("b_cannot_learn", b_cannot_learn, "No gradient reaches B")],
    "3b.2": [("one_scale_for_all", one_scale_for_all, "One scale"), ("cut_towards_zero", cut_towards_zero, "cut off"),
             ("rounded_down", rounded_down, "rounded down"), ("sign_forgotten", sign_forgotten, "largest absolute"),
             ("nothing_over_nothing", nothing_over_nothing, "row of zeros")],
    "3b.3": [("as_the_blog_counts", as_the_blog_counts, "as the blog counts"),
             ("no_copy_in_32_bits", no_copy_in_32_bits, "12 bytes"), ("all_alike", all_alike, "like frozen ones"),
             ("adapters_are_free", adapters_are_free, "are missing")],
}
