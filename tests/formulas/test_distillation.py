"""Context distillation: the numbers of the fact sheet, a KL of few bins, and where gradients go."""

import math

import pytest
import torch

from rlhf_kit.formulas.distillation import binned, certain, context_distillation, likeliest
from rlhf_kit.formulas.distributions import exact_kl

ONE = torch.ones(1, 1, dtype=torch.bool)


def random_pair(v=200, seed=0, rows=6):
    noise = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(1, rows, v, generator=noise, dtype=torch.float64),
            2 * torch.randn(1, rows, v, generator=noise, dtype=torch.float64))


def loss(student, teacher, k, mask=None):
    ids = likeliest(teacher, k)
    mask = torch.ones(teacher.shape[:2], dtype=torch.bool) if mask is None else mask
    return context_distillation(binned(student, ids), binned(teacher, ids), mask)


def test_three_bins_by_hand():
    """p = (.5, .25, .15, .1) with two kept: bins (.5, .25, .25); q even: (.25, .25, .5). L = ½ ln 2 - ¼ ln 2."""
    teacher, student = torch.tensor([[[0.5, 0.25, 0.15, 0.1]]]).log(), torch.zeros(1, 1, 4)
    bins = binned(teacher, likeliest(teacher, 2))
    assert bins.exp()[0, 0].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert loss(student, teacher, 2).item() == pytest.approx(0.25 * math.log(2))


def test_a_bin_for_each_of_fifty_and_one_for_the_rest_sum_to_one():
    teacher, _ = random_pair()
    bins = binned(teacher.float(), likeliest(teacher, 50))
    assert bins.shape == (1, 6, 51)
    assert torch.allclose(bins.exp().sum(-1), torch.ones(1, 6), atol=1e-6)


def test_it_is_zero_only_where_the_bins_agree_and_never_negative():
    teacher, student = random_pair()
    assert loss(teacher + 3.0, teacher, 50).item() == pytest.approx(0, abs=1e-12)      # a shift of logits says nothing
    assert loss(student, teacher, 50) > 0.1
    swapped = teacher.clone()                               # the two rarest change places: the same last bin
    rare = teacher.topk(2, largest=False).indices
    swapped.scatter_(-1, rare, teacher.gather(-1, rare.flip(-1)))
    assert loss(swapped, teacher, 50).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_more_bins_tell_more_and_all_of_them_the_whole_kl(seed):
    """The data-processing inequality; with one token in the last bin nothing is lost."""
    teacher, student = random_pair(seed=seed)
    whole = exact_kl(teacher, student).mean().item()
    told = [loss(student, teacher, k).item() for k in (1, 5, 50, 150, 199)]
    assert told == sorted(told)
    assert told[2] < whole
    assert told[-1] == pytest.approx(whole, abs=1e-12)
    assert loss(student, teacher, 500).item() == pytest.approx(whole, abs=1e-12)       # fewer words than bins


def test_what_is_rare_is_not_rounded_away():
    """A rest of e^-40 in float32, where 1 - Σp is 0."""
    teacher = torch.tensor([[[0.0, -1.0, -40.0]]])
    assert binned(teacher, likeliest(teacher, 2))[0, 0, 2].item() == pytest.approx(-40 - math.log1p(math.exp(-1)))


def test_the_gradient_is_the_students_bins_minus_the_teachers_and_the_teacher_gets_none():
    """dL/dz of a named token is q - p; of one in the last bin q - p_rest · q/q_rest."""
    teacher = torch.tensor([[[0.5, 0.25, 0.15, 0.1]]], dtype=torch.float64).log().requires_grad_()
    student = torch.zeros(1, 1, 4, dtype=torch.float64, requires_grad=True)
    loss(student, teacher, 2).backward()
    assert teacher.grad is None
    assert student.grad[0, 0].tolist() == pytest.approx([-0.25, 0.0, 0.125, 0.125])


def test_what_stands_in_the_padding_reaches_nobody():
    teacher, student = random_pair(rows=2)
    mask = torch.tensor([[True, False]])
    alone = loss(student[:, :1], teacher[:, :1], 5)
    student[:, 1], teacher[:, 1] = math.nan, math.inf
    assert loss(student, teacher, 5, mask).item() == pytest.approx(alone.item())


@pytest.mark.parametrize(("call", "message"), [
    (lambda: likeliest(torch.zeros(1, 1, 4), 0), "k is 0"),
    (lambda: binned(torch.zeros(2, 1, 4), torch.zeros(1, 1, 2, dtype=torch.long)), "do not fit"),
    (lambda: context_distillation(torch.zeros(1, 1, 3), torch.zeros(1, 1, 2), ONE), "shape"),
    (lambda: context_distillation(torch.zeros(1, 1, 3), torch.zeros(1, 1, 3), ~ONE), "0 of 1 tokens")])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_where_one_token_is_certain_it_is_all_that_is_learnt():
    """Token 0, which the teacher names third, and token 4, which it does not name: L = -log q of it, L of the rest as
    it was."""
    teacher, student = torch.tensor([0.1, 0.25, 0.4, 0.2, 0.05]).log().expand(1, 3, 5), torch.zeros(1, 3, 5)
    ids = likeliest(teacher, 3)
    token, where = torch.tensor([[1, 0, 4]]), torch.tensor([[True, True, True]])
    bins, named = certain(binned(teacher, ids), ids, token, where)
    assert named[..., 0].tolist() == token.tolist()
    assert all(len(set(row)) == 3 for row in named[0].tolist())
    assert bins.exp().tolist() == [[[1, 0, 0, 0]] * 3]
    mask = torch.ones(1, 3, dtype=torch.bool)
    assert context_distillation(binned(student, named), bins, mask).item() == pytest.approx(math.log(5))
    bins, named = certain(binned(teacher, ids), ids, token, ~where)
    assert torch.equal(named, ids)
    assert torch.equal(bins, binned(teacher, ids))
