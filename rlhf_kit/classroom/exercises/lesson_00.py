"""Lesson 00, the map: what imitation minimises, how many comparisons a ranking holds, what PPO maximises."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.formulas.masked import masked_mean


def count_comparisons(ranks: list[int]) -> int:
    """How many pairs of a ranking have a winner; equal ranks are a tie and say nothing."""
    return sum(a != b for i, a in enumerate(ranks) for b in ranks[i + 1:])


def imitation_loss(logprob: Tensor, response: Tensor) -> Tensor:
    """Mean negative log-probability of the response tokens, each token weighing the same."""
    return -masked_mean(logprob, response)


def objective(score: Tensor, logprob: Tensor, ref_logprob: Tensor, beta: float) -> Tensor:
    """What PPO maximises, estimated on B responses: mean of score - β · (log π - log π_ref)."""
    return (score - beta * (logprob - ref_logprob)).mean()


def _rankings(seed: int) -> list[Case]:
    rng = random.Random(seed)
    drawn = [Case(([rng.randint(1, 5) for _ in range(rng.randint(4, 9))],), "ties") for _ in range(6)]
    return [Case(([1, 1, 2, 3],), "a tie"), Case(([2, 2, 2],), "all equal"), Case(([3, 1, 2, 4],), "not in order"),
            Case(([1],), "one answer"), Case((list(range(1, 10)),), "nine answers"), *drawn]


def _tokens(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    cases = [Case((torch.tensor([[-9.0, -1.0, -2.0]]), torch.tensor([[False, True, True]])), "a prompt token", (0,)),
             Case((torch.tensor([[-1.0, -1.0, -1.0, -1.0], [-4.0, 0.0, 0.0, 0.0]]),
                   torch.tensor([[True] * 4, [True, False, False, False]])), "responses of different length", (0,)),
             Case((torch.tensor([[-1.0, -torch.inf]]), torch.tensor([[True, False]])), "padding that is -inf", (0,))]
    for rows, columns in ((3, 5), (4, 7)):
        lengths = torch.randint(1, columns + 1, (rows, 1), generator=g)
        cases.append(Case((-torch.rand(rows, columns, generator=g) * 5, torch.arange(columns)[None] < lengths),
                          "random", (0,)))
    return cases


def _responses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randn(n, generator=g)                       # noqa: E731
    return [Case((torch.tensor([1.0]), torch.tensor([-5.0]), torch.tensor([-4.0]), 0.5), "a likelier reference", (1,)),
            Case((torch.tensor([1.0, 0.0]), torch.tensor([-5.0, -3.0]), torch.tensor([-5.0, -3.0]), 0.3), "no drift"),
            *(Case((draw(n), draw(n) - 20, draw(n) - 20, 0.1 * n), "random", (1,)) for n in (2, 5, 8))]


EXERCISES = (
    Exercise("0.1", "imitation_loss", ("logprob", "response"), imitation_loss,
             Case((torch.tensor([[-0.5, -1.5], [-1.0, -3.0]]), torch.ones(2, 2, dtype=torch.bool)), gradient=(0,)),
             _tokens, (
        Mistake(lambda logprob, response: -logprob.mean(),
                "The mean runs over every position. Only response tokens are imitated: the mask `response` says which.",
                "平均数算进了所有位置。只有回答的词元才需要模仿，由掩码 `response` 标出。"),
        Mistake(lambda logprob, response: -(logprob * response).sum() / logprob.numel(),
                "The sum is masked, the count is not: divide by the number of marked tokens.",
                "求和时用了掩码，计数时没有：应除以被标出的词元个数。"),
        Mistake(lambda logprob, response: -((logprob * response).sum(-1) / response.sum(-1)).mean(),
                "This is a mean of means: a token of a short response weighs more. Sum all marked tokens, divide once.",
                "这是平均的平均：短回答里的词元分量更重。把所有标出的词元加起来，只除一次。"),
        Mistake(lambda logprob, response: -(logprob * response).sum() / response.sum(),
                "Multiplying by the mask is not enough: 0 · (-inf) is NaN. Pick the marked tokens, logprob[response].",
                "乘上掩码还不够：0 · (-inf) 是 NaN。请取出标出的词元：logprob[response]。"),
        Mistake(lambda logprob, response: logprob[response].mean(),
                "The sign: a loss is minimised, so it is the negative log-probability.",
                "符号：损失是要变小的，所以取对数概率的相反数。"),
        Mistake(lambda logprob, response: -logprob[response].sum(),
                "This is a sum. Take the mean, or long batches make large steps.",
                "这是总和。请取平均，否则批次越长步子越大。"),
        )),
    Exercise("0.2", "count_comparisons", ("ranks",), count_comparisons, Case(([1, 2, 3],)), _rankings, (
        Mistake(lambda ranks: len(ranks) * (len(ranks) - 1) // 2,
                "This counts every pair. Equal ranks are a tie: such a pair has no winner and is dropped.",
                "这样数的是所有的对。名次相同就是平局，没有赢家，不能算进去。"),
        Mistake(lambda ranks: len(set(ranks)) * (len(set(ranks)) - 1) // 2,
                "This counts pairs of different ranks. Two answers may share a rank, and each of them still beats or "
                "loses to all the others.",
                "这样数的是不同名次的对。两个回答可以同名次，但各自仍要和其他回答分出胜负。"),
        Mistake(lambda ranks: sum(b > a for i, a in enumerate(ranks) for b in ranks[i + 1:]),
                "This takes the list to be in order, best first. Compare ranks, whichever comes first.",
                "这样假定了列表已按名次排好。要比较的是名次，与先后无关。"),
        Mistake(lambda ranks: sum(a != b for a in ranks for b in ranks),
                "Every pair is counted twice, once from each side.", "每一对都从两边各数了一次。"),
        Mistake(len, "This is the number of answers. A pair takes two of them.", "这是回答的个数，一对要两个回答。"),
        )),
    Exercise("0.3", "objective", ("score", "logprob", "ref_logprob", "beta"), objective,
             Case((torch.tensor([2.0]), torch.tensor([-3.5]), torch.tensor([-3.7]), 0.1), gradient=(1,)), _responses, (
        Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob).abs()).mean(),
                "The difference is not a distance: on a single response it may be negative, and must stay so. Only its "
                "mean is the KL.",
                "这个差不是距离：对单独一条回答它可以是负数，要原样保留。它的平均才是 KL。"),
        Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob).clamp(min=0)).mean(),
                "Negative differences were cut off. They belong to the estimate: without them the KL comes out too "
                "large.",
                "负的差被截掉了。它们也是估计的一部分，去掉之后 KL 会偏大。"),
        Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob)).sum(),
                "This is a sum over responses; the objective is their mean.", "这是各条回答之和，目标是它们的平均。"),
        Mistake(lambda score, logprob, ref_logprob, beta: (score + beta * (logprob - ref_logprob)).mean(),
                "The sign of the price: drifting must cost, not pay.", "代价的符号反了：偏离应当扣分，而不是加分。"),
        Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob).detach()).mean(),
                "The price carries no gradient, so nothing would pull the policy back.",
                "代价上没有梯度，于是没有力量把策略拉回来。"),
        )),
)
