"""Walls around a process, asked of the system directly: a world of few files, no network, no powers, small limits.

Stands alone (the standard library only): the worker, which must not import the kit, loads it by its path.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, BIND, DETACH, RECURSIVE, PRIVATE = 1, 2, 4, 8, 4096, 2, 16384, 1 << 18
DIE_WITH_PARENT, DUMPABLE, NO_NEW_POWERS = 1, 4, 38                    # prctl
STRANGERS = range(40_000, 60_000)                                      # users that nobody is
SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/sys/devices/system/cpu", "/proc",
          "/dev/null", "/dev/zero", "/dev/urandom")
SCRATCH = "/scratch"               # the one place of a cell that can be written; not /tmp, where a kit may be installed
MEBIBYTE = 2**20


class NoWalls(OSError):
    """The system does not let us build a cell; the message is the step that failed."""


def enter_cell(root: str, visible: Sequence[str], hidden: Sequence[str]) -> None:
    """Leave for a world without network, whose files are the `visible` ones, read-only; there is no way back.

    Nothing that runs yet is lost: open files stay open. `root` is an empty folder to build in, `hidden` are folders
    inside of visible ones that must look empty.

    Raises: NoWalls where the system does not allow it (not Linux, a container, AppArmor).
    """
    if not sys.platform.startswith("linux"):
        raise NoWalls(f"namespaces are a thing of Linux, this is {sys.platform}")
    _new_namespaces()
    _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    _call("mount", b"tmpfs", root.encode(), b"tmpfs", NO_SETUID, b"size=1m,mode=755")
    shown: list[str] = []
    for path in sorted({*SYSTEM, *visible}, key=len):
        if path != "/" and os.path.lexists(path) and not any(path.startswith(f"{other}/") for other in shown):
            _show(path, root)
            shown.append(path)
    for path in hidden:
        if os.path.isdir(root + path):
            _call("mount", b"tmpfs", (root + path).encode(), b"tmpfs", READ_ONLY, b"size=4k,mode=555")
    os.makedirs(root + SCRATCH, exist_ok=True)
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID, 0, 0, 0)    # the same bits as for mount
    _call("syscall", 442, -100, root.encode(), 0x8000, attributes, ctypes.sizeof(attributes))      # mount_setattr
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", DETACH)
    os.chdir("/")


def hide_processes() -> None:
    """Take /proc away, once the libraries that read it are loaded."""
    _call("umount2", b"/proc", DETACH)


def begin_child() -> None:
    """In a cell: the next process forked is the first of its own world, and sees no other."""
    _call("unshare", NEW_PROCESSES | NEW_MOUNTS | NEW_IPC | NEW_NETWORK)


def give_scratch() -> None:
    """In a cell: an empty folder of 16 MiB that no other process sees."""
    _call("mount", b"tmpfs", SCRATCH.encode(), b"tmpfs", NO_SETUID | NO_DEVICES | NO_PROGRAMS, b"size=16m,mode=777")
    os.chdir(SCRATCH)


def give_up_powers(number: int) -> None:
    """From now on a stranger (if we were root), without capabilities, and no program run can bring them back."""
    if os.geteuid() == 0:
        stranger = STRANGERS[number % len(STRANGERS)]
        os.setgroups([])
        os.setresgid(stranger, stranger, stranger)
        os.setresuid(stranger, stranger, stranger)
    if sys.platform.startswith("linux"):
        _call("prctl", NO_NEW_POWERS, 1, 0, 0, 0)
        header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        _call("capset", header, none)
        die_with_parent()                                              # forgotten when the user changes: again


def limit(memory: int, cpu_seconds: int) -> None:
    """Of this process: bytes of address space in all, seconds of processor; no process more, no large file, no core."""
    wanted = {"RLIMIT_AS": memory, "RLIMIT_CPU": cpu_seconds, "RLIMIT_NPROC": 0, "RLIMIT_FSIZE": MEBIBYTE,
              "RLIMIT_NOFILE": 64, "RLIMIT_CORE": 0, "RLIMIT_MEMLOCK": 0, "RLIMIT_MSGQUEUE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue                                                   # this system does not count it
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            if sys.platform.startswith("linux"):                       # elsewhere some limits exist by name only
                raise


def address_space() -> int:
    """Bytes that this process has mapped; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def cpu_seconds(process: int) -> float:
    """What another process has used; 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0.0
    import time
    try:
        return time.clock_gettime((~process << 3) | 2)                 # what clock_getcpuclockid computes
    except OSError:
        return 0.0


def die_with_parent() -> None:
    """Be killed when the parent dies."""
    if sys.platform.startswith("linux"):
        _call("prctl", DIE_WITH_PARENT, 9, 0, 0, 0)


def keep_private(private: bool = True) -> None:
    """Whether processes of the same user are kept from reading this one's memory and from tracing it."""
    if sys.platform.startswith("linux"):
        _call("prctl", DUMPABLE, 0 if private else 1, 0, 0, 0)


def _new_namespaces() -> None:
    """Root needs no user namespace, and without one its children can become strangers; others need one."""
    user, group = os.geteuid(), os.getegid()
    _call("unshare", NEW_MOUNTS | NEW_NETWORK | NEW_IPC | (NEW_USER if user else 0))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            try:
                Path("/proc/self", name).write_text(text)
            except OSError as error:
                raise NoWalls(f"{name}: {error.strerror}") from error


def _show(path: str, root: str) -> None:
    """Make `path` visible below `root`: a link as a link, anything else as what it is."""
    target = root + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        Path(target).touch()
    _call("mount", path.encode(), target.encode(), None, BIND | RECURSIVE, None)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """A function of the C library that returns 0. Raises: NoWalls with what the system says."""
    try:
        function = getattr(_LIBC, name)
    except AttributeError as error:
        raise NoWalls(f"{name} is not in this system's C library") from error
    words = [ctypes.c_ulong(a) if isinstance(a, int) and a >= 0 else a for a in arguments]
    if function(*words) != 0:
        raise NoWalls(f"{name}: {os.strerror(ctypes.get_errno())}")
