"""What a session says in the end of a loss that its gate saw and did not confirm."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency import limits
from pytest_concurrency.baseline import Baseline
from pytest_concurrency.keeping import Kept
from pytest_concurrency.options import Settings

from .test_compare import expectation, rounds, run

NOT_CONFIRMED = {"kind": "unconfirmed", "text": "fresh workers did not confirm it"}


@pytest.mark.parametrize("slow", [16, 24, 28, 40])
def test_a_loss_that_was_not_confirmed_is_unsure_wherever_the_median_of_both_looks_falls(slow: int) -> None:
    both = [{"workers": 4, "bounds": rounds(1.0, slow) + rounds(4.0, 52 - slow)}]
    later = run(test=expectation(series=both, change=NOT_CONFIRMED))
    nothing: dict[str, Any] = dict.fromkeys(Settings._fields)
    settings = Settings(**{**nothing, "compare": "base", "compare_fail": limits.parse(["speedup:10%"])})
    compared = Kept(settings, Baseline("base", run(test=expectation(4.0)), (), {})).compare(later)
    (change,) = compared["comparison"]["changes"]
    assert change["kind"] == "unsure"
    assert "fresh workers did not confirm it" in str(change)
