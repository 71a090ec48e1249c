"""Random workloads as frozen values: what a call does, in which workers, and what differs from call to call."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

WAITS = ("sleep", "socket", "queue", "subprocess", "select")
COMPUTES = ("python", "keeps", "frees", "briefly")
LOCKS = ("lock", "rlock", "semaphore", "condition", "pool", "file lock", "process lock")
PLACES = ("threads", "lasting pool", "child process", "to_thread", "executor")
VARIATIONS = ("constant", "exponential", "cycle", "rare", "index", "slow first", "thread cache")
BACKENDS = ("threads", "processes", "tasks", "interpreters", "executor threads", "executor processes")
LOOPS = ("own", "pytest-asyncio", "anyio", "trio")
FIXTURES = ("none", "computes", "ticks")


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for so many seconds. In a task, ``blocking`` waits keep the event loop."""

    how: str
    seconds: float
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Compute:
    """Computes: in Python, or in an extension that ``keeps`` or ``frees`` the GIL, or frees it ``briefly`` often."""

    how: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Inside:
    """Parts that run while the call has something that ``size`` calls can have at a time."""

    what: str
    size: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """Parts that ``number`` helpers do, each all of them, while the call waits."""

    where: str
    number: int
    parts: tuple[Part, ...]


Part = Wait | Compute | Inside | Handed


@dataclass(frozen=True, slots=True)
class Recipe:
    """One workload. ``vary`` says how calls differ, by ``factor``, every ``every`` calls where that matters."""

    seed: int
    backend: str
    workers: int
    parts: tuple[Part, ...]
    loop: str = "own"
    vary: str = "constant"
    factor: float = 1.0
    every: int = 1
    setup: float = 0.0  # seconds that setup= computes before each batch
    fixture: str = "none"

    @property
    def kind(self) -> str:
        """What to count it under: its most particular parts."""
        names = sorted({name for part in self.parts for name in _names(part)})
        extra = [self.vary] * (self.vary != "constant") + ["setup"] * bool(self.setup)
        extra += [f"fixture {self.fixture}"] * (self.fixture != "none") + [self.loop] * (self.loop != "own")
        return f"{self.backend}: {' + '.join([*names, *extra])}"

    @property
    def varies(self) -> bool:
        return self.vary in ("exponential", "cycle", "rare")


def _names(part: Part) -> list[str]:
    if isinstance(part, Wait):
        return ["blocking wait" if part.blocking else "wait"]
    if isinstance(part, Compute):
        return [part.how]
    where = part.what if isinstance(part, Inside) else part.where
    return [where, *(name for inner in part.parts for name in _names(inner))]


def draw(seed: int) -> Recipe:
    """Return the recipe of this seed, the same on each machine."""
    rng = random.Random(f"recipe {seed}")
    backend = rng.choices(BACKENDS, (8, 4, 6, 1, 2, 1))[0]
    tasks = backend == "tasks"
    vary = rng.choices(VARIATIONS, (12, 3, 2, 2, 2, 1, 1))[0]
    parts = tuple(_part(rng, backend, depth=0) for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0]))
    recipe = Recipe(
        seed=seed,
        backend=backend,
        workers=rng.choice((2, 2, 3, 4, 4, 6, 8)),
        parts=parts,
        loop=rng.choices(LOOPS, (4, 2, 2, 1))[0] if tasks else "own",
        vary=vary,
        factor=_factor(vary, rng),
        every=rng.choice((2, 3, 4, 5)) if vary == "cycle" else rng.choice((10, 16, 25)) if vary == "rare" else 1,
        setup=rng.choice((0.002, 0.01)) if rng.random() < 0.08 else 0.0,
        fixture=rng.choice(("computes", "ticks")) if rng.random() < 0.08 else "none",
    )
    # Calls of less than a millisecond are seldom what someone measures, and those of a tenth of a second cost time.
    seconds = duration(recipe.parts)
    wanted = min(max(seconds, 0.0015), 0.04)
    return recipe if wanted == seconds else replace(recipe, parts=scaled(recipe.parts, wanted / seconds))


def _factor(vary: str, rng: random.Random) -> float:
    if vary in ("cycle", "rare"):
        return rng.choice((3.0, 5.0, 10.0))
    if vary in ("index", "slow first", "thread cache"):
        return rng.choice((2.0, 4.0))
    return 1.0


def _part(rng: random.Random, backend: str, depth: int) -> Part:
    tasks = backend == "tasks"
    kind = rng.choices(("wait", "compute", "inside", "handed"), (5, 4, 4, 2) if depth == 0 else (5, 4, 0.3, 0))[0]
    if kind == "wait":
        blocking = tasks and rng.random() < 0.2
        return Wait(rng.choices(WAITS, (8, 3, 3, 0 if blocking else 1, 2))[0], _seconds(rng), blocking)
    if kind == "compute":
        return Compute(rng.choices(COMPUTES, (5, 2, 5, 1))[0], _seconds(rng))
    inner = tuple(_part(rng, backend, depth + 1) for _ in range(rng.choice((1, 1, 2))))
    if kind == "inside":
        what = rng.choice(("lock", "semaphore", "condition", "pool") if tasks else LOCKS)
        size = rng.choice((1, 2, 3)) if what in ("semaphore", "pool") else 1
        return Inside(what, size, inner)
    where = "to_thread" if tasks else rng.choice(PLACES[:3] + PLACES[4:])
    inner = tuple(replace(part, blocking=False) if isinstance(part, Wait) else part for part in inner)
    return Handed(where, 1 if tasks else rng.choice((1, 2, 4)), inner)


def _seconds(rng: random.Random) -> float:
    return round(0.0004 * 75 ** rng.random(), 4)


def duration(parts: tuple[Part, ...]) -> float:
    """Seconds of all parts one after the other."""
    return sum(duration(part.parts) if isinstance(part, (Inside, Handed)) else part.seconds for part in parts)


def scaled(parts: tuple[Part, ...], factor: float) -> tuple[Part, ...]:
    return tuple(
        replace(part, parts=scaled(part.parts, factor))
        if isinstance(part, (Inside, Handed))
        else replace(part, seconds=round(max(0.0003, part.seconds * factor), 4))
        for part in parts
    )


def flat(parts: tuple[Part, ...]) -> list[Part]:
    """All parts, those inside of others included."""
    found: list[Part] = []
    for part in parts:
        found.append(part)
        if isinstance(part, (Inside, Handed)):
            found += flat(part.parts)
    return found
