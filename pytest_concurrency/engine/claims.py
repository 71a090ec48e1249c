"""The single statements that expectations are made of, and how a round votes on each.

A claim is about one figure and one cut. ``met_when`` is the side of the cut on which it is met. The
cut lies in the geometric middle between the threshold and the loss that must be caught, so that a
true figure on either of them is equally far away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_concurrency.core.model import GilProbe, GilUse, Interval, Round
from pytest_concurrency.core.stats import log_odds
from pytest_concurrency.engine import constants, gil_overlap, interval_rules, intervals, readings
from pytest_concurrency.engine.interval_rules.base import ALL_OVERLAPS, NONE_OVERLAPS, Context
from pytest_concurrency.engine.statistic import NEVER, RATIO, SHARE, Statistic
from pytest_concurrency.engine.voting import Vote, cast

_LEAST = 1e-6  # in place of none


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of the machine and the body while rounds are judged."""

    cpus: float
    gil: GilUse = "unknown"
    one_interpreter: bool = True  # the workers share one interpreter, and so its GIL
    held: Interval = NONE_OVERLAPS  # part of a body's computing that holds a GIL which is "held"
    pinned: int | None = None  # the CPUs on which the workers may run, if these are fewer

    @property
    def in_turn(self) -> Interval:
        """The part of the bodies' computing that cannot overlap, whatever the number of CPUs."""
        return self.held if self.one_interpreter and self.gil == "held" else ALL_OVERLAPS

    def context(self, workers: int) -> Context:
        """Return what the rules for intervals get to see of a speedup of so many workers."""
        return Context(workers, min(self.cpus, self.pinned or self.cpus), self.in_turn)

    @property
    def computes_alone(self) -> bool:
        """Whether next to nothing of the bodies' computing can overlap."""
        return self.in_turn.low >= constants.ALL_HELD


class Claim(Protocol):
    """One statement that rounds vote on."""

    @property
    def name(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def threshold(self) -> float: ...
    @property
    def met_when(self) -> int: ...
    @property
    def needs_confirmation_on(self) -> tuple[int, ...]:
        """The sides that need a confirmation: those a busy machine can imitate, and the red one."""
        ...

    @property
    def margin(self) -> Interval:
        """Between these lies a figure that is neither met nor not met."""
        ...

    @property
    def statistic(self) -> Statistic:
        """What its rounds add up to."""
        ...

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote: ...


@dataclass(frozen=True, slots=True)
class SpeedupClaim:
    """``workers`` do ``workers`` bodies that many times as fast as one does."""

    workers: int
    threshold: float
    slack: float  # the margin, as a part of the threshold
    at_most: bool = False
    name: str = "speedup"
    unit: str = "ratio"
    statistic: Statistic = RATIO

    @property
    def met_when(self) -> int:
        return -1 if self.at_most else 1

    @property
    def needs_confirmation_on(self) -> tuple[int, ...]:
        return (-1, 1) if self.at_most else (-1,)

    @property
    def margin(self) -> Interval:
        if self.at_most:
            return Interval(self.threshold, self.threshold * (1 + self.slack))
        return Interval(self.threshold / (1 + self.slack), self.threshold)

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        return _ratio_vote(margin_cut(self.margin), round_, self, known)


@dataclass(frozen=True, slots=True)
class ShareClaim:
    """The body waits (or computes) for at least this part of its own time."""

    kind: str  # "wait" or "cpu"
    threshold: float
    slack: float
    unit: str = "share"
    met_when: int = 1
    needs_confirmation_on: tuple[int, ...] = (-1,)
    statistic: Statistic = SHARE

    @property
    def name(self) -> str:
        return "waiting" if self.kind == "wait" else "computing"

    @property
    def margin(self) -> Interval:
        return Interval(self.threshold / (1 + self.slack), self.threshold)

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        if not readings.serial_readable(round_):
            return Vote(0)
        computing = readings.cpu_share(round_.serial)
        figure = max(1 - computing if self.kind == "wait" else computing, _LEAST)
        found, cut = intervals.computing_share(round_), margin_cut(self.margin)
        vote = cast(self._part(found.interval), cut, shortest_batch(round_))
        widened_by, silenced = interval_rules.silencing(
            self._part(Interval(computing, computing)), [(name, self._part(each)) for name, each in found.steps], cut
        )
        whole = readings.body_time(round_)
        return replace(
            vote,
            figure=figure,
            whole=whole,
            work=figure * whole,
            half=half(self.margin),
            widened_by=widened_by,
            silenced=silenced,
        )

    def _part(self, computing: Interval) -> Interval:
        """The bounds of what the claim is about, from those of the computing part; above 0, as ratios need it."""
        low, high = (1 - computing.high, 1 - computing.low) if self.kind == "wait" else (computing.low, computing.high)
        return Interval(max(low, _LEAST), max(high, _LEAST))


@dataclass(frozen=True, slots=True)
class OverlapClaim:
    """The waits of ``workers`` bodies overlap.

    Judged by the speedup, between two hypotheses that the serial batch gives: k workers whose waits
    overlap and whose computing does not need at most b + k * c, those that wait one after the other
    at least k * b + c. The cut is two fifths of the way from the second to the first, on a logarithmic scale.
    """

    workers: int
    slack: float
    unit: str = "ratio"
    met_when: int = 1
    needs_confirmation_on: tuple[int, ...] = (-1,)
    name: str = "overlap"
    statistic: Statistic = RATIO

    @property
    def threshold(self) -> float:
        return math.pow(self.workers, 0.4)

    @property
    def margin(self) -> Interval:
        return Interval(self.threshold / math.sqrt(1 + self.slack), self.threshold * math.sqrt(1 + self.slack))

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        share, longest = readings.cpu_share(round_.serial), readings.longest_body(round_.serial)
        if not self.shows(share, longest):
            return Vote(0)
        return _ratio_vote(self.cut(share, longest), round_, self, known)

    def shows(self, cpu_share: float, longest: float = 1.0) -> bool:
        """Whether they can be distinguished: not beside much computing, nor where one body waits most of the time."""
        overlapping, queueing = self.expected(cpu_share, longest)
        return overlapping >= queueing * constants.APART

    @property
    def least_wait(self) -> float:
        """The share of waiting from which :meth:`shows` is true, in steps of a hundredth."""
        return next((part / 100 for part in range(100) if self.shows(1 - part / 100)), 1.0)

    def cut(self, cpu_share: float, longest: float = 1.0) -> float:
        """The speedup below which the waits are serialized."""
        overlapping, queueing = self.expected(cpu_share, longest)
        return queueing * math.pow(overlapping / queueing, 0.4)

    def expected(self, cpu_share: float, longest: float = 1.0) -> tuple[float, float]:
        """Speedups of waits that overlap and of waits that queue.

        :param longest: how many times their mean the longest of the bodies takes, where they differ: all waits that
            overlap are over when its are.
        """
        k, wait = self.workers, 1 - cpu_share
        return k / (longest * wait + k * cpu_share), k / (k * wait + cpu_share)


@dataclass(frozen=True, slots=True)
class GilClaim:
    """The body's computing holds the GIL (or releases it) for the greater part.

    A GIL that is let go for microseconds only is not released: threads do not gain by it.
    """

    use: str  # "held" or "released"
    threshold: float = 0.5
    unit: str = "share"
    name: str = "GIL"
    statistic: Statistic = SHARE

    @property
    def met_when(self) -> int:
        return 1 if self.use == "held" else -1

    @property
    def needs_confirmation_on(self) -> tuple[int, ...]:
        return (-self.met_when,)

    @property
    def margin(self) -> Interval:
        return Interval(self.threshold, self.threshold)

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        # Without run delay, a beat of the probe that had no CPU looks like one that found the GIL taken.
        vote = gil_vote(gil) if readings.readable(round_) else Vote(0)
        if vote.direction >= 0 or gil is None or gil.taken_briefly is None or known.gil == "released":
            return vote
        # One probe has too few beats to tell a GIL that is released from one let go briefly. The gain shows that it is
        # released. Without one, all probes have to say first that the GIL, and not a lock of the body's, was taken.
        gain = gil_overlap.vote(round_, known.cpus) if gil_overlap.may_be_brief([gil]) else Vote(0)
        return gain if gain.direction < 0 or known.gil == "briefly_released" else Vote(0)


@dataclass(frozen=True, slots=True)
class LongestClaim:
    """Nothing lasts longer: no single hold of the GIL, or no block of the event loop."""

    kind: str  # "hold" or "block"
    threshold: float  # seconds
    slack: float
    unit: str = "seconds"
    met_when: int = -1
    needs_confirmation_on: tuple[int, ...] = (1,)
    statistic: Statistic = NEVER

    @property
    def name(self) -> str:
        return f"longest {self.kind}"

    @property
    def margin(self) -> Interval:
        return Interval(self.threshold, self.threshold * (1 + self.slack))

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        probe = round_.gil if self.kind == "hold" else round_.block
        if probe is None or not readings.readable(round_):
            return Vote(0)
        cut = margin_cut(self.margin)
        low = probe.longest.low
        if probe.least_beside_others is not None and round_.has_gil and readings.beside_others(round_):
            low = probe.least_beside_others
        # A CPU that was taken away is no run delay, and looks like a long hold.
        low -= readings.taken_seconds(round_)
        longest = Interval(max(low, 1e-6), max(probe.longest.high, 1e-6))
        vote = cast(longest, cut, round_.serial.wall)
        if longest.low - constants.SIGHTING_RESOLUTION > cut and round_.serial.readings[0].delay is not None:
            # How far it is from the cut does not matter: the probe says what it has seen.
            return replace(vote, weight=max(vote.weight, log_odds(constants.FALSE_SIGHTING)))
        if (
            vote.direction == 0
            and isinstance(probe, GilProbe)
            and probe.coverage >= constants.COVERED
            and probe.witnessed < cut
        ):
            # The probe thread had no CPU for a while, and saw nothing for most of the time. That is weak evidence, so
            # its weight is only the log odds of the part that it has seen.
            return Vote(
                -1,
                log_odds(1 - constants.COVERED),
                vote.figure,
                Interval(min(longest.low, probe.witnessed), probe.witnessed),
            )
        return vote


def gil_vote(probe: GilProbe | None) -> Vote:
    """+1: the GIL is held for more than half of the computing; -1: for less."""
    if probe is None or probe.cpu <= 0 or probe.beats == 0:
        return Vote(0)
    low, high = min(1.0, probe.surely_held / probe.cpu), min(1.0, probe.perhaps_held / probe.cpu)
    if high < 0.5 and probe.beats < max(constants.FEWEST_BEATS, constants.LEAST_BEATS * probe.window / 0.5e-3):
        return Vote(0)  # the probe thread hardly beat: it had no CPU, or the call was short, so it says nothing
    return cast(Interval(max(low, 1e-6), max(high, 1e-6)), 0.5, probe.window)


def _ratio_vote(cut: float, round_: Round, claim: SpeedupClaim | OverlapClaim, known: Knowledge) -> Vote:
    """Cast a vote on a ratio of times, which may be added up over rounds."""
    context = known.context(claim.workers)
    limited = intervals.limited_speedup(round_, context)
    interval, widened_by, silenced = limited, "", 0
    if limited is not None:
        found = intervals.widened_speedup(limited, round_, context)
        interval = found.interval
        widened_by, silenced = interval_rules.silencing(limited, found.steps, cut)
    vote = cast(interval, cut, shortest_batch(round_), readings.body_time(round_), half(claim.margin))
    # If the CPU time alone keeps the figure below the cut, varying durations cannot explain it.
    computed = intervals.most_by_computing(round_, context) < cut
    # Sums of so many calls are alike whatever single ones are.
    many = round_.serial.loops >= constants.MANY_CALLS and vote.batch >= constants.SUSTAINED
    calls = None if computed or many else intervals.calls(round_, claim.workers)
    draws = round_.serial.loops // round_.concurrent.loops if round_.concurrent is not None else 1
    return replace(
        vote,
        faster=readings.faster_concurrently(round_),
        calls=calls,
        draws=max(1, draws),
        widened_by=widened_by,
        silenced=silenced,
    )


def shortest_batch(round_: Round) -> float:
    """Seconds of the shorter of a round's batches."""
    if round_.concurrent is None:
        return round_.serial.wall
    return min(round_.serial.wall, round_.concurrent.wall)


def margin_cut(margin: Interval) -> float:
    """Where votes part: the geometric middle of the margin."""
    return math.sqrt(margin.low * margin.high)


def half(margin: Interval) -> float:
    """How far each end of the margin is from the cut, as a logarithm."""
    return math.log(margin.high / margin.low) / 2
