"""System calls that an answer may not make: a filter that the kernel keeps for the rest of the process's life.

Computing needs few calls; what is refused starts processes, talks to others, leaves something behind that outlives the
process, or takes memory that no limit counts. Stands alone (the standard library only): the worker loads it by path.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator

# name: number on x86-64, number on 64-bit ARM (None: there is none), as in the kernel's tables
REFUSED = {
    # processes and programs
    "fork": (57, None), "vfork": (58, None), "clone": (56, 220), "clone3": (435, 435),
    "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97), "setns": (308, 268), "personality": (135, 92),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "setpriority": (141, 140),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "ioprio_set": (251, 30), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # talking
    "socket": (41, 198), "socketpair": (53, 199),
    # memory and notes that no limit counts, or that stay
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "io_setup": (206, 0), "io_uring_setup": (425, 425), "timer_create": (222, 107),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    # the system itself
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "quotactl": (179, 60), "acct": (163, 89), "swapon": (167, 224),
    "swapoff": (168, 225), "reboot": (169, 142), "syslog": (103, 116), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "uselib": (134, None),
}
REPLY = {"fork": errno.EAGAIN, "vfork": errno.EAGAIN, "clone": errno.EAGAIN, "clone3": errno.ENOSYS}
# calls that are refused by their first argument
KILL, TGKILL, PRLIMIT, PRCTL = (62, 129), (234, 131), (302, 261), (157, 167)
DEATH_SIGNAL, DUMPABLE, MEMORY_MAP = 1, 4, 35                          # of prctl: so that none outlives us
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}     # column, and the kernel's name for it
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, KILL_PROCESS, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16                             # places in what the filter reads
FOREIGN = 0x40000000                                                   # numbers of x86-64's other ABI
SET_FILTER, FILTER = 22, 2                                             # prctl
JOIN_SESSION, KEYCTL = 1, {"x86_64": 250, "aarch64": 219}


def refuse() -> bool:
    """Install the filter for this process and for good; False where the system has none. Needs `no new privileges`."""
    if not sys.platform.startswith("linux") or platform.machine() not in MACHINES or sys.maxsize < 2**32:
        return False
    program = b"".join(_program(platform.machine(), os.getpid()))
    held = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held)))
    return ctypes.CDLL(None).prctl(SET_FILTER, FILTER, ctypes.c_ulong(ctypes.addressof(head)), 0, 0) == 0


def forget_keys() -> None:
    """Begin with an empty keyring, so that nobody reads what a process of the same session has noted there."""
    number = KEYCTL.get(platform.machine())
    if sys.platform.startswith("linux") and number is not None:
        ctypes.CDLL(None).syscall(ctypes.c_long(number), ctypes.c_long(JOIN_SESSION), None)


def _program(machine: str, process: int) -> Iterator[bytes]:
    """The filter's instructions, for a process that may signal and limit itself and nobody else."""
    column, kind = MACHINES[machine]
    yield from (_step(LOAD, MACHINE), _step(EQUAL, kind, 1, 0), _step(RETURN, KILL_PROCESS), _step(LOAD, NUMBER))
    if column == 0:
        yield from (_step(AT_LEAST, FOREIGN, 0, 1), _step(RETURN, ERROR | errno.ENOSYS))
    for name, numbers in REFUSED.items():
        if numbers[column] is not None:
            yield _step(EQUAL, numbers[column], 0, 1)
            yield _step(RETURN, ERROR | REPLY.get(name, errno.EPERM))
    for numbers, allowed in ((KILL, (process,)), (TGKILL, (process,)), (PRLIMIT, (0, process))):
        yield from _only(numbers[column], allowed)
    yield from _not(PRCTL[column], (DEATH_SIGNAL, DUMPABLE, MEMORY_MAP))
    yield _step(RETURN, ALLOW)


def _only(number: int, allowed: tuple[int, ...]) -> Iterator[bytes]:
    """The call `number` with these first arguments only."""
    n = len(allowed)
    yield from (_step(EQUAL, number, 0, n + 3), _step(LOAD, FIRST_ARGUMENT))
    yield from (_step(EQUAL, value, n - i, 0) for i, value in enumerate(allowed))
    yield from (_step(RETURN, ERROR | errno.EPERM), _step(RETURN, ALLOW))


def _not(number: int, refused: tuple[int, ...]) -> Iterator[bytes]:
    """The call `number` with any first argument but these."""
    n = len(refused)
    yield from (_step(EQUAL, number, 0, n + 3), _step(LOAD, FIRST_ARGUMENT))
    yield from (_step(EQUAL, value, n - i, 0) for i, value in enumerate(refused))
    yield from (_step(RETURN, ALLOW), _step(RETURN, ERROR | errno.EPERM))


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
