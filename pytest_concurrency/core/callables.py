"""What kind of function a callable is, be it a function, a method, a partial or an object with ``__call__``."""

from __future__ import annotations

import functools
import inspect
import re
import reprlib
from collections.abc import Callable
from types import MethodType
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
    seen: list[object] = []
    while function is not None and not any(function is each for each in seen):
        seen.append(function)
        home = getattr(function, "__globals__", {}).get("__name__", "")
        if home in _PATCHING:
            return _PATCHING[home]
        function = _stands_for(function)
    return None


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which a message speaks of it."""
    return str(getattr(function, "__name__", type(function).__name__))


def spelled_call(function: Callable[..., Any], args: tuple[Any, ...] = ()) -> str:
    """Return a call as its author would write it, the same one in every session: ``fetch('small')``.

    Long arguments are shortened, and addresses of objects are left out: they differ from session to session.
    """
    named: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        args, named = (*function.args, *args), {**function.keywords, **named}
        function = function.func
    name = getattr(function, "__qualname__", type(function).__qualname__).rpartition("<locals>.")[2]
    inside = [_spelled(arg) for arg in args] + [f"{key}={_spelled(value)}" for key, value in named.items()]
    return f"{name}({', '.join(inside)})"


def _spelled(value: object) -> str:
    if callable(value):
        return spelled_call(value).removesuffix("()")
    return re.sub(r" at 0x[0-9a-fA-F]+", "", _short.repr(value))


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


def _stands_for(function: Any) -> Any:
    """Return what a method, a partial or a wrapper calls; None for anything else."""
    if isinstance(function, MethodType):
        return function.__func__
    if isinstance(function, functools.partial):
        return function.func
    # Not getattr: a mock has any attribute that it is asked for, and each of these has another.
    return getattr(function, "__dict__", {}).get("__wrapped__")


def _faces(function: Callable[..., Any]) -> list[Any]:
    """Return where wrapping shows. Calling a class makes an object, whose ``__call__`` does not count."""
    return [function] if isinstance(function, type) else [function, getattr(function, "__call__", None)]  # noqa: B004
