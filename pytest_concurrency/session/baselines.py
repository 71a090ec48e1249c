"""The saved runs that a session compares its figures with, found once: the baseline, and a fixed anchor."""

from __future__ import annotations

import difflib

import pytest

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.machine import cpus
from pytest_concurrency.runs import baseline
from pytest_concurrency.runs.baseline import Baseline
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.run_archive import AUTO

WORKER_KEY = "concurrency_baseline"  # of the values that xdist's controller gives its workers
_BASELINE = pytest.StashKey[Baseline]()
_ANCHOR = pytest.StashKey["Baseline | None"]()


def all_of(config: pytest.Config, settings: Settings) -> list[Baseline]:
    """Return the baseline and the anchor, as far as they were asked for.

    :raises UnreadableRun: one of them is damaged.
    """
    return [found for found in (baseline_of(config, settings), anchor_of(config, settings)) if found is not None]


def baseline_of(config: pytest.Config, settings: Settings) -> Baseline | None:
    """Return the run to compare with, if that was asked for; it is read once.

    :raises UnreadableRun: it is damaged.
    """
    if settings.compare is None:
        return None
    if _BASELINE not in config.stash:
        # "Newest" is looked up once, in xdist's controller. Its workers get the name, so all use the same run.
        wanted = getattr(config, "workerinput", {}).get(WORKER_KEY, settings.compare)
        config.stash[_BASELINE] = baseline.find(settings.storage, wanted, cpus.environment())
    return config.stash[_BASELINE]


def anchor_of(config: pytest.Config, settings: Settings) -> Baseline | None:
    """Return the fixed run to compare with too; None without one, and where it is the baseline itself.

    :raises UnreadableRun: it is damaged.
    """
    if settings.anchor is None:
        return None
    if _ANCHOR not in config.stash:
        found = baseline.find(settings.storage, settings.anchor, cpus.environment(), is_anchor=True)
        first = baseline_of(config, settings)
        is_same = first is not None and found.run is not None and first.run == found.run
        config.stash[_ANCHOR] = None if is_same else found
    return config.stash[_ANCHOR]


def check_storage(config: pytest.Config, settings: Settings) -> None:
    """Check before a long run whether it can be compared and saved.

    :raises CommandError: says what is wrong, and with which option.
    """
    storage = Storage(settings.storage)
    try:
        storage.check() if settings.save else storage.check_folder()
    except CommandError as error:
        raise CommandError(f"--concurrency-storage: {error}") from None
    try:
        if settings.save not in (None, AUTO, settings.compare):
            storage.check(settings.save)
    except CommandError as error:
        raise CommandError(f"--concurrency-save={settings.save}: {error}") from None
    for option, wanted, find in (
        ("compare", settings.compare, baseline_of),
        ("anchor", settings.anchor, anchor_of),
    ):
        try:
            _check_baseline(find(config, settings), wanted, storage, settings)
        except CommandError as error:
            raise CommandError(f"--concurrency-{option}={wanted}: {error}") from None


def _check_baseline(found: Baseline | None, wanted: str | None, storage: Storage, settings: Settings) -> None:
    """Refuse a comparison that cannot fail although the user wants a regression check.

    :raises CommandError: there is no baseline, and one is required, or its name looks misspelt.
    """
    if found is None or found.run is not None:
        return
    if settings.compare_require:
        raise CommandError(
            f"{'; '.join(found.notes)}. --concurrency-compare-require asks for one: save it with --concurrency-save"
        )
    # The first session of a pipeline has no baseline yet, and must not fail. A session may also save it itself.
    near = difflib.get_close_matches(found.name, storage.names(), n=1)
    if settings.compare_fail and wanted != settings.save and near and not storage.has(found.name):
        raise CommandError(
            f"there is no run {found.name}, so that --concurrency-compare-fail could never fail. Did you mean "
            f"{near[0]}?"
        )
