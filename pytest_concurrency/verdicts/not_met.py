"""Why an expectation is not met, as a finding: figure, requirement, evidence, cause, place, what to try."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core import stats, units
from pytest_concurrency.core.model import GilUse, Round, Sample
from pytest_concurrency.core.outcomes import Bound, Estimate, Finding, Spent
from pytest_concurrency.core.units import count, duration, formatter, number, share, within
from pytest_concurrency.engine import constants, readings
from pytest_concurrency.engine.bound_type import per_body
from pytest_concurrency.engine.claims import GilClaim, LongestClaim, OverlapClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.engine.settlement import Result, Settlement
from pytest_concurrency.verdicts import causes

KINDS = {
    "io": "I/O-bound (it waits)",
    "cpu": "CPU-bound (it computes)",
    "mixed": "mixed (it waits and computes)",
    "serialized": "serialized (it waits, and its waits do not overlap)",
}
_AS_ALONE = 1.15  # times a single call that concurrent ones take at most, if they do not wait for each other
_AS_FAST = 0.9  # speedup below which the second of two functions is slower than the first, and not as fast
_BUSY = 0.6  # part of the CPUs' time that workers compute who have to wait for each other
_AS_EXPECTED = ("threads", "tasks", "compare")  # how these start their workers cannot explain a figure
PROMISE = "A healthy test fails less than once in 10,000 runs if its calls are alike or vary smoothly"


def figure(estimate: Estimate | None) -> str:
    """Return a figure with its interval: ``3.97x [3.91, 4.02]``."""
    if estimate is None:
        return "no figure"
    return units.figure(estimate.value, estimate.low, estimate.high, estimate.unit)


def finding(
    label: str,
    setup: WorkerSetup,
    result: Result,
    settlement: Settlement,
    bound: Bound,
    lost_at: str | None = None,
    note: str = "",
) -> Finding:
    """Return the parts of the message of a failed test.

    :param lost_at: where the workers lose time to each other, if it is known.
    :param note: how the workers were started, and how many there were.
    """
    claim = result.claim
    cause = _cause(setup, result, bound, settlement)
    place = (longest_at(settlement, claim) if isinstance(claim, LongestClaim) else lost_at) or ""
    if cause.kind == "unequal-calls":
        place = ""  # no line makes these workers wait for each other
    return Finding(
        kind=cause.kind,
        label=label,
        headline=headline(setup, result, settlement.known.gil),
        cause=cause.why,
        place=place,
        try_next=cause.try_next,
        certainty=_certainty(settlement, setup, note),
        # A share is about one worker's own time, so the column of several workers would only raise questions.
        evidence=evidence_of(setup, settlement)[: 1 if isinstance(claim, ShareClaim) else 2],
        rounds=len(settlement.rounds),
    )


def headline(setup: WorkerSetup, result: Result, gil: GilUse = "unknown") -> str:
    """Return one sentence: what was measured, and what is required."""
    claim, estimate = result.claim, result.estimate
    if isinstance(claim, SpeedupClaim):
        required = f"at {'most' if claim.at_most else 'least'} {number(claim.threshold)}x"
        return f"{_fast(setup, estimate)}; required: {required}."
    if isinstance(claim, OverlapClaim):
        return f"the waits of {setup.who()} do not overlap: {_fast(setup, estimate)}; required: overlapping waits."
    if isinstance(claim, ShareClaim):
        keyword, verb = ("min_wait", "waits") if claim.kind == "wait" else ("min_cpu", "computes")
        return (
            f"the code {verb} for {_value(estimate)} of its time{_interval(estimate)}; "
            f"required: at least {share(claim.threshold)} ({keyword})."
        )
    if isinstance(claim, GilClaim):
        if claim.use == "released" and gil == "briefly_released":
            return (
                "the code releases the GIL often, but only briefly, so two threads hardly ever compute at the same "
                f"time: {_value(estimate)} of its CPU time{_interval(estimate)} is serialized; "
                'required: gil="released".'
            )
        only, effect = ("", "cannot run") if claim.use == "released" else ("only ", "can run")
        return (
            f"the code holds the GIL for {only}{_value(estimate)} of its CPU time{_interval(estimate)}, so other "
            f'Python threads {effect} at the same time; required: gil="{claim.use}".'
        )
    if isinstance(claim, LongestClaim):
        what, keyword = (
            ("the event loop was blocked for", "max_block")
            if claim.kind == "block"
            else ("the GIL was held without a break for", "max_hold")
        )
        return (
            f"{what} {_value(estimate)}{_interval(estimate)}; "
            f"required: at most {duration(claim.threshold)} ({keyword})."
        )
    return f"measured {_value(estimate)}{_interval(estimate)}; required: {number(claim.threshold)}."


def _fast(setup: WorkerSetup, estimate: Estimate | None) -> str:
    """``4 threads were 1.08x as fast as 1 thread (interval 0.80x to 1.12x)``."""
    figure = f"{_value(estimate)} as fast"
    if setup.own_code:
        return f"the second function was {figure} as the first{_interval(estimate)}"
    verb = "was" if setup.group_size == 1 else "were"
    return f"{setup.who()} {verb} {figure} as {setup.who(1)}{_interval(estimate)}"


def _value(estimate: Estimate | None) -> str:
    return "an unknown figure" if estimate is None else formatter(estimate.unit)(estimate.value)


def _interval(estimate: Estimate | None) -> str:
    return "" if estimate is None else f" (interval {within(estimate.low, estimate.high, estimate.unit)})"


def longest_at(settlement: Settlement, claim: LongestClaim) -> str | None:
    """Return the line at which the longest hold or block was seen in most rounds; None if it was not seen."""
    probes = [round_.gil if claim.kind == "hold" else round_.block for round_ in settlement.rounds]
    seen = [probe for probe in probes if probe is not None and probe.where is not None]
    # The line of a round that was short enough is another one, if only some calls take so long.
    too_long = [probe for probe in seen if probe.longest.low > claim.threshold]
    places = [probe.where for probe in too_long or seen if probe.where is not None]
    if _idle(settlement):
        return None
    return max(set(places), key=places.count) if places else None


def _idle(settlement: Settlement) -> bool:
    """Whether in most rounds the event loop had nothing to run and was blocked all the same, as by another thread."""
    seen = [round_.block for round_ in settlement.rounds if round_.block is not None]
    return sum(probe.idle for probe in seen) > sum(probe.where is not None for probe in seen)


def evidence_of(setup: WorkerSetup, settlement: Settlement) -> tuple[Spent, ...]:
    """Return what one call took on each side, as medians over all rounds."""
    sides = [_spent("first" if setup.own_code else setup.who(1), [round_.serial for round_ in settlement.rounds], 1)]
    together = [round_.concurrent for round_ in settlement.rounds if round_.concurrent is not None]
    if together and setup.workers:
        sides.append(_spent("second" if setup.own_code else setup.who(), together, setup.bodies_per_thread))
    return tuple(sides)


def _spent(side: str, samples: list[Sample], tasks: int) -> Spent:
    return Spent(side, per_body(samples, tasks))


def _share_cpus(setup: WorkerSetup, bound: Bound, settlement: Settlement) -> bool:
    """Whether the workers had to compute in turn, as they outnumber the CPUs, and that made them slower.

    More than one CPU was busy then, so it is not the GIL that they waited for.
    """
    known, workers = settlement.known, setup.workers or 1
    if setup.one_thread or workers <= known.cpus or known.cpus <= 1:
        return False
    together = [round_.concurrent for round_ in settlement.rounds if round_.concurrent is not None]
    busy = sum(sample.cpu for sample in together) / max(sum(sample.wall for sample in together), 1e-9)
    return bound.cpu_share * workers > known.cpus and busy > _BUSY * known.cpus


def _unequal_calls(rounds: Sequence[Round]) -> tuple[float, float] | None:
    """Return how long the longest of concurrent calls took, and the mean of them, in seconds, if that is all they lost.

    None if they differ little, or if each took longer than a single one does, as calls do that wait for each other.
    """
    together = [_calls_of(round_.concurrent) for round_ in rounds if round_.concurrent is not None]
    if not together:
        return None
    alone = stats.mean([readings.quiet_time(round_.serial.readings[0]) / round_.serial.loops for round_ in rounds])
    each = stats.mean([stats.mean(calls) for calls in together])
    longest = stats.mean([max(calls) for calls in together])
    return (longest, each) if longest > constants.UNEQUAL * each and each < _AS_ALONE * alone else None


def _calls_of(sample: Sample) -> list[float]:
    """Return what one call of each worker took in the mean, in seconds, but for its waits for a CPU."""
    first = sample.readings[0]
    if first.ends:  # of tasks, which share a thread
        return [(end - first.start) / sample.loops for end in first.ends]
    return [readings.quiet_time(reading) / sample.loops for reading in sample.readings]


def _cause(setup: WorkerSetup, result: Result, bound: Bound, settlement: Settlement) -> causes.Cause:
    claim, estimate = result.claim, result.estimate
    if isinstance(claim, GilClaim):
        return causes.GIL_HELD if claim.use == "released" else causes.GIL_RELEASED
    if isinstance(claim, LongestClaim):
        return causes.of_longest(claim.kind, _idle(settlement))
    if isinstance(claim, ShareClaim):
        return causes.of_share(claim.kind, bound)
    if isinstance(claim, SpeedupClaim) and claim.at_most:
        return causes.FASTER if setup.own_code else causes.TOO_FAST
    if setup.own_code and estimate is not None and estimate.high < _AS_FAST:
        return causes.SWAPPED if claim.margin.low * estimate.low <= 1 else causes.SLOWER
    speedup = estimate.value if estimate is not None else None
    pinned = settlement.known.pinned
    if pinned is not None and bound.cpu_share * setup.group_size > pinned:
        return causes.of_pinned_workers(bound, setup.who(), pinned)
    if _share_cpus(setup, bound, settlement):
        return causes.of_few_cpus(bound, setup.who(), settlement.known.cpus)
    if not setup.own_code and (longest := _unequal_calls(settlement.rounds)) is not None:
        return causes.of_unequal_calls(setup.group_size, *longest)
    helped = [round_.serial.readings[0].with_helpers for round_ in settlement.rounds]
    mostly = sum(helped) > len(helped) / 2
    return causes.of_speedup(bound, setup, settlement.known.one_interpreter, speedup, mostly)


def _certainty(settlement: Settlement, setup: WorkerSetup, note: str) -> str:
    fresh = " with newly started workers" if setup.renewable else ""
    measured = f"{count(len(settlement.rounds), 'round')}, {duration(settlement.seconds)}"
    workers = f" Workers: {note}." if note and setup.backend not in _AS_EXPECTED else ""
    return f"Confirmed{fresh} ({measured}). {PROMISE}, so a rerun is unlikely to help.{workers}"
