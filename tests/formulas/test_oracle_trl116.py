"""What came after PPO against the numbers of TRL 1.16: losses with their gradients, and advantages.

`data/oracle_trl116.py` made them by running TRL's own methods on the float64 numbers that stand in the file.
"""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from rlhf_kit.formulas.advantages import group_advantage
from rlhf_kit.formulas.direct_alignment import dpo, ipo, kto, kto_reference_point, robust_dpo
from rlhf_kit.formulas.kl_penalty import estimate_k3, token_reward
from rlhf_kit.formulas.masked import masked_sum
from rlhf_kit.formulas.policy_gradient import policy_gradient

TRL = json.loads((Path(__file__).parents[1] / "data" / "oracle_trl116.json").read_text())
GIVEN = {name: torch.tensor(x, dtype=torch.bool if name in ("mask", "good") else torch.float64)
         for name, x in TRL["in"].items()}
MASK, OLD, REFERENCE = GIVEN["mask"], GIVEN["old_logprob"], GIVEN["ref_logprob"]
G, LONGEST = TRL["in"]["group_size"], TRL["in"]["longest"]
AVERAGES = {"grpo": "response", "bnpo": "token", "dapo": "token", "dr_grpo": "constant", "luspo": "sum"}
close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9)


def agrees(loss_of, case):
    """The loss and its gradient by every log-probability; none reaches the padding."""
    logprob = GIVEN["logprob"].clone().requires_grad_(True)
    loss = loss_of(logprob)
    loss.backward()
    assert loss.item() == pytest.approx(case["loss"], abs=1e-9)
    close(logprob.grad, torch.tensor(case["grad"], dtype=torch.float64))


@pytest.mark.parametrize("case", TRL["grpo_loss"], ids=lambda c: f"{c['loss_type']}-{c['beta']}")
def test_policy_gradients(case):
    def loss(logprob):
        return policy_gradient(logprob, OLD, GIVEN["advantage"], MASK, 0.2, average=AVERAGES[case["loss_type"]],
                               longest=LONGEST, penalty=case["beta"] * estimate_k3(logprob, REFERENCE))
    agrees(loss, case)


def test_rloo_s_ratio_is_of_whole_responses():
    agrees(lambda logprob: policy_gradient(logprob, OLD, GIVEN["advantage"], MASK, 0.2, ratio="response"),
           TRL["rloo_loss"])


@pytest.mark.parametrize("case", TRL["grpo_advantage"], ids=lambda c: c["scale_rewards"])
def test_grpo_s_advantages(case):
    ours = group_advantage(GIVEN["score"], G, scale=case["scale_rewards"]).tolist()
    rounds = case["scale_rewards"] == "batch"       # n/(n-1) in float32: 6/5 has no end, 3/2 of a group has
    assert ours == pytest.approx(case["advantage"], abs=1e-6 if rounds else 1e-9)


@pytest.mark.parametrize("case", TRL["rloo_advantage"], ids=lambda c: c["beta"])
def test_rloo_s_advantages_with_the_penalty_in_the_reward(case):
    reward = token_reward(GIVEN["score"], OLD, REFERENCE, MASK, case["beta"]).sum(-1)
    close(group_advantage(reward, G, baseline="others", scale="none").tolist(), case["advantage"])


def log_ratios(logprob):
    """d of the responses: the first half was chosen, the other rejected."""
    return masked_sum(logprob - REFERENCE, MASK)


@pytest.mark.parametrize("case", TRL["dpo_loss"], ids=lambda c: f"{c['loss_type']}-{c['beta']}")
def test_losses_of_pairs(case):
    beta, length = case["beta"], MASK.sum(-1)

    def loss(logprob):
        chosen, rejected = (log_ratios(logprob) / (length if case["loss_type"] == "ipo" else 1)).chunk(2)
        if case["loss_type"] == "robust":
            return robust_dpo(chosen, rejected, beta, case["label_smoothing"])
        return {"sigmoid": dpo, "ipo": ipo}[case["loss_type"]](chosen, rejected, beta)
    agrees(loss, case)
    chosen, rejected = log_ratios(GIVEN["logprob"]).chunk(2)
    assert beta * chosen.mean().item() == pytest.approx(case["rewards_chosen"], abs=1e-9)
    assert beta * rejected.mean().item() == pytest.approx(case["rewards_rejected"], abs=1e-9)


def test_conservative_dpo_follows_from_trl_s_robust_one():
    """TRL 1.16 has no cDPO. Its robust loss is ((1-ε)·a - ε·b)/(1-2ε), its plain one a: so b is known, and cDPO is
    (1-ε)·a + ε·b."""
    robust = next(c for c in TRL["dpo_loss"] if c["loss_type"] == "robust")
    plain = next(c for c in TRL["dpo_loss"] if c["loss_type"] == "sigmoid" and c["beta"] == robust["beta"])
    e = robust["label_smoothing"]
    flipped = ((1 - e) * plain["loss"] - (1 - 2 * e) * robust["loss"]) / e
    ours = dpo(*log_ratios(GIVEN["logprob"]).chunk(2), robust["beta"], label_smoothing=e)
    assert ours.item() == pytest.approx((1 - e) * plain["loss"] + e * flipped, abs=1e-9)


@pytest.mark.parametrize("case", TRL["kto_loss"], ids=lambda c: c["beta"])
def test_kto(case):
    z = kto_reference_point(case["mismatched_times"] * (GIVEN["mismatched"] - GIVEN["ref_mismatched"]))
    assert z.item() == pytest.approx(case["kl"], abs=1e-9)
    weights = {"good_weight": case["desirable_weight"], "bad_weight": case["undesirable_weight"]}
    agrees(lambda logprob: kto(log_ratios(logprob), GIVEN["good"], z, case["beta"], **weights), case)
