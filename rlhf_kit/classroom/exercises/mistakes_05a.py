"""What goes wrong in lesson 05a, and what to say: made from the right answers with one thing changed in each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_05a import (
    averaged_weights,
    choose_checkpoint,
    first_least,
    labelers_choice,
    mended_loss,
    page_cost,
    pairs_of,
    ppo_reward,
    sign,
    sort_prompts,
)
from rlhf_kit.formulas.masked import keep


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 5a.1

def _sort(user: list[int], start: Tensor, most: int, shared: int, held_out: list[int], *, copies: str = "kept",
          counts: str = "kept", limit: str = "user", copy_of: str = "anybody",
          apart: bool = False, spared: bool = False, last: bool = False) -> Tensor:
    """Sorted as is right, or by other rules: what makes a copy, and what counts towards the most of a user."""
    kept: set = set()
    sent: Counter = Counter()
    found = [0] * len(user)
    rows = [tuple(row[:shared]) for row in start.tolist()]
    for i in reversed(range(len(user))) if last else range(len(user)):
        who = 0 if limit == "all" else user[i] in held_out if limit == "split" else user[i]
        key = rows[i] if copy_of == "anybody" else (user[i], rows[i])
        key = (user[i] in held_out, key) if apart else key
        full, copy = sent[who] >= most and not (spared and user[i] in held_out), copies != "none" and key in kept
        if counts == "all" or (counts == "not copies" and not copy) or not (full or copy):
            sent[who] += 1
        if copies == "all" or not (full or copy):
            kept.add(key)
        found[i] = 0 if full or copy else 2 if user[i] in held_out else 1
    return torch.tensor(found)


def _sorting(en: str, zh: str, *rules: dict) -> Mistake:
    first, *others = (partial(_sort, **each) for each in rules)
    return Mistake(first, en, zh, tuple(others))


def _compared(copy: Callable[[list[int], list[int], int], bool], last: bool = False) -> Callable:
    """Sorted with another idea of a copy: `copy(row, a kept row, shared)`; `last`: only of the row before, kept or "
    "not."""
    def wrong(user: list[int], start: Tensor, most: int, shared: int, held_out: list[int]) -> Tensor:
        rows, found = start.tolist(), []
        for i, who in enumerate(user):
            others = [rows[i - 1]] if last and i else [] if last else [rows[j] for j in range(i) if found[j]]
            full = sum(1 for j in range(i) if found[j] and user[j] == who) >= most
            copied = any(copy(rows[i], other, shared) for other in others)
            found.append(0 if full or copied else 2 if who in held_out else 1)
        return torch.tensor(found)
    return wrong


def _with_start(change: Callable[[Tensor, int], Tensor]) -> Callable:
    def wrong(user: list[int], start: Tensor, most: int, shared: int, held_out: list[int]) -> Tensor:
        seen = change(start, shared)
        return sort_prompts(user, seen, most, seen.shape[1], held_out)
    return wrong


def _renamed(names: dict[int, int]) -> Callable:
    def wrong(*arguments: object) -> Tensor:
        return torch.tensor([names[one] for one in sort_prompts(*arguments).tolist()])
    return wrong


def _all_copies_out(user: list[int], start: Tensor, most: int, shared: int, held_out: list[int]) -> Tensor:
    """Of whatever begins alike nothing is kept."""
    rows = [tuple(row[:shared]) for row in start.tolist()]
    sent: Counter = Counter()
    found = []
    for who, row in zip(user, rows, strict=True):
        good = rows.count(row) == 1 and sent[who] < most
        sent[who] += good
        found.append(0 if not good else 2 if who in held_out else 1)
    return torch.tensor(found)


def _only_kept(*arguments: object) -> Tensor:
    found = sort_prompts(*arguments)
    return found[found > 0]


# 5a.2

def _judged(training: Callable | None = None, evaluation: Callable | None = None) -> Callable:
    def wrong(helpful: Tensor, safe: Tensor, stakes: Tensor) -> tuple[Tensor, Tensor]:
        right = labelers_choice(helpful, safe, stakes)
        more, safer = helpful[:, 1] - helpful[:, 0], safe[:, 1] - safe[:, 0]
        return (sign(training(more, safer)) if training else right[0],
                evaluation(more, safer, stakes) if evaluation else right[1])
    return wrong


def _excusing(much: int = 3, little: int = 1, ignore: bool = False, only: bool = False, safe: bool = True) -> Callable:
    """Evaluation with another exception."""
    def evaluation(more: Tensor, safer: Tensor, stakes: Tensor) -> Tensor:
        usual = sign(torch.where(safer != 0, safer, more))
        excused = (more.abs() >= much) & (safer * more.sign() >= -little)
        if not ignore:
            excused &= stakes if only else ~stakes
        return torch.where(excused, sign(more), usual)
    return evaluation


def _stakes_in_training(helpful: Tensor, safe: Tensor, stakes: Tensor) -> tuple[Tensor, Tensor]:
    training, evaluation = labelers_choice(helpful, safe, stakes)
    return torch.where(stakes, evaluation, training), evaluation


# 5a.4

def _lost(cost: Callable[[Tensor, Tensor], Tensor], over: Callable[[Tensor, Tensor], Tensor] | None = None,
          pairs: Callable[[Tensor], Tensor] = pairs_of) -> Callable:
    """The sum of `cost(good, bad)` over pairs, divided by `over(rank, pairs)`; their number if None."""
    def wrong(score: Tensor, rank: Tensor) -> Tensor:
        there = pairs(rank)
        i, j = there.nonzero(as_tuple=True)
        if not len(i):
            return 0.0 * score.sum()
        total = cost(score[i], score[j]).sum()
        return total / (len(i) if over is None else over(rank, there))
    return wrong


def _in_place_order(rank: Tensor) -> Tensor:
    return torch.ones(len(rank), len(rank), dtype=torch.bool).triu(1)


def _with_ties(rank: Tensor) -> Tensor:
    return (rank[:, None] <= rank[None]) & _in_place_order(rank) | pairs_of(rank)


def _neighbours(score: Tensor, rank: Tensor) -> Tensor:
    """Pairs of neighbours in the ranking only."""
    order = rank.argsort(stable=True)
    r, s = rank[order], score[order]
    there = r[:-1] < r[1:]
    return softplus(s[1:] - s[:-1])[there].mean() if there.any() else 0.0 * score.sum()


def _weighted_by_gap(score: Tensor, rank: Tensor) -> Tensor:
    i, j = pairs_of(rank).nonzero(as_tuple=True)
    gap = (rank[j] - rank[i]).to(score.dtype)
    return (gap * softplus(score[j] - score[i])).sum() / gap.sum() if len(i) else 0.0 * score.sum()


def _best_against_rest(rank: Tensor) -> Tensor:
    return pairs_of(rank) & (rank == rank.min())[:, None]


# 5a.5

def _chosen(loss: Callable[[Tensor], int] = first_least, score: Callable[[Tensor], int] | None = None,
            away: Callable[[Tensor, Tensor, int, int], float] | None = None, first: int = 1) -> Callable:
    """Epochs by other rules, and what is given away by another."""
    def wrong(losses: Tensor, scores: Tensor) -> tuple[int, int, float]:
        mean = scores.double().mean(1)
        by_loss, by_score = loss(losses), first_least(-mean) if score is None else score(scores.double())
        lost = mean[by_score] - mean[by_loss] if away is None else away(losses.double(), mean, by_loss, by_score)
        return by_loss + first, by_score + first, float(lost)
    return wrong


def _first_rise(loss: Tensor) -> int:
    return next((e for e in range(len(loss) - 1) if loss[e + 1] > loss[e]), len(loss) - 1)


def _last_least(x: Tensor) -> int:
    return len(x) - 1 - first_least(x.flip(0))


# 5a.6

def _rewarded(penalty: Callable = lambda d, beta: -beta * d,
              bonus: Callable = lambda score, shown: score - shown.mean(),
              last: Callable | None = None) -> Callable:
    """The penalty of each token by `penalty(log π - log π_SFT, β)`; `bonus(score, demonstrations)` at `last(mask)`."""
    def wrong(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
        drift = keep(logprob, mask) - keep(reference, mask)
        at = (_ends(mask) if last is None else last(mask))
        return torch.where(mask, penalty(drift, beta), 0.0) + at * bonus(score, shown)[:, None]
    return wrong


def _ends(mask: Tensor) -> Tensor:
    """[B, T] 1 on the last real token."""
    return _one_hot(mask.sum(1) - 1, mask)


def _one_hot(place: Tensor, mask: Tensor) -> Tensor:
    return (torch.arange(mask.shape[1])[None] == place[:, None]).float()


def _shift_everywhere(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor,
                      beta: float) -> Tensor:
    return torch.where(mask, ppo_reward(score, 0 * shown, logprob, reference, mask, beta) - shown.mean(), 0.0)


def _at_column(column: int) -> Callable:
    def place(mask: Tensor) -> Tensor:
        found = torch.zeros(mask.shape)
        found[:, column] = 1
        return found
    return place


def _whole_penalty(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor,
                   beta: float) -> Tensor:
    """All of the penalty at the end."""
    drift = torch.where(mask, keep(logprob, mask) - keep(reference, mask), 0.0).sum(1, keepdim=True)
    return _ends(mask) * ((score - shown.mean())[:, None] - beta * drift)


def _instead(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    drift = torch.where(mask, -beta * (keep(logprob, mask) - keep(reference, mask)), 0.0)
    return torch.where(_ends(mask) > 0, (score - shown.mean())[:, None], drift)


def _unmasked(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    return -beta * (logprob - reference) + _ends(mask) * (score - shown.mean())[:, None]


def _times_mask(score: Tensor, shown: Tensor, logprob: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    return (-beta * (logprob - reference) + _ends(mask) * (score - shown.mean())[:, None]) * mask


# 5a.7

def _accumulated(change: Callable[[Tensor, Tensor, Tensor, float], Tensor], en: str, zh: str,
                 *also: Callable) -> Mistake:
    """`change(ppo, pretraining with 0 where no token was read, tokens, gamma)`."""
    first, *others = (lambda ppo, pretraining, tokens, gamma, way=way: way(
        ppo, torch.where(tokens[:, None] > 0, pretraining, 0.0), tokens, gamma) for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _mean(parts: Tensor, tokens: Tensor) -> Tensor:
    return (tokens[:, None] * parts).sum(0) / tokens.sum()


def _halved(ppo: Tensor, parts: Tensor, tokens: Tensor, gamma: float) -> Tensor:
    real = parts[tokens > 0]
    mean = real[0]
    for part in real[1:]:
        mean = (mean + part) / 2
    return ppo + gamma * mean


# 5a.8

def _averaging(start: Tensor, weight: Tensor, decay: float, begin: Callable[[Tensor, Tensor], Tensor],
               rows: Callable[[Tensor], Tensor] = lambda weight: weight) -> Tensor:
    average = begin(start, weight)
    for now in rows(weight):
        average = decay * average + (1 - decay) * now
    return average


def _running_sum(start: Tensor, weight: Tensor, decay: float) -> Tensor:
    average = start
    for now in weight:
        average = decay * average + now
    return average


def _decayed_twice(start: Tensor, weight: Tensor, decay: float) -> Tensor:
    average = start
    for now in weight:
        average = decay * (average + (1 - decay) * now)
    return average


def _warmed_up(start: Tensor, weight: Tensor, decay: float) -> Tensor:
    average = start
    for n, now in enumerate(weight):
        slow = min(decay, (1 + n) / (10 + n))
        average = slow * average + (1 - slow) * now
    return average


def _average(change: Callable[[Tensor, Tensor, float], Tensor], en: str, zh: str, *also: Callable) -> Mistake:
    """The second result is right, the first is `change(start, weight, decay)`."""
    first, *others = (lambda start, weight, decay, way=way: (way(start, weight, decay), decay ** len(weight))
                      for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


def _left(change: Callable[[float, int], float], en: str, zh: str, *also: Callable) -> Mistake:
    """The first result is right, the second is `change(decay, updates)`."""
    first, *others = (lambda start, weight, decay, way=way: (averaged_weights(start, weight, decay)[0],
                                                             float(way(decay, len(weight)))) for way in (change, *also))
    return Mistake(first, en, zh, tuple(others))


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "5a.1": (
        _sorting("Copies are kept. What begins like a kept prompt is dropped, whoever sent it.",
                 "重复的也留下了。和已留下的提示开头相同的，不管是谁发的，都要去掉。", {"copies": "none"}),
        _sorting("The same user may not repeat, but another one may. A copy is a copy, whoever sent it.",
                 "只去掉了同一个用户的重复。不管是谁发的，重复就是重复。", {"copy_of": "user"}),
        _sorting("What begins like a prompt that was itself *dropped* drops out here. Compare with those that were "
                 "kept.",
                 "这里和*没留下*的提示相同也被去掉了。只和已经留下的相比。", {"copies": "all"}, {"copies": "all",
                                                                          "counts": "not copies"}),
        _sorting("Copies use up a user's share: they count towards `most`. Only kept prompts count.",
                 "重复的提示占了用户的名额：它们算进了 `most`。只有留下的才算。", {"counts": "all"}, {"counts": "all",
                                                                            "copies": "all"}),
        _sorting("The most holds for all users together. It is so many of *each* user.",
                 "`most` 成了所有用户合计的上限。它是*每个*用户的上限。", {"limit": "all"}, {"limit": "split"}),
        _sorting("The last of those that begin alike is kept, and the last of a user. Go through them in their "
                 "order: the first stays.",
                 "开头相同的、同一用户的，留下了最后的。要按次序来：先来的留下。", {"last": True}),
        _named(lambda user, start, most, shared, held_out: sort_prompts(user, start, len(user), shared, held_out),
                "No user has too many. From `most` prompts on, whatever that user sends is dropped.",
                "没有限制每个用户的数目。一个用户留够 `most` 条之后，再发的都去掉。"),
        _named(lambda user, start, most, shared, held_out: sort_prompts(user, start, most + 1, shared, held_out),
                "One too many of a user is kept: `most` may be reached, not passed.",
                "每个用户多留了一条：可以到 `most` 条，不能再多。"),
        _named(lambda user, start, most, shared, held_out: sort_prompts(user, start, most - 1, shared, held_out),
                "One too few of a user is kept: exactly `most` are allowed.",
                "每个用户少留了一条：恰好 `most` 条是可以的。"),
        _sorting("Copies were looked for in training and held-out prompts apart. What stands in one must not stand "
                 "in the "
                 "other.", "训练和留出是分开查重的。一边有的，另一边不能再有。", {"apart": True}),
        _sorting("Held-out users may send any number. `most` holds for everybody.",
                 "留出的用户没有限制数目。`most` 对每个人都有效。", {"spared": True}),
        _named(_compared(lambda row, other, shared: row[:shared] == other[:shared], last=True),
                "Each prompt was compared with the one right before it. Compare it with *all* that were kept.",
                "每条只和紧挨着的前一条比了。要和*所有*留下的比。"),
        _named(_compared(lambda row, other, shared: sum(a == b for a, b in zip(row, other, strict=True)) >= shared),
                "`shared` equal tokens anywhere made a copy. It is the first `shared` ones, without a gap.",
                "任意位置有 `shared` 个词元相同就算了重复。要前 `shared` 个连着都相同。"),
        _named(_compared(lambda row, other, shared: any(row[i] == other[i] for i in range(shared))),
                "One equal token made a copy. All of the first `shared` must be equal: `all`, not `any`.",
                "有一个词元相同就算了重复。前 `shared` 个要全部相同：用 `all`，不用 `any`。"),
        _named(_with_start(lambda start, shared: start),
                "Whole rows are compared. A copy shares its first `shared` tokens; what follows may differ.",
                "比较的是整行。前 `shared` 个词元相同就算重复，后面可以不同。"),
        _named(_with_start(lambda start, shared: start[:, :1]),
                "Only the first token is compared. The first `shared` tokens make a copy.",
                "只比较了第一个词元。前 `shared` 个词元相同才算重复。"),
        _named(_with_start(lambda start, shared: start[:, :shared - 1]),
                "One token too few is compared: two beginnings are alike if *all* of the first `shared` tokens are.",
                "少比较了一个词元：前 `shared` 个词元*全部*相同，才算开头相同。"),
        _named(_with_start(lambda start, shared: start[:, :shared + 1]),
                "One token too many is compared. What follows the first `shared` ones may differ.",
                "多比较了一个词元。前 `shared` 个之后可以不同。"),
        _named(_with_start(lambda start, shared: start[:, -shared:]),
                "The last tokens are compared. It is the beginning that copies share.",
                "比较的是最后几个词元。重复的提示相同的是开头。"),
        _named(_with_start(lambda start, shared: start[:, :shared].sum(1, keepdim=True)),
                "Sums of tokens are compared: other tokens, or another order, may give the same sum. Compare the "
                "tokens.",
                "比较的是词元之和：别的词元、别的次序也可能得到同样的和。要比较词元本身。",
                _with_start(lambda start, shared: start[:, :shared].sort(1).values)),
        _named(lambda user, start, most, shared, held_out: sort_prompts(user, start, most, shared, []),
                "Nothing is held out. Kept prompts of the users in `held_out` are 2.",
                "没有留出任何东西。`held_out` 里的用户，留下的提示是 2。"),
        _named(_renamed({0: 0, 1: 2, 2: 1}), "1 and 2 are exchanged: 1 is training, 2 is held out.",
                "1 和 2 弄反了：1 是训练，2 是留出。"),
        _named(_renamed({0: 0, 1: 1, 2: 0}),
                "Held-out users are dropped. Their prompts are kept apart, as 2.",
                "留出的用户被去掉了。他们的提示要另放一边，记作 2。"),
        _named(_all_copies_out, "Of what begins alike nothing is kept. The first one stays.",
                "开头相同的一条都没留。第一条要留下。"),
        _named(_only_kept, "Dropped prompts are missing from the result. It has one number for each prompt, 0 for "
               "those.",
                "结果里没有去掉的提示。每条提示都要有一个数，去掉的是 0。"),
        _named(lambda *a: sort_prompts(*a).nonzero()[:, 0],
                "These are the places of what is kept. Return one number for each prompt: 0, 1 or 2.",
                "这是留下的位置。每条提示要有一个数：0、1 或 2。"),
        _named(lambda user, start, most, shared, held_out: torch.where(
                    torch.isin(torch.tensor(user), torch.tensor(held_out)), 2, 1),
                "All prompts are kept: neither copies nor too many of a user are dropped.",
                "全都留下了：没有去掉重复的，也没有限制每个用户的数目。"),
        ),
    "5a.2": (
        _named(lambda *a: labelers_choice(*a)[::-1],
                "The two results are exchanged: first training, where helpful comes first, then evaluation.",
                "两个结果的次序反了：先是训练（有用为先），再是评测。"),
        _named(lambda *a: (labelers_choice(*a)[0],) * 2,
                "Evaluation is judged as training is. There truthful and harmless come first.",
                "评测用了和训练一样的标准。评测时，真实无害为先。"),
        _named(lambda *a: (labelers_choice(*a)[1],) * 2,
                "Training is judged as evaluation is. In training helpful came first.",
                "训练用了和评测一样的标准。训练时，有用为先。",
                _judged(training=lambda more, safer: torch.where(safer != 0, safer, more))),
        _named(_judged(training=lambda more, safer: more),
                "In training, of two equally helpful ones the safer is preferred; -1 only where they are equal in "
                "both.",
                "训练时，同样有用的，取更安全的；两样都相等才是 -1。"),
        _named(_judged(training=lambda more, safer: torch.where(more != 0, more, -1)),
                "In training, of two equally helpful ones the first is taken. The safer is preferred.",
                "训练时，同样有用的取了第一条。要取更安全的。"),
        _named(_judged(training=lambda more, safer: torch.where(more != 0, more, torch.where(safer != 0, safer, -1))),
                "In training, where both are equal in everything the first is taken. That is a tie, -1.",
                "训练时，两样都相等的取了第一条。那是平局，应为 -1。"),
        _named(_judged(evaluation=_excusing(much=99)),
                "The exception is missing: where little is at stake, at least three points more helpful outweigh "
                "one point "
                "less safe.",
                "缺了例外：风险不高时，有用至少多 3 分，可以抵过安全少 1 分。",
                _judged(evaluation=_excusing(little=0))),
        _named(_judged(evaluation=_excusing(ignore=True)),
                "The exception is made where much is at stake, too. There it is never made.",
                "风险高的时候也用了例外。那时从不例外。"),
        _named(_judged(evaluation=_excusing(only=True)),
                "The exception is made where much *is* at stake, and only there. It is the other way round: "
                "`~high_stakes`.",
                "只在风险*高*时用了例外。正好相反：`~high_stakes`。"),
        _named(_judged(evaluation=_excusing(much=2)),
                "Two points more helpful are not *much*: at least three make the exception.",
                "有用多 2 分还不算*多得多*：至少 3 分才有例外。"),
        _named(_stakes_in_training,
                "In training the stakes were looked at. There helpful comes first, whatever is at stake.",
                "训练时看了风险。那时总是有用为先，不管风险。"),
        _named(_judged(evaluation=lambda more, safer, stakes: torch.where(
                    (more.abs() >= 3) & (safer * more.sign() == -1) & ~stakes, -1, _excusing()(more, safer, stakes))),
                "The exception became a tie. There the more helpful response is preferred.",
                "例外成了平局。那里要取更有用的。"),
        _named(lambda *a: tuple(torch.where(one < 0, 2, one) for one in labelers_choice(*a)),
                "A tie is -1 here, not 2.", "平局是 -1，不是 2。"),
        _named(_judged(evaluation=_excusing(much=4)),
                "Exactly three points more helpful is enough for the exception: `>=`, not `>`.",
                "有用恰好多 3 分，就够得上例外：用 `>=`，不用 `>`。"),
        _named(_judged(evaluation=_excusing(little=99)),
                "The exception is made however much less safe the helpful one is. One point less is the most.",
                "不管有用的那条安全上差多少，都用了例外。最多差 1 分。"),
        _named(_judged(evaluation=lambda more, safer, stakes: _excusing()(
                    torch.where(more < 0, more, more.clamp(max=2)), safer, stakes)),
                "The exception is made for the first response only. The second may be the much more helpful one.",
                "只给第一条回答用了例外。第二条也可能有用得多。"),
        _named(_judged(evaluation=lambda more, safer, stakes: _excusing()(
                    torch.where(more > 0, more, more.clamp(min=-2)), safer, stakes)),
                "The exception is made for the second response only. The first may be the much more helpful one.",
                "只给第二条回答用了例外。第一条也可能有用得多。"),
        _named(_judged(evaluation=lambda more, safer, stakes: torch.where(
                    (more.abs() >= 3) & (safer * more.sign() >= -1) & ~stakes, sign(more), sign(safer))),
                "In evaluation, of two equally safe ones the more helpful is preferred; -1 only where they are "
                "equal in both.",
                "评测时，同样安全的，取更有用的；两样都相等才是 -1。",
                _judged(evaluation=lambda more, safer, stakes: sign(safer))),
        _named(lambda helpful, safe, stakes: tuple(torch.where(one >= 0, 1 - one, one) for one in _judged(
                    evaluation=_excusing(much=99))(helpful, safe, stakes)),
                "The worse response is named each time, and the exception is missing.",
                "每次报的都是较差的那条，而且缺了例外。",
                lambda helpful, safe, stakes: tuple(torch.where(one >= 0, 1 - one, one) for one in _judged(
                    evaluation=lambda more, safer, stakes: sign(safer))(helpful, safe, stakes))),
        _named(_judged(training=lambda more, safer: more + safer),
                "In training the points were added up. Helpful decides; safe only where both are equally helpful.",
                "训练时把两种分加起来了。由有用决定；同样有用时才看安全。"),
        _named(_judged(evaluation=lambda more, safer, stakes: sign(more + safer)),
                "In evaluation the points were added up. Safe decides, but for the exception.",
                "评测时把两种分加起来了。除了例外，由安全决定。",
                _judged(training=lambda more, safer: more + safer,
                        evaluation=lambda more, safer, stakes: sign(more + safer))),
        _named(lambda *a: tuple(torch.where(one >= 0, 1 - one, one) for one in labelers_choice(*a)),
                "The worse response is named each time. 0 is the first response, 1 the second: name the preferred one.",
                "每次报的都是较差的那条。0 是第一条，1 是第二条：要报更好的。"),
        _named(lambda *a: tuple(one.clamp(min=0) for one in labelers_choice(*a)),
                "Where both are equal in everything the first is preferred. That is a tie, -1.",
                "两样都相等时取了第一条。那是平局，应为 -1。"),
        _named(lambda *a: tuple(torch.where(one >= 0, one + 1, 0) for one in labelers_choice(*a)),
                "The responses are counted from 1, and a tie is 0. Count from 0, and a tie is -1.",
                "回答从 1 数起，平局成了 0。要从 0 数起，平局是 -1。"),
        ),
    "5a.3": (
        _named(lambda rank: (page_cost(rank)[1], page_cost(rank)[0], page_cost(rank)[2]),
                "`together` and `apart` are exchanged: together each response is read once, which is less.",
                "`together` 和 `apart` 弄反了：放在一起时每条回答只读一次，次数更少。"),
        _named(lambda rank: (page_cost(rank)[0], page_cost(rank)[1] // 2, page_cost(rank)[2]),
                "`apart` is the number of pairs. Each pair by itself reads two responses.",
                "`apart` 是对数。每一对单独读，要读两条回答。"),
        _named(lambda rank: (1 if pairs_of(rank).any() else 0, *page_cost(rank)[1:]),
                "The articles' mistake: one *batch element* is not one pass. Each response is still read once.",
                "这正是文章里的错：一个*批次元素*不等于一次前向。每条回答还是要读一次。",
                lambda rank: (1, *page_cost(rank)[1:])),
        _named(lambda rank: (len(rank), *page_cost(rank)[1:]),
                "Where all tie there is no pair, so nothing is read: `together` is 0.",
                "全是平局时没有对，什么都不用读：`together` 是 0。"),
        _named(lambda rank: (len(rank), len(rank) * (len(rank) - 1), torch.full_like(rank, len(rank) - 1)),
                "Ties were counted as pairs. Two responses of equal rank say nothing: no pair.",
                "平局也算成了对。名次相同的两条什么都没说：不成对。",
                lambda rank: (page_cost(rank)[0], len(rank) * (len(rank) - 1), torch.full_like(rank, len(rank) - 1)),
                lambda rank: (page_cost(rank)[0], len(rank) * (len(rank) - 1), page_cost(rank)[2])),
        _named(lambda rank: (*page_cost(rank)[:2], torch.full_like(rank, len(rank) - 1)),
                "`uses` counts ties: each response was said to meet all others. Pairs of equal rank do not count.",
                "`uses` 算进了平局：好像每条回答都和其余各条成对。名次相同的不算。"),
        _named(lambda rank: (*page_cost(rank)[:2], pairs_of(rank).sum(1)),
                "`uses` counts only the pairs that a response wins. Those that it loses are pairs, too.",
                "`uses` 只算了赢的对。输的也是对。"),
        _named(lambda rank: (*page_cost(rank)[:2], pairs_of(rank).sum(0)),
                "`uses` counts only the pairs that a response loses. Those that it wins are pairs, too.",
                "`uses` 只算了输的对。赢的也是对。"),
        _named(lambda rank: (len(rank.unique()) if pairs_of(rank).any() else 0, *page_cost(rank)[1:]),
                "Responses of equal rank were read once for all of them. Each response is a text of its own.",
                "名次相同的几条只读了一次。每条回答是各自的文本。",
                lambda rank: (len(rank.unique()), *page_cost(rank)[1:])),
        _named(lambda rank: (page_cost(rank)[0], 2 * page_cost(rank)[1], page_cost(rank)[2]),
                "Each pair was counted twice, as (i, j) and as (j, i). Only one of the two is the winner.",
                "每一对算了两次，(i, j) 和 (j, i)。两条里只有一条是赢家。",
                lambda rank: (page_cost(rank)[0], 2 * page_cost(rank)[1], 2 * page_cost(rank)[2]),
                lambda rank: (*page_cost(rank)[:2], 2 * page_cost(rank)[2])),
        _named(lambda rank: (page_cost(rank)[0], math.comb(len(rank), 2), page_cost(rank)[2]),
                "`apart` is K over 2. Ties make no pair, and each pair reads two responses.",
                "`apart` 成了 K 取 2 的组合数。平局不成对，而且每一对要读两条回答。"),
        _named(lambda rank: (page_cost(rank)[0], len(rank) ** 2, page_cost(rank)[2]),
                "`apart` counts everybody with everybody, oneself too. A pair has two different ranks.",
                "`apart` 把每条和每条都算了，连自己也算。一对要有两个不同的名次。"),
        _named(lambda rank: (*page_cost(rank)[:2], page_cost(rank)[2] / 2),
                "`uses` counts each pair with one half. A pair stands whole in both of its responses.",
                "`uses` 里每对只算了一半。一对在它的两条回答里都算一整个。",
                lambda rank: (*page_cost(rank)[:2], page_cost(rank)[2] // 2)),
        _named(lambda rank: (*page_cost(rank)[:2], page_cost(rank)[2] * torch.tensor(
                    [rank.tolist().index(r) == i for i, r in enumerate(rank.tolist())])),
                "Of tied responses only the first has pairs. Each of them is compared with those of other ranks.",
                "并列的几条里只有第一条成对。每一条都要和名次不同的比。"),
        _named(lambda rank: (page_cost(rank)[0], page_cost(rank)[1], page_cost(rank)[2][rank.argsort(stable=True)]),
                "`uses` stands in the order of the ranks. Number k belongs to response k, as it was given.",
                "`uses` 按名次排列了。第 k 个数属于给出的第 k 条回答。"),
        _named(lambda rank: (page_cost(rank)[0], 2 * int((rank.sort().values.diff() > 0).sum()), page_cost(rank)[2]),
                "Only neighbours in the ranking were paired. All pairs of different ranks count.",
                "只把名次相邻的配了对。名次不同的都成对。"),
        ),
    "5a.4": (
        _named(_lost(lambda good, bad: torch.log(1 + bad.exp() - good.exp()),
                      over=lambda rank, there: len(rank), pairs=_in_place_order),
                "This is the articles' loss as it stands, with all its mistakes.",
                "这就是文章里的损失，错误原样都在。"),
        _named(_lost(lambda good, bad: torch.log(1 + bad.exp() - good.exp())),
                "e^bad - e^good is the articles' slip. The difference belongs into the exponent: e^(bad - good).",
                "e^bad - e^good 是文章里的笔误。差要放进指数里：e^(bad - good)。"),
        _named(_lost(lambda good, bad: softplus(bad - good), pairs=_in_place_order),
                "The pairs follow the order of the list, ties among them. The *ranks* say who is better: smaller is "
                "better.",
                "成对是按列表的次序，平局也在内。谁更好要看*名次*：小的更好。",
                _lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: len(rank),
                      pairs=_in_place_order)),
        _named(_lost(lambda good, bad: softplus(bad - good), pairs=_with_ties),
                "Ties are counted. Two responses of equal rank make no pair.", "平局也算进去了。名次相同的两条不成对。",
                _lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: math.comb(len(rank), 2))),
        _named(_lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: len(rank)),
                "The sum is divided by K. Divide by the number of pairs, so that a page of 9 weighs what a page of "
                "4 does.",
                "除以了 K。要除以对数，9 条的一页才和 4 条的一页一样重。"),
        _named(_lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: 1),
                "This is the sum over the pairs. Wanted is their mean.", "这是各对之和。要的是平均。"),
        _named(_lost(lambda good, bad: softplus(good - bad)),
                "The sign of the difference is wrong: this loss is small where the *worse* response scores higher. "
                "Smaller ranks are better.", "差的符号反了：*较差*的得分高时，这个损失反而小。名次小的更好。"),
        _named(_lost(lambda good, bad: torch.log(1 + (bad - good).exp())),
                "Right, but e^1000 is infinite: the loss breaks down at large differences. `softplus` or "
                "`logsigmoid` holds.",
                "公式对了，但 e^1000 是无穷大：差很大时损失就垮了。用 `softplus` 或 `logsigmoid`。",
                _lost(lambda good, bad: -torch.sigmoid(good - bad).log()),
                lambda score, rank: _lost(lambda good, bad: torch.log(1 + (bad - good).exp()))(score, rank).nan_to_num(
                    0.0, posinf=1e4)),
        _named(lambda score, rank: mended_loss(score, rank) if pairs_of(rank).any() else score.sum() * torch.nan,
                "Without any pair the mean is that of nothing: NaN. It is 0 there.",
                "一对都没有时，是对空无一物取平均：NaN。那里应当是 0。"),
        _named(_lost(lambda good, bad: torch.log(1 + (bad - good).clamp(max=50).exp())),
                "The differences were clipped before the logarithm: beyond that there is no gradient, where it is "
                "needed "
                "most. `softplus` needs no clipping.",
                "先把差截断再取对数：超出的地方没有梯度，而那里最需要。`softplus` 不用截断。",
                *(_lost(lambda good, bad, most=most: softplus((bad - good).clamp(-most, most)))
                  for most in (10, 20, 30, 50, 60, 80, 88, 100, 500, 700)),
                *(_lost(lambda good, bad, most=most: (bad - good).clamp(max=most).exp().log1p())
                  for most in (10, 20, 30, 60, 80, 88))),
        _named(_lost(lambda good, bad: -torch.sigmoid(good - bad)),
                "-σ is another loss: bounded, and blind to pairs that are far on the wrong side. InstructGPT's is "
                "-log σ.",
                "-σ 是另一种损失：有界，错得很远的对它看不见。InstructGPT 用的是 -log σ。",
                _lost(lambda good, bad: 1 - torch.sigmoid(good - bad))),
        _named(lambda score, rank: mended_loss(score.detach(), rank) + 0.0 * score.sum(),
                "No gradient flows back into `score`: it was detached, or made anew from numbers.",
                "梯度流不回 `score`：它被 detach 了，或是用数重新造的。",
                lambda score, rank: mended_loss(score.detach(), rank)),
        _named(_lost(lambda good, bad: softplus(bad - good) / math.log(2)),
                "This logarithm has base 2. The loss is in nats.", "这里的对数以 2 为底。损失的单位是奈特。"),
        _named(_neighbours, "Only neighbours in the ranking are compared. All pairs of different ranks count.",
                "只比较了名次相邻的。名次不同的都成对。"),
        _named(_lost(lambda good, bad: softplus(bad - good), pairs=_best_against_rest),
                "Only the best is compared with the others. All pairs of different ranks count.",
                "只拿最好的和其余的比了。名次不同的都成对。"),
        _named(_lost(lambda good, bad: bad - good),
                "This is the mean of bad - good itself, which falls without end. log(1 + e^...) is missing.",
                "这是 bad - good 本身的平均，会一直往下掉。缺了 log(1 + e^…)。"),
        _named(lambda score, rank: softplus(_lost(lambda good, bad: bad - good)(score, rank)) if pairs_of(
                    rank).any() else 0.0 * score.sum(),
                "The mean of the differences was taken first, the logarithm then. First each pair's loss, then the "
                "mean.",
                "先平均了差，再取对数。要先算每一对的损失，再平均。"),
        _named(lambda score, rank: (lambda s: (s.flip(0).logcumsumexp(0).flip(0) - s).mean())(
                    score[rank.argsort(stable=True)]),
                "This is a loss of whole lists (Plackett and Luce). InstructGPT's goes over pairs.",
                "这是整个列表的损失（Plackett-Luce）。InstructGPT 的是对各对的。"),
        _named(_weighted_by_gap, "Pairs that are further apart in rank count more. All pairs weigh the same.",
                "名次相差大的对更重。每一对应当一样重。"),
        _named(_lost(lambda good, bad: softplus(1 + bad - good)),
                "There is a margin of 1 in it. The difference stands alone in the exponent.",
                "里面多了 1 的间隔。指数里只有差。"),
        _named(_lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: len(rank) ** 2),
                "The mean runs over a table of K², most of which are no pairs. Divide by the number of pairs.",
                "平均时除的是 K²，其中多半不是对。要除以对数。"),
        _named(lambda score, rank: mended_loss(score, rank) if pairs_of(rank).any() else score.sum() * 0 + math.log(2),
                "Without any pair ln 2 came out. Nothing is lost there: 0.",
                "一对都没有时得到了 ln 2。那里没有损失：0。"),
        _named(_lost(lambda good, bad: (bad - good).clamp(min=0)),
                "This is max(0, bad - good): no gradient once the order is right. The logarithm goes on.",
                "这是 max(0, bad - good)：次序一对就没有梯度了。对数的不会。"),
        _named(_lost(lambda good, bad: softplus(bad - good), over=lambda rank, there: 2 * int(there.sum())),
                "Each pair counts one half: the mean was taken over (i, j) and (j, i).",
                "每对只算了一半：平均时把 (i, j) 和 (j, i) 都数了。"),
        ),
    "5a.5": (
        _named(_chosen(first=0), "The epochs are counted from 0. The first is 1.", "轮次从 0 数起了。第一轮是 1。"),
        _named(lambda loss, score: (lambda a, b, c: (b, a, c))(*choose_checkpoint(loss, score)),
                "`by_loss` and `by_score` are exchanged.", "`by_loss` 和 `by_score` 弄反了。"),
        _named(_chosen(score=lambda score: first_least(score.mean(1))),
                "The *lowest* mean score was chosen. A reward model's score is better the higher it is.",
                "选的是平均得分*最低*的。奖励模型的得分越高越好。"),
        _named(_chosen(loss=lambda loss: first_least(-loss)),
                "The *highest* loss was chosen. `by_loss` is the epoch of the least.",
                "选的是损失*最高*的。`by_loss` 是损失最低的那一轮。"),
        _named(_chosen(loss=_last_least),
                "Of epochs with equal loss the last was taken. The earlier one is cheaper.",
                "损失相同的几轮里，取了最后的。更早的更省。"),
        _named(_chosen(score=lambda score: _last_least(-score.mean(1))),
                "Of epochs with equal mean score the last was taken. The earlier one is cheaper.",
                "平均得分相同的几轮里，取了最后的。更早的更省。",
                _chosen(loss=_last_least, score=lambda score: _last_least(-score.mean(1)))),
        _named(_chosen(score=lambda score: first_least(-score.max(1).values)),
                "The epoch with the highest single score was chosen. The mean over the prompts decides.",
                "选的是单个得分最高的那一轮。要看各提示的平均。",
                _chosen(score=lambda score: int(score.argmax()) // score.shape[1])),
        _named(_chosen(score=lambda score: first_least(-score.median(1).values)),
                "The median decided. The mean over the prompts does.", "这里看的是中位数。要看平均。",
                _chosen(score=lambda score: first_least(-score.quantile(0.5, dim=1)))),
        _named(_chosen(score=lambda score: first_least(-score[:, 0])),
                "Only the first prompt decided. The mean over all of them does.",
                "只看了第一个提示。要看所有提示的平均。"),
        _named(_chosen(score=lambda score: len(score) - 1),
                "The last epoch was taken. The highest mean score may stand before it.",
                "取了最后一轮。平均得分最高的可能在它之前。"),
        _named(_chosen(loss=_first_rise),
                "`by_loss` stopped where the loss first rises. The lowest of all may come later.",
                "`by_loss` 停在损失第一次上升的地方。最低的可能更晚。"),
        _named(_chosen(away=lambda loss, mean, a, b: mean[b] - mean[0]),
                "`given_away` compares with the first epoch. Compare with the one of the least loss.",
                "`given_away` 和第一轮比了。要和损失最低的那一轮比。"),
        _named(lambda loss, score: _chosen(score=lambda s: first_least(loss.double() - s.mean(1)))(loss, score),
                "The loss had a say in `by_score`. The mean score alone decides.",
                "`by_score` 里掺进了损失。只由平均得分决定。"),
        _named(_chosen(score=lambda score: int(score.argmax(0).bincount(minlength=len(score)).argmax())),
                "The epoch that is best for most prompts was chosen. The mean score decides.",
                "选的是对最多提示最好的那一轮。要看平均得分。"),
        _named(_chosen(score=lambda score: first_least(-score.min(1).values)),
                "The epoch whose worst score is highest was chosen. The mean score decides.",
                "选的是最低得分最高的那一轮。要看平均得分。"),
        _named(_chosen(away=lambda loss, mean, a, b: mean[b].abs() - mean[a].abs()),
                "Absolute values were subtracted. Scores may be negative: take the difference as it is.",
                "减的是绝对值。得分可以是负的：直接相减。",
                _chosen(away=lambda loss, mean, a, b: (mean[b].abs() - mean[a].abs()).abs())),
        _named(_chosen(away=lambda loss, mean, a, b: (mean[b] - mean[a]) / max(abs(float(mean[b])), 1e-9)),
                "`given_away` is a share of the best mean score. Wanted is the difference.",
                "`given_away` 成了占最高平均得分的比例。要的是差。"),
        _named(_chosen(away=lambda loss, mean, a, b: (mean[b] - mean[a]).round(decimals=1)),
                "`given_away` was rounded. Return it as it is.", "`given_away` 被舍入了。要原样返回。",
                *(_chosen(away=lambda loss, mean, a, b, digits=digits: (mean[b] - mean[a]).round(decimals=digits))
                  for digits in (0, 2, 3))),
        _named(_chosen(away=lambda loss, mean, a, b: 0.0),
                "`given_away` is always 0: the same epoch was taken twice.", "`given_away` 总是 0：同一轮用了两次。"),
        _named(_chosen(away=lambda loss, mean, a, b: mean[a] - mean[b]),
                "`given_away` has the wrong sign: it is the highest mean score minus that of the epoch with the "
                "least loss.",
                "`given_away` 的符号反了：是最高的平均得分，减去损失最低那一轮的平均得分。"),
        _named(_chosen(away=lambda loss, mean, a, b: loss[b] - loss[a]),
                "`given_away` is a difference of losses. Wanted is one of mean scores.",
                "`given_away` 是损失之差。要的是平均得分之差。"
                "", _chosen(away=lambda loss, mean, a, b: loss[a] - loss[b])),
        _named(_chosen(away=lambda loss, mean, a, b: mean[b] - mean[-1]),
                "`given_away` compares with the last epoch. Compare with the one of the least loss.",
                "`given_away` 和最后一轮比了。要和损失最低的那一轮比。"),
        _named(_chosen(away=lambda loss, mean, a, b: mean[b] - mean.mean()),
                "`given_away` compares with the mean over all epochs. Compare with the one of the least loss.",
                "`given_away` 和所有轮的平均比了。要和损失最低的那一轮比。"),
        _named(lambda loss, score: (lambda a, b, c: (a, b, c * score.shape[1]))(*choose_checkpoint(loss, score)),
                "`given_away` is a sum over the prompts. Wanted is the mean.",
                "`given_away` 是各提示之和。要的是平均。"),
        _named(_chosen(away=lambda loss, mean, a, b: b - a),
                "`given_away` counts epochs. It is a difference of mean scores.",
                "`given_away` 数的是轮数。它是平均得分之差。"),
        _named(_chosen(away=lambda loss, mean, a, b: mean[b]),
                "`given_away` is the best mean score itself. Take off that of the epoch with the least loss.",
                "`given_away` 就是最高的平均得分。还要减去损失最低那一轮的。"),
        ),
    "5a.6": (
        _named(_rewarded(bonus=lambda score, shown: score),
                "The demonstrations are missing: their mean score is taken off before RL.",
                "没有用到示范：强化学习之前要减去它们的平均得分。"),
        _named(_rewarded(bonus=lambda score, shown: score + shown.mean()),
                "The demonstrations' mean is added. It is taken off, so that a demonstration scores 0.",
                "加上了示范的平均。要减去它，示范才得 0 分。"),
        _named(_rewarded(bonus=lambda score, shown: score - shown.sum()),
                "The sum over the demonstrations is taken off. It is their mean.",
                "减去的是示范得分之和。应当是平均。"),
        _named(_rewarded(bonus=lambda score, shown: score - shown.max()),
                "The best demonstration is taken off. It is their mean.", "减去的是最好的示范。应当是平均。",
                _rewarded(bonus=lambda score, shown: score - shown[0]),
                _rewarded(bonus=lambda score, shown: score - shown.median())),
        _named(_rewarded(bonus=lambda score, shown: score - score.mean()),
                "The batch's own mean is taken off: then no batch is better than another. It is that of the "
                "demonstrations.",
                "减去的是这一批自己的平均：那样每一批就都一样好了。要减示范的平均。"),
        _named(_rewarded(bonus=lambda score, shown: (score - shown.mean()) / shown.std(unbiased=False).clamp(min=1e-8)),
                "The score was divided by the demonstrations' spread. It is only shifted.",
                "得分除以了示范的标准差。只平移就行。",
                _rewarded(bonus=lambda score, shown: (score - shown.mean()) / shown.std().nan_to_num(1.0).clamp(1e-8))),
        _named(_rewarded(penalty=lambda d, beta: beta * d),
                "The KL penalty has the wrong sign: a token that the policy likes more than the SFT model is to cost.",
                "KL 惩罚的符号反了：策略比 SFT 模型更喜欢的词元，要付代价。"),
        _named(_rewarded(penalty=lambda d, beta: 0.0 * d), "The KL penalty is missing.", "没有 KL 惩罚。"),
        _named(_rewarded(penalty=lambda d, beta: -d), "The penalty is not multiplied by β.", "惩罚没有乘 β。"),
        _named(_rewarded(penalty=lambda d, beta: -beta * d.abs()),
                "The absolute difference was taken. Where the policy likes a token less, the reward is positive.",
                "取了绝对值。策略更不喜欢的词元，奖励是正的。"),
        _named(_rewarded(penalty=lambda d, beta: -beta * ((-d).exp() - 1 + d)),
                "This penalty is k3. In the reward stands the plain difference of log-probabilities.",
                "这里的代价是 k3。奖励里用的就是对数概率之差。"),
        _named(_rewarded(penalty=lambda d, beta: -beta * d ** 2 / 2),
                "The difference was squared. In the reward it stands as it is, with its sign.",
                "把差平方了。奖励里用的是差本身，带符号。", _rewarded(penalty=lambda d, beta: -beta * d ** 2)),
        _named(_rewarded(penalty=lambda d, beta: -beta * d.exp()),
                "The ratio π/π_SFT was taken. The penalty is of its logarithm.",
                "用的是比值 π/π_SFT。惩罚的是它的对数。"),
        _named(_rewarded(last=lambda mask: mask.float()),
                "The score stands on every token. It belongs on the last real one alone.",
                "每个词元上都有得分。它只属于最后一个真实的词元。"),
        _named(_shift_everywhere, "The demonstrations' mean is taken off every token. It belongs to the score, once.",
                "每个词元都减了示范的平均。它只属于得分，减一次。"),
        _named(lambda score, shown, logprob, reference, mask, beta: ppo_reward(
                    score, shown, keep(logprob, mask) / mask.sum(1, keepdim=True),
                    keep(reference, mask) / mask.sum(1, keepdim=True), mask, beta),
                "The penalty is divided by the response's length. Each token pays in full.",
                "代价除以了回答的长度。每个词元都要付全额。"),
        _named(_rewarded(bonus=lambda score, shown: (score - shown.mean()).clamp(min=0)),
                "Negative scores were cut off. Below 0 means: worse than the demonstrations.",
                "负的得分被截掉了。小于 0 的意思是：不如示范。"),
        _named(lambda score, shown, logprob, reference, mask, beta: ppo_reward(
                    beta * score, beta * shown, logprob, reference, mask, beta),
                "β multiplies the score, too. It is the price of drifting alone.",
                "β 把得分也乘了。它只是偏离的代价。"),
        _named(_rewarded(last=lambda mask: _one_hot(mask.sum(1).clamp(max=mask.shape[1] - 1), mask)),
                "The score stands one place behind the last real token. The last one is at `mask.sum(1) - 1`.",
                "得分放在了最后一个真实词元的后一位。最后一个在 `mask.sum(1) - 1`。"),
        _named(lambda *a: ppo_reward(*a).flip(1).cumsum(1).flip(1) * a[4],
                "These are sums up to the end of the response. Wanted is the reward of each token by itself.",
                "这是到结尾为止的和。要的是每个词元自己的奖励。"),
        _named(_rewarded(last=_at_column(-1)),
                "The score stands in the last column, which may be padding. It belongs on the last *real* token.",
                "得分放在了最后一列，那里可能是填充。要放在最后一个*真实*的词元上。"),
        _named(_rewarded(last=_at_column(0)),
                "The score stands on the first token. It belongs on the last real one.",
                "得分放在了第一个词元上。要放在最后一个真实的词元上。"),
        _named(_instead, "On the last token the score takes the place of the penalty. It is added to it.",
                "最后一个词元上，得分顶替了代价。应当加上去。"),
        _named(_whole_penalty,
                "The whole penalty stands at the end. It is charged token by token, where it arises.",
                "惩罚全放在了结尾。要逐个词元收，出在哪里就收在哪里。"),
        _named(_unmasked, "The padding gets a reward, too. It is 0 there.", "填充也有奖励。那里应当是 0。"),
        _named(_times_mask,
                "Multiplying by the mask leaves NaN: 0 · NaN is NaN. Use `torch.where` or `masked_fill`.",
                "乘掩码去不掉 NaN：0 · NaN 还是 NaN。用 `torch.where` 或 `masked_fill`。"),
        _named(_rewarded(last=lambda mask: _ends(mask) / mask.sum(1, keepdim=True)),
                "The score is divided by the response's length. It is paid out whole, once.",
                "得分除以了回答的长度。要一次整付。", _rewarded(last=lambda mask: mask / mask.sum(1, keepdim=True))),
        _named(lambda score, shown, logprob, reference, mask, beta: ppo_reward(
                    score, shown, logprob, reference, mask, beta).sum(1),
                "The rewards were summed up over the tokens. Return one for each token, [B, T].",
                "把各词元的奖励加起来了。每个词元要有一个，[B, T]。"),
        ),
    "5a.7": (
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * parts[tokens > 0].mean(0),
                     "Each part weighs the same, however few its tokens. Weight each by its tokens: then the parts "
                     "do not "
                     "matter.", "每一份一样重，不管词元多少。要按词元数加权：怎么分就无所谓了。",
                     lambda ppo, parts, tokens, gamma: ppo + gamma * parts.mean(0)),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * parts.sum(0),
                     "The parts' means are added up: more parts, more weight. It is the mean over all tokens.",
                     "把各份的平均加起来了：份数越多就越重。要的是所有词元的平均。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * (tokens[:, None] * parts).sum(0),
                     "This is γ times the sum over all tokens. Divide by how many there are.",
                     "这是 γ 乘所有词元之和。还要除以词元数。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + _mean(parts, tokens),
                     "γ is missing.", "没有乘 γ。"),
        _accumulated(lambda ppo, parts, tokens, gamma: gamma * (ppo + _mean(parts, tokens)),
                     "γ multiplies PPO's gradient, too. It weighs the pretraining alone.",
                     "γ 把 PPO 的梯度也乘了。它只给预训练加权。", lambda ppo, parts, tokens, gamma: gamma * ppo + _mean(
                         parts, tokens)),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo - gamma * _mean(parts, tokens),
                     "The pretraining gradient is taken off. Both are gradients of losses: they add up.",
                     "减去了预训练的梯度。两个都是损失的梯度：要相加。"),
        _accumulated(lambda ppo, parts, tokens, gamma: (ppo + gamma * _mean(parts, tokens)) / 2,
                     "The two were averaged. They are added up.", "取了两者的平均。应当相加。",
                     lambda ppo, parts, tokens, gamma: (ppo + gamma * _mean(parts, tokens)) / (1 + len(parts)),
                     lambda ppo, parts, tokens, gamma: (ppo + gamma * _mean(parts, tokens)) / (1 + gamma)),
        _accumulated(lambda ppo, parts, tokens, gamma: gamma * _mean(parts, tokens) + 0.0 * ppo,
                     "PPO's gradient is missing.", "没有加上 PPO 的梯度。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * parts[-1],
                     "Only the last part counts, as if `zero_grad` stood inside the loop. Accumulate all parts.",
                     "只算了最后一份，好像 `zero_grad` 写在了循环里。要把各份累积起来。",
                     lambda ppo, parts, tokens, gamma: gamma * parts[-1] + 0.0 * ppo),
        _accumulated(lambda ppo, parts, tokens, gamma: len(parts) * ppo + gamma * parts.sum(0),
                     "PPO's gradient is added once for each part. It comes once.",
                     "每一份都加了一遍 PPO 的梯度。只加一次。",
                     lambda ppo, parts, tokens, gamma: len(parts) * ppo + gamma * _mean(parts, tokens)),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * len(parts) * _mean(parts, tokens),
                     "The mean is multiplied by the number of parts. How the tokens are divided must not matter.",
                     "平均又乘了份数。词元怎么分都应当一样。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma / len(parts) * _mean(parts, tokens),
                     "The mean over all tokens is divided by the number of parts once more.",
                     "所有词元的平均又除了一次份数。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + 27.8 * _mean(parts, tokens),
                     "27.8 is written into it. Use `gamma`.", "里面写死了 27.8。要用 `gamma`。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * parts[0],
                     "Only the first part counts. Accumulate all parts.", "只算了第一份。要把各份累积起来。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * parts[tokens.argmax()],
                     "Only the largest part counts. Accumulate all parts.", "只算了最大的一份。要把各份累积起来。"),
        _accumulated(_halved, "The mean so far and the next part were averaged again and again: the last part "
                     "counts half. "
                     "Weight each by its tokens.",
                     "每次都把已有的平均和下一份再平均：最后一份占了一半。要按词元数加权。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * _mean(parts, torch.where(
                         tokens > 0, 1 / tokens.clamp(min=1), 0.0)),
                     "Short parts count most: the weights are upside down. Multiply by the tokens.",
                     "词元少的份反而重：权重弄反了。要乘词元数。"),
        _accumulated(lambda ppo, parts, tokens, gamma: (ppo + gamma * (tokens[:, None] * parts).sum(0)) / (
                         1 + tokens.sum()),
                     "PPO's gradient was counted as one more token. It keeps its weight of 1.",
                     "PPO 的梯度成了又一个词元。它的权重一直是 1。",
                     lambda ppo, parts, tokens, gamma: (ppo + gamma * (tokens[:, None] * parts).sum(0)) / tokens.sum()),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * _mean(parts, tokens.clamp(min=1)),
                     "A part without a token was counted as one of gradient 0. It counts for nothing.",
                     "没有词元的一份算成了一个梯度为 0 的词元。它什么都不算。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * _mean(parts, tokens) * ppo.norm() / _mean(
                         parts, tokens).norm().clamp(min=1e-9),
                     "The gradients were brought to one length. They are added up as they are.",
                     "把两个梯度缩放到了一样长。应当直接相加。"),
        _accumulated(lambda ppo, parts, tokens, gamma: (1 - gamma) * ppo + gamma * _mean(parts, tokens),
                     "γ is no share: PPO's gradient keeps its weight of 1.", "γ 不是比例：PPO 梯度的权重一直是 1。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * (tokens * parts).sum(0) / tokens.sum(),
                     "`tokens` multiplies the columns. It belongs to the rows: `tokens[:, None]`.",
                     "`tokens` 乘到列上了。它是各行的：`tokens[:, None]`。"),
        _named(lambda ppo, parts, tokens, gamma: ppo + gamma * _mean(parts, tokens),
                "A part without a token has no mean, and 0 · NaN is NaN. Leave such parts out.",
                "没有词元的一份谈不上平均，而 0 · NaN 还是 NaN。要把这样的份去掉。"),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * (parts / tokens[:, None].clamp(min=1)).sum(0),
                     "Each part is divided by its tokens once more. It is a mean already: multiply by its tokens.",
                     "每份又除了一次词元数。它已经是平均：要乘词元数。",
                     lambda ppo, parts, tokens, gamma: ppo + gamma * (parts / tokens[:, None].clamp(min=1))[
                         tokens > 0].mean(0)),
        _accumulated(lambda ppo, parts, tokens, gamma: ppo + gamma * (tokens[:, None] * parts)[tokens > 0].mean(0),
                     "The sum over tokens is divided by the number of parts. Divide by the number of tokens.",
                     "对词元求和之后，除的是份数。要除以词元数。",
                     lambda ppo, parts, tokens, gamma: ppo + gamma * (tokens[:, None] * parts).mean(0)),
        ),
    "5a.8": (
        _average(lambda start, weight, decay: averaged_weights(start, weight, 1 - decay)[0],
                 "`decay` and 1 - `decay` are exchanged: `decay` is what stays of the average.",
                 "`decay` 和 1 - `decay` 弄反了：`decay` 是平均里留下的部分。"),
        _named(lambda start, weight, decay: averaged_weights(start, weight, 1 - decay),
                "`decay` and 1 - `decay` are exchanged: `decay` is what stays of the average.",
                "`decay` 和 1 - `decay` 弄反了：`decay` 是平均里留下的部分。"),
        _average(lambda start, weight, decay: _averaging(start, weight, decay, lambda start, weight: 0.0 * start),
                 "The average begins at 0. It begins at `start`.", "平均从 0 开始了。要从 `start` 开始。"),
        _average(lambda start, weight, decay: _averaging(start, weight, decay, lambda start, weight: weight[0] if len(
                     weight) else start, lambda weight: weight[1:]),
                 "The average begins at the first updated weights. It begins at `start`.",
                 "平均从第一次更新后的权重开始了。要从 `start` 开始。",
                 lambda start, weight, decay: _averaging(start, weight, decay, lambda start, weight: weight[0] if len(
                     weight) else start)),
        _average(lambda start, weight, decay: torch.cat([start[None], weight]).mean(0),
                 "All weights count alike. In this average the newest counts most.",
                 "所有权重一样重。这种平均里，最新的最重。",
                 lambda start, weight, decay: weight.mean(0) if len(weight) else start),
        _average(lambda start, weight, decay: weight[-1] if len(weight) else start,
                 "These are the newest weights. Wanted is their average.", "这是最新的权重。要的是平均。"),
        _average(lambda start, weight, decay: decay * start + (1 - decay) * weight[-1] if len(weight) else start,
                 "Only the last update counts. Go through all of them, one after the other.",
                 "只算了最后一次更新。要一次一次地走完。"),
        _average(lambda start, weight, decay: _averaging(start, weight.flip(0), decay, lambda start, weight: start),
                 "The updates are gone through backwards: the first counts most. The newest is to.",
                 "从后往前走了：最早的最重。应当是最新的最重。"),
        _average(lambda start, weight, decay: _averaging(start, weight, decay, lambda start, weight: 0.0 * start)
                 / (1 - decay ** len(weight)) if len(weight) and decay < 1 else start,
                 "This is Adam's average: from 0, and corrected for it. Here it begins at `start`, and needs no "
                 "correction.",
                 "这是 Adam 的平均：从 0 开始，再修正。这里从 `start` 开始，不用修正。"),
        _average(lambda start, weight, decay: decay ** len(weight) * start + (1 - decay) * weight.sum(0),
                 "What came in early no longer fades. At each update the whole average is multiplied by `decay`.",
                 "早先进来的不再衰减了。每次更新，整个平均都要乘 `decay`。"),
        _average(lambda start, weight, decay: _running_sum(start, weight, decay),
                 "The new weights come in whole. They come in with 1 - `decay`.",
                 "新权重整个加进来了。要乘 1 - `decay`。"),
        _average(lambda start, weight, decay: _averaging(start, weight, decay, lambda start, weight: start,
                                                         lambda weight: weight[:-1]),
                 "The last update is missing.", "少了最后一次更新。"),
        _average(_decayed_twice, "`decay` multiplies the new weights, too. Only the old average is multiplied by it.",
                 "`decay` 把新权重也乘了。只有旧的平均要乘它。"),
        _average(_warmed_up, "The decay begins low and grows, as in some libraries. Here it is the same at each "
                 "update.",
                 "衰减率从小慢慢变大，有的库是这样。这里每次更新都一样。"),
        _named(lambda start, weight, decay: averaged_weights(start, weight, 0.992),
                "0.992 is written into it. Use `decay`.", "里面写死了 0.992。要用 `decay`。",
                lambda start, weight, decay: (averaged_weights(start, weight, 0.992)[0], decay ** len(weight))),
        _left(lambda decay, n: 100 * decay ** n, "`left` is in percent. Wanted is a share, from 0 to 1.",
              "`left` 用了百分数。要的是 0 到 1 的比例。"),
        _left(lambda decay, n: math.log(0.5) / math.log(decay) if 0 < decay < 1 else 0.0,
              "`left` is the number of updates that halve it. Wanted is the share that is left after these updates.",
              "`left` 成了减半要几次更新。要的是这些更新之后还剩的比例。"),
        _named(lambda start, weight, decay: (averaged_weights(start, weight, decay)[0],
                                              decay ** len(weight) * start.sum().item()),
                "`left` was multiplied by the start. Wanted is the share, whatever the start is.",
                "`left` 乘了起点。要的是比例，和起点是多少无关。",
                lambda start, weight, decay: (averaged_weights(start, weight, decay)[0], decay ** len(weight) * start)),
        _left(lambda decay, n: 1 - decay ** n,
              "`left` is what came in. Wanted is what is left of `start`.",
              "`left` 是进来的部分。要的是 `start` 还剩的部分。"),
        _left(lambda decay, n: decay * n, "`left` is decay · n. Each update multiplies by it: a power.",
              "`left` 是 decay · n。每次更新都乘一次：是幂。"),
        _left(lambda decay, n: (1 - decay) ** n, "`left` is a power of 1 - `decay`. What stays each time is `decay`.",
              "`left` 是 1 - `decay` 的幂。每次留下的是 `decay`。"),
        _left(lambda decay, n: decay, "`left` is that of a single update. There are as many as rows.",
              "`left` 只算了一次更新。有几行就有几次。"),
        _left(lambda decay, n: decay ** (n + 1), "`left` counts one update too many.", "`left` 多算了一次更新。"),
        _left(lambda decay, n: decay ** (n - 1) if n else 1.0, "`left` counts one update too few.",
              "`left` 少算了一次更新。"),
        _left(lambda decay, n: max(1 - (1 - decay) * n, 0.0),
              "`left` falls in a straight line. Each update takes a share of what is still there: a power.",
              "`left` 是直线下降的。每次更新拿走的是还剩的一部分：是幂。",
              lambda decay, n: 1 - (1 - decay) * n),
        _named(lambda start, weight, decay: averaged_weights(start, weight, decay)[::-1],
                "The two results are exchanged: first the average, then what is left.",
                "两个结果的次序反了：先是平均，再是还剩的部分。"),
        ),
}
