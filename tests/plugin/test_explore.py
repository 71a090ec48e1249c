"""``explore MODULE:FUNCTION``: what a user sees of a function that no test measures yet."""

from __future__ import annotations

import html
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ALONE, assert_keeps_to_schema

from pytest_concurrency import cli

MODULE = """
import asyncio, os, sys, threading, time
LOCK = threading.Lock()
NUMBER = 3

def fetch():
    time.sleep(0.004)

def fetch_page(page, times=1):
    time.sleep(0.004 * times)

def locked():
    with LOCK:
        time.sleep(0.004)

async def afetch():
    await asyncio.sleep(0.004)

def hidden_async():
    return afetch()

def bad():
    raise ValueError("out of stock")

def leaves():
    sys.exit(3)

def not_in_threads():
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("main thread only")
    time.sleep(0.004)

def noisy():
    print("page one")
    os.write(1, b"from far below\\n")
    os.system("echo from a child")
    print("trouble", file=sys.stderr)
    time.sleep(0.004)

def generator():
    yield 1

def stuck_in_processes():
    LOCK.acquire(timeout=0.001) and LOCK.release()
    time.sleep(0.004)

class Client:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self):
        time.sleep(0.004)

client = Client()

class Cart:
    @staticmethod
    def total():
        time.sleep(0.004)
"""


@pytest.fixture(autouse=True)
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "broken.py").write_text("import no_such_thing_at_all\n", encoding="utf-8")
    (tmp_path / "script.py").write_text("import sys\nsys.exit('run me')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("shop", "not_met", "script"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("shop", "not_met", "script"):
        sys.modules.pop(name, None)


def explore(*arguments: str) -> int:
    return cli.main(["explore", "--max-time", "1s", *arguments])


def said_by(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What was printed, and what went to stderr, with the line breaks of wrapping taken out."""
    captured = capfd.readouterr()
    return " ".join(captured.out.split()), " ".join(captured.err.split())


def test_a_function_that_waits(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:fetch") == 0
    out = capfd.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "I/O-bound (it waits)" in out
    for backend in ("threads", "processes"):
        assert f"4 {backend}" in out
    assert "4 interpreters" in out
    assert "4 tasks" not in out
    assert "use    threads" in out


def test_the_test_that_it_proposes_passes(capfd: pytest.CaptureFixture[str], pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop=MODULE)
    assert explore("shop:fetch") == 0
    _, _, source = capfd.readouterr().out.partition("To keep this speedup, paste this into a test file:\n")
    lines = [line.removeprefix("    ") for line in source.splitlines()]
    assert any(line.startswith("@pytest.mark.expect_speedup(threads=4, at_least=") for line in lines)
    pytester.makepyfile(test_pasted="\n".join(lines))
    result = pytester.runpytest_subprocess(*ALONE, "--concurrency-undecided=pass")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["afetch", "hidden_async"])
def test_an_async_function_runs_in_tasks_only(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert explore(f"shop:{name}") == 0
    out, _ = said_by(capfd)
    assert "4 tasks" in out
    assert "4 threads" not in out
    assert f"async def test_{name}(): await {name}()" in out


def test_waits_that_queue_get_no_marker_for_threads(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:locked") == 0
    out, _ = said_by(capfd)
    assert "serialized" in out
    assert "remove that lock" in out.lower()
    assert "expect_speedup(threads" not in out


def test_arguments_and_counts(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:fetch_page", "--args", "'a', times=1", "--workers", "2,3") == 0
    out, _ = said_by(capfd)
    assert "2 threads" in out
    assert "3 processes" in out
    assert "fetch_page('a', times=1)" in out


def test_a_method(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:Cart.total") == 0
    assert "from shop import Cart" in said_by(capfd)[0]


def test_what_it_prints_is_kept_away(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:noisy") == 0
    out, err = said_by(capfd)
    assert "It prints (first: " in out
    assert out.count("page one") <= 1
    assert "from a child" not in out.replace("(first: 'from a child')", "")
    assert "trouble" not in err


def test_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:fetch", "--json", "out/found.json") == 0
    found = json.loads((tmp_path / "out" / "found.json").read_text(encoding="utf-8"))
    assert_keeps_to_schema(found)
    assert found["environment"]["python"]
    assert found["records"][0]["bound"]["kind"] == "io"
    assert {arm["backend"] for arm in found["records"][0]["arms"]} >= {"threads", "processes"}
    exploration = found["exploration"]
    assert exploration["use"] == "threads"
    assert exploration["sides"][0]["speedup"]["value"] > 2
    assert exploration["markers"][-1].startswith("@pytest.mark.expect_speedup(threads=4, at_least=")


def test_html(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    files = ("--json", "found.json", "--html", "out/found.html", "--markdown", "found.md")
    assert explore("shop:fetch_page", "--args", "'<b>'", *files) == 0
    page = (tmp_path / "out" / "found.html").read_text(encoding="utf-8")
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    text = " ".join(html.unescape(page).split())
    assert "fetch_page('<b>')" in text
    assert "fetch_page('<b>')" not in page, "escaped"
    assert found["exploration"]["why"] in text
    assert found["exploration"]["markers"][-1] in text
    summary = (tmp_path / "found.md").read_text(encoding="utf-8")
    assert "(use this)" in summary
    assert found["exploration"]["markers"][-1] in summary
    evidence = found["records"][0]["bound"]["evidence"]
    assert evidence[1:] in text
    for side in found["exploration"]["sides"]:
        assert f"{side['workers']} {side['backend']}" in text
        assert f"{side['workers']} {side['backend']}" in summary.partition("To keep this speedup")[0]
        assert side["speedup"] or side["reason"][1:] in text


def test_without_the_extra_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seen.py").write_text("open('imported', 'w').close()\ndef f(): pass\n", encoding="utf-8")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "jinja2" else find(name, *rest)
    )
    assert explore("seen:f", "--html", "found.html") == 2
    _, err = said_by(capfd)
    assert "--html found.html cannot be made" in err
    assert 'pip install "pytest-concurrency-perf[html]"' in err
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--html", "."], "is a folder"),
        (["--html", "x", "--json", "./x"], "name two files"),
        (["--markdown", "x", "--json", "x"], "name two files"),
    ],
)
def test_where_the_page_goes_is_checked_first(
    options: list[str], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("jinja2")
    assert explore("no_such_module:f", *options) == 2
    assert expected in said_by(capfd)[1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["shop"], ["names no function", "MODULE:FUNCTION"]),
        (["shop.py:fetch"], ["is a file", "shop:fetch"]),
        (["shp:fetch"], ["no module 'shp'", "Did you mean shop?"]),
        (["shop.web:fetch"], ["no module 'shop.web'", "not a package"]),
        (["broken:f"], ["importing broken fails", "no_such_thing_at_all"]),
        (["script:f"], ["importing script fails", "SystemExit: run me"]),
        (["shop:fetsh"], ["shop has no 'fetsh'", "Did you mean fetch"]),
        (["shop:zzz"], ["shop has no 'zzz'", "Its functions: ", "fetch_page"]),
        (["shop:Cart.totl"], ["shop:Cart has no 'totl'", "total"]),
        (["shop:NUMBER"], ["is an int", "cannot be called"]),
        (["shop:generator"], ["is a generator", "list(generator())"]),
        (["shop:fetch_page"], ["missing a required argument: 'page'", "fetch_page(page, times=1)", "--args"]),
        (["shop:fetch", "--args", "1"], ["too many positional arguments"]),
        (["shop:fetch_page", "--args", "page"], ["not Python literals"]),
        (["shop:fetch_page", "--args", "1) or f(2"], ["not Python literals"]),
        (["shop:bad"], ["raised ValueError", 'in bad raise ValueError("out of stock")', "ValueError: out of stock"]),
        (["shop:leaves"], ["raised SystemExit"]),
        (["shop:fetch", "--json", "."], ["--json .", "is a folder", "Nothing was measured"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and str(value[0]).count(":") else "",
)
def test_bad_input_is_reported_in_one_message(
    arguments: list[str], expected: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert explore(*arguments) == 2
    out, err = said_by(capfd)
    assert out == ""
    for part in ["pytest-concurrency-perf explore: ", *expected]:
        assert part in err
    assert "pytest_concurrency/" not in err  # no line of this plugin in a traceback


@pytest.mark.parametrize("option", [["--workers", "many"], ["--workers", "1"], ["--max-time", "soon"]])
def test_bad_options_are_usage_errors(option: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        explore("shop:fetch", *option)
    assert option[1] in capfd.readouterr().err


def test_one_that_fails_in_one_backend_is_shown_in_the_others(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:not_in_threads") == 2
    out, err = said_by(capfd)
    assert "4 threads: it raised RuntimeError, although a single call does not" in out
    assert "4 processes" in out
    assert "RuntimeError: main thread only" in err


def test_reason_why_a_backend_cannot_run_it_is_one_paragraph(capfd: pytest.CaptureFixture[str]) -> None:
    assert explore("shop:client", "--start-method", "spawn") == 0
    lines = [line.strip() for line in capfd.readouterr().out.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("4 processes: "))
    assert " ".join(lines[start : start + 3]).startswith(
        "4 processes: shop:client cannot be sent to a worker process. Cause: it cannot be pickled: "
    )


def test_as_a_module_with_the_current_folder_on_the_path(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest_concurrency", "explore", "shop:fetch", "--max-time", "1s"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "4 processes" in done.stdout
    assert "\x1b" not in done.stdout  # no colors, no live line: this is no terminal
    assert done.stderr == ""
