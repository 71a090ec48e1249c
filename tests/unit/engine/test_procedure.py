"""The loop between the bench and the verdict, on a scripted bench: no workers, no real time."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace
from typing import Any

import pytest

from pytest_concurrency.core.model import Body, GilProbe, Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine.claims import Claim, GilClaim, LongestClaim, OverlapClaim, ShareClaim, SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.engine.settlement import Settlement
from pytest_concurrency.expectations import io_bound
from pytest_concurrency.expectations.base import Tolerances, speedup_plan
from pytest_concurrency.expectations.compare import ComparisonClaim
from pytest_concurrency.testing import Noise, ScriptedBench, ScriptedBody
from pytest_concurrency.verdicts import undecided

from ..make import plan

WAITS = ScriptedBody(wait=0.01)
IN_A_LOCK = ScriptedBody(wait=0.01, lock=1.0)
COMPUTES = ScriptedBody(cpu=0.01)
COMPUTES_IN_A_LOCK = ScriptedBody(cpu=0.01, lock=1.0)
UNDER_THE_GIL = ScriptedBody(cpu=0.01, holds_gil=True)
THREE = SpeedupClaim(4, 3.0, 0.25)
TWO = SpeedupClaim(2, 1.6, 0.25)
ON_ONE_CPU = ScriptedBody(cpu=0.008, lock=1.0)  # what a control reads on a machine that has one CPU to give
UNSURE = Noise(jitter=0.02, burst_every=1e-6, burst_length=1e9, load=4.0)  # run delay hides everything


def words(reason: Any) -> str:
    """What is said of a claim without a verdict, with what to try."""
    finding = undecided.finding("", reason)
    return f"{finding.headline}. Try: {finding.try_next}"


def end(bench: ScriptedBench, *claims: Claim, max_time: float = 10.0, **more: object) -> Settlement:
    return settle(plan(*claims, **more), bench, max_time)


@pytest.mark.parametrize(
    ("body", "claims", "backend", "workers", "verdict"),
    [
        (WAITS, [THREE], "threads", 4, "met"),
        (WAITS, [THREE], "processes", 4, "met"),
        (WAITS, [THREE], "tasks", 4, "met"),
        (IN_A_LOCK, [THREE], "threads", 4, "not_met"),
        (IN_A_LOCK, [THREE], "tasks", 4, "not_met"),
        (COMPUTES, [TWO], "threads", 2, "met"),
        (COMPUTES, [TWO], "tasks", 2, "not_met"),
        (COMPUTES_IN_A_LOCK, [TWO], "processes", 2, "not_met"),
        (UNDER_THE_GIL, [TWO], "threads", 2, "not_met"),
        (UNDER_THE_GIL, [TWO], "processes", 2, "met"),
        (UNDER_THE_GIL, [replace(TWO, at_most=True)], "threads", 2, "met"),
        (COMPUTES, [SpeedupClaim(2, 1.2, 0.25, at_most=True)], "threads", 2, "not_met"),
        (WAITS, [ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25)], "threads", 4, "met"),
        (IN_A_LOCK, [ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25)], "threads", 4, "not_met"),
        (COMPUTES, [ShareClaim("wait", 0.5, 0.25)], "threads", 4, "not_met"),
        (COMPUTES, [ShareClaim("cpu", 0.5, 0.25)], "threads", None, "met"),
    ],
)
def test_idle_machine_gives_the_true_figure(
    body: ScriptedBody, claims: list[Claim], backend: str, workers: int | None, verdict: str
) -> None:
    bench = ScriptedBench(body, Noise(jitter=0.01))
    settlement = end(bench, *claims, backend=backend, workers=workers)
    assert settlement.verdict == verdict


@pytest.mark.parametrize(
    ("body", "use", "verdict"),
    [
        (UNDER_THE_GIL, "held", "met"),
        (UNDER_THE_GIL, "released", "not_met"),
        (COMPUTES, "released", "met"),
        (COMPUTES, "held", "not_met"),
    ],
)
def test_who_holds_the_gil_is_heard(body: ScriptedBody, use: str, verdict: str) -> None:
    settlement = end(ScriptedBench(body), GilClaim(use), workers=None, needs_gil=True)
    assert settlement.verdict == verdict


@pytest.mark.parametrize(("stretch", "verdict"), [(0.05, "not_met"), (0.001, "met")])
@pytest.mark.parametrize(("backend", "method"), [("threads", "hold"), ("tasks", "block")])
def test_long_stretches_are_found(backend: str, method: str, stretch: float, verdict: str) -> None:
    bench = ScriptedBench(ScriptedBody(cpu=0.1, holds_gil=method == "hold", stretch=stretch))
    claim = LongestClaim(method, 0.005, 0.25)
    settlement = settle(Plan(WorkerSetup(backend, method=method), (claim,)), bench, 10.0)
    assert settlement.verdict == verdict
    assert settlement.results[0].estimate is not None
    assert settlement.results[0].estimate.value == pytest.approx(stretch)


def test_a_green_verdict_needs_no_new_workers_and_a_red_one_does() -> None:
    green, red = ScriptedBench(WAITS), ScriptedBench(IN_A_LOCK)
    assert len(end(green, THREE).rounds) < len(end(red, THREE).rounds)
    assert (green.refreshed, red.refreshed) == (0, 1)


def test_a_loss_that_goes_with_the_workers_is_no_loss() -> None:
    """The first workers share a lock by accident, the fresh ones do not."""
    bench = ScriptedBench(lambda bench: WAITS if bench.refreshed else IN_A_LOCK)
    settlement = end(bench, THREE)
    assert settlement.verdict == "met"
    assert bench.refreshed == 2  # for the confirmation, and for the new start after it failed


def test_a_red_round_now_and_then_does_not_hurt() -> None:
    bench = ScriptedBench(lambda bench: IN_A_LOCK if bench.rounds % 4 == 0 else WAITS)
    assert end(bench, THREE).verdict == "met"


def test_a_figure_inside_the_margin_is_undecided_and_says_so() -> None:
    bench = ScriptedBench(ScriptedBody.of_speedup(3.0 / 1.25**0.5), Noise(jitter=0.02))
    settlement = end(bench, THREE)
    assert settlement.verdict == "undecided"
    assert "margin" in words(settlement.results[0].reason)
    assert "2.40x and 3.00x" in words(settlement.results[0].reason)


def test_a_machine_that_is_too_busy_is_undecided_and_says_so() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, UNSURE, cpus=2)
    settlement = end(bench, TWO, workers=2, max_time=20.0)
    assert settlement.verdict == "undecided"
    assert "20 s (max_time)" in words(settlement.results[0].reason)
    assert "Other processes used" in words(settlement.results[0].reason)


def test_stolen_cpus_are_named_where_they_are_why_it_is_undecided() -> None:
    stolen = Noise(burst_every=1e-6, burst_length=1e9, load=0.5, unseen=1.0)
    settlement = end(ScriptedBench(ScriptedBody(cpu=0.01), stolen, cpus=2), TWO, workers=2, max_time=2.0)
    assert settlement.verdict == "undecided"
    assert "The hypervisor took 1.0 of 2 CPUs" in words(settlement.results[0].reason)


def test_a_body_that_is_too_long_is_undecided_and_says_so() -> None:
    settlement = end(ScriptedBench(ScriptedBody.of_speedup(3.0, seconds=2.0)), THREE, max_time=5.0)
    assert settlement.verdict == "undecided"
    assert "only 2 rounds of 4.67 s" in words(settlement.results[0].reason)
    assert "raise max_time" in words(settlement.results[0].reason)


def test_what_this_machine_cannot_show_is_reported_after_two_rounds() -> None:
    bench = ScriptedBench(WAITS)
    settlement = end(bench, THREE, unmeasurable=lambda rounds, known: "too few CPUs" if len(rounds) else None)
    assert settlement.verdict == "unmeasurable"
    assert words(settlement.results[0].reason).startswith("too few CPUs. Try: run this test where")
    assert bench.rounds == 2


def test_whether_it_can_be_shown_is_asked_when_the_gil_is_known() -> None:
    asked: list[str] = []

    def unmeasurable(rounds: object, known: object) -> None:
        asked.append(known.gil)

    end(ScriptedBench(UNDER_THE_GIL), TWO, workers=2, unmeasurable=unmeasurable)
    assert set(asked) == {"held"}


def test_red_votes_on_computing_count_only_where_the_control_body_runs_in_parallel() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, control_body=ON_ONE_CPU, cpus=2)
    settlement = end(bench, TWO, workers=2, max_time=3.0)
    assert settlement.verdict == "undecided"
    assert "did not deliver its CPUs" in words(settlement.results[0].reason)
    assert "hardware threads" not in words(settlement.results[0].reason)


def test_a_pool_that_is_too_small_is_no_fault_of_the_machine() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, control_body=ON_ONE_CPU, cpus=2, at_once=1)
    assert end(bench, TWO, workers=2, max_time=3.0).verdict == "not_met"


def test_hardware_threads_of_one_core_are_named_where_they_do_not_compute_like_two() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, control_body=ON_ONE_CPU, cpus=2, cores=1)
    reason = words(end(bench, TWO, workers=2, max_time=3.0).results[0].reason)
    assert (
        "The 2 CPUs are hardware threads of 1 core, and two threads of one core are slower than two cores. Try: "
        "run it on a quieter machine"
    ) in reason
    assert bench.controls > 0


@pytest.mark.parametrize(
    ("body", "claim", "backend"),
    [(IN_A_LOCK, THREE, "threads"), (UNDER_THE_GIL, THREE, "threads"), (COMPUTES, THREE, "tasks")],
)
def test_the_control_body_is_left_out_where_nothing_hangs_on_the_cpus(
    body: ScriptedBody, claim: Claim, backend: str
) -> None:
    bench = ScriptedBench(body, control_body=ON_ONE_CPU)
    assert end(bench, claim, backend=backend).verdict == "not_met"
    assert bench.controls == 0


class TwoCallables(ScriptedBench):
    """Compares a second body with the first, on a machine that has one CPU to give."""

    def __init__(self, first: ScriptedBody, second: ScriptedBody) -> None:
        super().__init__(first, control_body=ON_ONE_CPU, cpus=2)
        self.first, self.second = first, second

    def lengthen(self, setup: WorkerSetup) -> None:
        """Both are called once a round."""

    def round(self, setup: WorkerSetup) -> Round:
        self.rounds += 1
        return Round(
            self.rounds, self._run(setup, self.first, 1), self._run(setup, self.second, 1), self.interference()
        )


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(COMPUTES, ScriptedBody(wait=0.04), "not_met"), (WAITS, ScriptedBody(cpu=0.04), "undecided")],
)
def test_of_two_callables_it_is_the_second_that_may_be_slow_for_want_of_cpus(
    first: ScriptedBody, second: ScriptedBody, verdict: str
) -> None:
    bench = TwoCallables(first, second)
    settlement = end(bench, ComparisonClaim(2, 1.0, 0.25), backend="compare", workers=2, max_time=3.0)
    assert settlement.verdict == verdict
    assert (bench.controls > 0) == (verdict == "undecided")


def test_no_control_body_is_asked_about_a_second_callable_that_one_thread_runs() -> None:
    """The machine has one CPU to give, and that is all it could use."""

    class OfOneThread(TwoCallables):
        def round(self, setup: WorkerSetup) -> Round:
            round_ = super().round(setup)
            assert round_.concurrent is not None
            reading = replace(round_.concurrent.readings[0], accounting="one")
            return replace(round_, concurrent=replace(round_.concurrent, readings=(reading,)))

    bench = OfOneThread(WAITS, ScriptedBody(cpu=0.04))
    settlement = end(bench, ComparisonClaim(2, 1.0, 0.25), backend="compare", workers=2, max_time=3.0)
    assert settlement.verdict == "not_met"
    assert bench.controls == 0


def test_pauses_double_after_bad_rounds_and_stay_bounded() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, UNSURE, cpus=2)
    end(bench, TWO, workers=2, max_time=5.0)
    pauses = bench.pauses[:-1]  # the last may be cut short by max_time
    assert len(pauses) > 8
    assert all(later in (pytest.approx(2 * before), max(pauses)) for before, later in itertools.pairwise(pauses))
    assert max(pauses) <= 0.1


def test_nothing_is_waited_for_where_nothing_interferes() -> None:
    """Waiting for a burst to pass buys nothing when there is none."""
    bench = ScriptedBench(IN_A_LOCK)
    assert end(bench, THREE).verdict == "not_met"
    assert bench.pauses == []


def test_a_good_round_ends_the_pauses() -> None:
    bench = ScriptedBench(lambda bench: COMPUTES_IN_A_LOCK if bench.rounds in (2, 3, 4, 6) else WAITS, UNSURE, cpus=2)
    assert end(bench, THREE).verdict == "met"
    first, second, third, fourth = bench.pauses
    assert first < second < third
    assert fourth == first


def test_rounds_without_the_gil_do_not_count_once_it_is_on() -> None:
    """An import in the body can switch it on in a free-threaded build."""
    changes: list[bool] = []

    def body(bench: ScriptedBench) -> ScriptedBody:
        bench.has_gil = bench.rounds > 2
        changes.append(bench.has_gil)
        return UNDER_THE_GIL

    bench = ScriptedBench(body, has_gil=False)
    settlement = end(bench, TWO, workers=2)
    assert settlement.verdict == "not_met"
    assert True in changes
    assert all(round_.has_gil for round_ in settlement.rounds)
    assert settlement.rounds[0].number == 4  # half of the third may have gone by without it


def test_batches_grow_while_rounds_cannot_tell() -> None:
    bench = ScriptedBench(COMPUTES_IN_A_LOCK, UNSURE, cpus=2)
    settlement = end(bench, TWO, workers=2, max_time=10.0)
    assert bench.lengthened > 1
    assert settlement.rounds[-1].serial.loops > settlement.rounds[0].serial.loops
    quiet = ScriptedBench(WAITS)
    end(quiet, THREE)
    assert quiet.lengthened == 0


def test_batches_do_not_grow_for_a_claim_that_another_one_makes_needless() -> None:
    """Whether waits overlap cannot be told of a body that computes, and need not."""
    bench = ScriptedBench(COMPUTES)
    share, overlap = ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25)
    settlement = settle(Plan(WorkerSetup("threads", 4), (share, overlap)), bench, 10.0)
    assert settlement.verdict == "not_met"
    assert len(settlement.rounds) > 4
    assert bench.lengthened == 0


@pytest.mark.parametrize("max_time", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("seconds", [0.01, 0.1])
def test_max_time_is_kept(max_time: float, seconds: float) -> None:
    """Up to one round; growing batches may make it twice as long as those before."""
    between = ScriptedBody.of_speedup(3.0 / 1.25**0.5, seconds=seconds)
    bench = ScriptedBench(between, Noise(jitter=0.25))
    claim = replace(THREE, slack=0.05)
    settlement = end(bench, claim, max_time=max_time)
    longest = max(wall(round_) for round_ in settlement.rounds)
    assert settlement.seconds <= max(max_time + longest, 2 * longest + sum(bench.pauses))


@pytest.mark.parametrize("max_time", [1.3, 3.0])
def test_a_round_that_would_end_too_late_is_not_begun(max_time: float) -> None:
    bench = ScriptedBench(ScriptedBody.of_speedup(3.0 / 1.25**0.5, seconds=0.2))
    settlement = end(bench, THREE, max_time=max_time)
    assert settlement.verdict == "undecided"
    assert max_time - 1.0 < settlement.seconds <= max_time


def wall(round_: Round) -> float:
    return round_.serial.wall + (round_.concurrent.wall if round_.concurrent else 0.0)


def test_two_rounds_are_tried_however_long_they_take() -> None:
    settlement = end(ScriptedBench(ScriptedBody(wait=20.0)), THREE, max_time=1.0)
    assert len(settlement.rounds) == 2


def test_long_batches_decide_in_few_rounds() -> None:
    settlement = end(ScriptedBench(ScriptedBody(wait=1.5)), THREE, max_time=10.0)
    assert settlement.verdict == "met"
    assert len(settlement.rounds) == 2


@pytest.mark.parametrize(
    ("body", "jitter", "rounds"),
    [(WAITS, 0.001, (2, 3)), (WAITS, 0.08, (5, 7)), (ScriptedBody(wait=0.06), 0.08, (2, 4))],
    ids=["sure", "rough", "rough and long"],
)
def test_a_figure_that_scatters_is_polished_where_that_costs_little(
    body: ScriptedBody, jitter: float, rounds: tuple[int, int]
) -> None:
    claim = SpeedupClaim(4, 1.5, 0.25)
    settlements = [end(ScriptedBench(body, Noise(jitter=jitter), seed=seed), claim) for seed in range(40)]
    low, high = rounds
    assert low <= statistics.median(len(settlement.rounds) for settlement in settlements) <= high
    assert {settlement.verdict for settlement in settlements} == {"met"}


def test_no_rounds_are_added_for_a_ratio_after_a_claim_that_is_not_met() -> None:
    waits, overlap = ShareClaim("wait", 0.5, 0.25), OverlapClaim(4, 0.25)
    alone = end(ScriptedBench(COMPUTES, Noise(jitter=0.01)), waits, overlap)
    kept = end(ScriptedBench(COMPUTES, Noise(jitter=0.01)), waits, overlap, comparable=lambda rounds, number: False)
    assert alone.verdict == kept.verdict == "not_met"
    assert len(kept.rounds) == len(alone.rounds)


def test_rounds_are_added_for_a_ratio_after_an_alternative_that_is_false() -> None:
    computes, overlap = ShareClaim("cpu", 0.5, 0.25), OverlapClaim(4, 0.25)
    settlement = end(
        ScriptedBench(WAITS), computes, overlap, all_must_hold=False, comparable=lambda rounds, number: number >= 14
    )
    assert settlement.results[0].verdict == "not_met"
    assert len(settlement.rounds) >= 14


def test_the_gil_is_asked_about_only_while_it_matters_and_is_unknown() -> None:
    waiting, computing = ScriptedBench(WAITS), ScriptedBench(UNDER_THE_GIL)
    end(waiting, THREE)
    settlement = end(computing, TWO, workers=2)
    assert waiting.probed == 0
    assert 1 < computing.probed < len(settlement.rounds)
    assert settlement.known.gil == "held"


def test_without_a_gil_no_probe_is_used() -> None:
    bench = ScriptedBench(UNDER_THE_GIL, has_gil=False)
    settlement = end(bench, TWO, workers=2)
    assert settlement.verdict == "met"
    assert settlement.known.gil == "disabled"
    assert bench.probed == 0


@pytest.mark.parametrize(("load", "verdict"), [(0.0, "met"), (2.0, "undecided")])
def test_without_run_delay_only_a_quiet_machine_decides(load: float, verdict: str) -> None:
    noise = Noise(jitter=0.01, burst_every=1e-6, burst_length=1e9, load=load)
    bench = ScriptedBench(COMPUTES, noise, reads_delay=False)
    assert end(bench, TWO, workers=2, max_time=2.0).verdict == verdict


def test_one_not_met_claim_ends_the_measurement() -> None:
    settlement = end(ScriptedBench(IN_A_LOCK), THREE, SpeedupClaim(4, 0.98, 0.05))
    assert settlement.verdict == "not_met"
    assert settlement.results[0].verdict == "not_met"


def test_a_plan_may_end_before_every_claim_has() -> None:
    settlement = end(ScriptedBench(IN_A_LOCK), THREE, answered=lambda verdicts: False, most_rounds=7)
    assert len(settlement.rounds) == 7


def test_the_most_rounds_are_no_more_for_a_comparison_with_other_runs() -> None:
    settlement = end(
        ScriptedBench(IN_A_LOCK),
        THREE,
        answered=lambda verdicts: False,
        most_rounds=7,
        comparable=lambda bounds, rounds: rounds >= 24,
    )
    assert len(settlement.rounds) == 7


def test_progress_says_round_figure_and_stage() -> None:
    lines: list[str] = []
    settle(plan(THREE), ScriptedBench(IN_A_LOCK), 10.0, lines.append)
    assert lines[0] == "4 threads round 1 1.00x"
    assert any(line.endswith(", confirming") for line in lines)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (("met", "met"), "met"),
        (("met", "undecided"), "undecided"),
        (("undecided", "unmeasurable"), "unmeasurable"),
        (("undecided", "not_met"), "not_met"),
    ],
)
def test_the_gravest_verdict_is_the_plans(verdicts: tuple[str, str], whole: str) -> None:
    settlement = end(ScriptedBench(WAITS), THREE, THREE)
    results = tuple(
        replace(result, verdict=verdict) for result, verdict in zip(settlement.results, verdicts, strict=True)
    )
    assert replace(settlement, results=results).verdict == whole


def changing(rate: float, until: int = 10**6) -> ScriptedBench:
    """A body whose time changes by a factor with every round, up to some round."""
    return ScriptedBench(lambda bench: ScriptedBody(wait=0.01 * rate ** min(bench.rounds, until)))


@pytest.mark.parametrize(("rate", "said"), [(1.16, "as long"), (1 / 1.16, "as fast")])
@pytest.mark.parametrize("claim", [SpeedupClaim(4, 1.2, 0.25), SpeedupClaim(4, 1.2, 0.25, at_most=True)])
def test_no_verdict_is_quicker_than_the_drift_that_forbids_it(rate: float, said: str, claim: Claim) -> None:
    """Three rounds would do for the figure, and seven tell that it depends on the number of the call."""
    settlement = end(changing(rate), claim)
    assert settlement.verdict == "undecided"
    assert f"x {said} after " in words(settlement.results[0].reason)
    assert len(settlement.rounds) > 5


def test_a_verdict_does_not_wait_for_a_body_that_has_warmed_up() -> None:
    settlement = end(changing(1 / 1.3, until=4), SpeedupClaim(4, 1.2, 0.25))
    assert settlement.verdict == "met"
    assert len(settlement.rounds) <= 9


@pytest.mark.parametrize(("lock", "verdict"), [(0.0, "met"), (1.0, "not_met")])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_a_latency_that_rises_and_falls_again_is_no_drift(lock: float, verdict: str, phase: float) -> None:
    def swinging(bench: ScriptedBench) -> ScriptedBody:
        return ScriptedBody(wait=0.01 * (1 + 0.5 * math.sin(math.tau * (bench.now() + phase))), lock=lock)

    settlement = end(ScriptedBench(swinging), SpeedupClaim(4, 1.5, 0.25))
    assert settlement.verdict == verdict


def test_a_verdict_of_a_phase_that_is_over_does_not_stand() -> None:
    """A body that compiles in its first rounds, in turn, and then waits at once."""

    def warms_up(bench: ScriptedBench) -> ScriptedBody:
        cold = bench.rounds < 8
        return ScriptedBody(wait=0.05 * 0.8**bench.rounds if cold else 0.008, lock=1.0 if cold else 0.0)

    settlement = end(ScriptedBench(warms_up), SpeedupClaim(4, 3.0, 0.25))
    assert settlement.verdict == "met"


def test_max_time_ends_the_wait_for_a_drift() -> None:
    bench = ScriptedBench(lambda bench: ScriptedBody(wait=0.5 * 1.2**bench.rounds))
    settlement = end(bench, SpeedupClaim(4, 1.2, 0.25), max_time=6.0)
    assert (settlement.verdict, len(settlement.rounds)) == ("met", 3)
    assert settlement.seconds <= 6.0


@pytest.mark.parametrize(("threshold", "verdict"), [(0.3, "met"), (0.8, "not_met")])
@pytest.mark.parametrize("start", [0, 1])
def test_calls_that_take_turns_at_computing_and_waiting_are_half_of_each(
    threshold: float, verdict: str, start: int
) -> None:
    calls = itertools.count(start)
    bench = ScriptedBench(lambda _: UNDER_THE_GIL if next(calls) % 2 else WAITS, Noise(jitter=0.01))
    settlement = end(bench, ShareClaim("cpu", threshold, 0.25), workers=None)
    assert settlement.verdict == verdict
    estimate = settlement.results[0].estimate
    assert estimate is not None
    assert estimate.value == pytest.approx(0.5, abs=0.02)
    assert settlement.known.gil != "released", "a call that waits does not tell who holds the GIL"


def test_a_body_that_varies_does_not_keep_step_with_the_rounds() -> None:
    varies = ScriptedBench(WAITS, Noise(jitter=0.5))
    end(varies, THREE, max_time=2.0)
    assert varies.staggered > 5
    steady = ScriptedBench(WAITS, Noise(jitter=0.01))
    end(steady, THREE)
    assert steady.staggered == 0


@pytest.mark.parametrize(("milliseconds", "verdict"), [(5, "met"), (1, "undecided")])
def test_calls_that_vary_after_the_verdict_are_measured_one_by_one(milliseconds: int, verdict: str) -> None:
    def body(bench: ScriptedBench) -> ScriptedBody:
        bench.noise = Noise(jitter=0.6 if bench.rounds > 3 else 0.01)
        return ScriptedBody(wait=milliseconds / 1000)

    compared = plan(OverlapClaim(4, 0.25), comparable=lambda bounds, rounds: rounds >= 10)
    settlements = [settle(compared, ScriptedBench(body, seed=seed), 10.0) for seed in range(5)]
    assert [settlement.verdict for settlement in settlements] == [verdict] * 5
    assert {settlement.rounds[-1].serial.loops for settlement in settlements} == {1 if verdict == "met" else 8}


def test_what_must_never_happen_is_found_in_one_call_of_twenty() -> None:
    calls = itertools.count(1)
    bench = ScriptedBench(lambda _: ScriptedBody(wait=0.001, stretch=0.0 if next(calls) % 20 else 0.04))
    rarely = settle(Plan(WorkerSetup("tasks", method="block"), (LongestClaim("block", 0.005, 0.25),)), bench, 10.0)
    assert rarely.verdict == "not_met"
    estimate = rarely.results[0].estimate
    assert estimate is not None
    assert estimate.value == pytest.approx(0.04, rel=0.1)


class MostlyUnderTheGil(ScriptedBench):
    """Two thirds of the computing hold the GIL: two threads are 1.5 times as fast.

    In the first ``busy`` rounds a neighbour has one of two CPUs, so that both workers share the other.
    """

    busy = 0

    def round(self, setup: WorkerSetup) -> Round:
        self.rounds += 1
        self.clock.advance(0.035)
        cpu, busy = 0.0104, self.rounds <= self.busy
        alone = Reading(0.0, cpu + 0.01 * busy, cpu, 0.01 * busy, 0.0, 1)
        together = Reading(0.0, 2 * cpu if busy else 2 * cpu / 1.5, cpu, cpu * busy, 0.0, 4)
        return Round(self.rounds, Sample(1, (alone,)), Sample(1, (together, together)), Interference(float(busy), 0, 0))

    def probe_gil(self) -> GilProbe | None:
        return GilProbe(0.0104, 0.0104, 0.0104 * 0.62, 0.0104 * 0.7, Interval(0.006, 0.007), 10)


@pytest.mark.parametrize("busy", [0, 3, 4, 6, 10, 1000])
def test_what_holds_the_gil_for_most_of_its_time_is_not_taken_to_hold_it_always(busy: int) -> None:
    faster, as_slow = SpeedupClaim(2, 1.25, 0.25), SpeedupClaim(2, 1.15, 0.25, at_most=True)
    for claim, wrong in ((faster, "not_met"), (as_slow, "met")):
        bench = MostlyUnderTheGil(COMPUTES, cpus=2.0)
        bench.busy = busy
        assert end(bench, claim, workers=2, backend="threads").verdict != wrong


def test_one_cpu_cannot_show_what_a_gil_allows_that_is_held_in_part() -> None:
    bench = MostlyUnderTheGil(COMPUTES, cpus=1.0)
    bench.busy = 10**9
    assert (
        settle(speedup_plan(WorkerSetup("threads", 2), 1.25, None, Tolerances()), bench, 10.0).verdict == "unmeasurable"
    )


def test_a_block_in_one_call_of_ten_is_found_within_two_seconds() -> None:
    bench = ScriptedBench(lambda bench: ScriptedBody(wait=0.005, stretch=0.08 if bench.rounds % 10 == 9 else 0.001))
    found = settle(Plan(WorkerSetup("tasks", method="block"), (LongestClaim("block", 0.05, 0.25),)), bench, 10.0)
    assert found.verdict == "not_met"
    blocked = 0.08 * len(found.rounds) / 10  # a scripted block takes no time of its own
    assert found.seconds + blocked < 2.0


def test_too_few_cpus_come_before_a_slow_verdict_while_the_gil_question_is_open() -> None:
    class Untold(ScriptedBench):
        """A body that hands its computing to threads of its own: beside a heartbeat it computes nothing itself."""

        def probe_gil(self) -> GilProbe | None:
            found = super().probe_gil()
            return None if found is None else replace(found, cpu=1e-9)

    wanted = replace(plan(SpeedupClaim(4, 4.0, 0.25)), unmeasurable=lambda rounds, known: "it needs 4 CPUs")
    found = settle(wanted, Untold(ScriptedBody(cpu=0.01), cpus=2.0), 10.0)
    assert (found.verdict, found.known.gil) == ("unmeasurable", "unknown")


def test_waits_that_the_computing_hides_are_reported_at_once() -> None:
    arguments = {"min_wait": 0.3, "threads": 4}
    wanted = io_bound.KIND.plan(arguments, Body(lambda: None), Tolerances())
    found = settle(wanted, ScriptedBench(ScriptedBody(cpu=0.0055, wait=0.0045)), 10.0)
    assert (found.verdict, found.seconds < 1.0) == ("unmeasurable", True)
    assert "that takes 56% of waiting" in words(found.results[0].reason)
    assert settle(wanted, ScriptedBench(ScriptedBody(cpu=0.0095, wait=0.0005)), 10.0).verdict == "not_met"
    assert settle(wanted, ScriptedBench(ScriptedBody(cpu=0.0025, wait=0.0075)), 10.0).verdict == "met"


def test_a_figure_that_falls_while_it_is_measured_is_undecided_and_reported() -> None:
    bench = ScriptedBench(lambda bench: ScriptedBody(wait=0.01, lock=1 / 3.1 if bench.rounds < 8 else 0.9))
    found = settle(plan(SpeedupClaim(4, 3.3, 0.25)), bench, 10.0)
    assert found.verdict == "undecided"
    assert 'sustained="1s"' in words(found.results[0].reason)


def test_sustained_batches_take_as_long_on_either_side() -> None:
    setup = WorkerSetup("threads", 4, sustained=0.5)
    found = settle(Plan(setup, (THREE,)), ScriptedBench(IN_A_LOCK), 60.0)
    assert found.verdict == "not_met"
    assert all(round_.serial.wall > 0.49 for round_ in found.rounds)
