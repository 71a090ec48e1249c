"""A beat on an event loop that does nothing, beside a machine that is busy."""

from __future__ import annotations

import math
import threading
import time
import types
from collections.abc import Callable

import pytest

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import loop_heartbeat
from pytest_concurrency.probes.loop_heartbeat import LoopHeartbeat
from pytest_concurrency.probes.process_threads import ProcessThreads


class Loop:
    """Timers that fire when a test says so, each its own handle."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Loop:
        self.fire = callback
        return self

    def cancel(self) -> None: ...


class Machine:
    """A clock, and what a thread and its neighbours have spent, in seconds; all stand still unless a test says so."""

    def __init__(self) -> None:
        self.now = self.cpu = self.delay = self.others_delay = self.reading = 0.0
        self.switches = 0

    def read(self) -> float:
        """Return the run-queue delay; it takes ``reading`` seconds to get the GIL back after that."""
        self.now += self.reading
        return self.delay


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    script = Machine()

    class Clock:
        def delay(self) -> float:
            return script.read()

        def switches(self) -> int:
            return script.switches

        def close(self) -> None: ...

    def finish(threads: ProcessThreads, aside: set[int]) -> None:
        threads.cpu, threads.delay = 0.0, script.others_delay

    monkeypatch.setattr(CLOCKS, "wall", lambda: script.now)
    monkeypatch.setattr(CLOCKS, "thread_cpu", lambda: script.cpu)
    monkeypatch.setattr(loop_heartbeat, "ThreadClock", Clock)
    monkeypatch.setattr(LoopHeartbeat, "_watch", lambda self, ident: None)
    monkeypatch.setattr(ProcessThreads, "finish", finish)
    return script


def test_starting_the_watcher_is_no_block_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thread.start() waits until the new thread has had a CPU, which is no run delay of the loop's own thread."""
    original = threading.Thread.start

    def slow_start(thread: threading.Thread) -> None:
        time.sleep(0.2)
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", slow_start)
    with LoopHeartbeat(Loop()) as beat:
        pass
    assert beat.result().longest.low < 0.1


def test_late_beat_is_a_block_but_for_the_time_without_a_cpu(machine: Machine) -> None:
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.now += 0.1
        machine.delay += 0.03
        loop.fire()
    found = beat.result()
    assert found.longest.low == pytest.approx(0.07 - 0.0025)
    assert found.longest.high == pytest.approx(0.1)


def test_reading_the_clocks_makes_no_block_longer(machine: Machine) -> None:
    """Each reading gives up the GIL, and threads that compute in Python keep it for 5 ms each."""
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.reading = 0.015
        for _ in range(3):
            machine.now += 0.005
            loop.fire()
    found = beat.result()
    assert found.longest.low == pytest.approx(0.015 - 0.0005)
    assert found.longest.high == pytest.approx(0.02)


def test_beside_others_the_loop_may_have_waited_for_a_thread_without_a_cpu(machine: Machine) -> None:
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.now += 0.1
        machine.switches += 20  # one in each switch interval of 5 ms
        machine.others_delay = 0.06
        loop.fire()
    found = beat.result()
    assert found.longest.low == pytest.approx(0.1 - 0.0025)
    assert found.least_beside_others == pytest.approx(0.04 - 0.0025)
    assert found.besides_gil == 0.0


def test_loop_that_slept_did_not_wait_for_the_gil(machine: Machine) -> None:
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.now += 0.1
        machine.switches += 2  # to sleep, and to take the GIL again
        machine.others_delay = math.inf
        loop.fire()
    found = beat.result()
    assert found.least_beside_others == found.besides_gil == pytest.approx(0.088 - 0.0025)


def test_with_a_short_switch_interval_waiting_for_the_gil_is_computing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_heartbeat, "sys", types.SimpleNamespace(getswitchinterval=lambda: 1e-5))
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.now += 0.1
        machine.cpu += 0.1
        machine.switches += 2
        machine.others_delay = 0.1
        loop.fire()
    found = beat.result()
    assert found.longest.low == pytest.approx(0.1 - 0.0025)
    assert found.least_beside_others is not None
    assert max(found.least_beside_others, found.besides_gil) <= 0.0


def test_what_the_loop_itself_computes_is_a_block_whatever_others_wait_for(machine: Machine) -> None:
    loop = Loop()
    with LoopHeartbeat(loop) as beat:
        machine.now += 0.1
        machine.cpu += 0.09
        machine.switches += 20
        machine.others_delay = math.inf
        loop.fire()
    assert beat.result().least_beside_others == pytest.approx(0.09 - 0.0025)
