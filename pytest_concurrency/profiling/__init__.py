"""One more run of a body, under a profiler: where its time goes. It never counts for a verdict."""
