"""Instruments that observe a test's own ordinary run: gauges, guards of the event loop, watched calls."""
