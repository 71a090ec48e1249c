"""Short ways to surveyed tests."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.survey import summary
from pytest_concurrency.survey.summary import Process, Session
from pytest_concurrency.survey.values import NO_TIME, Phase, SurveyedTest


def a_test(
    name: str = "test_a", *, cpu: float = 0.0, blocked: float = 0.0, delay: float | None = 0.0, **more: Any
) -> SurveyedTest:
    """A test whose call computed, waited, and was kept waiting for a CPU."""
    children = more.pop("children", 0.0)
    wall = cpu + blocked + children + (delay or 0.0)
    call = Phase(wall, cpu, children, delay)
    phases = (more.pop("setup", NO_TIME), call, more.pop("teardown", NO_TIME))
    return SurveyedTest(f"test_shop.py::{name}", more.pop("outcome", "passed"), phases, more.pop("blocks", ()))


def block(high: float, where: str | None = "shop.py:3 in load: time.sleep(1)", sure: bool = True) -> dict[str, Any]:
    return {"test": "t", "low": 0.9 * high, "high": high, "where": where, "causes": {}, "allowed": None, "sure": sure}


def a_survey(*tests: SurveyedTest, session: Session | None = None, start: float = 0.5) -> dict[str, Any]:
    """The survey of these tests, each of which may have a marker."""
    process = Process(0.3, start, Phase(0.1, 0.1, 0.0, 0.0))
    return summary.of(tests, [process], session or Session(10.0, 2.0), [test.nodeid for test in tests])
