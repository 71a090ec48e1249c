"""What the quiet host costs: per ordinary test, and for a suite of ordinary and measured tests.

    python benchmarks/quiet_host.py [lock] [suite] [--ordinary 400] [--measured 20] [--runs 3]

Run it on a machine that does nothing else. It needs pytest-xdist.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pytest_concurrency.session.host.host_lock import HostLock

SUITE_PROMISE = 1.15
SUITE = """
import time, pytest

@pytest.mark.parametrize("n", range({first}))
def test_ordinary_first(n):
    sum(range(1_000_000))

@pytest.mark.parametrize("n", range({measured}))
@pytest.mark.expect_speedup(threads=4, at_least=3, undecided="pass")
def test_measured(n):
    time.sleep(0.01)

@pytest.mark.parametrize("n", range({last}))
def test_ordinary_last(n):
    sum(range(1_000_000))
"""


def microseconds(call: Callable[[], object], calls: int = 5000) -> str:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return f"median {statistics.median(times) * 1e6:6.1f} us, mean {statistics.mean(times) * 1e6:6.1f} us"


def lock() -> None:
    """Enter and leave, as every ordinary test does, while no one measures; the promise is 100 us."""
    with tempfile.TemporaryDirectory() as folder:
        host, other = HostLock(Path(folder), 30.0), HostLock(Path(folder), 30.0)

        def ordinary() -> None:
            host.enter()
            host.leave()

        def measured() -> None:
            with host.alone():
                pass

        print(f"lock     an ordinary test, alone           {microseconds(ordinary)}")
        other.enter()
        print(f"lock     an ordinary test beside another   {microseconds(ordinary)}")
        other.leave()
        print(f"lock     a measurement, no one else there  {microseconds(measured, 500)}")
        host.close()
        other.close()
        try:
            from filelock import ReadWriteLock
        except ImportError:
            return
        if ReadWriteLock is None:  # no sqlite3
            return
        peer = ReadWriteLock(str(Path(folder, "peer.db")))

        def shared() -> None:
            with peer.read_lock():
                pass

        print(f"lock     filelock's ReadWriteLock, shared  {microseconds(shared, 500)}")


def suite(ordinary: int, measured: int, runs: int) -> None:
    """Everything under -n 2, beside (ordinary tests under -n 2, then measured ones alone); at most 1.15 times."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "test_suite.py")
        file.write_text(SUITE.format(first=ordinary // 2, measured=measured, last=ordinary - ordinary // 2))
        ratios = []
        for _ in range(runs):
            together = seconds(file, "-n", "2")
            apart = seconds(file, "-n", "2", "--concurrency-skip") + seconds(file, "--concurrency-only")
            off = seconds(file, "-n", "2", "--concurrency-quiet-host=off")
            ratios.append(together / apart)
            ratio = f"ratio {ratios[-1]:.3f}"
            print(f"suite    together {together:6.2f} s, apart {apart:6.2f} s, {ratio}; switched off {off:.2f} s")
        ratio = statistics.median(ratios)
        print(
            f"suite    {ordinary} ordinary and {measured} measured tests: ratio {ratio:.3f}, promised {SUITE_PROMISE}"
        )


def seconds(file: Path, *options: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(done.stdout)
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["lock", "suite"])
    parser.add_argument("--ordinary", type=int, default=400)
    parser.add_argument("--measured", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if "lock" in options.parts:
        lock()
    if "suite" in options.parts:
        suite(options.ordinary, options.measured, options.runs)
