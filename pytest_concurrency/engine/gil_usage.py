"""Does the body hold the GIL while it computes? Asked until known, then no more."""

from __future__ import annotations

import math

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import GilProbe, GilUse, Interval, Round
from pytest_concurrency.engine import gil_overlap
from pytest_concurrency.engine.claims import gil_vote
from pytest_concurrency.engine.voting import VoteCount

_PROBES = 16  # heartbeats that may be spent before it stays unknown
_KNOWN = stats.log_odds(1e-3)
_SAME = 1.15  # factor between the two bounds of a hold that sleeps of the beats may make
_OVERLAPS = 1.15  # CPU time in a unit of wall time above which computing did overlap


class GilUsage:
    """Collects heartbeats, and what contradicts them."""

    def __init__(self, has_gil: bool, cpus: float = 1.0) -> None:
        """``cpus``: how many CPUs the workers have together, of which one shows no gain."""
        self._cpus = cpus
        self._gains = VoteCount()  # +1: none, by what threads computed at the same time
        self._has_gil = has_gil
        self._tally = VoteCount()
        self._asked = 0
        self._askable = has_gil
        self._probes: list[GilProbe] = []
        self._most = math.inf  # part of the computing that can have held the GIL, by what overlapped

    def observe(self, round_: Round) -> None:
        """Look whether the computing of workers that share the GIL did overlap: then not all of it held that."""
        together = round_.concurrent
        self._gains = self._gains.add(gil_overlap.vote(round_, self._cpus))
        if together is not None and together.workers > 1 and together.cpu > 0:
            self._most = min(self._most, together.wall / together.cpu)

    def take(self, probe: GilProbe | None, telling: bool = True) -> None:
        """Count one probe (None: it could not be made).

        :param telling: whether the call beside the probe computed as much as calls do.
        """
        self._asked += 1
        self._askable = self._askable and probe is not None
        if telling:
            self._tally = self._tally.add(gil_vote(probe))
            if probe is not None and probe.cpu > 0:
                self._probes.append(probe)

    @property
    def answer(self) -> GilUse:
        if not self._has_gil:
            return "disabled"
        side = self._side
        # More CPU time than wall time: whatever the probe thread says, the computing did overlap.
        if side > 0 and self._most * _OVERLAPS > 1:
            return "held"
        if side > 0:
            return "unknown"
        if gil_overlap.may_be_brief(self._probes):
            # A thread beside the body could have it, and threads that want it for as long as the body may not gain.
            gain = self._gains.decided(_KNOWN, _KNOWN)
            brief = gain > 0 and gil_overlap.enough_beats(self._probes)
            return "briefly_released" if brief else "released" if gain < 0 and side < 0 else "unknown"
        return "released" if side < 0 else "unknown"

    @property
    def _only_gain_tells(self) -> bool:
        """Whether more probes would not help, since a thread beside the body can have the GIL."""
        return self._side < 0 and gil_overlap.enough_beats(self._probes)

    @property
    def _side(self) -> int:
        """What the probes say: +1 held, -1 not held, 0 not known yet."""
        return self._tally.decided(_KNOWN, _KNOWN)

    @property
    def held(self) -> Interval:
        """Bounds of the part of the computing that held the GIL, by the probes that saw most of it.

        A probe thread that had no CPU saw less, or nothing.
        """
        surely = max((probe.surely_held / probe.cpu for probe in self._probes), default=0.0)
        perhaps = max((probe.perhaps_held / probe.cpu for probe in self._probes), default=0.0)
        # A beat sleeps a little before it can see a hold: where that is all they differ by, it was held meanwhile.
        least = perhaps if perhaps <= _SAME * surely else surely
        most = min(1.0, self._most)
        return Interval(min(least, most), min(perhaps, most))

    @property
    def open(self) -> bool:
        """Whether another heartbeat may still bring an answer."""
        return self._askable and self._asked < _PROBES and self.answer == "unknown" and not self._only_gain_tells
