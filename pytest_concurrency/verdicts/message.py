"""The failure message, made from a finding, and parts of it for places that show less."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.outcomes import Finding, Spent
from pytest_concurrency.core.text import WIDTH, hanging, sentence, wrap
from pytest_concurrency.core.units import count

_LABEL = " " * 7  # as wide as ``Cause:`` and a space
_MARGIN = 8  # columns that pytest puts before a failed comparison
_GREW = 0.1  # part of a serial call's time from which a growth is marked
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_TIGHT = 9.995  # a table whose first figure is larger has one decimal, otherwise two
_ROWS = (
    ("until all calls have finished", "wall"),
    ("per call: CPU time", "cpu"),
    ("per call: blocked (lock, GIL, I/O)", "blocked"),
    ("per call: waiting for a CPU", "delay"),
)


def render(finding: Finding, extra: str = "", inside: bool = False) -> str:
    """Return the whole message of a failed test, from what was measured and required to where to read more.

    :param extra: a block of lines below the evidence, such as a scaling curve.
    :param inside: whether it is raised inside the test: then pytest puts a margin before each line, and shows only the
        first one in its short summary.
    """
    width = 80 - _MARGIN if inside else WIDTH
    parts = [
        first_line(finding) if inside else wrap(first_line(finding)),
        evidence(finding.evidence, finding.rounds),
        extra,
        "\n".join(_wrapped(finding, width)),
        "\n".join(filter(None, [wrap(finding.certainty), f"More:  {about(finding.kind)}"])),
    ]
    return "\n\n".join(part for part in parts if part)


def undecided(finding: Finding) -> str:
    """Return the whole message of a test that fails because it is undecided."""
    label = f"undecided: {finding.label}" if finding.label else "undecided"
    parts = [wrap(f"{label}: {sentence_end(finding.headline)}"), "\n".join(_wrapped(finding, WIDTH))]
    return "\n".join([*filter(None, parts), f"More:  {about(finding.kind)}"])


def first_line(finding: Finding) -> str:
    """``expect_speedup(threads=4) is not met: 4 threads were 1.00x ...``, in one line."""
    return f"{finding.label} is not met: {finding.headline}" if finding.label else finding.headline


def summary(finding: Finding) -> str:
    """Return the same with cause and place, for the one line of a test in pytest's short summary."""
    return " ".join([first_line(finding), *lines(finding)[:-1]])


def lines(finding: Finding) -> list[str]:
    """``Cause:``, ``Where:`` and ``Try:``, a line each; what is not known is left out."""
    known = (("Cause:", finding.cause), ("Where:", finding.place), ("Try:", finding.try_next))
    return [f"{name:6} {text}" for name, text in known if text]


def explanation(finding: Finding) -> list[str]:
    """Return the lines below a failed comparison. pytest may show only the first ones, so what helps most is first."""
    parts = [
        "\n".join(_wrapped(finding, WIDTH - _MARGIN)),
        about(finding.kind),  # without a label, it fits a line of 80 columns
        evidence(finding.evidence, finding.rounds),
    ]
    return [line for part in parts if part for line in part.splitlines()]


def _wrapped(finding: Finding, width: int) -> list[str]:
    found = []
    for text in lines(finding):
        first, *others = text.split("\n")  # a place may be several lines of code, each in a line of its own
        found += hanging(first, width, f"{_LABEL}  " if others else _LABEL)
        for other in others:
            found += hanging(_LABEL + other, width, f"{_LABEL}  ")
    return found


def in_one_line(finding: Finding) -> str:
    """Return why there is no verdict and what to try, as the reason of a skipped test."""
    try_next = f" Try: {finding.try_next}" if finding.try_next else ""
    return f"{sentence_end(finding.headline)}{try_next} More: {about(finding.kind)}"


def sentence_end(text: str) -> str:
    """Return a clause with a full stop after it, and its first letter unchanged."""
    return text[:1] + sentence(text)[1:]


def evidence(sides: Sequence[Spent], rounds: int) -> str:
    """Return a table of what a call took on each side, in one unit. The part that grew most is marked."""
    if not sides:
        return ""
    scale, unit = _unit_of(sides[0].each.wall)
    decimals = 1 if sides[0].each.wall / scale >= _TIGHT else 2
    grew = _what_grew(sides)
    title = f"Time (median of {count(rounds, 'round')})"
    table = [(title, [side.side for side in sides], "")]
    for name, part in _ROWS:
        cells = [_cell(getattr(side.each, part), scale, unit, decimals) for side in sides]
        table.append((f"  {name}", cells, "   <- grew" if part == grew else ""))
    first = max(len(name) for name, _, _ in table)
    widths = [max(len(cells[place]) for _, cells, _ in table) for place in range(len(sides))]
    return "\n".join(
        name.ljust(first) + "".join("   " + cell.rjust(wide) for cell, wide in zip(cells, widths, strict=True)) + mark
        for name, cells, mark in table
    )


def _unit_of(seconds: float) -> tuple[float, str]:
    return next(((scale, unit) for scale, unit in _UNITS if seconds >= scale * 0.9995), _UNITS[-1])


def _cell(seconds: float | None, scale: float, unit: str, decimals: int) -> str:
    return "not readable" if seconds is None else f"{seconds / scale:.{decimals}f} {unit}"


def _what_grew(sides: Sequence[Spent]) -> str | None:
    """Return the part of a call's time that grew most from the first side to the last, if it is worth a mark.

    Waiting for a CPU is left out: the machine causes it, not the code.
    """
    if len(sides) < 2:
        return None
    one, other = sides[0].each, sides[-1].each
    growth = {"cpu": other.cpu - one.cpu, "blocked": other.blocked - one.blocked}
    part = max(growth, key=growth.__getitem__)
    return part if growth[part] > _GREW * one.wall else None
