"""How measured tests work with other plugins. See async_plugins.py for async tests, and xdist.py for pytest-xdist."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Container, Iterable, Iterator

import pytest

_BENCHMARK = (
    "{} can be used once in a test, and a measured body runs many times. Measure each in a separate test, or use the "
    "fixture concurrency together with {}"
)
# Fixtures that a measured body cannot use, because it runs many times and in several workers at once: the packages that
# define them, and the reason. A fixture of the same name in another package or in a test file is another one.
_ONCE = {
    "benchmark": (("pytest_benchmark", "pytest_codspeed"), _BENCHMARK.format("pytest-benchmark", "benchmark")),
    "benchmark_weave": (("pytest_benchmark",), _BENCHMARK.format("pytest-benchmark", "benchmark_weave")),
    "codspeed_benchmark": (("pytest_codspeed",), _BENCHMARK.format("pytest-codspeed", "codspeed_benchmark")),
    "subtests": (
        ("_pytest", "pytest_subtests"),
        "each run of a measured body would report its subtests again. Parametrize the test instead, or use the fixture "
        "concurrency inside `with subtests.test():`",
    ),
}


# Markers that check one plain call of a test, by the names of their plugins. A measured body is called in workers,
# where these plugins see nothing: without an error, the check would silently pass.
_CHECKS_ONE_CALL = {
    "memray": ("pytest-memray", ("limit_memory", "limit_leaks", "limit_leaked_objects")),
    "pyleak": ("pyleak", ("no_leaks",)),
}
_ROLLED_BACK = (
    "its database fixture (pytest-django) keeps the test inside a transaction on the connection of the test's own "
    "thread. Workers have other connections: they do not see its rows, and what they write is never rolled back. Write "
    "@pytest.mark.django_db(transaction=True), or ask for transactional_db"
)
_TRANSACTIONAL = {"transactional_db", "live_server", "django_db_reset_sequences"}


def has(config: pytest.Config, name: str) -> bool:
    """Whether a plugin is loaded: by the name of its entry point, or by that of its module after -p."""
    known = config.pluginmanager.has_plugin
    return known(name) or known(f"pytest_{name}.plugin") or known(f"{name}.pytest_plugin")


def why_not(item: pytest.Function, once: bool = False) -> str | None:
    """Return why a test's function cannot be a measured body, and what to do instead; None if it can.

    :param once: it is not measured in this session, but runs once as a plain test.
    """
    if getattr(item.obj, "is_hypothesis_test", False):
        return (
            "it is a property of hypothesis (@given), which runs its body with other values each time, so that no two "
            "runs compare. Move the workload into a plain test with fixed values, parametrized over the sizes that "
            "matter, and leave the property unmarked"
        )
    for name in inspect.signature(item.obj).parameters:
        packages, reason = _ONCE.get(name, ((), ""))
        if _is_fixture_of(item, name, packages):
            return f"it asks for the fixture {name}: {reason}"
    return None if once else next(_conflicts(item), None)


def _conflicts(item: pytest.Function) -> Iterator[str]:
    for plugin, (name, markers) in _CHECKS_ONE_CALL.items():
        for marker in markers if has(item.config, plugin) else ():
            if item.get_closest_marker(marker) is not None:
                yield (
                    f"its marker {marker} is about one plain call of the test, and {name} does not see the workers in "
                    "which a measured body runs. Write two tests that call the same function, one for each marker"
                )
    if why := why_not_timed(item):
        yield why
    if has(item.config, "django") and _is_rolled_back(item):
        yield _ROLLED_BACK


def why_not_timed(item: pytest.Item) -> str | None:
    """Return why CodSpeed cannot benchmark this test as a whole, if it is about to; None if not."""
    codspeed = item.config.pluginmanager.get_plugin("codspeed_plugin")
    if not getattr(codspeed, "is_codspeed_enabled", False):
        return None
    marker = next((name for name in ("codspeed_benchmark", "benchmark") if item.get_closest_marker(name)), None)
    if marker is None:
        return None
    return (
        f"its marker {marker} lets pytest-codspeed repeat the test and time the whole measurement, and not the body. "
        "Add --concurrency-disable to the command that has --codspeed: then it times one plain call"
    )


def _is_rolled_back(item: pytest.Function) -> bool:
    """Whether pytest-django undoes at the end of the test what it has written."""
    marker = item.get_closest_marker("django_db")
    if marker is None and not _is_fixture_of(item, "db", ("pytest_django",)):
        return False
    arguments = dict(zip(("transaction", "reset_sequences"), marker.args, strict=False)) if marker else {}
    arguments.update(marker.kwargs if marker else {})
    is_transactional = arguments.get("transaction") or arguments.get("reset_sequences")
    return not is_transactional and _TRANSACTIONAL.isdisjoint(item.fixturenames)


def _is_fixture_of(item: pytest.Function, name: str, packages: Iterable[str]) -> bool:
    """Whether a test uses the fixture of this name that one of the packages defines."""
    for definition in reversed(item._fixtureinfo.name2fixturedefs.get(name, ())):
        if _package_of(definition.func) in packages:
            return True
        if name not in definition.argnames:  # otherwise, it uses the one that it overrides
            return False
    return False


def _package_of(function: object) -> str:
    return (getattr(function, "__module__", None) or "").partition(".")[0]


class _Every(Container[str]):
    """All functions of a file."""

    def __contains__(self, name: object) -> bool:
        return True


_READS = (
    "probes/thread_clock",
    "probes/interference",
    "probes/loop_heartbeat",
    "machine/stack_locations",
    "session/fixture",
)
_WAITS = ("block_guard", "loop_monitor", "loop_watcher", "gauge", "rendezvous", "boards", "arrivals")
# What of this package may block the loop's thread: it reads counters, waits for its own threads, or measures while the
# loop stands still on purpose. Frames that lie below a body on a loop are left out: they would excuse the body.
_MAY_BLOCK: tuple[tuple[str, Container[str]], ...] = (
    *((f"pytest_concurrency/{name}.py", _Every()) for name in _READS),
    *((f"pytest_concurrency/instruments/{name}.py", _Every()) for name in _WAITS),
    ("pytest_concurrency/instruments/call_watch.py", {"__init__", "trace", "close"}),
    ("pytest_concurrency/backends/event_loops/borrowed_loop.py", {"__init__", "serve", "abandon"}),
)


def allow_own_readings(item: pytest.Item) -> None:
    """Let blockbuster pass what measuring does in a loop's thread; what bodies do there stays forbidden.

    Without this, a test that blockbuster guards fails for a reading of ours, not for a call of its own.
    """
    blockbuster = sys.modules.get("blockbuster")
    if blockbuster is None or not isinstance(item, pytest.Function):
        return
    for value in item.funcargs.values():
        if isinstance(value, blockbuster.BlockBuster):
            for function in value.functions.values():
                # It looks through the whole list at each call that may block: one set of ours is enough.
                if _MAY_BLOCK[0] not in function.can_block_functions:
                    for file, names in _MAY_BLOCK:
                        function.can_block_in(file, names)


def is_memory_tracked(item: pytest.Item) -> bool:
    """Whether pytest-memray records each allocation of the test, and so slows it."""
    if not has(item.config, "memray"):
        return False
    markers = _CHECKS_ONE_CALL["memray"][1]
    return bool(item.config.getoption("memray", False)) or any(map(item.get_closest_marker, markers))


def run_in_one_thread(items: Iterable[pytest.Item]) -> None:
    """Keep pytest-run-parallel from running measured tests in its threads.

    Otherwise it would replace the body by its own threads, and set the interpreter's switch interval to a
    microsecond. Call this before pytest-run-parallel looks at the items, at the end of the collection.
    """
    reason = "it measures concurrency in workers of its own"
    for item in items:
        item.add_marker(pytest.mark.thread_unsafe(reason=reason), append=False)
        item.add_marker(pytest.mark.iterations(1), append=False)
