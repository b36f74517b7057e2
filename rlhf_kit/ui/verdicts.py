"""What a reward model would have said of a list that somebody has just ranked: its order, its loss, its pairs right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit.language import Lang

if TYPE_CHECKING:
    from rlhf_kit.rewards import Reward

SCORES = "ForSequenceClassification"                # how transformers' classes of that kind end


def judges(lang: Lang, folder: Path) -> dict[str, str | Path]:
    """Name shown → where it is: the tiny reward model, and those trained in the studio's folder, newest first."""
    runs = [path.parent for path in (folder / "runs").glob("*/model/config.json") if _scores(path)]
    runs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return {f"tiny-rm-{lang}": f"tiny-rm-{lang}", **{path.parent.name: path for path in runs}}


def is_here(judge: str | Path) -> bool:
    """Whether it can be asked without training it first."""
    from rlhf_kit import zoo
    return isinstance(judge, Path) or zoo.is_complete(zoo.place(judge))


def opinion(judge: str | Path, prompt: str, responses: Sequence[str],
            groups: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The judge's scores beside a person's order.

    Args: groups: best first, positions in `responses`.
    Returns: score, a number a response; rank, theirs, 1 = best; loss, nats a pair, and how many pairs are right, None
        if there is no pair with a winner; pairs, those with a winner.
    Raises: ModelUnavailable if the judge is not there (any more).
    """
    import torch

    from rlhf_kit.formulas.losses import ranking
    from rlhf_kit.formulas.preference import pairs_right
    score = reward_of(judge)([prompt] * len(responses), list(responses)).double()
    place = {card: rank for rank, group in enumerate(groups, 1) for card in group}
    rank = torch.tensor([[place[i] for i in range(len(responses))]])
    right, pairs = pairs_right(score[None], rank)
    decided = int(pairs.item()) > 0
    return {"score": score.tolist(), "rank": [1 + int((score > s).sum()) for s in score],
            "loss": ranking(score[None], rank).item() if decided else None,
            "right": float(right.item()) if decided else None, "pairs": int(pairs.item())}


def reward_of(judge: str | Path) -> Reward:
    """The judge as a function of texts, kept while it is the newest of that name."""
    return _loaded(judge, (Path(judge) / "config.json").stat().st_mtime_ns if isinstance(judge, Path) else 0)


@lru_cache(maxsize=4)
def _loaded(judge: str | Path, _written: int) -> Reward:
    from rlhf_kit import rewards, zoo
    return rewards.learned(zoo.load_reward_model(judge))


def _scores(config: Path) -> bool:
    """Whether that is a reward model's: a classifier with one output."""
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
        return any(name.endswith(SCORES) for name in said["architectures"]) and len(said["id2label"]) == 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
