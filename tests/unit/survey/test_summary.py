"""What a survey makes of readings, as a reader meets it: in the terminal's lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from pytest_concurrency.machine import cpus
from pytest_concurrency.reports import survey_text
from pytest_concurrency.runs import record, schema
from pytest_concurrency.survey import values
from pytest_concurrency.survey.summary import Session
from pytest_concurrency.survey.values import Phase, SurveyedTest

from .make import a_survey, a_test, block

SESSION = Session(elapsed=12.0, cpus=2.0)
SUITE = [
    a_test("test_checkout", cpu=0.2, blocked=5.8, setup=Phase(1.0, 0.1, 0.0, 0.0)),
    a_test("test_prices", cpu=1.9, delay=0.1),
    a_test("test_tool", blocked=0.5, children=0.5),
    a_test("test_page", blocked=0.2, blocks=[block(0.08)]),
]


def text(*tests: SurveyedTest, session: Session = SESSION, width: int = 80) -> str:
    lines = [line for line, _ in survey_text.lines_of(a_survey(*tests, session=session), width)]
    assert all(len(line) <= width for line in lines if "https://" not in line)
    return "\n".join(lines)


def rows_of(found: str, head: str) -> list[list[str]]:
    section = found.partition(f"\n{head} ")[2].partition("\n\n")[0]
    return [re.split(r"  +", line.strip()) for line in section.splitlines()[1:]]


def test_headline_and_parts() -> None:
    found = text(*SUITE)
    assert found.startswith("4 tests in 12 s: 69% waiting, 26% computing, 5% in child processes")
    rows = {row[0]: row[1:] for row in rows_of(found, "where the time goes")}
    assert rows["fixtures"] == ["1.00 s", "0.10 s", "0.90 s", "-", "-"]
    assert rows["test calls"] == ["9.20 s", "2.10 s", "6.50 s", "0.10 s", "0.50 s"]


def test_fixtures_stand_apart_from_the_call() -> None:
    rows = rows_of(text(*SUITE), "what waits")
    assert rows[0] == ["test_shop.py::test_checkout", "5.80 s", "97%", "I/O-bound"]
    assert rows[1] == ["test_shop.py::test_checkout (fixtures)", "0.90 s", "90%"]


def test_blocks_of_loops_are_listed_by_line() -> None:
    rows = rows_of(text(*SUITE), "line that blocks an event loop")
    assert rows == [["shop.py:3 in load: time.sleep(1)", "80.0 ms", "1", "1"]]


def test_failed_tests_are_kept_apart() -> None:
    failed = a_test("test_fails", blocked=4.0, outcome="failed")
    found = text(*SUITE, failed)
    assert found.startswith("5 tests in 8 s: 69% waiting")
    assert "test_fails" not in found
    assert "1 test failed, and took 4 s. It is not counted above." in found.replace("\n", " ")
    assert a_survey(*SUITE, failed)["xdist"] == a_survey(*SUITE)["xdist"]


def test_measured_and_unseen_tests_are_said_to_be_left_out() -> None:
    session = replace(SESSION, measured=Phase(3.0, 1.0), measured_tests=2, unseen=1, foreign=1.3)
    found = text(*SUITE, session=session).replace("\n", " ")
    assert "2 tests measured concurrency, and took 3 s: that is no ordinary run" in found
    assert "1 test ran in processes that another plugin made" in found
    assert "Other programs used 1.3 CPUs" in found


@pytest.mark.parametrize("measured", [0, 2])
def test_survey_of_nothing_says_so(measured: int) -> None:
    found = text(session=replace(SESSION, measured_tests=measured, measured=Phase(1.0, 1.0)))
    said = "each test that ran measured concurrency" if measured else "no test ran"
    assert found.startswith(f"There was nothing to survey: {said}.")
    assert "xdist" not in found


def test_prediction_in_one_sentence() -> None:
    found = text(*[a_test(f"test_{number}", cpu=0.4, blocked=0.6) for number in range(100)]).replace("\n", " ")
    assert "60% of this suite waits: -n 8 on these 2 CPUs would take about 23 s instead of 100 s (-n 2" in found


def test_prediction_where_nothing_is_gained() -> None:
    found = text(a_test(cpu=0.01)).replace("\n", " ")
    assert "pytest-xdist would bring nothing on these 2 CPUs: the suite takes about 0.61 s without it" in found


@pytest.mark.parametrize("delay", [0.0, None])
def test_survey_keeps_to_the_published_schema_and_can_be_read(delay: float | None) -> None:
    tests = [*SUITE, a_test("test_unread", cpu=0.1, delay=delay), a_test("test_bad", cpu=1.0, outcome="failed")]
    run = {**record.run_of(cpus.environment(), []), "survey": a_survey(*tests)}
    written = json.loads("".join(record.text_of(run)))
    assert written == run
    jsonschema.validate(written, schema.published(), jsonschema.Draft202012Validator)
    schema.check_head({name: value for name, value in written.items() if name != "records"})


def test_readings_travel_on_a_report_unchanged() -> None:
    for test in SUITE:
        sent = json.loads(json.dumps(values.on_report(test)))
        assert values.from_report(test.nodeid, sent) == test._replace(blocks=tuple(test.blocks))
