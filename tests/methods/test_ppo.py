"""PPO: TRL 0.11.4's step through our loop, the whole method on a small task, and what each option does."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bandit import distance, three_words
from transformers import GPT2Config, GPT2LMHeadModel

from rlhf_kit import rewards
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.loops import pretraining
from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import ppo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import (
    Sampling,
    response_logits,
    response_logprob,
    response_logprob_and_value,
    sample_rollout,
)
from rlhf_kit.storage import StorageError

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "far", "away", "from", "big", "red", "dogs"]
PROMPTS = [f"{a} {b}" for a in WORDS[:6] for b in WORDS[6:]]
QUICK = ppo.Config(steps=3, batch_size=16, minibatch_size=8, epochs=2, learning_rate=2e-3,
                   sampling=Sampling(max_new_tokens=6))


def new_policy(**options) -> Policy:
    tokenizer = text.train_tokenizer([" ".join(WORDS)] * 5, 80)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=32), tokenizer, **options)


def cats(prompts, responses):
    return [min(r.count("cat"), 2) / 2 for r in responses]


def run(config=QUICK, reward=cats, policy=None, **options):
    policy = policy or new_policy()
    return policy, list(ppo.steps(policy, policy.reference(), PROMPTS, reward, config, **options))


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.parameters()])


# --- the same numbers as TRL 0.11.4 -----------------------------------------------------------------------------------

ORACLE = np.load(Path(__file__).parents[1] / "data" / "oracle_step.npz")


def oracle_policy(part: str) -> Policy:
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=24, n_positions=32, resid_pdrop=0, embd_pdrop=0,
                        attn_pdrop=0, bos_token_id=0, eos_token_id=0)
    policy = Policy(GPT2LMHeadModel(config), tokenizer=None, value_head=part == "before")
    arrays = {k[len(part) + 1:]: torch.from_numpy(ORACLE[k]) for k in ORACLE.files if k.startswith(f"{part}/")}
    names = {k[3:]: v for k, v in arrays.items() if k.startswith("lm.")}
    missing, unexpected = policy.lm.load_state_dict(names, strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}
    policy.lm.tie_weights()
    if part == "before":
        policy.value_head.weight.data = arrays["v_head.summary.weight"].clone()
        policy.value_head.bias.data = arrays["v_head.summary.bias"].clone()
    return policy.eval()


def oracle_rollout(policy: Policy) -> Rollout:
    """TRL's queries and responses, in our layout: prompts padded on the left, responses on the right."""
    queries = [torch.from_numpy(ORACLE[f"query_{i}"]).long() for i in range(6)]
    responses = [torch.from_numpy(ORACLE[f"response_{i}"]).long() for i in range(6)]
    wide, long = max(map(len, queries)), max(map(len, responses))
    empty = {"prompt_ids": torch.zeros(6, wide).long(), "prompt_mask": torch.zeros(6, wide).bool(),
             "response_ids": torch.zeros(6, long).long(), "mask": torch.zeros(6, long).bool()}
    for i, (query, response) in enumerate(zip(queries, responses, strict=True)):
        empty["prompt_ids"][i, wide - len(query):], empty["prompt_mask"][i, wide - len(query):] = query, True
        empty["response_ids"][i, :len(response)], empty["mask"][i, :len(response)] = response, True
    zeros = torch.zeros(6, long)
    rollout = Rollout(prompts=["?"] * 6, responses=["!"] * 6, **empty, logprob=zeros, value=zeros,
                      ended=torch.ones(6, dtype=torch.bool), temperature=1.0, entropy=zeros)
    with torch.no_grad():
        logprob, value = response_logprob_and_value(policy, rollout)
    return replace(rollout, logprob=logprob, value=value)


@pytest.mark.parametrize(("name", "epochs", "kl"), [
    ("fixed", 1, KL(coefficient=0.2)), ("adaptive4", 4, KL(coefficient=0.2, target=0.5, horizon=60))])
def test_one_step_is_that_of_trl_0_11_4(name, epochs, kl, monkeypatch):
    policy, reference = oracle_policy("before"), oracle_policy("ref").requires_grad_(False)
    rollout = oracle_rollout(policy)
    monkeypatch.setattr(ppo, "sample_rollout", lambda *a: rollout)
    monkeypatch.setattr(ppo, "check_room", lambda *a: None)         # there is no tokenizer
    monkeypatch.setattr(Policy, "ends", (0,))
    monkeypatch.setattr(ppo, "check_start", lambda *a: None)        # its reference is another model: KL is not 0
    config = ppo.Config(steps=1, batch_size=6, minibatch_size=None, epochs=epochs, learning_rate=1e-3,
                        max_grad_norm=math.inf, kl=kl)
    scores = ORACLE["scores"].tolist()
    [step] = ppo.steps(policy, reference, ["?"], lambda prompts, responses: scores, config)

    for key in (k for k in ORACLE.files if k.startswith(f"{name}/after/lm.")):
        ours = policy.lm.state_dict()[key.split("/after/lm.")[1]].numpy()
        np.testing.assert_allclose(ours, ORACLE[key], atol=1e-4)
    np.testing.assert_allclose(policy.value_head.weight.detach().numpy(),
                               ORACLE[f"{name}/after/v_head.summary.weight"], atol=1e-4)
    stat = lambda key: float(ORACLE[f"{name}/stat/{key}"])                                          # noqa: E731
    assert step.metrics["kl"] == pytest.approx(stat("objective/kl"), rel=1e-4)
    assert step.metrics["policy_loss"] == pytest.approx(stat("ppo/loss/policy"), rel=1e-3, abs=1e-5)
    assert step.metrics["value_loss"] == pytest.approx(stat("ppo/loss/value"), rel=1e-4)
    assert step.metrics["approx_kl"] == pytest.approx(stat("ppo/policy/approxkl"), rel=1e-3, abs=1e-9)


# --- the whole method -------------------------------------------------------------------------------------------------

def test_it_learns_to_say_what_is_rewarded_and_pays_in_kl():
    config = replace(QUICK, steps=25, batch_size=32, minibatch_size=16, learning_rate=5e-3, kl=KL(coefficient=0.02))
    _, history = run(config)
    assert history[0].metrics["kl"] == pytest.approx(0, abs=1e-5)
    assert history[-1].metrics["score"] > history[0].metrics["score"] + 0.3
    assert history[-1].metrics["kl"] > 0.5


def test_a_high_price_keeps_the_policy_where_it_was():
    config = replace(QUICK, steps=12, learning_rate=5e-3)
    free = run(replace(config, kl=KL(coefficient=0.0)))[1][-1].metrics
    dear = run(replace(config, kl=KL(coefficient=2.0)))[1][-1].metrics
    assert dear["kl"] < free["kl"] / 3


def test_the_single_token_bandit_reaches_the_gibbs_optimum():
    """One token, three words, π_ref = (.5, .3, .2), r = (0, 1, 2), β = .5 (FACTS 0.5): sampling, reward, GAE, clip
    and KL together must end where the closed form says: (.0367, .1626, .8008)."""
    policy = three_words([0.5, 0.3, 0.2])
    config = ppo.Config(steps=60, batch_size=256, minibatch_size=None, epochs=2, learning_rate=0.05, min_lr_ratio=0.02,
                        kl=KL(coefficient=0.5), sampling=Sampling(max_new_tokens=1), max_grad_norm=math.inf)
    worth = {"a": 0.0, "b": 1.0, "c": 2.0}
    ppo.train(policy, policy.reference(), ["x"], lambda p, responses: [worth[r] for r in responses], config)
    assert distance(policy, (0.0367, 0.1626, 0.8008)) < 0.05


# --- resume -----------------------------------------------------------------------------------------------------------

def test_a_run_cut_short_ends_with_the_same_numbers(tmp_path):
    config = replace(QUICK, steps=5, kl=KL(coefficient=0.1, target=0.5, horizon=50))
    whole, history = run(config)
    first = new_policy()
    stream = ppo.steps(first, first.reference(), PROMPTS, cats, config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):                                              # the third step is lost: saved after two
        next(stream)
    stream.close()
    second = new_policy()
    resumed = list(ppo.steps(second, second.reference(), PROMPTS, cats, config, checkpoint=tmp_path,
                             checkpoint_every=2))
    drop = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]     # noqa: E731
    assert json.dumps(drop(resumed)) == json.dumps(drop(history))
    assert torch.equal(weights(second), weights(whole))


def test_breaking_out_early_leaves_a_usable_policy():
    policy = new_policy()
    for _ in ppo.steps(policy, policy.reference(), PROMPTS, cats, QUICK):
        break
    assert len(sample_rollout(policy, PROMPTS[:2], QUICK.sampling)) == 2


# --- options ----------------------------------------------------------------------------------------------------------

def test_the_gradient_of_a2c_is_the_policy_gradient_and_the_squared_error_of_the_critic(monkeypatch):
    """Without clipping, whitening and λ: -mean Â log π + c · ½ mean (V - R)², written out; RMSProp takes the step."""
    config = ppo.a2c(replace(QUICK, steps=1, kl=KL(coefficient=0.0)))
    policy, taken = new_policy(), []
    monkeypatch.setattr(ppo, "update", lambda model, optimizer, *rest: taken.append(
        (type(optimizer), [p.grad.clone() for p in model.parameters()])))
    run(config, policy=policy)
    rollout = sample_rollout(policy, [PROMPTS[i] for i in draw(len(PROMPTS), 16, 0, 0)], config.sampling,
                             seed_for(0, "rollout", 0))
    logprob, value = response_logprob_and_value(policy, rollout)
    scores = torch.tensor(cats(None, rollout.responses))[:, None]            # γ = λ = 1: every token gets the score
    loss = -((scores - rollout.value) * logprob)[rollout.mask].mean()
    loss = loss + config.value_coef * 0.5 * (value - scores).square()[rollout.mask].mean()
    ours = torch.autograd.grad(loss, list(policy.parameters()))
    [(optimizer, gradients)] = taken
    assert optimizer is torch.optim.RMSprop
    assert all(torch.allclose(g, o, atol=1e-6) for g, o in zip(gradients, ours, strict=True))


def test_a2c_is_one_gradient_a_step_and_never_clips():
    _, history = run(ppo.a2c(QUICK))
    assert all(s.metrics["minibatches"] == 1 and s.metrics["clip_fraction"] == 0 for s in history)


def test_adaptive_coefficient_rises_while_the_drift_is_above_target():
    _, history = run(replace(QUICK, steps=8, learning_rate=1e-2, kl=KL(coefficient=0.01, target=0.01, horizon=100)))
    prices = [s.metrics["kl_coef"] for s in history]
    assert prices[-1] > prices[2] > 0


@pytest.mark.parametrize("estimate", ["k1", "k2", "k3", "abs", "full"])
def test_every_estimate_of_the_drift_can_be_the_price(estimate):
    _, history = run(replace(QUICK, kl=KL(coefficient=0.1, estimate=estimate)))
    assert all(math.isfinite(s.metrics["policy_loss"]) for s in history)


@pytest.mark.parametrize("estimate", ["k2", "k3", "abs"])
def test_a_penalty_in_the_loss_holds_the_policy_back(estimate):
    held = KL(coefficient=2.0, estimate=estimate, in_loss=True)
    free, priced = (run(replace(QUICK, steps=8, kl=kl))[1] for kl in (KL(coefficient=0.0), held))
    assert free[0].metrics["kl"] == priced[0].metrics["kl"]
    assert priced[-1].metrics["kl"] < 0.5 * free[-1].metrics["kl"]


def test_a_penalty_of_nothing_in_the_loss_is_one_of_nothing_in_the_reward():
    (a, _), (b, _) = (run(replace(QUICK, kl=kl)) for kl in
                      (KL(coefficient=0.0), KL(coefficient=0.0, estimate="k2", in_loss=True)))
    assert torch.allclose(weights(a), weights(b), atol=1e-6)


def test_missing_eos_is_penalised_in_the_reward_and_not_in_the_reported_score():
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        original = ppo.token_reward
        patch.setattr(ppo, "token_reward", lambda score, *rest: seen.append(score) or original(score, *rest))
        _, [step] = run(replace(QUICK, steps=1, missing_eos_penalty=5.0, checks=False),
                        reward=lambda p, r: [1.0] * len(r))
    assert step.metrics["score"] == 1.0
    assert set(seen[0].tolist()) == {1.0, -4.0}


def test_ratio_guard_skips_and_counts_and_leaves_the_weights_alone():
    policy = new_policy()
    start = weights(policy).clone()
    _, [step] = run(replace(QUICK, steps=1, ratio_limit=0.5), policy=policy)       # every ratio is about 1
    assert (step.metrics["skipped"], step.metrics["minibatches"]) == (4, 0)
    assert torch.equal(weights(policy), start)


def test_target_kl_ends_the_passes_early():
    loose = run(replace(QUICK, epochs=8, learning_rate=2e-2, target_kl=1e9))[1][0].metrics["minibatches"]
    tight = run(replace(QUICK, epochs=8, learning_rate=2e-2, target_kl=1e-4))[1][0].metrics["minibatches"]
    assert loose == 16 > tight >= 1


def test_critic_warmup_on_a_shared_trunk_moves_the_head_alone():
    policy = new_policy()
    start = {n: p.detach().clone() for n, p in policy.named_parameters()}
    run(replace(QUICK, steps=2, critic_warmup=2), policy=policy)
    moved = {n.split(".")[0] for n, p in policy.named_parameters() if not torch.equal(p, start[n])}
    assert moved == {"value_head"}


def test_critic_warmup_trains_a_whole_critic_that_has_its_own_trunk():
    policy = new_policy(value_trunk=tiny.language_model(new_policy().tokenizer, layers=1, width=32, heads=2,
                                                        context=32, seed=1).transformer)
    start = {n: p.detach().clone() for n, p in policy.named_parameters()}
    run(replace(QUICK, steps=2, critic_warmup=2), policy=policy)
    moved = {n.split(".")[0] for n, p in policy.named_parameters() if not torch.equal(p, start[n])}
    assert moved == {"value_trunk", "value_head"}


def test_pretraining_mix_keeps_the_likelihood_of_other_text():
    other = ["far away from big dogs", "red mat and far dogs"] * 4
    config = replace(QUICK, steps=15, learning_rate=5e-3, kl=KL(coefficient=0.0))

    def loss(policy):
        ids, mask = text.pad_right(text.encode_documents(policy.tokenizer, other, 32), 0)
        logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1).logits
        return torch.nn.functional.cross_entropy(logits[mask[:, 1:]], ids[:, 1:][mask[:, 1:]]).item()

    plain = run(config)[0]
    mixed = run(replace(config, ptx_coef=1.0), pretraining=other)[0]
    assert loss(mixed) < loss(plain) - 0.5


def test_so_many_pretraining_texts_join_a_gradient_for_each_response(monkeypatch):
    """Eight episodes in a minibatch, three texts each: 24, whose gradient comes before the update."""
    seen, original = [], pretraining.encode_documents
    monkeypatch.setattr(pretraining, "encode_documents", lambda tokenizer, texts, limit: seen.append(len(texts)) or
                        original(tokenizer, texts, limit))
    run(replace(QUICK, steps=1, epochs=1, ptx_coef=1.0, ptx_texts=3), pretraining=["far away", "big dogs ran"] * 20)
    assert seen == [24, 24]                                 # 16 responses in minibatches of 8


def test_ptx_adds_its_gradient_to_that_of_ppo(monkeypatch):
    """Of the first update: with γ the gradient is that without it, plus γ times the language model's own."""
    found = {}

    def first_gradient(config, **options):
        policy = new_policy()
        monkeypatch.setattr(ppo, "update", lambda model, *rest, **more: found.setdefault(
            config.ptx_coef, torch.cat([p.grad.flatten() for p in model.lm.parameters()])))
        next(ppo.steps(policy, policy.reference(), PROMPTS, cats, config, **options))

    texts = ["far away from big dogs", "red mat and far dogs"]
    config = replace(QUICK, epochs=1, minibatch_size=None)
    first_gradient(config)
    first_gradient(replace(config, ptx_coef=2.0), pretraining=texts)
    policy = new_policy()
    ids, mask = text.pad_right(text.encode_documents(policy.tokenizer, texts, 32), 0)
    logits = policy(ids[:, :-1], mask[:, :-1], keep=ids.shape[1] - 1).logits
    torch.nn.functional.cross_entropy(logits[mask[:, 1:]], ids[:, 1:][mask[:, 1:]]).backward()
    own = torch.cat([p.grad.flatten() for p in policy.lm.parameters()])
    torch.testing.assert_close(found[2.0] - found[0.0], 2.0 * own, atol=1e-5, rtol=1e-3)


def test_the_rate_rises_from_a_tenth_over_the_first_steps(monkeypatch):
    """Of 0.01: 0.001 at first, then in a straight line, and constant from step 4 on."""
    rates, original = [], ppo.update
    monkeypatch.setattr(ppo, "update", lambda model, optimizer, *rest: rates.append(optimizer.param_groups[0]["lr"]) or
                        original(model, optimizer, *rest))
    run(replace(QUICK, steps=6, epochs=1, minibatch_size=None, learning_rate=0.01, warmup=3))
    assert rates == pytest.approx([0.001, 0.004, 0.007, 0.01, 0.01, 0.01])


def test_the_policy_ends_in_its_averaged_weights_resumed_or_not(tmp_path):
    """Averages change nothing on the way: same steps as without; and a resumed run ends in the same ones."""
    config = replace(QUICK, steps=4, weight_ema=0.9)
    whole, history = run(config)
    plain, without = run(replace(QUICK, steps=4))
    assert [s.metrics["score"] for s in history] == [s.metrics["score"] for s in without]
    assert not torch.equal(weights(whole), weights(plain))
    first = new_policy()
    stream = ppo.steps(first, first.reference(), PROMPTS, cats, config, checkpoint=tmp_path, checkpoint_every=1)
    next(stream), next(stream)
    for _ in range(2):                                      # the second time there is nothing left to do
        again, _ = run(config, checkpoint=tmp_path)
        assert torch.equal(weights(again), weights(whole))


def test_averaged_weights_move_by_hand(monkeypatch):
    """One update from w to w': with a decay of ¾ the policy ends at w + ¼ (w' - w)."""
    config = replace(QUICK, steps=1, epochs=1, minibatch_size=None)
    before, after = weights(new_policy()), weights(run(config)[0])
    averaged = weights(run(replace(config, weight_ema=0.75))[0])
    torch.testing.assert_close(averaged, before + 0.25 * (after - before), atol=1e-6, rtol=1e-5)


def test_rescaled_rewards_reach_the_critic_with_spread_one_and_their_own_mean(monkeypatch):
    seen, original, priced = [], ppo.gae, ppo.token_reward
    monkeypatch.setattr(ppo, "token_reward", lambda *a: seen.append(priced(*a)) or seen[-1])
    monkeypatch.setattr(ppo, "gae", lambda reward, value, mask, *a: seen.append(reward[mask]) or
                        original(reward, value, mask, *a))
    run(replace(QUICK, steps=1, rescale_reward=True), reward=lambda p, r: [7.0 * len(x) for x in r])
    before, after = seen
    assert after.std().item() == pytest.approx(1, abs=1e-3)
    assert after.mean().item() == pytest.approx(before.sum().item() / after.numel(), rel=1e-3)


def test_autocast_runs_in_bfloat16():
    _, history = run(replace(QUICK, autocast="bfloat16"))
    assert all(math.isfinite(s.metrics["policy_loss"]) for s in history)


def test_watched_scores_are_reported_and_change_nothing():
    alone, _ = run()
    watched, history = run(evaluation_rewards={"length": lambda p, r: [float(len(x)) for x in r]})
    assert history[0].metrics["length"] > 0
    assert torch.equal(weights(alone), weights(watched))


def test_the_reference_never_moves():
    policy = new_policy()
    reference = policy.reference()
    start = weights(reference).clone()
    ppo.train(policy, reference, PROMPTS, cats, QUICK)
    assert torch.equal(weights(reference), start)


def test_self_checks_stop_a_run_whose_reference_is_the_policy_itself():
    policy = new_policy()
    with pytest.raises(CheckFailed, match="share weights"):
        next(ppo.steps(policy, policy, PROMPTS, cats, QUICK))


def test_log_probability_of_the_reference_is_that_of_the_policy_at_the_start():
    policy = new_policy()
    rollout = sample_rollout(policy, PROMPTS[:4], QUICK.sampling)
    assert torch.allclose(response_logprob(policy.reference(), rollout), rollout.logprob, atol=1e-5)


@pytest.mark.parametrize(("change", "message"), [
    ({"batch_size": 10, "minibatch_size": 4}, "not a multiple"), ({"steps": 0}, "steps is 0"),
    ({"clip": -0.1}, "clip is -0.1"), ({"gamma": 1.5}, "gamma is 1.5"), ({"ptx_coef": -1.0}, "ptx_coef"),
    ({"weight_ema": 1.0}, "weight_ema is 1.0"), ({"ptx_texts": 0}, "ptx_texts is 0"), ({"warmup": -1}, "warmup is -1"),
    ({"missing_eos_penalty": math.nan}, "missing_eos_penalty is nan")])
def test_bad_settings_are_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        ppo.Config(**change)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("options", "message"), [
    ({"policy": None, "prompts": []}, "no prompts"), ({"policy": "headless"}, "no value head"),
    ({"pretraining": ["x"]}, "PPO-ptx needs both")])
def test_bad_arguments_are_refused(options, message):
    policy = new_policy(value_head=options.get("policy") != "headless")
    with pytest.raises(ValueError, match=message):
        next(ppo.steps(policy, new_policy().reference(), options.get("prompts", PROMPTS), cats, QUICK,
                       pretraining=options.get("pretraining")))


def test_every_reported_metric_is_explained():
    assert set(run(replace(QUICK, steps=1))[1][0].metrics) == set(ppo.METRICS)


def test_a_run_is_not_resumed_with_another_reference(tmp_path):
    """`policy.reference()` taken again after a break is the half-trained policy: the KL would start anew at 0."""
    policy = new_policy()
    stream = ppo.steps(policy, policy.reference(), PROMPTS, cats, QUICK, checkpoint=tmp_path, checkpoint_every=1)
    next(stream)
    stream.close()
    with pytest.raises(StorageError, match="reference"):
        next(ppo.steps(policy, policy.reference(), PROMPTS, cats, QUICK, checkpoint=tmp_path, checkpoint_every=1))


def test_a_run_is_not_resumed_towards_another_reward_of_the_same_name(tmp_path):
    """Two lambdas, and two settings of one function; the same lambda written again goes on."""
    policy = new_policy()
    reference = policy.reference()

    def run(reward):
        return list(ppo.steps(policy, reference, PROMPTS, reward, QUICK, checkpoint=tmp_path, checkpoint_every=1))

    def made(weight):
        return lambda prompts, responses: [weight * len(r) for r in responses]
    history = run(made(1.0))
    assert run(made(1.0)) == history
    for other in (made(2.0), lambda prompts, responses: [len(r) for r in responses]):
        with pytest.raises(StorageError, match=r"reward: '<lambda>#\w+' then, '<lambda>#\w+' now"):
            run(other)


def test_running_statistics_inside_a_made_up_reward_survive_a_resume(tmp_path):
    def reward():
        return rewards.clipped(rewards.weighted([(1.0, rewards.Normalised(rewards.length(9)))]), -9, 9)
    whole = run(reward=reward())[1]
    policy = new_policy()
    reference, first = policy.reference(), reward()
    stream = ppo.steps(policy, reference, PROMPTS, first, QUICK, checkpoint=tmp_path, checkpoint_every=1)
    next(stream)
    stream.close()
    resumed = list(ppo.steps(policy, reference, PROMPTS, reward(), QUICK, checkpoint=tmp_path, checkpoint_every=1))
    assert [s.metrics["score"] for s in resumed] == [s.metrics["score"] for s in whole]


def test_one_token_in_a_minibatch_is_enough():
    config = replace(QUICK, steps=1, minibatch_size=1, sampling=Sampling(max_new_tokens=1))
    assert math.isnan(run(config)[1][0].metrics["explained_variance"])


def test_a_policy_that_has_diverged_is_one_line():
    policy = new_policy()
    policy.lm.lm_head.weight.data.fill_(math.nan)
    with pytest.raises(ValueError, match="has diverged"):
        next(ppo.steps(policy, new_policy().reference(), PROMPTS, cats, QUICK))


def test_a_prompt_that_leaves_no_room_is_found_before_the_first_step():
    with pytest.raises(ValueError, match="'the the the"):
        next(ppo.steps(new_policy(), new_policy().reference(), [*PROMPTS, " ".join(["the"] * 40)], cats, QUICK))


def test_responses_may_come_from_elsewhere_and_be_as_many_as_there_are():
    """Handed what the loop would have drawn itself, it takes the same steps; of five responses it learns as well."""
    ours = new_policy()

    def same(number: int) -> Rollout:
        batch = [PROMPTS[i] for i in draw(len(PROMPTS), QUICK.batch_size, QUICK.seed, number)]
        return sample_rollout(ours, batch, QUICK.sampling, seed_for(QUICK.seed, "rollout", number))

    _, handed = run(policy=ours, rollouts=same)
    _, own = run()
    without = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]    # noqa: E731
    assert without(handed) == without(own)
    _, few = run(replace(QUICK, minibatch_size=None), policy=ours, rollouts=lambda number: same(number)[:5])
    assert len(few) == QUICK.steps


# --- memory, and what must never happen -------------------------------------------------------------------------------

def test_a_minibatch_in_four_passes_gives_the_gradient_of_one(monkeypatch):
    """In float64: 16 responses at once, and in passes of at most four, each weighted by its tokens."""
    def gradients(tokens_per_pass):
        policy, taken = new_policy().double(), []
        monkeypatch.setattr(ppo, "update", lambda model, *_: taken.append([p.grad.clone() for p in model.parameters()]))
        run(replace(QUICK, steps=1, minibatch_size=None, epochs=1, tokens_per_pass=tokens_per_pass), policy=policy,
            reward=lambda prompts, responses: [float(len(r)) for r in responses])
        return torch.cat([gradient.flatten() for gradient in taken[0]])

    passes, original = [], ppo.read
    whole = gradients(None)
    monkeypatch.setattr(ppo, "read", lambda policy, old, **options: passes.append(len(old)) or
                        original(policy, old, **options))
    parts = gradients(4 * 8)
    assert (sum(passes), max(passes)) == (16, 4)
    assert (whole - parts).abs().max() < 1e-6 * whole.abs().max()


def test_a_run_in_passes_reports_what_a_run_without_reports_and_resumes_as_it(tmp_path):
    """Memory is no part of the algorithm: the metrics agree, and a checkpoint of the one goes on as the other."""
    config = replace(QUICK, steps=2)
    whole, parts = run(config)[1], run(replace(config, tokens_per_pass=24))[1]
    for ours, theirs in zip(parts, whole, strict=True):
        same = {name: number for name, number in theirs.metrics.items() if name != "seconds"}
        assert {name: ours.metrics[name] for name in same} == pytest.approx(same, rel=1e-3, abs=1e-5)
    policy = new_policy()
    reference = policy.reference()
    next(ppo.steps(policy, reference, PROMPTS, cats, config, checkpoint=tmp_path, checkpoint_every=1))
    other = replace(config, tokens_per_pass=24, activation_checkpointing=True)
    again = ppo.steps(policy, reference, PROMPTS, cats, other, checkpoint=tmp_path, checkpoint_every=1)
    assert len(list(again)) == 2


def test_checkpointed_activations_give_the_same_gradient():
    config = replace(QUICK, steps=1, epochs=1)
    assert torch.allclose(weights(run(config)[0]), weights(run(replace(config, activation_checkpointing=True))[0]),
                          atol=1e-6)


def test_a_score_beyond_all_bounds_is_refused_and_harms_neither_weights_nor_checkpoint(tmp_path):
    policy, bounds = new_policy(), iter([1.0, 1e38])
    config = replace(QUICK, whiten_advantage=False)
    stream = ppo.steps(policy, policy.reference(), PROMPTS, lambda p, r: torch.full((len(r),), next(bounds)),
                       config, checkpoint=tmp_path, checkpoint_every=1)
    next(stream)
    before, saved = weights(policy).clone(), (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(CheckFailed, match="gradient of step 2 is not finite"):
        next(stream)
    assert torch.equal(weights(policy), before)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == saved


def test_responses_from_elsewhere_need_no_entropy():
    ours = new_policy()
    drawn = sample_rollout(ours, PROMPTS[:16], QUICK.sampling, 1)
    _, history = run(replace(QUICK, steps=1), policy=ours, rollouts=lambda number: replace(drawn, entropy=None))
    assert history[0].metrics["entropy"] > 0
    with torch.no_grad():                                           # over the vocabulary, by hand
        probability = response_logits(new_policy(), drawn).softmax(-1)
    each = -(probability * probability.log()).sum(-1)[drawn.mask]
    learnt = run(replace(QUICK, steps=1), rollouts=lambda number: replace(drawn, entropy=None))[1][0].metrics["entropy"]
    assert learnt == pytest.approx(each.mean().item(), rel=0.05)    # it is read after the step's own updates


@pytest.mark.parametrize("estimate", ["k2", "k3"])
def test_a_penalty_in_the_loss_holds_the_policy_and_leaves_the_reward_alone(estimate, monkeypatch):
    config, seen, original = replace(QUICK, steps=12, learning_rate=5e-3), [], ppo.token_reward
    free = run(replace(config, kl=KL(coefficient=0.0)))[1][-1].metrics
    monkeypatch.setattr(ppo, "token_reward", lambda *a: seen.append(original(*a)) or seen[-1])
    held = run(replace(config, kl=KL(coefficient=2.0, estimate=estimate, in_loss=True)))[1][-1].metrics
    assert held["kl"] < free["kl"] / 3
    assert all((reward >= 0).all() for reward in seen)              # scores alone: nothing was taken off


@pytest.mark.parametrize("score", [0.0, 0.1, -7.3])
def test_a_reward_that_never_varies_is_said_at_the_first_batch_and_can_be_insisted_on(score):
    def same(prompts, responses):
        return [score] * len(responses)
    with pytest.raises(CheckFailed, match=rf"^all 32 responses of the first batch score {score:.3f} by same, so there"):
        run(replace(QUICK, batch_size=32), reward=same)
    assert len(run(replace(QUICK, batch_size=32, checks=False), reward=same)[1]) == 3


def test_of_a_small_first_batch_it_is_only_said(capsys):
    run(replace(QUICK, steps=1), reward=lambda p, r: [0.5] * len(r))
    assert capsys.readouterr().err.startswith("all 16 responses of the first batch score 0.500")
    run(replace(QUICK, steps=1, batch_size=4, minibatch_size=4), reward=lambda p, r: [0.5] * len(r))
    assert capsys.readouterr().err == ""


def test_one_response_that_scores_otherwise_is_something_to_learn_from():
    _, history = run(replace(QUICK, steps=1, batch_size=32), reward=lambda p, r: [1e-3, *[0.0] * (len(r) - 1)])
    assert len(history) == 1


@pytest.mark.parametrize(("options", "message"), [
    ({"reference": None}, "the reference is None; expected the policy as it was before training"),
    ({"prompts": "the cat"}, r"the prompts are one text, 'the cat'; expected a list of texts, such as \['the cat'\]"),
    ({"prompts": ["the cat", 3]}, "number 1 of the prompts is 3, not a text"),
    ({"reward": "tiny-judge-en"}, "the reward is 'tiny-judge-en'; expected a function"),
    ({"reward": [1.0]}, r"the reward is \[1.0\]; expected a function")])
def test_what_is_no_argument_is_named(options, message):
    policy = new_policy()
    arguments = {"reference": policy.reference(), "prompts": PROMPTS, "reward": cats, **options}
    with pytest.raises(ValueError, match=message):
        next(ppo.steps(policy, config=QUICK, **arguments))
