"""The study of calls that release the GIL: its page is that of its data, and no call ends a run."""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = ROOT / "benchmarks"
BUILT_IN = {"cryptography", "numpy", "polars"}  # some of the packages that the study must not need to be imported

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")


@pytest.fixture(scope="module")
def study() -> Iterator[SimpleNamespace]:
    """The names of the script, and its modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))  # its modules import each other by their bare names
        yield SimpleNamespace(**runpy.run_path(str(BENCHMARKS / "observatory.py")))


@pytest.fixture
def make_call(study: SimpleNamespace) -> Callable[..., Any]:
    def make(name: str, function: Callable[[], object] = int, needs: tuple[str, ...] = (), **more: Any) -> Any:
        return study.Call(lambda: function, name, "nothing much", needs, **more)

    return make


def measured(name: str, gil: str = "held", threads: float = 1.0) -> dict[str, Any]:
    """A row as a measurement gives it."""
    return {
        "name": name,
        "measured": "2024-05-17",
        "versions": {},
        "environment": {},
        "state": "measured",
        "bound": {"kind": "cpu", "gil": gil},
        "alone": {"cpu": 0.01, "blocked": 0.0},
        "hold": {"value": 0.009, "low": 0.008, "high": 0.010},
        "wait": {"value": 0.0001, "low": 0.0, "high": 0.0002},
        "sides": {"threads": {"speedup": {"value": threads, "low": 0.9, "high": 1.1}}},
    }


def fails() -> None:
    raise ValueError("a pipe\nno | more")


# -- the page


def test_page_and_picture_are_made_of_the_data(study: SimpleNamespace) -> None:
    rows = study.read(study.page.DATA)
    text = study.page.PAGE.read_text(encoding="utf-8")
    assert study.page.rendered(text, rows, study.registry.load()) == text, "run benchmarks/observatory.py --render"
    assert study.page.picture.drawn(rows) == study.page.PICTURE.read_text(encoding="utf-8")


def test_data_has_a_row_for_each_call(study: SimpleNamespace) -> None:
    assert [row["name"] for row in study.read(study.page.DATA)] == list(study.registry.load())


def test_data_says_with_which_versions_and_where_it_was_measured(study: SimpleNamespace) -> None:
    for row in study.read(study.page.DATA):
        assert {"python", "cpus_usable", "processor"} <= set(row["environment"]), row["name"]
        assert set(study.registry.load()[row["name"]].needs) <= set(row["versions"]), row["name"]


@pytest.mark.parametrize(("others", "warned"), [(0.05, False), (1.7, True), (None, False)])
def test_page_warns_of_figures_that_were_measured_on_a_busy_machine(
    study: SimpleNamespace, others: float | None, warned: bool
) -> None:
    rows = [{**measured("x"), "others": others}] * 3
    assert ("Other programs kept 1.7 of the 2 CPUs busy" in study.page._busy(rows, 2.0)) is warned


def test_row_without_figures_says_why_in_the_table(study: SimpleNamespace, make_call: Callable[..., Any]) -> None:
    row = {"name": "gone", "state": "not installed", "error": "not installed: gone"}
    cells = study.page._cells(row, make_call("gone"))
    assert len(cells) == len(study.page._HEADS)
    assert "not installed: gone" in cells


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ({"value": 0.012, "low": 0.011, "high": 0.013}, "12 ms"),
        ({"value": 0.0001, "low": 0.000001, "high": 0.0006}, "< 1 ms"),
        # The probe thread had no CPU for most of the time.
        ({"value": 0.0002, "low": 0.000001, "high": 0.0054}, "< 5.40 ms"),
        (None, "–"),
    ],
)
def test_longest_hold_is_a_figure_only_where_its_bounds_are_close(
    study: SimpleNamespace, found: dict[str, float] | None, shown: str
) -> None:
    assert study.cells.seconds({"hold": found}, "hold") == shown


def test_line_of_progress_fits_a_terminal(study: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    study.show(" 12/100", measured("a name of a call that is longer than the others", "briefly_released", 1.234))
    line = capsys.readouterr().out.rstrip("\n")
    assert len(line) <= 80
    assert line.endswith("briefly   threads 1.23x  processes –")


# -- a run


def test_import_of_the_calls_needs_none_of_their_packages(study: SimpleNamespace) -> None:
    calls = study.registry.load()
    assert {package for call in calls.values() for package in call.needs} >= BUILT_IN
    assert all(call.work and call.name for call in calls.values())


def test_call_whose_package_is_missing_is_a_row(study: SimpleNamespace, make_call: Callable[..., Any]) -> None:
    row = study.row_of("x", make_call("x", needs=("no-such-package-of-ours",), library=fails), 1.0)
    assert (row["state"], row["error"]) == ("not installed", "not installed: no-such-package-of-ours")


def test_call_that_hangs_is_a_row(study: SimpleNamespace) -> None:
    row = study.row_of("time.sleep", study.registry.load()["time.sleep"], 0.01)
    assert (row["state"], row["error"]) == ("hung", "no result after 0.01 s")


def test_process_that_ends_without_an_answer_is_a_row(study: SimpleNamespace, make_call: Callable[..., Any]) -> None:
    row = study.row_of("x", make_call("no call of that name"), 60.0)
    assert row["state"] == "error"
    assert "no call of that name" in row["error"]


def test_call_that_raises_is_a_row(study: SimpleNamespace, make_call: Callable[..., Any], tmp_path: Path) -> None:
    study.measure_here(make_call("x", fails), tmp_path / "row.json")
    assert json.loads((tmp_path / "row.json").read_text()) == {"state": "error", "error": "no | more"}


@pytest.fixture
def run(study: SimpleNamespace, make_call: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run over three calls, in which a call that is named is where it is stopped; returns what it measured."""
    data = tmp_path / "rows.jsonl"

    def run(stop_at: str = "") -> list[str]:
        seen = []

        def row_of(name: str, call: Any, limit: float) -> dict[str, Any]:
            if name == stop_at:
                raise KeyboardInterrupt
            seen.append(name)
            return {**measured(name), "environment": study.machine()}

        monkeypatch.setitem(study.measure_all.__globals__, "row_of", row_of)
        try:
            study.measure_all({name: make_call(name) for name in "abc"}, data, 1.0)
        except KeyboardInterrupt:
            return seen
        return seen

    return SimpleNamespace(run=run, data=data)


def test_run_that_was_stopped_goes_on_where_it_was(study: SimpleNamespace, run: Any) -> None:
    assert run.run(stop_at="c") == ["a", "b"]
    assert not run.data.exists()
    assert run.run() == ["c"]
    assert [row["name"] for row in study.read(run.data)] == ["a", "b", "c"]


def test_run_does_not_go_on_with_rows_of_another_machine_or_half_a_line(study: SimpleNamespace, run: Any) -> None:
    run.run(stop_at="c")
    part = run.data.with_suffix(".part.jsonl")
    first, second = part.read_text().splitlines()
    part.write_text(f"{json.dumps({**json.loads(first), 'environment': {'python': '2.7'}})}\n{second}\n{first[:30]}")
    assert run.run() == ["a", "c"]


def test_next_run_measures_each_call_again_and_keeps_the_data_until_its_end(study: SimpleNamespace, run: Any) -> None:
    run.run()
    assert run.run(stop_at="b") == ["a"]
    assert len(study.read(run.data)) == 3
    assert run.run() == ["b", "c"]


def test_unknown_name_is_refused_with_names_that_are_near(
    study: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["observatory.py", "--only", "json.load", "--data", os.devnull])
    with pytest.raises(SystemExit):
        study.main()
    assert "there is no call 'json.load'. Did you mean 'json.loads'" in capsys.readouterr().err
