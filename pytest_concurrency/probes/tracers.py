"""Who watches each line of Python code as it runs: coverage, a debugger, a profiler. All of them slow it."""

from __future__ import annotations

import sys
from typing import Any


def tracers() -> list[str]:
    """Return the names of what traces or profiles the calling thread at this moment."""
    found = [_owner(watch) for watch in (sys.gettrace(), sys.getprofile()) if watch is not None]
    monitoring = getattr(sys, "monitoring", None)  # 3.12
    if monitoring is not None:
        found += [tool for number in range(6) if (tool := monitoring.get_tool(number))]
    # coverage calls itself by its file's name in one of its ways to trace
    return sorted({name.removesuffix(".py") for name in found})


def _owner(watch: Any) -> str:
    module = getattr(watch, "__module__", None) or type(watch).__module__
    return str(module).partition(".")[0]
