"""The changes since a baseline, as report files show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count
from pytest_concurrency.reports.rows import rows_of

_REGRESSED, _WORSE = "regressed", "worse"
_WORDS = {
    "regression": _REGRESSED,
    "improvement": "improved",
    "verdict": "other verdict",
    "unsure": "undecided",
    "noise": "no significant change",
    "gone": "removed",
}
# Each change has the color of this verdict.
_TONES = {"improvement": "met", "verdict": "undecided", "unsure": "undecided"}


class ShownChange(NamedTuple):
    """One change. ``tone`` is the verdict that has the same color."""

    nodeid: str
    word: str
    tone: str
    text: str


class Compared(NamedTuple):
    """A comparison with a baseline: what has become worse with high confidence, and the other changes."""

    baseline: str
    headline: str  # empty if nothing is worse
    tally: str
    worse: tuple[ShownChange, ...]
    others: tuple[ShownChange, ...]

    @property
    def word(self) -> str:
        """``regressed`` if all changes for the worse are regressions; otherwise ``worse``."""
        return _word(self.worse)


def compared_of(run: Mapping[str, Any]) -> Compared | None:
    """Return the changes since the run that this one was compared with; None if it was not compared."""
    found = run.get("comparison")
    if found is None and "anchor" in run:
        return None
    return _of_parts(run) if found is None else _compared(found)


def anchored_of(run: Mapping[str, Any]) -> Compared | None:
    """Return the changes since the run that ``--concurrency-anchor`` names; None without an anchor."""
    found = run.get("anchor")
    return None if found is None else _compared(found, "the anchor ")


def _compared(found: Mapping[str, Any], what: str = "") -> Compared:
    since = found.get("baseline_created", "")[:10]
    baseline = what + (f"{found['baseline']} ({since})" if since else str(found["baseline"]))
    shown = [(_shown(change), bool(change["is_regression"])) for change in found["changes"]]
    worse = tuple(change for change, is_worse in shown if is_worse)
    return Compared(
        baseline, _headline(worse, baseline), found["tally"], worse, tuple(change for change, bad in shown if not bad)
    )


def _of_parts(run: Mapping[str, Any]) -> Compared | None:
    """Return the regressions of a merged run. It does not contain the other comparisons of its parts."""
    texts = {row.nodeid: row.change for row in rows_of(run["records"]) if row.is_regression}
    texts = {**dict.fromkeys(run.get("regressions", ()), ""), **texts}
    if not texts:
        return None
    baseline = "its baseline"
    worse = tuple(ShownChange(nodeid, _REGRESSED, "not_met", text) for nodeid, text in texts.items())
    return Compared(baseline, _headline(worse, baseline), "", worse, ())


def _shown(change: Mapping[str, Any]) -> ShownChange:
    kind = change["kind"]
    tone = "not_met" if change["is_regression"] else _TONES.get(kind, "unmeasurable")
    return ShownChange(change["nodeid"], _WORDS.get(kind, kind), tone, change["text"])


def _headline(worse: tuple[ShownChange, ...], baseline: str) -> str:
    if not worse:
        return ""
    tests = len({change.nodeid for change in worse})
    verb = ("is" if tests == 1 else "are") if _word(worse) == _WORSE else ("has" if tests == 1 else "have")
    return (
        f"{count(tests, 'test')} {verb} {_word(worse)} {'than in' if _word(worse) == _WORSE else 'since'} {baseline}."
    )


def _word(worse: tuple[ShownChange, ...]) -> str:
    return _REGRESSED if all(change.word == _REGRESSED for change in worse) else _WORSE
