"""From logits to log-probability, entropy and exact KL.

Everything is in nats and at least float32: half-precision logits are widened first, because a ratio of two
probabilities that were rounded to three digits is noise. Nothing shifts: `logits[:, t]` predict `ids[:, t]`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

_NO_SUCH_ID = -2**31      # torch would quietly skip -100; here a wrong id is an error
_BELOW_ONE = 1 - 2**-53         # the last float64 before 1
_LOWEST = torch.finfo(torch.float32).min
_SHORT, _BLOCK = 2048, 256      # vocabularies that are summed word by word, and longer ones by so many words


def token_logprob(logits: Tensor, ids: Tensor, temperature: float = 1.0) -> Tensor:
    """The log-probability of each token that was written.

        log π(a) = z_a/τ - log Σ_v exp(z_v/τ)

    Args:
        logits: z, [B, T, V]; position t predicts token t.
        ids: a, the tokens written, [B, T].
        temperature: τ, the one used in sampling.

    Returns: [B, T] nats. Raises: ValueError if shapes do not fit or the temperature is not positive.
    Source: the temperature belongs here too, Ziegler et al. 2019, arXiv:1909.08593, their code.
    """
    if logits.shape[:-1] != ids.shape:
        raise ValueError(f"logits of shape {tuple(logits.shape)} do not fit ids of shape {tuple(ids.shape)}; "
                         f"expected [B, T, V] and [B, T], where logits[:, t] predict ids[:, t].")
    # The same number as log_softmax and gather, up to a third faster on small vocabularies. (Gather minus
    # logsumexp is not: slower backwards, and 4e-6 off when logits are near -100, as GPT-2's are.)
    z = _tempered(logits, temperature).reshape(-1, logits.shape[-1])
    return -cross_entropy(z, ids.reshape(-1), reduction="none", ignore_index=_NO_SUCH_ID).reshape(ids.shape)


def entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """How undecided the policy is before each token: 0 when certain, log V when it has no idea.

        H = -Σ_v p_v log p_v,   p = softmax(z/τ)

    Args:
        logits: z, [B, T, V]; a forbidden word may have -inf.
        temperature: τ, the one used in sampling.

    Returns: [B, T] nats. Raises: ValueError if the temperature is not positive.
    Source: Shannon 1948, Theorem 2.
    """
    logprob = torch.log_softmax(_tempered(logits, temperature), -1)
    return _entropy(logprob.exp(), logprob)


def sample(logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A word a row, drawn from p = softmax(z), with its log-probability and the entropy of p: one softmax for all.

    Args:
        logits: z, [B, V], divided by the temperature already; a forbidden word may have -inf.
        uniform: u in [0, 1), [B] float64, see `draw`.

    Returns: ids, log p(a) and H(p), each [B], nats. Raises: as `draw`.
    """
    logprob = torch.log_softmax(_tempered(logits), -1)
    p = logprob.exp()
    ids = draw(p, uniform)
    return ids, logprob.gather(-1, ids[:, None])[:, 0], _entropy(p, logprob)


def draw(p: Tensor, uniform: Tensor) -> Tensor:
    """A word a row by the inverse of the distribution function: one random number a row, however many words.

        a = the first v with p_1 + ... + p_v > u · (p_1 + ... + p_V)

    So a row's word depends on its own number only, whoever stands beside it. (Exponential noise on every word, as
    torch.multinomial has it, takes 80 ms for 64 rows of 50,000 words, this one.) Sums are float64, and long
    vocabularies are summed by blocks: running float32 sums would round away what is rarer than 6e-8.

    Args:
        p: probabilities, [B, V]; they need not sum to 1. What has 0 is never drawn.
        uniform: u in [0, 1), [B] float64.

    Returns: ids, [B]. Raises: ValueError if a row has no positive sum.
    Source: Devroye 1986, Non-Uniform Random Variate Generation, chapter III.2.
    """
    if p.shape[-1] <= _SHORT:
        return _first_above(p, uniform)[0][:, 0]
    whole = p.shape[-1] // _BLOCK * _BLOCK
    mass = torch.cat([p[:, :whole].unflatten(1, (-1, _BLOCK)).sum(-1), p[:, whole:].sum(-1, keepdim=True)], dim=1)
    block, below = _first_above(mass, uniform)
    rest = (1 - below / mass.gather(1, block).double()).clamp(0, _BELOW_ONE)[:, 0]      # u within the block
    ids = block * _BLOCK + torch.arange(_BLOCK, device=p.device)                # [B, _BLOCK]
    inside = p.gather(1, ids.clamp(max=p.shape[-1] - 1)).masked_fill(ids >= p.shape[-1], 0.0)
    return ids.gather(1, _first_above(inside, rest)[0])[:, 0]


def exact_kl(logits: Tensor, ref_logits: Tensor) -> Tensor:
    """How far the policy is from the reference, summed over the whole vocabulary instead of estimated.

        KL(π ‖ ρ) = Σ_v π_v (log π_v - log ρ_v)

    Args:
        logits, ref_logits: of the policy π and the reference ρ, [B, T, V], already divided by the
            temperature if there is one.

    Returns: [B, T] nats, never negative but for rounding. Raises: ValueError if the shapes differ.
    Source: Kullback & Leibler 1951; `kl_penalty="full"` in TRL 0.11.4.
    """
    if logits.shape != ref_logits.shape or logits.dim() < 3:
        raise ValueError(f"exact_kl got {tuple(logits.shape)} and {tuple(ref_logits.shape)}; it compares "
                         f"whole distributions, logits [B, T, V]. From log-probabilities [B, T] use "
                         f"kl_penalty.estimate_k1.")
    logprob = torch.log_softmax(_tempered(logits), -1)
    ref_logprob = torch.log_softmax(_tempered(ref_logits), -1)
    p = logprob.exp()
    return (p * (logprob - ref_logprob).masked_fill(p == 0, 0.0)).sum(-1)


def _entropy(p: Tensor, logprob: Tensor) -> Tensor:
    """-Σ p log p, where 0 · log 0 = 0. Without gradients both are used up: new memory takes longer than the sum."""
    if torch.is_grad_enabled():
        return -(p * logprob.clamp(min=_LOWEST)).sum(-1)
    return -p.mul_(logprob.clamp_(min=_LOWEST)).sum(-1)


def _first_above(p: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """The word that `draw` describes, and how far u's place lies below the sum up to that word: two [B, 1]."""
    upto = p.cumsum(-1, dtype=torch.float64)
    total = upto[:, -1:]
    if not (total > 0).all():                                   # false of NaN too
        raise ValueError("the policy's probabilities are no numbers any more: it has diverged. Start again with a "
                         "lower learning_rate or a larger KL coefficient.")
    place = uniform[:, None] * total                            # below Σ p also when rounded, as u is at most 1 - 2^-53
    ids = torch.searchsorted(upto, place, right=True)
    return ids, upto.gather(1, ids) - place


def _tempered(logits: Tensor, temperature: float = 1.0) -> Tensor:
    if not temperature > 0:
        raise ValueError(f"the temperature is {temperature}; it must be positive. Greedy decoding has no "
                         f"distribution to take log-probabilities from.")
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return logits if temperature == 1.0 else logits / temperature
