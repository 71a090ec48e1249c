"""A function for each option that reads its value; the table of options.py names it.

Each raises a ValueError that says which values are accepted. Loaded only if an option is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROFILERS = ("cprofile", "line", "tachyon", "py-spy")
QUIET_WAIT = 30.0  # seconds; the default in the table of options.py, which does not load this module
START_METHODS = ("auto", "fork", "forkserver", "spawn")  # of worker processes


def margin(value: object) -> float:
    from pytest_concurrency.expectations import keywords

    return float(keywords.margin(_number(value)))


def max_time(value: object) -> float:
    from pytest_concurrency.core.units import parse_duration

    return parse_duration(value)


def quiet_host(value: object) -> float:
    """Return the longest wait in seconds; 0 is off."""
    from pytest_concurrency.core.units import parse_duration

    if value == "off":
        return 0.0
    try:
        return QUIET_WAIT if value == "auto" else parse_duration(value)
    except ValueError:
        raise ValueError('must be auto, off, or the longest wait, such as "2min"') from None


def max_block(value: object) -> float:
    """Return seconds; 0 is off."""
    from pytest_concurrency.core.units import SHORTEST_BLOCK, UNSEEN_BLOCK
    from pytest_concurrency.expectations import keywords

    if value == "off":
        return 0.0
    if (seconds := keywords.short_time(value)) < SHORTEST_BLOCK:
        raise ValueError(f"{UNSEEN_BLOCK}, or off")
    return seconds


def _number(value: object) -> object:
    if isinstance(value, bool):  # in a TOML file
        return value
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value


def _choice(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return parse


def profile(value: object) -> tuple[str, str, bool]:
    """Return the tool, which samples of a sampling one count, and whether verdicts that are met are profiled too."""
    from pytest_concurrency.profiling import samplers

    tool, *words = str(value).split(":")
    always = words[-1:] == ["always"]
    modes = words[:-1] if always else words
    may_have_mode = tool in samplers.SAMPLERS and len(modes) == 1 and modes[0] in samplers.MODES
    if tool not in PROFILERS or (modes and not may_have_mode):
        raise ValueError(
            f"must be one of {', '.join(PROFILERS)}, with :always to profile verdicts that are met too. tachyon and "
            f"py-spy may have a mode before that: {', '.join(samplers.MODES)}, as in tachyon:gil. If it is what "
            "to test, put it before --concurrency-profile, or write --concurrency-profile=cprofile"
        )
    if tool == "py-spy" and samplers.py_spy() is None:
        raise ValueError("py-spy is not installed: pip install py-spy, or use cprofile")
    if tool == "line":
        from pytest_concurrency.profiling import line_tool

        if why := line_tool.unavailable():
            raise ValueError(why)
    return tool, modes[0] if modes else "wall", always


def columns(value: object) -> tuple[str, ...]:
    from pytest_concurrency.reports.columns import parse_columns

    return parse_columns(value)


def sort(value: object) -> str:
    from pytest_concurrency.reports.columns import parse_sort

    return parse_sort(value)


def save(value: object) -> str:
    if value == "auto":
        return "auto"
    if _is_what_to_test(value):
        raise ValueError(f"it is not a name for a run. {_MEANT.format(value, 'save=auto', 'save')}")
    from pytest_concurrency.runs.store import check_name

    try:
        check_name(str(value))
    except ValueError as error:
        raise ValueError(f"{error}. {_MEANT.format(value, 'save=auto', 'save')}") from None
    return str(value)


def compare(value: object) -> str:
    if _is_what_to_test(value):
        raise ValueError(f"it is not a run. {_MEANT.format(value, 'compare=latest', 'compare')}")
    return str(value)


def anchor(value: object) -> str:
    if value == "latest":
        raise ValueError("the newest run is what --concurrency-compare takes: name one that stays, such as v1.0")
    return str(value)


def _is_what_to_test(value: object) -> bool:
    """Whether the value of an option that may have none is probably the test to run: a file, or an existing folder.

    With ``--concurrency-save=tests``, it is meant as a name.
    """
    if not isinstance(value, str):
        return False
    return value.endswith(".py") or ".py::" in value or (value in sys.argv and Path(value).is_dir())


_MEANT = "If {0!r} is what to test, put it before --concurrency-{2}, or write --concurrency-{1}"


def undecided(value: object) -> str:
    from pytest_concurrency.expectations import keywords

    return _choice(*keywords.UNDECIDED)(value)


def leftovers(value: object) -> str:
    from pytest_concurrency.expectations import keywords

    return _choice(*keywords.LEFTOVERS)(value)


def compare_fail(value: object) -> tuple[Any, ...]:
    from pytest_concurrency.runs import allowed_loss

    return allowed_loss.parse([str(one) for one in (value if isinstance(value, list) else [value])])


def report(value: str) -> str:
    from pytest_concurrency.reports import formats as known

    kind, colon, path = value.partition(":")
    if value == "terminal" or (kind in known.names() and colon and path):
        return value
    formats = ", ".join(f"{kind}:PATH" for kind in known.names())
    raise argparse.ArgumentTypeError(
        f"{value!r} is not a report: write {formats}, or nothing. If {value!r} is what to test, put it before "
        "--concurrency-report, or write --concurrency-report=terminal"
    )


def priority(value: object) -> str:
    from pytest_concurrency.machine.priority import CHOICES

    return _choice(*CHOICES)(value)


save_on: Callable[[object], str] = _choice("always", "pass")
start_method: Callable[[object], str] = _choice(*START_METHODS)
dask_address = storage = str
