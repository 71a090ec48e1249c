"""What a speedup says of a limit that workers wait for."""

from __future__ import annotations

import pytest

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
