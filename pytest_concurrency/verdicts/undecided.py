"""Why there is no verdict, and what to try."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interference, Interval, Round
from pytest_concurrency.core.outcomes import Estimate, Finding
from pytest_concurrency.core.units import count, duration, formatter, number, ratio, share
from pytest_concurrency.core.units import within as within_
from pytest_concurrency.engine import voting
from pytest_concurrency.engine.claims import (
    Claim,
    GilClaim,
    LongestClaim,
    OverlapClaim,
    ShareClaim,
    SpeedupClaim,
    margin_cut,
)
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.interval_rules import (
    answered_waits,
    gil_taken,
    gil_waits,
    hidden_computing,
    late_helpers,
    slow_cpus,
)
from pytest_concurrency.engine.plan import CpuSite
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.rules import could_be_chance, shares_disagree, suspicion
from pytest_concurrency.engine.rules.base import BatchedCalls, ClockBound, Drifted, Fell, Undone
from pytest_concurrency.engine.settlement import TimeRanOut, Unmeasurable
from pytest_concurrency.verdicts import advice

_SAME_WORK = "make every call do the same work"
_AWAY = "move the threshold away from the measured value"
_LESS_COMPUTING = "let the body compute less, or say how much it computes with expect_cpu_bound(min_cpu=...)."
_ENOUGH_ROUNDS = 10  # that a raised max_time has to leave room for
_LONGER = 4  # times as long as max_time was, where the rounds agree
_NEAR = 1.3  # factor around the margin within which another threshold would help
_FEW = 8  # rounds below which time was short rather than the machine busy
_BUSY = 0.2  # foreign CPUs worth naming
_STOLEN = 0.05  # CPUs worth naming
_MANY = 0.1  # part of the rounds in which a rule must have applied to be worth naming


class Doubt(NamedTuple):
    """One reason why there is no verdict, and what to try; either may be empty.

    ``kind`` is one of ``addresses.KINDS``, which names the section of the documentation about it.
    """

    said: str
    try_next: str = ""
    kind: str = "undecided"


# The rules of the engine that the message names, and the section about each. Other rules have no part in the message:
# limits, which are always there, and those whose reason has a sentence of its own with figures in it.
_NAMED_RULES: Mapping[Rule[Any], str] = {
    late_helpers.RULE: "own-threads",
    hidden_computing.RULE: "own-threads",
    gil_taken.RULE: "busy-fixture",
    gil_waits.RULE: "busy-fixture",
    answered_waits.RULE: "busy-machine",
    could_be_chance.RULE: "calls-vary",
    shares_disagree.RULE: "calls-vary",
    suspicion.RULE: "seen-rarely",
}
_TRIES = {"busy-fixture": "stop that thread before the test", "calls-vary": _SAME_WORK}


def finding(label: str, reason: TimeRanOut | Undone | Unmeasurable | None, claims: Sequence[Claim] = ()) -> Finding:
    """Return why a claim has no verdict, and what to try.

    :param claims: all claims of its plan. If they are unmeasurable, they show what helps.
    """
    if isinstance(reason, TimeRanOut):
        doubt = _time_ran_out(reason.case, reason.rounds, reason.interference, reason.site, reason.max_time)
    elif isinstance(reason, Drifted):
        doubt = _drifted(reason.factor, reason.rounds)
    elif isinstance(reason, Fell):
        doubt = _fell(reason)
    elif isinstance(reason, BatchedCalls):
        doubt = _batched(reason)
    elif isinstance(reason, ClockBound):
        doubt = _clock_bound()
    else:
        return unmeasurable(label, reason.why if reason is not None else "", _where(claims))
    return Finding(doubt.kind, doubt.said, label, try_next=doubt.try_next)


def _fell(reason: Fell) -> Doubt:
    return Doubt(
        f"the speedup fell from {ratio(reason.before)} to {ratio(reason.after)} within {reason.rounds} rounds. This "
        "happens where a rate limit lets a burst through and then slows calls down. So the figure depends on how "
        "often the body has run",
        'measure the sustained rate: sustained="1s" runs each side for at least that long in every round. A larger '
        "burst needs more seconds.",
        "speedup-falls",
    )


def _batched(reason: BatchedCalls) -> Doubt:
    return Doubt(
        f"the calls vary in duration, and each is so short that {reason.loops} of them were measured together. "
        "Concurrent calls have finished when the longest has, and the length of a single call is not known",
        f"let each call take 2 ms or more, or {_SAME_WORK}.",
        "calls-vary",
    )


def _clock_bound() -> Doubt:
    return Doubt(
        "waits for a CPU have not made the calls longer, as in code that polls until something has happened. So it is "
        "not known how long they take on a quiet machine",
        "run it at a higher priority (pytest-concurrency-perf doctor says how) or on a quieter machine, or wait "
        "without polling.",
        "busy-machine",
    )


def unmeasurable(label: str, why: str, try_next: str = "") -> Finding:
    """Return that this machine cannot measure something, why, and what to do."""
    return Finding("unmeasurable", why, label, try_next=try_next or "run this test where it can be measured.")


def _where(claims: Sequence[Claim]) -> str:
    """Return what makes a plan measurable that this machine cannot show."""
    for claim in claims:
        if isinstance(claim, OverlapClaim):
            return _LESS_COMPUTING
        if isinstance(claim, (ShareClaim, LongestClaim)) and claim.kind in ("cpu", "hold"):
            return "run this test on an interpreter with the GIL."
        if isinstance(claim, SpeedupClaim):
            return "run this test on a machine with more CPUs, or lower what it requires."
    return ""


def _time_ran_out(
    case: Decision, rounds: Sequence[Round], interference: Interference, site: CpuSite, max_time: float
) -> Doubt:
    """Return why the rounds before ``max_time`` were not enough for a verdict."""
    if case.verdict == "undecided" or _lies_inside_margin(case):
        return _inside_margin(case)
    within = f"no verdict within {duration(max_time)} (max_time)"
    if len(rounds) < _FEW:
        walls = [round_.serial.wall + (round_.concurrent.wall if round_.concurrent else 0.0) for round_ in rounds]
        there_was = (
            f"{within}: there was time for only {count(len(rounds), 'round')} of {duration(stats.median(walls))}"
        )
        if sum(walls) < max_time / 2:
            rest = "the start of the workers, setup=, calls to warm up, and pauses took the rest"
            return Doubt(f"{there_was}, and {rest}", "raise max_time.", "few-rounds")
        enough = math.ceil(max(2 * max_time, _ENOUGH_ROUNDS * stats.median(walls)))
        return Doubt(there_was, f'raise max_time, for example to "{enough}s", or make the body shorter.', "few-rounds")
    above = sum(vote.direction > 0 for vote in case.votes)
    below = sum(vote.direction < 0 for vote in case.votes)
    silent = len(case.votes) - above - below
    undelivered = case.trace[slow_cpus.RULE.name]
    slow = f"in {count(undelivered, 'round')} the machine did not deliver its CPUs: a reference workload that is known "
    slow += "to run in parallel did not" + _shared_cores(site)
    if undelivered > len(case.votes) / 2:
        elsewhere = "run it on a quieter machine, or on one where each CPU is a whole core."
        return Doubt(f"{within}: {slow}", elsewhere, "slow-cpus")
    say = formatter(case.claim.unit)
    low, high = say(case.claim.margin.low), say(case.claim.margin.high)
    if isinstance(case.claim, GilClaim):  # its threshold is no number that a user has given
        required, farther = f'gil="{case.claim.use}"', []
    else:
        required = f"at least {high}" if case.claim.met_when > 0 else f"at most {low}"
        farther = [_AWAY] if _is_near(case) else []
    support, against = (above, below) if case.claim.met_when > 0 else (below, above)
    if support == len(case.votes):
        agreed = f"{within}: all {support} rounds support {required}, and a verdict needs more of them"
        return Doubt(agreed, f'raise max_time, for example to "{math.ceil(_LONGER * max_time)}s".', "few-rounds")
    said = (
        f"{within}: of {count(len(case.votes), 'round')}, {support} support{_s(support)} {required}, {against} "
        f"contradict{_s(against)} it, and {silent} {'was' if silent == 1 else 'were'} too noisy to count"
    )
    machine = [*([slow] if undelivered > silent / 2 else []), *_in_the_machine(interference, site)]
    body = list(_in_the_body(case, above - below, bool(machine)))
    tries = [doubt.try_next for doubt in body if doubt.try_next]
    if machine or not tries:
        if machine and site.needs_right:
            tries.append("give pytest the right to a higher priority (pytest-concurrency-perf doctor says how)")
        tries += ["run it on a quieter machine", *farther]
    kinds = [doubt.kind for doubt in body if doubt.said] or ["busy-machine" if machine else "undecided"]
    sentences = [said, *(doubt.said for doubt in body if doubt.said), *machine]
    return Doubt(
        ". ".join(part[:1].upper() + part[1:] if place else part for place, part in enumerate(sentences)),
        f"{', '.join(dict.fromkeys(tries))}, or raise max_time.",
        kinds[0],
    )


def _s(number: int) -> str:
    return "s" if number == 1 else ""


def _in_the_body(case: Decision, lead: int, disturbed: bool) -> Iterator[Doubt]:
    together, say = voting.pooled(case.votes), formatter(case.claim.unit)
    if together is not None and (lead > 0) != (together > margin_cut(case.claim.margin)):
        yield Doubt(
            f"all rounds pooled give {say(together)}, because a few calls take most of the time", "", "calls-vary"
        )
    by_rules = _by_rules(case)
    yield from by_rules
    if case.contradicted:
        yield Doubt(
            f"later rounds contradicted those before them ({count(case.contradicted, 'time')})", kind="calls-vary"
        )
    if not case.spread.varies:
        return
    if case.claim.unit == "share":
        yield Doubt("the calls vary: some compute, and others wait", _SAME_WORK, "calls-vary")
    elif any(doubt.kind in ("own-threads", "busy-fixture") for doubt in by_rules):
        return  # that may be why the rounds differ
    elif disturbed:
        yield Doubt(
            f"the speedup varies by {share(case.spread.seen)} from round to round: the calls vary, or other programs "
            "interfere",
            kind="calls-vary",
        )
    else:
        yield Doubt(
            "the calls vary in duration (a rate limit, or extra work at every n-th call), so the rounds differ by "
            f"{share(case.spread.seen)}, and some may agree by chance",
            _SAME_WORK,
            "calls-vary",
        )
        yield Doubt("", _AWAY)


def _by_rules(case: Decision) -> list[Doubt]:
    """Return what the rules say that have held back many rounds, or the last verdict."""
    many = _MANY * len(case.votes)
    doubts = {
        rule.sentence: Doubt(rule.sentence, _TRIES.get(kind, ""), kind)
        for rule, kind in _NAMED_RULES.items()
        if case.trace[rule.name] > many or case.held_back_by == rule.name
    }
    return list(doubts.values())


def _in_the_machine(interference: Interference, site: CpuSite) -> Iterator[str]:
    if interference.foreign is not None and interference.foreign > _BUSY:
        yield f"other processes used {interference.foreign:.1f} of {number(site.cpus)} CPUs"
    for taken, whose in (
        (interference.steal, "the hypervisor took"),
        (interference.throttled, "a CPU quota held back"),
    ):
        if taken is not None and taken > _STOLEN:
            yield f"{whose} {taken:.1f} of {number(site.cpus)} CPUs"


def _shared_cores(site: CpuSite) -> str:
    if site.cores is None or site.cores >= site.cpus:
        return ""
    return (
        f". The {number(site.cpus)} CPUs are hardware threads of {count(site.cores, 'core')}, and two threads of one "
        "core are slower than two cores"
    )


def _drifted(factor: float, rounds: int) -> Doubt:
    """Return that the body becomes slower or faster from round to round."""
    slower = factor > 1
    change = f"takes {ratio(factor)} as long" if slower else f"is {ratio(1 / factor)} as fast"
    cause = "something grows with each call" if slower else "something is cached from call to call"
    return Doubt(
        f"a call {change} after {rounds} rounds as in the first: {cause}, so the figure depends on how often the body "
        "has run",
        "start each call from the same state.",
        "body-changes",
    )


def _is_near(case: Decision) -> bool:
    """Whether the measured value may lie close to the margin, or is not known."""
    estimate, margin = case.estimate(), case.claim.margin
    return estimate is None or (estimate.low <= margin.high * _NEAR and estimate.high >= margin.low / _NEAR)


def _lies_inside_margin(case: Decision) -> bool:
    """Whether more time would hardly help: the interval of the figure is inside the margin, as most rounds are."""
    estimate = case.estimate()
    clear = [interval for interval in case.bounds() if stats.close(interval)]
    if estimate is None or 2 * len(clear) < len(case.votes):
        return False
    return stats.inside(Interval(estimate.low, estimate.high), case.claim.margin)


def _inside_margin(case: Decision) -> Doubt:
    estimate, margin = case.estimate(), case.claim.margin
    assert estimate is not None
    say: Callable[[float], str] = formatter(case.claim.unit)
    return Doubt(
        f"the measured {say(estimate.value)} (interval {within_(estimate.low, estimate.high, case.claim.unit)}) lies "
        f"inside the margin between {say(margin.low)} and {say(margin.high)}, where neither answer is certain",
        _other_threshold(case, estimate),
        "inside-margin",
    )


def _other_threshold(case: Decision, estimate: Estimate) -> str:
    """Return which threshold would be decided, and when to choose it."""
    claim, say = case.claim, formatter(case.claim.unit)
    if isinstance(claim, SpeedupClaim) and not claim.at_most:
        lower = advice.safe_threshold(estimate, math.inf, claim.margin.low / claim.margin.high)
        if lower > 1:
            more = f"If it should be {number(claim.threshold)}x or more, look for what keeps it below."
            return f"if {say(estimate.value)} is enough, require {number(lower)}x. {more}"
    return f"{_AWAY}."
