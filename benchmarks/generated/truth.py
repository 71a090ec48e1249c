"""What is true of a recipe, by the documented definitions, from the simulated machine without other programs.

The speedup of N workers is the mean time of N calls one after the other, divided by the mean time until N calls at
once are done, one call each. A call that is the same each time may be called several times in a row by each worker, as
the documentation says too. Where calls wait for each other in a part, such batches overlap more than single calls do:
then each figure between the two is right.
Computing on two virtual CPUs may be computing on one core, where both together are 1.2 times as fast as one: a figure
between that and two whole CPUs is right. All truths are therefore intervals.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, replace

from generated import machine as m
from generated.machine import Interpreter, Machine, Program, Resource, Thread
from generated.programs import Process
from generated.recipes import Compute, Handed, Inside, Part, Recipe, Wait, flat

CPUS = 2
ONE_CORE = 2 / 1.2  # slowness of each of two CPUs that are one core, together 1.2 times as fast
BATCHES = 0.008, 0.1  # seconds of the shortest and the longest batch of calls that are alike
MOST_CALLS = 8  # of a batch; more of them hardly overlap more


@dataclass(frozen=True, slots=True)
class Range:
    """A true figure lies between these."""

    low: float
    high: float

    def __or__(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


def own_gil(recipe: Recipe) -> bool:
    return recipe.backend in ("processes", "executor processes", "interpreters")


class Stage:
    """A quiet machine with the workers of a recipe, warmed up by a call each."""

    def __init__(self, recipe: Recipe, workers: int, seed: int, crowd: float = 1.0, fixture: bool = True) -> None:
        self.recipe, self.workers = recipe, workers
        self._rng = rng = random.Random(f"truth {seed}")
        self.machine = Machine(CPUS, rng, crowd)
        everywhere: dict[object, Resource] = {}
        number = workers if own_gil(recipe) else 1
        self.processes = [Process(recipe, self.machine, rng, everywhere, number=which) for which in range(number)]
        program = self.processes[0].fixture() if fixture else None
        if program is not None:
            gil = Interpreter() if own_gil(recipe) else self.processes[0].gil
            self.machine.spawn(program, gil, "bystander")
        for index in range(workers):
            self.run([index])

    def process(self, index: int) -> Process:
        return self.processes[index % len(self.processes)]

    def run(self, indexes: list[int], loops: int = 1) -> float:
        """Seconds until these workers have made so many calls each, at once."""
        machine, began = self.machine, self.machine.now
        if self.recipe.backend == "tasks":
            process = self.processes[0]
            ends = [0.0] * len(indexes)
            tasks = [process.coroutine(index, self.workers) for index in indexes for _ in range(1)]
            if loops > 1:
                tasks = [self._calls(index, loops) for index in indexes]
            threads = [machine.spawn(lambda me: process.event_loop(me, tasks, ends), process.gil, "worker")]
        else:
            threads = [
                machine.spawn(functools.partial(self._thread, index, loops), self.process(index).gil, "worker")
                for index in indexes
            ]
        machine.run_until_done(threads)
        return machine.now - began

    def give(self, in_step: bool = False) -> None:
        """Draw what the next call of each worker is, where calls vary.

        :param in_step: whether processes, of which each counts its own calls, are at the same place of their cycle.
        """
        recipe = self.recipe
        if recipe.varies:
            # Workers that share a counter make calls that follow each other; where these are in the cycle is chance.
            place = self._rng.randrange(recipe.every)
            for process in self.processes:
                process.given, process.calls = None, place if in_step else self._rng.randrange(recipe.every)
            given = {index: self.process(index).scale(index, self.workers) for index in range(self.workers)}
            for process in self.processes:
                process.given = given

    def _thread(self, index: int, loops: int, me: Thread) -> Program:
        for _ in range(loops):
            yield from self.process(index).call(index, self.workers)

    def _calls(self, index: int, loops: int) -> Program:
        for _ in range(loops):
            yield from self.processes[0].coroutine(index, self.workers)


def speedup(recipe: Recipe, workers: int | None = None) -> Range:
    """What ``workers`` workers truly gain."""
    workers = workers or recipe.workers
    found = [_speedup(recipe, workers, 1.0)]
    if computes(recipe):
        found.append(_speedup(recipe, workers, ONE_CORE))
    if recipe.vary == "cycle" and own_gil(recipe):
        found.append(_speedup(recipe, workers, 1.0, in_step=True))
    if recipe.fixture != "none":
        found.append(_speedup(recipe, workers, 1.0, fixture=False))
    return functools.reduce(Range.__or__, found)


def _speedup(recipe: Recipe, workers: int, crowd: float, fixture: bool = True, in_step: bool = False) -> Range:
    stage = Stage(recipe, workers, seed=recipe.seed, crowd=crowd, fixture=fixture)
    repeats = (60 if crowd == 1.0 else 20) if recipe.varies else 2
    alone = together = 0.0
    for _ in range(repeats):
        stage.give(in_step)
        alone += sum(stage.run([index]) for index in range(workers))
        together += stage.run(list(range(workers)))
    found = Range(alone / together, alone / together)
    each = alone / repeats / workers
    if recipe.varies or each >= BATCHES[-1] / 2:
        return found
    for batch in BATCHES:
        loops = max(1, min(MOST_CALLS, int(batch / each)))
        alone = sum(stage.run([index], loops) for index in range(workers))
        together = stage.run(list(range(workers)), loops)
        found |= Range(alone / together, alone / together)
    return found


def computes(recipe: Recipe) -> bool:
    return any(isinstance(part, Compute) or _starts_processes(part) for part in flat(recipe.parts))


def _starts_processes(part: Part) -> bool:
    return (isinstance(part, Handed) and part.where == "child process") or (
        isinstance(part, Wait) and part.how == "subprocess"
    )


def cpu_share(recipe: Recipe) -> Range:
    """The part of one call's time in which it computes: the worker alone, and with its helpers."""
    stage = Stage(replace(recipe, fixture="none"), 1, seed=recipe.seed)
    machine = stage.machine
    names = ("worker", "helper 0", "child 0", "server")
    before = [machine.spent_by(role) for role in names]
    wall = sum(stage.run([0]) for _ in range(60 if recipe.varies else 2))
    own, *helpers = [machine.spent_by(role) - spent for role, spent in zip(names, before, strict=True)]
    most = min(1.0, (own + sum(helpers)) / wall)
    # A program beside it on the same core makes its computing take longer, and that is computing.
    return Range(min(1.0, own / wall), most * ONE_CORE / (most * ONE_CORE + 1 - most))


def longest_hold(recipe: Recipe) -> Range:
    """The longest time in which the GIL cannot be had: one part at least, neighbouring parts together at most."""
    scale = recipe.factor if recipe.vary in ("cycle", "rare", "index") else 1.0
    one = [part.seconds for part in recipe.parts if isinstance(part, Compute) and part.how in ("python", "keeps")]
    inside = [part for outer in recipe.parts if isinstance(outer, Inside) for part in flat(outer.parts)]
    one += [part.seconds for part in inside if isinstance(part, Compute) and part.how in ("python", "keeps")]
    return Range(max(one, default=0.0), _most(recipe, frees=True) * scale * ONE_CORE)


def longest_block(recipe: Recipe) -> Range:
    """The longest time in which a task keeps its event loop."""
    scale = recipe.factor if recipe.vary in ("cycle", "rare", "index") else 1.0
    one = [part.seconds for part in _of_the_loop(recipe.parts)]
    return Range(max(one, default=0.0), _most(recipe, frees=False) * scale * ONE_CORE)


def _of_the_loop(parts: tuple[Part, ...]) -> list[Compute | Wait]:
    found: list[Compute | Wait] = []
    for part in parts:
        if isinstance(part, Inside):
            found += _of_the_loop(part.parts)
        elif isinstance(part, Compute) or (isinstance(part, Wait) and part.blocking):
            found.append(part)
    return found


def _most(recipe: Recipe, frees: bool) -> float:
    """Everything that may be one stretch, together: helpers may give the GIL to each other, and to no one else."""
    handed = [part for part in recipe.parts if isinstance(part, Handed)]
    parts = [*flat(recipe.parts), *(part for helper in handed for part in flat(helper.parts) * (helper.number - 1))]
    parts = [part for part in parts if isinstance(part, (Compute, Wait))]
    return sum(
        part.seconds
        for part in parts
        if (isinstance(part, Compute) and not (frees and part.how in ("frees", "briefly")))
        or (isinstance(part, Wait) and part.blocking)
    )


__all__ = ["Range", "Stage", "cpu_share", "longest_block", "longest_hold", "m", "speedup"]
