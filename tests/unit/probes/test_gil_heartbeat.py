"""What beats beside a body say of the GIL; the beats are written down, not measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.model import GilProbe, Reading
from pytest_concurrency.engine.claims import gil_vote
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.gil_heartbeat import Heartbeat, Wakeup, Wakeups, summarize

from ..make import reading

BEAT = 0.0005


def beats(seconds: float, late: float, delay: float = 0.0, computed: float | None = None, **more: Any) -> list[Wakeup]:
    """Beats from 0 to ``seconds``, all as late."""
    found, now = [], 0.0
    while now < seconds:
        found.append(Wakeup(now + BEAT, late, delay, computed, **more))
        now += BEAT + late
    return found


def heard(cpu: float, wait: float, found: list[Wakeup], delay: float = 0.0, **more: float) -> GilProbe:
    return summarize(reading(cpu, wait, delay), Wakeups(tuple(found), **more))


def test_a_body_that_holds_the_gil_makes_every_beat_late() -> None:
    probe = heard(0.05, 0.0, beats(0.05, late=0.01, computed=0.0105, switches=2))
    assert probe.surely_held > 0.5 * probe.cpu
    assert gil_vote(probe).direction == 1
    assert 0.008 < probe.longest.low <= 0.0105 <= probe.longest.high


def test_a_body_that_releases_the_gil_makes_none_late() -> None:
    probe = heard(0.05, 0.0, beats(0.05, late=0.0001, computed=0.0006, switches=1))
    assert probe.perhaps_held < 0.1 * probe.cpu
    assert gil_vote(probe).direction == -1
    assert probe.longest.high < 0.002


def test_a_beat_that_had_no_cpu_is_no_sighting() -> None:
    """Late because other programs had the CPU: the body computed meanwhile, and need not have held the GIL."""
    probe = heard(0.05, 0.0, beats(0.1, late=0.01, delay=0.0098, computed=0.008, switches=1), delay=0.05)
    assert probe.surely_held == 0
    assert gil_vote(probe).direction <= 0
    assert probe.longest.low < 0.001


def test_computing_before_a_beat_had_a_cpu_may_have_held_the_gil() -> None:
    """The probe thread got a CPU when the body began to wait, and could have the GIL at once."""
    probe = heard(0.025, 0.025, beats(0.05, late=0.0095, delay=0.0094, computed=0.005, switches=1))
    assert probe.surely_held == 0
    assert probe.perhaps_held > 0.9 * probe.cpu
    assert gil_vote(probe).direction == 0


def test_beats_throughout_which_the_body_computed_show_that_the_gil_is_released() -> None:
    """Half of the beats had a CPU in time, while the body computed on."""
    free = beats(0.0125, late=0.0001, delay=0.0, computed=0.0006, switches=1)
    late = beats(0.025, late=0.005, delay=0.0049, computed=0.0025, switches=1)
    probe = heard(0.025, 0.01, [*free, *late])
    assert probe.perhaps_held == 0
    assert gil_vote(probe).direction == -1


def test_what_the_body_computes_between_two_beats_is_no_hold() -> None:
    probe = heard(0.05, 0.0, beats(0.05, late=0.0002, computed=0.0007, switches=2))
    assert probe.surely_held == 0
    assert gil_vote(probe).direction == -1


def test_a_wait_that_keeps_the_gil_shows_as_a_hold() -> None:
    probe = heard(0.0, 0.05, beats(0.05, late=0.05, computed=0.0, switches=2))
    assert probe.longest.low > 0.04
    assert probe.surely_held == 0


def test_thread_that_holds_the_gil_without_a_cpu_holds_it_no_longer_beside_others() -> None:
    late = beats(0.06, late=0.06, computed=0.0, switches=2)
    probe = heard(0.0, 0.06, late, all_cpu=0.02, all_delay=0.04)
    assert probe.longest.low > 0.05
    assert probe.least_beside_others == pytest.approx(0.02, abs=0.001)
    assert probe.others_cpu == pytest.approx(0.02)


def test_what_the_worker_computed_under_the_gil_is_a_hold_beside_others_too() -> None:
    late = beats(0.06, late=0.06, computed=0.06, switches=2)
    probe = heard(0.06, 0.0, late, all_cpu=0.06, all_delay=0.04)
    assert probe.least_beside_others == pytest.approx(probe.longest.low)


def test_threads_that_hold_the_gil_one_after_the_other_hold_it_no_longer_than_one_of_them() -> None:
    late = beats(0.06, late=0.06, computed=0.0, switches=2, in_turn=0.03)
    probe = heard(0.0, 0.06, late)
    assert probe.longest.low == pytest.approx(0.03, abs=0.001)
    assert probe.longest.high >= 0.06


@pytest.mark.parametrize("computed", [0.0, 0.06], ids=["in helpers", "in the worker"])
def test_gil_that_is_let_go_and_taken_again_is_held_for_a_part_of_the_wait(computed: float) -> None:
    late = beats(0.06, late=0.06, computed=computed, switches=7, holds=3)
    probe = heard(computed, 0.06 - computed, late)
    assert probe.longest.low == pytest.approx(0.02, abs=0.001)
    assert probe.longest.high >= 0.06


def test_probe_thread_without_a_cpu_may_miss_the_same_hold_of_a_helper_each_time() -> None:
    quiet = beats(0.1, late=0.0001, computed=0.0, switches=1)
    starved = Wakeup(0.1, 0.03, delay=0.01, cpu=0.0, switches=2)
    assert heard(0.0, 0.13, [*quiet, starved]).coverage > 0.6
    assert heard(0.0, 0.13, [*quiet, starved], all_cpu=0.03).coverage == 0.0


def test_beats_outside_of_the_body_say_nothing_of_it() -> None:
    before = Wakeup(due=-1.0, late=0.5, delay=0.0, cpu=0.4)
    after = Wakeup(due=1.0, late=0.5, delay=0.0, cpu=0.4)
    probe = heard(0.01, 0.0, [before, after])
    assert (probe.beats, probe.surely_held, probe.perhaps_held) == (0, 0.0, 0.0)


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_setup_that_ends_as_the_body_begins_is_no_hold(delay: float) -> None:
    setup = Wakeup(due=-0.04, late=0.0401, delay=delay, cpu=0.04, switches=2)
    probe = heard(0.0, 0.01, [setup, *beats(0.01, late=0.0001, computed=0.0, switches=1)])
    assert probe.longest.low == probe.surely_held == 0.0
    assert probe.longest.high < 0.002
    assert probe.witnessed < 0.002


def test_without_a_beat_a_hold_is_at_most_the_body() -> None:
    probe = heard(0.01, 0.02, [], delay=0.5)
    assert probe.beats == 0
    assert probe.longest.low == 0.0
    assert probe.longest.high == pytest.approx(0.03)
    assert gil_vote(probe).direction == 0


def test_the_place_goes_with_it() -> None:
    assert summarize(reading(0.01), Wakeups(()), "test_it.py:3 in body").where == "test_it.py:3 in body"


@given(
    cpu=st.floats(0, 0.1),
    wait=st.floats(0.0001, 0.1),
    found=st.lists(
        st.builds(
            Wakeup,
            due=st.floats(-0.1, 0.3),
            late=st.floats(0, 0.1),
            delay=st.floats(0, 0.1),
            cpu=st.none() | st.floats(0, 0.1),
            switches=st.none() | st.integers(1, 3),
        ),
        max_size=20,
    ),
)
def test_bounds_are_in_order(cpu: float, wait: float, found: list[Wakeup]) -> None:
    probe = heard(cpu, wait, found)
    assert 0 <= probe.surely_held <= probe.perhaps_held
    assert 0 <= probe.longest.low <= probe.longest.high
    assert probe.longest.low <= cpu + wait
    assert 0 <= probe.beats <= len(found)


def test_what_another_thread_computed_may_have_been_its_hold() -> None:
    late = beats(0.05, late=0.01, computed=0.0, switches=2)
    probe = heard(0.0, 0.05, late, others=0.03)
    assert probe.longest.low == 0
    assert probe.longest.high >= 0.01
    assert heard(0.0, 0.05, late, others=0.001).longest.low > 0.008


def test_where_sleeps_are_coarse_late_beats_are_no_holds() -> None:
    late = beats(0.1, late=0.015, computed=0.0)
    assert heard(0.0, 0.1, late, coarse=0.0155).longest.low == 0
    assert heard(0.0, 0.1, late, coarse=0.0004).longest.low > 0.014


def shared(cpu: float, wait: float, found: list[Wakeup], **more: float) -> GilProbe:
    """What a probe says of the held part of the computing, that of helper threads and child processes included."""
    return summarize(reading(cpu, wait), Wakeups(tuple(found), **more), longest_hold=False)


def test_a_helper_thread_that_holds_the_gil_makes_beats_late() -> None:
    late = beats(0.05, late=0.01, computed=0.0, switches=2, all_cpu=0.0105)
    assert gil_vote(shared(0.0, 0.05, late, all_cpu=0.05)).direction == 1


def test_helper_threads_that_release_the_gil_make_none_late() -> None:
    prompt = beats(0.05, late=0.0001, computed=0.0, switches=1, all_cpu=0.0012)
    probe = shared(0.0, 0.05, prompt, all_cpu=0.1)
    assert probe.cpu == 0.1
    assert gil_vote(probe).direction == -1


def test_a_child_process_holds_no_gil_of_this_one() -> None:
    prompt = beats(0.05, late=0.0001, computed=0.0, switches=1)
    probe = shared(0.0, 0.05, prompt, children_cpu=0.05)
    assert probe.cpu == 0.05
    assert gil_vote(probe).direction == -1


def test_beats_that_get_the_gil_soon_are_counted() -> None:
    """A body that holds the GIL for 3 ms at a time makes beats wait for long, which is no brief release."""
    brief = beats(0.02, late=0.0001, computed=0.0006, switches=2)
    held = beats(0.02, late=0.003, computed=0.0035, switches=2)
    assert heard(0.02, 0.0, brief).taken_briefly == heard(0.02, 0.0, brief).beats > 30
    assert heard(0.02, 0.0, held).taken_briefly == 0


def test_what_setup_computes_before_the_batch_is_no_help() -> None:
    """The watched thread ran it, so its CPU time is in that of all threads."""
    found = beats(0.05, late=0.005, computed=0.0055, switches=2, all_cpu=0.0055)
    assert shared(0.05, 0.0, found, all_cpu=0.25, own_cpu=0.25).others_cpu == 0
    assert shared(0.05, 0.0, found, all_cpu=0.25, own_cpu=0.05).others_cpu == pytest.approx(0.2)


def test_short_holds_between_waits_are_not_taken_for_released() -> None:
    """A body that computes for 0.7 ms and waits for 0.8 ms: each beat that wanted the GIL came late, or ended soon."""
    body = Reading(0.0, 0.008, 0.0036, 0.0, None, 5)
    late = [Wakeup(0.0015 * n + 0.0005, 0.00045, 0.0004, 0.0007, 1) for n in range(5)]
    free = [Wakeup(0.0015 * n + 0.0012, 0.0001, 0.0, 0.0, 1) for n in range(5)]
    unknown = summarize(body, Wakeups((*late, *free)), longest_hold=False)
    assert unknown.perhaps_held == pytest.approx(body.cpu)
    assert gil_vote(unknown).direction == 0
    prompt = [replace(beat, delay=0.0) for beat in late]
    assert gil_vote(summarize(body, Wakeups((*prompt, *free)), longest_hold=False)).direction == -1


class StallingClock:
    """The clock of a probe thread that waits for the GIL at the end of its first reading of the run-queue delay."""

    def __init__(self, stall: float) -> None:
        self.now, self.switched, self._stall = 0.0, 0, stall

    def delay(self) -> float:
        self.now += self._stall
        self.switched += self._stall > 0
        self._stall = 0.0
        return 0.0

    def switches(self) -> int:
        return self.switched

    def sleep(self, seconds: float) -> None:
        self.now += seconds + 0.0001
        self.switched += 1


@pytest.mark.parametrize(("stall", "found"), [(0.003, True), (0.0, False)])
def test_hold_that_begins_before_the_probe_thread_sleeps_is_seen(
    stall: float, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of one hold of 3 ms was called one that releases the GIL, in half of its probes."""
    clock = StallingClock(stall)
    for name in ("thread_cpu", "process_cpu"):
        monkeypatch.setattr(CLOCKS, name, lambda: 0.0)
    monkeypatch.setattr(CLOCKS, "wall", lambda: clock.now)
    monkeypatch.setattr(CLOCKS, "sleep", clock.sleep)
    beat = Heartbeat(None, (), 0.05)._beat(cast("Any", clock), None)
    assert beat.found_taken is found
    assert beat.late == pytest.approx(stall + 0.0001)
