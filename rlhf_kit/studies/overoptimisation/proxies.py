"""Which reward models are optimised: of how many comparisons, how many of them wrong, alone or as an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rlhf_kit import zoo
from rlhf_kit.formulas.ensembles import Combination
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.language import some_of
from rlhf_kit.methods import ppo, reward_model
from rlhf_kit.sampling import Sampling

METHODS = ("best-of-n", "ppo", "best-of-n-ensembles", "ppo-ensembles")  # the last two with flipped labels, too
SIZES = (200, 1000, 4000, 20_000)       # comparisons that a reward model learns from
ENSEMBLED = (200, 4000)                 # of these: those that PPO pleases, and that have an ensemble
FLIPPED = (0.0, 0.25)                   # share of comparisons whose label is the wrong way round (arXiv:2310.02743)
MEMBERS = 3                             # of an ensemble, each from another first weight and order of batches
COMBINATIONS: tuple[Combination, ...] = ("mean", "worst", "uwo")
CAUTION = {"best-of-n": 0.5, "ppo": 0.1}        # λ of uwo, as there
PENALTIES = (0.0, 0.03)                 # of a nat of drift, in deviations of the proxy over the start's answers
NS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class Proxy:
    """What is optimised: one reward model, or what three of them say together."""

    comparisons: int
    flipped: float
    kind: Literal["single"] | Combination = "single"

    @property
    def members(self) -> range:
        """The reward models of it, by number."""
        return range(1 if self.kind == "single" else MEMBERS)


@dataclass(frozen=True)
class Curve:
    """A proxy, and what optimises it how far."""

    proxy: Proxy
    method: Literal["best-of-n", "ppo"]
    penalty: float = 0.0                # of a nat, by PPO


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """How much is drawn, learned and examined: the same for every reward model."""

    prompts: int = 200                  # that PPO learns on
    held_out: int = 128                 # on which everything is measured
    draws: int = 64                     # of the start for each of them: every n up to this many
    answers: int = 4                    # of the start to a prompt, compared two by two
    scaled: int = 1000                  # answers of the start on which each reward model has mean 0 and deviation 1
    ppo_steps: int = 40
    every: int = 5                      # PPO steps between two measurements, once so many are taken
    updates: int | None = None          # of every reward model; None: as `learning` says
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=48))

    def learning(self, comparisons: int, seed: int) -> reward_model.Config:
        """One pass over the comparisons, and at least 7 √comparisons updates of 16, so that few are read often."""
        updates = self.updates or round(max(comparisons / 16, 7 * comparisons**0.5))
        return reward_model.Config(steps=updates, batch_size=16, learning_rate=3e-3, pass_size=64, seed=seed)

    def ppo(self, penalty: float, seed: int) -> ppo.Config:
        """PPO as the kit does it with tiny models, but for the penalty."""
        return replace(zoo.TINY_PPO, steps=self.ppo_steps, kl=KL(coefficient=penalty), sampling=self.sampling,
                       seed=seed)

    @property
    def measured_at(self) -> list[int]:
        """PPO steps behind which the policy is measured: the first few, which go far, and then every so many."""
        return [step for step in range(1, self.ppo_steps + 1)
                if step < self.every or step % self.every == 0 or step == self.ppo_steps]


def curves(methods: Sequence[str], sizes: Sequence[int]) -> list[Curve]:
    """Every curve of these methods, in the order in which they are made."""
    ensembled = [size for size in sizes if size in ENSEMBLED] or [min(sizes)]
    wrong, found = max(FLIPPED), []
    if "best-of-n" in methods:
        found += [Curve(Proxy(size, 0.0), "best-of-n") for size in sizes]
    if "ppo" in methods:
        found += [Curve(Proxy(size, 0.0), "ppo", penalty) for size in ensembled for penalty in PENALTIES]
    if "best-of-n-ensembles" in methods:
        found += [Curve(Proxy(size, wrong), "best-of-n") for size in sizes]
        found += _ensembles(ensembled, "best-of-n")
    if "ppo-ensembles" in methods:
        found += _ensembles(ensembled, "ppo")
    return list(dict.fromkeys(found))


def _ensembles(sizes: Sequence[int], method: Literal["best-of-n", "ppo"]) -> list[Curve]:
    """One model beside what three say together, without and with flipped labels."""
    return [Curve(Proxy(size, flipped, kind), method) for flipped in FLIPPED for size in sizes
            for kind in ("single", *COMBINATIONS)]


def chosen(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """The methods of these names, in their order; None: all. Raises: ValueError."""
    return some_of(names, METHODS, "--methods")


def sizes(text: str | None) -> tuple[int, ...]:
    """Numbers of comparisons, "200,4000"; None: all four. Raises: ValueError."""
    if text is None:
        return SIZES
    found = [one.strip() for one in text.split(",")]
    if odd := next((one for one in found if not one.isdecimal() or not 20 <= int(one) <= 100_000), None):
        raise ValueError(f"--sizes names {odd!r}; expected numbers of comparisons from 20 to 100000 with commas "
                         f"between, such as 200,4000.")
    return tuple(sorted({int(one) for one in found}))
