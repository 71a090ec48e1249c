"""Randomized blocks: which of a round's two batches comes first."""

from __future__ import annotations

import random
from collections.abc import Hashable


class RoundOrder:
    """Blocks of two rounds: the order is random in the first, and reversed in the second.

    With an independent random order for each round, several rounds may have the same order by chance. What happens at
    every n-th call could then always hit the same batch. Randomized blocks: Montgomery, *Design and Analysis of
    Experiments*, ch. 4.
    """

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._due: dict[Hashable, bool] = {}

    def serial_first(self, kind: Hashable = None, measured: bool = False) -> bool:
        """Return whether the serial batch comes first in the next round of this kind.

        :param measured: whether the serial batch has been measured already, so that there is no choice.
        """
        due = self._due.pop(kind, None)
        if due is not None and not measured:
            return due
        first = measured or self._random.random() < 0.5
        self._due[kind] = not first
        return first
