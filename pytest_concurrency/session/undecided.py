"""What an undecided test does: the policy of ``undecided=`` and of ``--concurrency-undecided``."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from pytest_concurrency.core.errors import UndecidedExpectation

__tracebackhide__ = True  # pytest shows a failure at the line of the test
Skip = Callable[[str, str], NoReturn]


def follow(policy: str, skip: Skip, reason: str, message: str = "") -> None:
    """Fail or skip an undecided test; return if the policy lets it pass.

    :param policy: ``skip``, ``fail``, ``pass`` or ``retry``.
    :param skip: skips the test; takes the reason and the policy, which is ``skip`` or ``retry``.
    :param message: what a failed test shows, in lines; by default, the reason.
    :raises UndecidedExpectation: the policy is ``fail``.
    """
    __tracebackhide__ = True
    if policy == "fail":
        raise UndecidedExpectation(message or f"undecided: {reason}")
    if policy != "pass":
        skip(reason, policy)
