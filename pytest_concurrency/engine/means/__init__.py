"""Sequential tests of sums of times, for bodies whose calls vary: a ratio of mean times, and a share of time."""
