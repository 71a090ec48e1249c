"""What reports of large runs cost: seconds, bytes, and peak memory of the process that makes them.

    python benchmarks/reports.py [terminal] [json] [jsonl] [markdown] [html]

The promises: of 10,000 records, the terminal's report in 1 s, JSON in 2 s, and 200 MB at most; a page of
200 tests, each with the history of five runs and every fifth with a curve, in 5 s and 5 MB.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

RECORDS = 10_000
PAGE = 200
PROMISED = {"terminal": (1.0, None), "json": (2.0, None), "jsonl": (2.0, None), "html": (5.0, 5e6)}
PEAK = 200e6


def record(number: int, chance: random.Random) -> dict[str, Any]:
    """One test as a measured one looks: two arms of eight rounds."""
    speedup = chance.uniform(1, 4)
    estimate = {"value": speedup, "low": speedup * 0.97, "high": speedup * 1.03, "unit": "ratio"}
    verdict = "met" if speedup >= 2.5 else chance.choice(["not_met", "not_met", "undecided", "unmeasurable"])
    arms = [
        {
            "backend": "threads",
            "workers": workers,
            "loops": 2,
            "note": "",
            **{name: [chance.uniform(0.001, 0.02) for _ in range(8)] for name in ("wall", "cpu", "delay", "blocked")},
            "body": {"wall": 0.004, "cpu": 0.001, "blocked": 0.003, "delay": 0.0001},
        }
        for workers in (1, 4)
    ]
    curve = [
        {
            "workers": workers,
            "speedup": {**estimate, "value": workers * 0.8, "low": workers * 0.75, "high": workers * 0.85},
            **dict.fromkeys(("efficiency", "serial_part", "serial_part_low", "serial_part_high"), 0.1),
            **dict.fromkeys(("more_cpu", "more_blocked", "more_delay"), 0.001),
        }
        for workers in (2, 4)
    ]
    return {
        "nodeid": f"tests/part_{number % 40}/test_module.py::TestThings::test_number_{number}[a-{number}]",
        "expectations": [
            {
                "marker": "expect_speedup",
                "arguments": {"threads": 4, "at_least": 2.5},
                "claim": "speedup",
                "comparison": ">=",
                "verdict": verdict,
                "reason": "" if verdict == "met" else "it is slow.\n\nWhat to try:\n  Look for a lock. " * 3,
                "estimate": estimate,
                "threshold": 2.5,
                "workers": "4 threads",
                "rounds": 8,
                "seconds": chance.uniform(0.1, 3),
                "bound": "io",
                "advice": "it waits: threads or asyncio",
                "hint": "",
                "curve": curve if number % 5 == 0 else [],
            }
        ],
        "bound": {"kind": "io", "cpu_share": 0.2, "wait_share": 0.8, "gil": "held", "evidence": "it waits"},
        "arms": arms,
        "interference": {"foreign": chance.uniform(0, 2), "steal": 0.0, "throttled": None},
    }


def run_of(records: int, seed: int = 1) -> dict[str, Any]:
    from pytest_concurrency.machine import cpus
    from pytest_concurrency.runs.record import run_of

    chance = random.Random(seed)
    return run_of(cpus.environment(), [record(number, chance) for number in range(records)])


def terminal(run: dict[str, Any], path: Path) -> None:
    from pytest_concurrency.reports.terminal import show
    from pytest_concurrency.session.options import Settings

    out = io.StringIO()
    reporter = SimpleNamespace(
        _tw=SimpleNamespace(fullwidth=120),
        verbosity=0,
        config=SimpleNamespace(getoption=lambda name, default=None: default),
        ensure_newline=lambda: None,
        section=lambda title, sep: out.write(f"{title}\n"),
        write_line=lambda line, **markup: out.write(f"{line}\n"),
    )
    nothing: dict[str, Any] = dict.fromkeys(Settings.__annotations__)
    show(reporter, run["records"], Settings(**{**nothing, "full_report": True, "columns": (), "sort": ""}))
    path.write_text(out.getvalue(), encoding="utf-8")


def measure(kind: str) -> None:
    """Make one report in this process, and print what it cost."""
    from pytest_concurrency.reports import files

    run = run_of(PAGE if kind == "html" else RECORDS)
    history = [run_of(PAGE, seed) for seed in range(2, 7)] if kind == "html" else []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report")
        began, computed = time.perf_counter(), time.process_time()
        if kind == "terminal":
            terminal(run, path)
        else:
            files.write([(kind, str(path))], run, lambda: history)
        seconds, computing = time.perf_counter() - began, time.process_time() - computed
        size = path.stat().st_size
    peak = peak_bytes()
    longest, largest = PROMISED.get(kind, (None, None))
    # Made by one thread: on an idle machine it takes as long as it computes.
    kept = (longest is None or computing <= longest) and (largest is None or size <= largest) and peak <= PEAK
    print(
        f"{kind:9} {len(run['records']):6} records  {seconds:6.2f} s ({computing:.2f} computing)  {size / 1e6:5.1f} MB "
        f" peak {peak / 1e6:4.0f} MB  {'as promised' if kept else 'MORE THAN PROMISED'}"
    )


def peak_bytes() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        measure(sys.argv[2])
        return
    for kind in sys.argv[1:] or ("terminal", "json", "jsonl", "markdown", "html"):
        subprocess.run([sys.executable, __file__, "--one", kind], check=True)


if __name__ == "__main__":
    main()
