"""The one door for models: what comes in is what was saved, nobody's code runs, and every refusal is one line."""

import copy
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging as transformers_logging

from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import (
    ModelUnavailable,
    load_classifier,
    load_language_model,
    load_policy,
    save_model,
    save_policy,
)
from rlhf_kit.models.places import found

CODE = "from pathlib import Path\nPath({marker!r}).write_text('ran')\nclass Config: pass\nclass Model: pass\n"


@pytest.fixture(scope="module")
def saved(policy, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "policy"
    save_policy(policy, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.fixture(scope="module")
def judge_folder(tokenizer, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "judge"
    save_model(tiny.classifier(tokenizer, layers=1, width=16, heads=2), tokenizer, folder)
    return folder


def refusal(load, source) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        load(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What is saved comes back.

def test_a_policy_comes_back_bit_for_bit(saved, policy):
    back = load_policy(saved)
    ours, theirs = policy.state_dict(), back.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert back.value_head.weight.any()
    assert back.lm.lm_head.weight is back.lm.transformer.wte.weight
    assert not back.training


def test_the_tokenizer_comes_back(saved, tokenizer, sentences):
    back = load_policy(str(saved)).tokenizer
    assert back.get_vocab() == tokenizer.get_vocab()
    assert [[*back(s).input_ids, 1] for s in sentences[:5]] == [tokenizer(s).input_ids for s in sentences[:5]]
    assert (back.pad_token_id, back.eos_token_id, back.padding_side) == (0, 1, "left")


def test_a_policy_is_ready_to_be_trained_and_a_classifier_to_be_asked(saved, judge_folder):
    assert all(p.requires_grad for p in load_policy(saved).parameters())
    model, _ = load_classifier(judge_folder)
    assert not any(p.requires_grad for p in model.parameters())
    assert not model.training


def test_the_value_head_is_fresh_if_none_was_saved_and_absent_if_not_wanted(folder):
    assert load_policy(folder, value_head=False).value_head is None
    (folder / "value_head.safetensors").unlink()
    assert not load_policy(folder).value_head.weight.any()


def test_a_home_folder_may_be_written_with_a_tilde(saved, policy, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent))
    assert torch.equal(load_policy("~/policy").value_head.weight, policy.value_head.weight)


def test_a_classifier_comes_back_with_its_labels(judge_folder, tokenizer):
    model, back = load_classifier(judge_folder)
    fresh = tiny.classifier(tokenizer, layers=1, width=16, heads=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters(), strict=True))
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert back.get_vocab() == tokenizer.get_vocab()


def test_the_dtype_asked_for_is_the_dtype_loaded(saved):
    back = load_policy(saved, dtype=torch.bfloat16)
    assert back.lm.dtype == torch.bfloat16
    assert back.value_head.weight.dtype == torch.float32


def test_a_folder_holds_no_pickle(saved):
    assert sorted(p.name for p in saved.glob("*.*")) == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "value_head.safetensors"]


def test_saving_and_loading_print_nothing_and_change_no_setting(policy, tmp_path, capfd):
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    save_policy(policy, tmp_path / "model")
    load_policy(tmp_path / "model")
    assert capfd.readouterr() == ("", "")
    assert (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()) == (level, bars)


# What cannot be loaded.

def test_a_pad_token_without_a_row_is_not_used_and_that_is_said(policy, tmp_path, capsys):
    """tokenizer.add_special_tokens({"pad_token": ...}) without resize_token_embeddings, as many guides forget it."""
    tokenizer = copy.deepcopy(policy.tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    save_model(policy.lm, tokenizer, tmp_path / "model")
    back = load_policy(tmp_path / "model")
    assert "[PAD]" in capsys.readouterr().err
    ids, mask = text.encode_prompts(back.tokenizer, ["the lamp is", "the"])
    known = back(ids, mask, keep=1).logits
    torch.testing.assert_close(known[1], policy(ids[1:, -1:], mask[1:, -1:], keep=1).logits[0])   # padding is masked
    save_policy(back, tmp_path / "again")
    load_policy(tmp_path / "again")
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_not_there(tmp_path):
    for source in (tmp_path / "nowhere", str(tmp_path / "nowhere"), "./nowhere", "~/nowhere"):
        assert "does not exist" in refusal(load_policy, source)


def test_a_file_instead_of_a_folder(saved):
    assert "model.safetensors is a file; expected a folder" in refusal(load_policy, saved / "model.safetensors")


def test_a_folder_without_config(folder):
    (folder / "config.json").unlink()
    assert "it has no config.json" in refusal(load_policy, folder)


@pytest.mark.parametrize("config", ["{", "", '{"model_type": "gpt2",}', "\ufeff{}", "[]", "{}", "null",
                                    '{"model_type": "no such"}', '{"model_type": "gpt2", "n_embd": "x"}'])
def test_a_broken_config(folder, config):
    (folder / "config.json").write_text(config, encoding="utf-8")
    assert str(folder) in refusal(load_policy, folder)


def test_a_config_that_is_no_text(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00\x80")
    assert "config.json is not JSON" in refusal(load_policy, folder)


def test_a_folder_without_weights(folder):
    (folder / "model.safetensors").unlink()
    (folder / "value_head.safetensors").unlink()
    assert "has no weights; expected model.safetensors" in refusal(load_policy, folder)


@pytest.mark.parametrize("name", ["model.safetensors", "value_head.safetensors"])
@pytest.mark.parametrize("length", [0, 5, 50, -1])
def test_weights_that_are_cut(folder, name, length):
    (folder / name).write_bytes((folder / name).read_bytes()[:length])
    assert str(folder) in refusal(load_policy, folder)


def test_weights_of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 64}))
    assert str(folder) in refusal(load_policy, folder)


def test_a_value_head_of_another_width(folder):
    save_file({"weight": torch.zeros(1, 5), "bias": torch.zeros(1)}, folder / "value_head.safetensors")
    assert "value_head.safetensors" in refusal(load_policy, folder)


def test_weights_that_are_missing_are_not_made_up(folder):
    """transformers would draw them at random and go on."""
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.attn.c_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "transformer.h.1.attn.c_proj.weight" in refusal(load_policy, folder)


def test_a_language_model_is_no_classifier_and_the_other_way_round(saved, judge_folder):
    assert "score.weight" in refusal(load_classifier, saved)
    assert "ModernBert" in refusal(load_policy, judge_folder)


def test_a_model_without_its_tokenizer(folder):
    """transformers would make an empty one, to which every text is nothing."""
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert "tokenizer" in refusal(load_policy, folder)


def test_a_broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")
    assert str(folder) in refusal(load_policy, folder)


# The hub.

@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "gpt3-of-nobody", "not a name"])
def test_a_name_that_the_hub_does_not_deliver(name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    for load in (load_policy, load_classifier):
        message = refusal(load, name)
        assert repr(name) in message
        assert "Check the name and the network" in message


def test_a_hub_model_with_nothing_but_a_pickle_is_read_as_plain_tensors_and_that_is_said(
        folder, policy, monkeypatch, capsys):
    """What the hub would deliver lies here in a folder; only the name is a hub name."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    real = {kind: kind.from_pretrained for kind in (AutoModelForCausalLM, AutoTokenizer)}
    asked = []

    def from_pretrained(kind):
        def load(name, **options):
            asked.append(options)
            return real[kind](folder if name == "owner/old" else name, **options)
        return load

    for kind in real:
        monkeypatch.setattr(kind, "from_pretrained", from_pretrained(kind))
    back = load_policy("owner/old")
    assert torch.equal(back.lm.transformer.wte.weight, policy.lm.transformer.wte.weight)
    assert "owner/old has no safetensors file; its .bin was read as plain tensors" in capsys.readouterr().err
    assert all(options["trust_remote_code"] is False for options in asked)
    assert [options["weights_only"] for options in asked if options.get("use_safetensors") is False] == [True]


# Nobody's code runs.

class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.pkl", "model.pth", "last.ckpt"])
def test_a_local_pickle_is_refused_by_name_and_not_opened(folder, tmp_path, name):
    (folder / "model.safetensors").unlink()
    (folder / "value_head.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "marker")))
    message = refusal(load_policy, folder)
    assert f"in a pickle ({name})" in message
    assert "save_pretrained(folder) writes model.safetensors" in message
    assert not (tmp_path / "marker").exists()


def test_a_pickle_beside_the_safetensors_is_not_opened(folder, tmp_path):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "marker")))
    assert load_policy(folder)
    assert not (tmp_path / "marker").exists()


def add_code(folder: Path, marker: Path, model_type: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model", "AutoTokenizer": ["own.Model", None]}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": model_type, "auto_map": own}))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "auto_map": own}))
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))


def test_code_in_a_folder_is_not_run(folder, tmp_path, monkeypatch):
    """A type that transformers does not know is refused; one that it knows is built by transformers' own code."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    add_code(folder, tmp_path / "marker", "own")
    assert str(folder) in refusal(load_policy, folder)
    add_code(folder, tmp_path / "marker", "gpt2")
    assert isinstance(load_policy(folder), Policy)
    assert not (tmp_path / "marker").exists()


def test_a_value_head_with_a_trunk_of_its_own_comes_back_whole(policy, tmp_path):
    critic = Policy(policy.lm, policy.tokenizer, value_trunk=copy.deepcopy(policy.lm.base_model))
    torch.nn.init.normal_(critic.value_head.weight)
    torch.nn.init.normal_(critic.value_trunk.wte.weight)                   # it has learnt something of its own
    save_policy(critic, tmp_path)
    again = load_policy(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(critic.parameters(), again.parameters(), strict=True))


def test_nobody_is_asked_to_convert_a_model(monkeypatch):
    """transformers would post the model's name, and the token, to a third party when a model has no safetensors."""
    from transformers import modeling_utils, safetensors_conversion
    asked = []
    for module in (modeling_utils, safetensors_conversion):
        if hasattr(module, "auto_conversion"):
            monkeypatch.setattr(module, "auto_conversion", lambda *a, **k: asked.append(a))
    with pytest.raises(ModelUnavailable):
        load_policy("someone/bin-only")
    assert not asked
    assert os.environ["DISABLE_SAFETENSORS_CONVERSION"] == "1"


@pytest.mark.parametrize("load", [load_policy, load_language_model])
def test_an_adapter_beside_a_model_is_mentioned_and_left_alone(saved_llama, tmp_path, capsys, load):
    """Somebody trained one into the folder of its base; transformers would add it unasked."""
    from rlhf_kit.models.adapters import LoRA, put_on
    folder = shutil.copytree(saved_llama, tmp_path / "both")
    trained = put_on(load_language_model(saved_llama)[0], LoRA(rank=2, alpha=4), "default")
    with torch.no_grad():
        for name, p in trained.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.5)
    trained.save_pretrained(folder)
    capsys.readouterr()
    found = load(folder)
    lm = found.lm if load is load_policy else found[0]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "holds an adapter beside its model; the model was loaded without it. To add it: rlhf-kit merge" in said
    ids = torch.tensor([[3, 4, 5]])
    assert torch.equal(lm(input_ids=ids).logits, load_language_model(saved_llama)[0](input_ids=ids).logits)
    from transformers import AutoModelForCausalLM
    added = AutoModelForCausalLM.from_pretrained(folder)             # and for others transformers does as it did
    assert any("lora" in name for name, _ in added.named_parameters())


# Where a model may stand, looked at without torch

def test_a_runs_folder_names_the_models_in_it(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run" / "policy")
    with pytest.raises(ModelUnavailable, match=r"no config.json.* Models lie in .*run/policy: name one of these\."):
        load_policy(tmp_path / "run")


@pytest.mark.parametrize("name", ["runs/mine/policy", "runs\\mine", "./here", "C:\\models\\mine"])
def test_what_can_be_no_name_on_the_hub_is_a_folder_that_is_missing(name):
    with pytest.raises(ModelUnavailable, match="does not exist; give a folder"):
        load_policy(name)


def test_a_slip_beside_a_folder_gets_the_nearest(tmp_path, monkeypatch):
    (tmp_path / "runs" / "tour").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelUnavailable, match=r"runs/tuor does not exist. Did you mean runs.tour\?"):
        load_policy("runs/tuor")
    assert found("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


def test_a_proxy_that_is_set_is_named_and_its_address_is_not(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:9")
    message = refusal(load_policy, "no-such-owner/no-such-model")
    assert "HF_ENDPOINT for a mirror; ALL_PROXY is set" in message
    assert "secret" not in message


def test_what_needs_no_network_works_behind_a_broken_proxy(saved, monkeypatch):
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    load_policy(saved)
