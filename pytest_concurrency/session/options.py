"""The options of the command line and the ini file, in one table, and the settings that are read from them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

ALLOW_BLOCKING = "concurrency_allow_blocking(reason): let a test block its event loop under --concurrency-max-block"
_QUIET_WAIT = 30.0  # seconds


class Settings:
    """The values from the command line, the ini file, or the defaults; they cannot be changed.

    A plain class, because every session defines it: a named tuple with this many fields takes half a millisecond, a
    dataclass takes longer.
    """

    margin: float
    max_time: float
    undecided: str
    leftovers: str
    start_method: str
    priority: str
    quiet_host: float
    full_report: bool
    report_files: tuple[tuple[str, str], ...]
    compare_require: bool
    only: bool
    skip: bool
    disable: bool
    profile: tuple[str, str, bool] | None = None  # the tool, its mode, and whether met verdicts are profiled too
    dask_address: str = ""
    columns: tuple[str, ...] = ()
    sort: str = ""
    save: str | None = None
    save_on: str = "always"
    compare: str | None = None
    anchor: str | None = None
    compare_fail: tuple[Any, ...] = ()
    storage: str = ".concurrency"
    max_block: float = 0.0  # seconds; 0 is off
    max_block_warn: bool = False
    survey: bool = False

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings cannot be changed after they are read: {name}")


class Option:
    """A value that the command line and the ini file can give; the command line wins.

    The function of the same name in option_values.py reads it. ``default`` is what that function would return, so a
    session that gives no option does not load the module. ``alone`` is the value of an option without one.
    """

    def __init__(
        self,
        name: str,
        default: object,
        metavar: str,
        help: str,  # noqa: A002  # as argparse calls it
        alone: str | None = None,
        repeated: bool = False,
    ) -> None:
        self.name: str = name
        self.default: object = default
        self.metavar: str = metavar
        self.help: str = help
        self.alone: str | None = alone
        self.repeated: bool = repeated


OPTIONS = (
    Option(
        "margin",
        0.25,
        "FRACTION",
        "indifference zone next to a threshold: with at_least=3 and 0.25, 3x passes and less than 2.4x fails [0.25]",
    ),
    Option("max_time", 10.0, "TIME", "longest time for one verdict, such as 500ms or 10s [10s]"),
    Option(
        "undecided",
        "skip",
        "OUTCOME",
        "what an undecided test does: skip, fail, pass, or retry (measured again at the end of the session) [skip]",
    ),
    Option(
        "leftovers",
        "tell",
        "ACTION",
        "what happens if measured code leaves threads, processes or tasks running: tell (the report lists them), fail",
    ),
    Option(
        "start_method",
        "auto",
        "METHOD",
        "how worker processes start: auto, fork, forkserver, spawn [auto]",
    ),
    Option(
        "priority",
        "auto",
        "PRIORITY",
        "priority that tests are measured at, where the process may raise it: auto (real-time, else the lowest nice "
        "value; under xdist nice at most), off, nice, realtime [auto]",
    ),
    Option(
        "quiet_host",
        _QUIET_WAIT,
        "WAIT",
        "whether tests of xdist's workers and of other sessions pause while one measures: auto (waits 30s at most), "
        "off, or the longest wait, such as 2min [auto]",
    ),
    Option(
        "profile",
        None,
        "TOOL[:MODE][:always]",
        "after a verdict that is not met, show where the time goes: cprofile (without a value too), line, or tachyon, "
        "which looks into the workers themselves (Python 3.15; before that py-spy); tachyon:cpu and tachyon:gil "
        "restrict it; :always profiles every measured test",
        alone="cprofile",
    ),
    Option(
        "max_block",
        0.0,
        "TIME",
        "fail each async test that blocks its event loop for longer than that in its ordinary run, such "
        "as 50ms; off [off]",
    ),
    Option("dask_address", "", "ADDRESS", "scheduler for executor='dask' [a local cluster for each test]"),
    Option(
        "columns",
        (),
        "NAMES",
        "columns of the table that --concurrency-report prints, such as test,figure,cpu",
    ),
    Option("sort", "", "COLUMN", "column to sort that table by; -COLUMN for the reverse order"),
    Option("save", None, "NAME", "save this run under a name [date and time]", "auto"),
    Option(
        "save_on",
        "always",
        "WHEN",
        "when --concurrency-save keeps the run: always, or pass, which is when no measured test failed [always]",
    ),
    Option(
        "compare",
        None,
        "RUN",
        "compare with a saved run, or a run's file; without a value with the newest that can be compared",
        "latest",
    ),
    Option(
        "anchor",
        None,
        "RUN",
        "also compare with this saved run, or a run's file, which stays the same while newer ones become the baseline: "
        "so that a slow drift shows",
    ),
    Option(
        "compare_fail",
        (),
        "EXPR",
        "fail a test that has lost more than that, with high confidence, since the run it is compared with: "
        "speedup:10%, efficiency:0.1. May be repeated",
        repeated=True,
    ),
    Option("storage", ".concurrency", "PATH", "folder of the saved runs [.concurrency below the rootdir]"),
)
FLAGS = (
    ("compare_require", "stop with a usage error if there is no saved run to compare with"),
    ("only", "run only the tests that measure"),
    ("skip", "leave out the tests that measure"),
    ("disable", "run measured code once, as plain tests"),
    (
        "survey",
        "show what each test does in its ordinary run, without markers: what waits, computes, blocks a loop",
    ),
    ("max_block_warn", "with --concurrency-max-block: warn of long blocks of the event loop instead of failing tests"),
)


def add_options(parser: pytest.Parser) -> None:
    """Register all options with pytest. Their values are parsed later, when they are read."""
    group = parser.getgroup("concurrency", "concurrency performance (pytest-concurrency-perf)")
    group.addoption(
        "--concurrency-report",
        action="append",
        nargs="?",
        const="terminal",
        default=[],
        type=_report,
        metavar="FORMAT:PATH",
        help="print a table of all results. html:PATH, markdown:PATH, json:PATH, jsonl:PATH, csv:PATH, bmf:PATH "
        "(Bencher) or benchmark-action:PATH (github-action-benchmark) also writes a file. May be repeated. Without a "
        "value, put it last on the command line",
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
        group.addoption(f"--concurrency-{name.replace('_', '-')}", action="store_true", default=None, help=text)
        parser.addini(f"concurrency_{name}", text, type="bool", default=False)

    parser.addini(
        "concurrency_max_block_allow",
        "blocks of event loops that concurrency_max_block lets pass: paths of test modules or of code (src/legacy/*), "
        "or text of a line as the report shows it (shop/pdf.py:*in render), with * and ?",
        type="linelist",
        default=[],
    )


def _report(value: str) -> str:
    from pytest_concurrency.session import option_values

    return option_values.report(value)


def _storage(config: pytest.Config, path: str) -> str:
    """Return the absolute path of the folder; on the command line, it is relative to the current folder."""
    import os

    typed = config.getoption("concurrency_storage") is not None
    return os.path.join(config.invocation_params.dir if typed else config.rootpath, os.path.expanduser(path))  # noqa: PTH111


def read(config: pytest.Config) -> Settings:
    """Return the settings. The command line takes precedence over the ini file, and that over the default.

    :raises ValueError: the message names the option or key, and which values are accepted.
    """
    values: dict[str, Any] = {option.name: _value(config, option) for option in OPTIONS}
    for name, _ in FLAGS:
        flag = config.getoption(f"concurrency_{name}")
        values[name] = bool(config.getini(f"concurrency_{name}") if flag is None else flag)
    values["storage"] = _storage(config, values["storage"])
    if (values["compare_fail"] or values["compare_require"] or values["anchor"]) and values["compare"] is None:
        values["compare"] = "latest"
    if values["only"] and values["skip"]:
        raise ValueError("--concurrency-only and --concurrency-skip (or their ini keys) leave nothing to run: give one")
    if config.getoption("concurrency_max_block_warn") and not values["max_block"]:
        raise ValueError(
            "--concurrency-max-block-warn does nothing without a limit: give it with --concurrency-max-block=50ms "
            "(or the ini key concurrency_max_block)"
        )
    if config.getoption("concurrency_save_on") is not None and values["save"] is None:
        raise ValueError("--concurrency-save-on does nothing without a run to save: add --concurrency-save")
    reports = _reports(config)
    files = []
    for report in dict.fromkeys(reports):
        kind, _, path = report.partition(":")
        if kind != "terminal":
            files.append((kind, path))
    return Settings(full_report=bool(reports), report_files=tuple(files), **values)


def _value(config: pytest.Config, option: Option) -> Any:
    given = config.getoption(f"concurrency_{option.name}")
    where = "--concurrency-" + option.name.replace("_", "-")
    if given == "":
        # --concurrency-compare=$BASE has no value if the variable is not set. Without an error, nothing would be
        # compared, silently. An ini key without a value counts as not given.
        raise ValueError(f"{where}= has no value: is a variable not set? Give a value, or omit the option")
    if given is None:
        given, where = _in_file(config, option), f"ini key concurrency_{option.name}"
    if given is None or given == "":  # an ini key without a value is None from pytest 8.4 on
        return option.default
    from pytest_concurrency.session import option_values

    try:
        return getattr(option_values, option.name)(given)
    except ValueError as error:
        shown = ",".join(map(str, given)) if isinstance(given, list) else given  # may be repeated
        raise ValueError(f"{where}={shown}: {error}") from None


def _in_file(config: pytest.Config, option: Option) -> Any:
    """Return the value in the configuration file, which may have a type of TOML."""
    value = _from_file(config, f"concurrency_{option.name}")
    if isinstance(value, bool) and option.alone:
        return option.alone if value else None  # true stands for the option without a value
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _from_file(config: pytest.Config, key: str) -> Any:
    try:
        return config.getini(key)
    except Exception:  # The value has a type of TOML: a TypeError or a UsageError, depending on pytest's version.
        from pytest_concurrency.session import toml_values

        if (value := toml_values.value_of(config, key)) is None:
            raise
        return value


def _reports(config: pytest.Config) -> list[str]:
    reports = list(config.getoption("concurrency_report"))
    given = _from_file(config, "concurrency_report")
    for line in given if isinstance(given, list) else [given]:
        try:
            reports.append(_report(str(line)))
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"ini key concurrency_report: {error}") from None
    return reports
