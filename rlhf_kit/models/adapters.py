"""LoRA adapters, the only door to peft: small matrices beside frozen weights, switched on, off, or merged.

    W x + (α/r) · B A x,      A [r, in] drawn at random, B [out, r] zero: a fresh adapter changes nothing
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.models.places import ADAPTER
from rlhf_kit.models.quantization import is_quantized

MISSING = "peft is not installed; adapters need it. pip install 'rlhf-kit[scale]'."
CONFIG, WEIGHTS, OF_BASE = ADAPTER, "adapter_model.safetensors", "base.json"
SCHEME = "tensors:"                                 # how a signature begins; without it, it is of an earlier kind
NOTHING = "e3b0c44298fc1c14"                        # SHA-256 of no files, which stood for every hub id
COMPUTED = ("inv_freq", "attn.bias", "masked_bias", "position_ids")     # buffers that some files hold and others not
NOT_INTO_WHOLE = ("the base is held in 8 or 4 bits; merged there, most of a small update would be rounded away. Merge "
                  "into the same model in bfloat16 or float32.")


class AdapterError(ValueError):
    """An adapter does not fit, or may not be merged there; the message says why and what to do."""


@spelled
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
    check_base(folder, getattr(base, "name_or_path", ""))
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
    folder = _folder(base)
    if folder is not None and _read_json(folder / "config.json").get("quantization_config"):
        raise AdapterError(NOT_INTO_WHOLE)


def sign(folder: str | Path, base: str | Path, **more: Any) -> None:
    """Write beside an adapter which base it was trained on, so that another one is noticed; `more` is kept along."""
    (Path(folder) / OF_BASE).write_text(json.dumps({"base": weights_id(base), **more}, indent=1), encoding="utf-8")


def check_base(adapter: str | Path, base: str | Path) -> None:
    """Raises AdapterError if the adapter was signed for another base than this folder or hub id holds.

    What is not signed, and a base of which no file is on this machine (yet), cannot be compared.
    """
    said = _read_json(Path(adapter) / OF_BASE).get("base")
    if not isinstance(said, str) or said == NOTHING or not _weight_files(base):
        return
    if said != (weights_id(base) if said.startswith(SCHEME) else _sampled(base)):
        raise AdapterError(f"{adapter} was trained on another base than {base}; on this one it would change weights "
                           f"that it never saw. Name the base that it was trained on.")


def weights_id(base: str | Path) -> str | None:
    """What stands for the numbers of a model in a folder or, by its hub id, in the hub's cache; None for no files.

    Of every tensor the type, the shape and all bytes, whatever it is called and however many files there are: a copy
    that was downloaded, renamed or saved anew has the same. Buffers that can be computed are left out.
    """
    if not (files := _weight_files(base)):
        return None
    sums = {line for file in files for line in _digests(*_state(file))}
    return SCHEME + hashlib.sha256("\n".join(sorted(sums)).encode()).hexdigest()[:16]


def _weight_files(base: str | Path) -> list[Path]:
    """Safetensors, else, of a hub model that has nothing else, pickles."""
    if (folder := _folder(base)) is None:
        return []
    return sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def _folder(base: str | Path) -> Path | None:
    """Where the files of a base lie: itself, or the hub's cache; None if they are not here."""
    if not str(base):                                       # a model that was made in memory
        return None
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    with suppress(HFValidationError):
        found = try_to_load_from_cache(str(base), "config.json")
        return Path(found).parent if isinstance(found, str) else None
    return None


def _state(file: Path) -> tuple[str, int, int]:
    """A file, and what changes when it is written: its bytes are read once in a process."""
    about = file.stat()
    return str(file.resolve()), about.st_size, about.st_mtime_ns


@lru_cache(maxsize=256)
def _digests(file: str, size: int, changed: int) -> tuple[str, ...]:
    """Of each tensor in a safetensors file; of a pickle, which is not opened, of the whole."""
    try:
        return _digests_of_tensors(file)
    except SafetensorError:
        with open(file, "rb") as opened:
            return (hashlib.file_digest(opened, "sha256").hexdigest(),)


def _digests_of_tensors(file: str) -> tuple[str, ...]:
    found = []
    with safe_open(file, framework="pt") as opened:
        for name in opened.keys():                          # noqa: SIM118
            if name.endswith(COMPUTED):
                continue
            tensor = opened.get_tensor(name)
            digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
            digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
            found.append(digest.hexdigest())
    return tuple(found)


def _sampled(base: str | Path) -> str:
    """How adapters were signed before: sizes of the files, and 4 KB at 64 places of each."""
    digest = hashlib.sha256()
    for file in _weight_files(base):
        if file.suffix == ".safetensors":
            size = file.stat().st_size
            digest.update(f"{file.name} {size} ".encode())
            with open(file, "rb") as opened:
                for place in range(0, size, max(size // 64, 4096)):
                    opened.seek(place)
                    digest.update(opened.read(4096))
    return digest.hexdigest()[:16]


def check_scale(adapter: str | Path, base: Any, name: str) -> None:
    """Raises AdapterError if an adapter's update counts otherwise than that of `name` on the base, peft's model."""
    theirs, ours = _read_json(Path(adapter) / CONFIG), base.peft_config[name]
    for key in ("r", "lora_alpha", "use_rslora", "use_dora", "alpha_pattern", "rank_pattern"):
        there, here = theirs.get(key), getattr(ours, key, None)
        if (there or None) != (here or None):
            raise AdapterError(f"{adapter} was trained with {key} {there} and the policy here has {here}; its update "
                               f"would count otherwise. Give the policy LoRA(rank={theirs.get('r')}, "
                               f"alpha={theirs.get('lora_alpha')}).")


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
