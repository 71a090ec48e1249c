"""The messages of a rendezvous that was not met, or whose limit was exceeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytest_concurrency.core.outcomes import Finding
from pytest_concurrency.core.units import count
from pytest_concurrency.instruments.ledger import Entrant, Ledger
from pytest_concurrency.verdicts import message

_KIND = "in-flight"  # the section of the documentation about them


class Named(NamedTuple):
    """A rendezvous as its author knows it: the call, and the line of the call."""

    title: str
    made_at: str

    def __str__(self) -> str:
        return f"{self.title}, made at {self.made_at}"


class Absent(NamedTuple):
    """What is known about those that have not arrived, as text."""

    small_pools: Sequence[str] = ()
    crossed: Sequence[str] = ()  # they wait at another gauge
    places: Sequence[str] = ()  # where threads and tasks are


def not_met(named: Named, when: str, ledger: Ledger, absent: Absent) -> str:
    """Return the message of a rendezvous that was not met while its workers waited.

    :param when: how long they waited, or why they stopped: `` within 30 s``.
    """
    missing = ledger.meet - len(ledger.inside)
    causes = [f"never arrived: {missing} of {ledger.meet}{when}."]
    known = [*absent.small_pools, *absent.crossed]
    causes += [f"{one[:1].upper()}{one[1:]}." for one in known] or [_why(ledger)]
    processes = {entrant.process for entrant in ledger.inside.values()}
    if len(processes) > 1:
        causes.append(f"Those inside are in {count(len(processes), 'process', 'processes')}.")
    try_next = (
        f"look for calls one after the other, or a lock, a semaphore, or a pool of fewer than {ledger.meet} "
        "workers or connections around these lines. If fewer are meant to run at once, lower the number."
    )
    if absent.crossed:
        try_next = "enter both in the same order."
    elif absent.small_pools:
        try_next = f"give it {ledger.meet} workers. If fewer are meant to run at once, lower the number."
    where = [*_places("waiting at", ledger.inside.values()), *absent.places]
    return _rendered(named, f"{named.title} is not met: {_at_most(ledger)}.", " ".join(causes), where, try_next)


def _why(ledger: Ledger) -> str:
    if ledger.peak > 1:
        return f"Something lets fewer than {ledger.meet} run at once."
    return f"The calls do not overlap: they run one after the other, or fewer than {ledger.meet} may run at once."


def crossed(entrant: Entrant, gauge: Named) -> str:
    """Return that a worker waits at another gauge."""
    return (
        f"{entrant.worker} waits at another gauge, {gauge}, at {entrant.place}. Each may need those that wait at the "
        "other, which is a deadlock"
    )


def never_met(named: Named, ledger: Ledger) -> str:
    """Return the message of a rendezvous that was not met when its test ended."""
    if not ledger.entered:
        return _rendered(
            named,
            f"{named.title} was never entered, so it proves nothing.",
            "",
            (),
            "enter it where the work is done, in each worker: `with gauge:` or `async with gauge:`. A process that is "
            "not forked must get it as an argument.",
        )
    return _rendered(
        named,
        f"{named.title} is not met: {_at_most(ledger)}.",
        f"never arrived: {ledger.meet - ledger.peak} of {ledger.meet} before the test ended.",
        _places("inside at", ledger.most.values()),
        f"let the test wait for its workers, and start {ledger.meet} that run at once.",
    )


def exceeded(named: Named, ledger: Ledger) -> str:
    """Return the message of a limit that was exceeded."""
    return _rendered(
        named,
        f"{named.title} is exceeded: {len(ledger.inside)} were inside at one moment.",
        f"nothing keeps the calls to {ledger.limit} at once.",
        _places("inside at", ledger.inside.values()),
        "look at the semaphore or the size of the pool around these lines.",
    )


def _rendered(named: Named, headline: str, cause: str, where: Sequence[str], try_next: str) -> str:
    place = "\n".join([*where, f"made at {named.made_at}"])
    return message.render(Finding(_KIND, headline, cause=cause, place=place, try_next=try_next), inside=True)


def _at_most(ledger: Ledger) -> str:
    return f"at most {ledger.peak} of {ledger.meet} {'was' if ledger.peak == 1 else 'were'} inside"


def _places(how: str, entrants: Iterable[Entrant]) -> list[str]:
    counted = Counter(entrant.place for entrant in entrants)
    return [f"{how} {place}" + (f" ({times} times)" if times > 1 else "") for place, times in counted.items()]
