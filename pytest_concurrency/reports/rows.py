"""One verdict as every report shows it: from a record's plain types to words (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count, duration, formatter, interval, number, share

ORDER = ("not_met", "undecided", "unmeasurable", "met")  # what a reader must see comes first
_TRY = "What to try:\n"
_SAID_ALREADY = ("raise max_time", "move the threshold", "Start each call")
_UNDECIDED = (
    "Run it when the machine is less busy, give it more time (max_time), or choose a threshold farther from the figure."
)


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
        """Asked of the ``concurrency`` fixture: pytest shortens what it shows of a failed comparison."""
        return not self.marker.startswith("expect_")

    @property
    def expects(self) -> str:
        return self.marker.removeprefix("expect_")

    @property
    def claim(self) -> str:
        """Which figure the verdict is about."""
        return str(self.expectation.get("claim", ""))

    @property
    def workers(self) -> str:
        return str(self.expectation.get("workers", ""))

    @property
    def bound(self) -> str:
        """The bound type; empty if it is not known."""
        return str(self.expectation.get("bound") or "")

    @property
    def advice(self) -> str:
        """The tool for this kind of work."""
        return str(self.expectation.get("advice", ""))

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
        """How the figure stands to that of the run it was compared with, in one line; empty if it was not."""
        return " ".join(self.change_message.partition("\n\n")[0].split())

    @property
    def change_message(self) -> str:
        """The same with everything that tells why."""
        return str((self.expectation.get("change") or {}).get("text", ""))

    @property
    def is_regression(self) -> bool:
        """Whether the gate has found it slower, for certain."""
        return (self.expectation.get("change") or {}).get("kind") == "regression"

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
        """``3.97x [3.91, 4.02]``; ``-`` without one."""
        return f"{self.bare_figure} {self.interval}".rstrip()

    @property
    def bare_figure(self) -> str:
        estimate = self.expectation["estimate"]
        if estimate is None:
            return "-"
        bare = formatter(estimate["unit"])(estimate["value"])
        return f"{self.bound}, {bare} computing" if self.marker == "bound" else bare

    @property
    def threshold(self) -> str:
        """The threshold alone, with its unit; ``-`` without one."""
        threshold, claim = self.expectation["threshold"], self.claim
        if threshold is None:
            return "-"
        if claim.startswith("longest"):
            return duration(threshold)
        return share(threshold) if claim in ("waiting", "computing", "GIL") else f"{number(threshold)}x"

    @property
    def needed(self) -> str:
        """The comparison that decides: ``>= 3x``, ``GIL released``."""
        threshold, claim = self.expectation["threshold"], self.claim
        if self.marker == "bound":
            return str(self.expectation["arguments"].get("expected", "-")).replace("'", "")
        if threshold is None or claim == "GIL":
            use = self.expectation["arguments"].get("gil")
            return f"GIL {use}" if use else "-"
        if claim == "overlap":
            return "overlap"
        return f"{self.comparison} {self.threshold}"

    @property
    def comparison(self) -> str:
        """How the figure must stand to the threshold."""
        if self.claim.startswith("longest"):
            return "<="
        return str(self.expectation.get("comparison", ">="))

    @property
    def reason(self) -> str:
        return str(self.expectation["reason"])

    @property
    def headline(self) -> str:
        """The first paragraph of the reason, in one line."""
        return " ".join(self.reason.partition("\n\n")[0].split())

    @property
    def what_to_try(self) -> str:
        """What a verdict of not met's message tells to look at; empty for others."""
        for paragraph in self.reason.split("\n\n"):
            if paragraph.startswith(_TRY):
                return " ".join(paragraph.removeprefix(_TRY).split())
        return ""

    @property
    def what_to_do(self) -> str:
        """The next step of whichever program reads a verdict that is not met; empty if the reason says it already."""
        if self.verdict == "undecided" and not any(words in self.reason for words in _SAID_ALREADY):
            return _UNDECIDED
        return self.what_to_try


def rows_of(records: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Every verdict of a run, in the order in which they were made."""
    for record in records:
        for expectation in record["expectations"]:
            yield Row(record, expectation)


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    """How many verdicts of each kind there are; what does not occur is left out."""
    counted = Counter(row.verdict for row in rows)
    return {verdict: counted[verdict] for verdict in ("met", *ORDER[:-1]) if counted[verdict]}


def label_of(verdict: str) -> str:
    """A verdict as a person reads it."""
    return verdict.replace("_", " ")


def tally(rows: Sequence[Row]) -> str:
    """``12 verdicts: 10 met, 1 not met, 1 undecided``."""
    parts = [f"{amount} {label_of(verdict)}" for verdict, amount in counts_of(rows).items()]
    return f"{count(len(rows), 'verdict')}" + (f": {', '.join(parts)}" if parts else ": no test measured anything")


def name_of(nodeid: str) -> str:
    """A test's name without its file; what stands in its brackets may hold colons of its own."""
    front, bracket, rest = nodeid.partition("[")
    return front.rpartition("::")[2] + bracket + rest


def shorten(text: str, width: int) -> str:
    """Leave out the middle: the beginning of a name says what, its end which one."""
    if len(text) <= width:
        return text
    front = (width - 2) // 2
    return text[:front] + ".." + text[-(width - 2 - front) :]
