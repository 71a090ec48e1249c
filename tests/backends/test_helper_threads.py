"""Bodies that let others work for them: threads and processes of their own, or of a pool that lives on."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, records, records_of, thread_beside

WORK = """
import hashlib, subprocess
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(4)
BLOCK = bytes(1 << 18)

def digest(times=40):
    for _ in range(times):
        hashlib.sha256(BLOCK).digest()

def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

def in_a_pool(work):
    POOL.submit(work).result()

def sleep():
    time.sleep(0.01)

@pytest.fixture(scope="module", autouse=True)
def end():
    yield
    POOL.shutdown()
"""


def assert_not_wrong(pytester: pytest.Pytester, expected: dict[str, str]) -> None:
    """Check the verdicts; beside other programs, how long helpers waited for a CPU is not known."""
    found = {name: record["expectations"][0]["verdict"] for name, record in records_of(pytester).items()}
    assert {name: found[name] for name in found if found[name] != "undecided"}.items() <= expected.items()
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("where", ["in_a_thread", "in_a_pool"])
def test_what_helpers_compute_is_the_bodys_computing(suite: Suite, pytester: pytest.Pytester, where: str) -> None:
    suite(
        WORK
        + f"""
@pytest.mark.expect_cpu_bound
def test_computes():
    {where}(digest)

@pytest.mark.expect_io_bound
def test_waits():
    {where}(digest)

@pytest.mark.expect_io_bound
def test_sleeps():
    {where}(sleep)
""",
        REPORT,
    )
    assert_not_wrong(pytester, {"test_computes": "met", "test_waits": "not_met", "test_sleeps": "met"})


def test_what_async_bodies_hand_to_threads_is_computing(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        WORK
        + """
@pytest.mark.expect_cpu_bound
async def test_computes():
    await asyncio.to_thread(digest)
""",
        REPORT,
    )
    assert_not_wrong(pytester, {"test_computes": "met"})


def test_programs_that_a_body_runs_compute_for_it(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        WORK
        + """
@pytest.mark.expect_cpu_bound
def test_computes():
    subprocess.run([sys.executable, "-S", "-c", "sum(n * n for n in range(10 ** 6))"], check=True)
""",
        REPORT,
    )
    assert_not_wrong(pytester, {"test_computes": "met"})


@pytest.mark.parametrize(
    "where", ["processes=2", "executor='loky', workers=2", "executor=ProcessPoolExecutor, workers=2"]
)
def test_so_do_those_of_a_worker_in_another_process(suite: Suite, pytester: pytest.Pytester, where: str) -> None:
    suite(
        WORK.replace("import ThreadPoolExecutor", "import ProcessPoolExecutor, ThreadPoolExecutor")
        + f"""
@pytest.mark.expect_speedup({where}, at_least=1.2, max_time="2s", undecided="pass")
def test_computes():
    subprocess.run([sys.executable, "-S", "-c", "sum(n * n for n in range(10 ** 6))"], check=True)
""",
        REPORT,
    )
    # To start a program takes a worker some milliseconds; the program computes for much longer, in ticks of 10 ms.
    assert min(records(pytester)[0]["arms"][0]["cpu"]) > 0.02


def test_a_thread_of_somebody_else_is_no_helper(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        WORK
        + """
STOP = threading.Event()

@pytest.fixture
def busy():
    def hash_on():
        while not STOP.is_set():
            digest(1)
    thread = threading.Thread(target=hash_on)
    thread.start()
    yield
    STOP.set()
    thread.join()

@pytest.mark.expect_cpu_bound
def test_waits(busy):
    time.sleep(0.01)
""",
        REPORT,
    )
    assert_not_wrong(pytester, {"test_waits": "not_met"})


def test_pool_that_an_earlier_test_has_started_computes_for_the_body(suite: Suite, pytester: pytest.Pytester) -> None:
    """Beside a thread that computes for itself, too: each is told by when it computes."""
    export = """
        while not stop.wait(0.07):
            until = time.perf_counter() + 0.01
            while time.perf_counter() < until:
                hashlib.sha256(BLOCK).digest()
    """
    suite(
        WORK
        + thread_beside(export)
        + """
@pytest.mark.parametrize("number", range(3))
@pytest.mark.expect_cpu_bound
def test_computes(number):
    in_a_pool(digest)
""",
        REPORT,
    )
    assert_not_wrong(pytester, {f"test_computes[{number}]": "met" for number in range(3)})
