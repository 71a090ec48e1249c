"""Workloads made at random, their true figures, and verdicts about them in simulated and in real time."""
