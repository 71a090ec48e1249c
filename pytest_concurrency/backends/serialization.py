"""Serialization between processes and interpreters: bodies go to the workers, readings and exceptions come back.

Subinterpreters import this module, too, so nothing here may need the main interpreter.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, Literal

from pytest_concurrency.backends.batch import current_worker, jobs_of
from pytest_concurrency.backends.fork_only import open_connection
from pytest_concurrency.core.errors import CannotMeasure, NotPicklable, WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import Body, Reading
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.verdicts import worker_errors

# Where a test session found its modules: {dotted name: (file, folders of a package)}.
Modules = Mapping[str, "tuple[str | None, tuple[str, ...]]"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A worker's answer. An exception is pickled separately, because pickling it may fail."""

    kind: Literal["ready", "reading", "raised", "lost", "left"]  # lost: the body could not be loaded
    reading: Reading | None = None
    error: bytes = b""
    text: str = ""
    used: float = 0.0  # CPU time of the worker's process so far, in seconds; 0 if the worker has no process of its own
    left: tuple[Leftover, ...] = ()  # what the body has left running in the worker's process or interpreter


def pack(body: Body, receiver: str = "a worker process", by_fork: bool = False) -> bytes:
    """Return the body as bytes for another process.

    :param receiver: the kind of worker, for the message of an error.
    :param by_fork: whether the user could have the workers forked instead, which need no bytes.
    :raises NotPicklable: names the fixture or argument that cannot be sent, or the body itself.
    """
    try:
        return _dumps(jobs_of(body))
    except Exception as error:
        what, reason, peer = _blame(body, error)
        why = worker_errors.not_picklable(what, receiver, str(reason), place_of(body), peer, by_fork)
        raise NotPicklable(why) from error


def place_of(body: Body) -> str:
    """Return the first line of the body's function; empty if that is unknown, or not in the author's code."""
    function: Any = body.function
    with contextlib.suppress(ValueError):  # it claims to wrap itself
        function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or not stack_locations.is_authors(code.co_filename):
        return ""
    return stack_locations.describe([(code.co_filename, code.co_firstlineno, code.co_name)])


def _blame(body: Body, error: Exception) -> tuple[str, Exception, str]:
    """Return what cannot be pickled, why, and the peer of the open connection that it contains, if there is one."""
    named = [(f"fixture {name!r}", value) for name, value in body.values.items()]
    named += [(f"argument {number}", value) for number, value in enumerate(body.positional, 1)]
    named.append(("setup=", body.prepare))
    for name, value in named:
        try:
            _dumps(value)
        except Exception as reason:
            return f"{name} (a {type(value).__qualname__})", reason, open_connection(value) or ""
    return body.label, error, ""


def pack_state(environment: bool = False) -> bytes:
    """Return the test's warning filters and context variables as bytes, for a worker that is not a fork.

    :param environment: whether to add the environment variables and the current folder. Without them, workers of a fork
        server would have those of the first test that used it.
    """
    filters = [
        (action, getattr(message, "pattern", message) or "", category, getattr(module, "pattern", module) or "", line)
        for action, message, category, module, line in warnings.filters
    ]
    folder = None
    with contextlib.suppress(OSError):  # the folder was removed
        folder = str(Path.cwd())
    surroundings = (dict(os.environ), folder) if environment else None
    return _dumps((surroundings, _dumps(filters), _context_variables()))


def take_surroundings(packed: bytes) -> None:
    """Set the test's environment variables and current folder, before the import of modules that read them."""
    surroundings, _, _ = pickle.loads(packed)
    if surroundings is None:
        return
    variables, folder = surroundings
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
    if folder is not None:
        with contextlib.suppress(OSError):
            os.chdir(folder)


def take_warning_filters(packed: bytes) -> None:
    """Let this process treat warnings as the test does, with its ``filterwarnings`` marks and ``-W``."""
    _, filters, _ = pickle.loads(packed)
    warnings.resetwarnings()
    for action, message, category, module, line in pickle.loads(filters):
        warnings.filterwarnings(action, message, category, module, line, append=True)


def take_context_variables(packed: bytes) -> None:
    """Set context variables, in the context of the caller, to what fixtures have set them to."""
    _, _, variables = pickle.loads(packed)
    for module, name, value in variables:
        with contextlib.suppress(Exception):  # a body that needs this variable gets a LookupError when it reads it
            getattr(importlib.import_module(module), name).set(pickle.loads(value))


def _context_variables() -> list[tuple[str, str, bytes]]:
    """Return the context variables that have a value here, as (module, name of the global, pickled value).

    Variables that are not a global of a module, or whose value cannot be pickled, are left out.
    """
    values = {variable: value for variable, value in copy_context().items() if variable is not current_worker}
    found: list[tuple[str, str, bytes]] = []
    for module_name, module in list(sys.modules.items()) if values else ():
        for name, variable in list(getattr(module, "__dict__", {}).items()):
            if isinstance(variable, ContextVar) and variable in values:
                with contextlib.suppress(Exception):
                    found.append((module_name, name, _dumps(values.pop(variable))))
    return found


def unpack(packed: bytes, modules: Modules) -> Mapping[str, Callable[[], Any]]:
    """Return a body's jobs in another process or interpreter than the session's."""
    # Only the latest body's finder is kept. Otherwise, finders would accumulate in a pool's workers during a session.
    others = [finder for finder in sys.meta_path if not isinstance(finder, _SessionFinder)]
    sys.meta_path[:] = [_SessionFinder(modules), *others] if modules else others
    jobs: Mapping[str, Callable[[], Any]] = pickle.loads(packed)
    return jobs


class _SessionFinder:
    """Imports the session's own modules from the files that the session imported them from.

    Under ``--import-mode=importlib`` a test module's name cannot be found on ``sys.path``; under the
    other modes a second file of that name might be found first.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        known = self._modules.get(name)
        if known is None:
            return None
        file, folders = known
        if file is None:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = list(folders)
            return spec
        return importlib.util.spec_from_file_location(
            name, file, submodule_search_locations=list(folders) if folders else None
        )


def session_modules(below: Path) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """Return the loaded modules whose source lies below a folder, the session's root."""
    found: dict[str, tuple[str | None, tuple[str, ...]]] = {}
    root = os.path.join(below, "")  # with the separator: /shop is no part of /shop2
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "pytest_concurrency" or name in ("__main__", "__mp_main__"):
            continue
        file = getattr(module, "__file__", None)
        folders = tuple(str(folder) for folder in getattr(module, "__path__", ()))
        place = file or next(iter(folders), None)
        if not isinstance(place, str) or not place.startswith(root):
            continue
        if "site-packages" in place or (file is not None and not file.endswith(".py")):
            continue
        found[name] = (file, folders)
    return found


def raised(error: BaseException) -> Answer:
    """Return an exception in a form that can be sent."""
    try:
        text = "".join(traceback.format_exception(type(error), error, _of_the_body(error.__traceback__)))
    except Exception as second:  # __str__ fails, memory is exhausted, or no file can be opened to read the source
        text = f"{type(error).__qualname__} ({type(second).__qualname__} while its traceback was written)"
    if isinstance(error, LookupError) and error.args and isinstance(error.args[0], ContextVar):
        # ContextVar.get() raises it with the variable itself as its argument, which cannot be pickled.
        error = LookupError(
            f"the context variable {error.args[0].name!r} has no value in this worker. "
            "What a fixture sets it to reaches workers in other processes and interpreters if the variable is a global "
            "of a module, and the value can be pickled. Otherwise set it in the body."
        )
    return Answer("raised", error=_packed(error), text=text)


def _packed(error: BaseException) -> bytes:
    """Pickle an exception, as its parts if it cannot be unpickled otherwise; empty if it cannot be sent at all."""
    if _can_travel(error):
        return _dumps(error)
    with contextlib.suppress(Exception):
        packed = _dumps(_Parts.of(error))
        str(_exception_in(packed))  # its text may need what has been left out
        return packed
    return b""


@dataclass(frozen=True)
class _Parts:
    """An exception that cannot be unpickled, because its class takes other arguments than it hands to its base.

    What cannot be pickled of it is left out.
    """

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]

    @classmethod
    def of(cls, error: BaseException) -> _Parts:
        args = tuple(value if _can_travel(value) else repr(value) for value in error.args)
        return cls(type(error), args, {name: value for name, value in vars(error).items() if _can_travel(value)})

    def together(self) -> BaseException:
        """Return the exception, whose ``__init__`` is not called again."""
        error = self.kind.__new__(self.kind)
        error.args = self.args
        vars(error).update(self.state)
        return error


def _can_travel(value: object) -> bool:
    try:
        pickle.loads(_dumps(value))
    except Exception:
        return False
    return True


def _exception_in(packed: bytes) -> object:
    found = pickle.loads(packed)
    return found.together() if isinstance(found, _Parts) else found


def _dumps(value: Any) -> bytes:
    """Pickle a value; functions and classes that cannot be imported are pickled by value.

    :raises TypeError: the value contains the end of a pipe, whose descriptor would be another file in the worker.
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, Connection):
                raise TypeError("a connection can be handed to a process only as it is started")
            if isinstance(value, type) and not _is_at(value.__module__, value):
                # The class names another module as its own, as pytest's outcomes name ``builtins``. Pickled by value,
                # it would arrive as another class, and the session would not recognize a skip.
                home = getattr(getattr(value, "__init__", None), "__globals__", {}).get("__name__", "")
                if _is_at(home, value):
                    return _class_at, (home, value.__name__)
            return super().reducer_override(value)

    with io.BytesIO() as file:
        Pickler(file).dump(value)
        return file.getvalue()


def _is_at(module: str, value: type) -> bool:
    return getattr(sys.modules.get(module), value.__name__, None) is value


def _class_at(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _of_the_body(frames: TracebackType | None) -> TracebackType | None:
    """Leave out this plugin's own frames, which do not help the author of a test."""
    first = frames
    while first is not None and first.tb_frame.f_globals.get("__name__", "").startswith("pytest_concurrency."):
        first = first.tb_next
    return first or frames


def load_error(answer: Answer, who: str, body: Body) -> CannotMeasure | NotPicklable:
    """Return the exception to raise if a worker could not load the body; ``who`` names the worker."""
    last = answer.text.strip().splitlines()[-1]
    if "does not support loading in subinterpreters" in last:
        return CannotMeasure(
            f"{last.partition(': ')[2] or last}, and the body needs it", "measure with processes= instead."
        )
    return NotPicklable(worker_errors.not_loaded(who, body.label, answer.text, place_of(body)))


class RemoteTraceback(Exception):
    """The traceback text of an exception that was raised in another process."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def exception_of(answer: Answer) -> BaseException:
    """Return an exception that a worker has sent, with its traceback's text as its cause."""
    error: object = None
    if answer.error:
        with contextlib.suppress(Exception):
            error = _exception_in(answer.error)
    if not isinstance(error, BaseException):
        last = answer.text.strip().splitlines()[-1]
        error = WorkerLost(
            worker_errors.lost(
                "the body raised an exception that cannot be pickled.",
                last,
                try_next="catch it in the body, or raise one that can be pickled and unpickled.",
            )
        )
    error.__cause__ = RemoteTraceback(answer.text)
    return error
