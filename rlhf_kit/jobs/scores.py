"""What `--judge` and `--reward` ask for, as a reward; and the same handed conversations as it knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlhf_kit import rewards, zoo
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs.written import read_by
from rlhf_kit.runs.pipeline import content


def check_one(judge: str | None, reward: str | None, label: str = "positive") -> None:
    """Raises ValueError, one line, unless there is exactly one thing to please."""
    if (judge is None) == (reward is None):
        seen = "neither --judge nor --reward is" if judge is None else "both --judge and --reward are"
        raise ValueError(f"{seen} given; a response is scored by one thing. Name a classifier or a reward model "
                         f"with --judge, or a function of yours with --reward my_reward.py:reward.")
    check_label(judge, label)


def check_label(judge: str | None, label: str) -> None:
    """Raises ValueError, one line, for a classifier's output without a classifier."""
    if judge is None and label != "positive":
        raise ValueError("--judge-class is an output of a classifier, and there is none. Name it with --judge.")


def asked(judge: str | None, reward: str | None, label: str = "positive", *, device: str = "cpu",
          rows: Sequence[Mapping[str, Any]] = ()) -> rewards.Reward:
    """A function in a Python file; or a model by name, a reward model's probability or a classifier's of `label`.

    Args:
        rows: the other columns of a table of prompts, for a function with TRL's signature.

    Raises: RewardError, ModelUnavailable, ValueError, one line.
    """
    if reward is not None:
        return rewards.from_file(reward, list(rows))
    if zoo.is_reward_model(judge):
        if label != "positive":
            raise ValueError(f"--judge-class is an output of a classifier; {judge} is a reward model and has one "
                             f"output. Leave --judge-class out.")
        return rewards.learned(zoo.load_reward_model(judge, device=device), output="probability")
    return rewards.classifier(*zoo.load_classifier(judge, device=device), label=label)


def belongs(claim: dict[str, Any], *places: str | None) -> dict[str, Any]:
    """The claim with the content of every file that holds a function which scores: another file is another run."""
    for file in (place.rpartition(":")[0] for place in places if place):
        claim["files"][file] = content(file)
    return claim


def on_chats(score: rewards.Reward, chats: Mapping[str, Chat], judge: str | None) -> rewards.Reward:
    """The reward, handed each conversation as it knows them: by its own template, as a dialogue, or as one reads."""
    if judge is None:
        return rewards.of_chats(score, chats)
    reader = zoo.load_tokenizer(judge) if zoo.is_reward_model(judge) else None
    return rewards.of_chats(score, chats, read_by(reader))
