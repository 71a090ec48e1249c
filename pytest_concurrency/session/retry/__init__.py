"""Undecided tests that are measured again at the end of the session (``undecided="retry"``)."""

# Of a test report: which run of a test it is about, "first" or "second", or "only" if no other one follows. The
# controller looks for it in each report of xdist's workers, so it stands where its import costs nothing.
ATTEMPT = "concurrency_attempt"
