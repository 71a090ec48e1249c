"""``concurrency.watch()``: shows which calls of a function that cannot be edited overlap during one test."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import json
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_concurrency.instruments import callers, watched_calls
from pytest_concurrency.instruments.watch_targets import Target
from pytest_concurrency.instruments.watched_calls import Call, Event
from pytest_concurrency.machine import running_loop
from pytest_concurrency.machine.clocks import CLOCKS

__tracebackhide__ = True  # without this, pytest shows a failure in this module, not at the user's call


class CallWatch:
    """The calls of one function during one test. ``concurrency.watch("module:name")`` returns it.

    It records calls in threads, in tasks and in processes that are forked during the test. Processes that are started
    in another way import the original, so their calls are not recorded.
    """

    def __init__(self, name: str) -> None:
        self._events: list[Event] = []
        self._forgotten: set[str] = set()  # calls that only returned a coroutine
        self._order = itertools.count()
        self._notes = threading.local()
        self._is_on = True
        self._process = os.getpid()
        target = Target(name)
        self._target = target
        self.name = name
        self.elsewhere: tuple[str, ...] = ()
        # Made before the function is replaced. Otherwise, a child that is forked in between would know no file.
        self._file, self._path = tempfile.mkstemp(prefix="pytest-concurrency-watch-")
        try:
            target.replace(self._wrapped(target.function))
            self._tell_elsewhere()
        except BaseException:  # a warning may be an error; without this, the replacement would stay in place
            self.close()
            raise

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls so far, in the order in which they began; times are in seconds since the first one began."""
        return watched_calls.calls(self._ordered())

    @property
    def peak(self) -> int:
        """The largest number of threads and tasks inside the function at one moment, by the order of events."""
        return watched_calls.peak(self._ordered())

    @property
    def overlapped(self) -> bool:
        """Whether two of its calls, by different threads or tasks, were in progress at one moment."""
        return self.peak > 1

    def trace(self, path: str | os.PathLike[str]) -> None:
        """Write the calls as a file for https://ui.perfetto.dev or ``chrome://tracing``; a row per thread or task.

        It has the Trace Event Format, in JSON, with times in microseconds.

        :param path: of the file, which is replaced if it exists.
        :raises OSError: it cannot be written.
        """
        Path(path).write_text(json.dumps(watched_calls.trace(self.name, self.calls)), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """Return the calls as plain values, for a report."""
        return watched_calls.as_json(self.name, self._ordered())

    def close(self) -> None:
        """Restore the original and keep the calls. Code that still has the replacement then only calls the original."""
        if self._is_on and self._process == os.getpid():
            self._target.restore()
            self._events = self._ordered()
            self._is_on = False
            os.close(self._file)
            with contextlib.suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108

    def restore(self) -> None:
        """Restore the original once more, after :meth:`close`: something else may have put the replacement back."""
        if self._process == os.getpid():
            self._target.restore()

    def __repr__(self) -> str:
        return f"<watch {self.name}: {len(self.calls)} calls, peak {self.peak}>"

    def _tell_elsewhere(self) -> None:
        self.elsewhere = tuple(self._target.elsewhere())
        if self.elsewhere:
            warnings.warn(
                f"concurrency.watch({self.name!r}): the original is also in {'; '.join(self.elsewhere)}. Calls from "
                "there are not seen: watch the function that makes them.",
                stacklevel=5,
            )

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def watched_async(*args: Any, **values: Any) -> Any:
                with self._noted():
                    return await function(*args, **values)

            return watched_async

        @functools.wraps(function)
        def watched(*args: Any, **values: Any) -> Any:
            with self._noted() as ends_later:
                answer = function(*args, **values)
                if not inspect.iscoroutine(answer):
                    return answer
                ends_later.append(True)  # a plain function may return a coroutine; the call lasts while that runs

            async def awaited() -> Any:
                with self._noted():
                    return await answer

            return awaited()

        return watched

    @contextlib.contextmanager
    def _noted(self) -> Iterator[list[bool]]:
        """Record one call. The ``with`` block appends to the list if the call only returned a coroutine."""
        ends_later: list[bool] = []
        event = self._begin()
        if event is None:
            yield ends_later
            return
        raised: str | None = None
        try:
            yield ends_later
        except BaseException as error:
            raised = type(error).__name__
            raise
        finally:
            order, now = next(self._order), CLOCKS.wall()
            self._note(event._replace(order=order, time=now, is_end=True, raised=raised))
            if ends_later:
                self._forgotten.add(event.call)

    def _begin(self) -> Event | None:
        """Record that a call begins. Return None, and record nothing, if the test has ended or this class makes it."""
        if not self._is_on or getattr(self._notes, "now", False):
            return None
        with self._unwatched():
            task = running_loop.current_task()
            process, thread = os.getpid(), threading.current_thread().name
            doing = None if task is None else f"{callers.worker()} #{id(task):x}"
        call = f"{process}-{next(self._order)}"
        event = Event(next(self._order), CLOCKS.wall(), call, False, process, thread, doing)
        self._note(event)
        return event

    def _note(self, event: Event) -> None:
        if event.process == self._process:
            self._events.append(event)
            return
        # In a child process, each line is one write, which the kernel appends as a whole. Otherwise, lines could mix.
        with self._unwatched(), contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, json.dumps(event._replace(order=-1)).encode() + b"\n")
            finally:
                os.close(file)

    @contextlib.contextmanager
    def _unwatched(self) -> Iterator[None]:
        """Record no calls in this block. A watched function that recording itself calls would recurse endlessly."""
        self._notes.now = True
        try:
            yield
        finally:
            self._notes.now = False

    def _ordered(self) -> list[Event]:
        events = list(self._events)
        if self._is_on:
            with contextlib.suppress(OSError), open(self._path, encoding="utf-8") as file:
                events += [Event(*json.loads(line)) for line in file if line.endswith("\n")]
        return watched_calls.in_order(event for event in events if event.call not in self._forgotten)
