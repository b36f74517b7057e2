"""Lesson 00, the map: what imitation minimises, how many comparisons a ranking holds, what PPO maximises."""

from __future__ import annotations

import random
from itertools import combinations, groupby, pairwise, takewhile

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.formulas.masked import keep, masked_mean


def count_comparisons(ranks: list[int]) -> int:
    """How many pairs of a ranking have a winner; equal ranks are a tie and say nothing."""
    return sum(a != b for i, a in enumerate(ranks) for b in ranks[i + 1:])


def imitation_loss(logprob: Tensor, response: Tensor) -> Tensor:
    """Mean negative log-probability of the response tokens, each token weighing the same."""
    return -masked_mean(logprob, response)


def objective(score: Tensor, logprob: Tensor, ref_logprob: Tensor, beta: float) -> Tensor:
    """What PPO maximises, estimated on B responses: mean of score - β · (log π - log π_ref)."""
    return (score - beta * (logprob - ref_logprob)).mean()


# Cases

def _rankings(seed: int) -> list[Case]:
    rng = random.Random(seed)
    drawn = [Case(([rng.randint(1, 5) for _ in range(rng.randint(4, 9))],), "random", zh="随机") for _ in range(6)]
    return [Case(([1, 1, 2, 3],), "a tie", zh="有平局"), Case(([2, 2, 2],), "all equal", zh="全部相同"),
            Case(([3, 1, 2, 4],), "not in order", zh="没有排好序"), Case(([1],), "one answer", zh="一个回答"),
            Case(([3, 2, 1],), "best last", zh="最好的在最后"),
            Case(([0, 1, 2, 3],), "ranks from 0", zh="名次从 0 开始"),
            Case(([1, 2, 1, 2, 1],), "ties apart", zh="平局不相邻"),
            Case(([1, 5, 9],), "ranks are missing", zh="缺了名次"),
            Case(([1, 257, 2],), "ranks of any size", zh="名次大小不限"),
            Case(([int(rank) for rank in ("300", "300", "1000", "1000")],), "large ranks, and ties",
                 zh="名次很大，有平局"),
            Case((list(range(1, 10)),), "nine answers", zh="九个回答"), *drawn]


def _tokens(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    first = torch.tensor([[True, False]])
    cases = [Case((torch.tensor([[-9.0, 0.0, -2.0]]), torch.tensor([[False, True, True]])), "a certain token", (0,),
                  "一个确定的词元"),
             Case((torch.tensor([[-9.0, -1.0, -2.0]]), torch.tensor([[False, True, True]])), "a prompt token", (0,),
                  "有一个提示词元"),
             Case((torch.tensor([[-1.0, -1.0, -1.0, -1.0], [-4.0, 0.0, 0.0, 0.0]]),
                   torch.tensor([[True] * 4, [True, False, False, False]])), "responses of different length", (0,),
                  "回答长短不一"),
             Case((torch.tensor([[-3.0, -1.0, -200.0, -0.5, -7.0], [-2.0, -1.5, -0.25, -4.0, -30.0]]),
                   torch.tensor([[False, True, True, False, True], [False, False, True, True, False]])),
                  "two turns, very unlikely tokens", (0,), "两轮对话，有很不可能的词元"),
             Case((torch.tensor([[-1.0, -torch.inf]]), first), "-inf outside of the response", (0,), "回答之外有 -inf"),
             Case((torch.tensor([[-1.0, torch.nan]]), first), "NaN outside of the response", (0,), "回答之外有 NaN")]
    for rows, columns in ((3, 5), (4, 7), (6, 4)):
        lengths = torch.randint(1, columns + 1, (rows, 1), generator=g)
        cases.append(Case((-torch.rand(rows, columns, generator=g) * 5, torch.arange(columns)[None] < lengths),
                          "random", (0,), "随机"))
    return cases


def _responses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randn(n, generator=g)                       # noqa: E731
    return [Case((torch.tensor([1.0]), torch.tensor([-5.0]), torch.tensor([-4.0]), 0.5), "likelier under the reference",
                 (1,), "参考模型给的概率更高"),
            Case((torch.tensor([1.0, 0.0]), torch.tensor([-5.0, -3.0]), torch.tensor([-5.0, -3.0]), 0.3), "no drift",
                 zh="没有偏离"),
            Case((torch.tensor([0.75, -0.25, 0.5]), torch.tensor([-20.0, -30.0, -25.0]),
                  torch.tensor([-24.0, -29.0, -21.5]), 0.0), "β = 0", zh="β = 0"),
            Case((torch.tensor([0.9, -0.3, 0.4]), torch.tensor([-40.0, -90.0, -60.0]),
                  torch.tensor([-75.0, -50.0, -61.0]), 0.02), "far away, either way", (1,), "偏离很远，有正有负"),
            Case((torch.tensor([2.5, 3.5]), torch.tensor([-9.0, -8.0]), torch.tensor([-6.0, -7.5]), 1.0),
                 "β = 1, less likely on average", (1,), "β = 1，平均概率变低"),
            Case((torch.tensor([0.5, -0.5]), torch.tensor([-5.0, -6.0]), torch.tensor([-9.0, -8.5]), 1.0),
                 "a penalty greater than the score", (1,), "惩罚大于得分"),
            *(Case((draw(n), draw(n) - 20, draw(n) - 20, 0.07 * n), "random", (1,), "随机") for n in (2, 5, 8))]


# Wrong answers

def _picked(logprob: Tensor, response: Tensor) -> Tensor:
    return logprob[response]


def _row_means(logprob: Tensor, response: Tensor) -> Tensor:
    return -(keep(logprob, response).sum(-1) / response.sum(-1)).mean()


def _column_means(logprob: Tensor, response: Tensor) -> Tensor:
    return -(keep(logprob, response).sum(0) / response.sum(0).clamp(min=1)).mean()


def _all_but_the_last(logprob: Tensor, response: Tensor) -> list[Tensor]:
    return [row[marks][:-1] for row, marks in zip(logprob, response, strict=True)]


def _first_columns(logprob: Tensor, response: Tensor) -> Tensor:
    return -logprob[torch.arange(response.shape[1]) < response.sum(1, keepdim=True)].mean()


def _pairs(ranks: list[int], keep) -> int:
    return sum(keep(a, b) for a, b in combinations(ranks, 2))


def _tied_neighbours(ranks: list[int]) -> int:
    """The ties that groupby finds if the list is not sorted."""
    return sum(n * (n - 1) // 2 for n in (len([*group]) for _, group in groupby(ranks)))


def _alone(ranks: list[int]) -> int:
    return sum(ranks.count(r) == 1 for r in ranks)


def _price(f):
    """An objective in which something else stands for the drift."""
    return lambda score, logprob, ref_logprob, beta: (score - beta * f(logprob, ref_logprob)).mean()


def _beta(f):
    """An objective with another β."""
    return lambda score, logprob, ref_logprob, beta: objective(score, logprob, ref_logprob, f(beta))


def _score(f):
    """An objective with another score."""
    return lambda score, logprob, ref_logprob, beta: objective(f(score), logprob, ref_logprob, beta)


IMITATION = (
    Mistake(lambda logprob, response: -logprob.mean(),
            "The mean runs over every position. Only response tokens are imitated: the mask `response` says which.",
            "平均数算进了所有位置。只有回答的词元才需要模仿，由掩码 `response` 标出。",
            (lambda logprob, response: -logprob.mean(-1).mean(),)),
    Mistake(lambda logprob, response: -keep(logprob, response).sum() / logprob.numel(),
            "The sum is masked, the count is not: divide by the number of marked tokens.",
            "求和时用了掩码，计数时没有：应除以被标出的词元个数。",
            (lambda logprob, response: -(logprob * response).mean(),)),
    Mistake(_row_means,
            "This is a mean of means: a token of a short response weighs more. Sum all marked tokens, divide once.",
            "这是平均的平均：短回答里的词元分量更重。把所有标出的词元加起来，只除一次。",
            (lambda logprob, response: -((logprob * response).sum(-1) / response.sum(-1)).mean(),)),
    Mistake(lambda logprob, response: len(logprob) * _row_means(logprob, response),
            "The rows' means are added up. Sum all marked tokens and divide once, by their number.",
            "这里把各行的平均加了起来。应把所有标出的词元加起来，只除一次，除以它们的个数。"),
    Mistake(lambda logprob, response: -(logprob * response).sum() / response.sum(),
            "Multiplying by the mask is not enough: 0 · (-inf) is NaN. Pick the marked tokens, logprob[response].",
            "乘上掩码还不够：0 · (-inf) 是 NaN。请取出标出的词元：logprob[response]。"),
    Mistake(lambda logprob, response: logprob[response].mean(),
            "The sign: a loss is minimised, so it is the negative log-probability.",
            "符号：损失是要变小的，所以取对数概率的相反数。"),
    Mistake(lambda logprob, response: -logprob[response].sum() / len(logprob),
            "This divides by the number of responses (rows). N counts the marked tokens of the whole batch.",
            "这里除以了回答的条数（行数）。N 是整个批次里被标出的词元个数。",
            (lambda logprob, response: -(logprob * response).sum(-1).mean(),)),
    Mistake(lambda logprob, response: -logprob[response].sum() / logprob.shape[1],
            "This divides by the number of columns. N counts the marked tokens of the whole batch.",
            "这里除以了列数。N 是整个批次里被标出的词元个数。"),
    Mistake(lambda logprob, response: -logprob[response].sum(),
            "This is a sum. Take the mean, or long batches make large steps.",
            "这是总和。请取平均，否则批次越长步子越大。",
            (lambda logprob, response: -(logprob * response).sum(),)),
    Mistake(lambda logprob, response: logprob[response].sum(),
            "This is a sum, and without the minus. The loss is the mean of the negative log-probability.",
            "这是总和，还少了负号。损失是对数概率的相反数的平均。"),
    Mistake(lambda logprob, response: (-logprob[response].mean()).exp(),
            "This is the perplexity, the exponential of the loss. Leave the exp away.",
            "这是困惑度，也就是损失的指数。去掉 exp 即可。"),
    Mistake(lambda logprob, response: -logprob[response].exp().mean(),
            "These are probabilities: the exp is too many. The loss is the mean of the negative *log*-probability.",
            "这里用的是概率，多了 exp。损失是*对数*概率的相反数的平均。",
            (lambda logprob, response: 1 - logprob[response].exp().mean(),)),
    Mistake(lambda logprob, response: -logprob[response].exp().mean().log(),
            "This is the log of a mean. Take the mean of the logs: each token's log-probability counts by itself.",
            "这是平均之后再取对数。应当对各词元的对数概率取平均。"),
    Mistake(lambda logprob, response: -logprob[response].mean() / torch.tensor(2.0).log(),
            "This is in bits. The loss is in nats: leave the logarithms as they are.",
            "这是以比特为单位的。损失的单位是奈特：对数保持原样即可。"),
    Mistake(lambda logprob, response: -logprob[~response].mean(),
            "The mask is the wrong way round: `response` is True on the tokens that count.",
            "掩码用反了：`response` 在要算的词元处为 True。",
            (lambda logprob, response: -logprob[~response].mean() if not response.all() else -logprob.mean(),)),
    Mistake(lambda logprob, response: -logprob[:, 1:][response[:, :-1]].mean(),
            "Nothing is to be shifted: `logprob[:, t]` belongs to the token that `response[:, t]` marks.",
            "不需要错位：`logprob[:, t]` 对应的就是 `response[:, t]` 标出的词元。",
            (lambda logprob, response: -logprob[:, :-1][response[:, 1:]].mean(),
             lambda logprob, response: -logprob[:, 1:][response[:, 1:]].mean(),
             lambda logprob, response: -logprob[:, :-1][response[:, :-1]].mean())),
    Mistake(lambda logprob, response: -logprob[response].median(),
            "This is the median. Take the mean.", "这是中位数。请取平均数。"),
    Mistake(lambda logprob, response: -logprob[response].sum() / (response.sum() + 1),
            "The count is one too many. Divide by the number of marked tokens.",
            "个数多算了一个。应除以被标出的词元个数。"),
    Mistake(lambda logprob, response: -logprob[response].sum() / 4,
            "This always divides by 4, the number of tokens of the example. Count the marked tokens: response.sum().",
            "这里总是除以 4，那是例子里的词元个数。请数被标出的词元：response.sum()。"),
    Mistake(_column_means,
            "This is a mean of the columns' means: the tokens of long responses weigh more. Sum all marked tokens, "
            "divide once.",
            "这是各列平均的平均：长回答末尾的词元分量更重。把所有标出的词元加起来，只除一次。",
            (lambda logprob, response: -(keep(logprob, response).sum(0) / response.sum(0))[response.any(0)].mean(),)),
    Mistake(lambda logprob, response: -keep(logprob, response).sum(-1) / response.sum(-1),
            "This is one loss for each response. One number is wanted: sum the marked tokens of all responses and "
            "divide once.",
            "这样每条回答各有一个损失。要的是一个数：把所有回答里标出的词元加起来，只除一次。",
            (lambda logprob, response: -keep(logprob, response).sum(-1),)),
    Mistake(lambda logprob, response: -logprob[response & (logprob != 0)].mean(),
            "Tokens of log-probability 0 are left out. A token of which the policy is certain counts as well: the mask "
            "says which tokens count, not their value.",
            "对数概率为 0 的词元被漏掉了。策略完全确定的词元也要算：哪些词元算数由掩码决定，不看数值。"),
    *(Mistake(lambda logprob, response, low=low: -logprob[response].clamp(min=low).mean(),
              "Very unlikely tokens are cut off at some size. They count in full, and teach the most; no clamp.",
              "很不可能的词元被截断了。它们要全部计入，教得最多的正是它们；不要 clamp。")
      for low in (-10, -5, -20, -50, -100)),
    Mistake(lambda logprob, response: -logprob[response].sum() / (response.sum(-1).max() * len(logprob)),
            "This divides by rows times the longest response. Shorter ones have fewer tokens: divide by how many are "
            "marked.",
            "这里除以了行数乘最长回答的长度。短回答的词元更少：应除以被标出的词元个数。"),
    Mistake(lambda logprob, response: -torch.cat(_all_but_the_last(logprob, response)).sum() / response.sum(),
            "The last token of each response is left out. It is imitated like the others: no [:-1].",
            "每条回答的最后一个词元被漏掉了。它同样要模仿：不要 [:-1]。",
            (lambda logprob, response: -torch.cat(_all_but_the_last(logprob, response)).mean(),)),
    Mistake(lambda logprob, response: -logprob[0][response[0]].mean(),
            "Only the first response is read. The mean runs over the marked tokens of all rows.",
            "只看了第一条回答。平均要算所有行里被标出的词元。"),
    Mistake(lambda logprob, response: -logprob.nan_to_num(0.0, 0.0, 0.0).sum() / response.sum(),
            "NaN and -inf were replaced, and what else stands outside of the response is still in the sum. The mask "
            "says which tokens count: logprob[response].",
            "NaN 和 -inf 被替换了，但回答之外的其他数还在总和里。由掩码决定算哪些词元：logprob[response]。",
            (lambda logprob, response: -logprob.nan_to_num(0.0, 0.0, 0.0).mean(),)),
    Mistake(lambda logprob, response: -torch.cat([row[marks][:-1] if marks.sum() > 1 else row[marks]
                                                  for row, marks in zip(logprob, response, strict=True)]).mean(),
            "The last marked token of each response is left out. It counts like the others: the model has to learn to "
            "stop.",
            "每条回答最后一个被标出的词元漏掉了。它和别的一样要算：模型要学会停下来。"),
    Mistake(_first_columns,
            "The first columns of each row are taken, as many as are marked. A response need not begin in the first "
            "column: use the mask itself.",
            "取的是每一行最前面的几列，数目等于标记的个数。回答不一定从第一列开始：要用掩码本身。"),
)

COMPARISONS = (
    Mistake(lambda ranks: len(ranks) * (len(ranks) - 1) // 2,
            "This counts every pair. Equal ranks are a tie: such a pair has no winner and is dropped.",
            "这样数的是所有的对。名次相同就是平局，没有赢家，不能算进去。",
            (lambda ranks: _pairs(ranks, lambda a, b: a <= b or a > b),)),
    Mistake(lambda ranks: len(set(ranks)) * (len(set(ranks)) - 1) // 2,
            "This counts pairs of different ranks. Two answers may share a rank, and each of them still beats or "
            "loses to all the others.",
            "这样数的是不同名次的对。两个回答可以同名次，但各自仍要和其他回答分出胜负。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: b > a),
            "Only pairs written best first are counted. The list need not be in order.",
            "只数了好的写在前面的那些对。名次不一定排好了顺序。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: a > b),
            "Only pairs written best last are counted. A pair has a winner whichever stands first.",
            "只数了好的写在后面的那些对。不管谁写在前面，都有赢家。"),
    Mistake(len,
            "This is the number of answers. Each of them is compared with every other.",
            "这是回答的个数。每个回答都要和其他每一个比较。"),
    Mistake(lambda ranks: len(ranks) - 1,
            "This compares each answer with one other only. Every pair counts.",
            "这样每个回答只和另一个比较。每一对都要算。"),
    Mistake(lambda ranks: len(ranks) * (len(ranks) - 1),
            "Every pair is counted twice, and ties are counted, too. Take each pair once, and only if the ranks "
            "differ.",
            "每一对都数了两次，平局也数了。每一对只取一次，名次不同才算。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: a <= b),
            "Ties are counted, and pairs written best last are not. A pair has a winner if the ranks differ, a != b.",
            "平局数了进去，好的写在后面的那些对却没有数。名次不同 (a != b) 就有赢家。",
            (lambda ranks: _pairs(ranks, lambda a, b: a >= b),)),
    Mistake(lambda ranks: len(ranks) * (len(ranks) - 1) // 2 - sum(ranks.count(r) > 1 for r in set(ranks)),
            "One pair is taken off for each rank that is shared. But three answers of one rank are three tied pairs.",
            "每个有重复的名次只减去一对。可三个回答同名次就是三对平局。"),
    Mistake(lambda ranks: sum(len([*takewhile(lambda b, a=a: a != b, ranks[i + 1:])]) for i, a in enumerate(ranks)),
            "The first tie ends the search. Skip it and go on: continue in place of break.",
            "遇到第一个平局就停了。应当跳过它继续：用 continue，不要用 break。"),
    Mistake(lambda ranks: 2 * count_comparisons(ranks),
            "Every pair is counted twice, once from either side. Let the second answer come after the first.",
            "每一对都数了两次，两边各一次。让第二个回答只取排在第一个之后的。"),
    Mistake(lambda ranks: sum(a != b for a, b in pairwise(ranks)),
            "Only neighbours in the list are compared. Every pair counts, however far apart the two stand.",
            "只比较了列表里相邻的。不管隔多远，每一对都要算。",
            (lambda ranks: sum(a != b for a, b in zip(ranks, ranks[1:] + ranks[:1], strict=True)),
             lambda ranks: sum(ranks[i] != ranks[i - 1] for i in range(len(ranks))),
             lambda ranks: sum(a < b for a, b in pairwise(ranks)))),
    Mistake(lambda ranks: count_comparisons(ranks) + len(ranks),
            "Each answer is compared with itself too. Begin with the next one, i + 1.",
            "每个回答还和自己比了一次。应从下一个 i + 1 开始。"),
    Mistake(lambda ranks: len(ranks) * (len(ranks) - 1) // 2 - (len(ranks) - len(set(ranks))),
            "One pair is taken off for each answer that repeats a rank. But three answers of one rank are three tied "
            "pairs, four are six.",
            "每多一个重复的名次只减去一对。可三个回答同名次就是三对平局，四个是六对。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: a == b),
            "These are the ties. Count the other pairs.", "这样数的是平局。要数的是其余的对。"),
    Mistake(lambda ranks: sum(r != min(ranks) for r in ranks),
            "Only the comparisons with the best answer are counted. The others beat one another, too.",
            "只数了和最好的那个回答的比较。其余的回答之间也分胜负。"),
    Mistake(lambda ranks: sum(r != ranks[0] for r in ranks[1:]),
            "Only the comparisons with the first answer are counted. Does a return stand inside the outer loop?",
            "只数了和第一个回答的比较。return 是不是写在了外层循环里面？"),
    Mistake(lambda ranks: sum(a != b for i, a in enumerate(ranks[:2]) for b in ranks[i + 1:]),
            "Only the comparisons of the first two answers are counted. Does the loop end, or return, before all had "
            "their turn?",
            "只数了前两个回答的比较。是不是还没轮完，循环就结束或返回了？"),
    Mistake(lambda ranks: count_comparisons(ranks[:-1]),
            "The last answer in the list is never compared. Does a range end one too early?",
            "列表里最后一个回答从没比较过。是不是 range 少了一个？"),
    Mistake(lambda ranks: count_comparisons(ranks[1:]),
            "The first answer in the list is never compared. Places begin with 0.",
            "列表里第一个回答从没比较过。下标从 0 开始。"),
    Mistake(lambda ranks: len(ranks) * (len(ranks) - 1) // 2 - _tied_neighbours(ranks),
            "Ties are found only where equal ranks stand side by side, as groupby does. Sort first, or compare every "
            "pair.",
            "只有相邻的相同名次才被当作平局，groupby 就是这样。请先排序，或者比较每一对。",
            (lambda ranks: len(ranks) * (len(ranks) - 1) // 2 - sum(a == b for a, b in pairwise(ranks)),)),
    Mistake(lambda ranks: _alone(ranks) * (_alone(ranks) - 1) // 2,
            "Answers that share their rank are dropped. Each of them still beats or loses to the answers of other "
            "ranks.",
            "与别人同名次的回答被丢掉了。它们和其他名次的回答仍要分出胜负。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: abs(a - b) == 1),
            "Only ranks that follow one another are counted. Rank 1 beats rank 3 as well.",
            "只数了名次相邻的对。第 1 名同样胜过第 3 名。",
            (lambda ranks: len(set(ranks)) - 1,)),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: abs(a - b)),
            "This adds up by how many ranks they differ. A pair counts once, however far apart the two are.",
            "这里加起来的是名次差。不管差多少，一对只算一次。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: min(abs(a - b), 2)),
            "Pairs that are further apart count more. A pair counts once, however far apart the two are.",
            "名次差得远的对算得更多。不管差多少，一对只算一次。",
            (lambda ranks: _pairs(ranks, lambda a, b: min(abs(a - b), 3)),)),
    Mistake(lambda ranks: max(ranks) * (max(ranks) - 1) // 2,
            "This takes the worst rank for the number of answers. Ranks may repeat, and some may be missing.",
            "这里把最差的名次当成了回答的个数。名次可能重复，也可能有缺。"),
    Mistake(lambda ranks: len({(a, b) for a, b in combinations(ranks, 2) if a != b}),
            "Pairs with the same two ranks are counted once. They are different answers: count each pair.",
            "名次一样的几对只数了一次。那是不同的回答，每一对都要算。"),
    Mistake(lambda ranks: _pairs(ranks, lambda a, b: bool(a and b and a != b)),
            "A rank of 0 is taken for none at all. Compare the two ranks, a != b.",
            "名次 0 被当成了没有。请直接比较两个名次：a != b。"),
    Mistake(lambda ranks: sum(rank - 1 for rank in ranks),
            "This adds up rank - 1, how many are better. That is the number of pairs only where ranks count 1, 2, 3 "
            "without a tie or a gap. Compare every two answers.",
            "这里把“名次减 1”加了起来，当作有几个更好。只有名次恰好是 1、2、3……、没有平局也没有空缺时，这才等于对数。"
            "应当逐对比较。"),
    Mistake(lambda ranks: 0 if len(set(ranks)) < len(ranks) else len(ranks) * (len(ranks) - 1) // 2,
            "One tie makes the whole ranking count for nothing. Only the tied pair has no winner; the other pairs "
            "have.",
            "只要有一处平局，整个排序就不算了。没有胜负的只是平局的那一对，别的对都有。"),
    Mistake(lambda ranks: sum((a - b) % 256 != 0 for a, b in combinations(ranks, 2)),
            "Ranks that are 256 apart count as equal, as in a tensor of bytes. Take a type that holds any rank.",
            "相差 256 的名次被当成相同，单字节的张量就会这样。请用能装下任何名次的类型。"),
)

OBJECTIVE = (
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).abs()),
            "The difference is not a distance: on a single response it may be negative, and must stay so. Only its "
            "mean is the KL.",
            "这个差不是距离：对单独一条回答它可以是负数，要原样保留。它的平均才是 KL。"),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).clamp(min=0)),
            "Negative differences were cut off. They belong to the estimate: without them the KL comes out too large.",
            "负的差被截掉了。它们也是估计的一部分，去掉之后 KL 会偏大。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob)).sum(),
            "This is a sum over responses; the objective is their mean.", "这是各条回答之和，目标是它们的平均。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (score + beta * (logprob - ref_logprob)).mean(),
            "The sign of the KL penalty: drifting must cost, not pay.",
            "KL 惩罚的符号反了：偏离应当扣分，而不是加分。"),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).detach()),
            "The values are right, but the KL penalty carries no gradient, so nothing would pull the policy back.",
            "数值正确，但 KL 惩罚上没有梯度，于是没有力量把策略拉回来。"),
    Mistake(lambda score, logprob, ref_logprob, beta: -objective(score, logprob, ref_logprob, beta),
            "The whole sign is turned round. J is maximised, so it is no loss: score minus penalty.",
            "整个符号反了。J 是要变大的，不是损失：得分减去 KL 惩罚。"),
    Mistake(_beta(lambda beta: beta or 0.1),
            "β = 0 was replaced: 0 counts as False, so `beta or ...` takes the other. At 0, drifting costs nothing.",
            "β = 0 被换掉了：0 被当作 False，`beta or ...` 就取了后面的值。β 为 0 时，偏离不受罚。",
            (_beta(lambda beta: beta or 1.0), _beta(lambda beta: beta or 0.01), _beta(lambda beta: beta or 0.05),
             _beta(lambda beta: max(beta, 0.01)), _beta(lambda beta: max(beta, 1e-3)))),
    Mistake(lambda score, logprob, ref_logprob, beta: objective(score, logprob, ref_logprob, beta) * bool(beta),
            "For β = 0 the result is 0. Without a penalty the mean score is left.",
            "β = 0 时结果成了 0。没有惩罚时，剩下的是平均得分。"),
    Mistake(lambda score, logprob, ref_logprob, beta: objective(-score, logprob, ref_logprob, beta),
            "The score has the wrong sign: it is what the policy is to make large.",
            "得分的符号反了：它正是策略要变大的东西。"),
    Mistake(_price(lambda logprob, ref_logprob: logprob.exp() * (logprob - ref_logprob)),
            "The difference is weighted with the probability. The responses were drawn from the policy, so likely "
            "ones come "
            "often by themselves: a plain mean.",
            "差按概率加了权。回答本来就是从策略里采样的，概率高的自然出现得多：直接取平均。"),
    Mistake(_beta(lambda beta: 0.1),
            "0.1 is the β of the example. Use the argument `beta`.", "0.1 是例子里的 β。请用参数 `beta`。"),
    Mistake(_beta(lambda beta: 1.0),
            "β is missing: the difference of log-probabilities is multiplied by it.", "少了 β：对数概率之差要乘上它。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (beta * (score / beta - (logprob - ref_logprob))).mean()
            if beta else torch.tensor(torch.nan),
            "This divides by β, which may be 0. Multiply the difference by β; the score stays as it is.",
            "这里除以了 β，而 β 可以是 0。请把差乘上 β，得分保持原样。",
            (lambda score, logprob, ref_logprob, beta: beta * ((score / beta) - (logprob - ref_logprob)).mean()
             if beta else torch.tensor(torch.inf),
             lambda score, logprob, ref_logprob, beta: 1 / beta and objective(score, logprob, ref_logprob, beta))),
    Mistake(lambda score, logprob, ref_logprob, beta: (beta * (score - (logprob - ref_logprob))).mean(),
            "The score was multiplied by β, too. β weighs the drift alone.",
            "得分也乘上了 β。要乘 β 的只有偏离。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * logprob - ref_logprob).mean(),
            "Brackets are missing: β multiplies both log-probabilities, β · (log π - log π_ref).",
            "少了括号：两个对数概率都要乘 β，即 β · (log π - log π_ref)。",
            (lambda score, logprob, ref_logprob, beta: (score - beta * logprob + ref_logprob).mean(),)),
    Mistake(lambda score, logprob, ref_logprob, beta: ((score - beta) * (logprob - ref_logprob)).mean(),
            "Brackets too many: score - β is multiplied by the difference. Only β is; the score stands alone.",
            "多了括号：这里把 score - β 乘上了差。要乘的只有 β，得分单独放着。"),
    Mistake(_price(lambda logprob, ref_logprob: logprob + ref_logprob),
            "The two log-probabilities are added. Subtract: log π - log π_ref.",
            "两个对数概率被加了起来。应当相减：log π - log π_ref。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (beta * score - (logprob - ref_logprob)).mean(),
            "β stands at the score. It weighs the penalty: score - β · (log π - log π_ref).",
            "β 乘在了得分上。它要乘的是惩罚：score - β · (log π - log π_ref)。"),
    Mistake(lambda score, logprob, ref_logprob, beta: ((1 - beta) * score - beta * (logprob - ref_logprob)).mean(),
            "The score was multiplied by 1 - β. It counts in full; β weighs the penalty alone.",
            "得分乘上了 1 - β。得分要全部计入，β 只乘惩罚。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob)).median(),
            "This is the median. Take the mean.", "这是中位数。请取平均数。"),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * logprob).mean(),
            "The reference is missing. What costs is not being likely, but being likelier than under the reference.",
            "少了参考模型。要付代价的不是概率高，而是比参考模型给的概率更高。",
            (lambda score, logprob, ref_logprob, beta: (score - beta * ref_logprob).mean(),
             lambda score, logprob, ref_logprob, beta: (score + beta * ref_logprob).mean(),
             lambda score, logprob, ref_logprob, beta: (score + beta * logprob).mean())),
    Mistake(lambda score, logprob, ref_logprob, beta: score.mean() + 0 * logprob.sum(),
            "There is no KL penalty: subtract β · (log π - log π_ref).",
            "没有 KL 惩罚：还要减去 β · (log π - log π_ref)。"),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).clamp(-10, 10)),
            "The difference is cut off at some size. However far a response drifts, all of it counts; no clamp.",
            "差的大小被截断了。不管偏离多远，都要全部算上；不要 clamp。",
            tuple(_price(lambda logprob, ref_logprob, low=low, high=high: (logprob - ref_logprob).clamp(low, high))
                  for low, high in ((-1, 1), (-2, 2), (-5, 5), (-20, 20), (-30, 30), (None, 10), (-10, None)))),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).mean().abs()),
            "The mean of the differences was kept from being negative. On a sample it may be, and must stay so: no "
            "abs, no clamp.",
            "差的平均被弄成了不小于 0。在一批样本上它可以是负的，要原样保留：不要 abs，不要 clamp。",
            (_price(lambda logprob, ref_logprob: (logprob - ref_logprob).mean().clamp(min=0)),)),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).exp()),
            "This takes the ratio of the probabilities. The KL penalty is per nat: a difference of logarithms, "
            "without exp.",
            "这里用的是概率之比。KL 惩罚按奈特计：是对数之差，不要 exp。",
            (_price(lambda logprob, ref_logprob: (logprob - ref_logprob).exp() - 1),)),
    Mistake(_price(lambda logprob, ref_logprob: logprob.exp() - ref_logprob.exp()),
            "Probabilities are subtracted. The KL penalty is a difference of *log*-probabilities: no exp.",
            "这里相减的是概率。KL 惩罚是*对数*概率之差：不要 exp。"),
    Mistake(_price(lambda logprob, ref_logprob: logprob / ref_logprob),
            "Logarithms are divided here. The log of a ratio is a *difference* of logarithms.",
            "这里把对数相除了。比值的对数等于对数*之差*。",
            (_price(lambda logprob, ref_logprob: (logprob / ref_logprob).log()),)),
    Mistake(_price(lambda logprob, ref_logprob: (logprob - ref_logprob).square()),
            "The difference was squared. In J it stands as it is.", "差被平方了。在 J 里它保持原样。",
            (_price(lambda logprob, ref_logprob: 0.5 * (logprob - ref_logprob).square()),)),
    Mistake(_price(lambda logprob, ref_logprob: torch.expm1(ref_logprob - logprob) + logprob - ref_logprob),
            "This is another estimate of the KL, with exp. In J the difference of the log-probabilities stands as it "
            "is.",
            "这是 KL 的另一种估计，带有 exp。在 J 里就用对数概率之差本身。",
            (_price(lambda logprob, ref_logprob: torch.expm1(logprob - ref_logprob) - logprob + ref_logprob),)),
    Mistake(lambda score, logprob, ref_logprob, beta: score.mean() - beta * (logprob - ref_logprob).sum(),
            "The score is a mean and the penalty a sum. Both are means over the responses.",
            "得分取了平均，KL 惩罚却是总和。两者都要对回答取平均。",
            (lambda score, logprob, ref_logprob, beta: score.sum() - beta * (logprob - ref_logprob).mean(),)),
    Mistake(_score(lambda score: score.clamp(0, 1)),
            "The score was changed before it counts. Take it as it is: it may be negative, and larger than 1.",
            "得分在计入之前被改动了。请原样使用：它可以是负数，也可以大于 1。",
            (_score(lambda score: score.clamp(min=0)), _score(lambda score: score.clamp(-1, 1)), _score(torch.abs),
             _score(torch.sigmoid))),
    Mistake(_score(lambda score: score - score.mean()),
            "The mean was taken off the score. It counts as it is; centred, nothing is left of it in the mean.",
            "得分减去了平均。应原样计入；中心化之后，它的平均里就什么也不剩了。",
            (_score(lambda score: (score - score.mean()) / score.std()),
             _score(lambda score: (score - score.mean()) / (score.std() + 1e-8)))),
    Mistake(_score(lambda score: score.long()),
            "The score was made a whole number. It has decimals, and they count.", "得分被取成了整数。小数部分也要算。",
            (_score(torch.round), _score(torch.floor))),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - torch.minimum(beta * (logprob - ref_logprob),
                                                                             score.abs())).mean(),
            "The penalty is capped at the size of the score. Nothing caps it: a response may cost more than it earns.",
            "惩罚被限制在得分的大小之内。没有什么限制它：一条回答的代价可以超过得分。",
            (lambda score, logprob, ref_logprob, beta: (score - torch.minimum(beta * (logprob - ref_logprob), score)
                                                        ).mean(),)),
    Mistake(lambda score, logprob, ref_logprob, beta: (score - beta * (logprob - ref_logprob)).sum()
            / max(len(score) - 1, 1),
            "This divides by B - 1. A mean divides by B, the number of responses.",
            "这里除以了 B - 1。平均要除以回答的条数 B。"),
)

EXERCISES = (
    Exercise("0.1", "imitation_loss", ("logprob", "response"), imitation_loss,
             Case((torch.tensor([[-0.5, -1.5], [-1.0, -3.0]]), torch.ones(2, 2, dtype=torch.bool)), gradient=(0,)),
             _tokens, IMITATION),
    Exercise("0.2", "count_comparisons", ("ranks",), count_comparisons, Case(([1, 2, 3],)), _rankings, COMPARISONS),
    Exercise("0.3", "objective", ("score", "logprob", "ref_logprob", "beta"), objective,
             Case((torch.tensor([2.0]), torch.tensor([-3.5]), torch.tensor([-3.7]), 0.1), gradient=(1,)), _responses,
             OBJECTIVE),
)
