"""How often the gate is wrong: unchanged code must raise no alarm, and seeded regressions must be caught.

    python benchmarks/gate.py [--same 100] [--seeded 20] [--busy N] [--json PATH]

Each try is a pytest session of its own. Those of unchanged code are saved, so that pairs of them give the
tries of the offline comparison, and fours of them (A B B A) the tries of the comparison of revisions.
``--busy`` keeps N CPUs busy meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_concurrency.runs.allowed_loss import parse
from pytest_concurrency.runs.pooling import compare_sessions
from pytest_concurrency.runs.run_comparison import compare
from pytest_concurrency.runs.store import Storage

SUITE = """
import contextlib, hashlib, os, threading, time
from concurrent.futures import ThreadPoolExecutor
import asyncio
import pytest

SEED = os.environ.get("SEED", "")
LOCK = threading.Lock() if SEED == "lock" else contextlib.nullcontext()
PLACES = 3 if SEED == "fewer" else 4
DATA = b"x" * 300_000


@pytest.mark.expect_speedup(threads=4, at_least=0.5)
def test_fetch():
    with LOCK:
        time.sleep(0.004)


@pytest.mark.expect_speedup(threads=2, at_least=0.3)
def test_digest():
    if SEED == "gil":
        for _ in range(8_000):
            pass
    else:
        hashlib.sha256(DATA).digest()


def one_by_one():
    for _ in range(12):
        time.sleep(0.003)


def pool():
    with ThreadPoolExecutor(PLACES) as executor:
        list(executor.map(time.sleep, [0.003] * 12))


POOL = threading.Semaphore(PLACES)


@pytest.mark.expect_speedup(threads=4, at_least=0.5)
def test_places():
    for _ in range(6):
        with POOL:
            time.sleep(0.002)


def test_pool(concurrency):
    assert concurrency.compare(one_by_one, pool) >= 1.2


@pytest.mark.expect_speedup(processes=2, at_least=0.5)
def test_processes():
    sum(range(100_000))


@pytest.mark.expect_speedup(tasks=8, at_least=0.5)
async def test_tasks():
    await asyncio.sleep(0.003)


@pytest.mark.expect_scaling(threads=(1, 2, 4), efficiency=0.51)
def test_curve():
    time.sleep(0.004)
"""
AIM = {"lock": "test_fetch", "gil": "test_digest", "fewer": "test_places"}
LIMITS = "speedup:10%"


def session(folder: Path, *options: str, seed: str = "") -> tuple[int, dict[str, str]]:
    """Run the suite; return the exit status and each failed test's message."""
    report = folder / "out.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "concurrency_perf", "-p", "no:cacheprovider"),
        *(f"--junitxml={report}", *options),
    ]
    environment = {**os.environ, "SEED": seed, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    from xml.etree import ElementTree

    failed = {}
    for case in ElementTree.parse(report).iter("testcase"):
        for failure in case.findall("failure"):
            failed[case.get("name", "")] = failure.get("message", "")
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode, failed


def busy(amount: int) -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(amount)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--same", type=int, default=100)
    parser.add_argument("--seeded", type=int, default=20)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    loads = busy(arguments.busy)
    try:
        result = study(arguments.same, arguments.seeded)
    finally:
        for load in loads:
            load.kill()
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def study(same: int, seeded: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_gate.py").write_text(SUITE)
        (folder / "pytest.ini").write_text("[pytest]\n")
        gate = ["--concurrency-compare=base", f"--concurrency-compare-fail={LIMITS}"]
        session(folder, "--concurrency-save=base")
        began = time.monotonic()
        alarms: Counter[str] = Counter()
        for number in range(same):
            for test, message in session(folder, *gate, f"--concurrency-save=same{number}")[1].items():
                alarms[f"{test}: {message[:200]}"] += 1
        result["gate, unchanged"] = {"tries": same, "alarms": dict(alarms)}
        result["seconds per session"] = round((time.monotonic() - began) / max(1, same), 2)
        for seed, test in AIM.items():
            others: Counter[str] = Counter()
            caught = 0
            for number in range(seeded):
                failed = session(folder, *gate, f"--concurrency-save={seed}{number}", seed=seed)[1]
                caught += test in failed
                others.update(name for name in failed if name != test)
            result[f"gate, seeded {seed}"] = {"tries": seeded, "caught": caught, "other alarms": dict(others)}
        store, limits = Storage(folder / ".concurrency"), parse([LIMITS])
        runs = {run: store.load(run) for run in store.names()}
        unchanged = [runs[f"same{number}"] for number in range(same)]
        pairs = list(zip(unchanged, unchanged[1:] + unchanged[:1], strict=True))
        result["offline, unchanged"] = tell([compare(one, other, limits) for one, other in pairs])
        fours = [unchanged[at : at + 4] for at in range(max(0, len(unchanged) - 3))]
        result["revisions, unchanged"] = tell([compare_sessions([a, d], [b, c], limits) for a, b, c, d in fours])
        for seed, test in AIM.items():
            slow = [runs[f"{seed}{number}"] for number in range(seeded)]
            found = [compare(runs["base"], run, limits) for run in slow]
            result[f"offline, seeded {seed}"] = tell(found, test)
            found = [
                compare_sessions([one, other], [slow[at], slow[(at + 1) % len(slow)]], limits)
                for at, (one, other) in zip(range(len(slow)), itertools.cycle(pairs), strict=False)
            ]
            result[f"revisions, seeded {seed}"] = tell(found, test)
    return result


def tell(comparisons: list[Any], test: str = "") -> dict[str, Any]:
    names = [{change.nodeid.rpartition("::")[2] for change in found.regressions} for found in comparisons]
    told: dict[str, Any] = {"tries": len(comparisons)}
    if test:
        told["caught"] = sum(test in found for found in names)
    told["alarms"] = dict(Counter(name for found in names for name in found if name != test))
    return told


if __name__ == "__main__":
    main()
