"""From a recipe to programs of the simulated machine: one process's calls, its threads and its event loop."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from generated import machine as m
from generated.machine import Interpreter, Machine, Program, Resource, Thread
from generated.recipes import Compute, Handed, Inside, Part, Recipe, Wait

AWAIT, AWAIT_ACQUIRE, AWAIT_THREAD, AWAIT_PROGRAM = range(10, 14)  # what only an event loop's tasks do
HOW = {"python": m.PYTHON, "keeps": m.KEEPS, "frees": m.FREES}
# Seconds of CPU, as read on the machine that the model is compared with (python benchmarks/generated compare).
CHILD_START = 0.014  # until a new interpreter has started
SLEEP_START = 0.0015  # until a small program of the system has
SPAWNING = 0.0005  # that starting one takes its parent
SPAWNING_ASYNC = 0.001  # the same by asyncio
THREAD_START, POOL_JOB, QUEUE_WAIT = 0.0001, 0.00015, 0.00008
SERVING = 0.0003  # for each request, in the server's process
DEFAULT_EXECUTOR = 6  # threads of asyncio.to_thread() on two CPUs
BRIEF = 0.0005, 0.00002  # seconds that a brief release is apart from the next, and that it lasts
SLOW_FIRST = 10.0
EVERYWHERE = ("file lock", "process lock")  # what all processes share


@dataclass
class Process:
    """What the calls of one process share."""

    recipe: Recipe
    machine: Machine
    rng: random.Random
    shared: dict[Any, Resource]  # file locks and process locks
    gil: Interpreter = field(default_factory=Interpreter)
    server: Interpreter = field(default_factory=Interpreter)
    own: dict[Any, Resource] = field(default_factory=dict)
    number: int = 0  # of the process, by which what its helpers compute is counted
    calls: int = 0
    warm: set[int] = field(default_factory=set)  # workers that have filled their cache
    given: dict[int, float] | None = None  # by worker: what the next calls are to be, so that both sides make the same

    def scale(self, index: int, count: int) -> float:
        """How many times as long as usual the next call of this worker takes."""
        recipe, vary = self.recipe, self.recipe.vary
        if self.given is not None:
            return self.given[index]
        self.calls += 1
        first, fresh = self.calls == 1, index not in self.warm
        self.warm.add(index)
        if vary == "exponential":
            return max(0.01, self.rng.expovariate(1.0))
        if vary == "cycle":
            return recipe.factor if self.calls % recipe.every == 0 else 1.0
        if vary == "rare":
            return recipe.factor if self.rng.random() * recipe.every < 1 else 1.0
        if vary == "index":
            return 1.0 + (recipe.factor - 1.0) * index / max(1, count - 1)
        if vary == "slow first":
            return SLOW_FIRST * recipe.factor if first else 1.0
        if vary == "thread cache":
            return recipe.factor if fresh else 1.0
        return 1.0

    def resource(self, part: Inside | Handed, size: int, fair: bool) -> Resource:
        everywhere = isinstance(part, Inside) and part.what in EVERYWHERE
        return (self.shared if everywhere else self.own).setdefault(id(part), Resource(size, fair))

    def call(self, index: int, count: int) -> Program:
        """The operations of one call in a worker's own thread."""
        return self.steps(self.recipe.parts, self.scale(index, count))

    def steps(self, parts: tuple[Part, ...], scale: float) -> Program:
        for part in parts:
            if isinstance(part, Compute):
                yield from _computing(part, scale)
            elif isinstance(part, Wait):
                yield from self._waiting(part, scale)
            elif isinstance(part, Inside):
                resource = self.resource(part, part.size, fair=part.what == "pool")
                yield (m.ACQUIRE, resource)
                yield from self.steps(part.parts, scale)
                yield (m.RELEASE, resource)
            else:
                yield from self._handing(part, scale)

    def _waiting(self, part: Wait, scale: float) -> Program:
        if part.how == "subprocess":
            yield (m.COMPUTE, SPAWNING, m.FREES)
            seconds = part.seconds * scale

            thread = yield (m.SPAWN, lambda me: _program(seconds), None, f"child {self.number}")
            yield (m.JOIN, (thread,))
        elif part.how == "socket":
            thread = yield (m.SPAWN, lambda me: _serving(part.seconds * scale), self.server, "server")
            yield (m.JOIN, (thread,))
        else:
            if part.how == "queue":
                yield (m.COMPUTE, QUEUE_WAIT, m.PYTHON)
            yield (m.SLEEP, part.seconds * scale)

    def _handing(self, part: Handed, scale: float) -> Program:
        if part.where == "child process":
            yield (m.COMPUTE, SPAWNING, m.FREES)

            def child(me: Thread) -> Program:
                yield (m.COMPUTE, CHILD_START, m.PYTHON)
                yield from self.steps(part.parts, scale)

            thread = yield (m.SPAWN, child, Interpreter(), f"child {self.number}")
            yield (m.JOIN, (thread,))
            return
        pool = self.resource(part, part.number, fair=True) if part.where == "lasting pool" else None
        threads = []
        for _ in range(1 if pool else part.number):
            yield (m.COMPUTE, THREAD_START if part.where == "threads" else POOL_JOB, m.PYTHON)
            thread = yield (m.SPAWN, lambda me: self._helper(part, scale, pool), self.gil, f"helper {self.number}")
            threads.append(thread)
        yield (m.JOIN, tuple(threads))

    def _helper(self, part: Handed, scale: float, pool: Resource | None) -> Program:
        if pool is not None:
            yield (m.ACQUIRE, pool)
        yield from self.steps(part.parts, scale)
        if pool is not None:
            yield (m.RELEASE, pool)

    # Tasks

    def coroutine(self, index: int, count: int) -> Program:
        """The operations of one call in a task."""
        return self._awaiting(self.recipe.parts, self.scale(index, count))

    def _awaiting(self, parts: tuple[Part, ...], scale: float) -> Program:
        for part in parts:
            if isinstance(part, Compute):
                yield from _computing(part, scale)
            elif isinstance(part, Wait):
                if part.blocking:
                    yield from self._waiting(part, scale)
                elif part.how == "subprocess":
                    yield (m.COMPUTE, SPAWNING_ASYNC, m.PYTHON)
                    yield (AWAIT_PROGRAM, part.seconds * scale)
                else:
                    yield (AWAIT, part.seconds * scale)
            elif isinstance(part, Inside):
                resource = self.resource(part, part.size, fair=True)
                yield (AWAIT_ACQUIRE, resource)
                yield from self._awaiting(part.parts, scale)
                yield (m.RELEASE, resource)
            else:
                yield (AWAIT_THREAD, part, scale)

    def event_loop(  # noqa: C901
        self, me: Thread, tasks: list[Program], ends: list[float], beat: Beat | None = None
    ) -> Program:
        """Run tasks until all are done, ``ends`` says when each was; ``beat`` is called as often as the loop can."""
        machine, executor = self.machine, self.own.setdefault("executor", Resource(DEFAULT_EXECUTOR, fair=True))
        ready: deque[tuple[int, Program]] = deque(enumerate(tasks))
        alive = len(tasks)
        if beat is not None:
            ready.appendleft((-1, beat.run()))

        def post(entry: tuple[int, Program]) -> None:
            ready.append(entry)
            machine.unpark(me)

        while alive:
            if not ready:
                yield (m.PARK,)
                continue
            entry = ready.popleft()
            answer = None
            while True:
                try:
                    operation = entry[1].send(answer)
                except StopIteration:
                    alive -= 1
                    ends[entry[0]] = machine.now
                    break
                kind, answer = operation[0], None
                if kind == AWAIT:
                    machine.at(machine.now + operation[1] + machine.lateness(), post, entry)
                    break
                if kind == AWAIT_ACQUIRE:
                    resource = operation[1]
                    if resource.taken < resource.size:
                        resource.taken += 1
                        continue
                    resource.queue.append(lambda entry=entry: post(entry))
                    break
                if kind == AWAIT_PROGRAM:
                    program = _program(operation[1], lambda entry=entry: post(entry))
                    yield (m.SPAWN, lambda me, program=program: program, None, f"child {self.number}")
                    break
                if kind == AWAIT_THREAD:
                    _, part, scale = operation
                    yield (m.COMPUTE, POOL_JOB, m.PYTHON)
                    helper = self._to_thread(part, scale, executor, lambda entry=entry: post(entry))
                    yield (m.SPAWN, lambda me, helper=helper: helper, self.gil, f"helper {self.number}")
                    break
                answer = yield operation

    def _to_thread(self, part: Handed, scale: float, executor: Resource, done: Callable[[], None]) -> Program:
        yield (m.ACQUIRE, executor)
        yield from self.steps(part.parts, scale)
        yield (m.RELEASE, executor)
        done()

    # Threads of fixtures

    def fixture(self) -> Callable[[Thread], Program] | None:
        name = self.recipe.fixture
        if name == "none":
            return None
        computing, pause = (0.002, 0.01) if name == "computes" else (0.00002, 0.001)

        def program(me: Thread) -> Program:
            while True:
                yield (m.COMPUTE, computing, m.PYTHON)
                yield (m.SLEEP, pause)

        return program


def _program(seconds: float, done: Callable[[], None] | None = None) -> Program:
    """A small program of the system, which is no Python, and waits."""
    yield (m.COMPUTE, SLEEP_START, m.FREES)
    yield (m.SLEEP, seconds)
    if done is not None:
        done()


def _serving(seconds: float) -> Program:
    """What a server in a process of its own does with a request."""
    yield (m.COMPUTE, SERVING, m.PYTHON)
    yield (m.SLEEP, seconds)


@dataclass
class Beat:
    """Something that an event loop is to call every ``seconds``."""

    seconds: float
    call: Callable[[], None]

    def run(self) -> Program:
        while True:
            yield (AWAIT, self.seconds)
            self.call()


def _computing(part: Compute, scale: float) -> Program:
    seconds = part.seconds * scale
    if part.how != "briefly":
        yield (m.COMPUTE, seconds, HOW[part.how])
        return
    between, released = BRIEF
    while seconds > 0:
        yield (m.COMPUTE, min(between, seconds), m.KEEPS)
        yield (m.COMPUTE, released, m.FREES)
        seconds -= between + released
