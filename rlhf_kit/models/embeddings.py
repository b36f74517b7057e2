"""Rows and tokens: one row of the embedding for each token, and an output layer that may be the same tensor."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.places import ModelUnavailable

SHOWN = 5                           # tokens named in a message


def rows(model: PreTrainedModel) -> int:
    """How many tokens the model has an embedding for."""
    return _weight(model.get_input_embeddings()).shape[0]


def within_rows(tokenizer: PreTrainedTokenizerBase, rows: int, source: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer, of which the model can read every token.

    A padding token that was added without `resize_token_embeddings` is taken out again, and that is said: it is never
    read, and another id pads as well. Raises: ModelUnavailable for other tokens without a row, by name.
    """
    beyond = {token: number for token, number in tokenizer.get_vocab().items() if number >= rows}
    if not beyond:
        return tokenizer
    if set(beyond) == {tokenizer.pad_token} and tokenizer.is_fast and _added(tokenizer, tokenizer.pad_token):
        pad = tokenizer.pad_token
        _without(tokenizer, pad)
        print(f"{source}: its pad token {pad!r} has no row in the embedding ({rows} rows); it is left out, and "
              f"{tokenizer.eos_token or 'token 0'!r} pads instead.", file=sys.stderr)
        return tokenizer
    named = sorted(beyond, key=lambda token: beyond[token])
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    raise ModelUnavailable(f"{source} has a tokenizer of {max(beyond.values()) + 1} tokens and an embedding of {rows} "
                           f"rows: {', '.join(map(repr, named[:SHOWN]))}{more} cannot be read. Give the model a row "
                           f"for each, model.resize_token_embeddings(len(tokenizer)), and save both again.")


def _added(tokenizer: PreTrainedTokenizerBase, token: str) -> bool:
    return any(one["content"] == token for one in json.loads(tokenizer.backend_tokenizer.to_str())["added_tokens"])


def _without(tokenizer: PreTrainedTokenizerBase, token: str) -> None:
    """Take an added token out; written in a text, it is a few characters like any others from then on."""
    about = json.loads(tokenizer.backend_tokenizer.to_str())
    about["added_tokens"] = [one for one in about["added_tokens"] if one["content"] != token]
    about["padding"] = None
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(about))
    tokenizer.pad_token = None


# -- what an adapter was trained beside --------------------------------------------------------------------------------

def grow(model: PreTrainedModel, weights: Mapping[str, Tensor], prefix: str, apart: Sequence[str] = ()) -> None:
    """Give the model as many rows as an adapter's file brings, if these are more; what is in them comes from there.

    Args:
        weights: of the adapter's file.
        prefix: what its names begin with.
        apart: layers by the end of their names of which it holds a whole copy, trained apart from what they shared.

    Raises: ValueError if it brings rows for only one of two layers that do not share them.
    """
    places = {name: layer for name, layer in (("input", model.get_input_embeddings()),
                                              ("output", model.get_output_embeddings())) if layer is not None}
    names = {id(layer): name for name, layer in model.named_modules()}
    brought = {}
    for which, layer in places.items():
        found = (f"{prefix}{names[id(layer)]}{inside}.weight" for inside in ("", ".base_layer"))
        brought[which] = next((len(weights[name]) for name in found if name in weights), 0)
    wanted = max(brought.values(), default=0)
    if wanted <= rows(model):
        return
    shared = len(places) == 2 and _weight(places["input"]) is _weight(places["output"]) and not any(
        names[id(layer)].endswith(tuple(apart)) for layer in places.values())
    if not shared and min(brought.values()) < wanted:
        raise ValueError(f"it brings {wanted} rows for the {max(brought, key=brought.get)} layer alone, and the base "
                         f"has {rows(model)}")
    with torch.random.fork_rng(devices=[]):
        model.resize_token_embeddings(wanted, mean_resizing=False)


def untie(model: PreTrainedModel) -> None:
    """Give the output layer a tensor of its own if an adapter lies beside it or beside the input layer, and both are
    one: what is added to the one is not meant for the other."""
    layers = _both(model)
    held = [getattr(layer, "base_layer", layer) for layer in layers]
    weights = [held_one._parameters.get("weight") for held_one in held]
    if held != layers and len(held) == 2 and weights[0] is weights[1] is not None:
        held[1].weight = nn.Parameter(weights[1].detach().clone(), requires_grad=False)


def settle_ties(model: PreTrainedModel) -> None:
    """Let the config say whether input and output are one tensor, as it is now; else they are made one on loading."""
    layers = _both(model)
    if len(layers) < 2 or _weight(layers[0]) is _weight(layers[1]):
        return
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False
    model.all_tied_weights_keys = {}


def _both(model: PreTrainedModel) -> list[nn.Module]:
    return [layer for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer is not None]


def _weight(layer: nn.Module) -> Tensor:
    return getattr(layer, "base_layer", layer).weight
