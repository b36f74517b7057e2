"""A policy with one decision: what ends at a known distribution can be told from what does not."""

from collections.abc import Sequence

import torch

from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy


def three_words(probabilities) -> Policy:
    """A language model whose next token is a, b or c with the given probabilities, whatever came before."""
    tokenizer = text.train_tokenizer(["abcx"] * 3, 7)        # three special tokens, four letters
    policy = Policy(tiny.language_model(tokenizer, layers=1, width=16, heads=1, context=8), tokenizer)
    policy.lm.lm_head.weight = torch.nn.Parameter(torch.zeros_like(policy.lm.lm_head.weight))   # untied
    policy.lm.transformer.ln_f.weight.data.zero_()
    policy.lm.transformer.ln_f.bias.data.zero_()[0] = 1.0
    ids = [tokenizer.convert_tokens_to_ids(w) for w in "abc"]
    policy.lm.lm_head.weight.data[:, 0] = -30.0
    policy.lm.lm_head.weight.data[ids, 0] = torch.tensor(probabilities).log()
    policy.lm.transformer.requires_grad_(False)
    return policy


def probabilities_of(policy: Policy) -> list[float]:
    """Of a, b and c as the next token."""
    with torch.no_grad():
        end = policy(*text.encode_prompts(policy.tokenizer, ["x"]), keep=1).logits[0, 0].softmax(-1)
    return [end[policy.tokenizer.convert_tokens_to_ids(word)].item() for word in "abc"]


def distance(policy: Policy, probabilities: Sequence[float]) -> float:
    """Total variation: half of the sum of absolute differences."""
    return sum(abs(p - q) for p, q in zip(probabilities_of(policy), probabilities, strict=True)) / 2
