"""What a file asks of the system that Windows does not have."""

import ast
import re
from pathlib import Path

# What Python does not have on Windows, as its documentation says.
MODULES = {"crypt", "fcntl", "grp", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty"}
NAMES = {
    "os": {"chown", "chroot", "fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getloadavg",
           "getpgid", "getpgrp", "getpriority", "getresuid", "getsid", "getuid", "killpg", "lchown", "mkfifo", "mknod",
           "nice", "posix_spawn", "pread", "pwrite", "register_at_fork", "sched_getaffinity", "sendfile", "setegid",
           "seteuid", "setgid", "setgroups", "setpgid", "setpriority", "setresgid", "setresuid", "setsid", "setuid",
           "statvfs", "sysconf", "uname", "wait", "wait3", "wait4", "waitid", "WNOHANG", "O_CLOEXEC", "O_NOFOLLOW"},
    "signal": {"SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGUSR1",
               "SIGUSR2", "SIGWINCH", "alarm", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait"}}
# What else a test cannot ask for there, and the grader's rooms that stand on those.
BEYOND = re.compile(r'\["make"|/ "bin" /|bin/python|"bash",|symlink_to|send_signal|\.chmod\(|/proc/')
ROOMS = {"apart", "changes", "class_page", "feedback", "marks", "outside", "starting", "table", "walls"}


def lacking(path: Path) -> set[str]:
    """What a file asks of the system that Windows does not have, unless it is ready not to find it."""
    text = path.read_text(encoding="utf-8")
    tree, found = ast.parse(text), set()
    ready = {inner for node in ast.walk(tree) if isinstance(node, ast.Try) and any(
        handler.type and "AttributeError" in ast.unparse(handler.type) for handler in node.handlers)
        for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node not in ready:
            found |= {f"{node.value.id}.{node.attr}"} if node.attr in NAMES.get(node.value.id, ()) else set()
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} & MODULES
            found |= {f"{node.module}.{one.name}" for one in node.names if one.name in NAMES.get(node.module, ())}
        elif isinstance(node, ast.keyword) and node.arg in ("preexec_fn", "pass_fds"):
            found.add(node.arg)
    return found - {f"{module}.{name}" for module, name in re.findall(r'attr\((os|signal), "(\w+)"', text)}


def needs_posix(test: Path) -> bool:
    """Whether a file of tests forks, kills, makes links, asks for make or a shell, or looks for bin/python."""
    text = test.read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    graders = [node for node in imports if node.module and "classroom.grading" in node.module]
    asked = {name for node in graders for name in (node.module.split(".")[-1], *(one.name for one in node.names))}
    return bool(lacking(test) or asked & ROOMS or BEYOND.search(text))
