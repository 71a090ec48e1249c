"""One table for the command line and the ini file, read into frozen settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest

PROFILERS = ("cprofile", "line")
PRIORITIES = ("auto", "off", "nice", "realtime")  # as in machine/priority.py, which is not imported before it is needed
START_METHODS = ("auto", "fork", "forkserver", "spawn")  # of worker processes
_QUIET_WAIT = 30.0  # seconds


class Settings(NamedTuple):
    """What was asked for on the command line, in the ini file, or nowhere.

    A named tuple, as it is made in every session: a dataclass takes milliseconds to define.
    """

    margin: float
    max_time: float
    undecided: str
    start_method: str
    priority: str
    quiet_host: float
    full_report: bool
    report_files: tuple[tuple[str, str], ...]
    only: bool
    skip: bool
    disable: bool
    profile: tuple[str, bool] | None = None  # the tool, and whether verdicts that are met are profiled too
    dask_address: str = ""
    columns: tuple[str, ...] = ()
    sort: str = ""
    save: str | None = None
    compare: str | None = None
    compare_fail: tuple[Any, ...] = ()
    storage: str = ".concurrency"


class Option(NamedTuple):
    """A value that both the command line and the ini file can give; nearest wins."""

    name: str
    parse: Callable[[object], Any]
    default: object  # as ``parse`` would return it: a session that says nothing loads no parser
    metavar: str
    help: str
    alone: str | None = None  # what the option means without a value
    repeated: bool = False


def _margin(value: object) -> float:
    from pytest_concurrency.expectations import keywords

    return float(keywords.margin(_number(value)))


def _max_time(value: object) -> float:
    from pytest_concurrency.core.units import parse_duration

    return parse_duration(value)


def _quiet_host(value: object) -> float:
    """Seconds to wait at most; 0 is off."""
    from pytest_concurrency.core.units import parse_duration

    if value == "off":
        return 0.0
    try:
        return _QUIET_WAIT if value == "auto" else parse_duration(value)
    except ValueError:
        raise ValueError('must be auto, off, or the longest wait, such as "2min"') from None


def _number(value: object) -> object:
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


def _profile(value: object) -> tuple[str, bool]:
    tool, colon, when = str(value).partition(":")
    if tool not in PROFILERS or (colon and when != "always"):
        raise ValueError(
            f"must be one of {', '.join(PROFILERS)}, with :always to profile verdicts that are met too. If it is what "
            "to test, put it before --concurrency-profile, or write --concurrency-profile=cprofile"
        )
    if tool == "line":
        from pytest_concurrency.profiling import line_tool

        if why := line_tool.unavailable():
            raise ValueError(why)
    return tool, bool(colon)


def _columns(value: object) -> tuple[str, ...]:
    from pytest_concurrency.reports.columns import parse_columns

    return parse_columns(value)


def _sort(value: object) -> str:
    from pytest_concurrency.reports.columns import parse_sort

    return parse_sort(value)


def _save(value: object) -> str:
    if value == "auto":
        return "auto"
    from pytest_concurrency.runs.store import check_name

    try:
        check_name(str(value))
    except ValueError as error:
        raise ValueError(f"{error}. {_MEANT.format(value, 'save=auto', 'save')}") from None
    return str(value)


def _compare(value: object) -> str:
    if isinstance(value, str) and value.endswith(".py"):
        raise ValueError(f"it is no run. {_MEANT.format(value, 'compare=latest', 'compare')}")
    return str(value)


_MEANT = "If {0!r} is what to test, put it before --concurrency-{2}, or write --concurrency-{1}"


def _limits(value: object) -> tuple[Any, ...]:
    from pytest_concurrency.runs import allowed_loss

    return allowed_loss.parse([value] if isinstance(value, str) else list(value))  # type: ignore[call-overload]


OPTIONS = (
    Option("margin", _margin, 0.25, "PART", "how far below its threshold a loss must be caught for sure [0.25]"),
    Option("max_time", _max_time, 10.0, "TIME", "longest time for one verdict, such as 500ms or 10s [10s]"),
    Option(
        "undecided", _choice("skip", "fail", "pass"), "skip", "OUTCOME", "what an undecided test does: skip, fail, pass"
    ),
    Option(
        "start_method",
        _choice(*START_METHODS),
        "auto",
        "METHOD",
        "how worker processes start: auto, fork, forkserver, spawn [auto]",
    ),
    Option(
        "priority",
        _choice(*PRIORITIES),
        "auto",
        "PRIORITY",
        "priority that tests are measured at, where the process may raise it: auto (real-time, else the lowest nice "
        "value; under xdist nice at most), off, nice, realtime [auto]",
    ),
    Option(
        "quiet_host",
        _quiet_host,
        _QUIET_WAIT,
        "WAIT",
        "whether tests of xdist's workers and of other sessions pause while one measures: auto (waits 30s at most), "
        "off, or the longest wait, such as 2min [auto]",
    ),
    Option(
        "profile",
        _profile,
        None,
        "TOOL[:always]",
        "after a verdict that is not met, show where the time goes: cprofile (without a value too) or line; "
        "cprofile:always and line:always profile every measured test",
        alone="cprofile",
    ),
    Option("dask_address", str, "", "ADDRESS", "scheduler for executor='dask' [a local cluster for each test]"),
    Option(
        "columns",
        _columns,
        (),
        "NAMES",
        "columns of the table that --concurrency-report prints, such as test,figure,cpu",
    ),
    Option("sort", _sort, "", "COLUMN", "column to sort that table by; -COLUMN for the reverse order"),
    Option(
        "save", _save, None, "NAME", "keep this run under a name of its own; without a name, by date and time", "auto"
    ),
    Option(
        "compare",
        _compare,
        None,
        "RUN",
        "compare with a saved run, or a run's file; without a value with the newest that can be compared",
        "latest",
    ),
    Option(
        "compare_fail",
        _limits,
        (),
        "EXPR",
        "fail a test that has surely lost more than that since the run it is compared with: speedup:10%, "
        "efficiency:0.1. May be repeated",
        repeated=True,
    ),
    Option("storage", str, ".concurrency", "PATH", "folder of the saved runs [.concurrency below the rootdir]"),
)
FLAGS = (
    ("only", "run only the tests that measure"),
    ("skip", "leave out the tests that measure"),
    ("disable", "run marked bodies once, as plain tests"),
)


def add_options(parser: pytest.Parser) -> None:
    """Register everything with pytest; parsing waits until the values are wanted."""
    group = parser.getgroup("concurrency", "concurrency performance (pytest-concurrency-perf)")
    group.addoption(
        "--concurrency-report",
        action="append",
        nargs="?",
        const="terminal",
        default=[],
        type=_report,
        metavar="FORMAT:PATH",
        help="print the full table of verdicts; html:PATH, markdown:PATH, json:PATH or jsonl:PATH also writes a file. "
        "May be repeated. Without a value it goes last on the command line",
    )
    parser.addini("concurrency_report", "reports to make in every run", type="linelist", default=[])
    for option in OPTIONS:
        flag = "--concurrency-" + option.name.replace("_", "-")
        more: dict[str, Any] = {"nargs": "?", "const": option.alone} if option.alone else {}
        if option.repeated:
            more["action"] = "append"
        group.addoption(flag, default=None, metavar=option.metavar, help=option.help.replace("%", "%%"), **more)
        parser.addini(f"concurrency_{option.name}", option.help, default=None)
    for name, text in FLAGS:
        group.addoption(f"--concurrency-{name}", action="store_true", default=None, help=text)
        parser.addini(f"concurrency_{name}", text, type="bool", default=False)


def _report(value: str) -> str:
    from pytest_concurrency.reports import formats as known

    kind, colon, path = value.partition(":")
    if value == "terminal" or (kind in known.names() and colon and path):
        return value
    formats = ", ".join(f"{kind}:PATH" for kind in known.names())
    raise argparse.ArgumentTypeError(
        f"{value!r} is not a report: write {formats}, or nothing. If {value!r} is what to test, put it before "
        "--concurrency-report, or write --concurrency-report=terminal"
    )


def _storage(config: pytest.Config, path: str) -> str:
    """Return the absolute path of the folder; what the command line says is relative to where it was typed."""
    import os

    typed = config.getoption("concurrency_storage") is not None
    return os.path.join(config.invocation_params.dir if typed else config.rootpath, os.path.expanduser(path))  # noqa: PTH111


def read(config: pytest.Config) -> Settings:
    """Return the settings; command line before ini file before default.

    :raises ValueError: the message names the option or key, and what would be good.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        given = config.getoption(f"concurrency_{option.name}")
        where = "--concurrency-" + option.name.replace("_", "-")
        if given is None:
            given, where = config.getini(f"concurrency_{option.name}"), f"ini key concurrency_{option.name}"
        # An ini key without a value reads as "" before pytest 8.4 and as None since.
        if given in (None, ""):
            values[option.name] = option.default
            continue
        try:
            values[option.name] = option.parse(given)
        except ValueError as error:
            shown = ",".join(given) if isinstance(given, list) else given  # may be repeated
            raise ValueError(f"{where}={shown}: {error}") from None
    for name, _ in FLAGS:
        flag = config.getoption(f"concurrency_{name}")
        values[name] = bool(config.getini(f"concurrency_{name}") if flag is None else flag)
    values["storage"] = _storage(config, values["storage"])
    if values["compare_fail"] and values["compare"] is None:
        values["compare"] = "latest"
    if values["only"] and values["skip"]:
        raise ValueError("--concurrency-only and --concurrency-skip (or their ini keys) leave nothing to run: give one")
    reports = _reports(config)
    files = []
    for report in dict.fromkeys(reports):
        kind, _, path = report.partition(":")
        if kind != "terminal":
            files.append((kind, path))
    return Settings(full_report=bool(reports), report_files=tuple(files), **values)


def _reports(config: pytest.Config) -> list[str]:
    reports = list(config.getoption("concurrency_report"))
    for line in config.getini("concurrency_report"):
        try:
            reports.append(_report(line))
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"ini key concurrency_report: {error}") from None
    return reports
