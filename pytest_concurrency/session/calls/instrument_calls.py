"""The calls of the fixture that measure nothing, but observe the test's own ordinary run."""

from __future__ import annotations

import contextlib

from pytest_concurrency.instruments.block_guard import NonblockingBlock
from pytest_concurrency.instruments.call_watch import CallWatch
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.loop_monitor import pause
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.session.instruments import Instruments

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class InstrumentCalls:
    """The calls of the fixture that work whether or not anything is measured."""

    def __init__(self, instruments: Instruments | None = None) -> None:
        self._instruments = instruments or Instruments()

    def in_flight(
        self, *, meet: int | None = None, limit: int | None = None, timeout: float | str = "30s"
    ) -> Gauge | Rendezvous:
        """Count how many workers are inside a block at the same time, without a clock, so reliably on a busy machine.

        Without arguments, return this test's gauge, the same one at each call: workers enter it where they work
        (``with`` in threads, ``async with`` in tasks), and the test reads ``.peak`` afterwards.

        With ``meet``, return a new rendezvous: each worker that enters waits until that many are inside at one moment.
        Then all continue. If they do not meet, all that wait raise an ``AssertionError``, and the test
        fails. It also works in other processes that get it as an argument.

        :param meet: 2 or more, and at most the number of workers of the pool that is tested.
        :param limit: prove both sides of a limit: that many are inside at once (``meet`` is this number if it is not
            given), and never more. Those that have met stay inside for 0.1 s, in which one too many would be seen.
        :param timeout: seconds, or text such as ``"30s"``: how long each waits for the others.
        :raises ExpectationNotMet: an ``AssertionError``, at entering or at the end of the test: too few have met, or
            more than the limit were inside.
        :raises BadArgument: an argument has no meaning; or at entering: twice in one worker, by ``with`` in the
            thread of an event loop, inside a measured body, in another test than the one that made it.

        ::

            meeting = concurrency.in_flight(meet=3)

            def fetch(url):
                with meeting:
                    return client.get(url)

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(fetch, urls))
        """
        return self._instruments.in_flight(meet, limit, timeout)

    def nonblocking(self, max_block: float | str = "50ms") -> NonblockingBlock:
        """Return a ``with`` or ``async with`` block that must not block its event loop, in this one ordinary run.

        It fails with an ``AssertionError`` that names the line if the loop was blocked for longer. Time lost for other
        reasons is subtracted: run-queue delay, the hypervisor, the GIL in other threads, and the garbage
        collector when it runs by itself. If one run is not enough to decide (within 2.5 ms above the limit, or if any
        of these took part), the test is undecided at its end.

        :param max_block: seconds, or text such as ``"20ms"``; 5 ms or more.
        :raises ExpectationNotMet: an ``AssertionError``, at the end of the block: the loop was blocked for longer.
        :raises BadArgument: ``max_block`` has no meaning; or at entering, no event loop runs there.

        ::

            async def test_handler(concurrency, request):
                prepare()  # may block
                async with concurrency.nonblocking("20ms"):
                    await handler(request)
        """
        return self._instruments.nonblocking(max_block)

    def pause(self) -> contextlib.AbstractContextManager[None]:
        """Return a ``with`` block that may block its event loop under ``--concurrency-max-block`` and nonblocking().

        It excepts the blocks of the thread that enters it, and does nothing where no loop is watched.
        """
        return pause()

    def watch(self, name: str) -> CallWatch:
        """Watch a function or method that cannot be edited until this test ends: which of its calls overlap.

        Plain and async functions, methods, class methods and static methods; in threads, tasks, and processes that are
        forked during the test. Modules that have imported the function by name are handled too. ``.peak`` is the
        largest number of threads and tasks inside at one moment, and ``.overlapped`` whether two were, both by the
        order of events, without a clock. ``.calls`` has the times in seconds, and ``.trace(path)`` writes a file for
        Perfetto. The original is restored when the test has ended, also if it failed.

        :param name: ``"module:function"`` or ``"module:Class.method"``.
        :raises BadArgument: there is no such name, or what it names cannot be watched: a class, a property, a
            generator, a method of a built-in type.

        ::

            calls = concurrency.watch("shop.web:Client.get")
            fan_out(urls)
            assert calls.peak >= 3
        """
        return self._instruments.watch(name)

    def gauge_says_nothing(self) -> bool:
        """Return whether the peak of :meth:`in_flight` was read, and is 1 whatever the workers do."""
        return self._instruments.plain_gauge.says_nothing
