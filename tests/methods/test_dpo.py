"""DPO, IPO and online DPO: the first gradient by hand, what is learnt, where IPO stops, resume, and every option."""

import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.formulas.records import Comparison
from rlhf_kit.loops.batches import draw_by_length
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import dpo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, given_rollout, sample_rollout
from rlhf_kit.storage import StorageError

WORDS = ["lamp", "kettle", "bag", "chair", "pen", "sofa"]
PROMPTS = [f"the {word} is" for word in WORDS]
PAIRS = [Comparison(prompt, better, worse) for prompt in PROMPTS
         for better, worse in ((" red.", " blue."), (" very red.", " green."), (" red and big.", " blue and big."))]
QUICK = dpo.Config(steps=4, batch_size=6, learning_rate=3e-3, warmup=2)
ONLINE = replace(QUICK, sampling=Sampling(max_new_tokens=6))


def new_policy(**options) -> Policy:
    tokenizer = text.train_tokenizer([one.prompt + a for one in PAIRS for a in (one.chosen, one.rejected)], 80)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=24), tokenizer, **options)


def run(config=QUICK, examples=PAIRS, policy=None, **options):
    policy = policy or new_policy()
    return policy, list(dpo.steps(policy, policy.reference(), examples, config, **options))


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.lm.parameters()])


def gradient(config, policy=None, examples=PAIRS):
    policy, taken = policy or new_policy(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dpo, "update", lambda model, *_, **__: taken.append([p.grad.clone() for p in model.parameters()]))
        list(dpo.steps(policy, policy.reference(), examples, replace(config, steps=1)))
    return torch.cat([g.flatten() for g in taken[0]])


def log_ratio(policy, reference, pair, side):
    both = [given_rollout(one, [pair.prompt], [getattr(pair, side)]).logprob.sum() for one in (policy, reference)]
    return (both[0] - both[1]).item()


def reds(prompts, responses):
    return [float("red" in r) for r in responses]


def test_the_first_step_by_hand():
    """Log-ratios are 0: the loss is ln 2, and the gradient -β/2 · ∇ (log π(chosen) - log π(rejected)), averaged."""
    policy = new_policy()
    lengths = dpo.fit(policy, PAIRS, QUICK).lengths
    batch = [PAIRS[i] for i in draw_by_length(lengths, 6, 0, 0)]
    whole = 0.0
    for pair in batch:
        for side, sign in ((pair.chosen, 1), (pair.rejected, -1)):
            ids = torch.tensor([text.prompt_rows(policy.tokenizer, [pair.prompt])[0]
                                + text.response_rows(policy.tokenizer, [side])[0]])
            n = len(text.response_rows(policy.tokenizer, [side])[0])
            logits = policy(ids[:, :-1], torch.ones_like(ids[:, :-1], dtype=torch.bool), keep=n).logits
            whole = whole + sign * logits.log_softmax(-1).gather(-1, ids[:, -n:, None]).sum()
    by_hand = torch.autograd.grad(-QUICK.beta / 2 * whole / 6, list(policy.lm.parameters()))
    assert torch.allclose(gradient(QUICK), torch.cat([g.flatten() for g in by_hand]), atol=1e-6)
    first = run(replace(QUICK, steps=1))[1][0].metrics
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert (first["chosen_reward"], first["rejected_reward"]) == pytest.approx((0, 0), abs=1e-6)
    assert first["accuracy"] == pytest.approx(0.5, abs=0.51)                     # ties but for rounding


@pytest.mark.parametrize("loss", ["dpo", "ipo", "robust"])
def test_every_loss_tells_better_from_worse_and_reports_both_apart(loss):
    config = replace(QUICK, steps=30, loss=loss, beta=0.5, label_smoothing=0.1 if loss == "robust" else 0.0)
    policy, history = run(config)
    first, last = history[0].metrics, history[-1].metrics
    assert last["accuracy"] == 1
    assert last["loss"] < first["loss"]
    assert last["margin"] == pytest.approx(last["chosen_reward"] - last["rejected_reward"], abs=1e-5)
    assert last["rejected_logprob"] < first["rejected_logprob"] - 1
    held_out = dpo.loss_on(policy, new_policy(), [Comparison("the bag is", " very red.", " blue and big.")], config)
    assert held_out["accuracy"] == 1


def test_what_is_measured_afterwards_is_what_the_step_reported():
    """A batch of all pairs: `loss_on` before the update says what the first step says."""
    config = replace(QUICK, steps=1, batch_size=len(PAIRS))
    _, [step] = run(config)
    before = dpo.loss_on(new_policy(), new_policy(), PAIRS, replace(config, micro_batch=5))
    for name in ("loss", "chosen_logprob", "rejected_logprob"):
        assert before[name] == pytest.approx(step.metrics[name], abs=1e-4)


def test_ipo_stops_at_its_margin_and_dpo_goes_on():
    """One pair that always goes one way, β = .25: IPO's Δ ends at 1/(2β) = 2 nats, DPO's beyond it."""
    pair, config = PAIRS[0], replace(QUICK, steps=60, batch_size=1, beta=0.25, learning_rate=4e-3)
    ended = {}
    for loss in ("ipo", "dpo"):
        policy = new_policy()
        reference = policy.reference()
        dpo.train(policy, reference, [pair], replace(config, loss=loss))
        ended[loss] = log_ratio(policy, reference, pair, "chosen") - log_ratio(policy, reference, pair, "rejected")
    assert ended["ipo"] == pytest.approx(2, abs=0.1)
    assert ended["dpo"] > 8


def test_per_token_the_margin_is_one_of_means():
    pair, config = PAIRS[2], replace(QUICK, steps=60, batch_size=1, beta=2.0, loss="ipo", per_token=True)
    policy = new_policy()
    reference = policy.reference()
    dpo.train(policy, reference, [pair], config)
    chosen, rejected = (log_ratio(policy, reference, pair, side) / int(given_rollout(
        policy, [pair.prompt], [getattr(pair, side)]).length) for side in ("chosen", "rejected"))
    assert chosen - rejected == pytest.approx(0.25, abs=0.02)


# --- online -----------------------------------------------------------------------------------------------------------

def test_online_it_learns_to_say_what_is_rewarded_and_says_how_far_it_went():
    config = replace(ONLINE, steps=25, batch_size=16, learning_rate=5e-3, beta=0.05)
    _, history = run(config, PROMPTS, reward=reds, evaluation_rewards={"length": lambda p, r: [len(x) for x in r]})
    assert history[-1].metrics["score"] > history[0].metrics["score"] + 0.3
    assert history[0].metrics["kl"] == pytest.approx(0, abs=1e-5)
    assert history[-1].metrics["kl"] > 0.5
    assert history[0].samples
    assert history[0].metrics["length"] > 0


def test_the_best_and_the_worst_of_several_make_the_pair_and_ties_make_none():
    chosen, rejected = dpo._best_and_worst(torch.tensor([1.0, 3, 2, 5, 5, 5, 0, 0, 1]), 3)
    assert (chosen.tolist(), rejected.tolist()) == ([1, 8], [0, 6])


def test_where_all_answers_tie_nothing_is_learnt_and_that_is_counted():
    policy = new_policy()
    start = weights(policy).clone()
    _, history = run(replace(ONLINE, steps=2), PROMPTS, policy=policy, reward=lambda p, r: [1.0] * len(r))
    assert [(s.metrics["skipped"], s.metrics["minibatches"]) for s in history] == [(1, 0)] * 2
    assert torch.equal(weights(policy), start)


# --- resume -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("online", [False, True])
def test_a_run_cut_short_ends_with_the_same_numbers(tmp_path, online):
    given = {"examples": PROMPTS, "reward": reds} if online else {}
    config = replace(ONLINE, steps=5)
    whole, history = run(config, **given)
    first = new_policy()
    stream = dpo.steps(first, first.reference(), given.get("examples", PAIRS), config, reward=given.get("reward"),
                       checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):                                              # the third step is lost: saved after two
        next(stream)
    stream.close()
    second, resumed = run(config, checkpoint=tmp_path, checkpoint_every=2, **given)
    drop = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]     # noqa: E731
    assert json.dumps(drop(resumed)) == json.dumps(drop(history))
    assert torch.equal(weights(second), weights(whole))


def test_other_pairs_are_another_run(tmp_path):
    run(checkpoint=tmp_path)
    with pytest.raises(StorageError, match="examples:"):
        run(examples=PAIRS[1:], checkpoint=tmp_path)


def test_breaking_out_early_leaves_a_usable_policy_and_an_unmoved_reference():
    policy = new_policy()
    reference = policy.reference()
    start = weights(reference).clone()
    for _ in dpo.steps(policy, reference, PAIRS, QUICK):
        break
    assert len(sample_rollout(policy, PROMPTS[:2], Sampling(max_new_tokens=4))) == 2
    assert torch.equal(weights(reference), start)


# --- options ----------------------------------------------------------------------------------------------------------

def test_a_batch_in_parts_gives_the_gradient_of_one():
    """In float64; the parts are of pairs, for a pair cannot be taken apart."""
    whole, parts = (gradient(replace(QUICK, micro_batch=n), policy=new_policy().double()) for n in (None, 2))
    assert (whole - parts).abs().max() < 1e-6 * whole.abs().max()


def test_a_larger_beta_holds_the_policy_closer():
    def drift(beta):
        policy = new_policy()
        reference = policy.reference()
        dpo.train(policy, reference, PAIRS, replace(QUICK, steps=25, beta=beta, label_smoothing=0.2))
        return max(abs(log_ratio(policy, reference, pair, "rejected")) for pair in PAIRS[:4])
    assert drift(2.0) < drift(0.1) / 2


def test_pairs_that_are_too_long_are_left_out_and_counted():
    long = Comparison("the lamp is", " red" * 30, " blue.")
    fit = dpo.fit(new_policy(), [*PAIRS, long], QUICK)
    assert (len(fit.places), fit.left_out, fit.limit) == (len(PAIRS), 1, 24)
    assert run(examples=[*PAIRS, long])[1][0].metrics["loss"] == pytest.approx(math.log(2), abs=1e-6)
    with pytest.raises(ValueError, match=r"none of the pairs \(1\) fits into 24 tokens; the shortest has"):
        run(examples=[long])


def test_autocast_and_checkpointed_activations_run():
    _, history = run(replace(QUICK, autocast="bfloat16", activation_checkpointing=True))
    assert all(math.isfinite(step.metrics["loss"]) for step in history)


def test_self_checks_stop_a_run_whose_reference_is_the_policy_itself():
    policy = new_policy()
    with pytest.raises(CheckFailed, match="share weights"):
        next(dpo.steps(policy, policy, PAIRS, QUICK))


def test_every_reported_metric_is_explained():
    assert set(run(replace(QUICK, steps=1))[1][0].metrics) == set(dpo.METRICS)
    online = run(replace(ONLINE, steps=1), PROMPTS, reward=reds)[1][0].metrics
    assert set(online) == set(dpo.METRICS) | set(dpo.ONLINE)


@pytest.mark.parametrize(("change", "message"), [
    ({"steps": 0}, "steps is 0"), ({"loss": "hinge"}, "loss is 'hinge'"), ({"beta": 0}, "beta is 0"),
    ({"label_smoothing": 0.5}, "label_smoothing is 0.5"), ({"loss": "ipo", "label_smoothing": 0.1}, "which has none"),
    ({"responses": 1}, "responses is 1"), ({"micro_batch": 0}, "micro_batch is 0")])
def test_bad_settings_are_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        dpo.Config(**change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("options", "message"), [
    ({"examples": []}, "no pairs"), ({"examples": PROMPTS}, "prompts and a reward"),
    ({"examples": [], "reward": reds}, "no prompts"), ({"examples": PAIRS, "reward": reds}, "prompts is Comparison")])
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        run(ONLINE, **options)


@pytest.mark.parametrize("settings", [{"soft_labels": True}, {"responses": 4}])
def test_settings_of_drawn_answers_are_refused_for_pairs(settings):
    policy = new_policy()
    with pytest.raises(ValueError, match="drawn online") as error:
        next(dpo.steps(policy, policy.reference(), PAIRS, replace(QUICK, **settings)))
    assert "\n" not in str(error.value)
