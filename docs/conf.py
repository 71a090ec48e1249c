"""Sphinx settings. The tables of markers and options are made here, from the code that defines them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import pytest_concurrency
from pytest_concurrency.expectations import keywords, kind_of
from pytest_concurrency.expectations.markers import MARKERS
from pytest_concurrency.session import options

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pytest-concurrency-perf"
author = "The pytest-concurrency-perf developers"
copyright = "The pytest-concurrency-perf developers, MIT License"
release = version = pytest_concurrency.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["deflist", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"
html_extra_path = ["report-schema.json"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
nitpicky = False
smartquotes = False  # an option is written with two hyphens


class _Group:
    """Stands for pytest's option parser, and keeps what is registered."""

    def __init__(self) -> None:
        self.flags: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}

    def getgroup(self, *args: str) -> _Group:
        return self

    def addoption(self, flag: str, **details: Any) -> None:
        self.flags[flag] = details

    def addini(self, key: str, help: str, **details: Any) -> None:
        self.keys[key] = help


def _options_table() -> str:
    group = _Group()
    options.add_options(group)  # type: ignore[arg-type]
    rows = ["| command line | ini key | meaning |", "|---|---|---|"]
    for flag, details in group.flags.items():
        key = flag.removeprefix("--").replace("-", "_")
        written = flag
        if "metavar" in details:
            optional = details.get("nargs") == "?"
            written += f"[={details['metavar']}]" if optional else f"={details['metavar']}"
        meaning = str(details["help"]).replace("%%", "%").replace("|", "\\|")
        if meaning == argparse.SUPPRESS:
            continue
        rows.append(f"| `{written}` | {f'`{key}`' if key in group.keys else ''} | {meaning} |")
    return "\n".join(rows)


def _markers_table() -> str:
    rows = ["| marker | met when |", "|---|---|"]
    for name, marker in MARKERS.items():
        signature = marker.signature.replace("|", "\\|")
        summary = marker.summary.replace("|", "\\|")
        rows.append(f"| [`{signature}`](#{name}) | {summary} |")
    return "\n".join(rows)


def _keywords_of(name: str) -> str:
    own = ", ".join(f"`{keyword}`" for keyword in kind_of(name).keywords)
    common = ", ".join(f"`{keyword}`" for keyword in keywords.COMMON)
    return f"Keywords: {own}; and those of all markers: {common}."


def _ini_lines() -> str:
    lines = [f"    {marker.signature.partition('(')[0]}: needs pytest-concurrency-perf" for marker in MARKERS.values()]
    return "\n".join(["```ini", "[pytest]", "markers =", *lines, "```"])


myst_substitutions = {
    "options_table": _options_table(),
    "markers_table": _markers_table(),
    "ini_lines": _ini_lines(),
    **{f"keywords_of_{name}": _keywords_of(name) for name in MARKERS},
}


def _every_marker_is_described(app: Sphinx) -> None:
    from sphinx.util import logging

    text = (app.srcdir / "reference" / "markers.md").read_text(encoding="utf-8")
    for name in MARKERS:
        if f"\n## {name}\n" not in text:
            logging.getLogger(__name__).warning("docs/reference/markers.md has no section about %s", name)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _every_marker_is_described)
