"""Interpreters as the command line names them: what they are, an environment for each, and what is installed there."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest_concurrency
from pytest_concurrency.cli import sessions
from pytest_concurrency.core.errors import CommandError

_PATIENCE = 60.0  # seconds for an interpreter to say what it is; on a busy machine, an import takes some of them
_INSTALL = "install pytest-concurrency-perf and the tests' requirements there, or let --setup make an environment:\n"
_EXAMPLE = (
    '  --setup "{python} -m venv {venv} && {venv}/bin/pip install . pytest-concurrency-perf"'
    if os.name == "posix"
    else r'  --setup "{python} -m venv {venv} && {venv}\Scripts\pip install . pytest-concurrency-perf"'
)
# Runs in whatever interpreter is named, so it has to be valid in every version of Python. The last line is the answer:
# what the start of an interpreter prints stands before it.
_QUESTION = """
import json, os, sys
def version(name):
    try:
        module = __import__(name)
        folder = os.path.realpath(os.path.dirname(module.__file__))
        return getattr(module, "__distribution__", name), module.__version__, folder
    except ImportError:
        return None
    except Exception:
        return name, "that cannot be imported: %s" % (sys.exc_info()[1],), ""
print("\\n" + json.dumps({
    "executable": os.path.realpath(sys.executable), "command": sys.executable, "prefix": sys.prefix,
    "options": getattr(sys, "orig_argv", [""] * 3)[1:-2], "version": list(sys.version_info[:2]),
    "pytest": version("pytest"), "plugin": version("pytest_concurrency"),
}))
"""


class Interpreter(NamedTuple):
    """An interpreter that has started.

    ``name`` is as the user gave it, ``command`` what runs it. ``executable`` and ``prefix`` identify it, together with
    its ``options``, such as ``-X gil=0``. ``pytest`` and ``plugin`` are the versions that it has, or None.
    """

    name: str
    command: tuple[str, ...]
    executable: str
    path: str
    prefix: str
    options: tuple[str, ...]
    pytest: str | None
    plugin: str | None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What distinguishes interpreters."""
        return self.executable, self.prefix, self.options, self.variables

    @property
    def shown(self) -> str:
        """What a person would type to start it."""
        return " ".join([*self.variables, self.path, *self.options])

    @property
    def variables(self) -> tuple[str, ...]:
        """What is set for it: of ``env PYTHON_JIT=1 python3.14``, the first two words."""
        number = next((number for number, word in enumerate(self.command[1:], 1) if "=" not in word), 1)
        return self.command[:number] if number > 1 else ()


def find(name: str, folder: Path, command: Sequence[str] = ()) -> Interpreter:
    """Start an interpreter, and return what it is.

    :param command: what runs it, if not ``name``.
    :raises CommandError: it does not start, is no Python, or one that is too old.
    """
    words = [*command] if command else shlex.split(name, posix=os.name == "posix")
    if not words:
        raise CommandError("an interpreter has no name: is a variable not set?")
    if Path(words[0]).is_file():
        words[0] = str(Path(words[0]).absolute())
    answer = _answer(name, words, folder)
    if (version := tuple(answer["version"])) < (3, 10):
        raise CommandError(f"{name} is Python {version[0]}.{version[1]}: the plugin needs 3.10 or newer")
    return Interpreter(
        name,
        tuple(words),
        answer["executable"],
        answer["command"],
        answer["prefix"],
        tuple(answer["options"]),
        answer["pytest"] and answer["pytest"][1],
        _plugin(answer["plugin"]),
    )


def _answer(name: str, words: Sequence[str], folder: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [*words, "-c", _QUESTION],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except OSError as error:
        raise CommandError(
            f"{name} cannot be run: {error.strerror or error}. Name an interpreter by its path, or one that is on PATH"
        ) from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{name} did not start within {_PATIENCE:.0f} s: is it a Python interpreter?") from None
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
        if done.returncode == 0 and "executable" in answer:
            return answer  # type: ignore[no-any-return]
    except (ValueError, IndexError, TypeError):
        pass
    said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
    raise CommandError(
        f"{name} is not a working Python interpreter: it ended with status {done.returncode}, and its last output was: "
        f"{said:.200}"
    )


def _plugin(found: Sequence[str] | None) -> str | None:
    if found is None:
        return None
    distribution, version, folder = found
    own = Path(pytest_concurrency.__file__).parent.resolve()
    if folder and Path(folder) == own:  # a checkout on the path: its version is not known where it was not installed
        return pytest_concurrency.__version__
    return version if distribution == pytest_concurrency.__distribution__ else f"of another package, {distribution}"


def check_distinct(first: Interpreter, second: Interpreter) -> None:
    """Find out whether there is anything to compare.

    :raises CommandError: both are the same interpreter with the same options.
    """
    if first.identity == second.identity:
        raise CommandError(
            f"{first.name} and {second.name} are the same interpreter, {first.path}: nothing can differ. Name two"
        )


def with_environment(interpreter: Interpreter, setup: str, folder: Path, venv: Path) -> Interpreter:
    """Run the user's command that makes an environment, and return the interpreter in it.

    In the command, ``{python}`` stands for the interpreter and ``{venv}`` for a new folder. An environment in that
    folder is used, with the options of the interpreter; else the interpreter itself.

    :raises CommandError: the command failed, or made no interpreter in the folder that it names.
    """
    command = setup.replace("{python}", _quoted(interpreter.path)).replace("{venv}", _quoted(str(venv)))
    sessions.set_up(command, folder, interpreter.name)
    made = venv / ("bin/python" if os.name == "posix" else r"Scripts\python.exe")
    if made.exists():
        found = find(interpreter.name, folder, [*interpreter.variables, str(made), *interpreter.options])
        return found._replace(path=interpreter.path)  # the folder is gone when the result is read
    if "{venv}" in setup:
        raise CommandError(f"--setup {setup!r} ended well for {interpreter.name}, and there is no interpreter {made}")
    return find(interpreter.name, folder, interpreter.command)


def _quoted(path: str) -> str:
    return shlex.quote(path) if os.name == "posix" else subprocess.list2cmdline([path])


def check_installed(interpreter: Interpreter) -> None:
    """Find out whether an interpreter can run the tests with this version of the plugin.

    :raises CommandError: pytest or the plugin is not there, or it is another version of the plugin.
    """
    own = pytest_concurrency.__version__
    for what, version in (("pytest", interpreter.pytest), ("pytest-concurrency-perf", interpreter.plugin)):
        if version is None:
            raise CommandError(f"{interpreter.name} has no {what}: {_INSTALL}{_EXAMPLE}")
    if interpreter.plugin != own:
        raise CommandError(
            f"{interpreter.name} has pytest-concurrency-perf {interpreter.plugin}, and this command is {own}: versions "
            f"may measure in different ways. Install the same one there: pytest-concurrency-perf=={own}"
        )


def place_of(interpreter: Interpreter, folder: Path) -> sessions.Place:
    """Return where an interpreter's sessions run."""
    return sessions.Place(interpreter.name, folder, interpreter.command, os.environ)
