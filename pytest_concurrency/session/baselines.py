"""The saved runs that a session compares its figures with, found once: the baseline, and a fixed anchor."""

from __future__ import annotations

import pytest

from pytest_concurrency.machine import cpus
from pytest_concurrency.runs import baseline
from pytest_concurrency.runs.baseline import Baseline
from pytest_concurrency.session.options import Settings

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
