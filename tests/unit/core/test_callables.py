"""What kind of function a callable is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from pytest_concurrency.core import callables


def plain() -> None: ...


async def coroutine() -> None: ...


def generator() -> Any:
    yield


async def asynchronous_generator() -> Any:
    yield


class Object:
    def method(self) -> None: ...

    async def later(self) -> None: ...

    async def __call__(self) -> None: ...


class Yields:
    def __call__(self) -> Any:
        yield


@pytest.mark.parametrize(
    ("function", "is_async", "is_generator"),
    [
        (plain, False, False),
        (print, False, False),
        (coroutine, True, False),
        (functools.partial(coroutine), True, False),
        (generator, False, True),
        (functools.partial(generator), False, True),
        (asynchronous_generator, False, True),
        (Object().method, False, False),
        (Object().later, True, False),
        (Object(), True, False),
        (Object, False, False),  # which makes an object, and does not call it
        (Yields(), False, True),
    ],
)
def test_kinds(function: Callable[..., Any], is_async: bool, is_generator: bool) -> None:
    assert callables.is_async(function) is is_async
    assert callables.is_generator(function) is is_generator


def test_a_name_for_messages() -> None:
    assert callables.name_of(plain) == "plain"
    assert callables.name_of(Object()) == "Object"
