"""What tests that measure nothing leave in the record: calls of watched functions, blocks of event loops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Suite, assert_keeps_to_schema, text_of

from pytest_concurrency.cli import main

GUARD = "--concurrency-max-block=50ms"
SOURCE = """
import json
from concurrent.futures import ThreadPoolExecutor

def test_watches(concurrency):
    concurrency.watch("json:loads")
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda text: json.loads(text, object_hook=lambda found: barrier.wait()), ["{}", "{}"]))

@pytest.mark.concurrency_allow_blocking("old driver")
def test_blocks():
    async def main():
        time.sleep(0.3)
    asyncio.run(main())
"""


def checked_records(path: Path) -> dict[str, dict[str, Any]]:
    run = json.loads(path.read_text(encoding="utf-8"))
    assert_keeps_to_schema(run)
    assert run["max_block"] == 0.05
    return {record["nodeid"].partition("::")[2]: record for record in run["records"]}


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n1")], ids=["alone", "xdist"])
def test_record_has_what_was_seen(suite: Suite, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    if workers:
        pytest.importorskip("xdist")
    result = suite(SOURCE, GUARD, "--concurrency-report=json:out.json", *workers, subprocess=bool(workers))
    records = checked_records(pytester.path / "out.json")
    assert set(records) == {"test_watches", "test_blocks"}
    (watched,) = records["test_watches"]["calls"]
    assert (watched["name"], watched["peak"], watched["count"]) == ("json:loads", 2, 2)
    (block,) = records["test_blocks"]["blocks"]
    assert block["allowed"] == "old driver"
    assert block["high"] >= 0.3
    text = text_of(result)
    assert "blocks of the event loop above 50 ms" in text
    assert "1 time in 1 test" in text


def test_page_of_a_saved_run_has_the_same(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    suite(SOURCE, GUARD, "--concurrency-report=html:now.html", "--concurrency-save=run")
    assert main(["report", ".concurrency/run.json", "-o", "later.html"]) == 0
    now, later = ((pytester.path / name).read_text(encoding="utf-8") for name in ("now.html", "later.html"))
    for part in ('<section aria-labelledby="blocks">', '<section aria-labelledby="tests">'):
        assert now.partition(part)[2] == later.partition(part)[2] != ""
    assert main(["report", "run", "-o", "later.md"]) == 0
    assert "### Blocks of the event loop above 50 ms" in (pytester.path / "later.md").read_text(encoding="utf-8")


def test_run_without_verdicts_is_no_baseline(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(SOURCE, GUARD, "--concurrency-save=watched")
    measuring = "@pytest.mark.expect_io_bound\ndef test_body():\n    time.sleep(0.004)\n"
    assert "watched has no test that measures" in text_of(suite(measuring, "--concurrency-compare"))


def test_merged_parts_keep_the_limit(suite: Suite, pytester: pytest.Pytester) -> None:
    for part in ("one", "two"):
        suite(SOURCE, GUARD, f"--concurrency-report=json:{part}.json", "-k", "test_blocks")
    assert main(["merge", "both.json", "one.json", "two.json"]) == 0
    assert set(checked_records(pytester.path / "both.json")) == {"test_blocks"}
