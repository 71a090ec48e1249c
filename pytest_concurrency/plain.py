"""The ``concurrency`` fixture under ``--concurrency-disable``: each function runs once, nothing is measured."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from pytest_concurrency.gauge import Gauge


class PlainConcurrency:
    """Takes every call that :class:`~pytest_concurrency.fixture.Concurrency` takes."""

    def __init__(self) -> None:
        self._gauge = Gauge()

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> Granted:
        return _run(function, args, options.get("setup"))

    def compare(self, first: Callable[[], Any], second: Callable[[], Any], **options: Any) -> Granted:
        _run(first, ())
        return _run(second, ())

    def bound(self, function: Callable[..., Any], *args: Any, **options: Any) -> Granted:
        return _run(function, args, options.get("setup"))

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> Granted:
        return _run(function, args, options.get("setup"))

    def in_flight(self) -> Gauge:
        return self._gauge


class Granted:
    """Agrees with every comparison: there is no measurement to disagree with."""

    def __ge__(self, other: object) -> bool:
        return True

    __gt__ = __le__ = __lt__ = __ge__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<not measured: --concurrency-disable>"


def _run(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> Granted:
    __tracebackhide__ = True
    answer = function(*args) if prepare is None else function(prepare(), *args)
    if inspect.iscoroutine(answer):
        asyncio.run(answer)
    return Granted()
