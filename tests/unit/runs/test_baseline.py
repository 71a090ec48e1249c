"""The run that a session is compared with: how it is renewed after an intended loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_concurrency.runs import baseline
from pytest_concurrency.runs.store import Storage

from .test_run_comparison import expectation, run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".concurrency"
    folder.mkdir()
    monkeypatch.setattr(Storage, "load", lambda self, name: run(test=expectation(4.0)))
    return folder


def renewal(wanted: str, is_anchor: bool = False) -> str:
    # As an absolute path, which is how the options give it.
    return baseline.find(str(Path(".concurrency").absolute()), wanted, {}, is_anchor).renewal


@pytest.mark.parametrize("wanted", ["main", ".concurrency/main.json"])
def test_named_baseline_is_deleted_and_saved_again(folder: Path, wanted: str) -> None:
    (folder / "main.json").touch()
    assert renewal(wanted) == (
        "renew the baseline: delete .concurrency/main.json, and run once with --concurrency-save=main"
    )


def test_file_elsewhere_is_made_again(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "all.json").touch()
    assert renewal("all.json") == "renew the baseline: make all.json again"


def test_newest_run_is_followed_by_a_newer_one(folder: Path) -> None:
    assert renewal("latest") == (
        "renew the baseline: run once with --concurrency-save and without --concurrency-compare"
    )


def test_anchor_stays_and_another_is_named(folder: Path) -> None:
    assert renewal("v1", is_anchor=True) == "name a newer run in --concurrency-anchor"
