"""The time of garbage collections, which Python reports to its callbacks."""

from __future__ import annotations

import gc
import threading
import time

from pytest_concurrency.instruments.collector_clock import CollectorClock
from pytest_concurrency.machine.clocks import CLOCKS


def test_automatic_collections_count_from_a_given_time() -> None:
    clock, ident, begun = CollectorClock(), threading.get_ident(), CLOCKS.wall()
    clock.start()
    try:
        report = gc.callbacks[-1]
        report("start", {})
        time.sleep(0.002)
        report("stop", {})
    finally:
        clock.stop()
    assert clock.spent(ident) == clock.spent_since(ident, begun) >= 0.002
    assert clock.spent_since(ident, CLOCKS.wall()) == 0
    assert report not in gc.callbacks
