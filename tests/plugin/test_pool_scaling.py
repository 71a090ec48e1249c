"""``concurrency.scaling`` of a function that makes a pool of its own."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, records_of, text_of

from pytest_concurrency.core.model import Interference, Reading, Round, Sample
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.callable_bench import CallableBench

HEAD = """
CALLS = []

def work(workers, total=60):
    CALLS.append((workers, total))

def in_a_loop(workers):
    pass

async def async_work(workers, total=60):
    CALLS.append((workers, total))

def no_workers():
    pass
"""


@pytest.fixture
def limit_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a quiet machine, ten workers at most are of use: whatever is called, it is read so."""

    def read(self: CallableBench, setup: WorkerSetup) -> Round:
        samples = []
        for which in (0, 1):
            self._time(which, 1)
            (workers, *_) = self._calls[which].args  # type: ignore[attr-defined]
            samples.append(Sample(1, (Reading(0.0, 0.6 / min(workers, 10), 0.0, 0.0, accounting="one"),)))
        self._number += 1
        return Round(self._number, *samples, interference=Interference(0.0, 0.0, 0.0))

    monkeypatch.setattr(CallableBench, "round", read)


@pytest.mark.usefixtures("limit_of_ten")
def test_each_size_is_compared_with_the_first(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        HEAD
        + """
def test_body(concurrency):
    scaling = concurrency.scaling(work, workers=(1, 3, 10), total=30)
    assert scaling >= 0.7
    assert (scaling.best, scaling.knee, scaling.peak) == (10, 10, None)
    assert [(point.workers, round(point.efficiency, 2)) for point in scaling.curve] == [(3, 1.0), (10, 1.0)]
    assert set(CALLS) == {(1, 30), (3, 30), (10, 30)}
""",
        REPORT,
        "--concurrency-report",
    )
    result.assert_outcomes(passed=2)
    (expectation,) = records_of(pytester)["test_body"]["expectations"]
    assert (expectation["verdict"], expectation["marker"], expectation["workers"]) == ("met", "scaling", "a pool of 10")
    assert [(point["workers"], point["base"]) for point in expectation["curve"]] == [(3, 1), (10, 1)]
    assert "scaling of test_body with a pool of its own:" in text_of(result)


@pytest.mark.usefixtures("limit_of_ten")
def test_a_pool_beyond_the_knee_is_not_met(suite: Suite) -> None:
    result = suite(
        HEAD + "def test_body(concurrency):\n    assert concurrency.scaling(work, workers=(1, 3, 10, 20)) >= 0.7"
    )
    result.assert_outcomes(passed=1, failed=1)
    told = text_of(result)
    assert "NOT MET test_suite.py::test_body speedup 10.0x [10.0, 10.0], required >= 14x" in told
    assert "Cause: more than 10 workers do not help. With 1 worker the work waits 100%" in told.replace(" E ", " ")
    assert "<efficiency 1.00 with 3, 1.00 with 10, 0.50 with 20 workers" in told


@pytest.mark.usefixtures("limit_of_ten")
def test_the_first_size_may_be_any(suite: Suite) -> None:
    source = "def test_body(concurrency):\n    assert concurrency.scaling(work, workers=(5, 10)).at_least(0.9)"
    suite(HEAD + source).assert_outcomes(passed=2)


@pytest.mark.usefixtures("limit_of_ten")
def test_the_knee_can_be_asked_for_without_a_threshold(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
def test_body(concurrency):
    scaling = concurrency.scaling(work, workers=(2, 5, 10, 20, 40))
    assert (scaling.knee, scaling.best) == (10, 10)
"""
    result = suite(HEAD + source, REPORT)
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*never compared*")
    assert records_of(pytester) == {}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("work, workers=(3,)", "must be a sequence of two or more pool sizes"),
        ("work, workers=(3, 3)", "each larger than the one before"),
        ("work, workers=(3, 1)", "each larger than the one before"),
        ("work, workers=4", "must be a sequence of two or more pool sizes"),
        ("work, workers=(0, 1)", "must be a sequence of two or more pool sizes"),
        ("work, workers=(1, True)", "must be a sequence of two or more pool sizes"),
        ("work, workers=(1, 2), threads=(1, 2)", "and threads=, for one that the plugin calls"),
        ("work, total=60", "add the sizes of the pool, workers="),
        ("work, workers=(1, 2), total=0", "total must be a whole number above 0"),
        ("work, workers=(1, 2), total=6.5", "total must be a whole number above 0"),
        ("work, workers=(1, 2), total=True", "total must be a whole number above 0"),
        ("work, workers=(1, 2), setup=dict", "has no setup="),
        ("no_workers, workers=(1, 2)", "calls no_workers(workers), and no_workers cannot be called so"),
        ("in_a_loop, workers=(1, 2), total=60", "calls in_a_loop(workers, total), and in_a_loop cannot be called so"),
        ("work, 1, 2, workers=(1, 2)", "calls work(..., workers), and work cannot be called so"),
        ("work, workers=(1, 2), efficiency=0.5", "compare what it returns with the threshold"),
        ("3, workers=(1, 2)", "3 cannot be called"),
        ("async_work, workers=(1, 2)", "async_work is an async def"),
    ],
)
def test_bad_input_is_reported(suite: Suite, call: str, said: str) -> None:
    result = suite(HEAD + f"def test_body(concurrency):\n    assert concurrency.scaling({call}) >= 0.7")
    result.assert_outcomes(passed=1, failed=1)
    assert said in text_of(result)


def test_a_threshold_that_the_first_size_reaches_is_reported(suite: Suite) -> None:
    source = "def test_body(concurrency):\n    assert concurrency.scaling(work, workers=(1, 2)) >= 0.4"
    result = suite(HEAD + source)
    result.assert_outcomes(passed=1, failed=1)
    assert "an efficiency of 0.4 at 2 workers asks for no more than 1 worker gives" in text_of(result)


@pytest.mark.usefixtures("limit_of_ten")
def test_on_a_running_loop_the_answer_is_awaited(suite: Suite) -> None:
    pytest.importorskip("pytest_asyncio")
    source = """
@pytest.mark.asyncio
async def test_body(concurrency):
    assert await concurrency.scaling(async_work, workers=(1, 3)).at_least(0.9)

@pytest.mark.asyncio
async def test_curve(concurrency):
    assert concurrency.scaling(async_work, workers=(1, 3)).knee == 3
"""
    result = suite(HEAD + source, "-p", "pytest_asyncio.plugin")
    result.assert_outcomes(passed=2, failed=1)
    assert "compared and awaited before its curve is read" in text_of(result)


def test_disabled_it_runs_once(suite: Suite) -> None:
    source = """
def test_body(concurrency):
    scaling = concurrency.scaling(work, workers=(1, 3), total=30)
    assert scaling >= 0.7
    assert scaling.knee == 3
    assert CALLS == [(3, 30)]
"""
    suite(HEAD + source, "--concurrency-disable").assert_outcomes(passed=2)
