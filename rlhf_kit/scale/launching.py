"""More than one process: how many were asked for, how many there are, and the configs that really start them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from rlhf_kit.storage import write_files

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")      # torchrun's, and those of MPI
INSTEAD = ("Run: ACCELERATE_USE_CPU=true accelerate launch --config_file two_cpu_processes.yaml ... (rlhf-kit export "
           "accelerate writes that file), or: ACCELERATE_USE_CPU=true torchrun --nproc_per_node {n} ...")


def check_processes(expected: int | None = None, *, connected: int | None = None) -> int:
    """How many processes this run has; refuses a run that silently has fewer than were asked for.

    On a CPU, `accelerate launch --num_processes 2` starts one process with --cpu or a config of MULTI_CPU, and two
    that do not know of each other with a config of MULTI_GPU: a script that ignores it runs to its end, alone.

    Args:
        expected: how many you asked for; None: what the `accelerate launch` that started this process was told, where
            the system shows it (Linux).
        connected: how many the script's own `accelerator.num_processes` counts; None: that is not compared.

    Raises: ValueError.
    """
    started = _started(os.environ)
    if expected is not None and expected != started:
        raise ValueError(f"{_processes(expected)} asked for and {started} started. {INSTEAD.format(n=expected)}")
    asked = _told(_parent()) if expected is None else expected
    if asked is not None and started < asked:
        raise ValueError(f"accelerate launch was told to start {asked} processes and started {started}: with --cpu, or "
                         f"distributed_type: MULTI_CPU, it starts one and says nothing. {INSTEAD.format(n=asked)}")
    if connected is not None and connected != started:
        raise ValueError(f"{_processes(started)} started and each sees {connected}: on a CPU they are connected only "
                         f"by Accelerator(cpu=True), or with ACCELERATE_USE_CPU=true before the command.")
    return started


def configs() -> list[str]:
    """The names of the configs for `accelerate launch --config_file` that come with the kit."""
    return sorted(file.name for file in _folder().iterdir() if file.name.endswith(".yaml"))


def write_configs(folder: Path | str) -> list[Path]:
    """Copy them into a folder, which is made if it is not there; returns the files.

    Raises: StorageError, also for somebody's own files of these names.
    """
    return write_files(Path(folder).expanduser(), {name: (_folder() / name).read_text(encoding="utf-8")
                                                   for name in configs()})


def _folder():
    return files("rlhf_kit.scale") / "data" / "accelerate"


def _processes(n: int) -> str:
    return f"{n} processes were" if n != 1 else "1 process was"


def _started(environment: Mapping[str, str]) -> int:
    """The size that the launcher left in the environment, 1 if none did."""
    name = next((name for name in SIZES if environment.get(name)), None)
    if name is None:
        return 1
    if not re.fullmatch(r"[1-9]\d*", environment[name]):
        raise ValueError(f"{name} is {environment[name]!r}; expected the number of processes, as torchrun sets it. "
                         f"Unset it to run alone.")
    return int(environment[name])


def _parent() -> list[str]:
    """The parent's command line in words; none where the system does not show it."""
    try:
        return Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    except (OSError, UnicodeDecodeError):
        return []


def _told(command: Sequence[str]) -> int | None:
    """How many processes a command line tells accelerate to start; None if it is no `accelerate launch`."""
    words = _arguments(command)
    if words is None:
        return None
    told = _option(words, "num_processes")
    if told is not None:
        return int(told) if told.isdecimal() else None
    return _in_config(_option(words, "config_file"), "cpu" in {word.lstrip("-") for word in words})


def _arguments(command: Sequence[str]) -> list[str] | None:
    """What stands between `accelerate launch` and the script; None if it is no `accelerate launch`."""
    for place, word in enumerate(command):
        name = Path(word).name
        if name == "accelerate" and command[place + 1:place + 2] == ["launch"]:
            rest = command[place + 2:]
        elif name in ("accelerate-launch", "accelerate.commands.launch", "launch.py") and "accelerate" in word:
            rest = command[place + 1:]
        else:
            continue
        script = sys.argv[0]
        end = next((i for i, word in enumerate(rest) if word.endswith(".py") or word == script or word in ("-m",
                                                                                                          "--module")),
                   len(rest))
        return list(rest[:end])
    return None


def _option(words: Sequence[str], name: str) -> str | None:
    """The value of `--name value` or `--name=value`, hyphens for underscores as accelerate allows."""
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key.startswith("--") and key[2:].replace("-", "_") == name:
            return value if equals else words[place + 1] if place + 1 < len(words) else None
    return None


def _in_config(file: str | None, cpu: bool) -> int | None:
    """num_processes of a config file; with none named, of accelerate's default file, which --cpu leaves out."""
    import yaml
    from accelerate.commands.config.config_args import default_config_file
    path = Path(file or default_config_file)
    if (file is None and cpu) or not path.is_file():
        return None
    config = yaml.safe_load(path.read_text(encoding="utf-8"))               # JSON is YAML too; accelerate has read it
    return config.get("num_processes") if isinstance(config, dict) else None
