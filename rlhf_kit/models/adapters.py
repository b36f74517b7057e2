"""LoRA adapters, the only door to peft: small matrices beside frozen weights, switched on, off, or merged.

    W x + (α/r) · B A x,      A [r, in] drawn at random, B [out, r] zero: a fresh adapter changes nothing
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.models.embeddings import grow, rows, settle_ties, untie
from rlhf_kit.models.places import ADAPTER, is_adapter
from rlhf_kit.models.quantization import is_quantized

MISSING = "peft is not installed; adapters need it. pip install \"rlhf-kit[scale]\"."
CONFIG, WEIGHTS, OF_BASE = ADAPTER, "adapter_model.safetensors", "base.json"
JUDGE = "judge"                                     # name of the adapter on a classifier or a reward model
PREFIX = "base_model.model."                        # of every name in an adapter's file
HEAD = re.compile(r"(score|classifier|out_proj|summary)\.weight$")
ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.03}      # of logits, by a merge in that type
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

    What learns is held in 32 bits, whatever the model is held in. Raises: AdapterError for targets that are not there.
    """
    check_targets(lm, lora)
    return _put_on(lm, lora.settings(), name, seed)


def put_on_judge(model: PreTrainedModel, lora: LoRA, seed: int = 0) -> PreTrainedModel:
    """The same for a classifier or a reward model: adapters in its trunk, and all that stands on it learns whole.

    The head, and a pooler, which encoders draw anew with it, read and learn in 32 bits. Returns the model itself.
    """
    if lora.targets != "all-linear":
        raise AdapterError(f"targets are {lora.targets!r}; of a judge all linear layers of the trunk are taken, "
                           f"'all-linear'.")
    trunk = model.base_model_prefix
    whole = [name for name, part in model.named_children() if name != trunk and any(True for _ in part.parameters())]
    if hasattr(getattr(model, trunk), "pooler"):
        whole.append("pooler")
    for name in list(whole):
        part = getattr(model, name, None) or getattr(model, trunk).pooler
        if all(p.is_floating_point() for p in part.parameters()):
            continue
        if name != "pooler":
            raise AdapterError(f"the model's head, {name}, is held in 8 or 4 bits and cannot learn. Name the same "
                               f"model in 16 or 32 bits, with --quantize if memory is short.")
        whole.remove(name)
    targets = [name for name, layer in getattr(model, trunk).named_modules() if _linear(layer)
               and not name.startswith("pooler")]
    settings = lora.settings("SEQ_CLS")
    settings.task_type = None                           # peft would guess the head by its name
    settings.target_modules, settings.modules_to_save = [f"{trunk}.{name}" for name in targets], whole
    both = _put_on(model, settings, JUDGE, seed)
    both.peft_config[JUDGE].task_type = "SEQ_CLS"
    for part in model.modules():
        if type(part).__name__ == "ModulesToSaveWrapper":
            part.register_forward_pre_hook(_in_32_bits)
    return model


def _put_on(model: PreTrainedModel, settings: Any, name: str, seed: int) -> Any:
    from peft import get_peft_model
    with torch.random.fork_rng(devices=[]), no_chatter():
        torch.manual_seed(seed)
        both = get_peft_model(model, settings, adapter_name=name)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    model.adapted = (both, name)                        # in a tuple, or torch would look into it
    return both


def _in_32_bits(_: nn.Module, given: tuple) -> tuple:
    return tuple(x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in given)


def is_adapted(model: nn.Module) -> bool:
    """True if `put_on` or `put_on_judge` has put an adapter on it."""
    return getattr(model, "adapted", None) is not None


def save_adapter(model: PreTrainedModel, folder: Path, **more: Any) -> None:
    """The adapter on a model, alone, into `folder`, safetensors only, signed for the base; `more` is kept along."""
    both, name = model.adapted
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(str(model.name_or_path)).expanduser()
    if place.is_dir():                                  # what is typed in one folder has to be found from another
        both.peft_config[name].base_model_name_or_path = str(place.resolve())
    with no_chatter(), TemporaryDirectory(prefix=".peft-", dir=folder) as own:         # it writes a README.md, too
        both.save_pretrained(own, selected_adapters=[name])
        for file in (CONFIG, WEIGHTS):
            Path(own, name, file).replace(folder / file)        # peft's place for an adapter that has a name
    sign(folder, model.name_or_path, **more)


def check_targets(lm: nn.Module, lora: LoRA) -> None:
    """Raises AdapterError if a named target is no linear layer of the model."""
    if isinstance(lora.targets, str):
        if lora.targets != "all-linear":
            raise AdapterError(f"targets is {lora.targets!r}; expected 'all-linear' or a tuple of names.")
        return
    linear = {name.rpartition(".")[2] for name, layer in lm.named_modules() if _linear(layer)}
    if missing := [name for name in lora.targets if name not in linear]:
        raise AdapterError(f"the model has no linear layer named {missing[0]!r}; it has {', '.join(sorted(linear))}. "
                           f"Name some of these, or all-linear.")


def _linear(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or "Linear" in type(layer).__name__ or type(layer).__name__ == "Conv1D"


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


def _merged(base: PreTrainedModel, folder: Path) -> PreTrainedModel:
    with_adapter = beside(base, folder)
    expected = says(with_adapter)
    try:
        with no_chatter():
            untie(base)
            merged = with_adapter.merge_and_unload(safe_merge=True)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise AdapterError(f"{folder} cannot be merged: {' '.join(str(error).split())[-160:]}. Nothing was written; "
                           f"load both with peft instead.") from error
    settle_ties(merged)
    check_same(says(merged), expected, merged.dtype, folder)
    return merged


@torch.no_grad()
def says(model: nn.Module) -> Tensor:
    """The logits of a few short texts of any tokens, by which a model is known again: [texts, ...]."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    ids = torch.linspace(0, rows(whole) - 1, 32, device=whole.device).round().long().reshape(8, 4).T.contiguous()
    said = [model(input_ids=row[None], attention_mask=torch.ones_like(row)[None]).logits.float() for row in ids]
    return torch.cat(said)                              # one after the other: GPT-2 judges no two without padding


def check_same(seen: Tensor, expected: Tensor, dtype: torch.dtype, adapter: str | Path) -> None:
    """Raises AdapterError if a merged model does not say what its base with the adapter beside it says.

    Both as logits; the root mean square of what differs, over that of the logits around their mean, is what rounding
    to `dtype` leaves.
    """
    if seen.shape != expected.shape:
        far = "in shape"
    else:
        gap = (seen - expected).square().mean().sqrt()
        spread = (expected - expected.mean()).square().mean().sqrt().clamp(min=1e-6)
        if gap <= ROUNDING[dtype] * spread:
            return
        far = f"by {gap / spread:.1%}"
    raise AdapterError(f"{adapter} cannot be merged: the merged model's logits differ {far} from those of its base "
                       f"with the adapter beside it. Nothing was written; load both with peft instead.")


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
    """With every tensor of the adapter's file in its place, those of heads and of added tokens included."""
    _check_installed()
    weights = adapter_weights(folder, base)
    check_base(folder, getattr(base, "name_or_path", ""))
    from peft import PeftConfig, PeftModel
    try:
        with no_chatter():
            settings = PeftConfig.from_pretrained(str(folder))
            tied = getattr(settings, "ensure_weight_tying", False)
            grow(base, weights, PREFIX, apart=() if tied else settings.modules_to_save or ())
            settings.task_type = None                   # else peft asks for a class with a head of that kind
            found = PeftModel.from_pretrained(base, str(folder), config=settings)
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        why = " ".join(str(error).split())[-160:]
        raise AdapterError(f"{folder} does not fit its base: {why}. Name the base that it was trained on.") from error
    places = {_place(name) for name in found.state_dict()}
    if lost := sorted(name for name in weights if _place(name) not in places):
        raise AdapterError(f"{folder} brings {len(lost)} tensors that its base, a {type(base).__name__}, has no place "
                           f"for ({lost[0]}). Name the base that it was trained on.")
    return found


def _place(name: str) -> str:
    """A tensor's name, alike in an adapter's file and in peft's model."""
    for inside in (".modules_to_save", ".default", ".base_layer"):
        name = name.replace(inside, "")
    return name.removesuffix(".weight")


def kind_of(adapter: Path) -> str:
    """What the adapter's file says that it is for: "CAUSAL_LM", "SEQ_CLS" or what else peft knows."""
    return _read_json(adapter / CONFIG).get("task_type") or "CAUSAL_LM"


def notes_of(adapter: Path) -> dict[str, Any]:
    """What the kit wrote beside an adapter; nothing where it did not."""
    return _read_json(adapter / OF_BASE)


def outputs_of(adapter: Path) -> int:
    """How many outputs the head in an adapter's file has. Raises: AdapterError if it brings none."""
    with _opened(adapter) as file:
        for name in sorted(file.keys()):
            if HEAD.search(name) and ".lora_" not in name:
                return file.get_slice(name).get_shape()[0]
    raise AdapterError(f"{adapter} is an adapter of a classifier and brings no head, so what it scores is not known. "
                       f"Train it again with its head among peft's modules_to_save.")


@contextmanager
def _opened(adapter: Path) -> Iterator[Any]:
    try:
        with safe_open(adapter / WEIGHTS, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{adapter / WEIGHTS} is no sound safetensors file ({error}); copy it again.") from error


def base_of(adapter: str | Path) -> str:
    """The model that an adapter's own file names as its base. Raises: AdapterError."""
    adapter = Path(adapter)
    if not (adapter / CONFIG).is_file():
        raise AdapterError(f"{adapter} holds no adapter; expected {CONFIG} and {WEIGHTS}.")
    named = _read_json(adapter / CONFIG).get("base_model_name_or_path")
    if not named:
        raise AdapterError(f"{adapter / CONFIG} does not say which base it was trained on. Name it with --base.")
    beside = adapter / named                            # moved together, they stay together
    return str(beside) if not Path(named).expanduser().exists() and (beside / "config.json").is_file() else named


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
    if not isinstance(said, str) or said == NOTHING or not weight_files(base):
        return
    if said != (weights_id(base) if said.startswith(SCHEME) else _sampled(base)):
        raise AdapterError(f"{adapter} was trained on another base than {base}; on this one it would change weights "
                           f"that it never saw. Name the base that it was trained on.")


def weights_id(base: str | Path) -> str | None:
    """What stands for the numbers of a model in a folder or, by its hub id, in the hub's cache; None for no files.

    Of every tensor the type, the shape and all bytes, whatever it is called and however many files there are: a copy
    that was downloaded, renamed or saved anew has the same. Buffers that can be computed are left out.
    """
    if not (files := weight_files(base)):
        return None
    sums = {line for file in files for line in _digests(*_state(file))}
    return SCHEME + hashlib.sha256("\n".join(sorted(sums)).encode()).hexdigest()[:16]


def weight_files(base: str | Path) -> list[Path]:
    """Safetensors, else, of a hub model that has nothing else, pickles."""
    if (folder := _folder(base)) is None:
        return []
    if is_adapter(folder):                                  # that another one was trained on: with what it stands on
        return [*sorted(folder.glob(WEIGHTS)), *weight_files(base_of(folder))]
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
    for file in weight_files(base):
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
    if broken := sorted(name for name, tensor in weights.items() if not torch.isfinite(tensor).all()):
        raise AdapterError(f"{folder / WEIGHTS} holds numbers that are not finite ({broken[0]}): it diverged while it "
                           f"was trained, or was damaged. Take another one.")
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
