"""What ``--concurrency-max-block`` costs, and how often it is wrong about tests that never block their loop.

    python benchmarks/guard.py cost [PAIRS] [MILLISECONDS]
    python benchmarks/guard.py alarms [TESTS] [PROGRAMS]
    python benchmarks/guard.py finds [TESTS] [PROGRAMS]

``cost`` compares the CPU time of async tests that wait for 20 ms each, or as long as is given, every second one of
which is guarded, as a fraction of the time that the tests take. The bar is 1%. ``alarms`` runs async tests beside busy
programs, and counts those that fail. All steps of a test together compute for less than a third of the limit, so each
failure is a false one. The bar is none in 2,000 tests. ``finds`` does the same with tests that block their loop for
twice the limit, half of them by waiting, half by computing. Those that pass are listed too, as blocks that are not
certain.

All need pytest-asyncio.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from loads import BURN, programs
from plain_suite import WARM_UP, environment, every_second, session

LIMIT = "--concurrency-max-block=50ms"
WAITING = """
import asyncio

import pytest


@pytest.mark.parametrize("number", range({tests}))
async def test_wait(number):
    for _ in range({sleeps}):
        await asyncio.sleep(0.002)
"""
STEPS = """
import asyncio, time

import pytest


def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(50))


async def reply(number):
    await asyncio.sleep(0.001 * (number % 7))
    compute(0.001 * (number % 5))
    await asyncio.sleep(0)
    return [str(place) for place in range(1000)]


@pytest.mark.parametrize("number", range({tests}))
async def test_steps(number):
    await asyncio.gather(*(reply(number + each) for each in range(8)))
"""
BLOCKS = """
import asyncio, time

import pytest


@pytest.mark.parametrize("number", range({tests}))
async def test_block(number):
    await asyncio.sleep(0.01)
    if number % 2:
        time.sleep(0.1)
    end = time.thread_time() + 0.1
    while number % 2 == 0 and time.thread_time() < end:
        sum(range(50))
    await asyncio.sleep(0.01)
"""


def command(folder: str, source: str, tests: int) -> list[str]:
    """Write the tests into a folder, and return the command that runs them without the option."""
    Path(folder, "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    Path(folder, "test_guarded.py").write_text(source.replace("{tests}", str(tests)))
    return session(folder)


def cost(pairs: int, milliseconds: int) -> None:
    """Print what the option takes per test, as a fraction of the test's time."""
    with tempfile.TemporaryDirectory() as folder:
        source = WAITING.replace("{sleeps}", str(milliseconds // 2))
        guarded = [*command(folder, source, 2 * (pairs + WARM_UP)), LIMIT]
        every_second("cost", folder, guarded, "concurrency_perf_loop_guard")


def failing(source: str, tests: int, count: int) -> None:
    """Print how many of the tests fail beside busy programs."""
    with tempfile.TemporaryDirectory() as folder, programs([(BURN,)] * count):
        guarded = [*command(folder, source, tests), LIMIT, "--tb=no"]
        done = subprocess.run(guarded, capture_output=True, text=True, env=environment(), check=False)
    print(done.stdout[done.stdout.find("= blocks of the event loop") :] if "blocks of the" in done.stdout else "")
    found = re.search(r"(\d+) failed", done.stdout)
    print(f"failed  {found[1] if found else 0} of {tests} tests beside {count} busy programs")
    print(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else "cost"
    given = [int(word) for word in sys.argv[2:]]
    if part in ("alarms", "finds"):
        tests, programs_beside = given + ([2000, 4] if part == "alarms" else [200, 4])[len(given) :]
        failing(STEPS if part == "alarms" else BLOCKS, tests, programs_beside)
    else:
        cost(*(given + [500, 20][len(given) :]))
