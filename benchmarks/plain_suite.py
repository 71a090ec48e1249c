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
from collections.abc import Sequence
from pathlib import Path

OFF = ("-p", "no:concurrency_perf")
WARM_UP = 20  # pairs of tests, in which modules are loaded
# Takes a plugin away from every second test, and notes the CPU time and the time that each test takes.
EVERY_SECOND = """
import time
from pathlib import Path

import pytest

NAME = "{name}"
taken = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    plugins = item.config.pluginmanager
    if plugins.has_plugin(NAME):
        taken[:] = [plugins.get_plugin(NAME)]
        plugins.unregister(name=NAME)
    else:
        plugins.register(taken[0], NAME)
    cpu, wall = time.process_time(), time.perf_counter()
    answer = yield
    used = time.process_time() - cpu, time.perf_counter() - wall
    with Path(__file__).with_name("times").open("a") as file:
        print(*used, file=file)
    return answer
"""
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


def every_second(label: str, folder: str, command: Sequence[str], name: str) -> None:
    """Print what a plugin of this name takes per test, as a fraction of the test's time, with its interval (95%).

    Every second test of one session runs without it: the CPU speed of a shared machine changes from one session to the
    next by more than that.
    """
    Path(folder, "conftest.py").write_text(EVERY_SECOND.replace("{name}", name))
    subprocess.run(command, check=True, env=environment(), stdout=subprocess.DEVNULL)
    lines = Path(folder, "times").read_text().splitlines()[2 * WARM_UP :]
    print(cost_line(label, [(float(cpu), float(wall)) for cpu, wall in map(str.split, lines)]))


def cost_line(label: str, rows: Sequence[tuple[float, float]]) -> str:
    """Return what the tests with a plugin take more than those without, from the CPU time and the time of each test.

    The tests take turns, first one without. One pair of tests has no interval.
    """
    more = [on - off for (off, _), (on, _) in zip(rows[::2], rows[1::2], strict=False)]
    if not more:
        return f"{label}  nothing to compare: ask for one pair of tests or more"
    took, mean = statistics.mean(wall for _, wall in rows), statistics.mean(more)
    cost, part = f"{mean * 1e6:+.0f} us", f"{mean / took:+.2%}"
    if len(more) > 1:
        error = 1.96 * statistics.stdev(more) / len(more) ** 0.5
        low, high = mean - error, mean + error
        cost += f" [{low * 1e6:+.0f}, {high * 1e6:+.0f}]"
        part += f" [{low / took:+.2%}, {high / took:+.2%}]"
    pairs = f"{len(more)} pairs" if len(more) > 1 else "1 pair, which has no interval"
    return f"{label}  {cost} of CPU time for a test, {part} of its {took * 1e3:.1f} ms; {pairs}"


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
