"""The right answers of lesson 05c, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.formulas import rule_reward
from rlhf_kit.formulas.choice import chosen_among, chosen_over_each, off_centre
from rlhf_kit.formulas.preference import auc

UNSURE = 3                                  # of five levels: 1 definitely broken ... 5 definitely followed


def rule_targets(level: Tensor) -> tuple[Tensor, Tensor]:
    """([M] places of the labels to learn from, [M] 1 where the rule is broken, 0 where it is followed)."""
    rows = (level != UNSURE).nonzero()[:, 0]
    return rows, (level[rows] < UNSURE).long()


def area(score: Tensor, broken: Tensor) -> float:
    """How often a broken one has the higher score than one that is followed; ties count half."""
    return auc(score.double(), broken.bool()).item()


def distractors(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    """[m] places of at most n replies from other dialogues, whose text is no candidate's and comes once."""
    taken, found = set(candidates), []
    for place, (where, text) in enumerate(zip(other, reply, strict=True)):
        if where != dialogue and text not in taken and len(found) < n:
            taken.add(text)
            found.append(place)
    return torch.tensor(found, dtype=torch.long)


def preference_losses(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(cross-entropy of the choice, Bradley-Terry against each other one, square of the mean score), over the turns."""
    picked = torch.zeros_like(score).scatter(1, chosen[:, None], 1.0)
    return chosen_among(score, picked, mask), chosen_over_each(score, picked, mask), off_centre(score, mask)


def total_reward(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool,
                 average: bool) -> tuple[Tensor, float]:
    """([B] what each response is paid, how many points of raw preference one surely broken rule costs)."""
    spread = preference.std().item() if normalise else 1.0
    liked = (preference - preference.mean()) / spread if normalise else preference
    paid = rule_reward.total_reward(liked, kept, reduction="mean" if average else "sum", valid=valid)
    return paid, spread / (kept.shape[1] if average else 1)


def a2c_loss(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
             alpha: float) -> Tensor:
    """(1 - α) · (mean of -sg(R - V) log π + ½ (R - V)²) + α · mean of KL(π ‖ teacher), over the real tokens."""
    now = logits[mask].log_softmax(-1)                                                  # [tokens, V]
    then = teacher[mask].log_softmax(-1)
    above = reward[:, None].expand_as(value)[mask] - value[mask]                        # [tokens]
    taken = now.gather(-1, token[mask][:, None])[:, 0]
    policy, critic = -(above.detach() * taken).mean(), 0.5 * above.square().mean()
    drift = (now.exp() * (now - then)).sum(-1).mean()
    return (1 - alpha) * (policy + critic) + alpha * drift


def rerank(preference: Tensor, kept: Tensor) -> tuple[int, Tensor]:
    """(place of the candidate to show, [N] σ(r - mean r) · geometric mean of the rules kept)."""
    score = rule_reward.rerank_score(preference, kept)
    return int(score.tolist().index(score.max().item())), score
