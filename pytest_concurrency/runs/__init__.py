"""Saved runs: records, schema, storage, baselines and their comparison."""
