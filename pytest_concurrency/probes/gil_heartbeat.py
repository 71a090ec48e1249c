"""A thread that wants the GIL now and then, beside a body that may hold it.

A thread that computes in Python gives the GIL up when another asks for it, but only after the switch
interval (5 ms). During the probe that interval is long, so that the probe thread beats late by as long as
the body really holds on: whether the computing inside releases the GIL shows in few milliseconds. Once the GIL had to
be asked back, the usual interval is enough: a body that polls for what a thread of its own does would wait for the
long one at each turn.
One CPU is enough, since what counts is when the GIL could be had, not who ran.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pytest_concurrency.core.model import GilProbe, Interval, Reading, Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.probes.thread_clock import ThreadClock, active_of, growth

# Ends a hold that is longer, so that watchdogs and Ctrl-C are served: what is longer reads as this.
_PATIENCE = 2.0
_SHARE_PATIENCE = 0.05  # the same where only the part of all computing is asked for, whatever the longest hold is
_BEAT = 0.0005
NOTABLE = 0.002  # seconds of a hold from which on its place is worth a second look
_ASKING = NOTABLE / 2  # switch interval with which the GIL is asked back before such a hold has ended
_ALERT = 0.001  # run delay of a beat below which it would have seen a hold
# Timer slack and waking up make every sleep late by about this much, without any GIL.
_SLACK = 0.0004
_PROMPT = 0.0002  # run delay of a beat that had a CPU as soon as it wanted one
_WAITS = 0.05  # share of waiting from which a body computes and waits in turn
_THROUGHOUT = 0.8  # part of a beat that the body must have computed for, to have computed at its end
_REPRESENTS = 0.15  # part of the computing that such beats must have seen; those at which a wait begins make up to 0.1
_TIME_SLICE = 0.01  # seconds that Linux lets a thread compute at the very most while another one wants its CPU
_TRIES = 3  # beats that tell how late they are here, where no run delay does


def unavailable() -> str | None:
    """Return why no one can wait for a GIL here, or None."""
    return None if gil_enabled() else "this interpreter runs without a GIL"


@dataclass(frozen=True, slots=True)
class Wakeup:
    """One sleep and the wait for the GIL after it.

    ``late`` is how long after its time it came, ``delay`` the part of that in which the probe thread had no
    CPU, ``cpu`` what the watched thread computed from before the sleep until the GIL was had.
    ``switches`` counts how often the probe thread gave up its CPU: once to sleep, and once more if it found
    the GIL taken. A beat that is late after one switch was late for another reason.
    """

    due: float
    late: float
    delay: float
    cpu: float | None
    switches: int | None = None

    @property
    def found_taken(self) -> bool:
        return self.switches is None or self.switches > 1


@dataclass(frozen=True, slots=True)
class Wakeups:
    """All beats beside one batch.

    ``coarse`` is how late sleeps are here anyway, where no run delay tells that; ``others`` is how long threads were
    running, or ready to run, that are not the body's: seconds in which the GIL may have been theirs.
    """

    beats: tuple[Wakeup, ...]
    coarse: float = 0.0
    others: float = 0.0


class Heartbeat:
    """Beats between ``start`` and ``stop``; made for one probe of one thread."""

    def __init__(self, watched: int | None, others: Collection[int], switch_interval: float = _PATIENCE) -> None:
        self._watched = watched
        self._interval, self._usual = switch_interval, sys.getswitchinterval()
        self._others = others
        self._beats: list[Wakeup] = []
        self._tried: list[Wakeup] = []
        self._active: dict[int, float] = {}
        self._longest = 0.0
        self._stood: tuple[stack_locations.Place, ...] = ()
        self._stopping = threading.Event()
        self._beating = threading.Event()
        self._thread = threading.Thread(target=self._live, name="concurrency-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._beating.wait(_PATIENCE)
        self._active = active_of(self._others)

    @property
    def place(self) -> str | None:
        """Where the body stood in its longest hold; source files are read here, not beside the body."""
        return stack_locations.in_body(self._stood)

    def run(self, run_one: Callable[[], Sample]) -> tuple[Sample, Wakeups]:
        """Run one batch while the thread beats."""
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
        return Wakeups(tuple(self._beats), max((beat.late for beat in self._tried), default=0.0), active)

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
        cpu = watched_cpu() if watched_cpu else 0.0
        delay = clock.delay() or 0.0
        switches = clock.switches()
        due = CLOCKS.wall() + _BEAT
        CLOCKS.sleep(_BEAT)
        late = CLOCKS.wall() - due
        # At once: the next system call lets the body go on, often to its end.
        stood = self._look() if late > max(self._longest, 4 * _SLACK) else ()
        delay = (clock.delay() or 0.0) - delay
        switched = None if switches is None else (clock.switches() or 0) - switches
        beat = Wakeup(due, late, delay, watched_cpu() - cpu if watched_cpu else None, switched)
        if stood and beat.found_taken and late - delay > max(self._longest, 4 * _SLACK):
            self._longest = late - delay
            self._stood = stood
        return beat

    def _look(self) -> tuple[stack_locations.Place, ...]:
        return stack_locations.of_thread(self._watched) or ()


def probe(
    run_one: Callable[[], Sample], watched: int | None, others: Collection[int], longest: bool
) -> tuple[Sample, GilProbe]:
    """Run one batch of one worker (thread ``watched``) beside a heartbeat.

    :param others: threads that are not the body's, as the system numbers them.
    :param longest: whether the longest hold is asked for; otherwise a hold is ended sooner.
    """
    probe_thread = Heartbeat(watched, others, _PATIENCE if longest else _SHARE_PATIENCE)
    sample, beats = probe_thread.run(run_one)
    return sample, summarize(sample.readings[0], beats, probe_thread.place)


def locate(run_one: Callable[[], Sample], watched: int | None) -> str | None:
    """Run one batch once more to see where it stands when it gives the GIL up: at the end of its longest hold.

    During a probe no one asks for the GIL back, so that a body goes on after a call that held it, and
    is found wherever it waits next.
    """
    probe_thread = Heartbeat(watched, (), _ASKING)
    probe_thread.run(run_one)
    return probe_thread.place


def summarize(reading: Reading, beside: Wakeups, place: str | None = None) -> GilProbe:
    """Bounds of the part of the body's computing in which the GIL could not be had (pure)."""
    slack = max(_SLACK, beside.coarse)
    surely = perhaps = least = most = witnessed = alert = total = 0.0
    seen = taken = 0
    unseen = released = 0.0
    for beat in beside.beats:
        waited = min(beat.due + beat.late, reading.end) - max(beat.due, reading.start)
        if waited <= -_BEAT or beat.due > reading.end:
            continue
        seen += 1
        taken += beat.found_taken
        total += _BEAT + beat.late
        if beat.delay < _ALERT:
            alert += _BEAT + beat.late
        computed = max(0.0, waited) if beat.cpu is None else beat.cpu
        unseen += min(beat.delay, computed) if beat.delay >= _PROMPT else 0.0
        if not beat.found_taken:
            released += computed if beat.delay < _PROMPT and computed >= _THROUGHOUT * (_BEAT + beat.late) else 0.0
            most = max(most, beat.delay)
            continue
        waited = max(0.0, waited - beat.delay)
        computed = waited if beat.cpu is None else beat.cpu
        # What the body computed while the probe thread slept, or had the GIL and no CPU, was not a hold.
        sure = max(0.0, computed - _BEAT - beat.delay - slack)
        surely += sure
        perhaps += min(waited, computed) if waited > _SLACK else 0.0
        # A hold without computing (a wait that keeps the GIL) shows in the probe thread's own waiting only.
        least = max(least, sure, waited - slack - (reading.delay or 0.0))
        # While the probe thread had no CPU, or slept, it could not see a hold.
        most = max(most, waited + beat.delay)
        if beat.delay < _ALERT:
            witnessed = max(witnessed, waited + beat.delay)
    if _waits_soon(reading) and released < _REPRESENTS * reading.cpu:
        perhaps += unseen
    # Any of it may have been a hold of theirs.
    least, surely = max(0.0, least - beside.others), max(0.0, surely - beside.others)
    return GilProbe(
        window=reading.wall,
        cpu=reading.cpu,
        surely_held=surely,
        perhaps_held=max(surely, perhaps),
        longest=Interval(least, max(least, _upper(reading, most, seen))),
        witnessed=witnessed + _BEAT,
        coverage=alert / total if total else 0.0,
        beats=seen,
        where=place,
        taken=None if any(beat.switches is None for beat in beside.beats) else taken,
    )


def _waits_soon(reading: Reading) -> bool:
    """Whether the body computes and waits in turn, and no longer at a time than the system may let a thread do that.

    Then a probe thread that has to wait for a CPU may get one whenever the body waits, and never while it computes: so
    it may find the GIL free at each beat, though the body holds it whenever it computes. Only beats throughout which
    the body computed show that the GIL is released.
    """
    if reading.blocked <= _WAITS * (reading.cpu + reading.blocked):
        return False
    return reading.switches is None or reading.cpu < _TIME_SLICE * max(1, reading.switches)


def _upper(reading: Reading, most: float, seen: int) -> float:
    """No hold is longer than the body itself; without beats that is all that is known."""
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
