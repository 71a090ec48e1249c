"""The answer of an undecided comparison: it lets the test pass, negated or not."""

from __future__ import annotations

import ast
import dis
import linecache
import sys
from types import FrameType

_COMPARISONS = ("COMPARE_OP", "CONTAINS_OP")
_ASSERTION_ERROR = "LOAD_ASSERTION_ERROR"


class EitherWay:
    """The answer of an undecided comparison: the test passes whether it asserts the answer or its opposite.

    ``True`` would be right for ``assert speedup >= 2``, but would fail ``assert not speedup >= 2``.
    """

    def __bool__(self) -> bool:
        return self.truth_for(sys._getframe(1))

    @staticmethod
    def truth_for(frame: FrameType) -> bool:
        """Return the truth value that lets the test pass whose frame asks for it at this moment."""
        return not is_negated(frame)

    def __repr__(self) -> str:
        return "<not decided>"


def is_negated(frame: FrameType) -> bool:
    """Whether a frame that asks for the truth of a value negates it: ``not x``, ``assert not x``."""
    now, then, after = _instructions(frame)
    if now in (*_COMPARISONS, "TO_BOOL"):  # since Python 3.13, these ask, and the next instruction uses the answer
        now, then = then, after
    if now == "UNARY_NOT":
        return True
    # Without pytest's rewriting, "assert not x" jumps over the raise if x is false.
    return "JUMP" in now and now.endswith("IF_FALSE") and then == _ASSERTION_ERROR


def is_in_a_negation(frame: FrameType) -> bool:
    """Whether a comparison or call at a frame's source line is in ``not ...``; true where the source cannot be read.

    Unlike :func:`is_negated`, this is true before the answer is there: pytest's rewriting stores that first.
    """
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals)))
    except (SyntaxError, ValueError):
        return True
    negated = [
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        for part in ast.walk(node.operand)
        if isinstance(part, (ast.Compare, ast.Call))
    ]
    return not tree.body or any(part.lineno <= frame.f_lineno <= (part.end_lineno or 0) for part in negated)


def _name(instruction: dis.Instruction) -> str:
    is_error = instruction.opname == "LOAD_COMMON_CONSTANT" and "AssertionError" in instruction.argrepr  # 3.14
    return _ASSERTION_ERROR if is_error else instruction.opname


def _instructions(frame: FrameType) -> tuple[str, str, str]:
    """Return the names of the instruction that a frame is at, and of the two that follow."""
    skipped = ("CACHE", "EXTENDED_ARG", "NOT_TAKEN", "NOP")
    names = [_name(one) for one in dis.get_instructions(frame.f_code) if one.offset >= frame.f_lasti]
    names = [name for name in names if name not in skipped][:3]
    first, second, third, *_ = (*names, "", "", "")
    return first, second, third
