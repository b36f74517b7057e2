"""Averaged weights: by hand, their half-life, and that nothing but what learns is averaged."""

import pytest
import torch
from torch import nn

from rlhf_kit.loops.averages import WeightAverage


def one_weight(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(value)
    return model


def test_by_hand():
    """0 → 1 → 1: ¾·0 + ¼·1 = ¼, then ¾·¼ + ¼·1 = 7/16."""
    model = one_weight(0.0)
    average = WeightAverage(model, 0.75)
    seen = []
    for _ in range(2):
        model.weight.data.fill_(1.0)
        average.update()
        seen.append(average.mean[0].item())
    assert seen == [0.25, 0.4375]
    assert model.weight.item() == 1.0                                   # looked at, not touched
    average.settle()
    assert model.weight.item() == 0.4375


def test_of_a_constant_error_decay_to_the_n_is_left():
    model = one_weight(0.0)
    average = WeightAverage(model, 0.992)
    model.weight.data.fill_(1.0)
    for _ in range(200):
        average.update()
    assert 1 - average.mean[0].item() == pytest.approx(0.992 ** 200, rel=1e-4)


def test_frozen_weights_are_left_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    average = WeightAverage(model, 0.5)
    assert [tuple(mean.shape) for mean in average.mean] == [(1, 2), (1,)]
    average.settle()
    assert torch.equal(model[0].weight, before)
