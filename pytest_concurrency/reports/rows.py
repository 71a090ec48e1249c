"""The texts and figures of one verdict that all reports share, from a record's plain types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

from pytest_concurrency.core.addresses import KINDS, about
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.units import count, formatter, interval, number

ORDER = ("not_met", "undecided", "unmeasurable", "met")  # the most important first

_SPEEDUP = ("speedup", "speedup {}")
# What is measured for each claim, and how a sentence says it with a figure.
_MEASURED = {
    "waiting": ("waiting time", "waits {} of its time"),
    "computing": ("computing time", "computes {} of its time"),
    "GIL": ("GIL use", "holds the GIL {} of its CPU time"),
    "longest hold": ("longest GIL hold", "longest GIL hold {}"),
    "longest block": ("longest event-loop block", "longest event-loop block {}"),
}

_T = TypeVar("_T")


class Row(NamedTuple):
    """One expectation of one test's record."""

    record: Mapping[str, Any]
    expectation: Mapping[str, Any]

    @property
    def nodeid(self) -> str:
        return str(self.record["nodeid"])

    @property
    def name(self) -> str:
        """The test's name without its file."""
        return name_of(self.nodeid)

    @property
    def verdict(self) -> str:
        return str(self.expectation["verdict"])

    @property
    def severity(self) -> int:
        """0 for the worst."""
        return ORDER.index(self.verdict)

    @property
    def marker(self) -> str:
        return str(self.expectation["marker"])

    @property
    def of_fixture(self) -> bool:
        """Whether the verdict is from the fixture. Then pytest may shorten the message, as of any failed comparison."""
        return not self.marker.startswith("expect_")

    @property
    def expects(self) -> str:
        return self.marker.removeprefix("expect_")

    @property
    def claim(self) -> str:
        """The kind of figure that the verdict is about."""
        return str(self.expectation.get("claim", ""))

    @property
    def workers(self) -> str:
        return str(self.expectation.get("workers", ""))

    @property
    def backend(self) -> str:
        """The kind of workers: ``threads``; empty if it is unknown."""
        return str(self.expectation.get("backend", ""))

    @property
    def worker_count(self) -> int | None:
        """The number of workers; None where a single worker or two callables were measured."""
        amount: int | None = self.expectation.get("worker_count")
        return amount

    @property
    def bound(self) -> str:
        """The bound type; empty if it is unknown."""
        return str(self.expectation.get("bound") or "")

    @property
    def advice(self) -> str:
        """The kind of work, and the tool for it."""
        return str(self.expectation.get("advice", ""))

    @property
    def tool(self) -> str:
        """The tool for this kind of work."""
        return str(self.expectation.get("tool", ""))

    @property
    def hint(self) -> str:
        """What is wrong with the threshold; empty if nothing is."""
        return str(self.expectation.get("hint", ""))

    @property
    def curve(self) -> Sequence[Mapping[str, Any]]:
        """The points of a scaling curve."""
        points: Sequence[Mapping[str, Any]] = self.expectation.get("curve", ())
        return points

    @property
    def change(self) -> str:
        """The change since the run that this one was compared with, in one line; empty without a comparison."""
        return " ".join(str(self._change.get("headline", self.change_message)).split())

    @property
    def change_message(self) -> str:
        """The change since that run, with the reason and the figures."""
        return str(self._change.get("text", ""))

    @property
    def _change(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.expectation.get("change") or {}
        return found

    @property
    def is_regression(self) -> bool:
        """Whether the regression check has confirmed that the test is slower."""
        return self._change.get("kind") == "regression"

    @property
    def value(self) -> float | None:
        estimate = self.expectation["estimate"]
        return None if estimate is None else estimate["value"]

    @property
    def interval(self) -> str:
        """``[3.91, 4.02]``; empty without a figure."""
        estimate = self.expectation["estimate"]
        if estimate is None or self.marker == "bound":
            return ""
        return interval(estimate["low"], estimate["high"], estimate["unit"])

    @property
    def figure(self) -> str:
        """``3.97x [3.91, 4.02]``; ``-`` without a figure."""
        return f"{self.bare_figure} {self.interval}".rstrip()

    @property
    def measured(self) -> str:
        """The figure in words: ``computes 1% of its time [1, 2]``, ``speedup 3.97x [3.91, 4.02]``."""
        if self.marker == "bound":
            noun, phrase = "bound type", "bound type {}"
        else:
            noun, phrase = _MEASURED.get(self.claim, _SPEEDUP)
        if self.value is None:
            return f"{noun} unknown"
        return f"{phrase.format(self.bare_figure)} {self.interval}".rstrip()

    @property
    def bare_figure(self) -> str:
        estimate = self.expectation["estimate"]
        if estimate is None:
            return "-"
        bare = formatter(estimate["unit"])(estimate["value"])
        return f"{self.bound}, {bare} computing" if self.marker == "bound" else bare

    @property
    def threshold(self) -> str:
        """The threshold alone, with its unit; ``-`` without a threshold."""
        threshold, unit = self.expectation["threshold"], self.unit
        if threshold is None:
            return "-"
        return f"{number(threshold)}x" if unit == "ratio" else formatter(unit)(threshold)

    @property
    def unit(self) -> str:
        """The unit of figure and threshold: ``ratio``, ``share`` or ``seconds``."""
        return str(self.expectation.get("unit") or (self.expectation["estimate"] or {}).get("unit", "ratio"))

    @property
    def gil(self) -> str:
        """The required use of the GIL: ``held``, ``released``; empty if none is required."""
        about_gil = self.expectation["threshold"] is None or self.claim == "GIL"
        return str(self.expectation["arguments"].get("gil") or "") if about_gil else ""

    @property
    def requires_overlap(self) -> bool:
        """Whether the waits must overlap, whatever the figure."""
        return self.claim == "overlap" and self.expectation["threshold"] is not None

    @property
    def required(self) -> str:
        """The requirement: ``>= 3x``, ``GIL released``; ``-`` if there is none."""
        if self.marker == "bound":
            return str(self.expectation["arguments"].get("expected", "-")).replace("'", "")
        if self.gil:
            return f"GIL {self.gil}"
        if self.expectation["threshold"] is None or self.claim == "GIL":
            return "-"
        return "overlap" if self.requires_overlap else f"{self.comparison} {self.threshold}"

    @property
    def comparison(self) -> str:
        """The required comparison of figure and threshold: ``>=`` or ``<=``."""
        return str(self.expectation.get("comparison", ">="))

    @property
    def reason(self) -> str:
        return str(self.expectation["reason"])

    @property
    def finding(self) -> Mapping[str, Any]:
        """The parts of the reason; empty for a verdict that is met."""
        found: Mapping[str, Any] = self.expectation.get("finding") or {}
        return found

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        """What the measured code has left running."""
        return tuple(known_fields(Leftover, each) for each in self.expectation.get("leftovers") or ())

    @property
    def headline(self) -> str:
        """What was found, in one line."""
        return " ".join(str(self.finding.get("headline", self.reason)).split())

    @property
    def cause(self) -> str:
        return str(self.finding.get("cause", ""))

    @property
    def place(self) -> str:
        """The line of code where time is lost; empty if it is unknown."""
        return str(self.finding.get("place", ""))

    @property
    def try_next(self) -> str:
        """What to try; empty for a verdict that is met."""
        return str(self.finding.get("try_next", ""))

    @property
    def more(self) -> str:
        """The address of the page about this kind of verdict; empty for a verdict that is met."""
        kind = self.finding.get("kind")  # the address is not from the file, which is not trusted
        return about(kind) if kind in KINDS else ""


def rows_of(records: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield every verdict of a run, in the order in which they were made."""
    for record in records:
        for expectation in record["expectations"]:
            yield Row(record, expectation)


def known_fields(kind: type[_T], value: Mapping[str, Any]) -> _T:
    """Return a value of a dataclass from a record, without the properties that hooks or later versions have added."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: part for name, part in value.items() if name in names})


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    """Return the number of verdicts of each kind that occurs."""
    counted = Counter(row.verdict for row in rows)
    return {verdict: counted[verdict] for verdict in ("met", *ORDER[:-1]) if counted[verdict]}


def label_of(verdict: str) -> str:
    """Return a verdict in words: ``not met``."""
    return verdict.replace("_", " ")


def tally(rows: Sequence[Row]) -> str:
    """``12 verdicts: 10 met, 1 not met, 1 undecided``."""
    return f"{count(len(rows), 'verdict')}: {amounts(rows) or 'no test measured anything'}"


def amounts(rows: Sequence[Row]) -> str:
    """``10 met, 1 not met, 1 undecided``."""
    return ", ".join(f"{amount} {label_of(verdict)}" for verdict, amount in counts_of(rows).items())


def name_of(nodeid: str) -> str:
    """Return a test's name without its file. The parameters in brackets may contain colons."""
    front, bracket, rest = nodeid.partition("[")
    return front.rpartition("::")[2] + bracket + rest


def shorten(text: str, width: int) -> str:
    """Shorten a name in its middle: its beginning and its end distinguish tests best."""
    if len(text) <= width:
        return text
    front = (width - 2) // 2
    return text[:front] + ".." + text[-(width - 2 - front) :]
