"""What computes for a body besides its workers (pure part)."""

from __future__ import annotations

import threading
import time

import pytest

from pytest_concurrency.probes import helper_threads

from ..make import reading


@pytest.mark.parametrize(
    ("helpers_cpu", "cpu", "accounting"),
    [(0.0, 0.001, "seen"), (0.0005, 0.001, "seen"), (0.006, 0.007, "unseen"), (0.5, 0.01, "unseen")],
)
def test_helpers_are_credited_up_to_what_a_worker_waited(helpers_cpu: float, cpu: float, accounting: str) -> None:
    (credited,) = helper_threads.credit([reading(0.001, 0.009)], helpers_cpu)
    assert credited.cpu == pytest.approx(cpu)
    assert credited.accounting == accounting
    assert credited.cpu + credited.blocked == pytest.approx(0.01)


def test_several_workers_share_the_help() -> None:
    credited = helper_threads.credit([reading(0.001, 0.009), reading(0.001, 0.009)], 0.008)
    assert [one.cpu for one in credited] == pytest.approx([0.005, 0.005])


def test_the_computing_of_another_thread_is_seen_and_the_workers_is_not() -> None:
    def compute() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    beside = helper_threads.HelperThreads(children=False)
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    compute()
    beside.finish()
    assert 0.04 < beside.cpu < 0.09
    assert beside.living_children == 0
