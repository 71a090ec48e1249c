"""Rounds until every claim is decided: the loop between the bench and the judgement.

A conclusion that a busy machine can imitate (*slow*), and every red one, is reached in two stages:
after a lead in the first, the workers are replaced, some time passes, and fresh votes must say the
same. Where the conclusion hangs on CPUs, a control body that is known to run in parallel must show
in each of those rounds that the machine delivers them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_concurrency import bounds, stats, tally
from pytest_concurrency.bench import Bench, Setup
from pytest_concurrency.claims import Claim, Knowledge, gil_vote
from pytest_concurrency.machine import gil_enabled
from pytest_concurrency.model import Estimate, GilProbe, GilUse, Round, VerdictName
from pytest_concurrency.tally import Tally, Vote
from pytest_concurrency.units import count, duration, ratio, share

_PROBES = 8  # heartbeats that may be spent on knowing the GIL before it stays unknown
_KNOWN = stats.log_odds(1e-3)
_COMPUTES = 0.2  # share of computing above which it matters who holds the GIL
_HINGES = 0.3  # share of computing above which a slow figure hangs on the CPUs
_DELIVERED = 0.75  # part of the CPUs that the control body must get
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1
_ABSTAINED = 4  # rounds without a vote after which batches are made longer
_SETTLED = 24  # rounds after which a figure that lies inside the margin is accepted as such
_CONFIRMING = 40  # rounds that a confirmation may take before the whole count starts again


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and what to claim about it."""

    setup: Setup
    claims: tuple[Claim, ...]
    one_interpreter: bool = True
    needs_gil: bool = False
    # Says why this machine cannot show it, once a body's shares are known; None if it can.
    unmeasurable: Callable[[float, Knowledge], str | None] = lambda cpu_share, known: None
    most_rounds: int | None = None
    # Whether the claims' verdicts so far, None while open, are all that is wanted.
    answered: Callable[[Sequence[VerdictName | None]], bool] = lambda verdicts: (
        "broken" in verdicts or None not in verdicts
    )


@dataclass(frozen=True, slots=True)
class Result:
    """One claim's end."""

    claim: Claim
    verdict: VerdictName
    reason: str
    estimate: Estimate | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class Settlement:
    """A plan's end, with all rounds that led to it."""

    results: tuple[Result, ...]
    rounds: tuple[Round, ...]
    known: Knowledge
    seconds: float

    @property
    def verdict(self) -> VerdictName:
        verdicts = {result.verdict for result in self.results}
        order: tuple[VerdictName, ...] = ("broken", "unmeasurable", "undecided")
        return next((verdict for verdict in order if verdict in verdicts), "met")


@dataclass
class _Case:
    """A claim while it is open."""

    claim: Claim
    tally: Tally = field(default_factory=Tally)
    confirming: int = 0  # the side that waits for its confirmation
    confirmation: Tally = field(default_factory=Tally)
    votes: list[Vote] = field(default_factory=list)
    silent: int = 0  # rounds without a vote, in a row
    undelivered: int = 0  # rounds in which the machine did not deliver its CPUs
    contradicted: int = 0
    verdict: VerdictName | None = None
    reason: str = ""

    def enough(self, side: int) -> float:
        """The lead that ``side`` needs."""
        return tally.ENOUGH + (tally.MORE if self.needs_confirmation(side) else 0.0)

    def needs_confirmation(self, side: int) -> bool:
        return side in self.claim.careful

    def take(self, vote: Vote) -> None:
        self.votes.append(vote)
        self.silent = 0 if vote.direction else self.silent + 1
        if self.confirming:
            self.confirmation = self.confirmation.add(vote)
        else:
            self.tally = self.tally.add(vote)

    def advance(self) -> bool:
        """Decide, or start or end a confirmation; return whether fresh workers are due."""
        if not self.confirming:
            side = self.tally.decided(self.enough(1), self.enough(-1))
            if side and self.needs_confirmation(side):
                self.confirming, self.confirmation = side, Tally()
                return True
            if side:
                self._decide(side)
            return False
        side = self.confirmation.decided(tally.CONFIRM, tally.CONFIRM)
        spent = self.confirmation.above + self.confirmation.below + self.confirmation.abstained
        if side == self.confirming:
            self._decide(side)
        elif side or spent >= _CONFIRMING:
            # Fresh workers say otherwise: neither count can be trusted.
            self.contradicted += 1
            self.confirming, self.tally = 0, Tally()
            return True
        return False

    def _decide(self, side: int) -> None:
        self.verdict = "met" if side == self.claim.met_when else "broken"

    def figures(self) -> list[float]:
        """What the rounds said, those first whose bounds are close together."""
        seen = [(vote.figure, vote.interval) for vote in self.votes if vote.figure is not None and vote.interval]
        close = [figure for figure, interval in seen if interval.high <= interval.low * 1.3]
        return close if len(close) >= 3 else [figure for figure, _ in seen]

    def estimate(self) -> Estimate | None:
        return stats.estimate(self.figures(), self.claim.unit)


def settle(
    plan: Plan, bench: Bench, max_time: float, progress: Callable[[str], None] = lambda text: None
) -> Settlement:
    """Measure rounds until all claims of a plan are decided or ``max_time`` seconds have passed."""
    began = bench.now()
    end = began + max_time
    bench.prepare(plan.setup)
    cases = [_Case(claim) for claim in plan.claims]
    rounds: list[Round] = []
    known = Knowledge(cpus=bench.cpus, one_interpreter=plan.one_interpreter)
    gil = _GilQuestion()
    pause = _FIRST_PAUSE
    longest = 0.0
    while True:
        started = bench.now()
        # A round that cannot end in time is not begun; two are always tried.
        if started + longest > end and len(rounds) >= 2:
            break
        rounds.append(bench.round(plan.setup))
        shares = stats.median([bounds.cpu_share(round_.serial) for round_ in rounds])
        probe = None
        if plan.needs_gil or (shares > _COMPUTES and gil.open):
            probe = bench.probe_gil()
            gil.take(probe, rounds[-1])
            known = Knowledge(bench.cpus, gil.answer, plan.one_interpreter)
        if len(rounds) >= 2 and not gil.waiting(shares, plan) and (why := plan.unmeasurable(shares, known)):
            return _give_up(cases, rounds, known, bench.now() - began, "unmeasurable", why)
        fresh, bad = False, False
        for case in cases:
            vote = case.claim.vote(rounds[-1], probe, known)
            if case.verdict is not None:
                case.votes.append(vote)  # decided, but a better estimate comes for free
                continue
            vote = _checked(vote, case, plan, shares, known, bench)
            case.take(vote)
            bad |= vote.direction == 0 or case.needs_confirmation(vote.direction)
            fresh |= case.advance()
            if case.verdict is None and not case.confirming and _inside_margin(case):
                case.verdict, case.reason = "undecided", _margin_reason(case)
        progress(_progress_line(plan, rounds, cases))
        if plan.answered([case.verdict for case in cases]) or len(rounds) == plan.most_rounds:
            break
        # Waiting grows while rounds are bad or say nothing: a burst of interference passes.
        longest = max(longest, bench.now() - started)
        if bad:
            bench.sleep(min(pause, max(0.0, end - bench.now())))
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            pause = _FIRST_PAUSE
        if any(case.silent and case.silent % _ABSTAINED == 0 for case in cases):
            bench.lengthen(plan.setup)
        if fresh and bench.now() < end:
            bench.refresh(plan.setup)
    results = tuple(_close(case, rounds, bench, max_time) for case in cases)
    return Settlement(results, tuple(rounds), known, bench.now() - began)


def _checked(vote: Vote, case: _Case, plan: Plan, cpu_share: float, known: Knowledge, bench: Bench) -> Vote:
    """Void a slow vote of a confirmation if the machine does not deliver its CPUs at this moment."""
    hinges = (
        case.confirming == vote.direction == -1
        and case.claim.unit == "ratio"
        and cpu_share > _HINGES
        and not known.computes_alone
        and plan.setup.workers is not None
        and plan.setup.backend != "tasks"
    )
    if not hinges or plan.setup.workers is None:
        return vote
    control = bounds.speedup(bench.control(plan.setup), plan.setup.workers, known.cpus, gil_held=False)
    if control is not None and control.low >= _DELIVERED * min(plan.setup.workers, known.cpus):
        return vote
    case.undelivered += 1
    return Vote(0, 0.0, vote.figure, vote.interval)


class _GilQuestion:
    """Whether the body holds the GIL while it computes: asked until known, then no more."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._asked = 0
        self._overlapping = 0
        self._none = False

    def take(self, probe: GilProbe | None, round_: Round) -> None:
        self._asked += 1
        self._none = probe is None
        self._tally = self._tally.add(gil_vote(probe))
        together = round_.concurrent
        if together is not None and len(together.readings) > 1 and together.cpu > 1.15 * together.wall:
            self._overlapping += 1

    @property
    def answer(self) -> GilUse:
        if self._none:
            return "unknown" if gil_enabled() else "disabled"
        side = self._tally.decided(_KNOWN, _KNOWN)
        # More CPU time than wall time: whatever the heart says, the computing did overlap.
        if side > 0 and self._overlapping == 0:
            return "held"
        return "released" if side < 0 else "unknown"

    @property
    def open(self) -> bool:
        return not self._none and self._asked < _PROBES and self.answer == "unknown"

    def waiting(self, cpu_share: float, plan: Plan) -> bool:
        """Whether an answer that matters may still come."""
        return plan.one_interpreter and cpu_share > _COMPUTES and self.open


def _inside_margin(case: _Case) -> bool:
    figures = case.figures()
    if len(figures) < _SETTLED or case.claim.margin.low >= case.claim.margin.high:
        return False
    return stats.inside(stats.median_interval(figures, 0.99), case.claim.margin)


def _margin_reason(case: _Case) -> str:
    estimate, margin = case.estimate(), case.claim.margin
    assert estimate is not None
    say = _formatter(case.claim.unit)
    return (
        f"the figure, {say(estimate.value)} [{say(estimate.low)} to {say(estimate.high)}], lies inside the margin "
        f"between {say(margin.low)} and {say(margin.high)}, where neither answer is sure; "
        "move the threshold away from it"
    )


def _give_up(
    cases: Sequence[_Case], rounds: Sequence[Round], known: Knowledge, seconds: float, verdict: VerdictName, why: str
) -> Settlement:
    results = tuple(Result(case.claim, verdict, why, case.estimate(), case.tally) for case in cases)
    return Settlement(results, tuple(rounds), known, seconds)


def _close(case: _Case, rounds: Sequence[Round], bench: Bench, max_time: float) -> Result:
    verdict, reason = case.verdict, case.reason
    if verdict is None:
        verdict, reason = "undecided", _undecided_reason(case, rounds, bench, max_time)
    return Result(case.claim, verdict, reason, case.estimate(), case.tally)


def _undecided_reason(case: _Case, rounds: Sequence[Round], bench: Bench, max_time: float) -> str:
    votes = case.votes
    above = sum(vote.direction > 0 for vote in votes)
    below = sum(vote.direction < 0 for vote in votes)
    silent = len(votes) - above - below
    within = f"no sure verdict within max_time={duration(max_time)}"
    if len(rounds) < 8:
        walls = [round_.serial.wall + (round_.concurrent.wall if round_.concurrent else 0.0) for round_ in rounds]
        each = stats.median(walls)
        return f"{within}: one round takes {duration(each)}, and there was time for {len(rounds)} only; raise max_time"
    if case.undelivered:
        return (
            f"{within}: the machine did not deliver its CPUs in {count(case.undelivered, 'round')}: "
            "a control body that is known to run in parallel did not"
        )
    load = bench.interference()
    busy = ""
    if load.foreign is not None and load.foreign > 0.2:
        busy = f"; other programs kept {load.foreign:.1f} of {bench.cpus:g} CPUs busy"
    said = f"{within}: of {count(len(votes), 'round')} {above} spoke for above, {below} for below, {silent} for neither"
    return said + busy


def _formatter(unit: str) -> Callable[[float], str]:
    return share if unit == "share" else ratio


def _progress_line(plan: Plan, rounds: Sequence[Round], cases: Sequence[_Case]) -> str:
    figure = cases[0].estimate()
    say = _formatter(cases[0].claim.unit)
    arm = plan.setup.backend + (f" x{plan.setup.workers}" if plan.setup.workers else "")
    stage = ", confirming" if any(case.confirming and case.verdict is None for case in cases) else ""
    return f"{arm} round {len(rounds)}" + (f" {say(figure.value)}" if figure else "") + stage
