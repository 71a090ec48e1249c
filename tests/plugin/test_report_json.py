"""Report files: ``json:PATH`` and ``jsonl:PATH``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Suite, assert_keeps_to_schema, text_of

THREE = """
@pytest.mark.expect_cpu_bound(min_cpu=0.9)
@pytest.mark.expect_io_bound
def test_two():
    time.sleep(0.004)

@pytest.mark.parametrize("n", [4])
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_processes(n):
    time.sleep(0.004)

def test_asking(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_file_holds_every_verdict_with_its_figures(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(THREE, "--concurrency-report=json:new/folder/out.json")
    run = load(pytester.path / "new/folder/out.json")
    assert list(run) == ["schema", "environment", "records"]
    assert run["schema"] == 1
    assert run["environment"]["python"] == ".".join(map(str, __import__("sys").version_info[:3]))
    assert run["environment"]["cpus_usable"] > 0
    records = {record["nodeid"]: record for record in run["records"]}
    assert list(records) == [
        "test_suite.py::test_two",
        "test_suite.py::test_processes[4]",
        "test_suite.py::test_asking",
    ]

    nearest, farther = records["test_suite.py::test_two"]["expectations"]
    assert (nearest["marker"], nearest["verdict"], nearest["reason"]) == ("expect_io_bound", "met", "")
    assert (farther["marker"], farther["verdict"]) == ("expect_cpu_bound", "not_met")
    assert farther["arguments"] == {"min_cpu": 0.9}
    assert farther["threshold"] == 0.9
    assert "is not met" in farther["reason"]

    (asked,) = records["test_suite.py::test_asking"]["expectations"]
    assert (asked["marker"], asked["verdict"], asked["threshold"]) == ("speedup", "met", 2)
    estimate = asked["estimate"]
    assert estimate["unit"] == "ratio"
    assert 2 < estimate["low"] <= estimate["value"] <= estimate["high"]
    assert asked["rounds"] >= 2
    assert asked["seconds"] > 0

    bound = records["test_suite.py::test_two"]["bound"]
    assert bound["kind"] == "io"
    assert bound["wait_share"] > 0.5
    assert bound["evidence"].startswith("a serial call waits for")

    one, two = records["test_suite.py::test_processes[4]"]["arms"]
    assert (one["backend"], one["workers"], two["workers"]) == ("processes", 1, 2)
    assert "start method" in two["note"]
    (verdict,) = records["test_suite.py::test_processes[4]"]["expectations"]
    for arm in (one, two):
        assert len(arm["wall"]) == len(arm["cpu"]) == len(arm["blocked"]) == verdict["rounds"]
        assert all(value >= 0 for value in arm["wall"] + arm["cpu"] + arm["blocked"])


def test_tasks_are_counted_and_their_share_of_the_loop_reported(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        "@pytest.mark.expect_speedup(tasks=4, at_least=2)\nasync def test_body():\n    await asyncio.sleep(0.008)\n",
        "--concurrency-report=json:out.json",
    )
    (record,) = load(pytester.path / "out.json")["records"]
    one, four = record["arms"]
    assert (one["workers"], four["workers"]) == (1, 4)
    for arm in (one, four):
        body = arm["body"]
        assert body["wall"] >= 0.008
        # One thread's time, divided among the tasks that it ran side by side.
        parts = body["cpu"] + body["blocked"] + (body["delay"] or 0.0)
        assert parts == pytest.approx(body["wall"] / arm["workers"], rel=0.5)


def test_lines_hold_the_same_as_the_file(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(THREE, "--concurrency-report=json:out.json", "--concurrency-report=jsonl:out.jsonl")
    run = load(pytester.path / "out.json")
    head, *records = map(json.loads, (pytester.path / "out.jsonl").read_text().splitlines())
    assert head == {"schema": 1, "environment": run["environment"]}
    assert records == run["records"]


def test_what_could_not_be_measured_is_there_with_its_reason(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    suite(
        "@pytest.mark.expect_speedup(processes=2, at_least=1.5)\ndef test_body():\n    time.sleep(0.004)\n",
        "--concurrency-start-method=fork",
        "--concurrency-report=json:out.json",
    )
    (record,) = load(pytester.path / "out.json")["records"]
    (verdict,) = record["expectations"]
    assert verdict["verdict"] == "unmeasurable"
    assert "start method 'fork'" in verdict["reason"]
    assert verdict["estimate"] is None
    assert record["bound"] is None
    assert record["arms"] == []


def test_no_number_that_json_does_not_know(suite: Suite, pytester: pytest.Pytester) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in the file")

    suite(THREE + "\nimport math\n", "--concurrency-report=json:out.json", "--concurrency-max-time=1us")
    json.loads((pytester.path / "out.json").read_text(), parse_constant=refuse)


def test_a_run_without_measured_tests_writes_an_empty_report(suite: Suite, pytester: pytest.Pytester) -> None:
    suite("", "--concurrency-report=json:out.json")
    assert load(pytester.path / "out.json")["records"] == []


def test_an_older_report_is_replaced_as_a_whole(suite: Suite, pytester: pytest.Pytester) -> None:
    (pytester.path / "out.json").write_text("x" * 1_000_000)
    suite("", "--concurrency-report=json:out.json")
    assert load(pytester.path / "out.json")["schema"] == 1
    assert [path.name for path in pytester.path.iterdir() if "out.json" in path.name] == ["out.json"]


@pytest.mark.skipif(os.name != "posix", reason="has no such permissions")
def test_the_file_is_as_readable_as_any_other(suite: Suite, pytester: pytest.Pytester) -> None:
    (pytester.path / "plain").touch()
    suite("", "--concurrency-report=json:out.json")
    assert (pytester.path / "out.json").stat().st_mode == (pytester.path / "plain").stat().st_mode


def test_hooks_can_change_records_and_make_reports_of_their_own(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        def pytest_concurrency_update_record(config, record):
            record["commit"] = "abc"

        def pytest_concurrency_update_environment(config, environment):
            environment["farm"] = 7

        def pytest_concurrency_report(config, run):
            print("REPORT", run["schema"], run["environment"]["farm"], [r["commit"] for r in run["records"]])
        """
    )
    result = suite(
        "@pytest.mark.expect_io_bound\ndef test_body():\n    time.sleep(0.004)\n",
        "-s",
        "--concurrency-report=json:out.json",
    )
    assert "REPORT 1 7 ['abc']" in text_of(result)
    run = load(pytester.path / "out.json")
    assert run["environment"]["farm"] == 7
    assert run["records"][0]["commit"] == "abc"


def test_the_file_keeps_to_the_published_schema(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        THREE
        + """
@pytest.mark.expect_scaling(threads=(1, 2, 3), efficiency=0.6)
def test_curve():
    time.sleep(0.004)

@pytest.mark.expect_gil_released
def test_unheld():
    time.sleep(0.004)
""",
        "--concurrency-report=json:out.json",
    )
    run = load(pytester.path / "out.json")
    assert len(run["records"]) == 5
    assert_keeps_to_schema(run)
