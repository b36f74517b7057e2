"""KTO: the first step by hand, what is learnt from labels alone, the reference point, resume, and every option."""

import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.formulas.records import Comparison, Labelled
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import kto
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, given_rollout, sample_rollout
from rlhf_kit.storage import StorageError

WORDS = ["lamp", "kettle", "bag", "chair", "pen", "sofa"]
LABELLED = [Labelled(f"the {word} is", response, good) for word in WORDS
            for response, good in ((" red.", True), (" very red.", True), (" blue and big.", False), (" green.", False))
            ]
QUICK = kto.Config(steps=4, batch_size=8, learning_rate=3e-3, warmup=2)


def new_policy(**options) -> Policy:
    tokenizer = text.train_tokenizer([one.prompt + one.response for one in LABELLED], 80)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=24), tokenizer, **options)


def run(config=QUICK, examples=LABELLED, policy=None, **options):
    policy = policy or new_policy()
    return policy, list(kto.steps(policy, policy.reference(), examples, config, **options))


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.lm.parameters()])


def gradient(config, policy=None):
    policy, taken = policy or new_policy(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kto, "update", lambda model, *_, **__: taken.append([p.grad.clone() for p in model.parameters()]))
        list(kto.steps(policy, policy.reference(), LABELLED, replace(config, steps=1)))
    return torch.cat([g.flatten() for g in taken[0]])


def test_the_first_step_by_hand():
    """Log-ratios and z are 0: the loss is half the mean weight, the gradient ∓λβ/4 · ∇ log π, averaged."""
    config = replace(QUICK, batch_size=len(LABELLED), beta=0.4, bad_weight=2.0)
    _, [step] = run(replace(config, steps=1))
    assert step.metrics["loss"] == pytest.approx(0.75, abs=1e-6)               # (1 + 2)/2 · 1/2
    assert step.metrics["reference_point"] == pytest.approx(0, abs=1e-6)
    policy, whole = new_policy(), 0.0
    for one in LABELLED:
        response = text.response_rows(policy.tokenizer, [one.response])[0]
        ids = torch.tensor([text.prompt_rows(policy.tokenizer, [one.prompt])[0] + response])
        mask = torch.ones_like(ids[:, :-1], dtype=torch.bool)
        logits = policy(ids[:, :-1], mask, keep=len(response)).logits
        logprob = logits.log_softmax(-1).gather(-1, torch.tensor(response)[None, :, None]).sum()
        whole = whole + (-1 if one.good else 2) * logprob
    by_hand = torch.autograd.grad(0.4 / 4 * whole / len(LABELLED), list(policy.lm.parameters()))
    assert torch.allclose(gradient(config), torch.cat([g.flatten() for g in by_hand]), atol=1e-6)


def test_it_tells_good_from_bad_and_reports_both_apart():
    policy, history = run(replace(QUICK, steps=25, beta=0.5))
    first, last = history[0].metrics, history[-1].metrics
    assert last["loss"] < first["loss"] - 0.2
    assert last["good_reward"] > 0 > last["bad_reward"]
    assert last["margin"] == pytest.approx(last["good_reward"] - last["bad_reward"], abs=1e-5)
    reward, good = kto.rewards_on(policy, new_policy(), [
        Labelled("the bag is", " very red.", True), Labelled("the pen is", " green.", False)], QUICK)
    assert reward[good] > reward[~good]


def test_the_reference_point_is_the_drift_on_responses_of_other_prompts():
    """By hand: eight rows in the order of their lengths, each prompt with the response four away."""
    policy, reference = new_policy(), new_policy()
    torch.manual_seed(0)
    with torch.no_grad():
        for p in policy.lm.parameters():
            p += 0.1 * torch.randn_like(p)
    batch = LABELLED[:8]
    mismatched = kto._mismatched(policy, batch, 24)
    pairs = [(one.prompt, batch[(i + 4) % 8].response) for i, one in enumerate(batch)]
    by_hand = [given_rollout(policy, [x], [y]).logprob.sum() - given_rollout(reference, [x], [y]).logprob.sum()
               for x, y in pairs]
    ours = kto._log_ratio(policy, reference, mismatched, QUICK)
    assert torch.allclose(ours, torch.stack(by_hand), atol=1e-4)


def test_a_prompt_with_a_longer_response_than_its_own_is_read_as_far_as_there_is_room():
    long = [Labelled("the lamp is " + "red " * 17, " big.", True), Labelled("the", " very red" * 9, False)]
    mismatched = kto._mismatched(new_policy(), long, 24)
    assert (mismatched.prompt_mask.sum(-1) + mismatched.length).max() <= 24
    assert mismatched.length.min() >= 1
    assert len(run(replace(QUICK, batch_size=2), long)[1]) == 4


def test_balanced_weights_make_both_kinds_weigh_alike():
    few = [one for one in LABELLED if one.good][:3] + [one for one in LABELLED if not one.good]
    config = kto.balanced(QUICK, few)
    assert (config.good_weight, config.bad_weight) == (4, 1)                    # 12 bad ones
    assert kto.balanced(QUICK, [replace(one, good=not one.good) for one in few]).bad_weight == 4
    assert kto.balanced(QUICK, LABELLED) == QUICK


# --- resume -----------------------------------------------------------------------------------------------------------

def test_a_run_cut_short_ends_with_the_same_numbers(tmp_path):
    config = replace(QUICK, steps=5)
    whole, history = run(config)
    first = new_policy()
    stream = kto.steps(first, first.reference(), LABELLED, config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):                                              # the third step is lost: saved after two
        next(stream)
    stream.close()
    second, resumed = run(config, checkpoint=tmp_path, checkpoint_every=2)
    drop = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]     # noqa: E731
    assert json.dumps(drop(resumed)) == json.dumps(drop(history))
    assert torch.equal(weights(second), weights(whole))


def test_turned_labels_are_another_run(tmp_path):
    run(checkpoint=tmp_path)
    with pytest.raises(StorageError, match="examples:"):
        run(examples=[replace(one, good=not one.good) for one in LABELLED], checkpoint=tmp_path)


def test_breaking_out_early_leaves_a_usable_policy_and_an_unmoved_reference():
    policy = new_policy()
    reference = policy.reference()
    start = weights(reference).clone()
    for _ in kto.steps(policy, reference, LABELLED, QUICK):
        break
    assert len(sample_rollout(policy, ["the lamp"], Sampling(max_new_tokens=4))) == 1
    assert torch.equal(weights(reference), start)


# --- options ----------------------------------------------------------------------------------------------------------

def test_a_batch_in_parts_gives_the_gradient_of_one():
    whole, parts = (gradient(replace(QUICK, micro_batch=n), policy=new_policy().double()) for n in (None, 3))
    assert (whole - parts).abs().max() < 1e-6 * whole.abs().max()


def test_autocast_and_checkpointed_activations_run():
    _, history = run(replace(QUICK, autocast="bfloat16", activation_checkpointing=True))
    assert all(math.isfinite(step.metrics["loss"]) for step in history)


def test_a_batch_of_one_kind_is_learnt_from_and_says_nothing_of_the_other():
    examples = [LABELLED[0]] * 1 + [one for one in LABELLED if not one.good]
    _, history = run(replace(QUICK, steps=6, batch_size=2), examples)
    assert any(math.isnan(step.metrics["good_reward"]) for step in history)
    assert all(math.isfinite(step.metrics["loss"]) for step in history)


def test_self_checks_stop_a_run_whose_reference_is_the_policy_itself():
    policy = new_policy()
    with pytest.raises(CheckFailed, match="share weights"):
        next(kto.steps(policy, policy, LABELLED, QUICK))


def test_every_reported_metric_is_explained():
    assert set(run(replace(QUICK, steps=1))[1][0].metrics) == set(kto.METRICS)


@pytest.mark.parametrize(("change", "message"), [
    ({"batch_size": 1}, "mismatched"), ({"beta": 0}, "beta is 0"),
    ({"beta": float("inf")}, "beta is inf"), ({"good_weight": -1}, "good_weight is -1"),
    ({"good_weight": 0, "bad_weight": 0}, "nor both 0"), ({"max_length": 0}, "max_length is 0")])
def test_bad_settings_are_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        kto.Config(**change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("examples", "message"), [
    ([], "all good, or all bad, or there are none"), ([one for one in LABELLED if one.good], "both kinds"),
    ([Comparison("a", "b", "c")], "Pairs are what dpo learns from")])
def test_bad_arguments_are_refused(examples, message):
    with pytest.raises(ValueError, match=message):
        run(examples=examples)


def test_responses_of_one_kind_that_are_all_too_long_are_told():
    """The bad ones do not fit, and without them every response is pushed up."""
    long = [one if one.good else replace(one, response=one.response * 20) for one in LABELLED]
    with pytest.raises(ValueError, match=r"the 12 responses that fit into 24 tokens.*12 are longer") as error:
        run(examples=long)
    assert "\n" not in str(error.value)
