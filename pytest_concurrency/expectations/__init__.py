"""The markers' names, signatures and one-line meanings. A session without markers loads nothing else of this folder."""

from __future__ import annotations

EFFICIENCY = 0.7  # default of expect_scaling


class Marker:
    """The text of a marker in ``pytest --markers``, a correct use, and the module that implements it."""

    def __init__(self, signature: str, summary: str, example: str, module: str) -> None:
        self.signature: str = signature
        self.summary: str = summary
        self.example: str = example
        self.module: str = module


MARKERS: dict[str, Marker] = {
    "expect_io_bound": Marker(
        "expect_io_bound(*, min_wait=0.5, threads=4 | tasks=4)",
        "the test body spends at least min_wait of its time waiting, and the waits overlap when that many threads run "
        "it (of an async def: that many tasks)",
        "expect_io_bound(min_wait=0.5)",
        "io_bound",
    ),
    "expect_cpu_bound": Marker(
        "expect_cpu_bound(*, min_cpu=0.5, gil=None)",
        "the test body spends at least min_cpu of its time computing; gil='held' or gil='released' also says "
        "whether other threads can run Python at the same time",
        "expect_cpu_bound(min_cpu=0.5)",
        "cpu_bound",
    ),
    "expect_speedup": Marker(
        "expect_speedup(*, at_least=None, at_most=None, sustained=None, threads= | processes= | tasks= | "
        "interpreters= | executor=, workers=None)",
        "N workers do N calls of the test body at least at_least (or at most at_most) times as fast as one worker does "
        "them one after the other",
        "expect_speedup(threads=4, at_least=3)",
        "speedup",
    ),
    "expect_scaling": Marker(
        "expect_scaling(*, threads=(1, 2, 4) | processes= | tasks= | interpreters= | executor=, workers=, "
        f"efficiency={EFFICIENCY})",
        "speedup divided by workers stays at or above efficiency at every count",
        "expect_scaling(threads=(1, 2, 4), efficiency=0.7)",
        "scaling",
    ),
    "expect_gil_released": Marker(
        "expect_gil_released(*, max_hold='5ms')",
        "no single hold of the GIL (global interpreter lock) by the test body lasts longer, so that other threads "
        "can run; one CPU is enough",
        "expect_gil_released(max_hold='5ms')",
        "gil_released",
    ),
    "expect_nonblocking": Marker(
        "expect_nonblocking(*, max_block='50ms')",
        "an async def test body never keeps its event loop from running for longer",
        "expect_nonblocking(max_block='50ms')",
        "nonblocking",
    ),
}

COMMON_SUMMARY = (
    "also takes margin=0.25, max_time='10s', undecided='skip'|'fail'|'pass'|'retry', leftovers='tell'|'fail' and "
    "setup=FUNCTION"
)


def marker_lines() -> list[str]:
    """Return the lines for the ``markers`` ini key."""
    return [f"{marker.signature}: {marker.summary}; {COMMON_SUMMARY}" for marker in MARKERS.values()]
