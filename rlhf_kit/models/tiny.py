"""Architectures small enough to train from nothing while you watch: language models, classifiers, a reward model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from rlhf_kit.models.heads import RewardModel

LABELS = ("negative", "positive")


def language_model(tokenizer: PreTrainedTokenizerBase, *, layers: int = 2, width: int = 128, heads: int = 4,
                   context: int = 96, seed: int = 0) -> GPT2LMHeadModel:
    """A GPT-2 without dropout, weights drawn from `seed`; about half a million parameters by default."""
    config = GPT2Config(vocab_size=len(tokenizer), n_layer=layers, n_head=heads, n_embd=width, n_positions=context,
                        activation_function="relu",                 # gelu alone takes an eighth of a step on a CPU
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **_ids(tokenizer))
    with _seeded(seed):
        return GPT2LMHeadModel(config).eval()


def llama(tokenizer: PreTrainedTokenizerBase, *, layers: int = 3, width: int = 128, heads: int = 4, context: int = 192,
          seed: int = 0) -> LlamaForCausalLM:
    """A LLaMA, whose layers are what 8 and 4 bits and adapters are made for; weights drawn from `seed`.

    Widths are multiples of 64, which 4 bits on a CPU ask for. First weights are three times as large as LLaMA's own
    0.02, which is meant for thousands of columns: with so few, attention would take long to begin.
    """
    config = LlamaConfig(vocab_size=len(tokenizer), num_hidden_layers=layers, num_attention_heads=heads,
                         hidden_size=width, intermediate_size=64 * round(width * 8 / 3 / 64),
                         max_position_embeddings=context, attention_dropout=0.0, tie_word_embeddings=True,
                         initializer_range=0.06, **_ids(tokenizer))
    with _seeded(seed):
        return LlamaForCausalLM(config).eval()


def classifier(tokenizer: PreTrainedTokenizerBase, *, layers: int = 2, width: int = 64, heads: int = 4,
               context: int = 96, dropout: float = 0.0, seed: int = 0) -> ModernBertForSequenceClassification:
    """An encoder that reads a whole text and says negative or positive, weights drawn from `seed`.

    ModernBERT normalises before each layer and pools the mean of all tokens; from nothing it learns in a third of
    the steps that the first BERT's architecture takes.
    """
    config = _encoder(tokenizer, layers, width, heads, context, dropout, **_labels())
    with _seeded(seed):
        return ModernBertForSequenceClassification(config).eval()


def reward_model(tokenizer: PreTrainedTokenizerBase, *, layers: int = 2, width: int = 64, heads: int = 4,
                 context: int = 96, dropout: float = 0.0, seed: int = 0) -> RewardModel:
    """The same encoder with one output; its last layer is small, so that first scores are near each other."""
    config = _encoder(tokenizer, layers, width, heads, context, dropout, num_labels=1)
    with _seeded(seed):
        model = ModernBertForSequenceClassification(config).eval()
        nn.init.normal_(model.classifier.weight, std=(width + 1) ** -0.5)
    return RewardModel(model, tokenizer)


def _encoder(tokenizer: PreTrainedTokenizerBase, layers: int, width: int, heads: int, context: int, dropout: float,
             **outputs) -> ModernBertConfig:
    return ModernBertConfig(
        vocab_size=len(tokenizer), num_hidden_layers=layers, num_attention_heads=heads, hidden_size=width,
        intermediate_size=3 * width // 2, max_position_embeddings=context, global_attn_every_n_layers=1,
        classifier_pooling="mean", attention_dropout=0.0, embedding_dropout=dropout, mlp_dropout=dropout,
        classifier_dropout=dropout, **outputs, **_ids(tokenizer), cls_token_id=tokenizer.eos_token_id,
        sep_token_id=tokenizer.eos_token_id)


def classifier_from(lm: GPT2LMHeadModel, seed: int = 0) -> GPT2ForSequenceClassification:
    """A classifier that starts from a language model's trunk and reads its last token, as reward models do."""
    config = GPT2Config(**{**lm.config.to_dict(), **_labels()})
    with _seeded(seed):
        model = GPT2ForSequenceClassification(config)
    model.transformer.load_state_dict(lm.transformer.state_dict())
    return model.eval()


def parameters(model: nn.Module | PreTrainedModel) -> int:
    """How many numbers the model holds, tied ones counted once."""
    return sum(p.numel() for p in model.parameters())


def _labels() -> dict:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}


def _ids(tokenizer: PreTrainedTokenizerBase) -> dict:
    return {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id}


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside, and leave the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
