from __future__ import annotations

import pytest

from pytest_concurrency.core.model import BlockProbe, Bound, Estimate, GilProbe, Interval, PerBody, Round
from pytest_concurrency.engine.claims import Claim, GilClaim, LongestClaim, OverlapClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.verdicts import not_met
from pytest_concurrency.verdicts.outcome import arms_of, deciding, judge

from ..make import plan, reading, round_, settlement

# Eight bodies took 12 ms of computing and 30 ms of waiting each, and three times that together.
ROUND = round_(reading(0.012, 0.030, 0.0005), *[reading(0.013, 0.110, 0.002)] * 4)
PLACE = "tests/test_shop.py:31 in total: return sum(rows)"
STRETCHED = round_(
    reading(0.3),
    gil=GilProbe(0.3, 0.3, 0.29, 0.3, Interval(0.2, 0.21), 3, PLACE),
    block=BlockProbe(Interval(0.2, 0.21), PLACE),
)
BOUND = Bound(
    "serialized", 0.28, 0.72, "unknown", "alone it waits for 72 % of 42.0 ms, and the waits of 4 threads queue"
)
RATIO = Estimate(1.02, 0.99, 1.05)
SHARE = Estimate(0.28, 0.25, 0.31, "share")
SECONDS = Estimate(0.205, 0.2, 0.21, "seconds")

CASES: list[tuple[Claim, WorkerSetup, Estimate, list[str]]] = [
    (
        SpeedupClaim(4, 3.0, 0.25),
        WorkerSetup("threads", 4),
        RATIO,
        ["1.02 [0.99 to 1.05] times as fast as one thread", "at least 3."],
    ),
    (SpeedupClaim(4, 1.5, 0.25, at_most=True), WorkerSetup("processes", 4), RATIO, ["as one process", "at most 1.5."]),
    (SpeedupClaim(4, 3.0, 0.25), WorkerSetup("tasks", 4), RATIO, ["4 tasks got 4 bodies done", "as one task"]),
    (
        SpeedupClaim(2, 2.0, 0.25),
        WorkerSetup("compare", 2),
        RATIO,
        ["the second function is 1.02 [0.99 to 1.05] times"],
    ),
    (
        OverlapClaim(4, 0.25),
        WorkerSetup("threads", 4),
        RATIO,
        ["the waits of 4 threads do not overlap", "1.02 [0.99 to 1.05]"],
    ),
    (
        ShareClaim("wait", 0.5, 0.25),
        WorkerSetup("threads", 4),
        SHARE,
        ["28 % [25 to 31]", "waiting", "50 % (min_wait=0.5)"],
    ),
    (
        ShareClaim("cpu", 0.5, 0.25),
        WorkerSetup("threads"),
        SHARE,
        ["28 % [25 to 31]", "computing", "50 % (min_cpu=0.5)"],
    ),
    (GilClaim("released"), WorkerSetup("threads"), SHARE, ["holds the GIL for 28 %", 'gil="released"']),
    (GilClaim("held"), WorkerSetup("threads"), SHARE, ["only 28 %", 'gil="held"']),
    (
        LongestClaim("hold", 0.005, 0.25),
        WorkerSetup("threads", method="hold"),
        SECONDS,
        ["holds the GIL for 205 ms [200 ms to 210 ms] at a stretch", "5.00 ms (max_hold)", "test_shop.py:31 in total"],
    ),
    (
        LongestClaim("block", 0.05, 0.25),
        WorkerSetup("tasks", method="block"),
        SECONDS,
        ["keeps its event loop from running for 205 ms", "50.0 ms (max_block)", "test_shop.py:31 in total"],
    ),
]
IDS = [f"{case[0].name}-{case[1].backend}-{index}" for index, case in enumerate(CASES)]


def message(claim: Claim, setup: WorkerSetup, estimate: Estimate, round_: Round | None = None) -> str:
    measured = round_ or (ROUND if setup.method == "pair" else STRETCHED)
    if setup.workers is None:
        measured = Round(1, measured.serial, None, gil=measured.gil, block=measured.block)
    ended = settlement(claim, rounds=(measured,) * 9, estimate=estimate)
    return not_met.message("expect_it(threads=4)", setup, ended.results[0], ended, BOUND)


@pytest.mark.parametrize(("claim", "setup", "estimate", "said"), CASES, ids=IDS)
def test_a_failure_tells_figure_interval_and_threshold(
    claim: Claim, setup: WorkerSetup, estimate: Estimate, said: list[str]
) -> None:
    text = " ".join(message(claim, setup, estimate).split())
    for words in said:
        assert words in text
    assert text.startswith("expect_it(threads=4) is not met: ")
    assert BOUND.evidence in text
    assert "Bound type: serialized" in text
    assert "9 rounds in 500 ms" in text
    after = text.partition("What to try: ")[2]
    assert len(after.partition(" 9 rounds in")[0]) > 40


@pytest.mark.parametrize(("claim", "setup", "estimate", "said"), CASES, ids=IDS)
def test_a_failure_fits_a_terminal_of_80_columns(
    claim: Claim, setup: WorkerSetup, estimate: Estimate, said: list[str]
) -> None:
    assert max(len(line) for line in message(claim, setup, estimate).splitlines()) <= 80


def test_both_sides_are_shown_with_what_they_spent() -> None:
    lines = message(SpeedupClaim(4, 3.0, 0.25), WorkerSetup("threads", 4), RATIO).splitlines()
    one = next(line for line in lines if line.lstrip().startswith("1 thread "))
    four = next(line for line in lines if line.lstrip().startswith("4 threads "))
    assert one.split()[2:] == ["42.5", "ms", "12.0", "ms", "30.0", "ms", "500", "us"]
    assert four.split()[2:] == ["125", "ms", "13.0", "ms", "110", "ms", "2.00", "ms"]


def test_tasks_share_what_their_thread_spent() -> None:
    measured = round_(reading(0.01), reading(0.04))
    lines = message(SpeedupClaim(4, 3.0, 0.25), WorkerSetup("tasks", 4), RATIO, measured).splitlines()
    four = next(line for line in lines if line.lstrip().startswith("4 tasks "))
    assert four.split()[2:6] == ["40.0", "ms", "10.0", "ms"]


def test_what_could_not_be_read_is_not_shown_as_nothing() -> None:
    measured = round_(reading(0.01, 0.0, None), reading(0.02, 0.0, None))
    assert "not readable" in message(SpeedupClaim(1, 3.0, 0.25), WorkerSetup("threads", 1), RATIO, measured)


def test_a_lone_worker_has_one_row() -> None:
    assert "4 threads" not in not_met.arms_table(WorkerSetup("threads"), settlement(rounds=(STRETCHED,), verdicts=()))


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (RATIO, "1.02x [0.99 to 1.05]"),
        (SHARE, "28 % [25 to 31]"),
        (SECONDS, "205 ms [200 ms to 210 ms]"),
        (None, "no figure"),
    ],
)
def test_figures(estimate: Estimate | None, text: str) -> None:
    assert not_met.figure(estimate) == text


def test_the_claim_behind_the_verdict_is_the_one_that_is_told() -> None:
    claims = (ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25))
    ended = settlement(*claims, rounds=(ROUND,), verdicts=("met", "not_met"))
    assert deciding(ended).claim is claims[1]
    found = judge("expect_io_bound", "expect_io_bound", {}, plan(*claims), ended)
    assert found.verdict == "not_met"
    assert found.claim == "overlap"
    assert "do not overlap" in " ".join(found.reason.split())


@pytest.mark.parametrize("verdict", ["met", "undecided", "unmeasurable"])
def test_only_a_broken_expectation_is_explained_at_length(verdict: str) -> None:
    claim = SpeedupClaim(4, 3.0, 0.25)
    ended = settlement(claim, rounds=(ROUND,), verdicts=(verdict,))
    found = judge(
        "it", "expect_speedup", {"threads": 4}, Plan(WorkerSetup("threads", 4), (claim,)), ended, note="pinned"
    )
    assert (found.verdict, found.reason, found.workers) == (verdict, "", "4 threads")
    assert [(arm.workers, arm.note) for arm in found.arms] == [(1, "pinned"), (4, "pinned")]


def test_a_loop_that_another_thread_keeps_from_running_is_told_so() -> None:
    stuck = Round(1, STRETCHED.serial, None, block=BlockProbe(Interval(0.2, 0.21), idle=True))
    text = " ".join(
        message(LongestClaim("block", 0.05, 0.25), WorkerSetup("tasks", method="block"), SECONDS, stuck).split()
    )
    assert "at a stretch, while another thread holds the GIL; expected at most" in text
    assert "asyncio.to_thread() does not help" in text


def test_a_comparison_that_is_the_other_way_round_asks_whether_it_was_meant_so() -> None:
    slower = message(SpeedupClaim(4, 2.0, 0.25), WorkerSetup("compare", 2), Estimate(0.5, 0.45, 0.55))
    as_fast = message(SpeedupClaim(4, 2.0, 0.25), WorkerSetup("compare", 2), RATIO)
    assert "swap them" in " ".join(slower.split())
    assert "swap them" not in " ".join(as_fast.split())


def test_the_direction_is_that_of_the_claim_behind_the_verdict() -> None:
    """Both bounds are given, and the upper one is not met."""
    claims = (SpeedupClaim(4, 1.5, 0.25), SpeedupClaim(4, 2.0, 0.25, at_most=True))
    ended = settlement(*claims, rounds=(ROUND,), verdicts=("met", "not_met"))
    found = judge("it", "expect_speedup", {"at_least": 1.5, "at_most": 2.0}, plan(*claims), ended)
    assert (found.comparison, found.threshold) == ("<=", 2.0)


def test_arms_keep_every_rounds_totals() -> None:
    serial, together = arms_of((ROUND, ROUND), WorkerSetup("threads", 4))
    assert serial.cpu == pytest.approx((0.012, 0.012))
    assert together.cpu == pytest.approx((0.052, 0.052))
    assert together.delay == pytest.approx((0.008, 0.008))
    unread = arms_of((round_(reading(0.01, 0.0, None)),), WorkerSetup("threads", None))
    assert [arm.delay for arm in unread] == [None]


def test_arms_tell_what_one_body_took() -> None:
    serial, together = (arm.body for arm in arms_of((ROUND, ROUND), WorkerSetup("threads", 4)))
    assert serial == PerBody(0.0425, 0.012, 0.03, 0.0005)
    assert together == PerBody(0.125, 0.013, 0.11, 0.002)


def test_tasks_share_their_loops_thread() -> None:
    rounds = (round_(reading(0.001, 0.03), reading(0.004, 0.04)),)
    one, four = arms_of(rounds, WorkerSetup("tasks", 4))
    assert (one.workers, four.workers) == (1, 4)
    assert four.body == PerBody(0.044, 0.001, 0.01, 0.0)
