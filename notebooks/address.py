"""The repository's address into every file that names it: `python notebooks/address.py https://github.com/you/rlhf-kit`.

It is written into the package, its description and its citation, and from there into every lesson's badge and first
cell, whose outputs stay. Run without an address it says which one is set.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMED = ("rlhf_kit/__init__.py", "pyproject.toml", "CITATION.cff")
ADDRESS = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.-]+)+(?<!\.git)")


def set_everywhere(address: str, root: Path = ROOT) -> list[str]:
    """Write it into the three files; returns those that are different now. Raises: ValueError."""
    if not ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is no address of a repository; expected one without .git or / at the end, such "
                         f"as https://github.com/you/rlhf-kit.")
    before, changed = current(root), []
    for name in NAMED if address != before else ():
        text = (root / name).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise ValueError(f"{name} names {before} {text.count(before)} times; expected once. Write {address} there "
                             f"by hand.")
        (root / name).write_bytes(text.replace(before, address).encode())
        changed.append(name)
    return changed


def current(root: Path = ROOT) -> str:
    """The address that the package names."""
    return re.search(r'^REPOSITORY = "([^"]+)"', (root / NAMED[0]).read_text(encoding="utf-8"), re.M)[1]


def main(arguments: list[str] | None = None) -> int:
    """Set it, then renew the lessons' first cells by a Python that has not read the older one."""
    asked = sys.argv[1:] if arguments is None else arguments
    if len(asked) != 1:
        print(f"The address is {current()}. To set another: python notebooks/address.py https://github.com/you/rlhf-kit")
        return 0 if not asked else 2
    try:
        changed = set_everywhere(asked[0].rstrip("/").removesuffix(".git"))
    except ValueError as error:
        print(f"address: {error}", file=sys.stderr)
        return 2
    print(f"{current()} stands in {', '.join(changed) or 'every file already'}.", flush=True)
    return subprocess.run([sys.executable, str(ROOT / "notebooks" / "build.py"), "--renew"], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
