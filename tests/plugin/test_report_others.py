"""What reports of pytest and of other plugins carry: figures as properties, or the whole record."""

from __future__ import annotations

import importlib.util
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import Suite

SOURCE = """
LOCK = threading.Lock()

@pytest.fixture
def own(record_property):
    record_property("own", 1)

@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_met(own):
    time.sleep(0.005)

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_broken():
    with LOCK:
        time.sleep(0.005)

@pytest.mark.expect_speedup(threads=2, at_least=1.5, max_time="1us")
def test_undecided():
    time.sleep(0.005)

def test_twice(concurrency):
    assert concurrency.speedup(time.sleep, 0.005, threads=2) >= 1.2
    assert concurrency.speedup(time.sleep, 0.005, threads=4) >= 2
"""


def _needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"needs {module}")


DISTRIBUTED = pytest.mark.parametrize(
    "how", [(), pytest.param(("-p", "xdist", "-n", "2"), marks=_needs("xdist"))], ids=["alone", "xdist"]
)


def properties(pytester: pytest.Pytester) -> dict[str, list[tuple[str, str]]]:
    tree = ElementTree.parse(pytester.path / "out.xml")
    return {
        case.get("name", ""): [(item.get("name", ""), item.get("value", "")) for item in case.iter("property")]
        for case in tree.iter("testcase")
    }


@DISTRIBUTED
@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_junit(suite: Suite, pytester: pytest.Pytester, family: str, how: tuple[str, ...]) -> None:
    suite(SOURCE, *how, "--junitxml=out.xml", "-o", f"junit_family={family}", subprocess=True)
    found = properties(pytester)
    met = dict(found["test_met"])
    assert met["concurrency_expect_io_bound_verdict"] == "met"
    assert met["concurrency_expect_speedup_verdict"] == "met"
    low, estimate, high = (float(met[f"concurrency_expect_speedup_{name}"]) for name in ("low", "estimate", "high"))
    assert 1 < low <= estimate <= high
    assert float(met["concurrency_expect_speedup_threshold"]) == 3
    assert float(met["concurrency_expect_speedup_seconds"]) > 0
    assert met["concurrency_bound"] == "io"
    assert met["own"] == "1"
    assert dict(found["test_broken"])["concurrency_expect_speedup_verdict"] == "not_met"
    assert dict(found["test_broken"])["concurrency_bound"] == "serialized"
    assert dict(found["test_undecided"])["concurrency_expect_speedup_verdict"] == "undecided"
    assert [value for name, value in found["test_twice"] if name.endswith("threshold")] == ["1.2", "2.0"]
    assert "concurrency_speedup_2_verdict" in dict(found["test_twice"])
    assert found["test_other"] == []
    for names in found.values():
        assert len({name for name, _ in names}) == len(names)


def test_a_test_that_is_run_again_has_the_properties_of_its_last_run(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    )
    suite(SOURCE, "--junitxml=out.xml", "-o", "junit_family=xunit1")
    names = [name for name, _ in properties(pytester)["test_met"] if name.startswith("concurrency")]
    assert names.count("concurrency_expect_speedup_verdict") == 1


@DISTRIBUTED
@_needs("pytest_reportlog")
def test_reportlog(suite: Suite, pytester: pytest.Pytester, how: tuple[str, ...]) -> None:
    suite(SOURCE, *how, "-p", "pytest_reportlog", "--report-log=out.jsonl", subprocess=True)
    lines = [json.loads(line) for line in (pytester.path / "out.jsonl").read_text().splitlines()]
    found = {line["nodeid"]: line["concurrency_record"] for line in lines if "concurrency_record" in line}
    check_records(found)


@DISTRIBUTED
@_needs("pytest_jsonreport")
def test_json_report(suite: Suite, pytester: pytest.Pytester, how: tuple[str, ...]) -> None:
    options = [
        "-p",
        "pytest_metadata.plugin",
        "-p",
        "pytest_jsonreport",
        "--json-report",
        "--json-report-file=out.json",
    ]
    suite(SOURCE, *how, *options, subprocess=True)
    tests = {test["nodeid"]: test for test in json.loads((pytester.path / "out.json").read_text())["tests"]}
    check_records({name: test["metadata"]["concurrency_record"] for name, test in tests.items() if "metadata" in test})
    met = {name: value for pair in tests["test_suite.py::test_met"]["user_properties"] for name, value in pair.items()}
    assert met["concurrency_expect_speedup_verdict"] == "met"
    assert isinstance(met["concurrency_expect_speedup_estimate"], float)
    assert met["own"] == 1


def check_records(found: dict[str, dict[str, Any]]) -> None:
    assert {name.rpartition("::")[2]: record["expectations"][0]["verdict"] for name, record in found.items()} == {
        "test_met": "met",
        "test_broken": "not_met",
        "test_undecided": "undecided",
        "test_twice": "met",
    }
    assert all(name == record["nodeid"] for name, record in found.items())
    assert all(record["arms"] for record in found.values())
