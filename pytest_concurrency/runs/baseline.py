"""The saved run that a session is compared with, and the messages if there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_concurrency.runs import fingerprint, run_comparison
from pytest_concurrency.runs.allowed_loss import AllowedLoss
from pytest_concurrency.runs.regression_check import RegressionCheck
from pytest_concurrency.runs.store import Storage

LATEST = "latest"


class Baseline(NamedTuple):
    """``run`` is None if there is nothing to compare with; ``notes`` say why, in words for the summary."""

    name: str
    run: Mapping[str, Any] | None
    notes: tuple[str, ...]
    expectations: Mapping[str, Mapping[run_comparison.Key, Mapping[str, Any]]]
    is_anchor: bool = False  # it stays the same while newer runs become the baseline
    renewal: str = ""  # how to make another run the baseline

    @property
    def title(self) -> str:
        """What a comparison with it is called: ``the anchor v1.0 of 2026-05-01``."""
        created = str(self.run.get("created", ""))[:10] if self.run is not None else ""
        return f"{'the anchor ' if self.is_anchor else ''}{self.name}" + (f" of {created}" if created else "")

    def gate(self, nodeid: str, limits: Sequence[AllowedLoss]) -> RegressionCheck | None:
        """Return what one test is measured against; None if the baseline does not know it."""
        known = self.expectations.get(nodeid)
        return RegressionCheck(self.name, known, limits, self.renewal) if known and limits else None


def find(storage: str, wanted: str, environment: Mapping[str, Any], is_anchor: bool = False) -> Baseline:
    """Return the run named ``wanted``, or the newest that can be compared.

    :raises UnreadableRun: the run is there and is damaged.
    """
    missing = "no anchor" if is_anchor else "no baseline yet"
    store = Storage(storage)
    notes: tuple[str, ...] = ()
    run: Mapping[str, Any] | None
    if wanted == LATEST:
        run, notes = store.choose(environment)
        name = run.get("name", LATEST) if run else LATEST
        if run is None:
            what = (
                f"no run in {short_path(storage)} can be compared with"
                if notes
                else f"nothing is saved in {short_path(storage)}"
            )
            notes = (f"{missing}: {what}", *notes)
    elif not store.has(wanted):
        name, run = wanted, None
        others = ", ".join(store.names()[-5:])
        there = f"; saved there: {others}" if others else ""
        notes = (f"{missing}: there is no run {wanted} in {short_path(storage)}{there}",)
    else:
        run, name = store.load(wanted), wanted
        if why := fingerprint.differences(run["environment"], environment):
            run, notes = None, (f"{wanted} cannot be compared with this run: {'; '.join(why)}",)
    expectations = (
        {record["nodeid"]: run_comparison.expectations_of(record) for record in run["records"]} if run else {}
    )
    return Baseline(str(name), run, notes, expectations, is_anchor, _renewal(store, wanted, is_anchor))


def _renewal(store: Storage, wanted: str, is_anchor: bool) -> str:
    if is_anchor:
        return "name a newer run in --concurrency-anchor"
    if wanted == LATEST:
        return "renew the baseline: run once with --concurrency-save and without --concurrency-compare"
    file = store.file_of(wanted).absolute()
    if file.parent != store.path.absolute():
        return f"renew the baseline: make {short_path(str(file))} again"
    return f"renew the baseline: delete {short_path(str(file))}, and run once with --concurrency-save={file.stem}"


def short_path(storage: str) -> str:
    """Return a folder or a file as the user would type it, if it lies below where the session was started."""
    path = Path(storage)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return storage
