"""Rounds that a real machine gave, kept in a file, and a bench that gives them again."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_concurrency.core.model import GilProbe, Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup

DATA = Path(__file__).parent / "results" / "rounds.jsonl"
_UNIT = 1e-6  # seconds: what times in the file are counted in


@dataclass(frozen=True)
class Moment:
    """One round, with the control round and the look at the GIL that followed it."""

    round: Round
    control: Round
    gil: GilProbe | None

    @property
    def start(self) -> float:
        return min(sample.start for sample in _samples(self.round))


@dataclass(frozen=True)
class Series:
    """One body's rounds beside one load, in their order. ``truth`` is its speedup by construction."""

    load: str
    case: str
    backend: str
    workers: int
    truth: float
    cpus: float
    moments: Sequence[Moment]

    @property
    def setup(self) -> WorkerSetup:
        return WorkerSetup(self.backend, self.workers)


@dataclass
class Replay:
    """A bench whose machine and body are a recording, from a random place on, over and over.

    Time passes as it did: who sleeps misses rounds. Fresh workers begin at another place. There are no longer batches,
    which costs verdicts and makes none wrong.
    """

    series: Series
    random: random.Random
    _clock: float = 0.0
    _next: int = 0
    _asked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refresh(self.series.setup)

    def now(self) -> float:
        return self._clock

    def sleep(self, seconds: float) -> None:
        begun = self._moment.start
        while 0 <= self._moment.start - begun < seconds:  # the recording's end is no later than its begin
            self._next += 1
        self._clock += seconds

    def prepare(self, setup: WorkerSetup) -> None:
        pass

    def site(self, setup: WorkerSetup) -> CpuSite:
        return CpuSite(self.series.cpus, one_interpreter=self.series.backend != "processes")

    def round(self, setup: WorkerSetup) -> Round:
        found = self._moment.round
        self._next += 1
        self._asked.clear()
        return self._pass(found)

    def control(self, setup: WorkerSetup) -> Round:
        return self._pass(self._lately("control").control)

    def probe_gil(self) -> GilProbe | None:
        found = self._lately("gil").gil
        self._clock += found.window if found is not None else 0.0
        return found

    def refresh(self, setup: WorkerSetup) -> None:
        self._next = self.random.randrange(len(self.series.moments))

    def lengthen(self, setup: WorkerSetup) -> None:
        pass

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Rounds are those that were recorded."""
        return False

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        pass

    def note(self, setup: WorkerSetup) -> str:
        return ""

    def interference(self) -> Interference:
        return Interference()

    @property
    def _moment(self) -> Moment:
        return self.series.moments[self._next % len(self.series.moments)]

    def _lately(self, what: str) -> Moment:
        """Return the moment of the last round; who asks again gets what followed the one before it."""
        ago = self._asked[what] = self._asked.get(what, 0) + 1
        return self.series.moments[(self._next - ago) % len(self.series.moments)]

    def _pass(self, found: Round) -> Round:
        self._clock += sum(sample.wall for sample in _samples(found))
        return found


def write(recorded: Sequence[Series], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(_packed(series), separators=(",", ":")) + "\n" for series in recorded))


def read(path: Path = DATA) -> list[Series]:
    return [_series(json.loads(line)) for line in path.read_text().splitlines()]


def _samples(round_: Round) -> list[Sample]:
    return [sample for sample in (round_.serial, round_.concurrent) if sample is not None]


def _packed(series: Series) -> dict[str, Any]:
    begun = series.moments[0].start
    moments = [
        [
            _packed_round(moment.round, begun),
            _packed_round(moment.control, begun),
            moment.gil and _packed_probe(moment.gil),
        ]
        for moment in series.moments
    ]
    return {**{name: value for name, value in vars(series).items() if name != "moments"}, "moments": moments}


def _packed_round(round_: Round, begun: float) -> list[Any]:
    others = round_.interference
    return [
        *(_packed_sample(sample, begun) for sample in (round_.serial, round_.concurrent)),
        _rounded([others.foreign, others.steal, others.throttled]),
    ]


def _packed_sample(sample: Sample | None, begun: float) -> list[Any]:
    assert sample is not None
    times = (
        [(each.start - begun), (each.end - begun), each.cpu, each.delay, each.late, each.switches]
        for each in sample.readings
    )
    return [sample.loops, *([*map(_counted, each[:5]), each[5]] for each in times)]


def _counted(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds / _UNIT)


def _packed_probe(probe: GilProbe) -> list[Any]:
    numbers = [probe.window, probe.cpu, probe.surely_held, probe.perhaps_held, probe.longest.low, probe.longest.high]
    return [*_rounded(numbers), probe.beats, *_rounded([probe.witnessed, probe.coverage])]


def _rounded(numbers: Sequence[float | None]) -> list[float | None]:
    return [None if number is None else round(number, 6) for number in numbers]


def _series(packed: dict[str, Any]) -> Series:
    moments = [
        Moment(_round(number, *one), _round(number, *two), _gil(probe))
        for number, (one, two, probe) in enumerate(packed.pop("moments"), 1)
    ]
    return Series(moments=moments, **packed)


def _round(number: int, serial: list[Any], concurrent: list[Any], others: list[float | None]) -> Round:
    return Round(number, _sample(*serial), _sample(*concurrent), Interference(*others))


def _sample(loops: int, *readings: list[int | None]) -> Sample:
    return Sample(loops, tuple(Reading(*map(_seconds, each[:5]), switches=each[5]) for each in readings))


def _seconds(counted: int | None) -> Any:
    return None if counted is None else counted * _UNIT


def _gil(packed: list[Any] | None) -> GilProbe | None:
    if packed is None:
        return None
    *times, low, high, beats, witnessed, coverage = packed
    return GilProbe(*times, Interval(low, high), beats, witnessed=witnessed, coverage=coverage)
