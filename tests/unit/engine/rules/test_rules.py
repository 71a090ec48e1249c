"""Each rule: a case in which it speaks, and one like it in which it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Interference, Interval
from pytest_concurrency.engine import rules
from pytest_concurrency.engine.chance import Calls
from pytest_concurrency.engine.claims import LongestClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.engine.rules import varying_calls
from pytest_concurrency.engine.rules.base import Leaning
from pytest_concurrency.engine.rules.could_be_chance import could_be_chance
from pytest_concurrency.engine.rules.drifting import drifting
from pytest_concurrency.engine.rules.falling import falling
from pytest_concurrency.engine.rules.one_sided import one_sided
from pytest_concurrency.engine.rules.shares_disagree import shares_disagree
from pytest_concurrency.engine.rules.suspicion import unrefuted
from pytest_concurrency.engine.rules.too_little_seen import too_little_seen
from pytest_concurrency.engine.spread import Spread
from pytest_concurrency.engine.voting import Vote, cast
from pytest_concurrency.testing import ScriptedBench, ScriptedBody

from ...make import reading, round_

THREE = SpeedupClaim(4, 3.0, 0.25)
NO_BLOCK = LongestClaim("block", 0.05, 0.25)


def leaning(*votes: Vote, claim: object = THREE, **more: object) -> Leaning:
    return Leaning(claim, votes, votes, **more)  # type: ignore[arg-type]


def figure(value: float, calls: Calls | None = None) -> Vote:
    vote = cast(Interval(value, value), 2.7, 0.02, 0.01, 0.1)
    return replace(vote, calls=calls)


def test_too_little_seen_holds_back_what_is_early() -> None:
    assert too_little_seen(leaning(early=True), 1)
    assert not too_little_seen(leaning(early=False), 1)
    # What must never happen, and did, is enough.
    assert too_little_seen(leaning(claim=NO_BLOCK, early=True), NO_BLOCK.met_when)
    assert not too_little_seen(leaning(claim=NO_BLOCK, early=True), -NO_BLOCK.met_when)


def test_a_round_that_says_nothing_does_not_lift_the_doubt_of_chance() -> None:
    draws = Calls(1.0, (1.0, 1.0, 1.0, 5.0)), Calls(5.0, (1.0, 1.0, 1.0, 1.0))
    votes = [figure(4.0, draws[number % 2]) for number in range(30)]
    assert could_be_chance(leaning(*votes), 1)
    assert could_be_chance(leaning(*votes, Vote(0)), 1)


def test_a_suspicion_is_refuted_by_some_rounds_without() -> None:
    votes = [figure(4.0)] * 23
    assert unrefuted(leaning(*votes, claim=NO_BLOCK, suspected=1), -1)
    assert not unrefuted(leaning(*votes, figure(4.0), claim=NO_BLOCK, suspected=1), -1)
    assert not unrefuted(leaning(*votes, suspected=1), 1)  # of other claims nothing is suspected


def test_shares_disagree_where_few_calls_take_most_of_the_time() -> None:
    claim = ShareClaim("wait", 0.5, 0.25)
    waits = Vote(1, 4.6, 0.9, Interval(0.9, 0.9), whole=0.01)
    computes = Vote(-1, 4.6, 0.01, Interval(0.01, 0.01), whole=1.0)
    assert shares_disagree(leaning(*[waits] * 9, computes, claim=claim), 1)
    assert not shares_disagree(leaning(*[waits] * 9, claim=claim), 1)


@pytest.mark.parametrize(("silenced", "held_back"), [(3, True), (1, False)])
def test_rounds_of_random_calls_are_no_sample_if_those_against_are_silenced(silenced: int, held_back: bool) -> None:
    fast = [figure(4.0)] * 4
    against = [replace(figure(1.0), direction=0, silenced=-1)] * silenced
    assert one_sided(leaning(*fast, *against, spread=Spread(0.5, 8)), 1) == held_back
    assert not one_sided(leaning(*fast, *against, spread=Spread(0.01, 8)), 1)  # of calls that are alike, each counts


def test_calls_that_differ_could_be_chance_and_a_queue_could_not() -> None:
    mixed = [figure(1.0, Calls(1.0, (1.0, 5.0, 1.0, 5.0))) for _ in range(3)]
    assert could_be_chance(leaning(*mixed), -1)
    queue = [figure(1.0, Calls(1.0, (1.0, 2.0, 3.0, 4.0))) for _ in range(9)]
    assert not could_be_chance(leaning(*queue), -1)
    assert not could_be_chance(leaning(*[figure(1.0)] * 3), -1)  # without single calls there is nothing to compare


def test_a_body_that_grows_is_drifting() -> None:
    grows = tuple(round_(reading(wait=0.01 * 1.3**number)) for number in range(9))
    assert drifting(leaning(rounds=grows, pair=True), 0)
    assert not drifting(leaning(rounds=grows[:1] * 9, pair=True), 0)
    assert not drifting(leaning(rounds=grows), 0)


def test_a_figure_falls_from_one_side_of_the_cut_to_the_other() -> None:
    burst = [figure(4.0)] * 5 + [figure(1.2)] * 3
    assert falling(leaning(*burst, pair=True), 0)
    assert not falling(leaning(*burst, pair=True, one_body=False), 0)
    assert not falling(leaning(*[figure(1.9)] * 5, *[figure(1.2)] * 3, pair=True), 0)


@pytest.mark.parametrize(
    ("interference", "delay", "name"),
    [
        (Interference(1.0, 0.0, 0.0), None, "unreadable"),
        (Interference(None, 0.0, 0.0), None, "unreadable"),
        (Interference(1.0, 0.5, 0.0), 0.0, "cpu-taken"),
        (Interference(1.0, 0.0, 0.0), 0.0, None),
    ],
)
def test_rounds_are_discarded_by_what_interfered(interference: Interference, delay: float | None, name: str) -> None:
    rule = rules.discarded(round_(reading(cpu=0.01, delay=delay), interference=interference))
    assert (rule.name if rule else None) == name


def test_the_trace_of_a_settlement_counts_what_held_it_back() -> None:
    bench = ScriptedBench(lambda bench: ScriptedBody(wait=0.01 * 1.3**bench.rounds))
    found = settle(Plan(WorkerSetup("threads", 4), (THREE,)), bench, 10.0)
    assert (found.verdict, found.results[0].trace) == ("undecided", {"drifting": 1})
    quick = settle(Plan(WorkerSetup("threads", 4), (THREE,)), ScriptedBench(ScriptedBody(wait=0.01)), 10.0)
    assert (quick.verdict, quick.results[0].trace) == ("met", {})


def test_the_trace_of_a_decision_counts_rounds() -> None:
    case = Decision(THREE)
    for _ in range(8):
        case.take(figure(4.0), early=True)
    assert case.verdict is None
    assert case.trace["too-little-seen"] > 0
    case.take(figure(4.0))
    assert case.verdict == "met"


def test_votes_of_a_body_that_varies_weigh_less() -> None:
    rule = varying_calls.RULE
    assert rule.name == "varying-calls"
    alike = [figure(4.0)] * 5
    assert rule.apply(alike, Spread()) == alike
    assert sum(vote.weight for vote in rule.apply(alike, Spread(0.25, 5))) < sum(vote.weight for vote in alike)
