"""What the terminal shows of two interpreters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_concurrency.core.model import Interval
from pytest_concurrency.reports.interpreters import head_of, lines_of_interpreters, names_of
from pytest_concurrency.runs.interpreter_comparison import InterpreterComparison, Middle, Row, Slower

CPYTHON: dict[str, Any] = {
    "implementation": "CPython",
    "python": "3.14.0",
    "gil": True,
    "free_threaded_build": False,
    "cpus_usable": 2.0,
    "system": "Linux",
}
THREADED = {**CPYTHON, "gil": False, "free_threaded_build": True}
GIL_AGAIN = {**THREADED, "gil": True}
ROW = Row(
    "tests/test_shop.py::test_render[large]",
    "speedup, 2 threads",
    2,
    Middle(1.02, Interval(1.0, 1.04)),
    Middle(1.93, None),
    Middle(1.08, Interval(1.05, 1.11)),
)


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (CPYTHON, THREADED, ("3.14", "3.14t")),
        (THREADED, GIL_AGAIN, ("3.14t", "3.14t+GIL")),
        ({**CPYTHON, "python": "3.12.1"}, CPYTHON, ("3.12", "3.14")),
        (CPYTHON, {**CPYTHON, "python": "3.14.2"}, ("3.14.0", "3.14.2")),
        (CPYTHON, CPYTHON, ("A", "B")),
        (CPYTHON, {**CPYTHON, "implementation": "PyPy"}, ("3.14", "PyPy 3.14")),
    ],
)
def test_names_distinguish_interpreters(first: Any, second: Any, names: tuple[str, str]) -> None:
    assert names_of(first, second) == names


def test_head_says_version_build_and_gil() -> None:
    text = "\n".join(line.text for line in head_of([CPYTHON, THREADED], ["/usr/bin/python3", "/opt/python3t"], 80))
    assert "3.14   CPython 3.14.0 with the GIL (/usr/bin/python3)" in text
    assert "3.14t  CPython 3.14.0 without a GIL (/opt/python3t)" in text
    assert "2 usable CPUs, Linux" in text


def test_head_warns_of_a_gil_in_a_free_threaded_build() -> None:
    text = " ".join(line.text for line in head_of([CPYTHON, GIL_AGAIN], ["a", "b"], 80))
    assert "with the GIL of a free-threaded build" in text
    assert "3.14t+GIL is a free-threaded build, and its GIL was on" in text


@pytest.mark.parametrize("name", ["a.py::b", "tests/test_shop.py::test_render", "x" * 300 + "::end"])
def test_table_fits_80_columns(name: str) -> None:
    slower = Slower(name, ROW.label, True, "one worker takes 1.31x the time (interval 1.28x to 1.35x); allowed: 1.10x")
    unmeasured = Row(name, "gil_released, alone", None, None, None, Middle(1.5, None))
    found = InterpreterComparison((replace(ROW, nodeid=name), unmeasured), (), (slower,), ((name,), (name,) * 12))
    lines = [line.text for line in lines_of_interpreters(found, [CPYTHON, THREADED], 80)]
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "1.02x  1.93x  1.08x [1.05, 1.11]" in text
    assert "-      -  1.50x [few rounds]" in text
    assert "REGRESSED" in text
    assert "ONLY 3.14t and 2 more" in text
    assert "12 tests measured nothing under 3.14:" in text
