"""Bodies that depend on ``concurrency_worker.index``: the N bodies of N workers are compared with themselves."""

from __future__ import annotations

import pytest
from conftest import IMPORTS, REPORT, Suite, records_of

BODIES = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

QUICK_FIRST = [0.004, 0.04, 0.04, 0.04]
SLOW_FIRST = [0.06, 0.004, 0.004, 0.004]
LOCK = threading.Lock()
"""
QUICK_THEN_SLOW = """
@pytest.mark.expect_speedup({where}, at_least=1.8)
{define} test_quick_first(concurrency_worker):
    {wait}(QUICK_FIRST[concurrency_worker.index])
"""


def assert_never_wrong(found: dict[str, dict[str, object]], expected: dict[str, str]) -> None:
    """Check the verdicts; beside many other programs a round may say nothing."""
    verdicts = {name: record["expectations"][0]["verdict"] for name, record in found.items()}  # type: ignore[index]
    assert {name: verdict for name, verdict in verdicts.items() if verdict != "undecided"}.items() <= expected.items()
    assert verdicts.keys() == expected.keys()


PLACES = [
    "threads=4",
    "processes=4",
    "tasks=4",
    "executor=ThreadPoolExecutor, workers=4",
    "executor='loky', workers=4",
]


@pytest.mark.parametrize("where", PLACES)
def test_quick_first_body_in_parallel_is_met(suite: Suite, pytester: pytest.Pytester, where: str) -> None:
    if "loky" in where:
        pytest.importorskip("loky")
    is_async = where.startswith("tasks")
    define, wait = ("async def", "await asyncio.sleep") if is_async else ("def", "time.sleep")
    suite(BODIES + QUICK_THEN_SLOW.format(where=where, define=define, wait=wait), REPORT)
    found = records_of(pytester)
    assert_never_wrong(found, {"test_quick_first": "met"})
    note = found["test_quick_first"]["arms"][0]["note"]
    assert "the serial run does the bodies of all workers in turn" in note


def test_slow_first_body_behind_a_lock_is_not_met(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        BODIES
        + """
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_marked(concurrency_worker):
    with LOCK:
        time.sleep(SLOW_FIRST[concurrency_worker.index])

@pytest.fixture
def asked(concurrency, concurrency_worker):
    def body():
        with LOCK:
            time.sleep(SLOW_FIRST[concurrency_worker.index])
    return concurrency.speedup(body, threads=4)

def test_called(asked):
    assert asked >= 2
""",
        REPORT,
    )
    assert_never_wrong(records_of(pytester), {"test_marked": "not_met", "test_called": "not_met"})


def test_same_body_in_every_worker_has_no_note(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        IMPORTS
        + """
@pytest.mark.expect_speedup(threads=2, at_least=1.2, max_time="1us", undecided="pass")
def test_it(concurrency_worker, concurrency_tmp_path):
    assert concurrency_worker.count in (1, 2)
    (concurrency_tmp_path / "out.txt").write_text("")
    time.sleep(0.004)
""",
        REPORT,
    )
    assert "in turn" not in records_of(pytester)["test_it"]["arms"][0]["note"]
