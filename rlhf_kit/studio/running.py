"""One training in a process of its own: `python -m rlhf_kit.studio.running JOB_FOLDER`. It does not need the server.

Its lock says that it lives, whoever looks and whatever becomes of the server: the system lets go of it when the process
dies. How it ended is written down unless it was killed; so a failure is told from a kill.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from rlhf_kit.storage import write_text

JOB, LOCK, PID, ENDED, LOG = "job.json", ".lock", "pid", "ended.json", "log.txt"
PATIENCE = 2.0                      # seconds; whoever only looks whether the lock is held, holds it for a moment
BUSY = 75                           # exit code: another process has the job already (EX_TEMPFAIL)
NICE = 10                           # those who rank go first


def main(folder: Path) -> int:
    """Run the job's module with its arguments, as `python -m MODULE ARGUMENTS` would; returns the exit code."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    held = FileLock(folder / LOCK, timeout=PATIENCE)
    try:
        held.acquire()
    except Timeout:
        return BUSY
    try:
        write_text(folder / PID, str(os.getpid()))
        if hasattr(os, "nice"):
            os.nice(NICE)
        code = _run(job["module"], job["arguments"])
        write_text(folder / ENDED, json.dumps({"code": code}))
        return code
    finally:
        held.release()


def _run(module: str, arguments: list[str]) -> int:
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:                                   # a bug; whoever reads the log shall find it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
