"""What a run file must look like to be read without surprises (pure).

Not the whole published schema: what this package itself reads. Properties that are not known here pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from pytest_concurrency.runs.record import SCHEMA

Check = Callable[[Any], None]


class SchemaError(Exception):
    """Says what should be there. The place is put together on the way up, so that good files cost no text."""

    def __init__(self, what: str, cure: str = "Make the run again, or restore the file") -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure
        self.place = ""

    def below(self, name: str) -> SchemaError:
        self.place = name + ("" if self.place.startswith("[") or not self.place else ".") + self.place
        return self

    def __str__(self) -> str:
        return f"{self.place} {self.what}".lstrip()


def check_head(value: Any) -> None:
    """Check everything but the records.

    :raises SchemaError: it is no run, or one of a newer version.
    """
    if not isinstance(value, dict) or "schema" not in value:
        raise SchemaError('it is not a run: a run is a JSON object with "schema", "environment" and "records"')
    schema = value["schema"]
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise SchemaError(f"schema must be a number from 1, and is {_short(schema)}")
    if schema > SCHEMA:
        raise SchemaError(
            f"it was written by a newer version: its schema is {schema}, and this version reads up to {SCHEMA}",
            "Upgrade: pip install --upgrade pytest-concurrency-perf",
        )
    _HEAD(value)


def newer(value: Mapping[str, Any]) -> bool:
    """Whether a document says that a newer version wrote it, whatever else is in it."""
    return isinstance(value.get("schema"), int) and value["schema"] > SCHEMA


def check_records(value: list[Any]) -> None:
    """Check the tests' records.

    :raises SchemaError: names the place and what should be there.
    """
    try:
        _RECORDS(value)
    except SchemaError as wrong:
        raise wrong.below("records") from None


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise SchemaError(f"must be a text, and is {_short(value)}")


def _number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
        raise SchemaError(f"must be a number, and is {_short(value)}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False


def _count(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SchemaError(f"must be a whole number from 0, and is {_short(value)}")


def _truth(value: Any) -> None:
    if not isinstance(value, bool):
        raise SchemaError(f"must be true or false, and is {_short(value)}")


def _mapping(value: Any) -> None:
    if not isinstance(value, dict):
        raise SchemaError(f"must be an object, and is {_short(value)}")


def _list(value: Any) -> None:
    if not isinstance(value, list):
        raise SchemaError(f"must be a list, and is {_short(value)}")


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> None:
        if value not in choices:
            raise SchemaError(f"must be one of {', '.join(choices)}, and is {_short(value)}")

    return check


def _or_null(inner: Check) -> Check:
    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def _list_of(inner: Check) -> Check:
    def check(value: Any) -> None:
        _list(value)
        number = 0
        try:
            for number, item in enumerate(value):  # noqa: B007  # for the place, below
                inner(item)
        except SchemaError as wrong:
            raise wrong.below(f"[{number}]") from None

    return check


_each_number = _list_of(_number)


def _numbers(value: Any) -> None:
    """As a list of numbers, quickly: most of a file is that."""
    _list(value)
    if not _are_finite(value):
        _each_number(value)


def _are_finite(values: list[Any]) -> bool:
    """Whether all are floats and finite; not so, perhaps, if they are too large to be summed up."""
    return set(map(type, values)) <= {float} and math.isfinite(sum(values))


def _pair(value: Any) -> None:
    if type(value) is not list or len(value) != 2:
        raise SchemaError(f"must be a low and a high number, and is {_short(value)}")
    _each_number(value)


_each_pair = _list_of(_pair)


def _pairs(value: Any) -> None:
    _list(value)
    are_pairs = set(map(type, value)) <= {list} and set(map(len, value)) <= {2}
    if not (are_pairs and _are_finite(list(chain.from_iterable(value)))):
        _each_pair(value)


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    optional = optional or {}
    everything = [(name, inner, True) for name, inner in required.items()]
    everything += [(name, inner, False) for name, inner in optional.items()]

    def check(value: Any) -> None:
        _mapping(value)
        name = ""
        try:
            for name, inner, needed in everything:
                if name in value:
                    inner(value[name])
                elif needed:
                    raise SchemaError("is missing")
        except SchemaError as wrong:
            raise wrong.below(name) from None

    return check


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


_ESTIMATE = _object({"value": _number, "low": _number, "high": _number, "unit": _one_of("ratio", "share", "seconds")})
_POINT = _object(
    {
        "workers": _count,
        "speedup": _ESTIMATE,
        **dict.fromkeys(
            ("efficiency", "serial_part", "serial_part_low", "serial_part_high", "more_cpu", "more_blocked"), _number
        ),
        "more_delay": _or_null(_number),
    }
)
_KIND = _one_of("io", "cpu", "mixed", "serialized")
_EXPECTATION = _object(
    {
        "marker": _text,
        "arguments": _mapping,
        "verdict": _one_of("met", "not_met", "undecided", "unmeasurable"),
        "reason": _text,
        "estimate": _or_null(_ESTIMATE),
        "threshold": _or_null(_number),
        "rounds": _count,
        "seconds": _number,
    },
    {
        **dict.fromkeys(("claim", "workers", "advice", "hint", "subject"), _text),
        "comparison": _one_of(">=", "<="),
        "bound": _or_null(_KIND),
        "curve": _list_of(_POINT),
        "series": _list_of(_object({"workers": _or_null(_count), "bounds": _pairs})),
        "change": _or_null(_object({"kind": _text, "text": _text})),
    },
)
_ARM = _object(
    {"backend": _text, "workers": _count, "wall": _numbers, "cpu": _numbers, "blocked": _numbers},
    {
        "delay": _or_null(_numbers),
        "loops": _count,
        "note": _text,
        "body": _or_null(_object({"wall": _number, "cpu": _number, "blocked": _number, "delay": _or_null(_number)})),
    },
)
_BOUND = _object({"kind": _KIND, "cpu_share": _number, "wait_share": _number, "gil": _text, "evidence": _text})
_INTERFERENCE = _object(dict.fromkeys(("foreign", "steal", "throttled"), _or_null(_number)))
_RECORD = _object(
    {"nodeid": _text, "expectations": _list_of(_EXPECTATION)},
    {"bound": _or_null(_BOUND), "arms": _list_of(_ARM), "interference": _INTERFERENCE},
)


def _kinds_of_cores(value: Any) -> None:
    if value != {}:
        _object({"performance": _count, "efficiency": _count})(value)


_RECORDS = _list_of(_RECORD)
_CHANGE = _object({"nodeid": _text, "kind": _text, "is_regression": _truth, "text": _text})
_COMPARISON = _object({"baseline": _text, "tally": _text, "changes": _list_of(_CHANGE)}, {"baseline_created": _text})
_HEAD = _object(
    {
        "environment": _object(
            {"python": _text, "implementation": _text, "gil": _truth, "system": _text, "cpus_usable": _number},
            {
                **dict.fromkeys(("cpus_logical", "cpus_allowed", "python_cpu_count", "cores"), _or_null(_number)),
                "cpu_quota": _or_null(_number),
                "core_kinds": _kinds_of_cores,
                "missing_readings": _list_of(_text),
            },
        )
    },
    {"name": _text, "created": _text, "regressions": _list_of(_text), "comparison": _COMPARISON},
)
