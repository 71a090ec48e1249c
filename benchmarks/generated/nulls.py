"""Known nulls: how often probes see what is not there, in real time, beside each load.

By construction a body that computes with the GIL released, waits, or does both never holds the GIL for long; a task
that awaits never blocks its loop; workers that share nothing never lose time at a line. What a probe sees is false.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generated import real, results
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.worker_bench import WorkerBench

BLOCK = bytes(1 << 20)
LIMITS = {"hold": (0.002, 0.005, 0.02), "block": (0.005, 0.02, 0.05)}  # seconds; what is longer is a sighting


def hashes() -> None:
    """About five milliseconds of computing that releases the GIL."""
    hashlib.sha3_256(BLOCK).digest()


def sleeps() -> None:
    time.sleep(0.005)


def both() -> None:
    time.sleep(0.002)
    hashlib.sha3_256(BLOCK[: 1 << 19]).digest()


async def awaits() -> None:
    await asyncio.sleep(0.01)


async def hands_over() -> None:
    await asyncio.to_thread(hashes)


@dataclass(frozen=True, slots=True)
class Null:
    """A body, and the probe that must see nothing."""

    probe: str
    name: str
    call: Callable[[], Any]
    is_async: bool = False


NULLS = (
    Null("hold", "computing without the GIL", hashes),
    Null("hold", "waiting", sleeps),
    Null("hold", "both", both),
    Null("block", "awaiting", awaits, is_async=True),
    Null("block", "computing in a thread", hands_over, is_async=True),
    Null("line", "waiting", sleeps),
    Null("line", "computing without the GIL", hashes),
)


def measure(loads: list[str], seconds: float) -> list[results.Line]:
    """Ask each probe for so many seconds beside each load."""
    lines = []
    for load in loads:
        with real.load(load):
            for null in NULLS:
                lines += _asked(null, load, seconds)
    return lines


def _asked(null: Null, load: str, seconds: float) -> list[results.Line]:
    bench = WorkerBench(Body(null.call, is_async=null.is_async), WorkerEnvironment(Path.cwd()), patience=20.0)
    setup = _setup(null)
    seen: list[float] = []
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if null.probe == "line":
                bench.round(setup)
                seen.append(float(bench.lost_at(setup) is not None))
                continue
            round_ = bench.round(setup)
            found = round_.gil if null.probe == "hold" else round_.block
            if found is not None:
                seen.append(found.longest.low)
    finally:
        bench.close()
    shared = {"load": load, "probe": null.probe, "null": null.name, "asked": len(seen)}
    if null.probe == "line":
        return [{**shared, "limit": None, "seen": int(sum(seen)), "most": max(seen, default=0.0)}]
    most = max(seen, default=0.0)
    return [
        {**shared, "limit": limit, "seen": sum(low > limit for low in seen), "most": most}
        for limit in LIMITS[null.probe]
    ]


def _setup(null: Null) -> WorkerSetup:
    if null.probe == "hold":
        return WorkerSetup("threads", method="hold")
    if null.probe == "block":
        return WorkerSetup("tasks", method="block")
    return WorkerSetup("threads", 4)


def table(lines: list[results.Line]) -> list[tuple[str, ...]]:
    rows = [("probe", "nothing to see in", "load", "limit", "asked", "seen", "95 %", "longest lower bound")]
    for line in lines:
        low, high = results.bounds(line["seen"], line["asked"])
        limit = "" if line["limit"] is None else f"{line['limit'] * 1e3:g} ms"
        most = "" if line["limit"] is None else f"{line['most'] * 1e3:.2f} ms"
        span = f"{results.percent(low)} to {results.percent(high)}"
        rows.append(
            (line["probe"], line["null"], line["load"], limit, str(line["asked"]), str(line["seen"]), span, most)
        )
    return rows
