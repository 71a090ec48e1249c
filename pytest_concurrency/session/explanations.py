"""The lines that pytest shows below a failed comparison with something measured."""

from __future__ import annotations

from pytest_concurrency.session.calls.compared import Compared


def explanation(op: str, left: object, right: object) -> list[str] | None:
    """Return the lines below a failed comparison; None if neither side was measured here.

    pytest may show only the first lines, so those that help most come first.
    """
    # No attribute of other values is read, because it may be a property that raises.
    ours = next((side for side in (left, right) if issubclass(type(side), Compared)), None)
    if not isinstance(ours, Compared) or ours.outcome is None:
        return None
    from pytest_concurrency.verdicts import message

    finding = ours.finding
    return [f"{left!r} {op} {right!r}", *(message.explanation(finding) if finding is not None else ())]
