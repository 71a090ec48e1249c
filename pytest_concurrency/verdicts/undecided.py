"""Why there is no verdict, in words (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interference, Round
from pytest_concurrency.core.units import count, duration, formatter, interval, number, ratio, share
from pytest_concurrency.engine import intervals, voting
from pytest_concurrency.engine.claims import margin_cut
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.plan import CpuSite
from pytest_concurrency.engine.rules import could_be_chance
from pytest_concurrency.engine.settlement import Drifted, Fell, TimeRanOut, Unmeasurable

_FEW = 8  # rounds below which time was short rather than the machine busy
_BUSY = 0.2  # foreign CPUs worth naming
_STOLEN = 0.05  # CPUs worth naming


def words(reason: TimeRanOut | Drifted | Fell | Unmeasurable | None) -> str:
    """Say why a claim has no verdict."""
    if isinstance(reason, TimeRanOut):
        return _time_ran_out(reason.case, reason.rounds, reason.interference, reason.site, reason.max_time)
    if isinstance(reason, Drifted):
        return _drifted(reason.factor, reason.rounds)
    if isinstance(reason, Fell):
        return (
            f"the speedup fell from {ratio(reason.before)} to {ratio(reason.after)} within {reason.rounds} rounds, as "
            "where a rate limit lets a burst through before it holds calls up, so it depends on how often the body has "
            'run. Measure what it sustains: sustained="1s" runs each side for at least that long in every round, and '
            "more seconds use up a larger burst"
        )
    return "" if reason is None else reason.why


def _time_ran_out(
    case: Decision, rounds: Sequence[Round], interference: Interference, site: CpuSite, max_time: float
) -> str:
    """Why the votes were not enough."""
    if case.verdict == "undecided":
        return _inside_margin(case)
    within = f"no sure verdict within max_time={duration(max_time)}"
    if len(rounds) < _FEW:
        walls = [round_.serial.wall + (round_.concurrent.wall if round_.concurrent else 0.0) for round_ in rounds]
        there_was = f"{within}: there was time for {count(len(rounds), 'round')} of {duration(stats.median(walls))}"
        if sum(walls) < max_time / 2:
            return f"{there_was}, and starting the workers and warming them up took the rest; raise max_time"
        return f"{there_was} only; raise max_time, or make the body shorter"
    above = sum(vote.direction > 0 for vote in case.votes)
    below = sum(vote.direction < 0 for vote in case.votes)
    silent = len(case.votes) - above - below
    if case.undelivered > silent / 2:
        return (
            f"{within}: in {count(case.undelivered, 'round')} the machine did not deliver its CPUs: a reference "
            "workload that is known to run in parallel did not" + _shared_cores(site)
        )
    say = formatter(case.claim.unit)
    low, high = say(case.claim.margin.low), say(case.claim.margin.high)
    between = f"{high} or more" if case.claim.met_when > 0 else f"{low} or less"
    said = (
        f"{within}: of {count(len(case.votes), 'round')} {above if case.claim.met_when > 0 else below} spoke for "
        f"{between}, {below if case.claim.met_when > 0 else above} against it, and {silent} could not tell"
    )
    machine = list(_in_the_machine(interference, site))
    return "; ".join([said, *_in_the_body(case, rounds, above - below, bool(machine)), *machine])


def _in_the_body(case: Decision, rounds: Sequence[Round], lead: int, disturbed: bool) -> Iterator[str]:
    together, say = voting.pooled(case.votes), formatter(case.claim.unit)
    if together is not None and (lead > 0) != (together > margin_cut(case.claim.margin)):
        yield f"all rounds together come to {say(together)}, since few calls take most of the time"
    late = any(intervals.helpers_late(round_) for round_ in rounds)
    if late:
        yield "it lets other threads or processes compute for it, and how long these waited for a CPU is not known"
    if case.held_back_by == could_be_chance.RULE.name:
        yield (
            "calls that merely differ, as with a cache, could look so slow by chance: let each call do the "
            "same work, or raise max_time"
        )
    if case.contradicted:
        yield f"{count(case.contradicted, 'time')} later rounds did not confirm what those before them said"
    if case.spread.varies and case.claim.unit == "share":
        yield "calls are not alike, some compute and others wait: let each do the same work, or raise max_time"
    elif case.spread.varies and disturbed and any(vote.apart for vote in case.votes):
        varies = share(case.spread.seen)
        yield f"the ratio of the two varies by {varies} from round to round, by itself or for what follows"
    elif case.spread.varies and not late:  # else that may be the machine
        yield (
            "the body itself takes longer or shorter from call to call, as with limits per second or work at each n-th "
            f"one, so that a round's figure varies by {share(case.spread.seen)}, and some rounds may all be alike by "
            "chance: let each call do the same work, move the threshold farther away, or raise max_time"
        )


def _in_the_machine(interference: Interference, site: CpuSite) -> Iterator[str]:
    if interference.foreign is not None and interference.foreign > _BUSY:
        yield f"other programs kept {interference.foreign:.1f} of {number(site.cpus)} CPUs busy"
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
        "core do not compute like two cores"
    )


def _drifted(factor: float, rounds: int) -> str:
    """The body is not the same from round to round."""
    slower = factor > 1
    change = f"{ratio(factor if slower else 1 / factor)} {'slower' if slower else 'faster'}"
    cause = "something grows with each call" if slower else "something is cached from call to call"
    return (
        f"the body has become {change} over {rounds} rounds: {cause}, so a figure depends on how often it has run. "
        "Start each call from the same state"
    )


def _inside_margin(case: Decision) -> str:
    estimate, margin = case.estimate(), case.claim.margin
    assert estimate is not None
    say: Callable[[float], str] = formatter(case.claim.unit)
    return (
        f"the figure, {say(estimate.value)} {interval(estimate.low, estimate.high, case.claim.unit, ' to ')}, lies "
        f"inside the margin between {say(margin.low)} and {say(margin.high)}, where neither answer is sure: "
        "move the threshold away from it"
    )
