"""Coroutines that the measured code creates and never awaits: what they would do is not done, and not measured.

Python warns when such a coroutine is removed (``warnings._warn_unawaited_coroutine``), in whichever thread that is.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.replaced import Replaced

_OFTEN = 2  # measured code runs many times; a single coroutine may be that of an earlier test, removed only now


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Measure in the block, and refuse code that forgets an ``await``.

    Coroutines of libraries do not count: what a mock makes of a call is often never awaited, and no one misses it.

    :raises BadArgument: a coroutine function of the author's was called and not awaited, more than once.
    """
    found: Counter[str] = Counter()

    def noting(original: Callable[..., Any]) -> Callable[..., Any]:
        def warn_unawaited_coroutine(coroutine: Any) -> None:
            code = coroutine.cr_code
            if stack_locations.is_authors(code.co_filename) and "site-packages" not in code.co_filename:
                found[code.co_name] += 1
            if coroutine.cr_origin is not None:
                original(coroutine)
            else:  # as the original does, which would name this file as the one that has forgotten it
                message = f"coroutine '{coroutine.__qualname__}' was never awaited"
                warnings.warn(message, RuntimeWarning, stacklevel=2, source=coroutine)

        return warn_unawaited_coroutine

    replaced = Replaced(warnings, "_warn_unawaited_coroutine", noting)
    with contextlib.suppress(AttributeError):  # another Python than CPython may have no such function
        replaced.install()
    try:
        yield
    finally:
        replaced.restore()
    for name, times in found.items():
        if times >= _OFTEN:
            raise BadArgument(
                f"{name}() was called without await, so it did not run and was not measured. Write await {name}(...), "
                f"or asyncio.run({name}(...)) in a plain function."
            )
