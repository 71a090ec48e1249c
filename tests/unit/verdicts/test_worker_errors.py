from __future__ import annotations

import pytest

from pytest_concurrency.core.addresses import about
from pytest_concurrency.verdicts import worker_errors
from pytest_concurrency.verdicts.worker_errors import FINISHED

LOCK = "shop.py:3 in fetch: with LOCK:"
QUEUE = "shop.py:9 in fetch: QUEUE.get()"


def hung(*places: str) -> str:
    return worker_errors.hung("threads", len(places), 10.0, places)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([LOCK], "threads: the worker did not answer within 10 s."),
        ([LOCK, LOCK, QUEUE], "threads: none of the 3 workers answered within 10 s."),
        ([LOCK, FINISHED, QUEUE], "threads: 2 of 3 workers did not answer within 10 s."),
        ([FINISHED, FINISHED], "threads: not all of the 2 workers answered within 10 s."),
    ],
)
def test_first_line_says_how_many_workers_hang(places: list[str], said: str) -> None:
    assert hung(*places).splitlines()[0] == said


def test_workers_at_one_place_are_listed_together_before_finished_ones() -> None:
    lines = hung(FINISHED, LOCK, LOCK, LOCK, QUEUE, FINISHED, LOCK).splitlines()
    where = next(number for number, line in enumerate(lines) if line.startswith("Where: "))
    assert lines[where : where + 3] == [
        f"Where: workers 2 to 4, 7: {LOCK}",
        f"       worker 5: {QUEUE}",
        "       workers 1, 6: finished",
    ]


def test_message_about_many_hung_workers_stays_short() -> None:
    lines = hung(*(f"shop.py:{number} in fetch" for number in range(500))).splitlines()
    assert "       ... and 492 more lines of code" in lines
    assert len(lines) < 20


def test_message_about_hung_workers_says_what_to_do_in_its_last_lines() -> None:
    text = worker_errors.hung("tasks", 2, 10.0, [LOCK, LOCK], worker_errors.TIME_STANDS_STILL, "They stay.")
    assert text.splitlines()[-6:] == [
        f"Where: workers 1, 2: {LOCK}",
        "Try:   if freezegun has frozen the time, write freeze_time(...,",
        "       real_asyncio=True).",
        "",
        "They stay.",
        f"More:  {about('hung-workers')}",
    ]


def test_message_about_a_value_that_cannot_be_sent_has_short_lines() -> None:
    text = worker_errors.not_picklable(
        "fixture 'connection' (a lock)", "a worker process", "cannot pickle '_thread.lock' object", LOCK, "", True
    )
    assert text.splitlines()[:4] == [
        "fixture 'connection' (a lock) cannot be sent to a worker process.",
        "",
        "Cause: it cannot be pickled: cannot pickle '_thread.lock' object.",
        f"Where: {LOCK}",
    ]
    assert text.endswith(f"platform has it.\n\nMore:  {about('not-picklable')}")
    assert max(map(len, text.splitlines())) <= 76


@pytest.mark.parametrize(("peer", "by_fork"), [("", False), ("127.0.0.1:5432", True)])
def test_start_method_is_advised_only_where_it_helps(peer: str, by_fork: bool) -> None:
    text = worker_errors.not_picklable("argument 1 (a Client)", "a worker process", "no", LOCK, peer, by_fork)
    assert "fork" not in text
    assert peer in text


def test_long_reason_of_the_pickling_library_is_shortened() -> None:
    text = worker_errors.not_picklable("argument 1 (a list)", "a worker process", "no\n" * 1000, "", "", True)
    assert len(text.splitlines()) < 15


def test_message_about_a_body_that_cannot_be_loaded_ends_with_the_cause() -> None:
    traceback = 'Traceback (most recent call last):\n  File "x.py", line 1\nImportError: not here\n'
    text = worker_errors.not_loaded("worker process 1", "test_body", traceback, LOCK, "start method spawn: asked for")
    assert text.startswith(f"worker process 1 could not load test_body.\n\nIn the worker:\n{traceback}")
    assert f"\n\nCause: ImportError: not here.\nWhere: {LOCK}\nTry:   " in text
    assert "\nWorkers: start method spawn: asked for.\nMore: " in text
