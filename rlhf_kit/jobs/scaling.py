"""How a training fits its machine: adapters, 8 and 4 bits, precision, parts of a batch; one place where every
`rlhf-kit train METHOD` opens the model that it trains.

    size      parameters            settings of its own
    tiny      below 20 million      all weights learn, high learning rates
    small     below a billion       all weights learn (GPT-2, BERT)
    large     from a billion on     an adapter learns, a few texts at a time, blocks computed anew
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from rlhf_kit import zoo
from rlhf_kit.jobs.settings import SMALL, changed
from rlhf_kit.models.adapters import LoRA, put_on_judge
from rlhf_kit.models.checkpointing import checkpointed
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.quantization import KINDS, Quantization, about, check_machine, is_quantized
from rlhf_kit.models.shared import with_adapter
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.models.tops import Trunk, freeze_below
from rlhf_kit.runs.pipeline import Job

Size = Literal["tiny", "small", "large"]
Precision = Literal["float32", "bfloat16"]
LARGE = 1_000_000_000               # parameters; from there on an adapter learns unless told otherwise
RANK = 16                           # of an adapter that nobody named (StackLLaMA's)
AT_ONCE = 4                         # texts of a large model in memory at once
NEW = "new"                         # no model to start from: what is made has no base for an adapter


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Peak learning rates of a method: where all weights learn, and where an adapter does.

    An adapter takes ten times as much or more. Source: Schulman et al., "LoRA without regret", 2025; the sizes of
    `recipes.stackllama.PRESETS`.
    """

    whole: float
    adapter: float


@dataclass(frozen=True)
class Chosen:
    """What was settled for a model once it was open."""

    size: Size
    parameters: int
    lora: int                           # the adapter's rank; 0 = all weights learn
    guessed: bool                       # nobody named it


@dataclass(frozen=True, kw_only=True)
class ScaledJob(Job):
    """A job that trains one model, in whatever form fits the machine."""

    goes_on: ClassVar[bool] = True

    lora: int | None = None                 # rank of an adapter, while the model stays as it is; 0 = all weights learn;
                                            # None = by the model's size
    quantize: Quantization | None = None    # hold the frozen model in 8 or 4 bits
    dtype: Precision | None = None          # of what is multiplied, and of a frozen model; None = float32
    micro_batch: int | None = None          # texts, rankings or responses in memory at once; None = by the size
    activation_checkpointing: bool | None = None        # keep each block's input only; None = by the size
    save_every: int | None = None           # keep the model and a checkpoint after so many steps
    top: float | None = None                # share of the layers that learns, the last ones; None = all

    def check_scale(self) -> None:
        """Settings that cannot be. Raises: ValueError, one line."""
        if self.lora is not None and self.lora < 0:
            raise ValueError(f"--lora is {self.lora}; it is the rank of an adapter, such as 16, or 0 to train all "
                             f"weights.")
        if self.quantize is not None and self.quantize not in KINDS:
            raise ValueError(f"--quantize is {self.quantize!r}; expected {' or '.join(KINDS)}.")
        if self.quantize is not None and self.lora == 0:
            raise ValueError("--lora 0 trains all weights, and those in 8 or 4 bits cannot learn. Leave one of --lora "
                             "and --quantize out.")
        if self.dtype not in (None, "float32", "bfloat16"):
            raise ValueError(f"--dtype is {self.dtype!r}; expected float32 or bfloat16. In float16 small gradients "
                             f"vanish and large ones overflow.")
        if self.top is not None and not 0 < self.top < 1:
            raise ValueError(f"--top is {self.top}; it is the share of the layers that learns, above 0 and below 1, "
                             f"such as 0.2.")
        if self.top is not None and (self.lora or self.quantize or self.model == NEW):
            raise ValueError("--top lets the last layers of a model learn, and with --lora, --quantize or --model new "
                             "others do. Leave one of them out.")
        for option in ("micro_batch", "save_every"):
            if (value := getattr(self, option)) is not None and value < 1:
                raise ValueError(f"--{option.replace('_', '-')} is {value}; it must be at least 1.")
        if self.model == NEW and (self.lora or self.quantize):
            raise ValueError("--lora and --quantize are for a model that is there, and --model new makes one from "
                             "nothing. Name one with --model.")
        if self.quantize is not None:
            check_machine()

    # -- opening -------------------------------------------------------------------------------------------------------

    def open_policy(self, seed: int, *, value_head: bool = True) -> tuple[Policy, Chosen]:
        """The language model that is trained: whole, or frozen with a fresh adapter on it."""
        policy, chosen = self._open(lambda **how: zoo.load_policy(self.model, value_head=value_head, **how))
        if self.top is not None:
            made = Trunk(policy.lm, policy.tokenizer, self.top).policy(value_head=value_head)
            if value_head and policy.value_head is not None and policy.value_trunk is None:
                made.value_head.load_state_dict(policy.value_head.state_dict())
            return made, chosen
        return (with_adapter(policy, _shape(chosen), seed) if chosen.lora else policy), chosen

    def outline_policy(self) -> tuple[Policy, Chosen]:
        """The same language model without its weights: it says what is read and how it is trained, and nothing else."""
        def load(**_: Any) -> Policy:
            return Policy(*zoo.outline(self.model), value_head=False).eval()
        return self._open(load)

    def outline_reward_model(self) -> tuple[RewardModel, Chosen]:
        """The same of what becomes a reward model."""
        return self._open(lambda **_: RewardModel(*zoo.outline(self.model, labels=1)).eval())

    def outline_classifier(self) -> tuple[nn.Module, Any, Chosen]:
        """The same of what becomes a classifier, and its tokenizer."""
        (model, tokenizer), chosen = self._open(lambda **_: zoo.outline(self.model, labels=2))
        return model, tokenizer, chosen

    def open_reference(self, policy: Policy, name: str | None, option: str = "--reference") -> Policy:
        """Frozen: the policy as it is now, or another model that reads the same tokens, which that option named.

        Raises: ValueError.
        """
        if name is None:
            return policy.reference()
        own = policy.tokenizer.get_vocab()
        others = ValueError(f"{option} {name} reads other tokens than --model {self.model}, so their "
                            f"log-probabilities cannot be compared. Name a model with the same tokenizer: the one "
                            f"that {self.model} was trained from.")
        if zoo.will_read(name) not in (None, own):
            raise others
        other = zoo.load_policy(name, value_head=False, device=self.device)
        if other.tokenizer.get_vocab() != own:
            raise others
        return other.requires_grad_(False).eval()

    def open_reward_model(self, seed: int) -> tuple[RewardModel, Chosen]:
        """The same with a head of one output, a fresh one unless it is a reward model already."""
        model, chosen = self._open(lambda **how: zoo.load_reward_model(self.model, new_head=True, seed=seed, **how))
        if self.top is not None:
            freeze_below(model.model, self.top)
        elif chosen.lora:
            put_on_judge(model.model, _shape(chosen), seed)
        return model, chosen

    def open_classifier(self, seed: int) -> tuple[nn.Module, Any, Chosen]:
        """The same with a head of two outputs, and its tokenizer."""
        (model, tokenizer), chosen = self._open(
            lambda **how: zoo.load_classifier(self.model, new_head=True, seed=seed, **how))
        if self.top is not None:
            freeze_below(model, self.top)
        elif chosen.lora:
            put_on_judge(model, _shape(chosen), seed)
        else:
            model.requires_grad_(True)
        return model, tokenizer, chosen

    def _open(self, load: Callable[..., Any]) -> tuple[Any, Chosen]:
        adapter = self.lora or self.quantize is not None
        held = torch.bfloat16 if self.dtype == "bfloat16" and adapter else torch.float32
        model = load(device=self.device, quantize=self.quantize, dtype=held)
        network = model[0] if isinstance(model, tuple) else model
        n = about(network)["parameters"]
        size: Size = "tiny" if n < SMALL else "small" if n < LARGE else "large"
        if self.lora == 0 and is_quantized(network):
            raise ValueError(f"{self.model} is held in 8 or 4 bits, and such weights cannot learn. Leave --lora 0 out, "
                             f"or name the same model in 16 or 32 bits.")
        if self.top is not None and is_quantized(network):
            raise ValueError(f"{self.model} is held in 8 or 4 bits, and such layers cannot learn. Leave --top out, or "
                             f"name the same model in 16 or 32 bits.")
        wanted = adapter or is_quantized(network) or (size == "large" and self.top is None)
        rank = self.lora if self.lora is not None else RANK if wanted else 0
        if rank and not adapter and self.dtype == "bfloat16" and not is_quantized(network):
            network.to(torch.bfloat16)
        with torch.enable_grad(), checkpointed([network], bool(self.activation_checkpointing)):
            pass                                        # one line now for a model that has no blocks to checkpoint
        return model, Chosen(size, n, rank, self.lora is None)

    # -- settings ------------------------------------------------------------------------------------------------------

    def config_for(self, chosen: Chosen, own: Any, rates: dict[str, Rates], changes: dict[str, Any]) -> Any:
        """A method's settings for a model of that size: `own`, with what follows from how it is trained, changed."""
        taken = {"learning_rate": rates[chosen.size].adapter if chosen.lora else rates[chosen.size].whole}
        memory = {name: value for name, value in self.in_memory(chosen).items() if hasattr(own, name)}
        return changed(own, {**taken, **memory, **changes})

    def with_room(self, config: Any, chosen: Chosen, policy: Policy, prompts: Sequence[str]) -> Any:
        """Settings that count tokens and not texts, with room for so many of the longest prompts and responses."""
        at_once = self.micro_batch or (AT_ONCE if chosen.size == "large" else None)
        if at_once is None or config.tokens_per_pass is not None:
            return config
        longest = max(map(len, prompt_rows(policy.tokenizer, prompts))) + config.sampling.max_new_tokens
        return replace(config, tokens_per_pass=at_once * longest)

    def in_memory(self, chosen: Chosen) -> dict[str, Any]:
        """What fits a step into memory, as fields of a method's settings."""
        large, anew = chosen.size == "large", self.activation_checkpointing
        return {"micro_batch": self.micro_batch or (AT_ONCE if large else None),
                "activation_checkpointing": large if anew is None else anew,
                "autocast": "bfloat16" if self.dtype == "bfloat16" else None}

    def preset(self, chosen: Chosen, config: Any, changes: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """A note of what was settled by the model's size and nobody named; none if everything was."""
        found = [(name, getattr(config, name)) for name in ("learning_rate", "batch_size") if name not in changes]
        if chosen.size == "large" and self.micro_batch is None:
            found.append(("micro_batch", self.memory_of(config)))
        if not found and not chosen.guessed:
            return []
        said = ", ".join(f"{name.replace('_', '-')} {value:g}" for name, value in found)
        how = f"lora {chosen.lora}" if chosen.lora else "lora 0"
        return [("preset_taken", {"size": chosen.size, "millions": chosen.parameters / 1e6,
                                  "what": ", ".join([*([said] if said else []), *([how] if chosen.guessed else [])])})]

    @staticmethod
    def memory_of(config: Any) -> float:
        """Texts at once, or where a method counts tokens, these."""
        return getattr(config, "micro_batch", None) or getattr(config, "tokens_per_pass", None) or 0

    def often(self, usual: int) -> dict[str, int]:
        """How often a checkpoint is written, where snapshots are asked for: at each of them, and as usual at least."""
        return {} if self.save_every is None else {"checkpoint_every": math.gcd(self.save_every, usual)
                                                   if self.save_every > usual else self.save_every}


def further(config: Any, more: int) -> Any:
    """The settings with so many steps after their last."""
    return replace(config, more_steps=more) if more else config


def _shape(chosen: Chosen) -> LoRA:
    """StackLLaMA's: its update counts twice."""
    return LoRA(rank=chosen.lora, alpha=2 * chosen.lora)
