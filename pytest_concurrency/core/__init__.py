"""Values, units, statistics and errors (pure)."""
