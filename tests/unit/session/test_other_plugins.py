"""What this plugin tells others of itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pytest_concurrency
from pytest_concurrency.session import other_plugins

ROOT = Path(pytest_concurrency.__file__).parent.parent


FILES = dict(other_plugins._MAY_BLOCK)


@pytest.mark.parametrize("file", FILES)
def test_what_may_block_a_loop_exists(file: str) -> None:
    names = FILES[file]
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assert not isinstance(names, set) or names <= defined
