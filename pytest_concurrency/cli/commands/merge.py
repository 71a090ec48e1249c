"""Merge runs of parts of a test suite, such as those of several CI jobs, into one run.

All must come from the same kind of machine. If a test is in several of them, the last one counts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pytest_concurrency.core.atomic_files import write_whole
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.units import count
from pytest_concurrency.machine.cpus import auto_workers
from pytest_concurrency.runs import fingerprint, record
from pytest_concurrency.runs.store import load_lines

SUMMARY = "combine partial runs into one"
_MANY = 64  # files for which a process pays off


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, help="file to write; it must not exist yet")
    parser.add_argument("parts", metavar="IN", type=Path, nargs="+", help="runs' files, JSON or JSON lines")


class _Part(NamedTuple):
    """One run's file without its records, which together may be large, and where in the file they are.

    For a pipe, or a file without a line for each record, their texts instead.
    """

    path: Path
    state: tuple[int, int]
    head: dict[str, Any]
    nodeids: list[str]
    records: list[slice] | list[str]


def run(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    if os.path.lexists(out):
        raise _taken(out)
    if not out.parent.is_dir():
        raise CommandError(f"{out} cannot be written: there is no folder {out.parent}")
    places: dict[str, tuple[_Part, int]] = {}
    several: set[str] = set()
    parts: list[_Part] = []
    for part in _parts(arguments.parts):
        parts.append(part)
        _check_same_machine(parts[0], part)
        several.update(nodeid for nodeid in part.nodeids if nodeid in places)
        places.update((nodeid, (part, number)) for number, nodeid in enumerate(part.nodeids))
    try:
        write_whole(out, record.text_of_lines(_head_of([part.head for part in parts]), _texts(places)), replace=False)
    except FileExistsError:
        raise _taken(out) from None
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror or error}") from None
    print(f"{out}: {count(len(places), 'test')} of {count(len(parts), 'run')}")
    if several:
        print(f"{count(len(several), 'test is', 'tests are')} in more than one of them: the last one counts")
    return 0


def _parts(paths: Sequence[Path]) -> Iterator[_Part]:
    """Read all files, in their order; many files are read in several processes."""
    workers = min(auto_workers(), len(paths) // _MANY)
    if workers < 2:
        yield from map(_read, paths)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_read, paths, chunksize=_MANY // 4)


def _read(path: Path) -> _Part:
    state = _state(path)
    found, lines = load_lines(path)
    head = {name: value for name, value in found.items() if name != "records"}
    records = lines if lines is not None and path.is_file() else [json.dumps(value) for value in found["records"]]
    return _Part(path, state, head, [value["nodeid"] for value in found["records"]], records)


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0  # reading it raises the error with the reason
    return found.st_mtime_ns, found.st_size


def _texts(places: Mapping[str, tuple[_Part, int]]) -> Iterator[str]:
    """Read the files again, and return the records as text."""
    opened: _Part | None = None
    whole = ""
    for part, number in places.values():
        place = part.records[number]
        if isinstance(place, str):
            yield place
            continue
        if part is not opened:
            opened, whole = part, _read_again(part)
        yield whole[place]


def _read_again(part: _Part) -> str:
    if _state(part.path) != part.state:
        raise CommandError(f"{part.path} was changed while it was read: merge the runs again when it is finished")
    return part.path.read_bytes().decode("utf-8")


def _check_same_machine(first: _Part, part: _Part) -> None:
    if why := fingerprint.differences(first.head["environment"], part.head["environment"]):
        raise CommandError(
            f"{first.path} and {part.path} come from different kinds of machines: {'; '.join(why)}. "
            "Merge the runs of each kind separately"
        )


def _head_of(heads: list[dict[str, Any]]) -> dict[str, Any]:
    head: dict[str, Any] = {"schema": record.SCHEMA}
    if created := max(part.get("created", "") for part in heads):
        head["created"] = created
    head["environment"] = heads[0]["environment"]
    if limits := [part["max_block"] for part in heads if "max_block" in part]:
        head["max_block"] = min(limits)
    # A part reports tests of other parts as removed, so only its regressions are valid for the whole.
    if regressions := sorted({nodeid for part in heads for nodeid in part.get("regressions", ())}):
        head["regressions"] = regressions
    return head


def _taken(out: Path) -> CommandError:
    return CommandError(f"{out} exists, and would be overwritten: name a new file")
