"""cProfile, run twice: with wall-clock time, and with the thread's CPU time."""

from __future__ import annotations

import cProfile
import re
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.profiling.model import Cost
from pytest_concurrency.profiling.stack_sampler import short

_SHOWN = 8
_LEAST = 0.01  # functions with a smaller share of the whole are not shown
_BUILTIN = re.compile(r"<(?:built-in method|method) '?(?P<name>[\w.]+)'?(?: of '(?P<type>[\w.]+)' objects?)?.*>")


class Entry(NamedTuple):
    """A function, or a built-in function with its caller."""

    function: CodeType | str
    caller: CodeType | None = None


class Own(NamedTuple):
    """The number of calls, and the seconds in the function itself."""

    calls: int
    seconds: float


def conflict() -> str | None:
    """Return why cProfile cannot run in this thread now, or None."""
    monitoring = getattr(sys, "monitoring", None)
    active = monitoring.get_tool(monitoring.PROFILER_ID) if monitoring is not None else None
    if active is None and monitoring is None and sys.getprofile() is not None:
        active = "one set by sys.setprofile()"
    return f"another profiler is active ({active}), and Python has room for one" if active else None


def watch(run: Callable[[], Any], computing_only: bool) -> dict[Entry, Own]:
    """Run something under cProfile and return the time of each function without its callees."""
    profile = cProfile.Profile(CLOCKS.thread_cpu) if computing_only else cProfile.Profile()
    profile.enable()
    try:
        run()
    finally:
        profile.disable()
    found: dict[Entry, Own] = {}
    for entry in profile.getstats():
        if isinstance(entry.code, str):
            continue  # listed with its callers
        ours = entry.code.co_filename.startswith(stack_locations.PACKAGE)
        if not ours:
            found[Entry(entry.code)] = Own(entry.callcount, entry.inlinetime)
        for called in entry.calls or ():
            if isinstance(called.code, str) and not called.code.endswith("'_lsprof.Profiler' objects>"):
                found[Entry(called.code, None if ours else entry.code)] = Own(called.callcount, called.inlinetime)
    return found


def costs(wall: dict[Entry, Own], calls: int, cpu: dict[Entry, Own], as_often: int) -> tuple[Cost, ...]:
    """Return the computing and waiting of each function per call of the body, the largest first.

    :param calls: how often the body ran while ``wall`` was measured.
    :param as_often: how often while ``cpu`` was.
    """
    found = []
    for entry, own in wall.items():
        each = own.seconds / calls
        computing = min(cpu[entry].seconds / as_often, each) if entry in cpu else each
        found.append(Cost(_where(entry), own.calls / calls, max(0.0, computing), max(0.0, each - computing)))
    whole = sum(cost.total for cost in found)
    found.sort(key=lambda cost: cost.total, reverse=True)
    return tuple(cost for cost in found[:_SHOWN] if cost.total >= _LEAST * whole)


def authors_code(wall: dict[Entry, Own]) -> list[CodeType]:
    """Return the code objects of the user's own functions that ran."""
    return [
        entry.function
        for entry in wall
        if isinstance(entry.function, CodeType)
        and stack_locations.is_authors(entry.function.co_filename)
        and "site-packages" not in entry.function.co_filename
        and not entry.function.co_filename.startswith("<")
    ]


def _where(entry: Entry) -> str:
    if isinstance(entry.function, CodeType):
        return _place(entry.function)
    name = _name(entry.function)
    return f"{name} in {_place(entry.caller)}" if entry.caller is not None else name


def _place(code: CodeType) -> str:
    name = getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")
    return f"{name} ({short(code.co_filename)}:{code.co_firstlineno})"


def _name(text: str) -> str:
    match = _BUILTIN.fullmatch(text)
    if match is None:
        return text
    name = f"{match['type']}.{match['name']}" if match["type"] else match["name"]
    return name.removeprefix("builtins.")
