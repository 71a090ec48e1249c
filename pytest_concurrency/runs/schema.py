"""Whether a run's file can be read without surprises, and the published JSON Schema: from run_types and head_types.

Good files are checked by msgspec, in a fraction of the time that reading them takes. For one that is not good, the
types are walked once more, to say what should be where. Properties that are not known pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_concurrency.runs.record import SCHEMA

if TYPE_CHECKING:
    from msgspec import inspect


class SchemaError(Exception):
    """Says what is wrong with a file, and where."""

    def __init__(self, what: str, cure: str = "Make the run again, or restore the file", place: str = "") -> None:
        super().__init__(f"{place} {what}".lstrip())
        self.cure = cure


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
    from pytest_concurrency.runs.head_types import Head

    _check(value, Head, "")


def newer(value: Mapping[str, Any]) -> bool:
    """Whether a document says that a newer version wrote it, whatever else is in it."""
    return isinstance(value.get("schema"), int) and value["schema"] > SCHEMA


def check_records(value: list[Any]) -> None:
    """Check the tests' records.

    :raises SchemaError: names the place and what should be there.
    """
    from pytest_concurrency.runs.run_types import Record

    for number, record in enumerate(value):
        _check(record, Record, f"records[{number}]")


def published() -> dict[str, Any]:
    """Return the JSON Schema of a run as it is written; docs/report-schema.json holds it."""
    import msgspec

    from pytest_concurrency.runs import run_types

    whole = msgspec.json.schema(run_types.Run)
    definitions = {name: _as_written(part) for name, part in whole["$defs"].items()}
    run = definitions.pop("Run")
    del run["title"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pytest-concurrency-perf report, schema version {SCHEMA}",
        **run,
        "$defs": definitions,
    }


def _as_written(value: Any) -> Any:
    """Return a part of the schema without what is about reading only: defaults, and the greatest number there is."""
    from pytest_concurrency.runs.type_parts import MOST

    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if not isinstance(value, dict):
        return " ".join(value.split()) if isinstance(value, str) else value
    made = {
        name: _as_written(part)
        for name, part in value.items()
        if not (name == "default" or (name in ("minimum", "maximum") and abs(part) == MOST))
    }
    if isinstance(value.get("properties"), dict):
        always = [
            name for name, part in value["properties"].items() if name in value.get("required", ()) or "default" in part
        ]
        made["required"] = always
    return made


def _check(value: Any, kind: type, place: str) -> None:
    import msgspec

    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        _walk(value, msgspec.inspect.type_info(kind), place)
        raise SchemaError(str(error), place=place) from None  # it is wrong in a way that only msgspec knows


def _walk(value: Any, kind: inspect.Type, place: str) -> None:
    """Find the first part of a value that is not what its type says.

    :raises SchemaError: there is one.
    """
    from msgspec import inspect

    kind, words, may_be_null = _bare(kind)
    if value is None and may_be_null:
        return
    if isinstance(kind, inspect.StructType):
        _walk_struct(value, kind, place)
    elif isinstance(kind, inspect.ListType):
        _must(isinstance(value, list), "a list", value, place)
        for number, item in enumerate(value):
            _walk(item, kind.item_type, f"{place}[{number}]")
    elif isinstance(kind, inspect.TupleType):
        fits = isinstance(value, list) and len(value) == len(kind.item_types)
        _must(fits, words or f"a list of {len(kind.item_types)}", value, place)
        for number, (item, inner) in enumerate(zip(value, kind.item_types, strict=True)):
            _walk(item, inner, f"{place}[{number}]")
    elif isinstance(kind, inspect.DictType):
        _must(isinstance(value, dict), "an object", value, place)
        for name, item in value.items():
            _walk(item, kind.value_type, f"{place}.{name}")
    else:
        _walk_scalar(value, kind, place)


def _bare(kind: inspect.Type) -> tuple[inspect.Type, str, bool]:
    """Return a type without its descriptions, what messages call it, and whether null will do in its place."""
    from msgspec import inspect

    words, may_be_null = "", False
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        if isinstance(kind, inspect.Metadata):
            words, kind = (kind.extra or {}).get("words", words), kind.type
            continue
        others = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        may_be_null, kind = may_be_null or len(others) < len(kind.types), others[0]
    return kind, words, may_be_null


def _walk_struct(value: Any, kind: inspect.StructType, place: str) -> None:
    _must(isinstance(value, dict), "an object", value, place)
    for field in kind.fields:
        below = f"{place}.{field.encode_name}".lstrip(".")
        if field.encode_name in value:
            _walk(value[field.encode_name], field.type, below)
        elif field.required:
            raise SchemaError("is missing", place=below)


def _walk_scalar(value: Any, kind: inspect.Type, place: str) -> None:
    from msgspec import inspect

    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(kind, inspect.StrType):
        _must(isinstance(value, str), "a text", value, place)
    elif isinstance(kind, inspect.BoolType):
        _must(isinstance(value, bool), "true or false", value, place)
    elif isinstance(kind, inspect.IntType):
        _must(is_number and isinstance(value, int) and value >= (kind.ge or 0), "a whole number from 0", value, place)
    elif isinstance(kind, inspect.FloatType):
        most = kind.le or 0.0
        _must(is_number and -most <= value <= most, "a number", value, place)
    elif isinstance(kind, inspect.LiteralType):
        fits = isinstance(value, (str, int)) and not isinstance(value, bool) and value in kind.values
        _must(fits, f"one of {', '.join(map(str, kind.values))}", value, place)


def _must(fits: bool, what: str, value: Any, place: str) -> None:
    if not fits:
        raise SchemaError(f"must be {what}, and is {_short(value)}", place=place)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
