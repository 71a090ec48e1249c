"""From the stacks that a sampler saw to those of the body: whose code, in which file, without what called it."""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.profiling.model import Flame, Frame, Stand
from pytest_concurrency.profiling.samplers import Seen
from pytest_concurrency.profiling.stack_sampler import short, stands_of

_MOST_STACKS = 2000  # different ones in a record


class _Place(NamedTuple):
    file: str
    line: int
    name: str

    @property
    def is_authors(self) -> bool:
        return stack_locations.is_authors(self.file) and Path(self.file).is_absolute()

    @property
    def is_ours(self) -> bool:
        return self.file.startswith(stack_locations.PACKAGE)


def flame(stacks: Iterable[tuple[Sequence[Seen], int]], workers: str, mode: str) -> Flame:
    """Sum up the stacks that are in the body."""
    counts: Counter[tuple[_Place, ...]] = Counter()
    for seen, amount in stacks:
        if places := _in_body([_place(frame) for frame in seen]):
            counts[places] += amount
    frames: dict[_Place, int] = {}
    kept = []
    for places, amount in counts.most_common(_MOST_STACKS):
        kept.append((tuple(frames.setdefault(place, len(frames)) for place in places), amount))
    return Flame(
        mode=mode,
        workers=workers,
        samples=sum(counts.values()),
        frames=tuple(Frame(_name(place), f"{short(place.file)}:{place.line}", place.is_authors) for place in frames),
        stacks=tuple(kept),
        stands=_stands(counts),
    )


def _in_body(places: Sequence[_Place]) -> tuple[_Place, ...]:
    """Return a stack from the body on; nothing of one that is outside of it: between two batches, or no worker's."""
    innermost = next((place for place in reversed(places) if place.is_authors or place.is_ours), None)
    if innermost is None or innermost.is_ours:
        return ()
    ours = [number for number, place in enumerate(places) if place.is_ours]
    first = ours[-1] + 1 if ours else 0
    # A thread that the body has started begins in the library.
    own = next(number for number, place in enumerate(places) if number >= first and place.is_authors)
    return tuple(places[first:] if ours else places[own:])


def _stands(counts: Counter[tuple[_Place, ...]]) -> tuple[Stand, ...]:
    """Return the author's lines with most samples, each with what it called."""
    at: Counter[tuple[stack_locations.Place, str]] = Counter()
    for places, amount in counts.items():
        last = max(number for number, place in enumerate(places) if place.is_authors)
        called = f"{Path(places[last + 1].file).stem}.{_name(places[last + 1])}" if last + 1 < len(places) else ""
        author = places[last]
        at[(author.file, author.line, _name(author)), called] += amount
    return stands_of(at, sum(counts.values()))


def _name(place: _Place) -> str:
    return place.name.replace("<locals>.", "")


def _place(seen: Seen) -> _Place:
    file = seen.file if Path(seen.file).is_absolute() else _file_of(seen)
    return _Place(file, seen.line, seen.name)


@functools.lru_cache(maxsize=4096)
def _file_of(seen: Seen) -> str:
    """Return the path of a file that is known by its name alone: among the loaded modules, by line and function."""
    known = [file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    paths = sorted({file for file in known if Path(file).name == seen.file})
    if len(paths) > 1:  # without this, an idle thread of threading.py may pass for one in a module of the same name
        paths = [path for path in paths if _has(path, seen)]
    return paths[0] if paths else seen.file


def _has(path: str, seen: Seen) -> bool:
    """Whether a file has a function of this name around this line."""
    name = seen.name.rpartition(".")[2]
    functions = _functions(path)
    if functions is None:
        return False
    if name.startswith("<"):
        return seen.line <= len(linecache.getlines(path))
    return any(known == name and first <= seen.line <= last for known, first, last in functions)


@functools.lru_cache(maxsize=1024)
def _functions(path: str) -> tuple[tuple[str, int, int], ...] | None:
    """Return name, first and last line of each function of a file; None if it cannot be read."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    return tuple(
        (node.name, node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
