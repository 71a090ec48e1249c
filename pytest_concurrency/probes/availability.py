"""What verdicts rest on and cannot be read here."""

from __future__ import annotations

from pytest_concurrency.probes import interference, thread_clock


def reasons() -> list[str]:
    """Return why each reading is missing; none where all are there."""
    return [reason for reason in (thread_clock.unavailable(), interference.unavailable()) if reason]
