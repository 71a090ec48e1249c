"""Sampling profilers that look into processes from outside: tachyon of Python 3.15, and py-spy."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MODES = ("wall", "cpu", "gil")
SAMPLERS = ("tachyon", "py-spy")
_RATE = 1000  # samples a second
_TACHYON_FRAME = re.compile(r"(?P<file>.*?):(?P<name>.*):(?P<line>\d+)")
_PY_SPY_FRAME = re.compile(r"(?P<name>.*) \((?P<file>.*):(?P<line>\d+)\)")


class Seen(NamedTuple):
    """A frame as a sampler writes it; tachyon names a file without its folder."""

    file: str
    line: int
    name: str


def choose(wanted: str) -> tuple[str, str]:
    """Return the tool that can be used here in place of the one that was asked for, and why it is another one."""
    if wanted != "tachyon" or has_tachyon():
        return wanted, ""
    why = "tachyon (profiling.sampling) is a part of Python 3.15 and newer"
    if py_spy() is not None:
        return "py-spy", f"{why}: py-spy was used in its place."
    return "cprofile", f"{why}, and py-spy is not installed: cProfile was used, which does not see the workers."


def has_tachyon() -> bool:
    """Whether this Python has profiling.sampling, with the extension module that it needs."""
    return sys.version_info >= (3, 15) and importlib.util.find_spec("_remote_debugging") is not None


def py_spy() -> str | None:
    """Return the path of py-spy, beside this interpreter or on the search path; None if it is not there."""
    beside = Path(sys.executable).parent
    return shutil.which("py-spy", path=str(beside)) or shutil.which("py-spy")


def commands(tool: str, process: int, mode: str, seconds: int, output: str, is_async: bool) -> list[list[str]]:
    """Return the commands that sample a process together for some time, and write stacks to ``output`` and a suffix.

    :param is_async: whether its workers are tasks of asyncio, which wait without a thread.
    """
    if tool == "py-spy":
        only = {"wall": ["--idle"], "cpu": [], "gil": ["--gil"]}[mode]
        return [
            [
                *(py_spy() or "py-spy", "record", "--pid", str(process), "--format", "raw", "--full-filenames"),
                *("--rate", str(_RATE), "--duration", str(seconds), "--output", f"{output}.1", *only),
            ]
        ]
    which = [["-a", "--mode", mode]]
    if is_async and mode == "wall":
        # The threads show the task that runs, and this what the others wait for: tachyon has no option for both.
        which.append(["--async-aware", "--async-mode", "all"])
    return [
        [
            # Isolated, or a folder named profiling in the project would be taken for the one of the library.
            *(sys.executable, "-I", "-m", "profiling.sampling", "attach", *options, "--collapsed"),
            *("-o", f"{output}.{number}", "-r", str(_RATE), "-d", str(seconds), str(process)),
        ]
        for number, options in enumerate(which, 1)
    ]


def read(tool: str, text: str) -> Iterator[tuple[tuple[Seen, ...], int]]:
    """Yield each stack, outermost first, and how often it was seen; what is no stack is passed over."""
    pattern = _PY_SPY_FRAME if tool == "py-spy" else _TACHYON_FRAME
    for line in text.splitlines():
        stack, _, amount = line.rpartition(" ")
        if not (stack and amount.isdigit()):
            continue
        found = [match for part in stack.split(";") if (match := pattern.fullmatch(part))]
        frames = tuple(Seen(match["file"], int(match["line"]), match["name"]) for match in found)
        if frames := tuple(frame for frame in frames if not frame.file.startswith("<")):  # a task's name is no code
            yield frames, int(amount)
