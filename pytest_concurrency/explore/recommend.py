"""From the figures of all tools to the recommended one, and a marker for a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core.outcomes import Bound, Estimate, PerBody
from pytest_concurrency.core.units import duration, number, ratio
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.verdicts import advice, causes

# The simpler tool is first, and one that most libraries work with. Backends that are not listed come last.
_SIMPLEST = ("threads", "tasks", "processes", "interpreters")
_AS_GOOD = 0.85  # part of the best speedup from which a simpler tool is preferred
_WORTH_IT = 1.2  # below this speedup, no tool is recommended
_SMALL = 200e-6  # seconds; handing a shorter call to a pool takes about as long as the call


@dataclass(frozen=True, slots=True)
class Side:
    """The figures of some workers of one backend; ``reason`` says why there is no speedup."""

    backend: str
    workers: int
    speedup: Estimate | None = None
    each: PerBody | None = None
    rounds: int = 0
    seconds: float = 0.0
    reason: str = ""
    traceback: str = ""

    @property
    def efficiency(self) -> float:
        return self.speedup.value / self.workers if self.speedup else 0.0


def best(sides: Sequence[Side]) -> Side | None:
    """Return the simplest tool that is about as fast as the fastest; None if none makes it faster."""
    known = [side for side in sides if side.speedup is not None]
    fastest = max(known, key=_value, default=None)
    if fastest is None or _value(fastest) < _WORTH_IT:
        return None
    rivals = [side for side in known if side.workers == fastest.workers and _is_as_good(side, fastest)]
    return min(rivals, key=lambda side: (_simplicity(side.backend), -_value(side)))


def _is_as_good(side: Side, fastest: Side) -> bool:
    """Whether a tool is about as fast as the fastest, or may be by their intervals and is worth it."""
    if _value(side) >= _AS_GOOD * _value(fastest):
        return True
    if side.speedup is None or fastest.speedup is None or _value(side) < _WORTH_IT:
        return False
    return side.speedup.high >= fastest.speedup.low


def _value(side: Side) -> float:
    return side.speedup.value if side.speedup else 0.0


def _simplicity(backend: str) -> int:
    return _SIMPLEST.index(backend) if backend in _SIMPLEST else len(_SIMPLEST)


def why(bound: Bound, side: Side | None, sides: Sequence[Side]) -> str:
    """Return one or two sentences: which tool, and the figures that support it."""
    if side is None:
        measured = [WorkerSetup(each.backend, each.workers) for each in sides if each.speedup]
        setup = measured[0] if measured else WorkerSetup("threads", 2)
        cause = causes.of_speedup(bound, setup)
        return f"No tool made it faster here. Cause: {cause.why} Try: {cause.try_next}"
    rest = [other for other in sides if other.speedup and other.backend != side.backend]
    if bound.kind == "serialized" and side.backend not in ("threads", "tasks"):
        return (
            f"{side.backend}, which do not share the lock or limit that the threads wait for. Or remove that lock, or "
            "raise the limit: then threads are enough."
        )
    what = advice.what_it_does(bound)
    said = f"{side.backend}. {what[0].upper()}{what[1:]}."
    slower = [other for other in rest if _value(other) < _AS_GOOD * _value(side) and other.workers == side.workers]
    equal = [other for other in rest if _value(other) >= _AS_GOOD * _value(side) and other.workers == side.workers]
    if slower:
        figures = " and ".join(f"{other.backend} {ratio(_value(other))}" for other in slower)
        said += f" With {side.workers} workers, {side.backend} reach {ratio(_value(side))}, {figures}."
    if equal and _simplicity(side.backend) < min(_simplicity(other.backend) for other in equal):
        others = " and ".join(other.backend for other in equal)
        said += f" {side.backend.capitalize()} are about as fast as {others}, and simpler."
    return said


def remarks(bound: Bound, alone: PerBody, sides: Sequence[Side], cpus: float, printed: str) -> list[str]:
    """Return what a reader should know about the figures."""
    found = []
    if printed:
        found.append(
            f"It prints (first: {printed!r}). The output was discarded; writing it to a terminal or a file would take "
            "longer."
        )
    if bound.kind in ("cpu", "mixed") and cpus < 2:
        found.append(f"{number(round(cpus, 2))} CPU is usable here: computing cannot run in parallel on this machine.")
    wide = [side for side in sides if side.workers > cpus and side.speedup]
    if bound.kind == "cpu" and cpus >= 2 and wide:
        found.append(f"It computes, so no tool can be more than {number(round(cpus, 2))}x as fast on this machine.")
    if alone.wall < _SMALL:
        found.append(
            f"One call takes {duration(alone.wall)}, about as long as handing it to a pool: give each worker "
            "many calls at a time."
        )
    return found


def marker(side: Side, bound: Bound, cpus: float) -> str | None:
    """Return a marker that passes on this machine with room for noise; None if the speedup is too small."""
    if side.speedup is None:
        return None
    computing = bound.cpu_share if side.backend != "tasks" else 0.0
    best_possible = advice.ceiling(side.workers, computing, cpus)
    at_least = advice.safe_threshold(side.speedup, best_possible, 1 / (1 + Tolerances().margin))
    if at_least <= 1.1:
        return None
    return f"@pytest.mark.expect_speedup({side.backend}={side.workers}, at_least={number(at_least)})"
