"""What the measured code has left running, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_concurrency.core.errors import ExpectationNotMet
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.outcomes import Finding
from pytest_concurrency.core.text import wrap
from pytest_concurrency.core.units import count
from pytest_concurrency.verdicts import message

KIND = "leftovers"  # the section of the documentation about them
_ENDINGS = {"thread": "join() its threads", "process": "wait() for its processes", "task": "await its tasks"}
_MOST = 12  # that a message lists


def summary_of(leftovers: Iterable[Leftover]) -> str:
    """``337 threads and 1 process``."""
    totals: dict[str, int] = {}
    for leftover in leftovers:
        totals[leftover.kind] = totals.get(leftover.kind, 0) + leftover.count
    *first, last = [count(total, kind, _plural(kind)) for kind, total in totals.items()]
    return f"{', '.join(first)} and {last}" if first else last


def _plural(kind: str) -> str:
    return "processes" if kind == "process" else f"{kind}s"


def described(leftover: Leftover) -> str:
    """``337 threads such as Thread-5 (poll), in a worker process``."""
    who = f"{leftover.kind} {leftover.what}"
    if leftover.count > 1:
        who = f"{count(leftover.count, leftover.kind, _plural(leftover.kind))} such as {leftover.what}"
    return f"{who}, in {leftover.inside}" if leftover.inside else who


def latest(outcomes: Iterable[Sequence[Leftover]]) -> tuple[Leftover, ...]:
    """Return what several verdicts about the same code have found: of those that are alike, the largest count."""
    found: dict[object, Leftover] = {}
    for leftover in (each for leftovers in outcomes for each in leftovers):
        known = found.get(leftover.alike)
        if known is None or known.count < leftover.count:
            found[leftover.alike] = leftover
    return tuple(found.values())


def headline_of(leftovers: Sequence[Leftover]) -> str:
    """One sentence: what was left running, and what is required."""
    return f'the measured code left {summary_of(leftovers)} running; required: nothing (leftovers="fail").'


def message_of(leftovers: Sequence[Leftover]) -> str:
    """Return the message of a test that fails for them: each with the line that has started it."""
    lines = []
    for leftover in leftovers[:_MOST]:
        lines.append(wrap(described(leftover), "  "))
        if leftover.made_at:
            lines.append(wrap(f"started at {leftover.made_at}", "    "))
    if len(leftovers) > _MOST:
        lines.append(f"  ... and {len(leftovers) - _MOST} more")
    endings = [ending for kind, ending in _ENDINGS.items() if any(each.kind == kind for each in leftovers)]
    ended = " and ".join(endings) or "end what it starts"
    try_next = f"{ended} before the code returns, or start them once, in a fixture."
    finding = Finding(KIND, headline_of(leftovers), try_next=try_next)
    return message.render(finding, "\n".join(lines))


def failure_of(leftovers: Sequence[Leftover]) -> ExpectationNotMet:
    """Return the error of a test whose measured code has left something running."""
    failure = ExpectationNotMet(message_of(leftovers))
    failure.summary = headline_of(leftovers)
    return failure
