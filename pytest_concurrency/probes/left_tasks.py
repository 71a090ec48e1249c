"""Tasks that a test body leaves on its asyncio event loop."""

from __future__ import annotations

import asyncio
import re
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.replaced import Replaced
from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.probes import leftovers

_Task = asyncio.Task[Any]


class LeftTasks:
    """Finds the tasks that one body leaves on one event loop. Its methods must be called on that loop.

    A task belongs to the body if one of the body's tasks created it in the first calls, which are not timed, or if it
    runs the same coroutine function as such a task. Tasks of a server on the same loop, or of a fixture, do not.
    """

    def __init__(self) -> None:
        self._uses = 0
        self._before: weakref.WeakSet[_Task] | None = None
        self._bodys: weakref.WeakSet[_Task] = weakref.WeakSet()
        self._places: dict[str, tuple[Place, ...]] = {}  # where the body creates tasks, by coroutine function
        self._is_making = False  # whether a task of the body is being made
        self._others: set[str] = set()  # coroutine functions of tasks that other code created then

    def first_calls(self, uses: int = 1) -> AbstractContextManager[object]:
        """Return a context that records the tasks created in it; after the first ``uses``, one that does nothing."""
        self._uses += 1
        return self._recording() if self._uses <= uses else nullcontext()

    @contextmanager
    def _recording(self) -> Iterator[None]:
        loop: Any = asyncio.get_running_loop()
        batch = asyncio.current_task()
        if self._before is None:
            self._before = weakref.WeakSet(asyncio.all_tasks())
        if batch is not None:
            self._bodys.add(batch)

        def recording(original: Callable[..., Any]) -> Callable[..., Any]:
            def create_task(coroutine: Any, **named: Any) -> _Task:
                __tracebackhide__ = True
                maker = asyncio.current_task(loop)
                # An eager task runs before it is known: what it makes meanwhile is the body's as well.
                is_bodys = self._is_making or (maker is not None and maker in self._bodys)
                self._is_making, was_making = is_bodys, self._is_making
                try:
                    task: _Task = original(coroutine, **named)
                finally:
                    self._is_making = was_making
                name = _name_of(task)
                if is_bodys:
                    self._bodys.add(task)
                    self._places[name] = stack_locations.innermost(sys._getframe(1))
                else:
                    self._others.add(name)
                return task

            return create_task

        replaced = Replaced(loop, "create_task", recording)
        with suppress(AttributeError):  # a loop in native code: its tasks stay unknown
            replaced.install()
        try:
            yield
        finally:
            replaced.restore()

    async def found(self) -> tuple[Leftover, ...]:
        """Return the tasks that are left running, after they had time to end."""
        if left := self._look():
            await asyncio.wait(left, timeout=leftovers.GRACE)
        return merged(
            Leftover("task", _in_words(task), stack_locations.describe(self._places[_name_of(task)]))
            for task in self._look()
        )

    def _look(self) -> list[_Task]:
        if not self._places:
            return []
        current, before = asyncio.current_task(), self._before or ()
        return [
            task
            for task in asyncio.all_tasks()
            if task is not current
            and task not in before
            and (name := _name_of(task)) in self._places
            and (task in self._bodys or name not in self._others)
        ]


def _name_of(task: _Task) -> str:
    coroutine = task.get_coro()
    return str(getattr(coroutine, "__qualname__", "") or type(coroutine).__qualname__)


def _in_words(task: _Task) -> str:
    name = "" if re.fullmatch(r"Task-\d+", task.get_name()) else f"{task.get_name()}, "
    return f"{name}{_name_of(task)}()"
