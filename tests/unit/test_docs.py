"""Options, commands and calls that the documentation names exist."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.cli import commands
from pytest_concurrency.core import addresses
from pytest_concurrency.expectations import gil_released, keywords, nonblocking, placement, scaling, speedup
from pytest_concurrency.expectations.base import Kind
from pytest_concurrency.reports import formats
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.session import options
from pytest_concurrency.session.fixture import Concurrency

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def known_options() -> set[str]:
    flags: set[str] = set()
    group = SimpleNamespace(addoption=lambda flag, **details: flags.add(flag))
    parser: Any = SimpleNamespace(getgroup=lambda *names: group, addini=lambda *names, **details: None)
    options.add_options(parser)
    return flags


def known_commands() -> dict[str, set[str]]:
    found = {}
    for entry in pkgutil.iter_modules(commands.__path__):
        parser = ArgumentParser()
        importlib.import_module(f"{commands.__name__}.{entry.name}").configure(parser)
        found[entry.name.replace("_", "-")] = set(parser._option_string_actions)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"--concurrency-[a-z]+(?:-[a-z]+)*", page.read_text(encoding="utf-8")))
    assert named <= known_options()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_shows_exist_with_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    known = known_commands()
    for command, rest in re.findall(r"pytest-concurrency-perf (?!-)([a-z-]+)([^`\n|]*)", _only_code(text)):
        assert command in known, f"{page.name}: {command}"
        own = rest.partition(" -- ")[0].partition(" --setup ")[0]
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", own)) <= known[command], f"{page.name}: {command}{rest}"


def _only_code(text: str) -> str:
    """Lines that are commands: those of shell sessions, and steps of CI jobs."""
    found = []
    for block in re.findall(r"^```(?:console|sh|yaml|groovy|ini)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found += [line for line in block.splitlines() if "pip install" not in line]
    return "\n".join(found)


@pytest.mark.parametrize("kind", addresses.KINDS)
def test_address_of_each_kind_of_verdict_leads_to_a_section(kind: str) -> None:
    page, _, section = addresses.page_of(kind).partition("#")
    text = (ROOT / "docs" / page.replace(".html", ".md")).read_text(encoding="utf-8")
    assert not section or f"\n({section})=\n## " in text


def test_sample_run_of_the_site_can_be_reported_by_this_version() -> None:
    run = Storage(ROOT / "docs").load(str(ROOT / "docs" / "sample-run.json"))
    assert "test_article.py" in "".join(formats.load("markdown").render(run, ()))


def _documented_calls() -> dict[str, set[str]]:
    """The calls of the fixture that its page documents, each with its keywords."""
    text = (ROOT / "docs" / "reference" / "fixture.md").read_text(encoding="utf-8")
    found = re.findall(r"^\.\. automethod:: pytest_concurrency\.Concurrency\.(\w+)\((.*)\)$", text, re.MULTILINE)
    return {name: set(re.findall(r"(\w+)=", signature)) for name, signature in found}


def test_page_of_the_fixture_documents_every_call() -> None:
    calls = {name for name, value in vars(Concurrency).items() if inspect.isfunction(value) and value.__doc__}
    inherited = {
        name
        for base in Concurrency.__mro__[1:-1]
        for name, value in vars(base).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    internal = {"close", "never_asked", "gauge_says_nothing"}
    assert {name for name in calls | inherited if not name.startswith("_")} - internal == set(_documented_calls())


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("speedup", speedup.KIND),
        ("scaling", scaling.KIND),
        ("gil_hold", gil_released.KIND),
        ("loop_block", nonblocking.KIND),
    ],
)
def test_documented_keywords_of_a_call_are_those_that_it_reads(call: str, kind: Kind) -> None:
    thresholds = {"at_least", "at_most", "efficiency", "max_hold", "max_block"}
    assert _documented_calls()[call] == {*kind.keywords, *keywords.COMMON} - thresholds


def test_documented_keywords_of_calls_without_threshold_are_those_that_they_read() -> None:
    documented = _documented_calls()
    assert documented["bound"] == {*placement.overlap_parsers(), *keywords.COMMON}
    assert documented["measure"] == {*placement.parsers(), *keywords.COMMON} - {"margin", "undecided"}


def test_environments_of_tox_that_pages_name_exist() -> None:
    known = set(re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE))
    known.add("performance")  # of the example in docs/howto/ci-tox.md
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        named = set(re.findall(r"tox -e ([a-z]+)\b(?!\d)", page.read_text(encoding="utf-8")))
        assert named - {"py"} <= known, page.name
