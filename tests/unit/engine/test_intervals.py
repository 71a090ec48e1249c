from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.model import Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine import intervals, readings
from pytest_concurrency.engine.interval_rules.base import ALL_OVERLAPS, NONE_OVERLAPS, Context

from ..make import reading, round_, sample

times = st.floats(0.0001, 0.5)
delays = st.floats(0.0, 0.5)
SAME = 1 + 1e-6


@st.composite
def drawn_readings(draw: st.DrawFn) -> Reading:
    return reading(draw(times), draw(times), draw(delays), late=draw(delays), start=draw(st.floats(0.0, 0.1)))


@given(drawn_readings(), st.lists(drawn_readings(), min_size=1, max_size=6), st.floats(0.5, 16), st.booleans())
def test_bounds_are_in_order_and_positive(alone: Reading, together: list[Reading], cpus: float, gil_held: bool) -> None:
    interval = intervals.speedup(
        round_(alone, *together), Context(len(together), cpus, NONE_OVERLAPS if gil_held else ALL_OVERLAPS)
    )
    assert interval is not None
    assert 0 < interval.low <= interval.high


@given(cpu=times, wait=times, queued=st.lists(st.floats(0, 0.5), min_size=1, max_size=6))
def test_without_delay_both_bounds_are_the_ratio_of_walls(cpu: float, wait: float, queued: list[float]) -> None:
    k = len(queued)
    measured = round_(reading(cpu, wait), *(reading(cpu, wait + more) for more in queued))
    interval = intervals.speedup(measured, Context(k, k))
    assert interval is not None
    ratio = k * (cpu + wait) / (cpu + wait + max(queued))
    assert interval.low == pytest.approx(ratio)
    assert interval.high == pytest.approx(ratio)


@given(cpu=times, walls=st.lists(st.floats(0.5, 1.0), min_size=2, max_size=5), data=st.data())
def test_more_delay_in_the_same_time_only_widens(cpu: float, walls: list[float], data: st.DataObject) -> None:
    """The time is given; the more of it was run delay, the less is sure."""
    k = len(walls)
    made = []
    some = [data.draw(st.floats(0, wall - cpu)) if wall > cpu else 0.0 for wall in walls]
    for part in (0.0, 0.5, 1.0):
        together = [Reading(0.0, wall, cpu, delay * part, 0.0) for wall, delay in zip(walls, some, strict=True)]
        interval = intervals.speedup(round_(reading(cpu, 0.5), *together), Context(k, k))
        assert interval is not None
        made.append(interval)
    for less, more in itertools.pairwise(made):
        assert more.low <= less.low * SAME
        assert more.high * SAME >= less.high


@st.composite
def rounds_of_a_locked_body(draw: st.DrawFn) -> tuple[Round, int]:
    """Bodies wholly inside one lock, in any order of tenures, on a machine that delays whom it likes.

    The worker that begins goes for the lock at once. Its holder may lose its CPU; those who queue may be
    woken and find no CPU, which counts as their delay. Who ever had to queue gave up its CPU for it.
    """
    cpu, wait = draw(st.floats(0.001, 0.1)), draw(st.floats(0.0, 0.1))
    workers = draw(st.integers(2, 5))
    loops = draw(st.integers(1, 3))
    starts = [0.0] + [draw(st.floats(0.0, 0.02)) for _ in range(workers - 1)]
    turns = draw(st.permutations([index for index in range(workers) for _ in range(loops)]))
    now = 0.0
    ends, delays, queued, held_until = [0.0] * workers, [0.0] * workers, [0.0] * workers, list(starts)
    contended = [False] * workers
    for worker in turns:
        now = max(now, starts[worker])
        in_queue = max(0.0, now - held_until[worker])
        contended[worker] |= in_queue > 0
        queued[worker] += in_queue
        delay = draw(st.sampled_from([0.0, 0.0, 0.004, 0.05]))
        delays[worker] += delay
        now += cpu + wait + delay
        ends[worker] = held_until[worker] = now
    share = [draw(st.floats(0.0, 1.0)) for _ in range(workers)]
    alone = reading(cpu * loops, wait * loops, switches=loops if wait else 0)
    together = [
        Reading(
            starts[index],
            ends[index],
            cpu * loops,
            delays[index] + queued[index] * share[index],
            draw(st.floats(0.0, 0.02)),
            (alone.switches or 0) + contended[index],
        )
        for index in range(workers)
    ]
    return Round(1, Sample(loops, (alone,)), Sample(loops, tuple(together))), workers


@given(rounds_of_a_locked_body())
def test_a_locked_body_never_reads_parallel_on_the_pessimistic_bound(measured: tuple[Round, int]) -> None:
    interval = intervals.speedup(measured[0], Context(measured[1], 8))
    assert interval is not None
    assert interval.low <= SAME


@given(
    cpu=times,
    wait=times,
    interfered=st.lists(st.tuples(delays, delays), min_size=2, max_size=6),
    delayed_alone=delays,
)
def test_a_parallel_body_never_reads_serial_on_the_optimistic_bound(
    cpu: float, wait: float, interfered: list[tuple[float, float]], delayed_alone: float
) -> None:
    k = len(interfered)
    # A worker that waited for a CPU before its first stamp starts later by that much.
    together = [
        reading(cpu, wait, delay, start=late if index else 0.0, late=late if index else 0.0)
        for index, (delay, late) in enumerate(interfered)
    ]
    interval = intervals.speedup(round_(reading(cpu, wait, delayed_alone), *together), Context(k, k))
    assert interval is not None
    assert interval.high == pytest.approx(k)


@given(cpu=times, delay=st.lists(delays, min_size=2, max_size=5))
def test_computing_under_the_gil_never_reads_parallel(cpu: float, delay: list[float]) -> None:
    k = len(delay)
    in_turn = (reading(cpu, 0.0, each, start=number * cpu) for number, each in enumerate(delay))
    interval = intervals.speedup(round_(reading(cpu), *in_turn), Context(k, 8, NONE_OVERLAPS))
    assert interval is not None
    assert interval.high <= SAME


@given(cpu=times, held=st.floats(0, 1))
def test_what_overlapped_reads_so_whatever_a_probe_says(cpu: float, held: float) -> None:
    interval = intervals.speedup(round_(reading(cpu), reading(cpu), reading(cpu)), Context(2, 2, Interval(held, held)))
    assert interval is not None
    assert interval.high == pytest.approx(2)


@given(cpu=times, held=st.floats(0.5, 1))
def test_a_part_under_the_gil_bounds_the_whole(cpu: float, held: float) -> None:
    """Both workers got half a CPU: what they would have done with two hangs on the GIL."""
    halved = [reading(cpu, 0.0, cpu), reading(cpu, 0.0, cpu)]
    interval = intervals.speedup(round_(reading(cpu), *halved), Context(2, 2, Interval(held, held)))
    assert interval is not None
    assert interval.high == pytest.approx(1 / held)


@given(cpu=times, cpus=st.floats(1, 4))
def test_computing_is_never_faster_than_its_cpus(cpu: float, cpus: float) -> None:
    interval = intervals.speedup(round_(reading(cpu), *[reading(cpu)] * 8), Context(8, cpus))
    assert interval is not None
    assert interval.high <= cpus * SAME


def test_a_worker_that_never_gave_up_its_cpu_met_no_lock() -> None:
    together = [reading(0.01, 0.0, 0.02, switches=0), reading(0.01, 0.0, 0.02, switches=0)]
    interval = intervals.speedup(round_(reading(0.01, switches=0), *together), Context(2, 2))
    assert interval is not None
    assert interval.low == pytest.approx(2.0)


def test_a_queue_behind_one_who_had_no_cpu_is_not_held_against_the_body() -> None:
    """The first lost its CPU inside a short lock, and the second waited for it: on a quiet machine, neither would."""
    together = [reading(0.01, 0.001, 0.05), reading(0.01, 0.051, 0.0)]
    interval = intervals.speedup(round_(reading(0.01, 0.001), *together), Context(2, 2))
    assert interval is not None
    assert interval.high == pytest.approx(2.0)
    assert interval.low < 0.5


def test_workers_that_never_met_cannot_show_that_there_is_no_lock() -> None:
    """The second began when the first had ended: without a lock or with one, it would look the same."""
    first = reading(0.01, 0.0, 0.0, switches=0, late=0.0)
    second = reading(0.01, 0.0, 0.0, switches=0, start=0.01, late=0.01)
    interval = intervals.speedup(round_(reading(0.01, switches=0), first, second), Context(2, 2))
    assert interval is not None
    assert interval.low == pytest.approx(1.0)
    assert interval.high == pytest.approx(2.0)


@pytest.mark.parametrize(("cpu", "wait", "share"), [(0.01, 0.0, 1.0), (0.0, 0.01, 0.0), (0.01, 0.03, 0.25)])
def test_the_computing_share_leaves_run_delay_out(cpu: float, wait: float, share: float) -> None:
    assert readings.cpu_share(sample(reading(cpu, wait, 0.5))) == pytest.approx(share)


def test_a_helper_that_was_kept_from_its_cpu_alone_makes_no_speedup() -> None:
    alone = reading(0.01, 0.015, accounting="unseen")  # did the helper wait for a CPU, or for something else?
    together = [reading(0.01, 0.01, accounting="unseen")] * 2
    beside = intervals.speedup(round_(alone, *together, interference=Interference(foreign=1.0)), Context(2, 2.0))
    quiet = intervals.speedup(round_(alone, *together, interference=Interference(foreign=0.0)), Context(2, 2.0))
    assert beside is not None
    assert quiet is not None
    assert beside.low <= 2 * 0.01 / 0.02
    assert quiet.low > 2


@pytest.mark.parametrize(
    ("workers", "foreign", "expected"), [(4, 0.0, False), (4, 1.0, True), (4, None, True), (2, 0.0, True)]
)
def test_workers_that_queue_for_each_other_are_not_disturbed(
    workers: int, foreign: float | None, expected: bool
) -> None:
    together = [reading(0.01, delay=0.01)] * workers
    made = round_(reading(0.01), *together, interference=Interference(foreign))
    assert readings.disturbed(made, cpus=2) is expected


def test_a_rare_long_call_may_be_seen_by_several_workers_first() -> None:
    usual = round_(reading(0.01), *[reading(0.01, wait=0.03)] * 4)
    rare = round_(reading(0.01), *[reading(0.01, wait=0.03)] * 3, reading(0.01, wait=0.25))
    assert not readings.seen_in_concurrent_only([usual] * 3)
    assert readings.seen_in_concurrent_only([usual, rare, usual])
    assert not readings.seen_in_concurrent_only([usual, rare, usual] * 10)
    assert not readings.seen_in_concurrent_only([round_(reading(0.01)), round_(reading(0.1))])


def test_round_beside_others_needs_the_run_delay_of_each_worker() -> None:
    """Where files run short, some workers have no clock of their run delay, and seemed to have waited for no CPU."""
    known, unknown = reading(0.01, 0.01), reading(0.01, 0.01, None)
    for others, readable in ((1.0, False), (0.0, True), (None, False)):
        assert readings.readable(round_(known, known, unknown, interference=Interference(others))) is readable
        assert readings.readable(round_(unknown, known, known, interference=Interference(others))) is readable
    assert readings.readable(round_(known, known, known, interference=Interference(1.0)))


def test_helpers_of_a_single_reading_compute_on_all_cpus() -> None:
    """Tasks have one reading. With one CPU for it, calls of helpers that vary were never taken for chance."""
    serial, together = reading(0.01, accounting="helped"), reading(0.02, accounting="helped")
    context = Context(4, cpus=2.0)
    assert intervals.most_by_computing(round_(serial, together), context) == pytest.approx(4.0)
    alone = reading(0.01), reading(0.02)
    assert intervals.most_by_computing(round_(*alone), context) == pytest.approx(2.0)
