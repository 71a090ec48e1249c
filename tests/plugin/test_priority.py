"""``--concurrency-priority``: who is measured at a higher priority, and who is told of it."""

from __future__ import annotations

import json
import sys

import pytest
from conftest import REPORT, Suite, text_of

from pytest_concurrency.machine import priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the priority of threads is raised on Linux only")

LOOK = """
import os, pathlib, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

SEEN = pathlib.Path(__file__).with_name("seen.txt")

def look():
    thread = threading.get_native_id()
    policy = os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK
    with SEEN.open("a") as file:
        file.write(f"{policy} {os.getpriority(os.PRIO_PROCESS, thread)}\\n")
"""
PLACES = (
    "threads=2",
    "processes=2",
    "executor=ThreadPoolExecutor, workers=2",
    "executor=ProcessPoolExecutor, workers=2",
)


def seen(pytester: pytest.Pytester) -> list[tuple[int, int]]:
    lines = (pytester.path / "seen.txt").read_text().splitlines()
    return [(int(policy), int(nice)) for policy, nice in map(str.split, lines)]


def skip_unless(kind: str) -> None:
    found = priority.choose(kind)
    if found.kind != kind:
        pytest.skip(found.why)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["realtime", "nice"])
def test_bodies_are_measured_at_it_and_first_called_without(
    suite: Suite, pytester: pytest.Pytester, kind: str, place: str
) -> None:
    skip_unless(kind)
    suite(
        f"""{LOOK}
@pytest.mark.expect_speedup({place}, at_least=1.2, undecided="pass", max_time="3s")
def test_body():
    look()
    time.sleep(0.01)

def test_plain():
    look()
""",
        f"--concurrency-priority={kind}",
        REPORT,
        subprocess=True,
    )
    found = seen(pytester)
    raised = [policy != 0 if kind == "realtime" else nice < 0 for policy, nice in found]
    assert not raised[0], "the first call is an ordinary test"
    assert not raised[-1], "so is another test"
    # No more than this: on a busy machine a body can seem to have helper threads, and is then measured without.
    assert sum(raised) >= 2
    environment = json.loads((pytester.path / "out.json").read_text())["environment"]
    assert environment["priority"] == str(priority.choose(kind))


@pytest.mark.parametrize("marker", ["expect_speedup(tasks=2, at_least=1.2, undecided='pass')", "expect_nonblocking"])
def test_event_loop_has_it_while_it_is_measured(suite: Suite, pytester: pytest.Pytester, marker: str) -> None:
    skip_unless("realtime")
    suite(
        f"{LOOK}\n@pytest.mark.{marker}\nasync def test_body():\n    look()\n    await asyncio.sleep(0.01)\n",
        "--concurrency-priority=realtime",
        subprocess=True,
    )
    assert any(policy != 0 for policy, _ in seen(pytester))


def test_off_is_ordinary_everywhere(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        f"{LOOK}\n@pytest.mark.expect_io_bound(undecided='pass')\ndef test_body():\n    look()\n    time.sleep(0.01)\n",
        "--concurrency-priority=off",
        REPORT,
        subprocess=True,
    )
    assert set(seen(pytester)) == {(0, 0)}
    assert json.loads((pytester.path / "out.json").read_text())["environment"]["priority"] == "ordinary"


def test_body_that_hangs_is_given_up_and_keeps_no_priority(suite: Suite, pytester: pytest.Pytester) -> None:
    skip_unless("realtime")
    result = suite(
        f"""{LOOK}
import hashlib
CALLS = []

@pytest.mark.expect_speedup(processes=2, at_least=1.2, max_time="2s")
def test_body():
    CALLS.append(1)
    time.sleep(0.005)
    while len(CALLS) > 6:
        hashlib.sha256(bytes(1 << 20)).digest()

def test_plain():
    look()
""",
        "--concurrency-priority=realtime",
        subprocess=True,
    )
    assert "did not answer within" in text_of(result)
    assert seen(pytester) == [(0, 0)]


def test_priority_that_is_asked_for_by_name_and_refused_is_reported(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priority, "_try_realtime", lambda: "no right to it")
    body = "@pytest.mark.expect_io_bound(undecided='pass')\ndef test_body():\n    time.sleep(0.01)\n"
    result = suite(body, "--concurrency-priority=realtime", "--concurrency-report")
    assert "measured at ordinary priority: no real-time priority: no right to it" in text_of(result)
    assert "measured at" not in text_of(suite(body, "--concurrency-priority=off", "--concurrency-report"))
