"""An extra run of a body under a profiler, which shows where its time goes. It never counts for a verdict."""
