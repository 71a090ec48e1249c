"""The place that an author is told is one of the author's own lines, not the library's that it waits in."""

from __future__ import annotations

import gc
import json
import queue
import selectors
import sys
import threading
from pathlib import Path

import pytest

import pytest_concurrency
from pytest_concurrency.machine import stack_locations

OURS = (str(Path(pytest_concurrency.__file__).parent / "backends" / "batch.py"), 40, "run_batch")
LIBRARY = (queue.__file__, 171, "get")
AUTHORS = ("/home/me/test_it.py", 3, "test_body")
INSTALLED = (str(Path(queue.__file__).parent / "site-packages" / "someone" / "client.py"), 9, "get")


def test_waiting_in_the_library_is_reported_at_the_line_that_waits() -> None:
    assert stack_locations.describe([LIBRARY, AUTHORS, OURS]) == "/home/me/test_it.py:3 in test_body"
    assert stack_locations.in_body([LIBRARY, AUTHORS, OURS]) == "/home/me/test_it.py:3 in test_body"


def test_an_installed_package_is_somebodys_own_code() -> None:
    assert stack_locations.describe([LIBRARY, INSTALLED, AUTHORS]).endswith("client.py:9 in get")


def test_a_body_that_is_the_librarys_is_reported_there() -> None:
    assert f"{queue.__file__}:171 in get" in (stack_locations.in_body([LIBRARY, OURS]) or "")


def test_outside_of_the_body_there_is_no_place() -> None:
    assert stack_locations.in_body([OURS, LIBRARY]) is None
    assert stack_locations.in_body([]) is None
    assert stack_locations.describe([]) == "not readable here"


def test_idle_loop_is_at_no_line_of_the_users_code() -> None:
    poll = (selectors.__file__, 468, "select")
    windows = (str(Path(selectors.__file__).parent / "asyncio" / "windows_events.py"), 774, "_poll")
    assert stack_locations.in_poll([poll, LIBRARY, AUTHORS])
    assert stack_locations.in_poll([windows, LIBRARY, AUTHORS])
    assert not stack_locations.in_poll([LIBRARY, poll])
    assert not stack_locations.in_poll([])


def test_the_source_is_shown_where_it_can_be_read() -> None:
    found: list[str] = []

    def told(value: object) -> str:
        found.append(stack_locations.describe(stack_locations.of_frame(sys._getframe())))
        return ""

    json.dumps(object(), default=told)  # through the library
    (place,) = found
    assert place.startswith(f"{Path(__file__).relative_to(Path.cwd())}:")
    assert place.endswith("in told: found.append(stack_locations.describe(stack_locations.of_frame(sys._getframe())))")


def test_a_folder_whose_name_only_begins_like_the_package_is_an_authors() -> None:
    near = (str(Path(pytest_concurrency.__file__).parent) + "_suite/test_it.py", 1, "test_body")
    assert stack_locations.describe([near]).startswith(stack_locations.relative(near[0]))
    assert stack_locations.in_body([near]) is not None


def test_place_of_another_thread_is_read_only_with_a_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert "wait" in str(stack_locations.of_thread(thread.ident))
        monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
        assert stack_locations.of_thread(thread.ident) == ()
        assert stack_locations.describe(stack_locations.of_thread(thread.ident) or ()) == "not readable here"
    finally:
        stop.set()
        thread.join()
    assert stack_locations.of_thread(thread.ident) is None


def test_place_is_unknown_if_a_frame_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_current_frames", lambda: {1: print})
    assert stack_locations.of_thread(1) == ()


def test_callback_of_the_garbage_collector_is_not_the_place_of_a_thread() -> None:
    seen: list[tuple[stack_locations.Place, ...] | None] = []

    def note(phase: str, info: object) -> None:
        seen.append(stack_locations.of_thread(threading.get_ident()))

    gc.callbacks.append(note)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(note)
    assert [stack[0][2] for stack in seen if stack] == [sys._getframe().f_code.co_name] * 2
