"""What people write instead in lesson 05c, and what to tell them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from rlhf_kit.classroom.exercises.answers import Mistake
from rlhf_kit.classroom.exercises.right_05c import (
    UNSURE,
    a2c_loss,
    area,
    distractors,
    preference_losses,
    rerank,
    rule_targets,
    total_reward,
)


def _named(wrong: Callable, en: str, zh: str, *also: Callable) -> Mistake:
    """A wrong answer with its sentence, and other ways to write it."""
    return Mistake(wrong, en, zh, tuple(also))


# 5c.1

def _labelled(known: Callable[[Tensor], Tensor], target: Callable[[Tensor], Tensor]) -> Callable:
    def wrong(level: Tensor) -> tuple[Tensor, Tensor]:
        rows = known(level).nonzero()[:, 0]
        return rows, target(level[rows])
    return wrong


def _sure(level: Tensor) -> Tensor:
    return level != UNSURE


def _all(level: Tensor) -> Tensor:
    return level > 0


def _reordered(level: Tensor) -> tuple[Tensor, Tensor]:
    rows, target = rule_targets(level)
    order = target.argsort(descending=True, stable=True)
    return rows[order], target[order]


# 5c.2

def _counted(win: Callable[[Tensor, Tensor], Tensor], pairs: Callable[[Tensor, Tensor], float] | None = None
             ) -> Callable:
    """The sum of `win(broken, followed)` over pairs, divided by their number or by another one."""
    def wrong(score: Tensor, broken: Tensor) -> float:
        yes, no = score[broken == 1].double(), score[broken == 0].double()
        n = len(yes) * len(no) if pairs is None else pairs(yes, no)
        return (win(yes[:, None], no[None]).double().sum() / n).item()
    return wrong


def _half_ties(yes: Tensor, no: Tensor) -> Tensor:
    return (yes > no).double() + 0.5 * (yes == no).double()


def _accuracy(threshold: Callable[[Tensor], float]) -> Callable:
    return lambda score, broken: ((score > threshold(score)) == (broken == 1)).double().mean().item()


def _gap(score: Tensor, broken: Tensor) -> float:
    return (score[broken == 1].mean() - score[broken == 0].mean()).item()


def _best_accuracy(score: Tensor, broken: Tensor) -> float:
    return max(((score >= t) == (broken == 1)).double().mean().item() for t in score)


def _ties_as_they_come(score: Tensor, broken: Tensor) -> float:
    """The curve, drawn answer by answer."""
    hit = broken[score.argsort(descending=True, stable=True)].double()
    return ((hit.cumsum(0) * (1 - hit)).sum() / (hit.sum() * (1 - hit).sum())).item()


def _ranks(score: Tensor, broken: Tensor) -> float:
    rank, n = score.argsort(stable=True).argsort().double() + 1, int(broken.sum())
    return ((rank[broken == 1].sum() - n * (n + 1) / 2) / (n * (len(score) - n))).item()


def _nearly(relative: float, absolute: float) -> Callable:
    def wrong(score: Tensor, broken: Tensor) -> float:
        yes, no = torch.broadcast_tensors(score[broken == 1].double()[:, None], score[broken == 0].double()[None])
        return torch.where(torch.isclose(yes, no, relative, absolute), 0.5, (yes > no).double()).mean().item()
    return wrong


def _without_ties(score: Tensor, broken: Tensor) -> float:
    yes, no = score[broken == 1][:, None], score[broken == 0]
    return (yes > no).sum().item() / max((yes != no).sum().item(), 1)


def _at_places(score: Tensor, broken: Tensor) -> float:
    yes, no = score[broken].double(), score[1 - broken].double()
    return _half_ties(yes[:, None], no[None]).mean().item()


def _precision(score: Tensor, broken: Tensor) -> float:
    hit = broken[score.argsort(descending=True, stable=True)].double()
    return ((hit.cumsum(0) / torch.arange(1, len(hit) + 1) * hit).sum() / hit.sum()).item()


def _thresholds(places: Callable[[Tensor], list[float]]) -> Callable:
    """Trapezoids under the points of some thresholds."""
    def wrong(score: Tensor, broken: Tensor) -> float:
        points = [tuple((score[broken == x] >= t).double().mean().item() for x in (0, 1)) for t in places(score)]
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise([(0.0, 0.0), *points, (1.0, 1.0)]))
    return wrong


def _everybody(score: Tensor, broken: Tensor) -> float:
    return _half_ties(score.double()[:, None], score.double()[None])[broken == 1].mean().item()


# 5c.3

def _picked(own: bool = False, candidates: bool = False, twice: bool = False, dropped: bool = False,
            each: bool = False, only_own: bool = False, more: int = 0, window: bool = False,
            backward: bool = False) -> Callable:
    """Distractors by other rules: what is allowed that is not, and what is remembered that is not to be."""
    def wrong(dialogue: int, seen: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
        taken, met, found = set() if candidates else set(seen), set(), []
        places = range(len(reply))[:n] if window else range(len(reply))
        for place in reversed(places) if backward else places:
            where, text = other[place], reply[place]
            fits = (own or (where == dialogue) == only_own) and text not in taken and not (each and where in met)
            if fits and len(found) < n + more:
                found.append(place)
                met.add(where)
                if not twice:
                    taken.add(text)
            elif dropped:
                taken.add(text)
        return torch.tensor(found, dtype=torch.long)
    return wrong


def _one_each(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    seen, found = {dialogue}, []
    for place, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(found) < n and where not in seen and text not in candidates:
            seen.add(where)
            found.append(place)
    return torch.tensor(found, dtype=torch.long)


def _broken_off(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    """`break` at the first that will not do."""
    taken, found = set(candidates), []
    for place, (where, text) in enumerate(zip(other, reply, strict=True)):
        if where == dialogue or text in taken or len(found) == n:
            break
        taken.add(text)
        found.append(place)
    return torch.tensor(found, dtype=torch.long)


def _of_text(choose: Callable[[list[int], list[int]], list[int]]) -> Callable:
    """Places found by the texts, once the right ones are known, all or as many as are wanted."""
    def wrong(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
        found = distractors(dialogue, candidates, other, reply, len(reply)).tolist()
        return torch.tensor(choose(found, reply)[:n], dtype=torch.long)
    return wrong


def _not_the_last(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    last, found = None, []
    for place, (where, text) in enumerate(zip(other, reply, strict=True)):
        if len(found) < n and where != dialogue and text not in candidates and text != last:
            last = text
            found.append(place)
    return torch.tensor(found, dtype=torch.long)


def _texts(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    return torch.tensor([reply[i] for i in distractors(dialogue, candidates, other, reply, n)], dtype=torch.long)


def _filled(dialogue: int, candidates: list[int], other: list[int], reply: list[int], n: int) -> Tensor:
    found = distractors(dialogue, candidates, other, reply, n).tolist()
    return torch.tensor(found + [-1] * (n - len(found)), dtype=torch.long)


# 5c.4

def _losses(choice: Callable | None = None, pairs: Callable | None = None, centring: Callable | None = None
            ) -> Callable:
    """One of the three otherwise: each is handed (score with 0 in the padding, chosen, mask)."""
    def wrong(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        right, clean = preference_losses(score, chosen, mask), score.masked_fill(~mask, 0.0)
        return tuple(right[i] if each is None else each(clean, chosen, mask)
                     for i, each in enumerate((choice, pairs, centring)))
    return wrong


def _own(score: Tensor, chosen: Tensor) -> Tensor:
    return score.gather(1, chosen[:, None])                                              # [B, 1]


def _others(chosen: Tensor, mask: Tensor) -> Tensor:
    return mask & (torch.arange(mask.shape[1]) != chosen[:, None])                       # [B, M]


def _logprob(score: Tensor, mask: Tensor) -> Tensor:
    return score.masked_fill(~mask, -torch.inf).log_softmax(-1)


def _surprise(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    return -_own(_logprob(score, mask), chosen)[:, 0]                                    # [B]


def _against(cost: Callable[[Tensor, Tensor], Tensor], over: Callable[[Tensor], Tensor | int],
             among: Callable[[Tensor, Tensor], Tensor] = _others) -> Callable:
    """The sum of `cost(own, other)` over others, divided by `over(mask)`, mean over turns."""
    def pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
        each = cost(_own(score, chosen), score)
        return (each.masked_fill(~among(chosen, mask), 0.0).sum(-1) / over(mask)).mean()
    return pairs


def _lost(own: Tensor, other: Tensor) -> Tensor:
    return softplus(other - own)


def _count(mask: Tensor) -> Tensor:
    return mask.sum(-1)


def _less_one(mask: Tensor) -> Tensor:
    return mask.sum(-1) - 1


def _pooled_pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    return _lost(_own(score, chosen), score)[_others(chosen, mask)].mean()


def _all_pairs(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    """The order in which they stand taken for a ranking."""
    order = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool).triu(1)
    there = mask[:, :, None] & mask[:, None] & order
    each = softplus(score[:, None] - score[:, :, None]).masked_fill(~there, 0.0)
    return (each.sum((1, 2)) / there.sum((1, 2))).mean()


def _hardest(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    rival = score.masked_fill(~_others(chosen, mask), -torch.inf).amax(-1)
    return _lost(_own(score, chosen)[:, 0], rival).mean()


def _to_mean(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    others = _others(chosen, mask)
    return _lost(_own(score, chosen)[:, 0], score.masked_fill(~others, 0.0).sum(-1) / others.sum(-1)).mean()


def _no_other_of_that_score(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    others = mask & (score != _own(score, chosen))
    lost = _lost(_own(score, chosen), score).masked_fill(~others, 0.0)
    return (lost.sum(-1) / others.sum(-1).clamp(min=1)).mean()


def _varying(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    away = (score - (score.sum(-1) / _count(mask))[:, None]).masked_fill(~mask, 0.0)
    return (away.square().sum(-1) / _count(mask)).mean()


def _without_own(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    others = _others(chosen, mask)
    return (score.masked_fill(~others, 0.0).sum(-1) / others.sum(-1)).square().mean()


def _first_chosen(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    return preference_losses(score, torch.zeros_like(chosen), mask)


def _raw(score: Tensor, chosen: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Right, but the padding is taken out by multiplying."""
    at = torch.arange(len(score))
    clean = score * mask
    return (-(clean - 1e9 * (~mask)).log_softmax(-1)[at, chosen].mean(),
            ((softplus(clean - clean[at, chosen][:, None]) * _others(chosen, mask)).sum(-1) / _less_one(mask)).mean(),
            (clean.sum(-1) / _count(mask)).square().mean())


def _total(score: Tensor, chosen: Tensor, mask: Tensor) -> Tensor:
    choice, pairs, centring = preference_losses(score, chosen, mask)
    return choice + pairs + 0.1 * centring


# 5c.5

def _paid(liked: Callable[[Tensor, bool], Tensor] | None = None, rules: Callable[[Tensor, bool], Tensor] | None = None,
          penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
          cost: Callable[[float, int, bool, bool], float] | None = None) -> Callable:
    """Paid otherwise, in one of the parts; `cost(spread, R, normalise, average)`."""
    def wrong(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool) -> tuple[Tensor, float]:
        right = total_reward(preference, kept, valid, normalise, average)
        usual = (preference - preference.mean()) / preference.std() if normalise else preference
        one = usual if liked is None else liked(preference, normalise)
        two = (kept.mean(-1) if average else kept.sum(-1)) if rules is None else rules(kept, average)
        total = one + two
        total = total - 2 * (~valid) if penalty is None else penalty(total, valid)
        return total, right[1] if cost is None else cost(preference.std().item(), kept.shape[1], normalise, average)
    return wrong


def _cost(cost: Callable[[float, int, bool, bool], float], en: str, zh: str, *also: Callable) -> Mistake:
    return _named(_paid(cost=cost), en, zh, *(_paid(cost=one) for one in also))


def _whole_normalised(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
                      ) -> tuple[Tensor, float]:
    total = preference + (kept.mean(-1) if average else kept.sum(-1))
    total = (total - total.mean()) / total.std() if normalise else total
    return total - 2 * (~valid), total_reward(preference, kept, valid, normalise, average)[1]


def _of_valid(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool) -> tuple[Tensor, float]:
    some = preference[valid] if int(valid.sum()) > 1 else preference
    liked = (preference - some.mean()) / some.std() if normalise else preference
    total = liked + (kept.mean(-1) if average else kept.sum(-1)) - 2 * (~valid)
    spread = some.std().item() if normalise else 1.0
    return total, spread / (kept.shape[1] if average else 1)


def _punished_first(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
                    ) -> tuple[Tensor, float]:
    return total_reward(preference - 2.0 * ~valid, kept, torch.ones_like(valid), normalise, average)


def _exchanged(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
               ) -> tuple[Tensor, float]:
    return total_reward(preference, kept, valid, average, normalise)


def _one_mean(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool) -> tuple[Tensor, float]:
    reward, cost = total_reward(preference, kept, valid, normalise, False)
    return (reward / (kept.shape[1] + 1) if average else reward), cost


def _population(preference: Tensor, kept: Tensor, valid: Tensor, normalise: bool, average: bool
                ) -> tuple[Tensor, float]:
    spread = preference.std(unbiased=False)
    total = _paid(liked=lambda x, on: (x - x.mean()) / spread if on else x)(preference, kept, valid, normalise, average)
    return total[0], (spread.item() if normalise else 1.0) / (kept.shape[1] if average else 1)


# 5c.6

def _learned(policy: Callable | None = None, critic: Callable | None = None, drift: Callable | None = None,
             mix: Callable | None = None, over: Callable[[Tensor, Tensor], Tensor] | None = None) -> Callable:
    """The loss with one part written otherwise. Parts are handed tables with 0 in the padding, and give one [B, T]."""
    def wrong(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
              alpha: float) -> Tensor:
        clean = [x.masked_fill(~mask[..., None], 0.0).log_softmax(-1) for x in (logits, teacher)]
        value = value.masked_fill(~mask, 0.0)
        above = reward[:, None] - value
        taken = clean[0].gather(-1, token[..., None])[..., 0]
        here = {"now": clean[0], "then": clean[1], "token": token, "value": value, "reward": reward, "above": above,
                "taken": taken, "mask": mask}
        parts = [(_policy if policy is None else policy)(here), (_critic if critic is None else critic)(here),
                 (_drift if drift is None else drift)(here)]
        each = [_tokens_mean(part, mask) if over is None else over(part, mask) for part in parts]
        return (_mixed if mix is None else mix)(*each, alpha)
    return wrong


def _tokens_mean(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].mean()


def _policy(here: dict[str, Tensor]) -> Tensor:
    return -here["above"].detach() * here["taken"]


def _critic(here: dict[str, Tensor]) -> Tensor:
    return 0.5 * here["above"].square()


def _drift(here: dict[str, Tensor]) -> Tensor:
    return (here["now"].exp() * (here["now"] - here["then"])).sum(-1)


def _mixed(policy: Tensor, critic: Tensor, drift: Tensor, alpha: float) -> Tensor:
    return (1 - alpha) * (policy + critic) + alpha * drift


def _sampled_drift(here: dict[str, Tensor]) -> Tensor:
    return here["taken"] - here["then"].gather(-1, here["token"][..., None])[..., 0]


def _at_the_end(here: dict[str, Tensor]) -> Tensor:
    """Only the last real token has an advantage."""
    mask = here["mask"]
    last = mask & (mask.long().cumsum(-1) == mask.sum(-1, keepdim=True))
    return -(here["above"].detach() * last) * here["taken"]


def _whitened(here: dict[str, Tensor]) -> Tensor:
    some = here["above"][here["mask"]].detach()
    spread = some.std() if len(some) > 1 else torch.ones(())
    return -(here["above"].detach() - some.mean()) / (spread + 1e-8) * here["taken"]


def _whitened_by_n(here: dict[str, Tensor]) -> Tensor:
    some = here["above"][here["mask"]].detach()
    return -(here["above"].detach() - some.mean()) / (some.std(correction=0) + 1e-8) * here["taken"]


def _centred(here: dict[str, Tensor]) -> Tensor:
    return -(here["reward"] - here["reward"].mean())[:, None] * here["taken"]


def _other_reward(worth: Callable[[dict[str, Tensor]], Tensor]) -> Callable:
    """R at each token by `worth`, [B, T], for both parts."""
    def above(here: dict[str, Tensor]) -> Tensor:
        return worth(here) - here["value"]
    return _learned(policy=lambda here: -above(here).detach() * here["taken"],
                    critic=lambda here: 0.5 * above(here).square())


def _ahead(mask: Tensor) -> Tensor:
    return (mask.sum(-1, keepdim=True) - 1 - torch.arange(mask.shape[1])).clamp(min=0)


def _across(here: dict[str, Tensor]) -> Tensor:
    return here["reward"].repeat(here["mask"].shape[1]).reshape(here["mask"].shape)


def _one_place_on(logits: Tensor, teacher: Tensor, *others: object) -> Tensor:
    return a2c_loss(logits.roll(1, 1), teacher.roll(1, 1), *others)


def _means_multiplied(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
                      alpha: float) -> Tensor:
    above = (reward[:, None] - value)[mask].detach()
    taken = logits[mask].log_softmax(-1).gather(-1, token[mask][:, None])[:, 0]
    right = a2c_loss(logits, teacher, token, value, reward, mask, alpha)
    return right + (1 - alpha) * ((above * taken).mean() - above.mean() * taken.mean())


def _unnormalised(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
                  alpha: float) -> Tensor:
    above, raw = (reward[:, None] - value)[mask].detach(), logits[mask]
    taken = (raw - raw.log_softmax(-1)).gather(-1, token[mask][:, None])[:, 0]
    return a2c_loss(logits, teacher, token, value, reward, mask, alpha) - (1 - alpha) * (above * taken).mean()


def _first_tokens(*arguments: object) -> Tensor:
    mask = torch.zeros_like(arguments[5])
    mask[:, 0] = True
    return a2c_loss(*arguments[:5], mask, arguments[6])


def _by_rows(x: Tensor, mask: Tensor) -> Tensor:
    return (x.masked_fill(~mask, 0.0).sum(-1) / mask.sum(-1)).mean()


def _summed(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].sum()


def _everywhere(x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask, 0.0).mean()


def _over_batch(x: Tensor, mask: Tensor) -> Tensor:
    return x[mask].sum() / len(x)


def _times_mask(logits: Tensor, teacher: Tensor, token: Tensor, value: Tensor, reward: Tensor, mask: Tensor,
                alpha: float) -> Tensor:
    now, then = logits.log_softmax(-1), teacher.log_softmax(-1)
    taken, above = now.gather(-1, token[..., None])[..., 0], reward[:, None] - value
    each = (1 - alpha) * (-above.detach() * taken + 0.5 * above ** 2) + alpha * (now.exp() * (now - then)).sum(-1)
    return (each * mask).sum() / mask.sum()


# 5c.7

def _ranked(liked: Callable[[Tensor], Tensor] | None = None, rules: Callable[[Tensor], Tensor] | None = None,
            both: Callable[[Tensor, Tensor], Tensor] | None = None) -> Callable:
    def wrong(preference: Tensor, kept: Tensor) -> tuple[int, Tensor]:
        one = torch.sigmoid(preference - preference.mean()) if liked is None else liked(preference)
        two = kept.prod(-1) ** (1 / kept.shape[1]) if rules is None else rules(kept)
        score = one * two if both is None else both(one, two)
        return int(score.argmax()), score
    return wrong


def _best(place: Callable[[Tensor, Tensor, Tensor], int]) -> Callable:
    def wrong(preference: Tensor, kept: Tensor) -> tuple[int, Tensor]:
        score = rerank(preference, kept)[1]
        return place(preference, kept, score), score
    return wrong


def _latest(preference: Tensor, kept: Tensor, score: Tensor) -> int:
    return len(score) - 1 - score.flip(0).tolist().index(score.max().item())


def _others_mean(preference: Tensor) -> Tensor:
    n = len(preference)
    rest = (preference.sum() - preference) / (n - 1) if n > 1 else preference
    return torch.sigmoid(preference - rest)


MISTAKES: dict[str, tuple[Mistake, ...]] = {
    "5c.1": (
        _named(_labelled(_all, lambda level: (level < 3).long()),
               "Level 3, unsure, was taken for a followed rule. Nobody was sure: leave it out.",
               "3 级“说不准”当成了守规则。谁也说不准：要去掉。"),
        _named(_labelled(_all, lambda level: (level <= 3).long()),
               "Level 3, unsure, was taken for a broken rule. Nobody was sure: leave it out.",
               "3 级“说不准”当成了违规。谁也说不准：要去掉。"),
        _named(_labelled(_all, lambda level: torch.where(level == 3, -1, (level < 3).long())),
               "The unsure ones are marked, but still there. Leave them out of both results.",
               "说不准的做了记号，可是还在。两个结果里都要去掉。",
               _labelled(_all, lambda level: torch.where(level == 3, -100, (level < 3).long())),
               _labelled(_all, lambda level: torch.where(level == 3, 2, (level < 3).long()))),
        _named(_labelled(_sure, lambda level: (level > 3).long()),
               "The labels are upside down: 1 is for a *broken* rule, levels 1 and 2.",
               "标签反了：1 是*违规*，即 1 级和 2 级。"),
        _named(_labelled(lambda level: (level == 1) | (level == 5), lambda level: (level < 3).long()),
               "Only the definite levels are left. \"Probably\" counts as well: leave out 3 alone.",
               "只留下了“肯定”的两级。“大概”也算数：去掉的只有 3 级。"),
        _named(_labelled(_sure, lambda level: (level == 1).long()),
               "Only \"definitely broken\" counts as broken. \"Probably broken\", 2, does too.",
               "只有“肯定违规”算违规。2 级“大概违规”也算。"),
        _named(lambda level: (rule_targets(level)[0], (level < 3).long()),
               "`target` has a number for every label. It goes with `rows`: one for each place there.",
               "`target` 给每个标签都留了一个数。它和 `rows` 对应：那里有几个位置，就有几个数。"),
        _named(lambda level: (rule_targets(level)[0] + 1, rule_targets(level)[1]),
               "The places are counted from 1. They are used as indices: count from 0.",
               "位置从 1 数起了。它们要当下标用：从 0 数起。"),
        _named(lambda level: rule_targets(level)[::-1],
               "The two results are exchanged: first the places, then the targets.",
               "两个结果的次序反了：先是位置，再是目标。"),
        _named(_labelled(_sure, lambda level: level),
               "`target` holds the levels themselves. It is 1 for 1 and 2, 0 for 4 and 5.",
               "`target` 里还是级别。1、2 级是 1，4、5 级是 0。"),
        _named(lambda level: (level != UNSURE, rule_targets(level)[1]),
               "`rows` is a mask, True or False for every label. Wanted are the places where it is True: "
               "`.nonzero()[:, 0]`.",
               "`rows` 是掩码，每个标签一个 True 或 False。要的是 True 的位置：`.nonzero()[:, 0]`。"),
        _named(lambda level: (level[level != UNSURE], rule_targets(level)[1]),
               "`rows` holds the levels. Wanted are their places.", "`rows` 里是级别。要的是它们的位置。"),
        _named(_reordered, "The broken ones come first. Keep the order of the labels.",
               "违规的排到了前面。要保持标签原来的次序。"),
        _named(_labelled(_sure, lambda level: 2 * (level < 3).long() - 1),
               "A followed rule is -1 here. It is 0.", "守规则的成了 -1。应当是 0。"),
        _named(_labelled(_sure, torch.ones_like), "`target` is 1 everywhere: a second line changes what the first has "
               "written. Compare once, with the levels as they came.",
               "`target` 全是 1：后一行又改了前一行写的。只拿原来的级别比一次。"),
        _named(_labelled(_sure, lambda level: (5 - level) / 4),
               "`target` is graded. A rule counts as broken, 1, or as followed, 0.",
               "`target` 有深浅。规则要么算违规（1），要么算守了（0）。"),
        _named(lambda level: (lambda rows: (rows, (level[rows] < UNSURE).long()))(
                   (level != UNSURE).nonzero().squeeze()),
               "Where a single label is left, .squeeze() takes away its axis, too. Take `[:, 0]`.",
               "只剩一个标签时，.squeeze() 把它那一维也去掉了。用 `[:, 0]`。"),
        _named(lambda level: (lambda rows: (rows, (level[rows] < UNSURE).long()))((level != UNSURE).nonzero()),
               "`.nonzero()` gives a column, [M, 1]. Take `[:, 0]`.", "`.nonzero()` 给出一列，[M, 1]。取 `[:, 0]`。"),
        ),
    "5c.2": (
        _named(_counted(lambda yes, no: yes >= no),
               "A tie counts as a whole win. It counts half.", "打平算成了全赢。应当算一半。"),
        _named(_counted(lambda yes, no: yes > no), "A tie counts for nothing. It counts half.",
               "打平什么都没算。应当算一半。"),
        _named(_counted(lambda yes, no: (yes > no).double() + 0.5 * (yes == no), lambda yes, no: len(yes) + len(no)),
               "The wins are divided by the number of answers. Divide by the number of pairs.",
               "赢的次数除以了回答数。要除以对数。"),
        _named(_counted(_half_ties, lambda yes, no: (len(yes) + len(no)) * (len(yes) + len(no) - 1) / 2),
               "Divided by all pairs of answers. Only a broken one with a followed one makes a pair.",
               "除以了所有回答两两的对数。一个违规、一个守规则，才成一对。",
               _counted(_half_ties, lambda yes, no: (len(yes) + len(no)) ** 2)),
        _named(_counted(lambda yes, no: _half_ties(no, yes)),
               "The pairs are the wrong way round: the *broken* one is to have the higher score.",
               "各对比反了：应当是*违规*的那条得分更高。"),
        _named(lambda score, broken: 2 * area(score, broken) - 1,
               "Wins minus losses, from -1 to 1. Wanted is the share of wins, from 0 to 1.",
               "赢减输，在 -1 到 1 之间。要的是赢的比例，在 0 到 1 之间。"),
        _named(_accuracy(lambda score: 0.5),
               "This is accuracy at one threshold. The area has none: it compares pairs.",
               "这是一个阈值上的准确率。曲线下面积没有阈值：比的是各对。", _accuracy(lambda score: 0.0),
               _accuracy(lambda score: score.mean().item()), _accuracy(lambda score: score.median().item()),
               _best_accuracy),
        _named(_ties_as_they_come, "Ties are taken in the order in which they stand. Each counts half.",
               "打平的按排列次序算了。每一对打平算一半。", _ranks),
        _named(_without_ties, "Ties are left out of the pairs. They are pairs, and count half.",
               "打平的对没有算进去。它们也是对，算一半。"),
        _named(lambda score, broken: torch.sigmoid(score[broken == 1].double()[:, None] - score[broken == 0].double()
                                                   ).mean().item(),
               "How far the scores lie apart does not matter. A pair is 1, ½ or 0.",
               "分差多大没有关系。一对是 1、½ 或 0。"),
        _named(_counted(_half_ties, lambda yes, no: 1), "That is how many pairs. Wanted is their share.",
               "这是有多少对。要的是比例。"),
        _named(_at_places, "0 and 1 are taken for places: `score[broken]` picks the first two scores again and again. "
               "Compare first: `score[broken == 1]`.",
               "0 和 1 被当成了下标：`score[broken]` 反复取最前面两个得分。先比较：`score[broken == 1]`。"),
        _named(_precision, "This is average precision, the area under another curve. Compare pairs.",
               "这是平均精度，另一条曲线下的面积。要比各对。"),
        _named(_everybody, "Broken ones are compared with broken ones, too. The other of a pair was followed.",
               "违规的和违规的也比了。一对里另一条要是守规则的。"),
        _named(_thresholds(lambda score: [t / 100 for t in range(100, -1, -1)]),
               "The thresholds go from 0 to 1 in steps. Scores may lie anywhere, and close together: compare pairs.",
               "阈值只从 0 到 1 一格一格地走。得分可能在任何地方，也可能挨得很近：要比各对。",
               _thresholds(lambda score: [t / 10 for t in range(10, -1, -1)])),
        _named(lambda score, broken: _half_ties(score.sigmoid()[broken == 1].double()[:, None],
                                                score.sigmoid()[broken == 0].double()).mean().item(),
               "σ rounds large scores to 1, which makes ties. Compare the scores as they are.",
               "σ 把很大的得分舍入成 1，变成了打平。直接比较得分。"),
        _named(lambda score, broken: max(area(score, broken), 1 - area(score, broken)),
               "It never falls below one half. Whoever tells them apart the wrong way round gets less.",
               "结果从不低于一半。分反了的，得分就该低于一半。"),
        _named(_nearly(1e-5, 1e-8), "Scores that hardly differ are taken for ties. A tie is where they are equal.",
               "得分几乎相同就算了打平。完全相等才是打平。", _nearly(0.0, 1e-6), _nearly(0.0, 1e-4), _nearly(0.0, 1e-3),
               _nearly(0.0, 1e-2)),
        _named(_gap, "This is how far the mean scores lie apart. Count the pairs in which the broken one is higher.",
               "这是平均得分之差。要数的是有多少对里违规的那条更高。"),
        _named(lambda score, broken: 100 * area(score, broken), "In percent. Wanted is a share, from 0 to 1.",
               "用了百分数。要的是 0 到 1 的比例。"),
        _named(lambda score, broken: _half_ties(*(score[broken == x].sort().values[:int(min(
                   broken.sum(), (1 - broken).sum()))] for x in (1, 0))).mean().item(),
               "Each answer is compared with one other. Every broken one meets every followed one.",
               "每条只和另一条比了。每条违规的要和每条守规则的都比一次。",
               lambda score, broken: _half_ties(*(score[broken == x][:int(min(
                   broken.sum(), (1 - broken).sum()))] for x in (1, 0))).mean().item()),
        ),
    "5c.3": (
        _named(_picked(own=True), "A reply of the same dialogue was taken. It may fit: take others' only.",
               "取了同一段对话里的回答。它可能并不跑题：只取别的对话的。"),
        _named(_picked(candidates=True), "A reply that a candidate says, too, was taken. The rater saw that one.",
               "取了和某个候选相同的回答。那一条评审是看过的。"),
        _named(_picked(twice=True), "The same text was taken twice. Each text is taken once.",
               "同一句话取了两次。每句话只取一次。"),
        _named(_picked(candidates=True, twice=True),
               "Neither what candidates say nor what was taken before is left out.",
               "候选说过的和已经取过的，都没有去掉。"),
        _named(_picked(dropped=True),
               "A text is refused because a reply that was *left out* said it. Only what was taken counts.",
               "一句话被拒绝，是因为*没有取*的一条也这么说。只有取了的才算。"),
        _named(_picked(each=True), "Only one reply of each other dialogue was taken. There may be several.",
               "每段别的对话只取了一条。可以取几条。", _one_each),
        _named(_not_the_last, "A text is compared with the one taken last only. Remember all that were taken.",
               "一句话只和上一次取的比了。取过的都要记住。"),
        _named(_broken_off, "It stops at the first that will not do. Pass it over and go on.",
               "遇到第一条不合适的就停了。应当跳过它，继续看。"),
        _named(lambda *a: distractors(*a[:4], max(a[4], 1)),
               "n is looked at only after one was taken: for n = 0 nothing is.",
               "取了一条之后才看 n：n 是 0 时什么也不取。"),
        _named(_of_text(lambda found, reply: [reply.index(reply[i]) for i in found]),
               "`index` finds where a text stands first, and that reply may be one that was left out. Use enumerate.",
               "`index` 找到的是这句话第一次出现的位置，而那一条可能是跳过的。用 enumerate。"),
        _named(_of_text(lambda found, reply: sorted(found, key=lambda i: reply[i])),
               "They are sorted by their texts. Take them in the order in which they were drawn.",
               "按文本编号排了序。要按抽出的次序取。"),
        _named(_picked(only_own=True), "The condition is the wrong way round: these are of the *same* dialogue.",
               "条件反了：取的都是*同一段*对话的。"),
        _named(_picked(window=True), "Only the first n were looked at. Go on until n are taken.",
               "只看了最前面的 n 条。要一直看到取够 n 条为止。"),
        _named(_picked(more=1), "One too many was taken: stop at n.", "多取了一条：取够 n 条就停。"),
        _named(_picked(more=99), "All that would do were taken. Stop at n.", "凡是能取的都取了。取够 n 条就停。"),
        _named(_picked(backward=True), "They were looked at from the end. Go in the order in which they were drawn.",
               "从后往前看了。要按抽出的次序。",
               lambda *a: _picked(more=99)(*a)[max(len(_picked(more=99)(*a)) - a[-1], 0):]),
        _named(_texts, "These are the replies themselves. Wanted are their places in `reply`.",
               "返回的是回答本身。要的是它们在 `reply` 里的位置。"),
        _named(_filled, "Filled up with -1. Where there are fewer than n, the result is shorter.",
               "用 -1 补齐了。不够 n 条时，结果就短一些。"),
        _named(lambda *a: distractors(*a) + 1, "The places are counted from 1. Count from 0.",
               "位置从 1 数起了。要从 0 数起。"),
        ),
    "5c.4": (
        _named(_losses(pairs=_against(lambda own, other: (1 + other.exp() - own.exp()).log(), _less_one)),
               "`pairs` is log(1 + e^bad - e^good), the slip of the article. It is log(1 + e^(bad - good)).",
               "`pairs` 是 log(1 + e^bad - e^good)，正是文章里的笔误。应当是 log(1 + e^(bad - good))。"),
        _named(_losses(pairs=_against(lambda own, other: (1 + (other - own).exp()).log(), _less_one)),
               "`pairs`: e^1000 is infinite in floating point. `torch.nn.functional.softplus` is the same formula and "
               "stays finite.",
               "`pairs`：e^1000 在浮点数里是无穷大。`torch.nn.functional.softplus` 是同一个公式，不会溢出。",
               _losses(pairs=_against(lambda own, other: -torch.sigmoid(own - other).log(), _less_one))),
        _named(_losses(choice=lambda score, chosen, mask: -_own(_logprob(score, mask).exp(), chosen).log().mean()),
               "`choice`: a probability of e^-1000 is 0 in floating point, and its logarithm infinite. Use "
               "log_softmax, or logsumexp.",
               "`choice`：e^-1000 的概率在浮点数里是 0，对数就是无穷大。用 log_softmax 或 logsumexp。"),
        _named(_losses(pairs=_against(lambda own, other: softplus(own - other), _less_one)),
               "`pairs` has the wrong sign inside: the loss grows with other minus chosen.",
               "`pairs` 里面的符号反了：损失应随“其余减被选”变大。"),
        _named(_losses(pairs=_against(lambda own, other: -torch.sigmoid(own - other), _less_one)),
               "`pairs` lacks the logarithm: -σ instead of -log σ.", "`pairs` 少了对数：成了 -σ，应当是 -log σ。"),
        _named(_losses(pairs=_against(_lost, lambda mask: 1)),
               "`pairs` is a sum over the others. It is their mean, so that many candidates count no more than few.",
               "`pairs` 是对其余候选求和。要取平均，候选多的回合才不会更重。"),
        _named(_losses(pairs=_against(_lost, lambda mask: mask.shape[1] - 1)),
               "`pairs` is divided by the width of the table. A turn has as many others as it has real candidates, "
               "less one.", "`pairs` 除的是表的宽度。一个回合有几条真实的候选，其余的就比它少一条。"),
        _named(_losses(pairs=_against(_lost, _count, lambda chosen, mask: mask)),
               "`pairs` compares the chosen one with itself, too.", "`pairs` 把被选的和它自己也比了。"),
        _named(_losses(pairs=_against(_lost, _count)), "`pairs` is divided by M. There are M - 1 others.",
               "`pairs` 除以了 M。其余的只有 M - 1 条。"),
        _named(_losses(pairs=_pooled_pairs),
               "`pairs` is a mean over all pairs of the batch. First the mean of each turn, then that over turns.",
               "`pairs` 是整批所有对的平均。先在每个回合里平均，再对各回合平均。"),
        _named(_losses(pairs=_all_pairs),
               "`pairs` takes the order in which candidates stand for a ranking. Only the chosen one beats the others.",
               "`pairs` 把候选的排列次序当成了名次。只知道被选的胜过其余的。"),
        _named(_losses(pairs=_no_other_of_that_score),
               "`pairs`: whoever has the chosen one's score is taken for it. Compare places with `chosen`, not scores.",
               "`pairs`：得分和被选的相同，就当成了被选的。要比的是位置和 `chosen`，不是得分。"),
        _named(_first_chosen, "The first candidate is always taken for the chosen one. Use `chosen`.",
               "总把第一条当成被选的。要用 `chosen`。"),
        _named(lambda *a: (lambda f: (f[1], f[0], f[2]))(preference_losses(*a)),
               "`choice` and `pairs` have changed places.", "`choice` 和 `pairs` 换了位置。"),
        _named(_losses(choice=lambda score, chosen, mask: (_surprise(score, chosen, mask) / _count(mask)).mean()),
               "`choice` is divided by M. It is one choice, however many there are to choose from.",
               "`choice` 除以了 M。不管有几条候选，都只是一次选择。"),
        _named(_losses(choice=lambda score, chosen, mask: -score.masked_fill(~mask, -100.0).log_softmax(-1).gather(
                   1, chosen[:, None])[:, 0].mean()),
               "`choice`: the number in the padding is not low enough, real scores go down to -1000. Put -inf there.",
               "`choice`：填充处的数还不够低，真实的得分可低到 -1000。填 -inf。",
               *(_losses(choice=lambda score, chosen, mask, low=low: -score.masked_fill(~mask, low).log_softmax(
                   -1).gather(1, chosen[:, None])[:, 0].mean()) for low in (-10.0, -50.0, -1000.0))),
        _named(_losses(pairs=_hardest), "`pairs` looks at the strongest rival only. It is a mean over all others.",
               "`pairs` 只看了最强的对手。要对其余所有候选取平均。"),
        _named(_losses(pairs=_to_mean),
               "`pairs` compares with the mean of the others. Take the loss of each pair, then the mean.",
               "`pairs` 是和其余候选的平均分比。要先算每一对的损失，再平均。"),
        _named(_losses(choice=lambda score, chosen, mask: -score.log_softmax(-1).gather(
                   1, chosen[:, None])[:, 0].mean()),
               "`choice`: the padding takes part in the softmax. Put -inf there first.",
               "`choice`：填充也进了 softmax。先填上 -inf。"),
        _named(_losses(choice=lambda score, chosen, mask: -_surprise(score, chosen, mask).mean()),
               "`choice` is a log-probability. The loss is minus that.", "`choice` 是对数概率。损失是它的相反数。"),
        _named(_losses(choice=lambda score, chosen, mask: _surprise(score, chosen, mask).sum()),
               "`choice` is a sum over the turns. Wanted is the mean.", "`choice` 是对各回合求和。要取平均。"),
        _named(_losses(choice=lambda score, chosen, mask: -_logprob(score, mask).amax(-1).mean()),
               "`choice` is that of the highest score, whoever was picked. Use `chosen`.",
               "`choice` 算的是得分最高的那条，不管选了谁。要用 `chosen`。"),
        _named(_losses(choice=lambda score, chosen, mask: 1 - _surprise(score, chosen, mask).neg().exp().mean()),
               "`choice` is one minus the probability. It is minus its logarithm.",
               "`choice` 是 1 减概率。应当是负的对数概率。"),
        _named(_losses(choice=lambda score, chosen, mask: -(logsigmoid(_own(score, chosen)[:, 0]) + logsigmoid(
                   -score).masked_fill(~_others(chosen, mask), 0.0).sum(-1)).mean()),
               "`choice` judges each candidate by itself, with σ. It is one choice among all: softmax.",
               "`choice` 用 σ 把每条候选分开判断。这是在全部候选里选一条：用 softmax。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.square().sum(-1) / _count(mask)).mean()),
               "`centring` is the mean of the squares: that also pulls scores together. Square the mean of a turn.",
               "`centring` 是平方的平均：这样还会把得分挤到一起。应当把一个回合的平均分取平方。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum() / mask.sum()).square()),
               "`centring` is the square of the whole batch's mean: turns above and below 0 make up for each other.",
               "`centring` 是整批平均分的平方：在 0 上面和下面的回合互相抵消了。",
               _losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).mean().square())),
        _named(_losses(centring=_varying), "`centring` is the variance of a turn. It is the square of its mean.",
               "`centring` 是一个回合的方差。应当是平均分的平方。"),
        _named(_losses(centring=_without_own), "`centring` leaves out the chosen one. It is the mean over all M.",
               "`centring` 漏了被选的。要对全部 M 条取平均。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).abs().mean()),
               "`centring` is the absolute mean. It is squared.", "`centring` 取的是绝对值。应当取平方。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / _count(mask)).mean()),
               "`centring` is the mean score itself, not squared: it would be lowered without end.",
               "`centring` 是平均分本身，没有平方：这样会没完没了地往下压。"),
        _named(_losses(centring=lambda score, chosen, mask: score.sum(-1).square().mean()),
               "`centring` squares the sum of a turn. Square its mean.",
               "`centring` 把一个回合的总分取了平方。应当是平均分。"),
        _named(_losses(centring=lambda score, chosen, mask: (score.sum(-1) / mask.shape[1]).square().mean()),
               "`centring`: the mean is taken over the padding, too.", "`centring`：平均时把填充也算进去了。",
               _losses(centring=lambda score, chosen, mask: score.mean().square())),
        _named(_losses(centring=lambda score, chosen, mask: _own(score, chosen).square().mean()),
               "`centring` looks at the chosen score only. It is the mean over all real candidates.",
               "`centring` 只看了被选的得分。要对所有真实的候选取平均。"),
        _named(lambda *a: (*preference_losses(*a)[:2], 0.1 * preference_losses(*a)[2]),
               "`centring` is weighed already. Return it as it is; the weight comes later.",
               "`centring` 已经乘了权重。原样返回，权重以后再乘。"),
        _named(_raw, "Multiplying by the mask leaves NaN: 0 · NaN is NaN. Use `masked_fill` first.",
               "乘掩码去不掉 NaN：0 · NaN 还是 NaN。先用 `masked_fill`。"),
        _named(_total, "The three are added up. Return them apart, without weights.",
               "三项加在一起了。要分开返回，不乘权重。", lambda *a: sum(preference_losses(*a))),
        ),
    "5c.5": (
        _named(_paid(rules=lambda kept, average: kept.sum(-1) if average else kept.mean(-1)),
               "Sum and mean are exchanged: `average` True is the mean over the rules.",
               "求和与平均弄反了：`average` 为 True 是对规则取平均。"),
        _named(_paid(rules=lambda kept, average: kept.sum(-1)), "`average` is not used: with it the rules' mean is "
               "added.", "没有用 `average`：为 True 时加的是平均。"),
        _named(_paid(rules=lambda kept, average: kept.mean(-1)), "`average` is not used: without it the rules' sum is "
               "added.", "没有用 `average`：为 False 时加的是和。"),
        _named(_paid(rules=lambda kept, average: kept.mean() if average else kept.sum()),
               "The rules are added up over all responses. Each response has a row of its own.",
               "把所有回答的规则加在一起了。每条回答有自己的一行。"),
        _named(_paid(rules=lambda kept, average: (1 - kept).mean(-1) if average else (1 - kept).sum(-1)),
               "This pays for breaking rules: `kept` already is the probability that a rule is kept.",
               "这是在奖励违规：`kept` 已经是守住规则的概率。"),
        _named(_paid(rules=lambda kept, average: -kept.mean(-1) if average else -kept.sum(-1)),
               "The rules are taken off. Keeping them is paid.", "规则被减掉了。守规则应当有奖励。"),
        _named(_paid(rules=lambda kept, average: kept.prod(-1) ** (1 / kept.shape[1])),
               "The rules are multiplied, which belongs to the rerank. Here it is their sum or their plain mean.",
               "把各条规则乘了起来，重排才这样做。这里是和，或者普通的平均。",
               _paid(rules=lambda kept, average: kept.prod(-1)),
               _paid(rules=lambda kept, average: kept.mean(-1) if average else kept.prod(-1)),
               _paid(rules=lambda kept, average: kept.prod(-1) ** (1 / kept.shape[1]) if average else kept.sum(-1))),
        _named(_paid(rules=lambda kept, average: kept.amin(-1)),
               "Only the rule that is kept worst counts. All are added up.",
               "只算了守得最差的那条规则。要全部加起来。"),
        _named(_paid(liked=lambda x, on: x), "`normalise` is not used: with it the preference is brought to mean 0 and "
               "spread 1.", "没有用 `normalise`：为 True 时，偏好要变成均值 0、标准差 1。"),
        _named(_paid(liked=lambda x, on: (x - x.mean()) / x.std()),
               "The preference is normalised always. Only with `normalise`.",
               "偏好总是标准化了。只在 `normalise` 为 True 时才做。"),
        _named(_paid(liked=lambda x, on: x / x.std() if on else x),
               "The mean is not taken off before dividing by the spread.", "除以标准差之前没有减去平均。"),
        _named(_paid(liked=lambda x, on: x - x.mean() if on else x),
               "The mean is taken off, but the spread stays. Divide by the standard deviation.",
               "减去了平均，标准差还是原来的。要除以标准差。",
               _paid(liked=lambda x, on: x - x.mean() if on else x,
                     cost=lambda spread, r, normalise, average: 1.0 / (r if average else 1))),
        _named(_paid(liked=lambda x, on: (x - x.mean()) / x.var() if on else x),
               "Divided by the variance. Divide by its root, the standard deviation.",
               "除以了方差。要除以它的平方根，标准差。",
               _paid(liked=lambda x, on: (x - x.mean()) / x.var() if on else x,
                     cost=lambda spread, r, normalise, average: (spread ** 2 if normalise else 1.0) / (
                         r if average else 1))),
        _named(_exchanged, "`normalise` and `average` have changed places.", "`normalise` 和 `average` 弄反了。"),
        _named(_one_mean, "With `average` the preference is averaged, too. Only the rules are.",
               "`average` 为 True 时把偏好也平均进去了。只平均规则。"),
        _named(_punished_first,
               "The 2 go off before normalising, which shifts and stretches everybody. They go off last.",
               "标准化之前就减了 2，所有人的分都跟着变了。应当最后再减。"),
        _named(_paid(liked=lambda x, on: (x - x.amin()) / (x.amax() - x.amin()) if on else x),
               "The preference is squeezed between 0 and 1. Wanted are mean 0 and standard deviation 1.",
               "偏好压到了 0 和 1 之间。要的是均值 0、标准差 1。"),
        _named(_population, "The standard deviation divides by B. Here it divides by B - 1, as `.std()` does.",
               "标准差除的是 B。这里除以 B - 1，和 `.std()` 一样。",
               _paid(liked=lambda x, on: (x - x.mean()) / x.std(unbiased=False) if on else x)),
        _named(_whole_normalised, "The whole sum is normalised. Only the preference is: rules have a scale of their "
               "own.", "把总和标准化了。只有偏好要标准化：规则自有刻度。"),
        _named(_of_valid, "Mean and spread are those of the valid turns. They are those of all B.",
               "均值和标准差只用了有效的回合。要用全部 B 条。",
               lambda *a: (_of_valid(*a)[0], total_reward(*a)[1])),
        _named(_paid(penalty=lambda total, valid: total), "What is no valid turn is paid as if it were one: minus 2.",
               "不是有效回合的没有扣分：要扣 2。"),
        _named(_paid(penalty=lambda total, valid: total - 2 * valid),
               "The *valid* turns pay 2. Those that are not are to.", "扣的是*有效*的回合。应当扣无效的。"),
        _named(_paid(penalty=lambda total, valid: total + 2 * (~valid)), "2 is added where the turn is not valid. Take "
               "it off.", "无效的回合反而加了 2。应当减。"),
        _named(_paid(penalty=lambda total, valid: torch.where(valid, total, -2.0)),
               "What is no valid turn gets -2 and nothing else. 2 is taken off what it would have got.",
               "无效的回合只得了 -2。应当从它本来该得的里面减去 2。"),
        _named(_paid(penalty=lambda total, valid: total * valid),
               "What is no valid turn gets 0. That may be better than a bad valid one: take off 2.",
               "无效的回合得了 0。这可能比一个差的有效回合还好：应当减 2。"),
        _named(_paid(penalty=lambda total, valid: total - (~valid).float()), "1 is taken off. It is 2.",
               "只减了 1。应当减 2。"),
        _cost(lambda spread, r, normalise, average: 1.0, "`cost` is always 1. That holds of the raw sum only.",
              "`cost` 总是 1。只有不标准化又求和时才是这样。"),
        _cost(lambda spread, r, normalise, average: 1.0 / (r if average else 1),
              "`cost` forgets the normalising: one point in the sum is one standard deviation of raw preference.",
              "`cost` 没有考虑标准化：总和里的 1 分，是原始偏好的一个标准差。"),
        _cost(lambda spread, r, normalise, average: spread if normalise else 1.0,
              "`cost` forgets the mean: there a rule is worth 1/R.", "`cost` 没有考虑平均：这时一条规则只值 1/R。"),
        _cost(lambda spread, r, normalise, average: (1 / spread if normalise else 1.0) / (r if average else 1),
              "`cost` divides by the spread. Raw points = normalised points *times* the spread.",
              "`cost` 除以了标准差。原始的分 = 标准化的分*乘*标准差。"),
        _cost(lambda spread, r, normalise, average: (r if average else 1) / (spread if normalise else 1.0),
              "`cost` is upside down: that is how much of a rule one point of raw preference makes up for.",
              "`cost` 颠倒了：这是 1 分原始偏好能补多少条规则。"),
        _named(lambda *a: (lambda f: (f[0], f[1] * a[1].shape[1] / len(a[1]) if a[4] else f[1]))(total_reward(*a)),
               "`cost` is divided by B, the number of responses: len(kept). R is kept.shape[1].",
               "`cost` 除的是回答数 B：len(kept)。R 是 kept.shape[1]。"),
        _cost(lambda spread, r, normalise, average: (spread if normalise else 1.0) * (r if average else 1),
              "`cost` is multiplied by R. In a mean of R each rule counts 1/R.",
              "`cost` 乘了 R。R 条取平均，每条只占 1/R。"),
        _cost(lambda spread, r, normalise, average: spread / (r if average else 1),
              "`cost` has the spread in it even where nothing is normalised.",
              "没有标准化的时候，`cost` 里也有标准差。"),
        _cost(lambda spread, r, normalise, average: (spread if normalise else 1.0) * (r if not average else 1),
              "`cost` is that of breaking all rules. Asked is one.", "`cost` 算的是违反所有规则。问的是一条。"),
        _named(lambda *a: total_reward(*a)[::-1], "The two results are exchanged: first the reward, then the cost.",
               "两个结果的次序反了：先是奖励，再是代价。"),
        ),
    "5c.6": (
        _named(_learned(policy=lambda here: -here["above"] * here["taken"]),
               "A gradient flows through the advantage: the critic learns to please the policy. Detach it.",
               "优势里有梯度流过：价值函数会去迎合策略。要 `detach`。"),
        _named(_learned(critic=lambda here: 0.5 * here["above"].detach().square()),
               "The critic does not learn: its own loss is detached. Detach the advantage of the policy's part only.",
               "价值函数学不到东西：它自己的损失也被 `detach` 了。只有策略那部分的优势要 `detach`。"),
        _named(_learned(policy=lambda here: here["above"].detach() * here["taken"]),
               "The policy's part has the wrong sign: this makes good responses less likely. The advantage is R - V, "
               "and a loss is minus what is to grow.",
               "策略那部分的符号反了：这样好的回答反而更难出现。优势是 R - V，而损失是要变大的东西的相反数。"),
        _named(_learned(policy=lambda here: -here["reward"][:, None] * here["taken"]),
               "The policy's part has the reward itself. The advantage is the reward above what the critic expected.",
               "策略那部分用的是奖励本身。优势是奖励减去价值函数的预期。"),
        _named(_learned(policy=lambda here: -here["above"].detach() * here["taken"].exp()),
               "The policy's part has the probability. It is its logarithm.",
               "策略那部分用的是概率。应当用对数概率。"),
        _named(_learned(policy=_at_the_end), "Only the last token has an advantage. Each token has R minus its own "
               "value.", "只有最后一个词元有优势。每个词元的优势都是 R 减去它自己的价值。"),
        _named(_learned(policy=_whitened), "The advantages are whitened, as in PPO. A2C takes them as they are.",
               "优势做了白化，像 PPO 那样。A2C 原样使用。", _learned(policy=_whitened_by_n)),
        _named(_other_reward(lambda here: here["reward"][:, None] * (_ahead(here["mask"]) == 0)),
               "R stands at the last token only, and 0 before it. Here R - V is taken at every token.",
               "只有最后一个词元有 R，前面都是 0。这里每个词元都用 R - V。"),
        _named(_other_reward(lambda here: here["reward"][:, None] * 0.99 ** _ahead(here["mask"])),
               "R is discounted towards the beginning. Here it is the same R at every token.",
               "越靠前的词元，R 打的折扣越大。这里每个词元都是同样的 R。",
               _other_reward(lambda here: here["reward"][:, None] * 0.9 ** _ahead(here["mask"])),
               _other_reward(lambda here: here["reward"][:, None] * 0.95 ** _ahead(here["mask"]))),
        _named(_other_reward(_across),
               "Rewards are laid out token by token, so responses get each other's: `reward[:, None]`.",
               "奖励按词元铺开了，各条回答拿到了别人的：用 `reward[:, None]`。"),
        _named(_one_place_on, "Logits are shifted by one place. They already stand where the token is predicted.",
               "logits 又错开了一个位置。它们本来就在预测这个词元的位置上。"),
        _named(_means_multiplied,
               "The mean advantage times the mean log-probability. Multiply token by token, then the mean.",
               "平均优势乘了平均对数概率。要逐词元相乘，再平均。"),
        _named(_unnormalised, "The policy's part has the logit. It is the log-probability: log_softmax.",
               "策略那部分用的是 logit。应当是对数概率：log_softmax。"),
        _named(_first_tokens, "Only the first token of each response counts. All real ones do.",
               "只算了每条回答的第一个词元。真实的词元都要算。"),
        _named(_learned(policy=_centred), "The batch's mean reward stands in for the critic. Use `value`.",
               "用整批的平均奖励代替了价值函数。要用 `value`。"),
        _named(_learned(critic=lambda here: here["above"].square()), "The ½ of the critic's part is missing.",
               "价值那部分少了 ½。"),
        _named(_learned(critic=lambda here: 0.5 * here["above"].abs()),
               "The critic's error is not squared.", "价值的误差没有平方。"),
        _named(_learned(critic=lambda here: -0.5 * here["above"].square()),
               "The critic's part is taken off: it would learn to be wrong.", "价值那部分被减掉了：它会学着出错。"),
        _named(_learned(critic=lambda here: 0.0 * here["above"]), "The critic's part is missing.", "缺了价值那部分。"),
        _named(_learned(drift=lambda here: (here["then"].exp() * (here["then"] - here["now"])).sum(-1)),
               "The KL is the wrong way round: this is KL(teacher ‖ π). The weights are π's.",
               "KL 的方向反了：这是 KL(老师 ‖ π)。权重应当是 π 的。"),
        _named(_learned(drift=_sampled_drift),
               "The KL looks at the sampled token only. Here it is the sum over the whole vocabulary.",
               "KL 只看了抽到的词元。这里要对整个词表求和。"),
        _named(_learned(drift=lambda here: -(here["now"].exp() * here["then"]).sum(-1)),
               "This is a cross-entropy with the teacher: π's own entropy is missing.",
               "这是和老师的交叉熵：少了 π 自己的熵。"),
        _named(_learned(drift=lambda here: (here["now"].exp() * (here["now"] - here["then"])).mean(-1)),
               "The KL is a mean over the vocabulary. It is a sum, weighed by π.",
               "KL 对词表取了平均。应当按 π 加权求和。"),
        _named(_learned(drift=lambda here: (here["then"].exp() * (here["now"] - here["then"])).sum(-1)),
               "The KL is weighed by the teacher's probabilities. The weights are π's.",
               "KL 用老师的概率加了权。权重应当是 π 的。"),
        _named(_learned(drift=lambda here: (here["now"].exp() * (here["then"] - here["now"])).sum(-1)),
               "The KL has the wrong sign: this drives the policy away from the teacher. It is added to the loss.",
               "KL 的符号反了：这样会把策略从老师身边推开。它要加进损失。"),
        _named(_learned(drift=lambda here: (here["now"].exp().detach() * (here["now"] - here["then"])).sum(-1)),
               "The KL's gradient lacks a part: π is in the weights, too. Do not detach them.",
               "KL 的梯度少了一部分：权重里也有 π。不要 `detach`。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: alpha * (policy + critic) + (1 - alpha) * drift),
               "α and 1 - α are exchanged: α is the teacher's share.", "α 和 1 - α 弄反了：α 是老师那份。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: policy + critic + alpha * drift),
               "The factor 1 - α is missing.", "少了因子 1 - α。"),
        _named(_learned(mix=lambda policy, critic, drift, alpha: (1 - alpha) * policy + critic + alpha * drift),
               "The critic's part stands outside of 1 - α. It belongs to A2C.",
               "价值那部分放在了 1 - α 外面。它属于 A2C。"),
        _named(_learned(over=_by_rows), "First a mean in each response, then over responses: tokens of short ones "
               "count more. It is one mean over all real tokens.",
               "先在每条回答里平均，再对回答平均：短回答的词元更重了。应当对所有真实的词元一起平均。"),
        _named(_learned(over=_summed), "A sum over the tokens. Wanted is the mean over the real ones.",
               "对词元求了和。要对真实的词元取平均。"),
        _named(_learned(over=_over_batch), "Summed over tokens, divided by the batch. Divide by the number of real "
               "tokens.", "对词元求和之后除以了批大小。要除以真实的词元数。"),
        _named(_learned(over=_everywhere), "The padding counts in the mean. Divide by the number of real tokens.",
               "平均时填充也算了数。要除以真实的词元数。"),
        _named(_times_mask, "Multiplying by the mask leaves NaN: 0 · NaN is NaN. Take the real tokens out first, "
               "`x[mask]`.", "乘掩码去不掉 NaN：0 · NaN 还是 NaN。先取出真实的词元，`x[mask]`。"),
        _named(lambda *a: a2c_loss(*a[:6], 0.1), "0.1 is written into it. Use `alpha`.",
               "里面写死了 0.1。要用 `alpha`。"),
        ),
    "5c.7": (
        _named(_ranked(rules=lambda kept: kept.mean(-1)),
               "This is the arithmetic mean: a broken rule is forgiven. Take the geometric one.",
               "这是算术平均：一条违规就被原谅了。要用几何平均。"),
        _named(_ranked(rules=lambda kept: kept.prod(-1)), "The product lacks its root: more rules would mean a lower "
               "score.", "乘积没有开方：规则越多，得分就越低。"),
        _named(_ranked(rules=lambda kept: kept.prod(-1) ** 0.5),
               "The square root is taken. It is the R-th root, R the number of rules.",
               "开的是平方根。应当开 R 次方，R 是规则数。"),
        _named(_ranked(rules=lambda kept: kept.amin(-1)), "Only the rule that is kept worst counts. It is the "
               "geometric mean of all.", "只算了守得最差的规则。要用全部规则的几何平均。"),
        _named(_ranked(rules=lambda kept: (1 - kept).prod(-1) ** (1 / kept.shape[1])),
               "`kept` already is the probability that a rule is kept: do not turn it round.",
               "`kept` 已经是守住规则的概率：不要再反过来。"),
        _named(_ranked(rules=lambda kept: (kept + 1e-6).log().mean(-1).exp()),
               "Something small was added to `kept`. Where a rule is surely broken, the score is 0 exactly.",
               "给 `kept` 加了一个小数。肯定违规时，得分恰好是 0。",
               _ranked(rules=lambda kept: kept.clamp(min=1e-6).log().mean(-1).exp()),
               _ranked(rules=lambda kept: kept.clamp(min=1e-4).log().mean(-1).exp())),
        _named(_ranked(liked=lambda r: r.exp()), "e^r alone has no upper end. It is divided by e^r + e^(mean r).",
               "只有 e^r，没有上限。要除以 e^r + e^(r 的平均)。"),
        _named(_ranked(liked=lambda r: r.softmax(-1)), "This is a softmax over the candidates. Each is compared with "
               "the average one: σ(r - mean r).", "这是对各候选的 softmax。每一条要和平均的候选比：σ(r - r 的平均)。"),
        _named(_ranked(liked=torch.sigmoid), "The mean of the candidates is missing: a preference model has no zero.",
               "没有减去候选的平均：偏好模型没有零点。"),
        _named(_ranked(liked=lambda r: r - r.mean()), "σ is missing around the preference.", "偏好外面少了 σ。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r.mean() - r)),
               "The preference is turned round: what is liked least scores highest.",
               "偏好反了：最不受欢迎的得分最高。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r - r.amax())),
               "Each is compared with the best candidate. It is compared with the mean.",
               "和最好的候选比了。应当和平均比。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r - r.median())),
               "Each is compared with the median candidate. It is compared with the mean.",
               "和中间的候选比了。应当和平均比。"),
        _named(_ranked(liked=lambda r: torch.sigmoid(r - r.logsumexp(0) + math.log(len(r)))),
               "The mean of the e^r is taken. It is e to the mean of the r.",
               "取了各个 e^r 的平均。应当是 e 的“r 的平均”次方。"),
        _named(_ranked(liked=_others_mean), "The mean leaves the candidate itself out. It is over all N.",
               "平均时漏了它自己。应当是全部 N 条的平均。"),
        _named(_ranked(liked=lambda r: torch.sigmoid((r - r.mean()) / (r.std() if len(r) > 1 else 1.0))),
               "The preferences are divided by their spread. They are not here.",
               "偏好除以了标准差。这里不用。",
               _ranked(liked=lambda r: torch.sigmoid((r - r.mean()) / (r.std(correction=0) if r.std(correction=0) > 0
                                                                      else 1.0))),
               _ranked(liked=lambda r: torch.sigmoid((r - r.mean()) / (r.std() + 1e-8)))),
        _named(_ranked(rules=lambda kept: kept.log().sum(-1)),
               "The logarithms are added up, and e to that is missing: exp of their *mean*.",
               "只把对数加了起来，没有取回指数：应当是对数*平均*的 exp。"
               "", _ranked(rules=lambda kept: kept.log().mean(-1))),
        _named(_ranked(rules=lambda kept: kept.log().sum(-1).div(len(kept)).exp()),
               "The N-th root is taken, N the number of candidates. It is the R-th, R the number of rules.",
               "开了 N 次方，N 是候选数。应当开 R 次方，R 是规则数。"),
        _named(_ranked(rules=lambda kept: kept.shape[1] / (1 / kept).sum(-1)),
               "This is the harmonic mean. Take the geometric one.", "这是调和平均。要用几何平均。"),
        _named(lambda preference, kept: (rerank(preference, kept)[0], rerank(preference, kept)[1].sort(
                   descending=True).values),
               "`score` is sorted. It goes with the candidates as they came.",
               "`score` 排了序。它要和候选原来的次序对应。"),
        _named(lambda preference, kept: (lambda best, score: (best, score / score.sum()))(*rerank(preference, kept)),
               "`score` is divided by its sum. Return each s as it is.", "`score` 除以了总和。每个 s 原样返回。"),
        _named(lambda preference, kept: (lambda best, score: (score[best].item(), score))(*rerank(preference, kept)),
               "`best` is the highest score. Wanted is its place.", "`best` 是最高的得分。要的是它的位置。"),
        _named(_ranked(liked=lambda r: r.exp() / (r.exp() + r.mean().exp())),
               "e^r overflows where preferences are large, and inf/inf is NaN. Use `torch.sigmoid`.",
               "偏好很大时 e^r 会溢出，inf/inf 是 NaN。用 `torch.sigmoid`。",
               _ranked(liked=lambda r: r.exp() / (r.exp() + r.exp().mean()))),
        _named(_ranked(both=lambda one, two: one + two),
               "The factors are added: to be liked makes up for a broken rule. Multiply.",
               "两个因子相加了：受欢迎就能抵消违规。要相乘。", _ranked(both=lambda one, two: (one + two) / 2)),
        _named(_ranked(both=lambda one, two: one), "The rules are missing.", "没有用规则。"),
        _named(_ranked(both=lambda one, two: two), "The preference is missing.", "没有用偏好。"),
        _named(_best(lambda preference, kept, score: int(score.argmax()) + 1),
               "`best` is counted from 1. Count from 0.",
               "`best` 从 1 数起了。要从 0 数起。"),
        _named(_best(lambda preference, kept, score: int(preference.argmax())),
               "`best` is the best liked. It is the one of the highest score.",
               "`best` 取的是最受欢迎的。应当是得分最高的。"),
        _named(_best(lambda preference, kept, score: int(score.argmin())), "`best` is the one of the lowest score.",
               "`best` 取了得分最低的。"),
        _named(_best(_latest), "Of two that are equally good the later was taken. Take the earlier.",
               "两条一样好时取了后面的。要取前面的。"),
        _named(lambda preference, kept: rerank(preference, kept)[::-1],
               "The two results are exchanged: first the place, then the scores.",
               "两个结果的次序反了：先是位置，再是各条的得分。"),
        ),
}
