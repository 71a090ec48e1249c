"""What keeps workers from being faster, in words."""

from __future__ import annotations

import pytest

from pytest_concurrency.core.outcomes import Bound
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.verdicts import causes


@pytest.mark.parametrize(
    ("workers", "speedup", "said"),
    [
        (4, 1.02, "only one of 4 threads at a time gets through."),
        (6, 2.03, "only 2 of 6 threads at a time get through."),
        (8, 2.67, "only 3 of 8 threads at a time get through."),
        # One wave more takes as long, whether it is full or not.
        (4, 1.98, "4 threads gain only 1.98x, as with a limit of 2 or 3."),
        (6, 3.0, "6 threads gain only 3.00x, as with a limit of 3 to 5."),
        # Calls that vary get through in no waves.
        (24, 6.9, "only about 7 of 24 threads at a time get through."),
        (4, 3.2, "only about 3 of 4 threads at a time get through."),
        (4, None, "otherwise"),
    ],
)
def test_calls_get_through_a_limit_in_waves(workers: int, speedup: float | None, said: str) -> None:
    assert causes._let_through(WorkerSetup("threads", workers), speedup, "otherwise") == said


@pytest.mark.parametrize(("helped", "kind"), [(False, "one-event-loop"), (True, "contention")])
def test_computing_that_tasks_hand_over_is_not_that_of_their_loop(helped: bool, kind: str) -> None:
    cause = causes.of_speedup(Bound("cpu", 1.0, 0.0), WorkerSetup("tasks", 4), speedup=1.0, helped=helped)
    assert cause.kind == kind
    assert ("in other threads or processes" in cause.why) == helped
