"""Tiny architectures: as large as they say, the same for a seed, and no dropout unless asked for."""

import pytest
import torch

from rlhf_kit.models import tiny


def flat(model) -> torch.Tensor:
    return torch.cat([p.flatten() for p in model.parameters()])


@pytest.fixture(params=[tiny.language_model, tiny.classifier])
def build(request, tokenizer):
    return lambda **options: request.param(tokenizer, layers=1, width=16, heads=2, **options)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_random_numbers_alone(build):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = flat(build(seed=3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(flat(build(seed=3)), first)
    assert not torch.equal(flat(build(seed=4)), first)


def test_there_is_no_dropout_even_in_training(build):
    model = build().train()
    ids = torch.tensor([[3, 4, 5, 6]])
    assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)


def test_a_classifier_may_have_dropout(tokenizer):
    model, ids = tiny.classifier(tokenizer, layers=1, width=16, heads=2, dropout=0.5), torch.tensor([[3, 4, 5, 6]])
    assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)         # it comes ready to be asked
    model.train()
    assert not torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)


def test_parameters_of_a_gpt2_by_hand(tokenizer):
    """Embeddings Vd + Ld, each layer 12d² + 13d, final norm 2d; the output is the input embedding again."""
    v, d, layers, context = len(tokenizer), 16, 3, 20
    model = tiny.language_model(tokenizer, layers=layers, width=d, heads=2, context=context)
    assert tiny.parameters(model) == v * d + context * d + layers * (12 * d * d + 13 * d) + 2 * d
    assert model.config.n_positions == context


def test_the_judges_second_output_is_positive(tokenizer):
    model = tiny.classifier(tokenizer, layers=1, width=16, heads=2)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert model.config.label2id == {"negative": 0, "positive": 1}
    assert model(input_ids=torch.tensor([[3, 4]])).logits.shape == (1, 2)


def test_special_tokens_are_the_tokenizers(build, tokenizer):
    config = build().config
    assert (config.pad_token_id, config.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)


def test_a_classifier_from_a_language_model_reads_with_its_trunk(policy):
    model, ids = tiny.classifier_from(policy.lm, seed=1), torch.tensor([[3, 4, 5], [3, 4, 0]])
    hidden = policy.lm.transformer(ids[:1]).last_hidden_state[0, -1]
    torch.testing.assert_close(model(input_ids=ids).logits[0], model.score(hidden))
    short = policy.lm.transformer(ids[1:, :2]).last_hidden_state[0, -1]          # the last token, not the padding
    torch.testing.assert_close(model(input_ids=ids).logits[1], model.score(short))
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert model.transformer.wte.weight is not policy.lm.transformer.wte.weight
