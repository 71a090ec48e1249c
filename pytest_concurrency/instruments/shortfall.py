"""The messages of a rendezvous that was not met, or whose limit was exceeded (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_concurrency.core.units import count
from pytest_concurrency.instruments.ledger import Entrant, Ledger


def not_met(about: str, when: str, ledger: Ledger, absent: Sequence[str]) -> str:
    """Return the message of a rendezvous that was not met while its workers waited."""
    missing = ledger.meet - len(ledger.inside)
    lines = [
        f"{about}, was not met {when}: {_at_most(ledger)}; waiting at {_places(ledger.inside.values())}; "
        f"never arrived: {missing} of {ledger.meet}" + (": " + "; ".join(absent) if absent else "") + "."
    ]
    processes = {entrant.process for entrant in ledger.inside.values()}
    if len(processes) > 1:
        lines.append(f"Those inside are in {count(len(processes), 'process', 'processes')}.")
    lines.append(
        f"{_why(ledger)} Look for a lock, a semaphore, or a pool of fewer than {ledger.meet} workers or connections "
        "around them; if fewer are meant to run at once, lower the number."
    )
    return "\n".join(lines)


def _why(ledger: Ledger) -> str:
    if ledger.peak > 1:
        return f"Something lets fewer than {ledger.meet} run at once."
    return f"The calls do not overlap: they run one after the other, or fewer than {ledger.meet} may run at once."


def crossed(entrant: Entrant, gauge: str) -> str:
    """Return the message of a worker that waits at another gauge."""
    return (
        f"{entrant.worker} waits at another gauge, {gauge}, at {entrant.place} - each may need those that wait at the "
        "other, which is a deadlock: enter both in the same order"
    )


def never_met(about: str, ledger: Ledger) -> str:
    """Return the message of a rendezvous that was not met when its test ended."""
    if not ledger.entered:
        return (
            f"{about}, was never entered, so it proves nothing. Enter it where the work is done, in each worker: "
            "`with gauge:` or `async with gauge:`. A process that is not forked must get it as an "
            "argument."
        )
    return (
        f"{about}, was not met: {_at_most(ledger)}, at {_places(ledger.most.values())}. Its test ended before the "
        f"others arrived: never arrived: {ledger.meet - ledger.peak} of {ledger.meet}."
    )


def exceeded(about: str, ledger: Ledger) -> str:
    """Return the message of a limit that was exceeded."""
    return (
        f"{about}, is exceeded: {len(ledger.inside)} were inside at one moment, at {_places(ledger.inside.values())}. "
        f"Nothing keeps the calls to {ledger.limit} at once: look at the semaphore or the size of the pool around them."
    )


def _at_most(ledger: Ledger) -> str:
    return f"at most {ledger.peak} of {ledger.meet} {'was' if ledger.peak == 1 else 'were'} inside"


def _places(entrants: Iterable[Entrant]) -> str:
    counted = Counter(entrant.place for entrant in entrants)
    return (
        ", ".join(f"{place} ({times} times)" if times > 1 else place for place, times in counted.items()) or "no line"
    )
