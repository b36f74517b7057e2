"""One small PPO job, the same for everybody: a random GPT-2 learns to say tokens with a low id.

A token earns 1/20 if its id is below 100, and drifting costs 0.05 a nat. So the best policy multiplies the odds of
those tokens by exp(1/20/0.05) = e everywhere: a mean reward of e/(e + 5) = 0.352 at 2.0 nats a response, from 1/6.

The peers' environments import this file too: torch and transformers 4.46 or newer, nothing of the kit.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

VOCABULARY, PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 600, 64, 8, 20
EOS, PAD = VOCABULARY, VOCABULARY + 1      # ids that the model has no logit for, so that no response ends early
EPOCHS, MINIBATCH = 4, 16                  # 16 gradients a step
LEARNING_RATE, KL_COEFFICIENT = 1e-4, 0.05
GROUP, PAIRS = 8, 16                       # GRPO: answers to a prompt, 64 in all; DPO: pairs a gradient


def architecture(**more: int) -> GPT2Config:
    """4 layers, 4 heads, 128 dimensions, no dropout."""
    return GPT2Config(n_layer=4, n_head=4, n_embd=128, n_positions=64, vocab_size=VOCABULARY, resid_pdrop=0.0,
                      embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None, **more)


def language_model(ends: bool = False) -> GPT2LMHeadModel:
    """The same random weights whatever the seed of a run; `ends`: with rows for end and padding, which DPO reads."""
    torch.manual_seed(0)
    config = architecture()
    config.vocab_size += 2 * ends
    return GPT2LMHeadModel(config)


def prompts() -> torch.Tensor:
    """[64, 8], the same every step."""
    return torch.randint(VOCABULARY, (PROMPTS, PROMPT_TOKENS), generator=torch.Generator().manual_seed(1234))


def reward(responses: Iterable[Sequence[int]]) -> list[float]:
    """What a user would write: no tensor, no model, no class."""
    return [sum(token < 100 for token in response) / len(response) for response in responses]


def tokenizer() -> PreTrainedTokenizerFast:
    """One word a token: "t0" to "t599"."""
    words = {f"t{i}": i for i in range(VOCABULARY)} | {"<eos>": EOS, "<pad>": PAD}
    backend = Tokenizer(models.WordLevel(words, unk_token="t0"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token="<pad>", padding_side="left")


def as_text(rows: torch.Tensor) -> list[str]:
    """Token ids as the texts that the tokenizer reads back."""
    return [" ".join(f"t{i}" for i in row) for row in rows.tolist()]


def pairs() -> list[dict[str, str]]:
    """256 prompts with two answers of 20 random tokens, the first of which has more tokens with a low id."""
    draw = torch.Generator().manual_seed(1234)
    asked = as_text(torch.randint(VOCABULARY, (256, PROMPT_TOKENS), generator=draw))
    answers = torch.randint(VOCABULARY, (256, 2, NEW_TOKENS), generator=draw)
    better = (answers < 100).sum(-1).argmax(-1)
    return [{"prompt": prompt, "chosen": f" {chosen}", "rejected": f" {rejected}"} for prompt, chosen, rejected in zip(
        asked, as_text(answers[torch.arange(256), better]), as_text(answers[torch.arange(256), 1 - better]),
        strict=True)]


def measured(updates: Iterator[tuple[float, float]]) -> Iterator[dict[str, float]]:
    """What each step took, of this process and all its threads, beside its mean reward and its nats a response."""
    cpu, wall = time.process_time(), time.perf_counter()
    for said, drift in updates:
        yield {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "reward": said,
               "kl": drift}
        cpu, wall = time.process_time(), time.perf_counter()
