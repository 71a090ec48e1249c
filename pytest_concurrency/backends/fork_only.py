"""What a body refers to that only forked processes share: elsewhere each worker imports one of its own."""

from __future__ import annotations

import dis
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
    for name, value in _reached([("", function) for function in functions], modules):
        if isinstance(value, mmap.mmap) or any(kind.__module__ in _SHARED for kind in type(value).__mro__):
            return Found(name, f"{type(value).__module__}.{type(value).__qualname__}")
    return None


def _reached(ahead: list[tuple[str, Any]], modules: Collection[str]) -> _Named:
    """Yield all that some values refer to, with its name."""
    seen: set[int] = set()
    while ahead:
        name, value = ahead.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value
        ahead.extend(_referred(name, value, modules))


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
    """Yield the globals and the outer variables that a function's code loads."""
    for name, value in _globals(function.__code__, function.__globals__, modules):
        if not isinstance(value, ModuleType):
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # empty as yet
            continue


def _globals(code: CodeType, names: Mapping[str, Any], modules: Collection[str]) -> _Named:
    """Yield the globals that a code object and those within it load, and what they take from modules of the session.

    An attribute that has the name of a global is something else, so instructions are read and not ``co_names``.
    """
    path, module = "", None  # the module that the instruction before has loaded
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name in names:
            path, value = name, names[name]
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and module is not None and name in vars(module):
            path, value = f"{path}.{name}", vars(module)[name]
        else:
            module = module if instruction.opname in ("PUSH_NULL", "EXTENDED_ARG", "CACHE") else None
            continue
        yield path, value
        module = value if isinstance(value, ModuleType) and value.__name__ in modules else None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals(constant, names, modules)


def _attributes(name: str, value: Any) -> _Named:
    """Yield what an object of the session's own, or a class, has."""
    if not isinstance(value, type):
        yield "", type(value)
    for each, found in list(getattr(value, "__dict__", {}).items()):
        yield f"{name or getattr(value, '__qualname__', type(value).__qualname__)}.{each}", found


def _home(value: Any) -> str:
    return str((value if isinstance(value, type) else type(value)).__module__)
