"""The last lines of every gradient: a loss or a gradient that is not finite changes neither weights nor checkpoint."""

import copy
import math

import pytest
import torch
from torch.optim import SGD, Adam

from rlhf_kit.formulas.records import Comparison
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.loops.updates import update
from rlhf_kit.methods import classifier, reward_model, sft
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import Policy


def line(gradient: list[float]) -> torch.nn.Linear:
    """w = 0, with this gradient."""
    layer = torch.nn.Linear(len(gradient), 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    layer.weight.grad = torch.tensor([gradient])
    return layer


@pytest.mark.parametrize(("limit", "moved"), [(math.inf, [-3.0, -4.0]), (1.0, [-0.6, -0.8]), (10.0, [-3.0, -4.0])])
def test_the_step_and_the_norm_by_hand(limit, moved):
    """|(3, 4)| = 5; a gradient over the limit is scaled down to it, one below is left as it is."""
    layer = line([3.0, 4.0])
    assert update(layer, SGD(layer.parameters(), lr=1.0), limit, 0) == 5.0
    assert layer.weight[0].tolist() == pytest.approx(moved, abs=1e-5)


@pytest.mark.parametrize("gradient", [[1.0, math.nan], [math.inf, 1.0], [-math.inf, 1.0]])
def test_a_gradient_that_is_not_finite_takes_no_step(gradient):
    layer = line(gradient)
    optimizer = Adam(layer.parameters(), lr=1.0)
    with pytest.raises(CheckFailed, match=r"the gradient of step 8 is not finite, and the step was not taken: the "
                                          r"weights are those of step 7\. Cause: a score or a KL"):
        update(layer, optimizer, 1.0, 7)
    assert layer.weight.tolist() == [[0.0, 0.0]]
    assert not optimizer.state
    assert layer.weight.grad is None


def test_a_loss_that_is_not_finite_counts_though_its_gradient_is():
    layer = line([1.0, 1.0])
    with pytest.raises(CheckFailed, match=r"the loss of step 1 is inf, and the step was not taken.*Cause: too much."):
        update(layer, SGD(layer.parameters(), lr=1.0), 1.0, 0, loss=torch.tensor(math.inf), cause="too much.")
    assert layer.weight.tolist() == [[0.0, 0.0]]


def language_model(tokenizer):
    return Policy(tiny.language_model(tokenizer, layers=1, width=16, heads=2, context=48, seed=0), tokenizer,
                  value_head=False)


def loops(tokenizer, sentences):
    """Three steps of each method: (its model, its generator in a folder)."""
    lm, judge = language_model(tokenizer), tiny.classifier(tokenizer, layers=1, width=16, seed=0)
    ranker = tiny.reward_model(tokenizer, layers=1, width=16, seed=0)
    labelled = [(text, i % 2) for i, text in enumerate(sentences)]
    pairs = [Comparison("", text, text + " not") for text in sentences]
    return {"sft": (lm.lm, lambda where: sft.steps(lm, sentences, sft.Config(steps=3, batch_size=4), checkpoint=where,
                                                   checkpoint_every=1)),
            "classifier": (judge, lambda where: classifier.steps(judge, tokenizer, labelled,
                                                                 classifier.Config(steps=3, batch_size=4),
                                                                 checkpoint=where, checkpoint_every=1)),
            "reward_model": (ranker, lambda where: reward_model.steps(ranker, pairs,
                                                                      reward_model.Config(steps=3, batch_size=4),
                                                                      checkpoint=where, checkpoint_every=1))}


@pytest.mark.parametrize("name", ["sft", "classifier", "reward_model"])
def test_a_loop_that_overflows_stops_before_it_does_harm(tokenizer, sentences, tmp_path, name):
    """A NaN comes into the gradient of the third step; weights and checkpoint stay those of the second."""
    model, start = loops(tokenizer, sentences)[name]
    stream = start(tmp_path)
    next(stream), next(stream)
    weights, saved = copy.deepcopy(model.state_dict()), (tmp_path / "checkpoint.safetensors").read_bytes()
    next(model.parameters()).register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(CheckFailed, match=r"the gradient of step 3 is not finite.*the model has diverged. Start again"):
        next(stream)
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == saved
    assert not model.training
