"""Finds what ``MODULE:FUNCTION`` names, as ``python -m`` would find the module."""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.machine.stack_locations import PACKAGE

_FORM = "write MODULE:FUNCTION, such as shop.web:fetch"


def load(target: str) -> Callable[..., Any]:
    """Import a module, with the current folder on ``sys.path``, and return its function.

    :raises CommandError: there is no such module or function, or it cannot be called; says what there is.
    """
    module_name, colon, names = target.partition(":")
    if not (colon and module_name and names):
        raise CommandError(f"{target!r} names no function: {_FORM}.")
    if module_name.endswith(".py") or "/" in module_name or "\\" in module_name:
        dotted = module_name.removesuffix(".py").replace("\\", "/").strip("./").replace("/", ".")
        raise CommandError(f"{module_name!r} is a file, and a module is wanted: try {dotted}:{names}, from its root.")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = _import(module_name, folder)
    done = module_name
    for name in names.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CommandError(f"{done} has no {name!r}. {_there_are(name, found)}") from None
        done += (":" if done == module_name else ".") + name
    if not callable(found):
        raise CommandError(f"{target} is {_a(type(found).__name__)} and cannot be called: name a function.")
    return found  # type: ignore[no-any-return]


def arguments(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Read ``"100, key='x'"`` as a call's arguments.

    :raises CommandError: they are not Python literals.
    """
    try:
        call = ast.parse(f"f({text}\n)", mode="eval").body
        if not isinstance(call, ast.Call) or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError(text)
        return (
            tuple(ast.literal_eval(value) for value in call.args),
            {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords},
        )
    except (SyntaxError, ValueError):
        raise CommandError(
            f"--args {text!r} are not Python literals, such as \"100, name='x'\". For other values, write a function "
            "without parameters that makes them and calls yours, and explore that one."
        ) from None


def check_call(target: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Find out whether a function takes these arguments, as far as it tells.

    :raises CommandError: it does not; shows its signature.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # many functions in C do not say
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = target.partition(":")[2]
        raise CommandError(
            f"{target} cannot be called like that ({error}). Its parameters: {name}{signature}. Give literal values "
            "with --args, such as --args \"100, name='x'\", or write a function without parameters that calls it."
        ) from None


def _import(name: str, folder: str) -> Any:
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a script without a guard ends the command
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise CommandError(_no_module(name, error.name, folder)) from None
        raise CommandError(f"importing {name} fails:\n\n{text_of(error)}") from None


def _no_module(name: str, missing: str, folder: str) -> str:
    parent = missing.rpartition(".")[0]
    paths = getattr(sys.modules.get(parent), "__path__", None) if parent else [folder]
    if parent and paths is None:
        return f"there is no module {name!r}: {parent} is a module, not a package. For a function in it, {_FORM}."
    there = [module.name for module in pkgutil.iter_modules(paths)]
    where = f"in {parent}" if parent else f"in {folder} or elsewhere on sys.path"
    return f"there is no module {missing!r} {where}. {_near(missing.rpartition('.')[2], there, 'modules')}".strip()


def _there_are(name: str, owner: object) -> str:
    names = [other for other in dir(owner) if not other.startswith("_") and callable(getattr(owner, other, None))]
    # What a module has imported from elsewhere is not what its author means.
    own = [other for other in names if getattr(getattr(owner, other), "__module__", None) == _name_of(owner)]
    near = difflib.get_close_matches(name, names, n=3)
    return _near(name, [*own, *(set(near) - set(own))], "functions") or "It has no functions."


def _name_of(owner: object) -> str | None:
    return getattr(owner, "__name__", None) if inspect.ismodule(owner) else getattr(owner, "__module__", None)


def _near(name: str, names: Iterable[str], plural: str) -> str:
    known = list(names)
    if near := difflib.get_close_matches(name, known, n=3):
        return f"Did you mean {' or '.join(near)}?"
    if not known:
        return ""
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return f"Its {plural}: {', '.join(sorted(known)[:8])}{more}." if plural == "functions" else ""


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def text_of(error: BaseException) -> str:
    """The traceback without the frames of this package and of the import machinery."""
    frames = error.__traceback__
    while frames is not None and _is_machinery(frames):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _is_machinery(frames: TracebackType) -> bool:
    file = frames.tb_frame.f_code.co_filename
    return file.startswith((PACKAGE, "<frozen importlib")) or file == importlib.__file__
