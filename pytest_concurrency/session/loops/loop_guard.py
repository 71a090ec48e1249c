"""``--concurrency-max-block``: fail each async test that blocks its event loop in its one ordinary run.

A separate plugin, which only sessions with that option have.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_concurrency.core.errors import ExpectationNotMet
from pytest_concurrency.core.text import wrap
from pytest_concurrency.core.units import duration
from pytest_concurrency.expectations import MARKERS
from pytest_concurrency.instruments import block_list
from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.session import observed
from pytest_concurrency.session.loops.loop_watch import LoopWatch
from pytest_concurrency.session.options import Settings

MARKER = "concurrency_allow_blocking"

__tracebackhide__ = True

_FOUND = pytest.StashKey["list[dict[str, Any]]"]()


def start(config: pytest.Config, settings: Settings) -> None:
    """Register what guards the tests of this process; the session's controller lists the blocks at the end."""
    config.pluginmanager.register(LoopGuard(config, settings), "concurrency_perf_loop_guard")


class LoopGuard:
    """Watches the event loops of each test while it is called."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._limit = settings.max_block
        self._warns = settings.max_block_warn
        self._is_off_for_markers = settings.disable
        self._allow: list[str] = [line for line in config.getini("concurrency_max_block_allow") if line]
        self._loops = LoopWatch(self._limit)
        self._loops.is_on = False
        self._loops.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        __tracebackhide__ = True
        _reason(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        if self._is_measured(item):
            return (yield)
        exempt = _reason(item)
        self._loops.is_on = True
        try:
            with self._loops.body_of(item):
                answer = yield
        finally:
            self._loops.is_on = False
            found = self._loops.take()
            module = str(item.location[0]).replace("\\", "/")
            exempt = exempt or next((line for line in self._allow if block_list.matches(module, line)), None)
            sure: list[Block] = []
            told = item.stash[_FOUND] = []
            for block in found:
                allowed = exempt or block_list.allowed_by(block, self._allow)
                is_sure = block.low > self._limit
                told.append(block_list.as_json(block, allowed, is_sure))
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
            observed.add(report, "blocks", found)
            if call.excinfo is not None:
                from pytest_concurrency.session.output import report_edits

                report_edits.show_message_only(item, call.excinfo, report)
        return report

    def pytest_unconfigure(self) -> None:
        self._loops.close()

    def _is_measured(self, item: pytest.Item) -> bool:
        """Whether a marker measures the test: then it runs many times, and only expect_nonblocking tells its blocks."""
        return not self._is_off_for_markers and any(mark.name in MARKERS for mark in item.iter_markers())

    def _complain(self, item: pytest.Item, blocks: list[Block]) -> None:
        longest = max(blocks, key=lambda block: block.low)
        more = f" ({len(blocks)} such blocks, this is the longest)" if len(blocks) > 1 else ""
        text = longest.message(
            f"the event loop was blocked for {longest.length}{more}; required: at most {duration(self._limit)} "
            "(--concurrency-max-block).",
            f" To exempt the test: @pytest.mark.{MARKER}(reason), the ini key concurrency_max_block_allow, or "
            "concurrency.pause().",
        )
        if self._warns:
            item.warn(pytest.PytestWarning(text))
        else:
            raise ExpectationNotMet(text)


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
            wrap(f'{MARKER} needs one argument, the reason: @pytest.mark.{MARKER}("the driver has no async version").')
            + f"\nin {item.nodeid}",
            pytrace=False,
        )
    return reason
