"""Threads of this process that compute beside the test body and are not part of it: an exporter's, a watchdog's."""

from __future__ import annotations

import threading


def native_ids(runs_body: int | None = None) -> list[int]:
    """Return the system's numbers of the threads that are alive before the test body starts any of its own.

    The calling thread measures, and is none of them.

    :param runs_body: the number of a thread that was there before and runs the test body: that of an event loop which
        pytest-asyncio or anyio started. Without this, what the body computes there would be taken off its own block
        of the loop, and a block by computing was never certain.
    """
    own = {threading.get_native_id(), runs_body}
    return [thread.native_id for thread in threading.enumerate() if thread.native_id and thread.native_id not in own]
