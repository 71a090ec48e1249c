"""``doctor``: whether this machine can carry measured tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_concurrency import cli
from pytest_concurrency.cli.commands import doctor
from pytest_concurrency.doctor import fitness
from pytest_concurrency.doctor.fitness import Checkup

LABELS = ["usable CPUs", "Python", "clock ticks", "readable", "interference", "A/A trial", "2 threads", "waiting test"]


def test_everything_is_tried_and_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    status = cli.main(["doctor", "--seconds", "300ms", "--max-time", "2s", "--json", "doctor.json"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    lines = [line[5:21].strip() for line in out.splitlines()]
    for label in LABELS if "2 threads" in lines else LABELS[:6]:
        assert label in lines
    found = json.loads(Path("doctor.json").read_text(encoding="utf-8"))["doctor"]
    assert status in (0, 1)  # a busy machine is not fit, and says so
    assert found["fit"] == (status == 0)
    assert out.rstrip().splitlines()[-1]
    assert ("Suitable for tests of waiting" in out) == (status == 0)
    assert ("Not suitable at the moment" in out) == (status == 1)
    assert found["readings"]["usable"] > 0
    assert found["gates_up_to_cpus"] >= 1


@pytest.mark.parametrize(("wanted", "status"), [("1", 0), ("2", 1)])
def test_exit_status_says_whether_enough_cpus_are_available(
    wanted: str, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from unit.doctor.test_fitness import GOOD, figure

    narrow: Checkup = replace(GOOD, usable=1.0, control={"threads": figure(1.0)}, computing=None)
    monkeypatch.setattr(doctor, "examine", lambda seconds, max_time, show: narrow)
    assert cli.main(["doctor", "--cpus", wanted]) == status
    assert fitness.answer(narrow, int(wanted)).partition(".")[0] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("option", [["--seconds", "soon"], ["--cpus", "0"], ["--cpus", "many"], ["--max-time", "-1"]])
def test_bad_options_are_usage_errors(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["doctor", *option])
    assert option[0] in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_reported_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *arguments: pytest.fail("it measured"))
    assert cli.main(["doctor", "--json", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
