"""What kind of function a callable is, be it a function, a method, a partial or an object with ``__call__``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_PATCHING = {
    "unittest.mock": "@mock.patch",
    "mock.mock": "@mock.patch",
    "freezegun.api": "@freeze_time",
    "time_machine": "@time_machine.travel",
    "responses": "@responses.activate",
    "requests_mock.mocker": "@requests_mock",
    "vcr.cassette": "@vcr.use_cassette",
}


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call returns a coroutine, so that it must be awaited."""
    return any(inspect.iscoroutinefunction(each) for each in _faces(function))


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether a call returns a generator, so that calling it runs nothing of it."""
    return any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in _faces(function))


def takes_nothing(function: Callable[..., Any]) -> bool:
    """Whether it can be called without arguments, as far as that can be known."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:  # some of those written in C do not tell
        return True
    return True


def patched_by(function: Any) -> str | None:
    """Return the decorator that replaces something for the time of each call, as ``@mock.patch`` does; or None.

    By the modules of those that do so: their wrappers are defined there.
    """
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        home = getattr(function, "__globals__", {}).get("__name__", "")
        if home in _PATCHING:
            return _PATCHING[home]
        # What a method, a partial and a wrapper stand for.
        inner = (getattr(function, name, None) for name in ("__func__", "func", "__wrapped__"))
        function = next((each for each in inner if callable(each)), None)
    return None


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which a message speaks of it."""
    return str(getattr(function, "__name__", type(function).__name__))


def _faces(function: Callable[..., Any]) -> list[Any]:
    """A class is called by its metaclass: what its objects have for ``__call__`` is not it."""
    return [function] if isinstance(function, type) else [function, getattr(function, "__call__", None)]  # noqa: B004
