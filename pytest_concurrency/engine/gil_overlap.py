"""What threads really gain that compute at the same time.

A thread beside a body can have the GIL whenever the body lets it go, be it for a microsecond at each row of a result.
Two such bodies are no faster than one: each waits for the GIL at each turn (a convoy). Only how much of their
computing overlaps tells that from a GIL that is released.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.model import GilProbe, Interval, Round
from pytest_concurrency.engine import intervals, readings
from pytest_concurrency.engine.voting import Vote, cast

HALF = 0.5  # part of the computing that is done in turn, from which on threads do not help
_COULD = 1.6  # CPUs that the workers could have kept busy at least, for a round to tell anything
_SHARED_CORE = 2.0  # times as much CPU time that two hardware threads of one core take at most for the same work
_CALM = 0.1  # run delay, as a part of a batch's time, up to which computing that did not overlap could not
# Part of a probe's beats that find the GIL taken and get it soon. Seen: 0 to 0.1 beside hashes of 256 KiB, 0.4 to 0.7
# beside SQLite's rows, 0.8 to 1 beside Python code with a short call in between that releases the GIL.
_TAKEN = 0.15
_BEATS = 40  # beats below which nothing is known of that part: from probe to probe it varied from 0.05 to 0.7


def in_turn(round_: Round, cpus: float) -> Interval | None:
    """Return bounds of the part of the bodies' computing that was done in turn; None if the round does not tell.

    From Amdahl's law: ``n`` CPUs do one unit of it in ``part + (1 - part) / n``.
    """
    together = round_.concurrent
    if together is None or together.workers < 2 or together.cpu <= 0 or not readings.readable(round_):
        return None
    if together.gil_taken:  # its workers may have waited for the GIL of other threads, and not for each other's
        return None
    could = min(cpus, together.workers * readings.cpu_share(round_.serial))
    if could < _COULD:
        return None

    def part(overlap: float) -> float:
        return min(1.0, max(0.0, (1 / overlap - 1 / could) / (1 - 1 / could)))

    overlap = readings.overlap(together)
    calm = (
        together.delay <= _CALM * together.wall and not readings.cpu_taken(round_) and intervals.side_by_side(together)
    )
    # What computes at the same time and needs more CPU time for it gains less, whatever that goes into: waiting for the
    # GIL at each turn takes some, and two hardware threads of one core take twice as much for the same work.
    gained = overlap / max(1.0, readings.cpu_growth(round_))
    return Interval(part(min(overlap, _SHARED_CORE * gained)) if calm else 0.0, part(gained))


def vote(round_: Round, cpus: float) -> Vote:
    """+1: threads gain next to nothing by computing at the same time; -1: they do gain."""
    found = in_turn(round_, cpus)
    if found is None or round_.concurrent is None:
        return Vote(0)
    return cast(Interval(max(found.low, 1e-6), max(found.high, 1e-6)), HALF, round_.concurrent.wall)


def may_be_brief(probes: Sequence[GilProbe]) -> bool:
    """Whether a GIL that a probe thread could have may be let go for microseconds only, so that threads do not gain.

    Then it is often taken when the probe thread asks for it, and is let go soon. A body that holds it for some
    milliseconds, and then releases it for some, makes few beats wait, and those for long.
    """
    taken = sum(probe.taken_briefly or 0 for probe in probes)
    return not enough_beats(probes) or (_tells(probes) and taken >= _TAKEN * sum(probe.beats for probe in probes))


def enough_beats(probes: Sequence[GilProbe]) -> bool:
    """Whether it is known how often the GIL was taken; or cannot be known here, so that more probes would not help."""
    return not _tells(probes) or sum(probe.beats for probe in probes) >= _BEATS


def _tells(probes: Sequence[GilProbe]) -> bool:
    return any(probe.taken_briefly is not None for probe in probes)
