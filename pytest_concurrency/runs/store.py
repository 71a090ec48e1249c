"""Runs in files: read with care, written whole or not at all, never one over another."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pytest_concurrency.core.atomic_files import write_whole
from pytest_concurrency.core.errors import CommandError, UnreadableRun
from pytest_concurrency.runs import fingerprint, record, schema

DEFAULT = ".concurrency"
_SUFFIX = ".json"
_NAME = re.compile(r"\w[\w.+-]{0,99}")
_RESERVED = ("latest", "auto")
_NAME_BYTES = 200  # a file name has at most 255, and a suffix and a number are added
_CREATED = re.compile(r'"created":\s*"([^"]*)"')
_HEAD_BYTES = 4096
MOST_BYTES = 1_000_000_000  # of a file
_RECORD = '{"nodeid": '


def load(path: Path) -> dict[str, Any]:
    """Return the run in a JSON or JSONL file, as ``json:PATH``, ``jsonl:PATH`` and ``--concurrency-save`` write them.

    What it returns has the form that the published schema says, as far as this package reads it.

    :raises UnreadableRun: there is no such file, it is damaged, no run at all, or of a newer version.
    """
    return _read(path)[0]


def load_lines(path: Path) -> tuple[dict[str, Any], list[slice] | None]:
    """Return the same, and where in the file's text each record stands: to write them again costs most of a merge.

    None if the file does not have one line for each record, and nothing in between.

    :raises UnreadableRun: as :func:`load` does.
    """
    run, text = _read(path)
    return run, _lines(run["records"], text)


def _lines(records: Sequence[Mapping[str, Any]], text: str) -> list[slice] | None:
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.lstrip().startswith(_RECORD)), len(lines))
    found = [line.strip().removesuffix(",") for line in lines[first : first + len(records)]]
    rest = " ".join(lines[first + len(records) :]).split()
    as_written = len(found) == len(records) and rest in ([], ["]", "}"])
    if not as_written or not all(
        line.startswith(_RECORD + json.dumps(value["nodeid"])) and line.endswith("}")
        for line, value in zip(found, records, strict=True)
    ):
        return None
    places, end = [], sum(len(line) + 1 for line in lines[:first])
    for line in found:
        begin = text.index(_RECORD, end)
        end = begin + len(line)
        places.append(slice(begin, end))
    return places


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        _check_size(path)
        text = path.read_bytes().decode("utf-8")
        with _without_looking_for_cycles():
            run = _parse(text)
            schema.check_head({name: value for name, value in run.items() if name != "records"})
            schema.check_records(run["records"])
    except FileNotFoundError:
        raise UnreadableRun(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UnreadableRun(f"{path} is a folder: name a run's file") from None
    except OSError as error:
        if path.is_dir():  # Windows denies permission
            raise UnreadableRun(f"{path} is a folder: name a run's file") from None
        raise UnreadableRun(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UnreadableRun(f"{path} is not a run: it is not text (UTF-8)") from None
    except RecursionError:
        raise UnreadableRun(f"{path} is not a run: it is nested too deeply") from None
    except MemoryError:
        raise UnreadableRun(f"{path} does not fit into memory ({path.stat().st_size / 1e6:.0f} MB)") from None
    except schema.SchemaError as error:
        raise UnreadableRun(f"{path} cannot be read as a run: {error}. {error.cure}") from None
    return run, text


def _check_size(path: Path) -> None:
    """Reading takes four times as much memory as the file has."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise schema.SchemaError(
            f"it has {size / 1e6:.0f} MB, and {MOST_BYTES / 1e6:.0f} MB can be read at most",
            "Save the tests in several runs, by parts of the suite",
        )


@contextlib.contextmanager
def _without_looking_for_cycles() -> Iterator[None]:
    """Millions of small values come, none of them in a cycle: looking for cycles takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parse(text: str) -> dict[str, Any]:
    """Return head and records of either format, without looking at what they hold."""
    if not text.strip():
        raise schema.SchemaError("it is empty")
    try:
        value = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        if not getattr(error, "msg", "").startswith("Extra data"):
            raise schema.SchemaError(_why_not_json(error, text)) from None
        return _parse_lines(text)
    shape_of_head = isinstance(value, dict) and "schema" in value
    if shape_of_head and "records" not in value and "\n" not in text.strip():
        value["records"] = []  # JSON lines of a run in which nothing was measured
    if not shape_of_head or schema.newer(value):
        schema.check_head(value)
    if not isinstance(value.get("records"), list):
        raise schema.SchemaError("records must be a list of tests")
    return value  # type: ignore[no-any-return]


def _parse_lines(text: str) -> dict[str, Any]:
    lines = text.splitlines()
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line, parse_constant=_refuse))
        except ValueError as error:
            cut = "the last line is cut off" if number == len(lines) else f"line {number} is damaged"
            raise schema.SchemaError(f"{cut}: {error}") from None
    head, *records = values
    schema.check_head(head)
    return {**head, "records": records}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _why_not_json(error: ValueError, text: str) -> str:
    if isinstance(error, json.JSONDecodeError):
        if text.lstrip()[0] not in "{[":
            return "it is not JSON"
        if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
            return f"it is cut off: the JSON ends in the middle, on line {error.lineno}"
    return f"the JSON in it is damaged: {error}"


class Choice(NamedTuple):
    """The run to compare with, if there is one, and why newer ones were passed over."""

    run: dict[str, Any] | None
    passed_over: tuple[str, ...]


class Storage:
    """A folder of saved runs: one file each, ``NAME.json``.

    Nothing is made before the first run is saved.
    """

    def __init__(self, path: Path | str = DEFAULT) -> None:
        self.path: Path = Path(path)

    def check_folder(self) -> None:
        """Find out whether runs can be looked for here.

        :raises CommandError: the folder is a file.
        """
        with self._readable():
            if self.path.exists() and not self.path.is_dir():
                raise CommandError(f"{self.path} is a file, and saved runs need a folder: name another one")

    def check(self, name: str | None = None) -> None:
        """Find out before a long run whether it can be saved.

        :raises CommandError: the folder is a file or cannot be written to, or the name is taken or no name.
        """
        self.check_folder()
        with self._readable():
            # Since Python 3.14, exists() also says that a name is free which no file system takes.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self.path.stat()
            above = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise CommandError(f"{self.path} cannot be written to: {above} does not allow it")
        if name is not None:
            _check_name(name)
            if os.path.lexists(self._file(name)):
                raise CommandError(
                    f"a run named {name} is there already: {self._file(name)}. "
                    "Saved runs are never overwritten: choose another name, or delete that file"
                )

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what the file system says of the folder's path (too long, not permitted) into a clear error."""
        try:
            yield
        except OSError as error:
            raise CommandError(f"{self.path!s:.120} cannot be used: {error.strerror or error}") from None

    def save(self, run: Mapping[str, Any], name: str | None = None) -> Path:
        """Save a run under a name of its own, and return its file.

        :param name: by default the time. A name that is taken meanwhile gets a number: ``NAME-2``.
        :raises CommandError: it is no name, or the folder cannot be written to.
        """
        now = datetime.now(timezone.utc)
        wanted = name if name is not None else now.strftime("%Y%m%d-%H%M%S")
        _check_name(wanted)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            number = 1
            while True:
                name = wanted if number == 1 else f"{wanted}-{number}"
                head = {"name": name, "created": now.isoformat(timespec="microseconds").replace("+00:00", "Z")}
                kept = {"schema": run["schema"], **head, **{key: run[key] for key in run if key not in head}}
                try:
                    # A symbolic link to nowhere is taken, too: the run would be written to wherever it points.
                    if not os.path.lexists(self._file(name)):
                        write_whole(self._file(name), record.text_of(kept), replace=False)
                        return self._file(name)
                except FileExistsError:
                    pass
                number += 1
        except OSError as error:
            raise CommandError(f"the run cannot be saved in {self.path}: {error.strerror or error}") from None

    def names(self) -> list[str]:
        """Return the names of all saved runs, oldest first; damaged ones are among them."""
        if not self.path.is_dir():
            return []
        files = [file for file in self.path.iterdir() if file.suffix == _SUFFIX and not file.name.startswith(".")]
        return [file.stem for file in sorted(files, key=lambda file: (_created(file), file.name))]

    def has(self, name_or_path: str | Path) -> bool:
        """Whether there is a run of this name, or such a file."""
        text = str(name_or_path)
        try:
            return self._is_saved(text) or Path(text).exists()
        except OSError:  # too long for any file
            return False

    def _is_saved(self, name: str) -> bool:
        return bool(_NAME.fullmatch(name)) and len(name.encode()) <= _NAME_BYTES and self._file(name).is_file()

    def file_of(self, name_or_path: str) -> Path:
        """Return where a run is that :meth:`has` found."""
        return self._file(name_or_path) if self._is_saved(name_or_path) else Path(name_or_path)

    def load(self, name_or_path: str | Path) -> dict[str, Any]:
        """Return a run by its name, or by its file's path; the newest one by ``latest``.

        :raises UnreadableRun: there is none, or it cannot be read.
        :raises CommandError: there is none, and the folder is a file.
        """
        text = str(name_or_path)
        if self.has(text):
            return load(self.file_of(text))
        if text == "latest" and (run := self.latest()) is not None:
            return run
        self.check_folder()
        names = self.names()
        known = f"Saved there: {', '.join(names[-10:])}" if names else "Nothing is saved there yet"
        raise UnreadableRun(f"there is no file {text}, and no run of this name in {self.path}. {known}")

    def latest(self, environment: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the newest run, or the newest that can be compared with figures of ``environment``."""
        return self.choose(environment).run

    def choose(self, environment: Mapping[str, Any] | None = None) -> Choice:
        """Return the same, with the reasons why newer runs were passed over: damaged, regressed, another machine."""
        passed_over = []
        for name in reversed(self.names()):
            try:
                run = load(self._file(name))
            except UnreadableRun as error:
                passed_over.append(str(error))
                continue
            why = fingerprint.differences(run["environment"], environment) if environment is not None else []
            if why:
                passed_over.append(f"{name} cannot be compared ({'; '.join(why)})")
            elif environment is not None and run.get("regressions"):
                passed_over.append(f"{name} has regressions of its own")
            elif environment is not None and run["records"] and not record.has_verdicts(run):
                passed_over.append(f"{name} has no test that measures")
            else:
                return Choice(run, tuple(passed_over))
        return Choice(None, tuple(passed_over))

    def _file(self, name: str) -> Path:
        return self.path / f"{name}{_SUFFIX}"


def check_name(name: str) -> None:
    """Find out whether a run can have this name, on every file system.

    :raises ValueError: it cannot.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED or len(name.encode()) > _NAME_BYTES:
        raise ValueError(
            f"{name!r:.120} cannot be a run's name: letters, digits and . _ + - only, at most 100 (and "
            f"{_NAME_BYTES} bytes in UTF-8), beginning with a letter or a digit, and not latest or auto"
        )


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _created(file: Path) -> str:
    """When a run was saved, from the beginning of its file; "" if that does not say."""
    try:
        with open(file, "rb") as opened:
            head = opened.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    found = _CREATED.search(head)
    return found[1] if found else ""
