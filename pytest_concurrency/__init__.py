"""Concurrency performance assertions for pytest."""

__version__ = "0.1.0"
# Another distribution ships a package of this name: plugin.py looks here for whose files these are.
__distribution__ = "pytest-concurrency-perf"
