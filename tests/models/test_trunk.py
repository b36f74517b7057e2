"""Trunk and output layer one after the other say what the whole model says, whatever its class does in between."""

import copy

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from rlhf_kit.models import trunk
from rlhf_kit.models.adapters import LoRA

SMALL = {"vocab_size": 90, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 48, "pad_token_id": 0, "bos_token_id": 1,
         "eos_token_id": 1}
SETTINGS = {
    "llama": SMALL, "qwen2": {**SMALL, "tie_word_embeddings": True}, "mistral": SMALL,
    "qwen3": {**SMALL, "head_dim": 8},
    "gemma2": {**SMALL, "head_dim": 8, "final_logit_softcapping": 2.0},
    "cohere": {**SMALL, "logit_scale": 0.25}, "granite": {**SMALL, "logits_scaling": 4.0},
    "gpt_neox": {k: v for k, v in SMALL.items() if k != "num_key_value_heads"},
    "gpt2": {"vocab_size": 90, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48, "bos_token_id": 1,
             "eos_token_id": 1},
    "bloom": {"vocab_size": 90, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "opt": {"vocab_size": 90, "hidden_size": 32, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
            "word_embed_proj_dim": 32, "max_position_embeddings": 48},
    "falcon": {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
}
WHOLE = {"opt"}                     # its class asks a decoder inside its trunk


def random_model(family: str) -> PreTrainedModel:
    """With weights so large that a cap on the logits is felt."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SETTINGS[family])).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(8)
    return model.requires_grad_(False)


@pytest.mark.parametrize("family", SETTINGS)
def test_the_two_parts_say_what_the_whole_says(family):
    model, ids = random_model(family), torch.randint(2, 90, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    expected = model(input_ids=ids, attention_mask=mask).logits
    assert trunk.comes_apart(model) == (family not in WHOLE)
    if trunk.comes_apart(model):
        hidden, cache = trunk.hidden_states(model, ids, mask)
        assert cache is None
        assert torch.equal(trunk.logits(model, hidden), expected)
        assert torch.allclose(trunk.logits(model, hidden[1, 4:]), expected[1, 4:], atol=1e-5)
        assert trunk.logits(model, hidden[0, :0]).shape == (0, 90)


def test_a_cap_and_a_scale_are_not_lost():
    """Gemma 2's logits stay within their cap; the bare output layer's do not."""
    capped = random_model("gemma2")
    hidden, _ = trunk.hidden_states(capped, ids := torch.tensor([[3, 4, 5]]), torch.ones_like(ids))
    assert trunk.logits(capped, hidden).abs().max() <= 2 < capped.lm_head(hidden).abs().max()


def test_a_new_output_layer_is_seen_at_once():
    model = random_model("llama")
    hidden, _ = trunk.hidden_states(model, ids := torch.tensor([[3, 4, 5]]), torch.ones_like(ids))
    before = trunk.logits(model, hidden)
    model.set_output_embeddings(nn.Linear(32, 50, bias=False))
    assert before.shape[-1] == 90
    assert trunk.logits(model, hidden).shape[-1] == 50


def test_dropout_and_the_callers_random_numbers_do_not_disturb_the_comparison():
    model = copy.deepcopy(random_model("gpt2")).train()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert trunk.comes_apart(model)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_class_that_adds_something_of_its_own_is_used_as_a_whole():
    """What is added depends on the embeddings, which the output part alone never sees."""
    model = random_model("llama")

    class Adding(type(model)):
        def forward(self, input_ids=None, inputs_embeds=None, **options):
            output = super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **options)
            if input_ids is not None:
                output.logits = output.logits + 100
            return output

    model.__class__ = Adding
    assert not trunk.comes_apart(model)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
def test_pefts_wrapper_is_looked_through():
    from peft import get_peft_model
    model, ids = random_model("llama"), torch.tensor([[3, 4, 5]])
    wrapped = get_peft_model(model, LoRA(rank=2).settings())
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
        expected = wrapped(input_ids=ids).logits
        assert trunk.comes_apart(wrapped)
        assert trunk.takes_positions(wrapped)
        assert torch.equal(trunk.logits(wrapped, trunk.hidden_states(wrapped, ids, torch.ones_like(ids))[0]), expected)


@pytest.mark.parametrize(("family", "takes"), [("llama", True), ("gpt2", True), ("bloom", False)])
def test_whether_a_model_can_be_told_positions(family, takes):
    assert trunk.takes_positions(random_model(family)) == takes
