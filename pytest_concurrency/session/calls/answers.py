"""The answer of a comparison with a threshold: given at once, or awaited on a running event loop."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.session.calls.either_way import EitherWay

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_ASKING = ("COMPARE_OP", "CONTAINS_OP", "CALL", "CALL_METHOD", "CALL_FUNCTION", "CALL_FUNCTION_KW", "CALL_KW")
# The instructions of an await, up to the one that has its result.
_AWAITING = (
    "YIELD_FROM",
    "SEND",
    "YIELD_VALUE",
    "RESUME",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "JUMP_BACKWARD",
    "CLEANUP_THROW",
    "END_SEND",
)


class Answer:
    """Whether a figure reaches the threshold: true or false, and awaited on a running event loop.

    It is what ``at_least()`` and ``at_most()`` return. Its repr, which ``assert`` shows, contains the figure.
    """

    def __bool__(self) -> bool:
        raise NotImplementedError

    def __await__(self) -> Generator[Any, Any, Answer]:
        raise NotImplementedError


class Decided(Answer):
    """The answer of a finished measurement."""

    def __init__(self, holds: bool | EitherWay, shown: str, plain: str = "") -> None:
        """:param plain: the name of the function that was measured, if it is a plain one: there is nothing to await."""
        self._holds = holds
        self._shown = shown
        self._plain = plain

    def __bool__(self) -> bool:
        if isinstance(self._holds, EitherWay):
            return self._holds.truth_for(sys._getframe(1))
        return self._holds

    def __eq__(self, other: object) -> bool:
        return bool(self._holds == (other._holds if isinstance(other, Decided) else other))

    def __hash__(self) -> int:
        return hash(self._holds)

    def __await__(self) -> Generator[Any, Any, Answer]:
        if self._plain:
            raise BadArgument(
                f"there is nothing to await: {self._plain} is a plain function, which is measured at once, while the "
                "test's event loop stands still. Leave out await, or give an async def."
            )
        yield from ()
        return self

    def __repr__(self) -> str:
        return self._shown


class Pending(Answer):
    """An answer that is measured on the test's own event loop, when it is awaited."""

    def __init__(
        self, spelled: str, ask: Callable[[FrameType], Coroutine[Any, Any, Decided]], refused: Callable[[], None]
    ) -> None:
        """Measure nothing yet.

        :param spelled: the call as its author may have written it, without ``await``.
        :param ask: measures; it gets the test's frame.
        :param refused: called where an error says that ``await`` is missing, so that no warning repeats it.
        """
        self._spelled = spelled
        self._ask = ask
        self._refused = refused

    def __bool__(self) -> bool:
        self._refused()
        raise BadArgument(
            f"an async def is measured on the test's own event loop, so the answer has to be awaited: "
            f"write assert await {self._spelled}."
        )

    def __await__(self) -> Generator[Any, Any, Answer]:
        frame = sys._getframe(1)
        unused = is_discarded(frame)
        answer = yield from self._ask(frame).__await__()
        if unused:
            raise discarded(self._spelled, "assert await")
        return answer

    def __repr__(self) -> str:
        return f"<not measured yet: await {self._spelled}>"


def refuse_discarded(frame: FrameType, what: str) -> None:
    """Raise an error if the test does not use the answer.

    :raises BadArgument: it does not. Raised after the body's own errors, which the test may expect.
    """
    if is_discarded(frame):
        raise discarded(what, "assert")


def discarded(what: str, before: str) -> BadArgument:
    """Return the error of an answer that is not used; ``before`` is what is missing before the comparison."""
    return BadArgument(
        f"{what}: the test does not use this answer, so it would always pass. Write {before} before the comparison."
    )


def is_discarded(frame: FrameType) -> bool:
    """Whether the next instruction of a frame, after a comparison, a call or an await, drops the answer.

    ``speedup >= 3`` without ``assert`` is a test that cannot fail. False where that is not known.
    """
    now = then = None
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset <= frame.f_lasti:
            now = instruction.opname
        elif now not in _AWAITING or instruction.opname not in _AWAITING:
            then = instruction.opname
            break
    return (now in _ASKING or now in _AWAITING) and then == "POP_TOP"
