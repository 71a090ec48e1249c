"""What files of runs cost: seconds and peak memory, each in a process of its own.

python benchmarks/runs.py [--records 10000] [--shards 1000] [--rounds 24]

24 rounds a record are what --concurrency-save measures; other reports have about 8.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pytest_concurrency.runs import record, store

CHANCE = random.Random(1)


def a_record(number: int, rounds: int) -> dict[str, Any]:
    """As a session that saves writes it: two arms and the bounds of 24 rounds."""

    def times() -> list[float]:
        return [round(CHANCE.random() / 50, 9) for _ in range(rounds)]

    def arm(workers: int) -> dict[str, Any]:
        totals = {name: times() for name in ("wall", "cpu", "delay", "blocked")}
        return {"backend": "threads", "workers": workers, "loops": 2, **totals, "note": ""}

    expectation = {
        "marker": "expect_speedup",
        "arguments": {"threads": 4, "at_least": 3},
        "claim": "speedup",
        "comparison": ">=",
        "verdict": "met",
        "reason": "",
        "estimate": {"value": 3.97, "low": 3.91, "high": 4.02, "unit": "ratio"},
        "threshold": 3.0,
        "workers": "4 threads",
        "rounds": rounds,
        "seconds": 0.512345,
        "bound": "io",
        "advice": "it waits: threads or asyncio",
        "hint": "",
        "curve": [],
        "series": [{"workers": 4, "bounds": [[round(3.9 + x, 4), round(4 + x, 4)] for x in times()]}],
        "change": None,
    }
    return {
        "nodeid": f"tests/test_module_{number // 50}.py::test_number[{number}]",
        "expectations": [expectation],
        "bound": {"kind": "io", "cpu_share": 0.02, "wait_share": 0.98, "gil": "unknown", "evidence": "it waits"},
        "arms": [arm(1), arm(4)],
        "interference": {"foreign": 0.1, "steal": 0.0, "throttled": None},
    }


def a_run(first: int, amount: int, rounds: int) -> dict[str, Any]:
    from pytest_concurrency.machine.cpus import environment

    return record.run_of(environment(), [a_record(number, rounds) for number in range(first, first + amount)])


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def told(what: str, began: float, *files: Path) -> None:
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{what:42} {time.perf_counter() - began:6.2f} s   peak {peak():5.0f} MB   {size:5.0f} MB in files")


def write(folder: Path, records: int, rounds: int) -> None:
    run = a_run(0, records, rounds)
    began = time.perf_counter()
    store.write_whole(folder / "run.json", record.text_of(run))
    told(f"write {records} records as JSON", began, folder / "run.json")


def write_lines(folder: Path, records: int, rounds: int) -> None:
    run = a_run(0, records, rounds)
    began = time.perf_counter()
    store.write_whole(folder / "run.jsonl", record.lines_of(run))
    told(f"write {records} records as JSON lines", began, folder / "run.jsonl")


def read(folder: Path, records: int, _: int) -> None:
    began = time.perf_counter()
    assert len(store.load(folder / "run.json")["records"]) == records
    told(f"read {records} records", began, folder / "run.json")


def compare(folder: Path, records: int, _: int) -> None:
    from pytest_concurrency.runs.run_comparison import compare

    run = store.load(folder / "run.json")
    began = time.perf_counter()
    assert len(compare(run, run).changes) == records
    told(f"compare {records} records", began)


def merge(folder: Path, shards: int, rounds: int) -> None:
    files = [folder / f"shard-{number}.json" for number in range(shards)]
    for number, file in enumerate(files):
        store.write_whole(file, record.text_of(a_run(number * 100, 100, rounds)))
    subprocess.run([sys.executable, __file__, "--only", "merging", "--folder", str(folder)], check=True)


def merging(folder: Path, _: int, __: int) -> None:
    from pytest_concurrency.cli import main

    files = sorted(folder.glob("shard-*.json"))
    began = time.perf_counter()
    assert main(["merge", str(folder / "merged.json"), *map(str, files)]) == 0
    told(f"merge {len(files)} shards of 100 records", began, *files)


STEPS = {"write": write, "write_lines": write_lines, "read": read, "compare": compare, "merge": merge}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--shards", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--only", choices=[*STEPS, "merging"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.only:
        step = {**STEPS, "merging": merging}[arguments.only]
        step(arguments.folder, arguments.shards if arguments.only == "merge" else arguments.records, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes = [f"--records={arguments.records}", f"--shards={arguments.shards}", f"--rounds={arguments.rounds}"]
        for step in STEPS:
            command = [sys.executable, __file__, "--only", step, "--folder", folder, *sizes]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
