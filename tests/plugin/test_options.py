"""Options: nearest wins, bad values are usage errors, and what is off stays off."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ALONE, IMPORTS, Suite, assert_other_passed, assert_outcome, rerun, text_of

UNDECIDED = """
@pytest.mark.expect_io_bound({})
def test_body():
    time.sleep(0.004)
"""
MET = UNDECIDED.format("")
COUNTED = """
@pytest.mark.expect_io_bound
def test_body():
    with open("calls.txt", "a") as file:
        file.write("x")
    time.sleep(0.004)
"""


def ini(pytester: pytest.Pytester, **keys: str) -> None:
    lines = "".join(f"concurrency_{name} = {value}\n" for name, value in keys.items())
    pytester.makeini("[pytest]\n" + lines)


@pytest.mark.parametrize(
    ("in_ini", "on_line", "at_marker", "outcome"),
    [
        (None, None, None, "SKIPPED"),
        ("fail", None, None, "FAILED"),
        ("fail", "pass", None, "PASSED"),
        ("fail", "pass", "skip", "SKIPPED"),
        ("skip", None, "fail", "FAILED"),
    ],
    ids=["default", "ini", "line before ini", "marker before line", "marker before ini"],
)
def test_nearest_policy_wins(
    suite: Suite,
    pytester: pytest.Pytester,
    in_ini: str | None,
    on_line: str | None,
    at_marker: str | None,
    outcome: str,
) -> None:
    ini(pytester, **({"undecided": in_ini} if in_ini else {}))
    given = f"undecided={at_marker!r}" if at_marker else ""
    options = [f"--concurrency-undecided={on_line}"] if on_line else []
    result = suite(UNDECIDED.format(given), "--concurrency-max-time=1us", *options)
    assert_outcome(result, "test_body", outcome)
    assert_other_passed(result)


@pytest.mark.parametrize(
    ("in_ini", "on_line", "at_marker", "used"),
    [
        ("1us", None, None, "1 us"),
        ("1us", "2us", None, "2 us"),
        ("1us", "2us", "3us", "3 us"),
        (None, "0.000004", None, "4 us"),
    ],
    ids=["ini", "line before ini", "marker before line", "seconds"],
)
def test_nearest_max_time_wins(
    suite: Suite, pytester: pytest.Pytester, in_ini: str | None, on_line: str | None, at_marker: str | None, used: str
) -> None:
    ini(pytester, **({"max_time": in_ini} if in_ini else {}))
    given = f"max_time={at_marker!r}" if at_marker else ""
    options = [f"--concurrency-max-time={on_line}"] if on_line else []
    result = suite(UNDECIDED.format(given), *options)
    assert_outcome(result, "test_body", "SKIPPED")
    assert f"o verdict within {used} (max_time)" in text_of(result)


BAD_OPTIONS = {
    "margin text": ("margin", "wide", ["must be between 0.05 and 2"]),
    "margin percent": ("margin", "25", ["must be between 0.05 and 2", "0.25 stands for 25%"]),
    "margin zero": ("margin", "0", ["must be between 0.05 and 2"]),
    "max_time text": ("max_time", "soon", ["is not a duration", '"50ms"']),
    "max_time negative": ("max_time", "-3", ["is not a duration"]),
    "undecided": ("undecided", "repeat", ["must be one of skip, fail, pass"]),
    "start_method": ("start_method", "clone", ["must be one of auto, fork, forkserver, spawn"]),
}


@pytest.mark.parametrize(("name", "value", "said"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
@pytest.mark.parametrize("where", ["line", "ini"])
def test_a_bad_value_is_a_usage_error_that_names_its_option(
    suite: Suite, pytester: pytest.Pytester, name: str, value: str, said: list[str], where: str
) -> None:
    flag = "--concurrency-" + name.replace("_", "-")
    if where == "ini":
        ini(pytester, **{name: value})
        result = suite(COUNTED)
        named = f"ini key concurrency_{name}={value}"
    else:
        result = suite(COUNTED, f"{flag}={value}")
        named = f"{flag}={value}"
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    for fragment in [f"ERROR: {named}:", *said]:
        assert fragment in text
    assert "Traceback" not in text
    assert not (pytester.path / "calls.txt").exists()


@pytest.mark.parametrize("value", ["xml:out.xml", "json", "json:", "tests"])
@pytest.mark.parametrize("where", ["line", "ini"])
def test_a_report_that_does_not_exist(suite: Suite, pytester: pytest.Pytester, value: str, where: str) -> None:
    if where == "ini":
        ini(pytester, report=value)
        result = suite(COUNTED)
        assert "ini key concurrency_report" in text_of(result)
    else:
        result = suite(COUNTED, f"--concurrency-report={value}")
        assert "--concurrency-report" in text_of(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert f"'{value}' is not a report" in text
    assert "json:PATH" in text
    assert not (pytester.path / "calls.txt").exists()


def test_an_argument_taken_for_a_report_is_explained(suite: Suite) -> None:
    result = suite(COUNTED, "--concurrency-report", "test_suite.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert "If 'test_suite.py' is what to test, put it before --concurrency-report" in text


@pytest.mark.parametrize("text", ['{"schema": 2, "records": []}', '{ "schema":2}\n{}\n'])
@pytest.mark.parametrize("kind", ["json", "jsonl", "html"])
def test_a_report_of_a_newer_version_is_not_overwritten(
    suite: Suite, pytester: pytest.Pytester, text: str, kind: str
) -> None:
    (pytester.path / "out").write_text(text)
    result = suite(COUNTED, f"--concurrency-report={kind}:out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "was written by a newer version of this plugin, and is not overwritten" in text_of(result)
    assert (pytester.path / "out").read_text() == text


@pytest.mark.parametrize(
    ("path", "why"),
    [("plain.txt/out.json", "plain.txt"), ("folder", "is a folder")],
    ids=["a file where a folder must be", "a folder"],
)
@pytest.mark.parametrize("where", ["line", "ini"])
def test_an_unwritable_report_is_reported_before_anything_runs(
    suite: Suite, pytester: pytest.Pytester, path: str, why: str, where: str
) -> None:
    (pytester.path / "plain.txt").write_text("mine")
    (pytester.path / "folder").mkdir()
    if where == "ini":
        ini(pytester, report=f"json:{path}")
        result = suite(COUNTED)
    else:
        result = suite(COUNTED, f"--concurrency-report=json:{path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert f"json:{path} cannot be written" in text
    assert why in text
    assert "Nothing was run" in text
    assert "Name a file in a folder that can be written to" in text
    assert "collected" not in text
    assert not (pytester.path / "calls.txt").exists()
    assert (pytester.path / "plain.txt").read_text() == "mine"


def test_collect_only_measures_and_writes_nothing(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(COUNTED, "--co", "--concurrency-report=json:new/out.json")
    assert result.ret == pytest.ExitCode.OK
    text = text_of(result)
    assert "<Function test_body>" in text
    assert "verdict" not in text
    assert not (pytester.path / "calls.txt").exists()
    assert not (pytester.path / "new").exists()


MIXED = """
@pytest.mark.expect_io_bound
def test_marked():
    time.sleep(0.004)

def test_asking(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""


def test_only_runs_what_measures(suite: Suite) -> None:
    result = suite(MIXED, "--concurrency-only")
    result.assert_outcomes(passed=2, deselected=1)
    assert "test_other" not in text_of(result)
    assert "2 verdicts: 2 met" in text_of(result)


def test_skip_leaves_out_what_measures(suite: Suite) -> None:
    result = suite(MIXED, "--concurrency-skip")
    result.assert_outcomes(passed=1, deselected=2)
    assert_other_passed(result)
    assert "verdict" not in text_of(result)


def test_skip_in_the_ini_file(suite: Suite, pytester: pytest.Pytester) -> None:
    ini(pytester, skip="true")
    suite(MIXED).assert_outcomes(passed=1, deselected=2)


def test_only_and_skip_exclude_each_other(suite: Suite) -> None:
    result = suite(MIXED, "--concurrency-only", "--concurrency-skip")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --concurrency-only and --concurrency-skip (or their ini keys) leave nothing to run" in text_of(
        result
    )


def test_warnings_of_blocks_without_a_limit_are_refused(suite: Suite) -> None:
    result = suite(MIXED, "--concurrency-max-block-warn")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--concurrency-max-block-warn does nothing without a limit: give it with" in text_of(result)


def test_disable_runs_marked_bodies_once(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(COUNTED, "--concurrency-disable")
    result.assert_outcomes(passed=2)
    assert (pytester.path / "calls.txt").read_text() == "x"
    assert "verdict" not in text_of(result)


def test_disable_runs_an_async_body_too(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
@pytest.mark.expect_speedup(tasks=4, at_least=2)
async def test_body():
    await asyncio.sleep(0)
    pathlib.Path("calls.txt").write_text("x")
""",
        "--concurrency-disable",
    )
    result.assert_outcomes(passed=2)
    assert (pytester.path / "calls.txt").read_text() == "x"


@pytest.mark.parametrize(
    "options", [["-q"], ["-q", "-q"], ["-v"], ["-vv"], ["--no-header"], ["--no-summary"], ["--tb=no"], ["--tb=line"]]
)
def test_verbosity_does_not_matter_to_the_outcome(suite: Suite, pytester: pytest.Pytester, options: list[str]) -> None:
    result = suite(MET, "--concurrency-report=json:out.json", *options)
    assert result.ret == pytest.ExitCode.OK
    assert "INTERNALERROR" not in text_of(result)
    assert '"verdict": "met"' in (pytester.path / "out.json").read_text()


def test_without_a_terminal_the_file_is_written(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_suite=IMPORTS + MET)
    # Without the helper's -v: that option belongs to the plugin that is switched off.
    result = pytester.runpytest_inprocess(*ALONE, "-p", "no:terminal", "--concurrency-report=json:out.json")
    assert result.ret == pytest.ExitCode.OK
    assert text_of(result) == ""
    assert '"verdict": "met"' in (pytester.path / "out.json").read_text()


def test_help_names_every_option_and_ini_key(suite: Suite) -> None:
    text = text_of(suite("", "--help"))
    for name in ("report", "margin", "max-time", "undecided", "start-method", "only", "skip", "disable"):
        assert f"--concurrency-{name}" in text
        assert f"concurrency_{name.replace('-', '_')}" in text


def test_no_file_appears_unasked(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(MET)
    assert {path.name for path in Path(pytester.path).iterdir()} <= {"test_suite.py", "__pycache__"}


LOADED = """
import sys

def pytest_unconfigure():
    with open("loaded.txt", "w") as file:
        file.write(" ".join(name for name in sys.modules if name.startswith("pytest_concurrency.")))
"""
OF_EVERY_SESSION = {
    "plugin",
    "hookspecs",
    "session",
    "session.options",
    "session.controller",
    "session.selection",
    "session.xdist",
    "expectations",
}


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ({}, set()),
        (
            {"margin": "0.3", "max_time": "2s"},
            {"expectations.keywords", "session.option_values", "core", "core.errors", "core.callables", "core.units"},
        ),
    ],
    ids=["nothing said", "in the ini file"],
)
def test_a_session_without_measured_tests_loads_nothing_that_measures(
    pytester: pytest.Pytester, keys: dict[str, str], more: set[str]
) -> None:
    ini(pytester, **keys)
    pytester.makeconftest(LOADED)
    pytester.makepyfile(test_plain="def test_plain():\n    pass\n")
    result = rerun(pytester, subprocess=True)
    assert_outcome(result, "test_plain", "PASSED")
    loaded = (pytester.path / "loaded.txt").read_text().split()
    assert {name.removeprefix("pytest_concurrency.") for name in loaded} <= OF_EVERY_SESSION | more
