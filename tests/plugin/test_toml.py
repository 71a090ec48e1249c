"""Settings in TOML files: with the types of TOML in pytest 9's own table, as text and lists before that."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from conftest import Suite, assert_outcome, text_of

NATIVE = pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="pytest 9 is the first with a table of native types")
FILES = {
    "ini_options": ("pyproject.toml", "tool.pytest.ini_options"),
    "tool.pytest": ("pyproject.toml", "tool.pytest"),
    "pytest.toml": ("pytest.toml", "pytest"),
}
READ = """
from pytest_concurrency.session import options

def test_value(request):
    settings = options.read(request.config)
    assert {expression} == {value!r}
"""
# What stands in the file; an expression for what comes of it, and its value.
TEXT = {
    "margin": ('margin = "0.5"', "settings.margin", 0.5),
    "max_time": ('max_time = "500ms"', "settings.max_time", 0.5),
    "undecided": ('undecided = "fail"', "settings.undecided", "fail"),
    "leftovers": ('leftovers = "fail"', "settings.leftovers", "fail"),
    "start_method": ('start_method = "spawn"', "settings.start_method", "spawn"),
    "priority": ('priority = "off"', "settings.priority", "off"),
    "quiet_host": ('quiet_host = "off"', "settings.quiet_host", 0.0),
    "profile": ('profile = "cprofile"', "settings.profile[0]", "cprofile"),
    "max_block": ('max_block = "60ms"', "settings.max_block", 0.06),
    "dask_address": ('dask_address = "tcp://127.0.0.1:1"', "settings.dask_address", "tcp://127.0.0.1:1"),
    "sort": ('sort = "-figure"', "settings.sort", "-figure"),
    "save_on": ('save_on = "pass"', "settings.save_on", "pass"),
    "storage": ('storage = "kept"', "settings.storage.endswith('kept')", True),
}
TYPED = {
    "margin": ("margin = 0.5", "settings.margin", 0.5),
    "max_time": ("max_time = 3", "settings.max_time", 3.0),
    "quiet_host": ("quiet_host = 120", "settings.quiet_host", 120.0),
    "profile": ("profile = true", "settings.profile[0]", "cprofile"),
    "no profile": ("profile = false", "settings.profile", None),
    "max_block": ("max_block = 0.06", "settings.max_block", 0.06),
    "columns": ('columns = ["test", "figure"]', "settings.columns", ("test", "figure")),
    "compare_fail": (
        'compare_fail = ["speedup:10%", "efficiency:0.1"]',
        "[one.figure for one in settings.compare_fail]",
        ["speedup", "efficiency"],
    ),
    "flag": ("max_block_warn = true", "settings.max_block_warn", True),
    "report": (
        'report = ["csv:out.csv", "json:out.json"]',
        "[kind for kind, _ in settings.report_files]",
        ["csv", "json"],
    ),
}


def write(pytester: pytest.Pytester, file: str, line: str) -> None:
    name, table = FILES[file]
    (pytester.path / name).write_text(f"[{table}]\nconcurrency_{line}\n")


def check(suite: Suite, pytester: pytest.Pytester, file: str, case: tuple[str, str, Any]) -> None:
    line, expression, value = case
    write(pytester, file, line)
    result = suite(textwrap.dedent(READ).format(expression=expression, value=value), "-p", "no:cacheprovider")
    assert_outcome(result, "test_value", "PASSED")


@pytest.mark.parametrize("case", TEXT.values(), ids=TEXT)
@pytest.mark.parametrize(
    "file", ["ini_options", *(pytest.param(name, marks=NATIVE) for name in ("tool.pytest", "pytest.toml"))]
)
def test_text_in_each_table(suite: Suite, pytester: pytest.Pytester, file: str, case: tuple[str, str, Any]) -> None:
    check(suite, pytester, file, case)


@NATIVE
@pytest.mark.parametrize("case", TYPED.values(), ids=TYPED)
@pytest.mark.parametrize("file", ["tool.pytest", "pytest.toml"])
def test_types_of_toml_in_the_native_table(
    suite: Suite, pytester: pytest.Pytester, file: str, case: tuple[str, str, Any]
) -> None:
    check(suite, pytester, file, case)


@NATIVE
@pytest.mark.parametrize(
    "line",
    ["margin = true", "undecided = false", "compare_fail = 5", "compare_fail = true", 'margin = ["a"]', "sort = 7"],
)
def test_a_type_without_a_meaning_is_a_usage_error(suite: Suite, pytester: pytest.Pytester, line: str) -> None:
    write(pytester, "tool.pytest", line)
    result = suite("def test_body():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ini key concurrency_{line.partition(' ')[0]}" in text_of(result)
    assert "Traceback" not in text_of(result)
