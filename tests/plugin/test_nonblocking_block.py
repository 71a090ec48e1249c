"""A block of code that must leave its loop free. Blocks last many times what is allowed, or nothing at all."""

from __future__ import annotations

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, text_of

RUN = """
def test_body(concurrency):
    async def main():
        {0}
    asyncio.run(main())
"""


def body(*lines: str) -> str:
    return RUN.format("\n        ".join(lines))


@pytest.mark.parametrize("statement", ["async with", "with"])
def test_a_block_fails_and_its_line_is_named(suite: Suite, statement: str) -> None:
    result = suite(body(f"{statement} concurrency.nonblocking('20ms'):", "    time.sleep(0.4)"))
    assert_outcome(result, "test_body", "FAILED")
    assert "Where: test_suite.py:7 in main: time.sleep(0.4)" in text_of(result)
    assert "concurrency.nonblocking('20ms') is not met: the event loop was blocked for" in text_of(result)
    assert_other_passed(result)


def test_code_before_and_after_may_block(suite: Suite) -> None:
    source = body(
        "time.sleep(0.4)",
        "async with concurrency.nonblocking('200ms'):",
        "    await asyncio.sleep(0.01)",
        "    await asyncio.to_thread(time.sleep, 0.4)",
        "    with concurrency.pause():",
        "        time.sleep(0.4)",
        "time.sleep(0.4)",
    )
    result = suite(source)
    assert_outcome(result, "test_body", "PASSED|SKIPPED")
    assert "failed" not in text_of(result)


def test_a_pause_is_for_all_blocks_that_are_entered(suite: Suite) -> None:
    source = body(
        "async with concurrency.nonblocking('100ms'), concurrency.nonblocking('150ms'):",
        "    with concurrency.pause():",
        "        time.sleep(0.4)",
    )
    assert_outcome(suite(source), "test_body", "PASSED|SKIPPED")  # a busy machine may leave it undecided


def test_blocks_of_two_tasks_may_end_in_any_order(suite: Suite) -> None:
    source = body(
        "first, second = concurrency.nonblocking('100ms'), concurrency.nonblocking('100ms')",
        "first.__enter__()",
        "second.__enter__()",
        "first.__exit__(None, None, None)",
        "with concurrency.pause():",
        "    time.sleep(0.4)",
        "second.__exit__(None, None, None)",
        "async with concurrency.nonblocking('100ms'):",
        "    with concurrency.pause():",
        "        time.sleep(0.4)",
    )
    assert_outcome(suite(source), "test_body", "PASSED|SKIPPED")  # a busy machine may leave it undecided


def test_outside_of_a_loop_it_says_what_to_use(suite: Suite) -> None:
    result = suite("def test_body(concurrency):\n    with concurrency.nonblocking('20ms'):\n        pass\n")
    assert_outcome(result, "test_body", "FAILED")
    assert "entered where no event loop runs (test_suite.py:4" in text_of(result)
    assert "Enter it inside an async def" in text_of(result)


@pytest.mark.parametrize("value", ["'1ms'", "'soon'", "0"])
def test_bad_limits(suite: Suite, value: str) -> None:
    result = suite(f"def test_body(concurrency):\n    concurrency.nonblocking({value})\n")
    assert_outcome(result, "test_body", "FAILED")
    assert "BadArgument" in text_of(result)


@pytest.mark.parametrize(("policy", "outcome"), [("skip", "SKIPPED"), ("fail", "FAILED"), ("pass", "PASSED")])
def test_undecided_block_follows_the_policy(suite: Suite, policy: str, outcome: str) -> None:
    source = body(
        "async with concurrency.nonblocking('50ms') as block:",
        "    pass",
        "block._undecided('the loop was late, and it may have been the collector')",
    )
    result = suite(source, f"--concurrency-undecided={policy}", "-rs")
    assert_outcome(result, "test_body", outcome)
    if policy != "pass":
        assert "undecided: the loop was late" in text_of(result)


def test_a_called_collection_is_named(suite: Suite) -> None:
    source = body(
        "import gc",
        "kept = [[number] for number in range(1_500_000)]",
        "async with concurrency.nonblocking('5ms'):",
        "    for _ in range(3):",
        "        gc.collect()",
    )
    result = suite(source)
    assert_outcome(result, "test_body", "FAILED")
    assert "in main: gc.collect()" in text_of(result)


def test_disable_guards_nothing(suite: Suite) -> None:
    result = suite(body("async with concurrency.nonblocking('20ms'):", "    time.sleep(0.4)"), "--concurrency-disable")
    assert_outcome(result, "test_body", "PASSED")


def test_body_error_stays_what_is_shown(suite: Suite) -> None:
    result = suite(body("async with concurrency.nonblocking('20ms'):", "    time.sleep(0.4)", "    raise OSError"))
    assert "OSError" in text_of(result)
    assert "max_block" not in text_of(result)
