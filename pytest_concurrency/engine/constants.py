"""Every constant of the decision in one table: value, unit, where it comes from, and the evidence.

The modules read the values from here when they need them, so that benchmarks/replay.py can ask what half and twice of
each would change. ``promise`` follows from a stated error rate, ``source`` is a textbook, ``measured`` names a
benchmark, and ``judgement`` is what its evidence says, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_concurrency.core.stats import log_odds

Status = Literal["promise", "source", "measured", "judgement"]


VOTE_ERROR = ((1.70, 0.01), (1.50, 0.03), (1.30, 0.05), (1.15, 0.10), (1.05, 0.20), (1.0, 0.30))
FAR = 1.30
LONG_BATCH_ERROR = ((1.0, 0.001), (0.2, 0.01))
NOW_AND_THEN = (0.2, 0.05)
VARIES = 0.2
VARIES_MUCH = 0.5
VARIES_IMPLAUSIBLY = 3.0
UNEVEN = 0.1
CLOCK_ROUNDS = 5
CLOCK_SLOPE = 0.5
CLOCK_ERRORS = 3.5
UNEQUAL = 1.25
TOO_WIDE = 0.3
ALIKE_GROUPS = 8
LEAST_CHI_SQUARE = (0.000157, 0.01005, 0.1173, 0.1777, 0.2291)
ENOUGH = log_odds(1e-5)
MORE = log_odds(0.1)
CONFIRM = log_odds(1e-3)
MEANS_ERROR = 5e-5
MEANS_FIRST_ERROR = 2e-3
MEANS_CONFIRMING_ERROR = 2e-2
LEAST_ROUNDS = 8
LEAST_ROUNDS_ABOVE = 24
TYPICAL_ROUNDS = 10.0
MOST_CALLS = 16
SAME_TIMES = 1.15
OTHER_CALLS = 1.25
LATEST_ROUNDS = 40
LEFT_OUT = 6
CHANCE = 3e-4
JACKKNIFE_GROUPS = 12
JACKKNIFE_ERRORS = 5.5
REFUTES = 24
LOOKS = 32
LOOKING = 0.15
NEVER_LOOKS = 100
NEVER_LOOKING = 0.25
SUSPICION_LOOKS = 240
SUSPICION_LOOKING = 1.0
CONFIRMING_ROUNDS = 40
MANY_CALLS = 20
SUSTAINED = 0.2
APART = 1.15
COVERED = 0.6
ALL_HELD = 0.75
SIGHTING_RESOLUTION = 0.004
FALSE_SIGHTING = 2e-3
LEAST_BEATS = 0.2
FEWEST_BEATS = 4
SETTLED = 24
GROUPS = 3
IMPRECISE = 0.01
STEADY = 0.85
DRIFTS = 2.0
FALLS = 1.3
TELLING = 9
SWINGS = 3.0
NEEDS_GIL = 0.1
HINGES = 0.3
DELIVERED = 0.75
QUIET = 0.25
SIDE_BY_SIDE = 0.5
TAKEN = 0.2
NOTICED = 0.05
WAITS_OFTEN = 3
CALM = 0.05
COMPUTES = 0.1
ONLY_COMPUTES = 0.9
BURSTS = 2.0
SILENCED = 0.5
UNLIKE = 3.0
OTHER_KIND = 1.25
FIRST_WORKERS = 32
UNSEEN_LATENESS = 1.5
LATE = 0.001
USUALLY_LATE = 0.00025
ALL_DELIVERED = 0.95
FIRST_RUNS = 3
SLOW_CORE_EXPONENT = 1.3
GIL_MATTERS = 0.2
LIKE_OTHERS = 0.25
FIRST_PAUSE = 0.002
LONGEST_PAUSE = 0.05
CONTROLS = 5
ABSTAINED = 4
SIZING = (3, 8, 16, 32)
REFINING = 0.1


@dataclass(frozen=True, slots=True)
class Constant:
    """What is known of a constant of this module; ``meaning`` is a sentence."""

    name: str
    unit: str
    status: Status
    evidence: str
    meaning: str


# fmt: off
TABLE = (
    Constant("VOTE_ERROR", "(ratio, error)", "measured", "benchmarks/votes.py",
             "How often a vote this far from the cut is wrong, at most; the truth is another sqrt(1 + margin) away."),
    Constant("FAR", "ratio", "measured", "benchmarks/votes.py",
             "Distance from the cut from which a long batch makes a vote less often wrong."),
    Constant("LONG_BATCH_ERROR", "(seconds, error)", "measured", "benchmarks/votes.py",
             "How often a far vote is wrong where the batches average over most bursts of interference."),
    Constant("NOW_AND_THEN", "parts of the rounds", "judgement", "one call in five, and one in twenty",
             "How often what must never happen is looked for."),
    Constant("VARIES", "spread", "judgement", "above what quiet machines make of steady bodies",
             "Spread from which a body is not the same from call to call."),
    Constant("VARIES_MUCH", "spread", "judgement", "calls with this spread overstate the speedup of 4 by a tenth",
             "Spread of single calls from which batches of them are no evidence of a speedup."),
    Constant("VARIES_IMPLAUSIBLY", "spread", "judgement", "2.7: one call in ten takes 100 times as long",
             "Spread of single calls from which it is not the calls that vary, but the machine."),
    Constant("UNEVEN", "spread", "judgement", "half of VARIES",
             "Spread of batches from which the calls in them may vary."),
    Constant("CLOCK_ROUNDS", "rounds", "judgement", "the least that a line with a standard error is drawn through",
             "Rounds without which it is not asked whether waits for a CPU have made the calls longer."),
    Constant("CLOCK_SLOPE", "ratio", "judgement", "polling: 0.0 to 0.6; computing: 1.0 and more",
             "Slope above which waits for a CPU have made the calls longer, where that has to be shown."),
    Constant("CLOCK_ERRORS", "standard errors", "judgement", "one in 2,000 by chance, one in 50 with five rounds",
             "Standard errors by which the slope of time over run-queue delay has to lie below 1."),
    Constant("UNEQUAL", "ratio", "judgement", "1.1 and less where calls are alike",
             "Times the mean of concurrent calls that the longest takes at least, to be another kind of call."),
    Constant("TOO_WIDE", "spread", "judgement", "benchmarks/latencies.py",
             "Spread above which rounds vote in groups."),
    Constant("ALIKE_GROUPS", "groups", "judgement", "fewer may be alike by chance",
             "Groups that must be alike for their size to be enough."),
    Constant("LEAST_CHI_SQUARE", "per degree", "source", "chi-square tables",
             "Lower points of chi-square per degree of freedom, 1 to 5: 1% for two and three rounds, else 5%."),
    Constant("ENOUGH", "nats", "promise", "1e-4 a verdict, with something to spare for what is not independent",
             "Lead by which a side wins."),
    Constant("MORE", "nats", "judgement", "replay",
             "What a conclusion that interference can imitate, and a red one, need more."),
    Constant("CONFIRM", "nats", "judgement", "replay",
             "Lead by which fresh workers confirm it."),
    Constant("MEANS_ERROR", "probability", "promise", "benchmarks/latencies.py",
             "Error of a ratio of means on a side that needs no confirmation."),
    Constant("MEANS_FIRST_ERROR", "probability", "promise", "benchmarks/latencies.py",
             "Error of a ratio of means on a side that needs one: it has rounds of its own, so both errors multiply."),
    Constant("MEANS_CONFIRMING_ERROR", "probability", "promise", "benchmarks/latencies.py",
             "Probability that its confirmation by the ratio of means is wrong."),
    Constant("LEAST_ROUNDS", "rounds", "judgement", "simulated: two-point times",
             "Fewer may all be alike by chance."),
    Constant("LEAST_ROUNDS_ABOVE", "rounds", "judgement", "simulated: one call in ten takes ten times as long",
             "The same where a figure is high for want of calls that are long: of four workers, 96 calls."),
    Constant("TYPICAL_ROUNDS", "rounds", "judgement", "verdicts take 10 to 40 rounds",
             "Rounds at which the boundary of the means is closest to that of a single look."),
    Constant("MOST_CALLS", "calls", "judgement", "a round must not take long",
             "Most calls one after the other in a round."),
    Constant("SAME_TIMES", "ratio", "judgement", "tests/unit/engine/test_chance.py",
             "Ratio up to which the times of two rounds are the same."),
    Constant("OTHER_CALLS", "ratio", "judgement", "tests/unit/engine/test_chance.py",
             "Ratio from which two times are of different calls."),
    Constant("LATEST_ROUNDS", "rounds", "judgement", "its effort grows with them",
             "Rounds that the test of exchangeability looks at."),
    Constant("LEFT_OUT", "calls", "judgement", "tests/unit/engine/test_chance.py",
             "Serial calls that may be left out as long ones, each at a part of the error."),
    Constant("CHANCE", "probability", "promise", "tests/unit/engine/test_chance.py",
             "How often varying durations alone may look slow concurrently."),
    Constant("JACKKNIFE_GROUPS", "groups", "judgement", "a Student distribution of 11 degrees of freedom",
             "Groups of rounds that are left out in turn, for the error of what draws would come to."),
    Constant("JACKKNIFE_ERRORS", "standard errors", "source", "Student's t for 11 degrees of freedom, one in 10,000",
             "Standard errors from what draws would come to, to its upper bound."),
    Constant("REFUTES", "rounds", "judgement", "one in twenty would have shown",
             "Rounds without, after which one in which it seemed to happen counts as an error."),
    Constant("LOOKS", "rounds", "judgement", "a call in twenty shows with 80%",
             "Rounds before a verdict on what calls do, or LOOKING."),
    Constant("LOOKING", "seconds", "judgement", "as above",
             "Seconds of rounds that are as good as LOOKS."),
    Constant("NEVER_LOOKS", "rounds", "judgement", "one in twenty shows with 99%",
             "Rounds before a verdict on what must never happen, or NEVER_LOOKING."),
    Constant("NEVER_LOOKING", "seconds", "judgement", "as above",
             "Seconds of rounds that are as good as NEVER_LOOKS."),
    Constant("SUSPICION_LOOKS", "rounds", "judgement", "one in twenty would show again",
             "Rounds for each one in which it seemed to happen, or SUSPICION_LOOKING."),
    Constant("SUSPICION_LOOKING", "seconds", "judgement", "as above",
             "Seconds of rounds that are as good as SUSPICION_LOOKS."),
    Constant("CONFIRMING_ROUNDS", "rounds", "judgement", "replay",
             "Rounds that a confirmation may take before the whole count starts again."),
    Constant("MANY_CALLS", "calls", "judgement", "sums of so many are alike",
             "Calls of a batch from which they are not looked at one by one ..."),
    Constant("SUSTAINED", "seconds", "judgement", "as above",
             "... if the batch takes this long."),
    Constant("APART", "ratio", "judgement", "the margin of a vote that is right in nine of ten",
             "Ratio of two speedups from which it shows whether waits overlap."),
    Constant("COVERED", "part of the time", "judgement", "more than half",
             "What alert beats must have covered to represent all of a body."),
    Constant("ALL_HELD", "part of the computing", "judgement", "beats of 0.5 ms beside bodies of some ms",
             "If this share is known to be under the GIL, all of it may be: beats are coarse."),
    Constant("SIGHTING_RESOLUTION", "seconds", "measured", "benchmarks/sightings.py: the largest excess was 3.1 ms",
             "By how much a sighting of what must never happen may exceed the truth."),
    Constant("FALSE_SIGHTING", "probability", "measured", "benchmarks/sightings.py: 0 of 1,580 and 0 of 1,605",
             "How often it exceeds it by more, at most (95%)."),
    Constant("LEAST_BEATS", "beats per beat", "judgement", "a probe thread that hardly beat had no CPU",
             "Beats per sleep of a beat that a released GIL allows at the very least."),
    Constant("FEWEST_BEATS", "beats", "judgement", "Python code of 1.5 ms, four busy programs: 2 probes of 12 had one",
             "Beats without which a probe does not show that the GIL was free: one may fall on the end of a call."),
    Constant("SETTLED", "rounds", "judgement", "a median has a 99% interval by then",
             "Rounds after which a figure that lies inside the margin is accepted as such."),
    Constant("GROUPS", "groups", "judgement", "the least that has a middle",
             "Groups of rounds that make an estimate."),
    Constant("IMPRECISE", "part of the figure", "judgement", "figures are shown with two decimals",
             "Standard error that some more rounds are worth."),
    Constant("STEADY", "correlation", "judgement", "Kendall's tau of six rounds: 1 in 100",
             "Rank correlation of a body's time with its round that is no accident."),
    Constant("DRIFTS", "factor", "judgement", "above what the speed of CPUs does",
             "Factor by which a body's time must change to matter."),
    Constant("FALLS", "factor", "judgement", "above the margin",
             "Factor by which a figure must fall to matter."),
    Constant("TELLING", "rounds", "judgement", "follows from DRIFTS and thirds of rounds",
             "Rounds in which a drift by that factor shows at the latest, if it goes on as it began."),
    Constant("SWINGS", "seconds", "judgement", "a latency that swung within 1 s looked like a drift in its first half",
             "Time for which what looks like a drift is watched before it undoes a verdict."),
    Constant("NEEDS_GIL", "CPUs", "judgement", "as the part of a batch that bystanders may take",
             "CPUs that a batch uses in the mean, up to which its body hardly waits for the GIL."),
    Constant("HINGES", "share", "judgement", "replay",
             "Share of computing above which a slow figure hangs on the CPUs."),
    Constant("DELIVERED", "part of the CPUs", "judgement", "replay",
             "What a reference workload must get for the machine to count as delivering them."),
    Constant("QUIET", "CPUs of every two", "judgement", "benchmarks/verdicts.py",
             "Foreign CPUs below which a round without run delay counts."),
    Constant("SIDE_BY_SIDE", "part of a lifetime", "judgement", "replay",
             "What all workers must have shared to have met at a lock."),
    Constant("TAKEN", "CPUs of every two", "judgement", "two ticks of a window of 0.1 s",
             "What steal and throttling may take before a round does not count."),
    Constant("NOTICED", "CPUs of every two", "judgement", "half a tick",
             "What these may take before wake-ups are late for it."),
    Constant("WAITS_OFTEN", "switches", "judgement", "one to start, one to end",
             "Times that a batch gives up its CPU, from which its run delay may be waiting for an answer."),
    Constant("CALM", "part of the time", "judgement", "replay",
             "Run delay of a batch up to which nothing was in the way."),
    Constant("COMPUTES", "share", "judgement", "replay",
             "Share of computing above which taken CPUs matter."),
    Constant("ONLY_COMPUTES", "share", "judgement", "four processes on two CPUs: 2.6x in single calls, 3.5x in several",
             "Share of computing from which calls in a row overlap no more than single ones."),
    Constant("BURSTS", "factor", "judgement", "a batch is shorter than the window of a CPU reading",
             "How many times their mean share of the CPUs other programs may use during a batch."),
    Constant("SILENCED", "part of the votes", "judgement", "simulated waits of random length in helper threads",
             "Silenced votes against a side, per vote for it, up to which rounds of calls that vary are a sample."),
    Constant("UNLIKE", "factor", "judgement", "above what bursts do",
             "Factor between batches of the same bodies from which one was of another kind."),
    Constant("OTHER_KIND", "factor", "judgement", "as OTHER_CALLS",
             "Factor between the computing of two calls from which they are not alike."),
    Constant("FIRST_WORKERS", "workers", "judgement", "effort",
             "Workers of a round that are looked at one by one."),
    Constant("UNSEEN_LATENESS", "factor", "judgement", "benchmarks/verdicts.py",
             "How much longer waits may take beside other programs without a trace."),
    Constant("LATE", "seconds", "judgement", "benchmarks/verdicts.py",
             "By how much a single wait of one thread may be late."),
    Constant("USUALLY_LATE", "seconds", "judgement", "benchmarks/verdicts.py",
             "By how much the waits of a whole batch are late, each, at most."),
    Constant("ALL_DELIVERED", "part of the CPUs", "measured", "benchmarks/shared_core.py",
             "What even a quiet machine gives a reference workload."),
    Constant("FIRST_RUNS", "runs", "judgement", "the least that has a middle",
             "Runs of a reference workload before anything is said of the machine."),
    Constant("SLOW_CORE_EXPONENT", "exponent", "measured", "benchmarks/shared_core.py",
             "From how much slower a shared core makes the reference workload, 1.6x, to Python code, 1.9x."),
    Constant("GIL_MATTERS", "share", "judgement", "replay",
             "Share of computing above which it matters who holds the GIL."),
    Constant("LIKE_OTHERS", "part of the computing", "judgement", "calls that compute and wait may take turns",
             "What a probe must have met of an ordinary batch to say who holds the GIL."),
    Constant("FIRST_PAUSE", "seconds", "judgement", "bursts of some ms",
             "First pause after a bad round beside interference; each is twice as long as the one before."),
    Constant("LONGEST_PAUSE", "seconds", "judgement", "a part of a verdict's time",
             "The longest of them."),
    Constant("CONTROLS", "runs", "judgement", "their median",
             "Runs of a reference workload after rounds that other runs are compared with."),
    Constant("ABSTAINED", "rounds", "judgement", "replay",
             "Rounds without a vote after which batches are made longer."),
    Constant("SIZING", "rounds", "judgement", "a spread takes three rounds; later sizes follow better ones",
             "Rounds after which the batches of calls that vary are sized."),
    Constant("REFINING", "seconds", "judgement", "what a user does not notice",
             "Batches up to which a decided figure that is still rough is measured on."),
)
# fmt: on
