from __future__ import annotations

import pytest

from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.verdicts import left_running

THREAD = Leftover("thread", "Thread-1 (poll)", "shop.py:3 in fetch: Thread(target=poll).start()")
PROCESS = Leftover("process", "4711: sleep 100", inside="a worker process")
TASK = Leftover("task", "poll()", "shop.py:9 in fetch: create_task(poll())")


def test_those_that_differ_in_numbers_only_are_one_with_a_count() -> None:
    other = Leftover("thread", "Thread-12 (poll)", THREAD.made_at)
    elsewhere = Leftover("thread", "Thread-2 (poll)", "shop.py:4 in fetch: start()")
    found = merged([THREAD, other, elsewhere])
    assert [(each.what, each.count) for each in found] == [("Thread-1 (poll)", 2), ("Thread-2 (poll)", 1)]


def test_of_several_verdicts_the_largest_count_is_reported() -> None:
    found = left_running.latest([merged([THREAD]), merged([THREAD, THREAD, TASK]), ()])
    assert {each.kind: each.count for each in found} == {"thread": 2, "task": 1}


@pytest.mark.parametrize(
    ("leftovers", "said"),
    [
        ([TASK], "1 task"),
        (merged([PROCESS, PROCESS]), "2 processes"),
        ([THREAD, PROCESS], "1 thread and 1 process"),
        ([THREAD, PROCESS, TASK], "1 thread, 1 process and 1 task"),
    ],
)
def test_kinds_are_counted(leftovers: list[Leftover], said: str) -> None:
    assert left_running.summary_of(leftovers) == said


def test_a_kind_of_a_later_version_can_be_reported() -> None:
    later = Leftover("fibre", "7", count=2)  # type: ignore[arg-type]
    assert left_running.described(later) == "2 fibres such as 7"


def test_the_message_names_each_with_its_line_and_what_to_do() -> None:
    message = left_running.message_of([THREAD, PROCESS])
    assert message.splitlines()[0] == "the measured code left 1 thread and 1 process running; required: nothing"
    assert "  thread Thread-1 (poll)\n    started at shop.py:3 in fetch" in message
    assert "  process 4711: sleep 100, in a worker process\n\n" in message
    assert "Try: join() its threads and wait() for its processes before the code returns" in " ".join(message.split())
    assert message.endswith("/page/leftovers/")
