"""An environment in which the kit is installed as a wheel and nothing else of the repository can be seen."""

from __future__ import annotations

import subprocess
import sysconfig
import venv
from pathlib import Path


def lent(wheel: Path | None, folder: Path) -> Path:
    """The Python of a new environment with the kit alone in it, or without; the libraries are lent by this one, to save
    minutes."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    an_old_one = ["uninstall", "--yes", "setuptools"]       # torch asks for a newer one, which is lent
    asked = ["install", "--no-deps", "--no-index", wheel] if wheel else an_old_one
    subprocess.run([python, "-m", "pip", "-qq", *asked], check=True)
    (folder / "lent").mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "rlhf_kit" not in path.name:                     # an editable one leaves its notebooks there
            (folder / "lent" / path.name).symlink_to(path)
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    (site / "lent.pth").write_text(f"{folder / 'lent'}\n")                     # .pth files in there are not followed
    return python
