"""Bodies that patch something in each call: several threads at once would leave it patched."""

from __future__ import annotations

# Inner sessions would each import it anew, and pytest knows the sentinels of one only.
import unittest.mock  # noqa: F401

import pytest
from conftest import Suite, assert_outcome, text_of

SHOP = "def fetch():\n    return 'real'\n"
PATCHED = """
from unittest import mock
from concurrent.futures import ThreadPoolExecutor
import shop

@pytest.mark.{marker}
@mock.patch("shop.fetch")
{define} test_measured(fetch):
    shop.fetch()
    {wait}

def test_next():
    assert shop.fetch() == "real"
"""
SYNC, ASYNC = ("def", "time.sleep(0.004)"), ("async def", "await asyncio.sleep(0.004)")


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        ("expect_speedup(threads=4, at_least=2)", SYNC),
        ("expect_io_bound", SYNC),
        ("expect_speedup(executor=ThreadPoolExecutor, workers=4, at_least=2)", SYNC),
        ("expect_speedup(tasks=4, at_least=2)", ASYNC),
    ],
)
def test_patch_in_each_call_of_several_threads_is_an_error(
    suite: Suite, pytester: pytest.Pytester, marker: str, body: tuple[str, str]
) -> None:
    pytester.makepyfile(shop=SHOP)
    result = suite(PATCHED.format(marker=marker, define=body[0], wait=body[1]))
    assert_outcome(result, "test_measured", "FAILED")
    assert_outcome(result, "test_next", "PASSED")
    assert "test_measured has @mock.patch, which patches something in each call" in text_of(result)
    assert "Patch it once for the whole test, in a fixture" in text_of(result)


@pytest.mark.parametrize("marker", ["expect_speedup(processes=2, at_least=1.2, {})", "expect_cpu_bound({})"])
def test_patch_in_each_call_of_one_thread_at_a_time_is_measured(
    suite: Suite, pytester: pytest.Pytester, marker: str
) -> None:
    pytester.makepyfile(shop=SHOP)
    quick = marker.format('max_time="1us", undecided="pass"')
    result = suite(PATCHED.format(marker=quick, define=SYNC[0], wait=SYNC[1]))
    assert "has @mock.patch" not in text_of(result)
    assert_outcome(result, "test_next", "PASSED")
