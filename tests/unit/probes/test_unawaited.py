"""Coroutines that no one awaits."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from unittest.mock import AsyncMock

import pytest

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.probes import unawaited

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


async def fetch() -> None:
    pass


def forget() -> None:
    fetch()  # type: ignore[unused-coroutine]


def close() -> None:
    fetch().close()


def measure(call: Callable[[], object], times: int) -> None:
    with unawaited.refused():
        for _ in range(times):
            call()


def test_a_call_that_is_never_awaited_is_refused() -> None:
    with pytest.raises(BadArgument) as caught:
        measure(forget, 3)
    assert caught.value.why.startswith("fetch() was called without await, so it did not run and was not measured.")
    forget()  # no one listens any more


@pytest.mark.parametrize(("call", "times"), [(forget, 1), (close, 3), (AsyncMock(), 3)], ids=["once", "closed", "mock"])
def test_what_may_be_meant_is_not(call: Callable[[], object], times: int) -> None:
    measure(call, times)


def test_the_warning_still_names_the_line_that_has_forgotten_it() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        measure(forget, 1)
        forget()
    assert len({(each.filename, each.lineno, str(each.message)) for each in seen}) == 1
    assert seen[0].filename == __file__
