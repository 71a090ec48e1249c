"""A rendezvous, for ``concurrency.in_flight(meet=...)``: workers wait until enough of them are inside at one moment.

Whether it is met does not depend on a measured time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any

from pytest_concurrency.backends.batch import ALONE, current_worker
from pytest_concurrency.core.errors import BadArgument, ExpectationNotMet
from pytest_concurrency.core.units import duration
from pytest_concurrency.instruments import arrivals, callers, shortfall
from pytest_concurrency.instruments.boards import Board, FileBoard, MemoryBoard
from pytest_concurrency.instruments.ledger import Entrant, Ledger
from pytest_concurrency.machine import running_loop
from pytest_concurrency.machine.clocks import CLOCKS

_SHORTEST, _LONGEST = 0.0005, 0.01  # seconds between two checks of the ledger
_CERTAIN = 0.1  # seconds for which every check must find that no other worker can arrive
_HOLDING, _HOLD = 20, 0.005  # checks, and seconds between them, in which one worker too many is noticed

__tracebackhide__ = True  # without this, pytest shows a failure in this module, not at the user's block


class Rendezvous:
    """A ``with`` or ``async with`` block whose entrants wait until ``meet`` of them are inside.

    Then all continue, and later entrants are only counted. With ``limit``, the rendezvous also fails as soon as more
    are inside. Workers that have met then stay inside for at least 20 checks of 5 ms each, so that one too many has
    time to arrive. Other processes get the rendezvous as an argument: pickled, or inherited by a fork.
    """

    def __init__(
        self,
        title: str,
        meet: int,
        limit: int | None,
        timeout: float,
        label: str,
        in_measured_test: bool = False,
    ) -> None:
        """Take arguments that the caller has checked. ``label`` names the test, and ``timeout`` is in seconds.

        :param in_measured_test: whether the test's own body is measured, so that it runs in a single worker first.
        """
        self._in_measured_test = in_measured_test
        self._title = title
        self._timeout = timeout
        self._label = label
        self._made_at = callers.line()
        self._process = os.getpid()
        self._maker = threading.get_ident()
        self._older = frozenset(thread.ident or 0 for thread in threading.enumerate()) - {self._maker}
        self._waiting: dict[str, Entrant] = {}  # the entrants that wait in this process
        self._alone_since: float | None = None  # since when no other worker can arrive; None if one can
        self._crossed: list[str] = []  # messages about workers that wait at another gauge
        self._board: Board = MemoryBoard(Ledger(meet, limit))
        _OPEN.add(self)
        _share_before_forks()

    @property
    def peak(self) -> int:
        """The largest number that was inside at one moment."""
        return self._snapshot().peak

    @property
    def inside(self) -> int:
        """How many are inside now, including those that wait."""
        return len(self._snapshot().inside)

    @property
    def entered(self) -> int:
        """How many have ever entered."""
        return self._snapshot().entered

    @property
    def met(self) -> bool:
        """Whether the required number have been inside at one moment."""
        return self._snapshot().met

    def __enter__(self) -> Rendezvous:
        if running_loop.in_loop():
            raise BadArgument(
                f"{self._title} was entered by `with` at {callers.place()}, in the thread of a running event loop: its "
                "wait would block the loop, and no other task could come. Write `async with`, or enter it in a "
                "function that asyncio.to_thread() or an executor runs."
            )
        try:
            for seconds in self._wait():
                CLOCKS.sleep(seconds)
        except (ExpectationNotMet, BadArgument) as error:
            raise error.with_traceback(None) from None
        return self

    async def __aenter__(self) -> Rendezvous:
        try:
            for seconds in self._wait():
                await _pause(seconds)
        except (ExpectationNotMet, BadArgument) as error:
            raise error.with_traceback(None) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(FileNotFoundError), self._open() as ledger:
            ledger.leave(callers.key())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def close(self) -> None:
        """End the rendezvous with its test. All workers that still wait, in any process, get an error."""
        board = self._board
        with self._open() as ledger:
            ledger.closed = True
            self._board = MemoryBoard(ledger)
        if isinstance(board, FileBoard) and self._process == os.getpid():
            board.remove()

    def complaint(self) -> str | None:
        """Return why the rendezvous failed, or why it proves nothing; None if it was met and its limit was kept."""
        ledger = self._snapshot()
        if ledger.failure is not None or ledger.met:
            return ledger.failure
        return shortfall.never_met(self._named(), ledger)

    def share(self) -> str:
        """Move the ledger into a file that other processes can open; return its folder."""
        with self._open() as ledger:
            if not isinstance(self._board, FileBoard):
                self._board = FileBoard.of(ledger)
            return self._board.folder

    def waiting(self) -> list[Entrant]:
        """Return the entrants that wait in this process."""
        return list(self._waiting.values())

    def __reduce__(self) -> tuple[Any, ...]:
        if self._snapshot().closed:
            raise BadArgument(self._ended())
        values = {name: getattr(self, name) for name in _TRAVELS}
        return _rebuild, (self.share(), values)

    def __repr__(self) -> str:
        ledger = self._snapshot()
        return f"<{self._title}: {'met' if ledger.met else 'not met'}, peak {ledger.peak}, now {len(ledger.inside)}>"

    def _wait(self) -> Generator[float, None, None]:
        """Enter; yield the seconds to the next check, until enough are inside.

        :raises ExpectationNotMet: too few have arrived, or too many are inside.
        """
        if self._in_measured_test or current_worker.get() != ALONE:
            raise BadArgument(
                f"{self._title} was entered inside a body that is being measured. Measuring also runs the body in one "
                "worker, which would wait for others that never come. Use it in a test without a marker, and outside "
                "of the function that is given to concurrency.speedup() and the like."
            )
        key, me = callers.key(), Entrant(callers.place(), callers.worker(), os.getpid(), threading.get_ident())
        is_early = self._enter(key, me)
        self._waiting[key] = me
        try:
            yield from self._until_met(CLOCKS.wall() + self._timeout)
            if is_early:
                yield from self._hold()
        except BaseException:  # without this, a worker would count as inside after a timeout, Ctrl-C or a cancellation
            with contextlib.suppress(FileNotFoundError), self._open() as ledger:
                ledger.leave(key)
            raise
        finally:
            del self._waiting[key]

    def _enter(self, key: str, me: Entrant) -> bool:
        """Count an entrant in; return whether it came before the meeting was complete."""
        with self._held() as ledger:
            if isinstance(self._board, FileBoard):  # without this, killed processes would count as inside
                for gone in [who for who, entrant in ledger.inside.items() if not arrivals.is_alive(entrant.process)]:
                    ledger.leave(gone)
            is_early = not ledger.met
            if (earlier := ledger.inside.get(key)) is not None:
                raise BadArgument(
                    f"{self._title} was entered twice by {me.worker}: at {earlier.place}, and inside of that at "
                    f"{me.place}. A worker counts once: enter it in one place."
                )
            if ledger.enter(key, me):
                ledger.fail(shortfall.exceeded(self._named(), ledger))
                ledger.leave(key)
                raise ExpectationNotMet(ledger.failure)
            return is_early

    def _until_met(self, deadline: float) -> Iterator[float]:
        pause, looks = _SHORTEST, 0
        while True:
            with self._held() as ledger:
                if ledger.met:
                    return
                if (why := self._hopeless(deadline, looks)) is not None:
                    ledger.fail(shortfall.not_met(self._named(), why, ledger, self._absent(ledger)))
                    raise ExpectationNotMet(ledger.failure)
            yield pause
            pause, looks = min(pause * 1.5, _LONGEST), looks + 1

    def _hopeless(self, deadline: float, looks: int) -> str | None:
        if CLOCKS.wall() >= deadline:
            return f" within {duration(self._timeout)}"
        # Only at every eighth check, because it reads the stacks of all threads.
        if looks % 8 != 7 or isinstance(self._board, FileBoard) or self._process != os.getpid():
            return None
        threads = {entrant.thread for gauge in list(_OPEN) for entrant in gauge.waiting()}
        if not threads or not arrivals.no_one_is_left(self._maker, self._older, threads):
            self._alone_since = None
            return None
        # Not at the first check: a thread that has just got work from its pool looks idle for a moment.
        since = self._alone_since = self._alone_since or CLOCKS.wall()
        if CLOCKS.wall() - since < _CERTAIN:
            return None
        return ", and cannot: the test waits for the workers inside, and no other thread is left that could"

    def _hold(self) -> Iterator[float]:
        """With a limit, stay for some checks. Otherwise, a worker may leave before one too many arrives."""
        with self._open() as ledger:
            looks = 0 if ledger.limit is None else _HOLDING
        for _ in range(looks):
            yield _HOLD
            with self._held():
                pass

    def _absent(self, ledger: Ledger) -> shortfall.Absent:
        """Return what is known about why the others have not arrived."""
        here = {entrant.thread for entrant in self.waiting()}
        waiting = {entrant.thread for gauge in list(_OPEN) for entrant in gauge.waiting()}
        task = running_loop.current_task()
        loop = task.get_loop() if isinstance(task, asyncio.Task) else None
        for gauge in list(_OPEN):
            if gauge is not self and (others := gauge.waiting()):
                self._crossed.append(shortfall.crossed(others[0], gauge._named()))
                gauge._crossed += [shortfall.crossed(me, self._named()) for me in self.waiting()[:1]]
        return shortfall.Absent(
            arrivals.too_small_pools(ledger.meet, here),
            self._crossed[:1],
            arrivals.absent(self._older, waiting, self._maker, loop),
        )

    def _named(self) -> shortfall.Named:
        return shortfall.Named(self._title, self._made_at)

    def _ended(self) -> str:
        return (
            f"{self._named()}, belongs to the test {self._label}, which has ended. Call concurrency.in_flight() in "
            "each test, and let no worker outlive its test."
        )

    @contextlib.contextmanager
    def _open(self) -> Iterator[Ledger]:
        while True:
            board = self._board
            with board.open() as ledger:
                if self._board is board:  # otherwise it has been moved into a file since: try again
                    yield ledger
                    return

    @contextlib.contextmanager
    def _held(self) -> Iterator[Ledger]:
        """Give the ledger to an entrant, unless the meeting has failed or ended.

        :raises ExpectationNotMet: the meeting has failed.
        :raises BadArgument: the test that it belongs to has ended.
        """
        try:
            with self._open() as ledger:
                if ledger.closed:
                    raise BadArgument(self._ended())
                if ledger.failure is not None:
                    raise ExpectationNotMet(ledger.failure)
                yield ledger
        except FileNotFoundError:
            raise BadArgument(self._ended()) from None

    def _snapshot(self) -> Ledger:
        with self._open() as ledger:
            return ledger


_TRAVELS = ("_in_measured_test", "_title", "_timeout", "_label", "_made_at", "_process", "_maker", "_older")
_OPEN: weakref.WeakSet[Rendezvous] = weakref.WeakSet()
_forks_are_watched = False


def _rebuild(folder: str, values: dict[str, Any]) -> Rendezvous:
    gauge = object.__new__(Rendezvous)
    gauge.__dict__.update(values, _waiting={}, _alone_since=None, _crossed=[], _board=FileBoard(folder))
    _OPEN.add(gauge)
    return gauge


def _share_before_forks() -> None:
    """Before a fork, move each rendezvous into a file, so that the child shares it."""
    global _forks_are_watched
    if not _forks_are_watched and hasattr(os, "register_at_fork"):
        _forks_are_watched = True
        os.register_at_fork(before=_share_all)


def _share_all() -> None:
    for gauge in list(_OPEN):
        if not gauge._snapshot().closed:
            gauge.share()


async def _pause(seconds: float) -> None:
    """Wait while other tasks run. This does not use asyncio.sleep(), because tests may replace it."""
    if running_loop.trio_task() is not None:
        await sys.modules["trio"].sleep(seconds)
        return
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    handle = loop.call_later(seconds, woken.set)
    try:
        await woken.wait()
    finally:
        handle.cancel()
