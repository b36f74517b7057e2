"""How long a run is: the updates asked for, those asked for later, and the drift that ends it."""

from __future__ import annotations

from rlhf_kit.formulas.records import Step


class Longer:
    """What a method's Config with `steps` and `more_steps` knows of its length."""

    steps: int
    more_steps: int

    @property
    def total(self) -> int:
        """Updates in all."""
        return self.steps + self.more_steps


class Stopping(Longer):
    """The same of a Config with `stop_kl`."""

    stop_kl: float | None

    def too_far(self, step: Step | None) -> bool:
        """True if the run ends with this step, since it measured more drift than `stop_kl`."""
        return self.stop_kl is not None and step is not None and step.metrics["kl"] > self.stop_kl

    def check_stop(self) -> None:
        """Raises: ValueError, one line, for a `stop_kl` that means nothing."""
        if self.stop_kl is not None and not self.stop_kl > 0:
            raise ValueError(f"stop_kl is {self.stop_kl}; it must be above 0, or None to take every step.")
