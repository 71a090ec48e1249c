"""The largest loss that is allowed: the grammar of ``--concurrency-compare-fail``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core.units import number

FIGURES = ("speedup", "efficiency")
SINGLE = "single"  # the time of one worker, which only compare-pythons compares
_LIMIT = re.compile(r"\s*(?P<figure>\w+)\s*:\s*(?P<amount>\d+(?:\.\d*)?|\.\d+)\s*(?P<percent>%?)\s*")


@dataclass(frozen=True, slots=True)
class AllowedLoss:
    """The largest allowed loss of one figure, as a part of the baseline or in the figure's unit.

    Of ``single``, the time of one worker, it is what may be added to that time.
    """

    figure: str
    amount: float
    relative: bool

    def applies(self, workers: int | None) -> bool:
        """Whether it limits a speedup. Efficiency is speedup by workers: two callables that are compared have none."""
        return self.figure == "speedup" or (self.figure == "efficiency" and workers is not None)

    def floor(self, baseline: float, workers: int | None) -> float:
        """Return the speedup below which a loss is too great, for a baseline's speedup."""
        return baseline * (1 - self.amount) if self.relative else baseline - self._in_speedup(workers)

    def ceiling(self, baseline: float, workers: int | None) -> float:
        """Return the speedup above which a gain is worth a new baseline."""
        return baseline * (1 + self.amount) if self.relative else baseline + self._in_speedup(workers)

    def _in_speedup(self, workers: int | None) -> float:
        return self.amount * (workers or 1) if self.figure == "efficiency" else self.amount

    def __str__(self) -> str:
        amount = f"{number(round(self.amount * 100, 6))}%" if self.relative else number(self.amount)
        return f"{self.figure}:{amount}"


DEFAULT = (AllowedLoss("speedup", 0.1, True),)


def parse(texts: Sequence[str], figures: Sequence[str] = FIGURES) -> tuple[AllowedLoss, ...]:
    """Read expressions such as ``speedup:10%`` or ``speedup:10%,efficiency:0.1``.

    :param figures: what can be limited.
    :raises ValueError: the message lists what can be written.
    """
    limits = []
    for text in ",".join(texts).split(","):
        match = _LIMIT.fullmatch(text)
        if match is None or match["figure"] not in figures:
            raise ValueError(
                f"{text.strip()!r} is not a limit: write FIGURE:LOSS, where FIGURE is {' or '.join(figures)} and LOSS "
                "a part of the baseline (speedup:10%) or an amount (efficiency:0.1); several with commas between"
            )
        amount = float(match["amount"]) / (100 if match["percent"] else 1)
        if amount <= 0 or (match["percent"] and amount >= 1):
            raise ValueError(f"{text.strip()!r}: the loss must be above 0" + (" and below 100%" if amount else ""))
        if match["figure"] == SINGLE and not match["percent"]:
            raise ValueError(f"{text.strip()!r}: a time is compared as a part of another: write single:10%")
        if not match["percent"] and amount >= 1:
            raise ValueError(
                f"{text.strip()!r} would let pass a {match['figure']} that falls by {number(amount)}: write "
                f"{match['figure']}:{number(amount)}% for a part of the baseline, or an amount below 1"
            )
        limits.append(AllowedLoss(match["figure"], amount, bool(match["percent"])))
    return tuple(dict.fromkeys(limits))
