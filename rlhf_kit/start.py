"""The two commands where there is no make: `python -m rlhf_kit.start run` and `... test`, in a clone, on any system.

Like the Makefile they make `.venv` first, torch by its exact version before everything else, and leave a mark when an
installation is done. It needs nothing but Python itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {                            # name -> (what is installed, what is typed then)
    "run": (".", ["-m", "rlhf_kit.cli", "tour"]),
    "test": (".[dev]", ["-m", "pytest", "-n", "2", "--dist", "loadfile", "--ignore=tests/demos"]),
    "studio": (".[ui]", ["-m", "rlhf_kit.cli", "studio"]),
    "lab": (".[lab]", ["-m", "jupyterlab"]),
}
MARKS = {".": "run.done", ".[dev]": "dev.done", ".[ui]": "ui.done", ".[lab]": "lab.done"}


def main(arguments: list[str] | None = None) -> int:
    """Make the environment where it is missing or out of date, then do it; returns the exit code."""
    asked = sys.argv[1:] if arguments is None else arguments
    if not asked or asked[0] not in COMMANDS:
        seen = f"{asked[0]!r} is no command here" if asked else "a command is missing"
        print(f"{seen}; type one of {', '.join(COMMANDS)}, such as: python -m rlhf_kit.start run", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):                          # noqa: UP036 - an older one may have been typed
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    if not (ROOT / "constraints.txt").is_file():
        print(f"{ROOT} is no clone of the kit: there is no constraints.txt. Where the kit is installed, type "
              f"`rlhf-kit tour`.", file=sys.stderr)
        return 2
    what, then = COMMANDS[asked[0]]
    for command in installing(what):
        if failed := subprocess.run(command, cwd=ROOT).returncode:
            return failed
    mark(what).touch()
    settings = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"} | dict(os.environ)
    return subprocess.run([str(python()), *then, *asked[1:]], cwd=ROOT, env=settings).returncode


def python(system: str = os.name) -> Path:
    """The environment's own Python."""
    return ROOT / ".venv" / ("Scripts/python.exe" if system == "nt" else "bin/python")


def mark(what: str) -> Path:
    return ROOT / ".venv" / MARKS[what]


def installing(what: str) -> list[list[str]]:
    """What has to be run before `what` is installed; nothing where its mark is newer than what asks for it."""
    asks = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    if mark(what).exists() and all(file.stat().st_mtime <= mark(what).stat().st_mtime for file in asks):
        return []
    torch = next(line.strip() for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
                 if line.startswith("torch=="))
    pip = [str(python()), "-m", "pip", "install", "-qq", "--disable-pip-version-check",
           "--constraint", "constraints.txt"]
    print("Making .venv (once; a few minutes, most of it torch) ...", flush=True)
    there = any(python().with_name(name).exists() for name in ("pip", "pip.exe"))           # uv makes one without
    fresh = [] if there else [[sys.executable, "-m", "venv", str(ROOT / ".venv")]]
    return [*fresh, [*pip, torch], [*pip, "--editable", what]]


if __name__ == "__main__":
    sys.exit(main())
