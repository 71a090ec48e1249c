"""What ``--concurrency-survey`` costs a suite, beside the same session without it.

    python benchmarks/survey.py [suite|async|memory|xdist|test] [PAIRS] [TESTS]

The bars: at most 2% of CPU time, and at most 100 MB more memory for 10,000 tests. ``suite`` has plain tests, each of
which takes about a millisecond with pytest's own work. ``async`` has tests that each run an event loop. CPU time is
compared, as in plain_suite.py, and the runs of a pair take turns. ``test`` compares tests of one session, which tells
more: every second one is surveyed.

``xdist`` measures the constant PASSING_ON of survey/xdist_model.py: what sending the reports of a test to the
controller takes, in units of what pytest does for a test between its phases.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from plain_suite import compare, cpu_seconds, environment, every_second, session

PLAIN = "import pytest\n\n@pytest.fixture\ndef value():\n    yield 1\n" + "".join(
    f"def test_{{n}}_{number}(value):\n    assert value == 1\n" for number in range(10)
)
ASYNC = "import asyncio\n" + "".join(
    f"def test_{{n}}_{number}():\n    asyncio.run(asyncio.sleep(0))\n" for number in range(10)
)
OPTION = "--concurrency-survey"


def write(folder: str, template: str, tests: int) -> None:
    """Write files of 100 tests each."""
    for file in range(max(1, tests // 100)):
        text = "".join(template.replace("{n}", str(number)) for number in range(10))
        Path(folder, f"test_{file}.py").write_text(text)


def ratio(name: str, template: str, pairs: int, tests: int) -> None:
    """Compare CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, template, tests)
        compare(name, session(folder), [*session(folder), OPTION], pairs, f"{tests} tests")


def xdist(pairs: int, tests: int) -> None:
    """Compare one worker with none, by the CPU time that more tests take: that leaves out what starts and ends."""
    few = max(100, tests // 10)
    with tempfile.TemporaryDirectory() as many_folder, tempfile.TemporaryDirectory() as few_folder:
        write(many_folder, PLAIN, tests)
        write(few_folder, PLAIN, few)
        report = Path(many_folder, "out.json")
        found = []
        for _ in range(pairs):
            grown = [
                cpu_seconds(*session(many_folder), *more) - cpu_seconds(*session(few_folder), *more)
                for more in ([], ["-n", "1"])
            ]
            cpu_seconds(*session(many_folder), OPTION, f"--concurrency-report=json:{report}")
            parts = json.loads(report.read_text())["survey"]["parts"]
            own = next(part["cpu"] for part in parts if part["part"] == "pytest") / tests
            found.append((grown[1] - grown[0]) / (tests - few) / own)
            print(f"  {found[-1]:.2f}, with {own * 1e6:.0f} us for each test", flush=True)
    print(f"xdist  {statistics.median(found):.2f}")


def memory(tests: int) -> None:
    """Compare the largest resident memory, with the JSON file that has each test."""
    with tempfile.TemporaryDirectory() as folder:
        write(folder, PLAIN, tests)
        report = f"--concurrency-report=json:{folder}/out.json"
        found = [_largest([*session(folder), *more]) for more in ([], [OPTION], [OPTION, report])]
        size = Path(folder, "out.json").stat().st_size
    print(f"memory  {found[0]:.0f} MB without, {found[1]:.0f} MB with the survey, {found[2]:.0f} MB with json:PATH")
    print(f"json    {size / 1e6:.1f} MB for {tests} tests")


def _largest(arguments: list[str]) -> float:
    """Return the largest memory of a command in MB; its own process, so that no earlier child counts."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True, env=environment()
    )
    return int(done.stdout) / 1024


if __name__ == "__main__":
    part = sys.argv[1] if len(sys.argv) > 1 else "suite"
    given = [int(word) for word in sys.argv[2:]]
    pairs, tests = given + [5, 10_000][len(given) :]
    if part == "memory":
        memory(tests)
    elif part == "test":
        with tempfile.TemporaryDirectory() as folder:
            write(folder, PLAIN, tests)
            every_second("test", folder, [*session(folder), OPTION], "concurrency_perf_survey")
    elif part == "xdist":
        xdist(pairs, tests)
    else:
        ratio(part, ASYNC if part == "async" else PLAIN, pairs, tests)
