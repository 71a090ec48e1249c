"""What bystanders do during a batch is neither the body's help nor a delay of its helpers."""

from __future__ import annotations

import os
import threading

import pytest

from pytest_concurrency.core.model import Sample
from pytest_concurrency.measurement.other_threads import OtherThreads
from pytest_concurrency.probes import process_usage

from ..make import reading


def never() -> Sample:
    raise AssertionError("no batch has to be run again")


def test_a_bystander_that_waits_for_a_cpu_delays_no_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside busy programs, a body that sleeps was said to let other threads compute for it."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        others = OtherThreads([thread.native_id or 0])
        spent = iter([(0.0, 0.0), (1.0, 0.5)])
        monkeypatch.setattr(process_usage, "everyone", lambda: {(os.getpid(), thread.native_id or 0): next(spent)})
        watch = others.watch(delays=True)
        with watch.helpers:
            pass
        judged = others.judge(watch, Sample(1, (reading(wait=0.01),)), (), None, never, realtime=True)
    finally:
        stop.set()
        thread.join()
    assert judged is not None
    assert judged.readings == (reading(wait=0.01),)
