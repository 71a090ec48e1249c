"""Why an expectation is not met and what to try, from the bound type."""

from __future__ import annotations

import math
from typing import NamedTuple

from pytest_concurrency.core.outcomes import Bound
from pytest_concurrency.core.units import count, duration, number, ratio, share
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.verdicts import advice

_MORE = 1.5  # how much more speedup the computing must leave room for, so that it is not what keeps the speedup low
_UNLOCK = "remove or narrow the lock, or use a larger connection pool."
_UNLOCK_TASKS = "remove the lock, semaphore or pool limit, or move a blocking call with asyncio.to_thread()."
_NOT_IN_WAVES = 0.15  # waves by which a figure may differ from a whole number of them
_ONE_AT_A_TIME = 1.3  # at a larger speedup, "only one worker at a time gets through" would be false


class Cause(NamedTuple):
    """``kind`` is one of ``addresses.KINDS``, which names the section of the documentation about it."""

    kind: str
    why: str
    try_next: str


TOO_FAST = Cause(
    "above-at-most",
    "it runs more in parallel than the test allows.",
    "raise at_most if that is intended, or look for the lock that is missing.",
)
FASTER = TOO_FAST._replace(
    why="the second function is faster than the test allows.", try_next="raise the threshold if that is intended."
)
SLOWER = Cause(
    "compare",
    "the first function is the faster one.",
    "look for what else the second one does: starting threads, sending data.",
)
SWAPPED = SLOWER._replace(
    try_next=f"if the slow one was meant to come first, swap them: compare(slow, fast). Otherwise, {SLOWER.try_next}"
)
GIL_HELD = Cause(
    "gil-not-released",
    "the computing holds the GIL.",
    "use a library that releases the GIL while it computes, or use processes.",
)
GIL_RELEASED = Cause(
    "gil-not-held",
    "the computing releases the GIL.",
    'expect gil="released" instead: threads can compute in parallel.',
)


def _let_through(setup: WorkerSetup, speedup: float | None, otherwise: str) -> str:
    """Return how many workers at a time get through what they wait for, if the speedup shows it.

    Calls of one length go through a limit in waves, so that 4 calls take two with a limit of 2 as well as of 3.
    """
    who, workers = setup.who(), setup.group_size
    if speedup is not None and speedup < _ONE_AT_A_TIME:
        return f"only one of {who} at a time gets through."
    if speedup is None or round(speedup) < 2:
        return otherwise
    waves = round(workers / speedup)
    if waves < 2 or abs(workers / speedup - waves) > _NOT_IN_WAVES:
        return f"only about {round(speedup)} of {who} at a time get through."
    least, most = math.ceil(workers / waves), (workers - 1) // (waves - 1)
    if least == most:
        return f"only {least} of {who} at a time get through."
    return f"{who} gain only {ratio(speedup)}, as with a limit of {least} {'or' if most == least + 1 else 'to'} {most}."


def _computing(bound: Bound) -> str:
    """Return how a cause begins that is about computing."""
    return f"{_KINDS[bound.kind]}. The code computes {share(bound.cpu_share)} of its time"


def of_speedup(
    bound: Bound,
    setup: WorkerSetup,
    one_interpreter: bool = True,
    speedup: float | None = None,
    helped: bool = False,
) -> Cause:
    """Return why several workers are not faster.

    :param one_interpreter: whether the workers share one.
    :param helped: whether other threads or processes compute for them.
    """
    waits, computes, who = share(bound.wait_share), share(bound.cpu_share), setup.who()
    if setup.own_code and bound.kind == "io":
        return Cause(
            "compare",
            f"I/O-bound. The first function waits {waits} of its time, and the second does not overlap these waits.",
            "look in the second one for a lock, a small pool, or serial work. If it does nothing at the same time yet: "
            f"{advice.work_and_tool(bound)[1]}.",
        )
    if setup.own_code:
        _, tool = advice.work_and_tool(bound)
        return Cause(
            "compare",
            f"{_KINDS[bound.kind]}. The first function computes {computes} of its time. To speed it up: {tool}.",
            "if the second function uses that already, look for a lock, a small pool, or serial work in it.",
        )
    separate = f"the waits of {who} do not overlap."
    if bound.kind == "serialized":
        why = f"serialized. The code waits {waits} of its time, and {_let_through(setup, speedup, separate)}"
        return Cause("serialized", why, _UNLOCK_TASKS if setup.one_thread else _UNLOCK)
    if bound.kind == "io":
        return Cause(
            "partial-overlap",
            f"partial overlap. The code waits {waits} of its time, and "
            + _let_through(setup, speedup, "the waits overlap only in part."),
            "narrow the lock, or raise the limit that it waits for: pool size, server workers, rate limit.",
        )
    kind, work = _KINDS[bound.kind], _computing(bound)
    # If all computing were done one after the other, there would be more speedup: so the waits are, too.
    in_turn = advice.ceiling(setup.group_size, bound.cpu_share, 1.0)
    if speedup is not None and speedup < min(_ONE_AT_A_TIME, in_turn / _MORE):
        return Cause(
            "serialized",
            f"{kind}. The code computes only {computes} of its time, and {_let_through(setup, speedup, separate)}",
            _UNLOCK_TASKS if setup.one_thread else _UNLOCK,
        )
    if setup.one_thread and helped:  # with asyncio.to_thread(), say, which a probe of the loop's thread does not see
        return Cause(
            "contention",
            f"{work}, in other threads or processes, and these slow each other down.",
            "use processes if the computing holds the GIL; otherwise look for a lock around it, or memory bandwidth.",
        )
    if setup.one_thread:
        return Cause(
            "one-event-loop",
            f"{work}, and an event loop runs all tasks in one thread.",
            "use processes, or asyncio.to_thread() for computing that releases the GIL.",
        )
    if one_interpreter and bound.gil == "briefly_released":
        return Cause(
            "gil",
            f"{work} and releases the GIL only for microseconds.",
            "use processes, or do more in each call (executemany, fewer and larger pieces).",
        )
    if one_interpreter and bound.gil == "held":
        return Cause(
            "gil",
            f"{work} and holds the global interpreter lock (GIL), so only one thread at a time computes.",
            "use processes, a library that releases the GIL while it computes, or a free-threaded build of Python.",
        )
    look_for = (
        "a lock around the computing, objects that all threads write to, or memory bandwidth."
        if one_interpreter
        else "a lock or file that the workers share, memory bandwidth, or a pool that is too small."
    )
    return Cause(
        "contention",
        f"{work}, and the workers slow each other down.",
        f"look for {look_for}",
    )


def of_unequal_calls(calls: int, longest: float, mean: float) -> Cause:
    """Return why concurrent calls that do not wait for each other give little speedup: the longest takes its time.

    :param longest: seconds of the longest of so many concurrent calls, and ``mean`` that of all.
    """
    return Cause(
        "unequal-calls",
        f"unequal calls. The longest of {calls} calls at once took {duration(longest)}, the mean {duration(mean)}, and "
        "each took no longer than alone.",
        "give each worker the same amount of work, or require less.",
    )


def of_few_cpus(bound: Bound, who: str, cpus: float) -> Cause:
    """Return why workers that outnumber the CPUs are not faster."""
    return Cause(
        "few-cpus",
        f"{_computing(bound)}, and {who} share {number(cpus)} CPUs.",
        "run it on a machine with more CPUs, or require what these can give.",
    )


def of_pinned_workers(bound: Bound, who: str, cpus: int) -> Cause:
    """Return why workers do not compute at the same time that may run on some of the CPUs only."""
    return Cause(
        "few-cpus",
        f"{_computing(bound)}, and {who} may run on only {count(cpus, 'CPU')}: something has pinned them.",
        "look for os.sched_setaffinity, or a library that sets it when it is imported (OpenMP, BLAS).",
    )


def of_share(kind: str, bound: Bound) -> Cause:
    """Return why a body waits, or computes, too little.

    :param kind: of the claim: "wait" or "cpu".
    """
    if kind == "wait":
        return Cause(
            "not-waiting",
            f"{_computing(bound)}.",
            "if it is meant to compute, use expect_cpu_bound or lower min_wait; otherwise, --concurrency-profile=line "
            "shows the lines that compute.",
        )
    return Cause(
        "not-computing",
        f"{_KINDS[bound.kind]}. The code waits {share(bound.wait_share)} of its time.",
        "if it is meant to wait, use expect_io_bound or lower min_cpu; otherwise, --concurrency-profile=line shows "
        "the lines that wait.",
    )


def of_longest(kind: str, by_another: bool = False) -> Cause:
    """Return why the GIL is held, or a loop is blocked, for long.

    :param by_another: whether a thread that the body uses does it.
    """
    if by_another:
        return Cause(
            "blocked-event-loop",
            "the loop had nothing to run: another thread that the code uses holds the GIL without a break.",
            "move the call into a process, or use a library that releases the GIL; asyncio.to_thread() does not help.",
        )
    if kind == "block":
        return Cause(
            "blocked-event-loop",
            "a call in the async code waits or computes without an await.",
            "await an asynchronous version of it, or move it into asyncio.to_thread(). Move computing into a process.",
        )
    return Cause(
        "long-gil-hold",
        "one stretch of code holds the GIL, and all other Python threads wait for it.",
        "in an extension, release the GIL around the work; move pure Python computing into a process.",
    )


_KINDS = {"io": "I/O-bound", "cpu": "CPU-bound", "mixed": "mixed", "serialized": "serialized"}
