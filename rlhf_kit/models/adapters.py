"""LoRA adapters, the only door to peft: small matrices beside frozen weights, switched on, off, or merged.

    W x + (α/r) · B A x,      A [r, in] drawn at random, B [out, r] zero: a fresh adapter changes nothing
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from rlhf_kit.models.quantization import is_quantized

MISSING = "peft is not installed; adapters need it. pip install 'rlhf-kit[scale]'."
CONFIG, WEIGHTS, OF_BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
NOT_INTO_WHOLE = ("the base is held in 8 or 4 bits; merged there, most of a small update would be rounded away. Merge "
                  "into the same model in bfloat16 or float32.")


class AdapterError(ValueError):
    """An adapter does not fit, or may not be merged there; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """The shape of an adapter. Source: Hu et al. 2021, arXiv:2106.09685."""

    rank: int = 16                      # r; adds r·(in + out) numbers to each matrix
    alpha: int = 32                     # the update counts α/r times
    dropout: float = 0.0                # of the adapter's input; 0 for PPO, or the first ratio is not 1
    targets: str | tuple[str, ...] = "all-linear"       # names of modules; all-linear leaves the head out

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise ValueError(f"rank is {self.rank} and alpha {self.alpha}; both must be at least 1, such as 16 and 32.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it is a share, at least 0 and below 1.")

    def settings(self, task: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM") -> Any:
        """The same as peft's `LoraConfig`; for "SEQ_CLS" the new head is trained and saved along."""
        _check_installed()
        from peft import LoraConfig
        targets = self.targets if isinstance(self.targets, str) else list(self.targets)
        return LoraConfig(r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, target_modules=targets,
                          task_type=task)


def put_on(lm: PreTrainedModel, lora: LoRA, name: str, seed: int = 0) -> Any:
    """Freeze a model and put a fresh adapter into its layers, its first numbers drawn from `seed`; returns peft's view.

    Raises: AdapterError for targets that are not there.
    """
    _check_installed()
    from peft import get_peft_model
    check_targets(lm, lora)
    with torch.random.fork_rng(devices=[]), no_chatter():
        torch.manual_seed(seed)
        return get_peft_model(lm, lora.settings(), adapter_name=name)


def check_targets(lm: nn.Module, lora: LoRA) -> None:
    """Raises AdapterError if a named target is no linear layer of the model."""
    if isinstance(lora.targets, str):
        if lora.targets != "all-linear":
            raise AdapterError(f"targets is {lora.targets!r}; expected 'all-linear' or a tuple of names.")
        return
    linear = {name.rpartition(".")[2] for name, layer in lm.named_modules()
              if isinstance(layer, nn.Linear) or "Linear" in type(layer).__name__ or type(layer).__name__ == "Conv1D"}
    if missing := [name for name in lora.targets if name not in linear]:
        raise AdapterError(f"the model has no linear layer named {missing[0]!r}; it has {', '.join(sorted(linear))}. "
                           f"Name some of these, or all-linear.")


def merge(base: PreTrainedModel, adapter: str | Path) -> PreTrainedModel:
    """The base with an adapter added into its weights, W ← W + (α/r) · B A; the adapter's place is gone.

    Only into whole numbers of 16 bits or more: 8-bit weights keep a tenth, 4-bit ones a hundredth of a small update
    (an adapter at 0.03 of its size lost 89 % of its effect in int8, measured as KL; at 0.3 it lost 99.7 % in nf4), for
    what is smaller than half a step of the grid is rounded away.

    Raises: AdapterError for a quantised base, or an adapter that was trained on another one.
    """
    if is_quantized(base):
        raise AdapterError(NOT_INTO_WHOLE)
    return _merged(base, Path(adapter))


def _merged(base: PreTrainedModel, folder: Path, scale: float = 1.0) -> PreTrainedModel:
    with no_chatter():
        return beside(base, folder, scale).merge_and_unload(safe_merge=True)


def beside(base: PreTrainedModel, adapter: str | Path, scale: float = 1.0) -> Any:
    """The base with an adapter beside its weights, not in them, counted `scale` times: peft's model, to be looked at.

    Raises: AdapterError for an adapter of another base.
    """
    with_adapter = _loaded(base, Path(adapter))
    for layer in with_adapter.modules():
        if isinstance(getattr(layer, "scaling", None), dict):        # an attention has a number of that name
            layer.scaling = {key: value * scale for key, value in layer.scaling.items()}
    return with_adapter


def _loaded(base: PreTrainedModel, folder: Path) -> Any:
    _check_installed()
    adapter_weights(folder, base)
    from peft import PeftModel
    with no_chatter():
        return PeftModel.from_pretrained(base, str(folder))


def base_of(adapter: str | Path) -> str:
    """The model that an adapter's own file names as its base. Raises: AdapterError."""
    adapter = Path(adapter)
    if not (adapter / CONFIG).is_file():
        raise AdapterError(f"{adapter} holds no adapter; expected {CONFIG} and {WEIGHTS}.")
    named = _read_json(adapter / CONFIG).get("base_model_name_or_path")
    if not named:
        raise AdapterError(f"{adapter / CONFIG} does not say which base it was trained on. Name it with --base.")
    return named


def check_mergeable(base: str | Path) -> None:
    """Raises AdapterError if that folder holds weights in 8 or 4 bits, before they are loaded."""
    if _read_json(Path(base).expanduser() / "config.json").get("quantization_config"):
        raise AdapterError(NOT_INTO_WHOLE)


def sign(folder: str | Path, base: str | Path, **more: Any) -> None:
    """Write beside an adapter which base it was trained on, so that another one is noticed; `more` is kept along."""
    (Path(folder) / OF_BASE).write_text(json.dumps({"base": weights_id(base), **more}, indent=1), encoding="utf-8")


def check_base(adapter: str | Path, base: str | Path) -> None:
    """Raises AdapterError if the adapter was signed for another base than the one in that folder."""
    said = _read_json(Path(adapter) / OF_BASE).get("base")
    if said is not None and said != weights_id(base):
        raise AdapterError(f"{adapter} was trained on another base than {base}; on this one it would change weights "
                           f"that it never saw. Name the base that it was trained on.")


def weights_id(folder: str | Path) -> str:
    """Sixteen characters that stand for a model's weight files: sizes, and 4 KB at 64 places of each."""
    digest = hashlib.sha256()
    for file in sorted(Path(folder).glob("model*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.name} {size} ".encode())
        with open(file, "rb") as opened:
            for place in range(0, size, max(size // 64, 4096)):
                opened.seek(place)
                digest.update(opened.read(4096))
    return digest.hexdigest()[:16]


def adapter_weights(folder: Path, lm: nn.Module) -> dict[str, Tensor]:
    """The tensors of an adapter's file, of which every one fits into the model. Raises: AdapterError."""
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise AdapterError(f"{folder} holds no adapter; expected {CONFIG} and {WEIGHTS}, as the sft, reward and ppo "
                           f"stages leave them.")
    if not _read_json(folder / CONFIG).get("r"):
        raise AdapterError(f"{folder / CONFIG} is damaged, or tells of no LoRA adapter; copy the folder again.")
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{folder / WEIGHTS} is no sound safetensors file ({error}); copy it again.") from error
    layers = dict(lm.named_modules())
    for name, tensor in weights.items():
        if ".lora_A." not in name:
            continue
        place = name.removeprefix("base_model.model.").partition(".lora_A.")[0]
        layer = layers.get(place)
        inside = getattr(getattr(layer, "base_layer", layer), "in_features", None)
        if layer is None or (inside is not None and inside != tensor.shape[1]):
            has = "no such layer" if layer is None else f"one of {inside} inputs"
            raise AdapterError(f"{folder} is an adapter of another base: it changes {place} with {tensor.shape[1]} "
                               f"inputs, and this model has {has}. Name the base that it was trained on.")
    return weights


def _read_json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _check_installed() -> None:
    if importlib.util.find_spec("peft") is None:
        raise AdapterError(MISSING)


@contextmanager
def no_chatter() -> Iterator[None]:
    """Without peft's and transformers' notes to their own developers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")
        warnings.filterwarnings("ignore", message="Could not find a config file in")
        yield
