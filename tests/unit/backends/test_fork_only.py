"""What only forked processes share is found by the names that a body's code has for it."""

from __future__ import annotations

import functools
import mmap
import multiprocessing
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.backends import fork_only
from pytest_concurrency.backends.batch import WithInput

LOCK = multiprocessing.Lock()
QUEUE: Any = multiprocessing.SimpleQueue()
COUNT = multiprocessing.Value("i", 0)
LOCKS = {"one": [multiprocessing.Semaphore(1)]}
SHARED = mmap.mmap(-1, 16)
PLAIN = {"a": 1}
helpers: Any = ModuleType("helpers")
helpers.MUTEX = LOCK


class Resource:
    def __init__(self) -> None:
        self.lock = multiprocessing.RLock()

    def use(self) -> None:
        with self.lock:
            pass


RESOURCE = Resource()


def locked() -> None:
    with LOCK:
        pass


def indirect() -> None:
    locked()


def in_a_nested_function() -> None:
    def inner() -> None:
        with LOCK:
            pass

    inner()


def counts() -> None:
    with COUNT.get_lock():
        COUNT.value += 1


def takes() -> None:
    QUEUE.get()


def in_containers() -> None:
    LOCKS["one"][0].acquire()


def maps() -> None:
    SHARED.seek(0)


def through_an_object() -> None:
    RESOURCE.use()


def through_a_module() -> None:
    helpers.MUTEX.acquire()


def decorated(function: Callable[[], None]) -> Callable[[], None]:
    def wrapper() -> None:
        function()

    return wrapper


def plain() -> None:
    PLAIN["a"] += len(sys.argv)
    again()


def again() -> None:
    plain()


def first(function: Callable[..., Any]) -> fork_only.Found | None:
    return fork_only.first([function], {__name__, "helpers"})


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (locked, "LOCK"),
        (indirect, "LOCK"),
        (in_a_nested_function, "LOCK"),
        (counts, "COUNT"),
        (takes, "QUEUE"),
        (in_containers, "LOCKS"),
        (maps, "SHARED"),
        (through_an_object, "RESOURCE.lock"),
        (through_a_module, "helpers.MUTEX"),
        (decorated(locked), "LOCK"),
        (functools.partial(locked), "LOCK"),
        (RESOURCE.use, ""),
        (WithInput(locked), "LOCK"),
        (lambda: LOCK.acquire(), "LOCK"),
    ],
)
def test_what_is_shared_is_found(function: Callable[..., Any], name: str) -> None:
    found = first(function)
    if name:
        assert found is not None
        assert found.name == name
        assert found.kind.startswith(("multiprocessing.", "mmap."))
    else:
        assert found is None  # the object of a method is sent along, and cannot be: another error says so


@pytest.mark.parametrize("function", [plain, len, SimpleNamespace, functools.partial(print, "x")])
def test_nothing_is_found_where_nothing_is(function: Callable[..., Any]) -> None:
    assert first(function) is None


def test_functions_of_other_modules_are_not_looked_into() -> None:
    assert fork_only.first([indirect], {"elsewhere"}) is None


def attribute_of_a_globals_name() -> None:
    page = SimpleNamespace()
    page.LOCK = 1
    assert page.LOCK == SimpleNamespace(QUEUE=1, LOCK=1).LOCK


def method_of_a_globals_name() -> None:
    SimpleNamespace(QUEUE=len).QUEUE("")


def attribute_of_another_module() -> None:
    sys.LOCK = 1  # type: ignore[attr-defined]
    helpers.OTHER.MUTEX()


@pytest.mark.parametrize(
    "function", [attribute_of_a_globals_name, method_of_a_globals_name, attribute_of_another_module]
)
def test_attribute_that_has_the_name_of_a_shared_global_is_something_else(function: Callable[..., Any]) -> None:
    assert first(function) is None


def test_module_within_a_module_is_looked_into() -> None:
    helpers.inner = ModuleType("inner")
    helpers.inner.MUTEX = LOCK

    def deep() -> None:
        helpers.inner.MUTEX.acquire()

    found = fork_only.first([deep], {__name__, "helpers", "inner"})
    assert found is not None
    assert found.name == "helpers.inner.MUTEX"
