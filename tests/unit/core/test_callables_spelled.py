"""Calls as a baseline knows them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from pytest_concurrency.core.callables import spelled_call


def fetch(*args: object, **named: object) -> None:
    pass


class Client:
    def get(self, path: str) -> None:
        pass

    def __call__(self) -> None:
        pass


def inner() -> Callable[..., None]:
    def work() -> None:
        pass

    return work


@pytest.mark.parametrize(
    ("function", "args", "spelled"),
    [
        (fetch, (), "fetch()"),
        (fetch, ("small", 4), "fetch('small', 4)"),
        (functools.partial(fetch, 1, size="large"), (2,), "fetch(1, 2, size='large')"),
        (functools.partial(functools.partial(fetch, 1), 2), (3,), "fetch(1, 2, 3)"),
        (Client().get, ("/slow",), "Client.get('/slow')"),
        (Client(), (), "Client()"),
        (inner(), (), "work()"),
        (fetch, (inner(), Client), "fetch(work, Client)"),
        (len, ([1, 2],), "len([1, 2])"),
    ],
)
def test_a_call_is_spelled_as_its_author_wrote_it(function: Any, args: tuple[Any, ...], spelled: str) -> None:
    assert spelled_call(function, args) == spelled


def test_addresses_are_left_out() -> None:
    assert spelled_call(fetch, (object(),)) == spelled_call(fetch, (object(),)) == "fetch(<object object>)"


def test_long_arguments_are_shortened() -> None:
    assert len(spelled_call(fetch, ("x" * 10_000, list(range(10_000))))) < 150
