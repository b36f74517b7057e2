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
            Case((-1, False), "one too many against"), Case((-1, True), "one too many against, and accepted"),
            Case((0, False), "nobody voted"), Case((0, True), "accepted, and nobody voted"), Case((2, False), "two"),
            Case((4, False), "four"), Case((5, True), "five"), Case((10, True), "ten"),
            Case((22, False), "22"), Case((43, False), "43"), Case((44, False), "44"),
            Case((1000, False), "a famous answer"), Case((5000, False), "a very famous answer"),
            *(Case((rng.randint(5, 400), rng.random() < 0.5), "random") for _ in range(4))]


def _threads(seed: int) -> list[Case]:
    """Equal luck never at the cut between the tenth pair and the eleventh, where nothing would decide."""
    rng = random.Random(f"threads {seed}")

    def case(scores: list[int], about: str, twice: int = 0) -> Case:
        """The first `twice` numbers of luck are the same, and the least."""
        luck = [rng.random() for _ in combinations(scores, 2)]
        return Case((scores, [0.0] * twice + luck[twice:]), about)
    return [case([0, 2, 1], "not in order"), case([2, 2, 1], "a tie"), case([1, 1, 1], "nothing but ties"),
            case([4], "one answer"), case([1, 3, 0, 2], "the better one later"),
            Case(([3, 1, 2], [0.5, 0.5, 0.5]), "equal luck"), Case(([2, 0, 1], [3, -1, 2]), "luck of any size"),
            case([-1, 7, 7, 40], "large scores"), case([5, 4, 3, 2, 1], "ten pairs"),
            case([0, 1, 2, 3, 4, 5, -1], "21 pairs"), case([0, 1, 2, 3, 4, 5], "15 pairs, some of equal luck", 4),
            Case(([5, 5, 4, 3, 2, 1], [0.01 * (k + 1) for k in range(15)]), "14 pairs, and the tie has the least luck"),
            case([0, 0, 1, 0, 1, 2, 0, 1], "many pairs, many ties"),
            *(case([rng.randint(-1, 4) for _ in range(n)], "random") for n in (6, 8, 9))]


def _packs(seed: int) -> list[Case]:
    rng = random.Random(f"packs {seed}")
    return [Case(([2, 1],), "two texts"), Case(([1, 3],), "two texts"), Case(([1, 1, 1],), "three of one token"),
            Case(([1],), "one token"), Case(([3, 3],), "of one length"), Case(([2, 3, 2],), "two of one length, apart"),
            Case(([2, 2, 5, 1],), "four texts"),
            *(Case(([rng.randint(1, 4) for _ in range(n)],), "random") for n in (3, 4, 5))]


def _nearest_power(number: int) -> int:
    """The exponent of the power of two that is nearest to a number; of two, the larger."""
    low = number.bit_length() - 1
    return low + (number - 2 ** low >= 2 ** (low + 1) - number)


def _same(text: Tensor) -> Tensor:
    """True where two tokens have the same number, [T, T]."""
    return text[:, None] == text[None, :]


def _two_texts(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """The first text, and all others as one."""
    return packed_row([lengths[0], sum(lengths[1:])] if len(lengths) > 1 else lengths)


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


def _only_forward(scores: list[int], luck: list[float]) -> Tensor:
    return _rows((i, j) for i, j, drawn in _drawn(scores, luck) if scores[i] > scores[j])


def _drawn(scores: list[int], luck: list[float], kept: int = of_votes.MOST_PAIRS) -> list[tuple[int, int, float]]:
    pairs = [(i, j, drawn) for (i, j), drawn in zip(combinations(range(len(scores)), 2), luck, strict=True)
             if scores[i] != scores[j]]
    return sorted(sorted(pairs, key=lambda pair: pair[2])[:kept])


def _won_of(scores: list[int], pairs) -> Tensor:
    return _rows((i, j) if scores[i] > scores[j] else (j, i) for i, j, *_ in pairs)


def _shifted_luck(scores: list[int], luck: list[float]) -> Tensor:
    """Luck handed out to the pairs without ties, one after the other."""
    pairs = [(i, j) for i, j in combinations(range(len(scores)), 2) if scores[i] != scores[j]]
    kept = sorted(zip(luck, pairs, strict=False), key=lambda pair: pair[0])[:of_votes.MOST_PAIRS]
    return _won_of(scores, sorted(pair for _, pair in kept))


def _keyed(scores: list[int], luck: list[float], first: bool = False) -> Tensor:
    """Pairs in a dict under their luck: of equal keys one is left."""
    drawn = _drawn(scores, luck, 10 ** 9)
    held = {pair[2]: pair for pair in (reversed(drawn) if first else drawn)}
    return _won_of(scores, sorted(held[key] for key in sorted(held)[:of_votes.MOST_PAIRS]))


def _below_the_tenth(scores: list[int], luck: list[float]) -> Tensor:
    every = _drawn(scores, luck, 10 ** 9)
    if len(every) <= of_votes.MOST_PAIRS:
        return _won_of(scores, every)
    tenth = sorted(pair[2] for pair in every)[of_votes.MOST_PAIRS - 1]
    return _won_of(scores, [pair for pair in every if pair[2] < tenth])


def _found_again(scores: list[int], luck: list[float]) -> Tensor:
    """The places of the ten least numbers looked up with `index`, which finds the first of equal ones."""
    places = list(combinations(range(len(scores)), 2))
    drawn = [pair[2] for pair in _drawn(scores, luck)]
    return _won_of(scores, sorted(places[luck.index(one)] for one in drawn))


def _sorted_at_last(scores: list[int], luck: list[float]) -> Tensor:
    return _rows(sorted(map(tuple, answer_pairs(scores, luck).tolist())))


def _scores_of(scores: list[int], luck: list[float]) -> Tensor:
    return torch.tensor([[scores[i], scores[j]] for i, j in answer_pairs(scores, luck).tolist()],
                        dtype=torch.long).reshape(-1, 2)


def _of_all_places(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Texts told apart by their length."""
    text = torch.tensor([n for n in lengths for _ in range(n)])
    return packed_row(lengths)[0], (text[:, None] == text[None, :]) & _before(len(text))


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


def _with_table(lengths: list[int], change) -> tuple[Tensor, Tensor]:
    """The right positions, and what `change(the right table, numbers of the texts)` makes of who may see whom."""
    position, table = packed_row(lengths)
    return position, change(table, _texts(lengths))


def _set_not_moved(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """A block for each text, the start of which is set to the length of the last one instead of moved on by it."""
    total, start = sum(lengths), 0
    table = torch.zeros(total, total, dtype=torch.bool)
    for n in lengths:
        table[start:start + n, start:start + n] = _before(n)[:max(total - start, 0), :max(total - start, 0)]
        start = n
    return packed_row(lengths)[0], table


def _as_long_as_the_first(lengths: list[int]) -> tuple[Tensor, Tensor]:
    place = torch.arange(sum(lengths))
    text = place // lengths[0]
    return place % lengths[0], (text[:, None] == text) & _before(len(place))


def _one_too_early(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Each block begins with the last token of the text before it."""
    position, place = packed_row(lengths)[0], torch.arange(sum(lengths))
    return position, (place[:, None] - position[:, None] - 1 <= place) & _before(len(place))


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
        Mistake(lambda votes, accepted: -1 if votes < 0 else math.ceil(math.log2(1 + votes)) + int(accepted),
                "The logarithm is rounded up. Round to the nearest: 4 votes give 2.32, and that is nearer to 2.",
                "对数被向上取整了。要四舍五入：4 票得 2.32，离 2 更近。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else math.log2(1 + votes) + int(accepted),
                "The score is a whole number: round the logarithm.", "分数是整数：对数要四舍五入。"),
        Mistake(lambda votes, accepted: -1 if votes <= 0 else round(math.log2(1 + votes)) + int(accepted),
                "0 votes are not below 0: their score is round(log2(1)) = 0, and 1 if accepted.",
                "0 票不算小于 0：分数是 round(log2(1)) = 0，被采纳就是 1。"),
        Mistake(lambda votes, accepted: answer_score(votes, accepted) if votes else 0,
                "An accepted answer with 0 votes came out as 0. Being accepted is worth 1 there too; `if not votes` "
                "and `votes > 0` leave it out.",
                "没有票、却被采纳的回答算成了 0。被采纳在这里同样值 1；写 `if not votes` 或 `votes > 0` 就会漏掉它。"),
        Mistake(lambda votes, accepted: (-1 if votes == 0 else math.floor(math.log2(votes) + 0.5) + int(accepted))
                if votes >= 0 else -1,
                "This is log2(votes). Take log2(1 + votes), so that no votes give 0.",
                "这是 log2(票数)。应取 log2(1 + 票数)，这样没有票就是 0。",
                (lambda votes, accepted: (int(accepted) if votes == 0 else round(math.log2(votes)) + int(accepted))
                 if votes >= 0 else -1, lambda votes, accepted: -1 if votes < 0 else round(math.log2(votes))
                 + int(accepted))),
        Mistake(lambda votes, accepted: answer_score(max(votes, 0) if accepted else votes, accepted),
                "An accepted answer with negative votes came out as 1. Here the votes win: -1, accepted or not.",
                "被采纳、却得了负票的回答算成了 1。这里以票为准：不管有没有被采纳，都是 -1。"),
        Mistake(lambda votes, accepted: answer_score(votes, False) or int(accepted),
                "The acceptance counts only where the logarithm gives 0. It adds 1 to every score from 0 on: `+`, not "
                "`or`.",
                "只有对数为 0 时才算上采纳。票数不为负的，都要加 1：用 `+`，不用 `or`。"),
        Mistake(lambda votes, accepted: answer_score(votes, True),
                "1 is added to every answer. Only an accepted one gets it.", "每个回答都加了 1。只有被采纳的才加。"),
        Mistake(lambda votes, accepted: answer_score(votes, not accepted),
                "1 is added where the answer was *not* accepted.", "*没有*被采纳的反而加了 1。"),
        *(Mistake(lambda votes, accepted, none=none: -1 if votes < 0 else round(1 + math.log2(votes)) + int(accepted)
                  if votes else none(accepted),
                  "This is 1 + log2(votes). The 1 stands inside: log2(1 + votes).",
                  "这是 1 + log2(票数)。1 应当在里面：log2(1 + 票数)。") for none in (int, lambda accepted: 0)),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log10(1 + votes)) + int(accepted),
                "This is the logarithm of base 10. With base 2, one point more means twice the votes.",
                "这是以 10 为底的对数。以 2 为底，每多 1 分就是票数翻一倍。"),
        Mistake(lambda votes, accepted: -round(math.log2(1 - votes)) if votes < 0
                else round(math.log2(1 + votes)) + int(accepted),
                "Negative votes were put on the same scale. All of them score -1, however many.",
                "负票也放到了同样的尺度上。不管负多少，都是 -1。",
                (lambda votes, accepted: (-1 if votes < 0 else 1) * (round(math.log2(1 + abs(votes)))
                                                                     + int(accepted)),)),
        Mistake(lambda votes, accepted: votes if votes < 0 else round(math.log2(1 + votes)) + int(accepted),
                "Negative votes came out as they are. All of them score -1, however many.",
                "负票原样给出了。不管负多少，都是 -1。"),
        Mistake(lambda votes, accepted: round(math.log2(1 + votes)) + int(accepted),
                "There is no logarithm of a negative number. Ask for negative votes first; they score -1.",
                "负数没有对数。要先看是不是负票，负票就是 -1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log2(1 + votes)) * (2 if accepted else 1),
                "The acceptance doubles the score. It adds 1.", "采纳使分数翻了一倍。它只加 1。"),
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
        Mistake(lambda votes, accepted: -1 if votes < 0 else min(10, round(math.log2(1 + votes)) + int(accepted)),
                "The score is capped at 10. Nothing caps it: 5000 votes give 12.",
                "分数最多只到 10。本来没有上限：5000 票得 12。",
                (lambda votes, accepted: -1 if votes < 0 else min(10, round(math.log2(1 + votes))) + int(accepted),)),
        Mistake(lambda votes, accepted: -1 if votes < 0 else int(accepted)
                + max(score for least, score in ((0, 0), (1, 1), (3, 2), (10, 3), (100, 7)) if votes >= least),
                "This reads a table of a few numbers of votes, and all between two of them get one score. Compute it: "
                "round(log2(1 + votes)).",
                "这是在查一张只有几个票数的表，两个票数之间的都得同样的分。应当计算：round(log2(1 + 票数))。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log10(1 + votes) * 3.5) + int(accepted),
                "This is a logarithm of base 10 times 3.5, which is only near to that of base 2. Take math.log2.",
                "这是以 10 为底的对数乘 3.5，和以 2 为底的只是接近。请用 math.log2。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else answer_score(votes, False) + (1 if accepted else -1),
                "1 is taken off where the answer was not accepted. There the score stays as it is.",
                "没有被采纳的减了 1。没有被采纳，分数就保持不变。"),
        Mistake(lambda votes, accepted: -1 if votes < -1 else round(math.log2(max(1 + votes, 1))) + int(accepted),
                "-1 vote was treated like none. It is below 0 already, and the score there is -1.",
                "-1 票算得和没有票一样了。-1 已经小于 0，分数就是 -1。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else _nearest_power(1 + votes) + int(accepted),
                "The power of two nearest to 1 + votes was looked for. It is the *logarithm* that is rounded: 22 votes "
                "give 4.52, and that is nearer to 5.",
                "这里找的是最接近 1 + 票数的 2 的幂。要取整的是*对数*：22 票得 4.52，更接近 5。"),
        *(Mistake(lambda votes, accepted, most=most: -1 if votes < 0 else min(answer_score(votes, False), most)
                  + int(accepted),
                  "The score stops growing, as at the end of a table. Nothing caps it: 5000 votes give 12.",
                  "分数不再增长，像是表到了头。没有上限：5000 票得 12。") for most in (7, 8, 9)),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(round(math.log2(1 + votes), 1)) + int(accepted),
                  "It is rounded twice: first to a decimal, then to a whole number, and 5.45 becomes 5.5, then 6. "
                  "Round once.",
                  "取整了两次：先取到一位小数，再取整，5.45 就成了 5.5，然后是 6。只取整一次。"),
        Mistake(lambda votes, accepted: -1 if votes < 0 else round(math.log2(1 + votes), 1) + int(accepted),
                "The logarithm is rounded to one digit behind the point. The score is a whole number: round(x) alone.",
                "对数保留了一位小数。分数是整数：只写 round(x)。",
                (lambda votes, accepted: -1 if votes < 0 else round(math.log2(1 + votes), 2) + int(accepted),)),
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
        Mistake(lambda scores, luck: torch.stack([*answer_pairs(scores, luck)]),
                "Where nobody wins, `torch.stack` has nothing to put together and fails. The result is then `[0, "
                "2]`, as `torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` makes it.",
                "没有胜负时，`torch.stack` 没有东西可叠，就会出错。这时结果应是 `[0, 2]`，写成 "
                "`torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)` 就行。"),
        Mistake(_below_the_tenth,
                "Pairs with *less* luck than the tenth were kept, so the tenth itself is missing: `<=`, or sort and "
                "cut with `[:10]`.",
                "留下的是 luck 比第十对还*小*的，第十对自己就没了：用 `<=`，或者排序后用 `[:10]` 截断。"),
        Mistake(lambda scores, luck: answer_pairs(scores, [-abs(a - b) for a, b in combinations(scores, 2)]),
                "These are the ten with the largest difference of scores. Take the ten with the least luck.",
                "这是分数相差最大的十对。要取 luck 最小的十对。",
                (lambda scores, luck: _won_of(scores, sorted(sorted(_drawn(scores, luck, 10 ** 9), key=lambda pair: (
                    -abs(scores[pair[0]] - scores[pair[1]]), pair[2]))[:of_votes.MOST_PAIRS])),)),
        Mistake(_keyed,
                "Pairs were kept in a dict under their luck, and of two with equal luck one disappears. Keep tuples "
                "in a list and sort that.",
                "这里用 luck 当键存各对，luck 相同的两对就丢了一对。请把元组放进列表里再排序。",
                (lambda scores, luck: _keyed(scores, luck, first=True),)),
        Mistake(_found_again,
                "`luck.index` finds the first of equal numbers only, so one pair stands there twice and another is "
                "missing. Keep each pair beside its luck.",
                "`luck.index` 只找得到相同数里的第一个，于是有一对出现两次，另一对不见了。请让每一对和它的 luck 放在"
                "一起。"),
        Mistake(_shifted_luck,
                "Luck was handed out after the ties had left, so it belongs to other pairs. There is a number for "
                "*every* two answers, ties too: zip first, then leave the ties out.",
                "这里先去掉平局再配 luck，就错位了。*每*两个回答都有一个数，平局也有：先用 zip 配好，"
                "再去掉平局。"),
        *(Mistake(lambda scores, luck, kept=kept: _won_of(scores, _drawn(scores, luck, kept)),
                  "At most ten are kept, no fewer and no more: `[:10]`.", "最多留十对，不多也不少：`[:10]`。")
          for kept in (9, 11)),
        Mistake(_sorted_at_last,
                "The pairs are right, their order is not: they were sorted after the better one had been put in front. "
                "Sort by the places as they stand in the list, (0, 1), (0, 2), ..., and turn them round afterwards.",
                "对是对的，次序不对：更好的换到前面之后又排了一次。应当先按列表里的位置排，"
                "(0, 1)、(0, 2)、……，再调换。"),
        Mistake(_only_forward,
                "Pairs whose better answer stands later in the list are missing. Turn them round instead of leaving "
                "them out.",
                "更好的回答排在后面的那些对漏掉了。应当调换，而不是不要。",
                (lambda scores, luck: _rows([(i, j) for i, j, _ in _drawn(scores, luck, 10 ** 9)
                                             if scores[i] > scores[j]][:10]),
                 lambda scores, luck: _rows(sorted((i, j) for _, i, j in sorted(
                     (d, i, j) for i, j, d in _drawn(scores, luck, 10 ** 9) if scores[i] > scores[j])[:10])))),
        Mistake(_scores_of,
                "These are the scores. Wanted are the places of the two answers in the list.",
                "这里写的是分数。要的是两个回答在列表里的位置。"),
        Mistake(lambda scores, luck: answer_pairs(scores, luck) + 1,
                "Places are counted from 1. In Python the first place is 0.",
                "位置从 1 数起了。在 Python 里第一个位置是 0。"),
        Mistake(lambda scores, luck: answer_pairs(scores, luck).T,
                "The table lies on its side: it has [2, P]. Wanted is [P, 2], a row for each pair.",
                "表格横过来了，成了 [2, P]。要的是 [P, 2]，一对占一行。"),
        Mistake(lambda scores, luck: torch.cat([answer_pairs(scores, luck), answer_pairs(scores, luck).flip(1)]),
                "Every pair is in it twice, once with the worse one first.",
                "每一对都出现了两次，其中一次把更差的写在前面。"),
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
        *(Mistake(lambda scores, luck, left_out=left_out: _won_of(scores, sorted(sorted(
                      (pair for pair in _drawn(scores, luck, 10 ** 9)
                       if not any(left_out(scores[i]) for i in pair[:2])),
                      key=lambda pair: pair[2])[:of_votes.MOST_PAIRS])), en, zh)
          for left_out, en, zh in (
            (lambda score: not score,
             "Answers with a score of 0 are left out: `if scores[i]` takes 0 for nothing. Compare the two scores, "
             "`!=`.",
             "分数为 0 的回答没有算：`if scores[i]` 把 0 当成了没有。要比较两个分数，用 `!=`。"),
            (lambda score: score < 0,
             "Answers with a score of -1 are left out. They take part, and lose.",
             "分数为 -1 的回答没有算。它们也要参加比较，只是会输。"),
            (lambda score: score <= 0,
             "Answers with a score of 0 or -1 are left out. All answers take part.",
             "分数为 0 或 -1 的回答没有算。所有的回答都要参加比较。"))),
        Mistake(lambda scores, luck: _won_of(scores, sorted(sorted(
                    (pair for pair in _drawn(scores, luck, 10 ** 9) if pair[1] == pair[0] + 1),
                    key=lambda pair: pair[2])[:of_votes.MOST_PAIRS])),
                "Only answers side by side in the list are compared. All twos take part.",
                "只比较了列表里相邻的两个回答。任意两个回答都要比较。"),
        Mistake(lambda scores, luck: _won_of(scores, sorted((i, j) for _, i, j in sorted(
                    (drawn, i, j) for drawn, (i, j) in zip(luck, ((i, j) for j in range(len(scores)) for i in range(j)),
                                                           strict=True) if scores[i] != scores[j]
                    )[:of_votes.MOST_PAIRS])),
                "Luck was handed out in another order of the pairs, (0, 1), (0, 2), (1, 2), (0, 3), ... It belongs to "
                "(0, 1), (0, 2), (0, 3), ..., then (1, 2): the first place outside, the second inside.",
                "luck 按另一种次序分给了各对：(0, 1)、(0, 2)、(1, 2)、(0, 3)、……。应当是 (0, 1)、(0, 2)、(0, 3)、……，"
                "然后才是 (1, 2)：前一个位置在外层循环，后一个在内层。"),
        Mistake(lambda scores, luck: _by_luck(scores, luck) if len(_all_pairs(scores)) > of_votes.MOST_PAIRS
                else _all_pairs(scores),
                "Where more than ten pairs were there, they are left in the order of their luck. Sort them again, by "
                "their places as they stand in the list.",
                "超过十对时，留下的还是按 luck 的顺序。要重新按它们在列表里的位置排好。"),
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
        Mistake(_of_all_places,
                "Texts are told apart by their length, so that two of one length see each other. Number them: 0, 1, 2, "
                "...",
                "这里用长度来区分文本，长度相同的两段就互相看见了。要给它们编号：0、1、2、……。"),
        Mistake(lambda lengths: packed_row(lengths)[::-1],
                "The two results have changed places: positions first, then who may see whom.",
                "两个结果写反了：先是位置，再是谁能看见谁。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], ~packed_row(lengths)[1]),
                "True and False have changed places: True where a token *may* look.",
                "True 和 False 写反了：*可以*看的地方才是 True。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], torch.where(packed_row(lengths)[1], 0.0, -torch.inf)),
                "This is a mask to be added to scores, 0 and minus infinity. Wanted is True where a token may look.",
                "这是加到得分上的掩码，0 和负无穷。要的是：可以看的地方为 True。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], _whole_texts(lengths)[1] | _before(sum(lengths))),
                "A token sees earlier texts, and what comes after it in its own. It may look where it is the same text "
                "*and* not later: both must hold, `&`.",
                "词元看到了前面的文本，也看到了自己文本里后面的内容。要是同一段文本，*而且*不在后面：两条都要满足，"
                "用 `&`。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], packed_row(lengths)[0][:, None] >= packed_row(lengths)[0]),
                "The positions were compared, across texts too. Compare which text each token belongs to.",
                "这里比较的是位置，不同文本之间也比了。要比较的是它们属于哪段文本。"),
        Mistake(lambda lengths: (torch.cat([torch.arange(n) + (k > 0) for k, n in enumerate(lengths)]),
                                 packed_row(lengths)[1]),
                "The texts after the first count from 1. Each counts from 0.",
                "第一段之后的文本从 1 数起了。每段都从 0 数起。"),
        Mistake(lambda lengths: (_texts(lengths), packed_row(lengths)[1]),
                "These are the numbers of the texts. A position counts the tokens within a text, from 0.",
                "这是文本的编号。位置是在一段文本里面数词元，从 0 数起。"),
        Mistake(lambda lengths: (packed_row(lengths)[0].flip(0), packed_row(lengths)[1]),
                "The positions run backwards.", "位置倒着数了。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], torch.eye(sum(lengths), dtype=torch.bool)),
                "A token sees only itself. It may look at everything before it in its own text, too.",
                "词元只看得到自己。它还可以看自己文本里前面的一切。"),
        Mistake(lambda lengths: (torch.arange(sum(lengths)), _whole_texts(lengths)[1]),
                "The positions run on through the row, and tokens see what comes after them. Each text counts from "
                "0, and a language model looks back only.",
                "位置在整行里一路数了下去，词元还看到了后面的内容。每段文本都从 0 数起，语言模型只能往回看。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], torch.ones(sum(lengths), sum(lengths)).bool()),
                "Every token sees the whole row. It may see only its own text, and nothing later.",
                "每个词元都看到了整行。它只能看自己的文本，而且不能往后看。"),
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
        Mistake(_as_long_as_the_first,
                "All texts are taken to be as long as the first. Each has its own length.",
                "所有文本都被当成和第一段一样长。每段有自己的长度。"),
        Mistake(lambda lengths: packed_row(sorted(lengths, reverse=True)),
                "The texts were sorted by length. They stand in the row in the order in which they are given.",
                "文本按长度排了序。它们在行里的次序就是给出的次序。",
                (lambda lengths: packed_row(sorted(lengths)),)),
        Mistake(lambda lengths: (torch.cat([torch.arange(n - 1, -1, -1) for n in lengths]), packed_row(lengths)[1]),
                "The positions count down in each text. They count up from 0.",
                "位置在每段文本里倒着数了。应当从 0 往上数。"),
        Mistake(_one_too_early,
                "A text sees the last token of the text before it: its block begins one token too early.",
                "一段文本看到了前一段的最后一个词元：它的那一块早开始了一个词元。"),
        Mistake(lambda lengths: _with_table(lengths, lambda table, text: (text[:, None] - text <= 1)
                                            & _before(len(text))),
                "A text sees the text right before it. That is the leak: it may see only tokens of its own.",
                "一段文本看到了紧挨在前面的那段。这就是泄漏：它只能看自己的词元。"),
        Mistake(lambda lengths: _with_table(lengths, lambda table, text: table.triu(-1)),
                "A token sees itself and only the one before it. It may look at everything before it in its own text.",
                "词元只看得到自己和前一个。它可以看自己文本里前面的一切。"),
        Mistake(_set_not_moved,
                "The start of a text was set to the length of the one before it. It is to be moved on by that, "
                "`start += n`: from the third text on the blocks stand in the wrong place.",
                "一段文本的起点被设成了前一段的长度。应当再往后移这么多，`start += n`：否则从第三段起，"
                "块的位置就错了。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], _same(_texts(lengths) % 2) & _before(sum(lengths))),
                "The texts are numbered 0, 1, 0, 1: the third sees the first. Number them 0, 1, 2, ...",
                "文本的编号是 0、1、0、1：第三段能看到第一段。应当编号为 0、1、2……"),
        Mistake(lambda lengths: (torch.arange(sum(lengths)) % max(lengths), packed_row(lengths)[1]),
                "The positions begin again after as many tokens as the longest text has. Each text begins at 0, after "
                "its own length.",
                "位置每隔最长文本的长度才重新开始。每段文本都从 0 开始，长度是它自己的。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], _same(torch.arange(sum(lengths)) // max(lengths))
                                 & _before(sum(lengths))),
                "The blocks of the mask are all as wide as the longest text. Each is as wide as its own text.",
                "掩码里的每一块都和最长的文本一样宽。每块应和自己的文本一样宽。"),
        Mistake(lambda lengths: (packed_row(lengths)[0], (_texts(lengths)[:, None] - _texts(lengths)[None, :] != 1)
                                 & _before(sum(lengths))),
                "Only the text right before is hidden, and those before it are seen. All other texts are to be hidden.",
                "只遮住了紧挨着的前一段，再往前的还看得到。别的文本都要遮住。"),
        Mistake(_two_texts,
                "Only the border between the first text and the second is there; the third goes on from the second. "
                "Every text begins anew.",
                "只有第一段和第二段之间有界线，第三段接着第二段。每段文本都要重新开始。"),
        ), points=2, results=("positions", "may_see")),
)
