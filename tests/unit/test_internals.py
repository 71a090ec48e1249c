"""The worked examples of docs/internals.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.backends import executors

PAGE = Path(__file__).parents[2] / "docs" / "internals.md"
BLOCKS = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
MODULES = {block.splitlines()[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}


@pytest.mark.parametrize("block", MODULES.values(), ids=MODULES.keys())
def test_module_of_an_example_can_be_imported(block: str) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names.keys() - {"__name__", "__builtins__"}


def test_executor_of_the_example_is_opened_by_its_name() -> None:
    (block,) = [block for block in BLOCKS if "_BUILT_IN" in block]
    names = dict(vars(executors))
    exec(compile(block, str(PAGE), "exec"), names)
    pool = names["_BUILT_IN"]["thread-pool"](2, None)
    assert pool.executor.submit(sum, (1, 2)).result() == 3
    pool.end()
