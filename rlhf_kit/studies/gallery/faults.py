"""The table of faults: each is one line that spoils one part of a healthy run, and the line shown is the one run."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.language import did_you_mean
from rlhf_kit.rewards import weighted
from rlhf_kit.studies.gallery import slips
from rlhf_kit.studies.gallery.parts import Parts


@dataclass(frozen=True)
class Fault:
    """One way in which a run goes wrong."""

    name: str                           # as it is typed
    spoil: Callable[[Parts], Parts]     # a healthy run's parts -> the faulty one's
    shows: tuple[str, ...] = ()         # metrics in which it is seen, beside those of every page

    @property
    def line(self) -> str:
        """The line that makes it, as it stands here."""
        [function] = ast.parse(textwrap.dedent(inspect.getsource(self.spoil))).body
        return ast.unparse(function.body[-1].value)


def _no_kl(run: Parts) -> Parts:
    return run.configured(kl=KL(coefficient=0.0))


def _kl_reversed(run: Parts) -> Parts:
    return run.swapped(token_reward=slips.wrong_way)


def _whitened_alone(run: Parts) -> Parts:
    return run.swapped(whiten=slips.each_alone)


def _eos_as_padding(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.end_as_padding)


def _top_k(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.from_top(k=5))


def _temperature(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.colder(temperature=0.6))


def _dropout(run: Parts) -> Parts:
    return run.learning(slips.dropping(run.policy))


def _wrong_token(run: Parts) -> Parts:
    return run.swapped(token_reward=slips.at_last_column)


def _reward_scale(run: Parts) -> Parts:
    return run.rewarded(weighted([(100.0, run.reward)]))


def _length_bias(run: Parts) -> Parts:
    return run.rewarded(weighted([(1.0, run.reward), (1.0, slips.longer)]))


def _unknown_template(run: Parts) -> Parts:
    return run.asking("### Prompt: {}\n### Response: ".format)


def _rm_epochs(run: Parts) -> Parts:
    return run.rewarded(slips.learned_by_heart(run.task, run.config.seed))


def _spikes(run: Parts) -> Parts:
    return run.configured(learning_rate=0.02, max_grad_norm=math.inf)


def _negative_kl(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.never_told(run.reference))


def _int8_kernels(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.in_eight_bits)


def _ratio_reference(run: Parts) -> Parts:
    return run.swapped(sample_rollout=slips.against(run.reference))


_TABLE: tuple[tuple[Callable[[Parts], Parts], tuple[str, ...]], ...] = (
    (_no_kl, ("entropy",)), (_kl_reversed, ("kl_price",)), (_whitened_alone, ("credit",)),
    (_eos_as_padding, ("ends_learnt",)), (_top_k, ("ratio_gap", "ratio_shift")),
    (_temperature, ("surprise", "entropy")), (_dropout, ("ratio_gap", "clip_fraction")),
    (_wrong_token, ("kl_price", "credit")),
    (_reward_scale, ("score_std", "value_loss")), (_length_bias, ("length_correlation", "eos_rate")),
    (_unknown_template, ("prompt_surprise", "entropy")), (_rm_epochs, ("score_std",)),
    (_spikes, ("approx_kl", "clip_fraction")), (_negative_kl, ("surprise", "entropy")),
    (_int8_kernels, ("ratio_gap", "clip_fraction")), (_ratio_reference, ("ratio_gap", "clip_fraction")),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in (
    Fault(spoil.__name__.removeprefix("_").replace("_", "-"), spoil, shows) for spoil, shows in _TABLE)}


def named(name: str) -> Fault:
    """The fault of that name. Raises: ValueError, one line, if there is none."""
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name!r} in the gallery. {did_you_mean(name, FAULTS)}It has "
                         f"{', '.join(FAULTS)}.")
    return FAULTS[name]
