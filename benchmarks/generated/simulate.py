"""One verdict in simulated time: the package's own markers and measuring loop on the simulated bench."""

from __future__ import annotations

from generated.bench import SimulatedBench
from generated.cases import Case
from generated.loads import LOADS
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.engine.settlement import Settlement
from pytest_concurrency.expectations import cpu_bound, gil_released, io_bound, nonblocking, scaling, speedup
from pytest_concurrency.expectations.base import Tolerances

KINDS = {module.KIND.name: module.KIND for module in (cpu_bound, gil_released, io_bound, nonblocking, scaling, speedup)}
MAX_TIME = 10.0


def plan_of(case: Case) -> Plan:
    """The plan that the marker makes of its arguments."""
    recipe = case.recipe
    arguments = dict(case.arguments)
    if case.marker == "expect_speedup":
        if recipe.backend.startswith("executor"):
            arguments |= {
                "executor": ExecutorChoice(recipe.backend.removeprefix("executor ")),
                "workers": recipe.workers,
            }
        else:
            arguments[recipe.backend] = recipe.workers
    elif case.marker == "expect_io_bound":
        arguments[recipe.backend] = recipe.workers
    body = Body(lambda: None, is_async=recipe.backend == "tasks")
    return KINDS[case.marker].plan(arguments, body, Tolerances())


def settled(case: Case, load: str, seed: int = 0, max_time: float = MAX_TIME) -> Settlement:
    """Come to a verdict beside this load."""
    bench = SimulatedBench(case.recipe, LOADS[load], seed=hash_of(case, load, seed))
    return settle(plan_of(case), bench, max_time)


def hash_of(case: Case, load: str, seed: int) -> str:
    return f"{case.recipe.seed} {case.asked} {load} {seed}"
