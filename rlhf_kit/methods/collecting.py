"""Comparisons of a policy's own answers: drawn plainly or as the best of k, shown two at a time to who compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.spelling import given, spelled
from rlhf_kit.loops.batches import check_settings, seed_for
from rlhf_kit.models.heads import Policy, check_policy
from rlhf_kit.models.text import check_texts
from rlhf_kit.rewards import Reward, score
from rlhf_kit.sampling import Sampling, check_room, sample_rollout

Compare = Callable[[str, tuple[str, str]], Comparison | None]      # (prompt, two answers) -> which won; None: neither
TRIES = 4                           # draws of a second answer that is not the first one again


@spelled
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings."""

    k: int = 1                      # answers for each of the two that are shown, the best of which is; HH: 16
    batch_size: int = 16            # prompts at a time; 2k times as many answers are drawn together
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k is {self.k}; at least 1 answer is drawn for each that is shown.")
        check_settings(self.batch_size, self.seed, 1e-3)


def comparisons(policies: Sequence[Policy], prompts: Sequence[str], compare: Compare, config: Config | None = None, *,
                reward: Reward | None = None, begin: int = 0) -> Iterator[Comparison]:
    """Show two answers to each prompt and keep what was said of them, as a batch of prompts is answered.

        y_A = argmax of r over k draws,   y_B = argmax of r over k others

    With k = 1 they are two plain answers; with k = 16 the preference model that is there already lifts both, and what
    people compare lies where it is least sure (rejection sampling as data collection). Where both are the same text, or
    nobody can tell, there is no comparison.

    Args:
        policies: who answers; several take turns, a batch each, such as the snapshots of a run: different answers are
            better data (arXiv:2204.05862, section 4.5).
        compare: a person, or a simulated labeler; turns red-team labels itself, or leave that to `recast.turned`.
        reward: the preference model; needed for k above 1.
        begin: number of the prompt to go on from, a multiple of `batch_size`; what follows is as if all were answered.

    Raises: ValueError for bad arguments or a prompt without room, rewards.RewardError.
    Source: Bai et al. 2022, arXiv:2204.05862, section 2.3.
    """
    config = given(config, Config)
    _check_arguments(policies, prompts, reward, config, begin)
    for first in range(begin, len(prompts), config.batch_size):
        policy = policies[first // config.batch_size % len(policies)]
        batch = list(prompts[first:first + config.batch_size])
        for prompt, pair in zip(batch, _pairs(policy, batch, reward, config, first), strict=True):
            if pair[0] != pair[1] and (said := compare(prompt, pair)) is not None:
                yield said


def _pairs(policy: Policy, batch: list[str], reward: Reward | None, config: Config,
           first: int) -> list[tuple[str, str]]:
    """Two answers to each prompt, each the best of k; of equal ones the second is drawn again a few times."""
    found: dict[int, tuple[str, str]] = {}
    for attempt in range(TRIES):
        left = [i for i in range(len(batch)) if i not in found or found[i][0] == found[i][1]]
        if not left:
            break
        asked = [batch[i] for i in left for _ in range(2 * config.k)]
        rollout = sample_rollout(policy, asked, config.sampling, seed_for(config.seed, "shown", first, attempt))
        best = (score(reward, rollout).reshape(-1, config.k).argmax(-1) if config.k > 1
                else [0] * (2 * len(left)))
        for number, i in enumerate(left):
            start = 2 * number * config.k
            found[i] = (rollout.responses[start + int(best[2 * number])],
                        rollout.responses[start + config.k + int(best[2 * number + 1])])
    return [found[i] for i in range(len(batch))]


def _check_arguments(policies: Sequence[Policy], prompts: Sequence[str], reward: Reward | None, config: Config,
                     begin: int) -> None:
    if not isinstance(policies, Sequence) or not policies:
        raise ValueError("there are no policies; give a list of at least one, [policy].")
    if len(check_texts(prompts, "prompts")) == 0:
        raise ValueError("there are no prompts; give a list with at least one text.")
    for policy in policies:
        check_policy(policy)
        check_room(policy, prompts, config.sampling)
    if config.k > 1 and reward is None:
        raise ValueError(f"k is {config.k} and there is no reward that could choose among them; give one, such as "
                         f"kit.rewards.learned(model), or take k=1.")
    if begin % config.batch_size:
        raise ValueError(f"begin is {begin}; it must be a multiple of batch_size, {config.batch_size}.")
