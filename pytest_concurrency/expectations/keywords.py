"""Parsers of marker keywords. The error of a bad value says which values are accepted."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.units import parse_duration
from pytest_concurrency.expectations import MARKERS

__tracebackhide__ = True  # pytest shows a failure at the line of the test

Parser = Callable[[object], Any]

MOST_WORKERS = {"threads": 512, "processes": 64, "tasks": 10_000, "interpreters": 64, "workers": 512}
# Keywords whose value None is the same as leaving them out. With a default, None would silently stand for that.
OPTIONAL = ("at_least", "at_most", "gil", "sustained", "executor", "setup", *MOST_WORKERS)
_ALIKE = {"timeout": "max_time", "repeat": "max_time"}  # what people write who know other tools
UNDECIDED = ("skip", "fail", "pass", "retry")
LEFTOVERS = ("tell", "fail")


class Auto(int):
    """A worker count that was chosen for the machine, not by the author."""


def workers(backend: str, least: int = 1) -> Parser:
    """Accept a number of workers, or ``"auto"`` for the usable CPUs, but at least ``least``."""

    def parse(value: object) -> int:
        if value == "auto":
            from pytest_concurrency.machine.cpus import auto_workers

            return Auto(max(least, auto_workers()))
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError('must be a whole number of workers or "auto"' + _unquoted(value))
        if not 1 <= value <= MOST_WORKERS[backend]:
            raise ValueError(f"must be between 1 and {MOST_WORKERS[backend]} workers")
        return value

    return parse


def positive(value: object) -> float:
    """Accept a finite number above 0."""
    return _between(value, 0, math.inf, "must be a number above 0")


def _between(value: object, above: float, most: float, rule: str) -> float:
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            number = float(value)
    if not (math.isfinite(number) and above < number <= most):
        raise ValueError(rule + _unquoted(value))
    return number


def _unquoted(value: object) -> str:
    """Return what is wrong with a number in quotes, and nothing for any other value."""
    return ", without quotes" if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else ""


def part(value: object) -> float:
    """Accept a share between 0 and 1."""
    return _between(value, 0, 1, "must be a share above 0 and at most 1 (0.5 stands for 50%)")


def margin(value: object) -> float:
    """Accept a margin: the width of the indifference zone next to the threshold, as a fraction of it."""
    return _between(value, math.nextafter(0.05, 0), 2, "must be between 0.05 and 2 (0.25 stands for 25%)")


def time(value: object) -> float:
    """Accept a duration."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError("must be a duration" + str(error).rpartition(" is not a duration")[2]) from None


def short_time(value: object) -> float:
    """Accept a duration that is usually some milliseconds; numbers of 1 or more need a unit.

    The author of ``max_hold=5`` probably means 5 ms, and it would allow 5 s.
    """
    seconds = time(value)
    bare = not isinstance(value, str) or value.strip()[-1:].isdigit() or value.strip().endswith(".")
    if bare and seconds >= 1:
        raise ValueError(f"needs a unit: a bare number is seconds. Write '{value}ms', or '{value}s' if that is meant")
    return seconds


def flag(value: object) -> bool:
    """Accept True or False."""
    if not isinstance(value, bool):
        raise ValueError("must be True or False")
    return value


def one_of(*choices: str) -> Parser:
    """Accept one of these words."""

    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(repr(choice) for choice in choices))
        return str(value)

    return parse


def prepare(value: object) -> Callable[[], Any]:
    """Accept a function without parameters that returns new input."""
    if not callable(value) or callables.is_async(value) or not callables.takes_nothing(value):
        raise ValueError("must be a plain function that is called without arguments and returns new input")
    return value


COMMON: Mapping[str, Parser] = {
    "margin": margin,
    "max_time": time,
    "undecided": one_of(*UNDECIDED),
    "leftovers": one_of(*LEFTOVERS),
    "setup": prepare,
}


def read(
    name: str,
    positional: tuple[object, ...],
    given: Mapping[str, object],
    known: Mapping[str, Parser],
    calls: bool = False,
    unlisted: Collection[str] = (),
) -> dict[str, Any]:
    """Return the parsed keywords of a marker or fixture call; None for one of ``OPTIONAL`` counts as not given.

    :param calls: whether a function is given that will be called, and may have keywords of its own.
    :param unlisted: keywords that messages leave out.
    :raises BadArgument: names the keyword, what is wrong with it and which ones there are.
    """
    table = {**known, **COMMON}
    listed = [keyword for keyword in table if keyword not in unlisted]
    if positional:
        shown = ", ".join(repr(value) for value in positional)
        example = f" Write, for example, {MARKERS[name].example}." if name in MARKERS else ""
        raise BadArgument(f"{name} takes keywords only, not {shown}.{example} Its keywords: {', '.join(listed)}.")
    values = {}
    for keyword, value in given.items():
        if keyword not in table:
            near = [_ALIKE[keyword]] if keyword in _ALIKE else difflib.get_close_matches(keyword, listed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            if calls and not near:
                hint = f" If it is the function's own: functools.partial(function, {keyword}=...)."
            raise BadArgument(f"{name} has no keyword {keyword!r}.{hint} Its keywords: {', '.join(listed)}.")
        if value is None and keyword in OPTIONAL:
            continue
        try:
            values[keyword] = table[keyword](value)
        except ValueError as error:
            raise BadArgument(f"{name}({keyword}={value!r}): {keyword} {error}.") from None
    return values
