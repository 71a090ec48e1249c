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

from generated.scheduler import Scheduler
from generated.values import (
    ACQUIRE,
    BLOCKED,
    COMPUTE,
    DONE,
    FREES,
    JOIN,
    KEEPS,
    PARK,
    PYTHON,
    RELEASE,
    RUNNING,
    SLEEP,
    SPAWN,
    Cpu,
    Interpreter,
    Program,
    Resource,
    Thread,
)

__all__ = [
    "ACQUIRE",
    "COMPUTE",
    "FREES",
    "JOIN",
    "KEEPS",
    "PARK",
    "PYTHON",
    "RELEASE",
    "SLEEP",
    "SPAWN",
    "Cpu",
    "Interpreter",
    "Machine",
    "Program",
    "Resource",
    "Thread",
]

ROUNDING = 1e-12  # seconds of work that are left only because floating-point times are rounded


class Machine(Scheduler):
    """What threads do with the CPUs that they get: operations, locks and the GIL."""

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
        if thread.work > ROUNDING:
            self._compute(thread)
        else:
            thread.work = 0.0
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
