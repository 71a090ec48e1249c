"""The policy for undecided tests."""

from __future__ import annotations

from typing import NoReturn

import pytest

from pytest_concurrency.core.errors import UndecidedExpectation
from pytest_concurrency.session import undecided


class Skipped(Exception):
    pass


def skip(reason: str, policy: str) -> NoReturn:
    raise Skipped(reason, policy)


@pytest.mark.parametrize("policy", ["skip", "retry"])
def test_skip_gets_the_reason_and_the_policy(policy: str) -> None:
    with pytest.raises(Skipped) as caught:
        undecided.follow(policy, skip, "too few rounds")
    assert caught.value.args == ("too few rounds", policy)


def test_fail_raises_an_error_with_the_reason() -> None:
    with pytest.raises(UndecidedExpectation, match=r"^undecided: too few rounds$"):
        undecided.follow("fail", skip, "too few rounds")


def test_pass_does_nothing() -> None:
    undecided.follow("pass", skip, "too few rounds")
