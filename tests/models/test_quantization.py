"""8 and 4 bits: rounding by hand, what the weights really take, and one kernel for sampling and learning."""

import sys

import pytest
import torch
from transformers import LlamaConfig

from rlhf_kit.models import quantization
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import (
    CannotQuantize,
    about,
    check_shapes,
    is_quantized,
    one_kernel,
    quantize_rows,
    quantized_layers,
    restore_rows,
    settings,
)


def test_rounding_by_hand():
    """127 · 0.5 / 2 = 31.75, so 32; the largest of a row comes back exactly, a row of zeros too."""
    weight = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.0, 0.0]])
    whole, largest = quantize_rows(weight)
    assert whole.tolist() == [[127, 32, -64], [0, 0, 0]]
    assert whole.dtype == torch.int8
    assert largest.tolist() == [2.0, 0.0]
    assert restore_rows(whole, largest)[0].tolist() == pytest.approx([2.0, 64 / 127, -128 / 127])


def test_no_weight_moves_by_more_than_half_a_step():
    weight = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    whole, largest = quantize_rows(weight)
    step = largest[:, None] / 127
    assert ((restore_rows(whole, largest) - weight).abs() <= step / 2 + 1e-6).all()


def test_the_library_rounds_as_we_do(saved_llama):
    plain, lm = (load_language_model(saved_llama, quantize=kind)[0] for kind in (None, "int8"))
    [layer, *_] = quantized_layers(lm)
    weight = plain.model.layers[0].self_attn.q_proj.weight.half().float()        # it reads them in 16 bits
    whole, largest = quantize_rows(weight)
    assert (layer.weight.data.int() - whole.int()).abs().max() <= 1              # where q is all but half-way
    assert (layer.weight.data == whole).float().mean() > 0.99
    assert torch.equal(layer.state.SCB, largest)


@pytest.mark.parametrize(("kind", "bytes_of_a_linear"), [(None, 4.0), ("int8", 1.0), ("nf4", 0.5)])
def test_what_the_weights_take(saved_llama, kind, bytes_of_a_linear):
    plain, lm = (load_language_model(saved_llama, quantize=k)[0] for k in (None, kind))
    linear = sum(p.numel() for name, p in plain.named_parameters() if "proj" in name)
    rest = sum(p.numel() for p in plain.parameters()) - linear
    seen = about(lm)
    assert seen["parameters"] == linear + rest
    constants = seen["bytes"] - linear * bytes_of_a_linear - rest * 4
    rows = sum(p.shape[0] for name, p in plain.named_parameters() if "proj" in name)
    assert constants == pytest.approx({None: 0, "int8": 4 * rows, "nf4": linear / 64 * 4}[kind], abs=1100)
    assert is_quantized(lm) == (kind is not None)


def test_one_kernel_in_sampling_and_learning(saved_llama):
    """In `eval()` the library rounds the inputs too, on a CPU; a policy's logits do not change with its mode."""
    lm, tokenizer = load_language_model(saved_llama, quantize="int8")
    ids = torch.randint(3, 60, (4, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        learning, sampling = lm.train()(input_ids=ids).logits, lm.eval()(input_ids=ids).logits
        assert (learning - sampling).abs().max() > 1e-3
        assert torch.equal(one_kernel(lm)(input_ids=ids).logits, learning)
        assert not lm.training
        policy = Policy(lm, tokenizer)
        for mode in (True, False):
            assert torch.equal(policy.train(mode).lm(input_ids=ids).logits, learning)


def test_an_unknown_kind_and_a_machine_without_the_library(monkeypatch):
    with pytest.raises(CannotQuantize, match="quantize is 'int7'; expected 'int8' or 'nf4'"):
        settings("int7")
    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CannotQuantize, match=r'bitsandbytes is not installed.*pip install "rlhf-kit\[scale\]"'):
        settings("int8")


def test_a_machine_for_which_there_is_no_build(monkeypatch):
    class ErrorHandlerMockBNBNativeLibrary:
        pass
    import bitsandbytes.cextension
    monkeypatch.setattr(sys.modules["bitsandbytes.cextension"], "lib", ErrorHandlerMockBNBNativeLibrary())
    assert bitsandbytes.cextension.lib
    with pytest.raises(CannotQuantize, match="no library for this machine"):
        settings("nf4")


def test_shapes_that_four_bits_cannot_take_here():
    odd = LlamaConfig(hidden_size=256, intermediate_size=688)
    with pytest.raises(CannotQuantize, match="intermediate_size is 688; in 4 bits on a CPU it must be"):
        check_shapes(odd, "nf4")
    for kind, device in (("int8", "cpu"), (None, "cpu"), ("nf4", "cuda")):
        check_shapes(odd, kind, device)
