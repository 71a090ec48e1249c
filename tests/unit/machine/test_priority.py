"""A higher priority for the time of a batch, and no longer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body, Interference
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.machine import priority
from pytest_concurrency.machine.priority import ORDINARY, Priority
from pytest_concurrency.measurement.worker_bench import WorkerBench

from .conftest import state

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the priority of threads is raised on Linux only"),
    pytest.mark.usefixtures("as_before"),
]


def is_raised(found: tuple[int, int], higher: Priority) -> bool:
    if higher.kind == "realtime":
        return found[0] & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
    return found[1] == higher.nice


def test_caller_and_named_threads_are_raised_for_the_block(higher: Priority) -> None:
    seen: list[tuple[int, int]] = []
    look, looked, end = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        look.wait()
        seen.append(state())
        looked.set()
        end.wait()
        seen.append(state())

    thread = threading.Thread(target=work)
    thread.start()
    with priority.raised(higher, [thread.native_id or 0]):
        assert is_raised(state(), higher)
        look.set()
        looked.wait()
    end.set()
    thread.join()
    assert is_raised(seen[0], higher)
    assert not is_raised(seen[1], higher)


def test_a_refused_priority_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = state()

    def refuse(*args: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "setpriority", refuse)
        with pytest.raises(PermissionError):
            priority.give(threading.get_native_id(), Priority("nice", -20))
    assert state() == before


def test_nothing_inherits_it(higher: Priority) -> None:
    found: list[tuple[int, int]] = []
    show = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"
    with priority.raised(higher, []):
        thread = threading.Thread(target=lambda: found.append(state()))
        thread.start()
        thread.join()
        child = subprocess.run([sys.executable, "-c", show], stdout=subprocess.PIPE, text=True, check=True)
    policy, nice = map(int, child.stdout.split())
    assert not is_raised(found[0], higher)
    assert not is_raised((policy, nice), higher)


def test_it_is_given_back_after_an_exception_and_of_a_thread_that_has_ended(higher: Priority) -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    number = thread.native_id or 0
    thread.join()
    with pytest.raises(KeyboardInterrupt), priority.raised(higher, [number]):
        raise KeyboardInterrupt


def test_off_changes_nothing() -> None:
    before = state()
    with priority.raised(priority.choose("off"), [threading.get_native_id()]):
        assert state() == before
    assert priority.choose("off") is ORDINARY


def test_auto_takes_no_real_time_priority_where_it_would_do_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert priority.choose("auto", shared=True).kind != "realtime"
    assert priority.choose("auto", cpus=1.0).kind != "realtime"
    monkeypatch.setattr(priority, "throttling", lambda: 1.0)
    assert priority.choose("auto").kind != "realtime"


def test_without_the_right_it_is_ordinary_and_says_why() -> None:
    code = (
        "from pytest_concurrency.machine import priority; found = priority.choose('auto'); print(found.kind, found.why)"
    )
    without = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", "prlimit", "--rtprio=0", "--nice=0"]
    try:
        done = subprocess.run(
            [*without, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, cwd=Path.cwd()
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot give up the right here: {error}")
    assert done.stdout.startswith("off no real-time priority and no lower nice value: neither CAP_SYS_NICE")


def test_elsewhere_it_is_ordinary_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    found = priority.choose("auto")
    assert found.kind == "off"
    assert "Linux only" in found.why


FOUND: list[tuple[int, int]] = []


def note_state(seconds: float = 0.005) -> None:
    FOUND.append(state())
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


TWO_THREADS = WorkerSetup("threads", 2)
_ROUNDS = 5


def states_in_a_round(
    body: Body, higher: Priority, foreign: float = 0.0, setup: WorkerSetup = TWO_THREADS
) -> list[tuple[int, int]]:
    """Measure rounds beside so many busy CPUs, and return the states that the body has noted in the last one."""
    with closing(WorkerBench(body, WorkerEnvironment(Path.cwd(), priority=higher), patience=20.0)) as bench:
        bench._meter.read = lambda: Interference(foreign)  # type: ignore[method-assign]
        bench.round(setup)
        FOUND.clear()
        bench.round(setup)
    assert FOUND
    return list(FOUND)


def states_in_and_after_a_round(higher: Priority) -> tuple[list[tuple[int, int]], set[int]]:
    """Measure one round; return the states that its body has noted, and the policies of its threads after it."""
    around = WorkerEnvironment(Path.cwd(), priority=higher)
    with closing(WorkerBench(Body(note_state), around, patience=20.0)) as bench:
        bench.prepare(TWO_THREADS)
        FOUND.clear()
        bench.round(TWO_THREADS)
        threads = bench._groups[TWO_THREADS.key][1].native_ids
        after = {os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK for thread in threads}
    assert FOUND
    return list(FOUND), after


def test_body_in_threads_has_it_in_batches_only(higher: Priority) -> None:
    # A thread of the test process itself, such as that of pytest-xdist, may compute in a round and look like a helper.
    rounds = [states_in_and_after_a_round(higher) for _ in range(_ROUNDS)]
    assert any(all(is_raised(found, higher) for found in within) for within, _ in rounds)
    assert {policy for _, after in rounds for policy in after} == {os.SCHED_OTHER}


POOL = ThreadPoolExecutor(1)


def in_a_thread() -> None:
    thread = threading.Thread(target=note_state)
    thread.start()
    thread.join()


def in_a_lasting_pool() -> None:
    POOL.submit(note_state).result()


@pytest.mark.parametrize("hand_over", [in_a_thread, in_a_lasting_pool])
@pytest.mark.parametrize("busy", [True, False], ids=["beside others", "idle"])
def test_those_who_compute_for_a_body_share_its_priority(
    higher: Priority, hand_over: Callable[[], None], busy: bool
) -> None:
    def body() -> None:
        FOUND.append(state())
        hand_over()

    for found in states_in_a_round(Body(body), higher, foreign=1.0 if busy else 0.0):
        assert is_raised(found, higher) == busy


def hands_over() -> None:
    FOUND.append(state())
    in_a_lasting_pool()


async def hands_over_on_a_loop() -> None:
    FOUND.append(state())
    await asyncio.get_running_loop().run_in_executor(POOL, note_state)


@pytest.mark.parametrize(
    ("body", "setup"),
    [
        (hands_over, WorkerSetup("threads", method="hold")),
        (hands_over_on_a_loop, WorkerSetup("tasks", method="block")),
    ],
    ids=["beside a GIL probe", "beside a loop probe"],
)
def test_helpers_beside_a_probe_share_a_nice_value(
    higher: Priority, body: Callable[[], object], setup: WorkerSetup
) -> None:
    """One that holds the GIL and has no CPU makes others wait, and would count as a longer hold or block."""
    # At real-time priority, a probe that shares a CPU with helpers would wait for whole time slices of 100 ms.
    expected = priority.choose("nice")
    for found in states_in_a_round(Body(body), higher, 1.0, setup):
        assert is_raised(found, expected)


def test_short_body_is_not_taken_for_one_with_helpers(higher: Priority) -> None:
    body = Body(note_state, (0.0002,))
    # A thread of the test process itself, such as that of pytest-xdist, may compute in a round and look like a helper.
    rounds = (states_in_a_round(body, higher) for _ in range(_ROUNDS))
    assert any(all(is_raised(found, higher) for found in states) for states in rounds)
