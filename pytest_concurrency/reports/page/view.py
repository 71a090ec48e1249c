"""What the page says: from a run and earlier ones to words and lengths (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_concurrency.core.units import ONE, count, duration, formatter, number, share
from pytest_concurrency.expectations.markers import EFFICIENCY
from pytest_concurrency.reports.rows import ORDER, Row, name_of, rows_of, shorten
from pytest_concurrency.runs import fingerprint, run_comparison

LONGEST_ID = 140
_LABEL = 16  # percentages of a scale's length that a label takes
_KINDS = {
    "io": "It waits",
    "cpu": "It computes",
    "mixed": "It waits and computes",
    "serialized": "It waits, and its waits queue",
}
_GIL = {
    "held": "holding the GIL",
    "released": "with the GIL released",
    "briefly_released": "releasing the GIL only briefly",
    "disabled": "without a GIL",
    "unknown": "",
}


class Scale(NamedTuple):
    """A figure on a line, as percentages of its length."""

    low: float
    width: float
    value: float
    threshold: float | None
    ideal: float | None
    met_above: bool
    label: str  # for those who do not see it
    threshold_text: str
    ideal_text: str  # empty where it would run into the other one


class Verdict(NamedTuple):
    """One expectation of a test."""

    row: Row
    written: str  # as the author wrote it
    sentence: str
    needed: str
    scale: Scale | None
    message: str  # the whole of it, as pytest showed it


class ArmBar(NamedTuple):
    """One side of a measurement: what one body's time went into; widths as percentages."""

    name: str
    cpu: float
    waiting: float
    delay: float
    cpu_text: str
    waiting_text: str
    delay_text: str
    every: str  # how often a body was done
    note: str


class History(NamedTuple):
    """One expectation's figure over the runs, oldest first; the last one is this run's."""

    labels: tuple[str, ...]
    estimates: tuple[Mapping[str, Any], ...]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Test:
    """One record."""

    anchor: str
    nodeid: str
    verdicts: tuple[Verdict, ...]
    arms: tuple[ArmBar, ...]
    bound: str
    evidence: str
    interference: str
    histories: tuple[tuple[Verdict, History], ...]

    @property
    def severity(self) -> int:
        """0 for the worst; a record without expectations comes last."""
        return min((verdict.row.severity for verdict in self.verdicts), default=len(ORDER))

    @property
    def notes(self) -> list[str]:
        """How the workers ran."""
        return list(dict.fromkeys(arm.note for arm in self.arms if arm.note))

    @property
    def short_id(self) -> str:
        return shorten(self.nodeid, LONGEST_ID)

    @property
    def file(self) -> str:
        """What stands before the test's name, in the shortened id."""
        return self.short_id.removesuffix(self.name)

    @property
    def name(self) -> str:
        name = name_of(self.nodeid)
        return name if self.short_id.endswith(name) else self.short_id


def tests_of(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Test]:
    """Return all tests of a run, the worst first, in the order in which they ran otherwise."""
    earlier = [_estimates_of(past) for past in history]
    labels = tuple(str(past.get("created") or past.get("name") or "")[:16].replace("T", " ") for past in history)
    tests = []
    for place, record in enumerate(run["records"]):
        verdicts = tuple(_verdict(row) for row in rows_of([record]))
        histories = []
        for key, verdict in zip(run_comparison.expectations_of(record), verdicts, strict=True):
            if found := _history(verdict.row, (record["nodeid"], key), earlier, labels):
                histories.append((verdict, found))
        bound = record.get("bound")
        tests.append(
            Test(
                anchor=f"test-{place + 1}",
                nodeid=record["nodeid"],
                verdicts=verdicts,
                arms=_arms(record.get("arms", ())),
                bound=_bound(bound) if bound else "",
                evidence=bound["evidence"] if bound else "",
                interference=_interference(record.get("interference", {})),
                histories=tuple(histories),
            )
        )
    return sorted(tests, key=lambda test: test.severity)


def efficiency_of(row: Row) -> float | None:
    """The least speedup per worker that a scaling curve's test allows."""
    value = row.expectation["arguments"].get("efficiency", EFFICIENCY)
    return float(value) if isinstance(value, (int, float)) and 0 < value <= 1 else None


def comparable(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the earlier runs of a machine like this one; a run that was saved already is not its own past."""
    figures = _estimates_of(run)
    return [
        past
        for past in history
        if not fingerprint.differences(past["environment"], run["environment"]) and _estimates_of(past) != figures
    ]


_Key = tuple[str, run_comparison.Key]


def _estimates_of(run: Mapping[str, Any]) -> dict[_Key, Mapping[str, Any]]:
    return {
        (record["nodeid"], key): expectation["estimate"]
        for record in run["records"]
        for key, expectation in run_comparison.expectations_of(record).items()
        if expectation["estimate"] is not None
    }


def _history(
    row: Row, key: _Key, earlier: Sequence[Mapping[_Key, Mapping[str, Any]]], labels: Sequence[str]
) -> History | None:
    now = row.expectation["estimate"]
    known = [
        (label, past[key])
        for label, past in zip(labels, earlier, strict=True)
        if key in past and now is not None and past[key]["unit"] == now["unit"]
    ]
    if not known:
        return None
    return History(
        tuple(label for label, _ in known),
        (*(estimate for _, estimate in known), now),
        row.expectation["threshold"] if row.claim != "overlap" else None,
    )


def _verdict(row: Row) -> Verdict:
    arguments = ", ".join(f"{name}={value!r}" for name, value in row.expectation["arguments"].items())
    call = row.marker if not row.of_fixture else f"concurrency.{row.marker}"
    return Verdict(
        row=row,
        written=shorten(f"{call}({arguments})", 200),
        sentence=_sentence(row),
        needed=_needed(row),
        scale=_scale(row),
        message=row.reason,
    )


def _sentence(row: Row) -> str:
    """What was found, for someone who did not write the test."""
    if row.marker == "bound":
        return f"{_KINDS.get(row.bound, 'It could not be measured')}." if row.bound else ""
    if row.value is None:
        return "There is no figure."
    figure = row.bare_figure
    backend = row.workers.partition(" ")[2]
    claim = row.claim
    if row.marker == "compare":
        return f"The second version is {figure} as fast as the first."
    if claim == "speedup" and backend in ONE:
        return f"{row.workers} finish the work {figure} as fast as one {ONE[backend]}."
    if claim == "overlap":
        return f"The waits of {row.workers} finish {figure} as fast as one after the other."
    if claim in ("waiting", "computing"):
        return f"It spends {figure} of its time {claim}."
    if claim == "GIL":
        return f"It holds the GIL for {figure} of its computing."
    if claim == "longest hold":
        return f"It never keeps other threads from running Python for more than {figure}."
    if claim == "longest block":
        return f"It keeps its event loop from running for up to {figure}."
    return f"Measured: {figure}."


def _needed(row: Row) -> str:
    if row.needed == "-":
        return ""
    if row.needed == "overlap":
        return "The waits must overlap."
    if row.needed.startswith("GIL"):
        return f"The GIL must be {row.needed.removeprefix('GIL ')}."
    words = {">=": "at least", "<=": "at most"}[row.comparison]
    return f"Expected: {words} {row.threshold}."


def _scale(row: Row) -> Scale | None:
    estimate, threshold = row.expectation["estimate"], row.expectation["threshold"]
    if estimate is None or row.marker == "bound":
        return None
    amount = row.workers.partition(" ")[0]
    ideal = float(amount) if row.claim == "speedup" and amount.isdecimal() and int(amount) > 1 else None
    longest: float = max(estimate["high"], estimate["value"], threshold or 0.0, ideal or 0.0) * 1.08
    if estimate["unit"] == "share":
        longest = 1.03
    if longest <= 0:
        return None

    def percent(value: float) -> float:
        return round(100 * max(0.0, min(1.0, value / longest)), 2)

    say = formatter(estimate["unit"])
    words = f"{row.bare_figure}, between {say(estimate['low'])} and {say(estimate['high'])}"
    if threshold is not None:
        words += f"; needed: {row.needed}"
    low, high = percent(estimate["low"]), percent(estimate["high"])
    apart = ideal is not None and (threshold is None or percent(ideal) - percent(threshold) > _LABEL)
    return Scale(
        low=low,
        width=max(0.6, round(high - low, 2)),
        value=percent(estimate["value"]),
        threshold=None if threshold is None else percent(threshold),
        ideal=None if ideal is None else percent(ideal),
        met_above=row.comparison == ">=" and not (row.claim == "GIL" and row.needed == "GIL released"),
        label=words,
        threshold_text="" if row.needed == "overlap" else f"needed {row.threshold}",
        ideal_text=f"ideal {number(ideal)}x" if ideal is not None and apart else "",
    )


def sentence(text: str) -> str:
    """A clause as a sentence of its own."""
    whole = text[:1].upper() + text[1:]
    return whole if not whole or whole[-1] in ".!?:" else whole + "."


class _Part(NamedTuple):
    name: str
    cpu: float
    waiting: float
    delay: float | None
    every: float
    note: str


def _arms(arms: Sequence[Mapping[str, Any]]) -> tuple[ArmBar, ...]:
    parts = [part for arm in _distinct(arms) if (part := _part(arm, arms)) is not None]
    longest = max((part.cpu + part.waiting + (part.delay or 0.0) for part in parts), default=0.0)
    if longest <= 0:
        return ()
    return tuple(
        ArmBar(
            name=part.name,
            cpu=round(100 * part.cpu / longest, 2),
            waiting=round(100 * part.waiting / longest, 2),
            delay=round(100 * (part.delay or 0.0) / longest, 2),
            cpu_text=duration(part.cpu),
            waiting_text=duration(part.waiting),
            delay_text="not readable" if part.delay is None else duration(part.delay),
            every=duration(part.every),
            note=part.note,
        )
        for part in parts
    )


def _distinct(arms: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Several markers measure one worker each: the arm with most rounds stands for its like."""
    best: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for place, arm in enumerate(arms):
        # The two sides of compare() are different functions.
        key = (arm["backend"], arm["workers"], place if arm["backend"] == "compare" else 0)
        if key not in best or len(arm["wall"]) > len(best[key]["wall"]):
            best[key] = arm
    return sorted(best.values(), key=lambda arm: arm["workers"]) if len(best) > 1 else list(best.values())


def _part(arm: Mapping[str, Any], all_arms: Sequence[Mapping[str, Any]]) -> _Part | None:
    body, workers, backend = arm.get("body"), arm["workers"], arm["backend"]
    if not body or not workers:
        return None
    name = f"{workers} {ONE.get(backend, backend) if workers == 1 else backend}"
    if backend == "compare":
        before = [other for other in all_arms if other["backend"] == "compare"]
        name = "second version" if [other is arm for other in before].index(True) % 2 else "first version"
    every = body["wall"] / workers
    return _Part(name, body["cpu"], body["blocked"], body["delay"], every, arm.get("note", ""))


def _bound(bound: Mapping[str, Any]) -> str:
    words = _KINDS.get(bound["kind"], bound["kind"])
    gil = _GIL.get(bound["gil"], "")
    shares = f"{share(bound['cpu_share'])} computing{', ' + gil if gil else ''}; {share(bound['wait_share'])} waiting"
    return f"{words} ({shares})."


def _interference(value: Mapping[str, Any]) -> str:
    said = []
    for name, words in (
        ("foreign", "other programs kept {} busy"),
        ("steal", "the host took {} away"),
        ("throttled", "the quota withheld {}"),
    ):
        amount = value.get(name)
        if amount is not None and amount >= 0.05:
            said.append(words.format(count_cpus(amount)))
    if said:
        return f"Meanwhile {' and '.join(said)}."
    if all(value.get(name) is None for name in ("foreign", "steal", "throttled")):
        return "What else the machine did cannot be read here."
    return "Meanwhile the machine did nothing else."


def count_cpus(amount: float) -> str:
    """``0.3 CPUs``, ``1 CPU``."""
    text = number(round(amount, 1))
    return f"{text} {'CPU' if text == '1' else 'CPUs'}"


def summary_of(rows: Sequence[Row], records: int = 0) -> str:
    """The answer in one sentence."""
    if not rows and records:
        return "Nothing was expected, so there is no verdict; what was measured is below."
    if not rows:
        return "No test measured anything."
    not_met = sum(row.verdict == "not_met" for row in rows)
    unsure = sum(row.verdict in ("undecided", "unmeasurable") for row in rows)
    met = len(rows) - not_met - unsure
    if met == len(rows):
        return f"All {len(rows)} expectations are met." if len(rows) > 1 else "The expectation is met."
    parts = []
    if not_met:
        parts.append(f"{count(not_met, 'expectation')} of {len(rows)} {'is' if not_met == 1 else 'are'} not met")
    if unsure:
        what = "could not be decided" if not_met else f"of {len(rows)} could not be decided"
        parts.append(f"{unsure} {what}" if not_met else f"{count(unsure, 'expectation')} {what}")
    return " and ".join(parts) + (f"; {met} {'is' if met == 1 else 'are'} met." if met else ".")
