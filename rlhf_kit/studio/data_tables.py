"""What the data panel counts: labels for each person, the lists people disagree on, and how each agrees with others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from rlhf_kit.formulas.agreement import pairwise_agreement
from rlhf_kit.labels import Judgement, Task


@dataclass(frozen=True)
class Person:
    """One annotator."""

    name: str
    ranked: int
    voted: int
    scored: int
    repeats: int
    seconds: float | None           # median of a ranking or vote
    others: float | None            # share of verdicts on pairs that others gave too; a tie against a winner half
    compared: int                   # pairs of verdicts behind that
    last: str                       # when the newest label was saved: UTC, ISO 8601


@dataclass(frozen=True)
class Disputed:
    """A task on which people differ."""

    task: Task
    question: str
    people: int
    agreement: float                # share of equal verdicts on its pairs, as above


def persons(judgements: Sequence[Judgement]) -> list[Person]:
    """By name."""
    by_name = defaultdict(list)
    for said in judgements:
        by_name[said.annotator].append(said)
    agreed = _with_others(judgements)
    found = []
    for name, own in sorted(by_name.items()):
        counts = Counter(said.kind for said in own if said.repeat == 0)
        seconds = [said.seconds for said in own if said.seconds is not None and said.kind != "score"]
        share, n = agreed[name]
        found.append(Person(name, counts["rank"], counts["vote"], counts["score"], sum(s.repeat > 0 for s in own),
                            median(seconds) if seconds else None, share / n if n else None, n,
                            max(said.created for said in own)))
    return found


def disputed(tasks: Mapping[int, Task], judgements: Sequence[Judgement], most: int = 10) -> list[Disputed]:
    """The tasks with the least agreement, least first; those on which all agree are left out."""
    found = []
    for (task, question), group in _shared(judgements).items():
        agreed, pairs = (x.item() for x in pairwise_agreement(torch.tensor([said.ranks for said in group])))
        if agreed < pairs:
            found.append(Disputed(tasks[task], question, len(group), agreed / pairs))
    return sorted(found, key=lambda one: (one.agreement, one.task.id))[:most]


def _shared(judgements: Sequence[Judgement]) -> dict[tuple[int, str], list[Judgement]]:
    """First rankings and votes by task and question, where two or more people judged."""
    groups = defaultdict(list)
    for said in judgements:
        if said.repeat == 0 and said.kind != "score":
            groups[said.task_id, said.question].append(said)
    return {key: group for key, group in groups.items() if len(group) > 1}


def _with_others(judgements: Sequence[Judgement]) -> dict[str, tuple[float, int]]:
    """Name → (sum of agreement with each other person, comparisons)."""
    found: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for group in _shared(judgements).values():
        for i, said in enumerate(group):
            others = torch.tensor([[said.ranks, other.ranks] for j, other in enumerate(group) if j != i])
            agreed, pairs = (x.sum().item() for x in pairwise_agreement(others))
            before = found[said.annotator]
            found[said.annotator] = (before[0] + agreed, before[1] + int(pairs))
    return found
