"""The changes from one run to another, and which of them are known with high confidence.

Ratios are compared, never times. Each round has left two bounds of the speedup on a quiet machine, so a
loss is told from the upper bounds of the later run and the lower bounds of the baseline: interference
moves these apart, and makes a change harder to see rather than easier. A loss is certain if even the upper
bound of the later median lies below the lower bound of the baseline's median, less what may be lost.
Both bounds come from order statistics, without assumptions on how figures scatter, and each is wrong with
a probability of at most ``ERROR``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.units import count, ratio
from pytest_concurrency.runs import fingerprint
from pytest_concurrency.runs.allowed_loss import DEFAULT, AllowedLoss

Run = Mapping[str, Any]
# unsure: it may be a loss; noise: whatever has changed is too small to be detected.
Kind = Literal["regression", "improvement", "verdict", "unsure", "noise", "same", "new", "gone"]
Key = tuple[str, str, int]

ERROR = 1e-4
_ROUNDS = 24  # that a run to be compared should have, so that a stray round or two do no harm,
_MOST_ROUNDS = 96  # and up to which it may have more where the rounds differ much
_TIGHT = 1.05
_WIDE = 1.35  # ratio of a median's bounds from which on only a great loss would show
# What an author may change without measuring something else.
_ABOUT_VERDICTS = {
    *("at_least", "at_most", "efficiency", "min_wait", "min_cpu", "max_hold", "max_block", "gil", "expected"),
    *("margin", "max_time", "undecided"),
}
_ORDER: tuple[Kind, ...] = ("regression", "improvement", "unsure", "noise", "same")


class Finding(NamedTuple):
    """The change of one ratio, and why it is undecided if it is."""

    kind: Kind
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One expectation in two runs.

    ``before`` and ``after`` are the median speedups where there are any, ``workers`` the count at which
    they differ most certainly. ``reason`` says why a change is unsure. ``labelled_workers`` is the count that
    ``expectation``, the label, names.
    """

    nodeid: str
    expectation: str
    kind: Kind
    before: float | None = None
    after: float | None = None
    workers: int | None = None
    verdicts: tuple[str, str] = ("", "")
    reason: str = ""
    key: Key = ("", "", 0)
    labelled_workers: int | None = None

    @property
    def is_regression(self) -> bool:
        """A loss that is certain; an expectation that was met and is not met is one, too."""
        return self.kind == "regression" or self.verdicts == ("met", "not_met")


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes, in the order of the later run; and why the runs cannot be compared, if they cannot."""

    changes: tuple[Change, ...]
    differences: tuple[str, ...] = ()

    def of(self, *kinds: Kind) -> list[Change]:
        return [change for change in self.changes if change.kind in kinds]

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.changes if change.is_regression]


def compare(baseline: Run, later: Run, limits: Sequence[AllowedLoss] = DEFAULT) -> Comparison:
    """Return what has changed from one run to a later one."""
    return Comparison(
        tuple(_changes(baseline["records"], later["records"], limits)),
        tuple(fingerprint.differences(baseline["environment"], later["environment"])),
    )


def _changes(
    baseline: Sequence[Mapping[str, Any]], later: Sequence[Mapping[str, Any]], limits: Sequence[AllowedLoss]
) -> Iterator[Change]:
    # Of a test that was run again, the last record counts.
    old = {record["nodeid"]: expectations_of(record) for record in baseline}
    new = {record["nodeid"]: expectations_of(record) for record in later}
    for nodeid, expectations in new.items():
        known = old.get(nodeid, {})
        for key, expectation in expectations.items():
            if key in known:
                yield replace(change_of(nodeid, known[key], expectation, limits), key=key)
            else:
                yield Change(nodeid, label(expectation), "new", after=_shown(expectation))
    for nodeid, expectations in old.items():
        for key, expectation in expectations.items():
            if key not in new.get(nodeid, {}):
                yield Change(nodeid, label(expectation), "gone", before=_shown(expectation))


def expectations_of(record: Mapping[str, Any]) -> dict[Key, Mapping[str, Any]]:
    """Return a record's expectations by what they measure: a threshold may change, the workers may not."""
    found: dict[Key, Mapping[str, Any]] = {}
    for expectation in record["expectations"]:
        marker, what = expectation["marker"], identity(expectation["arguments"], expectation.get("subject", ""))
        number = sum(key[:2] == (marker, what) for key in found)
        found[marker, what, number] = expectation
    return found


def identity(arguments: Mapping[str, Any], subject: str = "") -> str:
    """Return what identifies a measurement beside its marker, as text: the call, and the arguments of it that matter.

    Without the call, the calls of a test would be paired by their order: a new one before an old one would be a false
    regression, and a removed one could hide a loss.
    """
    kept = {name: value for name, value in arguments.items() if name not in _ABOUT_VERDICTS}
    return subject + json.dumps(kept, sort_keys=True, default=repr)


def label(expectation: Mapping[str, Any]) -> str:
    """``speedup, 4 threads``."""
    marker = str(expectation["marker"]).removeprefix("expect_")
    workers = expectation.get("workers", "")
    return f"{marker}, {workers}" if workers else marker


def change_of(
    nodeid: str, before: Mapping[str, Any], after: Mapping[str, Any], limits: Sequence[AllowedLoss] = DEFAULT
) -> Change:
    """Return the change of one expectation."""
    old, new = series_of(before), series_of(after)
    verdicts = (before["verdict"], after["verdict"])
    found = [(judge(old[workers], new[workers], workers, limits), workers) for workers in old.keys() & new.keys()]
    if not found:
        changed = verdicts[0] != verdicts[1]
        return Change(nodeid, label(after), "verdict" if changed else "same", verdicts=verdicts)
    (kind, reason), workers = min(found, key=lambda each: (_ORDER.index(each[0].kind), -(each[1] or 0)))
    if kind in ("same", "noise", "unsure") and verdicts[0] != verdicts[1]:
        kind = "verdict"
    return Change(
        nodeid,
        label(after),
        kind,
        middle(old[workers]),
        middle(new[workers]),
        workers,
        verdicts,
        reason,
        labelled_workers=workers if len(new) == 1 else after.get("worker_count"),
    )


def series_of(expectation: Mapping[str, Any]) -> dict[int | None, list[tuple[float, float]]]:
    """Return each worker count's bounds, round by round."""
    return {
        series["workers"]: [(low, high) for low, high in series["bounds"]]
        for series in expectation.get("series", ())
        if series["bounds"]
    }


def judge(
    before: Sequence[tuple[float, float]],
    after: Sequence[tuple[float, float]],
    workers: int | None,
    limits: Sequence[AllowedLoss],
    error: float = ERROR,
) -> Finding:
    """Return the change of one ratio, from the bounds of each round before and after.

    :param error: how often the bounds of the later median may be wrong.
    """
    old, new = spread(before, ERROR), spread(after, error)
    if old is None:
        return Finding("unsure", f"the baseline has {_too_few(before, ERROR)}")
    if new is None:
        return Finding("unsure", f"this run has {_too_few(after, error)}")
    limits = [limit for limit in limits if limit.applies(workers)]
    if any(new.high < limit.floor(old.low, workers) for limit in limits):
        return Finding("regression")
    if any(new.low > limit.ceiling(old.high, workers) for limit in limits):
        return Finding("improvement")
    if all(new.low >= limit.floor(old.high, workers) for limit in limits):
        return Finding("same")
    if any(middle(after) < limit.floor(middle(before), workers) for limit in limits):
        return Finding("unsure", f"not certain: {_within(old)} before, {_within(new)} now")
    return Finding("noise")


def spread(rounds: Sequence[tuple[float, float]], error: float) -> Interval | None:
    """Return bounds of the median, wide enough for what interference may have done to each round."""
    trusted = _trusted([Interval(low, high) for low, high in rounds])
    low = stats.sure_median([bound.low for bound in trusted], error)
    high = stats.sure_median([bound.high for bound in trusted], error)
    return Interval(low.low, high.high) if low and high else None


def _trusted(rounds: Sequence[Interval]) -> Sequence[Interval]:
    """Return the undisturbed rounds if there are enough of them, otherwise all rounds."""
    close = [bound for bound in rounds if stats.close(bound)]
    return close if len(close) >= stats.least_for(ERROR) else rounds


def enough(seen: Sequence[Interval], rounds: int) -> bool:
    """Whether a run has enough rounds: with more of them, the bounds of the medians would hardly be closer."""
    if len(seen) < _ROUNDS or rounds >= _MOST_ROUNDS:
        return rounds >= _MOST_ROUNDS
    seen = _trusted(seen)
    lows, highs = [bound.low for bound in seen], [bound.high for bound in seen]
    low, high = stats.sure_median(lows, ERROR), stats.sure_median(highs, ERROR)
    if low is None or high is None:
        return False
    return stats.median(lows) <= low.low * _TIGHT and high.high <= stats.median(highs) * _TIGHT


@dataclass(frozen=True, slots=True)
class ImpreciseBaseline:
    """A figure that is too noisy to be a baseline for later runs.

    ``loss`` is the least loss, as a part of the figure, that a later run no sharper than this one would show for
    certain; 1 if none would.
    """

    nodeid: str
    expectation: str
    loss: float
    reason: str


def imprecise_baselines(run: Run, limits: Sequence[AllowedLoss]) -> list[ImpreciseBaseline]:
    """Return the figures of a run that are too noisy for a baseline."""
    return [
        ImpreciseBaseline(record["nodeid"], label(expectation), *found)
        for record in run["records"]
        for expectation in record["expectations"]
        for workers, rounds in series_of(expectation).items()
        if (found := _least_loss(rounds, workers, limits)) is not None
    ]


def _least_loss(
    rounds: Sequence[tuple[float, float]], workers: int | None, limits: Sequence[AllowedLoss]
) -> tuple[float, str] | None:
    sure = spread(rounds, ERROR)
    if sure is None:
        return 1.0, _too_few(rounds, ERROR)
    floors = [limit.floor(sure.low, workers) for limit in limits if limit.applies(workers)]
    if not floors or sure.high < _WIDE * sure.low:
        return None
    return min(1.0, 1 - max(floors) / sure.high), _within(sure)


def _too_few(rounds: Sequence[tuple[float, float]], error: float) -> str:
    return f"{count(len(rounds), 'round')}, and {stats.least_for(error)} are needed"


def _within(sure: Interval) -> str:
    return f"{ratio(sure.low)} to {ratio(sure.high)}"


def middle(rounds: Sequence[tuple[float, float]]) -> float:
    """Return the median speedup of some rounds."""
    bounds = [Interval(low, high) for low, high in rounds]
    close = [interval for interval in bounds if stats.close(interval)]
    return stats.median([stats.middle(interval) for interval in (close if len(close) >= 3 else bounds)])


def _shown(expectation: Mapping[str, Any]) -> float | None:
    series = series_of(expectation)
    return middle(series[max(series, key=lambda workers: workers or 0)]) if series else None
