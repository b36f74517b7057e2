"""LoRA adapters, the only door to peft: small matrices beside frozen weights, switched on, off, or merged.

    W x + (α/r) · B A x,      A [r, in] drawn at random, B [out, r] zero: a fresh adapter changes nothing

One base in memory then serves four: alone it is the reference, with an adapter and a value head the policy, with
another adapter and a head of one output the reward model.
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
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.heads import Policy, Prediction, RewardModel
from rlhf_kit.models.quantization import is_quantized

MISSING = "peft is not installed; adapters need it. pip install 'rlhf-kit[scale]'."
CONFIG, WEIGHTS, VALUE_HEAD, OF_BASE = ("adapter_config.json", "adapter_model.safetensors", "value_head.safetensors",
                                        "base.json")
POLICY, REWARD = "policy", "reward"
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


class SharedBase:
    """One frozen base in memory for policy, reference, value head and reward model.

        policy = base + adapter "policy"      reference = base, adapters off
        value  = w · h of the policy          reward    = w · h of base + adapter "reward", frozen

    Args:
        lm: the base, in any precision, 8 and 4 bits too; it gets adapters put into it and is frozen.
        lora: the shape of the policy's adapter; no dropout, for PPO.
        seed: of the adapter's first numbers.

    Source: for the reference, StackLLaMA (Hugging Face, 2023). Raises: AdapterError for targets that are not there.
    """

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, lora: LoRA | None = None,
                 seed: int = 0) -> None:
        _check_installed()
        from peft import get_peft_model
        lora = lora or LoRA()
        if lora.dropout:
            raise AdapterError(f"the adapter's dropout is {lora.dropout}; with PPO the first ratio would not be 1. "
                               f"Take LoRA(dropout=0).")
        check_targets(lm, lora)
        with torch.random.fork_rng(devices=[]), _no_chatter():
            torch.manual_seed(seed)
            self._peft = get_peft_model(lm, lora.settings(), adapter_name=POLICY)
        self._active: str | None = POLICY                # None while every adapter is off
        self.policy = AdaptedPolicy(lm, tokenizer, self)
        self.reference = BaseAlone(self)
        self.reward_model: AdaptedReward | None = None

    def add_reward(self, folder: str | Path) -> AdaptedReward:
        """Put the adapter of a reward model that was trained on this base beside the policy's; returns it.

        A causal language model has no place for the reward's head, and peft leaves it out in silence: it is read from
        the file and kept in a layer of its own. Raises: AdapterError.
        """
        folder = Path(folder)
        weights = _adapter_weights(folder, self.policy.lm)
        head = next((tensor for name, tensor in weights.items() if name.endswith("score.weight")), None)
        if head is None or head.shape[0] != 1:
            raise AdapterError(f"{folder} is no adapter of a reward model: it has no head of one output. Make it with "
                               f"the reward stage (rlhf-kit train stackllama --stage reward).")
        with _no_chatter():
            self._peft.load_adapter(str(folder), adapter_name=REWARD, is_trainable=False)
        self._peft.set_adapter(POLICY)
        self.policy.eval()                               # peft calls the base's own, which brings the other kernel back
        self.reward_model = AdaptedReward(self, head, _read_json(folder / OF_BASE).get("reward_shift", 0.0))
        return self.reward_model

    def load_policy(self, folder: str | Path) -> AdaptedPolicy:
        """Give the policy the adapter and value head that `AdaptedPolicy.save` left. Raises: AdapterError."""
        folder = Path(folder)
        weights, places = _adapter_weights(folder, self.policy.lm), dict(self.policy.lm.named_parameters())
        with torch.no_grad():
            for name, tensor in weights.items():
                place = name.removeprefix("base_model.model.").replace(".weight", f".{POLICY}.weight")
                if place not in places or places[place].shape != tensor.shape:
                    raise AdapterError(f"{folder} is an adapter of another shape ({name}); give the policy the rank "
                                       f"and the targets that it was trained with.")
                places[place].copy_(tensor)
            if (folder / VALUE_HEAD).is_file():
                self.policy.value_head.load_state_dict(load_file(folder / VALUE_HEAD))
        return self.policy

    @contextmanager
    def as_reference(self) -> Iterator[PreTrainedModel]:
        """Inside, the language model is the base alone."""
        with self._instead(None), self._peft.disable_adapter():
            yield self.policy.lm

    @contextmanager
    def as_reward(self) -> Iterator[PreTrainedModel]:
        """Inside, the language model's trunk is the reward model's; nothing of it can learn."""
        if self.reward_model is None:
            raise AdapterError("there is no reward adapter on this base yet; add one with add_reward(folder).")
        with self._instead(REWARD):
            self._peft.set_adapter(REWARD, inference_mode=True)     # else peft makes it learn, and freezes the policy
            try:
                yield self.policy.lm
            finally:
                self._peft.set_adapter(POLICY)

    @contextmanager
    def _instead(self, name: str | None) -> Iterator[None]:
        if self._active != POLICY:
            raise AdapterError("the base is in use as something else already; leave that `with` block first.")
        self._active = name
        try:
            yield
        finally:
            self._active = POLICY


class AdaptedPolicy(Policy):
    """A policy that is an adapter on a shared base; only the adapter and the value head learn."""

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shared: SharedBase) -> None:
        super().__init__(lm, tokenizer)
        self._shared = (shared,)                         # in a tuple, or torch would look into it
        self.eval()

    def reference(self) -> BaseAlone:
        """The base alone: no copy, the same memory."""
        return self._shared[0].reference

    @property
    def at_reference(self) -> bool:
        """True while the adapter has learnt nothing: all its B are zero."""
        return all(not p.any() for name, p in self.lm.named_parameters() if f"lora_B.{POLICY}." in name)

    def save(self, folder: Path) -> None:
        """Adapter, tokenizer and value head into `folder`, safetensors only, signed for the base."""
        with _no_chatter():
            self._shared[0]._peft.save_pretrained(folder, selected_adapters=[POLICY])
        inner = folder / POLICY                          # peft's place for an adapter that has a name
        for file in (CONFIG, WEIGHTS):
            (inner / file).replace(folder / file)
        inner.rmdir()
        (folder / "README.md").unlink(missing_ok=True)
        self.tokenizer.save_pretrained(folder)
        save_file({name: t.detach().cpu().contiguous() for name, t in self.value_head.state_dict().items()},
                  folder / VALUE_HEAD)
        sign(folder, self.lm.name_or_path)


class BaseAlone(Policy):
    """The base of an adapted policy with every adapter off, as a policy without a value head; it owns no memory."""

    def __init__(self, shared: SharedBase) -> None:
        nn.Module.__init__(self)
        self._shared = (shared,)
        self.tokenizer, self.value_head, self.value_trunk = shared.policy.tokenizer, None, None

    @property
    def lm(self) -> PreTrainedModel:
        """The language model, shared with the policy; what it computes depends on which adapter is on."""
        return self._shared[0].policy.lm

    def forward(self, ids: Tensor, mask: Tensor, keep: int, cache: Any = None, use_cache: bool = False,
                need_value: bool = False) -> Prediction:
        """As `Policy.forward`, without a value."""
        with self._shared[0].as_reference():
            return self._shared[0].policy(ids, mask, keep, cache, use_cache, need_value=False)

    def reference(self) -> BaseAlone:
        """Itself: nothing in it learns."""
        return self


class AdaptedReward(RewardModel):
    """A reward model that is an adapter on a shared base, with a head of its own; nothing in it learns."""

    def __init__(self, shared: SharedBase, head: Tensor, shift: float = 0.0) -> None:
        nn.Module.__init__(self)
        self._shared, self._shift = (shared,), float(shift)
        self.tokenizer = shared.policy.tokenizer
        self.head = nn.Linear(head.shape[1], 1, bias=False, device=shared.policy.device, dtype=torch.float32)
        self.head.weight.data.copy_(head)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Scores of texts, as `RewardModel.forward`: [N]."""
        with self._shared[0].as_reward() as lm:
            hidden = lm.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(ids), device=ids.device), mask.long().sum(-1) - 1]
        return self.head(last.float())[:, 0] - self.shift

    @property
    def shift(self) -> float:
        """What is taken off every score."""
        return self._shift

    @shift.setter
    def shift(self, value: float) -> None:
        self._shift = float(value)

    @property
    def device(self) -> torch.device:
        """Where the base lies."""
        return self._shared[0].policy.device

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return self._shared[0].policy.context or 512


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
    with _no_chatter():
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
    _adapter_weights(folder, base)
    from peft import PeftModel
    with _no_chatter():
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


def _adapter_weights(folder: Path, lm: nn.Module) -> dict[str, Tensor]:
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
def _no_chatter() -> Iterator[None]:
    """Without peft's and transformers' notes to their own developers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*gradient_checkpointing.*")
        warnings.filterwarnings("ignore", message="Could not find a config file in")
        yield
