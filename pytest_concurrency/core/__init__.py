"""Values, units, statistics and errors."""
