"""From the tests' readings to what reports show of a survey, as plain JSON types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.reports import blocks
from pytest_concurrency.survey import likely, xdist_model
from pytest_concurrency.survey.values import NO_TIME, Phase, SurveyedTest, phase_json, together
from pytest_concurrency.survey.xdist_model import Costs, Demand


@dataclass(frozen=True, slots=True)
class Process:
    """What one process that ran tests did apart from them: CPU time in seconds, as in :class:`Costs`."""

    boot: float
    start: float
    own: Phase  # between the phases of tests


def process_json(process: Process) -> list[float]:
    """Return plain values, which a worker of xdist sends at its end."""
    return [process.boot, process.start, process.own.wall, process.own.cpu, process.own.delay or 0.0]


def process_from(value: Sequence[float]) -> Process:
    """Return what :func:`process_json` was given."""
    boot, start, wall, cpu, delay = value
    return Process(boot, start, Phase(wall, cpu, 0.0, delay))


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session as a whole."""

    elapsed: float  # seconds
    cpus: float  # usable ones
    workers: int = 0  # of xdist; 0 without
    measured: Phase = NO_TIME  # tests that measured concurrency, which are not surveyed
    measured_tests: int = 0
    unseen: int = 0  # tests that ran in processes of other plugins
    foreign: float | None = None  # CPUs that other programs used; None if that is not known


def of(
    tests: Sequence[SurveyedTest], processes: Sequence[Process], session: Session, fit: Collection[str]
) -> dict[str, Any]:
    """Return the survey of a run.

    :param fit: the tests that may have a marker, see :func:`likely.suggestions`.
    """
    whole = [test for test in tests if test.outcome != "failed"]
    failed = [test for test in tests if test.outcome == "failed"]
    return {
        "elapsed": round(session.elapsed, 3),
        "workers": session.workers,
        "measured_tests": session.measured_tests,
        "unseen_tests": session.unseen,
        "foreign": None if session.foreign is None else round(session.foreign, 2),
        "parts": list(_parts(whole, failed, processes, session)),
        "blocks": [_blocked(line) for line in blocks.by_line(_blocks_of(whole))],
        "markers": likely.suggestions(whole, fit),
        "xdist": _xdist(whole, processes, session),
        "tests": [_test(test) for test in tests],
    }


def _test(test: SurveyedTest) -> dict[str, Any]:
    setup, call, teardown = map(phase_json, test.phases)
    return {
        "nodeid": test.nodeid,
        "outcome": test.outcome,
        "likely": likely.kind_of(test.call),
        "setup": setup,
        "call": call,
        "teardown": teardown,
        "blocks": [{name: block[name] for name in ("low", "high", "where")} for block in test.blocks],
    }


def _blocks_of(tests: Iterable[SurveyedTest]) -> Iterator[dict[str, Any]]:
    for test in tests:
        for block in test.blocks:
            yield {**block, "test": test.nodeid}


def _blocked(line: blocks.BlockedLine) -> dict[str, Any]:
    return {
        "where": line.place,
        "longest": line.longest,
        "times": line.times,
        "tests": line.tests,
        "sure": line.is_sure,
        "allowed": list(line.allowed),
    }


def _parts(
    whole: Sequence[SurveyedTest], failed: Sequence[SurveyedTest], processes: Sequence[Process], session: Session
) -> Iterable[Mapping[str, Any]]:
    """Yield where the time went, summed over all processes that ran tests."""
    starting = sum(one.start for one in processes)
    yield _part("start", 0, Phase(starting, starting))
    yield _part("fixtures", len(whole), together(test.phases[place] for test in whole for place in (0, 2)))
    yield _part("calls", len(whole), together(test.call for test in whole))
    yield _part("pytest", 0, together(one.own for one in processes))
    if failed:
        yield _part("failed", len(failed), together(test.whole for test in failed))
    if session.measured_tests:
        yield _part("measured", session.measured_tests, session.measured)


def _part(name: str, tests: int, phase: Phase) -> dict[str, Any]:
    return {"part": name, "tests": tests, **phase_json(phase)}


def _xdist(whole: Sequence[SurveyedTest], processes: Sequence[Process], session: Session) -> dict[str, Any] | None:
    if not whole or not processes:
        return None
    demands = [Demand(phase.alone, phase.computing) for phase in (test.whole for test in whole)]
    costs = Costs(
        boot=sum(one.boot for one in processes) / len(processes),
        start=sum(one.start for one in processes) / len(processes),
        own=sum(one.own.cpu for one in processes),
    )
    today = xdist_model.alone(demands, costs)
    found = xdist_model.predictions(demands, costs, session.cpus)
    best = xdist_model.best_of(found, today)
    waiting = sum(max(0.0, test.alone - test.computing) for test in demands)
    return {
        "cpus": session.cpus,
        "alone": round(today, 3),
        "waits": round(waiting / today, 3) if today else 0.0,
        "longest": round(max(test.alone for test in demands), 3),
        "predicted": [{"workers": one.workers, "seconds": round(one.seconds, 3)} for one in found],
        "best": best.workers if best is not None else None,
    }
