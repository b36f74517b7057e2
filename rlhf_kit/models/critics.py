"""A value function that begins as a reward model: what the judge would say of the text so far."""

from __future__ import annotations

import copy

import torch

from rlhf_kit.models.heads import Policy, RewardModel


def with_critic(policy: Policy, model: RewardModel) -> Policy:
    """The same language model with a value function that is a copy of the reward model, on a trunk of its own.

        value_t = w · h_t - shift,     h_t = the judge's last hidden state before token t

    So before the first update the critic says of every unfinished response what the judge's head would say if it ended
    there. (What a judge with `likelihood` adds to its head's, the critic has to learn.) It does not share a weight with
    the policy: what it learns does not pull at what the policy writes.

    Args:
        model: reads with a decoder, whose head sees the last token, and with the policy's own tokenizer.

    Raises: ValueError for an encoder, or another vocabulary.
    Source: Ouyang et al. 2022, arXiv:2203.02155, appendix C.4; Stiennon et al. 2020, arXiv:2009.01325.
    """
    head = getattr(model.model, "score", None)
    if head is None:
        raise ValueError("the reward model reads both ways, as encoders do, and its score of a beginning is not a "
                         "value. Take one that was made of a language model: kit.load_reward_model(..., "
                         "new_head=True).")
    if model.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
        raise ValueError(f"the reward model reads {len(model.tokenizer):,} tokens and the policy writes "
                         f"{len(policy.tokenizer):,} others; a value function reads what the policy writes. Make both "
                         f"of one language model.")
    found = Policy(policy.lm, policy.tokenizer, value_trunk=copy.deepcopy(model.model.base_model))
    with torch.no_grad():
        found.value_head.weight.copy_(head.weight.detach().reshape(1, -1))
        bias = 0.0 if getattr(head, "bias", None) is None else head.bias.item()
        found.value_head.bias.fill_(bias - model.shift)
    return found.train(policy.training)
