"""What the calls of the ``concurrency`` fixture have in common: what they are given, and what they answer."""
