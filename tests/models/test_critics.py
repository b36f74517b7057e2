"""A critic that begins as the reward model: the same numbers, another trunk, and which judges cannot be one."""

import pytest
import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

from rlhf_kit.models import loading, text, tiny
from rlhf_kit.models.critics import with_critic
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.sampling import given_rollout, response_logprob_and_value

TEXTS = ["the lamp is red.", "a kettle is blue and small.", "the bag is green."]
TOKENIZER = text.train_tokenizer(TEXTS * 3, 60)


def judge(shift: float = 0.0) -> RewardModel:
    config = GPT2Config(vocab_size=len(TOKENIZER), n_layer=1, n_head=2, n_embd=16, n_positions=32, num_labels=1,
                        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, pad_token_id=TOKENIZER.pad_token_id,
                        bos_token_id=None, eos_token_id=None)
    torch.manual_seed(3)
    model = RewardModel(GPT2ForSequenceClassification(config).eval(), TOKENIZER)
    model.shift = shift
    return model


def writer() -> Policy:
    return Policy(tiny.language_model(TOKENIZER, layers=1, width=32, heads=2, context=32), TOKENIZER).eval()


def test_its_first_value_is_what_the_judge_says_of_the_prompt():
    """Before the first token of the response the text so far is the prompt: the score of that text, shift included."""
    model = judge(shift=0.7)
    policy = with_critic(writer(), model)
    rollout = given_rollout(policy, ["the lamp", "a kettle is"], [" is red.", " blue."])
    with torch.no_grad():
        _, value = response_logprob_and_value(policy, rollout)
        ids, mask = text.pad_right(text.prompt_rows(TOKENIZER, ["the lamp", "a kettle is"]), TOKENIZER.pad_token_id)
        torch.testing.assert_close(value[:, 0], model(ids, mask), atol=1e-5, rtol=1e-4)


def test_it_shares_no_weight_with_judge_or_policy():
    model, plain = judge(), writer()
    policy = with_critic(plain, model)
    assert policy.lm is plain.lm
    before = {name: p.clone() for name, p in model.named_parameters()}
    for p in (*policy.value_trunk.parameters(), *policy.value_head.parameters()):
        p.data += 1.0
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not {id(p) for p in policy.lm.parameters()} & {id(p) for p in policy.value_trunk.parameters()}


def test_it_comes_back_from_a_folder(tmp_path):
    policy = with_critic(writer(), judge(shift=0.7))
    loading.save_policy(policy, tmp_path)
    again = loading.load_policy(tmp_path)
    rollout = given_rollout(policy, ["the lamp"], [" is red."])
    with torch.no_grad():
        ours, theirs = (response_logprob_and_value(one, rollout)[1] for one in (policy, again))
    assert torch.equal(ours, theirs)


def test_an_encoder_or_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"reads both ways, as encoders do.*kit\.load_reward_model"):
        with_critic(writer(), tiny.reward_model(TOKENIZER, layers=1, width=32, heads=2, context=32))
    other = text.train_tokenizer(["something else altogether, nothing of it the same"] * 3, 50)
    lm = tiny.language_model(other, layers=1, width=32, heads=2, context=32)
    with pytest.raises(ValueError, match=r"a value function reads what the policy writes"):
        with_critic(Policy(lm, other), judge())
