"""``--concurrency-max-block``: no async test of the session blocks its event loop, each in its one ordinary run.

A plugin of its own, which only sessions with that option have.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_concurrency.backends.batch import ALONE, current_worker
from pytest_concurrency.core.errors import ExpectationNotMet
from pytest_concurrency.core.units import duration
from pytest_concurrency.expectations.markers import MARKERS
from pytest_concurrency.instruments import block_list, loop_monitor
from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.session import other_plugins
from pytest_concurrency.session.options import Settings

MARKER = "concurrency_allow_blocking"
ATTRIBUTE = "concurrency_blocks"  # of a test report: plain values, which cross from xdist's workers
_BEATS = 4  # in the time that a block may last; each costs about 30 microseconds of CPU time
_LONGEST_BEAT = 0.05  # seconds

__tracebackhide__ = True

_FOUND = pytest.StashKey["list[dict[str, Any]]"]()
_SYNC_LOOPS = asyncio.base_events.BaseEventLoop


def start(config: pytest.Config, settings: Settings) -> None:
    """Register what guards the tests of this process, and what lists the blocks at the end."""
    config.pluginmanager.register(LoopGuard(config, settings), "concurrency_perf_loop_guard")


class LoopGuard:
    """Watches the loops of each test while it is called."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._limit = settings.max_block
        self._warns = settings.max_block_warn
        self._is_off_for_markers = settings.disable
        self._allow: list[str] = [line for line in config.getini("concurrency_max_block_allow") if line]
        self._beat = min(self._limit / _BEATS, _LONGEST_BEAT)
        self._watcher = LoopWatcher(self._limit / 8)
        self._monitors: list[LoopMonitor] = []
        self._all: list[dict[str, Any]] = []
        self._is_worker = other_plugins.is_xdist_worker(config)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        if self._is_measured(item):
            return (yield)
        exempt = _reason(item)
        other_plugins.allow_own_readings(item)
        self._monitors = []
        try:
            with self._watched(item):
                answer = yield
        finally:
            found = [block for monitor in self._monitors for block in monitor.blocks]
            module = str(item.location[0]).replace("\\", "/")
            exempt = exempt or next((line for line in self._allow if block_list.matches(module, line)), None)
            sure: list[Block] = []
            told = item.stash[_FOUND] = []
            for block in found:
                allowed = exempt or block_list.allowed_by(block, self._allow)
                is_sure = block.low > self._limit
                told.append(block_list.as_json(block, item.nodeid, allowed, is_sure))
                if is_sure and allowed is None:
                    sure.append(block)
        if sure:
            self._complain(item, sure)
        return answer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call" and (found := item.stash.get(_FOUND, None)):
            setattr(report, ATTRIBUTE, found)
            if call.excinfo is not None:
                from pytest_concurrency.session import items

                items.show_message_only(item, call.excinfo, report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not self._is_worker and str(report.outcome) != "rerun":
            self._all += getattr(report, ATTRIBUTE, ())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._is_worker or not self._all:
            return
        terminalreporter.section(f"blocks of the event loop above {duration(self._limit)}")
        for line in block_list.lines(self._all):
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        self._watcher.close()

    def _is_measured(self, item: pytest.Item) -> bool:
        """Whether it does not have one ordinary run: expect_nonblocking measures with more care."""
        return not self._is_off_for_markers and any(mark.name in MARKERS for mark in item.iter_markers())

    def _complain(self, item: pytest.Item, blocks: list[Block]) -> None:
        longest = max(blocks, key=lambda block: block.low)
        more = f" ({len(blocks)} such blocks, this is the longest)" if len(blocks) > 1 else ""
        text = (
            f"the event loop could not run for {longest.told()}{more}; --concurrency-max-block allows "
            f"{duration(self._limit)}.\nSomething waits or computes there without an await: await an asynchronous "
            "version of the call, or move it into asyncio.to_thread() (computing under the GIL: into a process). To "
            f"exempt it: @pytest.mark.{MARKER}(reason), the ini key concurrency_max_block_allow, or "
            "concurrency.pause()."
        )
        if self._warns:
            item.warn(pytest.PytestWarning(text))
        else:
            raise ExpectationNotMet(text)

    @contextlib.contextmanager
    def _watched(self, item: pytest.Item) -> Iterator[None]:
        """Watch the loops that run meanwhile: asyncio's as they start, others from within the test's own function."""
        function = getattr(item, "obj", None)
        run_forever = _SYNC_LOOPS.run_forever
        guard = self

        @functools.wraps(run_forever)
        def guarded(loop: asyncio.BaseEventLoop) -> None:
            if current_worker.get() != ALONE or loop_monitor.monitored() or loop.is_running() or loop.is_closed():
                return run_forever(loop)
            # Before it runs: a task that is waiting already would have had its first step.
            monitor = guard._monitor().start(loop)
            try:
                return run_forever(loop)
            finally:
                monitor.stop()

        _SYNC_LOOPS.run_forever = guarded  # type: ignore[assignment,method-assign]
        if inspect.iscoroutinefunction(function):
            item.obj = self._around(function)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            _SYNC_LOOPS.run_forever = run_forever  # type: ignore[method-assign]
            if inspect.iscoroutinefunction(function):
                item.obj = function  # type: ignore[attr-defined]

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def guarded(*args: Any, **values: Any) -> Any:
            __tracebackhide__ = True
            if loop_monitor.monitored():
                return await function(*args, **values)
            monitor = self._monitor().start()
            try:
                return await function(*args, **values)
            finally:
                monitor.stop()

        return guarded

    def _monitor(self) -> LoopMonitor:
        monitor = LoopMonitor(self._limit, self._beat, self._watcher)
        self._monitors.append(monitor)
        return monitor


def _reason(item: pytest.Item) -> str | None:
    """Return why a test may block its loop, as its marker says.

    :raises pytest.fail.Exception: the marker gives no reason.
    """
    mark = item.get_closest_marker(MARKER)
    if mark is None:
        return None
    reason = mark.kwargs.get("reason", mark.args[0] if mark.args else None)
    if not isinstance(reason, str) or not reason or len(mark.args) + len(mark.kwargs) != 1:
        raise pytest.fail.Exception(
            f'{MARKER} needs one argument, the reason: write @pytest.mark.{MARKER}("the driver has no async version").',
            pytrace=False,
        )
    return reason
