"""What a session says in the end of a loss that its gate saw and did not confirm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.baseline import Baseline
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.run_archive import Kept

from ..runs.test_run_comparison import expectation, rounds, run

NOT_CONFIRMED = {"kind": "unconfirmed", "text": "fresh workers did not confirm it"}


def asked(**options: Any) -> Settings:
    return Settings(**{**dict.fromkeys(Settings.__annotations__), **options})


@pytest.mark.parametrize("slow", [16, 24, 28, 40])
def test_unconfirmed_loss_is_undecided_wherever_the_median_of_both_measurements_is(slow: int) -> None:
    both = [{"workers": 4, "bounds": rounds(1.0, slow) + rounds(4.0, 52 - slow)}]
    later = run(test=expectation(series=both, change=NOT_CONFIRMED))
    settings = asked(compare="base", compare_fail=allowed_loss.parse(["speedup:10%"]))
    compared = Kept(settings, [Baseline("base", run(test=expectation(4.0)), (), {})]).compare(later)
    (change,) = compared["comparison"]["changes"]
    assert change["kind"] == "unsure"
    assert "fresh workers did not confirm it" in str(change)


def test_a_baseline_that_says_too_little_is_reported_as_it_is_saved(tmp_path: Path) -> None:
    kept = Kept(asked(save="base", storage=str(tmp_path)), [])
    wide = expectation(series=[{"workers": 4, "bounds": [[1.2, 2.0]] * 24}])
    kept.save(run(**{"test_suite.py::test_digest": wide, "sharp": expectation()}), complete=True)
    lines = [line.text for line in kept.lines(80, brief=False)]
    assert max(len(line) for line in lines if not line.startswith("saved as base in")) <= 80
    assert "IMPRECISE test_suite.py::test_digest" in lines
    text = " ".join(" ".join(lines).split())
    assert "1.20x to 2.00x, so that later only a loss of 46% or more can be detected" in text
    assert "Save the run again on a quieter machine" in text
    assert "sharp" not in text


def test_what_is_said_of_a_saved_run_fits(tmp_path: Path) -> None:
    settings = asked(save="a-run-with-a-name", storage=str(tmp_path))
    kept = Kept(settings, [Baseline("base", run(test=expectation(4.0)), (), {})])
    kept.save(kept.compare(run(test=expectation(2.0))), complete=True)
    lines = [line.text for line in kept.lines(60, brief=False)]
    at = lines.index("It has regressions, so it is a baseline only by name:")
    assert lines[at + 1] == "--concurrency-compare=a-run-with-a-name"
