"""Work on strangers' data in processes that may die: a fork of this one for each item, some of them at once.

What a fork returns travels as JSON; what it may use is bounded, and none outlives the caller.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rlhf_kit.classroom.grading import walls

LARGEST = 4 * 2**20                 # bytes of a result


@dataclass(frozen=True)
class Ended:
    """What became of an item whose process did not return anything."""

    words: str                      # one line


@dataclass
class _Fork:
    """A process at work: its item's place, where it writes, until when, and what came."""

    place: int
    process: int
    pipe: int
    deadline: float
    came: bytearray = field(default_factory=bytearray)


def each(work: Callable[[Any], Any], items: Sequence[Any], at_once: int, *, seconds: float = 120.0,
         memory: int = 2**30) -> Iterator[tuple[int, Any]]:
    """`(place, work(item))` as they are done; an `Ended` where the process died, took too long, or returned too much.

    What `work` returns is made of lists, words, numbers and None; what it raises is an `Ended` too.

    Args:
        seconds: that one item may take.
        memory: bytes that one item may need beyond what this process has mapped.
    """
    waiting, running = deque(enumerate(items)), dict[int, _Fork]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                fork = _start(work, *waiting.popleft(), seconds, memory)
                running[fork.pipe] = fork
            ready = select.select(list(running), [], [], 0.2)[0]
            for fork in [running[pipe] for pipe in ready]:
                piece = os.read(fork.pipe, 1 << 16)
                fork.came += piece
                if not piece or len(fork.came) > LARGEST:
                    del running[fork.pipe]
                    yield fork.place, _result(fork)
            for fork in [fork for fork in running.values() if time.monotonic() > fork.deadline]:
                del running[fork.pipe]
                _end(fork)
                yield fork.place, Ended(f"it was not done after {seconds:g} seconds")
    finally:
        for fork in running.values():
            _end(fork)


def _start(work: Callable[[Any], Any], place: int, item: Any, seconds: float, memory: int) -> _Fork:
    ours, theirs = os.pipe()
    with warnings.catch_warnings():                        # other threads hold nothing that the fork uses
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        os.close(theirs)
        return _Fork(place, process, ours, time.monotonic() + seconds)
    try:
        os.close(ours)
        walls.die_with_parent()
        _bound(memory)
        try:
            result = {"result": work(item)}
        except BaseException as error:                     # it must not run on, as a second grader
            result = {"error": f"{type(error).__name__}: {error}"[:300]}
        with open(theirs, "wb") as pipe:
            pipe.write(json.dumps(result).encode())
    finally:
        os._exit(0)


def _bound(memory: int) -> None:
    """As far as the system counts it."""
    most = walls.address_space() + memory
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _result(fork: _Fork) -> Any:
    """What a fork wrote before it ended."""
    status, large = _end(fork), len(fork.came) > LARGEST
    try:
        told = {} if large else json.loads(fork.came)
    except ValueError:                                     # it ended before it had written all
        told = {}
    if "result" in told:
        return told["result"]
    known = status < 0 and -status in set(signal.Signals) and not large
    return Ended(told.get("error") or (f"the process that compares was ended by {signal.Signals(-status).name}" if known
                                       else "the process that compares gave no result"))


def _end(fork: _Fork) -> int:
    """Make sure that it is gone; returns its exit code, negative for a signal that had ended it before."""
    os.close(fork.pipe)
    ended, status = os.waitpid(fork.process, os.WNOHANG)
    if not ended and len(fork.came) <= LARGEST and time.monotonic() <= fork.deadline:
        time.sleep(0.02)                                   # the pipe closes a moment before the process is gone
        ended, status = os.waitpid(fork.process, os.WNOHANG)
    if not ended:
        with suppress(ProcessLookupError):
            os.kill(fork.process, signal.SIGKILL)
        status = os.waitpid(fork.process, 0)[1]
    return os.waitstatus_to_exitcode(status)
