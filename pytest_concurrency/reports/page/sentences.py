"""Results as sentences, for readers who did not write the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency.core.units import ONE, count, number, share
from pytest_concurrency.reports.rows import Row

_KINDS = {
    "io": "It waits",
    "cpu": "It computes",
    "mixed": "It waits and computes",
    "serialized": "It waits, and its waits do not overlap",
}
_GIL = {
    "held": "holding the GIL",
    "released": "with the GIL released",
    "disabled": "without a GIL",
    "unknown": "",
}


def found(row: Row) -> str:
    """Return the figure of a verdict as a sentence."""
    if row.marker == "bound":
        return f"{_KINDS.get(row.bound, 'It could not be measured')}." if row.bound else ""
    if row.value is None:
        return "There is no figure."
    figure = row.bare_figure
    claim = row.claim
    if claim == "speedup" and (said := _faster(row, figure)):
        return said
    if claim == "overlap":
        return f"The waits of {row.workers} finish {figure} as fast as one after the other."
    if claim in ("waiting", "computing"):
        return f"It spends {figure} of its time {claim}."
    if claim == "GIL":
        return f"It holds the GIL for {figure} of its computing."
    if claim == "longest hold":
        return f"It never keeps other threads from running Python for more than {figure}."
    if claim == "longest block":
        return f"It keeps its event loop from running for up to {figure}."
    return f"Measured: {figure}."


def _faster(row: Row, figure: str) -> str:
    """Return a speedup as a sentence; empty if the kind of workers is not known."""
    if row.marker == "compare":
        return f"The second version is {figure} as fast as the first."
    if row.backend == "pool":
        return f"{row.workers[:1].upper()}{row.workers[1:]} is {figure} as fast as the smallest one."
    if row.backend in ONE:
        return f"{row.workers} finish the work {figure} as fast as one {ONE[row.backend]}."
    return ""


def required(row: Row) -> str:
    """Return the requirement as a sentence; empty if there is none."""
    if row.required == "-":
        return ""
    if row.requires_overlap:
        return "Required: the waits overlap."
    if row.gil:
        return f"Required: the GIL is {row.gil}."
    if row.threshold == "-":
        return f"Required: {row.required}."
    words = {">=": "at least", "<=": "at most"}[row.comparison]
    return f"Required: {words} {row.threshold}."


def bound_type(bound: Mapping[str, Any]) -> str:
    """Return the bound type as a sentence, with the shares of time that it is derived from."""
    words = _KINDS.get(bound["kind"], bound["kind"])
    gil = _GIL.get(bound["gil"], "")
    shares = f"{share(bound['cpu_share'])} computing{', ' + gil if gil else ''}; {share(bound['wait_share'])} waiting"
    return f"{words} ({shares})."


def interference(value: Mapping[str, Any]) -> str:
    """Return as a sentence what else the machine did during a measurement."""
    said = []
    for name, words in (
        ("foreign", "other processes used {}"),
        ("steal", "the host took {} away"),
        ("throttled", "the quota withheld {}"),
    ):
        amount = value.get(name)
        if amount is not None and amount >= 0.05:
            said.append(words.format(count_cpus(amount)))
    if said:
        return f"Meanwhile {' and '.join(said)}."
    if all(value.get(name) is None for name in ("foreign", "steal", "throttled")):
        return "What else the machine did cannot be read here."
    return "Meanwhile the machine did nothing else."


def count_cpus(amount: float) -> str:
    """``0.3 CPUs``, ``1 CPU``."""
    text = number(round(amount, 1))
    return f"{text} {'CPU' if text == '1' else 'CPUs'}"


def summary_of(rows: Sequence[Row], records: int = 0) -> str:
    """Return the result of the run in one sentence."""
    if not rows and records:
        return "Nothing was expected, so there is no verdict; what was measured is below."
    if not rows:
        return "No test measured anything."
    not_met = sum(row.verdict == "not_met" for row in rows)
    unsure = sum(row.verdict in ("undecided", "unmeasurable") for row in rows)
    met = len(rows) - not_met - unsure
    if met == len(rows):
        return f"All {len(rows)} expectations are met." if len(rows) > 1 else "The expectation is met."
    parts = []
    if not_met:
        parts.append(f"{count(not_met, 'expectation')} of {len(rows)} {'is' if not_met == 1 else 'are'} not met")
    if unsure:
        what = "could not be decided" if not_met else f"of {len(rows)} could not be decided"
        parts.append(f"{unsure} {what}" if not_met else f"{count(unsure, 'expectation')} {what}")
    return " and ".join(parts) + (f"; {met} {'is' if met == 1 else 'are'} met." if met else ".")
