"""From an expectation and its settlement to the outcome that is reported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_concurrency.core import addresses, stats
from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import PRECEDENCE, Interference, Interval, Round, Sample
from pytest_concurrency.core.outcomes import Arm, Estimate, Finding, Outcome, PerBody, Point, Series
from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count, duration
from pytest_concurrency.engine import intervals, readings
from pytest_concurrency.engine.bound_type import COMPUTES, classify, per_body
from pytest_concurrency.engine.claims import Claim, SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.scaling_laws import point_of
from pytest_concurrency.engine.settlement import Result, Settlement
from pytest_concurrency.verdicts import advice, curves, message, not_met, undecided


def judge(
    label: str,
    marker: str,
    arguments: Mapping[str, Any],
    plan: Plan,
    settlement: Settlement,
    lost_at: str | None = None,
    note: str = "",
    interference: Interference | None = None,
) -> Outcome:
    """Return one expectation's outcome. Its reason is the text that the user reads.

    :param lost_at: where the workers lose time to each other, if it is known.
    """
    setup = plan.setup
    bound = classify(settlement.rounds, setup, settlement.known)
    decisive = deciding(settlement)
    verdict = settlement.verdict
    finding = None
    if verdict == "not_met":
        finding = not_met.finding(label, setup, decisive, settlement, bound, lost_at, note)
    elif verdict != "met":
        finding = undecided.finding(label, decisive.reason, plan.claims)
    # How long an event loop is blocked does not show which tool suits the work, so no tool is recommended.
    work, tool = "", ""
    if setup.method != "block":
        work, tool = advice.work_and_tool(bound, bool(setup.workers), _by_threads(setup, settlement))
    return Outcome(
        marker=marker,
        arguments=dict(arguments),
        verdict=verdict,
        reason=words(finding),
        # The one or two rounds before it was given up make no figure, so none is reported.
        estimate=None if verdict == "unmeasurable" else decisive.estimate,
        threshold=decisive.claim.threshold,
        rounds=len(settlement.rounds),
        seconds=settlement.seconds,
        bound=bound,
        arms=arms_of(settlement.rounds, setup, note),
        interference=interference or Interference(),
        workers=workers_of(setup),
        advice=f"{work}: {tool}" if tool else "",
        tool=tool,
        claim=decisive.claim.name,
        hint=_hint(plan, settlement, decisive, "efficiency" in arguments),
        comparison=comparison_of(decisive.claim),
        curve=_curve(plan, settlement, decisive.estimate),
        series=_series(plan, settlement),
        serial=_serial(plan, settlement),
        finding=finding,
        rules=decisive.trace,
        unit=decisive.claim.unit,
        backend=setup.backend,
        worker_count=count_of(setup),
    )


def words(finding: Finding | None, extra: str = "") -> str:
    """Return a finding as the text that a user reads: the whole message if the test fails because of it.

    :param extra: a block of lines below the evidence, such as a scaling curve.
    """
    if finding is None:
        return ""
    if finding.kind in (*addresses.UNDECIDED, "undecided", "unmeasurable"):
        return message.in_one_line(finding)
    return message.render(finding, extra)


def not_measured(label: str, marker: str, arguments: Mapping[str, Any], plan: Plan, reason: CannotMeasure) -> Outcome:
    """Return the outcome of an expectation that cannot be measured here."""
    finding = undecided.unmeasurable(label, reason.why, reason.try_next)
    setup, claim = plan.setup, plan.claims[0]
    return Outcome(
        marker=marker,
        arguments=dict(arguments),
        verdict="unmeasurable",
        reason=words(finding),
        estimate=None,
        threshold=claim.threshold,
        rounds=0,
        seconds=0.0,
        workers=workers_of(setup),
        claim=claim.name,
        comparison=comparison_of(claim),
        finding=finding,
        unit=claim.unit,
        backend=setup.backend,
        worker_count=count_of(setup),
    )


def met(outcome: Outcome, **changes: Any) -> Outcome:
    """Return an outcome as met, without the reason why it was not."""
    return replace(outcome, verdict="met", reason="", finding=None, **changes)


def opposite(outcome: Outcome) -> Outcome:
    """Return the outcome of a comparison that is not met as that of its opposite, which a test asserts with ``not``."""
    return met(outcome, comparison="<=" if outcome.comparison == ">=" else ">=", hint="")


def bound_differs(outcome: Outcome, expected: str) -> Outcome:
    """Return the outcome of a bound type that differs from the one that the test expects."""
    assert outcome.bound is not None
    finding = Finding(
        kind="bound-type",
        label="concurrency.bound",
        headline=f"the bound type is {outcome.bound.kind!r}; required: {expected}.",
        cause=sentence(outcome.bound.evidence),
        try_next="expect the bound type that was found, or look for what has changed in the code.",
        certainty=f"Confirmed ({count(outcome.rounds, 'round')}, {duration(outcome.seconds)}).",
    )
    return replace(outcome, verdict="not_met", reason=words(finding), finding=finding)


def bound_undecided(outcome: Outcome, results: Sequence[Result]) -> Outcome:
    """Return the outcome of a bound type for which a claim is undecided."""
    open_claims = (undecided.finding("concurrency.bound", one.reason) for one in results if one.verdict == "undecided")
    between = Finding(
        "inside-margin",
        "the measured shares lie between two bound types",
        "concurrency.bound",
        try_next="expect neither of them, or raise max_time.",
    )
    finding = next(open_claims, between)
    return replace(outcome, verdict="undecided", reason=words(finding), finding=finding)


def count_of(setup: WorkerSetup) -> int | None:
    """Return the number of workers; None where a single worker or two callables were measured."""
    return None if setup.own_code else setup.workers


def loses_time(plan: Plan, settlement: Settlement) -> bool:
    """Whether there is a line in the body at which several workers lose time to each other, worth searching for.

    There is none if they all compute and hold the GIL: then they lose time at every line.
    """
    claim = deciding(settlement).claim
    if settlement.verdict != "not_met" or not claim.statistic.of_times or claim.met_when < 0 or plan.setup.own_code:
        return False
    return not settlement.known.computes_alone or readings.median_cpu_share(settlement.rounds) < COMPUTES


def _by_threads(setup: WorkerSetup, settlement: Settlement) -> Interval | None:
    """Return bounds of the measured speedup of threads of one interpreter; None if it was not measured."""
    known, workers = settlement.known, setup.workers
    if workers is None or workers < 2 or not known.one_interpreter or setup.one_thread or setup.own_code:
        return None
    found = [intervals.speedup(round_, known.context(workers)) for round_ in settlement.rounds]
    bounds = [interval for interval in found if interval is not None]
    if not bounds:
        return None
    return Interval(stats.median([each.low for each in bounds]), stats.median([each.high for each in bounds]))


def _hint(plan: Plan, settlement: Settlement, decisive: Result, by_efficiency: bool) -> str:
    claim, estimate, workers = decisive.claim, decisive.estimate, plan.setup.workers
    if not isinstance(claim, SpeedupClaim) or claim.at_most or estimate is None or plan.setup.own_code:
        return ""
    if settlement.verdict in ("not_met", "unmeasurable") or workers is None:
        return ""
    computing = readings.median_cpu_share(settlement.rounds) if not plan.setup.one_thread else 0.0
    best = advice.ceiling(workers, computing, settlement.known.cpus)
    return advice.threshold(claim.threshold, estimate, best, claim.margin, workers if by_efficiency else None)


def _curve(plan: Plan, settlement: Settlement, speedup: Estimate | None) -> tuple[Point, ...]:
    workers, claim = plan.setup.workers, plan.claims[0]
    if workers is None or workers < 2 or speedup is None or not isinstance(claim, SpeedupClaim):
        return ()
    return (point_of(settlement.rounds, workers, speedup, plan.setup.bodies_per_thread),)


def _series(plan: Plan, settlement: Settlement) -> tuple[Series, ...]:
    """Return the ratios that later runs are compared with; none if the rounds do not measure a ratio."""
    ratios = [result for result in settlement.results if result.claim.statistic.of_times]
    if not ratios or settlement.verdict == "unmeasurable":
        return ()
    return (Series(count_of(plan.setup), ratios[0].bounds),) if ratios[0].bounds else ()


def _serial(plan: Plan, settlement: Settlement) -> tuple[Interval, ...]:
    """What one call takes one worker, undisturbed at least and as it was at most, as interpreters are compared by."""
    if plan.setup.own_code:  # two callables
        return ()
    return tuple(_call_time(round_) for round_ in settlement.rounds)


def _call_time(round_: Round) -> Interval:
    """Without its run delay; but for a body that may have waited for another program where that was read as delay."""
    quiet, loops = readings.body_time(round_), round_.serial.loops
    waits_as_delay = readings.least_cpu_share(round_) < readings.cpu_share(round_.serial)
    most = max(quiet, round_.serial.wall / loops) if waits_as_delay else quiet
    return Interval(max(quiet - readings.taken_seconds(round_) / loops, readings.TINY), most)


def workers_of(setup: WorkerSetup) -> str:
    """Return the workers for the table: ``4 threads``."""
    if setup.own_code:
        return "2nd vs 1st"
    return setup.who() if setup.workers else "alone"


def comparison_of(claim: Claim) -> str:
    """Return the comparison of figure and threshold that is true if the claim is met: ``>=`` or ``<=``."""
    return ">=" if claim.met_when > 0 else "<="


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Return one outcome for all points of a curve: that of the worst one, with the whole curve."""
    # If all are met, the outcome of the largest count is shown.
    worst = min(reversed(outcomes), key=lambda outcome: PRECEDENCE.index(outcome.verdict))
    curve = tuple(point for outcome in outcomes for point in outcome.curve)
    series = tuple(points for outcome in outcomes for points in outcome.series)
    reason = worst.reason
    if worst.verdict == "not_met":
        reason = words(worst.finding, curves.curve(curve))
    return replace(
        worst,
        reason=reason,
        rounds=sum(outcome.rounds for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
        arms=tuple(arm for outcome in outcomes for arm in outcome.arms),
        curve=curve,
        series=series,
        serial=tuple(time for outcome in outcomes for time in outcome.serial),
    )


def deciding(settlement: Settlement) -> Result:
    """Return the result that decided the verdict, else the first."""
    return next(
        (result for result in settlement.results if result.verdict == settlement.verdict), settlement.results[0]
    )


def arms_of(rounds: tuple[Round, ...], setup: WorkerSetup, note: str = "") -> tuple[Arm, ...]:
    """Return the serial and the concurrent side of some rounds, with their totals."""
    arms = [_arm(setup.backend, [round_.serial for round_ in rounds], note)]
    together = [round_.concurrent for round_ in rounds if round_.concurrent is not None]
    if together:
        arms.append(_arm(setup.backend, together, note, setup.bodies_per_thread))
    return tuple(arms)


def _arm(backend: str, samples: list[Sample], note: str, tasks: int = 1) -> Arm:
    known = bool(samples) and all(reading.delay is not None for sample in samples for reading in sample.readings)
    loops = samples[-1].loops if samples else 0
    # Where calls vary, so does how many of them a serial run makes: each round shows what as many calls take.
    parts = [(sample, loops / sample.loops) for sample in samples]
    return Arm(
        backend=backend,
        workers=samples[0].workers * tasks if samples else 0,
        loops=loops,
        wall=tuple(_tidy(sample.wall * part) for sample, part in parts),
        cpu=tuple(_tidy(sample.cpu * part) for sample, part in parts),
        delay=tuple(_tidy(sample.delay * part) for sample, part in parts) if known else None,
        blocked=tuple(_tidy(sample.blocked * part) for sample, part in parts),
        note=note,
        body=_per_body(samples, tasks) if samples else None,
    )


def _per_body(samples: Sequence[Sample], tasks: int) -> PerBody:
    each = per_body(samples, tasks)
    delay = None if each.delay is None else _tidy(each.delay)
    return PerBody(_tidy(each.wall), _tidy(each.cpu), _tidy(each.blocked), delay)


def _tidy(seconds: float) -> float:
    """Round to nanoseconds, the resolution of the clocks: more digits in a file would be noise."""
    return round(seconds, 9) if math.isfinite(seconds) else 0.0
