"""The table of constants: complete, used, and with evidence that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pytest_concurrency
from pytest_concurrency.engine import constants

ROOT = Path(pytest_concurrency.__file__).parent
SOURCES = {path: path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
BENCHMARKS = ROOT.parent / "benchmarks"
# Who holds the GIL, what kind of body it is and where a curve bends are findings of their own, beside the decision.
FINDINGS = {"gil_usage.py", "gil_overlap.py", "bound_type.py", "scaling_laws.py"}
IN_PLACE_OF_NONE = {"TINY", "_LEAST"}  # seconds, or parts: no decision depends on them


def numbers(source: str) -> set[str]:
    """The names that a module gives to numbers, or to tuples of them."""
    found = set()
    for node in ast.parse(source).body:
        plain = (ast.Constant, ast.Tuple, ast.Load, ast.BinOp, ast.operator)
        if isinstance(node, ast.Assign) and all(isinstance(part, plain) for part in ast.walk(node.value)):
            values = [part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            if values and all(type(value) in (int, float) for value in values):
                names = (name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
                found.update(name.id for name in names)
    return found


def test_every_value_has_its_line() -> None:
    values = {name for name in vars(constants) if name.isupper() and name != "TABLE"}
    lines = [constant.name for constant in constants.TABLE]
    assert sorted(values) == sorted(lines)


@pytest.mark.parametrize("constant", constants.TABLE, ids=lambda constant: constant.name)
def test_every_constant_is_used_and_explained(constant: constants.Constant) -> None:
    use = re.compile(rf"\bconstants\.{constant.name}\b")
    assert any(use.search(source) for source in SOURCES.values())
    assert constant.unit
    assert constant.meaning
    assert constant.evidence


@pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not part of this copy")
@pytest.mark.parametrize(
    "constant", [one for one in constants.TABLE if one.status == "measured"], ids=lambda constant: constant.name
)
def test_what_was_measured_names_its_benchmark(constant: constants.Constant) -> None:
    assert (ROOT.parent / constant.evidence.partition(":")[0]).exists()


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: path.name)
def test_no_module_has_numbers_of_its_own(path: Path) -> None:
    if path.name not in FINDINGS | {"constants.py"}:
        assert numbers(SOURCES[path]) <= IN_PLACE_OF_NONE
