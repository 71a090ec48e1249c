"""One table for the command line and the ini file, read into frozen settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest

REPORT_FORMATS = ("json", "jsonl")


class Settings(NamedTuple):
    """What was asked for on the command line, in the ini file, or nowhere.

    A named tuple, as it is made in every session: a dataclass takes milliseconds to define.
    """

    margin: float
    max_time: float
    undecided: str
    start_method: str
    quiet_host: float
    full_report: bool
    report_files: tuple[tuple[str, str], ...]
    only: bool
    skip: bool
    disable: bool


class Option(NamedTuple):
    """A value that both the command line and the ini file can give; nearest wins."""

    name: str
    parse: Callable[[object], Any]
    default: object
    metavar: str
    help: str


def _margin(value: object) -> float:
    from pytest_concurrency.expectations import keywords

    return float(keywords.margin(_number(value)))


def _max_time(value: object) -> float:
    from pytest_concurrency.units import parse_duration

    return parse_duration(value)


def _quiet_host(value: object) -> float:
    """Seconds to wait at most; 0 is off."""
    from pytest_concurrency.units import parse_duration

    if value == "off":
        return 0.0
    try:
        return 30.0 if value == "auto" else parse_duration(value)
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


OPTIONS = (
    Option("margin", _margin, "0.25", "PART", "how far below its threshold a loss must be caught for sure [0.25]"),
    Option("max_time", _max_time, "10s", "TIME", "longest time for one verdict, such as 500ms or 10s [10s]"),
    Option(
        "undecided", _choice("skip", "fail", "pass"), "skip", "OUTCOME", "what an undecided test does: skip, fail, pass"
    ),
    Option(
        "start_method",
        _choice("auto", "fork", "forkserver", "spawn"),
        "auto",
        "METHOD",
        "how worker processes start: auto, fork, forkserver, spawn [auto]",
    ),
    Option(
        "quiet_host",
        _quiet_host,
        "auto",
        "WAIT",
        "whether tests of xdist's workers and of other sessions pause while one measures: auto (waits 30s at most), "
        "off, or the longest wait, such as 2min [auto]",
    ),
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
        help="print the full table of verdicts; with json:PATH or jsonl:PATH also write the records. "
        "May be repeated. Without a value it goes last on the command line",
    )
    parser.addini("concurrency_report", "reports to make in every run", type="linelist", default=[])
    for option in OPTIONS:
        flag = "--concurrency-" + option.name.replace("_", "-")
        group.addoption(flag, default=None, metavar=option.metavar, help=option.help)
        parser.addini(f"concurrency_{option.name}", option.help, default=None)
    for name, text in FLAGS:
        group.addoption(f"--concurrency-{name}", action="store_true", default=None, help=text)
        parser.addini(f"concurrency_{name}", text, type="bool", default=False)


def _report(value: str) -> str:
    kind, colon, path = value.partition(":")
    if value == "terminal" or (kind in REPORT_FORMATS and colon and path):
        return value
    formats = ", ".join(f"{kind}:PATH" for kind in REPORT_FORMATS)
    raise argparse.ArgumentTypeError(
        f"{value!r} is not a report: write {formats}, or nothing. If {value!r} is what to test, put it before "
        "--concurrency-report, or write --concurrency-report=terminal"
    )


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
        given = given if given not in (None, "") else option.default
        try:
            values[option.name] = option.parse(given)
        except ValueError as error:
            raise ValueError(f"{where}={given}: {error}") from None
    for name, _ in FLAGS:
        flag = config.getoption(f"concurrency_{name}")
        values[name] = bool(config.getini(f"concurrency_{name}") if flag is None else flag)
    if values["only"] and values["skip"]:
        raise ValueError("--concurrency-only and --concurrency-skip (or their ini keys) leave nothing to run: give one")
    reports = list(config.getoption("concurrency_report"))
    for line in config.getini("concurrency_report"):
        try:
            reports.append(_report(line))
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"ini key concurrency_report: {error}") from None
    files = []
    for report in dict.fromkeys(reports):
        kind, _, path = report.partition(":")
        if kind != "terminal":
            files.append((kind, path))
    return Settings(full_report=bool(reports), report_files=tuple(files), **values)
