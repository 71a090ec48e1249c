"""Creation sites: where, and by which thread, threads, processes and pools are started during some calls.

While a recorder is active, functions of the standard library are replaced by wrappers that record their caller. So it
is for calls that are not timed.
"""

from __future__ import annotations

import concurrent.futures.thread
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Collection
from concurrent.futures import Executor
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Literal, NamedTuple

from pytest_concurrency.core import callables
from pytest_concurrency.machine import originals, stack_locations
from pytest_concurrency.machine.replaced import Replaced
from pytest_concurrency.machine.stack_locations import Place

# The default executor of an event loop is not recorded: it ends with its loop.
_POOLS_OF_LOOPS = re.compile(r"\basyncio[/\\](base_events|threads)\.py$")


class Made(NamedTuple):
    """One thing that was started; ``key`` is the same for all things that the same code starts."""

    kind: Literal["thread", "process", "pool"]
    key: str
    places: tuple[Place, ...]
    by_bystander: bool
    number: int | None = None  # process id
    pool: weakref.ref[Executor] | None = None

    @property
    def place(self) -> str:
        """The author's line, as text."""
        return stack_locations.describe(self.places)


def key_of_thread(thread: threading.Thread) -> str:
    """Return a key that is the same for all threads that run the same code, whatever their names."""
    target = target_of(thread)
    kind = f"{type(thread).__module__}.{type(thread).__qualname__}"
    return kind if target is None else f"{kind} {getattr(target, '__module__', '')}.{_name_of(target)}"


def key_of_process(process: BaseProcess) -> str:
    """Return such a key for a multiprocessing process, from its name: the target is deleted once it has started."""
    return f"{type(process).__module__}.{type(process).__qualname__} " + re.sub(r"\d+", "#", process.name)


def key_of_pool(pool: Executor) -> str:
    """Return such a key for an executor."""
    prefix = str(getattr(pool, "_thread_name_prefix", ""))
    return f"{type(pool).__module__}.{type(pool).__qualname__} " + re.sub(r"\d+", "#", prefix)


def target_of(thread: threading.Thread) -> Callable[..., object] | None:
    """Return the function that a live thread was given to run, or None."""
    return getattr(thread, "_target", None) or getattr(thread, "function", None)  # a Timer has ``function``


def _name_of(function: Any) -> str:
    while hasattr(function, "func"):
        function = function.func
    return str(getattr(function, "__qualname__", "") or callables.name_of(function))


class CreationSites:
    """Records what all threads of this process start while it is active (``with``)."""

    def __init__(self, bystanders: Collection[int]) -> None:
        """``bystanders`` are the native ids of threads that do not work for the test body."""
        self.made: list[Made] = []
        self._bystanders = bystanders

    def __enter__(self) -> CreationSites:
        _RECORDERS.add(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _RECORDERS.remove(self)

    def note(self, made: Made) -> None:
        """Record one thing that the calling thread has just started, or is about to start."""
        self.made.append(made._replace(by_bystander=threading.get_native_id() in self._bystanders))


class _Recorders:
    """All active recorders. Functions of the standard library are replaced while there is at least one."""

    def __init__(self) -> None:
        self._active: list[CreationSites] = []
        self._lock = threading.Lock()
        self._restore: list[Callable[[], None]] = []

    def add(self, sites: CreationSites) -> None:
        with self._lock:
            self._active = [*self._active, sites]
            if len(self._active) == 1:
                self._replace_all()

    def remove(self, sites: CreationSites) -> None:
        with self._lock:
            self._active = [one for one in self._active if one is not sites]
            if not self._active:
                for restore in self._restore:
                    restore()
                self._restore = []

    def note(self, made: Made) -> None:
        for sites in self._active:
            sites.note(made)

    def _replace_all(self) -> None:
        self._replace(originals.Thread, "start", before=_thread)
        self._replace(originals.Popen, "__init__", after=_popen)
        self._replace(BaseProcess, "start", after=_process)
        self._replace(concurrent.futures.thread.ThreadPoolExecutor, "__init__", after=_pool)
        if processes := sys.modules.get("concurrent.futures.process"):
            self._replace(processes.ProcessPoolExecutor, "__init__", after=_pool)

    def _replace(
        self,
        owner: Any,
        name: str,
        before: Callable[[Any, FrameType], Made | None] = lambda self, frame: None,
        after: Callable[[Any, FrameType], Made | None] = lambda self, frame: None,
    ) -> None:
        def noting(original: Callable[..., Any]) -> Callable[..., Any]:
            def replacement(self: Any, *args: Any, **named: Any) -> Any:
                __tracebackhide__ = True
                frame = sys._getframe(1)
                if (made := before(self, frame)) is not None:
                    _RECORDERS.note(made)
                answer = original(self, *args, **named)
                if (made := after(self, frame)) is not None:
                    _RECORDERS.note(made)
                return answer

            return replacement

        replaced = Replaced(owner, name, noting)
        replaced.install()
        self._restore.append(replaced.restore)


_RECORDERS = _Recorders()


def _thread(thread: threading.Thread, frame: FrameType) -> Made:
    return Made("thread", key_of_thread(thread), stack_locations.innermost(frame), False)


def _popen(popen: subprocess.Popen[Any], frame: FrameType) -> Made:
    command = popen.args if isinstance(popen.args, (list, tuple)) else [popen.args]
    return Made("process", " ".join(map(str, command)), stack_locations.innermost(frame), False, popen.pid)


def _process(process: BaseProcess, frame: FrameType) -> Made:
    return Made("process", key_of_process(process), stack_locations.innermost(frame), False, process.pid)


def _pool(pool: Executor, frame: FrameType) -> Made | None:
    if _POOLS_OF_LOOPS.search(frame.f_code.co_filename):
        return None
    return Made("pool", key_of_pool(pool), stack_locations.innermost(frame), False, pool=weakref.ref(pool))
