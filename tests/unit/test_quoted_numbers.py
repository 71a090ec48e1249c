"""Numbers that README and documentation quote are those of the data that they come from."""

from __future__ import annotations

import json
import runpy
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_concurrency.engine import constants

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "benchmarks" / "results" / "verdicts.jsonl"
OURS = "pytest-concurrency-perf"
NOT_MET = ("test_broken", "test_not_met")  # how names of tests begin whose expectation is truly not met
COMPUTE_IN_A_LOCK = ("guarded_digest", "count_under_process_lock")  # in the names of tests of such bodies

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines() -> Lines:
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def upper_bound() -> Callable[[int, int], float]:
    """The function by which the study computes its upper bounds."""
    benchmarks = ROOT / "benchmarks"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(benchmarks))  # its modules import each other by their bare names
        study = runpy.run_path(str(benchmarks / "verdicts.py"))
    return cast("Callable[[int, int], float]", study["upper_bound"])


def of(lines: Lines, who: str, load: str = "") -> Lines:
    return [line for line in lines if line["who"] == who and load in ("", line["load"])]


def undecided(lines: Lines) -> int:
    return sum(line["outcome"] == "skipped" for line in lines)


def wrong(lines: Lines) -> int:
    return sum(line["wrong"] for line in lines)


def truly_not_met(lines: Lines) -> Lines:
    return [line for line in lines if line["test"].startswith(NOT_MET)]


def rate(some: int, total: int) -> str:
    return f"{some / total:.1%}"


def page(name: str) -> str:
    """The text of a page, without the places where its lines are broken."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def test_readme_quotes_verdicts_of_the_study(lines: Lines) -> None:
    ours = of(lines, OURS)
    losses = truly_not_met(ours)
    assert wrong(ours) == 0
    text = page("README.md")
    assert f"{len(ours) - undecided(ours):,} of {len(ours):,} verdicts were decided, and none was wrong" in text
    assert (
        f"{rate(undecided(ours), len(ours))} of the verdicts were undecided, and so were "
        f"{rate(undecided(losses), len(losses))} of those that should have been failures"
    ) in text


def test_study_quotes_its_verdicts(lines: Lines, upper_bound: Callable[[int, int], float]) -> None:
    ours = of(lines, OURS)
    losses = truly_not_met(ours)
    decided, open_ = len(ours) - undecided(ours), undecided(ours)
    failed = sum(line["outcome"] == "failure" for line in losses)
    busiest = truly_not_met(of(lines, OURS, "busy 4"))
    text = page("docs/explanation/accuracy-study.md")
    assert (
        f"{decided:,} verdicts were decided, and none was wrong (at most {upper_bound(0, decided):.2%}). "
        f"{open_} of {len(ours):,} ({rate(open_, len(ours))}) were undecided."
    ) in text
    compared = [line for line in ours if "compare" in line["test"]]
    others = [line for line in ours if "compare" not in line["test"]]
    in_a_lock = [line for line in others if any(name in line["test"] for name in COMPUTE_IN_A_LOCK)]
    in_own_thread = [line for line in others if line["test"] == "test_broken_computing_in_a_helper"]
    assert (
        f"Of these, {undecided(compared)} were comparisons of two functions, {undecided(in_a_lock)} were of bodies "
        f"that compute while they hold a lock, and {undecided(in_own_thread)} were of a body that computes in its own "
        "thread."
    ) in text
    assert (
        f"Of {len(losses)} runs of tests that are truly not met, {failed} failed, and {undecided(losses)} "
        f"({rate(undecided(losses), len(losses))}) ended undecided"
    ) in text
    assert f"With four busy programs it was {undecided(busiest)} of {len(busiest)}." in text


def test_study_has_a_row_for_each_load(lines: Lines, upper_bound: Callable[[int, int], float]) -> None:
    text = (ROOT / "docs" / "explanation" / "accuracy-study.md").read_text(encoding="utf-8")
    loads = [*dict.fromkeys(line["load"] for line in lines), ""]
    for load in loads:
        chosen = of(lines, OURS, load)
        seconds = sorted(line["seconds"] for line in chosen)
        row = (
            f"| {load or 'all'} | {len(chosen)} | {wrong(chosen)} | {upper_bound(wrong(chosen), len(chosen)):.2%} | "
            f"{rate(undecided(chosen), len(chosen))} | {statistics.median(seconds):.2f} | "
            f"{seconds[int(len(seconds) * 0.95)]:.2f} |"
        )
        assert row in text


@pytest.mark.parametrize(("who", "called"), [("one shot", "one ratio"), ("best of five", "best of five")])
def test_study_quotes_hand_written_ratios(lines: Lines, who: str, called: str) -> None:
    # In these sessions the plugin had replaced async bodies, so that they say nothing of a hand-written ratio.
    ratios = [line for line in of(lines, who) if line["outcome"] != "skipped" and "tasks" not in line["test"]]
    idle = [line for line in ratios if line["load"] == "idle"]
    loaded = [line for line in ratios if line["load"] != "idle"]
    row = f"| {called} | {wrong(idle)} of {len(idle)} wrong | {wrong(loaded)} of {len(loaded)} wrong |"
    assert row in page("docs/explanation/accuracy-study.md")


def test_study_quotes_assumed_errors_of_single_rounds() -> None:
    assumed = dict(constants.VOTE_ERROR)
    assert (
        f"assumes that {assumed[1.0]:.0%} of the rounds close to the cut are wrong, {assumed[1.3]:.0%} at a distance "
        f"of 1.3x, and {assumed[1.7]:.0%} at 1.7x."
    ) in page("docs/explanation/accuracy-study.md")


def test_page_on_results_quotes_undecided_losses_of_the_study(lines: Lines) -> None:
    losses = truly_not_met(of(lines, OURS))
    assert (
        f"of {len(losses)} runs of tests that are truly not met, {undecided(losses)} "
        f"({rate(undecided(losses), len(losses))}) ended undecided"
    ) in page("docs/explanation/results.md")


def test_page_on_measuring_quotes_durations_of_the_study(lines: Lines) -> None:
    idle, busy = ([line["seconds"] for line in of(lines, OURS, load)] for load in ("idle", "busy 4"))
    assert (
        f"the median was {statistics.median(idle):.2f} s on an idle machine and {statistics.median(busy):.2f} s while "
        f"four other programs computed. The mean was {statistics.mean(idle):.2f} s and {statistics.mean(busy):.2f} s:"
    ) in page("docs/explanation/how-it-measures.md")


def test_ci_guide_quotes_range_of_undecided_tests(lines: Lines) -> None:
    loads = {line["load"] for line in lines} - {"idle"}
    shares = [undecided(of(lines, OURS, load)) / len(of(lines, OURS, load)) for load in loads]
    assert f"{min(shares):.0%} to {max(shares):.0%} of the tests were undecided" in page("docs/howto/ci.md")


def test_predictions_for_xdist_are_as_good_as_the_page_says() -> None:
    data = json.loads((ROOT / "benchmarks" / "results" / "xdist.json").read_text(encoding="utf-8"))
    off = [
        suite["predicted"][workers]
        / suite["predicted"]["0"]
        / (statistics.mean(suite["measured"][workers]) / statistics.mean(suite["measured"]["0"]))
        for suite in data["suites"]
        for workers in ("2", "4")
    ]
    names = [suite["suite"] for suite in data["suites"]]
    said = page("docs/howto/survey.md")
    assert f"suites of {', '.join(names[:-1])} and {names[-1]}," in said
    assert f"within {max(abs(ratio - 1) for ratio in off):.0%}" in said
