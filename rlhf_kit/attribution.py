"""Which tokens did it: a reward, a drift or a surprise told token by token, and what a text is worth without a word."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import decode
from rlhf_kit.rewards import Reward, checked
from rlhf_kit.sampling import response_logprob

BROKEN = "\ufffd"                   # what a decoder writes for bytes that are no whole character yet

# A word with the space before it; a run of Chinese; or one other mark. Joined they are the text again.
_WORDS = re.compile(r"\s*[\u3400-\u9fff]+|\s*[^\W\u3400-\u9fff]+(?:['’-][^\W\u3400-\u9fff]+)*|\s*[^\w\s]|\s+|\w",
                    re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """The fewest tokens in a row that are whole characters: ids[start:end]; joined, the texts are the response."""

    text: str                       # "" for a token that is not shown, such as the end of a text
    start: int
    end: int

    def total(self, x: Tensor) -> float:
        """The sum of [T] numbers, one a token, over the piece's tokens."""
        return x[self.start:self.end].sum().item()


def pieces(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], ends: Collection[int] = ()) -> list[Piece]:
    """Token ids cut where whole characters end, so that each piece can be shown.

        text_i = decode(ids[:end_i]) after decode(ids[:start_i])

    A byte-level tokenizer may take three tokens for one Chinese character; decoded alone, each would be �. `ends` are
    not shown: what ends a response besides EOS (`Policy.ends`).
    """
    ids = torch.as_tensor(ids, dtype=torch.long)
    if not len(ids):
        return []
    begun = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()                # row t: the first t+1 tokens
    prefixes = decode(tokenizer, ids.expand(len(ids), -1), begun, ends)
    whole, found, before, start = prefixes[-1], [], "", 0
    for end, text in enumerate(prefixes, 1):
        if end == len(ids) or (text.startswith(before) and whole.startswith(text) and not text.endswith(BROKEN)):
            found.append(Piece(text[len(before):], start, end))
            before, start = text, end
    return found


def contributions(reward: Reward, prompt: str, texts: Sequence[str]) -> tuple[float, list[float]]:
    """What each piece of a response added to its reward when it was written.

        c_t = R(x, y_1..t) - R(x, y_1..t-1),      Σ_t c_t = R(x, y) - R(x, "")

    The sum telescopes, so nothing is lost and nothing counted twice. A piece is judged by what was there before it:
    of "not good" the second word may take what the first one earned.

    Args:
        reward: of texts, not of token ids.
        texts: the pieces of the response, in order; "" is worth nothing.

    Returns: R(x, ""), the reward of saying nothing, and one number a piece.
    Raises: RewardError.
    """
    growing = [""]
    for text in texts:
        growing.append(growing[-1] + text)
    distinct = list(dict.fromkeys(growing))
    answer = checked(reward([prompt] * len(distinct), distinct), len(distinct), reward)
    said = dict(zip(distinct, answer.double().tolist(), strict=True))
    return said[""], [said[after] - said[before] for before, after in pairwise(growing)]


def drift(policy: Policy, reference: Policy, rollout: Rollout) -> Tensor:
    """How much likelier the policy finds each token than the reference does, [B, T] nats, 0 on padding.

        d_t = log π(y_t | x, y_<t) - log ρ(y_t | x, y_<t)

    Summed over a response that π sampled this is k1, the KL estimate that PPO is charged for. Both are read at the
    rollout's temperature. Raises: ValueError if the two do not share a vocabulary.
    """
    if not same_vocabulary(policy, reference):
        raise ValueError("the two models have different vocabularies, so no token of one is a token of the other; "
                         "take as reference the model that the policy was trained from.")
    with torch.no_grad():
        return response_logprob(policy, rollout).float() - response_logprob(reference, rollout).float()


def surprise(rollout: Rollout) -> Tensor:
    """How unlikely each token was when it was drawn, [B, T] nats: s_t = -log π(y_t | x, y_<t); 0 on padding."""
    return -rollout.logprob


def same_vocabulary(one: Policy, other: Policy) -> bool:
    """True if a token id means the same to both."""
    return one.tokenizer is other.tokenizer or one.tokenizer.get_vocab() == other.tokenizer.get_vocab()


def words(text: str, tokenizer: PreTrainedTokenizerBase | None = None) -> list[str]:
    """A text in parts that can be left out one at a time: words with the space before them, marks, runs of Chinese.

    Chinese has no spaces: a run of it is cut as the tokenizer would, if there is one, else into its characters.
    """
    found: list[str] = []
    for match in _WORDS.finditer(text):
        part = match.group()
        found += [part] if not re.search(r"[\u3400-\u9fff]", part) else _cut(part, tokenizer)
    return found


def deletions(reward: Reward, prompt: str, parts: Sequence[str]) -> tuple[float, list[float]]:
    """What each part of a response is worth to it: the reward as it is, less the reward without that part.

        e_i = R(x, y) - R(x, y without part i)

    Unlike `contributions` it looks at the whole text, and its sum means nothing: of two words that say the same,
    each alone may be worth 0.

    Returns: R(x, y), and one number a part. Raises: RewardError.
    """
    whole = "".join(parts)
    texts = [whole, *("".join([*parts[:i], *parts[i + 1:]]) for i in range(len(parts)))]
    distinct = list(dict.fromkeys(texts))
    answer = checked(reward([prompt] * len(distinct), distinct), len(distinct), reward).double().tolist()
    said = dict(zip(distinct, answer, strict=True))
    return said[whole], [said[whole] - said[text] for text in texts[1:]]


def _cut(run: str, tokenizer: PreTrainedTokenizerBase | None) -> list[str]:
    """A run of Chinese by the tokenizer's own borders, as far as it knows them, else by character."""
    if tokenizer is None or not tokenizer.is_fast:
        return list(run)
    spans = tokenizer(run, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    ends = sorted({end for _, end in spans if 0 < end < len(run)} | {len(run)})
    return [run[start:end] for start, end in zip([0, *ends], ends, strict=False)]
