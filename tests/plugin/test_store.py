"""Runs in files: what can be read, what cannot, and that nothing is ever lost."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.cli import main
from pytest_concurrency.core.errors import CommandError, UnreadableRun
from pytest_concurrency.runs import record, store

ENVIRONMENT = {"python": "3.11.7", "implementation": "CPython", "gil": True, "system": "Linux", "cpus_usable": 2.0}
ESTIMATE = {"value": 3.9, "low": 3.8, "high": 4.0, "unit": "ratio"}


def a_record(nodeid: str = "test_a.py::test_a", **changes: Any) -> dict[str, Any]:
    expectation = {
        "marker": "expect_speedup",
        "arguments": {"threads": 4},
        "verdict": "met",
        "reason": "",
        "estimate": ESTIMATE,
        "threshold": 3.0,
        "rounds": 24,
        "seconds": 0.5,
        "series": [{"workers": 4, "bounds": [[3.8, 4.0]] * 24}],
        **changes,
    }
    return {"nodeid": nodeid, "expectations": [expectation]}


def a_run(*records: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"schema": 1, "environment": {**ENVIRONMENT, **changes}, "records": list(records) or [a_record()]}


@pytest.fixture
def storage(tmp_path: Path) -> store.Storage:
    return store.Storage(tmp_path / "kept" / "here")


def test_a_run_comes_back_as_it_was_with_its_name_and_time(storage: store.Storage) -> None:
    path = storage.save(a_run(), "main")
    assert path == storage.path / "main.json"
    found = storage.load("main")
    assert found.pop("name") == "main"
    assert found.pop("created").endswith("Z")
    assert found == a_run()
    assert store.load(path)["name"] == "main"


def test_nothing_is_made_before_something_is_saved(storage: store.Storage) -> None:
    assert storage.names() == []
    assert storage.latest() is None
    assert not storage.path.parent.exists()


def test_runs_are_reported_in_the_order_of_their_making_whatever_the_files_say(storage: store.Storage) -> None:
    for name in ("zebra", "ape", "lion"):
        storage.save(a_run(), name)
    os.utime(storage.path / "zebra.json")  # as a fresh clone does
    assert storage.names() == ["zebra", "ape", "lion"]
    latest = storage.latest()
    assert latest is not None
    assert latest["name"] == "lion"


def test_a_name_that_is_taken_gets_a_number_and_the_old_run_stays(storage: store.Storage) -> None:
    storage.save(a_run(), "main")
    before = (storage.path / "main.json").read_bytes()
    assert storage.save(a_run(a_record("b")), "main").name == "main-2.json"
    assert storage.save(a_run(a_record("c")), "main").name == "main-3.json"
    assert (storage.path / "main.json").read_bytes() == before


def _save(path: str, number: int, barrier: Any) -> None:
    barrier.wait()
    for turn in range(5):
        store.Storage(path).save(a_run(a_record(f"{number}-{turn}")), "same")


def test_writers_at_the_same_time_all_keep_their_runs(storage: store.Storage) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    writers = [spawn.Process(target=_save, args=(str(storage.path), number, barrier)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    saved = [storage.load(name)["records"][0]["nodeid"] for name in storage.names()]
    assert sorted(saved) == sorted(f"{number}-{turn}" for number in range(4) for turn in range(5))
    assert len(list(storage.path.iterdir())) == 20  # nothing half written is left


def test_without_hard_links_it_works_too(storage: store.Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not on this file system")

    monkeypatch.setattr(os, "link", refuse)
    assert storage.save(a_run(), "main").name == "main.json"
    assert storage.save(a_run(), "main").name == "main-2.json"
    assert storage.load("main")["records"] == [a_record()]


def test_a_write_that_fails_leaves_nothing(storage: store.Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.save(a_run(), "old")

    def fail(*_: object) -> Any:
        yield "{"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "text_of", fail)
    with pytest.raises(CommandError, match=r"cannot be saved in .*: No space left on device"):
        storage.save(a_run(), "new")
    assert [path.name for path in storage.path.iterdir()] == ["old.json"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", ".hidden", "a b", "a:b", "x" * 101, "latest", "auto"])
def test_what_cannot_be_a_name(storage: store.Storage, name: str) -> None:
    with pytest.raises(CommandError, match="cannot be a run's name"):
        storage.save(a_run(), name)
    assert not storage.path.exists()


@pytest.mark.parametrize("name", ["main", "v1.2", "größe", "2026-11-22", "a+b_c"])
def test_what_can(storage: store.Storage, name: str) -> None:
    storage.save(a_run(), name)
    assert storage.names() == [name]
    assert storage.load(name)["name"] == name


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("mine")
    for path in ("plain", "plain/below"):
        with pytest.raises(CommandError, match=r"is a file|does not allow it"):
            store.Storage(tmp_path / path).check()
        with pytest.raises(CommandError, match="cannot be saved in"):
            store.Storage(tmp_path / path).save(a_run())
    assert (tmp_path / "plain").read_text() == "mine"


DAMAGED = {
    "empty": ("", "it is empty"),
    "blank": (" \n\n", "it is empty"),
    "not json": ("hello", "it is not JSON"),
    "a list": ("[]", 'a run is a JSON object with "schema", "environment" and "records"'),
    "another document": ('{"benchmarks": []}', "a run is a JSON object with"),
    "truncated": (json.dumps(a_run())[:-20], "it is cut off"),
    "truncated in a text": (json.dumps(a_run())[:40], "it is cut off"),
    "damaged": (json.dumps(a_run()).replace(":", ";", 1), "the JSON in it is damaged"),
    "newer": (json.dumps({**a_run(), "schema": 2}), "written by a newer version: its schema is 2, and this version"),
    "newer and otherwise": ('{"schema": 7, "tests": {}}', "written by a newer version: its schema is 7"),
    "newer lines": ('{"schema": 2, "x": 1}\n{"a": 1}\n', "written by a newer version"),
    "schema text": (json.dumps({**a_run(), "schema": "1"}), "schema must be a number from 1, and is '1'"),
    "no records": (json.dumps({**a_run(), "records": {}}), "records must be a list of tests"),
    "no environment": ('{"schema": 1, "records": []}', "environment is missing"),
    "environment": (json.dumps(a_run(gil="yes")), "environment.gil must be true or false, and is 'yes'"),
    "nan": (json.dumps(a_run(a_record(seconds=float("nan")))), "NaN is not a number in JSON"),
    "huge number": (json.dumps(a_run(a_record(seconds=10**400))), r"seconds must be a number, and is 1000"),
    "nested": ("[" * 200_000, "it is nested too deeply"),
    "cut line": ('{"schema": 1, "environment": {}}\n{"nodeid": "a", "exp', "the last line is cut off"),
    "damaged line": ('{"schema": 1}\n{"nodeid" "a"}\n{}\n', "line 2 is damaged"),
}
EDITED = {
    "nodeid": (lambda value: {**value, "nodeid": 3}, "records[0].nodeid must be a text, and is 3"),
    "no expectations": (lambda value: {"nodeid": "a"}, "records[0].expectations is missing"),
    "a text": (lambda value: "test", "records[0] must be an object, and is 'test'"),
    "verdict": (lambda value: a_record(verdict="good"), "expectations[0].verdict must be one of met, not_met"),
    "estimate": (
        lambda value: a_record(estimate={**ESTIMATE, "low": "3.8"}),
        "records[0].expectations[0].estimate.low must be a number, and is '3.8'",
    ),
    "rounds": (lambda value: a_record(rounds=-1), "rounds must be a whole number from 0, and is -1"),
    "bounds": (
        lambda value: a_record(series=[{"workers": 4, "bounds": [[1.0, 2.0], [3.0]]}]),
        "series[0].bounds[1] must be a low and a high number, and is [3.0]",
    ),
    "bound": (
        lambda value: a_record(series=[{"workers": 4, "bounds": [[1.0, None]]}]),
        "series[0].bounds[0][1] must be a number, and is None",
    ),
    "arms": (lambda value: {**value, "arms": [{"backend": "threads"}]}, "records[0].arms[0].workers is missing"),
}


@pytest.mark.parametrize(("text", "said"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_reported_and_stays_as_it_is(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableRun) as caught:
        store.load(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("edit", "said"), EDITED.values(), ids=EDITED)
@pytest.mark.parametrize("lines", [False, True], ids=["json", "jsonl"])
def test_an_edited_file_is_reported_with_the_place(tmp_path: Path, edit: Any, said: str, lines: bool) -> None:
    path = tmp_path / "run.json"
    run = a_run(edit(a_record()))
    path.write_text("".join((record.lines_of if lines else record.text_of)(run)), encoding="utf-8")
    with pytest.raises(UnreadableRun) as caught:
        store.load(path)
    assert said in str(caught.value)


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x80\x81\xff")
    for path, said in (
        (tmp_path / "missing.json", "there is no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "binary", "it is not text"),
    ):
        with pytest.raises(UnreadableRun, match=said):
            store.load(path)


@pytest.mark.parametrize("lines", [False, True], ids=["json", "jsonl"])
@pytest.mark.parametrize("amount", [0, 1, 2])
def test_both_formats_are_read(tmp_path: Path, lines: bool, amount: int) -> None:
    run = a_run()
    run["records"] = [a_record(f"test_{number}") for number in range(amount)]
    path = tmp_path / "run"
    path.write_text("".join((record.lines_of if lines else record.text_of)(run)), encoding="utf-8")
    assert store.load(path) == run


def test_what_later_versions_add_is_kept(tmp_path: Path) -> None:
    run = a_run({**a_record(), "commit": "abc"})
    run["more"] = [1]
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert store.load(tmp_path / "run.json") == run


NODEIDS = [
    "test a.py::test[x y]",
    "test.py::test[a::b[c]]",
    "tést.py::test[日本\u202e\x1b[31m]",
    "t" * 10_000,
    'q"\\\n\t',
]


def test_names_of_tests_are_kept_as_they_are(storage: store.Storage) -> None:
    storage.save(a_run(*map(a_record, NODEIDS)), "main")
    assert [value["nodeid"] for value in storage.load("main")["records"]] == NODEIDS


def test_a_name_that_is_not_there_lists_those_that_are(storage: store.Storage) -> None:
    with pytest.raises(UnreadableRun, match=r"no run of this name in .*here\. Nothing is saved there yet"):
        storage.load("main")
    storage.save(a_run(), "one")
    storage.save(a_run(), "two")
    for wanted in ("main", "folder/main.json", "x" * 5000):
        with pytest.raises(UnreadableRun, match="Saved there: one, two"):
            storage.load(wanted)


def test_the_newest_that_can_be_compared_is_chosen_and_the_others_are_reported(storage: store.Storage) -> None:
    storage.save(a_run(), "good")
    storage.save({**a_run(), "regressions": ["test_a.py::test_a"]}, "slower")
    storage.save(a_run(cpus_usable=8.0), "elsewhere")
    (storage.path / "broken.json").write_text('{"schema": 1, "created": "2999-01-01"')
    (storage.path / "notes.txt").write_text("mine")
    choice = storage.choose(ENVIRONMENT)
    assert choice.run is not None
    assert choice.run["name"] == "good"
    told = " ".join(choice.passed_over)
    assert "elsewhere cannot be compared (usable CPUs: 8 and 2)" in told
    assert "slower has regressions of its own" in told
    assert "broken.json cannot be read as a run" in told
    assert "notes" not in told
    anything = storage.latest()
    assert anything is not None
    assert anything["name"] == "elsewhere"


@pytest.mark.skipif(os.name != "posix", reason="has no such permissions")
def test_the_file_is_as_readable_as_any_other(storage: store.Storage, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert storage.save(a_run()).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_records_are_taken_as_they_are_written(tmp_path: Path) -> None:
    run = a_run(*map(a_record, NODEIDS))
    for write in (record.text_of, record.lines_of):
        text = "".join(write(run)).replace('"seconds": 0.5', '"seconds": 0.50')
        (tmp_path / "run").write_text(text, encoding="utf-8")
        found, lines = store.load_lines(tmp_path / "run")
        assert found == run
        assert lines is not None
        texts = [text[line] for line in lines]
        assert [json.loads(line) for line in texts] == run["records"]
        assert all('"seconds": 0.50' in line for line in texts)


def test_a_file_too_large_to_be_read_is_reported_and_costs_no_other(
    storage: store.Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    storage.save(a_run(), "small")
    path = storage.save(a_run(*(a_record(f"t.py::test_{number}") for number in range(50))), "large")
    monkeypatch.setattr(store, "MOST_BYTES", 10_000)
    before = path.read_bytes()
    assert before[10_000:]
    for command in (["show", str(path)], ["compare", str(path), "small"], ["merge", "out.json", str(path)]):
        more = [] if command[0] == "merge" else ["--storage", str(storage.path)]
        assert main([*command, *more]) == 2
        said = capsys.readouterr()
        assert f"large.json cannot be read as a run: it has {len(before) / 1e6:.0f} MB, and 0 MB can be" in said.err
        assert said.out == ""
    assert main(["list", "--storage", str(storage.path)]) == 0
    assert "1 met" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_name_that_no_file_system_takes_is_refused_before_the_run(storage: store.Storage) -> None:
    with pytest.raises(CommandError, match="200 bytes in UTF-8"):
        storage.check("\u8a9e" * 100)
    assert not storage.has("\u8a9e" * 100)
    with pytest.raises(UnreadableRun, match="there is no file"):
        storage.load("\u8a9e" * 100)


def test_storage_that_no_file_system_takes_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be used: File name too long"):
        store.Storage(tmp_path / ("x" * 300)).check("base")


def test_symbolic_link_to_nowhere_is_a_name_that_is_taken(storage: store.Storage, tmp_path: Path) -> None:
    storage.path.mkdir(parents=True)
    (storage.path / "base.json").symlink_to(tmp_path / "planted.json")
    with pytest.raises(CommandError, match="is there already"):
        storage.check("base")
    assert storage.save(a_run(), "base").name == "base-2.json"
    assert not (tmp_path / "planted.json").exists()
