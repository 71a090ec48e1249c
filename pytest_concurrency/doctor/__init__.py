"""Whether a machine can carry measured tests."""
