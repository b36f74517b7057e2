"""`rlhf-kit train kto`: answers that were called good or bad become a policy; no pairs are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from rlhf_kit.datasets.door import Binary, Brought, as_labelled
from rlhf_kit.datasets.reading import refused
from rlhf_kit.evaluate import Estimate, area
from rlhf_kit.formulas.records import Labelled, Ranking
from rlhf_kit.jobs import written
from rlhf_kit.jobs.preference_learning import PreferenceJob
from rlhf_kit.jobs.rows import Rows
from rlhf_kit.methods import kto
from rlhf_kit.models.heads import Policy
from rlhf_kit.runs.pipeline import Plan, Run

TINY_KTO = kto.Config(steps=300, batch_size=32, learning_rate=3e-4)
REAL_KTO = kto.Config(steps=500, batch_size=32, learning_rate=5e-6, warmup=50)


@dataclass(frozen=True, kw_only=True)
class KtoJob(PreferenceJob):
    """Train a policy with KTO on labelled answers; of a pair or a ranking the best is taken as good, the worst as bad.

    Unless weights are named, the rarer kind is weighed up.
    """

    name: ClassVar[str] = "kto"
    method: ClassVar[ModuleType] = kto

    def plan(self, run: Run) -> Plan:
        """Of labels that are all of one kind it is said before a model is loaded."""
        self._check_kinds()
        return super().plan(run)

    def rows(self, n: int) -> Rows:
        """The same."""
        self._check_kinds()
        return super().rows(n)

    def _check_kinds(self) -> None:
        if isinstance(self.brought, Binary) and len(kinds := {one.good for one in as_labelled(self.brought)}) == 1:
            raise refused(self.brought.account.source, f"holds {'good' if kinds.pop() else 'bad'} answers only; KTO "
                                                       f"learns from both kinds. Add some of the other.")

    def own(self, size: str) -> kto.Config:
        """For a model of that size."""
        return TINY_KTO if size == "tiny" else REAL_KTO

    def judged(self, brought: Brought) -> list[Labelled]:
        """Labels as they are, pairs and rankings taken apart."""
        return as_labelled(brought)

    def learned_from(self, items: Sequence[Labelled | Ranking]) -> list[Labelled]:
        """Of a world's rankings the first and the last."""
        return [each for one in items for each in (
            [one] if isinstance(one, Labelled) else [Labelled(one.prompt, one.responses[0], True),
                                                     Labelled(one.prompt, one.responses[-1], False)])]

    def fitted(self, config: kto.Config, learn: Sequence[Labelled]) -> tuple[kto.Config, list[written.NOTE]]:
        """Both kinds weigh alike, unless somebody said otherwise; and how many there are of each."""
        goods = sum(one.good for one in learn)
        apart = [("kto_from_pairs", {})] if self.brought is not None and not isinstance(self.brought, Binary) else []
        if {"good_weight", "bad_weight"} & self.changes.keys():
            return config, apart
        found = kto.balanced(config, learn)
        weighed = found != config
        return found, [*apart, *([("kto_balanced", {"good": goods, "bad": len(learn) - goods, "good_weight":
                                                    found.good_weight, "bad_weight": found.bad_weight})]
                                 if weighed else [])]

    def told(self, policy: Policy, reference: Policy, kept_out: Sequence[Labelled], config: Any) -> Estimate:
        """How often a held-out good answer has a higher implicit reward than a bad one (the area under the curve)."""
        reward, good = kto.rewards_on(policy, reference, kept_out, config)
        if not good.any() or good.all():
            raise ValueError(f"of the {len(kept_out)} answers held out {int(good.sum())} are good; to be examined, at "
                             f"least 1 good and 1 bad one are needed. Raise --held-out, or add some.")
        return area(reward, good)
