"""The published schema and the check of files come from the same types."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_concurrency.core.outcomes import Arm, Estimate, PerBody, Point
from pytest_concurrency.machine import cpus
from pytest_concurrency.runs import record, schema

from ..make import outcome

DOCS = Path(__file__).parents[3] / "docs"
CURVE = (Point(2, Estimate(1.9, 1.8, 2.0), 0.95, 0.05, 0.0, 0.1, 0.0, 0.0, None),) * 2
FIRST = {"seconds": 10.1, "reason": "no verdict within 10 s"}
ARMS = (Arm("threads", 4, 2, (0.02,), (0.004,), None, (0.076,), "", PerBody(0.01, 0.0005, 0.0095, None)),)


def a_run() -> dict[str, Any]:
    outcomes = [
        outcome(curve=CURVE, arms=ARMS),
        outcome(verdict="not_met"),
        outcome(verdict="undecided", estimate=None),
    ]
    made = record.run_of(cpus.environment(), [record.record_of("a.py::test_a", outcomes, first_attempt=FIRST)])
    return json.loads(json.dumps({**made, "name": "main", "created": "2026-01-01T00:00:00Z"}))  # type: ignore[no-any-return]


def check(run: dict[str, Any]) -> None:
    schema.check_head({name: value for name, value in run.items() if name != "records"})
    schema.check_records(run["records"])


def test_published_schema_is_what_the_types_say() -> None:
    text = runpy.run_path(str(DOCS / "make_schema.py"))["text"]()
    stale = "run: python docs/make_schema.py"
    assert (DOCS / "report-schema.json").read_text(encoding="utf-8") == text, stale


def test_run_that_is_written_keeps_to_the_published_schema_and_can_be_read() -> None:
    run = a_run()
    jsonschema.validate(run, schema.published(), jsonschema.Draft202012Validator)
    check(run)


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a document, whatever is in it."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(one for part in below for one in _objects(part))]


def test_properties_that_are_not_known_pass_wherever_they_stand() -> None:
    run = a_run()
    for value in _objects(run):
        value["team"] = {"any": ["thing", None]}
    check(run)
    jsonschema.validate(run, schema.published(), jsonschema.Draft202012Validator)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values that hold no others, outside of what an author wrote."""
    if isinstance(value, dict):
        return [one for name, part in value.items() if name != "arguments" for one in _leaves(part, (*place, name))]
    if isinstance(value, list) and value:
        return [one for number, part in enumerate(value) for one in _leaves(part, (*place, number))]
    return [place]


@pytest.mark.parametrize("place", _leaves(a_run()["records"][0]), ids=lambda place: ".".join(map(str, place)))
def test_wrong_value_is_reported_with_its_place(place: tuple[Any, ...]) -> None:
    run = a_run()
    target: Any = run["records"][0]
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = object  # no type of JSON
    with pytest.raises(schema.SchemaError) as raised:
        check(run)
    said = str(raised.value)
    assert said.startswith("records[0].")
    assert " must be " in said
    whole = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    assert said.startswith(f"records[0]{whole} ")
