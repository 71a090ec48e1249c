"""What is printed: a line per verdict that is not met, a tally, the table on request, live progress."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ALONE, IMPORTS, Suite, text_of

THREE = """
LOCK = threading.Lock()

@pytest.mark.expect_io_bound
def test_met():
    time.sleep(0.004)

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_broken():
    with LOCK:
        time.sleep(0.004)

@pytest.mark.expect_io_bound(max_time="1us")
def test_undecided():
    time.sleep(0.004)
"""
MET = "@pytest.mark.expect_io_bound\ndef test_met():\n    time.sleep(0.004)\n"


def section(result: pytest.RunResult) -> list[str]:
    """The lines of our part of the summary, without its title."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in result.stdout.lines]
    start = next(number for number, line in enumerate(lines) if re.fullmatch("=+ concurrency =+", line))
    end = next(
        (number for number, line in enumerate(lines[start + 1 :], start + 1) if line.startswith("===")), len(lines)
    )
    return lines[start + 1 : end]


def test_without_the_flag_what_is_not_met_has_a_line(suite: Suite) -> None:
    lines = section(suite(THREE))
    assert lines[0].startswith("NOT MET test_suite.py::test_broken speedup ")
    assert lines[0].endswith(", required >= 3x")
    assert lines[1].startswith("  Cause: serialized. ")
    assert lines[2].startswith("  Where: test_suite.py:")
    assert lines[3].startswith("  More:  https://")
    assert lines[4].startswith("UNDECIDED test_suite.py::test_undecided waits ")
    assert any("raise max_time" in line for line in lines[5:])
    assert lines[-1] == "3 verdicts: 1 met, 1 not met, 1 undecided"
    assert not any("test_met" in line for line in lines)


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_is_aligned_and_fits(suite: Suite, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = section(suite(THREE, "--concurrency-report"))
    assert max(len(line) for line in lines if "https://" not in line) <= columns
    head = next(number for number, line in enumerate(lines) if line.split()[:1] == ["test"])
    rows = [line for line in lines[head + 1 : head + 5] if "test_" in line and line != "test_suite.py"][:3]
    names = [re.findall(r"\btest_(?!suite)\w+", row) for row in rows]
    assert names == [["test_met"], ["test_broken"], ["test_undecided"]]
    # Every column begins below its title, or ends there where it is set to the right.
    indent = 2 if "test_suite.py" in lines else 0  # names stand below their file where whole ids do not fit
    for title in re.finditer(r"\S+", lines[head]):
        for row in rows:
            words = [word.span() for word in re.finditer(r"\S+( \S+)*", row)]
            begins = title.start() + (indent if title[0] == "test" else 0)
            assert any(begins == start or title.end() == end for start, end in words), (title[0], row)
    if columns == 200:
        assert lines[head].split() == [
            "test",
            "verdict",
            "expects",
            "figure",
            "required",
            "bound",
            "workers",
            "rounds",
            "time",
        ]
        assert "4 threads" in rows[0]
    assert lines[-1] == "3 verdicts: 1 met, 1 not met, 1 undecided"


def test_the_table_says_which_tool_is_for_which_test(suite: Suite) -> None:
    result = suite(
        THREE
        + """
@pytest.mark.expect_cpu_bound
def test_computes():
    n = 0
    for i in range(100_000):
        n += i
""",
        "--concurrency-report",
    )
    lines = [" ".join(line.split()) for line in section(result)]
    assert "which tool for which test:" in lines
    after = dict(itertools.pairwise(lines))
    assert "test_met" in after["it waits: threads or asyncio"].split(", ")
    assert after["its waits do not overlap: remove the lock, or use a larger pool or limit"] == "test_broken"
    tools = [line for line in lines if after.get(line) == "test_computes"]
    assert re.match(r"it computes.*: (processes|threads)", tools[-1])


def test_table_names_the_machine_except_with_no_header(suite: Suite) -> None:
    machine = re.compile(
        r"[\d.]+ usable CPUs?( \(a quota\))?, \w+ 3\.\d+\.\S+ with(out a| the) GIL, \w+(, [-\w ]+ priority)?"
    )
    assert machine.fullmatch(section(suite(MET, "--concurrency-report"))[0])
    assert not any(machine.fullmatch(line) for line in section(suite(MET, "--concurrency-report", "--no-header")))


def test_quiet_and_all_met_says_nothing(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_suite=IMPORTS + MET)
    result = pytester.runpytest_inprocess(*ALONE, "-q")
    result.assert_outcomes(passed=1)
    assert "concurrency" not in result.stdout.str()


def test_quiet_still_says_what_is_not_met(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_suite=IMPORTS + THREE)
    lines = section(pytester.runpytest_inprocess(*ALONE, "-q"))
    assert [line.split()[0] for line in lines if not line.startswith(" ")][:2] == ["NOT", "UNDECIDED"]


def test_the_flag_without_measured_tests(suite: Suite) -> None:
    assert section(suite("", "--concurrency-report"))[-1] == "0 verdicts: no test measured anything"


def test_colour_comes_from_pytest(suite: Suite) -> None:
    plain = suite(THREE, "--concurrency-report", "--color=no").stdout.str()
    assert "\x1b" not in plain
    coloured = suite(THREE, "--concurrency-report", "--color=yes").stdout.str()
    assert re.search(r"\x1b\[32m[^\n]*test_met", coloured)
    assert re.search(r"\x1b\[31m[^\n]*test_broken", coloured)
    assert re.search(r"\x1b\[33m[^\n]*test_undecided", coloured)


def test_long_test_ids_keep_their_end_at_80_columns(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "test_" + "a_long_name_" * 8 + "end"
    lines = section(suite(MET.replace("test_met", name), "--concurrency-report"))
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"  test_a_lo\S*\.\.\S*_end$", line) for line in lines)


# -- live progress

# Progress is shown from the first second on, and each round of this takes 0.6 of it.
SLOW = """
@pytest.mark.expect_speedup(threads=2, at_least=1.5, max_time="2.5s", undecided="pass")
def test_slow():
    time.sleep(0.3)
"""


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_progress_is_shown_on_a_terminal_and_gone_in_the_end(pytester: pytest.Pytester) -> None:
    output = _on_a_terminal(pytester, {"TERM": "xterm", "CI": ""})
    assert re.search(r"threads x2 round \d+", output)
    # What is left of the line after all that was erased.
    assert "threads x2" not in "\n".join(re.split(r"\x1b\[K", line)[-1] for line in output.splitlines())


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}], ids=["in CI", "dumb terminal"])
def test_no_progress_where_it_would_stay(pytester: pytest.Pytester, environment: dict[str, str]) -> None:
    assert "threads x2" not in _on_a_terminal(pytester, environment)


@pytest.mark.live
def test_no_progress_in_a_pipe(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_suite=IMPORTS + SLOW)
    result = pytester.runpytest_subprocess(*ALONE)
    assert "\x1b" not in result.stdout.str()
    assert "threads x2" not in text_of(result)


def _on_a_terminal(pytester: pytest.Pytester, environment: dict[str, str]) -> str:
    import pty

    pytester.makepyfile(test_suite=IMPORTS + SLOW)
    ours, theirs = pty.openpty()
    output = b""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *ALONE, "-q"],
        cwd=Path(pytester.path),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **environment},
    ):
        os.close(theirs)
        while True:
            try:
                read = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            output += read
    os.close(ours)
    return output.decode(errors="replace")
