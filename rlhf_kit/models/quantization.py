"""Weights in 8 or 4 bits, the only door to bitsandbytes: what loads, what this machine can do, and one kernel for all.

    int8 (LLM.int8, arXiv:2208.07339):  W ≈ q · s/127,  q whole numbers from -127 to 127, s the largest |w| of each row
    nf4 (QLoRA, arXiv:2305.14314):      blocks of 64 weights, each the nearest of 16 quantiles of a normal distribution
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

Quantization = Literal["int8", "nf4"]
KINDS: tuple[Quantization, ...] = ("int8", "nf4")
HEADS = ("score", "classifier", "pre_classifier", "pooler", "pooler.dense", "head",
         "summary")                 # what stands on a judge's trunk: beginnings and ends of names
MISSING = ("bitsandbytes is not installed; 8 and 4 bits need it. pip install \"rlhf-kit[scale]\", or leave --quantize "
           "out.")


class CannotQuantize(ValueError):
    """This machine or this model's shapes cannot do it; the message says which and what to do."""


def settings(kind: Quantization | None, *, threshold: float = 6.0, compute: torch.dtype = torch.float32,
             judge: bool = False) -> BitsAndBytesConfig | None:
    """What `from_pretrained(quantization_config=...)` is given; None loads the weights as they are.

    Args:
        threshold: int8 keeps input columns in which an activation exceeds it in 16 bits. They are looked for in the
            whole batch, so a text's logits depend a little on its neighbours; 0 switches that off.
        judge: of a classifier or a reward model, whose head, and pooler, learn whole and stay as they are.
        compute: the type in which nf4's weights are multiplied and, so that FSDP can shard them, stored.

    Raises: CannotQuantize.
    """
    if kind is None:
        return None
    if kind not in KINDS:
        raise CannotQuantize(f"quantize is {kind!r}; expected {' or '.join(map(repr, KINDS))}, or nothing.")
    check_machine()
    whole = list(HEADS) if judge else None
    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=threshold, llm_int8_skip_modules=whole)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute,
                              bnb_4bit_quant_storage=compute, llm_int8_skip_modules=whole)


def check_machine() -> None:
    """Raises CannotQuantize if bitsandbytes is missing or has no library for this machine."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise CannotQuantize(MISSING)
    _quiet()
    from bitsandbytes.cextension import lib
    if type(lib).__name__.startswith("Error"):
        raise CannotQuantize("bitsandbytes is installed and has no library for this machine (python -m bitsandbytes "
                             "tells more). Leave --quantize out, or install a build for it.")


def check_shapes(config: PretrainedConfig, kind: Quantization | None, device: str | torch.device = "cpu") -> None:
    """Raises CannotQuantize where nf4's fast path on this CPU would fail in the middle of a run.

    It wants rows in multiples of 32 and columns in multiples of 64; 8 bits and GPUs take any shape.
    """
    if kind != "nf4" or torch.device(device).type != "cpu":
        return
    for name in ("hidden_size", "intermediate_size", "head_dim"):
        size = getattr(config, name, None)
        if name != "head_dim" and size and size % 64:
            raise CannotQuantize(f"the model's {name} is {size}; in 4 bits on a CPU it must be a multiple of 64. "
                                 f"Use int8, or a GPU.")


def one_kernel(model: nn.Module) -> nn.Module:
    """Make 8- and 4-bit layers compute the same in sampling and in learning; everything else is as in `eval()`.

    On a CPU an 8-bit layer multiplies in floating point while it trains and in whole numbers, its inputs rounded too,
    while it does not: the ratio π/π_old would start up to a fifth away from 1. A 4-bit layer, on a CPU that knows
    bfloat16 (AVX512-BF16), rearranges its weights for good when it first evaluates, multiplies in bfloat16 from then
    on, and what is merged into it afterwards is rubbish. So these layers stay in training mode, where there is nothing
    else for that mode to change.
    """
    return set_training(model, False)


def set_training(model: nn.Module, mode: bool) -> nn.Module:
    """`model.train(mode)`, but for layers in 8 or 4 bits, which keep `one_kernel`."""
    model.train(mode)
    for layer in quantized_layers(model):
        layer.train()
    return model


def quantized_layers(model: nn.Module) -> Iterator[nn.Module]:
    """The layers whose weights are in 8 or 4 bits; not those of the same name that an adapter puts around them."""
    return (layer for layer in model.modules() if type(layer).__module__.startswith("bitsandbytes."))


def is_quantized(model: nn.Module) -> bool:
    """True if some layer holds 8- or 4-bit weights."""
    return any(True for _ in quantized_layers(model))


def dequantized(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """The same model with its 8- or 4-bit weights written out as the numbers that they stand for."""
    _quiet()
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        whole = model.dequantize().to(dtype)
    finally:
        transformers_logging.set_verbosity(level)
    for config in (whole.config, whole.config.get_text_config()):
        config.__dict__.pop("quantization_config", None)
    whole._weight_conversions = None                    # how it was read, which saving would go through backwards
    return whole.eval()


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """LLM.int8's rounding by hand: whole numbers [out, in] int8 and the largest |w| of each row [out].

        q = round(127 w / s),   s = max |w| of the row
    """
    largest = weight.abs().amax(dim=1)                                           # [out]
    scaled = weight / largest.clamp(min=torch.finfo(weight.dtype).tiny)[:, None] * 127
    return scaled.round().to(torch.int8), largest


def restore_rows(whole: Tensor, largest: Tensor) -> Tensor:
    """The weights that `quantize_rows` left: q · s / 127."""
    return whole.to(largest.dtype) * largest[:, None] / 127


def about(model: nn.Module) -> dict[str, Any]:
    """How many bytes the weights really take, constants of quantisation included, and how many numbers they are.

    transformers' `get_memory_footprint` leaves the constants out.
    """
    numbers = held = 0
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)                          # 4 bits: several numbers a byte
        numbers += parameter.numel() if state is None else state.shape.numel()
        held += parameter.numel() * parameter.element_size()
    for layer in quantized_layers(model):
        held += sum(constant.numel() * constant.element_size() for constant in _constants(layer))
    return {"parameters": numbers, "bytes": held}


def _constants(layer: nn.Module) -> Iterator[Tensor]:
    """The scales beside a layer's weights; after its first pass an 8-bit layer keeps them elsewhere."""
    weight = layer.weight
    state = getattr(weight, "quant_state", None)
    nested = getattr(state, "state2", None)
    scale = getattr(weight, "SCB", None)
    found = (getattr(getattr(layer, "state", None), "SCB", None) if scale is None else scale,
             getattr(state, "absmax", None), getattr(state, "code", None), getattr(nested, "absmax", None),
             getattr(nested, "code", None))
    return (tensor for tensor in found if isinstance(tensor, Tensor))


def _quiet() -> None:
    """No line for each forward pass about a cast to 16 bits."""
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
