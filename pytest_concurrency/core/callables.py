"""What kind of function a callable is, be it a function, a method, a partial or an object with ``__call__``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


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


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which a message speaks of it."""
    return str(getattr(function, "__name__", type(function).__name__))


def _faces(function: Callable[..., Any]) -> list[Any]:
    """A class is called by its metaclass: what its objects have for ``__call__`` is not it."""
    return [function] if isinstance(function, type) else [function, getattr(function, "__call__", None)]  # noqa: B004
