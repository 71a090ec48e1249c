"""The rules by which rounds and verdicts are worth less than they look, by kind.

Each kind has a law, which tests/unit/engine/rules/test_laws.py checks for every member:

* a *discard* looks at one round only, and says whether that says nothing;
* a *weigh* lets no vote weigh more;
* a *veto* may hold a verdict back, and never makes one.

The two kinds that change the interval of a round, *limit* and *widen*, are in
:mod:`pytest_concurrency.engine.interval_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.model import Round
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.rules import (
    batched_calls,
    clock_bound,
    could_be_chance,
    cpu_taken,
    drifting,
    falling,
    one_sided,
    shares_disagree,
    suspicion,
    too_little_seen,
    unreadable,
    varying_calls,
)
from pytest_concurrency.engine.rules.base import Discard, Leaning, Stage, VetoRule, Weigh
from pytest_concurrency.engine.spread import Spread
from pytest_concurrency.engine.voting import Vote

# In the order in which they are asked; the first that applies is reported. Discards name the reason of a round on which
# no claim has voted: what silences it are ``readings.readable`` and ``readings.cpu_taken``.
DISCARDS: tuple[Rule[Discard], ...] = (unreadable.RULE, cpu_taken.RULE)
WEIGHS: tuple[Rule[Weigh], ...] = (varying_calls.RULE,)
VETOES: tuple[VetoRule, ...] = (
    too_little_seen.RULE,
    suspicion.RULE,
    shares_disagree.RULE,
    could_be_chance.RULE,
    one_sided.RULE,
    drifting.RULE,
    falling.RULE,
    batched_calls.RULE,
    clock_bound.RULE,
)


def held_back(leaning: Leaning, side: int, stage: Stage) -> VetoRule | None:
    """Return the rule that holds a verdict for this side back at this stage, or None."""
    return next((rule for rule in VETOES if rule.stage == stage and rule.apply(leaning, side)), None)


def discarded(round_: Round) -> Rule[Discard] | None:
    """Return the rule by which a round says nothing, or None."""
    return next((rule for rule in DISCARDS if rule.apply(round_)), None)


def weighed(votes: Sequence[Vote], spread: Spread) -> Sequence[Vote]:
    """Return the votes with the weights that all rules leave them."""
    for rule in WEIGHS:
        votes = rule.apply(votes, spread)
    return votes
