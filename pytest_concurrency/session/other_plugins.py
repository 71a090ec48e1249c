"""Facts about other plugins that measured tests meet; those that run async tests are in async_plugins.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def is_xdist_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for a controller of pytest-xdist, which alone reports and writes files."""
    return hasattr(config, "workerinput")


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether other workers run tests at the same time as this process, or as the workers that it controls."""
    given = getattr(config, "workerinput", {}).get("workercount") or getattr(config.option, "tx", None) or ()
    return (given if isinstance(given, int) else len(given)) > 1


# What a measured body cannot ask for: it runs again and again, in several workers at once.
_ONCE = {
    "benchmark": (
        "pytest-benchmark calls a test once, and a measured body runs many times. Measure each in a test of its own, "
        "or use the fixture concurrency beside benchmark"
    ),
    "benchmark_weave": (
        "pytest-benchmark calls a test once, and a measured body runs many times. Measure each in a test of its own, "
        "or use the fixture concurrency beside benchmark"
    ),
    "subtests": (
        "each run of a measured body would report its subtests again. Parametrize the test instead, or use the fixture "
        "concurrency inside `with subtests.test():`"
    ),
}


def why_not(function: Callable[..., Any]) -> str | None:
    """Return why a function cannot be a measured body, and what to do instead; None if it can."""
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
    """Keep pytest-run-parallel from running measured tests in threads of its own.

    Threads of its own would take the place of the body, and a switch interval of a microsecond that of
    the interpreter's. Call it before it looks at the items, at the end of the collection.
    """
    reason = "it measures concurrency, in workers of its own"
    for item in items:
        item.add_marker(pytest.mark.thread_unsafe(reason=reason), append=False)
        item.add_marker(pytest.mark.iterations(1), append=False)
