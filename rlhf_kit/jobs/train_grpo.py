"""`rlhf-kit train grpo`: a language model and one or several rewards become a policy without a critic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, ClassVar

from rlhf_kit import rewards
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs import scores
from rlhf_kit.jobs.scaling import Rates
from rlhf_kit.jobs.settings import world
from rlhf_kit.jobs.train_ppo import PpoJob
from rlhf_kit.language import did_you_mean
from rlhf_kit.methods import grpo
from rlhf_kit.sampling import Sampling

GOLD = "gold"
TINY_GRPO = grpo.Config(steps=50, batch_size=64, group_size=8, learning_rate=1e-3, min_lr_ratio=0.2,
                        sampling=Sampling(max_new_tokens=48), missing_eos_penalty=0.5)
REAL_GRPO = replace(TINY_GRPO, steps=100, learning_rate=1e-5, sampling=Sampling(max_new_tokens=64))
RATES = {"tiny": Rates(whole=1e-3, adapter=3e-3), "small": Rates(whole=1e-5, adapter=1e-4),
         "large": Rates(whole=1e-6, adapter=1e-5)}


@dataclass(frozen=True, kw_only=True)
class GrpoJob(PpoJob):
    """Train a policy with GRPO, RLOO, Dr. GRPO or REINFORCE: what `PpoJob` takes, and several rewards at once."""

    name: ClassVar[str] = "grpo"
    method: ClassVar[ModuleType] = grpo
    rates: ClassVar[dict[str, Rates]] = RATES

    variant: str = "grpo"                   # one of `grpo.VARIANTS`
    more_rewards: tuple[str, ...] = ()      # functions in files, beside `judge` and `reward`
    answers: str | None = None              # a column of `prompts` with right answers, numbers to be met; without a
                                            # file "gold", a made-up world's own check
    reward_weights: tuple[float, ...] = ()  # of judge, answers and functions, in this order; () = 1 each

    def own(self, size: str) -> grpo.Config:
        """The variant's settings for a model of that size."""
        return grpo.VARIANTS[self.variant](TINY_GRPO if size == "tiny" else REAL_GRPO)

    def check_rewards(self) -> None:
        """Raises: ValueError unless there is something to please, a weight for each, and a variant of that name."""
        if self.variant not in grpo.VARIANTS:
            raise ValueError(f"--variant is {self.variant!r}. {did_you_mean(self.variant, grpo.VARIANTS)}It is one of "
                             f"{', '.join(grpo.VARIANTS)}.")
        if self.answers is None and (self.judge is None or self.reward is None):
            scores.check_one(self.judge, self.reward, self.label)
        scores.check_label(self.judge, self.label)
        if self.answers not in (None, GOLD) and self.prompts is None:
            raise ValueError(f"--answers is {self.answers!r}; it is a column of --prompts that holds numbers, or of a "
                             f"made-up world {GOLD}, its own check. Name the file with --prompts.")
        asked = len(self._asked)
        if self.reward_weights and (len(self.reward_weights) != asked or not all(map(math.isfinite,
                                                                                     self.reward_weights))):
            raise ValueError(f"--reward-weights are {', '.join(f'{x:g}' for x in self.reward_weights)}, and there are "
                             f"{asked} rewards; expected a number for each, the judge's first.")

    def please(self) -> rewards.Reward:
        """The one reward as it is; several added up, each with its weight and reported apart."""
        found = [self._checker() if (judge, place) == (None, None) else scores.asked(
                     judge, place, self.label if judge else "positive", device=self.device, rows=self._rows())
                 for judge, place in self._asked]
        if len(found) == 1 and not self.reward_weights:
            return found[0]
        return rewards.weighted(list(zip(self.reward_weights or [1.0] * len(found), found, strict=True)))

    def please_on_chats(self, score: rewards.Reward, chats: Mapping[str, Chat]) -> rewards.Reward:
        """Each part by itself, for a judge knows a conversation otherwise than a function does."""
        judges = [judge for judge, _ in self._asked]
        if not hasattr(score, "parts"):
            return scores.on_chats(score, chats, judges[0])
        return rewards.weighted([(weight, scores.on_chats(part, chats, judge))
                                 for (weight, part), judge in zip(score.parts, judges, strict=True)])

    def places_of_rewards(self) -> Sequence[str | None]:
        """All functions in files."""
        return (self.reward, *self.more_rewards)

    @property
    def _asked(self) -> list[tuple[str | None, str | None]]:
        """(judge, function), one of both None, in the order of the weights; of `answers` both."""
        judges: list[tuple[Any, Any]] = [(self.judge, None)] if self.judge else []
        checks: list[tuple[Any, Any]] = [(None, None)] if self.answers else []
        return [*judges, *checks, *((None, place) for place in (self.reward, *self.more_rewards) if place)]

    def _checker(self) -> rewards.Reward:
        """1 for a right answer. Raises: ValueError for a column that is not there, RewardError for no numbers in it."""
        if self.prompts is None:
            return rewards.gold(world(self.task, self.lang))
        rows = self._rows()
        if not rows or self.answers not in rows[0]:
            names = ", ".join(sorted(rows[0])) if rows else "none"
            raise ValueError(f"--answers is {self.answers!r}, and {self.prompts} has no such column; it has {names}.")
        return rewards.right_number({row["prompt"]: row[self.answers] for row in rows})
