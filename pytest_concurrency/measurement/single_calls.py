"""How many calls a round's serial run makes where calls vary, so that each is a batch of its own."""

from __future__ import annotations

import random

_MOST = 2  # calls more or less; many of them would take the time of rounds


class SingleCalls:
    """The numbers of calls, by the keys of setups.

    They differ by chance from round to round once :meth:`vary` was called: with the same number each time, what a body
    does at every n-th call could always be in a serial batch, or never.
    """

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._calls: dict[str, int | None] = {}
        self._more: dict[str, int] = {}  # in the next round only

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    def make(self, key: str, calls: int | None) -> None:
        """Make each batch one call from now on, and a serial run about ``calls`` of them, or always one if None."""
        self._calls[key] = calls

    def vary(self, key: str, most: int) -> bool:
        """Let the next serial run make up to ``most`` calls more or less, all of them measured; whether it can."""
        if self._calls.get(key) is None:
            return False
        most = min(most, _MOST)
        self._more[key] = self._random.randint(-most, most)
        return True

    def next(self, key: str, usual: int) -> int:
        """Return how many calls the serial run of this round makes: ``usual`` where batches have many."""
        if key not in self._calls:
            return usual
        return max(1, (self._calls[key] or 1) + self._more.pop(key, 0))
