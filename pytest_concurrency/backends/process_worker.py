"""What runs inside a worker process: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import io
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Literal

from pytest_concurrency.backends import process_pipe
from pytest_concurrency.backends.job import Worker, control_body, current_worker, run_batch
from pytest_concurrency.model import Reading
from pytest_concurrency.probes.thread_state import ThreadClock

# Where the test session found its modules: {dotted name: file, or folders of a package}.
Modules = Mapping[str, tuple[str | None, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Errand:
    """All that a worker process needs to start. ``call`` is set under fork, ``packed`` elsewhere."""

    index: int
    stack_file: str
    call: Callable[[], Any] | None = None
    packed: bytes = b""
    modules: Modules = field(default_factory=dict)
    # Ends of other workers' pipes that fork would keep open, so that they never see the end of file.
    inherited: tuple[Connection, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over the pipe, pickled: an exception travels as bytes of its own."""

    kind: Literal["ready", "reading", "raised"]
    reading: Reading | None = None
    error: bytes = b""
    text: str = ""


def main(connection: Connection, errand: Errand) -> None:
    """Serve one pipe; a closed pipe is the order to end, so that no worker outlives its session."""
    with contextlib.suppress(ValueError, AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's to handle
    for other in errand.inherited:
        other.close()
    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        _tell_where_on_request(stack, errand.stack_file)
        no_memory = pickle.dumps(Answer("raised", error=pickle.dumps(MemoryError()), text="MemoryError"))
        try:
            jobs = {"body": errand.call or _unpack(errand), "control": control_body}
        except BaseException as error:
            process_pipe.send(connection, pickle.dumps(_raised(error)))
            return
        process_pipe.send(connection, pickle.dumps(Answer("ready")))
        clock = stack.enter_context(contextlib.closing(ThreadClock()))
        while True:
            idle_delay = clock.delay()
            task = connection.recv()
            if task is None:
                return
            job, loops, workers = task
            current_worker.set(Worker(errand.index, workers, "processes"))
            try:
                message = pack_reading(run_batch(jobs[job], loops, clock, idle_delay))
            except BaseException as error:  # pytest's outcomes and SystemExit are the body's answer too
                try:
                    message = pickle.dumps(_raised(error))
                except MemoryError:
                    message = no_memory
            process_pipe.send(connection, message)


def pack_reading(reading: Reading) -> bytes:
    """Every batch has its readings, and dataclasses are slow to pickle."""
    return pickle.dumps(
        (reading.start, reading.end, reading.cpu, reading.delay, reading.late, reading.switches), protocol=5
    )


def unpack(message: bytes) -> object:
    """Return the :class:`Answer` in a message, or whatever else is in there."""
    value = pickle.loads(message)
    return Answer("reading", Reading(*value)) if type(value) is tuple and len(value) == 6 else value


def _raised(error: BaseException) -> Answer:
    try:
        text = "".join(traceback.format_exception(type(error), error, _of_the_body(error.__traceback__)))
    except Exception as second:  # a __str__ that fails; no memory, or no files left to read the source with
        text = f"{type(error).__qualname__} ({type(second).__qualname__} while its traceback was written)"
    try:
        packed = _pack_error(error)
        pickle.loads(packed)  # many exceptions can be written and not be read again
    except Exception:
        packed = b""
    return Answer("raised", error=packed, text=text)


def _pack_error(error: BaseException) -> bytes:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        """Names classes that claim to live elsewhere by where they do: pytest's outcomes say ``builtins``.

        Written by value they would arrive as other classes, and a skip would not be a skip.
        """

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, type) and not _is_at(value.__module__, value):
                home = getattr(getattr(value, "__init__", None), "__globals__", {}).get("__name__", "")
                if _is_at(home, value):
                    return _class_at, (home, value.__name__)
            return super().reducer_override(value)

    with io.BytesIO() as file:
        Pickler(file).dump(error)
        return file.getvalue()


def _is_at(module: str, value: type) -> bool:
    return getattr(sys.modules.get(module), value.__name__, None) is value


def _class_at(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _of_the_body(frames: TracebackType | None) -> TracebackType | None:
    """Leave out this plugin's own frames, which tell a test's author nothing."""
    first = frames
    while first is not None and first.tb_frame.f_globals.get("__name__", "").startswith("pytest_concurrency."):
        first = first.tb_next
    return first or frames


def _tell_where_on_request(stack: contextlib.ExitStack, path: str) -> None:
    """Let a signal, or a crash, write to a file where the body stands; a crash without that tells nothing."""
    try:
        file = stack.enter_context(open(path, "w"))  # noqa: SIM115
    except OSError:
        return
    faulthandler.enable(file)
    stack.callback(faulthandler.disable)
    if hasattr(signal, "SIGUSR1") and hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        stack.callback(faulthandler.unregister, signal.SIGUSR1)


def _unpack(errand: Errand) -> Callable[[], Any]:
    if errand.modules:
        sys.meta_path.insert(0, _SessionFinder(errand.modules))
    import cloudpickle

    call: Callable[[], Any] = cloudpickle.loads(errand.packed)
    return call


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
    root = str(below)
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
