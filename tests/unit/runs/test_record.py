from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_concurrency.core.model import Interference
from pytest_concurrency.core.outcomes import Arm
from pytest_concurrency.runs import record

from ..make import outcome

ARMS = (
    Arm("threads", 1, 2, (0.02, 0.02), (0.001, 0.001), None, (0.019, 0.019)),
    Arm("threads", 4, 2, (0.02, 0.02), (0.004, 0.004), (0.0, 0.001), (0.076, 0.076), "pinned"),
)


def test_a_record_survives_json() -> None:
    made = record.record_of("test_it.py::test_a", [outcome(arms=ARMS), outcome(verdict="not_met", reason="slow")])
    back = json.loads(json.dumps(made, allow_nan=False))
    assert [expectation["verdict"] for expectation in back["expectations"]] == ["met", "not_met"]
    assert back["nodeid"] == "test_it.py::test_a"
    assert back["arms"][1]["cpu"] == [0.004, 0.004]
    assert back["arms"][0]["delay"] is None
    assert back["bound"]["kind"] == "io"
    assert back["expectations"][0]["estimate"] == {"value": 3.97, "low": 3.91, "high": 4.02, "unit": "ratio"}


def test_a_record_is_of_plain_json_types_before_it_is_written() -> None:
    made = record.record_of("test_it.py::test_a", [outcome(arms=ARMS)])
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("missing", ["bound", "estimate", "threshold"])
def test_what_is_not_known_is_null(missing: str) -> None:
    made = record.record_of("a", [outcome(**{missing: None}, interference=Interference())])
    assert json.loads(json.dumps(made))["expectations"][0][missing] is None


@pytest.mark.parametrize(
    ("value", "plain"),
    [((1, 2), [1, 2]), ("auto", "auto"), (Path("a"), repr(Path("a"))), ([None, True], [None, True])],
)
def test_arguments_of_any_type_are_kept_readable(value: object, plain: object) -> None:
    made = record.record_of("a", [outcome(arguments={"threads": value})])
    assert made["expectations"][0]["arguments"] == {"threads": plain}


def test_a_run_has_its_version_and_copies() -> None:
    records = [record.record_of("a", [outcome()])]
    run = record.run_of({"python": "3.14"}, records)
    assert run["schema"] == 1
    run["records"][0]["nodeid"] = "changed"
    assert records[0]["nodeid"] == "a"


class _Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Path("a/b"), "PosixPath('a/b')"),
        (float("nan"), None),
        ({"x": [float("inf"), 1.5]}, {"x": [None, 1.5]}),
        (_Text("word"), "word"),
        (True, True),
    ],
)
def test_whatever_plugins_put_into_a_record_becomes_plain_json(value: object, plain: object) -> None:
    found = record.plain(value)
    assert found == plain
    assert type(found) is type(plain)
    json.dumps(found, allow_nan=False)
