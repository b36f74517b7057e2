"""What all votes together say: of the models, of the voters' habits, and of the reward model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhf_kit.labels import BOTH_BAD, Judgement, Labels, Task
from rlhf_kit.language import Lang
from rlhf_kit.studio.vote_pairs import matches

if TYPE_CHECKING:
    from rlhf_kit.evaluate import Estimate
    from rlhf_kit.labels.annotators import Rating

ENOUGH = 30                         # votes below which the intervals are too wide to say much, as `evaluate.FEW`


@dataclass(frozen=True)
class Results:
    """Of the votes on pairs in one language; None where there is nothing to count."""

    votes: int
    people: int
    ties: int                       # without "both bad"
    both_bad: int
    ratings: tuple[Rating, ...]     # strongest first
    longer: Estimate | None         # how often the longer response wins, by characters, of votes with a winner
    first: Estimate | None          # how often the one shown first wins
    judge: Estimate | None          # how often the reward model prefers the winner too
    matches: tuple[Match, ...]      # two models each, the newest first


@dataclass(frozen=True)
class Match:
    """Two models whose responses were put side by side."""

    first: str
    second: str
    won: int                        # votes for the first
    tied: int                       # both bad among them
    rate: Estimate                  # of the first: (won + tied/2) / n with Wilson's interval, see `evaluate.share`


def results(labels: Labels, lang: Lang, rewards: Mapping[tuple[str, str], float], question: str = "") -> Results:
    """Count the votes on one question, repeats left out."""
    from rlhf_kit.evaluate import share
    from rlhf_kit.labels.annotators import rate
    pairs = {number for numbers in matches(labels, lang).values() for number in numbers}
    tasks = {task.id: task for task in labels.tasks()
             if task.kind == "vote" and (task.id in pairs or task.lang == lang)}
    votes = [said for said in labels.judgements(question=question, kinds=("vote",))
             if said.repeat == 0 and said.task_id in tasks]
    decided = [(tasks[said.task_id], said, said.groups[0][0]) for said in votes if len(said.groups) == 2]
    bad = sum(BOTH_BAD in said.flags for said in votes)
    head_to_head = []
    for (first, second), numbers in reversed(matches(labels, lang).items()):
        own = [said for said in votes if said.task_id in set(numbers)]
        names = [tasks[said.task_id].responses[said.groups[0][0]].model for said in own if len(said.groups) == 2]
        won, tied = names.count(first), len(own) - len(names)
        if own:
            head_to_head.append(Match(first, second, won, tied, share(won + tied / 2, len(own))))
    return Results(
        votes=len(votes), people=len({said.annotator for said in votes}), ties=len(votes) - len(decided) - bad,
        both_bad=bad, ratings=rate(labels, votes),
        longer=_share([len(task.texts[won]) > len(task.texts[1 - won]) for task, _, won in decided
                       if len(task.texts[0]) != len(task.texts[1])]),
        first=_share([said.shown_order[0] == won for _, said, won in decided if said.shown_order]),
        judge=_share([right for task, _, won in decided
                      if (right := _judge_agrees(task, won, rewards)) is not None]),
        matches=tuple(head_to_head))


def on_this_pair(votes: Sequence[Judgement], order: Sequence[int]) -> dict[str, int]:
    """How many said a, b, tie and bad of one pair that is shown in that order."""
    said = Counter(verdict(vote, order) for vote in votes if vote.repeat == 0)
    return {key: said[key] for key in ("a", "tie", "b", "bad")}


def verdict(vote: Judgement, order: Sequence[int]) -> str:
    """a, b, tie or bad, with a the one that is shown first in that order."""
    if len(vote.groups) == 1:
        return "bad" if BOTH_BAD in vote.flags else "tie"
    return "ab"[list(order).index(vote.groups[0][0])]


def _judge_agrees(task: Task, won: int, rewards: Mapping[tuple[str, str], float]) -> bool | None:
    first, second = (rewards.get((task.prompt, task.texts[i])) for i in (won, 1 - won))
    return None if first is None or second is None or first == second else first > second


def _share(seen: Sequence[bool]) -> Estimate | None:
    from rlhf_kit.evaluate import share
    return share(sum(seen), len(seen)) if seen else None
