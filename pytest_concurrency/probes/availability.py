"""Which of the readings that verdicts depend on are missing here."""

from __future__ import annotations

from pytest_concurrency.probes import interference, thread_clock


def reasons() -> list[str]:
    """Return one reason for each missing reading; empty if none is missing."""
    return [reason for reason in (thread_clock.unavailable(), interference.unavailable()) if reason]
