"""The command ``report``: files from saved runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from unit.make import outcome

from pytest_concurrency import cli
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.machine import cpus
from pytest_concurrency.runs import record


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(path: str, figure: float = 3.97, **head: Any) -> None:
    value = record.record_of("t.py::test_a", [outcome(estimate=Estimate(figure, figure - 0.1, figure + 0.1))])
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(record.text_of({**record.run_of(cpus.environment(), [value]), **head})))


def test_a_runs_file_becomes_a_summary_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    save("run.json")
    assert cli.main(["report", "run.json"]) == 0
    assert capsys.readouterr().out.startswith("## ✅ Concurrency: 1 verdict: 1 met\n")


@pytest.mark.parametrize(
    ("out", "begins"),
    [("a.md", "## ✅"), ("a.html", "<!DOCTYPE html>"), ("a.jsonl", '{"schema": 1'), ("a.json", "{\n")],
)
def test_the_outputs_name_says_the_format(out: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    if out.endswith("html"):
        pytest.importorskip("matplotlib")
    save("run.json")
    assert cli.main(["report", "run.json", "-o", f"new/{out}"]) == 0
    assert Path("new", out).read_text(encoding="utf-8").lstrip().startswith(begins)
    assert capsys.readouterr().out == f"written: {Path('new', out)}\n"


def test_the_format_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    save("run.json")
    assert cli.main(["report", "run.json", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("run.json").read_text())


def test_the_newest_of_several_runs_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    save("new.json", 2.0, created="2026-03-01T00:00:00Z")
    save("old.json", 1.0, created="2026-01-01T00:00:00Z")
    assert cli.main(["report", "new.json", "old.json", "-o", "out.html"]) == 0
    assert "oldest first: 1.00x, 2.00x" in Path("out.html").read_text(encoding="utf-8")


def test_a_saved_run_is_shown_with_those_before_it() -> None:
    pytest.importorskip("matplotlib")
    for month, figure in (("01", 1.0), ("02", 2.0), ("03", 3.0)):
        save(f".concurrency/run{month}.json", figure, name=f"run{month}", created=f"2026-{month}-01T00:00:00Z")
    assert cli.main(["report", "run02", "-o", "out.html"]) == 0
    assert "oldest first: 1.00x, 2.00x" in Path("out.html").read_text(encoding="utf-8")
    assert cli.main(["report", "latest", "-o", "out.html"]) == 0
    assert "oldest first: 1.00x, 2.00x, 3.00x" in Path("out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.json"], "there is no file none.json"),
        (["cut.json"], "cut.json cannot be read as a run"),
        (["run.json", "-o", "folder"], "folder cannot be written: folder is a folder"),
        (["run.json", "-o", "run.json"], "run.json is one of the runs, and would be overwritten"),
        (["run.json", "-o", "out.pdf"], "out.pdf: its extension is not that of a format. Use one of "),
        (["run.json", "-o", "run.json/out.md"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save("run.json")
    before = Path("run.json").read_bytes()
    Path("cut.json").write_bytes(before[:100])
    Path("folder").mkdir()
    assert cli.main(["report", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pytest-concurrency-perf report: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert Path("run.json").read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything can be written to here")
def test_a_read_only_file_stays(capsys: pytest.CaptureFixture[str]) -> None:
    save("run.json")
    Path("out.md").write_text("mine")
    Path("out.md").chmod(0o444)
    assert cli.main(["report", "run.json", "-o", "out.md"]) == 2
    assert "read-only" in capsys.readouterr().err
