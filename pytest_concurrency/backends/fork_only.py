"""What a body refers to that only forked processes share: elsewhere each worker imports one of its own."""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from pytest_concurrency.backends.batch import WithInput
from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import Body

_SHARED = {
    f"multiprocessing.{name}"
    for name in ("synchronize", "queues", "sharedctypes", "connection", "managers", "shared_memory")
}
_Named = Iterator["tuple[str, Any]"]


class Found(NamedTuple):
    """What processes share, by the name that the body has for it."""

    name: str
    kind: str


def first(functions: Collection[Callable[..., Any]], modules: Collection[str]) -> Found | None:
    """Return something that some functions refer to and only forked processes share; None if there is nothing.

    :param modules: names of the modules whose functions and objects are looked into: the session's own.
    """
    seen: set[int] = set()
    ahead: list[tuple[str, Any]] = [("", function) for function in functions]
    while ahead:
        name, value = ahead.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, mmap.mmap) or any(kind.__module__ in _SHARED for kind in type(value).__mro__):
            return Found(name, f"{type(value).__module__}.{type(value).__qualname__}")
        ahead.extend(_referred(name, value, modules))
    return None


def refuse_what_only_fork_shares(body: Body, modules: Collection[str], otherwise: str, why: str) -> None:
    """See to it that workers share what they would share if the process were forked, as a lock.

    :param otherwise: how these workers start instead, as the beginning of a sentence.
    :raises CannotMeasure: the body refers to something that each worker would have one of its own of.
    """
    functions = [function for function in (body.function, body.prepare) if function is not None]
    found = first(functions, modules)
    if found is not None:
        raise CannotMeasure(
            f"{body.label} uses {found.name} ({found.kind}), which only forked processes share. {otherwise}, and have "
            f"one each: {why}. Make it in a fixture, by multiprocessing.Manager(), or use "
            "--concurrency-start-method=fork if the other threads do no harm, as idle ones of a library like NumPy"
        )


def _referred(name: str, value: Any, modules: Collection[str]) -> _Named:
    if isinstance(value, FunctionType):
        return _by_code(value, modules) if not name or value.__module__ in modules else iter(())
    if isinstance(value, (list, tuple, set, frozenset)):
        return ((name, each) for each in value)
    if isinstance(value, Mapping):
        return ((name, each) for each in value.values())
    if isinstance(value, functools.partial):
        return iter([("", value.func)])
    if isinstance(value, MethodType):
        return iter([("", value.__func__)])
    if isinstance(value, WithInput):
        return iter([("", value.function)])
    return _attributes(name, value) if _home(value) in modules else iter(())


def _by_code(function: FunctionType, modules: Collection[str]) -> _Named:
    """Yield the globals and the outer variables that a function's code names."""
    names = set(_names(function.__code__))
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        if not isinstance(value, ModuleType):
            yield name, value
        elif value.__name__ in modules:
            yield from ((f"{name}.{inner}", vars(value)[inner]) for inner in names & vars(value).keys())
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # empty as yet
            continue


def _attributes(name: str, value: Any) -> _Named:
    """Yield what an object of the session's own, or a class, has."""
    if not isinstance(value, type):
        yield "", type(value)
    for each, found in list(getattr(value, "__dict__", {}).items()):
        yield f"{name or getattr(value, '__qualname__', type(value).__qualname__)}.{each}", found


def _home(value: Any) -> str:
    return str((value if isinstance(value, type) else type(value)).__module__)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that a code object and those within it look up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
