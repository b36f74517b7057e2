"""One frozen base in memory for policy, reference, value head and reward model.

    reference = base, adapters off          policy = base + adapter "policy"      value = w · h of the policy
    reward = w · h of base + adapter "reward", frozen
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.adapters import (
    AdapterError,
    LoRA,
    adapter_weights,
    check_base,
    check_scale,
    no_chatter,
    notes_of,
    put_on,
    save_adapter,
)
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.text import opened

VALUE_HEAD = "value_head.safetensors"
POLICY, REWARD = "policy", "reward"


class SharedBase:
    """One frozen base in memory for policy, reference, value head and reward model.

        policy = base + adapter "policy"      reference = base, adapters off
        value  = w · h of the policy          reward    = w · h of base + adapter "reward", frozen

    Args:
        lm: the base, in any precision, 8 and 4 bits too; it gets adapters put into it and is frozen.
        lora: the shape of the policy's adapter; no dropout, for PPO.
        seed: of the adapter's first numbers.
        value_head: False where nothing but the language model is to learn.

    Source: for the reference, StackLLaMA (Hugging Face, 2023). Raises: AdapterError for targets that are not there.
    """

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, lora: LoRA | None = None,
                 seed: int = 0, value_head: bool = True) -> None:
        lora = lora or LoRA()
        if lora.dropout:
            raise AdapterError(f"the adapter's dropout is {lora.dropout}; with PPO the first ratio would not be 1. "
                               f"Take LoRA(dropout=0).")
        self._peft = put_on(lm, lora, POLICY, seed)
        self._active: str | None = POLICY                # None while every adapter is off
        self.policy = AdaptedPolicy(lm, tokenizer, self, value_head=value_head)
        self.reference = BaseAlone(self)
        self.reward_model: AdaptedReward | None = None

    def add_reward(self, folder: str | Path) -> AdaptedReward:
        """Put the adapter of a reward model that was trained on this base beside the policy's; returns it.

        A causal language model has no place for the reward's head, and peft leaves it out in silence: it is read from
        the file and kept in a layer of its own. Raises: AdapterError.
        """
        folder = Path(folder)
        weights = adapter_weights(folder, self.policy.lm)
        check_base(folder, self.policy.lm.name_or_path)
        notes = notes_of(folder)
        if notes.get("likelihood"):
            raise AdapterError(f"{folder} scores by how likely a response is, too, which a shared base does not tell. "
                               f"Load it alone, kit.load_reward_model({str(folder)!r}).")
        head = next((tensor for name, tensor in weights.items() if name.endswith("score.weight")), None)
        if head is None or head.shape[0] != 1:
            raise AdapterError(f"{folder} is no adapter of a reward model: it has no head of one output. Make it with "
                               f"the reward stage (rlhf-kit train stackllama --stage reward).")
        with no_chatter(), self._frozen_stays_frozen():
            self._peft.load_adapter(str(folder), adapter_name=REWARD, is_trainable=False)
            self._peft.set_adapter(POLICY)
        self.policy.eval()                               # peft calls the base's own, which brings the other kernel back
        self.reward_model = AdaptedReward(self, head, notes.get("reward_shift", 0.0))
        return self.reward_model

    def load_policy(self, folder: str | Path) -> AdaptedPolicy:
        """Give the policy the adapter and value head that `AdaptedPolicy.save` left.

        Raises: AdapterError for one of another base, of another shape, or whose update would count otherwise.
        """
        folder = Path(folder)
        weights, places = adapter_weights(folder, self.policy.lm), dict(self.policy.lm.named_parameters())
        check_base(folder, self.policy.lm.name_or_path)
        check_scale(folder, self._peft, POLICY)
        ours = {name for name in places if f".{POLICY}." in name}
        if len(weights) < len(ours):
            raise AdapterError(f"{folder} changes {len(weights) // 2} layers and the policy here {len(ours) // 2}. "
                               f"Give it the targets that the adapter was trained with.")
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

    @property
    def is_reference(self) -> bool:
        """True inside `as_reference`."""
        return self._active is None

    @contextmanager
    def as_reference(self) -> Iterator[PreTrainedModel]:
        """Inside, the language model is the base alone."""
        with self._instead(None), self._frozen_stays_frozen(), self._peft.disable_adapter():
            yield self.policy.lm

    @contextmanager
    def as_reward(self) -> Iterator[PreTrainedModel]:
        """Inside, the language model's trunk is the reward model's; nothing of it can learn."""
        if self.reward_model is None:
            raise AdapterError("there is no reward adapter on this base yet; add one with add_reward(folder).")
        with self._instead(REWARD), self._frozen_stays_frozen():
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

    @contextmanager
    def _frozen_stays_frozen(self) -> Iterator[None]:
        """Afterwards the same weights learn as before: to peft, whatever is switched on shall learn."""
        learning = [(parameter, parameter.requires_grad) for parameter in self.policy.lm.parameters()]
        try:
            yield
        finally:
            for parameter, learns in learning:
                parameter.requires_grad_(learns)


class AdaptedPolicy(Policy):
    """A policy that is an adapter on a shared base; only the adapter and the value head learn."""

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shared: SharedBase, *,
                 value_head: bool = True) -> None:
        super().__init__(lm, tokenizer, value_head=value_head)
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
        save_adapter(self.lm, folder)
        opened(self.tokenizer).save_pretrained(folder)
        if self.value_head is not None:
            save_file({name: t.detach().cpu().contiguous() for name, t in self.value_head.state_dict().items()},
                      folder / VALUE_HEAD)


def with_adapter(policy: Policy, lora: LoRA, seed: int = 0) -> AdaptedPolicy:
    """The policy's language model, frozen, with a fresh adapter on it; a value head that it has comes along.

    A critic with a trunk of its own would learn whole, so that one begins anew. Raises: AdapterError.
    """
    made = SharedBase(policy.lm, policy.tokenizer, lora=lora, seed=seed, value_head=policy.value_head is not None)
    if policy.value_head is not None and policy.value_trunk is None:
        made.policy.value_head.load_state_dict(policy.value_head.state_dict())
    return made.policy


class BaseAlone(Policy):
    """The base of an adapted policy with every adapter off, as a policy without a value head; it owns no memory."""

    def __init__(self, shared: SharedBase) -> None:
        nn.Module.__init__(self)
        self._shared = (shared,)
        self.tokenizer, self.value_head, self.value_trunk = shared.policy.tokenizer, None, None
        self._takes_positions = shared.policy._takes_positions

    @property
    def lm(self) -> PreTrainedModel:
        """The language model, shared with the policy; what it computes depends on which adapter is on."""
        return self._shared[0].policy.lm

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside, every adapter is off; once for a whole rollout or read, for what is off already is left alone."""
        with nullcontext() if self._shared[0].is_reference else self._shared[0].as_reference():
            yield

    @property
    def run_identity(self) -> dict[str, Tensor]:
        """What a run is known by: the base's own numbers, whatever the adapters on it have learnt."""
        return {name: t for name, t in self.lm.state_dict(keep_vars=True).items() if ".lora_" not in name}

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
    def run_identity(self) -> dict[str, object]:
        """What makes its scores: base, adapter, head and shift; not the policy's adapter, which learns."""
        lm, lora = self._shared[0].policy.lm, self._shared[0]._peft.peft_config[REWARD]
        tensors = {name: tensor for name, tensor in lm.state_dict(keep_vars=True).items() if f".{POLICY}." not in name}
        return {**tensors, "head": self.head.weight, "shift": self.shift, "rank": lora.r, "alpha": lora.lora_alpha}

    @property
    def shift(self) -> float:
        """What is taken off every score."""
        return self._shift

    @shift.setter
    def shift(self, value: float) -> None:
        self._shift = float(value)

    @property
    def likelihood(self) -> None:
        """Its score is the head's alone."""
        return None

    @property
    def device(self) -> torch.device:
        """Where the base lies."""
        return self._shared[0].policy.device

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return self._shared[0].policy.context or 512
