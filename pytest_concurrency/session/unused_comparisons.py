"""Whether anybody uses what a comparison answers: ``speedup >= 3`` without ``assert`` is a test that cannot fail."""

from __future__ import annotations

import dis
from types import FrameType

_COMPARISONS = ("COMPARE_OP", "CONTAINS_OP")


def is_discarded(frame: FrameType) -> bool:
    """Whether a frame that is at a comparison drops its answer as the next thing; False where that is not known."""
    following = (one for one in dis.get_instructions(frame.f_code) if one.offset >= frame.f_lasti)
    now, then = next(following, None), next(following, None)
    return now is not None and then is not None and now.opname in _COMPARISONS and then.opname == "POP_TOP"
