"""Clocks, CPUs, topology and stack locations."""
