"""Threads of the session that compute for themselves are not the body."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, records, thread_beside

EXPORTER = thread_beside("""
    while not stop.wait(0.02):
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
""")

BODIES = {
    "a wait": ('expect_gil_released(max_hold="5ms", max_time=2)', "def test_body():\n    time.sleep(0.05)\n"),
    "hashing": (
        'expect_gil_released(max_hold="5ms", max_time=2)',
        "def test_body():\n    hashlib.sha256(bytes(1 << 24)).digest()\n",
    ),
    "a task": (
        'expect_nonblocking(max_block="5ms", max_time=2)',
        "async def test_body():\n    await asyncio.sleep(0.05)\n",
    ),
}


@pytest.mark.parametrize(("marker", "body"), BODIES.values(), ids=BODIES)
def test_what_another_thread_holds_is_not_the_bodys(
    suite: Suite, pytester: pytest.Pytester, marker: str, body: str
) -> None:
    suite(f"import hashlib\n{EXPORTER}\n@pytest.mark.{marker}\n{body}", REPORT)
    assert records(pytester)[0]["expectations"][0]["verdict"] in ("met", "undecided")


def test_what_the_bodys_own_thread_holds_is(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        """
import re

def hold():
    re.match("(a|a)*b", "a" * 18)  # some 20 ms in one call that keeps the GIL

@pytest.mark.expect_nonblocking(max_block="5ms")
async def test_body():
    await asyncio.to_thread(hold)
""",
        REPORT,
    )
    assert records(pytester)[0]["expectations"][0]["verdict"] == "not_met"


def test_what_a_pool_holds_that_the_first_call_has_started_is_the_bodys(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    suite(
        """
import re
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(1)

def hold():
    re.match("(a|a)*b", "a" * 19)  # one call that keeps the GIL

@pytest.mark.parametrize("number", range(2))
@pytest.mark.expect_gil_released(max_hold="5ms", max_time="8s")
def test_own_pool(number):
    POOL.submit(hold).result()
""",
        REPORT,
    )
    verdicts = [record["expectations"][0]["verdict"] for record in records(pytester)]
    assert verdicts[0] == "not_met"
    assert verdicts[1] in ("not_met", "undecided"), (
        "the thread is older than this test, and is seen to work for it only"
    )


@pytest.mark.parametrize("priority", ["auto", "off"])
def test_setup_that_holds_the_gil_is_no_hold_of_the_body(
    suite: Suite, pytester: pytest.Pytester, priority: str
) -> None:
    suite(
        """
def make():
    return sum(range(2_000_000))  # one call that keeps the GIL

@pytest.mark.expect_gil_released(max_hold="5ms", setup=make)
def test_body(concurrency_worker):
    time.sleep(0.012)

def test_asks(concurrency):
    assert concurrency.gil_hold(lambda made: time.sleep(0.012), setup=make) <= "5ms"
""",
        REPORT,
        f"--concurrency-priority={priority}",
    )
    verdicts = {record["expectations"][0]["verdict"] for record in records(pytester)}
    assert verdicts <= {"met", "undecided"}, "a busy machine may leave it undecided"


def test_busy_thread_of_the_session_makes_python_code_no_faster(suite: Suite, pytester: pytest.Pytester) -> None:
    """A single worker waits for its GIL half of the time, four workers a fifth of it."""
    busy = """
        number = 0
        while not stop.is_set():
            for _ in range(1000):
                number += 1
    """
    suite(
        thread_beside(busy)
        + """
def compute():
    number = 0
    for _ in range(300_000):
        number += 1

@pytest.mark.expect_speedup(threads=4, at_most=1.3, max_time="4s")
def test_no_faster():
    compute()

@pytest.mark.expect_speedup(threads=4, at_least=1.5, max_time="4s")
def test_faster():
    compute()
""",
        REPORT,
    )
    no_faster, faster = [record["expectations"][0]["verdict"] for record in records(pytester)]
    assert no_faster in ("met", "undecided")
    assert faster in ("not_met", "undecided", "unmeasurable")


def test_a_thread_that_computes_now_and_then_keeps_no_loss_undecided(suite: Suite, pytester: pytest.Pytester) -> None:
    """What it may have held the GIL for is known, and is far less than what the speedup lacks."""
    ticks = """
        while not stop.wait(0.01):
            end = time.thread_time() + 0.002
            while time.thread_time() < end:
                pass
    """
    suite(
        thread_beside(ticks)
        + """
def compute():
    for _ in range(500_000):
        pass

@pytest.mark.expect_speedup(threads=2, at_least=1.7)
def test_faster():
    compute()

@pytest.mark.expect_cpu_bound(min_cpu=0.6)
def test_computes():
    compute()
""",
        REPORT,
    )
    verdicts = {record["nodeid"]: record["expectations"][0]["verdict"] for record in records(pytester)}
    assert {node.partition("::")[2]: verdict for node, verdict in verdicts.items()} == {
        "test_faster": "not_met",
        "test_computes": "met",
    }


def test_body_that_polls_its_own_thread_is_probed_in_time(suite: Suite, pytester: pytest.Pytester) -> None:
    """During the probe, a thread that computes keeps the GIL for longer, and gives it up at each turn all the same."""
    suite(
        """
import queue
JOBS = queue.SimpleQueue()

def serve():
    while True:
        JOBS.get().append(1)

threading.Thread(target=serve, daemon=True).start()

@pytest.mark.expect_cpu_bound(max_time="20s")
def test_polls():
    for _ in range(8):
        done = []
        JOBS.put(done)
        while not done:
            pass
""",
        REPORT,
    )
    assert records(pytester)[0]["expectations"][0]["verdict"] in ("met", "undecided")
    assert records(pytester)[0]["expectations"][0]["rounds"] > 2
