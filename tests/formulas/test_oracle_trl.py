"""The formulas against the numbers of TRL 0.11.4, the last one whose PPO ran on a plain reward.

`data/README.md` says where the numbers come from. TRL's padding holds junk, so only marked positions are
compared. Not compared: the `whiten_rewards` cases, whose padding leaks into real tokens (a bug;
`test_advantages.py` shows that our `rescale` does not leak), and score scaling, which belongs to the rewards.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from rlhf_kit.formulas import losses
from rlhf_kit.formulas.advantages import gae, rescale, whiten
from rlhf_kit.formulas.distributions import entropy, exact_kl, token_logprob
from rlhf_kit.formulas.kl_penalty import KL, sequence_kl, token_reward
from rlhf_kit.formulas.masked import masked_mean, masked_sum, masked_var

DATA = Path(__file__).parents[1] / "data"
TRL = json.loads((DATA / "oracle_trl0114.json").read_text())
OURS = {"kl": "k1", "abs": "abs", "mse": "k2", "full": "full"}      # TRL's names of the KL estimates


def tensors(numbers: dict) -> dict:
    """The lists of one section as tensors: float64, but a mask is bool and ids are whole."""
    kinds = {"mask": torch.bool, "ids": torch.long}
    return {name: torch.tensor(x, dtype=kinds.get(name, torch.float64)) if isinstance(x, list) else x
            for name, x in numbers.items()}


close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9, check_dtype=False)
GIVEN, HELPERS = tensors(TRL["helpers"]["in"]), tensors(TRL["helpers"]["out"])
MASK = GIVEN["mask"]


def close_where_marked(ours, trl):
    close(ours[MASK], trl[MASK])
    assert (ours[~MASK] == 0).all()


def test_distributions():
    close(token_logprob(GIVEN["logits"], GIVEN["ids"]), HELPERS["logprobs"])
    close(token_logprob(GIVEN["ref_logits"], GIVEN["ids"]), HELPERS["ref_logprobs"])
    close(entropy(GIVEN["logits"]), HELPERS["entropy"])
    every_word = [token_logprob(GIVEN["logits"][:1], torch.full((1, 7), word))[0] for word in range(11)]
    close(torch.stack(every_word, -1), HELPERS["full_logprobs_row0"])


def test_masked_statistics():
    x, everything = GIVEN["x"], torch.ones_like(MASK)
    close(masked_mean(x, MASK).item(), HELPERS["masked_mean"])
    close(masked_sum(x, MASK) / MASK.sum(-1), HELPERS["masked_mean_axis1"])
    close(masked_var(x, MASK).item(), HELPERS["masked_var_unbiased"])
    close_where_marked(whiten(x, MASK), HELPERS["masked_whiten"])
    close_where_marked(rescale(x, MASK), HELPERS["masked_whiten_shift_mean_false"])
    close(whiten(x, everything), HELPERS["whiten_unmasked"])
    close(rescale(x, everything), HELPERS["whiten_unmasked_shift_mean_false"])


@pytest.mark.parametrize("case", TRL["compute_rewards"]["cases"],
                         ids=lambda c: f"{c['kl_penalty']}-{c['kl_coef']}")
def test_rewards(case):
    given, want = tensors(TRL["compute_rewards"]["in"]), tensors(case)
    estimate = KL(estimate=OURS[case["kl_penalty"]]).function()
    pair = (given["logprobs"], given["ref_logprobs"])
    if estimate is exact_kl:
        pair = (GIVEN["logits"], GIVEN["ref_logits"])
    close(estimate(*pair), want["kls"])
    reward = partial(token_reward, logprob=pair[0], ref_logprob=pair[1], mask=MASK,
                     coefficient=case["kl_coef"], estimate=estimate)
    close_where_marked(reward(given["scores"]), want["rewards"])
    price = reward(torch.zeros(4, dtype=torch.float64))
    close_where_marked(price, want["non_score_rewards"])
    close(masked_mean(price, MASK).item(), want["mean_non_score_reward_masked"])
    close(sequence_kl(*pair, MASK, estimate).item(), want["objective_kl"])


@pytest.mark.parametrize("case", [c for c in TRL["compute_advantages"]["cases"] if not c["whiten_rewards"]],
                         ids=lambda c: f"gamma{c['gamma']}-lam{c['lam']}")
def test_advantages(case):
    given, want = tensors(TRL["compute_advantages"]["in"]), tensors(case)
    advantage, target = gae(given["rewards"], given["values"], MASK, case["gamma"], case["lam"])
    close_where_marked(advantage, want["advantages_unwhitened"])
    close_where_marked(target, want["returns"])
    close_where_marked(whiten(advantage, MASK), want["advantages"])


@pytest.mark.parametrize("case", TRL["loss"]["cases"], ids=range(len(TRL["loss"]["cases"])))
def test_losses_gradients_and_stats(case):
    given, want, stat = tensors(TRL["loss"]["in"]), tensors(case), case["stats"]
    new_logits = given[f"new_logits_{case['perturbation']}"]
    logprob, value = token_logprob(new_logits, GIVEN["ids"]), want["vpreds"]
    close(logprob, want["new_logprobs"])
    logprob, value = logprob.requires_grad_(), value.requires_grad_()
    old, advantage, target = given["old_logprobs"], given["advantages"], given["returns"]

    policy_loss = losses.clipped_policy(logprob, old, advantage, MASK, case["cliprange"])
    value_loss = losses.clipped_value(value, given["values_masked"], target, MASK, case["cliprange_value"])
    # TRL gives up on a batch whose mean ratio is too far out: both losses and all gradients become 0.
    keep = float(losses.mean_ratio(logprob, old, MASK) <= case["ratio_threshold"])
    assert keep == (case["ratio_threshold"] != 0.5)
    (keep * (policy_loss + case["vf_coef"] * value_loss)).backward()
    close_where_marked(logprob.grad, want["grad_new_logprobs"])
    close_where_marked(value.grad, want["grad_vpreds"])

    stats = {
        "loss/policy": keep * policy_loss,
        "loss/value": keep * value_loss,
        "loss/total": keep * (policy_loss + case["vf_coef"] * value_loss),
        "policy/entropy": masked_mean(entropy(new_logits), MASK),
        "policy/approxkl": losses.approx_kl(logprob, old, MASK),
        "policy/policykl": masked_mean(old - logprob, MASK),
        "policy/clipfrac": losses.clip_fraction(logprob, old, advantage, MASK, case["cliprange"]),
        "policy/advantages_mean": masked_mean(advantage, MASK),
        "returns/mean": masked_mean(target, MASK),
        "returns/var": masked_var(target, MASK),
        "val/vpred": masked_mean(value, MASK),
        "val/error": 2 * losses.clipped_value(value, target, target, MASK, clip=float("inf")),
        "val/mean": masked_mean(given["values_masked"], MASK),
        "val/var": masked_var(given["values_masked"], MASK),
    }
    for name, number in stats.items():
        # TRL counts in float32; and a zeroed batch logs the fraction it would have had.
        assert number.item() == pytest.approx(stat[name], abs=1e-7 if "clipfrac" in name else 1e-9), name
    assert set(stat) - set(stats) == {"val/clipfrac"}
    if keep:        # clipping decides the critic's error exactly where no gradient is left
        clipped = masked_mean((value.grad == 0).double(), MASK)
        assert clipped.item() == pytest.approx(stat["val/clipfrac"], abs=1e-7)


@pytest.mark.parametrize("case", TRL["adaptive_kl"]["cases"], ids=lambda c: f"target{c['target']}")
def test_adaptive_coefficient(case):
    config = KL(coefficient=case["init_kl_coef"], target=case["target"], horizon=case["horizon"])
    coefficient = config.controller()
    for seen, after in zip(case["kl_seen"], case["coef_after"], strict=True):
        coefficient.update(seen, episodes=case["n_steps"])
        assert coefficient.value == pytest.approx(after, abs=1e-9)


@pytest.mark.parametrize(("version", "case"), [
    # With a margin 0.11.4 broadcasts to all pairs, a bug we do not copy; 1.16 subtracts it pair by pair.
    *[("0.11.4", case) for case in TRL["reward_loss"]["trl_0_11_4"] if not case["margin_used"]],
    *[("1.16", case) for case in TRL["reward_loss"]["trl_1_16_0"]],
])
def test_pairwise_loss(version, case):
    given = tensors(TRL["reward_loss"]["in"])
    chosen, rejected = given["chosen"].requires_grad_(), given["rejected"].requires_grad_()
    margin = given["margin"] if case["margin_used"] else None
    loss = losses.pairwise(chosen, rejected, margin, case["center_rewards_coefficient"] or 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(case["loss"], abs=1e-9)
    assert chosen.grad.tolist() == pytest.approx(case["grad_chosen"], abs=1e-9)
    assert rejected.grad.tolist() == pytest.approx(case["grad_rejected"], abs=1e-9)
    score, rank = torch.stack([rejected, chosen], 1), torch.tensor([[2, 1]]).expand(len(chosen), 2)
    spread = None if margin is None else margin[:, None, None].expand(-1, 2, 2)
    of_lists = losses.ranking(score, rank, margin=spread, centring=case["center_rewards_coefficient"] or 0.0)
    assert of_lists.item() == pytest.approx(case["loss"], abs=1e-9)


# One whole PPOTrainer.step: our formulas around transformers' GPT-2, in a loop as small as it can be.

@pytest.fixture(scope="module")
def step():
    return dict(np.load(DATA / "oracle_step.npz"))


class Policy(torch.nn.Module):
    """A GPT-2 with a linear value head on its last hidden state, as in TRL."""

    def __init__(self, weights: dict, prefix: str):
        from transformers import GPT2Config, GPT2LMHeadModel
        super().__init__()
        config = GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=24, n_positions=32,
                            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        self.lm = GPT2LMHeadModel(config)
        self.v_head = torch.nn.ModuleDict({"summary": torch.nn.Linear(16, 1)})
        mine = {name.removeprefix(prefix): torch.from_numpy(x) for name, x in weights.items()
                if name.startswith(prefix)}
        missing, unexpected = self.load_state_dict(mine, strict=False)
        assert not unexpected
        assert {name for name in missing if "v_head" not in name} == {"lm.lm_head.weight"}     # tied to wte

    def forward(self, ids, attention):
        """Logits and values that predict ids[:, 1:]."""
        out = self.lm(input_ids=ids, attention_mask=attention, output_hidden_states=True)
        return out.logits[:, :-1], self.v_head["summary"](out.hidden_states[-1]).squeeze(-1)[:, :-1]


def padded_batch(step):
    """Queries and responses side by side, padded on the right, and the mask over ids[:, 1:]."""
    pairs = [(step[f"query_{i}"], step[f"response_{i}"]) for i in range(6)]
    longest = max(len(q) + len(r) for q, r in pairs)
    ids = torch.zeros(6, longest, dtype=torch.long)
    attention, response = torch.zeros_like(ids), torch.zeros(6, longest, dtype=torch.bool)
    for i, (q, r) in enumerate(pairs):
        ids[i, :len(q) + len(r)] = torch.from_numpy(np.concatenate([q, r]))
        attention[i, :len(q) + len(r)] = 1
        response[i, len(q):len(q) + len(r)] = True
    return ids, attention, response[:, 1:]


@pytest.mark.parametrize(("run", "epochs", "kl"), [
    ("fixed", 1, KL(coefficient=0.2)), ("adaptive4", 4, KL(coefficient=0.2, target=0.5, horizon=60))])
def test_one_whole_step(step, run, epochs, kl):
    policy, reference = Policy(step, "before/"), Policy(step, "ref/")
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
    coefficient = kl.controller()
    ids, attention, mask = padded_batch(step)
    written = ids[:, 1:]

    # 1-3. What the policy believed, what the judge said, which token deserves it.
    with torch.no_grad():
        logits, old_value = policy(ids, attention)
        old_logprob = token_logprob(logits, written)
        ref_logprob = token_logprob(reference(ids, attention)[0], written)
    score = torch.from_numpy(step["scores"])
    reward = token_reward(score, old_logprob, ref_logprob, mask, coefficient.value)
    price = token_reward(0 * score, old_logprob, ref_logprob, mask, coefficient.value)
    raw, target = gae(reward, old_value, mask, gamma=1.0, lam=0.95)
    advantage = whiten(raw, mask)

    # 4. Learn.
    seen: dict[str, list[float]] = {}
    for _ in range(epochs):
        logits, value = policy(ids, attention)
        logprob = token_logprob(logits, written)
        policy_loss = losses.clipped_policy(logprob, old_logprob, advantage, mask, 0.2)
        value_loss = losses.clipped_value(value, old_value, target, mask, 0.2)
        loss = policy_loss + 0.1 * value_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        error = 2 * losses.clipped_value(value, target, target, mask, float("inf"))
        for name, number in {
            "loss/policy": policy_loss, "loss/value": value_loss, "loss/total": loss,
            "policy/entropy": masked_mean(entropy(logits), mask),
            "policy/approxkl": losses.approx_kl(logprob, old_logprob, mask),
            "policy/policykl": masked_mean(old_logprob - logprob, mask),
            "policy/clipfrac": losses.clip_fraction(logprob, old_logprob, advantage, mask, 0.2),
            "val/vpred": masked_mean(value, mask), "val/error": error,
        }.items():
            seen.setdefault(f"ppo/{name}", []).append(number.item())

    # 5. Report and re-price.
    drift = sequence_kl(old_logprob, ref_logprob, mask)
    stats = {name: sum(numbers) / epochs for name, numbers in seen.items()} | {
        "objective/kl": drift, "objective/kl_coef": coefficient.value,
        "objective/entropy": masked_sum(-old_logprob, mask).mean(),
        "ppo/mean_non_score_reward": masked_mean(price, mask),
        "ppo/returns/mean": masked_mean(target, mask), "ppo/returns/var": masked_var(target, mask),
        "ppo/val/mean": masked_mean(old_value, mask), "ppo/val/var": masked_var(old_value, mask),
    }
    # TRL's "var_explained" compares the squared error, not the variance of the error.
    stats["ppo/val/var_explained"] = 1 - stats["ppo/val/error"] / stats["ppo/returns/var"]
    coefficient.update(drift, episodes=6)

    for name, number in stats.items():
        assert float(number) == pytest.approx(float(step[f"{run}/stat/{name}"]), rel=1e-4, abs=2e-6), name
    assert coefficient.value == pytest.approx(float(step[f"{run}/kl_coef_after"]), abs=1e-6)
    kl_per_row = masked_sum(old_logprob - ref_logprob, mask)
    close(kl_per_row, torch.from_numpy(step[f"{run}/stat/objective/kl_dist"]), rtol=1e-4, atol=1e-5)
    for name, weight in policy.state_dict().items():
        if name != "lm.lm_head.weight":
            after = torch.from_numpy(step[f"{run}/after/{name}"])
            close(weight, after, rtol=0, atol=1e-4, msg=f"{run} {name}")
            before = torch.from_numpy(step[f"before/{name}"])
            assert (weight - before).abs().max() > 1e-4, "nothing was learned"
