"""How measured tests work with other plugins. async_plugins.py has those that run async tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def is_xdist_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist. Only the controller reports and writes files."""
    return hasattr(config, "workerinput")


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether several workers of pytest-xdist run tests at the same time."""
    given = getattr(config, "workerinput", {}).get("workercount") or getattr(config.option, "tx", None) or ()
    return (given if isinstance(given, int) else len(given)) > 1


# Fixtures that a measured body cannot use, because it runs many times and in several workers at once.
_ONCE = {
    "benchmark": (
        "pytest-benchmark calls a test once, and a measured body runs many times. Measure each in a separate test, "
        "or use the fixture concurrency together with benchmark"
    ),
    "benchmark_weave": (
        "pytest-benchmark calls a test once, and a measured body runs many times. Measure each in a separate test, "
        "or use the fixture concurrency together with benchmark"
    ),
    "subtests": (
        "each run of a measured body would report its subtests again. Parametrize the test instead, or use the fixture "
        "concurrency inside `with subtests.test():`"
    ),
}


def why_not(function: Callable[..., Any]) -> str | None:
    """Return why a function cannot be measured, and what to do instead; None if it can."""
    if getattr(function, "is_hypothesis_test", False):
        return (
            "it is a property of hypothesis (@given), which runs its body with other values each time, so that no two "
            "runs compare. Move the workload into a plain test with fixed values, parametrized over the sizes that "
            "matter, and leave the property unmarked"
        )
    for name in inspect.signature(function).parameters:
        if name in _ONCE:
            return f"it asks for the fixture {name}: {_ONCE[name]}"
    return None


def run_in_one_thread(items: Iterable[pytest.Item]) -> None:
    """Keep pytest-run-parallel from running measured tests in its threads.

    Otherwise it would replace the body by its own threads, and set the interpreter's switch interval to a
    microsecond. Call this before pytest-run-parallel looks at the items, at the end of the collection.
    """
    reason = "it measures concurrency in workers of its own"
    for item in items:
        item.add_marker(pytest.mark.thread_unsafe(reason=reason), append=False)
        item.add_marker(pytest.mark.iterations(1), append=False)
