"""The messages about workers that are lost or hang, and about what workers cannot receive."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.outcomes import Finding
from pytest_concurrency.core.text import shortened
from pytest_concurrency.core.units import duration
from pytest_concurrency.verdicts import message
from pytest_concurrency.verdicts.causes import Cause

LOST = "lost-workers"
HUNG = "hung-workers"
NOT_PICKLABLE = "not-picklable"
FINISHED = "finished"  # the place of a worker that has answered
_MOST = 8  # places in a message
_LONGEST = 300  # characters of an error in a message, which may contain the repr of a value

FORKED = Cause(
    HUNG,
    "this pool forks its workers from the test process. Threads of that are missing in them: what the body gives to a "
    "pool of threads that was used before is never done, and a lock that such a thread held stays locked.",
    "make the executor with mp_context=multiprocessing.get_context('forkserver').",
)
TIME_STANDS_STILL = Cause(
    HUNG,
    "time.monotonic() stands still here, and with it the timers of asyncio.",
    "if freezegun has frozen the time, write freeze_time(..., real_asyncio=True).",
)
LOOP_OF_THE_TEST = Cause(
    HUNG,
    "the test's own event loop stands still while the concurrency fixture measures.",
    "if the body waits for something on that loop, make it inside the measured function, or mark a test with "
    "expect_speedup, whose body runs on the test's own loop.",
)


def lost(headline: str, cause: str | BaseException = "", place: str = "", try_next: str = "", note: str = "") -> str:
    """Return the message about a worker that died, could not start, or sent something that is not an answer.

    :param cause: why, if that is known: a clause, or an exception.
    :param place: the line of code that the worker was running; empty if that is unknown.
    :param note: how the workers were started.
    """
    finding = Finding(
        kind=LOST,
        headline=headline,
        cause=message.sentence_end(
            shortened(described(cause) if isinstance(cause, BaseException) else cause, _LONGEST)
        ),
        place=place,
        try_next=try_next,
        certainty=_started(note),
    )
    return message.render(finding)


def described(error: BaseException) -> str:
    """``RuntimeError: can't start new thread``; the name alone if the exception has no text."""
    name, text = type(error).__name__, str(error)
    return f"{name}: {text}" if text else name


def hung(
    backend: str, workers: int, deadline: float, places: Sequence[str], cause: Cause | None = None, note: str = ""
) -> str:
    """Return the message about workers that did not answer within ``deadline`` seconds.

    :param places: where each worker is; ``finished`` if it has answered.
    :param cause: why they hang, if that is known.
    :param note: what becomes of them.
    """
    missing = sum(place != FINISHED for place in places)
    if cause is None:
        cause = _guess(missing, workers)
    finding = Finding(
        kind=cause.kind,
        headline=f"{backend}: {_who(missing, workers)} {duration(deadline)}.",
        cause=cause.why,
        place="\n".join(_by_place(places)),
        try_next=cause.try_next,
        certainty=note,
    )
    return message.render(finding)


def hung_callable(name: str, deadline: float, place: str) -> str:
    """Return the message about one of two callables that did not end within ``deadline`` seconds.

    :param name: names it: ``the candidate``.
    :param place: where the event loop is, which may be in the code that runs it.
    """
    cause = _guess(1, 1)
    finding = Finding(
        kind=cause.kind,
        headline=f"{name} had not ended after {duration(deadline)}.",
        cause=cause.why,
        place=f"the event loop is at {place}",
        try_next="find out what the callable waits for. If a call needs longer, raise max_time.",
    )
    return message.render(finding)


def _who(missing: int, workers: int) -> str:
    if workers == 1:
        return "the worker did not answer within"
    if missing == 0:  # the last one finished just after the limit
        return f"not all of the {workers} workers answered within"
    if missing == workers:
        return f"none of the {workers} workers answered within"
    return f"{missing} of {workers} workers did not answer within"


def _guess(missing: int, workers: int) -> Cause:
    if missing == workers > 1:
        why = "they may wait for each other (a deadlock) or for something that never comes, or compute without an end."
    elif workers > 1:
        why = "what they wait for may come only once, to another worker: a lock, an item of a queue, an event."
    else:
        why = "it may wait for something that never comes, or compute without an end."
    return Cause(
        HUNG, why, "look for a lock, a queue or an event at these lines. If a call needs longer, raise max_time."
    )


def _by_place(places: Sequence[str]) -> list[str]:
    """``workers 1, 3: test_shop.py:10 in fetch``: workers at the same place together, and finished ones last."""
    at: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        at.setdefault(place, []).append(index + 1)
    shown = sorted(at.items(), key=lambda each: each[0] == FINISHED)
    lines = [f"worker{'s' if len(who) > 1 else ''} {_numbers(who)}: {place}" for place, who in shown]
    left_out = len(lines) - _MOST
    return lines if left_out <= 1 else [*lines[:_MOST], f"... and {left_out} more lines of code"]


def _numbers(numbers: Sequence[int]) -> str:
    """``1 to 3, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)


def not_picklable(what: str, receiver: str, reason: str, place: str, peer: str, by_fork: bool) -> str:
    """Return the message about a body, or a value that it uses, which cannot be sent to a worker.

    :param what: names it: ``fixture 'connection' (a Lock)``.
    :param receiver: the kind of worker: ``a worker process``.
    :param reason: why it cannot be pickled.
    :param place: where the body is; empty if that is unknown.
    :param peer: address of the open connection that the value contains; empty if there is none.
    :param by_fork: whether the workers could be forked instead, and would need nothing to be sent.
    """
    short = shortened(reason, _LONGEST)
    if peer:
        # Forked workers would share the connection, so fork does not help.
        why, try_next = f"it has an open connection to {peer}: {short}", "open one in the body, or once in each worker."
    else:
        why = f"it cannot be pickled: {short}"
        try_next = "make the value inside the body, or pass something that can be pickled (a path, a URL)."
        if by_fork:
            try_next = f"{try_next[:-1]}; or use --concurrency-start-method=fork where the platform has it."
    finding = Finding(
        kind=NOT_PICKLABLE,
        headline=f"{what} cannot be sent to {receiver}.",
        cause=message.sentence_end(why),
        place=place,
        try_next=try_next,
    )
    return message.render(finding)


def not_loaded(who: str, label: str, traceback: str, place: str, note: str = "") -> str:
    """Return the message about a worker that could not load the body.

    :param who: names the worker: ``worker process 1``.
    :param traceback: of the error in the worker.
    :param place: where the body is; empty if that is unknown.
    :param note: how the workers were started.
    """
    lines = traceback.strip().splitlines()
    finding = Finding(
        kind=NOT_PICKLABLE,
        headline=f"{who} could not load {label}.",
        cause=message.sentence_end(shortened(lines[-1] if lines else "unknown", _LONGEST)),
        place=place,
        try_next="let the modules that the body needs be imported without an error in a new interpreter.",
        certainty=_started(note),
    )
    return message.render(finding, f"In the worker:\n{traceback.rstrip()}")


def _started(note: str) -> str:
    return f"Workers: {note}." if note else ""
