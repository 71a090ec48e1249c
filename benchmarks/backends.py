"""What each backend costs, beside the plain executor that a user would take instead, in the same run.

    python benchmarks/backends.py [batch] [start] [memory] [--workers 4] [--only threads]

Every entry of ``pytest_concurrency.backends.OPENERS`` is measured; one without a peer below is shown alone.
Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil

from pytest_concurrency.backends import OPENERS
from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.errors import ConcurrencyError
from pytest_concurrency.core.model import Body

AROUND = WorkerEnvironment(Path.cwd())
MOST_RATIO = 3.0
BATCH = 0.008  # seconds of an ordinary batch
MOST_PART = 0.05
PATIENCE = 60.0
BODY = "the body is empty"

Run = Callable[[], object]


def nothing() -> None:
    pass


async def nothing_async() -> None:
    pass


# -- ours


def open_workers(name: str, workers: int) -> WorkerGroup:
    is_async = name == "tasks"
    return OPENERS[name](Body(nothing_async if is_async else nothing, is_async=is_async, label=BODY), workers, AROUND)


@contextlib.contextmanager
def ours(name: str, workers: int) -> Iterator[Run]:
    group = open_workers(name, workers)
    try:
        yield lambda: group.run(workers, 1, PATIENCE)
    finally:
        group.close()


# -- theirs


@contextlib.contextmanager
def pool(make: Callable[[int], Executor], workers: int) -> Iterator[Run]:
    with make(workers) as executor:
        # What is as empty, and built in: a subinterpreter does not find this script's own functions.
        yield lambda: list(executor.map(bool, range(workers)))


async def gather(workers: int) -> None:
    await asyncio.gather(*(nothing_async() for _ in range(workers)))


@contextlib.contextmanager
def loop_in_a_thread(workers: int) -> Iterator[Run]:
    """What an executor is to threads: the caller hands tasks to a loop that runs elsewhere, and waits."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda: asyncio.run_coroutine_threadsafe(gather(workers), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.contextmanager
def loop_at_hand(workers: int) -> Iterator[Run]:
    """Without any hand-over, and so without a way to give up on tasks that hang."""
    loop = asyncio.new_event_loop()
    try:
        yield lambda: loop.run_until_complete(gather(workers))
    finally:
        loop.close()


Peer = Callable[[int], contextlib.AbstractContextManager[Run]]
# By backend; the promise is about the first.
PEERS: dict[str, dict[str, Peer]] = {
    "threads": {"ThreadPoolExecutor.map": lambda workers: pool(ThreadPoolExecutor, workers)},
    "processes": {"ProcessPoolExecutor.map": lambda workers: pool(ProcessPoolExecutor, workers)},
    "tasks": {"asyncio.run_coroutine_threadsafe": loop_in_a_thread, "gather in this thread": loop_at_hand},
}
try:
    from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # before 3.14
    pass
else:
    PEERS["interpreters"] = {"InterpreterPoolExecutor.map": lambda workers: pool(InterpreterPoolExecutor, workers)}


# -- the figures


def batch(name: str, workers: int, runs: int = 1000) -> None:
    """A batch of an empty body on warm workers, readings included."""
    peers = PEERS.get(name, {})
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(ours(name, workers))
        beside = [stack.enter_context(peer(workers)) for peer in peers.values()]
        # In turns: a machine that drifts does so on all sides.
        times = [[timed(each) for each in (run, *beside)] for _ in range(runs)]
    mine, *theirs = (statistics.median(each) for each in zip(*times, strict=True))
    part = mine / BATCH
    said = f"{mine * 1e6:7.0f} us, {part:5.1%} of a batch of {BATCH * 1e3:.0f} ms{missed(part <= MOST_PART)}"
    for number, (peer_name, other) in enumerate(zip(peers, theirs, strict=True)):
        kept = number > 0 or mine / other <= MOST_RATIO
        said += f"; {peer_name} {other * 1e6:.0f} us: {mine / other:.2f} times{missed(kept)}"
    print(f"batch    {name:12} {said}")


def start(name: str, workers: int, runs: int = 7) -> None:
    """From nothing to the end of the first batch, imports aside."""
    peers = PEERS.get(name, {})
    opened = [functools.partial(ours, name), *peers.values()]
    times = [[timed(functools.partial(first, each, workers)) for each in opened] for _ in range(runs)]
    mine, *theirs = (statistics.median(each) for each in zip(*times, strict=True))
    said = f"{mine * 1e3:7.2f} ms with {workers} workers, opened and closed"
    for peer_name, other in zip(peers, theirs, strict=True):
        said += f"; {peer_name} {other * 1e3:.2f} ms"
    print(f"start    {name:12} {said}")


def first(opened: Peer, workers: int) -> None:
    with opened(workers) as run:
        run()


def memory(name: str, workers: int) -> None:
    """What each worker more takes, with its processes: memory that no one else shares."""
    few, many = workers, workers * (4 if name == "processes" else 16)
    used = []
    for count in (few, few, many):  # the first time also loads what all share
        with ours(name, count) as run:
            run()
            used.append(everything())
        gc.collect()
    each = (used[2] - used[1]) / (many - few)
    print(f"memory   {name:12} {each / 1024:7.0f} KiB for each worker more ({few} to {many})")


def everything() -> int:
    me = psutil.Process()
    return sum(process.memory_full_info().uss for process in (me, *me.children(recursive=True)))


def timed(run: Run) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def missed(good: bool) -> str:
    return "" if good else " (MISSED)"


PARTS = {"batch": batch, "start": start, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="which figures; all of them by default")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", action="append", choices=list(OPENERS), help="one backend; may be repeated")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in options.parts or PARTS:
        for name in options.only or OPENERS:
            try:
                PARTS[part](name, options.workers)
            except ConcurrencyError as error:
                print(f"{part:8} {name:12} cannot be measured: {error}")


if __name__ == "__main__":
    main()
