"""Decorators that replace something for the time of each call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from pytest_concurrency.core.callables import patched_by


def plain(*args: object) -> None:
    pass


async def later(*args: object) -> None:
    pass


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: object) -> Any:
        return function(*args)

    return wrapper


class Suite:
    @mock.patch("os.getpid")
    def patched(self, getpid: object) -> None:
        pass


@pytest.mark.parametrize(
    "function",
    [
        mock.patch("os.getpid")(plain),
        mock.patch.object(Suite, "patched")(plain),
        mock.patch.dict("os.environ", {})(plain),
        mock.patch("os.getpid")(later),
        logged(mock.patch("os.getpid")(plain)),
        functools.partial(mock.patch("os.getpid")(plain), 1),
        Suite().patched,
    ],
)
def test_patch_for_each_call_is_found_under_other_wrappers(function: Callable[..., Any]) -> None:
    assert patched_by(function) == "@mock.patch"


@pytest.mark.parametrize("function", [plain, later, logged(plain), len, functools.partial(plain), Suite, mock.Mock()])
def test_function_without_a_patch_has_none(function: Callable[..., Any]) -> None:
    assert patched_by(function) is None
