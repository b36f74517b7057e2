"""`rlhf-kit train dpo`: pairs of a better and a worse answer become a policy; or prompts and a reward do, online."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from rlhf_kit.datasets.door import Brought, as_rankings
from rlhf_kit.evaluate import Estimate, share
from rlhf_kit.formulas.records import Comparison, Ranking, Step
from rlhf_kit.jobs.preference_learning import RATES, PreferenceJob
from rlhf_kit.jobs.scaling import Rates
from rlhf_kit.jobs.train_ppo import PpoJob
from rlhf_kit.methods import dpo
from rlhf_kit.models.heads import Policy
from rlhf_kit.rewards import Reward
from rlhf_kit.sampling import Sampler, Sampling

TINY_DPO = dpo.Config(steps=300, batch_size=16, learning_rate=3e-4)
REAL_DPO = dpo.Config(steps=500, batch_size=32, learning_rate=5e-6, warmup=50)
ONLINE_TINY = dpo.Config(steps=100, batch_size=32, learning_rate=3e-4, sampling=Sampling(max_new_tokens=48))
ONLINE_REAL = dpo.Config(steps=200, batch_size=32, learning_rate=5e-6, sampling=Sampling(max_new_tokens=64))


@dataclass(frozen=True, kw_only=True)
class DpoJob(PreferenceJob):
    """Train a policy with DPO or IPO on pairs; rankings and scores are taken apart into pairs."""

    name: ClassVar[str] = "dpo"
    method: ClassVar[ModuleType] = dpo

    def own(self, size: str) -> dpo.Config:
        """For a model of that size."""
        return TINY_DPO if size == "tiny" else REAL_DPO

    def judged(self, brought: Brought) -> list[Any]:
        """Pairs and rankings. Raises: ValueError of labels alone."""
        return as_rankings(brought)

    def learned_from(self, items: Sequence[Comparison | Ranking]) -> list[Comparison]:
        """Every pair with a winner."""
        return [pair for one in items for pair in (one.pairs() if isinstance(one, Ranking) else [one])]

    def told(self, policy: Policy, reference: Policy, kept_out: Sequence[Comparison], config: dpo.Config) -> Estimate:
        """The share of held-out pairs whose better answer has the higher implicit reward."""
        fit = dpo.fit(policy, kept_out, config)
        return share(dpo.loss_on(policy, reference, kept_out, config)["accuracy"] * len(fit.places), len(fit.places))


@dataclass(frozen=True, kw_only=True)
class OnlineDpoJob(PpoJob):
    """Train a policy with DPO on pairs of its own answers, of which a judge or a function says which is better."""

    name: ClassVar[str] = "online-dpo"
    method: ClassVar[ModuleType] = dpo
    rates: ClassVar[dict[str, Rates]] = RATES

    def own(self, size: str) -> dpo.Config:
        """For a model of that size."""
        return ONLINE_TINY if size == "tiny" else ONLINE_REAL

    def stream(self, policy: Policy, reference: Policy, prompts: Sequence[str], score: Reward, config: dpo.Config,
               watch: Mapping[str, Reward], sampler: Sampler | None, checkpoint: Path | None) -> Iterator[Step]:
        """Answers are drawn by the kit's own loop."""
        return dpo.steps(policy, reference, prompts, config, reward=score, evaluation_rewards=watch,
                         checkpoint=checkpoint, **self.often(50))
