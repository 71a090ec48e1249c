"""Results that show that a call has done nothing yet: coroutines, generators, futures that are not done."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from types import AsyncGeneratorType, CoroutineType, GeneratorType

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.units import duration

__tracebackhide__ = True  # pytest shows a failure at the line of the test

# Seconds of a call that may have done its work before it returned such a result. Making one takes much less.
_WORKED = 0.001
_CONSUMED = (GeneratorType, AsyncGeneratorType, map, filter, zip)


def refuse_lazy(answer: object, seconds: float) -> None:
    """Check that a call, which took so many ``seconds``, has not merely returned what would do its work.

    :raises BadArgument: it has, so nothing of the work was measured.
    """
    if isinstance(answer, CoroutineType):
        answer.close()
        raise BadArgument(
            f"{answer.__qualname__}() returned a coroutine, which no one awaits, so that nothing was measured. "
            "Give the async def itself, or call asyncio.run() in the function."
        )
    if seconds < _WORKED and (found := _lazy(answer)) is not None:
        what, instead = found
        after = duration(seconds)
        raise BadArgument(f"the measured function returned {what} after {after}, before its work was done. {instead}")


def _lazy(answer: object) -> tuple[str, str] | None:
    """Return what a result is that has done nothing yet, and what to write instead; None if it is another value."""
    if isinstance(answer, _CONSUMED):
        kind = "a generator" if not isinstance(answer, (map, filter, zip)) else f"a {type(answer).__name__} object"
        return kind, "Consume it in the function: return list(...)."
    if isinstance(answer, (list, tuple)) and answer and all(isinstance(each, CoroutineType) for each in answer):
        for each in answer:
            each.close()
        return "coroutines", "Await them in the function: await asyncio.gather(*...)."
    if isinstance(answer, Future) and not answer.done():
        return "a future that is not done", "Wait for it in the function: return future.result()."
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None and isinstance(answer, asyncio.Future) and not answer.done():
        return "a task or future that is not done", "Await it in the function."
    return None
