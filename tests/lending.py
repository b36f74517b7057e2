"""An environment in which the kit is installed as a wheel and nothing else of the repository can be seen."""

from __future__ import annotations

import subprocess
import sysconfig
import venv
from pathlib import Path


def lent(wheel: Path, folder: Path) -> Path:
    """The Python of a new environment with the kit alone in it; the libraries are lent by this one, to save minutes."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", wheel], check=True)
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")      # .pth files in there are not followed
    return python
