"""Who did the work of a user's own code, and what is known of the time they had no CPU."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_usage, thread_clock
from pytest_concurrency.probes.ended_tasks import WHOLE_THREAD
from pytest_concurrency.probes.process_usage import ProcessUsage

pytestmark = pytest.mark.skipif(thread_clock.unavailable() is not None, reason="needs run delay")
COMPUTE = "import time\nwhile time.process_time() < 0.2: pass"


def compute(seconds: float = 0.05) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def in_two_threads() -> None:
    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_a_process() -> None:
    subprocess.run([sys.executable, "-c", COMPUTE], check=True)


def in_an_unwatched_process() -> None:
    os.system(f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.2: pass'")


def work_of(call: object) -> Reading:
    assert callable(call)
    with ProcessUsage(short_lived=True) as work:
        call()
    return work.reading


@pytest.mark.parametrize(
    ("call", "accounting"),
    [(compute, "one"), (in_two_threads, "seen"), (in_a_process, "seen"), (in_an_unwatched_process, "unseen")],
    ids=["one", "threads", "process", "unseen"],
)
def test_who_took_part(call: object, accounting: str) -> None:
    assert work_of(call).accounting == accounting


def test_waiting_is_done_by_one() -> None:
    # A thread of the test runner may be active in one of them.
    readings = [work_of(lambda: time.sleep(0.05)) for _ in range(5)]
    assert any(reading.accounting == "one" and reading.blocked > 0.04 for reading in readings)


def test_the_computing_of_all_is_added_up() -> None:
    assert work_of(in_two_threads).cpu >= 0.1
    assert work_of(in_a_process).cpu >= 0.15


def test_without_run_delay_no_thread_is_known_to_have_worked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CONCURRENCY_NO_RUN_DELAY", "1")
    assert work_of(compute).accounting != "one"


def _compute(seconds: float) -> None:
    while time.process_time() < seconds:
        pass


def test_what_a_child_did_before_is_not_of_this_batch() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_compute, 0.3).result()
        children, own = CLOCKS.children_cpu(), CLOCKS.process_cpu()
        with ProcessUsage(short_lived=False) as work:
            pool.shutdown(wait=True)
        whole_life = CLOCKS.children_cpu() - children
        own_work = CLOCKS.process_cpu() - own
    # The end of an interpreter takes 0.1 s and more, so the bound is what the child has used in this batch.
    assert work.reading.cpu <= whole_life - 0.3 + own_work


def test_several_watchers_leave_threads_as_they_were() -> None:
    run = getattr(threading.Thread, WHOLE_THREAD)
    first, second = ProcessUsage(short_lived=True), ProcessUsage(short_lived=True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert getattr(threading.Thread, WHOLE_THREAD) is run


def test_threads_that_python_has_not_made_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "enumerate", lambda: [threading.main_thread()])  # the pool's look like native ones
    with ThreadPoolExecutor(1) as pool:
        pool.submit(compute).result()
        reading = work_of(lambda: pool.submit(compute).result())
    assert reading.accounting == "native"


def test_thread_that_ends_meanwhile_hides_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: ["999999999", *listed(path)])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process_usage.children()
        child.communicate(b"\n")
    assert child.pid in found


def test_run_of_threads_that_a_batch_replaces_stays_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(threading.Thread, WHOLE_THREAD)
    monkeypatch.setattr(threading.Thread, WHOLE_THREAD, original)

    def traced(thread: threading.Thread) -> None:
        original(thread)

    with ProcessUsage(short_lived=True):
        monkeypatch.setattr(threading.Thread, WHOLE_THREAD, traced)
    assert getattr(threading.Thread, WHOLE_THREAD) is traced
