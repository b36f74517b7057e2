"""The right answers of lesson 05a, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from rlhf_kit.formulas.kl_penalty import token_reward
from rlhf_kit.formulas.losses import ranking
from rlhf_kit.formulas.preference import preference_mask

DROPPED, TRAIN, HELD_OUT = 0, 1, 2
MUCH, LITTLE = 3, 1                         # points of 7: much more helpful, only a little less safe


def sort_prompts(user: list[int], start: Tensor, most: int, shared: int, held_out: list[int]) -> Tensor:
    """[N]: 0 dropped, 1 train, 2 held out; no copies of a kept prompt, so many of a user at most, split by user."""
    kept: set[tuple[int, ...]] = set()
    sent: Counter[int] = Counter()
    found = []
    for who, row in zip(user, start.tolist(), strict=True):
        beginning = tuple(row[:shared])
        if beginning in kept or sent[who] >= most:
            found.append(DROPPED)
            continue
        kept.add(beginning)
        sent[who] += 1
        found.append(HELD_OUT if who in held_out else TRAIN)
    return torch.tensor(found)


def labelers_choice(helpful: Tensor, safe: Tensor, high_stakes: Tensor) -> tuple[Tensor, Tensor]:
    """([N] in training, [N] in evaluation): 0 or 1, whichever response is preferred, -1 for a tie."""
    more_helpful, safer = helpful[:, 1] - helpful[:, 0], safe[:, 1] - safe[:, 0]        # points of the second
    training = sign(torch.where(more_helpful != 0, more_helpful, safer))
    evaluation = sign(torch.where(safer != 0, safer, more_helpful))
    excused = (more_helpful.abs() >= MUCH) & (safer * more_helpful.sign() >= -LITTLE) & ~high_stakes
    return training, torch.where(excused, sign(more_helpful), evaluation)


def page_cost(rank: Tensor) -> tuple[int, int, Tensor]:
    """(passes together, passes apart, [K] pairs that each response stands in); ties make no pair."""
    uses = pairs_of(rank).sum(1) + pairs_of(rank).sum(0)
    return int((uses > 0).sum()), int(uses.sum()), uses


def mended_loss(score: Tensor, rank: Tensor) -> Tensor:
    """Mean over the pairs with a winner of log(1 + e^(bad - good)); 0 without any."""
    if not pairs_of(rank).any():
        return 0.0 * score.sum()
    return ranking(score[None], rank[None], torch.ones_like(rank, dtype=torch.bool)[None])


def choose_checkpoint(loss: Tensor, score: Tensor) -> tuple[int, int, float]:
    """(epoch of the least loss, epoch of the highest mean score, what the first gives away), epochs from 1."""
    mean = score.double().mean(1)
    by_loss, by_score = first_least(loss), first_least(-mean)
    return by_loss + 1, by_score + 1, (mean[by_score] - mean[by_loss]).item()


def ppo_reward(score: Tensor, demonstration: Tensor, logprob: Tensor, ref_logprob: Tensor, mask: Tensor,
               beta: float) -> Tensor:
    """-β · (log π - log π_SFT) a token, and the score above that of demonstrations on the last, [B, T]."""
    return token_reward(score - demonstration.mean(), logprob, ref_logprob, mask, beta)


def ptx_gradient(ppo: Tensor, pretraining: Tensor, tokens: Tensor, gamma: float) -> Tensor:
    """PPO's gradient plus γ times that of the mean loss over all pretraining tokens, [P]."""
    read = tokens > 0
    return ppo + gamma * (tokens[read, None] * pretraining[read]).sum(0) / tokens.sum()


def averaged_weights(start: Tensor, weight: Tensor, decay: float) -> tuple[Tensor, float]:
    """(the average after all updates [P], the share of `start` that is left in it)."""
    average = start
    for now in weight:
        average = decay * average + (1 - decay) * now
    return average, decay ** len(weight)


def sign(points: Tensor) -> Tensor:
    """1 where the second response has more, 0 where the first has, -1 where they are equal."""
    return torch.where(points > 0, 1, torch.where(points < 0, 0, -1))


def pairs_of(rank: Tensor) -> Tensor:
    """[K, K]: True at (i, j) where response i was ranked above response j."""
    return preference_mask(rank[None])[0]


def first_least(x: Tensor) -> int:
    """Where the smallest entry stands, the first of several."""
    return x.tolist().index(min(x.tolist()))
