"""Verdicts about random workloads on a simulated machine, and the machine itself against figures known by arithmetic.

The benchmarks have the recipes, the model of what is true of them, and larger studies. Seeds are fixed, so that the
outcome is the same in every run until the recipes or the engine change.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
pytestmark = pytest.mark.skipif(
    not (BENCHMARKS / "generated").exists(), reason="the random workloads are not part of this copy"
)
LEAST_DECIDED = 0.5  # part of the verdicts that must be right and not only open


@pytest.mark.parametrize(
    ("seeds", "loads"),
    [
        ("1-40", "idle,busy1,busy4,bursts"),
        ("1001-1036", "idle,busy1,busy4,bursts"),
        ("2001-2027", "idle,busy1,stolen,macos,macos busy1"),
    ],
)
def test_simulated_verdicts_are_not_wrong(seeds: str, loads: str, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    command = [sys.executable, str(BENCHMARKS / "generated"), "simulate", "--seeds", seeds, "--loads", loads]
    command += ["--cases", "4", "--max-time", "2", "--results", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    right = sum(line["verdict"] == line["label"] for line in lines)
    assert len(lines) > 400
    assert right > LEAST_DECIDED * len(lines)


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmarks' package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import generated.recipes
    import generated.results
    import generated.shrink
    import generated.source
    import generated.truth

    return generated


@pytest.mark.parametrize(
    ("parts", "more", "low", "high"),
    [
        ("Wait('sleep', 0.01)", {}, 3.9, 4.0),
        ("Inside('lock', 1, (Wait('sleep', 0.01),))", {}, 0.99, 1.01),
        ("Inside('semaphore', 2, (Wait('sleep', 0.01),))", {}, 1.98, 2.02),
        ("Compute('python', 0.02)", {}, 0.95, 1.01),
        ("Compute('frees', 0.02)", {}, 1.19, 2.0),
        ("Compute('python', 0.02)", {"backend": "processes"}, 1.19, 2.0),
        ("Inside('lock', 1, (Wait('sleep', 0.01),))", {"backend": "processes"}, 3.9, 4.0),
        ("Inside('file lock', 1, (Wait('sleep', 0.01),))", {"backend": "processes"}, 0.99, 1.01),
        ("Wait('sleep', 0.01, blocking=True)", {"backend": "tasks"}, 0.99, 1.01),
        ("Handed('to_thread', 1, (Wait('sleep', 0.01),))", {"backend": "tasks"}, 3.7, 4.0),
        # Four calls of exponential length: 4 / (1 + 1/2 + 1/3 + 1/4) = 1.92.
        ("Wait('sleep', 0.02)", {"vary": "exponential"}, 1.7, 2.15),
        # Calls that take 1, 5/3, 7/3 and 3 times as long: 8 / 3 = 2.67.
        ("Wait('sleep', 0.02)", {"vary": "index", "factor": 3.0}, 2.64, 2.68),
    ],
)
def test_model_gives_the_speedup_that_arithmetic_gives(
    generated: Any, parts: str, more: dict[str, Any], low: float, high: float
) -> None:
    part = eval(parts, vars(generated.recipes))
    recipe = generated.recipes.Recipe(**{"seed": 1, "backend": "threads", "workers": 4, "parts": (part,), **more})
    true = generated.truth.speedup(recipe)
    assert low <= true.low <= true.high <= high


def test_recipe_of_a_seed_is_always_the_same_and_prints_itself(generated: Any) -> None:
    recipes = generated.recipes
    for seed in range(50):
        recipe = recipes.draw(seed)
        assert recipe == recipes.draw(seed)
        assert eval(repr(recipe), vars(recipes)) == recipe


def test_pytest_file_of_each_recipe_is_python(generated: Any) -> None:
    for seed in (*range(1, 60), 205):
        recipe = generated.recipes.draw(seed)
        case = generated.source.Case(
            recipe, "expect_cpu_bound", (("min_cpu", 0.5),), "met", generated.truth.Range(1, 1)
        )
        text = generated.source.module([case])
        compile(text, f"seed {seed}", "exec")
        assert ("trio." in text) <= ("trio = pytest.importorskip" in text), seed


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # The first three are in closed form.
    [(0, 100, 0.0, 0.03622), (100, 100, 0.96378, 1.0), (0, 1, 0.0, 0.975), (5, 40, 0.0419, 0.2680)],
)
def test_bounds_of_a_rate_are_exact(generated: Any, count: int, of: int, low: float, high: float) -> None:
    assert generated.results.bounds(count, of) == pytest.approx((low, high), abs=5e-5)


def test_shrinking_keeps_what_makes_a_verdict_wrong(generated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each verdict is wrong that is about a lock."""
    recipes, shrink = generated.recipes, generated.shrink
    lock = recipes.Inside("lock", 1, (recipes.Wait("queue", 0.0123), recipes.Compute("frees", 0.0041)))
    recipe = recipes.Recipe(1, "threads", 6, (recipes.Wait("sleep", 0.003), lock), setup=0.01, fixture="ticks")
    case = next(case for case in generated.shrink.questions.cases(recipe) if case.label == "not_met")

    def wrong(case: Any, load: str, tries: int = 1) -> Any:
        holds = any(isinstance(part, recipes.Inside) for part in case.recipe.parts)
        return shrink.Wrong(case, load, 0, "met") if holds else None

    monkeypatch.setattr(shrink, "first_wrong", wrong)
    found = shrink.smaller(shrink.Wrong(case, "busy4", 0, "met"))
    assert (found.load, found.case.recipe.workers, found.case.recipe.setup) == ("idle", 2, 0.0)
    assert len(found.case.recipe.parts) == 1
    assert len(found.case.recipe.parts[0].parts) == 1
