"""Samples the stacks of other threads: where they are, and whether they are blocked."""

from __future__ import annotations

import linecache
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Thread
from pytest_concurrency.probes import process_threads
from pytest_concurrency.profiling.model import Stand, Standing

_EVERY = 0.001  # seconds between two samples
_STANDS = 0.2  # a thread with less CPU time between two samples, as a part of that time, was blocked
_SHOWN = 6
_LEAST = 0.01  # lines with a smaller share of the samples are not shown


def unavailable() -> str | None:
    """Return why other threads cannot be sampled here, or None."""
    why = stack_locations.unreadable()
    return why and f"Threads were not sampled: {why}."


@dataclass
class Seen:
    """The results of all samples."""

    looks: int = 0
    stood: int = 0
    at: Counter[tuple[stack_locations.Place, str]] = field(
        default_factory=Counter
    )  # the user's line, and the function that it called

    def count(self, stack: Sequence[tuple[stack_locations.Place, str]], stood: bool) -> None:
        """Count one sample of a stack, innermost first; one without the user's code is between two batches."""
        first = next((index for index, (place, _) in enumerate(stack) if stack_locations.is_authors(place[0])), None)
        if first is None:
            return
        self.looks += 1
        if stood:
            self.stood += 1
            self.at[stack[first][0], stack[first - 1][1] if first else ""] += 1


class StackSampler:
    """Samples some threads, or all new ones, while its ``with`` block runs."""

    def __init__(self, threads: Callable[[], Collection[int]]) -> None:
        self._threads = threads
        self._stopping = False
        self._last: dict[int, _Look] = {}
        self.seen: Seen = Seen()
        self._thread = Thread(target=self._live, name="concurrency-looker", daemon=True)

    def __enter__(self) -> StackSampler:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping = True
        self._thread.join(1.0)

    def _live(self) -> None:
        while not self._stopping:
            self._look()
            CLOCKS.sleep(_EVERY)

    def _look(self) -> None:
        wanted = set(self._threads())
        native = {thread.ident: thread.native_id for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            if ident in wanted:
                self._take(ident, native.get(ident), frame)

    def _take(self, ident: int, native: int | None, frame: FrameType) -> None:
        """Count the previous sample: this one shows whether the thread was blocked between them."""
        now, cpu = CLOCKS.wall(), None if native is None else process_threads.cpu_of(native)
        look = _Look(now, cpu, (id(frame), getattr(frame, "f_lasti", 0)), list(_stack(frame)))
        before = self._last.get(ident)
        self._last[ident] = look
        if before is None:
            return
        look.stood = before.stands_until(look)
        if before.stood is not None:
            self.seen.count(before.stack, before.stood or look.stood)


@dataclass
class _Look:
    """One sample of one thread."""

    time: float
    cpu: float | None
    instruction: tuple[int, int]
    stack: list[tuple[stack_locations.Place, str]]
    stood: bool | None = None  # since the previous sample; None for the first

    def stands_until(self, later: _Look) -> bool:
        """Whether the thread hardly computed until a later sample."""
        if self.cpu is None or later.cpu is None:
            return self.instruction == later.instruction
        return later.cpu - self.cpu < _STANDS * (later.time - self.time)


def _stack(frame: FrameType | None) -> Iterator[tuple[stack_locations.Place, str]]:
    """Yield the lines of a stack, innermost first, each with the function's full name."""
    for each in stack_locations.outwards(frame):
        code = each.f_code
        name = getattr(code, "co_qualname", code.co_name)
        yield (code.co_filename, each.f_lineno, code.co_name), f"{each.f_globals.get('__name__', '?')}.{name}"


def standing(seen: Seen, workers: str, for_the_gil: bool) -> Standing:
    """Sum up where threads were blocked."""
    return Standing(workers, seen.stood, stands_of(seen.at, seen.stood), for_the_gil)


def stands_of(at: Counter[tuple[stack_locations.Place, str]], whole: int) -> tuple[Stand, ...]:
    """Return the lines with most of the samples, each with what it called; ``whole`` is how many samples there are."""
    return tuple(
        Stand(f"{short(file)}:{line} in {function}", linecache.getline(file, line).strip(), inside, amount / whole)
        for ((file, line, function), inside), amount in at.most_common(_SHOWN)
        if amount >= _LEAST * whole
    )


def short(file: str) -> str:
    """Return a path relative to the current folder, or its last parts."""
    path = Path(file)
    if not stack_locations.is_authors(file):
        return path.name
    from_here = stack_locations.relative(file)
    return "/".join(path.parts[-2:]) if from_here == file else from_here
