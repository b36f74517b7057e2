"""What a reward model would have said of a list that somebody has just ranked: its order, its loss, its pairs right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhf_kit.rewards import Reward


def opinion(reward: Reward, prompt: str, responses: Sequence[str], groups: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A reward model's scores beside a person's order.

    Args: groups: best first, positions in `responses`.
    Returns: score, a number a response; rank, theirs, 1 = best; loss, nats a pair, and how many pairs are right, None
        if there is no pair with a winner; pairs, those with a winner.
    """
    import torch

    from rlhf_kit.formulas.losses import ranking
    from rlhf_kit.formulas.preference import pairs_right
    score = reward([prompt] * len(responses), list(responses)).double()
    place = {card: rank for rank, group in enumerate(groups, 1) for card in group}
    rank = torch.tensor([[place[i] for i in range(len(responses))]])
    right, pairs = pairs_right(score[None], rank)
    decided = int(pairs.item()) > 0
    return {"score": score.tolist(), "rank": [1 + int((score > s).sum()) for s in score],
            "loss": ranking(score[None], rank).item() if decided else None,
            "right": float(right.item()) if decided else None, "pairs": int(pairs.item())}
