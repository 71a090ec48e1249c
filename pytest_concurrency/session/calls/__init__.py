"""The arguments and the answers that the calls of the ``concurrency`` fixture have in common."""
