"""Which bodies a higher priority would change, by what a batch of ordinary priority shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.measurement import ordinary_batch

WORKERS = {(10, 10): (0.0, 0.0), (11, 11): (0.0, 0.0), (11, 12): (0.0, 0.0)}
SERVER = {(20, 20): (1.0, 0.0)}


def sample(cpu: float, **values: Any) -> Sample:
    return Sample(1, (Reading(0.0, 0.1, cpu, **values), Reading(0.0, 0.1, cpu)))


def told(monkeypatch: pytest.MonkeyPatch, batch: Sample, server: float = 0.0, ended: float = 0.0) -> bool:
    """Whether others may work for a batch in which a server, and children that have ended, computed for so long."""
    calls: list[bool] = []
    states = iter(
        [(WORKERS | SERVER, 5.0), ({**dict.fromkeys(WORKERS, (0.1, 0.0)), (20, 20): (1 + server, 0.0)}, 5.0 + ended)]
    )
    state = next(states)
    monkeypatch.setattr(ordinary_batch.process_usage, "descendants", lambda: state[0])
    monkeypatch.setattr(ordinary_batch, "CLOCKS", SimpleNamespace(children_cpu=lambda: state[1]))
    group: Any = SimpleNamespace(native_ids=[10, 12])
    with ordinary_batch.needs_others(group, lambda: calls.append(True)) as take:
        take(batch)
        state = next(states)
    return bool(calls)


@pytest.mark.parametrize(
    ("batch", "server", "ended", "expected"),
    [
        (sample(0.09), 0.0, 0.0, False),  # nothing but the workers
        (sample(0.09), 0.0001, 0.0, True),
        (sample(0.09), 0.0, 0.0001, True),
        (sample(0.09, children_cpu=0.0001), 0.0, 0.0, True),
        (sample(0.001), 0.0001, 0.0001, False),  # workers that wait keep no process from a CPU
    ],
)
def test_workers_that_compute_may_wait_for_any_other_process_of_the_session(
    monkeypatch: pytest.MonkeyPatch, batch: Sample, server: float, ended: float, expected: bool
) -> None:
    assert told(monkeypatch, batch, server, ended) is expected


@pytest.mark.parametrize(
    ("blocked", "switches", "expected"),
    [(0.007, 100, True), (0.07, 100, False), (0.0005, 5, False), (0.007, None, False)],
)
def test_short_waits_are_those_that_the_kernel_rounds_up_notably(
    blocked: float, switches: int | None, expected: bool
) -> None:
    assert ordinary_batch.has_short_waits(Reading(0.0, 0.002 + blocked, 0.002, switches=switches)) is expected
