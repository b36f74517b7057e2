"""What survives a merge: all of it in 32 bits, of a small update little in 8 and nothing in 4."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from rlhf_kit.models.adapters import AdapterError, LoRA
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.studies.merging import Effect, merge_loss

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
TEXTS = ["the lamp is sturdy", "the kettle is very loud, and it broke.", "the pen"]


@pytest.fixture(scope="module")
def adapter(saved_llama, tmp_path_factory):
    """One that has learnt something: its B are drawn, not zero."""
    folder = tmp_path_factory.mktemp("adapter")
    SharedBase(*load_language_model(saved_llama), lora=LoRA(rank=4, alpha=8)).policy.save(folder)
    weights, g = load_file(folder / "adapter_model.safetensors"), torch.Generator().manual_seed(0)
    save_file({name: 0.02 * torch.randn(w.shape, generator=g) if "lora_B" in name else w
               for name, w in weights.items()}, folder / "adapter_model.safetensors")
    return folder


def test_a_small_update_is_lost_on_a_grid_and_nowhere_else(saved_llama, adapter):
    study = merge_loss(saved_llama, adapter, TEXTS, scales=(0.01, 1.0))
    kept = {name: {scale: effect.kept for scale, effect in effects.items()} for name, effects in study.numbers.items()}
    assert kept["fp32"][0.01] == pytest.approx(1, abs=0.1)          # of a KL of 1e-7
    assert kept["fp32"][1.0] == pytest.approx(1, abs=1e-3)
    assert kept["int8"][0.01] < 0.5 > 2 * kept["nf4"][0.01]
    assert 0.8 < kept["int8"][1.0] < 1.2
    assert kept["nf4"][1.0] < 1.5                     # a base in 4 bits that had been used was broken by merging
    assert len(study.figure.axes[0].lines) == 3


def test_an_effect_says_which_share_is_left():
    assert Effect(beside=0.5, merged=0.125).kept == 0.25


def test_a_folder_without_an_adapter_is_refused(saved_llama, tmp_path):
    with pytest.raises(AdapterError, match="holds no adapter"):
        merge_loss(saved_llama, tmp_path, TEXTS, kinds=(None,))
