"""The shipped fakes behave like what they stand for."""

from __future__ import annotations

import pytest

from pytest_concurrency.engine.plan import Bench, WorkerSetup
from pytest_concurrency.testing import Noise, ScriptedBench, ScriptedBody, ScriptedClock

FOUR = WorkerSetup("threads", 4)


def speedup(body: ScriptedBody, setup: WorkerSetup = FOUR, **more: object) -> float:
    round_ = ScriptedBench(body, **more).round(setup)
    assert round_.concurrent is not None
    return (setup.workers or 1) * round_.serial.wall / round_.concurrent.wall


@pytest.mark.parametrize(
    ("body", "cpus", "expected"),
    [
        (ScriptedBody(wait=0.01), 1, 4.0),
        (ScriptedBody(wait=0.01, lock=1.0), 8, 1.0),
        (ScriptedBody(wait=0.01, lock=0.5), 8, 2.0),
        (ScriptedBody(cpu=0.01), 8, 4.0),
        (ScriptedBody(cpu=0.01), 2, 2.0),
        (ScriptedBody(cpu=0.01, holds_gil=True), 8, 1.0),
        (ScriptedBody(cpu=0.01, growth=2.0), 8, 2.0),
        (ScriptedBody.of_speedup(3.0), 8, 3.0),
        (ScriptedBody.of_speedup(2.4, cpu_share=0.5), 8, 2.4),
    ],
)
def test_the_model_has_the_speedup_that_it_should(body: ScriptedBody, cpus: float, expected: float) -> None:
    assert speedup(body, cpus=cpus) == pytest.approx(expected, rel=0.01)


def test_without_a_gil_or_in_processes_there_is_no_hold() -> None:
    body = ScriptedBody(cpu=0.01, holds_gil=True)
    assert speedup(body, has_gil=False) == pytest.approx(4.0)
    assert speedup(body, WorkerSetup("processes", 4)) == pytest.approx(4.0)


def test_tasks_share_one_thread() -> None:
    round_ = ScriptedBench(ScriptedBody(cpu=0.01)).round(WorkerSetup("tasks", 4))
    assert round_.concurrent is not None
    assert round_.concurrent.workers == 1
    assert round_.concurrent.wall == pytest.approx(4 * round_.serial.wall)


def test_one_seed_is_one_history() -> None:
    noise = Noise(jitter=0.1, outliers=0.2, drift=0.2, burst_every=0.05, burst_length=0.05, load=2.0)
    body = ScriptedBody(cpu=0.005, wait=0.005)

    def history(seed: int) -> list[object]:
        bench = ScriptedBench(body, noise, seed=seed)
        return [bench.round(FOUR) for _ in range(10)]

    assert history(1) == history(1)
    assert history(1) != history(2)


@pytest.mark.parametrize(("unseen", "readable"), [(0.0, True), (1.0, False)])
def test_bursts_show_as_run_delay_unless_unseen(unseen: float, readable: bool) -> None:
    noise = Noise(burst_every=1e-6, burst_length=1e9, load=2.0, unseen=unseen)
    bench = ScriptedBench(ScriptedBody(cpu=0.01), noise, cpus=8)
    round_ = [bench.round(FOUR) for _ in range(2)][-1]
    assert round_.concurrent is not None
    assert (round_.concurrent.delay > 0.01) is readable
    assert round_.concurrent.wall > 0.0101
    stolen, foreign = round_.interference.steal, round_.interference.foreign
    assert (foreign if readable else stolen) == 16.0


def test_the_parts_of_a_lifetime_add_up() -> None:
    noise = Noise(jitter=0.05, burst_every=0.01, burst_length=0.05, load=1.0)
    bench = ScriptedBench(ScriptedBody(cpu=0.004, wait=0.004, lock=0.5), noise, cpus=2)
    for _ in range(50):
        together = bench.round(FOUR).concurrent
        assert together is not None
        for reading in together.readings:
            assert reading.cpu + reading.blocked + (reading.delay or 0.0) == pytest.approx(reading.wall, rel=0.01)


def test_the_scripted_bench_is_a_bench() -> None:
    promised = {name for name in vars(Bench) if not name.startswith("_")}
    bench = ScriptedBench(ScriptedBody(wait=0.01))
    assert {name for name in promised if not hasattr(bench, name)} == set()


def test_time_passes_only_by_advance_and_sleep() -> None:
    clock = ScriptedClock(5.0)
    assert clock() == clock() == 5.0
    clock.sleep(0.5)
    clock.advance(1.0)
    assert clock() == 6.5
    assert clock.sleeps == [0.5]
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1.0)


def test_a_body_must_take_time() -> None:
    with pytest.raises(ValueError, match="cpu or wait"):
        ScriptedBody()
