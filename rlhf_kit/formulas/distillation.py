"""Context distillation: a student without a prompt learns to predict what its teacher predicts behind one.

Of the teacher's distribution only the k likeliest tokens are kept, and in one bin how likely all the others are
together: 51 numbers in place of 50,000.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.formulas.masked import keep, masked_mean

KEPT = 50                           # tokens of the teacher's distribution (arXiv:2112.00861)


def likeliest(logits: Tensor, k: int = KEPT) -> Tensor:
    """The k tokens that a distribution finds likeliest, the likeliest first; all of them where there are no more.

    Args: logits: [..., V]. Returns: ids, [..., min(k, V)]. Raises: ValueError if k is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; at least the likeliest token is kept.")
    return logits.topk(min(k, logits.shape[-1]), dim=-1).indices


def binned(logits: Tensor, ids: Tensor) -> Tensor:
    """A distribution in k + 1 bins: of each named token its log-probability, then that of all others together.

        (log p_1, ..., log p_k, log (1 - Σ p_i))

    The last is summed over the others and not taken from 1, which would round away what is rarer than 6e-8.

    Args:
        logits: [..., V].
        ids: k different tokens, [..., k], such as those of `likeliest`.

    Returns: [..., k + 1] nats, float32 at least; the last is -inf where every token is named.
    Raises: ValueError if shapes do not fit.
    """
    if logits.shape[:-1] != ids.shape[:-1]:
        raise ValueError(f"logits of shape {tuple(logits.shape)} do not fit ids of shape {tuple(ids.shape)}; expected "
                         f"[..., V] and [..., k].")
    logprob = torch.log_softmax(logits if logits.dtype == torch.float64 else logits.float(), -1)
    if ids.shape[-1] == logits.shape[-1]:
        rest = logprob.new_full((*logprob.shape[:-1], 1), -torch.inf)
    else:
        rest = logprob.scatter(-1, ids, -torch.inf).logsumexp(-1, keepdim=True)
    return torch.cat([logprob.gather(-1, ids), rest], -1)


def certain(bins: Tensor, ids: Tensor, token: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """The same bins, but that at some places one token follows for certain, whatever the teacher expects there.

        p(token) = 1, all other bins 0

    A base that has read whole dialogues may go on with the next speaker's turn where an answer ends; where the answer
    was cut, its end is known.

    Args:
        bins: log p, [..., k + 1] nats, from `binned`.
        ids: the tokens that they are of, [..., k].
        token: what follows, [...].
        where: True at places where that is certain, [...].

    Returns: bins and ids. At such places the token is the first of the k.
    """
    named = ids == token[..., None]
    first = torch.where(named.any(-1, keepdim=True), named, torch.arange(ids.shape[-1], device=ids.device) == 0)
    order = (~first).int().argsort(dim=-1, stable=True)         # the token's place, or that which it takes, comes first
    moved = ids.gather(-1, order)
    moved = torch.cat([token[..., None], moved[..., 1:]], -1)
    sure = torch.full_like(bins, -torch.inf)
    sure[..., 0] = 0.0
    return torch.where(where[..., None], sure, bins), torch.where(where[..., None], moved, ids)


def context_distillation(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    """How far the student is from the teacher, in bins, as a loss to minimise.

        L = mean over tokens of  Σ_{i in top k} p_i log(p_i/q_i)  +  (1 - Σ p_i) log((1 - Σ p_i)/(1 - Σ q_i))

    It is a KL divergence of k + 1 outcomes: never negative, 0 only where the two agree on every bin, and never above
    the KL of the whole vocabulary (the data-processing inequality). What lies in the last bin may go anywhere in it.

    Args:
        student: log q of each bin, [B, T, k + 1] nats, from `binned` at the teacher's tokens; gradients flow.
        teacher: log p of each bin, [B, T, k + 1]; no gradient flows into it.
        mask: True on the tokens that are predicted, [B, T].

    Returns: a scalar, nats per token. Raises: ValueError if no token is marked or shapes differ.
    Source: Askell et al. 2021, arXiv:2112.00861, section 2.1 and its appendix on context distillation.
    """
    if student.shape != teacher.shape:
        raise ValueError(f"the student's bins have shape {tuple(student.shape)}, the teacher's "
                         f"{tuple(teacher.shape)}; expected the same [B, T, k + 1], of the same tokens.")
    log_p, log_q = keep(teacher, mask).detach(), keep(student, mask)
    p = log_p.exp()
    gap = torch.where(p > 0, log_p - log_q, 0.0)            # an empty bin: 0 · log 0 = 0, and no -inf minus -inf
    return masked_mean(torch.where(p > 0, p * gap, 0.0).sum(-1), mask)
