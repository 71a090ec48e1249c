"""Addresses of the published documentation, for messages. No other module knows where it is published."""

from __future__ import annotations

DOCUMENTATION = "https://pytest-concurrency-perf.readthedocs.io"
# Each kind of failure has a section of this name on the page not-green/failed.
FAILURES = (
    "serialized",
    "partial-overlap",
    "gil",
    "one-event-loop",
    "contention",
    "few-cpus",
    "unequal-calls",
    "above-at-most",
    "compare",
    "pool-scaling",
    "not-waiting",
    "not-computing",
    "gil-not-released",
    "gil-not-held",
    "long-gil-hold",
    "blocked-event-loop",
    "bound-type",
    "regression",
    "leftovers",
)
# Each reason why there is no verdict has a section of this name on the page not-green/undecided.
UNDECIDED = (
    "inside-margin",
    "busy-machine",
    "own-threads",
    "busy-fixture",
    "calls-vary",
    "seen-rarely",
    "speedup-falls",
    "slow-cpus",
    "few-rounds",
    "body-changes",
)
_PAGES = {
    "undecided": "not-green/undecided.html",
    "unmeasurable": "not-green/unmeasurable.html",
    "lost-workers": "not-green/worker-errors.html#lost-workers",
    "hung-workers": "not-green/worker-errors.html#hung-workers",
    "not-picklable": "not-green/worker-errors.html#not-picklable",
    "in-flight": "howto/in-flight.html#in-flight",
    "survey": "howto/survey.html",
}

KINDS = (*FAILURES, *UNDECIDED, *_PAGES)


def about(kind: str) -> str:
    """Return the address for a kind of verdict, error or report, one of ``KINDS``.

    It is short, so that it fits in a line of a terminal, and leads on to ``page_of(kind)``.
    """
    return f"{DOCUMENTATION}/page/{kind}/"


def page_of(kind: str) -> str:
    """Return where the documentation describes one of ``KINDS``, relative to its first page."""
    return _PAGES.get(kind) or f"not-green/{'undecided' if kind in UNDECIDED else 'failed'}.html#{kind}"
