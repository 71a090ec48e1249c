"""Verdicts in real time: recipes as pytest files, one session for some of them beside each load."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from loads import BURN, BURST, programs

from generated import cases as questions
from generated import known, source
from generated.cases import Case
from generated.results import Line

PROGRAMS: dict[str, list[tuple[str, ...]]] = {
    "idle": [],
    "busy1": [(BURN,)],
    "busy4": [(BURN,)] * 4,
    "bursts": [(BURST, "0.05", "0.2")] * 2,
    "long bursts": [(BURST, "0.3", "2")] * 2,
}
LIMIT = 60.0  # seconds for each test of a session, after which it is stopped
_OUTCOMES = {"failure": "not_met", "error": "error", "skipped": "undecided"}


def load(name: str) -> contextlib.AbstractContextManager[None]:
    """Keep the machine busy in one of these ways."""
    return programs(PROGRAMS[name])


def measurable(case: Case) -> bool:
    """Whether this interpreter can run it."""
    recipe = case.recipe
    needed = {"pytest-asyncio": ("pytest_asyncio",), "anyio": ("anyio",), "trio": ("anyio", "trio"), "own": ()}[
        recipe.loop
    ]
    if any(importlib.util.find_spec(name) is None for name in needed):
        return False
    return recipe.backend != "interpreters" or sys.version_info >= (3, 14)


def some(recipe: Any, number: int) -> list[Case]:
    return [case for case in questions.some(recipe, number) if measurable(case)]


def session(batch: list[list[Case]], name: str) -> list[Line]:
    """Run the tests of some recipes beside a load; a line for each verdict."""
    with tempfile.TemporaryDirectory() as folder:
        for cases in batch:
            Path(folder, f"test_{cases[0].recipe.seed}.py").write_text(source.module(cases))
        junit, report = Path(folder, "junit.xml"), Path(folder, "report.json")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            folder,
            "-c",
            os.devnull,
        ]
        for plugin in ("pytest_concurrency.plugin", "pytest_asyncio.plugin", "anyio.pytest_plugin"):
            if importlib.util.find_spec(plugin.partition(".")[0]) is not None:
                command += ["-p", plugin]
        command += [f"--junitxml={junit}", f"--concurrency-report=json:{report}", folder]
        number = sum(map(len, batch))
        # Other plugins that happen to be installed do not belong into these sessions.
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        with load(name):
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, cwd=folder, env=environment, timeout=LIMIT * number
                )
                printed = done.stdout + done.stderr
            except subprocess.TimeoutExpired as expired:
                printed = f"stopped: {expired}"
        rows = _rows(junit) if junit.exists() else {}
        records = json.loads(report.read_text())["records"] if report.exists() else []
        details = {record["nodeid"]: record for record in records}
        return [_line(case, index, name, rows, details, printed) for cases in batch for index, case in enumerate(cases)]


def _rows(junit: Path) -> dict[tuple[str, str], tuple[str, str, float]]:
    """By file and test: what became of it, the message, and seconds."""
    found = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        outcome, message = "met", ""
        for child in case:
            if child.tag in _OUTCOMES:
                outcome, message = _OUTCOMES[child.tag], child.get("message", "")
        key = case.get("classname", "").rpartition(".")[2], case.get("name", "").partition("[")[0]
        found[key] = outcome, message, float(case.get("time", 0))
    return found


def _line(case: Case, index: int, name: str, rows: Any, details: dict[str, Any], printed: str) -> Line:
    file, test = f"test_{case.recipe.seed}", f"test_{case.label}_{index}"
    outcome, message, seconds = rows.get((file, test), ("error", printed[-1500:], 0.0))
    record = next((found for node, found in details.items() if f"{file}.py::{test}" in node), None)
    expectation = record["expectations"][-1] if record and record["expectations"] else None
    estimate = expectation and expectation.get("estimate")
    verdict = expectation["verdict"] if expectation else outcome
    if outcome == "not_met" and expectation is None:
        verdict = "error"  # an assertion or an exception that is no verdict
    return {
        "seed": case.recipe.seed,
        "kind": case.recipe.kind,
        "marker": case.marker,
        "asked": case.asked,
        "workers": case.recipe.workers,
        "load": name,
        "label": case.label,
        "true": [round(case.true.low, 4), round(case.true.high, 4)],
        "gap": known.gap(case, name),
        "verdict": verdict,
        "estimate": estimate and round(estimate["value"], 4),
        "rounds": expectation["rounds"] if expectation else 0,
        "seconds": round(seconds, 3),
        "why": message[:600] if outcome != "met" else "",
    }


def shuffled(seeds: range, size: int) -> list[list[int]]:
    """Seeds in batches, the same ones each time."""
    numbers = list(seeds)
    random.Random(1).shuffle(numbers)
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
