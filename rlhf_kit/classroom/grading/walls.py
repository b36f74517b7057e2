"""Walls around a process, asked of the system directly: a world of few files, no network, no powers, small limits.

Stands alone (the standard library only): the worker, which must not import the kit, loads it by its path.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, BIND, DETACH, RECURSIVE, PRIVATE = 1, 2, 4, 8, 4096, 2, 16384, 1 << 18
DIE_WITH_PARENT, DUMPABLE, NO_NEW_POWERS = 1, 4, 38                    # prctl
STRANGERS = range(40_000, 60_000)                                      # users that nobody is
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")                  # all that a cell has of the system
SCRATCH = "/scratch"               # the one place of a cell that can be written; not /tmp, where a kit may be installed
MEBIBYTE = 2**20
NEEDED = {"RLIMIT_AS": ["limit on memory"], "RLIMIT_CPU": ["limit on processor time"],
          "RLIMIT_NPROC": ["limit on processes"], "RLIMIT_FSIZE": ["limit on files"]}     # said of a missing one


class NoWalls(OSError):
    """The system does not let us build a cell; the message is the step that failed."""


def enter_cell(root: str, visible: Sequence[str], hidden: Sequence[str] = ()) -> None:
    """Leave for a world without network, whose files are the `visible` ones, read-only; there is no way back.

    Nothing that runs yet is lost: open files stay open, loaded libraries stay loaded, and no other library of the
    system can be seen. `root` is an empty folder to build in. `hidden` are folders inside of visible ones that must
    look empty, but for what is visible inside of them in turn.

    Raises: NoWalls where the system does not allow it (not Linux, a container, AppArmor).
    """
    if not sys.platform.startswith("linux"):
        raise NoWalls(f"namespaces are a thing of Linux, this is {sys.platform}")
    _new_namespaces()
    _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    _call("mount", b"tmpfs", root.encode(), b"tmpfs", NO_SETUID, b"size=1m,mode=755")
    _furnish(root, visible, hidden)
    os.makedirs(root + SCRATCH, exist_ok=True)
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY | NO_SETUID, 0, 0, 0)    # the same bits as for mount
    _call("syscall", 442, -100, root.encode(), 0x8000, attributes, ctypes.sizeof(attributes))      # mount_setattr
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", DETACH)
    os.chdir("/")
    give_scratch()                                         # the worker's own; a child mounts another one over it


def _furnish(root: str, visible: Sequence[str], hidden: Sequence[str]) -> None:
    """Show and hide, from the outside in; the nearest folder that was shown or hidden decides what is below it."""
    shown: dict[str, bool] = {}
    wanted = dict.fromkeys(hidden, False) | dict.fromkeys([*DEVICES, *visible], True)
    for path, show in sorted(wanted.items(), key=lambda item: (len(item[0]), item[1])):
        around = next((shown[str(folder)] for folder in Path(path).parents if str(folder) in shown), False)
        if path == "/" or around == show or not os.path.lexists(path):
            continue
        if show:
            _show(path, root)
        elif os.path.isdir(root + path):
            _call("mount", b"tmpfs", (root + path).encode(), b"tmpfs", NO_SETUID, b"size=1m,mode=755")
        shown[path] = show


def begin_child() -> None:
    """In a cell: the next process forked is the first of its own world, and sees no other."""
    _call("unshare", NEW_PROCESSES | NEW_MOUNTS | NEW_IPC | NEW_NETWORK)


def give_scratch() -> None:
    """In a cell: an empty folder of 16 MiB and a thousand files that no other process sees."""
    _call("mount", b"tmpfs", SCRATCH.encode(), b"tmpfs", NO_SETUID | NO_DEVICES | NO_PROGRAMS,
          b"size=16m,nr_inodes=1000,mode=777")                           # a file costs memory, even an empty one
    os.chdir(SCRATCH)


def clear(folder: str) -> None:
    """Remove what somebody has left in a folder, however deep it nests: folders are moved up, and never walked down.

    For a folder of our own, once nobody is left who could put something in its place.
    """
    while True:
        deeper = False
        for number, entry in enumerate(os.scandir(folder)):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner, below in enumerate(os.scandir(entry.path)):
                if below.is_dir(follow_symlinks=False):
                    os.chmod(below.path, 0o700)            # what cannot be written cannot be moved
                    os.rename(below.path, f"{folder}/up{number}-{inner}-{os.getpid()}-{time.monotonic_ns()}")
                    deeper = True
                else:
                    os.unlink(below.path)
            os.rmdir(entry.path)
        if not deeper:
            return


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


def limit(memory: int, cpu_seconds: int) -> tuple[str, ...]:
    """Of this process: bytes of address space in all, seconds of processor; no process more, no large file, no core.

    Returns what this system does not limit, in words.
    """
    missing = []
    wanted = {"RLIMIT_AS": memory, "RLIMIT_CPU": cpu_seconds, "RLIMIT_NPROC": 0, "RLIMIT_FSIZE": MEBIBYTE,
              "RLIMIT_NOFILE": 64, "RLIMIT_CORE": 0, "RLIMIT_MEMLOCK": 0, "RLIMIT_MSGQUEUE": 0, "RLIMIT_SIGPENDING": 64}
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            missing += NEEDED.get(name, [])                            # this system does not count it
            continue
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            if sys.platform.startswith("linux"):                       # elsewhere some limits exist by name only
                raise
            missing += NEEDED.get(name, [])
    return tuple(missing)


def address_space(counted: int | None = None) -> int:
    """Bytes that this process has mapped; 0 where the system does not say.

    `counted` is a descriptor from `count_memory`, for when /proc can no longer be seen.
    """
    descriptor = count_memory() if counted is None else counted
    if descriptor < 0:
        return 0
    pages = os.pread(descriptor, 100, 0).split()[0]
    if counted is None:
        os.close(descriptor)
    return int(pages) * resource.getpagesize()


def count_memory() -> int:
    """A descriptor to read this process's size from; -1 where the system does not say."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def cpu_seconds(process: int) -> float:
    """What another process has used; 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0.0
    try:
        return time.clock_gettime((~process << 3) | 2)                 # what clock_getcpuclockid computes
    except OSError:
        return 0.0


def die_with_parent() -> None:
    """Be killed when the parent dies."""
    if sys.platform.startswith("linux"):
        _call("prctl", DIE_WITH_PARENT, 9, 0, 0, 0)


def go_first() -> None:
    """Of all processes of the machine, this one and its children are ended first when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:                                        # no Linux, or no /proc
        return


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
    if os.path.islink(path):                               # where it leads is shown only if that is visible too
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
