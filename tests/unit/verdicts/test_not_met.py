from __future__ import annotations

import pickle

import pytest

from pytest_concurrency.core.addresses import FAILURES
from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import BlockProbe, GilProbe, Interval, Round, Sample, VerdictName
from pytest_concurrency.core.outcomes import Bound, Estimate, Finding, PerBody, Spent
from pytest_concurrency.engine.claims import Claim, GilClaim, LongestClaim, OverlapClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.verdicts import message, not_met
from pytest_concurrency.verdicts.outcome import arms_of, deciding, judge, not_measured

from ..make import plan, reading, round_, settlement

# Eight bodies took 12 ms of computing and 30 ms of waiting each, and three times that together.
ROUND = round_(reading(0.012, 0.030, 0.0005), *[reading(0.013, 0.110, 0.002)] * 4)
PLACE = "tests/test_shop.py:31 in total: return sum(rows)"
STRETCHED = round_(
    reading(0.3),
    gil=GilProbe(0.3, 0.3, 0.29, 0.3, Interval(0.2, 0.21), 3, PLACE),
    block=BlockProbe(Interval(0.2, 0.21), PLACE),
)
BOUND = Bound("serialized", 0.28, 0.72, "unknown", "a serial call waits for 72% of 42 ms")
RATIO = Estimate(1.02, 0.99, 1.05)
SHARE = Estimate(0.28, 0.25, 0.31, "share")
SECONDS = Estimate(0.205, 0.2, 0.21, "seconds")

THREADS = WorkerSetup("threads", 4)
CASES: list[tuple[Claim, WorkerSetup, Estimate, str, str]] = [
    (
        SpeedupClaim(4, 3.0, 0.25),
        THREADS,
        RATIO,
        "4 threads were 1.02x as fast as 1 thread (interval 0.99x to 1.05x); required: at least 3x.",
        "serialized",
    ),
    (
        SpeedupClaim(4, 1.5, 0.25, at_most=True),
        WorkerSetup("processes", 4),
        RATIO,
        "4 processes were 1.02x as fast as 1 process (interval 0.99x to 1.05x); required: at most 1.5x.",
        "above-at-most",
    ),
    (
        SpeedupClaim(4, 3.0, 0.25),
        WorkerSetup("tasks", 4),
        RATIO,
        "4 tasks were 1.02x as fast as 1 task (interval 0.99x to 1.05x); required: at least 3x.",
        "serialized",
    ),
    (
        SpeedupClaim(2, 2.0, 0.25),
        WorkerSetup("compare", 2),
        RATIO,
        "the second function was 1.02x as fast as the first (interval 0.99x to 1.05x); required: at least 2x.",
        "compare",
    ),
    (
        OverlapClaim(4, 0.25),
        THREADS,
        RATIO,
        "the waits of 4 threads do not overlap: 4 threads were 1.02x as fast as 1 thread (interval 0.99x to 1.05x); "
        "required: overlapping waits.",
        "serialized",
    ),
    (
        ShareClaim("wait", 0.5, 0.25),
        THREADS,
        SHARE,
        "the code waits for 28% of its time (interval 25% to 31%); required: at least 50% (min_wait).",
        "not-waiting",
    ),
    (
        ShareClaim("cpu", 0.5, 0.25),
        WorkerSetup("threads"),
        SHARE,
        "the code computes for 28% of its time (interval 25% to 31%); required: at least 50% (min_cpu).",
        "not-computing",
    ),
    (
        GilClaim("released"),
        WorkerSetup("threads"),
        SHARE,
        "the code holds the GIL for 28% of its CPU time (interval 25% to 31%), so other Python threads cannot "
        'run at the same time; required: gil="released".',
        "gil-not-released",
    ),
    (
        GilClaim("held"),
        WorkerSetup("threads"),
        SHARE,
        "the code holds the GIL for only 28% of its CPU time (interval 25% to 31%), so other Python threads can "
        'run at the same time; required: gil="held".',
        "gil-not-held",
    ),
    (
        LongestClaim("hold", 0.005, 0.25),
        WorkerSetup("threads", method="hold"),
        SECONDS,
        "the GIL was held without a break for 205 ms (interval 200 ms to 210 ms); required: at most 5 ms (max_hold).",
        "long-gil-hold",
    ),
    (
        LongestClaim("block", 0.05, 0.25),
        WorkerSetup("tasks", method="block"),
        SECONDS,
        "the event loop was blocked for 205 ms (interval 200 ms to 210 ms); required: at most 50 ms (max_block).",
        "blocked-event-loop",
    ),
]
IDS = [f"{case[0].name}-{case[1].backend}-{index}" for index, case in enumerate(CASES)]


def finding_of(claim: Claim, setup: WorkerSetup, estimate: Estimate, round_: Round | None = None) -> Finding:
    measured = round_ or (ROUND if setup.method == "pair" else STRETCHED)
    if setup.workers is None:
        measured = Round(1, measured.serial, None, gil=measured.gil, block=measured.block)
    ended = settlement(claim, rounds=(measured,) * 9, estimate=estimate)
    lost_at = "test_shop.py:9 in pay: with LOCK:" if claim.unit == "ratio" else None
    return not_met.finding("expect_it(threads=4)", setup, ended.results[0], ended, BOUND, lost_at)


def test_workers_that_outnumber_the_cpus_share_them() -> None:
    first, second = reading(0.015, 0.014), reading(0.015, 0.014, 0.015)
    seen = round_(reading(0.015, 0.014), first, first, second, second)
    ended = settlement(SpeedupClaim(4, 3.6, 0.25), rounds=(seen,) * 9, estimate=Estimate(2.6, 2.6, 2.7))
    setup = WorkerSetup("processes", 4)
    mixed = Bound("mixed", 0.52, 0.48)
    found = not_met.finding("expect_it()", setup, ended.results[0], ended, mixed, None)
    assert found.kind == "few-cpus"
    assert found.cause == "mixed. The code computes 52% of its time, and 4 processes share 2 CPUs."


@pytest.mark.parametrize(("claim", "setup", "estimate", "headline", "kind"), CASES, ids=IDS)
def test_headline_says_figure_interval_and_requirement(
    claim: Claim, setup: WorkerSetup, estimate: Estimate, headline: str, kind: str
) -> None:
    found = finding_of(claim, setup, estimate)
    assert found.headline == headline
    assert found.kind == kind
    assert kind in FAILURES


@pytest.mark.parametrize(("claim", "setup", "estimate", "headline", "kind"), CASES, ids=IDS)
def test_message_has_the_parts_in_order(
    claim: Claim, setup: WorkerSetup, estimate: Estimate, headline: str, kind: str
) -> None:
    found = finding_of(claim, setup, estimate)
    text = message.render(found)
    assert " ".join(text.split()).startswith(f"expect_it(threads=4) is not met: {headline} Time (median")
    lines = text.splitlines()
    labels = [line.split(":")[0] for line in lines if line.split(" ")[0] in ("Cause:", "Where:", "Try:", "More:")]
    located = claim.unit in ("ratio", "seconds")
    assert labels == ["Cause", *(["Where"] if located else []), "Try", "More"]
    assert "(9 rounds, 500 ms)" in text
    assert "if its calls are alike or vary smoothly" in " ".join(text.split()), "the promise has its condition"
    assert lines[-1].endswith(f"/page/{kind}/")


@pytest.mark.parametrize(("claim", "setup", "estimate", "headline", "kind"), CASES, ids=IDS)
def test_message_fits_80_columns(
    claim: Claim, setup: WorkerSetup, estimate: Estimate, headline: str, kind: str
) -> None:
    lines = message.render(finding_of(claim, setup, estimate)).splitlines()
    assert max(len(line) for line in lines) <= 80


def test_summary_is_one_line_with_test_figure_requirement_cause_and_place() -> None:
    line = message.summary(finding_of(SpeedupClaim(4, 3.0, 0.25), THREADS, RATIO))
    assert line == (
        "expect_it(threads=4) is not met: 4 threads were 1.02x as fast as 1 thread (interval 0.99x to 1.05x); "
        "required: at least 3x. Cause: serialized. The code waits 72% of its time, and only one of 4 threads at a "
        "time gets through. Where: test_shop.py:9 in pay: with LOCK:"
    )


def test_explanation_begins_with_what_helps_most_and_fits_behind_the_mark_of_pytest() -> None:
    lines = message.explanation(finding_of(SpeedupClaim(4, 3.0, 0.25), THREADS, RATIO))
    labels = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert labels[:3] == ["Cause:", "Where:", "Try:"]
    assert labels[3].startswith("https://")
    assert labels[4] == "Time"
    assert max(len(f"E         {line}") for line in lines) <= 80


def test_evidence_has_a_column_for_each_side_in_one_unit_and_marks_what_grew() -> None:
    found = finding_of(SpeedupClaim(4, 3.0, 0.25), THREADS, RATIO)
    assert message.evidence(found.evidence, found.rounds).splitlines() == [
        "Time (median of 9 rounds)              1 thread   4 threads",
        "  until all calls have finished         42.5 ms    125.0 ms",
        "  per call: CPU time                    12.0 ms     13.0 ms",
        "  per call: blocked (lock, GIL, I/O)    30.0 ms    110.0 ms   <- grew",
        "  per call: waiting for a CPU            0.5 ms      2.0 ms",
    ]


@pytest.mark.parametrize(
    ("one", "four", "marked"),
    [
        (PerBody(0.01, 0.01, 0.0, 0.0), PerBody(0.04, 0.03, 0.001, 0.0), "per call: CPU time"),
        (PerBody(0.01, 0.0, 0.01, 0.0), PerBody(0.0105, 0.0, 0.0105, 0.0), ""),
        (PerBody(0.01, 0.01, 0.0, 0.0), PerBody(0.04, 0.01, 0.0, 0.03), ""),
    ],
    ids=["cpu", "nothing worth a mark", "the machine's doing"],
)
def test_evidence_marks_growth_that_the_code_is_answerable_for(one: PerBody, four: PerBody, marked: str) -> None:
    lines = message.evidence((Spent("1 thread", one), Spent("4 threads", four)), 5).splitlines()
    assert [line.strip().split("  ")[0] for line in lines if "<- grew" in line] == ([marked] if marked else [])


def test_tasks_share_what_their_thread_spent() -> None:
    measured = round_(reading(0.01), reading(0.04))
    found = finding_of(SpeedupClaim(4, 3.0, 0.25), WorkerSetup("tasks", 4), RATIO, measured)
    assert found.evidence[1] == Spent("4 tasks", PerBody(0.04, pytest.approx(0.01), 0.0, 0.0))


def test_evidence_says_of_what_could_not_be_read_that_it_was_not() -> None:
    measured = round_(reading(0.01, 0.0, None), reading(0.02, 0.0, None))
    found = finding_of(SpeedupClaim(1, 3.0, 0.25), WorkerSetup("threads", 1), RATIO, measured)
    assert "not readable" in message.render(found)


def test_share_shows_the_single_worker_that_it_is_about() -> None:
    found = finding_of(ShareClaim("wait", 0.5, 0.25), THREADS, SHARE)
    assert [spent.side for spent in found.evidence] == ["1 thread"]


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (RATIO, "1.02x [0.99, 1.05]"),
        (SHARE, "28% [25, 31]"),
        (SECONDS, "205 ms [200 ms, 210 ms]"),
        (None, "no figure"),
    ],
)
def test_figures(estimate: Estimate | None, text: str) -> None:
    assert not_met.figure(estimate) == text


def test_the_claim_behind_the_verdict_is_the_one_that_is_reported() -> None:
    claims = (ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25))
    ended = settlement(*claims, rounds=(ROUND,), verdicts=("met", "not_met"))
    assert deciding(ended).claim is claims[1]
    found = judge("expect_io_bound", "expect_io_bound", {}, plan(*claims), ended)
    assert found.verdict == "not_met"
    assert found.claim == "overlap"
    assert "do not overlap" in " ".join(found.reason.split())


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (SpeedupClaim(4, 3.0, 0.25), "run this test on a machine with more CPUs, or lower what it requires."),
        (LongestClaim("hold", 0.005, 0.25), "run this test on an interpreter with the GIL."),
        (ShareClaim("cpu", 0.5, 0.25), "run this test on an interpreter with the GIL."),
        (OverlapClaim(4, 0.25), "let the body compute less"),
    ],
)
def test_advice_on_what_is_unmeasurable_is_about_what_is_missing(claim: Claim, said: str) -> None:
    ended = settlement(claim, rounds=(ROUND,), verdicts=("unmeasurable",))
    found = judge("it", "it", {}, plan(claim), ended).finding
    assert found is not None
    assert found.try_next.startswith(said)


def test_reason_of_an_error_is_not_mixed_with_its_advice() -> None:
    reason = CannotMeasure("subinterpreters need Python 3.14", "run it on Python 3.14.")
    found = not_measured("it", "it", {}, plan(SpeedupClaim(4, 3.0, 0.25)), reason).finding
    assert found is not None
    assert (found.headline, found.try_next) == ("subinterpreters need Python 3.14", "run it on Python 3.14.")
    assert str(pickle.loads(pickle.dumps(reason))) == "subinterpreters need Python 3.14. Run it on Python 3.14."


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        ("met", ""),
        ("undecided", "More: https://"),
        ("unmeasurable", "Try: run this test on a machine with more CPUs, or lower what it requires. More: "),
    ],
)
def test_verdict_without_a_failure_has_a_reason_of_one_line(verdict: VerdictName, reason: str) -> None:
    claim = SpeedupClaim(4, 3.0, 0.25)
    ended = settlement(claim, rounds=(ROUND,), verdicts=(verdict,))
    found = judge(
        "it", "expect_speedup", {"threads": 4}, Plan(WorkerSetup("threads", 4), (claim,)), ended, note="pinned"
    )
    assert (found.verdict, found.backend, found.worker_count) == (verdict, "threads", 4)
    assert reason in found.reason
    assert "\n" not in found.reason
    assert [(arm.workers, arm.note) for arm in found.arms] == [(1, "pinned"), (4, "pinned")]


def test_loop_that_another_thread_blocks_gets_no_advice_to_use_to_thread() -> None:
    stuck = Round(1, STRETCHED.serial, None, block=BlockProbe(Interval(0.2, 0.21), idle=True))
    found = finding_of(LongestClaim("block", 0.05, 0.25), WorkerSetup("tasks", method="block"), SECONDS, stuck)
    assert "another thread that the code uses holds the GIL" in found.cause
    assert "asyncio.to_thread() does not help" in found.try_next
    assert found.place == ""


def test_comparison_that_is_the_other_way_round_says_to_swap() -> None:
    slower = finding_of(SpeedupClaim(4, 2.0, 0.25), WorkerSetup("compare", 2), Estimate(0.5, 0.45, 0.55))
    as_fast = finding_of(SpeedupClaim(4, 2.0, 0.25), WorkerSetup("compare", 2), RATIO)
    a_little = finding_of(SpeedupClaim(4, 2.0, 0.25), WorkerSetup("compare", 2), Estimate(0.95, 0.92, 0.98))
    assert "swap them" in slower.try_next
    assert "swap them" not in as_fast.try_next
    assert "swap them" not in a_little.try_next, "the other way round, it would not be met either"


def test_the_direction_is_that_of_the_claim_behind_the_verdict() -> None:
    """Both bounds are given, and the upper one is not met."""
    claims = (SpeedupClaim(4, 1.5, 0.25), SpeedupClaim(4, 2.0, 0.25, at_most=True))
    ended = settlement(*claims, rounds=(ROUND,), verdicts=("met", "not_met"))
    found = judge("it", "expect_speedup", {"at_least": 1.5, "at_most": 2.0}, plan(*claims), ended)
    assert (found.comparison, found.threshold) == ("<=", 2.0)


def test_rounds_of_an_arm_show_as_many_calls_each() -> None:
    """Where calls vary, a serial run makes more of them in some rounds than in others."""
    rounds = tuple(Round(1, Sample(calls, (reading(0.01 * calls, 0.02 * calls),)), None) for calls in (1, 3, 2))
    (serial,) = arms_of(rounds, WorkerSetup("threads", None))
    assert serial.loops == 2
    assert serial.wall == pytest.approx((0.06, 0.06, 0.06))
    assert serial.cpu == pytest.approx((0.02, 0.02, 0.02))
    assert serial.blocked == pytest.approx((0.04, 0.04, 0.04))


def test_arms_keep_every_rounds_totals() -> None:
    serial, together = arms_of((ROUND, ROUND), WorkerSetup("threads", 4))
    assert serial.cpu == pytest.approx((0.012, 0.012))
    assert together.cpu == pytest.approx((0.052, 0.052))
    assert together.delay == pytest.approx((0.008, 0.008))
    unread = arms_of((round_(reading(0.01, 0.0, None)),), WorkerSetup("threads", None))
    assert [arm.delay for arm in unread] == [None]


def test_arms_say_what_one_body_took() -> None:
    serial, together = (arm.body for arm in arms_of((ROUND, ROUND), WorkerSetup("threads", 4)))
    assert serial == PerBody(0.0425, 0.012, 0.03, 0.0005)
    assert together == PerBody(0.125, 0.013, 0.11, 0.002)


def test_tasks_share_their_loops_thread() -> None:
    rounds = (round_(reading(0.001, 0.03), reading(0.004, 0.04)),)
    one, four = arms_of(rounds, WorkerSetup("tasks", 4))
    assert (one.workers, four.workers) == (1, 4)
    assert four.body == PerBody(0.044, 0.001, 0.01, 0.0)


def test_message_of_an_undecided_test_names_what_was_asked_and_fits_80_columns() -> None:
    why = "no verdict within 1 s (max_time): there was time for only 4 rounds of 230 ms"
    found = Finding("undecided", why, "expect_speedup(threads=2, at_least=1.9)", try_next="raise max_time.")
    first, *rest = message.undecided(found).splitlines()
    assert first.startswith("undecided: expect_speedup(threads=2, at_least=1.9): no verdict")
    assert "Try:   raise max_time." in rest
    assert max(map(len, (first, *rest))) < 80


def of_parts(*seconds: float) -> Round:
    """A round of parts of different length, which do not wait for each other; each calls its own in the serial run."""
    return round_(reading(0.0, sum(seconds) / len(seconds)), *[reading(0.0, each) for each in seconds])


def test_calls_of_unequal_length_are_the_cause_if_none_waits_for_another() -> None:
    ended = settlement(SpeedupClaim(3, 2.2, 0.25), rounds=(of_parts(0.03, 0.01, 0.01),) * 5)
    found = not_met._cause(WorkerSetup("threads", 3), ended.results[0], Bound("io", 0.0, 1.0), ended)
    assert found.kind == "unequal-calls"
    assert "The longest of 3 calls at once took 30 ms, the mean 16.7 ms" in found.why


def test_calls_that_wait_for_each_other_are_not_unequal() -> None:
    in_a_lock = round_(reading(0.0, 0.01), *[reading(0.0, 0.01 * place) for place in (1, 2, 3)])
    assert not_met._unequal_calls([in_a_lock] * 5) is None
    assert not_met._unequal_calls([of_parts(0.01, 0.01, 0.011)] * 5) is None
