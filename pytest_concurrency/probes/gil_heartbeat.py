"""GIL probe: a thread that asks for the GIL at short intervals while a test body runs, which may hold it.

A thread that computes in Python gives up the GIL when another one asks for it, but only after the switch interval
(5 ms). During the probe that interval is long, so the probe thread wakes up late by as long as the body really holds
the GIL. A few milliseconds then show whether the computing releases the GIL. Once a hold has lasted for the long
interval, the usual one is restored: a body that polls for the result of a thread of its own would otherwise wait for
the long interval at each switch.
One CPU is enough, because what counts is when the GIL was available, not which thread ran.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pytest_concurrency.core.model import GilProbe, Interval, Reading, Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.machine.originals import Event, Thread
from pytest_concurrency.probes.process_threads import HELP, ProcessThreads, cpu_by_thread, in_turn
from pytest_concurrency.probes.thread_clock import ThreadClock, active_of, growth

# Switch interval, in seconds, that ends a longer hold, so that watchdogs and Ctrl-C work. A longer hold reads as this.
_PATIENCE = 2.0
_SHARE_PATIENCE = 0.05  # the same where only the held share of the computing is measured, not the longest hold
_BEAT = 0.0005  # seconds that the probe thread sleeps
NOTABLE = 0.002  # seconds; the place of a longer hold is worth another batch
_ASKING = NOTABLE / 2  # switch interval with which the GIL is requested before such a hold has ended
_ALERT = 0.001  # seconds; a wake-up with a shorter run-queue delay would have seen a hold
# Timer slack and waking up make every sleep late by about this many seconds, even when the GIL is free.
_SLACK = 0.0004
_PROMPT = 0.0002  # seconds; with a shorter run-queue delay, the probe thread got a CPU as soon as it wanted one
_WAITS = 0.05  # share of blocked time above which a body alternates between computing and waiting
_THROUGHOUT = 0.8  # a body that computed for this part of a probe interval also computed at the end of the interval
_REPRESENTS = 0.15  # part of the CPU time that such intervals must cover; those in which a wait begins make up to 0.1
_TIME_SLICE = 0.01  # longest time, in seconds, that Linux lets a thread compute while another one wants its CPU
_BRIEF = 0.001  # seconds; a beat sees little of a hold that is not longer, as it may ask for the GIL only near its end
_ASIDE = 0.1  # part of the body's CPU time from which what others compute counts as its own
_TRIES = 3  # trial wake-ups, which show how late sleeps are where the run-queue delay cannot be read


def unavailable() -> str | None:
    """Return why there is no GIL to wait for here, or None."""
    return None if gil_enabled() else "this interpreter runs without a GIL"


@dataclass(frozen=True, slots=True)
class Wakeup:
    """One sleep of the probe thread, and its wait for the GIL afterwards.

    ``late`` is the wake-up latency, with a wait for the GIL just before the sleep. ``delay`` is the part of it in which
    the probe thread had no CPU, ``cpu`` the CPU time of the watched thread from before the sleep until the probe thread
    had the GIL. ``switches`` counts how often the probe thread gave up its CPU: once to sleep, and once more if it
    found the GIL taken. After a single switch, a wake-up is late for another reason than the GIL. ``in_turn`` is the
    CPU time of threads that may have held the GIL one after the other. ``holds`` is how many holds it waited for,
    estimated from how often it woke up: the thread that gives up the GIL wakes the probe thread, and may have taken it
    again by then. ``all_cpu`` is the CPU time of all threads but the probe thread.
    """

    due: float
    late: float
    delay: float
    cpu: float | None
    switches: int | None = None
    in_turn: float = 0.0
    holds: int = 1
    all_cpu: float = 0.0

    @property
    def found_taken(self) -> bool:
        return self.switches is None or self.switches > 1


@dataclass(frozen=True, slots=True)
class Wakeups:
    """All wake-ups during one batch.

    ``coarse`` is how late sleeps always are here, measured where the run-queue delay cannot be read. ``others`` is how
    many seconds threads that do not belong to the body were running or ready to run, and may have held the GIL.
    ``all_cpu`` and ``all_delay`` are the CPU time and the run-queue delay, in seconds, of all threads that do,
    ``own_cpu`` is the CPU time of the watched one, which may have run ``setup=`` before the batch, and ``children_cpu``
    that of child processes that have ended.
    """

    beats: tuple[Wakeup, ...]
    coarse: float = 0.0
    others: float = 0.0
    all_cpu: float = 0.0
    all_delay: float = 0.0
    own_cpu: float = 0.0
    children_cpu: float = 0.0


class Heartbeat:
    """The probe thread, which runs from ``start`` to ``stop``; for one probe of one thread."""

    def __init__(self, watched: int | None, others: Collection[int], switch_interval: float = _PATIENCE) -> None:
        self._watched = watched
        self._interval, self._usual = switch_interval, sys.getswitchinterval()
        self._others = others
        self._measures_longest = switch_interval >= _PATIENCE
        self._beats: list[Wakeup] = []
        self._tried: list[Wakeup] = []
        self._active: dict[int, float] = {}
        self._longest = 0.0
        self._stood: tuple[stack_locations.Place, ...] = ()
        self._stopping = Event()
        self._beating = Event()
        self._thread = Thread(target=self._live, name="concurrency-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()
        try:
            self._beating.wait(_PATIENCE)
        except BaseException:  # Ctrl-C: the thread would beat until Python ends
            self._stopping.set()
            raise
        self._active = active_of(self._others)
        self._threads = ProcessThreads()
        self._own = self._watched_cpu()
        self._children = CLOCKS.children_cpu()

    @property
    def place(self) -> str | None:
        """Where the body was in its longest hold. The source file is read here, so not while the body runs."""
        return stack_locations.in_body(self._stood)

    def run(self, run_one: Callable[[], Sample]) -> tuple[Sample, Wakeups]:
        """Run one batch while the probe thread is active."""
        self.start()
        try:
            sys.setswitchinterval(self._interval)
            sample = run_one()
        finally:
            sys.setswitchinterval(self._usual)
            beats = self.stop()
        return sample, beats

    def stop(self) -> Wakeups:
        self._stopping.set()
        active = growth(self._active, active_of(self._others))
        self._thread.join(_PATIENCE)
        self._threads.finish({self._thread.native_id or 0, *self._others})
        return Wakeups(
            tuple(self._beats),
            max((beat.late for beat in self._tried), default=0.0),
            active,
            self._threads.cpu,
            self._threads.delay,
            self._watched_cpu() - self._own,
            CLOCKS.children_cpu() - self._children,
        )

    def _watched_cpu(self) -> float:
        clock = _cpu_clock_of(self._watched)
        with contextlib.suppress(OSError):  # the watched thread has ended
            return clock() if clock else 0.0
        return 0.0

    def _live(self) -> None:
        clock = ThreadClock()
        watched_cpu = _cpu_clock_of(self._watched)
        with contextlib.closing(clock):
            while clock.delay() is None and len(self._tried) < _TRIES:  # sleeps may be coarse: on Windows, 16 ms
                self._tried.append(self._beat(clock, None))
            self._beating.set()
            with contextlib.suppress(OSError):  # the watched thread has ended
                while not self._stopping.is_set():
                    beat = self._beat(clock, watched_cpu)
                    self._beats.append(beat)
                    if self._interval > self._usual and beat.found_taken and beat.late >= self._interval:
                        self._interval = self._usual
                        sys.setswitchinterval(self._usual)

    def _beat(self, clock: ThreadClock, watched_cpu: Callable[[], float] | None) -> Wakeup:
        each = cpu_by_thread() if self._measures_longest else {}
        # The last of these readings gives up the GIL, so the body may hold it before this thread sleeps. In another
        # order, that hold would be neither late nor found, and a body of one hold would seem to have none.
        due = CLOCKS.wall() + _BEAT
        cpu = watched_cpu() if watched_cpu else 0.0
        own, process = CLOCKS.thread_cpu(), CLOCKS.process_cpu()
        switches = clock.switches()
        delay = clock.delay() or 0.0
        asleep = CLOCKS.wall()
        CLOCKS.sleep(_BEAT)
        late = CLOCKS.wall() - due
        after = clock.switches()
        # Look immediately: the next system call lets the body continue, often to its end.
        stood = self._look() if late - (asleep + _BEAT - due) > max(self._longest, 4 * _SLACK) else ()
        total = CLOCKS.process_cpu() - process - (CLOCKS.thread_cpu() - own)
        others = in_turn(each, cpu_by_thread(), total, late) if self._measures_longest and late > NOTABLE else 0.0
        delay = (clock.delay() or 0.0) - delay
        switched = None if switches is None or after is None else after - switches
        computed = watched_cpu() - cpu if watched_cpu else None
        # One wait for the GIL takes one or two switches, for its condition and for the mutex of that. A wait that is
        # longer than the switch interval takes more: at least one in each of these intervals.
        holds = 1 if switched is None or late >= self._interval else max(1, (switched - 1) // 2)
        beat = Wakeup(due, late, delay, computed, switched, others, holds, total)
        if stood and beat.found_taken and late - delay > max(self._longest, 4 * _SLACK):
            self._longest = late - delay
            self._stood = stood
        return beat

    def _look(self) -> tuple[stack_locations.Place, ...]:
        return stack_locations.of_thread(self._watched) or ()


def probe(
    run_one: Callable[[], Sample], watched: int | None, others: Collection[int], longest: bool
) -> tuple[Sample, GilProbe]:
    """Run one batch of one worker (thread ``watched``) while the probe thread is active.

    :param others: native ids of threads that do not belong to the body.
    :param longest: whether the longest hold is measured; otherwise a hold is ended sooner.
    """
    probe_thread = Heartbeat(watched, others, _PATIENCE if longest else _SHARE_PATIENCE)
    sample, beats = probe_thread.run(run_one)
    return sample, summarize(sample.readings[0], beats, probe_thread.place, longest)


def locate(run_one: Callable[[], Sample], watched: int | None) -> str | None:
    """Run one more batch to find where the body gives up the GIL at the end of its longest hold.

    During a probe, the GIL is not requested back: the body continues after a call that held it, and is then found
    wherever it waits next. Here, the GIL is requested while such a call still runs.
    """
    probe_thread = Heartbeat(watched, (), _ASKING)
    probe_thread.run(run_one)
    return probe_thread.place


def summarize(reading: Reading, beside: Wakeups, place: str | None = None, longest_hold: bool = True) -> GilProbe:
    """Return bounds of the part of the body's CPU time in which the GIL was not available.

    If not the longest hold is wanted but that part, helper threads and child processes compute for the body, too.
    """
    slack = max(_SLACK, beside.coarse)
    others_cpu = max(0.0, beside.all_cpu - max(reading.cpu, beside.own_cpu))
    theirs = others_cpu + beside.children_cpu
    helped = not longest_hold and theirs > max(HELP, _ASIDE * reading.cpu)
    cpu = reading.cpu + theirs if helped else reading.cpu
    surely = perhaps = least = beside_others = most = witnessed = alert = total = 0.0
    seen = taken_briefly = free = 0
    unseen = released = 0.0
    for beat in beside.beats:
        # Before and after the body, ``setup=`` and other code of the worker compute. Without this limit, their holds
        # would count as the body's.
        inside = min(beat.due + beat.late, reading.end) - max(beat.due - _BEAT, reading.start)
        if inside <= 0 or beat.due > reading.end:
            continue
        waited = min(beat.due + beat.late, reading.end) - max(beat.due, reading.start)
        delay = min(beat.delay, inside)
        seen += 1
        free += not beat.found_taken and beat.delay < _PROMPT
        # A beat that waits for longer has met a hold of its own, not one of many short ones.
        taken_briefly += beat.found_taken and beat.late - beat.delay <= _BRIEF * beat.holds
        total += inside
        if beat.delay < _ALERT:
            alert += inside
        watched = beat.all_cpu if helped else beat.cpu
        computed = max(0.0, waited) if watched is None else min(watched, inside)
        unseen += min(beat.delay, computed) if beat.delay >= _PROMPT else 0.0
        if not beat.found_taken:
            released += computed if beat.delay < _PROMPT and computed >= _THROUGHOUT * (_BEAT + beat.late) else 0.0
            most = max(most, delay)
            continue
        waited = max(0.0, waited - beat.delay)
        computed = waited if watched is None else computed
        # While the probe thread slept, or had the GIL but no CPU, the body's computing was not a hold.
        sure = max(0.0, computed - _BEAT - beat.delay - slack)
        surely += sure
        perhaps += min(waited, computed) if waited > _SLACK else 0.0
        # A hold without computing (a wait that keeps the GIL) shows only in how long the probe thread waited.
        longest = min(waited - slack - beat.in_turn, (waited - slack) / beat.holds)
        least = max(least, sure / beat.holds, longest - (reading.delay or 0.0))
        beside_others = max(beside_others, sure / beat.holds, longest - beside.all_delay)
        # While the probe thread had no CPU, or slept, it could not see a hold.
        most = max(most, waited + delay)
        if beat.delay < _ALERT:
            witnessed = max(witnessed, waited + delay)
    if _waits_soon(reading) and released < _REPRESENTS * cpu:
        # Holds may have begun and ended while the probe thread slept. The part of the time that they took is that of
        # its wake-ups that found the GIL taken, or came too late to: R. W. Wolff, *Poisson arrivals see time averages*
        # (Operations Research 30, 1982). One more of them allows for chance.
        part = (seen - free + 1) / (seen + 1)
        perhaps = max(perhaps + unseen, min(cpu, part * (reading.cpu + reading.blocked)))
    # While other threads were active, they may have held the GIL. Without this, their holds count as the body's.
    least, beside_others, surely = (max(0.0, bound - beside.others) for bound in (least, beside_others, surely))
    # Where other threads compute, the one that holds the GIL may have the CPU that the probe thread waits for. So
    # it has seen nothing then: otherwise, what it missed would count as evidence that there was no hold.
    covered = alert if others_cpu <= HELP else 0.0
    return GilProbe(
        window=reading.wall,
        cpu=cpu,
        surely_held=surely,
        perhaps_held=max(surely, perhaps),
        longest=Interval(least, max(least, _upper(reading, most, seen))),
        witnessed=witnessed + _BEAT,
        coverage=covered / total if total else 0.0,
        beats=seen,
        where=place,
        taken_briefly=None if any(beat.switches is None for beat in beside.beats) else taken_briefly,
        least_beside_others=min(least, beside_others),
        others_cpu=others_cpu,
    )


def _waits_soon(reading: Reading) -> bool:
    """Whether the body alternates between computing and waiting, and computes for less than a time slice at once.

    A probe thread that has to wait for a CPU may then get one only while the body waits. It may find the GIL free at
    each wake-up, although the body holds the GIL whenever it computes. Only probe intervals in which the body computed
    throughout show that the GIL is released.
    """
    if reading.blocked <= _WAITS * (reading.cpu + reading.blocked):
        return False
    return reading.switches is None or reading.cpu < _TIME_SLICE * max(1, reading.switches)


def _upper(reading: Reading, most: float, seen: int) -> float:
    """Return the upper bound of the longest hold: at most the body's own time, and exactly that without wake-ups."""
    body = reading.cpu + reading.blocked
    return min(most + _BEAT, body) if seen else body


def _cpu_clock_of(ident: int | None) -> Callable[[], float] | None:
    """Return a reader of another thread's CPU time, where the platform has one."""
    if ident is None or not hasattr(time, "pthread_getcpuclockid"):
        return None
    try:
        clock = time.pthread_getcpuclockid(ident)
        time.clock_gettime(clock)
    except OSError:
        return None
    return functools.partial(time.clock_gettime, clock)
