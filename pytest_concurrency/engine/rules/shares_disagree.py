"""Single rounds say one thing, and all of them together the other."""

from __future__ import annotations

from pytest_concurrency.engine import voting
from pytest_concurrency.engine.claims import margin_cut
from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def shares_disagree(leaning: Leaning, side: int) -> bool:
    """Whether the ratio of sums lies on the other side of the cut than the rounds that won."""
    share = voting.pooled(leaning.votes)
    return share is not None and (share > margin_cut(leaning.claim.margin)) != (side > 0)


RULE = VetoRule(
    "shares-disagree",
    shares_disagree,
    failure="nine short calls that wait outvoted a tenth that computes for most of the time",
    evidence="Cochran, Sampling Techniques, 3rd ed. (1977), section 2.11: a ratio of sums",
    sentence="few calls take most of the time, and the others say something else",
)
