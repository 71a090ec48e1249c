"""Readings of one thread, of the GIL and of the machine: one file each.

Each file has ``unavailable() -> str | None``, the reason why its reading is missing here.
"""
