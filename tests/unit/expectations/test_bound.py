"""The bound type that three verdicts stand for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.expectations.bound import kind_by, plan_for

VERDICTS = (None, "met", "not_met", "undecided")


@pytest.mark.parametrize(
    ("quarter", "three_quarters", "overlap", "kind"),
    [
        ("met", "met", None, "cpu"),
        (None, "met", "not_met", "cpu"),
        ("met", "not_met", None, "mixed"),
        ("not_met", "not_met", "met", "io"),
        ("not_met", None, "met", "io"),
        ("not_met", "not_met", "not_met", "serialized"),
        ("not_met", "not_met", "undecided", None),
        ("undecided", "not_met", "met", None),
        (None, None, "met", None),
    ],
)
def test_kind_by_the_truth_table(quarter: Any, three_quarters: Any, overlap: Any, kind: str | None) -> None:
    assert kind_by(above_a_quarter=quarter, above_three_quarters=three_quarters, waits_overlap=overlap) == kind


@pytest.mark.parametrize(("quarter", "three_quarters", "overlap"), list(itertools.product(VERDICTS, repeat=3)))
def test_measuring_ends_only_where_no_open_claim_could_change_the_kind(
    quarter: Any, three_quarters: Any, overlap: Any
) -> None:
    plan = plan_for(WorkerSetup("threads", 4), Tolerances())
    if not plan.answered([quarter, three_quarters, overlap]):
        return

    def possible(verdict: Any) -> tuple[Any, ...]:
        return VERDICTS[1:] if verdict is None else (verdict,)

    kinds = {
        kind_by(above_a_quarter=one, above_three_quarters=two, waits_overlap=three)
        for one, two, three in itertools.product(possible(quarter), possible(three_quarters), possible(overlap))
    }
    assert len(kinds) == 1
