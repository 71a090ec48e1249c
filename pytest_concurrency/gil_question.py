"""Does the body hold the GIL while it computes? Asked until known, then no more (pure)."""

from __future__ import annotations

from pytest_concurrency import stats
from pytest_concurrency.claims import gil_vote
from pytest_concurrency.model import GilProbe, GilUse, Round
from pytest_concurrency.tally import Tally

_PROBES = 16  # heartbeats that may be spent before it stays unknown
_KNOWN = stats.log_odds(1e-3)
_OVERLAPS = 1.15  # CPU time in a unit of wall time above which computing did overlap


class GilQuestion:
    """Collects heartbeats, and what contradicts them."""

    def __init__(self, has_gil: bool) -> None:
        self._has_gil = has_gil
        self._tally = Tally()
        self._asked = 0
        self._askable = has_gil
        self._overlapped = False

    def take(self, probe: GilProbe | None, round_: Round | None, telling: bool = True) -> None:
        """Count one probe (None: it could not be made), and a round of workers that share its GIL, if any.

        :param telling: whether the call beside the probe computed as much as calls do.
        """
        self._asked += 1
        self._askable = self._askable and probe is not None
        if telling:
            self._tally = self._tally.add(gil_vote(probe))
        together = round_.concurrent if round_ is not None else None
        if together is not None and together.workers > 1 and together.cpu > _OVERLAPS * together.wall:
            self._overlapped = True

    @property
    def answer(self) -> GilUse:
        if not self._has_gil:
            return "disabled"
        side = self._tally.decided(_KNOWN, _KNOWN)
        # More CPU time than wall time: whatever the heart says, the computing did overlap.
        if side > 0 and not self._overlapped:
            return "held"
        return "released" if side < 0 else "unknown"

    @property
    def open(self) -> bool:
        """Whether another heartbeat may still bring an answer."""
        return self._askable and self._asked < _PROBES and self.answer == "unknown"
