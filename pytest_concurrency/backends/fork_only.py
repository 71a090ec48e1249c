"""Objects that a body refers to and that only forked workers share: multiprocessing objects and open connections.

Forked workers share the locks and queues of multiprocessing; other workers would get one each. Forked workers also
share open connections, which cannot be sent to other workers.
"""

from __future__ import annotations

import collections
import dis
import functools
import gc
import itertools
import mmap
import os
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from pytest_concurrency.backends.batch import WithInput
from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import Body

_SHARED = {
    f"multiprocessing.{name}"
    for name in ("synchronize", "queues", "sharedctypes", "connection", "managers", "shared_memory")
}
_MOST_OBJECTS = 20_000  # limit of a search for a connection
# Types that are not searched: they refer to a large part of the process, and a body sends no request through them.
_NO_HOLDERS = (type, ModuleType, FunctionType, CodeType, FrameType, str, bytes)
_OF_THE_SESSION = {
    "_pytest",
    "pytest",
    "pluggy",
    "xdist",
    "execnet",
    "pytest_concurrency",
    "logging",
    "multiprocessing",
    "asyncio",
}
_Named = Iterator["tuple[str, Any]"]


class Found(NamedTuple):
    """The name and the type of an object that forked processes share; the name is the one that the body uses."""

    name: str
    kind: str


def first(functions: Collection[Callable[..., Any]], modules: Collection[str]) -> Found | None:
    """Return the first object that functions refer to and only forked processes share; None if there is none.

    :param modules: names of the session's own modules, whose functions and objects are searched.
    """
    for name, value in _reached([("", function) for function in functions], modules):
        if isinstance(value, mmap.mmap) or any(kind.__module__ in _SHARED for kind in type(value).__mro__):
            return Found(name, f"{type(value).__module__}.{type(value).__qualname__}")
    return None


def _reached(ahead: list[tuple[str, Any]], modules: Collection[str]) -> _Named:
    """Yield the given values and all that they refer to, each with its name."""
    seen: set[int] = set()
    while ahead:
        name, value = ahead.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield name, value
        ahead.extend(_referred(name, value, modules))


def refuse_what_only_fork_shares(body: Body, modules: Collection[str], otherwise: str, why: str) -> None:
    """Refuse a body that uses an object which only forked workers share, such as a lock.

    :param otherwise: how these workers start instead, as the beginning of a sentence.
    :raises CannotMeasure: the body refers to an object of which each worker would get its own copy.
    """
    functions = [function for function in (body.function, body.prepare) if function is not None]
    found = first(functions, modules)
    if found is not None:
        raise CannotMeasure(
            f"{body.label} uses {found.name} ({found.kind}), which only forked processes share. {otherwise}, and have "
            f"one each: {why}",
            "make it in a fixture, by multiprocessing.Manager(), or use --concurrency-start-method=fork if the other "
            "threads do no harm, as idle ones of a library like NumPy.",
        )


def refuse_shared_connections(body: Body, modules: Collection[str]) -> None:
    """Refuse an open connection that forked workers would share: their requests would mix, or wait for each other.

    :raises CannotMeasure: the body refers to an open connection; the message names it.
    """
    if found := shared_connection(body, modules):
        raise CannotMeasure(
            f"{body.label} uses {found}. Workers would be forked and share it: their requests would mix on it, or wait "
            "for each other",
            "open it in the body, or by a function with functools.cache that the body calls and the fixture does not; "
            "or use --concurrency-start-method=fork if its library opens another one in a fork by itself.",
        )


def shared_connection(body: Body, modules: Collection[str]) -> str:
    """Return a description of an open connection that a body refers to, with its name; empty if there is none."""
    ahead: list[tuple[str, Any]] = [(f"fixture {name!r}", value) for name, value in body.values.items()]
    ahead += [(f"argument {number}", value) for number, value in enumerate(body.positional, 1)]
    functions: list[tuple[str, Any]] = [("", one) for one in (body.function, body.prepare) if one is not None]
    for name, value in itertools.chain(ahead, _reached(functions, modules)):
        peer = open_connection(value) if name else None
        if peer is not None:
            return f"{name} (a {type(value).__qualname__}), which has an open connection to {peer}"
    return ""


def open_connection(root: Any) -> str | None:
    """Return the peer of a connected socket that an object refers to, at any depth; None if none is found."""
    seen = {id(root)}
    ahead: collections.deque[Any] = collections.deque([root])
    while ahead and len(seen) < _MOST_OBJECTS:
        value = ahead.popleft()
        if isinstance(value, socket.socket):
            if peer := _peer(value):
                return peer
            continue
        if _is_no_holder(value):
            continue
        for each in gc.get_referents(value):
            if id(each) not in seen:
                seen.add(id(each))
                ahead.append(each)
    return None


def _peer(connection: socket.socket) -> str:
    """Return the peer address of a socket as text; empty if it is not connected, or is one of an unnamed pair."""
    try:
        peer = connection.getpeername()
    except OSError:
        return ""
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else str(peer or "")


def _is_no_holder(value: Any) -> bool:
    """Whether an object need not be searched: it does not own what it refers to, or is known to be safe to share."""
    if isinstance(value, _NO_HOLDERS) or type(value).__module__.partition(".")[0] in _OF_THE_SESSION:
        return True
    # Objects that store their process ID open new connections in a fork, as pools of Redis and SQLAlchemy do.
    known = getattr(value, "__dict__", None)
    return isinstance(known, dict) and any(known.get(name) == os.getpid() for name in ("pid", "_pid"))


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
    """Yield the globals and the closure variables that a function's code loads."""
    for name, value in _globals(function.__code__, function.__globals__, modules):
        if not isinstance(value, ModuleType):
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # the variable has no value yet
            continue


def _globals(code: CodeType, names: Mapping[str, Any], modules: Collection[str]) -> _Named:
    """Yield the globals that a code object and nested ones load, and what they load from modules of the session.

    The instructions are read because ``co_names`` does not distinguish a global from an attribute of the same name.
    """
    path, module = "", None  # the module that the previous instruction has loaded
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
    """Yield the attributes of a class or object of the session's own, and the class of the object."""
    if not isinstance(value, type):
        yield "", type(value)
    for each, found in list(getattr(value, "__dict__", {}).items()):
        yield f"{name or getattr(value, '__qualname__', type(value).__qualname__)}.{each}", found


def _home(value: Any) -> str:
    return str((value if isinstance(value, type) else type(value)).__module__)
