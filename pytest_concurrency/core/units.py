"""The only parser and formatter of durations, ratios and shares."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable

_DURATION = re.compile(r"\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>ns|us|µs|ms|s|min|h)\s*")
SHORTEST_BLOCK = 0.005  # seconds; a shorter block of an event loop may end between two beats and be missed
UNSEEN_BLOCK = "blocks shorter than 5 ms cannot be seen: write 5ms or more"
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_duration(value: object) -> float:
    """Return a duration in seconds from a number of seconds or from text such as ``"50ms"``.

    :raises ValueError: if it is not a positive, finite duration. The message says what is.
    """
    seconds = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            seconds = float(value)
    elif isinstance(value, str):
        if match := _DURATION.fullmatch(value):
            seconds = float(match["number"]) * _SECONDS[match["unit"]]
        else:
            try:
                seconds = float(value)
            except ValueError:
                seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f'{value!r} is not a duration: write seconds (0.05) or text ("50ms", "10s", "2min")')
    return seconds


def duration(seconds: float) -> str:
    """Three significant digits and the unit that reads best: ``1.25 ms``, ``10 s``."""
    size = abs(seconds)
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if size >= scale * 0.9995:
            return f"{_whole(_digits(seconds / scale))} {unit}"
    return "0 s" if size < 0.5e-9 else f"{_whole(_digits(seconds / 1e-9))} ns"


def ratio(value: float) -> str:
    """A speedup: ``3.97x``."""
    return f"{_digits(value)}x"


def share(value: float) -> str:
    """A part of a whole: ``97%``."""
    text = f"{value * 100:.0f}"
    return f"{'0' if text == '-0' else text}%"


def formatter(unit: str) -> Callable[[float], str]:
    """Return what writes figures of a unit: ``ratio``, ``share`` or ``seconds``."""
    return {"ratio": ratio, "share": share, "seconds": duration}[unit]


def interval(low: float, high: float, unit: str, between: str = ", ") -> str:
    """``[3.91, 4.02]``, to stand after a figure that has the unit. Durations keep theirs."""
    say = formatter(unit)
    ends = [say(end) if unit == "seconds" else say(end).rstrip("x%") for end in (low, high)]
    return f"[{between.join(ends)}]"


def figure(value: float, low: float, high: float, unit: str) -> str:
    """A figure in a table, with its interval: ``3.97x [3.91, 4.02]``."""
    return f"{formatter(unit)(value)} {interval(low, high, unit)}"


def within(low: float, high: float, unit: str) -> str:
    """``0.80x to 1.12x``: an interval in a sentence, with the unit at both ends."""
    say = formatter(unit)
    return f"{say(low)} to {say(high)}"


def number(value: float) -> str:
    """A threshold as its author wrote it: ``3``, ``2.5``."""
    return f"{value:g}"


def spelled(value: object) -> str:
    """A value as its author wrote it, as far as that can be known: ``'10ms'``, ``4``, ``make_input``."""
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return name
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


# One worker of each backend that has a word for it.
ONE = {"threads": "thread", "processes": "process", "tasks": "task", "interpreters": "interpreter"}


def count(amount: int, noun: str, plural: str = "") -> str:
    """``1 round``, ``2 rounds``."""
    return f"{amount} {noun if amount == 1 else plural or noun + 's'}"


def _whole(digits: str) -> str:
    """``10.0`` as ``10``: zeros after the point say nothing of a duration."""
    return digits.partition(".")[0] if not digits.partition(".")[2].strip("0") else digits


def _digits(value: float) -> str:
    size = abs(value)
    return f"{value:.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"
