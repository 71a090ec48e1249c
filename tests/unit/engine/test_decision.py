from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Interference, Interval
from pytest_concurrency.engine.chance import Calls
from pytest_concurrency.engine.claims import LongestClaim, ShareClaim, SpeedupClaim, half, margin_cut
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.interval_rules import late_helpers
from pytest_concurrency.engine.plan import CpuSite
from pytest_concurrency.engine.settlement import TimeRanOut
from pytest_concurrency.engine.spread import spread_of
from pytest_concurrency.engine.voting import Vote, cast
from pytest_concurrency.verdicts import undecided

from ..make import reading, round_

CLAIM = SpeedupClaim(4, 3.0, 0.25)
UP = Vote(1, 3.0, 3.9, Interval(3.8, 4.0))
DOWN = Vote(-1, 3.0, 1.0, Interval(0.9, 1.1))
SILENT = Vote(0)


def said_of(reason: TimeRanOut) -> str:
    """What is said of a claim without a verdict, with what to try."""
    finding = undecided.finding("", reason)
    return f"{finding.headline}. Try: {finding.try_next}"


def feed(case: Decision, vote: Vote, most: int = 200) -> list[bool]:
    """Votes until the case wants fresh workers or is decided; what it answered each time."""
    answers: list[bool] = []
    while case.open and len(answers) < most:
        answers.append(case.take(vote))
        if answers[-1]:
            break
    return answers


def test_a_green_verdict_is_quick() -> None:
    case = Decision(CLAIM)
    feed(case, UP)
    assert case.verdict == "met"
    assert len(case.votes) == 4  # 4 votes of 3 nats lead by the 11.5 that 1e-5 needs


def test_a_red_verdict_takes_more_votes_and_new_workers() -> None:
    case = Decision(CLAIM)
    first = feed(case, DOWN)
    assert first[-1]
    assert case.open
    assert case.confirming == -1
    assert len(first) > 4
    again = feed(case, DOWN)
    assert case.verdict == "not_met"
    assert not any(again)
    assert len(again) >= 2


def test_new_workers_that_disagree_start_both_counts_again() -> None:
    case = Decision(CLAIM)
    feed(case, DOWN)
    assert feed(case, UP)[-1]
    assert case.open
    assert (case.confirming, case.tally.rounds, case.contradicted) == (0, 0, 1)
    feed(case, UP)
    assert case.verdict == "met"


def test_a_confirmation_that_says_nothing_starts_again() -> None:
    case = Decision(CLAIM)
    feed(case, DOWN)
    answers = feed(case, SILENT)
    assert answers[-1]
    assert 10 < len(answers) < 100
    assert case.open
    assert case.contradicted == 1
    said = said_of(TimeRanOut(case, [round_(reading(wait=0.01))] * 12, Interference(), CpuSite(2, True, True), 1.0))
    assert "ater rounds contradicted those before them (1 time)" in said


def test_a_bound_above_confirms_the_green_side_too() -> None:
    case = Decision(SpeedupClaim(4, 2.0, 0.25, at_most=True))
    assert feed(case, DOWN)[-1]
    assert case.open
    feed(case, DOWN)
    assert case.verdict == "met"


def test_claims_without_careful_sides_are_quick_both_ways() -> None:
    case = Decision(ShareClaim("cpu", 0.5, 0.25, needs_confirmation_on=()))
    assert not any(feed(case, DOWN))
    assert case.verdict == "not_met"


def test_bounds_that_lie_far_apart_say_nothing_of_the_margin() -> None:
    """Beside other programs, the truth may be anywhere between them."""
    case = Decision(CLAIM)
    middle = (CLAIM.margin.low * CLAIM.margin.high) ** 0.5
    for _ in range(60):
        case.take(cast(Interval(middle / 1.4, middle * 1.4), 2.5, 0.01, 0.01, 0.11))
    assert case.open


def test_a_figure_inside_the_margin_is_accepted_as_such() -> None:
    case = Decision(CLAIM)
    for _ in range(12):
        for figure, direction in ((2.75, 1), (2.6, -1)):
            case.take(Vote(direction, 1.0, figure, Interval(figure, figure)))
    assert case.verdict == "undecided"


def test_a_figure_on_the_edge_of_the_margin_is_not() -> None:
    case = Decision(CLAIM)
    for _ in range(20):
        for figure, direction in ((2.2, -1), (3.3, 1)):
            case.take(Vote(direction, 1.0, figure, Interval(figure, figure)))
    assert case.open


def test_a_decided_case_still_listens() -> None:
    case = Decision(CLAIM)
    feed(case, UP)
    known = case.estimate()
    for _ in range(20):
        assert not case.take(DOWN)
    assert case.verdict == "met"
    assert case.estimate() != known


@pytest.mark.parametrize(("wide", "close", "shown"), [(9, 3, 2.0), (9, 2, 3.0)])
def test_figures_are_of_the_rounds_that_count_if_there_are_some(wide: int, close: int, shown: float) -> None:
    case = Decision(CLAIM)
    for _ in range(wide):
        case.take(Vote(0, 0.0, 3.0, Interval(1.0, 9.0)))
    for _ in range(close):
        case.take(Vote(0, 0.0, 2.0, Interval(2.0, 2.0)))
    estimate = case.estimate()
    assert estimate is not None
    assert estimate.value == shown


def test_noisy_rounds_in_a_row_are_counted() -> None:
    case = Decision(CLAIM)
    for vote in (SILENT, SILENT, UP, SILENT):
        case.take(vote)
    assert case.silent == 1
    assert case.estimate() is not None


def test_a_body_that_varies_by_itself_is_reported_as_why_it_is_undecided() -> None:
    case = Decision(CLAIM)
    for number in range(12):
        alone, figure = (0.02, 4.0) if number % 2 else (0.004, 1.0)
        case.take(cast(Interval(figure, figure), 2.5, alone, alone, 0.11))
    said = said_of(TimeRanOut(case, [round_(reading(wait=0.01))] * 12, Interference(), CpuSite(2, True, True), 1.0))
    assert "The calls vary in duration (a rate limit, or extra work at every n-th call)" in said
    assert "raise max_time" in said


@pytest.mark.parametrize(("times", "is_named"), [(1, False), (6, True)])
def test_a_rule_is_named_if_it_applied_to_many_rounds(times: int, is_named: bool) -> None:
    case = Decision(CLAIM)
    for number in range(20):
        case.take(replace(SILENT, widened_by=late_helpers.RULE.name) if number < times else SILENT)
    said = said_of(TimeRanOut(case, [round_(reading(wait=0.01))] * 20, Interference(), CpuSite(2, True, True), 1.0))
    assert ("compute for the body" in said) == is_named


def never(frequency: int, rounds: int = 400) -> Decision:
    """Rounds of a body that blocks its loop in every so many rounds, confirmed as often as that is asked for."""
    case = Decision(LongestClaim("block", 0.05, 0.25))
    for number in range(1, rounds):
        blocked = 0.15 if frequency and number % frequency == 0 else 0.006
        case.take(cast(Interval(blocked, blocked), 0.056, 0.02), early=number < 20)
        if not case.open:
            break
    return case


@pytest.mark.parametrize(
    ("frequency", "verdict"), [(0, "met"), (1, "not_met"), (2, "not_met"), (4, "not_met"), (100, "met")]
)
def test_what_must_never_happen_is_not_outvoted(frequency: int, verdict: str) -> None:
    case = never(frequency)
    assert case.verdict == verdict


def test_one_error_does_not_make_a_red_verdict_and_costs_some_rounds() -> None:
    case = Decision(LongestClaim("block", 0.05, 0.25))
    for number in range(40):
        blocked = 0.15 if number == 1 else 0.006
        case.take(cast(Interval(blocked, blocked), 0.056, 0.02))
        if not case.open:
            break
    assert case.verdict == "met"
    assert len(case.votes) >= 24


def test_contention_that_may_be_chance_is_reported_as_such() -> None:
    """Two workers, of which one takes twice as long: the first rounds could be calls that merely differ."""
    case = Decision(SpeedupClaim(2, 1.5, 0.25))
    queue = cast(Interval(0.75, 0.75), margin_cut(case.claim.margin), 0.02, 0.01, half(case.claim.margin))
    taken = 0
    while case.verdict is None:
        case.take(replace(queue, calls=Calls(0.01, (0.01, 0.02))))
        taken += 1
        if taken == 6:
            said = said_of(TimeRanOut(case, [round_(reading(0.01))] * 8, Interference(), CpuSite(2), 1.0))
            assert "he calls vary in duration, as with a cache, so this result may be due to chance" in said
    assert (case.verdict, taken) == ("not_met", 8)


def test_rounds_that_speak_for_one_share_and_together_for_another_decide_nothing() -> None:
    late = Decision(ShareClaim("cpu", 0.5, 0.25))
    for number in range(40):
        share, whole = (0.02, 0.2) if number % 8 == 4 else (0.99, 0.01)
        late.take(replace(cast(Interval(share, share), 0.447, 0.01), whole=whole), early=number < 24)
    assert late.verdict is None


def test_of_two_things_each_varies_by_itself() -> None:
    votes = [cast(Interval(f, f), 1.0, 0.02, work=0.02, half=0.1, apart=True) for f in (2.0, 0.1)]
    assert spread_of(votes).seen > 1
    alike = [cast(Interval(f, f), 1.0, 0.02, work=0.02, half=0.1) for f in (2.0, 0.1)]
    assert spread_of(alike).seen == 0


def test_a_share_that_few_calls_make_is_reported_as_that() -> None:
    case = Decision(ShareClaim("cpu", 0.5, 0.25))
    for number in range(40):
        share, whole = (0.02, 0.2) if number % 8 == 4 else (0.99, 0.01)
        case.take(replace(cast(Interval(share, share), 0.447, 0.01), whole=whole), early=number < 24)
    said = said_of(TimeRanOut(case, [round_(reading(0.01))] * 40, Interference(), CpuSite(2), 10.0))
    assert "All rounds pooled give 27%, because a few calls take most of the time" in said


def test_an_undecided_figure_has_the_interval_of_most_of_its_rounds() -> None:
    case = Decision(SpeedupClaim(2, 1.3, 0.25, at_most=True))
    for number in range(9):
        case.take(cast(Interval(0.87, 0.9 if number < 4 else 2.0), 1.45, 0.02))
    case.verdict = None
    estimate = case.estimate()
    assert estimate is not None
    assert estimate.high == 2.0


@pytest.mark.parametrize(
    ("concurrent", "unequal"),
    [((1.0, 1.0, 1.0, 3.0), True), ((1.0, 2.0, 3.0, 4.0), True), ((1.0, 1.0, 1.0, 1.1), False)],
)
def test_a_call_that_is_slower_than_those_beside_it_is_noticed(concurrent: tuple[float, ...], unequal: bool) -> None:
    """One call in five, say, where a round makes five: then no batch varies from round to round."""
    case = Decision(SpeedupClaim(4, 3.0, 0.25))
    assert not case.calls_are_unequal
    case.take(Vote(1, calls=Calls(1.0, concurrent)))
    assert case.calls_are_unequal == unequal


def test_what_was_seen_before_a_contradiction_is_not_forgotten() -> None:
    """A block in one call of twenty was met: a confirmation missed it, and the next count knew nothing of it."""
    case = Decision(LongestClaim("block", 0.05, 0.25))
    blocked, quiet = (cast(Interval(seconds, seconds), 0.056, 0.02) for seconds in (0.15, 0.006))
    for vote in [quiet, blocked, blocked, blocked]:
        case.take(vote)
    assert case.suspected() == 3
    assert case.suspected(blocked) == 4
    seen = 3
    while case.open and len(case.votes) < 60:
        case.take(quiet)
    assert case.verdict is None
    assert case.suspected() == seen
