"""Event loops of ordinary test runs: which of them are watched, and the guard that fails tests that block one."""
