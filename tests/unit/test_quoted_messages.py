"""Messages that the documentation quotes are those that the package writes."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SHORTEST = 4  # characters of a part of a message, or of a word, that tells anything
_NOT_WORDS = re.compile(r"[\d.,:]")  # a figure, a name or the end of a sentence


def quotes() -> list[tuple[str, str]]:
    found = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"(?:^> .*\n?)+", page.read_text(encoding="utf-8"), re.MULTILINE):
            lines = [line.removeprefix("> ") for line in block.splitlines()]
            found.append((page.relative_to(ROOT).as_posix(), " ".join(lines)))
    return found


@functools.cache
def parts_of_messages() -> frozenset[str]:
    """All strings of the package, and what stands between the values of those that have some."""
    nodes = [
        node
        for path in (ROOT / "pytest_concurrency").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    parts = {text.strip(" .,:;()").lower() for text in texts}
    return frozenset(part for part in parts if len(part) >= _SHORTEST)


def not_written(quote: str) -> list[str]:
    """Return the words of a quote that are in no part of a message which the quote has as a whole."""
    covered = [False] * len(quote)
    lower = quote.lower()
    for part in parts_of_messages():
        for match in re.finditer(re.escape(part), lower):
            covered[match.start() : match.end()] = [True] * len(part)
    words = [(match[0], covered[match.start() : match.end()]) for match in re.finditer(r"[^\s():,]+", quote)]
    return [word for word, seen in words if len(word) >= _SHORTEST and not all(seen) and not _NOT_WORDS.search(word)]


def test_there_are_quotes() -> None:
    assert len(quotes()) >= 10


@pytest.mark.parametrize(("page", "quote"), quotes())
def test_a_quoted_message_is_one_that_the_package_writes(page: str, quote: str) -> None:
    assert not_written(quote) == []


def test_a_message_that_was_changed_is_noticed() -> None:
    assert not_written("the calls vary: some compute, and others sleep") != []
