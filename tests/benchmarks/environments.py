"""Where the peers live: an environment each, made on first use (minutes, and a gigabyte or two).

`PEER_ENVS` names the folder, otherwise it lies in the kit's cache. pip takes its own settings, such as an index with
torch's CPU wheels, from its variables and its file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from rlhf_kit.zoo import cache_folder

PACKAGES = {
    "trl-0.11.4": ("trl==0.11.4", "transformers==4.46.3", "numpy<2.3", "rich"),     # rich: used but not declared
    "trl-1.12.0": ("trl==1.12.0", "transformers==5.23.0"),
}


def python(name: str) -> str:
    """The interpreter of an environment; "kit" is the one that asks. All have the same torch."""
    if name == "kit":
        return sys.executable
    folder = Path(os.environ.get("PEER_ENVS") or cache_folder() / "peers") / name
    if not (folder / "bin" / "trl").exists():                    # trl comes last, so the rest is there too
        print(f"Making {folder} (once) ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for packages in ([f"torch=={version('torch').split('+')[0]}"], PACKAGES[name]):
            subprocess.run([folder / "bin" / "pip", "install", "-q", *packages], check=True)
    return str(folder / "bin" / "python")
