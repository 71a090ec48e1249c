"""What the plugin costs, each figure beside a peer's in the same run.

    python benchmarks/overhead.py [import] [suite] [verdict] [harness]

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
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from unittest import mock

from estimates import KINDS
from estimates import verdict as one_verdict

from pytest_concurrency.core.model import Sample
from pytest_concurrency.measurement.worker_bench import WorkerBench

IMPORT = "import pytest, time; t = time.process_time(); import {module}; print(time.process_time() - t)"
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
    """CPU time of importing the plugin's module, after pytest; the promise is 2 ms at most."""
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
        fastest, median = min(values) * 1e3, statistics.median(values) * 1e3
        print(f"import   {name:24} {median:6.2f} ms (fastest {fastest:.2f} ms)")


def plain_suite(tests: int = 5000, runs: int = 3) -> None:
    """A session of plain tests with and without each plugin; the promise is 1 % at most."""
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


SUITE = """
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

BODIES = (0.01, 0.02, 0.05, 0.1)

def ours(seconds):
    @pytest.mark.expect_speedup(threads=4, at_least=3)
    def test():
        time.sleep(seconds)
    return test

def peer(seconds, workers):
    def test(benchmark):
        with ThreadPoolExecutor(workers) as pool:
            benchmark(lambda: list(pool.map(time.sleep, [seconds] * workers)))
    return test

for body in BODIES:
    globals()[f"test_ours_{body}"] = ours(body)
    if PEER:
        globals()[f"test_one_{body}"], globals()[f"test_four_{body}"] = peer(body, 1), peer(body, 4)
"""


def verdict(runs: int = 5) -> None:
    """A verdict on a body that sleeps: the promise is six times as long as both of its batches once, at most.

    The peer is pytest-benchmark, which measures one worker and four in a test each, as it does by default.
    """
    peer = importlib.util.find_spec("pytest_benchmark") is not None
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file, junit = Path(folder, "test_sleep.py"), Path(folder, "junit.xml")
        file.write_text(f"PEER = {peer}\n{SUITE}")
        for _ in range(runs):
            options = ["-q", "-p", "no:cacheprovider", "--rootdir", folder, f"--junitxml={junit}", "-o"]
            seconds(sys.executable, "-m", "pytest", *options, "junit_duration_report=call", str(file))
            for case in ElementTree.parse(junit).iter("testcase"):
                times.setdefault(str(case.get("name")), []).append(float(case.get("time", 0)))
    for name, values in times.items():
        if name.startswith("test_ours_"):
            body = name.rpartition("_")[2]
            ours = statistics.median(values)
            said = f"verdict  {float(body) * 1e3:3.0f} ms sleep, 4 threads: {ours:.3f} s, "
            said += f"{ours / (2 * float(body)):.1f} times both batches once"
            if peer:
                both = sum(statistics.median(times[f"test_{count}_{body}"]) for count in ("one", "four"))
                said += f"; pytest-benchmark {both:.3f} s"
            print(said)


def harness(runs: int = 15) -> None:
    """What part of a verdict's time is not spent in batches; the promise is a tenth at most."""
    run_batch = WorkerBench._run
    batches = 0.0

    def counting(*args: Any, **keywords: Any) -> Sample:
        nonlocal batches
        sample = run_batch(*args, **keywords)
        batches += sample.wall
        return sample

    with mock.patch.object(WorkerBench, "_run", counting):
        for kind, (body, backend, workers, _) in KINDS.items():
            parts = []
            for _ in range(runs):
                batches, begun = 0.0, time.perf_counter()
                one_verdict(body, backend, workers, 0.75 * workers)
                parts.append(1 - batches / (time.perf_counter() - begun))
            print(f"harness  {kind:26} {statistics.median(parts):.1%} of a verdict's time is not spent in batches")


PARTS = {"import": importing, "suite": plain_suite, "verdict": verdict, "harness": harness}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
