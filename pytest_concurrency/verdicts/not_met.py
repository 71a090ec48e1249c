"""What a person reads when a verdict is not met (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pytest_concurrency.core.model import Bound, Estimate, PerBody, Point, Sample
from pytest_concurrency.core.units import count, duration, formatter, interval, number, share
from pytest_concurrency.engine.bound_type import per_body
from pytest_concurrency.engine.claims import GilClaim, LongestClaim, OverlapClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.engine.scaling_laws import fit_usl, reading_of
from pytest_concurrency.engine.settlement import Result, Settlement
from pytest_concurrency.verdicts import advice

_WIDTH = 76
KINDS = {
    "io": "io (it waits)",
    "cpu": "cpu (it computes)",
    "mixed": "mixed (it waits and computes)",
    "serialized": "serialized (it waits, and its waits queue)",
}
_AS_EXPECTED = ("threads", "tasks", "compare")  # of whose workers a note says nothing that a figure could come from


def figure(estimate: Estimate | None) -> str:
    """A figure with its interval: ``3.97x [3.91 to 4.02]``."""
    if estimate is None:
        return "no figure"
    value = formatter(estimate.unit)(estimate.value)
    return f"{value} {interval(estimate.low, estimate.high, estimate.unit, ' to ')}"


def _times(estimate: Estimate | None) -> str:
    if estimate is None:
        return "an unknown number of"
    return figure(estimate).replace("x", "", 1)


def message(
    label: str,
    setup: WorkerSetup,
    result: Result,
    settlement: Settlement,
    bound: Bound,
    lost_at: str | None = None,
    note: str = "",
) -> str:
    """The message of a failed test: figure, threshold, what each side did, why, what to try.

    :param lost_at: where the workers lose time to each other, if that was found out.
    :param note: how the workers were started, and how many there were.
    """
    parts = [
        wrap(f"{label} is not met: {headline(setup, result, settlement)}"),
        arms_table(setup, settlement),
        f"Bound type: {KINDS[bound.kind]}\n{wrap(bound.evidence + '.', '  ')}",
        f"Where {setup.who()} lose time to each other, in an extra round:\n{wrap(lost_at, '  ')}" if lost_at else "",
        "What to try:\n" + wrap(_advice(setup, result, bound, settlement), "  "),
        wrap(_certainty(settlement, setup), ""),
        wrap(f"Workers: {note}.") if note and setup.backend not in _AS_EXPECTED else "",
    ]
    return "\n\n".join(part for part in parts if part)


def headline(setup: WorkerSetup, result: Result, settlement: Settlement) -> str:
    """One sentence: what was measured against what was expected."""
    claim, estimate = result.claim, figure(result.estimate)
    if isinstance(claim, SpeedupClaim):
        bound = f"at most {number(claim.threshold)}" if claim.at_most else f"at least {number(claim.threshold)}"
        if setup.backend == "compare":
            return f"the second function is {_times(result.estimate)} times as fast as the first; expected {bound}."
        bodies = count(claim.workers, "body", "bodies")
        return (
            f"{setup.who()} got {bodies} done {_times(result.estimate)} times as fast "
            f"as one {setup.who(1).removeprefix('1 ')} does one after the other; expected {bound}."
        )
    if isinstance(claim, OverlapClaim):
        return (
            f"the body waits, but the waits of {setup.who()} do not overlap: together they are done "
            f"{_times(result.estimate)} times as fast as one after the other."
        )
    if isinstance(claim, ShareClaim):
        keyword = "min_wait" if claim.kind == "wait" else "min_cpu"
        return (
            f"the body spends {estimate} of its time {claim.name}; expected at least "
            f"{share(claim.threshold)} ({keyword}={number(claim.threshold)})."
        )
    if isinstance(claim, GilClaim):
        if claim.use == "released" and settlement.known.gil == "briefly_released":
            return (
                "the body releases the GIL often, but only briefly, so that two threads hardly compute at the same "
                f'time: {estimate} of their computing is done in turn; expected gil="released".'
            )
        if claim.use == "released":
            return (
                f"the body holds the GIL for {estimate} of its computing, so other threads cannot run Python "
                'meanwhile; expected gil="released".'
            )
        return (
            f"the body holds the GIL for only {estimate} of its computing, so other threads can run Python "
            'meanwhile; expected gil="held".'
        )
    if isinstance(claim, LongestClaim):
        what = (
            "the body keeps its event loop from running for"
            if claim.kind == "block"
            else "with Python's own switching between threads turned off, the body holds the GIL for"
        )
        keyword = "max_block" if claim.kind == "block" else "max_hold"
        where = place(settlement, claim)
        stands = f", at {where}" if where else ", while another thread holds the GIL" if _idle(settlement) else ""
        return f"{what} {estimate} at a stretch{stands}; expected at most {duration(claim.threshold)} ({keyword})."
    return f"measured {estimate}, expected {number(claim.threshold)}."


def curve(points: Sequence[Point]) -> str:
    """The scaling curve as text: a line per count, a bar for efficiency, and what grew."""
    rows = [("workers", "speedup", "efficiency", "serial %", "+CPU", "+waiting")]
    for point in points:
        serial = f"{share(point.serial_part)} {interval(point.serial_part_low, point.serial_part_high, 'share')}"
        rows.append(
            (
                str(point.workers),
                figure(point.speedup).replace(" to ", ", "),
                f"{share(point.efficiency).rjust(5)} {bar(point.efficiency, 8)}",
                serial.replace(" %", ""),
                _more(point.more_cpu),
                _more(point.more_blocked),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    parts = [line.rstrip() for line in lines]
    usl = fit_usl([(point.workers, point.speedup.value) for point in points])
    if usl is not None:
        parts.append(f"  contention {share(usl.contention)}, coherency {usl.coherency:.4f} (Universal Scalability Law)")
    if said := reading_of(points):
        parts.append(wrap(said, "  "))
    return "\n".join(parts)


def bar(part: float, width: int = 10) -> str:
    """A bar of tenths: ``########..``."""
    full = round(max(0.0, min(1.0, part)) * width)
    return "#" * full + "." * (width - full)


def _more(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}"


def place(settlement: Settlement, claim: LongestClaim) -> str | None:
    """Where in the code the longest stretch of most rounds was caught, if it was."""
    probes = [round_.gil if claim.kind == "hold" else round_.block for round_ in settlement.rounds]
    places = [probe.where for probe in probes if probe is not None and probe.where is not None]
    if _idle(settlement):
        return None
    return max(set(places), key=places.count) if places else None


def _idle(settlement: Settlement) -> bool:
    """Whether in most rounds that were caught the event loop had nothing to run, and did not get on all the same."""
    seen = [round_.block for round_ in settlement.rounds if round_.block is not None]
    return sum(probe.idle for probe in seen) > sum(probe.where is not None for probe in seen)


def arms_table(setup: WorkerSetup, settlement: Settlement) -> str:
    """What one body cost on each side: wall, CPU, waiting; medians of all rounds."""
    together = [round_.concurrent for round_ in settlement.rounds if round_.concurrent is not None]
    rows = [("", "until all done", "computing", "waiting", "waiting for a CPU")]
    compared = setup.backend == "compare"
    one = "first" if compared else setup.who(1)
    rows.append(_row(one, [round_.serial for round_ in settlement.rounds], 1))
    if together and setup.workers:
        tasks = setup.workers if setup.backend == "tasks" else 1
        rows.append(_row("second" if compared else setup.who(), together, tasks))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  " + row[0].ljust(widths[0]) + "".join("  " + row[column].rjust(widths[column]) for column in range(1, 5))
        for row in rows
    ]
    each = "Each call" if compared else "Each body"
    return f"{each}, median of {count(len(settlement.rounds), 'round')}:\n" + "\n".join(lines)


def _row(name: str, samples: Sequence[Sample], tasks: int) -> tuple[str, str, str, str, str]:
    each: PerBody = per_body(samples, tasks)
    delay = duration(each.delay) if each.delay is not None else "not readable"
    return name, duration(each.wall), duration(each.cpu), duration(each.blocked), delay


def _advice(setup: WorkerSetup, result: Result, bound: Bound, settlement: Settlement) -> str:
    claim = result.claim
    if isinstance(claim, GilClaim):
        if claim.use == "released":
            return "Use a library that releases the GIL while it computes, or processes instead of threads."
        return 'The expectation can be turned: gil="released" holds, and threads will compute in parallel.'
    if isinstance(claim, LongestClaim):
        return advice.what_holds(claim.kind, _idle(settlement))
    if isinstance(claim, ShareClaim):
        if claim.kind == "wait":
            return (
                f"This is computing, not waiting; for such work: {advice.which_tool(bound)}. "
                "If that is right, mark it expect_cpu_bound."
            )
        return (
            "This is waiting, not computing: mark it expect_io_bound, which also tells whether the waits overlap. "
            "If they do, use threads or asyncio."
        )
    wants_speed = not (isinstance(claim, SpeedupClaim) and claim.at_most)
    if setup.backend == "compare" and wants_speed and result.estimate is not None and result.estimate.high < 1:
        return advice.SWAPPED
    return advice.what_to_try(bound, setup.backend, wants_speed, settlement.known.one_interpreter)


def _certainty(settlement: Settlement, setup: WorkerSetup) -> str:
    confirmed = "in fresh workers" if setup.renewable else "to confirm it"
    return (
        f"{count(len(settlement.rounds), 'round')} in {duration(settlement.seconds)}, the last ones {confirmed}. "
        "A healthy test fails less than once in 10,000 runs, on a busy machine too: there is no need to run it again."
    )


def wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
