"""The event loop and the task that run the calling code: asyncio's or Trio's."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any


def in_loop() -> bool:
    """Whether an event loop runs in this thread, so that a blocking wait would block it."""
    return asyncio._get_running_loop() is not None or _of_trio("current_trio_token") is not None


def current_task() -> Any:
    """Return the task of asyncio or Trio that runs in this thread; None outside of an event loop."""
    with contextlib.suppress(RuntimeError):
        return asyncio.current_task()
    return trio_task()


def trio_task() -> Any:
    """Return Trio's task that runs in this thread; None outside of Trio."""
    return _of_trio("current_task")


def _of_trio(name: str) -> Any:
    trio = sys.modules.get("trio")
    if trio is None or not hasattr(trio, "lowlevel"):
        return None
    with contextlib.suppress(RuntimeError):
        return getattr(trio.lowlevel, name)()
    return None
