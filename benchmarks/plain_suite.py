"""What the plugin costs a suite that measures nothing, beside the same session with ``-p no:concurrency_perf``.

    python benchmarks/plain_suite.py [PAIRS] [TESTS]

The bars: at most 1 % of 5,000 plain tests, and at most 2 ms of CPU for the import beyond pytest. CPU time is compared,
which other programs on the machine change less than wall time. The runs of a pair take turns (without, with, with,
without), so that a machine that drifts does so on both sides.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

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


def compare(name: str, without: list[str], with_more: list[str], pairs: int, of: str) -> None:
    """Compare the CPU time of two commands that take turns, and print how much more the second takes."""
    cpu_seconds(*with_more)
    ratios = []
    for _ in range(pairs):
        times = [cpu_seconds(*command) for command in (without, with_more, with_more, without)]
        ratios.append((times[1] + times[2]) / (times[0] + times[3]) - 1)
        print(f"  {ratios[-1]:+.2%} of {(times[0] + times[3]) / 2:.2f} s", flush=True)
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0], 0, ratios[0])
    print(f"{name}  {statistics.median(ratios):+.2%} (quartiles {low:+.2%} to {high:+.2%}) of {of}")


def suite(pairs: int, tests: int) -> None:
    """Compare whole sessions."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "test_plain.py")
        file.write_text("".join(f"def test_{number}(): pass\n" for number in range(tests)))
        with_plugin = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, str(file)]
        without = [*with_plugin, "-p", "no:concurrency_perf"]
        compare("suite ", without, with_plugin, pairs, f"{tests} plain tests")


def importing(runs: int = 31) -> None:
    """Time the import of the plugin's module after pytest's."""
    times = [
        float(subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, env=environment()).stdout)
        for _ in range(runs)
    ]
    print(f"import  {statistics.median(times) * 1e3:.2f} ms of CPU, fastest {min(times) * 1e3:.2f} ms")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    importing()
    suite(*(given + [9, 5000][len(given) :]))
