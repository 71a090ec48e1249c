"""How often a probe sees what is not there: a block of an event loop, a hold of the GIL.

    python benchmarks/sightings.py [--seconds 60] [--busy 4]

The bodies block their loop for 3 ms at most, and hold the GIL for a few microseconds; a sighting is false if the lower
bound exceeds that by more than the resolution, in milliseconds, at the head of the column. Run delay is taken off a
lower bound, so that other programs should not matter: ``--busy`` starts some that compute all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import subprocess
import sys
import time

from verdicts import print_rows, upper_bound

from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.probes import gil_heartbeat
from pytest_concurrency.probes.loop_heartbeat import LoopHeartbeat

BLOCK = 0.003
RESOLUTIONS = (0.001, 0.004)
DATA = bytes(1 << 20)


async def blocks(seconds: float) -> list[float]:
    """Return by how much the lower bound of each call's longest block exceeds the true one."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        with LoopHeartbeat(asyncio.get_running_loop()) as beat:
            for _ in range(3):
                await asyncio.sleep(0.005)
            until = time.thread_time() + BLOCK
            while time.thread_time() < until:
                pass
            await asyncio.sleep(0)
        found.append(beat.result().longest.low - BLOCK)
    return found


def hashes() -> None:
    """Compute without the GIL for about 10 ms."""
    for _ in range(12):
        hashlib.sha256(DATA).digest()


def sleeps() -> None:
    """Wait without the GIL."""
    time.sleep(0.01)


def holds(seconds: float) -> list[float]:
    """Return the lower bound of the longest hold of bodies that release the GIL."""
    found = []
    for body in (hashes, sleeps):
        workers = ThreadWorkers({"body": body}, 1)
        ident, end = workers.idents[0], time.monotonic() + seconds / 2
        while time.monotonic() < end:
            _, probe = gil_heartbeat.probe(lambda workers=workers: workers.run(1, 1, 10.0, "body"), ident, ())
            found.append(probe.longest.low)
        workers.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--busy", type=int, default=0)
    options = parser.parse_args()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
    try:
        measured = {
            "block": asyncio.run(blocks(options.seconds / 2)),
            "hold": holds(options.seconds / 2),
        }
    finally:
        for process in busy:
            process.kill()
            process.wait()
    rows = [("probe", "calls", "largest", *(f"false at {limit * 1e3:g} ms (at most, 95 %)" for limit in RESOLUTIONS))]
    for name, excess in measured.items():
        cells = []
        for limit in RESOLUTIONS:
            false = sum(each > limit for each in excess)
            cells.append(f"{false} ({upper_bound(false, len(excess)) * 100:.2f} %)")
        rows.append((name, str(len(excess)), f"{max(excess) * 1e3:.2f} ms", *cells))
    print_rows(rows, markdown=True)


if __name__ == "__main__":
    main()
