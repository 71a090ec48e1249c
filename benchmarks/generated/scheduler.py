"""Which simulated thread has which CPU, and for how long."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from generated.values import BLOCKED, DONE, RUNNABLE, RUNNING, Cpu, Interpreter, Program, Thread

SLICE = 0.003  # seconds that a thread gets while others wait for its CPU (Linux 6, two CPUs)
PREEMPTS = 0.7  # probability that a thread which wakes up displaces one that computes for long
MOVES = 0.1  # probability that a thread goes to another CPU's queue at the end of its slice


class Scheduler:
    """CPUs and what runs on them. ``crowd`` is by how much computing slows down while all CPUs compute."""

    def __init__(self, cpus: int, rng: random.Random, crowd: float = 1.0) -> None:
        self.now = 0.0
        self.cpus = [Cpu() for _ in range(cpus)]
        self.crowd = crowd
        self.spent: defaultdict[str, float] = defaultdict(float)  # CPU time by role
        self.waited: defaultdict[str, float] = defaultdict(float)  # for a CPU, by role
        self.stolen = 0.0
        self._rng = rng
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = itertools.count()

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

    # To be overridden: what a thread does that has a CPU.

    def _go_on(self, thread: Thread) -> None:
        raise NotImplementedError

    def _computed(self, thread: Thread, token: int) -> None:
        raise NotImplementedError

    def _release_gil(self, thread: Thread) -> None:
        raise NotImplementedError

    # Run queues

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
        self.waited[thread.role] += self.now - thread.since
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
