"""``concurrency.bound``: finds out which of four bound types a call has, by three claims about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_concurrency.core.model import BoundKind, VerdictName
from pytest_concurrency.core.outcomes import Estimate, Outcome
from pytest_concurrency.engine.bound_type import COMPUTES, WAITS
from pytest_concurrency.engine.claims import OverlapClaim, ShareClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.settlement import Result
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.verdicts.outcome import bound_undecided, met


def plan_for(setup: WorkerSetup, limits: Tolerances) -> Plan:
    """Return the plan with the three claims; ``setup`` has the workers whose waits may overlap."""
    widened = (1 + limits.margin) ** 0.5
    return Plan(
        setup=setup,
        claims=(
            ShareClaim("cpu", WAITS * widened, limits.margin, needs_confirmation_on=()),
            ShareClaim("cpu", COMPUTES * widened, limits.margin, needs_confirmation_on=()),
            OverlapClaim(setup.group_size, limits.margin),
        ),
        answered=_answered,
        all_must_hold=False,
    )


def kind_by(
    *, above_a_quarter: VerdictName | None, above_three_quarters: VerdictName | None, waits_overlap: VerdictName | None
) -> BoundKind | None:
    """Return the bound type for the verdicts on the three claims; None if they do not decide it.

    ===============  ====================  =============  ==============
    above a quarter  above three quarters  waits overlap  bound type
    ===============  ====================  =============  ==============
    any              met                   any            ``cpu``
    met              not met               any            ``mixed``
    not met          not met, or open      met            ``io``
    not met          not met, or open      not met        ``serialized``
    anything else                                         None
    ===============  ====================  =============  ==============

    A share that is not above a quarter is not above three quarters either, so the second claim may be open there.

    :param above_a_quarter: the verdict on "it computes for more than a quarter of its time"; None while it is open.
    :param above_three_quarters: the same of three quarters.
    :param waits_overlap: the verdict on "the waits of several workers overlap".
    """
    if above_three_quarters == "met":
        return "cpu"
    if above_three_quarters == "not_met" and above_a_quarter == "met":
        return "mixed"
    if above_a_quarter == "not_met" and waits_overlap in ("met", "not_met"):
        return "io" if waits_overlap == "met" else "serialized"
    return None


def outcome_of(outcome: Outcome, results: Sequence[Result]) -> Outcome:
    """Turn the outcome of the three claims into one about the bound type: met if it was found, else undecided."""
    assert outcome.bound is not None
    quarter, three_quarters, overlap = (result.verdict for result in results)
    kind = kind_by(above_a_quarter=quarter, above_three_quarters=three_quarters, waits_overlap=overlap)
    if kind is None:
        return bound_undecided(outcome, results)
    share = Estimate(outcome.bound.cpu_share, outcome.bound.cpu_share, outcome.bound.cpu_share, "share")
    found = replace(outcome.bound, kind=kind)
    return met(outcome, bound=found, estimate=share, threshold=None, claim="computing", unit="share")


def _answered(verdicts: Sequence[VerdictName | None]) -> bool:
    """Whether further rounds cannot change the answer: all verdicts that :func:`kind_by` needs are known."""
    quarter, three_quarters, _ = verdicts
    if three_quarters == "met":
        return True
    return three_quarters == "not_met" and (quarter == "met" or None not in verdicts)
