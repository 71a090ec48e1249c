"""A function or method that is replaced for some time, and put back only where no one else has replaced it since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_INHERITED = object()  # what an owner has that finds the attribute in its class


class Replaced:
    """An attribute of a module, a class or an object, from :meth:`install` to :meth:`restore`."""

    def __init__(self, owner: Any, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """``wrap`` gets the original function, and returns the one that takes its place."""
        self._owner, self._name, self._wrap = owner, name, wrap
        self._own: Any = _INHERITED
        self._replacement: object = None

    def install(self) -> None:
        """Put the replacement in place.

        :raises AttributeError: the owner lets no one set its attributes.
        """
        self._own = self._now()
        replacement = self._wrap(getattr(self._owner, self._name))
        setattr(self._owner, self._name, replacement)
        self._replacement = replacement

    def restore(self) -> None:
        """Put back what was there, unless something else is in place by now: the library that did so may keep it."""
        if self._replacement is None or self._now() is not self._replacement:
            return
        if self._own is _INHERITED:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._own)

    def _now(self) -> object:
        return getattr(self._owner, "__dict__", {}).get(self._name, _INHERITED)
