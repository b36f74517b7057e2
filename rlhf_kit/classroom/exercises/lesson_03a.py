"""Lesson 03a, data for StackLLaMA: the score of votes, pairs of a question, texts that share a row."""

from __future__ import annotations

import math
import random
from itertools import combinations

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Mistake
from rlhf_kit.formulas import votes as of_votes


def answer_score(votes: int, accepted: bool) -> int:
    """round(log2(1 + votes)), one more if accepted; -1 below 0, accepted or not."""
    return of_votes.answer_score(votes, accepted)


def answer_pairs(scores: list[int], luck: list[float]) -> Tensor:
    """(better, worse), the places of at most ten pairs without ties, [P, 2]; of more, the ten with the least luck."""
    pairs = [(i, j, drawn) for (i, j), drawn in zip(combinations(range(len(scores)), 2), luck, strict=True)
             if scores[i] != scores[j]]
    kept = sorted(pairs, key=lambda pair: pair[2])[:of_votes.MOST_PAIRS]
    return _rows((i, j) if scores[i] > scores[j] else (j, i) for i, j, _ in sorted(kept))


def packed_row(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """(positions [T], may_see [T, T]) of texts packed into one row: each counts from 0 and sees itself so far."""
    text = _texts(lengths)
    return torch.cat([torch.arange(n) for n in lengths]), (text[:, None] == text[None, :]) & _before(len(text))


def _rows(pairs) -> Tensor:
    return torch.tensor(list(pairs), dtype=torch.long).reshape(-1, 2)


def _texts(lengths: list[int]) -> Tensor:
    """The number of the text that each token belongs to, [T]."""
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def _before(n: int) -> Tensor:
    """True where the column is not later than the row, [n, n]."""
    return torch.ones(n, n, dtype=torch.bool).tril()


def _votes(seed: int) -> list[Case]:
    rng = random.Random(f"votes {seed}")
    return [Case((3, True), "accepted"), Case((-3, False), "negative"), Case((-2, True), "negative and accepted"),
            Case((0, False), "nobody voted"), Case((0, True), "accepted, and nobody voted"), Case((2, False), "two"),
            Case((4, False), "four"), Case((10, True), "ten"), Case((1000, False), "a famous answer"),
            *(Case((rng.randint(5, 400), rng.random() < 0.5), "random") for _ in range(4))]


def _threads(seed: int) -> list[Case]:
    rng = random.Random(f"threads {seed}")

    def case(scores: list[int], about: str) -> Case:
        return Case((scores, [rng.random() for _ in combinations(scores, 2)]), about)
    return [case([0, 2, 1], "not in order"), case([2, 2, 1], "a tie"), case([1, 1, 1], "nothing but ties"),
            case([4], "one answer"), case([5, 4, 3, 2, 1], "ten pairs"), case([0, 1, 2, 3, 4, 5, -1], "21 pairs"),
            case([0, 0, 1, 0, 1, 2, 0, 1], "many pairs, many ties"),
            *(case([rng.randint(-1, 4) for _ in range(n)], "random") for n in (6, 8, 9))]


def _packs(seed: int) -> list[Case]:
    rng = random.Random(f"packs {seed}")
    return [Case(([2, 1],), "two texts"), Case(([1, 3],), "two texts"), Case(([1, 1, 1],), "three of one token"),
            Case(([3, 3],), "of one length"), *(Case(([rng.randint(1, 4) for _ in range(n)],), "random")
                                                for n in (3, 4, 5))]


def _ten_first(scores: list[int], luck: list[float]) -> Tensor:
    return _all_pairs(scores)[:of_votes.MOST_PAIRS]


def _all_pairs(scores: list[int]) -> Tensor:
    return _rows((i, j) if scores[i] > scores[j] else (j, i) for i, j in combinations(range(len(scores)), 2)
                 if scores[i] != scores[j])


def _least(scores: list[int], luck: list[float], key=lambda pair: pair[2]) -> list[tuple[int, int]]:
    """The ten pairs for which `key` is smallest, ties of scores among them."""
    pairs = [(i, j, drawn) for (i, j), drawn in zip(combinations(range(len(scores)), 2), luck, strict=True)]
    return [(i, j) for i, j, _ in sorted(sorted(pairs, key=key)[:of_votes.MOST_PAIRS])]


def _won(scores: list[int], pairs: list[tuple[int, int]], ties: bool) -> Tensor:
    return _rows((i, j) if scores[i] >= scores[j] else (j, i) for i, j in pairs if ties or scores[i] != scores[j])


def _by_luck(scores: list[int], luck: list[float]) -> Tensor:
    pairs = [(drawn, i, j) for (i, j), drawn in zip(combinations(range(len(scores)), 2), luck, strict=True)
             if scores[i] != scores[j]]
    return _rows((i, j) if scores[i] > scores[j] else (j, i) for _, i, j in sorted(pairs)[:of_votes.MOST_PAIRS])


def _in_list_order(scores: list[int], luck: list[float]) -> Tensor:
    return answer_pairs(scores, luck).sort(dim=1).values


def _luckiest(scores: list[int], luck: list[float]) -> Tensor:
    return answer_pairs(scores, [-drawn for drawn in luck])


def _running_positions(lengths: list[int]) -> tuple[Tensor, Tensor]:
    return torch.arange(sum(lengths)), packed_row(lengths)[1]


def _all_before(lengths: list[int]) -> tuple[Tensor, Tensor]:
    return packed_row(lengths)[0], _before(sum(lengths))


def _by_position(lengths: list[int]) -> tuple[Tensor, Tensor]:
    position = packed_row(lengths)[0]
    return position, (position[:, None] >= position[None, :]) & _before(len(position))


def _whole_texts(lengths: list[int]) -> tuple[Tensor, Tensor]:
    text = _texts(lengths)
    return packed_row(lengths)[0], text[:, None] == text[None, :]


EXERCISES = (
    Exercise("3a.1", "answer_score", ("votes", "accepted"), answer_score, Case((1, False)), _votes, (
        Mistake(lambda votes, accepted: (-1 if votes < 0 else round(math.log2(1 + votes))) + int(accepted),
                "An accepted answer that people voted down came out as 0. Here the votes win: -1, accepted or not.",
                "被采纳、却得了负票的回答算成了 0。这里以票为准：不管有没有被采纳，都是 -1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log2(1 + votes)),
                "`accepted` is not used: whoever asked took this answer, and that is worth one more.",
                "没有用到 `accepted`：提问的人采纳了它，要多算 1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else int(math.log2(1 + votes)) + int(accepted),
                "The logarithm is cut off, not rounded: 2 votes give 1.58, and that is nearer to 2.",
                "对数被截掉了小数，而不是四舍五入：2 票得 1.58，离 2 更近。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log(1 + votes)) + int(accepted),
                "This is the natural logarithm. With base 2, one point more means twice the votes.",
                "这是自然对数。以 2 为底，每多 1 分就是票数翻一倍。"),
        Mistake(lambda votes, accepted: round(math.log2(1 + max(votes, 0))) + int(accepted),
                "Negative votes came out like none at all. Below 0 the score is -1.",
                "负票算得和没有票一样了。票数小于 0，分数就是 -1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log2(1 + votes + accepted)),
                "The acceptance went into the logarithm, as one more vote. It counts one whole point, after rounding.",
                "采纳被放进了对数里，成了多一票。它要在取整之后整整加 1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else votes + int(accepted),
                "These are the votes themselves. A famous question would outweigh everything: take log2(1 + votes), "
                "rounded.",
                "这是票数本身。热门问题会压倒一切：要取 log2(1 + 票数) 再四舍五入。"),
        ), points=1, tolerance=1e-6),
    Exercise("3a.2", "answer_pairs", ("scores", "luck"), answer_pairs, Case(([3, 1, 0], [0.5, 0.1, 0.9])), _threads, (
        Mistake(lambda scores, luck: _won(scores, _least(scores, luck), ties=False),
                "The ten were drawn first and the ties thrown out of them, so too few are left. Drop ties, then draw.",
                "先抽了十对，再从里面去掉平局，所以剩得太少。先去平局，再抽。"),
        Mistake(lambda scores, luck: _won(scores, _least(scores, luck), ties=True),
                "Pairs with equal scores are in it. The voters did not say which is better: leave them out.",
                "分数相同的对也在里面。投票的人没有说哪个更好：不要它们。"),
        Mistake(lambda scores, luck: _won(scores, list(combinations(range(len(scores)), 2)), ties=True),
                "Pairs with equal scores are in it. The voters did not say which is better: leave them out.",
                "分数相同的对也在里面。投票的人没有说哪个更好：不要它们。"),
        Mistake(_ten_first,
                "These are the first ten, so the answers at the front are in all of them. Take the ten with the least "
                "luck.",
                "这是最前面的十对，于是排在前面的回答对对都有。要取 luck 最小的十对。"),
        Mistake(lambda scores, luck: _all_pairs(scores),
                "More than ten pairs of one question: an answer that thirty others compete with would be most of the "
                "data.",
                "同一个问题超过了十对：有三十个回答的问题会占去大半数据。"),
        Mistake(_in_list_order,
                "The one that stands first in the list is taken for the better one. The better one has the higher "
                "score.",
                "这里把列表里靠前的当成了更好的。分数高的才是更好的。"),
        Mistake(lambda scores, luck: answer_pairs(scores, luck).flip(1),
                "Better and worse have changed places.", "更好的和更差的写反了。"),
        Mistake(_by_luck,
                "The pairs are right, their order is not: as they stand in the list, by the first place, then the "
                "second.",
                "对是对的，次序不对：按在列表里的位置排，先看前一个，再看后一个。"),
        Mistake(_luckiest,
                "These are the ten with the greatest luck; the least is asked for.",
                "这是 luck 最大的十对；要的是最小的。"),
        ), points=2),
    Exercise("3a.3", "packed_row", ("lengths",), packed_row, Case(([3],)), _packs, (
        Mistake(lambda lengths: (torch.arange(sum(lengths)), _before(sum(lengths))),
                "The row is taken for one text: each sees all before it, and the positions run on. That is the leak.",
                "整行被当成了一段文本：每个词元都看得到前面所有的，位置也一路数下去。这就是泄漏。"),
        Mistake(_running_positions,
                "The positions run on through the row. Each text counts from 0, as it would alone.",
                "位置在整行里一路数了下去。每段文本都要从 0 数起，和它单独一行时一样。"),
        Mistake(_all_before,
                "A text sees the texts before it in the row. It may see only tokens of its own.",
                "一段文本看到了同一行里前面的文本。它只能看自己的词元。"),
        Mistake(_by_position,
                "The positions were compared. A token of an earlier text may have a smaller one too: compare which "
                "text each belongs to.",
                "这里比较的是位置。前面文本里的词元，位置也可能更小：要比较的是它们属于哪段文本。"),
        Mistake(_whole_texts,
                "Tokens see what comes after them in their own text. A language model may look back only, at itself "
                "too.",
                "词元看到了自己文本里后面的内容。语言模型只能往回看，自己也算在内。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], packed_row(lengths)[1] & ~torch.eye(sum(lengths),
                                                                                              dtype=torch.bool)),
                "A token does not see itself. It must: what it predicts is the *next* one.",
                "词元看不到自己。应当看得到：它要预测的是*下一个*。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], packed_row(lengths)[1].T),
                "Rows and columns have changed places: this looks forward only.", "行和列反了：这样只能往后看。"),
        Mistake(lambda lengths: (packed_row(lengths)[0] + 1, packed_row(lengths)[1]),
                "The positions begin at 1; a model counts from 0.", "位置从 1 数起了；模型从 0 数起。"),
        ), points=2),
)
