"""Compares and saves the run at the end of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.units import count
from pytest_concurrency.reports.changes import Line, comparison_of, imprecise_lines, lines_of, wrapped
from pytest_concurrency.runs import allowed_loss, run_comparison
from pytest_concurrency.runs.baseline import Baseline, short_path
from pytest_concurrency.runs.record import has_verdicts
from pytest_concurrency.runs.run_comparison import Change, Comparison
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.session.options import Settings

AUTO = "auto"


class Kept:
    """The lines of the summary about saved and compared runs."""

    def __init__(self, settings: Settings, baselines: Sequence[Baseline]) -> None:
        self._settings = settings
        self._baselines = baselines  # the newest first, then the anchor
        self._comparisons: list[tuple[Baseline, Comparison]] = []
        self._after: list[Line] = []
        self._imprecise: Sequence[run_comparison.ImpreciseBaseline] = ()  # of what was saved
        self.failed: bool = False  # whether the run was to be saved, and could not be

    @property
    def title(self) -> str:
        titles = [baseline.title for baseline in self._baselines if baseline.run is not None]
        return f"concurrency: compared with {titles[0]}" if titles else "concurrency: saved runs"

    def compare(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run with the changes since its baselines, if there are any."""
        whole = dict(run)
        for baseline in self._baselines:
            if baseline.run is None:
                continue
            if not has_verdicts(run):
                if self._settings.save is None:
                    self._after.append(Line("not compared: no test measured anything", "yellow"))
                return whole
            found = self._compared(baseline, baseline.run, run)
            whole["anchor" if baseline.is_anchor else "comparison"] = comparison_of(found, baseline.name, baseline.run)
        return whole

    def _compared(self, baseline: Baseline, before: Mapping[str, Any], run: Mapping[str, Any]) -> Comparison:
        found = run_comparison.compare(before, run, self._settings.compare_fail or allowed_loss.DEFAULT)
        unconfirmed, gated = _unconfirmed(run, baseline.name), bool(self._settings.compare_fail)
        found = replace(found, changes=tuple(_heed(change, unconfirmed, gated) for change in found.changes))
        if found.of("improvement") and self._settings.save is None and not baseline.is_anchor:
            self._after.append(Line(f"Some tests have improved; {baseline.renewal}", "green"))
        self._comparisons.append((baseline, found))
        return found

    def save(self, run: Mapping[str, Any], complete: bool, failed: Sequence[str] = ()) -> None:
        """Save the run, if that was asked for and something was measured.

        :param failed: the measured tests that failed.
        """
        if self._settings.save is None:
            return
        if not run["records"]:
            self._after.append(Line("not saved: no test measured anything", "yellow"))
            return
        if not complete:
            self._after.append(Line("not saved: the session was interrupted", "yellow"))
            return
        if failed and self._settings.save_on == "pass":
            names = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
            self._after.append(
                Line(
                    f"not saved (--concurrency-save-on=pass): {count(len(failed), 'measured test')} failed: {names}",
                    "yellow",
                )
            )
            return
        name = None if self._settings.save == AUTO else self._settings.save
        store = Storage(self._settings.storage)
        if name is not None and name == self._settings.compare and store.has(name):
            return  # it is the baseline that the run was compared with
        regressions = sorted({change.nodeid for _, found in self._comparisons for change in found.regressions})
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
        """Return all lines."""
        notes = [Line(note, "yellow") for baseline in self._baselines for note in baseline.notes]
        after = [*wrapped(self._after, width), *imprecise_lines(self._imprecise, width)]
        if not self._comparisons:
            if notes and self._settings.save is None:
                notes.append(Line("nothing was compared, so no loss can be found; save a run with --concurrency-save"))
            return [*wrapped(notes, width), *after]
        # With -q, a user who has a baseline does not need to know which newer runs cannot be compared.
        shown = wrapped([] if brief else notes, width)
        for number, (baseline, found) in enumerate(self._comparisons):
            if number:  # the title names the first
                shown += [Line(""), *wrapped([Line(f"compared with {baseline.title}:")], width)]
            shown += lines_of(found, width, brief)
        return [*shown, *after]


def _unconfirmed(run: Mapping[str, Any], baseline: str) -> dict[str, str]:
    """Return the losses since a baseline that were not confirmed, test by test."""
    return {
        record["nodeid"]: expectation["change"]["text"]
        for record in run["records"]
        for expectation in record["expectations"]
        if expectation.get("change")
        and expectation["change"]["kind"] == "unconfirmed"
        and expectation["change"].get("baseline", baseline) == baseline
    }


def _heed(change: Change, unconfirmed: Mapping[str, str], gated: bool) -> Change:
    """Report a loss that the regression check did not confirm as undecided, not as regressed and not as noise.

    The check measures twice. If the two measurements differ, the median of all rounds may be near either of them.
    """
    if gated and change.kind in ("regression", "unsure", "noise") and change.nodeid in unconfirmed:
        return replace(change, kind="unsure", reason=unconfirmed[change.nodeid])
    return change
