"""Files for others: what is written where, and what is left alone."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from pytest_concurrency.core.atomic_files import check_writable, write_whole


def test_a_file_has_the_rights_that_new_files_have(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write_whole(tmp_path / "out", ["text"])
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["out", "plain"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "behind").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "behind")
    write_whole(tmp_path / "link", ["new"])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "behind").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are made on POSIX")
def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, ["some ", "text"])
    reader.join(5)
    assert found == ["some text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")

    def chunks() -> object:
        yield "new"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "out", chunks())  # type: ignore[arg-type]
    assert (tmp_path / "out").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_there_is_not_replaced_if_that_was_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "out", ["new"], replace=False)
    assert (tmp_path / "out").read_text() == "old"


def test_new_file_is_not_written_through_a_symbolic_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "link", ["new"], replace=False)
    assert sorted(os.listdir(tmp_path)) == ["link"]
