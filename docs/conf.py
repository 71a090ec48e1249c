"""Sphinx settings. The tables of markers and options are made here, from the code that defines them."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_concurrency
from pytest_concurrency.cli import commands
from pytest_concurrency.expectations import MARKERS, keywords
from pytest_concurrency.expectations.reading import kind_of
from pytest_concurrency.session import options

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pytest-concurrency-perf"
author = "The pytest-concurrency-perf developers"
copyright = "The pytest-concurrency-perf developers, MIT License"
release = version = pytest_concurrency.__version__

sys.path.insert(0, str(Path(__file__).parent))  # for extra_pages

extensions = [
    "extra_pages",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
]
# Only when it is asked for: a build without network must work, and be free of warnings.
intersphinx_mapping = (
    {"python": ("https://docs.python.org/3", None), "pytest": ("https://docs.pytest.org/en/stable", None)}
    if os.environ.get("READTHEDOCS")
    else {}
)
copybutton_prompt_text = "$ "
myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"
html_extra_path = ["report-schema.json"]
html_static_path = ["_static"]
html_js_files = ["sort_tables.js"]
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
    flags = {flag.removeprefix("--").replace("-", "_") for flag in group.flags}
    rows += [f"|  | `{key}` | {meaning} |" for key, meaning in group.keys.items() if key not in flags]
    return "\n".join(rows)


def _markers_table() -> str:
    rows = ["| marker | met when |", "|---|---|"]
    for name, marker in MARKERS.items():
        signature = marker.signature.replace("|", "\\|")
        summary = marker.summary.replace("|", "\\|")
        rows.append(f"| [`{signature}`](#{name}) | {summary} |")
    return "\n".join(rows)


# Default and meaning of each keyword. What it accepts is asked of the code that reads it.
_KEYWORDS = {
    "at_least": ("", "the smallest speedup that is enough"),
    "at_most": ("", "the largest speedup that is allowed"),
    "threads": ("", "workers are threads of the test process"),
    "processes": ("", "workers are processes, started once for each test"),
    "tasks": ("", "workers are tasks of one event loop, for an `async def` body"),
    "interpreters": ("", "workers are subinterpreters with a GIL each (Python 3.14)"),
    "executor": ("", "workers are those of an executor; `workers` says how many"),
    "workers": ("", "the number of workers, or the sequence of counts, of `executor`"),
    "sustained": ("", "each side runs for at least that long in every round"),
    "efficiency": ("0.7", "the smallest speedup divided by the number of workers, at every count"),
    "min_wait": ("0.5", "the smallest share of its time that the body waits"),
    "min_cpu": ("0.5", "the smallest share of its time that the body computes"),
    "gil": ("", "whether the greater part of the computing holds the GIL"),
    "max_hold": ('"5ms"', "the longest single GIL hold that is allowed"),
    "max_block": ('"50ms"', "the longest event-loop block that is allowed"),
    "margin": ("0.25", "the width of the indifference zone next to the threshold, as a fraction of the threshold"),
    "max_time": ('"10s"', "the longest time for one verdict"),
    "undecided": ('"skip"', "what happens to a test without a verdict"),
    "setup": ("", "a function that makes a new input before each batch, outside of the timed part"),
    "leftovers": ('"tell"', "whether tasks, threads and processes that are left behind fail the test"),
}
_BAD_VALUES: tuple[object, ...] = (object(), -1)


def _accepts(parse: Any) -> str:
    """What a keyword accepts, in the words of its own errors."""
    rules = []
    for value in _BAD_VALUES:
        try:
            parse(value)
        except ValueError as error:
            rules.append(str(error).removeprefix("must be "))
    return "; ".join(dict.fromkeys(rules)).replace("|", "\\|")


def _keywords_table(table: Any, defaults: dict[str, str]) -> str:
    rows = ["| keyword | accepts | default | meaning |", "|---|---|---|---|"]
    for keyword, parse in table.items():
        default, meaning = _KEYWORDS[keyword]
        default = defaults.get(keyword, default)
        rows.append(f"| `{keyword}` | {_accepts(parse)} | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(rows)


def _keywords_of(name: str) -> str:
    defaults = {"threads": "4"} if name == "expect_io_bound" else {}
    return _keywords_table(kind_of(name).keywords, defaults)


def _commands_table() -> str:
    rows = ["| command | what it does |", "|---|---|"]
    for found in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        rows.append(f"| `{found.name.replace('_', '-')}` | {module.SUMMARY} |")
    return "\n".join(rows)


_PACKAGE = Path(pytest_concurrency.__file__).parent


def _docstring_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _layers() -> list[str]:
    """The order that the architecture test checks, from the top down."""
    # Next to this folder: the package may be installed elsewhere, as where the site is published.
    source = (Path(__file__).parent.parent / "tests" / "unit" / "test_architecture.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS":
            return list(ast.literal_eval(node.value))
    raise LookupError("tests/unit/test_architecture.py has no LAYERS")


def _layers_table() -> str:
    rows = ["| folder | what it contains |", "|---|---|"]
    for layer in _layers():
        first = _docstring_of(_PACKAGE / layer / "__init__.py").partition("\n\n")[0].replace("\n", " ")
        rows.append(f"| `{layer}/` | {first} |")
    return "\n".join(rows)


def _ini_lines() -> str:
    lines = [f"    {marker.signature.partition('(')[0]}: needs pytest-concurrency-perf" for marker in MARKERS.values()]
    return "\n".join(["```ini", "[pytest]", "markers =", *lines, "```"])


myst_substitutions = {
    "options_table": _options_table(),
    "markers_table": _markers_table(),
    "ini_lines": _ini_lines(),
    "commands_table": _commands_table(),
    "common_keywords_table": _keywords_table(keywords.COMMON, {}),
    "layers_table": _layers_table(),
    "verdict_in_fifteen_lines": _docstring_of(_PACKAGE / "engine" / "__init__.py"),
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
