"""The console commands about saved runs: list, show, compare, merge."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from test_store import a_record, a_run

from pytest_concurrency.cli import main
from pytest_concurrency.cli.commands import merge
from pytest_concurrency.runs import record, store

SLOW = [[0.99, 1.01]] * 24


def slow_record(nodeid: str = "test_a.py::test_a", **changes: Any) -> dict[str, Any]:
    return a_record(nodeid, series=[{"workers": 4, "bounds": SLOW}], workers="4 threads", **changes)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Storage:
    """Two runs, in the folder where a user stands; the second is slower."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    storage = store.Storage()
    storage.save(a_run(a_record(workers="4 threads")), "fast")
    storage.save(a_run(slow_record()), "slow")
    return storage


Said = pytest.CaptureFixture[str]


def bad(capsys: Said, *argv: str) -> str:
    """Run a command that cannot work, and return the one message."""
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def test_list(storage: store.Storage, capsys: Said) -> None:
    storage.save({**a_run(slow_record(verdict="not_met"), gil=False), "regressions": ["a"]}, "n" * 30)
    (storage.path / "odd.json").write_text("{")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:5])) <= 80
    assert [line.split()[0] for line in lines[:4]] == ["run", "odd", "fast", "slow"]
    assert "1 met" in lines[2]
    assert "n" * 30 in lines[4], "whole, on a line of its own if it does not fit"
    assert "2 CPUs, 3.11t" in "".join(lines[4:6])
    assert "odd.json cannot be read as a run: it is cut off" in lines[-1]


def test_list_of_nothing_says_what_to_do(tmp_path: Path, capsys: Said) -> None:
    assert main(["list", "--storage", str(tmp_path / "none")]) == 0
    assert "save one with `pytest --concurrency-save`" in capsys.readouterr().out
    (tmp_path / "plain").touch()
    assert "is a file" in bad(capsys, "list", "--storage", str(tmp_path / "plain"))


def test_show(storage: store.Storage, capsys: Said) -> None:
    names = ["test a.py::test[x y]", "tést.py::test[日本\x1b[31m]", "t" * 10_000 + "::end"]
    storage.save(a_run(*map(a_record, names)), "many")
    assert main(["show", "many"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1] == "2 CPUs, CPython 3.11 with the GIL, Linux"
    assert "3.90x [3.80, 4.00]" in lines[4]
    assert lines[6].split()[0].endswith("::end")
    assert not any("\x1b" in line for line in lines)
    assert lines[-1] == "3 tests, 3 verdicts"
    assert main(["show", ".concurrency/slow.json"]) == 0
    assert capsys.readouterr().out.startswith("slow, saved 2")
    assert main(["show", "latest"]) == 0
    assert capsys.readouterr().out.startswith("many, ")


def test_compare(storage: store.Storage, capsys: Said) -> None:
    assert main(["compare", "fast", "slow"]) == 0
    text = capsys.readouterr().out
    assert "REGRESSED test_a.py::test_a\n          speedup, 4 threads: 3.90x -> 1.00x (-74%)" in text
    assert "1 compared: 1 regressed" in text
    assert main(["compare", "fast", "slow", "--fail", "speedup:10%"]) == 1
    assert main(["compare", "fast", "slow", "--fail", "speedup:90%,efficiency:0.9"]) == 0
    assert main(["compare", "slow", "fast", "--fail", "speedup:10%"]) == 0
    assert main(["compare", "fast", ".concurrency/slow.json", "--fail=efficiency:0.1"]) == 1


def test_a_verdict_that_is_not_met_now_fails_whatever_the_limit(storage: store.Storage, capsys: Said) -> None:
    storage.save(a_run(a_record(verdict="not_met", workers="4 threads")), "not_met")
    assert main(["compare", "fast", "not_met", "--fail", "speedup:99%"]) == 1
    assert "met -> not met" in " ".join(capsys.readouterr().out.split())


def test_a_later_run_without_records_does_not_pass_a_limit(storage: store.Storage, capsys: Said) -> None:
    storage.save({**a_run(), "records": []}, "empty")
    assert "empty has no records, so it cannot be compared with fast" in bad(
        capsys, "compare", "fast", "empty", "--fail", "speedup:10%"
    )


def test_what_cannot_be_compared(storage: store.Storage, tmp_path: Path, capsys: Said) -> None:
    assert "fast and fast are the same run" in bad(capsys, "compare", "fast", "fast")
    assert "are the same run" in bad(capsys, "compare", "fast", ".concurrency/fast.json")
    assert "Saved there: fast, slow" in bad(capsys, "compare", "fast", "other")
    assert "'speed:1' is not a limit" in bad(capsys, "compare", "fast", "slow", "--fail", "speed:1")
    storage.save(a_run(cpus_usable=8.0), "large")
    assert "cannot be compared: usable CPUs: 2 and 8" in bad(capsys, "compare", "fast", "large", "--fail=speedup:10%")
    assert main(["compare", "fast", "large", "--anyway"]) == 0
    assert "the machines differ: usable CPUs: 2 and 8" in capsys.readouterr().out
    (tmp_path / "newer.json").write_text('{"schema": 9}')
    assert "written by a newer version" in bad(capsys, "compare", "fast", "newer.json")
    assert "is a folder" in bad(capsys, "compare", "fast", str(tmp_path))
    (tmp_path / "plain").touch()
    assert "plain is a file, and saved runs need a folder" in bad(capsys, "show", "x", "--storage", "plain")
    assert "it is empty. Make the run again, or restore the file" in bad(capsys, "show", "plain")


def write(path: Path, run: dict[str, Any], lines: bool = False) -> str:
    path.write_text("".join((record.lines_of if lines else record.text_of)(run)), encoding="utf-8")
    return str(path)


def test_merge(tmp_path: Path, capsys: Said) -> None:
    parts = [
        write(tmp_path / "1.json", a_run(a_record("a"), a_record("b"))),
        write(tmp_path / "2.jsonl", a_run(a_record("c"), slow_record("a")), lines=True),
        write(tmp_path / "3.json", {**a_run(a_record("é " * 5000)), "regressions": ["é"], "created": "2026-01-02"}),
    ]
    out = tmp_path / "all.json"
    assert main(["merge", str(out), *parts]) == 0
    said = capsys.readouterr().out
    assert "4 tests of 3 runs" in said
    assert "1 test is in more than one of them: the last one counts" in said
    merged = store.load(out)
    assert [value["nodeid"] for value in merged["records"]] == ["a", "b", "c", "é " * 5000]
    assert merged["records"][0] == slow_record("a")
    assert merged["environment"] == a_run()["environment"]
    assert merged["regressions"] == ["é"]
    assert merged["created"] == "2026-01-02"


@pytest.mark.parametrize("layout", ["compact", "indented", "two on a line", "split after a brace", "one", "none"])
def test_any_layout_can_be_merged(tmp_path: Path, layout: str) -> None:
    run = a_run(a_record("a"), a_record("b"))
    text = {
        "compact": json.dumps(run),
        "indented": json.dumps(run, indent=2),
        "two on a line": json.dumps(run).replace('"records": [', '"records": [\n  '),
        "split after a brace": json.dumps(run).replace('}]}, {"nodeid"', '}\n]},\n{"nodeid"'),
        "one": json.dumps(a_run(a_record("a"))),
        "none": json.dumps({**run, "records": []}),
    }[layout]
    (tmp_path / "in.json").write_text(text)
    assert main(["merge", str(tmp_path / "out.json"), str(tmp_path / "in.json")]) == 0
    assert store.load(tmp_path / "out.json") == json.loads(text)


def test_many_parts_keep_their_order_and_their_errors(tmp_path: Path, capsys: Said) -> None:
    parts = [write(tmp_path / f"{number}.json", a_run(a_record(f"test_{number % 90}"))) for number in range(130)]
    write(tmp_path / "129.json", a_run(slow_record("test_39")))
    assert main(["merge", str(tmp_path / "all.json"), *parts]) == 0
    assert "90 tests of 130 runs\n40 tests are in more than one" in capsys.readouterr().out
    merged = store.load(tmp_path / "all.json")["records"]
    assert [value["nodeid"] for value in merged] == [f"test_{number}" for number in range(90)]
    assert merged[39] == slow_record("test_39")
    (tmp_path / "77.json").write_text("{")
    assert "77.json cannot be read as a run" in bad(capsys, "merge", str(tmp_path / "other.json"), *parts)
    assert not (tmp_path / "other.json").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_can_be_merged(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=(pipe, a_run(a_record("a"))))
    writer.start()
    assert main(["merge", str(tmp_path / "all.json"), str(pipe)]) == 0
    writer.join()
    assert store.load(tmp_path / "all.json")["records"] == [a_record("a")]


def test_a_part_that_changes_while_it_is_merged(tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    part = write(tmp_path / "1.json", a_run(a_record("a")))
    real = merge.load_lines

    def meanwhile(path: Path) -> Any:
        found = real(path)
        write(path, a_run(a_record("another"), a_record("a")))
        return found

    monkeypatch.setattr(merge, "load_lines", meanwhile)
    assert "1.json was changed while it was read" in bad(capsys, "merge", str(tmp_path / "all.json"), part)
    assert [file.name for file in tmp_path.iterdir()] == ["1.json"]


def test_what_cannot_be_merged(tmp_path: Path, capsys: Said) -> None:
    one = write(tmp_path / "1.json", a_run(a_record("a")))
    other = write(tmp_path / "2.json", a_run(a_record("b"), cpus_usable=4.0))
    (tmp_path / "cut.json").write_text('{"schema": 1')
    out = tmp_path / "all.json"
    said = bad(capsys, "merge", str(out), one, other)
    assert "1.json and " in said
    assert "come from different kinds of machines: usable CPUs: 2 and 4" in said
    assert "it is cut off" in bad(capsys, "merge", str(out), one, str(tmp_path / "cut.json"))
    assert "there is no such file" in bad(capsys, "merge", str(out), one, str(tmp_path / "none.json"))
    assert "there is no folder" in bad(capsys, "merge", str(tmp_path / "no/all.json"), one)
    assert not out.exists()
    assert "exists, and would be overwritten" in bad(capsys, "merge", one, other)
    assert json.loads(Path(one).read_text())["records"] == [a_record("a")]


def test_a_run_without_expectations_costs_no_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {**a_record("shop:fetch"), "expectations": []}
    run = {"schema": 1, "environment": a_run()["environment"], "records": [shown]}
    (tmp_path / "one.json").write_text(json.dumps(run), encoding="utf-8")
    (tmp_path / "two.json").write_text(json.dumps({**run, "exploration": {}}), encoding="utf-8")
    one, two, merged = (str(tmp_path / name) for name in ("one.json", "two.json", "merged.json"))
    for command in (["show", one], ["compare", one, two], ["merge", merged, one, two], ["show", merged]):
        assert main(command) == 0, command
    assert "1 test, 0 verdicts" in capsys.readouterr().out


ESCAPE = "\x1b]0;title\x07\x1b[2J"


@pytest.mark.parametrize(
    "command", [["show", "odd.json"], ["list"], ["compare", "odd.json", "fast"], ["show", "x" + ESCAPE]]
)
def test_control_characters_of_a_run_never_reach_the_terminal(
    storage: store.Storage, capsys: Said, command: list[str]
) -> None:
    odd = a_run(a_record(f"test_a.py::{ESCAPE}", workers=ESCAPE, marker=ESCAPE), implementation="CPython")
    odd = {**odd, "name": ESCAPE, "created": ESCAPE, "regressions": [ESCAPE]}
    Path("odd.json").write_text(json.dumps(odd))
    (storage.path / "odd.json").write_text(json.dumps(odd))
    (storage.path / "bad.json").write_text(json.dumps({"schema": ESCAPE}))
    main(command)
    said = capsys.readouterr()
    assert said.out + said.err
    assert not set("\x1b\x07") & set(said.out + said.err)


def test_show_passes_over_properties_that_it_does_not_know(storage: store.Storage, capsys: Said) -> None:
    estimate = {"value": 3.9, "low": 3.8, "high": 4.0, "unit": "ratio", "team": "search"}
    storage.save(a_run(a_record(estimate=estimate)), "hooked")
    assert main(["show", "hooked"]) == 0
    assert "3.90x [3.80, 4.00]" in capsys.readouterr().out


def test_show_never_cuts_a_tests_id(storage: store.Storage, capsys: Said) -> None:
    long = "tests/integration/test_checkout.py::test_totals[a basket of many things]"
    storage.save(a_run(a_record(long), a_record("test_a.py::test_a")), "long")
    assert main(["show", "long"]) == 0
    assert long in capsys.readouterr().out.splitlines()


def test_merge_does_not_write_through_a_symbolic_link_to_nowhere(
    storage: store.Storage, tmp_path: Path, capsys: Said
) -> None:
    Path("out.json").symlink_to(tmp_path / "planted.json")
    assert "exists, and would be overwritten" in bad(capsys, "merge", "out.json", str(storage.path / "fast.json"))
    assert not (tmp_path / "planted.json").exists()


@pytest.mark.parametrize(
    "command", [["report", "fast", "-o", "x" * 300 + ".md"], ["merge", "x" * 300, ".concurrency/fast.json"]]
)
def test_path_that_no_file_can_have_is_one_clear_error(
    storage: store.Storage, capsys: Said, command: list[str]
) -> None:
    assert "too long" in bad(capsys, *command)
