"""A discrete-event simulation of threads on CPUs: run queues, one GIL per interpreter, locks, pools and other programs.

It knows nothing of the package under test. A thread's program is a generator that yields operations:

    (COMPUTE, seconds, how)     how: FREES the GIL meanwhile, PYTHON (gives it up when asked), KEEPS it to the end
    (SLEEP, seconds)            waits without the GIL
    (ACQUIRE, resource)         of a lock, a semaphore or a bounded pool
    (RELEASE, resource)
    (SPAWN, program, interpreter, role)   sends the new thread back
    (JOIN, threads)
    (PARK,)                     waits without the GIL until another program calls ``machine.unpark(thread)``

Between two operations a program runs in no time, and holds the GIL of its interpreter if it has one.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

COMPUTE, SLEEP, ACQUIRE, RELEASE, SPAWN, JOIN, PARK = range(7)
FREES, PYTHON, KEEPS = range(3)
NEW, RUNNABLE, RUNNING, BLOCKED, DONE = range(5)

Program = Generator[tuple[Any, ...], Any, None]
SLICE = 0.003  # seconds that a thread gets while others wait for its CPU (Linux 6, two CPUs)
SWITCH_INTERVAL = 0.005  # sys.getswitchinterval()
PREEMPTS = 0.7  # probability that a thread which wakes up displaces one that computes for long
MOVES = 0.1  # probability that a thread goes to another CPU's queue at the end of its slice


@dataclass(eq=False)
class Interpreter:
    """What has a GIL."""

    interval: float = SWITCH_INTERVAL
    holder: Thread | None = None
    waiters: deque[Thread] = field(default_factory=deque)
    drop: bool = False
    switches: int = 0


@dataclass(eq=False)
class Resource:
    """``size`` threads can have it at a time. ``fair``: it is handed to the first in the queue, as asyncio's are."""

    size: int = 1
    fair: bool = False
    taken: int = 0
    queue: deque[Any] = field(default_factory=deque)


class Thread:
    """One thread, with what the kernel counts of it."""

    __slots__ = (
        "cpu",
        "cpu_time",
        "delay",
        "gil_seen",
        "gil_token",
        "handed",
        "has_gil",
        "how",
        "interpreter",
        "joining",
        "last_cpu",
        "parked",
        "program",
        "role",
        "since",
        "state",
        "switches",
        "token",
        "value",
        "waits_for",
        "waits_gil",
        "work",
    )

    def __init__(self, interpreter: Interpreter | None, role: str) -> None:
        self.interpreter = interpreter
        self.role = role
        self.program: Program
        self.state = NEW
        self.cpu: Cpu | None = None
        self.last_cpu: Cpu | None = None
        self.cpu_time = self.delay = self.work = self.since = 0.0
        self.switches = self.token = 0
        self.how = PYTHON
        self.has_gil = self.handed = self.waits_gil = False
        self.gil_seen = -1
        self.gil_token = 0
        self.value: Any = None
        self.waits_for: Resource | None = None
        self.joining: list[Thread] = []  # those that wait for this one's end
        self.parked: bool | None = None  # True: in PARK; False: it was woken before it came there


class Cpu:
    __slots__ = ("begun", "current", "mark", "queue", "slice_token", "slicing", "stalled")

    def __init__(self) -> None:
        self.current: Thread | None = None
        self.queue: deque[Thread] = deque()
        self.mark = 0.0  # up to when its thread's computing is counted
        self.begun = 0.0  # since when its thread has it
        self.slice_token = 0
        self.slicing = False
        self.stalled = False


class Machine:
    """CPUs and what runs on them. ``crowd`` is by how much computing slows down while all CPUs compute."""

    def __init__(self, cpus: int, rng: random.Random, crowd: float = 1.0) -> None:
        self.now = 0.0
        self.cpus = [Cpu() for _ in range(cpus)]
        self.crowd = crowd
        self.spent: defaultdict[str, float] = defaultdict(float)  # CPU time by role
        self.stolen = 0.0
        self._rng = rng
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = itertools.count()
        self._ended = 0

    def at(self, time: float, call: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (time, next(self._number), call, arguments))

    def spawn(
        self, make: Callable[[Thread], Program], interpreter: Interpreter | None = None, role: str = "other"
    ) -> Thread:
        thread = Thread(interpreter, role)
        thread.program = make(thread)
        self._wake(thread)
        return thread

    def run_until_done(self, threads: list[Thread]) -> None:
        events, pop = self._events, heapq.heappop
        for thread in threads:
            while thread.state != DONE:
                if not events:
                    raise RuntimeError("the simulated programs wait for each other")
                self.now, _, call, arguments = pop(events)
                call(*arguments)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, call, arguments = heapq.heappop(self._events)
            call(*arguments)
        self.now = end

    def lateness(self) -> float:
        """By how much a timer of the kernel is late: its slack, and the way out of a CPU's sleep."""
        return 0.00005 + self._rng.expovariate(50_000)

    def unpark(self, thread: Thread) -> None:
        if thread.parked:
            thread.parked = None
            self._wake(thread)
        else:
            thread.parked = False

    def cpu_time_of(self, thread: Thread) -> float:
        """CPU time so far, also while it runs."""
        if thread.cpu is not None:
            self._account(thread.cpu)
        return thread.cpu_time

    def spent_by(self, role: str) -> float:
        for cpu in self.cpus:
            self._account(cpu)
        return self.spent[role]

    def stall(self, cpu: Cpu, seconds: float) -> None:
        """Take a CPU away unseen, as a hypervisor does: its thread counts as running, and does nothing."""
        if cpu.stalled:
            return
        self._account(cpu)
        cpu.stalled = True
        self.stolen += seconds
        if cpu.current is not None:
            cpu.current.token += 1
        self.at(self.now + seconds, self._resume, cpu)

    # Scheduling

    def _resume(self, cpu: Cpu) -> None:
        cpu.stalled = False
        cpu.mark = self.now
        if cpu.current is not None:
            self._go_on(cpu.current)
        elif cpu.queue:
            self._dispatch(cpu, cpu.queue.popleft())

    def _wake(self, thread: Thread) -> None:
        thread.state = RUNNABLE
        thread.since = self.now
        idle = [cpu for cpu in self.cpus if cpu.current is None and not cpu.queue]
        if idle:
            last = thread.last_cpu
            self._dispatch(last if last in idle and last is not None else self._rng.choice(idle), thread)
            return
        last = thread.last_cpu
        if last is not None and self._rng.random() < 0.5:
            cpu = last
        else:
            cpu = min(self.cpus, key=lambda cpu: len(cpu.queue) + self._rng.random())
        current = cpu.current
        # What computes for long without a pause is displaced; what has just woken up itself is not.
        computes = current is not None and cpu.mark < self.now and self.now - cpu.begun > 0.0005
        if computes and self._rng.random() < PREEMPTS:
            cpu.queue.appendleft(thread)
            self._preempt(cpu)
        else:
            cpu.queue.append(thread)
            if not cpu.slicing:
                self._begin_slice(cpu)

    def _begin_slice(self, cpu: Cpu) -> None:
        cpu.slice_token += 1
        current = cpu.current
        # Which of several endless programs runs makes no difference.
        if current is not None and current.work == math.inf and all(thread.work == math.inf for thread in cpu.queue):
            cpu.slicing = False
            return
        cpu.slicing = True
        self.at(self.now + SLICE * (0.8 + 0.4 * self._rng.random()), self._slice_over, cpu, cpu.slice_token)

    def _slice_over(self, cpu: Cpu, token: int) -> None:
        if token != cpu.slice_token:
            return
        cpu.slicing = False
        if cpu.queue and cpu.current is not None:
            self._preempt(cpu)

    def _preempt(self, cpu: Cpu) -> None:
        thread = cpu.current
        assert thread is not None
        self._take_off(cpu, thread)
        thread.state, thread.since = RUNNABLE, self.now
        target = cpu
        if len(self.cpus) > 1 and self._rng.random() < MOVES:
            target = self._rng.choice(self.cpus)
        following = cpu.queue.popleft()
        target.queue.append(thread)
        if target is not cpu and target.current is not None and not target.slicing:
            self._begin_slice(target)
        self._dispatch(cpu, following)
        if target is not cpu and target.current is None and target.queue and not target.stalled:
            self._dispatch(target, target.queue.popleft())

    def _dispatch(self, cpu: Cpu, thread: Thread) -> None:
        if cpu.stalled:
            cpu.queue.append(thread)
            return
        crowded = self.crowd != 1.0
        if crowded:
            self._account_others(cpu)
        cpu.current, cpu.mark, cpu.begun = thread, self.now, self.now
        thread.state, thread.cpu, thread.last_cpu = RUNNING, cpu, cpu
        thread.delay += self.now - thread.since
        if crowded:
            self._retime_others(cpu)
        cpu.slicing = False
        cpu.slice_token += 1
        if cpu.queue:
            self._begin_slice(cpu)
        self._go_on(thread)

    def _leave(self, thread: Thread) -> None:
        """The running thread gives up its CPU and the GIL, in this order: what is woken may run at once."""
        cpu = thread.cpu
        assert cpu is not None
        self._take_off(cpu, thread)
        if thread.has_gil:
            self._release_gil(thread)
        self._next(cpu)

    def _take_off(self, cpu: Cpu, thread: Thread) -> None:
        self._account(cpu)
        if self.crowd != 1.0:
            self._account_others(cpu)
        thread.token += 1
        cpu.current = thread.cpu = None
        if self.crowd != 1.0:
            self._retime_others(cpu)

    def _next(self, cpu: Cpu) -> None:
        if cpu.stalled or cpu.current is not None:
            return
        if cpu.queue:
            self._dispatch(cpu, cpu.queue.popleft())
            return
        busiest = max(self.cpus, key=lambda other: len(other.queue))
        if busiest.queue and self._rng.random() < 0.95:
            self._dispatch(cpu, busiest.queue.popleft())

    def _block(self, thread: Thread) -> None:
        thread.state = BLOCKED
        thread.switches += 1
        self._leave(thread)

    def _account(self, cpu: Cpu) -> None:
        thread = cpu.current
        elapsed = self.now - cpu.mark
        if thread is not None and elapsed > 0 and not cpu.stalled:
            thread.cpu_time += elapsed
            self.spent[thread.role] += elapsed
            if thread.work > 0:
                left = thread.work - elapsed / self._slowness()
                thread.work = left if left > 1e-9 else 0.0
        cpu.mark = self.now

    def _slowness(self) -> float:
        if self.crowd == 1.0:
            return 1.0
        return self.crowd if all(cpu.current is not None for cpu in self.cpus) else 1.0

    def _account_others(self, cpu: Cpu) -> None:
        """Before a CPU gets or loses its thread: the others have been fast or slow until now."""
        for other in self.cpus:
            if other is not cpu:
                self._account(other)

    def _retime_others(self, cpu: Cpu) -> None:
        for other in self.cpus:
            thread = other.current
            if other is not cpu and thread is not None and not other.stalled and thread.work > 0 and thread.token:
                thread.token += 1
                self.at(self.now + thread.work * self._slowness(), self._computed, thread, thread.token)

    def _go_on(self, thread: Thread) -> None:
        """The thread has a CPU: let it compute on, or take what it waits for, or go to its next operation."""
        if thread.waits_for is not None and not self._try_acquire(thread):
            return
        needs_gil = thread.interpreter is not None and not (thread.work > 0 and thread.how == FREES)
        if needs_gil and not thread.has_gil and not self._take_gil(thread):
            return
        if thread.work > 0:
            self._compute(thread)
        else:
            self._step(thread)

    def _compute(self, thread: Thread) -> None:
        interpreter = thread.interpreter
        if interpreter is not None and thread.has_gil and interpreter.drop and thread.how == PYTHON:
            self._drop_gil(thread)
            return
        thread.token += 1
        cpu = thread.cpu
        assert cpu is not None
        self._account(cpu)
        self.at(self.now + thread.work * self._slowness(), self._computed, thread, thread.token)

    def _computed(self, thread: Thread, token: int) -> None:
        if thread.token != token or thread.cpu is None:
            return
        self._account(thread.cpu)
        if thread.work > 0:
            self._compute(thread)
        else:
            self._go_on(thread)

    def _step(self, thread: Thread) -> None:  # noqa: C901
        """Go through operations until one takes time."""
        while True:
            try:
                value, thread.value = thread.value, None
                operation = thread.program.send(value)
            except StopIteration:
                self._end(thread)
                return
            kind = operation[0]
            if kind == COMPUTE:
                seconds, how = operation[1], operation[2]
                if seconds <= 0:
                    continue
                thread.work, thread.how = seconds, how
                if how == FREES and thread.has_gil:
                    self._release_gil(thread)
                self._compute(thread)
                return
            if kind == SLEEP:
                self.at(self.now + operation[1] + self.lateness(), self._wake, thread)
                self._block(thread)
                return
            if kind == ACQUIRE:
                thread.waits_for = operation[1]
                if self._try_acquire(thread):
                    continue
                return
            if kind == RELEASE:
                self.release(operation[1])
                if thread.state != RUNNING:  # displaced by what was woken
                    return
                continue
            if kind == SPAWN:
                _, make, interpreter, role = operation
                thread.value = self.spawn(make, interpreter, role)
                if thread.state != RUNNING:
                    return
                continue
            if kind == JOIN:
                alive = [other for other in operation[1] if other.state != DONE]
                if not alive:
                    continue
                thread.value = len(alive)
                for other in alive:
                    other.joining.append(thread)
                self._block(thread)
                return
            if thread.parked is False:
                thread.parked = None
                continue
            thread.parked = True
            self._block(thread)
            return

    def _end(self, thread: Thread) -> None:
        thread.state = DONE
        self._leave(thread)
        for waiter in thread.joining:
            waiter.value -= 1
            if waiter.value == 0:
                waiter.value = None
                self._wake(waiter)

    # Locks

    def _try_acquire(self, thread: Thread) -> bool:
        """Take what the thread waits for, or block it. Threads that were woken may find it taken again."""
        resource = thread.waits_for
        assert resource is not None
        if resource.fair and thread.handed:  # it was handed over
            thread.handed = False
        elif resource.taken < resource.size:
            resource.taken += 1
        else:
            resource.queue.append(thread)
            self._block(thread)
            return False
        thread.waits_for = None
        return True

    def release(self, resource: Resource) -> None:
        resource.taken -= 1
        if not resource.queue:
            return
        waiter = resource.queue.popleft()
        if isinstance(waiter, Thread):
            if resource.fair:
                resource.taken += 1
                waiter.handed = True
            self._wake(waiter)
        else:  # what an event loop does for a task
            resource.taken += 1
            waiter()

    # The GIL

    def _take_gil(self, thread: Thread) -> bool:
        gil = thread.interpreter
        assert gil is not None
        if gil.holder is None:
            gil.holder = thread
            gil.switches += 1
            thread.has_gil, thread.waits_gil = True, False
            thread.gil_seen = -1
            return True
        if thread.gil_seen == gil.switches:
            self._ask_for(gil)
            if gil.holder is None or gil.holder is thread:
                return self._take_gil(thread)
        self._wait_for_gil(thread, gil)
        self._block(thread)
        return False

    def _wait_for_gil(self, thread: Thread, gil: Interpreter) -> None:
        gil.waiters.append(thread)
        thread.waits_gil = True
        thread.gil_seen = gil.switches
        thread.gil_token += 1
        self.at(self.now + gil.interval, self._tired, thread, thread.gil_token)

    def _tired(self, thread: Thread, token: int) -> None:
        """A thread has waited for a switch interval: it wakes up, and asks the holder to give the GIL up."""
        if thread.gil_token != token or not thread.waits_gil or thread.state != BLOCKED or thread.interpreter is None:
            return
        if thread in thread.interpreter.waiters:
            thread.interpreter.waiters.remove(thread)
            self._wake(thread)

    def _ask_for(self, gil: Interpreter) -> None:
        holder = gil.holder
        assert holder is not None
        gil.drop = True
        if holder.state == RUNNING and holder.work > 0 and holder.how == PYTHON and holder.cpu is not None:
            self._account(holder.cpu)
            if holder.work > 0:
                self._drop_gil(holder)

    def _drop_gil(self, thread: Thread) -> None:
        """Give the GIL up because another thread has asked for it, and queue for it again."""
        gil = thread.interpreter
        assert gil is not None
        waiter = gil.waiters.popleft() if gil.waiters else None
        self._free(gil, thread)
        cpu = thread.cpu
        assert cpu is not None
        self._take_off(cpu, thread)
        thread.state = BLOCKED
        thread.switches += 1
        self._wait_for_gil(thread, gil)
        if waiter is not None:
            self._wake(waiter)
        self._next(cpu)

    @staticmethod
    def _free(gil: Interpreter, thread: Thread) -> None:
        gil.holder = None
        gil.drop = False
        thread.has_gil = False

    def _release_gil(self, thread: Thread) -> None:
        gil = thread.interpreter
        assert gil is not None
        self._free(gil, thread)
        if gil.waiters:
            self._wake(gil.waiters.popleft())
