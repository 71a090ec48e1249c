"""Higher priority of the measured threads, so that other programs do not take CPUs from a batch.

Linux gives a thread with the policy ``SCHED_RR`` a CPU before any ordinary one, and one with a nice value of -20 about
88 times the share of one with 0 (sched(7)). Both need a right: ``CAP_SYS_NICE``, or the limits ``RLIMIT_RTPRIO`` and
``RLIMIT_NICE``. Neither helps against a hypervisor, or against load on the other hardware thread of a core.

Guarantees:

* Threads have the priority for one batch, and get their own back whatever happens in it.
* Nothing inherits it: threads and processes that a raised thread starts are ordinary ones (``SCHED_RESET_ON_FORK``).
  A body that has others compute for it is the exception (:mod:`.inherited_priority`).
* The thread that waits for the batch has it too, and so can end a batch that hangs. Where it cannot, a watchdog outside
  this process takes real-time priority away (watchdog.py). The kernel's own throttling (``sched_rt_runtime_us``) leaves
  a part of each second to ordinary threads; where it is switched off, ``auto`` takes no real-time priority.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_concurrency.machine import watchdog

CHOICES = ("auto", "off", "nice", "realtime")
Kind = Literal["off", "nice", "realtime"]

_THROTTLING = Path("/proc/sys/kernel/sched_rt_runtime_us")
_LOWEST_NICE = -20
PATIENCE = 60.0  # seconds that a batch may take by default
_RIGHTS = "neither CAP_SYS_NICE nor a limit allows it"


@dataclass(frozen=True, slots=True)
class Priority:
    """The priority of measured batches. ``why`` is the reason if a higher one was requested and refused; else empty."""

    kind: Kind = "off"
    nice: int = 0
    why: str = ""
    needs_right: bool = False  # whether a right that the process lacks would make it higher

    def __str__(self) -> str:
        return {"off": "ordinary", "nice": f"nice {self.nice}", "realtime": "real-time"}[self.kind]


ORDINARY = Priority()


@dataclass(frozen=True, slots=True)
class Before:
    """What a thread had before it was raised."""

    policy: int
    parameter: int
    nice: int


def choose(wanted: str, shared: bool = False, cpus: float = 2.0) -> Priority:
    """Return the highest of the wanted priorities that this process may have.

    :param wanted: one of :data:`CHOICES`.
    :param shared: whether other workers of the same test session may measure at the same time: two of them at real-time
        priority would keep each other from the CPUs, so ``auto`` takes a nice value at most.
    :param cpus: usable CPUs; on a single one, a body that polls at real-time priority would wait for ever.
    """
    if wanted == "off":
        return ORDINARY
    if sys.platform != "linux":
        return Priority(why=f"raising the priority of threads is supported on Linux only, and this is {sys.platform}")
    refusals: dict[str, list[str]] = {}  # by reason: what is refused
    if wanted in ("auto", "realtime"):
        why = _why_not_realtime(shared, cpus) if wanted == "auto" else ""
        why = why or _try_realtime()
        if not why:
            return Priority("realtime")
        refusals.setdefault(why, []).append("real-time priority")
    if wanted in ("auto", "nice"):
        lowest, why = _try_nice()
        if lowest is not None:
            return Priority("nice", lowest, _told(refusals), _RIGHTS in refusals)
        refusals.setdefault(why, []).append("lower nice value")
    return Priority(why=_told(refusals), needs_right=_RIGHTS in refusals)


def _told(refusals: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"no {' and no '.join(what)}: {why}" for why, what in refusals.items())


def throttling() -> float | None:
    """Return the part of each period that real-time threads may use at most; 1.0: all of it, None: not readable."""
    try:
        runtime = int(_THROTTLING.read_text())
        period = int(_THROTTLING.with_name("sched_rt_period_us").read_text())
    except (OSError, ValueError):
        return None
    return 1.0 if runtime < 0 else runtime / period


def raised(priority: Priority, threads: Iterable[int], seconds: float = PATIENCE) -> AbstractContextManager[None]:
    """Return a context in which these threads, and the calling one, have a higher priority.

    The call starts the watchdog that real-time priority needs, if there is none yet. During a batch, the CPU time of
    that start would count as that of a child process of the body.

    :param threads: native ids of threads of this process and of its children.
    :param seconds: time after which the watchdog takes real-time priority away.
    """
    if priority.kind == "off":
        return contextlib.nullcontext()
    if priority.kind == "realtime":
        watchdog.start()
    return _raised(priority, threads, seconds)


@contextlib.contextmanager
def _raised(priority: Priority, threads: Iterable[int], seconds: float) -> Iterator[None]:
    # The calling thread first: it has to release the others, and to end them if they hang.
    everyone = list(dict.fromkeys((threading.get_native_id(), *threads)))
    before: dict[int, Before] = {}
    try:
        with watchdog.watching(everyone, seconds) if priority.kind == "realtime" else contextlib.nullcontext():
            for thread in everyone:
                with contextlib.suppress(OSError):  # it has ended
                    before[thread] = give(thread, priority)
            yield
    finally:
        give_all_back(before)


def give(thread: int, priority: Priority, inherited: bool = False) -> Before:
    """Give a thread a priority, and return what it had before.

    :param inherited: whether threads and processes that it starts have the priority too.
    :raises OSError: it has ended, or this process has no right to do it.
    """
    known = Before(
        os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority, os.getpriority(os.PRIO_PROCESS, thread)
    )
    if is_realtime(known.policy):
        return known  # as the whole session may be: there is nothing to raise, nor to give back
    flag = 0 if inherited else os.SCHED_RESET_ON_FORK
    if priority.kind == "realtime":
        lowest = os.sched_get_priority_min(os.SCHED_RR)
        os.sched_setscheduler(thread, os.SCHED_RR | flag, os.sched_param(lowest))
        return known
    # First, as it may be refused: without a right to it, the flag could not be cleared again.
    os.setpriority(os.PRIO_PROCESS, thread, min(priority.nice, known.nice))
    try:
        os.sched_setscheduler(thread, os.SCHED_OTHER | flag, os.sched_param(0))
    except OSError:
        os.setpriority(os.PRIO_PROCESS, thread, known.nice)
        raise
    return known


def has(priority: Priority, thread: int) -> bool:
    """Whether a thread has a priority that others inherit from it; not if it has ended."""
    try:
        policy = os.sched_getscheduler(thread)
        if priority.kind == "realtime":
            return policy == os.SCHED_RR
        return policy == os.SCHED_OTHER and os.getpriority(os.PRIO_PROCESS, thread) <= priority.nice
    except OSError:
        return False


def give_back(thread: int, known: Before) -> None:
    """Give a thread what it had before.

    :raises OSError: it has ended, or it is another user's.
    """
    if is_realtime(known.policy):
        return
    policy, parameter = known.policy, os.sched_param(known.parameter)
    try:
        os.sched_setscheduler(thread, policy, parameter)
    except PermissionError:
        # Only with CAP_SYS_NICE can the flag be cleared. It does not affect children of a thread that is not raised.
        os.sched_setscheduler(thread, policy | os.SCHED_RESET_ON_FORK, parameter)
    if os.getpriority(os.PRIO_PROCESS, thread) != known.nice:
        os.setpriority(os.PRIO_PROCESS, thread, known.nice)


def give_all_back(before: dict[int, Before]) -> None:
    """Give each of some threads what it had before, the last one first; leave out those that have ended."""
    for thread, known in reversed(before.items()):
        with contextlib.suppress(OSError):
            give_back(thread, known)


def is_realtime(policy: int) -> bool:
    """Whether a scheduling policy is one of the two that take a CPU before any ordinary thread does."""
    return policy & ~os.SCHED_RESET_ON_FORK in (os.SCHED_RR, os.SCHED_FIFO)


def _why_not_realtime(shared: bool, cpus: float) -> str:
    if shared:
        return "other workers of pytest-xdist may measure at the same time"
    if cpus < 2:
        return "one usable CPU"
    if throttling() == 1.0:
        return (
            "the kernel's throttling is switched off (sched_rt_runtime_us), so a body that hangs could stop the machine"
        )
    return ""


@functools.cache
def _try_realtime() -> str:
    """Return why the calling thread cannot be raised to real-time priority; empty if it can."""
    return _try(Priority("realtime"))


@functools.cache
def _try_nice() -> tuple[int | None, str]:
    """Return the lowest nice value that is allowed and lower than now; None, and why, if there is none."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NICE)[0]
    allowed = _LOWEST_NICE if limit == resource.RLIM_INFINITY else max(_LOWEST_NICE, 20 - limit)
    now = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    for lowest in (_LOWEST_NICE, allowed):
        if lowest < now and not _try(Priority("nice", lowest)):
            return lowest, ""
    return None, _RIGHTS


def _try(priority: Priority) -> str:
    thread = threading.get_native_id()
    try:
        known = give(thread, priority)
    except PermissionError:
        return _RIGHTS
    except (OSError, AttributeError) as error:
        return str(error)
    give_back(thread, known)
    return ""
