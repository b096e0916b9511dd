"""The command line without what only POSIX systems have: run as a script, with the command's words.

Windows itself is not at hand where these tests run. Modules and attributes that Python lacks there are hidden from fieldsync's own files;
libraries, and the standard library, keep them: they have ways of their own on Windows.
"""

import builtins
import importlib
import os
import signal
import socket
import sys
from typing import Any

MODULES = {"fcntl", "grp", "pwd", "pty", "resource", "syslog", "termios", "tty"}
_ATTRIBUTES: dict[Any, tuple[str, ...]] = {
    os: (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "O_TMPFILE", "chown", "chroot", "fchmod", "fchown", "fork", "forkpty",
        "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getsid", "getuid", "initgroups", "killpg", "lchown", "mkfifo", "mknod", "nice",
        "openpty", "pread", "pwrite", "sched_getaffinity", "setgid", "setsid", "setuid", "statvfs", "sync", "uname", "wait4",
    ),
    signal: ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "alarm", "pause", "setitimer"),
    socket: ("AF_UNIX", "SO_PEERCRED", "socketpair", "SCM_RIGHTS"),
}  # fmt: skip
_FIRST = (
    "asyncio",
    "getpass",
    "multiprocessing",
    "platform",
    "shutil",
    "tempfile",
    "requests",
    "rich.console",
    "textual.app",
    "typer",
    "sqlite_utils",
    "openpyxl",
)


class _Portable:
    """A module as fieldsync's files see it."""

    def __init__(self, module: Any, hidden: tuple[str, ...]) -> None:
        self.__dict__["_module"], self.__dict__["_hidden"] = module, hidden

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise AttributeError(f"module '{self._module.__name__}' has no attribute '{name}' on Windows")
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)


def hide() -> None:
    """Hide from now on what Windows has not."""
    for name in _FIRST:
        importlib.import_module(name)
    portable = {module.__name__: _Portable(module, hidden) for module, hidden in _ATTRIBUTES.items()}
    load = builtins.__import__

    def load_portable(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        ours = str((globals_ or {}).get("__name__", "")).startswith("fieldsync")
        if ours and level == 0 and name in MODULES:
            raise ModuleNotFoundError(f"No module named '{name}' on Windows", name=name)
        if ours and level == 0 and name in portable:
            return portable[name]
        return load(name, globals_, locals_, fromlist, level)

    builtins.__import__ = load_portable


if __name__ == "__main__":
    hide()
    from fieldsync.__main__ import main

    sys.exit(main())
