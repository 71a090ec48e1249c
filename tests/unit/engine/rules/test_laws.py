"""The law of each kind of rule, for all rules of the kind."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency import engine
from pytest_concurrency.core.model import Accounting, Interference, Interval, Round, Sample
from pytest_concurrency.engine import interval_rules, readings, rules
from pytest_concurrency.engine.chance import Calls
from pytest_concurrency.engine.claims import Knowledge, LongestClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.spread import spread_of
from pytest_concurrency.engine.voting import Vote, cast

from ...make import reading, round_

WIDENS = (*interval_rules.RATIO_WIDENS, *interval_rules.SHARE_WIDENS)
ALL: tuple[Rule[object], ...] = (  # type: ignore[assignment]
    *rules.DISCARDS,
    *interval_rules.LIMITS,
    *WIDENS,
    *rules.WEIGHS,
    *rules.VETOES,
)
CLAIMS = (
    SpeedupClaim(4, 3.0, 0.25),
    SpeedupClaim(4, 3.0, 0.25, at_most=True),
    ShareClaim("wait", 0.5, 0.25),
    LongestClaim("block", 0.05, 0.25),
)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_every_rule_says_why_it_is_there(rule: Rule[object]) -> None:
    assert all((rule.name, rule.failure, rule.evidence, rule.sentence))
    assert rule.evidence.split(":")[0] in ("promise", "judgement") or "(" in rule.evidence


def test_names_are_distinguished() -> None:
    assert len({rule.name for rule in ALL}) == len(ALL)


@pytest.mark.parametrize("rule", [*interval_rules.LIMITS, *WIDENS, *rules.VETOES], ids=lambda rule: rule.name)
def test_every_rule_has_a_test(rule: Rule[Callable[..., object]]) -> None:
    module = inspect.getmodule(rule.apply)
    assert module is not None
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    package, _, name = module.__name__.rpartition(".")
    assert any(module.__name__ in text or (package in text and f"{name}.RULE" in text) for text in tests)


votes = st.lists(
    st.builds(
        lambda figure, width, work, long: (figure, width, work, long),
        st.floats(0.02, 8.0),
        st.floats(1.0, 2.0),
        st.floats(0.001, 0.05),
        st.floats(0.5, 4.0),
    ),
    min_size=1,
    max_size=40,
)


CEILING = [cast(Interval(100.0, 100.0), 1.0, 0.02)]
Drawn = tuple[float, float, float, float]


def _vote(claim: object, drawn: tuple[float, float, float, float]) -> Vote:
    figure, width, work, long = drawn
    vote = cast(Interval(figure / width, figure * width), 1.0, 0.02, work, 0.1)
    return Vote(
        vote.direction, vote.weight, figure, vote.interval, work, 1.0, 0.1, calls=Calls(work, (work * long,) * 4)
    )


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.name} {claim.met_when}")
@given(drawn=votes, early=st.booleans())
def test_a_veto_makes_no_verdict(
    claim: SpeedupClaim, drawn: list[tuple[float, float, float, float]], early: bool
) -> None:
    """There is no verdict for a side that no vote was for, nor one that a veto holds back."""
    case = Decision(claim)
    sides = set()
    for each in drawn:
        case.take(_vote(claim, each), early)
        sides.update(vote.direction for vote in case.votes[-1:])
        if case.verdict in ("met", "not_met"):
            side = claim.met_when * (1 if case.verdict == "met" else -1)
            assert side in sides  # no verdict for a side that no vote was for
            assert rules.held_back(case._leaning(), side, "verdict") is None
            return


def test_a_veto_is_asked_for_each_count() -> None:
    claim = SpeedupClaim(4, 3.0, 0.25)
    fast = cast(Interval(4.0, 4.0), 2.7, 0.02, 0.01, 0.1)
    free, held = Decision(claim), Decision(claim)
    always = rules.VetoRule("always", lambda leaning, side: True, "none", "judgement: none", "none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "VETOES", ())
        for _ in range(9):
            free.take(fast)
        patch.setattr(rules, "VETOES", (always,))
        for _ in range(9):
            held.take(fast)
    assert (free.verdict, held.verdict) == ("met", None)
    assert held.trace["always"] > 0


@pytest.mark.parametrize("rule", rules.DISCARDS, ids=lambda rule: rule.name)
@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.one_of(st.none(), st.floats(0.0, 0.01)))
def test_no_speedup_is_voted_on_in_a_discarded_round(
    rule: Rule[rules.Discard], foreign: float, steal: float, delay: float | None
) -> None:
    alone = reading(cpu=0.01, delay=delay)
    seen = round_(alone, *[alone] * 4, interference=Interference(foreign, steal, 0.0))
    if rule.apply(seen):
        assert SpeedupClaim(4, 3.0, 0.25).vote(seen, None, Knowledge(4.0)).direction == 0
    quiet = round_(reading(cpu=0.01, delay=0.0), interference=Interference(0.0, 0.0, 0.0))
    assert not rule.apply(quiet)


@st.composite
def busy_rounds(draw: st.DrawFn) -> Round:
    times, delays = st.floats(0.0001, 0.5), st.floats(0.0, 0.5)
    accounting: st.SearchStrategy[Accounting] = st.sampled_from(["one", "seen", "helped", "unseen"])
    made = [
        reading(
            draw(times),
            draw(times),
            draw(delays),
            accounting=draw(accounting),
            switches=draw(st.integers(0, 9)),
            helpers_delay=draw(delays),
        )
        for _ in range(1 + draw(st.integers(1, 5)))
    ]
    taken, foreign, gil = draw(st.floats(0.0, 0.5)), draw(st.floats(0.0, 4.0)), st.floats(0.0, 0.5)
    return Round(
        1,
        Sample(1, (made[0],), gil_taken=draw(gil)),
        Sample(1, tuple(made[1:]), gil_taken=draw(gil)),
        Interference(foreign, taken, 0.0),
    )


contexts = st.builds(
    lambda workers, cpus, held, more, slower, apart: Context(
        workers, cpus, Interval(held, min(1.0, held + more)), slower, apart
    ),
    st.integers(2, 5),
    st.floats(0.5, 16.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.one_of(st.none(), st.floats(1.0, 3.0)),
    st.booleans(),
)


@pytest.mark.parametrize("rule", interval_rules.LIMITS, ids=lambda rule: rule.name)
@given(st.floats(0.1, 8.0), st.floats(1.0, 3.0), busy_rounds(), contexts)
def test_a_limit_raises_no_bound(rule: Rule[Change], low: float, width: float, seen: Round, context: Context) -> None:
    before = Interval(low, low * width)
    after = rule.apply(before, seen, context)
    assert 0 < after.low <= before.low
    assert after.high <= before.high


@pytest.mark.parametrize("rule", interval_rules.RATIO_WIDENS, ids=lambda rule: rule.name)
@given(st.floats(0.1, 8.0), st.floats(1.0, 3.0), busy_rounds(), contexts)
def test_a_wider_speedup_contains_the_one_before(
    rule: Rule[Change], low: float, width: float, seen: Round, context: Context
) -> None:
    before = Interval(low, low * width)
    after = rule.apply(before, seen, context)
    assert 0 < after.low <= before.low
    assert after.high >= before.high


@pytest.mark.parametrize("rule", interval_rules.SHARE_WIDENS, ids=lambda rule: rule.name)
@given(busy_rounds())
def test_a_wider_share_contains_the_one_before(rule: Rule[Change], seen: Round) -> None:
    share = readings.cpu_share(seen.serial)
    after = rule.apply(Interval(share, share), seen, Context())
    assert 0 <= after.low <= share <= after.high <= 1


def test_the_rule_that_silences_a_round_is_named() -> None:
    before, steps = Interval(2.0, 2.2), [("one", Interval(1.8, 2.2)), ("other", Interval(1.2, 2.2))]
    assert interval_rules.silencing(before, steps, 1.5) == ("other", 1)
    assert interval_rules.silencing(before, steps, 1.1) == ("", 0)
    assert interval_rules.silencing(before, steps, 2.1) == ("", 0)


def test_the_fifteen_lines_name_modules_that_exist() -> None:
    assert engine.__doc__ is not None
    named = set(re.findall(r":mod:`\.(\w+)`", engine.__doc__))
    assert len(named) >= 10
    assert all(importlib.util.find_spec(f"pytest_concurrency.engine.{name}") for name in named)
    assert [int(number) for number in re.findall(r"^(\d+)\. ", engine.__doc__, re.MULTILINE)] == list(range(1, 16))


@pytest.mark.parametrize("rule", rules.WEIGHS, ids=lambda rule: rule.name)
@given(drawn=votes)
def test_no_weight_grows(rule: Rule[rules.Weigh], drawn: list[Drawn]) -> None:
    """A group of rounds has one vote, which weighs no more than a single round may."""
    made = [_vote(CLAIMS[0], each) for each in drawn]
    spread = spread_of(made)
    left = rule.apply(made, spread)
    assert len(left) <= len(made)
    assert all(0 <= vote.weight <= max(one.weight for one in CEILING) for vote in left)
    if spread.group == 1:
        assert all(after.weight <= before.weight for after, before in zip(left, made, strict=True))
