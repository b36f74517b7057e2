"""A causal language model in two parts, so that nobody pays for logits that nobody asked for.

    h = trunk(ids), [B, L, d]          z = output(h'), [..., V], of those h' that are asked about

The output part is the model's own class around the same weights, with a trunk that hands through what it is given:
whatever the class does between its last hidden state and its logits (a scale as Cohere's and Granite's, a cap as
Gemma 2's) is done here too. Where a model cannot be taken apart so, `comes_apart` says so and its own forward is used.
"""

from __future__ import annotations

import inspect
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from rlhf_kit.models.cache import NAME

TOLERANCE = 0.02                    # of the largest logit: rounding in 16 bits, but no other model


_KNOWN: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def comes_apart(lm: PreTrainedModel) -> bool:
    """True if this model can be asked in two parts; the first time, two tokens are read in both ways and compared."""
    model = _inner(lm)
    if model not in _KNOWN:
        _KNOWN[model] = (isinstance(model._modules.get(model.base_model_prefix), nn.Module)
                         and "inputs_embeds" in inspect.signature(model.forward).parameters and _agrees(lm))
    return _KNOWN[model]


def takes_positions(lm: PreTrainedModel) -> bool:
    """True if the model may be told which place each token has (BLOOM, for one, may not)."""
    return "position_ids" in inspect.signature(_inner(lm).forward).parameters


def hidden_states(lm: PreTrainedModel, ids: Tensor, mask: Tensor, positions: Tensor | None = None, cache: Any = None,
                  use_cache: bool = False) -> tuple[Tensor, Any]:
    """Last hidden states of `ids` [B, L] with `mask` [B, tokens so far], and the cache to go on from: [B, L, d]."""
    model = _inner(lm)
    output = model._modules[model.base_model_prefix](
        input_ids=ids, attention_mask=mask, use_cache=use_cache, return_dict=True, **{NAME: cache},
        **({} if positions is None else {"position_ids": positions}))
    return output.last_hidden_state, getattr(output, NAME) if use_cache else None


def logits(lm: PreTrainedModel, hidden: Tensor) -> Tensor:
    """What the model says after these hidden states, [..., d] to [..., V], with everything that its class does."""
    return _output_part(_inner(lm), hidden)


def _output_part(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    view = object.__new__(type(model))                   # shares every weight; made anew, so it is never out of date
    view.__dict__.update(model.__dict__, _modules={**model._modules, model.base_model_prefix: _Handed()})
    view.__dict__.pop("forward", None)                   # what a library hung in there would run the whole model
    flat = hidden.reshape(1, -1, hidden.shape[-1])
    said = view(inputs_embeds=flat, use_cache=False, return_dict=True).logits
    return said.reshape(*hidden.shape[:-1], said.shape[-1])


class _Handed(nn.Module):
    """In the place of a trunk: what goes in as embeddings comes out as last hidden states."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=inputs_embeds)


def _inner(lm: PreTrainedModel) -> PreTrainedModel:
    """Without peft's wrapper, whose adapters are layers of the model itself; prompts that are learnt are not."""
    settings = getattr(lm, "active_peft_config", None)
    return lm if settings is None or settings.is_prompt_learning else lm.get_base_model()


@torch.no_grad()
def _agrees(lm: PreTrainedModel) -> bool:
    """True if the output part, given what the trunk said in a pass of the whole model, says what the model said.

    One pass and not two, so that dropout may be on; the caller's random numbers are left alone.
    """
    model, seen = _inner(lm), []
    hook = model._modules[model.base_model_prefix].register_forward_hook(lambda _, __, output: seen.append(output))
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            ids = torch.zeros(1, 2, dtype=torch.long, device=model.device)
            expected = lm(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, return_dict=True).logits
        found = _output_part(model, seen[0].last_hidden_state)
    except (AttributeError, IndexError, TypeError, ValueError):      # a class that is built in another way
        return False
    finally:
        hook.remove()
    return found.shape == expected.shape and bool(
        (found.float() - expected.float()).abs().max() <= TOLERANCE * expected.float().abs().max())
