"""A policy is its language model plus one linear layer; the numbers are those of transformers."""

import copy
from types import SimpleNamespace

import pytest
import torch
from transformers import Gemma3Config, GPT2Config, GPT2LMHeadModel

from rlhf_kit import zoo
from rlhf_kit.models import loading, tiny
from rlhf_kit.models.heads import Policy, reading_limit
from rlhf_kit.models.judging import reward_scores
from rlhf_kit.sampling import given_rollout

close = torch.testing.assert_close


def batch(policy: Policy) -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of ids, the second with three places of padding on the left."""
    ids = torch.tensor([[3, 9, 4, 8, 5, 7], [0, 0, 0, 6, 5, 9]])
    return ids, torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]]).bool()


@pytest.mark.parametrize("name", ["policy", "llama"])
def test_left_padding_shifts_nothing(name, request):
    policy = request.getfixturevalue(name)
    padded = policy(*batch(policy), keep=2)
    bare = policy.lm(torch.tensor([[6, 5, 9]]), output_hidden_states=True)
    close(padded.logits[1], bare.logits[0, -2:], atol=1e-4, rtol=1e-5)
    close(padded.value[1], policy.value_head(bare.hidden_states[-1])[0, -2:, 0], atol=1e-4, rtol=1e-5)
    assert padded.logits.shape == (2, 2, len(policy.tokenizer))


@pytest.mark.parametrize("name", ["policy", "llama"])
def test_going_on_from_a_cache_is_reading_the_whole(name, request):
    policy = request.getfixturevalue(name)
    ids, mask = batch(policy)
    first = policy(ids[:, :4], mask[:, :4], keep=1, use_cache=True)
    then = policy(ids[:, 4:], mask, keep=2, cache=first.cache, use_cache=True)
    whole = policy(ids, mask, keep=3)
    close(torch.cat([first.logits, then.logits], 1), whole.logits, atol=1e-4, rtol=1e-5)
    close(torch.cat([first.value, then.value], 1), whole.value, atol=1e-4, rtol=1e-5)
    assert whole.cache is None


def test_the_critics_first_guess_is_zero(policy):
    fresh = Policy(policy.lm, policy.tokenizer)
    assert (fresh(*batch(fresh), keep=6).value == 0).all()
    assert fresh.value_head.weight.requires_grad


def test_values_are_left_out_where_nobody_needs_them(policy):
    assert policy(*batch(policy), keep=1, need_value=False).value is None
    assert policy.reference()(*batch(policy), keep=1).value is None


def test_a_separate_trunk_keeps_the_critics_gradient_from_the_policy(policy):
    lm = copy.deepcopy(policy.lm).requires_grad_(True)
    two = Policy(lm, policy.tokenizer, value_trunk=copy.deepcopy(lm.base_model))
    two.value_head.weight.data.fill_(1.0)
    two(*batch(two), keep=3).value.sum().backward()
    assert all(p.grad is None for p in two.lm.parameters())
    assert any(p.grad is not None and p.grad.any() for p in two.value_trunk.parameters())


def test_a_shared_trunk_learns_from_the_critic_too(policy):
    one = Policy(copy.deepcopy(policy.lm).requires_grad_(True), policy.tokenizer)
    one.value_head.weight.data.fill_(1.0)
    one(*batch(one), keep=3).value.sum().backward()
    assert one.lm.transformer.h[0].mlp.c_fc.weight.grad.any()


def test_a_trunk_without_a_head_is_refused(policy):
    with pytest.raises(ValueError, match="value_head=False"):
        Policy(policy.lm, policy.tokenizer, value_head=False, value_trunk=policy.lm.base_model)


def test_the_reference_is_a_frozen_copy_that_stays_behind(policy):
    learner = Policy(copy.deepcopy(policy.lm).requires_grad_(True), policy.tokenizer)
    learner(*batch(learner), keep=1).logits.sum().backward()            # a gradient there is must not be copied
    reference = learner.train().reference()
    assert not reference.training
    assert reference.value_head is None
    assert all(not p.requires_grad and p.grad is None for p in reference.parameters())
    before = reference(*batch(policy), keep=1).logits
    close(before, policy(*batch(policy), keep=1).logits)
    with torch.no_grad():
        for p in learner.lm.parameters():
            p.add_(0.1)
    assert torch.equal(reference(*batch(policy), keep=1).logits, before)
    assert reference.lm.lm_head.weight is reference.lm.transformer.wte.weight


@pytest.mark.parametrize("name", ["policy", "llama"])
def test_the_context_is_the_models_own(name, request):
    assert request.getfixturevalue(name).context == 48


def test_the_context_of_a_model_that_sees_pictures_is_that_of_its_text_part():
    """It has none of its own: prompts were never too long, and a judge read 512 tokens of any text."""
    config = Gemma3Config(text_config={"max_position_embeddings": 77})
    lm = SimpleNamespace(config=config, base_model=None)
    assert Policy.context.fget(SimpleNamespace(lm=lm)) == 77
    assert reading_limit(lm) == 77


def test_float32_repeats_itself_and_bfloat16_does_not(policy):
    assert policy.repeats_itself
    assert not Policy(copy.deepcopy(policy.lm).to(torch.bfloat16), policy.tokenizer).repeats_itself


def test_the_value_head_stays_float32(policy):
    """Values are differences of rewards; bfloat16 would round them to three digits."""
    coarse = Policy(copy.deepcopy(policy.lm).to(torch.bfloat16), policy.tokenizer)
    assert coarse(*batch(coarse), keep=1).value.dtype == torch.float32


def test_dropout_is_the_callers_choice(tokenizer):
    lm = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_head=2, n_embd=16, n_positions=16,
                                    pad_token_id=0, bos_token_id=1, eos_token_id=1))
    policy = Policy(lm, tokenizer)
    torch.manual_seed(0)
    policy.train()
    assert not torch.equal(*(policy(*batch(policy), keep=1).logits for _ in range(2)))
    policy.eval()
    assert torch.equal(*(policy(*batch(policy), keep=1).logits for _ in range(2)))


def test_gpt2s_own_gelu_becomes_one_kernel_that_says_the_same(tokenizer):
    """The config, and so what is saved, still says gelu_new."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lm = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_layer=2, n_head=2, n_embd=32, n_positions=16))
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        before = lm.eval()(ids).logits * 30
        after = Policy(lm, tokenizer).lm(ids).logits * 30
    assert (before - after).abs().max() < 1e-5
    assert lm.config.activation_function == "gelu_new"
    assert {type(block.mlp.act) for block in lm.transformer.h} == {torch.nn.GELU}


def test_a_likelihood_in_the_score_is_the_language_models_own_mean_of_the_response(tokenizer, tmp_path):
    """With a head of zeros nothing else is left; behind a mark that is not there, every token counts."""
    lm = tiny.llama(tokenizer, layers=1, width=64, context=48)
    policy = Policy(lm, tokenizer, value_head=False)
    zoo.save_policy(policy, tmp_path / "lm")
    model = loading.load_reward_model(tmp_path / "lm", new_head=True)
    model.model.score.weight.data.zero_()
    [mark] = tokenizer(" is", add_special_tokens=False).input_ids
    model.likelihood = 2.0, mark
    prompts, responses = ["the lamp is", "the kettle is"], [" very sturdy, and it works.", " cheap."]
    seen = given_rollout(policy, prompts, responses)
    expected = [2 * row[keep].mean().item() for row, keep in zip(seen.logprob, seen.mask, strict=True)]
    texts = [p + r for p, r in zip(prompts, responses, strict=True)]
    assert reward_scores(model, texts, max_length=48).tolist() == pytest.approx(expected, abs=1e-5)
    model.shift = 0.5
    zoo.save_reward_model(model, tmp_path / "rm")
    again = loading.load_reward_model(tmp_path / "rm")
    assert again.likelihood == (2.0, mark)
    assert reward_scores(again, texts, max_length=48).tolist() == pytest.approx([x - 0.5 for x in expected], abs=1e-5)
    model.likelihood = 2.0, tokenizer.unk_token_id
    [whole] = 2 * given_rollout(policy, ["the"], [texts[0].removeprefix("the")]).logprob.mean(-1) - 0.5
    assert reward_scores(model, texts[:1], max_length=48).item() == pytest.approx(whole.item(), abs=1e-5)
