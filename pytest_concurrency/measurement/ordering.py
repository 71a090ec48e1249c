"""Which of a round's two batches comes first (pure)."""

from __future__ import annotations

import random
from collections.abc import Hashable


class RoundOrder:
    """Blocks of two rounds: the order is random in the first, and the other way round in the second.

    Some rounds in the same order, as coins have them at times, may all be in step with what happens at every n-th call,
    which then always hits the same batch. Randomized blocks: Montgomery, *Design and Analysis of Experiments*, ch. 4.
    """

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._due: dict[Hashable, bool] = {}

    def serial_first(self, kind: Hashable = None, measured: bool = False) -> bool:
        """Return whether the single worker's batch comes first in the next round of its kind.

        :param measured: whether it has been measured already, so that there is no choice.
        """
        due = self._due.pop(kind, None)
        if due is not None and not measured:
            return due
        first = measured or self._random.random() < 0.5
        self._due[kind] = not first
        return first
