"""The import law, read from the syntax trees: lazy and TYPE_CHECKING imports included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pytest_concurrency

PACKAGE = "pytest_concurrency"
ROOT = Path(pytest_concurrency.__file__).parent
MODULES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
# What computes values from values: no clocks, no workers, no pytest.
PURE = [
    "units",
    "stats",
    "model",
    "errors",
    "bounds",
    "drift",
    "versus",
    "tally",
    "claims",
    "case",
    "gil_question",
    "plan",
    "order",
    "reasons",
    "classify",
    "advice",
    "explain",
    "judge",
    "record",
    "fingerprint",
    "limits",
    "tables",
    "verdict_table",
    "sessions",
    "compare",
    "shape",
    "rows",
    "columns",
    "properties",
    "scaling",
    "recommend",
    "profile.values",
    "profile.text",
    "fitness",
]
IMPURE = {"pytest", "psutil", "threading", "multiprocessing", "asyncio", "time"}
KNOWS_PYTEST = {
    f"{PACKAGE}.{name}"
    for name in (
        "plugin",
        "gathering",
        "items",
        "call",
        "hookspecs",
        "loops",
        "company",
        "sharing",
        "xdist",
        "options",
    )
}
# Files in these folders do not know each other, but for those that all of them may know, ...
COMMON = {
    "probes": {"thread_state"},  # the stamps that other probes are made with
    "backends": {"base", "job", "travel", "lingering", "pipe", "piped", "piped_worker"},
    "expectations": {"base", "keywords", "where"},
    "reports": {
        "formats",
        "page",
        "page.charts",
        "page.view",
        "page.page",
        "page.explored",
        "compared",
    },  # their list, what html.py is made of, and what markdown.py says as well
    "commands": set[str](),
}
# ... and those that are one thing in several files.
PAIRS = {
    "processes": {"process_worker", "inherited"},
    "tasks": {"threads", "guest"},
    "trio_guest": {"guest"},
    "pooled": {"pooled_worker"},
    "executors": {"pooled"},
    "helpers": {"own_work"},
}


def imports_of(module: str) -> set[str]:
    """Every module that a module names in an import statement, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = {name for name in names if name in MODULES}
            found.update(inside or {node.module or ""})
    return found


GRAPH = {module: imports_of(module) for module in MODULES}


def tops(module: str) -> set[str]:
    return {name.partition(".")[0] for name in GRAPH[module]}


def test_the_package_was_found() -> None:
    assert len(MODULES) > 30
    assert f"{PACKAGE}.model" in GRAPH[f"{PACKAGE}.bounds"]


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_touch_no_machine(name: str) -> None:
    module = f"{PACKAGE}.{name}"
    assert not tops(module) & IMPURE
    assert not {found for found in GRAPH[module] if found.startswith((f"{PACKAGE}.backends", f"{PACKAGE}.probes"))}


@pytest.mark.parametrize("name", PURE)
def test_nothing_that_pure_modules_need_touches_a_machine(name: str) -> None:
    needed, new = set[str](), {f"{PACKAGE}.{name}"}
    while new:
        needed |= new
        new = {found for module in new for found in GRAPH[module] if found in MODULES} - needed
    assert not {module: tops(module) & IMPURE for module in needed if tops(module) & IMPURE}


@pytest.mark.parametrize("module", sorted(set(MODULES) - KNOWS_PYTEST))
def test_only_the_shell_knows_pytest(module: str) -> None:
    assert "pytest" not in tops(module)


def test_options_know_pytest_for_type_checkers_only() -> None:
    tree = ast.parse(MODULES[f"{PACKAGE}.options"].read_text(encoding="utf-8"))
    at_run_time = [node for node in tree.body if isinstance(node, ast.Import) and node.names[0].name == "pytest"]
    assert at_run_time == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_reaches_into_pytest(module: str) -> None:
    assert "_pytest" not in tops(module)


def test_importing_the_package_imports_nothing_else() -> None:
    assert GRAPH[PACKAGE] <= {"__future__"}


def test_there_are_no_cycles() -> None:
    inside = {module: names & set(MODULES) for module, names in GRAPH.items()}
    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("folder", COMMON)
def test_siblings_do_not_know_each_other(folder: str) -> None:
    prefix = f"{PACKAGE}.{folder}."
    siblings = {module.removeprefix(prefix) for module in MODULES if module.startswith(prefix)}
    assert siblings
    for name in siblings:
        known = {module.removeprefix(prefix) for module in GRAPH[prefix + name] if module.startswith(prefix)}
        assert known - COMMON[folder] <= PAIRS.get(name, set()), name


def test_nobody_imports_the_plugin() -> None:
    assert [module for module in MODULES if f"{PACKAGE}.plugin" in GRAPH[module]] == []
