"""How far annotators agree, with each other and with themselves, and how they rate the models."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from rlhf_kit.evaluate import Estimate, ratio
from rlhf_kit.formulas.agreement import annotator_quality, kendall_w, krippendorff_alpha, pairwise_agreement, verdicts
from rlhf_kit.formulas.ratings import as_elo, bradley_terry, bradley_terry_interval, elo, win_matrix
from rlhf_kit.labels.records import Judgement
from rlhf_kit.labels.store import Labels

ENOUGH = 30                         # comparisons below which an interval says little, as `evaluate.FEW`


@dataclass(frozen=True)
class Rating:
    """One model, by the comparisons of its responses with those of others."""

    model: str
    games: int                      # comparisons
    won: float                      # share of them, a tie half
    strength: float                 # Bradley-Terry with the default prior, nats; 0 is the average of the models
    low: float | None               # its 95 % interval over annotators; None for fewer than two
    high: float | None
    points: float                   # the same on Elo's scale
    elo: float                      # Elo's own, in the order in which people judged


@dataclass(frozen=True)
class AnnotatorAgreement:
    """What can be said of a file of labels; None stands where there is nothing to say it from."""

    tasks: int                      # judged at all
    judgements: int                 # rankings and votes, without repeats
    annotators: int
    shared: int                     # tasks that two or more annotators judged
    alpha: float | None             # Krippendorff's, ordinal, over pairs of responses: first, tie, second
    w: float | None                 # Kendall's, mean over shared tasks
    w_by_chance: float | None       # what rankings at random would give: the mean of 1/annotators
    pairwise: Estimate | None       # share of equal verdicts, a tie against a winner half; n is comparisons
    self_agreement: Estimate | None # the same, of an annotator with herself on repeats
    quality: float | None           # how often an annotator is right, implied by agreement where both saw a winner
    ratings: tuple[Rating, ...]     # strongest first; empty unless responses name models

    @property
    def enough(self) -> bool:
        """Whether there are comparisons enough for the interval to mean something."""
        return self.pairwise is not None and self.pairwise.n >= ENOUGH

    def numbers(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "ratings": [asdict(rating) for rating in self.ratings], "enough": self.enough}


def agreement(labels: Labels, question: str | None = None, seed: int = 0) -> AnnotatorAgreement:
    """Measure agreement on the rankings and votes of a file.

    Each question of a task stands for itself; None takes all questions. Intervals are those of
    `evaluate.ratio` over tasks, because what people say about one task goes together.
    """
    said = labels.judgements(question=question, kinds=("rank", "vote"))
    first = [j for j in said if j.repeat == 0]
    shared = _tables(first, lambda j: (j.task_id, j.question))
    ws = [(w, 1 / ranks.shape[1]) for ranks in shared for w in kendall_w(ranks).tolist() if not math.isnan(w)]
    both_decided = _share(shared, seed, ties="drop")
    quality = math.nan if both_decided is None else annotator_quality(both_decided.mean)
    return AnnotatorAgreement(
        tasks=len({j.task_id for j in first}), judgements=len(first), annotators=len({j.annotator for j in first}),
        shared=sum(map(len, shared)), alpha=_alpha(shared), w=sum(w for w, _ in ws) / len(ws) if ws else None,
        w_by_chance=sum(chance for _, chance in ws) / len(ws) if ws else None,
        pairwise=_share(shared, seed), self_agreement=self_agreement(said, seed),
        quality=None if math.isnan(quality) else quality, ratings=rate(labels, first))


def self_agreement(judgements: Sequence[Judgement], seed: int = 0) -> Estimate | None:
    """How often annotators agree with themselves on what they were asked twice; None if nothing was."""
    return _share(_tables(judgements, lambda j: (j.task_id, j.question, j.annotator)), seed)


def rate(labels: Labels, judgements: Sequence[Judgement]) -> tuple[Rating, ...]:
    """Bradley-Terry and Elo of the models whose responses were compared, strongest first."""
    tasks = {task.id: [response.model for response in task.responses] for task in labels.tasks()}
    games = []                                                  # (annotator, model, model, what the first got)
    for said in sorted(judgements, key=lambda j: j.created):
        models, ranks = tasks[said.task_id], said.ranks
        games += [(said.annotator, models[i], models[j], 0.5 + 0.5 * ((ranks[i] < ranks[j]) - (ranks[i] > ranks[j])))
                  for i, j in combinations(range(len(ranks)), 2) if None not in (models[i], models[j])
                  and models[i] != models[j]]
    if not games:
        return ()
    people, names = (sorted({game[k] for game in games}) for k in (0, 1))
    names = sorted({*names, *(game[2] for game in games)})
    number = {name: i for i, name in enumerate(names)}
    wins = torch.stack([_table([game for game in games if game[0] == person], number) for person in people])
    strength = bradley_terry(wins.sum(0))
    low, high = bradley_terry_interval(wins) if len(people) > 1 else (None, None)
    points = elo(*_columns(games, number), n=len(names))
    played = (wins + wins.mT).sum((0, 2))
    ratings = [Rating(name, round(played[i].item()), (wins.sum((0, 2))[i] / played[i]).item(), strength[i].item(),
                      None if low is None else low[i].item(), None if high is None else high[i].item(),
                      as_elo(strength[i]).item(), points[i].item()) for i, name in enumerate(names)]
    return tuple(sorted(ratings, key=lambda rating: -rating.strength))


def _tables(judgements: Sequence[Judgement], key: Callable[[Judgement], tuple]) -> list[Tensor]:
    """The ranks of judgements that belong together, where they are two or more: [G, A, K] for each A and K."""
    groups = defaultdict(list)
    for said in judgements:
        groups[key(said)].append(said.ranks)
    by_size = defaultdict(list)
    for ranks in groups.values():
        if len(ranks) > 1:
            by_size[len(ranks), len(ranks[0])].append(ranks)
    return [torch.tensor(by_size[size]) for size in sorted(by_size)]


def _alpha(tables: Sequence[Tensor]) -> float | None:
    """A unit is a pair of responses, taken both ways round, so that which of them was stored first says nothing."""
    if not tables:
        return None
    most = max(ranks.shape[1] for ranks in tables)
    units = [pad(verdicts(ranks).transpose(0, 1).flatten(1).T, (0, most - ranks.shape[1]), value=math.nan)
             for ranks in tables]                                                       # [pairs, most] each
    rating = torch.cat(units).T
    alpha = krippendorff_alpha(torch.cat([rating, -rating], -1), "ordinal").item()
    return None if math.isnan(alpha) else alpha


def _share(tables: Sequence[Tensor], seed: int, **options: Any) -> Estimate | None:
    """Pairwise agreement of all tables together, with its interval; None if there is nothing to compare."""
    counts = [torch.stack(pairwise_agreement(ranks, **options), -1) for ranks in tables]      # [G, 2] each
    table = torch.cat(counts) if counts else torch.zeros(0, 2, dtype=torch.float64)
    table = table[table[:, 1] > 0]
    return ratio(table[:, 0], table[:, 1], seed) if len(table) else None


def _table(games: list[tuple], number: dict[str, int]) -> Tensor:
    return win_matrix(*_columns(games, number), n=len(number))


def _columns(games: list[tuple], number: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
    first, second = (torch.tensor([number[game[k]] for game in games]) for k in (1, 2))
    return first, second, torch.tensor([game[3] for game in games])
