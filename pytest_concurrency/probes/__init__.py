"""Probes: what one thread, the GIL, an event loop, helper threads and the rest of the machine do; one file each.

Where a reading may be missing, the file has ``unavailable() -> str | None``, which returns why it is missing here.
"""
