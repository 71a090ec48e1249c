"""From rounds to the bound type: what the body's time goes into, with the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import BoundKind, Round, Sample
from pytest_concurrency.core.outcomes import Bound, PerBody
from pytest_concurrency.core.units import duration, ratio, share
from pytest_concurrency.engine import intervals, readings
from pytest_concurrency.engine.claims import Knowledge, OverlapClaim
from pytest_concurrency.engine.plan import WorkerSetup

WAITS = 0.25  # computing below this share: it waits
COMPUTES = 0.75  # computing above this share: it computes
_CONTENDED = 1.35  # growth of CPU time per body from one worker to several


def per_body(samples: Sequence[Sample], tasks: int = 1) -> PerBody:
    """``tasks`` is how many bodies one worker ran side by side, as an event loop does."""

    def each(sample: Sample, total: float) -> float:
        return total / (sample.workers * sample.loops * tasks)

    delays = [each(sample, sample.delay) for sample in samples if sample.readings[0].delay is not None]
    return PerBody(
        wall=stats.median([sample.wall / sample.loops for sample in samples]),
        cpu=stats.median([each(sample, sample.cpu) for sample in samples]),
        blocked=stats.median([each(sample, sample.blocked) for sample in samples]),
        delay=stats.median(delays) if delays else None,
    )


def classify(rounds: Sequence[Round], setup: WorkerSetup, known: Knowledge) -> Bound:
    """Return the bound type of a body from the rounds of one worker against several."""
    workers = setup.workers
    computing = readings.median_cpu_share(rounds)
    waiting = 1 - computing
    alone = per_body([round_.serial for round_ in rounds])
    together = [round_.concurrent for round_ in rounds if round_.concurrent is not None]
    on_one_thread = setup.one_thread
    whole = duration(alone.cpu + alone.blocked)  # of which the shares are: without waits for a CPU
    if computing <= WAITS:
        kind: BoundKind = "io"
        evidence = f"a serial call waits for {share(waiting)} of {whole}"
        if setup.own_code:
            evidence = f"the first function waits for {share(waiting)} of {whole}"
        elif together and workers and workers > 1:
            found = [intervals.speedup(round_, known.context(workers)) for round_ in rounds]
            figures = [stats.middle(interval) for interval in found if interval is not None]
            if figures:
                claim = OverlapClaim(workers, slack=0.0)  # its cut does not depend on the margin
                longest = stats.median([readings.longest_body(round_.serial) for round_ in rounds])
                overlapping, _ = claim.expected(computing, longest)
                finish = duration(per_body(together).wall)
                if stats.median(figures) < claim.cut(computing, longest) and claim.shows(computing, longest):
                    kind = "serialized"
                    evidence += f", and the waits of {setup.who()} are serialized: all have finished after {finish}"
                else:
                    wholly = "" if stats.median(figures) > 0.8 * overlapping else " in part"
                    evidence += f", and the waits of {setup.who()} overlap{wholly}: all have finished after {finish}"
        return Bound(kind, computing, waiting, known.gil, evidence)
    who = "the first function" if setup.own_code else "a serial call"
    evidence = f"{who} computes for {share(computing)} of {whole}"
    if computing < COMPUTES:
        return Bound("mixed", computing, waiting, known.gil, f"{evidence} and waits for the rest{_gil(known)}")
    evidence += _gil(known)
    if together and not on_one_thread and not setup.own_code:
        growth = per_body(together).cpu / max(alone.cpu, 1e-9)
        if growth > _CONTENDED:
            evidence += (
                f"; with {setup.who()} it takes {ratio(growth)} as much CPU time: "
                "they contend for shared objects, caches or memory"
            )
    return Bound("cpu", computing, waiting, known.gil, evidence)


def _gil(known: Knowledge) -> str:
    return {
        "held": "; it holds the GIL while it computes, so other threads cannot run",
        "released": "; it releases the GIL while it computes, so other threads can run",
        "briefly_released": "; it releases the GIL often but only briefly, so threads do not speed it up",
        "disabled": "; this interpreter runs without a GIL",
        "unknown": "",
    }[known.gil]
