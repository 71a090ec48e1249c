"""Finds and replaces the function behind ``module:function`` or ``module:Class.method`` while it is watched."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from pytest_concurrency.core.errors import BadArgument

_MISSING: Any = object()
_SHOWN = 5
_LARGE = 10_000  # items; larger containers are not searched, because registries of functions are smaller

__tracebackhide__ = True  # without this, pytest shows a failure in this module, not at the user's call


class Target:
    """The function behind a name, and all modules that have the function as an attribute.

    :raises BadArgument: there is nothing under the name, or it cannot be replaced. The message says why.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._owner, self._attribute = _find(name)
        self._own = vars(self._owner).get(self._attribute, _MISSING)  # _MISSING if a base class has it
        raw = inspect.getattr_static(self._owner, self._attribute)
        self._kind = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
        self.function: Callable[..., Any] = raw.__func__ if self._kind is not None else raw
        self._raw = raw
        self._replaced: list[tuple[Any, str, Any, Any]] = []  # owner, name, before, instead
        self._check()

    def replace(self, watched: Callable[..., Any]) -> None:
        """Replace the original by a function: where it was found, and in every module that has it."""
        instead = self._kind(watched) if self._kind is not None else watched
        self._set(self._owner, self._attribute, self._own, instead)
        if isinstance(self._owner, types.ModuleType):
            for module, alias in list(_aliases(self.function)):
                self._set(module, alias, self.function, instead)

    def restore(self) -> None:
        """Restore the original where the replacement is in place; one that is kept elsewhere is a plain call.

        Where something else is in place, such as what a fixture has patched, the replacement may come back when that
        fixture ends: call this again then.
        """
        elsewhere = []
        while self._replaced:
            owner, name, before, instead = replaced = self._replaced.pop()
            if vars(owner).get(name, _MISSING) is not instead:
                elsewhere.append(replaced)
            elif before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._replaced = elsewhere[::-1]

    def elsewhere(self) -> list[str]:
        """Describe module attributes that contain the original, such as a dict. Calls through them are not seen."""
        found = []
        for module in list(sys.modules.values()):
            if isinstance(module, types.ModuleType) and not _is_ours(module):
                for name, value in list(vars(module).items()):
                    if isinstance(value, type) and isinstance(self._owner, type):
                        continue  # without this, the class itself or a base class that has the method would be listed
                    if what := _holds(value, self._raw, self.function):
                        found.append(f"{module.__name__}.{name} ({what})")
        return list(dict.fromkeys(found))[:_SHOWN]

    def _set(self, owner: Any, name: str, before: Any, instead: Any) -> None:
        try:
            setattr(owner, name, instead)
        except (TypeError, AttributeError) as error:
            raise BadArgument(
                f"concurrency.watch({self.name!r}): it cannot be replaced ({error}). A method in C that is built "
                "into a type cannot be watched: watch the Python function that calls it."
            ) from None
        self._replaced.append((owner, name, before, instead))

    def _check(self) -> None:
        what: Any = self.function
        why = ""
        if isinstance(what, type):
            why = f'it is a class. Watch one of its methods: "{self.name}.__init__"'
        elif isinstance(what, property) or not callable(what):
            why = f"it is a {type(what).__name__}, which is not called by that name. Watch a function or method"
        elif inspect.isgeneratorfunction(what) or inspect.isasyncgenfunction(what):
            why = "it is a generator, so calling it runs nothing. Watch the function that consumes it"
        if why:
            raise BadArgument(f"concurrency.watch({self.name!r}): {why}.")


def _find(name: str) -> tuple[Any, str]:
    """Return the module or class that has the function, and the name of its attribute."""
    module_name, colon, path = name.partition(":") if isinstance(name, str) else ("", "", "")
    if not (module_name and colon and path):
        raise BadArgument(
            f"concurrency.watch({name!r}): write the module and the name in it, with a colon between them, such as "
            '"shop.web:fetch" or "shop.web:Client.get".'
        )
    try:
        owner: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise BadArgument(f"concurrency.watch({name!r}): the module cannot be imported: {error}.") from error
    *parents, attribute = path.split(".")
    for index, part in enumerate([*parents, attribute]):
        try:
            found = inspect.getattr_static(owner, part)
        except AttributeError:
            near = [each for each in dir(owner) if not each.startswith("__")]
            guess = difflib.get_close_matches(part, near, 1)
            raise BadArgument(
                f"concurrency.watch({name!r}): {getattr(owner, '__name__', owner)!s} has no {part!r}"
                + (f"; did you mean {guess[0]!r}?" if guess else ".")
            ) from None
        if index < len(parents):
            owner = found
    if not isinstance(owner, (types.ModuleType, type)):
        raise BadArgument(
            f"concurrency.watch({name!r}): {path.rpartition('.')[0]!r} is neither a module nor a class. Name the class "
            "that has the method."
        )
    return owner, attribute


def _aliases(function: object) -> Iterator[tuple[types.ModuleType, str]]:
    """Yield each module that has a function, such as by ``from shop.web import fetch``, and its name there."""
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType):
            for name, value in list(vars(module).items()):
                if value is function:
                    yield module, name


def _is_ours(module: types.ModuleType) -> bool:
    return str(getattr(module, "__name__", "")).startswith("pytest_concurrency.")


def _holds(value: Any, *wanted: object) -> str:
    """Return the kind of a container that contains one of the wanted objects; empty if it contains none."""
    kind = type(value)
    if kind is functools.partial:
        return "a functools.partial" if any(value.func is one for one in wanted) else ""
    if kind is dict:
        items = list(value.values()) if len(value) <= _LARGE else []
    elif kind in (list, tuple, set, frozenset):
        items = list(value) if len(value) <= _LARGE else []
    elif isinstance(value, type):
        items = list(vars(value).values())
    else:
        return ""
    if not any(item is one for item in items for one in wanted):
        return ""
    return f"a {'class' if isinstance(value, type) else kind.__name__}"
