"""Real benches: workers, batches, rounds, and one trial of a test."""
