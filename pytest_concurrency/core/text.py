"""Text that fits a message: wrapped paragraphs, labelled lines and bars."""

from __future__ import annotations

import textwrap

WIDTH = 76


def in_lines(text: str, width: int, indent: str = "", first: str | None = None) -> list[str]:
    """Break a paragraph into lines; paths, options and long words stay whole, so that they can be copied.

    :param first: replaces the indent of the first line.
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrap(text: str, indent: str = "") -> str:
    """Break a paragraph into lines of a message."""
    return "\n".join(in_lines(text, WIDTH, indent))


def hanging(text: str, width: int, indent: str) -> list[str]:
    """Break a paragraph into lines, all but the first indented."""
    return in_lines(text, width, indent, first="")


def in_one_line(text: str) -> str:
    """Return text without line breaks and indents."""
    return " ".join(text.split())


def shortened(text: str, width: int) -> str:
    """Return text in one line, without what is beyond some characters."""
    line = in_one_line(text)
    return line if len(line) <= width else f"{line[: width - 3]}..."


def sentence(text: str) -> str:
    """Return a clause as a sentence. A keyword at its beginning keeps its spelling: ``processes="auto"``."""
    whole = text if "=" in text.partition(" ")[0] else text[:1].upper() + text[1:]
    return whole if not whole or whole[-1] in ".!?:" else whole + "."


def bar(part: float, width: int = 10) -> str:
    """A bar of tenths: ``########..``."""
    full = round(max(0.0, min(1.0, part)) * width)
    return "#" * full + "." * (width - full)


def printable(text: str) -> str:
    """Replace control characters by question marks: what a file says must not move a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)
