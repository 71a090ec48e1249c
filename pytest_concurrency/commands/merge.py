"""Merge runs of parts of a test suite into one run, as the jobs of a CI pipeline make them.

All must come from machines of one kind. Of a test that is in several of them, the one in the last counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pytest_concurrency import fingerprint, record
from pytest_concurrency.errors import CommandError
from pytest_concurrency.machine import auto_workers
from pytest_concurrency.store import load_texts
from pytest_concurrency.units import count
from pytest_concurrency.writing import write_whole

SUMMARY = "merge runs of parts of a suite into one"
_MANY = 64  # files that are worth a process


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", type=Path, help="file to write; it must not be there yet")
    parser.add_argument("parts", metavar="IN", type=Path, nargs="+", help="runs' files, JSON or JSON lines")


class _Part(NamedTuple):
    """One run's file: all but the records, and these by test, as text, which takes a fifth of the memory."""

    head: dict[str, Any]
    records: list[tuple[str, str]]


def run(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    if out.exists():
        raise _taken(out)
    if not out.parent.is_dir():
        raise CommandError(f"{out} cannot be written: there is no folder {out.parent}")
    records: dict[str, str] = {}
    several: set[str] = set()
    heads: list[dict[str, Any]] = []
    for path, part in zip(arguments.parts, _parts(arguments.parts), strict=True):
        heads.append(part.head)
        _check_same_machine(arguments.parts[0], heads[0], path, part.head)
        several.update(nodeid for nodeid, _ in part.records if nodeid in records)
        records.update(part.records)
    try:
        write_whole(out, record.text_of_lines(_head_of(heads), records.values()), replace=False)
    except FileExistsError:
        raise _taken(out) from None
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror or error}") from None
    print(f"{out}: {count(len(records), 'test')} of {count(len(heads), 'run')}")
    if several:
        print(f"{count(len(several), 'test is', 'tests are')} in more than one of them: the last one counts")
    return 0


def _parts(paths: Sequence[Path]) -> Iterator[_Part]:
    """Read all files, in their order; many of them on all CPUs."""
    workers = min(auto_workers(), len(paths) // _MANY)
    if workers < 2:
        yield from map(_read, paths)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_read, paths, chunksize=_MANY // 4)


def _read(path: Path) -> _Part:
    found, texts = load_texts(path)
    head = {name: value for name, value in found.items() if name != "records"}
    return _Part(head, [(value["nodeid"], text) for value, text in zip(found["records"], texts, strict=True)])


def _check_same_machine(first: Path, expected: dict[str, Any], path: Path, head: dict[str, Any]) -> None:
    if why := fingerprint.differences(expected["environment"], head["environment"]):
        raise CommandError(
            f"{first} and {path} come from machines that differ: {'; '.join(why)}. "
            "Merge the runs of each kind by themselves"
        )


def _head_of(heads: list[dict[str, Any]]) -> dict[str, Any]:
    head: dict[str, Any] = {"schema": record.SCHEMA}
    if created := max(part.get("created", "") for part in heads):
        head["created"] = created
    head["environment"] = heads[0]["environment"]
    # What a part has not run, it calls gone: only what it has found to be slower holds for the whole.
    if regressions := sorted({nodeid for part in heads for nodeid in part.get("regressions", ())}):
        head["regressions"] = regressions
    return head


def _taken(out: Path) -> CommandError:
    return CommandError(f"{out} is there already, and would be lost: name a new file")
