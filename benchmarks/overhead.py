"""What the plugin costs, each figure beside a peer's in the same run.

    python benchmarks/overhead.py [import] [suite] [verdict]

What a batch costs on each backend: see backends.py. Run it on a machine that does nothing else.
Peers that are not installed are left out.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMPORT = "import pytest, time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
PLUGINS = {
    "pytest-concurrency-perf": ("pytest_concurrency.plugin", "concurrency_perf"),
    "pytest-benchmark": ("pytest_benchmark.plugin", "benchmark"),
    "pytest-xdist": ("xdist.plugin", "xdist"),
}


def installed() -> dict[str, tuple[str, str]]:
    return {
        name: (module, plugin)
        for name, (module, plugin) in PLUGINS.items()
        if importlib.util.find_spec(module.split(".")[0]) is not None
    }


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=compiled())
    return time.perf_counter() - start


def compiled() -> dict[str, str]:
    """The environment, in which Python keeps what it has compiled, as users have it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def importing(runs: int = 21) -> None:
    """Import of the plugin's module, after pytest; the promise is 4 ms."""
    times: dict[str, list[float]] = {name: [] for name in installed()}
    for _ in range(runs):
        for name, (module, _) in installed().items():
            out = subprocess.run(
                [sys.executable, "-c", IMPORT.format(module=module)],
                check=True,
                capture_output=True,
                text=True,
                env=compiled(),
            )
            times[name].append(float(out.stdout))
    for name, values in times.items():
        print(f"import   {name:24} {statistics.median(values) * 1e3:6.2f} ms")


def plain_suite(tests: int = 5000, runs: int = 3) -> None:
    """A session of plain tests with and without each plugin; the promise is 2 % at most."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "test_plain.py")
        file.write_text("".join(f"def test_{number}(): pass\n" for number in range(tests)))
        everything = installed()
        base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, str(file)]
        base += [word for _, plugin in everything.values() for word in ("-p", f"no:{plugin}")]
        ratios: dict[str, list[float]] = {name: [] for name in everything}
        for _ in range(runs):
            for name, (_, plugin) in everything.items():
                own = list(base)
                position = own.index(f"no:{plugin}")
                del own[position - 1 : position + 1]
                # Without, with, without: a machine that drifts does so on both sides.
                before, with_plugin, after = seconds(*base), seconds(*own), seconds(*base)
                ratios[name].append(2 * with_plugin / (before + after))
        for name, values in ratios.items():
            print(f"suite    {name:24} {(statistics.median(values) - 1) * 100:+6.1f} % of {tests} plain tests")


def verdict(runs: int = 11) -> None:
    """Verdicts on a body that sleeps 20 ms, beside the shortest way to see both of its sides once."""
    from pytest_concurrency.expectations import read_marker
    from pytest_concurrency.expectations.base import Limits
    from pytest_concurrency.model import Body
    from pytest_concurrency.surroundings import Surroundings
    from pytest_concurrency.trial import Circumstances, Trial

    body = Body(time.sleep, positional=(0.02,), label="sleep")
    expectation = read_marker("expect_speedup", (), {"threads": 4, "at_least": 3}, False)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        with Trial(body, Circumstances(Limits(), Surroundings(Path.cwd()))) as trial:
            outcome, _ = trial.decide("", "", {}, expectation.plan(body, Limits()), Limits())
        times.append(time.perf_counter() - start)
        assert outcome.verdict == "met", outcome
    typical = statistics.median(times)
    print(f"verdict  20 ms sleep, 4 threads: {typical:.3f} s, {typical / 0.04:.1f} times both batches once")


PARTS = {"import": importing, "suite": plain_suite, "verdict": verdict}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
