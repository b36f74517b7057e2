"""What this machine has, and what of the kit will work on it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from rlhf_kit import zoo
from rlhf_kit.language import Lang, say

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "numpy", "matplotlib")
OPTIONAL = ("trl", "peft", "bitsandbytes", "accelerate", "gradio", "jupyterlab", "trackio", "tensorboard", "wandb")
ROOM = 2                            # GB that a tour and its models take at most, with much to spare
PATIENCE = 3                        # seconds until the hub counts as out of reach


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    name: str
    seen: str
    good: bool | None = True        # None: neither; something is just so
    advice: str = ""                # what to do where it is not good
    essential: bool = False         # without it nothing works


def examine(lang: Lang = "en", online: bool = True) -> list[Finding]:
    """Look at versions, device, disk and hub. `online=False` asks nobody outside this machine."""
    hub = _hub(lang, online)
    return [_python(lang), *_libraries(lang), *_device(lang), _cache(lang), hub, *_works(lang, bool(hub.good))]


def healthy(findings: list[Finding]) -> bool:
    """True unless something is missing without which nothing works."""
    return all(finding.good is not False for finding in findings if finding.essential)


def _python(lang: Lang) -> Finding:
    return Finding("Python", f"{platform.python_version()} ({sys.executable})", sys.version_info >= (3, 11),
                   say(lang, "doctor_python"), essential=True)


def _libraries(lang: Lang) -> list[Finding]:
    found = []
    for name in (*LIBRARIES, *OPTIONAL):
        try:
            found.append(Finding(name, version(name)))
        except PackageNotFoundError:
            needed = name in LIBRARIES
            found.append(Finding(name, say(lang, "doctor_absent"), False if needed else None,
                                 f"pip install {name}" if needed else "", essential=needed))
    return found


def _device(lang: Lang) -> list[Finding]:
    cores = say(lang, "doctor_cpu", n=os.cpu_count(), threads=torch.get_num_threads(), memory=_memory())
    found = [Finding("CPU", f"{platform.machine()}, {cores}")]
    if not torch.cuda.is_available():
        return [*found, Finding("GPU", say(lang, "doctor_no_gpu"), None)]
    for i in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(i)
        found.append(Finding(f"GPU {i}", f"{about.name}, {about.total_memory / 2**30:.0f} GB"))
    return found


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (AttributeError, ValueError, OSError):           # Windows does not say it this way
        return "?"


def _cache(lang: Lang) -> Finding:
    """Whether tiny models can be kept, tried by writing a file."""
    folder = zoo.cache_folder()
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free / 2**30
    except OSError as error:
        return Finding(say(lang, "doctor_cache"), f"{folder}: {error.strerror}", False, say(lang, "doctor_elsewhere"),
                       essential=True)
    seen = say(lang, "doctor_free", folder=folder, free=free)
    return Finding(say(lang, "doctor_cache"), seen, free > ROOM, say(lang, "doctor_elsewhere"), essential=True)


def _hub(lang: Lang, online: bool) -> Finding:
    """Whether models can be fetched: one request without a name or a content, answered within seconds or not."""
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    name = say(lang, "doctor_hub")
    if not online or os.environ.get("HF_HUB_OFFLINE", "0").upper() not in ("", "0", "FALSE", "NO", "OFF"):
        return Finding(name, say(lang, "doctor_offline"), None)
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError:                          # it answered, if only to say no
        pass
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        return Finding(name, say(lang, "doctor_unreached", address=address, why=why), None)
    return Finding(name, address)


def _works(lang: Lang, reached: bool) -> list[Finding]:
    """The things a person would do next, and whether they will go."""
    fetched = [row["name"] for row in zoo.names() if not row["tiny"] and row["here"]]
    ready = [row["name"] for row in zoo.names() if row["tiny"] and row["here"]]
    hub = "doctor_hub_yes" if reached else "doctor_hub_cached" if fetched else "doctor_hub_no"
    pace = "doctor_fast" if torch.cuda.is_available() else "doctor_slow"
    return [Finding("rlhf-kit tour", say(lang, "doctor_tour", ready=", ".join(ready) or say(lang, "doctor_none"))),
            Finding("rlhf-kit train --model gpt2", f"{say(lang, hub, names=', '.join(fetched))} {say(lang, pace)}",
                    reached or bool(fetched) or None)]


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """The findings as plain values."""
    return [{"name": f.name, "seen": f.seen, "good": f.good, "advice": "" if f.good else f.advice} for f in findings]
