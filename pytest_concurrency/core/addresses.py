"""Addresses of pages in the published documentation, for messages: the only place that knows where it stands."""

from __future__ import annotations

DOCUMENTATION = "https://pytest-concurrency-perf.readthedocs.io/en/stable"
_FOLDER = "not-green"
# Each kind of failure has a section of this name on the page ``failed`` of that folder.
FAILURES = (
    "serialized",
    "partial-overlap",
    "gil",
    "one-event-loop",
    "contention",
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
_PAGES = {"undecided": "undecided.html", "unmeasurable": "unmeasurable.html"}

KINDS = (*FAILURES, *_PAGES)


def about(kind: str) -> str:
    """Return the address of the section about a kind of verdict: one of ``FAILURES``, undecided or unmeasurable."""
    return f"{DOCUMENTATION}/{_FOLDER}/{_PAGES.get(kind, f'failed.html#{kind}')}"
