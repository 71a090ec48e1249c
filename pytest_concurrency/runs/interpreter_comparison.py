"""One test suite under two interpreters: the speedups of each, and the time of one worker as a ratio.

The time of one worker is an absolute time, taken minutes apart, so its ratio is less certain than a speedup. Its
interval therefore contains two things: the bounds of both medians over all rounds, from order statistics, and the ratio
of each session of one interpreter to each session of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.units import ratio, within
from pytest_concurrency.runs import fingerprint, pooling, run_comparison
from pytest_concurrency.runs.allowed_loss import SINGLE, AllowedLoss
from pytest_concurrency.runs.run_comparison import Change, Key, Run

_Bounds = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Middle:
    """A median over rounds, or a ratio of two, with its interval; None where there are too few rounds for one."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Row:
    """One expectation at one number of workers, under both interpreters.

    ``first`` and ``second`` are speedups, None where none was measured. ``time`` is the time of one worker under the
    second interpreter by that under the first (1.08: 8% longer), None where no single worker was measured.
    """

    nodeid: str
    label: str
    workers: int | None
    first: Middle | None
    second: Middle | None
    time: Middle | None


@dataclass(frozen=True, slots=True)
class Slower:
    """A time of one worker that has grown by more than is allowed: with high confidence, or perhaps."""

    nodeid: str
    label: str
    is_certain: bool
    text: str


@dataclass(frozen=True, slots=True)
class InterpreterComparison:
    """What two interpreters make of the same tests.

    ``changes`` are those of speedups and verdicts. ``only`` has the tests that were measured under the first, and under
    the second interpreter alone. ``differences`` say why the figures cannot be compared.
    """

    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    slower: tuple[Slower, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    differences: tuple[str, ...] = ()

    @property
    def has_regressed(self) -> bool:
        return any(change.is_regression for change in self.changes) or any(slow.is_certain for slow in self.slower)


def compare(first: Sequence[Run], second: Sequence[Run], limits: Sequence[AllowedLoss]) -> InterpreterComparison:
    """Return how the second interpreter stands to the first, by all sessions of each."""
    one, other = pooling.pooled(first), pooling.pooled(second)
    found = pooling.confirmed(run_comparison.compare(one, other, limits), first, second, limits)
    environments = first[0]["environment"], second[0]["environment"]
    names = [dict.fromkeys(record["nodeid"] for record in run["records"]) for run in (one, other)]
    rows = tuple(_rows(one, other, first, second))
    return InterpreterComparison(
        rows=rows,
        changes=tuple(change for change in found.changes if change.kind not in ("new", "gone")),
        slower=tuple(_slower(rows, [limit for limit in limits if limit.figure == SINGLE])),
        only=(
            tuple(nodeid for nodeid in names[0] if nodeid not in names[1]),
            tuple(nodeid for nodeid in names[1] if nodeid not in names[0]),
        ),
        differences=tuple(fingerprint.differences(*environments, leave_out=fingerprint.INTERPRETER)),
    )


def _rows(one: Run, other: Run, first: Sequence[Run], second: Sequence[Run]) -> Iterator[Row]:
    after = {record["nodeid"]: run_comparison.expectations_of(record) for record in other["records"]}
    for record in one["records"]:
        nodeid = record["nodeid"]
        for key, expectation in run_comparison.expectations_of(record).items():
            if (match := after.get(nodeid, {}).get(key)) is None:
                continue
            time = time_ratio(_times(first, nodeid, key), _times(second, nodeid, key))
            before, now = run_comparison.series_of(expectation), run_comparison.series_of(match)
            counts = sorted(before.keys() | now.keys(), key=lambda workers: workers or 0)
            several = [workers for workers in counts if workers != 1]  # of a curve, the first point is 1 worker
            if time is None and not several:
                continue
            for workers in several or [expectation.get("worker_count")]:
                yield Row(
                    nodeid,
                    _label(expectation, workers),
                    workers,
                    _speedup(before.get(workers)),
                    _speedup(now.get(workers)),
                    time,
                )


def _label(expectation: Mapping[str, Any], workers: int | None) -> str:
    """Return ``scaling, 2 threads``: of a curve, the label of the whole expectation names another point."""
    if workers is None or not expectation.get("backend"):
        return run_comparison.label(expectation)
    return f"{str(expectation['marker']).removeprefix('expect_')}, {workers} {expectation['backend']}"


def _speedup(rounds: _Bounds | None) -> Middle | None:
    return (
        Middle(run_comparison.middle(rounds), run_comparison.spread(rounds, run_comparison.ERROR)) if rounds else None
    )


def _times(runs: Sequence[Run], nodeid: str, key: Key) -> list[_Bounds]:
    """Return each session's bounds of the time of one call by one worker."""
    return [
        bounds
        for expectation in pooling.in_sessions(runs, nodeid, key)
        if (bounds := [(low, high) for low, high in expectation.get("serial", ()) if low > 0])
    ]


def time_ratio(first: Sequence[_Bounds], second: Sequence[_Bounds]) -> Middle | None:
    """Return the ratio of times, from each session's rounds; None if one of the interpreters has none."""
    if not first or not second:
        return None
    everything = [[bound for bounds in sessions for bound in bounds] for sessions in (first, second)]
    value = run_comparison.middle(everything[1]) / run_comparison.middle(everything[0])
    before, after = (run_comparison.spread(rounds, run_comparison.ERROR) for rounds in everything)
    if before is None or after is None:
        return Middle(value, None)
    middles = [[run_comparison.middle(bounds) for bounds in sessions] for sessions in (first, second)]
    pairs = [now / then for then in middles[0] for now in middles[1]]
    return Middle(value, Interval(min(after.low / before.high, *pairs), max(after.high / before.low, *pairs)))


def _slower(rows: Sequence[Row], limits: Sequence[AllowedLoss]) -> Iterator[Slower]:
    if not limits:
        return
    allowed = min(limits, key=lambda limit: limit.amount)
    seen = set()
    for row in rows:
        # The points of a curve share the time of one worker.
        key = (row.nodeid, row.label.partition(",")[0], row.time)
        if row.time is None or key in seen or row.time.value <= 1 + allowed.amount:
            continue
        seen.add(key)
        interval = row.time.interval
        within_ = f" (interval {within(interval.low, interval.high, 'ratio')})" if interval else ""
        text = f"one worker takes {ratio(row.time.value)} the time{within_}; allowed: {ratio(1 + allowed.amount)}"
        if interval is None:
            text += "; too few rounds for an interval"
        yield Slower(row.nodeid, row.label, interval is not None and interval.low > 1 + allowed.amount, text)
