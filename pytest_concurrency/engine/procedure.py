"""Rounds until every claim is decided: the loop between the bench and the judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_concurrency.core.model import GilProbe, Interval, Round, VerdictName
from pytest_concurrency.core.units import formatter
from pytest_concurrency.engine import constants, drift, mean_ratio, readings, reference_workload, rules
from pytest_concurrency.engine.claims import Knowledge
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.gil_usage import GilUsage
from pytest_concurrency.engine.interval_rules import slow_cpus
from pytest_concurrency.engine.plan import Bench, CpuSite, Plan
from pytest_concurrency.engine.reference_workload import ReferenceRuns
from pytest_concurrency.engine.rules import batched_calls
from pytest_concurrency.engine.rules.base import Leaning, Undone
from pytest_concurrency.engine.settlement import Result, Settlement, TimeRanOut, Unmeasurable
from pytest_concurrency.engine.statistic import Observed
from pytest_concurrency.engine.voting import Vote

__tracebackhide__ = True  # pytest shows a failure at the line of the test


def settle(plan: Plan, bench: Bench, max_time: float, progress: Callable[[str], None] | None = None) -> Settlement:
    """Measure rounds until all claims of a plan are decided or ``max_time`` seconds have passed."""
    return _Loop(plan, bench, max_time, progress).run()


class _Loop:
    """The state of one plan's measurement."""

    def __init__(self, plan: Plan, bench: Bench, max_time: float, progress: Callable[[str], None] | None) -> None:
        self._plan = plan
        self._bench = bench
        self._max_time = max_time
        self._progress = progress
        self._began = bench.now()
        self._end = self._began + max_time
        self._pause = constants.FIRST_PAUSE

    def _begin(self, site: CpuSite) -> None:
        """Forget all rounds so far."""
        self._site = site
        self._forget_rounds()
        self._gil = GilUsage(site.has_gil, site.cpus)
        self._update_knowledge()
        # Without ``usable``, a pool with fewer workers than requested reads as a machine that lacks CPUs.
        self._delivery = ReferenceRuns(self._bench, self._plan.setup, site.usable)
        self._suspects_slow_cpus = False

    def _forget_rounds(self) -> None:
        self._cases = [Decision(claim) for claim in self._plan.claims]
        self._rounds: list[Round] = []
        self._drifted = False  # whether the body seemed to drift when there was a verdict
        self._measuring = self._bench.now()

    def run(self) -> Settlement:
        self._bench.prepare(self._plan.setup)
        self._begin(self._bench.site(self._plan.setup))
        longest = 0.0
        while True:
            started = self._bench.now()
            # A round that cannot end in time is not begun; two are always tried.
            if started + longest > self._end and len(self._rounds) >= 2:
                break
            self._measure()
            if why := self._unmeasurable():
                return self._settlement("unmeasurable", why)
            fresh, bad = self._judge()
            if why := self._too_few_cpus():
                return self._settlement("unmeasurable", why)
            if self._progress is not None:
                self._progress(self._line())
            longest = max(longest, self._bench.now() - started)
            if not self._done():
                self._prepare_next(fresh, bad)
            elif not self._separate_calls(done=True):
                break
        return self._settlement()

    def _measure(self) -> None:
        plan = self._plan
        round_ = self._bench.round(plan.setup)
        if round_.has_gil != self._site.has_gil:
            # An import has switched the GIL on: what was measured until then says nothing any more.
            self._begin(self._bench.site(plan.setup))
            round_ = self._bench.round(plan.setup)
        self._rounds.append(round_)
        if self._site.one_interpreter:  # workers with a GIL each overlap whatever they do with it
            self._gil.observe(round_)
        self._probe: GilProbe | None = round_.gil
        if self._probe is not None:
            self._gil.take(self._probe)
        elif plan.needs_gil or self._needs_gil_answer():
            # If computing and waiting calls alternate, a probe may always meet the waiting one, and a second the other.
            for _ in range(2):
                self._probe = self._bench.probe_gil()
                telling = self._probe is None or self._probe.cpu >= constants.LIKE_OTHERS * readings.mean_cpu(
                    self._rounds
                )
                self._gil.take(self._probe, telling)
                if telling:
                    break
                self._probe = None
        self._update_knowledge()

    def _update_knowledge(self) -> None:
        site, gil = self._site, self._gil
        self._known = Knowledge(site.cpus, gil.answer, site.one_interpreter, gil.held, site.pinned)

    def _needs_gil_answer(self) -> bool:
        """Whether it matters who holds the GIL, and can still be found out."""
        return (
            self._plan.setup.method == "pair"
            and self._gil.open
            and (reference_workload.computing(self._plan.setup, self._rounds) > constants.GIL_MATTERS)
        )

    def _unmeasurable(self) -> str | None:
        if len(self._rounds) < 2 or (self._site.one_interpreter and self._needs_gil_answer()):
            return None
        return self._plan.unmeasurable(self._rounds, self._known)

    def _too_few_cpus(self) -> str | None:
        """Why a slow verdict may be the machine's doing, though it is still open who holds the GIL.

        A probe says nothing of computing that the body hands to other threads, however often it is asked.
        """
        slow = any(case.verdict == "not_met" and case.claim.met_when > 0 for case in self._cases)
        return self._plan.unmeasurable(self._rounds, self._known) if slow and len(self._rounds) >= 2 else None

    def _judge(self) -> tuple[bool, bool]:
        """Let the round vote; return whether fresh workers are due, and whether it was a bad round."""
        fresh = bad = False
        votes = [case.claim.vote(self._rounds[-1], self._probe, self._known) for case in self._cases]
        doubted = reference_workload.matters(self._plan.setup, self._rounds, self._known) and self._doubted(votes)
        if doubted:
            self._delivery.ask_again()
        for case, vote in zip(self._cases, votes, strict=True):
            if case.open:
                if doubted and case.claim.statistic.of_times:
                    vote = self._widened(vote, case)
                bad |= vote.direction == 0 or case.needs_confirmation(vote.direction)
            fresh |= case.take(vote, early=self._early(case, vote))
        return fresh, bad

    def _doubted(self, votes: Sequence[Vote]) -> bool:
        """Whether a slow verdict is to be confirmed, or a round looked slow for what the CPUs may have done.

        From then on every round is seen together with what the machine delivers, whatever it says.
        """
        for case, vote in zip(self._cases, votes, strict=True):
            if case.open and case.claim.statistic.of_times:
                self._suspects_slow_cpus |= case.confirming == -1 or reference_workload.suspects_slow_cpus(
                    vote, self._rounds[-1]
                )
        return self._suspects_slow_cpus

    def _widened(self, vote: Vote, case: Decision) -> Vote:
        allowed = self._delivery.widened(vote, self._rounds[-1])
        if case.confirming == -1 and not self._delivery.delivered:
            allowed = Vote(0, figure=vote.figure, interval=vote.interval)
        if allowed.direction == vote.direction:
            return replace(allowed, widened_by=vote.widened_by)
        return replace(allowed, widened_by=slow_cpus.RULE.name, silenced=vote.direction)

    def _early(self, case: Decision, vote: Vote) -> bool:
        """Whether rare calls that take most of the time may well not have been seen yet, with this round's vote."""
        return case.claim.statistic.early(
            Observed(
                self._rounds,
                self._rounds[-len(case.counted) - 1 :],
                self._bench.now() - self._measuring,
                case.suspected(vote),
                compared=self._plan.setup.own_code,
            )
        )

    def _done(self) -> bool:
        comparable = self._plan.comparable
        ratio = next((case for case in self._cases if case.claim.statistic.of_times), None)
        if self._plan.all_must_hold and any(case.verdict == "not_met" for case in self._cases if case is not ratio):
            ratio = None  # no one will ask for its figure
        if self._plan.most_rounds is not None and len(self._rounds) >= self._plan.most_rounds:
            return True
        if comparable and ratio is not None and not comparable(ratio.bounds(), len(self._rounds)):
            return False
        # Without this, a verdict would be given on the first rounds of a drifting body, and undone at the end.
        if not self._plan.answered([case.verdict for case in self._cases]) or self._unsure_of_drift():
            return False
        return not self._phase_is_over() and (
            ratio is None or not ratio.imprecise or self._measured() >= constants.REFINING
        )

    def _measured(self) -> float:
        """Seconds that all rounds' batches have taken."""
        return sum(sample.wall for round_ in self._rounds for sample in readings.samples_of(round_))

    def _unsure_of_drift(self) -> bool:
        """Whether more rounds tell a drift from a body's chance, or from a latency that rises and falls again."""
        if self._plan.setup.method != "pair":
            return False
        if drift.factor(self._rounds) is not None:
            self._drifted = True
            return self._bench.now() - self._measuring < constants.SWINGS
        return drift.may_drift(self._rounds)

    def _phase_is_over(self) -> bool:
        """Whether a verdict may be that of a time in which the body was another one, as its drift has ended."""
        over = self._drifted and drift.factor(self._rounds) is None
        return over and not all(case.ends_as_decided() for case in self._cases)

    def _prepare_next(self, fresh: bool, bad: bool) -> None:
        """After a bad round beside interference wait, longer each time, so that a burst of it passes."""
        if bad and readings.disturbed(self._rounds[-1], self._known.cpus):
            self._bench.sleep(min(self._pause, max(0.0, self._end - self._bench.now())))
            self._pause = min(self._pause * 2, constants.LONGEST_PAUSE)
        else:
            self._pause = constants.FIRST_PAUSE
        silent = min((case.silent for case in self._cases if case.open), default=0)
        if silent and silent % constants.ABSTAINED == 0 and self._may_lengthen():
            self._bench.lengthen(self._plan.setup)
        if fresh and self._bench.now() < self._end:
            self._bench.refresh(self._plan.setup)
        self._separate_calls()
        if most := self._most_between():
            self._bench.stagger(self._plan.setup, most)
        if self._phase_is_over():
            self._forget_rounds()

    def _may_lengthen(self) -> bool:
        """Whether longer batches have the same figure.

        Several calls in a row overlap more than one call of each worker does: some wait while others compute.
        """
        share = readings.mean_cpu_share(self._rounds)
        return self._rounds[-1].serial.loops > 1 or share > constants.ONLY_COMPUTES

    def _separate_calls(self, done: bool = False) -> bool:
        """Make one call a batch where calls vary: the longest of some sums is nearer to the mean than that of calls.

        Return whether that makes it necessary to begin again.

        :param done: whether what is decided is enough, so that claims which are still open do not matter.
        """
        together = self._rounds[-1].concurrent
        if together is None or self._plan.setup.method != "pair":
            return False
        for case in self._cases:
            if self._needs_single_calls(case, together.loops, done):
                calls = mean_ratio.best_serial_calls(case.votes, together.workers)
                if self._bench.one_call(self._plan.setup, calls):
                    self._forget_rounds()
                    return True
        return False

    def _needs_single_calls(self, case: Decision, loops: int, done: bool) -> bool:
        """Whether a verdict needs them: one that is to come, or one that the end would undo."""
        if case.open:
            return not done and len(self._rounds) in constants.SIZING and case.calls_vary(loops)
        return loops > 1 and rules.held_back(self._leaning(case), 0, "end") is batched_calls.RULE

    def _most_between(self) -> int:
        """Return how many calls more are made at most, as a slow n-th call could be in the same batch of each round.

        Then neither batch varies from round to round, and a slow call shows among the concurrent ones only. That may
        be a queue as well, which a single call more now and then hardly makes slower. Shares are measured in one batch.
        """
        unsure = [case for case in self._cases if case.open]
        if not all(case.claim.statistic.of_times for case in unsure):
            return 0
        if any(case.spread.varies for case in unsure):
            return self._plan.setup.workers or 1
        return int(any(case.calls_are_unequal for case in unsure))

    def _settlement(self, verdict: VerdictName | None = None, why: str = "") -> Settlement:
        results = []
        kept = self._plan.comparable is not None
        limited = kept and reference_workload.matters(self._plan.setup, self._rounds, self._known)
        if limited:
            self._delivery.ask(constants.CONTROLS)
        for case in self._cases:
            final = verdict or case.verdict or "undecided"
            reason: TimeRanOut | Undone | Unmeasurable | None = None
            if final == "unmeasurable":
                reason = Unmeasurable(why)
            elif (undone := self._undone(case)) is not None:
                final, reason = "undecided", undone
            elif final == "undecided":
                interference = self._bench.interference()
                reason = TimeRanOut(case, tuple(self._rounds), interference, self._site, self._max_time)
            for round_ in self._rounds:
                if (discard := rules.discarded(round_)) is not None:
                    case.trace[discard.name] += 1
            bounds = self._bounds(case, limited)
            results.append(Result(case.claim, final, reason, case.estimate(), case.tally, bounds, dict(case.trace)))
        return Settlement(tuple(results), tuple(self._rounds), self._known, self._bench.now() - self._began)

    def _undone(self, case: Decision) -> Undone | None:
        """What undoes any verdict on a claim: the body, or its figure, was another one at the end."""
        leaning = self._leaning(case)
        rule = rules.held_back(leaning, case.decided_side, "end")
        if rule is None or rule.reason is None:
            return None
        case.trace[rule.name] += 1
        return rule.reason(leaning)

    def _leaning(self, case: Decision) -> Leaning:
        """What rules for the end get to see of a claim."""
        setup = self._plan.setup
        return Leaning(
            case.claim,
            case.votes,
            case.counted,
            spread=case.spread,
            rounds=self._rounds,
            pair=setup.method == "pair",
            one_body=not setup.own_code,
        )

    def _bounds(self, case: Decision, limited: bool) -> tuple[Interval, ...]:
        """Return the interval of each round that said something; ``limited`` by the reference workload."""
        if not limited or not case.claim.statistic.of_times:
            return tuple(case.bounds())
        return tuple(
            self._delivery.for_storage(read, round_)
            for read, round_ in zip(case.reads(), self._rounds, strict=False)  # the last may not have voted
            if read is not None
        )

    def _line(self) -> str:
        case, setup = self._cases[0], self._plan.setup
        estimate = case.estimate()
        figure = f" {formatter(case.claim.unit)(estimate.value)}" if estimate else ""
        stage = ", confirming" if any(case.open and case.confirming for case in self._cases) else ""
        return f"{setup.who()} round {len(self._rounds)}{figure}{stage}"
