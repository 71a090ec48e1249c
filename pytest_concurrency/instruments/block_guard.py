"""``concurrency.nonblocking()``: fails if a block of async code blocks its event loop for too long."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from pytest_concurrency.core.errors import BadArgument, ExpectationNotMet
from pytest_concurrency.core.units import SHORTEST_BLOCK, UNSEEN_BLOCK, duration
from pytest_concurrency.expectations import keywords
from pytest_concurrency.instruments import callers
from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine import running_loop

_BEAT = 0.002
_SKIPS_WAITS = (
    "the timers of the event loop fire at once (it has a clock of its own, which skips waits), so that later blocks "
    "cannot be seen. Guard the block in a test on the machine's clock"
)

__tracebackhide__ = True  # without this, pytest shows a failure in this module, not at the user's block


class NonblockingBlock:
    """A ``with`` or ``async with`` block in an async function. Blocks by other tasks of the loop count too.

    :raises BadArgument: ``max_block`` is not a duration of 5 ms or more, no event loop runs in the thread that enters,
        or the object is entered twice.
    :raises ExpectationNotMet: at the end of the ``with`` block, if the loop was blocked for longer than ``max_block``.
    """

    def __init__(self, max_block: float | str, undecided: Callable[[str], None]) -> None:
        try:
            self._limit = keywords.short_time(max_block)
        except ValueError as error:
            raise BadArgument(f"concurrency.nonblocking({max_block!r}): max_block {error}.") from None
        if self._limit < SHORTEST_BLOCK:
            raise BadArgument(f"concurrency.nonblocking({max_block!r}): {UNSEEN_BLOCK}.")
        self._title = f"concurrency.nonblocking({max_block!r})"
        self._undecided = undecided
        self._monitor: LoopMonitor | None = None

    @property
    def blocks(self) -> list[Block]:
        """The blocks that may have been longer than ``max_block``, in order."""
        return list(self._monitor.blocks) if self._monitor is not None else []

    def __enter__(self) -> NonblockingBlock:
        if not running_loop.in_loop():
            raise BadArgument(
                "concurrency.nonblocking() guards a stretch of an async function, and was entered where no event loop "
                f"runs ({callers.place()}). Enter it inside an async def that the loop runs. For a plain function, use "
                "concurrency.gil_hold(), or the marker expect_gil_released."
            )
        if self._monitor is not None:
            raise BadArgument("concurrency.nonblocking() was entered twice: call it again for each block.")
        self._watcher = LoopWatcher(self._limit / 8)
        self._monitor = LoopMonitor(self._limit, _BEAT, self._watcher).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._monitor is not None
        self._monitor.stop()
        self._watcher.close()
        if kind is not None:
            return
        if not self._monitor.blocks:
            if self._monitor.skips_waits:
                self._undecided(_SKIPS_WAITS)
            return
        longest = max(self._monitor.blocks, key=lambda block: (block.low, block.high))
        if longest.low > self._limit:
            what = f"the event loop was blocked for {longest.length}; required: at most {duration(self._limit)}."
            raise ExpectationNotMet(longest.message(f"{self._title} is not met: {what}", inside=True))
        self._undecided(
            f"the event loop was late by {longest.told()}: one run does not show whether the block's own code took "
            f"longer than {duration(self._limit)} (max_block)"
        )

    async def __aenter__(self) -> NonblockingBlock:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
