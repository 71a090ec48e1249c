"""Instruments that a test applies to its own ordinary run: gauges, guards of the event loop, watched calls."""
