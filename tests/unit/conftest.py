"""Hypothesis for the tests of pure logic."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a busy machine every example may be slow, and that is no one's fault: nothing here is timed.
settings.register_profile("pure", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pure")
