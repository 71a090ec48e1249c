"""How many calls a serial run makes where calls vary."""

from __future__ import annotations

import random

from pytest_concurrency.measurement.single_calls import SingleCalls


def test_a_serial_run_makes_the_calls_that_it_was_given_until_they_vary() -> None:
    calls = SingleCalls(random.Random(1))
    assert "threads" not in calls
    assert (calls.next("threads", 7), calls.vary("threads", 4)) == (7, False)
    calls.make("threads", 3)
    assert "threads" in calls
    assert [calls.next("threads", 7) for _ in range(3)] == [3, 3, 3]


def test_calls_that_vary_keep_no_step_with_the_rounds() -> None:
    calls = SingleCalls(random.Random(1))
    calls.make("threads", 3)
    seen = []
    for _ in range(50):
        assert calls.vary("threads", 4)
        seen.append(calls.next("threads", 7))
    assert set(seen) == {1, 2, 3, 4, 5}
    assert calls.next("threads", 7) == 3, "only the next round makes another number"


def test_at_least_one_call_is_made() -> None:
    calls = SingleCalls(random.Random(1))
    calls.make("threads", 1)
    seen = set()
    for _ in range(50):
        calls.vary("threads", 1)
        seen.add(calls.next("threads", 7))
    assert seen == {1, 2}


def test_an_input_that_serves_one_batch_is_called_once() -> None:
    calls = SingleCalls(random.Random(1))
    calls.make("threads", None)
    assert not calls.vary("threads", 4)
    assert calls.next("threads", 7) == 1
