"""What every expectation is: keywords that were read, and a plan to decide by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations.keywords import Parser
from pytest_concurrency.model import Body
from pytest_concurrency.plan import Plan


@dataclass(frozen=True, slots=True)
class Limits:
    """The common keywords, after marker, command line, ini file and default."""

    margin: float = 0.25
    max_time: float = 10.0
    undecided: str = "skip"


@dataclass(frozen=True, slots=True)
class Kind:
    """A marker: its name, its keywords and how it becomes a plan."""

    name: str
    keywords: Mapping[str, Parser]
    # Checks what one keyword alone cannot tell; raises BadArgument.
    check: Callable[[str, Mapping[str, Any], bool], None]
    plan: Callable[[Mapping[str, Any], Body, Limits], Plan]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One marker on one test."""

    kind: Kind
    arguments: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As the author wrote it: ``expect_speedup(threads=4, at_least=3)``."""
        inside = ", ".join(f"{name}={value!r}" for name, value in self.given.items())
        return f"{self.kind.name}({inside})" if inside else self.kind.name

    def limits(self, defaults: Limits) -> Limits:
        return Limits(
            margin=self.arguments.get("margin", defaults.margin),
            max_time=self.arguments.get("max_time", defaults.max_time),
            undecided=self.arguments.get("undecided", defaults.undecided),
        )

    def plan(self, body: Body, limits: Limits) -> Plan:
        return self.kind.plan(self.arguments, body, limits)


def backend_for(name: str, wanted: str, body_is_async: bool, explicit: bool) -> str:
    """Return the backend that a body of its kind can run in.

    :raises BadArgument: the author asked for one that cannot run it.
    """
    if body_is_async and wanted != "tasks":
        if explicit:
            raise BadArgument(
                f"{name}({wanted}=...) is for a plain function, and this test is an async def: "
                "its bodies run as tasks of one event loop. Write tasks=N instead."
            )
        return "tasks"
    if not body_is_async and wanted == "tasks":
        raise BadArgument(
            f"{name}(tasks=...) is for an async def body, and this test is a plain function. "
            "Write async def, or threads=N."
        )
    return wanted
