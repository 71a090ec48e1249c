"""``--concurrency-survey``: where the time of an ordinary suite goes, read in each test's one ordinary run."""
