"""How far annotators agree, with each other and with themselves, and how they rate the models."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.agreement import annotator_quality, kendall_w, krippendorff_alpha, pairwise_agreement, verdicts
from rlhf_kit.formulas.ratings import as_elo, bradley_terry, bradley_terry_interval, elo, win_matrix
from rlhf_kit.labels import Judgement, Labels

ENOUGH = 20                         # comparisons below which an interval says little
DRAWS = 1000                        # of the bootstrap


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
class Agreement:
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


def agreement(labels: Labels, question: str | None = None, seed: int = 0) -> Agreement:
    """Measure agreement on the rankings and votes of a file.

    Each question of a task stands for itself; None takes all questions. Intervals are percentiles of a bootstrap over
    tasks, because what people say about one task goes together.
    """
    said = labels.judgements(question=question, kinds=("rank", "vote"))
    first = [j for j in said if j.repeat == 0]
    shared = [ranks for ranks in _ranks(first, lambda j: (j.task_id, j.question)) if len(ranks) > 1]
    repeated = [ranks for ranks in _ranks(said, lambda j: (j.task_id, j.question, j.annotator)) if len(ranks) > 1]
    ws = [(kendall_w(ranks).item(), 1 / len(ranks)) for ranks in shared]
    ws = [(w, chance) for w, chance in ws if not math.isnan(w)]
    both_decided = _share(shared, seed, ties="drop")
    quality = math.nan if both_decided is None else annotator_quality(both_decided.mean)
    return Agreement(
        tasks=len({j.task_id for j in first}), judgements=len(first), annotators=len({j.annotator for j in first}),
        shared=len(shared), alpha=_alpha(first), w=sum(w for w, _ in ws) / len(ws) if ws else None,
        w_by_chance=sum(chance for _, chance in ws) / len(ws) if ws else None,
        pairwise=_share(shared, seed), self_agreement=_share(repeated, seed),
        quality=None if math.isnan(quality) else quality, ratings=rate(labels, first))


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


def _ranks(judgements: Sequence[Judgement], key) -> list[Tensor]:
    """The rankings of each group of judgements, [A, K] each, in order of their keys."""
    groups = defaultdict(list)
    for said in judgements:
        groups[key(said)].append(said.ranks)
    return [torch.tensor(groups[name]) for name in sorted(groups)]


def _alpha(judgements: Sequence[Judgement]) -> float | None:
    """A unit is a pair of responses, taken both ways round, so that which of them was stored first says nothing."""
    people = {name: row for row, name in enumerate(sorted({j.annotator for j in judgements}))}
    by_unit = defaultdict(dict)
    for said in judgements:
        by_unit[said.task_id, said.question][people[said.annotator]] = verdicts(torch.tensor(said.ranks))
    columns = []
    for said in by_unit.values():
        if len(said) > 1:
            column = torch.full((len(people), len(next(iter(said.values())))), math.nan, dtype=torch.float64)
            for row, verdict in said.items():
                column[row] = verdict
            columns += [column, -column]
    alpha = krippendorff_alpha(torch.cat(columns, -1), "ordinal").item() if columns else math.nan
    return None if math.isnan(alpha) else alpha


def _share(groups: Sequence[Tensor], seed: int, **options: Any) -> Estimate | None:
    """Pairwise agreement of all groups together, with its interval; None if there is nothing to compare."""
    counts = [pairwise_agreement(ranks, **options) for ranks in groups]
    table = torch.tensor([[agreed.item(), n.item()] for agreed, n in counts if n], dtype=torch.float64)
    if not len(table):
        return None
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(table), (DRAWS, len(table)), generator=generator)
    agreed, n = table[drawn].sum(1).unbind(-1)
    low, high = (agreed / n).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Estimate((table[:, 0].sum() / table[:, 1].sum()).item(), low, high, round(table[:, 1].sum().item()))


def _table(games: list[tuple], number: dict[str, int]) -> Tensor:
    return win_matrix(*_columns(games, number), n=len(number))


def _columns(games: list[tuple], number: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
    first, second = (torch.tensor([number[game[k]] for game in games]) for k in (1, 2))
    return first, second, torch.tensor([game[3] for game in games])
