"""Why there is no verdict: what the rules of the engine say, and the section of the documentation about it."""

from __future__ import annotations

import pytest

from pytest_concurrency.core import addresses
from pytest_concurrency.core.model import Interference, Interval
from pytest_concurrency.core.outcomes import Finding
from pytest_concurrency.engine.claims import LongestClaim, SpeedupClaim
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.interval_rules import cpu_limit
from pytest_concurrency.engine.plan import CpuSite
from pytest_concurrency.engine.rules import too_little_seen
from pytest_concurrency.engine.settlement import TimeRanOut
from pytest_concurrency.engine.voting import Vote
from pytest_concurrency.verdicts import undecided

from ..make import reading, round_

ROUNDS = 20
NAMED = undecided._NAMED_RULES


def found(held_back: dict[str, int], interference: Interference | None = None, needs_right: bool = False) -> Finding:
    """What is said after rounds of which none was for a side; the rules, by name, held back so many of them."""
    case = Decision(SpeedupClaim(4, 3.0, 0.25))
    for _ in range(ROUNDS):
        case.take(Vote(0, interval=Interval(1.0, 4.0)))
    case.trace.update(held_back)
    site = CpuSite(2, needs_right=needs_right)
    rounds = [round_(reading(0.01))] * ROUNDS
    return undecided.finding("", TimeRanOut(case, rounds, interference or Interference(), site, 10.0))


@pytest.mark.parametrize("rule", NAMED, ids=lambda rule: rule.name)
def test_rule_that_held_back_many_rounds_is_named_with_a_section_about_it(rule: undecided.Rule[object]) -> None:
    finding = found({rule.name: ROUNDS})
    assert rule.sentence.partition(" ")[2] in finding.headline
    assert finding.kind == NAMED[rule]
    assert finding.kind in addresses.UNDECIDED


@pytest.mark.parametrize("rule", NAMED, ids=lambda rule: rule.name)
def test_rule_that_held_back_few_rounds_is_not_named(rule: undecided.Rule[object]) -> None:
    assert rule.sentence.partition(" ")[2] not in found({rule.name: 1}).headline


def test_two_rules_for_one_reason_are_named_once() -> None:
    same = [rule for rule in NAMED if NAMED[rule] == "own-threads"]
    assert len(same) == 2
    finding = found({rule.name: ROUNDS for rule in same})
    assert finding.headline.count(same[0].sentence.partition(" ")[2]) == 1


def test_rules_that_are_always_there_are_not_named() -> None:
    for rule in (cpu_limit.RULE, too_little_seen.RULE):
        assert found({rule.name: ROUNDS}).headline == found({}).headline


def test_busy_machine_has_a_section_and_no_reason_has_the_page() -> None:
    assert found({}, Interference(foreign=1.5)).kind == "busy-machine"
    assert found({}).kind == "undecided"


def test_higher_priority_is_advised_where_it_lacks_a_right_and_the_machine_was_busy() -> None:
    busy = Interference(foreign=1.5)
    assert found({}, busy, needs_right=True).try_next.startswith("give pytest the right to a higher priority")
    assert "priority" not in found({}, busy).try_next
    assert "priority" not in found({}, needs_right=True).try_next


def test_rounds_that_all_support_it_need_more_time_and_no_other_threshold() -> None:
    case = Decision(LongestClaim("hold", 0.005, 0.25))
    for _ in range(ROUNDS):
        case.take(Vote(-1, 1.0, 0.0005, Interval(0.0004, 0.0006)), early=True)
    rounds = [round_(reading(0.01))] * ROUNDS
    finding = undecided.finding("", TimeRanOut(case, rounds, Interference(foreign=1.8), CpuSite(2), 1.0))
    assert "all 20 rounds support at most 5" in finding.headline
    assert finding.try_next == 'raise max_time, for example to "4s".'
    assert finding.kind == "few-rounds"
