"""PPO with a person as the judge: asks for scores or picks, learns from a batch of them, takes back what you like."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from rlhf_kit import zoo
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, named
from rlhf_kit.evaluate import evaluate
from rlhf_kit.formulas.records import Chat, Rollout, Step
from rlhf_kit.jobs import written
from rlhf_kit.jobs.questions import as_read, questions, samples
from rlhf_kit.jobs.settings import SMALL, changed, check_task, described, unread, use_threads
from rlhf_kit.language import Lang
from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.loops.checkpoints import FILE, steps_in
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import pad_id
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs import pipeline
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run
from rlhf_kit.sampling import check_room, joined, sample_rollout
from rlhf_kit.storage import StorageError, add_line, same_file_as, sweep, write_json_lines

Mode = Literal["score", "pick"]
SKIP = "skip"
PICKS = {"1": (1.0, -1.0), "2": (-1.0, 1.0), "tie": (0.0, 0.0)}     # what a pick says of both responses
BEST, WORST = 2.0, -2.0             # scores that a person may give
KEPT = 10                           # updates that can be taken back
RATINGS = "ratings.jsonl"

# As in the tour, but the rate does not fall: nobody knows when the person will stop.
TINY = replace(zoo.TINY_PPO, steps=1_000_000, epochs=4, min_lr_ratio=1.0, lam=0.95, missing_eos_penalty=0.0)
LARGE = replace(zoo.GPT2_PPO, steps=1_000_000)                      # GPT-2 and larger


@dataclass(frozen=True)
class Item:
    """Something to judge."""

    prompt: str
    responses: tuple[str, ...]      # one to be scored, or two of which the better is picked


class Loop:
    """The loop without a terminal: it shows `item`, takes an answer, and learns when a batch is full.

        loop = Loop(policy, prompts, "runs/mine", mode="pick")
        while ...:
            show(loop.item)
            step = loop.answer("1")         # or "2", "tie", "skip"; a score from -2 to 2; a `Step` after an update
            loop.undo()

    A batch is full when it holds `batch` ratings that are not all equal: PPO learns from differences, which whitening
    over the whole batch puts on one scale, and a batch that is liked alike throughout holds none. Until there is one
    the next ratings join it. What is skipped is in no batch.

    Every answer is in `ratings.jsonl` before `answer` returns, and every update in `updates/`. Made anew in the same
    folder, the loop goes on where it was, within a batch too; nothing is asked twice.

    Args:
        policy: as it was before the first rating, also when the loop goes on; trained in place.
        prompts: drawn from, each once an epoch.
        folder: where all that is saved.
        config: of PPO; how many responses there are to a gradient is the batch's to say, and a batch that waited gets
            more gradients.
        chats: the conversation of every prompt that a chat template wrote, see `read`.
        notes: what a person should know before the first item: keys of sentences, fields.
    """

    def __init__(self, policy: Policy, prompts: Sequence[str], folder: Path | str, *, mode: Mode = "score",
                 batch: int = 6, config: ppo.Config = TINY, chats: Mapping[str, Chat] | None = None,
                 notes: Sequence[written.NOTE] = ()) -> None:
        check(mode, batch)
        check_room(policy, prompts, config.sampling)
        self.chats, self.notes = chats or {}, notes
        self.policy, self.prompts, self.folder = policy.eval(), prompts, Path(folder)
        self.mode, self.batch, self._each = mode, batch, 2 if mode == "pick" else 1
        self.config = replace(config, batch_size=batch * self._each, minibatch_size=batch * self._each)
        self.reference = policy.reference()
        self.followed: tuple[str, dict[str, Any]] | None = None     # how to look at it in a tracker
        self._untrained = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
        self._rows = _read(self.folder / RATINGS)
        self._open()
        self._check_log()
        self._mend()
        self._next()

    @property
    def ratings(self) -> list[dict[str, Any]]:
        """Every rating that counts: neither skipped nor undone."""
        return [row for row in self._rows if not row["undone"] and row["answer"] != SKIP]

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """Those of them that no update has learnt from yet."""
        return [row for row in self._answers() if row["answer"] != SKIP]

    def read(self, prompt: str) -> str:
        """A prompt as a person reads it: a question without the marks of the chat template."""
        return as_read(prompt, self.chats)

    def checked(self, answer: float | str) -> float | str:
        """The answer as it is kept. Raises: ValueError, one line, for one that is none."""
        if answer == SKIP or (self.mode == "pick" and answer in PICKS):
            return answer
        if self.mode == "pick":
            raise ValueError(f"the answer is {answer!r}; expected one of {', '.join(PICKS)}, {SKIP}.")
        try:
            score = float(answer)
        except ValueError:
            score = math.nan
        if not WORST <= score <= BEST:
            raise ValueError(f"the answer is {answer!r}; expected a number from {WORST:g} to {BEST:g}, or {SKIP}.")
        return score

    def answer(self, answer: float | str) -> Step | None:
        """Take the answer to `item` and go on to the next; a `Step` if that filled the batch.

        Raises: ValueError for an answer that is none, and then nothing has changed.
        """
        row = {"step": len(self.history), "place": len(self._answers()), "prompt": self.item.prompt,
               "responses": list(self.item.responses), "answer": self.checked(answer),
               "seconds": round(time.monotonic() - self._since, 2),
               "time": datetime.now(UTC).isoformat(timespec="seconds"), "undone": False}
        add_line(self.folder / RATINGS, row)
        self._rows.append(row)
        step = self._update() if self._full() else None
        self._next()
        return step

    def learn(self) -> Step | None:
        """Make the update now, from what the batch holds so far; None if there is nothing to prefer in it."""
        if not self._differ():
            return None
        step = self._update()
        self._next()
        return step

    def undo(self) -> bool:
        """Take back the last answer, and with it the update that it brought; its item is asked again.

        Parameters, optimizer and history are then what they were before that update, bit for bit. In the log the
        answer stays, marked as undone. False if there is nothing to take back, or it was too many updates ago.
        """
        if not self._answers() and not self._step_back():
            return False
        for row in self._answers()[-1:]:
            row["undone"] = True
        write_json_lines(self.folder / RATINGS, self._rows)
        self._next()
        return True

    def _answers(self) -> list[dict[str, Any]]:
        """What was answered since the last update, skipped ones included."""
        return [row for row in self._rows if row["step"] == len(self.history) and not row["undone"]]

    def _scores(self) -> list[float]:
        """One number for each response of the batch so far."""
        given = [row["answer"] for row in self.waiting]
        return [score for answer in given for score in (PICKS[answer] if self.mode == "pick" else (answer,))]

    def _differ(self) -> bool:
        return len(set(self._scores())) > 1

    def _full(self) -> bool:
        return len(self.waiting) >= self.batch and self._differ()

    # -- what is shown: as many responses at a time as a batch has ratings ---------------------------------------------

    def _next(self) -> None:
        rollout = self._shown([len(self._answers())])
        self.item, self._since = Item(rollout.prompts[0], tuple(rollout.responses)), time.monotonic()

    def _shown(self, places: Sequence[int]) -> Rollout:
        """The responses that are shown at these places of the current batch, as they were drawn."""
        step, each = len(self.history), self._each
        while len(self._drawn) * self.batch <= max(places):
            part, seed = len(self._drawn), self.config.seed
            chosen = draw(len(self.prompts), self.batch, seed_for(seed, "more", part) if part else seed, step)
            self._drawn.append(sample_rollout(self.policy, [self.prompts[i] for i in chosen for _ in range(each)],
                                              self.config.sampling, seed_for(seed, "rollout", step, part)))
        rows = [place * each + k for place in places for k in range(each)]
        return joined(self._drawn, pad_id(self.policy.tokenizer))[rows]

    def _check_log(self) -> None:
        """Raises: StorageError if what is shown now is not what was answered then."""
        for row in self._answers():
            shown = self._shown([row["place"]])
            if shown.prompts[0] != row["prompt"] or shown.responses != row["responses"]:
                raise StorageError(f"{self.folder / RATINGS} holds answers to other responses than this machine's "
                                   f"model gives. Go on where they were given, or start anew with --fresh.")

    # -- updates, and back ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Bring the policy to its last saved update. PPO's own loop holds it there until the next batch is full."""
        updates = self.folder / "updates"
        self.policy.load_state_dict(self._untrained)

        def human(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
            return self._scores()
        human.run_identity = f"a person, {self.mode}"       # what was answered is in the log

        def judged(number: int) -> Rollout:
            return self._shown([row["place"] for row in self.waiting])

        self._stream = ppo.steps(self.policy, self.reference, self.prompts, human, self.config, rollouts=judged,
                                 checkpoint=updates, checkpoint_every=1)
        self.history = list(islice(self._stream, len(steps_in(updates))))
        self._drawn: list[Rollout] = []

    def _update(self) -> Step:
        if self.history:
            same_file_as(self._state(), self._state(len(self.history)))
        try:
            step = next(self._stream)
        except BaseException:                       # Ctrl-C, too: half an update is none
            self._open()
            self._next()
            raise
        self.history.append(step)
        self._drawn = []
        self._state(len(self.history) - KEPT - 1).unlink(missing_ok=True)
        self._write_metrics()
        return step

    def _mend(self) -> None:
        """Do what a kill prevented, after an answer that filled a batch or after the update that followed."""
        sweep(self._state(len(self.history)))
        if self.history:
            self._write_metrics()
        if self._full():
            self._update()

    def _step_back(self) -> bool:
        """To before the last update; one renaming does it, so a kill leaves the one state or the other."""
        before = len(self.history) - 1
        if before < 0 or (before and not self._state(before).exists()):
            return False
        if before:
            os.replace(self._state(before), self._state())
        else:
            self._state().unlink()
        self._open()
        self._write_metrics()
        return True

    def _state(self, number: int | None = None) -> Path:
        """The file of the last update, or of an earlier one."""
        return self.folder / "updates" / (FILE if number is None else f"after-{number}.safetensors")

    def _write_metrics(self) -> None:
        rows = [{"step": step.number + 1, **step.metrics} for step in self.history]
        write_json_lines(self.folder / "metrics.jsonl", rows)


@dataclass(frozen=True, kw_only=True)
class HumanLoopJob(Job):
    """What `rlhf-kit human-loop` does: a model's name and a person become a trained policy in a folder."""

    name: ClassVar[str] = "human"
    files: ClassVar[tuple[str, ...]] = ("prompts",)

    model: str                              # a tiny model's name, a folder, or a hub id
    prompts: str | None = None              # a file of prompts; None = openings of the made-up reviews
    column: str = "prompt"                  # its column, unless it is a .txt
    template: str | None = None             # that conversations are written by; None = the model's own
    mode: Mode = "score"                    # a number for each response, or the better of two
    batch: int = 6                          # ratings per update
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `ppo.Config` that differ from the defaults

    def __post_init__(self) -> None:
        check(self.mode, self.batch)
        check_task(self.task, self.prompts, "--prompts")
        changed(TINY, self.changes)
        if self.prompts is None and self.column != "prompt":
            raise ValueError("--prompt-column is one of a file of prompts, and there is none. Name it with --prompts.")

    def run(self, folder: str | Path, fresh: bool = False, threads: int | None = None, *,
            track: str | None = None) -> Iterator[Event]:
        """Only a person can go through it: see `session`."""
        raise TypeError("a human loop is answered, not run; use: with job.session(folder) as loop: loop.answer(...)")

    @contextmanager
    def session(self, folder: str | Path, fresh: bool = False, threads: int | None = None, *,
                track: str | None = None) -> Iterator[Loop]:
        """A `Loop` in a folder that is held as long as this lasts; the policy and a result are written at its end.

        After Ctrl-C only the policy: nobody waits for an evaluation then. `fresh` throws away what is there. `track`,
        see `runs.trackers`, gets the updates at the end, since until then they may be taken back; one that is taken
        back in a later session stays there as it was.
        """
        with pipeline.opened(self, folder, fresh, threads, track=track) as (run, plan):
            with run.timed("human"):
                loop = plan.begin()
                loop.followed = run.followed.where
                try:
                    yield loop
                finally:
                    zoo.save_policy(loop.policy, run.at("policy"))
                    for step in loop.history:
                        run.followed.step("human", Metrics().row(step))
            pipeline.finish(run, plan)

    def plan(self, run: Run) -> _Talk:
        """No stage that runs by itself: a person's answers are the steps."""
        policy = zoo.load_policy(self.model, device=self.device)
        asked = questions(self.brought, self.task, self.lang, policy, self.template, self.model)
        learn, held_out, chats, account = asked.learn, asked.held_out, asked.chats, asked.account
        use_threads(run.threads, policy)
        config = changed(TINY if parameters(policy) < SMALL else LARGE, self.changes)
        check_room(policy, [*learn, *held_out], config.sampling)
        loops: list[Loop] = []

        def begin() -> Loop:
            notes = [*written.news(self.brought, account), *unread(policy.tokenizer, [*learn, *held_out])]
            loops.append(Loop(policy, learn, run.folder, mode=self.mode, batch=self.batch, config=config, chats=chats,
                              notes=notes))
            return loops[0]
        return _Talk([], lambda: self._result(loops[0], held_out), begin=begin)

    @cached_property
    def brought(self) -> Brought | None:
        """What the file of prompts holds, read once. Raises: datasets.reading.FileError."""
        column = None if self.column == "prompt" else self.column
        return None if self.prompts is None else bring(self.prompts, "prompts", named(None, prompt=column), OPTIONS)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _result(self, loop: Loop, held_out: Sequence[str]) -> dict[str, Any]:
        before, after = (evaluate(policy, loop.reference, held_out, {}, loop.config.sampling, loop.config.seed + 1)
                         for policy in (loop.reference, loop.policy))
        return {"job": "human", "settings": described(self, loop.config),
                "ratings": len(loop.ratings), "waiting": len(loop.waiting), "updates": len(loop.history),
                "score": [step.metrics["score"] for step in loop.history], "kl": after.kl,
                "before": before.numbers(), "after": after.numbers(), "samples": samples(before, after, loop.chats),
                **({} if self.brought is None else {"read": self.brought.account.numbers()})}


Human = HumanLoopJob                # its name from before there were jobs


@dataclass(frozen=True)
class _Talk(Plan):
    """A plan that a person carries out."""

    begin: Callable[[], Loop] = field(kw_only=True)     # makes the loop, once the folder is claimed


def check(mode: str, batch: int) -> None:
    """Raises: ValueError for a mode that is none, or a batch in which nothing could differ."""
    if mode not in get_args(Mode):
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(get_args(Mode))}.")
    if not 2 <= batch <= 1000:
        raise ValueError(f"batch is {batch} ratings; it must be at least 2, for they are compared with each other, "
                         f"and at most 1000.")


def _read(path: Path) -> list[dict[str, Any]]:
    """The log's rows. A last line that a kill left unfinished was never acknowledged and goes."""
    sweep(path)
    if not path.exists():
        return []
    needed = {"step", "place", "prompt", "responses", "answer", "undone"}
    *lines, rest = path.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row, dict) and needed <= row.keys() for row in rows):
            raise ValueError("a line is no rating")
    except ValueError as error:
        raise StorageError(f"{path} is damaged ({error}). Mend it, or start anew with --fresh.") from error
    if rest:
        write_json_lines(path, rows)
    return rows
