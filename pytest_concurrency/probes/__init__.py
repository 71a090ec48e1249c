"""Probes: what one thread, the GIL, an event loop, helper threads and the rest of the machine do; one file each.

Most files have ``unavailable() -> str | None``, which returns why their reading is missing here.
"""
