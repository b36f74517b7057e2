"""The policy as it was at several steps of a run, to be looked at: snapshots/step-0010/."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.storage import StorageError, is_complete, sweep

if TYPE_CHECKING:                   # who only looks at them need not wait for torch
    from rlhf_kit.models.heads import Policy

FOLDER = "snapshots"
MOMENTS = 10                        # at most that many besides the untrained policy and the finished one
LARGEST = 256_000_000               # bytes that all of them may take; GPT-2 would take 6 GB and is not kept


class Kept:
    """Keeps what `save` writes of a run at step 0 and then every few steps.

    A run that goes on after a kill first yields the steps that it has behind it, while the model is already at the
    last of them. So nothing is kept under the number of a step that was taken before; what was kept then is still
    there, or it is the checkpoint's own step and is kept now. A disk that is too full for it ends the keeping and not
    the run, whose checkpoint has more to say about that.

    Args:
        run: the run's folder.
        save: writes a model into a folder.
        every: steps from one to the next.
        total: steps of the run, the last of which leaves the run's own model.
        checkpoint: the folder of the method's checkpoint.
    """

    def __init__(self, run: Path, save: Callable[[Path], None], every: int, total: int, checkpoint: Path) -> None:
        from rlhf_kit.loops.checkpoints import steps_in
        self.run, self.save, self.every, self.total = run, save, every, total
        self.behind, self.room = len(steps_in(checkpoint)), True
        for step in range(0, total, every):
            sweep(place(run, step))                     # what a process left that was killed while it kept one
        self.begin()

    def begin(self) -> None:
        """Keep the untrained one."""
        if self.room and self.behind == 0:
            self._save(0)

    def after(self, step: int) -> None:
        """Step number `step`, counted from 1, has just been yielded; the last is the run's own model."""
        if self.room and self.behind <= step < self.total and step % self.every == 0:
            self._save(step)

    def _save(self, step: int) -> None:
        try:
            self.save(place(self.run, step))
        except StorageError:
            self.room = False
            with suppress(OSError):                     # what is not empty stays
                (self.run / FOLDER).rmdir()


class Snapshots(Kept):
    """Keeps the policy of a run, ten times at most, if it is small or an adapter; with `every`, whatever its size.

    Args: policy: trained in place; before the first step, and before the checkpoint is loaded. Others as of `Kept`.
    """

    def __init__(self, run: Path, policy: Policy, total: int, checkpoint: Path, every: int | None = None) -> None:
        from rlhf_kit.zoo import save_policy
        self.asked, self.bytes = every, size(policy)
        super().__init__(run, lambda folder: save_policy(policy, folder), every or max(-(-total // MOMENTS), 1), total,
                         checkpoint)

    def begin(self) -> None:
        """Keep the untrained one, if there is room for all of them."""
        moments = range(0, self.total, self.every)
        self.room = self.asked is not None or self.bytes * len(moments) <= LARGEST
        super().begin()


def size(policy: Policy) -> int:
    """Bytes of what is saved of a policy: all of it, or what learns where that is an adapter on a frozen base."""
    learning = [p for p in policy.parameters() if p.requires_grad]
    return sum(p.numel() * p.element_size() for p in learning or policy.parameters())


def place(run: Path, step: int) -> Path:
    """The folder of one step."""
    return run / FOLDER / f"step-{step:04d}"


def steps(run: Path) -> list[int]:
    """The steps that have a whole snapshot, in order."""
    found = (re.fullmatch(r"step-(\d+)", folder.name) for folder in (run / FOLDER).glob("step-*"))
    return sorted(int(name[1]) for name in found if name and is_complete(place(run, int(name[1]))))


def last_step(run: Path) -> int | None:
    """How many steps are behind the policy that a run left, by its metrics; None if it does not say."""
    try:
        return int(json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])["step"])
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return None
