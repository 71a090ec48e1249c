"""The fair readers-writer lock for the host, between two or three parties that stand for processes."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_concurrency.session.host import file_lock, host_lock
from pytest_concurrency.session.host.file_lock import FileLock, Unavailable
from pytest_concurrency.session.host.host_lock import HostLock

PATIENCE = 60.0  # longer than any of these tests may take
Join = Callable[..., HostLock]


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    hosts: list[HostLock] = []

    def join(patience: float = PATIENCE) -> HostLock:
        hosts.append(HostLock(tmp_path, patience))
        return hosts[-1]

    yield join
    for host in hosts:
        host.close()


class Doing:
    """Something that another thread does, and that may have to wait."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], object]) -> None:
        call()
        self._done.set()

    def waits(self, seconds: float = 0.15) -> bool:
        return not self._done.wait(seconds)

    def ends(self) -> bool:
        self._thread.join(PATIENCE / 2)
        return self._done.is_set()


def test_tests_share_the_host(join: Join) -> None:
    one, other = join(), join()
    one.enter()
    other.enter()
    one.leave()
    other.leave()


def test_a_measurement_is_alone(join: Join) -> None:
    measuring, ordinary = join(), join()
    with measuring.alone() as lease:
        entering = Doing(ordinary.enter)
        assert lease.alone
        assert entering.waits()
    assert entering.ends()


def test_a_measurement_waits_for_tests_that_run(join: Join) -> None:
    measuring, ordinary = join(), join()
    ordinary.enter()
    block = measuring.alone()
    entering = Doing(block.__enter__)
    assert entering.waits()
    ordinary.leave()
    assert entering.ends()
    block.__exit__(None, None, None)


def test_a_measured_test_is_an_ordinary_one_before_and_after_measuring(join: Join) -> None:
    measured, other = join(), join(patience=0.05)
    measured.enter()
    with other.alone() as lease:
        assert not lease.alone
    with measured.alone() as lease:
        assert lease.alone
    with other.alone() as lease:
        assert not lease.alone
    measured.leave()
    with other.alone() as lease:
        assert lease.alone


def test_two_measured_tests_do_not_wait_for_each_others_shares(join: Join) -> None:
    one, other = join(), join()
    one.enter()
    other.enter()
    order: list[str] = []

    def measure(host: HostLock, name: str) -> None:
        with host.alone() as lease:
            assert lease.alone
            order.append(name)
        host.leave()

    doings = [Doing(lambda: measure(one, "one")), Doing(lambda: measure(other, "other"))]
    assert [doing.ends() for doing in doings] == [True, True]
    assert sorted(order) == ["one", "other"]


def test_a_waiting_measurement_holds_further_tests_back(join: Join) -> None:
    measuring, running, late = join(), join(), join()
    running.enter()
    block = measuring.alone()
    entering = Doing(block.__enter__)
    assert entering.waits()
    coming_late = Doing(late.enter)
    assert coming_late.waits()
    running.leave()
    assert entering.ends()
    assert coming_late.waits(0.05)
    block.__exit__(None, None, None)
    assert coming_late.ends()


def test_a_held_up_test_goes_before_the_next_measurement(join: Join) -> None:
    first, second, ordinary = join(), join(), join()
    ended: list[Doing] = []
    block = second.alone()
    with first.alone():
        held_up = Doing(ordinary.enter)
        assert held_up.waits()
        next_one = Doing(block.__enter__)
        assert next_one.waits()
    assert held_up.ends()
    assert next_one.waits()
    ended.append(Doing(ordinary.leave))
    assert next_one.ends()
    block.__exit__(None, None, None)
    assert all(doing.ends() for doing in ended)


def test_waiting_ends_and_says_why(join: Join) -> None:
    measuring, ordinary = join(patience=0.05), join()
    ordinary.enter()
    with measuring.alone() as lease:
        assert (lease.alone, lease.reason) == (False, "other tests did not end within 50 ms")
        assert lease.waited >= 0.05
    ordinary.leave()
    with measuring.alone() as lease:
        assert (lease.alone, lease.reason) == (True, "")


def test_after_a_wait_in_vain_the_next_is_shorter_until_one_is_not(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_lock, "_LEAST_PATIENCE", 0.001)
    measuring, ordinary = join(patience=0.2), join()
    ordinary.enter()
    reasons = []
    for _ in range(2):
        with measuring.alone() as lease:
            reasons.append(lease.reason.rpartition("within ")[2])
    ordinary.leave()
    with measuring.alone():
        pass
    ordinary.enter()
    with measuring.alone() as lease:
        reasons.append(lease.reason.rpartition("within ")[2])
    assert reasons == ["200 ms", "20 ms", "200 ms"]


def test_an_ordinary_test_goes_on_when_a_measurement_does_not_end(join: Join) -> None:
    measuring, ordinary = join(), join(patience=0.05)
    with measuring.alone():
        ordinary.enter()
        ordinary.leave()


def test_an_ordinary_test_waits_less_after_a_wait_in_vain_until_one_is_not(join: Join) -> None:
    measuring, ordinary = join(), join(patience=0.2)
    waits = []

    def enter() -> None:
        before = ordinary.waited
        ordinary.enter()
        ordinary.leave()
        waits.append(ordinary.waited - before)

    with measuring.alone():
        for _ in range(3):
            enter()
    assert waits[0] > 0.2
    assert waits[1] + waits[2] < 0.2
    enter()
    with measuring.alone():
        enter()
    assert waits[-1] > 0.2


def test_a_measurement_leaves_the_host_to_those_it_held_up_as_long_as_it_took(join: Join) -> None:
    measuring, ordinary = join(), join()
    ran: list[int] = []

    def tests() -> None:
        for number in range(20):
            ordinary.enter()
            ran.append(number)
            time.sleep(0.01)
            ordinary.leave()

    block = measuring.alone()
    block.__enter__()
    running = Doing(tests)
    assert running.waits(1.0)
    assert ran == []
    block.__exit__(None, None, None)
    with measuring.alone() as lease:
        assert lease.alone
        assert len(ran) == 20
    assert running.ends()


def test_a_measurement_that_held_up_no_test_is_followed_by_the_next_at_once(join: Join) -> None:
    measuring = join()
    with measuring.alone():
        time.sleep(0.5)
    with measuring.alone() as lease:
        assert lease.waited < 0.4


def test_a_measurement_within_a_measurement(join: Join) -> None:
    measuring, other = join(), join(patience=0.05)
    with measuring.alone(), measuring.alone() as inner:
        assert inner.alone
        with other.alone() as lease:
            assert not lease.alone
    with other.alone() as lease:
        assert lease.alone


def test_what_is_raised_while_measuring_gives_the_host_back(join: Join) -> None:
    measuring, other = join(), join(patience=0.05)
    with pytest.raises(KeyboardInterrupt), measuring.alone():
        raise KeyboardInterrupt
    with other.alone() as lease:
        assert lease.alone


def test_what_is_raised_while_waiting_leaves_nothing_behind(join: Join) -> None:
    measuring, ordinary, other = join(), join(), join(patience=0.05)
    ordinary.enter()

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measuring.alone(interrupt).__enter__()
    ordinary.leave()
    with other.alone() as lease:
        assert lease.alone
    with measuring.alone() as lease:
        assert lease.alone


def test_waiting_session_says_so(join: Join) -> None:
    measuring, ordinary = join(patience=0.3), join()
    ordinary.enter()
    told: list[str] = []
    with measuring.alone(told.append):
        assert set(told) == {"waiting 0 s for exclusive host access"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_leaves_the_locks_alone(join: Join) -> None:
    host, other = join(), join(patience=0.05)
    host.enter()
    child = os.fork()
    if child == 0:
        with host.alone() as lease:
            host.leave()
            os._exit(7 if not lease.alone and "forked" in lease.reason else 8)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with other.alone() as lease:
        assert not lease.alone


def test_nothing_is_written_into_the_folder(join: Join, tmp_path: Path) -> None:
    host = join()
    host.enter()
    with host.alone():
        assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {
            "active.db": 0,
            "waiting.db": 0,
            "next.db": 0,
        }


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "active.db").mkdir()
    with pytest.raises(Unavailable, match=r"active\.db cannot be opened"):
        FileLock(tmp_path / "active.db")


def test_a_file_that_is_something_else_is_reported_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "active.db").write_text("my diary\n" * 1000)
    host = HostLock(tmp_path, PATIENCE)
    host.enter()
    with host.alone() as lease:
        assert not lease.alone
        assert "active.db cannot be locked: file is not a database" in lease.reason
    host.leave()
    host.close()
    assert (tmp_path / "active.db").read_text() == "my diary\n" * 1000


def test_without_sqlite3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(Unavailable, match="this Python has no sqlite3 module"):
        FileLock(tmp_path / "active.db")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_the_users_own(temporary: Path) -> None:
    path = file_lock.folder()
    assert path.parent == temporary
    assert file_lock.folder() == path
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="about permissions of POSIX")
def test_a_folder_that_others_could_write_to_is_not_used(temporary: Path) -> None:
    path = file_lock.folder()
    path.chmod(0o777)
    with pytest.raises(Unavailable, match="not a folder that only this user can write to"):
        file_lock.folder()
    path.rmdir()
    (temporary / "elsewhere").mkdir()
    path.symlink_to(temporary / "elsewhere")
    with pytest.raises(Unavailable, match="not a folder that only this user can write to"):
        file_lock.folder()


def test_a_folder_that_cannot_be_made(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "missing"))
    with pytest.raises(Unavailable, match="no folder for the lock"):
        file_lock.folder()
