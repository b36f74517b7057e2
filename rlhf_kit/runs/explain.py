"""What is wrong with a PPO or GRPO run, by rules over the numbers that it wrote: the likely fault and its evidence.

    for finding in explain.findings(Record.read("runs/mine")):
        print(finding.fault, finding.evidence)

The rules stand in the order in which they are believed: first what must hold whatever is learnt (books that have to
balance), then what drawing must look like, then what only the course of a run shows. A run may have several faults, and
one fault shows in several numbers, so the first finding is the likeliest cause and the others are named beside it.
`tests/benchmarks/gallery.py` says on which runs the thresholds were chosen, and measures them on others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlhf_kit.runs import curves
from rlhf_kit.runs.folder import flat
from rlhf_kit.storage import StorageError

Rows = Sequence[Mapping[str, Any]]
LEAST = 4                           # steps, below which nothing can be said
NEEDED = ("score", "kl", "kl_coef", "ratio_gap", "ratio_shift", "surprise", "entropy", "ends_learnt", "eos_rate",
          "response_length", "score_std", "length_correlation", "credit", "kl_price", "approx_kl", "skipped",
          "prompt_surprise")
ROUNDING_IN_16_BITS = 0.03          # where sampling and learning read other rows together
COARSE = 0.05                       # nats per token between rounding to 8 bits and dropout
UNKNOWN = 7.0                       # nats per token of prompts; a model that knows them has 1 to 5
ROUNDING = 2e-3                     # nats per token; twice what `sanity_checks` allows one of them in float32


@dataclass(frozen=True)
class Finding:
    """A fault by its name in the gallery, and the run's numbers that speak for it."""

    fault: str
    evidence: dict[str, float]


@dataclass(frozen=True)
class Record:
    """What a run wrote: a row for each step, and its settings as far as they are known."""

    rows: Rows
    settings: Mapping[str, Any] = field(default_factory=dict)       # flat: "config/kl/estimate"

    @classmethod
    def read(cls, folder: str | Path) -> Record:
        """Of a run's folder. Raises: StorageError, one line, if it holds no steps of PPO or GRPO."""
        rows, place = curves.read(folder), Path(folder).expanduser()
        if "kl" not in rows[-1] or "score" not in rows[-1]:
            raise StorageError(f"{folder} is no run of PPO or GRPO: its steps have no score and KL. Name one that "
                               f"rlhf-kit train ppo, train grpo or the tour made.")
        known = {**_json(place / "settings.json"), **(_json(place / "result.json").get("settings") or {})}
        return cls(rows, flat(known))

    def has(self, *names: str) -> bool:
        """Whether all these numbers were written."""
        return all(self.values(name) for name in names)

    def together(self, *names: str) -> list[tuple[float, ...]]:
        """The numbers of each step that has all of them."""
        return [tuple(float(row[name]) for name in names) for row in self.rows if all(
            isinstance(row.get(name), int | float) and math.isfinite(row[name]) for name in names)]

    def setting(self, *names: str) -> Any:
        """The first of these that is known, None if none is."""
        return next((self.settings[name] for name in names if self.settings.get(name) is not None), None)

    def values(self, name: str) -> list[float]:
        """Of all steps, what is no finite number left out."""
        return curves.series(self.rows, name)[1]

    def early(self, name: str) -> float:
        """The mean of the first steps."""
        values = self.values(name)
        return _mean(values[:self._some])

    def late(self, name: str) -> float:
        """The mean of the last steps."""
        values = self.values(name)
        return _mean(values[-self._some:])

    def best(self, name: str) -> float:
        """The highest mean of as many steps in a row."""
        values, n = self.values(name), self._some
        return max((_mean(values[i:i + n]) for i in range(max(len(values) - n + 1, 1))), default=math.nan)

    def error(self, name: str) -> float:
        """The standard error of late - early, by how the steps of each scatter."""
        values, n = self.values(name), self._some
        return math.sqrt(sum(_variance(part) / len(part) for part in (values[:n], values[-n:])))

    def mean(self, name: str) -> float:
        """Of all steps."""
        return _mean(self.values(name))

    @property
    def _some(self) -> int:
        return max(len(self.rows) // 5, 2)


Rule = Callable[[Record], Finding | None]


def findings(record: Record) -> list[Finding]:
    """What the rules say, the likeliest cause first; nothing of a run that looks healthy, or is too short."""
    if len(record.rows) < LEAST:
        return []
    return [found for needs, rule in RULES if record.has(*needs) and (found := rule(record)) is not None]


def missing(record: Record) -> list[str]:
    """Numbers that some rule asks for and the run has not written, such as one of before there were such."""
    return [name for name in NEEDED if not record.has(name)]


# What must hold whatever is learnt: sampling and learning agree, and every score arrives

def _ratio(run: Record) -> Finding | None:
    """Before the first update π is π_old. What lies between them tells which of four mistakes it was."""
    first, gap, shift = run.values("ratio_gap")[0], run.mean("ratio_gap"), run.mean("ratio_shift")
    coarse = run.setting("config/autocast", "changes/autocast", "quantize", "dtype") not in (None, "float32")
    limit = ROUNDING_IN_16_BITS if coarse else ROUNDING
    if gap <= limit:
        return None
    if first <= limit and run.late("ratio_gap") > 10 * ROUNDING:
        return Finding("ratio-reference", {"first": first, "gap": run.late("ratio_gap")})
    fault = "top-k" if shift > 0.9 * gap else "dropout" if gap > COARSE else "int8-kernels"
    return Finding(fault, {"gap": gap, "shift": shift})


def _price(run: Record) -> Finding | None:
    """What drifting took off the reward is β · KL or, with the KL in the loss, nothing; more is a score that was lost.

    Known of k1 alone, whose sum is the KL that is reported.
    """
    estimate = run.setting("config/kl/estimate", "changes/estimate", "ppo/kl/estimate")
    if estimate not in (None, "k1") or run.setting("config/kl/clip", "ppo/kl/clip"):
        return None
    price, kl = run.late("kl_price"), run.late("kl")
    if price < -0.02 and kl > 0.5:
        return Finding("kl-reversed", {"kl": kl, "paid": -price})
    lost = _mean([min(abs(paid - beta * drift), abs(paid)) for paid, beta, drift in
                  run.together("kl_price", "kl_coef", "kl")])
    if lost > 0.02 and lost > 0.1 * abs(run.mean("score")):
        return Finding("wrong-token", {"score": run.mean("score"), "lost": lost})
    return None


def _credit(run: Record) -> Finding | None:
    """Learning follows the score: where nothing of it is left in the advantages, not even by chance, they were centred
    response by response."""
    apart = [abs(credit) for credit, spread in run.together("credit", "score_std") if spread > 0.01]
    steps = sum(x < 0.01 for x in apart)
    if len(apart) < LEAST or steps < 0.75 * len(apart):
        return None
    return Finding("whitened-alone", {"steps": steps, "of": len(apart), "credit": _mean(sorted(apart)[:steps])})


def _ends(run: Record) -> Finding | None:
    """End tokens are learnt from like any other."""
    if run.mean("ends_learnt") > 0.5 or run.mean("eos_rate") < 0.05:
        return None
    return Finding("eos-as-padding", {"ended": run.mean("eos_rate"), "learnt": run.mean("ends_learnt")})


# What drawing must look like: E[-log π(a)] is the entropy, and a KL is not negative

def _negative(run: Record) -> Finding | None:
    """Below 0 in every step of the second half: one alone may be so by luck."""
    half = run.values("kl")[len(run.rows) // 2:]
    return Finding("negative-kl", {"kl": run.late("kl")}) if max(half) < 0 and _mean(half) < -0.3 else None


def _surprise(run: Record) -> Finding | None:
    """The surprise of what was drawn is the entropy but for luck; how much luck is seen from step to step."""
    away = [surprise - entropy for surprise, entropy in run.together("surprise", "entropy")]
    middle = _mean(away)
    error = math.sqrt(_mean([(x - middle) ** 2 for x in away]) / len(away)) + 1e-9
    if abs(middle) < 0.08 or abs(middle) < 4 * error:
        return None
    return Finding("temperature", {"surprise": run.mean("surprise"), "entropy": run.mean("entropy"),
                                   "sigma": abs(middle) / error})


# What only the course of a run shows

def _scale(run: Record) -> Finding | None:
    """Scores of many units beside a price of fractions; of a method with a critic, which has to foresee them."""
    spread = run.early("score_std")
    if spread < 5 or run.setting("config/rescale_reward", "changes/rescale_reward"):
        return None
    return Finding("reward-scale", {"spread": spread, "kl": run.late("kl"), "price": run.late("kl_price")})


def _steps(run: Record) -> Finding | None:
    moved, skipped = max(run.values("approx_kl"), default=0.0), sum(run.values("skipped"))
    if moved < 0.5 and not skipped:
        return None
    return Finding("spikes", {"moved": moved, "skipped": skipped})


def _length(run: Record) -> Finding | None:
    """Score and length go together, and length grew."""
    correlation, before, length = run.mean("length_correlation"), run.early("response_length"), run.best(
        "response_length")
    if correlation < 0.6 or length < 1.1 * before:
        return None
    return Finding("length-bias", {"correlation": correlation, "before": before, "length": length,
                                   "ended": run.late("eos_rate")})


def _free(run: Record) -> Finding | None:
    """Drift that nobody charges, and much of it: also for each token, for long responses drift farther."""
    if run.late("kl_coef") or run.late("kl") < 20 or run.late("kl") < 0.5 * run.late("response_length"):
        return None
    return Finding("no-kl", {"kl": run.late("kl"), "score_before": run.early("score"), "score": run.late("score")})


def _exploited(run: Record) -> Finding | None:
    """The score rises by half a deviation and more, and the truth does not follow: it gains no tenth, and not half of
    what it was, which is much for a model few of whose texts are right at first; nor can it be chance alone that keeps
    it from gaining half of what the score gains, as where both have hardly moved yet."""
    before, gold = run.early("gold"), run.late("gold")
    rise = run.late("score") - run.early("score")
    if gold - before > min(0.1, before / 2) or gold - before + 2 * run.error("gold") > rise / 2:
        return None
    if rise < max(0.5 * run.early("score_std"), 0.1):
        return None
    return Finding("rm-epochs", {"gold_before": before, "gold": gold, "score_before": run.early("score"),
                                 "score": run.late("score"), "kl": run.late("kl")})


def _form(run: Record) -> Finding | None:
    """The policy is as surprised by its prompts as if it guessed."""
    surprise = run.values("prompt_surprise")[0]
    return Finding("unknown-template", {"surprise": surprise, "entropy": run.early("entropy")}
                   ) if surprise > UNKNOWN else None


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return sum((x - middle) ** 2 for x in values) / max(len(values) - 1, 1)


RULES: tuple[tuple[tuple[str, ...], Rule], ...] = (         # the numbers that a rule asks for, and the rule
    (("ratio_gap", "ratio_shift"), _ratio),
    (("kl_price", "kl", "kl_coef", "score"), _price),
    (("credit", "score_std", "value_loss"), _credit),
    (("ends_learnt", "eos_rate"), _ends),
    (("kl",), _negative),
    (("surprise", "entropy"), _surprise),
    (("prompt_surprise", "entropy"), _form),
    (("score_std", "value_loss", "kl_price"), _scale),
    (("approx_kl", "skipped"), _steps),
    (("length_correlation", "response_length", "eos_rate"), _length),
    (("kl_coef", "kl", "score", "response_length"), _free),
    (("gold", "score", "score_std", "kl"), _exploited),
)
