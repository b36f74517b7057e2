"""A policy, a language model that also guesses how well it will be scored; and a reward model, which scores."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.activations import NewGELUActivation

from rlhf_kit.models import trunk
from rlhf_kit.models.cache import NAME
from rlhf_kit.models.quantization import quantized_layers
from rlhf_kit.models.text import end_ids


@dataclass(frozen=True)
class Prediction:
    """What a policy says at the last `keep` positions: position i predicts token i+1."""

    logits: Tensor           # [B, keep, V]
    value: Tensor | None     # [B, keep] expected score of the response, None without a value head
    cache: Any = None        # key-value cache to go on from


class Policy(nn.Module):
    """A causal language model, its tokenizer, and (optionally) a value head.

        value_t = w · h_t + b,   h_t = last hidden state of the trunk, [B, L, d]

    The head starts at zero, so that the critic's first guess is 0 everywhere (number 10 of the README's details).
    It shares the trunk of the language model unless `value_trunk` brings one of its own, which learns to predict
    without pulling at the policy's features (arXiv:2009.01325), at the price of a second forward pass.

    Args:
        lm: a transformers causal language model.
        tokenizer: the one it was trained with.
        value_head: False for a reference or a policy that is only sampled from.
        value_trunk: a separate base model for the values, such as `copy.deepcopy(lm.base_model)`.
    """

    def __init__(self, lm: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, value_head: bool = True,
                 value_trunk: PreTrainedModel | None = None) -> None:
        super().__init__()
        if value_trunk is not None and not value_head:
            raise ValueError("value_trunk was given with value_head=False; a separate trunk is for a value head. "
                             "Leave one of the two out.")
        self.lm, self.tokenizer, self.value_trunk = lm, tokenizer, value_trunk
        _fuse_gelu(self)
        self.value_head = _zero_head(lm, value_trunk) if value_head else None
        self._takes_positions = trunk.takes_positions(lm)

    def forward(self, ids: Tensor, mask: Tensor, keep: int, cache: Any = None, use_cache: bool = False,
                need_value: bool = True) -> Prediction:
        """Predict from `ids` [B, L] (with a cache: the tokens after it); `mask` [B, all tokens so far] is True on text.

        Positions count the marked tokens only, so left padding shifts nothing.
        """
        need_value = need_value and self.value_head is not None and (self.value_trunk is None or cache is None)
        with self.in_use():
            if self.comes_apart:
                hidden, cache = self.hidden(ids, mask, cache, use_cache)
                hidden = hidden[:, -keep:]
                logits = trunk.logits(self.lm, hidden)
            else:
                hidden, logits, cache = self._whole(ids, mask, keep, cache, use_cache, need_value)
            if need_value and self.value_trunk is not None:
                hidden = self.value_hidden(ids, mask)[:, -keep:]
            return Prediction(logits, self.value_of(hidden) if need_value else None, cache)

    @property
    def comes_apart(self) -> bool:
        """True if trunk and output layer can be asked one after the other; False where a subclass does it its way."""
        return type(self).forward is Policy.forward and trunk.comes_apart(self.lm)

    def hidden(self, ids: Tensor, mask: Tensor, cache: Any = None, use_cache: bool = False) -> tuple[Tensor, Any]:
        """Last hidden states of the language model, [B, L, d], and the cache; only where it `comes_apart`."""
        return trunk.hidden_states(self.lm, ids, mask, self._positions(ids, mask), cache, use_cache)

    def value_hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The same of the critic's own trunk, [B, L, d]."""
        positions = self._positions(ids, mask)
        return self.value_trunk(input_ids=ids, attention_mask=mask, use_cache=False,
                                **({} if positions is None else {"position_ids": positions})).last_hidden_state

    def value_of(self, hidden: Tensor) -> Tensor:
        """The critic's guess from hidden states, [..., d] to [...]; in float32 under autocast too.

        Values are differences of rewards: 16 bits would round them to three digits.
        """
        with torch.autocast(hidden.device.type, enabled=False):
            return self.value_head(hidden.to(self.value_head.weight.dtype))[..., 0]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside, the language model is this policy's; with several on one base it is switched once and not a pass."""
        yield

    def _positions(self, ids: Tensor, mask: Tensor) -> Tensor | None:
        return _positions(mask)[:, -ids.shape[1]:] if self._takes_positions else None

    def _whole(self, ids: Tensor, mask: Tensor, keep: int, cache: Any, use_cache: bool,
               need_hidden: bool) -> tuple[Tensor | None, Tensor, Any]:
        """Of a model that does not come apart: hidden states, logits and cache."""
        positions = self._positions(ids, mask)
        output = self.lm(input_ids=ids, attention_mask=mask, use_cache=use_cache, **{NAME: cache},
                         logits_to_keep=keep, output_hidden_states=need_hidden and self.value_trunk is None,
                         return_dict=True, **({} if positions is None else {"position_ids": positions}))
        hidden = output.hidden_states[-1][:, -keep:] if output.hidden_states else None
        return hidden, output.logits, getattr(output, NAME) if use_cache else None

    def train(self, mode: bool = True) -> Policy:
        """Dropout on, or off with False; layers in 8 or 4 bits stay with one kernel all the same.

        On a CPU they would multiply one way in training mode and another in `eval()`, and the ratio π/π_old of PPO,
        sampled in one and learnt in the other, would start up to a fifth away from 1.
        """
        super().train(mode)
        for layer in quantized_layers(self):
            layer.train()
        return self

    @property
    def device(self) -> torch.device:
        """Where the language model lies."""
        return self.lm.device

    @property
    def context(self) -> int | None:
        """The longest text in tokens that the model was built for, or None if it names no limit."""
        return positions_of(self.lm.config)

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end a response: EOS, the template's end of turn, and what generation_config.json names."""
        return end_ids(self.tokenizer, getattr(self.lm, "generation_config", None))

    @property
    def repeats_itself(self) -> bool:
        """True if one forward pass gives the same numbers as sampling token by token: float32, not quantised."""
        return self.lm.dtype == torch.float32 and not getattr(self.lm, "is_quantized", False)

    def reference(self) -> Policy:
        """A frozen copy as it is now, without a value head: what the KL penalty measures from."""
        frozen = Policy(copy.deepcopy(self.lm), self.tokenizer, value_head=False)
        return frozen.requires_grad_(False).eval()


IN_CONFIG = "reward_shift", "likelihood", "reads_chats"     # what of a reward model stands in config.json, in no tensor


def _likelihood(hidden: Tensor, ids: Tensor, mask: Tensor, embedding: Tensor, mark: int) -> Tensor:
    """Mean log-probability of the tokens behind the first `mark`, or of all where there is none: [N] nats."""
    logprob = (hidden[:, :-1].to(embedding.dtype) @ embedding.T).float().log_softmax(-1)
    logprob = logprob.gather(-1, ids[:, 1:, None])[..., 0]                                    # [N, L-1]
    begun = (ids == mark).cumsum(-1) > 0
    keep = mask[:, 1:].bool() & (begun[:, :-1] | ~begun.any(-1, keepdim=True))
    return logprob.masked_fill(~keep, 0).sum(-1) / keep.sum(-1).clamp(min=1)


class RewardModel(nn.Module):
    """A network that reads a prompt and a response and says one number; only differences of it mean something.

        r = w · h - shift          P(A ≻ B) = σ(r_A - r_B)

    The network is one of transformers' sequence classifiers with one output. Of an encoder, h is whatever that class
    pools (BERT's and ERNIE's pooler, ModernBERT's mean); of a decoder it is the last hidden state of the last *real*
    token, found from the mask: by its id, GPT-2's padding could not be told from the end of a text.

    Args:
        model: `transformers.AutoModelForSequenceClassification` with `num_labels=1`.
        tokenizer: the one it was trained with.

    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5; the shift: ibid., after Eq. 1.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        if model.config.num_labels != 1:
            raise ValueError(f"the model has {model.config.num_labels} outputs; a reward model has one. Load it with "
                             f"kit.load_reward_model, which puts a new head on it.")
        self.model, self.tokenizer = model, tokenizer
        _fuse_gelu(self)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Scores of texts `ids` [N, L]; `mask` [N, L] is True on their tokens, padding is on the right: [N]."""
        head = getattr(self.model, "score", None)               # transformers' name for it where a decoder is judged
        if head is None:
            return self.model(input_ids=ids, attention_mask=mask).logits[:, 0].float() - self.shift
        hidden = self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state      # [N, L, d]
        last = hidden[torch.arange(len(ids), device=ids.device), mask.long().sum(-1) - 1]
        with torch.autocast(last.device.type, enabled=False):               # 16 bits would round scores to three digits
            score = head(last.to(next(head.parameters()).dtype))[:, 0].float() - self.shift
            if self.likelihood is None:
                return score
            weight, mark = self.likelihood
            return score + weight * _likelihood(hidden, ids, mask, self.model.get_input_embeddings().weight, mark)

    @property
    def shift(self) -> float:
        """What is taken off every score, so that some texts score 0 on average; kept in the model's config.json."""
        return getattr(self.model.config, "reward_shift", 0.0)

    @shift.setter
    def shift(self, value: float) -> None:
        self.model.config.reward_shift = float(value)

    @property
    def likelihood(self) -> tuple[float, int] | None:
        """(weight, the token behind which the response begins), if the score tells how likely the response is, too.

            r = w · h + weight · mean over response tokens of log p(y_t | x, y_<t) - shift

        p is the decoder's own, with the embeddings as its output layer, as it was when it was a language model with
        tied ones. The response is taken to begin behind the first such token: in a dialogue of several turns what was
        said in between counts, too, and a response that writes the mark itself gains nothing by it. Kept in the model's
        config.json; plain transformers, which knows nothing of it, gives w · h alone.
        """
        found = getattr(self.model.config, "likelihood", None)
        return None if found is None else (float(found[0]), int(found[1]))

    @likelihood.setter
    def likelihood(self, value: tuple[float, int] | None) -> None:
        self.model.config.likelihood = None if value is None else [float(value[0]), int(value[1])]

    @property
    def reads_chats(self) -> bool | None:
        """True if it learned from conversations that its template wrote, False if from plain texts, None if nobody
        said; kept in the model's config.json."""
        return getattr(self.model.config, "reads_chats", None)

    @reads_chats.setter
    def reads_chats(self, value: bool) -> None:
        self.model.config.reads_chats = value

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return self.model.device

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return reading_limit(self.model)

    def train(self, mode: bool = True) -> RewardModel:
        """Dropout on, or off with False; layers in 8 or 4 bits stay with one kernel, see `Policy.train`."""
        super().train(mode)
        for layer in quantized_layers(self):
            layer.train()
        return self


def check_policy(policy: object) -> None:
    """What every loop asks of the model that it is handed. Raises: ValueError with what to give instead."""
    if policy is None or isinstance(policy, str | PathLike):
        place = "..." if policy is None else repr(str(policy))
        raise ValueError(f"the policy is {'None' if policy is None else f'a name, {place}'}; expected a loaded model, "
                         f"kit.load_policy({place}).")
    if isinstance(policy, PreTrainedModel):
        raise ValueError(f"the policy is a {type(policy).__name__} of transformers; expected one with its tokenizer, "
                         f"kit.Policy(model, tokenizer).")


def reading_limit(model: PreTrainedModel) -> int:
    """Tokens that a classifier reads at most, 512 if it names no limit.

    RoBERTa's first position comes behind its padding id.
    """
    places = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    padding = getattr(places, "padding_idx", None)
    return (positions_of(model.config) or 512) - (0 if padding is None else padding + 1)


def positions_of(config: PretrainedConfig) -> int | None:
    """Tokens that a model was built for, or None; one that sees pictures too says it of its text part."""
    text = config.get_text_config()
    return getattr(text, "n_positions", None) or getattr(text, "max_position_embeddings", None)


def _positions(mask: Tensor) -> Tensor:
    return (mask.long().cumsum(-1) - 1).clamp(min=0)          # [B, L]; padding on the left gets 0


def _fuse_gelu(model: nn.Module) -> None:
    """GPT-2's gelu as one kernel and not as eight: the same function, a fifth of a training step on a CPU."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))


def _zero_head(lm: PreTrainedModel, value_trunk: PreTrainedModel | None) -> nn.Linear:
    width = (value_trunk or lm).config.get_text_config().hidden_size
    head = nn.Linear(width, 1, device=lm.device, dtype=torch.float32)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
