"""Saved runs and the gate: a certain loss is the test's own failure, and nothing else is."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from statistics import median
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import (
    REPORT,
    THREADS,
    Suite,
    assert_keeps_to_schema,
    assert_other_passed,
    assert_outcome,
    next_body,
    records,
    rerun,
    text_of,
)

from pytest_concurrency.testing import ScriptedBody

GATE = ("--concurrency-compare", "--concurrency-compare-fail=speedup:10%")
FETCH = """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_least=0.5)
def test_fetch():
    time.sleep(0.004)
"""
QUICK = next_body(THREADS)  # as few rounds as there can be
LOCKED = FETCH.replace("    time.sleep", "    with LOCK: time.sleep")


def runs(pytester: pytest.Pytester, folder: str = ".concurrency") -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((pytester.path / folder).glob("*.json"))}


def save(suite: Suite, source: str, name: str = "base") -> None:
    assert suite(source, f"--concurrency-save={name}").ret == 0


def test_a_lock_added_to_a_fetch_fails_its_test(suite: Suite, pytester: pytest.Pytester) -> None:
    save(suite, FETCH)
    result = suite(LOCKED, *GATE, "--junitxml=out.xml", subprocess=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert_outcome(result, "test_fetch", "FAILED")
    assert_other_passed(result)
    text = text_of(result)
    assert re.search(
        r"expect_speedup\(threads=4, at_least=0\.5\) REGRESSED from base: (0\.9\d|1\.0\d)x, and it was "
        r"(3\.[89]\d|4\.\d\d)x "
        r"\(-7\d%\); allowed loss: speedup:10%\.",
        " ".join(text.split()),
    )
    assert "Cause: serialized. A serial call waits" in text
    assert "/page/regression/" in text
    assert "the second with newly started workers after a pause" in " ".join(text.split())
    assert "1 compared: 1 regressed" in text
    assert "Traceback" not in text
    assert "gate.py" not in text
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "out.xml").iter("testcase")}
    assert len(cases["test_fetch"].findall("failure")) == 1
    assert cases["test_other"].find("failure") is None


COMPUTES = """
@pytest.mark.expect_speedup(processes=2, at_least=0.5)
def test_body():
    sum(range(50_000))
"""


@pytest.mark.parametrize(("lock", "high"), [(0.0, 2.1), (1.0, 3.8)], ids=["delivered", "half delivered"])
def test_what_the_machine_did_not_deliver_may_be_missing_from_a_figure(
    suite: Suite, pytester: pytest.Pytester, scripted: Callable[..., None], lock: float, high: float
) -> None:
    """A body that is known to be parallel runs beside one that computes."""
    scripted(ScriptedBody(cpu=0.008), ScriptedBody(cpu=0.008, lock=lock))
    save(suite, COMPUTES)
    (series,) = runs(pytester)["base"]["records"][0]["expectations"][0]["series"]
    assert all(1.8 < low < 2.1 for low, _ in series["bounds"])
    assert median(high for _, high in series["bounds"]) == pytest.approx(high, rel=0.1)


def test_unchanged_code_passes_and_it_is_said(suite: Suite) -> None:
    save(suite, FETCH)
    result = suite(FETCH, *GATE)
    assert result.ret == 0
    assert re.search(r"compared with base of \d{4}-\d\d-\d\d", text_of(result))
    assert re.search(r"1 compared: 1 (unchanged|without a significant change)", text_of(result))


def test_without_a_limit_nothing_fails_and_the_loss_is_reported(suite: Suite) -> None:
    save(suite, FETCH)
    result = suite(LOCKED, "--concurrency-compare=base")
    assert result.ret == 0
    result.stdout.re_match_lines(
        [r"REGRESSED +test_suite\.py::test_fetch", r" +speedup, 4 threads: .*x -> .*x \(-7\d%\)"]
    )


def test_a_better_figure_is_reported_so_that_the_baseline_can_be_raised(suite: Suite) -> None:
    save(suite, LOCKED)
    result = suite(FETCH, *GATE)
    assert result.ret == 0
    result.stdout.re_match_lines([r"IMPROVED +test_suite\.py::test_fetch", r" +speedup, 4 threads: .*\(\+\d+%\)"])
    assert "renew the baseline: run once with --concurrency-save and without" in " ".join(text_of(result).split())


def test_xfail_keeps_its_meaning(suite: Suite) -> None:
    save(suite, FETCH)
    result = suite(LOCKED.replace("@pytest.mark.expect", "@pytest.mark.xfail\n@pytest.mark.expect"), *GATE)
    assert_outcome(result, "test_fetch", "XFAIL")
    assert result.ret == 0


def test_the_fixture_is_gated_at_the_line_that_asks(suite: Suite) -> None:
    source = """
LOCK = threading.Lock()
def fetch():
    time.sleep(0.004)
def one_by_one():
    for _ in range(3): fetch()
def together():
    workers = [threading.Thread(target=fetch) for _ in range(3)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()

def test_speedup(concurrency):
    assert concurrency.speedup(fetch, threads=4) >= 0.5

def test_compare(concurrency):
    assert concurrency.compare(one_by_one, together) >= 0.5

def test_bound(concurrency):
    assert concurrency.bound(fetch) in ("io", "serialized")
"""
    save(suite, source)
    result = suite(source.replace("    time.sleep", "    with LOCK: time.sleep"), *GATE)
    for name in ("test_speedup", "test_bound"):
        assert_outcome(result, name, "FAILED")
    assert "> assert concurrency.speedup(fetch, threads=4) >= 0.5" in text_of(result)
    assert "REGRESSED from base" in text_of(result)


def test_a_loss_that_new_workers_do_not_confirm_passes(suite: Suite) -> None:
    """The lock goes away after the first measurement, as a bad moment of a machine does."""
    save(suite, FETCH)
    source = (
        LOCKED.replace("with LOCK", "with (LOCK if time.monotonic() < END[0] else BUSY)")
        + """
END, BUSY = [0.0], threading.Semaphore(9)

@pytest.fixture(autouse=True)
def until():
    from pytest_concurrency.runs import regression_check
    def pause(seconds):
        if seconds == regression_check._PAUSE:
            END[0] = 0.0
    END[0] = time.monotonic() + 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression_check.CLOCKS, "sleep", pause)
        yield
"""
    )
    result = suite(source, *GATE, "--concurrency-report=json:out.json")
    assert result.ret == 0
    assert "it looked slower than in base, and a second measurement did not confirm it" in text_of(result)
    assert "1 undecided" in text_of(result)


def test_no_baseline_yet_is_said_and_passes(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(FETCH, *GATE)
    assert result.ret == 0
    assert "no baseline yet: nothing is saved in .concurrency" in text_of(result)
    assert not (pytester.path / ".concurrency").exists()
    result = suite(FETCH, "--concurrency-compare=main", GATE[1], "--concurrency-save=main")
    assert result.ret == 0
    assert "no baseline yet: there is no run main in .concurrency" in text_of(result)
    assert "saved as main" in text_of(result)
    # The same line in every job: the first saves, the others compare.
    result = suite(LOCKED, "--concurrency-compare=main", GATE[1], "--concurrency-save=main")
    assert result.ret == 1
    assert list(runs(pytester)) == ["main"]


def test_a_run_with_regressions_is_no_baseline_unless_it_is_named(suite: Suite, pytester: pytest.Pytester) -> None:
    save(suite, FETCH)
    suite(LOCKED, *GATE, "--concurrency-save=slow")
    assert runs(pytester)["slow"]["regressions"] == ["test_suite.py::test_fetch"]
    result = suite(LOCKED, *GATE)
    assert result.ret == 1
    assert "slow has regressions of its own" in text_of(result)
    assert suite(LOCKED, "--concurrency-compare=slow", GATE[1]).ret == 0


def test_new_and_deleted_tests_are_listed(suite: Suite) -> None:
    save(suite, FETCH)
    result = suite(FETCH.replace("test_fetch", "test_renamed"), *GATE)
    assert result.ret == 0
    text = text_of(result)
    assert re.search(r"NEW +test_suite\.py::test_renamed speedup, 4 threads: \d", text)
    assert re.search(r"REMOVED +test_suite\.py::test_fetch speedup, 4 threads: \d", text)
    assert "nothing to compare; 1 new; 1 removed" in text


def test_another_machine_is_no_comparison_and_says_why(suite: Suite, pytester: pytest.Pytester) -> None:
    save(suite, FETCH)
    path = pytester.path / ".concurrency/base.json"
    path.write_text(path.read_text().replace('"gil": true', '"gil": false', 1))
    for wanted in ("--concurrency-compare", "--concurrency-compare=base"):
        result = suite(LOCKED, wanted, GATE[1])
        assert result.ret == 0
        assert re.search(r"base cannot be compared.*GIL: off and on", text_of(result))


def test_what_is_saved_keeps_to_the_published_schema(suite: Suite, pytester: pytest.Pytester) -> None:
    source = (
        FETCH + "\n@pytest.mark.expect_scaling(threads=(1, 2, 3), efficiency=0.6)\ndef test_b(): time.sleep(0.004)\n"
    )
    save(suite, source)
    suite(LOCKED, *GATE, "--concurrency-save=slow")
    saved = runs(pytester)
    for run in saved.values():
        assert_keeps_to_schema(run)
    fetch, curve = saved["base"]["records"]
    assert [points["workers"] for points in curve["expectations"][0]["series"]] == [2, 3]
    assert len(fetch["expectations"][0]["series"][0]["bounds"]) >= 24
    assert saved["slow"]["records"][0]["expectations"][0]["change"]["kind"] == "regression"


def test_by_default_the_name_is_the_time(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(FETCH, "--concurrency-save", "--concurrency-storage=kept")
    suite(FETCH, "--concurrency-save", "--concurrency-storage=kept")
    names = list(runs(pytester, "kept"))
    assert len(names) == 2
    assert all(re.fullmatch(r"\d{8}-\d{6}(-2)?", name) for name in names)


def test_collecting_writes_nothing(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(FETCH, "--co", "--concurrency-save=base", *GATE)
    assert result.ret == 0
    assert not (pytester.path / ".concurrency").exists()
    assert "saved" not in text_of(result)


def test_a_run_that_measured_nothing_or_was_cut_short_is_not_saved(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite("", "--concurrency-save=base")
    assert result.ret == 0
    assert "not saved: no test measured anything" in text_of(result)
    result = suite(
        FETCH + "\ndef test_stop():\n    raise KeyboardInterrupt\n", "--concurrency-save=base", subprocess=True
    )
    assert "not saved: the session was interrupted" in text_of(result)
    assert not (pytester.path / ".concurrency").exists()


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_a_session_that_stops_at_a_failure_is_not_saved(suite: Suite, pytester: pytest.Pytester, option: str) -> None:
    result = suite(FETCH + "\ndef test_stop():\n    assert False\n", "--concurrency-save=base", option, subprocess=True)
    result.assert_outcomes(passed=1, failed=1)
    assert "not saved: the session was interrupted" in text_of(result)
    assert not (pytester.path / ".concurrency").exists()


@pytest.mark.parametrize(
    ("bad", "saves"),
    [
        ("def test_plain(): assert 0", True),
        ("@pytest.mark.expect_speedup(threads=2, at_least=1.2)\ndef test_bad(): assert 0", False),
        ("def test_bad(concurrency, no_such_fixture): pass", False),
        ("@pytest.mark.xfail\n@pytest.mark.expect_speedup(threads=2, at_least=1.2)\ndef test_bad(): assert 0", True),
        ("@pytest.mark.skip\n@pytest.mark.expect_speedup(threads=2, at_least=1.2)\ndef test_bad(): assert 0", True),
    ],
    ids=["plain test", "body", "setup", "xfail", "skip"],
)
def test_only_a_run_without_failed_measurement_is_kept_if_that_is_asked_for(
    suite: Suite, pytester: pytest.Pytester, bad: str, saves: bool
) -> None:
    result = suite(f"{QUICK}\n{bad}\n", "--concurrency-save=base", "--concurrency-save-on=pass")
    assert set(runs(pytester)) == ({"base"} if saves else set())
    said = "not saved (--concurrency-save-on=pass): 1 measured test failed: test_suite.py::test_bad"
    assert (said in text_of(result)) == (not saves)


def test_when_a_run_is_kept_has_an_ini_key(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_save = base\nconcurrency_save_on = pass\n")
    bad = "@pytest.mark.expect_speedup(threads=2, at_least=1.2)\ndef test_bad(): assert 0\n"
    suite(QUICK + bad)
    assert runs(pytester) == {}
    suite(QUICK + bad, "--concurrency-save-on=always")
    assert set(runs(pytester)) == {"base"}


def test_a_crashed_worker_of_xdist_keeps_a_run_from_being_a_baseline(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    bad = "@pytest.mark.expect_speedup(threads=2, at_least=1.2)\ndef test_bad(): os._exit(1)\n"
    xdist = ("-p", "xdist", "-n1", "--concurrency-save=base", "--concurrency-save-on=pass")
    result = suite(QUICK + bad, *xdist, subprocess=True)
    assert runs(pytester) == {}
    assert "not saved (--concurrency-save-on=pass)" in text_of(result)


def test_without_a_baseline_a_required_comparison_is_a_usage_error(suite: Suite, pytester: pytest.Pytester) -> None:
    for option in ("--concurrency-compare-require", "--concurrency-compare=main"):
        result = suite(FETCH, option, "--concurrency-compare-require")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "no baseline yet" in text_of(result)
        assert "save it with --concurrency-save" in text_of(result)
    suite(FETCH, "--concurrency-save=main").assert_outcomes(passed=2)
    suite(FETCH, "--concurrency-compare=main", "--concurrency-compare-require").assert_outcomes(passed=2)
    path = pytester.path / ".concurrency" / "main.json"
    path.write_text(path.read_text().replace('"system": "Linux"', '"system": "Plan9"'))
    pytester.makeini("[pytest]\nconcurrency_compare_require = true\n")
    result = suite(FETCH)
    assert result.ret == (pytest.ExitCode.USAGE_ERROR if sys.platform == "linux" else 0)


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--concurrency-compare=mian", GATE[1]], True),
        (["--concurrency-compare=mian"], False),
        (["--concurrency-compare=feature", GATE[1]], False),
        (["--concurrency-compare=main-2", "--concurrency-save=main-2", GATE[1]], False),
    ],
    ids=["beside a gate", "without a gate", "another name", "saved under that name"],
)
def test_a_misspelt_baseline_is_asked_back(suite: Suite, options: list[str], refused: bool) -> None:
    suite(FETCH, "--concurrency-save=main").assert_outcomes(passed=2)
    result = suite(FETCH, *options)
    assert result.ret == (pytest.ExitCode.USAGE_ERROR if refused else 0)
    assert ("Did you mean main?" in text_of(result)) == refused


BAD = {
    "storage is a file": (["--concurrency-save", "--concurrency-storage=plain"], "plain is a file"),
    "storage for comparing": (["--concurrency-compare", "--concurrency-storage=plain"], "plain is a file"),
    "name taken": (["--concurrency-save=base"], "a run named base is there already"),
    "no name": (["--concurrency-save=a/b"], "'a/b' cannot be a run's name"),
    "a test for a name": (["--concurrency-save", "test_suite.py::test"], "If 'test_suite.py::test' is what to test"),
    "a test for a run": (["--concurrency-compare", "test_suite.py"], "If 'test_suite.py' is what to test"),
    "damaged": (["--concurrency-compare=damaged"], "damaged.json cannot be read as a run: it is cut off"),
    "newer": (["--concurrency-compare=newer"], "written by a newer version"),
    "unknown figure": (
        ["--concurrency-compare-fail=time:5%"],
        "--concurrency-compare-fail=time:5%: 'time:5%' is not a limit: write FIGURE:LOSS",
    ),
    "no amount": (["--concurrency-compare-fail=speedup"], "FIGURE is speedup or efficiency"),
    "no percent sign": (
        ["--concurrency-compare-fail=speedup:10"],
        "'speedup:10' would let pass a speedup that falls by 10: write speedup:10%",
    ),
}


@pytest.mark.parametrize(("options", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_a_usage_error_before_anything_runs(
    suite: Suite, pytester: pytest.Pytester, options: list[str], said: str
) -> None:
    storage = pytester.path / ".concurrency"
    storage.mkdir()
    (pytester.path / "plain").write_text("mine")
    (storage / "base.json").write_text('{"schema": 1}')
    (storage / "damaged.json").write_text('{"schema": 1, "env')
    (storage / "newer.json").write_text('{"schema": 2}')
    before = {path: path.read_bytes() for path in storage.iterdir()}
    result = suite(FETCH, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert "ERROR: " in text
    assert said in text
    assert "Traceback" not in text
    assert "collected" not in text
    assert {path: path.read_bytes() for path in storage.iterdir()} == before
    assert (pytester.path / "plain").read_text() == "mine"


DRIFT = FETCH.replace("LOCK = threading.Lock()", "SLOTS = threading.Semaphore({})").replace(
    "    time.sleep", "    with SLOTS: time.sleep"
)


def test_a_slow_drift_shows_against_the_anchor(suite: Suite, pytester: pytest.Pytester) -> None:
    """From 4x to 2x and from 2x to 1x are each within 60%, and from 4x to 1x is not."""
    limit = "--concurrency-compare-fail=speedup:60%"
    save(suite, DRIFT.format(4), "v1")
    assert suite(DRIFT.format(2), "--concurrency-anchor=v1", limit, "--concurrency-save=next").ret == 0
    pages = ("--concurrency-report=html:page.html", "--concurrency-report=markdown:page.md", REPORT)
    result = suite(DRIFT.format(1), "--concurrency-anchor=v1", limit, "--concurrency-save=last", *pages)
    assert result.ret == 1
    assert_outcome(result, "test_fetch", "FAILED")
    text = text_of(result)
    assert "REGRESSED from v1:" in text
    assert "If the loss is intended, name a newer run in --concurrency-anchor." in text
    assert re.search(r"concurrency: compared with next of [\d-]+ =+ 1 compared: 1 unchanged", text)
    assert re.search(r"compared with the anchor v1 of [\d-]+: REGRESSED test_suite.py::test_fetch", text)
    assert runs(pytester)["last"]["regressions"] == ["test_suite.py::test_fetch"]
    written = json.loads((pytester.path / "out.json").read_text())
    assert [written[name]["baseline"] for name in ("comparison", "anchor")] == ["next", "v1"]
    assert_keeps_to_schema(written)
    for page in ("page.html", "page.md"):
        assert "1 test has regressed since the anchor v1" in (pytester.path / page).read_text(encoding="utf-8")


def test_an_anchor_that_is_the_newest_run_is_compared_once(suite: Suite) -> None:
    save(suite, QUICK, "v1")
    text = text_of(suite(QUICK, "--concurrency-anchor=v1"))
    assert "compared with v1 of" in text
    assert "the anchor" not in text


@pytest.mark.parametrize(
    ("options", "said", "refused"),
    [
        (["--concurrency-anchor=v2"], "no anchor: there is no run v2 in .concurrency; saved there: v1", False),
        (["--concurrency-anchor=v2", "--concurrency-compare-require"], "compare-require asks for one", True),
        (["--concurrency-anchor=v11", GATE[1]], "Did you mean v1?", True),
        (["--concurrency-anchor=latest"], "name one that stays", True),
        (["--concurrency-anchor="], "is a variable not set?", True),
    ],
)
def test_an_anchor_that_is_not_there(suite: Suite, options: list[str], said: str, refused: bool) -> None:
    save(suite, QUICK, "v1")
    result = suite(QUICK, *options)
    assert said in text_of(result)
    assert result.ret == (pytest.ExitCode.USAGE_ERROR if refused else 0)


def test_each_has_an_ini_key(suite: Suite, pytester: pytest.Pytester) -> None:
    save(suite, FETCH)
    (pytester.path / ".concurrency").rename(pytester.path / "kept")
    pytester.makeini(
        "[pytest]\nconcurrency_storage = kept\nconcurrency_compare = base\n"
        "concurrency_compare_fail = speedup:10%, efficiency:0.1\nconcurrency_save = again\n"
    )
    result = suite(LOCKED)
    assert result.ret == 1
    assert list(runs(pytester, "kept")) == ["again", "base"]
    assert "allowed loss: speedup:10%, efficiency:0.1." in " ".join(text_of(result).split())


@pytest.mark.parametrize("name", ["x y", "[a]", "日本", "a::b", "\\x1b[31m", "l" * 10_000], ids=str.__len__)
def test_tests_with_any_name_find_their_baseline(suite: Suite, name: str) -> None:
    source = FETCH.replace("\n@", f'\n@pytest.mark.parametrize("n", [1], ids=["{name}"])\n@', 1).replace(
        "test_fetch()", "test_fetch(n)"
    )
    save(suite, source)
    result = suite(source.replace("    time.sleep", "    with LOCK: time.sleep"), *GATE, "--tb=no")
    assert result.ret == 1
    shown = [line for line in result.outlines if line.startswith("REGRESSED")]
    assert len(shown) == 1
    assert len(shown[0]) <= 200
    assert "\x1b" not in shown[0]


def test_under_xdist_the_workers_judge_and_one_process_saves(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    save(suite, FETCH)
    result = suite(LOCKED, "-p", "xdist", "-n", "2", *GATE, "--concurrency-save=slow", subprocess=True)
    assert result.ret == 1
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "REGRESSED from base" in text
    assert text.count("1 compared: 1 regressed") == 1
    assert text.count("saved as slow") == 1
    assert list(runs(pytester)) == ["base", "slow"]


def test_no_room_to_save_is_reported_and_costs_no_verdict(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_concurrency.runs import store

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_whole", fail)
    result = suite(FETCH, "--concurrency-save=base")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "the run cannot be saved in" in text_of(result)
    assert "No space left on device" in text_of(result)


def test_a_long_body_says_that_it_had_too_few_rounds(suite: Suite, pytester: pytest.Pytester) -> None:
    source = FETCH.replace("at_least=0.5", 'at_least=0.5, max_time="150ms"').replace("0.004", "0.03")
    save(suite, source)
    result = rerun(pytester, *GATE)
    assert result.ret == 0
    assert re.search(r"the baseline has \d rounds, and 14 are needed", text_of(result))


def test_eighty_columns_are_enough(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    save(suite, FETCH)
    monkeypatch.setenv("COLUMNS", "80")
    result = suite(
        LOCKED.replace("test_fetch", "test_" + "long_" * 20) + LOCKED, *GATE, "--concurrency-save", "--tb=no"
    )
    lines = result.outlines[next(at for at, line in enumerate(result.outlines) if "compared with" in line) :]
    shown = [line for line in lines if not line.startswith(("saved as", "FAILED", "It has"))]
    assert max(map(len, shown)) <= 80


def test_report_files_say_what_is_slower(suite: Suite, pytester: pytest.Pytester) -> None:
    save(suite, FETCH)
    result = suite(LOCKED, *GATE, "--concurrency-report=markdown:r.md", "--concurrency-report=json:r.json")
    assert_outcome(result, "test_fetch", "FAILED")
    text = (pytester.path / "r.md").read_text(encoding="utf-8")
    assert "1 test has regressed since base (2" in text
    assert re.search(
        r"`test_suite.py::test_fetch` is \*\*regressed\*\*: speedup, 4 threads: .*x -\\> .*x \(-7\d%\)", text
    )
    run = json.loads((pytester.path / "r.json").read_text(encoding="utf-8"))
    assert_keeps_to_schema(run)
    assert [change["kind"] for change in run["comparison"]["changes"]] == ["regression"]


CALLS = """
PLACES = threading.Semaphore(2)

def fetch(size="small"):
    if size == "large":
        with PLACES:
            time.sleep(0.01)
    time.sleep(0.01)

def ask():
    with PLACES:
        time.sleep(0.01)

def one_by_one():
    for _ in range(4):
        fetch()

def in_threads(work=fetch):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

def in_threads_that_ask():
    in_threads(ask)

def test_it(concurrency):
"""
QUESTIONS = {
    "another function": ("concurrency.speedup(ask, threads=4) >= 1.2", "concurrency.speedup(fetch, threads=4) >= 2"),
    "other arguments": (
        "concurrency.speedup(fetch, 'large', threads=4) >= 1.2",
        "concurrency.speedup(fetch, 'small', threads=4) >= 2",
    ),
    "arguments of a partial": (
        "concurrency.speedup(functools.partial(fetch, size='large'), threads=4) >= 1.2",
        "concurrency.speedup(functools.partial(fetch, size='small'), threads=4) >= 2",
    ),
    "other callables": (
        "concurrency.compare(one_by_one, in_threads_that_ask) >= 1.2",
        "concurrency.compare(one_by_one, in_threads) >= 2",
    ),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_new_call_before_an_old_one_is_new_and_the_old_one_is_compared_with_itself(
    suite: Suite, pytester: pytest.Pytester, what: str
) -> None:
    new, old = (f"    assert {question}\n" for question in QUESTIONS[what])
    head = "import functools\n" + CALLS
    suite(head + old, "--concurrency-save=main", other=False).assert_outcomes(passed=1)
    result = suite(
        head + new + old, "--concurrency-compare=main", "--concurrency-compare-fail=speedup:10%", REPORT, other=False
    )
    text = text_of(result)
    assert "slower than in main" not in text
    result.assert_outcomes(passed=1)
    assert "1 new" in text
    subjects = [expectation["subject"] for expectation in records(pytester)[0]["expectations"]]
    assert len(set(subjects)) == 2
