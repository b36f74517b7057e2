"""What tests share: a small frozen policy, one thread, and no way to a person's cache or to the network."""

import gc
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")            # read once, when huggingface_hub is imported
os.environ.setdefault("RLHF_KIT_PANELS", "off")         # nobody looks at a lesson's last cell here

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from beyond import needs_posix
from transformers import LlamaConfig, LlamaForCausalLM

from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import save_model
from rlhf_kit.sampling import Sampling, sample_rollout

torch.set_num_threads(1)
for _name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON", "WORKERS", "ARGS"):
    os.environ.pop(_name, None)                         # `make test PYTHON=python3.12` speaks to this run alone
gc.disable()                                            # until every test is collected: see below


def pytest_collection_finish():
    """What is there before the first test stays: no sweep of the memory goes through all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()

# What forks, kills, makes links, or asks for make is left out on Windows.
collect_ignore = [path for path in Path(__file__).parent.rglob("test_*.py") if os.name == "nt" and needs_posix(path)]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A new, empty RLHF_KIT_CACHE for the whole run, which its workers share; or RLHF_KIT_TEST_CACHE, where `.ci/run`
    lets one run find what the one before has trained."""
    own = tmp_path_factory.getbasetemp()
    empty = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLHF_KIT_CACHE", os.environ.get("RLHF_KIT_TEST_CACHE") or str(empty))
        yield


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """120 made-up sentences of 30 different words."""
    return [f"the {noun} is {degree} {quality}, and it {verb}." for noun in ("lamp", "kettle", "bag", "chair", "pen")
            for degree in ("very", "not", "quite") for quality in ("sturdy", "pretty", "cheap", "loud")
            for verb in ("works", "broke")]


@pytest.fixture(scope="session")
def tokenizer(sentences):
    return text.train_tokenizer(sentences, 120)


@pytest.fixture(scope="session")
def policy(tokenizer) -> Policy:
    """A GPT-2 of 2 layers that has opinions, with a value head that has some too; shared, so frozen."""
    return frozen(Policy(tiny.language_model(tokenizer, layers=2, width=32, heads=2, context=48), tokenizer))


@pytest.fixture(scope="session")
def llama(tokenizer) -> Policy:
    """The same as a Llama, whose positions are rotations."""
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=48,
                         bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return frozen(Policy(LlamaForCausalLM(config), tokenizer))


@pytest.fixture(scope="session")
def saved_llama(tokenizer, tmp_path_factory) -> Path:
    """A folder with a Llama of 64 columns, which 4 bits can take too, and weights as large as after training."""
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=48, bos_token_id=None,
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = frozen(Policy(LlamaForCausalLM(config), tokenizer))
    folder = tmp_path_factory.mktemp("saved") / "llama"
    save_model(made.lm, tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def prompts() -> list[str]:
    """Prompts of four lengths, so that left padding matters."""
    return ["the lamp is", "the", "the kettle is very pretty, and it", "the pen is not"] * 4


@pytest.fixture(scope="session")
def rollout(policy, prompts):
    """One rollout at temperature 0.7; some responses end by themselves, some are cut off."""
    drawn = sample_rollout(policy, prompts, Sampling(max_new_tokens=12, temperature=0.7), seed=1)
    assert 0 < drawn.ended.sum() < len(drawn)
    return drawn


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from this tree without the network."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out,
                    Path(__file__).parents[1]], check=True, capture_output=True)
    [path] = out.glob("*.whl")
    return path


def frozen(policy: Policy) -> Policy:
    """Weights as large as after training (fresh ones predict all words alike, and any mistake would be small)."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 1.0 if name.startswith("value_head") else 0.25, generator=generator)
        policy.value_head.bias.fill_(0.5)
    return policy.requires_grad_(False).eval()
