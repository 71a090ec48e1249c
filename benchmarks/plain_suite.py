"""What the plugin costs a suite that measures nothing, beside the same session with ``-p no:concurrency_perf``.

    python benchmarks/plain_suite.py [PAIRS] [TESTS]
    python benchmarks/plain_suite.py instructions [TESTS]

The bars: at most 1 % of 5,000 plain tests, and at most 2 ms of CPU for the import beyond pytest. CPU time is compared,
which other programs on the machine change less than wall time. The runs of a pair take turns (without, with, with,
without), so that a machine that drifts does so on both sides.

``instructions`` counts the instructions that the processor executes, with Valgrind, for two numbers of tests. That
tells the cost per session from the cost per test on a machine whose CPU times scatter by more than the bar. The garbage
collector is off, because when it runs is chance. The number of its runs is printed beside, from sessions that have it.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OFF = ("-p", "no:concurrency_perf")
IMPORT = """
import pytest, time
begun = time.process_time()
import pytest_concurrency.plugin
print(time.process_time() - begun)
"""


def environment() -> dict[str, str]:
    """The environment without what keeps Python from using compiled files, which users have."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def cpu_seconds(*command: str) -> float:
    """Return the user and system time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def in_turns(without: list[str], with_more: list[str]) -> tuple[float, float]:
    """Return the CPU time of each of two commands, the mean of two runs."""
    times = [cpu_seconds(*command) for command in (without, with_more, with_more, without)]
    return (times[0] + times[3]) / 2, (times[1] + times[2]) / 2


def compare(name: str, without: list[str], with_more: list[str], pairs: int, of: str) -> None:
    """Compare the CPU time of two commands that take turns, and print how much more the second takes."""
    cpu_seconds(*with_more)
    ratios = []
    for _ in range(pairs):
        before, after = in_turns(without, with_more)
        ratios.append(after / before - 1)
        print(f"  {ratios[-1]:+.2%} of {before:.2f} s", flush=True)
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0], 0, ratios[0])
    print(f"{name}  {statistics.median(ratios):+.2%} (quartiles {low:+.2%} to {high:+.2%}) of {of}")


def arguments(folder: str) -> list[str]:
    """Return pytest's arguments to run what is in a folder."""
    return ["-q", "-p", "no:cacheprovider", "--rootdir", folder, folder]


def session(folder: str) -> list[str]:
    """Return the command that runs what is in a folder."""
    return [sys.executable, "-m", "pytest", *arguments(folder)]


def write_plain(folder: str, tests: int) -> None:
    """Write tests that do nothing."""
    Path(folder, "test_plain.py").write_text("".join(f"def test_{number}(): pass\n" for number in range(tests)))


def suite(pairs: int, tests: int) -> None:
    """Compare whole sessions."""
    with tempfile.TemporaryDirectory() as folder:
        write_plain(folder, tests)
        compare("suite ", [*session(folder), *OFF], session(folder), pairs, f"{tests} plain tests")


WITHOUT_COLLECTOR = "import gc, sys, pytest; gc.disable(); gc.collect = lambda *_: 0; pytest.main(sys.argv[1:])"
COUNTED_COLLECTOR = """
import gc, sys, pytest
pytest.main(sys.argv[1:])
print("collections", [each["collections"] for each in gc.get_stats()], "of", len(gc.get_objects()), "objects")
"""


def instructions(tests: int) -> None:
    """Count the instructions of whole sessions with a fifth of the tests and with all of them."""
    few = tests // 5
    found: dict[tuple[int, tuple[str, ...]], int] = {}
    for count in (few, tests):
        with tempfile.TemporaryDirectory() as folder:
            write_plain(folder, count)
            for more in ((), OFF):
                given = [*arguments(folder), *more]
                found[count, more] = counted(WITHOUT_COLLECTOR, *given)
                command = [sys.executable, "-c", COUNTED_COLLECTOR, *given]
                run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
                end = run.stdout.splitlines()[-1]
                print(f"  {count} tests {' '.join(more)}: {found[count, more] / 1e6:.0f} million; {end}", flush=True)
    per_session = found[few, ()] - found[few, OFF]
    test = (found[tests, OFF] - found[few, OFF]) / (tests - few)
    per_test = (found[tests, ()] - found[few, ()]) / (tests - few) - test
    print(f"session      {per_session / 1e6:+.1f} million instructions")
    print(f"test         {per_test:+.0f} of {test:.0f} instructions")
    print(f"5,000 tests  {(per_session + per_test * 5000) / (test * 5000):+.2%}")


def counted(code: str, *arguments: str) -> int:
    """Return how many instructions a Python program executes."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", sys.executable, "-c", code]
    fixed = {**environment(), "PYTHONHASHSEED": "0"}
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True, env=fixed)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def importing(runs: int = 31) -> None:
    """Time the import of the plugin's module after pytest's."""
    times = [
        float(subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, env=environment()).stdout)
        for _ in range(runs)
    ]
    print(f"import  {statistics.median(times) * 1e3:.2f} ms of CPU, fastest {min(times) * 1e3:.2f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["instructions"]:
        instructions(int(sys.argv[2]) if len(sys.argv) > 2 else 2500)
    else:
        given = [int(word) for word in sys.argv[1:]]
        importing()
        suite(*(given + [9, 5000][len(given) :]))
