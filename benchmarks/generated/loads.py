"""What else a simulated machine does, and what it lets be read."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from generated import machine as m
from generated.machine import Machine, Program, Thread
from generated.truth import ONE_CORE


@dataclass(frozen=True, slots=True)
class Load:
    """Programs beside the measured one, and the readings that there are.

    ``busy`` programs compute without a pause; ``bursting`` ones compute and sleep in turn, each for a time between
    ``shortest`` and ``longest``. A hypervisor takes each CPU ``steals`` times a second for some milliseconds.
    """

    busy: int = 0
    bursting: int = 0
    shortest: float = 0.05
    longest: float = 0.2
    steals: float = 0.0
    stolen: float = 0.006
    one_core: float = 0.1  # probability that the two CPUs are one core for the whole session
    reads_delay: bool = True
    reads_foreign: bool = True


LOADS = {
    "idle": Load(),
    "busy1": Load(busy=1),
    "busy4": Load(busy=4),
    "bursts": Load(bursting=2),
    "long bursts": Load(bursting=2, shortest=0.3, longest=2.0),
    "stolen": Load(steals=8.0),
    "macos": Load(reads_delay=False),
    "macos busy1": Load(reads_delay=False, busy=1),
    "unread": Load(reads_foreign=False, busy=1),
}
MAIN = ("idle", "busy1", "busy4", "bursts")


def start(load: Load, machine: Machine, rng: random.Random) -> None:
    """Let the other programs run, from some time ago."""
    for _ in range(load.busy):
        machine.spawn(_steady)
    for _ in range(load.bursting):
        machine.spawn(_bursting(load, rng))
    if load.steals:
        for cpu in machine.cpus:
            _steal(load, machine, rng, cpu)
    machine.advance(rng.uniform(0.05, 0.3))


def crowd(load: Load, rng: random.Random) -> float:
    """By how much computing slows down where both CPUs compute."""
    return rng.choice((1.2, 1.4, ONE_CORE)) if rng.random() < load.one_core else 1.0


def _steady(me: Thread) -> Program:
    yield (m.COMPUTE, math.inf, m.FREES)


def _bursting(load: Load, rng: random.Random) -> Callable[[Thread], Program]:
    def program(me: Thread) -> Program:
        while True:
            yield (m.SLEEP, rng.uniform(load.shortest, load.longest))
            # Until that much time has passed, however much of it there was a CPU for.
            yield (m.COMPUTE, rng.uniform(load.shortest, load.longest), m.FREES)

    return program


def _steal(load: Load, machine: Machine, rng: random.Random, cpu: m.Cpu) -> None:
    def take() -> None:
        machine.stall(cpu, rng.expovariate(1 / load.stolen))
        machine.at(machine.now + rng.expovariate(load.steals), take)

    machine.at(machine.now + rng.expovariate(load.steals), take)
