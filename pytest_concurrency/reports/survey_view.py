"""The texts and table rows of a survey that all reports share."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.units import count, duration, number, share

MORE = about("survey")
_LEAST = 0.005  # seconds of waiting or computing; a test with less is not listed
_PARTS = {
    "start": "start and collection",
    "fixtures": "fixtures",
    "calls": "test calls",
    "pytest": "pytest and plugins",
    "failed": "failed tests (apart)",
    "measured": "measured tests (apart)",
}
_APART = ("failed", "measured")
_BUSY = 0.2  # CPUs that other programs used; from this number on, a note mentions it
PART_HEADS = ("where the time goes", "time", "computing", "waiting", "no CPU free", "children")
LIST_HEADS = ("time", "share", "likely")
_KINDS = {"io": "I/O-bound", "cpu": "CPU-bound", "mixed": "mixed", "children": "child processes"}
BLOCK_HEADS = ("line that blocks an event loop", "longest", "times", "tests")


class Marker(NamedTuple):
    """A suggested marker, which can be pasted above its test."""

    nodeid: str
    marker: str
    why: str


class View(NamedTuple):
    """The whole survey. Each row consists of cells as text, in the order of the table's heads."""

    headline: str
    parts: tuple[tuple[str, ...], ...]
    waits: tuple[tuple[str, ...], ...]
    computes: tuple[tuple[str, ...], ...]
    blocks: tuple[tuple[str, ...], ...]
    markers: tuple[Marker, ...]
    xdist: str  # empty if there is no prediction
    notes: tuple[str, ...]


def view_of(survey: Mapping[str, Any], most: int) -> View:
    """Return what to show, with at most ``most`` rows of tests that wait, tests that compute, and lines that block."""
    tests = survey["tests"]
    if not tests:
        return View(_nothing(survey), (), (), (), (), (), "", tuple(_notes(survey)))
    return View(
        headline=_headline(survey),
        parts=tuple(_parts(survey["parts"])),
        waits=_longest(tests, "blocked", most),
        computes=_longest(tests, "computing", most),
        blocks=tuple(_blocks(survey["blocks"][:most])),
        markers=tuple(Marker(one["nodeid"], one["marker"], one["why"]) for one in survey["markers"]),
        xdist=_xdist(survey["xdist"]) if survey["xdist"] else "",
        notes=tuple(_notes(survey)),
    )


def _nothing(survey: Mapping[str, Any]) -> str:
    if survey["measured_tests"]:
        return "There was nothing to survey: each test that ran measured concurrency."
    return "There was nothing to survey: no test ran."


def _headline(survey: Mapping[str, Any]) -> str:
    shares = [
        f"{share(part)} {words}"
        for name, words, part in _amounts(survey)
        if part >= 0.005 or name in ("waiting", "cpu")
    ]
    elapsed, workers = survey["elapsed"], ""
    if survey["workers"]:
        workers = f" by {count(survey['workers'], 'worker')} of pytest-xdist"
    else:  # one after the other, so what is listed separately is a part of it
        elapsed -= sum(part["wall"] for part in survey["parts"] if part["part"] in _APART)
    return f"{count(len(survey['tests']), 'test')} in {duration(elapsed)}{workers}: {', '.join(shares)}."


def bars_of(survey: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Return the parts of a bar about the whole suite: a name for its color, what it is, and its percentage."""
    return [(name, f"{share(part)} {words}", part * 100) for name, words, part in _amounts(survey) if part >= 0.005]


def _amounts(survey: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Return what the suite's time went into, each as a fraction of the whole."""
    parts = [part for part in survey["parts"] if part["part"] not in _APART]
    found = [
        ("waiting", "waiting", sum(part["blocked"] for part in parts)),
        ("cpu", "computing", sum(part["cpu"] for part in parts)),
        ("children", "in child processes", sum(part["children"] for part in parts)),
        ("delay", "ready to run with no CPU free", sum(part["delay"] or 0.0 for part in parts)),
    ]
    whole = sum(amount for *_, amount in found) or 1.0
    return [(name, words, amount / whole) for name, words, amount in found]


def _parts(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    times = [(part["wall"], part["cpu"], part["blocked"], part["delay"], part["children"]) for part in parts]
    largest = max(part["wall"] for part in parts)
    for part, row in zip(parts, times, strict=True):
        yield (_PARTS.get(part["part"], part["part"]), *(_like(seconds, largest) for seconds in row))


def _like(seconds: float | None, largest: float) -> str:
    """Return a time in the unit that suits the largest time of its column; ``-`` if it is unknown or near 0."""
    if seconds is None or seconds < 0.00005:
        return "-"
    return f"{seconds:.2f} s" if largest >= 1 else f"{seconds * 1e3:.1f} ms"


def _longest(tests: Sequence[Mapping[str, Any]], what: str, most: int) -> tuple[tuple[str, ...], ...]:
    """Return what waited or computed longest. A test's call and its fixtures are separate rows."""
    found = heapq.nlargest(most, _spent(tests, what))
    return tuple((name, _like(amount, found[0][0]), share(part), likely) for amount, part, name, likely in found)


def _spent(tests: Sequence[Mapping[str, Any]], what: str) -> Iterator[tuple[float, float, str, str]]:
    for test in tests:
        if test["outcome"] == "failed":
            continue
        for phases, suffix in ((("call",), ""), (("setup", "teardown"), " (fixtures)")):
            amount = whole = 0.0
            for phase in (test[name] for name in phases):
                amount += phase["blocked"] if what == "blocked" else phase["cpu"] + phase["children"]
                whole += phase["wall"] - (phase["delay"] or 0.0)
            if amount >= _LEAST and whole > 0:
                likely = _KINDS.get(test["likely"], "") if not suffix else ""
                yield amount, min(1.0, amount / whole), test["nodeid"] + suffix, likely


def _blocks(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        said = line["where"] or "a line that was not caught"
        said += "" if line["sure"] else " (or the busy machine)"
        said += f" (allowed: {', '.join(line['allowed'])})" if line["allowed"] else ""
        yield said, _like(line["longest"], lines[0]["longest"]), str(line["times"]), str(line["tests"])


def _xdist(found: Mapping[str, Any]) -> str:
    today, cpus = found["alone"], found["cpus"]
    on = f"on {'this' if cpus == 1 else 'these'} {number(cpus)} {'CPU' if cpus == 1 else 'CPUs'}"
    times = {one["workers"]: one["seconds"] for one in found["predicted"]}
    best = found["best"]
    others = [f"-n {workers} about {_about(seconds)}" for workers, seconds in times.items() if workers != best]
    if best is None:
        said = (
            f"pytest-xdist would bring nothing {on}: the suite takes about {_about(today)} without it. Each worker "
            "starts and collects for itself"
        )
        return f"{said}; {', '.join(others)}."
    said = f"-n {best} {on} would take about {_about(times[best])} instead of {_about(today)}"
    floor = ""
    if found["longest"] > 0.7 * times[best]:
        floor = f" The longest test takes {_about(found['longest'])}, and no number of workers is faster."
    return f"{share(found['waits'])} of this suite waits: {said} ({', '.join(others)}).{floor}"


def _about(seconds: float) -> str:
    return f"{float(f'{seconds:.2g}'):g} s"


def _notes(survey: Mapping[str, Any]) -> Iterator[str]:
    apart = {part["part"]: part for part in survey["parts"]}
    if "failed" in apart:
        part = apart["failed"]
        yield (
            f"{count(part['tests'], 'test')} failed, and took {duration(part['wall'])}. {_these(part['tests'])} not "
            "counted above. Let all tests pass, and run the survey again."
        )
    if "measured" in apart:
        part = apart["measured"]
        yield (
            f"{count(part['tests'], 'test')} measured concurrency, and took {duration(part['wall'])}: that is no "
            "ordinary run, so it is not surveyed."
        )
    if survey["unseen_tests"]:
        yield (
            f"{count(survey['unseen_tests'], 'test')} ran in processes that another plugin made, so they are not "
            "surveyed. Run without that plugin."
        )
    if (survey["foreign"] or 0.0) >= _BUSY:
        yield (
            f"Other programs used {survey['foreign']:.1f} CPUs during the session. Run it on an idle "
            "machine for figures to rely on. The prediction is for an idle one."
        )
    if survey["tests"]:
        yield "One run shows a likely bound type. To make certain, paste a marker."


def _these(tests: int) -> str:
    return "It is" if tests == 1 else "They are"
