"""Concurrency performance assertions for pytest."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which is not imported for it
if TYPE_CHECKING:
    from pytest_concurrency.core.errors import BadArgument as BadArgument
    from pytest_concurrency.core.errors import CannotMeasure as CannotMeasure
    from pytest_concurrency.core.errors import CommandError as CommandError
    from pytest_concurrency.core.errors import ConcurrencyError as ConcurrencyError
    from pytest_concurrency.core.errors import ExpectationNotMet as ExpectationNotMet
    from pytest_concurrency.core.errors import NotPicklable as NotPicklable
    from pytest_concurrency.core.errors import UndecidedExpectation as UndecidedExpectation
    from pytest_concurrency.core.errors import UnreadableRun as UnreadableRun
    from pytest_concurrency.core.errors import WorkerLost as WorkerLost
    from pytest_concurrency.core.outcomes import Bound as Bound
    from pytest_concurrency.core.outcomes import Estimate as Estimate
    from pytest_concurrency.instruments.gauge import Gauge as Gauge
    from pytest_concurrency.measurement.figures import Figures as Figures
    from pytest_concurrency.session.findings import Speedup as Speedup
    from pytest_concurrency.session.fixture import Concurrency as Concurrency

    __version__: str

# Another distribution ships a package of this name: plugin.py looks here for whose files these are.
__distribution__ = "pytest-concurrency-perf"

# For annotations, def test_fetch(concurrency: Concurrency) -> None, and for pytest.raises(). Each is imported when it
# is first asked for.
_PUBLIC = {
    "BadArgument": "core.errors",
    "Bound": "core.outcomes",
    "CannotMeasure": "core.errors",
    "CommandError": "core.errors",
    "Concurrency": "session.fixture",
    "ConcurrencyError": "core.errors",
    "Estimate": "core.outcomes",
    "ExpectationNotMet": "core.errors",
    "Figures": "measurement.figures",
    "Gauge": "instruments.gauge",
    "NotPicklable": "core.errors",
    "Speedup": "session.findings",
    "UndecidedExpectation": "core.errors",
    "UnreadableRun": "core.errors",
    "WorkerLost": "core.errors",
}
__all__ = [
    "BadArgument",
    "Bound",
    "CannotMeasure",
    "CommandError",
    "Concurrency",
    "ConcurrencyError",
    "Estimate",
    "ExpectationNotMet",
    "Figures",
    "Gauge",
    "NotPicklable",
    "Speedup",
    "UndecidedExpectation",
    "UnreadableRun",
    "WorkerLost",
]

if not TYPE_CHECKING:  # or a type checker would take any name for one of this package's

    def __getattr__(name):
        if name in _PUBLIC:
            from importlib import import_module

            value = globals()[name] = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
            return value
        if name == "__version__":
            from importlib import metadata

            try:
                return metadata.version(__distribution__)
            except metadata.PackageNotFoundError:  # a checkout on the path that was never installed
                return "0+unknown"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, "__version__"})
