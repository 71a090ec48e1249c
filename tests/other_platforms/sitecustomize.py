"""Let this package, in this process and in those that it starts, find a system that is not Linux.

Python imports a module of this name at its start. It stands on PYTHONPATH in sessions of test_other_platforms.py only,
so what modules do at import time is covered too. Only imports and files of ``pytest_concurrency`` are changed: the
standard library, pytest and psutil go on as the Linux programs that they are.
"""

from __future__ import annotations

import builtins
import errno
import io
import multiprocessing
import os
import sys
import types
from typing import Any

PLATFORM = os.environ.get("PRETENDED_PLATFORM", "")
PACKAGE = "pytest_concurrency"
# What these systems do not have; see "Availability" in the documentation of each module.
NOT_ON_MACOS = {
    "os": (
        *("sched_getaffinity", "sched_setaffinity", "sched_getscheduler", "sched_setscheduler", "sched_getparam"),
        *("sched_setparam", "sched_param", "SCHED_RR", "SCHED_RESET_ON_FORK", "SCHED_OTHER", "P_PIDFD", "pidfd_open"),
        *("process_cpu_count", "sched_rr_get_interval"),
    ),
    "time": ("pthread_getcpuclockid",),
    "resource": ("RUSAGE_THREAD",),
    "fcntl": ("F_SETSIG", "F_NOTIFY"),
}
NOT_ON_WINDOWS = {
    "os": (
        *NOT_ON_MACOS["os"],
        *("fork", "forkpty", "register_at_fork", "getuid", "geteuid", "getpriority", "setpriority", "PRIO_PROCESS"),
        *("pread", "waitid", "P_ALL", "WNOHANG", "WNOWAIT", "WEXITED", "uname", "sysconf", "killpg", "getloadavg"),
        *("sched_yield", "sched_get_priority_min", "O_CLOEXEC", "O_ASYNC", "getpgid", "setsid", "mkfifo", "O_NONBLOCK"),
    ),
    "time": ("pthread_getcpuclockid", "clock_gettime", "clock_getres", "CLOCK_MONOTONIC"),
    "signal": ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGALRM", "SIGSTOP", "setitimer", "pthread_kill", "pthread_sigmask"),
    "select": ("poll", "epoll"),
    "faulthandler": ("register", "unregister"),
    "mmap": ("MAP_SHARED", "MAP_ANONYMOUS"),
}
MISSING: dict[str, dict[str, tuple[str, ...]]] = {"darwin": NOT_ON_MACOS, "win32": NOT_ON_WINDOWS}
NO_MODULES = {"darwin": (), "win32": ("resource", "fcntl", "pwd", "grp", "termios")}

_import, _open = builtins.__import__, io.open


def _changed(name: str) -> types.ModuleType:
    """Return a copy of a module without what the system does not have."""
    real = _import(name)
    copy = types.ModuleType(name, real.__doc__)
    gone = MISSING[PLATFORM].get(name, ())
    vars(copy).update({key: value for key, value in vars(real).items() if key not in gone})
    return copy


class _Sys(types.ModuleType):
    """The module sys, whose attributes are also set by some."""

    platform = PLATFORM

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _msvcrt() -> types.ModuleType:
    """The lock of a file, which two modules import on Windows."""
    import fcntl

    module = types.ModuleType("msvcrt")

    def locking(file: int, mode: int, size: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)

    vars(module).update(locking=locking, LK_UNLCK=0, LK_NBLCK=2)
    return module


def _of_package() -> bool:
    """Whether this package opens the file that the caller's caller was asked for, itself or by pathlib."""
    frame = sys._getframe(2)
    while frame is not None and "pathlib" in frame.f_code.co_filename:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith(PACKAGE)


def _hidden(path: Any) -> bool:
    return isinstance(path, (str, os.PathLike)) and str(path).startswith(("/proc", "/sys"))


class _Refusing:
    """A function of files that this package finds no hidden file with.

    As an object, since pathlib of Python 3.10 keeps ``io.open`` in a class, where a function would become a method.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, path: Any = ".", *args: Any, **values: Any) -> Any:
        if _hidden(path) and _of_package():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self._function(path, *args, **values)


def pretend() -> None:
    names = {*MISSING[PLATFORM]} - {*NO_MODULES[PLATFORM]}
    changed = {name: _changed(name) for name in names}
    changed["sys"] = _Sys("sys")
    for name in ("open", "listdir"):
        setattr(changed["os"], name, _Refusing(getattr(os, name)))
    if PLATFORM == "win32":
        changed["msvcrt"] = _msvcrt()
        multiprocessing.get_all_start_methods = lambda: ["spawn"]

    def importing(
        name: str,
        globals: Any = None,  # noqa: A002  # some give these by name
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        if level == 0 and globals is not None and str(globals.get("__name__", "")).startswith(PACKAGE):
            if name in NO_MODULES[PLATFORM]:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name in changed:
                return changed[name]
        return _import(name, globals, locals, fromlist, level)

    builtins.__import__ = importing
    builtins.open = io.open = _Refusing(_open)


if PLATFORM:
    pretend()
