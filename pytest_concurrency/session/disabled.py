"""The ``concurrency`` fixture under ``--concurrency-disable``: each function runs once, nothing is measured."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from pytest_concurrency.instruments.call_watch import CallWatch
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.session.instruments import Instruments
from pytest_concurrency.session.same_result import check_same
from pytest_concurrency.session.unused_comparisons import EitherWay

__tracebackhide__ = True  # a failure is told at the test's own line


class PlainConcurrency:
    """Takes every call that :class:`~pytest_concurrency.session.fixture.Concurrency` takes."""

    def __init__(self, instruments: Instruments | None = None) -> None:
        self._instruments = instruments or Instruments()

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> AlwaysTrue:
        return _run(function, args, options.get("setup"))

    def compare(
        self, first: Callable[[], Any], second: Callable[[], Any], *, same_result: bool = False, **options: Any
    ) -> AlwaysTrue:
        one, two = _result(first, ()), _result(second, ())
        if same_result:
            check_same(one, two)
        return AlwaysTrue()

    def bound(self, function: Callable[..., Any], *args: Any, **options: Any) -> AlwaysTrue:
        return _run(function, args, options.get("setup"))

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> AlwaysTrue:
        return _run(function, args, options.get("setup"))

    def in_flight(
        self, *, meet: int | None = None, limit: int | None = None, timeout: float | str = "30s"
    ) -> Gauge | Rendezvous:
        return self._instruments.in_flight(meet, limit, timeout)

    def nonblocking(self, max_block: float | str = "50ms") -> UnguardedBlock:
        return UnguardedBlock()

    def watch(self, name: str) -> CallWatch:
        return self._instruments.watch(name)

    def pause(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class UnguardedBlock(contextlib.nullcontext[None]):
    """Guards nothing; ``with`` or ``async with``."""

    blocks = ()


class AlwaysTrue:
    """Stands for any finding and for each of its figures: nothing was measured, so every comparison passes.

    That includes ``assert not concurrency.speedup(...) >= 2``.
    """

    def __ge__(self, other: object) -> Any:
        return EitherWay()

    __gt__ = __le__ = __lt__ = __ge__

    def __eq__(self, other: object) -> Any:
        return EitherWay()

    def __ne__(self, other: object) -> Any:
        return EitherWay()

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> AlwaysTrue:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> AlwaysTrue:
        return self

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return "<not measured: --concurrency-disable>"


def _run(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> AlwaysTrue:
    _result(function, args if prepare is None else (prepare(), *args))
    return AlwaysTrue()


def _result(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    answer = function(*args)
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer
