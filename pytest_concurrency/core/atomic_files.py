"""Output files: a check before a long run that they can be written, and atomic writing."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path


def check_writable(target: Path) -> None:
    """Make the folder of a file, and try whether files can be made in it.

    :raises OSError: they cannot.
    """
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder")
    if is_stream(target):
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{target} cannot be written to")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=target.parent):
        pass
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{target} is read-only")


def write_whole(path: Path, chunks: Iterable[str], replace: bool = True) -> None:
    """Write a text file that appears whole or not at all; what is no file, as a pipe or a device, is written to.

    :raises FileExistsError: it is there already, and ``replace`` is false; a symbolic link to nowhere is there, too.
    """
    if replace and is_stream(path):
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(chunks)
        return
    if replace:
        path = path.resolve()  # of a symbolic link, the file behind it is meant
    temporary = path.with_name(f".{path.name[:50]}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "x", encoding="utf-8", newline="\n") as file:
            file.writelines(chunks)
        if replace:
            temporary.replace(path)
        else:
            _put_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def is_stream(path: Path) -> bool:
    """Whether a path is neither a file nor free: a pipe, a device."""
    return path.exists() and not path.is_file()


def _put_new(temporary: Path, path: Path) -> None:
    """Give a finished file its name; of several who try at once, one succeeds."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with open(path, "x", encoding="utf-8"):
            pass
        temporary.replace(path)
