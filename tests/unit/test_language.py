"""Words and phrases that the prose must not go back to: pages, messages and docstrings.

A term has one name (docs/reference/glossary.md). Each entry here is a former name, or a phrase that a reader has to
decode.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "pytest_concurrency"
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md")),
    ]
)

# A pattern, and what to write.
EVERYWHERE = {
    r"\d %(?![}(a-z])": "10%",
    r"\bsurely\b": "with high confidence, or nothing",
    r"\b(?:nobody|somebody|whoever)\b": "the person, program or worker that is meant",
    r"\b(?:crew|luck|lone|heart|errand|whereabouts|goodbye)\b": "workers, chance, serial, or the plain term",
    r"\bin company\b": "in the concurrent run",
    r"\bunless told\b": "by default",
    r"\btold apart\b": "distinguished",
    r"\bheeds?\b": "takes into account",
    r"\bquiet host\b(?! \()": "exclusive host access",
    r"\btimes faster\b": "times as fast, 3x as fast",
    r"\bbelongs? into\b": "belongs in",
    r"\bat the most\b": "at most",
    r"\bgot \w+ bodies done\b": "N threads were 3x as fast as 1",
    r"\b(?:spoke|speaks?) (?:for|against)\b": "supports, contradicts",
    r"\bcould not tell\b": "too noisy to count",
    r"(?-i:\b(?:SLOWER|FASTER|GONE|UNSURE|BLUNT)\b)|\bblunt\b": "REGRESSED, IMPROVED, REMOVED, UNDECIDED, IMPRECISE",
    r"\bwaits queue\b": "waits are serialized",
    r"\bcontrol bod(?:y|ies)\b": "reference workload",
    r"\bhopes? that\b": "the program does not hope",
}
ONLY_PAGES = {
    r"(?<!\")\b(?:tells?|told|telling)\b": "says, shows, distinguishes",  # leftovers="tell" is a value
    r"\bmeanwhile\b": "during the measurement",
    r"\bbesides?\b": "next to, with, in addition to, while others run",
    r"\banew\b": "again",
    r"\bof itself\b": "by itself",
    r"\bno one\b|\bsomeone\b": "the person, program or worker that is meant",
    r"\bsure verdict\b": "verdict",
    r"\bfresh workers?\b": "newly started workers",
    r"\bbroken test\b": "test that is not met",
    r"\bgates?\b(?!\.py)": "regression check, test",
    r"\bneeded\b": "required, necessary",
}
# Where a phrase is allowed, and why. A name without its folder, and a part of the line.
EXCEPTIONS: set[tuple[str, str]] = set()


def unwanted(text: str, patterns: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Yield the line, its text and what to write, for each phrase that is found."""
    for pattern, instead in patterns.items():
        for found in re.finditer(pattern, text, re.IGNORECASE):
            number = text.count("\n", 0, found.start())
            yield number + 1, text.splitlines()[number], f"{found[0]!r}: write {instead}"


def is_excepted(page: Path, line: str) -> bool:
    return any(page.name == name and part in line for name, part in EXCEPTIONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_has_no_unwanted_phrase(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = [
        f"{page.relative_to(ROOT)}:{number}: {why}"
        for number, line, why in unwanted(text, {**EVERYWHERE, **ONLY_PAGES})
        if not is_excepted(page, line)
    ]
    assert found == []


def test_messages_and_docstrings_have_no_unwanted_phrase() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [
                    f"{path.relative_to(ROOT)}:{node.lineno + number - 1}: {why}"
                    for number, line, why in unwanted(node.value, EVERYWHERE)
                    if not is_excepted(path, line)
                ]
    assert found == []


def test_comments_have_no_unwanted_phrase() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        with tokenize.open(path) as file:
            comments = [token for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.COMMENT]
        found += [
            f"{path.relative_to(ROOT)}:{comment.start[0]}: {why}"
            for comment in comments
            for _, line, why in unwanted(comment.string, EVERYWHERE)
            if not is_excepted(path, line)
        ]
    assert found == []


def test_templates_of_the_report_have_no_unwanted_phrase() -> None:
    templates = sorted(PACKAGE.rglob("*.jinja"))
    assert templates
    found = [
        f"{path.relative_to(ROOT)}:{number}: {why}"
        for path in templates
        for number, line, why in unwanted(path.read_text(encoding="utf-8"), EVERYWHERE)
        if not is_excepted(path, line)
    ]
    assert found == []


def test_every_exception_is_in_use() -> None:
    files = [*PAGES, *PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.jinja")]
    unused = {
        (name, part)
        for name, part in EXCEPTIONS
        if not any(path.name == name and part in path.read_text(encoding="utf-8") for path in files)
    }
    assert unused == set()


@pytest.mark.parametrize("pattern", [*EVERYWHERE, *ONLY_PAGES])
def test_pattern_finds_no_word_that_is_wanted(pattern: str) -> None:
    """Ordinary sentences in the glossary's terms, which no pattern may match."""
    text = "4 threads were 3x as fast as 1 thread (interval 2.9x to 3.1x); 10% of the rounds support at least 3x"
    assert not re.search(pattern, text, re.IGNORECASE)
