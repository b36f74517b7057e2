"""An adapter and its base as one model: it says what both say side by side, or is refused, whatever it holds."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from rlhf_kit import zoo
from rlhf_kit.models import adapters, loading
from rlhf_kit.models.adapters import AdapterError
from rlhf_kit.models.loading import ModelUnavailable

pytestmark = pytest.mark.filterwarnings("ignore")        # peft's, of tied weights
TEXT = torch.tensor([[3, 10, 20, 30, 40, 50, 60]])
KINDS = {"CAUSAL_LM": AutoModelForCausalLM, "SEQ_CLS": AutoModelForSequenceClassification}


@pytest.fixture(scope="module")
def tied(saved_llama, tmp_path_factory):
    """The same Llama with its output layer tied to its embedding."""
    folder = shutil.copytree(saved_llama, tmp_path_factory.mktemp("tied") / "llama")
    (folder / "config.json").write_text(json.dumps({**json.loads((folder / "config.json").read_text()),
                                                    "tie_word_embeddings": True}))
    weights = load_file(folder / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def made(base, folder, task="CAUSAL_LM", added=0, labels=1, save_rows="auto", template=None, **lora):
    """An adapter with random numbers as plain peft saves it, and the logits of its base with it beside: [1, 7, V]."""
    torch.manual_seed(1)
    model = KINDS[task].from_pretrained(base, **({"num_labels": labels} if task == "SEQ_CLS" else {}))
    tokenizer = AutoTokenizer.from_pretrained(base)
    if added:
        tokenizer.add_special_tokens({"additional_special_tokens": [f"<|x{i}|>" for i in range(added)]})
        model.resize_token_embeddings(len(tokenizer))
    tokenizer.chat_template = template
    both = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, task_type=task,
                                            **{"target_modules": "all-linear", **lora})).eval()
    with torch.no_grad():
        for parameter in both.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
        said = both(TEXT).logits
    both.save_pretrained(folder, save_embedding_layers=save_rows)
    tokenizer.save_pretrained(folder)
    return folder, said


@torch.no_grad()
def says(folder, task="CAUSAL_LM"):
    return KINDS[task].from_pretrained(folder, dtype=torch.float32).eval()(TEXT).logits


HELD = {"layers": {}, "the head": {"target_modules": ["lm_head"]},
        "the embedding": {"target_modules": ["embed_tokens", "q_proj"]}, "a copy of the head":
        {"modules_to_save": ["lm_head"]}, "a copy of the embedding": {"modules_to_save": ["embed_tokens"]},
        "copies of both": {"modules_to_save": ["lm_head", "embed_tokens"]}, "added tokens": {"added": 3},
        "two tokens": {"trainable_token_indices": [5, 6]}, "directions": {"use_dora": True}}


@pytest.mark.parametrize("base", ["saved_llama", "tied"])
@pytest.mark.parametrize("held", HELD)
def test_the_merged_model_says_what_base_and_adapter_say(held, base, request, tmp_path):
    """In plain transformers, from its folder: nothing of the adapter is lost, nothing lands in a tied tensor too."""
    adapter, expected = made(request.getfixturevalue(base), tmp_path / "adapter", **HELD[held])
    zoo.merge_adapter(adapter, tmp_path / "merged", dtype="float32")
    assert torch.allclose(says(tmp_path / "merged"), expected, atol=1e-5 * expected.abs().max())
    policy = zoo.load_policy(adapter)                    # and so does whoever is handed the adapter's folder
    assert torch.allclose(policy.lm(TEXT).logits, expected, atol=1e-5 * expected.abs().max())


@pytest.mark.parametrize("labels", [1, 2])
def test_a_merged_judge_keeps_its_head(saved_llama, tmp_path, labels):
    adapter, expected = made(saved_llama, tmp_path / "adapter", "SEQ_CLS", labels=labels)
    zoo.merge_adapter(adapter, tmp_path / "merged", dtype="float32")
    assert torch.allclose(says(tmp_path / "merged", "SEQ_CLS"), expected, atol=1e-5)
    assert zoo.is_reward_model(adapter) == zoo.is_reward_model(tmp_path / "merged") == (labels == 1)
    for place in (adapter, tmp_path / "merged"):
        model = zoo.load_reward_model(place).model if labels == 1 else zoo.load_classifier(place)[0]
        assert torch.allclose(model(TEXT).logits, expected, atol=1e-5)
    with pytest.raises(ModelUnavailable, match="adapter of a classifier or a reward model; expected a language model"):
        zoo.load_policy(adapter)


def test_in_16_bits_it_is_rounded_once(saved_llama, tmp_path):
    """Each weight is W + (α/r) B A rounded to bfloat16, not the sum of two roundings."""
    adapter, _ = made(saved_llama, tmp_path / "adapter")
    for dtype in ("float32", "bfloat16"):
        zoo.merge_adapter(adapter, tmp_path / dtype, dtype=dtype)
    exact, rounded = (load_file(tmp_path / dtype / "model.safetensors") for dtype in ("float32", "bfloat16"))
    assert all(torch.equal(rounded[name], exact[name].bfloat16()) for name in exact)


def test_the_adapters_chat_template_is_kept(saved_llama, tmp_path):
    adapter, _ = made(saved_llama, tmp_path / "adapter", template="{{ messages }}!")
    zoo.merge_adapter(adapter, tmp_path / "merged")
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == "{{ messages }}!"


@pytest.mark.parametrize(("options", "complaint"), [
    ({"added": 3, "save_rows": False}, r"an embedding of \d+ rows: '<\|x0\|>', '<\|x1\|>', '<\|x2\|>' cannot be read"),
    ({"added": 3, "save_rows": False, "modules_to_save": ["embed_tokens"]}, "rows for the input layer alone"),
])
def test_rows_that_were_not_saved_are_not_made_up(tied, tmp_path, options, complaint):
    adapter, _ = made(tied, tmp_path / "adapter", **options)
    with pytest.raises((AdapterError, ModelUnavailable), match=complaint):
        zoo.merge_adapter(adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_tensor_without_a_place_is_noticed(saved_llama, tmp_path):
    adapter, _ = made(saved_llama, tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({**weights, "base_model.model.score.weight": torch.ones(1, 64)}, adapter / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match=r"brings 1 tensors that its base, a LlamaForCausalLM, has no place for"):
        zoo.merge_adapter(adapter, tmp_path / "merged")


def test_a_sum_that_says_something_else_is_not_written(saved_llama, tmp_path, monkeypatch):
    """The attack: weights that change between adding up and saving."""
    adapter, _ = made(saved_llama, tmp_path / "adapter")
    save = loading.save_model

    def other(model, tokenizer, folder):
        model.lm_head.weight.data *= 1.5
        save(model, tokenizer, folder)
    monkeypatch.setattr(loading, "save_model", other)
    with pytest.raises(AdapterError, match=r"the merged model's logits differ by \d+\.\d%"):
        zoo.merge_adapter(adapter, tmp_path / "merged", dtype="float32")
    assert not (tmp_path / "merged").exists()


def test_a_base_in_4_bits_is_written_out_as_what_the_adapter_was_trained_beside(saved_llama, tmp_path):
    lm, tokenizer = loading.load_language_model(saved_llama, quantize="nf4")
    loading.save_model(lm, tokenizer, tmp_path / "four")
    both = get_peft_model(lm, LoraConfig(r=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in both.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05)
        expected = both(TEXT).logits
    lm.name_or_path = str(tmp_path / "four")
    both.peft_config["default"].base_model_name_or_path = str(tmp_path / "four")
    both.save_pretrained(tmp_path / "adapter")
    zoo.merge_adapter(tmp_path / "adapter", tmp_path / "merged", dtype="float32")
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    assert torch.allclose(says(tmp_path / "merged"), expected, atol=1e-4 * expected.abs().max())


def test_an_adapter_on_an_adapter_is_both(saved_llama, tmp_path):
    """A second one, trained on the first one's folder, names it as its base; so does its signature."""
    first, _ = made(saved_llama, tmp_path / "first")
    zoo.merge_adapter(first, tmp_path / "merged", dtype="float32")
    second, expected = made(tmp_path / "merged", tmp_path / "second")
    config = json.loads((second / "adapter_config.json").read_text())
    (second / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(first)}))
    adapters.sign(second, first)
    assert torch.allclose(zoo.load_policy(second).lm(TEXT).logits, expected, atol=1e-5 * expected.abs().max())
    weights = load_file(first / "adapter_model.safetensors")
    save_file({name: tensor * 2 for name, tensor in weights.items()}, first / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="was trained on another base than"):
        zoo.load_policy(second)


def test_only_a_whole_model_is_read_into_8_bits(saved_llama, tmp_path):
    adapter, _ = made(saved_llama, tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"only a whole model is read into 8 or 4 bits\. Merge it first"):
        loading.load_language_model(adapter, quantize="int8")


# What is wrong with a model is said before anything is done with it

@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(saved_llama, tmp_path, value):
    folder = shutil.copytree(saved_llama, tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"1 of the numbers in model\.norm\.weight are NaN or infinite"):
        zoo.load_policy(folder)


def test_a_padding_token_without_a_row_is_left_out_and_others_are_named(saved_llama, tmp_path, capsys):
    folder = shutil.copytree(saved_llama, tmp_path / "padded")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    policy = zoo.load_policy(folder)
    assert max(policy.tokenizer("the [PAD] lamp").input_ids) < policy.lm.config.vocab_size
    assert "its pad token '[PAD]' has no row" in capsys.readouterr().err
    tokenizer.add_tokens(["<|mark|>"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelUnavailable, match=r"'\[PAD\]', '<\|mark\|>' cannot be read\. Give the model a row"):
        zoo.load_policy(folder)
