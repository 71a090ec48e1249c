"""What a comparison with a threshold answers: at once, or on a running event loop to the one who awaits it."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.session.calls.either_way import EitherWay

__tracebackhide__ = True  # a failure is told at the test's own line

_ASKING = ("COMPARE_OP", "CONTAINS_OP", "CALL", "CALL_METHOD", "CALL_FUNCTION", "CALL_FUNCTION_KW", "CALL_KW")
# What an await consists of, up to the point at which it has its result.
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
    """Whether a figure is as wanted: true or false, and awaited on a running event loop.

    It is what ``at_least()`` and ``at_most()`` return. Its repr, which ``assert`` shows, tells the figure.
    """

    def __bool__(self) -> bool:
        raise NotImplementedError

    def __await__(self) -> Generator[Any, Any, Answer]:
        raise NotImplementedError


class Decided(Answer):
    """The answer of a measurement that is done."""

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
        self, spelled: str, ask: Callable[[], Coroutine[Any, Any, Decided]], refused: Callable[[], None]
    ) -> None:
        """Measure nothing yet.

        :param spelled: the call as its author may have written it, without ``await``.
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
        unused = is_discarded(sys._getframe(1))
        answer = yield from self._ask().__await__()
        if unused:
            raise discarded(self._spelled, "assert await")
        return answer

    def __repr__(self) -> str:
        return f"<not measured yet: await {self._spelled}>"


def refuse_discarded(frame: FrameType, what: str) -> None:
    """See to it that someone uses the answer.

    :raises BadArgument: no one does. Raised after the body's own errors, which a test may be about.
    """
    if is_discarded(frame):
        raise discarded(what, "assert")


def discarded(what: str, before: str) -> BadArgument:
    """The error of an answer that no one uses; ``before`` is what is missing before the comparison."""
    return BadArgument(
        f"{what}: no one uses this answer, so the test would pass whatever it is. Write {before} before the comparison."
    )


def is_discarded(frame: FrameType) -> bool:
    """Whether a frame that is at a comparison, a call or an await drops its answer as the next thing.

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
