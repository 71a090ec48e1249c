"""The layers of the package: which folder may import from which, read from the syntax trees.

Lazy imports inside functions and imports under ``TYPE_CHECKING`` count like all others.
"""

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
# From the top down: a module imports from its own folder or from one that stands further down.
LAYERS = (
    "cli",
    "session",
    "survey",
    "instruments",
    "explore",
    "doctor",
    "profiling",
    "reports",
    "runs",
    "measurement",
    "expectations",
    "backends",
    "verdicts",
    "engine",
    "probes",
    "machine",
    "core",
)
TOP = {PACKAGE, *(f"{PACKAGE}.{name}" for name in ("__main__", "hookspecs", "plugin", "testing"))}
# These folders compute values from values: without clocks, workers or pytest.
PURE = ("core", "engine", "verdicts")
IMPURE = {"pytest", "psutil", "threading", "multiprocessing", "asyncio", "time"}
KNOW_PYTEST = "session"
MOST_MODULES = 22  # in a folder
MOST_LINES = 350  # in a file
MOST_LINES_OF_PLUGIN = 250
# Each module of these folders stands for itself, apart from what its siblings share ...
SHARED = {
    "probes": {"thread_clock", "ended_tasks", "process_threads"},
    "backends": {
        "base",
        "batch",
        "current_worker",
        "environment",
        "serialization",
        "hung",
        "lazy_results",
        "framing",
        "pipe_group",
        "pipe_main",
    },
    "expectations": {"base", "keywords", "placement"},
    "cli.commands": set[str](),
}
# ... and apart from the modules that are one subject in several files.
PARTS = {
    "serialization": {"fork_only"},
    "processes": {"process_main", "fork_only", "start_methods"},
    "event_loops.loop_workers": {"threads", "event_loops.borrowed_loop"},
    "event_loops.tasks": {"threads", "executors", "event_loops.borrowed_loop", "event_loops.loop_workers"},
    "event_loops.trio_loop": {"event_loops.borrowed_loop", "event_loops.loop_workers"},
    "executor_group": {"executor_task", "executors", "fork_only"},
    "executors": {"start_methods"},
    "helper_threads": {"process_usage", "bystanders"},
    "process_threads": {"process_usage"},
    "leftovers": {"creation_sites", "process_usage", "bystanders"},
    "left_tasks": {"leftovers"},
    "environment": {"event_loops.borrowed_loop"},
    "availability": {"interference"},
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


def layer_of(module: str) -> str | None:
    """The folder that a module lies in; None for those at the top level."""
    return None if module in TOP else module.split(".")[1]


def outside(module: str) -> set[str]:
    """The top-level packages that a module imports."""
    return {name.partition(".")[0] for name in GRAPH[module]}


def inside(folder: str) -> list[str]:
    return [module for module in MODULES if layer_of(module) == folder]


def test_every_module_lies_in_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} - {None} == set(LAYERS)


@pytest.mark.parametrize("module", sorted(set(MODULES) - TOP))
def test_imports_never_point_upward(module: str) -> None:
    own = LAYERS.index(layer_of(module) or "")
    upward = {
        name
        for name in GRAPH[module] & set(MODULES) - {PACKAGE}
        if name in TOP or LAYERS.index(layer_of(name) or "") < own
    }
    assert upward == set()


@pytest.mark.parametrize("folder", PURE)
def test_pure_folders_touch_no_machine(folder: str) -> None:
    for module in inside(folder):
        assert not outside(module) & IMPURE, module
        known = {layer_of(name) for name in GRAPH[module] & set(MODULES) - {PACKAGE}}
        assert known <= set(PURE), module


@pytest.mark.parametrize("module", sorted(set(MODULES) - {f"{PACKAGE}.plugin", f"{PACKAGE}.hookspecs"}))
def test_only_session_imports_pytest(module: str) -> None:
    assert layer_of(module) == KNOW_PYTEST or "pytest" not in outside(module)


def test_options_import_pytest_for_type_checkers_only() -> None:
    tree = ast.parse(MODULES[f"{PACKAGE}.session.options"].read_text(encoding="utf-8"))
    at_run_time = [node for node in tree.body if isinstance(node, ast.Import) and node.names[0].name == "pytest"]
    assert at_run_time == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_private_modules_of_pytest_are_not_imported(module: str) -> None:
    assert "_pytest" not in outside(module)


def test_importing_the_package_imports_nothing_else() -> None:
    at_import = {
        name
        for node in ast.parse(MODULES[PACKAGE].read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert at_import <= {"__future__", "typing"}


def test_there_are_no_import_cycles() -> None:
    edges = {module: names & set(MODULES) for module, names in GRAPH.items() if module != PACKAGE}
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("folder", SHARED)
def test_siblings_import_only_what_they_share(folder: str) -> None:
    prefix = f"{PACKAGE}.{folder}."
    siblings = {module.removeprefix(prefix) for module in MODULES if module.startswith(prefix)}
    assert siblings
    for name in siblings:
        known = {module.removeprefix(prefix) for module in GRAPH[prefix + name] if module.startswith(prefix)}
        assert known - SHARED[folder] <= PARTS.get(name, set()), name


def test_the_plugin_is_imported_by_none_of_its_modules() -> None:
    assert [module for module in MODULES if f"{PACKAGE}.plugin" in GRAPH[module]] == []


@pytest.mark.parametrize(
    "folder", [path for path in sorted(ROOT.rglob("*")) if path.is_dir() and any(path.glob("*.py"))]
)
def test_folders_stay_small(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES


def test_files_stay_small() -> None:
    lengths = {module: path.read_text(encoding="utf-8").count("\n") for module, path in MODULES.items()}
    assert {module: lines for module, lines in lengths.items() if lines > MOST_LINES} == {}
    assert lengths[f"{PACKAGE}.plugin"] <= MOST_LINES_OF_PLUGIN
