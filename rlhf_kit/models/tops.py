"""One frozen trunk with several tops: policy, reference, preference model and rule model share all but the last layers.

    memory of k models of L layers:   k · L   ->   (L - n) + k · n,   n the layers of a top

Sparrow's four models of 80 layers, of which 16 learn, cost 128 layers in place of 320. Every top is an ordinary model
whose lower parameters *are* those of the trunk, the same tensors: all methods train it as any other, and since nothing
that is shared ever learns, what one of them learns changes no other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.text import pad_id
from rlhf_kit.models.tiny import LABELS
from rlhf_kit.storage import StorageError, load_tensors, new_folder, save_tensors

SHARE = 0.2                         # of the layers that learn: a fifth, as Sparrow's 16 of 80
FILE = "top.safetensors"
SCORED_BY = "shift", "likelihood"   # what of a reward model's score lies in no tensor


class Trunk:
    """The lower layers of a language model, frozen, and what all tops begin as: its upper ones.

        trunk = Trunk(*load_language_model("..."))
        policy, preference = trunk.policy(), trunk.reward_model()

    Args:
        lm: whose embeddings and lower layers are frozen from now on.
        share: of the layers that each top has for itself, rounded, at least one and not all.

    Raises: ValueError for a model whose layers are not to be found, or a share that leaves no trunk.
    """

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, share: float = SHARE) -> None:
        self.lm, self.tokenizer, self.layers = lm, tokenizer, freeze_below(lm, share)
        self.lm.eval()

    def policy(self, *, value_head: bool = True) -> TopPolicy:
        """A policy that begins as the language model."""
        return TopPolicy(_sharing(self.lm), self.tokenizer, value_head=value_head).eval()

    def reward_model(self, seed: int = 0) -> RewardModel:
        """A model with one output, drawn from `seed` with standard deviation 1/√(d+1)."""
        return RewardModel(self._judge(seed, num_labels=1), self.tokenizer).eval()

    def classifier(self, seed: int = 0, labels: tuple[str, str] = LABELS) -> PreTrainedModel:
        """A model with two outputs."""
        return self._judge(seed, id2label=dict(enumerate(labels)), label2id={x: i for i, x in enumerate(labels)}).eval()

    def _judge(self, seed: int, **outputs: object) -> PreTrainedModel:
        config = copy.deepcopy(self.lm.config)
        config.update({"pad_token_id": pad_id(self.tokenizer), **outputs})
        with torch.device("meta"):                          # no trunk of its own, not even for a moment
            made = AutoModelForSequenceClassification.from_config(config)
        setattr(made, made.base_model_prefix, _sharing(self.lm.base_model))
        noise = torch.Generator().manual_seed(seed)
        for name, child in list(made.named_children()):
            if name != made.base_model_prefix:
                child.to_empty(device="cpu")
                for parameter in child.parameters():        # its head
                    d = parameter.shape[-1]
                    parameter.data.copy_(torch.randn(parameter.shape, generator=noise) * (d + 1) ** -0.5)
                child.to(self.lm.device)
        return made


class TopPolicy(Policy):
    """A policy most of whose layers are frozen and shared; its reference shares them, too."""

    def reference(self) -> TopPolicy:
        """A frozen copy of the top as it is now, on the same trunk, without a value head."""
        frozen = TopPolicy(_sharing(self.lm), self.tokenizer, value_head=False)
        return frozen.requires_grad_(False).eval()


def freeze_below(model: PreTrainedModel, share: float = SHARE) -> int:
    """Freeze embeddings and all but the last layers, and let the rest learn; returns how many layers that are.

    What stands behind the layers, the last norm and a head, learns, too; an output layer that is tied to the embeddings
    is frozen with them. Raises: ValueError.
    """
    blocks = _blocks(model)
    n = max(round(share * len(blocks)), 1) if 0 < share < 1 else 0
    if not 0 < n < len(blocks):
        raise ValueError(f"the share of layers that learn is {share} of {len(blocks)} layers; expected one that leaves "
                         f"at least one to be frozen and one to learn, such as {SHARE}.")
    inside = {id(p) for block in blocks for p in block.parameters()}
    embeddings = {id(p) for module in model.modules() if isinstance(module, nn.Embedding) for p in module.parameters()}
    top = {id(p) for block in blocks[len(blocks) - n:] for p in block.parameters()}
    for p in model.parameters():
        p.requires_grad_(id(p) in top or (id(p) not in inside and id(p) not in embeddings))
    return n


def save_top(model: nn.Module, folder: Path | str) -> None:
    """What is a model's own, without the trunk; read again by `load_top` into a top of the same trunk.

    Raises: storage.StorageError for a folder with files that the kit did not write.
    """
    with new_folder(folder) as unfinished:
        save_tensors(unfinished / FILE, {name: p.detach() for name, p in _own(model).items()},
                     {name: getattr(model, name, None) for name in SCORED_BY})


def load_top(model: nn.Module, folder: Path | str) -> None:
    """Put back what `save_top` left. Raises: StorageError if it is another kind of top."""
    tensors, about = load_tensors(Path(folder) / FILE)
    own = _own(model)
    if {name: p.shape for name, p in own.items()} != {name: t.shape for name, t in tensors.items()}:
        raise StorageError(f"{folder} holds a top of another shape or kind; give a new one of the same trunk, made as "
                           f"it was.")
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(tensors[name])
    _score_by(model, about)


def adopt(top: nn.Module, whole: nn.Module) -> None:
    """Let a top be what a whole model's last layers are, such as one that was saved whole.

    Raises: StorageError if it is another kind of model, or its lower layers are not the trunk's to the bit.
    """
    ours, theirs = dict(top.named_parameters()), dict(whole.named_parameters())
    if {name: p.shape for name, p in ours.items()} != {name: p.shape for name, p in theirs.items()}:
        raise StorageError("the model is of another shape or kind than the top that it is to be; give one that was "
                           "saved from such a top.")
    with torch.no_grad():
        for name, p in ours.items():
            if p.requires_grad:
                p.copy_(theirs[name])
            elif not torch.equal(p, theirs[name].to(p.device)):
                raise StorageError(f"{name} of the model is not the trunk's; it was made on another trunk.")
    _score_by(top, {name: getattr(whole, name, None) for name in SCORED_BY})


@dataclass(frozen=True)
class Held:
    """What several models hold in memory together."""

    parameters: int                 # numbers, shared ones counted once
    bytes: int
    layers: int                     # transformer blocks, those that are shared counted once
    layers_apart: int               # the same if no model shared any

    @property
    def share(self) -> float:
        """Layers held over layers that as many whole models have; embeddings, which are shared too, left aside."""
        return self.layers / self.layers_apart


def held_by(models: Iterable[nn.Module]) -> Held:
    """Of models that may share parameters, such as the tops of one trunk."""
    models = list(models)
    unique = {(p.data_ptr(), p.numel()): p for model in models for p in model.parameters()}
    blocks = [block for model in models for block in _blocks(_network(model))]
    layers = {next(block.parameters()).data_ptr() for block in blocks}
    return Held(sum(p.numel() for p in unique.values()), sum(p.numel() * p.element_size() for p in unique.values()),
                len(layers), len(blocks))


def _sharing(model: nn.Module) -> nn.Module:
    """A copy whose frozen parameters are the original's own; the others begin as the original's and learn."""
    made = copy.deepcopy(model, {id(p): p for p in model.parameters() if not p.requires_grad})
    frozen = {id(p) for p in model.parameters() if not p.requires_grad}
    for p in made.parameters():
        p.requires_grad_(id(p) not in frozen)
    return made


def _score_by(model: nn.Module, about: Mapping[str, Any]) -> None:
    for name in SCORED_BY:
        if about.get(name):
            setattr(model, name, about[name])


def _own(model: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _network(model: nn.Module) -> PreTrainedModel:
    return model.lm if isinstance(model, Policy) else getattr(model, "model", model) if isinstance(
        model, RewardModel) else model


def _blocks(model: PreTrainedModel) -> nn.ModuleList:
    """The transformer blocks, in order: the longest list of layers of the trunk."""
    lists = [module for module in model.base_model.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise ValueError(f"{type(model).__name__} has no list of layers, of which the last ones could learn alone.")
    return max(lists, key=len)
