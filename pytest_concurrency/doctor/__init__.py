"""Checks whether a machine is suitable for measured tests."""
