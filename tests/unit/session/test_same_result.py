from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.session.calls.same_result import check_same

NAN = float("nan")


class Cells(list[Any]):
    """Compares element by element, as arrays do: the answer is neither true nor false."""

    def __ne__(self, other: object) -> Any:
        assert isinstance(other, Cells)
        return Cells(one != two for one, two in zip(self, other, strict=True))

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array with more than one element is ambiguous")

    def any(self) -> bool:
        return any(list(self))


class Vague:
    """Says nothing of whether it differs."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __ne__(self, other: object) -> Any:
        raise RuntimeError("no order here")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1),
        (1, 1.0),
        (NAN, math.nan),
        ([1.0, NAN], [1.0, NAN]),
        ({"a": (NAN,)}, {"a": (NAN,)}),
        (Cells([1, 2]), Cells([1, 2])),
        (Cells([1.0, NAN]), Cells([1.0, NAN])),
        (Vague(1), Vague(1)),
    ],
)
def test_equal_content_is_the_same(one: object, two: object) -> None:
    check_same(one, two)


@pytest.mark.parametrize(
    ("one", "two"), [(1, 2), (NAN, 1.0), ([1.0, NAN], [2.0, NAN]), (Cells([1, 2]), Cells([1, 3])), ((), [])]
)
def test_other_content_differs(one: object, two: object) -> None:
    with pytest.raises(AssertionError, match="return different values"):
        check_same(one, two)


def test_values_that_cannot_be_compared_are_an_error_that_says_what_to_return() -> None:
    with pytest.raises(BadArgument, match=r"(?s)compare\sVague.*\(RuntimeError:.*return\splain\svalues"):
        check_same(Vague(1), Vague(2))
