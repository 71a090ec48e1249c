"""What a call is, and the list of all of them."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path

STANDARD = "standard library"
_FILES = "calls_"  # how the names of the modules begin that have calls

Run = Callable[[], object]
Make = Callable[[], Run]


class Call:
    """One call to measure: callable without arguments, as often as one likes, in any thread or process.

    ``name`` is what a reader looks for, ``work`` says what it is given to do. ``needs`` are the packages to install,
    the one that the call belongs to first. ``library`` reads the version of a C library that does the work.
    ``environment`` are variables that have to be set before the package is imported. The docstring of what makes the
    call is a ``note`` for readers of the page: it explains figures that surprise.
    """

    def __init__(
        self,
        make: Make,
        name: str,
        work: str,
        needs: tuple[str, ...] = (),
        library: Callable[[], str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.work, self.needs, self.library = name, work, needs, library
        self.note = " ".join((make.__doc__ or "").split())
        self.environment = dict(environment or {})
        self._make = make
        # Pickled by name: a worker process makes its own input, connections and files.
        self.__module__, self.__name__, self.__qualname__ = make.__module__, make.__name__, make.__qualname__

    def __call__(self) -> None:
        self._run()

    def __reduce__(self) -> str:
        return self.__qualname__

    @functools.cached_property
    def _run(self) -> Run:
        return self._make()

    @property
    def group(self) -> str:
        return self.needs[0] if self.needs else STANDARD

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.needs if _version(package) is None]

    def versions(self) -> dict[str, str]:
        """The version of each package that is installed, and of the C library behind the call."""
        found = {package: version for package in self.needs if (version := _version(package)) is not None}
        if self.library is not None and not self.missing():
            name, _, version = self.library().partition(" ")
            found[name] = version
        return found


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


CALLS: dict[str, Call] = {}


def call(
    name: str,
    work: str,
    *,
    needs: tuple[str, ...] = (),
    library: Callable[[], str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Callable[[Make], Call]:
    """Register what makes a call: a function that imports the package, makes the input, and returns what to time."""

    def register(make: Make) -> Call:
        if name in CALLS:
            raise ValueError(f"two calls have the name {name!r}")
        CALLS[name] = Call(make, name, work, needs, library, environment)
        return CALLS[name]

    return register


def load() -> dict[str, Call]:
    """All calls by name: those of the standard library first, then by package."""
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name.startswith(_FILES):
            importlib.import_module(f"{__package__}.{found.name}")
    return dict(sorted(CALLS.items(), key=lambda item: (item[1].group != STANDARD, item[1].group.lower(), item[0])))
