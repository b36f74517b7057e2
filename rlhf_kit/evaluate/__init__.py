"""What changed and what it cost: scores, KL, diversity, win rate, and agreement with rankings, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.formulas.best_of_n import expected_best
from rlhf_kit.formulas.kl_penalty import sequence_kl
from rlhf_kit.formulas.length_control import length_control
from rlhf_kit.formulas.losses import ranking
from rlhf_kit.formulas.preference import (
    as_batch,
    auc,
    calibration_error,
    exact_order,
    margins,
    pairs_right,
    preference_mask,
    reliability,
)
from rlhf_kit.formulas.records import Ranking, Rollout
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Reward, check_arguments, checked, range_of, score
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout

FEW = 30                            # rows to resample; below, a bootstrap promises too much
Z95 = 1.959964                      # two-sided 95 % of a normal


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int                          # observations

    @property
    def standard_error(self) -> float:
        """Half the interval's width over 1.96."""
        return (self.high - self.low) / 2 / Z95

    def __str__(self) -> str:
        few = f", n = {self.n}" if self.n < FEW else ""
        return f"{self.mean:.3f} ({self.low:.3f}–{self.high:.3f}){few}"


@dataclass(frozen=True, repr=False)
class Evaluation:
    """One policy on one set of prompts.

        seen = evaluate(policy, reference, prompts, {"judge": judge, "length": kit.rewards.length(60)})
        print(seen.summary())               # a line a measure, with intervals
        seen.mean["judge"]                  # 0.71
        seen.per_prompt()[0]                # {"prompt": ..., "response": ..., "judge": 0.93, "length": 0.4}
    """

    prompts: tuple[str, ...]
    responses: tuple[str, ...]
    each: Mapping[str, tuple[float, ...]]     # reward name -> one number a response
    scores: Mapping[str, Estimate]            # reward name -> its mean
    kl: float                                 # nats per response from the reference, k1 on these responses
    eos_rate: float                           # share of responses that ended by themselves
    length: float                             # tokens per response
    distinct: float                           # share of responses that occur once or are the first of their kind
    distinct_2: float                         # distinct pairs of neighbouring tokens over all pairs

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in self.mean.items())
        return f"Evaluation({len(self.prompts)} prompts: {scores}{', ' * bool(scores)}kl {self.kl:.2f})"

    @property
    def mean(self) -> dict[str, float]:
        """Each score's mean over the responses, by name."""
        return {name: found.mean for name, found in self.scores.items()}

    def per_prompt(self) -> list[dict[str, Any]]:
        """A row for each prompt: prompt, response and scores; what pandas.DataFrame takes."""
        return [self.row(i) for i in range(len(self.prompts))]

    def summary(self) -> str:
        """What was measured, a line each, with 95 % intervals; a warning below `FEW` prompts."""
        n = len(self.prompts)
        lines = [*(f"{name:18} {found}" for name, found in self.scores.items()),
                 f"{'KL':18} {self.kl:.2f} nats per response", f"{'ended':18} {self.eos_rate:.0%}",
                 f"{'length':18} {self.length:.1f} tokens", f"{'different':18} {self.distinct:.0%}"]
        few = [f"Only {n} prompts; below {FEW} such numbers say little."] if n < FEW else []
        return "\n".join([f"{n} prompts, one response each", *lines, *few])

    def numbers(self) -> dict[str, Any]:
        """What was measured, without the texts, as plain JSON values."""
        return {"scores": {name: asdict(x) for name, x in self.scores.items()}, "kl": self.kl,
                "eos_rate": self.eos_rate, "length": self.length, "distinct": self.distinct,
                "distinct_2": self.distinct_2}

    def row(self, i: int) -> dict[str, Any]:
        """Prompt, response and scores of one row."""
        return {"prompt": self.prompts[i], "response": self.responses[i],
                **{name: x[i] for name, x in self.each.items()}}


def evaluate(policy: Policy, reference: Policy, prompts: Sequence[str], rewards: Mapping[str, Reward],
             sampling: Sampling | None = None, seed: int = 0) -> Evaluation:
    """Sample one response to each prompt and measure everything on it.

    Args:
        reference: where the KL is measured from; the policy before training.
        rewards: named scores; none of them is optimised here. The interval of one that says its range
            (`rewards.bounded`, as a probability does) stays in it.

        policy = kit.load_policy("tiny-lm-en")
        judge = kit.rewards.classifier("runs/judge/model")      # or *kit.load_classifier("tiny-judge-en")
        before = kit.evaluate.evaluate(policy, policy.reference(), prompts, {"judge": judge})
        print(before.summary())
    """
    if not isinstance(rewards, Mapping):
        raise ValueError(f"rewards is {' '.join(repr(rewards).split())[:60]}; expected named ones, such as "
                         f"{{\"score\": reward}}.")
    check_arguments(reference, *rewards.values())
    check_texts(prompts, "prompts")
    rollout = sample_rollout(policy, prompts, sampling, seed)
    with torch.no_grad():
        ref_logprob = response_logprob(reference, rollout)
    each = {name: score(reward, rollout) for name, reward in rewards.items()}
    return Evaluation(prompts=tuple(rollout.prompts), responses=tuple(rollout.responses),
                      each={name: tuple(x.tolist()) for name, x in each.items()},
                      scores={name: mean(x, range_of(rewards[name])) for name, x in each.items()},
                      kl=sequence_kl(rollout.logprob, ref_logprob, rollout.mask).item(),
                      eos_rate=rollout.ended.float().mean().item(), length=rollout.length.float().mean().item(),
                      distinct=distinct(rollout.responses), distinct_2=distinct_pairs(rollout))


@dataclass(frozen=True)
class Agreement:
    """How well a reward's scores agree with rankings that people made."""

    pair_accuracy: Estimate         # share of pairs whose winner scores higher; interval by resampling whole rankings
    list_accuracy: Estimate         # share of rankings whose whole order is right
    loss: float                     # nats a pair, `losses.ranking`
    margin: float                   # mean score of the winner above the loser's
    calibration_error: float        # of σ(|gap|), how sure the scores are of the one they favour
    reliability: tuple[tuple[float, float, int], ...]   # (stated probability, share that was right, pairs), a bin each

    def numbers(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


def agreement(reward: Reward, rankings: Sequence[Ranking], seed: int = 0) -> Agreement:
    """Compare a reward with rankings that it did not learn from: whether it would have ranked the same.

    Any reward may be asked: a learned one, a classifier, the length. The task's gold gives the *noise ceiling*, what
    nobody can exceed but by luck, if those who ranked were not always right. Ties in a ranking count nowhere. Loss and
    calibration take differences of scores for log-odds, as a reward model's are; of other rewards they say little.

    Args:
        seed: of the bootstrap, 1,000 draws of as many rankings with replacement.

    Raises: ValueError if no ranking has a pair with a winner.
    """
    score, rank, mask = _judged(reward, rankings)
    right, pairs = pairs_right(score, rank, mask)                                   # [N] each
    counted = pairs > 0
    if not counted.any():
        raise ValueError(f"the {len(rankings)} rankings have no pair with a winner; give some that are not all ties.")
    right, pairs = right[counted].double(), pairs[counted].double()
    better = preference_mask(rank, mask)
    gap = margins(score, better)[better]                                               # [all pairs]
    probability, won = gap.abs().sigmoid(), torch.where(gap == 0, 0.5, (gap > 0).to(gap))
    counts, stated, seen = reliability(probability, won)
    bins = [(p, s, int(n)) for p, s, n in zip(stated.tolist(), seen.tolist(), counts.tolist(), strict=True) if n]
    return Agreement(pair_accuracy=ratio(right, pairs, seed),
                     list_accuracy=share(exact_order(score, rank, mask)[counted].sum().item(), len(right)),
                     loss=ranking(score, rank, mask).item(), margin=gap.mean().item(),
                     calibration_error=calibration_error(probability, won).item(), reliability=tuple(bins))


def _judged(reward: Reward, rankings: Sequence[Ranking]) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, ranks and mask, [N, K] each, of rankings whose K may differ."""
    if not rankings:
        raise ValueError("there are no rankings; give at least one.")
    prompts = [one.prompt for one in rankings for _ in one.responses]
    answer = checked(reward(prompts, [text for one in rankings for text in one.responses]), len(prompts), reward)
    rank, mask = as_batch([one.ranks for one in rankings])
    return torch.zeros(mask.shape).masked_scatter(mask, answer), rank, mask


def ratio(part: Tensor, whole: Tensor, seed: int = 0, draws: int = 1000) -> Estimate:
    """Σ part / Σ whole of rows that stand for themselves, with the percentile interval of a bootstrap over them.

    Few rows have too little spread to draw from, and rows that are all alike none at all: then it is Wilson's, with
    each row as one observation.

    Args: part, whole: [N] float64, 0 <= part <= whole and whole above 0, such as the pairs of a ranking.
    Source: Efron 1979, doi:10.1214/aos/1176344552.
    """
    rows = torch.randint(len(part), (draws, len(part)), generator=torch.Generator().manual_seed(seed))
    drawn = part[rows].sum(1) / whole[rows].sum(1)
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    found = (part.sum() / whole.sum()).item()
    if low == high or len(part) < FEW:
        few = share(found * len(part), len(part))
        low, high = few.low, few.high
    return Estimate(found, low, high, round(whole.sum().item()))


def area(score: Tensor, happened: Tensor) -> Estimate:
    """The area under the ROC curve with its 95 % interval, cut off at 0 and 1: `preference.auc`.

        s² = (A(1-A) + (n₁-1)(Q₁-A²) + (n₀-1)(Q₂-A²)) / (n₁ n₀),   Q₁ = A/(2-A),  Q₂ = 2A²/(1+A)

    Where not one pair is on the wrong side, or all are, that is 0 however few there are: then it is Wilson's, with the
    rarer kind as the observations.

    Args, raises: as `preference.auc`; n₁ happened and n₀ did not.
    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    a = auc(score, happened).item()
    yes = int(happened.bool().sum())
    no = len(score) - yes
    spread = (a * (1 - a) + (yes - 1) * (a / (2 - a) - a * a) + (no - 1) * (2 * a * a / (1 + a) - a * a)) / (yes * no)
    half = Z95 * math.sqrt(max(spread, 0.0))
    low, high = max(a - half, 0.0), min(a + half, 1.0)
    if a in (0.0, 1.0):
        few = share(a * min(yes, no), min(yes, no))
        low, high = few.low, few.high
    return Estimate(a, low, high, len(score))


def share_kept(before: Sequence[float], behind: Sequence[float], after: Sequence[float], seed: int = 0,
               draws: int = 1000) -> Estimate | None:
    """How much of what a prompt changes is there without it, after a student learned it: of scores prompt by prompt.

        Σ (after - before) / Σ (behind - before)

    Args:
        before, after: of the student without the prompt, before and after it learned.
        behind: of its teacher behind the prompt.

    Returns: the share with the percentile interval of a bootstrap over the prompts; None where the prompt itself
        changes less than chance does (the 95 % interval of its effect holds 0), so that there is nothing to keep.
    Source: Efron 1979, doi:10.1214/aos/1176344552.
    """
    start, teacher, student = (torch.as_tensor(x, dtype=torch.float64) for x in (before, behind, after))
    effect = mean(teacher - start)
    if effect.low <= 0 <= effect.high:
        return None
    rows = torch.randint(len(start), (draws, len(start)), generator=torch.Generator().manual_seed(seed))
    drawn = (student - start)[rows].sum(1) / (teacher - start)[rows].sum(1)
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Estimate(((student - start).sum() / (teacher - start).sum()).item(), low, high, len(start))


def best_of_n_curve(proxy: Tensor | Sequence[Sequence[float]], value: Tensor | Sequence[Sequence[float]] | None = None,
                    bounds: tuple[float, float] | None = None) -> tuple[Estimate, ...]:
    """What the best of n is worth for every n from 1 to N, with an interval over the prompts; entry n - 1 is n.

        drawn = list(kit.best_of_n.draws(policy, prompts, reward, config, evaluation_rewards={"gold": gold}))
        curve = best_of_n_curve([d.scores for d in drawn], [d.others["gold"] for d in drawn])

    Args:
        proxy: the reward that chooses, a row of N numbers for each prompt.
        value: what is asked about, of the same shape; None = the proxy itself.
        bounds: the least and the most that it can be; the intervals stay inside.

    Raises: ValueError if the rows differ in length, or there are fewer than 2 prompts.
    Source: `formulas.best_of_n.expected_best` for each prompt; the prompts' mean with `mean`.
    """
    rows = [torch.as_tensor(x, dtype=torch.float64) for x in (proxy, proxy if value is None else value)]
    return tuple(mean(column, bounds) for column in expected_best(*rows).T)


def side_by_side(before: Evaluation, after: Evaluation) -> list[dict[str, Any]]:
    """The same prompts answered by both: [{"before": row, "after": row}, ...]."""
    if before.prompts != after.prompts:
        raise ValueError("the two evaluations answer different prompts; evaluate both on the same.")
    return [{"before": before.row(i), "after": after.row(i)} for i in range(len(before.prompts))]


def mean(x: Tensor | Sequence[float], bounds: tuple[float, float] | None = None) -> Estimate:
    """Mean with the normal interval, mean ± 1.96·s/√n; needs two numbers at least.

    With `bounds`, the least and the most that such a number can be, the interval stays inside. Below `FEW` numbers it
    is narrower than it should be: `Estimate` then shows how many there were.
    """
    x = torch.as_tensor(x, dtype=torch.float64)
    if x.numel() < 2:
        raise ValueError(f"{x.numel()} number(s) have no interval; give at least 2.")
    error = Z95 * (x.std() / math.sqrt(x.numel())).item()
    centre = x.mean().item()
    least, most = bounds or (-math.inf, math.inf)
    return Estimate(centre, max(centre - error, min(least, centre)), min(centre + error, max(most, centre)), x.numel())


def share(successes: float, n: int) -> Estimate:
    """A proportion with Wilson's interval, which stays inside [0, 1] and is right for few observations.

        (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no share; expected 0 <= successes <= n and n >= 1.")
    p, z2 = successes / n, Z95**2
    centre, half = p + z2 / (2 * n), Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Estimate(p, max((centre - half) / (1 + z2 / n), 0.0), min((centre + half) / (1 + z2 / n), 1.0), n)


def win_rate(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """How often ours scores higher on the same prompt; a tie counts half. Wilson's interval."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} scores against {len(theirs)}; win rate compares prompt by prompt.")
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in zip(ours, theirs, strict=True))
    return share(wins, len(ours))


@dataclass(frozen=True)
class HeadToHead:
    """Two policies that answered the same prompts, by one score."""

    win_rate: Estimate                      # share of prompts on which ours scores higher; a tie counts half
    length_controlled: Estimate | None      # the same at equal length; None where that cannot be told
    difference: Estimate                    # ours minus theirs, prompt by prompt
    longer: Estimate                        # characters of our response minus those of theirs, prompt by prompt

    def numbers(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


def head_to_head(ours: Evaluation, theirs: Evaluation, name: str = "score") -> HeadToHead:
    """Who scores higher, by how much, and whether that is the length: prompts are what is counted, in pairs.

    The length-controlled win rate is σ(θ) of `formulas.length_control`, lengths in characters, with σ(θ ± 1.96·its
    standard error). Where one side wins every prompt, or all pairs are equally long, length explains nothing and it
    is the plain one; where all differ by the same, nobody can tell: None.

    Raises: ValueError if they answer different prompts, or fewer than 2.
    """
    if ours.prompts != theirs.prompts:
        raise ValueError("the two evaluations answer different prompts; evaluate both on the same.")
    plain = win_rate(ours.each[name], theirs.each[name])
    gap = torch.tensor(ours.each[name], dtype=torch.float64) - torch.tensor(theirs.each[name], dtype=torch.float64)
    longer = torch.tensor([float(len(a) - len(b)) for a, b in zip(ours.responses, theirs.responses, strict=True)])
    win = torch.where(gap == 0, 0.5, (gap > 0).to(gap))
    controlled: Estimate | None = plain
    if (fit := length_control(win, longer)) is not None:
        at, low, high = torch.sigmoid(torch.tensor([fit.intercept + k * Z95 * fit.standard_error for k in (0, -1, 1)],
                                                   dtype=torch.float64)).tolist()
        controlled = Estimate(at, low, high, len(win))
    elif longer.any() and 0 < plain.mean < 1:
        controlled = None
    return HeadToHead(plain, controlled, mean(gap), mean(longer))


def distinct(responses: Sequence[str]) -> float:
    """Different responses over all responses; 1/n when the policy says one thing only."""
    return len(set(responses)) / max(len(responses), 1)


def distinct_pairs(rollout: Rollout) -> float:
    """Distinct-2: different pairs of neighbouring tokens over all pairs (Li et al. 2016, arXiv:1510.03055)."""
    rows = [ids[keep].tolist() for ids, keep in zip(rollout.response_ids, rollout.mask, strict=True)]
    pairs = [pair for row in rows for pair in pairwise(row)]
    return len(set(pairs)) / max(len(pairs), 1)
