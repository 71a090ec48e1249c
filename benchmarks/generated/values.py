"""What the simulated machine consists of: threads, CPUs, interpreters and what threads wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

COMPUTE, SLEEP, ACQUIRE, RELEASE, SPAWN, JOIN, PARK = range(7)
FREES, PYTHON, KEEPS = range(3)
NEW, RUNNABLE, RUNNING, BLOCKED, DONE = range(5)

Program = Generator[tuple[Any, ...], Any, None]
SWITCH_INTERVAL = 0.005  # sys.getswitchinterval()


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
