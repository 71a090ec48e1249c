"""The end of a session that compares or saves: what has changed, and where the run is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.reports.changes import Line, comparison_of, imprecise_lines, lines_of, wrapped
from pytest_concurrency.runs import allowed_loss, run_comparison
from pytest_concurrency.runs.baseline import Baseline, short_path
from pytest_concurrency.runs.run_comparison import Change, Comparison
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.session.options import Settings

AUTO = "auto"


class Kept:
    """What the summary says about saved runs, and whether there is anything to say."""

    def __init__(self, settings: Settings, baseline: Baseline | None) -> None:
        self._settings = settings
        self._baseline = baseline
        self._comparison: Comparison | None = None
        self._after: list[Line] = []
        self._imprecise: Sequence[run_comparison.ImpreciseBaseline] = ()  # of what was saved
        self.failed: bool = False  # whether the run was to be saved, and could not be

    @property
    def title(self) -> str:
        if self._baseline is None or self._baseline.run is None:
            return "concurrency: saved runs"
        created = str(self._baseline.run.get("created", ""))[:10]
        return f"concurrency: compared with {self._baseline.name}" + (f" of {created}" if created else "")

    def compare(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run with what has changed since its baseline, if there is one to compare with."""
        if self._baseline is None or self._baseline.run is None:
            return dict(run)
        if not run["records"]:
            if self._settings.save is None:
                self._after.append(Line("not compared: no test measured anything", "yellow"))
            return dict(run)
        found = run_comparison.compare(self._baseline.run, run, self._settings.compare_fail or allowed_loss.DEFAULT)
        unconfirmed, gated = _unconfirmed(run), bool(self._settings.compare_fail)
        found = replace(found, changes=tuple(_heed(change, unconfirmed, gated) for change in found.changes))
        if found.of("improvement") and self._settings.save is None:
            hint = "Some tests have improved: save a new baseline with --concurrency-save"
            self._after.append(Line(hint, "green"))
        self._comparison = found
        return {**run, "comparison": comparison_of(found, self._baseline.name, self._baseline.run)}

    def save(self, run: Mapping[str, Any], complete: bool) -> None:
        """Save the run, if that was asked for and there is something to save."""
        if self._settings.save is None:
            return
        if not run["records"]:
            self._after.append(Line("not saved: no test measured anything", "yellow"))
            return
        if not complete:
            self._after.append(Line("not saved: the session did not come to its end", "yellow"))
            return
        name = None if self._settings.save == AUTO else self._settings.save
        store = Storage(self._settings.storage)
        if name is not None and name == self._settings.compare and store.has(name):
            return  # it is the baseline that the run was compared with
        regressions = sorted({change.nodeid for change in self._comparison.regressions}) if self._comparison else []
        try:
            path = store.save({**run, **({"regressions": regressions} if regressions else {})}, name)
        except CommandError as error:
            self._after.append(Line(str(error), "red"))
            self.failed = True
            return
        self._after.append(Line(f"saved as {path.stem} in {short_path(self._settings.storage)}"))
        self._imprecise = run_comparison.imprecise_baselines(run, self._settings.compare_fail or allowed_loss.DEFAULT)
        if regressions:
            self._after.append(
                Line(f"It has regressions, so it is a baseline only by name: --concurrency-compare={path.stem}")
            )

    def lines(self, width: int, brief: bool) -> list[Line]:
        """Return all that is to say."""
        notes = [Line(note, "yellow") for note in self._baseline.notes] if self._baseline is not None else []
        after = [*wrapped(self._after, width), *imprecise_lines(self._imprecise, width)]
        if self._comparison is None:
            if notes and self._settings.save is None:
                notes.append(
                    Line("nothing was compared, and no test failed for it; save a run with --concurrency-save")
                )
            return [*wrapped(notes, width), *after]
        # Which newer runs were passed over matters to no one who has a baseline and asked for brevity.
        before = wrapped([] if brief else notes, width)
        return [*before, *lines_of(self._comparison, width, brief), *after]


def _unconfirmed(run: Mapping[str, Any]) -> dict[str, str]:
    return {
        record["nodeid"]: expectation["change"]["text"]
        for record in run["records"]
        for expectation in record["expectations"]
        if expectation.get("change") and expectation["change"]["kind"] == "unconfirmed"
    }


def _heed(change: Change, unconfirmed: Mapping[str, str], gated: bool) -> Change:
    """Call no loss certain that the gate itself did not confirm, and do not pass it over in silence either.

    Its two looks are pooled: where they differ, the median of all rounds may be that of either.
    """
    if gated and change.kind in ("regression", "unsure", "noise") and change.nodeid in unconfirmed:
        return replace(change, kind="unsure", reason=unconfirmed[change.nodeid])
    return change
