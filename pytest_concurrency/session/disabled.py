"""The ``concurrency`` fixture under ``--concurrency-disable``: each function runs once, nothing is measured."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import Any, ClassVar

from pytest_concurrency.instruments.block_guard import NonblockingBlock
from pytest_concurrency.machine.running_loop import in_loop
from pytest_concurrency.session.calls import pool_sizes
from pytest_concurrency.session.calls.either_way import EitherWay
from pytest_concurrency.session.calls.instrument_calls import InstrumentCalls
from pytest_concurrency.session.calls.same_result import check_same

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class PlainConcurrency(InstrumentCalls):
    """Accepts every call that :class:`~pytest_concurrency.session.fixture.Concurrency` accepts."""

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> AlwaysTrue:
        prepare = options.get("setup")
        given = args if prepare is None else (prepare(), *args)
        return _done([(function, given)], lambda results: None)

    gil_hold: Callable[..., AlwaysTrue] = speedup
    loop_block: Callable[..., AlwaysTrue] = speedup
    bound: Callable[..., AlwaysTrue] = speedup
    measure: Callable[..., AlwaysTrue] = speedup

    def scaling(self, function: Callable[..., Any], *args: Any, **options: Any) -> AlwaysTrue:
        if pool_sizes.is_meant(options):
            args = (*args, *pool_sizes.last_counts(options))
        return self.speedup(function, *args, **options)

    def compare(
        self, baseline: Callable[[], Any], candidate: Callable[[], Any], *, same_result: bool = False, **options: Any
    ) -> AlwaysTrue:
        def check(results: list[Any]) -> None:
            if same_result:
                check_same(*results)

        return _done([(baseline, ()), (candidate, ())], check)

    def nonblocking(self, max_block: float | str = "50ms") -> NonblockingBlock:
        return UnguardedBlock(max_block, lambda undecided: None)


class UnguardedBlock(NonblockingBlock):
    """Guards nothing, and accepts the arguments of the block that guards."""

    def __enter__(self) -> UnguardedBlock:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


class AlwaysTrue:
    """Takes the place of any finding and of each of its figures: nothing was measured, so every comparison passes.

    That includes ``assert not concurrency.speedup(...) >= 2``.

    On a running event loop, async functions run once it is awaited.
    """

    def __init__(self, pending: Coroutine[Any, Any, None] | None = None) -> None:
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, AlwaysTrue]:
        pending, self._pending = self._pending, None
        if pending is not None:
            yield from pending.__await__()
        return self

    def __call__(self, *args: object) -> AlwaysTrue:
        return self

    def __ge__(self, other: object) -> Any:
        return EitherWay()

    def __gt__(self, other: object) -> Any:
        return EitherWay()

    def __le__(self, other: object) -> Any:
        return EitherWay()

    def __lt__(self, other: object) -> Any:
        return EitherWay()

    def __eq__(self, other: object) -> Any:
        return EitherWay()

    def __ne__(self, other: object) -> Any:
        return EitherWay()

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

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


def _done(calls: list[tuple[Callable[..., Any], tuple[Any, ...]]], check: Callable[[list[Any]], None]) -> AlwaysTrue:
    """Call some functions now; on a running event loop, return an awaitable for async functions."""
    results = [function(*args) for function, args in calls]
    if not in_loop():
        results = [asyncio.run(each) if inspect.iscoroutine(each) else each for each in results]
    if not any(map(inspect.iscoroutine, results)):
        check(results)
        return AlwaysTrue()

    async def rest() -> None:
        check([await each if inspect.iscoroutine(each) else each for each in results])

    return AlwaysTrue(rest())
