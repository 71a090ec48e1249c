"""Whether two implementations return the same value."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.core.errors import BadArgument

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_DIMENSIONS = 3  # a comparison of tables has an answer for each cell, then for each column, then one


def check_same(one: Any, two: Any) -> None:
    """Compare what two functions returned.

    Values that are not equal to themselves (nan, also inside of lists or arrays) are the same if their content is;
    of arrays and tables, every element counts.

    :raises AssertionError: they differ.
    :raises BadArgument: they cannot be compared; the message says what to return instead.
    """
    try:
        differ = _truth(one != two)
    except Exception as error:
        if _alike(one, two):
            return
        raise BadArgument(
            f"same_result=True cannot compare {type(one).__name__} with {type(two).__name__} "
            f"({type(error).__name__}: {str(error)[:200]}). Let both functions return plain values, such as a list."
        ) from None
    if differ and not _alike(one, two):
        raise AssertionError(f"the two functions return different values: {one!r:.200} against {two!r:.200}")


def _truth(answer: Any) -> bool:
    """Return whether any element differs; the answer for arrays and tables is one for each element."""
    for _ in range(_DIMENSIONS):
        try:
            return bool(answer)
        except (ValueError, TypeError):
            if not hasattr(answer, "any"):
                raise
            answer = answer.any()
    return bool(answer)


def _alike(one: Any, two: Any) -> bool:
    """Return whether both are pickled to the same bytes; nan is, although it equals nothing."""
    import cloudpickle

    try:
        return type(one) is type(two) and bool(cloudpickle.dumps(one) == cloudpickle.dumps(two))
    except Exception:  # a value that cannot be written is not known to be the same
        return False
