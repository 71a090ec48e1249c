"""Sampling profilers: which one is used, their command lines, and the stacks that they write."""

from __future__ import annotations

import pytest

from pytest_concurrency.profiling import samplers
from pytest_concurrency.profiling.samplers import Seen
from pytest_concurrency.session import option_values

TACHYON = """\
tid:29742;threading.py:Thread.run:1160;shop.py:load:4 971
tid:1911;<task>:Task-1:0;shop.py:main:10;shop.py:add.<locals>.<genexpr>:6 147
Some message of the tool
"""
PY_SPY = """\
run (/usr/lib/python3.11/threading.py:1160);load (/home/me/my shop/shop.py:4) 971
<genexpr> (C:\\shop.py:6) 147
process 12:"python" 3
"""


def test_stacks_of_tachyon() -> None:
    assert list(samplers.read("tachyon", TACHYON)) == [
        ((Seen("threading.py", 1160, "Thread.run"), Seen("shop.py", 4, "load")), 971),
        ((Seen("shop.py", 10, "main"), Seen("shop.py", 6, "add.<locals>.<genexpr>")), 147),
    ]


def test_stacks_of_py_spy() -> None:
    assert list(samplers.read("py-spy", PY_SPY)) == [
        ((Seen("/usr/lib/python3.11/threading.py", 1160, "run"), Seen("/home/me/my shop/shop.py", 4, "load")), 971),
        ((Seen("C:\\shop.py", 6, "<genexpr>"),), 147),
    ]


@pytest.mark.parametrize(
    ("tachyon", "py_spy", "tool", "said"),
    [
        (True, None, "tachyon", ""),
        (False, "/bin/py-spy", "py-spy", "py-spy was used in its place"),
        (False, None, "cprofile", "py-spy is not installed: cProfile was used"),
    ],
)
def test_tool_that_is_there_is_used(
    monkeypatch: pytest.MonkeyPatch, tachyon: bool, py_spy: str | None, tool: str, said: str
) -> None:
    monkeypatch.setattr(samplers, "has_tachyon", lambda: tachyon)
    monkeypatch.setattr(samplers, "py_spy", lambda: py_spy)
    used, why = samplers.choose("tachyon")
    assert used == tool
    assert said in why
    assert samplers.choose("line") == ("line", "")


def test_tasks_are_sampled_by_thread_and_by_what_they_await() -> None:
    first, second = samplers.commands("tachyon", 7, "wall", 1, "out", is_async=True)
    assert "-a" in first
    assert "--async-aware" in second
    assert first[first.index("-o") + 1] != second[second.index("-o") + 1]
    assert len(samplers.commands("tachyon", 7, "gil", 1, "out", is_async=True)) == 1


@pytest.mark.parametrize(("mode", "option"), [("wall", "--idle"), ("gil", "--gil")])
def test_py_spy_has_an_option_for_each_mode(mode: str, option: str) -> None:
    (command,) = samplers.commands("py-spy", 7, mode, 1, "out", is_async=False)
    assert command[-1] == option


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("cprofile", ("cprofile", "wall", False)),
        ("line:always", None),
        ("tachyon", ("tachyon", "wall", False)),
        ("tachyon:gil", ("tachyon", "gil", False)),
        ("tachyon:always", ("tachyon", "wall", True)),
        ("tachyon:cpu:always", ("tachyon", "cpu", True)),
    ],
)
def test_option(value: str, parsed: tuple[str, str, bool] | None) -> None:
    if parsed is None:
        pytest.importorskip("line_profiler")
        parsed = ("line", "wall", True)
    assert option_values.profile(value) == parsed


@pytest.mark.parametrize("value", ["tachyon:fast", "cprofile:gil", "tachyon:always:gil", "tachyon:gil:cpu", ""])
def test_option_with_a_mode_that_there_is_not_names_the_modes(value: str) -> None:
    with pytest.raises(ValueError, match="wall, cpu, gil, as in tachyon:gil"):
        option_values.profile(value)


def test_py_spy_has_to_be_installed_if_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "py_spy", lambda: None)
    with pytest.raises(ValueError, match="pip install py-spy"):
        option_values.profile("py-spy")
