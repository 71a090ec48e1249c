"""Clocks, CPUs, topology, stack locations, and the priority of threads with its watchdog."""
