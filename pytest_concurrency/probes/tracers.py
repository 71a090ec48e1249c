"""Tracers: tools that observe each line of Python code as it runs (coverage, debuggers, profilers) and slow it down."""

from __future__ import annotations

import sys
from typing import Any


def tracers() -> list[str]:
    """Return the names of the tools that trace or profile the calling thread now."""
    found = [_owner(watch) for watch in (sys.gettrace(), sys.getprofile()) if watch is not None]
    monitoring = getattr(sys, "monitoring", None)  # 3.12
    if monitoring is not None:
        found += [tool for number in range(6) if (tool := monitoring.get_tool(number))]
    # In one of its tracing modes, coverage calls itself by its file's name. Without this, it would have two names.
    return sorted({name.removesuffix(".py") for name in found})


def _owner(watch: Any) -> str:
    module = getattr(watch, "__module__", None) or type(watch).__module__
    return str(module).partition(".")[0]
