"""Undecided tests that are measured again at the end of the session (``undecided="retry"``)."""
