"""Measuring: benches run real workers in batches and rounds, and a trial turns a test's measurements into outcomes."""
